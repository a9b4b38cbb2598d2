//! The tables of opcodes: the cost of each in two modes, costliest first, then code that belongs to no opcode.

use super::table::{Bar, Cell, NOTHING, Table, Tone};
use crate::counter::Counter::{self, CpuTime};
use crate::format;
use crate::opcodes::{Answer, Answers};
use crate::run::{OpcodeCost, Run};
use crate::stats::multiple::{FALSE_DISCOVERIES, MIN_RUNS};

/// Name of the row for samples that belong to no opcode.
pub(super) const ELSEWHERE: &str = "elsewhere";
/// Title of the column of simulated instructions per execution.
const SIMULATED: &str = "simulated instr.";
/// Opcodes in the short table.
const COSTLIEST: usize = 12;
/// Opcodes whose cost varies more than this from run to run, in each mode with samples of them, are only named below the
/// table.
const SPREAD: f64 = 0.5;

/// Every sampled opcode of a case, one column per figure; `None` if nothing was sampled.
pub(super) fn every(
    run: &Run,
    case: &str,
    [base, head]: [&str; 2],
    answers: &Answers<'_>,
) -> Option<Table> {
    let (rows, folded) = rows(run, case, [base, head], answers)?;
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
    Some(Table {
        note: note(&folded),
        ..Table::plain(header, rows.iter().map(cells))
    })
}

/// The costliest opcodes of a case, one column per mode.
pub(super) fn costliest(
    run: &Run,
    case: &str,
    [base, head]: [&str; 2],
    answers: &Answers<'_>,
) -> Option<Table> {
    let (mut rows, folded) = rows(run, case, [base, head], answers)?;
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
    Some(Table {
        note: note(&folded),
        ..Table::plain(header, rows.iter().map(cells))
    })
}

/// What a change of an opcode says, and over how many runs.
pub(super) fn legend(run: &Run) -> String {
    let runs = run.opcode_costs.iter().map(|cost| cost.runs.len());
    let runs = runs.max().unwrap_or(0);
    if runs < MIN_RUNS {
        return format!(
            "change of an opcode: undecided with {}; {MIN_RUNS} are needed (--launches). ± is the spread from run to \
             run, or the error of counting the samples of one run.",
            format::count(runs as u64, "sampling run")
        );
    }
    let launches = run.measurements.iter().map(|it| it.launches.len()).max();
    let place = match launches {
        None | Some(0) => "in one process: another one may differ by more",
        Some(_) => "each in a process of its own",
    };
    format!(
        "change of an opcode: by {runs} sampling runs, {place}; given where Student's t over these runs shows one, of \
         all opcodes at most {} falsely (Benjamini and Hochberg), with its interval; otherwise undecided. ± is the \
         standard deviation from run to run.",
        format::percent(FALSE_DISCOVERIES)
    )
}

/// The opcodes that a table leaves out.
fn note(folded: &[Row<'_>]) -> Option<String> {
    let names: Vec<_> = folded.iter().filter_map(|row| row.opcode).collect();
    (!names.is_empty()).then(|| {
        format!(
            "{} with spread above {}: {}",
            format::count(names.len() as u64, "opcode"),
            format::percent(SPREAD),
            names.join(", ")
        )
    })
}

/// An opcode in both modes.
struct Row<'a> {
    opcode: Option<&'a str>,
    sides: [Option<&'a OpcodeCost>; 2],
    /// Whether the modes differ; `None` if they are not compared.
    answer: Option<Answer>,
}

/// The sampled opcodes, ordered by the time per call in both modes together: those to show, and those of which too
/// little is known. `None` if nothing was sampled.
fn rows<'a>(
    run: &'a Run,
    case: &str,
    modes: [&str; 2],
    answers: &Answers<'_>,
) -> Option<(Vec<Row<'a>>, Vec<Row<'a>>)> {
    let costs = || run.opcode_costs.iter().filter(|cost| cost.case == case);
    let mut names: Vec<_> = costs().map(|cost| cost.opcode.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    let side = |mode: &str, opcode: Option<&str>| {
        costs().find(|cost| cost.mode == mode && cost.opcode.as_deref() == opcode)
    };
    let rows = names.into_iter().map(|opcode| Row {
        opcode,
        sides: modes.map(|mode| side(mode, opcode)),
        answer: opcode.and_then(|opcode| answers.get(case, opcode)),
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
    (!rows.is_empty()).then(|| rows.into_iter().partition(Row::is_known))
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

    /// Whether its cost is similar from run to run in a mode: stray samples in the other one hide nothing.
    fn is_known(&self) -> bool {
        let mut spreads = self.sides.iter().flatten().filter_map(|cost| cost.spread());
        self.opcode.is_none() || spreads.any(|spread| spread <= SPREAD)
    }

    /// The difference with its interval, or that it is undecided.
    fn change(&self) -> Option<Cell> {
        let found = match self.answer? {
            Answer::Undecided => return Some(Cell::faint("undecided")),
            Answer::Differs(found) => found,
        };
        let tone = if found.ratio < 1.0 {
            Tone::Good
        } else {
            Tone::Bad
        };
        let [low, high] = [found.low, found.high].map(format::change_digits);
        let cell = Cell::new(format::change(found.ratio)).line(format!("[{low}, {high}]"));
        Some(cell.tone(tone).bar(Bar::Change(found.ratio)))
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

/// Time per execution with its spread from run to run.
fn time(cost: &OpcodeCost) -> Option<Cell> {
    let time = cost.time?;
    let spread = cost.spread()?;
    let spread = format::spread(spread * time, time);
    let spread = spread.map_or_else(String::new, |spread| format!(" {spread}"));
    Some(Cell::new(format!("{}{spread}", format::quantity(time, "ns"))).key(time))
}
