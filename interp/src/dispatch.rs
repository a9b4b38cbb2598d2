//! How one handler follows another, for both modes.
//!
//! Two forms of one set of handlers. Where the build makes a call in tail position a jump (optimised,
//! without debug assertions: `tail_calls`, set by the build script and held true by a test on a
//! small stack), a handler calls the next one. Elsewhere it returns to a loop, which is right in every
//! build, and costs up to a fifth.
//!
//! A call is in tail position only where nothing of the handler's lives on the native stack: what takes
//! the address of a local is done apart, in a function that is not inlined.

use crate::opcode::Opcode;
use crate::word::Word;

/// What handlers return: the next instruction, null to leave, and the stack pointer.
#[cfg(not(tail_calls))]
pub(crate) type Next<I> = (*const I, *mut Word);
/// What handlers return: nothing, as any value to return would have to be the next handler's, and the compiler
/// does not always see that it is.
#[cfg(tail_calls)]
pub(crate) type Next<I> = std::marker::PhantomData<I>;

/// Nothing comes next: it is already told why.
#[inline(always)]
pub(crate) fn stop<I>() -> Next<I> {
    #[cfg(not(tail_calls))]
    return (std::ptr::null(), std::ptr::null_mut());
    #[cfg(tail_calls)]
    std::marker::PhantomData
}

/// What a function apart returns in the place of gas where the frame failed.
pub(crate) const FAILED: i64 = i64::MIN;

/// Opcodes that run along a carry chain: their operands may be read while they compute. Others
/// would be read in 16-byte pieces, and wait for slots that were just written.
pub(crate) const fn is_chain(op: Opcode) -> bool {
    matches!(
        op,
        Opcode::ADD | Opcode::SUB | Opcode::LT | Opcode::GT | Opcode::SLT | Opcode::SGT
    )
}

/// Opcodes whose computing takes a call, with operands on the native stack, or more registers than are free.
pub(crate) const fn is_long(op: Opcode) -> bool {
    matches!(
        op,
        Opcode::MUL
            | Opcode::DIV
            | Opcode::SDIV
            | Opcode::MOD
            | Opcode::SMOD
            | Opcode::ADDMOD
            | Opcode::MULMOD
    )
}

/// The result of such an opcode where it takes little. No division of negative numbers does: they are rare, and
/// room for them would make every division save registers.
#[inline(always)]
pub(crate) fn narrow<const N: usize>(op: Opcode, operands: [Word; N]) -> Option<Word> {
    let (a, b) = (*operands.first()?, *operands.get(1)?);
    match op {
        // Left out for the proof that `evmscope diff` finds it: every product takes the long way.
        Opcode::MUL if cfg!(feature = "planted-slow") => None,
        Opcode::MUL => a.narrow_mul(b),
        Opcode::DIV | Opcode::SDIV => a.narrow_div(b),
        Opcode::MOD | Opcode::SMOD => a.narrow_rem(b),
        _ => None,
    }
}
