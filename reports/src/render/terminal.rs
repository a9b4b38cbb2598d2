//! Tables for a terminal, limited to its width.

use super::bench;
use super::changes::Diff;
use super::memory;
use super::pgo;
use super::report::{Notes, Report, Room};
use super::table::{Cell, Section, Table, Tone};
use super::verdict;
use crate::change::Changes;
use crate::check::{Finding, Outcome};
use crate::counter::Counter::CpuTime;
use crate::pgo::PgoReport;
use crate::run::Run;
use crate::text;
use comfy_table::{
    Attribute, CellAlignment, Color, ColumnConstraint, ContentArrangement, ContentLineStyle,
    LineStyle, TableStyle, Width, presets,
};
use std::borrow::Cow;
use unicode_width::UnicodeWidthStr;

/// Capabilities of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether to use ANSI colours.
    pub color: bool,
    /// Columns of the terminal; cells of wider tables are wrapped.
    pub width: u16,
}

impl Default for Style {
    /// No colour, 80 columns.
    fn default() -> Self {
        Self {
            color: false,
            width: 80,
        }
    }
}

/// The counter-diff table of every case, the mode `head` against the mode `base`, with verdict, unavailable counters
/// and rig.
pub fn counter_diff(run: &Run, base: &str, head: &str, style: Style) -> String {
    let report = Report::new(run, base, head);
    let summary = (report.cases.len() > 1).then(|| words(&[&report.headline], Tone::Plain, style));
    let cases = report.cases.iter().map(|case| {
        let facts = case
            .facts
            .iter()
            .map(|facts| words(&[facts], Tone::Faint, style));
        let verdict = words(&[&case.verdict], case.tone, style);
        std::iter::once(verdict)
            .chain(facts)
            .chain(["\n".to_owned(), table(&case.table, style)])
            .chain(
                case.sections(Room::Some)
                    .flat_map(|(_, below)| ["\n".to_owned(), table(below, style)]),
            )
            .collect()
    });
    blocks(
        summary
            .into_iter()
            .chain(cases)
            .chain(notes(&report.notes, style)),
    )
}

/// The bench table: one row per case, one column per mode, each mode against the first. If that is too wide for the
/// terminal, modes are rows.
pub fn bench(run: &Run, style: Style) -> String {
    let wide = bench::table(run);
    let bench = if width(&wide) <= usize::from(style.width) {
        table(&wide, style)
    } else {
        table(&bench::narrow_table(run), style)
    };
    let memory = memory::overview(run).map(|memory| table(&memory, style));
    blocks(
        std::iter::once(bench)
            .chain(memory)
            .chain(notes(&Notes::new(run, &[]), style)),
    )
}

/// Tables below each other, followed by lines of text.
pub(super) fn tables(
    tables: impl Iterator<Item = Table>,
    lines: Vec<String>,
    style: Style,
) -> String {
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let notes = words(&lines, Tone::Faint, style);
    blocks(tables.map(|it| table(&it, style)).chain([notes]))
}

/// The evaluation of a profile-guided build, verdicts first.
pub fn pgo(report: &PgoReport, style: Style) -> String {
    let document = pgo::Document::new(report);
    let lines = document
        .verdicts
        .iter()
        .map(|(line, tone)| words(&[line], *tone, style));
    let verdicts = words(&[&document.headline], Tone::Plain, style) + &lines.collect::<String>();
    let parts = document.parts.iter().map(|part| {
        let title: Vec<_> = std::iter::once(&part.title)
            .chain(&part.intro)
            .map(String::as_str)
            .collect();
        words(&title, Tone::Plain, style) + "\n" + &table(&part.table, style)
    });
    blocks(
        std::iter::once(verdicts)
            .chain(parts)
            .chain(notes(&document.notes, style)),
    )
}

/// The diff of two runs: verdict, times, and the opcodes that changed most.
pub fn diff(changes: &Changes, style: Style) -> String {
    let diff = Diff::new(changes);
    let opcodes = diff
        .details
        .iter()
        .find(|(title, _)| title.starts_with("opcodes"));
    let legend: Vec<&str> = diff.legend.iter().map(String::as_str).collect();
    blocks(
        [
            words(&[&diff.headline], diff.tone, style) + &words(&[&diff.count], Tone::Faint, style),
            table(&diff.overview, style),
        ]
        .into_iter()
        .chain(opcodes.map(|(_, opcodes)| table(opcodes, style)))
        .chain([words(&[&diff.noise], Tone::Plain, style) + &words(&legend, Tone::Faint, style)]),
    )
}

/// One row per finding of a run, how many hold, and what would decide the others.
pub fn findings(findings: &[Finding], run: &Run, style: Style) -> String {
    let row = |finding: &Finding| {
        let (mark, tone) = match finding.outcome {
            Outcome::Holds => ("holds", Tone::Good),
            Outcome::Fails => ("FAILS", Tone::Bad),
            Outcome::Undecided => ("undecided", Tone::Plain),
        };
        vec![
            Cell::new(&finding.what),
            Cell::new(&finding.found),
            Cell::new(&finding.asked),
            Cell::new(&finding.margin),
            Cell::new(mark).tone(tone),
        ]
    };
    let header = ["checked", "found", "required", "margin", ""];
    let body = Table::plain(header, findings.iter().map(row));
    let count = |outcome| findings.iter().filter(|it| it.outcome == outcome).count();
    let all = findings.len();
    let (sum, tone) = match (count(Outcome::Fails), count(Outcome::Undecided)) {
        (0, 0) => (format!("All {all} hold."), Tone::Good),
        (0, n) => (
            format!("{n} of {all} undecided, the others hold."),
            Tone::Plain,
        ),
        (n, 0) => (format!("{n} of {all} fail."), Tone::Bad),
        (n, undecided) => (
            format!("{n} of {all} fail, {undecided} undecided."),
            Tone::Bad,
        ),
    };
    let to_decide = to_decide(findings, run)
        .map_or_else(String::new, |text| words(&[&text], Tone::Plain, style));
    blocks([table(&body, style), words(&[&sum], tone, style), to_decide].into_iter())
}

/// What would decide the undecided findings.
fn to_decide(findings: &[Finding], run: &Run) -> Option<String> {
    let undecided = findings
        .iter()
        .filter(|it| it.outcome == Outcome::Undecided);
    let needed: Vec<_> = undecided.map(|it| it.launches).collect();
    let times = run.measurements.iter().filter(|it| it.counter == CpuTime);
    let made = times.map(|it| it.launches.len()).max().unwrap_or(0);
    let text = || verdict::to_decide("undecided", &needed, made, run.timing_seconds);
    (!needed.is_empty()).then(text)
}

/// A column of [`listing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// On the left; wraps.
    Text,
    /// On the right; a number keeps to one line.
    Figure,
}

/// Rows of texts and figures. With a `width`, texts wrap inside their column. A row that has fewer cells than there are
/// columns is a title or an empty line.
pub fn listing(
    columns: &[Column],
    rows: impl IntoIterator<Item = Vec<String>>,
    width: Option<u16>,
) -> String {
    // Numbers with their separators and units; titles may be longer.
    const MOST: usize = "1,204,331,000".len();
    let color = false;
    let mut layout = layout(Style {
        color,
        width: width.unwrap_or(u16::MAX),
    });
    let mut longest = vec![0; columns.len()];
    for row in rows {
        for (longest, text) in longest.iter_mut().zip(&row) {
            *longest = text.width().max(*longest);
        }
        layout.add_row(row.iter().map(|text| text::line(text)));
    }
    if layout.row_count() == 0 {
        return String::new();
    }
    let laid = columns.iter().zip(longest).zip(layout.column_iter_mut());
    for (number, ((column, longest), layout)) in (1..).zip(laid) {
        if *column == Column::Figure {
            let gap = if number == columns.len() { 0 } else { GAP };
            let least = longest.min(MOST) as u16 + gap;
            layout.set_cell_alignment(CellAlignment::Right);
            layout.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
        }
    }
    finish(layout)
}

/// Texts, each from the beginning of a line. With a `width`, they wrap.
pub fn prose<'a>(texts: impl IntoIterator<Item = &'a str>, width: Option<u16>) -> String {
    rows(texts.into_iter().map(|text| [text]), width)
}

/// Plain rows in columns. With a `width`, texts wrap inside their column.
pub fn rows<'a, const N: usize>(
    rows: impl Iterator<Item = [&'a str; N]>,
    width: Option<u16>,
) -> String {
    let color = false;
    let mut layout = layout(Style {
        color,
        width: width.unwrap_or(u16::MAX),
    });
    layout.add_rows(rows.map(plain));
    finish(layout)
}

fn plain<const N: usize>(row: [&str; N]) -> [Cow<'_, str>; N] {
    row.map(text::line)
}

/// Blocks with an empty line between them.
fn blocks(blocks: impl Iterator<Item = String>) -> String {
    blocks
        .filter(|block| !block.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

fn notes(notes: &Notes, style: Style) -> [String; 3] {
    let legend: Vec<&str> = notes.legend.iter().map(String::as_str).collect();
    let unavailable = notes
        .unavailable
        .iter()
        .map(|(reason, counters)| [counters, reason.as_str()]);
    let rig = notes
        .rig
        .iter()
        .map(|(label, value)| [*label, value.as_str()]);
    [
        words(&legend, Tone::Faint, style),
        list("not measured", unavailable, style),
        list("rig", rig, style),
    ]
}

fn words(lines: &[&str], tone: Tone, style: Style) -> String {
    let mut layout = layout(style);
    for line in lines {
        layout.add_row([colored(line, tone)]);
    }
    finish(layout)
}

/// Two columns under a title; empty if there are no rows.
fn list<'a>(title: &str, rows: impl Iterator<Item = [&'a str; 2]>, style: Style) -> String {
    let mut layout = layout(style);
    layout.add_row([bold(title)]);
    layout.add_rows(rows.map(plain));
    if layout.row_count() > 1 {
        finish(layout)
    } else {
        String::new()
    }
}

/// A table within the terminal's width. Names wrap; if figures would have to break within a word, rows are stacked.
fn table(table: &Table, style: Style) -> String {
    let room = usize::from(style.width);
    let figures: usize = (1..table.header.len())
        .map(|column| usize::from(GAP) + longest(table, column, word))
        .sum();
    if longest(table, 0, word) + figures > room {
        return stacked(table, style);
    }
    let mut layout = layout(style);
    layout.load_style(RULED);
    layout.set_header(table.header.iter().map(bold));
    for (i, Section { title, rows }) in table.sections.iter().enumerate() {
        if let Some(title) = title {
            if i > 0 {
                layout.add_row([""]);
            }
            layout.add_row([bold(title)]);
        }
        layout.add_rows(rows.iter().map(|row| row.iter().map(cell)));
    }
    let mut columns = layout.column_iter_mut();
    if let Some(names) = columns.next() {
        let width = names_width(table, room - figures);
        names.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width)));
    }
    // Where figures have to wrap, none breaks within a word.
    let whole: usize = (1..table.header.len())
        .map(|column| usize::from(GAP) + longest(table, column, UnicodeWidthStr::width))
        .sum();
    let wraps = usize::from(names_width(table, room)) + whole > room;
    for (column, layout) in (1..).zip(columns) {
        layout.set_cell_alignment(CellAlignment::Right);
        if wraps {
            let gap = if column + 1 == table.header.len() {
                0
            } else {
                GAP
            };
            let least = longest(table, column, word) as u16 + gap;
            layout.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
        }
    }
    finish(layout) + &note(table, style)
}

fn note(table: &Table, style: Style) -> String {
    let note = table.note.iter();
    note.map(|note| words(&[note], Tone::Faint, style))
        .collect()
}

/// A table for a terminal that is too narrow for its columns: each row as its name and, below it, a line for each
/// figure.
fn stacked(table: &Table, style: Style) -> String {
    let mut layout = layout(style);
    for Section { title, rows } in &table.sections {
        if let Some(title) = title {
            layout.add_row([bold(title)]);
        }
        for row in rows {
            let mut cells = row.iter();
            let name = cells.next().map(|cell| bold(cell.lines.join(" ")));
            layout.add_row(name);
            for (cell, header) in cells.zip(&table.header[1..]) {
                let mut lines = cell.lines.iter().filter(|line| !line.is_empty());
                if let Some(figure) = lines.next() {
                    layout.add_row([colored(&format!("  {header}: {figure}"), cell.tone)]);
                }
                layout.add_rows(lines.map(|line| [colored(&format!("    {line}"), cell.tone)]));
            }
        }
    }
    finish(layout) + &note(table, style)
}

/// Width of a table without wrapping, in columns.
fn width(table: &Table) -> usize {
    let columns =
        (0..table.header.len()).map(|column| longest(table, column, UnicodeWidthStr::width));
    columns.sum::<usize>() + usize::from(GAP) * table.header.len().saturating_sub(1)
}

/// Width of the longest line of a column, header included, as `measure` has it.
fn longest(table: &Table, column: usize, measure: impl Fn(&str) -> usize) -> usize {
    let rows = table.sections.iter().flat_map(|section| &section.rows);
    let cells = rows.filter_map(|row| row.get(column));
    let lines = cells.flat_map(|cell| &cell.lines);
    let header = table.header.get(column);
    let lines = lines.chain(header);
    lines.map(|line| measure(line)).max().unwrap_or(0)
}

/// Width of the longest word of a line; a mark belongs to its word.
fn word(line: &str) -> usize {
    let marked = line.replace("! ", "!_");
    marked
        .split(' ')
        .map(UnicodeWidthStr::width)
        .max()
        .unwrap_or(0)
}

/// Lower bound of the width of the first column, where there is `room`: keeps names of moderate length on one line.
fn names_width(table: &Table, room: usize) -> u16 {
    const MOST: usize = "instructions / opcode".len();
    let gap = usize::from(GAP);
    let names = table
        .sections
        .iter()
        .flat_map(|s| &s.rows)
        .filter_map(|row| row.first());
    let longest = names
        .flat_map(|cell| &cell.lines)
        .map(|line| line.width())
        .max();
    let wanted = longest.unwrap_or(0).min(MOST) + gap;
    wanted.min(room) as u16
}

/// A rule below the header and no other lines.
const RULED: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none())
    .header_separator(LineStyle::none().fill('─'))
    .content_lines(ContentLineStyle::none());

/// Spaces between columns.
const GAP: u16 = 2;

fn layout(style: Style) -> comfy_table::Table {
    let mut layout = comfy_table::Table::new();
    layout
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .force_no_tty()
        .set_width(style.width);
    if style.color {
        layout.enforce_styling();
    }
    layout
}

fn finish(mut layout: comfy_table::Table) -> String {
    let last = layout.column_count().saturating_sub(1);
    for (i, column) in layout.column_iter_mut().enumerate() {
        column.set_padding((0, if i == last { 0 } else { GAP }));
    }
    layout.trim_fmt() + "\n"
}

fn cell(cell: &Cell) -> comfy_table::Cell {
    let lines: Vec<_> = cell.lines.iter().map(|line| text::line(line)).collect();
    toned(comfy_table::Cell::new(lines.join("\n")), cell.tone)
}

fn bold(text: impl AsRef<str>) -> comfy_table::Cell {
    comfy_table::Cell::new(text::line(text.as_ref())).add_attribute(Attribute::Bold)
}

fn colored(text: &str, tone: Tone) -> comfy_table::Cell {
    toned(comfy_table::Cell::new(text::line(text)), tone)
}

fn toned(cell: comfy_table::Cell, tone: Tone) -> comfy_table::Cell {
    match tone {
        Tone::Plain => cell,
        Tone::Good => cell.fg(Color::DarkGreen),
        Tone::Bad => cell.fg(Color::DarkRed),
        Tone::Unsure => cell.fg(Color::DarkYellow),
        Tone::Faint => cell.fg(Color::DarkGrey),
    }
}
