//! Figures of verified cases: times in shuffled pairs, counters, samples, simulated counts. Each kind
//! is a run of its own, and nothing here prints.

use crate::clock::ThreadClock;
use crate::contracts::{self, Located};
use crate::counters::{Counted, Kernel, Plan, Reading};
use crate::engine::{Engine, Which};
use crate::folding::{self, Fold};
use crate::opcodes::{self, Events, Weights};
use crate::sampling::{self, Request, Samples, Stack};
use crate::simulate::{self, SimulateError};
use crate::span::span;
use crate::symbols::Symbols;
use crate::unwind;
use crate::verify::Verified;
use anyhow::{Context, Result};
use evmscope_interp::{Settings, Technique};
use evmscope_reports::Run;
use evmscope_reports::counter::Counter;
use evmscope_reports::run::{Measurement, Profile, Unavailable};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroU32;
use std::time::Duration;

/// CPU time of a timed sample, ns. Shorter ones show the clock, longer ones the neighbours.
pub const SAMPLE: u64 = 10_000_000;
/// CPU time of a pass of counting, ns.
const COUNTING: u64 = 100_000_000;
/// Most worlds made ready at once: a batch of short calls spans many clock steps, and the worlds of
/// long ones do not fill the memory.
const BATCH: u64 = 256;
/// CPU time of a batch of cold calls, ns, for short ones: many clock steps, and few interpreters, since each
/// takes a part of the CPU's caches.
const COLD_BATCH: u64 = 50_000;
/// Most of those interpreters.
const INTERPRETERS: u64 = 64;
/// The order of the pairs is random, and the same in every run of the tool.
pub const SHUFFLE: u64 = 0x5eed;

/// Which calls of an interpreter are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// Late ones: what proved hot is decoded.
    Warm,
    /// Each one's first.
    Cold,
}

impl Calls {
    fn prepare(self, v: &mut Verified, calls: u64) {
        match self {
            Calls::Warm => v.engine.prepare(calls as usize),
            Calls::Cold => v.engine.prepare_cold(calls as usize),
        }
    }

    /// How many calls of `length` ns to time at once, where `left` ns are to be filled.
    fn batch(self, length: u64, left: u64) -> u64 {
        match self {
            Calls::Warm => (left / length).clamp(1, BATCH),
            Calls::Cold => (COLD_BATCH.min(left) / length).clamp(1, INTERPRETERS),
        }
    }
}

/// Times every engine of one case: `pairs` samples each, taken in turn, the order drawn anew for each
/// turn. The unit is ns of thread CPU time per call.
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
        .collect();
    for _ in 0..pairs {
        order.shuffle(&mut rng);
        for &i in &order {
            samples[i].push(sample(&clock, &mut verified[i], calls, lengths[i]));
        }
        tick();
    }
    let named = verified.iter().zip(samples);
    named
        .map(|(v, samples)| {
            Ok(Measurement::new(
                &v.case.name,
                v.which.name(),
                Counter::CpuTime,
                samples,
            )?)
        })
        .collect()
}

/// Estimates a call's CPU time, ns, at least 1. The second of two calls: the first warms caches.
fn length(clock: &ThreadClock, v: &mut Verified, calls: Calls) -> u64 {
    calls.prepare(v, 2);
    v.engine.call();
    clock.time(|| v.engine.call()).max(1)
}

/// One sample: calls until their time reaches [`SAMPLE`], in batches made ready outside that time.
fn sample(clock: &ThreadClock, v: &mut Verified, calls: Calls, length: u64) -> f64 {
    let (mut done, mut time) = (0, 0);
    while time < SAMPLE {
        let batch = calls.batch(length, SAMPLE - time);
        time += timed(clock, v, calls, batch);
        done += batch;
    }
    time as f64 / done as f64
}

/// CPU time of a batch of calls, ns.
fn timed(clock: &ThreadClock, v: &mut Verified, calls: Calls, batch: u64) -> u64 {
    calls.prepare(v, batch);
    clock.time(|| (0..batch).for_each(|_| v.engine.call()))
}

/// CPU time of a warm call, ns, from a sample that also warms caches and predictors.
pub fn calibrate(clock: &ThreadClock, v: &mut Verified) -> f64 {
    let length = length(clock, v, Calls::Warm);
    sample(clock, v, Calls::Warm, length)
}

/// One sample of a number of warm calls that was found out before: CPU time of a call, ns. Two processes
/// that are compared do the same work in it.
pub fn sample_of(clock: &ThreadClock, v: &mut Verified, calls: u64) -> f64 {
    let (mut done, mut time) = (0, 0);
    while done < calls {
        let batch = (calls - done).min(BATCH);
        time += timed(clock, v, Calls::Warm, batch);
        done += batch;
    }
    time as f64 / done.max(1) as f64
}

/// Counts hardware and software events of each engine in turn, `passes` times over.
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
        .collect();
    for _ in 0..passes {
        for (i, v) in verified.iter_mut().enumerate() {
            let calls =
                (COUNTING / lengths[i] / plan.passes().max(1) as u64).clamp(1, BATCH) as u32;
            v.engine.prepare(calls as usize * plan.passes());
            let counted = plan.count(
                kernel,
                &mut || v.engine.call(),
                NonZeroU32::new(calls).context("no call to count")?,
            );
            tally.add(i, counted);
        }
        tick();
    }
    let mut unavailable = plan.unavailable.clone();
    unavailable.extend(tally.missing());
    let measurements = tally.samples.into_iter();
    let measurements = measurements.map(|((i, counter), (values, coverage))| {
        let v = &verified[i];
        let mut measurement = Measurement::new(&v.case.name, v.which.name(), counter, values)?;
        measurement.coverage = (coverage < 1.0).then_some(coverage);
        Ok(measurement)
    });
    Ok((measurements.collect::<Result<_>>()?, unavailable))
}

/// What several passes over several engines brought.
#[derive(Default)]
struct Tally {
    passes: usize,
    /// By engine and counter: the figures, and the least share of the time that a counter ran.
    samples: BTreeMap<(usize, Counter), (Vec<f64>, f64)>,
    /// In how many passes a counter brought nothing, and why.
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

    /// A counter that ran in some of the passes has a figure, and the number of those that lack one.
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

/// Samples in one call that fit the ring, which is emptied between calls, with much of the stack in each.
const DEEP_SAMPLES: u64 = 300;
/// With little of it. Of longer calls the addresses alone are sampled.
const TOP_SAMPLES: u64 = 800;

/// How to sample for flamegraphs.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    /// Samples a second.
    pub hz: u32,
    /// Time to spend on each engine.
    pub budget: Duration,
}

/// What sampling an engine brought: by native functions, and by where in the contracts it was.
pub struct Profiled {
    pub profile: Profile,
    pub located: Vec<Located>,
}

/// The weight of samples by opcode.
pub fn by_opcode(located: &[Located]) -> Weights {
    let mut weights = Weights::new();
    for sample in located {
        *weights.entry(sample.opcode).or_default() += sample.weight;
    }
    weights
}

/// Samples an engine and folds what came.
pub fn profile(v: &mut Verified, sampling: Sampling, symbols: &Symbols) -> Result<Profiled> {
    let mut samples = sample_calls(v, sampling)?;
    unwind::callers(&mut samples, symbols);
    let (case, mode, fold) = (&v.case.name, v.which.name(), Fold::default());
    Ok(Profiled {
        profile: folding::profile(case, mode, &samples, symbols, fold),
        located: contracts::located(&samples, symbols, &*v.engine),
    })
}

/// Events whose places are told by opcode.
const PLACED: [Counter; 3] = [
    Counter::Instructions,
    Counter::BranchMisses,
    Counter::CacheMisses,
];

/// Samples an engine on events of the PMU, as far as `run` has counted them: a run of its own each.
pub fn sample_events(
    v: &mut Verified,
    sampling: Sampling,
    symbols: &Symbols,
    run: &Run,
) -> Result<Vec<Events>> {
    let (case, mode) = (v.case.name.clone(), v.which.name());
    let mut events = Vec::new();
    for counter in PLACED {
        let Some(counted) = run.measurement(&case, mode, counter) else {
            continue;
        };
        let mut samples = sampled(v, sampling, Some(counter))?;
        unwind::callers(&mut samples, symbols);
        let located = contracts::located(&samples, symbols, &*v.engine);
        events.push(Events::new(counter, counted.median, by_opcode(&located)));
    }
    Ok(events)
}

/// Samples an engine.
pub fn sample_calls(v: &mut Verified, sampling: Sampling) -> Result<Samples> {
    sampled(v, sampling, None)
}

fn sampled(v: &mut Verified, sampling: Sampling, event: Option<Counter>) -> Result<Samples> {
    let _span = span("sampling");
    let clock = ThreadClock::open()?;
    v.engine.keep_places();
    let length = length(&clock, v, Calls::Warm);
    let calls = (sampling.budget.as_nanos() as u64 / length).clamp(1, BATCH) as usize;
    let a_call = length.saturating_mul(sampling.hz.into()) / 1_000_000_000;
    let request = Request {
        hz: sampling.hz,
        budget: sampling.budget,
        chain: false,
        words: match a_call {
            0..DEEP_SAMPLES => Some(Stack::Deep),
            DEEP_SAMPLES..TOP_SAMPLES => Some(Stack::Top),
            _ => None,
        },
    };
    let mut ready = 0;
    let mut work = || {
        if ready == 0 {
            v.engine.prepare(calls);
            ready = calls;
        }
        ready -= 1;
        simulate::measured_region(&mut || v.engine.call());
    };
    Ok(match event {
        Some(event) => sampling::sample_on(event, &request, &mut work)?,
        None => sampling::sample(&request, &mut work)?,
    })
}

/// How often a peer's call is simulated: its hash tables are seeded anew in each process, and instructions
/// differ by some hundredths of a percent for that. This project's modes give the same count every time.
#[cfg(feature = "peers")]
const PEER_SIMULATIONS: usize = 3;

/// What a simulated call brought: the counters, and its instructions by opcode.
pub struct SimulatedCall {
    pub measurements: Vec<Measurement>,
    pub by_opcode: opcodes::Simulated,
}

/// Simulates one call of an engine in a child process, after one that warms what stays warm.
pub fn simulate(
    v: &Verified,
    case_dir: &std::path::Path,
    symbols: &Symbols,
) -> Result<SimulatedCall, Vec<Unavailable>> {
    let _span = span("simulating");
    let arguments = simulated_arguments(&v.case.name, v.which.name(), v.settings, case_dir);
    let times = match v.which {
        Which::Ours(_) => 1,
        #[cfg(feature = "peers")]
        Which::Revm => PEER_SIMULATIONS,
    };
    let simulations = (0..times).map(|_| simulate::simulate(&arguments));
    let simulations = simulations
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.unavailable())?;
    let Some(simulated) = simulations.first() else {
        return Err(SimulateError::NeverEntered.unavailable());
    };
    let values = |counter| {
        let readings = simulations.iter().flat_map(|it| &it.readings);
        let of_counter = readings.filter(move |reading| reading.counter == counter);
        of_counter.map(|reading| reading.value).collect()
    };
    let (case, mode) = (&v.case.name, v.which.name());
    let measurements = simulated
        .readings
        .iter()
        .map(|&Reading { counter, .. }| {
            Measurement::new(case, mode, counter, values(counter)).map_err(|error| {
                vec![Unavailable {
                    counter,
                    reason: error.to_string(),
                }]
            })
        })
        .collect::<Result<_, _>>()?;
    let mut by_opcode = opcodes::simulated(&simulated.instructions, symbols);
    let total = simulated.readings.iter();
    let total = total.filter(|reading| reading.counter == Counter::SimInstructions);
    let total: u64 = total.map(|reading| reading.value as u64).sum();
    let in_libraries = total.saturating_sub(by_opcode.values().sum());
    *by_opcode.entry(None).or_default() += in_libraries;
    Ok(SimulatedCall {
        measurements,
        by_opcode,
    })
}

/// The command line of the child that makes one call of a case.
pub fn simulated_arguments(
    case: &str,
    mode: &str,
    settings: Settings,
    case_dir: &std::path::Path,
) -> Vec<OsString> {
    let mut arguments = vec![
        CHILD.into(),
        case.into(),
        "--mode".into(),
        mode.into(),
        "--case-dir".into(),
        case_dir.into(),
        "--keccak-memo".into(),
        settings.keccak_memo.name().into(),
        "--budget".into(),
        settings.budget.to_string().into(),
    ];
    for technique in Technique::ALL {
        if !settings.techniques.has(*technique) {
            arguments.extend(["--without".into(), technique.name().into()]);
        }
    }
    arguments
}

/// The hidden verb that [`simulate()`] starts under the simulator.
pub const CHILD: &str = "__simulated";

/// What the child does.
pub fn simulated_call(engine: &mut dyn Engine) {
    engine.prepare(2);
    engine.call();
    simulate::measured_region(&mut || engine.call());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;
    use crate::engine::Which;
    use crate::verify::verify;
    use alloy_primitives::{Bytes, hex};
    use evmscope_interp::Fork;

    #[test]
    fn cold_calls_come_out_as_warm_ones() {
        // Counts down from 100: hot within one call.
        let code = Bytes::from_static(&hex!("60645b6001900380600257"));
        let case = Case::ad_hoc(code, Bytes::new(), 100_000, Fork::Osaka);
        for mut v in verify(&case, Which::ALL, Settings::default()).unwrap() {
            let warm = v.engine.outcome().unwrap();
            for n in [1, 3, 2] {
                v.engine.prepare_cold(n);
                for _ in 0..n {
                    v.engine.call();
                    assert_eq!(v.engine.outcome().unwrap(), warm);
                }
            }
            v.engine.prepare(1);
            v.engine.call();
            assert_eq!(v.engine.outcome().unwrap(), warm);
        }
    }

    #[test]
    fn a_batch_of_cold_calls_is_short() {
        assert_eq!(Calls::Cold.batch(200, SAMPLE), INTERPRETERS);
        assert_eq!(Calls::Cold.batch(10_000, SAMPLE), 5);
        assert_eq!(Calls::Cold.batch(SAMPLE, SAMPLE), 1);
        assert_eq!(Calls::Cold.batch(10_000, 1), 1);
        assert_eq!(Calls::Warm.batch(10_000, SAMPLE), BATCH);
    }

    #[test]
    fn a_counter_that_ran_in_some_passes_says_in_how_many_it_did_not() {
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
