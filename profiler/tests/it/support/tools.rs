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
