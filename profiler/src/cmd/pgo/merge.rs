//! `evmscope pgo merge`: merges profiles and refuses those of other programs.

use super::args::PgoDir;
use super::fingerprint;
use crate::builds::pgo::fingerprint::Fingerprint;
use crate::builds::pgo::profile::{self, Input, Profdata, ProfileError};
use crate::builds::pgo::train::Training;
use crate::builds::pgo::{Merged, Workshop, noted, put};
use crate::machine::toolchain::Compiler;
use crate::symbols::sections::Sections;
use anyhow::Result;
use clap::Args;
use evmscope_reports::pgo::{Coverage, Handlers};
use std::fmt::Write;
use std::path::PathBuf;

#[derive(Args)]
pub struct PgoMerge {
    #[command(flatten)]
    pub at: PgoDir,
    /// Profiles, raw or merged, of any machine [default: those of the training].
    #[arg(value_name = "FILE[=N]", value_parser = weighted_file)]
    pub files: Vec<(PathBuf, u32)>,
}

pub fn weight(text: &str) -> Result<(String, u32), String> {
    let pair = text.split_once('=').and_then(|(case, times)| {
        let times = times.parse().ok().filter(|times| *times > 0)?;
        Some((case.to_owned(), times))
    });
    pair.ok_or_else(|| "use CASE=N with a whole number from 1, such as snailtracer=2".to_owned())
}

/// Parses `FILE=N` or `FILE`, which has weight 1.
fn weighted_file(text: &str) -> Result<(PathBuf, u32), String> {
    match text.rsplit_once('=') {
        Some((path, times)) if times.chars().all(|c| c.is_ascii_digit()) => match times.parse() {
            Ok(times @ 1..) => Ok((path.into(), times)),
            _ => Err("a weight is a whole number from 1".to_owned()),
        },
        _ => Ok((text.into(), 1)),
    }
}

pub fn run(args: &PgoMerge) -> Result<String> {
    let compiler = Compiler::find()?;
    let profdata = Profdata::find(&compiler)?;
    let workshop = args.at.workshop()?;
    let plan = match &args.files[..] {
        [] => Plan::of_training(&workshop)?,
        files => Plan::of_files(files)?,
    };

    let binary = workshop.instrumented();
    let instrumented = match binary.is_file() {
        true => {
            Sections::of(&binary)?.expect_instrumented(&binary)?;
            Some(profdata.instrumented_functions(&binary)?)
        }
        false => None,
    };
    let to = workshop.profile();
    let (functions, profile) = profdata.merge(&plan.inputs, instrumented.as_ref(), &to)?;
    let merged = Merged {
        // A profile that matches the binary has the binary's sources.
        made_from: match instrumented {
            Some(_) => fingerprint(&binary)?,
            None => plan.made_from,
        },
        runs: plan.runs,
        coverage: profile::coverage(&functions),
        hottest: profile::hottest(&functions, HOTTEST),
    };
    put(profile, &to, &merged)?;

    let mut text = coverage(&merged.coverage);
    // Writing to a string does not fail.
    if !binary.is_file() {
        let _ = writeln!(
            text,
            "note: there is no instrumented binary (`evmscope pgo build`), so no profile was checked against it"
        );
    }
    let _ = writeln!(
        text,
        "merged {} profiles: {}",
        plan.inputs.len(),
        to.display()
    );
    Ok(text)
}

/// Hottest functions to keep in the note.
const HOTTEST: usize = 30;

/// The profiles to merge, and what is known about them.
struct Plan {
    inputs: Vec<Input>,
    made_from: Option<Fingerprint>,
    runs: Vec<evmscope_reports::pgo::Trained>,
}

impl Plan {
    fn of_training(workshop: &Workshop) -> Result<Plan> {
        let raw = workshop.raw();
        let Some(training) = noted::<Training>(&raw)? else {
            return Err(ProfileError::Nothing(raw).into());
        };
        let inputs = training.runs.iter().map(|run| Input {
            path: Training::raw(&raw, run),
            weight: run.weight,
        });
        Ok(Plan {
            inputs: inputs.collect(),
            made_from: None,
            runs: training.runs,
        })
    }

    /// Given files. Merged ones may come with a note; all notes must agree.
    fn of_files(files: &[(std::path::PathBuf, u32)]) -> Result<Plan> {
        let mut made_from: Option<Fingerprint> = None;
        let mut runs = Vec::new();
        for (path, weight) in files {
            let Some(merged) = noted::<Merged>(path)? else {
                continue;
            };
            if let Some(other) = merged.made_from {
                match &made_from {
                    Some(first) if *first != other => anyhow::bail!(
                        "{} was built from other sources or flags or by another compiler than the files before it",
                        path.display()
                    ),
                    _ => made_from = Some(other),
                }
            }
            runs.extend(merged.runs.into_iter().map(|mut run| {
                run.weight *= weight;
                run
            }));
        }
        let inputs = files.iter().map(|(path, weight)| Input {
            path: path.clone(),
            weight: *weight,
        });
        Ok(Plan {
            inputs: inputs.collect(),
            made_from,
            runs,
        })
    }
}

fn coverage(coverage: &Coverage) -> String {
    let Coverage {
        functions,
        functions_run,
        blocks,
        blocks_run,
        handlers,
    } = coverage;
    let mut text = format!(
        "the profile covers {functions_run} of {functions} functions and {blocks_run} of {blocks} blocks\n"
    );
    for Handlers {
        mode,
        all,
        untrained,
    } in handlers.iter().filter(|handlers| handlers.all > 0)
    {
        let ran = all - untrained.len();
        let _ = write!(text, "{mode}: {ran} of {all} opcodes' handlers ran");
        text += &match &untrained[..] {
            [] => "\n".to_owned(),
            untrained => format!("; not: {}\n", untrained.join(" ")),
        };
    }
    text
}
