//! Medians, spreads, intervals and verdicts.
//!
//! Summarises samples, computes bootstrap intervals and applies the verdict rule. The profiler takes the samples
//! (thread CPU time, order shuffled within each pair).
//!
//! # The verdict rule
//! With a threshold `t`, the median of the paired ratios `head / base` and its 95 % interval:
//! - **improved** or **regressed**: the median is below `1 / (1 + t)` or above `1 + t`, *and* the
//!   interval excludes 1;
//! - **unchanged**: otherwise, if the whole interval lies between `1 / (1 + t)` and `1 + t`;
//! - **inconclusive**: otherwise. The interval is too wide to decide at this threshold.
//!
//! The bounds are reciprocal, so swapping the sides swaps the verdict. A change needs both conditions: on a shared
//! machine, a median beyond 2 % alone was a false alarm in 18 % of A/A runs.
//!
//! # Launches
//! When two binaries are compared, code and stack have a different layout in each process, and all pairs of one
//! launch share its effect. So the pairs of one launch count as one observation: [`grouped_ratio`].

mod launches;
pub mod multiple;

pub use launches::{
    ALIKE, Controlled, controlled_ratio, grouped_ratio, launches_for, launches_to_decide,
    mean_of_cases,
};

use crate::counter::Counter;
use crate::run::{Measurement, Ratio, Verdict};
use serde::{Deserialize, Serialize};

/// Resamples of every bootstrap interval.
pub const RESAMPLES: usize = 2_000;

/// Fewest noisy pairs for a verdict. The widest interval that `n` pairs can give, from the smallest ratio to the
/// largest, misses the true median with probability `2^(1 - n)`: above 5 % at 5.
pub const MIN_PAIRS: usize = 6;

/// Fewest launches for a verdict; comparisons of binaries make at least as many.
pub const MIN_LAUNCHES: usize = 5;

/// How far two runs of one binary at different times may differ beyond the spread of their samples: 0.05 is 5 %.
pub const RUN_TO_RUN: f64 = 0.05;

/// Seed of the bootstrap. Fixed, so that the same samples always give the same interval.
pub const SEED: u64 = 0x65_76_6d_73_63_6f_70_65;

/// Why samples cannot be summarised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SamplesError {
    /// There is nothing to take a median of.
    #[error("no samples")]
    Empty,
    /// A sample is negative, infinite or not a number.
    #[error("sample {0} (counted from 0) is not a finite number of at least 0")]
    NotAFigure(usize),
}

/// The samples of a measurement are invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("case {case}, mode {mode}, counter {counter}: {source}")]
pub struct MeasurementError {
    /// Name of the case.
    pub case: String,
    /// The mode that ran.
    pub mode: String,
    /// The counter that was read.
    pub counter: Counter,
    /// What is wrong with the samples.
    pub source: SamplesError,
}

/// Median and spread of a set of samples, in the samples' unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Number of samples.
    pub n: usize,
    /// Median; the mean of the two middle samples if `n` is even.
    pub median: f64,
    /// Smallest sample.
    pub min: f64,
    /// Largest sample.
    pub max: f64,
    /// Median absolute deviation from the median, not scaled to a standard deviation.
    pub mad: f64,
}

impl Summary {
    /// Summarises `samples`, in any order.
    ///
    /// # Errors
    /// There are no samples, or one is negative, infinite or not a number.
    pub fn of(samples: &[f64]) -> Result<Self, SamplesError> {
        if let Some(bad) = samples.iter().position(|s| !is_figure(*s)) {
            return Err(SamplesError::NotAFigure(bad));
        }
        let sorted = sorted(samples.iter().copied());
        let (Some(&min), Some(&max)) = (sorted.first(), sorted.last()) else {
            return Err(SamplesError::Empty);
        };
        let median = middle(&sorted);
        let deviations = self::sorted(samples.iter().map(|s| (s - median).abs()));
        Ok(Self {
            n: samples.len(),
            median,
            min,
            max,
            mad: middle(&deviations),
        })
    }
}

impl Measurement {
    /// A measurement from its raw samples (per call, in the counter's unit, in the order taken).
    ///
    /// # Errors
    /// As [`Summary::of`], with case, mode and counter.
    pub fn new(
        case: impl Into<String>,
        mode: impl Into<String>,
        counter: Counter,
        samples: Vec<f64>,
    ) -> Result<Self, MeasurementError> {
        let (case, mode) = (case.into(), mode.into());
        match Summary::of(&samples) {
            Ok(Summary {
                n,
                median,
                min,
                max,
                mad,
            }) => Ok(Self {
                case,
                mode,
                counter,
                unit: counter.unit().to_owned(),
                source: counter.source(),
                n,
                median,
                min,
                max,
                mad,
                coverage: None,
                faults: None,
                samples,
                launches: Vec::new(),
            }),
            Err(source) => Err(MeasurementError {
                case,
                mode,
                counter,
                source,
            }),
        }
    }

    /// A measurement from the samples of several launches.
    ///
    /// # Errors
    /// As [`Measurement::new`].
    pub fn of_launches(
        case: impl Into<String>,
        mode: impl Into<String>,
        counter: Counter,
        launches: &[Vec<f64>],
    ) -> Result<Self, MeasurementError> {
        Ok(Self {
            launches: launches.iter().map(Vec::len).collect(),
            ..Self::new(case, mode, counter, launches.concat())?
        })
    }
}

/// Two levels of one figure: the medians of the lower and of the upper group, if the samples fall into two.
///
/// The split is the one with the greatest variance between the groups (Otsu 1979). The groups count as levels if each has
/// a fifth of the samples, and their medians differ by 5 % and by eight times the larger median absolute deviation
/// within a group. Fewer than 10 samples have no levels.
pub fn two_levels(samples: &[f64]) -> Option<(f64, f64)> {
    const FEWEST: usize = 10;
    const APART: f64 = 8.0;
    if samples.len() < FEWEST {
        return None;
    }
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let least = sorted.len().div_ceil(5);
    let between = |at: usize| {
        let (low, high) = sorted.split_at(at);
        let distance = mean(high) - mean(low);
        low.len() as f64 * high.len() as f64 * distance * distance
    };
    let split =
        (least..=sorted.len() - least).max_by(|a, b| between(*a).total_cmp(&between(*b)))?;
    let (low, high) = sorted.split_at(split);
    let (low, high) = (Summary::of(low).ok()?, Summary::of(high).ok()?);
    let distance = high.median - low.median;
    let apart = distance > APART * low.mad.max(high.mad) && distance > 0.05 * low.median;
    apart.then_some((low.median, high.median))
}

/// The median of paired ratios, its interval and the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedRatio {
    /// Median of `head / base`.
    pub median: f64,
    /// Lower end of the 95 % interval of the median.
    pub low: f64,
    /// Upper end of that interval.
    pub high: f64,
    /// The outcome of the [verdict rule](self).
    pub verdict: Verdict,
}

/// Compares noisy samples that were taken in pairs `base[i]`, `head[i]`.
///
/// The interval is the percentile bootstrap over [`RESAMPLES`] resamples of the pairs, deterministic for a given
/// `seed`. Fewer than [`MIN_PAIRS`] pairs are always inconclusive.
///
/// `0 / 0` counts as 1 (both sides need nothing), and `x / 0` as infinite. `None` if the median or its interval is
/// infinite for that reason, if the slices differ in length or are empty, or if a sample is negative, infinite or not
/// a number.
pub fn paired_ratio(base: &[f64], head: &[f64], threshold: f64, seed: u64) -> Option<PairedRatio> {
    if base.is_empty() || base.len() != head.len() {
        return None;
    }
    let ratios = base
        .iter()
        .zip(head)
        .map(|(b, h)| ratio(*b, *h))
        .collect::<Option<Vec<_>>>()?;
    let median = middle(&sorted(ratios.iter().copied()));
    let (low, high) = bootstrap(&ratios, seed);
    if ![median, low, high].iter().all(|figure| figure.is_finite()) {
        return None;
    }
    let verdict = if ratios.len() < MIN_PAIRS {
        Verdict::Inconclusive
    } else {
        verdict(median, low, high, threshold)
    };
    Some(PairedRatio {
        median,
        low,
        high,
        verdict,
    })
}

/// Compares noisy samples of two processes that ran at different times.
///
/// The samples do not show what changed between the runs in the machine and in the code layout. So the bootstrap
/// interval of the ratio of medians is widened by [`RUN_TO_RUN`] at either end. Fewer than [`MIN_PAIRS`] samples on a
/// side are always inconclusive. `None` if a side has no samples or a median of 0.
pub fn unpaired_ratio(base: &[f64], head: &[f64], threshold: f64) -> Option<PairedRatio> {
    let of = |samples: &[f64]| Some(Summary::of(samples).ok()?.median).filter(|it| *it > 0.0);
    let (base_median, head_median) = (of(base)?, of(head)?);
    let (base_low, base_high) = bootstrap(base, SEED);
    let (head_low, head_high) = bootstrap(head, SEED.wrapping_add(1));
    let ratio = head_median / base_median;
    // The errors of the two sides are independent.
    let reach = |head: f64, base: f64| head.ln().hypot(base.ln()) + RUN_TO_RUN.ln_1p();
    let up = reach(head_high / head_median, base_median / base_low);
    let down = reach(head_median / head_low, base_high / base_median);
    let median = ratio.ln();
    let (low, high) = ((median - down).exp(), (median + up).exp());
    if !low.is_finite() || !high.is_finite() {
        return None;
    }
    Some(PairedRatio {
        median: ratio,
        low,
        high,
        verdict: match base.len().min(head.len()) < MIN_PAIRS {
            true => Verdict::Inconclusive,
            false => verdict(ratio, low, high, threshold),
        },
    })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The sum of squared deviations from the mean.
fn squares(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum()
}

/// Compares two deterministic measurements (simulated, counted): the interval is the ratio itself. If one was counted
/// several times, because its program seeds its hash tables randomly, the interval spans all counts.
///
/// Zeros are treated as in [`paired_ratio`].
pub fn counted_ratio(
    base: &Measurement,
    head: &Measurement,
    threshold: f64,
) -> Option<PairedRatio> {
    let ratio = |base, head| ratio(base, head).filter(|ratio| ratio.is_finite());
    let median = ratio(base.median, head.median)?;
    let (low, high) = (ratio(base.max, head.min)?, ratio(base.min, head.max)?);
    Some(PairedRatio {
        median,
        low,
        high,
        verdict: verdict(median, low, high, threshold),
    })
}

impl PairedRatio {
    /// Whether the interval has no width.
    pub fn is_exact(&self) -> bool {
        self.low == self.high
    }

    /// Compares two measurements of one counter that were taken in pairs, at `threshold` (0.05 is 5 %): by
    /// [`counted_ratio`] if the source is deterministic, by [`grouped_ratio`] if there were several launches, otherwise
    /// by [`paired_ratio`].
    ///
    /// `None` if there is no ratio (see these functions).
    pub fn of(base: &Measurement, head: &Measurement, threshold: f64) -> Option<Self> {
        if base.counter.source().deterministic() {
            counted_ratio(base, head, threshold)
        } else if base.launches.is_empty() && head.launches.is_empty() {
            paired_ratio(&base.samples, &head.samples, threshold, SEED)
        } else {
            grouped_ratio(&base.by_launch(), &head.by_launch(), threshold)
        }
    }
}

impl Ratio {
    /// Compares two measurements of one case and counter, as [`PairedRatio::of`] does.
    ///
    /// `None` if case or counter differ, or if there is no ratio (see [`paired_ratio`]).
    pub fn of(base: &Measurement, head: &Measurement, threshold: f64) -> Option<Self> {
        if base.case != head.case || base.counter != head.counter {
            return None;
        }
        let PairedRatio {
            median,
            low,
            high,
            verdict,
        } = PairedRatio::of(base, head, threshold)?;
        Some(Self {
            case: base.case.clone(),
            base: base.mode.clone(),
            head: head.mode.clone(),
            counter: base.counter,
            median,
            low,
            high,
            verdict,
            threshold: Some(threshold),
        })
    }
}

/// Every comparison of a mode against the mode `base`, per case and counter, in the order of `measurements`: the
/// contents of [`Run::ratios`](crate::Run::ratios).
pub fn ratios(measurements: &[Measurement], base: &str, threshold: f64) -> Vec<Ratio> {
    let partner = |head: &Measurement| {
        measurements
            .iter()
            .find(|m| m.mode == base && m.case == head.case && m.counter == head.counter)
    };
    measurements
        .iter()
        .filter(|head| head.mode != base)
        .filter_map(|head| Ratio::of(partner(head)?, head, threshold))
        .collect()
}

fn verdict(median: f64, low: f64, high: f64, threshold: f64) -> Verdict {
    let ceiling = 1.0 + threshold;
    let floor = ceiling.recip();
    if median > ceiling && low > 1.0 {
        Verdict::Regressed
    } else if median < floor && high < 1.0 {
        Verdict::Improved
    } else if low >= floor && high <= ceiling {
        Verdict::Unchanged
    } else {
        Verdict::Inconclusive
    }
}

fn is_figure(sample: f64) -> bool {
    sample.is_finite() && sample >= 0.0
}

/// `head / base`; 1 for `0 / 0`, infinite for `x / 0`.
fn ratio(base: f64, head: f64) -> Option<f64> {
    let both_zero = base == 0.0 && head == 0.0;
    (is_figure(base) && is_figure(head)).then(|| if both_zero { 1.0 } else { head / base })
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// Median of a sorted slice; NaN if empty.
fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    match sorted {
        [] => f64::NAN,
        _ if sorted.len() % 2 == 1 => sorted[half],
        _ => f64::midpoint(sorted[half - 1], sorted[half]),
    }
}

/// The 95 % percentile interval of the median of `ratios`. They are in the order of the pairs, so that swapped sides
/// draw the same pairs and give the reciprocal interval.
fn bootstrap(ratios: &[f64], seed: u64) -> (f64, f64) {
    let mut random = SplitMix64(seed);
    let medians = sorted((0..RESAMPLES).map(|_| {
        let resample = sorted((0..ratios.len()).map(|_| ratios[random.below(ratios.len())]));
        middle(&resample)
    }));
    let tail = RESAMPLES / 40;
    (medians[tail - 1], medians[RESAMPLES - tail])
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. Implemented here, so that
/// recorded intervals do not change with the release of a crate.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform below `bound` up to a bias of `bound / 2^64`.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests;
