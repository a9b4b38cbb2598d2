//! The gate in front of every figure: a case is run in each engine and held against what is expected.
//! Measuring takes a [`Verified`], which only this file makes.

use crate::case::{Case, Expected, Scene};
use crate::engine::{CallOutcome, Engine, Which};
use crate::output;
use crate::span::span;
use anyhow::{Result, bail};
use evmscope_interp::{Interpreter, Mode, Settings, Step, Tracer};
use evmscope_reports::run::CaseResult;
use std::fmt::Display;

/// A case in one engine, whose result was found right.
pub struct Verified<'a> {
    pub case: &'a Case,
    pub which: Which,
    pub engine: Box<dyn Engine>,
    /// What the engine was started with.
    pub settings: Settings,
    pub result: CaseResult,
}

/// Runs a case once in each engine and compares.
///
/// # Errors
/// Every field that is not as expected, with case, mode, field, expected and found, a line each.
pub fn verify<'a>(
    case: &'a Case,
    engines: &[Which],
    settings: Settings,
) -> Result<Vec<Verified<'a>>> {
    let _span = span("verifying");
    let scene = case.scene()?;
    let judges = match case.expected {
        Expected::Stated { .. } => engines,
        // Whoever is measured, all have to agree where nothing is stated.
        Expected::Agreement => agreement_judges(case)?,
    };
    let opcodes = count_opcodes(&scene, case);
    let runs = judges.iter().map(|which| {
        let mut engine = which.start(&scene, case.fork, settings)?;
        engine.prepare(1);
        engine.call();
        match engine.outcome() {
            Some(outcome) => Ok((*which, engine, outcome)),
            None => bail!(
                "case {}, mode {which}: the engine gave up without a result",
                case.name
            ),
        }
    });
    let runs = runs.collect::<Result<Vec<_>>>()?;

    let mut wrong = Vec::new();
    for (which, _, outcome) in &runs {
        let mut mismatch = |field: &str, expected: &dyn Display, found: &dyn Display| {
            if expected.to_string() != found.to_string() {
                wrong.push(format!(
                    "case {}, mode {which}: {field} is wrong: expected {expected}, found {found}",
                    case.name
                ));
            }
        };
        compare(&case.expected, &runs[0].2, outcome, &mut mismatch);
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join(output::NEXT_LINE));
    }

    let asked = runs
        .into_iter()
        .filter(|(which, ..)| engines.contains(which));
    Ok(asked
        .map(|(which, engine, outcome)| Verified {
            result: CaseResult {
                case: case.name.clone(),
                mode: which.name().to_owned(),
                fork: case.fork.name().to_owned(),
                status: outcome.status.clone(),
                gas_used: outcome.gas_used,
                output_hash: outcome.output_hash().to_string(),
                opcodes: matches!(which, Which::Ours(_)).then_some(opcodes),
                expected: case.expected.source().to_owned(),
            },
            case,
            which,
            engine,
            settings,
        })
        .collect())
}

/// Holds an outcome against what is stated, or against the first engine's where nothing is.
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

fn agreement_judges(case: &Case) -> Result<&'static [Which]> {
    if cfg!(not(feature = "peers")) {
        bail!(
            "case {} states no expected result, and this build has no peer to agree with: build with the feature `peers`",
            case.name
        );
    }
    Ok(Which::ALL)
}

/// Opcodes executed in one call, counted by a traced run.
pub fn count_opcodes(scene: &Scene, case: &Case) -> u64 {
    struct Counter(u64);
    impl Tracer for Counter {
        fn step(&mut self, _: &Step<'_>) {
            self.0 += 1;
        }
    }
    let mut counter = Counter(0);
    let mut scene = scene.clone();
    Interpreter::new(Mode::Traditional, case.fork).trace(
        scene.message,
        &mut scene.world,
        &mut counter,
    );
    counter.0
}
