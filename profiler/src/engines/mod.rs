//! Engines that run cases: this project's two modes and the peers behind one trait, so that all are prepared, timed
//! and verified alike. Also the test suites and checks that run engines without measuring.
//!
//! The engines of this build are listed in [`ENGINES`]. `measure` measures their calls.

pub mod eip3155;
pub mod executed;
mod ours;
#[cfg(feature = "peers")]
mod revm;
pub mod shadow;
pub mod statetest;
pub mod verify;

use crate::cases::Scenario;
use alloy_primitives::{B256, Bytes};
use anyhow::{Result, bail};
use evmscope_interp::{Fork, Mode, Place, Programs, Settings, Statistics, keccak256};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Most bytes of all worlds of an engine, unless a single one is larger.
pub const WORLDS: usize = 256 << 20;

/// Runs one case repeatedly, each time from the same state.
///
/// The world after a call is kept until the next [`Engine::prepare`], which restores it. Worlds keep the allocations that
/// calls have made in them, so that a timed call neither creates, grows nor drops a world.
pub trait Engine {
    /// Prepares `calls` calls and undoes what earlier ones did. Returns the number prepared: at least 1, and less than
    /// asked for if their worlds would take more than [`WORLDS`] bytes.
    fn prepare(&mut self, calls: usize) -> usize;

    /// As [`Engine::prepare`], but each call is the first of its interpreter: nothing is decoded or memoised. The
    /// interpreter's memory has been used before, so that calls cause no page faults.
    fn prepare_cold(&mut self, calls: usize) -> usize;

    /// Runs the next prepared call: only the execution of the message.
    ///
    /// # Errors
    /// No call is prepared, or the engine could not run it to a result.
    fn call(&mut self) -> Result<()>;

    /// Enables [`Engine::place`], if supported. Decoded code may be discarded.
    fn keep_places(&mut self) {}

    /// The place in a contract's code that an address in this process refers to, if it points into code or decoded
    /// code.
    fn place(&self, address: usize) -> Option<Place> {
        let _ = address;
        None
    }

    /// The result of the last call.
    fn outcome(&self) -> Option<CallOutcome>;

    /// Translation statistics of the last call, and the programs that the interpreter keeps; `None` for engines that
    /// do not translate.
    fn translation(&self) -> Option<(Statistics, Programs)> {
        None
    }
}

/// The result of a call, limited to what all engines report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallOutcome {
    /// `success`, `revert`, or the halt reason in kebab case.
    pub status: String,
    pub gas_used: u64,
    pub refund: i64,
    pub output: Bytes,
    pub logs: usize,
}

impl CallOutcome {
    pub fn output_hash(&self) -> B256 {
        keccak256(&self.output)
    }
}

/// The name of an engine: its `mode` on the command line and in reports. Engines outside this build can have one too.
///
/// An engine that is measured twice, to see how far it differs from itself, has a number behind its name the second
/// time: `advanced-2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EngineId(Cow<'static, str>);

/// An engine of this build.
struct BuiltIn {
    name: &'static str,
    /// Its mode, if it is this project's interpreter.
    mode: Option<Mode>,
    /// Name and version of the program, for records.
    version: fn() -> String,
    /// How often a call is simulated. Counts that all simulations agree on are exact, others have a spread.
    simulations: usize,
    start: fn(&Scenario, Fork, Settings) -> Result<Box<dyn Engine>>,
}

/// All engines of this build, in display order.
const ENGINES: &[BuiltIn] = &[
    ours::TRADITIONAL,
    ours::ADVANCED,
    #[cfg(feature = "peers")]
    revm::REVM,
];

impl EngineId {
    /// All engines of this build.
    pub fn all() -> Vec<EngineId> {
        ENGINES.iter().map(BuiltIn::id).collect()
    }

    /// Numbers the repetitions of an engine, so that each has a name of its own.
    pub fn distinct(ids: &[EngineId]) -> Vec<EngineId> {
        let number = |(i, id): (usize, &EngineId)| match ids[..i]
            .iter()
            .filter(|earlier| *earlier == id)
            .count()
        {
            0 => id.clone(),
            earlier => EngineId(Cow::Owned(format!("{id}-{}", earlier + 1))),
        };
        ids.iter().enumerate().map(number).collect()
    }

    /// The names of all engines of this build.
    pub fn names() -> Vec<&'static str> {
        ENGINES.iter().map(|row| row.name).collect()
    }

    /// Its mode, if it is this project's interpreter.
    pub fn mode(&self) -> Option<Mode> {
        self.built_in().and_then(|row| row.mode)
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    /// Its name without the number of a repetition.
    pub fn engine(&self) -> &str {
        let numbered = self.0.rsplit_once('-');
        let plain = numbered.filter(|(_, number)| number.parse::<usize>().is_ok());
        plain.map_or(&self.0, |(engine, _)| engine)
    }

    /// Name and version of the program; empty for engines outside this build.
    pub fn version(&self) -> String {
        self.built_in()
            .map_or_else(String::new, |row| (row.version)())
    }

    /// How often a call is simulated. Counts that all simulations agree on are exact, others have a spread.
    pub fn simulations(&self) -> usize {
        self.built_in().map_or(1, |row| row.simulations)
    }

    /// Starts the engine for a scenario. The settings apply only to this project's interpreter.
    ///
    /// # Errors
    /// The engine does not support the scenario's fork, or is not in this build.
    pub fn start(
        &self,
        scenario: &Scenario,
        fork: Fork,
        settings: Settings,
    ) -> Result<Box<dyn Engine>> {
        match self.built_in() {
            Some(row) => (row.start)(scenario, fork, settings),
            None => bail!("this build has no engine {self}"),
        }
    }

    fn built_in(&self) -> Option<&'static BuiltIn> {
        ENGINES.iter().find(|row| row.name == self.engine())
    }
}

impl BuiltIn {
    fn id(&self) -> EngineId {
        EngineId(Cow::Borrowed(self.name))
    }
}

impl From<Mode> for EngineId {
    fn from(mode: Mode) -> EngineId {
        EngineId(Cow::Borrowed(mode.name()))
    }
}

impl fmt::Display for EngineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EngineId {
    type Err = String;

    fn from_str(text: &str) -> Result<EngineId, String> {
        let id = EngineId(Cow::Owned(text.to_owned()));
        if id.built_in().is_some() {
            return Ok(id);
        }
        let names = EngineId::names().join(", ");
        Err(format!("unknown mode `{text}`: choose from {names}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::{default_dir, load_all};

    #[test]
    fn every_call_of_every_case_has_the_same_outcome() {
        for case in load_all(&default_dir()).unwrap().cases {
            let scenario = case.scenario().unwrap();
            for id in EngineId::all() {
                let mut engine = id.start(&scenario, case.fork, Settings::default()).unwrap();
                let mut first = None;
                for calls in [1, 2, 1] {
                    assert_eq!(engine.prepare(calls), calls);
                    for _ in 0..calls {
                        engine.call().unwrap();
                        // Gas tells whether what was accessed is cold again.
                        let outcome = engine.outcome();
                        let first = first.get_or_insert(outcome.clone());
                        assert_eq!(&outcome, first, "{}, {id}", case.name);
                    }
                    assert!(engine.call().is_err(), "one more than prepared");
                }
            }
        }
    }

    #[test]
    fn every_mode_is_an_engine_and_names_parse_back() {
        for mode in Mode::ALL {
            assert_eq!(EngineId::from(mode).mode(), Some(mode));
        }
        for id in EngineId::all() {
            assert_eq!(id.name().parse(), Ok(id.clone()));
            assert!(id.version().starts_with(char::is_alphabetic), "{id}");
        }
        assert!("geth".parse::<EngineId>().unwrap_err().contains("advanced"));
    }

    #[test]
    fn repetitions_are_the_same_engine_under_other_names() {
        let [a, t]: [EngineId; 2] = ["advanced", "traditional"].map(|it| it.parse().unwrap());
        let ids = EngineId::distinct(&[a.clone(), t.clone(), a.clone(), a.clone()]);
        let names: Vec<_> = ids.iter().map(EngineId::name).collect();
        assert_eq!(
            names,
            ["advanced", "traditional", "advanced-2", "advanced-3"]
        );
        assert!(ids.iter().all(|id| id.name().parse().as_ref() == Ok(id)));
        assert_eq!((ids[2].mode(), ids[2].engine()), (a.mode(), "advanced"));
    }
}
