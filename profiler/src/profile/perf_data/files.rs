//! The files that were mapped while recording, as they are now: the same build, or a copy of it that `perf` kept.
//!
//! Decides which file may be read for a recorded path, so that no name comes from another build.

use crate::profile::unwind::Tables;
use crate::symbols::debug_files;
use object::Object;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Files by recorded path. Each is looked at once.
#[derive(Default)]
pub(super) struct Files {
    build_ids: BTreeMap<String, Vec<u8>>,
    found: BTreeMap<String, Option<PathBuf>>,
    tables: BTreeMap<PathBuf, Option<Tables>>,
}

/// Why names of a file are missing or doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NameProblem {
    Unreadable,
    Rebuilt,
    NoBuildId,
    Stripped,
}

impl NameProblem {
    pub(super) fn clause(self) -> &'static str {
        match self {
            NameProblem::Unreadable => "unreadable on this machine",
            NameProblem::Rebuilt => "not the build that was recorded, so not read",
            NameProblem::NoBuildId => "no build id, so it may not be the build that was recorded",
            NameProblem::Stripped => "no symbol table, so only exported names",
        }
    }
}

/// Whether a path of a mapping is that of a file: `[vdso]`, `//anon` and `/memfd:name` are not.
pub(super) fn is_file(path: &str) -> bool {
    path.starts_with('/')
        && !["//", "/memfd:", "/dev/", "/SYSV"]
            .iter()
            .any(|it| path.starts_with(it))
}

impl Files {
    pub(super) fn add_build_id(&mut self, path: String, id: Vec<u8>) {
        self.build_ids.insert(path, id);
    }

    /// The file to read for a recorded path.
    pub(super) fn file(&mut self, path: &str) -> Option<PathBuf> {
        if !is_file(path) {
            return None;
        }
        if let Some(found) = self.found.get(path) {
            return found.clone();
        }
        let recorded = self.build_ids.get(path);
        let found = find(Path::new(path), recorded.map(Vec::as_slice));
        self.found.insert(path.to_owned(), found.clone());
        found
    }

    /// The unwind tables of a file.
    pub(super) fn tables(&mut self, file: &Path) -> Option<&Tables> {
        let tables = self.tables.entry(file.to_path_buf());
        tables.or_insert_with(|| Tables::of(file)).as_ref()
    }

    /// What is wrong with the names of a recorded path.
    pub(super) fn problems(&self, path: &str) -> Vec<NameProblem> {
        let recorded = self.build_ids.get(path);
        let Some(file) = find(Path::new(path), recorded.map(Vec::as_slice)) else {
            let readable = debug_files::read(Path::new(path))
                .is_ok_and(|it| object::File::parse(&*it).is_ok());
            return vec![match readable {
                true => NameProblem::Rebuilt,
                false => NameProblem::Unreadable,
            }];
        };
        let checked = recorded.is_some() && debug_files::build_id(&file).is_some();
        let build = (!checked).then_some(NameProblem::NoBuildId);
        let stripped =
            (!has_symbols(&debug_files::with_symbols(&file))).then_some(NameProblem::Stripped);
        build.into_iter().chain(stripped).collect()
    }
}

/// The file itself if it is the recorded build or does not say, or else a copy of that build.
fn find(path: &Path, recorded: Option<&[u8]>) -> Option<PathBuf> {
    let bytes = debug_files::read(path).unwrap_or_default();
    let own = object::File::parse(&*bytes).ok();
    let same = own.map(|file| match (recorded, file.build_id().ok().flatten()) {
        (Some(recorded), Some(own)) => debug_files::same_build(recorded, own),
        _ => true,
    });
    match same {
        Some(true) => Some(path.to_path_buf()),
        _ => debug_files::of_build(recorded?),
    }
}

fn has_symbols(path: &Path) -> bool {
    let bytes = debug_files::read(path).unwrap_or_default();
    let file = object::File::parse(&*bytes);
    file.is_ok_and(|file| file.symbols().next().is_some())
}
