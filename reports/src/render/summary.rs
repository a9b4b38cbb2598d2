//! The table of a record that is quoted in documents: each mode's time, and the ratio of each pair of modes.

use super::table::{Cell, NOTHING, Reading, Table};
use crate::counter::Counter::CpuTime;
use crate::format;
use crate::run::Run;

/// Irrelevant: the verdict is not shown.
const THRESHOLD: f64 = 0.0;

pub(super) fn table(run: &Run) -> Table {
    let modes = run.modes();
    let pairs: Vec<(&str, &str)> = (1..modes.len())
        .flat_map(|late| (0..late).map(move |early| (early, late)))
        .map(|(early, late)| faster_first(run, modes[early], modes[late]))
        .collect();
    let titles = pairs.iter().map(|(fast, slow)| format!("{fast} / {slow}"));
    let header = std::iter::once("case")
        .chain(modes.iter().copied())
        .map(str::to_owned)
        .chain(titles);
    let row = |case: &str| {
        let times = modes.iter().map(|mode| {
            let measured = run.measurement(case, mode, CpuTime);
            measured.map_or(Cell::faint(NOTHING), |measured| {
                Cell::new(format::quantity(measured.median, &measured.unit))
            })
        });
        let ratios = pairs
            .iter()
            .map(|(fast, slow)| ratio(run, case, fast, slow));
        std::iter::once(Cell::new(case))
            .chain(times)
            .chain(ratios)
            .collect()
    };
    Table::plain(header, run.cases().into_iter().map(row))
}

/// Two modes, the one that is faster on most cases first.
fn faster_first<'a>(run: &Run, one: &'a str, other: &'a str) -> (&'a str, &'a str) {
    let is_faster = |case: &&str| {
        let [one, other] = [one, other].map(|mode| run.measurement(case, mode, CpuTime));
        one.zip(other)
            .is_some_and(|(one, other)| one.median <= other.median)
    };
    let cases = run.cases();
    if cases.iter().filter(|case| is_faster(case)).count() * 2 >= cases.len() {
        (one, other)
    } else {
        (other, one)
    }
}

fn ratio(run: &Run, case: &str, fast: &str, slow: &str) -> Cell {
    let [fast, slow] = [fast, slow].map(|mode| run.measurement(case, mode, CpuTime));
    let ratio = fast
        .zip(slow)
        .and_then(|(fast, slow)| crate::run::Ratio::of(slow, fast, THRESHOLD));
    match ratio {
        Some(ratio) => {
            let (times, interval) = Reading::Times.of(&ratio);
            Cell::new(format!(
                "{} {interval}",
                times.trim_start_matches(['≈', '?', ' '])
            ))
        }
        None => Cell::faint(NOTHING),
    }
}
