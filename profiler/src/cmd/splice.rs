//! `evmscope splice`: the tables of documents, filled in from the records they name.

use crate::cli::Splice;
use crate::output::Answer;
use crate::splice;
use anyhow::{Context, Result};
use std::fmt::Write;
use std::fs;

pub fn run(args: &Splice) -> Result<Answer> {
    let mut report = String::new();
    let mut stale = false;
    for path in &args.files {
        let place = || path.display().to_string();
        let text =
            fs::read_to_string(path).with_context(|| format!("{}: cannot read it", place()))?;
        let (spliced, tables) = splice::splice(&text).with_context(place)?;
        let changed = spliced != text;
        let state = match (changed, args.check) {
            (false, _) => "as in the records",
            (true, true) => "not as in the records: run `evmscope splice` on it",
            (true, false) => "written",
        };
        if changed && !args.check {
            fs::write(path, &spliced).with_context(|| format!("{}: cannot write it", place()))?;
        }
        stale |= changed && args.check;
        let _ = writeln!(report, "{}: {tables} tables, {state}", place());
    }
    Ok(if stale {
        Answer::failure(report)
    } else {
        Answer::success(report)
    })
}
