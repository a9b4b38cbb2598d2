//! The official state tests (`GeneralStateTests` of ethereum/tests and execution-spec-tests): parses them and
//! runs single cases. The caller chooses the files and prints the results.

mod authorization;
mod number;

use crate::driver::Execute;
use crate::fork::Fork;
use crate::host::Environment;
use crate::interpreter::Interpreter;
use crate::keccak::keccak256;
use crate::settings::{Mode, Settings};
use crate::word::Word;
use crate::world::transaction::{Fees, Kind, Transaction, TransactionError, checked_mul};
use crate::world::{Account, World};
use alloy_primitives::{Address, B256, Bytes, hex};
use authorization::Signed;
use number::{number, small};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A file that is not a state test.
#[derive(Debug, thiserror::Error)]
#[error("not a state test: {0}")]
pub struct FormatError(#[from] serde_json::Error);

/// A test: a state, a transaction in several variants, and the expected result of each at several forks.
#[derive(Debug)]
pub struct StateTest {
    /// Its name in the file.
    pub name: String,
    unit: Unit,
}

/// One variant at one fork.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    test: &'a StateTest,
    /// The fork.
    pub fork: Fork,
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

/// Reads the tests of a file.
///
/// # Errors
/// [`FormatError`] if the text is not a state test.
pub fn parse(text: &str) -> Result<Vec<StateTest>, FormatError> {
    let units: BTreeMap<String, Unit> = serde_json::from_str(text)?;
    Ok(units
        .into_iter()
        .map(|(name, unit)| StateTest { name, unit })
        .collect())
}

impl StateTest {
    /// All cases of known forks.
    pub fn cases(&self) -> impl Iterator<Item = Case<'_>> {
        self.unit
            .post
            .iter()
            .filter_map(|(name, posts)| Some((fork(name)?, posts)))
            .flat_map(move |(fork, posts)| {
                let numbered = posts.iter().enumerate();
                numbered.map(move |(index, post)| Case {
                    test: self,
                    fork,
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
            .filter(|(name, _)| fork(name).is_none())
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
        let mut world = self.world();
        let found: Option<&[&str]> = match self.transaction() {
            Err(Unwritable::Indices) => {
                let found = "fewer in the transaction's lists";
                return Err(failure("indices", "data, gas and value", found));
            }
            Err(Unwritable::Field(name)) => Some(name),
            Ok(tx) => {
                let result = world.transact(interpreter, &tx);
                result.err().map(TransactionError::names)
            }
        };
        // ethereum/tests mine a block with a reward of 0, which still touches the account, even where the transaction is
        // refused. execution-spec-tests, which state their `config`, have no block and no reward.
        if self.test.unit.config.is_none() {
            world.reward(self.test.unit.env.current_coinbase, self.fork);
        }

        let expected = self.post.expect_exception.as_deref();
        if !meets(expected, found) {
            let [expected, found] = [expected, found.map(|names| names[0])];
            let or_none = |name: Option<&str>| name.unwrap_or("none").to_owned();
            return Err(failure("exception", or_none(expected), or_none(found)));
        }
        compare("logs hash", self.post.logs, world.logs_hash())?;
        compare("state root", self.post.hash, world.state_root())
    }

    fn world(&self) -> World {
        let Unit { env, pre, .. } = &self.test.unit;
        let merged = self.fork >= Fork::Paris;
        let random = env.current_random.map(Word::from);
        let prevrandao = if merged {
            random
        } else {
            env.current_difficulty
        };
        let mut world = World::new(Environment {
            number: env.current_number.saturating_u64(),
            timestamp: env.current_timestamp.saturating_u64(),
            coinbase: env.current_coinbase,
            gas_limit: env.current_gas_limit.saturating_u64(),
            prevrandao: prevrandao.unwrap_or_default(),
            base_fee: env.current_base_fee.unwrap_or_default(),
            blob_base_fee: blob_base_fee(
                self.fork,
                env.current_excess_blob_gas.unwrap_or_default(),
            ),
            chain_id: 1,
            ..Environment::default()
        });
        for (address, state) in pre {
            let mut account = Account::with_code(&state.code);
            account.balance = state.balance;
            account.nonce = state.nonce.saturating_u64();
            for (key, value) in &state.storage {
                account.set_storage(key.0, value.0);
            }
            world.insert(*address, account);
        }
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
            caller: parts.sender,
            nonce: small(&parts.nonce).ok_or(Unwritable::Field(&["RLP_INVALID_NONCE"]))?,
            gas_limit: small(variant(&parts.gas_limit, gas)?)
                .ok_or(Unwritable::Field(&["RLP_INVALID_GASLIMIT"]))?,
            to: match parts.to.as_str() {
                "" => None,
                to => Some(
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

/// The fork with this name in the test suites.
pub fn fork(name: &str) -> Option<Fork> {
    let mut forks = Fork::ALL.iter().copied();
    forks.find(|fork| fork.suite_names().contains(&name))
}

/// The base fee of blob gas: `e ^ (excess / fraction)`, by its Taylor series (EIP-4844, EIP-7691). Saturates
/// at 2^256 - 1, which nobody can pay.
fn blob_base_fee(fork: Fork, excess: Word) -> Word {
    let fraction = Word::from(if fork >= Fork::Prague {
        5_007_716u64
    } else {
        3_338_477
    });
    let mut sum = Word::ZERO;
    let mut term = fraction;
    let mut i = 1u64;
    while !term.is_zero() {
        sum = sum.wrapping_add(term);
        let Some(product) = checked_mul(term, excess) else {
            return Word::MAX;
        };
        term = product.unsigned_div(fraction.wrapping_mul(Word::from(i)));
        i += 1;
    }
    sum.unsigned_div(fraction)
}

fn bytes(text: &str) -> Option<Bytes> {
    hex::decode(text).ok().map(Bytes::from)
}

#[derive(Debug, Deserialize)]
struct Unit {
    config: Option<serde::de::IgnoredAny>,
    env: Env,
    pre: BTreeMap<Address, State>,
    transaction: Parts,
    post: BTreeMap<String, Vec<Post>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Env {
    current_coinbase: Address,
    current_gas_limit: Word,
    current_number: Word,
    current_timestamp: Word,
    current_difficulty: Option<Word>,
    current_random: Option<B256>,
    current_base_fee: Option<Word>,
    current_excess_blob_gas: Option<Word>,
}

#[derive(Debug, Deserialize)]
struct State {
    balance: Word,
    nonce: Word,
    code: Bytes,
    #[serde(default)]
    storage: BTreeMap<Key, Key>,
}

/// A word as a map key.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key(Word);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parts {
    sender: Address,
    to: String,
    nonce: String,
    data: Vec<String>,
    gas_limit: Vec<String>,
    value: Vec<String>,
    gas_price: Option<String>,
    max_fee_per_gas: Option<String>,
    max_priority_fee_per_gas: Option<String>,
    max_fee_per_blob_gas: Option<String>,
    blob_versioned_hashes: Option<Vec<B256>>,
    access_lists: Option<Vec<Option<Vec<Listed>>>>,
    authorization_list: Option<Vec<Signed>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    address: Address,
    storage_keys: Vec<B256>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Post {
    hash: B256,
    logs: B256,
    indexes: Indexes,
    expect_exception: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Indexes {
    data: usize,
    gas: usize,
    value: usize,
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Word, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Word::from_str(&text).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        Word::deserialize(deserializer).map(Key)
    }
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

    #[test]
    fn blob_base_fee_grows_and_saturates() {
        let fee = |excess: u64| blob_base_fee(Fork::Cancun, excess.into());
        assert_eq!(fee(0), Word::ONE);
        assert_eq!(fee(2_314_057), Word::ONE);
        assert_eq!(fee(2_314_058), Word::from(2u64));
        assert_eq!(fee(10 * 1024 * 1024), Word::from(23u64));
        assert_eq!(fee(u64::MAX), Word::MAX);
    }
}
