//! Division of words: fast paths for the operand sizes that are common in contracts, and long division by a
//! reciprocal for the rest. `modular` uses the same long division for numerators of up to 512 bits.
//!
//! Long division is Knuth's algorithm D (The Art of Computer Programming, vol. 2, 4.3.1) with the quotient digits of
//! Möller and Granlund, "Improved division by invariant integers" (2011): one division instruction gives the reciprocal
//! of the divisor's two top limbs, after which each digit takes a few products.
//!
//! Unsafe: one `div` instruction on x86-64, which has no stable intrinsic.

#![allow(unsafe_code)]

use super::Word;

impl Word {
    /// `self / divisor`; 0 if the divisor is 0.
    #[inline]
    pub fn unsigned_div(self, divisor: Word) -> Word {
        div_rem(self, divisor).0
    }

    /// `self mod divisor`; 0 if the divisor is 0.
    #[inline]
    pub fn unsigned_rem(self, divisor: Word) -> Word {
        div_rem(self, divisor).1
    }

    /// [`Word::unsigned_div`] and [`Word::unsigned_rem`] if they take few instructions and no call. Also
    /// correct for the signed opcodes, because negative numbers never fit this case.
    #[inline(always)]
    pub(crate) fn narrow_div(self, divisor: Word) -> Option<Word> {
        Some(narrow_div_rem(self, divisor)?.0)
    }

    #[inline(always)]
    pub(crate) fn narrow_rem(self, divisor: Word) -> Option<Word> {
        Some(narrow_div_rem(self, divisor)?.1)
    }
}

/// Quotient and remainder; both 0 if the divisor is 0 (Yellow Paper, appendix H.2: DIV, MOD).
#[inline(always)]
fn div_rem(numerator: Word, divisor: Word) -> (Word, Word) {
    match narrow_div_rem(numerator, divisor) {
        Some(both) => both,
        None => wide_div_rem(&numerator, &divisor),
    }
}

/// Quotient and remainder if they take few instructions and no call: 128 by 64 bits. In an integer path
/// tracer, 97 % of the signed divisions are that small.
#[inline(always)]
fn narrow_div_rem(numerator: Word, divisor: Word) -> Option<(Word, Word)> {
    let ([n0, n1, n2, n3], [d0, d1, d2, d3]) = (numerator.0, divisor.0);
    if d1 | d2 | d3 | n2 | n3 != 0 || d0 == 0 {
        return None;
    }
    let (q1, r1) = if n1 < d0 { (0, n1) } else { (n1 / d0, n1 % d0) };
    let (q0, r0) = div_128_by_64(r1, n0, d0);
    Some((Word([q0, q1, 0, 0]), Word::from(r0)))
}

/// Like [`div_rem`], for all sizes. By reference, because a word passed by value is copied in 16-byte pieces, which wait
/// for the 8-byte stores before them.
#[inline(never)]
fn wide_div_rem(&numerator: &Word, &divisor: &Word) -> (Word, Word) {
    let [d0, d1, d2, d3] = divisor.0;
    if d1 | d2 | d3 == 0 {
        let (quotient, rest) = div_rem_limb(numerator, d0);
        return (quotient, Word::from(rest));
    }
    if numerator.lt(divisor) {
        return (Word::ZERO, numerator);
    }
    if d3 != 0 {
        Divisor::new([d0, d1, d2, d3]).div_rem(numerator)
    } else if d2 != 0 {
        Divisor::new([d0, d1, d2]).div_rem(numerator)
    } else {
        Divisor::new([d0, d1]).div_rem(numerator)
    }
}

/// Quotient and remainder of a divisor of one limb; both 0 if it is 0.
#[inline(always)]
pub(super) fn div_rem_limb(numerator: Word, divisor: u64) -> (Word, u64) {
    if divisor == 0 {
        return (Word::ZERO, 0);
    }
    // Leading zeros need no division instruction.
    let digit = |rest: u64, limb| {
        if rest == 0 && limb < divisor {
            (0, limb)
        } else {
            div_128_by_64(rest, limb, divisor)
        }
    };
    let [a, b, c, d] = numerator.0;
    let (q3, rest) = digit(0, d);
    let (q2, rest) = digit(rest, c);
    let (q1, rest) = digit(rest, b);
    let (q0, rest) = digit(rest, a);
    (Word([q0, q1, q2, q3]), rest)
}

/// A divisor of `N` limbs, 2 to 4, prepared for long division.
pub(super) struct Divisor<const N: usize> {
    /// The divisor, shifted left until its top bit is set.
    limbs: [u64; N],
    pub shift: u32,
    /// floor((2^192 - 1) / d) - 2^64, where d are the two top limbs.
    reciprocal: u64,
}

impl<const N: usize> Divisor<N> {
    /// From limbs of which the top one is not 0.
    #[inline(always)]
    pub fn new(limbs: [u64; N]) -> Divisor<N> {
        const { assert!(2 <= N && N <= 4) };
        let shift = limbs[N - 1].leading_zeros();
        let limbs = shift_left(limbs, shift);
        Divisor {
            limbs,
            shift,
            reciprocal: reciprocal(limbs[N - 1], limbs[N - 2]),
        }
    }

    /// Quotient and remainder of a word that is not below the divisor.
    #[inline(always)]
    pub fn div_rem(&self, numerator: Word) -> (Word, Word) {
        let above = funnel_left(0, numerator.0[3], self.shift);
        let limbs = shift_left(numerator.0, self.shift);
        let mut rest = [0; N];
        // The `N` limbs at the top, below the divisor: its top bit is set, that of `above` is not.
        rest[N - 1] = above;
        for i in 0..N - 1 {
            rest[i] = limbs[5 - N + i];
        }
        let mut quotient = [0; 4];
        for i in (0..5 - N).rev() {
            // Leading zeros of the quotient. A quotient of one digit has none, because the divisor is not greater.
            if N < 4 && rest[N - 1] == 0 && rest[N - 2] < self.limbs[N - 1] {
                rest = shift_in(rest, limbs[i]);
            } else {
                (quotient[i], rest) = self.next_digit(rest, limbs[i]);
            }
        }
        (Word(quotient), self.unshift(rest))
    }

    /// The next digit of the quotient and what is left, from what was left before, which is below the divisor, and the
    /// numerator's next limb. All but the quotient are shifted like the divisor.
    #[inline(always)]
    pub fn next_digit(&self, rest: [u64; N], limb: u64) -> (u64, [u64; N]) {
        // The `N + 1` limbs to divide, in registers: an array indexed by the place of the digit would be in memory.
        let mut low = shift_in(rest, limb);
        let (top, next) = (self.limbs[N - 1], self.limbs[N - 2]);
        let high = [rest[N - 1], rest[N - 2], low[N - 2]];
        // Only a divisor of more than two limbs can have the same two top limbs as what is left. The digit is then the
        // greatest one, and exact.
        if N > 2 && high[0] == top && high[1] == next {
            return (u64::MAX, subtract_multiple(low, self.limbs, u64::MAX));
        }
        let (digit, mut r1, mut r0) = div_3_by_2(high, [top, next], self.reciprocal);
        let (mut carry, mut borrow) = (0, false);
        for (low, limb) in low.iter_mut().zip(self.limbs).take(N - 2) {
            let product;
            (product, carry) = digit.carrying_mul(limb, carry);
            (*low, borrow) = low.borrowing_sub(product, borrow);
        }
        if N > 2 {
            (r0, borrow) = r0.borrowing_sub(carry, borrow);
            (r1, borrow) = r1.borrowing_sub(0, borrow);
        }
        (low[N - 2], low[N - 1]) = (r0, r1);
        if borrow {
            return (digit - 1, add_back(low, self.limbs));
        }
        (digit, low)
    }

    /// The number of which `rest` is the shifted form.
    #[inline(always)]
    pub fn unshift(&self, rest: [u64; N]) -> Word {
        let mut limbs = [0; 4];
        for i in 0..N {
            let above = if i + 1 < N { rest[i + 1] } else { 0 };
            limbs[i] = funnel_right(above, rest[i], self.shift);
        }
        Word(limbs)
    }
}

/// The low limbs of `rest` with `limb` below them.
#[inline(always)]
fn shift_in<const N: usize>(rest: [u64; N], limb: u64) -> [u64; N] {
    let mut low = [limb; N];
    low[1..].copy_from_slice(&rest[..N - 1]);
    low
}

/// `rest - digit * divisor`.
#[cold]
#[inline(never)]
fn subtract_multiple<const N: usize>(
    mut rest: [u64; N],
    divisor: [u64; N],
    digit: u64,
) -> [u64; N] {
    let (mut carry, mut borrow) = (0, false);
    for (rest, limb) in rest.iter_mut().zip(divisor) {
        let low;
        (low, carry) = digit.carrying_mul(limb, carry);
        (*rest, borrow) = rest.borrowing_sub(low, borrow);
    }
    rest
}

/// `rest + divisor`: the digit was one too large (step D6).
#[cold]
#[inline(never)]
fn add_back<const N: usize>(mut rest: [u64; N], divisor: [u64; N]) -> [u64; N] {
    let mut carry = false;
    for (rest, limb) in rest.iter_mut().zip(divisor) {
        (*rest, carry) = rest.carrying_add(limb, carry);
    }
    rest
}

/// floor((2^192 - 1) / (2^64 `top` + `next`)) - 2^64, where the top bit of `top` is set (Möller and Granlund, algorithm
/// 6).
#[inline(always)]
fn reciprocal(top: u64, next: u64) -> u64 {
    let (mut v, _) = div_128_by_64(!top, u64::MAX, top);
    let (mut p, carry) = top.wrapping_mul(v).overflowing_add(next);
    if carry {
        v -= 1;
        if p >= top {
            v -= 1;
            p -= top;
        }
        p = p.wrapping_sub(top);
    }
    let (low, high) = v.carrying_mul(next, 0);
    let (p, carry) = p.overflowing_add(high);
    if carry {
        v -= 1;
        if join(p, low) >= join(top, next) {
            v -= 1;
        }
    }
    v
}

/// Quotient and both limbs of the remainder of three limbs by two, given the divisor's reciprocal. All limbs are most
/// significant first; the upper two of `u` are below the divisor (Möller and Granlund, algorithm 4).
#[inline(always)]
fn div_3_by_2([u2, u1, u0]: [u64; 3], [d1, d0]: [u64; 2], v: u64) -> (u64, u64, u64) {
    let divisor = join(d1, d0);
    let q = u128::from(v) * u128::from(u2);
    let q = q.wrapping_add(join(u2, u1));
    let (q1, q0) = ((q >> 64) as u64, q as u64);
    let r1 = u1.wrapping_sub(q1.wrapping_mul(d1));
    let t = u128::from(d0) * u128::from(q1);
    let r = join(r1, u0).wrapping_sub(t).wrapping_sub(divisor);
    // Half of the time, so without a branch.
    let above = ((r >> 64) as u64 >= q0) as u64;
    let mask = above.wrapping_neg();
    let mut r = r.wrapping_add(join(d1 & mask, d0 & mask));
    let mut digit = q1.wrapping_add(1).wrapping_sub(above);
    if r >= divisor {
        digit = digit.wrapping_add(1);
        r = r.wrapping_sub(divisor);
    }
    (digit, (r >> 64) as u64, r as u64)
}

/// Shifts all limbs left by `shift`, which is below 64.
#[inline(always)]
fn shift_left<const M: usize>(mut limbs: [u64; M], shift: u32) -> [u64; M] {
    for i in (1..M).rev() {
        limbs[i] = funnel_left(limbs[i], limbs[i - 1], shift);
    }
    limbs[0] <<= shift % 64;
    limbs
}

#[inline(always)]
const fn join(high: u64, low: u64) -> u128 {
    (high as u128) << 64 | low as u128
}

/// The high limb of two limbs shifted left by `shift`, which is below 64.
#[inline(always)]
pub(super) const fn funnel_left(high: u64, low: u64, shift: u32) -> u64 {
    (join(high, low) << (shift % 64) >> 64) as u64
}

/// The low limb of two limbs shifted right by `shift`, which is below 64.
#[inline(always)]
pub(super) const fn funnel_right(high: u64, low: u64, shift: u32) -> u64 {
    (join(high, low) >> (shift % 64)) as u64
}

/// `(high, low) / divisor` as (quotient, remainder). `high` must be below `divisor`, which makes
/// the quotient fit 64 bits.
#[inline(always)]
fn div_128_by_64(high: u64, low: u64, divisor: u64) -> (u64, u64) {
    debug_assert!(high < divisor);
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        // DIV traps if the quotient does not fit. Callers guarantee that it does, but the check keeps the
        // function sound for any argument, at a negligible cost next to a division.
        if high >= divisor {
            return (u64::MAX, 0);
        }
        let (quotient, remainder);
        // SAFETY: `high < divisor` was checked, so DIV cannot trap; it touches only its operands.
        unsafe {
            std::arch::asm!("div {d}", d = in(reg) divisor,
                inlateout("rax") low => quotient, inlateout("rdx") high => remainder,
                options(pure, nomem, nostack));
        }
        (quotient, remainder)
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    {
        let numerator = join(high, low);
        let divisor = u128::from(divisor);
        ((numerator / divisor) as u64, (numerator % divisor) as u64)
    }
}
