//! `evmscope pgo optimize`: the build that uses the profile, refused where it does not fit.

use super::expect_current;
use crate::cli::PgoOptimize;
use crate::pgo::build::{self, Kind};
use crate::pgo::profile::Profdata;
use crate::pgo::sections::Sections;
use crate::pgo::toolchain::Compiler;
use crate::pgo::warnings::Fit;
use crate::pgo::{Merged, Optimized, Workshop, note, noted};
use anyhow::{Context, Result};

pub fn run(args: &PgoOptimize) -> Result<String> {
    let compiler = Compiler::find()?;
    let profdata = Profdata::find(&compiler)?;
    let workshop = Workshop::open(args.at.dir.as_deref())?;
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
        relocations: false,
    };
    let built = build::build(&workshop, &compiler, kind)?;
    let fit = Fit::new(&built.warnings, functions);
    fit.expect_below(args.limit / 100.0)?;
    let sections = Sections::of(&built.executable)?;
    sections.expect_optimized(&built.executable)?;
    let binary = workshop.optimized();
    build::adopt(&built, &binary)?;
    note(
        &binary,
        &Optimized {
            made_from: built.made_from,
            missing: fit.missing.len(),
            mismatched: fit.mismatched.len(),
            limit: args.limit / 100.0,
            profile: merged,
        },
    )?;
    Ok(format!(
        "{functions} functions in the profile; {} missing, {} mismatched\n\
         hot code: {} bytes, cold: {} bytes, all: {} bytes\n\
         optimised: {}\n",
        fit.missing.len(),
        fit.mismatched.len(),
        sections.sizes.hot,
        sections.sizes.cold,
        sections.sizes.code,
        binary.display()
    ))
}
