//! Diffs of two runs: verdicts, and the texts for pull requests and terminal.

mod fixture;

use evmscope_reports::Run;
use evmscope_reports::change::{Changes, Failure, Gate, Taken, Terms};
use evmscope_reports::counter::Counter::{self, CpuTime, SimInstructions};
use evmscope_reports::diff::Delta;
use evmscope_reports::render::{json, markdown, terminal};
use evmscope_reports::run::{Measurement, Verdict};

const MODES: [&str; 2] = ["traditional", "advanced"];
const CASES: [&str; 2] = ["snailtracer", "empty"];

/// Five launches of six samples around `median`, ns; `noise` is the spread between launches.
fn timed(case: &str, mode: &str, median: f64, noise: f64, seed: usize) -> Measurement {
    let wave = |i: usize| ((i * 7 + seed * 3) % 11) as f64 / 5.0 - 1.0;
    let launch = |l: usize| {
        let luck = 1.0 + noise * wave(l);
        let sample = |i| median * luck * (1.0 + 0.003 * wave(i + 5 * l));
        (0..6).map(sample).collect::<Vec<_>>()
    };
    let launches: Vec<_> = (0..5).map(launch).collect();
    Measurement::of_launches(case, mode, CpuTime, &launches).unwrap()
}

/// A run of both cases in both modes. snailtracer in the advanced mode takes `slower` times as long, because of MLOAD.
fn run(slower: f64, noise: f64, seed: usize) -> Run {
    let mut run = fixture::run();
    run.measurements = CASES
        .iter()
        .flat_map(|case| MODES.iter().map(move |mode| (*case, *mode)))
        .flat_map(|(case, mode)| {
            let factor = match (case, mode) {
                ("snailtracer", "advanced") => slower,
                _ => 1.0,
            };
            let instructions = 100e6 * factor;
            [
                timed(case, mode, 20e6 * factor, noise, seed),
                Measurement::new(case, mode, SimInstructions, vec![instructions]).unwrap(),
            ]
        })
        .collect();
    run.results.retain(|it| MODES.contains(&it.mode.as_str()));
    run.ratios.clear();
    for cost in &mut run.opcode_costs {
        if cost.mode == "advanced" && cost.opcode.as_deref() == Some("MLOAD") {
            let instructions = cost.sim_instructions.unwrap() as f64;
            cost.sim_instructions = Some((instructions + 100e6 * (slower - 1.0)) as u64);
        }
    }
    run
}

/// An interleaved comparison with the base measured twice.
fn interleaved(head: Run, noise: f64) -> Changes {
    let (base, again) = (run(1.0, noise, 1), run(1.0, noise, 2));
    Changes::of(
        base,
        head,
        Some(again),
        Terms::new(Taken::Interleaved, 0.05),
        &[],
    )
}

fn verdicts(changes: &Changes) -> Vec<Result<Verdict, String>> {
    changes
        .changes
        .iter()
        .map(|it| it.verdict.clone())
        .collect()
}

#[test]
fn no_change() {
    let changes = interleaved(run(1.01, 0.004, 3), 0.004);
    assert_eq!(verdicts(&changes), vec![Ok(Verdict::Unchanged); 4]);
    assert!(!changes.regressed());
    insta::assert_snapshot!(markdown::diff(&changes));
}

#[test]
fn a_regression_names_its_opcode() {
    let changes = interleaved(run(1.08, 0.004, 3), 0.004);
    assert!(changes.regressed());
    let worst = changes.with(Verdict::Regressed);
    assert_eq!(
        (worst.len(), worst[0].opcodes[0].opcode.as_deref()),
        (1, Some("MLOAD"))
    );
    insta::assert_snapshot!(markdown::diff(&changes));
    insta::assert_snapshot!(
        "a_regression_in_the_terminal",
        terminal::diff(
            &changes,
            terminal::Style {
                width: 100,
                ..Default::default()
            }
        )
    );
}

#[test]
fn an_improvement_is_named() {
    let changes = interleaved(run(0.8, 0.004, 3), 0.004);
    assert!(!changes.regressed());
    let text = markdown::diff(&changes);
    assert!(
        text.starts_with("**Improved beyond 5 %: snailtracer, advanced:"),
        "{text}"
    );
}

#[test]
fn launches_that_differ_are_inconclusive() {
    let changes = interleaved(run(1.08, 0.15, 3), 0.15);
    assert!(!changes.regressed());
    assert!(verdicts(&changes).contains(&Ok(Verdict::Inconclusive)));
    insta::assert_snapshot!(markdown::diff(&changes));
}

#[test]
fn a_change_within_the_noise_floor_is_inconclusive() {
    let base = || run(1.0, 0.004, 1);
    // The second measurement of the base differs from the base as much as the head does.
    let again = Some(run(1.08, 0.004, 2));
    let changes = Changes::of(
        base(),
        run(1.08, 0.004, 2),
        again,
        Terms::new(Taken::Interleaved, 0.05),
        &[],
    );
    assert!(!changes.regressed());
    let advanced = &changes.changes[1];
    assert_eq!(advanced.ratio(CpuTime).unwrap().verdict, Verdict::Regressed);
    assert_eq!(advanced.verdict, Ok(Verdict::Inconclusive));
}

#[test]
fn different_machines_get_no_verdict_but_exact_counters_are_compared() {
    let mut head = run(1.5, 0.004, 3);
    head.rig.cpu = "Another CPU".to_owned();
    let changes = Changes::of(
        run(1.0, 0.004, 1),
        head,
        None,
        Terms::new(Taken::Separately, 0.05),
        &[],
    );
    assert!(!changes.regressed());
    assert!(verdicts(&changes).iter().all(Result::is_err));
    let advanced = &changes.changes[1];
    assert_eq!(advanced.ratio(CpuTime), None);
    assert_eq!(advanced.ratio(SimInstructions).unwrap().median, 1.5);
    insta::assert_snapshot!(markdown::diff(&changes));
}

#[test]
fn runs_at_different_times_need_a_larger_change() {
    let of = |slower| {
        let changes = Changes::of(
            run(1.0, 0.0, 1),
            run(slower, 0.0, 3),
            None,
            Terms::new(Taken::Separately, 0.05),
            &[],
        );
        changes.changes[1].verdict.clone()
    };
    assert_eq!(of(1.04), Ok(Verdict::Inconclusive));
    assert_eq!(of(1.2), Ok(Verdict::Regressed));
    assert_eq!(of(0.8), Ok(Verdict::Improved));
}

#[test]
fn different_work_and_absent_cases_are_not_compared() {
    let mut head = run(1.08, 0.004, 3);
    head.results.iter_mut().for_each(|it| {
        if it.case == "snailtracer" {
            it.gas_used -= 1;
        }
    });
    head.results.retain(|it| it.case != "empty");
    head.measurements.retain(|it| it.case != "empty");
    let changes = interleaved(head, 0.004);
    let why: Vec<_> = verdicts(&changes)
        .into_iter()
        .map(Result::unwrap_err)
        .collect();
    assert!(
        why[1].starts_with("not the same work: success, 235,948,591 gas against"),
        "{why:?}"
    );
    assert_eq!(why[2..], ["only in the base", "only in the base"]);
    assert!(matches!(
        changes.changes[2].counters[0].medians,
        Delta::OnlyBase(_)
    ));
    let text = markdown::diff(&changes);
    assert!(text.starts_with("**4 of 4 inconclusive"), "{text}");
    assert!(
        text.contains(
            "Not the same answer on both sides: snailtracer, traditional; snailtracer, advanced."
        ),
        "{text}"
    );
}

#[test]
fn outputs_are_told_where_they_alone_differ() {
    let mut head = run(1.0, 0.004, 3);
    for result in &mut head.results {
        result.output_hash = result.output_hash.replace("0x", "0xffffffff");
    }
    let why = verdicts(&interleaved(head, 0.004)).swap_remove(0);
    let why = why.unwrap_err();
    assert!(why.contains(" gas, output 0x"), "{why}");
    assert!(why.ends_with(" gas, output 0xffffffff"), "{why}");
}

#[test]
fn a_case_that_a_side_could_not_run_is_a_row_with_both_answers() {
    let mut head = run(1.0, 0.004, 3);
    head.results.retain(|it| it.case != "empty");
    head.measurements.retain(|it| it.case != "empty");
    let failure = |case: &str, why| Failure {
        case: case.to_owned(),
        why,
    };
    let failures = vec![
        failure("empty", Delta::OnlyHead("it exited".to_owned())),
        failure("new", Delta::OnlyHead("cannot be read".to_owned())),
    ];
    let whole = interleaved(head, 0.004);
    let changes = whole
        .clone()
        .with_failures(failures, &MODES.map(str::to_owned));
    assert_eq!(changes.changes[..2], whole.changes[..2]);
    let told: Vec<_> = verdicts(&changes).into_iter().skip(2).collect();
    let empty = "not compared: base: success, 0 gas; head: it exited".to_owned();
    let new = "not compared: base: was not run; head: cannot be read".to_owned();
    assert_eq!(
        told,
        [Err(empty.clone()), Err(empty), Err(new.clone()), Err(new)]
    );
    assert!(!changes.same_work() && !changes.regressed());
    // It stays with the comparison.
    let read: Changes = serde_json::from_str(&json::write(&changes).unwrap()).unwrap();
    assert_eq!(read, changes);
}

#[test]
fn only_selected_cases_are_compared() {
    let keep = ["empty".to_owned()];
    let changes = Changes::of(
        run(1.0, 0.0, 1),
        run(1.5, 0.0, 3),
        None,
        Terms::new(Taken::Separately, 0.05),
        &keep,
    );
    assert!(changes.changes.iter().all(|it| it.case == "empty"));
}

#[test]
fn without_simulation_the_samples_name_the_opcode() {
    let sampled = |slower: f64| {
        let mut run = run(slower, 0.004, 1);
        for cost in &mut run.opcode_costs {
            cost.sim_instructions = None;
            if cost.mode == "advanced" && cost.opcode.as_deref() == Some("MLOAD") {
                let factor = 1.0 + (slower - 1.0) * 5.0;
                cost.time = cost.time.map(|time| time * factor);
                cost.runs.iter_mut().for_each(|run| run.time *= factor);
            }
        }
        run
    };
    let changes = Changes::of(
        sampled(1.0),
        sampled(1.1),
        None,
        Terms::new(Taken::Separately, 0.05),
        &[],
    );
    let blamed = &changes.changes[1].opcodes;
    assert_eq!(blamed[0].opcode.as_deref(), Some("MLOAD"));
    assert_eq!(blamed[0].counter, CpuTime);
    assert_eq!(blamed.len(), 1, "the rest is within its error");

    let mut early = sampled(1.0);
    early
        .opcode_costs
        .iter_mut()
        .for_each(|cost| cost.runs.clear());
    let changes = Changes::of(
        early,
        sampled(1.1),
        None,
        Terms::new(Taken::Separately, 0.05),
        &[],
    );
    assert_eq!(
        changes.changes[1].opcodes,
        [],
        "a single run decides nothing"
    );
    let text = markdown::diff(&changes);
    assert!(text.contains("need 5 sampling runs of each side"), "{text}");
}

#[test]
fn a_long_text_is_cut_with_a_notice_and_keeps_the_verdict() {
    let many = |slower: f64| {
        let mut many = run(1.0, 0.0, 1);
        let (measurements, results) = (many.measurements.clone(), many.results.clone());
        for i in 0..150 {
            let name =
                |case: &str| format!("{case}-{i}-with-a-name-that-is-as-long-as-they-are-at-times");
            many.measurements
                .extend(measurements.iter().cloned().map(|mut it| {
                    it.case = name(&it.case);
                    it
                }));
            many.results.extend(results.iter().cloned().map(|mut it| {
                it.case = name(&it.case);
                it
            }));
        }
        let slow =
            |it: &&mut Measurement| it.case.starts_with("snailtracer-149") && it.mode == "advanced";
        for it in many.measurements.iter_mut().filter(slow) {
            let launches: Vec<Vec<f64>> = it
                .by_launch()
                .iter()
                .map(|samples| samples.iter().map(|sample| sample * slower).collect())
                .collect();
            if it.counter == Counter::CpuTime {
                *it = Measurement::of_launches(&it.case, &it.mode, CpuTime, &launches).unwrap();
            }
        }
        many
    };
    let changes = Changes::of(
        many(1.0),
        many(1.3),
        None,
        Terms::new(Taken::Interleaved, 0.05),
        &[],
    );
    let text = markdown::diff(&changes);
    assert!(text.chars().count() <= markdown::LONGEST);
    assert!(
        text.starts_with("**Regressed beyond 5 %: snailtracer-149-with"),
        "{text}"
    );
    let notices: Vec<_> = text
        .lines()
        .filter(|line| line.contains(" cut: "))
        .collect();
    insta::assert_snapshot!(notices.join("\n"));
    // The worst change comes first, so it is not cut.
    let first = text
        .lines()
        .find(|line| line.starts_with("| snailtracer"))
        .unwrap();
    assert!(first.contains("slower"), "{first}");
}

#[test]
fn a_written_diff_contains_both_runs() {
    let changes = interleaved(run(1.08, 0.004, 3), 0.004);
    let text = json::write(&changes).unwrap();
    let read: Changes = serde_json::from_str(&text).unwrap();
    assert!(read == changes, "a diff changed on its way through JSON");
}

#[test]
fn hardware_instructions_are_preferred_to_simulated_ones() {
    let counted = |mut run: Run, factor: f64| {
        let measure = |(case, mode)| {
            let launches = vec![vec![90e6 * factor, 90.1e6 * factor]; 5];
            Measurement::of_launches(case, mode, Counter::Instructions, &launches).unwrap()
        };
        let places = CASES
            .iter()
            .flat_map(|case| MODES.map(|mode| (*case, mode)));
        run.measurements.extend(places.map(measure));
        run
    };
    let (base, head) = (run(1.0, 0.004, 1), run(1.0, 0.004, 3));
    let [base, head] = [(base, 1.0), (head, 1.2)].map(|(run, factor)| counted(run, factor));
    let changes = Changes::of(base, head, None, Terms::new(Taken::Interleaved, 0.05), &[]);
    let ratio = changes.changes[0].ratio(Counter::Instructions).unwrap();
    assert_eq!(ratio.verdict, Verdict::Regressed);
    // CPU time still decides.
    assert!(!changes.regressed());
    let text = markdown::diff(&changes);
    let mut rows = text.lines();
    let header = rows.find(|line| line.starts_with("| case |")).unwrap();
    assert!(header.ends_with("| instructions |"), "{header}");
    assert!(rows.nth(1).unwrap().ends_with("| +20.0 % |"), "{text}");
}

/// An interleaved comparison whose gate is instructions, with `factor` times the instructions in one mode of one case
/// and no change of time.
fn more_instructions(factor: f64) -> Changes {
    let mut head = run(1.0, 0.004, 3);
    let counts = head.measurements.iter_mut();
    for it in counts.filter(|it| it.counter == SimInstructions && it.mode == "advanced") {
        if it.case == "snailtracer" {
            let count = vec![it.median * factor];
            *it = Measurement::new(&it.case, &it.mode, SimInstructions, count).unwrap();
        }
    }
    let terms = Terms {
        gates: vec![Gate::Instructions],
        timing_seconds: Some(60.0),
        ..Terms::new(Taken::Interleaved, 0.05)
    };
    let again = Some(run(1.0, 0.004, 2));
    Changes::of(run(1.0, 0.004, 1), head, again, terms, &[])
}

#[test]
fn more_instructions_are_a_verdict_of_their_own() {
    let changes = more_instructions(1.03);
    assert_eq!(verdicts(&changes), vec![Ok(Verdict::Unchanged); 4]);
    assert!(changes.regressed());
    insta::assert_snapshot!(terminal::diff(&changes, terminal::Style::default()));

    // At the default gate they are said and fail nothing.
    let mut by_time = changes;
    by_time.terms.gates = vec![Gate::Time];
    assert!(!by_time.regressed());
    assert!(markdown::diff(&by_time).contains("more instructions, exact; time level"));
}

#[test]
fn few_more_or_fewer_instructions_fail_no_gate() {
    for factor in [1.009, 1.0, 0.97] {
        assert!(!more_instructions(factor).regressed(), "{factor}");
    }
}

#[test]
fn counts_that_are_not_exact_or_missing_pass_no_gate() {
    let inexact = |change: fn(&mut Run)| {
        let Changes {
            base,
            mut head,
            terms,
            ..
        } = more_instructions(1.0);
        change(&mut head);
        Changes::of(base, head, None, terms, &[])
    };
    let spread = inexact(|run| {
        let it = run
            .measurements
            .iter_mut()
            .find(|it| it.counter == SimInstructions);
        let it = it.unwrap();
        let counts = vec![it.median, it.median + 1.0];
        *it = Measurement::new(&it.case, &it.mode, SimInstructions, counts).unwrap();
    });
    assert_eq!(spread.ungated().len(), 1);
    let missing = inexact(|run| run.measurements.retain(|it| it.counter != SimInstructions));
    assert_eq!(missing.ungated().len(), 4);
    let other_work = inexact(|run| {
        run.results[0].gas_used += 1;
        run.measurements.retain(|it| it.counter != SimInstructions);
    });
    assert_eq!(other_work.ungated().len(), 3, "other work fails by itself");
}

#[test]
fn the_inconclusive_say_what_would_decide_them() {
    let needed = |slower, noise| interleaved(run(slower, noise, 3), noise).launches_to_decide();
    assert_eq!(needed(1.01, 0.004), [], "nothing is inconclusive");
    let [Some(few), ..] = needed(1.08, 0.06)[..] else {
        panic!("{:?}", needed(1.08, 0.06))
    };
    assert!((6..=200).contains(&few), "{few}");
    let many = needed(1.08, 0.12);
    assert!(many[0].is_none_or(|many| many > few), "{many:?}");
    let text = markdown::diff(&interleaved(run(1.08, 0.06, 3), 0.06));
    assert!(
        text.contains("To decide the inconclusive at the spread found: --launches"),
        "{text}"
    );
}

#[test]
fn marks_and_immaterial_counters_are_those_of_the_other_tables() {
    use Counter::SimL1iMisses;
    let with = |mut run: Run, misses: f64, faults: f64| {
        for (case, mode) in [("snailtracer", "traditional"), ("snailtracer", "advanced")] {
            let misses = Measurement::new(case, mode, SimL1iMisses, vec![misses]).unwrap();
            run.measurements.insert(0, misses);
        }
        for time in run
            .measurements
            .iter_mut()
            .filter(|it| it.counter == CpuTime)
        {
            time.faults = Some(faults);
        }
        run
    };
    let base = with(run(1.0, 0.004, 1), 430.0, 0.0);
    let head = with(run(1.0, 0.004, 3), 3_580.0, 0.5);
    let changes = Changes::of(base, head, None, Terms::new(Taken::Interleaved, 0.05), &[]);
    assert!(changes.changes[0].is_immaterial(SimL1iMisses));
    assert!(!changes.changes[0].is_immaterial(SimInstructions));
    let text = markdown::diff(&changes);
    let rows: Vec<_> = text
        .lines()
        .filter(|it| it.contains("snailtracer | traditional"))
        .collect();
    insta::assert_snapshot!(rows.join("\n"));
    let legend: Vec<_> = text
        .lines()
        .filter(|it| {
            ["- page", "- !", "- immaterial"]
                .iter()
                .any(|start| it.starts_with(start))
        })
        .collect();
    insta::assert_snapshot!(legend.join("\n"));
    let narrow = terminal::diff(&changes, terminal::Style::default());
    assert!(
        narrow.contains("! 0.500") && !narrow.contains("immaterial"),
        "{narrow}"
    );
}
