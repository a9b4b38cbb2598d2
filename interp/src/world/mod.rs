//! An in-memory state: accounts, storage, logs and an exact undo journal. The host for benchmarks, tests and
//! the command line.

mod accounts;
mod journal;
mod logs;
pub mod mark;
mod precompiles;
#[cfg(feature = "statetest")]
mod root;
pub mod transaction;
mod transient;

pub use accounts::Account;

use crate::code::Code;
use crate::fork::Fork;
use crate::host::{AccountInfo, Checkpoint, Environment, Host, Load, Log, PrecompileResult, Store};
use crate::word::Word;
use accounts::{Accounts, Map, Slot};
use alloy_primitives::{Address, B256};
use journal::Change;
use logs::Logs;
use std::sync::Arc;
use transient::Transient;

/// This precompile stays touched even if the call is reverted. On the main net a transaction deleted this
/// account, which was empty, although the call that touched it had failed (Yellow Paper, appendix K.1). All
/// clients reproduce that.
const RIPEMD160: Address = Address::with_last_byte(3);

/// Bytes that each buffer of a transaction (journal, logs, transient storage) keeps for the next one. Larger ones are
/// given back when the next transaction begins.
const KEPT: usize = 16 << 20;

/// Accounts, their storage, and the changes of the current transaction.
#[derive(Clone, Debug)]
pub struct World {
    environment: Environment,
    accounts: Accounts,
    transient: Transient,
    block_hashes: Map<u64, B256>,
    logs: Logs,
    journal: Vec<Change>,
    /// Number of the current transaction, from 1. What only earlier ones accessed is cold.
    transaction: u32,
    /// Most blobs in a block, if it is not what the fork says (EIP-7892).
    max_blobs: Option<u64>,
}

impl World {
    /// An empty world.
    pub fn new(environment: Environment) -> World {
        World {
            environment,
            accounts: Accounts::default(),
            transient: Transient::default(),
            block_hashes: Map::default(),
            logs: Logs::default(),
            journal: Vec::new(),
            transaction: 1,
            max_blobs: None,
        }
    }

    /// Inserts an account into the state, or replaces it.
    pub fn insert(&mut self, address: Address, account: Account) {
        self.accounts.insert(
            address,
            Account {
                exists: true,
                ..account.untouched()
            },
        );
    }

    /// Sets the hash of a block, for BLOCKHASH.
    pub fn set_block_hash(&mut self, number: u64, hash: B256) {
        self.block_hashes.insert(number, hash);
    }

    /// An account of the state; `None` if it does not exist.
    pub fn get(&self, address: &Address) -> Option<&Account> {
        self.accounts.get(address).filter(|account| account.exists)
    }

    /// The accounts of the state, in the order in which they were first seen.
    pub fn accounts(&self) -> impl Iterator<Item = (&Address, &Account)> {
        self.accounts.iter().filter(|(_, account)| account.exists)
    }

    /// The logs of the current transaction.
    pub fn logs(&self) -> impl ExactSizeIterator<Item = Log<'_>> {
        self.logs.iter()
    }

    /// Ends the current transaction and starts the next. Only `warm`, the precompiles and, since Shanghai,
    /// the coinbase are warm (EIP-2929, EIP-3651).
    pub fn begin_transaction(&mut self, fork: Fork, warm: &[Address]) {
        self.end_transaction(fork);
        self.clear_transaction();
        self.transaction += 1;
        let coinbase = (fork >= Fork::Shanghai).then_some(self.environment.coinbase);
        for address in warm
            .iter()
            .copied()
            .chain(coinbase)
            .chain(precompiles::addresses(fork))
        {
            self.warm_account(address);
        }
        self.journal.clear();
    }

    /// Empties what only a transaction has, and keeps the allocations up to [`KEPT`] each.
    fn clear_transaction(&mut self) {
        const SLOTS: usize = KEPT / size_of::<((Address, Word), Word)>();
        self.logs.clear(KEPT);
        self.transient.clear(SLOTS);
        self.journal.clear();
        self.journal.shrink_to(KEPT / size_of::<Change>());
    }

    /// Makes the changes of the current transaction final: deletes destroyed accounts and, since Spurious
    /// Dragon, empty accounts that it touched (EIP-161). Its logs can be read until the next one starts.
    pub fn end_transaction(&mut self, fork: Fork) {
        for change in self.journal.drain(..) {
            let (Change::Touched { account } | Change::Destroyed { account }) = change else {
                continue;
            };
            let account = self.accounts.at(account as usize);
            account.touched = false;
            let cleared = fork >= Fork::SpuriousDragon && account.is_empty();
            if account.destroyed || cleared {
                *account = Account::default();
            }
        }
    }

    /// Sets how many blobs a block may hold, whatever the fork (EIP-7892).
    #[cfg(feature = "statetest")]
    pub(crate) fn limit_blobs(&mut self, max: u64) {
        self.max_blobs = Some(max);
    }

    /// Touches the block's author, as a block reward of 0 does.
    #[cfg(feature = "statetest")]
    pub(crate) fn reward(&mut self, author: Address, fork: Fork) {
        let place = self.accounts.find(author);
        self.touch(place);
        self.end_transaction(fork);
    }

    /// Sets an account's balance and creates the account if necessary.
    fn set_balance(&mut self, address: Address, balance: Word) {
        let place = self.accounts.find(address);
        self.touch(place);
        let account = self.accounts.at(place);
        self.journal.push(Change::Balance {
            account: place as u32,
            before: account.balance,
        });
        account.balance = balance;
    }

    /// Finds a slot and marks it as accessed. Returns the index of the account, the index of the slot, the
    /// slot, and whether it was cold.
    #[inline(always)]
    fn access(&mut self, address: Address, key: Word) -> (u32, u32, &mut Slot, bool) {
        let place = self.accounts.find(address);
        let (slot_place, slot) = self.accounts.at(place).slot(key);
        let (place, slot_place) = (place as u32, slot_place as u32);
        let cold = slot.accessed != self.transaction;
        if cold {
            self.journal.push(Change::SlotAccessed {
                account: place,
                slot: slot_place,
                before: slot.accessed,
            });
            slot.accessed = self.transaction;
            slot.original = slot.value;
        }
        (place, slot_place, slot, cold)
    }

    /// Creates an account if necessary and marks it as touched.
    fn touch(&mut self, place: usize) {
        let account = self.accounts.at(place);
        if !account.exists {
            account.exists = true;
            self.journal.push(Change::Exists {
                account: place as u32,
            });
        }
        if !account.touched {
            account.touched = true;
            self.journal.push(Change::Touched {
                account: place as u32,
            });
        }
    }
}

impl Default for World {
    fn default() -> World {
        World::new(Environment::default())
    }
}

impl Host for World {
    fn environment(&self) -> &Environment {
        &self.environment
    }

    fn block_hash(&mut self, number: u64) -> B256 {
        self.block_hashes.get(&number).copied().unwrap_or_default()
    }

    fn account(&mut self, address: Address) -> AccountInfo {
        let place = self.accounts.find(address);
        let account = self.accounts.at(place);
        AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code.hash(),
            exists: account.exists,
        }
    }

    fn balance(&mut self, address: Address) -> Word {
        let place = self.accounts.find(address);
        self.accounts.at(place).balance
    }

    fn code(&mut self, address: Address) -> &Arc<Code> {
        let place = self.accounts.find(address);
        &self.accounts.at(place).code
    }

    fn warm_account(&mut self, address: Address) -> bool {
        let place = self.accounts.find(address);
        let account = self.accounts.at(place);
        let cold = account.accessed != self.transaction;
        if cold {
            self.journal.push(Change::Accessed {
                account: place as u32,
                before: account.accessed,
            });
            account.accessed = self.transaction;
        }
        cold
    }

    fn load(&mut self, address: Address, key: Word) -> Load {
        let (_, _, slot, cold) = self.access(address, key);
        Load {
            value: slot.value,
            cold,
        }
    }

    fn store(&mut self, address: Address, key: Word, value: Word) -> Store {
        let (account, place, slot, cold) = self.access(address, key);
        let (before, original) = (slot.value, slot.original);
        if before != value {
            slot.value = value;
            self.journal.push(Change::Slot {
                account,
                slot: place,
                before,
            });
        }
        Store {
            original,
            before,
            cold,
        }
    }

    fn load_transient(&mut self, address: Address, key: Word) -> Word {
        self.transient.get(&address, &key)
    }

    fn store_transient(&mut self, address: Address, key: Word, value: Word) {
        let (slot, before) = self.transient.set(&address, &key, value);
        self.journal.push(Change::Transient { slot, before });
    }

    fn log(&mut self, log: Log<'_>) {
        self.logs.push(log);
        self.journal.push(Change::Log);
    }

    fn transfer(&mut self, from: Address, to: Address, value: Word) -> bool {
        if value.is_zero() {
            let place = self.accounts.find(to);
            self.touch(place);
            return true;
        }
        let (rest, short) = self.balance(from).overflowing_sub(value);
        if short {
            return false;
        }
        self.set_balance(from, rest);
        let sum = self.balance(to).wrapping_add(value);
        self.set_balance(to, sum);
        true
    }

    fn increment_nonce(&mut self, address: Address) -> Option<u64> {
        let place = self.accounts.find(address);
        let account = self.accounts.at(place);
        let before = account.nonce;
        account.nonce = before.checked_add(1)?;
        // The nonce may create the account: that of an EIP-7702 authority.
        self.touch(place);
        self.journal.push(Change::Nonce {
            account: place as u32,
            before,
        });
        Some(before)
    }

    fn create(&mut self, address: Address, fork: Fork) -> bool {
        let place = self.accounts.find(address);
        let account = self.accounts.at(place);
        if account.nonce > 0 || !account.code.is_empty() || account.storage().next().is_some() {
            return false;
        }
        let place_ = place as u32;
        self.journal.push(Change::Created {
            account: place_,
            before: account.created,
        });
        account.created = self.transaction;
        self.journal.push(Change::Nonce {
            account: place_,
            before: 0,
        });
        account.nonce = u64::from(fork >= Fork::SpuriousDragon);
        self.touch(place);
        true
    }

    fn set_code(&mut self, address: Address, code: Arc<Code>) {
        let place = self.accounts.find(address);
        let before = std::mem::replace(&mut self.accounts.at(place).code, code);
        self.journal.push(Change::Code {
            account: place as u32,
            before,
        });
    }

    fn selfdestruct(&mut self, address: Address, beneficiary: Address, fork: Fork) -> bool {
        let place = self.accounts.find(address);
        let account = self.accounts.at(place);
        let dies = fork < Fork::Cancun || account.created == self.transaction;
        let newly = dies && !account.destroyed;
        if newly {
            account.destroyed = true;
            self.journal.push(Change::Destroyed {
                account: place as u32,
            });
        }
        let balance = self.balance(address);
        if address != beneficiary {
            self.transfer(address, beneficiary, balance);
        } else if dies {
            // A balance sent to itself is destroyed with the account.
            self.set_balance(address, Word::ZERO);
        }
        newly
    }

    fn precompile(
        &mut self,
        address: Address,
        input: &[u8],
        gas: u64,
        fork: Fork,
    ) -> Option<PrecompileResult> {
        precompiles::run(address, input, gas, fork)
    }

    fn checkpoint(&mut self) -> Checkpoint {
        Checkpoint(self.journal.len())
    }

    fn revert(&mut self, to: Checkpoint) {
        let mut kept = None;
        for change in self.journal.drain(to.0..).rev() {
            match change {
                Change::Touched { account }
                    if self.accounts.address(account as usize) == RIPEMD160 =>
                {
                    kept = Some(change);
                }
                Change::Log => {
                    self.logs.pop();
                }
                Change::Transient { slot, before } => self.transient.restore(slot, before),
                change => change.undo(&mut self.accounts),
            }
        }
        self.journal.extend(kept);
    }
}
