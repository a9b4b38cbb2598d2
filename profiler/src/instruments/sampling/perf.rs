//! Sampling by the kernel: a perf event of the calling thread in user mode, and its ring.

use super::record::{Fields, Record, records};
use super::ring::Ring;
use super::{Sample, Session, StackRegisters, Taken};
use crate::instruments::counters;
use evmscope_reports::counter::Counter;
use perf_event::events::{Event, Hardware, Software};
use perf_event::{Builder, Clock};
use std::io;
use std::time::{Duration, Instant};

/// The event that triggers samples.
pub enum Trigger {
    /// The PMU's cycle counter.
    Cycles,
    /// A timer on the CPU clock.
    CpuClock,
    /// The perf event behind a counter.
    Counter(Counter),
}

impl Trigger {
    fn event(&self) -> io::Result<Event> {
        match self {
            Trigger::Cycles => Ok(Hardware::CPU_CYCLES.into()),
            Trigger::CpuClock => Ok(Software::CPU_CLOCK.into()),
            Trigger::Counter(counter) => counters::event(*counter)
                .ok_or_else(|| io::Error::other(format!("{counter} is not a perf event"))),
        }
    }
}

/// Runs the session while the kernel samples it.
///
/// The ring is emptied between calls by this same thread: a call whose samples do not fit the ring loses some, and
/// the lost ones are counted.
pub(super) fn take(trigger: Trigger, session: &mut Session) -> io::Result<Taken> {
    let hz = session.request.hz.min(highest_rate().unwrap_or(u32::MAX));
    let fields = Fields {
        chain: session.request.chain,
        registers: session.request.words.map_or(0, |_| REGISTERS),
        stack: match REGISTERS {
            0 => 0,
            _ => session.request.words.map_or(0, |stack| stack as u32),
        },
    };
    let mut reader = RingReader {
        ring: Ring::open(event(&trigger, hz, fields)?)?,
        fields,
        taken: Taken::default(),
        overflowed: false,
    };
    reader.ring.start()?;
    session.run(|| {
        if reader.ring.is_half_full() {
            reader.read()?;
            reader.ring.start()?;
        }
        io::Result::Ok(())
    })?;
    reader.read()?;
    reader.read_losses(hz)?;
    Ok(reader.taken)
}

/// Whether the ring opens.
pub(super) fn try_open(trigger: Trigger) -> io::Result<()> {
    Ring::open(event(&trigger, 1, Fields::default())?).map(drop)
}

/// The general registers, one bit per register (`asm/perf_regs.h`). A sample has them in the order of the bits.
#[cfg(target_arch = "x86_64")]
const REGISTERS: u64 = 0xff01ff;
#[cfg(target_arch = "aarch64")]
const REGISTERS: u64 = (1 << 32) - 1;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const REGISTERS: u64 = 0;

/// Index of the register of a function's first argument; indices of stack pointer, frame pointer and link register.
#[cfg(not(target_arch = "aarch64"))]
const PLACES: (usize, [usize; 3]) = (5, [7, 6, 8]);
#[cfg(target_arch = "aarch64")]
const PLACES: (usize, [usize; 3]) = (0, [31, 29, 30]);

/// Fills in `stack_registers` and moves the first argument to the front.
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

struct RingReader {
    ring: Ring,
    fields: Fields,
    taken: Taken,
    /// Whether the kernel may have dropped records without reporting it: it reports losses only when it writes the
    /// next record.
    overflowed: bool,
}

impl RingReader {
    fn read(&mut self) -> io::Result<()> {
        let bytes = self.ring.stop()?;
        if !bytes.is_empty() {
            self.overflowed = self.ring.was_filled_by(&bytes);
            records(&bytes, self.fields).for_each(|record| self.taken.add(record));
        }
        Ok(())
    }

    /// Lets the kernel write one more record, so that it reports the losses before it.
    fn read_losses(&mut self, hz: u32) -> io::Result<()> {
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
        // The sample itself is dropped: it is of the loop above.
        let losses =
            records(&bytes, self.fields).filter(|record| matches!(record, Record::Lost(_)));
        losses.for_each(|lost| self.taken.add(lost));
        Ok(())
    }
}

/// `kernel.perf_event_max_sample_rate`, if it can be read: the kernel refuses higher rates, and lowers the limit if sampling takes too
/// much time.
pub fn highest_rate() -> Option<u32> {
    let setting = std::fs::read_to_string("/proc/sys/kernel/perf_event_max_sample_rate");
    let rate: Option<u32> = setting.ok().and_then(|text| text.trim().parse().ok());
    rate.map(|rate| rate.max(1))
}

fn event<'a>(trigger: &Trigger, hz: u32, fields: Fields) -> io::Result<Builder<'a>> {
    let mut event = Builder::new().kind(trigger.event()?);
    event
        .sample_frequency(hz.into())
        .exclude_callchain_kernel(true)
        // The clock of `Instant`, so that samples can be related to other events of the run.
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
