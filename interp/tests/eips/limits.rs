//! Limits and minimum prices of transactions: EIP-7623, call data; EIP-7691 and EIP-7594, blobs; EIP-7825,
//! gas.

use super::common::{CALLER, CONTRACT, EOA, assemble, environment};
use super::{FUNDS, PRICE, accept, fees, gas_used, refuse, transaction, world, world_in};
use alloy_primitives::B256;
use evmscope_interp::world::transaction::{Kind, Transaction};
use evmscope_interp::world::{Account, World};
use evmscope_interp::{Environment, Fork, Status, Word};

/// A transaction with this number of zero bytes and of other bytes of call data.
fn with_data(zeros: usize, others: usize) -> Transaction {
    let mut tx = transaction(EOA, Kind::FeeMarket(fees()));
    tx.input = [vec![0; zeros], vec![1; others]].concat().into();
    tx
}

#[test]
fn call_data_has_a_floor() {
    for (zeros, others) in [(0, 0), (1, 0), (0, 1), (100, 0), (0, 100), (333, 77)] {
        let tx = with_data(zeros, others);
        let [zeros, others] = [zeros, others].map(|count| count as u64);
        let standard = 21_000 + 4 * zeros + 16 * others;
        let floor = 21_000 + 10 * (zeros + 4 * others);
        assert_eq!(gas_used(&world(), &tx, Fork::Cancun), standard);
        for fork in [Fork::Prague, Fork::Osaka] {
            let (receipt, after) = accept(&world(), &tx, fork);
            assert_eq!(receipt.gas_used, floor);
            assert_eq!(paid(&after), floor * PRICE);
        }
    }
}

fn paid(after: &World) -> u64 {
    let balance = after.get(&CALLER).unwrap().balance;
    FUNDS - balance.to_u64().unwrap()
}

#[test]
fn the_floor_must_be_in_the_gas_limit() {
    let mut tx = with_data(0, 100);
    tx.gas_limit = 21_000 + 4_000;
    assert_eq!(gas_used(&world(), &tx, Fork::Prague), 25_000);
    tx.gas_limit -= 1;
    refuse(&world(), &tx, Fork::Prague, "IntrinsicGasBelowFloor");
    tx.gas_limit = 21_000 + 1_600;
    assert_eq!(gas_used(&world(), &tx, Fork::Cancun), 22_600);
    tx.gas_limit -= 1;
    refuse(&world(), &tx, Fork::Prague, "IntrinsicGasTooLow");
}

#[test]
fn execution_counts_towards_the_floor() {
    // 2,400 gas is between the price of 100 bytes and their floor.
    for (burns, expected) in [
        (0, 25_000),
        (2_300, 25_000),
        (2_400, 25_000),
        (2_401, 25_001),
    ] {
        let mut world = world();
        world.insert(
            CONTRACT,
            Account::contract(&assemble(&"JUMPDEST ".repeat(burns))),
        );
        let mut tx = with_data(0, 100);
        tx.to = Some(CONTRACT);
        assert_eq!(gas_used(&world, &tx, Fork::Prague), expected);
    }
}

#[test]
fn creations_have_the_same_floor() {
    let mut tx = with_data(1_000, 0);
    tx.to = None;
    // 32 words of init code that stops at once.
    let standard = 21_000 + 32_000 + 2 * 32 + 4 * 1_000;
    assert_eq!(gas_used(&world(), &tx, Fork::Prague), standard);
    tx.input = vec![0; 6_000].into();
    let standard = 21_000 + 32_000 + 2 * 188 + 4 * 6_000;
    let floor = 21_000 + 10 * 6_000;
    assert!(floor > standard);
    assert_eq!(gas_used(&world(), &tx, Fork::Prague), floor);
}

#[test]
fn refunds_stop_at_the_floor() {
    // Clears a slot: 5,006 gas, of which up to 4,800 are refunded.
    let mut contract = Account::contract(&assemble("PUSH0 PUSH0 SSTORE"));
    contract.set_storage(Word::ZERO, Word::ONE);
    for (others, expected) in [
        (0, 26_004 - 4_800),
        (100, 25_000),
        (200, 29_000),
        (1_000, 61_000),
    ] {
        let mut world = world();
        world.insert(CONTRACT, contract.clone());
        let mut tx = with_data(0, others);
        tx.to = Some(CONTRACT);
        let (receipt, after) = accept(&world, &tx, Fork::Prague);
        assert_eq!(receipt.outcome.refund, 4_800);
        assert_eq!(receipt.gas_used, expected, "{others} bytes");
        assert_eq!(paid(&after), expected * PRICE);
    }
}

#[test]
fn refunds_are_capped_by_what_was_spent_and_not_by_the_floor() {
    // Clears two slots: the refund of 9,600 gas is capped at a fifth of the gas spent (EIP-3529), whatever
    // the floor.
    let mut contract = Account::contract(&assemble("PUSH0 PUSH0 SSTORE PUSH0 PUSH1 1 SSTORE"));
    for slot in [Word::ZERO, Word::ONE] {
        contract.set_storage(slot, Word::ONE);
    }
    let spent = |others: u64| 21_000 + 16 * others + 10_009;
    for (others, expected) in [
        (0, 31_009 - 6_201),
        (120, 32_929 - 6_585),
        (140, 33_249 - 6_649),
        (141, 26_640),
        (1_000, 61_000),
    ] {
        let mut world = world();
        world.insert(CONTRACT, contract.clone());
        let mut tx = with_data(0, others);
        tx.to = Some(CONTRACT);
        for fork in [Fork::Prague, Fork::Osaka] {
            let (receipt, after) = accept(&world, &tx, fork);
            let left = tx.gas_limit - spent(others as u64);
            assert_eq!(
                (receipt.outcome.gas_left, receipt.outcome.refund),
                (left, 9_600)
            );
            assert_eq!(receipt.gas_used, expected, "{others} bytes");
            assert_eq!(paid(&after), expected * PRICE);
        }
    }
}

fn with_blobs(count: usize) -> Transaction {
    let mut hash = B256::repeat_byte(0xb1);
    hash[0] = 1;
    transaction(
        EOA,
        Kind::Blob {
            fees: fees(),
            max_fee_per_blob_gas: environment().blob_base_fee,
            hashes: vec![hash; count],
        },
    )
}

#[test]
fn the_number_of_blobs_is_limited() {
    // EIP-4844 and EIP-7691: the block's limit. EIP-7594: fewer.
    for (fork, most) in [(Fork::Cancun, 6), (Fork::Prague, 9), (Fork::Osaka, 6)] {
        refuse(&world(), &with_blobs(0), fork, "NoBlobs");
        refuse(&world(), &with_blobs(most + 1), fork, "BlobCountExceeded");
        let (receipt, after) = accept(&world(), &with_blobs(most), fork);
        assert_eq!(receipt.gas_used, 21_000);
        // Blob fees are burnt: the author gets only the priority fee.
        let blobs = (most as u64) * (1 << 17) * 11;
        assert_eq!(paid(&after), 21_000 * PRICE + blobs);
        let author = after.get(&environment().coinbase).unwrap();
        assert_eq!(author.balance, Word::from(21_000 * (PRICE - 7)));
    }
}

#[test]
fn blobs_are_rejected_in_creations_and_below_the_blob_base_fee() {
    for fork in [Fork::Cancun, Fork::Prague, Fork::Osaka] {
        let mut tx = with_blobs(1);
        tx.to = None;
        refuse(&world(), &tx, fork, "BlobCreation");

        let mut tx = with_blobs(2);
        if let Kind::Blob { hashes, .. } = &mut tx.kind {
            hashes[1][0] = 0;
        }
        refuse(&world(), &tx, fork, "BlobHashVersion");

        let mut tx = with_blobs(2);
        if let Kind::Blob {
            max_fee_per_blob_gas,
            ..
        } = &mut tx.kind
        {
            *max_fee_per_blob_gas = 10_u64.into();
        }
        refuse(&world(), &tx, fork, "InsufficientMaxFeePerBlobGas");
    }
    refuse(&world(), &with_blobs(1), Fork::Shanghai, "TypeNotSupported");
}

#[test]
fn gas_is_capped_at_two_to_the_24th() {
    let cap = 1 << 24;
    let world = world_in(Environment {
        gas_limit: 4 * cap,
        ..environment()
    });
    for (fork, capped) in [(Fork::Prague, false), (Fork::Osaka, true)] {
        for (gas, above) in [(cap, false), (cap + 1, true), (3 * cap, true)] {
            let mut tx = transaction(EOA, Kind::FeeMarket(fees()));
            tx.gas_limit = gas;
            if capped && above {
                refuse(&world, &tx, fork, "GasLimitExceedsMaximum");
            } else {
                let (receipt, _) = accept(&world, &tx, fork);
                assert_eq!(receipt.outcome.status, Status::Success);
                assert_eq!(receipt.gas_used, 21_000);
            }
        }
    }
}
