//! Times of verified cases: samples of about 10 ms of thread CPU time, the engines in shuffled order.

use super::{Calls, SAMPLE, length};
use crate::engines::verify::Verified;
use crate::instruments::clock::ThreadClock;
use crate::instruments::counters::page_faults;
use crate::instruments::span::span;
use anyhow::Result;
use evmscope_reports::counter::Counter;
use evmscope_reports::run::Measurement;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;

/// Seed of the shuffled order, the same in every run of the tool.
pub const SHUFFLE: u64 = 0x5eed;

/// Times every engine of one case: `pairs` samples each, taken in rounds with a new random order per round. The unit
/// is ns of thread CPU time per call.
pub fn time(
    verified: &mut [Verified],
    pairs: usize,
    calls: Calls,
    tick: &mut dyn FnMut(),
) -> Result<Vec<Measurement>> {
    let _span = span("timing");
    let clock = ThreadClock::open()?;
    let mut samples: Vec<Vec<Sample>> = vec![Vec::with_capacity(pairs); verified.len()];
    let mut order: Vec<usize> = (0..verified.len()).collect();
    let mut rng = SmallRng::seed_from_u64(SHUFFLE);
    let lengths: Vec<u64> = verified
        .iter_mut()
        .map(|v| length(&clock, v, calls))
        .collect::<Result<_>>()?;
    for _ in 0..pairs {
        order.shuffle(&mut rng);
        for &i in &order {
            samples[i].push(sample(&clock, &mut verified[i], calls, lengths[i])?);
        }
        tick();
    }
    let named = verified.iter().zip(samples);
    named
        .map(|(v, samples)| {
            let times = samples.iter().map(|it| it.time).collect();
            let measured = Measurement::new(&v.case.name, v.id.name(), Counter::CpuTime, times)?;
            let faults = samples.iter().map(|it| it.faults).sum::<f64>() / samples.len() as f64;
            Ok(Measurement {
                faults: Some(faults),
                ..measured
            })
        })
        .collect()
}

/// Figures per call of one sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// CPU time, ns.
    pub time: f64,
    /// Page faults.
    pub faults: f64,
}

/// Spans of calls, summed up.
#[derive(Default)]
struct Spans {
    calls: u64,
    /// CPU time, ns.
    time: u64,
    faults: u64,
}

impl Spans {
    /// Times up to `batch` calls; preparing them is not timed.
    fn add(
        &mut self,
        clock: &ThreadClock,
        v: &mut Verified,
        calls: Calls,
        batch: u64,
    ) -> Result<()> {
        let ready = calls.prepare(v, batch);
        let mut called = Ok(());
        let faults = page_faults()?;
        let time = clock.time(|| called = (0..ready).try_for_each(|_| v.engine.call()));
        self.faults += page_faults()? - faults;
        self.time += time;
        self.calls += ready;
        called
    }

    fn per_call(&self) -> Sample {
        let calls = self.calls.max(1) as f64;
        Sample {
            time: self.time as f64 / calls,
            faults: self.faults as f64 / calls,
        }
    }
}

/// One sample: spans of calls until their time reaches [`SAMPLE`].
fn sample(clock: &ThreadClock, v: &mut Verified, calls: Calls, length: u64) -> Result<Sample> {
    let mut spans = Spans::default();
    while spans.time < SAMPLE {
        let batch = calls.batch(length, SAMPLE - spans.time, clock.cost());
        spans.add(clock, v, calls, batch)?;
    }
    Ok(spans.per_call())
}

/// CPU time of a warm call, ns, from a sample that also warms caches and predictors.
pub fn calibrate(clock: &ThreadClock, v: &mut Verified) -> Result<f64> {
    let length = length(clock, v, Calls::Warm)?;
    Ok(sample(clock, v, Calls::Warm, length)?.time)
}

/// One sample of a fixed number of calls. Compared processes thus do the same work.
pub fn sample_of(clock: &ThreadClock, v: &mut Verified, kind: Calls, calls: u64) -> Result<Sample> {
    let mut spans = Spans::default();
    while spans.calls < calls {
        let batch = (calls - spans.calls).min(kind.most());
        spans.add(clock, v, kind, batch)?;
    }
    Ok(spans.per_call())
}
