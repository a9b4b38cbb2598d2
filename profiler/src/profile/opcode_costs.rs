//! What an execution of each opcode costs: executions, samples and simulated instructions joined. Which opcode an
//! address belongs to is known by the names of handlers (`symbols::handlers`), tables are drawn in the reports.

use crate::engines::executed::Executed;
use crate::engines::verify::Verified;
use evmscope_interp::Opcode;
use evmscope_reports::Run;
use evmscope_reports::counter::Counter;
use evmscope_reports::run::{OpcodeCost, Profile};
use std::collections::BTreeMap;

/// What was measured of a call whose cost is shared out among opcodes.
#[derive(Clone, Copy)]
struct Call<'a> {
    case: &'a str,
    mode: &'a str,
    executed: &'a Executed,
    /// CPU time, ns.
    time: Option<f64>,
    /// Cycles, where the samples were taken on them.
    cycles: Option<f64>,
    sampled: Option<Sampled<'a>>,
    events: &'a [Events],
    simulated: Option<&'a Weights>,
}

/// Where an event of the PMU happens: the weight of its samples by opcode.
#[derive(Clone, Debug, PartialEq)]
pub struct Events {
    counter: Counter,
    /// Of one call.
    total: f64,
    weights: Weights,
}

/// Samples by weight, or simulated instructions, by opcode; under none what belongs to no opcode.
pub type Weights = BTreeMap<Option<Opcode>, u64>;

/// Samples of the time.
#[derive(Clone, Copy)]
pub struct Sampled<'a> {
    pub profile: &'a Profile,
    pub weights: &'a Weights,
}

impl Events {
    /// From the samples that were taken on the event, of which a call has `total`.
    pub fn new(counter: Counter, total: f64, weights: Weights) -> Events {
        Events {
            counter,
            total,
            weights,
        }
    }

    /// Of one of the executions of an opcode.
    fn each(&self, opcode: Opcode, executed: u64) -> f64 {
        let weight = self.weights.get(&Some(opcode)).copied().unwrap_or(0);
        let all: u64 = self.weights.values().sum();
        self.total * weight as f64 / all.max(1) as f64 / executed as f64
    }
}

/// What each opcode costs in a verified mode of this project; nothing for peers, whose functions have other
/// names.
pub fn of(
    v: &Verified,
    run: &Run,
    sampled: Option<Sampled<'_>>,
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
            .filter(|_| sampled.is_some_and(|it| it.profile.unit == "cycles")),
        sampled,
        events,
        simulated,
    })
}

/// What each opcode of a mode costs, dearest first; last, without an opcode, what belongs to none.
fn costs(call: Call<'_>) -> Vec<OpcodeCost> {
    let Call { executed, .. } = call;
    let nothing = Weights::new();
    let weights = call.sampled.map_or(&nothing, |it| it.weights);
    let total: u64 = weights.values().sum();
    let simulated = |opcode| {
        let counts = call.simulated?;
        Some(counts.get(&opcode).copied().unwrap_or(0))
    };
    let cost = |opcode: Option<Opcode>| {
        let weight = weights.get(&opcode).copied().unwrap_or(0);
        let times = opcode.map_or(0, |opcode| executed.of(opcode));
        let share = weight as f64 / total.max(1) as f64;
        let sampled = times > 0 && call.sampled.is_some();
        let each = |whole: Option<f64>| Some(whole? * share / times as f64).filter(|_| sampled);
        let samples = call.sampled.map_or(0, |it| it.profile.samples);
        OpcodeCost {
            case: call.case.to_owned(),
            mode: call.mode.to_owned(),
            opcode: opcode.map(|opcode| opcode.to_string()),
            executed: times,
            samples: (share * samples as f64).round() as u64,
            share,
            time: each(call.time),
            cycles: each(call.cycles),
            events: match opcode {
                Some(opcode) if times > 0 => {
                    let events = call.events.iter();
                    events
                        .map(|it| (it.counter, it.each(opcode, times)))
                        .collect()
                }
                _ => BTreeMap::new(),
            },
            sim_instructions: simulated(opcode),
        }
    };
    let sampled = weights.keys().copied().flatten();
    let counted = call.simulated.iter().flat_map(|counts| counts.keys());
    let executed = executed.iter().map(|(opcode, _)| opcode);
    let mut opcodes: Vec<_> = executed
        .chain(sampled)
        .chain(counted.copied().flatten())
        .collect();
    opcodes.sort();
    opcodes.dedup();
    let mut costs: Vec<_> = opcodes
        .into_iter()
        .map(|opcode| cost(Some(opcode)))
        .collect();
    costs.sort_by(|a, b| {
        let by_share = b.share.total_cmp(&a.share);
        by_share.then(b.sim_instructions.cmp(&a.sim_instructions))
    });
    costs.push(cost(None));
    costs
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
        let profile = Profile {
            case: "case".to_owned(),
            mode: "advanced".to_owned(),
            sampler: "perf cpu-clock".to_owned(),
            samples: 100,
            lost: 0,
            rate: 1000.0,
            unit: "ns".to_owned(),
            stacks: Vec::new(),
        };
        let executed = [(add, 10), (mload, 30), (Opcode(0x50), 5)]
            .into_iter()
            .collect();
        let simulated = [(Some(add), 70), (None, 9)].into();
        let misses = [(Some(mload), 3), (None, 1)].into();
        let weights = [(Some(add), 10), (Some(mload), 60), (None, 30)].into();
        let call = Call {
            case: "case",
            mode: "advanced",
            executed: &executed,
            time: Some(1000.0),
            cycles: None,
            sampled: Some(Sampled {
                profile: &profile,
                weights: &weights,
            }),
            events: &[Events::new(Counter::BranchMisses, 60.0, misses)],
            simulated: Some(&simulated),
        };
        let costs = costs(call);
        let told: Vec<_> = costs
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
            told,
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

        let unsampled = super::costs(Call {
            sampled: None,
            ..call
        });
        let dearest = &unsampled[0];
        assert_eq!(
            (dearest.opcode.as_deref(), dearest.time),
            (Some("ADD"), None)
        );
    }
}
