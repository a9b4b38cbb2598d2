//! `evmscope check`: compares a run, measured now or given, with the targets and the baseline.

use super::{bench, cases};
use crate::cases::CaseSet;
use crate::cmd::args::{CaseDir, Tuning};
use crate::cmd::output::{Answer, Document, Written};
use crate::cmd::timing::Amount;
use crate::engines::EngineId;
use crate::measure::Calls;
use anyhow::{Context, Error, Result, anyhow};
use clap::Args;
use evmscope_interp::Mode;
use evmscope_reports::Run;
use evmscope_reports::check::{
    CONTROL, Finding, Outcome, Targets, against_baseline, against_targets,
};
use evmscope_reports::render::terminal::Style;
use evmscope_reports::render::{json, terminal};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(mut_args(|arg| match arg.get_id().as_str() {
    "launches" | "pairs" | "quick" | "allow_failure" => arg.conflicts_with("run"),
    _ => arg,
}))]
pub struct Check {
    /// A run as JSON (bench --export-json) [default: measure one].
    pub run: Option<PathBuf>,
    /// Targets to meet.
    #[arg(long, value_name = "FILE", default_value = "reports/targets.toml")]
    pub targets: PathBuf,
    /// Earlier run to compare with.
    #[arg(long, value_name = "FILE", default_value = "reports/baseline.json")]
    pub baseline: PathBuf,
    /// Make this run the baseline instead of comparing with it.
    #[arg(long)]
    pub update: bool,
    /// Fail if a figure is too uncertain to tell.
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub amount: Amount,
    #[command(flatten)]
    pub from: CaseDir,
    #[command(flatten)]
    pub tuning: Tuning,
}

pub fn run(args: &Check, style: Style) -> Result<Answer> {
    let text = read(&args.targets)?.ok_or_else(|| {
        anyhow!(
            "cannot read {}: it does not exist; name another with --targets",
            args.targets.display()
        )
    })?;
    let targets: Targets =
        toml::from_str(&text).with_context(|| format!("in {}", args.targets.display()))?;
    let update = match args.update {
        true => Some(Document::at(&args.baseline)?),
        false => None,
    };
    // What is not a baseline is not replaced either. A pipe to be written to cannot be read.
    let baseline = match &update {
        Some(_) if !args.baseline.is_file() => None,
        _ => read(&args.baseline)?,
    };
    let baseline = baseline
        .map(|text| read_run(&text, &args.baseline))
        .transpose()?;

    let run = match &args.run {
        Some(path) => {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            read_run(&text, path)?
        }
        None => measured(args)?,
    };

    let mut findings = against_targets(&run, &targets);
    match (&update, &baseline) {
        // This run replaces the baseline, so it is not compared with it.
        (Some(_), _) => {}
        (None, Some(baseline)) => findings.extend(against_baseline(baseline, &run)),
        (None, None) => findings.push(no_baseline(&args.baseline)),
    }
    let text = terminal::findings(&findings, &run, style);
    let mut written = Written::default();
    if let Some(update) = update {
        written.write(update, json::write(&run).map_err(Error::from));
    }
    let passes = |it: &Finding| match it.outcome {
        Outcome::Holds => true,
        Outcome::Fails => false,
        Outcome::Undecided => !args.strict,
    };
    let answer = match findings.iter().all(passes) {
        true => Answer::success(text),
        false => Answer::differs(text),
    };
    Ok(answer.with(written))
}

fn measured(args: &Check) -> Result<Run> {
    let CaseSet { cases, unreadable } = cases(&args.from, &[])?;
    if let Some(unreadable) = unreadable.into_iter().next() {
        return Err(unreadable.error);
    }
    let mut modes = Mode::ALL.map(EngineId::from).to_vec();
    // Beside it, times can be compared with those of another day.
    modes.extend(CONTROL.parse());
    let verified = bench::verify_all(&cases, &modes, args.tuning.settings())?;
    for engines in &verified {
        args.amount.expect_success(engines)?;
    }
    bench::measure_all(verified, &args.from, &args.amount, Calls::Warm)
}

/// The text of a file; `None` if it does not exist.
fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read
            .map(Some)
            .with_context(|| format!("cannot read {}", path.display())),
    }
}

fn read_run(text: &str, path: &Path) -> Result<Run> {
    json::read(text).map_err(|error| anyhow!("{}: {error}", path.display()))
}

fn no_baseline(path: &Path) -> Finding {
    Finding {
        what: "baseline".to_owned(),
        found: format!("no {}", path.display()),
        asked: "none; --update makes one".to_owned(),
        margin: String::new(),
        outcome: Outcome::Holds,
        launches: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases;

    #[test]
    fn the_targets_name_every_case() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/targets.toml");
        let targets: Targets = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let set = cases::load_all(&cases::default_dir()).unwrap();
        let mut cases: Vec<_> = set.cases.into_iter().map(|case| case.name).collect();
        cases.sort();
        assert_eq!(targets.cases.into_keys().collect::<Vec<_>>(), cases);
    }
}
