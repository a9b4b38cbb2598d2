//! The data model of a run, its statistics, the diff of two sides and the renderers.
//!
//! This crate never measures, spawns or prints: it turns data into data or text. What fills a
//! [`Run`] is the profiler's business.
#![forbid(unsafe_code)]

pub mod counter;
pub mod diff;
pub mod format;
pub mod history;
pub mod merge;
pub mod pgo;
pub mod render;
pub mod run;
pub mod stats;

pub use run::Run;
