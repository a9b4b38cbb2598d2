//! Interruptions: whatever a verb was doing, no temporary, no child and no half-written result is left.

use crate::support::family::{Family, cases, script};
use crate::support::tools::{has_cc, has_valgrind};
use crate::support::{Folder, ONE, command};
use nix::sys::signal::Signal;
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

const OWN: &str = env!("CARGO_BIN_EXE_evmscope");

const SIGNALS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// Far more launches than any test waits for.
const ENDLESS: [&str; 4] = ["--launches", "1000", "--pairs", "2"];

/// What the client starts builds with.
const SERVING: &str = "__samples";

/// The program that simulates, in its own words.
const SIMULATING: &str = "--tool=callgrind";

/// The arguments of a verb, and those that every test of it shares.
fn with<'a>(verb: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [verb, more].concat()
}

fn diff<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let verb = ["diff", OWN, OWN, "--cases", "empty", "--out", "out"];
    with(&verb, more)
}

#[test]
fn builds_that_are_timed_end_with_diff() {
    for signal in SIGNALS {
        let arguments = with(&diff(&["--no-simulate"]), &ENDLESS);
        let mut family = Family::start(Folder::new(), &arguments, None);
        family.wait_for(&[SERVING, SERVING, SERVING]);
        assert!(!family.names("tmp").is_empty(), "each runs from a copy");
        family.interrupt(signal);
        assert_eq!(family.names("out"), [""; 0]);
    }
}

#[test]
fn launches_end_with_bench_and_profile() {
    let bench = ["bench", "empty", "--export-json", "out/run.json"];
    let profile = ["profile", "empty", "--out", "out"];
    for signal in SIGNALS {
        for verb in [&bench[..], &profile] {
            let folder = Folder::new();
            folder.write("out/run.json", "of yesterday");
            let mut family = Family::start(folder, &with(verb, &ENDLESS), None);
            family.wait_for(&[SERVING]);
            family.wait_for_file("tmp", "");
            family.interrupt(signal);
            assert_eq!(family.names("out"), ["run.json"]);
            assert_eq!(family.text("out/run.json"), "of yesterday");
        }
    }
}

#[test]
fn simulations_end_with_whoever_started_them() {
    if !has_valgrind() {
        return eprintln!("skipped: no valgrind here");
    }
    let few = ["--launches", "5", "--pairs", "2"];
    let quick = [
        "--quick",
        "--pairs",
        "1",
        "--sample-ms",
        "1",
        "--out",
        "out",
    ];
    for (verb, words) in [
        (vec!["ablate", "empty"], &[SIMULATING][..]),
        (with(&["profile", "empty"], &quick), &[SIMULATING]),
        // Here by a build, so that it is no child of the one that is interrupted.
        (diff(&few), &[SERVING, SIMULATING]),
    ] {
        for signal in SIGNALS {
            let mut family = Family::start(Folder::new(), &verb, None);
            family.wait_for(&words[words.len() - 1..]);
            family.interrupt(signal);
            assert_eq!(family.names("out"), [""; 0]);
        }
    }
}

/// A checkout with a cargo, a compiler and an llvm-profdata that are scripts.
fn workshop() -> Folder {
    let folder = Folder::new();
    script(
        &folder,
        "rustc",
        "echo 'rustc 1.95.0'; echo 'host: x86_64-unknown-linux-gnu'; echo 'release: 1.95.0'; \
         echo 'LLVM version: 22.1.2'",
    );
    script(&folder, "llvm-profdata", "echo 'LLVM version 22.1.2'");
    // With a child of its own, as cargo has compilers.
    script(&folder, "cargo", "sleep 1000 & wait");
    folder
}

fn pgo(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = command(&with(&["pgo"], arguments));
    for (name, program) in [
        ("RUSTC", "rustc"),
        ("LLVM_PROFDATA", "llvm-profdata"),
        ("CARGO", "cargo"),
    ] {
        command.env(name, folder.path(program));
    }
    command.args(["--dir", "pgo"]);
    command
}

#[test]
fn cargo_and_its_compilers_end_with_pgo_build() {
    for signal in SIGNALS {
        let folder = workshop();
        let mut command = pgo(&folder, &["build"]);
        let mut family = Family::start_as(folder, &mut command, None);
        family.wait_for(&["cargo", "sleep 1000"]);
        family.interrupt(signal);
        assert_eq!(family.names("pgo"), ["cargo"]);
    }
}

#[test]
fn an_interrupted_training_leaves_the_earlier_one() {
    if !has_cc() {
        return;
    }
    let built = Folder::new();
    let source = built.write(
        "trained.c",
        "#include <unistd.h>\n__attribute__((section(\"__llvm_prf_cnts\"), used)) long counts[1];\n\
         int main(void) { for (;;) pause(); }\n",
    );
    let mut cc = Command::new("cc");
    cc.arg("-o").arg(built.path("trained")).arg(source);
    assert!(cc.status().unwrap().success());
    for signal in SIGNALS {
        let folder = workshop();
        folder.write("pgo/raw/earlier.profraw", "earlier");
        folder.write("pgo/raw.json", "earlier");
        let binary = folder.path("pgo/evmscope-instrumented");
        fs::copy(built.path("trained"), binary).unwrap();
        let arguments = ["train", "--cases", "empty", "--case-dir", &cases()];
        let mut command = pgo(&folder, &arguments);
        let mut family = Family::start_as(folder, &mut command, None);
        family.wait_for(&["__trained"]);
        assert_eq!(
            family.names("pgo").len(),
            4,
            "with that of the new profiles"
        );
        family.interrupt(signal);
        let left = ["evmscope-instrumented", "raw", "raw.json"];
        assert_eq!(family.names("pgo"), left);
        assert_eq!(family.text("pgo/raw/earlier.profraw"), "earlier");
        assert_eq!(family.text("pgo/raw.json"), "earlier");
    }
}

/// A loop that only gas ends: JUMPDEST, PUSH0, JUMP.
const LOOP: &str = "5b5f56";

#[test]
fn half_a_result_is_removed() {
    for signal in SIGNALS {
        let folder = Folder::new();
        folder.write("out/trace", "of yesterday");
        let most = i64::MAX.to_string();
        let verb = [
            "run",
            "--code",
            LOOP,
            "--gas",
            &most,
            "--mode",
            "traditional",
        ];
        let arguments = with(&verb, &["--trace=out/trace"]);
        let mut family = Family::start(folder, &arguments, None);
        family.wait_for_file("out", ".");
        family.interrupt(signal);
        assert_eq!(family.names("out"), ["trace"]);
        assert_eq!(family.text("out/trace"), "of yesterday");
    }
}

#[test]
fn a_signal_that_comes_twice_is_one() {
    let mut family = Family::start(Folder::new(), &with(&["bench", "empty"], &ENDLESS), None);
    family.wait_for(&[SERVING]);
    family.send(Signal::SIGINT);
    family.send(Signal::SIGINT);
    assert_eq!(family.wait().code(), Some(130));
    family.expect_nobody();
    assert_eq!(family.names("tmp"), [""; 0]);
}

#[test]
fn children_end_when_the_parent_is_killed() {
    let mut family = Family::start(Folder::new(), &with(&["bench", "empty"], &ENDLESS), None);
    family.wait_for(&[SERVING]);
    family.kill();
    family.expect_nobody();

    let folder = workshop();
    script(&folder, "cargo", "exec sleep 1000");
    let mut command = pgo(&folder, &["build"]);
    let mut family = Family::start_as(folder, &mut command, None);
    family.wait_for(&["sleep 1000"]);
    family.kill();
    family.expect_nobody();

    if !has_valgrind() {
        return eprintln!("skipped: a simulation, without valgrind");
    }
    let arguments = diff(&["--launches", "5", "--pairs", "2"]);
    let mut family = Family::start(Folder::new(), &arguments, None);
    family.wait_for(&[SIMULATING]);
    family.kill();
    family.expect_nobody();
}

#[test]
fn a_signal_that_was_ignored_stays_so() {
    let arguments = with(&["bench", "empty"], &ENDLESS);
    let mut family = Family::start(Folder::new(), &arguments, Some(Signal::SIGHUP));
    family.wait_for(&[SERVING]);
    // As below nohup. Had it been taken, the code would be that of the first.
    family.send(Signal::SIGHUP);
    family.interrupt(Signal::SIGTERM);
}

#[test]
fn a_reader_that_goes_away_leaves_nothing_behind() {
    let folder = Folder::new();
    fs::create_dir(folder.path("tmp")).unwrap();
    let bench = ["bench", "empty", "--launches", "2", "--pairs", "1"];
    let mut child = command(&with(&bench, &["--export-json", "-"]))
        .env("TMPDIR", folder.path("tmp"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    assert!(!said.contains("error"), "{said}");
    assert_eq!(folder.files("tmp"), [""; 0]);
}

#[test]
fn a_run_that_ends_by_itself_leaves_nothing_behind() {
    let folder = Folder::new().case(|toml| toml);
    let cases = folder.arg("");
    let few = ["--launches", "5", "--pairs", "2", "--no-simulate"];
    let arguments = ["diff", OWN, OWN, "--case-dir", &cases, "--out", "out"];
    let mut family = Family::start(folder, &with(&arguments, &few), None);
    // Noise on the machine may look like a change.
    let status = family.wait();
    assert!(
        [Some(0), Some(3)].contains(&status.code()),
        "{}",
        family.text("stderr")
    );
    family.expect_nobody();
    assert_eq!(family.names("tmp"), [""; 0]);
    assert_eq!(family.names("out"), ["diff.json", "diff.md"]);
    let mut failing = Family::start(
        Folder::new(),
        &["run", "--code", ONE, "--metrics", "/dev/full"],
        None,
    );
    assert_eq!(failing.wait().code(), Some(1));
    assert_eq!(failing.names("tmp"), [""; 0]);
}
