//! The driver: runs a message to its end on an explicit stack of frames. It owns what happens between
//! frames (checkpoints, transfers, precompiles, the making of contracts); what happens inside one is
//! the modes' business.

use crate::advanced::{self, Place, Programs, Techniques};
use crate::code::Code;
use crate::fork::Fork;
use crate::frame::{Exit, Frame, Input, Machine};
use crate::gas::{self, Gas, Rules};
use crate::host::{Checkpoint, Host};
use crate::keccak::{Memo, keccak256};
use crate::memory;
use crate::message::{Kind, Message};
use crate::outcome::{Halt, Outcome, Statistics, Status};
use crate::stack::Stack;
use crate::trace::{Leave, NoTracer, Observer, Tracer, Tracing};
use crate::traditional;
use crate::word::Word;
use alloy_primitives::{Address, B256, Bytes};
use std::fmt;
use std::mem;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

/// How code is run. Both give the same status, gas, output, logs and state for every input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Fetches, checks, charges and executes byte by byte.
    Traditional,
    /// Decodes the code first and runs the decoded form.
    Advanced,
}

impl Mode {
    /// All modes.
    pub const ALL: [Mode; 2] = [Mode::Traditional, Mode::Advanced];

    /// The name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Traditional => "traditional",
            Mode::Advanced => "advanced",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A mode that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown mode `{0}`: use traditional or advanced")]
pub struct UnknownMode(String);

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Mode, UnknownMode> {
        Mode::ALL
            .into_iter()
            .find(|mode| mode.name() == text)
            .ok_or_else(|| UnknownMode(text.to_owned()))
    }
}

/// What can be set about how an interpreter works. Nothing of it changes a result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// How often an entry point of code (its start, a jumpdest, where a call returns to) is reached before
    /// the advanced mode translates it; at most 254.
    pub heat: u8,
    /// Most bytes that the advanced mode keeps for a byte of code.
    pub budget: f64,
    /// Which modes remember hashes of 32 and 64 bytes for the rest of a message.
    pub keccak_memo: KeccakMemo,
    /// What the advanced mode does to be fast: all of it, unless the effect of one is to be measured.
    pub techniques: Techniques,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            heat: 24,
            budget: 4.0,
            keccak_memo: KeccakMemo::Advanced,
            techniques: Techniques::ALL,
        }
    }
}

impl Settings {
    /// Translates all code before it runs for the first time, whatever memory that takes: for tests.
    pub fn eager() -> Settings {
        Settings {
            heat: 0,
            budget: 64.0,
            ..Settings::default()
        }
    }
}

/// Which modes remember hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeccakMemo {
    /// The advanced mode.
    #[default]
    Advanced,
    /// Both.
    Both,
    /// None.
    Off,
}

impl KeccakMemo {
    /// All choices.
    pub const ALL: [KeccakMemo; 3] = [KeccakMemo::Advanced, KeccakMemo::Both, KeccakMemo::Off];

    /// The name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            KeccakMemo::Advanced => "advanced",
            KeccakMemo::Both => "both",
            KeccakMemo::Off => "off",
        }
    }

    fn serves(self, mode: Mode) -> bool {
        match self {
            KeccakMemo::Advanced => mode == Mode::Advanced,
            KeccakMemo::Both => true,
            KeccakMemo::Off => false,
        }
    }
}

impl fmt::Display for KeccakMemo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A choice of [`KeccakMemo`] that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown keccak memo `{0}`: use advanced, both or off")]
pub struct UnknownKeccakMemo(String);

impl FromStr for KeccakMemo {
    type Err = UnknownKeccakMemo;

    fn from_str(text: &str) -> Result<KeccakMemo, UnknownKeccakMemo> {
        KeccakMemo::ALL
            .into_iter()
            .find(|memo| memo.name() == text)
            .ok_or_else(|| UnknownKeccakMemo(text.to_owned()))
    }
}

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
                    advanced: advanced::Registers::default(),
                    traditional: traditional::Registers::default(),
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

/// Whatever runs messages as an interpreter does.
pub trait Execute {
    /// The fork.
    fn fork(&self) -> Fork;

    /// Runs a message and all that it calls, as [`Interpreter::execute`] does.
    fn execute(&mut self, message: Message, host: &mut dyn Host) -> Outcome;
}

impl Execute for Interpreter {
    fn fork(&self) -> Fork {
        Interpreter::fork(self)
    }

    fn execute(&mut self, message: Message, host: &mut dyn Host) -> Outcome {
        Interpreter::execute(self, message, host)
    }
}

/// What came of a message.
struct Returned {
    status: Status,
    gas_left: u64,
    refund: i64,
    output: Bytes,
    created: Option<Address>,
}

impl Returned {
    /// A message that ended without a frame of its own.
    fn at_once(status: Status, gas_left: u64, output: Bytes) -> Returned {
        Returned {
            status,
            gas_left,
            refund: 0,
            output,
            created: None,
        }
    }

    fn refused(message: &Message, halt: Halt) -> Returned {
        let gas_left = if halt.before_start() {
            Gas::new(message.gas).left()
        } else {
            0
        };
        Returned::at_once(Status::Halt(halt), gas_left, Bytes::new())
    }
}

/// What lives as long as one message of the embedder.
struct Driver<'a> {
    rules: &'a Rules,
    /// Whether frames run decoded programs.
    decodes: bool,
    memories: &'a mut memory::Pool,
    programs: &'a mut advanced::Cache,
    statistics: Statistics,
}

impl Driver<'_> {
    /// Runs the machine's frame and all that it calls.
    fn run<O: Observer>(&mut self, mut machine: Machine, observer: &mut O) -> Returned {
        loop {
            let returned = match self.dispatch(&mut machine, observer) {
                Exit::Call {
                    message,
                    input,
                    output,
                } => {
                    machine.frame.call_output = output;
                    let input = Input::Caller(input);
                    match self.begin(machine.host, message, input, Some(&machine.frame)) {
                        Ok(child) => {
                            let caller = mem::replace(&mut machine.frame, child);
                            machine.callers.push(caller);
                            continue;
                        }
                        Err(returned) => returned,
                    }
                }
                exit => {
                    let returned = finish(&mut machine, exit);
                    self.memories.give(mem::take(&mut machine.frame.memory));
                    match machine.callers.pop() {
                        Some(caller) => machine.frame = caller,
                        None => return returned,
                    }
                    returned
                }
            };
            deliver(&mut machine, returned);
        }
    }

    /// Runs the machine's frame until it ends or calls.
    fn dispatch<O: Observer>(&mut self, machine: &mut Machine, observer: &mut O) -> Exit {
        if let Some(program) = machine.frame.program {
            return advanced::execute(self.programs, program, machine, &mut self.statistics);
        }
        let exit = traditional::execute(machine, observer);
        if O::OBSERVES {
            observer.leave(&match exit {
                Exit::Halt(halt) => Leave {
                    gas: 0,
                    halt: Some(halt),
                },
                _ => Leave {
                    gas: machine.frame.gas.left(),
                    halt: None,
                },
            });
        }
        exit
    }

    /// Makes the frame of a message, its stack where the caller's ends; or tells what came of a message
    /// that needs none.
    fn begin(
        &mut self,
        host: &mut dyn Host,
        mut message: Message,
        input: Input,
        caller: Option<&Frame>,
    ) -> Result<Frame, Returned> {
        if message.depth > gas::CALL_DEPTH {
            return Err(Returned::refused(&message, Halt::CallDepth));
        }
        let pays = message.kind != Kind::DelegateCall && !message.value.is_zero();
        if pays && host.account(message.caller).balance < message.value {
            return Err(Returned::refused(&message, Halt::InsufficientBalance));
        }
        let bytes = input.bytes(caller);
        let (code, input, creating, checkpoint) = if message.kind.creates() {
            let (address, checkpoint) = self.begin_creation(host, &message, bytes)?;
            message.recipient = address;
            message.code_address = address;
            let code = Arc::new(Code::new(bytes));
            (code, Input::Whole(Bytes::new()), Some(address), checkpoint)
        } else {
            let (code, checkpoint) = self.begin_call(host, &message, bytes)?;
            (code, input, None, checkpoint)
        };
        self.statistics.frames += 1;
        // Init code runs once, as a rule: it would not repay its translation.
        let program = (self.decodes && creating.is_none())
            .then(|| self.programs.get(&code, &mut self.statistics))
            .flatten();
        Ok(Frame {
            gas: Gas::new(message.gas),
            memory: self.memories.take(),
            position: 0,
            height: 0,
            base: caller.map_or(0, |caller| caller.base + caller.height),
            code,
            program,
            message,
            input,
            return_data: Bytes::new(),
            call_output: 0..0,
            refund: 0,
            checkpoint,
            creating,
        })
    }

    /// Moves the value and finds the code; ends calls of precompiles and of accounts without code.
    fn begin_call(
        &self,
        host: &mut dyn Host,
        message: &Message,
        input: &[u8],
    ) -> Result<(Arc<Code>, Checkpoint), Returned> {
        let checkpoint = host.checkpoint();
        // Without value too: a call touches the account (EIP-161).
        if matches!(message.kind, Kind::Call | Kind::StaticCall) {
            host.transfer(message.caller, message.recipient, message.value);
        }
        let gas = Gas::new(message.gas).left();
        if let Some(result) = host.precompile(message.code_address, input, gas, self.rules.fork) {
            return Err(match result {
                Ok((used, output)) => {
                    Returned::at_once(Status::Success, gas.saturating_sub(used), output)
                }
                Err(halt) => {
                    host.revert(checkpoint);
                    Returned::refused(message, halt)
                }
            });
        }
        let mut code = host.code(message.code_address);
        if self.rules.since(Fork::Prague)
            && let Some(target) = code.delegation()
        {
            code = host.code(target);
        }
        if code.is_empty() {
            return Err(Returned::at_once(Status::Success, gas, Bytes::new()));
        }
        Ok((code, checkpoint))
    }

    /// Counts the creator's nonce, makes the account and moves the value.
    fn begin_creation(
        &self,
        host: &mut dyn Host,
        message: &Message,
        init_code: &[u8],
    ) -> Result<(Address, Checkpoint), Returned> {
        let Some(nonce) = host.increment_nonce(message.caller) else {
            return Err(Returned::refused(message, Halt::NonceOverflow));
        };
        let address = match message.kind {
            Kind::Create2 { salt } => message
                .caller
                .create2(B256::from(salt), keccak256(init_code)),
            _ => message.caller.create(nonce),
        };
        if self.rules.since(Fork::Berlin) {
            host.warm_account(address);
        }
        let checkpoint = host.checkpoint();
        if !host.create(address, self.rules.fork) {
            return Err(Returned::refused(message, Halt::CreateCollision));
        }
        host.transfer(message.caller, address, message.value);
        Ok((address, checkpoint))
    }
}

/// Ends the machine's frame: deploys the code of a creation, undoes the changes of a failure.
fn finish(m: &mut Machine, exit: Exit) -> Returned {
    let (status, range) = match exit {
        Exit::Success(range) => match m.frame.creating {
            Some(address) => match deploy(m, address, range) {
                Ok(()) => (Status::Success, 0..0),
                Err(halt) => (Status::Halt(halt), 0..0),
            },
            None => (Status::Success, range),
        },
        Exit::Revert(range) => (Status::Revert, range),
        Exit::Halt(halt) => (Status::Halt(halt), 0..0),
        Exit::Call { .. } | Exit::Jump => unreachable!("neither ends a frame"),
    };
    if status != Status::Success {
        m.host.revert(m.frame.checkpoint);
    }
    let frame = &m.frame;
    Returned {
        status,
        gas_left: if matches!(status, Status::Halt(_)) {
            0
        } else {
            frame.gas.left()
        },
        refund: if status == Status::Success {
            frame.refund
        } else {
            0
        },
        output: Bytes::copy_from_slice(frame.memory.slice(range)),
        created: frame.creating.filter(|_| status == Status::Success),
    }
}

/// Pays for the code that init code returned and sets it (EIP-2, EIP-170, EIP-3541).
fn deploy(m: &mut Machine, address: Address, range: Range<usize>) -> Result<(), Halt> {
    let code = m.frame.memory.slice(range);
    if m.rules.since(Fork::London) && code.first() == Some(&0xef) {
        return Err(Halt::CodePrefix);
    }
    let size = code.len() as u64;
    if m.rules.since(Fork::SpuriousDragon) && size > gas::CODE_LIMIT {
        return Err(Halt::CodeSizeLimit);
    }
    match m.frame.gas.charge(gas::CODE_DEPOSIT_BYTE * size) {
        Ok(()) => m.host.set_code(address, Arc::new(Code::new(code))),
        Err(halt) if m.rules.deposit_must_be_paid => return Err(halt),
        Err(_) => {}
    }
    Ok(())
}

/// Gives the machine's frame what came of its call: gas, refund, return data, output and result.
fn deliver(m: &mut Machine, returned: Returned) {
    let frame = &mut m.frame;
    frame.gas.give_back(returned.gas_left);
    frame.refund += returned.refund;
    let result = match (returned.status, returned.created) {
        (Status::Success, Some(address)) => Word::from(address),
        (Status::Success, None) => Word::ONE,
        _ => Word::ZERO,
    };
    m.stack.push(frame.base + frame.height, result);
    frame.height += 1;
    let target = frame.call_output.clone();
    let len = target.len().min(returned.output.len());
    frame.memory.copy_padded(
        target.start..target.start + len,
        &returned.output,
        Word::ZERO,
    );
    // A creation that succeeded leaves no return data (EIP-211); its output is the code.
    frame.return_data = returned.output;
}
