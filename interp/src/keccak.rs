//! Keccak-256 as Ethereum uses it (Keccak submission 3, rate 1088, padding byte 0x01).
//!
//! Not from a crate, because hashing is three quarters of the time of token contracts: with BMI instructions
//! (`andn`, `rorx`), selected at run time, a permutation takes 265 ns, and 377 ns in the common crates.
//!
//! Unsafe: the call of the BMI version of the permutation, after a check that the CPU supports it.

#![allow(unsafe_code)]

use crate::word::Word;
use alloy_primitives::B256;

const RATE: usize = 136;

const ROUND_CONSTANTS: [u64; 24] = [
    0x0000000000000001,
    0x0000000000008082,
    0x800000000000808a,
    0x8000000080008000,
    0x000000000000808b,
    0x0000000080000001,
    0x8000000080008081,
    0x8000000000008009,
    0x000000000000008a,
    0x0000000000000088,
    0x0000000080008009,
    0x000000008000000a,
    0x000000008000808b,
    0x800000000000008b,
    0x8000000000008089,
    0x8000000000008003,
    0x8000000000008002,
    0x8000000000000080,
    0x000000000000800a,
    0x800000008000000a,
    0x8000000080008081,
    0x8000000000008080,
    0x0000000080000001,
    0x8000000080008008,
];

/// The Keccak-256 hash of `bytes`.
pub fn keccak256(bytes: &[u8]) -> B256 {
    let mut state = [0; 25];
    let (blocks, rest) = bytes.as_chunks::<RATE>();
    for block in blocks {
        absorb(&mut state, block);
    }
    let mut last = [0; RATE];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x01;
    last[RATE - 1] |= 0x80;
    absorb(&mut state, &last);

    let mut hash = [0; 32];
    for (out, lane) in hash.as_chunks_mut::<8>().0.iter_mut().zip(state) {
        *out = lane.to_le_bytes();
    }
    B256::new(hash)
}

/// Number of entries of a memo; a power of two.
const ENTRIES: usize = 1024;

/// A direct-mapped cache of the hashes of 32 and 64 bytes that a message has computed: contracts hash the
/// same mapping and array keys repeatedly. Empty at the start of a message.
#[derive(Debug)]
pub(crate) struct Memo {
    entries: Box<[Remembered; ENTRIES]>,
    /// Number of the message, from 1. Entries of other messages are invalid.
    message: u32,
    /// Lookups in the current span, and the hits among them.
    asked: u32,
    found: u32,
    /// Number of hashes still to compute without a lookup.
    idle: u32,
    /// Hits since the start of the message.
    hits: u64,
}

/// Number of lookups after which a memo decides whether it pays off.
const SPAN: u32 = 128;

/// Hits in a span from which it pays off: a lookup and an insertion cost about 5 % of a hash.
const PAYS: u32 = 8;

/// Number of hashes without a lookup after a span that did not pay off.
const IDLE: u32 = 4096;

#[derive(Clone, Copy, Debug)]
struct Remembered {
    input: [u64; 8],
    words: u32,
    message: u32,
    hash: Word,
}

impl Default for Memo {
    fn default() -> Memo {
        let nothing = Remembered {
            input: [0; 8],
            words: 0,
            message: 0,
            hash: Word::ZERO,
        };
        Memo {
            entries: Box::new([nothing; ENTRIES]),
            message: 1,
            asked: 0,
            found: 0,
            idle: 0,
            hits: 0,
        }
    }
}

impl Memo {
    /// Empties the memo for a new message.
    pub fn forget(&mut self) {
        match self.message.checked_add(1) {
            Some(next) => {
                self.message = next;
                (self.asked, self.found, self.idle) = (0, 0, 0);
                self.hits = 0;
            }
            None => *self = Memo::default(),
        }
    }

    /// Hits since the start of the message.
    pub fn hits(&self) -> u64 {
        self.hits
    }

    /// The Keccak-256 hash of `bytes`, from the memo if it is there.
    #[inline]
    pub fn hash(&mut self, bytes: &[u8]) -> Word {
        if self.idle > 0 {
            self.idle -= 1;
            return keccak256(bytes).into();
        }
        if let Ok(one) = <&[u8; 32]>::try_from(bytes) {
            self.look_up(one)
        } else if let Ok(two) = <&[u8; 64]>::try_from(bytes) {
            self.look_up(two)
        } else {
            keccak256(bytes).into()
        }
    }

    fn look_up<const N: usize>(&mut self, bytes: &[u8; N]) -> Word {
        let words = (N / 32) as u32;
        let mut input = [0; 8];
        // An index loop, because iterators over chunks are not always inlined.
        let (chunks, _) = bytes.as_chunks::<8>();
        for at in 0..N / 8 {
            input[at] = u64::from_le_bytes(chunks[at]);
        }
        // Keys differ most in their last bytes, so the index must depend on those.
        let mixed = (input[3].rotate_left(32) ^ input[7] ^ input[2] ^ input[6])
            .wrapping_add(input[0] ^ input[1].rotate_left(17) ^ input[4].rotate_left(29) ^ input[5])
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.asked += 1;
        if self.asked == SPAN {
            if self.found < PAYS {
                self.idle = IDLE;
            }
            (self.asked, self.found) = (0, 0);
        }
        let entry = &mut self.entries[(mixed >> (64 - ENTRIES.trailing_zeros())) as usize];
        if entry.message == self.message && entry.words == words && entry.input == input {
            self.found += 1;
            self.hits += 1;
            return entry.hash;
        }
        let hash = keccak256(bytes).into();
        *entry = Remembered {
            input,
            words,
            message: self.message,
            hash,
        };
        hash
    }
}

#[inline]
fn absorb(state: &mut [u64; 25], block: &[u8; RATE]) {
    for (lane, bytes) in state.iter_mut().zip(block.as_chunks::<8>().0) {
        *lane ^= u64::from_le_bytes(*bytes);
    }
    permute(state);
}

#[inline]
fn permute(state: &mut [u64; 25]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2") {
        // SAFETY: the CPU has both extensions.
        return unsafe { permute_bmi(state) };
    }
    rounds(state);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "bmi1,bmi2")]
fn permute_bmi(state: &mut [u64; 25]) {
    rounds(state);
}

#[inline(always)]
fn rounds(state: &mut [u64; 25]) {
    let mut a = *state;
    for constant in ROUND_CONSTANTS {
        a = round(a, constant);
    }
    *state = a;
}

/// Theta, rho and pi, chi, iota (Keccak reference 3.0, 1.2), lane `x + 5 y`.
///
/// Unrolled by hand: the compiler does not unroll loops over arrays here, which makes them four times as
/// slow.
#[inline(always)]
#[rustfmt::skip]
fn round(a: [u64; 25], constant: u64) -> [u64; 25] {
    let [
        a0, a1, a2, a3, a4,
        a5, a6, a7, a8, a9,
        a10, a11, a12, a13, a14,
        a15, a16, a17, a18, a19,
        a20, a21, a22, a23, a24,
    ] = a;
    let c0 = a0 ^ a5 ^ a10 ^ a15 ^ a20;
    let c1 = a1 ^ a6 ^ a11 ^ a16 ^ a21;
    let c2 = a2 ^ a7 ^ a12 ^ a17 ^ a22;
    let c3 = a3 ^ a8 ^ a13 ^ a18 ^ a23;
    let c4 = a4 ^ a9 ^ a14 ^ a19 ^ a24;
    let d0 = c4 ^ c1.rotate_left(1);
    let d1 = c0 ^ c2.rotate_left(1);
    let d2 = c1 ^ c3.rotate_left(1);
    let d3 = c2 ^ c4.rotate_left(1);
    let d4 = c3 ^ c0.rotate_left(1);
    let b0 = a0 ^ d0;
    let b1 = (a6 ^ d1).rotate_left(44);
    let b2 = (a12 ^ d2).rotate_left(43);
    let b3 = (a18 ^ d3).rotate_left(21);
    let b4 = (a24 ^ d4).rotate_left(14);
    let b5 = (a3 ^ d3).rotate_left(28);
    let b6 = (a9 ^ d4).rotate_left(20);
    let b7 = (a10 ^ d0).rotate_left(3);
    let b8 = (a16 ^ d1).rotate_left(45);
    let b9 = (a22 ^ d2).rotate_left(61);
    let b10 = (a1 ^ d1).rotate_left(1);
    let b11 = (a7 ^ d2).rotate_left(6);
    let b12 = (a13 ^ d3).rotate_left(25);
    let b13 = (a19 ^ d4).rotate_left(8);
    let b14 = (a20 ^ d0).rotate_left(18);
    let b15 = (a4 ^ d4).rotate_left(27);
    let b16 = (a5 ^ d0).rotate_left(36);
    let b17 = (a11 ^ d1).rotate_left(10);
    let b18 = (a17 ^ d2).rotate_left(15);
    let b19 = (a23 ^ d3).rotate_left(56);
    let b20 = (a2 ^ d2).rotate_left(62);
    let b21 = (a8 ^ d3).rotate_left(55);
    let b22 = (a14 ^ d4).rotate_left(39);
    let b23 = (a15 ^ d0).rotate_left(41);
    let b24 = (a21 ^ d1).rotate_left(2);
    [
        b0 ^ (!b1 & b2) ^ constant,
        b1 ^ (!b2 & b3),
        b2 ^ (!b3 & b4),
        b3 ^ (!b4 & b0),
        b4 ^ (!b0 & b1),
        b5 ^ (!b6 & b7),
        b6 ^ (!b7 & b8),
        b7 ^ (!b8 & b9),
        b8 ^ (!b9 & b5),
        b9 ^ (!b5 & b6),
        b10 ^ (!b11 & b12),
        b11 ^ (!b12 & b13),
        b12 ^ (!b13 & b14),
        b13 ^ (!b14 & b10),
        b14 ^ (!b10 & b11),
        b15 ^ (!b16 & b17),
        b16 ^ (!b17 & b18),
        b17 ^ (!b18 & b19),
        b18 ^ (!b19 & b15),
        b19 ^ (!b15 & b16),
        b20 ^ (!b21 & b22),
        b21 ^ (!b22 & b23),
        b22 ^ (!b23 & b24),
        b23 ^ (!b24 & b20),
        b24 ^ (!b20 & b21),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_another_implementation_at_every_padding() {
        let bytes: Vec<u8> = (0..=255).cycle().take(3 * RATE + 1).collect();
        for len in 0..bytes.len() {
            assert_eq!(
                keccak256(&bytes[..len]),
                alloy_primitives::keccak256(&bytes[..len]),
                "{len} bytes"
            );
        }
    }

    #[test]
    fn plain_and_bmi_rounds_agree() {
        let mut plain: [u64; 25] =
            std::array::from_fn(|i| (i as u64).wrapping_mul(0x9e3779b97f4a7c15));
        let mut chosen = plain;
        rounds(&mut plain);
        permute(&mut chosen);
        assert_eq!(plain, chosen);
    }
}
