//! Samples explained: collected from a verified case or a recording, unwound, symbolized once, then folded into
//! stacks, attributed to opcodes and to positions in contracts, and drawn.
//!
//! Owns what samples mean. Taking them is left to `instruments` and `measure`, tables and reports to
//! `evmscope_reports`.

pub mod collect;
pub mod contracts;
pub mod flamegraph;
pub mod fold;
pub mod opcode_costs;
pub mod perf_data;
pub mod symbolize;
pub mod unwind;
