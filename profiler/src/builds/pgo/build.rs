//! Builds of this project by cargo: plain, instrumented, optimised, all by the same command.
//!
//! Owns the command, the flags and what comes of it. The target is always named, so that build scripts and
//! macros, which run here, are not instrumented; the user's flags are resolved as cargo would, and kept.

use super::fingerprint::Fingerprint;
use super::warnings::Warnings;
use super::{Workshop, note};
use crate::machine::toolchain::Compiler;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a build is for.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// To be compared with: no profile.
    Release,
    /// To be trained: it counts, and writes what it counted.
    Instrumented,
    /// The result: laid out and inlined by a profile.
    Optimized {
        /// A merged profile.
        profile: &'a Path,
        /// Keep what BOLT needs in the binary.
        relocations: bool,
    },
}

/// How functions are named in the file. The older names have dots, and BOLT takes what begins by `.warm` or `.cold`
/// for a part of another function: one named `journal..warm_addresses` made it give up.
const NAMES: &str = "-Csymbol-mangling-version=v0";

/// No profile of values, which for this program are the targets of the jumps from handler to handler. With it each
/// jump is preceded by comparisons with the commonest targets of the training, which cost 10 to 14 % of the
/// traditional mode's instructions where no hash outweighs them, and saved its time in one case alone, which
/// was trained on (docs/TUNING.md).
const NO_VALUES: &str = "-Cllvm-args=-disable-vp";

impl Kind<'_> {
    fn name(&self) -> &'static str {
        match self {
            Kind::Release => "release",
            Kind::Instrumented => "instrumented",
            Kind::Optimized { .. } => "optimized",
        }
    }

    /// The flags of the compiler, beside the user's.
    fn flags(&self, workshop: &Workshop) -> Vec<String> {
        let mut flags = vec![NAMES.to_owned()];
        match self {
            Kind::Release => {}
            Kind::Instrumented => {
                flags.push(format!("-Cprofile-generate={}", workshop.raw().display()));
                flags.push(NO_VALUES.to_owned());
            }
            Kind::Optimized {
                profile,
                relocations,
            } => {
                flags.push(format!("-Cprofile-use={}", profile.display()));
                flags.push(NO_VALUES.to_owned());
                flags.push("-Cllvm-args=-pgo-warn-missing-function".to_owned());
                // Without it hot and cold functions are laid out apart, and nothing shows it.
                flags.push("-Clink-arg=-Wl,-z,keep-text-section-prefix".to_owned());
                if *relocations {
                    flags.push("-Clink-arg=-Wl,--emit-relocs".to_owned());
                }
            }
        }
        flags
    }
}

/// A binary, and what the compiler said of its profile.
#[derive(Debug)]
pub struct Built {
    /// Where cargo put it.
    pub executable: PathBuf,
    /// What the compiler said of the profile.
    pub warnings: Warnings,
    /// What it was built from.
    pub made_from: Fingerprint,
}

/// The user's flags for `host`: `CARGO_ENCODED_RUSTFLAGS`, `RUSTFLAGS` or the configuration, as cargo takes them.
///
/// # Errors
/// A configuration that cannot be read, and flags that profile already.
pub fn user_flags(host: &str) -> Result<Vec<String>> {
    let config = cargo_config2::Config::load().context("cannot read cargo's configuration")?;
    let flags = config.rustflags(host).context("cannot read rustflags")?;
    let flags = flags.map_or_else(Vec::new, |flags| flags.flags);
    if let Some(other) = flags
        .iter()
        .find(|flag| flag.contains("profile-generate") || flag.contains("profile-use"))
    {
        bail!("rustflags have `{other}` already, and two profiles do not mix: take it out");
    }
    Ok(flags)
}

/// Builds one kind. Cargo's progress goes to standard error.
///
/// # Errors
/// A build that fails, with the compiler's errors.
pub fn build(workshop: &Workshop, compiler: &Compiler, kind: Kind) -> Result<Built> {
    let user = user_flags(&compiler.host)?;
    let target_dir = workshop.target_dir(kind.name());
    if matches!(kind, Kind::Optimized { .. }) {
        // Cargo knows the profile by its name only, and repeats no warning of what is built already.
        remove(&target_dir)?;
    }
    let flags: Vec<_> = user.iter().cloned().chain(kind.flags(workshop)).collect();
    let (executable, warnings) = cargo(compiler, &target_dir, &flags)?;
    let made_from = Fingerprint::of(compiler, &user, &executable)?;
    Ok(Built {
        executable,
        warnings,
        made_from,
    })
}

/// Puts a binary that was found good in its place, with the note of what it was built from.
///
/// # Errors
/// A file that cannot be written.
pub fn adopt(built: &Built, binary: &Path) -> Result<()> {
    fs::copy(&built.executable, binary)
        .with_context(|| format!("cannot write {}", binary.display()))?;
    note(binary, &built.made_from)
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Cargo's messages as far as they matter here (The Cargo Book, "External tools").
#[derive(Deserialize)]
#[serde(tag = "reason")]
enum Message {
    #[serde(rename = "compiler-artifact")]
    Artifact { executable: Option<PathBuf> },
    #[serde(rename = "compiler-message")]
    Diagnostic { message: Diagnostic },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    message: String,
    rendered: Option<String>,
}

fn cargo(compiler: &Compiler, target_dir: &Path, flags: &[String]) -> Result<(PathBuf, Warnings)> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command
        .args(["build", "--release", "--locked", "-p", "evmscope"])
        .args(["--bin", "evmscope", "--message-format", "json"])
        .args(["--target", &compiler.host, "--target-dir"])
        .arg(target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env_remove("RUSTFLAGS")
        // Build scripts of another cargo's run are not this one's.
        .env_remove("LLVM_PROFILE_FILE")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run {}", Path::new(&cargo).display()))?;
    let mut executable = None;
    let mut warnings = Warnings::default();
    let mut errors = String::new();
    let stdout = child.stdout.take().context("cargo has no output")?;
    for line in BufReader::new(stdout).lines() {
        match serde_json::from_str(&line?) {
            Ok(Message::Artifact {
                executable: Some(path),
            }) => executable = Some(path),
            Ok(Message::Diagnostic { message }) => {
                warnings.take(&message.message);
                if message.level.starts_with("error") {
                    errors += &message.rendered.unwrap_or(message.message);
                }
            }
            _ => {}
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("cargo did not build it ({status})\n{}", errors.trim_end());
    }
    let executable = executable
        .context("cargo built no binary named evmscope: run it in a checkout of the project")?;
    Ok((executable, warnings))
}
