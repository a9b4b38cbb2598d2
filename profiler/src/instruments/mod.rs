//! What measures: counters of the kernel and the CPU, sampling, a simulated CPU, the thread's clock, the
//! allocator's counts. Each instrument takes a piece of work and returns figures; which case that is and what the
//! figures mean is left to the rooms above.

pub mod callgrind;
pub mod clock;
pub mod counters;
pub mod heap;
pub mod region;
pub mod sampling;
pub mod span;
