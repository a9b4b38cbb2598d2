//! Comparisons by launch: the pairs of one process count as one observation.

use super::multiple;
use super::{MIN_LAUNCHES, MIN_PAIRS, PairedRatio, mean, middle, ratio, sorted, squares, verdict};
use crate::run::{Measurement, Verdict};

/// Compares noisy samples that were taken in pairs by several launches of both processes: `base[l][i]` and
/// `head[l][i]` are pair `i` of launch `l`.
///
/// The ratio is the geometric mean of the launches' medians, trimmed by a fifth of the launches at either end, so
/// that launches with an unlucky code layout or a disturbed machine have little weight. The interval is Student's t
/// over the logarithms of the medians, which vary by both layout and noise.
///
/// On a noisy shared machine, whose launches of one binary differed by 9 to 19 % (standard deviation), 10 launches
/// found a change of 8 % in 79 of 100 draws, with false alarms in 0.2 of 100; the untrimmed mean found it in 51, with
/// 1.1. In the simulation in this module's tests the interval covers the true ratio in 92 to 97 of 100 cases.
/// Resampling pairs within launches as well would count the noise twice and miss 14 of 100 regressions of 8 %; this
/// misses none.
///
/// Fewer than [`MIN_LAUNCHES`] launches or [`MIN_PAIRS`] pairs in total are always inconclusive. `None` as in
/// [`paired_ratio`](super::paired_ratio), and if there is a single launch, a launch without pairs, or a sample of 0.
pub fn grouped_ratio(base: &[&[f64]], head: &[&[f64]], threshold: f64) -> Option<PairedRatio> {
    let launches = logarithms(base, head)?;
    let medians: Vec<f64> = launches.iter().map(|launch| middle(launch)).collect();
    of_launches(&medians, launches.iter().map(Vec::len).sum(), threshold)
}

/// The geometric mean of the ratios of several cases, given as pairs of measurements `(base, head)` from the same
/// launches. Each launch contributes the mean over its cases; otherwise as [`grouped_ratio`].
///
/// `None` as there, and if there are no cases or their numbers of launches differ.
pub fn mean_of_cases(
    cases: &[(&Measurement, &Measurement)],
    threshold: f64,
) -> Option<PairedRatio> {
    let of_case = |(base, head): &(&Measurement, &Measurement)| {
        let launches = logarithms(&base.by_launch(), &head.by_launch())?;
        let pairs: usize = launches.iter().map(Vec::len).sum();
        Some((
            launches
                .iter()
                .map(|launch| middle(launch))
                .collect::<Vec<_>>(),
            pairs,
        ))
    };
    let cases = cases.iter().map(of_case).collect::<Option<Vec<_>>>()?;
    let (first, _) = cases.first()?;
    if cases
        .iter()
        .any(|(medians, _)| medians.len() != first.len())
    {
        return None;
    }
    let of_launch = |launch: usize| {
        mean(
            &cases
                .iter()
                .map(|(medians, _)| medians[launch])
                .collect::<Vec<_>>(),
        )
    };
    let means: Vec<f64> = (0..first.len()).map(of_launch).collect();
    of_launches(
        &means,
        cases.iter().map(|(_, pairs)| pairs).sum(),
        threshold,
    )
}

/// The share of launches trimmed at either end.
const TRIMMED: f64 = 0.2;

/// The ratio from one logarithm per launch: trimmed mean, and its interval from the winsorised sum of squares (Tukey
/// and McLaughlin 1963; Yuen 1974). Trimmed, because a disturbance of seconds affects whole launches, on one side.
fn of_launches(medians: &[f64], pairs: usize, threshold: f64) -> Option<PairedRatio> {
    let Trimmed {
        mean: figure,
        variance,
        kept,
    } = Trimmed::of(medians)?;
    let reach = student(kept)? * variance.sqrt();
    let [median, low, high] = [figure, figure - reach, figure + reach].map(f64::exp);
    let verdict = if medians.len() < MIN_LAUNCHES || pairs < MIN_PAIRS {
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

/// A trimmed mean.
struct Trimmed {
    mean: f64,
    /// Squared standard error of the mean, from the winsorised sum of squares.
    variance: f64,
    /// Values not trimmed.
    kept: usize,
}

impl Trimmed {
    /// `None` below two values.
    fn of(values: &[f64]) -> Option<Self> {
        let sorted = sorted(values.iter().copied());
        let cut = (TRIMMED * sorted.len() as f64) as usize;
        let kept = sorted.get(cut..sorted.len() - cut)?;
        let (first, last) = (*kept.first()?, *kept.last()?);
        let winsorised: Vec<_> = sorted.iter().map(|it| it.clamp(first, last)).collect();
        let n = kept.len() as f64;
        (kept.len() >= 2).then(|| Self {
            mean: mean(kept),
            variance: squares(&winsorised) / (n * (n - 1.0)),
            kept: kept.len(),
        })
    }
}

/// How many times as long as in another launch a control may take where the two are compared.
///
/// In 600 launches of one build beside revm on a shared machine, the median ratio of either mode stayed within 1.3 % as
/// long as revm took up to 1.2 times its least. Where other load made it take 1.7 times as long, the traditional mode's
/// ratio was 16 % higher and the advanced mode's 4 %: not all programs suffer alike.
pub const ALIKE: f64 = 1.2;

/// A comparison beside a control.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Controlled {
    /// `None` if too few launches are left for any.
    pub ratio: Option<PairedRatio>,
    /// Launches of both runs.
    pub launches: usize,
    /// How many of them were left out.
    pub left_out: usize,
}

/// Compares two runs that were taken at different times, each beside a control: a program that is the same in both.
/// Each run is a pair of measurements of the same launches, `(control, measured)`.
///
/// Small changes of the machine's speed cancel out within each launch, and so does what slows both programs alike. Only
/// launches are compared in which the control took about as long, see [`ALIKE`]: of all such sets, the one with the most
/// launches on the side that has fewer. The ratio is that of the trimmed geometric means of `measured / control` over
/// the launches; the interval is Yuen's two-sample t (Yuen 1974, "The two-sample trimmed t for unequal population
/// variances").
///
/// Fewer than [`MIN_LAUNCHES`] launches or [`MIN_PAIRS`] pairs left on a side are always inconclusive. `None` as in
/// [`paired_ratio`](super::paired_ratio).
pub fn controlled_ratio(
    base: (&Measurement, &Measurement),
    head: (&Measurement, &Measurement),
    threshold: f64,
) -> Option<Controlled> {
    let sides = [Beside::of(base)?, Beside::of(head)?];
    let all = sides.iter().flat_map(|side| &side.launches);
    let speeds = sorted(all.map(|launch| launch.control));
    let alike = |least: &f64| sides.each_ref().map(|side| side.alike(*least));
    let fewer = |[base, head]: &[Beside; 2]| base.launches.len().min(head.launches.len());
    // The last of the greatest, so the fastest.
    let kept = speeds.iter().rev().map(alike).max_by_key(fewer)?;
    let compared: usize = kept.iter().map(|side| side.launches.len()).sum();
    Some(Controlled {
        ratio: two_samples(&kept, threshold),
        launches: speeds.len(),
        left_out: speeds.len() - compared,
    })
}

/// The launches of a run, beside a control.
struct Beside {
    launches: Vec<BesideLaunch>,
}

#[derive(Clone, Copy)]
struct BesideLaunch {
    /// Median of the control's samples.
    control: f64,
    /// Median logarithm of `measured / control`.
    ratio: f64,
    pairs: usize,
}

impl Beside {
    fn of((control, measured): (&Measurement, &Measurement)) -> Option<Self> {
        let control = control.by_launch();
        let ratios = logarithms(&control, &measured.by_launch())?;
        let launches = control
            .iter()
            .zip(&ratios)
            .map(|(control, ratios)| BesideLaunch {
                control: middle(&sorted(control.iter().copied())),
                ratio: middle(ratios),
                pairs: ratios.len(),
            });
        Some(Self {
            launches: launches.collect(),
        })
    }

    /// The launches whose control took so long, or a little longer.
    fn alike(&self, least: f64) -> Self {
        let range = least..=least * ALIKE;
        let launches = self
            .launches
            .iter()
            .filter(|it| range.contains(&it.control));
        Self {
            launches: launches.copied().collect(),
        }
    }

    fn is_enough(&self) -> bool {
        let pairs: usize = self.launches.iter().map(|it| it.pairs).sum();
        self.launches.len() >= MIN_LAUNCHES && pairs >= MIN_PAIRS
    }
}

/// `None` below two launches on a side.
fn two_samples(sides: &[Beside; 2], threshold: f64) -> Option<PairedRatio> {
    let trimmed = |side: &Beside| {
        let ratios: Vec<_> = side.launches.iter().map(|it| it.ratio).collect();
        Trimmed::of(&ratios)
    };
    let (base, head) = (trimmed(&sides[0])?, trimmed(&sides[1])?);
    let figure = head.mean - base.mean;
    let variance = base.variance + head.variance;
    // Welch and Satterthwaite; without any spread every number of degrees will do.
    let parts = [&base, &head].map(|it| it.variance.powi(2) / (it.kept as f64 - 1.0));
    let degrees = match parts.iter().sum::<f64>() {
        0.0 => base.kept + head.kept - 2,
        parts => (variance.powi(2) / parts).max(1.0) as usize,
    };
    let reach = student(degrees + 1)? * variance.sqrt();
    let [median, low, high] = [figure, figure - reach, figure + reach].map(f64::exp);
    Some(PairedRatio {
        median,
        low,
        high,
        verdict: match sides.iter().all(Beside::is_enough) {
            true => verdict(median, low, high, threshold),
            false => Verdict::Inconclusive,
        },
    })
}

/// Launches after which a comparison of `made` launches would have a verdict, if its ratio stays and its interval
/// narrows with the root of their number. `None` if it has one, was not made by launches, or if 1,000 are too few.
pub fn launches_to_decide(ratio: &PairedRatio, made: usize, threshold: f64) -> Option<usize> {
    if ratio.verdict != Verdict::Inconclusive || made < 2 {
        return None;
    }
    let change = ratio.median.ln().abs();
    let reach = (ratio.high / ratio.median)
        .ln()
        .max((ratio.median / ratio.low).ln());
    let limit = threshold.ln_1p();
    // Either the interval excludes 1, or it lies within the threshold.
    let wanted = if change > limit {
        change
    } else {
        limit - change
    };
    launches_for(made, reach, wanted)
}

/// Launches after which an interval that reaches `reach` on either side after `made` reaches only `wanted`, both as
/// logarithms; more than were made, and enough for a verdict. `None` if 1,000 are too few.
pub fn launches_for(made: usize, reach: f64, wanted: f64) -> Option<usize> {
    const MOST: f64 = 1_000.0;
    let least = made.max(MIN_LAUNCHES - 1) + 1;
    let needed = (made as f64 * (reach / wanted).powi(2)).ceil();
    (needed <= MOST).then(|| (needed as usize).max(least))
}

/// The logarithms of the paired ratios, sorted within each launch.
fn logarithms(base: &[&[f64]], head: &[&[f64]]) -> Option<Vec<Vec<f64>>> {
    if base.is_empty() || base.len() != head.len() {
        return None;
    }
    let launches = base.iter().zip(head).map(|(base, head)| {
        if base.is_empty() || base.len() != head.len() {
            return None;
        }
        let pairs = base.iter().zip(*head);
        let ratios = pairs.map(|(b, h)| ratio(*b, *h).map(f64::ln).filter(|r| r.is_finite()));
        Some(sorted(ratios.collect::<Option<Vec<_>>>()?.into_iter()))
    });
    launches.collect()
}

/// Two-sided 5 % point of Student's t for the mean of `n` values; `None` below 2.
fn student(n: usize) -> Option<f64> {
    let freedom = u32::try_from(n.checked_sub(1)?).ok()?;
    (freedom > 0).then(|| multiple::point(0.05, freedom))
}
