//! Plans and passes on the fake kernel, and on the running one.

use super::super::fake::{Fake, PER_CALL};
use super::*;

const THREE_CALLS: NonZeroU32 = NonZeroU32::new(3).unwrap();

fn plan(kernel: &Fake) -> Plan {
    Plan::new(kernel, &Probe::new(kernel))
}

fn count(kernel: &Fake) -> (Counted, u32) {
    let mut calls = 0;
    let counted = plan(kernel).count(kernel, &mut || calls += 1, THREE_CALLS);
    (counted, calls)
}

fn reason(list: &[Unavailable], counter: Counter) -> &str {
    let found = list.iter().find(|lost| lost.counter == counter);
    &found.expect("listed as unavailable").reason
}

fn value(counted: &Counted, counter: Counter) -> Option<f64> {
    let found = counted.readings.iter().find(|r| r.counter == counter);
    found.map(|reading| reading.value)
}

#[test]
fn every_counter_is_counted_per_call() {
    let kernel = Fake::default();
    let plan = plan(&kernel);
    assert_eq!(plan.passes(), 3, "software, hardware, usage");
    assert_eq!(plan.unavailable, []);
    let (counted, calls) = count(&kernel);
    assert_eq!(calls, 3 * plan.passes() as u32);
    assert_eq!(counted.unavailable, []);
    assert_eq!(counted.readings.len(), 17);
    for reading in &counted.readings {
        assert_eq!(reading.value, PER_CALL as f64, "{}", reading.counter);
        assert_eq!(reading.coverage, 1.0);
    }
}

#[test]
fn a_machine_without_a_pmu_still_counts_software() {
    let kernel = Fake::without_pmu();
    let probe = Probe::new(&kernel);
    assert_eq!(
        probe.available,
        [
            Counter::TaskClock,
            Counter::PageFaults,
            Counter::ContextSwitches
        ]
    );
    assert!(reason(&probe.unavailable, Counter::Cycles).contains("no PMU"));
    let (counted, _) = count(&kernel);
    assert_eq!(counted.readings.len(), 3);
}

#[test]
fn an_absent_event_is_distinguished_from_an_absent_pmu() {
    let kernel = Fake::default().refusing(Counter::BranchMisses, Errno::ENOENT);
    let plan = plan(&kernel);
    assert!(reason(&plan.unavailable, Counter::BranchMisses).contains("no such event"));
    assert_eq!(value(&count(&kernel).0, Counter::BranchMisses), None);
    assert_eq!(
        value(&count(&kernel).0, Counter::Cycles),
        Some(PER_CALL as f64)
    );
}

#[test]
fn groups_are_as_large_as_the_pmu() {
    let kernel = Fake {
        slots: 4,
        ..Fake::default()
    };
    let plan = plan(&kernel);
    let sizes: Vec<_> = plan.groups.iter().map(Vec::len).collect();
    assert_eq!(sizes, [1, 4, 4, 4, 2]);
    assert_eq!(plan.groups[1][0], Counter::Cycles);
    assert_eq!(count(&kernel).0.readings.len(), 17);
}

#[test]
fn groups_shrink_if_other_users_hold_part_of_the_pmu() {
    // The NMI watchdog does so: the kernel accepts four members and never runs them.
    let kernel = Fake {
        slots: 4,
        free: 3,
        ..Fake::default()
    };
    let (counted, _) = count(&kernel);
    assert_eq!(counted.unavailable, []);
    assert_eq!(counted.readings.len(), 17);
}

#[test]
fn a_pmu_held_by_others_yields_a_reason_instead_of_zero() {
    let kernel = Fake {
        free: 0,
        ..Fake::default()
    };
    let plan = plan(&kernel);
    assert!(reason(&plan.unavailable, Counter::Instructions).contains("nmi_watchdog"));
    assert_eq!(value(&count(&kernel).0, Counter::Instructions), None);
}

#[test]
fn starvation_during_a_pass_yields_a_reason_instead_of_zero() {
    let kernel = Fake::default();
    let plan = plan(&kernel);
    kernel.seize();
    let counted = plan.count(&kernel, &mut || (), THREE_CALLS);
    assert!(reason(&counted.unavailable, Counter::Cycles).contains("not counted"));
    assert_eq!(value(&counted, Counter::Cycles), None);
    assert_eq!(value(&counted, Counter::PageFaults), Some(PER_CALL as f64));
}

#[test]
fn multiplexed_counters_are_scaled_and_have_a_coverage() {
    let kernel = Fake {
        share: 0.25,
        ..Fake::default()
    };
    let (counted, _) = count(&kernel);
    let cycles = counted
        .readings
        .iter()
        .find(|r| r.counter == Counter::Cycles);
    let cycles = cycles.unwrap();
    assert_eq!(cycles.coverage, 0.25);
    assert_eq!(cycles.value, PER_CALL as f64);
}

#[test]
fn an_event_that_opens_only_alone_gets_its_own_group() {
    let kernel = Fake {
        loner: Some(Counter::Branches),
        ..Fake::default()
    };
    let plan = plan(&kernel);
    assert!(plan.groups.contains(&vec![Counter::Branches]));
    assert_eq!(count(&kernel).0.readings.len(), 17);
}

#[test]
fn getrusage_counters_work_if_perf_event_open_is_blocked() {
    for errno in [Errno::EPERM, Errno::ENOSYS] {
        let kernel = Fake {
            blocked: Some(errno),
            ..Fake::default()
        };
        let plan = plan(&kernel);
        assert!(reason(&plan.unavailable, Counter::TaskClock).contains("seccomp"));
        let (counted, _) = count(&kernel);
        let counters: Vec<_> = counted.readings.iter().map(|r| r.counter).collect();
        assert_eq!(counters, [Counter::PageFaults, Counter::ContextSwitches]);
    }
}

#[test]
fn a_restrictive_paranoid_level_is_named() {
    let kernel = Fake {
        blocked: Some(Errno::EACCES),
        paranoid: Some(4),
        ..Fake::default()
    };
    let plan = plan(&kernel);
    let reason = reason(&plan.unavailable, Counter::Cycles);
    assert!(
        reason.contains("is 4") && reason.contains("sudo sysctl"),
        "{reason}"
    );
}

#[test]
fn a_failure_after_the_probe_yields_a_reason() {
    let kernel = Fake::default();
    let plan = plan(&kernel);
    let strict = Fake {
        blocked: Some(Errno::EMFILE),
        ..Fake::default()
    };
    let counted = plan.count(&strict, &mut || (), THREE_CALLS);
    assert!(reason(&counted.unavailable, Counter::Cycles).contains("ulimit"));
}

#[test]
fn a_hybrid_cpu_counts_once_the_thread_is_pinned() {
    let kernel = Fake::hybrid();
    let unpinned = plan(&kernel);
    assert!(reason(&unpinned.unavailable, Counter::Cycles).contains("not counted"));
    super::super::pin_to_one_kind(&kernel).unwrap().unwrap();
    assert_eq!(count(&kernel).0.readings.len(), 17);
}

#[test]
fn an_old_kernel_on_a_hybrid_cpu_is_not_mistaken_for_a_virtual_machine() {
    let kernel = Fake {
        kinds: Fake::hybrid().kinds,
        ..Fake::without_pmu()
    };
    super::super::pin_to_one_kind(&kernel).unwrap().unwrap();
    let reason = reason(&plan(&kernel).unavailable, Counter::Cycles).to_owned();
    assert!(
        reason.contains("hybrid") && reason.contains("newer"),
        "{reason}"
    );
}

/// More events than any PMU holds: they must be split into several groups, and all groups must count the same work.
#[test]
fn the_running_pmu_counts_what_does_not_fit_in_one_group() {
    const MANY: usize = 40;
    let kernel = super::super::Linux::default();
    let probe = Probe::new(&kernel);
    if !probe.available.contains(&Counter::Instructions) {
        return assert!(!reason(&probe.unavailable, Counter::Instructions).is_empty());
    }
    let many = Probe {
        available: vec![Counter::Instructions; MANY],
        unavailable: vec![],
    };
    let plan = Plan::new(&kernel, &many);
    assert!((2..MANY).contains(&plan.groups.len()), "{plan:?}");
    let mut work = || {
        (0..2_000_000u32).for_each(|i| {
            std::hint::black_box(i);
        });
    };
    let counted = plan.count(&kernel, &mut work, THREE_CALLS);
    assert_eq!(counted.unavailable, []);
    assert_eq!(counted.readings.len(), MANY);
    let values = counted.readings.iter().map(|reading| reading.value);
    let (least, most) = values.fold((f64::MAX, 0.0f64), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    assert!(least > 2e6 && most / least < 1.01, "{least} to {most}");
}

#[test]
fn the_running_kernel_counts_or_gives_a_reason() {
    let kernel = super::super::Linux::default();
    let plan = Plan::new(&kernel, &Probe::new(&kernel));
    let mut work = || {
        std::hint::black_box(vec![1u8; 40 << 20]);
    };
    let counted = plan.count(&kernel, &mut work, THREE_CALLS);
    let figures = counted.readings.len();
    let reasons = plan.unavailable.len() + counted.unavailable.len();
    assert_eq!(figures + reasons, 17, "{counted:?} {plan:?}");
    match value(&counted, Counter::TaskClock) {
        Some(ns) => assert!(ns > 1_000.0, "writing 40 MiB took {ns} ns"),
        None => assert!(!reason(&plan.unavailable, Counter::TaskClock).is_empty()),
    }
    let faults = value(&counted, Counter::PageFaults).unwrap();
    assert!(faults >= 1.0, "writing 40 MiB faulted {faults} times");
}
