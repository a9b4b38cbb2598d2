//! The slot IR as text, next to its source code: for humans and golden files.

use super::analysis::Walker;
use crate::code::Code;
use crate::opcode::{Class, Info, Opcode};
use crate::slot_ir::EncodedTrace;
use crate::slot_ir::instruction::{self as ins, Cell, Header};
use std::fmt::Write;

/// Bytes per item.
const ITEM: i16 = 32;

/// A trace of `walker` and its encoding in two columns: opcodes on the path, and the instructions next to
/// their opcodes.
pub(super) fn listing(code: &Code, walker: &Walker, encoded: &EncodedTrace) -> String {
    let header = Header::of(encoded.cells[0]);
    let mut text = format!(
        "entry {:#06x}: gas {}, {} to {} items, {} opcodes in {} bytes\n",
        header.pc,
        header.gas,
        header.least / ITEM as u16,
        header.most / ITEM as u16,
        walker.trace.opcodes,
        size_of_val(&*encoded.cells),
    );
    let mut instructions = instructions(&encoded.cells).into_iter().peekable();
    let mut marks = encoded.marks.iter().peekable();
    for &pc in &walker.path {
        let left = code_line(code, pc);
        // Cells before the next mark belong to this one.
        let mut mine = Vec::new();
        if marks.next_if(|mark| mark.1 == pc).is_some() {
            let end = marks.peek().map_or(usize::MAX, |mark| mark.0.into());
            while let Some((_, instruction)) = instructions.next_if(|(at, _)| *at < end) {
                mine.push(instruction);
            }
        }
        if mine.is_empty() {
            let _ = writeln!(text, "  {left}");
        }
        for (line, instruction) in mine.iter().enumerate() {
            let left = if line == 0 { &*left } else { "" };
            let _ = writeln!(text, "  {left:32}  {instruction}");
        }
    }
    for (_, instruction) in instructions {
        let _ = writeln!(text, "  {:32}  {instruction}", "");
    }
    text
}

/// An opcode of the code, truncated to the width of its column.
fn code_line(code: &Code, pc: u16) -> String {
    let at = usize::from(pc);
    let op = Opcode(code.bytes().get(at).copied().unwrap_or_default());
    let immediate = &code.padded()[at + 1..=at + op.immediate()];
    let mut line = format!("{pc:#06x} {op}");
    if !immediate.is_empty() {
        let _ = write!(line, " 0x{}", alloy_primitives::hex::encode(immediate));
    }
    if line.len() > 32 {
        line.truncate(31);
        line.push('…');
    }
    line
}

/// The instructions after a header, each with the index of its first cell.
fn instructions(cells: &[Cell]) -> Vec<(usize, String)> {
    let mut at = 1;
    let mut lines = Vec::new();
    while at < cells.len() {
        let (length, text) = instruction(cells, at);
        lines.push((at, text));
        at += length;
    }
    lines
}

fn slot(field: u16) -> String {
    format!("[{}]", field as i16 / ITEM)
}

fn long(cell: Cell) -> String {
    let [a, b, c, d] = cell.0.map(u16::to_ne_bytes);
    let bytes = [a[0], a[1], b[0], b[1], c[0], c[1], d[0], d[1]];
    format!("{:#x}", u64::from_ne_bytes(bytes))
}

/// The two operands of a form, and the number of additional cells.
fn pair(form: u16, cell: Cell, next: Option<&Cell>) -> (String, String, usize) {
    let [_, a, b, _] = cell.0;
    let constant = || next.copied().map(long).unwrap_or_default();
    match form {
        1 => (a.to_string(), slot(b), 0),
        2 => (slot(a), b.to_string(), 0),
        3 => (constant(), slot(b), 1),
        4 => (slot(a), constant(), 1),
        _ => (slot(a), slot(b), 0),
    }
}

/// The length in cells and the text of the instruction at `at`.
fn instruction(cells: &[Cell], at: usize) -> (usize, String) {
    let cell = cells[at];
    let [number, a, b, c] = cell.0;
    let leave = |what: &str, to: String| {
        let shift = b as i16 / ITEM;
        format!("{what} {to}, stack {shift:+}, gas {c:+}")
    };
    match number {
        ins::MOVE | ins::MOVE_TWO | ins::SET | ins::SET_LONG | ins::SET_WORD => copy(cells, at),
        ins::MASK => (1, format!("MASK {}, {b} bits -> {}", slot(a), slot(c))),
        ins::SDIV_POWER => (1, format!("SDIV {}, 2^{b} -> {}", slot(a), slot(c))),
        ins::JUMP | ins::JUMP_FITTING => (1, leave("JUMP", format!("cell {:+}", a as i16))),
        ins::LEAVE => (1, leave("JUMP", format!("{a:#06x}"))),
        ins::RESUME => (1, leave("TRADITIONAL", format!("{a:#06x}"))),
        ins::JUMP_DYNAMIC => (2, leave("JUMP", slot(a))),
        number if number >= ins::opcode_count() => branch(cells, at),
        number => match ins::opcode_of(number) {
            Some(op) => opcode(op, cells, at),
            None => (1, "?".to_owned()),
        },
    }
}

/// An instruction that copies or sets slots.
fn copy(cells: &[Cell], at: usize) -> (usize, String) {
    let [number, a, b, c] = cells[at].0;
    let [d, e, ..] = cells.get(at + 1).map_or([0; 4], |next| next.0);
    let constants = |count: usize| {
        let limbs = cells[at + 1..=at + count].iter().rev();
        limbs.map(|cell| long(*cell)).collect::<Vec<_>>().join(":")
    };
    match number {
        ins::MOVE => (1, format!("MOVE {} -> {}", slot(a), slot(b))),
        ins::MOVE_TWO => {
            let [a, b, d, e] = [a, b, d, e].map(slot);
            (2, format!("MOVE {a} -> {b}, {d} -> {e}"))
        }
        ins::SET => (1, format!("SET {a} -> {}", slot(c))),
        ins::SET_LONG => (2, format!("SET {} -> {}", constants(1), slot(c))),
        _ => (5, format!("SET {} -> {}", constants(4), slot(c))),
    }
}

fn branch(cells: &[Cell], at: usize) -> (usize, String) {
    let [number, .., distance] = cells[at].0;
    let (test, when, form) = ins::branch_parts(number);
    let (a, b, more) = pair(form, cells[at], cells.get(at + 1));
    let not = if when { "" } else { "not " };
    let to = at + usize::from(distance);
    let test = match test {
        "" => format!("{not}{a}"),
        test => format!("{not}{a} {test} {b}"),
    };
    (1 + more, format!("BRANCH {test} -> cell {to}"))
}

/// The instruction of an opcode.
fn opcode(op: Opcode, cells: &[Cell], at: usize) -> (usize, String) {
    let (_, form) = ins::opcode_parts(cells[at].0[0]);
    let Some(info) = op.info() else {
        return (1, "?".to_owned());
    };
    match info.class {
        Class::Pure | Class::Read => computed(op, info, form, cells, at),
        Class::Memory => (1, accessed(op, info, form, cells[at])),
        Class::Machine => machine(op, info, cells, at),
        Class::Exit
        | Class::Push
        | Class::Dup
        | Class::Swap
        | Class::Pop
        | Class::Pc
        | Class::Jump
        | Class::Jumpi
        | Class::Jumpdest => (1, format!("{op} cannot be in a trace")),
    }
}

fn computed(op: Opcode, info: &Info, form: u16, cells: &[Cell], at: usize) -> (usize, String) {
    let [_, a, b, c] = cells[at].0;
    match info.inputs {
        0 => (1, format!("{op} -> {}", slot(c))),
        1 => {
            let operand = if form == 1 { a.to_string() } else { slot(a) };
            (1, format!("{op} {operand} -> {}", slot(c)))
        }
        2 => {
            let (a, b, more) = pair(form, cells[at], cells.get(at + 1));
            (1 + more, format!("{op} {a}, {b} -> {}", slot(c)))
        }
        _ => {
            let to = cells.get(at + 1).map_or(0, |next| next.0[1]);
            let [a, b, c, to] = [a, b, c, to].map(slot);
            (2, format!("{op} {a}, {b}, {c} -> {to}"))
        }
    }
}

fn accessed(op: Opcode, info: &Info, form: u16, cell: Cell) -> String {
    let [_, a, b, c] = cell.0;
    let (access, short) = (form / 2, form % 2 == 1);
    let address = match access {
        1 => b.to_string(),
        _ if b == 0 => slot(a),
        _ => format!("{} + {b}", slot(a)),
    };
    match (info.outputs, short) {
        (0, true) => format!("{op} {address}, {c}"),
        (0, false) => format!("{op} {address}, {}", slot(c)),
        _ => format!("{op} {address} -> {}", slot(c)),
    }
}

fn machine(op: Opcode, info: &Info, cells: &[Cell], at: usize) -> (usize, String) {
    let [_, a, b, c] = cells[at].0;
    let [pending, shorts, d, e] = cells.get(at + 1).map_or([0; 4], |next| next.0);
    let last = cells.get(at + 2).map_or(0, |cell| cell.0[0]);
    let fields = [a, b, c, d, e, last];
    let operand = |i: usize| match shorts >> i & 1 {
        1 => fields[i].to_string(),
        _ => slot(fields[i]),
    };
    let operands: Vec<_> = (0..info.inputs.into()).map(operand).collect();
    let mut text = format!("{op} {}", operands.join(", "));
    text.truncate(text.trim_end().len());
    if info.outputs > 0 {
        let _ = write!(text, " -> {}", slot(d));
    }
    let _ = write!(text, " (pending {pending})");
    (if info.inputs > 5 { 3 } else { 2 }, text)
}
