//! Where results go: files, links, devices, pipes and standard output.

use crate::support::{Folder, Ran, bench_empty, command, evmscope, ran, read, read_run, refusal};
use evmscope_reports::Run;
use evmscope_reports::render::json;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, symlink};
use std::thread;

/// A folder with a run, and how to export that run.
struct Exporter {
    folder: Folder,
    json: String,
    merged: Run,
}

impl Exporter {
    fn new() -> Exporter {
        let folder = Folder::new();
        let json = bench_empty(&folder, "1");
        evmscope(&["merge", &json, "--export-json", &json]).ok();
        let merged = read_run(&folder.path("run.json"));
        Exporter {
            folder,
            json,
            merged,
        }
    }

    /// In the folder, so that a relative name is one in it.
    fn to(&self, file: &str) -> Ran {
        let arguments = ["merge", &self.json, "--export-json", file];
        ran(command(&arguments).current_dir(self.folder.path("")))
    }

    #[track_caller]
    fn expect_run(&self, text: &str) {
        assert!(json::read(text).unwrap() == self.merged, "{text}");
    }
}

/// A line of the table of `merge`.
const TABLE: &str = "keccak memo";

#[test]
fn a_dash_is_standard_output_and_nothing_else_is_printed_there() {
    let exporter = Exporter::new();
    symlink("/dev/stdout", exporter.folder.path("link")).unwrap();
    for name in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"] {
        let ran = exporter.to(name);
        assert_eq!(ran.code, 0, "{ran:?}");
        exporter.expect_run(&ran.stdout);
        assert!(ran.stderr.contains(TABLE), "{ran:?}");
    }
    assert_eq!(exporter.folder.files(""), ["link", "run.json"]);

    // As a shell redirects it.
    let out = exporter.folder.path("out.json");
    let arguments = ["merge", &exporter.json, "--export-json", "/dev/stdout"];
    let ran = ran(command(&["--color", "never"])
        .args(arguments)
        .stdout(File::create(&out).unwrap()));
    assert_eq!(ran.code, 0, "{ran:?}");
    exporter.expect_run(&read(&out));

    let ran = exporter.to("./-");
    assert!(ran.ok().contains(TABLE));
    exporter.expect_run(&read(&exporter.folder.path("-")));
}

#[test]
fn every_verb_with_a_result_on_standard_output_keeps_it_alone() {
    let exporter = Exporter::new();
    let targets = concat!(env!("CARGO_MANIFEST_DIR"), "/../reports/targets.toml");
    let json = exporter.json.as_str();
    for (arguments, starts) in [
        (
            &[
                "bench",
                "--quick",
                "empty",
                "--pairs",
                "1",
                "--export-json",
                "-",
            ][..],
            "{\n  \"schema\"",
        ),
        (&["merge", json, "--export-markdown", "-"], "| case |"),
        (&["history", json, "--export-html", "-"], "<!"),
        (&["export", json, "--to", "github", "--out", "-"], "["),
        (
            &["flamegraph", "ten-thousand-hashes", "--out", "-"],
            "<?xml",
        ),
        (&["run", "empty", "--metrics", "-"], "# HELP"),
        (
            &["run", "--code", "00", "--trace=-", "--mode", "traditional"],
            "{\"pc\"",
        ),
        (
            &["shadow", "empty", "--calls", "1", "--metrics", "-"],
            "# HELP",
        ),
        (
            &[
                "check",
                json,
                "--targets",
                targets,
                "--update",
                "--baseline",
                "-",
            ],
            "{\n  \"schema\"",
        ),
    ] {
        let verb = arguments[0];
        let ran = evmscope(arguments);
        assert!(ran.stdout.starts_with(starts), "{arguments:?}: {ran:?}");
        assert_eq!(ran.stderr.is_empty(), verb == "export", "{ran:?}");
        assert!(!ran.stderr.contains("error"), "{ran:?}");
    }
}

#[test]
fn a_pipe_is_written_to() {
    let exporter = Exporter::new();
    let pipe = exporter.folder.path("pipe");
    mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let reader = thread::spawn({
        let pipe = pipe.clone();
        move || read(&pipe)
    });
    let text = exporter.to("pipe").ok();
    assert!(text.contains(TABLE) && text.ends_with("\npipe\n"), "{text}");
    exporter.expect_run(&reader.join().unwrap());
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());

    // Standard error is one, as is the file of a shell's `>(...)`.
    let ran = exporter.to("/dev/fd/2");
    assert!(ran.stdout.contains(TABLE), "{ran:?}");
    exporter.expect_run(&ran.stderr);
}

#[test]
fn a_device_is_written_to_and_its_error_told() {
    let exporter = Exporter::new();
    // Another name for it, which a mistake would replace instead of the device.
    symlink("/dev/full", exporter.folder.path("full")).unwrap();
    let ran = exporter.to("full");
    assert!(ran.code == 1 && ran.stdout.contains(TABLE), "{ran:?}");
    assert!(
        ran.stderr
            .starts_with("error: cannot write full: No space left"),
        "{ran:?}"
    );
    let link = exporter.folder.path("full");
    assert!(fs::metadata(link).unwrap().file_type().is_char_device());
    assert_eq!(exporter.folder.files(""), ["full", "run.json"]);
    assert_eq!(exporter.to("/dev/null").code, 0);
}

#[test]
fn a_link_stays_and_its_file_is_replaced() {
    let exporter = Exporter::new();
    let file = exporter.folder.write("there/file", "old");
    symlink("there/file", exporter.folder.path("link")).unwrap();
    exporter.to("link").ok();
    exporter.expect_run(&read(&file));
    assert!(exporter.folder.path("link").is_symlink());
    assert_eq!(exporter.folder.files("there"), ["file"]);

    // In a folder of reports too.
    let svg = exporter.folder.path("svg");
    symlink("there/svg", &svg).unwrap();
    evmscope(&[
        "flamegraph",
        "ten-thousand-hashes",
        "--out",
        svg.to_str().unwrap(),
    ])
    .ok();
    assert!(svg.is_symlink() && read(&svg).contains("<svg"));
}

#[test]
fn two_results_in_one_place_are_refused() {
    let folder = Folder::new();
    let file = folder.arg("file");
    for arguments in [
        &[
            "bench",
            "empty",
            "--export-json",
            &file,
            "--export-markdown",
            &file,
        ][..],
        &[
            "bench",
            "empty",
            "--export-json",
            "-",
            "--export-markdown",
            "-",
        ],
        &["run", "empty", "--metrics", "-", "--trace"],
        &[
            "run",
            "empty",
            "--metrics",
            &file,
            &format!("--trace={file}"),
        ],
    ] {
        let line = refusal(arguments);
        assert!(line.contains("cannot write two results to "), "{line}");
    }
    assert!(folder.files("").is_empty());
}

#[test]
fn a_folder_is_made_only_in_one_that_exists() {
    let exporter = Exporter::new();
    let folder = &exporter.folder;
    let (deep, file) = (folder.arg("a/b"), folder.arg("a/b/file"));
    let json = exporter.json.as_str();
    for arguments in [
        &["bench", "empty", "--export-json", &file][..],
        &["merge", json, "--export-markdown", &file],
        &["history", json, "--export-html", &file],
        &["export", json, "--to", "bencher", "--out", &file],
        &["flamegraph", "ten-thousand-hashes", "--out", &file],
        &["run", "empty", "--metrics", &file],
        &["profile", "empty", "--out", &deep],
        &["diff", json, json, "--out", &deep],
        &["man", "--out", &deep],
    ] {
        let line = folder.anonymous(&refusal(arguments));
        let why = "error: cannot write to DIR/a/b: DIR/a does not exist; create it, or name another folder\n";
        assert!(line.contains(why), "{line}");
    }
    assert_eq!(folder.files(""), ["run.json"]);
    evmscope(&["diff", json, json, "--out", &folder.arg("a")]).ok();
    assert_eq!(folder.files("a"), ["diff.json", "diff.md"]);

    for arguments in [&["profile", "empty"][..], &["diff", json, json], &["man"]] {
        let line = refusal(&[arguments, &["--out", "-"]].concat());
        assert!(
            line.contains("several files do not go to standard output"),
            "{line}"
        );
    }
}

#[test]
fn the_default_folder_is_made_whole() {
    let folder = Folder::new().case(|toml| toml);
    fs::create_dir(folder.path("empty")).unwrap();
    let flamegraph = ["flamegraph", "one", "--case-dir", &folder.arg("")];
    ran(command(&flamegraph).current_dir(folder.path("empty"))).ok();
    assert_eq!(folder.files("empty/reports/out/one"), ["flame-evm-gas.svg"]);
}
