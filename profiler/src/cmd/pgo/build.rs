//! `evmscope pgo build`: builds the instrumented binary.

use super::args::PgoDir;
use crate::builds::pgo::build::{self, Kind};
use crate::builds::pgo::profile::Profdata;
use crate::machine::toolchain::Compiler;
use crate::symbols::sections::Sections;
use anyhow::Result;
use clap::Args;

#[derive(Args)]
pub struct PgoBuild {
    #[command(flatten)]
    pub at: PgoDir,
}

pub fn run(args: &PgoBuild) -> Result<String> {
    let compiler = Compiler::find()?;
    // The build takes minutes, so check first for the tool that the next step needs.
    Profdata::find(&compiler)?;
    let workshop = args.at.workshop()?;
    let built = build::build(&workshop, &compiler, Kind::Instrumented)?;
    Sections::of(&built.executable)?.expect_instrumented(&built.executable)?;
    let binary = workshop.instrumented();
    build::adopt(&built, &binary, &built.made_from)?;
    Ok(format!("instrumented: {}\n", binary.display()))
}
