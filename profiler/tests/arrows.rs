//! The house as `docs/ARCHITECTURE.md` draws it: which room imports which, read from the sources.

#[path = "../../interp/tests/common/arrows.rs"]
#[allow(
    dead_code,
    reason = "shared with the tests of interp, which use all of it"
)]
mod arrows;

use arrows::{Row, Source, forbidden, unused};
use std::path::Path;

/// The rooms from top to bottom, and what each may import.
const ROOMS: &[Row] = &[
    ("main", &["cli", "cmd", "instruments", "interrupt"]),
    // Tests only, which are not read here.
    ("misery", &[]),
    // Its attributes name hidden verbs of `measure` and `builds`; attributes are not read here.
    ("cli", &["cmd"]),
    (
        "cmd",
        &[
            "builds",
            "profile",
            "measure",
            "machine",
            "engines",
            "instruments",
            "symbols",
            "cases",
            "interrupt",
        ],
    ),
    (
        "builds",
        &[
            "profile",
            "measure",
            "machine",
            "engines",
            "instruments",
            "symbols",
            "cases",
            "interrupt",
        ],
    ),
    (
        "profile",
        &["measure", "engines", "instruments", "symbols", "cases"],
    ),
    ("measure", &["machine", "engines", "instruments", "cases"]),
    ("machine", &["instruments", "interrupt"]),
    ("engines", &["instruments", "cases"]),
    ("instruments", &["symbols", "interrupt"]),
    ("symbols", &[]),
    ("cases", &[]),
    ("interrupt", &[]),
];

fn sources() -> Vec<Source> {
    arrows::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

#[test]
fn rooms_import_only_what_the_table_allows() {
    let faults = forbidden(&sources(), ROOMS);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let unused = unused(&sources(), ROOMS);
    assert!(unused.is_empty(), "{}", unused.join("\n"));
}

#[test]
fn a_forbidden_import_is_found_wherever_it_stands() {
    for planted in [
        "use crate::cmd::output;",
        "use crate::{cases, cmd::{output, args}};",
        "fn f() { crate::cmd::output::complain(\"\"); }",
        "macro_rules! m { () => { $crate::cmd::output::columns() }; }",
    ] {
        let mut sources = sources();
        let file = sources
            .iter_mut()
            .find(|(file, _)| file == "measure/time.rs");
        let (_, text) = file.expect("the file is there");
        *text = format!("{text}\n{planted}\n");
        let faults = forbidden(&sources, ROOMS);
        assert!(
            faults
                .iter()
                .any(|it| it.contains("measure may not import cmd")),
            "{planted}: {faults:?}"
        );
    }
}

/// The table in the documentation is the table here.
#[test]
fn the_documentation_has_every_room() {
    let text = include_str!("../../docs/ARCHITECTURE.md");
    for (room, _) in ROOMS {
        let row = ["", ".rs", "/"].map(|end| format!("| `{room}{end}` |"));
        assert!(row.iter().any(|row| text.contains(row)), "{room}");
    }
}
