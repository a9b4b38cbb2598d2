//! The two questions to the kernel behind interruptions for which there is no safe function.
//!
//! Unsafe: reads a signal's action, and runs a function in a child between fork and exec.

#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::libc;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, getppid};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

/// Whether the signal is ignored, as whoever started this process wanted.
pub fn is_ignored(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action the call writes the present one and changes nothing; it is initialised on success.
    unsafe {
        let got = libc::sigaction(signal, ptr::null(), action.as_mut_ptr());
        got == 0 && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

/// Lets the child end when the thread that starts it ends, however that happens.
pub fn end_with_this_thread(command: &mut Command) {
    let parent = getpid();
    // SAFETY: after a fork only functions that a signal handler may call are allowed. These are two system calls,
    // nothing is allocated, and no lock is taken.
    unsafe { command.pre_exec(move || prepare(parent)) };
}

fn prepare(parent: Pid) -> io::Result<()> {
    // Where a sandbox refuses this, the child lives without it.
    let _ = set_pdeathsig(Signal::SIGKILL);
    // The parent may have ended before that call.
    match getppid() == parent {
        true => Ok(()),
        false => Err(Errno::ESRCH.into()),
    }
}
