//! Whole transactions on the crate `revm`: validation, execution, settlement, one after the other on one
//! state.

use super::{Database, database, has, number, seen, spec, word};
use crate::common::SeenAccount;
use alloy_primitives::{Address, Bytes, TxKind};
use evmscope_interp::world::World;
use evmscope_interp::world::transaction::{Authorization, Fees, Kind, Transaction};
use evmscope_interp::{Environment, Fork, Opcode};
use revm::context::either::Either;
use revm::context::result::{
    EVMError, ExecutionResult, HaltReason, InvalidTransaction, Output, ResultAndState,
};
use revm::context::transaction::{
    AccessList, AccessListItem, Authorization as RevmAuthorization, RecoveredAuthority,
    RecoveredAuthorization,
};
use revm::context::{BlockEnv, CfgEnv, Context, ContextTr, TxEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::interpreter::interpreter_types::{Jumps, LoopControl};
use revm::interpreter::{InstructionResult, Interpreter};
use revm::state::EvmState;
use revm::{DatabaseCommit, InspectEvm, Inspector, MainBuilder, MainnetEvm};
use std::collections::BTreeMap;

type Evm = MainnetEvm<Context<BlockEnv, TxEnv, CfgEnv, Database>, Unpaid>;

/// The account that stays touched even after a revert.
pub const RIPEMD160: Address = Address::with_last_byte(3);

/// The observable result of a valid transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    pub end: End,
    pub gas_used: u64,
    /// Empty if a creation succeeded.
    pub output: Bytes,
    pub created: Option<Address>,
    pub logs: Vec<alloy_primitives::Log>,
}

/// How its message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Success,
    Revert,
    Halt,
}

/// All accounts of a state, including empty ones.
pub type State = BTreeMap<Address, SeenAccount>;

/// The accounts of a world.
pub fn state(world: &World) -> State {
    let accounts = world.accounts();
    accounts
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

/// A chain of transactions in one block.
pub struct Chain {
    evm: Evm,
    fork: Fork,
    /// The state after the last one.
    pub state: State,
}

/// Detects a bug of the reference: it touches the beneficiary of a SELFDESTRUCT before it charges the gas. A
/// SELFDESTRUCT that runs out of gas then leaves [`RIPEMD160`] touched, and deleted if it was empty. An
/// opcode that cannot be paid must have no effect (Yellow Paper, 9.4.2).
#[derive(Debug, Default)]
struct Unpaid {
    /// Whether the current opcode is a SELFDESTRUCT to that account.
    under_way: bool,
    /// Whether such an opcode ran out of gas.
    seen: bool,
}

impl<C> Inspector<C> for Unpaid {
    fn step(&mut self, interpreter: &mut Interpreter, _: &mut C) {
        let beneficiary = || interpreter.stack.peek(0).map(|top| word(top).to_address());
        self.under_way = interpreter.bytecode.opcode() == Opcode::SELFDESTRUCT.0
            && beneficiary() == Ok(RIPEMD160);
    }

    fn step_end(&mut self, interpreter: &mut Interpreter, _: &mut C) {
        let result = interpreter.bytecode.instruction_result();
        self.seen |= self.under_way && result == Some(InstructionResult::OutOfGas);
    }
}

impl Chain {
    /// Starts with the accounts of a world. The reference must support `fork` (see [`has`]).
    pub fn new(environment: &Environment, world: &World, fork: Fork) -> Chain {
        assert!(has(fork));
        let spec = spec(fork).unwrap();
        let small = |word: evmscope_interp::Word| word.to_u64().expect("a small fee");
        let block = BlockEnv {
            number: alloy_primitives::U256::from(environment.number),
            beneficiary: environment.coinbase,
            timestamp: alloy_primitives::U256::from(environment.timestamp),
            gas_limit: environment.gas_limit,
            basefee: small(environment.base_fee),
            difficulty: number(environment.prevrandao),
            prevrandao: Some(environment.prevrandao.into()),
            blob_excess_gas_and_price: Some(BlobExcessGasAndPrice {
                excess_blob_gas: 0,
                blob_gasprice: small(environment.blob_base_fee).into(),
            }),
            ..BlockEnv::default()
        };
        let mut config = CfgEnv::new_with_spec(spec);
        config.chain_id = environment.chain_id;
        // The limit per block before Osaka (EIP-4844, EIP-7691), and per transaction since (EIP-7594).
        config.set_max_blobs_per_tx(if fork == Fork::Prague { 9 } else { 6 });
        let evm = Context::<BlockEnv, TxEnv, CfgEnv, Database>::new(database(world, fork), spec)
            .with_cfg(config)
            .with_block(block)
            .build_mainnet_with_inspector(Unpaid::default());
        Chain {
            evm,
            fork,
            state: state(world),
        }
    }

    /// Runs a transaction; an error is the name of a variant of `TransactionError`.
    pub fn transact(&mut self, tx: &Transaction) -> Result<Settled, String> {
        match self.evm.inspect_tx(transaction(tx)) {
            Ok(ResultAndState { result, state }) => {
                self.commit(&state);
                self.evm.ctx.db_mut().commit(state);
                Ok(settled(result))
            }
            Err(EVMError::Transaction(reason)) => Err(name(&reason).to_owned()),
            Err(other) => panic!("{other}"),
        }
    }

    /// Whether an empty account may have been deleted by that bug.
    pub fn may_lack(&self, address: Address) -> bool {
        address == RIPEMD160 && self.evm.inspector.seen
    }

    fn commit(&mut self, changes: &EvmState) {
        for (address, account) in changes.iter().filter(|(_, account)| account.is_touched()) {
            let cleared = self.fork >= Fork::SpuriousDragon && account.info.is_empty();
            let before = self.state.remove(address);
            if account.is_selfdestructed() || cleared {
                continue;
            }
            let mut storage = before.map(|account| account.storage).unwrap_or_default();
            for (key, slot) in &account.storage {
                storage.insert(word(*key), word(slot.present_value));
            }
            storage.retain(|_, value| !value.is_zero());
            self.state.insert(*address, seen(&account.info, storage));
        }
    }
}

fn transaction(tx: &Transaction) -> TxEnv {
    let wei = |fee: evmscope_interp::Word| u128::try_from(number(fee)).expect("a small fee");
    let listed = |(address, slots): &(Address, Vec<evmscope_interp::Word>)| AccessListItem {
        address: *address,
        storage_keys: slots.iter().map(|slot| (*slot).into()).collect(),
    };
    let common = TxEnv {
        caller: tx.caller,
        gas_limit: tx.gas_limit,
        kind: tx.to.map_or(TxKind::Create, TxKind::Call),
        value: number(tx.value),
        data: tx.input.clone(),
        nonce: tx.nonce,
        chain_id: Some(1),
        access_list: AccessList(tx.access_list.iter().map(listed).collect()),
        ..TxEnv::default()
    };
    let with_fees = |tx_type: u8, fees: &Fees| TxEnv {
        tx_type,
        gas_price: wei(fees.max_fee),
        gas_priority_fee: Some(wei(fees.max_priority_fee)),
        ..common.clone()
    };
    match &tx.kind {
        Kind::Legacy { gas_price } => TxEnv {
            gas_price: wei(*gas_price),
            ..common
        },
        Kind::AccessList { gas_price } => TxEnv {
            tx_type: 1,
            gas_price: wei(*gas_price),
            ..common
        },
        Kind::FeeMarket(fees) => with_fees(2, fees),
        Kind::Blob {
            fees,
            max_fee_per_blob_gas,
            hashes,
        } => TxEnv {
            max_fee_per_blob_gas: wei(*max_fee_per_blob_gas),
            blob_hashes: hashes.clone(),
            ..with_fees(3, fees)
        },
        Kind::SetCode {
            fees,
            authorizations,
        } => TxEnv {
            authorization_list: authorizations.iter().map(recovered).collect(),
            ..with_fees(4, fees)
        },
    }
}

fn recovered<Signed>(authorization: &Authorization) -> Either<Signed, RecoveredAuthorization> {
    let authority = authorization.authority;
    Either::Right(RecoveredAuthorization::new_unchecked(
        RevmAuthorization {
            chain_id: number(authorization.chain_id),
            address: authorization.address,
            nonce: authorization.nonce,
        },
        authority.map_or(RecoveredAuthority::Invalid, RecoveredAuthority::Valid),
    ))
}

fn settled(result: ExecutionResult<HaltReason>) -> Settled {
    let gas_used = result.tx_gas_used();
    let (end, output, created, logs) = match result {
        ExecutionResult::Success { output, logs, .. } => match output {
            Output::Call(bytes) => (End::Success, bytes, None, logs),
            Output::Create(_, created) => (End::Success, Bytes::new(), created, logs),
        },
        ExecutionResult::Revert { output, logs, .. } => (End::Revert, output, None, logs),
        ExecutionResult::Halt { logs, .. } => (End::Halt, Bytes::new(), None, logs),
    };
    Settled {
        end,
        gas_used,
        output,
        created,
        logs,
    }
}

fn name(reason: &InvalidTransaction) -> &'static str {
    use InvalidTransaction as R;
    match reason {
        R::Eip2930NotSupported
        | R::Eip1559NotSupported
        | R::Eip4844NotSupported
        | R::Eip7702NotSupported => "TypeNotSupported",
        R::TxGasLimitGreaterThanCap { .. } => "GasLimitExceedsMaximum",
        R::CallerGasLimitMoreThanBlock => "GasAllowanceExceeded",
        R::PriorityFeeGreaterThanMaxFee => "PriorityGreaterThanMaxFee",
        R::GasPriceLessThanBasefee => "InsufficientMaxFee",
        R::NonceOverflowInTransaction => "NonceIsMax",
        R::NonceTooLow { .. } => "NonceTooLow",
        R::NonceTooHigh { .. } => "NonceTooHigh",
        R::RejectCallerWithCode => "SenderNotEoa",
        R::CreateInitCodeSizeLimit => "InitCodeSizeExceeded",
        R::CallGasCostMoreThanGasLimit { .. } => "IntrinsicGasTooLow",
        R::GasFloorMoreThanGasLimit { .. } => "IntrinsicGasBelowFloor",
        R::LackOfFundForMaxFee { .. } | R::OverflowPaymentInTransaction => "InsufficientFunds",
        R::EmptyBlobs => "NoBlobs",
        R::TooManyBlobs { .. } => "BlobCountExceeded",
        R::BlobVersionNotSupported => "BlobHashVersion",
        R::BlobGasPriceGreaterThanMax { .. } => "InsufficientMaxFeePerBlobGas",
        R::EmptyAuthorizationList => "NoAuthorizations",
        other => panic!("{other:?} does not occur here"),
    }
}
