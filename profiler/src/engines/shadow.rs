//! Two interpreters over cases and official state tests: one serves, the other is checked against it. How
//! two runs are compared is `evmscope_interp::Shadow`'s business, what is printed `cmd::shadow`'s.

use crate::cases::Case;
use crate::engines::statetest::{self, Selection};
use crate::instruments::span::span;
use anyhow::Result;
use evmscope_interp::{
    Difference, Execute, Fork, Host, Interpreter, Message, Mode, Outcome, Settings, Shadow,
    telemetry,
};
use std::path::PathBuf;

/// Which interpreters make a pair.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// The mode whose results are served; the other is checked.
    pub serve: Mode,
    /// The fork of the checked one where that is to be another: tests plant a difference with it.
    pub checked_fork: Option<Fork>,
    /// Of both.
    pub settings: Settings,
}

/// What came of all messages.
#[derive(Debug, Default)]
pub struct Report {
    /// Messages that both interpreters ran.
    pub messages: u64,
    /// Those whose runs differ.
    pub findings: Vec<Finding>,
    /// Files that hold no state tests, and why.
    pub unreadable: Vec<String>,
}

/// A message whose two runs differ.
#[derive(Debug)]
pub struct Finding {
    /// The case, or file, test, fork and indices of the state test.
    pub place: String,
    /// Counted from 1 within the place.
    pub message: u64,
    pub differences: Vec<Difference>,
}

impl Pair {
    pub fn checked(&self) -> Mode {
        match self.serve {
            Mode::Traditional => Mode::Advanced,
            Mode::Advanced => Mode::Traditional,
        }
    }

    fn start(&self, fork: Fork, settings: Settings) -> Recorded {
        let checked = self.checked_fork.unwrap_or(fork);
        Recorded {
            shadow: Shadow::new(
                Interpreter::with_settings(self.serve, fork, settings),
                Interpreter::with_settings(self.checked(), checked, settings),
            ),
            messages: 0,
            findings: Vec::new(),
        }
    }
}

/// A pair that tells metrics of every message, and keeps what differed.
struct Recorded {
    shadow: Shadow,
    messages: u64,
    findings: Vec<(u64, Vec<Difference>)>,
}

impl Execute for Recorded {
    fn fork(&self) -> Fork {
        self.shadow.fork()
    }

    fn execute(&mut self, message: Message, host: &mut dyn Host) -> Outcome {
        let _span = span("shadowed message");
        let served = self.shadow.execute(message, host);
        telemetry::shadow(&self.shadow, &served);
        self.messages += 1;
        let differences = self.shadow.differences();
        if !differences.is_empty() {
            self.findings.push((self.messages, differences.to_vec()));
        }
        served
    }
}

impl Recorded {
    fn report(self, place: &str) -> Report {
        let findings = self.findings.into_iter();
        Report {
            messages: self.messages,
            findings: findings
                .map(|(message, differences)| Finding {
                    place: place.to_owned(),
                    message,
                    differences,
                })
                .collect(),
            unreadable: Vec::new(),
        }
    }
}

impl Report {
    fn merge(mut self, other: Report) -> Report {
        self.messages += other.messages;
        self.findings.extend(other.findings);
        self.unreadable.extend(other.unreadable);
        self
    }
}

/// Runs the message of each case `calls` times, each time from the same state: what is worth translating gets
/// translated on the way.
///
/// # Errors
/// A case that cannot be set up.
pub fn cases(cases: &[Case], pair: &Pair, calls: u32, done: &dyn Fn()) -> Result<Report> {
    let mut report = Report::default();
    for case in cases {
        let scenario = case.scenario()?;
        let mut recorded = pair.start(case.fork, pair.settings);
        for _ in 0..calls {
            recorded.execute(scenario.message.clone(), &mut scenario.world.clone());
        }
        telemetry::programs(match pair.serve {
            Mode::Advanced => recorded.shadow.serving(),
            Mode::Traditional => recorded.shadow.checked(),
        });
        report = report.merge(recorded.report(&case.name));
        done();
    }
    Ok(report)
}

/// Runs the transactions of state tests on all cores. Code that runs once would never be translated, so
/// everything is, at once. Whether a result is as the test states is asked by `statetest`, not here.
///
/// # Errors
/// Threads that cannot be started.
pub fn state_tests(
    files: &[PathBuf],
    selection: &Selection<'_>,
    pair: &Pair,
    done: &(dyn Fn() + Sync),
) -> Result<Report> {
    let eager = Settings {
        keccak_memo: pair.settings.keccak_memo,
        ..Settings::eager()
    };
    statetest::on_all_cores(files, done, Report::merge, |path| {
        let file = path.display().to_string();
        let tests = match statetest::read(path) {
            Ok(tests) => tests,
            Err(error) => {
                return Report {
                    unreadable: vec![format!("{file}: {error}")],
                    ..Report::default()
                };
            }
        };
        let chosen = tests.iter().filter(|test| selection.takes(&file, test));
        let cases = chosen.flat_map(|test| test.cases().map(move |case| (test, case)));
        cases
            .filter(|(_, case)| selection.fork.is_none_or(|only| only == case.fork))
            .map(|(test, case)| {
                let mut recorded = pair.start(case.fork, eager);
                // What the test expects is not asked here.
                let _ = case.run_on(&mut recorded);
                let (d, g, v) = case.indices();
                let (name, fork) = (&test.name, case.fork);
                recorded.report(&format!(
                    "{file}::{name}, fork {fork}, indices d{d} g{g} v{v}"
                ))
            })
            .fold(Report::default(), Report::merge)
    })
}
