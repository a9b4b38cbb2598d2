//! The wire format: written runs are read back, and invalid ones are refused with a one-line error.

mod fixture;

use evmscope_reports::render::json;
use serde_json::{Value, json};

/// The error of the fixture after `corrupt`.
fn error(corrupt: impl FnOnce(&mut Value)) -> String {
    let mut value = serde_json::to_value(fixture::run()).unwrap();
    corrupt(&mut value);
    let error = json::read(&serde_json::to_string_pretty(&value).unwrap())
        .unwrap_err()
        .to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

fn remove(value: &mut Value, field: &str) {
    value.as_object_mut().unwrap().remove(field).unwrap();
}

#[test]
fn weights_and_launches_without_a_sum_are_refused() {
    let mut run = fixture::run();
    run.profiles[0].stacks = vec![("a".to_owned(), u64::MAX), ("b".to_owned(), 1)];
    let error = json::read(&json::write(&run).unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("profiles[0]: "), "{error}");
    let mut run = fixture::run();
    run.measurements[0].launches = vec![usize::MAX, 61];
    let error = json::read(&json::write(&run).unwrap()).unwrap_err();
    assert!(error.to_string().contains("its launches took"), "{error}");
}

#[test]
fn what_is_written_is_read_back() {
    let run = fixture::run();
    let read = json::read(&json::write(&run).unwrap()).unwrap();
    assert!(read == run, "a run changed on its way through JSON");
}

#[test]
fn a_run_without_settings_is_read() {
    let mut value = serde_json::to_value(fixture::run()).unwrap();
    remove(&mut value, "settings");
    let run = json::read(&value.to_string()).unwrap();
    assert_eq!(run.settings, None);
}

#[test]
fn first_entries_of_each_list() {
    let mut run = fixture::run();
    run.results.truncate(1);
    run.measurements.retain(|m| m.samples.len() == 1);
    run.measurements.truncate(1);
    run.ratios.truncate(1);
    run.unavailable.truncate(1);
    run.opcode_costs.truncate(1);
    insta::assert_snapshot!(json::write(&run).unwrap());
}

#[test]
fn optional_fields_may_be_missing() {
    let mut value = serde_json::to_value(fixture::run()).unwrap();
    remove(&mut value["profiles"][0], "rate");
    assert_eq!(
        json::read(&value.to_string()).unwrap().profiles[0].rate,
        0.0
    );
    remove(&mut value, "profiles");
    remove(&mut value, "opcodes");
    remove(&mut value["rig"], "commit");
    remove(&mut value["ratios"][0], "threshold");
    remove(&mut value["results"][0], "opcodes");
    let run = json::read(&value.to_string()).unwrap();
    assert_eq!(
        (run.profiles.len(), run.rig.commit, run.ratios[0].threshold),
        (0, None, None)
    );
}

#[test]
fn invalid_runs_are_refused() {
    insta::assert_snapshot!(json::read("{").unwrap_err(), @"not JSON: EOF while parsing an object at line 1 column 1");
    insta::assert_snapshot!(json::read("[1]").unwrap_err(), @r#"no field `schema`; a run states `"schema": "evmscope/run/1"`"#);
    insta::assert_snapshot!(error(|v| remove(v, "schema")), @r#"no field `schema`; a run states `"schema": "evmscope/run/1"`"#);
    insta::assert_snapshot!(error(|v| v["schema"] = json!("evmscope/run/2")), @"unknown schema `evmscope/run/2`; this version reads `evmscope/run/1`");
    insta::assert_snapshot!(error(|v| remove(v, "rig")), @"run: missing field `rig` at line 1683 column 1");
    insta::assert_snapshot!(error(|v| remove(&mut v["results"][1], "gas_used")), @"results[1]: missing field `gas_used` at line 1613 column 5");
    insta::assert_snapshot!(error(|v| v["measurements"][2]["counter"] = json!("luck")), @"measurements[2].counter: unknown variant `luck`, expected one of `cpu-time`, `cycles`, `instructions`, `branches`, `branch-misses`, `cache-references`, `cache-misses`, `l1d-loads`, `l1d-load-misses`, `l1i-load-misses`, `llc-loads`, `llc-load-misses`, `dtlb-load-misses`, `stalled-cycles-frontend`, `stalled-cycles-backend`, `task-clock`, `page-faults`, `context-switches`, `sim-instructions`, `sim-data-reads`, `sim-data-writes`, `sim-l1i-misses`, `sim-l1d-read-misses`, `sim-l1d-write-misses`, `sim-conditional-branches`, `sim-conditional-branch-misses` at line 190 column 23");
    insta::assert_snapshot!(error(|v| v["measurements"][0]["samples"][3] = Value::Null), @"measurements[0].samples[3]: invalid type: null, expected f64 at line 52 column 12");
}

#[test]
fn an_inconsistent_measurement_is_refused() {
    insta::assert_snapshot!(error(|v| v["measurements"][0]["n"] = json!(61)), @"measurements[0] (snailtracer, traditional, cpu-time): n is 61, but there are 60 samples");
    insta::assert_snapshot!(error(|v| v["measurements"][0]["unit"] = json!("ms")), @"measurements[0] (snailtracer, traditional, cpu-time): unit is ms, but this counter's is ns");
    let simulated = |v: &Value| {
        let list = v["measurements"].as_array().unwrap();
        list.iter()
            .position(|m| m["source"] == "simulated")
            .unwrap()
    };
    insta::assert_snapshot!(error(|v| { let i = simulated(v); v["measurements"][i]["source"] = json!("hardware") }), @"measurements[9] (snailtracer, traditional, sim-instructions): source is hardware, but this counter is simulated");
}

#[test]
fn texts_that_cannot_be_names_are_refused() {
    let refused = error(|value| value["results"][0]["case"] = "../x".into());
    assert!(
        refused
            .starts_with("results[0]: \"../x\" cannot be a name: use up to 100 bytes of letters"),
        "{refused}"
    );
    let fields = [
        ("results", "mode"),
        ("measurements", "case"),
        ("measurements", "mode"),
        ("ratios", "case"),
        ("ratios", "base"),
        ("ratios", "head"),
        ("profiles", "case"),
        ("profiles", "mode"),
        ("opcodes", "case"),
        ("opcodes", "mode"),
        ("memory", "case"),
        ("memory", "mode"),
        ("decoding", "case"),
    ];
    for (list, field) in fields {
        let refused = error(|value| value[list][0][field] = "\u{1b}]x".into());
        assert!(refused.starts_with(&format!("{list}[0]: ")), "{refused}");
    }
    let refused = error(|value| value["engines"] = json!([{"name": "", "version": "1"}]));
    assert!(refused.starts_with("engines[0]: "), "{refused}");
}
