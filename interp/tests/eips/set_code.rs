//! EIP-7702: accounts that run another account's code. `calls` tests calls of such accounts; these tests are
//! about set-code transactions.

use super::common::{CALLER, CONTRACT, EOA, NOBODY, PEERS, assemble, environment};
use super::{FUNDS, PRICE, accept, fees, gas_used, refuse, transaction, world};
use alloy_primitives::{Address, Bytes, keccak256};
use evmscope_interp::world::transaction::{Authorization, Kind, Transaction};
use evmscope_interp::world::{Account, World};
use evmscope_interp::{EMPTY_HASH, Fork, Halt, Status, Word};

const FORKS: [Fork; 2] = [Fork::Prague, Fork::Osaka];

/// The signing account, which is not in the state yet.
const AUTHORITY: Address = Address::repeat_byte(0xa7);
/// The account whose code it delegates to.
const TARGET: Address = PEERS[0];

/// Intrinsic gas of a transaction and of each of its authorizations.
const TRANSACTION: u64 = 21_000;
const AUTHORIZATION: u64 = 25_000;

fn authorization(authority: Address, nonce: u64, address: Address) -> Authorization {
    Authorization {
        chain_id: environment().chain_id.into(),
        address,
        nonce,
        authority: Some(authority),
    }
}

fn set_code(to: Address, authorizations: &[Authorization]) -> Transaction {
    transaction(
        to,
        Kind::SetCode {
            fees: fees(),
            authorizations: authorizations.to_vec(),
        },
    )
}

/// [`world`] with a contract.
fn world_with(address: Address, source: &str) -> World {
    let mut world = world();
    world.insert(address, Account::contract(&assemble(source)));
    world
}

/// `0xef0100` and an address.
fn designator(target: Address) -> Vec<u8> {
    [&[0xef, 0x01, 0x00], target.as_slice()].concat()
}

/// Checks the nonce and the delegation of the authority.
#[track_caller]
fn has(world: &World, authority: Address, nonce: u64, target: Option<Address>) {
    let account = world.get(&authority).expect("the authority exists");
    let code = target.map(designator).unwrap_or_default();
    assert_eq!(account.nonce, nonce);
    assert_eq!(account.code.bytes(), code);
    let hash = if code.is_empty() {
        EMPTY_HASH
    } else {
        keccak256(&code)
    };
    assert_eq!(account.code.hash(), hash);
}

#[test]
fn an_authorization_creates_the_account() {
    for fork in FORKS {
        let tx = set_code(EOA, &[authorization(AUTHORITY, 0, TARGET)]);
        let (receipt, after) = accept(&world(), &tx, fork);
        assert_eq!(receipt.gas_used, TRANSACTION + AUTHORIZATION);
        has(&after, AUTHORITY, 1, Some(TARGET));
    }
}

#[test]
fn half_is_refunded_if_the_account_existed() {
    for fork in FORKS {
        let mut world = world_with(CONTRACT, "PUSH1 1 PUSH0 SSTORE");
        world.insert(AUTHORITY, Account::funded(Word::ONE));
        let spent = TRANSACTION + AUTHORIZATION + 22_105;
        let tx = set_code(CONTRACT, &[authorization(AUTHORITY, 0, TARGET)]);
        let (receipt, after) = accept(&world, &tx, fork);
        assert_eq!(receipt.gas_used, spent - 12_500);
        assert_eq!(after.get(&AUTHORITY).unwrap().balance, Word::ONE);
        has(&after, AUTHORITY, 1, Some(TARGET));
        // At most a fifth of the gas used (EIP-3529).
        let tx = set_code(EOA, &[authorization(AUTHORITY, 0, TARGET)]);
        assert_eq!(gas_used(&world, &tx, fork), 46_000 - 46_000 / 5);
        // Not below the call data floor (EIP-7623).
        let mut tx = tx;
        tx.input = vec![1; 700].into();
        assert_eq!(gas_used(&world, &tx, fork), TRANSACTION + 40 * 700);
    }
}

#[test]
fn half_is_refunded_if_an_earlier_authorization_created_the_account() {
    for fork in FORKS {
        let world = world_with(CONTRACT, "PUSH1 1 PUSH0 SSTORE");
        let tx = set_code(
            CONTRACT,
            &[
                authorization(AUTHORITY, 0, TARGET),
                authorization(AUTHORITY, 1, CONTRACT),
                // This nonce is too low by now.
                authorization(AUTHORITY, 0, EOA),
            ],
        );
        let (receipt, after) = accept(&world, &tx, fork);
        let spent = TRANSACTION + 3 * AUTHORIZATION + 22_105;
        assert_eq!(receipt.gas_used, spent - 12_500);
        has(&after, AUTHORITY, 2, Some(CONTRACT));
    }
}

#[test]
fn invalid_authorizations_are_paid_and_skipped() {
    let valid = authorization(AUTHORITY, 3, TARGET);
    let elsewhere = Authorization {
        chain_id: 2_u64.into(),
        ..valid.clone()
    };
    let far = Authorization {
        chain_id: Word([environment().chain_id, 0, 0, 1]),
        ..valid.clone()
    };
    let unsigned = Authorization {
        authority: None,
        ..valid.clone()
    };
    let mut world = world_with(CONTRACT, "STOP");
    let mut authority = Account::default();
    authority.nonce = 3;
    world.insert(AUTHORITY, authority);
    for fork in FORKS {
        for wrong in [
            elsewhere.clone(),
            far.clone(),
            unsigned.clone(),
            authorization(AUTHORITY, 2, TARGET),
            authorization(AUTHORITY, 4, TARGET),
            authorization(AUTHORITY, u64::MAX, TARGET),
            authorization(NOBODY, 1, TARGET),
            // Authorities with code are skipped.
            authorization(CONTRACT, 1, TARGET),
        ] {
            let tx = set_code(EOA, std::slice::from_ref(&wrong));
            let (receipt, after) = accept(&world, &tx, fork);
            assert_eq!(receipt.gas_used, TRANSACTION + AUTHORIZATION, "{wrong:?}");
            has(&after, AUTHORITY, 3, None);
            assert!(after.get(&NOBODY).is_none());
            assert_eq!(after.get(&CONTRACT).unwrap().code.bytes(), [0]);
        }
        // For any chain.
        let anywhere = Authorization {
            chain_id: Word::ZERO,
            ..valid.clone()
        };
        let (_, after) = accept(&world, &set_code(EOA, &[elsewhere.clone(), anywhere]), fork);
        has(&after, AUTHORITY, 4, Some(TARGET));
    }
}

#[test]
fn the_last_nonce_cannot_be_incremented() {
    for (nonce, after) in [(u64::MAX - 1, u64::MAX), (u64::MAX, u64::MAX)] {
        let mut world = world();
        let mut authority = Account::default();
        authority.nonce = nonce;
        world.insert(AUTHORITY, authority);
        let tx = set_code(EOA, &[authorization(AUTHORITY, nonce, TARGET)]);
        let (_, state) = accept(&world, &tx, Fork::Prague);
        has(&state, AUTHORITY, after, (nonce < after).then_some(TARGET));
    }
}

#[test]
fn the_zero_address_clears_the_delegation() {
    for fork in FORKS {
        let mut world = world();
        world.insert(AUTHORITY, Account::contract(&designator(TARGET)));
        let tx = set_code(EOA, &[authorization(AUTHORITY, 1, Address::ZERO)]);
        let (_, after) = accept(&world, &tx, fork);
        has(&after, AUTHORITY, 2, None);
        // An account without code stays without code, but its nonce is incremented.
        let tx = set_code(EOA, &[authorization(NOBODY, 0, Address::ZERO)]);
        let (_, after) = accept(&world, &tx, fork);
        has(&after, NOBODY, 1, None);
    }
}

#[test]
fn delegations_can_be_replaced() {
    for fork in FORKS {
        // By another delegation, by the same one, by one to itself.
        for target in [CONTRACT, TARGET, AUTHORITY] {
            let mut world = world_with(CONTRACT, "PUSH1 1 PUSH0 SSTORE");
            let mut authority = Account::contract(&designator(TARGET));
            authority.set_storage(Word::ONE, Word::ONE);
            world.insert(AUTHORITY, authority);
            let tx = set_code(CONTRACT, &[authorization(AUTHORITY, 1, target)]);
            let (receipt, after) = accept(&world, &tx, fork);
            let spent = TRANSACTION + AUTHORIZATION + 22_105;
            assert_eq!(receipt.gas_used, spent - 12_500);
            has(&after, AUTHORITY, 2, Some(target));
            let storage: Vec<_> = after.get(&AUTHORITY).unwrap().storage().collect();
            assert_eq!(storage, [(Word::ONE, Word::ONE)]);
        }
    }
}

#[test]
fn a_delegation_to_an_empty_account_runs_nothing() {
    for fork in FORKS {
        let mut world = world_with(TARGET, "STOP");
        // An empty account in the state, which no chain has since EIP-161, and a missing account.
        world.insert(EOA, Account::default());
        for target in [EOA, NOBODY] {
            let mut tx = set_code(AUTHORITY, &[authorization(AUTHORITY, 0, target)]);
            tx.value = 3_u64.into();
            let (receipt, after) = accept(&world, &tx, fork);
            assert_eq!(receipt.outcome.status, Status::Success);
            assert_eq!(receipt.gas_used, TRANSACTION + AUTHORIZATION);
            assert_eq!(after.get(&AUTHORITY).unwrap().balance, Word::from(3_u64));
            has(&after, AUTHORITY, 1, Some(target));
            // A delegation does not touch its target.
            assert_eq!(after.get(&target).is_some(), target == EOA);
        }
    }
}

#[test]
fn delegations_stay_whatever_the_result_of_the_message() {
    for fork in FORKS {
        for (source, status) in [
            ("PUSH0 PUSH0 REVERT", Status::Revert),
            ("INVALID", Status::Halt(Halt::InvalidOpcode)),
        ] {
            let mut world = world_with(CONTRACT, source);
            world.insert(AUTHORITY, Account::funded(Word::ONE));
            let tx = set_code(CONTRACT, &[authorization(AUTHORITY, 0, TARGET)]);
            let (receipt, after) = accept(&world, &tx, fork);
            assert_eq!(receipt.outcome.status, status);
            has(&after, AUTHORITY, 1, Some(TARGET));
            // So does the refund.
            let spent = tx.gas_limit - receipt.outcome.gas_left;
            assert_eq!(receipt.gas_used, spent - 12_500.min(spent / 5));
        }
    }
}

#[test]
fn senders_may_authorize_and_be_called() {
    // Runs at the sender's address: stores the caller, and whether there is value.
    let target = "CALLER PUSH0 SSTORE CALLVALUE PUSH1 1 SSTORE";
    for fork in FORKS {
        let world = world_with(TARGET, target);
        // The sender's nonce is incremented before its authorization is checked.
        for (nonce, valid) in [(0, false), (1, true), (2, false)] {
            let mut tx = set_code(CALLER, &[authorization(CALLER, nonce, TARGET)]);
            tx.value = 5_u64.into();
            let (receipt, after) = accept(&world, &tx, fork);
            has(
                &after,
                CALLER,
                1 + u64::from(valid),
                valid.then_some(TARGET),
            );
            let account = after.get(&CALLER).unwrap();
            let mut storage: Vec<_> = account.storage().collect();
            storage.sort();
            let expected = [(Word::ZERO, CALLER.into()), (Word::ONE, 5_u64.into())];
            assert_eq!(storage, if valid { &expected[..] } else { &[] });
            // A transfer to the sender itself costs only gas.
            let paid = FUNDS - account.balance.to_u64().unwrap();
            assert_eq!(paid, receipt.gas_used * PRICE);
            if valid {
                // It can still send transactions (EIP-3607 rejects senders with other code).
                let mut next = transaction(EOA, Kind::FeeMarket(fees()));
                next.nonce = 2;
                accept(&after, &next, fork);
            }
        }
    }
}

#[test]
fn the_block_author_may_authorize() {
    let author = environment().coinbase;
    for fork in FORKS {
        let tx = set_code(author, &[authorization(author, 0, TARGET)]);
        let (receipt, after) = accept(&world_with(TARGET, "STOP"), &tx, fork);
        has(&after, author, 1, Some(TARGET));
        let fee = Word::from(receipt.gas_used * (PRICE - 7));
        assert_eq!(after.get(&author).unwrap().balance, fee);
    }
}

/// Code that returns the gas used by a BALANCE of each.
fn balances_cost(addresses: &[Address]) -> String {
    let measure = |(i, address): (usize, &Address)| {
        format!(
            "GAS PUSH20 {address:#x} BALANCE POP GAS SWAP1 SUB PUSH1 7 SWAP1 SUB PUSH2 {} MSTORE ",
            32 * i
        )
    };
    let all: String = addresses.iter().enumerate().map(measure).collect();
    format!("{all} PUSH2 {} PUSH0 RETURN", 32 * addresses.len())
}

#[track_caller]
fn costs(output: &Bytes, expected: &[u64]) {
    let words: Vec<_> = output.chunks(32).map(Word::from_be_slice).collect();
    let expected: Vec<_> = expected.iter().map(|gas| Word::from(*gas)).collect();
    assert_eq!(words, expected);
}

#[test]
fn authorities_are_warm_once_their_signature_and_chain_are_right() {
    let [wrong_nonce, with_code, elsewhere] = [0xa1, 0xa2, 0xa3].map(Address::repeat_byte);
    let source = balances_cost(&[AUTHORITY, wrong_nonce, with_code, elsewhere, TARGET]);
    for fork in FORKS {
        let mut world = world_with(CONTRACT, &source);
        world.insert(with_code, Account::contract(&[0]));
        let tx = set_code(
            CONTRACT,
            &[
                authorization(AUTHORITY, 0, TARGET),
                authorization(wrong_nonce, 7, TARGET),
                authorization(with_code, 1, TARGET),
                Authorization {
                    chain_id: 9_u64.into(),
                    ..authorization(elsewhere, 0, TARGET)
                },
            ],
        );
        let (receipt, _) = accept(&world, &tx, fork);
        costs(&receipt.outcome.output, &[100, 100, 100, 2_600, 2_600]);
    }
}

#[test]
fn the_target_of_the_called_account_is_warm_and_free() {
    let source = balances_cost(&[TARGET, AUTHORITY, EOA]);
    for fork in FORKS {
        let plain = gas_used(
            &world_with(TARGET, &source),
            &transaction(TARGET, Kind::FeeMarket(fees())),
            fork,
        );
        // Delegation set before, and by the transaction itself.
        let mut before = world_with(TARGET, &source);
        before.insert(AUTHORITY, Account::contract(&designator(TARGET)));
        let call = transaction(AUTHORITY, Kind::FeeMarket(fees()));
        let (receipt, _) = accept(&before, &call, fork);
        costs(&receipt.outcome.output, &[100, 100, 2_600]);
        // AUTHORITY is warm here, unlike in the plain call.
        assert_eq!(receipt.gas_used, plain - 2_500);
        let tx = set_code(AUTHORITY, &[authorization(AUTHORITY, 0, TARGET)]);
        let (receipt, _) = accept(&world_with(TARGET, &source), &tx, fork);
        costs(&receipt.outcome.output, &[100, 100, 2_600]);
        assert_eq!(receipt.gas_used, plain - 2_500 + AUTHORIZATION);
    }
}

#[test]
fn calls_pay_for_the_account_and_its_target() {
    for op in ["CALL", "CALLCODE", "DELEGATECALL", "STATICCALL"] {
        let value = if op.starts_with("CALL") { "PUSH0" } else { "" };
        let source = format!(
            "GAS PUSH0 PUSH0 PUSH0 PUSH0 {value} PUSH20 {AUTHORITY:#x} PUSH0 {op} POP GAS SWAP1 SUB
             PUSH0 MSTORE PUSH1 32 PUSH0 RETURN"
        );
        // The pushes, POP and the second GAS.
        let around = if value.is_empty() {
            5 * 2 + 3
        } else {
            6 * 2 + 3
        } + 2
            + 2;
        for (target, cost) in [
            (TARGET, 2_600),
            (CONTRACT, 100),
            (Address::with_last_byte(4), 100),
        ] {
            let mut world = world_with(CONTRACT, &source);
            let tx = set_code(CONTRACT, &[authorization(AUTHORITY, 0, target)]);
            // The authority is warm, because it is in the transaction.
            let (receipt, _) = accept(&world, &tx, Fork::Prague);
            costs(&receipt.outcome.output, &[around + 100 + cost]);
            // With an earlier delegation, it is cold.
            world.insert(AUTHORITY, Account::contract(&designator(target)));
            let tx = transaction(CONTRACT, Kind::FeeMarket(fees()));
            let (receipt, _) = accept(&world, &tx, Fork::Prague);
            costs(&receipt.outcome.output, &[around + 2_600 + cost]);
        }
    }
}

#[test]
fn delegations_are_followed_once_and_not_into_precompiles() {
    let other = Address::repeat_byte(0xa8);
    let halt = Status::Halt(Halt::UndefinedOpcode);
    for fork in FORKS {
        for (target, status) in [
            (NOBODY, Status::Success),
            // SHA-256 would need gas and return 32 bytes.
            (Address::with_last_byte(2), Status::Success),
            // The designator itself cannot be executed.
            (other, halt),
            (AUTHORITY, halt),
        ] {
            let tx = set_code(
                AUTHORITY,
                &[
                    authorization(AUTHORITY, 0, target),
                    authorization(other, 0, TARGET),
                ],
            );
            let (receipt, _) = accept(&world_with(TARGET, "STOP"), &tx, fork);
            assert_eq!(receipt.outcome.status, status, "{target}");
            assert_eq!(receipt.outcome.output, Bytes::new());
            let all = TRANSACTION + 2 * AUTHORIZATION;
            let expected = if status == halt { tx.gas_limit } else { all };
            assert_eq!(receipt.gas_used, expected, "{target}");
        }
    }
}

#[test]
fn others_see_the_designator() {
    let source = format!(
        "PUSH20 {AUTHORITY:#x} EXTCODESIZE PUSH0 MSTORE PUSH20 {AUTHORITY:#x} EXTCODEHASH PUSH1 32 MSTORE
         PUSH1 32 PUSH0 PUSH1 64 PUSH20 {AUTHORITY:#x} EXTCODECOPY PUSH1 96 PUSH0 RETURN"
    );
    let tx = set_code(CONTRACT, &[authorization(AUTHORITY, 0, TARGET)]);
    let (receipt, _) = accept(&world_with(CONTRACT, &source), &tx, Fork::Prague);
    let code = designator(TARGET);
    let mut padded = code.clone();
    padded.resize(32, 0);
    let expected = [Word::from(23_u64).to_be_bytes(), keccak256(&code).0].concat();
    assert_eq!(receipt.outcome.output[..64], expected);
    assert_eq!(receipt.outcome.output[64..], padded);
}

#[test]
fn delegated_code_sees_its_own_code_and_cannot_be_destroyed() {
    let source = "CODESIZE PUSH0 SSTORE CALLER SELFDESTRUCT";
    let size = assemble(source).len() as u64;
    let mut tx = set_code(AUTHORITY, &[authorization(AUTHORITY, 0, TARGET)]);
    tx.value = 9_u64.into();
    let (_, after) = accept(&world_with(TARGET, source), &tx, Fork::Prague);
    // Its balance is transferred; the account stays (EIP-6780).
    let account = after.get(&AUTHORITY).unwrap();
    assert_eq!(account.balance, Word::ZERO);
    let storage: Vec<_> = account.storage().collect();
    assert_eq!(storage, [(Word::ZERO, size.into())]);
    has(&after, AUTHORITY, 1, Some(TARGET));
}

#[test]
fn transactions_must_have_authorizations_and_a_recipient() {
    let one = [authorization(AUTHORITY, 0, TARGET)];
    for fork in FORKS {
        refuse(&world(), &set_code(EOA, &[]), fork, "NoAuthorizations");
        let mut tx = set_code(EOA, &one);
        tx.to = None;
        refuse(&world(), &tx, fork, "SetCodeCreation");
        let mut tx = set_code(EOA, &one);
        tx.gas_limit = TRANSACTION + AUTHORIZATION;
        accept(&world(), &tx, fork);
        tx.gas_limit -= 1;
        refuse(&world(), &tx, fork, "IntrinsicGasTooLow");
    }
    refuse(
        &world(),
        &set_code(EOA, &one),
        Fork::Cancun,
        "TypeNotSupported",
    );
}
