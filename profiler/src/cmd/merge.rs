//! `evmscope merge`: merges the runs of several shards or machines.

use super::{listed, read_run};
use crate::cmd::output::Files;
use anyhow::Result;
use clap::Args;
use evmscope_reports::merge::merge;
use evmscope_reports::render::terminal::Style;
use evmscope_reports::render::{json, markdown, terminal};
use std::path::PathBuf;

#[derive(Args)]
pub struct Merge {
    /// Runs written by `bench --export-json` or `profile`, without common cases.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Write the merged run as JSON.
    #[arg(long, value_name = "FILE")]
    pub export_json: Option<PathBuf>,
    /// Write the table as Markdown.
    #[arg(long, value_name = "FILE")]
    pub export_markdown: Option<PathBuf>,
}

pub fn run(args: &Merge, style: Style) -> Result<String> {
    let named = args
        .runs
        .iter()
        .map(|path| Ok((path.display().to_string(), read_run(path)?)));
    let run = merge(named.collect::<Result<_>>()?)?;
    let mut paths = Vec::new();
    if let Some(path) = &args.export_json {
        paths.push(Files::beside(path)?.write(path, json::write(&run)?)?);
    }
    if let Some(path) = &args.export_markdown {
        paths.push(Files::beside(path)?.write(path, markdown::bench(&run))?);
    }
    Ok(terminal::bench(&run, style) + &listed(&paths))
}
