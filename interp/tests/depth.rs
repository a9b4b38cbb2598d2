//! Stress tests: 1,024 frames on a small native stack, threads that share a world, and code that is hostile
//! to a decoder.

mod common;

use common::{CONTRACT, Scene, Seen, assemble, reference};
use evmscope_interp::{Class, Fork, Interpreter, Mode, Opcode, Settings, Status, Word, keccak256};
use std::sync::Barrier;
use std::thread;

/// Runs on a thread with an eighth of the default native stack. In an unoptimised build, a single dispatch
/// loop takes more than half of that.
fn on_a_small_stack<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    on_a_stack_of(256 << 10, run)
}

fn on_a_stack_of<T: Send>(bytes: usize, run: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let small = thread::Builder::new().stack_size(bytes);
        small.spawn_scoped(scope, run).unwrap().join().unwrap()
    })
}

/// Enough gas for the deepest frame, although each frame keeps a 64th.
const HUGE: u64 = 1 << 60;

/// Runs the scene in every mode on a small native stack, and in the reference.
fn run_deep(scene: Scene) -> Seen {
    let scene = scene.gas(HUGE);
    let seen = on_a_small_stack(|| scene.run_all());
    assert_eq!(seen.clone().any_halt(), reference::run(&scene).any_halt());
    assert_eq!(seen.status, Status::Success);
    seen
}

/// Calls itself, and returns one more than the callee.
fn recursion(op: &str, before: &str) -> String {
    let value = if op.starts_with("CALL") { "PUSH0" } else { "" };
    format!(
        "{before} PUSH1 32 PUSH0 PUSH0 PUSH0 {value} ADDRESS GAS {op} POP
         PUSH0 MLOAD PUSH1 1 ADD PUSH0 MSTORE PUSH1 32 PUSH0 RETURN"
    )
}

#[test]
fn calls_go_1024_deep() {
    for op in ["CALL", "CALLCODE", "DELEGATECALL", "STATICCALL"] {
        let seen = run_deep(Scene::asm(&recursion(op, "")));
        assert_eq!(seen.words(), [Word::from(1_025_u64)], "{op}");
    }
}

#[test]
fn creations_go_1024_deep() {
    // Creates a contract with its own code as init code.
    let source = "CODESIZE PUSH0 PUSH0 CODECOPY CODESIZE PUSH0 PUSH0 CREATE";
    let before = Scene::asm(source).run_all().accounts.len();
    assert!(before > 3, "too few creations with little gas");
    let seen = run_deep(Scene::asm(source));
    let created = |account: &&common::SeenAccount| account.nonce == 2;
    assert_eq!(seen.accounts.values().filter(created).count(), 1_024);
}

#[test]
fn every_frame_has_a_full_stack() {
    // 1,016 items, 7 operands, and one more item during the call.
    let source = recursion("CALL", &"PUSH0 ".repeat(1_016));
    let seen = run_deep(Scene::asm(&source));
    assert_eq!(seen.words(), [Word::from(1_025_u64)]);
}

#[test]
fn every_frame_has_its_own_memory() {
    // Writes the gas at 5,000, calls, and fails unless it is still there.
    let source = recursion(
        "CALL",
        "GAS DUP1 PUSH2 5000 MSTORE PUSH1 @call JUMP call: JUMPDEST",
    )
    .replace(
        "PUSH0 MLOAD",
        "PUSH2 5000 MLOAD EQ PUSH1 @same JUMPI INVALID same: JUMPDEST PUSH0 MLOAD",
    );
    let seen = run_deep(Scene::asm(&source));
    assert_eq!(seen.words(), [Word::from(1_025_u64)]);
}

#[test]
fn threads_share_a_world() {
    let scene = Scene::asm(&recursion("CALL", "PUSH0 SLOAD PUSH1 1 ADD PUSH0 SSTORE"));
    let expected = scene.run_all();
    thread::scope(|scope| {
        for mode in Mode::ALL.repeat(2) {
            let (scene, expected) = (&scene, &expected);
            scope.spawn(move || {
                let mut interpreter = Interpreter::new(mode, scene.fork);
                for _ in 0..20 {
                    assert_eq!(scene.run_on(&mut interpreter), *expected, "{mode}");
                }
            });
        }
    });
}

#[test]
fn threads_analyse_the_same_code_concurrently() {
    const THREADS: usize = 4;
    let source = "CALLVALUE PUSH1 @on PUSH0 ADD JUMP on: JUMPDEST ADDRESS EXTCODEHASH PUSH0 SSTORE";
    let expected = Scene::asm(source).run_all();
    for _ in 0..50 {
        // New code, whose hash and jumpdests are not computed yet, in worlds that share it.
        let scene = Scene::asm(source);
        let start = Barrier::new(THREADS);
        thread::scope(|scope| {
            for mode in Mode::ALL.repeat(THREADS / 2) {
                let (scene, start, expected) = (scene.clone(), &start, &expected);
                scope.spawn(move || {
                    start.wait();
                    assert_eq!(scene.run(mode), *expected, "{mode}");
                });
            }
        });
    }
}

/// If handlers call each other, each must end in a jump. A handler with an ordinary call would use more
/// native stack on each execution.
#[test]
fn no_handler_keeps_native_stack() {
    const TIMES: u64 = 20_000;
    let runs = |op: &Opcode| {
        let info = op.info().unwrap();
        let leaves = matches!(info.class, Class::Exit | Class::Jump | Class::Jumpi);
        let pushes = "PUSH1 1 ".repeat(info.inputs.into());
        let immediate = match info.immediate {
            0 => String::new(),
            bytes => format!(" 0x{}", "01".repeat(bytes.into())),
        };
        let pops = if leaves {
            String::new()
        } else {
            // Uses the results, because the advanced mode would drop unused opcodes.
            "PUSH0 MSTORE ".repeat(info.outputs.into())
        };
        let body = match info.class {
            Class::Exit => return None,
            Class::Jump => "PUSH1 @on CALLDATASIZE ADD JUMP on: JUMPDEST ".to_owned(),
            Class::Jumpi => "CALLER PUSH1 @on JUMPI on: JUMPDEST ".to_owned(),
            Class::Pure
            | Class::Read
            | Class::Memory
            | Class::Machine
            | Class::Push
            | Class::Dup
            | Class::Swap
            | Class::Pop
            | Class::Pc
            | Class::Jumpdest => format!("{pushes}{op}{immediate} {pops}"),
        };
        // A second run takes operands from slots, because constants may be folded.
        let slots = "DUP1 ".repeat(info.inputs.into());
        let again = match info.class {
            Class::Exit | Class::Jump | Class::Jumpi | Class::Push => String::new(),
            Class::Pure
            | Class::Read
            | Class::Memory
            | Class::Machine
            | Class::Dup
            | Class::Swap
            | Class::Pop
            | Class::Pc
            | Class::Jumpdest => format!("{slots}{op}{immediate} {pops}"),
        };
        Some(format!(
            "PUSH3 {TIMES} top: JUMPDEST {body}{again}PUSH1 1 SWAP1 SUB DUP1 PUSH1 @top JUMPI"
        ))
    };
    // Forms that no single opcode covers: wide products and quotients, powers of two, memory expansion.
    let forms = [
        "CALLER NOT DUP1 MUL PUSH0 MSTORE",
        "CALLER NOT CALLDATASIZE NOT SDIV PUSH0 MSTORE",
        "PUSH1 2 DUP2 SDIV PUSH0 MSTORE PUSH1 2 CALLER NOT SDIV PUSH1 32 MSTORE",
        "PUSH1 64 MLOAD CALLER DUP2 MSTORE DUP2 DUP2 PUSH1 32 ADD MSTORE PUSH1 64 ADD PUSH1 64 MSTORE",
    ];
    let forms = forms.map(|form| {
        let again = "PUSH1 1 SWAP1 SUB DUP1 PUSH1 @top JUMPI";
        (
            form.to_owned(),
            format!("PUSH3 {TIMES} top: JUMPDEST {form} {again}"),
        )
    });
    for (op, source) in (0..=255)
        .map(Opcode)
        .filter(|op| op.info().is_some())
        .filter_map(|op| Some((op.to_string(), runs(&op)?)))
        .chain(forms)
    {
        let scene = Scene::asm(&source).gas(HUGE);
        let statuses = on_a_stack_of(64 << 10, || {
            Mode::ALL.map(|mode| {
                let settings = Settings {
                    hot_threshold: 1,
                    ..Settings::eager()
                };
                let mut interpreter = Interpreter::with_settings(mode, scene.fork, settings);
                interpreter
                    .execute(scene.message.clone(), &mut scene.before())
                    .status
            })
        });
        assert_eq!(statuses, [statuses[0]; 2], "{op}");
    }
}

#[test]
fn interpreters_move_between_threads() {
    let scene = Scene::asm("PUSH1 1 PUSH0 SSTORE");
    let expected = scene.run_all();
    for mode in Mode::ALL {
        let mut interpreter = Interpreter::new(mode, scene.fork);
        for _ in 0..2 {
            assert_eq!(
                on_a_small_stack(|| scene.run_on(&mut interpreter)),
                expected
            );
        }
    }
}

/// Maximum size of deployed code.
const LONGEST: usize = 24_576;

fn hostile() -> impl Iterator<Item = (String, Vec<u8>)> {
    let repeated = |source: &str| {
        let unit = assemble(source);
        let code = unit.iter().copied().cycle().take(LONGEST).collect();
        (format!("{source}, repeated"), code)
    };
    let bytes = (0..=255).map(|byte| (format!("0x{byte:02x}, repeated"), vec![byte; LONGEST]));
    let random = (0..16_u64).map(|seed| {
        let word = |i: u64| keccak256(&[seed.to_be_bytes(), i.to_be_bytes()].concat()).0;
        let code = (0..LONGEST as u64 / 32).flat_map(word).collect();
        (format!("random bytes {seed}"), code)
    });
    let units = [
        "PUSH0 PUSH0 JUMPI",
        "PUSH1 0 JUMPI",
        "JUMPDEST PUSH0 JUMP",
        "JUMPDEST PUSH2 24575 JUMP",
        "JUMPDEST GAS PUSH1 1 JUMPI",
        "JUMPDEST PC JUMP",
        "JUMPDEST PC PUSH1 5 ADD JUMP",
        "JUMPDEST MSIZE MLOAD POP",
        "PUSH32 0x5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b POP",
        "GAS POP",
        "PUSH0 SLOAD POP",
        "PUSH0 PUSH0 LOG0",
        "PUSH0 PUSH0 PUSH0 CREATE POP",
        "CODESIZE PUSH0 PUSH0 CODECOPY",
        "PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 ADDRESS GAS CALL POP",
    ];
    bytes.chain(random).chain(units.into_iter().map(repeated))
}

#[test]
fn hostile_code_has_the_same_result_in_all_modes() {
    for (name, code) in hostile() {
        for gas in [100_000, 400_000] {
            let scene = Scene::new(&code).gas(gas);
            let seen = scene.run_all().any_halt();
            assert_eq!(seen, reference::run(&scene).any_halt(), "{name}");
        }
    }
}

#[test]
fn code_may_exceed_the_deployment_limit() {
    for len in [1 << 16, (1 << 20) - 1, 1 << 20, (1 << 20) + 1] {
        let mut code = vec![Opcode::JUMPDEST.0; len];
        // A jump to the last byte, and one back.
        let head = assemble(&format!("CALLDATASIZE ISZERO PUSH3 {} MUL JUMP", len - 1));
        code[..head.len()].copy_from_slice(&head);
        let seen = Scene::new(&code).run_all();
        assert_eq!(seen.status, Status::Success, "{len}");
        let scene = Scene::new(&code);
        assert!(scene.message.gas - seen.gas_left < 100, "{len}");
    }
}

#[test]
fn dropped_programs_are_translated_again() {
    let mut interpreter = Interpreter::new(Mode::Advanced, Fork::Osaka);
    // Each program takes half a megabyte.
    let scene = |n: u8| {
        let mut code = assemble(&format!("PUSH1 {n} PUSH0 SSTORE"));
        code.resize(LONGEST, Opcode::JUMPDEST.0);
        Scene::new(&code)
    };
    for n in (1..=250).chain(1..=3) {
        let scene = scene(n);
        let mut world = scene.before();
        interpreter.execute(scene.message, &mut world);
        let (key, value) = world.get(&CONTRACT).unwrap().storage().next().unwrap();
        assert_eq!((key, value), (Word::ZERO, Word::from(u64::from(n))));
    }
}
