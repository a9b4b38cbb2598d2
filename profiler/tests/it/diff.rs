//! `diff`: builds and runs compared.

use crate::support::tools::has_valgrind;
use crate::support::{Folder, Ran, bench_empty, evmscope, read, read_run};
use evmscope_reports::render::json;
use std::fs;
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
