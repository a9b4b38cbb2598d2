//! The proof: compares the release build with the optimised ones, on training cases and on held-out cases.
//!
//! `builds::interleave` times the processes in turn, `instruments::callgrind` simulates them, and
//! `evmscope_reports::pgo` evaluates the measurements.

use crate::builds::{self, Plan};
use crate::instruments::callgrind::{self, Instructions, SimulateError};
use crate::measure::simulate::simulated_arguments;
use crate::symbols::sections::Sections;
use anyhow::{Context, Result};
use evmscope_reports::Run;
use evmscope_reports::counter::Counter;
use evmscope_reports::pgo::{ChangedFunction, Comparison, Proof};
use std::path::{Path, PathBuf};

/// What to compare, and how.
pub struct Setup {
    /// The binary built without a profile.
    pub release: PathBuf,
    /// The binaries built with one: first the compiler's, then BOLT's if there is one.
    pub optimized: Vec<PathBuf>,
    /// How to time them. Its cases are the training cases, then the held-out ones.
    pub plan: Plan,
    /// Number of training cases in the plan.
    pub trained: usize,
    /// Changes below this share are ignored.
    pub threshold: f64,
    /// Whether to count simulated instructions.
    pub simulate: bool,
}

impl Setup {
    /// How often [`prove`] calls `tick`.
    pub fn steps(&self) -> u64 {
        let simulations = self.plan.cases.len() * self.plan.modes.len();
        self.plan.steps() + if self.simulate { simulations as u64 } else { 0 }
    }
}

/// Returns a proof for each optimised build, in their order.
///
/// # Errors
/// A build cannot be measured, or a simulation fails.
pub fn prove(setup: &Setup, tick: &mut dyn FnMut()) -> Result<Vec<Proof>> {
    let builds: Vec<_> = std::iter::once(&setup.release)
        .chain(&setup.optimized)
        .cloned()
        .collect();
    let runs = builds::interleave(&builds, &setup.plan, tick)?.complete()?;
    let (release, optimized) = runs.split_first().context("no build was timed")?;
    let mut compared: Vec<Vec<(bool, Comparison)>> = vec![Vec::new(); optimized.len()];
    for (i, case) in setup.plan.cases.iter().enumerate() {
        for mode in &setup.plan.modes {
            let simulated = match setup.simulate {
                true => Some(simulations(setup, &builds, case, mode)?),
                false => None,
            };
            for (n, run) in optimized.iter().enumerate() {
                let mut comparison = compare(release, run, case, mode, setup.threshold)?;
                if let Some([release, optimized @ ..]) = simulated.as_deref() {
                    explain(&mut comparison, release, &optimized[n], setup.threshold);
                }
                compared[n].push((i < setup.trained, comparison));
            }
            if setup.simulate {
                tick();
            }
        }
    }
    let proofs = setup
        .optimized
        .iter()
        .zip(compared)
        .map(|(path, compared)| {
            let (training, heldout): (Vec<_>, Vec<_>) =
                compared.into_iter().partition(|(trained, _)| *trained);
            let without_mark =
                |all: Vec<(bool, Comparison)>| all.into_iter().map(|(_, it)| it).collect();
            Ok(Proof::new(
                Sections::of(path)?.sizes,
                without_mark(training),
                without_mark(heldout),
                setup.threshold,
            ))
        });
    proofs.collect()
}

fn compare(
    release: &Run,
    optimized: &Run,
    case: &str,
    mode: &str,
    threshold: f64,
) -> Result<Comparison> {
    let of = |run: &Run| run.measurement(case, mode, Counter::CpuTime).cloned();
    let sides = of(release).zip(of(optimized));
    sides
        .and_then(|(release, optimized)| Comparison::new(release, optimized, threshold))
        .with_context(|| format!("case {case}, mode {mode}: the times have no ratio"))
}

/// Simulates one call in each build.
fn simulations(
    setup: &Setup,
    builds: &[PathBuf],
    case: &str,
    mode: &str,
) -> Result<Vec<Instructions>, SimulateError> {
    let Plan {
        case_dir, settings, ..
    } = &setup.plan;
    let arguments = simulated_arguments(case, mode, *settings, case_dir);
    let one = |build: &PathBuf| callgrind::instructions(build, &arguments);
    builds.iter().map(one).collect()
}

/// Functions to name for a case that became slower.
const NAMED: usize = 6;

fn explain(
    comparison: &mut Comparison,
    release: &Instructions,
    optimized: &Instructions,
    threshold: f64,
) {
    comparison.instructions = Some(optimized.total as f64 / release.total as f64);
    if comparison.median <= 1.0 + threshold || comparison.low <= 1.0 {
        return;
    }
    let names = release.functions.keys().chain(optimized.functions.keys());
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    let of = |side: &Instructions, name: &String| side.functions.get(name).copied().unwrap_or(0);
    let mut changed: Vec<_> = names
        .into_iter()
        .map(|name| ChangedFunction {
            function: name.clone(),
            release: of(release, name),
            optimized: of(optimized, name),
        })
        .filter(|changed| changed.release != changed.optimized)
        .collect();
    changed.sort_by_key(|changed| std::cmp::Reverse(changed.release.abs_diff(changed.optimized)));
    changed.truncate(NAMED);
    comparison.changed = changed;
}

/// Checks that callgrind works, before the long timing begins.
///
/// # Errors
/// Why it does not.
pub fn simulator(release: &Path, plan: &Plan) -> Result<(), SimulateError> {
    let (Some(case), Some(mode)) = (plan.cases.last(), plan.modes.first()) else {
        return Err(SimulateError::NeverEntered);
    };
    let arguments = simulated_arguments(case, mode, plan.settings, &plan.case_dir);
    callgrind::instructions(release, arguments).map(|_| ())
}
