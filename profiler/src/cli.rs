//! The command line: the list of verbs, and what is said of a wrong one. Each verb and its arguments have a file in
//! `cmd`.

use crate::cmd::ablate::Ablate;
use crate::cmd::annotate::Annotate;
use crate::cmd::assemble::{Assemble, Disassemble};
use crate::cmd::bench::Bench;
use crate::cmd::check::Check;
use crate::cmd::diff::{self, Diff};
use crate::cmd::export::Export;
use crate::cmd::flamegraph::Flamegraph;
use crate::cmd::history::History;
use crate::cmd::list::List;
use crate::cmd::manual::{Completions, Man};
use crate::cmd::merge::Merge;
use crate::cmd::opcodes::Opcodes;
use crate::cmd::output::Color;
use crate::cmd::pgo::Pgo;
use crate::cmd::pgo::trained::Trained;
use crate::cmd::profile::Profile;
use crate::cmd::run::Run;
use crate::cmd::shadow::{self, Shadow};
use crate::cmd::simulated::Simulated;
use crate::cmd::size::Size;
use crate::cmd::splice::Splice;
use crate::cmd::statetest::{self, Statetest};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use std::ffi::OsString;

/// Exit code of a command line that cannot be understood.
pub const USAGE: u8 = 2;

/// Reads the arguments of this process. Help and version end it.
///
/// # Errors
/// A command line that cannot be understood: a line that says what is wrong, then the usage of the verb.
pub fn parse() -> Result<Cli, String> {
    let parsed = Cli::try_parse().and_then(|cli| match cli.verb.contradiction() {
        None => Ok(cli),
        Some(text) => Err(Cli::command().error(ErrorKind::ValueValidation, text)),
    });
    parsed.map_err(|error| match error.kind() {
        // Without any argument, the help says more than an error.
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
        _ => usage_error(&error, std::env::args_os()),
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
    #[command(after_help = diff::SIDES)]
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
    #[command(after_help = statetest::COUNTING)]
    Statetest(Statetest),
    /// Run both modes on the same messages: serve one, report every difference.
    #[command(after_help = shadow::SHADOWING)]
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
    #[command(name = crate::measure::simulate::CHILD, hide = true)]
    Simulated(Simulated),
    /// Calls of a case, for an instrumented binary to count.
    #[command(name = crate::builds::pgo::train::CHILD, hide = true)]
    Trained(Trained),
    /// Samples of this build, for the process that compares it with another.
    #[command(name = crate::builds::VERB, hide = true)]
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
