//! `evmscope pgo`: the steps of a profile-guided build, one per file. `make pgo` runs all of them.

mod args;
pub mod build;
pub mod info;
pub mod merge;
pub mod optimize;
pub mod train;
pub mod trained;
pub mod verify;

use crate::builds::pgo::fingerprint::Fingerprint;
use crate::builds::pgo::{build as builds, noted};
use crate::cmd::output::Answer;
use crate::machine::toolchain::Compiler;
use anyhow::{Result, bail};
use clap::Subcommand;
use evmscope_reports::render::terminal::Style;
use std::path::Path;

/// The steps of a profile-guided build; `make pgo` runs all of them.
#[derive(Subcommand)]
pub enum Pgo {
    /// Show what is installed, what is built and what is missing.
    Info(info::PgoInfo),
    /// Build the instrumented binary.
    Build(build::PgoBuild),
    /// Run cases with the instrumented binary in both modes.
    Train(train::PgoTrain),
    /// Merge the profiles of the training, or others.
    Merge(merge::PgoMerge),
    /// Build with the merged profile.
    Optimize(optimize::PgoOptimize),
    /// Time the optimised build against the release build; report the gain per mode.
    Verify(verify::PgoVerify),
}

pub fn run(verb: &Pgo, style: Style) -> Result<Answer> {
    match verb {
        Pgo::Info(args) => info::run(args),
        Pgo::Build(args) => build::run(args).map(Answer::success),
        Pgo::Train(args) => train::run(args).map(Answer::success),
        Pgo::Merge(args) => merge::run(args).map(Answer::success),
        Pgo::Optimize(args) => optimize::run(args).map(Answer::success),
        Pgo::Verify(args) => verify::run(args, style),
    }
}

/// Refuses a file built from other sources, flags or compiler than the current ones.
fn expect_current(what: &Path, made_from: &Fingerprint, compiler: &Compiler) -> Result<()> {
    const SHOWN: usize = 3;
    let changes = made_from.changes(compiler, &builds::user_flags(&compiler.host)?);
    if changes.is_empty() {
        return Ok(());
    }
    let more = match changes.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    bail!(
        "{} is stale: {}{more}; start again with `evmscope pgo build`",
        what.display(),
        changes[..changes.len().min(SHOWN)].join("; ")
    )
}

/// What a binary or a profile was built from; `None` if it has no note.
fn fingerprint(of: &Path) -> Result<Option<Fingerprint>> {
    noted(of)
}
