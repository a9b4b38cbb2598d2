//! The verbs, one per file, each with its arguments. A verb returns the text to print. Only this module prints and
//! writes results to files.

pub mod ablate;
pub mod annotate;
mod args;
pub mod assemble;
pub mod bench;
pub mod check;
pub mod diff;
pub mod doctor;
pub mod export;
mod exports;
pub mod flamegraph;
pub mod history;
pub mod list;
pub mod manual;
pub mod merge;
pub mod opcodes;
pub mod output;
mod perf_data;
pub mod pgo;
pub mod profile;
pub mod run;
pub mod samples;
pub mod schema;
pub mod shadow;
pub mod simulated;
pub mod size;
pub mod splice;
pub mod statetest;
mod telemetry;
mod timing;

use crate::cases::{self, Case, CaseSet, Unreadable};
use crate::profile::contracts::Contracts;
use anyhow::{Context, Result};
use args::{CaseDir, SourceMaps};
use evmscope_reports::Run;
use evmscope_reports::render::json;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of cases asked for.
fn dir(from: &CaseDir) -> PathBuf {
    from.case_dir.clone().unwrap_or_else(cases::default_dir)
}

/// The cases asked for, or all of the folder if none is named.
fn cases(from: &CaseDir, names: &[String]) -> Result<CaseSet> {
    cases::pick(cases::load_all(&dir(from))?, names)
}

/// Reads a run, written by `bench --export-json`, `profile` or `merge`.
fn read_run(path: &Path) -> Result<Run> {
    let place = || format!("cannot read {}", path.display());
    let text = fs::read_to_string(path).with_context(place)?;
    json::read(&text).with_context(place)
}

/// One case, and the unreadable cases of its folder.
fn one_case(from: &CaseDir, name: &str) -> Result<(Case, Vec<Unreadable>)> {
    let mut set = cases(from, &[name.to_owned()])?;
    Ok((set.cases.swap_remove(0), set.unreadable))
}

/// The source maps of a case's contracts: the files named, and the one in the case's folder.
fn known_contracts(case: &Case, maps: &SourceMaps) -> Result<Contracts> {
    let mut contracts = Contracts::default();
    for file in maps.files.iter().chain(&case.source_map) {
        contracts.read(file)?;
    }
    Ok(contracts)
}
