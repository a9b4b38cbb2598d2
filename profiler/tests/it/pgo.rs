//! Profile-guided builds with real compilers and real broken inputs, on a program of a few lines that carries the
//! project's name: each build takes a second.

use crate::support::{self, Folder, Ran};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program: two functions that run, in a crate of the name that the verbs build.
const PROGRAM: &str = r#"
use std::hint::black_box;
#[inline(never)]
fn work(n: u64) -> u64 {
    (0..n).fold(0, |sum, i| if i % 3 == 0 { sum + i * black_box(2) } else { sum ^ i })
}
#[inline(never)]
fn other(n: u64) -> u64 {
    if n > 5 { n * 2 } else { n + black_box(1) }
}
fn main() {
    let n = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000);
    println!("{}", work(n) + other(n));
}
"#;

/// A checkout of that program.
struct Checkout(Folder);

impl Checkout {
    fn new(program: &str) -> Checkout {
        let folder = Folder::new();
        folder.write(
            "Cargo.toml",
            "[package]\nname = \"evmscope\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n",
        );
        folder.write(
            "Cargo.lock",
            "version = 4\n\n[[package]]\nname = \"evmscope\"\nversion = \"0.1.0\"\n",
        );
        folder.write("src/main.rs", program);
        Checkout(folder)
    }

    /// Built, run once and merged.
    fn trained() -> Option<Checkout> {
        let checkout = Checkout::new(PROGRAM);
        if let Some(why) = checkout.without_tools() {
            eprintln!("skipped: {why}");
            return None;
        }
        checkout.pgo(&["build"]).succeeded();
        checkout.run_instrumented("a.profraw");
        checkout.pgo(&["merge", "a.profraw"]).succeeded();
        Some(checkout)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = support::command(&["pgo"]);
        command.args(arguments).current_dir(self.path(""));
        // What cargo tells the test is not for the cargo that is tested.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO")
                || name.starts_with("RUST")
                || name.starts_with("LLVM_PROF")
            {
                let kept = ["CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"].contains(&&*name);
                if !kept {
                    command.env_remove(&*name);
                }
            }
        }
        command
    }

    fn pgo(&self, arguments: &[&str]) -> Ran {
        support::ran(&mut self.command(arguments))
    }

    /// Why nothing can be built with a profile here.
    fn without_tools(&self) -> Option<String> {
        let info = self.pgo(&["info"]);
        (info.code != 0).then_some(info.stdout)
    }

    fn run_instrumented(&self, to: &str) {
        let status = Command::new(self.path("target/pgo/evmscope-instrumented"))
            .arg("5000")
            .env("LLVM_PROFILE_FILE", self.path(to))
            .output()
            .unwrap()
            .status;
        assert!(status.success());
    }

    fn edit(&self, from: &str, to: &str) {
        let path = self.path("src/main.rs");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        fs::write(path, text.replace(from, to)).unwrap();
    }

    fn optimized(&self) -> PathBuf {
        self.path("target/pgo/evmscope")
    }
}

impl Ran {
    #[track_caller]
    fn succeeded(&self) -> &str {
        assert_eq!(self.code, 0, "{}\n{}", self.stdout, self.stderr);
        &self.stdout
    }

    /// Exit code 1, and one line for people that has all these words.
    #[track_caller]
    fn refused(&self, words: &[&str]) {
        assert_eq!(self.code, 1, "{}\n{}", self.stdout, self.stderr);
        let errors: Vec<_> = self
            .stderr
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        assert_eq!(errors.len(), 1, "{}", self.stderr);
        for word in words {
            assert!(errors[0].contains(word), "{word} in {}", errors[0]);
        }
    }
}

fn tool(checkout: &Checkout, name: &str, answer: &str) -> PathBuf {
    let path = checkout
        .0
        .write(name, &format!("#!/bin/sh\necho '{answer}'\n"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_profile_goes_from_the_counting_build_into_the_optimised_one() {
    let Some(checkout) = Checkout::trained() else {
        return;
    };
    let optimized = checkout.pgo(&["optimize"]);
    assert!(
        optimized.succeeded().contains("0 missing, 0 mismatched"),
        "{}",
        optimized.stdout
    );
    let run = Command::new(checkout.optimized()).output().unwrap();
    assert!(run.status.success());
    expect_info(&checkout.pgo(&["info"]), &["ok", "optional"]);
    // BOLT is optional, installed or not.
    let mut without_bolt = checkout.command(&["info"]);
    for tool in ["LLVM_BOLT", "MERGE_FDATA"] {
        without_bolt.env(tool, "/nowhere/tool");
    }
    expect_info(&support::ran(&mut without_bolt), &["optional"]);
}

/// Everything is built, and the rows of BOLT have one of these marks.
#[track_caller]
fn expect_info(info: &Ran, bolt: &[&str]) {
    let text = info.succeeded();
    let mark = |name: &str| {
        let row = text
            .lines()
            .find_map(|line| line.split_once(&format!("  {name}  ")));
        let (mark, _) = row.unwrap_or_else(|| panic!("no row {name}: {text}"));
        mark.trim()
    };
    for needed in [
        "compiler",
        "rustflags",
        "llvm-profdata",
        "instrumented",
        "profile",
        "optimised",
    ] {
        assert_eq!(mark(needed), "ok", "{needed}: {text}");
    }
    for optional in ["llvm-bolt", "merge-fdata"] {
        assert!(bolt.contains(&mark(optional)), "{optional}: {text}");
    }
}

#[test]
fn without_llvm_profdata_nothing_is_begun() {
    let checkout = Checkout::new(PROGRAM);
    for verb in ["info", "build", "merge", "optimize"] {
        let ran = support::ran(
            checkout
                .command(&[verb])
                .env("LLVM_PROFDATA", "/nowhere/llvm-profdata"),
        );
        assert_eq!(ran.code, 1, "{verb}");
        let said = format!("{}{}", ran.stdout, ran.stderr)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        for command in [
            "rustup component add llvm-tools",
            "sudo apt-get install llvm-",
        ] {
            assert!(said.contains(command), "{verb}: {said}");
        }
    }
    assert!(!checkout.path("target/pgo/evmscope-instrumented").exists());
}

#[test]
fn another_llvm_than_the_compilers_is_refused() {
    let checkout = Checkout::new(PROGRAM);
    let old = tool(&checkout, "llvm-profdata", "Debian LLVM version 14.0.6");
    let ran = support::ran(checkout.command(&["build"]).env("LLVM_PROFDATA", old));
    ran.refused(&["llvm-profdata is of LLVM 14, but rustc uses LLVM "]);
}

#[test]
fn no_profile_is_an_error() {
    let checkout = Checkout::new(PROGRAM);
    if let Some(why) = checkout.without_tools() {
        return eprintln!("skipped: {why}");
    }
    checkout
        .pgo(&["merge"])
        .refused(&["no profile to merge", "evmscope pgo train"]);
    checkout
        .pgo(&["train"])
        .refused(&["evmscope-instrumented", "evmscope pgo build"]);
    checkout
        .pgo(&["optimize"])
        .refused(&["merged.profdata", "evmscope pgo train"]);
    checkout
        .pgo(&["verify"])
        .refused(&["evmscope pgo optimize"]);
    checkout
        .pgo(&["merge", "no.profraw"])
        .refused(&["no profile at no.profraw"]);
}

#[test]
fn broken_raw_profiles_are_named() {
    let Some(checkout) = Checkout::trained() else {
        return;
    };
    let before = fs::read(checkout.path("target/pgo/merged.profdata")).unwrap();
    checkout.0.write("empty.profraw", "");
    // Beside a good one, llvm-profdata passes over it without a word.
    checkout
        .pgo(&["merge", "a.profraw", "empty.profraw"])
        .refused(&["empty.profraw is empty"]);
    let whole = fs::read(checkout.path("a.profraw")).unwrap();
    fs::write(checkout.path("cut.profraw"), &whole[..200]).unwrap();
    checkout
        .pgo(&["merge", "a.profraw", "cut.profraw"])
        .refused(&["cut.profraw is not a profile", "LLVM"]);
    assert_eq!(
        fs::read(checkout.path("target/pgo/merged.profdata")).unwrap(),
        before
    );
}

#[test]
fn the_profile_of_another_program_is_foreign() {
    let Some(checkout) = Checkout::trained() else {
        return;
    };
    let other =
        Checkout::new("fn main() { println!(\"{:?}\", std::env::args().collect::<Vec<_>>()); }");
    other.pgo(&["build"]).succeeded();
    other.run_instrumented("b.profraw");
    let foreign = other.path("b.profraw");
    checkout
        .pgo(&["merge", "a.profraw", foreign.to_str().unwrap()])
        .refused(&["b.profraw is of another program"]);
}

#[test]
fn a_profile_of_other_sources_is_stale() {
    let Some(checkout) = Checkout::trained() else {
        return;
    };
    checkout.edit("n > 5", "n > 5 && n < black_box(7_000)");
    checkout
        .pgo(&["optimize"])
        .refused(&["is stale: src/main.rs changed"]);
    let changed = support::ran(
        checkout
            .command(&["optimize"])
            .env("RUSTFLAGS", "-Copt-level=1"),
    );
    changed.refused(&["rustflags were none, now -Copt-level=1"]);
    assert!(!checkout.optimized().exists());
}

#[test]
fn functions_that_differ_are_counted_by_the_compiler() {
    let Some(checkout) = Checkout::trained() else {
        return;
    };
    // Of a profile from elsewhere nothing is known but what the compiler finds out.
    fs::rename(
        checkout.path("target/pgo/merged.profdata"),
        checkout.path("theirs.profdata"),
    )
    .unwrap();
    checkout.edit("n > 5", "n > 5 && n < black_box(7_000)");
    checkout.edit("fn work", "fn renamed");
    checkout.edit("work(n)", "renamed(n)");
    let ran = checkout.pgo(&["optimize", "--profile", "theirs.profdata"]);
    ran.refused(&[
        "missing in it: 1, differing: 1",
        "evmscope::other",
        "--limit",
    ]);
    assert!(!checkout.optimized().exists());
    // With what is hot in it again, one that differs may pass.
    checkout.edit("fn renamed", "fn work");
    checkout.edit("renamed(n)", "work(n)");
    checkout
        .pgo(&["optimize", "--profile", "theirs.profdata", "--limit", "100"])
        .succeeded();
}

#[test]
fn a_merged_profile_that_is_garbage_is_refused_before_the_build() {
    let Some(checkout) = Checkout::trained() else {
        return;
    };
    checkout.0.write("bad.profdata", "not a profile");
    let ran = checkout.pgo(&["optimize", "--profile", "bad.profdata"]);
    ran.refused(&["bad.profdata is not a profile that LLVM"]);
    assert!(!checkout.path("target/pgo/cargo/optimized").exists());
}

#[test]
fn binaries_are_known_by_their_sections() {
    let Some(checkout) = Checkout::trained() else {
        return;
    };
    let instrumented = "target/pgo/evmscope-instrumented";
    checkout
        .pgo(&["verify", "--head", instrumented])
        .refused(&["is instrumented, but an optimised build is expected"]);
    // Built without a profile.
    let plain = env!("CARGO_BIN_EXE_evmscope");
    checkout
        .pgo(&["verify", "--head", plain])
        .refused(&["has no hot functions"]);
    checkout
        .pgo(&["verify", "--head", "src/main.rs"])
        .refused(&["src/main.rs is not an ELF file"]);
    fs::copy(plain, checkout.path(instrumented)).unwrap();
    checkout.pgo(&["train"]).refused(&["is not instrumented"]);
}

#[test]
fn the_users_flags_are_kept_wherever_they_come_from() {
    let program = format!("#[cfg(not(mine))] compile_error!(\"lost\");\n{PROGRAM}");
    let checkout = Checkout::new(&program);
    if let Some(why) = checkout.without_tools() {
        return eprintln!("skipped: {why}");
    }
    assert!(checkout.pgo(&["build"]).stderr.contains("lost"));
    let build =
        |name: &str, flags: &str| support::ran(checkout.command(&["build"]).env(name, flags));
    build("RUSTFLAGS", "--cfg mine").succeeded();
    build("CARGO_ENCODED_RUSTFLAGS", "--cfg\u{1f}mine").succeeded();
    checkout.0.write(
        ".cargo/config.toml",
        "[build]\nrustflags = [\"--cfg\", \"mine\"]\n",
    );
    checkout.pgo(&["build"]).succeeded();
    build("RUSTFLAGS", "-Cprofile-use=x").refused(&["-Cprofile-use=x", "remove it"]);
}

#[test]
fn training_holds_the_results_of_the_counting_binary_against_the_right_ones() {
    let Some(checkout) = Checkout::trained() else {
        return;
    };
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases");
    let cases = cases.to_str().unwrap();
    // It prints a number, and no result of a case.
    checkout
        .pgo(&["train", "--cases", "empty", "--case-dir", cases])
        .refused(&["training of empty", "no result"]);
    checkout
        .pgo(&[
            "train",
            "--cases",
            "empty",
            "--weights",
            "storage=2",
            "--case-dir",
            cases,
        ])
        .refused(&["--weights names storage"]);
}
