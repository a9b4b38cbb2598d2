//! Parses hex digits from files and the command line into bytes and words.

use alloy_primitives::{Bytes, hex};
use anyhow::{Context, Result, anyhow, bail};
use evmscope_interp::Word;
use std::fs;
use std::path::Path;

/// Parses hex digits as people keep them: with or without `0x`, over several lines, in quotes.
///
/// # Errors
/// An odd number of digits, or a character that is not a hex digit. `what` names the source in the error.
pub fn parse_hex(text: &str, what: &str) -> Result<Bytes> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let quoted = ['"', '\''].iter().find_map(|quote| {
        let rest = text.strip_prefix(*quote)?;
        rest.strip_suffix(*quote)
    });
    let text = quoted.unwrap_or(&text);
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let digits = digits.unwrap_or(text);
    if let Some(other) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
        bail!("{what}: {other:?} is not a hex digit");
    }
    let bytes = hex::decode(digits);
    bytes
        .map(Bytes::from)
        .map_err(|_| anyhow!("{what}: an odd number of hex digits"))
}

/// Parses hex digits, or with `@FILE` those in a file; a relative FILE is in `folder`.
///
/// # Errors
/// As [`parse_hex`], and a file that cannot be read.
pub fn parse_hex_or_file(text: &str, folder: &Path, what: &str) -> Result<Bytes> {
    let Some(file) = text.trim().strip_prefix('@') else {
        return parse_hex(text, what);
    };
    let path = folder.join(file);
    let text = read(&path).with_context(|| what.to_owned())?;
    parse_hex(&text, &format!("{what}: {}", path.display()))
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
