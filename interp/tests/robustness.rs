//! Hostile programs use no more memory than their gas pays for. The tests count the bytes that a message
//! allocates, which are the same on every machine. `advanced/translate/tests.rs` bounds the work of the
//! translator on hostile code, and `depth.rs` checks that all modes agree on it.

mod common;

use common::{EOA, NOBODY, PEERS, Scene, reference};
use evmscope_interp::{Halt, Interpreter, Mode, Outcome, Settings, Status, Word};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system allocator, with counters per thread.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static TOTAL: Cell<usize> = const { Cell::new(0) };
    /// May be negative: memory may be freed on a different thread from the one that allocated it.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(taken: usize, given_back: usize) {
    TOTAL.set(TOTAL.get() + taken);
    LIVE.set(LIVE.get() + taken as isize - given_back as isize);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

// SAFETY: the system's allocator does all the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: guaranteed by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: guaranteed by the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: guaranteed by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: guaranteed by the caller.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Bytes allocated by a message.
struct Allocated {
    /// Total, including freed bytes, so that useless copies are visible.
    total: usize,
    /// Maximum at one time.
    peak: usize,
}

/// Runs the scene. The world and the interpreter are made before counting starts.
fn measure(scene: &Scene, mode: Mode) -> (Outcome, Allocated) {
    let mut world = scene.before();
    let mut interpreter = Interpreter::new(mode, scene.fork);
    let (total, live) = (TOTAL.get(), LIVE.get());
    PEAK.set(live);
    let outcome = interpreter.execute(scene.message.clone(), &mut world);
    let allocated = Allocated {
        total: TOTAL.get() - total,
        peak: (PEAK.get() - live) as usize,
    };
    (outcome, allocated)
}

/// The gas limit of a current block.
const BLOCK: u64 = 36_000_000;

const MIB: usize = 1 << 20;

#[test]
fn input_is_not_copied_by_calls() {
    // 1 MiB of memory is paid for once and passed with every call.
    let address = |address: alloy_primitives::Address| format!("{:#x}", Word::from(address));
    let identity = "4".to_owned();
    for (op, value) in [
        ("CALL", "PUSH0"),
        ("CALLCODE", "PUSH0"),
        ("DELEGATECALL", ""),
        ("STATICCALL", ""),
    ] {
        for (to, gas) in [
            (address(PEERS[0]), "GAS"),
            (address(EOA), "GAS"),
            (address(NOBODY), "GAS"),
            (identity.clone(), "PUSH0"),
        ] {
            let scene = Scene::asm(&format!(
                "PUSH1 1 PUSH3 0xfffff MSTORE8
                 top: JUMPDEST PUSH0 PUSH0 PUSH3 0x100000 PUSH0 {value} PUSH32 {to} {gas} {op} POP
                 PUSH2 10000 GAS GT PUSH1 @top JUMPI"
            ))
            .contract(PEERS[0], "CALLDATASIZE POP")
            .gas(BLOCK / 4);
            for mode in Mode::ALL {
                let (outcome, allocated) = measure(&scene, mode);
                assert_eq!(outcome.status, Status::Success);
                // The caller's memory, rounded up, and a little per call.
                let limit = 3 * MIB + outcome.gas_used as usize / 8;
                assert!(
                    allocated.total <= limit,
                    "{mode}, {op} of {to}: {} bytes for {} gas",
                    allocated.total,
                    outcome.gas_used
                );
            }
        }
    }
}

/// Programs that spend a block's gas on one kind of work.
fn bombs() -> Vec<(&'static str, Scene)> {
    let peer = "PUSH20 0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1";
    let forever = |body: &str| Scene::asm(&format!("PUSH0 top: JUMPDEST {body} PUSH1 @top JUMP"));
    let calls_and = |then: &str, callee: &str| {
        forever(&format!(
            "PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 {peer} PUSH3 3000000 CALL POP {then}"
        ))
        .contract(PEERS[0], callee)
    };
    let calls = |callee: &str| calls_and("", callee);
    vec![
        ("nothing", forever("")),
        ("memory", forever("MSIZE MLOAD POP")),
        ("hashes", forever("MSIZE PUSH0 KECCAK256 MSIZE MSTORE")),
        ("copies of code", forever("CODESIZE PUSH0 MSIZE CODECOPY")),
        ("slots", forever("PUSH1 1 ADD DUP1 DUP1 SSTORE")),
        (
            "writes to one slot",
            forever("PUSH1 1 ADD DUP1 PUSH0 SSTORE"),
        ),
        ("reads of slots", forever("PUSH1 1 ADD DUP1 SLOAD POP")),
        ("transient slots", forever("PUSH1 1 ADD DUP1 DUP1 TSTORE")),
        (
            "writes to one transient slot",
            forever("PUSH1 1 ADD DUP1 PUSH0 TSTORE"),
        ),
        ("logs", forever("PUSH0 PUSH0 LOG0")),
        ("long logs", forever("PUSH3 100000 PUSH0 LOG0")),
        ("accounts", forever("PUSH1 1 ADD DUP1 BALANCE POP")),
        ("creations", forever("PUSH0 PUSH0 PUSH0 CREATE POP")),
        (
            "creations of long code",
            // Init code: PUSH2 24576 PUSH0 RETURN
            forever("PUSH5 0x6160005ff3 PUSH0 MSTORE PUSH1 5 PUSH1 27 PUSH0 CREATE POP"),
        ),
        ("calls", calls("STOP")),
        (
            "calls that change state and revert",
            calls("PUSH1 1 PUSH0 TSTORE PUSH0 PUSH0 REVERT"),
        ),
        ("return data", calls("PUSH3 0x100000 PUSH0 RETURN")),
        ("reverting with data", calls("PUSH3 0x100000 PUSH0 REVERT")),
        (
            "copies of return data",
            calls_and(
                "RETURNDATASIZE PUSH0 PUSH0 RETURNDATACOPY",
                "PUSH3 0x100000 PUSH0 RETURN",
            ),
        ),
        (
            "failing calls",
            calls(
                "PUSH32 0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff MLOAD",
            ),
        ),
        (
            "recursion",
            forever("PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 ADDRESS GAS CALL POP"),
        ),
        (
            "recursion with all of memory",
            forever(
                "CALLDATASIZE PUSH0 PUSH0 CALLDATACOPY PUSH1 1 PUSH2 1000 CALLDATASIZE ADD MSTORE
             PUSH0 PUSH0 MSIZE PUSH0 PUSH0 ADDRESS GAS CALL POP",
            ),
        ),
        (
            "recursive creations",
            forever("CODESIZE PUSH0 PUSH0 CODECOPY CODESIZE PUSH0 PUSH0 CREATE POP"),
        ),
    ]
}

#[test]
fn memory_is_bounded_by_gas() {
    // The cheapest memory per gas is that of a frame: 32 bytes for 3 gas, allocated by doubling and copied as
    // output. Everything else costs more gas per byte.
    const BYTES_PER_GAS: usize = 40;
    for (name, scene) in bombs() {
        let scene = scene.gas(BLOCK);
        for mode in Mode::ALL {
            let (outcome, allocated) = measure(&scene, mode);
            let limit = BYTES_PER_GAS * outcome.gas_used as usize;
            assert!(
                outcome.gas_used > BLOCK / 2,
                "{name} does not use its gas: {}",
                outcome.gas_used
            );
            assert!(
                allocated.total <= limit,
                "{name}, {mode}: {} bytes in total",
                allocated.total
            );
            assert!(
                allocated.peak <= limit / 4,
                "{name}, {mode}: {} bytes at one time",
                allocated.peak
            );
        }
    }
}

#[test]
fn deep_recursion_passes_big_input() {
    // Each frame passes on its input plus one byte, and returns the depth below it.
    let scene = Scene::asm(
        "CALLDATASIZE PUSH0 PUSH0 CALLDATACOPY PUSH1 1 CALLDATASIZE MSTORE8
         PUSH1 32 PUSH0 PUSH1 1 CALLDATASIZE ADD PUSH0 PUSH0 ADDRESS GAS CALL POP
         PUSH0 MLOAD PUSH1 1 ADD PUSH0 MSTORE CALLDATASIZE PUSH1 32 MSTORE PUSH1 64 PUSH0 RETURN",
    );
    let input = 64 << 10;
    let scene = scene.input(&vec![0; input]).gas(1 << 50);
    let seen = scene.run_all();
    assert_eq!(seen, reference::run(&scene));
    assert_eq!(seen.words(), [1_025_usize.into(), input.into()]);
    for mode in Mode::ALL {
        let (_, allocated) = measure(&scene, mode);
        // One memory per frame, rounded up to its allocation.
        let memories = 1_025 * (input + 4 * 4_096);
        assert!(
            allocated.peak < 2 * memories,
            "{mode}: {} bytes",
            allocated.peak
        );
    }
}

#[test]
fn memory_that_gas_cannot_pay_for_is_not_allocated() {
    let max = format!("{:#x}", Word::MAX);
    let zeros = |count: usize| "PUSH0 ".repeat(count);
    for size in [
        "0x100000001",
        "0x7fffffffffffffff",
        "0xffffffffffffffff",
        "0x10000000000000000",
        &max,
    ] {
        for program in [
            format!("PUSH32 {size} MLOAD"),
            format!("PUSH0 PUSH32 {size} MSTORE"),
            format!("PUSH0 PUSH32 {size} MSTORE8"),
            format!("PUSH32 {size} PUSH0 KECCAK256"),
            format!("PUSH32 {size} PUSH0 PUSH0 CALLDATACOPY"),
            format!("PUSH32 {size} PUSH0 PUSH0 CODECOPY"),
            format!("PUSH32 {size} PUSH0 PUSH0 PUSH0 EXTCODECOPY"),
            format!("PUSH32 {size} PUSH0 PUSH0 MCOPY"),
            format!("PUSH1 1 PUSH32 {size} PUSH0 MCOPY"),
            format!("PUSH32 {size} PUSH0 LOG0"),
            format!("PUSH32 {size} PUSH0 RETURN"),
            format!("PUSH32 {size} PUSH0 REVERT"),
            format!("PUSH32 {size} PUSH0 PUSH0 CREATE"),
            format!("PUSH0 PUSH32 {size} PUSH0 PUSH0 CREATE2"),
            format!("PUSH32 {size} {} CALL", zeros(6)),
            format!("PUSH0 PUSH0 PUSH32 {size} {} CALL", zeros(4)),
            format!("PUSH32 {size} {} DELEGATECALL", zeros(5)),
        ] {
            let scene = Scene::asm(&program).gas(1 << 62);
            for mode in Mode::ALL {
                let (outcome, allocated) = measure(&scene, mode);
                assert!(
                    matches!(
                        outcome.status,
                        Status::Halt(Halt::OutOfGas | Halt::InitCodeSizeLimit)
                    ),
                    "{program}: {}",
                    outcome.status
                );
                assert!(
                    allocated.total < 1 << 16,
                    "{mode}, {program}: {} bytes",
                    allocated.total
                );
            }
        }
    }
}

#[test]
fn code_too_long_to_translate_is_counted_for_each_of_its_frames() {
    const LONGEST: usize = 0xffff - 32;
    let code = |len: usize| {
        let source = "CALLDATASIZE PUSH1 @end JUMPI
             PUSH0 PUSH0 PUSH1 1 PUSH0 PUSH0 ADDRESS GAS CALL end: JUMPDEST";
        let mut code = common::assemble(source);
        code.resize(len, 0);
        code
    };
    let statistics = |len, mode| {
        let scene = Scene::new(&code(len));
        Interpreter::with_settings(mode, scene.fork, Settings::eager())
            .execute(scene.message.clone(), &mut scene.before())
            .statistics
    };
    let advanced = statistics(LONGEST, Mode::Advanced);
    assert_eq!((advanced.frames, advanced.refused), (2, 0));
    assert!(advanced.translated > 0);
    let refused = statistics(LONGEST + 1, Mode::Advanced);
    assert_eq!(
        (refused.frames, refused.translated, refused.refused),
        (2, 0, 2)
    );
    let traditional = statistics(LONGEST + 1, Mode::Traditional);
    assert_eq!(
        (
            traditional.frames,
            traditional.translated,
            traditional.refused
        ),
        (2, 0, 0)
    );
    Scene::new(&code(LONGEST + 1)).run_all();
}

#[test]
fn the_longest_code_ends_after_its_last_push() {
    // Offsets of 16 bits would wrap to offset 31 here, which fails.
    for length in [65_503, 65_504, 65_534, 65_535, 65_536] {
        let mut code = vec![0xfe; length];
        let start = common::assemble("PUSH3 0 JUMP");
        code[..start.len()].copy_from_slice(&start);
        let end = length - 4;
        code[1..4].copy_from_slice(&(end as u32).to_be_bytes()[1..]);
        code[end..].copy_from_slice(&common::assemble("JUMPDEST CALLER CALLER DATA 0x7f"));
        assert_eq!(
            Scene::new(&code).run_all().status,
            Status::Success,
            "{length} bytes"
        );
    }
}
