//! Figures of verified cases: times in shuffled pairs, counters, samples, simulated counts. Each kind is measured in
//! a separate run. Nothing here prints or resolves symbols; `profile` explains what addresses mean.

pub mod ablation;

pub mod count;

pub mod memory;

pub mod opcode_counts;

pub mod record;

pub mod sample;

pub mod simulate;

pub mod time;

use crate::engines::verify::Verified;
use crate::instruments::clock::ThreadClock;
use anyhow::Result;
pub use count::count;
pub use sample::Sampling;
pub use time::time;

/// CPU time of a timed sample, ns. Shorter samples are dominated by the clock's resolution, longer ones by other load
/// on the machine.
pub const SAMPLE: u64 = 10_000_000;

/// Calls prepared at once, each with a world of its own; more where that is too short a span for the clock.
const BATCH: u64 = 256;

/// Most calls prepared at once.
const MOST: u64 = 4_096;

/// A span is at least this many times as long as timing it takes, so that the clock is below 1 % of it.
const SPANS_PER_CLOCK: u64 = 100;

/// CPU time of a batch of short cold calls, ns: many clock steps, but few interpreters, since each occupies a part of
/// the CPU's caches.
const COLD_BATCH: u64 = 50_000;

/// Most interpreters in a batch of cold calls.
const INTERPRETERS: u64 = 64;

/// Which calls of an interpreter are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// Calls after others: hot code is decoded.
    Warm,
    /// The first call of each interpreter.
    Cold,
}

impl Calls {
    /// Returns how many calls are ready.
    fn prepare(self, v: &mut Verified, calls: u64) -> u64 {
        let ready = match self {
            Calls::Warm => v.engine.prepare(calls as usize),
            Calls::Cold => v.engine.prepare_cold(calls as usize),
        };
        ready as u64
    }

    /// Most calls to time at once.
    fn most(self) -> u64 {
        match self {
            Calls::Warm => MOST,
            Calls::Cold => INTERPRETERS,
        }
    }

    /// How many calls of `length` ns to time at once, if `left` ns of the sample remain and a span costs `clock` ns to
    /// time.
    fn batch(self, length: u64, left: u64, clock: u64) -> u64 {
        match self {
            Calls::Warm => {
                let enough = (SPANS_PER_CLOCK * clock).div_ceil(length);
                (left / length).clamp(1, BATCH.max(enough).min(MOST))
            }
            Calls::Cold => (COLD_BATCH.min(left) / length).clamp(1, INTERPRETERS),
        }
    }
}

/// Estimates a call's CPU time, ns, at least 1. The second of two calls: the first warms caches.
///
/// # Errors
/// The engine cannot run a call to a result.
fn length(clock: &ThreadClock, v: &mut Verified, calls: Calls) -> Result<u64> {
    calls.prepare(v, 1);
    v.engine.call()?;
    calls.prepare(v, 1);
    let mut called = Ok(());
    let time = clock.time(|| called = v.engine.call());
    called.map(|()| time.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::Case;
    use crate::engines::EngineId;
    use crate::engines::verify::verify;
    use alloy_primitives::{Bytes, hex};
    use evmscope_interp::{Fork, Settings};

    #[test]
    fn cold_calls_have_the_outcome_of_warm_ones() {
        // Counts down from 100: hot within one call.
        let code = Bytes::from_static(&hex!("60645b6001900380600257"));
        let case = Case::ad_hoc(code, Bytes::new(), 100_000, Fork::Osaka);
        for mut v in verify(&case, &EngineId::all(), Settings::default()).unwrap() {
            let warm = v.engine.outcome().unwrap();
            for n in [1, 3, 2] {
                v.engine.prepare_cold(n);
                for _ in 0..n {
                    v.engine.call().unwrap();
                    assert_eq!(v.engine.outcome().unwrap(), warm);
                }
            }
            v.engine.prepare(1);
            v.engine.call().unwrap();
            assert_eq!(v.engine.outcome().unwrap(), warm);
        }
    }

    #[test]
    fn a_span_of_cold_calls_is_short() {
        const CLOCK: u64 = 300;
        assert_eq!(Calls::Cold.batch(200, SAMPLE, CLOCK), INTERPRETERS);
        assert_eq!(Calls::Cold.batch(10_000, SAMPLE, CLOCK), 5);
        assert_eq!(Calls::Cold.batch(SAMPLE, SAMPLE, CLOCK), 1);
        assert_eq!(Calls::Cold.batch(10_000, 1, CLOCK), 1);
        assert_eq!(Calls::Warm.batch(10_000, SAMPLE, CLOCK), BATCH);
    }

    #[test]
    fn the_clock_is_below_1_percent_of_a_span_of_short_calls() {
        const CLOCK: u64 = 400;
        for length in [20, 50, 150, 1_000] {
            let calls = Calls::Warm.batch(length, SAMPLE, CLOCK);
            assert!(
                calls * length >= 100 * CLOCK,
                "{calls} calls of {length} ns"
            );
        }
        assert_eq!(Calls::Warm.batch(1, SAMPLE, CLOCK), MOST);
    }
}
