//! The counter-diff table of one case: one row per counter, by source, then rates per gas and per executed opcode.

use super::marks;
use super::table::{Bar, Cell, NOTHING, Reading, Section, Table, Tone};
use crate::counter::{Counter, Source};
use crate::diff::{Delta, Entry, Side, diff};
use crate::format;
use crate::materiality::{MATERIAL, cycles, is_immaterial, worst_cost};
use crate::run::{Ratio, Run};

/// A figure derived from a counter and the work done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rate {
    PerGas,
    PerOpcode,
    /// Gas per second: the reciprocal of CPU time per gas, so more is better.
    Throughput,
}

/// The rates shown, each in the section of its counter's source.
const RATES: &[(Counter, Rate)] = &[
    (Counter::CpuTime, Rate::Throughput),
    (Counter::CpuTime, Rate::PerGas),
    (Counter::CpuTime, Rate::PerOpcode),
    (Counter::Cycles, Rate::PerGas),
    (Counter::Cycles, Rate::PerOpcode),
    (Counter::Instructions, Rate::PerGas),
    (Counter::Instructions, Rate::PerOpcode),
    (Counter::BranchMisses, Rate::PerOpcode),
    (Counter::SimInstructions, Rate::PerGas),
    (Counter::SimInstructions, Rate::PerOpcode),
    (Counter::SimBranchMisses, Rate::PerOpcode),
];

/// The column of the interval.
const INTERVAL: usize = 4;

/// The two modes that one table compares.
#[derive(Clone, Copy)]
pub(super) struct Comparison<'a> {
    pub(super) run: &'a Run,
    pub(super) base: &'a str,
    pub(super) head: &'a str,
}

impl<'a> Comparison<'a> {
    /// Cases with a result or a measurement in either mode.
    pub(super) fn cases(self) -> Vec<&'a str> {
        let entries = self.entries();
        let known = |case: &str| {
            [self.base, self.head]
                .iter()
                .any(|mode| self.run.result(case, mode).is_some())
                || entries.iter().any(|entry| entry.case == case)
        };
        self.run
            .cases()
            .into_iter()
            .filter(|case| known(case))
            .collect()
    }

    /// Counters, changes and rates of one case.
    pub(super) fn table(self, case: &str) -> Table {
        let header = ["counter", self.base, self.head, "change", "95 % interval"];
        let entries: Vec<_> = self
            .entries()
            .into_iter()
            .filter(|e| e.case == case)
            .collect();
        let immaterial = self.immaterial(case);
        let sections = Source::ALL.iter().filter_map(|source| {
            let counters = entries
                .iter()
                .filter(|entry| entry.counter.source() == *source);
            let rates = RATES
                .iter()
                .filter(|(counter, _)| counter.source() == *source);
            let counters = counters.map(|entry| (entry.counter, self.counter_row(entry)));
            let rates = rates.filter_map(|(counter, rate)| {
                Some((*counter, self.rate_row(case, *counter, *rate)?))
            });
            let (behind, mut rows): (Vec<_>, Vec<_>) = counters
                .chain(rates)
                .partition(|(counter, _)| immaterial.contains(counter));
            rows.extend(
                behind
                    .into_iter()
                    .map(|(counter, row)| (counter, grey(row, INTERVAL))),
            );
            let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
            (!rows.is_empty()).then_some(Section {
                title: Some(source.name()),
                rows,
            })
        });
        Table {
            header: header.map(str::to_owned).to_vec(),
            section_header: Some("source"),
            sections: sections.collect(),
            note: None,
        }
    }

    /// The counters of a case whose change cannot matter at their rate.
    pub(super) fn immaterial(self, case: &str) -> Vec<Counter> {
        let median = |mode: &str, counter| {
            let measured = self.run.measurement(case, mode, counter);
            measured.map(|it| it.median)
        };
        // The mode with fewer cycles: a difference is the larger share of them.
        let cycles = [self.base, self.head]
            .into_iter()
            .filter_map(|mode| cycles(|counter| median(mode, counter)))
            .reduce(f64::min);
        let is_immaterial = |counter: &Counter| {
            let (base, ratio) = (median(self.base, *counter), self.ratio(case, *counter));
            base.zip(ratio).is_some_and(|(base, ratio)| {
                is_immaterial(*counter, base, (ratio.low, ratio.high), cycles)
            })
        };
        let counters = Counter::ALL.iter().copied();
        counters.filter(is_immaterial).collect()
    }

    fn entries(self) -> Vec<Entry<'a>> {
        let side = |mode| Side {
            run: self.run,
            mode,
        };
        diff(side(self.base), side(self.head))
    }

    fn ratio(self, case: &str, counter: Counter) -> Option<&'a Ratio> {
        self.run.ratio(case, self.base, self.head, counter)
    }

    fn counter_row(self, entry: &Entry<'_>) -> Vec<Cell> {
        let figures = match entry.delta {
            Delta::Both { base, head } => Delta::Both {
                base: marks::figure(base),
                head: marks::figure(head),
            },
            Delta::OnlyBase(base) => Delta::OnlyBase(marks::figure(base)),
            Delta::OnlyHead(head) => Delta::OnlyHead(marks::figure(head)),
        };
        let ratio = self.ratio(entry.case, entry.counter);
        let compared = self.compare(entry.case, entry.counter, ratio, Reading::Change);
        row(entry.counter.title().to_owned(), figures, compared)
    }

    fn rate_row(self, case: &str, counter: Counter, rate: Rate) -> Option<Vec<Cell>> {
        let [base, head] = [self.base, self.head].map(|mode| self.work(case, mode, rate));
        let value = |mode: &str, work: Option<u64>| {
            let median = self.run.measurement(case, mode, counter)?.median;
            let work = work.filter(|work| *work > 0)? as f64;
            let (text, key) = match rate {
                Rate::Throughput if median == 0.0 => return None,
                Rate::Throughput => {
                    let rate = work / median * 1e3;
                    (format::gas_per_second(rate), rate)
                }
                Rate::PerGas | Rate::PerOpcode => {
                    let rate = median / work;
                    (format::quantity(rate, counter.unit()), rate)
                }
            };
            Some(Cell::new(text).key(key))
        };
        let figures = Delta::join(value(self.base, base), value(self.head, head))?;
        // The counter's ratio applies to the rate only if both sides did the same work.
        let ratio = self.ratio(case, counter).filter(|_| base == head);
        let (name, reading) = match rate {
            Rate::Throughput => ("gas / second".to_owned(), Reading::Times),
            Rate::PerGas => (format!("{} / gas", counter.title()), Reading::Change),
            Rate::PerOpcode => (format!("{} / opcode", counter.title()), Reading::Change),
        };
        let compared = self.compare(case, counter, ratio, reading);
        Some(row(name, figures, compared))
    }

    /// Change and interval of a counter that both sides have. If both medians are 0, they are equal: an interval from
    /// a few stray samples is meaningless.
    fn compare(
        self,
        case: &str,
        counter: Counter,
        ratio: Option<&Ratio>,
        reading: Reading,
    ) -> (Cell, Cell) {
        let none = |mode| {
            let measured = self.run.measurement(case, mode, counter);
            measured.is_some_and(|measured| measured.median == 0.0)
        };
        let Some(ratio) = ratio.filter(|_| !none(self.base) || !none(self.head)) else {
            let equal = none(self.base) && none(self.head);
            let change = if equal { "equal" } else { NOTHING };
            return (Cell::faint(change), Cell::faint(NOTHING));
        };
        let (change, interval) = reading.of(ratio);
        let change = Cell::new(change)
            .tone(Tone::from(ratio.verdict))
            .bar(Bar::Change(ratio.median));
        (change, Cell::faint(&interval))
    }

    fn work(self, case: &str, mode: &str, rate: Rate) -> Option<u64> {
        match rate {
            Rate::PerOpcode => self.run.opcodes(case, mode),
            Rate::PerGas | Rate::Throughput => Some(self.run.result(case, mode)?.gas_used),
        }
    }
}

fn row(name: String, figures: Delta<Cell>, compared: (Cell, Cell)) -> Vec<Cell> {
    let absent = || Cell::faint("absent");
    let (base, head, change, interval) = match figures {
        Delta::Both { base, head } => {
            let (change, interval) = compared;
            (base, head, change, interval)
        }
        Delta::OnlyBase(base) => (
            base,
            absent(),
            Cell::new("vanished").tone(Tone::Unsure),
            Cell::faint(NOTHING),
        ),
        Delta::OnlyHead(head) => (
            absent(),
            head,
            Cell::new("new").tone(Tone::Unsure),
            Cell::faint(NOTHING),
        ),
    };
    vec![Cell::new(name), base, head, change, interval]
}

/// A row whose change cannot matter: grey, and says so in the column `says`.
pub(super) fn grey(row: Vec<Cell>, says: usize) -> Vec<Cell> {
    let cells = row.into_iter().enumerate().map(|(column, cell)| {
        let cell = cell.tone(Tone::Faint);
        match column == says {
            true => cell.line("immaterial"),
            false => cell,
        }
    });
    cells.collect()
}

/// What `immaterial` means, with the counters it was said of.
pub(super) fn legend(immaterial: impl Iterator<Item = Counter>) -> Option<String> {
    let mut counters: Vec<_> = immaterial.collect();
    counters.sort_unstable();
    counters.dedup();
    let costs = counters.iter().filter_map(|counter| {
        let cost = format::thousands(worst_cost(*counter)? as u64);
        Some(format!("{} {cost}", counter.title()))
    });
    let costs: Vec<_> = costs.collect();
    (!costs.is_empty()).then(|| {
        format!(
            "immaterial: the change is below {} of the case's cycles (or of its instructions / 4), even if each event \
             takes as many cycles as is plausible: {}.",
            format::percent(MATERIAL),
            costs.join(", ")
        )
    })
}
