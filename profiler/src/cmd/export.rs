//! `evmscope export`: converts a run to the formats of other tools.

use crate::cmd::output::{Answer, Document};
use anyhow::{Context, Result, bail};
use clap::Args;
use clap::ValueEnum;
use evmscope_reports::Run;
use evmscope_reports::render::{export, json, stacks};
use jiff::Timestamp;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

/// Formats of other tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// Stacks, for `go tool pprof`, Pyroscope and Parca.
    Pprof,
    /// Stacks, for the Firefox Profiler.
    Firefox,
    /// Stacks, for speedscope.app.
    Speedscope,
    /// Stacks, one per line.
    Folded,
    /// Measurements, as Bencher Metric Format.
    Bencher,
    /// Measurements, for github-action-benchmark.
    Github,
}

impl Target {
    /// Whether the format is for sampled stacks; the others are for measurements.
    fn is_of_stacks(self) -> bool {
        match self {
            Target::Pprof | Target::Firefox | Target::Speedscope | Target::Folded => true,
            Target::Bencher | Target::Github => false,
        }
    }
}

#[derive(Args)]
pub struct Export {
    /// A run: report.json of `profile`, or the file of `bench --export-json`.
    pub run: PathBuf,
    /// Target format.
    #[arg(long, value_name = "FORMAT")]
    pub to: Target,
    /// File to write [default: `-`, standard output].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

pub fn run(args: &Export) -> Result<Answer> {
    let place = args.run.display();
    let text = fs::read_to_string(&args.run).with_context(|| format!("cannot read {place}"))?;
    let run = json::read(&text).with_context(|| format!("{place} is not a run of evmscope"))?;
    let of_stacks = args.to.is_of_stacks();
    if of_stacks && run.profiles.is_empty() {
        bail!("{place} holds no sampled stacks: `evmscope profile` writes them, `bench` does not");
    }
    if !of_stacks && run.measurements.is_empty() {
        bail!("{place} holds no measurements: `evmscope bench --export-json` writes them");
    }
    let Some(out) = &args.out else {
        if args.to == Target::Pprof {
            bail!("pprof is a binary format: name a file with --out");
        }
        return Ok(Answer::success(String::from_utf8(converted(
            args.to, &run,
        )?)?));
    };
    let written = Document::at(out)?.write(converted(args.to, &run)?)?;
    let text = written.listed().trim_start().to_owned();
    Ok(Answer::success(text))
}

fn converted(to: Target, run: &Run) -> Result<Vec<u8>> {
    Ok(match to {
        Target::Pprof => stacks::pprof(run, created(run)?),
        Target::Firefox => stacks::firefox(run, created(run)?)?.into(),
        Target::Speedscope => stacks::speedscope(run)?.into(),
        Target::Folded => stacks::folded(run).into(),
        Target::Bencher => export::bencher(run)?.into(),
        Target::Github => export::github_action_benchmark(run)?.into(),
    })
}

fn created(run: &Run) -> Result<SystemTime> {
    let time: Timestamp = run
        .created
        .parse()
        .with_context(|| format!("the run has no usable date: {}", run.created))?;
    Ok(time.into())
}
