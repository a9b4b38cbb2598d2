//! The side that asks: one build, started as a process, from its hello to its end.

use super::VERB;
use super::protocol::{Counted, Examined, Hello, Opened, Reply, Request, VERSION};
use evmscope_reports::run::Rig;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;
use tempfile::{NamedTempFile, TempPath};
use thiserror::Error;

/// Time for the hello, which reads the binary's own bytes.
const HELLO: Duration = Duration::from_secs(20);
/// Time for any other answer: cases may be long, but not endless.
const ANSWER: Duration = Duration::from_secs(600);
/// Longest line that is read, bytes; a profile of a case has some hundred thousand.
const LINE: u64 = 64 << 20;

/// Why a build cannot be measured; one line, that names it.
#[derive(Debug, Error)]
pub enum BuildError {
    /// There is no such program, or it may not be run.
    #[error("cannot start {}: {error}; name a binary of evmscope (a copy of it is started, in TMPDIR)", .path.display())]
    Start {
        /// Of the binary.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It says something else, or nothing: another program, or an evmscope from before the verb.
    #[error(
        "{} does not serve samples: it is no evmscope, or one from before `evmscope diff`; build a later \
         commit, or compare two runs (`evmscope bench --export-json`)",
        .path.display()
    )]
    Foreign {
        /// Of the binary.
        path: PathBuf,
    },
    /// It serves another version of the protocol.
    #[error(
        "{} speaks version {version} of the protocol for samples, this evmscope version {VERSION}: compare \
         two runs in place of binaries (`evmscope bench --export-json`)",
        .path.display()
    )]
    Version {
        /// Of the binary.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// It says that a request cannot be done.
    #[error("{}: {why}", .path.display())]
    Refused {
        /// Of the binary.
        path: PathBuf,
        /// Its words.
        why: String,
    },
    /// It ended, fell silent, or answered something else.
    #[error("{} {what} while it was measured{}", .path.display(), last_words(.stderr))]
    Lost {
        /// Of the binary.
        path: PathBuf,
        /// What happened.
        what: &'static str,
        /// What it wrote to stderr.
        stderr: String,
    },
}

fn last_words(stderr: &str) -> String {
    let last = stderr.lines().rfind(|line| !line.trim().is_empty());
    last.map_or_else(String::new, |line| format!(": {}", line.trim()))
}

/// A build that runs and waits. Dropping it ends it.
///
/// It runs from a copy of its file: in which pages of memory the kernel keeps a file decides what of it meets in
/// a cache, for as long as the file is kept. Two copies of one binary differed by 5 % for that, launch
/// after launch. A new copy each time makes it a part of what varies by launch.
pub struct Build {
    path: PathBuf,
    /// Removed when the process is gone.
    _copy: TempPath,
    child: Child,
    requests: ChildStdin,
    answers: Receiver<io::Result<String>>,
    hello: Hello,
}

impl Build {
    /// Starts a binary and reads its hello.
    ///
    /// # Errors
    /// What does not start, is no build of this program, or serves another version.
    pub fn launch(path: &Path) -> Result<Build, BuildError> {
        let copy = copy(path).map_err(|error| start(path, error))?;
        let mut child = spawn(&copy).map_err(|error| start(path, error))?;
        let pipes = (child.stdin.take(), child.stdout.take());
        let (Some(requests), Some(stdout)) = pipes else {
            return Err(start(path, io::Error::other("it has no pipes")));
        };
        let mut build = Build {
            path: path.to_owned(),
            _copy: copy,
            child,
            requests,
            answers: lines(stdout),
            hello: Hello {
                protocol: VERSION,
                rig: Rig::default(),
                modes: Vec::new(),
            },
        };
        build.hello = build.greet()?;
        Ok(build)
    }

    /// Machine and build.
    pub fn rig(&self) -> &Rig {
        &self.hello.rig
    }

    /// Verifies a case and makes it ready; a mode each, in the order asked for.
    pub fn open(&mut self, request: &Request) -> Result<Vec<Opened>, BuildError> {
        match self.ask(request)? {
            Reply::Opened(opened) => Ok(opened),
            _ => Err(self.lost("answered something else")),
        }
    }

    /// CPU time of a call, ns, by one sample of `calls`.
    pub fn sample(&mut self, mode: &str, calls: u64) -> Result<f64, BuildError> {
        let mode = mode.to_owned();
        match self.ask(&Request::Sample { mode, calls })? {
            Reply::Sampled(time) => Ok(time),
            _ => Err(self.lost("answered something else")),
        }
    }

    /// What the PMU counts in a mode of the open case. Nothing where the build is from before that.
    pub fn count(&mut self, mode: &str) -> Result<Counted, BuildError> {
        let mode = mode.to_owned();
        match self.ask(&Request::Count { mode }) {
            Ok(Reply::Counted(counted)) => Ok(counted),
            Ok(_) => Err(self.lost("answered something else")),
            Err(BuildError::Refused { .. }) => Ok(Counted::default()),
            Err(error) => Err(error),
        }
    }

    /// What is found out once about a mode of the open case.
    pub fn examine(&mut self, mode: &str, sample_ms: u64) -> Result<Examined, BuildError> {
        let mode = mode.to_owned();
        match self.ask(&Request::Examine { mode, sample_ms })? {
            Reply::Examined(examined) => Ok(*examined),
            _ => Err(self.lost("answered something else")),
        }
    }

    fn greet(&self) -> Result<Hello, BuildError> {
        #[derive(Deserialize)]
        struct Version {
            protocol: u32,
        }
        let path = || self.path.clone();
        let foreign = || BuildError::Foreign { path: path() };
        let Ok(Ok(line)) = self.answers.recv_timeout(HELLO) else {
            return Err(foreign());
        };
        let Version { protocol } = read(&line).ok_or_else(foreign)?;
        if protocol != VERSION {
            return Err(BuildError::Version {
                path: path(),
                version: protocol,
            });
        }
        read(&line).ok_or_else(foreign)
    }

    fn ask(&mut self, request: &Request) -> Result<Reply, BuildError> {
        let sent = serde_json::to_string(request)
            .map_err(io::Error::other)
            .and_then(|line| writeln!(self.requests, "{line}"))
            .and_then(|()| self.requests.flush());
        if sent.is_err() {
            return Err(self.lost("ended"));
        }
        let line = match self.answers.recv_timeout(ANSWER) {
            Ok(Ok(line)) => line,
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => return Err(self.lost("ended")),
            Err(RecvTimeoutError::Timeout) => return Err(self.lost("fell silent")),
        };
        match read(&line) {
            Some(Reply::Refused(why)) => Err(BuildError::Refused {
                path: self.path.clone(),
                why,
            }),
            Some(reply) => Ok(reply),
            None => Err(self.lost("answered something else")),
        }
    }

    fn lost(&mut self, what: &'static str) -> BuildError {
        self.end();
        let mut stderr = String::new();
        if let Some(pipe) = self.child.stderr.take() {
            // What cannot be read is missing from a message that says enough without.
            let _ = pipe.take(LINE).read_to_string(&mut stderr);
        }
        BuildError::Lost {
            path: self.path.clone(),
            what,
            stderr,
        }
    }

    /// A process that has gone already is gone all the same.
    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Build {
    fn drop(&mut self) {
        self.end();
    }
}

fn copy(path: &Path) -> io::Result<TempPath> {
    let copy = NamedTempFile::new()?.into_temp_path();
    // With the permissions.
    fs::copy(path, &copy)?;
    Ok(copy)
}

/// Another thread that starts a process at this moment may hold the copy open for writing until its child
/// runs; so wait for that.
fn spawn(program: &Path) -> io::Result<Child> {
    const TRIES: usize = 50;
    let start = || {
        Command::new(program)
            .arg(VERB)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    };
    for _ in 1..TRIES {
        match start() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                thread::sleep(Duration::from_millis(10));
            }
            started => return started,
        }
    }
    start()
}

fn start(path: &Path, error: io::Error) -> BuildError {
    BuildError::Start {
        path: path.to_owned(),
        error,
    }
}

fn read<T: DeserializeOwned>(line: &str) -> Option<T> {
    serde_json::from_str(line).ok()
}

/// The lines of a pipe, read by a thread of their own, so that waiting for one can end.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<io::Result<String>> {
    // An answer follows a request: whoever says more than that waits.
    let (sender, receiver) = sync_channel(1);
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        loop {
            let mut line = String::new();
            let read = pipe.by_ref().take(LINE).read_line(&mut line);
            let end = !matches!(read, Ok(1..)) || !line.ends_with('\n');
            let sent = match read {
                Ok(0) => break,
                Ok(_) => sender.send(Ok(line)),
                Err(error) => sender.send(Err(error)),
            };
            if end || sent.is_err() {
                break;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/builds")
            .join(name)
    }

    fn refusal(path: &Path) -> String {
        let Err(error) = Build::launch(path) else {
            panic!("{} is no build", path.display())
        };
        let text = error.to_string();
        assert!(text.contains(path.to_str().unwrap()), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        text
    }

    #[test]
    fn what_is_no_build_gets_its_line() {
        for (path, why) in [
            (fixture("silent"), "does not serve samples"),
            (PathBuf::from("/usr/bin/yes"), "does not serve samples"),
            (fixture("other-version"), "version 99"),
            (fixture("nothing"), "No such file"),
            (fixture(""), "cannot start"),
        ] {
            let text = refusal(&path);
            assert!(text.contains(why), "{text}");
        }
    }

    #[test]
    fn a_build_that_ends_is_told_with_its_last_words() {
        let mut build = Build::launch(&fixture("falls")).unwrap();
        let error = build.sample("advanced", 1).unwrap_err().to_string();
        assert!(
            error.ends_with("ended while it was measured: killed by the test"),
            "{error}"
        );
    }
}
