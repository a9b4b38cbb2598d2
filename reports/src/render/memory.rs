//! The memory tables: heap use of a case in two modes, the programs kept for its code, and the cost of translating
//! its contracts.

use super::table::{Cell, NOTHING, Section, Table, Tone};
use crate::format;
use crate::run::{Decoding, HeapUse, MemoryUse, ProgramCache, Run};

/// Memory use of one case, one column per mode; `None` if not counted.
pub(super) fn case(run: &Run, case: &str, base: &str, head: &str) -> Option<Table> {
    let sides = [base, head].map(|mode| run.memory_use(case, mode));
    let calls = sides.iter().flatten().next()?.calls;
    let heap = |figure: fn(&MemoryUse) -> HeapUse| {
        [
            row("peak heap", sides, |used| size(figure(used).peak)),
            row("allocations", sides, |used| {
                number(figure(used).allocations)
            }),
            row("allocated", sides, |used| size(figure(used).allocated)),
            row("kept", sides, |used| change(figure(used).kept)),
        ]
    };
    let kept = |name: &str, figure: fn(&ProgramCache) -> Cell| {
        row(name, sides, |used| {
            used.programs.as_ref().map_or_else(nothing, figure)
        })
    };
    let programs = [
        kept("decoded / bytecode bytes", ratio),
        kept("budget", |p| number_of(p.budget)),
        kept("budget of short codes", |p| size(p.budget_floor)),
        kept("codes with a program", |p| number(p.programs)),
        kept("size of these codes", |p| size(p.code_bytes)),
        kept("entry points translated", |p| number(p.translated)),
        kept("frames: cache hits", |p| number(p.hits)),
        kept("frames: cache misses", |p| number(p.misses)),
        kept("frames: deferred", |p| number(p.postponed)),
        kept("frames: code too long", |p| number(p.refused)),
    ];
    let mut sections = vec![
        section("first call", heap(|used| used.first).into()),
        section("later call", heap(|used| used.later).into()),
    ];
    if sides.iter().flatten().any(|used| used.programs.is_some()) {
        sections.push(section("programs", programs.into()));
    }
    let header = [format!("memory (later = after {calls} calls)")];
    let modes = [base, head].map(str::to_owned);
    Some(Table {
        header: header.into_iter().chain(modes).collect(),
        section_header: Some("of"),
        sections,
        note: None,
    })
}

/// Cost of translating the contracts of a case; `None` if not measured.
pub(super) fn decoding(run: &Run, case: &str) -> Option<Table> {
    let cells = |decoding: &Decoding| {
        vec![
            Cell::new(short(&decoding.contract)),
            size(decoding.code_bytes),
            number(decoding.entries),
            size(decoding.decoded_bytes),
            time(decoding.time, decoding.mad),
            budgeted(decoding),
        ]
    };
    let of_case = run.decoding.iter().filter(|decoding| decoding.case == case);
    let rows: Vec<_> = of_case.map(cells).collect();
    let header = [
        "fully translated contract",
        "code",
        "entries",
        "decoded",
        "CPU time",
        "within the budget",
    ];
    (!rows.is_empty()).then(|| Table::plain(header, rows))
}

/// The main figures of all cases, one row per case.
pub(super) fn overview(run: &Run) -> Option<Table> {
    let modes: Vec<_> = run
        .modes()
        .into_iter()
        .filter(|mode| run.memory.iter().any(|used| used.mode == *mode))
        .collect();
    if modes.is_empty() {
        return None;
    }
    let rows = run.cases().into_iter().map(|case| {
        let uses = modes.iter().map(|mode| run.memory_use(case, mode));
        let peaks = uses.clone().map(|used| match used {
            Some(used) => size(used.first.peak).line(format!(
                "{} allocs",
                format::thousands(used.first.allocations)
            )),
            None => nothing(),
        });
        let programs = uses.flatten().find_map(|used| used.programs.as_ref());
        let of_case = run.decoding.iter().filter(|decoding| decoding.case == case);
        let longest = of_case.max_by_key(|decoding| decoding.code_bytes);
        std::iter::once(Cell::new(case))
            .chain(peaks)
            .chain([
                programs.map_or_else(nothing, ratio),
                longest.map_or_else(nothing, |longest| {
                    let time = match &longest.budgeted {
                        Some(it) => time(it.time, it.mad),
                        None => time(longest.time, longest.mad),
                    };
                    time.line(format::bytes(longest.code_bytes))
                }),
            ])
            .collect()
    });
    let peaks = modes.iter().map(|mode| format!("heap, {mode}"));
    let header: Vec<_> = std::iter::once("memory".to_owned())
        .chain(peaks)
        .chain(["decoded / code", "decoding"].map(str::to_owned))
        .collect();
    let header: Vec<_> = header.iter().map(String::as_str).collect();
    Some(Table::plain(header, rows))
}

fn section(title: &'static str, rows: Vec<Vec<Cell>>) -> Section {
    Section {
        title: Some(title),
        rows,
    }
}

fn row(name: &str, sides: [Option<&MemoryUse>; 2], cell: impl Fn(&MemoryUse) -> Cell) -> Vec<Cell> {
    let figures = sides.map(|side| side.map_or_else(nothing, &cell));
    std::iter::once(Cell::new(name)).chain(figures).collect()
}

fn nothing() -> Cell {
    Cell::faint(NOTHING)
}

fn size(bytes: u64) -> Cell {
    Cell::new(format::bytes(bytes)).key(bytes as f64)
}

fn change(bytes: i64) -> Cell {
    let size = format::bytes(bytes.unsigned_abs());
    let sign = if bytes < 0 { "-" } else { "" };
    Cell::new(format!("{sign}{size}")).key(bytes as f64)
}

fn number(value: u64) -> Cell {
    Cell::new(format::thousands(value)).key(value as f64)
}

fn number_of(value: f64) -> Cell {
    Cell::new(format!("{value}")).key(value)
}

/// `Bad` if over the budget, which should never happen.
fn ratio(programs: &ProgramCache) -> Cell {
    let Some(ratio) = programs.ratio() else {
        return nothing();
    };
    let over = programs.greatest_ratio > programs.budget
        || programs.greatest_short > programs.budget_floor;
    let tone = if over { Tone::Bad } else { Tone::Plain };
    Cell::new(format!("{ratio:.2}")).key(ratio).tone(tone)
}

/// Shortens an address to its ends; a suffix is kept.
fn short(contract: &str) -> String {
    const ADDRESS: usize = "0x".len() + 40;
    match contract.split_at_checked(ADDRESS) {
        Some((address, rest)) if address.starts_with("0x") && address.is_ascii() => {
            format!("{}…{}{rest}", &address[..6], &address[ADDRESS - 4..])
        }
        _ => contract.to_owned(),
    }
}

/// Time, and how many entries the budget allowed.
fn budgeted(decoding: &Decoding) -> Cell {
    decoding.budgeted.as_ref().map_or_else(nothing, |it| {
        let entries = format!("{} entries", format::thousands(it.entries));
        Cell::new(format::quantity(it.time, "ns"))
            .line(entries)
            .key(it.time)
    })
}

fn time(time: f64, mad: f64) -> Cell {
    let spread = format::spread(mad, time);
    let spread = spread.map_or_else(String::new, |spread| format!(" {spread}"));
    Cell::new(format::quantity(time, "ns") + &spread).key(time)
}
