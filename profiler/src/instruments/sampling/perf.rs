//! Sampling by the kernel: an event of the own thread in user mode, and its ring.

use super::record::{Fields, Record, records};
use super::ring::Ring;
use super::{Sample, Session, StackRegisters, Taken};
use crate::instruments::counters;
use evmscope_reports::counter::Counter;
use perf_event::events::{Event, Hardware, Software};
use perf_event::{Builder, Clock};
use std::io;
use std::time::{Duration, Instant};

/// What makes the kernel take a sample.
pub enum Trigger {
    /// The PMU, every so many cycles.
    Cycles,
    /// A timer on the CPU clock.
    CpuClock,
    /// The event that a counter counts, every so many.
    Counter(Counter),
}

impl Trigger {
    fn event(&self) -> io::Result<Event> {
        match self {
            Trigger::Cycles => Ok(Hardware::CPU_CYCLES.into()),
            Trigger::CpuClock => Ok(Software::CPU_CLOCK.into()),
            Trigger::Counter(counter) => counters::event(*counter)
                .ok_or_else(|| io::Error::other(format!("{counter} is no event"))),
        }
    }
}

/// Runs the session under the kernel's eye.
///
/// The ring is emptied between calls, since this thread is the only one that could: a call whose
/// samples do not fit the ring loses some, and they are counted.
pub(super) fn take(trigger: Trigger, session: &mut Session) -> io::Result<Taken> {
    let hz = session.request.hz.min(highest_rate());
    let fields = Fields {
        chain: session.request.chain,
        registers: session.request.words.map_or(0, |_| REGISTERS),
        stack: match REGISTERS {
            0 => 0,
            _ => session.request.words.map_or(0, |stack| stack as u32),
        },
    };
    let mut harvest = Harvest {
        ring: Ring::open(event(&trigger, hz, fields)?)?,
        fields,
        taken: Taken::default(),
        overflowed: false,
    };
    harvest.ring.start()?;
    session.run(|| {
        if harvest.ring.is_half_full() {
            harvest.gather()?;
            harvest.ring.start()?;
        }
        io::Result::Ok(())
    })?;
    harvest.gather()?;
    harvest.settle(hz)?;
    Ok(harvest.taken)
}

/// Whether the ring opens.
pub(super) fn try_open(trigger: Trigger) -> io::Result<()> {
    Ring::open(event(&trigger, 1, Fields::default())?).map(drop)
}

/// The general registers, a bit each (`asm/perf_regs.h`), which is also their order in a sample.
#[cfg(target_arch = "x86_64")]
const REGISTERS: u64 = 0xff01ff;
#[cfg(target_arch = "aarch64")]
const REGISTERS: u64 = (1 << 32) - 1;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const REGISTERS: u64 = 0;

/// Where among them a function's first argument is, and those that lead to callers: stack pointer, frame
/// pointer, link.
#[cfg(not(target_arch = "aarch64"))]
const PLACES: (usize, [usize; 3]) = (5, [7, 6, 8]);
#[cfg(target_arch = "aarch64")]
const PLACES: (usize, [usize; 3]) = (0, [31, 29, 30]);

/// Tells the registers that have a meaning from the others.
fn sort_registers(sample: &mut Sample) {
    let (first, [stack, frame, link]) = PLACES;
    let at = |place: usize| sample.registers.get(place).copied();
    sample.stack_registers = at(stack)
        .zip(at(frame))
        .zip(at(link))
        .map(|((stack, frame), link)| StackRegisters { stack, frame, link });
    if let Some(before) = sample.registers.get_mut(..=first) {
        before.rotate_right(1);
    }
}

struct Harvest {
    ring: Ring,
    fields: Fields,
    taken: Taken,
    /// Whether the kernel may have dropped records that it has not told of yet: it does so only when
    /// it writes the next one.
    overflowed: bool,
}

impl Harvest {
    fn gather(&mut self) -> io::Result<()> {
        let bytes = self.ring.stop()?;
        if !bytes.is_empty() {
            self.overflowed = self.ring.was_filled_by(&bytes);
            records(&bytes, self.fields).for_each(|record| self.taken.add(record));
        }
        Ok(())
    }

    /// Lets the kernel write one more record, for the losses that come before it.
    fn settle(&mut self, hz: u32) -> io::Result<()> {
        if !self.overflowed {
            return Ok(());
        }
        let patience = Duration::from_millis(50).max(10 * Duration::from_secs(1) / hz);
        let start = Instant::now();
        self.ring.start()?;
        while self.ring.is_empty() && start.elapsed() < patience {
            std::hint::spin_loop();
        }
        let bytes = self.ring.stop()?;
        // The sample itself is of this loop.
        let losses =
            records(&bytes, self.fields).filter(|record| matches!(record, Record::Lost(_)));
        losses.for_each(|lost| self.taken.add(lost));
        Ok(())
    }
}

/// `kernel.perf_event_max_sample_rate`: the kernel refuses more, and lowers it where sampling
/// proves costly.
pub fn highest_rate() -> u32 {
    let setting = std::fs::read_to_string("/proc/sys/kernel/perf_event_max_sample_rate");
    let rate = setting.ok().and_then(|text| text.trim().parse().ok());
    rate.unwrap_or(u32::MAX).max(1)
}

fn event<'a>(trigger: &Trigger, hz: u32, fields: Fields) -> io::Result<Builder<'a>> {
    let mut event = Builder::new().kind(trigger.event()?);
    event
        .sample_frequency(hz.into())
        .exclude_callchain_kernel(true)
        // The clock of `Instant`, so that samples can be placed among other events of the run.
        .clockid(Clock::MONOTONIC);
    let attributes = event.attrs_mut();
    attributes.sample_type = fields.sample_type();
    attributes.sample_regs_user = fields.registers;
    attributes.sample_stack_user = fields.stack;
    Ok(event)
}

impl Taken {
    fn add(&mut self, record: Record) {
        match record {
            Record::Lost(n) => self.lost += n,
            Record::Sample(mut sample) => {
                sort_registers(&mut sample);
                self.taken += 1;
                self.stacks.push(sample);
            }
        }
    }
}
