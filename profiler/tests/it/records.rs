//! Records of runs: exported, checked against targets, and quoted in documents.

use crate::support::{Folder, bench_empty, command, evmscope, ran, read, read_run};
use std::fs;
use std::path::Path;

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
    evmscope(&[&["profile", "--quick", "ten-thousand-hashes"], &quick[..]].concat()).ok();
    let run = folder.arg("out/report.json");
    let export = |to: &str| evmscope(&["export", &run, "--to", to]);
    assert!(
        export("folded")
            .ok()
            .starts_with("ten-thousand-hashes traditional;")
    );
    let of_json = ["firefox", "speedscope", "bencher", "github"];
    let help = evmscope(&["export", "--help"]).ok();
    let mut listed: Vec<_> = help
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- ")?.split(':').next())
        .collect();
    listed.retain(|format| !["pprof", "folded"].contains(format));
    assert_eq!(listed, of_json, "each format is tried here");
    for to in of_json {
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
    let bench = bench_empty(&folder, "1");
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
    let json = bench_empty(&folder, "6");
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
