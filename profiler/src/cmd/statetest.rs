//! `evmscope statetest`: runs official state tests in both modes and counts results by fork.

use crate::cases::shard::Shard;
use crate::cmd::args::{Format, fork_of_test, modes};
use crate::cmd::output::{self, Answer};
use crate::engines::statetest::{self, CaseId, Counts, Failure, Report, Selection};
use anyhow::{Context, Result, bail};
use clap::Args;
use evmscope_interp::Fork;
use evmscope_interp::Mode;
use evmscope_reports::render::json;
use evmscope_reports::render::terminal::{self, Column::Text};
use regex::Regex;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::io::{self, BufWriter};
use std::path::PathBuf;

pub const COUNTING: &str = "\
Each post entry of a fork counts once per mode.
A test that cannot be read is a failure, and the others in its file run. JSON
files without state tests are passed over and counted. Exit code 1 on any
failure, and if all tests were skipped.";

#[derive(Args)]
pub struct Statetest {
    /// Test files, or folders searched for *.json.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Only this fork, by our name or the one in the tests (EIP158, Cancun).
    #[arg(long, value_parser = fork_of_test)]
    pub fork: Option<Fork>,
    /// Only this mode [default: both].
    #[arg(long, value_parser = modes())]
    pub mode: Option<Mode>,
    /// Only tests whose FILE::TEST matches this regular expression.
    #[arg(long, value_name = "RE")]
    pub filter: Option<Regex>,
    /// Only this shard of the files, such as the second of eight.
    #[arg(long, value_name = "2/8", default_value_t, hide_default_value = true)]
    pub shard: Shard,
    /// Write each step as a JSON line to standard error, in the traditional mode; goevmlab reads it.
    #[arg(long, conflicts_with = "mode")]
    pub trace: bool,
    /// Output format.
    #[arg(long, default_value = "text")]
    pub format: Format,
}

pub fn run(args: &Statetest) -> Result<Answer> {
    let files = args.shard.select(statetest::find(&args.paths)?);
    let selection = Selection {
        fork: args.fork,
        mode: args.mode,
        filter: args.filter.as_ref(),
    };
    let report = if args.trace {
        let out = BufWriter::new(io::stderr().lock());
        statetest::trace(&files, &selection, out).context("cannot write the trace")?
    } else {
        let bar = output::progress(files.len() as u64, "state tests");
        let report = statetest::run(&files, &selection, &|| bar.inc(1))?;
        bar.finish_and_clear();
        report
    };

    let total = report.total();
    if total.passed + total.failed + total.skipped == 0 {
        bail!(
            "no state test to run in {} files, of which {} have none: check PATH, --fork and --filter",
            files.len(),
            report.other_files
        );
    }
    let text = match args.format {
        Format::Text => text(&report, output::columns()),
        Format::Json => json::write(&json(&report))?,
    };
    // Where all were skipped, nothing was tested.
    Ok(if total.failed == 0 && total.passed > 0 {
        Answer::success(text)
    } else {
        Answer::failure(text)
    })
}

fn text(report: &Report, width: Option<u16>) -> String {
    let mut text: String = report.failures.iter().map(failure).collect();
    // Writing to a string does not fail.
    for (reason, cases) in &report.skips {
        let _ = writeln!(text, "skipped {cases}: {reason}");
    }
    if report.other_files > 0 {
        let other = report.other_files;
        let _ = writeln!(text, "passed over {other}: JSON files without state tests");
    }
    if !text.is_empty() {
        text = terminal::prose(text.lines(), width);
    }
    let rows = report.forks.iter().map(|(fork, counts)| {
        let Counts {
            passed,
            failed,
            skipped,
        } = counts;
        let counts = format!("{passed:6} passed  {failed:6} failed  {skipped:6} skipped");
        vec![fork.name().to_owned(), counts]
    });
    text += &terminal::listing(&[Text, Text], rows, width);
    let Counts {
        passed,
        failed,
        skipped,
    } = report.total();
    let _ = writeln!(text, "{passed} passed, {failed} failed, {skipped} skipped");
    text
}

fn failure(failure: &Failure) -> String {
    let Failure {
        file,
        test,
        case,
        what,
        expected,
        found,
    } = failure;
    let test = test.as_ref().map(|test| format!("::{test}"));
    let test = test.unwrap_or_default();
    let place = match case {
        None => String::new(),
        Some(CaseId {
            fork,
            mode,
            indices: (d, g, v),
        }) => format!(", fork {fork}, mode {mode}, indices d{d} g{g} v{v}"),
    };
    format!("FAILED {file}{test}{place}\n  {what}\n    expected {expected}\n    found    {found}\n")
}

fn json(report: &Report) -> Value {
    let forks = report
        .forks
        .iter()
        .map(|(fork, counts)| (fork.name().to_owned(), numbers(*counts)));
    let failures = report.failures.iter().map(|failure| {
        let case = failure.case.as_ref();
        let indices = case.map(|case| {
            let (data, gas, value) = case.indices;
            json!({"data": data, "gas": gas, "value": value})
        });
        json!({
            "file": failure.file,
            "test": failure.test,
            "fork": case.map(|case| case.fork.name()),
            "mode": case.map(|case| case.mode.name()),
            "indices": indices,
            "what": failure.what,
            "expected": failure.expected,
            "found": failure.found,
        })
    });
    let mut value = numbers(report.total());
    value["forks"] = Value::Object(forks.collect::<Map<_, _>>());
    value["skips"] = json!(report.skips);
    value["other_files"] = json!(report.other_files);
    value["failures"] = failures.collect();
    value
}

fn numbers(counts: Counts) -> Value {
    json!({"passed": counts.passed, "failed": counts.failed, "skipped": counts.skipped})
}
