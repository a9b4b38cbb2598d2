//! This project's layout: a folder with `case.toml` and `code.hex`.

use super::hex::{parse_hex_or_file, parse_word, read, read_hex};
use super::{Case, Deployment, Expected, name_of};
use alloy_primitives::B256;
use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

pub const FILE: &str = "case.toml";

/// The optional file with the compiler's source map.
const SOURCE_MAP: &str = "source-map.json";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    description: String,
    fork: String,
    gas_limit: u64,
    calldata: String,
    /// Read by people and by the script that compiles the cases.
    #[serde(rename = "source")]
    _source: String,
    #[serde(default)]
    storage: BTreeMap<String, String>,
    #[serde(default)]
    setup: Vec<Call>,
    expected: Option<Stated>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    calldata: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    status: String,
    gas_used: u64,
    output_hash: B256,
    refund: Option<i64>,
    logs: Option<usize>,
}

/// A parse error on one line; the error's own `Display` takes several.
fn refusal(place: &str, text: &str, error: &toml::de::Error) -> anyhow::Error {
    // The span of a missing field is the whole file, which has no useful line.
    let part = error
        .span()
        .filter(|span| span.end > 0 && span.len() < text.len());
    let before = part.and_then(|span| text.get(..span.start));
    let line = before.map(|before| format!(", line {}", before.lines().count().max(1)));
    anyhow!(
        "in {place}{}: {}",
        line.unwrap_or_default(),
        error.message()
    )
}

pub fn load(dir: &Path) -> Result<Case> {
    let path = dir.join(FILE);
    let place = path.display().to_string();
    let text = read(&path)?;
    let file: File = toml::from_str(&text).map_err(|error| refusal(&place, &text, &error))?;
    let name = name_of(dir);
    if name.is_empty() {
        bail!("the folder of {place} has no name: it would be the name of the case");
    }
    let slots = file.storage.iter();
    let storage =
        slots.map(|(key, value)| Ok((parse_word(key, &path)?, parse_word(value, &path)?)));
    let setup = file
        .setup
        .iter()
        .map(|call| parse_hex_or_file(&call.calldata, dir, &format!("{place}: setup.calldata")));
    Ok(Case {
        name,
        description: file.description,
        fork: file.fork.parse().with_context(|| format!("in {place}"))?,
        gas_limit: file.gas_limit,
        code: Deployment::Runtime(read_hex(&dir.join("code.hex"))?),
        calldata: parse_hex_or_file(&file.calldata, dir, &format!("{place}: calldata"))?,
        storage: storage.collect::<Result<_>>()?,
        setup: setup.collect::<Result<_>>()?,
        expected: file
            .expected
            .map_or(Expected::Agreement, |it| Expected::Stated {
                from: FILE,
                status: it.status,
                gas_used: it.gas_used,
                output_hash: it.output_hash,
                refund: it.refund,
                logs: it.logs,
            }),
        source_map: Some(dir.join(SOURCE_MAP)).filter(|file| file.exists()),
    })
}
