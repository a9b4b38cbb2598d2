//! `evmscope splice`: the tables of Markdown files, filled in from the records that the files name:
//!
//!     <!-- record reports/record/NAME.json -->
//!     the table
//!     <!-- end of record -->
//!
//! Paths are relative to the folder of the project, which is the working directory. What a table looks
//! like is told in `evmscope_reports`.

use crate::cmd::output::Answer;
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
    /// Write nothing; exit code 1 where a table is not as in its record.
    #[arg(long)]
    pub check: bool,
}

pub fn run(args: &Splice) -> Result<Answer> {
    let mut report = String::new();
    let mut stale = false;
    for path in &args.files {
        let place = || path.display().to_string();
        let text =
            fs::read_to_string(path).with_context(|| format!("{}: cannot read it", place()))?;
        let (spliced, tables) = splice(&text).with_context(place)?;
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

const BEGIN: &str = "<!-- record ";

const END: &str = "<!-- end of record -->";

/// The text with every table as its record has it, and the number of tables.
///
/// # Errors
/// A marker without its end, and a record that cannot be read.
pub fn splice(text: &str) -> Result<(String, usize)> {
    let mut spliced = String::with_capacity(text.len());
    let mut tables = 0;
    let mut rest = text;
    while let Some(begin) = rest.find(BEGIN) {
        let line = text.len() - rest.len() + begin;
        let line = text[..line].lines().count() + 1;
        let marker = &rest[begin + BEGIN.len()..];
        let Some((path, after)) = marker.split_once(" -->") else {
            bail!("line {line}: the marker has no end: write `{BEGIN}FILE -->`");
        };
        let Some(end) = after.find(END) else {
            bail!("line {line}: nothing ends the table: write `{END}` below it");
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
    let text = fs::read_to_string(path).context("cannot read it")?;
    let schema: Schema = serde_json::from_str(&text).context("it is not a record")?;
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
    fn text_around_tables_stays() {
        let (text, tables) = splice("no table here\n").unwrap();
        assert_eq!((text.as_str(), tables), ("no table here\n", 0));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, wrong) in [
            ("one\n<!-- record x.json", "line 2: the marker has no end"),
            (
                "one\n<!-- record x.json -->\ntable",
                "line 2: nothing ends the table",
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
