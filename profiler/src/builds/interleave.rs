//! Interleaved sampling of builds: all are launched several times, and each launch takes samples in shuffled
//! order.

use super::process::{Build, BuildError};
use super::protocol::{Counted, Request};
use crate::measure::record;
use crate::measure::time::SHUFFLE;
use crate::measure::{Calls, SAMPLE};
use anyhow::{Context, Result, bail};
use evmscope_interp::Settings;
use evmscope_reports::Run;
use evmscope_reports::counter::Counter;
use evmscope_reports::run::{CaseResult, Measurement, Unavailable};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use std::path::{Path, PathBuf};

/// Time to sample the stacks per case and mode, ms.
const STACKS: u64 = 500;

/// Cold calls from which their time is taken.
const FEW: u64 = 4;

/// What to compare, and with how many launches and samples.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The folder of cases for all builds.
    pub case_dir: PathBuf,
    pub cases: Vec<String>,
    pub modes: Vec<String>,
    pub settings: Settings,
    /// Launches of each build. The addresses of code and stack vary by process.
    pub launches: usize,
    /// Samples per case, mode, build and launch.
    pub pairs: usize,
    pub turns: Turns,
    pub calls: Calls,
}

/// What is sampled in turn, in shuffled order, and so compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turns {
    /// The builds, mode by mode; hardware counters too.
    Builds,
    /// The modes of a single build.
    Modes,
}

impl Plan {
    /// How often [`interleave`] calls `tick`.
    pub fn steps(&self) -> u64 {
        let groups = match self.turns {
            Turns::Builds => self.modes.len(),
            Turns::Modes => 1,
        };
        (self.launches * self.cases.len() * groups) as u64
    }

    /// What is sampled together, as indices of builds and modes.
    fn groups(&self, builds: usize) -> Vec<Vec<(usize, usize)>> {
        let of_mode = |mode| (0..builds).map(move |build| (build, mode));
        let modes = 0..self.modes.len();
        match self.turns {
            Turns::Builds => modes.map(|mode| of_mode(mode).collect()).collect(),
            Turns::Modes => vec![modes.flat_map(of_mode).collect()],
        }
    }

    pub(super) fn request(&self, case: &str) -> Request {
        Request::Open {
            case_dir: self.case_dir.clone(),
            case: case.to_owned(),
            modes: self.modes.clone(),
            tuning: self.settings.into(),
        }
    }
}

/// The samples of one build by case and mode.
struct Side {
    path: PathBuf,
    run: Run,
    /// CPU time per call, ns: by case and mode in the order of the plan, then by launch.
    samples: Vec<Vec<Vec<f64>>>,
    /// Page faults per call of each sample, by case and mode.
    faults: Vec<Vec<Option<f64>>>,
    /// Hardware counters: by case and mode, then by launch.
    counted: Vec<Vec<Counted>>,
}

/// Times builds in turn. Returns one run per build, in their order; measurements have the same launches in all
/// runs. A build may be given several times: its difference from itself is the machine's noise.
///
/// # Errors
/// A build that cannot be measured, a case with a wrong result in a build, or with different results in two
/// builds.
pub fn interleave(builds: &[PathBuf], plan: &Plan, tick: &mut dyn FnMut()) -> Result<Vec<Run>> {
    let mut sides: Vec<_> = builds
        .iter()
        .map(|path| Side::new(path.clone(), plan))
        .collect();
    let mut rng = SmallRng::seed_from_u64(SHUFFLE);
    let groups = plan.groups(builds.len());
    // By case and mode. The first launch determines it for all launches and builds.
    let mut calls = vec![None; plan.cases.len() * plan.modes.len()];
    for _ in 0..plan.launches {
        let launched = sides.iter_mut().map(Side::launch);
        let mut launched = launched.collect::<Result<Vec<_>, _>>()?;
        for (i, case) in plan.cases.iter().enumerate() {
            let longest = open(&mut launched, &mut sides, plan, case)?;
            let first = i * plan.modes.len();
            for (mode, longest) in longest.into_iter().enumerate() {
                if calls[first + mode].is_none() {
                    let call = match plan.calls {
                        Calls::Warm => longest,
                        // A build says how long a warm call takes.
                        Calls::Cold => launched[0].sample(&plan.modes[mode], FEW, true)?.0,
                    };
                    calls[first + mode] = Some(calls_of(call));
                }
            }
            for side in &mut sides {
                for samples in &mut side.samples[first..first + plan.modes.len()] {
                    samples.push(Vec::with_capacity(plan.pairs));
                }
            }
            for group in &groups {
                let mut order = group.clone();
                for _ in 0..plan.pairs {
                    order.shuffle(&mut rng);
                    for &(side, mode) in &order {
                        let n = calls[first + mode].context("no number of calls")?;
                        let cold = plan.calls == Calls::Cold;
                        let (time, faults) = launched[side].sample(&plan.modes[mode], n, cold)?;
                        sides[side].faults[first + mode].push(faults);
                        let samples = sides[side].samples[first + mode].last_mut();
                        samples.context("no launch")?.push(time);
                    }
                }
                if plan.turns == Turns::Builds {
                    order.shuffle(&mut rng);
                    for &(side, mode) in &order {
                        let counted = launched[side].count(&plan.modes[mode])?;
                        sides[side].counted[first + mode].push(counted);
                    }
                }
                tick();
            }
        }
    }
    sides.into_iter().map(|side| side.finish(plan)).collect()
}

/// Times the modes of this program in turn, in several launches of it.
///
/// # Errors
/// As [`interleave`].
pub fn time_modes(plan: &Plan, tick: &mut dyn FnMut()) -> Result<Vec<Measurement>> {
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let runs = interleave(&[own], plan, tick)?.into_iter();
    Ok(runs.flat_map(|run| run.measurements).collect())
}

/// Measures what needs no interleaving, simulated counters and opcode costs, and adds it to the build's run.
///
/// # Errors
/// As [`interleave`].
pub fn examine(path: &Path, run: &mut Run, plan: &Plan, tick: &mut dyn FnMut()) -> Result<()> {
    let mut build = Build::launch(path)?;
    for case in &plan.cases {
        build.open(&plan.request(case))?;
        for mode in &plan.modes {
            let examined = build.examine(mode, STACKS)?;
            run.measurements.extend(examined.measurements);
            run.opcode_costs.extend(examined.opcodes);
            for missing in examined.unavailable {
                add_missing(run, missing);
            }
            tick();
        }
    }
    Ok(())
}

/// Verifies a case in all builds and compares their results. Returns the longest time of a call per mode, ns.
fn open(builds: &mut [Build], sides: &mut [Side], plan: &Plan, case: &str) -> Result<Vec<f64>> {
    let request = plan.request(case);
    let mut longest = vec![0.0_f64; plan.modes.len()];
    let mut first: Option<Vec<CaseResult>> = None;
    for (build, side) in builds.iter_mut().zip(sides.iter_mut()) {
        let opened = build.open(&request)?;
        let found: Vec<_> = opened.iter().map(|it| it.result.mode.as_str()).collect();
        if found != plan.modes {
            bail!(
                "{} opened {found:?} instead of {:?}",
                side.path.display(),
                plan.modes
            );
        }
        for (longest, opened) in longest.iter_mut().zip(&opened) {
            *longest = longest.max(opened.call);
        }
        for it in &opened {
            record::add_engine(&mut side.run, &it.result.mode, &it.version);
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

/// Checks that two builds did the same work. A case need not state all results, so each can be right and yet
/// differ.
fn agree(first: &[CaseResult], results: &[CaseResult], path: &Path) -> Result<()> {
    for (first, other) in first.iter().zip(results) {
        let of = |result: &CaseResult| {
            format!(
                "{}, {} gas, output {}",
                result.status, result.gas_used, result.output_hash
            )
        };
        if of(first) != of(other) {
            bail!(
                "case {}, mode {}: {} has another result than the first build: {} instead of {}",
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
            run: record::new_run(None, plan.settings, plan.calls),
            samples: vec![Vec::new(); plan.cases.len() * plan.modes.len()],
            faults: vec![Vec::new(); plan.cases.len() * plan.modes.len()],
            counted: vec![Vec::new(); plan.cases.len() * plan.modes.len()],
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
        let figures = self.samples.iter().zip(&self.faults).zip(&self.counted);
        for ((case, mode), ((samples, faults), counted)) in places.zip(figures) {
            let measured = Measurement::of_launches(case, mode, Counter::CpuTime, samples)?;
            let all: Option<f64> = faults.iter().copied().sum();
            self.run.measurements.push(Measurement {
                faults: all.map(|all| all / faults.len().max(1) as f64),
                ..measured
            });
            let (measured, missing) = counters(case, mode, counted)?;
            self.run.measurements.extend(measured);
            for missing in missing {
                add_missing(&mut self.run, missing);
            }
        }
        Ok(self.run)
    }
}

/// Joins the counts of several launches: counters that all launches have, and the others with the reason.
fn counters(
    case: &str,
    mode: &str,
    launches: &[Counted],
) -> Result<(Vec<Measurement>, Vec<Unavailable>)> {
    let (mut measured, mut missing) = (Vec::new(), Vec::new());
    for &counter in Counter::ALL {
        let of = |launch: &'_ Counted| {
            let mut found = launch.measurements.iter();
            found.find(|it| it.counter == counter).cloned()
        };
        let found: Vec<_> = launches.iter().filter_map(of).collect();
        let reasons = launches.iter().flat_map(|launch| &launch.unavailable);
        let reason = reasons.clone().find(|it| it.counter == counter);
        if let Some(reason) = reason
            && found.len() < launches.len()
        {
            let lost = launches.len() - found.len();
            missing.push(Unavailable {
                counter,
                reason: match found.is_empty() {
                    true => reason.reason.clone(),
                    false => format!(
                        "in {lost} of {} launches: {}",
                        launches.len(),
                        reason.reason
                    ),
                },
            });
        } else if !found.is_empty() && found.len() == launches.len() {
            let samples: Vec<_> = found.iter().map(|it| it.samples.clone()).collect();
            let mut joined = Measurement::of_launches(case, mode, counter, &samples)?;
            let coverages = found.iter().filter_map(|it| it.coverage);
            joined.coverage = coverages.reduce(f64::min);
            measured.push(joined);
        }
    }
    Ok((measured, missing))
}

/// Adds it once: the reason is mostly the same for all cases.
fn add_missing(run: &mut Run, missing: Unavailable) {
    if !run.unavailable.contains(&missing) {
        run.unavailable.push(missing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(cycles: Option<(f64, Option<f64>)>) -> Counted {
        let measured = |(value, coverage)| {
            let samples = vec![value, value + 1.0];
            let mut one = Measurement::new("case", "advanced", Counter::Cycles, samples).unwrap();
            one.coverage = coverage;
            one
        };
        let missing = |counter| Unavailable {
            counter,
            reason: "starved".to_owned(),
        };
        let mut unavailable = vec![missing(Counter::Branches)];
        unavailable.extend(cycles.is_none().then(|| missing(Counter::Cycles)));
        Counted {
            measurements: cycles.map(measured).into_iter().collect(),
            unavailable,
        }
    }

    #[test]
    fn counters_of_all_launches_are_joined_and_others_give_the_reason() {
        let all = [launch(Some((10.0, None))), launch(Some((20.0, Some(0.5))))];
        let (measured, missing) = counters("case", "advanced", &all).unwrap();
        let [cycles] = &measured[..] else {
            panic!("{measured:?}")
        };
        assert_eq!(cycles.samples, [10.0, 11.0, 20.0, 21.0]);
        assert_eq!(
            (&*cycles.launches, cycles.coverage),
            (&[2, 2][..], Some(0.5))
        );
        assert_eq!(missing, [all[0].unavailable[0].clone()]);

        let (measured, missing) = counters(
            "case",
            "advanced",
            &[launch(Some((10.0, None))), launch(None)],
        )
        .unwrap();
        assert!(measured.is_empty());
        let reasons: Vec<_> = missing.iter().map(|it| it.reason.as_str()).collect();
        assert_eq!(reasons, ["in 1 of 2 launches: starved", "starved"]);

        // A build too old to count.
        let nothing = counters("case", "advanced", &[Counted::default()]).unwrap();
        assert_eq!(nothing, (vec![], vec![]));
    }
}
