//! How large a binary's code is: its sections, and the handlers of each mode by opcode. Sections and
//! what they tell of profiles are read in `sections`.

use crate::symbols;
use crate::symbols::handlers::HandlerName;
use crate::symbols::sections::Sections;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::Path;

/// A part of a binary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    pub bytes: u64,
    /// Functions that make it up; 0 for sections.
    pub functions: u64,
}

/// One binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeSize {
    pub sections: Sections,
    /// By mode.
    pub modes: BTreeMap<String, Part>,
    /// By name, all instances of a handler together.
    pub handlers: BTreeMap<String, Part>,
}

impl CodeSize {
    /// Of a build of evmscope, or of another program with its interpreter.
    ///
    /// # Errors
    /// A file that is no ELF file, or has no symbols of the interpreter.
    pub fn of(path: &Path) -> Result<CodeSize> {
        let sections = Sections::of(path)?;
        let is_handler = |name: &str| HandlerName::of_frame(name).is_some();
        let functions = symbols::functions_of(path, is_handler)
            .with_context(|| format!("cannot read the symbols of {}", path.display()))?;
        if functions.is_empty() {
            bail!(
                "{} holds no handler of this interpreter, or no symbols: name a build of evmscope that is not \
                 stripped",
                path.display()
            );
        }
        let mut size = CodeSize {
            sections,
            modes: BTreeMap::new(),
            handlers: BTreeMap::new(),
        };
        for function in functions {
            let mode = function.name.split(' ').next().unwrap_or_default();
            let parts = [
                size.modes.entry(mode.to_owned()).or_default(),
                size.handlers.entry(function.name.clone()).or_default(),
            ];
            for part in parts {
                part.bytes += function.code.len() as u64;
                part.functions += 1;
            }
        }
        Ok(size)
    }
}
