//! The Makefile and the scripts run what cargo just built, wherever its settings put that.

use crate::support::tools::has;
use crate::support::{Folder, ran, read};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Two crates with the names of this project's, which build in no time and say their version.
struct Stub(Folder);

const WORKSPACE: &str = "[workspace]\nmembers = [\"interp\", \"profiler\"]\nresolver = \"3\"\n";

const PROFILER: &str = "\
[package]
name = \"evmscope\"
version = \"0.0.0\"
edition = \"2024\"

[features]
planted-small = []

[[test]]
name = \"power\"
path = \"tests/power/main.rs\"
harness = false
test = false
";

const INTERP: &str =
    "[package]\nname = \"evmscope-interp\"\nversion = \"0.0.0\"\nedition = \"2024\"\n";

/// Without it, `--locked` refuses to build.
const LOCK: &str = "\
version = 4

[[package]]
name = \"evmscope\"
version = \"0.0.0\"

[[package]]
name = \"evmscope-interp\"
version = \"0.0.0\"
";

/// Says its version and its verb; as `diff`, it runs both binaries.
const MAIN: &str = "\
fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    println!(\"VERSION {}\", words[0]);
    for side in words.iter().skip(1).take(2).filter(|_| words[0] == \"diff\") {
        assert!(std::process::Command::new(side).arg(\"side\").status().unwrap().success());
    }
}
";

/// Runs both binaries of the folder.
const POWER: &str = "\
fn main() {
    let folder = std::env::args().nth(1).unwrap();
    for build in [\"base\", \"small\"] {
        let binary = std::path::Path::new(&folder).join(build);
        assert!(std::process::Command::new(binary).arg(build).status().unwrap().success());
    }
}
";

/// Runs its last argument.
const VALGRIND: &str = "#!/bin/sh\nfor last; do :; done\nexec \"$last\"\n";

impl Stub {
    fn new() -> Stub {
        let folder = Folder::new();
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for file in [
            "Makefile",
            "profiler/built.sh",
            "profiler/tests/power/run.sh",
        ] {
            let copy = folder.write(file, &read(&project.join(file)));
            executable(&copy);
        }
        folder.write(".gitignore", "/target/\n");
        folder.write("Cargo.toml", WORKSPACE);
        folder.write("Cargo.lock", LOCK);
        folder.write("profiler/Cargo.toml", PROFILER);
        folder.write("profiler/tests/power/main.rs", POWER);
        folder.write("interp/Cargo.toml", INTERP);
        folder.write("interp/src/lib.rs", "");
        executable(&folder.write("bin/valgrind", VALGRIND));
        let stub = Stub(folder);
        stub.run("git", &["init", "--quiet"], &[]);
        stub
    }

    fn edit(&self, version: &str) {
        let main = MAIN.replace("VERSION", version);
        self.0.write("profiler/src/main.rs", &main);
        let example = format!("fn main() {{ println!(\"{version}\"); }}\n");
        self.0.write("interp/examples/many_calls.rs", &example);
    }

    fn commit(&self) {
        self.run("git", &["add", "--all"], &[]);
        let identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
        let commit = ["commit", "--quiet", "--message", "a version"];
        self.run("git", &[&identity[..], &commit].concat(), &[]);
    }

    /// What a command prints that must succeed, without the settings of the tester's build.
    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str], settings: &[(&str, &str)]) -> String {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.0.path(""));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            let of_cargo = name.starts_with("CARGO_") && name != "CARGO_HOME";
            if of_cargo || name.starts_with("MAKE") || name.starts_with("GIT_") {
                command.env_remove(&*name);
            }
        }
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.0.arg("bin")));
        command.envs(settings.iter().copied());
        let ran = ran(&mut command);
        assert_eq!(
            ran.code, 0,
            "{program} {arguments:?} {settings:?}: {}",
            ran.stderr
        );
        ran.stdout
    }

    #[track_caller]
    fn make(&self, arguments: &[&str], settings: &[(&str, &str)]) -> String {
        self.run("make", &[&["--silent"], arguments].concat(), settings)
    }
}

fn executable(file: &Path) {
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The target that this machine builds for by default.
fn host() -> String {
    let version = ran(Command::new("rustc").arg("-vV")).ok();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.unwrap().to_owned()
}

fn has_tools() -> bool {
    ["make", "git", "cc"].into_iter().all(has)
}

#[test]
fn the_makefile_runs_what_was_built_whatever_cargo_is_set_to() {
    if !has_tools() {
        return;
    }
    let stub = Stub::new();
    let host = host();
    let (elsewhere, spaced) = (stub.0.arg("target/elsewhere"), stub.0.arg("target/a space"));
    // The first leaves an old build where cargo puts it by default.
    let settings: [&[(&str, &str)]; 5] = [
        &[],
        &[("CARGO_BUILD_TARGET", &host)],
        &[("CARGO_BUILD_TARGET_DIR", &elsewhere)],
        &[("CARGO_TARGET_DIR", &spaced)],
        &[
            ("CARGO_TARGET_DIR", "target/relative"),
            ("CARGO_BUILD_TARGET", &host),
        ],
    ];
    for (i, settings) in settings.into_iter().enumerate() {
        follows_edits(&stub, &format!("v{i}"), settings);
    }
    stub.0.write(
        ".cargo/config.toml",
        "[build]\ntarget-dir = \"target/configured\"\n",
    );
    follows_edits(&stub, "configured", &[]);
}

/// Edits and builds twice, and checks that each target runs the newest build, and `diff` that of the commit as the base.
#[track_caller]
fn follows_edits(stub: &Stub, version: &str, settings: &[(&str, &str)]) {
    let (base, head) = (format!("{version}-base"), format!("{version}-head"));
    stub.edit(&base);
    stub.commit();
    assert_eq!(stub.make(&["doctor"], settings), format!("{base} doctor\n"));
    stub.edit(&head);
    assert_eq!(stub.make(&["doctor"], settings), format!("{head} doctor\n"));
    assert_eq!(
        stub.make(&["diff", "BASE=HEAD"], settings),
        format!("{head} diff\n{base} side\n{head} side\n")
    );
    assert_eq!(
        stub.make(&["pgo"], settings),
        format!("{head} pgo\n").repeat(6)
    );
    let memory = stub.make(&["memcheck"], settings);
    assert!(memory.starts_with(&format!("{head}\n")), "{memory}");
}

#[test]
fn the_script_of_the_verdicts_copies_what_was_built() {
    if !has_tools() {
        return;
    }
    let stub = Stub::new();
    let host = host();
    let settings = [("CARGO_BUILD_TARGET", &*host)];
    let script = stub.0.arg("profiler/tests/power/run.sh");
    for version in ["one", "two"] {
        stub.edit(version);
        assert_eq!(
            stub.run(&script, &["short"], &settings),
            format!("{version} base\n{version} small\n")
        );
    }
}

#[test]
fn the_path_is_the_one_that_cargo_states() {
    let folder = Folder::new();
    let cargo = folder.write(
        "cargo",
        "#!/bin/sh\nfor artifact; do :; done\n\
         echo '{\"reason\":\"compiler-artifact\",\"executable\":null,\"fresh\":true}'\n\
         for path in $artifact; do printf '{\"executable\":\"%s\",\"fresh\":true}\\n' \"$path\"; done\n",
    );
    executable(&cargo);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("built.sh");
    let built = |paths: &str| ran(Command::new(&script).arg(paths).env("CARGO", &cargo));
    assert_eq!(built(r#"/a/\"b\"/\\c"#).ok(), "/a/\"b\"/\\c\n");
    for (paths, why) in [("", "built no executable"), ("/a /b", "name one target")] {
        let refused = built(paths);
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
        assert!(refused.stderr.contains(why), "{}", refused.stderr);
    }
}
