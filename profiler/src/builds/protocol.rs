//! The messages between a measured build and the comparing process, one line of JSON each: the build's hello
//! first, then an answer to every request.

use crate::profile::opcode_costs::SamplingRun;
use evmscope_interp::{Budget, Settings, Technique, Techniques};
use evmscope_reports::run::{CaseResult, Measurement, OpcodeCost, Rig, Unavailable};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Protocol version, increased with every incompatible change of this file.
pub const VERSION: u32 = 1;

/// How the refusal of a request begins that a build cannot parse, such as one that it is too old for.
pub const INVALID: &str = "invalid request: ";

/// The first line that a build sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`].
    pub protocol: u32,
    /// The machine and the build, including the hash of the binary and its commit.
    pub rig: Rig,
    /// The modes that it can run.
    pub modes: Vec<String>,
}

/// A request to a build. One that cannot be parsed is answered by [`Reply::Refused`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Verifies a case in some modes and prepares them for sampling. Closes the case before.
    Open {
        case_dir: PathBuf,
        case: String,
        modes: Vec<String>,
        tuning: Tuning,
    },
    /// Takes one timing sample of the open case.
    Sample {
        mode: String,
        /// Calls per sample; the same for all builds.
        calls: u64,
        /// Times first calls. Older builds ignore it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        cold: bool,
        /// Asks for [`Reply::Timed`]. Older builds ignore it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        faults: bool,
    },
    /// Counts hardware events of the open case. Older builds refuse it.
    Count { mode: String },
    /// Takes one sampling run of the open case for the cost of opcodes. Older builds refuse it.
    Opcodes {
        mode: String,
        /// Time to sample, ms.
        sample_ms: u64,
    },
    /// Samples the stacks of the open case and simulates one call of it.
    Examine {
        mode: String,
        /// Time to sample, ms.
        sample_ms: u64,
    },
}

/// The interpreter's settings in serialised form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tuning {
    pub keccak_memo: String,
    pub budget: f64,
    /// Bytes. Older builds ignore it: they have none.
    #[serde(default = "floor")]
    pub budget_floor: usize,
    /// Techniques that are disabled. Older builds ignore it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
}

fn floor() -> usize {
    Budget::default().floor
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// One item per mode, in the order asked for.
    Opened(Vec<Opened>),
    /// CPU time per call, ns.
    Sampled(f64),
    /// CPU time per call, ns, and page faults per call.
    Timed {
        time: f64,
        faults: f64,
    },
    /// Without hardware counters: no measurement, and the reasons.
    Counted(Counted),
    Opcodes(SamplingRun),
    Examined(Box<Examined>),
    /// The request cannot be served; the reason.
    Refused(String),
}

/// A case with a verified result in a mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    pub result: CaseResult,
    /// CPU time of a warm call, ns.
    pub call: f64,
    /// The engine's version; empty from builds that do not state it.
    #[serde(default)]
    pub version: String,
}

/// Hardware counters of one launch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    pub measurements: Vec<Measurement>,
    pub unavailable: Vec<Unavailable>,
}

/// What is measured once per build, not interleaved with others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Examined {
    /// The simulated counters.
    pub measurements: Vec<Measurement>,
    pub unavailable: Vec<Unavailable>,
    /// Empty for reference engines.
    pub opcodes: Vec<OpcodeCost>,
}

impl From<Settings> for Tuning {
    fn from(settings: Settings) -> Self {
        Self {
            keccak_memo: settings.keccak_memo.to_string(),
            budget: settings.budget.ratio,
            budget_floor: settings.budget.floor,
            without: Technique::ALL
                .iter()
                .filter(|it| !settings.techniques.has(**it))
                .map(|it| it.name().to_owned())
                .collect(),
        }
    }
}

impl TryFrom<&Tuning> for Settings {
    type Error = String;

    fn try_from(tuning: &Tuning) -> Result<Self, String> {
        let memo = tuning.keccak_memo.parse();
        let mut techniques = Techniques::ALL;
        for name in &tuning.without {
            let technique = name.parse::<Technique>();
            techniques = techniques.without(technique.map_err(|error| error.to_string())?);
        }
        Ok(Self {
            keccak_memo: memo
                .map_err(|_| format!("unknown keccak memo `{}`", tuning.keccak_memo))?,
            budget: Budget {
                ratio: tuning.budget,
                floor: tuning.budget_floor,
            },
            techniques,
            ..Self::default()
        })
    }
}
