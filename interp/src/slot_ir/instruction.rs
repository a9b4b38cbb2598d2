//! The instructions of the slot IR: how one is numbered and laid out in cells. What an instruction does
//! is in `handlers`, which of them a trace becomes in `encode`.
//!
//! A cell is four fields of 16 bits. The first field of an instruction is its number, which indexes the
//! table of handlers; the others are operands:
//!
//! | field | holds |
//! | --- | --- |
//! | slot | distance of a stack slot from the stack pointer, bytes, signed |
//! | short | a constant below 2^16 |
//! | distance | cells from this instruction to another one, signed |
//! | pc, gas | as they are |
//!
//! A long operand is a constant below 2^64 in a cell of its own behind the instruction.

use crate::opcode::Opcode;

/// Four fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(8))]
pub(crate) struct Cell(pub [u16; 4]);

impl Cell {
    pub fn new(instruction: u16, fields: [u16; 3]) -> Cell {
        let [a, b, c] = fields;
        Cell([instruction, a, b, c])
    }

    /// A number as it lies in memory, so that it is read at once.
    pub fn long(number: u64) -> Cell {
        let [a, b, c, d, e, f, g, h] = number.to_ne_bytes();
        Cell([[a, b], [c, d], [e, f], [g, h]].map(u16::from_ne_bytes))
    }
}

/// What stands in front of the instructions that can be jumped to: what all of them need together.
/// The jump checks and charges it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Static gas from here to the end of the trace. Side exits give back what they spare.
    pub gas: u16,
    /// Least height of the stack, bytes.
    pub least: u16,
    /// Greatest height, bytes.
    pub most: u16,
    /// Offset in the code, where the traditional mode goes on if the check fails.
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

/// How a memory opcode says its address, and where the value of a store comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// A slot.
    Slot,
    /// A constant.
    Short,
    /// A slot and a constant.
    Sum,
    /// As `Sum`, where the slot is known to be below 2^64.
    Narrow,
}

/// Numbers an opcode has: one for each form.
const FORMS: u16 = 8;

/// The instruction of an opcode.
pub(crate) const fn opcode(op: Opcode, form: Form) -> u16 {
    op.0 as u16 * FORMS + form as u16
}

/// The instruction of a memory opcode; `short` says that the value to store is a constant.
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

/// Instructions that are no opcode.
const OTHERS: u16 = 256 * FORMS;

/// Copies a slot: source, target.
pub(crate) const MOVE: u16 = OTHERS;
/// Copies two slots, one after the other: source, target, and in the next cell source, target.
pub(crate) const MOVE_TWO: u16 = OTHERS + 1;
/// Sets a slot: short, target.
pub(crate) const SET: u16 = OTHERS + 2;
/// Sets a slot: long, target in the third field.
pub(crate) const SET_LONG: u16 = OTHERS + 3;
/// Sets a slot: target in the third field, four cells.
pub(crate) const SET_WORD: u16 = OTHERS + 4;
/// Goes to an entry: distance, shift of the stack pointer in bytes, gas to give back.
pub(crate) const JUMP: u16 = OTHERS + 5;
/// As [`JUMP`], where the stack cannot be but right.
pub(crate) const JUMP_FITTING: u16 = OTHERS + 6;
/// Leaves for an entry that does not exist yet: pc, shift, gas to give back.
pub(crate) const LEAVE: u16 = OTHERS + 7;
/// Leaves for good: the traditional mode is to go on. Fields as [`LEAVE`].
pub(crate) const RESUME: u16 = OTHERS + 8;
/// Goes where a slot says: slot, shift, gas to give back; the next cell remembers the last target: pc, distance.
pub(crate) const JUMP_DYNAMIC: u16 = OTHERS + 9;
/// Keeps the low bits: slot, number of bits, target.
pub(crate) const MASK: u16 = OTHERS + 10;
/// Divides by a power of two, with sign: slot, power, target.
pub(crate) const SDIV_POWER: u16 = OTHERS + 11;
const BRANCHES: u16 = OTHERS + 16;
/// Number of instructions.
pub(crate) const COUNT: usize = (BRANCHES + 4 * 2 * FORMS) as usize;

/// The first number that is a branch's.
pub(crate) const fn opcode_count() -> u16 {
    BRANCHES
}

/// The opcode that an instruction does; none where it is no opcode.
pub(crate) const fn opcode_of(number: u16) -> Option<Opcode> {
    match number {
        0..OTHERS => Some(opcode_parts(number).0),
        _ => None,
    }
}

/// The opcode and the form or access of an opcode's instruction.
pub(crate) const fn opcode_parts(number: u16) -> (Opcode, u16) {
    (Opcode((number / FORMS) as u8), number % FORMS)
}

/// Test, way and form of a branch.
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

/// The conditional branch: two operands, distance. Taken where the test's result is `when`.
pub(crate) const fn branch(test: Test, when: bool, form: Form) -> u16 {
    BRANCHES + (test as u16 * 2 + when as u16) * FORMS + form as u16
}
