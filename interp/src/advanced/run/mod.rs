//! Enters the stream of a program and runs it until it is left.
//!
//! Unsafe: the pointers that handlers use.

#![allow(unsafe_code)]

mod bodies;
mod exits;
mod handlers;
mod operands;

use crate::frame::Machine;
use crate::slot_ir::{Loads, Program, StreamExit};

/// Runs the machine's frame from the entry at `header` until the stream is left.
pub(super) fn run(
    program: &mut Program,
    loads: &mut Loads,
    header: usize,
    m: &mut Machine,
) -> StreamExit {
    m.advanced.slots = loads;
    let base = m.stack.frame(m.frame.base);
    m.advanced.base = base;
    m.advanced.program = program;
    let gas = m.frame.gas.signed();
    assert!(header < program.stream.len(), "an entry is in the stream");
    // SAFETY: `header` is inside the stream by the assertion. A frame has at most `LIMIT` items, and
    // `Stack::frame` has room for them.
    let (header, sp) = unsafe {
        (
            program.stream.as_mut_ptr().add(header).cast_const(),
            base.add(m.frame.height),
        )
    };
    // SAFETY: there is a header at every entry, and between opcodes the frame's stack has the EVM's layout.
    let next = unsafe { handlers::enter::<true>(header, sp, gas, m) };
    handlers::drive(next, m);
    m.advanced.exit
}
