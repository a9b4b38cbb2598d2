//! `evmscope bench`: the times of cases in several modes.

use super::{cases, listed};
use crate::case::{Case, Shelf};
use crate::cli::Bench;
use crate::counters::{Linux, pin_to_one_kind};
use crate::engine::Which;
use crate::measure::Calls;
use crate::output::{self, Answer, Files};
use crate::run::new_run;
use crate::{footprint, measure, verify};
use anyhow::{Result, bail};
use evmscope_interp::Settings;
use evmscope_reports::Run;
use evmscope_reports::render::terminal::Style;
use evmscope_reports::render::{json, markdown, terminal};
use evmscope_reports::stats;

/// A change below this is none, at the number of pairs that is the default.
pub const THRESHOLD: f64 = 0.02;

pub fn run(args: &Bench, style: Style) -> Result<Answer> {
    let Shelf { cases, unreadable } = cases(&args.from, &args.cases)?;
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
    let run = measure_all(&cases, &args.modes, args.pairs as usize, settings, calls)?;

    let mut paths = Vec::new();
    if let Some((files, path)) = json_to {
        paths.push(files.write(path, &json::write(&run)?)?);
    }
    if let Some((files, path)) = markdown_to {
        paths.push(files.write(path, markdown::bench(&run))?);
    }
    let text = terminal::bench(&run, style) + &listed(&paths);
    Ok(Answer::of_readable(text, unreadable))
}

/// Verifies and times cases in some modes, the first of which is the base, and counts their memory.
pub fn measure_all(
    cases: &[Case],
    modes: &[Which],
    pairs: usize,
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
    for engines in &mut verified {
        let bar = output::progress(pairs as u64, &engines[0].case.name);
        run.measurements
            .extend(measure::time(engines, pairs, calls, &mut || bar.inc(1))?);
        bar.finish_and_clear();
        run.results.extend(engines.iter().map(|v| v.result.clone()));
        footprint::add(&mut run, engines)?;
    }
    run.ratios = stats::ratios(&run.measurements, modes[0].name(), THRESHOLD);
    Ok(run)
}
