//! The advanced mode's registers in the machine while a stream runs, and the reasons to leave a stream.

use super::loads::Loads;
use super::program::Program;
use crate::outcome::Halt;
use crate::word::Word;

/// Why the stream was left; the position is in the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamExit {
    /// The frame failed.
    Halt(Halt),
    /// The traditional mode continues.
    Resume,
    /// To an entry that does not exist yet, from the instruction at this index; 0 for a dynamic jump.
    Entry { from: usize },
}

/// Registers of the advanced mode's handlers for the running frame.
#[derive(Debug)]
pub(crate) struct Registers {
    /// Item 0 of the frame's stack.
    pub base: *const Word,
    /// The program that runs.
    pub program: *mut Program,
    /// Values of slots since the stream was entered.
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
