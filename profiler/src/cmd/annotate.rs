//! `evmscope annotate`: the machine code of an opcode's handlers, with the samples of a case.

use super::one_case;
use crate::cli::Annotate;
use crate::disassembly::{self, Instruction};
use crate::engine::Which;
use crate::measure::{self, Sampling};
use crate::opcodes::opcode_of;
use crate::output::Answer;
use crate::sampling::{Precision, Samples};
use crate::symbols::{Function, Symbols};
use crate::verify;
use anyhow::{Context, Result, bail};
use evmscope_reports::format;
use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

pub fn run(args: &Annotate) -> Result<Answer> {
    if !disassembly::AVAILABLE {
        bail!(
            "this is a build for {}, and disassembly is for x86-64 only",
            std::env::consts::ARCH
        );
    }
    let (case, unreadable) = one_case(&args.from, &args.case)?;
    let symbols = Symbols::of_this_process().context("cannot read the symbols of this program")?;
    let of_mode = format!("{} ", args.mode);
    let handlers = symbols
        .functions(|name| name.starts_with(&of_mode) && opcode_of(name) == Some(args.opcode));
    if handlers.is_empty() {
        bail!(
            "no function of this binary is a handler of {} in mode {}: the binary has no symbols, or the mode \
             runs this opcode inside others",
            args.opcode,
            args.mode
        );
    }
    let mut verified = verify::verify(&case, &[Which::Ours(args.mode)], args.tuning.settings())?;
    let verified = verified.first_mut().context("no mode was verified")?;
    let sampling = Sampling {
        hz: args.hz,
        budget: Duration::from_millis(args.sample_ms),
    };
    let samples = measure::sample_calls(verified, sampling)?;
    if samples.sampler.precision() == Precision::Function {
        bail!(
            "{} tells functions, not instructions: `evmscope doctor` says what keeps perf_event_open away",
            samples.sampler.name()
        );
    }
    let text = text(args, handlers, &samples, &symbols);
    Ok(Answer::of_readable(text, unreadable))
}

/// A handler and the samples that fell on it.
struct Sampled {
    function: Function,
    samples: u64,
}

fn text(args: &Annotate, handlers: Vec<Function>, samples: &Samples, symbols: &Symbols) -> String {
    let mut at = HashMap::<u64, u64>::new();
    for sample in &samples.stacks {
        *at.entry(sample.ip).or_default() += 1;
    }
    let mut sampled: Vec<_> = handlers
        .into_iter()
        .map(|function| Sampled {
            samples: bytes(&function)
                .filter_map(|address| at.get(&address))
                .sum(),
            function,
        })
        .collect();
    sampled.sort_by_key(|it| (std::cmp::Reverse(it.samples), it.function.address));
    let hit: u64 = sampled.iter().map(|it| it.samples).sum();
    let size: usize = sampled.iter().map(|it| it.function.code.len()).sum();
    let share = |part: u64| format::percent(part as f64 / samples.taken.max(1) as f64);
    let mut text = format!(
        "{} {} in {}: {} of {} ({}) by {}\n{} of code in {}; a sample stands at the instruction that would \
         run next\n",
        args.mode,
        args.opcode,
        args.case,
        format::thousands(hit),
        format::count(samples.taken, "sample"),
        share(hit),
        samples.sampler.name(),
        format::bytes(size as u64),
        format::count(sampled.len() as u64, "handler"),
    );
    for Sampled { function, samples } in sampled.iter().filter(|it| it.samples > 0) {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "\n{}, {} bytes, {} ({})",
            function.name,
            function.code.len(),
            format::count(*samples, "sample"),
            share(*samples),
        );
        text += &listing(function, &at, symbols);
    }
    let silent: Vec<_> = sampled.iter().filter(|it| it.samples == 0).collect();
    if !silent.is_empty() {
        let _ = writeln!(text, "\nwithout a sample:");
    }
    for Sampled { function, .. } in silent {
        let _ = writeln!(text, "  {}, {} bytes", function.name, function.code.len());
    }
    text
}

fn bytes(function: &Function) -> std::ops::Range<u64> {
    function.address..function.address + function.code.len() as u64
}

/// An instruction a line: its samples, its offset in the function, itself, and the source where that changes.
fn listing(function: &Function, at: &HashMap<u64, u64>, symbols: &Symbols) -> String {
    let mut text = String::new();
    let mut last = None;
    for instruction in disassembly::instructions(&function.code, function.address) {
        let Instruction {
            address, length, ..
        } = instruction;
        let samples: u64 = (address..address + length as u64)
            .filter_map(|byte| at.get(&byte))
            .sum();
        let samples = match samples {
            0 => String::new(),
            samples => format::thousands(samples),
        };
        let source = symbols.line(address);
        let shown = source.as_ref().filter(|_| source != last);
        let place = shown.map_or_else(String::new, |(file, line)| {
            let file = file.rsplit('/').next().unwrap_or(file);
            format!("  ; {file}:{line}")
        });
        let line = format!(
            "{samples:>8}  {:>5x}  {:<52}{place}",
            address - function.address,
            shown_text(&instruction, function, symbols),
        );
        let _ = writeln!(text, "{}", line.trim_end());
        last = source;
    }
    text
}

/// The instruction, the target of a jump or call by offset within the function, elsewhere by name.
fn shown_text(instruction: &Instruction, function: &Function, symbols: &Symbols) -> String {
    let Some(target) = instruction.target else {
        return instruction.text.clone();
    };
    let mnemonic = instruction.text.split(' ').next().unwrap_or_default();
    if bytes(function).contains(&target) {
        return format!("{mnemonic} {:x}", target - function.address);
    }
    let frames = symbols.frames(target);
    let name = frames
        .first()
        .map_or("[unknown]", |frame| frame.function.as_str());
    format!("{mnemonic} {name}")
}
