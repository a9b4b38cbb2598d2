//! A plan describes a random transaction and its state; and how plans are generated.

use crate::common::{
    CALLER, CONTRACT, EOA, NOBODY, PEERS, assemble, environment, generate, reference,
};
use alloy_primitives::{Address, B256, address, b256};
use evmscope_interp::world::Account;
use evmscope_interp::world::transaction::{Authorization, Fees, Kind};
use evmscope_interp::{Code, Fork, Word};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;

/// The code of this account delegates to the first peer (EIP-7702). Generated contracts call it.
pub const DELEGATED: Address = address!("0xd0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0");
/// Delegates to [`DELEGATED`]; only the first delegation is followed.
pub const CHAINED: Address = Address::repeat_byte(0xd1);
/// Delegates to itself.
pub const SELFISH: Address = Address::repeat_byte(0xd2);
/// Delegates to a precompile.
pub const TO_PRECOMPILE: Address = Address::repeat_byte(0xd3);
/// An existing, empty account.
pub const EMPTY: Address = Address::repeat_byte(0xe1);
/// Has the highest nonce that can still be incremented.
pub const LAST_NONCE: Address = Address::repeat_byte(0xe2);

/// A versioned hash of a blob (EIP-4844).
pub const BLOB: B256 = b256!("0x0100000000000000000000000000000000000000000000000000000000000009");

/// Accounts that a transaction may use.
pub const PEOPLE: &[Address] = &[
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

/// Describes a random transaction and its state.
#[derive(Clone, Debug)]
pub struct Plan {
    pub fork: Fork,
    /// Its type, if the fork has it.
    pub kind: u8,
    pub contracts: generate::Plan,
    /// Replaces the code of [`CONTRACT`].
    pub template: Option<&'static str>,
    pub block: Block,
    pub sender: Sender,
    /// No recipient: a creation with the code of [`CONTRACT`] as init code.
    pub to: Option<Address>,
    pub value: u64,
    pub input: Input,
    pub price: Price,
    pub gas: Gas,
    pub access_list: Vec<(Address, Vec<u64>)>,
    pub blobs: usize,
    pub authorizations: Vec<Planned>,
    pub fault: Option<Fault>,
}

#[derive(Clone, Debug)]
pub struct Block {
    pub coinbase: Address,
    pub base_fee: u64,
    pub blob_base_fee: u64,
}

#[derive(Clone, Debug)]
pub struct Sender {
    pub address: Address,
    pub nonce: u64,
    /// Has exactly the maximum cost of the transaction, or plenty.
    pub exact: bool,
}

#[derive(Clone, Debug)]
pub enum Input {
    Bytes(Vec<u8>),
    /// Contains an address from the transaction: an authority, or an account of the access list.
    Named,
    /// One byte repeated so often that the floor of EIP-7623 exceeds the gas of short code.
    Heavy(usize, u8),
}

#[derive(Clone, Debug)]
pub struct Price {
    pub above_base_fee: u64,
    pub tip: Tip,
}

#[derive(Clone, Copy, Debug)]
pub enum Tip {
    None,
    One,
    /// Everything above the base fee, or one more.
    Rest,
    MoreThanRest,
    /// The whole fee cap.
    Cap,
}

#[derive(Clone, Copy, Debug)]
pub enum Gas {
    /// This much more than the minimum.
    Least(u64),
    /// The limit of the block or of a transaction.
    Most,
}

/// An authorization; its nonce is relative to the authority's nonce in the state.
#[derive(Clone, Debug)]
pub struct Planned {
    pub authority: Option<Address>,
    pub address: Address,
    pub chain_id: u64,
    pub nonce: Option<u64>,
}

/// The one rule that a transaction breaks.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
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

pub const FAULTS: &[Fault] = &[
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

/// Code that the generator would rarely produce.
pub const TEMPLATES: &[&str] = &[
    "",
    "PUSH0 PUSH0 REVERT",
    "INVALID",
    // Clears slots: the refund is capped, also by the floor of long call data.
    "PUSH1 0 PUSH1 0 SSTORE PUSH1 0 PUSH1 1 SSTORE",
    // Clears and sets again, and reverts.
    "PUSH1 0 PUSH1 0 SSTORE PUSH1 7 PUSH1 0 SSTORE PUSH1 0 PUSH1 0 REVERT",
    "ORIGIN SELFDESTRUCT",
    "COINBASE SELFDESTRUCT",
    "ADDRESS SELFDESTRUCT",
    // Creates an account that destroys itself and sends its balance to the coinbase.
    "PUSH2 0x41ff PUSH1 0 MSTORE PUSH1 2 PUSH1 30 CALLVALUE CREATE",
    // Creates an account that destroys itself with itself as beneficiary.
    "PUSH2 0x30ff PUSH1 0 MSTORE PUSH1 2 PUSH1 30 CALLVALUE CREATE",
    // Deploys empty code twice with the same salt: the second creation collides.
    "PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 CREATE2 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 CREATE2",
    // Sends its whole balance to the account in the call data.
    "PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 SELFBALANCE PUSH1 0 CALLDATALOAD GAS CALL PUSH1 0 SSTORE",
    // Calls the account in the call data, and reverts.
    "PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 CALLDATALOAD GAS CALL PUSH1 0 PUSH1 0 REVERT",
    "PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 CALLDATALOAD GAS CALL INVALID",
    // Init code that deploys code starting with 0xef, and code of the maximum size and one byte more.
    "PUSH1 0xef PUSH1 0 MSTORE8 PUSH1 1 PUSH1 0 RETURN",
    "PUSH2 24576 PUSH1 0 RETURN",
    "PUSH2 24577 PUSH1 0 RETURN",
];

/// Code that returns what it observes of the transaction, the block and the accounts involved.
pub const OBSERVERS: &[&str] = &[
    // Calls the account in the call data in each way, and returns the gas used.
    "GAS PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 CALLDATALOAD PUSH2 9999 CALL POP GAS SWAP1 SUB
     GAS PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 CALLDATALOAD PUSH2 9999 CALLCODE POP GAS SWAP1 SUB
     GAS PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 CALLDATALOAD PUSH2 9999 DELEGATECALL POP GAS SWAP1 SUB
     GAS PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 PUSH1 0 CALLDATALOAD PUSH2 9999 STATICCALL POP GAS SWAP1 SUB
     PUSH1 0 MSTORE PUSH1 32 MSTORE PUSH1 64 MSTORE PUSH1 96 MSTORE PUSH1 128 PUSH1 0 RETURN",
    // Queries the account in the call data.
    "PUSH1 0 CALLDATALOAD EXTCODESIZE PUSH1 0 MSTORE PUSH1 0 CALLDATALOAD EXTCODEHASH PUSH1 32 MSTORE
     PUSH1 32 PUSH1 0 PUSH1 64 PUSH1 0 CALLDATALOAD EXTCODECOPY GAS PUSH1 96 MSTORE
     PUSH1 0 CALLDATALOAD BALANCE PUSH1 128 MSTORE PUSH1 160 PUSH1 0 RETURN",
    // The transaction and the block.
    "GASPRICE PUSH1 0 MSTORE BASEFEE PUSH1 32 MSTORE PUSH1 0 BLOBHASH PUSH1 64 MSTORE BLOBBASEFEE PUSH1 96
     MSTORE ORIGIN BALANCE PUSH1 128 MSTORE COINBASE BALANCE PUSH1 160 MSTORE PUSH1 192 PUSH1 0 RETURN",
    // The gas used by storage.
    "GAS PUSH1 0 SLOAD POP GAS SWAP1 SUB PUSH1 0 MSTORE GAS PUSH1 1 SLOAD POP GAS SWAP1 SUB PUSH1 32 MSTORE
     GAS PUSH1 7 PUSH1 2 SSTORE GAS SWAP1 SUB PUSH1 64 MSTORE PUSH1 96 PUSH1 0 RETURN",
];

pub fn plan() -> impl Strategy<Value = Plan> {
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

pub fn person() -> impl Strategy<Value = Address> {
    select(PEOPLE)
}

pub fn block() -> impl Strategy<Value = Block> {
    let coinbase = prop_oneof![1 => Just(environment().coinbase), 2 => person()];
    let fee = || prop_oneof![Just(0), Just(7), Just(1_000_000_000)];
    (coinbase, fee(), fee()).prop_map(|(coinbase, base_fee, blob_base_fee)| Block {
        coinbase,
        base_fee,
        blob_base_fee,
    })
}

pub fn sender() -> impl Strategy<Value = Sender> {
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

pub fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        3 => vec(any::<u8>(), 0..80).prop_map(Input::Bytes),
        3 => Just(Input::Named),
        4 => person().prop_map(|person| Input::Bytes(Word::from(person).to_be_bytes().to_vec())),
        2 => (0..3_000_usize, select(&[0, 1][..])).prop_map(|(len, byte)| Input::Heavy(len, byte)),
    ]
}

pub fn tip() -> impl Strategy<Value = Tip> {
    select(&[Tip::None, Tip::One, Tip::Rest, Tip::MoreThanRest, Tip::Cap][..])
}

pub fn authorization() -> impl Strategy<Value = Planned> {
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
    pub fn accounts(&self) -> Vec<(Address, Account)> {
        let scene = self.contracts.scene();
        // Requires another fork. No delegations before Prague: no chain has any, and the reference would
        // follow them.
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
            // Incremented before authorizations are checked.
            return self.sender.nonce.saturating_add(1);
        }
        let accounts = self.accounts();
        let found = accounts.iter().rev().find(|(at, _)| *at == authority);
        found.map_or(0, |(_, account)| account.nonce)
    }

    /// The first address in the transaction other than its sender and recipient.
    pub fn named(&self, kind: &Kind) -> Option<Address> {
        match kind {
            Kind::SetCode { authorizations, .. } => authorizations.first()?.authority,
            _ => Some(self.access_list.first()?.0),
        }
    }

    pub fn kind(&self, fees: Fees) -> Kind {
        let most = most_of_kinds(self.fork);
        let number = if self.to.is_none() {
            // Only these can create.
            self.kind.min(most).min(2)
        } else {
            self.kind.min(most)
        };
        self.kind_of(number, fees)
    }

    pub fn kind_of(&self, number: u8, fees: Fees) -> Kind {
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

pub fn most_of_kinds(fork: Fork) -> u8 {
    match fork {
        fork if fork >= Fork::Prague => 4,
        fork if fork >= Fork::Cancun => 3,
        fork if fork >= Fork::London => 2,
        fork if fork >= Fork::Berlin => 1,
        _ => 0,
    }
}

pub fn most_blobs(fork: Fork) -> usize {
    if fork == Fork::Prague { 9 } else { 6 }
}
