//! `evmscope run`: one execution of a case or of code, and what came of it. A revert or a failure is a
//! result like any other.

use super::one_case;
use crate::case::{Case, Scene, parse_hex};
use crate::cli::{Format, Run};
use crate::eip3155::Lines;
use crate::output::{self, Answer};
use crate::telemetry::Sink;
use crate::verify::count_opcodes;
use alloy_primitives::{Bytes, Log};
use anyhow::{Context, Result};
use evmscope_interp::{Host, Interpreter, Mode, Outcome, Settings, Status, keccak256, telemetry};
use evmscope_reports::format;
use serde_json::json;
use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, BufWriter};

pub fn run(args: &Run) -> Result<Answer> {
    let (case, unreadable) = match (&args.case, &args.code) {
        (Some(name), _) => one_case(&args.from, name)?,
        (None, code) => {
            let code = bytes(code.as_deref().unwrap_or_default(), "--code")?;
            let case = Case::ad_hoc(code, bytes(&args.input, "--input")?, args.gas, args.fork);
            (case, Vec::new())
        }
    };
    Ok(Answer::of_readable(execute(args, &case)?, unreadable))
}

/// Runs the case; what is printed of it.
fn execute(args: &Run, case: &Case) -> Result<String> {
    let mut scene = case.scene()?;
    if args.dump_ir {
        let mut interpreter =
            Interpreter::with_settings(Mode::Advanced, case.fork, Settings::eager());
        let code = scene.world.code(scene.message.code_address);
        interpreter.execute(scene.message, &mut scene.world);
        return Ok(interpreter.listing(&code));
    }
    let mut interpreter = Interpreter::with_settings(args.mode, case.fork, args.tuning.settings());
    let sink = args.metrics.as_deref().map(Sink::to).transpose()?;
    let outcome = match &args.trace {
        None => interpreter.execute(scene.message, &mut scene.world),
        Some(to) => {
            if args.mode == Mode::Advanced {
                output::complain("note: a traced run takes the traditional mode\n");
            }
            let Some(path) = to else {
                let written = trace(&mut interpreter, &mut scene, io::stdout().lock());
                output::unless_unread(written.map(drop))?;
                return Ok(String::new());
            };
            let place = || format!("cannot write {}", path.display());
            // A stream, not a report: the part before an interruption is worth having, and pipes and
            // devices must do.
            let file = File::create(path).with_context(place)?;
            trace(&mut interpreter, &mut scene, file).with_context(place)?
        }
    };
    let logs: Vec<Log> = if outcome.status == Status::Success {
        scene.world.logs().map(Log::from).collect()
    } else {
        Vec::new()
    };
    let mode = if args.trace.is_some() {
        Mode::Traditional
    } else {
        args.mode
    };
    if let Some(sink) = sink {
        telemetry::message(mode, &outcome);
        // By a traced run of its own: no mode counts them.
        telemetry::opcodes(mode, count_opcodes(&case.scene()?, case));
        telemetry::programs(&interpreter);
        sink.write()?;
    }
    match args.format {
        Format::Text => Ok(text(case, mode, &outcome, &logs)),
        Format::Json => Ok(json(case, mode, &outcome, &logs)?),
    }
}

/// Runs the message and writes its steps.
fn trace(
    interpreter: &mut Interpreter,
    scene: &mut Scene,
    out: impl io::Write,
) -> io::Result<Outcome> {
    let mut lines = Lines::new(BufWriter::new(out));
    let world = &mut scene.world;
    let outcome = interpreter.trace(scene.message.clone(), world, &mut lines);
    let fork = interpreter.fork();
    world.end_transaction(fork);
    lines.finish(&outcome, world.state_root(), fork)?;
    Ok(outcome)
}

/// Hex digits, or those in a file named after an `@`.
pub(super) fn bytes(text: &str, option: &str) -> Result<Bytes> {
    match text.strip_prefix('@') {
        Some(path) => {
            let text = fs::read_to_string(path)
                .with_context(|| format!("{option}: cannot read {path}"))?;
            parse_hex(&text, &format!("{option}: {path}"))
        }
        None => parse_hex(text, option),
    }
}

/// Logs that text shows: with thousands of them, nobody would see the status.
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
    Ok(serde_json::to_string_pretty(&value)? + "\n")
}
