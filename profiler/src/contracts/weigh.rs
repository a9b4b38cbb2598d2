//! What a walk found as folded stacks: contract and function, source line, opcode, and below it, where
//! time is asked for, the native functions that the opcode's samples fell on.

use super::walk::{Kind, Position, Tally, Walk};
use crate::opcodes::opcode_of;
use evmscope_interp::Opcode;
use std::collections::BTreeMap;

/// The frame of samples that belong to no opcode: dispatch, and functions that several opcodes call.
const SHARED: &str = "no opcode of its own";

/// Stacks with their weights, and what kind of frame each name is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weighed {
    /// Root first, `;` between frames; sorted.
    pub stacks: Vec<(String, u64)>,
    pub kinds: BTreeMap<String, Kind>,
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

/// Time at every stack, from samples of a native profile in its unit.
///
/// A sample tells the native function and with it the opcode, but not where in the contract it was: the
/// time of each opcode is spread evenly over its executions, which are counted. So the shares of opcodes
/// are measured, and that two places of one opcode differ is not seen. What belongs to no opcode stands
/// apart. The sum is that of the samples.
pub fn by_time(walk: &Walk, native: &[(String, u64)]) -> Weighed {
    let mut executions = BTreeMap::<Opcode, Vec<(String, u64)>>::new();
    for position in &walk.positions {
        let place = (stack(position), position.tally.executed);
        executions.entry(position.opcode).or_default().push(place);
    }
    let mut kinds = kinds(walk);
    let mut stacks = BTreeMap::<String, u64>::new();
    for (functions, weight) in native {
        let named = functions.split(';').chain([SHARED]);
        kinds.extend(named.map(|name| (name.to_owned(), Kind::Native)));
        let places = opcode_of(functions).and_then(|opcode| executions.get(&opcode));
        let Some(places) = places else {
            *stacks.entry(format!("{SHARED};{functions}")).or_default() += weight;
            continue;
        };
        let total: u64 = places.iter().map(|(_, executed)| executed).sum();
        let (mut until, mut given) = (0, 0);
        for (place, executed) in places {
            until += u128::from(*executed);
            // Rounded so that nothing of the weight is lost.
            let share = (u128::from(*weight) * until / u128::from(total)) as u64 - given;
            given += share;
            if share > 0 {
                *stacks.entry(format!("{place};{functions}")).or_default() += share;
            }
        }
    }
    Weighed {
        stacks: stacks.into_iter().collect(),
        kinds,
    }
}
