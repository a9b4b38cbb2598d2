//! Numbers in the tests' format: hex, or decimal in some fields. `0x` is zero, as other clients read it.

use crate::word::{ParseWordError, Word};
use serde::Deserialize;
use std::borrow::Cow;

fn parse(text: &str) -> Result<Word, ParseWordError> {
    match text {
        "0x" => Ok(Word::ZERO),
        text => text.parse(),
    }
}

/// A number; `None` if it has more than 256 bits, which some tests use.
pub(super) fn number(text: &str) -> Option<Word> {
    parse(text).ok()
}

/// A number of at most 64 bits.
pub(super) fn small(text: &str) -> Option<u64> {
    number(text)?.to_u64()
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Word, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A word as a map key.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub(super) struct Key(pub Word);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_alone_is_zero() {
        assert_eq!(number("0x"), Some(Word::ZERO));
        assert_eq!(small("0x00"), Some(0));
        assert_eq!(small("17"), Some(17));
        assert_eq!(number(""), None);
        let key: Key = serde_json::from_str("\"0x\"").unwrap();
        assert_eq!(key, Key(Word::ZERO));
    }
}
