//! What changed between two runs, which changes are significant, and which opcodes caused them.
//!
//! Gives a verdict for each case and mode. [`diff`](crate::diff) joins the counters of the two sides,
//! [`stats`](crate::stats) computes intervals.

mod answers;
mod opcodes;
mod terms;

pub use answers::Failure;
pub use terms::{Gate, Taken, Terms};

use crate::counter::Counter;
use crate::diff::{Delta, Entry, Side, diff};
use crate::materiality::{cycles, is_immaterial};
use crate::run::{CaseResult, Measurement, Run, Verdict};
use crate::stats::{PairedRatio, counted_ratio, launches_to_decide, unpaired_ratio};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The value of [`Changes::schema`].
pub const SCHEMA: &str = "evmscope/diff/1";

/// The counter that decides the verdict.
pub const VERDICT_COUNTER: Counter = Counter::CpuTime;

/// The counter of the verdict on instructions.
pub const EXACT_COUNTER: Counter = Counter::SimInstructions;

/// A comparison of two runs. Holds both, so that every figure can be traced to its samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The terms of the comparison.
    #[serde(flatten)]
    pub terms: Terms,
    /// Why there is no verdict for any case.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub no_verdict: Option<String>,
    /// One entry per case and mode.
    pub changes: Vec<Change>,
    /// The cases that a side could not run.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub failures: Vec<Failure>,
    /// The run compared against.
    pub base: Run,
    /// The run under test.
    pub head: Run,
    /// The base measured a second time beside both runs: its difference from the base is noise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub again: Option<Run>,
}

/// The change of one case in one mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Name of the case.
    pub case: String,
    /// The mode that ran.
    pub mode: String,
    /// The verdict on CPU time, or why there is none.
    pub verdict: Result<Verdict, String>,
    /// The verdict on simulated instructions; absent unless both sides do the same work and have exact counts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instructions: Option<Verdict>,
    /// Every counter that either side has.
    pub counters: Vec<CounterChange>,
    /// The opcodes by size of the change, largest first; empty if the runs have neither simulation nor samples.
    pub opcodes: Vec<OpcodeChange>,
}

/// One counter of a [`Change`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CounterChange {
    /// Which counter.
    pub counter: Counter,
    /// Medians per call, in the counter's unit.
    pub medians: Delta<f64>,
    /// `head / base`; `None` if a side lacks the counter or there is no ratio.
    pub ratio: Option<PairedRatio>,
    /// The base against itself, if it was measured twice.
    pub noise: Option<PairedRatio>,
}

/// One opcode of a [`Change`]: what one call of the case spends on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpcodeChange {
    /// Mnemonic; absent for code that belongs to no opcode.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub opcode: Option<String>,
    /// Simulated instructions, or CPU time by samples.
    pub counter: Counter,
    /// Value of the base, in the counter's unit.
    pub base: f64,
    /// Value of the head, in the same unit.
    pub head: f64,
    /// `head - base` as a share of the base's whole call; above 0 the head needs more.
    pub share: f64,
}

/// What a case did: fork, status, gas and hash of the output.
fn work(result: &CaseResult) -> (&str, &str, u64, &str) {
    (
        &result.fork,
        &result.status,
        result.gas_used,
        &result.output_hash,
    )
}

/// Whether two runs did the same work, as far as both have it.
fn same_work(base: &Run, head: &Run, case: &str, mode: &str) -> bool {
    let [base, head] = [base, head].map(|run| run.result(case, mode));
    base.is_none() || head.is_none() || base.map(work) == head.map(work)
}

/// What either has, in the order of the first.
fn union<'a>(mut first: Vec<&'a str>, second: Vec<&'a str>) -> Vec<&'a str> {
    for name in second {
        if !first.contains(&name) {
            first.push(name);
        }
    }
    first
}

impl Changes {
    /// Compares two runs. `again` is the base measured a second time beside both. `keep` selects cases; empty selects
    /// all.
    pub fn of(base: Run, head: Run, again: Option<Run>, terms: Terms, keep: &[String]) -> Self {
        let no_verdict = base
            .rig
            .other_machine(&head.rig)
            .map(|what| format!("the runs are from different machines ({what})"));
        let pair = Pair {
            base: &base,
            head: &head,
            again: again.as_ref(),
            terms: &terms,
            same_machine: no_verdict.is_none(),
        };
        let modes = union(base.modes(), head.modes());
        let mut cases = union(base.cases(), head.cases());
        cases.retain(|case| keep.is_empty() || keep.iter().any(|kept| kept == case));
        let entries = modes.iter().flat_map(|mode| {
            let side = |run| Side { run, mode };
            let entries = diff(side(&base), side(&head)).into_iter();
            entries.map(move |entry| ((entry.case, *mode), entry))
        });
        let mut joined = HashMap::<_, Vec<_>>::new();
        for (place, entry) in entries {
            joined.entry(place).or_default().push(entry);
        }
        let places = cases
            .iter()
            .flat_map(|case| modes.iter().map(move |mode| (*case, *mode)));
        let mut changes: Vec<_> = places
            .filter_map(|place| pair.change(place, joined.remove(&place).unwrap_or_default()))
            .collect();
        pair.list_opcodes(&mut changes);
        Self {
            schema: SCHEMA.to_owned(),
            terms,
            no_verdict,
            changes,
            failures: Vec::new(),
            base,
            head,
            again,
        }
    }

    /// The changes with one verdict, largest first.
    pub fn with(&self, verdict: Verdict) -> Vec<&Change> {
        let mut found: Vec<_> = self
            .changes
            .iter()
            .filter(|change| change.verdict == Ok(verdict))
            .collect();
        let size = |change: &Change| {
            change
                .ratio(VERDICT_COUNTER)
                .map_or(0.0, |it| it.median.ln().abs())
        };
        found.sort_by(|a, b| size(b).total_cmp(&size(a)));
        found
    }

    /// The changes of cases that do other work in the two runs, or that a side could not run.
    pub fn other_work(&self) -> Vec<&Change> {
        let differs = |Change { case, mode, .. }: &&Change| {
            let mut failures = self.failures.iter();
            failures.any(|it| it.case == *case) || !same_work(&self.base, &self.head, case, mode)
        };
        self.changes.iter().filter(differs).collect()
    }

    /// Whether each case does the same work in both runs, as far as both have it, and no side failed in one.
    pub fn same_work(&self) -> bool {
        self.other_work().is_empty()
    }

    /// The changes with one verdict on simulated instructions and no change of CPU time, largest first.
    pub fn by_instructions(&self, verdict: Verdict) -> Vec<&Change> {
        let by_time =
            |it: &Change| matches!(it.verdict, Ok(Verdict::Regressed | Verdict::Improved));
        let changes = self.changes.iter();
        let mut found: Vec<_> = changes
            .filter(|it| it.instructions == Some(verdict) && !by_time(it))
            .collect();
        let size = |change: &Change| {
            change
                .ratio(EXACT_COUNTER)
                .map_or(0.0, |it| it.median.ln().abs())
        };
        found.sort_by(|a, b| size(b).total_cmp(&size(a)));
        found
    }

    /// Whether any case regressed by a gate of the terms.
    pub fn regressed(&self) -> bool {
        let has = |gate| self.terms.gates.contains(&gate);
        self.changes.iter().any(|it| {
            has(Gate::Time) && it.verdict == Ok(Verdict::Regressed)
                || has(Gate::Instructions) && it.instructions == Some(Verdict::Regressed)
        })
    }

    /// The changes that the gate on instructions cannot judge, although both sides do the same work: their counts are
    /// missing or not exact.
    pub fn ungated(&self) -> Vec<&Change> {
        let gated = self.terms.gates.contains(&Gate::Instructions);
        let comparable = |Change { case, mode, .. }: &Change| {
            let mut runs = [&self.base, &self.head].into_iter();
            runs.all(|run| run.result(case, mode).is_some())
                && same_work(&self.base, &self.head, case, mode)
        };
        let changes = self.changes.iter();
        let ungated = changes.filter(|it| gated && it.instructions.is_none() && comparable(it));
        ungated.collect()
    }

    /// What would decide the inconclusive: launches for each, at the spread that was found; `None` if 1,000 are too few.
    pub fn launches_to_decide(&self) -> Vec<Option<usize>> {
        let of_change = |change: &Change| {
            let mut counters = change.counters.iter();
            let decisive = counters.find(|it| it.counter == VERDICT_COUNTER)?;
            let base = self
                .base
                .measurement(&change.case, &change.mode, VERDICT_COUNTER)?;
            let of = |ratio: &PairedRatio| {
                launches_to_decide(ratio, base.launches.len(), self.terms.threshold)
            };
            match (decisive.ratio?, decisive.noise) {
                // The change must leave the noise of the base behind as well.
                (ratio, Some(noise)) if ratio.verdict != Verdict::Inconclusive => of(&noise),
                (ratio, _) => of(&ratio),
            }
        };
        let undecided = self.with(Verdict::Inconclusive).into_iter();
        undecided.map(of_change).collect()
    }

    /// The base against itself: the greatest distance from 1 of a median, and of an end of an interval, over all
    /// cases and modes. `None` if the base was not measured twice.
    pub fn noise_floor(&self) -> Option<(f64, f64)> {
        let noise = self.changes.iter().filter_map(|change| {
            let decisive = change
                .counters
                .iter()
                .find(|it| it.counter == VERDICT_COUNTER)?;
            let noise = decisive.noise?;
            let distance = |ratio: f64| ratio.max(ratio.recip()) - 1.0;
            let reach = distance(noise.low).max(distance(noise.high));
            Some((distance(noise.median), reach))
        });
        noise.reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)))
    }
}

impl Change {
    /// `head / base` of one counter.
    pub fn ratio(&self, counter: Counter) -> Option<PairedRatio> {
        self.counters.iter().find(|it| it.counter == counter)?.ratio
    }

    /// Whether the change of a counter cannot matter at its rate.
    pub fn is_immaterial(&self, counter: Counter) -> bool {
        let find = |counter| self.counters.iter().find(|it| it.counter == counter);
        let base = |counter| find(counter)?.medians.base().copied();
        let head = |counter| find(counter)?.medians.head().copied();
        // The side with fewer cycles: a difference is the larger share of them.
        let cycles = [cycles(base), cycles(head)]
            .into_iter()
            .flatten()
            .reduce(f64::min);
        let compared = base(counter).zip(self.ratio(counter));
        compared.is_some_and(|(base, ratio)| {
            is_immaterial(counter, base, (ratio.low, ratio.high), cycles)
        })
    }
}

/// The inputs of a comparison.
struct Pair<'a> {
    base: &'a Run,
    head: &'a Run,
    again: Option<&'a Run>,
    terms: &'a Terms,
    same_machine: bool,
}

impl Pair<'_> {
    /// `None` if neither run has the case in the mode.
    fn change(&self, (case, mode): (&str, &str), entries: Vec<Entry<'_>>) -> Option<Change> {
        let counters = entries.into_iter();
        let counters = counters.map(|entry| self.counter(entry.counter, entry.delta));
        let counters: Vec<_> = counters.collect();
        let known = |run: &Run| run.result(case, mode).is_some();
        let presence = Delta::join(
            known(self.base).then_some(()),
            known(self.head).then_some(()),
        );
        if presence.is_none() && counters.is_empty() {
            return None;
        }
        let verdict = self.verdict(case, mode, presence, &counters);
        Some(Change {
            case: case.to_owned(),
            mode: mode.to_owned(),
            instructions: self.instructions(case, mode),
            verdict,
            counters,
            opcodes: Vec::new(),
        })
    }

    fn counter(&self, counter: Counter, delta: Delta<&Measurement>) -> CounterChange {
        let medians = match delta {
            Delta::Both { base, head } => Delta::Both {
                base: base.median,
                head: head.median,
            },
            Delta::OnlyBase(base) => Delta::OnlyBase(base.median),
            Delta::OnlyHead(head) => Delta::OnlyHead(head.median),
        };
        let (ratio, noise) = match delta {
            Delta::Both { base, head } => (self.ratio(base, head), self.noise(base)),
            _ => (None, None),
        };
        CounterChange {
            counter,
            medians,
            ratio,
            noise,
        }
    }

    /// Between different machines only deterministic counters have a ratio.
    fn ratio(&self, base: &Measurement, head: &Measurement) -> Option<PairedRatio> {
        let exact = base.counter.source().deterministic();
        let threshold = self.terms.threshold;
        match self.terms.taken {
            _ if exact => PairedRatio::of(base, head, threshold),
            _ if !self.same_machine => None,
            Taken::Interleaved => PairedRatio::of(base, head, threshold),
            Taken::Separately => unpaired_ratio(&base.samples, &head.samples, threshold),
        }
    }

    fn noise(&self, base: &Measurement) -> Option<PairedRatio> {
        let again = self
            .again?
            .measurement(&base.case, &base.mode, base.counter)?;
        PairedRatio::of(base, again, self.terms.threshold)
    }

    /// The verdict on simulated instructions, which needs no machine and no spread.
    fn instructions(&self, case: &str, mode: &str) -> Option<Verdict> {
        let [base, head] =
            [self.base, self.head].map(|run| run.measurement(case, mode, EXACT_COUNTER));
        let ratio = counted_ratio(base?, head?, self.terms.instruction_threshold)?;
        let comparable = ratio.is_exact() && same_work(self.base, self.head, case, mode);
        comparable.then_some(ratio.verdict)
    }

    fn verdict(
        &self,
        case: &str,
        mode: &str,
        presence: Option<Delta<()>>,
        counters: &[CounterChange],
    ) -> Result<Verdict, String> {
        match presence {
            Some(Delta::OnlyBase(())) => return Err("only in the base".to_owned()),
            Some(Delta::OnlyHead(())) => return Err("only in the head".to_owned()),
            _ => {}
        }
        if let (Some(base), Some(head)) =
            (self.base.result(case, mode), self.head.result(case, mode))
            && work(base) != work(head)
        {
            return Err(answers::differing(base, head));
        }
        if !self.same_machine {
            return Err("different machines".to_owned());
        }
        let decisive = counters.iter().find(|it| it.counter == VERDICT_COUNTER);
        let decisive =
            decisive.ok_or_else(|| format!("{} was not measured", VERDICT_COUNTER.title()))?;
        let ratio = decisive
            .ratio
            .ok_or_else(|| format!("{} cannot be compared", VERDICT_COUNTER.title()))?;
        let distance = |ratio: &PairedRatio| ratio.median.ln().abs();
        let changed = matches!(ratio.verdict, Verdict::Improved | Verdict::Regressed);
        let within_noise = decisive
            .noise
            .is_some_and(|noise| distance(&noise) >= distance(&ratio));
        Ok(match changed && within_noise {
            true => Verdict::Inconclusive,
            false => ratio.verdict,
        })
    }
}
