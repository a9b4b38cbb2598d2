//! Samples explained: collected from a verified case or a recording, unwound, given names once, then folded into
//! stacks, shared out among opcodes and places in contracts, and drawn.

pub mod collect;
pub mod contracts;
pub mod flamegraph;
pub mod fold;
pub mod opcode_costs;
pub mod perf_data;
pub mod symbolize;
pub mod unwind;
