//! Numbers in the tests' format: hex.

use crate::word::Word;

/// A hex number; `None` if it has more than 256 bits, which some tests use.
pub(super) fn number(text: &str) -> Option<Word> {
    text.parse().ok()
}

/// A number of at most 64 bits.
pub(super) fn small(text: &str) -> Option<u64> {
    number(text)?.to_u64()
}
