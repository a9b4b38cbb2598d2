//! `evmscope schema`: the JSON schema of runs.

use anyhow::Result;
use evmscope_reports::render::json;

pub fn run() -> Result<String> {
    Ok(json::schema()?)
}
