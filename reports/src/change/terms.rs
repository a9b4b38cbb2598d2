//! The terms of a comparison: thresholds, gates, and how the samples were taken.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// How the samples of the two runs were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Taken {
    /// In pairs, by processes launched together.
    Interleaved,
    /// At different times, so the difference includes changes of the machine's state.
    #[serde(rename = "apart")]
    Separately,
}

/// What makes a comparison fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// A regression in CPU time.
    Time,
    /// More simulated instructions, if their counts are exact.
    Instructions,
}

impl Gate {
    /// All gates.
    pub const ALL: [Gate; 2] = [Gate::Time, Gate::Instructions];

    /// Its name on the command line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Gate::Time => "time",
            Gate::Instructions => "instructions",
        }
    }
}

impl FromStr for Gate {
    type Err = String;

    fn from_str(text: &str) -> Result<Gate, String> {
        let found = Gate::ALL.into_iter().find(|gate| gate.name() == text);
        found.ok_or_else(|| format!("unknown gate `{text}`"))
    }
}

/// The terms of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// Threshold of the verdicts on CPU time: 0.05 is 5 %.
    pub threshold: f64,
    /// Threshold of the verdicts on simulated instructions.
    #[serde(default = "Terms::default_instruction_threshold")]
    pub instruction_threshold: f64,
    /// What makes it fail.
    #[serde(default = "Terms::default_gates")]
    pub gates: Vec<Gate>,
    /// How the samples were taken.
    pub taken: Taken,
    /// How long the timing took, s; absent if the runs were given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timing_seconds: Option<f64>,
}

impl Terms {
    /// The default terms: only CPU time can fail, and a change of instructions counts from 1 %.
    pub fn new(taken: Taken, threshold: f64) -> Self {
        Self {
            threshold,
            instruction_threshold: Self::default_instruction_threshold(),
            gates: Self::default_gates(),
            taken,
            timing_seconds: None,
        }
    }

    fn default_instruction_threshold() -> f64 {
        0.01
    }

    fn default_gates() -> Vec<Gate> {
        vec![Gate::Time]
    }
}
