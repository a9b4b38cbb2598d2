//! What a build that is measured and the process that compares say to each other: a line of JSON each,
//! the build's hello first, then an answer to every request.

use evmscope_interp::Settings;
use evmscope_reports::run::{CaseResult, Measurement, OpcodeCost, Rig, Unavailable};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Changes with anything in this file that another version would read wrongly.
pub const VERSION: u32 = 1;

/// The first line of a build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`].
    pub protocol: u32,
    /// Machine and build, the hash of the binary and its commit among it.
    pub rig: Rig,
    /// What it can run a case in.
    pub modes: Vec<String>,
}

/// One that cannot be understood is answered by [`Reply::Refused`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Verifies a case in some modes and makes them ready, in place of the case before.
    Open {
        case_dir: PathBuf,
        case: String,
        modes: Vec<String>,
        tuning: Tuning,
    },
    /// Takes one timed sample of the open case.
    Sample {
        mode: String,
        /// How many calls to time; the same for all builds.
        calls: u64,
    },
    /// Counts hardware events of the open case. Builds from before it refuse.
    Count { mode: String },
    /// Samples the stacks of the open case, and simulates one call of it.
    Examine {
        mode: String,
        /// Time to sample, ms.
        sample_ms: u64,
    },
}

/// The interpreter's settings by their names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tuning {
    pub keccak_memo: String,
    pub budget: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// A mode each, in the order in which they were asked for.
    Opened(Vec<Opened>),
    /// CPU time of a call, ns.
    Sampled(f64),
    /// Nothing, and why, where there is no hardware counter.
    Counted(Counted),
    Examined(Box<Examined>),
    /// It cannot be done, for the reason given.
    Refused(String),
}

/// A case that came out right in a mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    pub result: CaseResult,
    /// CPU time of a warm call, ns.
    pub call: f64,
    /// The engine's version; empty from builds that do not state it.
    #[serde(default)]
    pub version: String,
}

/// What was counted in one launch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    pub measurements: Vec<Measurement>,
    pub unavailable: Vec<Unavailable>,
}

/// What is asked of a build once, and not in turn with others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Examined {
    /// The simulated counters.
    pub measurements: Vec<Measurement>,
    pub unavailable: Vec<Unavailable>,
    /// Empty for peers.
    pub opcodes: Vec<OpcodeCost>,
}

impl From<Settings> for Tuning {
    fn from(settings: Settings) -> Self {
        Self {
            keccak_memo: settings.keccak_memo.to_string(),
            budget: settings.budget,
        }
    }
}

impl TryFrom<&Tuning> for Settings {
    type Error = String;

    fn try_from(tuning: &Tuning) -> Result<Self, String> {
        let memo = tuning.keccak_memo.parse();
        Ok(Self {
            keccak_memo: memo
                .map_err(|_| format!("unknown keccak memo `{}`", tuning.keccak_memo))?,
            budget: tuning.budget,
            ..Self::default()
        })
    }
}
