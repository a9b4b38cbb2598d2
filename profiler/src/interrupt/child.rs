//! Child processes: each is in the registry until it is waited for.

use super::registry::{held, held_to_add};
use super::system::end_with_this_thread;
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{
    self, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio,
};
use std::thread;

/// A running program. Dropping it kills it, with all that it started, and waits for it.
pub struct Child {
    process: process::Child,
    pub stdin: Option<ChildStdin>,
    pub stdout: Option<ChildStdout>,
    pub stderr: Option<ChildStderr>,
    ended: Option<ExitStatus>,
}

/// Starts a program in a process group of its own. It ends with the thread that starts it, at the latest.
///
/// # Errors
/// It cannot be started.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    let mut registry = held_to_add()?;
    end_with_this_thread(command);
    let mut process = command.process_group(0).spawn()?;
    registry.children.insert(id(&process));
    Ok(Child {
        stdin: process.stdin.take(),
        stdout: process.stdout.take(),
        stderr: process.stderr.take(),
        process,
        ended: None,
    })
}

/// Runs a program to its end, with nothing to read, and returns what it wrote.
///
/// # Errors
/// It cannot be started, or its output cannot be read.
pub fn output(command: &mut Command) -> io::Result<Output> {
    let pipes = command.stdin(Stdio::null());
    let mut child = spawn(pipes.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = thread::scope(|scope| {
        let stderr = scope.spawn(|| whole(stderr));
        (whole(stdout), stderr.join())
    });
    Ok(Output {
        status: child.wait()?,
        stdout: stdout?,
        stderr: stderr.unwrap_or_else(|_| Err(io::Error::other("a reader panicked")))?,
    })
}

fn whole(pipe: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

impl Child {
    /// Waits for the program's end.
    ///
    /// # Errors
    /// Those of the system, none of which is expected.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        if let Some(ended) = self.ended {
            return Ok(ended);
        }
        self.stdin = None;
        let id = id(&self.process);
        // Only then is the number given back, so that a signal cannot meet another process of that number.
        let end = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while waitid(Id::Pid(id), end) == Err(Errno::EINTR) {}
        let mut registry = held();
        let ended = self.process.wait()?;
        registry.children.remove(&id);
        self.ended = Some(ended);
        Ok(ended)
    }

    /// Kills the program and waits for it. Ignores errors: it may have ended already.
    pub fn end(&mut self) {
        if self.ended.is_none() {
            let _ = killpg(id(&self.process), Signal::SIGKILL);
            let _ = self.wait();
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}

fn id(process: &process::Child) -> Pid {
    Pid::from_raw(process.id().cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_is_read_whole_from_both_pipes() {
        // Each more than a pipe holds, so that reading one after the other would wait forever.
        let both = "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero; exit 7";
        let output = output(&mut shell(both)).unwrap();
        assert_eq!(output.status.code(), Some(7));
        assert_eq!(
            (output.stdout.len(), output.stderr.len()),
            (300_000, 300_000)
        );
        let absent = super::output(&mut Command::new("/no/such/program"));
        assert_eq!(absent.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_dropped_child_takes_with_it_what_it_started() {
        let mut child = spawn(shell("sleep 1000 & echo; wait").stdout(Stdio::piped())).unwrap();
        let mut pipe = child.stdout.take().unwrap();
        pipe.read_exact(&mut [0]).unwrap();
        drop(child);
        // Its end comes when no process holds the pipe any more.
        assert_eq!(pipe.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn a_child_ends_with_the_thread_that_started_it() {
        let start = || spawn(&mut shell("exec sleep 1000")).unwrap();
        let mut child = thread::spawn(start).join().unwrap();
        assert!(!child.wait().unwrap().success());
        assert_eq!(child.wait().unwrap(), child.wait().unwrap());
    }
}
