//! A transaction on a world: validation, intrinsic gas, its message, settlement (Yellow Paper, 6; EIP-155,
//! 1559, 2718, 2930, 3607, 3651, 4844, 7623, 7702, 7825).
//!
//! Signatures are not verified here: a transaction comes with its sender, an authorization with its
//! authority.

use super::World;
use crate::code::Code;
use crate::driver::Execute;
use crate::fork::Fork;
use crate::gas;
use crate::host::Host;
use crate::message::Message;
use crate::outcome::Outcome;
use crate::word::Word;
use alloy_primitives::{Address, B256, Bytes};
use std::sync::Arc;

/// A transaction with a known sender.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    /// The sender.
    pub caller: Address,
    /// The nonce, which must equal the sender's.
    pub nonce: u64,
    /// Gas it may use, including its intrinsic gas.
    pub gas_limit: u64,
    /// The account it calls; `None` to create a contract.
    pub to: Option<Address>,
    /// Value to transfer, wei.
    pub value: Word,
    /// Call data or init code.
    pub input: Bytes,
    /// Its type, with the fields of that type.
    pub kind: Kind,
    /// Accounts and slots that are warm from the start (EIP-2930); since type 1.
    pub access_list: Vec<(Address, Vec<Word>)>,
}

/// The type of a transaction (EIP-2718).
#[derive(Clone, Debug)]
pub enum Kind {
    /// Type 0.
    Legacy {
        /// Price per unit of gas, wei.
        gas_price: Word,
    },
    /// Type 1 (EIP-2930).
    AccessList {
        /// Price per unit of gas, wei.
        gas_price: Word,
    },
    /// Type 2 (EIP-1559).
    FeeMarket(Fees),
    /// Type 3 (EIP-4844).
    Blob {
        /// Gas fees.
        fees: Fees,
        /// Maximum price per unit of blob gas, wei.
        max_fee_per_blob_gas: Word,
        /// Versioned hashes of its blobs.
        hashes: Vec<B256>,
    },
    /// Type 4 (EIP-7702).
    SetCode {
        /// Gas fees.
        fees: Fees,
        /// Accounts that set their code.
        authorizations: Vec<Authorization>,
    },
}

impl Default for Kind {
    fn default() -> Kind {
        Kind::Legacy {
            gas_price: Word::ZERO,
        }
    }
}

/// Fees per unit of gas, wei (EIP-1559).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fees {
    /// Maximum price.
    pub max_fee: Word,
    /// Maximum share of the block's author.
    pub max_priority_fee: Word,
}

/// An account's authorization to run another account's code (EIP-7702).
#[derive(Clone, Debug)]
pub struct Authorization {
    /// The chain it is valid on; 0 for any.
    pub chain_id: Word,
    /// The account whose code to run; the zero address removes the delegation.
    pub address: Address,
    /// The authority's nonce.
    pub nonce: u64,
    /// The signer; `None` if the signature is invalid.
    pub authority: Option<Address>,
}

/// Why a transaction is invalid. It changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages are the documentation")]
pub enum TransactionError {
    #[error("the fork does not have transactions of type {0}")]
    TypeNotSupported(u8),
    #[error("gas limit above 2^24")]
    GasLimitExceedsMaximum,
    #[error("gas limit above the block's")]
    GasAllowanceExceeded,
    #[error("priority fee above the fee cap")]
    PriorityGreaterThanMaxFee,
    #[error("fee cap below the base fee")]
    InsufficientMaxFee,
    #[error("the sender's nonce is at its limit")]
    NonceIsMax,
    #[error("nonce below the sender's")]
    NonceTooLow,
    #[error("nonce above the sender's")]
    NonceTooHigh,
    #[error("the sender has code")]
    SenderNotEoa,
    #[error("init code over the size limit")]
    InitCodeSizeExceeded,
    #[error("gas limit below the intrinsic gas")]
    IntrinsicGasTooLow,
    #[error("gas limit below the call data floor")]
    IntrinsicGasBelowFloor,
    #[error("balance below the value plus the maximum gas cost")]
    InsufficientFunds,
    #[error("a blob transaction cannot create a contract")]
    BlobCreation,
    #[error("a blob transaction without blobs")]
    NoBlobs,
    #[error("too many blobs")]
    BlobCountExceeded,
    #[error("a blob hash of an unknown version")]
    BlobHashVersion,
    #[error("blob fee cap below the blob base fee")]
    InsufficientMaxFeePerBlobGas,
    #[error("a set-code transaction cannot create a contract")]
    SetCodeCreation,
    #[error("a set-code transaction without authorizations")]
    NoAuthorizations,
}

impl TransactionError {
    /// The specification's names of the exception, the most common one first. There are several if the
    /// specification distinguishes cases that are the same here: a single transaction always violates both
    /// limits on blobs.
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            TransactionError::TypeNotSupported(1) => &["TYPE_1_TX_PRE_FORK", "TYPE_NOT_SUPPORTED"],
            TransactionError::TypeNotSupported(2) => &["TYPE_2_TX_PRE_FORK", "TYPE_NOT_SUPPORTED"],
            TransactionError::TypeNotSupported(3) => &[
                "TYPE_3_TX_PRE_FORK",
                "TYPE_3_TX_ZERO_BLOBS_PRE_FORK",
                "TYPE_NOT_SUPPORTED",
            ],
            TransactionError::TypeNotSupported(4) => &["TYPE_4_TX_PRE_FORK", "TYPE_NOT_SUPPORTED"],
            TransactionError::TypeNotSupported(_) => &["TYPE_NOT_SUPPORTED"],
            TransactionError::GasLimitExceedsMaximum => &["GAS_LIMIT_EXCEEDS_MAXIMUM"],
            TransactionError::GasAllowanceExceeded => &["GAS_ALLOWANCE_EXCEEDED"],
            TransactionError::PriorityGreaterThanMaxFee => {
                &["PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS"]
            }
            TransactionError::InsufficientMaxFee => &["INSUFFICIENT_MAX_FEE_PER_GAS"],
            TransactionError::NonceIsMax => &["NONCE_IS_MAX"],
            TransactionError::NonceTooLow => &["NONCE_MISMATCH_TOO_LOW"],
            TransactionError::NonceTooHigh => &["NONCE_MISMATCH_TOO_HIGH"],
            TransactionError::SenderNotEoa => &["SENDER_NOT_EOA"],
            TransactionError::InitCodeSizeExceeded => &["INITCODE_SIZE_EXCEEDED"],
            TransactionError::IntrinsicGasTooLow => &["INTRINSIC_GAS_TOO_LOW"],
            TransactionError::IntrinsicGasBelowFloor => &["INTRINSIC_GAS_BELOW_FLOOR_GAS_COST"],
            TransactionError::InsufficientFunds => &["INSUFFICIENT_ACCOUNT_FUNDS"],
            TransactionError::BlobCreation => &["TYPE_3_TX_CONTRACT_CREATION"],
            TransactionError::NoBlobs => &["TYPE_3_TX_ZERO_BLOBS"],
            TransactionError::BlobCountExceeded => &[
                "TYPE_3_TX_BLOB_COUNT_EXCEEDED",
                "TYPE_3_TX_MAX_BLOB_GAS_ALLOWANCE_EXCEEDED",
            ],
            TransactionError::BlobHashVersion => &["TYPE_3_TX_INVALID_BLOB_VERSIONED_HASH"],
            TransactionError::InsufficientMaxFeePerBlobGas => {
                &["INSUFFICIENT_MAX_FEE_PER_BLOB_GAS"]
            }
            TransactionError::SetCodeCreation => &["TYPE_4_TX_CONTRACT_CREATION"],
            TransactionError::NoAuthorizations => &["TYPE_4_EMPTY_AUTHORIZATION_LIST"],
        }
    }
}

/// Result of a valid transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Gas charged: after refunds, and at least the call data floor.
    pub gas_used: u64,
    /// Result of its message.
    pub outcome: Outcome,
}

/// Gas of a transaction (Yellow Paper, appendix G: `G_transaction`).
const TRANSACTION: u64 = 21_000;
/// Gas of a creation by transaction (EIP-2).
const CREATION: u64 = 32_000;
/// Gas of a zero byte of call data.
const ZERO_BYTE: u64 = 4;
/// Gas of an address of an access list (EIP-2930).
const LISTED_ADDRESS: u64 = 2_400;
/// Gas of a slot of an access list.
const LISTED_SLOT: u64 = 1_900;
/// Gas of an authorization, and the refund if the authority exists (EIP-7702).
const AUTHORIZATION: u64 = 25_000;
const AUTHORIZATION_REFUND: i64 = 12_500;
/// Floor price per token of call data; a zero byte is one token, any other byte four (EIP-7623).
const FLOOR_TOKEN: u64 = 10;
/// Maximum gas limit of a transaction (EIP-7825).
const GAS_CAP: u64 = 1 << 24;
/// Gas of a blob (EIP-4844).
const BLOB_GAS: u64 = 1 << 17;

impl Kind {
    /// The number of the type, and the fork that introduced it.
    fn number_and_fork(&self) -> (u8, Fork) {
        match self {
            Kind::Legacy { .. } => (0, Fork::Frontier),
            Kind::AccessList { .. } => (1, Fork::Berlin),
            Kind::FeeMarket(_) => (2, Fork::London),
            Kind::Blob { .. } => (3, Fork::Cancun),
            Kind::SetCode { .. } => (4, Fork::Prague),
        }
    }

    /// Fee cap and priority fee. Without EIP-1559 fields, both are the gas price.
    fn fees(&self) -> Fees {
        match self {
            Kind::Legacy { gas_price } | Kind::AccessList { gas_price } => Fees {
                max_fee: *gas_price,
                max_priority_fee: *gas_price,
            },
            Kind::FeeMarket(fees) | Kind::Blob { fees, .. } | Kind::SetCode { fees, .. } => *fees,
        }
    }

    fn blob_hashes(&self) -> &[B256] {
        match self {
            Kind::Blob { hashes, .. } => hashes,
            _ => &[],
        }
    }

    fn authorizations(&self) -> &[Authorization] {
        match self {
            Kind::SetCode { authorizations, .. } => authorizations,
            _ => &[],
        }
    }
}

impl Transaction {
    /// Gas charged before its message runs (Yellow Paper, 6.2: g_0).
    pub fn intrinsic_gas(&self, fork: Fork) -> u64 {
        let (zeros, others) = self.count_bytes();
        let other_byte = if fork >= Fork::Istanbul { 16 } else { 68 };
        let mut gas = TRANSACTION + ZERO_BYTE * zeros + other_byte * others;
        if self.to.is_none() && fork >= Fork::Homestead {
            gas += CREATION;
        }
        if self.to.is_none() && fork >= Fork::Shanghai {
            gas += gas::INIT_CODE_WORD * gas::words(self.input.len() as u64);
        }
        for (_, slots) in &self.access_list {
            gas += LISTED_ADDRESS + LISTED_SLOT * slots.len() as u64;
        }
        gas + AUTHORIZATION * self.kind.authorizations().len() as u64
    }

    /// Minimum gas charged for the transaction, given its call data (EIP-7623).
    pub fn floor_gas(&self, fork: Fork) -> u64 {
        if fork < Fork::Prague {
            return 0;
        }
        let (zeros, others) = self.count_bytes();
        TRANSACTION + FLOOR_TOKEN * (zeros + 4 * others)
    }

    fn count_bytes(&self) -> (u64, u64) {
        let zeros = self.input.iter().filter(|byte| **byte == 0).count() as u64;
        (zeros, self.input.len() as u64 - zeros)
    }

    /// Effective price per unit of gas at a base fee.
    fn price(&self, base_fee: Word) -> Word {
        let Fees {
            max_fee,
            max_priority_fee,
        } = self.kind.fees();
        let (sum, overflow) = base_fee.overflowing_add(max_priority_fee);
        if overflow { max_fee } else { max_fee.min(sum) }
    }

    fn check_form(&self, fork: Fork, world: &World) -> Result<(), TransactionError> {
        use TransactionError as E;
        let refuse = |wrong: bool, error| if wrong { Err(error) } else { Ok(()) };
        let block = &world.environment;
        let (number, since) = self.kind.number_and_fork();
        refuse(fork < since, E::TypeNotSupported(number))?;
        match &self.kind {
            Kind::Blob {
                max_fee_per_blob_gas,
                hashes,
                ..
            } => {
                refuse(self.to.is_none(), E::BlobCreation)?;
                refuse(hashes.is_empty(), E::NoBlobs)?;
                let most = most_blobs(fork, world.max_blobs);
                refuse(hashes.len() as u64 > most, E::BlobCountExceeded)?;
                refuse(hashes.iter().any(|hash| hash[0] != 1), E::BlobHashVersion)?;
                refuse(
                    *max_fee_per_blob_gas < block.blob_base_fee,
                    E::InsufficientMaxFeePerBlobGas,
                )?;
            }
            Kind::SetCode { authorizations, .. } => {
                refuse(self.to.is_none(), E::SetCodeCreation)?;
                refuse(authorizations.is_empty(), E::NoAuthorizations)?;
            }
            _ => {}
        }
        let Fees {
            max_fee,
            max_priority_fee,
        } = self.kind.fees();
        refuse(max_priority_fee > max_fee, E::PriorityGreaterThanMaxFee)?;
        refuse(
            fork >= Fork::London && max_fee < block.base_fee,
            E::InsufficientMaxFee,
        )?;
        refuse(
            fork >= Fork::Osaka && self.gas_limit > GAS_CAP,
            E::GasLimitExceedsMaximum,
        )?;
        refuse(self.gas_limit > block.gas_limit, E::GasAllowanceExceeded)?;
        let creates_large = self.to.is_none() && self.input.len() as u64 > gas::INIT_CODE_LIMIT;
        refuse(
            fork >= Fork::Shanghai && creates_large,
            E::InitCodeSizeExceeded,
        )?;
        refuse(
            self.gas_limit < self.intrinsic_gas(fork),
            E::IntrinsicGasTooLow,
        )?;
        refuse(
            self.gas_limit < self.floor_gas(fork),
            E::IntrinsicGasBelowFloor,
        )
    }

    fn check_sender(&self, world: &mut World) -> Result<(), TransactionError> {
        use TransactionError as E;
        let sender = world.account(self.caller);
        // A limit of the transaction's own nonce, whatever the sender's (EIP-2681).
        if self.nonce == u64::MAX {
            return Err(E::NonceIsMax);
        }
        if self.nonce != sender.nonce {
            return Err(if self.nonce < sender.nonce {
                E::NonceTooLow
            } else {
                E::NonceTooHigh
            });
        }
        let code = Arc::clone(world.code(self.caller));
        if !code.is_empty() && code.delegation().is_none() {
            return Err(E::SenderNotEoa);
        }
        match self.max_cost() {
            Some(cost) if cost <= sender.balance => Ok(()),
            _ => Err(E::InsufficientFunds),
        }
    }

    /// Maximum cost: value, plus gas and blobs at their caps; `None` if it exceeds 256 bits.
    fn max_cost(&self) -> Option<Word> {
        let gas = checked_mul(Word::from(self.gas_limit), self.kind.fees().max_fee)?;
        let blobs = match &self.kind {
            Kind::Blob {
                max_fee_per_blob_gas,
                ..
            } => checked_mul(self.blob_gas(), *max_fee_per_blob_gas)?,
            _ => Word::ZERO,
        };
        checked_add(checked_add(gas, blobs)?, self.value)
    }

    fn blob_gas(&self) -> Word {
        Word::from(BLOB_GAS * self.kind.blob_hashes().len() as u64)
    }
}

/// Most blobs in a transaction: those of a block, and since Osaka at most six (EIP-7594).
fn most_blobs(fork: Fork, of_block: Option<u64>) -> u64 {
    let of_block = of_block.unwrap_or(if fork >= Fork::Prague { 9 } else { 6 });
    if fork >= Fork::Osaka {
        of_block.min(6)
    } else {
        of_block
    }
}

pub(crate) fn checked_mul(a: Word, b: Word) -> Option<Word> {
    let [r0, r1, r2, r3, above @ ..] = a.widening_mul(b);
    (above == [0; 4]).then_some(Word([r0, r1, r2, r3]))
}

fn checked_add(a: Word, b: Word) -> Option<Word> {
    let (sum, overflow) = a.overflowing_add(b);
    (!overflow).then_some(sum)
}

impl World {
    /// Runs a transaction in the interpreter and settles its fees.
    ///
    /// # Errors
    /// [`TransactionError`] if the transaction is not valid on this state, which is left unchanged.
    pub fn transact(
        &mut self,
        interpreter: &mut impl Execute,
        tx: &Transaction,
    ) -> Result<Receipt, TransactionError> {
        let fork = interpreter.fork();
        tx.check_form(fork, self)?;
        tx.check_sender(self)?;

        let base_fee = if fork >= Fork::London {
            self.environment.base_fee
        } else {
            Word::ZERO
        };
        let price = if fork >= Fork::London {
            tx.price(base_fee)
        } else {
            tx.kind.fees().max_fee
        };
        self.environment.origin = tx.caller;
        self.environment.gas_price = price;
        self.environment.blob_hashes = tx.kind.blob_hashes().to_vec();

        self.begin_transaction(fork, &[tx.caller]);
        self.pay_up_front(tx, price);
        let authorization_refund = self.authorize(tx);
        let mut outcome = interpreter.execute(self.message(tx, fork), self);

        outcome.refund += authorization_refund;
        let spent = tx.gas_limit - outcome.gas_left;
        let share = if fork >= Fork::London { 5 } else { 2 };
        let refund = u64::try_from(outcome.refund)
            .unwrap_or(0)
            .min(spent / share);
        let gas_used = (spent - refund).max(tx.floor_gas(fork));
        self.settle(tx, price, base_fee, gas_used);
        self.end_transaction(fork);
        Ok(Receipt { gas_used, outcome })
    }

    fn pay_up_front(&mut self, tx: &Transaction, price: Word) {
        let gas = Word::from(tx.gas_limit).wrapping_mul(price);
        let blobs = tx.blob_gas().wrapping_mul(self.environment.blob_base_fee);
        let balance = self.balance(tx.caller);
        // `check_sender` has verified that this does not overflow.
        self.set_balance(tx.caller, balance.wrapping_sub(gas.wrapping_add(blobs)));
        if tx.to.is_some() {
            // A creation increments the nonce itself, after it has computed its address from it.
            self.increment_nonce(tx.caller);
        }
    }

    /// Sets the code of the authorities, which stays whatever the result of the message (EIP-7702). Returns
    /// the refund for authorities that already existed.
    fn authorize(&mut self, tx: &Transaction) -> i64 {
        let chain_id = Word::from(self.environment.chain_id);
        let mut refund = 0;
        for authorization in tx.kind.authorizations() {
            let for_chain = authorization.chain_id.is_zero() || authorization.chain_id == chain_id;
            let Some(authority) = authorization.authority else {
                continue;
            };
            if !for_chain || authorization.nonce == u64::MAX {
                continue;
            }
            self.warm_account(authority);
            let (account, code) = (self.account(authority), Arc::clone(self.code(authority)));
            let may_set = code.is_empty() || code.delegation().is_some();
            if !may_set || account.nonce != authorization.nonce {
                continue;
            }
            if account.exists {
                refund += AUTHORIZATION_REFUND;
            }
            self.increment_nonce(authority);
            let code = if authorization.address.is_zero() {
                Code::empty()
            } else {
                Arc::new(Code::delegating_to(authorization.address))
            };
            self.set_code(authority, code);
        }
        refund
    }

    /// The message of a transaction. Warms the accounts and slots that are warm from the start.
    fn message(&mut self, tx: &Transaction, fork: Fork) -> Message {
        for (address, slots) in &tx.access_list {
            self.warm_account(*address);
            for slot in slots {
                self.load(*address, *slot);
            }
        }
        let gas = tx.gas_limit - tx.intrinsic_gas(fork);
        let message = match tx.to {
            Some(to) => {
                self.warm_account(to);
                if fork >= Fork::Prague
                    && let Some(target) = self.code(to).delegation()
                {
                    self.warm_account(target);
                }
                Message::call(tx.caller, to, tx.input.clone(), gas)
            }
            None => Message::create(tx.caller, tx.input.clone(), gas),
        };
        Message {
            value: tx.value,
            ..message
        }
    }

    /// Refunds unused gas to the sender and pays the block's author.
    fn settle(&mut self, tx: &Transaction, price: Word, base_fee: Word, gas_used: u64) {
        let unused = Word::from(tx.gas_limit - gas_used).wrapping_mul(price);
        let balance = self.balance(tx.caller).wrapping_add(unused);
        self.set_balance(tx.caller, balance);
        let coinbase = self.environment.coinbase;
        let fee = Word::from(gas_used).wrapping_mul(price.wrapping_sub(base_fee));
        let balance = self.balance(coinbase).wrapping_add(fee);
        self.set_balance(coinbase, balance);
    }
}
