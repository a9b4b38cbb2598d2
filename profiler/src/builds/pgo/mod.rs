//! Profile-guided builds of this project: instrument, train, merge, optimise and measure the gain.
//!
//! Defines the files of a build and the notes beside them; each step has a module. `builds` times binaries against
//! each other, `evmscope_reports::pgo` evaluates the measurements.

pub mod bolt;
pub mod build;
pub mod fingerprint;
pub mod profile;
pub mod train;
pub mod verify;
pub mod warnings;

use crate::cases::folder_error;
use crate::interrupt::{Temporary, put_all};
use anyhow::{Context, Result, anyhow};
use evmscope_reports::pgo::{Coverage, HotFunction, Trained};
use fingerprint::Fingerprint;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The folder of all files of a profile-guided build; `target/pgo` by default.
#[derive(Clone, Debug)]
pub struct Workshop {
    root: PathBuf,
}

impl Workshop {
    /// Opens `dir`, or `pgo` in cargo's target folder. Creates it if missing.
    ///
    /// # Errors
    /// The folder cannot be created.
    pub fn open(dir: Option<&Path>) -> Result<Workshop> {
        let root = match dir {
            Some(dir) => dir.to_path_buf(),
            None => target_dir()?.join("pgo"),
        };
        fs::create_dir_all(&root)
            .and_then(|()| root.canonicalize())
            .map(|root| Workshop { root })
            .map_err(|error| {
                anyhow!(
                    "cannot create the folder {}: {}; name another with --dir",
                    root.display(),
                    folder_error(&root, &error)
                )
            })
    }

    /// Cargo's target folder for a kind of binary.
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

    /// The optimised binary with BOLT's layout.
    pub fn bolted(&self) -> PathBuf {
        self.root.join("evmscope-bolt")
    }

    /// A file of BOLT's training.
    fn bolt(&self, name: &str) -> PathBuf {
        self.root.join("bolt").join(name)
    }

    /// Cargo's temporary folder, emptied before each build. It stays after it: what a compiler's wrapper leaves running
    /// may use it later.
    fn scratch(&self) -> PathBuf {
        self.root.join("cargo").join("tmp")
    }

    /// An empty folder for what is not complete yet.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn unfinished(&self) -> Result<Temporary> {
        Temporary::folder_in(&self.root)
            .with_context(|| format!("cannot write to {}", self.root.display()))
    }

    /// The folder of raw profiles, one file per case and mode.
    pub fn raw(&self) -> PathBuf {
        self.root.join("raw")
    }

    /// The merged profile.
    pub fn profile(&self) -> PathBuf {
        self.root.join("merged.profdata")
    }
}

/// Cargo's target folder, by its environment variables and configuration.
fn target_dir() -> Result<PathBuf> {
    let config = cargo_config2::Config::load().context("cannot read cargo's configuration")?;
    Ok(config.build.target_dir.unwrap_or_else(|| "target".into()))
}

/// The note beside a merged profile.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Merged {
    /// What the trained binary was built from; unknown if profiles without a note were merged.
    pub made_from: Option<Fingerprint>,
    /// The training runs, as far as known.
    pub runs: Vec<Trained>,
    /// How much of the program ran.
    pub coverage: Coverage,
    /// The functions that ran most.
    pub hottest: Vec<HotFunction>,
}

/// The note beside an optimised binary.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Optimized {
    /// What it was built from.
    pub made_from: Fingerprint,
    /// Functions that the profile does not have.
    pub missing: usize,
    /// Functions whose control flow differs from the profiled one.
    pub mismatched: usize,
    /// The allowed share of both, 0 to 1.
    pub limit: f64,
    /// The note of the profile, if it had one.
    pub profile: Option<Merged>,
}

/// The path of the note beside a file.
fn note_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".json");
    PathBuf::from(name)
}

/// Puts a file or folder of the workshop into place, together with its note beside it: an interruption leaves the
/// earlier ones of both.
///
/// # Errors
/// One of them cannot be written.
pub fn put(made: Temporary, at: &Path, facts: &impl Serialize) -> Result<()> {
    let path = note_of(at);
    let text = serde_json::to_string_pretty(facts)? + "\n";
    let failed = |path: &Path| format!("cannot write {}", path.display());
    let (mut file, note) = Temporary::file_beside(&path).with_context(|| failed(&path))?;
    file.write_all(text.as_bytes())
        .with_context(|| failed(&path))?;
    let parts = [(made, at.to_path_buf()), (note, path)];
    put_all(&parts).map_err(|(index, error)| anyhow!(error).context(failed(&parts[index].1)))
}

/// Reads the note of `file`; `None` if it has none.
///
/// # Errors
/// The note cannot be parsed.
pub fn noted<T: DeserializeOwned>(file: &Path) -> Result<Option<T>> {
    let path = note_of(file);
    let Ok(text) = fs::read_to_string(&path) else {
        return Ok(None);
    };
    serde_json::from_str(&text).map(Some).with_context(|| {
        format!(
            "{} cannot be parsed: remove it and start again with `evmscope pgo build`",
            path.display()
        )
    })
}
