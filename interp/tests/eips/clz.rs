//! EIP-7939: count leading zeros.

use super::common::{Scene, check, check_gas, check_halt};
use evmscope_interp::{Fork, Halt, Status};

#[test]
fn counts_leading_zeros() {
    // All of the EIP's test cases.
    for (operand, zeros) in [
        ("0x0", "0x100"),
        (
            "0x8000000000000000000000000000000000000000000000000000000000000000",
            "0",
        ),
        (
            "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "0",
        ),
        (
            "0x4000000000000000000000000000000000000000000000000000000000000000",
            "1",
        ),
        (
            "0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "1",
        ),
        ("0x1", "0xff"),
    ] {
        check(&format!("PUSH32 {operand} CLZ"), zeros);
    }
}

#[test]
fn counts_at_every_bit() {
    for bit in 0..256 {
        // Computed by a shift of an input, so that the operand is not known at translation time.
        check(
            &format!("PUSH1 1 PUSH2 {bit} SHL CLZ"),
            &format!("{}", 255 - bit),
        );
    }
}

#[test]
fn costs_as_much_as_mul() {
    check_gas(&Scene::asm("PUSH1 1 CLZ"), 3 + 5);
    check_halt("CLZ", Halt::StackUnderflow);
}

#[test]
fn comes_with_osaka() {
    let status = Scene::asm("PUSH1 1 CLZ")
        .fork(Fork::Prague)
        .run_all()
        .status;
    assert_eq!(status, Status::Halt(Halt::UndefinedOpcode));
}
