//! `evmscope pgo train`: cases in both modes, run by the binary that counts.

use super::{expect_current, fingerprint};
use crate::case::Shelf;
use crate::cli::PgoTrain;
use crate::cmd::{cases, dir};
use crate::engine::Which;
use crate::output;
use crate::pgo::sections::Sections;
use crate::pgo::toolchain::Compiler;
use crate::pgo::train::{self, OPCODES, Training};
use crate::pgo::{Workshop, note};
use crate::verify::{self, Verified};
use anyhow::{Result, bail};
use evmscope_interp::{Mode, Settings};
use evmscope_reports::pgo::Trained;
use std::fmt::Write;

pub fn run(args: &PgoTrain) -> Result<String> {
    let compiler = Compiler::find()?;
    let workshop = Workshop::open(args.at.dir.as_deref())?;
    let binary = workshop.instrumented();
    if !binary.is_file() {
        bail!("there is no {}: `evmscope pgo build`", binary.display());
    }
    Sections::of(&binary)?.expect_instrumented(&binary)?;
    if let Some(made_from) = fingerprint(&binary)? {
        expect_current(&binary, &made_from, &compiler)?;
    }
    let Shelf { cases, .. } = cases(&args.from, &args.cases)?;
    for (case, _) in &args.weights {
        if !args.cases.contains(case) {
            bail!("--weights names {case}, which is not trained on: add it to --cases");
        }
    }

    let modes = Mode::ALL.map(Which::Ours);
    let verified = cases
        .iter()
        .map(|case| verify::verify(case, &modes, Settings::default()))
        .collect::<Result<Vec<_>>>()?;
    train::clear(&workshop)?;
    let mut training = Training { runs: Vec::new() };
    let bar = output::progress(
        verified.iter().map(Vec::len).sum::<usize>() as u64,
        "training",
    );
    for v in verified.iter().flatten() {
        let run = planned(v, &args.weights);
        let raw = Training::raw(&workshop, &run);
        train::run(&binary, &dir(&args.from), v, &run, &raw)?;
        training.runs.push(run);
        bar.inc(1);
    }
    bar.finish_and_clear();
    note(&workshop.raw(), &training)?;
    Ok(text(&training, &workshop))
}

fn planned(v: &Verified, weights: &[(String, u32)]) -> Trained {
    let case = &v.case.name;
    let weight = weights.iter().find(|(name, _)| name == case);
    Trained {
        case: case.clone(),
        mode: v.which.name().to_owned(),
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
