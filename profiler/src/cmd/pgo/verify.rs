//! `evmscope pgo verify`: the gain of the profile on training cases and on held-out cases.

use super::args::PgoDir;
use super::{expect_current, fingerprint};
use crate::builds::pgo::build::{self, Kind};
use crate::builds::pgo::verify::{self, Setup};
use crate::builds::pgo::{Optimized, Workshop, noted};
use crate::builds::{Plan, Turns};
use crate::cmd::args::CaseDir;
use crate::cmd::bench::THRESHOLD;
use crate::cmd::output::{self, Answer, Files};
use crate::cmd::{cases, dir};
use crate::instruments::callgrind::SimulateError;
use crate::instruments::counters::{Linux, Probe};
use crate::machine::rig;
use crate::machine::toolchain::Compiler;
use crate::measure::{Calls, record};
use crate::symbols::sections::Sections;
use anyhow::{Context, Result, bail};
use clap::Args;
use evmscope_interp::{Mode, Settings};
use evmscope_reports::counter::Source;
use evmscope_reports::pgo::{Outcome, PgoReport, ProfileFacts, SCHEMA};
use evmscope_reports::render::terminal::Style;
use evmscope_reports::render::{html, markdown, terminal};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct PgoVerify {
    #[command(flatten)]
    pub at: PgoDir,
    #[command(flatten)]
    pub from: CaseDir,
    /// Held-out cases, comma-separated [default: all not trained on].
    #[arg(long, value_name = "CASE,..", value_delimiter = ',')]
    pub heldout: Vec<String>,
    /// Binary to compare with [default: a release build by the same command].
    #[arg(long, value_name = "FILE")]
    pub base: Option<PathBuf>,
    /// Binary under test [default: the optimised one in the folder].
    #[arg(long, value_name = "FILE")]
    pub head: Option<PathBuf>,
    /// Launches of each binary.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=1_000))]
    pub launches: u32,
    /// Timed pairs per case, mode and launch, about 10 ms per side.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub pairs: u32,
    /// Skip the simulated instructions.
    #[arg(long)]
    pub no_simulate: bool,
    /// Folder for the reports [default: reports/out/pgo].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

pub fn run(args: &PgoVerify, style: Style) -> Result<Answer> {
    let files = Files::in_dir_or(args.out.as_deref(), Path::new("reports/out/pgo"))?;
    let workshop = args.at.workshop()?;
    let compiler = Compiler::find()?;
    let optimized = optimized(args, &workshop, &compiler)?;
    let facts: Optimized = noted(&workshop.optimized())?
        .context("the optimised binary has no note: build it again with `evmscope pgo optimize`")?;
    let release = release(args, &workshop, &compiler)?;
    let mut setup = setup(args, release, optimized, &facts)?;
    let missing = match setup.simulate {
        true => verify::simulator(&setup.release, &setup.plan).err(),
        false => None,
    };
    setup.simulate &= missing.is_none();

    let report = report(&setup, facts, missing.as_ref())?;
    let written = files.write_all(&[
        ("report.html", html::pgo(&report)?),
        ("report.md", markdown::pgo(&report)),
        ("report.json", serde_json::to_string_pretty(&report)? + "\n"),
    ]);
    let text = terminal::pgo(&report, style);
    let mut verdicts = report.proof.verdicts.values();
    let answer = if verdicts.any(|outcome| *outcome == Outcome::Hurts) {
        Answer::differs(text)
    } else {
        Answer::success(text)
    };
    Ok(answer.with(written))
}

/// Measures the builds in turn.
fn report(setup: &Setup, facts: Optimized, missing: Option<&SimulateError>) -> Result<PgoReport> {
    let bar = output::progress(setup.steps(), "release against optimised");
    let mut proofs = verify::prove(setup, &mut || bar.inc(1))?.into_iter();
    bar.finish_and_clear();
    Ok(PgoReport {
        schema: SCHEMA.to_owned(),
        created: record::now(),
        rig: rig::examine(),
        profile: profile(facts),
        launches: setup.plan.launches,
        pairs: setup.plan.pairs,
        threshold: setup.threshold,
        release: Sections::of(&setup.release)?.sizes,
        proof: proofs.next().context("no build was compared")?,
        bolt: proofs.next(),
        unavailable: unavailable(missing),
    })
}

/// The binaries under test. Refuses a binary of the wrong kind and a stale one.
fn optimized(args: &PgoVerify, workshop: &Workshop, compiler: &Compiler) -> Result<Vec<PathBuf>> {
    let binary = args.head.clone().unwrap_or_else(|| workshop.optimized());
    if !binary.is_file() {
        bail!("there is no {}: `evmscope pgo optimize`", binary.display());
    }
    Sections::of(&binary)?.expect_optimized(&binary)?;
    if args.head.is_none()
        && let Some(facts) = noted::<Optimized>(&binary)?
    {
        expect_current(&binary, &facts.made_from, compiler)?;
    }
    let bolted = workshop.bolted();
    let mut binaries = vec![binary];
    if args.head.is_none() && bolted.is_file() {
        Sections::of(&bolted)?.expect_bolted(&bolted)?;
        binaries.push(bolted);
    }
    Ok(binaries)
}

/// The base: the binary named, or a build by the same command without a profile.
fn release(args: &PgoVerify, workshop: &Workshop, compiler: &Compiler) -> Result<PathBuf> {
    let binary = match &args.base {
        Some(binary) => binary.clone(),
        None => {
            let built = build::build(workshop, compiler, Kind::Release)?;
            let binary = workshop.release();
            build::adopt(&built, &binary, &built.made_from)?;
            binary
        }
    };
    Sections::of(&binary)?.expect_uninstrumented(&binary)?;
    if let (None, Some(made_from)) = (&args.base, fingerprint(&binary)?) {
        expect_current(&binary, &made_from, compiler)?;
    }
    Ok(binary)
}

fn setup(
    args: &PgoVerify,
    release: PathBuf,
    optimized: Vec<PathBuf>,
    facts: &Optimized,
) -> Result<Setup> {
    let mut trained: Vec<String> = Vec::new();
    for run in facts.profile.iter().flat_map(|profile| &profile.runs) {
        if !trained.contains(&run.case) {
            trained.push(run.case.clone());
        }
    }
    let known = cases(&args.from, &[])?.cases;
    let heldout: Vec<String> = match &args.heldout[..] {
        [] => known
            .iter()
            .map(|case| case.name.clone())
            .filter(|name| !trained.contains(name))
            .collect(),
        names => names.to_vec(),
    };
    if let Some(seen) = heldout.iter().find(|name| trained.contains(name)) {
        bail!("the profile was trained on {seen}, so it is not held out: remove it from --heldout");
    }
    if heldout.is_empty() {
        bail!("all cases were trained on: hold some out with `evmscope pgo train --cases ..`");
    }
    // A profile of another machine may be trained on cases that are not here.
    let here = |name: &String| known.iter().any(|case| case.name == *name);
    let training: Vec<_> = trained.into_iter().filter(here).collect();
    Ok(Setup {
        release,
        optimized,
        trained: training.len(),
        plan: Plan {
            case_dir: dir(&args.from),
            cases: training.into_iter().chain(heldout).collect(),
            modes: Mode::ALL.map(|mode| mode.name().to_owned()).into(),
            settings: Settings::default(),
            launches: args.launches as usize,
            pairs: args.pairs as usize,
            turns: Turns::Builds,
            calls: Calls::Warm,
        },
        threshold: THRESHOLD,
        simulate: !args.no_simulate,
    })
}

fn profile(facts: Optimized) -> ProfileFacts {
    let Optimized {
        missing,
        mismatched,
        limit,
        profile,
        ..
    } = facts;
    let (runs, coverage, hottest) = profile
        .map(|profile| (profile.runs, profile.coverage, profile.hottest))
        .unwrap_or_default();
    ProfileFacts {
        runs,
        coverage,
        hottest,
        missing,
        mismatched,
        limit,
    }
}

/// Hardware counters that are unavailable here, and simulated ones if the simulation failed.
fn unavailable(simulated: Option<&SimulateError>) -> Vec<evmscope_reports::run::Unavailable> {
    let probe = Probe::new(&Linux::new(None));
    let hardware = probe
        .unavailable
        .into_iter()
        .filter(|it| it.counter.source() == Source::Hardware);
    let simulated = simulated.map_or_else(Vec::new, SimulateError::unavailable);
    hardware.chain(simulated).collect()
}
