//! The gain of each technique of the advanced mode: simulates a case with all of them, and without each in turn.
//! Results are verified every time.

use crate::cases::Case;
use crate::engines::EngineId;
use crate::engines::verify;
use crate::measure::simulate::simulate;
use anyhow::{Context, Result, bail};
use evmscope_interp::{Mode, Settings, Technique};
use evmscope_reports::counter::Counter;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::path::Path;

/// Identifier of this record format.
pub const SCHEMA: &str = "evmscope/ablation/1";

/// Simulated instructions of one warm call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ablation {
    /// [`SCHEMA`].
    pub schema: Cow<'static, str>,
    pub case: String,
    pub keccak_memo: Cow<'static, str>,
    /// With all techniques of the settings.
    pub instructions: u64,
    pub without: Vec<Without>,
}

/// The same call without one of the techniques.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Without {
    pub technique: Cow<'static, str>,
    pub what: Cow<'static, str>,
    pub instructions: u64,
}

/// Simulates a case with all techniques and without each; calls `progress` before each simulation.
///
/// # Errors
/// An unexpected result, or a failed simulation.
pub fn ablate(
    case: &Case,
    case_dir: &Path,
    settings: Settings,
    progress: impl Fn(&str),
) -> Result<Ablation> {
    let instructions = |settings| instructions(case, case_dir, settings);
    progress("all techniques");
    let whole = instructions(settings)?;
    let in_use = Technique::ALL
        .iter()
        .filter(|technique| settings.techniques.has(**technique));
    let without = in_use.map(|technique| {
        progress(technique.name());
        let settings = Settings {
            techniques: settings.techniques.without(*technique),
            ..settings
        };
        Ok(Without {
            technique: technique.name().into(),
            what: technique.what().into(),
            instructions: instructions(settings)?,
        })
    });
    Ok(Ablation {
        schema: SCHEMA.into(),
        case: case.name.clone(),
        keccak_memo: settings.keccak_memo.name().into(),
        without: without.collect::<Result<_>>()?,
        instructions: whole,
    })
}

/// Simulated instructions of one warm call.
fn instructions(case: &Case, case_dir: &Path, settings: Settings) -> Result<u64> {
    let verified = verify::verify(case, &[EngineId::from(Mode::Advanced)], settings)?;
    let verified = verified.first().context("no mode was verified")?;
    let measured = match simulate(verified, case_dir) {
        Ok(simulated) => simulated.measurements,
        Err(reasons) => bail!(
            "no simulated counters: {}",
            reasons.first().map_or("", |counter| &counter.reason)
        ),
    };
    let found = measured
        .iter()
        .find(|measurement| measurement.counter == Counter::SimInstructions);
    let count = found.and_then(|measurement| measurement.samples.first());
    Ok(*count.context("the simulator counted no instructions")? as u64)
}
