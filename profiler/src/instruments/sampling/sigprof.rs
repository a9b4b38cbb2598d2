//! Sampling by SIGPROF with the crate `pprof`, for machines that refuse perf_event_open.
//!
//! Coarser than a ring: the kernel's tick limits the rate, samples are merged per function, and samples in libc are
//! dropped.

use super::{Failure, Sample, Session, Taken};
use crate::symbols::Symbols;
use nix::sys::pthread::pthread_self;
use std::convert::Infallible;

/// Unwinding from these libraries crashes in multi-threaded programs.
const NOT_UNWOUND: &[&str] = &["libc", "libgcc", "pthread", "vdso"];
/// pprof's signal handler. The next outer frame is the kernel's trampoline, and the one after it was sampled.
const HANDLER: &str = "perf_signal_handler";

/// Runs the session under SIGPROF.
pub(super) fn take(session: &mut Session) -> Result<Taken, Failure> {
    let symbols = Symbols::of_this_process()?;
    let profiler = pprof::ProfilerGuardBuilder::default()
        .frequency(session.request.hz.try_into().unwrap_or(i32::MAX))
        .blocklist(NOT_UNWOUND)
        .build()?;
    let Ok(()) = session.run(|| Ok::<_, Infallible>(()));
    let report = profiler.report().build_unresolved()?;
    drop(profiler);

    let mut taken = Taken::default();
    // The timer counts the CPU time of the process, so other threads are sampled too.
    let this_thread = pthread_self() as u64;
    for (frames, &count) in &report.data {
        if frames.thread_id != this_thread {
            continue;
        }
        let count = count.unsigned_abs() as u64;
        let addresses: Vec<_> = frames
            .frames
            .iter()
            .map(|frame| frame.ip() as u64)
            .collect();
        match interrupted(&addresses, &symbols) {
            Some((&ip, callers)) => {
                taken.taken += count;
                taken.stacks.push(Sample {
                    ip,
                    callers: callers.to_vec(),
                    weight: count,
                    time: None,
                    ..Sample::default()
                });
            }
            None => taken.lost += count,
        }
    }
    // Each sample weighs an equal share of the CPU time. pprof itself converts with the requested rate, which is
    // wrong if the tick (often 250 Hz) limits it.
    let ns_per_sample = session.cpu_time / taken.taken.max(1);
    taken
        .stacks
        .iter_mut()
        .for_each(|s| s.weight *= ns_per_sample);
    // The report is a hash map; sorting makes the result deterministic.
    taken.stacks.sort_by_key(|s| (s.ip, s.weight));
    Ok(taken)
}

/// The sampled part of a stack that begins inside the signal handler.
fn interrupted<'a>(addresses: &'a [u64], symbols: &Symbols) -> Option<(&'a u64, &'a [u64])> {
    let handler = addresses
        .iter()
        .position(|&address| symbols.symbol(address).is_some_and(|name| name == HANDLER))?;
    addresses.get(handler + 2..)?.split_first()
}
