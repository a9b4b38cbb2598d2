//! Independent sampling runs of builds, for the cost of opcodes: each in a process of its own, the builds and modes in
//! shuffled order.

use super::interleave::Plan;
use super::process::{Build, BuildError};
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
        let cases = plan.cases.iter();
        let places = cases.flat_map(|case| plan.modes.iter().map(move |mode| (case, mode)));
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

/// Takes one sampling run per launch of every build, case and mode, of `sample_ms` each. Returns them by build.
///
/// # Errors
/// A build that cannot be measured.
pub fn opcode_runs(
    builds: &[PathBuf],
    plan: &Plan,
    sample_ms: u64,
    tick: &mut dyn FnMut(),
) -> Result<Vec<OpcodeRuns>> {
    let mut rng = SmallRng::seed_from_u64(SHUFFLE);
    let mut all: Vec<_> = builds.iter().map(|_| OpcodeRuns::new(plan)).collect();
    let modes = plan.modes.len();
    let mut order: Vec<_> = (0..builds.len())
        .flat_map(|build| (0..modes).map(move |mode| (build, mode)))
        .collect();
    for _ in 0..plan.launches {
        let launched = builds.iter().map(|path| Build::launch(path));
        let mut launched = launched.collect::<Result<Vec<_>, BuildError>>()?;
        for (i, case) in plan.cases.iter().enumerate() {
            let request = plan.request(case);
            for build in &mut launched {
                build.open(&request)?;
            }
            order.shuffle(&mut rng);
            for &(build, mode) in &order {
                let run = launched[build].sampling_run(&plan.modes[mode], sample_ms)?;
                let (_, _, runs) = &mut all[build].runs[i * modes + mode];
                runs.extend(run);
            }
            tick();
        }
    }
    Ok(all)
}
