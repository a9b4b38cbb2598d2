//! Properties of summary and paired ratio, and a simulation of false-alarm rate and statistical power.

use super::*;
use proptest::prelude::*;

fn counter(source: crate::counter::Source) -> Counter {
    *Counter::ALL.iter().find(|c| c.source() == source).unwrap()
}

#[test]
fn summary_of_known_samples() {
    let odd = Summary::of(&[3.0, 1.0, 9.0]).unwrap();
    assert_eq!(
        odd,
        Summary {
            n: 3,
            median: 3.0,
            min: 1.0,
            max: 9.0,
            mad: 2.0
        }
    );
    let even = Summary::of(&[4.0, 2.0, 8.0, 2.0]).unwrap();
    assert_eq!(
        even,
        Summary {
            n: 4,
            median: 3.0,
            min: 2.0,
            max: 8.0,
            mad: 1.0
        }
    );
}

#[test]
fn invalid_samples_are_refused() {
    assert_eq!(Summary::of(&[]), Err(SamplesError::Empty));
    for bad in [f64::NAN, f64::INFINITY, -1.0] {
        assert_eq!(Summary::of(&[1.0, bad]), Err(SamplesError::NotAFigure(1)));
        assert_eq!(paired_ratio(&[1.0, 1.0], &[1.0, bad], 0.05, SEED), None);
    }
    let error = Measurement::new("empty", "advanced", Counter::CpuTime, vec![]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "case empty, mode advanced, counter cpu-time: no samples"
    );
}

#[test]
fn zeros_give_a_ratio_of_one_or_none() {
    let pairs = |base: f64, head: f64| paired_ratio(&[base; 8], &[head; 8], 0.05, SEED);
    assert_eq!(
        pairs(0.0, 0.0).map(|r| (r.median, r.verdict)),
        Some((1.0, Verdict::Unchanged))
    );
    assert_eq!(pairs(0.0, 3.0), None);
    assert_eq!(
        pairs(3.0, 0.0).map(|r| (r.median, r.verdict)),
        Some((0.0, Verdict::Improved))
    );
    let counted = |base: &[f64], head: &[f64]| {
        let of = |mode, samples: &[f64]| {
            Measurement::new("case", mode, Counter::SimInstructions, samples.to_vec()).unwrap()
        };
        counted_ratio(&of("base", base), &of("head", head), 0.05)
    };
    assert_eq!(counted(&[0.0], &[0.0]).map(|r| r.median), Some(1.0));
    assert_eq!(counted(&[0.0], &[3.0]), None);
    let exact = counted(&[100.0], &[110.0]).unwrap();
    assert!(exact.is_exact());
    assert_eq!((exact.median, exact.verdict), (1.1, Verdict::Regressed));
    // Counted three times, with different results.
    let reach = counted(&[100.0], &[108.0, 120.0, 110.0]).unwrap();
    assert_eq!((reach.median, reach.low, reach.high), (1.1, 1.08, 1.2));
    assert_eq!(reach.verdict, Verdict::Regressed);
    let around = counted(&[100.0], &[99.0, 120.0, 110.0]).unwrap();
    assert_eq!(around.verdict, Verdict::Inconclusive);

    // One page fault among many pairs is an outlier and must not prevent the comparison.
    let mut head = [0.0; 20];
    head[7] = 1.0;
    assert_eq!(
        paired_ratio(&[0.0; 20], &head, 0.05, SEED).map(|r| r.high),
        Some(1.0)
    );
}

#[test]
fn sides_without_pairs_give_no_ratio() {
    assert_eq!(paired_ratio(&[], &[], 0.05, SEED), None);
    assert_eq!(paired_ratio(&[1.0, 2.0], &[1.0], 0.05, SEED), None);
}

#[test]
fn each_verdict_by_its_rule() {
    let of = |median, low, high| verdict(median, low, high, 0.05);
    assert_eq!(of(1.08, 1.03, 1.12), Verdict::Regressed);
    assert_eq!(of(0.90, 0.85, 0.99), Verdict::Improved);
    assert_eq!(of(1.03, 1.02, 1.04), Verdict::Unchanged);
    assert_eq!(
        of(1.08, 0.99, 1.20),
        Verdict::Inconclusive,
        "the interval holds 1"
    );
    assert_eq!(
        of(1.03, 0.97, 1.09),
        Verdict::Inconclusive,
        "the interval is too wide"
    );
    assert_eq!(
        of(1.04, 1.02, 1.06),
        Verdict::Inconclusive,
        "the threshold is inside"
    );
}

#[test]
fn few_noisy_pairs_are_inconclusive() {
    let faster = |n: usize| {
        paired_ratio(&vec![2.0; n], &vec![1.0; n], 0.05, SEED)
            .unwrap()
            .verdict
    };
    assert_eq!(faster(MIN_PAIRS - 1), Verdict::Inconclusive);
    assert_eq!(faster(MIN_PAIRS), Verdict::Improved);
}

#[test]
fn one_sample_decides_only_where_the_source_is_deterministic() {
    use crate::counter::Source;
    let compare = |source| {
        let counter = counter(source);
        let of = |mode, value| Measurement::new("case", mode, counter, vec![value]).unwrap();
        Ratio::of(&of("base", 100.0), &of("head", 80.0), 0.05).unwrap()
    };
    let simulated = compare(Source::Simulated);
    assert_eq!(
        (simulated.low, simulated.median, simulated.high),
        (0.8, 0.8, 0.8)
    );
    assert_eq!(simulated.verdict, Verdict::Improved);
    for noisy in [Source::Software, Source::Hardware] {
        assert_eq!(compare(noisy).verdict, Verdict::Inconclusive);
    }
}

#[test]
fn ratios_join_each_mode_to_the_base() {
    let of = |case: &str, mode: &str, value| {
        Measurement::new(case, mode, Counter::CpuTime, vec![value; 8]).unwrap()
    };
    let measurements = [
        of("a", "base", 2.0),
        of("a", "x", 1.0),
        of("b", "x", 1.0),
        of("a", "y", 4.0),
    ];
    let found: Vec<_> = ratios(&measurements, "base", 0.05)
        .into_iter()
        .map(|r| (r.case, r.head, r.median))
        .collect();
    assert_eq!(
        found,
        [
            ("a".to_owned(), "x".to_owned(), 0.5),
            ("a".into(), "y".into(), 2.0)
        ]
    );
}

prop_compose! {
    fn pairs(counts: std::ops::Range<usize>)(
        pairs in prop::collection::vec((1e-3..1e9_f64, 1e-3..1e9_f64), counts)
    ) -> (Vec<f64>, Vec<f64>) {
        pairs.into_iter().unzip()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn summary_is_ordered_and_ignores_order((samples, _) in pairs(1..50)) {
        let summary = Summary::of(&samples).unwrap();
        prop_assert!(summary.min <= summary.median && summary.median <= summary.max);
        prop_assert!(summary.mad <= summary.max - summary.min);
        let reversed: Vec<f64> = samples.iter().rev().copied().collect();
        prop_assert_eq!(summary, Summary::of(&reversed).unwrap());
    }

    #[test]
    fn interval_holds_the_median_and_lies_within_the_ratios((base, head) in pairs(1..50)) {
        let found = paired_ratio(&base, &head, 0.05, SEED).unwrap();
        let ratios = sorted(base.iter().zip(&head).map(|(b, h)| h / b));
        prop_assert!(found.low <= found.median && found.median <= found.high);
        prop_assert!(ratios[0] <= found.low && found.high <= ratios[ratios.len() - 1]);
        prop_assert_eq!(Some(found), paired_ratio(&base, &head, 0.05, SEED));
    }

    #[test]
    fn swapped_sides_swap_the_verdict((base, head) in pairs(3..40), threshold in 0.0..0.5_f64) {
        // An odd number, so that the median is one of the ratios and not the mean of two.
        let odd = base.len() - (base.len() + 1) % 2;
        let (base, head) = (&base[..odd], &head[..odd]);
        let there = paired_ratio(base, head, threshold, SEED).unwrap();
        let back = paired_ratio(head, base, threshold, SEED).unwrap();
        let swapped = match there.verdict {
            Verdict::Improved => Verdict::Regressed,
            Verdict::Regressed => Verdict::Improved,
            same => same,
        };
        prop_assert_eq!(back.verdict, swapped);
    }

    #[test]
    fn scale_does_not_matter((base, head) in pairs(6..40)) {
        // Scaling by a power of two is exact.
        let scaled: Vec<f64> = base.iter().map(|b| b * 1024.0).collect();
        let scaled_head: Vec<f64> = head.iter().map(|h| h * 1024.0).collect();
        prop_assert_eq!(
            paired_ratio(&base, &head, 0.05, SEED),
            paired_ratio(&scaled, &scaled_head, 0.05, SEED)
        );
    }
}

/// A simulated shared machine: its speed drifts as a random walk common to both samples of a pair, each sample has
/// noise of about 1 %, and one in twelve is interrupted.
struct Machine {
    random: SplitMix64,
    drift: f64,
}

impl Machine {
    fn new(seed: u64) -> Self {
        Self {
            random: SplitMix64(seed),
            drift: 0.0,
        }
    }

    fn unit(&mut self) -> f64 {
        self.random.next() as f64 / u64::MAX as f64
    }

    /// Approximately normal, standard deviation 1 (Irwin-Hall).
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    fn sample(&mut self, cost: f64) -> f64 {
        let interrupted = if self.unit() < 1.0 / 12.0 {
            0.3 * self.unit()
        } else {
            0.0
        };
        cost * (self.drift + 0.01 * self.normal() + interrupted).exp()
    }

    fn drift_on(&mut self) {
        self.drift += 0.008 * self.normal();
    }

    /// `n` pairs in random order; the head costs `factor` times the base.
    fn pairs(&mut self, n: usize, factor: f64) -> (Vec<f64>, Vec<f64>) {
        (0..n)
            .map(|_| {
                self.drift_on();
                if self.unit() < 0.5 {
                    let base = self.sample(1.0);
                    (base, self.sample(factor))
                } else {
                    let head = self.sample(factor);
                    (self.sample(1.0), head)
                }
            })
            .unzip()
    }

    /// Pairs of both processes in several launches. Code layout changes all samples of a process by a factor with
    /// standard deviation `layout`.
    fn launches(
        &mut self,
        launches: usize,
        n: usize,
        factor: f64,
        layout: f64,
    ) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        (0..launches)
            .map(|_| {
                let luck = [self.normal(), self.normal()].map(|z| (layout * z).exp());
                let (base, head) = self.pairs(n, factor);
                let scaled = |side: Vec<f64>, luck: f64| side.iter().map(|s| s * luck).collect();
                (scaled(base, luck[0]), scaled(head, luck[1]))
            })
            .unzip()
    }

    /// All samples of one side, then all of the other: the design that pairing avoids.
    fn blocks(&mut self, n: usize) -> (Vec<f64>, Vec<f64>) {
        let mut block = || {
            (0..n)
                .map(|_| {
                    self.drift_on();
                    self.sample(1.0)
                })
                .collect()
        };
        (block(), block())
    }
}

/// Share of 200 experiments in which `alarm` is true.
fn share(mut alarm: impl FnMut(&mut Machine) -> bool) -> f64 {
    let alarms = (0..200)
        .filter(|seed| alarm(&mut Machine::new(*seed)))
        .count();
    alarms as f64 / 200.0
}

fn changed(pairs: &(Vec<f64>, Vec<f64>), threshold: f64) -> bool {
    let found = paired_ratio(&pairs.0, &pairs.1, threshold, SEED).unwrap();
    matches!(found.verdict, Verdict::Improved | Verdict::Regressed)
}

#[test]
fn few_false_alarms_under_drift() {
    let unpaired = share(|machine| {
        let (base, head) = machine.blocks(60);
        let ratio = Summary::of(&head).unwrap().median / Summary::of(&base).unwrap().median;
        (ratio - 1.0).abs() > 0.02
    });
    assert!(
        unpaired > 0.5,
        "the machine is too quiet to test anything: {unpaired}"
    );
    assert!(share(|machine| changed(&machine.pairs(60, 1.0), 0.02)) <= 0.01);
    assert!(share(|machine| changed(&machine.pairs(30, 1.0), 0.05)) <= 0.01);
}

#[test]
fn real_changes_are_found() {
    assert!(share(|machine| changed(&machine.pairs(60, 1.05), 0.02)) >= 0.99);
    assert!(share(|machine| changed(&machine.pairs(60, 1.03), 0.02)) >= 0.7);
    assert!(share(|machine| changed(&machine.pairs(30, 0.90), 0.05)) >= 0.99);
}

#[test]
fn equal_sides_are_unchanged_with_enough_pairs() {
    let unchanged = |machine: &mut Machine| {
        let (base, head) = machine.pairs(60, 1.0);
        paired_ratio(&base, &head, 0.02, SEED).unwrap().verdict == Verdict::Unchanged
    };
    assert!(share(unchanged) >= 0.95);
}

fn grouped((base, head): &(Vec<Vec<f64>>, Vec<Vec<f64>>), threshold: f64) -> PairedRatio {
    let of = |side: &[Vec<f64>], mode| {
        Measurement::of_launches("case", mode, Counter::CpuTime, side).unwrap()
    };
    PairedRatio::of(&of(base, "base"), &of(head, "head"), threshold).unwrap()
}

fn is_change(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Improved | Verdict::Regressed)
}

#[test]
fn launches_of_one_binary_rarely_differ() {
    // A layout effect of 2 %, as seen between two builds of one source.
    let pooled = share(|machine| {
        let (base, head) = machine.launches(5, 6, 1.0, 0.02);
        let found = paired_ratio(&base.concat(), &head.concat(), 0.0, SEED).unwrap();
        is_change(found.verdict)
    });
    assert!(
        pooled > 0.3,
        "layout matters too little to test anything: {pooled}"
    );
    let excludes_1 =
        share(|machine| is_change(grouped(&machine.launches(5, 6, 1.0, 0.02), 0.0).verdict));
    assert!(excludes_1 <= 0.08, "{excludes_1}");
    // At 4 % the threshold is two standard errors.
    for (layout, most) in [(0.0, 0.0), (0.02, 0.005), (0.04, 0.03)] {
        let alarms =
            share(|machine| is_change(grouped(&machine.launches(5, 6, 1.0, layout), 0.05).verdict));
        assert!(alarms <= most, "{alarms} at {layout}");
    }
}

#[test]
fn a_regression_between_binaries_is_found() {
    let found = |factor, layout| {
        share(|machine| {
            let launches = machine.launches(5, 6, factor, layout);
            grouped(&launches, 0.05).verdict == Verdict::Regressed
        })
    };
    let (quiet, usual) = (found(1.08, 0.002), found(1.08, 0.01));
    assert!(quiet >= 0.99, "{quiet}");
    assert!(usual >= 0.95, "{usual}");
}

#[test]
fn the_interval_of_launches_covers_the_true_ratio_in_about_19_of_20() {
    let holds = share(|machine| {
        let found = grouped(&machine.launches(5, 6, 1.03, 0.01), 0.05);
        found.low <= 1.03 && 1.03 <= found.high
    });
    assert!((0.91..=0.99).contains(&holds), "{holds}");
}

#[test]
fn few_launches_are_inconclusive() {
    let launches = |n: usize| (vec![vec![1.0; 6]; n], vec![vec![2.0; 6]; n]);
    let verdict = |n| grouped(&launches(n), 0.05).verdict;
    assert_eq!(verdict(MIN_LAUNCHES - 1), Verdict::Inconclusive);
    assert_eq!(verdict(MIN_LAUNCHES), Verdict::Regressed);
}

#[test]
fn swapped_launches_swap_the_interval() {
    let (base, head) = Machine::new(7).launches(5, 7, 1.1, 0.01);
    let there = grouped(&(base.clone(), head.clone()), 0.05);
    let back = grouped(&(head, base), 0.05);
    assert!((there.median * back.median - 1.0).abs() < 1e-12);
    assert!(
        (there.low * back.high - 1.0).abs() < 0.01,
        "{there:?} {back:?}"
    );
    assert_eq!(
        (there.verdict, back.verdict),
        (Verdict::Regressed, Verdict::Improved)
    );
}

#[test]
fn mismatched_launches_give_no_ratio() {
    let of = |launches: &[Vec<f64>]| {
        Measurement::of_launches("case", "mode", Counter::CpuTime, launches).unwrap()
    };
    let two = of(&[vec![1.0; 3], vec![1.0; 3]]);
    assert_eq!(two.by_launch(), [[1.0; 3], [1.0; 3]]);
    for other in [
        of(&[vec![1.0; 6]]),
        of(&[vec![1.0; 2], vec![1.0; 4]]),
        of(&[vec![1.0; 3], vec![0.0; 3]]),
        Measurement::new("case", "mode", Counter::CpuTime, vec![1.0; 6]).unwrap(),
    ] {
        assert_eq!(PairedRatio::of(&two, &other, 0.05), None);
    }
}

/// Other load slows single launches of one side down by a third.
#[test]
fn disturbed_launches_neither_cause_nor_hide_a_change() {
    let of = |factor: f64, disturbed: &[usize]| {
        let launch = |l: usize, factor: f64| {
            let noise = |i: usize| 1.0 + 0.002 * ((i * 7 + l * 3) % 5) as f64;
            (0..4)
                .map(|i| 100.0 * factor * noise(i))
                .collect::<Vec<_>>()
        };
        let slow = |l: usize| if disturbed.contains(&l) { 1.33 } else { 1.0 };
        let base = (0..10).map(|l| launch(l, 1.0)).collect();
        let head = (0..10).map(|l| launch(l, factor * slow(l))).collect();
        grouped(&(base, head), 0.05)
    };
    assert_eq!(of(1.0, &[2, 7]).verdict, Verdict::Unchanged);
    assert_eq!(of(1.08, &[2, 7]).verdict, Verdict::Regressed);
    // Four disturbed launches of ten make the result inconclusive.
    assert_eq!(of(1.0, &[1, 2, 6, 7]).verdict, Verdict::Inconclusive);
}

/// A run of six launches beside a control, and a later one on a machine of another speed.
fn controlled(machine: &mut Machine, factor: f64, speed: f64) -> Controlled {
    let mut run = |factor: f64, speed: f64| {
        let (control, measured) = machine.launches(6, 6, factor, 0.01);
        let of = |side: Vec<Vec<f64>>, mode| {
            let side: Vec<Vec<f64>> = side
                .into_iter()
                .map(|launch| launch.into_iter().map(|it| it * speed).collect())
                .collect();
            Measurement::of_launches("case", mode, Counter::CpuTime, &side).unwrap()
        };
        (of(control, "control"), of(measured, "measured"))
    };
    let (base, head) = (run(0.5, 1.0), run(0.5 * factor, speed));
    controlled_ratio((&base.0, &base.1), (&head.0, &head.1), 0.05).unwrap()
}

#[test]
fn beside_a_control_the_speed_of_the_machine_cancels_out() {
    let found = |factor, speed, verdict| {
        share(|machine| {
            let ratio = controlled(machine, factor, speed).ratio;
            ratio.is_some_and(|it| it.verdict == verdict)
        })
    };
    let alarms = found(1.0, 1.08, Verdict::Regressed) + found(1.0, 0.93, Verdict::Improved);
    assert!(alarms <= 0.01, "{alarms}");
    let slower = found(1.08, 0.95, Verdict::Regressed);
    assert!(slower >= 0.9, "{slower}");
    let covers = share(|machine| {
        let found = controlled(machine, 1.03, 1.05).ratio.unwrap();
        found.low <= 1.03 && 1.03 <= found.high
    });
    assert!((0.91..=0.99).contains(&covers), "{covers}");
}

/// Load slows both programs down in some launches of the head, the measured one by more.
#[test]
fn disturbed_launches_are_left_out_beside_a_control() {
    let of = |factor: f64, disturbed: usize| {
        let run = |factor: f64, disturbed: usize| {
            let side = |value: f64, load: f64| {
                let launch = |l: usize| {
                    let load = if l < disturbed { load } else { 1.0 };
                    let noise = |i: usize| 1.0 + 0.002 * ((i * 7 + l * 3) % 5) as f64;
                    (0..6).map(|i| value * load * noise(i)).collect()
                };
                let launches: Vec<Vec<f64>> = (0..8).map(launch).collect();
                Measurement::of_launches("case", "mode", Counter::CpuTime, &launches).unwrap()
            };
            (side(100.0, 1.6), side(50.0 * factor, 1.9))
        };
        let (base, head) = (run(1.0, 0), run(factor, disturbed));
        let found = controlled_ratio((&base.0, &base.1), (&head.0, &head.1), 0.05).unwrap();
        assert_eq!((found.launches, found.left_out), (16, disturbed));
        found.ratio.map(|it| it.verdict)
    };
    assert_eq!(of(1.0, 3), Some(Verdict::Unchanged));
    assert_eq!(of(1.08, 3), Some(Verdict::Regressed));
    // Too few are left.
    assert_eq!(of(1.08, 4), Some(Verdict::Inconclusive));
}

#[test]
fn few_launches_beside_a_control_decide_nothing() {
    let run = |launches: usize, value: f64| {
        let side = vec![vec![value; 6]; launches];
        Measurement::of_launches("case", "mode", Counter::CpuTime, &side).unwrap()
    };
    let of = |launches| {
        let (control, base, head) = (run(launches, 1.0), run(launches, 1.0), run(launches, 2.0));
        controlled_ratio((&control, &base), (&control, &head), 0.05)?
            .ratio
            .map(|it| it.verdict)
    };
    assert_eq!(of(1), None);
    assert_eq!(of(MIN_LAUNCHES - 1), Some(Verdict::Inconclusive));
    assert_eq!(of(MIN_LAUNCHES), Some(Verdict::Regressed));
}

#[test]
fn launches_to_decide_narrow_the_interval_enough() {
    let needed = |median: f64, reach: f64| {
        let verdict = verdict(median, median / reach, median * reach, 0.05);
        let (low, high) = (median / reach, median * reach);
        launches_to_decide(
            &PairedRatio {
                median,
                low,
                high,
                verdict,
            },
            10,
            0.05,
        )
    };
    assert_eq!(needed(1.2, 1.01), None, "decided");
    // The interval must exclude 1: from 10 to 8 %, so 1.56 times the launches.
    assert_eq!(needed(1.08, 1.1), Some(16));
    // It must lie within 5 %.
    assert_eq!(needed(1.0, 1.1), Some(39));
    assert_eq!(needed(1.049, 1.1), None, "too near the threshold");
    assert_eq!(needed(1.06, 1.061), Some(11));
}

#[test]
fn samples_of_two_levels_are_told_from_noisy_ones() {
    let level = |median: f64, n: usize| {
        (0..n).map(move |i| median * (1.0 + 0.01 * ((i * 7 % 11) as f64 / 5.0 - 1.0)))
    };
    let both: Vec<_> = level(100.0, 20).chain(level(180.0, 16)).collect();
    let (low, high) = two_levels(&both).unwrap();
    assert!((99.0..101.0).contains(&low) && (178.0..182.0).contains(&high));
    let one: Vec<_> = level(100.0, 36).collect();
    assert_eq!(two_levels(&one), None);
    // A few disturbed samples are no level.
    let disturbed: Vec<_> = level(100.0, 32).chain(level(180.0, 4)).collect();
    assert_eq!(two_levels(&disturbed), None);
    assert_eq!(two_levels(&[1.0, 2.0]), None);
}

proptest! {
    /// Of noise with one level, hardly any is taken for two.
    #[test]
    fn noise_has_one_level(draws in proptest::collection::vec(0.0f64..1.0, 50 * 36 * 12)) {
        let found = draws
            .chunks(36 * 12)
            .filter(|draws| {
                let normal = draws.chunks(12).map(|draws| draws.iter().sum::<f64>() - 6.0);
                let samples: Vec<_> = normal.map(|x| 100.0 * (1.0 + 0.05 * x)).collect();
                two_levels(&samples).is_some()
            })
            .count();
        prop_assert!(found <= 2, "{found} of 50");
    }
}
