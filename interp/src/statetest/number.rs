//! Numbers as the tests write them, in hex.

use crate::word::Word;

/// A number in hex; `None` where it has more than 256 bits, which some tests are about.
pub(super) fn number(text: &str) -> Option<Word> {
    text.parse().ok()
}

/// A number of 64 bits.
pub(super) fn small(text: &str) -> Option<u64> {
    number(text)?.to_u64()
}
