//! The signal handler, and the session that installs it for one thread and restores what was there before.
//!
//! Unsafe: the handler gets raw pointers from the kernel, finds the session through a static pointer, and copies a
//! piece of the stack. A handler may run in the middle of any function, also in the allocator and in the unwinder. So
//! it takes no lock, allocates nothing and unwinds nothing: it copies registers and words into [`Records`].

#![allow(unsafe_code)]

use super::super::Failure;
use super::machine::Interrupted;
use super::records::Records;
use nix::errno::Errno;
use nix::libc::{self, c_int, c_void};
use nix::sys::signal::{
    SaFlags, SigAction, SigEvent, SigHandler, SigSet, SigevNotify, SigmaskHow, Signal, sigaction,
};
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::gettid;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, Ordering};
use std::time::Duration;

/// The thread that is sampled; 0 if none is.
static THREAD: AtomicI32 = AtomicI32::new(0);

/// The target of that thread. Other threads must not read it: they do not know how long it lives.
static TARGET: AtomicPtr<Target> = AtomicPtr::new(ptr::null_mut());

/// What the handler needs to know.
struct Target {
    records: Records,
    /// The sampled thread's stack.
    stack: Range<usize>,
    /// CPU time of the thread at the last sample, ns.
    last: AtomicU64,
    /// CPU time between two samples, at least, ns.
    gap: AtomicU64,
}

/// Samples of the calling thread by SIGPROF. When dropped, also by a panic, it restores the signal's action and the
/// thread's mask.
pub struct Sampled {
    // Fields are dropped in this order: no signal may come once the action of before is back, because the default
    // one ends the process.
    timer: Alarm,
    _mask: Mask,
    _action: Action,
    claim: Claim,
}

impl Sampled {
    /// Prepares to sample this thread, with this many words of the stack. Only one session is possible at a time.
    pub fn new(stack_words: usize) -> Result<Sampled, Failure> {
        let claim = Claim::new(stack_words)?;
        let action = Action::install()?;
        let mask = Mask::unblock()?;
        Ok(Sampled {
            timer: Alarm::new()?,
            _mask: mask,
            _action: action,
            claim,
        })
    }

    /// Starts sampling.
    pub fn start(&mut self, period: Duration) -> Result<(), Errno> {
        let target = self.claim.target();
        let gap = period.as_nanos() as u64 / 2;
        target.gap.store(gap, Ordering::Relaxed);
        target.last.store(cpu_time()?, Ordering::Relaxed);
        self.timer.set(period)
    }

    /// Stops sampling. A signal that is on its way is delivered before this returns.
    pub fn stop(&mut self) -> Result<(), Errno> {
        self.timer.set(Duration::ZERO)
    }

    /// The samples.
    pub fn records(&self) -> &Records {
        &self.claim.target().records
    }
}

/// The right to sample by SIGPROF, which one session of the process has at a time.
struct Claim {
    /// A pointer, so that the session stays on its thread.
    target: NonNull<Target>,
}

impl Claim {
    fn new(stack_words: usize) -> Result<Claim, Failure> {
        let stack = stack_bounds()?;
        let thread = gettid().as_raw();
        THREAD
            .compare_exchange(0, thread, Ordering::AcqRel, Ordering::Relaxed)
            .map_err(|_| Failure::Busy)?;
        let target = Box::new(Target {
            records: Records::new(stack_words),
            stack,
            last: AtomicU64::new(0),
            gap: AtomicU64::new(0),
        });
        let target = NonNull::from(Box::leak(target));
        TARGET.store(target.as_ptr(), Ordering::Release);
        Ok(Claim { target })
    }

    fn target(&self) -> &Target {
        // SAFETY: `new` leaked it, and only `drop` frees it. All its fields that change are atomic.
        unsafe { self.target.as_ref() }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        TARGET.store(ptr::null_mut(), Ordering::Release);
        THREAD.store(0, Ordering::Release);
        // SAFETY: `new` leaked it. The handler uses it only on this thread, which is here and not in the handler, and
        // finds it no more.
        drop(unsafe { Box::from_raw(self.target.as_ptr()) });
    }
}

/// The action of SIGPROF before the session.
struct Action(SigAction);

impl Action {
    fn install() -> Result<Action, Errno> {
        // The alternate stack, which Rust gives its threads: the interrupted one may be nearly full.
        let flags = SaFlags::SA_SIGINFO | SaFlags::SA_RESTART | SaFlags::SA_ONSTACK;
        let action = SigAction::new(SigHandler::SigAction(handler), flags, SigSet::empty());
        // SAFETY: the handler calls only functions that may be called in one, and never unwinds.
        unsafe { sigaction(Signal::SIGPROF, &action) }.map(Action)
    }
}

impl Drop for Action {
    fn drop(&mut self) {
        // SAFETY: it was in force until the session, with all that it needs.
        let restored = unsafe { sigaction(Signal::SIGPROF, &self.0) };
        debug_assert!(restored.is_ok());
    }
}

/// The thread's signal mask before the session.
struct Mask(SigSet);

impl Mask {
    fn unblock() -> Result<Mask, Errno> {
        let mut signal = SigSet::empty();
        signal.add(Signal::SIGPROF);
        signal.thread_swap_mask(SigmaskHow::SIG_UNBLOCK).map(Mask)
    }
}

impl Drop for Mask {
    fn drop(&mut self) {
        let restored = self.0.thread_set_mask();
        debug_assert_eq!(restored, Ok(()));
    }
}

/// A timer that sends SIGPROF to this thread.
struct Alarm(Timer);

impl Alarm {
    fn new() -> Result<Alarm, Errno> {
        let event = SigEvent::new(SigevNotify::SigevThreadId {
            signal: Signal::SIGPROF,
            thread_id: gettid().as_raw(),
            si_value: mark().addr().cast_signed(),
        });
        // A timer on CPU time is examined by the kernel's tick only, which comes 100 to 1,000 times a second. One on
        // the monotonic clock has an interrupt of its own. The handler measures CPU time itself.
        Timer::new(ClockId::CLOCK_MONOTONIC, event).map(Alarm)
    }

    /// Expires every `period`; never if that is zero.
    fn set(&mut self, period: Duration) -> Result<(), Errno> {
        let expiration = Expiration::Interval(TimeSpec::from_duration(period));
        self.0.set(expiration, TimerSetTimeFlags::empty())
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // The crate does not delete a timer if the thread panics: stopped, it can stay. Deliveries are as in
        // `Sampled::stop`.
        let stopped = self.set(Duration::ZERO);
        debug_assert_eq!(stopped, Ok(()));
    }
}

/// What the timer's signals carry, so that they are told from others: an address that no one else uses.
fn mark() -> *const AtomicI32 {
    &raw const THREAD
}

/// CPU time of this thread, ns.
fn cpu_time() -> Result<u64, Errno> {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
    Ok(time.num_nanoseconds().unsigned_abs())
}

/// Where this thread's stack is. Not for the handler: the C library reads files and allocates for it.
fn stack_bounds() -> Result<Range<usize>, Errno> {
    let checked = |code| match code {
        0 => Ok(()),
        code => Err(Errno::from_raw(code)),
    };
    let mut attributes = MaybeUninit::uninit();
    let (mut start, mut size) = (ptr::null_mut::<c_void>(), 0);
    // SAFETY: the calls write to these variables only. Attributes are initialised if the first succeeds, and then
    // destroyed.
    unsafe {
        checked(libc::pthread_getattr_np(
            libc::pthread_self(),
            attributes.as_mut_ptr(),
        ))?;
        let got = libc::pthread_attr_getstack(attributes.as_ptr(), &mut start, &mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        checked(got)?;
    }
    Ok(start.addr()..start.addr() + size)
}

extern "C" fn handler(_: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let errno = Errno::last_raw();
    // Before the target: on any other thread it may be freed at any time.
    if THREAD.load(Ordering::Acquire) == gettid().as_raw() {
        // SAFETY: with SA_SIGINFO the kernel passes both, valid until the handler returns. The target lives as long as
        // its thread, this one, has not dropped its `Claim`, which sets the pointer to null first.
        unsafe {
            if let Some(info) = info.as_ref()
                && let Some(context) = context.cast::<libc::ucontext_t>().as_ref()
                && let Some(target) = TARGET.load(Ordering::Acquire).as_ref()
                && is_of_timer(info)
            {
                target.sample(context);
            }
        }
    }
    Errno::set_raw(errno);
}

/// Whether the session's timer sent it, rather than another timer or process.
fn is_of_timer(info: &libc::siginfo_t) -> bool {
    if info.si_code != libc::SI_TIMER {
        return false;
    }
    // SAFETY: signals of timers carry a value.
    let value = unsafe { info.si_value() };
    value.sival_ptr.addr() == mark().addr()
}

impl Target {
    fn sample(&self, context: &libc::ucontext_t) {
        // If the thread waited meanwhile, the signal came late or woke it: CPU time is sampled, not time.
        let Ok(now) = cpu_time() else { return };
        let since = now.saturating_sub(self.last.load(Ordering::Relaxed));
        if since < self.gap.load(Ordering::Relaxed) {
            return;
        }
        self.last.store(now, Ordering::Relaxed);
        let interrupted = Interrupted::at(context);
        let stack = self.words(interrupted.unwind.stack as usize);
        self.records.add(&interrupted, stack);
    }

    /// Words from the stack pointer to the end of the stack, at most as many as a record has. None if the thread is on
    /// another stack.
    fn words(&self, from: usize) -> impl Iterator<Item = u64> {
        let inside = self.stack.contains(&from) && from.is_multiple_of(8);
        let whole = if inside {
            (self.stack.end - from) / 8
        } else {
            0
        };
        let first = ptr::with_exposed_provenance::<u64>(from);
        // SAFETY: aligned, and between the stack pointer and the end of the stack, which is mapped. Volatile, since
        // these words belong to the interrupted functions.
        (0..whole.min(self.records.stack())).map(move |at| unsafe { first.add(at).read_volatile() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instruments::sampling::turn;
    use std::hint::black_box;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    extern "C" fn of_before(_: c_int) {}

    /// The action in force.
    fn current() -> (usize, c_int) {
        let mut action = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: it only reads the action, into a variable that is then initialised.
        unsafe {
            let got = libc::sigaction(libc::SIGPROF, ptr::null(), action.as_mut_ptr());
            assert_eq!(got, 0);
            let action = action.assume_init();
            (action.sa_sigaction, action.sa_flags)
        }
    }

    fn is_blocked() -> bool {
        SigSet::thread_get_mask().unwrap().contains(Signal::SIGPROF)
    }

    fn spin(sampled: &mut Sampled) {
        sampled.start(Duration::from_millis(1)).unwrap();
        let start = cpu_time().unwrap();
        while cpu_time().unwrap() - start < 20_000_000 {
            black_box(());
        }
        sampled.stop().unwrap();
    }

    #[test]
    fn action_and_mask_are_as_before_whether_the_session_ends_or_panics() {
        let _turn = turn();
        let action = SigAction::new(
            SigHandler::Handler(of_before),
            SaFlags::SA_RESTART,
            SigSet::empty(),
        );
        // SAFETY: the handler does nothing.
        let original = unsafe { sigaction(Signal::SIGPROF, &action) }.unwrap();
        let signal = SigSet::from(Signal::SIGPROF);
        let before = current();
        for blocked in [false, true] {
            match blocked {
                true => signal.thread_block().unwrap(),
                false => signal.thread_unblock().unwrap(),
            }
            for panics in [false, true] {
                let session = || {
                    let mut sampled = Sampled::new(16).unwrap();
                    assert_ne!(current(), before);
                    spin(&mut sampled);
                    assert!(!sampled.records().take().0.is_empty());
                    sampled.start(Duration::from_millis(1)).unwrap();
                    if panics {
                        resume_unwind(Box::new(()));
                    }
                };
                assert_eq!(catch_unwind(AssertUnwindSafe(session)).is_err(), panics);
                assert_eq!((current(), is_blocked()), (before, blocked));
            }
        }
        signal.thread_unblock().unwrap();
        // SAFETY: it was in force before this test.
        unsafe { sigaction(Signal::SIGPROF, &original) }.unwrap();
    }

    #[test]
    fn words_end_where_the_stack_does() {
        let stack = [1_u64, 2, 3, 4, 5];
        let start = stack.as_ptr().expose_provenance();
        let target = Target {
            records: Records::new(3),
            stack: start..start + 40,
            last: AtomicU64::new(0),
            gap: AtomicU64::new(0),
        };
        let words = |from| target.words(from).collect::<Vec<_>>();
        assert_eq!(words(start), [1, 2, 3], "no more than there is room for");
        assert_eq!(words(start + 24), [4, 5]);
        for outside in [start + 40, start - 8, 0, start + 4] {
            assert!(words(outside).is_empty());
        }
    }

    #[test]
    fn this_thread_is_on_its_stack() {
        let local = 0;
        let at = (&raw const local).addr();
        assert!(stack_bounds().unwrap().contains(&at));
        let other = std::thread::spawn(|| stack_bounds().unwrap()).join();
        assert!(!other.unwrap().contains(&at));
    }
}
