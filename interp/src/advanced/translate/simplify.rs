//! Pure nodes made smaller before they exist: constants folded, masks and chains of additions merged,
//! conditions read through their ISZEROs.

use super::value::{Node, Operation, Trace, Value};
use crate::opcode::{Opcode, opcodes};
use crate::ops::*;
use crate::slot_ir::instruction::Test;
use crate::technique::Technique;
use crate::word::Word;

/// The result of an opcode is below 2^bits, whatever its operands.
pub(super) fn result_bits(op: Opcode) -> u16 {
    match op {
        Opcode::LT | Opcode::GT | Opcode::SLT | Opcode::SGT | Opcode::EQ | Opcode::ISZERO => 1,
        Opcode::BYTE => 8,
        Opcode::CLZ => 9,
        Opcode::ADDRESS | Opcode::CALLER | Opcode::ORIGIN | Opcode::COINBASE => 160,
        Opcode::CALLDATASIZE
        | Opcode::RETURNDATASIZE
        | Opcode::EXTCODESIZE
        | Opcode::MSIZE
        | Opcode::GAS
        | Opcode::NUMBER
        | Opcode::TIMESTAMP
        | Opcode::GASLIMIT
        | Opcode::CHAINID => 64,
        _ => 256,
    }
}

/// The value of a pure node, which is added to the trace where it cannot be had for less.
pub(super) fn pure(trace: &mut Trace, node: Node) -> Option<Value> {
    let Operation::Opcode(mut op) = node.operation else {
        return None;
    };
    if !trace.has(Technique::Folding) {
        return plain(trace, node, op);
    }
    let mut node = node;
    let constants: [Option<Word>; 3] = std::array::from_fn(|i| trace.constant(node.operands[i]));
    let count = usize::from(node.count);
    if constants[..count].iter().all(Option::is_some) {
        let operands = constants.map(Option::unwrap_or_default);
        if let Some(word) = evaluate(op, operands) {
            return Some(trace.add_constant(word));
        }
    }
    // Constants second where the order does not matter, or can be made not to.
    if count == 2 && constants[0].is_some() {
        let turned = match op {
            Opcode::ADD | Opcode::MUL | Opcode::AND | Opcode::OR | Opcode::XOR | Opcode::EQ => {
                Some(op)
            }
            Opcode::LT => Some(Opcode::GT),
            Opcode::GT => Some(Opcode::LT),
            Opcode::SLT => Some(Opcode::SGT),
            Opcode::SGT => Some(Opcode::SLT),
            _ => None,
        };
        if let Some(turned) = turned {
            op = turned;
            node.operation = Operation::Opcode(op);
            node.operands.swap(0, 1);
        }
    }
    let powers = trace.has(Technique::Powers);
    if op == Opcode::MOD
        && powers
        && let Some(power) = constants[1].and_then(power)
    {
        op = Opcode::AND;
        node.operation = Operation::Opcode(op);
        node.operands[1] = trace.add_constant(low_mask(power));
    }
    let [a, b, _, ..] = node.operands;
    let (first, second) = (trace.constant(a), trace.constant(b));
    let is = |constant: Option<Word>, word| constant == Some(word);
    match (op, first, second) {
        (Opcode::OR | Opcode::XOR, ..) if is(second, Word::ZERO) => return Some(a),
        (Opcode::MUL | Opcode::DIV | Opcode::SDIV, ..) if is(second, Word::ONE) => return Some(a),
        (Opcode::SHL | Opcode::SHR | Opcode::SAR, ..) if is(first, Word::ZERO) => return Some(b),
        (Opcode::ISZERO, ..) => {
            // Twice turns a truth value back.
            if let Some(inner) = trace.node(a)
                && inner.operation == Operation::Opcode(Opcode::ISZERO)
                && trace.bits(inner.operands[0]) <= 1
            {
                return Some(inner.operands[0]);
            }
        }
        (Opcode::ADD, _, Some(more)) | (Opcode::SUB, _, Some(more)) => {
            let more = if op == Opcode::ADD {
                more
            } else {
                more.wrapping_neg()
            };
            let inner = trace.node(a).copied();
            let (base, sum) = match inner {
                Some(inner) if inner.operation == Operation::Opcode(Opcode::ADD) => {
                    match trace.constant(inner.operands[1]) {
                        Some(constant) => (inner.operands[0], constant.wrapping_add(more)),
                        None => (a, more),
                    }
                }
                _ => (a, more),
            };
            if sum.is_zero() {
                return Some(base);
            }
            node.operation = Operation::Opcode(Opcode::ADD);
            node.operands[0] = base;
            node.operands[1] = trace.add_constant(sum);
        }
        (Opcode::AND, _, Some(mask)) => {
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
        }
        (Opcode::SHR, Some(by), _) => {
            let by = by.saturating_u64().min(256) as u16;
            node.bits = trace.bits(b).saturating_sub(by);
        }
        (Opcode::SDIV, _, Some(divisor)) => {
            if powers
                && let Some(power) = power(divisor)
                && (1..64).contains(&power)
            {
                node.operation = Operation::SdivPower(power);
                node.count = 1;
            }
        }
        (Opcode::DIV, _, Some(divisor)) => {
            if powers && let Some(power) = power(divisor) {
                node.operation = Operation::Opcode(Opcode::SHR);
                node.operands = [trace.add_constant(u64::from(power).into()), a, b, b, b, b];
                node.bits = trace.bits(a).saturating_sub(power);
            } else {
                node.bits = trace.bits(a);
            }
        }
        (Opcode::OR | Opcode::XOR, ..) => node.bits = trace.bits(a).max(trace.bits(b)),
        (Opcode::AND, ..) => node.bits = trace.bits(a).min(trace.bits(b)),
        (Opcode::DIV, ..) => node.bits = trace.bits(a),
        (Opcode::MOD, ..) => node.bits = trace.bits(a).min(trace.bits(b)),
        _ => {}
    }
    plain(trace, node, op)
}

/// The node as it is.
fn plain(trace: &mut Trace, mut node: Node, op: Opcode) -> Option<Value> {
    node.bits = node.bits.min(result_bits(op));
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
    /// Taken where the test's result is `when`.
    Test {
        test: Test,
        when: bool,
        operands: [Value; 2],
    },
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
        return Condition::Test {
            test: test.0,
            when,
            operands: test.1,
        };
    }
    Condition::Test {
        test: Test::NonZero,
        when,
        operands: [value, value],
    }
}

macro_rules! fold {
    (pure($function:expr) $operands:ident) => {{
        let [a, b, c] = $operands;
        Some(Fold::fold($function, [a, b, c]))
    }};
    ($class:ident $(($arg:expr))? $operands:ident) => {
        None
    };
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
    ($($byte:literal $name:ident $gas:literal $inputs:literal $outputs:literal $since:ident $class:ident $(($arg:expr))?;)*) => {
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
