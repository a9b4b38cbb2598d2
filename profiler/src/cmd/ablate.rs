//! `evmscope ablate`: the effect of each technique of the advanced mode on a case, in simulated instructions.

use super::{dir, one_case};
use crate::cmd::args::{CaseDir, Format, Tuning};
use crate::cmd::output::{self, Answer};
use crate::measure::ablation::{self, Ablation};
use anyhow::Result;
use clap::Args;
use evmscope_interp::Technique;
use evmscope_reports::format;
use evmscope_reports::render::json;
use std::fmt::Write;

#[derive(Args)]
pub struct Ablate {
    /// Name of a case.
    pub case: String,
    #[command(flatten)]
    pub from: CaseDir,
    #[command(flatten)]
    pub tuning: Tuning,
    /// Output format.
    #[arg(long, default_value = "text")]
    pub format: Format,
}

pub fn run(args: &Ablate) -> Result<Answer> {
    let (case, unreadable) = one_case(&args.from, &args.case)?;
    let bar = output::progress(Technique::ALL.len() as u64 + 1, "simulating");
    let ablation = ablation::ablate(&case, &dir(&args.from), args.tuning.settings(), |what| {
        bar.set_message(what.to_owned());
        bar.inc(1);
    })?;
    bar.finish_and_clear();
    let text = match args.format {
        Format::Text => text(&ablation),
        Format::Json => json::write(&ablation)?,
    };
    Ok(Answer::of_readable(text, unreadable))
}

fn text(ablation: &Ablation) -> String {
    let Ablation {
        case,
        keccak_memo,
        instructions,
        without,
        ..
    } = ablation;
    let mut text = format!(
        "{case}, advanced: {} simulated instructions per warm call; keccak memo: {keccak_memo}\n\n{:<12}{:>14}{:>10}\n",
        format::thousands(*instructions),
        "without",
        "instructions",
        "change",
    );
    for row in without {
        let change = row.instructions as f64 / *instructions as f64 - 1.0;
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{:<12}{:>14}{:>+8.1} %  {}",
            row.technique,
            format::thousands(row.instructions),
            change * 100.0,
            row.what,
        );
    }
    text
}
