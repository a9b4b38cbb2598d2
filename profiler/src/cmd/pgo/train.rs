//! `evmscope pgo train`: runs cases in both modes with the instrumented binary.

use super::args::PgoDir;
use super::merge::weight;
use super::{expect_current, fingerprint};
use crate::builds::pgo::train::{self, OPCODES, Training};
use crate::builds::pgo::{Workshop, put};
use crate::cases::CaseSet;
use crate::cmd::args::CaseDir;
use crate::cmd::output;
use crate::cmd::{cases, dir};
use crate::engines::EngineId;
use crate::engines::verify::{self, Verified};
use crate::machine::toolchain::Compiler;
use crate::symbols::sections::Sections;
use anyhow::{Result, bail};
use clap::Args;
use evmscope_interp::{Mode, Settings};
use evmscope_reports::pgo::Trained;
use std::fmt::Write;

#[derive(Args)]
pub struct PgoTrain {
    #[command(flatten)]
    pub at: PgoDir,
    #[command(flatten)]
    pub from: CaseDir,
    /// Cases to train on, comma-separated; all others are held out.
    #[arg(long, value_name = "CASE,..", value_delimiter = ',', default_value = TRAINING)]
    pub cases: Vec<String>,
    /// Weights of the counts of cases; 1 for cases not named.
    #[arg(long, value_name = "CASE=N,..", value_delimiter = ',', value_parser = weight)]
    pub weights: Vec<(String, u32)>,
}

/// Default training cases: those made to exercise the interpreter, one of which executes every opcode. Real
/// contracts are held out, and so is the empty message.
const TRAINING: &str = "hash10k,memory,opcodes,storage,subcall,ten-thousand-hashes";

pub fn run(args: &PgoTrain) -> Result<String> {
    let compiler = Compiler::find()?;
    let workshop = args.at.workshop()?;
    let binary = workshop.instrumented();
    if !binary.is_file() {
        bail!("there is no {}: `evmscope pgo build`", binary.display());
    }
    Sections::of(&binary)?.expect_instrumented(&binary)?;
    if let Some(made_from) = fingerprint(&binary)? {
        expect_current(&binary, &made_from, &compiler)?;
    }
    let CaseSet { cases, .. } = cases(&args.from, &args.cases)?;
    for (case, _) in &args.weights {
        if !args.cases.contains(case) {
            bail!("--weights names {case}, which is not trained on: add it to --cases");
        }
    }

    let modes = Mode::ALL.map(EngineId::from);
    let verified = cases
        .iter()
        .map(|case| verify::verify(case, &modes, Settings::default()))
        .collect::<Result<Vec<_>>>()?;
    let unfinished = workshop.unfinished()?;
    let mut training = Training { runs: Vec::new() };
    let bar = output::progress(
        verified.iter().map(Vec::len).sum::<usize>() as u64,
        "training",
    );
    for v in verified.iter().flatten() {
        let run = planned(v, &args.weights);
        let raw = Training::raw(unfinished.path(), &run);
        train::run(&binary, &dir(&args.from), v, &run, &raw)?;
        training.runs.push(run);
        bar.inc(1);
    }
    bar.finish_and_clear();
    // Replaces earlier profiles, which would be merged with the new ones.
    put(unfinished, &workshop.raw(), &training)?;
    Ok(text(&training, &workshop))
}

fn planned(v: &Verified, weights: &[(String, u32)]) -> Trained {
    let case = &v.case.name;
    let weight = weights.iter().find(|(name, _)| name == case);
    Trained {
        case: case.clone(),
        mode: v.id.name().to_owned(),
        calls: train::calls(OPCODES, v.result.opcodes.unwrap_or(OPCODES)),
        weight: weight.map_or(1, |(_, times)| *times),
    }
}

fn text(training: &Training, workshop: &Workshop) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    for Trained {
        case,
        mode,
        calls,
        weight,
    } in &training.runs
    {
        let _ = writeln!(
            text,
            "trained {case}, {mode}: {calls} calls, weight {weight}"
        );
    }
    let _ = writeln!(text, "raw profiles: {}", workshop.raw().display());
    text
}
