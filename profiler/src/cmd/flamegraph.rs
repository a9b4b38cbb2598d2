//! `evmscope flamegraph`: where a contract spends gas, opcodes or time, down to its lines and opcodes.

use super::{known_contracts, one_case};
use crate::cmd::args::{CaseDir, SourceMaps, Tuning, modes};
use crate::cmd::output::{self, Answer, Document};
use crate::engines::EngineId;
use crate::engines::verify::{self, Verified};
use crate::measure::Sampling;
use crate::profile::collect::{self, Profiled};
use crate::profile::contracts::{self, Kind, Walk, Weighed};
use crate::profile::flamegraph::{self, Width};
use crate::symbols::Symbols;
use anyhow::{Context, Result};
use clap::Args;
use clap::ValueEnum;
use evmscope_interp::Mode;
use evmscope_reports::format;
use evmscope_reports::name::as_file_name;
use evmscope_reports::render::terminal::{self, Column::Figure, Column::Text};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the widths of a flamegraph show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Weight {
    /// Gas, exact.
    Gas,
    /// Opcodes executed, exact.
    Opcodes,
    /// CPU time, attributed by sample position.
    Time,
}

/// Output format of a flamegraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Drawing {
    /// A picture with zoom and search in a browser.
    Svg,
    /// One stack per line, with its weight.
    Folded,
}

#[derive(Args)]
pub struct Flamegraph {
    /// Name of a case.
    pub case: String,
    #[command(flatten)]
    pub from: CaseDir,
    /// What the widths show.
    #[arg(long, default_value = "gas")]
    pub weight: Weight,
    /// Mode to sample for `--weight time`.
    #[arg(long, value_name = "MODE", default_value_t = Mode::Advanced, value_parser = modes())]
    pub mode: Mode,
    /// Sampling time, ms.
    #[arg(long, value_name = "MS", default_value_t = 1_500, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub sample_ms: u64,
    /// Samples per second.
    #[arg(long, value_name = "N", default_value_t = 1_999, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub hz: u32,
    #[command(flatten)]
    pub maps: SourceMaps,
    #[command(flatten)]
    pub tuning: Tuning,
    /// Output format.
    #[arg(long, default_value = "svg")]
    pub format: Drawing,
    /// File to write [default: reports/out/CASE/flame-evm-WEIGHT.svg]; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Functions in the printed list.
const HEAVIEST: usize = 12;

pub fn run(args: &Flamegraph) -> Result<Answer> {
    let (case, unreadable) = one_case(&args.from, &args.case)?;
    let contracts = known_contracts(&case, &args.maps)?;
    // Checked before anything is measured.
    let document = match (args.format, &args.out) {
        (_, Some(path)) => Some(Document::at(path)?),
        (Drawing::Svg, None) => Some(Document::at_default(&default_path(args))?),
        (Drawing::Folded, None) => None,
    };
    let which = EngineId::from(args.mode);
    let mut verified = verify::verify(&case, &[which], args.tuning.settings())?;
    let walk = contracts::walk(&case, &contracts)?;
    let (width, weighed) = match args.weight {
        Weight::Gas => (Width::Gas, contracts::by_gas(&walk)),
        Weight::Opcodes => (Width::Opcodes, contracts::by_opcodes(&walk)),
        Weight::Time => {
            let Profiled {
                profile,
                attributed,
            } = sample(args, &mut verified)?;
            (Width::Time(profile), contracts::by_time(&walk, &attributed))
        }
    };

    let text = match args.format {
        Drawing::Svg => flamegraph::contracts(&case.name, &width, &weighed)?,
        Drawing::Folded => flamegraph::folded(&weighed.stacks).join("\n") + "\n",
    };
    let Some(document) = document else {
        return Ok(Answer::of_readable(text, unreadable));
    };
    let written = document.write(text);
    let text = summary(&width, &weighed, &walk, output::columns());
    Ok(Answer::of_readable(text, unreadable).with(written))
}

fn default_path(args: &Flamegraph) -> PathBuf {
    let weight = match args.weight {
        Weight::Gas => "gas".to_owned(),
        Weight::Opcodes => "opcodes".to_owned(),
        Weight::Time => args.mode.to_string(),
    };
    let folder = Path::new("reports/out").join(as_file_name(&args.case));
    folder.join(format!("flame-evm-{weight}.svg"))
}

fn sample(args: &Flamegraph, verified: &mut [Verified]) -> Result<Profiled> {
    let symbols = Symbols::of_this_process().context("cannot read the symbols of this program")?;
    let sampling = Sampling::new(args.hz, Duration::from_millis(args.sample_ms));
    let verified = verified.first_mut().context("no mode was verified")?;
    collect::profile(verified, sampling, &symbols)
}

/// The functions with the largest inclusive weight, and the contracts without a source map.
fn summary(width: &Width, weighed: &Weighed, walk: &Walk, columns: Option<u16>) -> String {
    let total: u64 = weighed.stacks.iter().map(|(_, weight)| weight).sum();
    let whole = match width {
        Width::Gas => format!("{} gas", format::thousands(walk.gas_used)),
        Width::Opcodes => format!("{} opcodes", format::thousands(total)),
        Width::Time(profile) => {
            let samples = format::count(profile.samples, "sample");
            format!("{samples} of {} by {}", profile.mode, profile.sampler)
        }
    };
    let title = format!("{whole}; inclusive shares:");
    let rows = inclusive(weighed).into_iter().take(HEAVIEST);
    let rows = rows.map(|(name, weight)| {
        let share = format::percent(weight as f64 / total.max(1) as f64);
        vec![format!("  {share}"), name.to_owned()]
    });
    let attributed = weighed.attributed.map(|share| {
        let share = format::percent(share);
        format!("{share} of the time attributed by sample position, the rest by opcode executions")
    });
    let unknown = (!walk.unknown.is_empty()).then(|| {
        let names = walk.unknown.join(", ");
        format!("no source map (see --source-map): {names}")
    });
    let remarks: Vec<_> = attributed.into_iter().chain(unknown).collect();
    let mut text = terminal::prose([title.as_str()], columns);
    text += &terminal::listing(&[Figure, Text], rows, columns);
    if !remarks.is_empty() {
        text += &terminal::prose(remarks.iter().map(String::as_str), columns);
    }
    text
}

/// Calls and functions by inclusive weight, heaviest first. Recursion counts once per stack.
fn inclusive(weighed: &Weighed) -> Vec<(&str, u64)> {
    let is_function =
        |name: &&str| matches!(weighed.kinds.get(*name), Some(Kind::Call | Kind::Function));
    let mut weights = BTreeMap::<&str, u64>::new();
    for (stack, weight) in &weighed.stacks {
        let names: BTreeSet<_> = stack.split(';').filter(is_function).collect();
        for name in names {
            *weights.entry(name).or_default() += weight;
        }
    }
    let mut weights: Vec<_> = weights.into_iter().collect();
    weights.sort_by_key(|&(name, weight)| (std::cmp::Reverse(weight), name));
    weights
}
