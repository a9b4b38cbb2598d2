//! `evmscope list`: the cases and what they are.

use super::cases;
use crate::cli::{Format, List};
use anyhow::Result;
use serde_json::json;

pub fn run(args: &List) -> Result<String> {
    let cases = cases(&args.from, &[])?;
    if args.format == Format::Json {
        let rows = cases.iter().map(|case| {
            json!({
                "name": case.name, "fork": case.fork.name(), "gas_limit": case.gas_limit,
                "description": case.description, "expected": case.expected.source(),
            })
        });
        return Ok(serde_json::to_string_pretty(&rows.collect::<Vec<_>>())? + "\n");
    }
    let widest = cases
        .iter()
        .map(|case| case.name.len())
        .max()
        .unwrap_or_default();
    let rows = cases.iter().map(|case| {
        format!(
            "{:widest$}  {:7} {}\n",
            case.name, case.fork, case.description
        )
    });
    Ok(rows.collect())
}
