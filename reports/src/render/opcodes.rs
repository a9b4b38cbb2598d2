//! The tables of opcodes: the cost of each in two modes, costliest first, then code that belongs to no opcode.

use super::table::{Bar, Cell, NOTHING, Table, Tone};
use crate::counter::Counter::{self, CpuTime};
use crate::format;
use crate::run::{OpcodeCost, Run};

/// Name of the row for samples that belong to no opcode.
pub(super) const ELSEWHERE: &str = "elsewhere";
/// Title of the column of simulated instructions per execution.
const SIMULATED: &str = "simulated instr.";
/// Opcodes in the short table.
const COSTLIEST: usize = 12;
/// Two modes are compared only if their shares of samples without an opcode differ by less than this. Otherwise the
/// mode that does more of its checks outside of opcodes would look faster at every opcode.
const COMPARABLE: f64 = 0.1;

/// Every sampled opcode of a case, one column per figure; `None` if nothing was sampled.
pub(super) fn every(run: &Run, case: &str, base: &str, head: &str) -> Option<Table> {
    let rows = rows(run, case, [base, head])?;
    let opcodes = rows.iter().filter(|row| row.opcode.is_some());
    let shares = opcodes.flat_map(|row| row.sides).flatten();
    let widest = shares
        .map(|cost| cost.share)
        .fold(f64::MIN_POSITIVE, f64::max);
    let share = |cost: &OpcodeCost| {
        Cell::new(percent(cost))
            .key(cost.share)
            .bar(Bar::Share(cost.share / widest))
    };
    let counts = Count::of(&rows);
    let cells = |row: &Row<'_>| {
        let [base, head] = row.sides;
        let mut cells = vec![
            row.name(),
            row.executed(),
            base.map_or_else(nothing, share),
            head.map_or_else(nothing, share),
            base.and_then(time).unwrap_or_else(nothing),
            head.and_then(time).unwrap_or_else(nothing),
            row.change().unwrap_or_else(nothing),
        ];
        cells.extend(counts.iter().flat_map(|count| {
            [base, head].map(|side| side.and_then(|it| count.cell(it)).unwrap_or_else(nothing))
        }));
        cells
    };
    let mut header = vec![
        "opcode".to_owned(),
        "executed".to_owned(),
        format!("{base}, share"),
        format!("{head}, share"),
        format!("{base}, each"),
        format!("{head}, each"),
        "change".to_owned(),
    ];
    let titles = |count: &Count| [base, head].map(|mode| format!("{mode}, {}", count.title()));
    header.extend(counts.iter().flat_map(titles));
    Some(Table::plain(header, rows.iter().map(cells)))
}

/// The costliest opcodes of a case, one column per mode.
pub(super) fn costliest(run: &Run, case: &str, base: &str, head: &str) -> Option<Table> {
    let mut rows = rows(run, case, [base, head])?;
    let opcodes = rows.iter().filter(|row| row.opcode.is_some()).count();
    rows.drain(opcodes.min(COSTLIEST)..opcodes);
    let side = |cost: Option<&OpcodeCost>| {
        let Some(cost) = cost else { return nothing() };
        let share = format!("{} of samples", percent(cost));
        match time(cost) {
            Some(figure) => figure.line(share),
            None => Cell::new(share),
        }
    };
    let counts = Count::of(&rows);
    let cells = |row: &Row<'_>| {
        let [base, head] = row.sides;
        let mut cells = vec![
            row.name(),
            row.executed(),
            side(base),
            side(head),
            row.change().unwrap_or_else(nothing),
        ];
        cells.extend(counts.iter().map(|count| row.both(*count)));
        cells
    };
    let mut header = ["opcode", "executed", base, head, "change"]
        .map(str::to_owned)
        .to_vec();
    header.extend(counts.iter().map(|count| count.title().to_owned()));
    Some(Table::plain(header, rows.iter().map(cells)))
}

/// An opcode in both modes.
struct Row<'a> {
    opcode: Option<&'a str>,
    sides: [Option<&'a OpcodeCost>; 2],
    /// Whether the two modes attribute the same code to opcodes.
    comparable: bool,
}

/// The sampled opcodes, ordered by the time per call in both modes together.
fn rows<'a>(run: &'a Run, case: &str, modes: [&str; 2]) -> Option<Vec<Row<'a>>> {
    let costs = || run.opcode_costs.iter().filter(|cost| cost.case == case);
    let mut names: Vec<_> = costs().map(|cost| cost.opcode.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    let side = |mode: &str, opcode: Option<&str>| {
        costs().find(|cost| cost.mode == mode && cost.opcode.as_deref() == opcode)
    };
    let [base, head] = modes.map(|mode| side(mode, None).map_or(0.0, |cost| cost.share));
    let rows = names.into_iter().map(|opcode| Row {
        opcode,
        sides: modes.map(|mode| side(mode, opcode)),
        comparable: (base - head).abs() < COMPARABLE,
    });
    let sampled = |row: &Row<'_>| row.sides.iter().flatten().any(|cost| cost.samples > 0);
    let weight = |row: &Row<'_>| -> f64 {
        let sides = row.sides.iter().flatten();
        let call = |mode: &str| {
            run.measurement(case, mode, CpuTime)
                .map_or(1.0, |m| m.median)
        };
        sides.map(|cost| cost.share * call(&cost.mode)).sum()
    };
    let mut rows: Vec<_> = rows.filter(sampled).collect();
    rows.sort_by(|a, b| {
        let by_weight = weight(b).total_cmp(&weight(a));
        a.opcode.is_none().cmp(&b.opcode.is_none()).then(by_weight)
    });
    (!rows.is_empty()).then_some(rows)
}

impl Row<'_> {
    fn name(&self) -> Cell {
        match self.opcode {
            Some(opcode) => Cell::new(opcode),
            None => Cell::faint(ELSEWHERE),
        }
    }

    fn executed(&self) -> Cell {
        let times = self.sides.iter().flatten().map(|cost| cost.executed).max();
        match times {
            Some(times) if times > 0 => Cell::new(format::thousands(times)).key(times as f64),
            _ => nothing(),
        }
    }

    /// Both modes' counts, `12.3 → 4.1`.
    fn both(&self, count: Count) -> Cell {
        let [base, head] = self.sides.map(|cost| count.each(cost?));
        let text = |each: Option<f64>| each.map_or_else(|| NOTHING.to_owned(), |it| count.text(it));
        match (base, head) {
            (None, None) => nothing(),
            _ => Cell::new(format!("{} → {}", text(base), text(head))),
        }
    }

    /// Marked as unsure unless the 95 % interval of the difference excludes 0.
    fn change(&self) -> Option<Cell> {
        if !self.comparable {
            return None;
        }
        let [base, head] = [self.sides[0]?, self.sides[1]?];
        let (before, after) = (base.time?, head.time?);
        let noise = 1.96 * error(base)?.hypot(error(head)?);
        let (mark, tone) = match after - before {
            less if less < -noise => ("", Tone::Good),
            more if more > noise => ("", Tone::Bad),
            _ => ("? ", Tone::Unsure),
        };
        let ratio = after / before;
        let text = format!("{mark}{}", format::change(ratio));
        Some(Cell::new(text).tone(tone).bar(Bar::Change(ratio)))
    }
}

/// What is counted per execution besides time.
#[derive(Clone, Copy)]
enum Count {
    Hardware(Counter),
    Simulated,
}

impl Count {
    /// The counts that at least one row has. Simulated instructions are shown only without hardware ones.
    fn of(rows: &[Row<'_>]) -> Vec<Count> {
        const EVENTS: [Counter; 4] = [
            Counter::Cycles,
            Counter::Instructions,
            Counter::BranchMisses,
            Counter::CacheMisses,
        ];
        let known = |count: &Count| {
            let mut sides = rows.iter().flat_map(|row| row.sides).flatten();
            sides.any(|cost| count.each(cost).is_some())
        };
        let events = EVENTS.map(Count::Hardware);
        let mut counts: Vec<_> = events.into_iter().filter(known).collect();
        let instructions = |count: &Count| matches!(count, Count::Hardware(Counter::Instructions));
        if !counts.iter().any(instructions) {
            counts.extend(Some(Count::Simulated).filter(known));
        }
        counts
    }

    fn title(&self) -> &'static str {
        match self {
            Count::Hardware(counter) => counter.title(),
            Count::Simulated => SIMULATED,
        }
    }

    fn each(&self, cost: &OpcodeCost) -> Option<f64> {
        match self {
            Count::Hardware(counter) => cost.event(*counter),
            Count::Simulated => cost.sim_instructions_each(),
        }
    }

    fn cell(&self, cost: &OpcodeCost) -> Option<Cell> {
        let each = self.each(cost)?;
        Some(Cell::new(self.text(each)).key(each))
    }

    /// Misses are rare and need more decimals.
    fn text(self, each: f64) -> String {
        let is_rare = matches!(
            self,
            Count::Hardware(Counter::BranchMisses | Counter::CacheMisses)
        );
        match each {
            99.95.. => format::quantity(each, "count"),
            ..0.95 if is_rare => format!("{each:.3}"),
            _ => format!("{each:.1}"),
        }
    }
}

fn nothing() -> Cell {
    Cell::faint(NOTHING)
}

fn percent(cost: &OpcodeCost) -> String {
    format!("{:.1} %", cost.share * 100.0)
}

/// Time per execution with its standard error; `None` without samples.
fn time(cost: &OpcodeCost) -> Option<Cell> {
    let time = cost.time?;
    let spread = format::spread(error(cost)?, time)?;
    Some(Cell::new(format!("{} {spread}", format::quantity(time, "ns"))).key(time))
}

/// Standard error of the time per execution: the number of samples of an opcode has a standard deviation of its
/// square root.
fn error(cost: &OpcodeCost) -> Option<f64> {
    (cost.samples > 0).then_some(cost.time? / (cost.samples as f64).sqrt())
}
