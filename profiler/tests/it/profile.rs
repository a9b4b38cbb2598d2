//! `profile`: the files it writes, and that simulated counters repeat.

use crate::support::tools::has_valgrind;
use crate::support::{Folder, command, evmscope, read, read_run};
use evmscope_reports::Run;
use evmscope_reports::counter::Counter;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

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

/// Simulated counters that are the same in every run.
const EXACT: [Counter; 4] = [
    Counter::SimInstructions,
    Counter::SimDataReads,
    Counter::SimDataWrites,
    Counter::SimBranches,
];

/// Simulated counters that are nearly so.
const MISSES: [Counter; 4] = [
    Counter::SimL1iMisses,
    Counter::SimL1dReadMisses,
    Counter::SimL1dWriteMisses,
    Counter::SimBranchMisses,
];

/// Profiles `ten-thousand-hashes` quickly into a folder; returns what was printed.
fn profile(folder: &Folder, out: &str) -> String {
    fs::create_dir_all(folder.path(out).parent().unwrap()).unwrap();
    let out = folder.arg(out);
    let arguments = [
        "profile",
        "--quick",
        "ten-thousand-hashes",
        "--pairs",
        "2",
        "--sample-ms",
        "300",
    ];
    evmscope(&[&arguments[..], &["--out", &out]].concat()).ok()
}

#[test]
fn a_profile_without_samples_leaves_no_file() {
    let folder = Folder::new();
    let out = folder.arg("out");
    let once = [
        "profile",
        "empty",
        "--quick",
        "--no-simulate",
        "--pairs",
        "2",
    ];
    let rare = ["--hz", "1", "--sample-ms", "1", "--out", &out];
    let failed = evmscope(&[&once[..], &rare].concat());
    if failed.code == 0 {
        return eprintln!("skipped: on cycles, the kernel takes the first samples at once");
    }
    assert!(
        failed.stderr.contains("nothing could be sampled"),
        "{}",
        failed.stderr
    );
    assert!(folder.files("out").is_empty());
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
    for cost in &run.opcode_costs {
        assert_eq!(cost.runs.len(), 6, "sampling runs of {:?}", cost.opcode);
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
    let again = read_run(&folder.path("again/report.json"));
    for mode in ["traditional", "advanced"] {
        let simulated = |run: &Run, counter| {
            let measured = run.measurement("ten-thousand-hashes", mode, counter);
            measured.unwrap().samples.clone()
        };
        for counter in EXACT {
            assert_eq!(
                simulated(&run, counter),
                simulated(&again, counter),
                "{mode}"
            );
        }
        // They depend on addresses, which are those of the process.
        for counter in MISSES {
            let [first, second] = [&run, &again].map(|run| simulated(run, counter)[0]);
            assert!(
                (first - second).abs() <= 2.0 + first / 1_000.0,
                "{mode}: {first}, {second}"
            );
        }
    }
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
    let arguments = [
        "profile",
        "--quick",
        "empty",
        "--sample-ms",
        "600000",
        "--out",
        &out,
    ];
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
    assert!(folder.files("out").is_empty());
}
