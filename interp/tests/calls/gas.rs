//! The gas of calls and creations: what they cost, and how much the callee gets.

use crate::common::{CALLER, EOA, NOBODY, Scene, assemble};
use crate::{PEER, call, create, gas, give, metered, numbers, run};

#[test]
fn calls_cost_by_access_value_and_new_accounts() {
    let (warm, cold, value, stipend, new) = (100, 2_600, 9_000, 2_300, 25_000);
    for (op, to, wei, expected) in [
        ("CALL", EOA, 0, cold),
        ("CALL", CALLER, 0, warm),
        ("CALL", NOBODY, 0, cold),
        ("CALL", EOA, 1, cold + value - stipend),
        ("CALL", NOBODY, 1, cold + value + new - stipend),
        ("CALLCODE", NOBODY, 1, cold + value - stipend),
        ("CALLCODE", EOA, 0, cold),
        ("DELEGATECALL", EOA, 0, cold),
        ("STATICCALL", NOBODY, 0, cold),
        // Insufficient balance: the call fails, and its gas and the stipend are returned.
        ("CALL", EOA, 11, cold + value - stipend),
        ("CALL", NOBODY, 11, cold + value + new - stipend),
        ("CALLCODE", EOA, 11, cold + value - stipend),
    ] {
        for gas_given in ["PUSH0", "GAS"] {
            let source = metered(&call(op, gas_given, to, wei)) + &give(1);
            let seen = run(&Scene::asm(&source).balance(10));
            let pushes = if op.starts_with("CALL") { 15 } else { 12 } + 2 - 3 + 3;
            let memory = 3;
            let words = seen.words();
            assert_eq!(
                words,
                numbers([expected + pushes + memory]),
                "{op} {to} {wei} {gas_given}"
            );
        }
    }
}

#[test]
fn a_second_access_is_warm() {
    let call = call("CALL", "PUSH0", EOA, 0);
    let once = gas(&Scene::asm(&call));
    let twice = gas(&Scene::asm(&format!("{call}{call}")));
    // The second call does not expand memory either.
    assert_eq!(twice - once, once - 2_500 - 3);
}

#[test]
fn callees_get_at_most_all_but_a_64th() {
    let tell = format!("GAS {}", give(1));
    let source = |request: &str| {
        format!(
            "{} POP {}",
            call("CALL", request, PEER, 0),
            "PUSH1 32 PUSH0 RETURN"
        )
    };
    let told = |request: &str| {
        let scene = Scene::asm(&source(request))
            .contract(PEER, &tell)
            .gas(100_000);
        run(&scene).words()[0].to_u64().unwrap()
    };
    // Pushes, memory and the cold account come first; GAS takes 2.
    let left = 100_000 - (3 + 2 + 2 + 2 + 3 + 3) - 3 - 2_600;
    assert_eq!(told("GAS"), left - 2 - (left - 2) / 64 - 2);
    assert_eq!(
        told("PUSH32 0x10000000000000000"),
        left - 3 - (left - 3) / 64 - 2
    );
    assert_eq!(told("PUSH2 5000"), 5_000 - 2);
    // A callee that fails at once uses its own gas and no more.
    let failing = Scene::asm(&call("CALL", "PUSH2 5000", PEER, 0)).contract(PEER, "INVALID");
    assert_eq!(gas(&failing), 18 + 3 + 2_600 + 5_000);
}

#[test]
fn value_brings_a_stipend() {
    let tell = format!("GAS {}", give(1));
    for (request, expected) in [("PUSH0", 2_300), ("PUSH2 1000", 3_300)] {
        for kind in ["CALL", "CALLCODE"] {
            let source = format!("{} POP PUSH1 32 PUSH0 RETURN", call(kind, request, PEER, 1));
            let seen = run(&Scene::asm(&source).contract(PEER, &tell).balance(1));
            assert_eq!(seen.words(), numbers([expected - 2]), "{kind} {request}");
        }
    }
}

#[test]
fn creations_get_all_but_a_64th() {
    // Init code: GAS PUSH0 MSTORE PUSH1 32 PUSH0 RETURN
    let init = assemble(&format!("GAS {}", "PUSH0 MSTORE PUSH1 32 PUSH0 RETURN"));
    let source = create(&init, 0) + "PUSH1 32 PUSH0 PUSH0 DUP4 EXTCODECOPY PUSH1 32 PUSH0 RETURN";
    let seen = run(&Scene::asm(&source).gas(100_000));
    let left = 100_000 - (3 + 2 + 3 + 3) - 9 - 32_000 - 2;
    assert_eq!(seen.words(), numbers([left - left / 64 - 2]));
}
