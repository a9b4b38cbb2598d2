//! Checks a run against targets and against an earlier run (the baseline).
//!
//! Only the rules: the profiler measures and reads the files.

use crate::change::{Change, Changes, Taken, Terms};
use crate::counter::Counter::CpuTime;
use crate::format;
use crate::run::{Measurement, Ratio, Run, Verdict};
use crate::stats::{
    ALIKE, Controlled, MIN_LAUNCHES, MIN_PAIRS, PairedRatio, controlled_ratio, launches_for,
    launches_to_decide,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The modes whose ratio has targets.
const BASE: &str = "traditional";
const HEAD: &str = "advanced";
/// The engine beside which both modes are timed. It is no part of this project, so that its time shows the speed of
/// the machine.
pub const CONTROL: &str = "revm";
/// Changes against the baseline up to this size are ignored.
const THRESHOLD: f64 = 0.05;

/// The contents of `reports/targets.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// Which modes memoise hashes in the runs that the targets are for.
    pub keccak_memo: String,
    /// Most decoded bytes per bytecode byte, of codes that are not short.
    pub memory_ratio: f64,
    /// Most decoded bytes of a short code: one for which the ratio allows less than this. Not checked if absent.
    #[serde(default)]
    pub memory_floor: Option<u64>,
    /// Most time to decode the longest code of the run as far as its budget goes, ms.
    pub decode_ms: f64,
    /// The same without a budget, ms. Not checked if absent.
    #[serde(default)]
    pub decode_all_ms: Option<f64>,
    /// Speedup targets by case.
    pub cases: BTreeMap<String, Speedup>,
}

/// Targets for how many times as fast the advanced mode is as the traditional one.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speedup {
    /// The check fails below this.
    pub least: f64,
    /// The goal.
    #[serde(default)]
    pub target: Option<f64>,
    /// The stretch goal.
    #[serde(default)]
    pub stretch: Option<f64>,
}

/// One checked property.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The property, with its case if it has one.
    pub what: String,
    /// The value found.
    pub found: String,
    /// The required value.
    pub asked: String,
    /// Relative distance between the two; empty if there is none.
    pub margin: String,
    /// Whether the requirement is met.
    pub outcome: Outcome,
    /// Launches that would decide what is undecided, at the spread found; `None` if 1,000 are too few.
    pub launches: Option<usize>,
}

/// Whether a requirement is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is.
    Holds,
    /// It is not.
    Fails,
    /// The figure is too uncertain to tell: more launches or pairs would decide it.
    Undecided,
}

impl Outcome {
    fn holds(holds: bool) -> Outcome {
        if holds {
            Outcome::Holds
        } else {
            Outcome::Fails
        }
    }
}

/// One finding per target, cases of the targets first, by name. Cases without a target must not be slower.
pub fn against_targets(run: &Run, targets: &Targets) -> Vec<Finding> {
    let mut findings = vec![settings(run, targets)];
    findings.extend(
        targets
            .cases
            .iter()
            .map(|(case, asked)| speedup(run, case, *asked)),
    );
    let not_slower = Speedup {
        least: 1.0,
        target: None,
        stretch: None,
    };
    let others = run
        .cases()
        .into_iter()
        .filter(|case| !targets.cases.contains_key(*case));
    findings.extend(others.map(|case| speedup(run, case, not_slower)));
    findings.extend(
        targets
            .cases
            .keys()
            .flat_map(|case| memory(run, case, targets)),
    );
    findings.extend(decoding(run, targets));
    findings
}

fn settings(run: &Run, targets: &Targets) -> Finding {
    let settings = run.settings.as_ref();
    let cold = settings.is_some_and(|it| it.cold);
    let found = settings.map_or_else(|| "not stated".to_owned(), |it| it.keccak_memo.clone());
    Finding {
        what: "keccak memo".to_owned(),
        outcome: Outcome::holds(found == targets.keccak_memo && !cold),
        found: if cold {
            format!("{found}, cold calls")
        } else {
            found
        },
        asked: format!("{}, warm calls", targets.keccak_memo),
        margin: String::new(),
        launches: None,
    }
}

/// Holds or fails only if the whole interval lies on one side of the requirement, and enough was measured.
fn speedup(run: &Run, case: &str, asked: Speedup) -> Finding {
    let times = format::times;
    let mut wanted = format!("at least {}", times(asked.least));
    for (name, value) in [("target", asked.target), ("stretch", asked.stretch)] {
        wanted += &value.map_or_else(String::new, |value| format!(", {name} {}", times(value)));
    }
    let what = format!("{case}: speed");
    if !run.cases().contains(&case) {
        return absent(what, "absent", wanted);
    }
    let Some(Ratio {
        median, low, high, ..
    }) = run.ratio(case, BASE, HEAD, CpuTime)
    else {
        return absent(what, "not timed in both modes", wanted);
    };
    let (speed, least, most) = (median.recip(), high.recip(), low.recip());
    let reached = [("stretch", asked.stretch), ("target", asked.target)];
    let reached = reached
        .iter()
        .find(|(_, value)| value.is_some_and(|value| speed >= value));
    let reached = reached.map_or_else(String::new, |(name, _)| format!(", {name} reached"));
    let outcome = if !is_enough(run, case) {
        Outcome::Undecided
    } else if least >= asked.least {
        Outcome::Holds
    } else if most < asked.least {
        Outcome::Fails
    } else {
        Outcome::Undecided
    };
    let reach = (most / speed).ln().max((speed / least).ln());
    let launches = launches_for(made(run, case), reach, (speed / asked.least).ln().abs());
    Finding {
        what,
        launches: launches.filter(|_| outcome == Outcome::Undecided),
        found: format!(
            "{} [{}, {}]{reached}",
            times(speed),
            format::factor_digits(least),
            format::factor_digits(most)
        ),
        asked: wanted,
        margin: format::change(speed / asked.least),
        outcome,
    }
}

/// Launches that timed the advanced mode.
fn made(run: &Run, case: &str) -> usize {
    let measured = run.measurement(case, HEAD, CpuTime);
    measured.map_or(0, |it| it.launches.len())
}

/// Whether both modes have the samples and launches that a verdict needs.
fn is_enough(run: &Run, case: &str) -> bool {
    [BASE, HEAD].iter().all(|mode| {
        run.measurement(case, mode, CpuTime).is_some_and(|it| {
            let launches = it.launches.len();
            it.n >= MIN_PAIRS && (launches == 0 || launches >= MIN_LAUNCHES)
        })
    })
}

/// A failed finding without a value to compare.
fn absent(what: String, why: &str, asked: String) -> Finding {
    Finding {
        what,
        found: why.to_owned(),
        asked,
        margin: String::new(),
        outcome: Outcome::Fails,
        launches: None,
    }
}

/// The ratio of codes of some length, and the size of short ones.
fn memory(run: &Run, case: &str, targets: &Targets) -> Vec<Finding> {
    let programs = run
        .memory_use(case, HEAD)
        .and_then(|used| used.programs.as_ref());
    let ratio = format!(
        "at most {} decoded bytes per bytecode byte",
        targets.memory_ratio
    );
    let Some(programs) = programs else {
        return vec![absent(format!("{case}: memory"), "absent", ratio)];
    };
    let finding = |what: &str, found: String, asked: String, share: f64| Finding {
        what: format!("{case}: {what}"),
        found,
        asked,
        margin: format::change(share),
        outcome: Outcome::holds(share <= 1.0),
        launches: None,
    };
    let short = programs.greatest_short;
    let greatest = programs.greatest_ratio;
    let of_long = (greatest > 0.0).then(|| {
        let found = format!("{greatest:.2}");
        finding("memory", found, ratio, greatest / targets.memory_ratio)
    });
    let floor = targets.memory_floor.filter(|_| short > 0);
    let of_short = floor.map(|floor| {
        let asked = format!("at most {} decoded", format::bytes(floor));
        let share = short as f64 / floor as f64;
        finding("memory, short code", format::bytes(short), asked, share)
    });
    of_long.into_iter().chain(of_short).collect()
}

/// The slowest of the longest codes, as far as its budget goes and without one.
fn decoding(run: &Run, targets: &Targets) -> Vec<Finding> {
    let longest = run.decoding.iter().max_by(|a, b| {
        let by_length = a.code_bytes.cmp(&b.code_bytes);
        by_length.then(a.time.total_cmp(&b.time))
    });
    let finding = |what: &str, time: Option<f64>, limit_ms: f64| {
        let what = format!("longest code: {what}");
        let asked = format!("at most {limit_ms} ms");
        let (Some(longest), Some(time)) = (longest, time) else {
            return absent(what, "absent", asked);
        };
        Finding {
            what,
            found: format!(
                "{} for {} ({})",
                format::quantity(time, "ns"),
                format::bytes(longest.code_bytes),
                longest.case
            ),
            asked,
            margin: format::change(time / (limit_ms * 1e6)),
            outcome: Outcome::holds(time <= limit_ms * 1e6),
            launches: None,
        }
    };
    let budgeted = longest.and_then(|it| it.budgeted.as_ref());
    let within = finding("decoding", budgeted.map(|it| it.time), targets.decode_ms);
    let all = targets.decode_all_ms.map(|limit_ms| {
        let time = longest.map(|it| it.time);
        finding("decoding without a budget", time, limit_ms)
    });
    std::iter::once(within).chain(all).collect()
}

/// What became worse since the baseline: counts always, times where they can be compared.
///
/// Times are relative to the control's if both runs timed the same release of it, on the same class of machine.
/// Without one, times on metal are compared as they are, and those on a virtual machine not at all, since they depend
/// on its neighbours: four days later the same build took 1.1 to 1.7 times as long on one.
pub fn against_baseline(baseline: &Run, run: &Run) -> Vec<Finding> {
    let terms = Terms::new(Taken::Separately, THRESHOLD);
    let changes = Changes::of(baseline.clone(), run.clone(), None, terms, &[]);
    let mut findings = Vec::new();
    let controlled = control(baseline).is_some() && control(baseline) == control(run);
    let uncontrolled = (run.rig.virtualized && !controlled).then(|| {
        format!(
            "no {CONTROL} beside it in both runs (bench --modes {BASE},{HEAD},{CONTROL}), on a virtual machine whose speed \
             depends on other guests"
        )
    });
    let no_times = changes.no_verdict.clone().or(uncontrolled);
    if let Some(why) = &no_times {
        findings.push(Finding {
            what: "baseline".to_owned(),
            found: why.clone(),
            asked: "only counts are compared".to_owned(),
            margin: String::new(),
            outcome: Outcome::Holds,
            launches: None,
        });
    }
    let times = match (no_times, controlled) {
        (Some(_), _) => Times::No,
        (None, true) => Times::Controlled,
        (None, false) => Times::Plain,
    };
    let own = changes.changes.iter().filter(|it| it.mode != CONTROL);
    for change in own {
        findings.extend(of_change(change, baseline, run, times));
    }
    findings
}

/// Name and release of the control, if the run has one.
fn control(run: &Run) -> Option<&str> {
    let engine = run.engines.iter().find(|engine| engine.name == CONTROL)?;
    Some(&engine.version)
}

/// How times are compared with the baseline's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Times {
    No,
    /// As they are.
    Plain,
    /// Relative to the control's.
    Controlled,
}

impl Times {
    /// The ratio, and what was left out of it.
    fn ratio(self, change: &Change, baseline: &Run, run: &Run) -> (Option<PairedRatio>, String) {
        fn pair<'a>(
            run: &'a Run,
            Change { case, mode, .. }: &Change,
        ) -> Option<(&'a Measurement, &'a Measurement)> {
            let of = |mode| run.measurement(case, mode, CpuTime);
            Some((of(CONTROL)?, of(mode)?))
        }
        let controlled =
            || controlled_ratio(pair(baseline, change)?, pair(run, change)?, THRESHOLD);
        match self {
            Times::No => (None, String::new()),
            Times::Plain => (change.ratio(CpuTime), String::new()),
            Times::Controlled => controlled().map_or((None, String::new()), |it| {
                (it.ratio, left_out(&it).unwrap_or_default())
            }),
        }
    }

    fn unit(self) -> String {
        match self {
            Times::Controlled => format!("time beside {CONTROL}"),
            Times::No | Times::Plain => "time".to_owned(),
        }
    }
}

/// Which launches play no part, and why.
fn left_out(controlled: &Controlled) -> Option<String> {
    let Controlled {
        launches, left_out, ..
    } = controlled;
    (*left_out > 0).then(|| {
        format!(
            "; left out: {left_out} of {launches} launches of both runs, in which {CONTROL} took over {ALIKE} times as long \
             as in others (other load, or another speed of the machine)"
        )
    })
}

/// What became worse in one case and mode.
fn of_change(change: &Change, baseline: &Run, run: &Run, times: Times) -> Vec<Finding> {
    let finding = |found: String, asked: &str, margin: String, outcome| Finding {
        what: format!("{}, {}: baseline", change.case, change.mode),
        found,
        asked: asked.to_owned(),
        margin,
        outcome,
        launches: None,
    };
    let failure =
        |found: &str, asked| finding(found.to_owned(), asked, String::new(), Outcome::Fails);
    let work = |run: &Run| {
        run.result(&change.case, &change.mode)
            .map(|it| (it.status.clone(), it.gas_used, it.output_hash.clone()))
    };
    let decoded = |run: &Run| {
        let used = run.memory_use(&change.case, &change.mode)?;
        Some(used.programs.as_ref()?.decoded_bytes as f64)
    };
    if work(run).is_none() {
        return vec![failure("absent", "present, as in the baseline")];
    }
    let mut findings = Vec::new();
    if work(baseline).is_some() && work(baseline) != work(run) {
        findings.push(failure("different work", "the same status, gas and output"));
    }
    if let (Some(before), Some(after)) = (decoded(baseline), decoded(run)) {
        let ratio = after / before.max(1.0);
        findings.push(finding(
            format!("{} decoded", format::bytes(after as u64)),
            "at most 5 % more",
            format::change(ratio),
            Outcome::holds(ratio <= 1.0 + THRESHOLD),
        ));
    }
    if times != Times::No && change.verdict.is_ok() {
        let (ratio, left_out) = times.ratio(change, baseline, run);
        let figures = ratio.map_or_else(
            || "not comparable: too few launches, or not timed".to_owned(),
            |ratio| {
                let [low, high] = [ratio.low, ratio.high].map(format::change_digits);
                format!("[{low}, {high}] %")
            },
        );
        let time = finding(
            format!("{} {figures}{left_out}", times.unit()),
            "not slower by more than 5 %",
            ratio.map_or_else(String::new, |ratio| format::change(ratio.median)),
            match ratio.map(|ratio| ratio.verdict) {
                Some(Verdict::Regressed) => Outcome::Fails,
                Some(Verdict::Inconclusive) | None => Outcome::Undecided,
                Some(Verdict::Improved | Verdict::Unchanged) => Outcome::Holds,
            },
        );
        let launches =
            ratio.and_then(|ratio| launches_to_decide(&ratio, made(run, &change.case), THRESHOLD));
        findings.push(Finding { launches, ..time });
    }
    findings
}
