//! What each opcode means, written once for all modes, as functions from operands to results.
//!
//! The contract of all of them: the stack is checked and popped, operand 0 was on top; static gas is
//! charged; the opcode exists in the fork. They own dynamic gas and everything that is not operand
//! fetch, dispatch, static gas or jumps. Their signatures are the classes of the table in `opcode`.

pub(crate) mod arithmetic;
pub(crate) mod bitwise;
pub(crate) mod call;
pub(crate) mod control;
pub(crate) mod environment;
pub(crate) mod log;
pub(crate) mod memory;
pub(crate) mod storage;
