//! `evmscope profile`: everything that can be known of one case in two modes, and the reports of it.

use super::bench::THRESHOLD;
use super::{contracts, dir, listed, one_case, perf_data};
use crate::cli;
use crate::contracts::{self, Located, Walk};
use crate::counters::{Linux, Pinned, Plan, Probe, pin_to_one_kind};
use crate::flamegraph::{self, Width, Widths};
use crate::footprint;
use crate::measure::{self, Calls, Sampling};
use crate::opcodes::{self, Sampled};
use crate::output::{self, Answer, Files};
use crate::run::new_run;
use crate::symbols::Symbols;
use crate::verify;
use anyhow::{Context, Result, bail};
use evmscope_reports::Run;
use evmscope_reports::render::html::Flamegraph;
use evmscope_reports::render::terminal::Style;
use evmscope_reports::render::{html, json, markdown, terminal};
use evmscope_reports::run::Profile;
use evmscope_reports::stats;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Passes of counting: enough for a spread.
const COUNTING_PASSES: usize = 6;

pub fn run(args: &cli::Profile, style: Style) -> Result<Answer> {
    if let Some(recording) = &args.perf_data {
        return perf_data::run(recording, args.out.as_deref());
    }
    let name = args.case.as_deref().unwrap_or_default();
    let (case, unreadable) = one_case(&args.from, name)?;
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| Path::new("reports/out").join(&case.name));
    let files = Files::in_dir(&out)?;
    let mut verified = verify::verify(&case, &[args.base, args.head], args.tuning.settings())?;

    let pinned = pin_to_one_kind(&Linux::default())?;
    let known = contracts(&case, &args.maps)?;
    let walk = contracts::walk(&case, &known)?;
    let (run, located) = measure_all(args, &mut verified, pinned.as_ref())?;
    let mut flames = draw(&run)?;
    flames
        .pictures
        .extend(draw_contracts(&run, &walk, &located)?);
    let paths = write(&files, &run, &flames, args)?;
    Ok(Answer::of_readable(
        summary(&run, args, style, &paths),
        unreadable,
    ))
}

fn measure_all(
    args: &cli::Profile,
    verified: &mut [verify::Verified],
    pinned: Option<&Pinned>,
) -> Result<(Run, Vec<Vec<Located>>)> {
    let mut run = new_run(pinned, args.tuning.settings(), Calls::Warm);
    run.results
        .extend(verified.iter().map(|v| v.result.clone()));

    let bar = output::progress(args.pairs.into(), "timing");
    run.measurements = measure::time(verified, args.pairs as usize, Calls::Warm, &mut || {
        bar.inc(1)
    })?;
    bar.finish_and_clear();

    let bar = output::progress(COUNTING_PASSES as u64, "counting");
    let kernel = Linux::new(pinned);
    let plan = Plan::new(&kernel, &Probe::new(&kernel));
    let (counted, unavailable) =
        measure::count(verified, &kernel, &plan, COUNTING_PASSES, &mut || {
            bar.inc(1)
        })?;
    run.measurements.extend(counted);
    run.unavailable = unavailable;
    bar.finish_and_clear();

    let bar = output::progress(verified.len() as u64, "sampling");
    let symbols = Symbols::of_this_process().context("cannot read the symbols of this program")?;
    let sampling = Sampling {
        hz: args.hz,
        budget: Duration::from_millis(args.sample_ms),
    };
    let (mut located, mut events) = (Vec::new(), Vec::new());
    for v in verified.iter_mut() {
        let profiled = measure::profile(v, sampling, &symbols)?;
        run.profiles.push(profiled.profile);
        located.push(profiled.located);
        events.push(measure::sample_events(v, sampling, &symbols, &run)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    footprint::add(&mut run, verified)?;

    let mut by_opcode: Vec<_> = verified.iter().map(|_| None).collect();
    if !args.no_simulate {
        let bar = output::progress(verified.len() as u64, "simulating");
        for (v, by_opcode) in verified.iter().zip(&mut by_opcode) {
            match measure::simulate(v, &dir(&args.from), &symbols) {
                Ok(simulated) => {
                    run.measurements.extend(simulated.measurements);
                    *by_opcode = Some(simulated.by_opcode);
                }
                Err(missing) => run.unavailable.extend(missing),
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        run.unavailable.dedup();
    }
    let mut costs = Vec::new();
    for (i, v) in verified.iter().enumerate() {
        let sampled = Sampled {
            profile: &run.profiles[i],
            weights: &measure::by_opcode(&located[i]),
        };
        let simulated = by_opcode[i].as_ref();
        costs.extend(opcodes::of(v, &run, Some(sampled), &events[i], simulated));
    }
    run.opcode_costs = costs;
    run.ratios = stats::ratios(&run.measurements, args.base.name(), THRESHOLD);
    Ok((run, located))
}

/// A picture for each mode, and what changed, seen from both.
struct Flames {
    pictures: Vec<(String, String, String)>,
}

fn draw(run: &Run) -> Result<Flames> {
    let [base, head] = &run.profiles[..] else {
        bail!("two modes were not sampled")
    };
    let mut pictures = Vec::new();
    for profile in [base, head] {
        let title = format!("Where the time goes: {}", profile.mode);
        pictures.push((
            format!("flame-{}.svg", profile.mode),
            title,
            flamegraph::flame(profile)?,
        ));
    }
    for (widths, of, name) in [
        (Widths::Head, head, "flame-diff.svg"),
        (Widths::Base, base, "flame-diff-reverse.svg"),
    ] {
        let title = format!("What changed, in the widths of {}", of.mode);
        pictures.push((
            name.into(),
            title,
            flamegraph::differential(base, head, widths)?,
        ));
    }
    Ok(Flames { pictures })
}

/// Pictures of the contracts: by gas, and by the time of each mode whose opcodes its samples tell.
fn draw_contracts(
    run: &Run,
    walk: &Walk,
    located: &[Vec<Located>],
) -> Result<Vec<(String, String, String)>> {
    let [Profile { case, .. }, ..] = &run.profiles[..] else {
        bail!("no mode was sampled")
    };
    // A case that executes nothing has no such picture.
    if walk.positions.is_empty() {
        return Ok(Vec::new());
    }
    let gas = contracts::by_gas(walk);
    let mut pictures = Vec::new();
    for (profile, located) in run.profiles.iter().zip(located) {
        if !run
            .opcode_costs
            .iter()
            .any(|cost| cost.mode == profile.mode)
        {
            continue;
        }
        let weighed = contracts::by_time(walk, located);
        pictures.push((
            format!("flame-evm-{}.svg", profile.mode),
            format!("Where the time goes in the contract: {}", profile.mode),
            flamegraph::contracts(case, &Width::Time(profile.clone()), &weighed)?,
        ));
    }
    if !gas.stacks.is_empty() {
        pictures.push((
            "flame-evm-gas.svg".to_owned(),
            "Where the gas goes in the contract".to_owned(),
            flamegraph::contracts(case, &Width::Gas, &gas)?,
        ));
    }
    Ok(pictures)
}

fn write(files: &Files, run: &Run, flames: &Flames, args: &cli::Profile) -> Result<Vec<PathBuf>> {
    let (base, head) = (args.base.name(), args.head.name());
    let embedded: Vec<_> = flames
        .pictures
        .iter()
        .map(|(_, title, svg)| Flamegraph { title, svg })
        .collect();
    let mut texts = vec![
        ("report.html", html::report(run, base, head, &embedded)?),
        ("report.md", markdown::counter_diff(run, base, head)),
        ("report.json", json::write(run)?),
    ];
    texts.extend(
        flames
            .pictures
            .iter()
            .map(|(name, _, svg)| (name.as_str(), svg.clone())),
    );
    files.write_all(&texts)
}

fn summary(run: &Run, args: &cli::Profile, style: Style, paths: &[PathBuf]) -> String {
    terminal::counter_diff(run, args.base.name(), args.head.name(), style) + &listed(paths)
}
