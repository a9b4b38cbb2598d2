//! `bench` and `ablate`: tables, exports and settings.

use crate::support::tools::has_valgrind;
use crate::support::{Folder, THREE, evmscope, read, read_run};
use evmscope_reports::counter::{Counter, Source};

#[test]
fn bench_exports_what_it_measured() {
    let folder = Folder::new();
    let (json, markdown) = (folder.arg("new/run.json"), folder.arg("run.md"));
    let text = evmscope(&[
        "bench",
        "--quick",
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
    let bench = ["bench", "--quick", "empty", "--pairs", "1"];
    let exports = ["--export-json", &json, "--export-markdown", &markdown];
    for (options, line, memo, budget) in [
        (
            &[][..],
            "keccak memo: advanced; decoded bytes per bytecode byte: at most 4 (short code 16.0 KiB).",
            "advanced",
            4.0,
        ),
        (
            &["--keccak-memo", "off", "--budget", "2.5"],
            "keccak memo: off; decoded bytes per bytecode byte: at most 2.5 (short code 16.0 KiB).",
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
        let bench = [
            "bench",
            "--quick",
            "ten-thousand-hashes",
            "--pairs",
            "2",
            "--modes",
        ];
        let text = evmscope(&[&bench[..], &[THREE, "--export-json", &json], options].concat()).ok();
        let run = read_run(&folder.path("run.json"));
        assert_eq!(run.measurements.len(), 3);
        (text.contains("\ncold: "), run.settings.unwrap().cold)
    };
    assert_eq!(bench(&["--cold"]), (true, true));
    assert_eq!(bench(&[]), (false, false));
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
fn bench_times_in_several_processes() {
    let folder = Folder::new();
    let json = folder.arg("run.json");
    let bench = [
        "bench",
        "empty",
        "--modes",
        "advanced,revm",
        "--launches",
        "3",
    ];
    let text = evmscope(&[&bench[..], &["--pairs", "2", "--export-json", &json]].concat()).ok();
    assert!(text.contains("of the medians of 3 launches"), "{text}");
    let run = read_run(&folder.path("run.json"));
    assert_eq!(run.measurements.len(), 2);
    for measured in &run.measurements {
        assert_eq!((measured.n, &*measured.launches), (6, &[2, 2, 2][..]));
    }
    let refused = evmscope(&[&bench[..], &["--quick"]].concat());
    assert_eq!(refused.code, 2, "{refused:?}");
}

#[test]
fn a_mode_is_compared_with_itself() {
    let folder = Folder::new();
    let json = folder.arg("run.json");
    let few = "--quick --pairs 6 --modes advanced,advanced,revm --export-json";
    let mut arguments = vec!["bench", "empty"];
    arguments.extend(few.split(' '));
    arguments.push(&json);
    let text = evmscope(&arguments).ok();
    assert!(text.contains("advanced-2"), "{text}");
    let run = read_run(&folder.path("run.json"));
    assert_eq!(run.modes(), ["advanced", "advanced-2", "revm"]);
    assert!(run.timing_seconds.is_some_and(|seconds| seconds > 0.0));
    let itself = run.ratio("empty", "advanced", "advanced-2", Counter::CpuTime);
    assert!(itself.is_some(), "{:?}", run.ratios);

    let out = folder.arg("profile");
    let few = "--quick --pairs 2 --sample-ms 50 --no-simulate --base revm --head revm --out";
    let mut arguments = vec!["profile", "empty"];
    arguments.extend(few.split(' '));
    arguments.push(&out);
    evmscope(&arguments).ok();
    assert!(folder.path("profile/flame-revm-2.svg").exists());
}
