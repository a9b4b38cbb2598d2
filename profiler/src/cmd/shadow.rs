//! `evmscope shadow`: both modes on the same messages, and every difference between them.

use super::cases;
use crate::case::Shelf;
use crate::cli::{Format, Shadow};
use crate::output::{self, Answer};
use crate::shadow::{self, Finding, Pair, Report};
use crate::statetest::{self, Selection};
use crate::telemetry::Sink;
use anyhow::{Result, anyhow, bail};
use evmscope_reports::format;
use serde_json::{Value, json};
use std::fmt::Write;

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
        bail!("no message to run: look at the names, PATH, --fork, --filter and --shard");
    }
    if let Some(sink) = sink {
        sink.write()?;
    }
    let text = match args.format {
        Format::Text => text(&report, &pair),
        Format::Json => serde_json::to_string_pretty(&json(&report, &pair))? + "\n",
    };
    errors.extend(report.unreadable.iter().map(|line| anyhow!("{line}")));
    let answer = match (report.findings.is_empty(), errors.is_empty()) {
        (false, _) => Answer::apart(text),
        (true, true) => Answer::success(text),
        (true, false) => Answer::failure(text),
    };
    Ok(Answer { errors, ..answer })
}

fn on_cases(args: &Shadow, pair: &Pair) -> Result<(Report, Vec<anyhow::Error>)> {
    let Shelf { cases, unreadable } = cases(&args.from, &args.cases)?;
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

/// Messages that text shows: after these, nobody reads on.
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

/// An output may have megabytes; its beginning tells most.
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
