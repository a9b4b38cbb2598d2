//! `flamegraph`, and recordings of other programs.

use crate::support::{Folder, Ran, evmscope, read};
use serde_json::{Value, json};
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

/// Stacks of the published case by gas, with a source map.
fn stacks(dir: &str, map: &str) -> Ran {
    evmscope(&[
        "flamegraph",
        "hashes",
        "--case-dir",
        dir,
        "--source-map",
        map,
        "--format",
        "folded",
    ])
}

#[test]
fn files_of_build_tools_give_the_same_stacks_as_the_compiler() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let case = manifest.join("../cases/ten-thousand-hashes");
    let source = read(&case.join("TenThousandHashes.sol"));
    let output: Value =
        serde_json::from_str(&read(&manifest.join("tests/fixtures/standard-output.json"))).unwrap();
    let name = "ten-thousand-hashes/TenThousandHashes.sol";
    let input = json!({"sources": {name: {"content": source}}});
    let folder = Folder::new();
    folder.write("cases/hashes.runtime.hex", &read(&case.join("code.hex")));
    folder.write("cases/hashes.calldata.hex", "30627b7c");
    let dir = folder.arg("cases");
    let write = |name: &str, value: Value| {
        folder.write(name, &value.to_string());
        folder.arg(name)
    };
    let whole = write("whole.json", json!({"input": input, "output": output}));
    let expected = stacks(&dir, &whole).ok();
    assert!(
        expected.contains("TenThousandHashes.sol:11 for"),
        "{expected}"
    );

    // Hardhat 3: two files, either of which names the other.
    let format = "hh3-sol-build-info-1";
    let first = json!({"_format": format, "id": "solc-0_8_30-1", "input": input});
    let first = write("artifacts/build-info/solc-0_8_30-1.json", first);
    let refused = stacks(&dir, &first);
    assert_eq!(refused.code, 1);
    assert!(
        refused
            .stderr
            .contains("solc-0_8_30-1.output.json does not exist")
    );
    let second =
        json!({"_format": "hh3-sol-build-info-output-1", "id": "solc-0_8_30-1", "output": output});
    let second = write("artifacts/build-info/solc-0_8_30-1.output.json", second);
    for file in [&first, &second] {
        assert_eq!(stacks(&dir, file).ok(), expected, "{file}");
    }

    // Foundry: a list of sources with numbers that have gaps, and an artifact for each contract.
    let evm = &output["contracts"][name]["TenThousandHashes"]["evm"];
    let renumbered = |entry: &str| -> String {
        let mut fields: Vec<_> = entry.split(':').collect();
        if fields.get(2) == Some(&"0") {
            fields[2] = "7";
        }
        fields.join(":")
    };
    let mut deployed = evm["deployedBytecode"].clone();
    let entries = deployed["sourceMap"].as_str().unwrap().split(';');
    let map = entries.map(renumbered).collect::<Vec<_>>().join(";");
    deployed["sourceMap"] = json!(map);
    let code = deployed["object"].as_str().unwrap();
    deployed["object"] = json!(format!("0x{code}"));
    let ast = output["sources"][name]["ast"].to_string();
    let ast: Value = serde_json::from_str(&ast.replace(":0\"", ":7\"")).unwrap();
    let artifact = json!({
        "deployedBytecode": deployed,
        "methodIdentifiers": evm["methodIdentifiers"],
        "metadata": {"settings": {"compilationTarget": {name: "TenThousandHashes"}}},
        "ast": ast,
        "id": 7,
    });
    let build = json!({"id": "1", "source_id_to_path": {"3": "src/Other.sol", "7": name}, "language": "Solidity"});
    let build = write("out/build-info/1.json", build);
    let refused = stacks(&dir, &build);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("no artifacts of its build"));
    folder.write(name, &source);
    let artifact = write("out/TenThousandHashes.sol/TenThousandHashes.json", artifact);
    for file in [&build, &artifact] {
        assert_eq!(stacks(&dir, file).ok(), expected, "{file}");
    }
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
