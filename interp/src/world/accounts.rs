//! Fast lookup of accounts and storage slots. `World` makes the changes.

use crate::code::Code;
use crate::word::Word;
use alloy_primitives::Address;
use indexmap::IndexMap;
use std::sync::Arc;

/// Hashes with a fixed seed, so that two runs of a case use memory in the same order and have the same
/// instruction counts. A host whose keys come from untrusted sources needs a random seed.
pub(super) type Map<K, V> = IndexMap<K, V, foldhash::fast::FixedState>;

/// Entries of `recent` per slot of an account.
const RECENT: usize = 4;

/// An account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Balance, wei.
    pub balance: Word,
    /// Nonce.
    pub nonce: u64,
    /// Code.
    pub code: Arc<Code>,
    pub(super) storage: Map<Word, Slot>,
    /// Indices into `storage` of recently used slots, by the low bits of their keys, so that most accesses
    /// need no hash. Its length is a power of two, or 0.
    pub(super) recent: Vec<u32>,
    /// Whether the account is in the state. Other entries were only queried.
    pub(super) exists: bool,
    /// Whether the current transaction touched it (EIP-161).
    pub(super) touched: bool,
    /// Number of the last transaction that accessed it.
    pub(super) accessed: u32,
    /// Number of the transaction that created it.
    pub(super) created: u32,
    /// Whether it is deleted at the end of the transaction.
    pub(super) destroyed: bool,
}

/// A slot of an account's storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot {
    pub value: Word,
    /// The value at the start of the transaction `accessed`.
    pub original: Word,
    /// Number of the last transaction that accessed it.
    pub accessed: u32,
}

impl Default for Account {
    fn default() -> Account {
        Account {
            balance: Word::ZERO,
            nonce: 0,
            code: Code::empty(),
            storage: Map::default(),
            recent: Vec::new(),
            exists: false,
            touched: false,
            accessed: 0,
            created: 0,
            destroyed: false,
        }
    }
}

impl Account {
    /// An account with code; everything else is zero.
    pub fn with_code(code: &[u8]) -> Account {
        Account {
            code: Arc::new(Code::new(code)),
            ..Account::default()
        }
    }

    /// A contract: an account with code and nonce 1 (EIP-161).
    pub fn contract(code: &[u8]) -> Account {
        Account {
            nonce: 1,
            code: Arc::new(Code::new(code)),
            ..Account::default()
        }
    }

    /// An account without code.
    pub fn funded(balance: Word) -> Account {
        Account {
            balance,
            ..Account::default()
        }
    }

    /// Whether nonce, balance and code are all empty (EIP-161).
    pub fn is_empty(&self) -> bool {
        self.nonce == 0 && self.balance.is_zero() && self.code.is_empty()
    }

    /// The slots that are not zero, in no particular order.
    pub fn storage(&self) -> impl Iterator<Item = (Word, Word)> {
        self.storage
            .iter()
            .map(|(key, slot)| (*key, slot.value))
            .filter(|(_, value)| !value.is_zero())
    }

    /// Sets a slot of the state before any transaction.
    pub fn set_storage(&mut self, key: Word, value: Word) {
        self.storage.insert(
            key,
            Slot {
                value,
                ..Slot::default()
            },
        );
    }

    /// The account without its marks of earlier transactions: it may come from another world, whose
    /// transactions have the same numbers.
    pub(super) fn untouched(mut self) -> Account {
        for slot in self.storage.values_mut() {
            slot.accessed = 0;
        }
        Account {
            accessed: 0,
            created: 0,
            destroyed: false,
            ..self
        }
    }

    /// Removes the slots found later than the first `len`; the table keeps its allocation.
    pub(super) fn truncate(&mut self, len: usize) {
        self.storage.truncate(len);
    }

    /// Bytes that it takes, about.
    pub(super) fn size(&self) -> usize {
        // A table of indices beside the entries, at most seven eighths full.
        let slots =
            self.storage.capacity() * (size_of::<(u64, Word, Slot)>() + 2 * size_of::<usize>());
        size_of::<Account>() + slots + self.recent.len() * size_of::<u32>()
    }

    /// A slot and its index; inserted if missing.
    #[inline(always)]
    pub(super) fn slot(&mut self, key: Word) -> (usize, &mut Slot) {
        let recent = self.recent.get(self.recent_at(key)).copied();
        let place = match recent.map(|place| (place, self.storage.get_index(place as usize))) {
            Some((place, Some((found, _)))) if *found == key => place as usize,
            _ => self.look_up(key),
        };
        (place, &mut self.storage[place])
    }

    /// The index of a slot's key in `recent`.
    #[inline(always)]
    fn recent_at(&self, key: Word) -> usize {
        (key.0[0] ^ key.0[0] >> 8) as usize & self.recent.len().wrapping_sub(1)
    }

    #[inline(never)]
    fn look_up(&mut self, key: Word) -> usize {
        let entry = self.storage.entry(key);
        let place = entry.index();
        entry.or_default();
        let fitting = (RECENT * self.storage.len()).next_power_of_two();
        if self.recent.len() < fitting {
            // The dropped entries are found by hash and added again.
            self.recent = vec![0; 2 * fitting];
        }
        let at = self.recent_at(key);
        self.recent[at] = place as u32;
        place
    }
}

/// Equality without a call to `memcmp`.
#[inline(always)]
fn is_same(a: &Address, b: &Address) -> bool {
    Word::from(*a) == Word::from(*b)
}

/// All accounts by address.
#[derive(Clone, Debug, Default)]
pub(super) struct Accounts {
    by_address: Map<Address, Account>,
    /// The index found last: opcodes often use the same account repeatedly.
    last: usize,
}

impl Accounts {
    /// The index of an account; inserted if missing.
    #[inline]
    pub fn find(&mut self, address: Address) -> usize {
        match self.by_address.get_index(self.last) {
            Some((found, _)) if is_same(found, &address) => self.last,
            _ => self.look_up(address),
        }
    }

    #[cold]
    fn look_up(&mut self, address: Address) -> usize {
        let entry = self.by_address.entry(address);
        self.last = entry.index();
        entry.or_default();
        self.last
    }

    #[inline]
    pub fn at(&mut self, place: usize) -> &mut Account {
        &mut self.by_address[place]
    }

    /// The address of the account at an index.
    pub fn address(&self, place: usize) -> Address {
        self.by_address.keys()[place]
    }

    pub fn get(&self, address: &Address) -> Option<&Account> {
        self.by_address.get(address)
    }

    pub fn insert(&mut self, address: Address, account: Account) {
        self.by_address.insert(address, account);
    }

    /// How many there are, those included that were only looked at.
    pub fn len(&self) -> usize {
        self.by_address.len()
    }

    /// Removes those found later than the first `len`; the table keeps its allocation.
    pub fn truncate(&mut self, len: usize) {
        self.by_address.truncate(len);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Address, &Account)> {
        self.by_address.iter()
    }
}
