//! Training: the instrumented binary runs each case in each mode, with one process and one profile each.
//!
//! The child's hidden verb is in `cmd/pgo/trained.rs`. Its result is compared with the parent's verified one, since
//! a wrong result means a profile of the wrong work.

use crate::engines::verify::Verified;
use crate::interrupt;
use anyhow::{Context, Result, bail};
use evmscope_reports::name::as_file_name;
use evmscope_reports::pgo::Trained;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The hidden verb that the instrumented binary runs.
pub const CHILD: &str = "__trained";

/// Opcodes to execute per case and mode, so that long cases do not outweigh the others.
pub const OPCODES: u64 = 20_000_000;

/// Most calls per case, for cases that execute almost nothing.
const MOST_CALLS: u64 = 4_096;

/// The result of the child's last call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// `success`, `revert`, or the halt reason in kebab case.
    pub status: String,
    pub gas_used: u64,
    /// keccak256 of the output.
    pub output_hash: String,
}

/// The note beside the folder of raw profiles.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Training {
    /// In the order of the runs.
    pub runs: Vec<Trained>,
}

impl Training {
    /// The path of the raw profile of a run in a folder of them.
    pub fn raw(folder: &Path, run: &Trained) -> PathBuf {
        folder.join(as_file_name(&format!("{}.{}.profraw", run.case, run.mode)))
    }
}

/// Calls needed to execute `opcodes`, if one call executes `of_one_call`.
pub fn calls(opcodes: u64, of_one_call: u64) -> u64 {
    opcodes.div_ceil(of_one_call.max(1)).clamp(1, MOST_CALLS)
}

/// Runs one case in one mode with the instrumented binary, which writes its profile to `raw`.
///
/// # Errors
/// The child fails, has another result or writes no profile.
pub fn run(binary: &Path, case_dir: &Path, v: &Verified, run: &Trained, raw: &Path) -> Result<()> {
    let mut command = Command::new(binary);
    command.env("LLVM_PROFILE_FILE", raw);
    call(command, case_dir, v, run)?;
    match fs::metadata(raw) {
        Ok(file) if file.len() > 0 => Ok(()),
        _ => bail!(
            "training of {} wrote no profile to {}: is {} instrumented?",
            run.case,
            raw.display(),
            binary.display()
        ),
    }
}

/// Runs one case in one mode with any build of this program, and compares its result with the verified one.
///
/// # Errors
/// The child fails or has another result.
pub fn call(mut command: Command, case_dir: &Path, v: &Verified, run: &Trained) -> Result<()> {
    let what = || format!("training of {} in the mode {}", run.case, run.mode);
    let calls = run.calls.to_string();
    command
        .args([CHILD, &run.case, "--mode", &run.mode, "--calls", &calls])
        .arg("--case-dir")
        .arg(case_dir);
    let output = interrupt::output(&mut command)
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed ({}): {}", what(), output.status, said.trim());
    }
    let found: Outcome = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{}: its output has no result", what()))?;
    let expected = Outcome {
        status: v.result.status.clone(),
        gas_used: v.result.gas_used,
        output_hash: v.result.output_hash.clone(),
    };
    if found != expected {
        bail!(
            "{} had the result {found:?} instead of {expected:?}",
            what()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::calls;

    #[test]
    fn short_cases_are_called_more_often() {
        assert_eq!(calls(20_000_000, 6_500_000), 4);
        assert_eq!(calls(20_000_000, 30_000_000), 1);
        assert_eq!(calls(20_000_000, 2), 4_096);
        assert_eq!(calls(20_000_000, 0), 4_096);
    }
}
