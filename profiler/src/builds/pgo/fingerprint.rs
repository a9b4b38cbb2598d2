//! Fingerprints of what a binary was built from, so that a profile is not applied to other sources.
//!
//! `warnings` has the compiler's finer check, function by function.

use crate::machine::toolchain::Compiler;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// All inputs that determine the functions of a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// `rustc -V`.
    pub rustc: String,
    /// The user's rustflags, without those added by `build`.
    pub flags: Vec<String>,
    /// `CARGO_PROFILE_RELEASE_*` variables, which override cargo's release profile.
    pub profile: BTreeMap<String, String>,
    /// Keccak-256 of each source file, by its path.
    pub sources: BTreeMap<String, String>,
}

impl Fingerprint {
    /// The fingerprint of `binary`, whose sources cargo lists in the `.d` file beside it.
    ///
    /// # Errors
    /// The list or a source cannot be read.
    pub fn of(compiler: &Compiler, flags: &[String], binary: &Path) -> Result<Fingerprint> {
        let list = binary.with_extension("d");
        let text =
            fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
        // Relative to the checkout's root, paths are the same on every machine.
        let root = env::current_dir().context("the working folder is gone")?;
        let sources = sources(&text)
            .into_iter()
            .map(|path| {
                let name = path.strip_prefix(&root).unwrap_or(&path);
                Ok((name.display().to_string(), digest(&path)?))
            })
            .collect::<Result<_>>()?;
        Ok(Fingerprint {
            rustc: compiler.version.clone(),
            flags: flags.to_vec(),
            profile: overridden_profile(),
            sources,
        })
    }

    /// What changed since the fingerprint, as text; empty if nothing did.
    pub fn changes(&self, compiler: &Compiler, flags: &[String]) -> Vec<String> {
        let mut changes = Vec::new();
        if self.rustc != compiler.version {
            changes.push(format!(
                "the compiler was {}, now {}",
                self.rustc, compiler.version
            ));
        }
        if self.flags != flags {
            let shown = |flags: &[String]| match flags {
                [] => "none".to_owned(),
                flags => flags.join(" "),
            };
            changes.push(format!(
                "rustflags were {}, now {}",
                shown(&self.flags),
                shown(flags)
            ));
        }
        let profile = overridden_profile();
        let names: BTreeSet<_> = self.profile.keys().chain(profile.keys()).collect();
        for name in names {
            let (before, now) = (self.profile.get(name), profile.get(name));
            if before != now {
                let shown = |value: Option<&String>| value.map_or("unset".to_owned(), Clone::clone);
                changes.push(format!("{name} was {}, now {}", shown(before), shown(now)));
            }
        }
        changes.extend(self.sources.iter().filter_map(|(path, before)| {
            let now = digest(Path::new(path)).ok();
            (now.as_ref() != Some(before)).then(|| match now {
                Some(_) => format!("{path} changed"),
                None => format!("{path} is gone"),
            })
        }));
        changes
    }
}

/// The environment variables that override cargo's release profile.
fn overridden_profile() -> BTreeMap<String, String> {
    let all = env::vars();
    all.filter(|(name, _)| name.starts_with("CARGO_PROFILE_RELEASE_"))
        .collect()
}

/// The prerequisites in cargo's make rule: `binary: file file`, with spaces in names escaped. Without files in
/// `.git`, which change with every checkout but do not affect functions.
fn sources(text: &str) -> Vec<PathBuf> {
    let Some((_, list)) = text.split_once(": ") else {
        return Vec::new();
    };
    let line = list.lines().next().unwrap_or_default();
    let marked = line.replace("\\ ", "\0");
    marked
        .split_whitespace()
        .map(|path| PathBuf::from(path.replace('\0', " ")))
        .filter(|path| {
            // The profile is not a source; its own note has a fingerprint.
            path.is_file()
                && path.extension().is_none_or(|it| it != "profdata")
                && path.components().all(|part| part.as_os_str() != ".git")
        })
        .collect()
}

fn digest(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(alloy_primitives::hex::encode(alloy_primitives::keccak256(
        bytes,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_sources_missing_sources_and_other_flags_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        };
        let (kept, edited, lost) = (
            file("kept", "1"),
            file("with space", "1"),
            file("lost", "1"),
        );
        let head = file(".git/HEAD", "1");
        let escaped = edited.display().to_string().replace(' ', "\\ ");
        let rule = format!(
            "bin: {} {escaped} {} {}\n",
            kept.display(),
            lost.display(),
            head.display()
        );
        let binary = file("bin", "");
        file("bin.d", &rule);
        let compiler = Compiler {
            version: "rustc 1".to_owned(),
            host: "host".to_owned(),
            llvm: "22".to_owned(),
        };
        let fingerprint = Fingerprint::of(&compiler, &[], &binary).unwrap();
        assert_eq!(fingerprint.sources.len(), 3);
        assert_eq!(fingerprint.changes(&compiler, &[]), [""; 0]);

        fs::write(&edited, "2").unwrap();
        fs::remove_file(&lost).unwrap();
        let changes = fingerprint.changes(&compiler, &["-Copt-level=1".to_owned()]);
        assert_eq!(
            changes,
            [
                "rustflags were none, now -Copt-level=1".to_owned(),
                format!("{} is gone", lost.display()),
                format!("{} changed", edited.display()),
            ]
        );
    }
}
