//! How often verbs time, and timing in several processes or in this one.

use super::dir;
use crate::builds::{self, Plan, Turns};
use crate::cases::Expected;
use crate::cmd::args::CaseDir;
use crate::cmd::output;
use crate::engines::verify::Verified;
use crate::measure::{self, Calls};
use anyhow::{Result, bail};
use clap::Args;
use evmscope_reports::run::Measurement;

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
        let cases = verified
            .iter()
            .filter_map(|engines| engines.as_ref().first());
        let Some(first) = cases.clone().next() else {
            return Ok(Vec::new());
        };
        let modes = verified[0].as_ref().iter().map(|v| v.id.to_string());
        let plan = Plan {
            case_dir: dir(from).canonicalize()?,
            cases: cases.map(|v| v.case.name.clone()).collect(),
            modes: modes.collect(),
            settings: first.settings,
            launches: self.launches as usize,
            pairs: self.pairs(),
            turns: Turns::Modes,
            calls,
        };
        let bar = output::progress(plan.steps(), "timing");
        let times = builds::time_modes(&plan, &mut || bar.inc(1))?;
        bar.finish_and_clear();
        Ok(times)
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
