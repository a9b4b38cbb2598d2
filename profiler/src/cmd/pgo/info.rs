//! `evmscope pgo info`: what is installed and what is built. Fails if a build would fail.

use super::args::PgoDir;
use super::{expect_current, fingerprint};
use crate::builds::pgo::{Merged, Optimized, Workshop, build, noted};
use crate::cmd::output::{self, Answer};
use crate::machine::toolchain::{self, Compiler, Tool};
use anyhow::Result;
use clap::Args;
use evmscope_reports::render::terminal;
use std::path::Path;

#[derive(Args)]
pub struct PgoInfo {
    #[command(flatten)]
    pub at: PgoDir,
}

pub fn run(args: &PgoInfo) -> Result<Answer> {
    let compiler = Compiler::find()?;
    let workshop = Workshop::open(args.at.dir.as_deref())?;
    let flags = build::user_flags(&compiler.host)?;
    let profdata = toolchain::find(Tool::Profdata, &compiler.llvm);
    let usable = profdata.is_ok();
    let tool = |name: &'static str,
                found: Result<std::path::PathBuf, toolchain::ToolError>,
                without| match found {
        Ok(path) => ("ok", name, path.display().to_string()),
        Err(error) => (without, name, error.to_string()),
    };
    let mut rows = vec![
        (
            "ok",
            "compiler",
            format!(
                "{}, LLVM {}, for {}",
                compiler.version, compiler.llvm, compiler.host
            ),
        ),
        (
            "ok",
            "rustflags",
            match &flags[..] {
                [] => "none set".to_owned(),
                flags => format!("{} (kept)", flags.join(" ")),
            },
        ),
        tool("llvm-profdata", profdata, "missing"),
        tool(
            "llvm-bolt",
            toolchain::find(Tool::Bolt, &compiler.llvm),
            "optional",
        ),
        tool(
            "merge-fdata",
            toolchain::find(Tool::MergeFdata, &compiler.llvm),
            "optional",
        ),
    ];
    let instrumented = workshop.instrumented();
    rows.push(part(
        "instrumented",
        &instrumented,
        &compiler,
        fingerprint(&instrumented)?,
        "build",
    ));
    let profile = workshop.profile();
    let made_from = noted::<Merged>(&profile)?.and_then(|merged| merged.made_from);
    rows.push(part(
        "profile",
        &profile,
        &compiler,
        made_from,
        "train` and `evmscope pgo merge",
    ));
    let optimized = workshop.optimized();
    let made_from = noted::<Optimized>(&optimized)?.map(|optimized| optimized.made_from);
    rows.push(part(
        "optimised",
        &optimized,
        &compiler,
        made_from,
        "optimize",
    ));

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

fn part(
    name: &'static str,
    path: &Path,
    compiler: &Compiler,
    made_from: Option<crate::builds::pgo::fingerprint::Fingerprint>,
    verb: &str,
) -> (&'static str, &'static str, String) {
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
