//! What both sides answered in a case that cannot be compared.

use super::{Change, Changes};
use crate::diff::Delta;
use crate::format::thousands;
use crate::run::{CaseResult, Run};
use serde::{Deserialize, Serialize};

/// Digits of a hash that tell two outputs apart, with `0x`.
const SHOWN: usize = 10;

/// A case that a side could not run, so that it is not compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Name of the case.
    pub case: String,
    /// The reason of each side that could not.
    pub why: Delta<String>,
}

impl Changes {
    /// Adds the cases that a side could not run: in each mode a row with the answers of both sides instead of a verdict.
    #[must_use]
    pub fn with_failures(mut self, failures: Vec<Failure>, modes: &[String]) -> Self {
        for failure in &failures {
            for mode in modes {
                let row = self.not_compared(failure, mode);
                let mut rows = self.changes.iter_mut();
                let of_place = |it: &&mut Change| it.case == failure.case && it.mode == *mode;
                match rows.find(of_place) {
                    Some(found) => *found = row,
                    None => self.changes.push(row),
                }
            }
        }
        self.failures.extend(failures);
        self
    }

    fn not_compared(&self, failure: &Failure, mode: &str) -> Change {
        let of = |run: &Run, why: Option<&String>| match (why, run.result(&failure.case, mode)) {
            (Some(why), _) => why.clone(),
            (None, Some(result)) => status_and_gas(result),
            (None, None) => "was not run".to_owned(),
        };
        let base = of(&self.base, failure.why.base());
        let head = of(&self.head, failure.why.head());
        Change {
            case: failure.case.clone(),
            mode: mode.to_owned(),
            verdict: Err(format!("not compared: base: {base}; head: {head}")),
            instructions: None,
            counters: Vec::new(),
            opcodes: Vec::new(),
        }
    }
}

fn status_and_gas(result: &CaseResult) -> String {
    format!("{}, {} gas", result.status, thousands(result.gas_used))
}

/// Two different answers: status and gas, and what else is different.
pub(super) fn differing(base: &CaseResult, head: &CaseResult) -> String {
    let [base, head] = [(base, head), (head, base)].map(|(own, other)| {
        let mut text = status_and_gas(own);
        if own.fork != other.fork {
            text += &format!(", fork {}", own.fork);
        }
        if own.output_hash != other.output_hash {
            let hash: String = own.output_hash.chars().take(SHOWN).collect();
            text += &format!(", output {hash}");
        }
        text
    });
    format!("not the same work: {base} against {head}")
}
