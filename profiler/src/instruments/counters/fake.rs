//! A fake kernel for tests: which events exist, how many fit the PMU, how much of the time they run.

use super::cores::{Kind, Scheduler};
use super::kernel::{EventGroup, Kernel, Refused, Snapshot, Usage};
use evmscope_reports::counter::{Counter, Source};
use nix::errno::Errno;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

/// What every counter counts per call. A pass has three calls in the tests.
pub const PER_CALL: u64 = 1_000;
const CALLS: u64 = 3;
const ENABLED: u64 = 4_000_000;
/// Initial value of a group's times and counts: PERF_EVENT_IOC_RESET does not clear all of them.
const LEFT_OVER: u64 = 77;

/// The fake machine.
pub struct Fake {
    /// Events that fail even alone.
    pub refused: HashMap<Counter, Errno>,
    /// Errno of every `perf_event_open`.
    pub blocked: Option<Errno>,
    /// An event that opens only in a group of its own.
    pub loner: Option<Counter>,
    /// Hardware events that the kernel accepts in a group.
    pub slots: usize,
    /// Hardware events that can actually be scheduled onto the PMU together.
    pub free: usize,
    /// Share of the time a group runs.
    pub share: f64,
    /// `kernel.perf_event_paranoid`.
    pub paranoid: Option<i32>,
    /// Whether another process holds the whole PMU; see [`Fake::seize`].
    pub seized: Cell<bool>,
    /// What `getrusage` returns next.
    pub faults: Cell<u64>,
    /// Kinds of cores.
    pub kinds: Vec<Kind>,
    /// CPUs that the thread may use.
    pub allowed: Vec<usize>,
    /// Result of pinning.
    pub pinning: Result<(), Errno>,
    /// CPUs that the thread was pinned to.
    pub pinned_to: RefCell<Vec<usize>>,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            refused: HashMap::new(),
            blocked: None,
            loner: None,
            slots: usize::MAX,
            free: usize::MAX,
            share: 1.0,
            paranoid: Some(2),
            seized: Cell::new(false),
            faults: Cell::new(0),
            kinds: Vec::new(),
            allowed: (0..8).collect(),
            pinning: Ok(()),
            pinned_to: RefCell::default(),
        }
    }
}

impl Fake {
    /// A virtual machine.
    pub fn without_pmu() -> Self {
        Counter::ALL
            .iter()
            .filter(|counter| counter.source() == Source::Hardware)
            .fold(Self::default(), |fake, &counter| {
                fake.refusing(counter, Errno::ENOENT)
            })
    }

    /// Four fast cores and four small ones.
    pub fn hybrid() -> Self {
        let kind = |name: &str, pmu, cpus: std::ops::Range<usize>, capacity| Kind {
            name: name.to_owned(),
            pmu,
            cpus: cpus.collect(),
            capacity,
        };
        Self {
            kinds: vec![
                kind("cpu_core", 4, 0..4, 5_200_000),
                kind("cpu_atom", 10, 4..8, 3_900_000),
            ],
            ..Self::default()
        }
    }

    pub fn refusing(mut self, counter: Counter, errno: Errno) -> Self {
        self.refused.insert(counter, errno);
        self
    }

    /// Whether the thread may run on a core whose PMU does not count its events.
    fn is_elsewhere(&self) -> bool {
        let pinned = self.pinned_to.borrow();
        let holds = |kind: &Kind| pinned.iter().all(|cpu| kind.cpus.contains(cpu));
        self.kinds.len() > 1 && (pinned.is_empty() || !self.kinds.iter().any(holds))
    }

    /// From now on another process holds the whole PMU.
    pub fn seize(&self) {
        self.seized.set(true);
    }
}

impl Kernel for Fake {
    type Group = FakeGroup;

    fn open(&self, counters: &[Counter]) -> Result<FakeGroup, Refused> {
        let refuse = |member, errno| Err(Refused { member, errno });
        if let Some(errno) = self.blocked {
            return refuse(0, errno);
        }
        let mut hardware = 0;
        for (member, &counter) in counters.iter().enumerate() {
            hardware += usize::from(counter.source() == Source::Hardware);
            if let Some(&errno) = self.refused.get(&counter) {
                return refuse(member, errno);
            }
            let lonely = self.loner == Some(counter) || self.loner == Some(counters[0]);
            if hardware > self.slots || (lonely && member > 0) {
                return refuse(member, Errno::EINVAL);
            }
        }
        let starved =
            hardware > 0 && (self.seized.get() || hardware > self.free || self.is_elsewhere());
        Ok(FakeGroup {
            share: if starved { 0.0 } else { self.share },
            snapshot: Snapshot {
                values: vec![LEFT_OVER; counters.len()],
                enabled: LEFT_OVER,
                running: LEFT_OVER,
            },
        })
    }

    fn usage(&self) -> Result<Usage, Errno> {
        let faults = self.faults.get();
        self.faults.set(faults + PER_CALL * CALLS);
        Ok(Usage {
            faults,
            switches: faults,
        })
    }

    fn paranoid(&self) -> Option<i32> {
        self.paranoid
    }

    fn hybrid(&self) -> bool {
        !self.pinned_to.borrow().is_empty()
    }
}

impl Scheduler for Fake {
    fn kinds(&self) -> Vec<Kind> {
        self.kinds.clone()
    }

    fn allowed(&self) -> Result<Vec<usize>, Errno> {
        Ok(self.allowed.clone())
    }

    fn pin(&self, cpus: &[usize]) -> Result<(), Errno> {
        self.pinning?;
        *self.pinned_to.borrow_mut() = cpus.to_vec();
        Ok(())
    }
}

/// A group whose counts arrive all at once when it is switched on.
pub struct FakeGroup {
    share: f64,
    snapshot: Snapshot,
}

impl EventGroup for FakeGroup {
    fn enable(&mut self) -> Result<(), Errno> {
        let part = |whole: u64| (whole as f64 * self.share) as u64;
        let count = part(PER_CALL * CALLS);
        self.snapshot
            .values
            .iter_mut()
            .for_each(|value| *value += count);
        self.snapshot.enabled += ENABLED;
        self.snapshot.running += part(ENABLED);
        Ok(())
    }

    fn disable(&mut self) -> Result<(), Errno> {
        Ok(())
    }

    fn read(&mut self) -> Result<Snapshot, Errno> {
        Ok(self.snapshot.clone())
    }
}
