//! Sampling by SIGPROF, for machines that refuse perf_event_open.
//!
//! A timer interrupts the thread, and the signal handler copies registers and the top of the stack, as the kernel does
//! for a ring. Everything else happens afterwards.

mod handler;
mod machine;
mod records;
#[cfg(test)]
mod tests;

use super::{Failure, Session, Taken};
use handler::Sampled;
use std::time::Duration;

/// Runs the session under SIGPROF.
pub(super) fn take(session: &mut Session) -> Result<Taken, Failure> {
    let stack = session.request.words.map_or(0, |stack| stack as usize / 8);
    let period = Duration::from_secs(1) / session.request.hz;
    let mut sampled = Sampled::new(stack)?;
    let mut taken = Taken::default();
    sampled.start(period)?;
    session.run(|| {
        if sampled.records().is_half_full() {
            sampled.stop()?;
            taken.add_records(&sampled);
            sampled.start(period)?;
        }
        Ok::<_, Failure>(())
    })?;
    sampled.stop()?;
    taken.add_records(&sampled);

    // The signals are as far apart as the kernel and other threads let them be, so samples share the CPU time
    // equally. Lost ones keep their share.
    let weight = session.cpu_time / (taken.taken + taken.lost).max(1);
    taken.stacks.iter_mut().for_each(|it| it.weight = weight);
    Ok(taken)
}

impl Taken {
    fn add_records(&mut self, sampled: &Sampled) {
        let (samples, lost) = sampled.records().take();
        self.taken += samples.len() as u64;
        self.lost += lost;
        self.stacks.extend(samples);
    }
}
