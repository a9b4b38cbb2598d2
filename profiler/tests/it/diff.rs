//! `diff`: builds and runs compared.

use crate::support::tools::has_valgrind;
use crate::support::{Folder, Ran, bench_empty, evmscope, read, read_run};
use evmscope_reports::render::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

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
    let json = bench_empty(&folder, "6");
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
    let mut other = read_run(&folder.path("run.json"));
    other.results[0].gas_used += 1;
    folder.write("other.json", &json::write(&other).unwrap());
    let other = evmscope(&["diff", &json, &folder.arg("other.json"), "--out", &out]);
    assert_eq!(other.code, 3, "other work: {}", other.stdout);
    let ran = evmscope(&["diff", &json, env!("CARGO_BIN_EXE_evmscope"), "--out", &out]);
    assert!(
        ran.stderr.contains("compare two binaries or two runs"),
        "{}",
        ran.stderr
    );
}

/// `diff` of two copies of this binary, the head's path longer, with few times and whatever is added.
fn diff_of_copies(folder: &Folder, added: &[&str]) -> Ran {
    let own = env!("CARGO_BIN_EXE_evmscope");
    let copies = ["a", "a-folder-with-a-name-of-another-length"].map(|place| {
        fs::create_dir_all(folder.path(place)).unwrap();
        let copy = folder.path(place).join("evmscope");
        fs::copy(own, &copy).unwrap();
        copy.display().to_string()
    });
    let few = "--cases empty --launches 5 --pairs 2 --modes advanced --gate instructions --out";
    let mut arguments = vec!["diff", &copies[0], &copies[1]];
    arguments.extend(few.split(' '));
    let out = folder.arg("out");
    arguments.push(&out);
    arguments.extend(added);
    evmscope(&arguments)
}

#[test]
fn copies_at_other_paths_have_the_same_exact_instructions() {
    if !has_valgrind() {
        return eprintln!("skipped: valgrind is not installed");
    }
    let folder = Folder::new();
    let ran = diff_of_copies(&folder, &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    let diff: serde_json::Value =
        serde_json::from_str(&read(&folder.path("out/diff.json"))).unwrap();
    assert_eq!(diff["gates"], serde_json::json!(["instructions"]));
    let change = &diff["changes"][0];
    assert_eq!(change["instructions"], "unchanged");
    let counters = change["counters"].as_array().unwrap();
    let exact = counters
        .iter()
        .find(|it| it["counter"] == "sim-instructions");
    assert_eq!(exact.unwrap()["ratio"]["median"], 1.0, "{exact:?}");
}

#[test]
fn a_gate_without_exact_counts_is_an_error() {
    let folder = Folder::new();
    let ran = diff_of_copies(&folder, &["--no-simulate"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("leave out --no-simulate"),
        "{}",
        ran.stderr
    );

    // Runs of `bench` have no simulation.
    let json = bench_empty(&folder, "6");
    let ran = evmscope(&[
        "diff",
        &json,
        &json,
        "--gate",
        "instructions",
        "--out",
        &folder.arg("out"),
    ]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(
        ran.stderr.contains("no exact counts for 2 of 2"),
        "{}",
        ran.stderr
    );
}

/// Four cases, the same in all but their names.
fn four_cases() -> Folder {
    let folder = Folder::new().case(|toml| toml);
    let one = folder.path("cases/one");
    fs::create_dir_all(folder.path("cases")).unwrap();
    fs::rename(folder.path("one"), &one).unwrap();
    for name in ["two", "three", "four"] {
        for file in ["case.toml", "code.hex"] {
            folder.write(&format!("cases/{name}/{file}"), &read(&one.join(file)));
        }
    }
    folder
}

/// A build that uses one more gas in the case `one`, ends in the case `two` at the request `fatal`, and refuses `three`.
fn faulty(folder: &Folder, fatal: &str) -> String {
    let own = env!("CARGO_BIN_EXE_evmscope");
    let script = format!(
        r#"#!/bin/sh
while read -r line; do
  case $line in
    *'"case":"two"'*) in_two=1 ;;
    *'"case":'*) in_two= ;;
  esac
  case $in_two$line in
    1*'"{fatal}"'*) echo 'killed by the test' >&2; exit 7 ;;
  esac
  printf '%s\n' "$line"
done | sed -u 's/"case":"three"/"case":"nothing"/' | '{own}' "$@" |
  sed -u 's/\("case":"one"[^}}]*"gas_used":\)16/\117/g'
"#
    );
    let path = folder.write("faulty", &script);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The verdicts of a comparison of all cases by case and mode, and what it printed.
fn verdicts(folder: &Folder, base: &str, head: &str, added: &[&str]) -> (Vec<String>, Ran) {
    let (cases, out) = (folder.arg("cases"), folder.arg("out"));
    let few = ["--launches", "5", "--pairs", "2", "--modes", "advanced"];
    let places = ["diff", base, head, "--case-dir", &cases, "--out", &out];
    let ran = evmscope(&[&places[..], &few, added].concat());
    let diff: serde_json::Value =
        serde_json::from_str(&read(&folder.path("out/diff.json"))).unwrap();
    let changes = diff["changes"].as_array().unwrap().iter();
    let verdict = |it: &serde_json::Value| match &it["verdict"]["Err"] {
        serde_json::Value::String(why) => format!("{}: {why}", it["case"].as_str().unwrap()),
        _ => it["case"].as_str().unwrap().to_owned(),
    };
    let mut verdicts: Vec<_> = changes.map(verdict).collect();
    verdicts.sort();
    (verdicts, ran)
}

#[test]
fn a_case_that_one_build_cannot_run_costs_that_case_alone() {
    let folder = four_cases();
    let (own, faulty) = (env!("CARGO_BIN_EXE_evmscope"), faulty(&folder, "open"));
    let (found, ran) = verdicts(&folder, own, &faulty, &["--no-simulate"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (3, ""), "{}", ran.stdout);
    let ended = "it exited while it was measured: killed by the test";
    let unknown = "unknown case `nothing`: choose from four, one, three, two";
    assert_eq!(
        found,
        [
            "four",
            "one: not the same work: success, 16 gas against success, 17 gas",
            &format!("three: not compared: base: success, 16 gas; head: {unknown}"),
            &format!("two: not compared: base: success, 16 gas; head: {ended}"),
        ]
    );
    let text = read(&folder.path("out/diff.md"));
    assert!(
        text.contains("Not the same answer on both sides: one, advanced;"),
        "{text}"
    );
    assert!(text.contains("four"), "{text}");

    // A base that fails is measured twice and told once.
    let (found, ran) = verdicts(
        &folder,
        &faulty,
        own,
        &["--no-simulate", "--cases", "four,two"],
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (3, ""), "{}", ran.stdout);
    assert_eq!(
        found,
        [
            "four",
            &format!("two: not compared: base: {ended}; head: success, 16 gas")
        ]
    );
}

#[test]
fn a_build_that_ends_in_a_sample_or_an_examination_costs_that_case_alone() {
    let folder = four_cases();
    let own = env!("CARGO_BIN_EXE_evmscope");
    let ended = "two: not compared: base: success, 16 gas; \
                 head: it exited while it was measured: killed by the test";
    for (fatal, added) in [("sample", &["--no-simulate"][..]), ("examine", &[])] {
        let faulty = faulty(&folder, fatal);
        let added = [added, &["--cases", "two,four"]].concat();
        let (found, ran) = verdicts(&folder, own, &faulty, &added);
        assert_eq!((ran.code, ran.stderr.as_str()), (3, ""), "{}", ran.stdout);
        assert_eq!(found, ["four", ended], "{fatal}");
    }
}

#[test]
fn a_case_that_cannot_be_read_is_a_row_of_the_comparison() {
    let folder = four_cases();
    folder.write("cases/bad/case.toml", "fork = 1");
    let own = env!("CARGO_BIN_EXE_evmscope");
    let (found, ran) = verdicts(&folder, own, own, &["--no-simulate", "--cases", "four"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (3, ""), "{}", ran.stdout);
    let found: Vec<_> = found.iter().map(|it| folder.anonymous(it)).collect();
    let why = "in DIR/cases/bad/case.toml, line 1: invalid type: integer `1`, expected a string";
    let bad = format!("bad: not compared: base: was not run; head: {why}");
    assert_eq!(found, [bad.as_str(), "four"]);
}
