//! `evmscope pgo merge`: many profiles to one, each refused where it does not belong to the program.

use super::fingerprint;
use crate::cli::PgoMerge;
use crate::pgo::fingerprint::Fingerprint;
use crate::pgo::profile::{self, Input, Profdata, ProfileError};
use crate::pgo::sections::Sections;
use crate::pgo::toolchain::Compiler;
use crate::pgo::train::Training;
use crate::pgo::{Merged, Workshop, note, noted};
use anyhow::Result;
use evmscope_reports::pgo::{Coverage, Handlers};
use std::fmt::Write;

pub fn run(args: &PgoMerge) -> Result<String> {
    let compiler = Compiler::find()?;
    let profdata = Profdata::find(&compiler)?;
    let workshop = Workshop::open(args.at.dir.as_deref())?;
    let plan = match &args.files[..] {
        [] => Plan::of_training(&workshop)?,
        files => Plan::of_files(files)?,
    };

    let binary = workshop.instrumented();
    let roll = match binary.is_file() {
        true => {
            Sections::of(&binary)?.expect_instrumented(&binary)?;
            Some(profdata.roll(&binary)?)
        }
        false => None,
    };
    let to = workshop.profile();
    let functions = profdata.merge(&plan.inputs, roll.as_ref(), &to)?;
    let merged = Merged {
        // Held against the binary, a profile is of the sources that the binary is of.
        made_from: match roll {
            Some(_) => fingerprint(&binary)?,
            None => plan.made_from,
        },
        runs: plan.runs,
        coverage: profile::coverage(&functions),
        hottest: profile::hottest(&functions, HOTTEST),
    };
    note(&to, &merged)?;

    let mut text = coverage(&merged.coverage);
    // Writing to a string does not fail.
    if !binary.is_file() {
        let _ = writeln!(
            text,
            "note: without an instrumented binary (`evmscope pgo build`) no profile was held against the program"
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

/// Hot functions to remember.
const HOTTEST: usize = 30;

/// What to merge, and what is known of it.
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
            path: Training::raw(workshop, run),
            weight: run.weight,
        });
        Ok(Plan {
            inputs: inputs.collect(),
            made_from: None,
            runs: training.runs,
        })
    }

    /// Files of others. Merged ones may have a note with them; all that have must agree.
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
                        "{} was made from other sources, flags or with another compiler than the files before it",
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
