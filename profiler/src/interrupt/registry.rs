//! The list of all temporaries and children, and the thread that removes and ends them at a signal.
//!
//! The signals are handled from the first entry on. Until then their default action leaves nothing behind, and a
//! process that measures itself has no second thread: the allocator of the C library takes locks once there is one.

use super::system::is_ignored;
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// What exists now. Whoever holds it is not interrupted.
pub struct Registry {
    pub temporaries: BTreeSet<PathBuf>,
    /// Processes that are not waited for yet. Each leads a group of its own, with all that it starts.
    pub children: BTreeSet<Pid>,
    listening: bool,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    temporaries: BTreeSet::new(),
    children: BTreeSet::new(),
    listening: false,
});

/// The registry. After a signal this never returns, and the process ends.
pub fn held() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The registry, to add to it.
///
/// # Errors
/// The signals cannot be handled: no thread or no descriptor is left.
pub fn held_to_add() -> io::Result<MutexGuard<'static, Registry>> {
    let mut registry = held();
    if !registry.listening {
        listen()?;
        registry.listening = true;
    }
    Ok(registry)
}

/// Waits for the end of the process if a signal came: what happens from then on, such as the end of a child, is no
/// result and no error to report.
pub fn settle() {
    drop(held());
}

/// The waiting thread's stack, bytes.
const STACK: usize = 256 << 10;

/// Starts the thread that waits for the signals. One that is ignored stays so, such as HUP below nohup.
fn listen() -> io::Result<()> {
    let of_interest = [SIGINT, SIGTERM, SIGHUP].into_iter();
    let mut signals = Signals::new(of_interest.filter(|signal| !is_ignored(*signal)))?;
    let waiting = thread::Builder::new()
        .name("interrupt".to_owned())
        .stack_size(STACK);
    waiting.spawn(move || {
        // No signal is for this thread, SIGPROF of the sampler included: other threads get them, and the library wakes
        // this one through a pipe.
        let blocked = SigSet::all().thread_block();
        debug_assert_eq!(blocked, Ok(()));
        if let Some(signal) = signals.forever().next() {
            end(signal);
        }
    })?;
    Ok(())
}

/// Ends all children, then removes all temporaries, then ends the process.
fn end(signal: i32) {
    // Never given back: nothing new begins, nothing is renamed into place, and no child is waited for elsewhere.
    let registry = held();
    for child in &registry.children {
        // Waited for by nobody, so the number is still that child's. Errors: it has ended already.
        let _ = killpg(*child, Signal::SIGKILL);
    }
    for child in &registry.children {
        let _ = waitpid(*child, None);
    }
    for path in &registry.temporaries {
        // There is nobody left to report an error to.
        let _ = remove(path);
    }
    exit(128 + signal);
}

/// Removes a temporary, which may be gone already.
pub fn remove(path: &Path) -> io::Result<()> {
    // What was just killed, or another thread, may still add a file to a folder that is being emptied.
    const TRIES: usize = 10;
    let once = || match path.symlink_metadata()?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    for _ in 1..TRIES {
        match once() {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            removed => return removed,
        }
    }
    once()
}
