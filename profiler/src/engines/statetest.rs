//! Runs the official state tests: finds files, selects cases, runs them on all cores and counts.
//! `evmscope_interp::statetest` reads the format and checks a case, `cmd::statetest` prints the report.

use crate::cases::folder_error;
use anyhow::{Context, Error, Result, anyhow};
use evmscope_interp::statetest::{self, StateTest};
use evmscope_interp::{Fork, Mode};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use regex::Regex;
use std::any::Any;
use std::collections::BTreeMap;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Skipped tests, by the end of their FILE::TEST, with the reason. Besides these only unknown forks are skipped.
const SKIPS: &[(&str, &str)] = &[];

/// Stack size of a worker, bytes; enough for the interpreter at any call depth.
const STACK: usize = 2 << 20;

/// The cases to run.
pub struct Selection<'a> {
    /// One fork; `None` for all.
    pub fork: Option<Fork>,
    /// One mode; `None` for all.
    pub mode: Option<Mode>,
    /// Pattern for FILE::TEST; `None` for all.
    pub filter: Option<&'a Regex>,
}

impl Selection<'_> {
    /// Whether a test of a file is selected, regardless of fork and mode.
    pub fn takes(&self, file: &str, test: &StateTest) -> bool {
        let place = || format!("{file}::{}", test.name);
        self.filter.is_none_or(|filter| filter.is_match(&place()))
    }
}

/// The results of all cases. A case is one post entry in one mode.
#[derive(Debug, Default)]
pub struct Report {
    /// Counts by fork; only forks with cases.
    pub forks: BTreeMap<Fork, Counts>,
    /// Number of skipped cases by reason.
    pub skips: BTreeMap<String, u64>,
    /// Failed cases and unreadable files, in the order of the files.
    pub failures: Vec<Failure>,
}

/// Numbers of cases.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

/// A failed case, or a file that is not a state test.
#[derive(Debug)]
pub struct Failure {
    pub file: String,
    /// `None` if the whole file failed.
    pub case: Option<CaseId>,
    /// The property that differs.
    pub what: &'static str,
    pub expected: String,
    pub found: String,
}

/// Identifies a case within its file.
#[derive(Debug)]
pub struct CaseId {
    pub test: String,
    pub fork: Fork,
    pub mode: Mode,
    /// Indices into the transaction's lists of data, gas limits and values.
    pub indices: (usize, usize, usize),
}

impl Report {
    /// The sum over all forks; unreadable files count as failed.
    pub fn total(&self) -> Counts {
        Counts {
            passed: self.forks.values().map(|counts| counts.passed).sum(),
            failed: self.failures.len() as u64,
            skipped: self.skips.values().sum(),
        }
    }

    fn skip(&mut self, cases: u64, reason: String) {
        *self.skips.entry(reason).or_default() += cases;
    }

    fn merge(mut self, other: Report) -> Report {
        for (fork, counts) in other.forks {
            let sum = self.forks.entry(fork).or_default();
            sum.passed += counts.passed;
            sum.failed += counts.failed;
            sum.skipped += counts.skipped;
        }
        for (reason, cases) in other.skips {
            self.skip(cases, reason);
        }
        self.failures.extend(other.failures);
        self
    }
}

/// The given files, and all `*.json` below the given folders, sorted by name within each folder.
///
/// # Errors
/// A path does not exist, a folder cannot be read, or symbolic links form a loop.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        for entry in WalkDir::new(path).follow_links(true).sort_by_file_name() {
            let entry = entry.map_err(|error| unreadable(path, error))?;
            let is_json = entry.path().extension().is_some_and(|end| end == "json");
            if entry.file_type().is_file() && (is_json || entry.depth() == 0) {
                files.push(entry.into_path());
            }
        }
    }
    Ok(files)
}

/// An error that names the deepest known path once; some texts of [`walkdir::Error`] contain it already.
fn unreadable(path: &Path, error: walkdir::Error) -> Error {
    let place = error.path().unwrap_or(path).display().to_string();
    match error.io_error() {
        Some(cause) => {
            let why = folder_error(Path::new(&place), cause);
            anyhow!("cannot read {place}: {why}")
        }
        None => anyhow!("cannot read {}: {error}", path.display()),
    }
}

/// Runs the selected cases of files; calls `done` after each file.
///
/// # Errors
/// Threads cannot be started. An unreadable file is a failure in the report.
pub fn run(
    files: &[PathBuf],
    selection: &Selection<'_>,
    done: &(dyn Fn() + Sync),
) -> Result<Report> {
    on_all_cores(files, done, Report::merge, |file| run_file(file, selection))
}

/// Runs `work` for each file on all cores and merges the results in the order of the files; calls `done` after each
/// file.
///
/// # Errors
/// Threads cannot be started.
pub fn on_all_cores<R: Default + Send>(
    files: &[PathBuf],
    done: &(dyn Fn() + Sync),
    merge: impl Fn(R, R) -> R + Sync + Send,
    work: impl Fn(&Path) -> R + Sync + Send,
) -> Result<R> {
    let pool = ThreadPoolBuilder::new()
        .stack_size(STACK)
        .build()
        .context("cannot start threads")?;
    Ok(pool.install(|| {
        files
            .par_iter()
            // One file at a time: some take a thousand times as long as others.
            .with_max_len(1)
            .map(|file| {
                let report = work(file);
                done();
                report
            })
            .reduce(R::default, merge)
    }))
}

/// The tests of a file.
///
/// # Errors
/// Why there are none, in one line of text.
pub fn read(path: &Path) -> Result<Vec<StateTest>, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    statetest::parse(&text).map_err(|error| error.to_string())
}

fn run_file(path: &Path, selection: &Selection<'_>) -> Report {
    let file = path.display().to_string();
    let mut report = Report::default();
    match read(path) {
        Err(error) => report.failures.push(Failure {
            file,
            case: None,
            what: "file",
            expected: "state tests".to_owned(),
            found: error,
        }),
        Ok(tests) => {
            for test in &tests {
                run_test(&file, test, selection, &mut report);
            }
        }
    }
    report
}

fn run_test(file: &str, test: &StateTest, selection: &Selection<'_>, report: &mut Report) {
    if !selection.takes(file, test) {
        return;
    }
    let place = format!("{file}::{}", test.name);
    let modes = Mode::ALL
        .into_iter()
        .filter(|mode| selection.mode.is_none_or(|only| only == *mode));
    let skip = SKIPS.iter().find(|(end, _)| place.ends_with(end));

    if selection.fork.is_none() {
        for (name, entries) in test.unknown_forks() {
            let cases = entries * modes.clone().count();
            report.skip(cases as u64, format!("fork {name} is not known"));
        }
    }
    for case in test.cases() {
        if selection.fork.is_some_and(|only| only != case.fork) {
            continue;
        }
        for mode in modes.clone() {
            match skip {
                Some((_, reason)) => {
                    report.forks.entry(case.fork).or_default().skipped += 1;
                    report.skip(1, (*reason).to_owned());
                }
                None => run_case(file, test, &case, mode, report),
            }
        }
    }
}

/// Runs one case and counts it.
fn run_case(
    file: &str,
    test: &StateTest,
    case: &statetest::Case<'_>,
    mode: Mode,
    report: &mut Report,
) {
    // A panic is a bug. It is reported as a failure, so that the case is named and the others run.
    let checked = panic::catch_unwind(AssertUnwindSafe(|| case.run(mode)))
        .unwrap_or_else(|payload| Err(panicked(payload.as_ref())));
    let counts = report.forks.entry(case.fork).or_default();
    let Err(failure) = checked else {
        counts.passed += 1;
        return;
    };
    counts.failed += 1;
    report.failures.push(Failure {
        file: file.to_owned(),
        case: Some(CaseId {
            test: test.name.clone(),
            fork: case.fork,
            mode,
            indices: case.indices(),
        }),
        what: failure.what,
        expected: failure.expected,
        found: failure.found,
    });
}

fn panicked(payload: &(dyn Any + Send)) -> statetest::Failure {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    statetest::Failure {
        what: "panic",
        expected: "none".to_owned(),
        found: text.unwrap_or("a panic without a message").to_owned(),
    }
}
