//! What contract code is called by people: names of contracts and functions, source lines, and labels
//! where nothing is known.
//!
//! Owns matching code with what compilers tell of it. The files are read in `source_map`, which frames an
//! execution goes through is found in `walk`, where samples of one were in `positions`, and `weigh` makes
//! stacks of both.

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

/// Why a source map cannot be used.
#[derive(Debug, Error)]
pub enum SourceMapError {
    /// The file is not there, or not to be read.
    #[error("cannot read {path}: {error}")]
    Read {
        path: PathBuf,
        error: std::io::Error,
    },
    /// The file is something else.
    #[error(
        "{path} is no source map: {reason}; give the compiler's standard JSON output, a build-info file of \
         Foundry or Hardhat, or a source-map.json of a case"
    )]
    Format { path: PathBuf, reason: String },
}

/// The contracts that are known by name.
#[derive(Default)]
pub struct Contracts {
    known: Vec<Contract>,
}

impl Contracts {
    /// Those of one file of a case or a compiler. Source texts are looked for beside it and in the folders
    /// above, as far as the file does not bring them.
    ///
    /// # Errors
    /// A file that cannot be read or is something else.
    pub fn read(&mut self, path: &Path) -> Result<(), SourceMapError> {
        self.known.extend(source_map::read(path)?);
        Ok(())
    }

    /// The contract that some deployed code is; immutables may have any value.
    fn of(&self, code: &[u8]) -> Option<&Contract> {
        self.known.iter().find(|contract| contract.has(code))
    }
}

/// One contract as its compiler tells of it.
struct Contract {
    name: String,
    code: Vec<u8>,
    /// Start and length of what the constructor fills in.
    immutables: Vec<(usize, usize)>,
    /// By the offset of an opcode.
    places: HashMap<usize, Place>,
    /// By the offset of a function's first opcode.
    entry_points: BTreeMap<usize, EntryPoint>,
    /// Signatures by selector.
    selectors: HashMap<[u8; 4], String>,
    functions: Vec<Function>,
    /// Lines of the sources as stacks show them: `ERC20.sol:66 uint256 balance = ...`.
    lines: Vec<String>,
}

/// What a source map tells of an opcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    jump: Jump,
    /// The innermost function or modifier whose text it comes from, an index.
    function: Option<usize>,
    /// An index into the contract's own list of lines.
    line: Option<usize>,
}

/// What a jump does, by the compiler's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Jump {
    Into,
    Out,
    Within,
}

/// Where code of a function begins that is called, not inlined.
struct EntryPoint {
    name: String,
    /// The function it is, an index.
    function: Option<usize>,
    /// Items above the return address at the entry, where the compiler tells.
    parameters: Option<usize>,
}

/// A function or modifier of the source.
struct Function {
    /// As stacks show it: `ERC20._transfer (ERC20.sol:62)`.
    label: String,
}

impl Contract {
    fn has(&self, code: &[u8]) -> bool {
        if self.code.len() != code.len() {
            return false;
        }
        let mut masked = code.to_vec();
        for &(start, length) in &self.immutables {
            if let Some(immutable) = masked.get_mut(start..start + length) {
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
