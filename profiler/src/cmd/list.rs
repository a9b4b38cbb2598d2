//! `evmscope list`: the cases with their fork and description.

use super::cases;
use crate::cases::CaseSet;
use crate::cmd::args::{CaseDir, Format};
use crate::cmd::output::Answer;
use anyhow::Result;
use clap::Args;
use evmscope_reports::render::{json, terminal};
use serde_json::json;

#[derive(Args)]
pub struct List {
    #[command(flatten)]
    pub from: CaseDir,
    /// Output format.
    #[arg(long, default_value = "text")]
    pub format: Format,
}

pub fn run(args: &List, columns: Option<u16>) -> Result<Answer> {
    let CaseSet { cases, unreadable } = cases(&args.from, &[])?;
    if args.format == Format::Json {
        let rows = cases.iter().map(|case| {
            json!({
                "name": case.name, "fork": case.fork.name(), "gas_limit": case.gas_limit,
                "description": case.description, "expected": case.expected.source(),
            })
        });
        let text = json::write(&rows.collect::<Vec<_>>())?;
        return Ok(Answer::of_readable(text, unreadable));
    }
    let rows = cases
        .iter()
        .map(|case| [&case.name, case.fork.name(), &case.description]);
    Ok(Answer::of_readable(
        terminal::rows(rows, columns),
        unreadable,
    ))
}
