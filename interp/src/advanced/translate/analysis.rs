//! From code to a trace: walks the code from an entry point with an abstract stack, so that opcodes which
//! only move items disappear. It follows static jumps, and the more likely side of conditional ones.
//! `simplify` simplifies the nodes.

use super::simplify::{self, Condition, Tested};
use super::value::{Exit, Node, OPERANDS, Operation, To, Trace, Value};
use crate::fork::Fork;
use crate::opcode::{Class, Info, Opcode};
use crate::slot_ir::Program;
use crate::slot_ir::instruction::Test;
use crate::stack;
use crate::technique::{Technique, Techniques};
use crate::word::Word;
use std::collections::VecDeque;

/// Limits of a trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Maximum number of opcodes.
    pub opcodes: u32,
    /// How often it may pass the same jumpdest.
    pub visits: usize,
    /// Whether it ends where another trace starts.
    pub links: bool,
}

/// Maximum static gas of a trace, which is stored in a field of the header.
const MOST_GAS: u32 = u16::MAX as u32;

/// Maximum number of side exits of a trace, because each stores the layout of the stack.
const MOST_EXITS: usize = 32;

/// Number of recent addresses searched for an earlier access. Constant, to keep the walk linear.
const RECENT_ACCESSES: usize = 8;

/// Number of bytes scanned to find out whether code only fails.
const REVERT_LOOKAHEAD: usize = 96;

/// Makes traces; keeps its buffers between them.
#[derive(Debug, Default)]
pub(super) struct Walker {
    pub trace: Trace,
    /// Offsets of the opcodes on the path.
    pub path: Vec<u16>,
    stack: AbstractStack,
    /// Jumpdests passed.
    visited: Vec<u16>,
    /// What memory is known to hold.
    known: Vec<Known>,
    /// Addresses of earlier memory accesses. They fit 64 bits, as the access would have failed otherwise.
    accessed: Vec<Value>,
}

/// A word in memory.
#[derive(Clone, Copy, Debug)]
struct Known {
    base: Option<Value>,
    offset: u64,
    value: Value,
}

/// The items of the stack, from the lowest one touched.
#[derive(Debug, Default)]
struct AbstractStack {
    items: VecDeque<Value>,
    floor: i32,
}

impl AbstractStack {
    fn height(&self) -> i32 {
        self.floor + self.items.len() as i32
    }

    /// The index of the item at `depth`; the top has depth 1.
    fn at(&mut self, depth: usize) -> usize {
        while self.items.len() < depth {
            self.floor -= 1;
            self.items.push_front(Value::Entry(self.floor as i16));
        }
        self.items.len() - depth
    }

    fn peek(&mut self, depth: usize) -> Value {
        let at = self.at(depth);
        self.items[at]
    }

    fn pop(&mut self) -> Value {
        let at = self.at(1);
        let value = self.items[at];
        self.items.truncate(at);
        value
    }

    fn push(&mut self, value: Value) {
        self.items.push_back(value);
    }
}

impl Walker {
    pub fn new(techniques: Techniques) -> Walker {
        let mut walker = Walker::default();
        walker.trace.techniques = techniques;
        walker
    }

    /// Walks the code from `pc` and leaves the trace in `self.trace`.
    pub fn walk(&mut self, program: &Program, fork: Fork, pc: usize, limits: Limits) {
        self.trace.clear();
        self.trace.pc = pc as u16;
        self.stack.items.clear();
        self.stack.floor = 0;
        self.visited.clear();
        self.known.clear();
        self.accessed.clear();
        self.path.clear();
        let mut way = Some(pc);
        while let Some(pc) = way {
            way = self.step(program, fork, pc, limits);
        }
        self.trace.floor = self.stack.floor;
    }

    /// Adds the opcode at `pc` to the trace. Returns where to continue, or `None` if the trace has ended.
    fn step(&mut self, program: &Program, fork: Fork, pc: usize, limits: Limits) -> Option<usize> {
        #[cfg(test)]
        super::tests::step();
        let code = &program.code;
        let op = Opcode(code.bytes().get(pc).copied().unwrap_or_default());
        let Some(info) = op.info_at(fork) else {
            return self.end(To::Resume(pc as u16));
        };
        if let Some(to) = self.ends_before(program, info, pc, limits) {
            return self.end(to);
        }
        self.path.push(pc as u16);
        let next = pc + 1 + op.immediate();
        if !matches!(info.class, Class::Jump | Class::Jumpi) {
            self.account(info);
        }
        match info.class {
            // `ends_before` has already ended the trace.
            Class::Exit => return None,
            Class::Jump => return self.jump(program, info, pc),
            Class::Jumpi => return self.jumpi(program, info, pc),
            Class::Jumpdest | Class::Push | Class::Pc | Class::Pop | Class::Dup | Class::Swap => {
                self.rearrange(program, info, pc)
            }
            Class::Pure => {
                let node = self.node(op, info, pc);
                let value = simplify::pure(&mut self.trace, node);
                self.push_result(info, value);
            }
            Class::Memory => {
                let node = self.node(op, info, pc);
                let value = self.access(node);
                self.push_result(info, value);
            }
            Class::Read | Class::Machine => {
                let node = self.node(op, info, pc);
                let value = self.look(program, op, info, node);
                self.push_result(info, value);
            }
        }
        debug_assert!(
            -self.stack.floor <= self.trace.least && self.stack.height() <= self.trace.most,
            "the stack effect of {op} differs from its row"
        );
        Some(next)
    }

    /// Opcodes that only rearrange the stack, which need no node.
    fn rearrange(&mut self, program: &Program, info: &Info, pc: usize) {
        match info.class {
            Class::Push => {
                let next = pc + 1 + usize::from(info.immediate);
                let bytes = &program.code.padded()[pc + 1..next];
                let value = self.trace.add_constant(Word::from_be_slice(bytes));
                self.stack.push(value);
            }
            Class::Pc => {
                let value = self.trace.add_constant(pc.into());
                self.stack.push(value);
            }
            Class::Pop => {
                self.stack.pop();
            }
            Class::Dup => {
                let value = self.stack.peek(info.inputs.into());
                self.stack.push(value);
            }
            Class::Swap => {
                let (top, other) = (self.stack.at(1), self.stack.at(info.inputs.into()));
                // Access to the other item may have moved the top.
                let top = top.max(self.stack.items.len() - 1);
                self.stack.items.swap(top, other);
            }
            Class::Jumpdest
            | Class::Jump
            | Class::Jumpi
            | Class::Exit
            | Class::Pure
            | Class::Read
            | Class::Memory
            | Class::Machine => {}
        }
    }

    /// Where the trace continues if it must end before the opcode at `pc`.
    fn ends_before(
        &mut self,
        program: &Program,
        info: &Info,
        pc: usize,
        limits: Limits,
    ) -> Option<To> {
        if info.class == Class::Exit {
            return Some(To::Resume(pc as u16));
        }
        let begins = self.trace.opcodes == 0;
        if self.trace.exits.len() >= MOST_EXITS
            || self.trace.opcodes >= limits.opcodes
            || self.trace.gas + u32::from(info.gas) > MOST_GAS
        {
            return Some(To::Entry(pc as u16));
        }
        if info.class == Class::Jumpdest {
            let visits = self.visited.iter().filter(|at| **at as usize == pc).count();
            let links = limits.links && program.entry(pc).is_some();
            let traces = self.trace.has(Technique::Traces);
            if !begins
                && (!traces || visits >= limits.visits || links || pc == usize::from(self.trace.pc))
            {
                return Some(To::Entry(pc as u16));
            }
            self.visited.push(pc as u16);
        }
        let (least, most) = self.reach(info);
        let limit = stack::LIMIT as i32;
        (least > limit || most + least > limit).then_some(To::Resume(pc as u16))
    }

    /// Items needed at the entry, and maximum height above it, if one more opcode is added.
    fn reach(&self, info: &Info) -> (i32, i32) {
        let height = self.stack.height();
        let (inputs, outputs) = (i32::from(info.inputs), i32::from(info.outputs));
        (
            self.trace.least.max(inputs - height),
            self.trace.most.max(height + outputs - inputs),
        )
    }

    fn account(&mut self, info: &Info) {
        (self.trace.least, self.trace.most) = self.reach(info);
        self.trace.opcodes += 1;
        self.trace.gas += u32::from(info.gas);
    }

    /// The node of an opcode, with its operands popped from the stack.
    fn node(&mut self, op: Opcode, info: &Info, pc: usize) -> Node {
        let mut operands = [Value::Entry(0); OPERANDS];
        for operand in &mut operands[..usize::from(info.inputs)] {
            *operand = self.stack.pop();
        }
        Node {
            operation: Operation::Opcode(op),
            operands,
            count: info.inputs,
            result: info.outputs > 0,
            effect: matches!(info.class, Class::Memory | Class::Machine),
            bits: 256,
            offset: 0,
            narrow: false,
            gas: self.trace.gas,
            pc: pc as u16,
        }
    }

    fn push_result(&mut self, info: &Info, value: Option<Value>) {
        if info.outputs > 0
            && let Some(value) = value
        {
            self.stack.push(value);
        }
    }

    /// An opcode that reads the frame or uses the machine.
    fn look(
        &mut self,
        program: &Program,
        op: Opcode,
        info: &Info,
        mut node: Node,
    ) -> Option<Value> {
        if op == Opcode::CODESIZE {
            return Some(self.trace.add_constant(program.code.len().into()));
        }
        node.bits = info.bits;
        if writes_memory(op) {
            self.known.clear();
        }
        self.add(node)
    }

    fn add(&mut self, node: Node) -> Option<Value> {
        self.trace.nodes.push(node);
        Some(Value::Node(self.trace.nodes.len() as u16 - 1))
    }

    /// MLOAD and MSTORE: splits a constant off the address, and records the value at the address.
    fn access(&mut self, mut node: Node) -> Option<Value> {
        let (base, offset) = simplify::address(&self.trace, node.operands[0]);
        if let (Some(base), Ok(short)) = (base, u16::try_from(offset)) {
            node.operands[0] = base;
            node.offset = short;
        }
        let there = |known: &Known| known.base == base && known.offset == offset;
        if node.result {
            if self.trace.has(Technique::Forwarding)
                && let Some(known) = self.known.iter().find(|known| there(known))
            {
                return Some(known.value);
            }
            let value = self.add_access(node)?;
            self.known.push(Known {
                base,
                offset,
                value,
            });
            return Some(value);
        }
        let value = node.operands[1];
        self.known
            .retain(|known| known.base == base && known.offset.abs_diff(offset) >= 32);
        self.known.push(Known {
            base,
            offset,
            value,
        });
        self.add_access(node)
    }

    fn add_access(&mut self, mut node: Node) -> Option<Value> {
        let address = node.operands[0];
        let recent = self.accessed.iter().rev().take(RECENT_ACCESSES);
        node.narrow = self.trace.has(Technique::Narrow)
            && (self.trace.bits(address) <= 64 || recent.copied().any(|base| base == address));
        if !node.narrow {
            self.accessed.push(address);
        }
        self.add(node)
    }

    fn jump(&mut self, program: &Program, info: &Info, pc: usize) -> Option<usize> {
        let target = self.stack.peek(1);
        let Some(to) = self.trace.constant(target) else {
            self.account(info);
            self.stack.pop();
            return self.end(To::Dynamic(target));
        };
        let Some(to) = jumpdest(program, to) else {
            return self.end(To::Resume(pc as u16));
        };
        self.account(info);
        self.stack.pop();
        if !self.trace.has(Technique::Traces) {
            return self.end(To::Entry(to as u16));
        }
        Some(to)
    }

    fn jumpi(&mut self, program: &Program, info: &Info, pc: usize) -> Option<usize> {
        let (target, condition) = (self.stack.peek(1), self.stack.peek(2));
        let to = match self.trace.constant(target).map(|to| jumpdest(program, to)) {
            Some(Some(to)) => To::Entry(to as u16),
            Some(None) => return self.end(To::Resume(pc as u16)),
            None => To::Dynamic(target),
        };
        self.account(info);
        self.stack.pop();
        self.stack.pop();
        match simplify::condition(&self.trace, condition) {
            Condition::Fixed(false) => Some(pc + 1),
            Condition::Fixed(true) => match to {
                To::Entry(to) => Some(to.into()),
                to => self.end(to),
            },
            Condition::Tested(tested) => self.branch(program, pc, to, tested),
        }
    }

    /// Turns a conditional jump at `pc` to `to` into a branch, with a side exit for the less likely side.
    fn branch(&mut self, program: &Program, pc: usize, to: To, tested: Tested) -> Option<usize> {
        let next = pc + 1;
        let (exit, follow, when) = match to {
            To::Entry(to) if self.likely(program, to.into(), next) => {
                (To::Entry(next as u16), to.into(), false)
            }
            _ => (to, next, true),
        };
        let layout = self.layout();
        let [a, b] = tested.operands;
        let mut operands = [Value::Entry(0); OPERANDS];
        (operands[0], operands[1]) = (a, b);
        self.trace.nodes.push(Node {
            operation: Operation::Branch {
                test: tested.test,
                when: when == tested.when,
                exit: self.trace.exits.len() as u16,
            },
            operands,
            count: if tested.test == Test::NonZero { 1 } else { 2 },
            result: false,
            effect: true,
            bits: 256,
            offset: 0,
            narrow: false,
            gas: self.trace.gas,
            pc: pc as u16,
        });
        self.leave(exit, layout);
        if !self.trace.has(Technique::Traces) {
            return self.end(To::Entry(follow as u16));
        }
        Some(follow)
    }

    /// Whether a conditional jump to `to` is more likely taken than not.
    fn likely(&self, program: &Program, to: usize, next: usize) -> bool {
        if fails(program.code.bytes(), next) {
            return true;
        }
        !fails(program.code.bytes(), to) && program.is_warm(to)
    }

    fn layout(&mut self) -> (u32, u32) {
        let start = self.trace.layouts.len() as u32;
        let floor = self.stack.floor;
        let items = self.stack.items.iter().zip(floor..);
        let layout = items.map(|(value, position)| (position as i16, *value));
        self.trace.layouts.extend(layout);
        (start, self.trace.layouts.len() as u32)
    }

    fn leave(&mut self, to: To, layout: (u32, u32)) {
        self.trace.exits.push(Exit {
            to,
            height: self.stack.height() as i16,
            gas: self.trace.gas,
            layout,
            at: self.trace.nodes.len() as u16,
            pc: self.path.last().copied().unwrap_or(self.trace.pc),
        });
    }

    /// Ends the trace.
    fn end<T>(&mut self, to: To) -> Option<T> {
        let layout = self.layout();
        self.leave(to, layout);
        None
    }
}

/// The offset in a word, if it is a jumpdest.
fn jumpdest(program: &Program, target: Word) -> Option<usize> {
    let at = target.to_u64()?;
    program.code.is_jumpdest(at).then_some(at as usize)
}

/// Whether an opcode without a memory node may write memory.
fn writes_memory(op: Opcode) -> bool {
    matches!(
        op,
        Opcode::MSTORE8
            | Opcode::CALLDATACOPY
            | Opcode::CODECOPY
            | Opcode::EXTCODECOPY
            | Opcode::RETURNDATACOPY
            | Opcode::MCOPY
    )
}

/// Whether code runs into a REVERT or INVALID without a jump.
fn fails(code: &[u8], mut pc: usize) -> bool {
    let end = pc + REVERT_LOOKAHEAD;
    while pc < end {
        match code.get(pc).copied().map(Opcode) {
            Some(Opcode::REVERT | Opcode::INVALID) => return true,
            Some(op) => match op.info().map(|info| info.class) {
                None | Some(Class::Jump | Class::Jumpi | Class::Exit) => return false,
                Some(
                    Class::Pure
                    | Class::Read
                    | Class::Memory
                    | Class::Machine
                    | Class::Push
                    | Class::Dup
                    | Class::Swap
                    | Class::Pop
                    | Class::Pc
                    | Class::Jumpdest,
                ) => pc += 1 + op.immediate(),
            },
            None => return false,
        }
    }
    false
}
