//! `evmscope pgo info`: what is installed and what is built. Fails if a build would fail.

use super::args::PgoDir;
use super::{expect_current, fingerprint};
use crate::builds::pgo::fingerprint::Fingerprint;
use crate::builds::pgo::{Merged, Optimized, Workshop, build, noted};
use crate::cmd::output::{self, Answer};
use crate::machine::toolchain::{self, Compiler, Tool, ToolError};
use anyhow::Result;
use clap::Args;
use evmscope_reports::render::terminal;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct PgoInfo {
    #[command(flatten)]
    pub at: PgoDir,
}

pub fn run(args: &PgoInfo) -> Result<Answer> {
    let compiler = Compiler::find()?;
    let workshop = args.at.workshop()?;
    let profdata = toolchain::find(Tool::Profdata, &compiler.llvm);
    let usable = profdata.is_ok();
    let mut rows = tools(&compiler, profdata)?;
    rows.extend(parts(&compiler, &workshop)?);
    let shown = rows
        .iter()
        .map(|(mark, name, detail)| [*mark, *name, detail.as_str()]);
    let text = terminal::rows(shown, output::columns());
    Ok(if usable {
        Answer::success(text)
    } else {
        Answer::failure(text)
    })
}

/// A line of the answer: a mark, what it is about, and the detail.
type Row = (&'static str, &'static str, String);

/// What is installed.
fn tools(compiler: &Compiler, profdata: Result<PathBuf, ToolError>) -> Result<Vec<Row>> {
    let flags = match &build::user_flags(&compiler.host)?[..] {
        [] => "none set".to_owned(),
        flags => format!("{} (kept)", flags.join(" ")),
    };
    let Compiler {
        version,
        llvm,
        host,
    } = compiler;
    let tool = |name, found: Result<PathBuf, ToolError>, without| match found {
        Ok(path) => ("ok", name, path.display().to_string()),
        Err(error) => (without, name, error.to_string()),
    };
    let optional = |name, which| tool(name, toolchain::find(which, llvm), "optional");
    Ok(vec![
        (
            "ok",
            "compiler",
            format!("{version}, LLVM {llvm}, for {host}"),
        ),
        ("ok", "rustflags", flags),
        tool("llvm-profdata", profdata, "missing"),
        optional("llvm-bolt", Tool::Bolt),
        optional("merge-fdata", Tool::MergeFdata),
    ])
}

/// What is built, in the order of the steps.
fn parts(compiler: &Compiler, workshop: &Workshop) -> Result<[Row; 3]> {
    let instrumented = workshop.instrumented();
    let profile = workshop.profile();
    let trained = noted::<Merged>(&profile)?.and_then(|merged| merged.made_from);
    let optimized = workshop.optimized();
    let built = noted::<Optimized>(&optimized)?.map(|optimized| optimized.made_from);
    Ok([
        part(
            "instrumented",
            &instrumented,
            compiler,
            fingerprint(&instrumented)?,
            "build",
        ),
        part(
            "profile",
            &profile,
            compiler,
            trained,
            "train` and `evmscope pgo merge",
        ),
        part("optimised", &optimized, compiler, built, "optimize"),
    ])
}

fn part(
    name: &'static str,
    path: &Path,
    compiler: &Compiler,
    made_from: Option<Fingerprint>,
    verb: &str,
) -> Row {
    if !path.is_file() {
        return ("not yet", name, format!("`evmscope pgo {verb}`"));
    }
    let current = made_from.map(|made_from| expect_current(path, &made_from, compiler));
    match current {
        None => (
            "unknown",
            name,
            format!("{}, built elsewhere", path.display()),
        ),
        Some(Ok(())) => ("ok", name, path.display().to_string()),
        Some(Err(stale)) => ("stale", name, format!("{stale:#}")),
    }
}
