//! 0x54, 0x55, 0x5c, 0x5d: persistent and transient storage.

use crate::common::{CONTRACT, PLENTY, Scene, check, check_gas, check_in};
use evmscope_interp::{Fork, Halt, Interpreter, Mode, Status, Word};

#[test]
fn slots_are_cold_once() {
    check_gas(&Scene::asm("PUSH0 SLOAD"), 2 + 2_100);
    check_gas(&Scene::asm("PUSH0 SLOAD PUSH0 SLOAD"), 4 + 2_200);
    check_gas(&Scene::asm("PUSH0 SLOAD PUSH1 1 SLOAD"), 5 + 4_200);
    // A load follows, because a store alone requires more gas than it uses.
    check_gas(
        &Scene::asm("PUSH0 PUSH0 SSTORE PUSH1 1 SLOAD"),
        4 + 2_200 + 3 + 2_100,
    );
    check_gas(&Scene::asm("PUSH1 1 PUSH0 SSTORE"), 5 + 22_100);
    check_gas(&Scene::asm("PUSH1 2 PUSH0 SSTORE").slot(0, 1), 5 + 5_000);
    check_gas(
        &Scene::asm("PUSH1 1 PUSH0 SSTORE PUSH0 SLOAD"),
        5 + 22_100 + 102,
    );
    check_in(
        Scene::asm("").slot(3, 77),
        "PUSH1 3 SLOAD PUSH1 4 SLOAD",
        "77 0",
    );
}

/// The table of EIP-3529, with warm slots: the original value and the values stored.
#[test]
fn stores_cost_by_what_they_change() {
    for (original, values, gas, refund) in [
        (0, &[0_u64, 0][..], 212, 0),
        (0, &[0, 1], 20_112, 0),
        (0, &[1, 0], 20_112, 19_900),
        (0, &[1, 2], 20_112, 0),
        (0, &[1, 1], 20_112, 0),
        (1, &[0, 0], 3_012, 4_800),
        (1, &[0, 1], 3_012, 2_800),
        (1, &[0, 2], 3_012, 0),
        (1, &[2, 0], 3_012, 4_800),
        (1, &[2, 3], 3_012, 0),
        (1, &[2, 1], 3_012, 2_800),
        (1, &[2, 2], 3_012, 0),
        (1, &[1, 0], 3_012, 4_800),
        (1, &[1, 2], 3_012, 0),
        (1, &[1, 1], 212, 0),
        (0, &[1, 0, 1], 40_118, 19_900),
        (1, &[0, 1, 0], 5_918, 7_600),
    ] {
        let stores: String = values
            .iter()
            .map(|value| format!("PUSH1 {value} PUSH1 0 SSTORE "))
            .collect();
        let scene =
            Scene::asm(&format!("PUSH1 0 SLOAD POP {stores} PUSH1 0 SLOAD POP")).slot(0, original);
        let seen = scene.run_all();
        // Two loads: cold and warm.
        let loads = 2_105 + 105;
        assert_eq!(
            PLENTY - seen.gas_left - loads,
            gas,
            "gas of {original} {values:?}"
        );
        assert_eq!(seen.refund, refund, "refund of {original} {values:?}");
        assert_eq!(seen.slot(0), Word::from(*values.last().unwrap()));
    }
}

#[test]
fn stores_need_more_gas_than_the_stipend() {
    // A store that changes nothing costs 100, but 2,301 must be left (EIP-2200).
    let scene = Scene::asm("PUSH0 SLOAD POP PUSH0 PUSH0 SSTORE");
    let before = 2 + 2_100 + 2 + 4;
    assert_eq!(
        scene.clone().gas(before + 2_301).run_all().status,
        Status::Success
    );
    assert_eq!(
        scene.gas(before + 2_300).run_all().status,
        Status::Halt(Halt::OutOfGas)
    );
}

#[test]
fn transient_slots_last_a_transaction() {
    check(
        "PUSH1 5 TLOAD PUSH1 9 PUSH1 5 TSTORE PUSH1 5 TLOAD PUSH1 5 SLOAD",
        "0 9 0",
    );
    check_gas(&Scene::asm("PUSH0 TLOAD"), 102);
    check_gas(&Scene::asm("PUSH0 PUSH0 TSTORE"), 104);
    let mut world = Scene::asm("PUSH0 TLOAD PUSH0 SSTORE PUSH1 1 PUSH0 TSTORE").before();
    let mut interpreter = Interpreter::new(Mode::Advanced, Fork::Osaka);
    let message = Scene::asm("").message;
    for _ in 0..2 {
        interpreter.execute(message.clone(), &mut world);
        world.begin_transaction(Fork::Osaka, &[]);
        assert_eq!(world.get(&CONTRACT).unwrap().storage().count(), 0);
    }
}
