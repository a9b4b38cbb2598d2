//! `evmscope run`: one execution of a case or of code, and its result. A revert or a halt is a result too,
//! not an error of the verb.

use super::one_case;
use crate::cases::{Case, Scenario, parse_hex_or_file};
use crate::cmd::args::{CaseDir, Format, Tuning, forks, gas, modes};
use crate::cmd::output::{self, Answer, Document, Written, expect_distinct};
use crate::cmd::telemetry::Sink;
use crate::engines::eip3155::Lines;
use crate::engines::executed::Executed;
use alloy_primitives::{Bytes, Log};
use anyhow::Result;
use clap::ArgGroup;
use clap::Args;
use evmscope_interp::Fork;
use evmscope_interp::{Host, Interpreter, Mode, Outcome, Settings, Status, keccak256, telemetry};
use evmscope_reports::format;
use evmscope_reports::render::json;
use serde_json::json;
use std::fmt::Write;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Args)]
#[command(group = ArgGroup::new("what").required(true).args(["case", "code"]))]
#[command(mut_arg("case_dir", |arg| arg.conflicts_with("code")))]
#[command(mut_args(|arg| match arg.get_id().as_str() {
    // The listing translates all code, so these options have no effect on it.
    "budget" | "keccak_memo" | "without" => arg.conflicts_with("dump_ir"),
    _ => arg,
}))]
pub struct Run {
    /// Name of a case, which sets input, gas and fork.
    pub case: Option<String>,
    #[command(flatten)]
    pub from: CaseDir,
    /// Code to run instead of a case: hex, or @FILE with hex in it.
    #[arg(long, value_name = "HEX|@FILE")]
    pub code: Option<String>,
    /// Call data for the code: hex, or @FILE [default: none].
    #[arg(
        long,
        visible_alias = "calldata",
        value_name = "HEX|@FILE",
        default_value = "",
        conflicts_with = "case",
        hide_default_value = true
    )]
    pub input: String,
    /// Gas limit for the code.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 30_000_000,
        conflicts_with = "case",
        allow_negative_numbers = true,
        value_parser = gas
    )]
    pub gas: u64,
    /// Fork for the code.
    #[arg(long, default_value_t = Fork::default(), conflicts_with = "case", value_parser = forks())]
    pub fork: Fork,
    /// Mode to run in.
    #[arg(long, default_value_t = Mode::Advanced, value_parser = modes())]
    pub mode: Mode,
    #[command(flatten)]
    pub tuning: Tuning,
    /// Output format.
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// Write the interpreter's metrics as Prometheus text (`-`: standard output).
    #[arg(long, value_name = "FILE", conflicts_with = "dump_ir")]
    pub metrics: Option<PathBuf>,
    /// Write each step as a JSON line (EIP-3155), instead of the result or to FILE.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub trace: Option<Option<PathBuf>>,

    /// Print the advanced mode's translation, entry by entry, next to the opcodes
    #[arg(long, conflicts_with_all = ["trace", "format"])]
    pub dump_ir: bool,
}

pub fn run(args: &Run) -> Result<Answer> {
    let (case, unreadable) = match (&args.case, &args.code) {
        (Some(name), _) => one_case(&args.from, name)?,
        (None, code) => {
            let code = bytes(code.as_deref().unwrap_or_default(), "--code")?;
            let case = Case::ad_hoc(code, bytes(&args.input, "--input")?, args.gas, args.fork);
            (case, Vec::new())
        }
    };
    let (text, written) = match args.dump_ir {
        true => (listing(&case)?, Written::default()),
        false => execute(args, &case)?,
    };
    Ok(Answer::of_readable(text, unreadable).with(written))
}

/// Runs the case; returns the text to print, and how trace and metrics were written.
fn execute(args: &Run, case: &Case) -> Result<(String, Written)> {
    let mut scenario = case.scenario()?;
    let mut interpreter = Interpreter::with_settings(args.mode, case.fork, args.tuning.settings());
    let sink = args.metrics.as_deref().map(Sink::to).transpose()?;
    let trace_to = match &args.trace {
        Some(Some(path)) => Some(Document::at(path)?),
        Some(None) => Some(Document::stdout()),
        None => None,
    };
    let documents = || sink.iter().map(Sink::document).chain(&trace_to);
    expect_distinct(documents())?;
    let mut written = Written::default();
    written.on_stdout = documents().any(Document::is_stdout);
    let (mode, outcome) = match &trace_to {
        None => {
            let outcome = interpreter.execute(scenario.message.clone(), &mut scenario.world);
            (args.mode, Some(outcome))
        }
        Some(document) => {
            if args.mode == Mode::Advanced {
                output::complain("note: a traced run uses the traditional mode\n");
            }
            let outcome = document.write_with(|out| trace(&mut interpreter, &mut scenario, out))?;
            (Mode::Traditional, outcome)
        }
    };
    // The reader of the trace has gone.
    let Some(outcome) = outcome else {
        return Ok((String::new(), written));
    };
    if let Some(sink) = sink {
        telemetry::message(mode, &outcome);
        // No mode counts opcodes, so a separate traced run does.
        telemetry::opcodes(mode, Executed::count(&case.scenario()?, case.fork).total());
        telemetry::programs(&interpreter);
        written.errors = sink.write().errors;
    }
    if let Some(None) = args.trace {
        return Ok((String::new(), written));
    }
    let logs: Vec<Log> = if outcome.status == Status::Success {
        scenario.world.logs().map(Log::from).collect()
    } else {
        Vec::new()
    };
    let text = match args.format {
        Format::Text => text(case, mode, &outcome, &logs),
        Format::Json => json(case, mode, &outcome, &logs)?,
    };
    Ok((text, written))
}

/// What the advanced mode makes of the code.
fn listing(case: &Case) -> Result<String> {
    let mut scenario = case.scenario()?;
    let mut interpreter = Interpreter::with_settings(Mode::Advanced, case.fork, Settings::eager());
    let code = Arc::clone(scenario.world.code(scenario.message.code_address));
    interpreter.execute(scenario.message, &mut scenario.world);
    Ok(interpreter.listing(&code))
}

/// Runs the message and writes its steps.
fn trace(
    interpreter: &mut Interpreter,
    scenario: &mut Scenario,
    out: impl io::Write,
) -> io::Result<Outcome> {
    let mut lines = Lines::new(BufWriter::new(out));
    let world = &mut scenario.world;
    let outcome = interpreter.trace(scenario.message.clone(), world, &mut lines);
    let fork = interpreter.fork();
    world.end_transaction(fork);
    lines.finish(&outcome, world.state_root(), fork)?;
    Ok(outcome)
}

/// Parses hex digits, or with `@PATH` those in a file. `option` names the argument in errors.
pub(super) fn bytes(text: &str, option: &str) -> Result<Bytes> {
    parse_hex_or_file(text, Path::new(""), option)
}

/// Logs to show as text: thousands of them would hide the status.
const LISTED: usize = 10;

fn text(case: &Case, mode: Mode, outcome: &Outcome, logs: &[Log]) -> String {
    let mut text = format!("mode    {mode} at {}\n", case.fork);
    // Writing to a string does not fail.
    let _ = writeln!(text, "status  {}", outcome.status);
    let [used, left] = [outcome.gas_used, outcome.gas_left].map(format::thousands);
    let refund = outcome.refund;
    let _ = writeln!(text, "gas     {used} used, {left} left, {refund} refund");
    let _ = writeln!(text, "output  {}", outcome.output);
    let _ = writeln!(text, "logs    {}", format::thousands(logs.len() as u64));
    for log in logs.iter().take(LISTED) {
        let topics: Vec<_> = log.topics().iter().map(ToString::to_string).collect();
        let _ = writeln!(
            text,
            "  {} [{}] {}",
            log.address,
            topics.join(" "),
            log.data.data
        );
    }
    if logs.len() > LISTED {
        let more = format::thousands((logs.len() - LISTED) as u64);
        let _ = writeln!(text, "  and {more} more: --format json lists them");
    }
    text
}

fn json(case: &Case, mode: Mode, outcome: &Outcome, logs: &[Log]) -> Result<String> {
    let logs = logs
        .iter()
        .map(|log| json!({"address": log.address, "topics": log.topics(), "data": log.data.data}));
    let value = json!({
        "case": case.name,
        "mode": mode.name(),
        "fork": case.fork.name(),
        "status": outcome.status.name(),
        "gas_used": outcome.gas_used,
        "gas_left": outcome.gas_left,
        "refund": outcome.refund,
        "output": outcome.output,
        "output_hash": keccak256(&outcome.output),
        "logs": logs.collect::<Vec<_>>(),
    });
    Ok(json::write(&value)?)
}
