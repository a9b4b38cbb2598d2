//! `evmscope history`: records of runs over time.

use super::read_run;
use crate::cmd::output::{Answer, Document};
use anyhow::{Context, Result, bail};
use clap::Args;
use evmscope_reports::history;
use evmscope_reports::render::history::{page, table};
use evmscope_reports::render::terminal::Style;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct History {
    /// Runs, or folders of runs [default: reports/record].
    #[arg(value_name = "RUN")]
    pub records: Vec<PathBuf>,
    /// Only this case.
    #[arg(long, value_name = "NAME")]
    pub case: Option<String>,
    /// Write an HTML page with charts (`-`: standard output).
    #[arg(long, value_name = "FILE")]
    pub export_html: Option<PathBuf>,
}

pub fn run(args: &History, style: Style) -> Result<Answer> {
    let files = find(&args.records)?;
    let records = files
        .iter()
        .map(|path| Ok((path.display().to_string(), read_run(path)?)))
        .collect::<Result<Vec<_>>>()?;
    let mut history = history::History::new(&records);
    if let Some(name) = &args.case {
        history.cases.retain(|case| case.name == name);
    }
    if history.cases.is_empty() {
        bail!(
            "no CPU time{} in {} records: `bench --export-json` writes one",
            args.case
                .as_ref()
                .map_or_else(String::new, |name| format!(" of case {name}")),
            records.len()
        );
    }
    let answer = Answer::success(table(&history, style));
    Ok(match &args.export_html {
        Some(path) => answer.with(Document::at(path)?.write(page(&history)?)),
        None => answer,
    })
}

/// The files named, and the `*.json` files of the folders named, sorted by name within a folder.
fn find(places: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let default = [PathBuf::from("reports/record")];
    let places = if places.is_empty() { &default } else { places };
    let found = places.iter().map(|place| match place.is_dir() {
        true => in_folder(place).with_context(|| format!("cannot read {}", place.display())),
        false if place.exists() => Ok(vec![place.clone()]),
        false => bail!(
            "no run at {}: name runs or folders of runs",
            place.display()
        ),
    });
    Ok(found.collect::<Result<Vec<_>>>()?.concat())
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
