//! Verification before any measurement: runs a case in each engine and compares the result with the expected one.
//! Measurements take a [`Verified`], which only this module creates.

use crate::cases::{Case, Expected, NEXT_LINE};
use crate::engines::executed::Executed;
use crate::engines::{CallOutcome, Engine, EngineId};
use crate::instruments::span::span;
use anyhow::{Context, Result, bail};
use evmscope_interp::Settings;
use evmscope_reports::run::CaseResult;
use std::fmt::Display;

/// A case in one engine whose result has been verified.
pub struct Verified<'a> {
    pub case: &'a Case,
    pub id: EngineId,
    pub engine: Box<dyn Engine>,
    /// The settings of the engine.
    pub settings: Settings,
    pub result: CaseResult,
    /// Opcode counts of one call, the same in every engine.
    pub executed: Executed,
}

/// Runs a case once in each engine and verifies the results.
///
/// # Errors
/// One line per wrong field, with case, mode, field, expected and found value; or an engine that failed.
pub fn verify<'a>(
    case: &'a Case,
    engines: &[EngineId],
    settings: Settings,
) -> Result<Vec<Verified<'a>>> {
    let _span = span("verifying");
    let scenario = case.scenario()?;
    let reference_engines = match case.expected {
        Expected::Stated { .. } => engines.to_vec(),
        // Without a stated result all engines must agree, whichever are measured.
        Expected::Agreement => engines_that_agree(case, engines)?,
    };
    let executed = Executed::count(&scenario, case.fork);
    let runs = reference_engines.into_iter().map(|id| {
        let mut engine = id.start(&scenario, case.fork, settings)?;
        let first = run(engine.as_mut(), case, &id)?;
        // What is measured are later calls: nothing that one leaves behind may change the next.
        let second = run(engine.as_mut(), case, &id)?;
        if first != second {
            bail!(
                "case {}, mode {id}: the second call has another result than the first",
                case.name
            );
        }
        Ok((id, engine, first))
    });
    let runs = runs.collect::<Result<Vec<_>>>()?;
    expect_right(case, &runs)?;
    let asked = runs.into_iter().filter(|(id, ..)| engines.contains(id));
    Ok(asked
        .map(|(id, engine, outcome)| Verified {
            result: result(case, &id, &outcome, &executed),
            case,
            id,
            engine,
            settings,
            executed: executed.clone(),
        })
        .collect())
}

/// One call, from the state before.
fn run(engine: &mut dyn Engine, case: &Case, id: &EngineId) -> Result<CallOutcome> {
    engine.prepare(1);
    engine.call()?;
    let name = &case.name;
    engine
        .outcome()
        .with_context(|| format!("case {name}, mode {id}: the engine stopped without a result"))
}

/// An engine that ran the case, and its outcome.
type Ran = (EngineId, Box<dyn Engine>, CallOutcome);

/// Fails with a line for every field that is not as expected.
fn expect_right(case: &Case, runs: &[Ran]) -> Result<()> {
    let mut wrong = Vec::new();
    for (id, _, outcome) in runs {
        let mut mismatch = |field: &str, expected: &dyn Display, found: &dyn Display| {
            if expected.to_string() != found.to_string() {
                wrong.push(format!(
                    "case {}, mode {id}: {field} is wrong: expected {expected}, found {found}",
                    case.name
                ));
            }
        };
        compare(&case.expected, &runs[0].2, outcome, &mut mismatch);
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join(NEXT_LINE));
    }
    Ok(())
}

fn result(case: &Case, id: &EngineId, outcome: &CallOutcome, executed: &Executed) -> CaseResult {
    CaseResult {
        case: case.name.clone(),
        mode: id.name().to_owned(),
        fork: case.fork.name().to_owned(),
        status: outcome.status.clone(),
        gas_used: outcome.gas_used,
        output_hash: outcome.output_hash().to_string(),
        opcodes: id.mode().map(|_| executed.total()),
        expected: case.expected.source().to_owned(),
    }
}

/// Compares an outcome with the stated one, or with the first engine's if none is stated.
fn compare(
    expected: &Expected,
    first: &CallOutcome,
    found: &CallOutcome,
    mismatch: &mut dyn FnMut(&str, &dyn Display, &dyn Display),
) {
    match expected {
        Expected::Stated {
            status,
            gas_used,
            output_hash,
            refund,
            logs,
            ..
        } => {
            mismatch("status", status, &found.status);
            mismatch("gas_used", gas_used, &found.gas_used);
            mismatch("output_hash", output_hash, &found.output_hash());
            mismatch("refund", &refund.unwrap_or(found.refund), &found.refund);
            mismatch("logs", &logs.unwrap_or(found.logs), &found.logs);
        }
        Expected::Agreement => {
            mismatch("status", &first.status, &found.status);
            mismatch("gas_used", &first.gas_used, &found.gas_used);
            mismatch("output", &first.output, &found.output);
            mismatch("refund", &first.refund, &found.refund);
            mismatch("logs", &first.logs, &found.logs);
        }
    }
}

/// Every engine of this build, and those asked for.
fn engines_that_agree(case: &Case, asked: &[EngineId]) -> Result<Vec<EngineId>> {
    if cfg!(not(feature = "peers")) {
        bail!(
            "case {} states no expected result, and this build has no peer to compare with: build with the feature `peers`",
            case.name
        );
    }
    let mut engines = EngineId::all();
    let repeated = asked.iter().filter(|id| !engines.contains(id));
    let repeated: Vec<_> = repeated.cloned().collect();
    engines.extend(repeated);
    Ok(engines)
}
