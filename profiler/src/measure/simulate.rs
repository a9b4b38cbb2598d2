//! Simulated counters of one call: runs this binary as a child process under callgrind.

use crate::engines::Engine;
use crate::engines::verify::Verified;
use crate::instruments::callgrind::{self, SimulateError, Simulated};
use crate::instruments::counters::Reading;
use crate::instruments::region::measured_region;
use crate::instruments::span::span;
use anyhow::Result;
use evmscope_interp::{Settings, Technique};
use evmscope_reports::counter::Counter;
use evmscope_reports::run::{Measurement, Unavailable};
use std::ffi::OsString;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

/// A simulated call.
pub struct SimulatedCall {
    pub measurements: Vec<Measurement>,
    /// Instructions in total.
    pub total: u64,
    /// Pairs of address in this binary's file and instructions executed there, callees excluded. The rest of the
    /// total was executed in libraries.
    pub instructions: Vec<(u64, u64)>,
}

/// Simulates one warm call of an engine in a child process.
///
/// # Errors
/// Every simulated counter, with the reason why it is unavailable.
pub fn simulate(v: &Verified, case_dir: &Path) -> Result<SimulatedCall, Vec<Unavailable>> {
    let _span = span("simulating");
    let arguments = simulated_arguments(&v.case.name, v.id.engine(), v.settings, case_dir);
    let simulations =
        repeat(v.id.simulations(), &arguments).map_err(|error| error.unavailable())?;
    let Some(simulated) = simulations.first() else {
        return Err(SimulateError::NeverEntered.unavailable());
    };
    let values = |counter| {
        let readings = simulations.iter().flat_map(|it| &it.readings);
        let of_counter = readings.filter(move |reading| reading.counter == counter);
        of_counter.map(|reading| reading.value).collect()
    };
    let measurement = |&Reading { counter, .. }: &Reading| {
        let measured = Measurement::new(&v.case.name, v.id.name(), counter, values(counter));
        measured.map_err(|error| {
            vec![Unavailable {
                counter,
                reason: error.to_string(),
            }]
        })
    };
    let total = simulated.readings.iter();
    let total = total.filter(|reading| reading.counter == Counter::SimInstructions);
    Ok(SimulatedCall {
        measurements: simulated
            .readings
            .iter()
            .map(measurement)
            .collect::<Result<_, _>>()?,
        total: total.map(|reading| reading.value as u64).sum(),
        instructions: simulated.instructions.clone(),
    })
}

/// Simulates the same call several times at once: other work on the machine changes no count.
fn repeat(times: usize, arguments: &[OsString]) -> Result<Vec<Simulated>, SimulateError> {
    thread::scope(|scope| {
        let started: Vec<_> = (0..times)
            .map(|_| scope.spawn(|| callgrind::simulate(arguments)))
            .collect();
        let ended = started.into_iter().map(|one| one.join());
        let ended = ended.map(|one| one.unwrap_or_else(|panic| resume_unwind(panic)));
        ended.collect()
    })
}

/// The command line of the child that makes one call of a case.
pub fn simulated_arguments(
    case: &str,
    mode: &str,
    settings: Settings,
    case_dir: &Path,
) -> Vec<OsString> {
    let mut arguments = vec![
        CHILD.into(),
        case.into(),
        "--mode".into(),
        mode.into(),
        "--case-dir".into(),
        case_dir.into(),
        "--keccak-memo".into(),
        settings.keccak_memo.name().into(),
        "--budget".into(),
        settings.budget.ratio.to_string().into(),
        "--budget-floor".into(),
        settings.budget.floor.to_string().into(),
    ];
    for technique in Technique::ALL {
        if !settings.techniques.has(*technique) {
            arguments.extend(["--without".into(), technique.name().into()]);
        }
    }
    arguments
}

/// The hidden subcommand that [`simulate()`] runs under callgrind.
pub const CHILD: &str = "__simulated";

/// The child's part: one call to warm up, then one in the measured region.
///
/// # Errors
/// The engine cannot run a call to a result.
pub fn simulated_call(engine: &mut dyn Engine) -> Result<()> {
    engine.prepare(1);
    engine.call()?;
    engine.prepare(1);
    measured_region(&mut || engine.call())
}
