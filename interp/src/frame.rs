//! A frame, the machine that runs one, and why it stops. Calls and creates are data here: whoever
//! drives the machine (`interpreter`) stacks frames in a vector, never on the native stack.

use crate::advanced::{self, Id};
use crate::code::Code;
use crate::gas::{Gas, Rules};
use crate::host::{Checkpoint, Host};
use crate::keccak::Memo;
use crate::memory::Memory;
use crate::message::Message;
use crate::outcome::Halt;
use crate::stack::Stack;
use crate::traditional;
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
    pub advanced: advanced::Registers,
    pub traditional: traditional::Registers,
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
    /// The frame calls: run the message, put its output there, push what came of it.
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
