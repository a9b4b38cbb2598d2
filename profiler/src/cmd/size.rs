//! `evmscope size`: the code size of a build, or of two side by side.

use crate::cmd::output::{self, Answer};
use crate::symbols::code_size::{CodeSize, Part};
use anyhow::Result;
use clap::Args;
use evmscope_reports::format;
use evmscope_reports::render::terminal::{self, Column::Figure, Column::Text};
use std::cmp::Reverse;
use std::collections::BTreeMap;
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
    let width = output::columns();
    Ok(Answer::success(match &sizes[..] {
        [base, head] => text(&titles(paths), &[base, head], width),
        _ => sizes
            .iter()
            .zip(paths)
            .map(|(size, path)| text(&[title(path)], &[size], width))
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
fn text(titles: &[String], sizes: &[&CodeSize], width: Option<u16>) -> String {
    let mut rows = vec![row("", titles.to_vec(), None)];
    let file = |size: &CodeSize| Some(size.sections.sizes.file);
    rows.push(bytes("file", sizes, file));
    let sections = by_size(sizes, |size| size.sections.loaded.iter().cloned().collect());
    rows.extend(sections.iter().map(|name| {
        bytes(name, sizes, |size| {
            let named = size.sections.loaded.iter().filter(|(it, _)| it == name);
            named.map(|(_, bytes)| *bytes).reduce(u64::saturating_add)
        })
    }));
    rows.push(vec![String::new()]);
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
        rows.push(bytes(&title, sizes, |size| {
            size.modes.get(&mode).map(|it| it.bytes)
        }));
    }
    rows.push(vec![String::new()]);
    let handlers = by_size(sizes, |size| plain(&size.handlers));
    rows.extend(handlers.iter().take(LARGEST).map(|name| {
        bytes(name, sizes, |size| {
            size.handlers.get(name).map(|it| it.bytes)
        })
    }));
    let columns: Vec<_> = std::iter::once(Text)
        .chain(std::iter::repeat_n(Figure, sizes.len() + 1))
        .collect();
    terminal::listing(&columns, rows, width) + &remarks(titles, sizes, width)
}

fn remarks(titles: &[String], sizes: &[&CodeSize], width: Option<u16>) -> String {
    let mut text = String::new();
    for (title, size) in titles.iter().zip(sizes) {
        if size.sections.is_instrumented() {
            text += &format!(
                "\n{title} is instrumented for profiling, which makes it slow and large\n"
            );
        }
        if size.sections.sizes.bolt {
            text += &format!("\n{title} was laid out by BOLT\n");
        }
    }
    match text.is_empty() {
        true => text,
        false => terminal::prose(text.lines(), width),
    }
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

fn bytes(name: &str, sizes: &[&CodeSize], of: impl Fn(&CodeSize) -> Option<u64>) -> Vec<String> {
    let found: Vec<_> = sizes.iter().map(|size| of(size)).collect();
    let cells: Vec<_> = found
        .iter()
        .map(|it| it.map_or("none".to_owned(), format::thousands))
        .collect();
    let change = match found[..] {
        [Some(base), Some(head)] if base > 0 => Some(format::change(head as f64 / base as f64)),
        _ => None,
    };
    row(name, cells, change)
}

fn row(name: &str, cells: Vec<String>, change: Option<String>) -> Vec<String> {
    let name = std::iter::once(name.to_owned());
    name.chain(cells).chain(change).collect()
}
