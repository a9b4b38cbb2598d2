//! `evmscope splice`: fills in the tables of Markdown files from the records they name:
//!
//!     <!-- record reports/record/NAME.json -->
//!     the table
//!     <!-- end of record -->
//!
//! Paths are relative to the working directory, the project's folder. `evmscope_reports` formats the tables.

use crate::cmd::output::{Answer, Document};
use crate::measure::ablation::{Ablation, SCHEMA};
use anyhow::{Context, Result, bail};
use clap::Args;
use evmscope_reports::format;
use evmscope_reports::render::{json, markdown};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

#[derive(Args)]
pub struct Splice {
    /// Markdown files.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write nothing; exit code 1 if a table differs from its record.
    #[arg(long)]
    pub check: bool,
}

pub fn run(args: &Splice) -> Result<Answer> {
    let mut report = String::new();
    let mut stale = false;
    for path in &args.files {
        let place = || path.display().to_string();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", place()))?;
        let (spliced, tables) = splice(&text).with_context(place)?;
        let changed = spliced != text;
        let state = match (changed, args.check) {
            (false, _) => "up to date",
            (true, true) => "out of date: run `evmscope splice` on it",
            (true, false) => "written",
        };
        if changed && !args.check {
            Document::at(path)?.write(&spliced)?;
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

const BEGIN: &str = "<!-- record ";

const END: &str = "<!-- end of record -->";

/// Returns the text with every table filled in from its record, and the number of tables.
///
/// # Errors
/// A marker without an end, or a record that cannot be read.
pub fn splice(text: &str) -> Result<(String, usize)> {
    let mut spliced = String::with_capacity(text.len());
    let mut tables = 0;
    let mut rest = text;
    while let Some(begin) = rest.find(BEGIN) {
        let line = text.len() - rest.len() + begin;
        let line = text[..line].lines().count() + 1;
        let marker = &rest[begin + BEGIN.len()..];
        let Some((path, after)) = marker.split_once(" -->") else {
            bail!("line {line}: the marker is not closed: write `{BEGIN}FILE -->`");
        };
        let Some(end) = after.find(END) else {
            bail!("line {line}: the table has no end: write `{END}` below it");
        };
        let table = table(path).with_context(|| format!("line {line}: {path}"))?;
        spliced += &rest[..begin];
        // Writing to a string does not fail.
        let _ = write!(spliced, "{BEGIN}{path} -->\n{table}{END}");
        rest = &after[end + END.len()..];
        tables += 1;
    }
    Ok((spliced + rest, tables))
}

fn table(path: &str) -> Result<String> {
    let text = fs::read_to_string(path).context("cannot read the record")?;
    let schema: Schema = serde_json::from_str(&text).context("not a record")?;
    if schema.schema == SCHEMA {
        Ok(ablation(&serde_json::from_str(&text)?))
    } else {
        Ok(markdown::summary(&json::read(&text)?))
    }
}

#[derive(serde::Deserialize)]
struct Schema {
    schema: String,
}

fn ablation(ablation: &Ablation) -> String {
    let whole = ablation.instructions as f64;
    let mut text =
        "| left out | what it does | instructions | change |\n| --- | --- | ---: | ---: |\n"
            .to_owned();
    let count = format::thousands(ablation.instructions);
    let _ = writeln!(text, "| nothing | | {count} | |");
    for row in &ablation.without {
        let change = (row.instructions as f64 / whole - 1.0) * 100.0;
        let count = format::thousands(row.instructions);
        let _ = writeln!(
            text,
            "| {} | {} | {count} | {change:+.1} % |",
            row.technique, row.what
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_tables_is_unchanged() {
        let (text, tables) = splice("no table here\n").unwrap();
        assert_eq!((text.as_str(), tables), ("no table here\n", 0));
    }

    #[test]
    fn errors_name_the_line() {
        for (text, wrong) in [
            (
                "one\n<!-- record x.json",
                "line 2: the marker is not closed",
            ),
            (
                "one\n<!-- record x.json -->\ntable",
                "line 2: the table has no end",
            ),
            (
                "<!-- record no/such.json -->\n<!-- end of record -->",
                "line 1: no/such.json",
            ),
        ] {
            let error = format!("{:#}", splice(text).unwrap_err());
            assert!(error.starts_with(wrong), "{error}");
        }
    }
}
