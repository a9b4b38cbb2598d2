//! `flamegraph`, and recordings of other programs.

use crate::support::{Folder, evmscope, read};
use std::path::Path;

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
fn perf_data_of_another_program_becomes_a_flamegraph() {
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
