//! `evmscope run --trace` and `statetest --trace`: the lines of a small run, that they add up in a deep one, and that
//! they are those of other clients.

use crate::support::{command, ran, read};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
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
        // What a failing step would have cost can be more than was left.
        if this.get("error").is_some() {
            continue;
        }
        let after = hex(&this["gas"]) - hex(&this["gasCost"]);
        let depth = this["depth"].as_u64().unwrap();
        deepest = deepest.max(depth);
        if depth == next["depth"] {
            assert!(hex(&next["gas"]) >= after, "{this}");
        }
    }
    assert!(deepest > 50, "{deepest}");
}

/// The cost of the failing step, and whether it has a line before it ran.
fn failing(code: &str, gas: &str) -> (u64, bool) {
    let (code, stdout, _) = run(&["--code", code, "--gas", gas, "--trace"]);
    assert_eq!(code, 0);
    let mut steps = lines(&stdout);
    steps.pop();
    let last = steps.pop().unwrap();
    assert!(last.get("error").is_some(), "{last}");
    let ran = steps.last().is_some_and(|it| it["pc"] == last["pc"]);
    (hex(&last["gasCost"]), ran)
}

#[test]
fn a_failing_step_costs_what_other_clients_say() {
    // Without operands, what is known is the static part.
    assert_eq!(failing("01", "100"), (3, false));
    assert_eq!(failing("31", "1000"), (100, false));
    assert_eq!(failing("a0", "1000"), (0, false));
    // PUSH0, PUSH2 0xffff, MSTORE: 3, and 2,049 words of memory.
    assert_eq!(failing("5f61ffff52", "100"), (3 + 14_347, false));
    // BALANCE of a cold account, and one that cannot even pay a warm one.
    assert_eq!(failing("609931", "1000"), (2_600, false));
    assert_eq!(failing("609931", "50"), (100, false));
    // SLOAD and SSTORE of a cold slot.
    assert_eq!(failing("5f54", "1000"), (2_100, false));
    assert_eq!(failing("60015f55", "10000"), (2_100 + 20_000, false));
    // SSTORE below the least gas of EIP-2200.
    assert_eq!(failing("60015f55", "2000"), (0, false));
    // EXP with an exponent of two bytes.
    assert_eq!(failing("61ffff5f0a", "50"), (10 + 100, false));
    // LOG0 of 64 bytes: 375, 8 for each byte, 6 for memory.
    assert_eq!(failing("60405fa0", "400"), (375 + 512 + 6, false));
    // KECCAK256 of 64 bytes: 30, 6 for each word, 6 for memory.
    assert_eq!(failing("60405f20", "40"), (30 + 12 + 6, false));
    // CALL that sends 1 wei to a cold account that does not exist, with 0xffff gas for it.
    let call = "5f5f5f5f600160aa61fffff1";
    assert_eq!(failing(call, "5000"), (2_600 + 34_000 + 0xffff, false));
    // A cold account that cannot be paid: only the warm price is shown.
    assert_eq!(failing(call, "1000"), (100, false));
    // These fail while they run.
    assert_eq!(failing("600056", "100"), (8, true));
    assert_eq!(failing("fe", "100"), (0, true));
    assert_eq!(failing("5f5ffd", "100"), (0, true));
}

/// Exit code, and the lines on standard error.
fn traced(file: &Path) -> (i32, Vec<String>) {
    let ran = ran(command(&["statetest", "--trace"]).arg(file));
    (ran.code, ran.stderr.lines().map(str::to_owned).collect())
}

/// The steps of a trace in geth's format, without texts of errors, and the closing lines of the transaction.
fn steps_and_end(text: &[String]) -> (Vec<Value>, Vec<Value>) {
    let parsed = text.iter().map(|line| serde_json::from_str(line).unwrap());
    let (mut steps, others): (Vec<Value>, Vec<Value>) =
        parsed.partition(|line: &Value| line.get("pc").is_some());
    for step in &mut steps {
        let fields = step.as_object_mut().unwrap();
        fields.remove("returnData");
        if let Some(error) = fields.get_mut("error") {
            *error = Value::Null;
        }
    }
    let mut end: Vec<_> = others[others.len().saturating_sub(2)..].to_vec();
    for line in &mut end {
        if let Some(error) = line.get_mut("error") {
            *error = Value::Null;
        }
    }
    (steps, end)
}

/// The folder with traces of other clients, which may lie beside the repository.
fn traces() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/traces");
    if !folder.is_dir() {
        eprintln!("skipped: the traces of other clients are not in ../shared/traces");
        return None;
    }
    Some(folder)
}

#[track_caller]
fn assert_same(file: &Path, expected: &Path) {
    let expected: Vec<_> = read(expected).lines().map(str::to_owned).collect();
    let (_, found) = traced(file);
    let (steps, end) = steps_and_end(&found);
    let (expected_steps, expected_end) = steps_and_end(&expected);
    for (step, expected) in steps.iter().zip(&expected_steps) {
        assert_eq!(step, expected, "{}", file.display());
    }
    assert_eq!(steps.len(), expected_steps.len(), "{}", file.display());
    assert_eq!(end, expected_end, "{}", file.display());
    assert_eq!(found.last(), expected.last(), "{}", file.display());
}

#[test]
fn steps_are_those_of_geth() {
    let Some(folder) = traces() else { return };
    let mut compared = 0;
    for entry in fs::read_dir(folder.join("goevmlab")).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|end| end == "json") {
            assert_same(&file, &file.with_extension("geth.jsonl"));
            compared += 1;
        }
    }
    assert!(compared > 3, "{compared}");
}

#[test]
fn calls_that_revert_are_traced_as_geth_does() {
    let Some(folder) = traces() else { return };
    let folder = folder.join("geth-revert-in-calls");
    let json = |name: &str| -> Value { serde_json::from_str(&read(&folder.join(name))).unwrap() };
    let tx = &json("txs.json")[0];
    let zero = format!("0x{:064x}", 0);
    let test = json!({"calls": {
        "env": json("env.json"),
        "pre": json("alloc.json"),
        "transaction": {
            "data": [tx["input"]], "gasLimit": [tx["gas"]], "value": [tx["value"]],
            "gasPrice": tx["gasPrice"], "nonce": tx["nonce"], "to": tx["to"],
            "secretKey": tx["secretKey"],
        },
        "post": {"Paris": [
            {"hash": zero, "logs": zero, "indexes": {"data": 0, "gas": 0, "value": 0}},
        ]},
    }});
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("calls.json");
    fs::write(&file, test.to_string()).unwrap();
    let expected: Vec<_> = read(&folder.join("trace.jsonl"))
        .lines()
        .map(str::to_owned)
        .collect();
    let (code, found) = traced(&file);
    assert_eq!(code, 1, "the test expects another root");
    assert_eq!(steps_and_end(&found).0, steps_and_end(&expected).0);
}

#[test]
fn a_traced_state_test_is_checked_and_ends_with_its_root() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("t.json");
    let zero = format!("0x{:064x}", 0);
    let post = |gas: u64| json!({"hash": zero, "logs": zero, "indexes": {"data": 0, "gas": gas, "value": 0}});
    let test = json!({"stop": {
        "env": {
            "currentCoinbase": "0x2adc25665018aa1fe0e6bc666dac8fc2697ff9ba",
            "currentGasLimit": "0x1000000", "currentNumber": "0x01", "currentTimestamp": "0x03e8",
        },
        "pre": {"0xa94f5374fce5edbc8e2a8697c15331677e6ebf0b": {
            "balance": "0x0de0b6b3a7640000", "code": "0x", "nonce": "0x00", "storage": {},
        }},
        "transaction": {
            "data": ["0x5f5ffd"], "gasLimit": ["0x061a80", "0x5207"], "value": ["0x00"],
            "gasPrice": "0x0a", "nonce": "0x00", "to": "",
            "sender": "0xa94f5374fce5edbc8e2a8697c15331677e6ebf0b",
        },
        "post": {"Shanghai": [post(0), post(1)]},
    }});
    fs::write(&file, test.to_string()).unwrap();
    let (code, text) = traced(&file);
    assert_eq!(code, 1);
    // PUSH0 twice, REVERT twice, the end and the root; the second is refused, so it has only a root.
    assert_eq!(text.len(), 7, "{text:?}");
    assert_eq!(
        text[4],
        "{\"output\":\"\",\"gasUsed\":\"0x4\",\"error\":\"revert\"}"
    );
    for line in [&text[5], &text[6]] {
        assert!(line.starts_with("{\"stateRoot\": \"0x"), "{line}");
    }
    let ran = ran(command(&["statetest", "--trace", "--mode", "advanced"]).arg(&file));
    assert_eq!(ran.code, 2, "{}", ran.stderr);
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
