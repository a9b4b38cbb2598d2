//! The command line as people use it: the built binary, its words, its files and its exit codes.

mod support;

use evmscope_reports::Run;
use evmscope_reports::counter::{Counter, Source};
use evmscope_reports::render::json;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::{
    Folder, HASH_OF_ONE, ONE, command, evmscope, has_valgrind, official_cases, on_terminal, ran,
};

/// A change of a `case.toml`.
type Edit = fn(String) -> String;

const THREE: &str = "traditional,advanced,revm";

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read_run(path: &Path) -> Run {
    json::read(&read(path)).unwrap()
}

// Help and lists.

#[test]
fn help_fits_80_columns_and_says_what_is_what() {
    let verbs = [
        "",
        "list",
        "run",
        "bench",
        "profile",
        "annotate",
        "flamegraph",
        "opcodes",
        "export",
        "size",
        "statetest",
        "shadow",
        "merge",
        "history",
        "schema",
        "doctor",
        "completions",
        "man",
        "assemble",
        "disassemble",
    ];
    let pages = verbs.map(|verb| {
        let arguments = [verb, "--help"];
        let arguments = &arguments[usize::from(verb.is_empty())..];
        let page = evmscope(arguments).ok();
        assert!(
            page.lines().all(|line| line.chars().count() <= 80),
            "{page}"
        );
        format!("$ evmscope {}\n{page}", arguments.join(" "))
    });
    insta::assert_snapshot!(pages.join("\n"));
}

#[test]
fn without_arguments_comes_the_help() {
    let ran = evmscope(&[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("Usage: evmscope"), "{}", ran.stderr);
}

#[test]
fn list_shows_every_case_on_its_line() {
    insta::assert_snapshot!(evmscope(&["list"]).ok());
}

#[test]
fn list_as_json_holds_the_same_and_more() {
    let listed: serde_json::Value =
        serde_json::from_str(&evmscope(&["list", "--format", "json"]).ok()).unwrap();
    let listed = listed.as_array().unwrap();
    let text = evmscope(&["list"]).ok();
    let names: Vec<_> = listed
        .iter()
        .map(|case| case["name"].as_str().unwrap())
        .collect();
    let first_words: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(names, first_words);
    insta::assert_snapshot!(serde_json::to_string_pretty(&listed[0]).unwrap());
}

#[test]
fn a_terminal_gets_no_line_that_is_wider() {
    for arguments in [
        &["list"][..],
        &["doctor"],
        &["bench", "empty", "--pairs", "1"],
    ] {
        let shown = on_terminal(command(arguments).env("NO_COLOR", "1"));
        assert!(shown.lines().count() > 5, "{shown}");
        assert!(
            shown.lines().all(|line| line.chars().count() <= 80),
            "{shown}"
        );
    }
}

#[test]
fn doctor_always_has_something_to_say() {
    let text = evmscope(&["doctor"]).ok();
    for subject in [
        "CPU",
        "thread CPU clock",
        "software counters",
        "sampling",
        "valgrind",
    ] {
        assert!(
            text.contains(&format!("  {subject}  ")),
            "{subject}: {text}"
        );
    }
    assert!(
        text.lines()
            .all(|line| line.starts_with("ok ") || line.starts_with("missing ")),
        "{text}"
    );
}

// run

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

/// Stores 42, logs with a topic and returns what it was sent.
const BUSY: &str = "602a5f5560075f5fa1365f5f37365ff3";

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

#[test]
fn code_is_assembled_and_listed() {
    let folder = Folder::new();
    let source = "PUSH1 1\nPUSH0\nMSTORE\nPUSH1 32\nPUSH0\nRETURN\n";
    folder.write("one.asm", source);
    assert_eq!(
        evmscope(&["assemble", &folder.arg("one.asm")]).ok(),
        format!("{ONE}\n")
    );
    insta::assert_snapshot!(evmscope(&["disassemble", ONE]).ok());
    folder.write("wrong.asm", "PUSH1 1\nFROB\n");
    let refusals = [
        &["assemble", &folder.arg("wrong.asm")][..],
        &["assemble", &folder.arg("absent")],
        &["disassemble", "0x6"],
    ]
    .map(refusal);
    insta::assert_snapshot!(folder.anonymous(&refusals.join("\n")));
}

// What is wrong is said in one line.

/// The one line, and the usage where the command line itself is wrong.
#[track_caller]
fn refusal(arguments: &[&str]) -> String {
    let ran = evmscope(arguments);
    assert!(matches!(ran.code, 1 | 2), "{ran:?}");
    assert_eq!(ran.stdout, "", "{arguments:?}");
    assert!(ran.stderr.starts_with("error: "), "{ran:?}");
    assert_eq!(ran.stderr.matches("error: ").count(), 1, "{ran:?}");
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    match ran.code {
        1 => assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}"),
        _ => assert!(ran.stderr.contains("\nUsage: evmscope "), "{ran:?}"),
    }
    format!(
        "$ evmscope {}\n{}[exit {}]\n",
        arguments.join(" "),
        ran.stderr,
        ran.code
    )
}

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
        &["bench", "--modes", "traditional,advanced,traditional"],
        &["bench", "--pairs", "0"],
        &["bench", "--keccak-memo", "yes"],
        &["bench", "--budget", "0"],
        &["bench", "--budget", "-1"],
        &["bench", "--budget", "inf"],
        &["run", "empty", "--dump-ir", "--budget", "2"],
        &["bench", "--pears", "3"],
        &["profile"],
        &["profile", "empty", "--base", "advanced"],
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
        &["statetest", &path("absent")],
    ]
    .map(refusal);
    insta::assert_snapshot!(folder.anonymous(&refusals.join("\n")));
}

#[test]
fn a_case_that_cannot_be_read_is_named_with_what_is_wrong() {
    let edits: [Edit; 7] = [
        |toml| toml.replace("gas_used = 16\n", ""),
        |toml| toml.split("[expected]").next().unwrap().to_owned(),
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
        (&["bench", "--pairs", "1", "--export-json", &export], "one"),
        (&["bench", "one", "--pairs", "1"], "one"),
        (
            &[
                "profile",
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

// No figure without a right result.

#[test]
fn a_wrong_expectation_stops_everything() {
    let edits: [(&str, Edit); 4] = [
        ("status", |toml| toml.replace("\"success\"", "\"revert\"")),
        ("gas_used", |toml| toml.replace("= 16", "= 17")),
        ("output_hash", |toml| toml.replace("0xb10e", "0xb10f")),
        ("logs", |toml| toml + "logs = 1\n"),
    ];
    let mut said = String::new();
    for (field, edit) in edits {
        let folder = Folder::new().case(edit);
        let dir = folder.arg("");
        let (export, out) = (folder.arg("run.json"), folder.arg("out"));
        for arguments in [
            &[
                "bench",
                "--case-dir",
                &dir,
                "--modes",
                THREE,
                "--export-json",
                &export,
            ][..],
            &["profile", "one", "--case-dir", &dir, "--out", &out],
        ] {
            let ran = evmscope(arguments);
            assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
            for mode in ["traditional", "advanced"] {
                let line = format!("case one, mode {mode}: {field} is wrong: expected ");
                assert!(ran.stderr.contains(&line), "{ran:?}");
            }
            said = ran.stderr;
        }
        assert!(!folder.path("run.json").exists());
        assert_eq!(folder.files("out"), [""; 0]);
    }
    insta::assert_snapshot!(said, @r"
    error: case one, mode traditional: logs is wrong: expected 1, found 0
           case one, mode advanced: logs is wrong: expected 1, found 0
    ");
}

#[test]
fn every_layout_of_cases_is_read_and_verified() {
    let folder = Folder::new().case(|toml| toml);
    // PUSH8 code, PUSH0, MSTORE, PUSH1 8, PUSH1 24, RETURN: deploys it.
    let init = format!("67{ONE}5f5260086018f3");
    let word = format!("{:064x}", 1);
    let expected = format!(
        r#"{{"status": "success", "gas_used": 16, "refund": 0, "output": "0x{word}", "logs": 0}}"#
    );
    folder.write("published/stated.runtime.hex", ONE);
    folder.write("published/stated.expected.json", &expected);
    folder.write("published/agreed.runtime.hex", ONE);
    for (name, extension, code) in [
        ("created", "bin", init.as_str()),
        ("deployed", "bin-runtime", ONE),
    ] {
        let manifest =
            format!(r#"{{"name": "{name}", "contract": "Bench.sol", "calldata": "00"}}"#);
        folder.write(
            &format!("evm-bench/{name}/benchmark.evm-bench.json"),
            &manifest,
        );
        folder.write(&format!("evm-bench/{name}/Bench.{extension}"), code);
    }
    let export = folder.arg("run.json");
    evmscope(&[
        "bench",
        "--case-dir",
        &folder.arg(""),
        "--pairs",
        "1",
        "--export-json",
        &export,
    ])
    .ok();
    let run = read_run(&folder.path("run.json"));
    let rests_on = |case| {
        run.result(case, "advanced")
            .map(|result| result.expected.as_str())
    };
    assert_eq!(
        run.cases(),
        ["agreed", "created", "deployed", "one", "stated"]
    );
    assert_eq!(rests_on("one"), Some("case.toml"));
    assert_eq!(rests_on("stated"), Some("expected.json"));
    for case in ["agreed", "created", "deployed"] {
        assert_eq!(rests_on(case), Some("agreement"), "{case}");
    }
    for result in &run.results {
        assert_eq!(
            (result.gas_used, result.output_hash.as_str()),
            (16, HASH_OF_ONE)
        );
    }

    folder.write(
        "published/stated.expected.json",
        &expected.replace("16", "15"),
    );
    let ran = evmscope(&["bench", "stated", "--case-dir", &folder.arg("")]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr
            .contains("gas_used is wrong: expected 15, found 16"),
        "{ran:?}"
    );
    fs::remove_file(folder.path("evm-bench/created/Bench.bin")).unwrap();
    let line = refusal(&["run", "created", "--case-dir", &folder.arg("evm-bench")]);
    assert!(
        line.contains("the contract is not compiled: run `solc --bin"),
        "{line}"
    );
}

#[test]
fn published_builds_beside_the_repository_are_verified() {
    let Some(dir) = official_cases() else {
        return eprintln!("skipped: no folder ../shared/cases-official beside the repository");
    };
    let text = evmscope(&["bench", "--pairs", "1", "--case-dir", dir.to_str().unwrap()]).ok();
    assert!(text.contains("snailtracer"), "{text}");
}

// opcodes

#[test]
fn opcodes_ranks_what_a_case_executes() {
    let folder = Folder::new();
    // Counts down from 3.
    folder.write("loop.runtime.hex", "60035b600190038060025700");
    let dir = folder.arg("");
    let opcodes = |more: &[&str]| {
        let arguments = ["opcodes", "loop", "--case-dir", &dir];
        evmscope(&[&arguments[..], more].concat()).ok()
    };
    insta::assert_snapshot!(opcodes(&[]));
    let json: serde_json::Value = serde_json::from_str(&opcodes(&["--format", "json"])).unwrap();
    assert_eq!(
        (&json["executed"], &json["blocks"]),
        (&23.into(), &5.into())
    );
    assert_eq!(json["pairs"][0]["name"], "DUP1 PUSH1");
    assert_eq!(json["translation"]["frames"], 1);
}

// bench

#[test]
fn documents_are_as_in_their_records() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let documents = ["splice", "--check", "README.md", "docs/PERFORMANCE.md"];
    let said = ran(command(&documents).current_dir(&root)).ok();
    for line in said.lines() {
        assert!(line.ends_with("tables, up to date"), "{line}");
        assert!(!line.contains(": 0 tables"), "{line}");
    }

    // A figure that somebody has typed is found.
    let folder = tempfile::tempdir().unwrap();
    let stale = folder.path().join("stale.md");
    let text = read(&root.join("README.md"));
    fs::write(&stale, text.replace("| empty |", "| empty | 9.99x |")).unwrap();
    let stale = stale.to_str().unwrap();
    let refused = ran(command(&["splice", "--check", stale]).current_dir(&root));
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stdout.contains("out of date"), "{refused:?}");
    ran(command(&["splice", stale]).current_dir(&root)).ok();
    ran(command(&["splice", "--check", stale]).current_dir(&root)).ok();
}

#[test]
fn ablate_counts_a_call_without_each_technique() {
    if !has_valgrind() {
        return eprintln!("skipped: valgrind is not installed");
    }
    let said = evmscope(&["ablate", "empty", "--without", "traces", "--format", "json"]).ok();
    let ablation: serde_json::Value = serde_json::from_str(&said).unwrap();
    let without = ablation["without"].as_array().unwrap();
    assert!(ablation["instructions"].as_u64().unwrap() > 0);
    assert_eq!(without.len() + 1, evmscope_interp::Technique::ALL.len());
    assert!(without.iter().all(|row| row["technique"] != "traces"));
}

#[test]
fn bench_exports_what_it_measured() {
    let folder = Folder::new();
    let (json, markdown) = (folder.arg("new/run.json"), folder.arg("run.md"));
    let text = evmscope(&[
        "bench",
        "empty",
        "ten-thousand-hashes",
        "--pairs",
        "2",
        "--modes",
        THREE,
        "--export-json",
        &json,
        "--export-markdown",
        &markdown,
    ])
    .ok();
    assert!(text.ends_with(&format!("\n{json}\n{markdown}\n")), "{text}");
    let markdown = read(&folder.path("run.md"));
    assert!(
        markdown.starts_with("| case | traditional | advanced | revm |\n"),
        "{markdown}"
    );
    for table in [&text, &markdown] {
        assert!(
            table.contains("ten-thousand-hashes") && table.contains("Mgas/s"),
            "{table}"
        );
    }

    let value: serde_json::Value =
        serde_json::from_str(&read(&folder.path("new/run.json"))).unwrap();
    assert_eq!(value["schema"], "evmscope/run/1");
    assert_eq!(value["measurements"][0]["counter"], "cpu-time");
    let run = read_run(&folder.path("new/run.json"));
    let modes: Vec<_> = THREE.split(',').collect();
    assert_eq!(run.cases(), ["empty", "ten-thousand-hashes"]);
    assert_eq!(run.modes(), modes);
    assert_eq!(
        (run.results.len(), run.measurements.len(), run.ratios.len()),
        (6, 6, 4)
    );
    for case in run.cases() {
        let [first, others @ ..] = &modes.clone()[..] else {
            unreachable!()
        };
        let result = |mode: &str| {
            let result = run.result(case, mode).unwrap();
            (
                result.status.clone(),
                result.gas_used,
                result.output_hash.clone(),
            )
        };
        for mode in others {
            assert_eq!(result(first), result(mode), "{case}");
            let ratio = run.ratio(case, first, mode, Counter::CpuTime).unwrap();
            assert!(
                ratio.low <= ratio.median && ratio.median <= ratio.high,
                "{ratio:?}"
            );
        }
        for mode in &modes {
            let measured = run.measurement(case, mode, Counter::CpuTime).unwrap();
            assert_eq!(
                (measured.unit.as_str(), measured.n, measured.samples.len()),
                ("ns", 2, 2)
            );
            assert_eq!(measured.source, Source::Software);
            assert!(
                measured.samples.iter().all(|&time| time > 0.0),
                "{measured:?}"
            );
        }
    }
    assert_eq!(
        run.result("ten-thousand-hashes", "revm").unwrap().gas_used,
        5_425_780
    );
}

#[test]
fn every_table_says_how_the_interpreter_was_set() {
    let folder = Folder::new();
    let (json, markdown) = (folder.arg("run.json"), folder.arg("run.md"));
    let bench = ["bench", "empty", "--pairs", "1"];
    let exports = ["--export-json", &json, "--export-markdown", &markdown];
    for (options, line, memo, budget) in [
        (
            &[][..],
            "keccak memo: advanced; memory budget: 4 ",
            "advanced",
            4.0,
        ),
        (
            &["--keccak-memo", "off", "--budget", "2.5"],
            "keccak memo: off; memory budget: 2.5 ",
            "off",
            2.5,
        ),
    ] {
        let text = evmscope(&[&bench[..], &exports, options].concat()).ok();
        assert!(text.contains(line), "{text}");
        let table = read(&folder.path("run.md"));
        assert!(table.contains(line), "{table}");
        let settings = read_run(&folder.path("run.json")).settings.unwrap();
        assert_eq!(
            (settings.keccak_memo.as_str(), settings.budget),
            (memo, budget)
        );
        let child = ["__simulated", "empty", "--mode", "advanced"];
        evmscope(&[&child[..], options].concat()).ok();
    }
}

#[test]
fn cold_calls_are_timed_where_they_are_asked_for() {
    let folder = Folder::new();
    let json = folder.arg("run.json");
    let bench = |options: &[&str]| {
        let bench = ["bench", "ten-thousand-hashes", "--pairs", "2", "--modes"];
        let text = evmscope(&[&bench[..], &[THREE, "--export-json", &json], options].concat()).ok();
        let run = read_run(&folder.path("run.json"));
        assert_eq!(run.measurements.len(), 3);
        (text.contains("\ncold: "), run.settings.unwrap().cold)
    };
    assert_eq!(bench(&["--cold"]), (true, true));
    assert_eq!(bench(&[]), (false, false));
}

#[test]
fn colour_is_for_terminals_and_for_who_asks() {
    let bench = ["bench", "empty", "--pairs", "1"];
    let with = |more: &[&'static str]| [&bench[..], more].concat();
    let colored = |text: &str| text.contains("\u{1b}[");
    assert!(!colored(&evmscope(&bench).ok()));
    assert!(!colored(&evmscope(&with(&["--color", "never"])).ok()));
    assert!(colored(&evmscope(&with(&["--color", "always"])).ok()));

    assert!(colored(&on_terminal(&mut command(&bench))));
    assert!(colored(&on_terminal(command(&bench).env("NO_COLOR", ""))));
    assert!(!colored(&on_terminal(command(&bench).env("NO_COLOR", "1"))));
    assert!(!colored(&on_terminal(&mut command(&with(&[
        "--color", "never"
    ])))));
    let asked = with(&["--color", "always"]);
    assert!(colored(&on_terminal(command(&asked).env("NO_COLOR", "1"))));
}

// profile

const REPORTS: [&str; 10] = [
    "flame-advanced.svg",
    "flame-diff-reverse.svg",
    "flame-diff.svg",
    "flame-evm-advanced.svg",
    "flame-evm-gas.svg",
    "flame-evm-traditional.svg",
    "flame-traditional.svg",
    "report.html",
    "report.json",
    "report.md",
];

/// Simulated counters, which are the same in every run.
const EXACT: [Counter; 8] = [
    Counter::SimInstructions,
    Counter::SimDataReads,
    Counter::SimDataWrites,
    Counter::SimBranches,
    Counter::SimL1iMisses,
    Counter::SimL1dReadMisses,
    Counter::SimL1dWriteMisses,
    Counter::SimBranchMisses,
];

/// As many of them as are exact in a mode. The cache of programs has random keys, and misses depend, by one
/// or two, on where it puts its entries.
fn exact(mode: &str) -> &'static [Counter] {
    &EXACT[..if mode == "advanced" { 4 } else { 8 }]
}

/// Profiles `ten-thousand-hashes` quickly into a folder; returns what was printed.
fn profile(folder: &Folder, out: &str) -> String {
    let out = folder.arg(out);
    let arguments = [
        "profile",
        "ten-thousand-hashes",
        "--pairs",
        "2",
        "--sample-ms",
        "300",
    ];
    evmscope(&[&arguments[..], &["--out", &out]].concat()).ok()
}

#[test]
fn profile_writes_reports_and_simulates_the_same_every_time() {
    let folder = Folder::new();
    let text = profile(&folder, "a/b");
    assert_eq!(folder.files("a/b"), REPORTS);
    let written: Vec<_> = text.lines().rev().take(REPORTS.len()).collect();
    for name in REPORTS {
        assert!(
            written.contains(&folder.arg(&format!("a/b/{name}")).as_str()),
            "{text}"
        );
    }
    assert!(text.contains("ten-thousand-hashes: "), "{text}");
    assert!(
        text.contains("\nnot measured\n") || text.contains("\nhardware\n"),
        "{text}"
    );

    let report = |name: &str| read(&folder.path("a/b").join(name));
    let svgs: Vec<_> = REPORTS
        .iter()
        .filter(|name| name.ends_with(".svg"))
        .map(|name| report(name))
        .collect();
    for name in REPORTS.iter().filter(|name| name.ends_with(".svg")) {
        let svg = report(name);
        well_formed(&svg);
        assert!(svg.contains("ten-thousand-hashes"), "{name}");
        // Gas is counted, not sampled.
        if *name != "flame-evm-gas.svg" {
            assert!(
                svg.contains("ops::memory::mstore"),
                "{name}: the loop writes to memory"
            );
            let sampled = if name.contains("-diff") {
                " samples"
            } else {
                " a second"
            };
            assert!(
                svg.contains(sampled),
                "{name}: the rate, or of how many samples"
            );
        }
    }
    assert!(report("flame-traditional.svg").contains("traditional MSTORE"));
    assert!(report("flame-advanced.svg").contains("advanced MSTORE"));
    assert!(report("report.md").starts_with("**ten-thousand-hashes: "));
    self_contained(&report("report.html"), &svgs);

    let run = read_run(&folder.path("a/b/report.json"));
    assert_eq!(run.profiles.len(), 2);
    for profile in &run.profiles {
        assert!(profile.samples > 0 && profile.rate > 0.0, "{profile:?}");
    }
    if !has_valgrind() {
        let missing = run
            .unavailable
            .iter()
            .any(|lost| lost.counter == Counter::SimInstructions);
        assert!(missing, "a counter that was not had is listed");
        return eprintln!("skipped: without valgrind there are no simulated counters");
    }
    profile(&folder, "again");
    let simulated = |run: &Run| {
        let measured = run.measurements.iter();
        let simulated = measured.filter(|m| exact(&m.mode).contains(&m.counter));
        let figures: Vec<_> = simulated
            .map(|m| (m.mode.clone(), m.counter, m.samples.clone()))
            .collect();
        figures
    };
    assert_eq!(simulated(&run).len(), 8 + 4, "in the two modes");
    assert_eq!(
        simulated(&run),
        simulated(&read_run(&folder.path("again/report.json")))
    );
}

/// Every tag is closed, every entity and attribute is right.
fn well_formed(svg: &str) {
    let mut reader = quick_xml::Reader::from_str(svg);
    let mut elements = 0;
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) => {
                tag.attributes()
                    .for_each(|attribute| drop(attribute.unwrap()));
                elements += 1;
            }
            _ => {}
        }
    }
    assert!(elements > 20, "{elements} elements");
}

/// The page holds the pictures, and nothing that a browser would fetch.
fn self_contained(page: &str, svgs: &[String]) {
    let escapes = [
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#38;", "&"),
    ];
    let page = escapes
        .iter()
        .fold(page.to_owned(), |page, (escaped, text)| {
            page.replace(escaped, text)
        });
    for svg in svgs {
        let picture = svg[svg.find("<svg").unwrap()..].trim_end();
        assert!(page.contains(picture));
    }
    for reference in [
        " src=",
        "<link",
        "@import",
        "fetch(",
        "href=\"http",
        "url(http",
        "url(\"http",
        "url('http",
    ] {
        assert!(!page.contains(reference), "{reference}");
    }
}

#[test]
fn an_interrupted_profile_leaves_no_report() {
    let folder = Folder::new();
    let out = folder.arg("out");
    let arguments = ["profile", "empty", "--sample-ms", "600000", "--out", &out];
    let mut child = command(&arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !folder.path("out").exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "it never began");
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none(), "it is still measuring");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(folder.files("out"), [""; 0]);
}

// diff and check

fn build(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/builds")
        .join(name);
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_cannot_be_compared_gets_its_line() {
    let folder = Folder::new();
    let own = env!("CARGO_BIN_EXE_evmscope");
    folder.write("text", "no run");
    let text = folder.arg("text");
    let out = folder.arg("out");
    for (base, head, why) in [
        ("no/such/file", own, "cannot read no/such/file"),
        (own, text.as_str(), "not JSON"),
        (own, &build("silent"), "does not serve samples"),
        (&build("other-version"), own, "version 99"),
    ] {
        let ran = evmscope(&["diff", base, head, "--cases", "empty", "--out", &out]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{why}");
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(why), "{why}: {}", ran.stderr);
    }
    let ran = evmscope(&["diff", own, own, "--cases", "nothing", "--out", &out]);
    assert!(
        ran.stderr.contains("unknown case `nothing`"),
        "{}",
        ran.stderr
    );
    for threshold in ["none", "-5%", "0", "101%"] {
        let ran = evmscope(&["diff", own, own, "--threshold", threshold]);
        assert_eq!(ran.code, 2, "{threshold}: {}", ran.stderr);
    }
}

#[test]
fn a_binary_is_compared_with_itself() {
    let folder = Folder::new();
    let own = env!("CARGO_BIN_EXE_evmscope");
    let out = folder.arg("out");
    let arguments = [
        "diff",
        own,
        own,
        "--cases",
        "empty",
        "--launches",
        "5",
        "--pairs",
        "2",
        "--no-simulate",
        "--out",
        &out,
    ];
    let ran = evmscope(&arguments);
    // What it comes to depends on the machine's mood; that it does, and says so, does not.
    assert!([0, 3].contains(&ran.code), "{}", ran.stderr);
    assert!(
        ran.stdout.contains("Both are the same binary."),
        "{}",
        ran.stdout
    );
    assert_eq!(folder.files("out"), ["diff.json", "diff.md"]);
    let diff: serde_json::Value =
        serde_json::from_str(&read(&folder.path("out/diff.json"))).unwrap();
    assert_eq!(diff["schema"], "evmscope/diff/1");
    assert_eq!(
        diff["base"]["measurements"][0]["launches"],
        serde_json::json!([2, 2, 2, 2, 2])
    );
}

#[test]
fn two_runs_are_compared_and_a_slower_one_exits_3() {
    let folder = Folder::new();
    let json = folder.arg("run.json");
    evmscope(&["bench", "empty", "--pairs", "6", "--export-json", &json]).ok();
    let mut run = read_run(&folder.path("run.json"));
    let out = folder.arg("out");
    let same = evmscope(&["diff", &json, &json, "--out", &out]);
    assert_eq!(same.code, 0, "{}", same.stderr);
    for measured in &mut run.measurements {
        measured
            .samples
            .iter_mut()
            .for_each(|sample| *sample *= 3.0);
        measured.median *= 3.0;
    }
    folder.write("slow.json", &json::write(&run).unwrap());
    let slow = evmscope(&["diff", &json, &folder.arg("slow.json"), "--out", &out]);
    assert_eq!(slow.code, 3, "{}", slow.stdout);
    assert!(
        slow.stdout.starts_with("Regressed beyond 5 %: empty"),
        "{}",
        slow.stdout
    );
    let ran = evmscope(&["diff", &json, env!("CARGO_BIN_EXE_evmscope"), "--out", &out]);
    assert!(
        ran.stderr.contains("compare two binaries or two runs"),
        "{}",
        ran.stderr
    );
}

// flamegraph, annotate, export, recordings

#[test]
fn flamegraph_draws_a_contract_by_name_and_by_label() {
    let folder = Folder::new();
    let [svg, folded] = ["evm.svg", "evm.folded"].map(|name| folder.arg(name));
    let told = evmscope(&["flamegraph", "ten-thousand-hashes", "--out", &svg]).ok();
    assert!(
        told.contains("100 %  TenThousandHashes.Benchmark()"),
        "{told}"
    );
    assert!(read(Path::new(&svg)).contains("<svg"));
    let arguments = [
        "--weight", "opcodes", "--format", "folded", "--out", &folded,
    ];
    let told = evmscope(&[&["flamegraph", "hash10k"], &arguments[..]].concat());
    assert!(
        told.ok()
            .contains("no source map (see --source-map): 0x2000…0002")
    );
    assert!(read(Path::new(&folded)).contains(";block 0x"));
}

#[test]
fn time_in_a_contract_ends_in_native_functions() {
    let arguments = [
        "--weight",
        "time",
        "--sample-ms",
        "200",
        "--format",
        "folded",
    ];
    let text = evmscope(&[&["flamegraph", "ten-thousand-hashes"], &arguments[..]].concat()).ok();
    assert!(text.contains("MSTORE;advanced MSTORE"), "{text}");
}

#[test]
fn what_cannot_be_drawn_says_so_in_a_line() {
    let no_run = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for (arguments, message) in [
        (
            &["flamegraph", "empty", "--source-map", "nowhere.json"][..],
            "cannot read nowhere.json",
        ),
        (
            &["flamegraph", "no-such-case"],
            "unknown case `no-such-case`",
        ),
        (
            &["annotate", "no-such-case", "ADD"],
            "unknown case `no-such-case`",
        ),
        (
            &["export", "nowhere.json", "--to", "folded"],
            "cannot read nowhere.json",
        ),
        (
            &["export", no_run, "--to", "folded"],
            "is not a run of evmscope",
        ),
    ] {
        let ran = evmscope(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{arguments:?}");
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
}

#[test]
fn a_recording_of_another_program_is_drawn_and_judged() {
    let folder = Folder::new();
    let out = folder.arg("out");
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/perf.data");
    let text = evmscope(&["profile", "--perf-data", fixture, "--out", &out]).ok();
    assert!(text.contains("[evmscope-example]"), "{text}");
    assert!(
        text.contains("\nmissing: unreadable on this machine: "),
        "{text}"
    );
    assert!(read(&folder.path("out/flame.svg")).contains("<svg"));
    let ran = evmscope(&["profile", "--perf-data", "nowhere.data", "--out", &out]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("cannot read nowhere.data"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_wrong_opcode_gets_those_that_look_like_it() {
    let ran = evmscope(&["annotate", "snailtracer", "MLAOD"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("no such opcode: did you mean MLOAD"),
        "{}",
        ran.stderr
    );
    let ran = evmscope(&["annotate", "snailtracer", "frobnicate"]);
    assert!(
        ran.stderr.contains("`evmscope opcodes CASE` lists"),
        "{}",
        ran.stderr
    );
}

#[cfg(target_arch = "x86_64")]
#[test]
fn annotate_shows_machine_code_with_its_samples() {
    let arguments = ["MSTORE", "--mode", "traditional", "--sample-ms", "300"];
    let ran = evmscope(&[&["annotate", "ten-thousand-hashes"], &arguments[..]].concat());
    // Where the kernel refuses perf_event_open, only functions are known.
    if ran.code != 0 {
        assert!(
            ran.stderr.contains("samples functions, not instructions"),
            "{}",
            ran.stderr
        );
        return;
    }
    let text = ran.ok();
    assert!(
        text.starts_with("traditional MSTORE in ten-thousand-hashes: "),
        "{text}"
    );
    assert!(text.contains("\ntraditional MSTORE"), "{text}");
    assert!(
        text.lines()
            .any(|line| line.contains("  mov ") && line.contains(".rs:")),
        "{text}"
    );
}

#[test]
fn a_run_goes_out_in_every_format() {
    let folder = Folder::new();
    let out = folder.arg("out");
    let quick = [
        "--no-simulate",
        "--pairs",
        "2",
        "--sample-ms",
        "200",
        "--out",
        &out,
    ];
    evmscope(&[&["profile", "ten-thousand-hashes"], &quick[..]].concat()).ok();
    let run = folder.arg("out/report.json");
    let export = |to: &str| evmscope(&["export", &run, "--to", to]);
    assert!(
        export("folded")
            .ok()
            .starts_with("ten-thousand-hashes traditional;")
    );
    for to in ["firefox", "speedscope", "bencher", "github"] {
        let _: serde_json::Value = serde_json::from_str(&export(to).ok()).unwrap();
    }
    let refused = export("pprof");
    assert!(
        refused.stderr.contains("name a file with --out"),
        "{}",
        refused.stderr
    );
    let file = folder.arg("profile.pb");
    evmscope(&["export", &run, "--to", "pprof", "--out", &file]).ok();
    assert!(fs::metadata(file).unwrap().len() > 500);
    let bench = folder.arg("bench.json");
    evmscope(&["bench", "empty", "--pairs", "1", "--export-json", &bench]).ok();
    let refused = evmscope(&["export", &bench, "--to", "pprof", "--out", &folder.arg("x")]);
    assert!(
        refused.stderr.contains("holds no sampled stacks"),
        "{}",
        refused.stderr
    );
}

#[test]
fn check_fails_where_cases_are_absent_and_says_which() {
    let folder = Folder::new();
    let json = folder.arg("run.json");
    evmscope(&["bench", "empty", "--pairs", "6", "--export-json", &json]).ok();
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/targets.toml");
    let baseline = folder.arg("baseline.json");
    let check = |more: &[&str]| {
        let common = ["check", &json, "--baseline", &baseline, "--targets"];
        evmscope(&[&common[..], &[targets.to_str().unwrap()], more].concat())
    };
    let ran = check(&[]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stdout.contains("snailtracer: speed"), "{}", ran.stdout);
    let updated = check(&["--update"]);
    assert!(
        updated.stdout.ends_with("baseline.json\n"),
        "{}",
        updated.stdout
    );
    assert!(read_run(&folder.path("baseline.json")) == read_run(&folder.path("run.json")));
    let ran = evmscope(&["check", &json, "--targets", "no/such/file"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("name another with --targets"),
        "{}",
        ran.stderr
    );
}

#[test]
fn size_shows_a_build_or_two_side_by_side() {
    let own = env!("CARGO_BIN_EXE_evmscope");
    let text = evmscope(&["size"]).ok();
    assert!(text.contains("\n.text "), "{text}");
    assert!(text.contains("\nadvanced: "), "{text}");
    assert!(
        text.lines().any(|line| line.starts_with("traditional ")),
        "{text}"
    );
    let both = evmscope(&["size", own, own]).ok();
    assert!(
        both.lines()
            .skip(1)
            .any(|line| line.starts_with(".text ") && line.ends_with("0 %")),
        "{both}"
    );
    let refused = evmscope(&["size", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("is not an ELF file"),
        "{}",
        refused.stderr
    );
    let refused = evmscope(&["size", "/bin/sh"]);
    assert!(
        refused
            .stderr
            .contains("contains no handler of this interpreter"),
        "{}",
        refused.stderr
    );
}
