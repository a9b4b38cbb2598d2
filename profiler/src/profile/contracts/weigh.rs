//! What a walk found as folded stacks: contract and function, source line, opcode, and below it, where
//! time is asked for, the native functions that the opcode's samples fell on.

use super::positions::AttributedSample;
use super::walk::{Kind, Position, Tally, Walk};
use evmscope_interp::Opcode;
use std::collections::BTreeMap;

/// The frame of samples that belong to no opcode: dispatch, and functions that several opcodes call.
const SHARED: &str = "no opcode of its own";

/// Stacks with their weights, and what kind of frame each name is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weighed {
    /// Root first, `;` between frames; sorted.
    pub stacks: Vec<(String, u64)>,
    pub kinds: BTreeMap<String, Kind>,
    /// Of time: the share of the weight that samples tell the position of.
    pub told: Option<f64>,
}

/// Gas of every stack; the sum is the gas that the message used.
pub fn by_gas(walk: &Walk) -> Weighed {
    weighed(walk, |tally| tally.gas)
}

/// Opcodes executed at every stack.
pub fn by_opcodes(walk: &Walk) -> Weighed {
    weighed(walk, |tally| tally.executed)
}

fn weighed(walk: &Walk, weight: fn(&Tally) -> u64) -> Weighed {
    let stacks = walk.positions.iter();
    let stacks = stacks.map(|it| (stack(it), weight(&it.tally)));
    Weighed {
        stacks: stacks.filter(|(_, weight)| *weight > 0).collect(),
        kinds: kinds(walk),
        told: None,
    }
}

fn stack(position: &Position) -> String {
    let opcode = position.opcode.to_string();
    let frames = position.frames.iter().map(|frame| frame.name.as_str());
    frames.chain([&*opcode]).collect::<Vec<_>>().join(";")
}

fn kinds(walk: &Walk) -> BTreeMap<String, Kind> {
    let frames = walk.positions.iter().flat_map(|it| &it.frames);
    let frames = frames.map(|frame| (frame.name.clone(), frame.kind));
    let opcodes = walk.positions.iter().map(|it| it.opcode.to_string());
    frames
        .chain(opcodes.map(|name| (name, Kind::Opcode)))
        .collect()
}

/// Time at every stack, from located samples, in their unit. The sum is that of the samples.
///
/// A sample that tells its position stands there; where a contract is there in several ways, its weight
/// is spread over them by their executions, which are counted. One that tells its opcode only is spread over
/// the executions of that, and what tells neither stands apart.
pub fn by_time(walk: &Walk, samples: &[AttributedSample]) -> Weighed {
    let stacks: Vec<_> = walk.positions.iter().map(stack).collect();
    let mut executions = BTreeMap::<Opcode, Vec<(usize, u64)>>::new();
    for (at, position) in walk.positions.iter().enumerate() {
        let executed = (at, position.tally.executed);
        executions
            .entry(position.opcode)
            .or_default()
            .push(executed);
    }
    let mut kinds = kinds(walk);
    let mut weights = BTreeMap::<String, u64>::new();
    let (mut told, mut total) = (0, 0);
    for AttributedSample {
        functions,
        position,
        opcode,
        weight,
    } in samples
    {
        let named = functions.split(';').chain([SHARED]);
        kinds.extend(named.map(|name| (name.to_owned(), Kind::Native)));
        let exact = position.and_then(|position| walk.places.get(&position));
        let of_opcode = || executions.get(opcode.as_ref()?);
        total += weight;
        told += exact.map_or(0, |_| *weight);
        let Some(places) = exact.or_else(of_opcode) else {
            *weights.entry(format!("{SHARED};{functions}")).or_default() += weight;
            continue;
        };
        for (at, share) in shares(places, *weight) {
            *weights
                .entry(format!("{};{functions}", stacks[at]))
                .or_default() += share;
        }
    }
    Weighed {
        stacks: weights.into_iter().collect(),
        kinds,
        told: Some(told as f64 / u64::max(total, 1) as f64),
    }
}

/// Spreads a weight over places by their executions, rounded so that nothing of it is lost.
fn shares(places: &[(usize, u64)], weight: u64) -> impl Iterator<Item = (usize, u64)> {
    let total: u64 = places.iter().map(|(_, executed)| executed).sum();
    let (mut until, mut given) = (0, 0);
    let share = move |&(at, executed): &(usize, u64)| {
        until += u128::from(executed);
        let share = (u128::from(weight) * until / u128::from(total)) as u64 - given;
        given += share;
        (at, share)
    };
    places.iter().map(share).filter(|(_, share)| *share > 0)
}
