//! The door to the world: what an interpreter asks of accounts, storage, logs and blocks.
//! `world` is the implementation in memory; an embedder brings its own.

use crate::code::Code;
use crate::fork::Fork;
use crate::outcome::Halt;
use crate::word::Word;
use alloy_primitives::{Address, B256, Bytes};
use std::sync::Arc;

/// The block and the transaction, as the environment opcodes tell of them.
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
    /// GASPRICE: what the transaction pays a unit of gas, wei.
    pub gas_price: Word,
    /// BLOBHASH: the versioned hashes of the transaction's blobs (EIP-4844).
    pub blob_hashes: Vec<B256>,
}

/// What an account is, without its code and storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountInfo {
    /// Balance, wei.
    pub balance: Word,
    /// Nonce.
    pub nonce: u64,
    /// keccak256 of its code.
    pub code_hash: B256,
    /// Whether the state has it, be it empty.
    pub exists: bool,
}

impl AccountInfo {
    /// No nonce, no balance, no code (EIP-161).
    pub fn is_empty(&self) -> bool {
        self.nonce == 0 && self.balance.is_zero() && self.code_hash == crate::code::EMPTY_HASH
    }
}

/// A slot that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Its value.
    pub value: Word,
    /// Whether this was its first access in the transaction (EIP-2929).
    pub cold: bool,
}

/// A slot that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store {
    /// Its value at the start of the transaction.
    pub original: Word,
    /// Its value before this write.
    pub before: Word,
    /// Whether this was its first access in the transaction (EIP-2929).
    pub cold: bool,
}

/// A log record (Yellow Paper, 4.3.1), where it lies: a host copies what it keeps.
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

/// A point in the history of changes to which [`Host::revert`] goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint(pub usize);

/// What a precompile said: gas used and output, or that it failed.
pub type PrecompileResult = Result<(u64, Bytes), Halt>;

/// What an interpreter asks of the world.
///
/// All changes, the warmth of accounts and slots and the logs included, are made through these
/// methods and undone by [`Host::revert`], exactly.
pub trait Host {
    /// The block and the transaction. They do not change while a message runs.
    fn environment(&self) -> &Environment;

    /// The hash of one of the 256 last blocks before the current one.
    fn block_hash(&mut self, number: u64) -> B256;

    /// An account; all zero where there is none.
    fn account(&mut self, address: Address) -> AccountInfo;

    /// An account's code, empty where there is none. A delegation (EIP-7702) is returned as it is.
    fn code(&mut self, address: Address) -> Arc<Code>;

    /// Marks an account as accessed; whether this was its first access in the transaction.
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

    /// Moves wei; `false`, and nothing moved, where `from` has less.
    fn transfer(&mut self, from: Address, to: Address, value: Word) -> bool;

    /// Counts the nonce up and tells the old one; `None`, and nothing changed, at 2^64 - 1 (EIP-2681).
    fn increment_nonce(&mut self, address: Address) -> Option<u64>;

    /// Makes a contract account at `address`, its code yet empty; `false`, and nothing changed, where
    /// one with a nonce, code or storage is there (EIP-684, EIP-7610).
    fn create(&mut self, address: Address, fork: Fork) -> bool;

    /// Sets the code of an account just created.
    fn set_code(&mut self, address: Address, code: Arc<Code>);

    /// SELFDESTRUCT: moves the balance; marks the account for deletion at the end of the transaction,
    /// since Cancun only if the transaction created it (EIP-6780). Whether it was not marked before.
    fn selfdestruct(&mut self, address: Address, beneficiary: Address, fork: Fork) -> bool;

    /// Runs the precompile at `address` with at most `gas`; `None` where `fork` has none there.
    fn precompile(
        &mut self,
        address: Address,
        input: &[u8],
        gas: u64,
        fork: Fork,
    ) -> Option<PrecompileResult>;

    /// The present state of changes.
    fn checkpoint(&mut self) -> Checkpoint;

    /// Undoes every change since.
    fn revert(&mut self, to: Checkpoint);
}
