//! The bench table: a row a case, a column a mode, each against the first mode.

use super::table::{Bar, Cell, NOTHING, Reading, Section, Table, Tone};
use crate::counter::Counter::CpuTime;
use crate::format;
use crate::run::{Measurement, Run};

/// CPU time of every case in every mode.
pub(super) fn table(run: &Run) -> Table {
    let modes = run.modes();
    let header = std::iter::once("case")
        .chain(modes.iter().copied())
        .map(str::to_owned);
    let rows = run
        .cases()
        .into_iter()
        .map(|case| row(run, case, &modes))
        .collect();
    Table {
        header: header.collect(),
        section_header: None,
        sections: vec![Section { title: None, rows }],
    }
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
    std::iter::once(Cell::new(case)).chain(cells).collect()
}

/// Time and spread, gas per second, and how many times as fast as the base.
fn cell(run: &Run, measured: &Measurement, base: &str) -> Cell {
    let Measurement {
        case, mode, median, ..
    } = measured;
    let mut cell = Cell::figure(measured);
    if let Some(result) = run.result(case, mode)
        && result.gas_used > 0
        && *median > 0.0
    {
        cell = cell.line(format::gas_per_second(
            result.gas_used as f64 / median * 1e3,
        ));
    }
    match run.ratio(case, base, mode, CpuTime) {
        Some(ratio) => {
            let (times, interval) = Reading::Times.of(ratio);
            cell.line(format!("{times} {interval}"))
                .tone(Tone::from(ratio.verdict))
        }
        None if mode == base && !run.ratios.is_empty() => cell.line("base"),
        None => cell,
    }
}
