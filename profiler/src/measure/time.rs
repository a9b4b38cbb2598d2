//! Times of verified cases: samples of about 10 ms of thread CPU time, the engines in shuffled order.

use super::{Calls, SAMPLE, length};
use crate::engines::verify::Verified;
use crate::instruments::clock::ThreadClock;
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
    let mut samples = vec![Vec::with_capacity(pairs); verified.len()];
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
            Ok(Measurement::new(
                &v.case.name,
                v.id.name(),
                Counter::CpuTime,
                samples,
            )?)
        })
        .collect()
}

/// One sample: calls until their time reaches [`SAMPLE`], in batches; preparing a batch is not timed.
fn sample(clock: &ThreadClock, v: &mut Verified, calls: Calls, length: u64) -> Result<f64> {
    let (mut done, mut time) = (0, 0);
    while time < SAMPLE {
        let batch = calls.batch(length, SAMPLE - time, clock.cost());
        let (took, ran) = timed(clock, v, calls, batch)?;
        time += took;
        done += ran;
    }
    Ok(time as f64 / done as f64)
}

/// CPU time of a span of up to `batch` calls, ns, and how many calls it has.
fn timed(clock: &ThreadClock, v: &mut Verified, calls: Calls, batch: u64) -> Result<(u64, u64)> {
    let ready = calls.prepare(v, batch);
    let mut called = Ok(());
    let time = clock.time(|| called = (0..ready).try_for_each(|_| v.engine.call()));
    called.map(|()| (time, ready))
}

/// CPU time of a warm call, ns, from a sample that also warms caches and predictors.
pub fn calibrate(clock: &ThreadClock, v: &mut Verified) -> Result<f64> {
    let length = length(clock, v, Calls::Warm)?;
    sample(clock, v, Calls::Warm, length)
}

/// One sample of a fixed number of calls: CPU time per call, ns. Compared processes thus do the same work.
pub fn sample_of(clock: &ThreadClock, v: &mut Verified, kind: Calls, calls: u64) -> Result<f64> {
    let (mut done, mut time) = (0, 0);
    while done < calls {
        let (took, ran) = timed(clock, v, kind, (calls - done).min(kind.most()))?;
        time += took;
        done += ran;
    }
    Ok(time as f64 / done.max(1) as f64)
}
