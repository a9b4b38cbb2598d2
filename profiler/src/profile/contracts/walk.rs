//! Which frames of the contracts a case goes through: external calls, and inside a contract its
//! functions, found by a traced run. Every opcode executed is counted at its stack, with its gas.
//!
//! A function is entered by a jump that leaves a way back on the stack. Where a source map marks such jumps
//! and the compiler tells the number of parameters, that is taken; elsewhere a jump is a call if the address
//! behind it lies on the stack. A function is left when a jump takes that way back, or when the stack has
//! fallen below it, so that what an optimiser did to jumps cannot leave a function on the stack for good.

use super::Contracts;
use super::running::{Key, Node, Running, return_pc, small};
use crate::cases::Case;
use alloy_primitives::{Address, B256, Bytes};
use anyhow::Result;
use evmscope_interp::{Code, Interpreter, Leave, Mode, Opcode, Outcome, Step, Tracer, Word};
use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;
use std::sync::Arc;

/// Items of the stack in which a way back is looked for where nobody tells where it is.
pub(super) const REACH: usize = 24;

/// Where opcodes were executed, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
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

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A call of a contract, or a creation.
    Call,
    /// A function or modifier of one, called or inlined.
    Function,
    /// A line of its source, or the block of code that begins at a jumpdest.
    Place,
    Opcode,
    /// A function of the interpreter.
    Native,
}

/// How often something was executed, and the gas of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub executed: u64,
    /// Of the opcode itself; what a callee uses is the callee's. A failing opcode takes all gas left.
    pub gas: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.executed += other.executed;
        self.gas += other.gas;
    }
}

/// What a call of a case went through.
#[derive(Clone, Debug)]
pub struct Walk {
    /// Sorted, each stack and opcode once.
    pub positions: Vec<Position>,
    /// By code and offset: at which of the positions the opcode there was executed, and how often.
    pub places: BTreeMap<(B256, usize), Vec<(usize, u64)>>,
    /// Gas that the message used: the sum of all positions.
    pub gas_used: u64,
    /// Contracts that ran without a source map, by the names that stand in the stacks.
    pub unknown: Vec<String>,
}

/// Runs a case, traced, and tells its stacks.
///
/// # Errors
/// A case whose scenario cannot be made.
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
            place: Start::At(message.code_address),
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
    /// Codes that ran.
    codes: Vec<Running<'a>>,
    /// The tree of stacks; a parent comes before its children.
    nodes: Vec<Node>,
    children: HashMap<(Option<usize>, Key), usize>,
    /// By node and offset.
    tallies: HashMap<(usize, usize), Tally>,
    frames: Vec<Executing>,
    /// The frame that begins next, if one does.
    next: Callee,
}

/// A frame of the EVM that is not left.
struct Executing {
    address: Address,
    code: usize,
    base: usize,
    functions: Vec<Activation>,
    /// Gas at the first step.
    gas: u64,
    /// The opcode under way: where it counts, and the gas before it.
    started: Option<((usize, usize), u64)>,
    /// Gas that callees of the opcode under way used.
    callees: u64,
}

/// A function that was entered and not left.
struct Activation {
    node: usize,
    /// Where on the stack its way back lies.
    slot: usize,
    way_back: u64,
}

/// What a call or a creation is about to run.
struct Callee {
    place: Start,
    selector: Option<[u8; 4]>,
    delegated: bool,
}

enum Start {
    At(Address),
    Init(Bytes),
}

impl<'a> Walker<'a> {
    /// The node of a child, which is made where there is none. What is called within itself, directly or not,
    /// is the node of its first call.
    fn child(&mut self, parent: Option<usize>, key: Key, code: usize) -> usize {
        let again = self
            .above(parent)
            .find(|&node| self.is_same(node, key, code));
        if let Some(node) = again {
            return node;
        }
        *self.children.entry((parent, key)).or_insert_with(|| {
            self.nodes.push(Node { parent, key, code });
            self.nodes.len() - 1
        })
    }

    /// A node and those around it, innermost first.
    fn above(&self, node: Option<usize>) -> impl Iterator<Item = usize> {
        std::iter::successors(node, |&node| self.nodes[node].parent)
    }

    /// Whether a node is the call, or the function, inlined or not, that a key tells.
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
        let (address, code, creates) = match &self.next.place {
            Start::At(address) => (*address, self.code_at(*address), false),
            Start::Init(code) => (step.address, Arc::new(Code::new(code)), true),
        };
        let code = self.running(address, code, creates);
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

    /// Contracts of a known name run under it, others under their address; init code is one of its bytes.
    fn running(&mut self, address: Address, code: Arc<Code>, creates: bool) -> usize {
        let same = |it: &Running<'_>| {
            it.creates == creates
                && (Arc::ptr_eq(&it.code, &code) || it.code.hash() == code.hash())
                && (creates || it.contract.is_some() || it.address == address)
        };
        if let Some(index) = self.codes.iter().position(same) {
            return index;
        }
        self.codes.push(Running {
            address,
            contract: self.contracts.of(code.bytes()).filter(|_| !creates),
            code,
            creates,
            made: None,
        });
        self.codes.len() - 1
    }

    /// The node of what was inlined at `pc` into the function of a node; that itself where nothing was.
    fn inlined(&mut self, node: usize, pc: usize) -> usize {
        let Node { code, key, .. } = self.nodes[node];
        let Some(contract) = self.codes[code].contract else {
            return node;
        };
        let own = self.codes[code].function(key);
        match contract.places.get(&pc).and_then(|place| place.function) {
            Some(function) if Some(function) != own => {
                self.child(Some(node), Key::Inlined(function), code)
            }
            _ => node,
        }
    }

    /// Enters or leaves functions, as the jump at a step does.
    fn jump(&mut self, step: &Step<'_>) {
        let Some((target, stack)) = step.stack.split_last() else {
            return;
        };
        let target = small(target);
        self.leave_functions(stack.len(), target);
        let Some(frame) = self.frames.last() else {
            return;
        };
        let (code, node) = (
            frame.code,
            frame.functions.last().map_or(frame.base, |it| it.node),
        );
        let Some((slot, way_back)) = return_pc(&self.codes[code], step.pc, target, stack) else {
            return;
        };
        let parent = self.inlined(node, step.pc);
        let node = self.child(Some(parent), Key::Function(target as usize), code);
        if let Some(frame) = self.frames.last_mut() {
            frame.functions.push(Activation {
                node,
                slot,
                way_back,
            });
        }
    }

    /// A jump to `target` with a stack of `height`: ends functions whose way back it is, and those whose
    /// way back is no longer on the stack.
    fn leave_functions(&mut self, height: usize, target: u64) {
        let Some(Executing { functions, .. }) = self.frames.last_mut() else {
            return;
        };
        while functions
            .last()
            .is_some_and(|it| it.slot >= height && it.way_back != target)
        {
            functions.pop();
        }
        let Some(left) = functions.iter().rposition(|it| it.way_back == target) else {
            return;
        };
        let slot = functions[left].slot;
        functions.truncate(left);
        // A function called in place of the last jump of another shares its way back.
        while functions
            .last()
            .is_some_and(|it| it.way_back == target && it.slot == slot)
        {
            functions.pop();
        }
    }

    /// Counts the opcode under way, after which so much gas is left.
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

    /// What the call or creation at a step runs, if it comes to that.
    fn callee(step: &Step<'_>) -> Option<Callee> {
        let item = |depth: usize| step.stack.iter().rev().nth(depth);
        let (input, delegated) = match step.opcode {
            Opcode::CREATE | Opcode::CREATE2 => {
                return Some(Callee {
                    place: Start::Init(window(step.memory, item(1)?, item(2)?)),
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
        let has_selector = small(item(input + 1)?) >= 4;
        let selector = window(step.memory, item(input)?, &Word::from(4u64));
        Some(Callee {
            place: Start::At(address(item(1)?)),
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
        if !self.codes[frame.code].creates {
            return;
        }
        let code = Code::new(&window(step.memory, offset, length));
        self.codes[frame.code].made = self.contracts.of(code.bytes());
        self.deployed.insert(frame.address, Arc::new(code));
    }

    fn finish(self, outcome: &Outcome) -> Walk {
        let mut positions = BTreeMap::<Stack, Tally>::new();
        let mut executed = Vec::with_capacity(self.tallies.len());
        for (&(node, pc), &tally) in &self.tallies {
            let code = &self.codes[self.nodes[node].code].code;
            let byte = code.bytes().get(pc);
            let opcode = byte.map_or(Opcode::STOP, |&byte| Opcode(byte));
            let stack = (self.frames_of(node, pc), opcode);
            *positions.entry(stack.clone()).or_default() += tally;
            executed.push(((code.hash(), pc), stack, tally.executed));
        }
        let places = by_place(executed, &positions);
        let unknown = self.codes.iter().filter(|it| it.name().is_none());
        let mut unknown: Vec<_> = unknown.map(Running::title).collect();
        unknown.sort();
        unknown.dedup();
        let positions = positions
            .into_iter()
            .map(|((frames, opcode), tally)| Position {
                frames,
                opcode,
                tally,
            });
        Walk {
            positions: positions.collect(),
            places,
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
        let running = &self.codes[code];
        let as_place = |name: String| Frame {
            name,
            kind: Kind::Place,
        };
        let Some((contract, place)) = running.place(pc) else {
            let block = running.block(pc);
            frames.extend(block.map(|at| as_place(format!("block {at:#06x}"))));
            return frames;
        };
        let inlined = place
            .function
            .filter(|it| Some(*it) != running.function(key));
        frames.extend(inlined.map(|function| Frame {
            name: contract.functions[function].label.clone(),
            kind: Kind::Function,
        }));
        frames.extend(
            place
                .line
                .map(|line| as_place(contract.lines[line].clone())),
        );
        frames
    }

    fn frame(&self, node: usize) -> Frame {
        let Node { code, key, .. } = self.nodes[node];
        let running = &self.codes[code];
        let (name, kind) = match key {
            Key::Call {
                selector,
                delegated,
                ..
            } => {
                let how = if delegated { " (delegatecall)" } else { "" };
                let name = format!("{}{}{how}", running.title(), running.method(selector));
                (name, Kind::Call)
            }
            Key::Function(entry) => (running.function_at(entry), Kind::Function),
            Key::Inlined(function) => {
                let contract = running.contract;
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
        // A call goes on in its frame; what its opcode cost shows at the next step there.
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

/// Executions of each opcode of each code by the stacks they happened at, as indexes of all stacks.
fn by_place(
    executed: Vec<((B256, usize), Stack, u64)>,
    stacks: &BTreeMap<Stack, Tally>,
) -> BTreeMap<(B256, usize), Vec<(usize, u64)>> {
    let index: HashMap<_, _> = stacks.keys().zip(0..).collect();
    let mut places = BTreeMap::<_, BTreeMap<usize, u64>>::new();
    for (place, stack, times) in executed {
        *places
            .entry(place)
            .or_default()
            .entry(index[&stack])
            .or_default() += times;
    }
    let places = places.into_iter();
    places
        .map(|(place, stacks)| (place, stacks.into_iter().collect()))
        .collect()
}

/// Opcodes after which another frame may run, and this one goes on behind it.
const CALLS: [Opcode; 6] = [
    Opcode::CREATE,
    Opcode::CALL,
    Opcode::CALLCODE,
    Opcode::DELEGATECALL,
    Opcode::CREATE2,
    Opcode::STATICCALL,
];

/// A part of the memory, which reads as zero where it was not used.
fn window(memory: &[u8], offset: &Word, length: &Word) -> Bytes {
    /// More than any gas limit pays for; a call that asks for it fails.
    const MOST: u64 = 1 << 24;
    let (offset, length) = (small(offset), small(length).min(MOST) as usize);
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
