//! The memory that the signal handler writes samples to: allocated before, of a fixed size.
//!
//! The handler interrupts the thread that reads the records, at any instruction. So every word is atomic, and the
//! number of records is stored after the record that it counts.

use super::super::{Sample, StackRegisters};
use super::machine::{Interrupted, REGISTERS};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Bytes of all records: 7,000 with 1 KiB of the stack each. They are emptied between calls.
const BYTES: usize = 8 << 20;

/// Words of a record without the stack: instruction pointer, registers for unwinding, all registers, stack length.
const FIXED: usize = 1 + 3 + REGISTERS + 1;

/// Samples as the handler writes them.
pub struct Records {
    words: Box<[AtomicU64]>,
    /// Words of the stack in a record, at most.
    stack: usize,
    written: AtomicUsize,
    lost: AtomicU64,
}

impl Records {
    /// Room for samples with this many words of the stack.
    pub fn new(stack: usize) -> Records {
        let count = BYTES / 8 / (FIXED + stack);
        Records::with_room(count, stack)
    }

    fn with_room(count: usize, stack: usize) -> Records {
        let words = count * (FIXED + stack);
        Records {
            words: (0..words).map(|_| AtomicU64::new(0)).collect(),
            stack,
            written: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
        }
    }

    /// Words of the stack in a record, at most.
    pub fn stack(&self) -> usize {
        self.stack
    }

    /// Adds a sample, or counts it as lost if there is no room. Called by the handler: it neither allocates nor locks
    /// nor panics.
    pub fn add(&self, interrupted: &Interrupted, stack: impl Iterator<Item = u64>) {
        let written = self.written.load(Ordering::Relaxed);
        let mut records = self.words.chunks_exact(FIXED + self.stack);
        let Some((fixed, copy)) = records
            .nth(written)
            .and_then(|record| record.split_at_checked(FIXED))
        else {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let Interrupted { ip, unwind, .. } = interrupted;
        let mut length = 0;
        for (to, word) in copy.iter().zip(stack) {
            to.store(word, Ordering::Relaxed);
            length += 1;
        }
        let words = [*ip, unwind.stack, unwind.frame, unwind.link, length];
        let words = words.iter().chain(&interrupted.registers);
        for (to, word) in fixed.iter().zip(words) {
            to.store(*word, Ordering::Relaxed);
        }
        self.written.store(written + 1, Ordering::Release);
    }

    /// Whether more than half of the room is used.
    pub fn is_half_full(&self) -> bool {
        let used = self.written.load(Ordering::Relaxed) * (FIXED + self.stack);
        used > self.words.len() / 2
    }

    /// Takes the samples, without weights, and the number of those lost.
    pub fn take(&self) -> (Vec<Sample>, u64) {
        let written = self.written.load(Ordering::Acquire);
        let records = self.words.chunks_exact(FIXED + self.stack).take(written);
        let samples = records.filter_map(sample).collect();
        self.written.store(0, Ordering::Release);
        (samples, self.lost.swap(0, Ordering::Relaxed))
    }
}

fn sample(record: &[AtomicU64]) -> Option<Sample> {
    let mut words = record.iter().map(|word| word.load(Ordering::Relaxed));
    let mut next = || words.next();
    let (ip, stack, frame, link, length) = (next()?, next()?, next()?, next()?, next()?);
    Some(Sample {
        ip,
        registers: words.by_ref().take(REGISTERS).collect(),
        stack: words.take(usize::try_from(length).ok()?).collect(),
        stack_registers: Some(StackRegisters { stack, frame, link }),
        ..Sample::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ip: u64) -> Interrupted {
        Interrupted {
            ip,
            unwind: StackRegisters {
                stack: 1,
                frame: 2,
                link: 3,
            },
            registers: std::array::from_fn(|i| i as u64 + 10),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let records = Records::with_room(4, 3);
        records.add(&at(0x10), [7, 8].into_iter());
        records.add(&at(0x20), [4, 5, 6, 9].into_iter());
        let (samples, lost) = records.take();
        let [first, second] = &samples[..] else {
            panic!("{samples:?}")
        };
        assert_eq!((first.ip, second.ip, lost), (0x10, 0x20, 0));
        assert_eq!(first.stack_registers, Some(at(0).unwind));
        assert_eq!(first.registers, at(0).registers);
        assert_eq!(first.stack, [7, 8], "no word of an earlier record follows");
        assert_eq!(second.stack, [4, 5, 6], "no more than there is room for");
    }

    #[test]
    fn what_does_not_fit_is_counted_and_the_room_is_used_again() {
        let records = Records::with_room(2, 0);
        for _ in 0..3 {
            for ip in 1..=5 {
                records.add(&at(ip), std::iter::empty());
                assert_eq!(records.is_half_full(), ip > 1);
            }
            let (samples, lost) = records.take();
            let ips: Vec<_> = samples.iter().map(|sample| sample.ip).collect();
            assert_eq!((&ips[..], lost), (&[1, 2][..], 3));
            assert_eq!(records.take(), (vec![], 0));
        }
    }

    #[test]
    fn there_is_room_for_thousands_of_samples() {
        let room = |stack| Records::new(stack).words.len() / (FIXED + stack);
        // Arm has twice as many registers.
        assert!(room(0) > 25_000 && room(128) > 6_000);
    }
}
