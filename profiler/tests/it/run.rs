//! `run`: code, input, gas, fork and mode; what a run prints.

use crate::support::{Folder, evmscope};

/// Stores 42, logs with a topic and returns what it was sent.
const BUSY: &str = "602a5f5560075f5fa1365f5f37365ff3";

#[test]
fn run_prints_what_came_of_a_case_in_both_modes() {
    for mode in ["traditional", "advanced"] {
        let text = evmscope(&["run", "empty", "--mode", mode]).ok();
        assert!(
            text.starts_with(&format!("mode    {mode} at osaka\nstatus  success\n")),
            "{text}"
        );
    }
}

#[test]
fn thousands_of_logs_do_not_hide_the_status() {
    let twelve = "5f5fa0".repeat(12);
    insta::assert_snapshot!(evmscope(&["run", "--code", &twelve]).ok());
    let json = evmscope(&["run", "--code", &twelve, "--format", "json"]).ok();
    assert_eq!(json.matches("\"address\"").count(), 12);
}

#[test]
fn run_takes_code_input_gas_fork_and_mode() {
    let arguments = [
        "run", "--code", BUSY, "--input", "0xC0FFEE", "--gas", "100000",
    ];
    let with = |more: &[&str]| evmscope(&[&arguments, more].concat()).ok();
    let text = with(&["--fork", "cancun", "--mode", "traditional"]);
    insta::assert_snapshot!(text);
    assert_eq!(
        text.split_once('\n').unwrap().1,
        with(&[]).split_once('\n').unwrap().1
    );
    insta::assert_snapshot!(with(&["--format", "json"]));
}

#[test]
fn run_reads_code_and_input_from_files() {
    let folder = Folder::new();
    folder.write("code.hex", &format!("0x{BUSY}\n"));
    folder.write("input.hex", "  c0ffee\n\n");
    let (code, input) = (folder.arg("code.hex"), folder.arg("input.hex"));
    let from_files = evmscope(&[
        "run",
        "--code",
        &format!("@{code}"),
        "--input",
        &format!("@{input}"),
    ]);
    let given = evmscope(&["run", "--code", BUSY, "--input", "c0ffee"]);
    assert_eq!(from_files.ok(), given.ok());
}

#[test]
fn hex_is_read_as_people_keep_it() {
    let given = evmscope(&["run", "--code", BUSY, "--input", "c0ffee"]).ok();
    let (first, rest) = BUSY.split_at(10);
    for text in [
        format!("0X{}", BUSY.to_uppercase()),
        format!("{first}\r\n  {rest}\n"),
        format!("\"0x{BUSY}\"\n"),
        format!("'{first}\n{rest}'"),
    ] {
        let folder = Folder::new();
        folder.write("code", &text);
        let from_file = format!("@{}", folder.arg("code"));
        for code in [&text, &from_file] {
            let ran = evmscope(&["run", "--code", code, "--calldata", "\"0XC0 FFEE\""]);
            assert_eq!(ran.ok(), given, "{code}");
        }
    }
    let refused = evmscope(&["run", "--code", "\"5f"]);
    assert!(refused.stderr.contains("is not a hex digit"), "{refused:?}");
}

#[test]
fn a_case_may_state_no_result_and_keep_its_call_data_in_a_file() {
    let folder = Folder::new().case(|toml| {
        let (toml, _) = toml.split_once("[expected]").unwrap();
        toml.replace("calldata = \"\"", "calldata = \"@data/input.hex\"")
    });
    // CALLDATASIZE, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN.
    folder.write("one/code.hex", "\"0x365f52\n60205ff3\"\n");
    folder.write("one/data/input.hex", "c0\nff\nee\n");
    let dir = folder.arg("");
    let run = evmscope(&["run", "one", "--case-dir", &dir, "--format", "json"]).ok();
    assert!(
        run.contains(&format!("\"output\": \"0x{:064x}\"", 3)),
        "{run}"
    );
    let json = folder.arg("run.json");
    let bench = [
        "bench",
        "--quick",
        "one",
        "--case-dir",
        &dir,
        "--pairs",
        "3",
    ];
    evmscope(&[&bench[..], &["--export-json", &json]].concat()).ok();
    let text = std::fs::read_to_string(&json).unwrap();
    assert!(text.contains("\"agreement\""), "{text}");

    std::fs::remove_file(folder.path("one/data/input.hex")).unwrap();
    let ran = evmscope(&["run", "one", "--case-dir", &dir]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    let stderr = folder.anonymous(&ran.stderr);
    assert!(
        stderr
            .starts_with("error: DIR/one/case.toml: calldata: cannot read DIR/one/data/input.hex"),
        "{stderr}"
    );
}

#[test]
fn a_fork_has_its_own_opcodes() {
    let clz = |fork| evmscope(&["run", "--code", "60011e", "--fork", fork]).ok();
    assert!(clz("osaka").contains("status  success"));
    assert!(clz("prague").contains("status  undefined-opcode"));
}

#[test]
fn a_revert_and_every_failure_is_a_result() {
    let depth = "5f".repeat(1025);
    let codes = [
        ("nothing", "", "1000"),
        ("no gas, nothing to do", "00", "0"),
        ("no gas", "5f", "0"),
        ("revert with data", "60015f5260205ffd", "1000"),
        ("out of gas", "5b5f56", "1000"),
        ("memory beyond all gas", "5f5f195260", "1000"),
        ("stack underflow", "01", "1000"),
        ("stack overflow", &depth, "10000"),
        ("jump into nowhere", "600056", "1000"),
        ("undefined", "0c", "1000"),
        ("designated invalid", "fe", "1000"),
        ("beyond the return data", "60015f5f3e", "1000"),
        ("most gas there is", "5a5f5260205ff3", "9223372036854775807"),
    ];
    let results = codes.map(|(what, code, gas)| {
        let run = |mode| {
            let arguments = ["run", "--code", code, "--gas", gas, "--mode", mode];
            let text = evmscope(&arguments).ok();
            text.split_once('\n').unwrap().1.to_owned()
        };
        let [traditional, advanced] = ["traditional", "advanced"].map(run);
        assert_eq!(traditional, advanced, "{what}");
        format!("{what}\n{traditional}")
    });
    insta::assert_snapshot!(results.join("\n"));
}
