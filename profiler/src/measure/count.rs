//! Hardware and software events of verified cases, counted in separate passes.

use super::{BATCH, Calls, length};
use crate::engines::Engine;
use crate::engines::verify::Verified;
use crate::instruments::clock::ThreadClock;
use crate::instruments::counters::{Counted, Kernel, Plan, Reading, Work};
use crate::instruments::span::span;
use anyhow::{Context, Result};
use evmscope_reports::counter::Counter;
use evmscope_reports::run::{Measurement, Unavailable};
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// CPU time of a counting pass, ns.
const COUNTING: u64 = 100_000_000;

/// Counts hardware and software events of each engine in turn, `passes` times. Returns one measurement per engine
/// and counter, per call, and the counters that are missing in some passes, with the reason.
pub fn count(
    verified: &mut [Verified],
    kernel: &impl Kernel,
    plan: &Plan,
    passes: usize,
    tick: &mut dyn FnMut(),
) -> Result<(Vec<Measurement>, Vec<Unavailable>)> {
    let _span = span("counting");
    let clock = ThreadClock::open()?;
    let mut tally = Tally::default();
    let lengths: Vec<u64> = verified
        .iter_mut()
        .map(|v| length(&clock, v, Calls::Warm))
        .collect::<Result<_>>()?;
    for _ in 0..passes {
        for (i, v) in verified.iter_mut().enumerate() {
            let calls =
                (COUNTING / lengths[i] / plan.passes().max(1) as u64).clamp(1, BATCH) as u32;
            let mut work = Passes {
                // As many as can be ready at once.
                calls: v.engine.prepare(calls as usize),
                engine: v.engine.as_mut(),
                called: Ok(()),
            };
            let calls = NonZeroU32::new(work.calls as u32).context("no call to count")?;
            let counted = plan.count(kernel, &mut work, calls);
            work.called?;
            tally.add(i, counted);
        }
        tick();
    }
    let mut unavailable = plan.unavailable.clone();
    unavailable.extend(tally.missing());
    let measurements = tally.samples.into_iter();
    let measurements = measurements.map(|((i, counter), (values, coverage))| {
        let v = &verified[i];
        let mut measurement = Measurement::new(&v.case.name, v.id.name(), counter, values)?;
        measurement.coverage = (coverage < 1.0).then_some(coverage);
        Ok(measurement)
    });
    Ok((measurements.collect::<Result<_>>()?, unavailable))
}

/// The same number of calls in each pass, each from the state before.
struct Passes<'a> {
    engine: &'a mut dyn Engine,
    calls: usize,
    called: Result<()>,
}

impl Work for Passes<'_> {
    fn prepare(&mut self) {
        self.engine.prepare(self.calls);
    }

    fn call(&mut self) {
        if self.called.is_ok() {
            self.called = self.engine.call();
        }
    }
}

/// The results of several passes over several engines.
#[derive(Default)]
struct Tally {
    passes: usize,
    /// By engine and counter: the figures, and the lowest coverage.
    samples: BTreeMap<(usize, Counter), (Vec<f64>, f64)>,
    /// In how many passes a counter has no figure, by reason.
    missed: BTreeMap<(Counter, String), usize>,
}

impl Tally {
    fn add(&mut self, engine: usize, counted: Counted) {
        self.passes += 1;
        for Reading {
            counter,
            value,
            coverage,
        } in counted.readings
        {
            let nothing = (Vec::new(), 1.0);
            let (values, least) = self.samples.entry((engine, counter)).or_insert(nothing);
            values.push(value);
            *least = least.min(coverage);
        }
        for Unavailable { counter, reason } in counted.unavailable {
            *self.missed.entry((counter, reason)).or_default() += 1;
        }
    }

    /// The counters missing in some passes. One that ran in the others has a figure as well.
    fn missing(&self) -> impl Iterator<Item = Unavailable> {
        let Self { passes, missed, .. } = self;
        missed.iter().map(move |((counter, reason), times)| {
            let reason = match times < passes {
                true => format!("in {times} of {passes} passes: {reason}"),
                false => reason.clone(),
            };
            Unavailable {
                counter: *counter,
                reason,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_missing_in_some_passes_says_in_how_many() {
        let reading = |value, coverage| Reading {
            counter: Counter::Cycles,
            value,
            coverage,
        };
        let starved = |counter| Unavailable {
            counter,
            reason: "starved".to_owned(),
        };
        let mut tally = Tally::default();
        for (value, coverage) in [(10.0, 1.0), (12.0, 0.5)] {
            tally.add(
                0,
                Counted {
                    readings: vec![reading(value, coverage)],
                    unavailable: vec![starved(Counter::Branches)],
                },
            );
        }
        tally.add(
            0,
            Counted {
                readings: vec![],
                unavailable: [Counter::Cycles, Counter::Branches].map(starved).into(),
            },
        );
        assert_eq!(
            tally.samples[&(0, Counter::Cycles)],
            (vec![10.0, 12.0], 0.5)
        );
        let reasons: Vec<_> = tally.missing().map(|missing| missing.reason).collect();
        assert_eq!(reasons, ["in 1 of 3 passes: starved", "starved"]);
    }
}
