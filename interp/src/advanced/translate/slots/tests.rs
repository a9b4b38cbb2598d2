//! Random traces, allocated as by the encoder and run on an array whose slots hold the values themselves.
//! Every read must find its value, and every exit its layout.

use super::*;
use crate::advanced::translate::value::{Node, OPERANDS};
use crate::opcode::Opcode;
use crate::slot_ir::instruction::Test;
use crate::word::Word;
use arbitrary::{Result, Unstructured};
use proptest::prelude::*;

/// A random trace: any value may be an operand of any node and be at any position.
fn trace(u: &mut Unstructured) -> Result<Trace> {
    let floor = -u.int_in_range(0..=6)?;
    let mut trace = Trace {
        floor,
        most: u.int_in_range(1..=6)?,
        constants: vec![Word::ONE, Word::MAX],
        ..Trace::default()
    };
    // Items are touched from the top downwards.
    let mut touched = 0;
    for _ in 0..u.int_in_range(0..=24)? {
        touched = u.int_in_range(floor..=touched)?;
        let branches = u.ratio(1, 4)?;
        let count = u.int_in_range(if branches { 1 } else { 0 }..=3)?;
        let mut operands = [Value::Entry(-1); OPERANDS];
        for operand in &mut operands[..count] {
            *operand = value(u, &trace)?;
        }
        trace.nodes.push(Node {
            operation: match branches {
                true => Operation::Branch {
                    test: Test::NonZero,
                    when: true,
                    exit: trace.exits.len() as u16,
                },
                false => Operation::Opcode(Opcode::ADD),
            },
            operands,
            count: count as u8,
            result: !branches,
            effect: branches || u.ratio(1, 8)?,
            bits: 256,
            offset: 0,
            narrow: false,
            gas: 0,
            pc: 0,
        });
        if branches {
            leave(u, &mut trace, touched)?;
        }
    }
    leave(u, &mut trace, floor)?;
    Ok(trace)
}

/// A value that exists at the end of a trace.
fn value(u: &mut Unstructured, trace: &Trace) -> Result<Value> {
    let nodes: Vec<u16> = (0..trace.nodes.len())
        .filter(|at| trace.nodes[*at].result)
        .map(|at| at as u16)
        .collect();
    Ok(match u.int_in_range(0..=7)? {
        0 => Value::Constant(u.int_in_range(0..=1)?),
        1..=3 if trace.floor < 0 => Value::Entry(u.int_in_range(trace.floor..=-1)? as i16),
        _ if !nodes.is_empty() => Value::Node(*u.choose(&nodes)?),
        _ => Value::Constant(0),
    })
}

fn leave(u: &mut Unstructured, trace: &mut Trace, touched: i32) -> Result<()> {
    let start = trace.layouts.len() as u32;
    let height = u.int_in_range(touched..=trace.most)?;
    for position in touched..height {
        let value = match u.ratio(1, 3)? && position < 0 {
            true => Value::Entry(position as i16),
            false => value(u, trace)?,
        };
        trace.layouts.push((position as i16, value));
    }
    let target = value(u, trace)?;
    let to = match target {
        Value::Constant(_) => To::Entry(0),
        target => To::Dynamic(target),
    };
    trace.exits.push(Exit {
        to,
        height: height as i16,
        gas: 0,
        layout: (start, trace.layouts.len() as u32),
        at: trace.nodes.len() as u16,
        pc: 0,
    });
    Ok(())
}

/// The contents of each slot, from the floor upwards.
#[derive(Clone)]
struct Stack {
    floor: i32,
    slots: Vec<Option<Value>>,
}

impl Stack {
    fn new(floor: i32) -> Stack {
        let mut slots: Vec<_> = (floor..0)
            .map(|position| Some(Value::Entry(position as i16)))
            .collect();
        slots.resize(256, None);
        Stack { floor, slots }
    }

    fn slot(&mut self, position: i16) -> &mut Option<Value> {
        &mut self.slots[(i32::from(position) - self.floor) as usize]
    }

    fn read(&mut self, from: Source) -> Option<Value> {
        match from {
            Source::Slot(position) => *self.slot(position),
            Source::Constant(at) => Some(Value::Constant(at)),
        }
    }
}

/// Runs the nodes. Returns the stack at each exit.
fn run(slots: &mut Slots, trace: &Trace) -> Vec<Stack> {
    let mut stack = Stack::new(trace.floor);
    let mut found = Vec::new();
    for (at, node) in trace.nodes.iter().enumerate() {
        if slots.is_live(trace, at) {
            let places: Vec<_> = node
                .operands()
                .iter()
                .map(|value| match slots.source(*value) {
                    Source::Slot(position) => position,
                    Source::Constant(_) => {
                        let position = slots.temporary(at);
                        *stack.slot(position) = Some(*value);
                        position
                    }
                })
                .collect();
            for (position, value) in places.iter().zip(node.operands()) {
                assert_eq!(*stack.slot(*position), Some(*value), "operand of node {at}");
            }
            if node.result {
                let position = slots.place(at);
                *stack.slot(position) = Some(Value::Node(at as u16));
            }
        }
        if matches!(node.operation, Operation::Branch { .. }) {
            found.push(stack.clone());
        }
    }
    found.push(stack);
    found
}

/// Applies the moves of an exit, and checks the layout.
fn check(slots: &mut Slots, trace: &Trace, exit: &Exit, time: usize, mut stack: Stack) {
    let target = slots.lay_out(trace, exit, time);
    for step in &slots.moves {
        let value = stack.read(step.from);
        assert!(
            value.is_some(),
            "{step:?} reads a slot that was never written"
        );
        *stack.slot(step.to) = value;
    }
    let layout = trace.layout(exit);
    for (position, value) in layout {
        assert_eq!(*stack.slot(*position), Some(*value), "position {position}");
    }
    let touched = layout.first().map_or(exit.height, |first| first.0);
    for position in trace.floor as i16..touched {
        let own = Some(Value::Entry(position));
        assert_eq!(*stack.slot(position), own, "untouched {position}");
    }
    if let To::Dynamic(value) = exit.to {
        assert_eq!(*stack.slot(target), Some(value), "the target");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn every_exit_finds_its_layout(bytes in prop::collection::vec(any::<u8>(), 16..512)) {
        let trace = trace(&mut Unstructured::new(&bytes)).unwrap();
        let mut slots = Slots::default();
        slots.prepare(&trace);
        let found = run(&mut slots, &trace);
        let (end, sides) = trace.exits.split_last().unwrap();
        // The end first, as in the encoder.
        check(&mut slots, &trace, end, trace.nodes.len(), found[sides.len()].clone());
        for (exit, stack) in sides.iter().zip(found) {
            check(&mut slots, &trace, exit, usize::from(exit.at) - 1, stack);
        }
        prop_assert!(slots.highest() <= trace.most + 2 * trace.nodes.len() as i32 + 8);
    }

    /// One exit that permutes, repeats and drops items of the entry stack.
    #[test]
    fn permuted_items_move_in_parallel(
        from in prop::collection::vec(-8_i16..0, 8..=8),
        target in prop::option::of(-8_i16..0),
    ) {
        let trace = Trace {
            floor: -8,
            layouts: (-8..0).zip(from.iter().map(|position| Value::Entry(*position))).collect(),
            exits: vec![Exit {
                to: target.map_or(To::Entry(0), |position| To::Dynamic(Value::Entry(position))),
                height: 0,
                gas: 0,
                layout: (0, 8),
                at: 0,
                pc: 0,
            }],
            ..Trace::default()
        };
        let mut slots = Slots::default();
        slots.prepare(&trace);
        check(&mut slots, &trace, &trace.exits[0], 0, Stack::new(-8));
        // One move per displaced item, one more per cycle, one for the target.
        prop_assert!(slots.moves.len() <= 8 + 4 + 1);
    }
}
