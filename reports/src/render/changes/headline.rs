//! The sentence above a diff, and the number of cases by verdict.

use super::super::opcodes::ELSEWHERE;
use super::super::table::Tone;
use super::interval;
use crate::change::{Change, Changes, EXACT_COUNTER, OpcodeChange, Taken, VERDICT_COUNTER};
use crate::counter::Counter;
use crate::format;
use crate::run::Verdict;

/// Most cases named in the headline.
const NAMED: usize = 3;

pub(super) fn headline(changes: &Changes) -> (String, Tone) {
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
    let opcode = change.opcode.as_deref().unwrap_or(ELSEWHERE);
    format!("{opcode} ({share} of the case's {what})")
}

pub(super) fn count(changes: &Changes) -> String {
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
