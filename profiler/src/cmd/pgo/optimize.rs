//! `evmscope pgo optimize`: builds with the profile. Refuses a profile that does not fit.

use super::args::PgoDir;
use super::expect_current;
use crate::builds::pgo::bolt::Bolt;
use crate::builds::pgo::build::{self, Kind};
use crate::builds::pgo::profile::Profdata;
use crate::builds::pgo::train;
use crate::builds::pgo::warnings::Fit;
use crate::builds::pgo::{Merged, Optimized, Workshop, noted};
use crate::cmd::args::{CaseDir, per_cent};
use crate::cmd::output;
use crate::cmd::{dir, one_case};
use crate::engines::EngineId;
use crate::engines::verify;
use crate::machine::toolchain::Compiler;
use crate::symbols::sections::Sections;
use anyhow::{Context, Result, bail};
use clap::Args;
use evmscope_interp::Settings;
use evmscope_reports::pgo::Trained;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

#[derive(Args)]
pub struct PgoOptimize {
    #[command(flatten)]
    pub at: PgoDir,
    /// A merged profile instead of the one in the folder.
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Functions that may be missing from the profile or differ, % of its functions.
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0, value_parser = per_cent)]
    pub limit: f64,
    /// Also optimise the layout with BOLT into a second binary, trained on the same cases.
    #[arg(long)]
    pub bolt: bool,
    #[command(flatten)]
    pub from: CaseDir,
}

pub fn run(args: &PgoOptimize) -> Result<String> {
    let compiler = Compiler::find()?;
    let profdata = Profdata::find(&compiler)?;
    let bolt = args.bolt.then(|| Bolt::find(&compiler)).transpose()?;
    let workshop = args.at.workshop()?;
    let profile = args.profile.clone().unwrap_or_else(|| workshop.profile());
    let functions = profdata.read(&profile)?.len();
    let merged = noted::<Merged>(&profile)?;
    if let Some(made_from) = merged.as_ref().and_then(|merged| merged.made_from.as_ref()) {
        expect_current(&profile, made_from, &compiler)?;
    }
    let profile = profile
        .canonicalize()
        .with_context(|| format!("cannot find {}", profile.display()))?;

    let kind = Kind::Optimized {
        profile: &profile,
        relocations: args.bolt,
    };
    let built = build::build(&workshop, &compiler, kind)?;
    let fit = Fit::new(&built.warnings, functions);
    fit.expect_below(args.limit / 100.0)?;
    let sections = Sections::of(&built.executable)?;
    sections.expect_optimized(&built.executable)?;
    let runs = merged
        .as_ref()
        .map_or_else(Vec::new, |merged| merged.runs.clone());
    // The child has a small stack, which overflows if a handler calls the next one instead of jumping.
    call_all(&built.executable, args, &runs)
        .context("the optimised build does not run correctly")?;
    let binary = workshop.optimized();
    let facts = Optimized {
        made_from: built.made_from.clone(),
        missing: fit.missing.len(),
        mismatched: fit.mismatched.len(),
        limit: args.limit / 100.0,
        profile: merged,
    };
    build::adopt(&built, &binary, &facts)?;
    let mut text = summary(functions, &fit, &sections, &binary);
    remove_stale(&workshop.bolted())?;
    if let Some(bolt) = bolt {
        let bolted = lay_out(&bolt, args, &workshop, &runs)?;
        text += &format!("laid out by BOLT: {}\n", bolted.display());
    }
    Ok(text)
}

fn summary(functions: usize, fit: &Fit, sections: &Sections, binary: &Path) -> String {
    format!(
        "{functions} functions in the profile; {} missing, {} mismatched\n\
         hot code: {} bytes, cold: {} bytes, all: {} bytes\n\
         optimised: {}\n",
        fit.missing.len(),
        fit.mismatched.len(),
        sections.sizes.hot,
        sections.sizes.cold,
        sections.sizes.code,
        binary.display()
    )
}

/// Removes BOLT's output of an earlier build.
fn remove_stale(binary: &Path) -> Result<()> {
    match fs::remove_file(binary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", binary.display()))
        }
        _ => Ok(()),
    }
}

/// Trains BOLT on the runs of the profile with an instrumented copy, and lays the binary out.
fn lay_out(
    bolt: &Bolt,
    args: &PgoOptimize,
    workshop: &Workshop,
    runs: &[Trained],
) -> Result<PathBuf> {
    if runs.is_empty() {
        bail!(
            "the profile's training is unknown, so BOLT cannot be trained: \
             `evmscope pgo train`, then `evmscope pgo merge`"
        );
    }
    let instrumented = bolt.instrument(workshop)?;
    call_all(&instrumented, args, runs)?;
    let made = bolt.lay_out(workshop)?;
    Sections::of(&made)?.expect_bolted(&made)?;
    call_all(&made, args, runs).context("the binary laid out by BOLT does not run correctly")?;
    let bolted = workshop.bolted();
    fs::rename(&made, &bolted).with_context(|| format!("cannot write {}", bolted.display()))?;
    Ok(bolted)
}

/// Runs the cases of the training in another build and compares its results with the verified ones.
fn call_all(build: &Path, args: &PgoOptimize, runs: &[Trained]) -> Result<()> {
    let bar = output::progress(runs.len() as u64, "cases");
    for run in runs {
        let (case, _) = one_case(&args.from, &run.case)?;
        let which: EngineId = run.mode.parse().map_err(anyhow::Error::msg)?;
        for v in &verify::verify(&case, &[which], Settings::default())? {
            train::call(Command::new(build), &dir(&args.from), v, run)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}
