//! A frame, the machine that runs one, and why it stops. Calls and creates are data here: whoever
//! drives the machine (`driver`) stacks frames in a vector, never on the native stack.

use crate::code::Code;
use crate::fork::Fork;
use crate::gas::{Gas, Rules};
use crate::host::{Checkpoint, Host};
use crate::keccak::Memo;
use crate::memory::Memory;
use crate::message::Message;
use crate::outcome::Halt;
use crate::slot_ir::{self, Id};
use crate::stack::Stack;
use crate::word::Word;
use alloy_primitives::{Address, Bytes};
use std::ops::Range;
use std::sync::Arc;

/// The state of one running message. What every opcode may touch comes first and shares cache lines.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Frame {
    pub gas: Gas,
    pub memory: Memory,
    /// Where the frame goes on, an offset in the code.
    pub position: usize,
    /// Number of items on its stack.
    pub height: usize,
    /// Where its stack begins in the interpreter's [`crate::stack::Stack`].
    pub base: usize,
    pub code: Arc<Code>,
    /// The decoded form, where the advanced mode runs the frame.
    pub program: Option<Id>,
    /// The message, without its input.
    pub message: Message,
    pub input: Input,
    /// Return data of the last call (EIP-211).
    pub return_data: Bytes,
    /// Where the output of the call under way goes.
    pub call_output: Range<usize>,
    /// Refund counter of this frame and of those it called that succeeded.
    pub refund: i64,
    /// To undo what the frame did.
    pub checkpoint: Checkpoint,
    /// The account that the frame creates.
    pub creating: Option<Address>,
}

/// Call data.
#[derive(Debug)]
pub(crate) enum Input {
    /// The embedder's.
    Whole(Bytes),
    /// A range of the caller's memory, which rests while the frame runs. Nothing is copied: a call costs
    /// the same gas however much it passes.
    Caller(Range<usize>),
}

impl Input {
    /// The bytes, for a frame with this caller.
    #[inline]
    pub fn bytes<'a>(&'a self, caller: Option<&'a Frame>) -> &'a [u8] {
        match (self, caller) {
            (Input::Caller(range), Some(caller)) => caller.memory.slice(range.clone()),
            (Input::Whole(bytes), _) => bytes,
            (Input::Caller(_), None) => unreachable!("the first frame has its input whole"),
        }
    }
}

/// What an opcode's function sees: the running frame, those that wait for it, the host and the rules of
/// the fork.
pub(crate) struct Machine<'a> {
    pub frame: Frame,
    /// The frames that called, the last one the running frame's.
    pub callers: Vec<Frame>,
    pub host: &'a mut dyn Host,
    pub rules: &'a Rules,
    pub stack: &'a mut Stack,
    pub advanced: slot_ir::Registers,
    pub traditional: Registers,
    /// Counts SSTOREs, for what remembers slots.
    pub stores: u64,
    /// Hashes of this message, where the mode remembers them.
    pub memo: Option<&'a mut Memo>,
}

impl Machine<'_> {
    /// The running frame's call data.
    #[inline]
    pub fn input(&self) -> &[u8] {
        self.frame.input.bytes(self.callers.last())
    }
}

/// What the traditional mode's handlers share of a running frame, besides the machine's.
#[derive(Debug)]
pub(crate) struct Registers {
    /// Item 0 of the frame's stack.
    pub base: *mut Word,
    /// The first byte of the code.
    pub start: *const u8,
    /// Where jumps may land, a bit a byte.
    pub jumpdests: *const [u64],
    pub fork: Fork,
    /// Who watches, whose type the handlers know.
    pub observer: *mut (),
    pub exit: Option<Exit>,
    #[cfg(not(tail_calls))]
    pub gas: i64,
}

impl Default for Registers {
    fn default() -> Registers {
        Registers {
            base: std::ptr::null_mut(),
            start: std::ptr::null(),
            jumpdests: &[],
            fork: Fork::default(),
            observer: std::ptr::null_mut(),
            exit: None,
            #[cfg(not(tail_calls))]
            gas: 0,
        }
    }
}

/// Why a mode returned from its dispatch loop.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "made once a frame, and moved once"
)]
pub(crate) enum Exit {
    /// The frame ended; its output lies in its memory.
    Success(Range<usize>),
    /// The frame undid itself; its output lies in its memory.
    Revert(Range<usize>),
    /// The frame failed.
    Halt(Halt),
    /// The frame has jumped to a jumpdest that its observer wants.
    Jump,
    /// The frame calls: run the message, put its output there, push its result.
    Call {
        message: Message,
        /// The message's input, in the frame's memory.
        input: Range<usize>,
        output: Range<usize>,
    },
}

impl From<Halt> for Exit {
    fn from(halt: Halt) -> Exit {
        Exit::Halt(halt)
    }
}
