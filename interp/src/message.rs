//! A message call or creation, as a transaction or an opcode makes it (Yellow Paper, 8 and 7).

use crate::word::Word;
use alloy_primitives::{Address, Bytes};

/// The kind of a message: the opcode that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// CALL, and a transaction to an account.
    Call,
    /// CALLCODE: another account's code on the caller's storage.
    CallCode,
    /// DELEGATECALL (EIP-7): like CALLCODE, but keeps the frame's caller and value.
    DelegateCall,
    /// STATICCALL (EIP-214): state changes are forbidden.
    StaticCall,
    /// CREATE, and a transaction without a recipient: the caller and its nonce determine the address.
    Create,
    /// CREATE2 (EIP-1014): the caller, the salt and the init code determine the address.
    Create2 {
        /// The salt.
        salt: Word,
    },
}

impl Kind {
    /// Whether this is a creation.
    pub const fn creates(self) -> bool {
        matches!(self, Kind::Create | Kind::Create2 { .. })
    }
}

/// A message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its kind.
    pub kind: Kind,
    /// Gas it may use, capped at 2^63 - 1.
    pub gas: u64,
    /// What CALLER returns.
    pub caller: Address,
    /// What ADDRESS returns: the account whose storage and balance the code uses. Ignored by creations.
    pub recipient: Address,
    /// The account whose code runs. Ignored by creations.
    pub code_address: Address,
    /// What CALLVALUE returns, in wei. Transferred, except by [`Kind::DelegateCall`].
    pub value: Word,
    /// Call data, or the init code of a creation.
    pub input: Bytes,
    /// Whether state changes are forbidden (EIP-214).
    pub is_static: bool,
    /// Number of calling frames; 0 for the first message of a transaction.
    pub depth: u32,
}

/// A message without its input, as its frame keeps it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub kind: Kind,
    pub gas: u64,
    pub caller: Address,
    pub recipient: Address,
    pub code_address: Address,
    pub value: Word,
    pub is_static: bool,
    pub depth: u32,
}

impl Message {
    /// The message, and apart from it the input.
    pub(crate) fn split(self) -> (Header, Bytes) {
        let header = Header {
            kind: self.kind,
            gas: self.gas,
            caller: self.caller,
            recipient: self.recipient,
            code_address: self.code_address,
            value: self.value,
            is_static: self.is_static,
            depth: self.depth,
        };
        (header, self.input)
    }

    /// A call without value, as from a transaction.
    pub fn call(caller: Address, to: Address, input: Bytes, gas: u64) -> Message {
        Message {
            kind: Kind::Call,
            gas,
            caller,
            recipient: to,
            code_address: to,
            value: Word::ZERO,
            input,
            is_static: false,
            depth: 0,
        }
    }

    /// A creation without value, as from a transaction.
    pub fn create(caller: Address, init_code: Bytes, gas: u64) -> Message {
        Message {
            kind: Kind::Create,
            ..Message::call(caller, Address::ZERO, init_code, gas)
        }
    }
}
