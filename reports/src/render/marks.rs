//! The mark of a time that depends on more than the code, and what to do about it: one rule for all tables.

use super::table::Cell;
use crate::counter::Counter::CpuTime;
use crate::format;
use crate::run::Measurement;
use crate::stats::two_levels;

/// Page faults per call beyond which a time depends on the state of the allocator and the kernel.
const FAULTS: f64 = 0.01;

/// The figure of a measurement with its mark.
pub(super) fn figure(measured: &Measurement) -> Cell {
    marked(Cell::figure(measured), measured)
}

/// A cell that shows a measurement, with its mark on a line of its own.
pub(super) fn marked(cell: Cell, measured: &Measurement) -> Cell {
    match mark(measured) {
        Some(text) => cell.line(text),
        None => cell,
    }
}

/// What makes a time less than it seems: page faults in the timed spans, samples on two levels.
fn mark(measured: &Measurement) -> Option<String> {
    if measured.counter != CpuTime {
        return None;
    }
    let faults = measured.faults.filter(|faults| *faults > FAULTS);
    let faults = faults.map(|faults| format!("! {} faults", format::quantity(faults, "count")));
    let levels = two_levels(&measured.samples);
    let levels = levels.map(|(low, high)| {
        let [low, high] = [low, high].map(|level| format::quantity(level, &measured.unit));
        format!("! levels {low}, {high}")
    });
    match (faults, levels) {
        (Some(faults), Some(levels)) => Some(format!("{faults}; {levels}")),
        (faults, levels) => faults.or(levels),
    }
}

/// The page faults of all timed spans, and what the marks mean.
pub(super) fn legend<'a>(
    measurements: impl Iterator<Item = &'a Measurement> + Clone,
) -> Vec<String> {
    let times = measurements.filter(|it| it.counter == CpuTime);
    let faults = times.clone().filter_map(|it| it.faults).reduce(f64::max);
    let mut legend = Vec::new();
    if let Some(most) = faults {
        legend.push(format!(
            "page faults in the timed spans: at most {} per call.",
            format::quantity(most, "count")
        ));
    }
    if times.clone().any(|it| mark(it).is_some()) {
        legend.push(
            "! a figure that depends on more than the code: its spans take pages from the kernel, or its samples fall on \
             two levels (Otsu's split, eight deviations apart). Use more --launches, and look at the samples in the JSON."
                .to_owned(),
        );
    }
    legend
}
