//! Names for contract code: contracts, functions and source lines, or labels if these are unknown.
//!
//! Matches deployed code with compilers' output. `source_map` reads the files, `walk` builds the call tree of an
//! execution, `running` looks at one code in it, `positions` finds the contract position of each sample, and `weigh`
//! combines tree and samples into weighted stacks.

mod build_info;
mod positions;
mod running;
mod source_map;
#[cfg(test)]
mod tests;
mod walk;
mod weigh;

pub use positions::{AttributedSample, attribute};
pub use walk::{Kind, Walk, walk};
pub use weigh::{Weighed, by_gas, by_opcodes, by_time};

use evmscope_interp::Opcode;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a source map is unusable.
#[derive(Debug, Error)]
pub enum SourceMapError {
    /// The file cannot be read.
    #[error("cannot read {path}: {error}")]
    Read {
        path: PathBuf,
        error: std::io::Error,
    },
    /// The file has another format.
    #[error(
        "{path} is not a source map: {reason}; give the compiler's standard JSON output, a build-info file of \
         Foundry or Hardhat, or a source-map.json of a case"
    )]
    Format { path: PathBuf, reason: String },
}

/// The contracts whose names are known.
#[derive(Default)]
pub struct Contracts {
    known: Vec<Contract>,
}

impl Contracts {
    /// Adds the contracts of one file of a case or a compiler. Source texts that it does not contain are looked for
    /// beside it and in the folders above.
    ///
    /// # Errors
    /// A file that cannot be read or has another format.
    pub fn read(&mut self, path: &Path) -> Result<(), SourceMapError> {
        self.known.extend(source_map::read(path)?);
        Ok(())
    }

    /// The contract of some deployed code, whatever the values of its immutables.
    fn of(&self, code: &[u8]) -> Option<&Contract> {
        self.known.iter().find(|contract| contract.has(code))
    }
}

/// One contract, from its compiler's output.
struct Contract {
    name: String,
    code: Vec<u8>,
    /// Start and length of each immutable, which the constructor fills in.
    immutables: Vec<(usize, usize)>,
    /// By the offset of an opcode.
    source_entries: HashMap<usize, SourceEntry>,
    /// By the offset of a function's first opcode.
    entry_points: BTreeMap<usize, EntryPoint>,
    /// Signatures by selector.
    selectors: HashMap<[u8; 4], String>,
    functions: Vec<Function>,
    /// Source lines as stacks show them: `ERC20.sol:66 uint256 balance = ...`.
    lines: Vec<String>,
}

/// The source map's entry for an opcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SourceEntry {
    jump: Jump,
    /// The innermost function or modifier that contains its text, an index.
    function: Option<usize>,
    /// An index into the contract's lines.
    line: Option<usize>,
}

/// Kind of a jump, as the source map marks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Jump {
    Into,
    Out,
    Within,
}

/// Where the code of a function that is not inlined begins.
struct EntryPoint {
    name: String,
    /// Its source function, an index.
    function: Option<usize>,
    /// Stack items above the return pc at the entry, where the compiler gives their number.
    parameters: Option<usize>,
}

/// A function or modifier in the source.
struct Function {
    /// As stacks show it: `ERC20._transfer (ERC20.sol:62)`.
    label: String,
}

impl Contract {
    /// Whether some deployed code is this contract's.
    fn has(&self, code: &[u8]) -> bool {
        if self.code.len() != code.len() {
            return false;
        }
        let mut masked = code.to_vec();
        for &(start, length) in &self.immutables {
            if let Some(immutable) = masked.get_mut(start..start.saturating_add(length)) {
                immutable.fill(0);
            }
        }
        masked == self.code
    }
}

/// Offsets of the opcodes of some code, in order.
fn offsets(code: &[u8]) -> impl Iterator<Item = usize> {
    let next = |&pc: &usize| code.get(pc).map(|&byte| pc + 1 + Opcode(byte).immediate());
    std::iter::successors(Some(0), next).take_while(|&pc| pc < code.len())
}
