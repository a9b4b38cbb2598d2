//! Sums and products modulo a word: short cuts for operands that are already reduced, for narrow moduli and for
//! 2^256 - 1, and the reciprocals of moduli that repeat. The long division is in `division`.

use super::Word;
use super::division::{Divisor, div_rem_limb};
use std::cell::Cell;

impl Word {
    /// `(self + other) mod modulus` without overflow; 0 if the modulus is 0.
    #[inline(always)]
    pub fn add_mod(self, other: Word, modulus: Word) -> Word {
        // Nearly all sums are of reduced operands: a comparison each, a sum and a subtraction.
        if self.lt(modulus) && other.lt(modulus) {
            return add_reduced(self, other, modulus);
        }
        add_mod_wide(&[self, other, modulus])
    }

    /// `(self * other) mod modulus` without overflow; 0 if the modulus is 0.
    #[inline(always)]
    pub fn mul_mod(self, other: Word, modulus: Word) -> Word {
        let [d0, d1, d2, d3] = modulus.0;
        if d2 | d3 == 0 {
            return if d1 == 0 {
                mul_mod_limb(&[self, other], d0)
            } else {
                mul_mod_two_limbs(&[self, other, modulus])
            };
        }
        if modulus == Word::MAX {
            return fold(self.widening_mul(other));
        }
        if let Some(reciprocal) = reciprocal(modulus) {
            if self.lt(modulus) {
                return reciprocal.mul_mod(self, other);
            }
            if other.lt(modulus) {
                return reciprocal.mul_mod(other, self);
            }
        }
        mul_mod_wide(&[self, other, modulus])
    }
}

/// The sum of two operands below the modulus.
#[inline(always)]
fn add_reduced(a: Word, b: Word, modulus: Word) -> Word {
    let (sum, carry) = a.overflowing_add(b);
    let (less, borrow) = sum.overflowing_sub(modulus);
    sum.select(less, carry | !borrow)
}

/// The sum for any operands. Those below twice the modulus, which are common where its top bit is set, need no division.
#[inline(never)]
fn add_mod_wide(&[a, b, modulus]: &[Word; 3]) -> Word {
    let (a1, b1) = (subtract_once(a, modulus), subtract_once(b, modulus));
    if a1.lt(modulus) && b1.lt(modulus) {
        return add_reduced(a1, b1, modulus);
    }
    match a.overflowing_add(b) {
        (sum, false) => sum.unsigned_rem(modulus),
        _ => add_reduced(a.unsigned_rem(modulus), b.unsigned_rem(modulus), modulus),
    }
}

/// `word - modulus`, or `word` if that is negative.
#[inline(always)]
fn subtract_once(word: Word, modulus: Word) -> Word {
    let (less, borrow) = word.overflowing_sub(modulus);
    less.select(word, borrow)
}

/// The product modulo one limb: both operands are reduced first, at no cost if they are already.
#[inline(never)]
fn mul_mod_limb(&[a, b]: &[Word; 2], modulus: u64) -> Word {
    let ((_, a), (_, b)) = (div_rem_limb(a, modulus), div_rem_limb(b, modulus));
    let product = u128::from(a) * u128::from(b);
    div_rem_limb(Word::from(product), modulus).1.into()
}

/// The product modulo two to four limbs by long division.
#[inline(always)]
fn mul_mod_long<const N: usize>(&[a, b, modulus]: &[Word; 3]) -> Word {
    let mut limbs = [0; N];
    limbs.copy_from_slice(&modulus.0[..N]);
    let divisor = Divisor::new(limbs);
    let a = if a.lt(modulus) {
        a
    } else {
        divisor.div_rem(a).1
    };
    let b = if b.0[N..].iter().all(|limb| *limb == 0) {
        b
    } else {
        divisor.div_rem(b).1
    };
    // Shifting the operand that is below the modulus shifts the product.
    let product = a.shift_left(divisor.shift).widening_mul(b);
    // One factor is below the divisor and the other has `N` limbs, so `N` digits follow.
    let mut rest = [0; N];
    rest.copy_from_slice(&product[N..2 * N]);
    for limb in product[..N].iter().rev() {
        (_, rest) = divisor.next_digit(rest, *limb);
    }
    divisor.unshift(rest)
}

/// [`mul_mod_long`] for two limbs; outlined like the others.
#[inline(never)]
fn mul_mod_two_limbs(operands: &[Word; 3]) -> Word {
    mul_mod_long::<2>(operands)
}

/// [`mul_mod_long`] for three or four limbs.
#[inline(never)]
fn mul_mod_wide(operands: &[Word; 3]) -> Word {
    if operands[2].0[3] == 0 {
        mul_mod_long::<3>(operands)
    } else {
        mul_mod_long::<4>(operands)
    }
}

/// A number of 512 bits modulo 2^256 - 1, which is the modulus of full products (`mulmod(a, b, not(0))`): the sum of
/// both halves, with the carry added at the bottom.
#[inline(always)]
fn fold([a, b, c, d, e, f, g, h]: [u64; 8]) -> Word {
    let (sum, carry) = Word([a, b, c, d]).overflowing_add(Word([e, f, g, h]));
    let sum = sum.wrapping_add(Word::from(carry));
    sum.select(Word::ZERO, sum == Word::MAX)
}

/// A modulus of three or four limbs, prepared for division by its reciprocal.
#[derive(Clone, Copy)]
struct Reciprocal {
    /// The modulus, shifted left until its top bit is set.
    normal: Word,
    shift: u32,
    /// floor((2^512 - 1) / `normal`) - 2^256.
    reciprocal: Word,
}

impl Reciprocal {
    #[cold]
    #[inline(never)]
    fn new(modulus: Word) -> Reciprocal {
        let shift = modulus.leading_zeros();
        let normal = modulus.shift_left(shift);
        let divisor = Divisor::new(normal.0);
        // 2^512 - 1 without the 2^256, which makes the quotient one word.
        let (mut reciprocal, mut rest) = ([0; 4], normal.0.map(|limb| !limb));
        for digit in reciprocal.iter_mut().rev() {
            (*digit, rest) = divisor.next_digit(rest, u64::MAX);
        }
        Reciprocal {
            normal,
            shift,
            reciprocal: Word(reciprocal),
        }
    }

    /// The product of `a`, which is below the modulus, and `b`: division by a reciprocal (Möller and Granlund, algorithm
    /// 4) with digits of 256 bits.
    #[inline(always)]
    fn mul_mod(&self, a: Word, b: Word) -> Word {
        // Below `normal` times 2^256, so that the quotient is one digit.
        let [l0, l1, l2, l3, h0, h1, h2, h3] = a.shift_left(self.shift).widening_mul(b);
        let (low, high) = (Word([l0, l1, l2, l3]), Word([h0, h1, h2, h3]));
        let [q0, q1, q2, q3, q4, q5, q6, q7] = self.reciprocal.widening_mul(high);
        let (q_low, carry) = Word([q0, q1, q2, q3]).overflowing_add(low);
        let (q_high, _) = Word([q4, q5, q6, q7]).carrying_add(high, carry);
        let product = q_high.wrapping_mul(self.normal);
        let rest = low.wrapping_sub(product).wrapping_sub(self.normal);
        // Half of the time, so without a branch.
        let mut rest = rest.select(rest.wrapping_add(self.normal), q_low.lt(rest));
        if !rest.lt(self.normal) {
            rest = rest.wrapping_sub(self.normal);
        }
        rest.shift_right(self.shift)
    }
}

/// A modulus and, once it was used twice in a row, its reciprocal.
#[derive(Clone, Copy)]
struct Used {
    modulus: Word,
    reciprocal: Option<Reciprocal>,
}

/// The moduli used last, by a hash of their low limb. Curve arithmetic alternates between few: its field and its order.
type Moduli = [Cell<Used>; 1 << MODULI_BITS];

const MODULI_BITS: u32 = 2;

thread_local! {
    /// Not observable: what it holds is computed from the modulus alone.
    static MODULI: Moduli = const {
        [const { Cell::new(Used { modulus: Word::ZERO, reciprocal: None }) }; 1 << MODULI_BITS]
    };
}

/// The reciprocal of a modulus of three or four limbs, if it was used before.
#[inline(always)]
fn reciprocal(modulus: Word) -> Option<Reciprocal> {
    // The top bits of a product, because the low bits of moduli are alike: most are odd.
    let hash = modulus.0[0].wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - MODULI_BITS);
    let used = MODULI.with(|all| all[hash as usize].get());
    if used.modulus == modulus && used.reciprocal.is_some() {
        return used.reciprocal;
    }
    remember(modulus, hash as usize, used.modulus == modulus)
}

/// Notes the use of a modulus; prepares its reciprocal if it is the second one in a row.
#[cold]
#[inline(never)]
fn remember(modulus: Word, hash: usize, again: bool) -> Option<Reciprocal> {
    let reciprocal = again.then(|| Reciprocal::new(modulus));
    MODULI.with(|all| {
        all[hash].set(Used {
            modulus,
            reciprocal,
        })
    });
    reciprocal
}
