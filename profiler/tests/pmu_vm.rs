//! What `evmscope` counted on an emulated machine with a PMU: `pmu-vm/run.sh` (`make test-pmu`) boots the
//! machine, which runs `pmu-vm/main.sh`, and hands its transcript to the checks here.
//!
//! The machine's PMU has 6 counters and one for cycles. It counts instructions exactly, takes 4 cycles
//! for each, knows front-end and back-end stalls (of which it has none), and no other event.

use evmscope_reports::Run;
use evmscope_reports::change::Changes;
use evmscope_reports::counter::Counter::{
    self, Cycles, Instructions, StalledBackend, StalledFrontend,
};
use evmscope_reports::counter::Source;
use evmscope_reports::render::json;
use evmscope_reports::run::{Measurement, OpcodeCost, Verdict};

const MODES: [&str; 2] = ["traditional", "advanced"];
const OFFERED: [Counter; 4] = [Cycles, Instructions, StalledFrontend, StalledBackend];

/// The output of the machine's steps.
struct Transcript(String);

impl Transcript {
    fn read() -> Self {
        let path = std::env::var_os("EVMSCOPE_PMU_TRANSCRIPT")
            .expect("EVMSCOPE_PMU_TRANSCRIPT names no transcript: run `make test-pmu`");
        let transcript = Self(std::fs::read_to_string(path).unwrap());
        assert!(transcript.0.contains("\n@@done"), "{}", transcript.0);
        transcript
    }

    /// What stands between the mark `name` and the next one.
    fn section(&self, name: &str) -> &str {
        let mark = format!("\n@@{name}\n");
        let (_, text) = self
            .0
            .split_once(&mark)
            .unwrap_or_else(|| panic!("no {name}: {}", self.0));
        text.split("\n@@").next().unwrap()
    }

    /// The output of a step that must have ended well.
    fn step(&self, name: &str) -> &str {
        let text = self.section(name);
        let (_, rest) = self
            .0
            .split_once(&format!("\n@@{name}\n{text}\n@@exit "))
            .unwrap();
        assert!(rest.starts_with("0\n"), "{name} failed: {text}");
        text
    }

    fn run(&self, name: &str) -> Run {
        self.step(&format!("{name}.log"));
        json::read(self.section(name)).unwrap()
    }
}

fn measured<'a>(run: &'a Run, mode: &str, counter: Counter) -> &'a Measurement {
    let found = run.measurement("ten-thousand-hashes", mode, counter);
    found.unwrap_or_else(|| panic!("{mode} has no {counter}: {:?}", run.unavailable))
}

fn reason(run: &Run, counter: Counter) -> &str {
    let found = run
        .unavailable
        .iter()
        .find(|missing| missing.counter == counter);
    &found
        .unwrap_or_else(|| panic!("no reason for {counter}"))
        .reason
}

/// Both modes have these hardware counters, within `tolerance` of what they were on the idle PMU.
fn agrees(run: &Run, alone: &Run, counters: &[Counter], tolerance: f64) {
    for mode in MODES {
        for &counter in counters {
            let (here, there) = (measured(run, mode, counter), measured(alone, mode, counter));
            let off = here.median - there.median;
            assert!(
                off.abs() <= tolerance * there.median,
                "{mode} {counter}: {here:?} {there:?}"
            );
        }
    }
}

#[test]
#[ignore = "needs the emulated machine: `make test-pmu`"]
fn the_unit_tests_pass_on_a_pmu() {
    let transcript = Transcript::read();
    let output = transcript.step("units");
    assert!(
        output.contains("the_running_pmu_counts_what_does_not_fit_in_one_group ... ok"),
        "{output}"
    );
}

#[test]
#[ignore = "needs the emulated machine: `make test-pmu`"]
fn a_mode_counts_as_much_as_itself() {
    let itself = Transcript::read().run("itself");
    assert_eq!(itself.modes(), ["advanced", "advanced-2"]);
    for counter in [Cycles, Instructions] {
        let ratio = itself.ratio("ten-thousand-hashes", "advanced", "advanced-2", counter);
        let ratio = ratio.unwrap_or_else(|| panic!("no {counter}: {:?}", itself.unavailable));
        assert!((ratio.median - 1.0).abs() < 0.01, "{ratio:?}");
    }
}

#[test]
#[ignore = "needs the emulated machine: `make test-pmu`"]
fn without_perf_events_signals_sample_and_their_stacks_are_unwound() {
    let run = Transcript::read().run("signals");
    for profile in &run.profiles {
        assert_eq!(profile.sampler, "SIGPROF");
        assert!(profile.samples > 50, "{profile:?}");
        let heaviest = profile.stacks.iter().max_by_key(|(_, weight)| *weight);
        let (stack, _) = heaviest.expect("a stack");
        assert!(!stack.contains("[unknown]"), "{stack}");
        // A function that a handler calls is found by its return address.
        let called = profile.stacks.iter().any(|(stack, _)| stack.contains(';'));
        assert!(called, "{:?}", profile.stacks);
    }
    assert!(
        reason(&run, Cycles).contains("paranoid"),
        "{:?}",
        run.unavailable
    );
}

#[test]
#[ignore = "needs the emulated machine: `make test-pmu`"]
fn doctor_names_what_the_pmu_has_and_what_it_has_not() {
    let transcript = Transcript::read();
    let text = transcript.step("doctor");
    let line = |start: &str| {
        let mut lines = text.lines();
        let found =
            lines.find(|line| line.starts_with(start) && line.contains(" hardware counters "));
        found.unwrap_or_else(|| panic!("{text}"))
    };
    let offered = line("ok");
    let missing = line("missing");
    for counter in OFFERED {
        assert!(offered.contains(counter.name()), "{offered}");
    }
    assert!(
        missing.contains("branch-misses") && missing.contains("no such event"),
        "{missing}"
    );
    assert!(text.contains("perf cycles, up to"), "{text}");
}

#[test]
#[ignore = "needs the emulated machine: `make test-pmu`"]
fn doctor_names_the_level_that_keeps_a_user_out() {
    let transcript = Transcript::read();
    let text = transcript.step("strict");
    assert!(text.contains("3 forbids counting: `sudo sysctl"), "{text}");
    assert!(
        text.contains("kernel.perf_event_paranoid is 3 and forbids it"),
        "{text}"
    );
    let text = transcript.step("strict.root");
    assert!(text.contains("this process has CAP_PERFMON"), "{text}");
    assert!(text.contains("cycles, instructions"), "{text}");
}

#[test]
#[ignore = "needs the emulated machine: `make test-pmu`"]
fn cycles_and_instructions_are_exact_on_an_idle_pmu() {
    let run = Transcript::read().run("alone");
    for mode in MODES {
        let [cycles, instructions] = [Cycles, Instructions].map(|c| measured(&run, mode, c));
        let per_instruction = cycles.median / instructions.median;
        assert!(
            (3.98..4.02).contains(&per_instruction),
            "{per_instruction} cycles an instruction"
        );
        for counted in [cycles, instructions] {
            assert_eq!(counted.coverage, None, "{counted:?}");
            assert!(counted.max / counted.min < 1.01, "{counted:?}");
        }
        let opcodes = run.opcodes("ten-thousand-hashes", mode).unwrap() as f64;
        assert!(
            instructions.median > 2.0 * opcodes,
            "{instructions:?} for {opcodes} opcodes"
        );
        for stalls in [StalledFrontend, StalledBackend] {
            assert_eq!(measured(&run, mode, stalls).max, 0.0);
        }
    }
    let hardware = Counter::ALL
        .iter()
        .filter(|c| c.source() == Source::Hardware);
    for &absent in hardware.filter(|c| !OFFERED.contains(c)) {
        assert!(reason(&run, absent).contains("no such event"), "{absent}");
        assert_eq!(
            run.measurement("ten-thousand-hashes", "advanced", absent),
            None
        );
    }
}

#[test]
#[ignore = "needs the emulated machine: `make test-pmu`"]
fn samples_are_taken_on_cycles() {
    let run = Transcript::read().run("alone");
    assert_eq!(run.profiles.len(), 2);
    for profile in &run.profiles {
        assert_eq!(profile.sampler, "perf cycles");
        assert!(profile.samples > 100, "{} samples", profile.samples);
    }
}

#[test]
#[ignore = "needs the emulated machine: `make test-pmu`"]
fn instructions_and_cycles_of_opcodes_are_sampled_on_the_pmu() {
    let run = Transcript::read().run("alone");
    for mode in MODES {
        let costs = run.opcode_costs.iter().filter(|cost| cost.mode == mode);
        let costs: Vec<_> = costs.filter(|cost| cost.executed > 0).collect();
        for counter in [Cycles, Instructions] {
            let each = |cost: &&OpcodeCost| cost.event(counter).unwrap() * cost.executed as f64;
            let all: f64 = costs.iter().map(each).sum();
            let call = measured(&run, mode, counter).median;
            // The rest is elsewhere: between handlers, and in what belongs to no single opcode.
            assert!(
                (0.5..1.001).contains(&(all / call)),
                "{mode} {counter}: {all} of {call}"
            );
        }
        assert!(
            costs
                .iter()
                .all(|cost| cost.event(Counter::BranchMisses).is_none())
        );
    }
}

/// Five counters are gone, and the four events that fit an idle PMU do not fit what is left.
#[test]
#[ignore = "needs the emulated machine: `make test-pmu`"]
fn groups_shrink_beside_pinned_events() {
    let transcript = Transcript::read();
    let (run, alone) = (transcript.run("crowded"), transcript.run("alone"));
    agrees(&run, &alone, &OFFERED, 0.01);
    assert_eq!(measured(&run, "advanced", Instructions).coverage, None);
}

#[test]
#[ignore = "needs the emulated machine: `make test-pmu`"]
fn multiplexed_counts_are_scaled_and_carry_their_coverage() {
    let transcript = Transcript::read();
    let (run, alone) = (transcript.run("shared"), transcript.run("alone"));
    agrees(&run, &alone, &[Cycles, Instructions], 0.2);
    for mode in MODES {
        let coverage = measured(&run, mode, Instructions).coverage.unwrap();
        assert!((0.05..0.95).contains(&coverage), "{mode}: {coverage}");
    }
}

#[test]
#[ignore = "needs the emulated machine: `make test-pmu`"]
fn builds_are_compared_by_hardware_counters_launch_by_launch() {
    let transcript = Transcript::read();
    transcript.step("diff.log");
    let changes: Changes = serde_json::from_str(transcript.section("diff")).unwrap();
    let modes: Vec<_> = changes.changes.iter().map(|it| it.mode.as_str()).collect();
    assert_eq!(modes, MODES);
    for change in &changes.changes {
        for counter in [Cycles, Instructions] {
            // One build on both sides, counted exactly.
            let ratio = change.ratio(counter).unwrap();
            assert!((0.99..1.01).contains(&ratio.median), "{counter}: {ratio:?}");
            assert_eq!(ratio.verdict, Verdict::Unchanged, "{counter}: {ratio:?}");
            let of = |run: &Run| measured(run, &change.mode, counter).launches.clone();
            assert_eq!(of(&changes.base), [2; 5]);
            assert_eq!(of(&changes.head), [2; 5]);
        }
    }
    assert!(reason(&changes.head, Counter::BranchMisses).contains("no such event"));
}

#[test]
#[ignore = "needs the emulated machine: `make test-pmu`"]
fn a_pmu_held_by_others_gives_reasons_and_no_zero() {
    let run = Transcript::read().run("starved");
    for counter in OFFERED {
        assert!(
            reason(&run, counter).contains("not counted: other events hold the PMU"),
            "{counter}"
        );
        for mode in MODES {
            assert_eq!(run.measurement("ten-thousand-hashes", mode, counter), None);
        }
    }
    assert!(measured(&run, "advanced", Counter::CpuTime).median > 0.0);
}
