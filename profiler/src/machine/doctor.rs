//! What this machine can measure, and the commands that would enable the rest.
//!
//! [`examine`] collects the findings, [`render`] formats them as text.

use crate::instruments::clock::ThreadClock;
use crate::instruments::counters::{self, Kernel, Linux, Pinned, Probe, Unpinned};
use crate::instruments::sampling;
use crate::machine::confinement::Confinement;
use crate::machine::rig::{self, Cpu};
use crate::machine::toolchain::{self, Tool, output};
use evmscope_reports::counter::{Counter, Source};
use evmscope_reports::render::terminal;
use std::path::Path;

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub subject: String,
    /// Its state.
    pub state: State,
}

/// The state of a checked subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Available, with details.
    Ok(String),
    /// Missing or unsuitable: the reason and the remedy, with a command if there is one.
    Missing(String),
}

/// Checks this machine. The findings are in the order of display.
pub fn examine() -> Vec<Finding> {
    let cpu = Cpu::read();
    let confinement = Confinement::read();
    // Pins this process as the measuring verbs do, to report what they would find.
    let pinned = counters::pin_to_one_kind(&Linux::default());
    let kernel = Linux::new(pinned.as_ref().ok().and_then(Option::as_ref));
    let probe = Probe::new(&kernel);
    let mut findings = vec![
        finding("CPU", State::Ok(cpu_line(&cpu))),
        finding("machine", machine(cpu.virtualized)),
        finding("kinds of cores", cores(&pinned)),
        finding("frequency governor", governor(rig::governor().as_deref())),
        finding("thread CPU clock", clock()),
        finding("container", container(&confinement)),
        finding(
            "perf_event_paranoid",
            paranoid(kernel.paranoid(), confinement.privileged),
        ),
    ];
    findings.extend(counters(&probe, Source::Hardware));
    findings.extend(counters(&probe, Source::Software));
    findings.extend([
        finding("sampling", sampling()),
        finding("valgrind", valgrind()),
        finding("llvm-profdata", llvm_profdata(rig::llvm_major())),
    ]);
    findings
}

fn finding(subject: &str, state: State) -> Finding {
    Finding {
        subject: subject.to_owned(),
        state,
    }
}

/// CPU features that matter for 256-bit arithmetic, Keccak and memory copies.
const RELEVANT_FEATURES: &[&str] = &[
    "bmi1", "bmi2", "adx", "avx2", "avx512f", "erms", "asimd", "sha3", "sve",
];

fn cpu_line(cpu: &Cpu) -> String {
    let has = |name: &&&str| cpu.features.iter().any(|feature| feature == **name);
    let features: Vec<_> = RELEVANT_FEATURES.iter().filter(has).copied().collect();
    let cpus = rig::usable_cpus();
    format!("{}, {cpus} usable, {}", cpu.model, features.join(" "))
}

fn machine(virtualized: bool) -> State {
    match virtualized {
        true => State::Ok(
            "virtual: other guests disturb timings; compare only within one run".to_owned(),
        ),
        false => State::Ok("no hypervisor".to_owned()),
    }
}

fn governor(governor: Option<&str>) -> State {
    match governor {
        Some("performance") => State::Ok("performance".to_owned()),
        Some(other) => State::Missing(format!(
            "`{other}` changes the frequency while measuring: \
             `sudo cpupower frequency-set -g performance`"
        )),
        None => State::Ok("not controlled by this kernel".to_owned()),
    }
}

fn clock() -> State {
    match ThreadClock::open().and_then(|clock| clock.resolution()) {
        Ok(resolution) if resolution.is_fine() => State::Ok(format!(
            "steps of {} ns, {} ns per reading",
            resolution.step, resolution.read
        )),
        Ok(resolution) => State::Missing(format!(
            "steps of {} ns: too coarse for samples of 10 ms; boot a kernel with \
             CONFIG_HIGH_RES_TIMERS",
            resolution.step
        )),
        Err(error) => State::Missing(error.to_string()),
    }
}

fn cores(pinned: &Result<Option<Pinned>, Unpinned>) -> State {
    match pinned {
        Ok(None) => State::Ok("one".to_owned()),
        Ok(Some(pinned)) => State::Ok(format!(
            "several: bench and profile stay on {pinned}; choose others with `taskset -c`"
        )),
        Err(unpinned) => State::Missing(unpinned.to_string()),
    }
}

/// Whether the container lets the process open perf events. It does not hide the PMU, but the seccomp filters of
/// Docker and Podman refuse `perf_event_open` without CAP_PERFMON.
fn container(confinement: &Confinement) -> State {
    let Confinement {
        container,
        filtered,
        privileged,
    } = confinement;
    let filter = match filtered {
        Some(true) => "a seccomp filter",
        Some(false) => "no seccomp filter",
        None => "seccomp unknown",
    };
    match (container, filtered, privileged) {
        (None, Some(true), _) => State::Ok(format!("none detected, but {filter}")),
        (None, ..) => State::Ok("none".to_owned()),
        (Some(name), Some(true), false) => State::Missing(format!(
            "{name}, {filter} and no CAP_PERFMON: if counters are refused, start it with \
             `--cap-add PERFMON` (Docker before 20.10: `--security-opt seccomp=unconfined`)"
        )),
        (Some(name), ..) => State::Ok(format!("{name}, {filter}")),
    }
}

/// What a level means for counting this thread in user mode, which is all that we need. Levels 3 and 4 are
/// patches of Debian, Ubuntu and Android. CAP_PERFMON or CAP_SYS_ADMIN bypasses any level.
fn paranoid(level: Option<i32>, privileged: bool) -> State {
    match level {
        Some(level @ ..=1) => State::Ok(format!("{level}: counting is allowed, in the kernel too")),
        Some(2) => State::Ok("2: counting in user mode is allowed".to_owned()),
        Some(level) if privileged => State::Ok(format!(
            "{level} forbids counting, but this process has CAP_PERFMON or CAP_SYS_ADMIN"
        )),
        Some(level) => State::Missing(format!(
            "{level} forbids counting: `sudo sysctl kernel.perf_event_paranoid=2`, on the host if \
             this is a container"
        )),
        None => State::Missing(
            "this kernel has no perf events: boot one with CONFIG_PERF_EVENTS, or leave the sandbox"
                .to_owned(),
        ),
    }
}

/// The available counters of one source, then the unavailable ones by reason.
fn counters(probe: &Probe, source: Source) -> Vec<Finding> {
    let subject = match source {
        Source::Hardware => "hardware counters",
        _ => "software counters",
    };
    let of_source = |counter: &Counter| counter.source() == source;
    let open = names(probe.available.iter().copied().filter(of_source));
    let mut refused: Vec<(&str, Vec<Counter>)> = Vec::new();
    for lost in &probe.unavailable {
        if !of_source(&lost.counter) {
            continue;
        }
        match refused
            .iter_mut()
            .find(|(reason, _)| *reason == lost.reason)
        {
            Some((_, counters)) => counters.push(lost.counter),
            None => refused.push((&lost.reason, vec![lost.counter])),
        }
    }
    let open = (!open.is_empty()).then(|| finding(subject, State::Ok(open)));
    let refused = refused.into_iter().map(|(reason, counters)| {
        let counters = names(counters.into_iter());
        finding(subject, State::Missing(format!("{counters}: {reason}")))
    });
    open.into_iter().chain(refused).collect()
}

fn names(counters: impl Iterator<Item = Counter>) -> String {
    counters.map(Counter::name).collect::<Vec<_>>().join(", ")
}

fn sampling() -> State {
    match sampling::offered() {
        Ok(offer) => State::Ok(match offer.highest_rate {
            Some(rate) => format!("{}, up to {rate} samples per second", offer.sampler.name()),
            None => format!(
                "{}; its highest rate is unknown: /proc/sys/kernel cannot be read",
                offer.sampler.name()
            ),
        }),
        Err(refused) => State::Missing(format!(
            "by SIGPROF, which interrupts the program for each sample ({refused}): enable \
             task-clock for the sampler with less overhead"
        )),
    }
}

fn valgrind() -> State {
    match first_line("valgrind", &["--version"]) {
        Some(version) => State::Ok(version),
        None => {
            State::Missing("for simulated counters: `sudo apt-get install valgrind`".to_owned())
        }
    }
}

fn llvm_profdata(wanted: Option<&str>) -> State {
    let Some(wanted) = wanted else {
        return State::Missing("the LLVM version of this build's rustc is unknown".to_owned());
    };
    match toolchain::find(Tool::Profdata, wanted) {
        Ok(path) => State::Ok(format!("{} (LLVM {wanted})", path.display())),
        Err(error) => State::Missing(format!("for profile-guided builds: {error}")),
    }
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = output(Path::new(program), arguments)?;
    output.lines().next().map(str::to_owned)
}

/// One row per finding: mark, subject, detail; wrapped to `columns`, if given.
pub fn render(findings: &[Finding], columns: Option<u16>) -> String {
    let rows = findings.iter().map(|Finding { subject, state }| {
        let (mark, detail) = match state {
            State::Ok(detail) => ("ok", detail),
            State::Missing(detail) => ("missing", detail),
        };
        [mark, subject, detail]
    });
    terminal::rows(rows, columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instruments::counters::Fake;
    use evmscope_reports::run::Unavailable;

    #[test]
    fn counters_are_grouped_by_reason() {
        let lost = |counter, reason: &str| Unavailable {
            counter,
            reason: reason.into(),
        };
        let probe = Probe {
            available: vec![Counter::Cycles, Counter::Instructions, Counter::PageFaults],
            unavailable: vec![
                lost(
                    Counter::Branches,
                    "this CPU's PMU has no such event (ENOENT)",
                ),
                lost(
                    Counter::BranchMisses,
                    "this CPU's PMU has no such event (ENOENT)",
                ),
                lost(Counter::StalledBackend, "it is held by others"),
                lost(Counter::TaskClock, "too many open files"),
            ],
        };
        let mut findings = vec![
            finding("frequency governor", governor(Some("powersave"))),
            finding("machine", machine(true)),
            finding("perf_event_paranoid", paranoid(Some(-1), false)),
            finding("perf_event_paranoid", paranoid(Some(4), false)),
            finding("perf_event_paranoid", paranoid(Some(4), true)),
            finding("perf_event_paranoid", paranoid(None, false)),
            finding("kinds of cores", cores(&Ok(None))),
            finding(
                "kinds of cores",
                cores(&counters::pin_to_one_kind(&Fake::hybrid())),
            ),
            finding("container", container(&Confinement::default())),
        ];
        let docker = |filtered, privileged| {
            let container = Some("docker".to_owned());
            finding(
                "container",
                self::container(&Confinement {
                    container,
                    filtered: Some(filtered),
                    privileged,
                }),
            )
        };
        findings.extend([docker(true, false), docker(true, true)]);
        findings.extend(counters(&probe, Source::Hardware));
        findings.extend(counters(&probe, Source::Software));
        insta::assert_snapshot!(render(&findings, None));
    }

    #[test]
    fn every_subject_is_reported_on_this_machine() {
        let findings = examine();
        let text = render(&findings, None);
        for subject in [
            "CPU",
            "hardware counters",
            "software counters",
            "sampling",
            "valgrind",
        ] {
            assert!(text.contains(&format!("  {subject} ")), "{text}");
        }
        for finding in &findings {
            let (State::Ok(detail) | State::Missing(detail)) = &finding.state;
            assert!(!detail.is_empty() && !detail.contains('\n'), "{finding:?}");
        }
    }
}
