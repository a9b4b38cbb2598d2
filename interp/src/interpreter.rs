//! The interpreter as an embedder sees it: a mode, a fork, settings, and what is worth keeping between messages.
//! How a message runs is the `driver`'s.

use crate::advanced::{self, Programs};
use crate::code::Code;
use crate::driver::{Driver, Execute};
use crate::fork::Fork;
use crate::frame::{self, Input, Machine};
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
use std::mem;
use std::sync::Arc;

/// An interpreter: a mode, a fork, and what is worth keeping between messages (stacks, buffers,
/// decoded programs). It keeps no state of the EVM; that is the [`Host`]'s.
#[derive(Debug)]
pub struct Interpreter {
    mode: Mode,
    settings: Settings,
    rules: Rules,
    stack: Stack,
    memories: memory::Pool,
    programs: advanced::Cache,
    memo: Option<Box<Memo>>,
}

impl Interpreter {
    /// An interpreter for one mode and fork.
    pub fn new(mode: Mode, fork: Fork) -> Interpreter {
        Interpreter::with_settings(mode, fork, Settings::default())
    }

    /// As [`Interpreter::new`], with other settings.
    pub fn with_settings(mode: Mode, fork: Fork, settings: Settings) -> Interpreter {
        Interpreter {
            mode,
            settings,
            rules: Rules::of(fork),
            stack: Stack::new(),
            memories: memory::Pool::default(),
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

    /// A new one with the same mode, fork and settings.
    pub(crate) fn renewed(&self) -> Interpreter {
        Interpreter::with_settings(self.mode, self.fork(), self.settings)
    }

    /// Drops what was learned of code and of messages, so that the next message is as the first. Memory that
    /// holds nothing (stack, buffers) is kept, and so is what code itself keeps: where its jumpdests are.
    pub fn forget(&mut self) {
        self.programs.forget();
        if let Some(memo) = &mut self.memo {
            memo.forget();
        }
    }

    /// What the advanced mode has made of code so far: the slot IR of each entry point beside its opcodes.
    pub fn listing(&mut self, code: &Arc<Code>) -> String {
        self.programs.listing(code)
    }

    /// For profilers: forgets what is translated, and keeps from now on which opcode each instruction is made of,
    /// in 4 bytes an instruction beside [`Settings::budget`].
    pub fn keep_places(&mut self) {
        self.programs.keep_places();
    }

    /// For profilers: the opcode that the advanced mode's instruction at an address was made of. A sampled
    /// instruction pointer of the EVM is found in the registers of the CPU; that of the traditional
    /// mode points into the code itself ([`Code::offset_of`]).
    pub fn place(&self, address: usize) -> Option<Place> {
        self.programs.place(address)
    }

    /// What the advanced mode keeps of code at the moment.
    pub fn programs(&self) -> Programs {
        self.programs.held()
    }

    /// Translates every place of code where a frame may begin or go on, hot or not, as far as the budget goes.
    /// For code that is known to be worth it, and to see what translating takes.
    pub fn translate(&mut self, code: &Arc<Code>) -> Statistics {
        let mut statistics = Statistics::default();
        self.programs.translate(code, &mut statistics);
        statistics
    }

    /// Runs a message and all that it calls. The host is left with the changes of a successful message
    /// and without those of any other. What belongs to the transaction around it (intrinsic gas, fees,
    /// refund cap, warming the sender, deleting accounts) is the caller's.
    ///
    /// A call runs the code that the host has at `message.code_address`, through a delegation
    /// (EIP-7702) where there is one.
    pub fn execute(&mut self, message: Message, host: &mut dyn Host) -> Outcome {
        self.run(message, host, &mut NoTracer)
    }

    /// As [`Interpreter::execute`], and shows `tracer` every opcode. Traced code
    /// always runs in the traditional mode.
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
        mut message: Message,
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
            programs: &mut self.programs,
            statistics: Statistics::default(),
        };
        let input = Input::Whole(mem::take(&mut message.input));
        let returned = match driver.begin(host, message, input, None) {
            Err(returned) => returned,
            Ok(frame) => {
                let machine = Machine {
                    frame,
                    callers: Vec::new(),
                    host,
                    rules: &self.rules,
                    stack: &mut self.stack,
                    advanced: slot_ir::Registers::default(),
                    traditional: frame::Registers::default(),
                    stores: 0,
                    memo: self.memo.as_deref_mut(),
                };
                driver.run(machine, observer)
            }
        };
        let mut statistics = driver.statistics;
        statistics.memo_hits = self.memo.as_ref().map_or(0, |memo| memo.hits());
        Outcome {
            status: returned.status,
            gas_used: gas - returned.gas_left,
            gas_left: returned.gas_left,
            refund: returned.refund,
            output: returned.output,
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
