//! Golden files of the slot IR of small programs, one per technique. These tests cover the form of the IR;
//! `parity.rs` and `differential.rs` cover the results.

mod common;

use common::{CONTRACT, Scene};
use evmscope_interp::{Class, Code, Fork, Host, Interpreter, Mode, Opcode, Settings, Status};
use std::sync::Arc;

/// Runs a program that must succeed, and returns its traces as text.
fn listing(source: &str) -> String {
    let Scene {
        fork,
        mut world,
        message,
    } = Scene::asm(source);
    let mut interpreter = Interpreter::with_settings(Mode::Advanced, fork, Settings::eager());
    let outcome = interpreter.execute(message, &mut world);
    assert_eq!(outcome.status, Status::Success);
    interpreter.listing(world.code(CONTRACT))
}

macro_rules! golden {
    ($($(#[$doc:meta])* $name:ident: $source:literal;)*) => {
        $($(#[$doc])* #[test]
        fn $name() {
            insta::assert_snapshot!(listing($source));
        })*
    };
}

golden! {
    /// Only one SET is left, at the store.
    constants_are_folded: "
        PUSH1 2 PUSH1 3 MUL PUSH1 0x20 SHL PUSH1 7 ADD PUSH0 NOT AND
        PUSH0 MSTORE STOP";

    /// A chain of three ISZEROs, and an EQ with 0, each become part of a branch.
    iszero_chains_become_branches: "
        CALLDATASIZE ISZERO ISZERO ISZERO PUSH1 @empty JUMPI STOP
        empty: JUMPDEST
        CALLER CALLVALUE LT ISZERO PUSH1 @less JUMPI STOP
        less: JUMPDEST
        CALLVALUE PUSH0 EQ PUSH1 @none JUMPI STOP
        none: JUMPDEST CALLVALUE PUSH0 MSTORE STOP";

    /// A mask of low bits becomes a number of bits, and disappears if the value is small enough.
    masks_count_bits: "
        PUSH0 CALLDATALOAD PUSH20 0xffffffffffffffffffffffffffffffffffffffff AND PUSH0 MSTORE
        PUSH20 0xffffffffffffffffffffffffffffffffffffffff CALLER AND PUSH1 32 MSTORE
        PUSH1 0xf0 CALLVALUE AND PUSH1 64 MSTORE STOP";

    /// Additions of constants become part of the address of the access.
    additions_end_in_addresses: "
        PUSH1 64 MLOAD
        DUP1 PUSH1 32 ADD PUSH1 32 ADD CALLER SWAP1 MSTORE
        DUP1 PUSH1 64 ADD PUSH1 32 SWAP1 SUB PUSH1 9 SWAP1 MSTORE
        PUSH1 4 ADD MLOAD PUSH0 MSTORE STOP";

    /// Division by a power of two becomes a shift; signed division has a separate instruction.
    powers_divide_by_shifts: "
        CALLVALUE PUSH1 8 SWAP1 DIV PUSH0 MSTORE
        CALLVALUE PUSH1 8 SWAP1 SDIV PUSH1 32 MSTORE
        CALLVALUE PUSH1 8 SWAP1 MOD PUSH1 64 MSTORE
        CALLVALUE PUSH1 10 SWAP1 SDIV PUSH1 96 MSTORE STOP";

    /// A stored value is not loaded again, unless the memory may have been overwritten.
    loads_are_forwarded: "
        CALLER PUSH0 MSTORE CALLVALUE PUSH1 32 MSTORE
        PUSH0 MLOAD PUSH1 64 MSTORE
        PUSH1 1 PUSH1 31 MSTORE8
        PUSH0 MLOAD PUSH1 96 MSTORE
        PUSH0 MLOAD PUSH1 128 MSTORE STOP";

    /// Items are permuted at the end: a cycle goes through a scratch slot.
    exits_permute_the_stack: "
        CALLER CALLVALUE CALLDATASIZE PUSH1 @rotate JUMP
        rotate: JUMPDEST SWAP1 SWAP2 PUSH0 CALLDATALOAD PUSH1 @rotate JUMPI STOP";

    /// A loop is a trace that jumps to its own header.
    loops_jump_to_themselves: "
        PUSH1 100
        loop: JUMPDEST PUSH1 1 SWAP1 SUB DUP1 PUSH1 @loop JUMPI STOP";

    /// A target that is not constant is looked up after the stack layout is restored.
    dynamic_jumps_leave_laid_out: "
        PUSH1 @end CALLDATASIZE ADD CALLER CALLVALUE SWAP2 JUMP
        end: JUMPDEST ADD PUSH0 MSTORE STOP";

    /// A call of a function and its return need no jumps.
    functions_are_inlined: "
        PUSH1 @back CALLVALUE PUSH1 @double JUMP
        back: JUMPDEST PUSH0 MSTORE STOP
        double: JUMPDEST DUP1 ADD SWAP1 JUMP";

    /// A side exit refunds the gas of the rest of the trace.
    side_exits_give_gas_back: "
        CALLVALUE PUSH1 1 EQ PUSH1 @one JUMPI
        CALLER PUSH0 MSTORE CALLVALUE PUSH1 32 MSTORE STOP
        one: JUMPDEST PUSH1 7 PUSH0 MSTORE CALLDATASIZE PUSH1 32 MSTORE STOP";

    /// Opcodes that observe gas know the gas of the rest of the trace; short constants are operands.
    wide_forms_hold_operands: "
        PUSH1 1 PUSH1 2 CALLER PUSH4 0x10000000 PUSH1 32 PUSH0 LOG4
        PUSH1 32 PUSH1 0 KECCAK256 SLOAD
        PUSH1 5 SLOAD ADD PUSH0 MSTORE
        PUSH1 32 PUSH1 3 PUSH2 0x100 CODECOPY GAS PUSH0 MSTORE STOP";

    /// The side that only fails is the exit, even if it falls through.
    failing_sides_are_exits: "
        CALLVALUE ISZERO PUSH1 @paid JUMPI
        PUSH0 PUSH0 REVERT
        paid: JUMPDEST CALLVALUE PUSH0 MSTORE STOP";

    /// The opposite case: the jump's target fails.
    failing_targets_are_exits: "
        CALLVALUE PUSH1 @refuse JUMPI
        CALLER PUSH0 MSTORE STOP
        refuse: JUMPDEST PUSH0 PUSH0 REVERT";
}

/// Every opcode is an instruction, or turns into moves and jumps, or ends the trace. The listing must show
/// which.
#[test]
fn every_opcode_has_a_line() {
    for op in (0..=255).map(Opcode) {
        let Some(info) = op.info() else { continue };
        let immediate = vec![0; info.immediate.into()];
        let code = [&[Opcode::JUMPDEST.0, op.0], &immediate[..], &[0]].concat();
        let code = Arc::new(Code::new(&code));
        let mut interpreter =
            Interpreter::with_settings(Mode::Advanced, Fork::default(), Settings::eager());
        interpreter.translate(&code);
        let listing = interpreter.listing(&code);
        let trace = listing.split("\nentry").next().unwrap();
        let instructions: Vec<_> = trace
            .lines()
            .filter_map(|line| line.get(36..).map(str::trim))
            .collect();
        let own = instructions
            .iter()
            .any(|it| it.split(' ').next() == Some(info.name));
        let walked = trace.contains(&format!("0x0001 {op}"));
        match info.class {
            // Known at translation time.
            Class::Read if op == Opcode::CODESIZE => assert!(walked && !own, "{op}: {trace}"),
            Class::Pure | Class::Read | Class::Memory | Class::Machine => {
                assert!(walked && own, "{op}: {trace}");
            }
            Class::Exit => assert!(!walked, "{op}: {trace}"),
            Class::Push | Class::Dup | Class::Swap | Class::Pop | Class::Pc | Class::Jumpdest => {
                assert!(walked && !own, "{op}: {trace}");
            }
            Class::Jump | Class::Jumpi => {
                assert!(walked && trace.contains("JUMP ["), "{op}: {trace}");
            }
        }
    }
}
