//! `evmscope diff`: two binaries measured in turn, or two runs from before, and what changed.

use super::{cases, dir, listed};
use crate::binaries::{self, Plan};
use crate::cli::Diff;
use crate::output::{self, Answer, Files};
use anyhow::{Context, Result, bail};
use evmscope_reports::Run;
use evmscope_reports::change::{Changes, Taken};
use evmscope_reports::render::terminal::Style;
use evmscope_reports::render::{json, markdown, terminal};
use std::fs;
use std::path::Path;

pub fn run(args: &Diff, style: Style) -> Result<Answer> {
    let files = Files::in_dir(&args.out)?;
    let changes = match (Side::read(&args.base)?, Side::read(&args.head)?) {
        (Side::Run(base), Side::Run(head)) => of_runs(args, *base, *head)?,
        (Side::Binary, Side::Binary) => of_binaries(args)?,
        _ => bail!(
            "{} and {} are a binary and a run: compare two of a kind",
            args.base.display(),
            args.head.display()
        ),
    };
    let paths = files.write_all(&[
        ("diff.md", markdown::diff(&changes)),
        ("diff.json", json::write(&changes)?),
    ])?;
    let text = terminal::diff(&changes, style) + &listed(&paths);
    Ok(match changes.regressed() {
        true => Answer::apart(text),
        false => Answer::success(text),
    })
}

/// What a path names.
enum Side {
    Run(Box<Run>),
    Binary,
}

impl Side {
    /// A program begins as ELF files do, or as scripts; all else is taken for a run.
    fn read(path: &Path) -> Result<Side> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        if bytes.starts_with(b"\x7fELF") || bytes.starts_with(b"#!") {
            return Ok(Side::Binary);
        }
        let read = String::from_utf8(bytes).ok().map(|text| json::read(&text));
        match read {
            Some(Ok(run)) => Ok(Side::Run(Box::new(run))),
            Some(Err(error)) => bail!("{}: {error}", path.display()),
            None => bail!("{}: neither a binary nor a run as JSON", path.display()),
        }
    }
}

fn of_runs(args: &Diff, base: Run, head: Run) -> Result<Changes> {
    for case in &args.cases {
        if ![&base, &head]
            .iter()
            .any(|run| run.cases().contains(&case.as_str()))
        {
            bail!(
                "neither run has the case `{case}`: it has {}",
                base.cases().join(", ")
            );
        }
    }
    let taken = Taken::Apart;
    Ok(Changes::of(
        base,
        head,
        None,
        taken,
        args.threshold,
        &args.cases,
    ))
}

fn of_binaries(args: &Diff) -> Result<Changes> {
    let shelf = cases(&args.from, &args.cases)?;
    // A case that cannot be read would be missing from the verdict.
    if let Some(unreadable) = shelf.unreadable.into_iter().next() {
        return Err(unreadable.error);
    }
    let plan = Plan {
        case_dir: dir(&args.from).canonicalize()?,
        cases: shelf.cases.into_iter().map(|case| case.name).collect(),
        modes: args.modes.iter().map(ToString::to_string).collect(),
        settings: args.tuning.settings(),
        launches: args.launches as usize,
        pairs: args.pairs as usize,
    };
    // The base twice: what it differs from itself is the noise floor.
    let builds = [args.base.clone(), args.base.clone(), args.head.clone()];
    let bar = output::progress(plan.steps(), "timing");
    let runs = binaries::interleave(&builds, &plan, &mut || bar.inc(1))?;
    bar.finish_and_clear();
    let Ok([mut base, again, mut head]) = <[Run; 3]>::try_from(runs) else {
        bail!("three builds did not give three runs")
    };
    if !args.no_simulate {
        let bar = output::progress(
            2 * (plan.cases.len() * plan.modes.len()) as u64,
            "simulating",
        );
        for (path, run) in [(&args.base, &mut base), (&args.head, &mut head)] {
            binaries::examine(path, run, &plan, &mut || bar.inc(1))?;
        }
        bar.finish_and_clear();
    }
    let taken = Taken::Interleaved;
    Ok(Changes::of(
        base,
        head,
        Some(again),
        taken,
        args.threshold,
        &[],
    ))
}
