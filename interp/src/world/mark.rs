//! Going back to a state that many messages begin from: what they changed is undone, what they inserted is removed, and
//! the allocations stay. For whoever runs one message again and again and measures it.

use super::{KEPT, World};
use alloy_primitives::Address;

/// The size of a world at the beginning of a transaction, for [`World::restore`].
#[derive(Clone, Debug)]
pub struct Mark {
    transaction: u32,
    accounts: usize,
    /// Slots of each account.
    slots: Vec<usize>,
}

impl World {
    /// Marks the state right after [`World::begin_transaction`], before any message.
    pub fn mark(&self) -> Mark {
        Mark {
            transaction: self.transaction,
            accounts: self.accounts.len(),
            slots: self
                .accounts
                .iter()
                .map(|(_, account)| account.storage.len())
                .collect(),
        }
    }

    /// Goes back to a mark of this world, or of the one that it is a clone of: state, accessed accounts and slots,
    /// transient storage and logs are as they were there. Allocations are kept, those of a transaction up to 16 MiB
    /// each.
    ///
    /// # Panics
    /// If a transaction has ended since: its changes are final.
    pub fn restore(&mut self, mark: &Mark) {
        assert_eq!(
            self.transaction, mark.transaction,
            "the marked transaction has ended"
        );
        while let Some(change) = self.journal.pop() {
            change.undo(&mut self.accounts);
        }
        self.clear_transaction();
        self.accounts.truncate(mark.accounts);
        for (place, slots) in mark.slots.iter().enumerate() {
            self.accounts.at(place).truncate(*slots);
        }
    }

    /// Bytes that the accounts and their storage take, about: what a copy of the world costs.
    pub fn size(&self) -> usize {
        let accounts = self.accounts.iter();
        let sizes = accounts.map(|(_, account)| size_of::<Address>() + account.size());
        sizes.sum::<usize>() + KEPT.min(self.journal.capacity())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Account;
    use super::*;
    use crate::fork::Fork;
    use crate::host::{Environment, Host, Log};
    use crate::word::Word;

    const A: Address = Address::repeat_byte(1);
    const NEW: Address = Address::repeat_byte(2);

    fn world() -> World {
        let mut world = World::new(Environment::default());
        let mut account = Account::contract(&[0x5b]);
        account.set_storage(Word::ONE, Word::from(7u64));
        world.insert(A, account);
        world.begin_transaction(Fork::Osaka, &[A]);
        world
    }

    /// All that a message can see of a world, and what it would be paid for.
    fn seen(world: &World) -> String {
        let accounts = world.accounts.iter().map(|(address, account)| {
            let slots: Vec<_> = account
                .storage
                .iter()
                .map(|(key, slot)| (*key, slot.value, slot.accessed))
                .collect();
            format!(
                "{address} {:?} {} {:?} {slots:?} {} {} {} {} {}",
                account.balance,
                account.nonce,
                account.code.bytes(),
                account.exists,
                account.touched,
                account.accessed,
                account.created,
                account.destroyed
            )
        });
        let accounts: Vec<_> = accounts.collect();
        let logs: Vec<_> = world.logs().map(|log| log.address).collect();
        format!("{accounts:#?} {logs:?} {:?}", world.transient.slots)
    }

    #[test]
    fn everything_goes_back() {
        let mut world = world();
        let mark = world.mark();
        let before = seen(&world);
        for _ in 0..3 {
            world.store(A, Word::ONE, Word::from(8u64));
            world.store(A, Word::from(9u64), Word::ONE);
            world.store_transient(A, Word::ONE, Word::ONE);
            world.warm_account(NEW);
            world.increment_nonce(A);
            world.create(NEW, Fork::Osaka);
            world.set_code(NEW, crate::code::Code::empty());
            world.selfdestruct(NEW, A, Fork::Osaka);
            world.log(Log {
                address: A,
                topics: &[],
                data: &[1],
            });
            assert_ne!(seen(&world), before);
            world.restore(&mark);
            assert_eq!(seen(&world), before);
        }
    }

    #[test]
    fn capacity_stays() {
        let mut world = world();
        let mark = world.mark();
        let mut capacities = Vec::new();
        for _ in 0..3 {
            for key in 0..1_000u64 {
                world.store(A, Word::from(1_000 + key), Word::ONE);
            }
            let storage = &world.accounts.get(&A).unwrap().storage;
            capacities.push((storage.capacity(), world.journal.capacity()));
            world.restore(&mark);
            assert_eq!(world.accounts.get(&A).unwrap().storage.len(), 1);
        }
        assert_eq!(capacities[0], capacities[1]);
        assert_eq!(capacities[0], capacities[2]);
    }

    #[test]
    #[should_panic = "the marked transaction has ended"]
    fn a_transaction_that_has_ended_is_final() {
        let mut world = world();
        let mark = world.mark();
        world.begin_transaction(Fork::Osaka, &[A]);
        world.restore(&mark);
    }
}
