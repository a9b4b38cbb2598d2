//! Profile-guided builds of this project: instrument, train, merge, optimise, and prove what it brought.
//!
//! Owns where the parts lie and in which order they depend on each other; each step has a file. Timing two
//! binaries against each other is `binaries`' business, what the figures mean `evmscope_reports::pgo`'s.

pub mod bolt;
pub mod build;
pub mod fingerprint;
pub mod profile;
pub mod train;
pub mod verify;
pub mod warnings;

use anyhow::{Context, Result};
use evmscope_reports::pgo::{Coverage, HotFunction, Trained};
use fingerprint::Fingerprint;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// The folder in which all parts lie; `target/pgo` where nothing else is asked for.
#[derive(Clone, Debug)]
pub struct Workshop {
    root: PathBuf,
}

impl Workshop {
    /// In `dir`, or in `pgo` of cargo's target folder, which is made where it is missing.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub fn open(dir: Option<&Path>) -> Result<Workshop> {
        let target = || std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
        let root = dir.map_or_else(|| target().join("pgo"), Path::to_path_buf);
        fs::create_dir_all(&root)
            .and_then(|()| root.canonicalize())
            .map(|root| Workshop { root })
            .with_context(|| {
                format!(
                    "cannot make the folder {}; name another by --dir",
                    root.display()
                )
            })
    }

    /// Where cargo builds a kind of binary.
    fn target_dir(&self, kind: &str) -> PathBuf {
        self.root.join("cargo").join(kind)
    }

    /// The instrumented binary.
    pub fn instrumented(&self) -> PathBuf {
        self.root.join("evmscope-instrumented")
    }

    /// The release binary, built by the same command without a profile.
    pub fn release(&self) -> PathBuf {
        self.root.join("evmscope-release")
    }

    /// The optimised binary: the result.
    pub fn optimized(&self) -> PathBuf {
        self.root.join("evmscope")
    }

    /// The optimised binary as BOLT laid it out.
    pub fn bolted(&self) -> PathBuf {
        self.root.join("evmscope-bolt")
    }

    /// A file of BOLT's training.
    fn bolt(&self, name: &str) -> PathBuf {
        self.root.join("bolt").join(name)
    }

    /// Where training writes, a file a case and mode.
    pub fn raw(&self) -> PathBuf {
        self.root.join("raw")
    }

    /// The merged profile.
    pub fn profile(&self) -> PathBuf {
        self.root.join("merged.profdata")
    }
}

/// What is known of a merged profile, noted beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Merged {
    /// What the trained binary was built from; unknown where profiles without a note were merged.
    pub made_from: Option<Fingerprint>,
    /// What was run for it, as far as is known.
    pub runs: Vec<Trained>,
    /// How much of the program ran.
    pub coverage: Coverage,
    /// The functions that ran most.
    pub hottest: Vec<HotFunction>,
}

/// What is known of an optimised binary, noted beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Optimized {
    /// What it was built from.
    pub made_from: Fingerprint,
    /// Functions that the profile did not know.
    pub missing: usize,
    /// Functions whose body was not the profiled one.
    pub mismatched: usize,
    /// The share of the two that was allowed.
    pub limit: f64,
    /// The profile, where it had a note.
    pub profile: Option<Merged>,
}

/// The note beside a file: what it was made from.
fn note_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".json");
    PathBuf::from(name)
}

/// Writes what `file` was made from, beside it.
///
/// # Errors
/// A file that cannot be written.
pub fn note(file: &Path, facts: &impl Serialize) -> Result<()> {
    let path = note_of(file);
    let text = serde_json::to_string_pretty(facts)? + "\n";
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Reads what `file` was made from; `None` where nothing was noted.
///
/// # Errors
/// A note that cannot be understood.
pub fn noted<T: DeserializeOwned>(file: &Path) -> Result<Option<T>> {
    let path = note_of(file);
    let Ok(text) = fs::read_to_string(&path) else {
        return Ok(None);
    };
    serde_json::from_str(&text).map(Some).with_context(|| {
        format!(
            "{} cannot be understood: remove it and begin anew",
            path.display()
        )
    })
}
