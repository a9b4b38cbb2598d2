//! `evmscope pgo build`: the binary that counts.

use crate::cli::PgoBuild;
use crate::pgo::Workshop;
use crate::pgo::build::{self, Kind};
use crate::pgo::profile::Profdata;
use crate::pgo::sections::Sections;
use crate::pgo::toolchain::Compiler;
use anyhow::Result;

pub fn run(args: &PgoBuild) -> Result<String> {
    let compiler = Compiler::find()?;
    // A build takes minutes; what would be missing after it is missing now.
    Profdata::find(&compiler)?;
    let workshop = Workshop::open(args.at.dir.as_deref())?;
    let built = build::build(&workshop, &compiler, Kind::Instrumented)?;
    Sections::of(&built.executable)?.expect_instrumented(&built.executable)?;
    let binary = workshop.instrumented();
    build::adopt(&built, &binary)?;
    Ok(format!("instrumented: {}\n", binary.display()))
}
