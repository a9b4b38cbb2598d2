//! What can run a case: this project's two modes and the peers, behind one door, so that all are
//! prepared, timed and verified alike.

mod ours;
#[cfg(feature = "peers")]
mod revm;

use crate::case::Scene;
use alloy_primitives::{B256, Bytes};
use anyhow::Result;
use evmscope_interp::{Fork, Mode, Place, Programs, Settings, Statistics, keccak256};
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
    /// # Panics
    /// Where no call is ready, which is a bug of the caller.
    fn call(&mut self);

    /// Gets ready to tell places, where it can. What it has learned of code it may have to learn anew.
    fn keep_places(&mut self) {}

    /// The place in a contract's code that an address stands for, if it points into code or into what is
    /// made of code.
    fn place(&self, address: usize) -> Option<Place> {
        let _ = address;
        None
    }

    /// What came of the last call.
    fn outcome(&self) -> Option<CallOutcome>;

    /// How the last call was gone about, and what the interpreter keeps of code; only modes that translate
    /// can tell.
    fn translation(&self) -> Option<(Statistics, Programs)> {
        None
    }
}

/// The result of a call, as far as all engines can tell it.
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

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Ours(Mode),
    #[cfg(feature = "peers")]
    Revm,
}

impl Which {
    /// All engines of this build.
    pub const ALL: &[Which] = &[
        Which::Ours(Mode::Traditional),
        Which::Ours(Mode::Advanced),
        #[cfg(feature = "peers")]
        Which::Revm,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Which::Ours(mode) => mode.name(),
            #[cfg(feature = "peers")]
            Which::Revm => "revm",
        }
    }

    /// An engine for a scene. The settings are this project's interpreter's; peers have others.
    ///
    /// # Errors
    /// A peer that cannot take the scene.
    pub fn start(self, scene: &Scene, fork: Fork, settings: Settings) -> Result<Box<dyn Engine>> {
        Ok(match self {
            Which::Ours(mode) => Box::new(ours::Ours::new(mode, fork, settings, scene)),
            #[cfg(feature = "peers")]
            Which::Revm => Box::new(revm::Revm::new(fork, scene)?),
        })
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Which, String> {
        let names = || {
            Which::ALL
                .iter()
                .map(|which| which.name())
                .collect::<Vec<_>>()
                .join(", ")
        };
        Which::ALL
            .iter()
            .copied()
            .find(|which| which.name() == text)
            .ok_or_else(|| format!("unknown mode `{text}`: choose from {}", names()))
    }
}
