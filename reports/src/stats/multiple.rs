//! Many questions at once, each answered by few runs: which of the opcodes of a table differ.
//!
//! # The test
//! A run gives one cost per opcode and side. Sides that one process sampled in turn are compared run by run: Student's t
//! over the logarithms of the ratios ([`Estimate::paired`]). What a process adds to both sides (layout, a slow
//! neighbour) cancels, and if nothing differs, the logarithm of such a ratio is symmetric about 0 whatever the
//! distribution of a cost. The test is then close to its level from 5 runs on, and below it with outliers.
//!
//! A permutation test assumes less, but 6 runs have 64 signs and no p-value below 0.03; among 70 opcodes not even ten
//! that differ in every run would be found. Welch's test of unpaired sides is for runs made at different times.
//!
//! An error is never smaller than that of counting the samples: six runs with one sample each agree by chance.
//!
//! # The number of questions
//! Of 70 opcodes that do not differ, 3 or 4 have a p-value below 5 %. [`benjamini_hochberg`] bounds the share of false
//! ones among those that are called different; if none differs, the chance of calling any one different.

use super::{mean, squares};

/// Fewest runs of a side for a decision.
pub const MIN_RUNS: usize = 5;

/// Bound on the expected share of false ones among all that are called different.
pub const FALSE_DISCOVERIES: f64 = 0.05;

/// One side of one question in one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observed {
    /// The cost, in any unit that both sides share.
    pub cost: f64,
    /// Samples that it was computed from.
    pub samples: u64,
}

/// A ratio `head / base`, estimated from few runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Logarithm of the ratio.
    log: f64,
    /// Standard error of `log`.
    error: f64,
    /// Degrees of freedom of `error`.
    freedom: u32,
    /// Difference of the logarithms that is attributed to the time between the runs.
    margin: f64,
}

/// A ratio that differs from 1, with the number of questions taken into account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Geometric mean of `head / base`.
    pub ratio: f64,
    /// Lower end of the adjusted interval.
    pub low: f64,
    /// Upper end of that interval. It never contains 1.
    pub high: f64,
}

impl Estimate {
    /// From runs that sampled both sides in turn: `base[i]` and `head[i]` are of run `i`.
    ///
    /// `None` with fewer than [`MIN_RUNS`] runs, if the numbers of runs differ, or if a run has no sample on a side.
    pub fn paired(base: &[Observed], head: &[Observed]) -> Option<Self> {
        if base.len() != head.len() {
            return None;
        }
        let (base_logs, head_logs) = (logarithms(base)?, logarithms(head)?);
        let pairs = base_logs.iter().zip(&head_logs);
        let logs: Vec<f64> = pairs.map(|(base, head)| head - base).collect();
        let n = logs.len() as f64;
        let error = squares(&logs) / (n * (n - 1.0));
        let counting = counting_error(base) + counting_error(head);
        Some(Self {
            log: mean(&logs),
            error: error.max(counting).sqrt(),
            freedom: freedom(logs.len()),
            margin: 0.0,
        })
    }

    /// From runs of the two sides at different times. A difference up to `margin` (0.05 is 5 %) is attributed to the
    /// time between them. The degrees of freedom are those of the side with fewer runs, the least that Welch's test can
    /// have.
    ///
    /// `None` as in [`Estimate::paired`], but the numbers of runs may differ.
    pub fn apart(base: &[Observed], head: &[Observed], margin: f64) -> Option<Self> {
        let side = |side: &[Observed]| {
            let logs = logarithms(side)?;
            let n = logs.len() as f64;
            let error = squares(&logs) / (n * (n - 1.0));
            Some((mean(&logs), error.max(counting_error(side))))
        };
        let ((base_log, base_error), (head_log, head_error)) = (side(base)?, side(head)?);
        Some(Self {
            log: head_log - base_log,
            error: (base_error + head_error).sqrt(),
            freedom: freedom(base.len().min(head.len())),
            margin: margin.ln_1p(),
        })
    }

    /// How likely a ratio as far from 1 is if nothing differs, two-sided.
    pub fn p(&self) -> f64 {
        beyond(
            (self.log.abs() - self.margin).max(0.0) / self.error,
            self.freedom,
        )
    }

    /// The interval that misses the true ratio with probability `alpha`.
    fn difference(&self, alpha: f64) -> Difference {
        let reach = self.margin + self.error * point(alpha, self.freedom);
        let [ratio, low, high] = [self.log, self.log - reach, self.log + reach].map(f64::exp);
        Difference { ratio, low, high }
    }
}

/// Which of a family of questions have a difference, at most a share `q` of them falsely. A question that could not be
/// estimated counts as one without a difference.
///
/// The intervals are those of Benjamini and Yekutieli (2005): with `k` of `m` selected, each is at `1 - q * k / m`. So
/// the intervals of the selected exclude 1, and a share of at most `q` of them is expected to miss the true ratio.
pub fn differences(family: &[Option<Estimate>], q: f64) -> Vec<Option<Difference>> {
    let ps = family.iter().map(|it| it.map_or(1.0, |it| it.p()));
    let selected = benjamini_hochberg(&ps.collect::<Vec<_>>(), q);
    let number = selected.iter().filter(|it| **it).count();
    let alpha = q * number as f64 / family.len().max(1) as f64;
    let questions = family.iter().zip(selected);
    questions
        .map(|(estimate, selected)| estimate.filter(|_| selected).map(|it| it.difference(alpha)))
        .collect()
}

/// Which hypotheses to reject, given their p-values: the `k` smallest, where `k` is the largest number whose `k`-th
/// smallest p-value is at most `q * k / m`.
///
/// Benjamini and Hochberg, "Controlling the false discovery rate", J. R. Statist. Soc. B 57 (1995): for independent
/// tests the expected share of false rejections is at most `q`. Benjamini and Yekutieli (2001) show the same for
/// positively dependent ones, such as costs that share the noise of a call's time.
pub fn benjamini_hochberg(ps: &[f64], q: f64) -> Vec<bool> {
    let mut sorted = ps.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let m = ps.len() as f64;
    let ranked = (1_u32..).zip(&sorted);
    let within = ranked.filter(|(rank, p)| **p <= q * f64::from(*rank) / m);
    let largest = within.map(|(_, p)| *p).last();
    let is_rejected = |p: &f64| largest.is_some_and(|largest| *p <= largest);
    ps.iter().map(is_rejected).collect()
}

/// The standard deviation of `values` as a share of their mean; `None` if there are fewer than 2, or all are 0.
pub fn relative_deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values);
    let freedom = values.len().checked_sub(1).filter(|it| *it > 0)?;
    (mean > 0.0).then(|| (squares(values) / freedom as f64).sqrt() / mean)
}

/// The logarithms of the costs; `None` if there are too few, or a run has nothing to take the logarithm of.
fn logarithms(side: &[Observed]) -> Option<Vec<f64>> {
    if side.len() < MIN_RUNS {
        return None;
    }
    let log = |it: &Observed| (it.samples > 0 && it.cost > 0.0).then(|| it.cost.ln());
    let logs = side.iter().map(log).collect::<Option<Vec<_>>>()?;
    logs.iter().all(|it| it.is_finite()).then_some(logs)
}

/// Variance of the mean logarithm by counting alone: the logarithm of a count `n` has a variance of about `1 / n`.
fn counting_error(side: &[Observed]) -> f64 {
    let runs = side.len() as f64;
    let variances = side.iter().map(|it| (it.samples as f64).recip());
    variances.sum::<f64>() / (runs * runs)
}

fn freedom(n: usize) -> u32 {
    u32::try_from(n.saturating_sub(1)).unwrap_or(u32::MAX)
}

/// The probability that Student's t with `freedom` degrees is at least as far from 0 as `t`: the sums for whole
/// degrees, Abramowitz and Stegun 26.7.3 and 26.7.4.
fn beyond(t: f64, freedom: u32) -> f64 {
    let angle = (t / f64::from(freedom).sqrt()).atan();
    let (sin, cos) = angle.sin_cos();
    let is_odd = freedom % 2 == 1;
    let (mut term, mut power) = if is_odd { (cos, 1) } else { (1.0, 0) };
    let mut sum = 0.0;
    while power + 2 <= freedom {
        sum += term;
        term *= cos * cos * f64::from(power + 1) / f64::from(power + 2);
        power += 2;
    }
    let within = match is_odd {
        true => std::f64::consts::FRAC_2_PI * (angle + sin * sum),
        false => sin * sum,
    };
    (1.0 - within).clamp(0.0, 1.0)
}

/// The two-sided `alpha` point of Student's t, by bisection.
pub(super) fn point(alpha: f64, freedom: u32) -> f64 {
    // With one degree of freedom the point of 0.001 is 637.
    let (mut low, mut high) = (0.0, 1e6);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        match beyond(middle, freedom) > alpha {
            true => low = middle,
            false => high = middle,
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::super::SplitMix64;
    use super::*;

    #[test]
    fn the_example_of_the_paper() {
        // Section 3: thrombolysis, 15 comparisons. Bonferroni's procedure rejects 3 of them.
        let ps = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
            0.5719, 0.6528, 0.7590, 1.000,
        ];
        let rejected = benjamini_hochberg(&ps, 0.05);
        assert_eq!(rejected.iter().filter(|it| **it).count(), 4);
        assert!(rejected[..4].iter().all(|it| *it));
        let mut shuffled = ps;
        shuffled.reverse();
        let rejected = benjamini_hochberg(&shuffled, 0.05);
        assert!(rejected[11..].iter().all(|it| *it) && !rejected[..11].contains(&true));
    }

    #[test]
    fn a_small_p_value_rejects_larger_ones_below_their_bound() {
        // 0.03 is above its own bound of 0.0167 but below the bound of the third.
        let rejected = |ps: &[f64]| benjamini_hochberg(ps, 0.05);
        assert_eq!(rejected(&[0.03, 0.04, 0.05]), [true; 3]);
        assert_eq!(rejected(&[0.03, 0.04, 0.06]), [false; 3]);
        assert_eq!(rejected(&[0.05]), [true]);
        assert_eq!(rejected(&[]), [false; 0]);
    }

    #[test]
    fn points_of_students_t() {
        for (freedom, alpha, t) in [
            (1, 0.05, 12.706),
            (2, 0.05, 4.303),
            (4, 0.05, 2.776),
            (5, 0.05, 2.571),
            (5, 0.01, 4.032),
            (9, 0.001, 4.781),
            (10, 0.05, 2.228),
            (19, 0.05, 2.093),
        ] {
            let found = point(alpha, freedom);
            assert!((found - t).abs() < 6e-4, "{freedom}, {alpha}: {found}");
        }
        assert_eq!(beyond(0.0, 5), 1.0);
    }

    fn observed(costs: &[f64], samples: u64) -> Vec<Observed> {
        let of = |cost: &f64| Observed {
            cost: *cost,
            samples,
        };
        costs.iter().map(of).collect()
    }

    #[test]
    fn too_few_runs_or_samples_give_no_estimate() {
        let many = observed(&[1.0; 6], 50);
        assert_eq!(Estimate::paired(&many[..4], &many[..4]), None);
        assert_eq!(Estimate::paired(&many, &many[..5]), None);
        assert_eq!(Estimate::paired(&many, &observed(&[1.0; 6], 0)), None);
        assert!(Estimate::apart(&many, &many[..5], 0.05).is_some());
        assert_eq!(Estimate::apart(&many, &many[..4], 0.05), None);
    }

    #[test]
    fn runs_that_agree_by_chance_are_not_certain() {
        // Twice the cost in each of six runs, from one and two samples.
        let base = observed(&[1.0; 6], 1);
        let head = observed(&[2.0; 6], 2);
        let estimate = Estimate::paired(&base, &head).unwrap();
        assert!(estimate.p() > 0.1, "{}", estimate.p());
        // From 100 times as many samples, it is a difference.
        let [base, head] = [(1.0, 100), (2.0, 200)].map(|(cost, n)| observed(&[cost; 6], n));
        let estimate = Estimate::paired(&base, &head).unwrap();
        assert!(estimate.p() < 1e-4, "{}", estimate.p());
    }

    #[test]
    fn what_both_sides_of_a_run_share_cancels() {
        let base = [10.0, 14.0, 9.0, 20.0, 11.0, 13.0];
        let head = base.map(|cost| cost * 1.3);
        let [base, head] = [base, head].map(|costs| observed(&costs, 10_000));
        let paired = Estimate::paired(&base, &head).unwrap();
        let apart = Estimate::apart(&base, &head, 0.0).unwrap();
        assert!(paired.p() < 1e-5 && apart.p() > 0.05);
        let found = differences(&[Some(paired), Some(apart), None], 0.05);
        let [Some(found), None, None] = found[..] else {
            panic!("{found:?}")
        };
        assert!((found.ratio - 1.3).abs() < 1e-9 && found.low > 1.0 && found.high > 1.3);
    }

    #[test]
    fn a_difference_within_the_margin_is_none() {
        let base = observed(&[1.0; 6], 1_000_000);
        let of = |ratio: f64| Estimate::apart(&base, &observed(&[ratio; 6], 1_000_000), 0.05);
        assert_eq!(of(1.04).unwrap().p(), 1.0);
        let beyond = of(1.10).unwrap();
        assert!(beyond.p() < 0.001);
        assert!(beyond.difference(beyond.p()).low >= 1.0);
    }

    /// Opcodes of a report, and runs of each.
    const OPCODES: usize = 70;
    const RUNS: usize = 6;

    /// Sampling runs of two modes. Opcodes have 0.3 to 40 samples each, times `rate`, with the error of counting them.
    /// Machine and layout change the costs: by run, by run and mode, and by opcode.
    struct Report {
        random: SplitMix64,
        rate: f64,
    }

    impl Report {
        fn unit(&mut self) -> f64 {
            self.random.below(1 << 30) as f64 / f64::from(1 << 30)
        }

        /// Nearly normal, with a standard deviation of 1.
        fn normal(&mut self) -> f64 {
            (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
        }

        fn new(seed: u64, rate: f64) -> Self {
            let random = SplitMix64(seed);
            Self { random, rate }
        }

        /// By Knuth's product of uniform numbers; a large count is nearly normal.
        fn poisson(&mut self, expected: f64) -> u64 {
            if expected > 100.0 {
                return (expected + expected.sqrt() * self.normal()).max(0.0) as u64;
            }
            let (limit, mut product, mut n) = ((-expected).exp(), self.unit(), 0);
            while product > limit {
                product *= self.unit();
                n += 1;
            }
            n
        }

        /// One answer per opcode; those that `is_changed` names cost twice as much in the head.
        fn found(&mut self, is_changed: fn(usize) -> bool) -> Vec<Option<Difference>> {
            let mut sides = [vec![Vec::new(); OPCODES], vec![Vec::new(); OPCODES]];
            for _ in 0..RUNS {
                let run = 0.2 * self.normal();
                for (mode, side) in sides.iter_mut().enumerate() {
                    // One run in twelve is disturbed.
                    let burst = f64::from(u8::from(self.unit() < 1.0 / 12.0));
                    let call = run + 0.03 * self.normal() + 0.4 * burst;
                    for (opcode, runs) in side.iter_mut().enumerate() {
                        let layout = 0.1 * self.normal();
                        let factor = if mode == 1 && is_changed(opcode) {
                            2.0
                        } else {
                            1.0
                        };
                        let expected = self.rate * 0.3 * 1.0722_f64.powi(opcode as i32) * factor;
                        let samples = self.poisson(expected * layout.exp());
                        let cost = samples as f64 * call.exp();
                        runs.push(Observed { cost, samples });
                    }
                }
            }
            let [base, head] = sides;
            let pairs = base.iter().zip(&head);
            let family: Vec<_> = pairs
                .map(|(base, head)| Estimate::paired(base, head))
                .collect();
            differences(&family, FALSE_DISCOVERIES)
        }
    }

    #[test]
    fn of_reports_without_a_difference_at_most_5_percent_show_one() {
        for rate in [1.0, 10.0, 1_000.0] {
            let any = |seed: &u64| {
                let found = Report::new(*seed, rate).found(|_| false);
                found.iter().any(Option::is_some)
            };
            let alarms = (0..1_000).filter(any).count();
            assert!(
                alarms <= 50,
                "{alarms} of 1,000 at {rate} times the samples"
            );
        }
    }

    #[test]
    fn a_doubled_cost_is_found_with_few_false_ones() {
        const REPORTS: usize = 200;
        let (mut of_many_samples, mut all, mut falsely) = (0, 0, 0);
        for seed in 0..REPORTS as u64 {
            let found = Report::new(seed, 1.0).found(|opcode| opcode % 2 == 0);
            let is_found = |opcode: &usize| found[*opcode].is_some();
            // From 60 on, opcodes have 20 samples or more in each run.
            of_many_samples += (60..OPCODES).step_by(2).filter(is_found).count();
            all += found.iter().flatten().count();
            falsely += (1..OPCODES).step_by(2).filter(is_found).count();
        }
        let doubled = REPORTS * (60..OPCODES).step_by(2).count();
        assert!(
            of_many_samples * 3 > doubled,
            "{of_many_samples} of {doubled}"
        );
        assert!(falsely * 20 <= all, "{falsely} of {all} are false");
    }
}
