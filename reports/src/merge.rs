//! Merges runs of several shards or machines into one. Each case keeps the rig it was measured on. A case in two
//! runs is an error, since neither result is preferable.

use crate::run::{Part, Rig, Run};

/// Why runs cannot be merged.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// No runs.
    #[error("no runs to merge")]
    Nothing,
    /// Two runs have the same case.
    #[error("case {case} is in {first} and in {second}: remove it from one, or run other shards")]
    Twice {
        /// The case.
        case: String,
        /// The first run that has it.
        first: String,
        /// The second run that has it.
        second: String,
    },
    /// The interpreter's settings differ.
    #[error(
        "{first} and {second} were made with different settings (memo, budget, cold) and cannot be merged"
    )]
    Settings {
        /// The first run.
        first: String,
        /// The run that differs from it.
        second: String,
    },
}

/// Merges runs, given with their names.
///
/// # Errors
/// No runs, a case in two of them, or different settings of the interpreter.
pub fn merge(runs: Vec<(String, Run)>) -> Result<Run, MergeError> {
    let mut taken: Vec<(String, String)> = Vec::new();
    for (name, run) in &runs {
        for case in run.cases() {
            if let Some((_, first)) = taken.iter().find(|(known, _)| known == case) {
                return Err(MergeError::Twice {
                    case: case.to_owned(),
                    first: first.clone(),
                    second: name.clone(),
                });
            }
            taken.push((case.to_owned(), name.clone()));
        }
    }
    let mut rest = runs.into_iter();
    let (first, mut all) = rest.next().ok_or(MergeError::Nothing)?;
    all.parts = parts(&all);
    for (name, run) in rest {
        if run.settings != all.settings {
            return Err(MergeError::Settings {
                first,
                second: name,
            });
        }
        all.parts.extend(parts(&run));
        add(&mut all, run);
    }
    all.rig = together(&all.parts);
    Ok(all)
}

/// Appends every list of a run.
fn add(all: &mut Run, run: Run) {
    // Destructured, so that a new field cannot be forgotten here.
    let Run {
        schema: _,
        created,
        rig: _,
        parts: _,
        settings: _,
        engines,
        results,
        measurements,
        ratios,
        unavailable,
        profiles,
        opcode_costs,
        memory,
        decoding,
        timing_seconds,
    } = run;
    if created < all.created {
        all.created = created;
    }
    // Machines may have different versions of an engine; all are kept.
    for engine in engines {
        if !all.engines.contains(&engine) {
            all.engines.push(engine);
        }
    }
    all.results.extend(results);
    all.measurements.extend(measurements);
    all.ratios.extend(ratios);
    all.profiles.extend(profiles);
    all.opcode_costs.extend(opcode_costs);
    all.memory.extend(memory);
    all.decoding.extend(decoding);
    if let Some(seconds) = timing_seconds {
        *all.timing_seconds.get_or_insert(0.0) += seconds;
    }
    for missing in unavailable {
        if !all.unavailable.contains(&missing) {
            all.unavailable.push(missing);
        }
    }
}

fn parts(run: &Run) -> Vec<Part> {
    if !run.parts.is_empty() {
        return run.parts.clone();
    }
    vec![Part {
        created: run.created.clone(),
        rig: run.rig.clone(),
        cases: run.cases().into_iter().map(str::to_owned).collect(),
    }]
}

/// One rig for all parts: differing values are joined by `; `, so that it equals a single machine's rig only if all
/// parts have that rig.
fn together(parts: &[Part]) -> Rig {
    let rigs = || parts.iter().map(|part| &part.rig);
    let joined = |figure: fn(&Rig) -> &str| {
        let mut seen: Vec<&str> = Vec::new();
        for text in rigs().map(figure) {
            if !seen.contains(&text) {
                seen.push(text);
            }
        }
        seen.join("; ")
    };
    let optional = |figure: fn(&Rig) -> Option<&str>| {
        let mut seen: Vec<&str> = Vec::new();
        for text in rigs().map(|rig| figure(rig).unwrap_or("not stated")) {
            if !seen.contains(&text) {
                seen.push(text);
            }
        }
        (seen != ["not stated"]).then(|| seen.join("; "))
    };
    Rig {
        cpu: joined(|rig| &rig.cpu),
        cpus: rigs().map(|rig| rig.cpus).min().unwrap_or_default(),
        cores: optional(|rig| rig.cores.as_deref()),
        arch: joined(|rig| &rig.arch),
        kernel: joined(|rig| &rig.kernel),
        governor: optional(|rig| rig.governor.as_deref()),
        virtualized: rigs().any(|rig| rig.virtualized),
        memory: rigs().map(|rig| rig.memory).min().unwrap_or_default(),
        rustc: joined(|rig| &rig.rustc),
        build: joined(|rig| &rig.build),
        version: joined(|rig| &rig.version),
        commit: optional(|rig| rig.commit.as_deref()),
        binary: joined(|rig| &rig.binary),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter::Counter;
    use crate::run::{Engine, Measurement, Settings};

    fn run(cpu: &str, created: &str, cases: &[&str]) -> Run {
        let measured = cases.iter().map(|case| {
            Measurement::new(*case, "advanced", Counter::CpuTime, vec![1.0, 2.0]).unwrap()
        });
        Run {
            created: created.to_owned(),
            rig: Rig {
                cpu: cpu.to_owned(),
                cpus: 4,
                ..Rig::default()
            },
            measurements: measured.collect(),
            ..Run::default()
        }
    }

    fn named(runs: Vec<Run>) -> Vec<(String, Run)> {
        let names = ["one.json", "two.json", "three.json"].map(str::to_owned);
        names.into_iter().zip(runs).collect()
    }

    #[test]
    fn two_versions_of_an_engine_are_both_kept() {
        let with = |version: &str, case: &str| {
            let mut run = run("A", "2026-11-22T10:00:00Z", &[case]);
            for (name, version) in [("advanced", "evmscope 0.1.0"), ("revm", version)] {
                run.engines.push(Engine {
                    name: name.to_owned(),
                    version: version.to_owned(),
                });
            }
            run
        };
        let shards = [("revm 43.0.3", "empty"), ("revm 44.0.0", "storage")];
        let merged = merge(named(shards.map(|(v, case)| with(v, case)).into())).unwrap();
        let versions: Vec<_> = merged
            .engines
            .iter()
            .map(|it| it.version.as_str())
            .collect();
        assert_eq!(versions, ["evmscope 0.1.0", "revm 43.0.3", "revm 44.0.0"]);
    }

    #[test]
    fn every_case_keeps_its_rig() {
        let shards = named(vec![
            run("A", "2026-11-22T10:00:00Z", &["snailtracer", "empty"]),
            run("B", "2026-11-22T09:00:00Z", &["storage"]),
        ]);
        let merged = merge(shards).unwrap();
        assert_eq!(merged.cases(), ["snailtracer", "empty", "storage"]);
        assert_eq!(merged.created, "2026-11-22T09:00:00Z");
        assert_eq!(merged.rig.cpu, "A; B");
        assert_eq!(merged.rig_of("empty").cpu, "A");
        assert_eq!(merged.rig_of("storage").cpu, "B");
        // A merged run can be merged again.
        let more = named(vec![merged, run("A", "2026-11-22T11:00:00Z", &["memory"])]);
        let merged = merge(more).unwrap();
        assert_eq!(merged.parts.len(), 3);
        assert_eq!(merged.rig.cpu, "A; B");
        assert_eq!(merged.rig_of("storage").cpu, "B");
    }

    #[test]
    fn shards_of_one_machine_keep_its_rig() {
        let one = run("A", "", &["empty"]);
        let rig = one.rig.clone();
        let merged = merge(named(vec![one, run("A", "", &["storage"])])).unwrap();
        assert_eq!(merged.rig, rig);
    }

    #[test]
    fn duplicate_cases_and_different_settings_are_refused() {
        let twice = named(vec![run("A", "", &["empty"]), run("A", "", &["empty"])]);
        assert_eq!(
            merge(twice).unwrap_err().to_string(),
            "case empty is in one.json and in two.json: remove it from one, or run other shards"
        );
        let mut cold = run("A", "", &["storage"]);
        cold.settings = Some(Settings {
            keccak_memo: "off".to_owned(),
            budget: 4.0,
            budget_floor: 16_384,
            cold: true,
        });
        let mixed = named(vec![run("A", "", &["empty"]), cold]);
        assert!(matches!(merge(mixed), Err(MergeError::Settings { .. })));
        assert_eq!(merge(Vec::new()), Err(MergeError::Nothing));
    }
}
