//! `evmscope size`: the code size of a build, or of two side by side.

use crate::cmd::output::Answer;
use crate::symbols::code_size::{CodeSize, Part};
use anyhow::Result;
use clap::Args;
use evmscope_reports::format;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Size {
    /// Evmscope binaries, not stripped [default: this one].
    #[arg(value_name = "BINARY")]
    pub binaries: Vec<PathBuf>,
}

/// Handlers to list.
const LARGEST: usize = 20;

pub fn run(args: &Size) -> Result<Answer> {
    let own = [PathBuf::from("/proc/self/exe")];
    let paths = if args.binaries.is_empty() {
        &own[..]
    } else {
        &args.binaries
    };
    let sizes = paths
        .iter()
        .map(|path| CodeSize::of(path))
        .collect::<Result<Vec<_>>>()?;
    Ok(Answer::success(match &sizes[..] {
        [base, head] => text(&titles(paths), &[base, head]),
        _ => sizes
            .iter()
            .zip(paths)
            .map(|(size, path)| text(&[title(path)], &[size]))
            .collect(),
    }))
}

/// Column titles: file names, or `base` and `head` if all names are equal.
fn titles(paths: &[PathBuf]) -> Vec<String> {
    let names: Vec<_> = paths.iter().map(|path| title(path)).collect();
    match names.iter().all(|name| *name == names[0]) {
        true => vec!["base".to_owned(), "head".to_owned()],
        false => names,
    }
}

fn title(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match &*name {
        "exe" => "this binary".to_owned(),
        name => name.to_owned(),
    }
}

/// One column per binary, and the change if there are two.
fn text(titles: &[String], sizes: &[&CodeSize]) -> String {
    let mut text = row("", titles, None);
    let file = |size: &CodeSize| Some(size.sections.sizes.file);
    text += &bytes("file", sizes, file);
    let sections = by_size(sizes, |size| size.sections.loaded.iter().cloned().collect());
    for name in sections {
        text += &bytes(&name, sizes, |size| {
            let named = size.sections.loaded.iter().filter(|(it, _)| *it == name);
            named.map(|(_, bytes)| *bytes).reduce(|a, b| a + b)
        });
    }
    text.push('\n');
    for mode in by_size(sizes, |size| plain(&size.modes)) {
        let functions = sizes
            .iter()
            .filter_map(|size| size.modes.get(&mode))
            .map(|it| it.functions)
            .max();
        let title = format!(
            "{mode}: {}",
            format::count(functions.unwrap_or(0), "handler")
        );
        text += &bytes(&title, sizes, |size| {
            size.modes.get(&mode).map(|it| it.bytes)
        });
    }
    text.push('\n');
    for name in by_size(sizes, |size| plain(&size.handlers))
        .into_iter()
        .take(LARGEST)
    {
        text += &bytes(&name, sizes, |size| {
            size.handlers.get(&name).map(|it| it.bytes)
        });
    }
    for (title, size) in titles.iter().zip(sizes) {
        if size.sections.is_instrumented() {
            let _ = writeln!(
                text,
                "\n{title} is instrumented for profiling, which makes it slow and large"
            );
        }
        if size.sections.sizes.bolt {
            let _ = writeln!(text, "\n{title} was laid out by BOLT");
        }
    }
    text
}

fn plain(parts: &BTreeMap<String, Part>) -> BTreeMap<String, u64> {
    parts
        .iter()
        .map(|(name, part)| (name.clone(), part.bytes))
        .collect()
}

/// The names found in any of the binaries, largest first.
fn by_size(sizes: &[&CodeSize], named: impl Fn(&CodeSize) -> BTreeMap<String, u64>) -> Vec<String> {
    let mut largest = BTreeMap::<String, u64>::new();
    for (name, bytes) in sizes.iter().flat_map(|size| named(size)) {
        let most = largest.entry(name).or_default();
        *most = bytes.max(*most);
    }
    let mut names: Vec<_> = largest
        .into_iter()
        .filter(|(_, bytes)| *bytes > 0)
        .collect();
    names.sort_by_key(|(name, bytes)| (Reverse(*bytes), name.clone()));
    names.into_iter().map(|(name, _)| name).collect()
}

fn bytes(name: &str, sizes: &[&CodeSize], of: impl Fn(&CodeSize) -> Option<u64>) -> String {
    let found: Vec<_> = sizes.iter().map(|size| of(size)).collect();
    let cells: Vec<_> = found
        .iter()
        .map(|it| it.map_or("none".to_owned(), format::thousands))
        .collect();
    let change = match found[..] {
        [Some(base), Some(head)] if base > 0 => Some(format::change(head as f64 / base as f64)),
        _ => None,
    };
    row(name, &cells, change.as_deref())
}

fn row(name: &str, cells: &[String], change: Option<&str>) -> String {
    let cells: String = cells.iter().map(|cell| format!(" {cell:>16}")).collect();
    let line = format!("{name:<40}{cells} {:>10}", change.unwrap_or_default());
    format!("{}\n", line.trim_end())
}
