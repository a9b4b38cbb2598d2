//! The hidden verb behind the simulated counters: one call of a case, which the parent has verified,
//! between the markers that the simulator looks for.

use super::one_case;
use crate::cmd::args::{CaseDir, Tuning, engines};
use crate::engines::EngineId;
use crate::measure::simulate::simulated_call;
use anyhow::Result;
use clap::Args;

#[derive(Args)]
pub struct Simulated {
    pub case: String,
    #[command(flatten)]
    pub from: CaseDir,
    #[arg(long, value_parser = engines())]
    pub mode: EngineId,
    #[command(flatten)]
    pub tuning: Tuning,
}

pub fn run(args: &Simulated) -> Result<String> {
    let (case, _) = one_case(&args.from, &args.case)?;
    let settings = args.tuning.settings();
    let mut engine = args.mode.start(&case.scenario()?, case.fork, settings)?;
    simulated_call(engine.as_mut())?;
    Ok(String::new())
}
