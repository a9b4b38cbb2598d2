//! Finds which counters open on this machine and which fit the PMU together; counts the work once per group.

use super::kernel::{Access, EventGroup, Kernel, ReadUsage, Refused, Snapshot, access};
use super::refusal::{Circumstances, Refusal};
use super::{Counted, Reading};
use evmscope_reports::counter::{Counter, Source};
use evmscope_reports::run::Unavailable;
use nix::errno::Errno;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// The counters that this machine offers.
///
/// Each event is opened alone: one that fails inside a group makes the group unusable, and the errno of a group's
/// member is ambiguous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Counters that open, in the order of [`Counter::ALL`].
    pub available: Vec<Counter>,
    /// The other hardware and software counters, with the reason.
    pub unavailable: Vec<Unavailable>,
}

impl Probe {
    /// Tries every hardware and software counter except CPU time, which `clock` measures.
    pub fn new(kernel: &impl Kernel) -> Self {
        let attempts: Vec<_> = Counter::ALL
            .iter()
            .filter_map(|&counter| Some((counter, attempt(kernel, counter)?)))
            .collect();
        let circumstances = Circumstances {
            pmu: attempts
                .iter()
                .any(|(counter, outcome)| counter.source() == Source::Hardware && outcome.is_ok()),
            paranoid: kernel.paranoid(),
            hybrid: kernel.hybrid(),
        };
        let mut probe = Self {
            available: Vec::new(),
            unavailable: Vec::new(),
        };
        for (counter, outcome) in attempts {
            match outcome {
                Ok(()) => probe.available.push(counter),
                Err(errno) => probe
                    .unavailable
                    .push(because(counter, Refusal::new(errno, circumstances))),
            }
        }
        probe
    }
}

/// Whether `counter` opens; `None` if another instrument measures it.
fn attempt(kernel: &impl Kernel, counter: Counter) -> Option<Result<(), Errno>> {
    match access(counter) {
        Access::Usage(_) => Some(kernel.usage().map(drop)),
        Access::Event(_) => Some(match kernel.open(&[counter]) {
            Ok(_) => Ok(()),
            Err(refused) => Err(refused.errno),
        }),
        Access::Elsewhere => None,
    }
}

/// Counters in groups that fit the PMU. One pass over the work counts one group, so that the kernel need not
/// multiplex. If it still does, values are scaled and the coverage is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    groups: Vec<Vec<Counter>>,
    /// Counters read from [`Kernel::usage`], with their accessors.
    usage: Vec<(Counter, ReadUsage)>,
    circumstances: Circumstances,
    /// What will not be counted: the probe's list, and counters that no group could run.
    pub unavailable: Vec<Unavailable>,
}

impl Plan {
    /// Groups the counters of `probe`; tries on the kernel how many fit together.
    pub fn new(kernel: &impl Kernel, probe: &Probe) -> Self {
        let (mut software, mut hardware, mut usage) = (Vec::new(), Vec::new(), Vec::new());
        for &counter in &probe.available {
            match access(counter) {
                Access::Event(_) if counter.source() == Source::Software => software.push(counter),
                Access::Event(_) => hardware.push(counter),
                Access::Usage(read) => usage.push((counter, read)),
                Access::Elsewhere => {}
            }
        }
        let mut plan = Self {
            groups: Vec::new(),
            usage,
            circumstances: Circumstances {
                pmu: !hardware.is_empty(),
                paranoid: kernel.paranoid(),
                hybrid: kernel.hybrid(),
            },
            unavailable: probe.unavailable.clone(),
        };
        plan.add(kernel, &software);
        plan.add(kernel, &hardware);
        plan
    }

    /// Number of passes over the work that one [`Plan::count`] makes.
    pub fn passes(&self) -> usize {
        self.groups.len() + usize::from(!self.usage.is_empty())
    }

    /// Adds `counters` in as few groups as the PMU allows.
    fn add(&mut self, kernel: &impl Kernel, counters: &[Counter]) {
        let (first, rest) = match fit(kernel, counters) {
            Fit::Nothing => return,
            Fit::Counts(n) => {
                self.groups.push(counters[..n].to_vec());
                (&[][..], &counters[n..])
            }
            // The kernel validates a group against an idle PMU. If other users hold a part of it, a smaller group
            // may still be scheduled.
            Fit::NeverRuns(n) if n > 1 => {
                let (left, right) = counters.split_at(n.div_ceil(2));
                (left, right)
            }
            Fit::NeverRuns(n) => {
                self.give_up(&counters[..n], Refusal::Starved);
                (&[][..], &counters[n..])
            }
            Fit::Refused(n, errno) => {
                let refusal = Refusal::new(errno, self.circumstances);
                self.give_up(&counters[..n], refusal);
                (&[][..], &counters[n..])
            }
        };
        self.add(kernel, first);
        self.add(kernel, rest);
    }

    fn give_up(&mut self, counters: &[Counter], refusal: Refusal) {
        let lost = counters.iter().map(|&counter| because(counter, refusal));
        self.unavailable.extend(lost);
    }

    /// Runs `work` `calls` times per group and returns figures per call.
    ///
    /// A figure is the difference of two readings of a group opened for this pass. A group that was never
    /// scheduled onto the PMU yields a reason instead of a figure.
    pub fn count(&self, kernel: &impl Kernel, work: &mut dyn Work, calls: NonZeroU32) -> Counted {
        let mut counted = Counted::default();
        for members in &self.groups {
            work.prepare();
            match pass(kernel, members, &mut || run(work, calls)) {
                Ok(delta) => delta.read_into(members, calls, &mut counted),
                Err(errno) => {
                    let refusal = Refusal::new(errno, self.circumstances);
                    let lost = members.iter().map(|&counter| because(counter, refusal));
                    counted.unavailable.extend(lost);
                }
            }
        }
        if !self.usage.is_empty() {
            work.prepare();
            self.count_usage(kernel, &mut || run(work, calls), calls, &mut counted);
        }
        counted
    }

    fn count_usage(
        &self,
        kernel: &impl Kernel,
        run: &mut dyn FnMut(),
        calls: NonZeroU32,
        counted: &mut Counted,
    ) {
        let before = kernel.usage();
        run();
        let after = kernel.usage();
        for &(counter, read) in &self.usage {
            match (before, after) {
                (Ok(before), Ok(after)) => counted.readings.push(Reading {
                    counter,
                    value: (read(&after) - read(&before)) as f64 / f64::from(calls.get()),
                    coverage: 1.0,
                }),
                (Err(errno), _) | (_, Err(errno)) => counted
                    .unavailable
                    .push(because(counter, Refusal::new(errno, self.circumstances))),
            }
        }
    }
}

/// The work of a pass.
pub trait Work {
    /// Gets the calls of a pass ready. Not counted.
    fn prepare(&mut self);
    /// One call.
    fn call(&mut self);
}

impl<F: FnMut()> Work for F {
    fn prepare(&mut self) {}

    fn call(&mut self) {
        self();
    }
}

fn run(work: &mut dyn Work, calls: NonZeroU32) {
    (0..calls.get()).for_each(|_| work.call());
}

/// How much of a list of counters one group can hold.
enum Fit {
    /// The list is empty.
    Nothing,
    /// The first n count together.
    Counts(usize),
    /// The first n open together but are never scheduled onto the PMU.
    NeverRuns(usize),
    /// The first n are refused, although each opened alone before.
    Refused(usize, Errno),
}

fn fit(kernel: &impl Kernel, counters: &[Counter]) -> Fit {
    let mut n = counters.len();
    while n > 0 {
        match kernel.open(&counters[..n]) {
            Ok(group) => {
                return match gets_scheduled(group) {
                    Ok(true) => Fit::Counts(n),
                    Ok(false) => Fit::NeverRuns(n),
                    Err(errno) => Fit::Refused(n, errno),
                };
            }
            // `member` is the first that did not fit (EINVAL) or failed. The members before it are opened anew,
            // since a group with a failed member cannot be read.
            Err(Refused { member, .. }) if member > 0 => n = member.min(n - 1),
            Err(Refused { errno, .. }) => return Fit::Refused(1, errno),
        }
    }
    Fit::Nothing
}

/// Whether the kernel schedules the group onto the PMU within a few of its rotations (about every 4 ms).
fn gets_scheduled(mut group: impl EventGroup) -> Result<bool, Errno> {
    const ROUNDS: u32 = 20;
    let before = group.read()?.running;
    group.enable()?;
    for _ in 0..ROUNDS {
        if group.read()?.running > before {
            return Ok(true);
        }
        let round = Instant::now();
        while round.elapsed() < Duration::from_millis(1) {
            std::hint::spin_loop();
        }
    }
    Ok(group.read()?.running > before)
}

/// What a group counted during one pass.
struct Delta {
    values: Vec<u64>,
    enabled: u64,
    running: u64,
}

fn pass(kernel: &impl Kernel, members: &[Counter], run: &mut dyn FnMut()) -> Result<Delta, Errno> {
    let mut group = kernel.open(members).map_err(|refused| refused.errno)?;
    let before = group.read()?;
    group.enable()?;
    run();
    group.disable()?;
    let after = group.read()?;
    Ok(Delta::between(&before, &after))
}

impl Delta {
    /// Differences, because PERF_EVENT_IOC_RESET does not clear the two times.
    fn between(before: &Snapshot, after: &Snapshot) -> Self {
        let values = before.values.iter().zip(&after.values);
        Self {
            values: values.map(|(before, after)| after - before).collect(),
            enabled: after.enabled - before.enabled,
            running: after.running - before.running,
        }
    }

    fn read_into(&self, members: &[Counter], calls: NonZeroU32, counted: &mut Counted) {
        if self.running == 0 {
            let starved = members
                .iter()
                .map(|&member| because(member, Refusal::Starved));
            counted.unavailable.extend(starved);
            return;
        }
        let coverage = self.running as f64 / self.enabled as f64;
        let per_call = 1.0 / (coverage * f64::from(calls.get()));
        let readings = members
            .iter()
            .zip(&self.values)
            .map(|(&counter, &value)| Reading {
                counter,
                value: value as f64 * per_call,
                coverage,
            });
        counted.readings.extend(readings);
    }
}

fn because(counter: Counter, refusal: Refusal) -> Unavailable {
    Unavailable {
        counter,
        reason: refusal.to_string(),
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
