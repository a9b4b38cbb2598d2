//! The published schema of runs matches the types, and every record is valid.

mod fixture;

use evmscope_reports::render::json;
use jsonschema::Validator;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn published() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/run-1.json");
    fs::read_to_string(file).unwrap_or_default()
}

fn validator() -> Validator {
    let schema: Value = serde_json::from_str(&published()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

#[test]
fn the_published_schema_matches_the_types() {
    assert!(
        published() == json::schema().unwrap(),
        "`evmscope schema > reports/schema/run-1.json`"
    );
}

#[test]
fn every_record_is_valid() {
    let validator = validator();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("record");
    let records: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    assert!(records.len() >= 9, "{records:?}");
    for path in records {
        let run: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(&run)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
    }
}

#[test]
fn written_runs_are_valid_and_corrupted_ones_are_not() {
    let validator = validator();
    let run = serde_json::to_value(fixture::run()).unwrap();
    assert!(validator.is_valid(&run));
    let corruptions: [fn(&mut Value); 4] = [
        |run| run["schema"] = json!("evmscope/run/2"),
        |run| drop(run["rig"].as_object_mut().unwrap().remove("cpu")),
        |run| run["measurements"][0]["counter"] = json!("luck"),
        |run| run["memory"][0]["first"]["peak"] = json!(-1),
    ];
    for corrupt in corruptions {
        let mut run = run.clone();
        corrupt(&mut run);
        assert!(!validator.is_valid(&run));
    }
}
