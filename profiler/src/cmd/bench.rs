//! `evmscope bench`: the times of cases in several modes.

use super::cases;
use super::exports::Exports;
use crate::cases::shard::Shard;
use crate::cases::{Case, CaseSet, Unreadable};
use crate::cmd::args::{CaseDir, Tuning, engines};
use crate::cmd::output::Answer;
use crate::cmd::timing::Amount;
use crate::engines::EngineId;
use crate::engines::verify::{Verified, verify};
use crate::instruments::counters::{Linux, pin_to_one_kind};
use crate::measure::Calls;
use crate::measure::memory;
use crate::measure::record::{add_results, new_run};
use anyhow::{Context, Result, bail};
use clap::Args;
use evmscope_interp::Settings;
use evmscope_reports::Run;
use evmscope_reports::render::terminal::{self, Style};
use evmscope_reports::stats;
use std::time::Instant;

#[derive(Args)]
pub struct Bench {
    /// Names of cases [default: all].
    #[arg(value_name = "CASE")]
    pub cases: Vec<String>,
    #[command(flatten)]
    pub from: CaseDir,
    /// Modes to compare, comma-separated; the first is the base. The same mode twice shows the noise.
    #[arg(
        long,
        value_name = "MODE,..",
        value_delimiter = ',',
        default_value = "traditional,advanced",
        value_parser = engines()
    )]
    pub modes: Vec<EngineId>,
    #[command(flatten)]
    pub amount: Amount,
    /// Only this shard of the cases, such as the second of eight.
    #[arg(long, value_name = "2/8", default_value_t, hide_default_value = true)]
    pub shard: Shard,
    /// Time first calls: nothing decoded or cached; jumpdests are known to all modes.
    #[arg(long)]
    pub cold: bool,
    #[command(flatten)]
    pub tuning: Tuning,
    #[command(flatten)]
    pub exports: Exports,
}

/// Smaller changes are ignored. Suits the default number of pairs.
pub const THRESHOLD: f64 = 0.02;

pub fn run(args: &Bench, style: Style) -> Result<Answer> {
    let CaseSet {
        cases,
        mut unreadable,
    } = cases(&args.from, &args.cases)?;
    let cases = args.shard.select(cases);
    if cases.is_empty() {
        bail!("no case in shard {}: use fewer shards", args.shard);
    }
    let exports = args.exports.check()?;

    let calls = if args.cold { Calls::Cold } else { Calls::Warm };
    let settings = args.tuning.settings();
    let modes = EngineId::distinct(&args.modes);
    let mut verified = verify_all(&cases, &modes, settings)?;
    unreadable.extend(remove_failing(&args.amount, &mut verified));
    if verified.is_empty()
        && let Some(failing) = unreadable.pop()
    {
        return Err(failing.error);
    }
    let run = measure_all(verified, &args.from, &args.amount, calls)?;
    let written = exports.write(&run);
    let answer = Answer::of_readable(terminal::bench(&run, style), unreadable);
    Ok(answer.with(written))
}

/// Verifies cases in `modes`, the first of which is the base.
pub fn verify_all<'a>(
    cases: &'a [Case],
    modes: &[EngineId],
    settings: Settings,
) -> Result<Vec<Vec<Verified<'a>>>> {
    let verified = cases.iter().map(|case| verify(case, modes, settings));
    verified.collect()
}

/// Takes out the cases that are not timed; the reason of each.
fn remove_failing(amount: &Amount, verified: &mut Vec<Vec<Verified<'_>>>) -> Vec<Unreadable> {
    let mut failing = Vec::new();
    verified.retain(|engines| match amount.expect_success(engines) {
        Ok(()) => true,
        Err(error) => {
            failing.push(Unreadable::new(&engines[0].case.name, error));
            false
        }
    });
    failing
}

/// Times verified cases and counts their memory.
pub fn measure_all(
    mut verified: Vec<Vec<Verified<'_>>>,
    from: &CaseDir,
    amount: &Amount,
    calls: Calls,
) -> Result<Run> {
    let first = verified.first().and_then(|engines| engines.first());
    let first = first.context("there is no case to time")?;
    let (base, settings) = (first.id.clone(), first.settings);
    let mut run = new_run(
        pin_to_one_kind(&Linux::default())?.as_ref(),
        settings,
        calls,
    );
    let begun = Instant::now();
    run.measurements = amount.time(&mut verified, from, calls)?;
    run.timing_seconds = Some(begun.elapsed().as_secs_f64());
    for engines in &verified {
        add_results(&mut run, engines);
        memory::add(&mut run, engines)?;
    }
    run.ratios = stats::ratios(&run.measurements, base.name(), THRESHOLD);
    Ok(run)
}
