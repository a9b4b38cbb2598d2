//! Hybrid CPUs: lists the kinds of cores and pins this thread to one of them.
//!
//! Each kind has its own PMU, and an event counts only while the thread runs on a core of that PMU. On a thread
//! that migrates between kinds, counts would be partial and times a mixture of two kinds of core. `kernel` opens
//! the events on the chosen PMU.

use nix::errno::Errno;
use std::fs;
use std::path::Path;
use thiserror::Error;

/// The cores of one kind, and their PMU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The kernel's name of the PMU: `cpu_core`, `cpu_atom`, `armv8_cortex_a76`.
    pub name: String,
    /// Type number of the PMU.
    pub pmu: u32,
    /// Logical CPUs, ascending.
    pub cpus: Vec<usize>,
    /// Relative speed of a core of this kind, comparable within this machine; 0 if unknown.
    pub capacity: u64,
}

/// The operating system calls needed for choosing a kind of core.
pub trait Scheduler {
    /// The kinds of cores; fewer than two if all cores are equal.
    fn kinds(&self) -> Vec<Kind>;

    /// The logical CPUs that the calling thread may run on.
    fn allowed(&self) -> Result<Vec<usize>, Errno>;

    /// Pins the calling thread to these CPUs.
    fn pin(&self, cpus: &[usize]) -> Result<(), Errno>;
}

/// The kind of core that the calling thread is pinned to, on a hybrid CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The kind; `cpus` holds only those that the thread may use.
    pub kind: Kind,
    /// Names of the other kinds.
    pub others: Vec<String>,
}

impl std::fmt::Display for Pinned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, others } = self;
        let cpus = ranges(&kind.cpus);
        let others = others.join(", ");
        write!(f, "{} (CPU {cpus}); not on {others}", kind.name)
    }
}

/// Why the thread could not be pinned to one kind of core of a hybrid CPU.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unpinned {
    /// The CPUs that this process may use belong to no known PMU.
    #[error(
        "this process may only use CPU {0}, which no core PMU covers: widen its CPU set (`taskset`, `--cpuset-cpus`)"
    )]
    Nowhere(String),
    /// The kernel refused.
    #[error("cannot pin the thread to one kind of core: {}; start under `taskset -c {cpus}`", .errno.desc())]
    Refused {
        /// The requested CPUs.
        cpus: String,
        /// The kernel's answer.
        errno: Errno,
    },
}

/// Pins the calling thread to the fastest kind of core it may use; `None` if all cores are equal.
///
/// # Errors
/// A hybrid CPU on which the thread cannot be pinned to one kind.
pub fn pin_to_one_kind(scheduler: &impl Scheduler) -> Result<Option<Pinned>, Unpinned> {
    let Some(pinned) = choose(scheduler)? else {
        return Ok(None);
    };
    let cpus = &pinned.kind.cpus;
    scheduler.pin(cpus).map_err(|errno| Unpinned::Refused {
        cpus: ranges(cpus),
        errno,
    })?;
    Ok(Some(pinned))
}

fn choose(scheduler: &impl Scheduler) -> Result<Option<Pinned>, Unpinned> {
    let kinds = scheduler.kinds();
    if kinds.len() < 2 {
        return Ok(None);
    }
    let allowed = scheduler.allowed().map_err(|errno| Unpinned::Refused {
        cpus: ranges(&kinds[0].cpus),
        errno,
    })?;
    let usable = kinds.iter().cloned().map(|mut kind| {
        kind.cpus.retain(|cpu| allowed.contains(cpu));
        kind
    });
    // At equal capacity the kind with more cores is less likely to be disturbed.
    let best = usable
        .filter(|kind| !kind.cpus.is_empty())
        .max_by_key(|kind| (kind.capacity, kind.cpus.len()))
        .ok_or_else(|| Unpinned::Nowhere(ranges(&allowed)))?;
    let others = kinds.into_iter().map(|kind| kind.name);
    Ok(Some(Pinned {
        others: others.filter(|name| *name != best.name).collect(),
        kind: best,
    }))
}

/// The kinds of cores under a `/sys`.
///
/// On hybrid CPUs a core PMU lists its cores in `cpus` (Intel since Alder Lake, Arm). Uncore PMUs have a `cpumask`
/// instead.
pub(super) fn kinds(sys: &Path) -> Vec<Kind> {
    let devices = fs::read_dir(sys.join("bus/event_source/devices"));
    let mut kinds: Vec<_> = devices
        .into_iter()
        .flatten()
        .filter_map(|device| kind(sys, &device.ok()?.path()))
        .collect();
    kinds.sort_by(|a, b| a.cpus.cmp(&b.cpus));
    kinds
}

fn kind(sys: &Path, device: &Path) -> Option<Kind> {
    let cpus = parse_ranges(&fs::read_to_string(device.join("cpus")).ok()?)?;
    let pmu = fs::read_to_string(device.join("type")).ok()?;
    let capacity = cpus.first().map_or(0, |cpu| capacity(sys, *cpu));
    Some(Kind {
        name: device.file_name()?.to_str()?.to_owned(),
        pmu: pmu.trim().parse().ok()?,
        cpus,
        capacity,
    })
}

/// Arm reports a capacity; Intel's kinds differ in their maximum frequency.
fn capacity(sys: &Path, cpu: usize) -> u64 {
    let cpu = sys.join(format!("devices/system/cpu/cpu{cpu}"));
    ["cpu_capacity", "cpufreq/cpuinfo_max_freq"]
        .iter()
        .find_map(|file| fs::read_to_string(cpu.join(file)).ok()?.trim().parse().ok())
        .unwrap_or(0)
}

/// Parses `0-3,8` to its numbers; `None` if malformed or empty.
fn parse_ranges(text: &str) -> Option<Vec<usize>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    let ranges: Option<Vec<_>> = text.trim().split(',').map(range).collect();
    Some(ranges?.into_iter().flatten().collect())
}

/// Formats ascending numbers as `0-3,8`.
fn ranges(cpus: &[usize]) -> String {
    let runs = cpus.chunk_by(|a, b| a + 1 == *b);
    let texts = runs.filter_map(|run| match (run.first()?, run.last()?) {
        (first, last) if first == last => Some(first.to_string()),
        (first, last) => Some(format!("{first}-{last}")),
    });
    texts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    #[test]
    fn the_fastest_allowed_kind_is_chosen() {
        let kernel = Fake::hybrid();
        let pinned = pin_to_one_kind(&kernel).unwrap().unwrap();
        assert_eq!(*kernel.pinned_to.borrow(), [0, 1, 2, 3]);
        assert_eq!(pinned.to_string(), "cpu_core (CPU 0-3); not on cpu_atom");

        let kernel = Fake {
            allowed: vec![3, 4, 5],
            ..Fake::hybrid()
        };
        pin_to_one_kind(&kernel).unwrap();
        assert_eq!(*kernel.pinned_to.borrow(), [3]);

        let kernel = Fake {
            allowed: vec![6],
            ..Fake::hybrid()
        };
        let pinned = pin_to_one_kind(&kernel).unwrap().unwrap();
        assert_eq!(pinned.to_string(), "cpu_atom (CPU 6); not on cpu_core");
    }

    #[test]
    fn equal_cores_need_no_pinning() {
        let kernel = Fake::default();
        assert_eq!(pin_to_one_kind(&kernel), Ok(None));
        assert!(kernel.pinned_to.borrow().is_empty());
    }

    #[test]
    fn pinning_errors_say_what_to_do() {
        let kernel = Fake {
            pinning: Err(Errno::EPERM),
            ..Fake::hybrid()
        };
        let error = pin_to_one_kind(&kernel).unwrap_err().to_string();
        assert!(error.contains("`taskset -c 0-3`"), "{error}");

        let kernel = Fake {
            allowed: vec![40, 41],
            ..Fake::hybrid()
        };
        let error = pin_to_one_kind(&kernel).unwrap_err().to_string();
        assert!(error.contains("only use CPU 40-41"), "{error}");
    }

    #[test]
    fn kinds_are_read_from_sysfs_without_uncore_pmus() {
        let sys = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = sys.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for (name, pmu, cpus) in [
            ("cpu_atom", "10\n", "8-11,14\n"),
            ("cpu_core", "4\n", "0-7\n"),
        ] {
            write(&format!("bus/event_source/devices/{name}/type"), pmu);
            write(&format!("bus/event_source/devices/{name}/cpus"), cpus);
        }
        write("bus/event_source/devices/uncore_imc/type", "20\n");
        write("bus/event_source/devices/uncore_imc/cpumask", "0\n");
        write("bus/event_source/devices/software/type", "1\n");
        write(
            "devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq",
            "5200000\n",
        );
        write("devices/system/cpu/cpu8/cpu_capacity", "512\n");

        let kinds = kinds(sys.path());
        let found: Vec<_> = kinds
            .iter()
            .map(|k| (k.name.as_str(), k.pmu, k.capacity))
            .collect();
        assert_eq!(found, [("cpu_core", 4, 5_200_000), ("cpu_atom", 10, 512)]);
        assert_eq!(kinds[1].cpus, [8, 9, 10, 11, 14]);
        assert_eq!(ranges(&kinds[1].cpus), "8-11,14");
    }

    #[test]
    fn malformed_lists_are_rejected() {
        assert_eq!(parse_ranges(""), None);
        assert_eq!(parse_ranges("0-x"), None);
        assert_eq!(parse_ranges("2\n"), Some(vec![2]));
    }
}
