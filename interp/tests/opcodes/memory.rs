//! 0x20, 0x37 to 0x3e, 0x51 to 0x5e: memory, copies, hashes, and the price of memory.

use crate::common::{PEERS, Scene, check, check_gas, check_halt, check_in, pushes, word};
use alloy_primitives::keccak256;
use evmscope_interp::{Halt, Word};

#[test]
fn memory_reads_what_was_written() {
    check(
        "PUSH2 0x1234 PUSH1 5 MSTORE PUSH1 5 MLOAD PUSH1 6 MLOAD MSIZE",
        "0x1234 0x123400 64",
    );
    check("PUSH2 0x1234 PUSH1 31 MSTORE8 PUSH0 MLOAD MSIZE", "0x34 32");
    check("PUSH1 1 MLOAD MSIZE", "0 64");
    check("PUSH1 32 MLOAD MSIZE", "0 64");
    check(
        "PUSH2 4095 MLOAD POP MSIZE PUSH2 4096 MLOAD POP MSIZE",
        "4128 4128",
    );
    check(
        "PUSH1 7 PUSH2 9000 MSTORE PUSH2 9000 MLOAD PUSH2 8999 MLOAD",
        "7 0",
    );
}

#[test]
fn copies_pad_with_zeros_and_overlap() {
    let scene = Scene::asm("").input(&[1, 2, 3, 4]);
    let fill = format!("PUSH32 0x{} PUSH0 MSTORE", "ee".repeat(32));
    for (source, expected) in [
        (
            "PUSH1 3 PUSH1 1 PUSH1 2 CALLDATACOPY",
            format!("0xeeee020304{}", "ee".repeat(27)),
        ),
        (
            "PUSH1 4 PUSH1 2 PUSH1 0 CALLDATACOPY",
            format!("0x03040000{}", "ee".repeat(28)),
        ),
        (
            "PUSH1 2 PUSH0 NOT PUSH1 0 CALLDATACOPY",
            format!("0x0000{}", "ee".repeat(30)),
        ),
        (
            "PUSH1 2 PUSH0 PUSH1 0 CODECOPY",
            format!("0x7fee{}", "ee".repeat(30)),
        ),
        (
            "PUSH1 2 PUSH2 9999 PUSH1 0 CODECOPY",
            format!("0x0000{}", "ee".repeat(30)),
        ),
        (
            "PUSH0 PUSH0 NOT PUSH0 NOT CODECOPY",
            format!("0x{}", "ee".repeat(32)),
        ),
        (
            "PUSH1 2 PUSH0 PUSH1 1 PUSH20 0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1 EXTCODECOPY",
            format!("0xee6001{}", "ee".repeat(29)),
        ),
        (
            "PUSH1 2 PUSH1 1 PUSH1 0 PUSH20 0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1 EXTCODECOPY",
            format!("0x0100{}", "ee".repeat(30)),
        ),
        // Forwards, backwards and to the same place (EIP-5656).
        (
            "PUSH2 0x0102 PUSH0 MSTORE PUSH1 3 PUSH1 29 PUSH1 28 MCOPY",
            format!("0x{}00010202", "00".repeat(28)),
        ),
        (
            "PUSH2 0x0102 PUSH0 MSTORE PUSH1 3 PUSH1 28 PUSH1 29 MCOPY",
            format!("0x{}000001", "00".repeat(29)),
        ),
        (
            "PUSH2 0x0102 PUSH0 MSTORE PUSH1 3 PUSH1 29 PUSH1 29 MCOPY",
            format!("0x{}0102", "00".repeat(30)),
        ),
        (
            "PUSH0 PUSH0 NOT PUSH0 NOT MCOPY",
            format!("0x{}", "ee".repeat(32)),
        ),
    ] {
        let scene = scene.clone().contract(PEERS[0], "PUSH1 1");
        check_in(
            scene,
            &format!("{fill} {source} PUSH0 MLOAD MSIZE"),
            &format!("{expected} 32"),
        );
    }
    // MCOPY expands memory for what it reads and for what it writes.
    check("PUSH1 1 PUSH1 64 PUSH0 MCOPY MSIZE", "96");
    check("PUSH1 1 PUSH0 PUSH1 64 MCOPY MSIZE", "96");
}

#[test]
fn keccak_hashes_memory() {
    check(
        "PUSH0 PUSH0 KECCAK256 MSIZE",
        &format!("{} 0", Word::from(keccak256([]))),
    );
    check(
        "PUSH0 PUSH0 NOT KECCAK256 MSIZE",
        &format!("{} 0", Word::from(keccak256([]))),
    );
    for len in [1, 31, 32, 33, 64, 135, 136, 137, 300] {
        let expected = Word::from(keccak256(vec![0; len]));
        check(
            &format!("PUSH2 {len} PUSH1 3 KECCAK256"),
            &expected.to_string(),
        );
    }
}

#[test]
fn memory_costs_by_the_word() {
    for (source, gas) in [
        ("PUSH0 MLOAD", 2 + 3 + 3),
        ("PUSH1 1 MLOAD", 3 + 3 + 6),
        ("PUSH0 PUSH0 MSTORE", 4 + 3 + 3),
        ("PUSH0 PUSH1 31 MSTORE8", 5 + 3 + 3),
        ("PUSH0 PUSH1 32 MSTORE8", 5 + 3 + 6),
        // 512 words: 3 each and 512^2 / 512.
        ("PUSH2 0x3fe0 MLOAD", 3 + 3 + 3 * 512 + 512),
        ("PUSH0 MLOAD PUSH0 MLOAD", 8 + 5),
        ("PUSH1 33 PUSH0 KECCAK256", 5 + 30 + 12 + 6),
        ("PUSH0 PUSH0 KECCAK256", 4 + 30),
        ("PUSH1 33 PUSH0 PUSH0 CALLDATACOPY", 7 + 3 + 6 + 6),
        ("PUSH1 33 PUSH0 PUSH0 CODECOPY", 7 + 3 + 6 + 6),
        ("PUSH0 PUSH0 PUSH0 RETURNDATACOPY", 6 + 3),
        ("PUSH1 33 PUSH0 PUSH1 64 MCOPY", 8 + 3 + 6 + 12),
        ("PUSH1 33 PUSH0 PUSH0 ADDRESS EXTCODECOPY", 9 + 100 + 6 + 6),
        ("PUSH1 33 PUSH0 RETURN", 5 + 6),
        ("PUSH1 9 PUSH1 2 LOG0", 6 + 375 + 72 + 3),
        ("PUSH0 PUSH0 PUSH0 PUSH0 LOG2", 8 + 375 * 3),
    ] {
        check_gas(&Scene::asm(source), gas);
    }
}

#[test]
fn memory_beyond_all_gas_is_out_of_gas() {
    for far in [
        "-1",
        "0xffffffffffffffff",
        "0xffffffffffffffe0",
        "0x10000000000000000",
        "0xffffffff",
        "0x100000000",
    ] {
        let far = word(far);
        for (op, operands) in [
            ("MLOAD", vec![far]),
            ("MSTORE", vec![far, Word::ONE]),
            ("MSTORE8", vec![far, Word::ONE]),
            ("KECCAK256", vec![far, Word::ONE]),
            ("KECCAK256", vec![Word::ZERO, far]),
            ("CALLDATACOPY", vec![far, Word::ZERO, Word::ONE]),
            ("CALLDATACOPY", vec![Word::ZERO, Word::ZERO, far]),
            ("CODECOPY", vec![far, Word::ZERO, Word::ONE]),
            ("CODECOPY", vec![Word::ZERO, Word::ZERO, far]),
            ("EXTCODECOPY", vec![Word::ZERO, far, Word::ZERO, Word::ONE]),
            ("EXTCODECOPY", vec![Word::ZERO, Word::ZERO, Word::ZERO, far]),
            ("MCOPY", vec![far, Word::ZERO, Word::ONE]),
            ("MCOPY", vec![Word::ZERO, far, Word::ONE]),
            ("MCOPY", vec![Word::ZERO, Word::ZERO, far]),
            ("RETURN", vec![far, Word::ONE]),
            ("RETURN", vec![Word::ZERO, far]),
            ("REVERT", vec![far, Word::ONE]),
            ("LOG0", vec![far, Word::ONE]),
            ("LOG0", vec![Word::ZERO, far]),
            ("CREATE", vec![Word::ZERO, far, Word::ONE]),
            (
                "CALL",
                vec![
                    Word::ZERO,
                    Word::ZERO,
                    Word::ZERO,
                    far,
                    Word::ONE,
                    Word::ZERO,
                    Word::ZERO,
                ],
            ),
            (
                "CALL",
                vec![
                    Word::ZERO,
                    Word::ZERO,
                    Word::ZERO,
                    Word::ZERO,
                    Word::ZERO,
                    Word::ZERO,
                    far,
                ],
            ),
        ] {
            let source = format!("{} {op}", pushes(&operands));
            check_halt(&source, Halt::OutOfGas);
        }
    }
}
