//! The commitments to a world: state root and logs hash (Yellow Paper, 4.1 and appendix D).

use super::World;
use crate::keccak::keccak256;
use alloy_primitives::{B256, U256};
use alloy_rlp::Encodable;
use alloy_trie::TrieAccount;
use alloy_trie::root::{state_root_unhashed, storage_root_unhashed};

impl World {
    /// The root of the state trie.
    pub fn state_root(&self) -> B256 {
        state_root_unhashed(self.accounts().map(|(address, account)| {
            let slots = account
                .storage()
                .map(|(key, value)| (B256::from(key), U256::from_limbs(value.0)));
            let balance = U256::from_limbs(account.balance.0);
            let root = storage_root_unhashed(slots);
            (
                *address,
                TrieAccount::new(account.nonce, balance, root, account.code.hash()),
            )
        }))
    }

    /// The hash of the RLP-encoded logs of the current transaction.
    pub fn logs_hash(&self) -> B256 {
        let mut encoded = Vec::new();
        let logs: Vec<alloy_primitives::Log> = self.logs().map(Into::into).collect();
        logs.encode(&mut encoded);
        keccak256(&encoded)
    }
}
