//! Random scenes: contracts that compute, jump, store, log, hash, create and call one another, made of
//! pieces that are likely to run for a while before they fail.
//!
//! A piece is an opcode and raw numbers; what the numbers become is decided by what the operand means
//! (an offset, a slot, an account...), so that proptest can shrink them towards 0.

use super::{CALLER, CONTRACT, EOA, FORKS, NOBODY, PEERS, Scene, environment};
use alloy_primitives::{Address, address};
use evmscope_interp::world::Account;
use evmscope_interp::{Fork, Opcode, Word, asm};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, FileFailurePersistence};
use std::fmt;

/// The cases to run: `PROPTEST_CASES` of them where it is set, else `cases`. What failed is kept in
/// `tests/NAME.regressions` and tried first the next time.
pub fn config(cases: u32) -> Config {
    let default = Config::default();
    Config {
        cases: std::env::var_os("PROPTEST_CASES").map_or(cases, |_| default.cases),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        max_shrink_iters: 10_000,
        ..default
    }
}

/// An account whose code is a delegation to the first peer, since Prague (EIP-7702).
const DELEGATED: Address = address!("0xd0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0");

/// A random scene, before it is put together.
#[derive(Clone)]
pub struct Plan {
    fork: Fork,
    gas: u64,
    value: u64,
    input: Vec<u8>,
    creation: bool,
    is_static: bool,
    contracts: [Vec<Piece>; 3],
}

impl Plan {
    pub fn scene(&self) -> Scene {
        let [code, peers @ ..] = self.contracts.each_ref().map(|pieces| program(pieces));
        let mut scene = Scene::new(&code)
            .fork(self.fork)
            .gas(self.gas)
            .value(self.value)
            .slot(0, 1)
            .slot(1, 2)
            .balance(1_000);
        for (address, code) in PEERS.into_iter().zip(peers) {
            let mut peer = Account::contract(&code);
            peer.balance = 500_u64.into();
            peer.set_storage(Word::ZERO, Word::ONE);
            scene = scene.with(address, peer);
        }
        if self.fork >= Fork::Prague {
            let designator = [&[0xef, 0x01, 0x00], PEERS[0].as_slice()].concat();
            scene = scene.with(DELEGATED, Account::contract(&designator));
        }
        if self.creation {
            scene.creation()
        } else if self.is_static {
            scene.value(0).input(&self.input).in_static()
        } else {
            scene.input(&self.input)
        }
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} gas {} value {} creation {} static {} input {:02x?}",
            self.fork, self.gas, self.value, self.creation, self.is_static, self.input
        )?;
        for (address, pieces) in [CONTRACT, PEERS[0], PEERS[1]].iter().zip(&self.contracts) {
            writeln!(f, "{address}:\n{}", asm::disassemble(&program(pieces)))?;
        }
        Ok(())
    }
}

/// Raw numbers for operands.
type Draws = [u64; 7];

#[derive(Clone, Debug)]
enum Piece {
    /// An opcode behind pushes of its operands.
    Op(Opcode, Draws),
    /// A push of some width.
    Push(usize, u64),
    /// A jumpdest that jumps go to.
    Label,
    /// A jump to a label, or to anywhere; `computed`: the target is seen only when it runs.
    Jump {
        to: u64,
        computed: bool,
        condition: Option<u64>,
    },
    /// The body so many times.
    Loop(u8, Vec<Piece>),
    /// A creation: of code that runs the first body and deploys the second.
    Create(Opcode, Draws, Vec<Piece>, Vec<Piece>),
    /// Bytes as they are.
    Bytes(Vec<u8>),
}

/// Random scenes.
pub fn plans() -> impl Strategy<Value = Plan> {
    (
        select(FORKS),
        prop_oneof![4 => 100_000..600_000_u64, 1 => 0..100_000_u64],
        prop_oneof![3 => Just(0), 1 => 0..100_u64],
        vec(any::<u8>(), 0..80),
        proptest::bool::weighted(0.1),
        proptest::bool::weighted(0.05),
        [
            vec(piece(), 0..40),
            vec(piece(), 0..20),
            vec(piece(), 0..20),
        ],
    )
        .prop_map(
            |(fork, gas, value, input, creation, is_static, contracts)| Plan {
                fork,
                gas,
                value,
                input,
                creation,
                is_static,
                contracts,
            },
        )
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        30 => simple_piece(),
        2 => (1..6_u8, vec(simple_piece(), 0..6)).prop_map(|(times, body)| Piece::Loop(times, body)),
        1 => (
            select(&[Opcode::CREATE, Opcode::CREATE2][..]),
            any::<Draws>(),
            vec(simple_piece(), 0..5),
            vec(simple_piece(), 0..8),
        ).prop_map(|(op, draws, init, runtime)| Piece::Create(op, draws, init, runtime)),
    ]
}

fn simple_piece() -> impl Strategy<Value = Piece> {
    let op = |group: &'static [Opcode]| {
        (select(group), any::<Draws>()).prop_map(|(op, draws)| Piece::Op(op, draws))
    };
    prop_oneof![
        28 => op(PURE),
        12 => (0..=32_usize, any::<u64>()).prop_map(|(width, draw)| Piece::Push(width, draw)),
        16 => (0x80..=0x9f_u8).prop_map(|byte| Piece::Op(Opcode(byte), Draws::default())),
        6 => Just(Piece::Op(Opcode::POP, Draws::default())),
        20 => op(MEMORY),
        12 => op(ENVIRONMENT),
        18 => op(STATE),
        6 => op(LOGS),
        10 => op(CALLS),
        1 => op(RARE),
        8 => Just(Piece::Label),
        10 => (any::<u64>(), any::<bool>(), proptest::option::weighted(0.9, any::<u64>()))
            .prop_map(|(to, computed, condition)| Piece::Jump { to, computed, condition }),
        1 => vec(any::<u8>(), 0..6).prop_map(Piece::Bytes),
    ]
}

macro_rules! group {
    ($($name:ident: $($op:ident)*;)*) => {
        $(const $name: &[Opcode] = &[$(Opcode::$op),*];)*
    };
}

group! {
    PURE: ADD MUL SUB DIV SDIV MOD SMOD ADDMOD MULMOD EXP SIGNEXTEND LT GT SLT SGT EQ ISZERO AND OR XOR
        NOT BYTE SHL SHR SAR CLZ;
    MEMORY: MLOAD MLOAD MSTORE MSTORE MSTORE8 MCOPY KECCAK256 CALLDATALOAD CALLDATACOPY CODECOPY
        EXTCODECOPY RETURNDATACOPY;
    ENVIRONMENT: ADDRESS ORIGIN CALLER CALLVALUE CALLDATASIZE CODESIZE GASPRICE RETURNDATASIZE BLOCKHASH
        COINBASE TIMESTAMP NUMBER PREVRANDAO GASLIMIT CHAINID SELFBALANCE BASEFEE BLOBHASH BLOBBASEFEE
        PC MSIZE GAS GAS GAS;
    STATE: SLOAD SLOAD SSTORE SSTORE SSTORE SSTORE SSTORE TLOAD TSTORE BALANCE EXTCODESIZE EXTCODEHASH;
    LOGS: LOG0 LOG1 LOG2 LOG3 LOG4;
    CALLS: CALL CALL CALL CALLCODE DELEGATECALL DELEGATECALL STATICCALL;
    RARE: STOP RETURN REVERT REVERT INVALID SELFDESTRUCT CREATE CREATE2;
}

/// What an operand means.
#[derive(Clone, Copy)]
enum Meaning {
    Number,
    Offset,
    Length,
    /// Mostly 0.
    Rarely,
    Slot,
    Value,
    Account,
    Gas,
    Wei,
}

fn meanings(op: Opcode) -> Vec<Meaning> {
    use Meaning::*;
    match op {
        Opcode::MLOAD | Opcode::CALLDATALOAD => vec![Offset],
        Opcode::MSTORE | Opcode::MSTORE8 => vec![Offset, Number],
        Opcode::KECCAK256 | Opcode::RETURN | Opcode::REVERT => vec![Offset, Length],
        Opcode::MCOPY | Opcode::CALLDATACOPY | Opcode::CODECOPY => vec![Offset, Offset, Length],
        // Reading beyond the return data fails, so mostly nothing is read.
        Opcode::RETURNDATACOPY => vec![Offset, Rarely, Rarely],
        Opcode::EXTCODECOPY => vec![Account, Offset, Offset, Length],
        Opcode::BALANCE | Opcode::EXTCODESIZE | Opcode::EXTCODEHASH | Opcode::SELFDESTRUCT => {
            vec![Account]
        }
        Opcode::SLOAD | Opcode::TLOAD => vec![Slot],
        Opcode::SSTORE | Opcode::TSTORE => vec![Slot, Value],
        Opcode::CALL | Opcode::CALLCODE => {
            vec![Gas, Account, Wei, Offset, Length, Offset, Length]
        }
        Opcode::DELEGATECALL | Opcode::STATICCALL => {
            vec![Gas, Account, Offset, Length, Offset, Length]
        }
        Opcode::CREATE => vec![Wei, Offset, Length],
        Opcode::CREATE2 => vec![Wei, Offset, Length, Slot],
        op if LOGS.contains(&op) => {
            let mut meanings = vec![Offset, Length];
            meanings.resize(op.info().unwrap().inputs.into(), Number);
            meanings
        }
        op if (0x80..=0x9f).contains(&op.0) || op == Opcode::POP => vec![],
        op => vec![Number; op.info().map_or(0, |info| info.inputs.into())],
    }
}

/// Numbers at the edges of types and ranges.
const EDGES: [Word; 16] = [
    Word::ZERO,
    Word::ONE,
    Word::MAX,
    Word([31, 0, 0, 0]),
    Word([32, 0, 0, 0]),
    Word([33, 0, 0, 0]),
    Word([255, 0, 0, 0]),
    Word([256, 0, 0, 0]),
    Word([u32::MAX as u64, 0, 0, 0]),
    Word([u64::MAX, 0, 0, 0]),
    Word([0, 1, 0, 0]),
    Word([u64::MAX, u64::MAX, 0, 0]),
    Word([0, 0, 1, 0]),
    Word([0, 0, 0, 1 << 63]),
    Word([u64::MAX, u64::MAX, u64::MAX, i64::MAX as u64]),
    Word([u64::MAX - 1, u64::MAX, u64::MAX, u64::MAX]),
];

fn edge(draw: u64) -> Word {
    EDGES[(draw % EDGES.len() as u64) as usize]
}

/// A number of any length.
fn spread(draw: u64) -> Word {
    let limb = |i: u32| draw.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17 * i);
    Word([limb(0), limb(1), limb(2), limb(3)]).shr((draw % 256).into())
}

fn account(draw: u64) -> Word {
    let known = [
        CONTRACT,
        PEERS[0],
        PEERS[1],
        PEERS[0],
        PEERS[1],
        EOA,
        NOBODY,
        DELEGATED,
        CALLER,
        environment().coinbase,
    ];
    match draw % 16 {
        n @ 0..=9 => known[n as usize].into(),
        // Precompiles, and a little beyond.
        10..=13 => (draw / 16 % 0x13).into(),
        14 => 0x100_u64.into(),
        _ => spread(draw / 16),
    }
}

/// The operand, or `None` to take what is on the stack.
fn operand(meaning: Meaning, draw: u64) -> Option<Word> {
    let (choice, draw) = (draw % 32, draw / 32);
    let small = |limit: u64| Some(Word::from(draw % limit));
    match (meaning, choice) {
        (Meaning::Number, 0..=5) => small(5),
        (Meaning::Number, 6..=13) => Some(edge(draw)),
        (Meaning::Number, 14..=21) => Some(spread(draw)),
        (Meaning::Number, _) => None,
        (_, 31) if draw.is_multiple_of(4) => None,
        (Meaning::Offset | Meaning::Length, 30) if draw.is_multiple_of(4) => Some(edge(draw / 4)),
        (Meaning::Offset, 26..=29) => small(5_000),
        (Meaning::Offset, _) => small(200),
        (Meaning::Length, 26..=29) => small(600),
        (Meaning::Length, _) => small(70),
        (Meaning::Rarely, 28..) => small(40),
        (Meaning::Rarely, _) => Some(Word::ZERO),
        (Meaning::Slot, 30) => Some(spread(draw)),
        (Meaning::Slot, _) => small(3),
        (Meaning::Value, 24..) => Some(spread(draw)),
        (Meaning::Value, _) => small(3),
        (Meaning::Account, _) => Some(account(draw)),
        (Meaning::Gas, 0..=9) => small(50_000),
        (Meaning::Gas, 10..=14) => small(3_000),
        (Meaning::Gas, _) => Some(Word::MAX),
        (Meaning::Wei, 0..=19) => Some(Word::ZERO),
        (Meaning::Wei, 30) => small(100_000),
        (Meaning::Wei, _) => small(50),
    }
}

/// A whole program: something on the stack to begin with, the pieces, and what is on the stack then as
/// output.
fn program(pieces: &[Piece]) -> Vec<u8> {
    let mut code = Emitter::default();
    EDGES.into_iter().for_each(|word| code.push(word));
    code.pieces(pieces);
    code.piece(&Piece::Label);
    for offset in [0, 32, 64, 96] {
        code.push(Word::from(offset as u64));
        code.op(Opcode::MSTORE);
    }
    code.ret(128);
    code.finish()
}

/// Init code: the pieces, then the deployment of `runtime`.
fn init_code(pieces: &[Piece], runtime: Vec<u8>) -> Vec<u8> {
    let mut code = Emitter::default();
    EDGES.into_iter().for_each(|word| code.push(word));
    code.pieces(pieces);
    code.piece(&Piece::Label);
    let len = code.load_data(runtime);
    code.ret(len);
    code.finish()
}

#[derive(Default)]
struct Emitter {
    code: Vec<u8>,
    labels: Vec<usize>,
    /// Two bytes to become a label's offset, xored with a key.
    jumps: Vec<(usize, u64, u16)>,
    /// Two bytes to become the offset of data behind the code.
    data: Vec<(usize, Vec<u8>)>,
}

impl Emitter {
    fn op(&mut self, op: Opcode) {
        self.code.push(op.0);
    }

    fn push(&mut self, word: Word) {
        self.push_wide(word, word.bit_len().div_ceil(8) as usize);
    }

    /// Pushes the low `width` bytes of a word.
    fn push_wide(&mut self, word: Word, width: usize) {
        self.code.push(Opcode::PUSH0.0 + width as u8);
        self.code
            .extend_from_slice(&word.to_be_bytes()[32 - width..]);
    }

    /// Pushes two bytes to be filled in; where they are.
    fn push_later(&mut self) -> usize {
        self.push_wide(Word::ZERO, 2);
        self.code.len() - 2
    }

    fn pieces(&mut self, pieces: &[Piece]) {
        pieces.iter().for_each(|piece| self.piece(piece));
    }

    fn piece(&mut self, piece: &Piece) {
        match piece {
            Piece::Op(op, draws) => {
                let operands: Vec<_> = meanings(*op).into_iter().zip(draws).collect();
                for (meaning, draw) in operands.into_iter().rev() {
                    if let Some(word) = operand(meaning, *draw) {
                        self.push(word);
                    }
                }
                self.op(*op);
            }
            Piece::Push(width, draw) => self.push_wide(spread(*draw), *width),
            Piece::Label => {
                self.labels.push(self.code.len());
                self.op(Opcode::JUMPDEST);
            }
            Piece::Jump {
                to,
                computed,
                condition,
            } => self.jump(*to, *computed, *condition),
            Piece::Loop(times, body) => self.repeat(*times, body),
            Piece::Create(op, draws, init, runtime) => {
                self.create(*op, draws, init_code(init, program(runtime)));
            }
            Piece::Bytes(bytes) => self.code.extend_from_slice(bytes),
        }
    }

    fn jump(&mut self, to: u64, computed: bool, condition: Option<u64>) {
        if let Some(word) = condition.and_then(|draw| operand(Meaning::Number, draw)) {
            self.push(word);
        }
        let key = if computed { to as u16 } else { 0 };
        let at = self.push_later();
        self.jumps.push((at, to, key));
        if computed {
            self.push_wide(Word::from(u64::from(key)), 2);
            self.op(Opcode::XOR);
        }
        self.op(if condition.is_some() {
            Opcode::JUMPI
        } else {
            Opcode::JUMP
        });
    }

    fn repeat(&mut self, times: u8, body: &[Piece]) {
        self.push(u64::from(times).into());
        let top = self.code.len();
        self.op(Opcode::JUMPDEST);
        self.pieces(body);
        self.push(Word::ONE);
        [Opcode::SWAP1, Opcode::SUB, Opcode::DUP1]
            .into_iter()
            .for_each(|op| self.op(op));
        self.push_wide(top.into(), 2);
        self.op(Opcode::JUMPI);
        self.op(Opcode::POP);
    }

    /// Creates, and calls what was created.
    fn create(&mut self, op: Opcode, draws: &Draws, init: Vec<u8>) {
        let len = self.load_data(init);
        if op == Opcode::CREATE2 {
            self.push((draws[0] % 4).into());
        }
        self.push(len.into());
        self.push(Word::ZERO);
        self.push(operand(Meaning::Wei, draws[1]).unwrap_or_default());
        self.op(op);
        for word in [32, 0, 0, 0, draws[2] % 2] {
            self.push(word.into());
        }
        [Opcode::DUP6, Opcode::GAS, Opcode::CALL]
            .into_iter()
            .for_each(|op| self.op(op));
    }

    /// Copies data to memory from offset 0 on; its length.
    fn load_data(&mut self, data: Vec<u8>) -> usize {
        let len = data.len();
        self.push(len.into());
        let at = self.push_later();
        self.data.push((at, data));
        self.push(Word::ZERO);
        self.op(Opcode::CODECOPY);
        len
    }

    fn ret(&mut self, len: usize) {
        self.push(len.into());
        self.push(Word::ZERO);
        self.op(Opcode::RETURN);
    }

    fn finish(mut self) -> Vec<u8> {
        for (at, data) in self.data {
            let offset = self.code.len() as u16;
            self.code[at..at + 2].copy_from_slice(&offset.to_be_bytes());
            self.code.extend(data);
        }
        for (at, to, key) in self.jumps {
            let (choice, draw) = (to % 64, (to / 64) as usize);
            let ahead = self.labels.partition_point(|label| *label < at);
            let candidates = match choice {
                0..=47 if ahead < self.labels.len() => &self.labels[ahead..],
                _ => &self.labels,
            };
            let target = match candidates.len() {
                // Anywhere: nearly always to no jumpdest.
                0 => draw % self.code.len(),
                _ if choice == 63 => draw % self.code.len(),
                count => candidates[draw % count],
            };
            self.code[at..at + 2].copy_from_slice(&(target as u16 ^ key).to_be_bytes());
        }
        self.code
    }
}
