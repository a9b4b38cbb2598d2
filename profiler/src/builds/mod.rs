//! Compares builds of this program, each run as a process: a base and a head, or a release build and one with a
//! profile.
//!
//! A build serves samples of itself behind a hidden verb ([`serve()`]). The comparing process starts the builds
//! and requests samples in turn ([`interleave()`], [`opcode_runs()`]). `protocol` defines the messages, `process` is the client side
//! of one build. `evmscope_reports::stats` evaluates the samples.

mod interleave;
mod opcode_runs;
pub mod pgo;
mod plan;
mod process;
pub mod protocol;
mod serve;
mod side;

pub use interleave::{Failed, examine, expect_none, interleave, time_modes};
pub use opcode_runs::opcode_runs;
pub use plan::{Plan, Turns};
pub use serve::serve;

/// The hidden verb that serves samples. It takes no options, so that all builds accept the same command line;
/// the protocol carries everything else.
pub const VERB: &str = "__samples";
