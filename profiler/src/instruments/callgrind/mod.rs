//! Simulated counters: one call of the work on valgrind's model of a CPU.
//!
//! Runs callgrind on this binary or on another build; `output` parses its output file. The caller supplies the
//! child's command line; in the child, everything within [`region::measured_region`] is counted. The figures
//! are deterministic. They are not hardware figures.

pub mod output;

use super::counters::Reading;
use super::region;
use crate::interrupt::{self, Temporary};
use evmscope_reports::counter::{Counter, Source};
use evmscope_reports::run::Unavailable;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use std::{fs, io};
use thiserror::Error;

/// Cache sizes of the model, those of a common current core. By default valgrind copies the host's caches, and
/// figures from two machines would differ.
const MODEL: &[&str] = &[
    "--I1=32768,8,64",
    "--D1=32768,8,64",
    "--LL=8388608,16,64",
    "--cache-sim=yes",
    "--branch-sim=yes",
];

/// The environment variables passed to the child. The size of the environment shifts the stack, which changes the
/// cache misses. TMPDIR is this run's own folder: valgrind has files there too.
const ENVIRONMENT: &[&str] = &["PATH", "LD_LIBRARY_PATH", "VALGRIND_LIB"];

/// A variable that fills up the environment.
const PADDING: &str = "EVMSCOPE_PADDING";
/// The strings on the child's stack are padded to a multiple of this, bytes.
const PADDED: usize = 16 << 10;

/// Why simulated figures are unavailable.
#[derive(Debug, Error)]
pub enum SimulateError {
    /// The program `valgrind` is not installed.
    #[error("valgrind is not installed: `sudo apt-get install valgrind`")]
    Absent,
    /// The simulated CPU lacks instructions that this build uses.
    #[error(
        "valgrind does not know an instruction of this build (SIGILL): build without \
         `target-cpu=native`, for x86-64-v3 at most"
    )]
    Instruction,
    /// The run under valgrind failed.
    #[error("the run under valgrind failed ({status}): {message}")]
    Failed {
        /// Exit status of valgrind.
        status: std::process::ExitStatus,
        /// The last line it wrote to stderr.
        message: String,
    },
    /// The child never called [`region::measured_region`].
    #[error("the simulated run never entered the measured region")]
    NeverEntered,
    /// Callgrind's output lacks a figure, or has it in an unknown format.
    #[error("callgrind's output has no figure for `{0}`")]
    Output(&'static str),
    /// Starting valgrind or reading its output failed.
    #[error("valgrind could not be run: {0}")]
    Io(#[from] io::Error),
}

impl SimulateError {
    /// Every simulated counter, with this error as the reason.
    pub fn unavailable(&self) -> Vec<Unavailable> {
        Counter::ALL
            .iter()
            .filter(|counter| counter.source() == Source::Simulated)
            .map(|&counter| Unavailable {
                counter,
                reason: self.to_string(),
            })
            .collect()
    }
}

/// The figures of a simulation; per call if the child enters the measured region once.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulated {
    /// The totals.
    pub readings: Vec<Reading>,
    /// Pairs of address in this binary's file and instructions executed there, callees excluded. The rest of the
    /// total was executed in libraries.
    pub instructions: Vec<(u64, u64)>,
}

/// Runs this binary with `arguments` under callgrind and counts its measured region. Takes 40 to 330 times as long as
/// the call itself.
///
/// # Errors
/// Valgrind is not installed or fails, or the region was not entered.
pub fn simulate(
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<Simulated, SimulateError> {
    let own = std::env::current_exe()?;
    let text = callgrind(&own, &["--dump-instr=yes"], arguments)?;
    Ok(Simulated {
        readings: output::totals(&text)?,
        instructions: output::by_address(&text, &own)?,
    })
}

/// Instructions of the measured region.
#[derive(Clone, Debug, PartialEq)]
pub struct Instructions {
    pub total: u64,
    /// By the path of the function, callees excluded.
    pub functions: BTreeMap<String, u64>,
}

/// Simulates another build of this program; returns instructions only.
///
/// # Errors
/// As [`simulate`].
pub fn instructions(
    program: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<Instructions, SimulateError> {
    let text = callgrind(program, &[], arguments)?;
    let total = output::totals(&text)?;
    let total = total
        .iter()
        .find(|reading| reading.counter == Counter::SimInstructions)
        .ok_or(SimulateError::Output("Ir"))?;
    Ok(Instructions {
        total: total.value as u64,
        functions: output::by_function(&text),
    })
}

/// Runs a program under callgrind and returns the text of its output file.
fn callgrind(
    program: &Path,
    options: &[&str],
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<String, SimulateError> {
    let folder = Temporary::folder()?;
    let file = folder.path().join("callgrind.out");
    let kept = |name: &&'static str| Some((*name, std::env::var_os(name)?));
    let mut environment: Vec<_> = ENVIRONMENT.iter().filter_map(kept).collect();
    environment.push(("TMPDIR", folder.path().into()));
    let arguments: Vec<OsString> = arguments.into_iter().map(|it| it.as_ref().into()).collect();
    let mut command = Command::new("valgrind");
    command
        .env_clear()
        .env(
            PADDING,
            "x".repeat(padding(program, &arguments, &environment)),
        )
        .envs(environment)
        .args(["--tool=callgrind", "--collect-atstart=no"])
        .args(options)
        .arg(format!("--toggle-collect=*{}*", region::NAME))
        .args(MODEL)
        .arg(argument("--callgrind-out-file=", &file))
        .arg(program)
        .args(arguments);
    let ended = interrupt::output(&mut command).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => SimulateError::Absent,
        _ => SimulateError::Io(error),
    })?;
    check(&ended)?;
    Ok(fs::read_to_string(file)?)
}

/// Bytes that fill up the strings on the child's stack to a multiple of [`PADDED`]. Otherwise the length of this
/// binary's path shifts the stack, and copies take another number of instructions: up to 1.4 % of a call were seen.
fn padding(program: &Path, arguments: &[OsString], environment: &[(&str, OsString)]) -> usize {
    // With its end, and a pointer to it.
    let size = |text: &OsStr| text.len() + 1 + size_of::<usize>();
    // As the first argument, and as the name of the file in the auxiliary vector.
    let program = 2 * size(program.as_os_str());
    let arguments: usize = arguments.iter().map(|it| size(it)).sum();
    let pairs = environment.iter();
    let environment: usize = pairs
        .map(|(name, value)| name.len() + 1 + size(value))
        .sum();
    let taken = program + arguments + environment;
    taken.next_multiple_of(PADDED) - taken
}

fn argument(option: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(option);
    argument.push(path);
    argument
}

/// The error behind a failed child.
fn check(output: &Output) -> Result<(), SimulateError> {
    const SIGILL: i32 = 4;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let unknown_instruction = stderr.contains("unhandled instruction bytes");
    if output.status.signal() == Some(SIGILL) || unknown_instruction {
        return Err(SimulateError::Instruction);
    }
    // Valgrind's own lines start with the process id: `==123== `.
    let own_line = |line: &&str| !line.is_empty() && !line.starts_with("==");
    let message = stderr.lines().rfind(own_line).unwrap_or("no message");
    Err(SimulateError::Failed {
        status: output.status,
        message: message.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The work that another test runs in a simulated child.
    #[test]
    fn region_runs_its_work_once() {
        let mut sum = 0u64;
        region::measured_region(&mut || (0..1_000).for_each(|i| sum += std::hint::black_box(i)));
        assert_eq!(sum, 499_500);
    }

    fn child(test: &str) -> Result<Simulated, SimulateError> {
        simulate(["--exact", test, "--test-threads=1"])
    }

    #[test]
    fn only_the_region_is_counted_and_deterministically() {
        let first = match child("instruments::callgrind::tests::region_runs_its_work_once") {
            Ok(readings) => readings,
            Err(SimulateError::Absent) => return eprintln!("skipped: {}", SimulateError::Absent),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(first.readings.len(), output::EVENTS.len());
        let instructions = first.readings[0].value;
        assert!(
            (2_000.0..100_000.0).contains(&instructions),
            "{instructions} for 1000 steps"
        );
        let by_address: u64 = first.instructions.iter().map(|(_, count)| count).sum();
        assert_eq!(by_address as f64, instructions, "no library is called");
        assert_eq!(
            first,
            child("instruments::callgrind::tests::region_runs_its_work_once").unwrap()
        );
    }

    #[test]
    fn never_entering_the_region_is_an_error() {
        match child("no_such_test") {
            Err(SimulateError::NeverEntered) => {}
            Err(SimulateError::Absent) => eprintln!("skipped: {}", SimulateError::Absent),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_failing_child_is_reported_with_its_last_line() {
        match simulate(["--no-such-option"]) {
            Err(SimulateError::Failed { message, .. }) => {
                assert!(message.contains("no-such-option"), "{message}");
            }
            Err(SimulateError::Absent) => eprintln!("skipped: {}", SimulateError::Absent),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_unknown_instruction_is_distinguished_from_a_failure() {
        let killed = Output {
            status: std::process::ExitStatus::from_raw(4),
            stdout: vec![],
            stderr: vec![],
        };
        let error = check(&killed).unwrap_err();
        assert!(matches!(error, SimulateError::Instruction));
        let listed = error.unavailable();
        assert_eq!(listed.len(), output::EVENTS.len());
        assert!(
            listed
                .iter()
                .all(|lost| lost.reason.contains("target-cpu=native"))
        );
    }
}
