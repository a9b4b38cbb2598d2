//! The hidden verb behind the simulated counters: one call of a case that was verified by the parent,
//! between the marks that the simulator looks for.

use super::one_case;
use crate::cli::Simulated;
use crate::measure;
use anyhow::Result;

pub fn run(args: &Simulated) -> Result<String> {
    let (case, _) = one_case(&args.from, &args.case)?;
    let settings = args.tuning.settings();
    let mut engine = args.mode.start(&case.scene()?, case.fork, settings)?;
    measure::simulated_call(engine.as_mut());
    Ok(String::new())
}
