//! From a trace to instructions: drops dead nodes, turns operands into slots or constants, and puts the code
//! of side exits after the trace.

use super::slots::{Slots, Source};
use super::value::{Exit, Node, Operation, To, Trace, Value};
use crate::opcode::{Class, Opcode};
use crate::slot_ir::EncodedTrace;
use crate::slot_ir::instruction::{self as ins, Access, Cell, Form, Header, Test};
use crate::stack::{self, SCRATCH};
use crate::technique::Technique;
use crate::word::Word;

/// Bytes per item.
const ITEM: i32 = size_of::<Word>() as i32;

/// Makes the instructions of traces; keeps its buffers between them.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    pub out: EncodedTrace,
    slots: Slots,
    /// Branches to exits that are not encoded yet.
    branches: Vec<(usize, u16)>,
}

/// An operand in the form that an instruction needs.
#[derive(Clone, Copy)]
enum Operand {
    Slot,
    Short(u16),
    Long(u64),
}

impl Encoder {
    /// Encodes a trace. Returns `false` if it is too large for the fields of instructions.
    pub fn encode(&mut self, trace: &Trace) -> bool {
        self.out.clear();
        self.branches.clear();
        self.slots.prepare(trace);
        let bytes = |items: i32| (items * ITEM) as u16;
        let header = Header {
            gas: trace.gas as u16,
            least: bytes(trace.least),
            most: bytes(stack::LIMIT as i32 - trace.most),
            pc: trace.pc,
        };
        self.out.cells.push(header.cell());
        for (at, node) in trace.nodes.iter().enumerate() {
            if self.slots.is_live(trace, at) {
                self.out.marks.push((self.out.cells.len() as u16, node.pc));
                self.node(trace, at, node);
            }
        }
        self.out.marks.push((self.out.cells.len() as u16, u16::MAX));
        let Some((end, sides)) = trace.exits.split_last() else {
            return false;
        };
        self.exit(trace, end, trace.nodes.len());
        // Exits are in the order of their branches, each of which has the number of its exit.
        for (number, exit) in sides.iter().enumerate() {
            let (branch, of) = self.branches[number];
            debug_assert_eq!(usize::from(of), number);
            self.out.cells[branch].0[3] = (self.out.cells.len() - branch) as u16;
            self.exit(trace, exit, usize::from(exit.at) - 1);
        }
        let limit = i32::from(i16::MAX) / ITEM;
        self.out.cells.len() < i16::MAX as usize
            && self.slots.highest() < limit
            && self.slots.highest() - trace.most < SCRATCH as i32
            && trace.floor > -limit
    }

    fn node(&mut self, trace: &Trace, at: usize, node: &Node) {
        match node.operation {
            Operation::Branch { test, when, exit } => {
                let [a, b, ..] = node.operands;
                let (form, a, b, long) = match test {
                    Test::NonZero => (Form::SlotSlot, self.slot(trace, a, at), 0, None),
                    _ => self.pair(trace, a, b, at),
                };
                self.branches.push((self.out.cells.len(), exit));
                self.out
                    .cells
                    .push(Cell::new(ins::branch(test, when, form), [a, b, 0]));
                self.out.cells.extend(long);
            }
            Operation::Mask(bits) => {
                let a = self.slot(trace, node.operands[0], at);
                let to = self.slots.place(at);
                self.out
                    .cells
                    .push(Cell::new(ins::MASK, [a, bits, field(to)]));
            }
            Operation::SdivPower(power) => {
                let a = self.slot(trace, node.operands[0], at);
                let to = self.slots.place(at);
                self.out
                    .cells
                    .push(Cell::new(ins::SDIV_POWER, [a, power, field(to)]));
            }
            Operation::Opcode(op) => match op.info().map(|info| info.class) {
                Some(Class::Memory) => self.memory(trace, at, node, op),
                Some(Class::Machine) => self.machine(trace, at, node, op),
                Some(Class::Pure | Class::Read) => self.pure(trace, at, node, op),
                Some(
                    Class::Exit
                    | Class::Push
                    | Class::Dup
                    | Class::Swap
                    | Class::Pop
                    | Class::Pc
                    | Class::Jump
                    | Class::Jumpi
                    | Class::Jumpdest,
                )
                | None => debug_assert!(false, "the walk makes no node for {op}"),
            },
        }
    }

    /// Opcodes that only compute.
    fn pure(&mut self, trace: &Trace, at: usize, node: &Node, mut op: Opcode) {
        let [a, b, c, ..] = node.operands;
        let (form, a, b, long) = match node.count {
            0 => (Form::SlotSlot, 0, 0, None),
            1 => match self.operand(trace, a) {
                Operand::Short(short)
                    if op.info().is_some_and(|info| info.class == Class::Read) =>
                {
                    (Form::ShortSlot, short, 0, None)
                }
                _ => (Form::SlotSlot, self.slot(trace, a, at), 0, None),
            },
            2 => {
                // A small negative constant has no short form, but its negation does.
                if op == Opcode::ADD
                    && let Some(word) = trace.constant(b)
                    && word.is_negative()
                    && let Some(number) = word.wrapping_neg().to_u64()
                {
                    op = Opcode::SUB;
                    let a = self.slot(trace, a, at);
                    match u16::try_from(number) {
                        Ok(short) => (Form::SlotShort, a, short, None),
                        Err(_) => (Form::SlotLong, a, 0, Some(Cell::long(number))),
                    }
                } else {
                    self.pair(trace, a, b, at)
                }
            }
            _ => {
                let [a, b, c] = [a, b, c].map(|value| self.slot(trace, value, at));
                let to = self.slots.place(at);
                let number = ins::opcode(op, Form::SlotSlot);
                self.out.cells.push(Cell::new(number, [a, b, c]));
                self.out.cells.push(Cell([0, field(to), 0, 0]));
                return;
            }
        };
        let to = self.slots.place(at);
        self.out
            .cells
            .push(Cell::new(ins::opcode(op, form), [a, b, field(to)]));
        self.out.cells.extend(long);
    }

    fn memory(&mut self, trace: &Trace, at: usize, node: &Node, op: Opcode) {
        let (access, base, offset) = match self.operand(trace, node.operands[0]) {
            Operand::Short(short) => (Access::Short, 0, short),
            _ => {
                let base = self.slot(trace, node.operands[0], at);
                match node.offset {
                    offset if node.narrow => (Access::Narrow, base, offset),
                    0 => (Access::Slot, base, 0),
                    offset => (Access::Sum, base, offset),
                }
            }
        };
        let (third, short) = if node.result {
            (field(self.slots.place(at)), false)
        } else {
            match self.operand(trace, node.operands[1]) {
                Operand::Short(short) => (short, true),
                _ => (self.slot(trace, node.operands[1], at), false),
            }
        };
        let pending = (trace.gas - node.gas) as u16;
        self.out
            .accesses
            .push((self.out.cells.len() as u16, pending));
        let number = ins::memory(op, access, short);
        self.out
            .cells
            .push(Cell::new(number, [base, offset, third]));
    }

    /// Opcodes that observe gas: two cells, or three with six operands.
    fn machine(&mut self, trace: &Trace, at: usize, node: &Node, op: Opcode) {
        let mut shorts = 0;
        let mut fields = [0; 6];
        for (i, value) in node.operands().iter().enumerate() {
            fields[i] = match self.operand(trace, *value) {
                Operand::Short(short) => {
                    shorts |= 1 << i;
                    short
                }
                _ => self.slot(trace, *value, at),
            };
        }
        let [a, b, c, mut d, e, f] = fields;
        if node.result {
            d = field(self.slots.place(at));
        }
        let pending = (trace.gas - node.gas) as u16;
        let number = ins::opcode(op, Form::SlotSlot);
        self.out.cells.push(Cell::new(number, [a, b, c]));
        self.out.cells.push(Cell([pending, shorts, d, e]));
        if node.count == 6 {
            self.out.cells.push(Cell([f, 0, 0, 0]));
        }
    }

    /// Encodes two operands in a form that holds them.
    fn pair(
        &mut self,
        trace: &Trace,
        a: Value,
        b: Value,
        at: usize,
    ) -> (Form, u16, u16, Option<Cell>) {
        match (self.operand(trace, a), self.operand(trace, b)) {
            (_, Operand::Short(short)) => (Form::SlotShort, self.slot(trace, a, at), short, None),
            (_, Operand::Long(long)) => {
                let a = self.slot(trace, a, at);
                (Form::SlotLong, a, 0, Some(Cell::long(long)))
            }
            (Operand::Short(short), _) => (Form::ShortSlot, short, self.slot(trace, b, at), None),
            (Operand::Long(long), _) => {
                let b = self.slot(trace, b, at);
                (Form::LongSlot, 0, b, Some(Cell::long(long)))
            }
            _ => {
                let a = self.slot(trace, a, at);
                (Form::SlotSlot, a, self.slot(trace, b, at), None)
            }
        }
    }

    /// The kind of an operand. A constant that fits no form counts as a slot.
    fn operand(&self, trace: &Trace, value: Value) -> Operand {
        match self.slots.source(value) {
            Source::Slot(_) => Operand::Slot,
            Source::Constant(_) if !trace.has(Technique::Operands) => Operand::Slot,
            Source::Constant(_) => match trace.constant(value).and_then(Word::to_u64) {
                Some(number) => match u16::try_from(number) {
                    Ok(short) => Operand::Short(short),
                    Err(_) => Operand::Long(number),
                },
                None => Operand::Slot,
            },
        }
    }

    /// The slot of a value. A constant is stored in a temporary slot first.
    fn slot(&mut self, trace: &Trace, value: Value, at: usize) -> u16 {
        match self.slots.source(value) {
            Source::Slot(slot) => field(slot),
            Source::Constant(_) => {
                let slot = self.slots.temporary(at);
                self.set(trace, value, slot);
                field(slot)
            }
        }
    }

    fn set(&mut self, trace: &Trace, value: Value, to: i16) {
        let word = trace.constant(value).unwrap_or_default();
        match word.to_u64() {
            Some(number) => match u16::try_from(number) {
                Ok(short) => self
                    .out
                    .cells
                    .push(Cell::new(ins::SET, [short, 0, field(to)])),
                Err(_) => {
                    self.out
                        .cells
                        .push(Cell::new(ins::SET_LONG, [0, 0, field(to)]));
                    self.out.cells.push(Cell::long(number));
                }
            },
            None => {
                self.out
                    .cells
                    .push(Cell::new(ins::SET_WORD, [0, 0, field(to)]));
                self.out.cells.extend(word.0.map(Cell::long));
            }
        }
    }

    /// Moves the stack at `time` into the layout of an exit, and leaves.
    fn exit(&mut self, trace: &Trace, exit: &Exit, time: usize) {
        self.out.exits.push((self.out.cells.len() as u16, exit.pc));
        let target = self.slots.lay_out(trace, exit, time);
        let mut single = None;
        for i in 0..self.slots.moves.len() {
            let step = self.slots.moves[i];
            match step.from {
                Source::Constant(at) => {
                    self.set(trace, Value::Constant(at), step.to);
                    single = None;
                }
                Source::Slot(from) => match single.take() {
                    Some(first) if trace.has(Technique::Moves) => {
                        let first: usize = first;
                        self.out.cells[first].0[0] = ins::MOVE_TWO;
                        self.out
                            .cells
                            .push(Cell([field(from), field(step.to), 0, 0]));
                    }
                    _ => {
                        single = Some(self.out.cells.len());
                        self.out
                            .cells
                            .push(Cell::new(ins::MOVE, [field(from), field(step.to), 0]));
                    }
                },
            }
        }
        let shift = field(exit.height);
        let spared = (trace.gas - exit.gas) as u16;
        let leave = |number, what| Cell::new(number, [what, shift, spared]);
        match exit.to {
            To::Entry(pc) => {
                self.out.leaves.push(self.out.cells.len() as u16);
                self.out.cells.push(leave(ins::LEAVE, pc));
            }
            To::Resume(pc) => self.out.cells.push(leave(ins::RESUME, pc)),
            To::Dynamic(_) => {
                self.out.cells.push(leave(ins::JUMP_DYNAMIC, field(target)));
                self.out.cells.push(Cell::default());
            }
        }
    }
}

/// A slot as a field.
fn field(slot: i16) -> u16 {
    (i32::from(slot) * ITEM) as u16
}
