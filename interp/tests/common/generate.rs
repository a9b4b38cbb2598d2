//! Random scenes: contracts that compute, jump, store, log, hash, create and call each other, made of pieces
//! that are likely to run for a while before they fail.
//!
//! A scene is determined by a sequence of bytes, padded with zeros: random bytes in the tests, a fuzzer's in
//! `fuzz/`. Findings of either can be added to the same corpus, and removing bytes or making them smaller
//! makes the scene smaller.

use super::{CALLER, CONTRACT, EOA, FORKS, NOBODY, PEERS, Scene, environment};
use alloy_primitives::{Address, address};
use arbitrary::{Result, Unstructured};
use evmscope_interp::world::Account;
use evmscope_interp::{Fork, Opcode, Word, asm};
use proptest::collection::vec;
use proptest::prelude::*;
use std::fmt;

/// Random scenes.
pub fn plans() -> impl Strategy<Value = Plan> {
    // Enough bytes for the largest scenes; most need fewer.
    vec(any::<u8>(), 0..1_500).prop_map(|bytes| Plan::new(&bytes))
}

/// An account whose code is a delegation to the first peer, since Prague (EIP-7702).
const DELEGATED: Address = address!("0xd0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0");

/// The description of a random scene.
#[derive(Clone)]
pub struct Plan {
    fork: Fork,
    gas: u64,
    value: u64,
    input: Vec<u8>,
    creation: bool,
    is_static: bool,
    contracts: [Vec<Piece>; 3],
    cuts: [u32; 4],
    /// The bytes that determined the plan.
    bytes: Vec<u8>,
}

impl Plan {
    /// The plan determined by these bytes.
    pub fn new(bytes: &[u8]) -> Plan {
        let mut source = Unstructured::new(bytes);
        let mut plan = Plan::draw(&mut source).expect("the source never ends");
        plan.bytes = bytes[..bytes.len() - source.len()].to_vec();
        plan
    }

    fn draw(u: &mut Unstructured) -> Result<Plan> {
        Ok(Plan {
            fork: if u.ratio(1, 2)? {
                *u.choose(FORKS)?
            } else {
                *u.choose(&FORKS[FORKS.len() - 3..])?
            },
            gas: match u.int_in_range(0..=63)? {
                0..=11_u8 => u.int_in_range(0..=100_000)?,
                12 => u.int_in_range(0..=5_000_000)?,
                _ => u.int_in_range(100_000..=600_000)?,
            },
            value: if u.ratio(1, 4)? {
                u.int_in_range(0..=100)?
            } else {
                0
            },
            creation: u.ratio(1, 10)?,
            is_static: u.ratio(1, 20)?,
            cuts: u.arbitrary()?,
            input: several(u, 80, |u| u.arbitrary())?,
            contracts: [
                several(u, 40, piece)?,
                several(u, 20, piece)?,
                several(u, 20, piece)?,
            ],
            bytes: Vec::new(),
        })
    }

    /// Random numbers that select the reduced amounts of gas.
    pub fn cuts(&self) -> [u32; 4] {
        self.cuts
    }

    /// The code of [`CONTRACT`] and of each of [`PEERS`].
    fn programs(&self) -> [Vec<u8>; 3] {
        let program = |pieces: &Vec<Piece>| program(self.fork, pieces);
        self.contracts.each_ref().map(program)
    }

    pub fn scene(&self) -> Scene {
        let [code, peers @ ..] = self.programs();
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
            "{} gas {} value {} creation {} static {} input {:02x?} cuts {:?}",
            self.fork, self.gas, self.value, self.creation, self.is_static, self.input, self.cuts
        )?;
        for (address, code) in [CONTRACT, PEERS[0], PEERS[1]].iter().zip(self.programs()) {
            writeln!(f, "{address}:\n{}", asm::disassemble(&code))?;
        }
        writeln!(f, "as bytes for the corpus: {}", hex(&self.bytes))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A random number for an operand. The meaning of the operand (an offset, a slot, an account...) determines
/// how it is used.
type Draw = u64;

/// Four bytes of entropy are enough for any meaning.
fn draw(u: &mut Unstructured) -> Result<Draw> {
    u.arbitrary::<u32>().map(Draw::from)
}

#[derive(Clone, Debug)]
enum Piece {
    /// An opcode after pushes of its operands.
    Op(Opcode, Vec<Draw>),
    /// A push of some width.
    Push(usize, Draw),
    /// A jumpdest that other pieces jump to.
    Label,
    /// A jump to a label or to a random target; `computed`: the target is only known at run time.
    Jump {
        to: Draw,
        computed: bool,
        condition: Option<Draw>,
    },
    /// The body, repeated.
    Loop(u8, Vec<Piece>),
    /// A creation: of code that runs the first body and deploys the second.
    Create(Opcode, [Draw; 3], Vec<Piece>, Vec<Piece>),
    /// Raw bytes.
    Bytes(Vec<u8>),
}

/// Maximum numbers of pieces.
fn several<T>(
    u: &mut Unstructured,
    most: usize,
    draw: impl Fn(&mut Unstructured) -> Result<T>,
) -> Result<Vec<T>> {
    let count = u.int_in_range(0..=most)?;
    (0..count).map(|_| draw(u)).collect()
}

fn piece(u: &mut Unstructured) -> Result<Piece> {
    Ok(match u.int_in_range(0..=32)? {
        0..=29_u8 => simple_piece(u)?,
        30..=31 => Piece::Loop(u.int_in_range(1..=5)?, several(u, 5, simple_piece)?),
        _ => Piece::Create(
            *u.choose(&[Opcode::CREATE, Opcode::CREATE2])?,
            [draw(u)?, draw(u)?, draw(u)?],
            several(u, 4, simple_piece)?,
            several(u, 7, simple_piece)?,
        ),
    })
}

fn simple_piece(u: &mut Unstructured) -> Result<Piece> {
    Ok(match u.int_in_range(0..=147)? {
        0..=27_u8 => op(u, PURE)?,
        28..=39 => Piece::Push(u.int_in_range(0..=32)?, draw(u)?),
        40..=55 => Piece::Op(Opcode(u.int_in_range(0x80..=0x9f)?), vec![]),
        56..=61 => Piece::Op(Opcode::POP, vec![]),
        62..=81 => op(u, MEMORY)?,
        82..=93 => op(u, ENVIRONMENT)?,
        94..=111 => op(u, STATE)?,
        112..=117 => op(u, LOGS)?,
        118..=127 => op(u, CALLS)?,
        128 => op(u, RARE)?,
        129..=136 => Piece::Label,
        137..=146 => Piece::Jump {
            to: draw(u)?,
            computed: u.arbitrary()?,
            condition: if u.ratio(9, 10)? {
                Some(draw(u)?)
            } else {
                None
            },
        },
        _ => Piece::Bytes(several(u, 5, |u| u.arbitrary())?),
    })
}

fn op(u: &mut Unstructured, group: &[Opcode]) -> Result<Piece> {
    let op = *u.choose(group)?;
    let draws = meanings(op).into_iter().map(|_| draw(u));
    Ok(Piece::Op(op, draws.collect::<Result<_>>()?))
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

/// The meaning of an operand.
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
        // Reading beyond the return data fails, so usually nothing is read.
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

fn edge(draw: Draw) -> Word {
    EDGES[draw as usize % EDGES.len()]
}

/// A number of any length.
fn spread(draw: Draw) -> Word {
    let limb = |i: u32| draw.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17 * i);
    Word([limb(0), limb(1), limb(2), limb(3)]).shr((draw % 256).into())
}

fn account(draw: Draw) -> Word {
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
        // Precompiles, and a few addresses after them.
        10..=13 => (draw / 16 % 0x13).into(),
        14 => 0x100_u64.into(),
        _ => spread(draw / 16),
    }
}

/// The operand, or `None` to use what is on the stack.
fn operand(meaning: Meaning, draw: Draw) -> Option<Word> {
    let (choice, draw) = (draw % 32, draw / 32);
    let small = |limit: Draw| Some(Word::from(draw % limit));
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

/// A whole program: initial items on the stack, the pieces, and the resulting stack as output.
fn program(fork: Fork, pieces: &[Piece]) -> Vec<u8> {
    let mut code = Emitter::new(fork);
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
fn init_code(fork: Fork, pieces: &[Piece], runtime: Vec<u8>) -> Vec<u8> {
    let mut code = Emitter::new(fork);
    EDGES.into_iter().for_each(|word| code.push(word));
    code.pieces(pieces);
    code.piece(&Piece::Label);
    let len = code.load_data(runtime);
    code.ret(len);
    code.finish()
}

struct Emitter {
    fork: Fork,
    code: Vec<u8>,
    labels: Vec<usize>,
    /// Two bytes for a label's offset, xored with a key.
    jumps: Vec<(usize, Draw, u16)>,
    /// Two bytes for the offset of data after the code.
    data: Vec<(usize, Vec<u8>)>,
}

impl Emitter {
    fn new(fork: Fork) -> Emitter {
        Emitter {
            fork,
            code: Vec::new(),
            labels: Vec::new(),
            jumps: Vec::new(),
            data: Vec::new(),
        }
    }

    fn has(&self, op: Opcode) -> bool {
        op.info_at(self.fork).is_some()
    }

    fn op(&mut self, op: Opcode) {
        self.code.push(op.0);
    }

    fn push(&mut self, word: Word) {
        let least = usize::from(!self.has(Opcode::PUSH0));
        self.push_wide(word, least.max(word.bit_len().div_ceil(8) as usize));
    }

    /// Pushes the low `width` bytes of a word.
    fn push_wide(&mut self, word: Word, width: usize) {
        self.code.push(Opcode::PUSH0.0 + width as u8);
        self.code
            .extend_from_slice(&word.to_be_bytes()[32 - width..]);
    }

    /// Pushes two bytes to be filled in later. Returns their offset.
    fn push_later(&mut self) -> usize {
        self.push_wide(Word::ZERO, 2);
        self.code.len() - 2
    }

    fn pieces(&mut self, pieces: &[Piece]) {
        pieces.iter().for_each(|piece| self.piece(piece));
    }

    fn piece(&mut self, piece: &Piece) {
        match piece {
            // Opcodes that the fork lacks fail, so they are usually omitted.
            Piece::Op(op, draws)
                if !self.has(*op) && draws.first().is_some_and(|draw| draw % 64 > 0) => {}
            Piece::Op(op, draws) => {
                let operands: Vec<_> = meanings(*op).into_iter().zip(draws).collect();
                for (meaning, draw) in operands.into_iter().rev() {
                    if let Some(word) = operand(meaning, *draw) {
                        self.push(word);
                    }
                }
                self.op(*op);
            }
            Piece::Push(0, _) => self.push(Word::ZERO),
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
                let runtime = program(self.fork, runtime);
                let op = if self.has(*op) { *op } else { Opcode::CREATE };
                self.create(op, draws, init_code(self.fork, init, runtime));
            }
            Piece::Bytes(bytes) => self.code.extend_from_slice(bytes),
        }
    }

    fn jump(&mut self, to: Draw, computed: bool, condition: Option<Draw>) {
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

    /// Creates a contract and calls it.
    fn create(&mut self, op: Opcode, draws: &[Draw; 3], init: Vec<u8>) {
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

    /// Copies data to memory at offset 0. Returns its length.
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
                // A random target, which is hardly ever a jumpdest.
                0 => draw % self.code.len(),
                _ if choice == 63 => draw % self.code.len(),
                count => candidates[draw % count],
            };
            self.code[at..at + 2].copy_from_slice(&(target as u16 ^ key).to_be_bytes());
        }
        self.code
    }
}
