//! Measuring instruments: kernel and CPU counters, sampling, a simulated CPU, the thread's clock, allocator counts.
//! Each takes a piece of work and returns figures. They know nothing of cases and engines.

pub mod callgrind;
pub mod clock;
pub mod counters;
pub mod heap;
pub mod region;
pub mod sampling;
pub mod span;
