//! `evmscope schema`: what a run looks like, for programs that read one.

use anyhow::Result;
use evmscope_reports::render::json;

pub fn run() -> Result<String> {
    Ok(json::schema()?)
}
