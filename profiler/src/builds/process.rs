//! The client side: one build started as a process, from its hello to its exit.

use super::VERB;
use super::protocol::{Counted, Examined, Hello, INVALID, Opened, Reply, Request, VERSION};
use crate::interrupt::{Child, Temporary, spawn};
use crate::profile::opcode_costs::SamplingRun;
use evmscope_reports::run::Rig;
use nix::sys::statvfs::{FsFlags, statvfs};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;
use thiserror::Error;

/// Timeout of the hello, for which the build hashes its own binary.
const HELLO: Duration = Duration::from_secs(20);
/// Timeout of any other answer, long enough for slow cases.
const ANSWER: Duration = Duration::from_secs(600);
/// Longest line to read, bytes; a profile of a case has some hundred thousand.
const LINE: u64 = 64 << 20;

/// Why a build cannot be measured, in one line that names it.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The program does not exist or may not be executed.
    #[error("cannot start {}: {error}; name an evmscope binary", .path.display())]
    Start {
        /// Of the binary.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// There is no folder for temporaries, as the error says.
    #[error("{0}")]
    NoFolder(io::Error),
    /// There is no place for the copy that runs.
    #[error(
        "cannot copy {} to {}: {error}; set TMPDIR to a folder with space", .path.display(), env::temp_dir().display()
    )]
    Copy {
        /// Of the binary.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// Programs may not run from where the copy is.
    #[error(
        "cannot start {}: {} is mounted noexec, and it runs from a copy there; set TMPDIR to another folder",
        .path.display(), env::temp_dir().display()
    )]
    NoExec {
        /// Of the binary.
        path: PathBuf,
    },
    /// No hello: another program, or an evmscope too old to have the verb.
    #[error(
        "{} does not serve samples: it is not evmscope, or older than `evmscope diff`; build a later \
         commit, or compare two runs (`evmscope bench --export-json`)",
        .path.display()
    )]
    Foreign {
        /// Of the binary.
        path: PathBuf,
    },
    /// It serves another version of the protocol.
    #[error(
        "{} uses version {version} of the sampling protocol, this evmscope version {VERSION}: compare \
         two runs instead of binaries (`evmscope bench --export-json`)",
        .path.display()
    )]
    Version {
        /// Of the binary.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// It cannot serve a request.
    #[error("{}: {why}", .path.display())]
    Refused {
        /// Of the binary.
        path: PathBuf,
        /// Its error.
        why: String,
    },
    /// It exited, timed out, or sent an unexpected answer.
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

/// An error of one of several builds, with its index.
pub type OfBuild = (usize, BuildError);

fn last_words(stderr: &str) -> String {
    let last = stderr.lines().rfind(|line| !line.trim().is_empty());
    last.map_or_else(String::new, |line| format!(": {}", line.trim()))
}

/// A running build that waits for requests. Dropping it kills the process.
///
/// It runs from a copy of its file. The physical pages in which the kernel caches a file decide which code
/// conflicts in the CPU's caches, and stay the same while the file is cached. For this reason two copies of one
/// binary differed by 5 % in every launch. With a new copy per launch, the effect varies by launch too.
pub struct Build {
    path: PathBuf,
    child: Child,
    /// Holds the copy and all temporaries of the process, and is removed after its end.
    _folder: Temporary,
    requests: ChildStdin,
    answers: Receiver<io::Result<String>>,
    hello: Hello,
}

impl Build {
    /// Starts a binary and reads its hello.
    ///
    /// # Errors
    /// The program does not start, is not a build of evmscope, or uses another version of the protocol.
    pub fn launch(path: &Path) -> Result<Build, BuildError> {
        let folder = Temporary::folder().map_err(BuildError::NoFolder)?;
        let copy = copy(path, folder.path())?;
        let mut child = run(&copy, folder.path()).map_err(|error| {
            let denied = error.kind() == ErrorKind::PermissionDenied;
            match denied && is_noexec(folder.path()) {
                true => BuildError::NoExec {
                    path: path.to_owned(),
                },
                false => start(path, error),
            }
        })?;
        let pipes = (child.stdin.take(), child.stdout.take());
        let (Some(requests), Some(stdout)) = pipes else {
            return Err(start(path, io::Error::other("it has no pipes")));
        };
        let mut build = Build {
            path: path.to_owned(),
            child,
            _folder: folder,
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

    /// What an error means for the open case alone. A build that ended is launched again, with no case open.
    ///
    /// # Errors
    /// Errors that concern all cases.
    pub fn outlive(&mut self, error: BuildError) -> Result<String, BuildError> {
        match error {
            BuildError::Refused { why, .. } => Ok(why),
            BuildError::Lost { what, stderr, .. } => {
                let path = self.path.clone();
                *self = Build::launch(&path)?;
                Ok(format!(
                    "it {what} while it was measured{}",
                    last_words(&stderr)
                ))
            }
            other => Err(other),
        }
    }

    /// The machine and the build.
    pub fn rig(&self) -> &Rig {
        &self.hello.rig
    }

    /// Verifies a case and prepares it for sampling. One item per mode, in the order asked for.
    pub fn open(&mut self, request: &Request) -> Result<Vec<Opened>, BuildError> {
        match self.ask(request)? {
            Reply::Opened(opened) => Ok(opened),
            _ => Err(self.lost("sent an unexpected answer")),
        }
    }

    /// CPU time per call, ns, from one sample of `calls` calls, first calls if `cold`; and page faults per call, which
    /// older builds do not count.
    pub fn sample(
        &mut self,
        mode: &str,
        calls: u64,
        cold: bool,
    ) -> Result<(f64, Option<f64>), BuildError> {
        let mode = mode.to_owned();
        let request = Request::Sample {
            mode,
            calls,
            cold,
            faults: true,
        };
        match self.ask(&request)? {
            Reply::Sampled(time) => Ok((time, None)),
            Reply::Timed { time, faults } => Ok((time, Some(faults))),
            _ => Err(self.lost("sent an unexpected answer")),
        }
    }

    /// Hardware counters of a mode of the open case. Empty for builds too old to count.
    pub fn count(&mut self, mode: &str) -> Result<Counted, BuildError> {
        let mode = mode.to_owned();
        match self.ask(&Request::Count { mode }) {
            Ok(Reply::Counted(counted)) => Ok(counted),
            Ok(_) => Err(self.lost("sent an unexpected answer")),
            Err(BuildError::Refused { .. }) => Ok(Counted::default()),
            Err(error) => Err(error),
        }
    }

    /// One sampling run of a mode of the open case, of `sample_ms`. `None` from builds too old to know the request.
    pub fn sampling_run(
        &mut self,
        mode: &str,
        sample_ms: u64,
    ) -> Result<Option<SamplingRun>, BuildError> {
        let mode = mode.to_owned();
        match self.ask(&Request::Opcodes { mode, sample_ms }) {
            Ok(Reply::Opcodes(run)) => Ok(Some(run)),
            Ok(_) => Err(self.lost("sent an unexpected answer")),
            Err(BuildError::Refused { why, .. }) if why.starts_with(INVALID) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opcode costs and simulated counters of a mode of the open case. `sample_ms` is the time to sample stacks.
    pub fn examine(&mut self, mode: &str, sample_ms: u64) -> Result<Examined, BuildError> {
        let mode = mode.to_owned();
        match self.ask(&Request::Examine { mode, sample_ms })? {
            Reply::Examined(examined) => Ok(*examined),
            _ => Err(self.lost("sent an unexpected answer")),
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
            return Err(self.lost("exited"));
        }
        let line = match self.answers.recv_timeout(ANSWER) {
            Ok(Ok(line)) => line,
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => return Err(self.lost("exited")),
            Err(RecvTimeoutError::Timeout) => return Err(self.lost("did not answer")),
        };
        match read(&line) {
            Some(Reply::Refused(why)) => Err(BuildError::Refused {
                path: self.path.clone(),
                why,
            }),
            Some(reply) => Ok(reply),
            None => Err(self.lost("sent an unexpected answer")),
        }
    }

    fn lost(&mut self, what: &'static str) -> BuildError {
        self.child.end();
        let mut stderr = String::new();
        if let Some(pipe) = self.child.stderr.take() {
            // If stderr cannot be read, the message is still useful without it.
            let _ = pipe.take(LINE).read_to_string(&mut stderr);
        }
        BuildError::Lost {
            path: self.path.clone(),
            what,
            stderr,
        }
    }
}

/// Copies a binary into a folder.
fn copy(path: &Path, folder: &Path) -> Result<PathBuf, BuildError> {
    let open = || {
        let binary = File::open(path)?;
        match binary.metadata()?.is_file() {
            true => Ok(()),
            false => Err(io::Error::from(ErrorKind::IsADirectory)),
        }
    };
    open().map_err(|error| start(path, error))?;
    let copy = folder.join("evmscope");
    // It keeps the permissions, so the copy is executable.
    fs::copy(path, &copy).map_err(|error| BuildError::Copy {
        path: path.to_owned(),
        error,
    })?;
    Ok(copy)
}

fn is_noexec(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|it| it.flags().contains(FsFlags::ST_NOEXEC))
}

/// Starts a build whose temporaries are in a folder: also those of one that is too old to remove them when it is
/// killed. Retries on ETXTBSY: a process that another thread is just starting may inherit the copy open for writing
/// until its exec.
fn run(program: &Path, folder: &Path) -> io::Result<Child> {
    const TRIES: usize = 50;
    let start = || {
        let mut command = Command::new(program);
        command.arg(VERB).env("TMPDIR", folder);
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        spawn(pipes.stderr(Stdio::piped()))
    };
    for _ in 1..TRIES {
        match start() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
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

/// The lines of a pipe, read by a thread, so that waiting for a line can time out.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<io::Result<String>> {
    // One answer per request, so a program that sends more blocks.
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
            panic!("{} is not a build", path.display())
        };
        let text = error.to_string();
        assert!(text.contains(path.to_str().unwrap()), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        text
    }

    #[test]
    fn programs_that_are_not_builds_are_refused_in_one_line() {
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
    fn the_error_of_a_build_that_exits_has_its_last_line_of_stderr() {
        let mut build = Build::launch(&fixture("exits")).unwrap();
        let error = build.sample("advanced", 1, false).unwrap_err().to_string();
        assert!(
            error.ends_with("exited while it was measured: killed by the test"),
            "{error}"
        );
    }
}
