//! Samples, simulated instructions and executions by opcode: which opcode an address belongs to, how often
//! each is executed, and what an execution costs. Names of functions come from `symbols`, tables are drawn
//! in the reports.

use crate::case::Scene;
use crate::engine::Which;
use crate::folding;
use crate::symbols::Symbols;
use crate::verify::Verified;
use evmscope_interp::{Fork, Interpreter, Mode, Opcode, Step, Tracer};
use evmscope_reports::Run;
use evmscope_reports::counter::Counter;
use evmscope_reports::run::{OpcodeCost, Profile};
use std::collections::BTreeMap;

/// How often each opcode is executed in one call of a case, all frames; counted by a traced run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed([u64; 256]);

impl Executed {
    pub fn count(scene: &Scene, fork: Fork) -> Executed {
        let mut executed = Executed::default();
        let mut scene = scene.clone();
        Interpreter::new(Mode::Traditional, fork).trace(
            scene.message,
            &mut scene.world,
            &mut executed,
        );
        executed
    }

    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub fn of(&self, opcode: Opcode) -> u64 {
        self.0[usize::from(opcode.0)]
    }

    /// The opcodes that are executed at all, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (Opcode, u64)> {
        let all = (0..=u8::MAX).map(Opcode).zip(self.0);
        all.filter(|(_, times)| *times > 0)
    }
}

impl Default for Executed {
    fn default() -> Executed {
        Executed([0; 256])
    }
}

impl Tracer for Executed {
    fn step(&mut self, step: &Step<'_>) {
        self.0[usize::from(step.opcode.0)] += 1;
    }
}

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
    simulated: Option<&'a Simulated>,
}

/// Where an event of the PMU happens: the weight of its samples by opcode.
#[derive(Clone, Debug, PartialEq)]
pub struct Events {
    counter: Counter,
    /// Of one call.
    total: f64,
    weights: Weights,
}

/// The weight of samples by opcode; under none what belongs to no opcode.
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

/// Simulated instructions by opcode; under none what belongs to no opcode.
pub type Simulated = BTreeMap<Option<Opcode>, u64>;

/// Shares out the instructions at each address of this binary, as samples are.
pub fn simulated(instructions: &[(u64, u64)], symbols: &Symbols) -> Simulated {
    let mut by_opcode = Simulated::new();
    for &(address, count) in instructions {
        let stack = folding::stack_of_file(address, symbols);
        *by_opcode.entry(opcode_of(&stack)).or_default() += count;
    }
    by_opcode
}

/// What each opcode costs in a verified mode of this project; nothing for peers, whose functions have other
/// names.
pub fn of(
    v: &Verified,
    run: &Run,
    sampled: Option<Sampled<'_>>,
    events: &[Events],
    simulated: Option<&Simulated>,
) -> Vec<OpcodeCost> {
    if !matches!(v.which, Which::Ours(_)) {
        return Vec::new();
    }
    let (case, mode) = (v.case.name.as_str(), v.which.name());
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

/// The opcode that a stack of function names, root first, was executing; none where no name tells,
/// as in the dispatch itself and in functions that several opcodes call.
///
/// The outermost name decides: a handler stands around what was inlined into it.
pub fn opcode_of(stack: &str) -> Option<Opcode> {
    stack.split(';').find_map(of_function)
}

/// Whether a function that exists in the binary runs an instruction of one of the modes: that of an opcode, or
/// another one of the decoded form (`advanced::handlers::branch`).
pub fn is_handler(function: &str) -> bool {
    let modes = Mode::ALL.map(Mode::name);
    let of_mode = |mode: &str| {
        function
            .strip_prefix(mode)
            .is_some_and(|it| it.starts_with(' '))
    };
    modes.into_iter().any(of_mode)
        || ["advanced::", "run::"].iter().any(|it| {
            function
                .strip_prefix(it)
                .is_some_and(|it| it.starts_with("handlers::"))
        })
}

/// A handler is named by its mode and its opcode (`advanced MLOAD`; in runs of earlier versions
/// `handlers::MLOAD`), also with closures and inner functions behind it; the meaning of an opcode is a
/// function in `ops` (`ops::memory::mload`).
fn of_function(name: &str) -> Option<Opcode> {
    let path = without_parameters(name);
    let segments: Vec<_> = path.split([':', ' ']).filter(|it| !it.is_empty()).collect();
    let handler = segments
        .iter()
        .rev()
        .find_map(|segment| Opcode::from_name(segment));
    handler.or_else(|| {
        let ops = segments.iter().position(|segment| *segment == "ops")?;
        match *segments.get(ops + 2)? {
            "rem" => Opcode::from_name("MOD"),
            function => Opcode::from_name(&function.trim_end_matches('_').to_uppercase()),
        }
    })
}

/// The name without what stands between angle brackets.
fn without_parameters(name: &str) -> String {
    let mut depth = 0usize;
    name.chars()
        .filter(|c| {
            match c {
                '<' => depth += 1,
                '>' => depth = depth.saturating_sub(1),
                _ => return depth == 0,
            }
            false
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_tell_their_opcode_or_none() {
        for (stack, opcode) in [
            // A handler, as it is in the binary and as stacks show it.
            ("evmscope_interp::advanced::handlers::MLOAD", Some("MLOAD")),
            (
                "evmscope_interp::advanced::handlers::PUSH1::<true, 3>",
                Some("PUSH1"),
            ),
            ("traditional ADD", Some("ADD")),
            ("advanced SLOAD (apart)", Some("SLOAD")),
            (
                "advanced MSTORE (memory grows)::{closure#0}",
                Some("MSTORE"),
            ),
            ("execute::handlers::ADD", Some("ADD")),
            (
                "execute::handlers::SSTORE<Host>;ops::storage::sstore",
                Some("SSTORE"),
            ),
            (
                "handlers::MSTORE::grow;handlers::MSTORE::grow::{{closure}}",
                Some("MSTORE"),
            ),
            // Opcodes in one: what follows the pushed operand.
            ("execute::immediate::ADD", Some("ADD")),
            (
                "execute::handlers::MLOAD;ops::arithmetic::add",
                Some("MLOAD"),
            ),
            // Meanings, inlined into the loop of the traditional mode.
            (
                "traditional::execute;ops::memory::mload;word::Word::from_be_bytes",
                Some("MLOAD"),
            ),
            ("traditional::execute;ops::arithmetic::rem", Some("MOD")),
            ("traditional::execute;ops::control::return_", Some("RETURN")),
            // LOG0 to LOG4 share one, and the rest belongs to all.
            ("traditional::execute;ops::log::log", None),
            ("traditional::execute;traditional::Registers::check", None),
            ("keccak::permute_bmi;keccak::rounds", None),
            ("map::IndexMap<ADD,V,S>::entry", None),
            ("[libc.so.6]", None),
            ("", None),
        ] {
            let found = opcode_of(stack).map(|opcode| opcode.to_string());
            assert_eq!(found.as_deref(), opcode, "{stack}");
        }
    }

    #[test]
    fn handlers_are_told_from_what_calls_them_and_what_they_call() {
        for handler in [
            "traditional ADD",
            "advanced SLOAD (apart)",
            "advanced::handlers::branch",
        ] {
            assert!(is_handler(handler), "{handler}");
        }
        for other in [
            "traditional::execute",
            "advanced::dispatch::run",
            "advancedADD",
            "ops::memory::mload",
            "nginx::handlers::serve",
            "",
        ] {
            assert!(!is_handler(other), "{other}");
        }
    }

    #[test]
    fn every_opcode_is_known_by_its_handler() {
        for opcode in (0..=255)
            .map(Opcode)
            .filter(|opcode| opcode.info().is_some())
        {
            assert_eq!(opcode_of(&format!("handlers::{opcode}<_>")), Some(opcode));
        }
    }

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
        let mut executed = Executed::default();
        for (opcode, times) in [(add, 10), (mload, 30), (Opcode(0x50), 5)] {
            executed.0[usize::from(opcode.0)] = times;
        }
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
