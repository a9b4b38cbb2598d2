//! `evmscope bench`: the times of cases in several modes.

use super::{cases, listed};
use crate::cases::shard::Shard;
use crate::cases::{Case, CaseSet};
use crate::cmd::args::{CaseDir, Tuning, engines};
use crate::cmd::output::{Answer, Files};
use crate::cmd::timing::Amount;
use crate::engines::EngineId;
use crate::engines::verify;
use crate::instruments::counters::{Linux, pin_to_one_kind};
use crate::measure::Calls;
use crate::measure::memory;
use crate::measure::record::{add_results, new_run};
use anyhow::{Result, bail};
use clap::Args;
use evmscope_interp::Settings;
use evmscope_reports::Run;
use evmscope_reports::render::terminal::Style;
use evmscope_reports::render::{json, markdown, terminal};
use evmscope_reports::stats;
use std::path::PathBuf;

#[derive(Args)]
pub struct Bench {
    /// Names of cases [default: all].
    #[arg(value_name = "CASE")]
    pub cases: Vec<String>,
    #[command(flatten)]
    pub from: CaseDir,
    /// Modes to compare, comma-separated; the first is the base.
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
    /// Write the run as JSON.
    #[arg(long, value_name = "FILE")]
    pub export_json: Option<PathBuf>,
    /// Write the table as Markdown.
    #[arg(long, value_name = "FILE")]
    pub export_markdown: Option<PathBuf>,
}

/// Smaller changes are ignored. Suits the default number of pairs.
pub const THRESHOLD: f64 = 0.02;

pub fn run(args: &Bench, style: Style) -> Result<Answer> {
    let CaseSet { cases, unreadable } = cases(&args.from, &args.cases)?;
    let cases = args.shard.select(cases);
    if cases.is_empty() {
        bail!("no case in shard {}: use fewer shards", args.shard);
    }
    let exports = [&args.export_json, &args.export_markdown].map(Option::as_ref);
    let [json_to, markdown_to] =
        exports.map(|path| path.map(|path| Files::beside(path).map(|files| (files, path))));
    let (json_to, markdown_to) = (json_to.transpose()?, markdown_to.transpose()?);

    let calls = if args.cold { Calls::Cold } else { Calls::Warm };
    let settings = args.tuning.settings();
    let run = measure_all(
        &cases,
        &args.from,
        &args.modes,
        &args.amount,
        settings,
        calls,
    )?;

    let mut paths = Vec::new();
    if let Some((files, path)) = json_to {
        paths.push(files.write(path, json::write(&run)?)?);
    }
    if let Some((files, path)) = markdown_to {
        paths.push(files.write(path, markdown::bench(&run))?);
    }
    let text = terminal::bench(&run, style) + &listed(&paths);
    Ok(Answer::of_readable(text, unreadable))
}

/// Verifies and times cases in `modes`, the first of which is the base, and counts their memory.
pub fn measure_all(
    cases: &[Case],
    from: &CaseDir,
    modes: &[EngineId],
    amount: &Amount,
    settings: Settings,
    calls: Calls,
) -> Result<Run> {
    let mut verified = cases
        .iter()
        .map(|case| verify::verify(case, modes, settings))
        .collect::<Result<Vec<_>>>()?;

    let mut run = new_run(
        pin_to_one_kind(&Linux::default())?.as_ref(),
        settings,
        calls,
    );
    run.measurements = amount.time(&mut verified, from, calls)?;
    for engines in &verified {
        add_results(&mut run, engines);
        memory::add(&mut run, engines)?;
    }
    run.ratios = stats::ratios(&run.measurements, modes[0].name(), THRESHOLD);
    Ok(run)
}
