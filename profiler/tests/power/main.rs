//! False alarms and power of every verb that judges: one build against itself and against planted slow-downs, many
//! times over; and the same cases alone, in a set and reversed.
//!
//! `make test-diff` builds the binaries and runs this with their folder. Each outcome is written down at once, so that a
//! run that was stopped continues where it ended. `--short` takes the comparisons that need no times, once each.

use alloy_primitives::keccak256;
use evmscope_reports::Run;
use evmscope_reports::change::{Changes, EXACT_COUNTER, Gate};
use evmscope_reports::counter::Counter::CpuTime;
use evmscope_reports::render::json;
use evmscope_reports::run::Verdict;
use evmscope_reports::stats::PairedRatio;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// The case of most comparisons: the planted slow-downs are in MUL, which it uses most.
const CASE: &str = "snailtracer";
/// The case of profiles, which is shorter: a profile also follows each opcode.
const SHORT_CASE: &str = "ten-thousand-hashes";
/// The case of exact instructions, which is shorter still and multiplies a lot.
const EXACT_CASE: &str = "storage";
/// Threshold of all comparisons.
const THRESHOLD: f64 = 0.05;
/// Cases that are timed alone, in the set, and in the reversed set.
const ALONE: [&str; 2] = ["erc20-mint", "erc20-transfer"];
const SET: [&str; 6] = [
    "snailtracer",
    "ten-thousand-hashes",
    "erc20-transfer",
    "erc20-mint",
    "erc20-approval-transfer",
    "hash10k",
];
/// Ratios of one case scatter by 2 % from process to process.
const PROCESSES: [&str; 4] = ["--launches", "20", "--pairs", "3"];
/// How far the three may differ.
const ORDER: f64 = 0.03;

/// What one comparison said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Changed,
    Level,
    Inconclusive,
}

impl Outcome {
    const ALL: [Outcome; 3] = [Outcome::Changed, Outcome::Level, Outcome::Inconclusive];

    fn name(self) -> &'static str {
        match self {
            Outcome::Changed => "changed",
            Outcome::Level => "level",
            Outcome::Inconclusive => "inconclusive",
        }
    }
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Improved | Verdict::Regressed => Outcome::Changed,
            Verdict::Unchanged => Outcome::Level,
            Verdict::Inconclusive => Outcome::Inconclusive,
        }
    }
}

/// What the outcomes of one kind of comparison must be.
#[derive(Clone, Copy)]
enum Required {
    /// None is `Changed`.
    NoAlarm,
    /// So many of 100 are `Changed`.
    Found(usize),
    /// All are `Level`.
    AllLevel,
}

impl Required {
    fn holds(self, outcomes: &[Outcome]) -> bool {
        let of = |wanted| outcomes.iter().filter(|it| **it == wanted).count();
        match self {
            Required::NoAlarm => of(Outcome::Changed) == 0,
            Required::Found(share) => of(Outcome::Changed) * 100 >= share * outcomes.len(),
            Required::AllLevel => of(Outcome::Level) == outcomes.len(),
        }
    }

    fn text(self) -> String {
        match self {
            Required::NoAlarm => "none changed".to_owned(),
            Required::Found(share) => format!("{share} % changed"),
            Required::AllLevel => "all level".to_owned(),
        }
    }
}

/// The `i`th comparison of a kind: its outcome and figures.
type Compare = fn(&Setup, usize) -> (Outcome, String);

/// A kind of comparison.
struct Kind {
    name: &'static str,
    times: usize,
    required: Required,
    compare: Compare,
}

/// Needs no times.
const SHORT: [Kind; 2] = [
    kind(
        "diff, itself, by instructions",
        1,
        Required::AllLevel,
        diff_exact_itself,
    ),
    kind(
        "diff, +3 %, by instructions",
        1,
        Required::Found(100),
        diff_exact_small,
    ),
];

const FULL: [Kind; 8] = [
    kind("alone, in the set, reversed", 10, Required::AllLevel, order),
    kind("bench, itself", 100, Required::NoAlarm, bench_itself),
    kind("profile, itself", 100, Required::NoAlarm, profile_itself),
    kind("check, itself", 100, Required::NoAlarm, check_itself),
    kind("check, +8 %", 100, Required::Found(95), check_slow),
    kind("diff, itself", 100, Required::NoAlarm, diff_itself),
    kind("diff, +8 %", 100, Required::Found(95), diff_slow),
    kind(
        "diff, +3 %, by instructions",
        100,
        Required::Found(100),
        diff_exact_small,
    ),
];

const fn kind(name: &'static str, times: usize, required: Required, compare: Compare) -> Kind {
    Kind {
        name,
        times,
        required,
        compare,
    }
}

/// The binaries, and where results go.
struct Setup {
    folder: PathBuf,
    /// Identifies the binaries: outcomes of others are not continued.
    builds: String,
}

impl Setup {
    fn new(folder: &Path) -> Setup {
        let binaries = ["base", "small", "slow"].map(|name| fs::read(folder.join(name)));
        // The short form has no slow build.
        let hashes = binaries
            .into_iter()
            .flatten()
            .map(|bytes| keccak256(bytes).to_string());
        let builds = keccak256(hashes.collect::<String>()).to_string();
        Setup {
            folder: folder.canonicalize().expect("the folder of the binaries"),
            builds: builds[2..18].to_owned(),
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Runs a binary; returns its exit code and standard output. Only 0 and 3 are answers.
    fn run(&self, binary: &str, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(self.folder.join(binary));
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        command.args(arguments).current_dir(root);
        let output = command.output().expect("the binary runs");
        let code = output.status.code().unwrap_or(-1);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            [0, 3].contains(&code),
            "{arguments:?} ended with {code}: {errors}"
        );
        (code, String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A run by `bench`, kept under a name that tells the build.
    fn bench(&self, binary: &str, name: &str, arguments: &[&str]) -> Run {
        let file = self.path(&format!("{}-{name}.json", self.builds));
        if !Path::new(&file).exists() {
            let export = ["--export-json", file.as_str()];
            self.run(binary, &[&["bench"], arguments, &export].concat());
        }
        read(&file)
    }

    /// The outcomes of earlier runs of these binaries, by kind and number.
    fn outcomes(&self) -> BTreeMap<(String, usize), Outcome> {
        let text = fs::read_to_string(self.folder.join("outcomes.tsv")).unwrap_or_default();
        let parse = |line: &str| {
            let [builds, kind, number, outcome, ..] = line.split('\t').collect::<Vec<_>>()[..]
            else {
                return None;
            };
            let outcome = Outcome::ALL.into_iter().find(|it| it.name() == outcome)?;
            let place = (kind.to_owned(), number.parse().ok()?);
            (builds == self.builds).then_some((place, outcome))
        };
        text.lines().filter_map(parse).collect()
    }

    fn write_down(&self, kind: &Kind, number: usize, outcome: Outcome, figures: &str) {
        let mut options = OpenOptions::new();
        let file = options
            .create(true)
            .append(true)
            .open(self.folder.join("outcomes.tsv"));
        let line = [
            &self.builds,
            kind.name,
            &number.to_string(),
            outcome.name(),
            figures,
        ]
        .join("\t");
        writeln!(file.expect("outcomes.tsv"), "{line}").expect("room for a line");
    }
}

fn read(file: &str) -> Run {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    json::read(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The CPU time of a mode against another of the same run.
fn times(run: &Run, case: &str, base: &str, head: &str) -> PairedRatio {
    let [base, head] = [base, head].map(|mode| run.measurement(case, mode, CpuTime).expect(mode));
    PairedRatio::of(base, head, THRESHOLD).expect("a ratio")
}

fn figures(ratio: &PairedRatio) -> String {
    let PairedRatio {
        median, low, high, ..
    } = ratio;
    format!("{median:.4} [{low:.4}, {high:.4}]")
}

/// A mode against its repetition.
fn itself(run: &Run, case: &str) -> (Outcome, String) {
    let ratio = times(run, case, "advanced", "advanced-2");
    (ratio.verdict.into(), figures(&ratio))
}

fn bench_itself(setup: &Setup, i: usize) -> (Outcome, String) {
    let modes = ["--modes", "advanced,advanced"];
    let run = setup.bench(
        "base",
        &format!("bench-{i}"),
        &[&[CASE], &modes[..]].concat(),
    );
    itself(&run, CASE)
}

fn profile_itself(setup: &Setup, _: usize) -> (Outcome, String) {
    let out = setup.path("profile");
    let modes = ["--base", "advanced", "--head", "advanced"];
    let short = ["--no-simulate", "--sample-ms", "50", "--out", &out];
    setup.run(
        "base",
        &[&["profile", SHORT_CASE], &modes[..], &short].concat(),
    );
    itself(&read(&setup.path("profile/report.json")), SHORT_CASE)
}

/// A run such as `check` takes.
fn baseline(setup: &Setup, binary: &str, i: usize) -> String {
    let modes = ["--modes", "traditional,advanced,revm"];
    let name = format!("check-{binary}-{i}");
    setup.bench(binary, &name, &[&[CASE], &modes[..]].concat());
    setup.path(&format!("{}-{name}.json", setup.builds))
}

/// Runs lie some of the whole time apart, as a baseline and a check do.
const APART: usize = 37;

fn check(setup: &Setup, run: &str, i: usize) -> (Outcome, String) {
    let earlier = baseline(setup, "base", (i + APART) % 100);
    let targets = setup.path("targets.toml");
    let none = "keccak_memo = \"advanced\"\nmemory_ratio = 1000\nmemory_floor = 1000000\n\
                decode_ms = 1000000\ndecode_all_ms = 1000000\n[cases]\n";
    fs::write(&targets, none).expect("targets");
    let arguments = ["check", run, "--baseline", &earlier, "--targets", &targets];
    let (code, text) = setup.run("base", &arguments);
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.contains("beside revm"))
        .collect();
    assert_eq!(lines.len(), 2, "no times were compared: {text}");
    let outcome = match code {
        0 if lines.iter().any(|line| line.contains("undecided")) => Outcome::Inconclusive,
        0 => Outcome::Level,
        _ => Outcome::Changed,
    };
    (outcome, lines.join("; "))
}

fn check_itself(setup: &Setup, i: usize) -> (Outcome, String) {
    check(setup, &baseline(setup, "base", i), i)
}

fn check_slow(setup: &Setup, i: usize) -> (Outcome, String) {
    check(setup, &baseline(setup, "slow", i), i)
}

/// `diff` of two binaries in one case and mode, kept under a name; its verdict on the whole.
fn diff(setup: &Setup, head: &str, name: &str, options: &[&str]) -> (Outcome, Changes) {
    let out = setup.path(&format!("{}-{name}", setup.builds));
    let file = format!("{out}/diff.json");
    let binaries = [setup.path("base"), setup.path(head)];
    let read = || -> Changes {
        let text = fs::read_to_string(&file).expect("diff.json");
        serde_json::from_str(&text).expect("a diff")
    };
    if !Path::new(&file).exists() {
        let mut arguments = vec!["diff", &binaries[0], &binaries[1], "--out", &out];
        arguments.extend(["--modes", "advanced"]);
        arguments.extend(options);
        let (code, text) = setup.run("base", &arguments);
        assert_eq!(code == 3, read().regressed(), "{text}");
    }
    let changes = read();
    let by_time = changes.terms.gates.contains(&Gate::Time);
    let undecided = by_time && !changes.with(Verdict::Inconclusive).is_empty();
    let outcome = match (changes.regressed(), undecided) {
        (true, _) => Outcome::Changed,
        (false, true) => Outcome::Inconclusive,
        (false, false) => Outcome::Level,
    };
    (outcome, changes)
}

/// The base against the slow build, each beside the base once more.
fn slow_diff(setup: &Setup, i: usize) -> (Outcome, Changes) {
    let options = ["--cases", CASE, "--no-simulate"];
    diff(setup, "slow", &format!("diff-{i}"), &options)
}

fn diff_slow(setup: &Setup, i: usize) -> (Outcome, String) {
    let (outcome, changes) = slow_diff(setup, i);
    let ratio = changes.changes[0].ratio(CpuTime).expect("times");
    (outcome, figures(&ratio))
}

/// The base against itself in the same comparisons: what is judged like any head, without regard to the noise.
fn diff_itself(setup: &Setup, i: usize) -> (Outcome, String) {
    let (_, changes) = slow_diff(setup, i);
    let counters = &changes.changes[0].counters;
    let times = counters.iter().find(|it| it.counter == CpuTime);
    let noise = times.and_then(|it| it.noise).expect("the base twice");
    (noise.verdict.into(), figures(&noise))
}

/// Times play no part, so as few as may be are taken.
const EXACT: [&str; 8] = [
    "--gate",
    "instructions",
    "--cases",
    EXACT_CASE,
    "--launches",
    "5",
    "--pairs",
    "2",
];

fn diff_exact_itself(setup: &Setup, i: usize) -> (Outcome, String) {
    let (outcome, _) = diff(setup, "base", &format!("exact-itself-{i}"), &EXACT);
    (outcome, String::new())
}

/// Found only if the opcode is named as well.
fn diff_exact_small(setup: &Setup, i: usize) -> (Outcome, String) {
    let (outcome, changes) = diff(setup, "small", &format!("exact-{i}"), &EXACT);
    let change = &changes.changes[0];
    let most = change.opcodes.first().and_then(|it| it.opcode.clone());
    let named = most.unwrap_or_default();
    let more = change.ratio(EXACT_COUNTER);
    let figures = format!(
        "{named} {}",
        more.map_or_else(String::new, |it| figures(&it))
    );
    match named == "MUL" {
        true => (outcome, figures),
        false => (Outcome::Inconclusive, figures),
    }
}

/// The speed of two cases alone, in the set, and in the reversed set. What comes first is another in each round, so that
/// the state of the machine after one does not always meet the same next.
fn order(setup: &Setup, i: usize) -> (Outcome, String) {
    let bench = |(name, cases): &(&str, Vec<&str>)| {
        let arguments = [&cases[..], &PROCESSES].concat();
        setup.bench("base", &format!("{name}-{i}"), &arguments)
    };
    let in_set = ("set", SET.to_vec());
    let reversed = ("reversed", SET.into_iter().rev().collect());
    let mut turns = vec![in_set.clone(), reversed.clone()];
    turns.extend(ALONE.map(|case| (case, vec![case])));
    let first = i % turns.len();
    turns.rotate_left(first);
    turns.iter().for_each(|turn| drop(bench(turn)));
    let (in_set, backwards) = (bench(&in_set), bench(&reversed));
    let mut outcome = Outcome::Level;
    let mut said = Vec::new();
    for case in ALONE {
        let alone = bench(&(case, vec![case]));
        let speeds = [&alone, &in_set, &backwards]
            .map(|run| times(run, case, "traditional", "advanced").median.recip());
        let [most, least] =
            [f64::max, f64::min].map(|of| speeds.into_iter().reduce(of).unwrap_or(0.0));
        if most / least > 1.0 + ORDER {
            outcome = Outcome::Changed;
        }
        said.push(format!(
            "{case} {:.3} {:.3} {:.3}",
            speeds[0], speeds[1], speeds[2]
        ));
    }
    (outcome, said.join("; "))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (short, rest): (Vec<_>, Vec<_>) = arguments.iter().partition(|it| *it == "--short");
    let [folder, wanted @ ..] = &rest[..] else {
        eprintln!(
            "error: give the folder with the binaries `base`, `small` and `slow` (`make test-diff` does), and parts of \
             names of comparisons to make only these"
        );
        std::process::exit(2);
    };
    let kinds = if short.is_empty() {
        &FULL[..]
    } else {
        &SHORT[..]
    };
    let is_wanted = |kind: &&Kind| {
        wanted.is_empty() || wanted.iter().any(|part| kind.name.contains(part.as_str()))
    };
    let setup = Setup::new(Path::new(folder));
    let results = kinds
        .iter()
        .filter(is_wanted)
        .map(|kind| compare(&setup, kind));
    let results: Vec<_> = results.collect();
    println!("\n| comparison | times | changed | level | inconclusive | required | | took |");
    println!("| --- | ---: | ---: | ---: | ---: | --- | --- | ---: |");
    for result in &results {
        println!("{}", result.row);
    }
    let fails = results.is_empty() || results.iter().any(|it| !it.holds);
    std::process::exit(i32::from(fails));
}

/// What all comparisons of a kind said.
struct Compared {
    row: String,
    holds: bool,
}

/// Makes the comparisons of a kind that earlier runs have not made.
fn compare(setup: &Setup, kind: &Kind) -> Compared {
    let earlier = setup.outcomes();
    let begun = Instant::now();
    let mut outcomes = Vec::new();
    for i in 0..kind.times {
        let known = earlier.get(&(kind.name.to_owned(), i)).copied();
        outcomes.push(known.unwrap_or_else(|| {
            let (outcome, figures) = (kind.compare)(setup, i);
            println!("{} {}: {} {figures}", kind.name, i + 1, outcome.name());
            setup.write_down(kind, i, outcome, &figures);
            outcome
        }));
    }
    let of = |wanted| outcomes.iter().filter(|it| **it == wanted).count();
    let [changed, level, inconclusive] = Outcome::ALL.map(of);
    let holds = kind.required.holds(&outcomes);
    Compared {
        row: format!(
            "| {} | {} | {changed} | {level} | {inconclusive} | {} | {} | {:.0} s |",
            kind.name,
            kind.times,
            kind.required.text(),
            if holds { "holds" } else { "FAILS" },
            begun.elapsed().as_secs_f64()
        ),
        holds,
    }
}
