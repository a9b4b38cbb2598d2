//! How results reach people: standard output, colours, progress, and files that are whole or absent.

use crate::cases::Unreadable;
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

/// Columns where standard output is no terminal.
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

/// Columns of standard output, where that is a terminal.
pub fn columns() -> Option<u16> {
    let size = || Term::stdout().size_checked();
    let terminal = io::stdout().is_terminal();
    terminal.then(|| size().map_or(WIDTH, |(_, columns)| columns))
}

/// Exit code of a comparison that was made and came out badly.
const DIFFERENT: u8 = 3;

/// What a verb has to say on standard output, and how the process ends after it.
pub struct Answer {
    pub text: String,
    /// What went wrong on the way, for standard error.
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

    /// Something that was checked does not hold, as the text says.
    pub fn failure(text: String) -> Answer {
        Answer {
            code: ExitCode::FAILURE,
            ..Answer::success(text)
        }
    }

    /// Two things that must be alike, or as fast, are not.
    pub fn differs(text: String) -> Answer {
        Answer {
            code: ExitCode::from(DIFFERENT),
            ..Answer::success(text)
        }
    }

    /// What could be done with the cases that could be read. The others make it a failure.
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

/// Prints to standard output. A reader that has gone away is no failure.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    unless_unread(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Writes to standard output end here: a reader that has gone away is no failure.
pub fn unless_unread(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot print")
        }
        _ => Ok(()),
    }
}

/// Writes to standard error; where nobody reads that, nobody misses it.
pub fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// A bar on standard error, silent where that is no terminal.
pub fn progress(steps: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(steps);
    if let Ok(style) = ProgressStyle::with_template("{msg:24} {bar:30} {pos}/{len} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

/// Files to be written together: made ready first, so that what cannot be written is found out before
/// anything is measured, and put in place whole.
pub struct Files {
    dir: PathBuf,
}

impl Files {
    /// In a folder, which is made where it is missing.
    ///
    /// # Errors
    /// A folder that cannot be made or written.
    pub fn in_dir(dir: &Path) -> Result<Files> {
        if dir.is_file() {
            bail!(
                "cannot write to {}: it is a file; name a folder",
                dir.display()
            );
        }
        fs::create_dir_all(dir)
            .and_then(|()| NamedTempFile::new_in(dir))
            .map_err(|error| {
                anyhow!(
                    "cannot write to {}: {error}; name another folder",
                    dir.display()
                )
            })?;
        Ok(Files {
            dir: dir.to_path_buf(),
        })
    }

    /// In the folder of a file.
    ///
    /// # Errors
    /// As [`Files::in_dir`], or where the path is a folder itself.
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

    /// Writes a file whole or not at all; returns its path.
    ///
    /// # Errors
    /// As [`Files::write_all`].
    pub fn write(&self, name: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> Result<PathBuf> {
        self.stage(name, contents)?.put()
    }

    /// Writes files that belong together: all are on the disk before the first gets its name.
    ///
    /// # Errors
    /// A full disk and its like; the files that were there before are still there then.
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

/// A file that is written and waits for its name.
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

/// A temporary file is private; a report is not.
fn readable(file: &NamedTempFile) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644))
}
