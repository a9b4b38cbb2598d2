//! The hidden verb behind training: calls of a case that the parent verified, and what came of the last.

use crate::cli::Trained;
use crate::cmd::one_case;
use crate::engine::Which;
use crate::pgo::train::Outcome;
use anyhow::{Context, Result};
use evmscope_interp::Settings;

/// Most worlds made ready at once.
const BATCH: u64 = 64;

pub fn run(args: &Trained) -> Result<String> {
    let (case, _) = one_case(&args.from, &args.case)?;
    let mut engine =
        Which::Ours(args.mode).start(&case.scene()?, case.fork, Settings::default())?;
    let mut left = args.calls;
    while left > 0 {
        let batch = left.min(BATCH);
        engine.prepare(batch as usize);
        (0..batch).for_each(|_| engine.call());
        left -= batch;
    }
    let outcome = engine.outcome().context("no call was asked for")?;
    let outcome = Outcome {
        output_hash: outcome.output_hash().to_string(),
        status: outcome.status,
        gas_used: outcome.gas_used,
    };
    Ok(serde_json::to_string(&outcome)?)
}
