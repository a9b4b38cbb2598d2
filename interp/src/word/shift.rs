//! Shifts of words, and what is made of shifts: single bytes and the extension of a sign. Without branches on the count,
//! and without arrays indexed by it, which would pass through memory.

use super::Word;
use super::division::{funnel_left, funnel_right};

impl Word {
    /// `self << count`; 0 from 256 on.
    #[inline]
    pub const fn shl(self, count: Word) -> Word {
        match count.to_u64() {
            Some(n) if n < 256 => self.shift_left(n as u32),
            _ => Word::ZERO,
        }
    }

    /// `self >> count`, filled with zeros; 0 from 256 on.
    #[inline]
    pub const fn shr(self, count: Word) -> Word {
        match count.to_u64() {
            Some(n) if n < 256 => self.shift_right(n as u32),
            _ => Word::ZERO,
        }
    }

    /// `self >> count`, filled with the sign.
    #[inline]
    pub const fn sar(self, count: Word) -> Word {
        match count.to_u64() {
            Some(n) if n < 256 => self.filled_shift_right(n as u32, self.sign()),
            _ => Word([self.sign(); 4]),
        }
    }

    /// `self << count`, for a count below 256.
    #[inline(always)]
    pub(super) const fn shift_left(self, count: u32) -> Word {
        let [a, b, c, d] = self.0;
        let [a, b, c, d] = if count & 64 == 0 {
            [a, b, c, d]
        } else {
            [0, a, b, c]
        };
        let [a, b, c, d] = if count & 128 == 0 {
            [a, b, c, d]
        } else {
            [0, 0, a, b]
        };
        Word([
            a << (count % 64),
            funnel_left(b, a, count),
            funnel_left(c, b, count),
            funnel_left(d, c, count),
        ])
    }

    /// `self >> count`, for a count below 256.
    #[inline(always)]
    pub(super) const fn shift_right(self, count: u32) -> Word {
        self.filled_shift_right(count, 0)
    }

    #[inline(always)]
    const fn filled_shift_right(self, count: u32, fill: u64) -> Word {
        let [a, b, c, d] = self.0;
        let [a, b, c, d] = if count & 64 == 0 {
            [a, b, c, d]
        } else {
            [b, c, d, fill]
        };
        let [a, b, c, d] = if count & 128 == 0 {
            [a, b, c, d]
        } else {
            [c, d, fill, fill]
        };
        Word([
            funnel_right(b, a, count),
            funnel_right(c, b, count),
            funnel_right(d, c, count),
            funnel_right(fill, d, count),
        ])
    }

    /// Byte `index` counted from the most significant; 0 from 32 on.
    #[inline]
    pub const fn byte(self, index: Word) -> Word {
        match index.to_u64() {
            Some(i) if i < 32 => {
                let limb = self.limb(3 - i / 8);
                Word([limb >> (56 - 8 * (i % 8)) & 0xff, 0, 0, 0])
            }
            _ => Word::ZERO,
        }
    }

    /// Extends the sign of the number in the low `index + 1` bytes; unchanged from 31 on.
    #[inline]
    pub const fn sign_extend(self, index: Word) -> Word {
        match index.to_u64() {
            Some(i) if i < 31 => {
                let (top, unused) = (i / 8, 56 - 8 * (i % 8));
                let extended = ((self.limb(top) << unused) as i64 >> unused) as u64;
                let sign = (extended as i64 >> 63) as u64;
                let [a, b, c, _] = self.0;
                Word([
                    if top == 0 { extended } else { a },
                    if top == 0 {
                        sign
                    } else if top == 1 {
                        extended
                    } else {
                        b
                    },
                    if top <= 1 {
                        sign
                    } else if top == 2 {
                        extended
                    } else {
                        c
                    },
                    if top <= 2 { sign } else { extended },
                ])
            }
            _ => self,
        }
    }

    /// Limb `index`, which is below 4.
    #[inline(always)]
    const fn limb(self, index: u64) -> u64 {
        let [a, b, c, d] = self.0;
        let [low, high] = if index & 1 == 0 { [a, c] } else { [b, d] };
        if index & 2 == 0 { low } else { high }
    }
}
