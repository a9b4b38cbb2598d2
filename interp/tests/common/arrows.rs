//! Finds which files of a crate import which others, and checks that against a table of rooms. Used by the
//! tests of this crate and, by `#[path]`, by those of other crates. The caller provides the sources and the
//! table.
//!
//! Sources are read as tokens and not parsed, so that `use` trees, paths in code and paths in macros all
//! count. Items under `cfg(test)` and visibilities do not count. A path refers to the file of the longest
//! module that is its prefix: items that a module re-exports with `pub use` belong to that module. `#[path]`
//! is not followed.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::slice::from_ref;

/// A file, by its path from the root of the crate's sources, and its text.
pub type Source = (String, String);

/// A row of the table: a room and the rooms that it may import. A room is a file or a folder, without `.rs`.
/// A file belongs to the longest matching row.
pub type Row<'a> = (&'a str, &'a [&'a str]);

/// An import of one file from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    pub from: String,
    pub to: String,
    /// The resolved path, without `crate::`.
    pub path: String,
}

/// All Rust files of a folder and its subfolders, sorted.
pub fn read(root: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let name = path.strip_prefix(root).unwrap();
                let name = name.to_str().unwrap().replace('\\', "/");
                found.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The imports between files, each pair and path once.
///
/// # Panics
/// If a source is not Rust.
pub fn arrows(sources: &[Source]) -> Vec<Arrow> {
    let files: BTreeMap<Vec<String>, String> = sources
        .iter()
        .map(|(file, _)| (module_of(file), file.clone()))
        .collect();
    let mut found = BTreeSet::new();
    let mut tests: BTreeSet<Vec<String>> = BTreeSet::new();
    for (file, text) in sources {
        let tokens: TokenStream = text
            .parse()
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut reader = Reader {
            files: &files,
            paths: Vec::new(),
            tests: Vec::new(),
        };
        reader.read(tokens, &module_of(file));
        tests.extend(reader.tests);
        for path in reader.paths {
            let to = (0..=path.len())
                .rev()
                .find_map(|n| files.get(&path[..n]))
                .cloned();
            if let Some(to) = to
                && to != *file
            {
                found.insert(Arrow {
                    from: file.clone(),
                    to,
                    path: path.join("::"),
                });
            }
        }
    }
    let of_test = |file: &str| {
        let module = module_of(file);
        (0..=module.len()).any(|n| tests.contains(&module[..n]))
    };
    found
        .into_iter()
        .filter(|arrow| !of_test(&arrow.from) && !of_test(&arrow.to))
        .collect()
}

/// Violations of the table: imports, files without a room, and rooms without a file. Rows are in order from
/// top to bottom, and a room may only import rooms below it, so rooms cannot form a cycle.
pub fn forbidden(sources: &[Source], table: &[Row]) -> Vec<String> {
    let mut faults = Vec::new();
    let rows: BTreeMap<&str, &[&str]> = table.iter().copied().collect();
    assert_eq!(rows.len(), table.len(), "a room has one row");
    for (at, (room, allowed)) in table.iter().enumerate() {
        let below = |other: &str| table[at + 1..].iter().any(|(room, _)| *room == other);
        for other in allowed.iter().filter(|other| !below(other)) {
            faults.push(format!("{room} may import {other}, which is not below it"));
        }
        if !sources.iter().any(|(file, _)| lies_in(file, room)) {
            faults.push(format!("{room} has a row and no file"));
        }
    }
    for (file, _) in sources {
        if room_of(file, table).is_none() {
            faults.push(format!("{file} is in no room"));
        }
    }
    for arrow in arrows(sources) {
        let rooms = (room_of(&arrow.from, table), room_of(&arrow.to, table));
        if let (Some(from), Some(to)) = rooms
            && from != to
            && !rows[from].contains(&to)
        {
            let Arrow {
                from: file, path, ..
            } = arrow;
            faults.push(format!("{file} imports {path}: {from} may not import {to}"));
        }
    }
    faults
}

/// Imports that the table allows and no file needs.
pub fn unused(sources: &[Source], table: &[Row]) -> Vec<String> {
    let needed: BTreeSet<_> = arrows(sources)
        .into_iter()
        .filter_map(|arrow| Some((room_of(&arrow.from, table)?, room_of(&arrow.to, table)?)))
        .collect();
    let allowed = table
        .iter()
        .flat_map(|(room, allowed)| allowed.iter().map(move |other| (*room, *other)));
    allowed
        .filter(|pair| !needed.contains(pair))
        .map(|(from, to)| format!("{from} does not import {to}"))
        .collect()
}

/// Cycles of files that import each other, each with all of its files.
pub fn circles(sources: &[Source]) -> Vec<Vec<String>> {
    let mut next: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for arrow in arrows(sources) {
        next.entry(arrow.from).or_default().insert(arrow.to);
    }
    let reached = |from: &String| {
        let mut seen: BTreeSet<&String> = BTreeSet::new();
        let mut open: Vec<&String> = next[from].iter().collect();
        while let Some(file) = open.pop() {
            if seen.insert(file) {
                open.extend(next.get(file).into_iter().flatten());
            }
        }
        seen
    };
    let all: BTreeMap<&String, BTreeSet<&String>> =
        next.keys().map(|file| (file, reached(file))).collect();
    let circle = |file: &String, seen: &BTreeSet<&String>| -> Vec<String> {
        let back = |other: &&&String| all.get(**other).is_some_and(|it| it.contains(file));
        seen.iter().filter(back).map(|it| (*it).clone()).collect()
    };
    let circles: BTreeSet<Vec<String>> =
        all.iter().map(|(file, seen)| circle(file, seen)).collect();
    circles.into_iter().filter(|it| it.len() > 1).collect()
}

/// The module path of a file: `a/b/mod.rs` and `a/b.rs` are `a::b`; that of the crate's root is empty.
fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "lib" | "main" | "mod" => Vec::new(),
        _ => path.split('/').map(str::to_owned).collect(),
    }
}

fn lies_in(file: &str, room: &str) -> bool {
    file.strip_prefix(room)
        .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

fn room_of<'a>(file: &str, table: &[Row<'a>]) -> Option<&'a str> {
    let rooms = table.iter().map(|(room, _)| *room);
    rooms
        .filter(|room| lies_in(file, room))
        .max_by_key(|room| room.len())
}

/// Reads one file.
struct Reader<'a> {
    files: &'a BTreeMap<Vec<String>, String>,
    /// Paths from the root of the crate.
    paths: Vec<Vec<String>>,
    /// Modules that exist only in tests.
    tests: Vec<Vec<String>>,
}

impl Reader<'_> {
    fn read(&mut self, tokens: TokenStream, module: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut rest = &tokens[..];
        while !rest.is_empty() {
            rest = self.step(rest, module);
        }
    }

    /// Reads the item at the first token. Returns the tokens after it.
    fn step<'t>(&mut self, tokens: &'t [TokenTree], module: &[String]) -> &'t [TokenTree] {
        if let Some((attribute, after)) = attribute(tokens) {
            return match is_test(attribute) {
                true => self.skip(after, module),
                false => after,
            };
        }
        if let Some(after) = colons(tokens) {
            // From another crate.
            return names(after).1;
        }
        match tokens {
            [TokenTree::Group(group), after @ ..] => {
                self.read(group.stream(), module);
                after
            }
            [TokenTree::Ident(word), TokenTree::Group(scope), after @ ..]
                if word == "pub" && is_scope(&scope.stream()) =>
            {
                after
            }
            [
                TokenTree::Ident(word),
                TokenTree::Ident(name),
                TokenTree::Group(group),
                after @ ..,
            ] if word == "mod" => {
                self.read(group.stream(), &join(module, &[name.to_string()]));
                after
            }
            // `use<'a>` in a type captures lifetimes.
            [TokenTree::Ident(word), after @ ..] if word == "use" && !is_sign(after, '<') => {
                match colons(after) {
                    Some(_) => after,
                    None => self.tree(after, module, &[]),
                }
            }
            [TokenTree::Ident(_), ..] => {
                let (path, after) = names(tokens);
                if path.len() > 1 {
                    self.note(module, &path);
                }
                after
            }
            _ => &tokens[1..],
        }
    }

    /// Reads a `use` tree after `prefix`. Returns the tokens after it.
    fn tree<'t>(
        &mut self,
        tokens: &'t [TokenTree],
        module: &[String],
        prefix: &[String],
    ) -> &'t [TokenTree] {
        let (names, after) = names(tokens);
        let mut path = join(prefix, &names);
        if let [TokenTree::Group(group), after @ ..] = after {
            let inside: Vec<TokenTree> = group.stream().into_iter().collect();
            let is_comma = |token: &TokenTree| is_sign(from_ref(token), ',');
            for branch in inside.split(is_comma).filter(|it| !it.is_empty()) {
                self.tree(branch, module, &path);
            }
            return after;
        }
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        self.note(module, &path);
        after
    }

    /// Records a path used in a module, if it refers to this crate.
    fn note(&mut self, module: &[String], path: &[String]) {
        let (mut from, mut rest) = match path.first().map(String::as_str) {
            None => return,
            Some("crate") => (&[][..], &path[1..]),
            Some("self") => (module, &path[1..]),
            Some("super") => (module, path),
            Some(_) if self.files.contains_key(&join(module, &path[..1])) => (module, path),
            Some(_) => return,
        };
        while rest.first().is_some_and(|name| name == "super") {
            from = from.split_last().map_or(from, |(_, outer)| outer);
            rest = &rest[1..];
        }
        self.paths.push(join(from, rest));
    }

    /// Skips an item that exists only in tests, up to a block, a semicolon or a comma. Returns the tokens
    /// after it.
    fn skip<'t>(&mut self, mut tokens: &'t [TokenTree], module: &[String]) -> &'t [TokenTree] {
        loop {
            if let Some((_, after)) = attribute(tokens) {
                tokens = after;
                continue;
            }
            if let [TokenTree::Ident(word), TokenTree::Ident(name), ..] = tokens
                && word == "mod"
            {
                self.tests.push(join(module, &[name.to_string()]));
            }
            let Some((first, after)) = tokens.split_first() else {
                return tokens;
            };
            let ends = match first {
                TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                TokenTree::Punct(sign) => matches!(sign.as_char(), ';' | ','),
                _ => false,
            };
            if ends {
                return after;
            }
            tokens = after;
        }
    }
}

/// Whether these are the tokens in the parentheses of `pub(crate)`, `pub(in crate::room)` and so on.
fn is_scope(tokens: &TokenStream) -> bool {
    let first = tokens.clone().into_iter().next();
    matches!(first, Some(TokenTree::Ident(word))
        if ["crate", "super", "self", "in"].iter().any(|it| word == it))
}

fn join(path: &[String], more: &[String]) -> Vec<String> {
    [path, more].concat()
}

fn is_sign(tokens: &[TokenTree], sign: char) -> bool {
    matches!(tokens.first(), Some(TokenTree::Punct(found)) if found.as_char() == sign)
}

/// The tokens after `::`.
fn colons(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    let both = is_sign(tokens, ':') && is_sign(&tokens[1..], ':');
    both.then(|| &tokens[2..])
}

/// Names separated by `::`, and the tokens after them.
fn names(mut tokens: &[TokenTree]) -> (Vec<String>, &[TokenTree]) {
    let mut path = Vec::new();
    while let [TokenTree::Ident(name), after @ ..] = tokens {
        path.push(name.to_string());
        match colons(after) {
            Some(behind) => tokens = behind,
            None => return (path, after),
        }
    }
    (path, tokens)
}

/// The attribute at the start of the tokens, without its brackets, and the tokens after it.
fn attribute(tokens: &[TokenTree]) -> Option<(TokenStream, &[TokenTree])> {
    let after = is_sign(tokens, '#').then(|| &tokens[1..])?;
    match after {
        [TokenTree::Group(group), after @ ..] if group.delimiter() == Delimiter::Bracket => {
            Some((group.stream(), after))
        }
        _ => None,
    }
}

/// Whether an attribute is `cfg(test)`, or a `cfg` that is true only in tests.
fn is_test(attribute: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = attribute.into_iter().collect();
    matches!(&tokens[..], [TokenTree::Ident(word), TokenTree::Group(group)]
        if word == "cfg" && needs_test(&group.stream().into_iter().collect::<Vec<_>>()))
}

/// Whether a predicate of `cfg` is true only in tests.
fn needs_test(predicate: &[TokenTree]) -> bool {
    match predicate {
        [TokenTree::Ident(word)] => word == "test",
        [TokenTree::Ident(word), TokenTree::Group(group)] if word == "all" || word == "any" => {
            let inside: Vec<TokenTree> = group.stream().into_iter().collect();
            let mut parts = inside
                .split(|token| is_sign(from_ref(token), ','))
                .filter(|part| !part.is_empty());
            match word == "all" {
                true => parts.any(needs_test),
                false => !inside.is_empty() && parts.all(needs_test),
            }
        }
        _ => false,
    }
}
