//! The model of a whole report: tables and the texts around them, in reading order.

use super::bench;
use super::counters::{self, Comparison};
use super::marks;
use super::memory;
use super::opcodes;
use super::table::{Reading, Table, Tone};
use super::verdict::{headline, undecided, verdict};
use crate::counter::{Counter, Source};
use crate::format;
use crate::opcodes::Answers;
use crate::run::{Rig, Run, Unavailable};

/// A comparison of two modes, ready to be laid out.
pub(super) struct Report {
    pub(super) headline: String,
    /// Times of all modes, if there are several cases or more than two modes.
    pub(super) overview: Option<Table>,
    pub(super) cases: Vec<CaseReport>,
    pub(super) notes: Notes,
}

/// One case of a report.
pub(super) struct CaseReport {
    pub(super) name: String,
    /// The name, with the status unless that is success.
    pub(super) title: String,
    pub(super) verdict: String,
    pub(super) tone: Tone,
    /// Status, fork, gas and opcodes of the verified result.
    pub(super) facts: Option<String>,
    pub(super) table: Table,
    /// Counters whose change cannot matter.
    pub(super) immaterial: Vec<Counter>,
    pub(super) tiles: Vec<Tile>,
    /// The cost of each opcode, if sampled.
    pub(super) opcodes: Option<Table>,
    /// The costliest opcodes, in fewer columns.
    pub(super) costliest: Option<Table>,
    /// Memory use, if counted.
    pub(super) memory: Option<Table>,
    /// Cost of translating its contracts, if measured.
    pub(super) decoding: Option<Table>,
}

/// What a renderer has room for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// The costliest opcodes.
    Some,
    /// Every opcode.
    All,
}

impl CaseReport {
    /// The tables below the main one, with their titles, in the order of every renderer.
    pub(super) fn sections(&self, room: Room) -> impl Iterator<Item = (&'static str, &Table)> {
        let opcodes = match room {
            Room::Some => &self.costliest,
            Room::All => &self.opcodes,
        };
        let sections = [
            ("Opcodes", opcodes),
            ("Memory", &self.memory),
            ("Decoding", &self.decoding),
        ];
        let sections = sections.into_iter();
        sections.filter_map(|(title, table)| Some((title, table.as_ref()?)))
    }
}

/// One of the main figures.
pub(super) struct Tile {
    pub(super) label: String,
    pub(super) value: String,
    pub(super) note: String,
    pub(super) tone: Tone,
}

/// How to read the figures, and how they were made.
pub(super) struct Notes {
    pub(super) legend: Vec<String>,
    /// Pairs of a reason and the titles of the counters that are unavailable for it.
    pub(super) unavailable: Vec<(String, String)>,
    pub(super) rig: Vec<(&'static str, String)>,
}

impl Report {
    pub(super) fn new(run: &Run, base: &str, head: &str) -> Self {
        let comparison = Comparison { run, base, head };
        let answers = Answers::of(run, base, head);
        let cases: Vec<_> = comparison
            .cases()
            .into_iter()
            .map(|c| case(comparison, c, &answers))
            .collect();
        let more_to_see = cases.len() > 1 || run.modes().len() > 2;
        Self {
            headline: headline(run, base, head),
            overview: more_to_see.then(|| bench::table(run)),
            notes: Notes::new(run, &cases),
            cases,
        }
    }
}

fn case(comparison: Comparison<'_>, name: &str, answers: &Answers<'_>) -> CaseReport {
    let Comparison { run, base, head } = comparison;
    let ratio = run.ratio(name, base, head, Counter::CpuTime);
    CaseReport {
        name: name.to_owned(),
        title: run.title(name),
        verdict: verdict(run, name, base, head),
        tone: ratio.map_or(Tone::Faint, |ratio| Tone::from(ratio.verdict)),
        facts: facts(run, name, base).or_else(|| facts(run, name, head)),
        table: comparison.table(name),
        immaterial: comparison.immaterial(name),
        tiles: tiles(comparison, name),
        opcodes: opcodes::every(run, name, [base, head], answers),
        costliest: opcodes::costliest(run, name, [base, head], answers),
        memory: memory::case(run, name, base, head),
        decoding: memory::decoding(run, name),
    }
}

/// Time, instructions (hardware if available, else simulated), and gas per second.
fn tiles(comparison: Comparison<'_>, case: &str) -> Vec<Tile> {
    let Comparison { run, base, head } = comparison;
    let change = |counter: Counter| {
        let ratio = run.ratio(case, base, head, counter)?;
        let (value, interval) = Reading::Change.of(ratio);
        let title = counter.title();
        Some(Tile {
            label: match counter.source() {
                Source::Simulated => format!("{title}, simulated"),
                _ => title.to_owned(),
            },
            note: match counter.source().deterministic() {
                true => interval,
                false => format!("{interval} %, 95 % interval"),
            },
            value,
            tone: Tone::from(ratio.verdict),
        })
    };
    let speed = |mode: &str| {
        let time = run.measurement(case, mode, Counter::CpuTime)?.median;
        let gas = run.result(case, mode)?.gas_used as f64;
        (gas > 0.0 && time > 0.0).then(|| format::gas_per_second(gas / time * 1e3))
    };
    let throughput = || {
        Some(Tile {
            label: format!("gas / second, {head}"),
            value: speed(head)?,
            note: format!("{base}: {}", speed(base)?),
            tone: Tone::Plain,
        })
    };
    let instructions =
        || change(Counter::Instructions).or_else(|| change(Counter::SimInstructions));
    [change(Counter::CpuTime), instructions(), throughput()]
        .into_iter()
        .flatten()
        .collect()
}

fn facts(run: &Run, case: &str, mode: &str) -> Option<String> {
    let result = run.result(case, mode)?;
    let opcodes = run
        .opcodes(case, mode)
        .map(|n| format!(", {}", format::count(n, "opcode")));
    Some(format!(
        "{} at {}, {} gas{}; verified against {}",
        result.status,
        result.fork,
        format::thousands(result.gas_used),
        opcodes.unwrap_or_default(),
        result.expected,
    ))
}

impl Notes {
    /// The notes below `cases`; below a bench table if they are empty.
    pub(super) fn new(run: &Run, cases: &[CaseReport]) -> Self {
        Self {
            legend: legend(run, cases),
            unavailable: unavailable(&run.unavailable),
            rig: rigs(run),
        }
    }
}

/// What the signs and words of the tables mean: settings, figures, ratios, then section by section.
fn legend(run: &Run, cases: &[CaseReport]) -> Vec<String> {
    let mut legend = of_settings(run);
    legend.push("± median absolute deviation. All figures are per call of the case.".to_owned());
    legend.extend(marks::legend(run.measurements.iter()));
    legend.extend(undecided(run));
    legend.extend(of_ratios(run));
    let immaterial = cases.iter().flat_map(|case| &case.immaterial);
    legend.extend(counters::legend(immaterial.copied()));
    if cases.iter().any(|case| case.opcodes.is_some()) {
        legend.push(opcodes::legend(run));
    }
    legend.extend(of_sections(run, cases));
    legend
}

fn of_settings(run: &Run) -> Vec<String> {
    let Some(settings) = &run.settings else {
        return Vec::new();
    };
    let mut legend = vec![format!(
        "keccak memo: {}; decoded bytes per bytecode byte: at most {}.",
        settings.keccak_memo,
        format::budget(settings.budget, settings.budget_floor)
    )];
    if settings.cold {
        legend.push(
            "cold: each call is the first of its interpreter, with nothing decoded or memoised."
                .to_owned(),
        );
    }
    legend
}

fn of_ratios(run: &Run) -> Vec<String> {
    let Some(ratio) = run.ratios.first() else {
        return Vec::new();
    };
    let threshold = run.ratios.iter().find_map(|ratio| ratio.threshold);
    let within = threshold.map_or_else(|| "the threshold".to_owned(), format::percent);
    let launches = run.measurements.iter().map(|it| it.launches.len());
    let interval = match launches.max() {
        None | Some(0) => {
            "[low, high] 95 % bootstrap interval of the median of the paired ratios, in one \
             process: another one may differ by more."
                .to_owned()
        }
        Some(launches) => format!(
            "[low, high] 95 % interval of the trimmed mean of the medians of {launches} launches."
        ),
    };
    vec![
        format!(
            "x times as fast as the base, {}; below 1 is slower.",
            ratio.base
        ),
        interval,
        format!("≈ unchanged: the interval lies within {within}."),
        "? undecided: the interval is too wide; more pairs would narrow it.".to_owned(),
    ]
}

fn of_sections(run: &Run, cases: &[CaseReport]) -> impl Iterator<Item = String> {
    let simulated = Some(Source::Simulated.name());
    let mut sections = cases.iter().flat_map(|case| &case.table.sections);
    let mut costs = run.opcode_costs.iter();
    let legend = [
        (
            cases.iter().any(|case| case.opcodes.is_some()),
            "opcodes: share of the samples, and CPU time per execution. Callees count toward the opcode. Elsewhere: \
             code between opcodes, such as entering and leaving frames; if its shares in the modes differ by 10 % of \
             the samples or more, opcodes are not compared.",
        ),
        (
            !cases.is_empty() && costs.any(|cost| cost.sim_instructions.is_some()),
            "simulated instr.: per execution, on callgrind's model of a CPU; first mode → second mode.",
        ),
        (
            !run.memory.is_empty(),
            "memory: counted by the allocator in separate calls, excluding the stack (paged in on demand) and the \
             state before the call. Decoded: stream, maps and counters.",
        ),
        (
            !run.decoding.is_empty(),
            "decoding: every entry point at once, without a budget and within it; repeated: code tiled to the deployment \
             limit.",
        ),
        (
            sections.any(|section| section.title == simulated),
            "simulated: counted on callgrind's model of a CPU, not on this one; exact.",
        ),
    ];
    let shown = legend.into_iter().filter(|(has, _)| *has);
    shown.map(|(_, text)| text.to_owned())
}

/// The unavailable counters, grouped by reason in the order of first appearance.
pub(super) fn unavailable(all: &[Unavailable]) -> Vec<(String, String)> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for missing in all {
        let title = missing.counter.title();
        match groups
            .iter_mut()
            .find(|(reason, _)| *reason == missing.reason)
        {
            Some((_, titles)) => titles.push(title),
            None => groups.push((missing.reason.clone(), vec![title])),
        }
    }
    groups
        .into_iter()
        .map(|(reason, titles)| (reason, titles.join(", ")))
        .collect()
}

/// The rig; for a merged run the rig of each part after its cases.
fn rigs(run: &Run) -> Vec<(&'static str, String)> {
    let mut engines: Vec<&str> = Vec::new();
    for engine in &run.engines {
        if !engines.contains(&engine.version.as_str()) {
            engines.push(&engine.version);
        }
    }
    let engines = (!engines.is_empty()).then(|| ("engines", engines.join("; ")));
    if run.parts.is_empty() {
        return rig(&run.created, &run.rig)
            .into_iter()
            .chain(engines)
            .collect();
    }
    let parts = run.parts.iter().flat_map(|part| {
        let cases = ("cases", part.cases.join(", "));
        std::iter::once(cases).chain(rig(&part.created, &part.rig))
    });
    parts.chain(engines).collect()
}

pub(super) fn rig(created: &str, rig: &Rig) -> Vec<(&'static str, String)> {
    let machine = if rig.virtualized {
        "virtual machine"
    } else {
        "no hypervisor"
    };
    let unknown = || "not stated by the kernel".to_owned();
    let version = match &rig.commit {
        Some(commit) => format!("{}, commit {commit}", rig.version),
        None => rig.version.clone(),
    };
    let cores = rig.cores.iter().map(|cores| ("cores", cores.clone()));
    let cpu = format!("{}, {} usable, {}, {machine}", rig.cpu, rig.cpus, rig.arch);
    let mut rows = vec![("date", created.to_owned()), ("CPU", cpu)];
    rows.extend(cores);
    rows.extend([
        ("governor", rig.governor.clone().unwrap_or_else(unknown)),
        ("memory", format::bytes(rig.memory)),
        ("kernel", rig.kernel.clone()),
        ("compiler", rig.rustc.clone()),
        ("build", rig.build.clone()),
        ("version", version),
        ("binary", rig.binary.clone()),
    ]);
    rows
}
