//! Runs pairs of interpreters on cases and official state tests: one serves, the other is checked against it.
//! `evmscope_interp::Shadow` compares the runs, `cmd::shadow` prints the report.

use crate::cases::Case;
use crate::engines::statetest::{self, Selection};
use crate::instruments::span::span;
use anyhow::Result;
use evmscope_interp::{
    Difference, Execute, Fork, Host, Interpreter, Message, Mode, Outcome, Settings, Shadow,
    telemetry,
};
use std::path::PathBuf;

/// The configuration of a pair of interpreters.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// The mode whose results are served; the other is checked.
    pub serve: Mode,
    /// The fork of the checked interpreter, if different: tests cause differences with it.
    pub checked_fork: Option<Fork>,
    /// The settings of both.
    pub settings: Settings,
}

/// The results of all messages.
#[derive(Debug, Default)]
pub struct Report {
    /// Messages that both interpreters ran.
    pub messages: u64,
    /// Messages whose runs differ.
    pub findings: Vec<Finding>,
    /// Files that are not state tests, with the reason.
    pub unreadable: Vec<String>,
}

/// A message whose two runs differ.
#[derive(Debug)]
pub struct Finding {
    /// The case; or file, test, fork and indices of the state test.
    pub place: String,
    /// Number of the message within the place, from 1.
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

/// A pair that reports metrics of every message and records differences.
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

/// Runs the message of each case `calls` times, each time from the same state, so that hot code gets translated.
///
/// # Errors
/// A case cannot be set up.
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

/// Runs the transactions of state tests on all cores, with eager translation: code that runs once would otherwise
/// never be translated. Results are not compared with the test's expectation; `statetest` does that.
///
/// # Errors
/// Threads cannot be started.
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
        let found = match statetest::read(path) {
            Ok(found) => found.unwrap_or_default(),
            Err(error) => {
                return Report {
                    unreadable: vec![format!("{file}: {error}")],
                    ..Report::default()
                };
            }
        };
        let wrong = found.unreadable.iter();
        let wrong = wrong.filter(|it| selection.takes(&file, &it.name));
        let unreadable = wrong.map(|it| format!("{file}::{}: {}", it.name, it.reason));
        let start = Report {
            unreadable: unreadable.collect(),
            ..Report::default()
        };
        let chosen = found.tests.iter();
        let chosen = chosen.filter(|test| selection.takes(&file, &test.name));
        let cases = chosen.flat_map(|test| test.cases().map(move |case| (test, case)));
        cases
            .filter(|(_, case)| selection.fork.is_none_or(|only| only == case.fork))
            .map(|(test, case)| {
                let mut recorded = pair.start(case.fork, eager);
                // Whether the test passes does not matter here.
                let _ = case.run_on(&mut recorded);
                let (d, g, v) = case.indices();
                let (name, fork) = (&test.name, case.fork);
                recorded.report(&format!(
                    "{file}::{name}, fork {fork}, indices d{d} g{g} v{v}"
                ))
            })
            .fold(start, Report::merge)
    })
}
