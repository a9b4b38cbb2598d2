//! What runs a case, and whether it ran right: this project's two modes and the peers behind one trait, so that all
//! are prepared, timed and verified alike; the suites and checks that need an engine and no figure.
//!
//! An engine of this build is a row of [`ENGINES`]. How long a call takes is measured in `measure`.

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

/// Runs one case again and again, each time from the same state.
///
/// What a call leaves behind is kept until the next [`Engine::prepare`], so that a timed call neither
/// makes nor drops a world.
pub trait Engine {
    /// Gets `calls` calls ready and drops what earlier ones left.
    fn prepare(&mut self, calls: usize);

    /// As [`Engine::prepare`], and makes each call the first of its interpreter: nothing is decoded, nothing
    /// remembered. Its memory was in use before, so that no page of it is new.
    fn prepare_cold(&mut self, calls: usize);

    /// Runs the next call that is ready: the execution of the message and nothing else.
    ///
    /// # Errors
    /// No call is ready, or the engine could not run it to a result.
    fn call(&mut self) -> Result<()>;

    /// Gets ready to report places, where it can. What it has learned of code it may have to learn anew.
    fn keep_places(&mut self) {}

    /// The place in a contract's code that an address stands for, if it points into code or into what is
    /// made of code.
    fn place(&self, address: usize) -> Option<Place> {
        let _ = address;
        None
    }

    /// The result of the last call.
    fn outcome(&self) -> Option<CallOutcome>;

    /// Translation statistics of the last call, and the programs that the interpreter keeps; none from engines that
    /// do not translate.
    fn translation(&self) -> Option<(Statistics, Programs)> {
        None
    }
}

/// The result of a call, as far as all engines report it.
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

/// The name of an engine, which is its `mode` on the command line and in reports. Owned, so that engines from
/// outside this build can have one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EngineId(Cow<'static, str>);

/// An engine of this build.
struct BuiltIn {
    name: &'static str,
    /// The mode that it is, if it is this project's interpreter.
    mode: Option<Mode>,
    /// What it is and of which version, for records.
    version: fn() -> String,
    /// How often a call is simulated for a figure with a spread; 1 where all simulations count the same.
    simulations: usize,
    start: fn(&Scenario, Fork, Settings) -> Result<Box<dyn Engine>>,
}

/// All engines of this build, in the order in which they are listed.
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

    /// Their names.
    pub fn names() -> Vec<&'static str> {
        ENGINES.iter().map(|row| row.name).collect()
    }

    /// The mode that it is, if it is this project's interpreter.
    pub fn mode(&self) -> Option<Mode> {
        self.built_in().and_then(|row| row.mode)
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    /// What it is and of which version.
    pub fn version(&self) -> String {
        self.built_in()
            .map_or_else(String::new, |row| (row.version)())
    }

    /// How often a call is simulated for a figure with a spread.
    pub fn simulations(&self) -> usize {
        self.built_in().map_or(1, |row| row.simulations)
    }

    /// Starts the engine for a scenario. The settings are this project's interpreter's; peers have others.
    ///
    /// # Errors
    /// A peer that cannot take the scenario.
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
        ENGINES.iter().find(|row| row.name == self.0)
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
        let found = ENGINES.iter().find(|row| row.name == text);
        found.map(BuiltIn::id).ok_or_else(|| {
            let names = EngineId::names().join(", ");
            format!("unknown mode `{text}`: choose from {names}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_is_an_engine_and_every_engine_is_found_by_its_name() {
        for mode in Mode::ALL {
            assert_eq!(EngineId::from(mode).mode(), Some(mode));
        }
        for id in EngineId::all() {
            assert_eq!(id.name().parse(), Ok(id.clone()));
            assert!(id.version().starts_with(char::is_alphabetic), "{id}");
        }
        assert!("geth".parse::<EngineId>().unwrap_err().contains("advanced"));
    }
}
