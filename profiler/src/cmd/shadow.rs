//! `evmscope shadow`: runs both modes on the same messages and reports every difference.

use super::cases;
use crate::cases::CaseSet;
use crate::cases::shard::Shard;
use crate::cmd::args::{CaseDir, Format, Tuning, fork_of_test, forks, modes};
use crate::cmd::output::{self, Answer, Written};
use crate::cmd::telemetry::Sink;
use crate::engines::shadow::{self, Finding, Pair, Report};
use crate::engines::statetest::{self, Selection};
use anyhow::{Result, anyhow, bail};
use clap::Args;
use evmscope_interp::Fork;
use evmscope_interp::Mode;
use evmscope_reports::format;
use evmscope_reports::render::json;
use regex::Regex;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;

pub const SHADOWING: &str = "\
Exit code 3 if status, gas, refund, output or state changes differ.
What a state test expects is checked by `statetest`.";

#[derive(Args)]
pub struct Shadow {
    /// Names of cases [default: all].
    #[arg(value_name = "CASE", conflicts_with = "state_tests")]
    pub cases: Vec<String>,
    #[command(flatten)]
    pub from: CaseDir,
    /// State tests instead of cases: files, or folders searched for *.json.
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with = "case_dir")]
    pub state_tests: Vec<PathBuf>,
    /// Only this fork of the state tests.
    #[arg(long, value_parser = fork_of_test, requires = "state_tests")]
    pub fork: Option<Fork>,
    /// Only state tests whose FILE::TEST matches this regular expression.
    #[arg(long, value_name = "RE", requires = "state_tests")]
    pub filter: Option<Regex>,
    /// Mode whose results are served; the other mode is checked against it.
    #[arg(long, value_name = "MODE", default_value_t = Mode::Traditional, value_parser = modes())]
    pub serve: Mode,
    /// Calls per case.
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub calls: u32,
    /// Only this shard of the cases or files, such as the second of eight.
    #[arg(long, value_name = "2/8", default_value_t, hide_default_value = true)]
    pub shard: Shard,
    #[command(flatten)]
    pub tuning: Tuning,
    /// Write the interpreters' metrics as Prometheus text (`-`: standard output).
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// Fork of the checked mode; another fork provokes differences.
    #[arg(long, value_parser = forks(), hide = true)]
    pub checked_fork: Option<Fork>,
    /// Output format.
    #[arg(long, default_value = "text")]
    pub format: Format,
}

pub fn run(args: &Shadow) -> Result<Answer> {
    let pair = Pair {
        serve: args.serve,
        checked_fork: args.checked_fork,
        settings: args.tuning.settings(),
    };
    let sink = args.metrics.as_deref().map(Sink::to).transpose()?;
    let (report, mut errors) = if args.state_tests.is_empty() {
        on_cases(args, &pair)?
    } else {
        (on_state_tests(args, &pair)?, Vec::new())
    };
    if report.messages == 0 && report.unreadable.is_empty() {
        bail!("no message to run: check the names, PATH, --fork, --filter and --shard");
    }
    let written = sink.map_or_else(Written::default, Sink::write);
    let text = match args.format {
        Format::Text => text(&report, &pair),
        Format::Json => json::write(&json(&report, &pair))?,
    };
    errors.extend(report.unreadable.iter().map(|line| anyhow!("{line}")));
    let answer = match (report.findings.is_empty(), errors.is_empty()) {
        (false, _) => Answer::differs(text),
        (true, true) => Answer::success(text),
        (true, false) => Answer::failure(text),
    };
    Ok(Answer { errors, ..answer }.with(written))
}

fn on_cases(args: &Shadow, pair: &Pair) -> Result<(Report, Vec<anyhow::Error>)> {
    let CaseSet { cases, unreadable } = cases(&args.from, &args.cases)?;
    let cases = args.shard.select(cases);
    let bar = output::progress(cases.len() as u64, "cases");
    let report = shadow::cases(&cases, pair, args.calls, &|| bar.inc(1))?;
    bar.finish_and_clear();
    Ok((report, unreadable.into_iter().map(|it| it.error).collect()))
}

fn on_state_tests(args: &Shadow, pair: &Pair) -> Result<Report> {
    let files = args.shard.select(statetest::find(&args.state_tests)?);
    let bar = output::progress(files.len() as u64, "state tests");
    let selection = Selection {
        fork: args.fork,
        mode: None,
        filter: args.filter.as_ref(),
    };
    let report = shadow::state_tests(&files, &selection, pair, &|| bar.inc(1))?;
    bar.finish_and_clear();
    Ok(report)
}

/// Messages to show as text; JSON has all of them.
const LISTED: usize = 20;

fn text(report: &Report, pair: &Pair) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    for finding in report.findings.iter().take(LISTED) {
        let Finding {
            place,
            message,
            differences,
        } = finding;
        let _ = writeln!(text, "DIFFERS {place}, message {message}");
        for difference in differences {
            let [served, checked] =
                [&difference.served, &difference.checked].map(|it| shortened(it));
            let _ = writeln!(text, "  {}", difference.what);
            let _ = writeln!(text, "    {:11} {served}", pair.serve.name());
            let _ = writeln!(text, "    {:11} {checked}", pair.checked().name());
        }
    }
    let found = report.findings.len();
    if found > LISTED {
        let more = format::thousands((found - LISTED) as u64);
        let _ = writeln!(text, "and {more} more: --format json lists them");
    }
    let (serve, checked) = (pair.serve, pair.checked());
    let messages = format::count(report.messages, "message");
    let differ = match found {
        0 => "no difference".to_owned(),
        _ => format!("{} differ", format::thousands(found as u64)),
    };
    let _ = writeln!(
        text,
        "{messages}, {serve} served, {checked} checked: {differ}"
    );
    text
}

/// At most the first 300 characters: an output may have megabytes.
fn shortened(text: &str) -> String {
    const MOST: usize = 300;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
        None => text.to_owned(),
    }
}

fn json(report: &Report, pair: &Pair) -> Value {
    let findings = report.findings.iter().map(|finding| {
        let differences = finding.differences.iter().map(|difference| {
            json!({
                "what": difference.what,
                "served": difference.served,
                "checked": difference.checked,
            })
        });
        json!({
            "place": finding.place,
            "message": finding.message,
            "differences": differences.collect::<Vec<_>>(),
        })
    });
    json!({
        "served": pair.serve.name(),
        "checked": pair.checked().name(),
        "messages": report.messages,
        "findings": findings.collect::<Vec<_>>(),
    })
}
