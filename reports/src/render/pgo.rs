//! The model of the evaluation of a profile-guided build: texts and tables.

use super::report::{self, Notes};
use super::table::{Bar, Cell, NOTHING, Section, Table, Tone};
use crate::format;
use crate::pgo::{Comparison, Mean, ModeMeans, Outcome, PgoReport, Proof, Sizes};

/// The contents in reading order.
pub(super) struct Document {
    pub(super) headline: String,
    /// One line per build and mode.
    pub(super) verdicts: Vec<(String, Tone)>,
    pub(super) parts: Vec<Part>,
    pub(super) notes: Notes,
}

/// A table under its title.
pub(super) struct Part {
    pub(super) title: String,
    pub(super) intro: Option<String>,
    pub(super) table: Table,
}

impl Document {
    pub(super) fn new(report: &PgoReport) -> Document {
        let proofs = proofs(report);
        let mut parts: Vec<Part> = Vec::new();
        for (name, proof) in &proofs {
            parts.push(Part {
                title: format!("{name}: held-out cases"),
                intro: Some(
                    "Time relative to the release build. The profile was not trained on these cases."
                        .to_owned(),
                ),
                table: comparisons(&proof.heldout, &proof.means, |means| means.heldout),
            });
            if !proof.training.is_empty() {
                parts.push(Part {
                    title: format!("{name}: training cases"),
                    intro: None,
                    table: comparisons(&proof.training, &proof.means, |means| means.training),
                });
            }
            parts.extend(changed(name, proof));
        }
        parts.push(sizes(report, &proofs));
        parts.push(trained(report));
        parts.push(hottest(report));
        Document {
            headline: headline(&report.proof),
            verdicts: proofs
                .iter()
                .flat_map(|(name, proof)| verdicts(name, proof))
                .collect(),
            parts,
            notes: notes(report),
        }
    }
}

fn proofs(report: &PgoReport) -> Vec<(&'static str, &Proof)> {
    let bolt = report.bolt.as_ref().map(|proof| ("PGO and BOLT", proof));
    std::iter::once(("PGO", &report.proof))
        .chain(bolt)
        .collect()
}

/// The effect of the profile, in one line.
fn headline(proof: &Proof) -> String {
    let of = |wanted: Outcome| -> Vec<&str> {
        let modes = proof
            .verdicts
            .iter()
            .filter(|(_, outcome)| **outcome == wanted);
        modes.map(|(mode, _)| mode.as_str()).collect()
    };
    let said = [
        (Outcome::Helps, "helps"),
        (Outcome::Hurts, "hurts"),
        (Outcome::NoEffect, "has no effect on"),
        (Outcome::Undecided, "is undecided for"),
    ];
    let parts = said.iter().filter_map(|(outcome, words)| {
        let modes = of(*outcome);
        (!modes.is_empty()).then(|| format!("{words} {}", modes.join(" and ")))
    });
    format!("PGO {}.", parts.collect::<Vec<_>>().join(", "))
}

fn verdicts<'a>(name: &'a str, proof: &'a Proof) -> impl Iterator<Item = (String, Tone)> + 'a {
    proof.means.iter().filter_map(move |means| {
        let outcome = *proof.verdicts.get(&means.mode)?;
        let heldout = means
            .heldout
            .as_ref()
            .map_or("no held-out cases".to_owned(), |mean| {
                let n = proof
                    .heldout
                    .iter()
                    .filter(|it| it.mode == means.mode)
                    .count();
                format!(
                    "{} {} on {}",
                    format::change(mean.median),
                    interval(mean),
                    format::count(n as u64, "held-out case")
                )
            });
        let instructions = means
            .heldout_instructions
            .map(|ratio| format!("; simulated instructions {}", format::change(ratio)));
        Some((
            format!(
                "{name}, {}: {}: {heldout}{}",
                means.mode,
                outcome.words(),
                instructions.unwrap_or_default()
            ),
            tone(outcome),
        ))
    })
}

fn tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Helps => Tone::Good,
        Outcome::Hurts => Tone::Bad,
        Outcome::NoEffect => Tone::Plain,
        Outcome::Undecided => Tone::Unsure,
    }
}

fn interval(mean: &Mean) -> String {
    format!(
        "[{}, {}]",
        format::change_digits(mean.low),
        format::change_digits(mean.high)
    )
}

fn comparisons(
    comparisons: &[Comparison],
    means: &[ModeMeans],
    mean: impl Fn(&ModeMeans) -> Option<Mean>,
) -> Table {
    let of_mode = |means: &ModeMeans| {
        let rows = comparisons
            .iter()
            .filter(|it| it.mode == means.mode)
            .map(row);
        rows.chain(mean(means).map(|mean| mean_row(&means.mode, &mean)))
            .collect::<Vec<_>>()
    };
    let header = [
        "case",
        "mode",
        "release",
        "optimised",
        "change",
        "95 % interval",
        "instructions",
    ];
    Table {
        header: header.map(str::to_owned).into(),
        section_header: None,
        sections: means
            .iter()
            .map(|means| Section {
                title: None,
                rows: of_mode(means),
            })
            .collect(),
        note: None,
    }
}

fn row(comparison: &Comparison) -> Vec<Cell> {
    let Comparison {
        case,
        mode,
        median,
        low,
        high,
        instructions,
        release,
        optimized,
        ..
    } = comparison;
    let tone = if *high < 1.0 {
        Tone::Good
    } else if *low > 1.0 {
        Tone::Bad
    } else {
        Tone::Plain
    };
    vec![
        Cell::new(case),
        Cell::new(mode),
        Cell::figure(release),
        Cell::figure(optimized),
        Cell::new(format::change(*median))
            .tone(tone)
            .bar(Bar::Change(*median)),
        Cell::new(format!(
            "[{}, {}]",
            format::change_digits(*low),
            format::change_digits(*high)
        )),
        instructions.map_or_else(
            || Cell::faint(NOTHING),
            |ratio| Cell::new(format::change(ratio)).key(ratio),
        ),
    ]
}

fn mean_row(mode: &str, mean: &Mean) -> Vec<Cell> {
    vec![
        Cell::new("geometric mean"),
        Cell::new(mode),
        Cell::default(),
        Cell::default(),
        Cell::new(format::change(mean.median))
            .tone(mean.verdict.into())
            .bar(Bar::Change(mean.median)),
        Cell::new(interval(mean)),
        Cell::default(),
    ]
}

/// Functions that changed in cases that became slower.
fn changed(name: &str, proof: &Proof) -> Option<Part> {
    let slower = proof
        .heldout
        .iter()
        .chain(&proof.training)
        .filter(|it| !it.changed.is_empty());
    let rows: Vec<_> = slower
        .flat_map(|it| {
            it.changed.iter().map(|function| {
                let change = |ratio: f64| Cell::new(format::change(ratio)).key(ratio);
                vec![
                    Cell::new(&function.function),
                    Cell::new(&it.case),
                    Cell::new(&it.mode),
                    Cell::new(format::quantity(function.release as f64, "")),
                    Cell::new(format::quantity(function.optimized as f64, "")),
                    match function.release {
                        0 => Cell::new("new"),
                        before => change(function.optimized as f64 / before as f64),
                    },
                ]
            })
        })
        .collect();
    let header = ["function", "case", "mode", "release", "optimised", "change"];
    (!rows.is_empty()).then(|| Part {
        title: format!("{name}: functions that changed in slower cases"),
        intro: Some(
            "Simulated instructions, callees excluded; inlined code counts toward the function that contains it."
                .to_owned(),
        ),
        table: Table::plain(header, rows),
    })
}

fn sizes(report: &PgoReport, proofs: &[(&str, &Proof)]) -> Part {
    let all = std::iter::once(("release", &report.release))
        .chain(proofs.iter().map(|(name, proof)| (*name, &proof.optimized)));
    let rows = all.map(
        |(
            name,
            Sizes {
                file,
                code,
                hot,
                cold,
                ..
            },
        )| {
            let bytes = |bytes: u64| Cell::new(format::bytes(bytes)).key(bytes as f64);
            // The release build is linked without separate sections for hot and cold code.
            let section = |size: u64| match name {
                "release" => Cell::faint(NOTHING),
                _ => bytes(size),
            };
            vec![
                Cell::new(name),
                bytes(*code),
                section(*hot),
                section(*cold),
                bytes(*file),
            ]
        },
    );
    Part {
        title: "Code".to_owned(),
        intro: None,
        table: Table::plain(["build", "code", "hot", "cold", "file"], rows),
    }
}

fn trained(report: &PgoReport) -> Part {
    let profile = &report.profile;
    let coverage = &profile.coverage;
    let rows = profile.runs.iter().map(|run| {
        vec![
            Cell::new(&run.case),
            Cell::new(&run.mode),
            Cell::new(format::thousands(run.calls)).key(run.calls as f64),
            Cell::new(run.weight.to_string()).key(f64::from(run.weight)),
        ]
    });
    let handlers: String = coverage
        .handlers
        .iter()
        .map(|it| {
            format!(
                ", {} of {} {} handlers",
                it.all.saturating_sub(it.untrained.len()),
                it.all,
                it.mode
            )
        })
        .collect();
    Part {
        title: "The profile".to_owned(),
        intro: Some(format!(
            "Covers {} of {} functions, {} of {} blocks{handlers}; {} functions are missing from it and {} differ \
             ({} allowed).",
            format::thousands(coverage.functions_run as u64),
            format::thousands(coverage.functions as u64),
            format::thousands(coverage.blocks_run as u64),
            format::thousands(coverage.blocks as u64),
            profile.missing,
            profile.mismatched,
            format::percent(profile.limit),
        )),
        table: Table::plain(["trained on", "mode", "calls", "weight"], rows),
    }
}

fn hottest(report: &PgoReport) -> Part {
    let rows = report.profile.hottest.iter().map(|hot| {
        let count = hot.count as f64;
        vec![
            Cell::new(&hot.function),
            Cell::new(format::quantity(count, "")).key(count),
        ]
    });
    Part {
        title: "Hottest functions of the profile".to_owned(),
        intro: Some("By executions of the hottest block.".to_owned()),
        table: Table::plain(["function", "executions"], rows),
    }
}

fn notes(report: &PgoReport) -> Notes {
    let legend = [
        format!(
            "{} launches of each build, {} pairs per case and mode in each; [low, high] 95 % interval over launches.",
            report.launches, report.pairs
        ),
        format!(
            "helps, hurts: by more than {}, and the interval excludes 0; no effect: the interval lies within that. If \
             times are inconclusive, simulated instructions may decide.",
            format::percent(report.threshold)
        ),
        "instructions: counted on callgrind's model of a CPU, not on this one; exact.".to_owned(),
    ];
    Notes {
        legend: legend.into(),
        unavailable: report::unavailable(&report.unavailable),
        rig: report::rig(&report.created, &report.rig),
    }
}
