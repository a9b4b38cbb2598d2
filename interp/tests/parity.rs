//! Both modes give the same status, gas, output, refund, logs and state for fixed programs with every amount
//! of gas. `differential.rs` compares random scenes; a test here checks their coverage.

mod common;

use common::{PEERS, Scene, generate, three_way};
use evmscope_interp::{
    Halt, Interpreter, Mode, Opcode, Settings, Status, Step, Technique, Techniques, Tracer,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::{HashMap, HashSet};

/// Coverage of the random scenes: agreement on scenes that all fail at once would prove little.
#[test]
fn random_scenes_reach_every_opcode_and_many_statuses() {
    let mut reached = Reached::default();
    let mut runner = TestRunner::deterministic();
    let scenes = 600;
    for _ in 0..scenes {
        let plan = generate::plans().new_tree(&mut runner).unwrap();
        let scene = plan.current().scene();
        let mut interpreter = Interpreter::new(Mode::Traditional, scene.fork);
        let outcome = interpreter.trace(scene.message.clone(), &mut scene.before(), &mut reached);
        *reached.ends.entry(outcome.status).or_default() += 1;
        reached.refunds += usize::from(outcome.refund > 0);
    }

    let defined = |op: &Opcode| op.info().is_some();
    let missing: Vec<_> = (0..=255)
        .map(Opcode)
        .filter(|op| defined(op) && !reached.opcodes.contains(op))
        .collect();
    assert_eq!(missing, [], "opcodes never run");
    for halt in [
        Halt::OutOfGas,
        Halt::StackUnderflow,
        Halt::StackOverflow,
        Halt::InvalidJump,
        Halt::UndefinedOpcode,
        Halt::InvalidOpcode,
        Halt::StaticViolation,
        Halt::ReturnDataOutOfBounds,
    ] {
        let status = Status::Halt(halt);
        assert!(reached.ends.contains_key(&status), "{status} never reached");
    }
    assert!(reached.ends[&Status::Success] > scenes / 3);
    assert!(reached.ends[&Status::Revert] > 0);
    assert!(reached.refunds > 0);
    assert!(reached.depth > 50);
}

#[derive(Default)]
struct Reached {
    opcodes: HashSet<Opcode>,
    ends: HashMap<Status, usize>,
    refunds: usize,
    depth: u32,
}

impl Tracer for Reached {
    fn step(&mut self, step: &Step) {
        self.opcodes.insert(step.opcode);
        self.depth = self.depth.max(step.depth);
    }
}

/// Programs with blocks that observe gas, expand memory, jump and call. That a block is charged at once must
/// not be visible, wherever the gas runs out.
#[test]
fn fixed_programs_agree_for_every_amount_of_gas() {
    for (name, scene) in programs() {
        let seen = scene.run_all();
        assert_eq!(seen.status, Status::Success, "{name}");
        let used = scene.message.gas - seen.gas_left;
        assert!(used < 50_000, "{name} takes too long: {used} gas");
        for gas in 0..=used + 1 {
            let scene = scene.clone().gas(gas);
            three_way::agree(&scene).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

fn programs() -> Vec<(&'static str, Scene)> {
    let two = |source, peer| Scene::asm(source).contract(PEERS[0], peer);
    vec![
        ("one block", Scene::asm("PUSH1 2 PUSH1 3 MUL PUSH1 7 EXP PUSH0 MSTORE")),
        (
            "gas observed inside a block",
            Scene::asm(
                "GAS PUSH0 MSTORE PUSH1 1 PUSH1 2 ADD PUSH1 99 MSTORE GAS PUSH1 32 MSTORE PC MSIZE ADD
                 PUSH1 64 MSTORE PUSH1 200 PUSH0 KECCAK256 GAS PUSH1 96 MSTORE PUSH1 128 PUSH0 RETURN",
            ),
        ),
        (
            "blocks without an instruction",
            Scene::asm("JUMPDEST JUMPDEST PUSH1 @on JUMP JUMPDEST on: JUMPDEST JUMPDEST"),
        ),
        (
            "a loop that grows memory",
            Scene::asm(
                "PUSH1 9 top: JUMPDEST DUP1 PUSH1 200 MUL DUP1 MSTORE GAS DUP2 MSTORE8
                 PUSH1 1 SWAP1 SUB DUP1 PUSH1 @top JUMPI MSIZE PUSH0 RETURN",
            ),
        ),
        (
            "memory expanded word by word, with gas and size observed in between",
            Scene::asm(
                "PUSH1 128 PUSH1 64 MSTORE PUSH1 3 top: JUMPDEST
                 PUSH1 64 MLOAD DUP1 PUSH1 192 ADD PUSH1 64 MSTORE
                 CALLER DUP2 MSTORE CALLVALUE DUP2 PUSH1 32 ADD MSTORE ADDRESS DUP2 PUSH1 160 ADD MSTORE
                 MSIZE DUP2 PUSH1 64 ADD MSTORE GAS DUP2 PUSH1 96 ADD MSTORE
                 DUP1 PUSH1 128 ADD MLOAD POP POP
                 PUSH1 1 SWAP1 SUB DUP1 PUSH1 @top JUMPI MSIZE PUSH0 RETURN",
            ),
        ),
        (
            "quotients by powers of two, and products of all widths and signs",
            Scene::asm(
                "PUSH1 9 PUSH0 NOT PUSH1 77 SWAP1 SUB top: JUMPDEST
                 PUSH1 4 DUP2 SDIV PUSH0 MSTORE PUSH1 2 DUP2 SUB PUSH1 2 SWAP1 SDIV PUSH1 32 MSTORE
                 PUSH1 16 DUP2 DIV PUSH1 64 MSTORE PUSH1 32 DUP2 MOD PUSH1 96 MSTORE
                 PUSH0 MLOAD PUSH1 32 MLOAD MUL PUSH1 64 MLOAD XOR PUSH1 96 MLOAD ADD PUSH1 3 MUL ADD
                 SWAP1 PUSH1 1 SWAP1 SUB SWAP1 DUP2 PUSH1 @top JUMPI
                 PUSH0 MSTORE PUSH1 128 PUSH0 RETURN",
            ),
        ),
        (
            "computed jumps",
            Scene::asm(
                "PUSH1 3 top: JUMPDEST PUSH1 @back PUSH1 @sub PUSH1 0xff XOR PUSH1 0xff XOR JUMP
                 back: JUMPDEST PUSH1 1 SWAP1 SUB DUP1 PUSH1 @top PUSH0 ADD JUMPI STOP
                 sub: JUMPDEST GAS POP JUMP",
            ),
        ),
        (
            "storage, transient storage and logs",
            Scene::asm(
                "PUSH0 SLOAD PUSH1 1 ADD PUSH0 SSTORE PUSH0 PUSH1 1 SSTORE PUSH1 7 PUSH1 5 TSTORE
                 PUSH1 5 TLOAD PUSH0 MSTORE PUSH1 8 PUSH1 40 PUSH1 3 LOG1 GAS PUSH1 64 MSTORE
                 PUSH1 96 PUSH0 RETURN",
            )
            .slot(0, 1)
            .slot(1, 1),
        ),
        (
            "a call with value, and its return data",
            two(
                "PUSH1 9 PUSH0 MSTORE PUSH1 5 PUSH1 64 PUSH1 40 PUSH0 PUSH1 3 PUSH20
                 0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1 GAS CALL GAS RETURNDATASIZE PUSH0 PUSH1 100
                 RETURNDATACOPY PUSH1 32 MSTORE PUSH1 128 MSTORE PUSH1 160 PUSH0 RETURN",
                "CALLVALUE PUSH0 MSTORE PUSH0 CALLDATALOAD PUSH1 32 MSTORE GAS PUSH1 64 MSTORE
                 PUSH1 90 PUSH0 RETURN",
            )
            .balance(10),
        ),
        (
            "calls that fail and revert",
            two(
                "PUSH0 PUSH0 PUSH0 PUSH0 PUSH20 0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1 PUSH2 3000
                 DELEGATECALL PUSH0 PUSH0 PUSH1 1 PUSH0 PUSH20
                 0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1 PUSH2 3000 STATICCALL
                 RETURNDATASIZE PUSH0 SSTORE PUSH0 MSTORE PUSH1 32 MSTORE PUSH1 64 PUSH0 RETURN",
                "CALLDATASIZE PUSH1 @fail JUMPI PUSH1 3 PUSH0 REVERT fail: JUMPDEST PUSH1 1 PUSH1 1 SSTORE",
            )
            .slot(0, 9),
        ),
        (
            "a creation",
            // Init code: MSTORE8(0, GAS); RETURN(0, 2)
            Scene::asm(
                "PUSH8 0x5a5f5360025ff300 PUSH0 MSTORE PUSH1 7 PUSH1 24 PUSH0 CREATE DUP1 PUSH0 MSTORE
                 EXTCODESIZE PUSH1 32 MSTORE PUSH1 64 PUSH0 RETURN",
            ),
        ),
    ]
}

/// Turning off any technique of the advanced mode does not change the results.
#[test]
fn each_technique_can_be_turned_off() {
    for (name, scene) in programs() {
        let whole = scene.run_all();
        let alone = Technique::ALL.iter().map(|technique| [*technique].to_vec());
        for left_out in alone.chain([Technique::ALL.to_vec()]) {
            let techniques = left_out
                .iter()
                .fold(Techniques::ALL, |set, one| set.without(*one));
            let settings = Settings {
                techniques,
                ..Settings::eager()
            };
            let mut interpreter = Interpreter::with_settings(Mode::Advanced, scene.fork, settings);
            let seen = scene.run_on(&mut interpreter);
            assert_eq!(seen, whole, "{name} without {left_out:?}");
        }
    }
}
