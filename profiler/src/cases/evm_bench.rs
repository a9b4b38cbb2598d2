//! The layout of evm-bench: `benchmark.evm-bench.json` beside a contract. evm-bench compiles it in containers; here
//! the output of solc must lie beside the source.

use super::hex::{parse_hex, read, read_hex};
use super::{Case, Deployment, Expected};
use anyhow::{Context, Result, bail};
use evmscope_interp::Fork;
use serde::Deserialize;
use std::path::{Component, Path};

pub const FILE: &str = "benchmark.evm-bench.json";

#[derive(Deserialize)]
struct Manifest {
    name: String,
    contract: String,
    #[serde(default)]
    calldata: String,
}

pub fn load(path: &Path) -> Result<Case> {
    let place = path.display().to_string();
    let manifest: Manifest =
        serde_json::from_str(&read(path)?).with_context(|| format!("in {place}"))?;
    let named = Path::new(&manifest.contract);
    let mut parts = named.components();
    if !parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        bail!(
            "in {place}: the contract {:?} is not in this folder: move it here",
            manifest.contract
        );
    }
    let contract = path.with_file_name(named);
    Ok(Case {
        code: compiled(&contract).with_context(|| format!("in {place}"))?,
        calldata: parse_hex(&manifest.calldata, &format!("{place}: calldata"))?,
        name: manifest.name,
        description: "evm-bench".into(),
        fork: Fork::Cancun,
        gas_limit: 2_000_000_000,
        storage: Vec::new(),
        setup: Vec::new(),
        expected: Expected::Agreement,
        source_map: None,
    })
}

/// The init code (`.bin`) if it exists, so that the constructor runs; else the deployed code (`.bin-runtime`).
fn compiled(contract: &Path) -> Result<Deployment> {
    let (init, runtime) = (
        contract.with_extension("bin"),
        contract.with_extension("bin-runtime"),
    );
    if init.exists() {
        return Ok(Deployment::Init(read_hex(&init)?));
    }
    if runtime.exists() {
        return Ok(Deployment::Runtime(read_hex(&runtime)?));
    }
    bail!(
        "the contract is not compiled: run `solc --bin --optimize -o {} {}`",
        contract.parent().unwrap_or(Path::new(".")).display(),
        contract.display()
    )
}
