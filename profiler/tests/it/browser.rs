//! `report.html` in a real browser, from a file: it opens without an error, sorts, zooms, searches, obeys
//! the keyboard, is light or dark as the reader wishes, and prints. `browser.js` plays the reader.

use crate::support::tools;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SAMPLES: usize = 3;

struct Browser {
    program: &'static str,
    dir: tempfile::TempDir,
}

impl Browser {
    /// Opens a file of the folder. The network is closed to it, so that a page that needs it fails.
    fn open(&self, page: &Path, arguments: &[&str]) -> Output {
        let profile = tempfile::tempdir().unwrap();
        let output = Command::new(self.program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-quic",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .args([
                "--host-resolver-rules=MAP * ~NOTFOUND",
                "--enable-logging=stderr",
            ])
            .args(["--window-size=1280,1000", "--virtual-time-budget=10000"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(arguments)
            .arg(format!("file://{}", page.display()))
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{log}");
        // Chromium's own troubles (no D-Bus, no GPU) are not the page's.
        let complaints: Vec<_> = log
            .lines()
            .filter(|line| line.contains("CONSOLE"))
            .collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
        output
    }

    /// The report with the reader's script at its end.
    fn page(&self) -> PathBuf {
        let page = std::fs::read_to_string(self.dir.path().join("report.html")).unwrap();
        let script = concat!("<script>", include_str!("browser.js"), "</script></body>");
        let path = self.dir.path().join("read.html");
        std::fs::write(&path, page.replace("</body>", script)).unwrap();
        path
    }

    /// What the reader's script found.
    fn told(&self, arguments: &[&str]) -> Value {
        let output = self.open(&self.page(), &[arguments, &["--dump-dom"]].concat());
        let dom = String::from_utf8(output.stdout).unwrap();
        let (_, told) = dom
            .split_once("<title>told ")
            .expect("the script came to its end");
        let (told, _) = told.split_once("</title>").unwrap();
        serde_json::from_str(told).unwrap()
    }
}

/// A report of a real run; none where there is no browser to read it.
fn browser() -> Option<Browser> {
    let program = tools::chromium()?;
    let dir = tempfile::tempdir().unwrap();
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/../cases");
    let output = Command::new(env!("CARGO_BIN_EXE_evmscope"))
        .args([
            "profile",
            "--quick",
            "ten-thousand-hashes",
            "--case-dir",
            cases,
            "--no-simulate",
        ])
        .args([
            "--pairs",
            &SAMPLES.to_string(),
            "--sample-ms",
            "200",
            "--out",
        ])
        .arg(dir.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(Browser { program, dir })
}

#[test]
fn a_reader_can_sort_zoom_and_search_without_an_error() {
    let Some(browser) = browser() else { return };
    let told = browser.told(&[]);
    for claim in [
        "sortable_by_keyboard",
        "ascending",
        "descending",
        "as_before",
        "sections_keep_their_titles",
        "links_lead_somewhere",
        "fits",
        "tables_fit",
        "arrows_move",
        "one_tab_stop",
        "bad_pattern",
        "cleared",
    ] {
        assert_eq!(told[claim], true, "{claim}: {told:#}");
    }
    assert_eq!(told["dots"], 2 * 2 * SAMPLES, "{told:#}");
    // Of each mode, of the change in two directions, of the contract by gas and by the time of each mode.
    assert_eq!(told["frames"], 7, "{told:#}");
    assert!(told["click_hides"].as_u64() > Some(0), "{told:#}");
    assert_eq!(told["zoomed_width"], "100.0000%", "{told:#}");
    assert_eq!(told["escape_hides"], 0, "{told:#}");
    assert_eq!(told["enter_hides"], told["click_hides"], "{told:#}");
    assert!(told["found"].as_u64() > Some(0), "{told:#}");
    assert!(
        told["found_says"]
            .as_str()
            .unwrap()
            .starts_with("Matched: "),
        "{told:#}"
    );
    assert_eq!(told["not_found"], 0, "{told:#}");

    // The reader's scheme: 0 is dark for this switch, 1 light.
    let scheme = |n: u8| browser.told(&[&format!("--blink-settings=preferredColorScheme={n}")]);
    let (dark, light) = (scheme(0), scheme(1));
    assert_eq!(
        (&dark["dark"], &light["dark"]),
        (&true.into(), &false.into())
    );
    assert_eq!(light["page_colour"], "rgb(255, 255, 255)");
    assert_ne!(dark["page_colour"], light["page_colour"]);

    let pdf = browser.dir.path().join("report.pdf");
    let page = browser.dir.path().join("report.html");
    browser.open(&page, &[&format!("--print-to-pdf={}", pdf.display())]);
    let pdf = std::fs::read(pdf).unwrap();
    assert!(
        pdf.starts_with(b"%PDF") && pdf.len() > 20_000,
        "{} bytes",
        pdf.len()
    );
}
