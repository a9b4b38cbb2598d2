//! Calls of accounts that delegate (EIP-7702).

use crate::common::{CALLER, NOBODY, Scene};
use crate::{KINDS, OTHER, PEER, call, gas, give, numbers, run};
use alloy_primitives::{Address, keccak256};
use evmscope_interp::world::Account;
use evmscope_interp::{Fork, Word};

const DELEGATED: Address = Address::repeat_byte(0xd0);

fn designator(to: Address) -> Account {
    Account::contract(&[&[0xef, 0x01, 0x00], to.as_slice()].concat())
}

#[test]
fn delegations_run_the_target_at_the_address_of_the_account() {
    let source = call("CALL", "GAS", DELEGATED, 0) + "POP PUSH1 32 PUSH0 RETURN";
    let target = format!("PUSH1 7 PUSH0 SSTORE ADDRESS {}", give(1));
    for fork in [Fork::Prague, Fork::Osaka] {
        let scene = Scene::asm(&source)
            .fork(fork)
            .with(DELEGATED, designator(PEER))
            .contract(PEER, &target);
        let seen = run(&scene);
        assert_eq!(seen.words(), [Word::from(DELEGATED)]);
        assert_eq!(seen.accounts[&DELEGATED].storage.len(), 1);
        assert_eq!(seen.accounts[&PEER].storage.len(), 0);
    }
    // Before Prague it is ordinary code that starts with an undefined opcode.
    let before = Scene::asm(&(call("CALL", "PUSH2 9000", DELEGATED, 0) + &give(1)))
        .fork(Fork::Cancun)
        .with(DELEGATED, designator(PEER))
        .contract(PEER, "STOP");
    assert_eq!(before.run_all().words(), [Word::ZERO]);
}

#[test]
fn delegations_are_followed_once() {
    for (to, code, expected) in [
        // To another delegation: the designator itself cannot be executed.
        (OTHER, Some(designator(PEER)), 0),
        (DELEGATED, None, 0),
        // To an account without code, and to a precompile, which counts as one.
        (NOBODY, None, 1),
        (Address::with_last_byte(2), None, 1),
    ] {
        let source =
            call("CALL", "PUSH2 9000", DELEGATED, 0) + &format!("RETURNDATASIZE {}", give(2));
        let mut scene = Scene::asm(&source)
            .with(DELEGATED, designator(to))
            .contract(PEER, "STOP");
        if let Some(code) = code {
            scene = scene.with(to, code);
        }
        assert_eq!(run(&scene).words(), numbers([0, expected]), "{to}");
    }
}

#[test]
fn delegations_cost_a_second_access() {
    for kind in KINDS {
        for (to, expected) in [
            (PEER, 2_600 + 2_600),
            (CALLER, 2_600 + 100),
            (DELEGATED, 2_600 + 100),
        ] {
            let call = call(kind, "PUSH0", DELEGATED, 0);
            let plain = gas(&Scene::asm(&call).with(DELEGATED, Account::contract(&[0])));
            let scene = Scene::asm(&call)
                .with(DELEGATED, designator(to))
                .contract(PEER, "STOP");
            assert_eq!(gas(&scene) - plain + 2_600, expected, "{kind} {to}");
        }
    }
}

#[test]
fn delegations_are_seen_as_their_designator() {
    let code = designator(PEER).code.bytes().to_vec();
    let source = format!(
        "PUSH20 {DELEGATED:#x} EXTCODEHASH PUSH20 {DELEGATED:#x} EXTCODESIZE
         PUSH1 32 PUSH0 PUSH1 64 PUSH20 {DELEGATED:#x} EXTCODECOPY
         PUSH0 MSTORE PUSH1 32 MSTORE PUSH1 96 PUSH0 RETURN"
    );
    let scene = Scene::asm(&source)
        .with(DELEGATED, designator(PEER))
        .contract(PEER, "STOP");
    let words = run(&scene).words();
    assert_eq!(words[..2], [Word::from(23_u64), keccak256(&code).into()]);
    assert_eq!(words[2].to_be_bytes()[..23], code);
}
