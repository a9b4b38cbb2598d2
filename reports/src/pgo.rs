//! The evaluation of a profile-guided build, schema `evmscope/pgo/1`: what was trained, what was compared, and the
//! verdict for each mode.
//!
//! Data model and verdict only: the profiler builds and measures, `render::pgo` renders.

use crate::run::{Measurement, Rig, Unavailable, Verdict};
use crate::stats::{self, PairedRatio};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The value of [`PgoReport::schema`].
pub const SCHEMA: &str = "evmscope/pgo/1";

/// The evaluation of one profile-guided build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PgoReport {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// When it was made, RFC 3339, UTC.
    pub created: String,
    /// The machine, and the measuring build.
    pub rig: Rig,
    /// The profile.
    pub profile: ProfileFacts,
    /// How often each binary was launched.
    pub launches: usize,
    /// Timed pairs per case, mode and launch.
    pub pairs: usize,
    /// Threshold of the verdicts: 0.02 is 2 %.
    pub threshold: f64,
    /// The build without a profile.
    pub release: Sizes,
    /// The optimised build against it.
    #[serde(flatten)]
    pub proof: Proof,
    /// The same for the optimised build after BOLT, if requested.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bolt: Option<Proof>,
    /// Counters that are unavailable on this machine, and why.
    pub unavailable: Vec<Unavailable>,
}

/// One binary against the release build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// Its sizes.
    pub optimized: Sizes,
    /// Cases that the profile was trained on.
    pub training: Vec<Comparison>,
    /// The other cases.
    pub heldout: Vec<Comparison>,
    /// The geometric means of each mode.
    pub means: Vec<ModeMeans>,
    /// The verdict of each mode, from the held-out cases.
    pub verdicts: BTreeMap<String, Outcome>,
}

/// One case in one mode: time of the optimised build over time of the release build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Name of the case.
    pub case: String,
    /// `traditional` or `advanced`.
    pub mode: String,
    /// Median of the paired ratios; below 1 the optimised build is faster.
    pub median: f64,
    /// Lower end of the 95 % interval of the median.
    pub low: f64,
    /// Upper end of that interval.
    pub high: f64,
    /// Simulated instructions of the optimised build over those of the release build; absent if not simulated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instructions: Option<f64>,
    /// Functions whose simulated instructions changed most, if the case became slower.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub changed: Vec<ChangedFunction>,
    /// The raw times of the release build.
    pub release: Measurement,
    /// The raw times of the optimised build, paired with those of the release build.
    pub optimized: Measurement,
}

/// A function whose instruction count changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangedFunction {
    /// Its path.
    pub function: String,
    /// Simulated instructions per call of the case in the release build, callees excluded.
    pub release: u64,
    /// The same in the optimised build.
    pub optimized: u64,
}

/// A geometric mean of ratios, with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The mean of the cases' medians.
    pub median: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of that interval.
    pub high: f64,
    /// What the interval supports.
    pub verdict: Verdict,
}

/// The means of one mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModeMeans {
    /// `traditional` or `advanced`.
    pub mode: String,
    /// Over the training cases.
    pub training: Option<Mean>,
    /// Over the held-out cases.
    pub heldout: Option<Mean>,
    /// Simulated instructions over the held-out cases, if all were simulated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub heldout_instructions: Option<f64>,
}

/// The effect of a profile on a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Faster by more than the threshold, and the whole interval is below 1.
    Helps,
    /// Slower by more than the threshold, and the whole interval is above 1.
    Hurts,
    /// Any difference is within the threshold.
    NoEffect,
    /// Neither times nor simulated instructions decide.
    Undecided,
}

impl Outcome {
    /// The wording in reports.
    pub fn words(self) -> &'static str {
        match self {
            Outcome::Helps => "helps",
            Outcome::Hurts => "hurts",
            Outcome::NoEffect => "no effect",
            Outcome::Undecided => "undecided",
        }
    }
}

/// How the profile was made, and how well it matched the build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileFacts {
    /// The training runs; empty if existing profiles were merged.
    pub runs: Vec<Trained>,
    /// How much of the program ran.
    pub coverage: Coverage,
    /// The hottest functions.
    pub hottest: Vec<HotFunction>,
    /// Functions that the build did not find in the profile.
    pub missing: usize,
    /// Functions whose body differs from the profiled one.
    pub mismatched: usize,
    /// A build is refused if `missing` and `mismatched` exceed this share of the profile's functions.
    pub limit: f64,
}

/// A case that was run for the profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// Name of the case.
    pub case: String,
    /// The mode.
    pub mode: String,
    /// How often it was called.
    pub calls: u64,
    /// Factor applied to its counts.
    pub weight: u32,
}

/// How much of the program ran in training.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Functions of the program.
    pub functions: usize,
    /// Functions that ran.
    pub functions_run: usize,
    /// Instrumented blocks.
    pub blocks: usize,
    /// Blocks that ran.
    pub blocks_run: usize,
    /// The opcode handlers of each mode.
    pub handlers: Vec<Handlers>,
}

/// The opcode handlers of one mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handlers {
    /// `traditional` or `advanced`.
    pub mode: String,
    /// How many opcodes have a handler.
    pub all: usize,
    /// Opcodes whose handlers never ran.
    pub untrained: Vec<String>,
}

/// A function by the count of its hottest block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HotFunction {
    /// Its path.
    pub function: String,
    /// Executions of that block in training, weighted.
    pub count: u64,
}

/// Sizes of a binary, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// The file.
    pub file: u64,
    /// All code.
    pub code: u64,
    /// Code of functions that a profile found hot.
    pub hot: u64,
    /// Code of functions and parts that the compiler marked as cold.
    pub cold: u64,
    /// Whether BOLT laid it out.
    #[serde(default)]
    pub bolt: bool,
}

impl Comparison {
    /// Compares the times of one case and mode in both builds. `None` if there is no ratio, see
    /// [`PairedRatio::of`].
    pub fn new(release: Measurement, optimized: Measurement, threshold: f64) -> Option<Comparison> {
        let PairedRatio {
            median, low, high, ..
        } = PairedRatio::of(&release, &optimized, threshold)?;
        Some(Comparison {
            case: release.case.clone(),
            mode: release.mode.clone(),
            median,
            low,
            high,
            instructions: None,
            changed: Vec::new(),
            release,
            optimized,
        })
    }
}

impl Proof {
    /// Means and verdicts of the comparisons, by mode in the order of appearance.
    pub fn new(
        optimized: Sizes,
        training: Vec<Comparison>,
        heldout: Vec<Comparison>,
        threshold: f64,
    ) -> Proof {
        let mut modes: Vec<&str> = Vec::new();
        for comparison in training.iter().chain(&heldout) {
            if !modes.contains(&&*comparison.mode) {
                modes.push(&comparison.mode);
            }
        }
        let means: Vec<_> = modes
            .iter()
            .map(|mode| ModeMeans {
                mode: (*mode).to_owned(),
                training: mean(&training, mode, threshold),
                heldout: mean(&heldout, mode, threshold),
                heldout_instructions: instructions(&heldout, mode),
            })
            .collect();
        let verdicts = means
            .iter()
            .map(|means| (means.mode.clone(), outcome(means, threshold)))
            .collect();
        Proof {
            optimized,
            training,
            heldout,
            means,
            verdicts,
        }
    }
}

/// The geometric mean of a mode's ratios.
fn mean(comparisons: &[Comparison], mode: &str, threshold: f64) -> Option<Mean> {
    let cases: Vec<_> = comparisons
        .iter()
        .filter(|comparison| comparison.mode == mode)
        .map(|comparison| (&comparison.release, &comparison.optimized))
        .collect();
    let PairedRatio {
        median,
        low,
        high,
        verdict,
    } = stats::mean_of_cases(&cases, threshold)?;
    Some(Mean {
        median,
        low,
        high,
        verdict,
    })
}

fn instructions(comparisons: &[Comparison], mode: &str) -> Option<f64> {
    let of_mode = comparisons
        .iter()
        .filter(|comparison| comparison.mode == mode);
    let logarithms = of_mode
        .map(|comparison| comparison.instructions.map(f64::ln))
        .collect::<Option<Vec<_>>>()?;
    let n = logarithms.len();
    (n > 0).then(|| (logarithms.iter().sum::<f64>() / n as f64).exp())
}

/// The verdict by time; if that is inconclusive, by simulated instructions, provided they agree with the direction of
/// the median.
fn outcome(means: &ModeMeans, threshold: f64) -> Outcome {
    let Some(Mean {
        median, verdict, ..
    }) = means.heldout
    else {
        return Outcome::Undecided;
    };
    match verdict {
        Verdict::Improved => return Outcome::Helps,
        Verdict::Regressed => return Outcome::Hurts,
        Verdict::Unchanged => return Outcome::NoEffect,
        Verdict::Inconclusive => {}
    }
    let ceiling = 1.0 + threshold;
    let within = ceiling.recip()..=ceiling;
    match means.heldout_instructions {
        Some(ratio) if within.contains(&ratio) && within.contains(&median) => Outcome::NoEffect,
        Some(ratio) if ratio < *within.start() && median < 1.0 => Outcome::Helps,
        Some(ratio) if ratio > *within.end() && median > 1.0 => Outcome::Hurts,
        _ => Outcome::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter::Counter;

    fn of(case: &str, ratios: [f64; 6], instructions: Option<f64>) -> Comparison {
        let launch = |ratio: f64| (0..5).map(|i| (100.0 + f64::from(i)) * ratio).collect();
        let measured = |ratios: [f64; 6]| {
            let launches: Vec<Vec<f64>> = ratios.map(launch).into();
            Measurement::of_launches(case, "advanced", Counter::CpuTime, &launches).unwrap()
        };
        Comparison {
            instructions,
            ..Comparison::new(measured([1.0; 6]), measured(ratios), 0.02).unwrap()
        }
    }

    fn comparison(case: &str, ratio: f64, instructions: Option<f64>) -> Comparison {
        let ratios = [0.999, 1.001, 1.0, 0.998, 1.002, 1.0].map(|noise| noise * ratio);
        of(case, ratios, instructions)
    }

    fn verdict(heldout: Vec<Comparison>) -> Outcome {
        Proof::new(Sizes::default(), vec![], heldout, 0.02).verdicts["advanced"]
    }

    #[test]
    fn each_verdict_is_reached() {
        assert_eq!(verdict(vec![comparison("a", 0.9, None)]), Outcome::Helps);
        assert_eq!(verdict(vec![comparison("a", 1.1, None)]), Outcome::Hurts);
        assert_eq!(
            verdict(vec![comparison("a", 1.01, None)]),
            Outcome::NoEffect
        );
        // One case up, one down: the mean decides.
        let balanced = vec![comparison("a", 0.8, None), comparison("b", 1.25, None)];
        assert_eq!(verdict(balanced), Outcome::NoEffect);
    }

    #[test]
    fn instructions_decide_only_if_times_do_not() {
        let noisy = |instructions| of("a", [0.85, 0.93, 0.99, 1.0, 1.05, 1.14], instructions);
        assert_eq!(verdict(vec![noisy(None)]), Outcome::Undecided);
        assert_eq!(verdict(vec![noisy(Some(0.95))]), Outcome::Helps);
        assert_eq!(verdict(vec![noisy(Some(1.0))]), Outcome::NoEffect);
        // The median is below 1, so more instructions do not decide.
        assert_eq!(verdict(vec![noisy(Some(1.1))]), Outcome::Undecided);
        assert_eq!(
            verdict(vec![comparison("a", 0.9, Some(1.2))]),
            Outcome::Helps
        );
    }

    #[test]
    fn without_held_out_cases_the_verdict_is_undecided() {
        let trained = vec![comparison("a", 0.5, None)];
        let proof = Proof::new(Sizes::default(), trained, vec![], 0.02);
        assert_eq!(proof.verdicts["advanced"], Outcome::Undecided);
    }
}
