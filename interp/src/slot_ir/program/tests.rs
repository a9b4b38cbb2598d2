//! Programs filled with generated traces: their size, their entries, their links.

use super::*;
use crate::slot_ir::instruction::{JUMP, JUMP_FITTING, LEAVE, RESUME};
use arbitrary::{Result, Unstructured};
use proptest::prelude::*;

/// The header of an entry at `pc`.
fn header(pc: usize) -> Cell {
    let header = Header {
        gas: 9,
        least: 0,
        most: 32,
        pc: pc as u16,
    };
    header.cell()
}

/// A trace of so many cells, every other one a memory access, which ends by leaving for other entries.
fn encoded(pc: usize, cells: usize, to: &[u16]) -> EncodedTrace {
    let mut trace = EncodedTrace {
        cells: vec![Cell::new(RESUME, [0; 3]); cells + 1],
        ..EncodedTrace::default()
    };
    trace.cells[0] = header(pc);
    trace.accesses = (1..=cells as u16).step_by(2).map(|at| (at, at)).collect();
    for to in to {
        trace.leaves.push(trace.cells.len() as u16);
        trace.cells.push(Cell::new(LEAVE, [*to, 0, 0]));
    }
    trace
}

/// A program with so many decoded bytes per bytecode byte.
fn program(code: &[u8], budget: usize) -> Program {
    let bytes = budget * code.len();
    Program::new(&Arc::new(Code::new(code)), 24, bytes, Techniques::ALL)
}

/// Adds or refuses traces at random offsets, as a translator does.
fn fill(u: &mut Unstructured, program: &mut Program) -> Result<()> {
    let length = program.code.len();
    for _ in 0..2 * length {
        let pc = u.int_in_range(0..=length - 1)?;
        if program.entry(pc).is_some() || program.refuses(pc) {
            continue;
        }
        let cells = u.int_in_range(1..=120)?;
        let to = [u.int_in_range(0..=length - 1)? as u16, pc as u16];
        let trace = encoded(pc, cells, &to[..u.int_in_range(0..=2)?]);
        if program.affords(trace.cells.len(), trace.accesses.len()) {
            program.add(pc, &trace);
            let at = program.entry(pc).expect("it was added");
            assert_eq!(program.stream[at], header(pc));
            assert_eq!(program.pending(at + 1), 1);
        } else {
            program.refuse(pc);
            assert!(program.entry(pc).is_none() && program.refuses(pc));
        }
        assert!(
            program.size() <= program.budget,
            "{} bytes of {}, {length} bytes of code",
            program.size(),
            program.budget
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_budget_is_never_exceeded(
        budget in 1_usize..=16,
        code in prop::collection::vec(prop_oneof![Just(0x5b_u8), Just(0x01)], 64..1024),
        bytes in prop::collection::vec(any::<u8>(), 16..4096),
    ) {
        let mut program = program(&code, budget);
        fill(&mut Unstructured::new(&bytes), &mut program).unwrap();
    }
}

#[test]
fn refused_entries_count_in_the_budget() {
    let mut program = program(&[0x5b; 24_576], 4);
    let mut pc = 0;
    while program.affords(400, 0) {
        program.add(pc, &encoded(pc, 399, &[]));
        pc += 1;
    }
    for pc in pc..program.code.len() {
        program.refuse(pc);
        assert!(program.refuses(pc));
    }
    assert!(program.size() <= program.budget);
    assert!(!program.refuses(0), "it has an entry");
}

#[test]
fn exits_become_jumps_once_the_entry_exists() {
    let mut program = program(&[0x5b; 64], 64);
    program.add(3, &encoded(3, 1, &[5, 3]));
    let (first, leave) = (program.entry(3).unwrap(), 3);
    // The jump to itself skips the stack check; the other exit is linked only when its entry exists.
    assert_eq!(program.stream[leave + 1].0[0], JUMP_FITTING);
    assert_eq!(program.stream[leave].0, [LEAVE, 5, 0, 0]);
    program.link(leave);
    assert_eq!(program.stream[leave].0, [LEAVE, 5, 0, 0]);

    program.add(5, &encoded(5, 1, &[3]));
    let second = program.entry(5).unwrap();
    program.link(leave);
    assert_eq!(
        program.stream[leave].0,
        [JUMP, (second - leave) as u16, 0, 0]
    );
    let [number, distance, ..] = program.stream[second + 2].0;
    let to = (second + 2) as isize + distance as i16 as isize;
    assert_eq!((number, to), (JUMP, first as isize));
}

#[test]
fn entries_are_found_at_jumpdests_and_elsewhere() {
    // JUMPDEST, PUSH1 with a JUMPDEST's byte, ADD, JUMPDEST
    let mut program = program(&[0x5b, 0x60, 0x5b, 0x01, 0x5b], 64);
    for pc in [4, 3, 0] {
        program.add(pc, &encoded(pc, 2, &[]));
    }
    let found: Vec<_> = (0..5).map(|pc| program.entry(pc).is_some()).collect();
    assert_eq!(found, [true, false, false, true, true]);
    // Only jumpdests are jump destinations.
    let jumps: Vec<_> = (0..6).map(|pc| program.jumpdest(pc).is_some()).collect();
    assert_eq!(jumps, [true, false, false, false, true, false]);
}

#[test]
fn entry_points_become_hot_after_enough_visits() {
    let mut program = program(&[0x5b; 64], 4);
    let reached = (0..100).take_while(|_| !program.count(8)).count();
    assert_eq!(reached, 24);
    assert!(program.is_warm(8) && !program.is_warm(16));
    program.refuse(8);
    assert!(program.refuses(8), "and its counter restarts");
    assert!(!program.count(8));
}
