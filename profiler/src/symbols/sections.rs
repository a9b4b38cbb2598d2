//! Sections of a linked binary: whether it is instrumented, whether BOLT laid it out, the size of its hot and cold code.
//! `builds::pgo` decides what this means for profile-guided builds.

use anyhow::{Context, Result};
use evmscope_reports::pgo::Sizes;
use goblin::elf::Elf;
use std::fs;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A binary of another kind than expected.
#[derive(Debug, Error)]
pub enum WrongBinary {
    /// Instrumented, which costs a third of the speed or more.
    #[error(
        "{} is instrumented, but an optimised build is expected: name {} instead", .0.display(), "target/pgo/evmscope"
    )]
    Instrumented(PathBuf),
    /// Not instrumented.
    #[error("{} is not instrumented, so it writes no profile: `evmscope pgo build`", .0.display())]
    Plain(PathBuf),
    /// Without BOLT's note.
    #[error("{} was not laid out by BOLT: it has no section `.note.bolt_info`", .0.display())]
    NotBolted(PathBuf),
    /// Without hot functions.
    #[error(
        "{} has no hot functions: the compiler ignored the profile, if it was given one", .0.display()
    )]
    NotOptimized(PathBuf),
}

/// The sections of a binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sections {
    instrumented: bool,
    /// Bytes of code.
    pub sizes: Sizes,
    /// Name and bytes of every section that is loaded, in the order of the file.
    pub loaded: Vec<(String, u64)>,
}

impl Sections {
    /// Reads an ELF file.
    ///
    /// # Errors
    /// A file that cannot be read or is not an ELF file.
    pub fn of(path: &Path) -> Result<Sections> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let elf =
            Elf::parse(&bytes).with_context(|| format!("{} is not an ELF file", path.display()))?;
        let named = elf
            .section_headers
            .iter()
            .filter_map(|section| Some((elf.shdr_strtab.get_at(section.sh_name)?, section)));
        let mut sections = Sections {
            instrumented: false,
            sizes: Sizes {
                file: bytes.len() as u64,
                ..Sizes::default()
            },
            loaded: Vec::new(),
        };
        for (name, section) in named {
            sections.instrumented |= name.starts_with("__llvm_prf_");
            let sizes = &mut sections.sizes;
            if name == ".note.bolt_info" {
                sizes.bolt = true;
            }
            if section.is_alloc() {
                sections.loaded.push((name.to_owned(), section.sh_size));
            }
            if !section.is_executable() {
                continue;
            }
            let add = |sum: &mut u64| *sum = sum.saturating_add(section.sh_size);
            add(&mut sizes.code);
            match name {
                ".text.hot" => add(&mut sizes.hot),
                ".text.unlikely" | ".text.cold" => add(&mut sizes.cold),
                _ => {}
            }
        }
        Ok(sections)
    }

    /// Whether the binary is instrumented for a profile.
    pub fn is_instrumented(&self) -> bool {
        self.instrumented
    }

    /// Refuses an instrumented binary.
    ///
    /// # Errors
    /// [`WrongBinary::Instrumented`].
    pub fn expect_uninstrumented(&self, path: &Path) -> Result<(), WrongBinary> {
        match self.instrumented {
            true => Err(WrongBinary::Instrumented(path.to_path_buf())),
            false => Ok(()),
        }
    }

    /// Refuses a binary that is not instrumented.
    ///
    /// # Errors
    /// [`WrongBinary::Plain`].
    pub fn expect_instrumented(&self, path: &Path) -> Result<(), WrongBinary> {
        match self.instrumented {
            true => Ok(()),
            false => Err(WrongBinary::Plain(path.to_path_buf())),
        }
    }

    /// Refuses a binary that is instrumented, or has no hot functions.
    ///
    /// # Errors
    /// [`WrongBinary`].
    pub fn expect_optimized(&self, path: &Path) -> Result<(), WrongBinary> {
        self.expect_uninstrumented(path)?;
        match self.sizes.hot {
            0 => Err(WrongBinary::NotOptimized(path.to_path_buf())),
            _ => Ok(()),
        }
    }

    /// Refuses a binary that BOLT has not laid out.
    ///
    /// # Errors
    /// [`WrongBinary`].
    pub fn expect_bolted(&self, path: &Path) -> Result<(), WrongBinary> {
        self.expect_uninstrumented(path)?;
        match self.sizes.bolt {
            false => Err(WrongBinary::NotBolted(path.to_path_buf())),
            true => Ok(()),
        }
    }
}
