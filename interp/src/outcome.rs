//! How an execution ends: the status, the named failures, and what else is told of it.

use alloy_primitives::{Address, Bytes};
use std::fmt;
use std::ops::AddAssign;

/// Why a frame failed. All of its gas is gone and its changes are undone (Yellow Paper, 9.4.2: Z).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[allow(missing_docs, reason = "the messages are the documentation")]
pub enum Halt {
    #[error("out of gas")]
    OutOfGas,
    #[error("stack underflow")]
    StackUnderflow,
    #[error("stack overflow")]
    StackOverflow,
    #[error("jump to no jumpdest")]
    InvalidJump,
    #[error("undefined opcode")]
    UndefinedOpcode,
    #[error("opcode INVALID")]
    InvalidOpcode,
    #[error("state change in a static call")]
    StaticViolation,
    #[error("read beyond the return data")]
    ReturnDataOutOfBounds,
    #[error("call deeper than 1,024 frames")]
    CallDepth,
    #[error("balance below the value to transfer")]
    InsufficientBalance,
    #[error("nonce at its limit")]
    NonceOverflow,
    #[error("the address to create is taken")]
    CreateCollision,
    #[error("code over the size limit")]
    CodeSizeLimit,
    #[error("init code over the size limit")]
    InitCodeSizeLimit,
    #[error("code starts with 0xef")]
    CodePrefix,
    #[error("precompile refused its input")]
    Precompile,
}

impl Halt {
    /// The name in reports and case files, kebab case.
    pub const fn name(self) -> &'static str {
        match self {
            Halt::OutOfGas => "out-of-gas",
            Halt::StackUnderflow => "stack-underflow",
            Halt::StackOverflow => "stack-overflow",
            Halt::InvalidJump => "invalid-jump",
            Halt::UndefinedOpcode => "undefined-opcode",
            Halt::InvalidOpcode => "invalid-opcode",
            Halt::StaticViolation => "static-violation",
            Halt::ReturnDataOutOfBounds => "return-data-out-of-bounds",
            Halt::CallDepth => "call-depth",
            Halt::InsufficientBalance => "insufficient-balance",
            Halt::NonceOverflow => "nonce-overflow",
            Halt::CreateCollision => "create-collision",
            Halt::CodeSizeLimit => "code-size-limit",
            Halt::InitCodeSizeLimit => "init-code-size-limit",
            Halt::CodePrefix => "code-prefix",
            Halt::Precompile => "precompile",
        }
    }

    /// Whether the call never began: nothing was spent, and the gas sent with it comes back.
    pub(crate) const fn before_start(self) -> bool {
        matches!(
            self,
            Halt::CallDepth | Halt::InsufficientBalance | Halt::NonceOverflow
        )
    }
}

/// How a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// STOP, RETURN, SELFDESTRUCT, or the end of the code.
    Success,
    /// REVERT: changes are undone, gas left comes back, there is output.
    Revert,
    /// A failure: changes are undone and the gas is gone.
    Halt(Halt),
}

impl Status {
    /// The name in reports and case files.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Success => "success",
            Status::Revert => "revert",
            Status::Halt(halt) => halt.name(),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The result of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// Gas used, before any refund and without a transaction's intrinsic gas.
    pub gas_used: u64,
    /// Gas left of the message's gas.
    pub gas_left: u64,
    /// The refund counter (EIP-3529), before the cap of a transaction; 0 unless `status` is success.
    /// Negative where clears from before this message were taken back.
    pub refund: i64,
    /// Return or revert data; the deployed code's address is in `created`, its code in the host.
    pub output: Bytes,
    /// The address of the contract that a successful creation made.
    pub created: Option<Address>,
    /// How the modes worked, for tuning; not part of the EVM's result.
    pub statistics: Statistics,
}

/// How an interpreter went about a message. Two modes agree on everything but this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Frames run, the first one included; precompiles and refused calls are not frames.
    pub frames: u64,
    /// Entry points translated, because they had become hot.
    pub translated: u64,
    /// Frames that the advanced mode ran as the traditional one, because their code is too long to be
    /// translated (more than 65,503 bytes), or too many programs are in use. Init code is never translated, and
    /// not counted.
    pub refused: u64,
    /// How often a trace handed its frame to the traditional mode: to call, to end, or to find out what
    /// went wrong.
    pub resumed: u64,
    /// Frames whose program was kept already.
    pub hits: u64,
    /// Frames that began a program.
    pub misses: u64,
    /// Frames of short code that ran for the first time: it gets a program when it comes back.
    pub postponed: u64,
    /// Hashes that the keccak memo gave, in whichever mode has one.
    pub memo_hits: u64,
}

impl AddAssign for Statistics {
    fn add_assign(&mut self, other: Statistics) {
        // Taken apart, so that a new figure cannot be forgotten here.
        let Statistics {
            frames,
            translated,
            refused,
            resumed,
            hits,
            misses,
            postponed,
            memo_hits,
        } = other;
        self.frames += frames;
        self.translated += translated;
        self.refused += refused;
        self.resumed += resumed;
        self.hits += hits;
        self.misses += misses;
        self.postponed += postponed;
        self.memo_hits += memo_hits;
    }
}
