//! Samples of a verified case. `profile` explains what their addresses mean.

use super::{BATCH, Calls, length};
use crate::engines::verify::Verified;
use crate::instruments::clock::ThreadClock;
use crate::instruments::region::measured_region;
use crate::instruments::sampling::{self, Request, Sampler, Samples, Stack};
use crate::instruments::span::span;
use anyhow::Result;
use evmscope_reports::counter::Counter;
use std::time::Duration;

/// Most samples per call with [`Stack::Deep`]: they must fit the ring, which is emptied between calls.
const DEEP_SAMPLES: u64 = 300;

/// Most samples per call with [`Stack::Top`]. In longer calls only addresses are sampled.
const TOP_SAMPLES: u64 = 800;

/// How to sample for flamegraphs.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    /// The only sampler of time to try; none for the best that works.
    pub sampler: Option<Sampler>,
    /// Samples per second of CPU time.
    pub hz: u32,
    /// Wall-clock time to spend on each engine.
    pub budget: Duration,
}

impl Sampling {
    /// By the best sampler that works on this machine.
    pub fn new(hz: u32, budget: Duration) -> Sampling {
        Sampling {
            sampler: None,
            hz,
            budget,
        }
    }
}

/// Samples an engine.
pub fn sample_calls(v: &mut Verified, sampling: Sampling) -> Result<Samples> {
    sampled(v, sampling, None)
}

/// Samples an engine on a PMU event.
pub fn sample_event(v: &mut Verified, sampling: Sampling, event: Counter) -> Result<Samples> {
    sampled(v, sampling, Some(event))
}

fn sampled(v: &mut Verified, sampling: Sampling, event: Option<Counter>) -> Result<Samples> {
    let _span = span("sampling");
    let clock = ThreadClock::open()?;
    v.engine.keep_places();
    let length = length(&clock, v, Calls::Warm)?;
    let calls = (sampling.budget.as_nanos() as u64 / length).clamp(1, BATCH) as usize;
    let per_call = length.saturating_mul(sampling.hz.into()) / 1_000_000_000;
    let request = Request {
        sampler: sampling.sampler,
        hz: sampling.hz,
        budget: sampling.budget,
        chain: false,
        words: match per_call {
            0..DEEP_SAMPLES => Some(Stack::Deep),
            DEEP_SAMPLES..TOP_SAMPLES => Some(Stack::Top),
            _ => None,
        },
    };
    let (mut ready, mut called) = (0, Ok(()));
    let mut work = || {
        if ready == 0 {
            ready = v.engine.prepare(calls);
        }
        ready -= 1;
        measured_region(&mut || {
            if called.is_ok() {
                called = v.engine.call();
            }
        });
    };
    let samples = match event {
        Some(event) => sampling::sample_on(event, &request, &mut work)?,
        None => sampling::sample(&request, &mut work)?,
    };
    called.map(|()| samples)
}
