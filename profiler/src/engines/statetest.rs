//! Runs the official state tests: finds files, selects cases, runs them on all cores and counts.
//! `evmscope_interp::statetest` reads the format and checks a case, `cmd::statetest` prints the report.

use super::eip3155::Lines;
use crate::cases::folder_error;
use anyhow::{Context, Error, Result, anyhow};
use evmscope_interp::statetest::{self, StateTest, Tests};
use evmscope_interp::{Execute, Fork, Host, Interpreter, Message, Mode, Outcome};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use regex::Regex;
use std::any::Any;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
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
    /// Whether the test of this name is selected, regardless of fork and mode.
    pub fn takes(&self, file: &str, test: &str) -> bool {
        let place = || format!("{file}::{test}");
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
    /// Failed cases, and files and tests that cannot be read, in the order of the files.
    pub failures: Vec<Failure>,
    /// Number of JSON files without state tests, such as the index of a suite.
    pub other_files: u64,
}

/// Numbers of cases.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

/// A failed case, or a file or test that cannot be read.
#[derive(Debug)]
pub struct Failure {
    pub file: String,
    /// `None` if the whole file failed.
    pub test: Option<String>,
    /// `None` if the whole test failed.
    pub case: Option<CaseId>,
    /// The property that differs.
    pub what: &'static str,
    pub expected: String,
    pub found: String,
}

/// Identifies a case within its test.
#[derive(Debug)]
pub struct CaseId {
    pub fork: Fork,
    pub mode: Mode,
    /// Indices into the transaction's lists of data, gas limits and values.
    pub indices: (usize, usize, usize),
}

impl Report {
    /// The sum over all forks; files and tests that cannot be read count as failed.
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
        self.other_files += other.other_files;
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
    on_all_cores(files, done, Report::merge, |file| {
        run_file(file, selection, &mut |case, mode| case.run(mode))
    })
}

/// Runs the selected cases of files one after the other, in the traditional mode, and writes each step. Each case ends
/// with the line of its state root.
///
/// # Errors
/// The trace cannot be written.
pub fn trace(files: &[PathBuf], selection: &Selection<'_>, out: impl Write) -> io::Result<Report> {
    let mut lines = Lines::new(out);
    let mut report = Report::default();
    let only = Selection {
        mode: Some(Mode::Traditional),
        ..*selection
    };
    for file in files {
        let of_file = run_file(file, &only, &mut |case, mode| {
            let ran = case.execute(&mut Traced {
                interpreter: Interpreter::new(mode, case.fork),
                lines: &mut lines,
            })?;
            lines.state_root(ran.state_root);
            case.check(&ran)
        });
        report = report.merge(of_file);
    }
    lines.close()?;
    Ok(report)
}

/// Runs messages step by step.
struct Traced<'a, W> {
    interpreter: Interpreter,
    lines: &'a mut Lines<W>,
}

impl<W: Write> Execute for Traced<'_, W> {
    fn fork(&self) -> Fork {
        self.interpreter.fork()
    }

    fn execute(&mut self, message: Message, host: &mut dyn Host) -> Outcome {
        let outcome = self.interpreter.trace(message, host, self.lines);
        self.lines.end(&outcome);
        outcome
    }
}

/// Runs a case in a mode and compares the result.
type Run<'a> = dyn FnMut(&statetest::Case<'_>, Mode) -> Result<(), statetest::Failure> + 'a;

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

/// The tests of a file; `None` if it is JSON of another kind.
///
/// # Errors
/// Why it cannot be read, in one line of text.
pub fn read(path: &Path) -> Result<Option<Tests>, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    statetest::parse(&text).map_err(|error| error.to_string())
}

fn run_file(path: &Path, selection: &Selection<'_>, run: &mut Run<'_>) -> Report {
    let file = path.display().to_string();
    let mut report = Report::default();
    let unreadable = |test, what, expected: &str, found| Failure {
        file: file.clone(),
        test,
        case: None,
        what,
        expected: expected.to_owned(),
        found,
    };
    match read(path) {
        Err(error) => report
            .failures
            .push(unreadable(None, "file", "JSON", error)),
        Ok(None) => report.other_files += 1,
        Ok(Some(found)) => {
            for it in found.unreadable {
                if selection.takes(&file, &it.name) {
                    let failure = unreadable(Some(it.name), "test", "a state test", it.reason);
                    report.failures.push(failure);
                }
            }
            for test in &found.tests {
                run_test(&file, test, selection, run, &mut report);
            }
        }
    }
    report
}

fn run_test(
    file: &str,
    test: &StateTest,
    selection: &Selection<'_>,
    run: &mut Run<'_>,
    report: &mut Report,
) {
    if !selection.takes(file, &test.name) {
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
                None => {
                    let checked = checked(run, &case, mode);
                    count(file, test, &case, mode, checked, report);
                }
            }
        }
    }
}

/// Runs one case. A panic is a bug. It is reported as a failure, so that the case is named and the others run.
fn checked(
    run: &mut Run<'_>,
    case: &statetest::Case<'_>,
    mode: Mode,
) -> Result<(), statetest::Failure> {
    panic::catch_unwind(AssertUnwindSafe(|| run(case, mode)))
        .unwrap_or_else(|payload| Err(panicked(payload.as_ref())))
}

/// Counts one case.
fn count(
    file: &str,
    test: &StateTest,
    case: &statetest::Case<'_>,
    mode: Mode,
    checked: Result<(), statetest::Failure>,
    report: &mut Report,
) {
    let counts = report.forks.entry(case.fork).or_default();
    let Err(failure) = checked else {
        counts.passed += 1;
        return;
    };
    counts.failed += 1;
    report.failures.push(Failure {
        file: file.to_owned(),
        test: Some(test.name.clone()),
        case: Some(CaseId {
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
