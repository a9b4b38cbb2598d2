//! `evmscope diff`: what changed between two binaries, measured in turn, or between two earlier runs.

use super::{cases, dir};
use crate::builds::{self, Failed, Plan, Turns};
use crate::cases::{NEXT_LINE, folder_of};
use crate::cmd::args::{CaseDir, Tuning, engines, gates, share};
use crate::cmd::output::{self, Answer, Files};
use crate::engines::EngineId;
use crate::measure::Calls;
use anyhow::{Context, Error, Result, anyhow, bail};
use clap::Args;
use evmscope_reports::Run;
use evmscope_reports::change::{Changes, EXACT_COUNTER, Failure, Gate, Taken, Terms};
use evmscope_reports::diff::Delta;
use evmscope_reports::render::terminal::Style;
use evmscope_reports::render::{json, markdown, terminal};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

pub const SIDES: &str = "\
BASE and HEAD are both evmscope binaries or both runs as JSON (report.json of
`profile`, or `bench --export-json`). Binaries are launched several times each
and sampled in turn.
A case that a side cannot run gets a row with both answers. Exit codes: 0 no
regression confirmed, 3 a regression above the threshold of a gate, or other or
missing answers, 1 error.";

#[derive(Args)]
pub struct Diff {
    /// Base: an evmscope binary or a run.
    pub base: PathBuf,
    /// Version under test: a binary or a run, like BASE.
    pub head: PathBuf,
    /// Cases to compare, comma-separated [default: all].
    #[arg(long, value_name = "CASE,..", value_delimiter = ',')]
    pub cases: Vec<String>,
    /// Modes to compare.
    #[arg(
        long,
        value_name = "MODE,..",
        value_delimiter = ',',
        default_value = "traditional,advanced",
        value_parser = engines()
    )]
    pub modes: Vec<EngineId>,
    /// Ignore smaller changes.
    #[arg(long, value_name = "PERCENT", default_value = "5%", allow_negative_numbers = true, value_parser = share)]
    pub threshold: f64,
    /// What fails the comparison: more CPU time, or more simulated instructions (exact, no noise).
    #[arg(long, value_name = "GATE,..", value_delimiter = ',', default_value = "time", value_parser = gates())]
    pub gate: Vec<Gate>,
    /// Ignore smaller changes of simulated instructions.
    #[arg(long, value_name = "PERCENT", default_value = "1%", allow_negative_numbers = true, value_parser = share)]
    pub instruction_threshold: f64,
    /// Launches of each binary.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(5..=1_000))]
    pub launches: u32,
    /// Samples per case, mode, binary and launch, about 10 ms each.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub pairs: u32,
    /// Skip simulated counters and opcode costs.
    #[arg(long)]
    pub no_simulate: bool,
    #[command(flatten)]
    pub from: CaseDir,
    #[command(flatten)]
    pub tuning: Tuning,
    /// Folder for diff.md and diff.json [default: reports/out].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

impl Diff {
    fn terms(&self, taken: Taken) -> Terms {
        Terms {
            gates: self.gate.clone(),
            instruction_threshold: self.instruction_threshold,
            ..Terms::new(taken, self.threshold)
        }
    }
}

pub fn run(args: &Diff, style: Style) -> Result<Answer> {
    let files = Files::in_dir_or(args.out.as_deref(), Path::new("reports/out"))?;
    let changes = match (Side::read(&args.base)?, Side::read(&args.head)?) {
        (Side::Run(base), Side::Run(head)) => of_runs(args, *base, *head)?,
        (Side::Binary, Side::Binary) => of_binaries(args)?,
        _ => bail!(
            "{} and {} are a binary and a run: compare two binaries or two runs",
            args.base.display(),
            args.head.display()
        ),
    };
    let written = files.write_all(&[
        ("diff.md", markdown::diff(&changes)),
        ("diff.json", json::write(&changes)?),
    ]);
    let text = terminal::diff(&changes, style);
    let answer = match changes.regressed() || !changes.same_work() {
        true => Answer::differs(text),
        false => match ungated(&changes) {
            Some(error) => Answer {
                errors: vec![error],
                ..Answer::failure(text)
            },
            None => Answer::success(text),
        },
    };
    Ok(answer.with(written))
}

/// What the gate on instructions cannot judge: passing it silently would be wrong.
fn ungated(changes: &Changes) -> Option<Error> {
    let ungated = changes.ungated();
    let first = ungated.first()?;
    let runs = [&changes.base, &changes.head].into_iter();
    let mut reasons = runs
        .flat_map(|run| &run.unavailable)
        .filter(|it| it.counter == EXACT_COUNTER);
    let reason = reasons.next().map_or_else(
        || "the simulations of a side disagree, or a run has none".to_owned(),
        |it| it.reason.clone(),
    );
    Some(anyhow!(
        "--gate instructions: no exact counts for {} of {} (first: {}, {}): {reason}",
        ungated.len(),
        changes.changes.len(),
        first.case,
        first.mode
    ))
}

/// One side of the comparison.
enum Side {
    Run(Box<Run>),
    Binary,
}

impl Side {
    /// ELF files and scripts are binaries; anything else is read as a run.
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
    let terms = args.terms(Taken::Separately);
    Ok(Changes::of(base, head, None, terms, &args.cases))
}

fn of_binaries(args: &Diff) -> Result<Changes> {
    let set = cases(&args.from, &args.cases)?;
    let mut plan = Plan {
        // Older builds read folders only.
        case_dir: folder_of(&dir(&args.from)).canonicalize()?,
        cases: set.cases.into_iter().map(|case| case.name).collect(),
        modes: args.modes.iter().map(ToString::to_string).collect(),
        settings: args.tuning.settings(),
        launches: args.launches as usize,
        pairs: args.pairs as usize,
        turns: Turns::Builds,
        calls: Calls::Warm,
    };
    // The base twice: its difference from itself is the noise floor.
    let builds = [args.base.clone(), args.base.clone(), args.head.clone()];
    let mut failures = Failures::default();
    let unreadable = set.unreadable.into_iter().map(|it| Failed {
        case: it.name,
        build: HEAD,
        why: format!("{:#}", it.error),
    });
    failures.take(unreadable.collect(), HEAD, &mut plan);
    let bar = output::progress(plan.steps(), "timing");
    let begun = Instant::now();
    let timed = builds::interleave(&builds, &plan, &mut || bar.inc(1))?;
    let timing_seconds = Some(begun.elapsed().as_secs_f64());
    bar.finish_and_clear();
    let Ok([mut base, again, mut head]) = <[Run; 3]>::try_from(timed.runs) else {
        bail!("expected three runs of three builds")
    };
    failures.take(timed.failed, HEAD, &mut plan);
    if !args.no_simulate {
        let bar = output::progress(
            2 * (plan.cases.len() * plan.modes.len()) as u64,
            "simulating",
        );
        let mut failed = Vec::new();
        for (index, run) in [(0, &mut base), (HEAD, &mut head)] {
            let build = (index, &*builds[index]);
            failed.extend(builds::examine(build, run, &plan, &mut || bar.inc(1))?);
        }
        bar.finish_and_clear();
        failures.take(failed, HEAD, &mut plan);
        let is_simulated = |run: &Run| {
            run.opcode_costs
                .iter()
                .all(|cost| cost.sim_instructions.is_some())
        };
        if !is_simulated(&base) || !is_simulated(&head) {
            let failed = sample_opcodes(args, &plan, [&mut base, &mut head])?;
            failures.take(failed, 1, &mut plan);
        }
    }
    let terms = Terms {
        timing_seconds,
        ..args.terms(Taken::Interleaved)
    };
    let changes = Changes::of(base, head, Some(again), terms, &[]);
    Ok(changes.with_failures(failures.into_list(), &plan.modes))
}

/// The index of the head behind the base and the base again.
const HEAD: usize = 2;

/// The cases that a side could not run, with the first reason of the base and of the head.
#[derive(Default)]
struct Failures(Vec<(String, [Option<String>; 2])>);

impl Failures {
    /// Takes the cases that failed, where `head` is the index of the head, and leaves them out of the plan.
    fn take(&mut self, failed: Vec<Failed>, head: usize, plan: &mut Plan) {
        for Failed { case, build, why } in failed {
            plan.cases.retain(|it| *it != case);
            let known = self.0.iter().position(|(known, _)| *known == case);
            let index = known.unwrap_or(self.0.len());
            if known.is_none() {
                self.0.push((case, [None, None]));
            }
            let reason = &mut self.0[index].1[usize::from(build == head)];
            reason.get_or_insert(why.replace(NEXT_LINE, "; "));
        }
    }

    fn into_list(self) -> Vec<Failure> {
        let failures = self.0.into_iter().filter_map(|(case, [base, head])| {
            let why = Delta::join(base, head)?;
            Some(Failure { case, why })
        });
        failures.collect()
    }
}

/// Time of one sampling run, ms.
const RUN: u64 = 250;

/// Launches for the cost of opcodes, which takes much longer than timing.
const RUNS: usize = 6;

/// Adds independent sampling runs to the opcode costs of both sides, for opcodes without simulated counts. Returns the
/// cases that a side could not run: the base is build 0, the head build 1.
fn sample_opcodes(args: &Diff, plan: &Plan, sides: [&mut Run; 2]) -> Result<Vec<Failed>> {
    // Peers have no cost of opcodes.
    let has_costs = |mode: &&String| {
        let mut costs = sides.iter().flat_map(|run| &run.opcode_costs);
        costs.any(|cost| cost.mode == **mode)
    };
    let plan = Plan {
        launches: RUNS,
        modes: plan.modes.iter().filter(has_costs).cloned().collect(),
        ..plan.clone()
    };
    let builds = [args.base.clone(), args.head.clone()];
    let bar = output::progress((RUNS * plan.cases.len()) as u64, "sampling opcodes");
    let (runs, failed) = builds::opcode_runs(&builds, &plan, RUN, &mut || bar.inc(1))?;
    bar.finish_and_clear();
    for (run, runs) in sides.into_iter().zip(&runs) {
        runs.add_to(run);
    }
    Ok(failed)
}
