//! The EVM's 256-bit word: its representation, conversions and arithmetic (Yellow Paper, appendix H.2).
//!
//! Division is in [`division`], sums and products modulo a word in [`modular`], shifts in [`shift`]; the opcodes are in
//! `ops`.

mod division;
mod modular;
mod shift;

use alloy_primitives::{Address, B256};
use std::fmt;
use std::hash::{Hash, Hasher};

/// An unsigned 256-bit integer, four 64-bit limbs, least significant first.
///
/// Arithmetic is modulo 2^256. Signed operations read the same bits as two's complement.
#[derive(Clone, Copy, Default, Eq)]
#[repr(transparent)]
pub struct Word(pub [u64; 4]);

impl PartialEq for Word {
    // Folding the limbs keeps the comparison in general registers. A vector comparison would load 16 bytes
    // that were just written in 8-byte pieces, which stalls store forwarding.
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        (a ^ e) | (b ^ f) | (c ^ g) | (d ^ h) == 0
    }
}

impl Hash for Word {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.into_iter().for_each(|limb| state.write_u64(limb));
    }
}

impl Word {
    /// 0.
    pub const ZERO: Word = Word([0; 4]);
    /// 1.
    pub const ONE: Word = Word([1, 0, 0, 0]);
    /// 2^256 - 1.
    pub const MAX: Word = Word([u64::MAX; 4]);

    /// The value as `u64`, if it fits.
    #[inline(always)]
    pub const fn to_u64(self) -> Option<u64> {
        let [low, a, b, c] = self.0;
        if a | b | c == 0 { Some(low) } else { None }
    }

    /// The value as `u64`, or `u64::MAX` if it does not fit.
    #[inline(always)]
    pub const fn saturating_u64(self) -> u64 {
        let [low, a, b, c] = self.0;
        if a | b | c == 0 { low } else { u64::MAX }
    }

    /// Whether the value is 0.
    #[inline(always)]
    pub const fn is_zero(self) -> bool {
        let [a, b, c, d] = self.0;
        a | b | c | d == 0
    }

    /// Whether the value is negative as two's complement.
    #[inline(always)]
    pub const fn is_negative(self) -> bool {
        (self.0[3] as i64) < 0
    }

    /// Number of significant bits, 0 to 256.
    #[inline]
    pub const fn bit_len(self) -> u32 {
        256 - self.leading_zeros()
    }

    /// Number of zero bits above the highest set bit, 0 to 256.
    #[inline]
    pub const fn leading_zeros(self) -> u32 {
        let [a, b, c, d] = self.0;
        match (d, c, b) {
            (0, 0, 0) => 192 + a.leading_zeros(),
            (0, 0, b) => 128 + b.leading_zeros(),
            (0, c, _) => 64 + c.leading_zeros(),
            (d, _, _) => d.leading_zeros(),
        }
    }

    /// From 32 big-endian bytes.
    #[inline(always)]
    pub const fn from_be_bytes(bytes: [u8; 32]) -> Word {
        let (chunks, _) = bytes.as_chunks::<8>();
        Word([
            u64::from_be_bytes(chunks[3]),
            u64::from_be_bytes(chunks[2]),
            u64::from_be_bytes(chunks[1]),
            u64::from_be_bytes(chunks[0]),
        ])
    }

    /// As 32 big-endian bytes.
    #[inline(always)]
    pub const fn to_be_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let (chunks, _) = bytes.as_chunks_mut::<8>();
        chunks[0] = self.0[3].to_be_bytes();
        chunks[1] = self.0[2].to_be_bytes();
        chunks[2] = self.0[1].to_be_bytes();
        chunks[3] = self.0[0].to_be_bytes();
        bytes
    }

    /// From at most 32 big-endian bytes, padded with zeros on the left.
    ///
    /// Bytes after the 32nd are ignored.
    pub fn from_be_slice(bytes: &[u8]) -> Word {
        let mut padded = [0; 32];
        let len = bytes.len().min(32);
        padded[32 - len..].copy_from_slice(&bytes[..len]);
        Word::from_be_bytes(padded)
    }

    /// The low 20 bytes as an address (Yellow Paper, 9.4.4: operands that name accounts).
    #[inline]
    pub fn to_address(self) -> Address {
        let [low, middle, high, _] = self.0;
        let mut address = [0; 20];
        let (first, rest) = address.split_at_mut(4);
        let (second, third) = rest.split_at_mut(8);
        first.copy_from_slice(&(high as u32).to_be_bytes());
        second.copy_from_slice(&middle.to_be_bytes());
        third.copy_from_slice(&low.to_be_bytes());
        Address::new(address)
    }

    /// Sum and carry.
    #[inline(always)]
    pub fn overflowing_add(self, other: Word) -> (Word, bool) {
        self.carrying_add(other, false)
    }

    /// Sum, with `carry` added to it, and carry.
    #[inline(always)]
    fn carrying_add(self, other: Word, carry: bool) -> (Word, bool) {
        let (a, b) = (self.0, other.0);
        let (r0, c) = a[0].carrying_add(b[0], carry);
        let (r1, c) = a[1].carrying_add(b[1], c);
        let (r2, c) = a[2].carrying_add(b[2], c);
        let (r3, c) = a[3].carrying_add(b[3], c);
        (Word([r0, r1, r2, r3]), c)
    }

    /// Difference and borrow. The borrow is set exactly if `self < other`.
    #[inline(always)]
    pub fn overflowing_sub(self, other: Word) -> (Word, bool) {
        let (a, b) = (self.0, other.0);
        let (r0, c) = a[0].borrowing_sub(b[0], false);
        let (r1, c) = a[1].borrowing_sub(b[1], c);
        let (r2, c) = a[2].borrowing_sub(b[2], c);
        let (r3, c) = a[3].borrowing_sub(b[3], c);
        (Word([r0, r1, r2, r3]), c)
    }

    /// `self + other`.
    #[inline(always)]
    pub fn wrapping_add(self, other: Word) -> Word {
        self.overflowing_add(other).0
    }

    /// `self - other`.
    #[inline(always)]
    pub fn wrapping_sub(self, other: Word) -> Word {
        self.overflowing_sub(other).0
    }

    /// `-self`.
    #[inline(always)]
    pub fn wrapping_neg(self) -> Word {
        Word::ZERO.wrapping_sub(self)
    }

    /// The absolute value of the two's complement reading.
    #[inline(always)]
    pub fn unsigned_abs(self) -> Word {
        self.negate_if(self.sign())
    }

    /// `self * other`: the ten partial products that reach the low 256 bits.
    #[inline(always)]
    pub fn wrapping_mul(self, other: Word) -> Word {
        let (a, b) = (self.0, other.0);
        let (r0, c) = a[0].carrying_mul(b[0], 0);
        let (r1, c) = a[0].carrying_mul(b[1], c);
        let (r2, c) = a[0].carrying_mul(b[2], c);
        let r3 = a[0].wrapping_mul(b[3]).wrapping_add(c);

        let (r1, c) = a[1].carrying_mul_add(b[0], r1, 0);
        let (r2, c) = a[1].carrying_mul_add(b[1], r2, c);
        let r3 = r3.wrapping_add(a[1].wrapping_mul(b[2])).wrapping_add(c);

        let (r2, c) = a[2].carrying_mul_add(b[0], r2, 0);
        let r3 = r3.wrapping_add(a[2].wrapping_mul(b[1])).wrapping_add(c);

        let r3 = r3.wrapping_add(a[3].wrapping_mul(b[0]));
        Word([r0, r1, r2, r3])
    }

    /// The full 512-bit product, least significant limb first.
    #[inline]
    pub fn widening_mul(self, other: Word) -> [u64; 8] {
        let mut product = [0; 8];
        let mut i = 0;
        while i < 4 {
            let mut carry = 0;
            let mut j = 0;
            while j < 4 {
                (product[i + j], carry) =
                    self.0[i].carrying_mul_add(other.0[j], product[i + j], carry);
                j += 1;
            }
            product[i + 4] = carry;
            i += 1;
        }
        product
    }

    /// Signed division rounding towards zero; 0 if the divisor is 0, and -2^255 / -1 = -2^255.
    #[inline]
    pub fn signed_div(self, divisor: Word) -> Word {
        let sign = self.sign() ^ divisor.sign();
        let quotient = self.unsigned_abs().unsigned_div(divisor.unsigned_abs());
        quotient.negate_if(sign)
    }

    /// [`Word::wrapping_mul`] if both operands fit a signed limb, which takes one product.
    #[inline(always)]
    pub(crate) fn narrow_mul(self, other: Word) -> Option<Word> {
        let [[a, x, y, z], [b, u, v, w]] = [self.0, other.0];
        let (sign, other_sign) = ((a as i64 >> 63) as u64, (b as i64 >> 63) as u64);
        let wide = (x ^ sign) | (y ^ sign) | (z ^ sign);
        if wide | (u ^ other_sign) | (v ^ other_sign) | (w ^ other_sign) != 0 {
            return None;
        }
        let product = i128::from(a as i64) * i128::from(b as i64);
        let sign = (product >> 127) as u64;
        Some(Word([product as u64, (product >> 64) as u64, sign, sign]))
    }

    /// [`Word::signed_div`] by 2^`power`, `power` 1 to 63, if a shift of 128 bits computes it.
    #[inline(always)]
    pub(crate) fn narrow_div_power(self, power: u32) -> Option<Word> {
        let [a, b, c, d] = self.0;
        (c | d == 0).then_some(Word([a >> power | b << (64 - power), b >> power, 0, 0]))
    }

    /// [`Word::signed_div`] by 2^`power`, `power` 1 to 63: adds a bias that rounds towards zero, and shifts.
    #[inline(always)]
    pub(crate) fn signed_div_power(self, power: u32) -> Word {
        let round = self.sign() >> (64 - power);
        let [a, b, c, d] = self.0;
        let (a, carry) = a.overflowing_add(round);
        let (b, carry) = b.overflowing_add(carry.into());
        let (c, carry) = c.overflowing_add(carry.into());
        let d = d.wrapping_add(carry.into());
        let joined = |low: u64, high: u64| low >> power | high << (64 - power);
        let top = (d as i64 >> power) as u64;
        Word([joined(a, b), joined(b, c), joined(c, d), top])
    }

    /// All bits equal to the sign bit.
    #[inline(always)]
    const fn sign(self) -> u64 {
        (self.0[3] as i64 >> 63) as u64
    }

    /// `other` if `condition`, else `self`. Without a branch.
    #[inline(always)]
    fn select(self, other: Word, condition: bool) -> Word {
        let mask = u64::from(condition).wrapping_neg();
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Word([
            a ^ (a ^ e) & mask,
            b ^ (b ^ f) & mask,
            c ^ (c ^ g) & mask,
            d ^ (d ^ h) & mask,
        ])
    }

    /// `-self` if `sign` is all ones, `self` if it is 0. Without a branch, because signs are hard to predict.
    #[inline(always)]
    fn negate_if(self, sign: u64) -> Word {
        let [a, b, c, d] = self.0;
        let (a, borrow) = (a ^ sign).borrowing_sub(sign, false);
        let (b, borrow) = (b ^ sign).borrowing_sub(sign, borrow);
        let (c, borrow) = (c ^ sign).borrowing_sub(sign, borrow);
        let (d, _) = (d ^ sign).borrowing_sub(sign, borrow);
        Word([a, b, c, d])
    }

    /// Signed remainder with the sign of `self`; 0 if the divisor is 0.
    #[inline]
    pub fn signed_rem(self, divisor: Word) -> Word {
        let remainder = self.unsigned_abs().unsigned_rem(divisor.unsigned_abs());
        if self.is_negative() {
            remainder.wrapping_neg()
        } else {
            remainder
        }
    }

    /// `self ^ exponent`.
    pub fn wrapping_pow(self, exponent: Word) -> Word {
        match self.to_u64() {
            // 2 and 256, which stand for shifts in contracts older than SHL.
            Some(base) if base.is_power_of_two() => {
                let power = u64::from(base.trailing_zeros());
                let count = exponent.saturating_u64().saturating_mul(power);
                Word::ONE.shl(count.into())
            }
            Some(base) => exponent.power(|word| word.wrapping_mul_limb(base)),
            None => exponent.power(|word| word.wrapping_mul(self)),
        }
    }

    /// The power of a base with this exponent, given how to multiply by the base. Squares are ordinary products: a
    /// square takes fewer, but its low limb, which the next one waits for, is ready later.
    #[inline(always)]
    fn power(self, by_base: impl Fn(Word) -> Word) -> Word {
        let mut result = Word::ONE;
        for bit in (0..self.bit_len()).rev() {
            result = result.wrapping_mul(result);
            if self.bit(bit) {
                result = by_base(result);
            }
        }
        result
    }

    /// `self * limb`.
    #[inline(always)]
    fn wrapping_mul_limb(self, limb: u64) -> Word {
        let [a, b, c, d] = self.0;
        let (r0, carry) = a.carrying_mul(limb, 0);
        let (r1, carry) = b.carrying_mul(limb, carry);
        let (r2, carry) = c.carrying_mul(limb, carry);
        Word([r0, r1, r2, d.wrapping_mul(limb).wrapping_add(carry)])
    }

    /// Bit `index`, 0 the least significant; `index` is below 256.
    #[inline]
    const fn bit(self, index: u32) -> bool {
        self.0[(index / 64) as usize] >> (index % 64) & 1 == 1
    }

    /// `self < other`, unsigned.
    #[inline(always)]
    pub fn lt(self, other: Word) -> bool {
        self.overflowing_sub(other).1
    }

    /// `self < other`, signed.
    #[inline(always)]
    pub fn signed_lt(self, other: Word) -> bool {
        let (a, b) = (self.0, other.0);
        let (_, c) = a[0].borrowing_sub(b[0], false);
        let (_, c) = a[1].borrowing_sub(b[1], c);
        let (_, c) = a[2].borrowing_sub(b[2], c);
        // Flipping the sign bits turns the signed order of the top limb into the unsigned one.
        let sign = 1 << 63;
        (a[3] ^ sign).borrowing_sub(b[3] ^ sign, c).1
    }
}

impl From<u64> for Word {
    #[inline(always)]
    fn from(value: u64) -> Word {
        Word([value, 0, 0, 0])
    }
}

impl From<bool> for Word {
    #[inline(always)]
    fn from(value: bool) -> Word {
        Word([value as u64, 0, 0, 0])
    }
}

impl From<usize> for Word {
    #[inline(always)]
    fn from(value: usize) -> Word {
        Word([value as u64, 0, 0, 0])
    }
}

impl From<u128> for Word {
    fn from(value: u128) -> Word {
        Word([value as u64, (value >> 64) as u64, 0, 0])
    }
}

impl From<Address> for Word {
    #[inline]
    fn from(address: Address) -> Word {
        // Without a buffer of 32 bytes, whose 8-byte loads would stall on the shorter stores.
        let (chunks, _) = address.0.as_chunks::<4>();
        let limb = |at: usize| u64::from(u32::from_be_bytes(chunks[at]));
        Word([limb(3) << 32 | limb(4), limb(1) << 32 | limb(2), limb(0), 0])
    }
}

impl From<B256> for Word {
    #[inline]
    fn from(bytes: B256) -> Word {
        Word::from_be_bytes(bytes.0)
    }
}

impl From<Word> for B256 {
    #[inline]
    fn from(word: Word) -> B256 {
        B256::new(word.to_be_bytes())
    }
}

impl PartialOrd for Word {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Word {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }
}

impl fmt::LowerHex for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits: String = self
            .0
            .iter()
            .rev()
            .map(|limb| format!("{limb:016x}"))
            .collect();
        let short = digits.trim_start_matches('0');
        f.pad_integral(true, "0x", if short.is_empty() { "0" } else { short })
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#x}")
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#x}")
    }
}

/// A text that is not a word.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a 256-bit number: write decimal digits below 2^64, or 0x and at most 64 hex digits"
)]
pub struct ParseWordError(String);

impl std::str::FromStr for Word {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Word, ParseWordError> {
        let refuse = || ParseWordError(text.to_owned());
        let Some(digits) = text.strip_prefix("0x") else {
            return text.parse::<u64>().map(Word::from).map_err(|_| refuse());
        };
        if digits.is_empty() || digits.len() > 64 {
            return Err(refuse());
        }
        let mut word = Word::ZERO;
        for digit in digits.chars() {
            let value = digit.to_digit(16).ok_or_else(refuse)?;
            word = word.shl(Word::from(4u64));
            word.0[0] |= u64::from(value);
        }
        Ok(word)
    }
}

#[cfg(test)]
mod tests;
