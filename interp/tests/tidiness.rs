//! Checks of the sources. `unsafe` is used only in the files that `docs/ARCHITECTURE.md` names (invariant 7),
//! each of which opts in. Rooms import only what the table here allows, and no two files import each other.

#[path = "common/arrows.rs"]
mod arrows;

use arrows::{Row, Source, circles, forbidden, unused};
use std::path::Path;

/// The sources of this crate.
fn sources() -> Vec<Source> {
    arrows::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

const UNSAFE: [&str; 12] = [
    "advanced/run/bodies.rs",
    "advanced/run/exits.rs",
    "advanced/run/handlers.rs",
    "advanced/run/mod.rs",
    "advanced/run/operands.rs",
    "driver.rs",
    "frame.rs",
    "keccak.rs",
    "memory.rs",
    "stack.rs",
    "traditional.rs",
    "word/division.rs",
];

#[test]
fn unsafe_code_stays_in_the_named_files() {
    let sources = sources();
    let with = |sign: &str| -> Vec<&str> {
        let has = sources.iter().filter(|(_, text)| text.contains(sign));
        has.map(|(file, _)| file.as_str()).collect()
    };
    assert_eq!(with("\n#![deny(unsafe_code)]\n"), ["lib.rs"]);
    assert_eq!(with("allow(unsafe_code)"), UNSAFE);
    assert_eq!(
        with("\n//! Unsafe: "),
        UNSAFE,
        "each file explains its unsafe code at the top"
    );
    for keyword in [
        "unsafe {",
        "unsafe fn",
        "unsafe impl",
        "unsafe trait",
        "unsafe extern",
    ] {
        let found = with(keyword);
        assert!(found.iter().all(|file| UNSAFE.contains(file)), "{found:?}");
    }
}

/// The rooms of this crate from top to bottom, and the rooms that each may import.
const ROOMS: &[Row] = &[
    (
        "lib",
        &[
            "shadow",
            "interpreter",
            "driver",
            "advanced",
            "settings",
            "technique",
            "slot_ir",
            "trace",
            "host",
            "code",
            "keccak",
            "message",
            "opcode",
            "fork",
            "outcome",
            "word",
        ],
    ),
    (
        "telemetry",
        &["shadow", "interpreter", "settings", "outcome"],
    ),
    (
        "statetest",
        &[
            "world",
            "interpreter",
            "driver",
            "settings",
            "host",
            "keccak",
            "fork",
            "word",
        ],
    ),
    (
        "shadow",
        &[
            "interpreter",
            "driver",
            "host",
            "code",
            "message",
            "fork",
            "outcome",
            "word",
        ],
    ),
    (
        "world",
        &[
            "driver", "host", "code", "keccak", "message", "gas", "fork", "outcome", "word",
        ],
    ),
    (
        "interpreter",
        &[
            "driver", "advanced", "frame", "slot_ir", "settings", "trace", "host", "code",
            "keccak", "message", "stack", "memory", "gas", "fork", "outcome",
        ],
    ),
    (
        "driver",
        &[
            "advanced",
            "traditional",
            "frame",
            "trace",
            "host",
            "code",
            "keccak",
            "message",
            "memory",
            "gas",
            "fork",
            "outcome",
            "word",
        ],
    ),
    (
        "advanced",
        &[
            "advanced/translate",
            "advanced/run",
            "traditional",
            "frame",
            "slot_ir",
            "settings",
            "technique",
            "trace",
            "code",
            "fork",
            "outcome",
        ],
    ),
    (
        "advanced/translate",
        &[
            "ops",
            "slot_ir",
            "technique",
            "code",
            "stack",
            "opcode",
            "fork",
            "word",
        ],
    ),
    (
        "advanced/run",
        &[
            "ops", "frame", "slot_ir", "dispatch", "stack", "gas", "opcode", "outcome", "word",
        ],
    ),
    (
        "traditional",
        &[
            "ops", "frame", "dispatch", "trace", "code", "stack", "gas", "opcode", "fork",
            "outcome", "word",
        ],
    ),
    (
        "ops",
        &[
            "dispatch", "frame", "host", "keccak", "message", "gas", "fork", "outcome", "word",
        ],
    ),
    (
        "frame",
        &[
            "slot_ir", "host", "code", "keccak", "message", "stack", "memory", "gas", "fork",
            "outcome", "word",
        ],
    ),
    (
        "slot_ir",
        &["technique", "code", "opcode", "outcome", "word"],
    ),
    ("settings", &["technique"]),
    ("technique", &[]),
    ("dispatch", &["opcode", "word"]),
    ("trace", &["gas", "opcode", "outcome", "word"]),
    ("host", &["code", "fork", "outcome", "word"]),
    ("code", &["keccak", "opcode"]),
    ("keccak", &["word"]),
    ("message", &["word"]),
    ("stack", &["gas", "word"]),
    ("memory", &["gas", "outcome", "word"]),
    ("gas", &["opcode", "fork", "outcome"]),
    ("asm", &["opcode", "word"]),
    ("opcode", &["fork"]),
    ("fork", &[]),
    ("outcome", &[]),
    ("word", &[]),
];

#[test]
fn rooms_import_what_the_table_allows() {
    let sources = sources();
    let none = Vec::<String>::new();
    assert_eq!(forbidden(&sources, ROOMS), none);
    assert_eq!(
        unused(&sources, ROOMS),
        none,
        "the table allows imports that do not exist"
    );
    assert_eq!(circles(&sources), Vec::<Vec<String>>::new());
}

/// The sources of this crate, with `text` appended to one of them.
fn planted(file: &str, text: &str) -> Vec<Source> {
    let mut sources = sources();
    let (_, source) = sources.iter_mut().find(|(name, _)| name == file).unwrap();
    source.push_str(text);
    sources
}

#[test]
fn a_planted_import_is_found_in_any_form() {
    for (file, text, fault) in [
        (
            "frame.rs",
            "use crate::advanced::Cache;",
            "frame.rs imports advanced::Cache: frame may not import advanced",
        ),
        (
            "slot_ir/program.rs",
            "use {\n    std::fmt,\n    super::{\n        super::{word::Word, driver::{\n            self,\n        }},\n    },\n};",
            "slot_ir/program.rs imports driver: slot_ir may not import driver",
        ),
        (
            "ops/call.rs",
            "fn f() -> bool { 1 < crate::world::transaction::g::<u8>() }",
            "ops/call.rs imports world::transaction::g: ops may not import world",
        ),
        (
            "traditional.rs",
            "mod m { use super::super::*; macro_rules! m { ($x:ident) => { $crate::driver::$x } } }",
            "traditional.rs imports driver: traditional may not import driver",
        ),
        (
            "word.rs",
            "pub(crate) use crate::Mode as Other;",
            "word.rs imports Mode: word may not import lib",
        ),
        (
            "settings.rs",
            "#[cfg(any(test, feature = \"metrics\"))] use crate::interpreter::Interpreter;",
            "settings.rs imports interpreter::Interpreter: settings may not import interpreter",
        ),
    ] {
        let found = forbidden(&planted(file, text), ROOMS);
        assert!(found.iter().any(|it| it == fault), "{fault}: {found:?}");
    }
}

#[test]
fn other_uses_are_not_imports() {
    for text in [
        "#[cfg(test)]\nmod more { use crate::advanced::Cache; }",
        "#[cfg(all(test, unix))] use crate::advanced::Cache;",
        "fn f() { #[cfg(test)] crate::advanced::g(1, [2]); }",
        "// use crate::advanced::Cache;\nconst TEXT: &str = \"crate::advanced::Cache\";",
        "use ::world::World; fn f() { ::world::g() }",
        "use self::g; fn g<'a>(x: &'a u8) -> impl Sized + use<'a> { x }",
        "struct S(pub(in crate::frame) u8);",
    ] {
        assert_eq!(
            forbidden(&planted("frame.rs", text), ROOMS),
            Vec::<String>::new(),
            "{text}"
        );
    }
}

#[test]
fn cycles_and_rooms_without_a_row_are_found() {
    let circle = circles(&planted("fork.rs", "use crate::opcode::Opcode;"));
    assert_eq!(circle, [["fork.rs", "opcode.rs"]]);
    let inside = circles(&planted(
        "ops/log.rs",
        "use super::call::call; mod m { use super::super::storage; }",
    ));
    assert_eq!(inside, Vec::<Vec<String>>::new());

    let mut sources = sources();
    sources.push(("attic.rs".to_owned(), String::new()));
    assert_eq!(forbidden(&sources, ROOMS), ["attic.rs is in no room"]);
    let table = [
        ("attic", &["cellar"][..]),
        ("cellar", &["attic"]),
        ("hall", &[]),
    ];
    let sources = [
        ("attic/mod.rs", "use crate::cellar::Wine;"),
        ("cellar.rs", ""),
    ]
    .map(|(file, text)| (file.to_owned(), text.to_owned()));
    assert_eq!(
        forbidden(&sources, &table),
        [
            "cellar may import attic, which is not below it",
            "hall has a row and no file"
        ]
    );
    assert_eq!(unused(&sources, &table), ["cellar does not import attic"]);
}
