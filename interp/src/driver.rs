//! The driver: runs a message to its end on an explicit stack of frames. It does what happens between frames:
//! checkpoints, transfers, precompiles, contract creation. The modes run the code inside a frame.
//!
//! Unsafe: a frame reads its input where its caller keeps it.

#![allow(unsafe_code)]

use crate::advanced;
use crate::code::Code;
use crate::fork::Fork;
use crate::frame::{Context, Contexts, Exit, Frame, Input, Machine, Output};
use crate::gas::{self, Gas, Rules};
use crate::host::{Checkpoint, Host};
use crate::keccak::keccak256;
use crate::memory;
use crate::message::{Header, Kind, Message};
use crate::outcome::{Halt, Outcome, Statistics, Status};
use crate::trace::{Ending, Observer};
use crate::traditional;
use crate::word::Word;
use alloy_primitives::{Address, B256, Bytes};
use std::mem;
use std::ops::Range;
use std::sync::Arc;

/// Runs messages: an interpreter, or a pair of them.
pub trait Execute {
    /// The fork.
    fn fork(&self) -> Fork;

    /// Runs a message and all of its calls, as [`crate::Interpreter::execute`] does.
    fn execute(&mut self, message: Message, host: &mut dyn Host) -> Outcome;
}

/// Result of a message.
pub(crate) struct FrameResult {
    pub status: Status,
    pub gas_left: u64,
    pub refund: i64,
    pub output: Output,
    pub created: Option<Address>,
}

impl FrameResult {
    /// The result of a message that needs no frame.
    fn at_once(status: Status, gas_left: u64, output: Output) -> FrameResult {
        FrameResult {
            status,
            gas_left,
            refund: 0,
            output,
            created: None,
        }
    }

    fn refused(message: &Header, halt: Halt) -> FrameResult {
        let gas_left = if halt.before_start() {
            Gas::new(message.gas).left()
        } else {
            0
        };
        FrameResult::at_once(Status::Halt(halt), gas_left, Output::None)
    }
}

/// State that lives for one top-level message.
pub(crate) struct Driver<'a> {
    pub rules: &'a Rules,
    /// Whether frames run decoded programs.
    pub decodes: bool,
    pub memories: &'a mut memory::Pool,
    pub contexts: &'a mut Contexts,
    pub programs: &'a mut advanced::Cache,
    /// Call data of the first frame.
    pub input: Bytes,
    pub statistics: Statistics,
}

impl Driver<'_> {
    /// Runs the machine's frame and all of its calls.
    pub fn run<O: Observer>(&mut self, mut machine: Machine, observer: &mut O) -> FrameResult {
        loop {
            let returned = match self.dispatch(&mut machine, observer) {
                Exit::Call => {
                    let Machine {
                        frame,
                        host,
                        next,
                        next_input,
                        ..
                    } = &mut machine;
                    // SAFETY: the caller waits: nobody writes to its memory or drops it.
                    let input = unsafe { Input::new(frame.memory.slice(next_input.clone())) };
                    match self.begin(*host, next, input, frame.base + frame.height) {
                        Ok(child) => {
                            let caller = mem::replace(frame, child);
                            machine.callers.push(caller);
                            continue;
                        }
                        Err(returned) => returned,
                    }
                }
                exit => {
                    let returned = finish(&mut machine, exit);
                    let Some(caller) = machine.callers.pop() else {
                        self.keep(machine.frame);
                        self.contexts.push(machine.next);
                        return returned;
                    };
                    self.keep(mem::replace(&mut machine.frame, caller));
                    returned
                }
            };
            let before = deliver(&mut machine, returned);
            self.recycle(before);
        }
    }

    /// Keeps the allocations of a frame that ended.
    fn keep(&mut self, frame: Frame) {
        let Frame {
            memory,
            mut context,
            ..
        } = frame;
        self.memories.give(memory);
        self.recycle(mem::take(&mut context.return_data));
        self.contexts.push(context);
    }

    /// Keeps the memory of an output that nobody reads any more.
    pub fn recycle(&mut self, output: Output) {
        if let Some(memory) = output.into_memory() {
            self.memories.give(memory);
        }
    }

    /// Runs the machine's frame until it ends or calls.
    fn dispatch<O: Observer>(&mut self, machine: &mut Machine, observer: &mut O) -> Exit {
        if let Some(program) = machine.frame.program {
            return advanced::execute(self.programs, program, machine, &mut self.statistics);
        }
        let exit = traditional::execute(machine, observer);
        if O::OBSERVES {
            let (halt, creation) = match &exit {
                Exit::Halt(halt) => (Some(*halt), 0),
                Exit::Call if machine.next.message.kind.creates() => {
                    (None, machine.next.message.gas)
                }
                _ => (None, 0),
            };
            observer.leave(
                &Ending {
                    halt,
                    gas: machine.frame.gas.left(),
                    unpaid: mem::take(&mut machine.unpaid),
                    creation,
                    memory: machine.frame.memory.size(),
                },
                self.rules,
            );
        }
        exit
    }

    /// The frame of the first message, and a context for the next one; or the result of a message that needs no frame.
    pub fn first(
        &mut self,
        message: Message,
        host: &mut dyn Host,
    ) -> Result<(Frame, Box<Context>), FrameResult> {
        let (header, input) = message.split();
        let mut next = self.context();
        next.message = header;
        self.input = input;
        // SAFETY: the driver keeps it until the message has ended.
        let input = unsafe { Input::new(&self.input) };
        match self.begin(host, &mut next, input, 0) {
            Ok(frame) => Ok((frame, next)),
            Err(returned) => {
                self.contexts.push(next);
                Err(returned)
            }
        }
    }

    fn context(&mut self) -> Box<Context> {
        self.contexts.pop().unwrap_or_default()
    }

    /// Makes the frame of the message in a context, for which it leaves another one there, or returns the result of a
    /// message that needs no frame. `base`: where its stack begins.
    fn begin(
        &mut self,
        host: &mut dyn Host,
        next: &mut Box<Context>,
        input: Input,
        base: usize,
    ) -> Result<Frame, FrameResult> {
        let message = &mut next.message;
        if message.depth > gas::CALL_DEPTH {
            return Err(FrameResult::refused(message, Halt::CallDepth));
        }
        let pays = message.kind != Kind::DelegateCall && !message.value.is_zero();
        if pays && host.balance(message.caller) < message.value {
            return Err(FrameResult::refused(message, Halt::InsufficientBalance));
        }
        let creating = message.kind.creates();
        let (code, checkpoint) = if creating {
            let (address, checkpoint) = self.begin_creation(host, message, input.bytes())?;
            message.recipient = address;
            message.code_address = address;
            (Arc::new(Code::new(input.bytes())), checkpoint)
        } else {
            self.begin_call(host, message, input.bytes())?
        };
        next.checkpoint = checkpoint;
        next.creating = creating.then_some(next.message.recipient);
        next.refund = 0;
        self.statistics.frames += 1;
        Ok(Frame {
            gas: Gas::new(next.message.gas),
            memory: self.memories.take(),
            input: if creating { Input::EMPTY } else { input },
            position: 0,
            height: 0,
            base,
            // Init code usually runs once, so its translation would not pay off.
            program: (self.decodes && !creating)
                .then(|| self.programs.get(&code, &mut self.statistics))
                .flatten(),
            code,
            context: mem::replace(next, self.context()),
        })
    }

    /// Transfers the value and finds the code. Completes calls of precompiles and of accounts without code.
    fn begin_call(
        &self,
        host: &mut dyn Host,
        message: &Header,
        input: &[u8],
    ) -> Result<(Arc<Code>, Checkpoint), FrameResult> {
        let checkpoint = host.checkpoint();
        // Even with zero value: a call touches the account (EIP-161).
        if matches!(message.kind, Kind::Call | Kind::StaticCall) {
            host.transfer(message.caller, message.recipient, message.value);
        }
        let gas = Gas::new(message.gas).left();
        if let Some(result) = host.precompile(message.code_address, input, gas, self.rules.fork) {
            return Err(match result {
                Ok((used, output)) => {
                    let output = Output::Whole(output);
                    FrameResult::at_once(Status::Success, gas.saturating_sub(used), output)
                }
                Err(halt) => {
                    host.revert(checkpoint);
                    FrameResult::refused(message, halt)
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
            return Err(FrameResult::at_once(Status::Success, gas, Output::None));
        }
        Ok((Arc::clone(code), checkpoint))
    }

    /// Increments the creator's nonce, creates the account and transfers the value.
    fn begin_creation(
        &self,
        host: &mut dyn Host,
        message: &Header,
        init_code: &[u8],
    ) -> Result<(Address, Checkpoint), FrameResult> {
        let Some(nonce) = host.increment_nonce(message.caller) else {
            return Err(FrameResult::refused(message, Halt::NonceOverflow));
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
            return Err(FrameResult::refused(message, Halt::CreateCollision));
        }
        host.transfer(message.caller, address, message.value);
        Ok((address, checkpoint))
    }
}

/// Ends the machine's frame: deploys the code of a creation, reverts the changes of a failure.
fn finish(m: &mut Machine, exit: Exit) -> FrameResult {
    let (status, range) = match exit {
        Exit::Success(range) => match m.frame.context.creating {
            Some(address) => match deploy(m, address, range) {
                Ok(()) => (Status::Success, 0..0),
                Err(halt) => (Status::Halt(halt), 0..0),
            },
            None => (Status::Success, range),
        },
        Exit::Revert(range) => (Status::Revert, range),
        Exit::Halt(halt) => (Status::Halt(halt), 0..0),
        Exit::Call | Exit::Jump => unreachable!("calls and jumps do not end a frame"),
    };
    if status != Status::Success {
        m.host.revert(m.frame.context.checkpoint);
    }
    let output = Output::of(&mut m.frame.memory, range);
    let frame = &m.frame;
    FrameResult {
        status,
        gas_left: if matches!(status, Status::Halt(_)) {
            0
        } else {
            frame.gas.left()
        },
        refund: if status == Status::Success {
            frame.context.refund
        } else {
            0
        },
        output,
        created: frame.context.creating.filter(|_| status == Status::Success),
    }
}

/// Charges for the code that init code returned and stores it (EIP-2, EIP-170, EIP-3541).
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

/// Gives the machine's frame the result of its call: gas, refund, return data, output and result. Returns the return
/// data of the call before.
fn deliver(m: &mut Machine, returned: FrameResult) -> Output {
    let frame = &mut m.frame;
    frame.gas.give_back(returned.gas_left);
    frame.context.refund += returned.refund;
    let result = match (returned.status, returned.created) {
        (Status::Success, Some(address)) => Word::from(address),
        (Status::Success, None) => Word::ONE,
        _ => Word::ZERO,
    };
    m.stack.push(frame.base + frame.height, result);
    frame.height += 1;
    let target = frame.context.call_output.clone();
    let len = target.len().min(returned.output.len());
    frame.memory.copy_padded(
        target.start..target.start + len,
        &returned.output,
        Word::ZERO,
    );
    // A creation that succeeded leaves no return data (EIP-211); its output is the code.
    mem::replace(&mut frame.context.return_data, returned.output)
}
