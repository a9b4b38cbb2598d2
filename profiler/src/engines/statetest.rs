//! Running the official state tests: finds the files, chooses among their cases, runs them on all cores
//! and counts. Reading the format and judging a case is `evmscope_interp::statetest`'s; what is printed
//! is `cmd::statetest`'s.

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

/// Tests that are not run, by the end of their FILE::TEST, and why. Nothing else is ever left out but
/// forks that the interpreter does not know.
const SKIPS: &[(&str, &str)] = &[];

/// Stack of a worker, bytes. The interpreter needs no more at any call depth.
const STACK: usize = 2 << 20;

/// Which cases are run.
pub struct Selection<'a> {
    /// One fork, or all.
    pub fork: Option<Fork>,
    /// One mode, or all.
    pub mode: Option<Mode>,
    /// What FILE::TEST must match.
    pub filter: Option<&'a Regex>,
}

impl Selection<'_> {
    /// Whether a test of a file is among those asked for; its forks and modes are another question.
    pub fn takes(&self, file: &str, test: &StateTest) -> bool {
        let place = || format!("{file}::{}", test.name);
        self.filter.is_none_or(|filter| filter.is_match(&place()))
    }
}

/// What came of all cases. A case is one post entry in one mode.
#[derive(Debug, Default)]
pub struct Report {
    /// Cases of each fork that had any.
    pub forks: BTreeMap<Fork, Counts>,
    /// Number of cases left out for each reason.
    pub skips: BTreeMap<String, u64>,
    /// Cases that failed and files that could not be read, in the order of the files.
    pub failures: Vec<Failure>,
}

/// Numbers of cases.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

/// A case that failed, or a file that holds no tests.
#[derive(Debug)]
pub struct Failure {
    pub file: String,
    /// `None`: the file as a whole.
    pub case: Option<CaseId>,
    /// What differs.
    pub what: &'static str,
    pub expected: String,
    pub found: String,
}

/// What a case is known by inside its file.
#[derive(Debug)]
pub struct CaseId {
    pub test: String,
    pub fork: Fork,
    pub mode: Mode,
    /// Places in the transaction's lists of data, gas limits and values.
    pub indices: (usize, usize, usize),
}

impl Report {
    /// All forks together, and the files that could not be read.
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

/// The files named, and all `*.json` below the folders named, sorted by name within each.
///
/// # Errors
/// A path that does not exist, a folder that cannot be read, links in a circle.
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

/// Names the path once, the deepest that is known; the error's own text begins with it too.
fn unreadable(path: &Path, error: walkdir::Error) -> Error {
    let place = error.path().unwrap_or(path).display().to_string();
    match error.io_error() {
        Some(cause) => anyhow!("cannot read {place}: {cause}"),
        None => anyhow!("cannot read {}: {error}", path.display()),
    }
}

/// Runs the selected cases of files; calls `done` after each file.
///
/// # Errors
/// Threads that cannot be started. A file that cannot be read is a failure in the report.
pub fn run(
    files: &[PathBuf],
    selection: &Selection<'_>,
    done: &(dyn Fn() + Sync),
) -> Result<Report> {
    on_all_cores(files, done, Report::merge, |file| run_file(file, selection))
}

/// Does `work` for each file on all cores and merges what came, in the order of the files; calls `done` after
/// each file.
///
/// # Errors
/// Threads that cannot be started.
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
            // File by file: some take a thousand times as long as others.
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
/// Why there are none, in one line.
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
