//! What is reverted when a frame fails.

use crate::common::{EOA, NOBODY, Scene};
use crate::{PEER, call, create, give, metered, numbers, run};
use evmscope_interp::Word;

#[test]
fn failed_callees_leave_no_changes() {
    let change = format!(
        "PUSH1 1 PUSH1 7 SSTORE PUSH1 1 PUSH1 7 TSTORE PUSH0 PUSH0 LOG0 {} {} ",
        create(&[0], 0),
        call("CALL", "GAS", NOBODY, 1)
    );
    for (end, kept) in [
        ("STOP", true),
        ("PUSH0 PUSH0 REVERT", false),
        ("INVALID", false),
    ] {
        let source = call("CALL", "PUSH3 200000", PEER, 3) + "PUSH1 7 TLOAD POP";
        let seen = run(&Scene::asm(&source)
            .contract(PEER, &format!("{change}{end}"))
            .balance(3));
        let peer = &seen.accounts[&PEER];
        assert_eq!(peer.storage.len(), usize::from(kept), "{end}");
        assert_eq!(seen.logs.len(), usize::from(kept), "{end}");
        assert_eq!(peer.nonce, if kept { 2 } else { 1 }, "{end}");
        assert_eq!(
            peer.balance,
            Word::from(if kept { 2_u64 } else { 0 }),
            "{end}"
        );
        assert_eq!(seen.accounts.contains_key(&NOBODY), kept, "{end}");
        assert_eq!(seen.accounts.len(), if kept { 6 } else { 4 }, "{end}");
    }
}

#[test]
fn failed_callees_leave_accounts_and_slots_cold() {
    for (end, slot, account) in [
        ("STOP", 100, 100),
        ("PUSH0 PUSH0 REVERT", 2_100, 2_600),
        ("INVALID", 2_100, 2_600),
    ] {
        let touch = format!("PUSH1 7 SLOAD PUSH20 {EOA:#x} BALANCE {end}");
        let source = format!(
            "{} POP {} {} {}",
            call("DELEGATECALL", "PUSH3 50000", PEER, 0),
            metered("PUSH1 7 SLOAD"),
            metered(&format!("PUSH20 {EOA:#x} BALANCE")),
            give(2)
        );
        let seen = run(&Scene::asm(&source).contract(PEER, &touch));
        assert_eq!(seen.words(), numbers([account + 3, slot + 3]), "{end}");
    }
}

#[test]
fn transient_slots_are_reverted_and_belong_to_an_account() {
    let set = "PUSH1 9 PUSH0 TSTORE";
    for (kind, end, expected) in [
        ("DELEGATECALL", "STOP", 9),
        ("DELEGATECALL", "PUSH0 PUSH0 REVERT", 4),
        ("CALL", "STOP", 4),
    ] {
        let source = format!(
            "PUSH1 4 PUSH0 TSTORE {} POP PUSH0 TLOAD {}",
            call(kind, "GAS", PEER, 0),
            give(1)
        );
        let seen = run(&Scene::asm(&source).contract(PEER, &format!("{set} {end}")));
        assert_eq!(seen.words(), numbers([expected]), "{kind} {end}");
    }
}

#[test]
fn refunds_sum_over_successful_calls() {
    let clear = "PUSH0 PUSH0 SSTORE";
    for (own, callee, expected) in [
        ("", "PUSH0 PUSH0 SSTORE", 4_800),
        ("PUSH0 PUSH1 1 SSTORE", "PUSH0 PUSH0 SSTORE", 9_600),
        ("PUSH0 PUSH1 1 SSTORE", "PUSH0 PUSH0 SSTORE INVALID", 4_800),
        ("", "PUSH0 PUSH0 SSTORE PUSH0 PUSH0 REVERT", 0),
        // The callee reverses a clear of its caller.
        (clear, "PUSH1 1 PUSH0 SSTORE", 2_800),
        (clear, "PUSH1 3 PUSH0 SSTORE", 0),
    ] {
        let source = format!("{own} {}", call("DELEGATECALL", "PUSH3 50000", PEER, 0));
        let seen = run(&Scene::asm(&source)
            .contract(PEER, callee)
            .slot(0, 1)
            .slot(1, 1));
        assert_eq!(seen.refund, expected, "{own} / {callee}");
    }
    let reverted = run(&Scene::asm(&format!("{clear} PUSH0 PUSH0 REVERT")).slot(0, 1));
    assert_eq!(reverted.refund, 0);
}
