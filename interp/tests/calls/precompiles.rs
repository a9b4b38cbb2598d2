//! Precompiles as callees.

use crate::common::{CONTRACT, PLENTY, Scene, words};
use crate::{KINDS, call, gas, give, numbers, run};
use alloy_primitives::{Address, address};
use evmscope_interp::{Fork, Word};

#[test]
fn precompiles_run_and_fail() {
    let identity =
        "PUSH2 0xabcd PUSH0 MSTORE PUSH1 4 PUSH1 32 PUSH1 3 PUSH1 29 PUSH0 PUSH1 4 GAS CALL
                    RETURNDATASIZE PUSH1 64 MSTORE PUSH1 96 MSTORE PUSH1 128 PUSH0 RETURN";
    let seen = run(&Scene::asm(identity));
    let expected = words(&format!("0xabcd 0x00abcd{} 3 1", "00".repeat(29)));
    assert_eq!(seen.words(), expected);

    // A point that is not on the curve: all of the callee's gas is used, the value is returned.
    let add = "PUSH1 1 PUSH0 MSTORE PUSH0 PUSH0 PUSH1 64 PUSH0 PUSH1 5 PUSH1 6 PUSH2 10000 CALL";
    let scene = Scene::asm(&format!("{add} RETURNDATASIZE {}", give(2))).balance(9);
    let seen = run(&scene);
    assert_eq!(seen.words(), words("0 0"));
    assert_eq!(seen.accounts[&CONTRACT].balance, Word::from(9_u64));
    assert!(PLENTY - seen.gas_left > 10_000 + 2_300);

    // Too little gas.
    let sha = Address::with_last_byte(2);
    for (given, expected) in [(59, 0_u64), (60, 1)] {
        let source = call("STATICCALL", &format!("PUSH1 {given}"), sha, 0) + &give(1);
        assert_eq!(run(&Scene::asm(&source)).words(), numbers([expected]));
    }
    // With any kind of call, and as a top-level message.
    for kind in KINDS {
        let source = call(kind, "GAS", sha, 0) + "POP PUSH1 32 PUSH0 RETURN";
        let expected = Word::from_be_slice(&alloy_primitives::hex!(
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        ));
        assert_eq!(run(&Scene::asm(&source)).words(), [expected], "{kind}");
    }
}

#[test]
fn precompiles_exist_since_their_forks() {
    let p256 = address!("0x0000000000000000000000000000000000000100");
    let map_g2 = Address::with_last_byte(0x11);
    for (to, fork, exists) in [
        (p256, Fork::Prague, false),
        (p256, Fork::Osaka, true),
        (map_g2, Fork::Cancun, false),
        (map_g2, Fork::Prague, true),
    ] {
        // Without input the first succeeds and the second fails; both use their gas.
        let taken = gas(&Scene::asm(&call("CALL", "PUSH2 40000", to, 0)).fork(fork));
        assert_eq!(taken > 6_000, exists, "{to} at {fork}");
    }
}
