//! The in-memory world as a host: the state at the start of a transaction, and after a revert.

use alloy_primitives::Address;
use evmscope_interp::world::{Account, World};
use evmscope_interp::{Code, Environment, Fork, Host, Log, Word};
use std::sync::Arc;

const ADDRESS: Address = Address::repeat_byte(0xaa);
const OTHER: Address = Address::repeat_byte(0xbb);

#[test]
fn new_worlds_are_cold() {
    for mut world in [World::default(), World::new(Environment::default())] {
        assert!(world.load(ADDRESS, Word::ONE).cold);
        assert!(world.warm_account(ADDRESS));
        assert!(!world.warm_account(ADDRESS));
        assert!(!world.load(ADDRESS, Word::ONE).cold);
    }
}

#[test]
fn inserted_accounts_are_cold_even_from_another_world() {
    let mut first = World::default();
    assert!(first.create(ADDRESS, Fork::Osaka));
    first.warm_account(ADDRESS);
    first.store(ADDRESS, Word::ONE, Word::from(5_u64));
    first.selfdestruct(ADDRESS, OTHER, Fork::Osaka);
    let account = first.get(&ADDRESS).unwrap().clone();

    let mut second = World::default();
    second.insert(ADDRESS, account);
    assert!(second.warm_account(ADDRESS));
    let slot = second.store(ADDRESS, Word::ONE, Word::ZERO);
    assert!(slot.cold);
    assert_eq!(slot.original, Word::from(5_u64));
    // This transaction neither created nor destroyed it.
    assert!(!second.selfdestruct(ADDRESS, OTHER, Fork::Osaka));
    second.begin_transaction(Fork::Osaka, &[]);
    assert!(second.get(&ADDRESS).is_some());
}

#[test]
fn transactions_start_cold_except_for_what_is_always_warm() {
    let coinbase = Address::repeat_byte(0xcb);
    let mut world = World::new(Environment {
        coinbase,
        ..Environment::default()
    });
    world.store(ADDRESS, Word::ONE, Word::ONE);
    world.warm_account(ADDRESS);
    world.begin_transaction(Fork::Osaka, &[OTHER]);
    let precompile = Address::with_last_byte(1);
    for (address, cold) in [
        (ADDRESS, true),
        (OTHER, false),
        (coinbase, false),
        (precompile, false),
    ] {
        assert_eq!(world.warm_account(address), cold, "{address}");
    }
    let slot = world.store(ADDRESS, Word::ONE, Word::ZERO);
    assert_eq!((slot.cold, slot.original), (true, Word::ONE));
}

#[test]
fn reverting_stops_at_the_checkpoint() {
    let mut world = World::default();
    let mut rich = Account::contract(&[0]);
    rich.balance = 9_u64.into();
    world.insert(ADDRESS, rich);
    world.store(ADDRESS, Word::ZERO, Word::ONE);
    let before = world.clone();
    let checkpoint = world.checkpoint();

    let two = Word::from(2_u64);
    world.store(ADDRESS, Word::ZERO, two);
    world.store(ADDRESS, Word::ONE, two);
    world.store_transient(ADDRESS, Word::ZERO, two);
    assert!(world.transfer(ADDRESS, OTHER, two));
    assert!(!world.transfer(ADDRESS, OTHER, Word::MAX));
    assert_eq!(world.increment_nonce(ADDRESS), Some(1));
    assert!(world.create(Address::repeat_byte(0xcc), Fork::Osaka));
    world.set_code(OTHER, Arc::new(Code::new(&[])));
    world.warm_account(ADDRESS);
    world.log(Log {
        address: ADDRESS,
        topics: &[],
        data: &[],
    });
    world.revert(checkpoint);

    let state = |world: &World| {
        let account = |(address, account): (&Address, &Account)| {
            let storage: Vec<_> = account.storage().collect();
            (*address, account.balance, account.nonce, storage)
        };
        world.accounts().map(account).collect::<Vec<_>>()
    };
    assert_eq!(state(&world), state(&before));
    assert_eq!(world.logs().len(), 0);
    assert_eq!(world.load_transient(ADDRESS, Word::ZERO), Word::ZERO);
    assert!(world.warm_account(ADDRESS), "cold again");
    assert!(world.load(ADDRESS, Word::ONE).cold, "cold again");
    assert!(!world.load(ADDRESS, Word::ZERO).cold, "warm since before");
}

#[test]
fn ripemd160_stays_touched_even_if_the_call_is_reverted() {
    let ripemd160 = Address::with_last_byte(3);
    let sha256 = Address::with_last_byte(2);
    for (fork, cleared) in [
        (Fork::TangerineWhistle, false),
        (Fork::SpuriousDragon, true),
    ] {
        let mut world = World::default();
        for address in [ripemd160, sha256] {
            world.insert(address, Account::default());
        }
        world.begin_transaction(fork, &[]);
        let [outer, inner] = [world.checkpoint(), world.checkpoint()];
        for address in [ripemd160, sha256] {
            world.transfer(ADDRESS, address, Word::ZERO);
        }
        world.revert(inner);
        world.revert(outer);
        world.end_transaction(fork);
        assert_eq!(world.get(&ripemd160).is_none(), cleared, "{fork}");
        assert!(world.get(&sha256).is_some(), "{fork}");
    }
}
