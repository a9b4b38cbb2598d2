//! Every opcode in every mode: that its row in the table is true, what it computes, what it costs, and
//! each way to fail. Calls, creations and SELFDESTRUCT are in `calls`.
//!
//! A file a subject; they share `common`.

#[path = "../common/mod.rs"]
mod common;

mod arithmetic;
mod control;
mod effects;
mod environment;
mod memory;
mod rows;
mod storage;
