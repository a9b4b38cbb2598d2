//! Wrong input: one line that says what is wrong and where, and an exit code.

use crate::support::{Edit, Folder, ONE, command, evmscope, ran, read_run, refusal};
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

#[test]
fn a_wrong_command_line_gets_its_line_and_the_usage() {
    let refusals = [
        &["frobnicate"][..],
        &["lost"],
        &["list", "--color", "sometimes"],
        &["list", "--format", "yaml"],
        &["run"],
        &["run", "empty", "--code", "00"],
        &["run", "empty", "--gas", "5"],
        &["run", "empty", "memory"],
        &["run", "--code", "00", "--case-dir", "cases"],
        &["run", "--code", "00", "--mode", "revm"],
        &["run", "--code", "00", "--fork", "atlantis"],
        &["run", "--code", "00", "--gas", "-1"],
        &["run", "--code", "00", "--gas", "9223372036854775808"],
        &["run", "--code", "00", "--gas", "much"],
        &["bench", "--modes", "fast"],
        &["bench", "--modes", ""],
        &[
            "diff",
            "a",
            "b",
            "--modes",
            "traditional,advanced,traditional",
        ],
        &["diff", "a", "b", "--no-simulate", "--gate", "instructions"],
        &["diff", "a", "b", "--gate", "memory"],
        &["bench", "--pairs", "0"],
        &["bench", "--keccak-memo", "yes"],
        &["bench", "--budget", "0"],
        &["bench", "--budget", "-1"],
        &["bench", "--budget", "inf"],
        &["run", "empty", "--dump-ir", "--budget", "2"],
        &["bench", "--pears", "3"],
        &["profile"],
        &["profile", "empty", "--hz", "0"],
        &["profile", "empty", "--sample-ms", "0"],
    ]
    .map(refusal);
    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn wrong_input_gets_one_line() {
    let folder = Folder::new().case(|toml| toml);
    let cases = folder.arg("");
    let file = folder.arg("file");
    folder.write("file", "not hex");
    fs::write(folder.path("bytes"), [0xff, 0xfe]).unwrap();
    fs::create_dir(folder.path("folder")).unwrap();
    let path = |name: &str| folder.arg(name);
    let at = |name: &str| format!("@{}", folder.arg(name));
    let refusals = [
        &["run", "nosuch", "--case-dir", &cases][..],
        &["bench", "one", "nosuch", "--case-dir", &cases],
        &["profile", "nosuch", "--case-dir", &cases],
        &["run", "--code", "abc"],
        &["run", "--code", "0xgg"],
        &["run", "--code", "00", "--input", "0x0"],
        &["run", "--code", &at("absent")],
        &["run", "--code", &at("folder")],
        &["run", "--code", &at("bytes")],
        &["run", "--code", "00", "--input", &at("file")],
        &["bench", "empty", "empty"],
        &["bench", "empty", "--export-json", &path("folder")],
        &["bench", "empty", "--export-markdown", &path("file/x.md")],
        &["profile", "empty", "--out", &file],
        &["profile", "empty", "--out", &path("file/out")],
        &["list", "--case-dir", &path("absent")],
        &["list", "--case-dir", &path("folder")],
        &["list", "--case-dir", &file],
        &["list", "--case-dir", &path("one/code.hex")],
        &["list", "--case-dir", &path("one/case.toml/x")],
        &["statetest", &path("absent")],
        &["statetest", &path("file/x")],
        &["pgo", "info", "--dir", &file],
        &["pgo", "info", "--dir", &path("file/x")],
        &["man", "--out", &file],
    ]
    .map(refusal);
    insta::assert_snapshot!(folder.anonymous(&refusals.join("\n")));
}

#[test]
fn a_file_of_a_case_is_taken_for_its_folder() {
    let folder = Folder::new().case(|toml| toml);
    folder.write("two.runtime.hex", ONE);
    folder.write("three.runtime.hex", ONE);
    let manifest = r#"{ "name": "four", "contract": "four.sol" }"#;
    folder.write("bench/benchmark.evm-bench.json", manifest);
    folder.write("bench/four.bin-runtime", ONE);
    for (file, name) in [
        ("one/case.toml", "one"),
        ("two.runtime.hex", "two"),
        ("bench/benchmark.evm-bench.json", "four"),
    ] {
        let listed = evmscope(&["list", "--case-dir", &folder.arg(file)]).ok();
        let names: Vec<_> = listed.lines().map(|it| it.split(' ').next()).collect();
        assert_eq!(names, [Some(name)], "{listed}");
    }
    // Its folder is the working one, which a relative path does not name.
    let mut inside = command(&["run", "one", "--case-dir", "case.toml"]);
    let text = ran(inside.current_dir(folder.path("one"))).ok();
    assert!(text.contains("status  success"), "{text}");
    // Each process finds it again.
    let file = folder.arg("one/case.toml");
    let bench = ["bench", "--launches", "2", "--pairs", "2", "--case-dir"];
    evmscope(&[&bench[..], &[&file]].concat()).ok();
}

#[test]
fn a_case_that_cannot_be_read_is_named_with_what_is_wrong() {
    let edits: [Edit; 7] = [
        |toml| toml.replace("gas_used = 16\n", ""),
        |toml| toml.replace("gas_limit = 1_000\n", ""),
        |toml| toml.replace("gas_used", "gas"),
        |toml| toml.replace("\"osaka\"", "\"osaka"),
        |toml| toml.replace("\"osaka\"", "\"atlantis\""),
        |toml| toml.replace("1_000", "-1"),
        |toml| toml.replace("calldata = \"\"", "calldata = \"0x0\""),
    ];
    let refusals = edits.map(|edit| {
        let folder = Folder::new().case(edit);
        folder.anonymous(&refusal(&["bench", "one", "--case-dir", &folder.arg("")]))
    });
    insta::assert_snapshot!(refusals.join("\n"));
}

/// The name of a case becomes the name of a folder of reports.
#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    for name in [
        "../../../../x",
        "/x",
        "..",
        "",
        "-x",
        "a\\nb",
        "a,b",
        "\\u001b[2J",
    ] {
        let folder = Folder::new();
        let manifest = format!(r#"{{"name": "{name}", "contract": "Bench.sol"}}"#);
        folder.write("in/benchmark.evm-bench.json", &manifest);
        folder.write("in/Bench.bin-runtime", ONE);
        for verb in [
            &["list"][..],
            &["bench"],
            &["flamegraph", "in"],
            &["profile", "in"],
        ] {
            let line = refusal(&[verb, &["--case-dir", &folder.arg("in")]].concat());
            assert!(line.contains("benchmark.evm-bench.json: "), "{line}");
            assert!(line.contains(" cannot be a name: use up to "), "{line}");
            assert!(!line.contains('\u{1b}'), "{line}");
        }
        assert_eq!(folder.files(""), ["in"]);
    }
}

#[test]
fn a_contract_outside_its_folder_is_refused() {
    for contract in ["../Bench.sol", "/Bench.sol"] {
        let folder = Folder::new();
        let manifest = format!(r#"{{"name": "x", "contract": "{contract}"}}"#);
        folder.write("in/benchmark.evm-bench.json", &manifest);
        folder.write("Bench.bin-runtime", ONE);
        let line = refusal(&["run", "in", "--case-dir", &folder.arg("in")]);
        assert!(
            line.contains("is not in this folder: move it here"),
            "{line}"
        );
    }
}

#[test]
fn a_file_name_that_is_no_text_is_not_skipped() {
    let folder = Folder::new().case(|toml| toml);
    let name = OsStr::from_bytes(b"\xff.runtime.hex");
    fs::write(folder.path("").join(name), ONE).unwrap();
    let ran = evmscope(&["list", "--case-dir", &folder.arg("")]);
    assert_eq!((ran.code, ran.stderr.lines().count()), (1, 1), "{ran:?}");
    assert!(ran.stdout.starts_with("one "), "{ran:?}");
}

#[test]
fn a_case_that_cannot_be_read_does_not_stop_the_others() {
    let folder = Folder::new().case(|toml| toml);
    folder.write("bad/case.toml", "fork = 1");
    folder.write("worse.runtime.hex", "0x6");
    let dir = folder.arg("");
    let from = |arguments: &[&str]| {
        let ran = evmscope(&[arguments, &["--case-dir", &dir]].concat());
        assert_eq!(ran.code, 1, "{ran:?}");
        (ran.stdout, folder.anonymous(&ran.stderr))
    };
    let (listed, errors) = from(&["list"]);
    assert_eq!(listed, "one  osaka  one word\n");
    insta::assert_snapshot!(errors, @r"
    error: in DIR/bad/case.toml, line 1: invalid type: integer `1`, expected a string
    error: DIR/worse.runtime.hex: an odd number of hex digits
    ");
    let (out, export) = (folder.arg("out"), folder.arg("run.json"));
    for (arguments, printed) in [
        (&["list", "--format", "json"][..], "\"one\""),
        (&["run", "one"], "status  success"),
        (
            &["bench", "--quick", "--pairs", "1", "--export-json", &export],
            "one",
        ),
        (&["bench", "--quick", "one", "--pairs", "1"], "one"),
        (
            &[
                "profile",
                "--quick",
                "one",
                "--pairs",
                "1",
                "--sample-ms",
                "50",
                "--no-simulate",
                "--out",
                &out,
            ],
            "one: ",
        ),
    ] {
        let (stdout, stderr) = from(arguments);
        assert!(stdout.contains(printed), "{arguments:?}: {stdout}");
        assert_eq!(stderr, errors, "{arguments:?}");
    }
    assert_eq!(read_run(&folder.path("run.json")).cases(), ["one"]);

    // Asked for, it is the failure, and where no other is left.
    let (line, last) = (
        refusal(&["bench", "worse", "--case-dir", &dir]),
        errors.lines().last(),
    );
    assert_eq!(folder.anonymous(&line).lines().nth(1), last);
    fs::remove_dir_all(folder.path("one")).unwrap();
    let (stdout, stderr) = from(&["list"]);
    assert_eq!(
        (stdout.as_str(), stderr.lines().count()),
        ("", 2),
        "{stderr}"
    );
}

#[test]
fn two_cases_of_one_name_are_refused() {
    let folder = Folder::new().case(|toml| toml);
    folder.write("one.runtime.hex", ONE);
    let line = refusal(&["list", "--case-dir", &folder.arg("")]);
    assert!(
        line.contains("two cases in") && line.contains("`one`"),
        "{line}"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    // More than a pipe holds.
    let mut child = command(&["run", "erc20-mint", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut first).unwrap();
    drop(reader);
    let output = child.wait_with_output().unwrap();
    assert_eq!(first, "{\n");
    assert_eq!((output.status.code(), output.stderr), (Some(0), vec![]));
}

#[test]
fn an_error_that_nobody_reads_is_still_an_exit_code() {
    for (arguments, code) in [(["run", "nosuch"], 1), (["run", "--gas"], 2)] {
        let mut child = command(&arguments).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stderr.take());
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
}
