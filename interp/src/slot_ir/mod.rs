//! The slot IR as data: the result of the advanced mode's translation, and its state in the machine.
//! `advanced::translate` generates it, `advanced::run` executes it.

pub(crate) mod instruction;
mod loads;
mod program;
mod registers;

pub(crate) use loads::Loads;
pub use program::Place;
pub(crate) use program::{EncodedTrace, Id, LONGEST, Program};
pub(crate) use registers::{Registers, StreamExit};
