; SPDX-License-Identifier: MIT OR Apache-2.0
; A chain of 10,000 hashes: h(0) = 0, h(k) = keccak256(h(k-1) . n - k), returned at the end.
; Each hash is an input of the next, so no compiler, cache or reordering can leave one out.
; Stack comments list the top first.

PUSH0                   ; [h]         h(0), the seed of the chain
PUSH2 10000             ; [n h]       hashes still to do

next:
JUMPDEST                ; [n h]
PUSH1 1                 ; [1 n h]
SWAP1                   ; [n 1 h]     SUB takes the minuend from the top
SUB                     ; [n h]       one hash less to do
SWAP1                   ; [h n]
PUSH0                   ; [0 h n]
MSTORE                  ; [n]         memory[0..32] = previous hash
DUP1                    ; [n n]
PUSH1 32                ; [32 n n]
MSTORE                  ; [n]         memory[32..64] = counter
PUSH1 64                ; [64 n]      length: both words
PUSH0                   ; [0 64 n]    offset
KECCAK256               ; [h n]       the next link of the chain
SWAP1                   ; [n h]
DUP1                    ; [n n h]     condition: the counter is not yet 0
PUSH1 @next             ; [next n n h]
JUMPI                   ; [n h]

POP                     ; [h]         the counter is 0
PUSH0                   ; [0 h]
MSTORE                  ; []          memory[0..32] = last hash
PUSH1 32                ; [32]
PUSH0                   ; [0 32]
RETURN                  ; []          output: h(10,000)
