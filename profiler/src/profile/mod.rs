//! Explains samples: collects them from a verified case or a recording, unwinds and symbolizes them once, then folds
//! them into stacks, attributes them to opcodes and to positions in contracts, and draws flamegraphs.
//!
//! `instruments` and `measure` take the samples, `evmscope_reports` renders tables and reports.

pub mod collect;
pub mod contracts;
pub mod flamegraph;
pub mod fold;
pub mod opcode_costs;
pub mod perf_data;
pub mod symbolize;
pub mod unwind;
