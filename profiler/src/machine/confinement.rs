//! What restricts this process: a container, a filter of system calls, missing capabilities. `doctor` reports what
//! follows for measuring.

use std::fs;
use std::path::Path;

/// CAP_SYS_ADMIN and CAP_PERFMON of capabilities(7): either lifts `kernel.perf_event_paranoid`.
const PERF_CAPABILITIES: u64 = 1 << 21 | 1 << 38;

/// How this process is confined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confinement {
    /// The container runtime: `docker`, `podman`, `kubernetes`, `lxc`...; `None` outside a container.
    pub container: Option<String>,
    /// Whether a seccomp filter is active; `None` if the kernel does not say.
    pub filtered: Option<bool>,
    /// Whether a capability lets the process open perf events at any `perf_event_paranoid` level.
    pub privileged: bool,
}

impl Confinement {
    /// Reads the confinement of this process.
    pub fn read() -> Self {
        Self {
            container: container(Path::new("/"), std::env::var("container").ok()),
            ..Self::parse(&fs::read_to_string("/proc/self/status").unwrap_or_default())
        }
    }

    /// Reads `/proc/self/status`.
    fn parse(status: &str) -> Self {
        let field = |name: &str| {
            let mut lines = status.lines().filter_map(|line| line.split_once(':'));
            lines.find_map(|(key, value)| (key == name).then(|| value.trim()))
        };
        let effective = field("CapEff").and_then(|hex| u64::from_str_radix(hex, 16).ok());
        Self {
            container: None,
            // proc_pid_status(5): 0 is none, 2 a filter. 1 is strict mode, which forbids reading this file.
            filtered: field("Seccomp").map(|mode| mode != "0"),
            privileged: effective.is_some_and(|set| set & PERF_CAPABILITIES != 0),
        }
    }
}

/// The runtime of the container with the root `root`. `variable` is the value of `$container`, which runtimes set by
/// systemd's convention.
fn container(root: &Path, variable: Option<String>) -> Option<String> {
    let marks = [
        ("var/run/secrets/kubernetes.io", "kubernetes"),
        (".dockerenv", "docker"),
        ("run/.containerenv", "podman"),
    ];
    let marked = marks.iter().find(|(path, _)| root.join(path).exists());
    marked
        .map(|(_, name)| (*name).to_owned())
        .or(variable.filter(|name| !name.is_empty()))
        .or_else(|| {
            let groups = fs::read_to_string(root.join("proc/1/cgroup")).ok()?;
            let names = ["kubepods", "docker", "libpod", "lxc"];
            let name = names.iter().find(|name| groups.contains(**name))?;
            Some((*name).to_owned())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_and_capabilities_are_read_from_the_status() {
        let docker = "Name:\tx\nCapEff:\t00000000a80425fb\nNoNewPrivs:\t0\nSeccomp:\t2\n";
        let told = Confinement::parse(docker);
        assert_eq!((told.filtered, told.privileged), (Some(true), false));
        let root = "CapEff:\t000001ffffffffff\nSeccomp:\t0\n";
        let told = Confinement::parse(root);
        assert_eq!((told.filtered, told.privileged), (Some(false), true));
        let perfmon = Confinement::parse("CapEff:\t0000004000000000\n");
        assert_eq!((perfmon.filtered, perfmon.privileged), (None, true));
    }

    #[test]
    fn containers_are_recognised_by_their_files_and_variable() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(container(root.path(), None), None);
        assert_eq!(
            container(root.path(), Some("lxc".into())),
            Some("lxc".into())
        );
        fs::create_dir_all(root.path().join("proc/1")).unwrap();
        fs::write(
            root.path().join("proc/1/cgroup"),
            "0::/kubepods/besteffort/pod1\n",
        )
        .unwrap();
        assert_eq!(container(root.path(), None), Some("kubepods".into()));
        fs::write(root.path().join(".dockerenv"), "").unwrap();
        assert_eq!(container(root.path(), None), Some("docker".into()));
    }
}
