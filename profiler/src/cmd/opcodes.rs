//! `evmscope opcodes`: rankings of what a case executes, and the statistics of its translation.

use super::one_case;
use crate::cmd::args::{CaseDir, Format};
use crate::cmd::output::{self, Answer};
use crate::measure::opcode_counts::{self, Census, Entry};
use anyhow::Result;
use clap::Args;
use evmscope_reports::format;
use evmscope_reports::render::json;
use evmscope_reports::render::terminal::{self, Column::Figure, Column::Text};

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
        Format::Text => text(&census, output::columns()),
        Format::Json => json::write(&census)?,
    };
    Ok(Answer::of_readable(text, unreadable))
}

fn text(census: &Census, width: Option<u16>) -> String {
    let Census {
        case,
        fork,
        executed,
        blocks,
        stack,
        translation,
        ..
    } = census;
    let head = format!(
        "{case} at {fork}: {} in {}\nstack: {:.1} words high on average, {} at most\n",
        format::count(*executed, "opcode"),
        format::count(*blocks, "block"),
        stack.mean,
        stack.max,
    );
    let rankings = [
        ("opcodes", &census.opcodes),
        ("pairs", &census.pairs),
        ("triples", &census.triples),
        ("block lengths", &census.block_lengths),
    ];
    let rows = rankings
        .iter()
        .flat_map(|(title, entries)| ranking(title, entries));
    let rankings = terminal::listing(&[Text, Figure, Figure], rows, width);
    let tail = format!(
        "advanced, first call: {}, {} translated,\n{} to traditional, {} refused",
        format::count(translation.frames, "frame"),
        format::count(translation.translated, "entry point"),
        format::count(translation.resumed, "handover"),
        format::count(translation.refused, "frame"),
    );
    let [head, tail] = [head, tail].map(|text| terminal::prose(text.lines(), width));
    format!("{head}{rankings}\n{tail}")
}

fn ranking(title: &str, entries: &[Entry]) -> Vec<Vec<String>> {
    let header = [title, "count", "share"].map(str::to_owned).to_vec();
    let row = |Entry { name, count, share }: &Entry| {
        let share = format!("{:.2} %", share * 100.0);
        vec![name.clone(), format::thousands(*count), share]
    };
    let head = [vec![String::new()], header];
    head.into_iter().chain(entries.iter().map(row)).collect()
}
