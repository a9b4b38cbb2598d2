//! The built binary as people use it: its words, its files and its exit codes, a file per subject. What needs an
//! optional tool asks `support::tools` for it, and says what it skipped.

mod support;

mod bench;
mod browser;
mod built;
mod code;
mod diff;
mod environments;
mod flamegraph;
mod help;
mod outputs;
mod perf_data;
mod pgo;
mod production;
mod profile;
mod records;
mod refusals;
mod run;
mod signals;
mod statetest;
mod trace;
mod verification;
mod width;
