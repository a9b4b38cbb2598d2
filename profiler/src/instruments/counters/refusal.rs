//! Why a counter is unavailable, and what would enable it: errno values turned into one line.

use nix::errno::Errno;
use thiserror::Error;

/// The errors of `perf_event_open(2)`, as far as a user can act on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// ENOENT for every hardware event.
    #[error(
        "no PMU is visible (ENOENT), as in most virtual machines: run on bare metal, or give the guest a \
         vPMU (qemu: `-cpu host,pmu=on`)"
    )]
    NoPmu,
    /// ENOENT or EINVAL for every hardware event, although the PMU of a hybrid CPU is there.
    #[error(
        "this kernel does not support generic events on a hybrid CPU ({0}): boot a newer kernel"
    )]
    NoGenericEvents(&'static str),
    /// ENOENT, although other hardware events open.
    #[error("this CPU's PMU has no such event (ENOENT)")]
    NoSuchEvent,
    /// EACCES, or EPERM at a level above 2.
    #[error(
        "kernel.perf_event_paranoid is {0} and forbids it: `sudo sysctl kernel.perf_event_paranoid=2`"
    )]
    Paranoid(i32),
    /// EACCES, although the level is unreadable or allows it.
    #[error(
        "the kernel denies access (EACCES): run as root, or \
         `sudo sysctl kernel.perf_event_paranoid=2`"
    )]
    Denied,
    /// EPERM or ENOSYS: the system call is filtered.
    #[error(
        "perf_event_open is blocked ({0}), as by a container's seccomp filter: start the container \
         with `--cap-add PERFMON` or `--security-opt seccomp=unconfined`"
    )]
    Blocked(&'static str),
    /// EMFILE or ENFILE.
    #[error("too many open files ({0}): raise the limit, `ulimit -n 1024`")]
    Files(&'static str),
    /// EBUSY, or a group that was never scheduled onto the PMU.
    #[error(
        "not counted: other events hold the PMU; stop other profilers, or \
         `sudo sysctl kernel.nmi_watchdog=0`"
    )]
    Starved,
    /// EOPNOTSUPP or ENODEV: the PMU knows the event but not in this mode.
    #[error("this machine's PMU cannot count it for one thread in user mode ({0})")]
    Unsupported(&'static str),
    /// EINVAL for an event on its own.
    #[error("the kernel does not accept this event (EINVAL)")]
    Invalid,
    /// Anything else.
    #[error("perf_event_open failed: {}", .0.desc())]
    Other(Errno),
}

/// The context in which an errno is interpreted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Circumstances {
    /// Whether any hardware event opened.
    pub pmu: bool,
    /// Value of `kernel.perf_event_paranoid`, if readable.
    pub paranoid: Option<i32>,
    /// Whether hardware events are bound to one kind of core of a hybrid CPU.
    pub hybrid: bool,
}

impl Refusal {
    pub(super) fn new(errno: Errno, circumstances: Circumstances) -> Self {
        match (errno, circumstances.paranoid) {
            (Errno::ENOENT, _) if circumstances.pmu => Self::NoSuchEvent,
            (Errno::ENOENT, _) if circumstances.hybrid => Self::NoGenericEvents("ENOENT"),
            (Errno::EINVAL, _) if circumstances.hybrid && !circumstances.pmu => {
                Self::NoGenericEvents("EINVAL")
            }
            (Errno::ENOENT, _) => Self::NoPmu,
            // Level 2 still allows counting in user mode; Debian and Ubuntu patch in levels 3 and 4.
            (Errno::EACCES | Errno::EPERM, Some(level)) if level > 2 => Self::Paranoid(level),
            (Errno::EACCES, _) => Self::Denied,
            (Errno::EPERM, _) => Self::Blocked("EPERM"),
            (Errno::ENOSYS, _) => Self::Blocked("ENOSYS"),
            (Errno::EMFILE, _) => Self::Files("EMFILE"),
            (Errno::ENFILE, _) => Self::Files("ENFILE"),
            (Errno::EBUSY, _) => Self::Starved,
            (Errno::EOPNOTSUPP, _) => Self::Unsupported("EOPNOTSUPP"),
            (Errno::ENODEV, _) => Self::Unsupported("ENODEV"),
            (Errno::EINVAL, _) => Self::Invalid,
            (other, _) => Self::Other(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every errno in the order of perf_event_open(2), as a user reads it.
    #[test]
    fn each_errno_says_what_would_enable_the_counter() {
        let at = |pmu, paranoid| Circumstances {
            pmu,
            paranoid,
            hybrid: false,
        };
        let hybrid = Circumstances {
            hybrid: true,
            ..at(false, Some(2))
        };
        let cases = [
            (Errno::ENOENT, at(false, Some(2))),
            (Errno::ENOENT, at(true, Some(2))),
            (Errno::EACCES, at(false, Some(3))),
            (Errno::EPERM, at(false, Some(4))),
            (Errno::EACCES, at(false, None)),
            (Errno::EPERM, at(false, Some(2))),
            (Errno::ENOSYS, at(false, None)),
            (Errno::EMFILE, at(true, Some(2))),
            (Errno::EBUSY, at(true, Some(2))),
            (Errno::EOPNOTSUPP, at(true, Some(2))),
            (Errno::EINVAL, at(true, Some(2))),
            (Errno::E2BIG, at(true, Some(2))),
            (Errno::EINVAL, hybrid),
        ];
        let lines: Vec<_> = cases
            .iter()
            .map(|&(errno, at)| format!("{errno:?}: {}", Refusal::new(errno, at)))
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
