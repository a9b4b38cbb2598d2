//! How often verbs time and sample, in several processes or in this one.

use super::dir;
use crate::builds::{self, Plan, Turns};
use crate::cases::Expected;
use crate::cmd::args::CaseDir;
use crate::cmd::output;
use crate::engines::verify::Verified;
use crate::measure::time::SHUFFLE;
use crate::measure::{self, Calls, Sampling};
use crate::profile::collect;
use crate::profile::opcode_costs::SamplingRun;
use crate::symbols::Symbols;
use anyhow::{Context, Result, bail};
use clap::Args;
use evmscope_reports::run::Measurement;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;

/// How often to time.
#[derive(Args)]
pub struct Amount {
    /// Processes to time in, so that intervals cover what varies by process.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub launches: u32,
    /// Samples per mode and launch, about 10 ms each [default: 6, with --quick 30].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub pairs: Option<u32>,
    /// Time cases that fail although no expected result says so.
    #[arg(long)]
    pub allow_failure: bool,
    /// Time in this process alone.
    #[arg(long, conflicts_with = "launches")]
    pub quick: bool,
}

impl Amount {
    /// Refuses a case that fails although nothing states that it should: its time would be that of an early end.
    ///
    /// # Errors
    /// The status that the case ended with.
    pub fn expect_success(&self, verified: &[Verified<'_>]) -> Result<()> {
        for v in verified {
            let stated = matches!(v.case.expected, Expected::Stated { .. });
            let status = &v.result.status;
            if !self.allow_failure && !stated && status != "success" {
                bail!(
                    "case {} ends with {status} after {} gas, and nothing states that it should: it is not timed \
                     (--allow-failure times it)",
                    v.case.name,
                    v.result.gas_used
                );
            }
        }
        Ok(())
    }

    /// Samples per mode and launch.
    pub fn pairs(&self) -> usize {
        let default = if self.quick { 30 } else { 6 };
        self.pairs.unwrap_or(default) as usize
    }

    /// Times the modes of verified cases in turn, each case and mode in [`Amount::launches`] processes.
    ///
    /// # Errors
    /// The clock, or a process that cannot be measured.
    pub fn time<'a>(
        &self,
        verified: &mut [impl AsRef<[Verified<'a>]> + AsMut<[Verified<'a>]>],
        from: &CaseDir,
        calls: Calls,
    ) -> Result<Vec<Measurement>> {
        if self.quick {
            return self.time_here(verified, calls);
        }
        let cases: Vec<_> = verified.iter().map(AsRef::as_ref).collect();
        let Some(plan) = self.plan(&cases, from, calls)? else {
            return Ok(Vec::new());
        };
        let bar = output::progress(plan.steps(), "timing");
        let times = builds::time_modes(&plan, &mut || bar.inc(1))?;
        bar.finish_and_clear();
        Ok(times)
    }

    /// Independent sampling runs of the modes of one case, by mode: one in each of [`Amount::launches`] processes, or
    /// some in this one. Empty for peers, whose functions belong to no opcode.
    ///
    /// # Errors
    /// As [`Amount::time`].
    pub fn sampling_runs(
        &self,
        verified: &mut [Verified],
        from: &CaseDir,
        sampling: Sampling,
        symbols: &Symbols,
    ) -> Result<Vec<Vec<SamplingRun>>> {
        if self.quick {
            return sampling_runs_here(verified, sampling, symbols);
        }
        let Some(mut plan) = self.plan(&[&*verified], from, Calls::Warm)? else {
            return Ok(Vec::new());
        };
        let ours = verified.iter().filter(|v| is_ours(v));
        plan.modes = ours.map(|v| v.id.to_string()).collect();
        if plan.modes.is_empty() {
            return Ok(vec![Vec::new(); verified.len()]);
        }
        let bar = output::progress(plan.launches as u64, "sampling opcodes");
        let own = [std::env::current_exe().context("cannot find this program's own file")?];
        let sample_ms = u64::try_from(sampling.budget.as_millis())?;
        let (runs, failed) = builds::opcode_runs(&own, &plan, sample_ms, &mut || bar.inc(1))?;
        builds::expect_none(&failed, &own)?;
        bar.finish_and_clear();
        let of = |v: &Verified| runs[0].of(&plan.cases[0], v.id.name()).to_vec();
        Ok(verified.iter().map(of).collect())
    }

    /// How to measure verified cases in several processes; `None` if there are none.
    fn plan(&self, verified: &[&[Verified]], from: &CaseDir, calls: Calls) -> Result<Option<Plan>> {
        let cases = verified.iter().filter_map(|engines| engines.first());
        let Some(first) = cases.clone().next() else {
            return Ok(None);
        };
        let modes = verified[0].iter().map(|v| v.id.to_string());
        Ok(Some(Plan {
            case_dir: dir(from).canonicalize()?,
            cases: cases.map(|v| v.case.name.clone()).collect(),
            modes: modes.collect(),
            settings: first.settings,
            launches: self.launches as usize,
            pairs: self.pairs(),
            turns: Turns::Modes,
            calls,
        }))
    }

    fn time_here<'a>(
        &self,
        verified: &mut [impl AsMut<[Verified<'a>]>],
        calls: Calls,
    ) -> Result<Vec<Measurement>> {
        let mut times = Vec::new();
        for engines in verified {
            let engines = engines.as_mut();
            let bar = output::progress(self.pairs() as u64, &engines[0].case.name);
            times.extend(measure::time(engines, self.pairs(), calls, &mut || {
                bar.inc(1)
            })?);
            bar.finish_and_clear();
        }
        Ok(times)
    }
}

/// Sampling runs in one process.
const SESSIONS: usize = 6;

fn is_ours(v: &Verified) -> bool {
    v.id.mode().is_some()
}

fn sampling_runs_here(
    verified: &mut [Verified],
    sampling: Sampling,
    symbols: &Symbols,
) -> Result<Vec<Vec<SamplingRun>>> {
    let mut runs = vec![Vec::new(); verified.len()];
    let mut order: Vec<_> = (0..verified.len())
        .filter(|i| is_ours(&verified[*i]))
        .collect();
    let mut rng = SmallRng::seed_from_u64(SHUFFLE);
    let bar = output::progress(SESSIONS as u64, "sampling opcodes");
    for _ in 0..SESSIONS {
        order.shuffle(&mut rng);
        for &i in &order {
            runs[i].push(collect::sampling_run(&mut verified[i], sampling, symbols)?);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(runs)
}
