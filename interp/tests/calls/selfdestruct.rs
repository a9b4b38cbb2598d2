//! SELFDESTRUCT: what it moves and what it deletes.

use crate::common::{CALLER, CONTRACT, EOA, NOBODY, PLENTY, Scene, assemble};
use crate::{OTHER, PEER, call, create, deploys, run};
use alloy_primitives::Address;
use evmscope_interp::world::Account;
use evmscope_interp::{EMPTY_HASH, Status, Word};

fn destroy(to: Address) -> String {
    format!("PUSH20 {to:#x} SELFDESTRUCT ")
}

#[test]
fn selfdestruct_moves_the_balance_and_ends_the_frame() {
    let (base, cold, new) = (3 + 5_000, 2_600, 25_000);
    for (to, wei, expected) in [
        (EOA, 9, base + cold),
        (EOA, 0, base + cold),
        (NOBODY, 9, base + cold + new),
        (NOBODY, 0, base + cold),
        (CALLER, 9, base),
        (CONTRACT, 9, base),
    ] {
        let scene = Scene::asm(&(destroy(to) + "INVALID"))
            .balance(wei)
            .slot(0, 1);
        let seen = run(&scene);
        assert_eq!((seen.status, seen.refund), (Status::Success, 0));
        assert_eq!(PLENTY - seen.gas_left, expected, "{to} {wei}");
        // It existed before: only the balance is transferred (EIP-6780).
        let kept = if to == CONTRACT { wei } else { 0 };
        assert_eq!(
            seen.accounts[&CONTRACT].balance,
            Word::from(kept),
            "{to} {wei}"
        );
        assert_ne!(seen.accounts[&CONTRACT].code_hash, EMPTY_HASH);
        assert_eq!(seen.slot(0), Word::ONE);
        let got = seen.accounts.get(&to).map(|account| account.balance);
        if to == NOBODY {
            assert_eq!(got.unwrap_or_default(), Word::from(wei));
        }
    }
}

#[test]
fn selfdestruct_deletes_what_its_transaction_created() {
    let target = CONTRACT.create(1);
    for to in [EOA, target] {
        // In init code, and in a call of the deployed code.
        let init = assemble(&destroy(to));
        let at_once = create(&init, 5);
        let later = format!(
            "PUSH20 {PEER:#x} EXTCODESIZE DUP1 PUSH0 PUSH0 PUSH20 {PEER:#x} EXTCODECOPY PUSH0 PUSH1 5 CREATE {}",
            call("CALL", "GAS", target, 4)
        );
        for source in [at_once, later] {
            let scene = Scene::asm(&source)
                .with(PEER, Account::contract(&deploys(&init)))
                .balance(20);
            let seen = run(&scene);
            assert_eq!(seen.status, Status::Success);
            assert!(!seen.accounts.contains_key(&target), "{to}: {source}");
            let lost = Word::from(1_000_000_u64).wrapping_sub(seen.accounts[&EOA].balance);
            assert_eq!(to == EOA, !lost.is_zero(), "{to}: {source}");
        }
    }
}

#[test]
fn selfdestruct_is_reverted_with_its_frame() {
    let target = CONTRACT.create(1);
    // Creates a contract, and calls code that destroys it and reverts.
    let init = deploys(&assemble(&destroy(EOA)));
    let source = format!(
        "PUSH20 {OTHER:#x} EXTCODESIZE DUP1 PUSH0 PUSH0 PUSH20 {OTHER:#x} EXTCODECOPY PUSH0 PUSH1 5 CREATE {}",
        call("CALL", "GAS", PEER, 0)
    );
    let reverts = call("CALL", "GAS", target, 0) + "PUSH0 PUSH0 REVERT";
    let scene = Scene::asm(&source)
        .with(OTHER, Account::contract(&init))
        .contract(PEER, &reverts)
        .balance(5);
    let seen = run(&scene);
    assert_eq!(seen.accounts[&target].balance, Word::from(5_u64));
    assert_eq!(seen.accounts[&EOA].balance, Word::from(1_000_000_u64));
}
