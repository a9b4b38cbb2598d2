//! BOLT, the optional second step: the optimised binary is laid out anew by what its own instrumented copy counts,
//! so that no PMU is needed.
//!
//! Owns the three calls (instrument, merge, lay out); training is `train`'s business.

use super::Workshop;
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

/// How to lay out: hot blocks behind each other, callees near their callers, what never ran apart.
const LAYOUT: [&str; 4] = [
    "-reorder-blocks=ext-tsp",
    "-reorder-functions=cdsort",
    "-split-functions",
    "-split-all-cold",
];

impl Bolt {
    /// Finds the programs.
    ///
    /// # Errors
    /// As [`toolchain::find`].
    pub fn find(compiler: &Compiler) -> Result<Bolt, ToolError> {
        Ok(Bolt {
            bolt: toolchain::find(Tool::Bolt, &compiler.llvm)?,
            merge: toolchain::find(Tool::MergeFdata, &compiler.llvm)?,
        })
    }

    /// Makes a copy of the optimised binary that counts, a file each time it runs.
    ///
    /// # Errors
    /// A binary that BOLT cannot take: one that was linked without relocations.
    pub fn instrument(&self, workshop: &Workshop) -> Result<PathBuf> {
        let counting = workshop.bolt("evmscope-counting");
        let folder = workshop.bolt("");
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut command = Command::new(&self.bolt);
        command
            .arg(workshop.optimized())
            .args(["-instrument", "-instrumentation-file-append-pid"])
            .arg(option("-instrumentation-file=", &workshop.bolt("counts")))
            .arg("-o")
            .arg(&counting);
        run(command)?;
        Ok(counting)
    }

    /// Merges what the copy counted, and lays the binary out by it.
    ///
    /// # Errors
    /// No counts, or a call that fails.
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
                "the copy that counts for BOLT wrote nothing to {}",
                folder.display()
            );
        }
        let merged = workshop.bolt("merged.fdata");
        let mut merge = Command::new(&self.merge);
        merge.args(&counts).arg("-o").arg(&merged);
        run(merge)?;
        let bolted = workshop.bolted();
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

/// Runs a program that says what it does at length; of that, the error is kept.
fn run(mut command: Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let error = said
        .lines()
        .rfind(|line| line.contains("ERROR") || line.contains("error"));
    let error = error
        .or_else(|| said.lines().last())
        .unwrap_or("it says nothing");
    bail!("{program} failed ({}): {}", output.status, error.trim())
}
