//! `evmscope annotate`: the machine code of an opcode's handlers, with the samples of a case.

use super::one_case;
use crate::cmd::args::{CaseDir, Tuning, modes};
use crate::cmd::output::{self, Answer};
use crate::engines::EngineId;
use crate::engines::verify;
use crate::instruments::sampling::Samples;
use crate::measure::sample::{Sampling, sample_calls};
use crate::symbols::disassembly::{self, Instruction};
use crate::symbols::handlers::HandlerName;
use crate::symbols::{Function, Symbols};
use anyhow::{Context, Result, bail};
use clap::Args;
use evmscope_interp::Mode;
use evmscope_interp::Opcode;
use evmscope_reports::format;
use evmscope_reports::render::terminal::{self, Column::Figure, Column::Text};
use std::collections::HashMap;
use std::time::Duration;

#[derive(Args)]
pub struct Annotate {
    /// Name of a case.
    pub case: String,
    /// Mnemonic of an opcode, such as MLOAD.
    #[arg(value_parser = opcode)]
    pub opcode: Opcode,
    #[command(flatten)]
    pub from: CaseDir,
    /// Mode of the handlers.
    #[arg(long, value_name = "MODE", default_value_t = Mode::Advanced, value_parser = modes())]
    pub mode: Mode,
    /// Sampling time, ms.
    #[arg(long, value_name = "MS", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub sample_ms: u64,
    /// Samples per second.
    #[arg(long, value_name = "N", default_value_t = 4_999, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub hz: u32,
    #[command(flatten)]
    pub tuning: Tuning,
}

/// Parses a mnemonic, ignoring case. The error suggests similar ones.
fn opcode(text: &str) -> Result<Opcode, String> {
    let name = text.to_uppercase();
    Opcode::from_name(&name).ok_or_else(|| {
        let known = (0..=255).map(Opcode).filter(|it| it.info().is_some());
        let mut alike: Vec<_> = known
            .map(|it| {
                (
                    strsim::normalized_damerau_levenshtein(&name, &it.to_string()),
                    it,
                )
            })
            .collect();
        alike.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let alike = alike
            .iter()
            .take(3)
            .filter(|(likeness, _)| *likeness >= 0.5);
        let names: Vec<_> = alike.map(|(_, it)| it.to_string()).collect();
        match names.is_empty() {
            true => "no such opcode: `evmscope opcodes CASE` lists those of a case".to_owned(),
            false => format!("no such opcode: did you mean {}?", names.join(" or ")),
        }
    })
}

pub fn run(args: &Annotate) -> Result<Answer> {
    if !disassembly::AVAILABLE {
        bail!(
            "this is a build for {}, and disassembly is for x86-64 only",
            std::env::consts::ARCH
        );
    }
    let (case, unreadable) = one_case(&args.from, &args.case)?;
    let symbols = Symbols::of_this_process().context("cannot read the symbols of this program")?;
    let asked = |it: HandlerName| it.mode == args.mode && it.opcode == args.opcode;
    let handlers = symbols.functions(|name| HandlerName::of_frame(name).is_some_and(asked));
    if handlers.is_empty() {
        bail!(
            "no function of this binary is a handler of {} in mode {}: the binary has no symbols, or the mode \
             runs this opcode inside others",
            args.opcode,
            args.mode
        );
    }
    let mut verified = verify::verify(&case, &[EngineId::from(args.mode)], args.tuning.settings())?;
    let verified = verified.first_mut().context("no mode was verified")?;
    let sampling = Sampling::new(args.hz, Duration::from_millis(args.sample_ms));
    let samples = sample_calls(verified, sampling)?;
    let text = text(args, handlers, &samples, &symbols, output::columns());
    Ok(Answer::of_readable(text, unreadable))
}

/// A handler and its number of samples.
struct Sampled {
    function: Function,
    samples: u64,
}

/// Samples by address.
type Hits = HashMap<u64, u64>;

fn text(
    args: &Annotate,
    handlers: Vec<Function>,
    samples: &Samples,
    symbols: &Symbols,
    width: Option<u16>,
) -> String {
    let mut at = Hits::new();
    for sample in &samples.stacks {
        *at.entry(sample.ip).or_default() += 1;
    }
    let sampled = by_samples(handlers, &at);
    let share = |part: u64| format::percent(part as f64 / samples.taken.max(1) as f64);
    let hit: u64 = sampled.iter().map(|it| it.samples).sum();
    let size: usize = sampled.iter().map(|it| it.function.code.len()).sum();
    let head = format!(
        "{} {} in {}: {} of {} ({}) by {}\n{} of code in {}; a sample is shown at the next instruction \
         to run",
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
    let prose = |text: &str| terminal::prose(text.lines(), width);
    let mut text = prose(&head);
    let (hot, silent): (Vec<_>, Vec<_>) = sampled.iter().partition(|it| it.samples > 0);
    for Sampled { function, samples } in hot {
        let title = format!(
            "\n{}, {} bytes, {} ({})",
            function.name,
            function.code.len(),
            format::count(*samples, "sample"),
            share(*samples),
        );
        text += &prose(&title);
        text += &listing(function, &at, symbols, width);
    }
    if !silent.is_empty() {
        let lines = silent.iter().map(|Sampled { function, .. }| {
            format!("\n  {}, {} bytes", function.name, function.code.len())
        });
        text += &prose(&format!("\nwithout samples:{}", lines.collect::<String>()));
    }
    text
}

/// The handlers, those with most samples first.
fn by_samples(handlers: Vec<Function>, at: &Hits) -> Vec<Sampled> {
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
    sampled
}

fn bytes(function: &Function) -> std::ops::Range<u64> {
    function.address..function.address + function.code.len() as u64
}

/// One instruction per line: samples, offset in the function, text, and the source line when it changes.
fn listing(function: &Function, at: &Hits, symbols: &Symbols, width: Option<u16>) -> String {
    let mut rows = Vec::new();
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
            format!("; {file}:{line}")
        });
        let offset = format!("{:x}", address - function.address);
        let instruction = shown_text(&instruction, function, symbols);
        rows.push(vec![samples, offset, instruction, place]);
        last = source;
    }
    terminal::listing(&[Figure, Figure, Text, Text], rows, width)
}

/// The instruction's text. Jump and call targets are offsets within the function, else function names.
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
