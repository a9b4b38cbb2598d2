//! Watching an execution opcode by opcode. What watchers make of it (counts, EIP-3155 lines) is theirs.

use crate::opcode::Opcode;
use crate::outcome::Halt;
use crate::word::Word;
use alloy_primitives::{Address, Bytes};

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
    /// Return data of the frame's last call (EIP-211).
    pub return_data: &'a Bytes,
    /// Refund counter: of this frame, those it called that succeeded, and those above.
    pub refund: i64,
}

/// The state right after an opcode that leaves its frame: for good, or for the frame it calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leave {
    /// Gas left to the frame, without what it gave a callee; 0 for a frame that failed.
    pub gas: u64,
    /// Why the opcode failed, where it did.
    pub halt: Option<Halt>,
}

/// Sees every step.
pub trait Tracer {
    /// Called before each opcode.
    fn step(&mut self, step: &Step<'_>);

    /// Called after each opcode that leaves its frame, before anything comes of it. After other opcodes,
    /// the next step tells what they did.
    fn leave(&mut self, leave: &Leave) {
        let _ = leave;
    }
}

/// How a mode shows its steps, or not: a type of its own, so that an untraced loop has no test for it.
pub(crate) trait Observer {
    const OBSERVES: bool;
    /// Whether it is asked about jumps.
    const COUNTS: bool = false;
    /// The step's refund counter is that of the frame alone.
    fn step(&mut self, step: Step<'_>) {
        let _ = step;
    }
    fn leave(&mut self, leave: &Leave) {
        let _ = leave;
    }
    /// The frame jumps to `pc`: whether the loop is to be left there.
    fn jumps(&mut self, pc: usize) -> bool {
        let _ = pc;
        false
    }
}

/// Nobody watches.
pub(crate) struct NoTracer;

impl Observer for NoTracer {
    const OBSERVES: bool = false;
}

/// Somebody watches.
pub(crate) struct Tracing<'a> {
    tracer: &'a mut dyn Tracer,
    /// Refund counters by depth, each with those above.
    refunds: Vec<i64>,
}

impl Tracing<'_> {
    pub fn new(tracer: &mut dyn Tracer) -> Tracing<'_> {
        Tracing {
            tracer,
            refunds: Vec::new(),
        }
    }
}

impl Observer for Tracing<'_> {
    const OBSERVES: bool = true;

    fn step(&mut self, mut step: Step<'_>) {
        let depth = step.depth as usize;
        self.refunds.resize(depth + 1, 0);
        step.refund += depth.checked_sub(1).map_or(0, |above| self.refunds[above]);
        self.refunds[depth] = step.refund;
        self.tracer.step(&step);
    }

    fn leave(&mut self, leave: &Leave) {
        self.tracer.leave(leave);
    }
}
