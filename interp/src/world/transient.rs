//! Transient storage (EIP-1153): slots by account and key, for one transaction. `World` keeps the changes in its journal.

use super::accounts::Map;
use crate::word::Word;
use alloy_primitives::Address;

/// Number of places remembered; a power of two.
const RECENT: usize = 16;

/// The transient slots of all accounts.
#[derive(Clone, Debug, Default)]
pub(super) struct Transient {
    pub(super) slots: Map<(Address, Word), Word>,
    /// Places in `slots` of those used last, by the low bits of their keys, so that most accesses need no hash. A place
    /// is compared with what is there, so old ones do no harm.
    recent: [u32; RECENT],
}

impl Transient {
    /// The value of a slot.
    #[inline]
    pub fn get(&mut self, address: &Address, key: &Word) -> Word {
        if self.slots.is_empty() {
            return Word::ZERO;
        }
        match self.find(address, key) {
            Some(place) => self.slots[place],
            None => Word::ZERO,
        }
    }

    /// Sets a slot. Returns its place and the value before.
    #[inline]
    pub fn set(&mut self, address: &Address, key: &Word, value: Word) -> (u32, Word) {
        let place = match self.find(address, key) {
            Some(place) => place,
            None => self.insert(address, key),
        };
        (
            place as u32,
            std::mem::replace(&mut self.slots[place], value),
        )
    }

    /// Restores the value at a place.
    pub fn restore(&mut self, place: u32, value: Word) {
        self.slots[place as usize] = value;
    }

    /// Empties the storage and keeps the allocation of so many slots.
    pub fn clear(&mut self, slots: usize) {
        self.slots.clear();
        self.slots.shrink_to(slots);
    }

    /// The place of a slot.
    #[inline]
    fn find(&mut self, address: &Address, key: &Word) -> Option<usize> {
        let recent = self.recent[key.0[0] as usize % RECENT] as usize;
        match self.slots.get_index(recent) {
            Some(((owner, slot), _)) if slot == key && owner == address => Some(recent),
            _ => self.look_up(address, key),
        }
    }

    #[inline(never)]
    fn look_up(&mut self, address: &Address, key: &Word) -> Option<usize> {
        let place = self.slots.get_index_of(&(*address, *key))?;
        self.recent[key.0[0] as usize % RECENT] = place as u32;
        Some(place)
    }

    /// Adds a slot. Its place fits 32 bits: every other slot was paid for with 100 gas.
    #[inline(never)]
    fn insert(&mut self, address: &Address, key: &Word) -> usize {
        let (place, _) = self.slots.insert_full((*address, *key), Word::ZERO);
        self.recent[key.0[0] as usize % RECENT] = place as u32;
        place
    }
}
