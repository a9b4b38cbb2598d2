//! States the facts of this build for `machine/rig.rs`: compiler, profile, flags, commit, version of
//! the peer.
//!
//! The commit and its `-dirty` mark hold for the sources that go into the binary: the script runs
//! again when one of them, or the checked-out commit, changes.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the binary is made of, relative to this package.
const SOURCES: &[&str] = &[
    "build.rs",
    "Cargo.toml",
    "src",
    "../Cargo.toml",
    "../Cargo.lock",
    "../interp/Cargo.toml",
    "../interp/src",
    "../reports/Cargo.toml",
    "../reports/src",
];

fn main() {
    let rustc = variable("RUSTC");
    state("RUSTC", output(&rustc, &["-V"]));
    state("LLVM", llvm_major(&rustc));
    state("PROFILE", Some(profile()));
    state("FLAGS", Some(flags()));
    state("FEATURES", Some(variable("CARGO_CFG_TARGET_FEATURE")));
    state("COMMIT", commit());
    state("REVM", locked("revm"));

    SOURCES.iter().map(PathBuf::from).for_each(watch);
    git_heads().into_iter().for_each(watch);
}

/// Sets `EVMSCOPE_BUILD_<name>` for the crate; unknown facts stay unset.
fn state(name: &str, fact: Option<String>) {
    if let Some(fact) = fact {
        println!("cargo:rustc-env=EVMSCOPE_BUILD_{name}={fact}");
    }
}

/// Only what exists is watched: cargo takes a missing path for one that always changes.
fn watch(path: PathBuf) {
    if path.exists() {
        println!("cargo:rerun-if-changed={}", path.display());
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// `LLVM version: 22.1.2` of `rustc -vV`, without what follows the first point.
fn llvm_major(rustc: &str) -> Option<String> {
    let version = output(rustc, &["-vV"])?;
    let line = version
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))?;
    line.split('.').next().map(str::to_owned)
}

/// The profile's folder name. `PROFILE` says `release` for every profile that inherits from it,
/// but OUT_DIR is `<target>/<profile>/build/<package>/out`.
fn profile() -> String {
    Path::new(&variable("OUT_DIR"))
        .ancestors()
        .nth(3)
        .and_then(Path::file_name)
        .map_or_else(
            || variable("PROFILE"),
            |name| name.to_string_lossy().into_owned(),
        )
}

/// The version of a dependency, by the lock file of the workspace; none where a package is built without one.
fn locked(package: &str) -> Option<String> {
    let lock = std::fs::read_to_string("../Cargo.lock").ok()?;
    let (_, entry) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    entry.split('"').next().map(str::to_owned)
}

fn flags() -> String {
    variable("CARGO_ENCODED_RUSTFLAGS").replace('\u{1f}', " ")
}

fn commit() -> Option<String> {
    let commit = output("git", &["rev-parse", "HEAD"])?;
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(SOURCES);
    let dirty = !output("git", &status)?.is_empty();
    Some(commit + if dirty { "-dirty" } else { "" })
}

/// The files that change when another commit is checked out, in linked worktrees too: the reflog
/// with every commit, and the two others where no reflog is kept.
fn git_heads() -> Vec<PathBuf> {
    let branch = output("git", &["symbolic-ref", "HEAD"]).unwrap_or_default();
    ["HEAD", "logs/HEAD", &branch]
        .iter()
        .filter(|name| !name.is_empty())
        .filter_map(|name| output("git", &["rev-parse", "--git-path", name]))
        .map(PathBuf::from)
        .collect()
}
