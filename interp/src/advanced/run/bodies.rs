//! What handlers do besides the opcode's own function: exact gas, memory expansion, cached slots.
//!
//! Unsafe: reads and writes instructions, the stack and the targets of the machine's registers through
//! pointers.

#![allow(unsafe_code)]

use super::operands::{Source, field, operands, slot, wide_operands};
use crate::dispatch::{FAILED, is_chain};
use crate::frame::Machine;
use crate::gas::Gas;
use crate::opcode::Opcode;
use crate::outcome::Halt;
use crate::slot_ir::instruction::Cell;
use crate::stack;
use crate::word::Word;

/// Expands the memory for an access. Takes and returns the gas of a handler, with the whole trace charged.
///
/// # Safety
/// The instruction accesses memory.
pub(super) unsafe fn grow(
    ip: *const Cell,
    gas: i64,
    at: Word,
    m: &mut Machine,
) -> Result<i64, Halt> {
    let mut left = Gas::from_signed(gas);
    if gas >= 0 && m.frame.memory.window_or_grow(&mut left, at).is_ok() {
        return Ok(left.signed());
    }
    // The static gas of the rest of the trace need not be paid yet. SAFETY: `m.advanced.program` is the
    // running program, and `ip` is in its stream.
    let pending = unsafe {
        let program = &*m.advanced.program;
        i64::from(program.pending(ip.offset_from_unsigned(program.stream.as_ptr())))
    };
    if gas + pending < 0 {
        return Err(Halt::OutOfGas);
    }
    let mut left = Gas::from_signed(gas + pending);
    m.frame.memory.window_or_grow(&mut left, at)?;
    Ok(left.signed() - pending)
}

/// Runs the body of an opcode that observes gas, with the gas left as if the trace were charged opcode by
/// opcode.
///
/// # Safety
/// The instruction is that of such an opcode.
#[inline(always)]
pub(super) unsafe fn exact<const OUT: usize>(
    ip: *const Cell,
    gas: i64,
    m: &mut Machine,
    body: impl FnOnce(&mut Machine) -> Result<[Word; OUT], Halt>,
) -> Result<(i64, [Word; OUT]), Halt> {
    // SAFETY: guaranteed by the caller.
    let pending = i64::from(unsafe { field(ip, 4) });
    if gas + pending < 0 {
        return Err(Halt::OutOfGas);
    }
    m.frame.gas = Gas::from_signed(gas + pending);
    let results = body(m)?;
    Ok((m.frame.gas.signed() - pending, results))
}

/// SLOAD of a cached slot, which is warm. Returns the gas left, or [`FAILED`] if the slot is not cached or
/// the gas is not enough.
///
/// # Safety
/// The instruction is SLOAD.
#[inline(always)]
pub(super) unsafe fn remembered_load(
    ip: *const Cell,
    sp: *mut Word,
    gas: i64,
    m: &mut Machine,
) -> i64 {
    // SAFETY: guaranteed by the caller; the table outlives the run of the stream.
    unsafe {
        let [key] = wide_operands(ip, sp);
        let left = gas - m.rules.sload as i64;
        match (*m.advanced.slots).get(key) {
            Some(value) if left >= 0 => {
                stack::store(slot(ip, sp, 6), *value);
                left
            }
            _ => FAILED,
        }
    }
}

/// Number of cells of the instruction of a pure opcode.
pub(super) const fn pure_cells<const N: usize, A: Source, B: Source>() -> usize {
    match N {
        3 => 2,
        _ => 1 + A::CELLS + B::CELLS,
    }
}

/// Computes a pure opcode.
///
/// # Safety
/// The instruction has `N` operands, the first two of kinds `A` and `B`.
#[inline(always)]
pub(super) unsafe fn compute<const N: usize, A: Source, B: Source>(
    ip: *const Cell,
    sp: *mut Word,
    op: Opcode,
    function: impl FnOnce([Word; N]) -> Word,
) {
    // SAFETY: guaranteed by the caller; with three operands the result's slot is in the second cell.
    unsafe {
        let result = function(operands::<N, A, B>(ip, sp, is_chain(op)));
        stack::store(slot(ip, sp, if N == 3 { 5 } else { 3 }), result);
    }
}
