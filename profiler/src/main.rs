//! The command `evmscope`: arguments and dispatch only.
#![deny(unsafe_code)]

mod ablation;
mod binaries;
mod case;
mod census;
mod cli;
mod clock;
mod cmd;
mod code_size;
mod confinement;
mod contracts;
mod counters;
mod disassembly;
mod doctor;
mod eip3155;
mod engine;
mod flamegraph;
mod folding;
mod footprint;
mod heap;
mod measure;
mod opcodes;
mod output;
mod perf_data;
mod pgo;
mod rig;
mod run;
mod sampling;
mod shadow;
mod shard;
mod simulate;
mod span;
mod splice;
mod statetest;
mod symbols;
mod telemetry;
mod unwind;
mod verify;

use anyhow::Result;
use cli::{Cli, Verb};
use output::Answer;
use std::process::ExitCode;

fn main() -> ExitCode {
    span::start();
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let printed = dispatch(&cli).and_then(|answer| {
        output::print(&answer.text)?;
        answer.errors.iter().for_each(complain);
        Ok(answer.code)
    });
    printed.unwrap_or_else(|error| {
        complain(&error);
        ExitCode::FAILURE
    })
}

fn complain(error: &anyhow::Error) {
    output::complain(&format!("error: {error:#}\n"));
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
        Verb::Merge(args) => cmd::merge::run(args, style),
        Verb::History(args) => cmd::history::run(args, style),
        Verb::Schema => cmd::schema::run(),
        Verb::Shadow(args) => return cmd::shadow::run(args),
        Verb::Completions(args) => Ok(cmd::manual::completions(args)),
        Verb::Man(args) => cmd::manual::man(args),
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
