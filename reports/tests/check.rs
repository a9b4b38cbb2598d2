//! Targets and baseline: each way in which a run can fail them.

mod fixture;

use evmscope_reports::Run;
use evmscope_reports::check::{
    Finding, Outcome, Speedup, Targets, against_baseline, against_targets,
};
use evmscope_reports::counter::Counter::CpuTime;
use evmscope_reports::render::terminal;
use evmscope_reports::run::{
    Budgeted, Decoding, Engine, HeapUse, Measurement, MemoryUse, ProgramCache,
};
use evmscope_reports::stats;

/// A run that meets all targets: two cases, one twice as fast and one level.
fn run() -> Run {
    let mut run = fixture::run();
    run.measurements = [("snailtracer", 2.0), ("empty", 1.0)]
        .iter()
        .flat_map(|(case, speed)| {
            [
                timed(case, "traditional", 20e6),
                timed(case, "advanced", 20e6 / speed),
            ]
        })
        .collect();
    run.results.retain(|it| it.mode != "revm");
    run.ratios = stats::ratios(&run.measurements, "traditional", 0.02);
    run.memory = ["snailtracer", "empty"]
        .map(|case| memory(case, 3.5))
        .into();
    run.decoding = vec![decoding(400, 1e6), decoding(24_576, 6e6)];
    run
}

/// Samples that vary by 1 % around `median`, ns.
fn timed(case: &str, mode: &str, median: f64) -> Measurement {
    let samples = (0..30).map(|i| median * (1.0 + 0.01 * ((i * 7 % 11) as f64 / 5.0 - 1.0)));
    Measurement::new(case, mode, CpuTime, samples.collect()).unwrap()
}

fn memory(case: &str, ratio: f64) -> MemoryUse {
    MemoryUse {
        case: case.to_owned(),
        mode: "advanced".to_owned(),
        first: HeapUse::default(),
        later: HeapUse::default(),
        calls: 32,
        programs: Some(ProgramCache {
            programs: 1,
            code_bytes: 1_000,
            decoded_bytes: (1_000.0 * ratio) as u64,
            greatest_ratio: ratio,
            greatest_short: 9_000,
            budget: 4.0,
            budget_floor: 16_384,
            translated: 9,
            hits: 1,
            misses: 1,
            postponed: 0,
            refused: 0,
        }),
    }
}

fn decoding(code_bytes: u64, time: f64) -> Decoding {
    Decoding {
        case: "snailtracer".to_owned(),
        contract: "0x01".to_owned(),
        code_bytes,
        budgeted: Some(Budgeted {
            decoded_bytes: code_bytes,
            entries: 10,
            time: time / 2.0,
            mad: 0.0,
        }),
        decoded_bytes: 2 * code_bytes,
        entries: 20,
        time,
        mad: 0.0,
        n: 21,
    }
}

fn targets() -> Targets {
    let asked = |least, target| Speedup {
        least,
        target,
        stretch: Some(3.0),
    };
    Targets {
        keccak_memo: "advanced".to_owned(),
        memory_ratio: 4.0,
        memory_floor: Some(16_384),
        decode_ms: 5.0,
        decode_all_ms: Some(10.0),
        cases: [
            ("snailtracer".to_owned(), asked(1.5, Some(2.0))),
            ("empty".to_owned(), asked(0.95, None)),
        ]
        .into(),
    }
}

fn failing(findings: &[Finding]) -> Vec<String> {
    let failing = findings
        .iter()
        .filter(|finding| finding.outcome == Outcome::Fails);
    failing
        .map(|it| format!("{}: {} for {}", it.what, it.found, it.asked))
        .collect()
}

/// The failing findings of a run after `change`.
fn failing_after(change: impl FnOnce(&mut Run)) -> Vec<String> {
    let mut run = run();
    change(&mut run);
    run.ratios = stats::ratios(&run.measurements, "traditional", 0.02);
    failing(&against_targets(&run, &targets()))
}

#[test]
fn a_run_that_meets_all_targets() {
    let findings = against_targets(&run(), &targets());
    assert_eq!(failing(&findings), Vec::<String>::new());
    let style = terminal::Style {
        width: 110,
        ..Default::default()
    };
    insta::assert_snapshot!(terminal::findings(&findings, &run(), style));
}

#[test]
fn each_missed_target_fails() {
    let slow = |case: &'static str, speed: f64| {
        move |run: &mut Run| {
            run.measurements
                .retain(|it| it.case != case || it.mode != "advanced");
            run.measurements.push(timed(case, "advanced", 20e6 / speed));
        }
    };
    let broken = [
        failing_after(slow("snailtracer", 1.4)),
        failing_after(slow("empty", 0.9)),
        failing_after(|run| {
            run.results.retain(|it| it.case != "empty");
            run.measurements.retain(|it| it.case != "empty");
            run.memory.retain(|it| it.case != "empty");
        }),
        failing_after(|run| {
            run.measurements
                .retain(|it| it.mode != "advanced" || it.case != "empty")
        }),
        failing_after(|run| run.memory[0] = memory("snailtracer", 4.2)),
        failing_after(|run| {
            let programs = run.memory[0].programs.as_mut();
            programs.unwrap().greatest_short = 17_000;
        }),
        failing_after(|run| run.memory[0].programs = None),
        failing_after(|run| run.decoding[1].time = 10.5e6),
        failing_after(|run| run.decoding[1].budgeted.as_mut().unwrap().time = 5.1e6),
        failing_after(|run| run.decoding[1].budgeted = None),
        failing_after(|run| run.decoding.clear()),
        failing_after(|run| run.settings.as_mut().unwrap().keccak_memo = "both".to_owned()),
        failing_after(|run| run.settings.as_mut().unwrap().cold = true),
        failing_after(|run| run.settings = None),
        // A case without targets must not be slower.
        failing_after(|run| {
            run.measurements.extend([
                timed("new", "traditional", 1e6),
                timed("new", "advanced", 2e6),
            ])
        }),
    ];
    assert!(
        broken.iter().all(|failing| !failing.is_empty()),
        "{broken:?}"
    );
    let broken: Vec<_> = broken.iter().map(|failing| failing.join("; ")).collect();
    insta::assert_snapshot!(broken.join("\n"));
}

#[test]
fn a_speed_hidden_by_noise_is_undecided() {
    let mut run = run();
    for (i, sample) in run.measurements[1].samples.iter_mut().enumerate() {
        *sample *= 1.35 + 0.3 * ((i % 3) as f64 - 1.0);
    }
    run.ratios = stats::ratios(&run.measurements, "traditional", 0.02);
    let findings = against_targets(&run, &targets());
    let speed = findings
        .iter()
        .find(|it| it.what == "snailtracer: speed")
        .unwrap();
    assert_eq!(speed.outcome, Outcome::Undecided, "{speed:?}");
    let text = terminal::findings(&findings, &run, terminal::Style::default());
    assert!(text.contains("undecided, the others hold"), "{text}");
    // It was timed in one process.
    assert!(text.contains("without --quick"), "{text}");
}

#[test]
fn few_pairs_or_launches_decide_nothing() {
    let outcome = |change: fn(&mut Measurement)| {
        let mut run = run();
        run.measurements.iter_mut().for_each(change);
        run.ratios = stats::ratios(&run.measurements, "traditional", 0.02);
        against_targets(&run, &targets())[1].outcome
    };
    assert_eq!(outcome(|_| {}), Outcome::Holds);
    assert_eq!(outcome(|it| it.n = 3), Outcome::Undecided);
    assert_eq!(outcome(|it| it.launches = vec![15, 15]), Outcome::Undecided);
}

/// A run on bare metal.
fn on_metal() -> Run {
    let mut run = run();
    run.rig.virtualized = false;
    run
}

/// The failing findings of a changed run against the unchanged one as the baseline, both on bare metal.
fn since_baseline(change: impl FnOnce(&mut Run)) -> Vec<String> {
    let mut run = on_metal();
    change(&mut run);
    failing(&against_baseline(&on_metal(), &run))
}

fn slower(run: &mut Run) {
    run.measurements[1] = timed("snailtracer", "advanced", 20e6);
}

#[test]
fn regressions_against_the_baseline_fail() {
    assert_eq!(since_baseline(|_| {}), Vec::<String>::new());
    let worse = [
        since_baseline(slower),
        since_baseline(|run| run.memory[0] = memory("snailtracer", 3.9)),
        since_baseline(|run| run.results[0].gas_used += 1),
        since_baseline(|run| run.results.retain(|it| it.case != "empty")),
    ];
    assert!(worse.iter().all(|failing| !failing.is_empty()), "{worse:?}");
    let worse: Vec<_> = worse.iter().map(|failing| failing.join("; ")).collect();
    insta::assert_snapshot!(worse.join("\n"));
}

#[test]
fn on_a_virtual_machine_only_counts_are_compared() {
    let mut later = run();
    slower(&mut later);
    let findings = against_baseline(&run(), &later);
    assert_eq!(failing(&findings), Vec::<String>::new());
    assert!(
        findings[0].found.contains("virtual machine"),
        "{findings:?}"
    );
    later.memory[0] = memory("snailtracer", 3.9);
    assert_eq!(failing(&against_baseline(&run(), &later)).len(), 1);
}

#[test]
fn on_another_machine_only_counts_are_compared() {
    let elsewhere = |run: &mut Run| run.rig.cpu = "Another CPU".to_owned();
    let time = since_baseline(|run| {
        elsewhere(run);
        slower(run);
    });
    assert_eq!(time, Vec::<String>::new());
    let counted = since_baseline(|run| {
        elsewhere(run);
        run.memory[0] = memory("snailtracer", 3.9);
    });
    assert_eq!(counted.len(), 1, "{counted:?}");
}

/// A run by launches beside revm, on a virtual machine that takes `machine` times as long; the advanced mode takes
/// `slower` times as long besides.
fn beside_control(machine: f64, slower: f64, seed: usize) -> Run {
    let launches = |median: f64, seed: usize| {
        let wave = |i: usize| 0.004 * ((i * 7 + seed * 3) % 11) as f64;
        let launch = |l: usize| (0..6).map(|i| median * (1.0 + wave(i + 5 * l))).collect();
        (0..6).map(launch).collect::<Vec<Vec<f64>>>()
    };
    let mut run = run();
    run.measurements = [
        ("traditional", 20e6),
        ("advanced", 10e6 * slower),
        ("revm", 30e6),
    ]
    .map(|(mode, median)| {
        let samples = launches(median * machine, seed);
        Measurement::of_launches("snailtracer", mode, CpuTime, &samples).unwrap()
    })
    .into();
    run.results = fixture::run().results;
    run.results.retain(|it| it.case == "snailtracer");
    run.engines.retain(|it| it.name != "revm");
    run.engines.push(Engine {
        name: "revm".to_owned(),
        version: "revm 1.2.3".to_owned(),
    });
    run
}

#[test]
fn beside_a_control_times_are_compared_though_the_machine_is_a_little_slower_or_faster() {
    let baseline = beside_control(1.0, 1.0, 1);
    let failing_at = |machine, slower| {
        failing(&against_baseline(
            &baseline,
            &beside_control(machine, slower, 4),
        ))
    };
    assert_eq!(failing_at(1.08, 1.0), Vec::<String>::new());
    let slower = failing_at(0.95, 1.08);
    assert_eq!(slower.len(), 1, "{slower:?}");
    assert!(slower[0].starts_with("snailtracer, advanced: baseline: time beside revm"));
}

#[test]
fn nothing_is_decided_where_the_control_took_longer_too() {
    let baseline = beside_control(1.0, 1.0, 1);
    let findings = against_baseline(&baseline, &beside_control(1.7, 1.2, 4));
    let times = findings.iter().filter(|it| it.found.contains("revm"));
    let times: Vec<_> = times.collect();
    assert_eq!(times.len(), 2, "{findings:?}");
    for time in times {
        assert_eq!(time.outcome, Outcome::Undecided, "{time:?}");
        assert!(time.found.contains("left out: 6 of 12"), "{time:?}");
    }
}

#[test]
fn another_release_of_the_control_or_few_launches_decide_nothing() {
    let baseline = beside_control(1.0, 1.0, 1);
    let mut other = beside_control(1.0, 2.0, 1);
    other.engines.last_mut().unwrap().version = "revm 2.0.0".to_owned();
    assert_eq!(
        failing(&against_baseline(&baseline, &other)),
        Vec::<String>::new()
    );
    let found = &against_baseline(&baseline, &other)[0].found;
    assert!(found.contains("no revm beside it"), "{found}");

    let mut few = beside_control(1.0, 2.0, 1);
    few.measurements
        .iter_mut()
        .for_each(|it| it.launches.clear());
    let findings = against_baseline(&baseline, &few);
    let undecided = |it: &&Finding| it.outcome == Outcome::Undecided;
    let some = findings.iter().find(undecided).unwrap();
    assert!(some.found.contains("too few launches"), "{some:?}");
    assert_eq!(findings.iter().filter(undecided).count(), 2, "{findings:?}");
}
