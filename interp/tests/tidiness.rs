//! What must hold of the sources themselves: `unsafe` stands in the files that
//! `docs/ARCHITECTURE.md` names (invariant 7), each of which opts in, and nowhere else.

use std::fs;
use std::path::{Path, PathBuf};

const UNSAFE: [&str; 10] = [
    "advanced/run/bodies.rs",
    "advanced/run/exits.rs",
    "advanced/run/handlers.rs",
    "advanced/run/mod.rs",
    "advanced/run/operands.rs",
    "keccak.rs",
    "memory.rs",
    "stack.rs",
    "traditional.rs",
    "word/division.rs",
];

#[test]
fn unsafe_code_stays_in_the_named_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let library = fs::read_to_string(root.join("lib.rs")).unwrap();
    assert!(library.contains("\n#![deny(unsafe_code)]\n"));

    let files = sources(&root);
    let with = |sign: &str| -> Vec<String> {
        let has = |file: &&PathBuf| fs::read_to_string(file).unwrap().contains(sign);
        let name = |file: &PathBuf| file.strip_prefix(&root).unwrap().display().to_string();
        files.iter().filter(has).map(name).collect()
    };
    assert_eq!(with("allow(unsafe_code)"), UNSAFE);
    assert_eq!(
        with("\n//! Unsafe: "),
        UNSAFE,
        "what it is for stands at the top"
    );
    for keyword in [
        "unsafe {",
        "unsafe fn",
        "unsafe impl",
        "unsafe trait",
        "unsafe extern",
    ] {
        let found = with(keyword);
        assert!(
            found.iter().all(|file| UNSAFE.contains(&file.as_str())),
            "{found:?}"
        );
    }
}

/// The Rust files of a folder and those below it, in order.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    let below = |path: PathBuf| {
        if path.is_dir() {
            sources(&path)
        } else {
            vec![path]
        }
    };
    entries
        .into_iter()
        .flat_map(below)
        .filter(|path| path.extension().is_some_and(|it| it == "rs"))
        .collect()
}
