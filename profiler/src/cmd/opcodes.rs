//! `evmscope opcodes`: rankings of what a case executes, and the statistics of its translation.

use super::one_case;
use crate::cmd::args::{CaseDir, Format};
use crate::cmd::output::Answer;
use crate::measure::opcode_counts::{self, Census, Entry};
use anyhow::Result;
use clap::Args;
use evmscope_reports::format;
use std::fmt::Write;

#[derive(Args)]
pub struct Opcodes {
    /// Name of a case.
    pub case: String,
    #[command(flatten)]
    pub from: CaseDir,
    /// Output format.
    #[arg(long, default_value = "text")]
    pub format: Format,
}

pub fn run(args: &Opcodes) -> Result<Answer> {
    let (case, unreadable) = one_case(&args.from, &args.case)?;
    let census = opcode_counts::take(&case)?;
    let text = match args.format {
        Format::Text => text(&census),
        Format::Json => serde_json::to_string_pretty(&census)? + "\n",
    };
    Ok(Answer::of_readable(text, unreadable))
}

fn text(census: &Census) -> String {
    let Census {
        case,
        fork,
        executed,
        blocks,
        stack,
        translation,
        ..
    } = census;
    let mut text = format!(
        "{case} at {fork}: {} in {}\nstack: {:.1} words high on average, {} at most\n",
        format::count(*executed, "opcode"),
        format::count(*blocks, "block"),
        stack.mean,
        stack.max,
    );
    for (title, entries) in [
        ("opcodes", &census.opcodes),
        ("pairs", &census.pairs),
        ("triples", &census.triples),
        ("block lengths", &census.block_lengths),
    ] {
        text += &ranking(title, entries);
    }
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "\nadvanced, first call: {}, {} translated,\n{} to traditional, {} refused\n",
        format::count(translation.frames, "frame"),
        format::count(translation.translated, "entry point"),
        format::count(translation.resumed, "handover"),
        format::count(translation.refused, "frame"),
    );
    text
}

fn ranking(title: &str, entries: &[Entry]) -> String {
    let mut text = format!("\n{title:<40}{:>16}{:>10}\n", "count", "share");
    for Entry { name, count, share } in entries {
        let count = format::thousands(*count);
        let _ = writeln!(text, "{name:<40}{count:>16}{:>8.2} %", share * 100.0);
    }
    text
}
