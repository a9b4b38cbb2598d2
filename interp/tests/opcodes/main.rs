//! Every opcode in every mode: its row in the table, its result, its gas, and each way to fail. Calls,
//! creations and SELFDESTRUCT are in `calls`.
//!
//! One file per subject; they share `common`.

#[path = "../common/mod.rs"]
mod common;

mod arithmetic;
mod control;
mod effects;
mod environment;
mod memory;
mod rows;
mod storage;
