//! Sessions under SIGPROF: what is sampled, at which rate, and in the middle of which work.

use super::super::{Failure, Request, Sample, Sampler, Samples, Stack, sample_with, turn};
use crate::instruments::clock::ThreadClock;
use crate::symbols::Symbols;
use nix::sys::pthread::{pthread_kill, pthread_self};
use nix::sys::signal::Signal;
use std::backtrace::Backtrace;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

fn request(hz: u32, budget: u64) -> Request {
    Request {
        sampler: Some(Sampler::Sigprof),
        hz,
        budget: Duration::from_millis(budget),
        chain: false,
        words: Some(Stack::Deep),
    }
}

fn session(request: &Request, mut work: impl FnMut()) -> Result<Samples, Failure> {
    let clock = ThreadClock::open().unwrap();
    sample_with(Sampler::Sigprof, request, &clock, &mut work)
}

#[inline(never)]
fn busy(rounds: u64) -> u64 {
    (0..rounds).fold(1, |sum, i| black_box(sum).wrapping_mul(i | 1))
}

fn work() {
    black_box(busy(100_000));
}

/// Share of the samples whose address is in [`busy`].
fn share_of_busy(samples: &Samples) -> f64 {
    let symbols = Symbols::of_this_process().unwrap();
    let inside = samples.stacks.iter().filter(|it| is_busy(it, &symbols));
    inside.count() as f64 / samples.stacks.len() as f64
}

fn is_busy(sample: &Sample, symbols: &Symbols) -> bool {
    let frames = symbols.frames(sample.ip);
    frames[0].function.ends_with("sigprof::tests::busy")
}

fn weight(samples: &Samples) -> f64 {
    let total: u64 = samples.stacks.iter().map(|sample| sample.weight).sum();
    total as f64 / samples.cpu_time as f64
}

#[test]
fn samples_share_the_cpu_time_at_about_the_rate_that_was_requested() {
    let _turn = turn();
    let samples = session(&request(1_000, 500), work).unwrap();
    assert!(share_of_busy(&samples) > 0.9, "{samples:?}");
    assert!(
        (0.99..=1.0).contains(&weight(&samples)),
        "{} of the time",
        weight(&samples)
    );
    let rate = samples.rate();
    // The kernel's tick, often 250 Hz, is no limit.
    assert!((500.0..1_500.0).contains(&rate), "{rate} per second");
}

#[test]
fn other_threads_and_waiting_are_not_sampled() {
    let _turn = turn();
    let symbols = Symbols::of_this_process().unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                black_box(busy(1_000));
            }
        });
        let samples = session(&request(1_000, 300), || {
            std::thread::sleep(Duration::from_millis(20));
        });
        stop.store(true, Ordering::Relaxed);
        let samples = samples.unwrap();
        // Each wait is interrupted 20 times, which takes CPU time of its own: samples are half of a period of it apart.
        let most = samples.cpu_time / 500_000 + 1;
        assert!(
            samples.taken <= most && most < 300,
            "{} samples of at most {most}",
            samples.taken
        );
        let of_other = samples.stacks.iter().filter(|it| is_busy(it, &symbols));
        assert_eq!(of_other.count(), 0, "{samples:?}");
    });
}

#[test]
fn work_may_allocate_while_it_is_sampled() {
    let _turn = turn();
    let samples = session(&request(5_000, 500), || {
        let mut texts = BTreeMap::new();
        for i in 0..2_000_usize {
            texts.insert(i % 300, "x".repeat(i));
        }
        black_box(texts);
    });
    assert!(samples.unwrap().taken > 100);
}

#[inline(never)]
fn nested(depth: u32) -> u64 {
    let frame = black_box([u64::from(depth); 32]);
    match depth {
        0 => busy(200_000),
        _ => nested(depth - 1).wrapping_add(black_box(frame)[depth as usize % 32]),
    }
}

#[test]
fn a_deep_stack_is_copied_to_its_limit() {
    let _turn = turn();
    // 300 frames of 256 bytes and more, on a stack that holds little else.
    let deep = std::thread::Builder::new().stack_size(256 << 10).spawn(|| {
        session(&request(2_000, 300), || {
            black_box(nested(300));
        })
    });
    let samples = deep.unwrap().join().unwrap().unwrap();
    let words = samples.stacks.iter().map(|sample| sample.stack.len());
    let whole = words.filter(|&words| words == Stack::Deep as usize / 8);
    let share = whole.count() as f64 / samples.stacks.len() as f64;
    assert!(share > 0.9, "{share} of the samples");
}

/// An unwinder takes locks and allocates. One that runs in the signal handler as well waits for itself sooner or later.
#[test]
fn work_may_unwind_and_walk_its_stack_while_it_is_sampled() {
    let (done, waiting) = mpsc::channel();
    std::thread::spawn(move || {
        let _turn = turn();
        let samples = session(&request(1_000, 3_000), || {
            for _ in 0..50 {
                let thrown = catch_unwind(|| resume_unwind(Box::new(black_box(7_u8))));
                assert!(thrown.is_err());
            }
            drop(black_box(Backtrace::force_capture()));
        });
        done.send(samples.unwrap()).unwrap();
    });
    // Other tests have their turn before it.
    let samples = waiting.recv_timeout(Duration::from_secs(120));
    let samples = samples.expect("the session ends");
    assert!(samples.taken > 100, "{} samples", samples.taken);
}

#[test]
fn a_second_session_is_refused_and_does_not_disturb_the_first() {
    let _turn = turn();
    let refused = |result: Result<Samples, Failure>| {
        let failure = result.unwrap_err();
        assert!(matches!(failure, Failure::Busy), "{failure}");
        assert!(failure.to_string().contains("one session at a time"));
    };
    let mut first = true;
    let samples = session(&request(1_000, 200), || {
        if std::mem::take(&mut first) {
            refused(session(&request(1_000, 0), work));
            let other = std::thread::spawn(|| session(&request(1_000, 0), work));
            refused(other.join().unwrap());
        }
        work();
    });
    assert!(samples.unwrap().taken > 20);
    assert!(session(&request(1_000, 100), work).unwrap().taken > 10);
}

#[test]
fn sessions_follow_each_other() {
    let _turn = turn();
    for i in 0..50 {
        let samples = session(&request(4_000, 10), work).unwrap();
        assert!(samples.taken > 0, "session {i}");
    }
}

#[test]
fn a_panic_of_the_work_ends_the_session() {
    let _turn = turn();
    for _ in 0..3 {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            session(&request(2_000, 200), || {
                work();
                resume_unwind(Box::new(()));
            })
        }));
        assert!(panicked.is_err());
        // A timer that is still there would now end the process.
        work();
    }
    assert!(session(&request(1_000, 100), work).unwrap().taken > 10);
}

#[test]
fn signals_of_others_are_no_samples() {
    let _turn = turn();
    let samples = session(&request(1, 0), || {
        for _ in 0..100 {
            pthread_kill(pthread_self(), Signal::SIGPROF).unwrap();
            black_box(busy(10_000));
        }
        std::thread::scope(|scope| {
            scope.spawn(|| pthread_kill(pthread_self(), Signal::SIGPROF).unwrap());
        });
    });
    assert_eq!(samples.unwrap().taken, 0);
}

#[test]
fn a_call_that_fills_the_memory_counts_lost_samples() {
    let _turn = turn();
    let clock = ThreadClock::open().unwrap();
    let mut calls = 0;
    let samples = session(&request(50_000, 0), || {
        calls += 1;
        let start = clock.now();
        while clock.now() - start < 500_000_000 {
            black_box(busy(1_000));
        }
    });
    let samples = samples.unwrap();
    assert_eq!(calls, 1);
    assert!(samples.taken > 5_000 && samples.lost > 0, "{samples:?}");
    let (taken, lost) = (samples.taken as f64, samples.lost as f64);
    let expected = taken / (taken + lost);
    assert!((weight(&samples) - expected).abs() < 0.01);
}

#[test]
fn a_long_run_empties_the_memory_between_calls() {
    let _turn = turn();
    let samples = session(&request(20_000, 2_000), work).unwrap();
    assert!(samples.taken > 10_000, "{} samples", samples.taken);
    assert_eq!(samples.lost, 0);
}
