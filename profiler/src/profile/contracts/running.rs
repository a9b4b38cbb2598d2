//! The functions that a frame of a contract is in while it runs, found from its jumps and its stack.

use super::walk::REACH;
use super::{Contract, Jump, Place, offsets};
use alloy_primitives::Address;
use evmscope_interp::{Code, Opcode, Word};
use std::sync::Arc;

/// Code that ran, under one name.
pub(super) struct Running<'a> {
    pub(super) address: Address,
    pub(super) code: Arc<Code>,
    pub(super) contract: Option<&'a Contract>,
    /// Init code: the contract that it made is known once it is made.
    pub(super) creates: bool,
    /// What it is called, where that became known by what it made.
    pub(super) made: Option<&'a Contract>,
}

pub(super) struct Node {
    pub(super) parent: Option<usize>,
    pub(super) key: Key,
    /// An index into the codes.
    pub(super) code: usize,
}

/// What tells a frame from others of the same parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// A call or creation: the code, the selector if there is one, and whether in the caller's name.
    Call {
        code: usize,
        selector: Option<[u8; 4]>,
        delegated: bool,
    },
    /// A function, by its first opcode.
    Function(usize),
    /// A function that was inlined, an index of the contract's.
    Inlined(usize),
}

impl Running<'_> {
    pub(super) fn place(&self, pc: usize) -> Option<(&Contract, &Place)> {
        let contract = self.contract?;
        Some((contract, contract.places.get(&pc)?))
    }

    /// The function that a node of the tree is, where the compiler told of it.
    pub(super) fn function(&self, key: Key) -> Option<usize> {
        match key {
            Key::Function(entry) => self.contract?.entry_points.get(&entry)?.function,
            Key::Inlined(function) => Some(function),
            Key::Call { .. } => None,
        }
    }

    /// What the function that begins at an offset is called.
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
        let known = self.contract.or(self.made);
        known.map(|contract| contract.name.as_str())
    }

    pub(super) fn title(&self) -> String {
        match (self.name(), self.creates) {
            (Some(name), true) => format!("new {name}"),
            (Some(name), false) => name.to_owned(),
            (None, true) => format!("init code, {} bytes", self.code.len()),
            (None, false) => {
                let hex = format!("{:x}", self.address);
                format!("0x{}…{}", &hex[..4], &hex[36..])
            }
        }
    }

    /// `.transfer(address,uint256)`, the selector where no name is known, nothing for init code.
    pub(super) fn method(&self, selector: Option<[u8; 4]>) -> String {
        let name = |selector| self.contract?.selectors.get(&selector);
        match selector {
            _ if self.creates => String::new(),
            None => " without a selector".to_owned(),
            Some(selector) => match name(selector) {
                Some(name) => format!(".{name}"),
                None => format!(" {:#010x}", u32::from_be_bytes(selector)),
            },
        }
    }

    /// The block that an offset belongs to: the last jumpdest before it, or the beginning.
    pub(super) fn block(&self, pc: usize) -> Option<usize> {
        let code = self.code.bytes();
        offsets(&code[..code.len().min(pc + 1)])
            .filter(|&at| at == 0 || code[at] == Opcode::JUMPDEST.0)
            .last()
    }
}

/// Where the return pc of a call lies on the stack, and what it is; none where the jump calls nothing.
pub(super) fn return_pc(
    running: &Running<'_>,
    pc: usize,
    target: u64,
    stack: &[Word],
) -> Option<(usize, u64)> {
    let is_jumpdest = |at: u64| {
        let limb = running.code.jumpdests().get(at as usize / 64);
        limb.is_some_and(|limb| limb >> (at % 64) & 1 == 1)
    };
    let at = |slot: usize| {
        let pc = small(stack.get(slot)?);
        is_jumpdest(pc).then_some((slot, pc))
    };
    let behind = || {
        let behind = pc as u64 + 1;
        let slots = (stack.len().saturating_sub(REACH)..stack.len()).rev();
        let mut slots = slots.filter(|&slot| small(&stack[slot]) == behind);
        at(slots.next()?)
    };
    let Some(contract) = running.contract else {
        return behind();
    };
    if contract.places.get(&pc)?.jump != Jump::Into {
        return None;
    }
    let parameters = contract
        .entry_points
        .get(&(target as usize))
        .and_then(|it| it.parameters);
    let told = parameters.and_then(|it| at(stack.len().checked_sub(it + 1)?));
    told.or_else(behind)
}

/// As an offset; what is too large is none that anything could have.
pub(super) fn small(word: &Word) -> u64 {
    match word.0 {
        [low, 0, 0, 0] => low,
        _ => u64::MAX,
    }
}
