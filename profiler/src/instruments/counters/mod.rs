//! Counting: the kernel and PMU events that one call of the work causes.
//!
//! [`Probe`] finds which counters this machine offers, [`Plan`] groups and reads them, and [`pin_to_one_kind`]
//! chooses a kind of core on hybrid CPUs. Time is measured by `clock`, simulated counters by `callgrind`.

mod cores;
mod kernel;
mod plan;
mod refusal;

#[cfg(test)]
mod fake;

#[cfg(test)]
pub use fake::Fake;

pub use cores::{Pinned, Unpinned, pin_to_one_kind};
pub use kernel::{Kernel, Linux, event, page_faults};
pub use plan::{Plan, Probe, Work};

use evmscope_reports::counter::Counter;
use evmscope_reports::run::Unavailable;

/// One counter's figure for one call of the work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Which counter.
    pub counter: Counter,
    /// Per call, in the counter's unit; scaled up if the kernel multiplexed the counter.
    pub value: f64,
    /// Share of the enabled time that the counter ran; above 0, at most 1.
    pub coverage: f64,
}

/// The result of one [`Plan::count`]: figures, and reasons for the counters without one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    /// The counters that ran.
    pub readings: Vec<Reading>,
    /// The counters that did not run although they were planned.
    pub unavailable: Vec<Unavailable>,
}
