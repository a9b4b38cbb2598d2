//! A walk as folded stacks: contract and function, source line, opcode, and for time the native functions in which
//! the opcode was sampled.
//!
//! Stacks come from `walk`, samples from `positions`; `flamegraph` draws the result.

use super::positions::AttributedSample;
use super::walk::{Kind, StackTally, Tally, Walk};
use evmscope_interp::Opcode;
use std::collections::BTreeMap;

/// The frame of samples without an opcode: dispatch, and functions that several opcodes call.
const UNATTRIBUTED: &str = "unattributed";

/// Stacks with their weights, and the kind of frame of each name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weighed {
    /// Root first, `;` between frames; sorted.
    pub stacks: Vec<(String, u64)>,
    pub kinds: BTreeMap<String, Kind>,
    /// For time: the share of the weight whose samples have a position, 0 to 1.
    pub attributed: Option<f64>,
}

/// Gas at every stack; the sum is the gas that the message used.
pub fn by_gas(walk: &Walk) -> Weighed {
    weighed(walk, |tally| tally.gas)
}

/// Opcodes executed at every stack.
pub fn by_opcodes(walk: &Walk) -> Weighed {
    weighed(walk, |tally| tally.executed)
}

fn weighed(walk: &Walk, weight: fn(&Tally) -> u64) -> Weighed {
    let stacks = walk.stacks.iter();
    let stacks = stacks.map(|it| (stack(it), weight(&it.tally)));
    Weighed {
        stacks: stacks.filter(|(_, weight)| *weight > 0).collect(),
        kinds: kinds(walk),
        attributed: None,
    }
}

fn stack(at: &StackTally) -> String {
    let opcode = at.opcode.to_string();
    let frames = at.frames.iter().map(|frame| frame.name.as_str());
    frames.chain([&*opcode]).collect::<Vec<_>>().join(";")
}

fn kinds(walk: &Walk) -> BTreeMap<String, Kind> {
    let frames = walk.stacks.iter().flat_map(|it| &it.frames);
    let frames = frames.map(|frame| (frame.name.clone(), frame.kind));
    let opcodes = walk.stacks.iter().map(|it| it.opcode.to_string());
    frames
        .chain(opcodes.map(|name| (name, Kind::Opcode)))
        .collect()
}

/// Time at every stack, from attributed samples, in their unit. The sum is that of the samples.
///
/// A sample with a position counts there; if several stacks lead there, its weight is distributed over them in
/// proportion to their executions. A sample with an opcode only is distributed over that opcode's executions, and one
/// with neither is under [`UNATTRIBUTED`].
pub fn by_time(walk: &Walk, samples: &[AttributedSample]) -> Weighed {
    let stacks: Vec<_> = walk.stacks.iter().map(stack).collect();
    let mut executions = BTreeMap::<Opcode, Vec<(usize, u64)>>::new();
    for (at, counted) in walk.stacks.iter().enumerate() {
        let executed = (at, counted.tally.executed);
        executions.entry(counted.opcode).or_default().push(executed);
    }
    let mut kinds = kinds(walk);
    let mut weights = BTreeMap::<String, u64>::new();
    let (mut attributed, mut total) = (0, 0);
    for AttributedSample {
        functions,
        position,
        opcode,
        weight,
    } in samples
    {
        let named = functions.split(';').chain([UNATTRIBUTED]);
        kinds.extend(named.map(|name| (name.to_owned(), Kind::Native)));
        let exact = position.and_then(|position| walk.by_position.get(&position));
        let of_opcode = || executions.get(opcode.as_ref()?);
        total += weight;
        attributed += exact.map_or(0, |_| *weight);
        let Some(stacks_there) = exact.or_else(of_opcode) else {
            *weights
                .entry(format!("{UNATTRIBUTED};{functions}"))
                .or_default() += weight;
            continue;
        };
        for (at, share) in shares(stacks_there, *weight) {
            *weights
                .entry(format!("{};{functions}", stacks[at]))
                .or_default() += share;
        }
    }
    Weighed {
        stacks: weights.into_iter().collect(),
        kinds,
        attributed: Some(attributed as f64 / u64::max(total, 1) as f64),
    }
}

/// Distributes a weight over stacks in proportion to their executions, rounded so that the sum is exact.
fn shares(stacks: &[(usize, u64)], weight: u64) -> impl Iterator<Item = (usize, u64)> {
    let total: u64 = stacks.iter().map(|(_, executed)| executed).sum();
    let (mut until, mut given) = (0, 0);
    let share = move |&(at, executed): &(usize, u64)| {
        until += u128::from(executed);
        let share = (u128::from(weight) * until / u128::from(total)) as u64 - given;
        given += share;
        (at, share)
    };
    stacks.iter().map(share).filter(|(_, share)| *share > 0)
}
