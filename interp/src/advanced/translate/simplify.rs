//! Pure nodes made smaller before they exist: constants folded, masks and chains of additions merged,
//! conditions read through their ISZEROs.

use super::value::{Node, Operation, Trace, Value};
use crate::opcode::{Opcode, opcodes};
use crate::ops::*;
use crate::slot_ir::instruction::Test;
use crate::technique::Technique;
use crate::word::Word;

/// The value of a pure node, which is added to the trace where nothing cheaper gives it.
pub(super) fn pure(trace: &mut Trace, mut node: Node) -> Option<Value> {
    let Operation::Opcode(mut op) = node.operation else {
        return None;
    };
    if !trace.has(Technique::Folding) {
        return plain(trace, node, op);
    }
    if let Some(word) = folded(trace, &node, op) {
        return Some(trace.add_constant(word));
    }
    op = constant_second(trace, &mut node, op);
    op = remainder_as_mask(trace, &mut node, op);
    if let Some(value) = known(trace, &node, op) {
        return Some(value);
    }
    let [a, b, ..] = node.operands;
    let first = trace.constant(a);
    match (op, trace.constant(b)) {
        (Opcode::ADD, Some(more)) => {
            if let Some(base) = merge_sum(trace, &mut node, more) {
                return Some(base);
            }
        }
        (Opcode::SUB, Some(less)) => {
            if let Some(base) = merge_sum(trace, &mut node, less.wrapping_neg()) {
                return Some(base);
            }
        }
        (Opcode::AND, Some(mask)) => {
            if let Some(whole) = keep_low_bits(trace, &mut node, mask) {
                return Some(whole);
            }
        }
        (Opcode::DIV | Opcode::SDIV, Some(divisor)) => divide(trace, &mut node, op, divisor),
        (Opcode::SHR, _) => {
            if let Some(by) = first {
                let by = by.saturating_u64().min(256) as u16;
                node.bits = trace.bits(b).saturating_sub(by);
            }
        }
        (Opcode::OR | Opcode::XOR, _) => node.bits = trace.bits(a).max(trace.bits(b)),
        (Opcode::AND | Opcode::MOD, _) => node.bits = trace.bits(a).min(trace.bits(b)),
        (Opcode::DIV, None) => node.bits = trace.bits(a),
        _ => {}
    }
    plain(trace, node, op)
}

/// The result where all operands are constants.
fn folded(trace: &Trace, node: &Node, op: Opcode) -> Option<Word> {
    let constants: [Option<Word>; 3] = std::array::from_fn(|i| trace.constant(node.operands[i]));
    let all = constants[..usize::from(node.count)]
        .iter()
        .all(Option::is_some);
    all.then(|| evaluate(op, constants.map(Option::unwrap_or_default)))?
}

/// Puts a constant second where the order does not matter, or an opcode for the other order exists, which is returned.
fn constant_second(trace: &Trace, node: &mut Node, op: Opcode) -> Opcode {
    if node.count != 2 || trace.constant(node.operands[0]).is_none() {
        return op;
    }
    let turned = match op {
        Opcode::ADD | Opcode::MUL | Opcode::AND | Opcode::OR | Opcode::XOR | Opcode::EQ => op,
        Opcode::LT => Opcode::GT,
        Opcode::GT => Opcode::LT,
        Opcode::SLT => Opcode::SGT,
        Opcode::SGT => Opcode::SLT,
        _ => return op,
    };
    node.operation = Operation::Opcode(turned);
    node.operands.swap(0, 1);
    turned
}

/// Reads the remainder by a power of two as a mask; the opcode afterwards.
fn remainder_as_mask(trace: &mut Trace, node: &mut Node, op: Opcode) -> Opcode {
    if op == Opcode::MOD
        && trace.has(Technique::Powers)
        && let Some(power) = trace.constant(node.operands[1]).and_then(power)
    {
        node.operation = Operation::Opcode(Opcode::AND);
        node.operands[1] = trace.add_constant(low_mask(power));
        return Opcode::AND;
    }
    op
}

/// The result where it is an operand, or what an operand was made of.
fn known(trace: &Trace, node: &Node, op: Opcode) -> Option<Value> {
    let [a, b, ..] = node.operands;
    let is = |value: Value, word: Word| trace.constant(value) == Some(word);
    match op {
        Opcode::OR | Opcode::XOR => is(b, Word::ZERO).then_some(a),
        Opcode::MUL | Opcode::DIV | Opcode::SDIV => is(b, Word::ONE).then_some(a),
        Opcode::SHL | Opcode::SHR | Opcode::SAR => is(a, Word::ZERO).then_some(b),
        Opcode::ISZERO => {
            // Twice turns a truth value back.
            let inner = trace.node(a)?;
            let back = inner.operation == Operation::Opcode(Opcode::ISZERO)
                && trace.bits(inner.operands[0]) <= 1;
            back.then_some(inner.operands[0])
        }
        _ => None,
    }
}

/// Merges a constant that is added with one that was added before; the base where nothing is left to add.
fn merge_sum(trace: &mut Trace, node: &mut Node, more: Word) -> Option<Value> {
    let a = node.operands[0];
    let inner = trace
        .node(a)
        .filter(|inner| inner.operation == Operation::Opcode(Opcode::ADD));
    let merged = inner.and_then(|inner| {
        let constant = trace.constant(inner.operands[1])?;
        Some((inner.operands[0], constant.wrapping_add(more)))
    });
    let (base, sum) = merged.unwrap_or((a, more));
    if sum.is_zero() {
        return Some(base);
    }
    node.operation = Operation::Opcode(Opcode::ADD);
    node.operands[0] = base;
    node.operands[1] = trace.add_constant(sum);
    None
}

/// Reads a mask of low bits as their number; the operand where it has no others.
fn keep_low_bits(trace: &Trace, node: &mut Node, mask: Word) -> Option<Value> {
    let a = node.operands[0];
    let bits = mask.bit_len() as u16;
    let low = mask == low_mask(bits);
    if low && trace.bits(a) <= bits {
        return Some(a);
    }
    if low && bits > 0 {
        node.operation = Operation::Mask(bits);
        node.count = 1;
    }
    node.bits = bits.min(trace.bits(a));
    None
}

/// Divides by a power of two by shifting.
fn divide(trace: &mut Trace, node: &mut Node, op: Opcode, divisor: Word) {
    let a = node.operands[0];
    let power = power(divisor).filter(|_| trace.has(Technique::Powers));
    if op == Opcode::SDIV {
        if let Some(power @ 1..64) = power {
            node.operation = Operation::SdivPower(power);
            node.count = 1;
        }
        return;
    }
    node.bits = trace.bits(a);
    if let Some(power) = power {
        let by = trace.add_constant(u64::from(power).into());
        node.operation = Operation::Opcode(Opcode::SHR);
        (node.operands[0], node.operands[1]) = (by, a);
        node.bits = node.bits.saturating_sub(power);
    }
}

/// The node as it is.
fn plain(trace: &mut Trace, mut node: Node, op: Opcode) -> Option<Value> {
    node.bits = node.bits.min(op.info().map_or(256, |info| info.bits));
    trace.nodes.push(node);
    Some(Value::Node(trace.nodes.len() as u16 - 1))
}

/// Which power of two a word is.
fn power(word: Word) -> Option<u16> {
    let power = word.bit_len().checked_sub(1)? as u16;
    (word.wrapping_sub(Word::ONE) == low_mask(power)).then_some(power)
}

/// 2^bits - 1.
fn low_mask(bits: u16) -> Word {
    Word(std::array::from_fn(|i| {
        match u32::from(bits).saturating_sub(64 * i as u32) {
            0 => 0,
            some @ 1..64 => (1 << some) - 1,
            _ => u64::MAX,
        }
    }))
}

/// An address as a base and what is added to it; no base where all of it is known.
pub(super) fn address(trace: &Trace, address: Value) -> (Option<Value>, u64) {
    if let Some(at) = trace.constant(address) {
        return match at.to_u64() {
            Some(at) => (None, at),
            None => (Some(address), 0),
        };
    }
    if trace.has(Technique::Addresses)
        && let Some(node) = trace.node(address)
        && node.operation == Operation::Opcode(Opcode::ADD)
        && trace.constant(node.operands[0]).is_none()
        && let Some(offset) = trace.constant(node.operands[1]).and_then(Word::to_u64)
        && offset <= u16::MAX.into()
    {
        return (Some(node.operands[0]), offset);
    }
    (Some(address), 0)
}

/// What decides a conditional jump.
pub(super) enum Condition {
    /// Known beforehand: whether it is taken.
    Fixed(bool),
    /// Left to a test.
    Tested(Tested),
}

/// A jump that is taken where the test's result is `when`.
pub(super) struct Tested {
    pub test: Test,
    pub when: bool,
    pub operands: [Value; 2],
}

/// The condition of a jump that is taken where `value` is not zero.
pub(super) fn condition(trace: &Trace, mut value: Value) -> Condition {
    let mut when = true;
    loop {
        if let Some(word) = trace.constant(value) {
            return Condition::Fixed(word.is_zero() != when);
        }
        if !trace.has(Technique::Branches) {
            break;
        }
        let Some(&Node {
            operation: Operation::Opcode(op),
            operands: [a, b, ..],
            ..
        }) = trace.node(value)
        else {
            break;
        };
        let test = match op {
            Opcode::ISZERO => {
                value = a;
                when = !when;
                continue;
            }
            Opcode::EQ if trace.constant(b) == Some(Word::ZERO) => {
                value = a;
                when = !when;
                continue;
            }
            Opcode::EQ => (Test::Eq, [a, b]),
            Opcode::LT => (Test::Lt, [a, b]),
            Opcode::GT => (Test::Lt, [b, a]),
            Opcode::SLT => (Test::Slt, [a, b]),
            Opcode::SGT => (Test::Slt, [b, a]),
            // Not zero where they differ.
            Opcode::SUB | Opcode::XOR => {
                when = !when;
                (Test::Eq, [a, b])
            }
            _ => break,
        };
        return Condition::Tested(Tested {
            test: test.0,
            when,
            operands: test.1,
        });
    }
    Condition::Tested(Tested {
        test: Test::NonZero,
        when,
        operands: [value, value],
    })
}

macro_rules! fold {
    (pure($function:expr) $operands:ident) => {{
        let [a, b, c] = $operands;
        Some(Fold::fold($function, [a, b, c]))
    }};
    ($class:ident $(($arg:expr))? $operands:ident) => {{
        is_not_pure!($class);
        None
    }};
}

/// Compiles for the classes whose result operands alone do not tell, each by its name.
macro_rules! is_not_pure {
    (read) => {};
    (memory) => {};
    (machine) => {};
    (exit) => {};
    (push) => {};
    (dup) => {};
    (swap) => {};
    (pop) => {};
    (pc) => {};
    (jump) => {};
    (jumpi) => {};
    (jumpdest) => {};
}

/// A pure function of one to three words, applied to the first of three.
trait Fold<const N: usize> {
    fn fold(self, operands: [Word; 3]) -> Word;
}

impl<F: FnOnce([Word; N]) -> Word, const N: usize> Fold<N> for F {
    fn fold(self, operands: [Word; 3]) -> Word {
        self(std::array::from_fn(|i| operands[i]))
    }
}

macro_rules! define {
    ($($byte:literal $name:ident $gas:literal $inputs:literal $outputs:literal $bits:literal $since:ident $class:ident $(($arg:expr))?;)*) => {
        /// The result of a pure opcode.
        fn evaluate(op: Opcode, operands: [Word; 3]) -> Option<Word> {
            match op.0 {
                $($byte => fold!($class $(($arg))? operands),)*
                _ => None,
            }
        }
    };
}
opcodes! { define }
