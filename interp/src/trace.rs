//! Watching an execution opcode by opcode. What watchers make of it (counts, EIP-3155 lines) is theirs.

use crate::opcode::Opcode;
use crate::word::Word;
use alloy_primitives::Address;

/// The state right before an opcode is executed; stack and gas are not checked for it yet.
#[derive(Debug)]
pub struct Step<'a> {
    /// Offset of the opcode in the code.
    pub pc: usize,
    /// The opcode, defined or not.
    pub opcode: Opcode,
    /// Gas left.
    pub gas: u64,
    /// Number of frames above.
    pub depth: u32,
    /// The account in whose name the code runs.
    pub address: Address,
    /// The stack, the top last.
    pub stack: &'a [Word],
    /// The memory in use.
    pub memory: &'a [u8],
}

/// Sees every step.
pub trait Tracer {
    /// Called before each opcode.
    fn step(&mut self, step: &Step<'_>);
}

/// How a mode shows its steps, or not: a type of its own, so that an untraced loop has no test for it.
pub(crate) trait Observer {
    const OBSERVES: bool;
    fn step(&mut self, step: &Step<'_>);
}

/// Nobody watches.
pub(crate) struct NoTracer;

impl Observer for NoTracer {
    const OBSERVES: bool = false;
    fn step(&mut self, _: &Step<'_>) {}
}

/// Somebody watches.
pub(crate) struct Tracing<'a>(pub &'a mut dyn Tracer);

impl Observer for Tracing<'_> {
    const OBSERVES: bool = true;
    fn step(&mut self, step: &Step<'_>) {
        self.0.step(step);
    }
}
