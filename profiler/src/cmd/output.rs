//! Output: standard output, colours, progress bars. Results are in `files`.

mod files;

pub use files::{Document, Files, Written, expect_distinct};

use crate::cases::Unreadable;
use anyhow::{Error, Result};
use clap::ValueEnum;
use console::Term;
use evmscope_reports::render::terminal::Style;
use evmscope_reports::text;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// Columns if standard output is not a terminal.
const WIDTH: u16 = 100;

/// How to render for standard output.
pub fn style(color: Color) -> Style {
    let columns = columns();
    let wanted = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            columns.is_some() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    };
    Style {
        color: wanted,
        width: columns.unwrap_or(WIDTH),
    }
}

/// Columns of standard output if it is a terminal.
pub fn columns() -> Option<u16> {
    let size = || Term::stdout().size_checked();
    let terminal = io::stdout().is_terminal();
    terminal.then(|| size().map_or(WIDTH, |(_, columns)| columns))
}

/// Exit code of a comparison that found a difference or a regression.
const DIFFERENT: u8 = 3;

/// The result of a verb: text, errors and exit code.
pub struct Answer {
    /// For standard output.
    pub text: String,
    /// The text goes to standard error: a result is on standard output, and a program that reads it there needs it alone.
    pub text_to_stderr: bool,
    /// Errors that did not stop the verb, for standard error.
    pub errors: Vec<Error>,
    pub code: ExitCode,
}

impl Answer {
    pub fn success(text: String) -> Answer {
        Answer {
            text,
            text_to_stderr: false,
            errors: Vec::new(),
            code: ExitCode::SUCCESS,
        }
    }

    /// A check failed; the text says which.
    pub fn failure(text: String) -> Answer {
        Answer {
            code: ExitCode::FAILURE,
            ..Answer::success(text)
        }
    }

    /// A comparison found a difference or a regression.
    pub fn differs(text: String) -> Answer {
        Answer {
            code: ExitCode::from(DIFFERENT),
            ..Answer::success(text)
        }
    }

    /// The result for the readable cases. Any unreadable case makes it a failure.
    pub fn of_readable(text: String, unreadable: Vec<Unreadable>) -> Answer {
        if unreadable.is_empty() {
            return Answer::success(text);
        }
        Answer {
            errors: unreadable.into_iter().map(|it| it.error).collect(),
            ..Answer::failure(text)
        }
    }

    /// Lists the results that were written, and keeps the text apart from one on standard output. A result that could
    /// not be written makes it a failure, with its text.
    pub fn with(mut self, written: impl Into<Written>) -> Answer {
        let written = written.into();
        self.text += &written.listed();
        self.text_to_stderr |= written.on_stdout;
        if !written.errors.is_empty() {
            self.code = ExitCode::FAILURE;
        }
        self.errors.extend(written.errors);
        self
    }

    /// Prints the text and the errors; returns the exit code.
    ///
    /// # Errors
    /// Those of standard output.
    pub fn print(self) -> Result<ExitCode> {
        match self.text_to_stderr {
            true => complain(&self.text),
            false => Document::stdout()
                .write(&*text::screen(&self.text))
                .map(drop)?,
        }
        self.errors.iter().for_each(complain_of);
        Ok(self.code)
    }
}

/// Writes an error to standard error, on one line.
pub fn complain_of(error: &Error) {
    complain(&format!("error: {error:#}\n"));
}

/// Writes to standard error. Errors are ignored: there is nowhere left to report them.
pub fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text::screen(text).as_bytes());
}

/// A progress bar on standard error, hidden if that is not a terminal.
pub fn progress(steps: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(steps);
    if let Ok(style) = ProgressStyle::with_template("{msg:24} {bar:30} {pos}/{len} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}
