//! The command line: verbs, options and how they are read. What a verb does has a file in `cmd`.

use crate::engine::Which;
use clap::{Args, Parser, Subcommand, ValueEnum};
use evmscope_interp::{Fork, Mode};
use std::path::PathBuf;

/// Know where every cycle of an EVM interpreter goes, and prove that a change helped.
#[derive(Parser)]
#[command(name = "evmscope", version, about, max_term_width = 100)]
pub struct Cli {
    /// When to colour.
    #[arg(long, global = true, default_value = "auto", value_name = "WHEN")]
    pub color: Color,

    #[command(subcommand)]
    pub verb: Verb,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    Always,
    Never,
}

/// How to print a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

#[derive(Subcommand)]
pub enum Verb {
    /// List the cases.
    List(List),
    /// Run a case or a piece of code once and print what comes of it.
    Run(Run),
    /// Time cases in several modes, in shuffled pairs.
    Bench(Bench),
    /// Time, count, sample and simulate one case in two modes, and write the reports.
    Profile(Profile),
    /// Assemble a source and print the code as hex.
    Assemble(Assemble),
    /// List code as opcodes.
    Disassemble(Disassemble),
    /// Say what this machine can measure, and what would enable the rest.
    Doctor,
    /// One call of a case, for the simulator to watch.
    #[command(name = crate::measure::CHILD, hide = true)]
    Simulated(Simulated),
}

/// Where cases come from.
#[derive(Args)]
pub struct CaseDir {
    /// Folder of cases, in this project's layout, as published builds, or in evm-bench's.
    #[arg(long, value_name = "PATH")]
    pub case_dir: Option<PathBuf>,
}

#[derive(Args)]
pub struct List {
    #[command(flatten)]
    pub from: CaseDir,
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Args)]
pub struct Run {
    /// Name of a case.
    #[arg(required_unless_present = "code", conflicts_with = "code")]
    pub case: Option<String>,
    #[command(flatten)]
    pub from: CaseDir,
    /// Code to run in the place of a case, hex, or @FILE with hex in it.
    #[arg(long, value_name = "HEX|@FILE")]
    pub code: Option<String>,
    /// Call data, hex, or @FILE.
    #[arg(
        long,
        value_name = "HEX|@FILE",
        default_value = "",
        requires = "code",
        hide_default_value = true
    )]
    pub input: String,
    /// Gas of the message.
    #[arg(
        long,
        default_value_t = 30_000_000,
        requires = "code",
        allow_negative_numbers = true
    )]
    pub gas: u64,
    /// Fork of the main net, from frontier to osaka.
    #[arg(long, default_value_t = Fork::default(), requires = "code")]
    pub fork: Fork,
    /// Mode: traditional or advanced.
    #[arg(long, default_value_t = Mode::Advanced)]
    pub mode: Mode,
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Args)]
pub struct Bench {
    /// Names of cases; all where none is given.
    pub cases: Vec<String>,
    #[command(flatten)]
    pub from: CaseDir,
    /// Modes to compare, the first one the base.
    #[arg(long, value_delimiter = ',', default_value = "traditional,advanced")]
    pub modes: Vec<Which>,
    /// Samples of each mode.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub pairs: u32,
    /// Write the run as JSON.
    #[arg(long, value_name = "FILE")]
    pub export_json: Option<PathBuf>,
    /// Write the table as Markdown.
    #[arg(long, value_name = "FILE")]
    pub export_markdown: Option<PathBuf>,
}

#[derive(Args)]
pub struct Profile {
    /// Name of a case.
    pub case: String,
    #[command(flatten)]
    pub from: CaseDir,
    /// The mode compared against.
    #[arg(long, default_value = "traditional")]
    pub base: Which,
    /// The mode under test.
    #[arg(long, default_value = "advanced")]
    pub head: Which,
    /// Samples of each mode's time.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub pairs: u32,
    /// Samples a second for the flamegraphs.
    #[arg(long, default_value_t = 1_999, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub hz: u32,
    /// Leave out the simulated counters, which take the longest.
    #[arg(long)]
    pub no_simulate: bool,
    /// Folder for the reports.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[derive(Args)]
pub struct Assemble {
    /// Source file; docs/ARCHITECTURE.md has the syntax.
    pub file: PathBuf,
}

#[derive(Args)]
pub struct Disassemble {
    /// Code, hex, or @FILE with hex in it.
    #[arg(value_name = "HEX|@FILE")]
    pub code: String,
}

#[derive(Args)]
pub struct Simulated {
    pub case: String,
    #[command(flatten)]
    pub from: CaseDir,
    #[arg(long)]
    pub mode: Which,
}
