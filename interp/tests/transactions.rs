//! Random transactions of all types end in both modes as on the crate `revm`: accepted or refused for the
//! same reason; gas used, output, logs, and every account afterwards, empty ones included.
//!
//! A plan is a valid transaction on random contracts, or one that breaks a single rule, so that the
//! reason to refuse it is known. It runs with its own gas, then with just what that took and one less,
//! each time twice in a row on the same state.
//!
//! By default the same 1,500 plans every time. `PROPTEST_CASES=100000 PROPTEST_RNG_SEED=7 cargo test
//! --release -p evmscope-interp --test transactions` runs more and other ones. What failed is kept in
//! `transactions.regressions` and tried first the next time.

mod common;

use alloy_primitives::{Address, B256, Bytes, address, b256};
use common::reference::transaction::{Chain, End, RIPEMD160, Settled, state};
use common::{CALLER, CONTRACT, EOA, NOBODY, PEERS, assemble, environment, generate, reference};
use evmscope_interp::world::transaction::{
    Authorization, Fees, Kind, Receipt, Transaction, TransactionError,
};
use evmscope_interp::world::{Account, World};
use evmscope_interp::{Code, Environment, Fork, Interpreter, Mode, Status, Word};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestRunner};
use std::sync::Arc;

#[test]
fn random_transactions_end_in_both_modes_as_on_revm() {
    let chosen = |name| std::env::var_os(name).is_some();
    let default = Config::default();
    let config = Config {
        cases: if chosen("PROPTEST_CASES") {
            default.cases
        } else {
            1_500
        },
        rng_seed: if chosen("PROPTEST_RNG_SEED") {
            default.rng_seed
        } else {
            RngSeed::Fixed(0)
        },
        source_file: Some(file!()),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        max_shrink_iters: 10_000,
        ..default
    };
    let mut counts = Counts::default();
    let cell = std::cell::RefCell::new(&mut counts);
    TestRunner::new(config)
        .run(&plan(), |plan| plan.check(&mut cell.borrow_mut()))
        .unwrap_or_else(|error| panic!("{error}"));
    println!("{counts:?}");
    let Counts {
        refused,
        succeeded,
        reverted,
        halted,
    } = counts;
    for count in [refused, succeeded, reverted, halted] {
        assert!(count > 0, "plans come to every end: {counts:?}");
    }
}

/// How many transactions came to which end.
#[derive(Debug, Default)]
struct Counts {
    refused: u64,
    succeeded: u64,
    reverted: u64,
    halted: u64,
}

/// The code of this account delegates to the first peer (EIP-7702). Generated contracts call it.
const DELEGATED: Address = address!("0xd0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0");
/// Delegates to [`DELEGATED`], which is not followed further.
const CHAINED: Address = Address::repeat_byte(0xd1);
/// Delegates to itself.
const SELFISH: Address = Address::repeat_byte(0xd2);
/// Delegates to a precompile.
const TO_PRECOMPILE: Address = Address::repeat_byte(0xd3);
/// Exists, and is empty.
const EMPTY: Address = Address::repeat_byte(0xe1);
/// Has the highest nonce that can still be counted up.
const LAST_NONCE: Address = Address::repeat_byte(0xe2);

/// A versioned hash of a blob (EIP-4844).
const BLOB: B256 = b256!("0x0100000000000000000000000000000000000000000000000000000000000009");

/// Whom a transaction may have to do with.
const PEOPLE: &[Address] = &[
    CALLER,
    CONTRACT,
    PEERS[0],
    PEERS[1],
    EOA,
    NOBODY,
    DELEGATED,
    CHAINED,
    SELFISH,
    TO_PRECOMPILE,
    EMPTY,
    LAST_NONCE,
    Address::with_last_byte(1),
    Address::with_last_byte(2),
    Address::with_last_byte(3),
    Address::with_last_byte(4),
    Address::with_last_byte(0x0b),
    address!("0x0000000000000000000000000000000000000100"),
    Address::ZERO,
    Address::repeat_byte(0xcb),
    Address::repeat_byte(0xf0),
];

/// A random transaction and what it runs on, before it is put together.
#[derive(Clone, Debug)]
struct Plan {
    fork: Fork,
    /// Its type, as far as the fork has it.
    kind: u8,
    contracts: generate::Plan,
    /// Takes the place of the code of [`CONTRACT`].
    template: Option<&'static str>,
    block: Block,
    sender: Sender,
    /// Nobody: a creation with the code of [`CONTRACT`] as init code.
    to: Option<Address>,
    value: u64,
    input: Input,
    price: Price,
    gas: Gas,
    access_list: Vec<(Address, Vec<u64>)>,
    blobs: usize,
    authorizations: Vec<Planned>,
    fault: Option<Fault>,
}

#[derive(Clone, Debug)]
struct Block {
    coinbase: Address,
    base_fee: u64,
    blob_base_fee: u64,
}

#[derive(Clone, Debug)]
struct Sender {
    address: Address,
    nonce: u64,
    /// Has just what the transaction can cost, else plenty.
    exact: bool,
}

#[derive(Clone, Debug)]
enum Input {
    Bytes(Vec<u8>),
    /// Names whom the transaction names: an authority, or an account of the access list.
    Named,
    /// So many times the same byte: the floor of EIP-7623 is above what little code costs.
    Heavy(usize, u8),
}

#[derive(Clone, Debug)]
struct Price {
    above_base_fee: u64,
    tip: Tip,
}

#[derive(Clone, Copy, Debug)]
enum Tip {
    None,
    One,
    /// All that is above the base fee, or one more than that.
    Rest,
    MoreThanRest,
    /// As much as the whole cap.
    Cap,
}

#[derive(Clone, Copy, Debug)]
enum Gas {
    /// So much more than the least that is accepted.
    Least(u64),
    /// As much as the block has, or a transaction may have.
    Most,
}

/// An authorization; its nonce is so far from the authority's in the state.
#[derive(Clone, Debug)]
struct Planned {
    authority: Option<Address>,
    address: Address,
    chain_id: u64,
    nonce: Option<u64>,
}

/// The one rule that a transaction breaks.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Type,
    NonceLow,
    NonceHigh,
    NonceMax,
    SenderNonceMax,
    SenderCode,
    Funds,
    FundsOverflow,
    Intrinsic,
    Floor,
    BlockGas,
    GasCap,
    BaseFee,
    Tip,
    InitCode,
    NoBlobs,
    Blobs,
    BlobVersion,
    BlobFee,
    NoAuthorizations,
}

const FAULTS: &[Fault] = &[
    Fault::Type,
    Fault::NonceLow,
    Fault::NonceHigh,
    Fault::NonceMax,
    Fault::SenderNonceMax,
    Fault::SenderCode,
    Fault::Funds,
    Fault::FundsOverflow,
    Fault::Intrinsic,
    Fault::Floor,
    Fault::BlockGas,
    Fault::GasCap,
    Fault::BaseFee,
    Fault::Tip,
    Fault::InitCode,
    Fault::NoBlobs,
    Fault::Blobs,
    Fault::BlobVersion,
    Fault::BlobFee,
    Fault::NoAuthorizations,
];

/// Code for which the generator would need luck.
const TEMPLATES: &[&str] = &[
    "",
    "PUSH0 PUSH0 REVERT",
    "INVALID",
    // Clears slots: the refund is capped, and by the floor of heavy call data.
    "PUSH1 0 PUSH1 0 SSTORE PUSH1 0 PUSH1 1 SSTORE",
    // Clears and sets again, and reverts.
    "PUSH1 0 PUSH1 0 SSTORE PUSH1 7 PUSH1 0 SSTORE PUSH1 0 PUSH1 0 REVERT",
    "ORIGIN SELFDESTRUCT",
    "COINBASE SELFDESTRUCT",
    "ADDRESS SELFDESTRUCT",
    // Creates an account that destroys itself towards the coinbase, with all it is sent.
    "PUSH2 0x41ff PUSH1 0 MSTORE PUSH1 2 PUSH1 30 CALLVALUE CREATE",
    // Creates an account that destroys itself towards itself.
    "PUSH2 0x30ff PUSH1 0 MSTORE PUSH1 2 PUSH1 30 CALLVALUE CREATE",
    // Deploys nothing twice with the same salt: the second one collides.
    "PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 CREATE2 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 CREATE2",
    // Sends all it has to whom the call data names.
    "PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 SELFBALANCE PUSH1 0 CALLDATALOAD GAS CALL PUSH1 0 SSTORE",
    // Calls whom the call data names, and undoes that.
    "PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 CALLDATALOAD GAS CALL PUSH1 0 PUSH1 0 REVERT",
    "PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 CALLDATALOAD GAS CALL INVALID",
    // Init code that deploys what begins with 0xef; that costs more than there may be.
    "PUSH1 0xef PUSH1 0 MSTORE8 PUSH1 1 PUSH1 0 RETURN",
    "PUSH2 24576 PUSH1 0 RETURN",
    "PUSH2 24577 PUSH1 0 RETURN",
];

/// Code that returns what it sees of the transaction, the block and the accounts that it has to do with.
const OBSERVERS: &[&str] = &[
    // Calls whom the call data names, each way, and tells the gas that took.
    "GAS PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 CALLDATALOAD PUSH2 9999 CALL POP GAS SWAP1 SUB
     GAS PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 CALLDATALOAD PUSH2 9999 CALLCODE POP GAS SWAP1 SUB
     GAS PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 CALLDATALOAD PUSH2 9999 DELEGATECALL POP GAS SWAP1 SUB
     GAS PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 CALLDATALOAD PUSH2 9999 STATICCALL POP GAS SWAP1 SUB
     PUSH1 0 MSTORE PUSH1 32 MSTORE PUSH1 64 MSTORE PUSH1 96 MSTORE PUSH1 128 PUSH1 0 RETURN",
    // Looks at whom the call data names.
    "PUSH1 0 CALLDATALOAD EXTCODESIZE PUSH1 0 MSTORE PUSH1 0 CALLDATALOAD EXTCODEHASH PUSH1 32 MSTORE
     PUSH1 32 PUSH1 0 PUSH1 64 PUSH1 0 CALLDATALOAD EXTCODECOPY GAS PUSH1 96 MSTORE
     PUSH1 0 CALLDATALOAD BALANCE PUSH1 128 MSTORE PUSH1 160 PUSH1 0 RETURN",
    // The transaction and the block.
    "GASPRICE PUSH1 0 MSTORE BASEFEE PUSH1 32 MSTORE PUSH1 0 BLOBHASH PUSH1 64 MSTORE BLOBBASEFEE PUSH1 96
     MSTORE ORIGIN BALANCE PUSH1 128 MSTORE COINBASE BALANCE PUSH1 160 MSTORE PUSH1 192 PUSH1 0 RETURN",
    // The gas that storage takes.
    "GAS PUSH1 0 SLOAD POP GAS SWAP1 SUB PUSH1 0 MSTORE GAS PUSH1 1 SLOAD POP GAS SWAP1 SUB PUSH1 32 MSTORE
     GAS PUSH1 7 PUSH1 2 SSTORE GAS SWAP1 SUB PUSH1 64 MSTORE PUSH1 96 PUSH1 0 RETURN",
];

fn plan() -> impl Strategy<Value = Plan> {
    let forks: Vec<Fork> = Fork::ALL
        .iter()
        .copied()
        .filter(|fork| reference::has(*fork))
        .collect();
    let whose = (
        prop_oneof![
            6 => select(&[Fork::Prague, Fork::Osaka][..]),
            1 => Just(Fork::Cancun),
            2 => select(forks),
        ],
        prop_oneof![2 => 0..4_u8, 1 => Just(4)],
        generate::plans(),
        prop_oneof![
            4 => Just(None),
            3 => select(TEMPLATES).prop_map(Some),
            3 => select(OBSERVERS).prop_map(Some),
        ],
        block(),
        sender(),
        proptest::option::weighted(0.85, prop_oneof![2 => Just(CONTRACT), 1 => person()]),
        prop_oneof![3 => Just(0), 2 => 1..100_u64, 1 => Just(1_000_000_000)],
    );
    let what = (
        input(),
        (
            prop_oneof![1 => Just(0), 1 => Just(1), 4 => 0..1_000_u64],
            tip(),
        )
            .prop_map(|(above_base_fee, tip)| Price {
                above_base_fee,
                tip,
            }),
        prop_oneof![
            3 => Just(0).prop_map(Gas::Least),
            4 => (0..3_000_u64).prop_map(Gas::Least),
            12 => (30_000..700_000_u64).prop_map(Gas::Least),
            1 => Just(Gas::Most),
        ],
        prop_oneof![
            2 => Just(Vec::new()),
            1 => vec((prop_oneof![Just(CONTRACT), person()], vec(0..4_u64, 0..4)), 0..5),
        ],
        0..10_usize,
        vec(authorization(), 1..5),
        proptest::option::weighted(0.25, select(FAULTS)),
    );
    (whose, what).prop_map(
        |(
            (fork, kind, contracts, template, block, sender, to, value),
            (input, price, gas, access_list, blobs, authorizations, fault),
        )| Plan {
            fork,
            kind,
            contracts,
            template,
            block,
            sender,
            to,
            value,
            input,
            price,
            gas,
            access_list,
            blobs,
            authorizations,
            fault,
        },
    )
}

fn person() -> impl Strategy<Value = Address> {
    select(PEOPLE)
}

fn block() -> impl Strategy<Value = Block> {
    let coinbase = prop_oneof![1 => Just(environment().coinbase), 2 => person()];
    let fee = || prop_oneof![Just(0), Just(7), Just(1_000_000_000)];
    (coinbase, fee(), fee()).prop_map(|(coinbase, base_fee, blob_base_fee)| Block {
        coinbase,
        base_fee,
        blob_base_fee,
    })
}

fn sender() -> impl Strategy<Value = Sender> {
    (
        prop_oneof![6 => Just(CALLER), 1 => Just(DELEGATED), 1 => Just(SELFISH), 1 => Just(EMPTY)],
        prop_oneof![3 => Just(0), 3 => 1..5_u64, 1 => Just(u64::MAX - 1)],
        any::<bool>(),
    )
        .prop_map(|(address, nonce, exact)| Sender {
            address,
            nonce,
            exact,
        })
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        3 => vec(any::<u8>(), 0..80).prop_map(Input::Bytes),
        3 => Just(Input::Named),
        4 => person().prop_map(|person| Input::Bytes(Word::from(person).to_be_bytes().to_vec())),
        2 => (0..3_000_usize, select(&[0, 1][..])).prop_map(|(len, byte)| Input::Heavy(len, byte)),
    ]
}

fn tip() -> impl Strategy<Value = Tip> {
    select(&[Tip::None, Tip::One, Tip::Rest, Tip::MoreThanRest, Tip::Cap][..])
}

fn authorization() -> impl Strategy<Value = Planned> {
    (
        proptest::option::weighted(0.95, person()),
        person(),
        prop_oneof![4 => Just(1), 2 => Just(0), 1 => select(&[2, u64::MAX][..])],
        proptest::option::weighted(0.95, prop_oneof![6 => Just(0), 2 => 1..3_u64]),
    )
        .prop_map(|(authority, address, chain_id, nonce)| Planned {
            authority,
            address,
            chain_id,
            nonce,
        })
}

impl Plan {
    fn check(&self, counts: &mut Counts) -> Result<(), TestCaseError> {
        let mut draft = Draft::new(self);
        let reason = self.fault.and_then(|fault| draft.damage(fault));
        let spent = draft.check(reason, counts)?;
        if reason.is_none() {
            let least = draft.least();
            for gas_limit in [spent, spent - 1] {
                draft.tx.gas_limit = gas_limit.max(least);
                draft.check(None, counts)?;
            }
        }
        Ok(())
    }

    fn accounts(&self) -> Vec<(Address, Account)> {
        let scene = self.contracts.scene();
        // Its fork is another one. Delegations before Prague are left out: no chain has any, and the
        // reference would follow them.
        let known = scene.world.accounts();
        let known = known.filter(|(_, account)| account.code.delegation().is_none());
        let mut accounts: Vec<_> = known.map(|(at, account)| (*at, account.clone())).collect();
        if let Some(template) = self.template {
            let place = accounts.iter_mut().find(|(at, _)| *at == CONTRACT).unwrap();
            place.1.code = Arc::new(Code::new(&assemble(template)));
        }
        for empty in [
            EMPTY,
            Address::with_last_byte(2),
            Address::with_last_byte(3),
        ] {
            accounts.push((empty, Account::default()));
        }
        let mut last = Account::default();
        last.nonce = u64::MAX - 1;
        accounts.push((LAST_NONCE, last));
        if self.fork >= Fork::Prague {
            for (address, target) in [
                (DELEGATED, PEERS[0]),
                (CHAINED, DELEGATED),
                (SELFISH, SELFISH),
                (TO_PRECOMPILE, Address::with_last_byte(4)),
            ] {
                let mut account = Account::contract(Code::delegating_to(target).bytes());
                account.balance = 77_u64.into();
                accounts.push((address, account));
            }
        }
        accounts
    }

    fn nonce_of(&self, authority: Address) -> u64 {
        if authority == self.sender.address {
            // Counted up before authorizations are looked at.
            return self.sender.nonce.saturating_add(1);
        }
        let accounts = self.accounts();
        let found = accounts.iter().rev().find(|(at, _)| *at == authority);
        found.map_or(0, |(_, account)| account.nonce)
    }

    /// The first account that the transaction names besides its sender and receiver.
    fn named(&self, kind: &Kind) -> Option<Address> {
        match kind {
            Kind::SetCode { authorizations, .. } => authorizations.first()?.authority,
            _ => Some(self.access_list.first()?.0),
        }
    }

    fn kind(&self, fees: Fees) -> Kind {
        let most = most_of_kinds(self.fork);
        let number = if self.to.is_none() {
            // Only these can create.
            self.kind.min(most).min(2)
        } else {
            self.kind.min(most)
        };
        self.kind_of(number, fees)
    }

    fn kind_of(&self, number: u8, fees: Fees) -> Kind {
        let gas_price = fees.max_fee;
        match number {
            0 => Kind::Legacy { gas_price },
            1 => Kind::AccessList { gas_price },
            2 => Kind::FeeMarket(fees),
            3 => Kind::Blob {
                fees,
                max_fee_per_blob_gas: (self.block.blob_base_fee + self.price.above_base_fee).into(),
                hashes: vec![BLOB; self.blobs.clamp(1, most_blobs(self.fork))],
            },
            _ => Kind::SetCode {
                fees,
                authorizations: self
                    .authorizations
                    .iter()
                    .map(|planned| Authorization {
                        chain_id: planned.chain_id.into(),
                        address: planned.address,
                        nonce: planned.nonce.map_or(u64::MAX, |more| {
                            let nonce = planned.authority.map_or(0, |at| self.nonce_of(at));
                            nonce.saturating_add(more)
                        }),
                        authority: planned.authority,
                    })
                    .collect(),
            },
        }
    }
}

fn most_of_kinds(fork: Fork) -> u8 {
    match fork {
        fork if fork >= Fork::Prague => 4,
        fork if fork >= Fork::Cancun => 3,
        fork if fork >= Fork::London => 2,
        fork if fork >= Fork::Berlin => 1,
        _ => 0,
    }
}

fn most_blobs(fork: Fork) -> usize {
    if fork == Fork::Prague { 9 } else { 6 }
}

/// More than any transaction here can cost.
const PLENTY: Word = Word([0, 1 << 40, 0, 0]);

/// A transaction and what it runs on, put together.
struct Draft<'a> {
    plan: &'a Plan,
    environment: Environment,
    tx: Transaction,
    accounts: Vec<(Address, Account)>,
    sender: Account,
    /// Has just what the transaction can cost.
    exact: bool,
    /// Lacks so much of that.
    lacks: u64,
}

impl Draft<'_> {
    fn new(plan: &Plan) -> Draft<'_> {
        let fork = plan.fork;
        let base_fee = if fork >= Fork::London {
            plan.block.base_fee
        } else {
            0
        };
        let max_fee = base_fee + plan.price.above_base_fee;
        let tip = match plan.price.tip {
            Tip::None => 0,
            Tip::One => 1,
            Tip::Rest => plan.price.above_base_fee,
            Tip::MoreThanRest => plan.price.above_base_fee + 1,
            Tip::Cap => max_fee,
        };
        let fees = Fees {
            max_fee: max_fee.into(),
            max_priority_fee: tip.min(max_fee).into(),
        };
        let accounts = plan.accounts();
        let kind = plan.kind(fees);
        let code = || {
            let contract = accounts.iter().find(|(at, _)| *at == CONTRACT);
            contract.unwrap().1.code.bytes().to_vec()
        };
        let mut sender = accounts
            .iter()
            .rev()
            .find(|(at, _)| *at == plan.sender.address)
            .map(|(_, account)| account.clone())
            .unwrap_or_default();
        sender.nonce = plan.sender.nonce;
        let mut draft = Draft {
            plan,
            environment: Environment {
                coinbase: plan.block.coinbase,
                base_fee: base_fee.into(),
                blob_base_fee: plan.block.blob_base_fee.into(),
                gas_limit: 30_000_000,
                ..environment()
            },
            tx: Transaction {
                caller: plan.sender.address,
                nonce: plan.sender.nonce,
                gas_limit: 0,
                to: plan.to,
                value: plan.value.into(),
                input: match (&plan.to, &plan.input) {
                    (None, _) => code().into(),
                    (_, Input::Named) => {
                        let named = plan.named(&kind).unwrap_or(EOA);
                        Word::from(named).to_be_bytes().to_vec().into()
                    }
                    (_, Input::Bytes(bytes)) => Bytes::copy_from_slice(bytes),
                    (_, Input::Heavy(len, byte)) => vec![*byte; *len].into(),
                },
                access_list: if matches!(kind, Kind::Legacy { .. }) {
                    Vec::new()
                } else {
                    let listed = plan.access_list.iter();
                    let words = |slots: &[u64]| -> Vec<Word> {
                        slots.iter().map(|slot| (*slot).into()).collect()
                    };
                    listed.map(|(at, slots)| (*at, words(slots))).collect()
                },
                kind,
            },
            accounts,
            sender,
            exact: plan.sender.exact,
            lacks: 0,
        };
        draft.tx.gas_limit = match plan.gas {
            Gas::Least(more) => draft.least() + more,
            Gas::Most if fork >= Fork::Osaka => 1 << 24,
            Gas::Most => draft.environment.gas_limit,
        };
        draft
    }

    /// The lowest gas limit that is accepted.
    fn least(&self) -> u64 {
        let fork = self.plan.fork;
        self.tx.intrinsic_gas(fork).max(self.tx.floor_gas(fork))
    }

    fn fees(&mut self) -> Option<&mut Fees> {
        match &mut self.tx.kind {
            Kind::FeeMarket(fees) | Kind::Blob { fees, .. } | Kind::SetCode { fees, .. } => {
                Some(fees)
            }
            _ => None,
        }
    }

    /// Breaks a rule, where the transaction is one that can; the reason that must be found.
    fn damage(&mut self, fault: Fault) -> Option<&'static str> {
        let fork = self.plan.fork;
        match fault {
            Fault::Type if most_of_kinds(fork) < 4 => {
                let next = most_of_kinds(fork) + 1;
                if next > 2 && self.tx.to.is_none() {
                    return None;
                }
                let fees = Fees {
                    max_fee: self.plan.block.base_fee.into(),
                    max_priority_fee: Word::ZERO,
                };
                self.tx.kind = self.plan.kind_of(next, fees);
                self.tx.gas_limit = self.tx.gas_limit.max(self.least());
                Some("TypeNotSupported")
            }
            Fault::NonceLow if self.tx.nonce > 0 => {
                self.tx.nonce -= 1;
                Some("NonceTooLow")
            }
            Fault::NonceHigh if self.tx.nonce < u64::MAX - 1 => {
                self.tx.nonce += 1;
                Some("NonceTooHigh")
            }
            Fault::NonceMax => {
                self.tx.nonce = u64::MAX;
                Some("NonceIsMax")
            }
            Fault::SenderNonceMax => {
                self.sender.nonce = u64::MAX;
                self.tx.nonce = u64::MAX;
                Some("NonceIsMax")
            }
            Fault::SenderCode => {
                self.sender.code = Arc::new(Code::new(&[0]));
                Some("SenderNotEoa")
            }
            Fault::Funds if !self.cost().is_zero() => {
                self.exact = true;
                self.lacks = 1;
                Some("InsufficientFunds")
            }
            Fault::FundsOverflow if !self.cost().is_zero() => {
                self.tx.value = Word::MAX;
                self.exact = false;
                Some("InsufficientFunds")
            }
            Fault::Intrinsic => {
                self.tx.gas_limit = self.tx.intrinsic_gas(fork) - 1;
                Some("IntrinsicGasTooLow")
            }
            Fault::Floor if self.tx.floor_gas(fork) > self.tx.intrinsic_gas(fork) => {
                self.tx.gas_limit = self.tx.floor_gas(fork) - 1;
                Some("IntrinsicGasBelowFloor")
            }
            Fault::BlockGas => {
                self.environment.gas_limit = self.tx.gas_limit - 1;
                Some("GasAllowanceExceeded")
            }
            Fault::GasCap if fork >= Fork::Osaka => {
                self.tx.gas_limit = (1 << 24) + 1;
                Some("GasLimitExceedsMaximum")
            }
            Fault::BaseFee if !self.environment.base_fee.is_zero() => {
                let less = self.environment.base_fee.wrapping_sub(Word::ONE);
                match &mut self.tx.kind {
                    Kind::Legacy { gas_price } | Kind::AccessList { gas_price } => {
                        *gas_price = less;
                    }
                    Kind::FeeMarket(fees)
                    | Kind::Blob { fees, .. }
                    | Kind::SetCode { fees, .. } => {
                        fees.max_fee = less;
                        fees.max_priority_fee = fees.max_priority_fee.min(less);
                    }
                }
                Some("InsufficientMaxFee")
            }
            Fault::Tip => {
                let fees = self.fees()?;
                fees.max_priority_fee = fees.max_fee.wrapping_add(Word::ONE);
                Some("PriorityGreaterThanMaxFee")
            }
            Fault::InitCode if self.tx.to.is_none() && fork >= Fork::Shanghai => {
                self.tx.input = vec![0; 49_153].into();
                self.tx.gas_limit = self.tx.gas_limit.max(self.least());
                Some("InitCodeSizeExceeded")
            }
            _ => self.damage_kind(fault),
        }
    }

    /// As [`Draft::damage`], in what only one type has.
    fn damage_kind(&mut self, fault: Fault) -> Option<&'static str> {
        match (fault, &mut self.tx.kind) {
            (Fault::NoBlobs, Kind::Blob { hashes, .. }) => {
                hashes.clear();
                Some("NoBlobs")
            }
            (Fault::Blobs, Kind::Blob { hashes, .. }) => {
                hashes.resize(most_blobs(self.plan.fork) + 1, hashes[0]);
                Some("BlobCountExceeded")
            }
            (Fault::BlobVersion, Kind::Blob { hashes, .. }) => {
                hashes.last_mut().unwrap()[0] = 2;
                Some("BlobHashVersion")
            }
            (
                Fault::BlobFee,
                Kind::Blob {
                    max_fee_per_blob_gas,
                    ..
                },
            ) if self.plan.block.blob_base_fee > 0 => {
                *max_fee_per_blob_gas = (self.plan.block.blob_base_fee - 1).into();
                Some("InsufficientMaxFeePerBlobGas")
            }
            (Fault::NoAuthorizations, Kind::SetCode { authorizations, .. }) => {
                authorizations.clear();
                Some("NoAuthorizations")
            }
            _ => None,
        }
    }

    /// The most that it can cost the sender.
    fn cost(&self) -> Word {
        let (max_fee, blobs) = match &self.tx.kind {
            Kind::Legacy { gas_price } | Kind::AccessList { gas_price } => (*gas_price, Word::ZERO),
            Kind::FeeMarket(fees) | Kind::SetCode { fees, .. } => (fees.max_fee, Word::ZERO),
            Kind::Blob {
                fees,
                max_fee_per_blob_gas,
                hashes,
            } => {
                let gas = Word::from((hashes.len() as u64) << 17);
                (fees.max_fee, gas.wrapping_mul(*max_fee_per_blob_gas))
            }
        };
        let gas = Word::from(self.tx.gas_limit).wrapping_mul(max_fee);
        gas.wrapping_add(blobs).wrapping_add(self.tx.value)
    }

    fn world(&self) -> World {
        let mut world = World::new(self.environment.clone());
        for (address, account) in &self.accounts {
            world.insert(*address, account.clone());
        }
        let mut sender = self.sender.clone();
        sender.balance = if self.exact {
            self.cost().wrapping_sub(self.lacks.into())
        } else {
            PLENTY
        };
        world.insert(self.tx.caller, sender);
        let number = self.environment.number;
        for block in number - 256..number {
            let hash = alloy_primitives::keccak256(block.to_string());
            world.set_block_hash(block, hash);
        }
        world
    }

    /// Runs it twice in a row, the second time as often refused as not, everywhere; the gas that it took
    /// before refunds.
    fn check(&self, reason: Option<&str>, counts: &mut Counts) -> Result<u64, TestCaseError> {
        let fork = self.plan.fork;
        let before = self.world();
        let mut chain = Chain::new(&self.environment, &before, fork);
        let mut worlds = Mode::ALL.map(|mode| (Interpreter::new(mode, fork), before.clone()));
        let mut tx = self.tx.clone();
        let mut spent = 0;
        for round in 0..2 {
            let expected = chain.transact(&tx);
            if round == 0 {
                prop_assert_eq!(expected.as_ref().err().map(String::as_str), reason);
            }
            for (interpreter, world) in &mut worlds {
                let mode = interpreter.mode();
                let result = world.transact(interpreter, &tx);
                if let Ok(receipt) = &result
                    && round == 0
                {
                    spent = tx.gas_limit - receipt.outcome.gas_left;
                }
                let found = see(result, world);
                prop_assert_eq!(&found, &expected, "{} {}, round {}", fork, mode, round);
                same_state(world, &chain, mode)?;
            }
            counts.add(&expected);
            // For the next round, as far as it can go on.
            let sender = chain.state.get(&tx.caller);
            tx.nonce = sender.map_or(0, |account| account.nonce);
        }
        Ok(spent)
    }
}

impl Counts {
    fn add(&mut self, result: &Result<Settled, String>) {
        match result {
            Err(_) => self.refused += 1,
            Ok(settled) => match settled.end {
                End::Success => self.succeeded += 1,
                End::Revert => self.reverted += 1,
                End::Halt => self.halted += 1,
            },
        }
    }
}

fn see(result: Result<Receipt, TransactionError>, world: &World) -> Result<Settled, String> {
    let Receipt { gas_used, outcome } = result.map_err(name)?;
    Ok(Settled {
        end: match outcome.status {
            Status::Success => End::Success,
            Status::Revert => End::Revert,
            Status::Halt(_) => End::Halt,
        },
        gas_used,
        output: outcome.output,
        created: outcome.created,
        logs: world.logs().map(Into::into).collect(),
    })
}

/// The name of its variant.
fn name(error: TransactionError) -> String {
    let name = format!("{error:?}");
    name.split('(').next().unwrap().to_owned()
}

/// One account at a time, so that a difference can be read.
fn same_state(world: &World, chain: &Chain, mode: Mode) -> Result<(), TestCaseError> {
    let (found, expected) = (state(world), &chain.state);
    for address in found.keys().chain(expected.keys()) {
        let (found, expected) = (found.get(address), expected.get(address));
        if expected.is_none() && chain.may_lack(*address) {
            let empty = world.get(address).is_some_and(Account::is_empty);
            prop_assert!(empty, "{mode} {address}: {found:?}");
            continue;
        }
        prop_assert_eq!(found, expected, "{} {}: ours, revm's", mode, address);
    }
    Ok(())
}

/// The random plans found that revm gets this wrong; what is right stands here.
#[test]
fn a_selfdestruct_that_cannot_be_paid_touches_nobody() {
    const COST: u64 = 21_000 + 3 + 5_000;
    let forks = Fork::ALL.iter().copied();
    for fork in forks.filter(|fork| *fork >= Fork::SpuriousDragon) {
        for (gas_limit, cleared) in [(COST - 1, false), (COST, true)] {
            for mode in Mode::ALL {
                let mut world = World::new(environment());
                world.insert(CALLER, Account::funded(PLENTY));
                world.insert(RIPEMD160, Account::default());
                let contract = Account::contract(&assemble("PUSH1 3 SELFDESTRUCT"));
                world.insert(CONTRACT, contract);
                let tx = Transaction {
                    caller: CALLER,
                    gas_limit,
                    to: Some(CONTRACT),
                    kind: Kind::Legacy {
                        gas_price: environment().base_fee,
                    },
                    ..Transaction::default()
                };
                let receipt = world.transact(&mut Interpreter::new(mode, fork), &tx);
                let succeeded = receipt.unwrap().outcome.status == Status::Success;
                assert_eq!(succeeded, cleared, "{fork} {mode}");
                assert_eq!(world.get(&RIPEMD160).is_none(), cleared, "{fork} {mode}");
            }
        }
    }
}
