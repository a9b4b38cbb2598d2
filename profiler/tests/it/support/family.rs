//! A run of the binary that is interrupted: its processes and its temporaries, told by a TMPDIR of its own. Nothing here
//! is timed: tests wait for what must come, and give up long after that.

use super::{Folder, command};
use nix::libc;
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for anything, with a debug build on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "never came: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A started run, in a folder of its own with `tmp` as TMPDIR. Dropping it kills what is left.
pub struct Family {
    pub folder: Folder,
    parent: Child,
}

impl Family {
    /// Starts the binary in the folder, with the default action of all signals but `ignored`.
    pub fn start(folder: Folder, arguments: &[&str], ignored: Option<Signal>) -> Family {
        Family::start_as(folder, &mut command(arguments), ignored)
    }

    pub fn start_as(folder: Folder, command: &mut Command, ignored: Option<Signal>) -> Family {
        fs::create_dir_all(folder.path("tmp")).unwrap();
        let file = |name: &str| File::create(folder.path(name)).unwrap();
        command
            .current_dir(folder.path(""))
            .env("TMPDIR", folder.path("tmp"))
            .stdout(file("stdout"))
            .stderr(file("stderr"));
        let actions = move || {
            for name in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
                let action = match ignored == Some(name) {
                    true => SigHandler::SigIgn,
                    false => SigHandler::SigDfl,
                };
                // SAFETY: neither action is a function.
                unsafe { signal(name, action) }?;
            }
            Ok(())
        };
        // SAFETY: the closure makes system calls only.
        unsafe { command.pre_exec(actions) };
        let parent = command.spawn().unwrap();
        Family { folder, parent }
    }

    /// The processes that live, by what they have of this run in their environment: their command lines.
    pub fn alive(&self) -> Vec<(Pid, String)> {
        let mark = self.folder.path("");
        let mark = mark.to_str().unwrap().trim_end_matches('/').as_bytes();
        let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let entry = entry.ok()?;
            let id: i32 = entry.file_name().to_str()?.parse().ok()?;
            // One that has ended and is not waited for has none.
            let environment = fs::read(entry.path().join("environ")).ok()?;
            let is_marked = environment.windows(mark.len()).any(|it| it == mark);
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            is_marked.then(|| {
                let line = String::from_utf8_lossy(&line).replace('\0', " ");
                (Pid::from_raw(id), line)
            })
        });
        processes.collect()
    }

    /// Waits until processes with these words in their command lines live, beside the run itself.
    #[track_caller]
    pub fn wait_for(&mut self, words: &[&str]) {
        let own = Pid::from_raw(self.parent.id().cast_signed());
        until(&format!("processes with {words:?}"), || {
            self.expect_running();
            let alive = self.alive();
            let mut others = alive.iter().filter(|(id, _)| *id != own);
            words
                .iter()
                .all(|word| others.any(|(_, line)| line.contains(word)))
        });
    }

    /// Waits until a folder of the run has something whose name begins so.
    #[track_caller]
    pub fn wait_for_file(&mut self, folder: &str, begins: &str) {
        until(&format!("{begins}.. in {folder}"), || {
            self.expect_running();
            self.names(folder).iter().any(|it| it.starts_with(begins))
        });
    }

    #[track_caller]
    fn expect_running(&mut self) {
        if let Some(status) = self.parent.try_wait().unwrap() {
            panic!("it ended early, {status}: {}", self.text("stderr"));
        }
    }

    /// What is in a folder of the run, if it is there.
    pub fn names(&self, folder: &str) -> Vec<String> {
        match self.folder.path(folder).is_dir() {
            true => self.folder.files(folder),
            false => Vec::new(),
        }
    }

    pub fn text(&self, file: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path(file)).unwrap()).into_owned()
    }

    /// Sends a signal to the run itself.
    pub fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.parent.id().cast_signed()), signal).unwrap();
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.parent.wait().unwrap()
    }

    /// Waits until none of its processes lives.
    #[track_caller]
    pub fn expect_nobody(&self) {
        let mut left = Vec::new();
        until("the end of all processes", || {
            left = self.alive();
            left.is_empty()
        });
    }

    /// Sends a signal: it ends with the code for that, in silence, and nothing is left.
    #[track_caller]
    pub fn interrupt(&mut self, signal: Signal) {
        self.send(signal);
        let status = self.wait();
        let said = self.text("stderr");
        assert_eq!(status.code(), Some(128 + signal as i32), "{status}: {said}");
        self.expect_nobody();
        assert_eq!(self.names("tmp"), [""; 0]);
        assert!(
            !said.contains("error") && !said.contains("panicked"),
            "{said}"
        );
        assert_eq!(self.text("stdout"), "");
    }

    /// Sends SIGKILL, which leaves it no time for anything.
    pub fn kill(&mut self) {
        self.send(Signal::SIGKILL);
        assert_eq!(self.wait().signal(), Some(libc::SIGKILL));
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        // Of a test that failed; most have ended long ago.
        let _ = self.parent.kill();
        let _ = self.parent.wait();
        for (id, _) in self.alive() {
            let _ = kill(id, Signal::SIGKILL);
        }
    }
}

/// An executable script in a folder.
pub fn script(folder: &Folder, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.write(name, &format!("#!/bin/sh\n{text}\n"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// The cases of this project.
pub fn cases() -> String {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases");
    cases.to_str().unwrap().to_owned()
}
