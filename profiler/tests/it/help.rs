//! Help, lists, and what a terminal sees.

use crate::support::{command, evmscope, on_terminal};

#[test]
fn help_fits_80_columns_and_says_what_is_what() {
    let verbs = [
        "",
        "list",
        "run",
        "bench",
        "profile",
        "annotate",
        "flamegraph",
        "opcodes",
        "export",
        "size",
        "statetest",
        "shadow",
        "merge",
        "history",
        "schema",
        "doctor",
        "completions",
        "man",
        "assemble",
        "disassemble",
    ];
    let pages = verbs.map(|verb| {
        let arguments = [verb, "--help"];
        let arguments = &arguments[usize::from(verb.is_empty())..];
        let page = evmscope(arguments).ok();
        assert!(
            page.lines().all(|line| line.chars().count() <= 80),
            "{page}"
        );
        format!("$ evmscope {}\n{page}", arguments.join(" "))
    });
    insta::assert_snapshot!(pages.join("\n"));
}

#[test]
fn without_arguments_comes_the_help() {
    let ran = evmscope(&[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("Usage: evmscope"), "{}", ran.stderr);
}

#[test]
fn list_shows_every_case_on_its_line() {
    insta::assert_snapshot!(evmscope(&["list"]).ok());
}

#[test]
fn list_as_json_holds_the_same_and_more() {
    let listed: serde_json::Value =
        serde_json::from_str(&evmscope(&["list", "--format", "json"]).ok()).unwrap();
    let listed = listed.as_array().unwrap();
    let text = evmscope(&["list"]).ok();
    let names: Vec<_> = listed
        .iter()
        .map(|case| case["name"].as_str().unwrap())
        .collect();
    let first_words: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(names, first_words);
    insta::assert_snapshot!(serde_json::to_string_pretty(&listed[0]).unwrap());
}

#[test]
fn a_terminal_gets_no_line_that_is_wider() {
    for arguments in [
        &["list"][..],
        &["doctor"],
        &["bench", "--quick", "empty", "--pairs", "1"],
    ] {
        let shown = on_terminal(command(arguments).env("NO_COLOR", "1"));
        assert!(shown.lines().count() > 5, "{shown}");
        assert!(
            shown.lines().all(|line| line.chars().count() <= 80),
            "{shown}"
        );
    }
}

#[test]
fn colour_is_for_terminals_and_for_who_asks() {
    let bench = ["bench", "--quick", "empty", "--pairs", "1"];
    let with = |more: &[&'static str]| [&bench[..], more].concat();
    let colored = |text: &str| text.contains("\u{1b}[");
    assert!(!colored(&evmscope(&bench).ok()));
    assert!(!colored(&evmscope(&with(&["--color", "never"])).ok()));
    assert!(colored(&evmscope(&with(&["--color", "always"])).ok()));

    assert!(colored(&on_terminal(&mut command(&bench))));
    assert!(colored(&on_terminal(command(&bench).env("NO_COLOR", ""))));
    assert!(!colored(&on_terminal(command(&bench).env("NO_COLOR", "1"))));
    assert!(!colored(&on_terminal(&mut command(&with(&[
        "--color", "never"
    ])))));
    let asked = with(&["--color", "always"]);
    assert!(colored(&on_terminal(command(&asked).env("NO_COLOR", "1"))));
}

#[test]
fn doctor_always_has_something_to_say() {
    let text = evmscope(&["doctor"]).ok();
    for subject in [
        "CPU",
        "thread CPU clock",
        "software counters",
        "sampling",
        "valgrind",
    ] {
        assert!(
            text.contains(&format!("  {subject}  ")),
            "{subject}: {text}"
        );
    }
    assert!(
        text.lines()
            .all(|line| line.starts_with("ok ") || line.starts_with("missing ")),
        "{text}"
    );
}
