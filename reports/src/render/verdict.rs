//! The verdict of a comparison, as a sentence.

use super::counters::Comparison;
use crate::counter::Counter::CpuTime;
use crate::format;
use crate::run::{Ratio, Run, Verdict};
use crate::stats::{PairedRatio, launches_to_decide};

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

/// What would decide the times of a run that are undecided; `None` if there are none.
pub fn undecided(run: &Run) -> Option<String> {
    let times = run.ratios.iter().filter(|it| it.counter == CpuTime);
    let undecided = times.filter(|it| it.verdict == Verdict::Inconclusive);
    let launches = |ratio: &Ratio| {
        let measured = run.measurement(&ratio.case, &ratio.head, CpuTime);
        measured.map_or(0, |it| it.launches.len())
    };
    let of = |ratio: &Ratio| {
        let Ratio {
            median,
            low,
            high,
            verdict,
            threshold,
            ..
        } = *ratio;
        let paired = PairedRatio {
            median,
            low,
            high,
            verdict,
        };
        launches_to_decide(&paired, launches(ratio), threshold?)
    };
    let ratios: Vec<_> = undecided.collect();
    let made = launches(ratios.first()?);
    let needed: Vec<_> = ratios.iter().map(|ratio| of(ratio)).collect();
    Some(to_decide("undecided", &needed, made, run.timing_seconds))
}

/// What would decide some comparisons: the launches that each needs, after `made`, which took `seconds`.
pub fn to_decide(
    what: &str,
    needed: &[Option<usize>],
    made: usize,
    seconds: Option<f64>,
) -> String {
    if made < 2 {
        return format!("To decide the {what}: time in several processes, without --quick.");
    }
    let enough: Vec<_> = needed.iter().flatten().collect();
    let near = match needed.len() - enough.len() {
        0 => String::new(),
        n => format!(
            " {n} of {} would stay so even with 1,000: too near the limit, or on too noisy a machine.",
            needed.len()
        ),
    };
    let Some(most) = enough.into_iter().max() else {
        return format!("More launches would not decide the {what}.{near}");
    };
    let time = seconds.map_or_else(String::new, |seconds| {
        let longer = seconds * *most as f64 / made.max(1) as f64;
        format!(", about {}", format::duration(longer))
    });
    format!("To decide the {what} at the spread found: --launches {most}{time}.{near}")
}

fn pairs(run: &Run, ratio: &Ratio) -> usize {
    let samples = |mode: &str| {
        run.measurement(&ratio.case, mode, CpuTime)
            .map_or(0, |m| m.n)
    };
    samples(&ratio.base).min(samples(&ratio.head))
}
