//! The stack and the control flow: pushes, dups, swaps, jumps, and the ends of a frame.

use crate::common::{Scene, assemble, check, check_in};
use evmscope_interp::{Halt, Opcode, Status, Word};

#[test]
fn pushes_dups_and_swaps_move_words() {
    check("PUSH0", "0");
    check("PUSH1 255", "255");
    for n in 1..=16 {
        let items: String = (1..=17).map(|i| format!("PUSH1 {i} ")).collect();
        let all: Vec<_> = (1..=17).map(|i| i.to_string()).collect();
        let mut dupped = all.clone();
        dupped.push(all[17 - n].clone());
        check(&format!("{items} DUP{n}"), &dupped.join(" "));
        let mut swapped = all.clone();
        swapped.swap(16, 16 - n);
        check(&format!("{items} SWAP{n}"), &swapped.join(" "));
    }
    for n in 1..=32 {
        let bytes: String = (1..=n).map(|i| format!("{i:02x}")).collect();
        check(&format!("PUSH{n} 0x{bytes}"), &format!("0x{bytes}"));
    }
}

#[test]
fn truncated_pushes_read_zeros() {
    // The item cannot be observed, because the end of the code is a STOP.
    for code in [&[0x7f, 1, 2][..], &[0x60], &[0x61, 0x5b], &[0x5b, 0x7f]] {
        let seen = Scene::new(code).run_all();
        assert_eq!(seen.status, Status::Success, "{code:02x?}");
    }
}

#[test]
fn jumps_go_to_jumpdests_only() {
    check("PUSH1 @on JUMP PUSH1 1 on: JUMPDEST PUSH1 2", "2");
    check("PUSH1 1 PUSH1 @on JUMPI PUSH1 1 on: JUMPDEST PUSH1 2", "2");
    check("PUSH0 PUSH1 @on JUMPI PUSH1 1 on: JUMPDEST PUSH1 2", "1 2");
    // Any bit of the condition counts; the target of a jump that is not taken may be invalid.
    check(
        &format!(
            "PUSH32 {} PUSH1 @on JUMPI PUSH1 1 on: JUMPDEST",
            Word([0, 0, 0, 1 << 63])
        ),
        "",
    );
    check("PUSH0 PUSH1 1 JUMPI PUSH1 9", "9");
    check("PUSH0 PUSH0 NOT JUMPI PUSH1 9", "9");
    // The same, with targets that are only known at run time.
    check("PUSH1 @on PUSH0 ADD JUMP PUSH1 1 on: JUMPDEST PUSH1 2", "2");
    check(
        "PUSH1 1 PUSH1 @on PUSH0 ADD JUMPI PUSH1 1 on: JUMPDEST PUSH1 2",
        "2",
    );
    check("PUSH1 @on DUP1 JUMP on: JUMPDEST POP", "");
    for (why, source) in [
        ("no jumpdest", "PUSH1 3 JUMP STOP"),
        ("data of a push", "PUSH1 4 JUMP PUSH1 0x5b"),
        (
            "push data, conditionally",
            "PUSH1 1 PUSH1 6 JUMPI PUSH1 0x5b",
        ),
        ("beyond the code", "PUSH1 200 JUMP JUMPDEST"),
        ("right behind the code", "PUSH1 4 JUMP JUMPDEST"),
        (
            "far after the end of the code",
            "PUSH32 0x10000000000000000 JUMP JUMPDEST",
        ),
        (
            "2^64 above a jumpdest",
            "JUMPDEST PUSH9 0x010000000000000000 JUMP",
        ),
        ("computed", "PUSH1 6 PUSH0 ADD JUMP STOP STOP"),
        ("computed, huge", "PUSH0 NOT JUMP JUMPDEST"),
    ] {
        assert_eq!(
            Scene::asm(source).run_all().status,
            Status::Halt(Halt::InvalidJump),
            "{why}"
        );
    }
}

#[test]
fn jumpdests_in_push_data_follow_the_linear_walk() {
    // The PUSH2 swallows the first JUMPDEST, although a byte before it looks like a PUSH1.
    let code = assemble("PUSH1 8 JUMP DATA 0x61605b PUSH0 PUSH0 JUMPDEST PUSH1 1 PUSH0 SSTORE");
    assert_eq!(code[8], Opcode::JUMPDEST.0);
    assert_eq!(Scene::new(&code).run_all().slot(0), Word::ONE);
    let swallowed = assemble("PUSH1 5 JUMP DATA 0x61605b PUSH0 PUSH0 JUMPDEST");
    assert_eq!(swallowed[5], Opcode::JUMPDEST.0);
    assert_eq!(
        Scene::new(&swallowed).run_all().status,
        Status::Halt(Halt::InvalidJump)
    );
}

#[test]
fn pc_and_gas_are_exact_inside_a_block() {
    check("PC PC PUSH1 0 PC", "0 1 0 4");
    let scene = Scene::asm("").gas(100_000);
    // GAS costs 2, POP 2, MSTORE 3 plus 3 for the word, each PUSH1 3.
    check_in(
        scene,
        "GAS PUSH1 1 POP GAS PUSH1 7 PUSH1 0 MSTORE GAS",
        "99998 99991 99977",
    );
}

#[test]
fn stop_and_the_end_of_the_code_succeed() {
    for source in ["", "STOP", "STOP INVALID", "PUSH0", "JUMPDEST"] {
        assert_eq!(
            Scene::asm(source).run_all().status,
            Status::Success,
            "{source}"
        );
    }
}

#[test]
fn return_and_revert_give_output() {
    let put = "PUSH2 0xfeed PUSH0 MSTORE";
    let returned = Scene::asm(&format!("{put} PUSH1 3 PUSH1 30 RETURN")).run_all();
    assert_eq!(
        (returned.status, &returned.output[..]),
        (Status::Success, &[0xfe, 0xed, 0][..])
    );
    let reverted = Scene::asm(&format!(
        "{put} PUSH1 1 PUSH0 SSTORE PUSH1 2 PUSH1 30 REVERT"
    ))
    .run_all();
    assert_eq!(
        (reverted.status, &reverted.output[..]),
        (Status::Revert, &[0xfe, 0xed][..])
    );
    assert_eq!(reverted.slot(0), Word::ZERO, "undone");
    assert!(reverted.gas_left > 0);
    let failed = Scene::asm(&format!("{put} PUSH1 1 PUSH0 SSTORE INVALID")).run_all();
    assert_eq!(
        (failed.status, failed.gas_left),
        (Status::Halt(Halt::InvalidOpcode), 0)
    );
    assert_eq!(failed.slot(0), Word::ZERO, "undone");
}
