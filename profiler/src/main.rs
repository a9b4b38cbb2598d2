//! The `evmscope` command: parses the arguments, runs the verb and exits with its code.
#![deny(unsafe_code)]

mod builds;
mod cases;
mod cli;
mod cmd;
mod engines;
mod instruments;
mod interrupt;
mod machine;
mod measure;
#[cfg(test)]
mod misery;
mod profile;
mod symbols;

use anyhow::Result;
use clap::CommandFactory;
use cli::{Cli, Verb};
use cmd::output::{self, Answer};
use std::process::ExitCode;

fn main() -> ExitCode {
    instruments::span::start();
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(message) => {
            output::complain(&message);
            return ExitCode::from(cli::USAGE);
        }
    };
    let answer = dispatch(&cli);
    // After a signal, children have ended and files are gone, which is no error of theirs.
    interrupt::settle();
    answer.and_then(Answer::print).unwrap_or_else(|error| {
        output::complain_of(&error);
        ExitCode::FAILURE
    })
}

fn dispatch(cli: &Cli) -> Result<Answer> {
    let style = output::style(cli.color);
    let text = match &cli.verb {
        Verb::List(args) => return cmd::list::run(args, output::columns()),
        Verb::Run(args) => return cmd::run::run(args),
        Verb::Bench(args) => return cmd::bench::run(args, style),
        Verb::Profile(args) => return cmd::profile::run(args, style),
        Verb::Diff(args) => return cmd::diff::run(args, style),
        Verb::Check(args) => return cmd::check::run(args, style),
        Verb::Flamegraph(args) => return cmd::flamegraph::run(args),
        Verb::Annotate(args) => return cmd::annotate::run(args),
        Verb::Opcodes(args) => return cmd::opcodes::run(args),
        Verb::Size(args) => return cmd::size::run(args),
        Verb::Ablate(args) => return cmd::ablate::run(args),
        Verb::Splice(args) => return cmd::splice::run(args),
        Verb::Export(args) => return cmd::export::run(args),
        Verb::Statetest(args) => return cmd::statetest::run(args),
        Verb::Merge(args) => return cmd::merge::run(args, style),
        Verb::History(args) => return cmd::history::run(args, style),
        Verb::Schema => cmd::schema::run(),
        Verb::Shadow(args) => return cmd::shadow::run(args),
        Verb::Completions(args) => Ok(cmd::manual::completions(args, Cli::command())),
        Verb::Man(args) => return cmd::manual::man(args, Cli::command()),
        Verb::Assemble(args) => cmd::assemble::assemble(args),
        Verb::Disassemble(args) => cmd::assemble::disassemble(args),
        Verb::Doctor => Ok(cmd::doctor::run(output::columns())),
        Verb::Pgo(verb) => return cmd::pgo::run(verb, style),
        Verb::Trained(args) => cmd::pgo::trained::run(args),
        Verb::Simulated(args) => cmd::simulated::run(args),
        Verb::Samples => cmd::samples::run(),
    };
    text.map(Answer::success)
}
