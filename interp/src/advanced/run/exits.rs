//! The exits of a stream: none of these functions continues with another instruction.
//!
//! Unsafe: the pointers that handlers use.

#![allow(unsafe_code)]

use crate::dispatch::{FAILED, Next, stop};
use crate::frame::Machine;
use crate::gas::Gas;
use crate::outcome::Halt;
use crate::slot_ir::StreamExit;
use crate::slot_ir::instruction::Cell;
use crate::stack;
use crate::word::Word;

/// Leaves the stream.
fn leave(m: &mut Machine, exit: StreamExit) -> Next<Cell> {
    m.advanced.exit = exit;
    stop()
}

#[cold]
#[inline(never)]
pub(super) fn halt(m: &mut Machine, halt: Halt) -> Next<Cell> {
    leave(m, StreamExit::Halt(halt))
}

/// Leaves at `pc`: for the traditional mode, or from an instruction for an entry that does not exist yet.
/// Takes only numbers, because an argument on the native stack would prevent a handler from ending in a jump.
///
/// # Safety
/// `sp` is the stack pointer of the frame, and the stack has the EVM's layout.
#[cold]
#[inline(never)]
pub(super) unsafe fn leave_at(
    pc: u16,
    sp: *mut Word,
    gas: i64,
    m: &mut Machine,
    from: usize,
) -> Next<Cell> {
    if gas < 0 {
        return halt(m, Halt::OutOfGas);
    }
    m.frame.gas = Gas::from_signed(gas);
    m.frame.position = pc.into();
    m.frame.height = stack::height(m.advanced.base, sp);
    leave(
        m,
        match from {
            FOR_GOOD => StreamExit::Resume,
            from => StreamExit::Entry { from },
        },
    )
}

/// Leave for the traditional mode, not for an entry.
pub(super) const FOR_GOOD: usize = usize::MAX;

/// An invalid jump destination, or out of gas if the jump cannot be paid.
#[cold]
#[inline(never)]
pub(super) fn fail(gas: i64, m: &mut Machine) -> Next<Cell> {
    halt(
        m,
        if gas < 0 {
            Halt::OutOfGas
        } else {
            Halt::InvalidJump
        },
    )
}

#[cold]
#[inline(never)]
pub(super) fn failed(m: &mut Machine, reason: Halt) -> i64 {
    halt(m, reason);
    FAILED
}
