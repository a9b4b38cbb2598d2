//! The slot IR as data: what the advanced mode translates code into, and what it keeps of it in the machine. Who makes
//! it is `advanced::translate`, who runs it `advanced::run`.

pub(crate) mod instruction;
mod loads;
mod program;
mod registers;

pub(crate) use loads::Loads;
pub use program::Place;
pub(crate) use program::{EncodedTrace, Id, LONGEST, Program};
pub(crate) use registers::{Registers, StreamExit};
