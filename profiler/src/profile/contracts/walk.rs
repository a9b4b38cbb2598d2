//! The call tree of a case: external calls, and inside a contract its functions, found by a traced run. Every
//! executed opcode is counted at its stack, with its gas.
//!
//! A function is entered by a jump that leaves a return pc on the stack. Where a source map marks such jumps and
//! gives the number of parameters, the return pc is below them; elsewhere a jump is a call if the offset after it
//! is on the stack. A function is left when a jump goes to its return pc, or when the stack has shrunk below
//! that: jumps changed by an optimiser must not keep a function on the stack forever. Names and blocks of one code
//! come from `running`; `weigh` gives stacks their weights.

use super::Contracts;
use super::positions::Position;
use super::running::{ExecutedCode, Key, Node, as_offset, find_return_pc};
use crate::cases::Case;
use alloy_primitives::{Address, Bytes};
use anyhow::Result;
use evmscope_interp::{Code, Interpreter, Leave, Mode, Opcode, Outcome, Step, Tracer, Word};
use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;
use std::sync::Arc;

/// An opcode at a stack of frames, with its executions and gas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackTally {
    /// Outermost first.
    pub frames: Vec<Frame>,
    pub opcode: Opcode,
    pub tally: Tally,
}

/// One frame of a stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame {
    pub name: String,
    pub kind: Kind,
}

/// Kind of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A call of a contract, or a creation.
    Call,
    /// A function or modifier of a contract, called or inlined.
    Function,
    /// A source line, or without a source map the basic block.
    Place,
    Opcode,
    /// A native function of the interpreter.
    Native,
}

/// Number of executions, and their gas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub executed: u64,
    /// Without the gas that callees use. A failing opcode uses all gas left.
    pub gas: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.executed += other.executed;
        self.gas += other.gas;
    }
}

/// The stacks of one call of a case.
#[derive(Clone, Debug)]
pub struct Walk {
    /// Sorted, each stack and opcode once.
    pub stacks: Vec<StackTally>,
    /// By position in the code: indexes of the `stacks` that the opcode there was executed at, and how often.
    pub by_position: BTreeMap<Position, Vec<(usize, u64)>>,
    /// Gas that the message used: the sum of all stacks.
    pub gas_used: u64,
    /// Contracts that ran without a source map, by their names in the stacks.
    pub unknown: Vec<String>,
}

/// Runs a case, traced, and returns its stacks.
///
/// # Errors
/// A case whose scenario cannot be built.
pub fn walk(case: &Case, contracts: &Contracts) -> Result<Walk> {
    let mut scenario = case.scenario()?;
    let accounts = scenario.world.accounts();
    let codes = accounts.map(|(address, account)| (*address, Arc::clone(&account.code)));
    let message = scenario.message;
    let mut walker = Walker {
        contracts,
        deployed: codes.collect(),
        codes: Vec::new(),
        nodes: Vec::new(),
        children: HashMap::new(),
        tallies: HashMap::new(),
        frames: Vec::new(),
        next: Callee {
            source: CodeSource::Account(message.code_address),
            selector: message.input.first_chunk().copied(),
            delegated: false,
        },
    };
    let mut interpreter = Interpreter::new(Mode::Traditional, case.fork);
    let outcome = interpreter.trace(message, &mut scenario.world, &mut walker);
    Ok(walker.finish(&outcome))
}

struct Walker<'a> {
    contracts: &'a Contracts,
    deployed: HashMap<Address, Arc<Code>>,
    /// Codes that were executed.
    codes: Vec<ExecutedCode<'a>>,
    /// The call tree; a parent comes before its children.
    nodes: Vec<Node>,
    children: HashMap<(Option<usize>, Key), usize>,
    /// By node and offset.
    tallies: HashMap<(usize, usize), Tally>,
    frames: Vec<Executing>,
    /// The frame that starts next, if one does.
    next: Callee,
}

/// An active frame of the EVM.
struct Executing {
    address: Address,
    code: usize,
    base: usize,
    functions: Vec<Activation>,
    /// Gas at the first step.
    gas: u64,
    /// The opcode being executed: its node and offset, and the gas before it.
    started: Option<((usize, usize), u64)>,
    /// Gas that callees of the opcode being executed used.
    callees: u64,
}

/// An active function.
struct Activation {
    node: usize,
    /// Stack slot of the return pc.
    slot: usize,
    return_pc: u64,
}

/// What a call or a creation is about to execute.
struct Callee {
    source: CodeSource,
    selector: Option<[u8; 4]>,
    delegated: bool,
}

/// Where a callee's code comes from.
enum CodeSource {
    Account(Address),
    InitCode(Bytes),
}

impl<'a> Walker<'a> {
    /// The child of a node, created if absent. A recursive call, direct or not, is the node of the outermost one.
    fn child(&mut self, parent: Option<usize>, key: Key, code: usize) -> usize {
        let recursive = self
            .above(parent)
            .find(|&node| self.is_same(node, key, code));
        if let Some(node) = recursive {
            return node;
        }
        *self.children.entry((parent, key)).or_insert_with(|| {
            self.nodes.push(Node { parent, key, code });
            self.nodes.len() - 1
        })
    }

    /// A node and its ancestors, innermost first.
    fn above(&self, node: Option<usize>) -> impl Iterator<Item = usize> {
        std::iter::successors(node, |&node| self.nodes[node].parent)
    }

    /// Whether a node is the same call or function as `key`; a function counts as the same inlined or not.
    fn is_same(&self, node: usize, key: Key, code: usize) -> bool {
        let node = &self.nodes[node];
        let function = |key| self.codes[code].function(key);
        let is_function = || function(key).is_some() && function(node.key) == function(key);
        node.code == code && (node.key == key || is_function())
    }

    fn enter(&mut self, step: &Step<'_>) {
        let caller = self.frames.last().map(|frame| {
            let node = frame.functions.last().map_or(frame.base, |it| it.node);
            let pc = frame.started.map_or(0, |((_, pc), _)| pc);
            (node, pc)
        });
        let parent = caller.map(|(node, pc)| self.inlined(node, pc));
        let (address, code, is_init) = match &self.next.source {
            CodeSource::Account(address) => (*address, self.code_at(*address), false),
            CodeSource::InitCode(code) => (step.address, Arc::new(Code::new(code)), true),
        };
        let code = self.code_index(address, code, is_init);
        let key = Key::Call {
            code,
            selector: self.next.selector,
            delegated: self.next.delegated,
        };
        let base = self.child(parent, key, code);
        self.frames.push(Executing {
            address: step.address,
            code,
            base,
            functions: Vec::new(),
            gas: step.gas,
            started: None,
            callees: 0,
        });
    }

    /// The code that runs at an address, through a delegation if there is one.
    fn code_at(&self, address: Address) -> Arc<Code> {
        let at = |address| self.deployed.get(&address).map(Arc::clone);
        let code = at(address).unwrap_or_else(Code::empty);
        match code.delegation() {
            Some(target) => at(target).unwrap_or_else(Code::empty),
            None => code,
        }
    }

    /// The index of some code, added if it is new. Known contracts are identified by name, others by address too;
    /// init code by its bytes.
    fn code_index(&mut self, address: Address, code: Arc<Code>, is_init: bool) -> usize {
        let same = |it: &ExecutedCode<'_>| {
            it.is_init == is_init
                && (Arc::ptr_eq(&it.code, &code) || it.code.hash() == code.hash())
                && (is_init || it.contract.is_some() || it.address == address)
        };
        if let Some(index) = self.codes.iter().position(same) {
            return index;
        }
        self.codes.push(ExecutedCode {
            address,
            contract: self.contracts.of(code.bytes()).filter(|_| !is_init),
            code,
            is_init,
            deployed: None,
        });
        self.codes.len() - 1
    }

    /// The node of the function that was inlined at `pc` into the function of a node; the node itself if none was.
    fn inlined(&mut self, node: usize, pc: usize) -> usize {
        let Node { code, key, .. } = self.nodes[node];
        let Some(contract) = self.codes[code].contract else {
            return node;
        };
        let own = self.codes[code].function(key);
        match contract
            .source_entries
            .get(&pc)
            .and_then(|entry| entry.function)
        {
            Some(function) if Some(function) != own => {
                self.child(Some(node), Key::Inlined(function), code)
            }
            _ => node,
        }
    }

    /// Enters or leaves functions for the jump at a step.
    fn jump(&mut self, step: &Step<'_>) {
        let Some((target, stack)) = step.stack.split_last() else {
            return;
        };
        let target = as_offset(target);
        self.leave_functions(stack.len(), target);
        let Some(frame) = self.frames.last() else {
            return;
        };
        let (code, node) = (
            frame.code,
            frame.functions.last().map_or(frame.base, |it| it.node),
        );
        let Some((slot, return_pc)) = find_return_pc(&self.codes[code], step.pc, target, stack)
        else {
            return;
        };
        let parent = self.inlined(node, step.pc);
        let node = self.child(Some(parent), Key::Function(target as usize), code);
        if let Some(frame) = self.frames.last_mut() {
            frame.functions.push(Activation {
                node,
                slot,
                return_pc,
            });
        }
    }

    /// A jump to `target` with a stack of `height`: ends the functions that return there, and those whose return
    /// pc is no longer on the stack.
    fn leave_functions(&mut self, height: usize, target: u64) {
        let Some(Executing { functions, .. }) = self.frames.last_mut() else {
            return;
        };
        while functions
            .last()
            .is_some_and(|it| it.slot >= height && it.return_pc != target)
        {
            functions.pop();
        }
        let Some(left) = functions.iter().rposition(|it| it.return_pc == target) else {
            return;
        };
        let slot = functions[left].slot;
        functions.truncate(left);
        // A tail call shares its caller's return pc.
        while functions
            .last()
            .is_some_and(|it| it.return_pc == target && it.slot == slot)
        {
            functions.pop();
        }
    }

    /// Counts the opcode being executed, after which `gas` is left.
    fn end_step(&mut self, gas: u64) {
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        let Some((place, before)) = frame.started.take() else {
            return;
        };
        let callees = std::mem::take(&mut frame.callees);
        *self.tallies.entry(place).or_default() += Tally {
            executed: 1,
            gas: before.saturating_sub(gas + callees),
        };
    }

    /// What the call or creation at a step would execute.
    fn callee(step: &Step<'_>) -> Option<Callee> {
        let item = |depth: usize| step.stack.iter().rev().nth(depth);
        let (input, delegated) = match step.opcode {
            Opcode::CREATE | Opcode::CREATE2 => {
                return Some(Callee {
                    source: CodeSource::InitCode(window(step.memory, item(1)?, item(2)?)),
                    selector: None,
                    delegated: false,
                });
            }
            Opcode::CALL => (3, false),
            Opcode::CALLCODE => (3, true),
            Opcode::STATICCALL => (2, false),
            Opcode::DELEGATECALL => (2, true),
            _ => return None,
        };
        let has_selector = as_offset(item(input + 1)?) >= 4;
        let selector = window(step.memory, item(input)?, &Word::from(4u64));
        Some(Callee {
            source: CodeSource::Account(address(item(1)?)),
            selector: selector.first_chunk().copied().filter(|_| has_selector),
            delegated,
        })
    }

    /// A creation that ends with a RETURN deploys what it returns.
    fn deploy(&mut self, step: &Step<'_>) {
        let Some(frame) = self.frames.last() else {
            return;
        };
        let [.., length, offset] = step.stack else {
            return;
        };
        if !self.codes[frame.code].is_init {
            return;
        }
        let code = Code::new(&window(step.memory, offset, length));
        self.codes[frame.code].deployed = self.contracts.of(code.bytes());
        self.deployed.insert(frame.address, Arc::new(code));
    }

    fn finish(self, outcome: &Outcome) -> Walk {
        let mut tallies = BTreeMap::<Stack, Tally>::new();
        let mut executed = Vec::with_capacity(self.tallies.len());
        for (&(node, pc), &tally) in &self.tallies {
            let code = &self.codes[self.nodes[node].code].code;
            let byte = code.bytes().get(pc);
            let opcode = byte.map_or(Opcode::STOP, |&byte| Opcode(byte));
            let stack = (self.frames_of(node, pc), opcode);
            *tallies.entry(stack.clone()).or_default() += tally;
            executed.push(((code.hash(), pc), stack, tally.executed));
        }
        let by_position = by_position(executed, &tallies);
        let unknown = self.codes.iter().filter(|it| it.name().is_none());
        let mut unknown: Vec<_> = unknown.map(ExecutedCode::title).collect();
        unknown.sort();
        unknown.dedup();
        let stacks = tallies
            .into_iter()
            .map(|((frames, opcode), tally)| StackTally {
                frames,
                opcode,
                tally,
            });
        Walk {
            stacks: stacks.collect(),
            by_position,
            gas_used: outcome.gas_used,
            unknown,
        }
    }

    fn frames_of(&self, node: usize, pc: usize) -> Vec<Frame> {
        let mut frames: Vec<_> = self
            .above(Some(node))
            .map(|node| self.frame(node))
            .collect();
        frames.reverse();
        let Node { code, key, .. } = self.nodes[node];
        let code = &self.codes[code];
        let as_place = |name: String| Frame {
            name,
            kind: Kind::Place,
        };
        let Some((contract, entry)) = code.source_entry(pc) else {
            let block = code.block(pc);
            frames.extend(block.map(|at| as_place(format!("block {at:#06x}"))));
            return frames;
        };
        let inlined = entry.function.filter(|it| Some(*it) != code.function(key));
        frames.extend(inlined.map(|function| Frame {
            name: contract.functions[function].label.clone(),
            kind: Kind::Function,
        }));
        frames.extend(
            entry
                .line
                .map(|line| as_place(contract.lines[line].clone())),
        );
        frames
    }

    fn frame(&self, node: usize) -> Frame {
        let Node { code, key, .. } = self.nodes[node];
        let code = &self.codes[code];
        let (name, kind) = match key {
            Key::Call {
                selector,
                delegated,
                ..
            } => {
                let how = if delegated { " (delegatecall)" } else { "" };
                let name = format!("{}{}{how}", code.title(), code.method(selector));
                (name, Kind::Call)
            }
            Key::Function(entry) => (code.function_at(entry), Kind::Function),
            Key::Inlined(function) => {
                let contract = code.contract;
                let label = contract.map(|it| it.functions[function].label.clone());
                (label.unwrap_or_default(), Kind::Function)
            }
        };
        Frame { name, kind }
    }
}

impl Tracer for Walker<'_> {
    fn step(&mut self, step: &Step<'_>) {
        let depth = step.depth as usize;
        self.frames.truncate(depth + 1);
        if self.frames.len() > depth {
            self.end_step(step.gas);
        } else {
            self.enter(step);
        }
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        let node = frame.functions.last().map_or(frame.base, |it| it.node);
        frame.started = Some(((node, step.pc), step.gas));
        match step.opcode {
            Opcode::JUMP => self.jump(step),
            Opcode::RETURN => self.deploy(step),
            opcode if CALLS.contains(&opcode) => {
                if let Some(callee) = Self::callee(step) {
                    self.next = callee;
                }
            }
            _ => {}
        }
    }

    fn leave(&mut self, leave: &Leave) {
        let Some(frame) = self.frames.last() else {
            return;
        };
        // After a call its frame continues, and the next step there shows what the opcode cost.
        let calls = frame.started.is_some_and(|((_, pc), _)| {
            let byte = self.codes[frame.code].code.bytes().get(pc);
            leave.halt.is_none() && byte.is_some_and(|&byte| CALLS.contains(&Opcode(byte)))
        });
        if calls {
            return;
        }
        let used = frame.gas.saturating_sub(leave.gas);
        self.end_step(leave.gas);
        self.frames.pop();
        if let Some(caller) = self.frames.last_mut() {
            caller.callees += used;
        }
    }
}

/// A stack of frames, and the opcode executed there.
type Stack = (Vec<Frame>, Opcode);

/// Executions at each position of each code, by the index of their stack.
fn by_position(
    executed: Vec<(Position, Stack, u64)>,
    stacks: &BTreeMap<Stack, Tally>,
) -> BTreeMap<Position, Vec<(usize, u64)>> {
    let index: HashMap<_, _> = stacks.keys().zip(0..).collect();
    let mut positions = BTreeMap::<_, BTreeMap<usize, u64>>::new();
    for (position, stack, times) in executed {
        *positions
            .entry(position)
            .or_default()
            .entry(index[&stack])
            .or_default() += times;
    }
    let positions = positions.into_iter();
    positions
        .map(|(position, stacks)| (position, stacks.into_iter().collect()))
        .collect()
}

/// Opcodes that may start another frame, after which theirs continues.
const CALLS: [Opcode; 6] = [
    Opcode::CREATE,
    Opcode::CALL,
    Opcode::CALLCODE,
    Opcode::DELEGATECALL,
    Opcode::CREATE2,
    Opcode::STATICCALL,
];

/// A range of the memory; what lies beyond its size reads as zero.
fn window(memory: &[u8], offset: &Word, length: &Word) -> Bytes {
    /// Bytes. More memory than any gas limit pays for; a call that asks for it fails.
    const MAX_LENGTH: u64 = 1 << 24;
    let (offset, length) = (
        as_offset(offset),
        as_offset(length).min(MAX_LENGTH) as usize,
    );
    let mut bytes = vec![0; length];
    let used = usize::try_from(offset)
        .ok()
        .and_then(|offset| memory.get(offset..));
    let used = used.unwrap_or_default();
    let known = used.len().min(length);
    bytes[..known].copy_from_slice(&used[..known]);
    bytes.into()
}

fn address(word: &Word) -> Address {
    Address::from_slice(&word.to_be_bytes()[12..])
}
