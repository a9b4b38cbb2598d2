//! `evmscope merge`: merges the runs of several shards or machines.

use super::exports::Exports;
use super::read_run;
use crate::cmd::output::Answer;
use anyhow::Result;
use clap::Args;
use evmscope_reports::merge::merge;
use evmscope_reports::render::terminal::{self, Style};
use std::path::PathBuf;

#[derive(Args)]
pub struct Merge {
    /// Runs written by `bench --export-json` or `profile`, without common cases.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    #[command(flatten)]
    pub exports: Exports,
}

pub fn run(args: &Merge, style: Style) -> Result<Answer> {
    let exports = args.exports.check()?;
    let named = args
        .runs
        .iter()
        .map(|path| Ok((path.display().to_string(), read_run(path)?)));
    let run = merge(named.collect::<Result<_>>()?)?;
    let written = exports.write(&run);
    Ok(Answer::success(terminal::bench(&run, style)).with(written))
}
