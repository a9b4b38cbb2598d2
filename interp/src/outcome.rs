//! The result of an execution: status, named failures, gas, output and statistics.

use alloy_primitives::{Address, Bytes};
use std::fmt;
use std::ops::AddAssign;

/// Why a frame failed. It loses all of its gas and its changes are reverted (Yellow Paper, 9.4.2: Z).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[allow(missing_docs, reason = "the messages are the documentation")]
pub enum Halt {
    #[error("out of gas")]
    OutOfGas,
    #[error("stack underflow")]
    StackUnderflow,
    #[error("stack overflow")]
    StackOverflow,
    #[error("invalid jump destination")]
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
    #[error("contract address collision")]
    CreateCollision,
    #[error("code over the size limit")]
    CodeSizeLimit,
    #[error("init code over the size limit")]
    InitCodeSizeLimit,
    #[error("code starts with 0xef")]
    CodePrefix,
    #[error("precompile failed")]
    Precompile,
}

impl Halt {
    /// The name in reports and case files, in kebab case.
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

    /// Whether the call failed before it started: its gas is returned to the caller.
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
    /// REVERT: changes are reverted, unused gas is returned, there may be output.
    Revert,
    /// A failure: changes are reverted and all gas is used.
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
    /// Unused gas of the message.
    pub gas_left: u64,
    /// The refund counter (EIP-3529), before the cap of a transaction; 0 unless `status` is success. Negative
    /// if the message reversed clears made before it.
    pub refund: i64,
    /// Return or revert data. Deployed code is in the host, at the address in `created`.
    pub output: Bytes,
    /// The address of the new contract after a successful creation.
    pub created: Option<Address>,
    /// How the mode ran the message, for tuning; not part of the EVM's result.
    pub statistics: Statistics,
}

/// How an interpreter ran a message. Only this differs between the modes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Frames run, including the first one. Precompiles and calls that fail before they start are not frames.
    pub frames: u64,
    /// Entry points translated because they became hot.
    pub translated: u64,
    /// Frames that the advanced mode ran in the traditional mode because their code is too long to be
    /// translated (more than 65,503 bytes) or too many programs are in use. Init code is never translated and
    /// not counted here.
    pub refused: u64,
    /// How often a trace handed its frame to the traditional mode: for a call, for the end of the frame, or
    /// to determine a failure.
    pub resumed: u64,
    /// Frames whose code already had a program.
    pub hits: u64,
    /// Frames for whose code a program was made.
    pub misses: u64,
    /// Frames of short code that ran for the first time. It gets a program when it runs again.
    pub postponed: u64,
    /// Hits of the keccak memo, in modes that have one.
    pub memo_hits: u64,
}

impl AddAssign for Statistics {
    fn add_assign(&mut self, other: Statistics) {
        // Destructured, so that a new field cannot be forgotten here.
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
