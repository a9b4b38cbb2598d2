//! Samples and executions by opcode: which opcode a sampled stack belongs to, how often each is
//! executed, and what an execution costs. Names of functions come from `symbols`, tables are drawn in
//! the reports.

use crate::case::Case;
use anyhow::Result;
use evmscope_interp::{Interpreter, Mode, Opcode, Step, Tracer};
use evmscope_reports::Run;
use evmscope_reports::counter::Counter;
use evmscope_reports::run::{OpcodeCost, Profile};
use std::collections::BTreeMap;

/// Times each opcode is executed in one call of a case, all frames, counted by a traced run.
///
/// # Errors
/// A case whose scene cannot be made.
pub fn executed(case: &Case) -> Result<BTreeMap<Opcode, u64>> {
    struct Counts(BTreeMap<Opcode, u64>);
    impl Tracer for Counts {
        fn step(&mut self, step: &Step<'_>) {
            *self.0.entry(step.opcode).or_default() += 1;
        }
    }
    let mut counts = Counts(BTreeMap::new());
    let mut scene = case.scene()?;
    Interpreter::new(Mode::Traditional, case.fork).trace(
        scene.message,
        &mut scene.world,
        &mut counts,
    );
    Ok(counts.0)
}

/// What each opcode of a profiled mode costs, dearest first; last, without an opcode, what belongs to
/// none.
pub fn costs(profile: &Profile, executed: &BTreeMap<Opcode, u64>, run: &Run) -> Vec<OpcodeCost> {
    let mut weights = BTreeMap::<Option<Opcode>, u64>::new();
    for (stack, weight) in &profile.stacks {
        *weights.entry(opcode_of(stack)).or_default() += weight;
    }
    let total: u64 = weights.values().sum();
    let per_call = |counter| {
        let measured = run.measurement(&profile.case, &profile.mode, counter)?;
        Some(measured.median)
    };
    let cycles = (profile.unit == "cycles").then(|| per_call(Counter::Cycles));
    let (time, cycles) = (per_call(Counter::CpuTime), cycles.flatten());
    let cost = |opcode: Option<Opcode>| {
        let weight = weights.get(&opcode).copied().unwrap_or(0);
        let times = opcode.and_then(|opcode| executed.get(&opcode));
        let times = times.copied().unwrap_or(0);
        let share = weight as f64 / total.max(1) as f64;
        let each = |whole: Option<f64>| Some(whole? * share / times as f64).filter(|_| times > 0);
        OpcodeCost {
            case: profile.case.clone(),
            mode: profile.mode.clone(),
            opcode: opcode.map(|opcode| opcode.to_string()),
            executed: times,
            samples: (share * profile.samples as f64).round() as u64,
            share,
            time: each(time),
            cycles: each(cycles),
        }
    };
    let sampled = weights.keys().copied().flatten();
    let mut opcodes: Vec<_> = executed.keys().copied().chain(sampled).collect();
    opcodes.sort();
    opcodes.dedup();
    let mut costs: Vec<_> = opcodes
        .into_iter()
        .map(|opcode| cost(Some(opcode)))
        .collect();
    costs.sort_by(|a, b| b.share.total_cmp(&a.share));
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
    use crate::measure::Calls;
    use evmscope_interp::Settings;

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
            stacks: vec![
                ("handlers::ADD".to_owned(), 10),
                ("handlers::MLOAD".to_owned(), 20),
                ("handlers::MLOAD;ops::memory::mload".to_owned(), 40),
                ("dispatch".to_owned(), 30),
            ],
        };
        let mut run = crate::run::new_run(None, Settings::default(), Calls::Warm);
        let times = vec![1000.0; 3];
        run.measurements = vec![
            evmscope_reports::run::Measurement::new("case", "advanced", Counter::CpuTime, times)
                .unwrap(),
        ];
        let executed = [(add, 10), (mload, 30), (Opcode(0x50), 5)].into();
        let costs = costs(&profile, &executed, &run);
        let told: Vec<_> = costs
            .iter()
            .map(|cost| {
                (
                    cost.opcode.as_deref(),
                    cost.executed,
                    cost.samples,
                    cost.time,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (Some("MLOAD"), 30, 60, Some(20.0)),
                (Some("ADD"), 10, 10, Some(10.0)),
                (Some("POP"), 5, 0, Some(0.0)),
                (None, 0, 30, None),
            ]
        );
        assert_eq!(costs[0].cycles, None);
    }
}
