//! Completes the files of build tools to what a compiler's standard JSON has in one: input and output. Hardhat 3 keeps
//! them in two files, and Foundry keeps the output in one file per contract.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The end of the name of Hardhat 3's second file.
const OUTPUT: &str = ".output.json";

/// Reads a file, with what belongs to it.
///
/// # Errors
/// Why one of the files is unusable, in one line.
pub fn complete(mut root: Value, path: &Path) -> Result<Value, String> {
    let has = |field: &str| root.get(field).is_some();
    if has("output") && !has("input") {
        // Without its input, source texts are looked for on the disk.
        if let Some(input) = input_beside(path) {
            root["input"] = taken(read(&input)?, "input");
        }
    } else if has("input") && !has("output") {
        let output = path.with_extension("output.json");
        if !output.exists() {
            return Err(format!(
                "it has no `output`, and {} does not exist",
                output.display()
            ));
        }
        root["output"] = taken(read(&output)?, "output");
    } else if has("source_id_to_path") && !has("output") {
        root["output"] = output_of_artifacts(&root, path)?;
    } else if root["deployedBytecode"]["sourceMap"].is_string() {
        let mut output = json!({"sources": {}, "contracts": {}});
        add_artifact(&mut output, root, path);
        return Ok(json!({"output": output}));
    }
    Ok(root)
}

fn read(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// A field of a value, which may be none if the value is no object.
fn taken(mut value: Value, field: &str) -> Value {
    value.get_mut(field).map(Value::take).unwrap_or_default()
}

/// The file with the input of Hardhat 3's output.
fn input_beside(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?.strip_suffix(OUTPUT)?;
    Some(path.with_file_name(format!("{name}.json"))).filter(|input| input.exists())
}

/// The output for one of Foundry's build-info files, from the artifacts in the folders beside it.
fn output_of_artifacts(build: &Value, path: &Path) -> Result<Value, String> {
    let no_artifacts =
        || "it has no `output`, and no artifacts of its build are beside it".to_owned();
    let folder = path.parent().and_then(Path::parent);
    let mut output = json!({"sources": {}, "contracts": {}});
    let named = build["source_id_to_path"].as_object();
    let named: BTreeMap<_, _> = named.into_iter().flatten().collect();
    for (id, name) in &named {
        let (Ok(id), Some(name)) = (id.parse::<u64>(), name.as_str()) else {
            continue;
        };
        output["sources"][name] = json!({"id": id});
    }
    let mut found = false;
    for file in walkdir::WalkDir::new(folder.ok_or_else(no_artifacts)?)
        .max_depth(4)
        .sort_by_file_name()
        .into_iter()
        .filter_map(Result::ok)
        .map(walkdir::DirEntry::into_path)
        .filter(|file| file.extension().is_some_and(|end| end == "json"))
    {
        // Other files of the tool lie there too.
        let Ok(artifact) = read(&file) else { continue };
        // An artifact of another build has other numbers.
        let id = artifact["id"].as_u64().map(|id| id.to_string());
        let of_build = id.and_then(|id| named.get(&id).copied());
        if of_build.is_some_and(|name| source_of(&artifact) == name.as_str()) {
            found |= add_artifact(&mut output, artifact, &file);
        }
    }
    if found {
        Ok(output)
    } else {
        Err(no_artifacts())
    }
}

/// The source that an artifact of Foundry was compiled from.
fn source_of(artifact: &Value) -> Option<&str> {
    let target = artifact["metadata"]["settings"]["compilationTarget"].as_object();
    let target = target.and_then(|target| target.keys().next());
    target
        .map(String::as_str)
        .or_else(|| artifact["ast"]["absolutePath"].as_str())
}

/// Adds an artifact of Foundry to a compiler's output; returns whether it has deployed code with a source map.
fn add_artifact(output: &mut Value, mut artifact: Value, file: &Path) -> bool {
    if !artifact["deployedBytecode"]["sourceMap"].is_string() {
        return false;
    }
    let file = file.file_stem().unwrap_or_default().to_string_lossy();
    let source = source_of(&artifact).unwrap_or(&file).to_owned();
    let target = &artifact["metadata"]["settings"]["compilationTarget"][&source];
    let contract = target.as_str().unwrap_or(&file).to_owned();
    output["sources"][&source] = Value::Object(Map::from_iter([
        ("id".to_owned(), artifact["id"].take()),
        ("ast".to_owned(), artifact["ast"].take()),
    ]));
    output["contracts"][&source][&contract]["evm"] = json!({
        "deployedBytecode": artifact["deployedBytecode"].take(),
        "methodIdentifiers": artifact["methodIdentifiers"].take(),
    });
    true
}
