//! What a roll-out needs, as people use it: `shadow`, metrics, shards, completions and manual pages.

use crate::support::evmscope;
use std::fs;

#[test]
fn two_modes_that_agree_are_told_so() {
    let ran = evmscope(&["shadow", "empty", "ten-thousand-hashes", "--calls", "3"]);
    insta::assert_snapshot!(ran.ok(), @"6 messages, traditional served, advanced checked: no difference");
}

#[test]
fn a_planted_difference_is_told_with_both_sides_and_exit_code_3() {
    // Without PUSH0 the checked mode stops at once.
    let planted = [
        "shadow",
        "erc20-mint",
        "--calls",
        "1",
        "--checked-fork",
        "london",
    ];
    let ran = evmscope(&planted);
    assert_eq!((ran.code, ran.stderr.as_str()), (3, ""));
    insta::assert_snapshot!(ran.stdout);

    let as_json = evmscope(&[&planted[..], &["--format", "json", "--serve", "advanced"]].concat());
    assert_eq!(as_json.code, 3);
    let found: serde_json::Value = serde_json::from_str(&as_json.stdout).unwrap();
    assert_eq!(found["served"], "advanced");
    assert_eq!(found["findings"][0]["place"], "erc20-mint");
    assert_eq!(found["findings"][0]["differences"][0]["what"], "status");
}

#[test]
fn metrics_are_written_as_prometheus_text() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shadow.prom");
    let to = file.to_str().unwrap();
    evmscope(&[
        "shadow",
        "ten-thousand-hashes",
        "--calls",
        "3",
        "--metrics",
        to,
    ])
    .ok();
    let text = fs::read_to_string(&file).unwrap();
    for line in [
        "# TYPE evmscope_messages_total counter",
        r#"evmscope_messages_total{mode="advanced",status="success"} 3"#,
        r#"evmscope_messages_total{mode="traditional",status="success"} 3"#,
        r#"evmscope_shadow_messages_total{served="traditional"} 3"#,
        r#"evmscope_programs_asked_total{mode="advanced",answer="hit"} 2"#,
        "evmscope_programs 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(
        !text.contains("evmscope_shadow_differences_total{"),
        "{text}"
    );

    evmscope(&["run", "ten-thousand-hashes", "--metrics", to]).ok();
    let text = fs::read_to_string(&file).unwrap();
    let opcodes = text
        .lines()
        .find(|line| line.starts_with("evmscope_executed_opcodes_total{"));
    assert!(opcodes.is_some(), "{text}");
}

#[test]
fn shards_of_the_cases_take_each_once() {
    let run = |shard: &str| {
        let said = evmscope(&["shadow", "--calls", "1", "--shard", shard]).ok();
        let messages = said.split_once(" message").unwrap().0;
        messages.parse::<u32>().unwrap()
    };
    assert_eq!(run("1/3") + run("2/3") + run("3/3"), run("1/1"));

    let wrong = evmscope(&["bench", "--shard", "4/3"]);
    assert_eq!(wrong.code, 2);
    assert!(
        wrong.stderr.contains("use NUMBER/OF, such as 2/8"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn shells_and_man_learn_the_verbs() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = evmscope(&["completions", shell]).ok();
        assert!(script.contains("statetest"), "{shell}");
        assert!(script.contains("keccak-memo"), "{shell}");
    }
    assert!(evmscope(&["man"]).ok().starts_with(".ie"), "roff");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    evmscope(&["man", "--out", out]).ok();
    let page = fs::read_to_string(folder.path().join("evmscope-shadow.1")).unwrap();
    assert!(
        page.contains("Run both modes on the same messages"),
        "{page}"
    );
    assert!(!folder.path().join("evmscope-__simulated.1").exists());
}

#[test]
fn shards_are_merged_and_a_case_that_is_there_twice_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let [one, two, both] = ["one.json", "two.json", "both.json"].map(file);
    let bench = ["bench", "empty", "hash10k", "--pairs", "1", "--export-json"];
    evmscope(&[&bench[..], &[&one, "--shard", "1/2"]].concat()).ok();
    evmscope(&[&bench[..], &[&two, "--shard", "2/2"]].concat()).ok();
    let merged = evmscope(&["merge", &one, &two, "--export-json", &both]).ok();
    assert!(
        merged.contains("empty") && merged.contains("hash10k"),
        "{merged}"
    );

    let history = evmscope(&["history", &both, "--case", "hash10k"]).ok();
    assert!(
        history.starts_with("hash10k") && history.contains("machine A: "),
        "{history}"
    );
    let page = file("history.html");
    let records = concat!(env!("CARGO_MANIFEST_DIR"), "/../reports/record");
    evmscope(&["history", records, "--export-html", &page]).ok();
    assert!(
        fs::read_to_string(&page)
            .unwrap()
            .contains("<svg class=\"chart\"")
    );

    let twice = evmscope(&["merge", &one, &both]);
    assert_eq!((twice.code, twice.stdout.as_str()), (1, ""));
    let line = format!(
        "error: case empty is in {one} and in {both}: remove it from one, or run other shards\n"
    );
    assert_eq!(twice.stderr, line);

    let nothing = evmscope(&["history", &both, "--case", "snailtracer"]);
    assert_eq!(nothing.code, 1);
    assert!(
        nothing
            .stderr
            .contains("no CPU time of case snailtracer in 1 records"),
        "{}",
        nothing.stderr
    );
}

#[test]
fn the_schema_is_json_and_names_itself() {
    let schema: serde_json::Value = serde_json::from_str(&evmscope(&["schema"]).ok()).unwrap();
    assert_eq!(schema["properties"]["schema"]["const"], "evmscope/run/1");
}
