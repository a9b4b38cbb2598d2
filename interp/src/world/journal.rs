//! The undo log: one entry per change, with the previous value.

use super::accounts::Accounts;
use crate::code::Code;
use crate::word::Word;
use std::sync::Arc;

/// One change; `account` and `slot` are indices.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Balance {
        account: u32,
        before: Word,
    },
    Nonce {
        account: u32,
        before: u64,
    },
    Code {
        account: u32,
        before: Arc<Code>,
    },
    Exists {
        account: u32,
    },
    Touched {
        account: u32,
    },
    Accessed {
        account: u32,
        before: u32,
    },
    Created {
        account: u32,
        before: u32,
    },
    Destroyed {
        account: u32,
    },
    Slot {
        account: u32,
        slot: u32,
        before: Word,
    },
    SlotAccessed {
        account: u32,
        slot: u32,
        before: u32,
    },
    /// A change of a transient slot, given by its place.
    Transient {
        slot: u32,
        before: Word,
    },
    /// The addition of the last log.
    Log,
}

impl Change {
    /// Restores the previous value, if it is a change of an account.
    pub fn undo(self, accounts: &mut Accounts) {
        match self {
            Change::Balance { account, before } => accounts.at(account as usize).balance = before,
            Change::Nonce { account, before } => accounts.at(account as usize).nonce = before,
            Change::Code { account, before } => accounts.at(account as usize).code = before,
            Change::Exists { account } => accounts.at(account as usize).exists = false,
            Change::Touched { account } => accounts.at(account as usize).touched = false,
            Change::Accessed { account, before } => accounts.at(account as usize).accessed = before,
            Change::Created { account, before } => accounts.at(account as usize).created = before,
            Change::Destroyed { account } => accounts.at(account as usize).destroyed = false,
            Change::Slot {
                account,
                slot,
                before,
            } => {
                accounts.at(account as usize).storage[slot as usize].value = before;
            }
            Change::SlotAccessed {
                account,
                slot,
                before,
            } => {
                accounts.at(account as usize).storage[slot as usize].accessed = before;
            }
            Change::Transient { .. } | Change::Log => {}
        }
    }
}
