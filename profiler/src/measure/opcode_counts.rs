//! What a call of a case executes, counted by a traced run: opcodes, their pairs and triples within blocks, block
//! lengths, stack heights; and the advanced mode's translation statistics. Superinstructions are chosen from these
//! figures. The cost of an opcode is in `profile::opcode_costs`.

use crate::cases::Case;
use crate::engines::executed::Executed;
use anyhow::Result;
use evmscope_interp::{Interpreter, Leave, Mode, Opcode, Settings, Statistics, Step, Tracer};
use serde::Serialize;
use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;

/// Most entries of a ranking.
const TOP: usize = 20;

/// The figures of one call, all frames.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Census {
    pub case: String,
    pub fork: &'static str,
    /// Opcodes executed.
    pub executed: u64,
    /// Blocks executed. A jump (taken or not), a call, a creation and the end of the frame end a block; a jumpdest
    /// begins one.
    pub blocks: u64,
    pub stack: Heights,
    pub opcodes: Vec<Entry>,
    /// Pairs of consecutive opcodes in a block.
    pub pairs: Vec<Entry>,
    pub triples: Vec<Entry>,
    /// Lengths in opcodes, the jumpdest included.
    pub block_lengths: Vec<Entry>,
    pub translation: Translation,
}

/// Heights of a frame's stack, in words, before each opcode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Heights {
    pub mean: f64,
    pub max: usize,
}

/// One line of a ranking.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    pub name: String,
    pub count: u64,
    /// Share of the ranking's total, entries beyond the top included; 0 to 1.
    pub share: f64,
}

/// One call on a new interpreter, in the advanced mode with its default settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Translation {
    pub frames: u64,
    /// Entry points translated.
    pub translated: u64,
    /// Frames whose code was too long to be translated.
    pub refused: u64,
    /// How often a trace handed over to the traditional mode.
    pub resumed: u64,
}

/// Runs a case twice: traced for the counts, and in the advanced mode for the translation statistics.
///
/// # Errors
/// The case cannot be set up.
pub fn take(case: &Case) -> Result<Census> {
    let mut tally = Tally::default();
    let mut scenario = case.scenario()?;
    Interpreter::new(Mode::Traditional, case.fork).trace(
        scenario.message,
        &mut scenario.world,
        &mut tally,
    );
    tally.end_block();
    let executed = tally.opcodes.total();
    Ok(Census {
        case: case.name.clone(),
        fork: case.fork.name(),
        executed,
        blocks: tally.lengths.values().sum(),
        stack: Heights {
            mean: tally.heights as f64 / executed.max(1) as f64,
            max: tally.highest,
        },
        opcodes: ranking(tally.opcodes.iter(), |opcode| opcode.to_string()),
        pairs: ranking(tally.pairs, |pair| words(pair)),
        triples: ranking(tally.triples, |triple| words(triple)),
        block_lengths: ranking(tally.lengths, |length| length.to_string()),
        translation: translation(case)?,
    })
}

fn translation(case: &Case) -> Result<Translation> {
    let mut scenario = case.scenario()?;
    let mut interpreter =
        Interpreter::with_settings(Mode::Advanced, case.fork, Settings::default());
    let outcome = interpreter.execute(scenario.message, &mut scenario.world);
    let Statistics {
        frames,
        translated,
        refused,
        resumed,
        ..
    } = outcome.statistics;
    Ok(Translation {
        frames,
        translated,
        refused,
        resumed,
    })
}

fn words(opcodes: &[impl Display]) -> String {
    let names: Vec<_> = opcodes.iter().map(ToString::to_string).collect();
    names.join(" ")
}

/// The most frequent first; ties are sorted by name, so that the output is deterministic.
fn ranking<K>(
    counts: impl IntoIterator<Item = (K, u64)>,
    name: impl Fn(&K) -> String,
) -> Vec<Entry> {
    let entries = counts.into_iter().map(|(key, count)| Entry {
        name: name(&key),
        count,
        share: 0.0,
    });
    let mut entries: Vec<_> = entries.collect();
    let total: u64 = entries.iter().map(|entry| entry.count).sum();
    for entry in &mut entries {
        entry.share = entry.count as f64 / total as f64;
    }
    entries.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    entries.truncate(TOP);
    entries
}

/// The counts during the traced run.
#[derive(Default)]
struct Tally {
    opcodes: Executed,
    pairs: HashMap<[Opcode; 2], u64>,
    triples: HashMap<[Opcode; 3], u64>,
    lengths: HashMap<u64, u64>,
    heights: u64,
    highest: usize,
    /// Opcodes of the current block so far.
    length: u64,
    /// The last two of them, the latest first.
    last: [Option<Opcode>; 2],
}

impl Tally {
    fn end_block(&mut self) {
        if self.length > 0 {
            add(&mut self.lengths, self.length);
        }
        self.length = 0;
        self.last = [None; 2];
    }
}

fn add<K: Eq + Hash>(counts: &mut HashMap<K, u64>, key: K) {
    *counts.entry(key).or_default() += 1;
}

impl Tracer for Tally {
    fn step(&mut self, step: &Step<'_>) {
        let opcode = step.opcode;
        if opcode == Opcode::JUMPDEST {
            self.end_block();
        }
        self.opcodes.step(step);
        if let [Some(before), earlier] = self.last {
            add(&mut self.pairs, [before, opcode]);
            if let Some(first) = earlier {
                add(&mut self.triples, [first, before, opcode]);
            }
        }
        self.last = [Some(opcode), self.last[0]];
        self.length += 1;
        self.heights += step.stack.len() as u64;
        self.highest = self.highest.max(step.stack.len());
        if matches!(opcode, Opcode::JUMP | Opcode::JUMPI) {
            self.end_block();
        }
    }

    /// Called for calls and creations too, which end a block.
    fn leave(&mut self, _: &Leave) {
        self.end_block();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Bytes, hex};
    use evmscope_interp::Fork;

    #[test]
    fn a_loop_is_counted_block_by_block() {
        // PUSH1 3; JUMPDEST, PUSH1 1, SWAP1, SUB, DUP1, PUSH1 2, JUMPI three times; STOP.
        let code = Bytes::from_static(&hex!("60035b6001900380600257"));
        let case = Case::ad_hoc(code, Bytes::new(), 100_000, Fork::Osaka);
        let census = take(&case).unwrap();
        let counts = |entries: &[Entry]| {
            let some = entries.iter().take(3);
            some.map(|e| (e.name.clone(), e.count)).collect::<Vec<_>>()
        };
        let entries = |expected: [(&str, u64); 3]| expected.map(|(name, n)| (name.to_owned(), n));
        // The end of the code is a STOP.
        assert_eq!((census.executed, census.blocks), (1 + 3 * 7 + 1, 1 + 3 + 1));
        let opcodes = entries([("PUSH1", 7), ("DUP1", 3), ("JUMPDEST", 3)]);
        assert_eq!(counts(&census.opcodes), opcodes);
        let pairs = [("DUP1 PUSH1", 3), ("JUMPDEST PUSH1", 3), ("PUSH1 JUMPI", 3)];
        assert_eq!(counts(&census.pairs), entries(pairs));
        let triples = [
            ("DUP1 PUSH1 JUMPI", 3),
            ("JUMPDEST PUSH1 SWAP1", 3),
            ("PUSH1 SWAP1 SUB", 3),
        ];
        assert_eq!(counts(&census.triples), entries(triples));
        assert_eq!(census.pairs.iter().map(|e| e.count).sum::<u64>(), 3 * 6);
        assert_eq!(
            counts(&census.block_lengths),
            [("7".to_owned(), 3), ("1".to_owned(), 2)]
        );
        assert_eq!(census.block_lengths[0].share, 0.6);
        assert_eq!(census.stack.max, 3);
        assert_eq!(census.translation.frames, 1);
    }

    #[test]
    fn a_call_ends_its_block() {
        // CALL of an account without code; POP.
        let code = Bytes::from_static(&hex!("5f5f5f5f5f61dead61fffff150"));
        let case = Case::ad_hoc(code, Bytes::new(), 200_000, Fork::Osaka);
        let census = take(&case).unwrap();
        let pairs: Vec<_> = census.pairs.iter().map(|e| e.name.as_str()).collect();
        assert!(pairs.contains(&"PUSH2 CALL"), "{pairs:?}");
        assert!(!pairs.contains(&"CALL POP"), "{pairs:?}");
        assert_eq!((census.blocks, census.executed), (2, 10));
    }
}
