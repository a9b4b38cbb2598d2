//! Hostile code, translated at every entry point: the work must be linear in the code size, and the result
//! must fit the budget.

use super::*;
use crate::fork::Fork;
use crate::{asm, keccak256};
use std::cell::Cell;
use std::sync::Arc;

thread_local! {
    static STEPS: Cell<usize> = const { Cell::new(0) };
}

/// Counts an opcode that the walker visits.
pub(super) fn step() {
    STEPS.set(STEPS.get() + 1);
}

/// The longest code that can be deployed (EIP-170).
const DEPLOYABLE: usize = 24_576;

/// Code that repeats each byte, alone and after a JUMPDEST; sequences that the walker follows; and random
/// bytes.
fn hostile(len: usize) -> impl Iterator<Item = (String, Vec<u8>)> {
    let fill = move |unit: &[u8]| unit.iter().copied().cycle().take(len).collect();
    let alone = (0..=255).map(move |byte| (format!("0x{byte:02x}"), fill(&[byte])));
    // Many jumpdests take long, so only the first and last opcode of each class.
    let entered = [
        0x00, 0x01, 0x0b, 0x15, 0x20, 0x39, 0x51, 0x52, 0x54, 0x56, 0x57, 0x60, 0x7f, 0x80, 0x8f,
        0x9f, 0xa4,
    ]
    .into_iter()
    .map(move |byte| (format!("JUMPDEST 0x{byte:02x}"), fill(&[0x5b, byte])));
    let units = [
        "PUSH1 0 JUMPI",
        "PUSH1 1 JUMP",
        "JUMPDEST PUSH0 JUMPI",
        "JUMPDEST PUSH0 JUMP",
        "JUMPDEST DUP1 JUMPI",
        "JUMPDEST DUP16 DUP16 JUMPI",
        "JUMPDEST LOG4 DUP1 DUP1 JUMPI",
        "JUMPDEST CALLER PUSH0 MSTORE CALLER MLOAD",
        "ISZERO ISZERO ISZERO ISZERO ISZERO PUSH0 JUMPI",
        "ISZERO PUSH1 0",
        "DUP1 DUP2",
        "SWAP1 POP",
        "PUSH32 0x5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b",
        "CALL JUMPDEST GAS",
    ];
    let repeated = units
        .into_iter()
        .map(move |source| (source.to_owned(), fill(&asm::assemble(source).unwrap())));
    let noise = (0..8_u8).map(move |seed| {
        let word = |i: usize| keccak256(&[&[seed], &i.to_be_bytes()[..]].concat()).0;
        let bytes = (0..len.div_ceil(32)).flat_map(word).collect();
        (format!("noise {seed}"), bytes)
    });
    alone.chain(entered).chain(repeated).chain(noise)
}

/// Translates or refuses all entry points of code, with so many decoded bytes per bytecode byte. Returns the program and the number of opcodes visited.
fn translate(code: &[u8], budget: usize) -> (Program, usize) {
    let code = Arc::new(Code::new(code));
    let mut program = Program::new(&code, 24, budget * code.len(), Techniques::ALL);
    let mut translator = Translator::new(Fork::Osaka, 6, Techniques::ALL);
    STEPS.set(0);
    for pc in entry_points(&code) {
        if !translator.translate(&mut program, pc) {
            program.refuse(pc);
        }
    }
    (program, STEPS.get())
}

/// One test for both properties, because translation is slow.
#[test]
fn work_and_memory_are_linear_in_the_code() {
    // In the worst case, each byte is an entry point and is walked from twice, each time up to a limit.
    let most = (LONG.opcodes + SHORT.opcodes + 2) as usize;
    for (name, code) in hostile(DEPLOYABLE) {
        let (program, steps) = translate(&code, 4);
        assert!(steps > 0, "the walker counts");
        assert!(
            steps <= most * code.len(),
            "{name}: {steps} visits for {} bytes",
            code.len()
        );
        let size = program.size();
        assert!(size <= 4 * code.len(), "{name}: {size} bytes");
    }
}

/// If the work grew faster than the code, it would take much more than twice the visits for half of it.
#[test]
fn twice_the_code_takes_twice_the_work() {
    for (name, code) in hostile(4096).step_by(8) {
        let (_, half) = translate(&code[..2048], 4);
        let (_, whole) = translate(&code, 4);
        assert!(
            whole <= 2 * half + half / 4 + 4096,
            "{name}: {half} visits for half of the code, {whole} for all of it"
        );
    }
}
