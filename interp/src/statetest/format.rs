//! The JSON of a state test.

use super::authorization::Signed;
use super::forks::Schedule;
use super::number::Key;
use crate::word::Word;
use alloy_primitives::{Address, B256, Bytes};
use k256::ecdsa::SigningKey;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
pub(super) struct Unit {
    pub config: Option<Config>,
    #[serde(rename = "_info", default)]
    pub info: Info,
    pub env: Env,
    pub pre: BTreeMap<Address, State>,
    pub transaction: Parts,
    pub post: BTreeMap<String, Vec<Post>>,
}

/// The chain, which execution-spec-tests state.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    #[serde(alias = "chainId")]
    pub chainid: Option<Word>,
    /// By the names of forks.
    #[serde(default)]
    pub blob_schedule: BTreeMap<String, Schedule>,
}

/// What the tests' generator says of itself.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Info {
    /// Only execution-spec-tests have it.
    #[serde(rename = "fixture-format", alias = "fixture_format")]
    fixture_format: Option<serde::de::IgnoredAny>,
}

impl Unit {
    /// Whether the test is one of execution-spec-tests. Releases before `config` are known by their format's name.
    pub fn is_of_execution_spec_tests(&self) -> bool {
        self.config.is_some() || self.info.fixture_format.is_some()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Env {
    pub current_coinbase: Address,
    pub current_gas_limit: Word,
    pub current_number: Word,
    pub current_timestamp: Word,
    pub current_difficulty: Option<Word>,
    pub current_random: Option<Word>,
    pub current_base_fee: Option<Word>,
    pub current_excess_blob_gas: Option<Word>,
}

#[derive(Debug, Deserialize)]
pub(super) struct State {
    pub balance: Word,
    pub nonce: Word,
    pub code: Bytes,
    #[serde(default)]
    pub storage: BTreeMap<Key, Word>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parts {
    sender: Option<Address>,
    secret_key: Option<B256>,
    /// Missing, `null` or without text in a creation.
    pub to: Option<String>,
    pub nonce: String,
    pub data: Vec<String>,
    pub gas_limit: Vec<String>,
    pub value: Vec<String>,
    pub gas_price: Option<String>,
    pub max_fee_per_gas: Option<String>,
    pub max_priority_fee_per_gas: Option<String>,
    pub max_fee_per_blob_gas: Option<String>,
    pub blob_versioned_hashes: Option<Vec<B256>>,
    pub access_lists: Option<Vec<Option<Vec<Listed>>>>,
    pub authorization_list: Option<Vec<Signed>>,
}

/// Why a test does not tell who sends its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoSender {
    #[error("transaction: neither `sender` nor `secretKey`")]
    Missing,
    #[error("transaction.secretKey: not a private key of secp256k1")]
    Key,
}

impl Parts {
    /// The sender: as stated, or else the account of the secret key, as tests written by hand have it.
    pub fn sender(&self) -> Result<Address, NoSender> {
        match (self.sender, self.secret_key) {
            (Some(sender), _) => Ok(sender),
            (None, Some(key)) => SigningKey::from_slice(key.as_slice())
                .map(|key| Address::from_private_key(&key))
                .map_err(|_| NoSender::Key),
            (None, None) => Err(NoSender::Missing),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    pub address: Address,
    pub storage_keys: Vec<B256>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Post {
    pub hash: B256,
    pub logs: B256,
    pub indexes: Indexes,
    pub expect_exception: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Indexes {
    pub data: usize,
    pub gas: usize,
    pub value: usize,
}
