//! Optional tools. A test that needs one asks here, and says on standard error what it skipped without it.

use std::process::Command;

/// Whether valgrind, which simulates counters, is installed. A caller without it says what it skips.
pub fn has_valgrind() -> bool {
    runs("valgrind")
}

/// Chromium, under the name that it has here.
pub fn chromium() -> Option<&'static str> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = names.into_iter().find(|name| runs(name));
    if found.is_none() {
        eprintln!("skipped: no browser here (Debian: sudo apt-get install chromium)");
    }
    found
}

fn runs(program: &str) -> bool {
    let version = Command::new(program).arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

/// Whether `perf` records here. If not, it says why.
pub fn has_perf() -> bool {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let options = [
        "record",
        "-B",
        "-e",
        "cpu-clock:u",
        "-o",
        path,
        "--",
        "true",
    ];
    let works = Command::new("perf").args(options).output();
    let refused = match works {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let reason = refused.lines().find(|line| !line.trim().is_empty());
    let reason = reason.unwrap_or("it failed");
    eprintln!("skipped: perf does not record here: {reason} (Debian: linux-perf)");
    false
}

/// Whether there is a C compiler. If not, it says so.
pub fn has_cc() -> bool {
    let found = runs("cc");
    if !found {
        eprintln!("skipped: no C compiler here (Debian: gcc)");
    }
    found
}

/// Whether a tool is there. If not, it says so.
pub fn has(tool: &str) -> bool {
    let found = runs(tool);
    if !found {
        eprintln!("skipped: no {tool} here");
    }
    found
}
