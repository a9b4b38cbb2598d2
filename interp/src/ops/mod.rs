//! The semantics of each opcode, written once for all modes, as functions from operands to results.
//!
//! When a function is called, the stack has been checked and popped (operand 0 was on top), static gas has
//! been charged, and the opcode exists in the fork. The modes do operand fetch, dispatch, static gas and
//! jumps; the functions do everything else, including dynamic gas. Their signatures are given by the classes
//! of the table in `opcode`.

pub(crate) mod arithmetic;
pub(crate) mod bitwise;
pub(crate) mod call;
pub(crate) mod control;
pub(crate) mod environment;
pub(crate) mod log;
pub(crate) mod memory;
pub(crate) mod storage;
