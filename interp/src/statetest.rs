//! The official state tests (`GeneralStateTests` of ethereum/tests and execution-spec-tests): parses them and
//! runs single cases. The caller chooses the files and prints the results.

mod authorization;
mod forks;
mod format;
mod number;

pub use forks::fork;

use crate::driver::Execute;
use crate::fork::Fork;
use crate::host::Environment;
use crate::interpreter::Interpreter;
use crate::keccak::keccak256;
use crate::settings::{Mode, Settings};
use crate::word::Word;
use crate::world::transaction::{Fees, Kind, Transaction, TransactionError};
use crate::world::{Account, World};
use alloy_primitives::{Address, B256, Bytes, hex};
use authorization::Signed;
use forks::{Schedule, rules};
use format::{Indexes, Parts, Post, Unit};
use number::{number, small};
use serde_json::Value;
use std::fmt;

/// A text that is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("not JSON: {0}")]
pub struct FormatError(#[from] serde_json::Error);

/// The tests of a file.
#[derive(Debug, Default)]
pub struct Tests {
    /// Those that could be read.
    pub tests: Vec<StateTest>,
    /// Those that could not be read.
    pub unreadable: Vec<Unreadable>,
}

/// A test that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its name in the file.
    pub name: String,
    /// What is wrong, with the field.
    pub reason: String,
}

/// A test: a state, a transaction in several variants, and the expected result of each at several forks.
#[derive(Debug)]
pub struct StateTest {
    /// Its name in the file.
    pub name: String,
    unit: Unit,
    sender: Address,
}

/// One variant at one fork.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    test: &'a StateTest,
    /// The fork.
    pub fork: Fork,
    blobs: Schedule,
    post: &'a Post,
    /// Its index among the fork's variants.
    pub index: usize,
}

/// How a result differs from the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What differs: `exception`, `logs hash` or `state root`; `indices` if the test has no such variant.
    pub what: &'static str,
    /// The expected value.
    pub expected: String,
    /// The actual value.
    pub found: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: expected {}, found {}",
            self.what, self.expected, self.found
        )
    }
}

/// What came of a case.
#[derive(Clone, Copy, Debug)]
pub struct Ran {
    /// Names of the exception that refused the transaction.
    pub exception: Option<&'static [&'static str]>,
    /// The hash of the logs.
    pub logs_hash: B256,
    /// The state root.
    pub state_root: B256,
}

/// Reads the tests of a file. A test that cannot be read does not stop the others. `None` if the file is JSON of
/// another kind, such as an index of tests.
///
/// # Errors
/// [`FormatError`] if the text is not JSON.
pub fn parse(text: &str) -> Result<Option<Tests>, FormatError> {
    let Value::Object(entries) = serde_json::from_str(text)? else {
        return Ok(None);
    };
    if !entries.values().any(is_state_test) {
        return Ok(None);
    }
    let mut file = Tests::default();
    for (name, value) in entries {
        match read_unit(value) {
            Ok((unit, sender)) => file.tests.push(StateTest { name, unit, sender }),
            Err(reason) => file.unreadable.push(Unreadable { name, reason }),
        }
    }
    Ok(Some(file))
}

/// Whether it is meant as a state test: blockchain tests and others have neither field.
fn is_state_test(value: &Value) -> bool {
    ["transaction", "post"]
        .iter()
        .any(|field| value.get(field).is_some())
}

fn read_unit(value: Value) -> Result<(Unit, Address), String> {
    // A list would be read as the fields in order.
    if !value.is_object() {
        return Err("not a JSON object".to_owned());
    }
    let unit: Unit = serde_path_to_error::deserialize(value).map_err(|error| error.to_string())?;
    let sender = unit.transaction.sender();
    let sender = sender.map_err(|error| error.to_string())?;
    Ok((unit, sender))
}

impl StateTest {
    /// All cases of known forks.
    pub fn cases(&self) -> impl Iterator<Item = Case<'_>> {
        self.unit
            .post
            .iter()
            .filter_map(|(name, posts)| {
                let (fork, blobs) = rules(name)?;
                let config = self.unit.config.as_ref();
                let stated = config.and_then(|config| config.blob_schedule.get(name));
                Some((fork, stated.copied().unwrap_or(blobs), posts))
            })
            .flat_map(move |(fork, blobs, posts)| {
                let numbered = posts.iter().enumerate();
                numbered.map(move |(index, post)| Case {
                    test: self,
                    fork,
                    blobs,
                    post,
                    index,
                })
            })
    }

    /// Names of unknown forks in the test, and the number of variants of each.
    pub fn unknown_forks(&self) -> impl Iterator<Item = (&str, usize)> {
        self.unit
            .post
            .iter()
            .filter(|(name, _)| rules(name).is_none())
            .map(|(name, posts)| (name.as_str(), posts.len()))
    }
}

impl Case<'_> {
    /// Indices of data, gas and value, which identify the variant in the suites.
    pub fn indices(&self) -> (usize, usize, usize) {
        let Indexes { data, gas, value } = self.post.indexes;
        (data, gas, value)
    }

    /// Runs the case in a mode.
    ///
    /// # Errors
    /// The first difference from the expected result.
    pub fn run(&self, mode: Mode) -> Result<(), Failure> {
        // Translates at once: a test runs most code only once, so it would not become hot.
        self.run_on(&mut Interpreter::with_settings(
            mode,
            self.fork,
            Settings::eager(),
        ))
    }

    /// Runs the case on an interpreter of its fork, or on a pair of them.
    ///
    /// # Errors
    /// As [`Case::run`].
    pub fn run_on(&self, interpreter: &mut impl Execute) -> Result<(), Failure> {
        self.check(&self.execute(interpreter)?)
    }

    /// Runs the transaction on an interpreter of the case's fork, without comparing anything.
    ///
    /// # Errors
    /// The test has no such variant.
    pub fn execute(&self, interpreter: &mut impl Execute) -> Result<Ran, Failure> {
        let mut world = self.world();
        let exception = match self.transaction() {
            Err(Unwritable::Indices) => {
                let found = "fewer in the transaction's lists";
                return Err(failure("indices", "data, gas and value", found));
            }
            Err(Unwritable::Field(names)) => Some(names),
            Ok(tx) => {
                let result = world.transact(interpreter, &tx);
                result.err().map(TransactionError::names)
            }
        };
        // ethereum/tests mine a block with a reward of 0, which still touches the account, even where the transaction is
        // refused. execution-spec-tests have no block and no reward.
        if !self.test.unit.is_of_execution_spec_tests() {
            world.reward(self.test.unit.env.current_coinbase, self.fork);
        }
        Ok(Ran {
            exception,
            logs_hash: world.logs_hash(),
            state_root: world.state_root(),
        })
    }

    /// Compares what came of the case with what the test expects.
    ///
    /// # Errors
    /// The first difference.
    pub fn check(&self, ran: &Ran) -> Result<(), Failure> {
        let (expected, found) = (self.post.expect_exception.as_deref(), ran.exception);
        if !meets(expected, found) {
            let [expected, found] = [expected, found.map(|names| names[0])];
            let or_none = |name: Option<&str>| name.unwrap_or("none").to_owned();
            return Err(failure("exception", or_none(expected), or_none(found)));
        }
        compare("logs hash", self.post.logs, ran.logs_hash)?;
        compare("state root", self.post.hash, ran.state_root)
    }

    fn world(&self) -> World {
        let Unit {
            config, env, pre, ..
        } = &self.test.unit;
        let merged = self.fork >= Fork::Paris;
        let prevrandao = if merged {
            env.current_random
        } else {
            env.current_difficulty
        };
        let stated_chain = config.as_ref().and_then(|config| config.chainid);
        let mut world = World::new(Environment {
            number: env.current_number.saturating_u64(),
            timestamp: env.current_timestamp.saturating_u64(),
            coinbase: env.current_coinbase,
            gas_limit: env.current_gas_limit.saturating_u64(),
            prevrandao: prevrandao.unwrap_or_default(),
            base_fee: env.current_base_fee.unwrap_or_default(),
            blob_base_fee: self
                .blobs
                .base_fee(env.current_excess_blob_gas.unwrap_or_default()),
            chain_id: stated_chain.map_or(1, Word::saturating_u64),
            ..Environment::default()
        });
        for (address, state) in pre {
            let mut account = Account::with_code(&state.code);
            account.balance = state.balance;
            account.nonce = state.nonce.saturating_u64();
            for (key, value) in &state.storage {
                account.set_storage(key.0, *value);
            }
            world.insert(*address, account);
        }
        world.limit_blobs(self.blobs.max.saturating_u64());
        let number = env.current_number.saturating_u64();
        for block in number.saturating_sub(256)..number {
            world.set_block_hash(block, keccak256(block.to_string().as_bytes()));
        }
        world
    }

    /// The variant of the transaction.
    fn transaction(&self) -> Result<Transaction, Unwritable> {
        let parts = &self.test.unit.transaction;
        let (data, gas, value) = self.indices();
        let access_list = parts
            .access_lists
            .as_ref()
            .and_then(|lists| lists.get(data)?.as_ref());
        let kind = parts.kind(access_list.is_some())?;
        let listed = access_list.into_iter().flatten();
        Ok(Transaction {
            caller: self.test.sender,
            nonce: small(&parts.nonce).ok_or(Unwritable::Field(&["RLP_INVALID_NONCE"]))?,
            gas_limit: small(variant(&parts.gas_limit, gas)?)
                .ok_or(Unwritable::Field(&["RLP_INVALID_GASLIMIT"]))?,
            to: match parts.to.as_deref() {
                None | Some("") => None,
                Some(to) => Some(
                    to.parse()
                        .map_err(|_| Unwritable::Field(&["RLP_INVALID_TO"]))?,
                ),
            },
            value: number(variant(&parts.value, value)?)
                .ok_or(Unwritable::Field(&["RLP_INVALID_VALUE"]))?,
            input: bytes(variant(&parts.data, data)?)
                .ok_or(Unwritable::Field(&["RLP_INVALID_DATA"]))?,
            kind,
            access_list: listed
                .map(|item| {
                    (
                        item.address,
                        item.storage_keys.iter().map(|k| Word::from(*k)).collect(),
                    )
                })
                .collect(),
        })
    }
}

/// Why a variant is not a transaction.
enum Unwritable {
    /// The test lists fewer variants.
    Indices,
    /// A field is out of range, so the transaction cannot be decoded. Holds the names of that exception.
    Field(&'static [&'static str]),
}

fn variant(list: &[String], index: usize) -> Result<&str, Unwritable> {
    list.get(index)
        .map(String::as_str)
        .ok_or(Unwritable::Indices)
}

/// Whether the exception matches the expected one. Newer tests list names of the specification, one of which
/// must match. Older tests have names of their own (`TR_NoFunds`, `IntrinsicGas`), so any exception matches.
fn meets(expected: Option<&str>, found: Option<&[&str]>) -> bool {
    let (Some(expected), Some(found)) = (expected, found) else {
        return expected.is_some() == found.is_some();
    };
    let mut names = expected
        .split('|')
        .filter_map(|name| name.trim().strip_prefix("TransactionException."))
        .peekable();
    names.peek().is_none() || names.any(|name| found.contains(&name))
}

impl Parts {
    fn kind(&self, has_access_list: bool) -> Result<Kind, Unwritable> {
        let field = |text: &Option<String>, exception| {
            let text = text.as_deref().unwrap_or("0x0");
            number(text).ok_or(Unwritable::Field(exception))
        };
        let fees = Fees {
            max_fee: field(&self.max_fee_per_gas, &["GASPRICE_OVERFLOW"])?,
            max_priority_fee: field(&self.max_priority_fee_per_gas, &["PRIORITY_OVERFLOW"])?,
        };
        if let Some(authorizations) = &self.authorization_list {
            let authorizations = authorizations.iter().map(Signed::authorization);
            let authorizations = authorizations.collect::<Option<_>>();
            return Ok(Kind::SetCode {
                fees,
                authorizations: authorizations
                    .ok_or(Unwritable::Field(&["TYPE_4_INVALID_AUTHORIZATION_FORMAT"]))?,
            });
        }
        if let Some(hashes) = &self.blob_versioned_hashes {
            let max_fee_per_blob_gas = field(&self.max_fee_per_blob_gas, &["GASPRICE_OVERFLOW"])?;
            return Ok(Kind::Blob {
                fees,
                max_fee_per_blob_gas,
                hashes: hashes.clone(),
            });
        }
        if self.max_fee_per_gas.is_some() {
            return Ok(Kind::FeeMarket(fees));
        }
        let gas_price = field(&self.gas_price, &["GASPRICE_OVERFLOW"])?;
        Ok(if has_access_list {
            Kind::AccessList { gas_price }
        } else {
            Kind::Legacy { gas_price }
        })
    }
}

fn failure(what: &'static str, expected: impl ToString, found: impl ToString) -> Failure {
    Failure {
        what,
        expected: expected.to_string(),
        found: found.to_string(),
    }
}

fn compare(what: &'static str, expected: B256, found: B256) -> Result<(), Failure> {
    if expected == found {
        Ok(())
    } else {
        Err(failure(what, expected, found))
    }
}

fn bytes(text: &str) -> Option<Bytes> {
    hex::decode(text).ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_match_by_name_if_the_test_names_them() {
        let found = TransactionError::IntrinsicGasTooLow.names();
        let one = "TransactionException.INTRINSIC_GAS_TOO_LOW";
        let two = "TransactionException.NONCE_IS_MAX|TransactionException.INTRINSIC_GAS_TOO_LOW";
        let other = "TransactionException.NONCE_IS_MAX";
        assert!(meets(Some(one), Some(found)));
        assert!(meets(Some(two), Some(found)));
        assert!(!meets(Some(other), Some(found)));
        assert!(meets(Some("TR_NoFunds"), Some(found)));
        assert!(!meets(Some("TR_NoFunds"), None));
        assert!(!meets(None, Some(found)));
        assert!(meets(None, None));
    }
}
