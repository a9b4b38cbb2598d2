//! What was measured of one of several builds, and the run that it becomes.

use super::plan::Plan;
use super::process::{Build, BuildError};
use super::protocol::{Counted, Opened};
use crate::measure::record;
use anyhow::Result;
use evmscope_reports::Run;
use evmscope_reports::counter::Counter;
use evmscope_reports::run::{Measurement, Unavailable};
use std::path::PathBuf;

/// The samples of one build by case and mode.
pub struct Side {
    pub path: PathBuf,
    run: Run,
    /// CPU time per call, ns: by case and mode in the order of the plan, then by launch.
    samples: Vec<Vec<Vec<f64>>>,
    /// Page faults per call of each sample, by case and mode.
    faults: Vec<Vec<Option<f64>>>,
    /// Hardware counters: by case and mode, then by launch.
    counted: Vec<Vec<Counted>>,
}

impl Side {
    pub fn new(path: PathBuf, plan: &Plan) -> Side {
        Side {
            path,
            run: record::new_run(None, plan.settings, plan.calls),
            samples: vec![Vec::new(); plan.cases.len() * plan.modes.len()],
            faults: vec![Vec::new(); plan.cases.len() * plan.modes.len()],
            counted: vec![Vec::new(); plan.cases.len() * plan.modes.len()],
        }
    }

    pub fn launch(&mut self) -> Result<Build, BuildError> {
        let build = Build::launch(&self.path)?;
        self.run.rig = build.rig().clone();
        Ok(build)
    }

    /// Takes the results of a case that a launch opened.
    pub fn opened(&mut self, case: &str, opened: Vec<Opened>) {
        for it in &opened {
            record::add_engine(&mut self.run, &it.result.mode, &it.version);
        }
        if !self.run.results.iter().any(|result| result.case == case) {
            self.run
                .results
                .extend(opened.into_iter().map(|it| it.result));
        }
    }

    /// Takes the samples of one launch at a place: CPU time per call, ns, and page faults per call.
    pub fn sampled(&mut self, place: usize, samples: Vec<(f64, Option<f64>)>) {
        let (times, faults): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
        self.samples[place].push(times);
        self.faults[place].extend(faults);
    }

    /// Takes the hardware counters of one launch at a place.
    pub fn counted(&mut self, place: usize, counted: Counted) {
        self.counted[place].push(counted);
    }

    /// The run, without figures of the places where `out` is true.
    pub fn finish(mut self, plan: &Plan, out: &[bool]) -> Result<Run> {
        let figures = self.samples.iter().zip(&self.faults).zip(&self.counted);
        let places = plan.places().zip(out).zip(figures);
        for (((case, mode), _), ((samples, faults), counted)) in
            places.filter(|((_, out), _)| !**out)
        {
            let measured = Measurement::of_launches(case, mode, Counter::CpuTime, samples)?;
            let all: Option<f64> = faults.iter().copied().sum();
            self.run.measurements.push(Measurement {
                faults: all.map(|all| all / faults.len().max(1) as f64),
                ..measured
            });
            let (measured, missing) = counters(case, mode, counted)?;
            self.run.measurements.extend(measured);
            for missing in missing {
                add_missing(&mut self.run, missing);
            }
        }
        Ok(self.run)
    }
}

/// Joins the counts of several launches: counters that all launches have, and the others with the reason.
fn counters(
    case: &str,
    mode: &str,
    launches: &[Counted],
) -> Result<(Vec<Measurement>, Vec<Unavailable>)> {
    let (mut measured, mut missing) = (Vec::new(), Vec::new());
    for &counter in Counter::ALL {
        let of = |launch: &'_ Counted| {
            let mut found = launch.measurements.iter();
            found.find(|it| it.counter == counter).cloned()
        };
        let found: Vec<_> = launches.iter().filter_map(of).collect();
        let reasons = launches.iter().flat_map(|launch| &launch.unavailable);
        let reason = reasons.clone().find(|it| it.counter == counter);
        if let Some(reason) = reason
            && found.len() < launches.len()
        {
            let lost = launches.len() - found.len();
            missing.push(Unavailable {
                counter,
                reason: match found.is_empty() {
                    true => reason.reason.clone(),
                    false => format!(
                        "in {lost} of {} launches: {}",
                        launches.len(),
                        reason.reason
                    ),
                },
            });
        } else if !found.is_empty() && found.len() == launches.len() {
            let samples: Vec<_> = found.iter().map(|it| it.samples.clone()).collect();
            let mut joined = Measurement::of_launches(case, mode, counter, &samples)?;
            let coverages = found.iter().filter_map(|it| it.coverage);
            joined.coverage = coverages.reduce(f64::min);
            measured.push(joined);
        }
    }
    Ok((measured, missing))
}

/// Adds it once: the reason is mostly the same for all cases.
pub fn add_missing(run: &mut Run, missing: Unavailable) {
    if !run.unavailable.contains(&missing) {
        run.unavailable.push(missing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(cycles: Option<(f64, Option<f64>)>) -> Counted {
        let measured = |(value, coverage)| {
            let samples = vec![value, value + 1.0];
            let mut one = Measurement::new("case", "advanced", Counter::Cycles, samples).unwrap();
            one.coverage = coverage;
            one
        };
        let missing = |counter| Unavailable {
            counter,
            reason: "starved".to_owned(),
        };
        let mut unavailable = vec![missing(Counter::Branches)];
        unavailable.extend(cycles.is_none().then(|| missing(Counter::Cycles)));
        Counted {
            measurements: cycles.map(measured).into_iter().collect(),
            unavailable,
        }
    }

    #[test]
    fn counters_of_all_launches_are_joined_and_others_give_the_reason() {
        let all = [launch(Some((10.0, None))), launch(Some((20.0, Some(0.5))))];
        let (measured, missing) = counters("case", "advanced", &all).unwrap();
        let [cycles] = &measured[..] else {
            panic!("{measured:?}")
        };
        assert_eq!(cycles.samples, [10.0, 11.0, 20.0, 21.0]);
        assert_eq!(
            (&*cycles.launches, cycles.coverage),
            (&[2, 2][..], Some(0.5))
        );
        assert_eq!(missing, [all[0].unavailable[0].clone()]);

        let (measured, missing) = counters(
            "case",
            "advanced",
            &[launch(Some((10.0, None))), launch(None)],
        )
        .unwrap();
        assert!(measured.is_empty());
        let reasons: Vec<_> = missing.iter().map(|it| it.reason.as_str()).collect();
        assert_eq!(reasons, ["in 1 of 2 launches: starved", "starved"]);

        // A build too old to count.
        let nothing = counters("case", "advanced", &[Counted::default()]).unwrap();
        assert_eq!(nothing, (vec![], vec![]));
    }
}
