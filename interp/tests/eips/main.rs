//! The EIPs of Prague and Osaka that concern execution, each tested in every mode against its published
//! vectors and numbers. Expected results are from the EIPs, not from a reference implementation.
//!
//! One file per EIP or group of related EIPs; shared helpers are here.
//!
//! Not tested, because they concern blocks and not transactions: - EIP-2935, EIP-4788, EIP-7002, EIP-7251
//! (Prague): a client calls system contracts before the first or after the last transaction of a block. To a
//! transaction they are contracts like any other. EIP-6110 and EIP-7685 gather what their logs and calls
//! return. - EIP-7918, EIP-7892 (Osaka), and the half of EIP-7691 that is the blob base fee: a header fixes
//! that fee; a transaction is told it. EIP-7934, EIP-7642, EIP-7910, EIP-7917: blocks and the network.

#[path = "../common/mod.rs"]
mod common;

mod bls;
mod clz;
mod limits;
mod modexp;
mod p256;
mod set_code;

use alloy_primitives::{Address, Bytes, hex};
use common::{CALLER, Scene, Seen, environment};
use evmscope_interp::world::transaction::{Fees, Kind, Receipt, Transaction, TransactionError};
use evmscope_interp::world::{Account, World};
use evmscope_interp::{Environment, Fork, Halt, Interpreter, Mode, Status, Word};

/// A call of a precompile, with [`common::PLENTY`] of gas.
fn call(address: u16, input: &[u8], fork: Fork) -> Scene {
    let mut scene = Scene::new(&[]).fork(fork).input(input);
    let address = Word::from(u64::from(address)).to_address();
    scene.message.recipient = address;
    scene.message.code_address = address;
    scene
}

/// The precompile returns this output for this gas, and fails with one less.
#[track_caller]
fn check(scene: &Scene, gas: u64, output: &[u8]) {
    let seen = scene.run_all();
    assert_eq!(seen.status, Status::Success);
    assert_eq!(hex::encode(&seen.output), hex::encode(output));
    assert_eq!(scene.message.gas - seen.gas_left, gas);
    check_refused(&scene.clone().gas(gas - 1));
}

/// The precompile fails and uses all gas.
#[track_caller]
fn check_refused(scene: &Scene) {
    let seen = scene.run_all();
    assert_eq!(seen.status, Status::Halt(Halt::Precompile));
    assert_eq!(seen.gas_left, 0);
    assert_eq!(seen.output, Bytes::new());
}

/// There is no precompile: the call succeeds without output and without gas.
#[track_caller]
fn check_absent(scene: &Scene) {
    let Seen {
        status,
        gas_left,
        output,
        ..
    } = scene.run_all();
    assert_eq!(status, Status::Success);
    assert_eq!((gas_left, output), (scene.message.gas, Bytes::new()));
}

/// Bytes from hex digits; white space is ignored.
fn bytes(digits: &str) -> Vec<u8> {
    let digits: String = digits.split_whitespace().collect();
    hex::decode(digits).unwrap()
}

/// [`CALLER`]'s balance before a transaction.
const FUNDS: u64 = 1 << 60;
/// Gas price of the transactions here; 7 of it are the base fee.
const PRICE: u64 = 10;
/// Gas for the message of a transaction that tests something else.
const GAS: u64 = 500_000;

/// A state in which [`CALLER`] has [`FUNDS`].
fn world() -> World {
    world_in(environment())
}

fn world_in(environment: Environment) -> World {
    let mut world = World::new(environment);
    world.insert(CALLER, Account::funded(FUNDS.into()));
    world
}

fn fees() -> Fees {
    Fees {
        max_fee: PRICE.into(),
        max_priority_fee: PRICE.into(),
    }
}

/// A transaction of [`CALLER`] without value or data.
fn transaction(to: Address, kind: Kind) -> Transaction {
    Transaction {
        caller: CALLER,
        gas_limit: GAS,
        to: Some(to),
        kind,
        ..Transaction::default()
    }
}

/// Runs a transaction in every mode. The modes must agree. Returns the state afterwards.
#[track_caller]
fn transact(
    world: &World,
    tx: &Transaction,
    fork: Fork,
) -> (Result<Receipt, TransactionError>, World) {
    let [first, second] = Mode::ALL.map(|mode| {
        let mut world = world.clone();
        let mut result = world.transact(&mut Interpreter::new(mode, fork), tx);
        if let Ok(receipt) = &mut result {
            // The statistics depend on the mode.
            receipt.outcome.statistics = Default::default();
        }
        (result, world)
    });
    assert_eq!(first.0, second.0, "{fork}");
    assert_eq!(
        common::reference::transaction::state(&first.1),
        common::reference::transaction::state(&second.1),
        "{fork}"
    );
    first
}

/// Runs a valid transaction.
#[track_caller]
fn accept(world: &World, tx: &Transaction, fork: Fork) -> (Receipt, World) {
    let (result, world) = transact(world, tx, fork);
    (result.unwrap(), world)
}

/// Gas used by a valid transaction.
#[track_caller]
fn gas_used(world: &World, tx: &Transaction, fork: Fork) -> u64 {
    accept(world, tx, fork).0.gas_used
}

/// The transaction is rejected with this error, and nothing is changed.
#[track_caller]
fn refuse(world: &World, tx: &Transaction, fork: Fork, reason: &str) {
    let (result, after) = transact(world, tx, fork);
    let found = format!("{:?}", result.unwrap_err());
    assert_eq!(found.split('(').next(), Some(reason), "{fork}");
    let state = common::reference::transaction::state;
    assert_eq!(state(&after), state(world), "{fork}");
}
