//! Builds asked in turn: launched anew several times, and within a launch sample by sample in shuffled
//! order.

use super::build::{Build, BuildError};
use super::protocol::Request;
use crate::measure::{SAMPLE, SHUFFLE};
use crate::run;
use anyhow::{Context, Result, bail};
use evmscope_interp::Settings;
use evmscope_reports::Run;
use evmscope_reports::counter::Counter;
use evmscope_reports::run::{CaseResult, Measurement};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use std::path::PathBuf;

/// What is compared, and how often it is asked.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where all builds read the cases.
    pub case_dir: PathBuf,
    pub cases: Vec<String>,
    pub modes: Vec<String>,
    pub settings: Settings,
    /// How often each build is started: where its code and its stack lie varies by process.
    pub launches: usize,
    /// Samples of each case, mode and build in a launch.
    pub pairs: usize,
}

impl Plan {
    /// How often [`interleave`] tells that it got on.
    pub fn steps(&self) -> u64 {
        (self.launches * self.cases.len() * self.modes.len()) as u64
    }
}

/// The samples of one build, a case and mode each.
struct Side {
    path: PathBuf,
    run: Run,
    /// By case and mode, in the order of the plan, and by launch.
    samples: Vec<Vec<Vec<f64>>>,
}

/// Times builds beside each other; a run each, in their order, whose measurements have equal launches. A
/// build may be named several times: it differs from itself by what the machine brings.
///
/// # Errors
/// A build that cannot be measured, a case that does not come out right in one, or one whose results
/// differ between them.
pub fn interleave(builds: &[PathBuf], plan: &Plan, tick: &mut dyn FnMut()) -> Result<Vec<Run>> {
    let mut sides: Vec<_> = builds
        .iter()
        .map(|path| Side::new(path.clone(), plan))
        .collect();
    let mut rng = SmallRng::seed_from_u64(SHUFFLE);
    // Of each case and mode; found out in the first launch and the same for all.
    let mut calls = vec![None; plan.cases.len() * plan.modes.len()];
    for _ in 0..plan.launches {
        let launched = sides.iter_mut().map(Side::launch);
        let mut launched = launched.collect::<Result<Vec<_>, _>>()?;
        for (i, case) in plan.cases.iter().enumerate() {
            let longest = open(&mut launched, &mut sides, plan, case)?;
            for (j, mode) in plan.modes.iter().enumerate() {
                let place = i * plan.modes.len() + j;
                let calls = *calls[place].get_or_insert(calls_of(longest[j]));
                let mut order: Vec<_> = (0..launched.len()).collect();
                for side in &mut sides {
                    side.samples[place].push(Vec::with_capacity(plan.pairs));
                }
                for _ in 0..plan.pairs {
                    order.shuffle(&mut rng);
                    for &side in &order {
                        let time = launched[side].sample(mode, calls)?;
                        sides[side].samples[place]
                            .last_mut()
                            .context("no launch")?
                            .push(time);
                    }
                }
                tick();
            }
        }
    }
    sides.into_iter().map(|side| side.finish(plan)).collect()
}

/// Verifies a case in all builds and holds their results against each other. For each mode the longest
/// time of a call, ns.
fn open(builds: &mut [Build], sides: &mut [Side], plan: &Plan, case: &str) -> Result<Vec<f64>> {
    let request = Request::Open {
        case_dir: plan.case_dir.clone(),
        case: case.to_owned(),
        modes: plan.modes.clone(),
        tuning: plan.settings.into(),
    };
    let mut longest = vec![0.0_f64; plan.modes.len()];
    let mut first: Option<Vec<CaseResult>> = None;
    for (build, side) in builds.iter_mut().zip(sides.iter_mut()) {
        let opened = build.open(&request)?;
        let found: Vec<_> = opened.iter().map(|it| it.result.mode.as_str()).collect();
        if found != plan.modes {
            bail!(
                "{} opened {found:?} in place of {:?}",
                side.path.display(),
                plan.modes
            );
        }
        for (longest, opened) in longest.iter_mut().zip(&opened) {
            *longest = longest.max(opened.call);
        }
        let results: Vec<_> = opened.into_iter().map(|it| it.result).collect();
        match &first {
            Some(first) => agree(first, &results, &side.path)?,
            None => first = Some(results.clone()),
        }
        if !side.run.results.iter().any(|result| result.case == case) {
            side.run.results.extend(results);
        }
    }
    Ok(longest)
}

/// Two builds that did different work are not to be compared, although each is right by what its case
/// states.
fn agree(first: &[CaseResult], results: &[CaseResult], path: &std::path::Path) -> Result<()> {
    for (first, other) in first.iter().zip(results) {
        let of = |result: &CaseResult| {
            format!(
                "{}, {} gas, output {}",
                result.status, result.gas_used, result.output_hash
            )
        };
        if of(first) != of(other) {
            bail!(
                "case {}, mode {}: {} comes out otherwise than the first build: {} against {}",
                other.case,
                other.mode,
                path.display(),
                of(other),
                of(first)
            );
        }
    }
    Ok(())
}

fn calls_of(call: f64) -> u64 {
    ((SAMPLE as f64 / call.max(1.0)) as u64).max(1)
}

impl Side {
    fn new(path: PathBuf, plan: &Plan) -> Side {
        Side {
            path,
            run: run::new_run(None, plan.settings, crate::measure::Calls::Warm),
            samples: vec![Vec::new(); plan.cases.len() * plan.modes.len()],
        }
    }

    fn launch(&mut self) -> Result<Build, BuildError> {
        let build = Build::launch(&self.path)?;
        self.run.rig = build.rig().clone();
        Ok(build)
    }

    fn finish(mut self, plan: &Plan) -> Result<Run> {
        let places = plan
            .cases
            .iter()
            .flat_map(|case| plan.modes.iter().map(move |mode| (case, mode)));
        for ((case, mode), launches) in places.zip(&self.samples) {
            let measured = Measurement::of_launches(case, mode, Counter::CpuTime, launches)?;
            self.run.measurements.push(measured);
        }
        Ok(self.run)
    }
}
