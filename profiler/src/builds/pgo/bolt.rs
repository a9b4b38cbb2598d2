//! BOLT, the optional second step: changes the layout of the optimised binary by the counts of an instrumented copy,
//! which needs no PMU.
//!
//! Runs the three BOLT commands (instrument, merge, lay out); `train` runs the training.

use super::Workshop;
use crate::interrupt;
use crate::machine::toolchain::{self, Compiler, Tool, ToolError};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// BOLT's programs.
#[derive(Debug)]
pub struct Bolt {
    bolt: PathBuf,
    merge: PathBuf,
}

/// Layout options: hot blocks in sequence, callees near callers, unexecuted code separate.
const LAYOUT: [&str; 4] = [
    "-reorder-blocks=ext-tsp",
    "-reorder-functions=cdsort",
    "-split-functions",
    "-split-all-cold",
];

impl Bolt {
    /// Finds llvm-bolt and merge-fdata.
    ///
    /// # Errors
    /// As [`toolchain::find`].
    pub fn find(compiler: &Compiler) -> Result<Bolt, ToolError> {
        Ok(Bolt {
            bolt: toolchain::find(Tool::Bolt, &compiler.llvm)?,
            merge: toolchain::find(Tool::MergeFdata, &compiler.llvm)?,
        })
    }

    /// Writes an instrumented copy of the optimised binary; each run of it writes a file of counts.
    ///
    /// # Errors
    /// BOLT fails, such as for a binary linked without relocations.
    pub fn instrument(&self, workshop: &Workshop) -> Result<PathBuf> {
        let instrumented = workshop.bolt("evmscope-instrumented");
        let folder = workshop.bolt("");
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let mut command = Command::new(&self.bolt);
        command
            .arg(workshop.optimized())
            .args(["-instrument", "-instrumentation-file-append-pid"])
            .arg(option("-instrumentation-file=", &workshop.bolt("counts")))
            .arg("-o")
            .arg(&instrumented);
        run(command)?;
        Ok(instrumented)
    }

    /// Merges the counts and lays out the binary by them, into a file of BOLT's folder.
    ///
    /// # Errors
    /// There are no counts, or a command fails.
    pub fn lay_out(&self, workshop: &Workshop) -> Result<PathBuf> {
        let folder = workshop.bolt("");
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let counts: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|it| it == "fdata"))
            .collect();
        if counts.is_empty() {
            bail!(
                "the copy instrumented by BOLT wrote no counts to {}",
                folder.display()
            );
        }
        let merged = workshop.bolt("merged.fdata");
        let mut merge = Command::new(&self.merge);
        merge.args(&counts).arg("-o").arg(&merged);
        run(merge)?;
        let bolted = workshop.bolt("evmscope");
        let mut command = Command::new(&self.bolt);
        command
            .arg(workshop.optimized())
            .arg(option("-data=", &merged))
            .args(LAYOUT)
            .arg("-o")
            .arg(&bolted);
        run(command)?;
        Ok(bolted)
    }
}

fn option(name: &str, path: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(path);
    option
}

/// Runs a BOLT command. Its output is long, so the error keeps only the last line with an error.
fn run(mut command: Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        interrupt::output(&mut command).with_context(|| format!("cannot run {program}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let error = said
        .lines()
        .rfind(|line| line.contains("ERROR") || line.contains("error"));
    let error = error
        .or_else(|| said.lines().last())
        .unwrap_or("no message");
    bail!("{program} failed ({}): {}", output.status, error.trim())
}
