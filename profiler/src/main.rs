//! The command `evmscope`: arguments and dispatch only.
#![deny(unsafe_code)]

// The rooms wait for the verbs that use them.
#[allow(dead_code)]
mod clock;
#[allow(dead_code, unused_imports)]
mod counters;
#[allow(dead_code)]
mod doctor;
#[allow(dead_code)]
mod flamegraph;

#[allow(dead_code)]
mod rig;
#[allow(dead_code)]
mod sampling;
#[allow(dead_code)]
mod simulate;
#[allow(dead_code)]
mod symbols;

fn main() {}
