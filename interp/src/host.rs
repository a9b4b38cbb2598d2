//! The interface between an interpreter and the state: accounts, storage, logs and blocks. `world` implements
//! it in memory; an embedder brings its own implementation.

use crate::code::Code;
use crate::fork::Fork;
use crate::outcome::Halt;
use crate::word::Word;
use alloy_primitives::{Address, B256, Bytes};
use std::sync::Arc;

/// The block and the transaction, as the environment opcodes see them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// NUMBER.
    pub number: u64,
    /// TIMESTAMP, seconds.
    pub timestamp: u64,
    /// COINBASE.
    pub coinbase: Address,
    /// GASLIMIT.
    pub gas_limit: u64,
    /// PREVRANDAO (EIP-4399); DIFFICULTY before Paris.
    pub prevrandao: Word,
    /// BASEFEE, wei (EIP-3198).
    pub base_fee: Word,
    /// BLOBBASEFEE, wei (EIP-7516).
    pub blob_base_fee: Word,
    /// CHAINID (EIP-1344).
    pub chain_id: u64,
    /// ORIGIN: the sender of the transaction.
    pub origin: Address,
    /// GASPRICE: what the transaction pays per unit of gas, wei.
    pub gas_price: Word,
    /// BLOBHASH: the versioned hashes of the transaction's blobs (EIP-4844).
    pub blob_hashes: Vec<B256>,
}

/// An account without its code and storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountInfo {
    /// Balance, wei.
    pub balance: Word,
    /// Nonce.
    pub nonce: u64,
    /// keccak256 of its code.
    pub code_hash: B256,
    /// Whether the account is in the state, even if it is empty.
    pub exists: bool,
}

impl AccountInfo {
    /// No nonce, no balance, no code (EIP-161).
    pub fn is_empty(&self) -> bool {
        self.nonce == 0 && self.balance.is_zero() && self.code_hash == crate::code::EMPTY_HASH
    }
}

/// The result of reading a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Its value.
    pub value: Word,
    /// Whether this was its first access in the transaction (EIP-2929).
    pub cold: bool,
}

/// The result of writing a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store {
    /// Its value at the start of the transaction.
    pub original: Word,
    /// Its value before this write.
    pub before: Word,
    /// Whether this was its first access in the transaction (EIP-2929).
    pub cold: bool,
}

/// A log record (Yellow Paper, 4.3.1), borrowed: a host copies what it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log<'a> {
    /// The account that logs.
    pub address: Address,
    /// 0 to 4 topics.
    pub topics: &'a [B256],
    /// The data.
    pub data: &'a [u8],
}

impl From<Log<'_>> for alloy_primitives::Log {
    fn from(log: Log<'_>) -> alloy_primitives::Log {
        let data = Bytes::copy_from_slice(log.data);
        alloy_primitives::Log::new_unchecked(log.address, log.topics.to_vec(), data)
    }
}

/// A point in the history of changes that [`Host::revert`] can return to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint(pub usize);

/// The result of a precompile: gas used and output, or its failure.
pub type PrecompileResult = Result<(u64, Bytes), Halt>;

/// What an interpreter needs from the state.
///
/// All changes go through these methods, including logs and which accounts and slots are warm.
/// [`Host::revert`] must undo all of them exactly.
pub trait Host {
    /// The block and the transaction. They do not change while a message runs.
    fn environment(&self) -> &Environment;

    /// The hash of one of the last 256 blocks before the current one.
    fn block_hash(&mut self, number: u64) -> B256;

    /// An account; all zero if it does not exist.
    fn account(&mut self, address: Address) -> AccountInfo;

    /// An account's balance, wei.
    fn balance(&mut self, address: Address) -> Word {
        self.account(address).balance
    }

    /// An account's code, empty if it has none. A delegation (EIP-7702) is returned as it is, not followed.
    fn code(&mut self, address: Address) -> &Arc<Code>;

    /// Marks an account as accessed. Returns whether this was its first access in the transaction.
    fn warm_account(&mut self, address: Address) -> bool;

    /// Reads a slot and marks it as accessed.
    fn load(&mut self, address: Address, key: Word) -> Load;

    /// Writes a slot and marks it as accessed.
    fn store(&mut self, address: Address, key: Word, value: Word) -> Store;

    /// Reads a transient slot (EIP-1153).
    fn load_transient(&mut self, address: Address, key: Word) -> Word;

    /// Writes a transient slot.
    fn store_transient(&mut self, address: Address, key: Word, value: Word);

    /// Appends a log.
    fn log(&mut self, log: Log<'_>);

    /// Transfers wei. Returns `false` and changes nothing if `from` has less than `value`.
    fn transfer(&mut self, from: Address, to: Address, value: Word) -> bool;

    /// Increments the nonce and returns the old one. Returns `None` and changes nothing at 2^64 - 1
    /// (EIP-2681).
    fn increment_nonce(&mut self, address: Address) -> Option<u64>;

    /// Creates a contract account without code at `address`. Returns `false` and changes nothing if that
    /// account already has a nonce, code or storage (EIP-684, EIP-7610).
    fn create(&mut self, address: Address, fork: Fork) -> bool;

    /// Sets the code of an account just created.
    fn set_code(&mut self, address: Address, code: Arc<Code>);

    /// SELFDESTRUCT: transfers the balance and marks the account for deletion at the end of the transaction,
    /// since Cancun only if the transaction created it (EIP-6780). Returns `true` if it was not marked
    /// before.
    fn selfdestruct(&mut self, address: Address, beneficiary: Address, fork: Fork) -> bool;

    /// Runs the precompile at `address` with at most `gas`; `None` if `fork` has no precompile there.
    fn precompile(
        &mut self,
        address: Address,
        input: &[u8],
        gas: u64,
        fork: Fork,
    ) -> Option<PrecompileResult>;

    /// The current point in the history of changes.
    fn checkpoint(&mut self) -> Checkpoint;

    /// Undoes every change since `to`.
    fn revert(&mut self, to: Checkpoint);
}
