//! Joins two sides per case and counter, including counters that vanished or are new.
//!
//! A side is one mode of one run: two modes of the same run are compared, or one mode of two runs.
//! [`stats`](crate::stats) decides whether a difference is significant.

use crate::counter::Counter;
use crate::run::{Measurement, Run};
use serde::{Deserialize, Serialize};

/// A value of two sides that may be missing on one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delta<T> {
    /// Both sides have it.
    Both {
        /// The side compared against.
        base: T,
        /// The side under test.
        head: T,
    },
    /// Only the base has it: it vanished.
    OnlyBase(T),
    /// Only the head has it: it is new.
    OnlyHead(T),
}

impl<T> Delta<T> {
    /// Joins what two sides have; `None` if neither has it.
    pub fn join(base: Option<T>, head: Option<T>) -> Option<Self> {
        match (base, head) {
            (Some(base), Some(head)) => Some(Self::Both { base, head }),
            (Some(base), None) => Some(Self::OnlyBase(base)),
            (None, Some(head)) => Some(Self::OnlyHead(head)),
            (None, None) => None,
        }
    }

    /// The base's value, if it has one.
    pub fn base(&self) -> Option<&T> {
        match self {
            Self::Both { base, .. } | Self::OnlyBase(base) => Some(base),
            Self::OnlyHead(_) => None,
        }
    }

    /// The head's value, if it has one.
    pub fn head(&self) -> Option<&T> {
        match self {
            Self::Both { head, .. } | Self::OnlyHead(head) => Some(head),
            Self::OnlyBase(_) => None,
        }
    }
}

/// One mode of one run.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The run that holds it.
    pub run: &'a Run,
    /// Name of the mode.
    pub mode: &'a str,
}

impl<'a> Side<'a> {
    fn measurement(self, case: &str, counter: Counter) -> Option<&'a Measurement> {
        self.run.measurement(case, self.mode, counter)
    }
}

/// One counter of one case on two sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry<'a> {
    /// Name of the case.
    pub case: &'a str,
    /// Which counter.
    pub counter: Counter,
    /// The measurements of both sides, or of the one that has it.
    pub delta: Delta<&'a Measurement>,
}

/// Every counter that either side has: cases in the order of the base, then those only in the head; counters in the
/// order of [`Counter::ALL`].
pub fn diff<'a>(base: Side<'a>, head: Side<'a>) -> Vec<Entry<'a>> {
    let mut cases = base.run.cases();
    let new: Vec<&str> = head
        .run
        .cases()
        .into_iter()
        .filter(|c| !cases.contains(c))
        .collect();
    cases.extend(new);
    cases
        .into_iter()
        .flat_map(|case| {
            Counter::ALL.iter().filter_map(move |&counter| {
                let measurements = (
                    base.measurement(case, counter),
                    head.measurement(case, counter),
                );
                let delta = Delta::join(measurements.0, measurements.1)?;
                Some(Entry {
                    case,
                    counter,
                    delta,
                })
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::SCHEMA;

    fn run(measured: &[(&str, &str, Counter, f64)]) -> Run {
        let measurements = measured
            .iter()
            .map(|&(case, mode, counter, value)| {
                Measurement::new(case, mode, counter, vec![value]).unwrap()
            })
            .collect();
        Run {
            schema: SCHEMA.to_owned(),
            measurements,
            ..Run::default()
        }
    }

    fn seen<'a>(entries: &[Entry<'a>]) -> Vec<(&'a str, Counter, Delta<f64>)> {
        let median = |m: Option<&&Measurement>| m.map(|m| m.median);
        entries
            .iter()
            .map(|e| {
                let delta = Delta::join(median(e.delta.base()), median(e.delta.head())).unwrap();
                (e.case, e.counter, delta)
            })
            .collect()
    }

    #[test]
    fn two_modes_of_one_run() {
        let run = run(&[
            ("a", "x", Counter::SimInstructions, 9.0),
            ("a", "x", Counter::CpuTime, 2.0),
            ("a", "y", Counter::CpuTime, 1.0),
            ("a", "y", Counter::Cycles, 5.0),
            ("a", "z", Counter::Branches, 7.0),
        ]);
        let entries = diff(
            Side {
                run: &run,
                mode: "x",
            },
            Side {
                run: &run,
                mode: "y",
            },
        );
        assert_eq!(
            seen(&entries),
            [
                (
                    "a",
                    Counter::CpuTime,
                    Delta::Both {
                        base: 2.0,
                        head: 1.0
                    }
                ),
                ("a", Counter::Cycles, Delta::OnlyHead(5.0)),
                ("a", Counter::SimInstructions, Delta::OnlyBase(9.0)),
            ]
        );
    }

    #[test]
    fn one_mode_of_two_runs() {
        let base = run(&[
            ("b", "x", Counter::CpuTime, 2.0),
            ("a", "x", Counter::CpuTime, 3.0),
        ]);
        let head = run(&[
            ("c", "x", Counter::CpuTime, 4.0),
            ("a", "x", Counter::CpuTime, 5.0),
        ]);
        let entries = diff(
            Side {
                run: &base,
                mode: "x",
            },
            Side {
                run: &head,
                mode: "x",
            },
        );
        assert_eq!(
            seen(&entries),
            [
                ("b", Counter::CpuTime, Delta::OnlyBase(2.0)),
                (
                    "a",
                    Counter::CpuTime,
                    Delta::Both {
                        base: 3.0,
                        head: 5.0
                    }
                ),
                ("c", Counter::CpuTime, Delta::OnlyHead(4.0)),
            ]
        );
    }
}
