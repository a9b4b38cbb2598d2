//! Sampling: where the work's CPU time goes, as instruction pointers of the calling thread.
//!
//! Takes raw samples; addresses are resolved by `symbols`, stacks are folded by `profile`. A sampled run is never
//! timed: sampling costs 3 to 10 %.

mod perf;
mod record;
mod ring;
mod sigprof;

use crate::instruments::clock::{ClockError, ThreadClock};
use crate::instruments::region::measured_region;
use evmscope_reports::counter::Counter;
use nix::errno::Errno;
use perf::Trigger;
use std::time::{Duration, Instant};
use thiserror::Error;

/// How to sample.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The only sampler to try; none for the best that works.
    pub sampler: Option<Sampler>,
    /// Requested samples per second of CPU time; [`Samples::rate`] is what was achieved.
    pub hz: u32,
    /// Wall-clock time after which no further call of the work begins.
    pub budget: Duration,
    /// Whether a ring records callers through the chain of frame pointers. Without `-Cforce-frame-pointers=yes` in the
    /// build they are garbage; the leaf is right in any case.
    pub chain: bool,
    /// Whether to record registers and the top of the stack, and how much of it. The interpreter's own position is
    /// found there.
    pub words: Option<Stack>,
}

/// How much of the stack to record with a sample, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// The frames of a handler's direct callees.
    Top = 256,
    /// Deeper callees too: in hash10k 98 % of the samples can be located with it, 12 % with `Top`. Fills the ring
    /// four times as fast.
    Deep = 1_024,
}

/// What took the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampler {
    /// A `perf_event_open` ring on the PMU's cycle counter.
    PerfCycles,
    /// A `perf_event_open` ring on the kernel's CPU clock.
    PerfCpuClock,
    /// A `perf_event_open` ring on another event of the PMU.
    PerfEvent(Counter),
    /// The signal SIGPROF, sent by a timer.
    Sigprof,
}

impl Sampler {
    /// The name in a [`Profile`](evmscope_reports::run::Profile).
    pub fn name(self) -> &'static str {
        match self {
            Self::PerfCycles => "perf cycles",
            Self::PerfCpuClock => "perf cpu-clock",
            Self::PerfEvent(counter) => counter.name(),
            Self::Sigprof => "SIGPROF",
        }
    }

    /// Unit of the weights.
    pub fn unit(self) -> &'static str {
        match self {
            Self::PerfCycles => "cycles",
            Self::PerfEvent(counter) => counter.unit(),
            Self::PerfCpuClock | Self::Sigprof => "ns",
        }
    }
}

/// One sampled stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// The instruction pointer in user space.
    pub ip: u64,
    /// Return addresses, innermost first.
    pub callers: Vec<u64>,
    /// In [`Sampler::unit`].
    pub weight: u64,
    /// When it was taken, ns of CLOCK_MONOTONIC; only from a ring.
    pub time: Option<u64>,
    /// Values of the registers, beginning with that of a function's first argument; empty if not recorded.
    pub registers: Vec<u64>,
    /// Words of the stack, from the stack pointer on.
    pub stack: Vec<u64>,
    /// The registers needed for unwinding.
    pub stack_registers: Option<StackRegisters>,
}

/// The registers needed for unwinding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StackRegisters {
    /// The stack pointer.
    pub stack: u64,
    /// The frame pointer, or whatever the function keeps in that register.
    pub frame: u64,
    /// The link register, where calls leave the return address (aarch64); unused elsewhere.
    pub link: u64,
}

/// The samples of one run, with what is needed to assess their quality.
#[derive(Clone, Debug)]
pub struct Samples {
    /// The sampler that took them.
    pub sampler: Sampler,
    /// Samples taken.
    pub taken: u64,
    /// Samples dropped because the ring, or the memory for SIGPROF, was full.
    pub lost: u64,
    /// CPU time of the thread during the session, user and kernel, ns. A ring does not sample time in the kernel, so the
    /// weights of a sampler in ns add up to this or less.
    pub cpu_time: u64,
    /// The stacks.
    pub stacks: Vec<Sample>,
}

impl Samples {
    /// Achieved samples per second of CPU time.
    pub fn rate(&self) -> f64 {
        self.taken as f64 * 1e9 / self.cpu_time as f64
    }
}

/// Why nothing was sampled.
#[derive(Debug, Error)]
pub enum SampleError {
    /// Outside the range of the timers.
    #[error("{0} samples per second cannot be taken: ask for 1 to 100000")]
    Rate(u32),
    /// Thread CPU time cannot be measured.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// Every sampler failed.
    #[error("nothing could be sampled: {}", reasons(.0))]
    Failed(Vec<(Sampler, Failure)>),
}

/// Why one sampler returned no samples.
#[derive(Debug, Error)]
pub enum Failure {
    /// The kernel refuses it.
    #[error("{0}")]
    Refused(#[from] std::io::Error),
    /// SIGPROF is in use by another session.
    #[error(
        "this process already samples by SIGPROF, which serves one session at a time: let that one end first"
    )]
    Busy,
    /// It ran and took no samples.
    #[error("no sample within {0} us of CPU time; ask for a longer budget or a higher rate")]
    Silent(u64),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Refused(errno.into())
    }
}

fn reasons(failures: &[(Sampler, Failure)]) -> String {
    let lines = failures
        .iter()
        .map(|(sampler, failure)| format!("{}: {failure}", sampler.name()));
    lines.collect::<Vec<_>>().join("; ")
}

/// The best sampler of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// The sampler.
    pub sampler: Sampler,
    /// The highest rate that the kernel allows, per second.
    pub highest_rate: Option<u32>,
}

/// Which ring opens on this machine, or why the kernel refuses both.
pub fn offered() -> Result<Offer, std::io::Error> {
    let offer = |sampler| Offer {
        sampler,
        highest_rate: perf::highest_rate(),
    };
    perf::try_open(Trigger::Cycles)
        .map(|()| offer(Sampler::PerfCycles))
        .or_else(|_| perf::try_open(Trigger::CpuClock).map(|()| offer(Sampler::PerfCpuClock)))
}

/// Calls `work` repeatedly until the budget is spent, at least once, and samples this thread.
///
/// Samplers are tried in this order: a ring on cycles, a ring on the CPU clock, SIGPROF. If one opens but takes no
/// samples (some virtual machines have a PMU without interrupts), the next is tried. [`Request::sampler`] leaves one.
pub fn sample(request: &Request, work: &mut dyn FnMut()) -> Result<Samples, SampleError> {
    match request.sampler {
        Some(sampler) => sample_by(&[sampler], request, work),
        None => sample_by(&ORDER, request, work),
    }
}

/// The samplers of time, the best first.
const ORDER: [Sampler; 3] = [Sampler::PerfCycles, Sampler::PerfCpuClock, Sampler::Sigprof];

/// As [`sample`], but on a PMU event: shows where the event happens instead of where time is spent.
pub fn sample_on(
    event: Counter,
    request: &Request,
    work: &mut dyn FnMut(),
) -> Result<Samples, SampleError> {
    sample_by(&[Sampler::PerfEvent(event)], request, work)
}

fn sample_by(
    samplers: &[Sampler],
    request: &Request,
    work: &mut dyn FnMut(),
) -> Result<Samples, SampleError> {
    if !(1..=100_000).contains(&request.hz) {
        return Err(SampleError::Rate(request.hz));
    }
    let clock = ThreadClock::open()?;
    let mut failures = Vec::new();
    for &sampler in samplers {
        match sample_with(sampler, request, &clock, work) {
            Ok(samples) if samples.taken > 0 => return Ok(samples),
            Ok(samples) => failures.push((sampler, Failure::Silent(samples.cpu_time / 1000))),
            Err(failure) => failures.push((sampler, failure)),
        }
    }
    Err(SampleError::Failed(failures))
}

fn sample_with(
    sampler: Sampler,
    request: &Request,
    clock: &ThreadClock,
    work: &mut dyn FnMut(),
) -> Result<Samples, Failure> {
    let mut session = Session {
        request,
        clock,
        work,
        cpu_time: 0,
    };
    let taken = match sampler {
        Sampler::PerfCycles => perf::take(Trigger::Cycles, &mut session)?,
        Sampler::PerfCpuClock => perf::take(Trigger::CpuClock, &mut session)?,
        Sampler::PerfEvent(counter) => perf::take(Trigger::Counter(counter), &mut session)?,
        Sampler::Sigprof => sigprof::take(&mut session)?,
    };
    Ok(Samples {
        sampler,
        taken: taken.taken,
        lost: taken.lost,
        cpu_time: session.cpu_time,
        stacks: taken.stacks,
    })
}

/// The samples of one sampler.
#[derive(Default)]
struct Taken {
    taken: u64,
    lost: u64,
    stacks: Vec<Sample>,
}

/// The work under a sampler.
struct Session<'a> {
    request: &'a Request,
    clock: &'a ThreadClock,
    work: &'a mut dyn FnMut(),
    cpu_time: u64,
}

impl Session<'_> {
    /// Calls the work until the budget is spent. After each call `between` may stop, empty and restart the sampler.
    fn run<E>(&mut self, mut between: impl FnMut() -> Result<(), E>) -> Result<(), E> {
        // The clock is read once: around each call, a system call would take more samples than a short call does.
        let (start, cpu_start) = (Instant::now(), self.clock.now());
        loop {
            measured_region(self.work);
            between()?;
            if start.elapsed() >= self.request.budget {
                self.cpu_time = self.clock.now() - cpu_start;
                return Ok(());
            }
        }
    }
}

/// Held by tests that sample: they are threads of one process, and SIGPROF serves one session at a time.
#[cfg(test)]
pub fn turn() -> std::sync::MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    TURN.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::Symbols;

    #[inline(never)]
    fn outer(rounds: u32) -> u64 {
        (0..rounds).map(inlined).fold(1, u64::wrapping_add)
    }

    #[inline(always)]
    fn inlined(seed: u32) -> u64 {
        (0..200u64).fold(seed.into(), |sum, i| {
            std::hint::black_box(sum).wrapping_mul(i | 1)
        })
    }

    fn request() -> Request {
        Request {
            sampler: None,
            hz: 1_000,
            budget: Duration::from_millis(300),
            chain: false,
            words: None,
        }
    }

    fn work() {
        std::hint::black_box(outer(2_000));
    }

    /// Share of the weight that has a function of this name among its frames.
    fn share(samples: &Samples, name: &str) -> f64 {
        let symbols = Symbols::of_this_process().unwrap();
        let weight = |samples: &mut dyn Iterator<Item = &Sample>| -> u64 {
            samples.map(|sample| sample.weight).sum()
        };
        let named = |sample: &&Sample| {
            let frames = symbols.frames(sample.ip);
            frames.iter().any(|frame| frame.function.ends_with(name))
        };
        let of_name = weight(&mut samples.stacks.iter().filter(named));
        of_name as f64 / weight(&mut samples.stacks.iter()) as f64
    }

    #[test]
    fn samples_are_of_the_work() {
        let _turn = turn();
        let mut calls = 0;
        let mut counted = || {
            calls += 1;
            work();
        };
        let samples = sample(&request(), &mut counted).unwrap();
        assert!(calls > 1);
        assert!(share(&samples, "tests::outer") > 0.9, "{samples:?}");
        let total: u64 = samples.stacks.iter().map(|sample| sample.weight).sum();
        if samples.sampler.unit() == "ns" {
            let covered = total as f64 / samples.cpu_time as f64;
            assert!((0.5..1.1).contains(&covered), "{covered} of the time");
        }
    }

    #[test]
    fn an_instruction_resolves_to_its_inlined_function() {
        let _turn = turn();
        let samples = sample(&request(), &mut work).unwrap();
        assert!(share(&samples, "tests::inlined") > 0.8, "{samples:?}");
    }

    #[test]
    fn registers_hold_the_pointers_that_the_sampled_code_works_on() {
        let _turn = turn();
        let bytes = vec![1_u8; 1 << 16];
        let range = bytes.as_ptr_range();
        let mut walk = || {
            for _ in 0..50 {
                let (mut at, mut sum) = (std::hint::black_box(range.start), 0_u64);
                while at != range.end {
                    sum = std::hint::black_box(sum) + at.addr() as u64;
                    at = std::hint::black_box(at.wrapping_add(1));
                }
            }
        };
        for sampler in [None, Some(Sampler::Sigprof)] {
            let request = Request {
                sampler,
                words: Some(Stack::Top),
                ..request()
            };
            let samples = sample(&request, &mut walk).unwrap();
            let inside =
                |word: &u64| (range.start.addr() as u64..=range.end.addr() as u64).contains(word);
            let found = samples.stacks.iter().filter(|sample| {
                assert!(!sample.registers.is_empty() && !sample.stack.is_empty());
                sample.registers.iter().chain(&sample.stack).any(inside)
            });
            let share = found.count() as f64 / samples.stacks.len() as f64;
            assert!(share > 0.9, "{share} of the samples by {sampler:?}");
        }
    }

    /// The kernel's highest rate, up to one that fills a ring of 512 KiB within a second.
    fn fast() -> u32 {
        perf::highest_rate().unwrap_or(u32::MAX).min(50_000)
    }

    #[test]
    fn a_ring_that_fills_during_a_call_counts_lost_samples() {
        let request = Request {
            sampler: None,
            hz: fast(),
            budget: Duration::ZERO,
            chain: true,
            words: None,
        };
        let clock = ThreadClock::open().unwrap();
        // A ring holds about 6,500 records with a short chain.
        let long_call = 16_000 * 1_000_000_000 / u64::from(fast());
        let mut calls = 0;
        let mut work = || {
            calls += 1;
            let start = clock.now();
            while clock.now() - start < long_call {
                std::hint::black_box(outer(10_000));
            }
        };
        match sample_with(Sampler::PerfCpuClock, &request, &clock, &mut work) {
            Ok(samples) => {
                assert_eq!(calls, 1);
                assert!(samples.taken > 1_000, "{} samples", samples.taken);
                assert!(samples.lost > 0, "{} samples fitted", samples.taken);
            }
            Err(refused) => eprintln!("skipped, no perf ring here: {refused}"),
        }
    }

    #[test]
    fn a_long_run_empties_the_ring_between_calls() {
        /// More than one ring of 512 KiB in records of 32 bytes.
        const RING: u64 = 17_000;
        let clock = ThreadClock::open().unwrap();
        // The budget is wall-clock time, of which a busy machine may give this thread little.
        for patience in [2, 8, 32, 128] {
            let request = Request {
                sampler: None,
                hz: fast(),
                budget: Duration::from_secs(patience * RING) / fast(),
                chain: false,
                words: None,
            };
            match sample_with(Sampler::PerfCpuClock, &request, &clock, &mut work) {
                Ok(samples) if samples.taken > RING => {
                    assert_eq!(samples.lost, 0);
                    let times: Vec<_> = samples.stacks.iter().map(|s| s.time).collect();
                    return assert!(times.is_sorted(), "records are in order across the wrap");
                }
                Ok(_) => {}
                Err(refused) => return eprintln!("skipped, no perf ring here: {refused}"),
            }
        }
        panic!("too few samples to fill a ring");
    }

    #[test]
    fn an_event_is_sampled_or_refused_and_never_replaced_by_time() {
        match sample_on(Counter::Instructions, &request(), &mut work) {
            Ok(mut samples) => {
                assert_eq!(samples.sampler, Sampler::PerfEvent(Counter::Instructions));
                assert_eq!(samples.sampler.unit(), "count");
                // A late interrupt finds the thread in the kernel, whose addresses are in the upper half.
                samples.stacks.retain(|sample| sample.ip < 1 << 63);
                assert!(share(&samples, "tests::outer") > 0.9, "{samples:?}");
            }
            // No PMU here.
            Err(SampleError::Failed(failures)) => {
                let [(Sampler::PerfEvent(Counter::Instructions), _)] = &failures[..] else {
                    panic!("{failures:?}")
                };
            }
            Err(other) => panic!("{other}"),
        }
        let none = sample_on(Counter::CpuTime, &request(), &mut work);
        assert!(none.is_err(), "it is not a perf event");
    }

    #[test]
    fn an_impossible_rate_is_refused() {
        for hz in [0, 100_001] {
            let refused = sample(&Request { hz, ..request() }, &mut || ()).unwrap_err();
            assert!(matches!(refused, SampleError::Rate(_)));
        }
    }

    #[test]
    fn work_too_short_for_a_sample_says_so() {
        let request = Request {
            sampler: None,
            hz: 1,
            budget: Duration::ZERO,
            chain: false,
            words: None,
        };
        let _turn = turn();
        match sample(&request, &mut || ()) {
            Err(error) => assert!(error.to_string().contains("longer budget"), "{error}"),
            // For a rate of cycles the kernel adapts the period from 1 upwards, so the first samples come at once.
            Ok(samples) => assert_eq!(samples.sampler, Sampler::PerfCycles),
        }
    }
}
