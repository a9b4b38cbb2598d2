//! `evmscope profile --perf-data`: where other programs spend their time, from a `perf record` recording.

use crate::cmd::output::{self, Answer, Files};
use crate::profile::flamegraph;
use crate::profile::perf_data::{self, EventProfile, ProcessShare, Recording};
use anyhow::Result;
use evmscope_reports::format;
use evmscope_reports::name::as_file_name;
use evmscope_reports::render::terminal::{self, Column::Figure, Column::Text};
use evmscope_reports::run::Profile;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Rows of a table.
const MOST: usize = 20;

pub fn run(recording: &Path, out: Option<&Path>) -> Result<Answer> {
    let files = Files::in_dir_or(out, Path::new("reports/out/perf-data"))?;
    let recording = perf_data::read(recording)?;
    let names = names(&recording.events);
    let mut svgs = Vec::new();
    for (event, name) in recording.events.iter().zip(&names) {
        svgs.push((name.as_str(), flamegraph::flame(&event.profile)?));
    }
    let written = files.write_all(&svgs);
    Ok(Answer::success(text(&recording, output::columns())).with(written))
}

/// The name of each event's file: `flame.svg` if there is one event, or else with the event.
fn names(events: &[EventProfile]) -> Vec<String> {
    if let [_] = events {
        return vec!["flame.svg".to_owned()];
    }
    let mut taken = BTreeSet::new();
    let unique = |event: &EventProfile| {
        let event = as_file_name(&event.name);
        let first = format!("flame-{event}.svg");
        let more = (2..).map(|number| format!("flame-{event}-{number}.svg"));
        let mut names = std::iter::once(first).chain(more);
        // The list has no end.
        let name = names.find(|name| !taken.contains(name)).unwrap_or_default();
        taken.insert(name.clone());
        name
    };
    events.iter().map(unique).collect()
}

fn text(recording: &Recording, width: Option<u16>) -> String {
    let Recording {
        events,
        missing,
        notes,
    } = recording;
    let tables: Vec<_> = events.iter().map(|it| tables(it, width)).collect();
    let verdict = match missing.is_empty() {
        true => {
            "nothing is missing: all binaries were found and every sample has a symbol".to_owned()
        }
        false => format!("missing: {}", missing.join("; ")),
    };
    let notes = notes.iter().map(|note| format!("note: {note}"));
    let lines: Vec<_> = std::iter::once(verdict).chain(notes).collect();
    let lines = terminal::prose(lines.iter().map(String::as_str), width);
    format!("{}\n{lines}", tables.join("\n"))
}

/// The processes of an event, if there are several, and its functions.
fn tables(event: &EventProfile, width: Option<u16>) -> String {
    let EventProfile {
        profile, processes, ..
    } = event;
    let total: u64 = profile.stacks.iter().map(|(_, weight)| weight).sum();
    let share = |weight: u64| format::percent(weight as f64 / total.max(1) as f64);
    let title = format!(
        "{} of {} by {}: {}",
        format::count(profile.samples, "sample"),
        profile.mode,
        profile.sampler,
        amount(total, &profile.unit),
    );
    let mut blocks = vec![terminal::prose([title.as_str()], width)];
    if processes.len() > 1 {
        let header = ["share", "pid", "process"].map(str::to_owned);
        let row = |it: &ProcessShare| vec![share(it.weight), it.pid.to_string(), it.name.clone()];
        let mut rows: Vec<_> = [header.to_vec()].into();
        rows.extend(processes.iter().take(MOST).map(row));
        if let Some(others @ [_, ..]) = processes.get(MOST..) {
            let weight = others.iter().map(|it| it.weight).sum();
            let more = format!("{} more", others.len());
            rows.push(vec![share(weight), String::new(), more]);
        }
        blocks.push(terminal::listing(&[Figure, Figure, Text], rows, width));
    }
    let header = ["share", "function"].map(str::to_owned).to_vec();
    let hottest = hottest(profile).into_iter().take(MOST);
    let functions = hottest.map(|(name, weight)| vec![share(weight), name.to_owned()]);
    let rows = std::iter::once(header).chain(functions);
    blocks.push(terminal::listing(&[Figure, Text], rows, width));
    blocks.join("\n")
}

/// A sum of weights with its unit: `210 ms of CPU time`, `288 page-faults`.
fn amount(total: u64, unit: &str) -> String {
    match unit {
        "ns" => format!("{} of CPU time", format::quantity(total as f64, unit)),
        _ => format!("{} {unit}", format::thousands(total)),
    }
}

/// Functions by exclusive weight, heaviest first.
fn hottest(profile: &Profile) -> Vec<(&str, u64)> {
    let mut weights = BTreeMap::<&str, u64>::new();
    for (stack, weight) in &profile.stacks {
        let leaf = stack.rsplit(';').next().unwrap_or(stack);
        *weights.entry(leaf).or_default() += weight;
    }
    let mut weights: Vec<_> = weights.into_iter().collect();
    weights.sort_by_key(|&(name, weight)| (std::cmp::Reverse(weight), name));
    weights
}
