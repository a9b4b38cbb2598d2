//! Counting: the events of the kernel and the PMU that one call of the work causes.
//!
//! Owns which counters this machine offers ([`Probe`]), how they are grouped ([`Plan`]), on which
//! kind of core of a hybrid CPU they count ([`pin_to_one_kind`]), and the reading of them. Time is left to `clock`,
//! simulated figures to `callgrind`.

mod cores;
mod kernel;
mod plan;
mod refusal;

#[cfg(test)]
mod fake;

#[cfg(test)]
pub use fake::Fake;

pub use cores::{Pinned, Unpinned, pin_to_one_kind};
pub use kernel::{Kernel, Linux, event};
pub use plan::{Plan, Probe};

use evmscope_reports::counter::Counter;
use evmscope_reports::run::Unavailable;

/// One counter's figure for one call of the work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Which counter.
    pub counter: Counter,
    /// Per call, in the counter's unit, scaled up where the kernel multiplexed it.
    pub value: f64,
    /// Share of the time the counter really ran, above 0 and up to 1.
    pub coverage: f64,
}

/// What a pass over the work brought: figures, and for the rest the reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    /// The counters that ran.
    pub readings: Vec<Reading>,
    /// The counters that did not run this time, although the plan expected them to.
    pub unavailable: Vec<Unavailable>,
}
