//! The results of a call: return data, output, success.

use crate::common::{EOA, Scene, assemble};
use crate::{KINDS, OTHER, PEER, call, create, give, numbers, run};
use evmscope_interp::{Halt, Status};

#[test]
fn return_data_is_that_of_the_last_call() {
    let (five, fail) = ("PUSH1 5 PUSH0 RETURN", "PUSH1 6 PUSH0 REVERT");
    for (source, expected) in [
        (call("CALL", "GAS", PEER, 0), 5),
        (call("CALL", "GAS", OTHER, 0), 6),
        (call("CALL", "PUSH0", PEER, 0), 0),
        (
            call("CALL", "GAS", PEER, 0) + &call("CALL", "GAS", EOA, 0),
            0,
        ),
        (
            call("CALL", "GAS", PEER, 0) + &call("CALL", "GAS", EOA, 99),
            0,
        ),
        (call("CALL", "GAS", OTHER, 0) + &create(&[0], 0), 0),
        (call("CALL", "GAS", OTHER, 0) + &create(&[0], 99), 0),
        (create(&assemble("PUSH1 7 PUSH0 REVERT"), 0), 7),
        (create(&assemble("PUSH1 7 PUSH0 RETURN"), 0), 0),
        (create(&assemble("INVALID"), 0), 0),
    ] {
        let scene = Scene::asm(&format!("{source} RETURNDATASIZE {}", give(1)))
            .contract(PEER, five)
            .contract(OTHER, fail);
        assert_eq!(run(&scene).words(), numbers([expected]), "{source}");
    }
}

#[test]
fn return_data_cannot_be_read_beyond_its_end() {
    let scene = |range: &str| {
        let source = format!(
            "{} {range} PUSH0 RETURNDATACOPY",
            call("CALL", "GAS", PEER, 0)
        );
        Scene::asm(&source).contract(PEER, "PUSH1 5 PUSH0 RETURN")
    };
    for (range, inside) in [
        ("PUSH1 5 PUSH0", true),
        ("PUSH0 PUSH1 5", true),
        ("PUSH1 2 PUSH1 3", true),
        ("PUSH1 6 PUSH0", false),
        ("PUSH1 3 PUSH1 3", false),
        ("PUSH0 PUSH1 6", false),
        ("PUSH0 PUSH0 NOT", false),
        ("PUSH1 1 PUSH0 NOT", false),
        ("PUSH8 0xffffffffffffffff PUSH1 2", false),
    ] {
        let expected = if inside {
            Status::Success
        } else {
            Status::Halt(Halt::ReturnDataOutOfBounds)
        };
        assert_eq!(run(&scene(range)).status, expected, "{range}");
    }
}

#[test]
fn calls_push_their_success() {
    for kind in KINDS {
        for (callee, expected) in [
            ("STOP", 1_u64),
            ("PUSH1 1 PUSH0 RETURN", 1),
            ("", 1),
            ("PUSH0 PUSH0 REVERT", 0),
            ("INVALID", 0),
            ("ADD", 0),
            ("JUMP", 0),
            ("DATA 0x0c", 0),
            ("top: JUMPDEST PUSH1 @top JUMP", 0),
        ] {
            let source = call(kind, "PUSH2 5000", PEER, 0) + &give(1);
            let seen = run(&Scene::asm(&source).contract(PEER, callee));
            assert_eq!(seen.words(), numbers([expected]), "{kind} {callee}");
        }
    }
}
