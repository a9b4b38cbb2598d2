//! The authorizations of set-code transactions in the tests' format, and recovery of their signers. The
//! transaction applies them.

use super::number::{number, small};
use crate::world::transaction::Authorization;
use alloy_eip7702::SignedAuthorization;
use alloy_primitives::{Address, U256};
use serde::Deserialize;

/// An authorization in the test's JSON. The test's field `signer` is ignored, because a transaction does not
/// contain it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Signed {
    chain_id: String,
    address: Address,
    nonce: String,
    /// 0 or 1 where it is valid, and at most 255.
    y_parity: Option<String>,
    /// The older name of the same field.
    v: Option<String>,
    r: String,
    s: String,
}

impl Signed {
    /// The authorization, with the authority recovered from the signature. An invalid signature, or one whose
    /// `s` is above half the order of the curve (EIP-2), has no authority, and the transaction skips the
    /// authorization. Returns `None` if a field has more bits than a transaction can hold, which makes the
    /// transaction invalid (EIP-7702).
    pub(super) fn authorization(&self) -> Option<Authorization> {
        let limbs = |text: &str| Some(U256::from_limbs(number(text)?.0));
        let chain_id = number(&self.chain_id)?;
        let nonce = small(&self.nonce)?;
        let y_parity = small(self.y_parity.as_ref().or(self.v.as_ref())?)?;
        let signed = SignedAuthorization::new_unchecked(
            alloy_eip7702::Authorization {
                chain_id: U256::from_limbs(chain_id.0),
                address: self.address,
                nonce,
            },
            u8::try_from(y_parity).ok()?,
            limbs(&self.r)?,
            limbs(&self.s)?,
        );
        Some(Authorization {
            chain_id,
            address: self.address,
            nonce,
            authority: signed.recover_authority().ok(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Signature, address};
    use serde_json::{Value, json};

    /// Signed with the key of 32 bytes 0x46 by the Python package eth-account 0.14.0.
    const SIGNER: Address = address!("0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F");
    const CHAIN_1: &str = r#"{
        "chainId": "0x01", "address": "0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1", "nonce": "0x00",
        "v": "0x00", "yParity": "0x00",
        "r": "0x80a3c27cc3f1e69b3804a2e1c9934ed1e8d1a44e8488c664cc2c364bc34001a1",
        "s": "0x46ac77a480e23fe4bf9acd4095dadb8276c41e39d392c82a7ca2d92f1095da42",
        "signer": "0x1111111111111111111111111111111111111111"
    }"#;
    const ANY_CHAIN: &str = r#"{
        "chainId": "0x00", "address": "0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1", "nonce": "0x07",
        "v": "0x00",
        "r": "0xc6cc297ff8dd3a088b8f82aaac8bc53c568b9d1e248dbc13d245dd2efd594178",
        "s": "0x3773b00de388fc6f2f5a20ed2bf1ab54963d4a7a6de54e8fc6ec2e22602419dc"
    }"#;
    const LAST_NONCE: &str = r#"{
        "chainId": "0x01", "address": "0x0000000000000000000000000000000000000000",
        "nonce": "0xfffffffffffffffe", "yParity": "0x01",
        "r": "0xe77f7a987c6bba3be07fd6196526d433960c4d6a6c5da97785b0014a567c2abc",
        "s": "0x2b65bec0364a1172a98eaf9fadbce007e25cef19cc357da61fe88924023e9134"
    }"#;
    /// `n - s` of the first authorization: with the other parity, an equivalent signature.
    const HIGH_S: &str = "0xb953885b7f1dc01b406532bf6a25247c43eabeacdbb5d811432f855dbfa066ff";
    /// The order of the curve.
    const ORDER: &str = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

    fn read(mut value: Value, changes: &[(&str, &str)]) -> Option<Authorization> {
        for (field, text) in changes {
            value[*field] = json!(text);
        }
        serde_json::from_value::<Signed>(value)
            .unwrap()
            .authorization()
    }

    fn chain_1(changes: &[(&str, &str)]) -> Option<Authorization> {
        read(serde_json::from_str(CHAIN_1).unwrap(), changes)
    }

    #[test]
    fn the_authority_is_the_signer() {
        for text in [CHAIN_1, ANY_CHAIN, LAST_NONCE] {
            let read = read(serde_json::from_str(text).unwrap(), &[]).unwrap();
            assert_eq!(read.authority, Some(SIGNER), "{text}");
        }
        let last = read(serde_json::from_str(LAST_NONCE).unwrap(), &[]).unwrap();
        assert_eq!((last.nonce, last.address), (u64::MAX - 1, Address::ZERO));
    }

    #[test]
    fn a_changed_authorization_has_a_different_signer() {
        let other = "0xc2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2";
        let changes = [
            ("chainId", "0x00"),
            ("nonce", "0x01"),
            ("address", other),
            ("yParity", "0x1"),
        ];
        for change in changes {
            let authority = chain_1(&[change]).unwrap().authority;
            assert_ne!(authority, Some(SIGNER), "{change:?}");
        }
    }

    #[test]
    fn invalid_signatures_have_no_authority() {
        for changes in [
            &[("r", "0x0")][..],
            &[("s", "0x0")],
            &[("r", ORDER)],
            &[("s", ORDER)],
            // Above half the order, and valid otherwise.
            &[("s", HIGH_S), ("yParity", "0x1")],
            &[("yParity", "0x2")],
            // As in a legacy transaction.
            &[("yParity", "0x1b")],
            &[("yParity", "0xff")],
        ] {
            assert_eq!(chain_1(changes).unwrap().authority, None, "{changes:?}");
        }
    }

    #[test]
    fn the_high_s_is_the_only_reason_for_rejection() {
        let first: Signed = serde_json::from_str(CHAIN_1).unwrap();
        let hash = alloy_eip7702::Authorization {
            chain_id: U256::ONE,
            address: first.address,
            nonce: 0,
        }
        .signature_hash();
        let signature = Signature::new(first.r.parse().unwrap(), HIGH_S.parse().unwrap(), true);
        let recovered = signature.recover_address_from_prehash(&hash);
        assert_eq!(recovered.unwrap(), SIGNER);
    }

    #[test]
    fn fields_out_of_range_make_the_transaction_invalid() {
        let above_256_bits = format!("0x1{}", "0".repeat(64));
        for (field, text) in [
            ("nonce", "0x10000000000000000"),
            ("yParity", "0x100"),
            ("chainId", &above_256_bits),
            ("r", &above_256_bits),
            ("s", &above_256_bits),
        ] {
            assert!(chain_1(&[(field, text)]).is_none(), "{field}");
        }
    }
}
