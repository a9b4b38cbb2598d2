//! A draft: a transaction and its state, made from a plan, made invalid if the plan says so, and run in both
//! modes and on `revm`.

use crate::common::reference::transaction::{Chain, End, Settled, state};
use crate::common::{CONTRACT, EOA, environment};
use crate::plan::{Fault, Gas, Input, Plan, Tip, most_blobs, most_of_kinds};
use alloy_primitives::{Address, Bytes};
use evmscope_interp::world::transaction::{Fees, Kind, Receipt, Transaction, TransactionError};
use evmscope_interp::world::{Account, World};
use evmscope_interp::{Code, Environment, Fork, Interpreter, Mode, Status, Word};
use proptest::prelude::*;
use std::sync::Arc;

/// More than any transaction here can cost.
pub const PLENTY: Word = Word([0, 1 << 40, 0, 0]);

/// Number of transactions per result.
#[derive(Debug, Default)]
pub struct Counts {
    pub refused: u64,
    pub succeeded: u64,
    pub reverted: u64,
    pub halted: u64,
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

impl Plan {
    /// Runs the plan with its own gas, with exactly the gas used, and with one less.
    pub fn check(&self, counts: &mut Counts) -> Result<(), TestCaseError> {
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
}

/// A transaction and its state.
pub struct Draft<'a> {
    pub plan: &'a Plan,
    pub environment: Environment,
    pub tx: Transaction,
    pub accounts: Vec<(Address, Account)>,
    pub sender: Account,
    /// Has exactly the maximum cost of the transaction.
    pub exact: bool,
    /// Has this much less than the maximum cost.
    pub lacks: u64,
}

impl Draft<'_> {
    pub fn new(plan: &Plan) -> Draft<'_> {
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
    pub fn least(&self) -> u64 {
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

    /// Breaks a rule, if it applies to this type of transaction. Returns the expected error.
    pub fn damage(&mut self, fault: Fault) -> Option<&'static str> {
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

    /// Like [`Draft::damage`], for rules of a single type.
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

    /// Maximum cost to the sender.
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

    /// Runs it twice in a row in both modes and on `revm`; the second time is often rejected. Returns the gas
    /// used before refunds.
    pub fn check(&self, reason: Option<&str>, counts: &mut Counts) -> Result<u64, TestCaseError> {
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
            // Prepares the next round, if there can be one.
            let sender = chain.state.get(&tx.caller);
            tx.nonce = sender.map_or(0, |account| account.nonce);
        }
        Ok(spent)
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

/// Compares one account at a time, so that differences are readable.
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
