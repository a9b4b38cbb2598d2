//! Shared by the integration tests: a scene (a world and a message), how to run it in every mode, and the
//! observable result. [`generate`] makes random scenes, [`reference`] runs a scene on the crate `revm`, and
//! [`three_way`] compares the results.

#![allow(dead_code, reason = "each test file uses a part of this module")]

pub mod generate;
pub mod reference;
pub mod three_way;

use alloy_primitives::{Address, B256, Bytes, keccak256};
use evmscope_interp::world::{Account, World};
use evmscope_interp::{
    Environment, Fork, Halt, Host, Interpreter, Kind, Message, Mode, Outcome, Settings, Status,
    Word, asm,
};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// The sender of the message.
pub const CALLER: Address = Address::repeat_byte(0xca);
/// The recipient of the message.
pub const CONTRACT: Address = Address::repeat_byte(0xc0);
/// Other contracts.
pub const PEERS: [Address; 2] = [Address::repeat_byte(0xc1), Address::repeat_byte(0xc2)];
/// An account with only a balance.
pub const EOA: Address = Address::repeat_byte(0xe0);
/// An address without an account.
pub const NOBODY: Address = Address::repeat_byte(0xee);

/// Enough gas for every program here, but not so much that an endless loop takes long.
pub const PLENTY: u64 = 10_000_000;

/// The forks under test.
pub const FORKS: &[Fork] = Fork::ALL;

/// A pre-state and a message.
#[derive(Clone)]
pub struct Scene {
    pub fork: Fork,
    pub world: World,
    pub message: Message,
}

impl Scene {
    /// A call of [`CONTRACT`] with this code and [`PLENTY`] of gas.
    pub fn new(code: &[u8]) -> Scene {
        static EMPTY: LazyLock<World> = LazyLock::new(empty_world);
        let mut world = EMPTY.clone();
        world.insert(CONTRACT, Account::contract(code));
        Scene {
            fork: Fork::Osaka,
            world,
            message: Message::call(CALLER, CONTRACT, Bytes::new(), PLENTY),
        }
    }

    /// Like [`Scene::new`], from assembly.
    pub fn asm(source: &str) -> Scene {
        Scene::new(&assemble(source))
    }

    pub fn fork(mut self, fork: Fork) -> Scene {
        self.fork = fork;
        self
    }

    pub fn gas(mut self, gas: u64) -> Scene {
        self.message.gas = gas;
        self
    }

    pub fn input(mut self, input: &[u8]) -> Scene {
        self.message.input = Bytes::copy_from_slice(input);
        self
    }

    pub fn value(mut self, value: u64) -> Scene {
        self.message.value = value.into();
        self
    }

    /// Forbids state changes.
    pub fn in_static(mut self) -> Scene {
        self.message.is_static = true;
        self
    }

    /// Adds or replaces an account.
    pub fn with(mut self, address: Address, account: Account) -> Scene {
        self.world.insert(address, account);
        self
    }

    /// Adds a contract.
    pub fn contract(self, address: Address, source: &str) -> Scene {
        self.with(address, Account::contract(&assemble(source)))
    }

    /// Changes [`CONTRACT`].
    pub fn alter(self, change: impl FnOnce(&mut Account)) -> Scene {
        let mut account = self.world.get(&CONTRACT).unwrap().clone();
        change(&mut account);
        self.with(CONTRACT, account)
    }

    /// Sets a slot of [`CONTRACT`].
    pub fn slot(self, key: u64, value: u64) -> Scene {
        self.alter(|account| account.set_storage(key.into(), value.into()))
    }

    /// Gives [`CONTRACT`] a balance.
    pub fn balance(self, wei: u64) -> Scene {
        self.alter(|account| account.balance = wei.into())
    }

    /// The message creates a contract with the code of [`CONTRACT`] as its init code.
    pub fn creation(mut self) -> Scene {
        let code = Arc::clone(self.world.code(CONTRACT));
        self.message.kind = Kind::Create;
        self.message.input = Bytes::copy_from_slice(code.bytes());
        self
    }

    /// The world right before the message: in a new transaction, with warm sender and recipient.
    pub fn before(&self) -> World {
        let mut world = self.world.clone();
        world.begin_transaction(self.fork, &[CALLER, CONTRACT]);
        world
    }

    /// Runs the message in one mode.
    pub fn run(&self, mode: Mode) -> Seen {
        // Translates at once, because code that runs once would not become hot.
        self.run_on(&mut Interpreter::with_settings(
            mode,
            self.fork,
            Settings::eager(),
        ))
    }

    /// Runs the message on an interpreter that may have run others: twice, from the same world, which goes back in
    /// between and must not show it.
    pub fn run_on(&self, interpreter: &mut Interpreter) -> Seen {
        let mut world = self.before();
        let mark = world.mark();
        let first = interpreter.execute(self.message.clone(), &mut world);
        world.restore(&mark);
        assert_eq!(accounts(&world), accounts(&self.before()));
        let outcome = interpreter.execute(self.message.clone(), &mut world);
        let result = |it: &Outcome| (it.status, it.gas_left, it.refund, it.output.clone());
        assert_eq!(result(&outcome), result(&first), "the same message again");
        let logs = world.logs().map(Into::into).collect();
        world.begin_transaction(self.fork, &[]);
        assert_eq!(
            outcome.gas_used + outcome.gas_left,
            self.message.gas,
            "gas used and gas left must add up to the gas sent"
        );
        Seen {
            status: outcome.status,
            gas_left: outcome.gas_left,
            refund: outcome.refund,
            output: outcome.output,
            created: outcome.created,
            logs,
            accounts: accounts(&world),
        }
    }

    /// Runs the message in every mode. The modes must agree.
    pub fn run_all(&self) -> Seen {
        let [first, rest @ ..] = Mode::ALL;
        let seen = self.run(first);
        for mode in rest {
            assert_eq!(
                self.run(mode),
                seen,
                "{mode} differs from {first}, {}",
                self.fork
            );
        }
        seen
    }
}

/// A world without contracts.
fn empty_world() -> World {
    let mut world = World::new(environment());
    for number in BLOCK - 256..BLOCK {
        // The same as in the empty database of the reference.
        world.set_block_hash(number, keccak256(number.to_string()));
    }
    world.insert(CALLER, rich());
    world.insert(EOA, rich());
    world
}

/// An account with a balance.
fn rich() -> Account {
    let mut account = Account::default();
    account.balance = 1_000_000_u64.into();
    account
}

/// The observable result of a run, including the state after the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub status: Status,
    pub gas_left: u64,
    pub refund: i64,
    pub output: Bytes,
    pub created: Option<Address>,
    pub logs: Vec<alloy_primitives::Log>,
    pub accounts: BTreeMap<Address, SeenAccount>,
}

/// An account that is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenAccount {
    pub balance: Word,
    pub nonce: u64,
    pub code_hash: B256,
    pub storage: BTreeMap<Word, Word>,
}

impl Seen {
    /// A slot of [`CONTRACT`].
    pub fn slot(&self, key: u64) -> Word {
        let storage = &self.accounts[&CONTRACT].storage;
        storage.get(&key.into()).copied().unwrap_or_default()
    }

    /// The same, with one halt for all. A failing opcode may violate several rules, and the specification
    /// does not say which one is reported: each reverts the frame and uses its gas.
    pub fn any_halt(mut self) -> Seen {
        if let Status::Halt(_) = self.status {
            self.status = Status::Halt(Halt::OutOfGas);
        }
        self
    }

    /// The output as words.
    pub fn words(&self) -> Vec<Word> {
        self.output.chunks(32).map(Word::from_be_slice).collect()
    }
}

fn accounts(world: &World) -> BTreeMap<Address, SeenAccount> {
    let empty = |account: &Account| {
        account.nonce == 0 && account.balance.is_zero() && account.code.is_empty()
    };
    world
        .accounts()
        .filter(|(_, account)| !empty(account))
        .map(|(address, account)| {
            let seen = SeenAccount {
                balance: account.balance,
                nonce: account.nonce,
                code_hash: account.code.hash(),
                storage: account.storage().collect(),
            };
            (*address, seen)
        })
        .collect()
}

/// Small, so that random block numbers often have a known hash.
const BLOCK: u64 = 300;

/// All values differ, so that a mix-up is detected.
pub fn environment() -> Environment {
    Environment {
        number: BLOCK,
        timestamp: 1_700_000_000,
        coinbase: Address::repeat_byte(0xcb),
        gas_limit: 36_000_000,
        prevrandao: Word::from(B256::repeat_byte(0xda)),
        base_fee: 7_u64.into(),
        blob_base_fee: 11_u64.into(),
        chain_id: 1,
        origin: CALLER,
        gas_price: 13_u64.into(),
        blob_hashes: vec![B256::repeat_byte(0xb0), B256::repeat_byte(0xb1)],
    }
}

pub fn assemble(source: &str) -> Vec<u8> {
    asm::assemble(source).unwrap_or_else(|error| panic!("{error} in\n{source}"))
}

/// A number in the format of the tables: decimal, hex, or negative as two's complement.
pub fn word(text: &str) -> Word {
    match text.strip_prefix('-') {
        Some(positive) => word(positive).wrapping_neg(),
        None => text
            .parse()
            .unwrap_or_else(|error| panic!("{text}: {error}")),
    }
}

/// Numbers separated by white space.
pub fn words(text: &str) -> Vec<Word> {
    text.split_whitespace().map(word).collect()
}

/// Pushes these operands. The first one is on top, as in the Yellow Paper.
pub fn pushes(operands: &[Word]) -> String {
    let push = |operand: &Word| format!("PUSH32 {operand} ");
    operands.iter().rev().map(push).collect()
}

/// Checks that the program leaves exactly this stack in every mode; the top is last.
#[track_caller]
pub fn check(source: &str, stack: &str) {
    check_in(Scene::asm(""), source, stack);
}

/// Like [`check`], in a scene made by the caller.
///
/// Code that returns the stack is appended; one POP more must underflow.
#[track_caller]
pub fn check_in(scene: Scene, source: &str, stack: &str) {
    let expected = words(stack);
    let count = expected.len();
    let save: String = (0..count)
        .rev()
        .map(|i| format!(" PUSH2 {} MSTORE", 32 * i))
        .collect();
    let put = |source: String| {
        let code = assemble(&source);
        scene.clone().alter(|account| {
            account.code = std::sync::Arc::new(evmscope_interp::Code::new(&code));
        })
    };
    let seen = put(format!("{source}{save} PUSH2 {} PUSH0 RETURN", 32 * count)).run_all();
    assert_eq!(seen.status, Status::Success, "{source}");
    assert_eq!(seen.words(), expected, "{source}");
    let status = put(format!("{source}{} POP", " POP".repeat(count)))
        .run_all()
        .status;
    assert_eq!(
        status,
        Status::Halt(Halt::StackUnderflow),
        "more items on the stack: {source}"
    );
}

/// Checks that the program fails with this halt in every mode.
#[track_caller]
pub fn check_halt(source: &str, halt: Halt) {
    assert_eq!(
        Scene::asm(source).run_all().status,
        Status::Halt(halt),
        "{source}"
    );
}

/// Checks that the program uses exactly this much gas in every mode: it succeeds with that much, and fails
/// with one less.
#[track_caller]
pub fn check_gas(scene: &Scene, gas: u64) {
    let seen = scene.run_all();
    assert_eq!(seen.status, Status::Success);
    assert_eq!(scene.message.gas - seen.gas_left, gas);
    check_needs(scene, gas);
}

/// Checks that the program succeeds with this much gas and runs out of gas with one less.
#[track_caller]
pub fn check_needs(scene: &Scene, gas: u64) {
    let exact = scene.clone().gas(gas).run_all();
    assert_eq!(exact.status, Status::Success);
    if gas > 0 {
        let short = scene.clone().gas(gas - 1).run_all();
        assert_eq!(short.status, Status::Halt(Halt::OutOfGas));
    }
}
