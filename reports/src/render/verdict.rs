//! The verdict of a comparison, as a sentence.

use super::counters::Comparison;
use crate::counter::Counter::CpuTime;
use crate::format;
use crate::run::{Ratio, Run, Verdict};

/// The verdict on CPU time of one case, the mode `head` against the mode `base`, with interval and number of pairs.
pub fn verdict(run: &Run, case: &str, base: &str, head: &str) -> String {
    let name = run.title(case);
    let Some(ratio) = run.ratio(case, base, head, CpuTime) else {
        return format!("{name}: {head} and {base} were not timed against each other.");
    };
    let pairs = format::count(pairs(run, ratio) as u64, "pair");
    let digits = format::factor_digits;
    let Ratio {
        median, low, high, ..
    } = *ratio;
    let interval = |low: String, high: String| format!("(95 % interval {low} to {high}), {pairs}.");
    let difference = || {
        let (low, high) = (format::change_digits(low), format::change(high));
        format!(
            "(time {}, 95 % interval {low} to {high}), {pairs}.",
            format::change(median)
        )
    };
    match ratio.verdict {
        Verdict::Improved => format!(
            "{name}: {head} is {} times as fast as {base} {}",
            digits(median.recip()),
            interval(digits(high.recip()), digits(low.recip())),
        ),
        Verdict::Regressed => format!(
            "{name}: {head} takes {} times as long as {base} {}",
            digits(median),
            interval(digits(low), digits(high)),
        ),
        Verdict::Unchanged => {
            let within = ratio
                .threshold
                .map(|t| format!(" within {}", format::percent(t)));
            let within = within.unwrap_or_default();
            format!(
                "{name}: {head} is as fast as {base}{within} {}",
                difference()
            )
        }
        Verdict::Inconclusive => {
            format!(
                "{name}: undecided between {head} and {base} {}",
                difference()
            )
        }
    }
}

/// One line for all cases: the verdict if there is one case, otherwise the number of cases by verdict.
pub fn headline(run: &Run, base: &str, head: &str) -> String {
    let cases = Comparison { run, base, head }.cases();
    match cases[..] {
        [] => return format!("{head} against {base}: no case to compare."),
        [case] => return verdict(run, case, base, head),
        _ => {}
    }
    let verdicts = cases
        .iter()
        .map(|case| run.ratio(case, base, head, CpuTime).map(|r| r.verdict));
    let verdicts: Vec<_> = verdicts.collect();
    let groups = [
        ("faster on", Some(Verdict::Improved)),
        ("slower on", Some(Verdict::Regressed)),
        ("level on", Some(Verdict::Unchanged)),
        ("undecided on", Some(Verdict::Inconclusive)),
        ("not compared on", None),
    ];
    let counts = groups.iter().filter_map(|(words, verdict)| {
        let count = verdicts.iter().filter(|v| *v == verdict).count();
        (count > 0).then(|| format!("{words} {count}"))
    });
    let counts: Vec<_> = counts.collect();
    format!(
        "{head} against {base}, {} cases: {}.",
        cases.len(),
        counts.join(", ")
    )
}

fn pairs(run: &Run, ratio: &Ratio) -> usize {
    let samples = |mode: &str| {
        run.measurement(&ratio.case, mode, CpuTime)
            .map_or(0, |m| m.n)
    };
    samples(&ratio.base).min(samples(&ratio.head))
}
