//! The layout of published builds, all in one folder: `NAME.runtime.hex`, and optionally `NAME.calldata.hex`,
//! `NAME.storage.json` and `NAME.expected.json`.

use super::hex::{parse_hex, parse_word, read, read_hex};
use super::{Case, Deployment, Expected};
use anyhow::{Context, Result};
use evmscope_interp::{Fork, keccak256};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

pub const SUFFIX: &str = ".runtime.hex";

#[derive(Deserialize)]
struct Stated {
    status: String,
    gas_used: u64,
    refund: i64,
    output: String,
    logs: usize,
}

pub fn load(dir: &Path, name: &str) -> Result<Case> {
    let file = |suffix: &str| dir.join(format!("{name}{suffix}"));
    let calldata = file(".calldata.hex");
    let storage = file(".storage.json");
    let slots: BTreeMap<String, String> = match storage.exists() {
        true => serde_json::from_str(&read(&storage)?)
            .with_context(|| format!("in {}", storage.display()))?,
        false => BTreeMap::new(),
    };
    let slots = slots
        .iter()
        .map(|(key, value)| Ok((parse_word(key, &storage)?, parse_word(value, &storage)?)));
    Ok(Case {
        name: name.to_owned(),
        description: "published build".into(),
        fork: Fork::Cancun,
        gas_limit: 2_000_000_000,
        code: Deployment::Runtime(read_hex(&file(SUFFIX))?),
        calldata: if calldata.exists() {
            read_hex(&calldata)?
        } else {
            Default::default()
        },
        storage: slots.collect::<Result<_>>()?,
        setup: Vec::new(),
        expected: expected(&file(".expected.json"))?,
        source_map: None,
    })
}

fn expected(path: &Path) -> Result<Expected> {
    if !path.exists() {
        return Ok(Expected::Agreement);
    }
    let place = path.display().to_string();
    let stated: Stated =
        serde_json::from_str(&read(path)?).with_context(|| format!("in {place}"))?;
    Ok(Expected::Stated {
        from: "expected.json",
        status: stated.status,
        gas_used: stated.gas_used,
        output_hash: keccak256(&parse_hex(&stated.output, &format!("{place}: output"))?),
        refund: Some(stated.refund),
        logs: Some(stated.logs),
    })
}
