//! Output: standard output, colours, progress bars, and files that are written completely or not at all.

use crate::cases::{Unreadable, folder_error};
use anyhow::{Context, Error, Result, anyhow, bail};
use clap::ValueEnum;
use console::Term;
use evmscope_reports::render::terminal::Style;
use indicatif::{ProgressBar, ProgressStyle};
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tempfile::NamedTempFile;

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

/// The result of a verb: text for standard output, errors and exit code.
pub struct Answer {
    pub text: String,
    /// Errors that did not stop the verb, for standard error.
    pub errors: Vec<Error>,
    pub code: ExitCode,
}

impl Answer {
    pub fn success(text: String) -> Answer {
        Answer {
            text,
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
}

/// Prints to standard output. A closed pipe is not an error.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    ignore_broken_pipe(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Passes on an error of standard output, except for a closed pipe: the reader needs no more.
pub fn ignore_broken_pipe(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot print")
        }
        _ => Ok(()),
    }
}

/// Writes to standard error. Errors are ignored: there is nowhere left to report them.
pub fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
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

/// Files written together into one folder. The folder is checked on creation, so that errors show before
/// anything is measured. Each file is written to a temporary file and then renamed.
pub struct Files {
    dir: PathBuf,
}

impl Files {
    /// Files in a folder, which is created if missing.
    ///
    /// # Errors
    /// The folder cannot be created or written to.
    pub fn in_dir(dir: &Path) -> Result<Files> {
        fs::create_dir_all(dir)
            .and_then(|()| NamedTempFile::new_in(dir))
            .map_err(|error| {
                anyhow!(
                    "cannot write to {}: {}; name another folder",
                    dir.display(),
                    folder_error(dir, &error)
                )
            })?;
        Ok(Files {
            dir: dir.to_path_buf(),
        })
    }

    /// Files in the folder of a file.
    ///
    /// # Errors
    /// As [`Files::in_dir`], or the path is itself a folder.
    pub fn beside(path: &Path) -> Result<Files> {
        if path.is_dir() {
            bail!(
                "cannot write {}: it is a folder; name a file",
                path.display()
            );
        }
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        Files::in_dir(dir.unwrap_or(Path::new(".")))
    }

    /// Writes a file completely or not at all; returns its path.
    ///
    /// # Errors
    /// As [`Files::write_all`].
    pub fn write(&self, name: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> Result<PathBuf> {
        self.stage(name, contents)?.put()
    }

    /// Writes files that belong together: all are on disk before the first is renamed into place.
    ///
    /// # Errors
    /// I/O errors such as a full disk. If one occurs while writing, earlier files of these names are unchanged.
    pub fn write_all(&self, texts: &[(&str, String)]) -> Result<Vec<PathBuf>> {
        let staged = texts.iter().map(|(name, text)| self.stage(name, text));
        let staged = staged.collect::<Result<Vec<_>>>()?;
        staged.into_iter().map(Staged::put).collect()
    }

    fn stage(&self, name: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> Result<Staged> {
        let path = self.dir.join(name.as_ref().file_name().unwrap_or_default());
        let refuse = || format!("cannot write {}", path.display());
        let mut file = NamedTempFile::new_in(&self.dir).with_context(refuse)?;
        file.write_all(contents.as_ref()).with_context(refuse)?;
        readable(&file).with_context(refuse)?;
        Ok(Staged { file, path })
    }
}

/// A file that is written but not yet renamed into place.
struct Staged {
    file: NamedTempFile,
    path: PathBuf,
}

impl Staged {
    fn put(self) -> Result<PathBuf> {
        let Staged { file, path } = self;
        file.persist(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

/// Temporary files are created with mode 0600; reports are for everyone.
fn readable(file: &NamedTempFile) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644))
}
