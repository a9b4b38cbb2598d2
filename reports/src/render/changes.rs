//! The model of a diff of two runs: texts and tables in reading order.

use super::counters;
use super::marks;
use super::report::rig;
use super::table::{Bar, Cell, NOTHING, Table, Tone};
use crate::change::{
    Change, Changes, CounterChange, EXACT_COUNTER, Gate, OpcodeChange, Taken, VERDICT_COUNTER,
};
use crate::counter::Counter;
use crate::diff::Delta;
use crate::format;
use crate::run::{OpcodeCost, Run, Verdict};
use crate::stats::multiple::{FALSE_DISCOVERIES, MIN_RUNS};
use crate::stats::{MIN_LAUNCHES, PairedRatio, RUN_TO_RUN};

/// Most cases named in the headline.
const NAMED: usize = 3;
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
        let (headline, tone) = headline(changes);
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
            count: count(changes),
            overview: overview(changes),
            noise: noise(changes),
            legend: legend(changes),
            immaterial: counters::legend(changes.changes.iter().flat_map(|change| {
                let counters = change.counters.iter().map(|it| it.counter);
                counters.filter(|counter| change.is_immaterial(*counter))
            })),
            details: details.into_iter().filter(filled).collect(),
        }
    }
}

fn headline(changes: &Changes) -> (String, Tone) {
    let beyond = format::percent(changes.terms.threshold);
    if let Some(why) = &changes.no_verdict {
        let text = format!("No verdict: {why}. Deterministic counters are compared nevertheless.");
        let more = more_instructions(changes) + &other_work(changes);
        return (text + &more, Tone::Unsure);
    }
    if changes.changes.is_empty() {
        return (
            "No verdict: the runs have no case in common.".to_owned(),
            Tone::Unsure,
        );
    }
    let of = |verdict| changes.with(verdict);
    let (slower, faster) = (of(Verdict::Regressed), of(Verdict::Improved));
    let more = more_instructions(changes) + &other_work(changes);
    if !slower.is_empty() {
        let slower = named(&slower, VERDICT_COUNTER);
        return (
            format!("Regressed beyond {beyond}: {slower}.{more}"),
            Tone::Bad,
        );
    }
    let unsure = changes.changes.len() - faster.len() - of(Verdict::Unchanged).len();
    let improved = match faster.is_empty() {
        true => String::new(),
        false => format!(
            " Improved beyond {beyond}: {}.",
            named(&faster, VERDICT_COUNTER)
        ),
    };
    let time = match (unsure, faster.is_empty()) {
        (0, true) => format!("Unchanged: nothing differs by more than {beyond}."),
        (0, false) => format!("{} Nothing regressed.", improved.trim_start()),
        _ => format!(
            "{unsure} of {} inconclusive; no regression beyond {beyond} confirmed.{improved}",
            changes.changes.len()
        ),
    };
    let fails = changes.regressed() || !changes.same_work();
    let tone = match (fails, unsure, faster.is_empty()) {
        (true, ..) => Tone::Bad,
        (false, 0, true) if more.is_empty() => Tone::Plain,
        (false, 0, false) if more.is_empty() => Tone::Good,
        _ => Tone::Unsure,
    };
    (time + &more, tone)
}

/// The first few changes without the same answer on both sides, if there are any.
fn other_work(changes: &Changes) -> String {
    let other = changes.other_work();
    if other.is_empty() {
        return String::new();
    }
    let some = other.iter().take(NAMED);
    let some: Vec<_> = some.map(|it| format!("{}, {}", it.case, it.mode)).collect();
    let more = match other.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!(
        " Not the same answer on both sides: {}{more}.",
        some.join("; ")
    )
}

/// What needs more instructions without being found slower, if anything.
fn more_instructions(changes: &Changes) -> String {
    let more = changes.by_instructions(Verdict::Regressed);
    if more.is_empty() {
        return String::new();
    }
    let beyond = format::percent(changes.terms.instruction_threshold);
    let more = named(&more, EXACT_COUNTER);
    format!(" More instructions, exact, beyond {beyond}: {more}.")
}

/// The first few changes by one counter, with their interval and the opcode that contributed most.
fn named(changes: &[&Change], counter: Counter) -> String {
    let some = changes.iter().take(NAMED).map(|change| {
        let ratio = change.ratio(counter);
        let size = ratio.map_or_else(String::new, |it| match it.is_exact() {
            true => format!(" {}", format::change(it.median)),
            false => format!(" {} {}", format::change(it.median), interval(&it)),
        });
        let slower = ratio.is_some_and(|it| it.median > 1.0);
        // Only opcodes that changed in the same direction.
        let by = change.opcodes.iter().find(|it| (it.share > 0.0) == slower);
        let by = by.map_or_else(String::new, |it| format!(", mainly {}", name(it)));
        format!("{}, {}:{size}{by}", change.case, change.mode)
    });
    let mut text = some.collect::<Vec<_>>().join("; ");
    if changes.len() > NAMED {
        text += &format!("; and {} more", changes.len() - NAMED);
    }
    text
}

fn name(change: &OpcodeChange) -> String {
    let share = format::change(1.0 + change.share);
    let what = match change.counter {
        Counter::SimInstructions => "simulated instructions",
        counter => counter.title(),
    };
    let opcode = change
        .opcode
        .as_deref()
        .unwrap_or(super::opcodes::ELSEWHERE);
    format!("{opcode} ({share} of the case's {what})")
}

fn count(changes: &Changes) -> String {
    let groups = [
        ("slower", Some(Verdict::Regressed)),
        ("faster", Some(Verdict::Improved)),
        ("level", Some(Verdict::Unchanged)),
        ("inconclusive", Some(Verdict::Inconclusive)),
        ("not compared", None),
    ];
    let counts = groups.iter().filter_map(|(words, verdict)| {
        let verdicts = changes.changes.iter().map(|it| it.verdict.clone().ok());
        let count = verdicts.filter(|it| it == verdict).count();
        (count > 0).then(|| format!("{count} {words}"))
    });
    let counts: Vec<_> = counts.collect();
    let more = changes.by_instructions(Verdict::Regressed).len();
    let more = match more {
        0 => String::new(),
        _ => format!("; {more} with more instructions, exact"),
    };
    let number = format::count(changes.changes.len() as u64, "case/mode pair");
    let same = match changes.base.rig.binary == changes.head.rig.binary {
        true if changes.terms.taken == Taken::Interleaved => " Both are the same binary.",
        _ => "",
    };
    format!("{number}: {}{more}.{same}", counts.join(", "))
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

fn noise(changes: &Changes) -> String {
    match (changes.noise_floor(), changes.terms.taken) {
        (Some((median, reach)), _) => format!(
            "Noise floor: the base against itself differs by up to {}; its intervals extend to {}.",
            format::percent(median),
            format::percent(reach)
        ),
        (None, Taken::Separately) => format!(
            "Noise floor: not measured, since the runs were made at different times; intervals are widened by {} \
             instead.",
            format::percent(RUN_TO_RUN)
        ),
        (None, Taken::Interleaved) => "Noise floor: not measured.".to_owned(),
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
            let text = format!("keccak memo {}, budget {}{cold}", it.keccak_memo, it.budget);
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

fn legend(changes: &Changes) -> Vec<String> {
    let beyond = format::percent(changes.terms.threshold);
    let launches = changes
        .base
        .measurements
        .iter()
        .map(|it| it.launches.len())
        .max();
    let taken = match changes.terms.taken {
        Taken::Interleaved => {
            let launches = launches.unwrap_or(0);
            let few = match launches < MIN_LAUNCHES {
                true => format!("; {MIN_LAUNCHES} are needed for a verdict"),
                false => String::new(),
            };
            format!(
                "Both binaries were launched {launches} times and sampled in turn{few}; the interval is over the \
                 launches."
            )
        }
        Taken::Separately => "The two runs were measured at different times.".to_owned(),
    };
    let mut legend = vec![
        taken,
        format!(
            "{} decides: slower or faster if the change is beyond {beyond} and its interval excludes zero; level if the \
             interval lies within {beyond}; inconclusive otherwise.",
            VERDICT_COUNTER.title()
        ),
        "Simulated counts are of callgrind's model of a CPU, not of this one, and have no noise."
            .to_owned(),
    ];
    legend.extend(of_opcodes(changes));
    let runs = [&changes.base, &changes.head].into_iter();
    legend.extend(marks::legend(runs.flat_map(|run| &run.measurements)));
    legend.extend(to_decide(changes));
    legend.push(gates(changes));
    legend
}

/// What would decide the inconclusive.
fn to_decide(changes: &Changes) -> Option<String> {
    if changes.with(Verdict::Inconclusive).is_empty() {
        return None;
    }
    if changes.terms.taken == Taken::Separately {
        return Some(
            "To decide the inconclusive: compare the two binaries in turn, `evmscope diff BASE HEAD`.".to_owned(),
        );
    }
    let made = changes.base.measurements.iter().map(|it| it.launches.len());
    let made = made.max().unwrap_or(0);
    let needed = changes.launches_to_decide();
    Some(super::verdict::to_decide(
        "inconclusive",
        &needed,
        made,
        changes.terms.timing_seconds,
        changes.terms.threshold,
    ))
}

/// What makes the comparison fail.
fn gates(changes: &Changes) -> String {
    let gates = changes.terms.gates.iter().map(|gate| match gate {
        Gate::Time => "slower".to_owned(),
        Gate::Instructions => format!(
            "more simulated instructions, exact, beyond {}",
            format::percent(changes.terms.instruction_threshold)
        ),
    });
    let gates: Vec<_> = gates.collect();
    format!("Exit code 3 for: {}, or other work.", gates.join(", "))
}

/// How opcodes were compared, if not by simulated counts.
fn of_opcodes(changes: &Changes) -> Option<String> {
    let of = |run: &'_ Run, is: fn(&OpcodeCost) -> bool| run.opcode_costs.iter().any(is);
    let sampled = |run| {
        of(run, |cost| {
            cost.samples > 0 && cost.sim_instructions.is_none()
        })
    };
    let [base, head] = [&changes.base, &changes.head];
    if !sampled(base) && !sampled(head) {
        return None;
    }
    let decide = |run| of(run, |cost| cost.runs.len() >= MIN_RUNS);
    Some(match decide(base) && decide(head) {
        true => format!(
            "Opcodes by CPU time: those whose difference is more than chance over the sampling runs, at most {} of them \
             falsely (Benjamini and Hochberg).",
            format::percent(FALSE_DISCOVERIES)
        ),
        false => format!(
            "Opcodes without simulated counts are not compared: their CPU times need {MIN_RUNS} sampling runs of each \
             side."
        ),
    })
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
