//! The address and storage that code uses; what a static call forbids.

use crate::common::{CALLER, CONTRACT, Scene, words};
use crate::{KINDS, OTHER, PEER, call, give, numbers, run};
use evmscope_interp::Word;

#[test]
fn callees_see_address_caller_and_value() {
    let view = format!("CALLVALUE CALLER ADDRESS {}", give(3));
    for (kind, expected) in [
        ("CALL", [PEER.into(), CONTRACT.into(), Word::from(2_u64)]),
        (
            "CALLCODE",
            [CONTRACT.into(), CONTRACT.into(), Word::from(2_u64)],
        ),
        (
            "DELEGATECALL",
            [CONTRACT.into(), CALLER.into(), Word::from(5_u64)],
        ),
        ("STATICCALL", [PEER.into(), CONTRACT.into(), Word::ZERO]),
    ] {
        let source = format!(
            "{} POP PUSH1 96 PUSH0 PUSH0 RETURNDATACOPY PUSH1 96 PUSH0 RETURN",
            call(kind, "GAS", PEER, 2)
        );
        let seen = run(&Scene::asm(&source).contract(PEER, &view).value(5));
        assert_eq!(seen.words(), expected, "{kind}");
        let moved = if kind == "CALL" { 2 } else { 0 };
        assert_eq!(
            seen.accounts[&PEER].balance,
            Word::from(moved as u64),
            "{kind}"
        );
    }
}

#[test]
fn callees_write_to_the_storage_of_their_address() {
    for (kind, owner) in [
        ("CALL", PEER),
        ("CALLCODE", CONTRACT),
        ("DELEGATECALL", CONTRACT),
    ] {
        let scene = Scene::asm(&call(kind, "GAS", PEER, 0)).contract(PEER, "PUSH1 9 PUSH0 SSTORE");
        let seen = run(&scene);
        for address in [CONTRACT, PEER] {
            let written = !seen.accounts[&address].storage.is_empty();
            assert_eq!(written, address == owner, "{kind} {address}");
        }
    }
}

#[test]
fn calls_copy_input_and_output() {
    let echo = "CALLDATASIZE PUSH0 PUSH0 CALLDATACOPY CALLDATASIZE PUSH0 RETURN";
    let filler = "ee".repeat(32);
    for (len, given) in [(0, ""), (2, "0011"), (3, "001122"), (5, "001122")] {
        // Input: 3 bytes at 29. Output: `len` bytes at 33.
        let source = format!(
            "PUSH2 0x1122 PUSH0 MSTORE PUSH32 0x{filler} PUSH1 32 MSTORE
             PUSH1 {len} PUSH1 33 PUSH1 3 PUSH1 29 PUSH0 PUSH20 {PEER:#x} GAS CALL
             PUSH1 32 MLOAD RETURNDATASIZE {}",
            give(3)
        );
        let seen = run(&Scene::asm(&source).contract(PEER, echo));
        let memory = format!("0xee{given}{}", &filler[2 + given.len()..]);
        assert_eq!(seen.words(), words(&format!("3 {memory} 1")), "{len} bytes");
    }
}

#[test]
fn static_is_inherited() {
    // STATICCALL of PEER, which calls OTHER, which changes state.
    for kind in KINDS {
        for (change, allowed) in [
            ("PUSH0 PUSH0 SSTORE", false),
            ("PUSH0 PUSH0 LOG0", false),
            ("PUSH0 PUSH0 PUSH0 CREATE", false),
            ("PUSH0 SLOAD", true),
        ] {
            let outer = call("STATICCALL", "PUSH3 100000", PEER, 0) + "POP PUSH1 32 PUSH0 RETURN";
            let middle = call(kind, "PUSH2 40000", OTHER, 0) + &give(1);
            let seen = run(&Scene::asm(&outer)
                .contract(PEER, &middle)
                .contract(OTHER, change));
            assert_eq!(seen.words(), numbers([allowed.into()]), "{kind} {change}");
        }
    }
    // Afterwards the caller may change state again.
    let source = call("STATICCALL", "GAS", PEER, 0) + "PUSH0 SSTORE";
    assert_eq!(
        run(&Scene::asm(&source).contract(PEER, "STOP")).slot(0),
        Word::ONE
    );
}
