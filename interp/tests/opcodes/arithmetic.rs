//! 0x01 to 0x1e: operands (the first one is on top) and results.

use crate::common::{Scene, check, check_gas, pushes, word, words};

#[test]
fn arithmetic_returns_expected_results() {
    const MIN: &str = "0x8000000000000000000000000000000000000000000000000000000000000000";
    for (op, operands, result) in [
        ("ADD", "2 3", "5"),
        ("ADD", "-1 1", "0"),
        ("ADD", "0xffffffffffffffff 1", "0x10000000000000000"),
        ("MUL", "6 7", "42"),
        ("MUL", "-1 -1", "1"),
        (
            "MUL",
            "0x100000000000000000000000000000000 0x100000000000000000000000000000000",
            "0",
        ),
        ("SUB", "2 3", "-1"),
        ("SUB", "0 0", "0"),
        ("DIV", "7 2", "3"),
        ("DIV", "2 7", "0"),
        ("DIV", "7 0", "0"),
        (
            "DIV",
            "-1 0x10000000000000000",
            "0xffffffffffffffffffffffffffffffffffffffffffffffff",
        ),
        ("SDIV", "-7 2", "-3"),
        ("SDIV", "7 -2", "-3"),
        ("SDIV", "-7 -2", "3"),
        ("SDIV", "-7 0", "0"),
        ("SDIV", &format!("{MIN} -1"), MIN),
        ("MOD", "7 3", "1"),
        ("MOD", "7 0", "0"),
        ("SMOD", "-7 3", "-1"),
        ("SMOD", "7 -3", "1"),
        ("SMOD", "-7 -3", "-1"),
        ("SMOD", "-7 0", "0"),
        ("SMOD", &format!("{MIN} -1"), "0"),
        ("ADDMOD", "5 6 7", "4"),
        ("ADDMOD", "-1 2 2", "1"),
        ("ADDMOD", "1 2 0", "0"),
        ("MULMOD", "5 6 7", "2"),
        ("MULMOD", "-1 -1 12", "9"),
        ("MULMOD", "1 2 0", "0"),
        ("EXP", "2 10", "1024"),
        ("EXP", "0 0", "1"),
        ("EXP", "2 256", "0"),
        ("EXP", "-1 -1", "-1"),
        ("SIGNEXTEND", "0 0x7f", "0x7f"),
        ("SIGNEXTEND", "0 0xff", "-1"),
        ("SIGNEXTEND", "0 0x1234", "0x34"),
        ("SIGNEXTEND", "1 0x8000", "-32768"),
        ("SIGNEXTEND", "30 0xff", "0xff"),
        ("SIGNEXTEND", "31 -5", "-5"),
        ("SIGNEXTEND", "-1 0xff", "0xff"),
    ] {
        check(&format!("{} {op}", pushes(&words(operands))), result);
    }
}

#[test]
fn comparisons_and_bits_return_expected_results() {
    const MIN: &str = "0x8000000000000000000000000000000000000000000000000000000000000000";
    const MAX: &str = "0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
    const COUNT: &str = "0x0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20";
    for (op, operands, result) in [
        ("LT", "1 2", "1"),
        ("LT", "2 2", "0"),
        ("LT", "-1 0", "0"),
        ("GT", "2 1", "1"),
        ("GT", "2 2", "0"),
        ("GT", "-1 0", "1"),
        ("SLT", "-1 0", "1"),
        ("SLT", "0 -1", "0"),
        ("SLT", &format!("{MIN} {MAX}"), "1"),
        ("SGT", "0 -1", "1"),
        ("SGT", "-1 0", "0"),
        ("SGT", "5 5", "0"),
        ("EQ", "5 5", "1"),
        ("EQ", "0x10000000000000000 0", "0"),
        ("ISZERO", "0", "1"),
        ("ISZERO", MIN, "0"),
        ("AND", "0xff0f 0x0fff", "0x0f0f"),
        ("OR", "0xf000 0x000f", "0xf00f"),
        ("XOR", "0xff00 0x0ff0", "0xf0f0"),
        ("NOT", "0", "-1"),
        ("NOT", "-1", "0"),
        ("BYTE", &format!("0 {COUNT}"), "1"),
        ("BYTE", &format!("31 {COUNT}"), "32"),
        ("BYTE", &format!("32 {COUNT}"), "0"),
        ("BYTE", &format!("0x100000000000000000 {COUNT}"), "0"),
        ("SHL", "1 1", "2"),
        ("SHL", "255 1", MIN),
        ("SHL", "256 1", "0"),
        ("SHL", "-1 1", "0"),
        ("SHL", "65 3", "0x60000000000000000"),
        ("SHR", "1 2", "1"),
        ("SHR", &format!("255 {MIN}"), "1"),
        ("SHR", "256 -1", "0"),
        ("SAR", "1 -2", "-1"),
        ("SAR", "1 4", "2"),
        ("SAR", &format!("255 {MIN}"), "-1"),
        ("SAR", "256 -1", "-1"),
        ("SAR", "256 1", "0"),
        ("SAR", "-1 -5", "-1"),
        ("CLZ", "0", "256"),
        ("CLZ", "1", "255"),
        ("CLZ", "-1", "0"),
        ("CLZ", "0x10000000000000000", "191"),
    ] {
        check(&format!("{} {op}", pushes(&words(operands))), result);
    }
}

#[test]
fn exponents_cost_by_the_byte() {
    for (exponent, gas) in [
        ("0", 10),
        ("1", 60),
        ("255", 60),
        ("256", 110),
        ("-1", 1_610),
    ] {
        let scene = Scene::asm(&format!("{} EXP", pushes(&[word("3"), word(exponent)])));
        check_gas(&scene, 6 + gas);
    }
}
