//! Interleaved sampling of builds: all are launched several times, and each launch takes samples in shuffled
//! order. A case that a build cannot run is left out, and the others go on.

use super::plan::{Plan, Turns};
use super::process::{Build, BuildError, OfBuild};
use super::side::{Side, add_missing};
use crate::measure::time::SHUFFLE;
use crate::measure::{Calls, SAMPLE};
use anyhow::{Context, Result, bail};
use evmscope_reports::Run;
use evmscope_reports::run::{CaseResult, Measurement};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use std::iter;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Time to sample the stacks per case and mode, ms.
const STACKS: u64 = 500;

/// Cold calls from which their time is taken.
const FEW: u64 = 4;

/// A case that a build refused, or in which it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    pub case: String,
    /// Index of the build.
    pub build: usize,
    pub why: String,
}

/// For measurements that need all cases.
///
/// # Errors
/// The first case that failed, in the build at its index of `builds`.
pub fn expect_none(failed: &[Failed], builds: &[PathBuf]) -> Result<()> {
    match failed.first() {
        Some(Failed { build, why, .. }) => bail!("{}: {why}", builds[*build].display()),
        None => Ok(()),
    }
}

/// What the builds gave.
pub struct Timed {
    /// By build. Each has the results that its build gave, and figures of what all builds can run with the same result.
    pub runs: Vec<Run>,
    /// The cases that a build could not run, each with its builds.
    pub failed: Vec<Failed>,
    /// The results that differ between builds, a line for each.
    differing: Vec<String>,
    paths: Vec<PathBuf>,
}

impl Timed {
    /// The runs, if all builds ran all cases with the same results.
    ///
    /// # Errors
    /// The first case in which they did not.
    pub fn complete(self) -> Result<Vec<Run>> {
        expect_none(&self.failed, &self.paths)?;
        match self.differing.into_iter().next() {
            Some(line) => bail!(line),
            None => Ok(self.runs),
        }
    }
}

/// Times builds in turn; measurements have the same launches in all runs. A build may be given several times: its
/// difference from itself is the machine's noise. A case that a build cannot run, and a mode in which builds have
/// different results, are not timed.
///
/// # Errors
/// A build that cannot be launched, or that does not do what it is asked.
pub fn interleave(builds: &[PathBuf], plan: &Plan, tick: &mut dyn FnMut()) -> Result<Timed> {
    let mut session = Session::new(builds, plan);
    for _ in 0..plan.launches {
        let launched = session.sides.iter_mut().map(Side::launch);
        let mut launched = launched.collect::<Result<Vec<_>, _>>()?;
        for case in 0..plan.cases.len() {
            session.open(&mut launched, case)?;
            session.time(&mut launched, case, tick)?;
        }
    }
    session.finish()
}

/// Times the modes of this program in turn, in several launches of it.
///
/// # Errors
/// As [`interleave`], or a case that fails.
pub fn time_modes(plan: &Plan, tick: &mut dyn FnMut()) -> Result<Vec<Measurement>> {
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let runs = interleave(&[own], plan, tick)?.complete()?;
    Ok(runs.into_iter().flat_map(|run| run.measurements).collect())
}

/// Measures what needs no interleaving, simulated counters and opcode costs, and adds it to the run of a build. Returns
/// the cases that it could not run.
///
/// # Errors
/// The build cannot be launched.
pub fn examine(
    (index, path): (usize, &Path),
    run: &mut Run,
    plan: &Plan,
    tick: &mut dyn FnMut(),
) -> Result<Vec<Failed>> {
    let mut build = Build::launch(path)?;
    let mut failed = Vec::new();
    for case in &plan.cases {
        if let Err(error) = examine_case(&mut build, run, plan, case, tick) {
            failed.push(Failed {
                case: case.clone(),
                build: index,
                why: build.outlive(error)?,
            });
        }
    }
    Ok(failed)
}

fn examine_case(
    build: &mut Build,
    run: &mut Run,
    plan: &Plan,
    case: &str,
    tick: &mut dyn FnMut(),
) -> Result<(), BuildError> {
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
    Ok(())
}

/// What is known so far. A case in a mode is a place, numbered in the order of [`Plan::places`].
struct Session<'a> {
    plan: &'a Plan,
    groups: Vec<Vec<(usize, usize)>>,
    sides: Vec<Side>,
    rng: SmallRng,
    /// Calls per sample by place, 0 until the first launch determines it for all launches and builds.
    calls: Vec<u64>,
    /// The places that are not compared.
    out: Vec<bool>,
    failed: Vec<Failed>,
    differing: Vec<String>,
}

impl<'a> Session<'a> {
    fn new(builds: &[PathBuf], plan: &'a Plan) -> Session<'a> {
        let places = plan.places().count();
        Session {
            plan,
            groups: plan.groups(builds.len()),
            sides: builds
                .iter()
                .map(|it| Side::new(it.clone(), plan))
                .collect(),
            rng: SmallRng::seed_from_u64(SHUFFLE),
            calls: vec![0; places],
            out: vec![false; places],
            failed: Vec::new(),
            differing: Vec::new(),
        }
    }

    /// The places of a case, one per mode.
    fn places(&self, case: usize) -> Range<usize> {
        let first = case * self.plan.modes.len();
        first..first + self.plan.modes.len()
    }

    fn is_out(&self, case: usize) -> bool {
        self.out[self.places(case)].iter().all(|out| *out)
    }

    fn fail(&mut self, case: usize, build: usize, why: String) {
        let places = self.places(case);
        self.out[places].fill(true);
        self.failed.push(Failed {
            case: self.plan.cases[case].clone(),
            build,
            why,
        });
    }

    /// Verifies a case in all builds, also behind one that refuses it, and compares their results.
    fn open(&mut self, launched: &mut [Build], case: usize) -> Result<()> {
        if self.is_out(case) {
            return Ok(());
        }
        let plan = self.plan;
        let name = &plan.cases[case];
        let request = plan.request(name);
        let mut longest = vec![0.0_f64; plan.modes.len()];
        let mut answers = Vec::new();
        for (i, build) in launched.iter_mut().enumerate() {
            let opened = match build.open(&request) {
                Ok(opened) => opened,
                Err(error) => {
                    let why = build.outlive(error)?;
                    self.fail(case, i, why);
                    continue;
                }
            };
            let found: Vec<_> = opened.iter().map(|it| it.result.mode.as_str()).collect();
            if found != plan.modes {
                bail!(
                    "{} opened {found:?} instead of {:?}",
                    self.sides[i].path.display(),
                    plan.modes
                );
            }
            for (longest, opened) in longest.iter_mut().zip(&opened) {
                *longest = longest.max(opened.call);
            }
            let results = opened.iter().map(|it| it.result.clone());
            answers.push((i, results.collect::<Vec<_>>()));
            self.sides[i].opened(name, opened);
        }
        self.compare(case, &answers);
        if self.is_out(case) {
            return Ok(());
        }
        match self.determine_calls(launched, case, &longest) {
            Err((i, error)) => {
                let why = launched[i].outlive(error)?;
                self.fail(case, i, why);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Leaves out the modes in which two builds have different results. A case need not state all results, so each can
    /// be right and yet differ.
    fn compare(&mut self, case: usize, answers: &[(usize, Vec<CaseResult>)]) {
        let Some(((_, first), others)) = answers.split_first() else {
            return;
        };
        for (i, results) in others {
            for (place, (first, other)) in self.places(case).zip(first.iter().zip(results)) {
                let [expected, found] = [first, other].map(|it| {
                    let (status, gas, output) = (&it.status, it.gas_used, &it.output_hash);
                    format!("{status}, {gas} gas, output {output}")
                });
                if expected != found && !self.out[place] {
                    self.out[place] = true;
                    self.differing.push(format!(
                        "case {}, mode {}: {} has another result than the first build: {found} instead of {expected}",
                        other.case,
                        other.mode,
                        self.sides[*i].path.display(),
                    ));
                }
            }
        }
    }

    fn determine_calls(
        &mut self,
        launched: &mut [Build],
        case: usize,
        longest: &[f64],
    ) -> Result<(), OfBuild> {
        let plan = self.plan;
        let modes = iter::zip(&plan.modes, longest);
        for (place, (mode, longest)) in self.places(case).zip(modes) {
            if self.calls[place] > 0 || self.out[place] {
                continue;
            }
            let call = match plan.calls {
                Calls::Warm => *longest,
                // A build says how long a warm call takes.
                Calls::Cold => launched[0].sample(mode, FEW, true).map_err(|it| (0, it))?.0,
            };
            self.calls[place] = ((SAMPLE as f64 / call.max(1.0)) as u64).max(1);
        }
        Ok(())
    }

    /// Takes the samples of a case in one launch.
    fn time(&mut self, launched: &mut [Build], case: usize, tick: &mut dyn FnMut()) -> Result<()> {
        for group in 0..self.groups.len() {
            if let Err((i, error)) = self.take_turns(launched, case, group) {
                let why = launched[i].outlive(error)?;
                self.fail(case, i, why);
            }
            tick();
        }
        Ok(())
    }

    /// Samples the builds and modes of one group in shuffled order, then counts.
    fn take_turns(
        &mut self,
        launched: &mut [Build],
        case: usize,
        group: usize,
    ) -> Result<(), OfBuild> {
        let Plan {
            modes,
            pairs,
            turns,
            calls,
            ..
        } = self.plan;
        let first = self.places(case).start;
        let turn = self.groups[group].iter().copied();
        let mut order: Vec<_> = turn.filter(|(_, mode)| !self.out[first + mode]).collect();
        let mut samples = vec![Vec::with_capacity(*pairs); launched.len() * modes.len()];
        let at = |side: usize, mode: usize| side * modes.len() + mode;
        for _ in 0..*pairs {
            order.shuffle(&mut self.rng);
            for &(side, mode) in &order {
                let (n, cold) = (self.calls[first + mode], *calls == Calls::Cold);
                let sample = launched[side].sample(&modes[mode], n, cold);
                samples[at(side, mode)].push(sample.map_err(|it| (side, it))?);
            }
        }
        for &(side, mode) in &order {
            let samples = std::mem::take(&mut samples[at(side, mode)]);
            self.sides[side].sampled(first + mode, samples);
        }
        if *turns == Turns::Builds {
            order.shuffle(&mut self.rng);
            for &(side, mode) in &order {
                let counted = launched[side].count(&modes[mode]);
                self.sides[side].counted(first + mode, counted.map_err(|it| (side, it))?);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Timed> {
        let paths = self.sides.iter().map(|side| side.path.clone()).collect();
        let runs = self
            .sides
            .into_iter()
            .map(|side| side.finish(self.plan, &self.out));
        Ok(Timed {
            runs: runs.collect::<Result<_>>()?,
            failed: self.failed,
            differing: self.differing,
            paths,
        })
    }
}
