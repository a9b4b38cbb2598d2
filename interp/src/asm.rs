//! A small assembler and disassembler over the opcode table, for cases and tests.
//!
//! Tokens are separated by white space; `;` starts a comment that ends with the line.
//!
//! | token | meaning |
//! | --- | --- |
//! | `ADD` | an opcode |
//! | `PUSH2 513`, `PUSH2 0x0201` | a push and its value, decimal or hex |
//! | `name:` | a label for this offset; it emits nothing, so write the JUMPDEST yourself |
//! | `PUSH2 @name` | a push of a label's offset |
//! | `DATA 0x0102` | raw bytes |

use crate::opcode::Opcode;
use crate::word::Word;
use std::collections::HashMap;
use std::fmt::Write;

/// Why a source does not assemble.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct AsmError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub problem: String,
}

/// Assembles a source.
///
/// # Errors
/// The first error in the source.
pub fn assemble(source: &str) -> Result<Vec<u8>, AsmError> {
    let mut code = Vec::new();
    let mut labels = HashMap::new();
    let mut uses = Vec::new();
    let mut tokens = tokens(source);
    while let Some((line, token)) = tokens.next() {
        let fail = |problem| AsmError { line, problem };
        if let Some(label) = token.strip_suffix(':') {
            if labels.insert(label, code.len()).is_some() {
                return Err(fail(format!("label `{label}` is defined twice")));
            }
        } else if token == "DATA" {
            let (_, bytes) = tokens
                .next()
                .ok_or_else(|| fail("DATA needs bytes, as 0x0102".into()))?;
            code.extend(alloy_primitives::hex::decode(bytes).map_err(|_| {
                fail(format!(
                    "DATA `{bytes}` is not an even number of hex digits"
                ))
            })?);
        } else {
            let op = Opcode::from_name(token)
                .ok_or_else(|| fail(format!("`{token}` is not an opcode, label or DATA")))?;
            code.push(op.0);
            if op.immediate() > 0 {
                let (_, value) = tokens
                    .next()
                    .ok_or_else(|| fail(format!("{token} needs a value or @label")))?;
                match value.strip_prefix('@') {
                    Some(label) => {
                        uses.push((line, label, code.len(), op.immediate()));
                        code.resize(code.len() + op.immediate(), 0);
                    }
                    None => {
                        let word = value
                            .parse()
                            .map_err(|error| fail(format!("{token}: {error}")))?;
                        code.extend(immediate(word, op.immediate()).map_err(fail)?);
                    }
                }
            }
        }
    }
    for (line, label, at, len) in uses {
        let fail = |problem| AsmError { line, problem };
        let target = labels
            .get(label)
            .ok_or_else(|| fail(format!("label `{label}` is not defined")))?;
        let bytes = immediate(Word::from(*target), len).map_err(fail)?;
        code[at..at + len].copy_from_slice(&bytes);
    }
    Ok(code)
}

fn tokens(source: &str) -> impl Iterator<Item = (usize, &str)> {
    source.lines().enumerate().flat_map(|(index, line)| {
        let code = line.split_once(';').map_or(line, |(code, _)| code);
        code.split_whitespace().map(move |token| (index + 1, token))
    })
}

fn immediate(word: Word, len: usize) -> Result<Vec<u8>, String> {
    let bytes = word.to_be_bytes();
    let (above, kept) = bytes.split_at(32 - len);
    if above.iter().any(|byte| *byte != 0) {
        return Err(format!("{word} does not fit PUSH{len}"));
    }
    Ok(kept.to_vec())
}

/// Disassembles code: one opcode per line, with its offset. A push that the end of the code truncates is
/// shown padded with zeros, as it executes.
pub fn disassemble(code: &[u8]) -> String {
    let mut text = String::new();
    let mut pc = 0;
    while pc < code.len() {
        let op = Opcode(code[pc]);
        // Writing to a string does not fail.
        let _ = write!(text, "{pc:5}  {op}");
        let len = op.immediate();
        if len > 0 {
            let have = &code[pc + 1..code.len().min(pc + 1 + len)];
            let mut bytes = have.to_vec();
            bytes.resize(len, 0);
            let _ = write!(text, " 0x{}", alloy_primitives::hex::encode(bytes));
        }
        text.push('\n');
        pc += 1 + len;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_values_and_data_become_bytes() {
        let code = assemble("start: JUMPDEST PUSH1 @end ; back\nPUSH2 513 end: PUSH0 DATA 0xfeed")
            .unwrap();
        assert_eq!(code, [0x5b, 0x60, 6, 0x61, 2, 1, 0x5f, 0xfe, 0xed]);
    }

    #[test]
    fn errors_name_their_line() {
        for (source, expected) in [
            (
                "STOP\nADD MUMBLE",
                "line 2: `MUMBLE` is not an opcode, label or DATA",
            ),
            ("PUSH1 256", "line 1: 0x100 does not fit PUSH1"),
            ("PUSH1", "line 1: PUSH1 needs a value or @label"),
            ("PUSH1 @nowhere", "line 1: label `nowhere` is not defined"),
            ("a: a:", "line 1: label `a` is defined twice"),
            (
                "DATA 0x1",
                "line 1: DATA `0x1` is not an even number of hex digits",
            ),
        ] {
            assert_eq!(assemble(source).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn disassembly_shows_offsets_and_pads_truncated_pushes() {
        assert_eq!(
            disassemble(&[0x01, 0x61, 0xaa]),
            "    0  ADD\n    1  PUSH2 0xaa00\n"
        );
        assert_eq!(disassemble(&[0x0c]), "    0  UNDEFINED(0x0c)\n");
    }
}
