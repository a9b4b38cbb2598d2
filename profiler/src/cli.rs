//! The command line: verbs, options and how they are read. What a verb does has a file in `cmd`.

use crate::engine::Which;
use crate::output;
use crate::shard::Shard;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{ArgGroup, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use evmscope_interp::{
    Fork, KeccakMemo, Mode, Opcode, Settings, Technique, Techniques, UnknownFork, statetest,
};
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

fn techniques() -> impl TypedValueParser<Value = Technique> {
    one_of(
        Technique::ALL
            .iter()
            .map(|technique| technique.name())
            .collect(),
    )
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
    /// Hold a run against the targets and the baseline; measure it first where none is given.
    #[command(after_help = "Exit codes: 0 all holds, 3 something does not, 1 failure.")]
    Check(Check),
    /// Compare two builds or two runs; say what regressed.
    #[command(after_help = SIDES)]
    Diff(Diff),
    /// Draw where a contract spends gas, opcodes or time: its functions, lines and opcodes.
    Flamegraph(Flamegraph),
    /// Disassemble the handler of an opcode, with the samples of a case beside each instruction.
    Annotate(Annotate),
    /// Rank the opcodes, pairs, triples and blocks that a case executes.
    Opcodes(Opcodes),
    /// How large the code of a build is, by section and by handler; two builds side by side.
    Size(Size),
    /// Leave out each technique of the advanced mode in turn, and count the instructions of a call.
    Ablate(Ablate),
    /// Fill the tables of Markdown files in from the records they name.
    Splice(Splice),
    /// Give a run out in the format of another tool.
    Export(Export),
    /// Run official state tests; compare exceptions, logs and state roots.
    #[command(after_help = COUNTING)]
    Statetest(Statetest),
    /// Run both modes on the same messages: serve one, report every difference.
    #[command(after_help = SHADOWING)]
    Shadow(Shadow),
    /// Join the runs of several shards or machines.
    Merge(Merge),
    /// Chart records of runs over time.
    History(History),
    /// Print the JSON schema of runs.
    Schema,
    /// Assemble a source and print the code as hex.
    Assemble(Assemble),
    /// List code as opcodes.
    Disassemble(Disassemble),
    /// Say what this machine can measure, and what would enable the rest.
    Doctor,
    /// Print the completions of a shell.
    Completions(Completions),
    /// Print the manual page, or write one for each verb.
    Man(Man),
    /// Build with a profile, and prove what it brought.
    #[command(subcommand)]
    Pgo(Pgo),
    /// One call of a case, for the simulator to watch.
    #[command(name = crate::measure::CHILD, hide = true)]
    Simulated(Simulated),
    /// Calls of a case, for an instrumented binary to count.
    #[command(name = crate::pgo::train::CHILD, hide = true)]
    Trained(Trained),
    /// Samples of this build, for the process that compares it with another.
    #[command(name = crate::binaries::VERB, hide = true)]
    Samples,
}

impl Verb {
    /// What is wrong with options that are each right by themselves.
    fn contradiction(&self) -> Option<String> {
        match self {
            Verb::Bench(Bench { modes, .. }) | Verb::Diff(Diff { modes, .. }) => {
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
    /// Leave out techniques of the advanced mode; `evmscope ablate` measures what each brings.
    #[arg(long, value_name = "TECHNIQUE,..", value_delimiter = ',', value_parser = techniques())]
    pub without: Vec<Technique>,
}

impl Tuning {
    pub fn settings(&self) -> Settings {
        Settings {
            keccak_memo: self.keccak_memo,
            budget: self.budget,
            techniques: self
                .without
                .iter()
                .fold(Techniques::ALL, |set, technique| set.without(*technique)),
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
    "budget" | "keccak_memo" | "without" => arg.conflicts_with("dump_ir"),
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
    /// Write what the interpreter tells of its work, as Prometheus text.
    #[arg(long, value_name = "FILE", conflicts_with = "dump_ir")]
    pub metrics: Option<PathBuf>,
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
    /// Only this part of the cases: the second of eight.
    #[arg(long, value_name = "2/8", default_value_t, hide_default_value = true)]
    pub shard: Shard,
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

#[derive(Args)]
pub struct Check {
    /// A run as JSON (bench --export-json).
    pub run: Option<PathBuf>,
    /// What is promised.
    #[arg(long, value_name = "FILE", default_value = "reports/targets.toml")]
    pub targets: PathBuf,
    /// The run from before.
    #[arg(long, value_name = "FILE", default_value = "reports/baseline.json")]
    pub baseline: PathBuf,
    /// Make this run the baseline, in place of comparing with it.
    #[arg(long)]
    pub update: bool,
    /// Samples of each case and mode, of about 10 ms.
    #[arg(long, value_name = "N", default_value_t = 30, conflicts_with = "run", value_parser = clap::value_parser!(u32).range(6..=100_000))]
    pub pairs: u32,
    #[command(flatten)]
    pub from: CaseDir,
    #[command(flatten)]
    pub tuning: Tuning,
}

const SIDES: &str = "\
BASE and HEAD are both binaries of evmscope, or both runs as JSON (bench --export-json,
report.json of profile). Binaries are launched several times each and sampled in turn.
Exit codes: 0 no regression confirmed, 3 a regression beyond the threshold, 1 failure.";

#[derive(Args)]
pub struct Diff {
    /// What is compared against: a binary of evmscope, or a run.
    pub base: PathBuf,
    /// What is under test.
    pub head: PathBuf,
    /// Cases to compare, with commas between them [default: all].
    #[arg(long, value_name = "CASE,..", value_delimiter = ',')]
    pub cases: Vec<String>,
    /// Modes to compare.
    #[arg(
        long,
        value_name = "MODE,..",
        value_delimiter = ',',
        default_value = "traditional,advanced",
        value_parser = engines()
    )]
    pub modes: Vec<Which>,
    /// A change up to this is none.
    #[arg(long, value_name = "PERCENT", default_value = "5%", allow_negative_numbers = true, value_parser = share)]
    pub threshold: f64,
    /// How often each binary is launched.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(5..=1_000))]
    pub launches: u32,
    /// Samples of each case, mode and binary in a launch, of about 10 ms.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub pairs: u32,
    /// Leave out simulated counters and opcodes.
    #[arg(long)]
    pub no_simulate: bool,
    #[command(flatten)]
    pub from: CaseDir,
    #[command(flatten)]
    pub tuning: Tuning,
    /// Folder for diff.md and diff.json.
    #[arg(long, value_name = "DIR", default_value = "reports/out")]
    pub out: PathBuf,
}

/// `5%`, `5 %` or `5`: a share of 0.05.
fn share(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix('%').unwrap_or(text).trim();
    let share = number.parse::<f64>().map(|percent| percent / 100.0);
    let usable = share.ok().filter(|share| (0.0005..=1.0).contains(share));
    usable.ok_or_else(|| "use per cent from 0.05 to 100, such as 5% or 2.5%".to_owned())
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
    /// CPU time, where samples were.
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

#[derive(Args)]
pub struct Size {
    /// Builds of evmscope, not stripped [default: this one].
    #[arg(value_name = "BINARY")]
    pub binaries: Vec<PathBuf>,
}

#[derive(Args)]
pub struct Splice {
    /// Markdown files.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write nothing; exit code 1 where a table is not as in its record.
    #[arg(long)]
    pub check: bool,
}

#[derive(Args)]
pub struct Ablate {
    /// Name of a case.
    pub case: String,
    #[command(flatten)]
    pub from: CaseDir,
    #[command(flatten)]
    pub tuning: Tuning,
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
    /// Only this part of the files: the second of eight.
    #[arg(long, value_name = "2/8", default_value_t, hide_default_value = true)]
    pub shard: Shard,
    /// How to print.
    #[arg(long, default_value = "text")]
    pub format: Format,
}

const SHADOWING: &str = "\
A difference in status, gas, refund, output or in what was changed: exit code 3.
What a state test expects is the business of `statetest`.";

#[derive(Args)]
pub struct Shadow {
    /// Names of cases [default: all].
    #[arg(value_name = "CASE", conflicts_with = "state_tests")]
    pub cases: Vec<String>,
    #[command(flatten)]
    pub from: CaseDir,
    /// State tests in place of cases: files, and folders searched for *.json.
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with = "case_dir")]
    pub state_tests: Vec<PathBuf>,
    /// Only this fork of the state tests.
    #[arg(long, value_parser = fork_of_test, requires = "state_tests")]
    pub fork: Option<Fork>,
    /// Only state tests whose FILE::TEST this regular expression finds.
    #[arg(long, value_name = "RE", requires = "state_tests")]
    pub filter: Option<Regex>,
    /// The mode whose results are served; the other one is checked against it.
    #[arg(long, value_name = "MODE", default_value_t = Mode::Traditional, value_parser = modes())]
    pub serve: Mode,
    /// Calls of each case.
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub calls: u32,
    /// Only this part of the cases or files: the second of eight.
    #[arg(long, value_name = "2/8", default_value_t, hide_default_value = true)]
    pub shard: Shard,
    #[command(flatten)]
    pub tuning: Tuning,
    /// Write what the interpreters tell of their work, as Prometheus text.
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// The fork of the mode that is checked, to see a difference.
    #[arg(long, value_parser = forks(), hide = true)]
    pub checked_fork: Option<Fork>,
    /// How to print.
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Args)]
pub struct Merge {
    /// Runs, as `bench --export-json` and `profile` write them; no case in two of them.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Write the joined run as JSON.
    #[arg(long, value_name = "FILE")]
    pub export_json: Option<PathBuf>,
    /// Write the table as Markdown.
    #[arg(long, value_name = "FILE")]
    pub export_markdown: Option<PathBuf>,
}

#[derive(Args)]
pub struct History {
    /// Runs, and folders of them [default: reports/record].
    #[arg(value_name = "RUN")]
    pub records: Vec<PathBuf>,
    /// Only this case.
    #[arg(long, value_name = "NAME")]
    pub case: Option<String>,
    /// Write the page with the charts.
    #[arg(long, value_name = "FILE")]
    pub export_html: Option<PathBuf>,
}

#[derive(Args)]
pub struct Completions {
    /// Which shell.
    pub shell: Shell,
}

#[derive(Args)]
pub struct Man {
    /// Folder for the pages, one a verb [default: the main page on standard output].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
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

/// The steps of a profile-guided build; `make pgo` is all of them.
#[derive(Subcommand)]
pub enum Pgo {
    /// Say what is installed, what is built, and what is missing.
    Info(PgoInfo),
    /// Build the instrumented binary.
    Build(PgoBuild),
    /// Run cases with it in both modes.
    Train(PgoTrain),
    /// Merge what training wrote, or other profiles.
    Merge(PgoMerge),
    /// Build with the merged profile.
    Optimize(PgoOptimize),
    /// Time it against the release build, and say for each mode whether it helps.
    Verify(PgoVerify),
}

/// Where the parts of a profile-guided build lie.
#[derive(Args)]
pub struct PgoDir {
    /// Folder of profiles and binaries [default: pgo in cargo's target folder].
    #[arg(long, value_name = "PATH")]
    pub dir: Option<PathBuf>,
}

#[derive(Args)]
pub struct PgoInfo {
    #[command(flatten)]
    pub at: PgoDir,
}

#[derive(Args)]
pub struct PgoBuild {
    #[command(flatten)]
    pub at: PgoDir,
}

#[derive(Args)]
pub struct PgoTrain {
    #[command(flatten)]
    pub at: PgoDir,
    #[command(flatten)]
    pub from: CaseDir,
    /// Cases to train on, with commas between them; what is left out is held out.
    #[arg(long, value_name = "CASE,..", value_delimiter = ',', default_value = TRAINING)]
    pub cases: Vec<String>,
    /// How many times the counts of a case are taken; 1 where it is not named.
    #[arg(long, value_name = "CASE=N,..", value_delimiter = ',', value_parser = weight)]
    pub weights: Vec<(String, u32)>,
}

#[derive(Args)]
pub struct PgoMerge {
    #[command(flatten)]
    pub at: PgoDir,
    /// Profiles, raw or merged, of this or of other machines [default: all that training wrote].
    #[arg(value_name = "FILE[=N]", value_parser = weighted_file)]
    pub files: Vec<(PathBuf, u32)>,
}

#[derive(Args)]
pub struct PgoOptimize {
    #[command(flatten)]
    pub at: PgoDir,
    /// A merged profile in the place of the one in the folder.
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Functions that may be missing in the profile or differ from it, % of its functions.
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0, value_parser = per_cent)]
    pub limit: f64,
    /// Lay the result out anew by BOLT, as a second binary; trained on the same cases.
    #[arg(long)]
    pub bolt: bool,
    #[command(flatten)]
    pub from: CaseDir,
}

#[derive(Args)]
pub struct PgoVerify {
    #[command(flatten)]
    pub at: PgoDir,
    #[command(flatten)]
    pub from: CaseDir,
    /// Cases that were not trained on, with commas between them [default: all others].
    #[arg(long, value_name = "CASE,..", value_delimiter = ',')]
    pub heldout: Vec<String>,
    /// The binary to compare with [default: the release build, made by the same command].
    #[arg(long, value_name = "FILE")]
    pub base: Option<PathBuf>,
    /// The binary under test [default: the optimised one in the folder].
    #[arg(long, value_name = "FILE")]
    pub head: Option<PathBuf>,
    /// How often each binary is started.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=1_000))]
    pub launches: u32,
    /// Timed pairs of a case and mode in each launch, of about 10 ms a side.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub pairs: u32,
    /// Leave out the simulated instructions.
    #[arg(long)]
    pub no_simulate: bool,
    /// Folder for the reports [default: reports/out/pgo].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// The cases that are trained on where none are named: those that were made to exercise the interpreter, one of
/// which executes every opcode. Contracts as people write them are held out, and so is the empty message.
const TRAINING: &str = "hash10k,memory,opcodes,storage,subcall,ten-thousand-hashes";

fn weight(text: &str) -> Result<(String, u32), String> {
    let pair = text.split_once('=').and_then(|(case, times)| {
        let times = times.parse().ok().filter(|times| *times > 0)?;
        Some((case.to_owned(), times))
    });
    pair.ok_or_else(|| "use CASE=N with a whole number from 1, such as snailtracer=2".to_owned())
}

/// A path, and its weight where it ends with one.
fn weighted_file(text: &str) -> Result<(PathBuf, u32), String> {
    match text.rsplit_once('=') {
        Some((path, times)) if times.chars().all(|c| c.is_ascii_digit()) => match times.parse() {
            Ok(times @ 1..) => Ok((path.into(), times)),
            _ => Err("a weight is a whole number from 1".to_owned()),
        },
        _ => Ok((text.into(), 1)),
    }
}

fn per_cent(text: &str) -> Result<f64, String> {
    let share = text
        .parse()
        .ok()
        .filter(|share| (0.0..=100.0).contains(share));
    share.ok_or_else(|| "use a number from 0 to 100".to_owned())
}

#[derive(Args)]
pub struct Trained {
    pub case: String,
    #[command(flatten)]
    pub from: CaseDir,
    #[arg(long, value_parser = modes())]
    pub mode: Mode,
    #[arg(long)]
    pub calls: u64,
}
