//! Independent sampling runs of builds, for the cost of opcodes: each in a process of its own, the builds and modes in
//! shuffled order.

use super::interleave::Failed;
use super::plan::Plan;
use super::process::{Build, BuildError, OfBuild};
use crate::measure::time::SHUFFLE;
use crate::profile::opcode_costs::{SamplingRun, add_runs};
use anyhow::Result;
use evmscope_reports::Run;
use evmscope_reports::run::OpcodeCost;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use std::path::PathBuf;

/// The sampling runs of one build: those of one case and mode are in the order of the launches.
pub struct OpcodeRuns {
    /// By case and mode in the order of the plan.
    runs: Vec<(String, String, Vec<SamplingRun>)>,
}

impl OpcodeRuns {
    fn new(plan: &Plan) -> Self {
        let places = plan.places();
        let runs = places.map(|(case, mode)| (case.clone(), mode.clone(), Vec::new()));
        Self {
            runs: runs.collect(),
        }
    }

    /// The runs of a case in a mode; none if the build is too old for them.
    pub fn of(&self, case: &str, mode: &str) -> &[SamplingRun] {
        let mut runs = self.runs.iter();
        let found = runs.find(|(own_case, own_mode, _)| own_case == case && own_mode == mode);
        found.map_or(&[], |(_, _, runs)| runs)
    }

    /// Adds the runs to the opcode costs that a run holds.
    pub fn add_to(&self, run: &mut Run) {
        for (case, mode, runs) in &self.runs {
            let of_place = |cost: &&mut OpcodeCost| cost.case == *case && cost.mode == *mode;
            add_runs(run.opcode_costs.iter_mut().filter(of_place), runs);
        }
    }
}

/// Takes one sampling run per launch of every build, case and mode, of `sample_ms` each. Returns them by build, and the
/// cases that a build could not run, which then have fewer runs or none.
///
/// # Errors
/// A build that cannot be launched.
pub fn opcode_runs(
    builds: &[PathBuf],
    plan: &Plan,
    sample_ms: u64,
    tick: &mut dyn FnMut(),
) -> Result<(Vec<OpcodeRuns>, Vec<Failed>)> {
    let mut rng = SmallRng::seed_from_u64(SHUFFLE);
    let mut all: Vec<_> = builds.iter().map(|_| OpcodeRuns::new(plan)).collect();
    let mut failed = Vec::<Failed>::new();
    let modes = plan.modes.len();
    let mut order: Vec<_> = (0..builds.len())
        .flat_map(|build| (0..modes).map(move |mode| (build, mode)))
        .collect();
    for _ in 0..plan.launches {
        let launched = builds.iter().map(|path| Build::launch(path));
        let mut launched = launched.collect::<Result<Vec<_>, BuildError>>()?;
        for (i, case) in plan.cases.iter().enumerate() {
            if failed.iter().any(|it| it.case == *case) {
                continue;
            }
            order.shuffle(&mut rng);
            match runs_of_case(&mut launched, plan, case, &order, sample_ms) {
                Ok(runs) => {
                    for ((build, mode), run) in runs {
                        all[build].runs[i * modes + mode].2.extend(run);
                    }
                }
                Err((build, error)) => failed.push(Failed {
                    case: case.clone(),
                    build,
                    why: launched[build].outlive(error)?,
                }),
            }
            tick();
        }
    }
    Ok((all, failed))
}

/// A build and a mode, by index.
type Turn = (usize, usize);

/// One sampling run of each build and mode in a case, in the given order.
fn runs_of_case(
    launched: &mut [Build],
    plan: &Plan,
    case: &str,
    order: &[Turn],
    sample_ms: u64,
) -> Result<Vec<(Turn, Option<SamplingRun>)>, OfBuild> {
    let request = plan.request(case);
    for (i, build) in launched.iter_mut().enumerate() {
        build.open(&request).map_err(|error| (i, error))?;
    }
    let runs = order.iter().map(|&(build, mode)| {
        let run = launched[build].sampling_run(&plan.modes[mode], sample_ms);
        let run = run.map_err(|error| (build, error))?;
        Ok(((build, mode), run))
    });
    runs.collect()
}
