//! Builds this project with cargo: plain, instrumented and optimised, all with the same command.
//!
//! The command always names the target, so that build scripts and macros, which run on the host, are not
//! instrumented. The user's rustflags are resolved as cargo does, and kept.

use super::fingerprint::Fingerprint;
use super::warnings::Warnings;
use super::{Workshop, put};
use crate::interrupt::{self, Temporary};
use crate::machine::toolchain::Compiler;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a build is for.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// The base of comparisons: no profile.
    Release,
    /// For training: counts executed blocks and writes a profile.
    Instrumented,
    /// The result: layout and inlining follow a profile.
    Optimized {
        /// A merged profile.
        profile: &'a Path,
        /// Keep relocations in the binary, for BOLT.
        relocations: bool,
    },
}

/// Symbol mangling v0. Legacy names contain dots, and BOLT takes `.warm` or `.cold` in a name for a part of another
/// function: it failed at a function named `journal..warm_addresses`.
const NAMES: &str = "-Csymbol-mangling-version=v0";

/// No value profiling, which here records the targets of the jumps between handlers. With it, the compiler puts
/// comparisons with the most frequent targets before each jump. They add 10 to 14 % instructions to the
/// traditional mode, except where hashing dominates, and saved time in only one case, a training case
/// (docs/TUNING.md).
const NO_VALUES: &str = "-Cllvm-args=-disable-vp";

impl Kind<'_> {
    fn name(&self) -> &'static str {
        match self {
            Kind::Release => "release",
            Kind::Instrumented => "instrumented",
            Kind::Optimized { .. } => "optimized",
        }
    }

    /// The compiler flags to add to the user's.
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
                // Keeps .text.hot and .text.unlikely as sections, by which `Sections` recognises the build.
                flags.push("-Clink-arg=-Wl,-z,keep-text-section-prefix".to_owned());
                if *relocations {
                    flags.push("-Clink-arg=-Wl,--emit-relocs".to_owned());
                }
            }
        }
        flags
    }
}

/// A built binary, with the compiler's warnings about its profile.
#[derive(Debug)]
pub struct Built {
    /// Its path in cargo's target folder.
    pub executable: PathBuf,
    /// The compiler's warnings about the profile.
    pub warnings: Warnings,
    /// What it was built from.
    pub made_from: Fingerprint,
}

/// The user's rustflags for `host`, from `CARGO_ENCODED_RUSTFLAGS`, `RUSTFLAGS` or cargo's configuration.
///
/// # Errors
/// The configuration cannot be read, or the flags already contain a profile option.
pub fn user_flags(host: &str) -> Result<Vec<String>> {
    let config = cargo_config2::Config::load().context("cannot read cargo's configuration")?;
    let flags = config.rustflags(host).context("cannot read rustflags")?;
    let flags = flags.map_or_else(Vec::new, |flags| flags.flags);
    if let Some(other) = flags
        .iter()
        .find(|flag| flag.contains("profile-generate") || flag.contains("profile-use"))
    {
        bail!(
            "rustflags already contain `{other}`, which conflicts with these profiles: remove it"
        );
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
        // Cargo would not rebuild: it sees only the profile's path, not its content. It also would not repeat the
        // compiler's warnings.
        remove(&target_dir)?;
    }
    let flags: Vec<_> = user.iter().cloned().chain(kind.flags(workshop)).collect();
    let (executable, warnings) = cargo(compiler, workshop, &target_dir, &flags)?;
    let made_from = Fingerprint::of(compiler, &user, &executable)?;
    Ok(Built {
        executable,
        warnings,
        made_from,
    })
}

/// Copies a checked binary to its final path, with its note.
///
/// # Errors
/// A file cannot be written.
pub fn adopt(built: &Built, binary: &Path, facts: &impl Serialize) -> Result<()> {
    let failed = || format!("cannot write {}", binary.display());
    let (_, copy) = Temporary::file_beside(binary).with_context(failed)?;
    fs::copy(&built.executable, copy.path()).with_context(failed)?;
    put(copy, binary, facts)
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// The cargo messages used here (The Cargo Book, "External tools").
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

fn cargo(
    compiler: &Compiler,
    workshop: &Workshop,
    target_dir: &Path,
    flags: &[String],
) -> Result<(PathBuf, Warnings)> {
    let scratch = workshop.scratch();
    // From an interrupted build.
    remove(&scratch)?;
    fs::create_dir_all(&scratch).with_context(|| format!("cannot create {}", scratch.display()))?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command
        .args(["build", "--release", "--locked", "-p", "evmscope"])
        .args(["--bin", "evmscope", "--message-format", "json"])
        .args(["--target", &compiler.host, "--target-dir"])
        .arg(target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env_remove("RUSTFLAGS")
        // A compiler that is killed leaves its own behind.
        .env("TMPDIR", &scratch)
        // Build scripts must not write into a profile of the caller.
        .env_remove("LLVM_PROFILE_FILE")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = interrupt::spawn(&mut command)
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
        bail!("the build failed ({status})\n{}", errors.trim_end());
    }
    let executable = executable
        .context("cargo built no binary named evmscope: run this in a checkout of the project")?;
    Ok((executable, warnings))
}
