//! Builds of this program as processes that are measured beside each other: a base and a head, or a
//! release build and one with a profile.
//!
//! A build serves samples of itself behind a hidden verb ([`serve()`]); whoever compares starts it and asks
//! ([`interleave()`]). `protocol` is what they say to each other, `process` one of them as it is asked. What
//! the samples mean is the business of `evmscope_reports::stats`.

mod interleave;
pub mod pgo;
mod process;
mod protocol;
mod serve;

pub use interleave::{Plan, examine, interleave};
pub use serve::serve;

/// The hidden verb that serves samples. It takes no options, so that every build that has it understands
/// the command line; all else is said in the protocol.
pub const VERB: &str = "__samples";
