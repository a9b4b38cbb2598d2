//! `evmscope profile --perf-data`: where another program spends its time, from a `perf record` recording.

use super::listed;
use crate::cmd::output::{Answer, Files};
use crate::profile::flamegraph;
use crate::profile::perf_data::{self, Recording};
use anyhow::Result;
use evmscope_reports::format;
use evmscope_reports::run::Profile;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Functions in the table.
const HOTTEST: usize = 20;

pub fn run(recording: &Path, out: Option<&Path>) -> Result<Answer> {
    let files = Files::in_dir(out.unwrap_or(Path::new("reports/out/perf-data")))?;
    let recording = perf_data::read(recording)?;
    let svg = flamegraph::flame(&recording.profile)?;
    let written = files.write("flame.svg", svg)?;
    Ok(Answer::success(text(&recording) + &listed(&[written])))
}

fn text(recording: &Recording) -> String {
    let Recording { profile, missing } = recording;
    let total: u64 = profile.stacks.iter().map(|(_, weight)| weight).sum();
    let mut text = format!(
        "{} of {} by {}\n\n{:>9}  function\n",
        format::count(profile.samples, "sample"),
        profile.mode,
        profile.sampler,
        "share"
    );
    for (name, weight) in hottest(profile).into_iter().take(HOTTEST) {
        let share = format::percent(weight as f64 / total.max(1) as f64);
        // Writing to a string does not fail.
        let _ = writeln!(text, "{share:>9}  {name}");
    }
    let verdict = match missing.is_empty() {
        true => {
            "nothing is missing: all binaries were found and every sample has a symbol".to_owned()
        }
        false => format!("missing: {}", missing.join("; ")),
    };
    let _ = writeln!(text, "\n{verdict}");
    text
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
