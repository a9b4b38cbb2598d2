//! `evmscope run --trace`: the lines of a small run, and that they add up in a deep one.

use crate::support::{command, ran};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// Exit code, standard output and standard error.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let ran = ran(command(&["run"]).args(arguments));
    (ran.code, ran.stdout, ran.stderr)
}

/// PUSH1 1, PUSH0, MSTORE8; the identity precompile copies that byte behind it; PUSH1 2, PUSH0, RETURN.
const COPIES: &str = "60015f536001600160015f60045afa60025ff3";

/// PUSH0 five times, ADDRESS, GAS, CALL, STOP: calls itself until no gas is left.
const CALLS_ITSELF: &str = "5f5f5f5f5f305af100";

fn lines(trace: &str) -> Vec<Value> {
    trace
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn hex(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().strip_prefix("0x").unwrap(), 16).unwrap()
}

#[test]
fn each_step_is_a_line_and_a_summary_follows() {
    let arguments = ["--code", COPIES, "--gas", "30000", "--trace"];
    let (code, stdout, stderr) = run(&[&arguments[..], &["--mode", "traditional"]].concat());
    assert_eq!((code, stderr.as_str()), (0, ""));
    insta::assert_snapshot!(stdout);
}

#[test]
fn a_failure_is_told_on_its_step_and_in_the_summary() {
    let arguments = ["--code", "5f0c", "--gas", "100", "--trace"];
    let (code, stdout, _) = run(&arguments);
    assert_eq!(code, 0);
    insta::assert_snapshot!(stdout);
}

#[test]
fn the_advanced_mode_is_traced_in_the_traditional_one_and_says_so() {
    let of = |mode| run(&["--code", COPIES, "--trace", "--mode", mode]);
    let (code, stdout, stderr) = of("advanced");
    assert_eq!(
        (code, stderr.as_str()),
        (0, "note: a traced run uses the traditional mode\n")
    );
    assert_eq!(stdout, of("traditional").1);
}

#[test]
fn a_trace_goes_to_a_file_and_the_result_to_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.jsonl");
    let trace = format!("--trace={}", file.display());
    let arguments = ["--code", COPIES, "--mode", "traditional"];
    let (code, stdout, _) = run(&[&arguments[..], &[&trace]].concat());
    assert_eq!(code, 0);
    assert!(stdout.starts_with("mode    traditional at osaka\nstatus  success\n"));
    let (_, on_stdout, _) = run(&[&arguments[..], &["--trace"]].concat());
    assert_eq!(fs::read_to_string(&file).unwrap(), on_stdout);

    let nowhere = folder.path().join("none/none/trace");
    let nowhere = format!("--trace={}", nowhere.display());
    let (code, stdout, stderr) = run(&[&arguments[..], &[&nowhere]].concat());
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.starts_with("error: cannot write "), "{stderr}");
    assert_eq!(stderr.lines().count(), 1);
}

/// Gas of each frame goes down by the cost of each step, and comes back only from callees.
#[test]
fn the_lines_of_a_run_with_calls_add_up() {
    let arguments = ["--code", CALLS_ITSELF, "--gas", "100000", "--trace"];
    let (code, stdout, _) = run(&arguments);
    assert_eq!(code, 0);
    let mut steps = lines(&stdout);
    let summary = steps.pop().unwrap();
    assert_eq!(summary["pass"], true);

    let [first, last] = [steps.first().unwrap(), steps.last().unwrap()];
    let left = hex(&last["gas"]) - hex(&last["gasCost"]);
    assert_eq!(hex(&first["gas"]) - left, hex(&summary["gasUsed"]));
    let mut deepest = 0;
    for pair in steps.windows(2) {
        let [this, next] = pair else { unreachable!() };
        let after = hex(&this["gas"]) - hex(&this["gasCost"]);
        let depth = this["depth"].as_u64().unwrap();
        deepest = deepest.max(depth);
        if depth == next["depth"] {
            assert!(hex(&next["gas"]) >= after, "{this}");
        }
    }
    assert!(deepest > 50, "{deepest}");
}

#[test]
fn a_reader_that_goes_away_ends_it_in_peace() {
    let mut child = command(&["run", "hash10k", "--trace", "--mode", "traditional"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.starts_with("{\"pc\":0,"), "{line}");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stderr, b"");
}
