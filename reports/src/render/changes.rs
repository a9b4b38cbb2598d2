//! The model of a diff of two runs: texts and tables in reading order.

mod headline;
mod notes;

use super::counters;
use super::marks;
use super::report::rig;
use super::table::{Bar, Cell, NOTHING, Table, Tone};
use crate::change::{Change, Changes, CounterChange, VERDICT_COUNTER};
use crate::counter::Counter;
use crate::diff::Delta;
use crate::format;
use crate::run::{Run, Verdict};
use crate::stats::PairedRatio;

/// Most opcodes per case and mode in the table.
const OPCODES: usize = 5;

/// A diff, ready to be laid out.
pub(super) struct Diff {
    pub(super) headline: String,
    pub(super) tone: Tone,
    /// The number of cases by verdict.
    pub(super) count: String,
    /// One row per case and mode.
    pub(super) overview: Table,
    pub(super) noise: String,
    pub(super) legend: Vec<String>,
    /// What a word in the table of all counters means.
    pub(super) immaterial: Option<String>,
    /// Titled tables, folded where the format supports it.
    pub(super) details: Vec<(&'static str, Table)>,
}

impl Diff {
    pub(super) fn new(changes: &Changes) -> Self {
        let (headline, tone) = headline::headline(changes);
        let details = [
            ("opcodes that changed most", opcodes(changes)),
            ("all counters", all_counters(changes)),
            ("noise floor: the base against itself", noise_table(changes)),
            ("not measured", unavailable(changes)),
            ("rig", rigs(changes)),
        ];
        let filled = |(_, table): &(_, Table)| table.sections.iter().any(|it| !it.rows.is_empty());
        Self {
            headline,
            tone,
            count: headline::count(changes),
            overview: overview(changes),
            noise: notes::noise(changes),
            legend: notes::legend(changes),
            immaterial: counters::legend(changes.changes.iter().flat_map(|change| {
                let counters = change.counters.iter().map(|it| it.counter);
                counters.filter(|counter| change.is_immaterial(*counter))
            })),
            details: details.into_iter().filter(filled).collect(),
        }
    }
}

/// The available counter of instructions; hardware is preferred to simulated.
fn instructions(changes: &Changes) -> Option<Counter> {
    let has = |counter: &Counter| {
        let mut found = changes.changes.iter().map(|change| change.ratio(*counter));
        found.any(|ratio| ratio.is_some())
    };
    [Counter::Instructions, Counter::SimInstructions]
        .into_iter()
        .find(has)
}

/// The changes that need attention first, so that a cut table keeps them; otherwise in the order of the cases.
fn worst_first(changes: &Changes) -> Vec<&Change> {
    let rank = |change: &Change| match (&change.verdict, change.instructions) {
        (Ok(Verdict::Regressed), _) => 0,
        (Err(_), _) => 1,
        (Ok(_), Some(Verdict::Regressed)) => 2,
        (Ok(Verdict::Inconclusive), _) => 3,
        (Ok(Verdict::Improved), _) => 4,
        (Ok(Verdict::Unchanged), _) => 5,
    };
    let mut sorted: Vec<_> = changes.changes.iter().collect();
    sorted.sort_by_key(|change| rank(change));
    sorted
}

fn overview(changes: &Changes) -> Table {
    let instructions = instructions(changes);
    let mut header = vec![
        "case",
        "mode",
        "base",
        "head",
        VERDICT_COUNTER.title(),
        "95 % interval",
        "verdict",
    ];
    header.extend(instructions.map(|counter| match counter {
        Counter::SimInstructions => "instructions, simulated",
        counter => counter.title(),
    }));
    let rows = worst_first(changes).into_iter().map(|change| {
        let decisive = change
            .counters
            .iter()
            .find(|it| it.counter == VERDICT_COUNTER);
        let (verdict, tone) = verdict(change);
        let [base, head] =
            decisive.map_or_else(|| [nothing(), nothing()], |it| figures(changes, change, it));
        let ratio = decisive.and_then(|it| it.ratio);
        let mut row = vec![
            Cell::new(&change.case),
            Cell::new(&change.mode),
            base,
            head,
            ratio.map_or_else(nothing, |it| size(&it).tone(tone)),
            ratio.map_or_else(nothing, |it| Cell::faint(&interval(&it))),
            Cell::new(verdict).tone(tone),
        ];
        row.extend(
            instructions.map(|counter| change.ratio(counter).map_or_else(nothing, |it| size(&it))),
        );
        row
    });
    Table::plain(header, rows)
}

fn verdict(change: &Change) -> (String, Tone) {
    let (time, tone) = match &change.verdict {
        Ok(Verdict::Regressed) => return ("slower".to_owned(), Tone::Bad),
        Ok(Verdict::Improved) => return ("faster".to_owned(), Tone::Good),
        Err(why) => return (why.clone(), Tone::Unsure),
        Ok(Verdict::Unchanged) => ("level", Tone::Plain),
        Ok(Verdict::Inconclusive) => ("undecided", Tone::Unsure),
    };
    match change.instructions {
        Some(Verdict::Regressed) => (format!("more instructions, exact; time {time}"), Tone::Bad),
        Some(Verdict::Improved) => (format!("fewer instructions, exact; time {time}"), tone),
        _ if tone == Tone::Unsure => ("inconclusive".to_owned(), tone),
        _ => (time.to_owned(), tone),
    }
}

fn opcodes(changes: &Changes) -> Table {
    let rows = worst_first(changes).into_iter().flat_map(|change| {
        change.opcodes.iter().take(OPCODES).map(|it| {
            let unit = it.counter.unit();
            let source = match it.counter {
                Counter::SimInstructions => "simulated instructions",
                _ => "CPU time, sampled",
            };
            let opcode = it.opcode.as_deref().unwrap_or(super::opcodes::ELSEWHERE);
            vec![
                Cell::new(&change.case),
                Cell::new(&change.mode),
                Cell::new(opcode),
                Cell::new(format::quantity(it.base, unit)),
                Cell::new(format::quantity(it.head, unit)),
                Cell::new(format::change(1.0 + it.share)),
                Cell::new(source),
            ]
        })
    });
    let header = [
        "case",
        "mode",
        "opcode",
        "base",
        "head",
        "of the call",
        "counted",
    ];
    Table::plain(header, rows)
}

/// The column of the interval in the table of all counters.
const INTERVAL: usize = 6;

fn all_counters(changes: &Changes) -> Table {
    let row = |change: &Change, it: &CounterChange| {
        let [base, head] = figures(changes, change, it);
        let exact = it.counter.source().deterministic();
        let row = vec![
            Cell::new(&change.case),
            Cell::new(&change.mode),
            Cell::new(it.counter.title()),
            base,
            head,
            it.ratio.as_ref().map_or_else(nothing, size),
            it.ratio
                .as_ref()
                .map_or_else(nothing, |ratio| match exact && ratio.is_exact() {
                    true => Cell::new("exact"),
                    false => Cell::new(interval(ratio)),
                }),
            Cell::new(it.counter.source().name()),
        ];
        match change.is_immaterial(it.counter) {
            true => counters::grey(row, INTERVAL),
            false => row,
        }
    };
    let rows = worst_first(changes).into_iter().flat_map(|change| {
        let counters = change.counters.iter();
        let (behind, mut sorted): (Vec<_>, Vec<_>) =
            counters.partition(|it| change.is_immaterial(it.counter));
        sorted.extend(behind);
        sorted.into_iter().map(move |it| row(change, it))
    });
    let header = [
        "case",
        "mode",
        "counter",
        "base",
        "head",
        "change",
        "95 % interval",
        "source",
    ];
    Table::plain(header, rows)
}

fn figures(changes: &Changes, change: &Change, counter: &CounterChange) -> [Cell; 2] {
    let cell = |run: &Run, figure: &f64| {
        let cell = Cell::new(format::quantity(*figure, counter.counter.unit()));
        match run.measurement(&change.case, &change.mode, counter.counter) {
            Some(measured) => marks::marked(cell, measured),
            None => cell,
        }
    };
    let of_base = |figure| cell(&changes.base, figure);
    let of_head = |figure| cell(&changes.head, figure);
    let absent = || Cell::faint("absent");
    match &counter.medians {
        Delta::Both { base, head } => [of_base(base), of_head(head)],
        Delta::OnlyBase(base) => [of_base(base), absent()],
        Delta::OnlyHead(head) => [absent(), of_head(head)],
    }
}

fn noise_table(changes: &Changes) -> Table {
    let rows = changes.changes.iter().filter_map(|change| {
        let decisive = change
            .counters
            .iter()
            .find(|it| it.counter == VERDICT_COUNTER)?;
        let noise = decisive.noise.as_ref()?;
        let row = [
            Cell::new(&change.case),
            Cell::new(&change.mode),
            size(noise),
            Cell::new(interval(noise)),
        ];
        Some(row.to_vec())
    });
    Table::plain(
        ["case", "mode", VERDICT_COUNTER.title(), "95 % interval"],
        rows,
    )
}

fn unavailable(changes: &Changes) -> Table {
    let of = |side: &'static str, run: &Run| {
        let missing = super::report::unavailable(&run.unavailable).into_iter();
        let rows = missing.map(|(reason, counters)| {
            vec![Cell::new(side), Cell::new(counters), Cell::new(reason)]
        });
        rows.collect::<Vec<_>>()
    };
    let mut rows = of("base", &changes.base);
    rows.extend(of("head", &changes.head));
    Table::plain(["side", "counters", "reason"], rows)
}

/// One row per fact, with `the same` if both sides agree.
fn rigs(changes: &Changes) -> Table {
    let sides = [&changes.base, &changes.head].map(|run| {
        let mut facts = rig(&run.created, &run.rig);
        facts.extend(run.settings.as_ref().map(|it| {
            let cold = if it.cold { ", cold" } else { "" };
            let budget = format::budget(it.budget, it.budget_floor);
            let text = format!("keccak memo {}, budget {budget}{cold}", it.keccak_memo);
            ("settings", text)
        }));
        facts
    });
    let [base, head] = &sides;
    let mut labels: Vec<_> = base.iter().chain(head).map(|(label, _)| *label).collect();
    let mut seen = Vec::new();
    labels.retain(|label| {
        let new = !seen.contains(label);
        seen.push(*label);
        new
    });
    let find = |side: &[(&'static str, String)], label: &str| {
        let fact = side.iter().find(|(name, _)| *name == label);
        fact.map_or_else(|| NOTHING.to_owned(), |(_, value)| value.clone())
    };
    let rows = labels.iter().map(|label| {
        let (base, head) = (find(base, label), find(head, label));
        let head = if head == base {
            "the same".to_owned()
        } else {
            head
        };
        vec![Cell::new(*label), Cell::new(base), Cell::new(head)]
    });
    Table::plain(["", "base", "head"], rows)
}

fn size(ratio: &PairedRatio) -> Cell {
    Cell::new(format::change(ratio.median)).bar(Bar::Change(ratio.median))
}

fn interval(ratio: &PairedRatio) -> String {
    let [low, high] = [ratio.low, ratio.high].map(format::change_digits);
    format!("[{low}, {high}]")
}

fn nothing() -> Cell {
    Cell::faint(NOTHING)
}
