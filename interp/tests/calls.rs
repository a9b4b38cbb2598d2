//! Calls, creations, SELFDESTRUCT and precompiles, in every mode: whose name and storage code runs on,
//! the gas it is given, what comes back, and what is undone. Every scene is run on `revm` too.

mod common;

use alloy_primitives::{Address, B256, address, keccak256};
use common::{
    CALLER, CONTRACT, EOA, NOBODY, PEERS, PLENTY, Scene, Seen, assemble, reference, words,
};
use evmscope_interp::world::Account;
use evmscope_interp::{EMPTY_HASH, Fork, Halt, Status, Word};

const PEER: Address = PEERS[0];
const OTHER: Address = PEERS[1];

/// Runs the scene in every mode and on the reference.
#[track_caller]
fn run(scene: &Scene) -> Seen {
    let seen = scene.run_all();
    let expected = reference::run(scene).any_halt();
    assert_eq!(seen.clone().any_halt(), expected, "against the reference");
    seen
}

/// Runs the scene, which succeeds; the gas it used.
#[track_caller]
fn gas(scene: &Scene) -> u64 {
    let seen = run(scene);
    assert_eq!(seen.status, Status::Success);
    scene.message.gas - seen.gas_left
}

fn numbers<const N: usize>(numbers: [u64; N]) -> Vec<Word> {
    numbers.map(Word::from).to_vec()
}

/// A call without input, its output from 0 on, 32 bytes of it; `GAS` is all of it.
fn call(op: &str, gas: &str, to: Address, value: u64) -> String {
    let value = match op {
        "CALL" | "CALLCODE" => format!("PUSH3 {value}"),
        _ => String::new(),
    };
    format!("PUSH1 32 PUSH0 PUSH0 PUSH0 {value} PUSH20 {to:#x} {gas} {op} ")
}

const KINDS: [&str; 4] = ["CALL", "CALLCODE", "DELEGATECALL", "STATICCALL"];

/// Returns the words on the stack, the top first.
fn give(count: usize) -> String {
    let save: String = (0..count)
        .map(|i| format!("PUSH2 {} MSTORE ", 32 * i))
        .collect();
    format!("{save} PUSH2 {} PUSH0 RETURN ", 32 * count)
}

/// Leaves the gas that `source`, which leaves one word, takes.
fn metered(source: &str) -> String {
    format!("GAS {source} POP GAS SWAP1 SUB PUSH1 4 SWAP1 SUB ")
}

/// Init code that deploys this code.
fn deploys(runtime: &[u8]) -> Vec<u8> {
    let head = format!(
        "PUSH2 {} DUP1 PUSH1 @code PUSH0 CODECOPY PUSH0 RETURN code:",
        runtime.len()
    );
    let head = assemble(&head);
    [&head, runtime].concat()
}

/// Puts init code of at most 32 bytes into memory and creates with it.
fn create(init: &[u8], value: u64) -> String {
    format!("{} PUSH3 {value} CREATE ", init_in_memory(init))
}

/// Puts init code into memory and leaves its length and offset.
fn init_in_memory(init: &[u8]) -> String {
    assert!((1..=32).contains(&init.len()));
    let digits = alloy_primitives::hex::encode(init);
    let (len, at) = (init.len(), 32 - init.len());
    format!("PUSH{len} 0x{digits} PUSH0 MSTORE PUSH1 {len} PUSH1 {at} ")
}

// Whose name.

#[test]
fn callees_see_who_calls_whom_with_what() {
    let view = format!("CALLVALUE CALLER ADDRESS {}", give(3));
    for (kind, expected) in [
        ("CALL", [PEER.into(), CONTRACT.into(), Word::from(2_u64)]),
        (
            "CALLCODE",
            [CONTRACT.into(), CONTRACT.into(), Word::from(2_u64)],
        ),
        (
            "DELEGATECALL",
            [CONTRACT.into(), CALLER.into(), Word::from(5_u64)],
        ),
        ("STATICCALL", [PEER.into(), CONTRACT.into(), Word::ZERO]),
    ] {
        let source = format!(
            "{} POP PUSH1 96 PUSH0 PUSH0 RETURNDATACOPY PUSH1 96 PUSH0 RETURN",
            call(kind, "GAS", PEER, 2)
        );
        let seen = run(&Scene::asm(&source).contract(PEER, &view).value(5));
        assert_eq!(seen.words(), expected, "{kind}");
        let moved = if kind == "CALL" { 2 } else { 0 };
        assert_eq!(
            seen.accounts[&PEER].balance,
            Word::from(moved as u64),
            "{kind}"
        );
    }
}

#[test]
fn callees_write_to_the_storage_of_their_name() {
    for (kind, owner) in [
        ("CALL", PEER),
        ("CALLCODE", CONTRACT),
        ("DELEGATECALL", CONTRACT),
    ] {
        let scene = Scene::asm(&call(kind, "GAS", PEER, 0)).contract(PEER, "PUSH1 9 PUSH0 SSTORE");
        let seen = run(&scene);
        for address in [CONTRACT, PEER] {
            let written = !seen.accounts[&address].storage.is_empty();
            assert_eq!(written, address == owner, "{kind} {address}");
        }
    }
}

#[test]
fn callees_get_the_input_and_the_range_gets_the_output() {
    let echo = "CALLDATASIZE PUSH0 PUSH0 CALLDATACOPY CALLDATASIZE PUSH0 RETURN";
    let filler = "ee".repeat(32);
    for (len, given) in [(0, ""), (2, "0011"), (3, "001122"), (5, "001122")] {
        // Input: 3 bytes at 29. Output: `len` bytes at 33.
        let source = format!(
            "PUSH2 0x1122 PUSH0 MSTORE PUSH32 0x{filler} PUSH1 32 MSTORE
             PUSH1 {len} PUSH1 33 PUSH1 3 PUSH1 29 PUSH0 PUSH20 {PEER:#x} GAS CALL
             PUSH1 32 MLOAD RETURNDATASIZE {}",
            give(3)
        );
        let seen = run(&Scene::asm(&source).contract(PEER, echo));
        let memory = format!("0xee{given}{}", &filler[2 + given.len()..]);
        assert_eq!(seen.words(), words(&format!("3 {memory} 1")), "{len} bytes");
    }
}

// Gas.

#[test]
fn calls_are_paid_by_access_value_and_new_accounts() {
    let (warm, cold, value, stipend, new) = (100, 2_600, 9_000, 2_300, 25_000);
    for (op, to, wei, expected) in [
        ("CALL", EOA, 0, cold),
        ("CALL", CALLER, 0, warm),
        ("CALL", NOBODY, 0, cold),
        ("CALL", EOA, 1, cold + value - stipend),
        ("CALL", NOBODY, 1, cold + value + new - stipend),
        ("CALLCODE", NOBODY, 1, cold + value - stipend),
        ("CALLCODE", EOA, 0, cold),
        ("DELEGATECALL", EOA, 0, cold),
        ("STATICCALL", NOBODY, 0, cold),
        // Not enough to send: the call fails, and its gas and the stipend come back.
        ("CALL", EOA, 11, cold + value - stipend),
        ("CALL", NOBODY, 11, cold + value + new - stipend),
        ("CALLCODE", EOA, 11, cold + value - stipend),
    ] {
        for gas_given in ["PUSH0", "GAS"] {
            let source = metered(&call(op, gas_given, to, wei)) + &give(1);
            let seen = run(&Scene::asm(&source).balance(10));
            let pushes = if op.starts_with("CALL") { 15 } else { 12 } + 2 - 3 + 3;
            let memory = 3;
            let words = seen.words();
            assert_eq!(
                words,
                numbers([expected + pushes + memory]),
                "{op} {to} {wei} {gas_given}"
            );
        }
    }
}

#[test]
fn a_second_access_is_warm() {
    let call = call("CALL", "PUSH0", EOA, 0);
    let once = gas(&Scene::asm(&call));
    let twice = gas(&Scene::asm(&format!("{call}{call}")));
    // The second one grows no memory either.
    assert_eq!(twice - once, once - 2_500 - 3);
}

#[test]
fn callees_get_at_most_all_but_a_64th() {
    let tell = format!("GAS {}", give(1));
    let source = |request: &str| {
        format!(
            "{} POP {}",
            call("CALL", request, PEER, 0),
            "PUSH1 32 PUSH0 RETURN"
        )
    };
    let told = |request: &str| {
        let scene = Scene::asm(&source(request))
            .contract(PEER, &tell)
            .gas(100_000);
        run(&scene).words()[0].to_u64().unwrap()
    };
    // Pushes, memory and the cold account come first; GAS takes 2.
    let left = 100_000 - (3 + 2 + 2 + 2 + 3 + 3) - 3 - 2_600;
    assert_eq!(told("GAS"), left - 2 - (left - 2) / 64 - 2);
    assert_eq!(
        told("PUSH32 0x10000000000000000"),
        left - 3 - (left - 3) / 64 - 2
    );
    assert_eq!(told("PUSH2 5000"), 5_000 - 2);
    // A callee that cannot run at all takes what it was given and no more.
    let failing = Scene::asm(&call("CALL", "PUSH2 5000", PEER, 0)).contract(PEER, "INVALID");
    assert_eq!(gas(&failing), 18 + 3 + 2_600 + 5_000);
}

#[test]
fn value_brings_a_stipend() {
    let tell = format!("GAS {}", give(1));
    for (request, expected) in [("PUSH0", 2_300), ("PUSH2 1000", 3_300)] {
        for kind in ["CALL", "CALLCODE"] {
            let source = format!("{} POP PUSH1 32 PUSH0 RETURN", call(kind, request, PEER, 1));
            let seen = run(&Scene::asm(&source).contract(PEER, &tell).balance(1));
            assert_eq!(seen.words(), numbers([expected - 2]), "{kind} {request}");
        }
    }
}

#[test]
fn creations_get_all_but_a_64th() {
    // Init code: GAS PUSH0 MSTORE PUSH1 32 PUSH0 RETURN
    let init = assemble(&format!("GAS {}", "PUSH0 MSTORE PUSH1 32 PUSH0 RETURN"));
    let source = create(&init, 0) + "PUSH1 32 PUSH0 PUSH0 DUP4 EXTCODECOPY PUSH1 32 PUSH0 RETURN";
    let seen = run(&Scene::asm(&source).gas(100_000));
    let left = 100_000 - (3 + 2 + 3 + 3) - 9 - 32_000 - 2;
    assert_eq!(seen.words(), numbers([left - left / 64 - 2]));
}

// What comes back.

#[test]
fn return_data_is_that_of_the_last_call() {
    let (five, fail) = ("PUSH1 5 PUSH0 RETURN", "PUSH1 6 PUSH0 REVERT");
    for (source, expected) in [
        (call("CALL", "GAS", PEER, 0), 5),
        (call("CALL", "GAS", OTHER, 0), 6),
        (call("CALL", "PUSH0", PEER, 0), 0),
        (
            call("CALL", "GAS", PEER, 0) + &call("CALL", "GAS", EOA, 0),
            0,
        ),
        (
            call("CALL", "GAS", PEER, 0) + &call("CALL", "GAS", EOA, 99),
            0,
        ),
        (call("CALL", "GAS", OTHER, 0) + &create(&[0], 0), 0),
        (call("CALL", "GAS", OTHER, 0) + &create(&[0], 99), 0),
        (create(&assemble("PUSH1 7 PUSH0 REVERT"), 0), 7),
        (create(&assemble("PUSH1 7 PUSH0 RETURN"), 0), 0),
        (create(&assemble("INVALID"), 0), 0),
    ] {
        let scene = Scene::asm(&format!("{source} RETURNDATASIZE {}", give(1)))
            .contract(PEER, five)
            .contract(OTHER, fail);
        assert_eq!(run(&scene).words(), numbers([expected]), "{source}");
    }
}

#[test]
fn return_data_cannot_be_overread() {
    let scene = |range: &str| {
        let source = format!(
            "{} {range} PUSH0 RETURNDATACOPY",
            call("CALL", "GAS", PEER, 0)
        );
        Scene::asm(&source).contract(PEER, "PUSH1 5 PUSH0 RETURN")
    };
    for (range, inside) in [
        ("PUSH1 5 PUSH0", true),
        ("PUSH0 PUSH1 5", true),
        ("PUSH1 2 PUSH1 3", true),
        ("PUSH1 6 PUSH0", false),
        ("PUSH1 3 PUSH1 3", false),
        ("PUSH0 PUSH1 6", false),
        ("PUSH0 PUSH0 NOT", false),
        ("PUSH1 1 PUSH0 NOT", false),
        ("PUSH8 0xffffffffffffffff PUSH1 2", false),
    ] {
        let expected = if inside {
            Status::Success
        } else {
            Status::Halt(Halt::ReturnDataOutOfBounds)
        };
        assert_eq!(run(&scene(range)).status, expected, "{range}");
    }
}

#[test]
fn calls_tell_success() {
    for kind in KINDS {
        for (callee, expected) in [
            ("STOP", 1_u64),
            ("PUSH1 1 PUSH0 RETURN", 1),
            ("", 1),
            ("PUSH0 PUSH0 REVERT", 0),
            ("INVALID", 0),
            ("ADD", 0),
            ("JUMP", 0),
            ("DATA 0x0c", 0),
            ("top: JUMPDEST PUSH1 @top JUMP", 0),
        ] {
            let source = call(kind, "PUSH2 5000", PEER, 0) + &give(1);
            let seen = run(&Scene::asm(&source).contract(PEER, callee));
            assert_eq!(seen.words(), numbers([expected]), "{kind} {callee}");
        }
    }
}

// What is undone.

#[test]
fn failed_callees_leave_nothing() {
    let change = format!(
        "PUSH1 1 PUSH1 7 SSTORE PUSH1 1 PUSH1 7 TSTORE PUSH0 PUSH0 LOG0 {} {} ",
        create(&[0], 0),
        call("CALL", "GAS", NOBODY, 1)
    );
    for (end, kept) in [
        ("STOP", true),
        ("PUSH0 PUSH0 REVERT", false),
        ("INVALID", false),
    ] {
        let source = call("CALL", "PUSH3 200000", PEER, 3) + "PUSH1 7 TLOAD POP";
        let seen = run(&Scene::asm(&source)
            .contract(PEER, &format!("{change}{end}"))
            .balance(3));
        let peer = &seen.accounts[&PEER];
        assert_eq!(peer.storage.len(), usize::from(kept), "{end}");
        assert_eq!(seen.logs.len(), usize::from(kept), "{end}");
        assert_eq!(peer.nonce, if kept { 2 } else { 1 }, "{end}");
        assert_eq!(
            peer.balance,
            Word::from(if kept { 2_u64 } else { 0 }),
            "{end}"
        );
        assert_eq!(seen.accounts.contains_key(&NOBODY), kept, "{end}");
        assert_eq!(seen.accounts.len(), if kept { 6 } else { 4 }, "{end}");
    }
}

#[test]
fn failed_callees_leave_nothing_warm() {
    for (end, slot, account) in [
        ("STOP", 100, 100),
        ("PUSH0 PUSH0 REVERT", 2_100, 2_600),
        ("INVALID", 2_100, 2_600),
    ] {
        let touch = format!("PUSH1 7 SLOAD PUSH20 {EOA:#x} BALANCE {end}");
        let source = format!(
            "{} POP {} {} {}",
            call("DELEGATECALL", "PUSH3 50000", PEER, 0),
            metered("PUSH1 7 SLOAD"),
            metered(&format!("PUSH20 {EOA:#x} BALANCE")),
            give(2)
        );
        let seen = run(&Scene::asm(&source).contract(PEER, &touch));
        assert_eq!(seen.words(), numbers([account + 3, slot + 3]), "{end}");
    }
}

#[test]
fn transient_slots_are_undone_and_belong_to_an_account() {
    let set = "PUSH1 9 PUSH0 TSTORE";
    for (kind, end, expected) in [
        ("DELEGATECALL", "STOP", 9),
        ("DELEGATECALL", "PUSH0 PUSH0 REVERT", 4),
        ("CALL", "STOP", 4),
    ] {
        let source = format!(
            "PUSH1 4 PUSH0 TSTORE {} POP PUSH0 TLOAD {}",
            call(kind, "GAS", PEER, 0),
            give(1)
        );
        let seen = run(&Scene::asm(&source).contract(PEER, &format!("{set} {end}")));
        assert_eq!(seen.words(), numbers([expected]), "{kind} {end}");
    }
}

#[test]
fn refunds_are_summed_over_calls_that_succeed() {
    let clear = "PUSH0 PUSH0 SSTORE";
    for (own, callee, expected) in [
        ("", "PUSH0 PUSH0 SSTORE", 4_800),
        ("PUSH0 PUSH1 1 SSTORE", "PUSH0 PUSH0 SSTORE", 9_600),
        ("PUSH0 PUSH1 1 SSTORE", "PUSH0 PUSH0 SSTORE INVALID", 4_800),
        ("", "PUSH0 PUSH0 SSTORE PUSH0 PUSH0 REVERT", 0),
        // The callee takes back what its caller cleared.
        (clear, "PUSH1 1 PUSH0 SSTORE", 2_800),
        (clear, "PUSH1 3 PUSH0 SSTORE", 0),
    ] {
        let source = format!("{own} {}", call("DELEGATECALL", "PUSH3 50000", PEER, 0));
        let seen = run(&Scene::asm(&source)
            .contract(PEER, callee)
            .slot(0, 1)
            .slot(1, 1));
        assert_eq!(seen.refund, expected, "{own} / {callee}");
    }
    let reverted = run(&Scene::asm(&format!("{clear} PUSH0 PUSH0 REVERT")).slot(0, 1));
    assert_eq!(reverted.refund, 0);
}

// Static calls.

#[test]
fn static_is_inherited() {
    // STATICCALL of PEER, which calls OTHER, which changes something.
    for kind in KINDS {
        for (change, allowed) in [
            ("PUSH0 PUSH0 SSTORE", false),
            ("PUSH0 PUSH0 LOG0", false),
            ("PUSH0 PUSH0 PUSH0 CREATE", false),
            ("PUSH0 SLOAD", true),
        ] {
            let outer = call("STATICCALL", "PUSH3 100000", PEER, 0) + "POP PUSH1 32 PUSH0 RETURN";
            let middle = call(kind, "PUSH2 40000", OTHER, 0) + &give(1);
            let seen = run(&Scene::asm(&outer)
                .contract(PEER, &middle)
                .contract(OTHER, change));
            assert_eq!(seen.words(), numbers([allowed.into()]), "{kind} {change}");
        }
    }
    // Afterwards the caller may change things again.
    let source = call("STATICCALL", "GAS", PEER, 0) + "PUSH0 SSTORE";
    assert_eq!(
        run(&Scene::asm(&source).contract(PEER, "STOP")).slot(0),
        Word::ONE
    );
}

// Precompiles.

#[test]
fn precompiles_run_and_fail() {
    let identity =
        "PUSH2 0xabcd PUSH0 MSTORE PUSH1 4 PUSH1 32 PUSH1 3 PUSH1 29 PUSH0 PUSH1 4 GAS CALL
                    RETURNDATASIZE PUSH1 64 MSTORE PUSH1 96 MSTORE PUSH1 128 PUSH0 RETURN";
    let seen = run(&Scene::asm(identity));
    let expected = words(&format!("0xabcd 0x00abcd{} 3 1", "00".repeat(29)));
    assert_eq!(seen.words(), expected);

    // A point that is not on the curve: all gas given is gone, the value comes back.
    let add = "PUSH1 1 PUSH0 MSTORE PUSH0 PUSH0 PUSH1 64 PUSH0 PUSH1 5 PUSH1 6 PUSH2 10000 CALL";
    let scene = Scene::asm(&format!("{add} RETURNDATASIZE {}", give(2))).balance(9);
    let seen = run(&scene);
    assert_eq!(seen.words(), words("0 0"));
    assert_eq!(seen.accounts[&CONTRACT].balance, Word::from(9_u64));
    assert!(PLENTY - seen.gas_left > 10_000 + 2_300);

    // Too little gas.
    let sha = Address::with_last_byte(2);
    for (given, expected) in [(59, 0_u64), (60, 1)] {
        let source = call("STATICCALL", &format!("PUSH1 {given}"), sha, 0) + &give(1);
        assert_eq!(run(&Scene::asm(&source)).words(), numbers([expected]));
    }
    // With any kind of call, and as the message itself.
    for kind in KINDS {
        let source = call(kind, "GAS", sha, 0) + "POP PUSH1 32 PUSH0 RETURN";
        let expected = Word::from_be_slice(&alloy_primitives::hex!(
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        ));
        assert_eq!(run(&Scene::asm(&source)).words(), [expected], "{kind}");
    }
}

#[test]
fn precompiles_come_with_their_forks() {
    let p256 = address!("0x0000000000000000000000000000000000000100");
    let map_g2 = Address::with_last_byte(0x11);
    for (to, fork, exists) in [
        (p256, Fork::Prague, false),
        (p256, Fork::Osaka, true),
        (map_g2, Fork::Cancun, false),
        (map_g2, Fork::Prague, true),
    ] {
        // Without input the first succeeds and the second fails; both take their gas.
        let taken = gas(&Scene::asm(&call("CALL", "PUSH2 40000", to, 0)).fork(fork));
        assert_eq!(taken > 6_000, exists, "{to} at {fork}");
    }
}

// Delegations (EIP-7702).

const DELEGATED: Address = Address::repeat_byte(0xd0);

fn designator(to: Address) -> Account {
    Account::contract(&[&[0xef, 0x01, 0x00], to.as_slice()].concat())
}

#[test]
fn delegations_run_the_target_in_the_name_of_the_account() {
    let source = call("CALL", "GAS", DELEGATED, 0) + "POP PUSH1 32 PUSH0 RETURN";
    let target = format!("PUSH1 7 PUSH0 SSTORE ADDRESS {}", give(1));
    for fork in [Fork::Prague, Fork::Osaka] {
        let scene = Scene::asm(&source)
            .fork(fork)
            .with(DELEGATED, designator(PEER))
            .contract(PEER, &target);
        let seen = run(&scene);
        assert_eq!(seen.words(), [Word::from(DELEGATED)]);
        assert_eq!(seen.accounts[&DELEGATED].storage.len(), 1);
        assert_eq!(seen.accounts[&PEER].storage.len(), 0);
    }
    // Before Prague it is code, which starts with an undefined opcode.
    let before = Scene::asm(&(call("CALL", "PUSH2 9000", DELEGATED, 0) + &give(1)))
        .fork(Fork::Cancun)
        .with(DELEGATED, designator(PEER))
        .contract(PEER, "STOP");
    assert_eq!(before.run_all().words(), [Word::ZERO]);
}

#[test]
fn delegations_are_followed_once() {
    for (to, code, expected) in [
        // To another delegation: the designator is no code to run.
        (OTHER, Some(designator(PEER)), 0),
        (DELEGATED, None, 0),
        // To nothing, and to a precompile, which counts as no code.
        (NOBODY, None, 1),
        (Address::with_last_byte(2), None, 1),
    ] {
        let source =
            call("CALL", "PUSH2 9000", DELEGATED, 0) + &format!("RETURNDATASIZE {}", give(2));
        let mut scene = Scene::asm(&source)
            .with(DELEGATED, designator(to))
            .contract(PEER, "STOP");
        if let Some(code) = code {
            scene = scene.with(to, code);
        }
        assert_eq!(run(&scene).words(), numbers([0, expected]), "{to}");
    }
}

#[test]
fn delegations_are_paid_as_a_second_access() {
    for kind in KINDS {
        for (to, expected) in [
            (PEER, 2_600 + 2_600),
            (CALLER, 2_600 + 100),
            (DELEGATED, 2_600 + 100),
        ] {
            let call = call(kind, "PUSH0", DELEGATED, 0);
            let plain = gas(&Scene::asm(&call).with(DELEGATED, Account::contract(&[0])));
            let scene = Scene::asm(&call)
                .with(DELEGATED, designator(to))
                .contract(PEER, "STOP");
            assert_eq!(gas(&scene) - plain + 2_600, expected, "{kind} {to}");
        }
    }
}

#[test]
fn delegations_are_seen_as_their_designator() {
    let code = designator(PEER).code.bytes().to_vec();
    let source = format!(
        "PUSH20 {DELEGATED:#x} EXTCODEHASH PUSH20 {DELEGATED:#x} EXTCODESIZE
         PUSH1 32 PUSH0 PUSH1 64 PUSH20 {DELEGATED:#x} EXTCODECOPY
         PUSH0 MSTORE PUSH1 32 MSTORE PUSH1 96 PUSH0 RETURN"
    );
    let scene = Scene::asm(&source)
        .with(DELEGATED, designator(PEER))
        .contract(PEER, "STOP");
    let words = run(&scene).words();
    assert_eq!(words[..2], [Word::from(23_u64), keccak256(&code).into()]);
    assert_eq!(words[2].to_be_bytes()[..23], code);
}

// Creations.

#[test]
fn creations_make_accounts() {
    let runtime = assemble("PUSH1 1 STOP");
    let init = deploys(&runtime);
    let seen = run(&Scene::asm(&(create(&init, 7) + &give(1))).balance(9));
    let created = CONTRACT.create(1);
    assert_eq!(seen.words(), [Word::from(created)]);
    let account = &seen.accounts[&created];
    assert_eq!((account.nonce, account.balance), (1, Word::from(7_u64)));
    assert_eq!(account.code_hash, keccak256(&runtime));
    assert_eq!(seen.accounts[&CONTRACT].nonce, 2);
    assert_eq!(seen.accounts[&CONTRACT].balance, Word::from(2_u64));
}

#[test]
fn creations_with_salt_have_addresses_of_their_own() {
    for (salt, init) in [
        (0_u64, &[0][..]),
        (0xfeed, &[0]),
        (0xcafe_babe, &[0x5f, 0x5f, 0xf3]),
    ] {
        let source = format!(
            "PUSH5 {salt} {} PUSH0 CREATE2 {}",
            init_in_memory(init),
            give(1)
        );
        let created = CONTRACT.create2(B256::from(Word::from(salt)), keccak256(init));
        assert_eq!(
            run(&Scene::asm(&source)).words(),
            [Word::from(created)],
            "{salt}"
        );
    }
}

#[test]
fn creations_count_the_nonce_of_their_creator() {
    let twice = create(&[0], 0) + &create(&[0], 0) + &give(2);
    let seen = run(&Scene::asm(&twice));
    assert_eq!(
        seen.words(),
        [CONTRACT.create(2).into(), Word::from(CONTRACT.create(1))]
    );
    // A creation that fails counts, one that is refused does not.
    for failing in ["INVALID", "PUSH0 PUSH0 REVERT"] {
        let seen = run(&Scene::asm(&create(&assemble(failing), 0)));
        assert_eq!(seen.accounts[&CONTRACT].nonce, 2, "{failing}");
    }
    let seen = run(&Scene::asm(&(create(&[0], 99) + &give(1))));
    assert_eq!(
        (seen.words(), seen.accounts[&CONTRACT].nonce),
        (words("0"), 1)
    );
    // Init code creates with the nonce 1 of the account it makes (EIP-161).
    let nested = assemble("PUSH0 PUSH0 PUSH0 CREATE");
    let seen = run(&Scene::asm(&create(&nested, 0)));
    let first = CONTRACT.create(1);
    assert_eq!(seen.accounts[&first].nonce, 2);
    assert!(seen.accounts.contains_key(&first.create(1)));
}

#[test]
fn creations_are_paid_by_the_word_and_the_byte() {
    // STOP at once; 33 bytes of init code; 3 bytes deployed.
    let base = 32_000;
    for (source, expected) in [
        ("PUSH0 PUSH0 PUSH0 CREATE", 6 + base),
        ("PUSH1 33 PUSH0 PUSH0 CREATE", 7 + base + 2 * 2 + 6),
        ("PUSH0 PUSH0 PUSH0 PUSH0 CREATE2", 8 + base),
        (
            "PUSH0 PUSH1 33 PUSH0 PUSH0 CREATE2",
            9 + base + (2 + 6) * 2 + 6,
        ),
    ] {
        assert_eq!(gas(&Scene::asm(source)), expected, "{source}");
    }
    let deploy = assemble("PUSH1 3 PUSH0 RETURN");
    assert_eq!(
        gas(&Scene::asm(&create(&deploy, 0))),
        3 + 2 + 3 + 3 + 3 + 3 + 3 + base + 2 + (3 + 2 + 3) + 600
    );
}

#[test]
fn creations_that_cannot_pay_the_deposit_fail() {
    let deploy = assemble("PUSH1 100 PUSH0 RETURN");
    let source = create(&deploy, 0) + &format!("RETURNDATASIZE {}", give(2));
    let needs = 20_000 + 5 + 12;
    for (gas, works) in [
        (32_000 + 22 + needs * 64 / 63 + 100, true),
        (32_000 + 22 + needs, false),
    ] {
        let seen = run(&Scene::asm(&source).gas(gas));
        assert_eq!(seen.status, Status::Success);
        assert_eq!(!seen.words()[1].is_zero(), works, "{gas}");
        assert_eq!(seen.accounts[&CONTRACT].nonce, 2);
    }
}

#[test]
fn deployed_code_has_limits() {
    // EIP-170: the size; EIP-3541: the first byte.
    for (init, works) in [
        ("PUSH2 24576 PUSH0 RETURN", true),
        ("PUSH2 24577 PUSH0 RETURN", false),
        ("PUSH1 0xef PUSH0 MSTORE8 PUSH1 1 PUSH0 RETURN", false),
        ("PUSH1 0xef PUSH0 MSTORE8 PUSH0 PUSH0 RETURN", true),
        ("PUSH1 0xef PUSH1 1 MSTORE8 PUSH1 2 PUSH0 RETURN", true),
    ] {
        let seen = run(&Scene::asm(&(create(&assemble(init), 0) + &give(1))));
        assert_eq!(!seen.words()[0].is_zero(), works, "{init}");
        // As a message of its own.
        let seen = run(&Scene::asm(init).creation());
        assert_eq!(seen.created.is_some(), works, "{init}");
    }
    let status = |source: &str| Scene::asm(source).creation().run_all().status;
    assert_eq!(
        status("PUSH2 24577 PUSH0 RETURN"),
        Status::Halt(Halt::CodeSizeLimit)
    );
    assert_eq!(
        status("PUSH1 0xef PUSH0 MSTORE8 PUSH1 1 PUSH0 RETURN"),
        Status::Halt(Halt::CodePrefix)
    );
}

#[test]
fn init_code_has_a_limit() {
    // EIP-3860: the frame that asks for more fails.
    for op in [
        "PUSH2 {} PUSH0 PUSH0 CREATE",
        "PUSH0 PUSH2 {} PUSH0 PUSH0 CREATE2",
    ] {
        let status = |len: &str| run(&Scene::asm(&op.replace("{}", len))).status;
        assert_eq!(status("49152"), Status::Success);
        assert_eq!(status("49153"), Status::Halt(Halt::InitCodeSizeLimit));
    }
}

#[test]
fn taken_addresses_are_not_created() {
    let target = CONTRACT.create(1);
    let with_balance = || {
        let mut account = Account::default();
        account.balance = 5_u64.into();
        account
    };
    let with_storage = || {
        let mut account = Account::default();
        account.set_storage(Word::ONE, Word::ONE);
        account
    };
    let source = create(&[0], 0) + &format!("RETURNDATASIZE {}", give(2));
    for (name, account, free) in [
        ("a nonce and code", Account::contract(&[0]), false),
        ("a nonce", Account::contract(&[]), false),
        ("a balance", with_balance(), true),
        ("storage (EIP-7610)", with_storage(), false),
    ] {
        let scene = Scene::asm(&source).with(target, account).gas(100_000);
        // The reference does not look at storage.
        let seen = if name.starts_with("storage") {
            scene.run_all()
        } else {
            run(&scene)
        };
        assert_eq!(!seen.words()[1].is_zero(), free, "{name}");
        assert_eq!(seen.accounts[&CONTRACT].nonce, 2, "{name}");
        // The gas given is gone.
        assert_eq!(seen.gas_left < 2_000, !free, "{name}");
    }
    // The second creation with the same salt and code.
    let again = "PUSH0 PUSH0 PUSH0 PUSH0 CREATE2 ".repeat(2) + &give(2);
    let words = run(&Scene::asm(&again)).words();
    assert_eq!((words[0], words[1].is_zero()), (Word::ZERO, false));
}

#[test]
fn nonces_end() {
    let source = create(&[0], 0) + &format!("RETURNDATASIZE {}", give(2));
    let scene = Scene::asm(&source)
        .alter(|account| account.nonce = u64::MAX)
        .gas(100_000);
    let seen = run(&scene);
    assert_eq!(seen.words(), words("0 0"));
    assert_eq!(seen.accounts[&CONTRACT].nonce, u64::MAX);
    assert!(seen.gas_left > 60_000, "the gas given comes back");
}

#[test]
fn created_addresses_are_warm_even_when_reverted() {
    let access = metered(&format!("PUSH20 {:#x} BALANCE", CONTRACT.create(1)));
    for init in ["STOP", "PUSH0 PUSH0 REVERT", "INVALID"] {
        let source = create(&assemble(init), 0) + &access + &give(1);
        assert_eq!(
            run(&Scene::asm(&source)).words(),
            numbers([100 + 3]),
            "{init}"
        );
    }
}

#[test]
fn creation_messages_tell_the_address() {
    let runtime = assemble("PUSH1 1 STOP");
    let mut scene = Scene::new(&deploys(&runtime)).creation().value(3);
    let seen = run(&scene);
    let created = CALLER.create(0);
    assert_eq!(
        (seen.status, seen.created),
        (Status::Success, Some(created))
    );
    assert!(seen.output.is_empty());
    assert_eq!(seen.accounts[&created].code_hash, keccak256(&runtime));
    assert_eq!(seen.accounts[&created].balance, Word::from(3_u64));
    assert_eq!(seen.accounts[&CALLER].nonce, 1);

    scene.message.value = Word::MAX;
    let refused = run(&scene);
    assert_eq!(refused.status, Status::Halt(Halt::InsufficientBalance));
    assert_eq!(refused.gas_left, PLENTY);

    let reverted = run(&Scene::asm("PUSH1 9 PUSH0 REVERT").creation());
    assert_eq!((reverted.status, reverted.created), (Status::Revert, None));
    assert_eq!(reverted.output[..], [0; 9]);
    assert_eq!(reverted.accounts[&CALLER].nonce, 1);
}

#[test]
fn value_that_is_not_there_is_refused_for_nothing() {
    let seen = run(&Scene::asm("PUSH1 1 PUSH0 SSTORE").value(1_000_001));
    assert_eq!(seen.status, Status::Halt(Halt::InsufficientBalance));
    assert_eq!(seen.gas_left, PLENTY);
    assert_eq!(seen.slot(0), Word::ZERO);
}

// SELFDESTRUCT.

fn destroy(to: Address) -> String {
    format!("PUSH20 {to:#x} SELFDESTRUCT ")
}

#[test]
fn selfdestruct_moves_the_balance_and_ends_the_frame() {
    let (base, cold, new) = (3 + 5_000, 2_600, 25_000);
    for (to, wei, expected) in [
        (EOA, 9, base + cold),
        (EOA, 0, base + cold),
        (NOBODY, 9, base + cold + new),
        (NOBODY, 0, base + cold),
        (CALLER, 9, base),
        (CONTRACT, 9, base),
    ] {
        let scene = Scene::asm(&(destroy(to) + "INVALID"))
            .balance(wei)
            .slot(0, 1);
        let seen = run(&scene);
        assert_eq!((seen.status, seen.refund), (Status::Success, 0));
        assert_eq!(PLENTY - seen.gas_left, expected, "{to} {wei}");
        // It was there before: only the balance goes (EIP-6780).
        let kept = if to == CONTRACT { wei } else { 0 };
        assert_eq!(
            seen.accounts[&CONTRACT].balance,
            Word::from(kept),
            "{to} {wei}"
        );
        assert_ne!(seen.accounts[&CONTRACT].code_hash, EMPTY_HASH);
        assert_eq!(seen.slot(0), Word::ONE);
        let got = seen.accounts.get(&to).map(|account| account.balance);
        if to == NOBODY {
            assert_eq!(got.unwrap_or_default(), Word::from(wei));
        }
    }
}

#[test]
fn selfdestruct_deletes_what_its_transaction_created() {
    let target = CONTRACT.create(1);
    for to in [EOA, target] {
        // In init code, and in a call of the code deployed.
        let init = assemble(&destroy(to));
        let at_once = create(&init, 5);
        let later = format!(
            "PUSH20 {PEER:#x} EXTCODESIZE DUP1 PUSH0 PUSH0 PUSH20 {PEER:#x} EXTCODECOPY PUSH0 PUSH1 5 CREATE {}",
            call("CALL", "GAS", target, 4)
        );
        for source in [at_once, later] {
            let scene = Scene::asm(&source)
                .with(PEER, Account::contract(&deploys(&init)))
                .balance(20);
            let seen = run(&scene);
            assert_eq!(seen.status, Status::Success);
            assert!(!seen.accounts.contains_key(&target), "{to}: {source}");
            let lost = Word::from(1_000_000_u64).wrapping_sub(seen.accounts[&EOA].balance);
            assert_eq!(to == EOA, !lost.is_zero(), "{to}: {source}");
        }
    }
}

#[test]
fn selfdestruct_is_undone_with_its_frame() {
    let target = CONTRACT.create(1);
    // Creates, then has it destroyed by a callee that reverts.
    let init = deploys(&assemble(&destroy(EOA)));
    let source = format!(
        "PUSH20 {OTHER:#x} EXTCODESIZE DUP1 PUSH0 PUSH0 PUSH20 {OTHER:#x} EXTCODECOPY PUSH0 PUSH1 5 CREATE {}",
        call("CALL", "GAS", PEER, 0)
    );
    let reverts = call("CALL", "GAS", target, 0) + "PUSH0 PUSH0 REVERT";
    let scene = Scene::asm(&source)
        .with(OTHER, Account::contract(&init))
        .contract(PEER, &reverts)
        .balance(5);
    let seen = run(&scene);
    assert_eq!(seen.accounts[&target].balance, Word::from(5_u64));
    assert_eq!(seen.accounts[&EOA].balance, Word::from(1_000_000_u64));
}
