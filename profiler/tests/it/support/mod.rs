//! Runs the built binary as people do, and keeps what it said. What it should have said is each test's own.

pub mod family;
pub mod tools;

use evmscope_reports::Run;
use evmscope_reports::render::json;
use nix::pty::{Winsize, openpty};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How a run of the binary ended.
#[derive(Debug)]
pub struct Ran {
    /// Exit code.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// What it printed, if it succeeded in silence otherwise.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(
            (self.code, self.stderr.as_str()),
            (0, ""),
            "{}",
            self.stdout
        );
        self.stdout
    }
}

/// The command, where neither the tester's terminal nor environment is seen.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evmscope"));
    command
        .args(arguments)
        .env_remove("NO_COLOR")
        .env("COLUMNS", "80")
        .stdin(Stdio::null());
    command
}

/// Runs it with pipes.
pub fn evmscope(arguments: &[&str]) -> Ran {
    ran(&mut command(arguments))
}

/// Runs a command with pipes.
pub fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran {
        code: output.status.code().expect("no signal ends it"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// Runs it with standard output on a terminal of 80 columns; returns what stands there.
pub fn on_terminal(command: &mut Command) -> String {
    let (text, succeeded) = on_terminal_of(80, command);
    assert!(succeeded, "{text}");
    text
}

/// The same on a terminal of some other width, and whether it succeeded.
pub fn on_terminal_of(columns: u16, command: &mut Command) -> (String, bool) {
    let size = Winsize {
        ws_row: 25,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let pty = openpty(&size, None).unwrap();
    let mut child = command
        .stdout(pty.slave)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The command holds the terminal's other end, and reading ends only when nobody does.
    command.stdout(Stdio::null());
    let mut text = Vec::new();
    let mut terminal = File::from(pty.master);
    let mut chunk = [0; 4096];
    // The end of a terminal is an error (EIO).
    while let Ok(n @ 1..) = terminal.read(&mut chunk) {
        text.extend_from_slice(&chunk[..n]);
    }
    let succeeded = child.wait().unwrap().success();
    let text = String::from_utf8(text).unwrap().replace("\r\n", "\n");
    (text, succeeded)
}

/// Returns one word and costs 16 gas: PUSH1 1, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN.
pub const ONE: &str = "60015f5260205ff3";
/// keccak256 of that word.
pub const HASH_OF_ONE: &str = "0xb10e2d527612073b26eecdfd717e6a320cf44b4afac2b0732d9fcbe2b7fa0cf6";

/// A folder for one test, with cases in it.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The path as an argument.
    pub fn arg(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// The case `one` in this project's layout, its `case.toml` changed by `edit`.
    pub fn case(self, edit: impl FnOnce(String) -> String) -> Folder {
        let toml = format!(
            "description = \"one word\"\nfork = \"osaka\"\ngas_limit = 1_000\ncalldata = \"\"\n\
             source = \"one.asm\"\n\n[expected]\nstatus = \"success\"\ngas_used = 16\n\
             output_hash = \"{HASH_OF_ONE}\"\n"
        );
        self.write("one/case.toml", &edit(toml));
        self.write("one/code.hex", ONE);
        self
    }

    /// Text with this folder's name taken out, which differs from run to run.
    pub fn anonymous(&self, text: &str) -> String {
        text.replace(self.0.path().to_str().unwrap(), "DIR")
    }

    /// Files below a folder, whatever their names.
    pub fn files(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(name)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// Published builds for comparison, which may lie beside the repository.
pub fn official_cases() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases-official");
    folder.is_dir().then_some(folder)
}

/// Times the case `empty` in this process; returns the path of the run.
pub fn bench_empty(folder: &Folder, pairs: &str) -> String {
    let json = folder.arg("run.json");
    let bench = ["bench", "--quick", "empty", "--pairs", pairs];
    evmscope(&[&bench[..], &["--export-json", &json]].concat()).ok();
    json
}

/// A change of a `case.toml`.
pub type Edit = fn(String) -> String;

pub const THREE: &str = "traditional,advanced,revm";

pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn read_run(path: &Path) -> Run {
    json::read(&read(path)).unwrap()
}

/// The one line, and the usage where the command line itself is wrong.
#[track_caller]
pub fn refusal(arguments: &[&str]) -> String {
    let ran = evmscope(arguments);
    assert!(matches!(ran.code, 1 | 2), "{ran:?}");
    assert_eq!(ran.stdout, "", "{arguments:?}");
    assert!(ran.stderr.starts_with("error: "), "{ran:?}");
    assert_eq!(ran.stderr.matches("error: ").count(), 1, "{ran:?}");
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    match ran.code {
        1 => assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}"),
        _ => assert!(ran.stderr.contains("\nUsage: evmscope "), "{ran:?}"),
    }
    format!(
        "$ evmscope {}\n{}[exit {}]\n",
        arguments.join(" "),
        ran.stderr,
        ran.code
    )
}
