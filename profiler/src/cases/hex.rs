//! Parses hex digits from files and the command line into bytes and words.

use alloy_primitives::{Bytes, hex};
use anyhow::{Context, Result, anyhow, bail};
use evmscope_interp::Word;
use std::fs;
use std::path::Path;

/// Parses hex digits, with or without `0x`. Ignores surrounding white space.
///
/// # Errors
/// An odd number of digits, or a character that is not a hex digit. `what` names the source in the error.
pub fn parse_hex(text: &str, what: &str) -> Result<Bytes> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if let Some(other) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
        bail!("{what}: {other:?} is not a hex digit");
    }
    let bytes = hex::decode(digits);
    bytes
        .map(Bytes::from)
        .map_err(|_| anyhow!("{what}: an odd number of hex digits"))
}

pub fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

pub fn read_hex(path: &Path) -> Result<Bytes> {
    parse_hex(&read(path)?, &path.display().to_string())
}

pub fn parse_word(text: &str, path: &Path) -> Result<Word> {
    text.parse()
        .with_context(|| format!("in {}", path.display()))
}
