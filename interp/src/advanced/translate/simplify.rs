//! Simplifies pure nodes before they are added: folds constants, merges masks and chains of additions, and
//! looks through the ISZEROs of conditions.

use super::value::{Node, Operation, Trace, Value};
use crate::opcode::{Opcode, opcodes};
use crate::ops::*;
use crate::slot_ir::instruction::Test;
use crate::technique::Technique;
use crate::word::Word;

/// The value of a pure node, which is added to the trace only if it cannot be simplified to an existing
/// value.
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

/// The result, if all operands are constants.
fn folded(trace: &Trace, node: &Node, op: Opcode) -> Option<Word> {
    let constants: [Option<Word>; 3] = std::array::from_fn(|i| trace.constant(node.operands[i]));
    let all = constants[..usize::from(node.count)]
        .iter()
        .all(Option::is_some);
    all.then(|| evaluate(op, constants.map(Option::unwrap_or_default)))?
}

/// Makes a constant the second operand, if the opcode is commutative or has a mirrored opcode. Returns the
/// opcode to use.
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

/// Turns the remainder by a power of two into a mask. Returns the opcode to use.
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

/// The result, if it is equal to an operand or to an operand's operand.
fn known(trace: &Trace, node: &Node, op: Opcode) -> Option<Value> {
    let [a, b, ..] = node.operands;
    let is = |value: Value, word: Word| trace.constant(value) == Some(word);
    match op {
        Opcode::OR | Opcode::XOR => is(b, Word::ZERO).then_some(a),
        Opcode::MUL | Opcode::DIV | Opcode::SDIV => is(b, Word::ONE).then_some(a),
        Opcode::SHL | Opcode::SHR | Opcode::SAR => is(a, Word::ZERO).then_some(b),
        Opcode::ISZERO => {
            // A double negation of 0 or 1 has no effect.
            let inner = trace.node(a)?;
            let back = inner.operation == Operation::Opcode(Opcode::ISZERO)
                && trace.bits(inner.operands[0]) <= 1;
            back.then_some(inner.operands[0])
        }
        _ => None,
    }
}

/// Merges the addition of a constant with an earlier one. Returns the base if the sum of the constants is 0.
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

/// Turns a mask of low bits into `Mask`. Returns the operand if the mask does not change it.
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

/// Turns division by a power of two into a shift.
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

/// Adds the node without simplification.
fn plain(trace: &mut Trace, mut node: Node, op: Opcode) -> Option<Value> {
    node.bits = node.bits.min(op.info().map_or(256, |info| info.bits));
    trace.nodes.push(node);
    Some(Value::Node(trace.nodes.len() as u16 - 1))
}

/// The exponent of a word that is a power of two.
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

/// An address as a base and a constant offset; no base if the address is constant.
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

/// The condition of a jump.
pub(super) enum Condition {
    /// Known at translation time: whether the jump is taken.
    Fixed(bool),
    /// Tested at run time.
    Tested(Tested),
}

/// A jump that is taken if the test's result is `when`.
pub(super) struct Tested {
    pub test: Test,
    pub when: bool,
    pub operands: [Value; 2],
}

/// The condition of a jump that is taken if `value` is not zero.
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
            // The result is nonzero exactly if the operands differ.
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

/// Compiles only for the classes whose result depends on more than the operands, so that a new class must be
/// added here or above.
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

/// A pure function of one to three words, applied to the first `N` of three.
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
