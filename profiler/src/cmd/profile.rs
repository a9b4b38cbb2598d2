//! `evmscope profile`: all measurements of one case in two modes, and reports of them.

use super::bench::THRESHOLD;
use super::{dir, known_contracts, one_case, perf_data};
use crate::cmd::args::{CaseDir, SourceMaps, Tuning, engines};
use crate::cmd::output::{self, Answer, Files, Written};
use crate::cmd::timing::Amount;
use crate::engines::EngineId;
use crate::engines::verify::{Verified, verify};
use crate::instruments::counters::{Linux, Plan, Probe, pin_to_one_kind};
use crate::measure::record::{add_results, new_run};
use crate::measure::{self, Calls, Sampling, memory};
use crate::profile::collect::{self, Profiled};
use crate::profile::contracts::{self, AttributedSample, Walk};
use crate::profile::flamegraph::{self, Width, WidthsFrom};
use crate::profile::opcode_costs::{self, Events, Weights};
use crate::symbols::Symbols;
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use evmscope_reports::Run;
use evmscope_reports::name::as_file_name;
use evmscope_reports::render::html::Flamegraph;
use evmscope_reports::render::terminal::Style;
use evmscope_reports::render::{html, json, markdown, terminal};
use evmscope_reports::{run, stats};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[derive(Args)]
pub struct Profile {
    /// Name of a case.
    #[arg(required_unless_present = "perf_data")]
    pub case: Option<String>,
    /// Show a `perf record` recording of other programs instead of a case (`-`: standard input).
    #[arg(long, value_name = "FILE", conflicts_with = "case")]
    pub perf_data: Option<PathBuf>,
    #[command(flatten)]
    pub from: CaseDir,
    /// Mode to compare against.
    #[arg(long, value_name = "MODE", default_value = "traditional", value_parser = engines())]
    pub base: EngineId,
    /// Mode under test.
    #[arg(long, value_name = "MODE", default_value = "advanced", value_parser = engines())]
    pub head: EngineId,
    #[command(flatten)]
    pub amount: Amount,
    /// Sampling time per mode for its flamegraph, ms; each run for the cost of opcodes takes a third of it.
    #[arg(long, value_name = "MS", default_value_t = 1_500, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub sample_ms: u64,
    /// Samples per second for the flamegraphs.
    #[arg(long, value_name = "N", default_value_t = 1_999, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub hz: u32,
    /// Skip the simulated counters, which take the longest.
    #[arg(long)]
    pub no_simulate: bool,
    #[command(flatten)]
    pub maps: SourceMaps,
    #[command(flatten)]
    pub tuning: Tuning,
    /// Folder for the reports [default: reports/out/CASE, or reports/out/perf-data].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// As many sampling runs for the cost of opcodes take as long as the samples of a flamegraph.
const RUNS_PER_GRAPH: u64 = 3;

/// Counting passes: enough to show the spread.
const COUNTING_PASSES: usize = 6;

pub fn run(args: &Profile, style: Style) -> Result<Answer> {
    if let Some(recording) = &args.perf_data {
        return perf_data::run(recording, args.out.as_deref());
    }
    let name = args.case.as_deref().unwrap_or_default();
    let (case, unreadable) = one_case(&args.from, name)?;
    let default = Path::new("reports/out").join(as_file_name(&case.name));
    let files = Files::in_dir_or(args.out.as_deref(), &default)?;
    let modes = EngineId::distinct(&[args.base.clone(), args.head.clone()]);
    let mut verified = verify(&case, &modes, args.tuning.settings())?;
    args.amount.expect_success(&verified)?;

    let walk = contracts::walk(&case, &known_contracts(&case, &args.maps)?)?;
    let measured = measure_all(args, &mut verified)?;
    let mut pictures = draw(&measured.run)?;
    pictures.extend(draw_contracts(&measured, &walk)?);
    let written = write(&files, &measured.run, &pictures);
    let [base, head] = sides(&measured.run)?;
    let text = terminal::counter_diff(&measured.run, base, head, style);
    Ok(Answer::of_readable(text, unreadable).with(written))
}

/// All measurements of the case, and the samples of each mode by position in its contracts.
struct Measured {
    run: Run,
    attributed: Vec<Vec<AttributedSample>>,
}

fn measure_all(args: &Profile, verified: &mut [Verified]) -> Result<Measured> {
    let pinned = pin_to_one_kind(&Linux::default())?;
    let symbols = Symbols::of_this_process().context("cannot read the symbols of this program")?;
    let mut run = new_run(pinned.as_ref(), args.tuning.settings(), Calls::Warm);
    add_results(&mut run, verified);

    let timed = &mut [&mut *verified];
    let begun = Instant::now();
    run.measurements = args.amount.time(timed, &args.from, Calls::Warm)?;
    run.timing_seconds = Some(begun.elapsed().as_secs_f64());
    count_all(verified, &Linux::new(pinned.as_ref()), &mut run)?;
    let sampled = sample_all(args, verified, &symbols, &run)?;
    let sampling = Sampling::new(
        args.hz,
        Duration::from_millis((args.sample_ms / RUNS_PER_GRAPH).max(1)),
    );
    let runs = args
        .amount
        .sampling_runs(verified, &args.from, sampling, &symbols)?;
    memory::add(&mut run, verified)?;
    let simulated = match args.no_simulate {
        true => vec![None; verified.len()],
        false => simulate_all(&dir(&args.from), verified, &symbols, &mut run),
    };

    let mut attributed = Vec::new();
    let samples = sampled.into_iter().zip(runs).zip(simulated);
    for (v, (((profiled, events), runs), simulated)) in verified.iter().zip(samples) {
        let costs = opcode_costs::of(v, &run, &runs, &events, simulated.as_ref());
        run.opcode_costs.extend(costs);
        run.profiles.push(profiled.profile);
        attributed.push(profiled.attributed);
    }
    run.ratios = stats::ratios(&run.measurements, args.base.name(), THRESHOLD);
    Ok(Measured { run, attributed })
}

fn count_all(verified: &mut [Verified], kernel: &Linux, run: &mut Run) -> Result<()> {
    let bar = output::progress(COUNTING_PASSES as u64, "counting");
    let plan = Plan::new(kernel, &Probe::new(kernel));
    let tick = &mut || bar.inc(1);
    let (counted, unavailable) = measure::count(verified, kernel, &plan, COUNTING_PASSES, tick)?;
    run.measurements.extend(counted);
    run.unavailable.extend(unavailable);
    bar.finish_and_clear();
    Ok(())
}

/// Samples each mode by time and by the events that `run` counted.
fn sample_all(
    args: &Profile,
    verified: &mut [Verified],
    symbols: &Symbols,
    run: &Run,
) -> Result<Vec<(Profiled, Vec<Events>)>> {
    let bar = output::progress(verified.len() as u64, "sampling");
    let sampling = Sampling::new(args.hz, Duration::from_millis(args.sample_ms));
    let mut sampled = Vec::new();
    for v in verified {
        let profiled = collect::profile(v, sampling, symbols)?;
        sampled.push((profiled, collect::sample_events(v, sampling, symbols, run)?));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(sampled)
}

/// The simulated instructions of each mode by opcode. `None` if unavailable; the reason is then added to `run`.
fn simulate_all(
    case_dir: &Path,
    verified: &[Verified],
    symbols: &Symbols,
    run: &mut Run,
) -> Vec<Option<Weights>> {
    let bar = output::progress(verified.len() as u64, "simulating");
    let mut by_opcode = Vec::new();
    for v in verified {
        by_opcode.push(match collect::simulate(v, case_dir, symbols) {
            Ok(simulated) => {
                run.measurements.extend(simulated.measurements);
                Some(simulated.by_opcode)
            }
            Err(missing) => {
                run.unavailable.extend(missing);
                None
            }
        });
        bar.inc(1);
    }
    bar.finish_and_clear();
    run.unavailable.dedup();
    by_opcode
}

/// An SVG to write to a file and embed in the report.
struct Picture {
    file: String,
    title: String,
    svg: String,
}

/// A flamegraph of each mode, and the difference with the widths of head and of base.
fn draw(run: &Run) -> Result<Vec<Picture>> {
    let [base, head] = &run.profiles[..] else {
        bail!("expected samples of two modes")
    };
    let mut pictures = Vec::new();
    for profile in [base, head] {
        pictures.push(Picture {
            file: format!("flame-{}.svg", profile.mode),
            title: format!("Where the time goes: {}", profile.mode),
            svg: flamegraph::flame(profile)?,
        });
    }
    for (widths, of, file) in [
        (WidthsFrom::Head, head, "flame-diff.svg"),
        (WidthsFrom::Base, base, "flame-diff-reverse.svg"),
    ] {
        pictures.push(Picture {
            file: file.to_owned(),
            title: format!("What changed, with the widths of {}", of.mode),
            svg: flamegraph::differential(base, head, widths)?,
        });
    }
    Ok(pictures)
}

/// Flamegraphs of the contracts: by gas, and by time for each mode whose samples map to opcodes.
fn draw_contracts(measured: &Measured, walk: &Walk) -> Result<Vec<Picture>> {
    let Measured { run, attributed } = measured;
    let [run::Profile { case, .. }, ..] = &run.profiles[..] else {
        bail!("no mode was sampled")
    };
    // A case that executes no opcode has nothing to draw.
    if walk.stacks.is_empty() {
        return Ok(Vec::new());
    }
    let mut pictures = Vec::new();
    for (profile, attributed) in run.profiles.iter().zip(attributed) {
        let mode = &profile.mode;
        if !run.opcode_costs.iter().any(|cost| cost.mode == *mode) {
            continue;
        }
        let weighed = contracts::by_time(walk, attributed);
        pictures.push(Picture {
            file: format!("flame-evm-{mode}.svg"),
            title: format!("Where the time goes in the contract: {mode}"),
            svg: flamegraph::contracts(case, &Width::Time(profile.clone()), &weighed)?,
        });
    }
    let gas = contracts::by_gas(walk);
    if !gas.stacks.is_empty() {
        pictures.push(Picture {
            file: "flame-evm-gas.svg".to_owned(),
            title: "Where the gas goes in the contract".to_owned(),
            svg: flamegraph::contracts(case, &Width::Gas, &gas)?,
        });
    }
    Ok(pictures)
}

fn write(files: &Files, run: &Run, pictures: &[Picture]) -> Result<Written> {
    let [base, head] = sides(run)?;
    let embedded: Vec<_> = pictures
        .iter()
        .map(|Picture { title, svg, .. }| Flamegraph { title, svg })
        .collect();
    let mut texts = vec![
        ("report.html", html::report(run, base, head, &embedded)?),
        ("report.md", markdown::counter_diff(run, base, head)),
        ("report.json", json::write(run)?),
    ];
    let drawn = pictures.iter();
    texts.extend(drawn.map(|picture| (picture.file.as_str(), picture.svg.clone())));
    files.write_all(&texts)
}

/// The names of base and head in the run.
fn sides(run: &Run) -> Result<[&str; 2]> {
    <[&str; 2]>::try_from(run.modes()).map_err(|modes| anyhow!("expected two modes, not {modes:?}"))
}
