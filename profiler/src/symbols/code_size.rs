//! The size of a binary's code: its sections, and the handlers of each mode by opcode. `sections` reads the sections.

use super::functions_of;
use super::handlers::HandlerName;
use super::sections::Sections;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::Path;

/// Size of a part of a binary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    pub bytes: u64,
    /// Number of functions in it; 0 for sections.
    pub functions: u64,
}

/// Sizes of one binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeSize {
    pub sections: Sections,
    /// By mode.
    pub modes: BTreeMap<String, Part>,
    /// By short name, all instances of a handler together.
    pub handlers: BTreeMap<String, Part>,
}

impl CodeSize {
    /// Reads a build of evmscope, or another program with its interpreter.
    ///
    /// # Errors
    /// A file that is not an ELF file, or has no symbols of the interpreter.
    pub fn of(path: &Path) -> Result<CodeSize> {
        let sections = Sections::of(path)?;
        let is_handler = |name: &str| HandlerName::of_frame(name).is_some();
        let functions = functions_of(path, is_handler)
            .with_context(|| format!("cannot read the symbols of {}", path.display()))?;
        if functions.is_empty() {
            bail!(
                "{} contains no handler of this interpreter, or no symbols: name a build of evmscope that is not \
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
