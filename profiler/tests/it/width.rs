//! Tables keep to the width of the terminal: 60 columns, and narrower ones.

use crate::support::{Folder, bench_empty, command, on_terminal_of};
use console::measure_text_width;
use std::path::Path;

/// The lines of a verb on a terminal. Lists of files that were written are no tables, and paths do not wrap.
fn lines(folder: &Folder, columns: u16, arguments: &[&str]) -> Vec<String> {
    let mut command = command(arguments);
    let (text, _) = on_terminal_of(columns, command.current_dir(folder.path("")));
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    assert!(lines.len() > 2, "{arguments:?}: {text}");
    lines
}

#[test]
fn every_table_fits_60_columns_and_40() {
    let folder = Folder::new();
    bench_empty(&folder, "2");
    folder.write("loop.runtime.hex", "60035b600190038060025700");
    folder.write("t.json", r#"{"a": {"transaction": 1}, "b": {"post": {}}}"#);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let at = |path: &str| root.join(path).to_str().unwrap().to_owned();
    let [recording, targets, cases] = [
        "tests/fixtures/perf.data",
        "../reports/targets.toml",
        "../cases",
    ]
    .map(at);
    let own = env!("CARGO_BIN_EXE_evmscope");
    for columns in [60, 40] {
        for arguments in [
            &["list", "--case-dir", &cases][..],
            &["doctor"],
            &["opcodes", "loop", "--case-dir", "loop.runtime.hex"],
            &["opcodes", "opcodes", "--case-dir", &cases],
            &[
                "flamegraph",
                "ten-thousand-hashes",
                "--case-dir",
                &cases,
                "--out",
                "f.svg",
            ],
            &["size"],
            &["size", own, own],
            &["merge", "run.json"],
            &["history", "run.json"],
            &["diff", "run.json", "run.json"],
            &[
                "check",
                "run.json",
                "--targets",
                &targets,
                "--baseline",
                "none.json",
            ],
            &["profile", "--perf-data", &recording, "--out", "out"],
            &["statetest", "t.json"],
            &[
                "bench",
                "--quick",
                "empty",
                "--pairs",
                "1",
                "--case-dir",
                &cases,
            ],
            &["pgo", "info"],
            &[
                "annotate",
                "ten-thousand-hashes",
                "ADD",
                "--case-dir",
                &cases,
                "--sample-ms",
                "50",
            ],
        ] {
            // Where the kernel refuses perf_event_open there is nothing to annotate, as the error says.
            let is_optional = arguments[0] == "annotate";
            if is_optional && !cfg!(target_arch = "x86_64") {
                continue;
            }
            let lines = match is_optional {
                true => on_terminal_of(columns, command(arguments).current_dir(folder.path("")))
                    .0
                    .lines()
                    .map(str::to_owned)
                    .collect(),
                false => lines(&folder, columns, arguments),
            };
            for line in lines {
                let width = measure_text_width(&line);
                assert!(
                    width <= usize::from(columns),
                    "{arguments:?} at {columns}: {width}: {line}"
                );
            }
        }
    }
}
