//! `evmscope assemble` and `evmscope disassemble`: convert between assembly text and code.

use super::run::bytes;
use alloy_primitives::hex;
use anyhow::{Context, Result};
use clap::Args;
use evmscope_interp::asm;
use std::fs;
use std::path::PathBuf;

#[derive(Args)]
pub struct Assemble {
    /// Source file; interp/src/asm.rs describes the syntax.
    pub file: PathBuf,
}

#[derive(Args)]
pub struct Disassemble {
    /// Code, hex, or @FILE with hex in it.
    #[arg(value_name = "HEX|@FILE")]
    pub code: String,
}

pub fn assemble(args: &Assemble) -> Result<String> {
    let place = args.file.display().to_string();
    let source = fs::read_to_string(&args.file).with_context(|| format!("cannot read {place}"))?;
    let code = asm::assemble(&source).with_context(|| place)?;
    Ok(hex::encode(code) + "\n")
}

pub fn disassemble(args: &Disassemble) -> Result<String> {
    Ok(asm::disassemble(&bytes(&args.code, "CODE")?))
}
