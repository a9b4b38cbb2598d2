//! The hidden verb behind training: calls of a case, which the parent has verified, and the result of the last.

use crate::builds::pgo::train::Outcome;
use crate::cases::Scenario;
use crate::cmd::args::{CaseDir, modes};
use crate::cmd::one_case;
use crate::engines::EngineId;
use anyhow::{Context, Result, bail};
use clap::Args;
use evmscope_interp::Mode;
use evmscope_interp::{Fork, Settings};
use std::thread;

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

/// Most worlds to prepare at once, to bound memory.
const BATCH: u64 = 64;

/// Native stack for all calls, bytes. Small, so that a handler that calls the next one instead of jumping overflows it
/// soon.
const STACK: usize = 256 << 10;

pub fn run(args: &Trained) -> Result<String> {
    let (case, _) = one_case(&args.from, &args.case)?;
    let scenario = case.scenario()?;
    thread::scope(|scope| {
        let small = thread::Builder::new().stack_size(STACK);
        let calls = small.spawn_scoped(scope, || calls(args, &scenario, case.fork))?;
        calls.join().unwrap_or_else(|_| bail!("a call panicked"))
    })
}

fn calls(args: &Trained, scenario: &Scenario, fork: Fork) -> Result<String> {
    let mut engine = EngineId::from(args.mode).start(scenario, fork, Settings::default())?;
    let mut left = args.calls;
    while left > 0 {
        let batch = left.min(BATCH);
        let batch = engine.prepare(batch as usize) as u64;
        (0..batch).try_for_each(|_| engine.call())?;
        left -= batch.min(left);
    }
    let outcome = engine.outcome().context("no call was asked for")?;
    let outcome = Outcome {
        output_hash: outcome.output_hash().to_string(),
        status: outcome.status,
        gas_used: outcome.gas_used,
    };
    Ok(serde_json::to_string(&outcome)?)
}
