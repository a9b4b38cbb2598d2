//! The opcode table: each row is compared with the opcode's behaviour and with `revm`.

use crate::common::{FORKS, PEERS, PLENTY, Scene, assemble, pushes, reference, words};
use alloy_primitives::hex;
use evmscope_interp::{Fork, Halt, Interpreter, Mode, Opcode, Status, Step, Tracer, Word};
use revm::bytecode::opcode::OpCode;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Opcodes of Amsterdam, which is not supported here.
const LATER: [u8; 4] = [0x4b, 0xe6, 0xe7, 0xe8];

#[test]
fn rows_are_those_of_revm() {
    for byte in 0..=255 {
        let theirs = OpCode::new(byte).filter(|_| !LATER.contains(&byte));
        let theirs = theirs.map(|op| {
            let info = op.info();
            let name = match info.name() {
                "DIFFICULTY" => "PREVRANDAO",
                name => name,
            };
            (name, info.inputs(), info.outputs(), info.immediate_size())
        });
        let ours = Opcode(byte)
            .info()
            .map(|row| (row.name, row.inputs, row.outputs, row.immediate));
        assert_eq!(ours, theirs, "0x{byte:02x}");
    }
}

#[test]
fn opcodes_begin_with_their_fork() {
    for fork in FORKS {
        for op in (0..=255).map(Opcode) {
            let defined = op.info_at(*fork).is_some();
            let status = Scene::new(&[op.0]).fork(*fork).run_all().status;
            let undefined = status == Status::Halt(Halt::UndefinedOpcode);
            assert_eq!(undefined, !defined, "{op} at {fork}");
        }
    }
}

/// Operands of many kinds; the first one is on top.
fn operands() -> Vec<Vec<Word>> {
    let peer = format!("{:#x}", Word::from(PEERS[0]));
    [
        "0 0 0 0 0 0 0",
        "1 1 1 1 1 1 1",
        "32 32 32 32 32 32 32",
        "-1 -1 -1 -1 -1 -1 -1",
        "1 2 3 4 5 6 7",
        "7 6 5 4 3 2 1",
        "0x8000000000000000000000000000000000000000000000000000000000000000 -1 3 0 33 65 1",
        "1000 33 0 64 2 0 0",
        &format!("{peer} 5 1 40 3 50 60"),
        &format!("0xffff {peer} 1 0 32 64 32"),
        &format!("0xffff {peer} 0 32 64 32 0"),
    ]
    .map(words)
    .to_vec()
}

/// Runs an opcode on these operands, and then `code`.
fn program(operands: &[Word], op: Opcode, then: &str) -> Vec<u8> {
    let immediate = vec![0; op.immediate()];
    let before = assemble(&pushes(operands));
    [&before, &[op.0][..], &immediate, &assemble(then)].concat()
}

/// Status, gas, output, logs and state of each opcode, at each fork, with operands of many kinds: with ample
/// gas, with exactly the gas used, and with one less.
#[test]
fn every_opcode_agrees_with_revm() {
    for operands in operands() {
        for op in (0..=255).map(Opcode) {
            // The output contains the height of the stack and its top item.
            let show = "PUSH1 0 MSTORE MSIZE PUSH1 32 MSTORE PUSH1 64 PUSH1 0 RETURN";
            let code = program(&operands, op, show);
            for fork in FORKS.iter().filter(|fork| reference::has(**fork)) {
                let scene = Scene::new(&code)
                    .fork(*fork)
                    .slot(1, 1)
                    .balance(9)
                    .input(&[0xab; 40])
                    .contract(PEERS[0], "CALLER PUSH1 7 MSTORE PUSH1 50 PUSH1 0 RETURN");
                compare(&scene);
                compare(&scene.in_static());
            }
        }
    }
}

fn compare(scene: &Scene) {
    let agree = |scene: &Scene| {
        let seen = scene.run_all().any_halt();
        let gas = scene.message.gas;
        assert_eq!(seen, reference::run(scene).any_halt(), "gas {gas}");
        gas - seen.gas_left
    };
    let used = agree(scene);
    if used < PLENTY {
        agree(&scene.clone().gas(used));
        agree(&scene.clone().gas(used.saturating_sub(1)));
    }
}

/// Opcodes that end the frame when their operands are 0.
const ENDS: [Opcode; 6] = [
    Opcode::STOP,
    Opcode::RETURN,
    Opcode::REVERT,
    Opcode::INVALID,
    Opcode::SELFDESTRUCT,
    Opcode::JUMP,
];

/// The tested opcodes; their inputs and outputs were compared above.
fn rows() -> impl Iterator<Item = (Opcode, usize, usize)> {
    (0..=255).map(Opcode).filter_map(|op| {
        let row = op.info()?;
        Some((op, row.inputs.into(), row.outputs.into()))
    })
}

/// A number of zeros, the opcode, a number of POPs.
fn stack_program(zeros: usize, op: Opcode, pops: usize) -> Status {
    let code = [
        vec![Opcode::PUSH0.0; zeros],
        vec![op.0],
        vec![0; op.immediate()],
        vec![Opcode::POP.0; pops],
    ]
    .concat();
    Scene::new(&code).run_all().status
}

#[test]
fn stacks_are_used_as_the_rows_say() {
    for (op, inputs, outputs) in rows() {
        if inputs > 0 {
            let short = stack_program(inputs - 1, op, 0);
            assert_eq!(short, Status::Halt(Halt::StackUnderflow), "{op}");
        }
        if ENDS.contains(&op) {
            continue;
        }
        let exact = stack_program(inputs, op, outputs);
        assert_eq!(exact, Status::Success, "{op}");
        let one_more = stack_program(inputs, op, outputs + 1);
        assert_eq!(one_more, Status::Halt(Halt::StackUnderflow), "{op}");
    }
}

#[test]
fn stacks_hold_1024_items() {
    for (op, inputs, outputs) in rows() {
        let full = stack_program(1_024, op, 0);
        let grows = outputs > inputs;
        let overflows = full == Status::Halt(Halt::StackOverflow);
        assert_eq!(overflows, grows, "{op} on a full stack: {full}");
        if grows {
            assert_eq!(stack_program(1_023, op, 0), Status::Success, "{op}");
        }
    }
    // In one block, and in a block that is entered with items on the stack.
    for before in ["", "JUMPDEST", "PUSH2 @on JUMP on: JUMPDEST"] {
        let status = |below: usize, more: usize| {
            let [below, more, pops] = [("PUSH0 ", below), ("PUSH0 ", more), ("POP ", more)]
                .map(|(op, count)| op.repeat(count));
            Scene::asm(&format!("{below} {before} {more} {pops}"))
                .run_all()
                .status
        };
        assert_eq!(status(100, 924), Status::Success, "{before}");
        assert_eq!(
            status(100, 925),
            Status::Halt(Halt::StackOverflow),
            "{before}"
        );
        assert_eq!(status(1_023, 1), Status::Success, "{before}");
        assert_eq!(
            status(1_023, 2),
            Status::Halt(Halt::StackOverflow),
            "{before}"
        );
    }
}

/// Which failure is reported: the stack is checked before gas, and operands last.
#[test]
fn failures_are_named_in_order() {
    let status = |source, gas| Scene::asm(source).gas(gas).run_all().status;
    assert_eq!(status("ADD", 0), Status::Halt(Halt::StackUnderflow));
    assert_eq!(status("PUSH0 PUSH0 ADD", 4), Status::Halt(Halt::OutOfGas));
    assert_eq!(status("PUSH0 JUMP", 9), Status::Halt(Halt::OutOfGas));
    assert_eq!(status("PUSH0 JUMP", 10), Status::Halt(Halt::InvalidJump));
    // An earlier opcode of the block fails first.
    assert_eq!(
        status("PUSH1 9 JUMP ADD", 100),
        Status::Halt(Halt::InvalidJump)
    );
    assert_eq!(
        status("PUSH0 MLOAD ADD", 8),
        Status::Halt(Halt::StackUnderflow)
    );
    assert_eq!(status("PUSH0 MLOAD ADD", 7), Status::Halt(Halt::OutOfGas));
}

/// Translation relies on this to omit masks that do not change a result.
#[test]
fn results_are_below_their_bits() {
    for op in (0..=255).map(Opcode) {
        let Some(row) = op.info().filter(|row| row.outputs == 1) else {
            continue;
        };
        for operands in operands() {
            let code = program(&operands, op, "PUSH0 MSTORE PUSH1 32 PUSH0 RETURN");
            let seen = Scene::new(&code).input(&[0xab; 40]).run(Mode::Traditional);
            for result in seen.words() {
                let bits = result.bit_len();
                assert!(bits <= row.bits.into(), "{op} gives {bits} bits");
            }
        }
    }
}

/// Translation omits loads of known memory, so it must know which opcodes write to memory (`writes_memory` in
/// `translate/analysis.rs`).
#[test]
fn memory_is_loaded_again_after_a_write() {
    let peer = format!("{:#x}", Word::from(PEERS[0]));
    let more = [format!("{peer} 0 0 32"), "0 0 32".into(), "20 0 8".into()];
    let operands: Vec<_> = operands()
        .into_iter()
        .chain(more.iter().map(|it| words(it)))
        .collect();
    let mut stale = Vec::new();
    for op in (0..=255).map(Opcode) {
        let Some(row) = op.info() else { continue };
        let pops = "POP ".repeat(row.outputs.into());
        // Return data for RETURNDATACOPY, and a word that the trace knows.
        let before = assemble(&format!(
            "PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH20 {} GAS STATICCALL POP
             CALLER PUSH0 MSTORE ORIGIN PUSH1 32 MSTORE",
            PEERS[0]
        ));
        let then = format!("{pops} PUSH0 MLOAD PUSH2 1000 MSTORE PUSH1 32 PUSH2 1000 RETURN");
        for operands in &operands {
            let code = [before.clone(), program(operands, op, &then)].concat();
            let scene = Scene::new(&code)
                .input(&[0xab; 40])
                .contract(PEERS[0], "NUMBER NOT PUSH0 MSTORE PUSH1 32 PUSH0 RETURN");
            if scene.run(Mode::Traditional) != scene.run(Mode::Advanced) {
                stale.push(op);
                break;
            }
        }
    }
    assert_eq!(
        stale,
        [],
        "these opcodes write memory but are not in writes_memory"
    );
}

/// A profile-guided build should be trained on every opcode. `cases/opcodes` runs all opcodes of its fork
/// except POP, which other cases run.
#[test]
fn the_case_of_all_opcodes_runs_each() {
    struct Seen(BTreeSet<Opcode>);
    impl Tracer for Seen {
        fn step(&mut self, step: &Step<'_>) {
            self.0.insert(step.opcode);
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases/opcodes");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let case = read("case.toml");
    let value = |key: &str| {
        let line = case.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap().trim_start_matches(" = ").trim_matches('"')
    };
    let fork: Fork = value("fork").parse().unwrap();
    let gas = value("gas_limit").replace('_', "").parse().unwrap();
    let scene = Scene::new(&hex::decode(read("code.hex").trim()).unwrap())
        .fork(fork)
        .gas(gas)
        .input(&hex::decode(value("calldata")).unwrap());
    let mut seen = Seen(BTreeSet::new());
    let mut interpreter = Interpreter::new(Mode::Traditional, fork);
    interpreter.trace(scene.message.clone(), &mut scene.before(), &mut seen);
    let all = (0..=255)
        .map(Opcode)
        .filter(|op| op.info_at(fork).is_some());
    let missing: Vec<_> = all.filter(|op| !seen.0.contains(op)).collect();
    assert_eq!(
        missing,
        [Opcode::POP],
        "missing in cases/opcodes/opcodes.asm"
    );
}
