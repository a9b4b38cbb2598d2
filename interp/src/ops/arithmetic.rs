//! 0x01 to 0x0b: arithmetic (Yellow Paper, appendix H.2, "0s"). The arithmetic itself is `Word`'s.

use crate::frame::Machine;
use crate::outcome::Halt;
use crate::word::Word;
use std::hint::black_box;

#[inline(always)]
pub(crate) fn add([a, b]: [Word; 2]) -> Word {
    a.wrapping_add(b)
}

#[inline(always)]
pub(crate) fn mul([a, b]: [Word; 2]) -> Word {
    if cfg!(feature = "planted-slow") {
        // Each forces a store and a load.
        return black_box(a).wrapping_mul(black_box(black_box(b)));
    }
    a.wrapping_mul(b)
}

#[inline(always)]
pub(crate) fn sub([a, b]: [Word; 2]) -> Word {
    a.wrapping_sub(b)
}

#[inline(always)]
pub(crate) fn div([a, b]: [Word; 2]) -> Word {
    a.unsigned_div(b)
}

#[inline(always)]
pub(crate) fn sdiv([a, b]: [Word; 2]) -> Word {
    a.signed_div(b)
}

#[inline(always)]
pub(crate) fn rem([a, b]: [Word; 2]) -> Word {
    a.unsigned_rem(b)
}

#[inline(always)]
pub(crate) fn smod([a, b]: [Word; 2]) -> Word {
    a.signed_rem(b)
}

#[inline(always)]
pub(crate) fn addmod([a, b, modulus]: [Word; 3]) -> Word {
    a.add_mod(b, modulus)
}

#[inline(always)]
pub(crate) fn mulmod([a, b, modulus]: [Word; 3]) -> Word {
    a.mul_mod(b, modulus)
}

/// Dynamic gas: per byte of the exponent.
pub(crate) fn exp(m: &mut Machine, [base, exponent]: [Word; 2]) -> Result<[Word; 1], Halt> {
    let bytes = u64::from(exponent.bit_len().div_ceil(8));
    m.charge(m.rules.exp_byte * bytes)?;
    Ok([base.wrapping_pow(exponent)])
}

#[inline(always)]
pub(crate) fn signextend([index, value]: [Word; 2]) -> Word {
    value.sign_extend(index)
}
