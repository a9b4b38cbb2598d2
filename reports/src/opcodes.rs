//! The cost of opcodes over independent sampling runs: its spread, and which opcodes differ.
//!
//! A single sampling run shows differences of opcodes that the next one does not. So a run of each side is one
//! observation, and [`stats::multiple`](crate::stats::multiple) decides over all opcodes at once.

use crate::run::{OpcodeCost, Run};
use crate::stats::multiple::{
    Difference, Estimate, FALSE_DISCOVERIES, Observed, differences, relative_deviation,
};
use std::collections::HashMap;

/// Two modes are compared only if their shares of samples without an opcode differ by less than this. Otherwise the
/// mode that does more of its checks outside of opcodes would look faster at every opcode.
const COMPARABLE: f64 = 0.1;

/// What is known about the difference of an opcode between two modes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// The difference is more than chance, with the number of opcodes taken into account.
    Differs(Difference),
    /// It may be chance, or there are too few runs or samples.
    Undecided,
}

/// The answers for all opcodes of a run that two modes have in common.
#[derive(Clone, Debug)]
pub struct Answers<'a> {
    answers: HashMap<(&'a str, &'a str), Answer>,
}

impl<'a> Answers<'a> {
    /// Compares the mode `head` with the mode `base`, all opcodes of all cases at once.
    pub fn of(run: &'a Run, base: &str, head: &str) -> Self {
        let (mut places, mut family) = (Vec::new(), Vec::new());
        for base_cost in run.opcode_costs.iter().filter(|cost| cost.mode == base) {
            let case = base_cost.case.as_str();
            let Some(opcode) = base_cost.opcode.as_deref() else {
                continue;
            };
            let head_cost = find(run, case, head, Some(opcode));
            let Some(head_cost) = head_cost.filter(|_| is_comparable(run, case, base, head)) else {
                continue;
            };
            if base_cost.time.is_none() || head_cost.time.is_none() {
                continue;
            }
            places.push((case, opcode));
            let [base, head] = [base_cost, head_cost].map(OpcodeCost::observed);
            family.push(Estimate::paired(&base, &head));
        }
        let found = differences(&family, FALSE_DISCOVERIES).into_iter();
        let answers = found.map(|found| found.map_or(Answer::Undecided, Answer::Differs));
        Self {
            answers: places.into_iter().zip(answers).collect(),
        }
    }

    /// The answer for an opcode of a case; `None` if it is not compared.
    pub fn get(&self, case: &str, opcode: &str) -> Option<Answer> {
        self.answers.get(&(case, opcode)).copied()
    }

    /// How many opcodes were compared.
    pub fn number(&self) -> usize {
        self.answers.len()
    }
}

/// Whether two modes attribute about the same part of a case to opcodes.
fn is_comparable(run: &Run, case: &str, base: &str, head: &str) -> bool {
    let elsewhere = |mode| find(run, case, mode, None).map_or(0.0, |cost| cost.share);
    (elsewhere(base) - elsewhere(head)).abs() < COMPARABLE
}

/// The cost of an opcode, or of code without one.
fn find<'a>(run: &'a Run, case: &str, mode: &str, opcode: Option<&str>) -> Option<&'a OpcodeCost> {
    run.opcode_costs
        .iter()
        .find(|cost| cost.case == case && cost.mode == mode && cost.opcode.as_deref() == opcode)
}

impl OpcodeCost {
    /// The runs as observations of the CPU time of one execution, or of a call for code without an opcode.
    pub(crate) fn observed(&self) -> Vec<Observed> {
        let executed = self.executed.max(1) as f64;
        let runs = self.runs.iter().map(|run| Observed {
            cost: run.time / executed,
            samples: run.samples,
        });
        runs.collect()
    }

    /// CPU time of all executions in one call, ns: the mean of the runs.
    pub(crate) fn time_per_call(&self) -> f64 {
        match self.runs.len() {
            0 => self.time.unwrap_or(0.0) * self.executed as f64,
            runs => self.runs.iter().map(|run| run.time).sum::<f64>() / runs as f64,
        }
    }

    /// The spread of the cost from run to run: its standard deviation as a share of its mean. With a single run, the
    /// error of counting its samples, which is less. `None` without samples.
    pub fn spread(&self) -> Option<f64> {
        let times: Vec<f64> = self.runs.iter().map(|run| run.time).collect();
        match times.len() {
            0 | 1 => (self.samples > 0).then(|| (self.samples as f64).sqrt().recip()),
            _ => relative_deviation(&times),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::OpcodeRun;
    use std::collections::BTreeMap;

    fn cost(mode: &str, opcode: Option<&str>, share: f64, times: &[f64]) -> OpcodeCost {
        let run = |time: &f64| OpcodeRun {
            samples: *time as u64,
            time: *time,
        };
        OpcodeCost {
            case: "case".to_owned(),
            mode: mode.to_owned(),
            opcode: opcode.map(str::to_owned),
            executed: u64::from(opcode.is_some()),
            samples: 1_000,
            share,
            time: opcode.map(|_| times.first().copied().unwrap_or(1.0)),
            cycles: None,
            events: BTreeMap::new(),
            sim_instructions: None,
            runs: times.iter().map(run).collect(),
        }
    }

    fn run(elsewhere: f64) -> Run {
        let noise = [1.0, 1.02, 0.99, 1.01, 0.98, 1.0];
        let times = |time: f64| noise.map(|noise| time * noise);
        let late = [990.0, 1_500.0, 800.0, 1_030.0, 1_700.0, 1_010.0];
        Run {
            opcode_costs: vec![
                cost("a", Some("ADD"), 0.3, &times(1_000.0)),
                cost("a", Some("MUL"), 0.3, &times(1_000.0)),
                cost("a", Some("POP"), 0.1, &[]),
                cost("a", None, 0.2, &times(1_000.0)),
                cost("b", Some("ADD"), 0.3, &times(1_500.0)),
                cost("b", Some("MUL"), 0.3, &late),
                cost("b", Some("POP"), 0.1, &[]),
                cost("b", Some("EXP"), 0.1, &times(10.0)),
                cost("b", None, elsewhere, &times(1_000.0)),
            ],
            ..Run::default()
        }
    }

    #[test]
    fn only_what_all_runs_show_is_a_difference() {
        let run = run(0.25);
        let answers = Answers::of(&run, "a", "b");
        let Some(Answer::Differs(found)) = answers.get("case", "ADD") else {
            panic!("{answers:?}")
        };
        assert!((found.ratio - 1.5).abs() < 1e-9 && found.low > 1.0);
        assert_eq!(answers.get("case", "MUL"), Some(Answer::Undecided));
        // A run of an older version has no sampling runs.
        assert_eq!(answers.get("case", "POP"), Some(Answer::Undecided));
        // One mode alone has it.
        assert_eq!(answers.get("case", "EXP"), None);
        assert_eq!(answers.number(), 3);
    }

    #[test]
    fn modes_that_attribute_differently_are_not_compared() {
        let run = run(0.35);
        assert_eq!(Answers::of(&run, "a", "b").number(), 0);
    }

    #[test]
    fn the_spread_is_over_runs_if_there_are_any() {
        let of = |times: &[f64]| cost("a", Some("ADD"), 0.3, times).spread();
        assert_eq!(of(&[100.0, 100.0]), Some(0.0));
        let spread = of(&[50.0, 100.0, 150.0]).unwrap();
        assert!((spread - 0.5).abs() < 1e-9, "{spread}");
        assert_eq!(of(&[0.0, 0.0]), None);
        assert!((of(&[]).unwrap() - 1.0 / 1_000.0_f64.sqrt()).abs() < 1e-9);
    }
}
