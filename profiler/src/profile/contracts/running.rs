//! Code under execution: its name, its functions and basic blocks, and whether a jump at a pc calls a function. `walk`
//! builds the call tree from this.

use super::{Contract, Jump, SourceEntry, offsets};
use alloy_primitives::Address;
use evmscope_interp::{Code, Opcode, Word};
use std::sync::Arc;

/// Items of the stack in which a return pc is looked for where no source map gives its slot.
const RETURN_PC_SEARCH_DEPTH: usize = 24;

/// Code that was executed, under one name.
pub(super) struct ExecutedCode<'a> {
    pub(super) address: Address,
    pub(super) code: Arc<Code>,
    pub(super) contract: Option<&'a Contract>,
    pub(super) is_init: bool,
    /// Of init code: the known contract that it deployed, once it has.
    pub(super) deployed: Option<&'a Contract>,
}

/// A node of the call tree.
pub(super) struct Node {
    pub(super) parent: Option<usize>,
    pub(super) key: Key,
    /// An index into the codes.
    pub(super) code: usize,
}

/// What distinguishes a node from others of the same parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// A call or creation: the code, the selector if there is one, and whether it runs as its caller
    /// (CALLCODE, DELEGATECALL).
    Call {
        code: usize,
        selector: Option<[u8; 4]>,
        delegated: bool,
    },
    /// A function, by the offset of its first opcode.
    Function(usize),
    /// An inlined function, an index into the contract's functions.
    Inlined(usize),
}

impl ExecutedCode<'_> {
    pub(super) fn source_entry(&self, pc: usize) -> Option<(&Contract, &SourceEntry)> {
        let contract = self.contract?;
        Some((contract, contract.source_entries.get(&pc)?))
    }

    /// The source function of a node, where the compiler's output has it.
    pub(super) fn function(&self, key: Key) -> Option<usize> {
        match key {
            Key::Function(entry) => self.contract?.entry_points.get(&entry)?.function,
            Key::Inlined(function) => Some(function),
            Key::Call { .. } => None,
        }
    }

    /// Name of the function that begins at an offset.
    pub(super) fn function_at(&self, entry: usize) -> String {
        let known = self.contract.and_then(|contract| {
            let point = contract.entry_points.get(&entry)?;
            let function = point
                .function
                .map(|it| contract.functions[it].label.clone());
            Some(function.unwrap_or_else(|| point.name.clone()))
        });
        known.unwrap_or_else(|| format!("function {entry:#06x}"))
    }

    pub(super) fn name(&self) -> Option<&str> {
        let known = self.contract.or(self.deployed);
        known.map(|contract| contract.name.as_str())
    }

    /// The name; for unknown code its address, or its length if it is init code.
    pub(super) fn title(&self) -> String {
        match (self.name(), self.is_init) {
            (Some(name), true) => format!("new {name}"),
            (Some(name), false) => name.to_owned(),
            (None, true) => format!("init code, {} bytes", self.code.len()),
            (None, false) => {
                let hex = format!("{:x}", self.address);
                format!("0x{}…{}", &hex[..4], &hex[36..])
            }
        }
    }

    /// `.transfer(address,uint256)`, the selector where its signature is unknown, nothing for init code.
    pub(super) fn method(&self, selector: Option<[u8; 4]>) -> String {
        let name = |selector| self.contract?.selectors.get(&selector);
        match selector {
            _ if self.is_init => String::new(),
            None => " without a selector".to_owned(),
            Some(selector) => match name(selector) {
                Some(name) => format!(".{name}"),
                None => format!(" {:#010x}", u32::from_be_bytes(selector)),
            },
        }
    }

    /// Start of the block at an offset: the last jumpdest up to it, or the start of the code.
    pub(super) fn block(&self, pc: usize) -> Option<usize> {
        let code = self.code.bytes();
        offsets(&code[..code.len().min(pc + 1)])
            .filter(|&at| at == 0 || code[at] == Opcode::JUMPDEST.0)
            .last()
    }
}

/// The stack slot of the return pc and its value, if the jump at `pc` to `target` is a call; `stack` is without
/// the target.
pub(super) fn find_return_pc(
    code: &ExecutedCode<'_>,
    pc: usize,
    target: u64,
    stack: &[Word],
) -> Option<(usize, u64)> {
    let at = |slot: usize| {
        let pc = as_offset(stack.get(slot)?);
        code.code.is_jumpdest(pc).then_some((slot, pc))
    };
    let after_jump = || {
        let next = pc as u64 + 1;
        let slots = (stack.len().saturating_sub(RETURN_PC_SEARCH_DEPTH)..stack.len()).rev();
        let mut slots = slots.filter(|&slot| as_offset(&stack[slot]) == next);
        at(slots.next()?)
    };
    let Some(contract) = code.contract else {
        return after_jump();
    };
    if contract.source_entries.get(&pc)?.jump != Jump::Into {
        return None;
    }
    let parameters = contract
        .entry_points
        .get(&(target as usize))
        .and_then(|it| it.parameters);
    let below_parameters = parameters.and_then(|it| at(stack.len().checked_sub(it + 1)?));
    below_parameters.or_else(after_jump)
}

/// A word as an offset or length. What exceeds 64 bits becomes the maximum, which no code or memory reaches.
pub(super) fn as_offset(word: &Word) -> u64 {
    match word.0 {
        [low, 0, 0, 0] => low,
        _ => u64::MAX,
    }
}
