//! 0x10 to 0x1e: comparison and bits (Yellow Paper, appendix H.2, "10s"; shifts: EIP-145; CLZ: EIP-7939).

use crate::word::Word;

#[inline(always)]
pub(crate) fn lt([a, b]: [Word; 2]) -> Word {
    a.lt(b).into()
}

#[inline(always)]
pub(crate) fn gt([a, b]: [Word; 2]) -> Word {
    b.lt(a).into()
}

#[inline(always)]
pub(crate) fn slt([a, b]: [Word; 2]) -> Word {
    a.signed_lt(b).into()
}

#[inline(always)]
pub(crate) fn sgt([a, b]: [Word; 2]) -> Word {
    b.signed_lt(a).into()
}

#[inline(always)]
pub(crate) fn eq([a, b]: [Word; 2]) -> Word {
    (a == b).into()
}

#[inline(always)]
pub(crate) fn iszero([a]: [Word; 1]) -> Word {
    a.is_zero().into()
}

#[inline(always)]
pub(crate) fn and([Word(a), Word(b)]: [Word; 2]) -> Word {
    Word([a[0] & b[0], a[1] & b[1], a[2] & b[2], a[3] & b[3]])
}

#[inline(always)]
pub(crate) fn or([Word(a), Word(b)]: [Word; 2]) -> Word {
    Word([a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3]])
}

#[inline(always)]
pub(crate) fn xor([Word(a), Word(b)]: [Word; 2]) -> Word {
    Word([a[0] ^ b[0], a[1] ^ b[1], a[2] ^ b[2], a[3] ^ b[3]])
}

#[inline(always)]
pub(crate) fn not([Word(a)]: [Word; 1]) -> Word {
    Word([!a[0], !a[1], !a[2], !a[3]])
}

#[inline(always)]
pub(crate) fn byte([index, value]: [Word; 2]) -> Word {
    value.byte(index)
}

#[inline(always)]
pub(crate) fn shl([count, value]: [Word; 2]) -> Word {
    value.shl(count)
}

#[inline(always)]
pub(crate) fn shr([count, value]: [Word; 2]) -> Word {
    value.shr(count)
}

#[inline(always)]
pub(crate) fn sar([count, value]: [Word; 2]) -> Word {
    value.sar(count)
}

#[inline(always)]
pub(crate) fn clz([value]: [Word; 1]) -> Word {
    u64::from(value.leading_zeros()).into()
}
