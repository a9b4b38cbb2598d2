//! Samples and simulates a verified case and explains both: sample, unwind, symbolize, attribute, fold.
//!
//! Runs these steps in order and sums weights by opcode. Each step has its own module in `profile`; `measure` takes
//! samples and simulates.

use super::contracts::{self, AttributedSample};
use super::fold;
use super::opcode_costs::{Events, SamplingRun, Weights};
use super::symbolize::symbolize;
use super::unwind;
use crate::engines::verify::Verified;
use crate::instruments::clock::ThreadClock;
use crate::instruments::sampling::Samples;
use crate::measure::sample::{Sampling, sample_calls, sample_event};
use crate::measure::simulate;
use crate::measure::time::calibrate;
use crate::symbols::Symbols;
use crate::symbols::handlers::opcode_of;
use anyhow::Result;
use evmscope_reports::Run;
use evmscope_reports::counter::Counter;
use evmscope_reports::run::{Measurement, Profile, Unavailable};
use evmscope_reports::stats::Summary;
use std::path::Path;

/// The samples of an engine, by native functions and by position in the contracts.
pub struct Profiled {
    pub profile: Profile,
    pub attributed: Vec<AttributedSample>,
}

/// Samples an engine and explains the samples.
///
/// # Errors
/// The engine cannot run a call to a result, or no sampler works on this machine.
pub fn profile(v: &mut Verified, sampling: Sampling, symbols: &Symbols) -> Result<Profiled> {
    let samples = sample_calls(v, sampling)?;
    Ok(explain(v, samples, symbols))
}

/// Samples of which the middle one is the time of a call.
const TIMED: usize = 5;

/// One run for the cost of each opcode. Runs in several processes are independent of each other.
///
/// # Errors
/// As [`profile`].
pub fn sampling_run(
    v: &mut Verified,
    sampling: Sampling,
    symbols: &Symbols,
) -> Result<SamplingRun> {
    let clock = ThreadClock::open()?;
    let times = (0..TIMED).map(|_| calibrate(&clock, v));
    let times = times.collect::<Result<Vec<_>>>()?;
    let call = Summary::of(&times)?.median;
    let Profiled {
        profile,
        attributed,
    } = profile(v, sampling, symbols)?;
    let weights = by_opcode(&attributed);
    Ok(SamplingRun::new(
        call,
        profile.samples,
        profile.unit,
        &weights,
    ))
}

fn explain(v: &Verified, mut samples: Samples, symbols: &Symbols) -> Profiled {
    unwind::callers(&mut samples, symbols);
    let samples = symbolize(samples, symbols);
    let attributed = contracts::attribute(&samples, &*v.engine);
    Profiled {
        profile: fold::profile(&v.case.name, v.id.name(), &samples),
        attributed,
    }
}

/// The weight of samples by opcode.
fn by_opcode(attributed: &[AttributedSample]) -> Weights {
    let mut weights = Weights::new();
    for sample in attributed {
        *weights.entry(sample.opcode).or_default() += sample.weight;
    }
    weights
}

/// Events that are attributed to opcodes.
const ATTRIBUTED_EVENTS: [Counter; 3] = [
    Counter::Instructions,
    Counter::BranchMisses,
    Counter::CacheMisses,
];

/// Samples an engine on those PMU events that `run` has counted, each in a separate pass.
///
/// # Errors
/// As [`profile`].
pub fn sample_events(
    v: &mut Verified,
    sampling: Sampling,
    symbols: &Symbols,
    run: &Run,
) -> Result<Vec<Events>> {
    let mut events = Vec::new();
    for counter in ATTRIBUTED_EVENTS {
        let Some(counted) = run.measurement(&v.case.name, v.id.name(), counter) else {
            continue;
        };
        let samples = sample_event(v, sampling, counter)?;
        let weights = by_opcode(&explain(v, samples, symbols).attributed);
        events.push(Events::new(counter, counted.median, weights));
    }
    Ok(events)
}

/// A simulated call: the counters, and its instructions by opcode.
pub struct Simulated {
    pub measurements: Vec<Measurement>,
    pub by_opcode: Weights,
}

/// Simulates one call of an engine, and attributes its instructions to opcodes in the same way as samples.
///
/// # Errors
/// Every simulated counter, with the reason why it is unavailable.
pub fn simulate(
    v: &Verified,
    case_dir: &Path,
    symbols: &Symbols,
) -> Result<Simulated, Vec<Unavailable>> {
    let call = simulate::simulate(v, case_dir)?;
    let mut by_opcode = Weights::new();
    for &(address, count) in &call.instructions {
        let stack = fold::stack_at_file_address(address, symbols);
        *by_opcode.entry(opcode_of(&stack)).or_default() += count;
    }
    let in_libraries = call.total.saturating_sub(by_opcode.values().sum());
    *by_opcode.entry(None).or_default() += in_libraries;
    Ok(Simulated {
        measurements: call.measurements,
        by_opcode,
    })
}
