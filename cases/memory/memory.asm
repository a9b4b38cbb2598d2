; SPDX-License-Identifier: MIT OR Apache-2.0
; Memory in every way a contract can touch it, at offsets that are no multiples of 32.
; Output: a sum over what was written, the size of the memory, and the hash of its first 16 KiB.
; Stack comments list the top first.

; --- Grow to 4 MiB in 1,024 steps of 4,099 bytes: each MSTORE pays for an expansion.

PUSH0                   ; [p]             p: where to write
grow:
JUMPDEST                ; [p]
DUP1                    ; [p p]
PUSH32 0x9e3779b97f4a7c15f39cc0605cedc8341082276bf3a27251f86c6a11d0c18e95
                        ; [c p p]         spreads the offset over the word
MUL                     ; [v p]           a word that differs at every offset
DUP2                    ; [p v p]
MSTORE                  ; [p]             memory[p..p+32] = v
PUSH2 4099              ; [step p]        prime: the offset modulo 32 takes every value
ADD                     ; [p]
DUP1                    ; [p p]
PUSH3 0x400000          ; [end p p]       4 MiB
GT                      ; [end>p p]
PUSH1 @grow             ; [grow end>p p]
JUMPI                   ; [p]
POP                     ; []

; --- 16,384 single bytes, 13 apart.

PUSH2 16384             ; [n]             bytes still to write
bytes:
JUMPDEST                ; [n]
DUP1                    ; [n n]           MSTORE8 takes the low byte of it
DUP1                    ; [n n n]
PUSH1 13                ; [13 n n n]
MUL                     ; [p n n]
MSTORE8                 ; [n]             memory[13 n] = n modulo 256
PUSH1 1                 ; [1 n]
SWAP1                   ; [n 1]
SUB                     ; [n]
DUP1                    ; [n n]
PUSH1 @bytes            ; [bytes n n]
JUMPI                   ; [n]
POP                     ; []

; --- 2,048 times: copy up to 8 KiB a little upwards and back downwards; most copies overlap.

PUSH2 2048              ; [n]             rounds still to do
copies:
JUMPDEST                ; [n]
DUP1                    ; [n n]
PUSH1 37                ; [37 n n]
MUL                     ; [37n n]
PUSH2 0x1fff            ; [mask 37n n]
AND                     ; [len n]         0 to 8,191 bytes
DUP2                    ; [n len n]
PUSH3 104729            ; [k n len n]     prime: the copies wander over the first MiB
MUL                     ; [kn len n]
PUSH3 0xfffff           ; [mask kn len n]
AND                     ; [p len n]
DUP2                    ; [len p len n]
DUP2                    ; [p len p len n]         source
DUP1                    ; [p p len p len n]
PUSH1 31                ; [31 p p len p len n]
ADD                     ; [p+31 p len p len n]    destination: above the source
MCOPY                   ; [p len n]
DUP2                    ; [len p len n]
DUP2                    ; [p len p len n]
PUSH1 45                ; [45 p len p len n]
ADD                     ; [p+45 len p len n]      source: above the destination
DUP3                    ; [p p+45 len p len n]    destination
MCOPY                   ; [p len n]
POP                     ; [len n]
POP                     ; [n]
PUSH1 1                 ; [1 n]
SWAP1                   ; [n 1]
SUB                     ; [n]
DUP1                    ; [n n]
PUSH1 @copies           ; [copies n n]
JUMPI                   ; [n]
POP                     ; []

; --- 4,096 times: pieces of the calldata and of the code, which often reach beyond their end.

PUSH2 4096              ; [n]             rounds still to do
pieces:
JUMPDEST                ; [n]
PUSH1 97                ; [len n]         calldata holds 68 bytes: the rest is zeros
DUP2                    ; [n len n]
PUSH1 127               ; [mask n len n]
AND                     ; [off len n]     0 to 127: some pieces are nothing but zeros
DUP3                    ; [n off len n]
PUSH1 101               ; [101 n off len n]
MUL                     ; [p off len n]
CALLDATACOPY            ; [n]
PUSH1 131               ; [len n]
DUP2                    ; [n len n]
PUSH2 511               ; [mask n len n]
AND                     ; [off len n]     the code is shorter than 511 bytes
DUP3                    ; [n off len n]
PUSH1 103               ; [103 n off len n]
MUL                     ; [p off len n]
PUSH3 500000            ; [base p off len n]
ADD                     ; [p off len n]   away from the pieces of calldata
CODECOPY                ; [n]
PUSH1 1                 ; [1 n]
SWAP1                   ; [n 1]
SUB                     ; [n]
DUP1                    ; [n n]
PUSH1 @pieces           ; [pieces n n]
JUMPI                   ; [n]

; --- 32,768 words, 127 bytes apart, into one sum. n is 0 now and becomes the sum s.

PUSH2 32768             ; [n s]           words still to read
fold:
JUMPDEST                ; [n s]
DUP1                    ; [n n s]
PUSH1 127               ; [127 n n s]
MUL                     ; [p n s]         up to 4,161,536: inside the 4 MiB
MLOAD                   ; [v n s]
DUP3                    ; [s v n s]
PUSH1 3                 ; [3 s v n s]     the order of the words matters
MUL                     ; [3s v n s]
ADD                     ; [s' n s]
SWAP2                   ; [s n s']
POP                     ; [n s']
PUSH1 1                 ; [1 n s]
SWAP1                   ; [n 1 s]
SUB                     ; [n s]
DUP1                    ; [n n s]
PUSH1 @fold             ; [fold n n s]
JUMPI                   ; [n s]
POP                     ; [s]

; --- The output.

PUSH2 16384             ; [len s]
PUSH0                   ; [0 len s]
KECCAK256               ; [h s]           the hash of the first 16 KiB
PUSH1 64                ; [64 h s]
MSTORE                  ; [s]             memory[64..96] = h
PUSH0                   ; [0 s]
MSTORE                  ; []              memory[0..32] = s
MSIZE                   ; [size]          a multiple of 32
PUSH1 32                ; [32 size]
MSTORE                  ; []              memory[32..64] = size
PUSH1 96                ; [96]
PUSH0                   ; [0 96]
RETURN                  ; []              output: s, size, h
