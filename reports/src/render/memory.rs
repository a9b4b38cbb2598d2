//! The tables of memory: what a case takes of the heap in two modes, what is kept of its code, and what
//! translating its contracts takes.

use super::table::{Cell, NOTHING, Section, Table, Tone};
use crate::format;
use crate::run::{Decoding, HeapUse, MemoryUse, ProgramCache, Run};

/// What one case takes, a column a mode; none where it was not counted.
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
        kept("decoded bytes / byte of code", ratio),
        kept("budget of it", |p| number_of(p.budget)),
        kept("codes with a program", |p| number(p.programs)),
        kept("their code", |p| size(p.code_bytes)),
        kept("entry points translated", |p| number(p.translated)),
        kept("frames: program was there", |p| number(p.hits)),
        kept("frames: program begun", |p| number(p.misses)),
        kept("frames: put off", |p| number(p.postponed)),
        kept("frames: code too long", |p| number(p.refused)),
    ];
    let mut sections = vec![
        section("first call", heap(|used| used.first).into()),
        section("later call", heap(|used| used.later).into()),
    ];
    if sides.iter().flatten().any(|used| used.programs.is_some()) {
        sections.push(section("programs", programs.into()));
    }
    let header = [format!("memory, {calls} calls before the later one")];
    let modes = [base, head].map(str::to_owned);
    Some(Table {
        header: header.into_iter().chain(modes).collect(),
        section_header: Some("of"),
        sections,
    })
}

/// What translating the contracts of a case takes; none where it was not measured.
pub(super) fn decoding(run: &Run, case: &str) -> Option<Table> {
    let cells = |decoding: &Decoding| {
        vec![
            Cell::new(short(&decoding.contract)),
            size(decoding.code_bytes),
            number(decoding.entries),
            size(decoding.decoded_bytes),
            time(decoding),
        ]
    };
    let of_case = run.decoding.iter().filter(|decoding| decoding.case == case);
    let rows: Vec<_> = of_case.map(cells).collect();
    let header = [
        "contract translated as a whole",
        "code",
        "entries",
        "decoded",
        "CPU time",
    ];
    (!rows.is_empty()).then(|| Table::plain(header, rows))
}

/// The few figures that tell of all cases: a row a case.
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
                    time(longest).line(format::bytes(longest.code_bytes))
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

/// Bad where it is over its budget, which no run should show.
fn ratio(programs: &ProgramCache) -> Cell {
    let Some(ratio) = programs.ratio() else {
        return nothing();
    };
    let over = programs.greatest_ratio > programs.budget;
    let tone = if over { Tone::Bad } else { Tone::Plain };
    Cell::new(format!("{ratio:.2}")).key(ratio).tone(tone)
}

/// An address by its ends; what stands behind it stays.
fn short(contract: &str) -> String {
    const ADDRESS: usize = "0x".len() + 40;
    match contract.split_at_checked(ADDRESS) {
        Some((address, rest)) if address.starts_with("0x") && address.is_ascii() => {
            format!("{}…{}{rest}", &address[..6], &address[ADDRESS - 4..])
        }
        _ => contract.to_owned(),
    }
}

fn time(decoding: &Decoding) -> Cell {
    let spread = format::spread(decoding.mad, decoding.time);
    let spread = spread.map_or_else(String::new, |spread| format!(" {spread}"));
    Cell::new(format::quantity(decoding.time, "ns") + &spread).key(decoding.time)
}
