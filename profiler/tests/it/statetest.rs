//! `evmscope statetest` as people use it: small tests made here, and the official ones where they are.

use crate::support::{command, ran};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Root of the state below, untouched. Roots are right because the official tests pass; these three only
/// tell one state from another.
const BEFORE: &str = "0x96026c771eb51ba0ab565c5f7d54f1f046970ee40a9e77616ced8604875c7665";
/// Root after the transaction, at Berlin and at Cancun (which burns the base fee).
const BERLIN: &str = "0xc2899b5913d6fb7ae9467050505d6d3d6a9052616f3bef47ed14706f3ee2ae3e";
const CANCUN: &str = "0x48a26dbe7684a8b3c7d7187b5a8806fc3e4da768feae61711e4c3268dd4dc196";
/// The hash of no logs.
const NO_LOGS: &str = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347";

/// A test whose transaction stores 1 + 1; its second gas limit does not even pay the transaction.
fn add(post: Value) -> Value {
    json!({"add": {
        "env": {
            "currentCoinbase": "0x2adc25665018aa1fe0e6bc666dac8fc2697ff9ba",
            "currentGasLimit": "0x1000000",
            "currentNumber": "0x01",
            "currentTimestamp": "0x03e8",
            "currentBaseFee": "0x0a",
            "currentDifficulty": "0x020000",
            "currentRandom": format!("0x{:064x}", 0x020000),
            "currentExcessBlobGas": "0x00",
        },
        "pre": {
            "0x095e7baea6a6c7c4c2dfeb977efac326af552d87": {
                "balance": "0x00", "code": "0x600160010160005500", "nonce": "0x01", "storage": {},
            },
            "0xa94f5374fce5edbc8e2a8697c15331677e6ebf0b": {
                "balance": "0x0de0b6b3a7640000", "code": "0x", "nonce": "0x00", "storage": {},
            },
        },
        "transaction": {
            "data": ["0x"], "gasLimit": ["0x061a80", "0x5207"], "value": ["0x00"],
            "gasPrice": "0x0a", "nonce": "0x00",
            "sender": "0xa94f5374fce5edbc8e2a8697c15331677e6ebf0b",
            "to": "0x095e7baea6a6c7c4c2dfeb977efac326af552d87",
        },
        "post": post,
    }})
}

/// A post entry of the variant with enough gas.
fn entry(root: &str) -> Value {
    json!({"hash": root, "logs": NO_LOGS, "indexes": {"data": 0, "gas": 0, "value": 0}})
}

/// A post entry of the variant with too little gas.
fn refused(exception: &str) -> Value {
    json!({
        "hash": BEFORE, "logs": NO_LOGS, "indexes": {"data": 0, "gas": 1, "value": 0},
        "expectException": exception,
    })
}

/// Runs in a folder with these files, so that paths are short and the same everywhere.
fn statetest(files: &[(&str, Value)], arguments: &[&str]) -> (i32, String, String) {
    let folder = TempDir::new().unwrap();
    for (name, value) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, value.to_string()).unwrap();
    }
    run_in(folder.path(), arguments)
}

fn run_in(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let ran = ran(command(&["statetest"]).args(arguments).current_dir(folder));
    (ran.code, ran.stdout, ran.stderr)
}

/// Runs a single test in `t.json`; the exit code and what was printed. Nothing is told on stderr.
fn run_one(post: Value, arguments: &[&str]) -> (i32, String) {
    let arguments = [&["t.json"], arguments].concat();
    let (code, stdout, stderr) = statetest(&[("t.json", add(post))], &arguments);
    assert_eq!(stderr, "");
    (code, stdout)
}

fn good() -> Value {
    json!({"Berlin": [entry(BERLIN)], "Cancun": [entry(CANCUN)]})
}

#[test]
fn passing_tests_are_counted_by_fork_and_mode() {
    let (code, text) = run_one(good(), &[]);
    assert_eq!(code, 0, "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_wrong_root_is_told_with_all_that_finds_the_case_again() {
    let post = json!({"Berlin": [entry(BERLIN), entry(BEFORE)]});
    let (code, text) = run_one(post, &[]);
    assert_eq!(code, 1);
    insta::assert_snapshot!(text);
}

#[test]
fn json_says_the_same() {
    let post = json!({"Berlin": [entry(BERLIN), entry(BEFORE)], "Atlantis": [entry(BEFORE)]});
    let (code, text) = run_one(post, &["--format", "json", "--mode", "advanced"]);
    assert_eq!(code, 1);
    let found: Value = serde_json::from_str(&text).unwrap();
    let expected = json!({
        "passed": 1, "failed": 1, "skipped": 1,
        "forks": {"berlin": {"passed": 1, "failed": 1, "skipped": 0}},
        "skips": {"fork Atlantis is not known": 1},
        "other_files": 0,
        "failures": [{
            "file": "t.json", "test": "add", "fork": "berlin", "mode": "advanced",
            "indices": {"data": 0, "gas": 0, "value": 0},
            "what": "state root", "expected": BEFORE, "found": BERLIN,
        }],
    });
    assert_eq!(found, expected);
}

#[test]
fn an_unknown_fork_is_skipped_with_the_reason() {
    let post = json!({"Berlin": [entry(BERLIN)], "Atlantis": [entry(BEFORE), entry(BEFORE)]});
    let (code, text) = run_one(post.clone(), &[]);
    assert_eq!(code, 0);
    assert!(text.starts_with("skipped 4: fork Atlantis is not known\n"));
    assert!(text.ends_with("\n2 passed, 0 failed, 4 skipped\n"));

    let (_, text) = run_one(post, &["--fork", "berlin"]);
    assert!(
        text.ends_with("\n2 passed, 0 failed, 0 skipped\n"),
        "{text}"
    );

    let (code, text) = run_one(json!({"Atlantis": [entry(BEFORE)]}), &[]);
    assert_eq!(code, 1, "nothing was tested: {text}");
}

#[test]
fn the_exception_must_be_one_of_those_named() {
    let verdict = |exception| {
        let (code, text) = run_one(json!({"Cancun": [refused(exception)]}), &[]);
        (code == 0, text)
    };
    for met in [
        "TransactionException.INTRINSIC_GAS_TOO_LOW",
        "TransactionException.NONCE_IS_MAX|TransactionException.INTRINSIC_GAS_TOO_LOW",
        "IntrinsicGas",
    ] {
        assert!(verdict(met).0, "{met}");
    }
    let (passed, text) = verdict("TransactionException.INSUFFICIENT_ACCOUNT_FUNDS");
    assert!(!passed);
    insta::assert_snapshot!(text);
}

#[test]
fn a_missing_and_an_unexpected_exception_are_failures() {
    let mut missing = entry(BERLIN);
    missing["expectException"] = json!("TR_NoFunds");
    let (code, text) = run_one(json!({"Berlin": [missing]}), &["--mode", "advanced"]);
    assert_eq!(code, 1);
    assert!(
        text.contains("exception\n    expected TR_NoFunds\n    found    none\n"),
        "{text}"
    );

    let mut unexpected = refused("");
    unexpected
        .as_object_mut()
        .unwrap()
        .remove("expectException");
    let (code, text) = run_one(json!({"Berlin": [unexpected]}), &["--mode", "advanced"]);
    assert_eq!(code, 1);
    assert!(
        text.contains("exception\n    expected none\n    found    INTRINSIC_GAS_TOO_LOW\n"),
        "{text}"
    );
}

#[test]
fn a_value_beyond_256_bits_is_refused_and_an_index_beyond_the_list_is_a_failure() {
    let exception = "TransactionException.RLP_INVALID_VALUE";
    let mut overflowing = refused(exception);
    overflowing["indexes"]["value"] = json!(1);
    let mut test = add(json!({"Cancun": [overflowing]}));
    test["add"]["transaction"]["value"] = json!(["0x00", format!("0x1{}", "0".repeat(64))]);
    let (code, text, _) = statetest(&[("t.json", test)], &["t.json"]);
    assert_eq!(code, 0, "{text}");

    let mut beyond = refused(exception);
    beyond["indexes"]["data"] = json!(7);
    let (code, text) = run_one(json!({"Cancun": [beyond]}), &["--mode", "advanced"]);
    assert_eq!(code, 1);
    assert!(text.contains("indices d7 g1 v0\n  indices\n"), "{text}");
}

#[test]
fn json_of_another_kind_is_passed_over_and_counted() {
    let index = json!({"root_hash": "0x00", "test_count": 1, "test_cases": [{"id": "add"}]});
    let blocks = json!({"chain": {"pre": {}, "blocks": [], "postState": {}}});
    let files = [
        ("tests/.meta/index.json", index),
        ("tests/a/good.json", add(good())),
        ("tests/b/list.json", json!([1, 2])),
        ("tests/b/blocks.json", blocks),
        ("tests/c/notes.txt", json!("not looked at")),
    ];
    let (code, stdout, stderr) = statetest(&files, &["tests"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    insta::assert_snapshot!(stdout);
    let (_, stdout, _) = statetest(&files, &["tests", "--format", "json"]);
    let found: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(found["other_files"], 3);

    let (code, stdout, stderr) = statetest(&files, &["tests/b"]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(
        stderr.contains("no state test to run in 2 files"),
        "{stderr}"
    );
}

#[test]
fn files_that_are_not_json_are_failures() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("cut.json"), "{\"add\": {").unwrap();
    fs::write(folder.path().join("bytes.json"), [0xff, 0xfe]).unwrap();
    let (code, stdout, stderr) = run_in(folder.path(), &["."]);
    assert_eq!((code, stderr.as_str()), (1, ""));
    insta::assert_snapshot!(stdout);
}

#[test]
fn a_test_that_cannot_be_read_is_named_and_its_neighbours_run() {
    let mut test = add(good());
    test["a list"] = json!([1]);
    test["no hash"] = test["add"].clone();
    let entry = test["no hash"]["post"]["Berlin"][0].as_object_mut();
    entry.unwrap().remove("hash");
    test["no sender"] = test["add"].clone();
    let transaction = test["no sender"]["transaction"].as_object_mut();
    transaction.unwrap().remove("sender");
    let files = [("t.json", test)];
    let (code, stdout, stderr) = statetest(&files, &["t.json"]);
    assert_eq!((code, stderr.as_str()), (1, ""));
    insta::assert_snapshot!(stdout);
    let (code, stdout, _) = statetest(&files, &["t.json", "--filter", "add$"]);
    assert_eq!(code, 0, "{stdout}");
}

#[test]
fn numbers_senders_and_chains_are_read_as_other_clients_write_them() {
    let mut test = add(good());
    let unit = &mut test["add"];
    // Zero, without digits.
    unit["env"]["currentExcessBlobGas"] = json!("0x");
    unit["transaction"]["value"] = json!(["0x"]);
    unit["transaction"]["nonce"] = json!("0x");
    // The key of that sender, in many tests.
    let transaction = unit["transaction"].as_object_mut().unwrap();
    transaction.remove("sender");
    let key = "0x45a915e4d060149eb4365960e6a7a45f334393093061116b197e3240065ff2d8";
    transaction.insert("secretKey".to_owned(), json!(key));
    let (code, text, _) = statetest(&[("t.json", test.clone())], &["t.json"]);
    assert_eq!(code, 0, "{text}");

    test["add"]["transaction"]["secretKey"] = json!(format!("0x{:064x}", 0));
    let (code, text, _) = statetest(&[("t.json", test)], &["t.json"]);
    assert_eq!(code, 1);
    assert!(text.contains("transaction.secretKey: "), "{text}");
}

/// The root after a transaction that stores what an opcode pushes, as a failure tells it.
fn root_of(code: &str, fork: &str, config: Option<Value>, excess: &str) -> String {
    let mut test = add(json!({fork: [entry(BEFORE)]}));
    let unit = &mut test["add"];
    unit["pre"]["0x095e7baea6a6c7c4c2dfeb977efac326af552d87"]["code"] = json!(code);
    unit["env"]["currentExcessBlobGas"] = json!(excess);
    unit["env"]["currentCoinbase"] = json!("0xa94f5374fce5edbc8e2a8697c15331677e6ebf0b");
    if let Some(config) = config {
        unit["config"] = config;
    }
    let (_, text, _) = statetest(
        &[("t.json", test)],
        &["t.json", "--mode", "traditional", "--format", "json"],
    );
    let found: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(found["failures"][0]["what"], "state root", "{text}");
    found["failures"][0]["found"].as_str().unwrap().to_owned()
}

#[test]
fn the_config_sets_chain_and_blob_schedule() {
    // Each of the two costs the same gas, so only what is stored differs: CHAINID, or PUSH1, then PUSH1 0, SSTORE.
    let chain = |config| root_of("0x46600055", "Cancun", config, "0x00");
    let [one, seven] = ["0x01", "0x07"].map(|id| chain(Some(json!({"chainid": id}))));
    assert_eq!(chain(None), one);
    assert_ne!(one, seven);

    // BLOBBASEFEE, PUSH1 0, SSTORE.
    let excess = "0x6400000";
    let fee = |fork, config| root_of("0x4a600055", fork, config, excess);
    let [osaka, first, second] = ["Osaka", "BPO1", "BPO2"].map(|fork| fee(fork, None));
    assert!(osaka != first && first != second && osaka != second);
    let stated = json!({"blobSchedule": {
        "Osaka": {"target": "0x0a", "max": "0x0f", "baseFeeUpdateFraction": "0x7f5a51"},
    }});
    assert_eq!(fee("Osaka", Some(stated)), first);
}

#[test]
fn filter_fork_and_mode_choose_cases() {
    let files = [("tests/a.json", add(good())), ("tests/b.json", add(good()))];
    let last = |arguments: &[&str]| {
        let (code, stdout, _) = statetest(&files, &[&["tests"], arguments].concat());
        assert_eq!(code, 0, "{stdout}");
        stdout.lines().last().unwrap().to_owned()
    };
    assert_eq!(last(&[]), "8 passed, 0 failed, 0 skipped");
    assert_eq!(
        last(&["--mode", "traditional"]),
        "4 passed, 0 failed, 0 skipped"
    );
    assert_eq!(last(&["--fork", "Cancun"]), "4 passed, 0 failed, 0 skipped");
    assert_eq!(
        last(&["--filter", r"a\.json::add$"]),
        "4 passed, 0 failed, 0 skipped"
    );
}

#[test]
fn nothing_to_run_is_an_error() {
    let files = [("t.json", add(good()))];
    for arguments in [
        &["nowhere"][..],
        &["t.json", "--filter", "other"],
        &["t.json", "--fork", "osaka"],
        &["t.json", "nowhere"],
    ] {
        let (code, stdout, stderr) = statetest(&files, arguments);
        assert_eq!((code, stdout.as_str()), (1, ""), "{arguments:?}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.starts_with("error: "), "{stderr}");
    }
    let (code, _, stderr) = statetest(&files, &["t.json", "--filter", "("]);
    assert_eq!(code, 2, "{stderr}");
}

/// Some of the suites' own tests, at all forks they have; the rest takes a release build.
#[test]
fn official_tests_pass() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/state-tests");
    if !sample.is_dir() {
        eprintln!(
            "skipped: the state tests are not in ../shared/state-tests beside the repository"
        );
        return;
    }
    let folders = [
        "GeneralStateTests/VMTests/vmTests",
        "OlderForks/VMTests/vmTests",
        "Eest/berlin",
        "Eest/london",
    ];
    let (code, stdout, stderr) = run_in(&sample, &folders);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
}

#[test]
fn only_ethereum_tests_pay_a_block_reward() {
    let generators = [
        ("config", json!({"chainid": "0x01"})),
        ("_info", json!({"fixture-format": "state_test"})),
        ("_info", json!({"fixture_format": "state_test"})),
    ];
    for fork in ["Frontier", "Homestead"] {
        let exception = "TransactionException.INTRINSIC_GAS_TOO_LOW";
        let legacy = add(json!({fork: [refused(exception)]}));
        // Types 1 and 2, which these forks do not have.
        let listed = typed(fork, "TYPE_1_TX_PRE_FORK", |tx| {
            tx["accessLists"] = json!([[]]);
        });
        let capped = typed(fork, "TYPE_2_TX_PRE_FORK", |tx| {
            tx["maxFeePerGas"] = json!("0x0a");
            tx["maxPriorityFeePerGas"] = json!("0x00");
        });
        for test in [legacy, listed, capped] {
            // A reward of 0 creates the block's author, and these forks keep empty accounts.
            let (code, text, _) = statetest(&[("t.json", test.clone())], &["t.json"]);
            assert_eq!(code, 1, "{text}");
            assert!(text.contains("state root"), "{text}");

            for (field, value) in &generators {
                let mut test = test.clone();
                test["add"][*field] = value.clone();
                let (code, text, _) = statetest(&[("t.json", test)], &["t.json"]);
                assert_eq!(code, 0, "{text}");
            }
        }
    }
}

/// A test whose transaction is refused because of its type.
fn typed(fork: &str, exception: &str, edit: impl FnOnce(&mut Value)) -> Value {
    let mut post = refused(&format!("TransactionException.{exception}"));
    post["indexes"]["gas"] = json!(0);
    let mut test = add(json!({fork: [post]}));
    edit(&mut test["add"]["transaction"]);
    test
}
