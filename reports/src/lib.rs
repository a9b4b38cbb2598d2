//! The data model of a run, its statistics, comparisons and renderers.
//!
//! This crate never measures, spawns or prints: it turns data into data or text. The profiler fills a [`Run`].
#![forbid(unsafe_code)]

pub mod change;
pub mod check;
pub mod counter;
pub mod diff;
pub mod format;
pub mod history;
pub mod materiality;
pub mod merge;
pub mod name;
pub mod opcodes;
pub mod pgo;
pub mod render;
pub mod run;
pub mod stats;
pub mod text;

pub use run::Run;
