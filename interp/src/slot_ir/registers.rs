//! What the advanced mode keeps in the machine while a stream runs, and why a stream was left.

use super::loads::Loads;
use super::program::Program;
use crate::outcome::Halt;
use crate::word::Word;

/// Why the stream was left; the frame says where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamExit {
    /// The frame failed.
    Halt(Halt),
    /// The traditional mode is to go on.
    Resume,
    /// For an entry that does not exist yet, from the instruction at this index; 0 for a dynamic jump.
    Entry { from: usize },
}

/// What the advanced mode's handlers share of a running frame, besides the machine's.
#[derive(Debug)]
pub(crate) struct Registers {
    /// Item 0 of the frame's stack.
    pub base: *const Word,
    /// The program whose stream is run.
    pub program: *mut Program,
    /// What SLOAD found since the stream was entered.
    pub slots: *mut Loads,
    pub exit: StreamExit,
    #[cfg(not(tail_calls))]
    pub gas: i64,
}

impl Default for Registers {
    fn default() -> Registers {
        Registers {
            base: std::ptr::null(),
            program: std::ptr::null_mut(),
            slots: std::ptr::null_mut(),
            exit: StreamExit::Resume,
            #[cfg(not(tail_calls))]
            gas: 0,
        }
    }
}
