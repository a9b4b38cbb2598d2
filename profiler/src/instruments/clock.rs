//! The clock behind every time figure: CPU time of the calling thread.
//!
//! Reads the clock and measures its resolution. The caller decides how many samples to take.

use nix::errno::Errno;
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use thiserror::Error;

const CLOCK: ClockId = ClockId::CLOCK_THREAD_CPUTIME_ID;

/// The coarsest usable step, ns: 1 % of a 10 ms sample.
pub const COARSEST_STEP: u64 = 100_000;

/// Readings from which the clock's cost is taken: about 1 ms.
const READINGS: u64 = 2_000;

/// Why thread CPU time cannot be used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ClockError {
    /// The kernel refuses the clock.
    #[error("the kernel has no clock for thread CPU time: {}", .0.desc())]
    Absent(Errno),
    /// The clock does not advance while the thread computes.
    #[error("the clock for thread CPU time does not advance")]
    Still,
}

/// Thread CPU time, `clock_gettime(CLOCK_THREAD_CPUTIME_ID)`; holding one proves that it works.
#[derive(Clone, Copy, Debug)]
pub struct ThreadClock {
    cost: u64,
}

/// Resolution and overhead of [`ThreadClock`], in ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Cost of one reading.
    pub read: u64,
    /// The smallest nonzero difference between consecutive readings.
    pub step: u64,
}

impl Resolution {
    /// Whether a 10 ms sample is accurate to 1 %.
    pub fn is_fine(&self) -> bool {
        self.step <= COARSEST_STEP
    }
}

impl ThreadClock {
    /// Checks that the clock exists.
    pub fn open() -> Result<Self, ClockError> {
        clock_gettime(CLOCK).map_err(ClockError::Absent)?;
        let mut clock = Self { cost: 0 };
        let start = clock.now();
        for _ in 0..READINGS {
            std::hint::black_box(clock.now());
        }
        clock.cost = (clock.now() - start) / READINGS;
        Ok(clock)
    }

    /// What timing adds to a span, ns: the end of one reading and the beginning of the next.
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// CPU time of the calling thread so far, user and kernel, in ns.
    pub fn now(&self) -> u64 {
        // clock_gettime(2) fails only for an unknown clock or a bad pointer; `open` ruled out the first.
        let time = clock_gettime(CLOCK).expect("`open` checked that the clock exists");
        time.num_nanoseconds().unsigned_abs()
    }

    /// CPU time that `work` took on this thread, in ns.
    pub fn time(&self, work: impl FnOnce()) -> u64 {
        let start = self.now();
        work();
        self.now() - start
    }

    /// Measures the clock itself: `clock_getres` reports 1 ns on any hardware.
    pub fn resolution(&self) -> Result<Resolution, ClockError> {
        let start = self.now();
        let mut last = start;
        let mut step = u64::MAX;
        for _ in 0..READINGS {
            let now = self.now();
            if now > last {
                step = step.min(now - last);
                last = now;
            }
        }
        match last - start {
            0 => Err(ClockError::Still),
            total => Ok(Resolution {
                read: total / READINGS,
                step,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn counts_work_and_not_sleep() {
        let clock = ThreadClock::open().unwrap();
        let slept = clock.time(|| std::thread::sleep(Duration::from_millis(50)));
        assert!(slept < 25_000_000, "{slept} ns of sleep were counted");
        let worked = clock.time(|| {
            for i in 0..1_000_000u32 {
                std::hint::black_box(i);
            }
        });
        assert!(worked > 10_000, "a million steps took {worked} ns");
    }

    #[test]
    fn the_step_is_below_1_percent_of_a_sample() {
        let resolution = ThreadClock::open().unwrap().resolution().unwrap();
        assert!(resolution.is_fine(), "{resolution:?}");
        assert!(resolution.step > 0);
    }
}
