//! Records over time: a table for the terminal, and an HTML page with a chart for each case.

use super::chart;
use super::html::{HtmlError, filled};
use super::table::{Cell, NOTHING, Reading, Table, Tone};
use super::terminal::{self, Style};
use crate::format;
use crate::history::{CaseHistory, History, Machine, Point};
use crate::run::{Measurement, Ratio};
use askama::Template;

/// The table of all records, and the machines that its letters stand for.
pub fn table(history: &History<'_>, style: Style) -> String {
    terminal::tables(history.cases.iter().map(case), notes(history), style)
}

/// The HTML page: a chart and a table for each case.
///
/// # Errors
/// The template engine failed.
pub fn page(history: &History<'_>) -> Result<String, HtmlError> {
    let cases = history.cases.iter();
    let page = Page {
        cases: cases
            .map(|it| Shown {
                name: it.name,
                chart: chart::history(it),
                table: case(it),
            })
            .collect(),
        notes: notes(history),
    };
    filled(&page)
}

#[derive(Template)]
#[template(path = "history.html")]
struct Page<'a> {
    cases: Vec<Shown<'a>>,
    notes: Vec<String>,
}

struct Shown<'a> {
    name: &'a str,
    chart: Option<String>,
    table: Table,
}

fn notes(history: &History<'_>) -> Vec<String> {
    let rule = "Lines connect records with the same machine, settings and gas.";
    let machines = history.machines.iter().enumerate().map(|(i, machine)| {
        let Machine {
            cpu,
            cpus,
            cores,
            arch,
            virtualized,
        } = machine;
        let cores = cores.map_or_else(String::new, |cores| format!(", {cores}"));
        let virtual_machine = if *virtualized {
            ", virtual machine"
        } else {
            ""
        };
        format!(
            "machine {}: {cpu}, {cpus} usable{cores}, {arch}{virtual_machine}",
            letter(i)
        )
    });
    std::iter::once(rule.to_owned()).chain(machines).collect()
}

/// `A` to `Z`, then numbers from `27`.
fn letter(i: usize) -> String {
    match u8::try_from(i) {
        Ok(i @ 0..26) => char::from(b'A' + i).to_string(),
        _ => (i + 1).to_string(),
    }
}

fn case(case: &CaseHistory<'_>) -> Table {
    let mut modes: Vec<&str> = Vec::new();
    for time in case.points.iter().flat_map(|point| &point.times) {
        if !modes.contains(&time.mode.as_str()) {
            modes.push(&time.mode);
        }
    }
    let header = [case.name, "machine"]
        .into_iter()
        .chain(modes.iter().copied());
    Table::plain(header, case.points.iter().map(|point| row(point, &modes)))
}

fn row(point: &Point<'_>, modes: &[&str]) -> Vec<Cell> {
    let time = |mode: &&str| {
        let Some(time) = point.times.iter().find(|time| time.mode == **mode) else {
            return Cell::faint(NOTHING);
        };
        let against = point.ratios.iter().find(|ratio| ratio.head == **mode);
        against.map_or_else(|| Cell::figure(time), |ratio| compared(time, ratio))
    };
    let (day, clock) = point.created.split_once('T').unwrap_or((point.created, ""));
    let when = format!("{day} {}", clock.get(..5).unwrap_or(clock));
    let build = point.commit.map(|commit| commit.get(..7).unwrap_or(commit));
    let settings = point.settings.map(|settings| {
        let cold = if settings.cold { ", cold" } else { "" };
        format!(
            "memo {}, budget {}{cold}",
            settings.keccak_memo,
            format::budget(settings.budget, settings.budget_floor)
        )
    });
    let mut what = Cell::new(match build {
        Some(build) => format!("{when} {build}"),
        None => when,
    });
    what = match settings {
        Some(settings) => what.line(settings),
        None => what,
    };
    [what, Cell::new(letter(point.machine))]
        .into_iter()
        .chain(modes.iter().map(time))
        .collect()
}

fn compared(time: &Measurement, ratio: &Ratio) -> Cell {
    let (value, _) = Reading::Times.of(ratio);
    let text = format::quantity(time.median, &time.unit);
    Cell::new(text)
        .key(time.median)
        .line(value)
        .tone(Tone::from(ratio.verdict))
}
