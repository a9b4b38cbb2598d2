//! Into the stream of a program and out of it. How one handler follows another is told in the crate's
//! `dispatch`.
//!
//! Unsafe: the pointers that handlers work on.

#![allow(unsafe_code)]

use super::handlers::{self, HANDLERS};
use super::instruction::Cell;
use super::loads::Loads;
use super::program::Program;
use crate::dispatch::{Next, stop};
use crate::frame::Machine;
use crate::outcome::Halt;
use crate::word::Word;

/// Why the stream was left; the frame says where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// The frame failed.
    Halt(Halt),
    /// The traditional mode is to go on.
    Resume,
    /// For an entry that does not exist yet, from the instruction at this index; 0 for a dynamic jump.
    Entry { from: usize },
}

/// What the handlers share of a running frame, besides the machine's.
#[derive(Debug)]
pub(crate) struct Registers {
    /// Item 0 of the frame's stack.
    pub(super) base: *const Word,
    /// The program whose stream is run.
    pub(super) program: *mut Program,
    /// What SLOAD found since the stream was entered.
    pub(super) slots: *mut Loads,
    left: Left,
    #[cfg(not(tail_calls))]
    gas: i64,
}

impl Default for Registers {
    fn default() -> Registers {
        Registers {
            base: std::ptr::null(),
            program: std::ptr::null_mut(),
            slots: std::ptr::null_mut(),
            left: Left::Resume,
            #[cfg(not(tail_calls))]
            gas: 0,
        }
    }
}

/// Goes on at an instruction.
///
/// # Safety
/// As for its handler.
#[inline(always)]
pub(super) unsafe fn next(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<Cell> {
    #[cfg(tail_calls)]
    // SAFETY: the caller's; the first field is a number below the table's length.
    unsafe {
        handler(ip)(ip, sp, gas, m)
    }
    #[cfg(not(tail_calls))]
    {
        m.advanced.gas = gas;
        (ip, sp)
    }
}

/// Leaves the stream.
pub(super) fn leave(m: &mut Machine, left: Left) -> Next<Cell> {
    m.advanced.left = left;
    stop()
}

/// # Safety
/// An instruction is at `ip`.
#[inline(always)]
unsafe fn handler(ip: *const Cell) -> handlers::Handler {
    // SAFETY: the caller's; the encoder writes numbers below the table's length.
    unsafe { *HANDLERS.get_unchecked(usize::from((*ip).0[0])) }
}

/// Runs the machine's frame from the entry at `header` on, until the stream is left.
pub(super) fn run(
    program: &mut Program,
    loads: &mut Loads,
    header: usize,
    m: &mut Machine,
) -> Left {
    m.advanced.slots = loads;
    let base = m.stack.frame(m.frame.base);
    m.advanced.base = base;
    m.advanced.program = program;
    let gas = m.frame.gas.signed();
    assert!(header < program.stream.len(), "an entry is in the stream");
    // SAFETY: the assertion; a frame has at most `LIMIT` items, and `Stack::frame` gives room for as many.
    let (header, sp) = unsafe {
        (
            program.stream.as_mut_ptr().add(header).cast_const(),
            base.add(m.frame.height),
        )
    };
    // SAFETY: an entry is a header, and the frame's stack is laid out between opcodes.
    let next = unsafe { handlers::enter::<true>(header, sp, gas, m) };
    drive(next, m);
    m.advanced.left
}

/// The loop to which handlers return.
#[cfg(not(tail_calls))]
fn drive((mut ip, mut sp): Next<Cell>, m: &mut Machine) {
    while !ip.is_null() {
        let gas = m.advanced.gas;
        // SAFETY: every handler returns the cell of an instruction whose contract it has kept.
        (ip, sp) = unsafe { handler(ip)(ip, sp, gas, m) };
    }
}

#[cfg(tail_calls)]
fn drive(_: Next<Cell>, _: &mut Machine) {}
