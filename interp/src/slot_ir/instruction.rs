//! The instructions of the slot IR: their numbers and their layout in cells. `handlers` executes them,
//! `encode` generates them.
//!
//! A cell has four fields of 16 bits. The first field of an instruction is its number, an index into the
//! table of handlers. The others are operands:
//!
//! | field | holds |
//! | --- | --- |
//! | slot | offset of a stack slot from the stack pointer, in bytes, signed |
//! | short | a constant below 2^16 |
//! | distance | offset of another instruction from this one, in cells, signed |
//! | pc, gas | unsigned numbers |
//!
//! A long operand is a constant below 2^64 in a separate cell after the instruction.

use crate::opcode::Opcode;

/// Four fields of 16 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(8))]
pub(crate) struct Cell(pub [u16; 4]);

impl Cell {
    pub fn new(instruction: u16, fields: [u16; 3]) -> Cell {
        let [a, b, c] = fields;
        Cell([instruction, a, b, c])
    }

    /// A number in native byte order, so that a single load reads it.
    pub fn long(number: u64) -> Cell {
        let [a, b, c, d, e, f, g, h] = number.to_ne_bytes();
        Cell([[a, b], [c, d], [e, f], [g, h]].map(u16::from_ne_bytes))
    }
}

/// The header before each entry into a stream: the requirements of the whole trace. The jump to the entry
/// checks and charges them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Static gas from here to the end of the trace. Side exits refund the unused part.
    pub gas: u16,
    /// Minimum height of the stack, in bytes.
    pub least: u16,
    /// Maximum height, in bytes.
    pub most: u16,
    /// Offset in the code, where the traditional mode continues if the check fails.
    pub pc: u16,
}

impl Header {
    pub fn cell(self) -> Cell {
        Cell([self.gas, self.least, self.most, self.pc])
    }

    #[inline(always)]
    pub fn of(cell: Cell) -> Header {
        let [gas, least, most, pc] = cell.0;
        Header {
            gas,
            least,
            most,
            pc,
        }
    }
}

/// Where the first two operands of an instruction come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    SlotSlot,
    ShortSlot,
    SlotShort,
    LongSlot,
    SlotLong,
}

/// Where the address of a memory opcode comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// A slot.
    Slot,
    /// A constant.
    Short,
    /// A slot and a constant.
    Sum,
    /// Like `Sum`, with a slot known to be below 2^64.
    Narrow,
}

/// Number of instructions per opcode: one for each form.
const FORMS: u16 = 8;

/// The instruction of an opcode.
pub(crate) const fn opcode(op: Opcode, form: Form) -> u16 {
    op.0 as u16 * FORMS + form as u16
}

/// The instruction of a memory opcode; `short`: the value to store is a constant.
pub(crate) const fn memory(op: Opcode, access: Access, short: bool) -> u16 {
    op.0 as u16 * FORMS + access as u16 * 2 + short as u16
}

/// What a conditional branch tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    NonZero,
    Lt,
    Slt,
    Eq,
}

/// First of the instructions that are not opcodes.
const OTHERS: u16 = 256 * FORMS;

/// Copies a slot: source, target.
pub(crate) const MOVE: u16 = OTHERS;
/// Copies two slots in this order: source, target, and in the next cell source, target.
pub(crate) const MOVE_TWO: u16 = OTHERS + 1;
/// Sets a slot: short, target.
pub(crate) const SET: u16 = OTHERS + 2;
/// Sets a slot: long, target in the third field.
pub(crate) const SET_LONG: u16 = OTHERS + 3;
/// Sets a slot: target in the third field, four cells.
pub(crate) const SET_WORD: u16 = OTHERS + 4;
/// Jumps to an entry: distance, shift of the stack pointer in bytes, gas to refund.
pub(crate) const JUMP: u16 = OTHERS + 5;
/// Like [`JUMP`], when the stack check is known to pass.
pub(crate) const JUMP_FITTING: u16 = OTHERS + 6;
/// Leaves for an entry that does not exist yet: pc, shift, gas to refund.
pub(crate) const LEAVE: u16 = OTHERS + 7;
/// Leaves permanently: the traditional mode continues. Fields as in [`LEAVE`].
pub(crate) const RESUME: u16 = OTHERS + 8;
/// Jumps to the target in a slot: slot, shift, gas to refund; the next cell caches the last target: pc,
/// distance.
pub(crate) const JUMP_DYNAMIC: u16 = OTHERS + 9;
/// Keeps the low bits of a slot: slot, number of bits, target.
pub(crate) const MASK: u16 = OTHERS + 10;
/// Signed division by a power of two: slot, power, target.
pub(crate) const SDIV_POWER: u16 = OTHERS + 11;
const BRANCHES: u16 = OTHERS + 16;
/// Number of instructions.
pub(crate) const COUNT: usize = (BRANCHES + 4 * 2 * FORMS) as usize;

/// The first number of a branch instruction.
pub(crate) const fn opcode_count() -> u16 {
    BRANCHES
}

/// The opcode of an instruction; `None` if it is not an opcode.
pub(crate) const fn opcode_of(number: u16) -> Option<Opcode> {
    match number {
        0..OTHERS => Some(opcode_parts(number).0),
        _ => None,
    }
}

/// The opcode of an instruction, and its form or access.
pub(crate) const fn opcode_parts(number: u16) -> (Opcode, u16) {
    (Opcode((number / FORMS) as u8), number % FORMS)
}

/// Test, direction and form of a branch.
pub(crate) const fn branch_parts(number: u16) -> (&'static str, bool, u16) {
    let number = number - BRANCHES;
    let test = match number / FORMS / 2 {
        0 => "",
        1 => "<",
        2 => "< signed",
        _ => "==",
    };
    (test, number / FORMS % 2 == 1, number % FORMS)
}

/// A conditional branch: two operands, distance. Taken if the test's result is `when`.
pub(crate) const fn branch(test: Test, when: bool, form: Form) -> u16 {
    BRANCHES + (test as u16 * 2 + when as u16) * FORMS + form as u16
}
