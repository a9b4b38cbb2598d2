//! Values on the abstract stack and the nodes that compute them: the form of a trace between the code and the
//! instructions, in static single assignment form.

use crate::opcode::Opcode;
use crate::slot_ir::instruction::Test;
use crate::technique::{Technique, Techniques};
use crate::word::Word;

/// A value, identified by its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// The item at this position when the trace was entered; -1 is the top.
    Entry(i16),
    /// A constant, by its index in the trace.
    Constant(u16),
    /// The result of a node, by its index.
    Node(u16),
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// An opcode that is neither a jump nor an exit.
    Opcode(Opcode),
    /// Keeps this number of low bits.
    Mask(u16),
    /// Signed division by 2 to this power, 1 to 63.
    SdivPower(u16),
    /// Leaves through the side exit if the test's result is `when`.
    Branch { test: Test, when: bool, exit: u16 },
}

/// Maximum number of operands of a node: LOG4.
pub(super) const OPERANDS: usize = 6;

/// One step of a trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub operation: Operation,
    pub operands: [Value; OPERANDS],
    pub count: u8,
    /// Whether it has a result.
    pub result: bool,
    /// Whether it must be executed even if its result is unused.
    pub effect: bool,
    /// The result is below 2^bits.
    pub bits: u16,
    /// Memory accesses: constant added to the address.
    pub offset: u16,
    /// Memory accesses: whether the address without `offset` is below 2^64.
    pub narrow: bool,
    /// Static gas of the trace up to and including this opcode.
    pub gas: u32,
    /// Offset in the code.
    pub pc: u16,
}

impl Node {
    pub fn operands(&self) -> &[Value] {
        &self.operands[..self.count as usize]
    }
}

/// Where execution continues after a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// To an entry point.
    Entry(u16),
    /// To the jumpdest in this value.
    Dynamic(Value),
    /// To the traditional mode: the opcode there ends the frame, calls, fails, or cannot be in a trace.
    Resume(u16),
}

/// An exit of a trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exit {
    pub to: To,
    /// Height of the stack relative to the entry.
    pub height: i16,
    /// Static gas up to here.
    pub gas: u32,
    /// The layout of the stack: this range of [`Trace::layouts`].
    pub layout: (u32, u32),
    /// Number of nodes before it.
    pub at: u16,
    /// Offset in the code of the opcode that leaves.
    pub pc: u16,
}

/// A path through the code from an entry point.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub techniques: Techniques,
    pub pc: u16,
    pub nodes: Vec<Node>,
    pub constants: Vec<Word>,
    /// Side exits in order; the last exit is the end.
    pub exits: Vec<Exit>,
    /// Position and value of every item that the trace has touched, per exit.
    pub layouts: Vec<(i16, Value)>,
    /// Static gas up to the end.
    pub gas: u32,
    /// Items needed at the entry.
    pub least: i32,
    /// Maximum height above that at the entry.
    pub most: i32,
    /// The lowest position touched.
    pub floor: i32,
    /// Number of opcodes on the path.
    pub opcodes: u32,
}

impl Trace {
    pub fn clear(&mut self) {
        let Trace {
            nodes,
            constants,
            exits,
            layouts,
            ..
        } = self;
        nodes.clear();
        constants.clear();
        exits.clear();
        layouts.clear();
        (self.gas, self.least, self.most, self.floor, self.opcodes) = (0, 0, 0, 0, 0);
    }

    pub fn has(&self, technique: Technique) -> bool {
        self.techniques.has(technique)
    }

    pub fn layout(&self, exit: &Exit) -> &[(i16, Value)] {
        &self.layouts[exit.layout.0 as usize..exit.layout.1 as usize]
    }

    /// The constant, if the value is one.
    pub fn constant(&self, value: Value) -> Option<Word> {
        match value {
            Value::Constant(at) => Some(self.constants[usize::from(at)]),
            _ => None,
        }
    }

    /// The node that computes a value, if there is one.
    pub fn node(&self, value: Value) -> Option<&Node> {
        match value {
            Value::Node(at) => Some(&self.nodes[usize::from(at)]),
            _ => None,
        }
    }

    /// Number of bits: the value is below 2^bits.
    pub fn bits(&self, value: Value) -> u16 {
        match value {
            Value::Entry(_) => 256,
            Value::Constant(at) => self.constants[usize::from(at)].bit_len() as u16,
            Value::Node(at) => self.nodes[usize::from(at)].bits,
        }
    }

    pub fn add_constant(&mut self, word: Word) -> Value {
        self.constants.push(word);
        Value::Constant(self.constants.len() as u16 - 1)
    }
}
