//! Simulated counters: one call of the work on valgrind's model of a CPU.
//!
//! Owns running callgrind over this very binary and reading its totals. The child's command line is
//! the caller's; inside the child, whatever runs within [`region::measured_region`] is counted. The figures
//! are deterministic, and none of them is a hardware figure.

use crate::instruments::counters::Reading;
use crate::instruments::region;
use crate::symbols;
use evmscope_reports::counter::{Counter, Source};
use evmscope_reports::run::Unavailable;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use std::{fs, io};
use thiserror::Error;

/// The caches of the model: a common core of today. Left alone, valgrind would copy the machine's
/// own, and figures of two machines would differ.
const MODEL: &[&str] = &[
    "--I1=32768,8,64",
    "--D1=32768,8,64",
    "--LL=8388608,16,64",
    "--cache-sim=yes",
    "--branch-sim=yes",
];

/// All that the child sees of the environment, whose length shifts its stack, and with it what misses.
const ENVIRONMENT: &[&str] = &["PATH", "LD_LIBRARY_PATH", "VALGRIND_LIB", "TMPDIR"];

/// Callgrind's names of the counters. Mispredicted indirect branches (`Bim`) are left out: its
/// predictor missed all of them for every style of dispatch.
const EVENTS: &[(&str, Counter)] = &[
    ("Ir", Counter::SimInstructions),
    ("Dr", Counter::SimDataReads),
    ("Dw", Counter::SimDataWrites),
    ("I1mr", Counter::SimL1iMisses),
    ("D1mr", Counter::SimL1dReadMisses),
    ("D1mw", Counter::SimL1dWriteMisses),
    ("Bc", Counter::SimBranches),
    ("Bcm", Counter::SimBranchMisses),
];

/// Why there are no simulated figures.
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
        /// How it ended.
        status: std::process::ExitStatus,
        /// The last line it wrote to stderr.
        message: String,
    },
    /// The child never called [`region::measured_region`].
    #[error("the simulated run never entered the measured region")]
    NeverEntered,
    /// Valgrind's output is not what this tool knows.
    #[error("callgrind's output has no figure for `{0}`")]
    Output(&'static str),
    /// Files or processes failed.
    #[error("valgrind could not be run: {0}")]
    Io(#[from] io::Error),
}

impl SimulateError {
    /// Every simulated counter with this reason.
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

/// What a simulation counted: per call, if the child calls the measured region once.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulated {
    /// The totals.
    pub readings: Vec<Reading>,
    /// Instructions at each address of this binary's file, without what they call. The rest of the total
    /// was executed in libraries.
    pub instructions: Vec<(u64, u64)>,
}

/// Runs this binary with `arguments` under callgrind and counts its measured region. 40 to 330 times slower
/// than the call itself.
pub fn simulate(
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<Simulated, SimulateError> {
    let own = std::env::current_exe()?;
    let text = callgrind(&own, &["--dump-instr=yes"], arguments)?;
    Ok(Simulated {
        readings: totals(&text)?,
        instructions: by_address(&text, &own)?,
    })
}

/// What the measured region took, and which function how much of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Instructions {
    /// In all.
    pub total: u64,
    /// In each function alone, by its path.
    pub functions: BTreeMap<String, u64>,
}

/// Simulates another build of this program, and returns instructions only.
pub fn instructions(
    program: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<Instructions, SimulateError> {
    let text = callgrind(program, &[], arguments)?;
    let total = totals(&text)?;
    let total = total
        .iter()
        .find(|reading| reading.counter == Counter::SimInstructions)
        .ok_or(SimulateError::Output("Ir"))?;
    Ok(Instructions {
        total: total.value as u64,
        functions: functions(&text),
    })
}

fn callgrind(
    program: &Path,
    options: &[&str],
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<String, SimulateError> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("callgrind.out");
    let output = Command::new("valgrind")
        .env_clear()
        .envs(
            ENVIRONMENT
                .iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        )
        .args(["--tool=callgrind", "--collect-atstart=no"])
        .args(options)
        .arg(format!("--toggle-collect=*{}*", region::NAME))
        .args(MODEL)
        .arg(argument("--callgrind-out-file=", &file))
        .arg(program)
        .args(arguments)
        .output()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => SimulateError::Absent,
            _ => SimulateError::Io(error),
        })?;
    check(&output)?;
    Ok(fs::read_to_string(file)?)
}

/// Reads the instructions at each address of one object (Callgrind Format Specification). The cost line
/// behind `calls=` tells what the callee spent, which its own lines tell again.
fn by_address(text: &str, object: &Path) -> Result<Vec<(u64, u64)>, SimulateError> {
    const WRONG: SimulateError = SimulateError::Output("instructions by address");
    let mut names = HashMap::<&str, &str>::new();
    let mut counts = BTreeMap::<u64, u64>::new();
    let (mut inside, mut of_call, mut address) = (false, false, 0_u64);
    for line in text.lines() {
        if let Some(name) = line
            .strip_prefix("ob=")
            .or_else(|| line.strip_prefix("cob="))
        {
            // `(7) /path` where it comes first, `(7)` from then on.
            let (id, path) = name.split_once(' ').unwrap_or((name, ""));
            if !path.is_empty() {
                names.insert(id, path);
            }
            if line.starts_with("ob=") {
                inside = names.get(id).is_some_and(|path| Path::new(path) == object);
            }
        } else if line.starts_with("calls=") {
            of_call = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
            let mut fields = line.split(' ');
            address = position(fields.next().unwrap_or_default(), address).ok_or(WRONG)?;
            // Behind the line of the source comes the first event, which is left out where it is 0.
            let count = fields.nth(1).map_or(Ok(0), str::parse).map_err(|_| WRONG)?;
            if inside && !of_call {
                *counts.entry(address).or_default() += count;
            }
            of_call = false;
        }
    }
    Ok(counts.into_iter().collect())
}

/// A position: absolute, or relative to the one before.
fn position(text: &str, before: u64) -> Option<u64> {
    match text.as_bytes() {
        [b'*'] => Some(before),
        [b'+', ..] => before.checked_add(number(&text[1..])?),
        [b'-', ..] => before.checked_sub(number(&text[1..])?),
        _ => number(text),
    }
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn argument(option: &str, path: &Path) -> std::ffi::OsString {
    let mut argument = std::ffi::OsString::from(option);
    argument.push(path);
    argument
}

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
    // Valgrind's own lines begin with the process id: `==123== `.
    let own_line = |line: &&str| !line.is_empty() && !line.starts_with("==");
    let message = stderr.lines().rfind(own_line).unwrap_or("no message");
    Err(SimulateError::Failed {
        status: output.status,
        message: message.to_owned(),
    })
}

/// Reads callgrind's `events:` and `totals:` lines (Callgrind Format Specification).
fn totals(text: &str) -> Result<Vec<Reading>, SimulateError> {
    let line = |name: &'static str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name));
        found.ok_or(SimulateError::Output(name))
    };
    let events: Vec<_> = line("events:")?.split_whitespace().collect();
    // Trailing zeros are left out.
    let totals: Vec<_> = line("totals:")?.split_whitespace().collect();
    let readings = EVENTS
        .iter()
        .map(|&(name, counter)| {
            let missing = SimulateError::Output(name);
            let Some(column) = events.iter().position(|event| *event == name) else {
                return Err(missing);
            };
            let total = totals.get(column).copied().unwrap_or("0");
            Ok(Reading {
                counter,
                value: total.parse::<u64>().map_err(|_| missing)? as f64,
                coverage: 1.0,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    match readings.iter().all(|reading| reading.value == 0.0) {
        true => Err(SimulateError::NeverEntered),
        false => Ok(readings),
    }
}

/// A function's path without the compiler's hash and without the depth of its recursion (`'2`).
fn plain(name: &str) -> String {
    let name = match name.rsplit_once('\'') {
        Some((name, depth)) if depth.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => name,
    };
    let name = symbols::demangled(name);
    match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            path.to_owned()
        }
        _ => name,
    }
}

/// Reads the cost lines of the same file: a function's own, the first event, which is instructions. Names are
/// written out once and numbered from then on; a line after `calls=` is what a callee took.
fn functions(text: &str) -> BTreeMap<String, u64> {
    let mut names: BTreeMap<&str, String> = BTreeMap::new();
    let mut costs: BTreeMap<String, u64> = BTreeMap::new();
    let (mut current, mut of_callee) = ("", false);
    for line in text.lines() {
        let (own, named) = (line.strip_prefix("fn="), line.strip_prefix("cfn="));
        if let Some(name) = own.or(named) {
            let (number, name) = name.split_once(' ').unwrap_or((name, ""));
            if !name.is_empty() {
                names.insert(number, plain(name));
            }
            if own.is_some() {
                current = number;
            }
        } else if line.starts_with("calls=") {
            of_callee = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
            let cost = line
                .split_whitespace()
                .nth(1)
                .and_then(|cost| cost.parse::<u64>().ok());
            if let (false, Some(cost), Some(name)) = (of_callee, cost, names.get(current)) {
                *costs.entry(name.clone()).or_default() += cost;
            }
            of_callee = false;
        }
    }
    costs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the simulated child runs; an ordinary test otherwise.
    #[test]
    fn region_runs_its_work_once() {
        let mut sum = 0u64;
        region::measured_region(&mut || (0..1_000).for_each(|i| sum += std::hint::black_box(i)));
        assert_eq!(sum, 499_500);
    }

    #[test]
    fn every_simulated_counter_is_read_from_an_event() {
        let simulated = Counter::ALL.iter().copied();
        let simulated = simulated.filter(|counter| counter.source() == Source::Simulated);
        let read: Vec<_> = EVENTS.iter().map(|(_, counter)| *counter).collect();
        assert_eq!(simulated.collect::<Vec<_>>(), read, "add a row to EVENTS");
    }

    fn child(test: &str) -> Result<Simulated, SimulateError> {
        simulate(["--exact", test, "--test-threads=1"])
    }

    #[test]
    fn counts_the_region_alone_and_the_same_every_time() {
        let first = match child("instruments::callgrind::tests::region_runs_its_work_once") {
            Ok(readings) => readings,
            Err(SimulateError::Absent) => return eprintln!("skipped: {}", SimulateError::Absent),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(first.readings.len(), EVENTS.len());
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
    fn a_region_never_entered_is_an_error() {
        match child("no_such_test") {
            Err(SimulateError::NeverEntered) => {}
            Err(SimulateError::Absent) => eprintln!("skipped: {}", SimulateError::Absent),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_failing_child_is_an_error_with_its_last_words() {
        match simulate(["--no-such-option"]) {
            Err(SimulateError::Failed { message, .. }) => {
                assert!(message.contains("no-such-option"), "{message}");
            }
            Err(SimulateError::Absent) => eprintln!("skipped: {}", SimulateError::Absent),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_unknown_instruction_is_told_from_a_failure() {
        use std::os::unix::process::ExitStatusExt;
        let killed = Output {
            status: std::process::ExitStatus::from_raw(4),
            stdout: vec![],
            stderr: vec![],
        };
        let error = check(&killed).unwrap_err();
        assert!(matches!(error, SimulateError::Instruction));
        let listed = error.unavailable();
        assert_eq!(listed.len(), EVENTS.len());
        assert!(
            listed
                .iter()
                .all(|lost| lost.reason.contains("target-cpu=native"))
        );
    }

    #[test]
    fn instructions_are_those_of_one_object_without_what_they_call() {
        let text = "positions: instr line\nevents: Ir Dr\n\nob=(1) /lib/ld.so\nfl=(1) ???\nfn=(0) 0x1\n\
                    cob=(7) /bin/me\ncfn=(8) main\ncalls=1 0x2000 0\n0x1abaa 0 99\n\nob=(7)\nfl=(3) a.rs\n\
                    fn=(8)\n0x2000 10 5 1\n+4 +1 2\nfi=(4) b.rs\n* * 3\ncfn=(9) callee\n\
                    calls=2 0x2100 20\n+2 12 40\n-6 -1 7\n+1 5\n\nfn=(9)\n0x2100 20 40\n";
        let found = by_address(text, Path::new("/bin/me")).unwrap();
        assert_eq!(
            found,
            [(0x2000, 12), (0x2001, 0), (0x2004, 5), (0x2100, 40)]
        );
        assert_eq!(by_address(text, Path::new("/bin/you")).unwrap(), []);
        assert!(by_address("ob=(1) /bin/me\n-9 1 1\n", Path::new("/bin/me")).is_err());
    }

    #[test]
    fn instructions_are_told_by_function_and_callees_count_for_themselves() {
        let text = "events: Ir Dr\nfn=(1) a::f::h0123456789abcdef\n10 5 1\n+1 7 0\ncfn=(2) g'2\ncalls=1 20\n\
                    * 90 4\n-2 1\n\nfn=(2)\n20 90 4\n\nfn=(1)\n12 2 0\n\ntotals: 105 9\n";
        let expected = [("a::f".to_owned(), 15), ("g".to_owned(), 90)];
        assert_eq!(functions(text), BTreeMap::from(expected));
    }

    #[test]
    fn totals_are_read_by_name_and_short_lines_end_in_zeros() {
        let text = "events: Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw Bc Bcm Bi Bim\n\
                    fn=(1) f\n1 2 3\n\ntotals: 90 30 20 1 2 0 0 0 0 10 4\n";
        let values: Vec<_> = totals(text).unwrap().iter().map(|r| r.value).collect();
        assert_eq!(values, [90.0, 30.0, 20.0, 1.0, 2.0, 0.0, 10.0, 4.0]);
        let short = text.replace(" 2 0 0 0 0 10 4", "");
        assert_eq!(totals(&short).unwrap()[7].value, 0.0);
        assert!(matches!(
            totals("totals: 1\n"),
            Err(SimulateError::Output("events:"))
        ));
        let foreign = text.replace("Bcm", "Xcm");
        assert!(matches!(
            totals(&foreign),
            Err(SimulateError::Output("Bcm"))
        ));
    }
}
