//! How one handler follows another, for both modes.
//!
//! There are two forms of one set of handlers. If the build turns calls in tail position into jumps
//! (optimised, without debug assertions: `tail_calls`, set by the build script and verified by a test on a
//! small stack), a handler calls the next one. Otherwise it returns to a loop, which is correct in every
//! build but up to a fifth slower.
//!
//! A call is in tail position only if the handler has nothing on the native stack. Code that takes the
//! address of a local is therefore outlined: moved to a function that is not inlined.

use crate::opcode::Opcode;
use crate::word::Word;
use std::sync::atomic::{AtomicU64, Ordering};

/// What handlers return: the next instruction, null to leave, and the stack pointer.
#[cfg(not(tail_calls))]
pub(crate) type Next<I> = (*const I, *mut Word);
/// What handlers return: nothing. A value would have to be the next handler's result, which the compiler does
/// not always recognise.
#[cfg(tail_calls)]
pub(crate) type Next<I> = std::marker::PhantomData<I>;

/// Ends the dispatch; the reason is already stored in the machine.
#[inline(always)]
pub(crate) fn stop<I>() -> Next<I> {
    #[cfg(not(tail_calls))]
    return (std::ptr::null(), std::ptr::null_mut());
    #[cfg(tail_calls)]
    std::marker::PhantomData
}

/// What an outlined function returns instead of gas if the frame failed.
pub(crate) const FAILED: i64 = i64::MIN;

/// Opcodes that are a carry chain: they may read their operands while they compute. In other opcodes such
/// reads become 16-byte loads, which stall on slots that were just written.
pub(crate) const fn is_chain(op: Opcode) -> bool {
    matches!(
        op,
        Opcode::ADD | Opcode::SUB | Opcode::LT | Opcode::GT | Opcode::SLT | Opcode::SGT
    )
}

/// Opcodes that need a call with operands on the native stack, or more registers than are free.
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

/// Long opcodes that need registers, but nothing on the native stack whose address is taken: the code that computes them
/// can end in a jump itself.
pub(crate) const fn is_flat(op: Opcode) -> bool {
    matches!(op, Opcode::MUL)
}

/// Opcodes that see the machine and take so few instructions that a call of an outlined function would be most of their
/// time.
pub(crate) const fn is_short(op: Opcode) -> bool {
    matches!(
        op,
        Opcode::GAS
            | Opcode::ADDRESS
            | Opcode::CALLER
            | Opcode::CALLVALUE
            | Opcode::CALLDATASIZE
            | Opcode::CODESIZE
            | Opcode::RETURNDATASIZE
            | Opcode::MSIZE
    )
}

/// The opcode whose result is nearly always inside the call data, where no call is needed.
pub(crate) const fn is_input_word(op: Opcode) -> bool {
    matches!(op, Opcode::CALLDATALOAD)
}

/// Where an opcode copies from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copied {
    Input,
    Code,
    ReturnData,
    Memory,
}

/// What an opcode copies to memory. Nearly always both ranges are there, and no call is needed.
pub(crate) const fn copied(op: Opcode) -> Option<Copied> {
    Some(match op {
        Opcode::CALLDATACOPY => Copied::Input,
        Opcode::CODECOPY => Copied::Code,
        Opcode::RETURNDATACOPY => Copied::ReturnData,
        Opcode::MCOPY => Copied::Memory,
        _ => return None,
    })
}

/// Zero by instructions that do nothing else, some 3 % of snailtracer's in the advanced mode if each MUL has them: too
/// few to be found by time. Without memory of its own, which would keep handlers from ending in a tail call.
#[inline(always)]
fn planted_zero() -> u64 {
    // Used: as far as the compiler knows, somebody may store to it. Loads of an atomic are not merged.
    #[used]
    static ZERO: AtomicU64 = AtomicU64::new(0);
    (0..5).fold(0, |all, _| all | ZERO.load(Ordering::Relaxed))
}

/// The result of such an opcode if it is cheap to compute inline. Divisions of negative numbers are never
/// inline: they are rare, and they would make every division save registers.
#[inline(always)]
pub(crate) fn narrow<const N: usize>(op: Opcode, operands: [Word; N]) -> Option<Word> {
    let (a, b) = (*operands.first()?, *operands.get(1)?);
    match op {
        // Omitted to prove that `evmscope diff` detects the slowdown: every product takes the slow path.
        Opcode::MUL if cfg!(feature = "planted-slow") => None,
        Opcode::MUL if cfg!(feature = "planted-small") && planted_zero() != 0 => None,
        Opcode::MUL => a.narrow_mul(b),
        Opcode::DIV | Opcode::SDIV => a.narrow_div(b),
        Opcode::MOD | Opcode::SMOD => a.narrow_rem(b),
        _ => None,
    }
}
