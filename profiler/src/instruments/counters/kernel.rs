//! The interface to `perf_event_open(2)` and `getrusage(2)`. The other modules of `counters` also run on the fake
//! kernel of the tests.

use super::cores::{self, Kind, Pinned, Scheduler};
use evmscope_reports::counter::Counter;
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::Pid;
use perf_event::events::{Cache, CacheOp, CacheResult, Event, Hardware, Software, WhichCache};
use perf_event::{Builder, Group};
use perf_event_open_sys::bindings::{PERF_TYPE_HARDWARE, PERF_TYPE_HW_CACHE};
use std::io;
use std::path::Path;

/// The operating system calls needed for counting; always for the calling thread in user mode.
pub trait Kernel {
    /// Events that are enabled, disabled and read together.
    type Group: EventGroup;

    /// Opens `counters` as one group, disabled. A failure leaves nothing open.
    fn open(&self, counters: &[Counter]) -> Result<Self::Group, Refused>;

    /// Resource usage of the calling thread so far (getrusage(2)).
    fn usage(&self) -> Result<Usage, Errno>;

    /// Value of `kernel.perf_event_paranoid`, if readable.
    fn paranoid(&self) -> Option<i32>;

    /// Whether hardware events are bound to one kind of core of a hybrid CPU.
    fn hybrid(&self) -> bool;
}

/// An open group.
pub trait EventGroup {
    /// Starts all members at once.
    fn enable(&mut self) -> Result<(), Errno>;
    /// Stops all members at once.
    fn disable(&mut self) -> Result<(), Errno>;
    /// Reads all members at once.
    fn read(&mut self) -> Result<Snapshot, Errno>;
}

/// A group that could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Index of the member that failed; also 0 if the group itself was refused.
    pub member: usize,
    /// The kernel's answer.
    pub errno: Errno,
}

/// A reading of a group. All values accumulate from the opening on; only differences are meaningful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// One value per member, in the order of opening.
    pub values: Vec<u64>,
    /// How long the group was enabled, ns.
    pub enabled: u64,
    /// How long it was scheduled on the PMU, ns.
    pub running: u64,
}

/// Resource usage of one thread since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Page faults, minor and major.
    pub faults: u64,
    /// Context switches, voluntary and involuntary.
    pub switches: u64,
}

/// Reads one counter from the accounting of a thread.
pub type ReadUsage = fn(&Usage) -> u64;

/// Page faults of the calling thread so far (getrusage(2)).
///
/// # Errors
/// The kernel's.
pub fn page_faults() -> Result<u64, Errno> {
    Ok(Linux::default().usage()?.faults)
}

/// How a counter is read.
#[derive(Clone, Debug)]
pub enum Access {
    /// As an event of `perf_event_open(2)`.
    Event(Event),
    /// From getrusage(2). With `exclude_kernel`, which an unprivileged user needs, the perf event for context
    /// switches silently reads 0.
    Usage(ReadUsage),
    /// By another instrument: `clock` or `callgrind`.
    Elsewhere,
}

/// How each counter is read.
pub fn access(counter: Counter) -> Access {
    let hardware = |event: Hardware| Access::Event(event.into());
    let load = |which, result| {
        Access::Event(
            Cache {
                which,
                operation: CacheOp::READ,
                result,
            }
            .into(),
        )
    };
    match counter {
        Counter::Cycles => hardware(Hardware::CPU_CYCLES),
        Counter::Instructions => hardware(Hardware::INSTRUCTIONS),
        Counter::Branches => hardware(Hardware::BRANCH_INSTRUCTIONS),
        Counter::BranchMisses => hardware(Hardware::BRANCH_MISSES),
        Counter::CacheReferences => hardware(Hardware::CACHE_REFERENCES),
        Counter::CacheMisses => hardware(Hardware::CACHE_MISSES),
        Counter::L1dLoads => load(WhichCache::L1D, CacheResult::ACCESS),
        Counter::L1dLoadMisses => load(WhichCache::L1D, CacheResult::MISS),
        Counter::L1iLoadMisses => load(WhichCache::L1I, CacheResult::MISS),
        Counter::LlcLoads => load(WhichCache::LL, CacheResult::ACCESS),
        Counter::LlcLoadMisses => load(WhichCache::LL, CacheResult::MISS),
        Counter::DtlbLoadMisses => load(WhichCache::DTLB, CacheResult::MISS),
        Counter::StalledFrontend => hardware(Hardware::STALLED_CYCLES_FRONTEND),
        Counter::StalledBackend => hardware(Hardware::STALLED_CYCLES_BACKEND),
        Counter::TaskClock => Access::Event(Software::TASK_CLOCK.into()),
        Counter::PageFaults => Access::Usage(|usage| usage.faults),
        Counter::ContextSwitches => Access::Usage(|usage| usage.switches),
        Counter::CpuTime
        | Counter::SimInstructions
        | Counter::SimDataReads
        | Counter::SimDataWrites
        | Counter::SimL1iMisses
        | Counter::SimL1dReadMisses
        | Counter::SimL1dWriteMisses
        | Counter::SimBranches
        | Counter::SimBranchMisses => Access::Elsewhere,
    }
}

/// The perf event behind a counter; `None` if it is not read from an event.
pub fn event(counter: Counter) -> Option<Event> {
    match access(counter) {
        Access::Event(event) => Some(event),
        Access::Usage(_) | Access::Elsewhere => None,
    }
}

/// The running kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Linux {
    /// The PMU to open hardware events on; set on hybrid CPUs.
    pmu: Option<u32>,
}

impl Linux {
    /// Opens hardware events on the PMU of the kind of core that the calling thread is pinned to.
    pub fn new(pinned: Option<&Pinned>) -> Self {
        Self {
            pmu: pinned.map(|pinned| pinned.kind.pmu),
        }
    }

    /// Opens one member.
    fn member(self, event: Event, group: &mut Group) -> io::Result<perf_event::Counter> {
        let mut builder = Builder::new().group(group).kind(event);
        let attrs = builder.attrs_mut();
        // Without the PMU's type in the upper half, the kernel chooses the first core PMU.
        if let Some(pmu) = self.pmu
            && [PERF_TYPE_HARDWARE, PERF_TYPE_HW_CACHE].contains(&attrs.type_)
        {
            attrs.config |= u64::from(pmu) << 32;
        }
        builder.build()
    }
}

impl Scheduler for Linux {
    fn kinds(&self) -> Vec<Kind> {
        cores::kinds(Path::new("/sys"))
    }

    fn allowed(&self) -> Result<Vec<usize>, Errno> {
        let set = sched_getaffinity(THIS_THREAD)?;
        let cpus = 0..CpuSet::count();
        Ok(cpus.filter(|cpu| set.is_set(*cpu) == Ok(true)).collect())
    }

    fn pin(&self, cpus: &[usize]) -> Result<(), Errno> {
        let mut set = CpuSet::new();
        cpus.iter().try_for_each(|cpu| set.set(*cpu))?;
        sched_setaffinity(THIS_THREAD, &set)
    }
}

/// sched_setaffinity(2): 0 is the calling thread.
const THIS_THREAD: Pid = Pid::from_raw(0);

/// A perf event group and its members, in the order of opening.
#[derive(Debug)]
pub struct LinuxGroup {
    group: Group,
    members: Vec<perf_event::Counter>,
}

impl Kernel for Linux {
    type Group = LinuxGroup;

    fn open(&self, counters: &[Counter]) -> Result<LinuxGroup, Refused> {
        let refused = |member| {
            move |error: io::Error| Refused {
                member,
                errno: errno(&error),
            }
        };
        let mut group = Group::new().map_err(refused(0))?;
        // `Group::read` panics after a member failed to build or was dropped. So the group is dropped at the first
        // failure, and its members live as long as it does.
        let members = counters
            .iter()
            .enumerate()
            .map(|(place, &counter)| match event(counter) {
                Some(event) => self.member(event, &mut group).map_err(refused(place)),
                None => Err(Refused {
                    member: place,
                    errno: Errno::EINVAL,
                }),
            })
            .collect::<Result<_, _>>()?;
        Ok(LinuxGroup { group, members })
    }

    fn usage(&self) -> Result<Usage, Errno> {
        let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
        let sum = |a: i64, b: i64| a.unsigned_abs() + b.unsigned_abs();
        Ok(Usage {
            faults: sum(usage.minor_page_faults(), usage.major_page_faults()),
            switches: sum(
                usage.voluntary_context_switches(),
                usage.involuntary_context_switches(),
            ),
        })
    }

    fn paranoid(&self) -> Option<i32> {
        std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid")
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    fn hybrid(&self) -> bool {
        self.pmu.is_some()
    }
}

impl EventGroup for LinuxGroup {
    fn enable(&mut self) -> Result<(), Errno> {
        self.group.enable().map_err(|error| errno(&error))
    }

    fn disable(&mut self) -> Result<(), Errno> {
        self.group.disable().map_err(|error| errno(&error))
    }

    fn read(&mut self) -> Result<Snapshot, Errno> {
        let counts = self.group.read().map_err(|error| errno(&error))?;
        let values = self
            .members
            .iter()
            .map(|member| counts.get(member).copied().ok_or(Errno::EIO))
            .collect::<Result<_, _>>()?;
        Ok(Snapshot {
            values,
            enabled: counts.time_enabled(),
            running: counts.time_running(),
        })
    }
}

fn errno(error: &io::Error) -> Errno {
    error
        .raw_os_error()
        .map_or(Errno::UnknownErrno, Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_member_leaves_the_next_group_intact() {
        // CpuTime is not a perf event, so the second member fails on every machine.
        let refused = Linux::default()
            .open(&[Counter::TaskClock, Counter::CpuTime])
            .unwrap_err();
        match Linux::default().open(&[Counter::TaskClock]) {
            Ok(mut group) => {
                assert_eq!(refused.member, 1);
                assert_eq!(group.read().unwrap().values, [0]);
            }
            Err(alone) => assert_eq!(refused, alone, "refused as a whole"),
        }
    }

    #[test]
    fn a_thread_stays_pinned() {
        let linux = Linux::default();
        let allowed = linux.allowed().unwrap();
        assert_eq!(
            allowed.len(),
            std::thread::available_parallelism().unwrap().get()
        );
        linux.pin(&allowed[..1]).unwrap();
        assert_eq!(linux.allowed().unwrap(), allowed[..1]);
        // Not undone: each test has its own thread.
    }

    #[test]
    fn resource_usage_counts_page_faults_and_context_switches() {
        let before = Linux::default().usage().unwrap();
        std::hint::black_box(vec![1u8; 40 << 20]);
        std::thread::sleep(std::time::Duration::from_millis(2));
        let after = Linux::default().usage().unwrap();
        assert!(after.faults > before.faults);
        assert!(after.switches > before.switches);
    }
}
