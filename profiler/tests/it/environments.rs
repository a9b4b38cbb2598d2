//! Machines that lack something: a full disk, a folder that cannot be written to, no home, no git, a sandbox. Each gets
//! one line that says what is wrong, or everything works without.

use crate::support::family::cases;
use crate::support::{Folder, Ran, command, ran, read};
use nix::libc;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

const OWN: &str = env!("CARGO_BIN_EXE_evmscope");

/// Two launches of the shortest case, which need a place for copies of the binary.
const LAUNCHES: [&str; 6] = ["bench", "empty", "--launches", "2", "--pairs", "1"];

/// No launch, and more samples than a page of JSON holds.
const QUICK: [&str; 5] = ["bench", "empty", "--quick", "--pairs", "30"];

/// What the table of `bench` has.
const TABLE: &str = "keccak memo";

/// Exit code 1 and one line with these words.
#[track_caller]
fn expect_refusal(ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    assert!(ran.stderr.starts_with("error: "), "{ran:?}");
    for word in words {
        assert!(ran.stderr.contains(word), "{word}: {ran:?}");
    }
}

/// The table, and then the refusal.
#[track_caller]
fn expect_table_and_refusal(ran: &Ran, words: &[&str]) {
    assert!(ran.stdout.contains(TABLE), "{ran:?}");
    expect_refusal(ran, words);
}

/// Whether the tester is root, whom permissions do not refuse.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A folder `place`, with a file system in memory of its own that only the command sees.
struct Mounted {
    folder: Folder,
    options: &'static str,
}

impl Mounted {
    /// `None`, with the reason printed, where nothing may be mounted.
    fn with(options: &'static str) -> Option<Mounted> {
        let folder = Folder::new();
        fs::create_dir(folder.path("place")).unwrap();
        let mounted = Mounted { folder, options };
        match mounted.command(Path::new("true"), &[]).output() {
            Ok(output) if output.status.success() => Some(mounted),
            Ok(output) => {
                let why = String::from_utf8_lossy(&output.stderr).into_owned();
                eprintln!("skipped: nothing can be mounted here: {}", why.trim());
                None
            }
            Err(error) => {
                eprintln!("skipped: no unshare here: {error}");
                None
            }
        }
    }

    fn place(&self) -> String {
        self.folder.arg("place")
    }

    /// A program beside which the folder is mounted. What it leaves there is listed in the file `left`.
    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        const SCRIPT: &str = "mount -t tmpfs -o \"$1\" tmpfs \"$2\" || exit 99; place=$2 left=$3; shift 3; \
                              \"$@\"; code=$?; ls -A \"$place\" >\"$left\"; exit $code";
        let mut command = Command::new("unshare");
        let map_root = (!is_root()).then_some("--map-root-user");
        command
            .arg("--mount")
            .args(map_root)
            .args(["sh", "-c", SCRIPT, "sh", self.options])
            .args([self.place(), self.folder.arg("left")])
            .arg(program)
            .args(arguments);
        command
    }

    /// Runs the binary with TMPDIR there, or elsewhere. It leaves nothing there.
    #[track_caller]
    fn run(&self, arguments: &[&str], tmpdir: &str) -> Ran {
        let mut command = self.command(Path::new(OWN), arguments);
        let ran = ran(command.env("TMPDIR", tmpdir));
        assert_eq!(read(&self.folder.path("left")), "", "{ran:?}");
        ran
    }
}

#[test]
fn a_full_device_loses_the_file_and_not_the_table() {
    for export in ["--export-json", "--export-markdown"] {
        let ran = ran(&mut command(&[&QUICK[..], &[export, "/dev/full"]].concat()));
        expect_table_and_refusal(&ran, &["cannot write /dev/full: No space left"]);
    }
    // What can be written is, and is told.
    let folder = Folder::new();
    let markdown = folder.arg("run.md");
    let both = ["--export-json", "/dev/full", "--export-markdown", &markdown];
    let ran = ran(&mut command(&[&QUICK[..], &both].concat()));
    expect_table_and_refusal(&ran, &["/dev/full"]);
    assert!(ran.stdout.ends_with(&format!("\n{markdown}\n")), "{ran:?}");
    assert!(read(&folder.path("run.md")).contains("| empty |"));
}

#[test]
fn a_full_disk_loses_the_file_and_not_the_table() {
    let Some(full) = Mounted::with("size=4k") else {
        return;
    };
    let tmp = Folder::new();
    let file = format!("{}/run.json", full.place());
    let ran = full.run(
        &[&QUICK[..], &["--export-json", &file]].concat(),
        &tmp.arg(""),
    );
    expect_table_and_refusal(&ran, &["cannot write", "run.json", "No space left"]);
}

#[test]
fn a_full_tmpdir_is_named() {
    let Some(full) = Mounted::with("size=64k") else {
        return;
    };
    let place = full.place();
    let ran = full.run(&LAUNCHES, &place);
    expect_refusal(
        &ran,
        &["cannot copy", &place, "No space left", "set TMPDIR"],
    );
}

#[test]
fn a_read_only_folder_is_named_before_anything_is_measured() {
    let Some(read_only) = Mounted::with("ro") else {
        return;
    };
    let place = read_only.place();
    let tmp = Folder::new();
    let file = format!("{place}/run.json");
    for arguments in [&["--export-json", &file][..], &["--export-markdown", &file]] {
        let ran = read_only.run(&[&QUICK[..], arguments].concat(), &tmp.arg(""));
        expect_refusal(&ran, &["cannot write", &file, "Read-only"]);
        assert_eq!(ran.stdout, "");
    }
    let ran = read_only.run(&["profile", "empty", "--out", &place], &tmp.arg(""));
    expect_refusal(&ran, &[&format!("cannot write to {place}"), "Read-only"]);
    let ran = read_only.run(&LAUNCHES, &place);
    expect_refusal(&ran, &["cannot create a folder in", &place, "set TMPDIR"]);
    // One process needs none.
    assert_eq!(read_only.run(&QUICK, &place).code, 0);
}

#[test]
fn a_tmpdir_that_runs_no_programs_is_named() {
    let Some(noexec) = Mounted::with("noexec") else {
        return;
    };
    let place = noexec.place();
    let ran = noexec.run(&LAUNCHES, &place);
    expect_refusal(&ran, &["cannot start", &place, "noexec", "set TMPDIR"]);
}

#[test]
fn tmpdir_may_be_unset_and_must_exist() {
    let unset = ran(command(&LAUNCHES).env_remove("TMPDIR"));
    assert!(unset.ok().contains(TABLE));
    let absent = ran(command(&LAUNCHES).env("TMPDIR", "/no/such/folder"));
    expect_refusal(
        &absent,
        &["cannot create a folder in /no/such/folder", "set TMPDIR"],
    );
}

#[test]
fn neither_home_nor_git_is_needed() {
    let folder = Folder::new();
    fs::create_dir(folder.path("bin")).unwrap();
    let cases = cases();
    for arguments in [
        &["list", "--case-dir", &cases][..],
        &["run", "empty", "--case-dir", &cases],
        &[&QUICK[..], &["--case-dir", &cases]].concat(),
        &["doctor"],
    ] {
        let mut command = command(arguments);
        // No git, and nothing else either; and no checkout around.
        command.env_clear().env("PATH", folder.path("bin"));
        let ran = ran(command.current_dir(folder.path("")));
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(!ran.stdout.is_empty());
    }
    assert_eq!(folder.files(""), ["bin"]);
}

/// The facts of a build in a folder without .git, as from a tarball, and without git.
#[test]
fn a_tarball_builds_without_a_commit() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Folder::new();
    let script = folder.path("build-script");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let compiled = Command::new(&rustc)
        .args(["--edition", "2024", "-o"])
        .arg(&script)
        .arg(package.join("build.rs"))
        .output();
    match compiled {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(error) => return eprintln!("skipped: no compiler here: {error}"),
    }
    fs::create_dir_all(folder.path("profiler/src")).unwrap();
    fs::create_dir_all(folder.path("bin")).unwrap();
    fs::copy(package.join("../Cargo.lock"), folder.path("Cargo.lock")).unwrap();
    let own_path = std::env::var("PATH").unwrap_or_default();
    for path in [own_path.as_str(), folder.arg("bin").as_str()] {
        let ran = ran(Command::new(&script)
            .current_dir(folder.path("profiler"))
            .env("PATH", path)
            // It looks for a repository in no folder above.
            .env("GIT_CEILING_DIRECTORIES", folder.path(""))
            .env("RUSTC", "no-compiler")
            .env("OUT_DIR", folder.path("target/debug/build/evmscope/out")));
        let text = ran.ok();
        assert!(text.contains("EVMSCOPE_BUILD_PROFILE=debug\n"), "{text}");
        assert!(text.contains("EVMSCOPE_BUILD_REVM="), "{text}");
        assert!(!text.contains("EVMSCOPE_BUILD_COMMIT"), "{text}");
    }
}

/// The user `nobody`.
const NOBODY: &str = "65534";

/// The command as a user who is not root; the tester, or nobody.
fn unprivileged(arguments: &[&str]) -> Command {
    if !is_root() {
        return command(arguments);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", OWN])
        .args(arguments);
    command
}

#[test]
fn root_is_not_needed() {
    let folder = Folder::new();
    let tried = unprivileged(&["list"]).output();
    if !tried.is_ok_and(|output| output.status.success()) {
        return eprintln!("skipped: nobody cannot run the binary here, or there is no setpriv");
    }
    let allow = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    allow(&folder.path(""), 0o755);
    for (name, mode) in [("tmp", 0o777), ("out", 0o777), ("closed", 0o555)] {
        fs::create_dir(folder.path(name)).unwrap();
        allow(&folder.path(name), mode);
    }
    let run = |arguments: &[&str]| ran(unprivileged(arguments).env("TMPDIR", folder.path("tmp")));
    let file = folder.arg("out/run.json");
    let bench = run(&[&LAUNCHES[..], &["--export-json", &file]].concat());
    assert!(bench.ok().contains(TABLE));
    assert_eq!(folder.files("out"), ["run.json"]);
    assert_eq!(folder.files("tmp"), [""; 0]);
    assert_eq!(run(&["doctor"]).code, 0);

    let file = folder.arg("closed/run.json");
    let closed = run(&[&QUICK[..], &["--export-json", &file]].concat());
    expect_refusal(&closed, &["cannot write", &file, "Permission denied"]);
    assert_eq!(closed.stdout, "");
}

/// As containers do it.
#[test]
fn a_sandbox_that_refuses_counters_gets_the_rest() {
    let Ok(arch) = std::env::consts::ARCH.try_into() else {
        return eprintln!("skipped: the filter is for other processors");
    };
    let calls = BTreeMap::from([(libc::SYS_perf_event_open, Vec::new())]);
    let refused = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let filter = SeccompFilter::new(calls, SeccompAction::Allow, refused, arch).unwrap();
    let filter: BpfProgram = filter.try_into().unwrap();
    let sandboxed = |arguments: &[&str]| {
        let filter = filter.clone();
        let mut command = command(arguments);
        let apply = move || apply_filter(&filter).map_err(|_| io::Error::last_os_error());
        // SAFETY: it makes two system calls, and allocates nothing.
        unsafe { command.pre_exec(apply) };
        ran(&mut command)
    };
    let folder = Folder::new();
    let out = folder.arg("out");
    let quick = ["--quick", "--pairs", "1", "--sample-ms", "1"];
    let profile = ["profile", "ten-thousand-hashes", "--no-simulate"];
    let profiled = sandboxed(&[&profile[..], &quick, &["--out", &out]].concat());
    let text = profiled.ok();
    assert!(
        text.contains("CPU time") && text.contains("perf_event_open"),
        "{text}"
    );
    assert!(folder.files("out").contains(&"report.json".to_owned()));
    assert!(sandboxed(&LAUNCHES).ok().contains(TABLE));
    assert!(sandboxed(&["doctor"]).ok().contains("perf_event_open"));
}
