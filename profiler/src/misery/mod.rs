//! Malformed inputs for every reader: no panic, no second of CPU time, no memory beyond 64 MiB and ten times the input.
//!
//! `mutate` makes the inputs, `readers` names the readers. A reader runs in a child process, because an overflow of the
//! stack or a refused allocation ends it. The tests read a share; `make misery` reads all: 10,000 inputs a reader. An
//! input that fails is written to a file, and is read again with `EVMSCOPE_MISERY=READER:NUMBER`.

#[path = "../../../reports/tests/fixture/mod.rs"]
mod fixture;
mod mutate;
mod readers;

use crate::instruments::clock::ThreadClock;
use crate::instruments::heap;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use readers::{READERS, Reader};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Inputs a reader if `EVMSCOPE_MISERY_INPUTS` does not say.
const SHARE: u64 = 300;

/// Most CPU time of a call, ns.
const MOST_TIME: u64 = 1_000_000_000;

/// Most memory of a call: this and ten times the input, bytes.
const MOST_MEMORY: u64 = 64 << 20;
const A_BYTE: u64 = 10;

/// Address space of a child, bytes: an allocation beyond it fails, and the machine keeps running.
const ADDRESS_SPACE: u64 = 8 << 30;

/// Failures after which a reader is given up.
const ENOUGH: usize = 200;

/// What a child does: reader, first number, number after the last, folder.
const CHILD: &str = "EVMSCOPE_MISERY_CHILD";

/// In a child's folder: the number that is being read, and what failed.
const PROGRESS: &str = "progress";
const FAILURES: &str = "failures";

#[test]
fn malformed_inputs_are_read_or_refused() {
    if let Ok(work) = std::env::var(CHILD) {
        return child(&work);
    }
    let (readers, numbers) = asked();
    let mut report = String::new();
    for reader in readers {
        let seeds = match (reader.seeds)() {
            Ok(seeds) => seeds,
            Err(reason) => {
                say(&format!("{}: skipped: {reason}", reader.name));
                continue;
            }
        };
        let failures = run(reader, numbers.clone());
        let (kinds, number) = (kinds(&failures), numbers.end - numbers.start);
        say(&format!(
            "{}: {number} inputs, {} failed",
            reader.name,
            failures.len()
        ));
        for (what, failed) in kinds {
            let first = failed[0];
            let path = kept(reader, first, &mutate::input(reader.name, &seeds, first));
            let _ = writeln!(
                report,
                "{} of {number} inputs: {what}\n  EVMSCOPE_MISERY={}:{first} cargo test -p evmscope misery, {}",
                failed.len(),
                reader.name,
                path.display()
            );
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

/// The readers and numbers asked for: one input of one reader, all of one reader, or the share of all.
fn asked() -> (Vec<&'static Reader>, std::ops::Range<u64>) {
    let inputs = std::env::var("EVMSCOPE_MISERY_INPUTS").map_or(SHARE, |it| it.parse().unwrap());
    let Ok(one) = std::env::var("EVMSCOPE_MISERY") else {
        return (READERS.iter().collect(), 0..inputs);
    };
    let (name, number) = one.split_once(':').unwrap_or((&one, ""));
    let found: Vec<_> = READERS.iter().filter(|it| it.name == name).collect();
    assert!(!found.is_empty(), "no reader is named {name:?}");
    match number.parse::<u64>() {
        Ok(number) => (found, number..number + 1),
        Err(_) => (found, 0..inputs),
    }
}

/// The harness hides what passing tests print.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn kinds(failures: &[(u64, String)]) -> BTreeMap<&str, Vec<u64>> {
    let mut kinds = BTreeMap::<&str, Vec<u64>>::new();
    for (number, what) in failures {
        kinds.entry(what).or_default().push(*number);
    }
    kinds
}

/// Writes an input beside the test's executable.
fn kept(reader: &Reader, number: u64, bytes: &[u8]) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().unwrap().join("misery");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{}-{number}", reader.name));
    fs::write(&path, bytes).unwrap();
    path
}

/// Reads a range of inputs in child processes; what failed, by number.
fn run(reader: &Reader, numbers: std::ops::Range<u64>) -> Vec<(u64, String)> {
    let folder = tempfile::tempdir().unwrap();
    let failures = folder.path().join(FAILURES);
    let mut next = numbers.start;
    let read = || -> Vec<(u64, String)> {
        let text = fs::read_to_string(&failures).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        lines
            .map(|(number, what)| (number.parse().unwrap(), what.to_owned()))
            .collect()
    };
    while next < numbers.end && read().len() < ENOUGH {
        let stderr = File::create(folder.path().join("stderr")).unwrap();
        let work = format!(
            "{} {next} {} {}",
            reader.name,
            numbers.end,
            folder.path().display()
        );
        let ended = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "misery::malformed_inputs_are_read_or_refused",
                "--nocapture",
            ])
            .env(CHILD, work)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .status()
            .unwrap();
        if ended.success() {
            break;
        }
        let at = fs::read(folder.path().join(PROGRESS)).unwrap_or_default();
        let at = at.first_chunk().map_or(next, |it| u64::from_le_bytes(*it));
        let said = fs::read_to_string(folder.path().join("stderr")).unwrap_or_default();
        let said = said
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect::<Vec<_>>();
        let said = said.join("; ");
        if !read().iter().any(|(number, _)| *number == at) {
            fail(&failures, at, &format!("ended by {ended}: {said}"));
        }
        next = at + 1;
    }
    read()
}

fn fail(failures: &Path, number: u64, what: &str) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(failures)
        .unwrap();
    // One write, which a process that ends does not tear.
    file.write_all(format!("{number} {}\n", what.replace('\n', " ")).as_bytes())
        .unwrap();
}

/// Since when the process reads an input, in its CPU time, ns; negative if it does not.
static SINCE: AtomicI64 = AtomicI64::new(-1);

/// Where the last panic was, and its words.
static PANIC: Mutex<String> = Mutex::new(String::new());

fn process_time() -> i64 {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .unwrap()
        .num_nanoseconds()
}

fn child(work: &str) {
    let fields: Vec<_> = work.splitn(4, ' ').collect();
    let reader = READERS.iter().find(|it| it.name == fields[0]).unwrap();
    let (first, end): (u64, u64) = (fields[1].parse().unwrap(), fields[2].parse().unwrap());
    let folder = Path::new(fields[3]).to_owned();
    let failures = folder.join(FAILURES);
    let progress = File::create(folder.join(PROGRESS)).unwrap();
    setrlimit(Resource::RLIMIT_AS, ADDRESS_SPACE, ADDRESS_SPACE).unwrap();
    std::panic::set_hook(Box::new(|info| {
        let payload = info.payload_as_str().unwrap_or("a panic");
        let place = info
            .location()
            .map(|it| format!("{}:{}", place(it.file()), it.line()));
        *PANIC.lock().unwrap() = format!("panic at {}: {payload}", place.unwrap_or_default());
    }));
    watch(failures.clone(), folder.join(PROGRESS));
    let seeds = (reader.seeds)().unwrap();
    let scratch = tempfile::tempdir_in(&folder).unwrap();
    let clock = ThreadClock::open().unwrap();
    for number in first..end {
        progress.write_all_at(&number.to_le_bytes(), 0).unwrap();
        let input = mutate::input(reader.name, &seeds, number);
        let mut panicked = false;
        let start = clock.now();
        SINCE.store(process_time(), Ordering::Relaxed);
        let used = heap::count(|| {
            let read = || (reader.read)(scratch.path(), &input);
            panicked = catch_unwind(AssertUnwindSafe(read)).is_err();
        });
        SINCE.store(-1, Ordering::Relaxed);
        let time = clock.now() - start;
        let most = MOST_MEMORY + A_BYTE * input.len() as u64;
        if panicked {
            fail(&failures, number, &PANIC.lock().unwrap());
        } else if time > MOST_TIME {
            fail(&failures, number, "more than a second of CPU time");
        } else if used.peak > most {
            fail(
                &failures,
                number,
                "more memory than 64 MiB and ten times the input",
            );
        }
    }
}

/// The end of a path, the same on every machine.
fn place(file: &str) -> &str {
    let end = file
        .split_once("/registry/src/")
        .and_then(|(_, it)| it.split_once('/'));
    end.map_or(file, |(_, it)| it)
}

/// Ends the process if an input takes far longer than it may: it may never end.
fn watch(failures: PathBuf, progress: PathBuf) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(100));
            let since = SINCE.load(Ordering::Relaxed);
            if since >= 0 && process_time() - since > 2 * MOST_TIME as i64 {
                let at = fs::read(&progress).unwrap();
                let at = u64::from_le_bytes(*at.first_chunk().unwrap());
                fail(&failures, at, "more than a second of CPU time");
                std::process::exit(1);
            }
        }
    });
}
