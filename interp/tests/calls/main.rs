//! Calls, creations, SELFDESTRUCT and precompiles, in every mode: the address and storage that code uses, its
//! gas, its results, and reverts. Every scene also runs on `revm`.
//!
//! One file per subject; shared helpers are here.

#[path = "../common/mod.rs"]
mod common;

mod creations;
mod delegations;
mod gas;
mod names;
mod precompiles;
mod results;
mod reverts;
mod selfdestruct;

use alloy_primitives::Address;
use common::{PEERS, Scene, Seen, assemble, reference};
use evmscope_interp::{Status, Word};

const PEER: Address = PEERS[0];
const OTHER: Address = PEERS[1];

/// Runs the scene in every mode and in the reference.
#[track_caller]
fn run(scene: &Scene) -> Seen {
    let seen = scene.run_all();
    let expected = reference::run(scene).any_halt();
    assert_eq!(
        seen.clone().any_halt(),
        expected,
        "differs from the reference"
    );
    seen
}

/// Runs the scene, which must succeed, and returns the gas used.
#[track_caller]
fn gas(scene: &Scene) -> u64 {
    let seen = run(scene);
    assert_eq!(seen.status, Status::Success);
    scene.message.gas - seen.gas_left
}

fn numbers<const N: usize>(numbers: [u64; N]) -> Vec<Word> {
    numbers.map(Word::from).to_vec()
}

/// A call without input and with 32 bytes of output at offset 0; `GAS` passes all gas.
fn call(op: &str, gas: &str, to: Address, value: u64) -> String {
    let value = match op {
        "CALL" | "CALLCODE" => format!("PUSH3 {value}"),
        _ => String::new(),
    };
    format!("PUSH1 32 PUSH0 PUSH0 PUSH0 {value} PUSH20 {to:#x} {gas} {op} ")
}

const KINDS: [&str; 4] = ["CALL", "CALLCODE", "DELEGATECALL", "STATICCALL"];

/// Code that returns the words on the stack, the top one first.
fn give(count: usize) -> String {
    let save: String = (0..count)
        .map(|i| format!("PUSH2 {} MSTORE ", 32 * i))
        .collect();
    format!("{save} PUSH2 {} PUSH0 RETURN ", 32 * count)
}

/// Code that pushes the gas used by `source`, which must leave one word.
fn metered(source: &str) -> String {
    format!("GAS {source} POP GAS SWAP1 SUB PUSH1 4 SWAP1 SUB ")
}

/// Init code that deploys this code.
fn deploys(runtime: &[u8]) -> Vec<u8> {
    let head = format!(
        "PUSH2 {} DUP1 PUSH1 @code PUSH0 CODECOPY PUSH0 RETURN code:",
        runtime.len()
    );
    let head = assemble(&head);
    [&head, runtime].concat()
}

/// Stores init code of at most 32 bytes in memory and creates a contract with it.
fn create(init: &[u8], value: u64) -> String {
    format!("{} PUSH3 {value} CREATE ", init_in_memory(init))
}

/// Stores init code in memory and pushes its length and offset.
fn init_in_memory(init: &[u8]) -> String {
    assert!((1..=32).contains(&init.len()));
    let digits = alloy_primitives::hex::encode(init);
    let (len, at) = (init.len(), 32 - init.len());
    format!("PUSH{len} 0x{digits} PUSH0 MSTORE PUSH1 {len} PUSH1 {at} ")
}
