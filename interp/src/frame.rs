//! A frame, the machine that runs it, and the reasons to leave the dispatch loop. Calls and creations are
//! data: the `driver` keeps frames in a vector, never on the native stack.
//!
//! Unsafe: the pointer to a frame's call data.

#![allow(unsafe_code)]

use crate::code::Code;
use crate::fork::Fork;
use crate::gas::{Gas, Rules};
use crate::host::{Checkpoint, Host};
use crate::keccak::Memo;
use crate::memory::Memory;
use crate::message::{Header, Kind};
use crate::outcome::Halt;
use crate::slot_ir::{self, Id};
use crate::stack::Stack;
use crate::word::Word;
use alloy_primitives::{Address, Bytes};
use std::mem;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// The state of one running message, as far as many opcodes use it. A call moves it twice: it is small, and what few
/// opcodes use is in its [`Context`].
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Frame {
    pub gas: Gas,
    pub memory: Memory,
    /// Call data.
    pub input: Input,
    /// Where the frame continues, as an offset in the code.
    pub position: usize,
    /// Number of items on its stack.
    pub height: usize,
    /// Where its stack begins in the interpreter's [`crate::stack::Stack`].
    pub base: usize,
    pub code: Arc<Code>,
    /// The translated program, if the advanced mode runs the frame.
    pub program: Option<Id>,
    pub context: Box<Context>,
}

// Up to 128 bytes are moved without a call of `memcpy`.
const _: () = assert!(size_of::<Frame>() <= 128);

/// The rest of a frame. Its allocation is used again for later frames.
#[derive(Debug)]
pub(crate) struct Context {
    pub message: Header,
    /// Return data of the last call (EIP-211).
    pub return_data: Output,
    /// Where the output of the current call goes, in memory.
    pub call_output: Range<usize>,
    /// Refund counter of this frame and its successful calls.
    pub refund: i64,
    /// Where to revert to if the frame fails.
    pub checkpoint: Checkpoint,
    /// The account that the frame creates.
    pub creating: Option<Address>,
}

/// Those of frames that ended, for later ones.
#[allow(
    clippy::vec_box,
    reason = "a context moves between here and its frame by its pointer"
)]
pub(crate) type Contexts = Vec<Box<Context>>;

impl Default for Context {
    /// Of no message yet.
    fn default() -> Context {
        Context {
            message: Header {
                kind: Kind::Call,
                gas: 0,
                caller: Address::ZERO,
                recipient: Address::ZERO,
                code_address: Address::ZERO,
                value: Word::ZERO,
                is_static: false,
                depth: 0,
            },
            return_data: Output::None,
            call_output: 0..0,
            refund: 0,
            checkpoint: Checkpoint(0),
            creating: None,
        }
    }
}

/// Output of a message. Its caller keeps it as return data until the next call.
#[derive(Debug, Default)]
pub(crate) enum Output {
    #[default]
    None,
    /// Of a precompile.
    Whole(Bytes),
    /// A range of the memory of the frame that ended. Nothing is copied, and nothing allocated.
    Memory(Memory, Range<usize>),
}

impl Output {
    /// The output of a frame: a range of its memory, which it needs no longer.
    pub fn of(memory: &mut Memory, range: Range<usize>) -> Output {
        if range.is_empty() {
            return Output::None;
        }
        Output::Memory(mem::take(memory), range)
    }

    /// Without looking at the bytes, of which the slice would check the bounds.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Output::None => 0,
            Output::Whole(bytes) => bytes.len(),
            Output::Memory(_, range) => range.len(),
        }
    }

    /// The memory that it lies in, which a frame to come can use.
    pub fn into_memory(self) -> Option<Memory> {
        match self {
            Output::Memory(memory, _) => Some(memory),
            Output::None | Output::Whole(_) => None,
        }
    }
}

impl Deref for Output {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Output::None => &[],
            Output::Whole(bytes) => bytes,
            Output::Memory(memory, range) => memory.slice(range.clone()),
        }
    }
}

/// Call data: bytes that somebody else keeps while the frame runs. That is the caller's memory, which is not copied
/// because a call costs the same gas whatever the size of its input, or the embedder's message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input(*const [u8]);

// SAFETY: the bytes are only read.
unsafe impl Send for Input {}
// SAFETY: the bytes are only read.
unsafe impl Sync for Input {}

impl Input {
    /// No bytes.
    pub const EMPTY: Input = Input(&[]);

    /// # Safety
    /// The bytes stay where they are, and as they are, as long as the input is read.
    pub unsafe fn new(bytes: &[u8]) -> Input {
        Input(bytes)
    }

    /// The bytes.
    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: guaranteed by who made it.
        unsafe { &*self.0 }
    }
}

/// What an opcode's function sees: the running frame, its callers, the host and the rules of the fork.
pub(crate) struct Machine<'a> {
    pub frame: Frame,
    /// The calling frames, the direct caller last. The allocation outlives the message.
    pub callers: &'a mut Vec<Frame>,
    /// The message of the call that an opcode makes: the context of the frame to come.
    pub next: Box<Context>,
    /// Its input, in the frame's memory.
    pub next_input: Range<usize>,
    pub host: &'a mut dyn Host,
    pub rules: &'a Rules,
    pub stack: &'a mut Stack,
    pub advanced: slot_ir::Registers,
    pub traditional: Registers,
    /// Number of SSTOREs, for caches of slots.
    pub stores: u64,
    /// Cache of this message's hashes, if the mode has one.
    pub memo: Option<&'a mut Memo>,
    /// What an opcode that ran out of gas could not pay, for tracers.
    pub unpaid: u64,
}

impl Machine<'_> {
    /// Charges `cost`, and keeps it for tracers if less is left.
    #[inline(always)]
    pub fn charge(&mut self, cost: u64) -> Result<(), Halt> {
        match self.frame.gas.charge(cost) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.short(cost)),
        }
    }

    /// The opcode cannot pay `unpaid`.
    #[cold]
    #[inline(never)]
    pub fn short(&mut self, unpaid: u64) -> Halt {
        self.unpaid = unpaid;
        Halt::OutOfGas
    }
}

/// Registers of the traditional mode's handlers for the running frame.
#[derive(Debug)]
pub(crate) struct Registers {
    /// Item 0 of the frame's stack.
    pub base: *mut Word,
    /// The first byte of the code.
    pub start: *const u8,
    /// Valid jump destinations, one bit per byte of code.
    pub jumpdests: *const [u64],
    pub fork: Fork,
    /// The observer, whose type the handlers know.
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
pub(crate) enum Exit {
    /// The frame ended; its output is this range of its memory.
    Success(Range<usize>),
    /// The frame reverted; its output is this range of its memory.
    Revert(Range<usize>),
    /// The frame failed.
    Halt(Halt),
    /// The frame jumped to a jumpdest at which its observer wants to leave the loop.
    Jump,
    /// The frame calls: run the machine's next message, put its output where the frame wants it, push its result.
    Call,
}

impl From<Halt> for Exit {
    fn from(halt: Halt) -> Exit {
        Exit::Halt(halt)
    }
}
