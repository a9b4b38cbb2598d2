//! No figure without a right result: cases of every layout are verified first.

use crate::support::{
    Edit, Folder, HASH_OF_ONE, ONE, THREE, evmscope, official_cases, read_run, refusal,
};
use std::fs;

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
                "--quick",
                "--case-dir",
                &dir,
                "--modes",
                THREE,
                "--export-json",
                &export,
            ][..],
            &[
                "profile",
                "--quick",
                "one",
                "--case-dir",
                &dir,
                "--out",
                &out,
            ],
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
        "--quick",
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
    let ran = evmscope(&["bench", "--quick", "stated", "--case-dir", &folder.arg("")]);
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
    let text = evmscope(&[
        "bench",
        "--quick",
        "--pairs",
        "1",
        "--case-dir",
        dir.to_str().unwrap(),
    ])
    .ok();
    assert!(text.contains("snailtracer"), "{text}");
}

#[test]
fn a_case_that_fails_unasked_is_not_timed() {
    let folder = Folder::new();
    // PUSH0, PUSH0, REVERT; and a good one.
    folder.write("reverts.runtime.hex", "5f5ffd");
    folder.write("good.runtime.hex", ONE);
    let dir = folder.arg("");
    let bench = |more: &[&str]| {
        let common = ["bench", "--quick", "--pairs", "1", "--case-dir", &dir];
        evmscope(&[&common[..], more].concat())
    };
    let all = bench(&[]);
    assert_eq!(all.code, 1, "{all:?}");
    assert!(all.stdout.contains("good"), "{all:?}");
    assert!(!all.stdout.contains("reverts"), "{all:?}");
    let why = "case reverts ends with revert after 4 gas, and nothing states that it should";
    assert!(all.stderr.contains(why), "{all:?}");

    let out = folder.arg("out");
    let profile = evmscope(&["profile", "reverts", "--case-dir", &dir, "--out", &out]);
    for refused in [bench(&["reverts"]), profile] {
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
        assert!(refused.stderr.contains(why), "{refused:?}");
    }
    let meant = bench(&["--allow-failure"]).ok();
    assert!(meant.contains("reverts (revert)"), "{meant}");
}
