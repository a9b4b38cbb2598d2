//! The cost of one execution of each opcode: executions, samples and simulated instructions joined.
//!
//! `symbols::handlers` maps an address to its opcode by the handler's name, `collect` and `contracts` weigh samples by
//! opcode, and `evmscope_reports` renders the tables.

use crate::engines::executed::Executed;
use crate::engines::verify::Verified;
use evmscope_interp::Opcode;
use evmscope_reports::Run;
use evmscope_reports::counter::Counter;
use evmscope_reports::run::{OpcodeCost, OpcodeRun};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The measurements of a call whose cost is distributed over opcodes.
#[derive(Clone, Copy)]
struct Call<'a> {
    case: &'a str,
    mode: &'a str,
    executed: &'a Executed,
    /// CPU time, ns.
    time: Option<f64>,
    /// Cycles, if the samples were taken on them.
    cycles: Option<f64>,
    /// Independent of each other.
    runs: &'a [SamplingRun],
    events: &'a [Events],
    simulated: Option<&'a Weights>,
}

/// An event of the PMU, sampled: the weight of its samples by opcode.
#[derive(Clone, Debug, PartialEq)]
pub struct Events {
    counter: Counter,
    /// Number in one call.
    total: f64,
    weights: Weights,
}

/// Weights of samples, or simulated instructions, by opcode; those without an opcode under `None`.
pub type Weights = BTreeMap<Option<Opcode>, u64>;

/// One sampling run of an engine, on time or cycles, as one process tells another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SamplingRun {
    /// CPU time of a call, ns, timed before the samples were taken.
    pub call: f64,
    /// Samples taken.
    pub samples: u64,
    /// Unit of the weights: `ns` or `cycles`.
    pub unit: String,
    /// Pairs of an opcode and the weight of its samples; samples without an opcode are under `None`.
    weights: Vec<(Option<u8>, u64)>,
}

impl SamplingRun {
    pub fn new(call: f64, samples: u64, unit: String, weights: &Weights) -> Self {
        let weights = weights.iter();
        Self {
            call,
            samples,
            unit,
            weights: weights
                .map(|(opcode, weight)| (opcode.map(|opcode| opcode.0), *weight))
                .collect(),
        }
    }

    fn weights(&self) -> Weights {
        let weights = self.weights.iter();
        weights
            .map(|(opcode, weight)| (opcode.map(Opcode), *weight))
            .collect()
    }

    /// What this run says of an opcode.
    fn of(&self, opcode: Option<Opcode>) -> OpcodeRun {
        let share = share(&self.weights(), opcode);
        OpcodeRun {
            samples: (share * self.samples as f64).round() as u64,
            time: share * self.call,
        }
    }
}

/// Adds sampling runs to the costs of one case and mode that are known already.
pub fn add_runs<'a>(costs: impl Iterator<Item = &'a mut OpcodeCost>, runs: &[SamplingRun]) {
    for cost in costs {
        let opcode = cost.opcode.as_deref().map(Opcode::from_name);
        cost.runs = match opcode {
            // An undefined opcode: it ends the frame, and has no name to find its samples by.
            Some(None) => Vec::new(),
            opcode => runs.iter().map(|run| run.of(opcode.flatten())).collect(),
        };
    }
}

impl Events {
    /// From the samples that were taken on an event, which happens `total` times in a call.
    pub fn new(counter: Counter, total: f64, weights: Weights) -> Events {
        Events {
            counter,
            total,
            weights,
        }
    }

    /// Number per execution of an opcode.
    fn each(&self, opcode: Opcode, executed: u64) -> f64 {
        self.total * share(&self.weights, Some(opcode)) / executed as f64
    }
}

/// The cost of each opcode in a verified mode of this project; empty for peers, whose functions have other names.
pub fn of(
    v: &Verified,
    run: &Run,
    runs: &[SamplingRun],
    events: &[Events],
    simulated: Option<&Weights>,
) -> Vec<OpcodeCost> {
    if v.id.mode().is_none() {
        return Vec::new();
    }
    let (case, mode) = (v.case.name.as_str(), v.id.name());
    let median = |counter| run.measurement(case, mode, counter).map(|m| m.median);
    costs(Call {
        case,
        mode,
        executed: &v.executed,
        time: median(Counter::CpuTime),
        cycles: median(Counter::Cycles)
            .filter(|_| !runs.is_empty() && runs.iter().all(|it| it.unit == "cycles")),
        runs,
        events,
        simulated,
    })
}

/// The cost of each opcode, costliest first; last, without an opcode, the rest.
fn costs(call: Call<'_>) -> Vec<OpcodeCost> {
    let mut weights = Weights::new();
    for (opcode, weight) in call.runs.iter().flat_map(SamplingRun::weights) {
        *weights.entry(opcode).or_default() += weight;
    }
    let opcodes = call.opcodes(&weights).into_iter();
    let mut costs: Vec<_> = opcodes
        .map(|opcode| call.cost(Some(opcode), &weights))
        .collect();
    costs.sort_by(|a, b| {
        let by_share = b.share.total_cmp(&a.share);
        by_share.then(b.sim_instructions.cmp(&a.sim_instructions))
    });
    costs.push(call.cost(None, &weights));
    costs
}

impl Call<'_> {
    /// All opcodes that were executed, sampled or simulated.
    fn opcodes(&self, sampled: &Weights) -> BTreeSet<Opcode> {
        let executed = self.executed.iter().map(|(opcode, _)| opcode);
        let sampled = sampled.keys();
        let simulated = self.simulated.iter().flat_map(|counts| counts.keys());
        let weighed = sampled.chain(simulated).copied().flatten();
        executed.chain(weighed).collect()
    }

    /// The cost of an opcode, given the weights of all runs together.
    fn cost(&self, opcode: Option<Opcode>, weights: &Weights) -> OpcodeCost {
        let executed = opcode.map_or(0, |opcode| self.executed.of(opcode));
        let share = share(weights, opcode);
        let each = |whole: Option<f64>| {
            let is_sampled = executed > 0 && !self.runs.is_empty();
            Some(whole? * share / executed as f64).filter(|_| is_sampled)
        };
        let samples: u64 = self.runs.iter().map(|run| run.samples).sum();
        let simulated = |counts: &Weights| counts.get(&opcode).copied().unwrap_or(0);
        OpcodeCost {
            case: self.case.to_owned(),
            mode: self.mode.to_owned(),
            opcode: opcode.map(|opcode| opcode.to_string()),
            executed,
            samples: (share * samples as f64).round() as u64,
            share,
            time: each(self.time),
            cycles: each(self.cycles),
            events: self.events_each(opcode, executed),
            sim_instructions: self.simulated.map(simulated),
            runs: self.runs.iter().map(|run| run.of(opcode)).collect(),
        }
    }

    /// Events per execution of an opcode.
    fn events_each(&self, opcode: Option<Opcode>, executed: u64) -> BTreeMap<Counter, f64> {
        let Some(opcode) = opcode.filter(|_| executed > 0) else {
            return BTreeMap::new();
        };
        let events = self.events.iter();
        events
            .map(|it| (it.counter, it.each(opcode, executed)))
            .collect()
    }
}

/// The share of an opcode in all weights, 0 to 1.
fn share(weights: &Weights, opcode: Option<Opcode>) -> f64 {
    let weight = weights.get(&opcode).copied().unwrap_or(0);
    let total: u64 = weights.values().sum();
    weight as f64 / total.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_executions_give_the_cost_of_one() {
        let (add, mload) = (
            Opcode::from_name("ADD").unwrap(),
            Opcode::from_name("MLOAD").unwrap(),
        );
        let executed = [(add, 10), (mload, 30), (Opcode(0x50), 5)]
            .into_iter()
            .collect();
        let simulated = [(Some(add), 70), (None, 9)].into();
        let misses = [(Some(mload), 3), (None, 1)].into();
        // Two runs, of 60 and 40 samples.
        let run = |call, samples, weights: [(Option<Opcode>, u64); 3]| {
            SamplingRun::new(call, samples, "ns".to_owned(), &weights.into())
        };
        let runs = [
            run(900.0, 60, [(Some(add), 6), (Some(mload), 30), (None, 24)]),
            run(1100.0, 40, [(Some(add), 4), (Some(mload), 30), (None, 6)]),
        ];
        let call = Call {
            case: "case",
            mode: "advanced",
            executed: &executed,
            time: Some(1000.0),
            cycles: None,
            runs: &runs,
            events: &[Events::new(Counter::BranchMisses, 60.0, misses)],
            simulated: Some(&simulated),
        };
        let costs = costs(call);
        let found: Vec<_> = costs
            .iter()
            .map(|cost| {
                (
                    cost.opcode.as_deref(),
                    cost.executed,
                    cost.samples,
                    cost.time,
                    cost.sim_instructions,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (Some("MLOAD"), 30, 60, Some(20.0), Some(0)),
                (Some("ADD"), 10, 10, Some(10.0), Some(70)),
                (Some("POP"), 5, 0, Some(0.0), Some(0)),
                (None, 0, 30, None, Some(9)),
            ]
        );
        assert_eq!(costs[0].cycles, None);
        // MLOAD has three quarters of 60, and is executed 30 times.
        let missed: Vec<_> = costs
            .iter()
            .map(|it| it.event(Counter::BranchMisses))
            .collect();
        assert_eq!(missed, [Some(1.5), Some(0.0), Some(0.0), None]);
        assert_eq!(costs[1].sim_instructions_each(), Some(7.0));
        assert_eq!(costs[3].sim_instructions_each(), None);

        // Half of the samples of a call of 900 ns, three quarters of those of one of 1,100 ns.
        let times: Vec<_> = costs[0]
            .runs
            .iter()
            .map(|it| (it.samples, it.time))
            .collect();
        assert_eq!(times, [(30, 450.0), (30, 825.0)]);
        let mut again = costs.clone();
        again.iter_mut().for_each(|cost| cost.runs.clear());
        add_runs(again.iter_mut(), &runs);
        assert_eq!(again, costs);

        let unsampled = super::costs(Call { runs: &[], ..call });
        let costliest = &unsampled[0];
        assert_eq!(
            (costliest.opcode.as_deref(), costliest.time),
            (Some("ADD"), None)
        );
    }
}
