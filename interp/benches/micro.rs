//! The time of single opcodes in each mode: `make bench`, or `cargo bench -p evmscope-interp --bench micro --
//! ADD`.
//!
//! A body is repeated in straight-line code inside a loop, on operands that are unknown at translation time.
//! The result is in items per second, where an item is one execution of the body; the loop takes less than 1
//! % of the time. `evmscope bench` measures whole contracts.

use alloy_primitives::{Address, B256};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use evmscope_interp::world::{Account, World};
use evmscope_interp::{
    Code, Environment, Fork, Interpreter, Message, Mode, Settings, Status, asm, keccak256,
};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

fn main() {
    divan::main();
}

/// Copies of the body in the code, and iterations of the loop.
const REPEATED: usize = 200;
const LOOPS: usize = 100;

/// Bodies that keep the height of the stack. Two words of call data are on it; the body works on the upper
/// one.
const BODIES: [(&str, &str); 34] = [
    ("PUSH1 POP", "PUSH1 1 POP"),
    ("PUSH32 POP", "PUSH32 1 POP"),
    ("DUP2 POP", "DUP2 POP"),
    ("SWAP1", "SWAP1"),
    ("ADD", "DUP2 ADD"),
    ("MUL", "DUP2 MUL"),
    ("SUB", "DUP2 SUB"),
    ("DIV", "DUP2 DIV"),
    ("SDIV", "DUP2 SDIV"),
    ("MOD", "DUP2 MOD"),
    ("SMOD", "DUP2 SMOD"),
    ("ADDMOD", "DUP2 DUP1 ADDMOD"),
    ("MULMOD", "DUP2 DUP1 MULMOD"),
    ("EXP", "PUSH1 3 EXP"),
    ("SIGNEXTEND", "PUSH1 7 SIGNEXTEND"),
    ("LT", "DUP2 LT"),
    ("GT", "DUP2 GT"),
    ("SLT", "DUP2 SLT"),
    ("SGT", "DUP2 SGT"),
    ("EQ", "DUP2 EQ"),
    ("ISZERO", "ISZERO"),
    ("AND", "DUP2 AND"),
    ("OR", "DUP2 OR"),
    ("XOR", "DUP2 XOR"),
    ("NOT", "NOT"),
    ("BYTE", "PUSH1 31 BYTE"),
    ("SHL", "PUSH1 3 SHL"),
    ("SHR", "PUSH1 3 SHR"),
    ("SAR", "PUSH1 3 SAR"),
    ("MSTORE MLOAD", "PUSH1 64 MSTORE PUSH1 64 MLOAD"),
    ("KECCAK256", "PUSH1 64 MSTORE PUSH1 32 PUSH1 64 KECCAK256"),
    ("SLOAD", "SLOAD"),
    ("JUMP", "PUSH2 @here JUMP here: JUMPDEST"),
    ("JUMPI", "DUP2 PUSH2 @here JUMPI here: JUMPDEST"),
];

struct Opcode {
    name: &'static str,
    body: &'static str,
    mode: Mode,
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:12} {}", self.name, self.mode)
    }
}

fn opcodes() -> impl Iterator<Item = Opcode> {
    let modes = [Mode::Traditional, Mode::Advanced];
    BODIES
        .into_iter()
        .flat_map(move |(name, body)| modes.map(|mode| Opcode { name, body, mode }))
}

impl Opcode {
    fn code(&self) -> Vec<u8> {
        // Each copy needs its own label.
        let bodies: String = (0..REPEATED)
            .map(|n| self.body.replace("here", &format!("here{n}")) + "\n")
            .collect();
        let source = format!(
            "PUSH2 {LOOPS} PUSH1 32 CALLDATALOAD PUSH0 CALLDATALOAD
             again: JUMPDEST {bodies}
             SWAP2 PUSH1 1 SWAP1 SUB SWAP2
             DUP3 PUSH2 @again JUMPI
             PUSH0 MSTORE PUSH1 32 PUSH0 RETURN"
        );
        asm::assemble(&source).expect("the body is assembly")
    }
}

/// An interpreter that has run the code before, its world, and the message.
fn warm(code: &[u8], mode: Mode) -> (Interpreter, World, Message) {
    let mut world = World::new(Environment::default());
    let contract = Address::repeat_byte(0xc0);
    world.insert(contract, Account::contract(code));
    let mut input = vec![0; 64];
    input[24..32].copy_from_slice(&0x0123_4567_89ab_cdef_u64.to_be_bytes());
    input[60..].copy_from_slice(&1_000_003_u32.to_be_bytes());
    let message = Message::call(Address::ZERO, contract, input.into(), 1 << 40);
    let mut interpreter = Interpreter::new(mode, Fork::Osaka);
    let outcome = interpreter.execute(message.clone(), &mut world);
    let whole = outcome.status == Status::Success && outcome.output.len() == 32;
    assert!(whole, "the benchmark failed: {outcome:?}");
    (interpreter, world, message)
}

#[divan::bench(args = opcodes())]
fn opcode(bencher: Bencher, opcode: &Opcode) {
    let (mut interpreter, mut world, message) = warm(&opcode.code(), opcode.mode);
    bencher
        .counter(ItemsCount::new(REPEATED * LOOPS))
        .with_inputs(|| message.clone())
        .bench_local_values(|message| interpreter.execute(message, &mut world));
}

#[divan::bench(args = [0, 32, 64, 135, 136, 1024, 24_576])]
fn keccak(bencher: Bencher, len: usize) {
    hash(bencher, len, keccak256);
}

/// For comparison, the permutation that other clients use: the crate `keccak`, through alloy.
#[divan::bench(args = [32, 64, 1024])]
fn keccak_of_alloy(bencher: Bencher, len: usize) {
    hash(bencher, len, |bytes| alloy_primitives::keccak256(bytes));
}

fn hash(bencher: Bencher, len: usize, hash: fn(&[u8]) -> B256) {
    let bytes = vec![0xa5; len];
    bencher
        .counter(BytesCount::new(len))
        .bench_local(|| hash(black_box(&bytes)));
}

/// The code of the project's cases, and code that is slow to translate.
fn contracts() -> Vec<Contract> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases");
    let mut contracts: Vec<_> = std::fs::read_dir(&cases)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let folder = entry.ok()?.path();
            let text = std::fs::read_to_string(folder.join("code.hex")).ok()?;
            let code = alloy_primitives::hex::decode(text.trim()).ok()?;
            let name = folder.file_name()?.to_string_lossy().into_owned();
            Some(Contract { name, code })
        })
        .collect();
    contracts.sort_by(|a, b| a.name.cmp(&b.name));
    let largest = contracts.iter().max_by_key(|contract| contract.code.len());
    let full = largest.map(|contract| contract.code.iter().copied().cycle().take(24_576).collect());
    let made = [
        ("largest case tiled to 24 KB", full.unwrap_or_default()),
        ("24 KB of JUMPDEST", vec![0x5b; 24_576]),
        (
            "24 KB of JUMPI",
            [0x5b, 0x5f, 0x35, 0x5f, 0x57].repeat(24_576 / 5),
        ),
    ];
    let made = made.map(|(name, code)| Contract {
        name: name.to_owned(),
        code,
    });
    contracts.into_iter().chain(made).collect()
}

struct Contract {
    name: String,
    code: Vec<u8>,
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The jump destination analysis, which both modes need.
#[divan::bench(args = contracts())]
fn analyse(bencher: Bencher, contract: &Contract) {
    bencher
        .counter(BytesCount::of_slice(&contract.code))
        .bench_local(|| Code::new(black_box(&contract.code)));
}

/// Translation of all entry points, hot or not.
#[divan::bench(args = contracts())]
fn translate(bencher: Bencher, contract: &Contract) {
    let code = Arc::new(Code::new(&contract.code));
    let mut interpreter =
        Interpreter::with_settings(Mode::Advanced, Fork::Osaka, Settings::default());
    bencher
        .counter(BytesCount::of_slice(&contract.code))
        .bench_local(|| {
            interpreter.forget();
            interpreter.translate(&code)
        });
}
