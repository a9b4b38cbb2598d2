//! Traces an execution opcode by opcode. Tracers decide what to record (counts, EIP-3155 lines).

use crate::gas::Rules;
use crate::opcode::Opcode;
use crate::outcome::Halt;
use crate::word::Word;
use alloy_primitives::Address;

/// The state right before an opcode, whose stack and gas checks are still to come.
#[derive(Debug)]
pub struct Step<'a> {
    /// Offset of the opcode in the code.
    pub pc: usize,
    /// The opcode, defined or not.
    pub opcode: Opcode,
    /// Gas left.
    pub gas: u64,
    /// Number of calling frames.
    pub depth: u32,
    /// The account that ADDRESS returns.
    pub address: Address,
    /// The stack; the top item is last.
    pub stack: &'a [Word],
    /// The memory.
    pub memory: &'a [u8],
    /// Return data of the frame's last call (EIP-211).
    pub return_data: &'a [u8],
    /// Refund counter: of this frame, its successful calls, and its callers.
    pub refund: i64,
}

/// The state right after an opcode that ends its frame or calls another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leave {
    /// Gas left in the frame, without the gas of a callee; 0 if the frame failed.
    pub gas: u64,
    /// Why the opcode failed; `None` if it did not.
    pub halt: Option<Halt>,
    /// What the opcode cost, with the gas of a callee, but not of a creation. If it failed: what it would have cost,
    /// as far as that was known, which can be more than was left.
    pub cost: u64,
    /// Size of the memory.
    pub memory: usize,
}

/// How an opcode ended its frame or called another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub halt: Option<Halt>,
    /// Gas left in the frame, even if it failed.
    pub gas: u64,
    /// What the opcode could not pay.
    pub unpaid: u64,
    /// Gas given to a creation.
    pub creation: u64,
    /// Size of the memory.
    pub memory: usize,
}

/// Is called for every step of an execution.
pub trait Tracer {
    /// Called before each opcode.
    fn step(&mut self, step: &Step<'_>);

    /// Called after each opcode that ends its frame or calls, before the call or the return happens. The
    /// effect of other opcodes is visible in the next step.
    fn leave(&mut self, leave: &Leave) {
        let _ = leave;
    }
}

/// How a mode reports its steps. A type parameter, so that an untraced loop does not test for a tracer.
pub(crate) trait Observer {
    const OBSERVES: bool;
    /// Whether [`Observer::jumps`] is called.
    const COUNTS: bool = false;
    /// Called before each opcode. The refund counter is only that of the frame.
    fn step(&mut self, step: Step<'_>) {
        let _ = step;
    }
    fn leave(&mut self, ending: &Ending, rules: &Rules) {
        let _ = (ending, rules);
    }
    /// The frame jumps to `pc`. Returns whether to leave the dispatch loop there.
    fn jumps(&mut self, pc: usize) -> bool {
        let _ = pc;
        false
    }
}

/// No tracer.
pub(crate) struct NoTracer;

impl Observer for NoTracer {
    const OBSERVES: bool = false;
}

/// Passes the steps to a tracer.
pub(crate) struct Tracing<'a> {
    tracer: &'a mut dyn Tracer,
    /// Refund counters by depth, each including those of the callers.
    refunds: Vec<i64>,
    /// The last step: its opcode, and the gas before it.
    last: (Opcode, u64),
}

impl Tracing<'_> {
    pub fn new(tracer: &mut dyn Tracer) -> Tracing<'_> {
        Tracing {
            tracer,
            refunds: Vec::new(),
            last: (Opcode::STOP, 0),
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
        self.last = (step.opcode, step.gas);
        self.tracer.step(&step);
    }

    fn leave(&mut self, ending: &Ending, rules: &Rules) {
        let (opcode, before) = self.last;
        let charged = before.saturating_sub(ending.gas);
        let fixed = rules.fixed(opcode);
        let cost = match ending.halt {
            None => charged.saturating_sub(ending.creation),
            Some(Halt::UndefinedOpcode | Halt::InvalidOpcode) => 0,
            Some(Halt::StackUnderflow | Halt::StackOverflow) => fixed,
            // An opcode that cannot pay its fixed part gets no further.
            Some(_) if before < fixed => fixed,
            Some(halt) => {
                let least = opcode.info().filter(|_| halt == Halt::OutOfGas);
                let least = least.map_or(fixed, |info| fixed.max(info.gas.into()));
                least.max(charged.saturating_add(ending.unpaid))
            }
        };
        self.tracer.leave(&Leave {
            gas: if ending.halt.is_some() { 0 } else { ending.gas },
            halt: ending.halt,
            cost,
            memory: ending.memory,
        });
    }
}
