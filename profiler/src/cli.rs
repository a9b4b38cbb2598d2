//! The command line: the verbs, and the errors for invalid arguments. Each verb and its arguments have a file in
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
use evmscope_reports::change::Gate;
use std::ffi::OsString;

/// Exit code for an invalid command line.
pub const USAGE: u8 = 2;

/// Parses the arguments of this process. Prints help or version and exits if asked to.
///
/// # Errors
/// An invalid command line. The text is one line with the error, then the usage of the verb.
pub fn parse() -> Result<Cli, String> {
    let parsed = Cli::try_parse().and_then(|cli| match cli.verb.contradiction() {
        None => Ok(cli),
        Some(text) => Err(Cli::command().error(ErrorKind::ValueValidation, text)),
    });
    parsed.map_err(|error| match error.kind() {
        // Without arguments, the help is more useful than an error.
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
        _ => usage_error(&error, std::env::args_os()),
    })
}

/// clap's message on one line, its tip, and the usage. clap omits the usage when a value is invalid.
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

/// Show where every cycle of an EVM interpreter goes, and whether a change helped.
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
    /// Run a case or a piece of code once and print the result.
    Run(Run),
    /// Time cases in several modes, in shuffled pairs.
    Bench(Bench),
    /// Time, count, sample and simulate a case; write the reports.
    Profile(Profile),
    /// Check a run against targets and baseline; measure one if none is given.
    #[command(after_help = "Exit codes: 0 all checks pass, 3 a check fails, 1 error.")]
    Check(Check),
    /// Compare two builds or two runs; report regressions.
    #[command(after_help = diff::SIDES)]
    Diff(Diff),
    /// Draw where a contract spends gas, opcodes or time: its functions, lines and opcodes.
    Flamegraph(Flamegraph),
    /// Disassemble the handlers of an opcode, with a case's samples next to each instruction.
    Annotate(Annotate),
    /// Rank the opcodes, pairs, triples and blocks that a case executes.
    Opcodes(Opcodes),
    /// Show code size by section and by handler; two builds side by side.
    Size(Size),
    /// Disable each technique of the advanced mode in turn and count the instructions of a call.
    Ablate(Ablate),
    /// Fill in the tables of Markdown files from the records they name.
    Splice(Splice),
    /// Convert a run to another format.
    Export(Export),
    /// Run official state tests; compare exceptions, logs and state roots.
    #[command(after_help = statetest::COUNTING)]
    Statetest(Statetest),
    /// Run both modes on the same messages: serve one, report every difference.
    #[command(after_help = shadow::SHADOWING)]
    Shadow(Shadow),
    /// Merge the runs of several shards or machines.
    Merge(Merge),
    /// Chart records of runs over time.
    History(History),
    /// Print the JSON schema of runs.
    Schema,
    /// Assemble a source and print the code as hex.
    Assemble(Assemble),
    /// Print code as a list of opcodes.
    Disassemble(Disassemble),
    /// Show what this machine can measure and how to enable the rest.
    Doctor,
    /// Print a shell completion script.
    Completions(Completions),
    /// Print the manual page, or write one per command.
    Man(Man),
    /// Build with a profile and measure the gain.
    #[command(subcommand)]
    Pgo(Pgo),
    /// Run one call of a case under the simulator.
    #[command(name = crate::measure::simulate::CHILD, hide = true)]
    Simulated(Simulated),
    /// Run calls of a case in an instrumented binary.
    #[command(name = crate::builds::pgo::train::CHILD, hide = true)]
    Trained(Trained),
    /// Serve samples of this build to the process that compares builds.
    #[command(name = crate::builds::VERB, hide = true)]
    Samples,
}

impl Verb {
    /// The error for options that are valid alone but not together.
    fn contradiction(&self) -> Option<String> {
        match self {
            Verb::Diff(diff) if diff.no_simulate && diff.gate.contains(&Gate::Instructions) => {
                Some(
                    "--gate instructions needs the simulated counters: leave out --no-simulate"
                        .to_owned(),
                )
            }
            Verb::Diff(Diff { modes, .. }) => {
                let twice = (1..modes.len()).find(|&i| modes[..i].contains(&modes[i]))?;
                Some(format!(
                    "mode {} is named twice in --modes: give one binary as BASE and HEAD to see the noise",
                    modes[twice]
                ))
            }
            _ => None,
        }
    }
}
