//! Every opcode in every mode: that its row in the table is true, what it computes, what it costs, and
//! each way to fail. Calls, creations and SELFDESTRUCT have a file of their own, `calls.rs`.

mod common;

use alloy_primitives::{Address, B256, keccak256};
use common::{
    CONTRACT, EOA, FORKS, NOBODY, PEERS, PLENTY, Scene, assemble, check, check_gas, check_halt,
    check_in, pushes, reference, word, words,
};
use evmscope_interp::{Fork, Halt, Interpreter, Mode, Opcode, Status, Word};
use revm::bytecode::opcode::OpCode;

// The table.

/// Amsterdam's, which no fork here has.
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

/// Status, gas, output, logs and state of each opcode, at each fork, with operands of many sorts: with
/// gas in plenty, with as much as it takes, and with one less.
#[test]
fn every_opcode_ends_as_on_revm() {
    let peer = format!("{:#x}", Word::from(PEERS[0]));
    let operands = [
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
    ];
    for operands in operands {
        for op in (0..=255).map(Opcode) {
            let code = [
                assemble(&pushes(&words(operands))),
                vec![op.0],
                vec![0; op.immediate()],
                // The height of the stack and its top item show in the output.
                assemble("PUSH1 0 MSTORE MSIZE PUSH1 32 MSTORE PUSH1 64 PUSH1 0 RETURN"),
            ]
            .concat();
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

/// Opcodes behind which nothing runs when their operands are 0.
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

/// So many zeros, the opcode, so many POPs.
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
    // In one block, and in one that is entered with items on the stack.
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

/// What a failing opcode broke first: the stack before gas, and operands last.
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

// 0x01 to 0x1e: operands, the first one on top, and the result.

#[test]
fn arithmetic_gives() {
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
fn comparisons_and_bits_give() {
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
fn exponents_are_paid_by_the_byte() {
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

// Stack and control flow.

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
fn pushes_cut_short_read_zeros() {
    // Nothing can look at the item: running off the end is a STOP.
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
    // Any bit of the condition counts; a target that is not taken need not be one.
    check(
        &format!(
            "PUSH32 {} PUSH1 @on JUMPI PUSH1 1 on: JUMPDEST",
            Word([0, 0, 0, 1 << 63])
        ),
        "",
    );
    check("PUSH0 PUSH1 1 JUMPI PUSH1 9", "9");
    check("PUSH0 PUSH0 NOT JUMPI PUSH1 9", "9");
    // The same, with targets that only show when they run.
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
            "data of a push, conditionally",
            "PUSH1 1 PUSH1 6 JUMPI PUSH1 0x5b",
        ),
        ("beyond the code", "PUSH1 200 JUMP JUMPDEST"),
        ("right behind the code", "PUSH1 4 JUMP JUMPDEST"),
        (
            "far beyond the code",
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
    // GAS takes 2, POP 2, MSTORE 3 and 3 for the word, PUSH1 3 each.
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

// 0x20 to 0x4a: the environment.

#[test]
fn environment_is_told() {
    let scene = Scene::asm("").balance(1_000).value(5).input(&[1, 2, 3]);
    let environment = common::environment();
    let hex = |word: Word| word.to_string();
    let block = |n: u64| hex(Word::from(keccak256(n.to_string())));
    let rows = [
        ("ADDRESS", hex(CONTRACT.into())),
        ("ORIGIN", hex(environment.origin.into())),
        ("CALLER", hex(common::CALLER.into())),
        ("CALLVALUE", "5".into()),
        ("CALLDATASIZE", "3".into()),
        ("PUSH0 CALLDATALOAD", format!("0x010203{}", "00".repeat(29))),
        ("PUSH1 2 CALLDATALOAD", format!("0x03{}", "00".repeat(31))),
        ("PUSH1 3 CALLDATALOAD", "0".into()),
        ("PUSH0 NOT CALLDATALOAD", "0".into()),
        ("GASPRICE", "13".into()),
        ("RETURNDATASIZE", "0".into()),
        ("COINBASE", hex(environment.coinbase.into())),
        ("TIMESTAMP", "1700000000".into()),
        ("NUMBER", "300".into()),
        ("PREVRANDAO", hex(environment.prevrandao)),
        ("GASLIMIT", "36000000".into()),
        ("CHAINID", "1".into()),
        ("SELFBALANCE", "1005".into()),
        ("ADDRESS BALANCE", "1005".into()),
        ("BASEFEE", "7".into()),
        ("BLOBBASEFEE", "11".into()),
        ("PUSH0 BLOBHASH", hex(B256::repeat_byte(0xb0).into())),
        ("PUSH1 1 BLOBHASH", hex(B256::repeat_byte(0xb1).into())),
        ("PUSH1 2 BLOBHASH", "0".into()),
        ("PUSH0 NOT BLOBHASH", "0".into()),
        ("PUSH2 299 BLOCKHASH", block(299)),
        ("PUSH2 44 BLOCKHASH", block(44)),
        ("PUSH2 43 BLOCKHASH", "0".into()),
        ("PUSH2 300 BLOCKHASH", "0".into()),
        ("PUSH0 NOT BLOCKHASH", "0".into()),
    ];
    for (source, expected) in rows {
        check_in(scene.clone(), source, &expected);
    }
    assert_eq!(
        Scene::asm("CODESIZE PUSH0 MSTORE PUSH1 32 PUSH0 RETURN")
            .run_all()
            .words(),
        words("7")
    );
}

#[test]
fn accounts_are_told_and_paid() {
    let code = assemble("PUSH1 1 STOP");
    let hash = Word::from(keccak256(&code)).to_string();
    let empty = Word::from(keccak256([])).to_string();
    let scene = Scene::asm("").contract(PEERS[0], "PUSH1 1 STOP");
    let push = |address: Address| format!("PUSH20 {address:#x} ");
    for (address, op, expected) in [
        (EOA, "BALANCE", "1000000"),
        (NOBODY, "BALANCE", "0"),
        (PEERS[0], "EXTCODESIZE", "3"),
        (EOA, "EXTCODESIZE", "0"),
        (PEERS[0], "EXTCODEHASH", &hash),
        (EOA, "EXTCODEHASH", &empty),
        (NOBODY, "EXTCODEHASH", "0"),
    ] {
        check_in(scene.clone(), &(push(address) + op), expected);
        // Cold, then warm (EIP-2929); bits above the address do not count.
        let once = push(address) + op;
        let again = format!("{once} PUSH32 0xff{:0>62} {op}", format!("{address:x}"));
        let account = scene.world.get(&address).cloned().unwrap_or_default();
        let twice = |source: &str| Scene::asm(source).with(address, account.clone());
        check_gas(&twice(&once), 2_603);
        check_gas(&twice(&again), 2_603 + 103);
    }
    // The receiver, the sender, the coinbase and the precompiles are warm from the start.
    for address in ["ADDRESS", "CALLER", "ORIGIN", "COINBASE"] {
        check_gas(&Scene::asm(&format!("{address} BALANCE")), 102);
    }
    check_gas(&Scene::asm("PUSH1 1 BALANCE"), 103);
    check_gas(&Scene::asm("PUSH1 0x11 BALANCE").fork(Fork::Prague), 103);
    check_gas(&Scene::asm("PUSH1 0x11 BALANCE").fork(Fork::Cancun), 2_603);
    check_gas(&Scene::asm("PUSH2 0x100 BALANCE").fork(Fork::Osaka), 103);
    check_gas(&Scene::asm("PUSH2 0x100 BALANCE").fork(Fork::Prague), 2_603);
}

// 0x20, 0x37 to 0x3e, 0x51 to 0x5e: memory.

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
        // Forwards, backwards and onto itself (EIP-5656).
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
    // MCOPY grows for what it reads as for what it writes.
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
fn memory_is_paid_by_the_word() {
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

// 0x54, 0x55, 0x5c, 0x5d: storage.

#[test]
fn slots_are_cold_once() {
    check_gas(&Scene::asm("PUSH0 SLOAD"), 2 + 2_100);
    check_gas(&Scene::asm("PUSH0 SLOAD PUSH0 SLOAD"), 4 + 2_200);
    check_gas(&Scene::asm("PUSH0 SLOAD PUSH1 1 SLOAD"), 5 + 4_200);
    // The load behind it: a store alone would need more gas than it takes.
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

/// The table of EIP-3529: slots warm, the value before the transaction, the values stored.
#[test]
fn stores_are_paid_by_what_they_change() {
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
    // A store that changes nothing takes 100, but 2,301 must be there (EIP-2200).
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

// 0xa0 to 0xa4: logs.

#[test]
fn logs_hold_topics_and_data() {
    for count in 0..=4 {
        let topics: String = (1..=count).rev().map(|i| format!("PUSH1 {i} ")).collect();
        let source = format!("PUSH2 0xabcd PUSH0 MSTORE {topics} PUSH1 3 PUSH1 29 LOG{count}");
        let seen = Scene::asm(&source).run_all();
        let [log] = &seen.logs[..] else {
            panic!("{} logs", seen.logs.len())
        };
        assert_eq!(log.address, CONTRACT);
        assert_eq!(log.data.data[..], [0, 0xab, 0xcd]);
        let expected: Vec<_> = (1..=count)
            .map(|i: u64| B256::from(Word::from(i)))
            .collect();
        assert_eq!(log.topics(), expected);
    }
    let reverted = Scene::asm("PUSH0 PUSH0 LOG0 PUSH0 PUSH0 REVERT").run_all();
    assert_eq!(reverted.logs, []);
}

// Static calls.

#[test]
fn nothing_changes_in_a_static_call() {
    for (source, allowed) in [
        ("PUSH0 PUSH0 SSTORE", false),
        ("PUSH0 PUSH0 TSTORE", false),
        ("PUSH0 PUSH0 LOG0", false),
        ("PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 LOG4", false),
        ("PUSH0 PUSH0 PUSH0 CREATE", false),
        ("PUSH0 PUSH0 PUSH0 PUSH0 CREATE2", false),
        ("PUSH0 SELFDESTRUCT", false),
        ("PUSH0 PUSH0 PUSH0 PUSH0 PUSH1 1 PUSH0 PUSH0 CALL", false),
        ("PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 CALL", true),
        ("PUSH0 PUSH0 PUSH0 PUSH0 PUSH1 1 PUSH0 PUSH0 CALLCODE", true),
        ("PUSH0 SLOAD PUSH0 TLOAD", true),
    ] {
        let expected = if allowed {
            Status::Success
        } else {
            Status::Halt(Halt::StaticViolation)
        };
        assert_eq!(
            Scene::asm(source).in_static().run_all().status,
            expected,
            "{source}"
        );
        assert_eq!(
            Scene::asm(source).run_all().status,
            Status::Success,
            "{source}"
        );
    }
}
