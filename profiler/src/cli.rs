//! The command line: verbs, options and how they are read. What a verb does has a file in `cmd`.

use crate::engine::Which;
use crate::output;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{ArgGroup, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use evmscope_interp::{Fork, KeccakMemo, Mode, Opcode, Settings, UnknownFork, statetest};
use regex::Regex;
use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

/// Exit code of a command line that cannot be understood.
const USAGE: u8 = 2;

/// Reads the arguments of this process. Help and version end it, and so does a usage error: its line,
/// then the usage of the verb.
pub fn parse() -> Result<Cli, ExitCode> {
    let parsed = Cli::try_parse().and_then(|cli| match cli.verb.contradiction() {
        None => Ok(cli),
        Some(text) => Err(Cli::command().error(ErrorKind::ValueValidation, text)),
    });
    parsed.map_err(|error| match error.kind() {
        // Without any argument, the help says more than an error.
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
        _ => {
            output::complain(&usage_error(&error, std::env::args_os()));
            ExitCode::from(USAGE)
        }
    })
}

/// clap's message in one line, its tip, and the usage, which clap leaves out where a value is wrong.
fn usage_error(error: &clap::Error, arguments: impl Iterator<Item = OsString>) -> String {
    let text = error.render().to_string();
    let one_line = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut parts = text.split("\n\n");
    let message = one_line(parts.next().unwrap_or_default());
    let tips: String = parts
        .filter(|part| part.trim_start().starts_with("tip:"))
        .map(|tip| format!("  {}\n", one_line(tip)))
        .collect();

    let mut command = Cli::command();
    command.build();
    let mut verbs = arguments.skip(1).filter_map(|a| command.find_subcommand(a));
    let mut command = verbs.next().unwrap_or(&command).clone();
    let usage = command.render_usage();
    let name = command.get_bin_name().unwrap_or("evmscope");
    format!("{message}\n{tips}\n{usage}\n\nFor more information, try '{name} --help'.\n")
}

/// A value out of a list of names, which the help and the errors then show.
fn one_of<T>(names: Vec<&'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err: Into<Box<dyn Error + Send + Sync>>> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}

fn modes() -> impl TypedValueParser<Value = Mode> {
    one_of(Mode::ALL.iter().map(|mode| mode.name()).collect())
}

fn engines() -> impl TypedValueParser<Value = Which> {
    one_of(Which::ALL.iter().map(|which| which.name()).collect())
}

fn forks() -> impl TypedValueParser<Value = Fork> {
    one_of(Fork::ALL.iter().map(|fork| fork.name()).collect())
}

fn memos() -> impl TypedValueParser<Value = KeccakMemo> {
    one_of(KeccakMemo::ALL.iter().map(|memo| memo.name()).collect())
}

fn budget(text: &str) -> Result<f64, String> {
    let usable = |budget: &f64| budget.is_finite() && *budget > 0.0;
    let budget = text.parse().ok().filter(usable);
    budget.ok_or_else(|| "use a number above 0, such as 4 or 2.5".to_owned())
}

/// The interpreter holds no more gas than an `i64`, and nobody should get less than was asked for.
fn gas(text: &str) -> Result<u64, String> {
    const MOST: u64 = i64::MAX as u64;
    let whole = text.parse().ok().filter(|gas| *gas <= MOST);
    whole.ok_or_else(|| format!("use a whole number from 0 to {MOST}"))
}

/// Know where every cycle of an EVM interpreter goes, and prove that a change helped.
#[derive(Parser)]
#[command(name = "evmscope", version, about, max_term_width = 100)]
pub struct Cli {
    /// When to colour; auto: on a terminal, unless NO_COLOR is set.
    #[arg(long, global = true, default_value = "auto", value_name = "WHEN")]
    pub color: Color,

    #[command(subcommand)]
    pub verb: Verb,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
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
    /// Time, count, sample and simulate a case; write the reports.
    Profile(Profile),
    /// Draw where a contract spends gas, opcodes or time: its functions, lines and opcodes.
    Flamegraph(Flamegraph),
    /// Disassemble the handler of an opcode, with the samples of a case beside each instruction.
    Annotate(Annotate),
    /// Rank the opcodes, pairs, triples and blocks that a case executes.
    Opcodes(Opcodes),
    /// Give a run out in the format of another tool.
    Export(Export),
    /// Run official state tests; compare exceptions, logs and state roots.
    #[command(after_help = COUNTING)]
    Statetest(Statetest),
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

impl Verb {
    /// What is wrong with options that are each right by themselves.
    fn contradiction(&self) -> Option<String> {
        match self {
            Verb::Bench(Bench { modes, .. }) => {
                let twice = (1..modes.len()).find(|&i| modes[..i].contains(&modes[i]))?;
                Some(format!("mode {} is named twice in --modes", modes[twice]))
            }
            Verb::Profile(Profile { base, head, .. }) if base == head => {
                Some(format!("--base and --head are both {base}: name two modes"))
            }
            _ => None,
        }
    }
}

/// Where cases come from.
#[derive(Args)]
pub struct CaseDir {
    /// Folder of cases: NAME/case.toml, NAME.runtime.hex, or evm-bench's [default: cases].
    #[arg(long, value_name = "PATH")]
    pub case_dir: Option<PathBuf>,
}

/// How the interpreter works; no result depends on it.
#[derive(Args)]
pub struct Tuning {
    /// Modes that remember hashes of 32 and 64 bytes for the rest of a message.
    #[arg(long, value_name = "MODES", default_value_t = Settings::default().keccak_memo, value_parser = memos())]
    pub keccak_memo: KeccakMemo,
    /// Most decoded bytes that the advanced mode keeps for a byte of code.
    #[arg(
        long,
        value_name = "X",
        default_value_t = Settings::default().budget,
        allow_negative_numbers = true,
        value_parser = budget
    )]
    pub budget: f64,
}

impl Tuning {
    pub fn settings(&self) -> Settings {
        Settings {
            keccak_memo: self.keccak_memo,
            budget: self.budget,
            ..Settings::default()
        }
    }
}

#[derive(Args)]
pub struct List {
    #[command(flatten)]
    pub from: CaseDir,
    /// How to print.
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Args)]
#[command(group = ArgGroup::new("what").required(true).args(["case", "code"]))]
#[command(mut_arg("case_dir", |arg| arg.conflicts_with("code")))]
#[command(mut_args(|arg| match arg.get_id().as_str() {
    // The listing shows all that could be translated, whatever it takes.
    "budget" | "keccak_memo" => arg.conflicts_with("dump_ir"),
    _ => arg,
}))]
pub struct Run {
    /// Name of a case; it brings its input, gas and fork.
    pub case: Option<String>,
    #[command(flatten)]
    pub from: CaseDir,
    /// Code to run in place of a case: hex, or @FILE with hex in it.
    #[arg(long, value_name = "HEX|@FILE")]
    pub code: Option<String>,
    /// Call data for the code: hex, or @FILE [default: none].
    #[arg(
        long,
        value_name = "HEX|@FILE",
        default_value = "",
        conflicts_with = "case",
        hide_default_value = true
    )]
    pub input: String,
    /// Gas for the code.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 30_000_000,
        conflicts_with = "case",
        allow_negative_numbers = true,
        value_parser = gas
    )]
    pub gas: u64,
    /// Rules for the code.
    #[arg(long, default_value_t = Fork::default(), conflicts_with = "case", value_parser = forks())]
    pub fork: Fork,
    /// How to run it.
    #[arg(long, default_value_t = Mode::Advanced, value_parser = modes())]
    pub mode: Mode,
    #[command(flatten)]
    pub tuning: Tuning,
    /// How to print.
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// Write each step as a JSON line (EIP-3155), in place of the result or to FILE.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub trace: Option<Option<PathBuf>>,

    /// Print what the advanced mode makes of the code, entry by entry, beside its opcodes
    #[arg(long, conflicts_with_all = ["trace", "format"])]
    pub dump_ir: bool,
}

#[derive(Args)]
pub struct Bench {
    /// Names of cases [default: all].
    #[arg(value_name = "CASE")]
    pub cases: Vec<String>,
    #[command(flatten)]
    pub from: CaseDir,
    /// Modes to compare, with commas between them; the first is the base.
    #[arg(
        long,
        value_name = "MODE,..",
        value_delimiter = ',',
        default_value = "traditional,advanced",
        value_parser = engines()
    )]
    pub modes: Vec<Which>,
    /// Samples of each mode, of about 10 ms.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub pairs: u32,
    /// Time first calls: nothing decoded, nothing remembered; jumpdests are known, as they are to all modes.
    #[arg(long)]
    pub cold: bool,
    #[command(flatten)]
    pub tuning: Tuning,
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
    #[arg(required_unless_present = "perf_data")]
    pub case: Option<String>,
    /// Show a recording of another program, which `perf record` wrote, in place of a case.
    #[arg(long, value_name = "FILE", conflicts_with = "case")]
    pub perf_data: Option<PathBuf>,
    #[command(flatten)]
    pub from: CaseDir,
    /// The mode compared against.
    #[arg(long, value_name = "MODE", default_value = "traditional", value_parser = engines())]
    pub base: Which,
    /// The mode under test.
    #[arg(long, value_name = "MODE", default_value = "advanced", value_parser = engines())]
    pub head: Which,
    /// Samples of each mode's time, of about 10 ms.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub pairs: u32,
    /// Time to sample each mode for its flamegraph, ms.
    #[arg(long, value_name = "MS", default_value_t = 1_500, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub sample_ms: u64,
    /// Samples a second for the flamegraphs.
    #[arg(long, value_name = "N", default_value_t = 1_999, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub hz: u32,
    /// Leave out the simulated counters, which take the longest.
    #[arg(long)]
    pub no_simulate: bool,
    #[command(flatten)]
    pub maps: SourceMaps,
    #[command(flatten)]
    pub tuning: Tuning,
    /// Folder for the reports [default: reports/out/CASE, or reports/out/perf-data].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// What is known of contracts beyond what lies beside a case.
#[derive(Args)]
pub struct SourceMaps {
    /// The compiler's standard JSON output, or a build-info file of Foundry or Hardhat; may be repeated.
    #[arg(long = "source-map", value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// What the widths of a flamegraph are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Weight {
    /// Gas, exact.
    Gas,
    /// Opcodes executed, exact.
    Opcodes,
    /// CPU time: that of each opcode, sampled, spread evenly over its executions.
    Time,
}

/// How to give a flamegraph out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Drawing {
    /// A picture that zooms and searches in a browser.
    Svg,
    /// A stack a line and its weight.
    Folded,
}

#[derive(Args)]
pub struct Flamegraph {
    /// Name of a case.
    pub case: String,
    #[command(flatten)]
    pub from: CaseDir,
    /// What the widths are.
    #[arg(long, default_value = "gas")]
    pub weight: Weight,
    /// The mode that is sampled for the weight `time`.
    #[arg(long, value_name = "MODE", default_value_t = Mode::Advanced, value_parser = modes())]
    pub mode: Mode,
    /// Time to sample, ms.
    #[arg(long, value_name = "MS", default_value_t = 1_500, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub sample_ms: u64,
    /// Samples a second.
    #[arg(long, value_name = "N", default_value_t = 1_999, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub hz: u32,
    #[command(flatten)]
    pub maps: SourceMaps,
    #[command(flatten)]
    pub tuning: Tuning,
    /// How to give it out.
    #[arg(long, default_value = "svg")]
    pub format: Drawing,
    /// File to write [default: reports/out/CASE/flame-evm-WEIGHT.svg].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Args)]
pub struct Annotate {
    /// Name of a case.
    pub case: String,
    /// Mnemonic of an opcode, such as MLOAD.
    #[arg(value_parser = opcode)]
    pub opcode: Opcode,
    #[command(flatten)]
    pub from: CaseDir,
    /// The mode whose handler it is.
    #[arg(long, value_name = "MODE", default_value_t = Mode::Advanced, value_parser = modes())]
    pub mode: Mode,
    /// Time to sample, ms.
    #[arg(long, value_name = "MS", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub sample_ms: u64,
    /// Samples a second.
    #[arg(long, value_name = "N", default_value_t = 4_999, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub hz: u32,
    #[command(flatten)]
    pub tuning: Tuning,
}

/// By its name, in any case; a wrong one gets those that look like it.
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

#[derive(Args)]
pub struct Opcodes {
    /// Name of a case.
    pub case: String,
    #[command(flatten)]
    pub from: CaseDir,
    /// How to print.
    #[arg(long, default_value = "text")]
    pub format: Format,
}

/// Formats of other tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// Stacks, for `go tool pprof`, Pyroscope and Parca.
    Pprof,
    /// Stacks, for the Firefox Profiler.
    Firefox,
    /// Stacks, for speedscope.app.
    Speedscope,
    /// Stacks, a line each.
    Folded,
    /// Measurements, as Bencher Metric Format.
    Bencher,
    /// Measurements, for github-action-benchmark.
    Github,
}

#[derive(Args)]
pub struct Export {
    /// A run: report.json of `profile`, or what `bench --export-json` wrote.
    pub run: PathBuf,
    /// The format.
    #[arg(long, value_name = "FORMAT")]
    pub to: Target,
    /// File to write [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

const COUNTING: &str = "\
A test is a post entry of a fork in one mode: both modes count twice.
A file that holds no state tests is a failure. Any failure: exit code 1.";

#[derive(Args)]
pub struct Statetest {
    /// Test files, and folders searched for *.json.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Only this fork, named as elsewhere or as in the tests (EIP158, Cancun).
    #[arg(long, value_parser = fork_of_test)]
    pub fork: Option<Fork>,
    /// Only this mode; both where none is given.
    #[arg(long, value_parser = modes())]
    pub mode: Option<Mode>,
    /// Only tests whose FILE::TEST this regular expression finds.
    #[arg(long, value_name = "RE")]
    pub filter: Option<Regex>,
    /// How to print.
    #[arg(long, default_value = "text")]
    pub format: Format,
}

fn fork_of_test(name: &str) -> Result<Fork, UnknownFork> {
    statetest::fork(name).map_or_else(|| name.parse(), Ok)
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
    #[arg(long, value_parser = engines())]
    pub mode: Which,
    #[command(flatten)]
    pub tuning: Tuning,
}
