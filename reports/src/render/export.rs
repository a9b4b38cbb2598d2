//! A run in the formats of tools that track benchmarks over time. For all counters less is better.

use crate::format;
use crate::run::{Measurement, Run};
use serde::Serialize;
use std::collections::BTreeMap;

/// Bencher Metric Format: a benchmark is `case/mode`, a measure is a counter's name; the bounds are one median
/// absolute deviation from the median.
///
/// # Errors
/// As [`json::write`](super::json::write).
pub fn bencher(run: &Run) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Metric {
        value: f64,
        lower_value: f64,
        upper_value: f64,
    }
    let mut benchmarks: BTreeMap<String, BTreeMap<&str, Metric>> = BTreeMap::new();
    for measurement in &run.measurements {
        let Measurement {
            counter,
            median,
            mad,
            ..
        } = *measurement;
        benchmarks
            .entry(benchmark(measurement))
            .or_default()
            .insert(
                counter.name(),
                Metric {
                    value: median,
                    lower_value: median - mad,
                    upper_value: median + mad,
                },
            );
    }
    pretty(&benchmarks)
}

/// The list that github-action-benchmark reads with its tool `customSmallerIsBetter`: one entry per case, mode and
/// counter.
///
/// # Errors
/// As [`json::write`](super::json::write).
pub fn github_action_benchmark(run: &Run) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Entry {
        name: String,
        unit: String,
        value: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        range: Option<String>,
        extra: String,
    }
    let entries = run.measurements.iter().map(|measurement| Entry {
        name: format!("{} {}", benchmark(measurement), measurement.counter),
        unit: measurement.unit.clone(),
        value: measurement.median,
        range: (measurement.mad > 0.0)
            .then(|| format!("± {}", format::significant(measurement.mad))),
        extra: format!(
            "source: {}\nsamples: {}",
            measurement.source.name(),
            measurement.n
        ),
    });
    pretty(&entries.collect::<Vec<_>>())
}

fn benchmark(measurement: &Measurement) -> String {
    format!("{}/{}", measurement.case, measurement.mode)
}

fn pretty(value: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
