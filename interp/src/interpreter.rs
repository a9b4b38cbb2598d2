//! The interpreter as an embedder sees it: a mode, a fork, settings, and what is kept between messages. The
//! `driver` runs a message.

use crate::advanced::{self, Programs};
use crate::code::Code;
use crate::driver::{Driver, Execute};
use crate::fork::Fork;
use crate::frame::{self, Contexts, Frame, Machine};
use crate::gas::{Gas, Rules};
use crate::host::Host;
use crate::keccak::Memo;
use crate::memory;
use crate::message::Message;
use crate::outcome::{Outcome, Statistics};
use crate::settings::{Mode, Settings};
use crate::slot_ir::{self, Place};
use crate::stack::Stack;
use crate::trace::{NoTracer, Observer, Tracer, Tracing};
use alloy_primitives::Bytes;
use std::sync::Arc;

/// An interpreter: a mode, a fork, and what is kept between messages (stacks, buffers, translated programs).
/// The EVM's state is not here but in the [`Host`].
#[derive(Debug)]
pub struct Interpreter {
    mode: Mode,
    settings: Settings,
    rules: Rules,
    stack: Stack,
    memories: memory::Pool,
    contexts: Contexts,
    callers: Vec<Frame>,
    programs: advanced::Cache,
    memo: Option<Box<Memo>>,
}

impl Interpreter {
    /// An interpreter for one mode and fork.
    pub fn new(mode: Mode, fork: Fork) -> Interpreter {
        Interpreter::with_settings(mode, fork, Settings::default())
    }

    /// Like [`Interpreter::new`], with other settings.
    pub fn with_settings(mode: Mode, fork: Fork, settings: Settings) -> Interpreter {
        Interpreter {
            mode,
            settings,
            rules: Rules::of(fork),
            stack: Stack::new(),
            memories: memory::Pool::default(),
            contexts: Contexts::new(),
            callers: Vec::new(),
            programs: advanced::Cache::new(fork, &settings),
            memo: settings.keccak_memo.serves(mode).then(Box::default),
        }
    }

    /// The mode.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The fork.
    pub fn fork(&self) -> Fork {
        self.rules.fork
    }

    /// A new interpreter with the same mode, fork and settings.
    pub(crate) fn renewed(&self) -> Interpreter {
        Interpreter::with_settings(self.mode, self.fork(), self.settings)
    }

    /// Drops translations, counters and caches, so that the next message runs like the first one. Allocations
    /// (stack, buffers) stay, and so do the jump destinations that each [`Code`] stores.
    pub fn forget(&mut self) {
        self.programs.forget();
        if let Some(memo) = &mut self.memo {
            memo.forget();
        }
    }

    /// The translations of code so far, as text: the slot IR of each entry point next to its opcodes.
    pub fn listing(&mut self, code: &Arc<Code>) -> String {
        self.programs.listing(code)
    }

    /// For profilers: drops all translations, and from now on records which opcode each instruction was made
    /// from. This takes 4 bytes per instruction, in addition to [`Settings::budget`].
    pub fn keep_places(&mut self) {
        self.programs.keep_places();
    }

    /// For profilers: the opcode that the advanced mode's instruction at an address was made from. A sampler
    /// finds the EVM's instruction pointer in a CPU register; in the traditional mode it points into the code
    /// itself ([`Code::offset_of`]).
    pub fn place(&self, address: usize) -> Option<Place> {
        self.programs.place(address)
    }

    /// The size of the translations that the advanced mode holds now.
    pub fn programs(&self) -> Programs {
        self.programs.held()
    }

    /// Translates all entry points of code, hot or not, as far as the budget allows. For code that is known
    /// to be hot, and to measure translation.
    pub fn translate(&mut self, code: &Arc<Code>) -> Statistics {
        let mut statistics = Statistics::default();
        self.programs.translate(code, &mut statistics);
        statistics
    }

    /// Runs a message and all of its calls. The changes of a successful message stay in the host; those of
    /// any other are reverted. The caller does what belongs to the transaction: intrinsic gas, fees, refund
    /// cap, warming the sender, deleting accounts.
    ///
    /// A call runs the code that the host has at `message.code_address`, and follows a delegation there
    /// (EIP-7702).
    pub fn execute(&mut self, message: Message, host: &mut dyn Host) -> Outcome {
        self.run(message, host, &mut NoTracer)
    }

    /// Like [`Interpreter::execute`], and calls `tracer` for every opcode. Traced code always runs in the
    /// traditional mode.
    pub fn trace(
        &mut self,
        message: Message,
        host: &mut dyn Host,
        tracer: &mut dyn Tracer,
    ) -> Outcome {
        self.run(message, host, &mut Tracing::new(tracer))
    }

    fn run<O: Observer>(
        &mut self,
        message: Message,
        host: &mut dyn Host,
        observer: &mut O,
    ) -> Outcome {
        let gas = Gas::new(message.gas).left();
        self.programs.tidy();
        if let Some(memo) = &mut self.memo {
            memo.forget();
        }
        let mut driver = Driver {
            rules: &self.rules,
            decodes: self.mode == Mode::Advanced && !O::OBSERVES,
            memories: &mut self.memories,
            contexts: &mut self.contexts,
            programs: &mut self.programs,
            input: Bytes::new(),
            statistics: Statistics::default(),
        };
        let returned = match driver.first(message, host) {
            Err(returned) => returned,
            Ok((frame, next)) => {
                let machine = Machine {
                    frame,
                    callers: &mut self.callers,
                    next,
                    next_input: 0..0,
                    host,
                    rules: &self.rules,
                    stack: &mut self.stack,
                    advanced: slot_ir::Registers::default(),
                    traditional: frame::Registers::default(),
                    stores: 0,
                    memo: self.memo.as_deref_mut(),
                    unpaid: 0,
                };
                driver.run(machine, observer)
            }
        };
        let output = match &*returned.output {
            [] => Bytes::new(),
            bytes => Bytes::copy_from_slice(bytes),
        };
        driver.recycle(returned.output);
        let mut statistics = driver.statistics;
        statistics.memo_hits = self.memo.as_ref().map_or(0, |memo| memo.hits());
        Outcome {
            status: returned.status,
            gas_used: gas - returned.gas_left,
            gas_left: returned.gas_left,
            refund: returned.refund,
            output,
            created: returned.created,
            statistics,
        }
    }
}

impl Execute for Interpreter {
    fn fork(&self) -> Fork {
        Interpreter::fork(self)
    }

    fn execute(&mut self, message: Message, host: &mut dyn Host) -> Outcome {
        Interpreter::execute(self, message, host)
    }
}
