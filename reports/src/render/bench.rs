//! The bench table: one row per case, one column per mode, each against the first mode; and a narrow variant with
//! one row per mode.

use super::marks;
use super::table::{Bar, Cell, NOTHING, Reading, Table, Tone};
use crate::counter::Counter::CpuTime;
use crate::format;
use crate::run::{Measurement, Run};

/// CPU time of every case in every mode.
pub(super) fn table(run: &Run) -> Table {
    let modes = run.modes();
    let header = std::iter::once("case")
        .chain(modes.iter().copied())
        .map(str::to_owned);
    let rows = run.cases().into_iter().map(|case| row(run, case, &modes));
    Table::plain(header, rows)
}

/// The narrow variant: one row per mode below each case, without gas per second.
pub(super) fn narrow_table(run: &Run) -> Table {
    let modes = run.modes();
    let base = modes.first().copied().unwrap_or_default();
    let rows = run.cases().into_iter().flat_map(|case| {
        let title = vec![Cell::new(run.title(case)), Cell::default(), Cell::default()];
        let rows = modes.iter().map(move |mode| {
            let measured = run.measurement(case, mode, CpuTime);
            let [time, speed] = match measured {
                Some(measured) => {
                    let (text, tone) = speed(run, measured, base).unwrap_or_default();
                    [marks::figure(measured), Cell::new(text).tone(tone)]
                }
                None => [Cell::faint(NOTHING), Cell::default()],
            };
            vec![Cell::new(format!("  {mode}")), time, speed]
        });
        std::iter::once(title).chain(rows)
    });
    Table::plain(
        vec![
            "case".to_owned(),
            CpuTime.title().to_owned(),
            format!("against {base}"),
        ],
        rows,
    )
}

fn row(run: &Run, case: &str, modes: &[&str]) -> Vec<Cell> {
    let time = |mode: &str| run.measurement(case, mode, CpuTime);
    let slowest = modes
        .iter()
        .filter_map(|mode| time(mode))
        .map(|m| m.median)
        .fold(0.0, f64::max);
    let base = modes.first().copied().unwrap_or_default();
    let cells = modes.iter().map(|mode| match time(mode) {
        Some(measured) => cell(run, measured, base).bar(Bar::Share(measured.median / slowest)),
        None => Cell::faint(NOTHING),
    });
    std::iter::once(Cell::new(run.title(case)))
        .chain(cells)
        .collect()
}

/// Time and spread, gas per second, and how many times as fast as the base.
fn cell(run: &Run, measured: &Measurement, base: &str) -> Cell {
    let Measurement {
        case, mode, median, ..
    } = measured;
    let mut cell = marks::figure(measured);
    if let Some(result) = run.result(case, mode)
        && result.gas_used > 0
        && *median > 0.0
    {
        cell = cell.line(format::gas_per_second(
            result.gas_used as f64 / median * 1e3,
        ));
    }
    if let Some((text, tone)) = speed(run, measured, base) {
        cell = cell.line(text).tone(tone);
    }
    cell
}

/// How many times as fast as the base; `None` if they were not compared.
fn speed(run: &Run, measured: &Measurement, base: &str) -> Option<(String, Tone)> {
    let Measurement { case, mode, .. } = measured;
    match run.ratio(case, base, mode, CpuTime) {
        Some(ratio) => {
            let (times, interval) = Reading::Times.of(ratio);
            Some((format!("{times} {interval}"), Tone::from(ratio.verdict)))
        }
        None if mode == base && !run.ratios.is_empty() => Some(("base".to_owned(), Tone::Plain)),
        None => None,
    }
}
