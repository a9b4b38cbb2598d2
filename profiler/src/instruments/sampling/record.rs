//! The records of a perf ring, as bytes: `perf_event_open(2)`, section "MMAP layout".
//!
//! Parsing is safe code on a copy of the ring's bytes; `ring` maps the ring.

use super::Sample;
use perf_event_open_sys::bindings::{
    PERF_CONTEXT_MAX, PERF_RECORD_LOST, PERF_RECORD_LOST_SAMPLES, PERF_RECORD_SAMPLE,
    PERF_SAMPLE_CALLCHAIN, PERF_SAMPLE_IP, PERF_SAMPLE_PERIOD, PERF_SAMPLE_REGS_USER,
    PERF_SAMPLE_STACK_USER, PERF_SAMPLE_TIME,
};

/// What the kernel writes for a sample besides ip, time and period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// The call chain.
    pub chain: bool,
    /// Registers, one bit per register, numbered as in `asm/perf_regs.h`.
    pub registers: u64,
    /// Bytes of the stack.
    pub stack: u32,
}

impl Fields {
    /// `perf_event_attr.sample_type`. The kernel writes the fields in a fixed order, whatever is requested.
    pub fn sample_type(self) -> u64 {
        let mut fields = PERF_SAMPLE_IP | PERF_SAMPLE_TIME | PERF_SAMPLE_PERIOD;
        if self.chain {
            fields |= PERF_SAMPLE_CALLCHAIN;
        }
        if self.registers != 0 {
            fields |= PERF_SAMPLE_REGS_USER;
        }
        if self.stack != 0 {
            fields |= PERF_SAMPLE_STACK_USER;
        }
        fields.into()
    }
}

/// A record of a kind that is used here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A sample.
    Sample(Sample),
    /// This number of records did not fit.
    Lost(u64),
}

/// The bytes between two positions of a ring, in order. Positions only grow and never wrap; the ring's length is a
/// power of two.
pub fn unwrapped(ring: &[u8], tail: u64, head: u64) -> Vec<u8> {
    let length = (head.wrapping_sub(tail) as usize).min(ring.len());
    let start = tail as usize & (ring.len() - 1);
    let (wrapped, straight) = ring.split_at(start);
    straight
        .iter()
        .chain(wrapped)
        .take(length)
        .copied()
        .collect()
}

/// Parses whole records. Skips kinds other than samples and losses, and a truncated record at the end.
pub fn records(bytes: &[u8], fields: Fields) -> impl Iterator<Item = Record> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (kind, body, next) = split(rest)?;
        rest = next;
        Some((kind, body))
    })
    .filter_map(move |(kind, body)| parse(kind, body, fields))
}

/// Splits off a record: header (u32 type, u16 misc, u16 size including the header), then the body.
fn split(bytes: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    const HEADER: usize = 8;
    let kind = u32::from_ne_bytes(*bytes.first_chunk()?);
    let size = u16::from_ne_bytes(*bytes.get(6..)?.first_chunk()?).into();
    let body = bytes.get(HEADER..size)?;
    Some((kind, body, &bytes[size..]))
}

fn parse(kind: u32, body: &[u8], fields: Fields) -> Option<Record> {
    let mut words = body
        .chunks_exact(8)
        .filter_map(|word| Some(u64::from_ne_bytes(*word.first_chunk()?)));
    match kind {
        PERF_RECORD_SAMPLE => sample(&mut words, fields).map(Record::Sample),
        // u64 id, u64 lost.
        PERF_RECORD_LOST => words.nth(1).map(Record::Lost),
        // u64 lost.
        PERF_RECORD_LOST_SAMPLES => words.next().map(Record::Lost),
        _ => None,
    }
}

fn sample(words: &mut impl Iterator<Item = u64>, fields: Fields) -> Option<Sample> {
    let (ip, time, weight) = (words.next()?, words.next()?, words.next()?);
    let depth = if fields.chain { words.next()? } else { 0 };
    let callers = words
        .by_ref()
        .take(depth as usize)
        // Markers such as PERF_CONTEXT_USER are not addresses.
        .filter(|&address| address < PERF_CONTEXT_MAX)
        // The chain begins with the sampled instruction.
        .skip(1)
        .collect();
    let registers = match fields.registers {
        0 => Vec::new(),
        _ => registers(words, fields)?,
    };
    let stack = match fields.stack {
        0 => Vec::new(),
        _ => stack(words)?,
    };
    Some(Sample {
        ip,
        callers,
        weight,
        time: Some(time),
        registers,
        stack,
        stack_registers: None,
    })
}

/// u64 abi, then the registers unless abi is 0 (PERF_SAMPLE_REGS_ABI_NONE).
fn registers(words: &mut impl Iterator<Item = u64>, fields: Fields) -> Option<Vec<u64>> {
    Some(match words.next()? {
        0 => Vec::new(),
        _ => words.take(fields.registers.count_ones() as usize).collect(),
    })
}

/// u64 size, then unless that is 0 the bytes and a u64 with the number of valid ones.
fn stack(words: &mut impl Iterator<Item = u64>) -> Option<Vec<u64>> {
    let size = words.next()? as usize / 8;
    let mut stack: Vec<_> = words.take(size).collect();
    let used = if size > 0 {
        words.next()? as usize / 8
    } else {
        0
    };
    stack.truncate(used);
    Some(stack)
}

#[cfg(test)]
mod tests {
    use super::*;
    use perf_event_open_sys::bindings::{PERF_CONTEXT_USER, PERF_RECORD_THROTTLE};

    fn record(kind: u32, words: &[u64]) -> Vec<u8> {
        let size = 8 + 8 * words.len() as u16;
        let mut bytes = kind.to_ne_bytes().to_vec();
        bytes.extend([0; 2]);
        bytes.extend(size.to_ne_bytes());
        words
            .iter()
            .for_each(|word| bytes.extend(word.to_ne_bytes()));
        bytes
    }

    fn leaf(ip: u64) -> Record {
        Record::Sample(Sample {
            ip,
            callers: vec![],
            weight: 1_000,
            time: Some(5),
            ..Sample::default()
        })
    }

    fn parsed(bytes: &[u8]) -> Vec<Record> {
        records(bytes, Fields::default()).collect()
    }

    const CHAIN: Fields = Fields {
        chain: true,
        registers: 0,
        stack: 0,
    };

    #[test]
    fn only_samples_and_losses_are_read() {
        let bytes = [
            record(PERF_RECORD_SAMPLE, &[0x10, 5, 1_000]),
            record(PERF_RECORD_THROTTLE, &[1, 2, 3]),
            record(PERF_RECORD_LOST, &[9, 4]),
            record(PERF_RECORD_LOST_SAMPLES, &[6]),
            record(PERF_RECORD_SAMPLE, &[0x20, 5, 1_000]),
        ]
        .concat();
        assert_eq!(
            parsed(&bytes),
            [leaf(0x10), Record::Lost(4), Record::Lost(6), leaf(0x20)]
        );
    }

    #[test]
    fn a_chain_holds_only_callers() {
        let user = PERF_CONTEXT_USER;
        let bytes = record(PERF_RECORD_SAMPLE, &[0x10, 5, 7, 4, user, 0x10, 0x20, 0x30]);
        let [Record::Sample(sample)] = &records(&bytes, CHAIN).collect::<Vec<_>>()[..] else {
            panic!("one sample");
        };
        assert_eq!((sample.ip, sample.weight), (0x10, 7));
        assert_eq!(sample.callers, [0x20, 0x30]);
    }

    #[test]
    fn a_chain_longer_than_its_record_is_cut() {
        let bytes = [
            record(PERF_RECORD_SAMPLE, &[0x10, 5, 7, u64::MAX, 0x10, 0x20]),
            record(PERF_RECORD_SAMPLE, &[0x20, 5, 1_000, 0]),
        ]
        .concat();
        let [Record::Sample(first), second] = &records(&bytes, CHAIN).collect::<Vec<_>>()[..]
        else {
            panic!("two samples");
        };
        assert_eq!(first.callers, [0x20]);
        assert_eq!(*second, leaf(0x20));
    }

    #[test]
    fn registers_and_stack_may_be_missing() {
        let fields = Fields {
            chain: true,
            registers: 0b101,
            stack: 24,
        };
        assert_eq!(
            fields.sample_type(),
            u64::from(PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER)
                | Fields::default().sample_type()
        );
        for (words, registers, stack) in [
            // A chain of two, two registers, 24 bytes of stack of which 16 are valid.
            (
                &[0x10, 5, 7, 2, 0x10, 0x20, 2, 71, 72, 24, 81, 82, 83, 16][..],
                &[71, 72][..],
                &[81, 82][..],
            ),
            (&[0x10, 5, 7, 0, 2, 71, 72, 0], &[71, 72], &[]),
            // No registers, as in a kernel thread, and no stack.
            (&[0x10, 5, 7, 0, 0, 0], &[], &[]),
        ] {
            let bytes = record(PERF_RECORD_SAMPLE, words);
            let parsed: Vec<_> = records(&bytes, fields).collect();
            let [Record::Sample(sample)] = &parsed[..] else {
                panic!("{words:?}: {parsed:?}")
            };
            assert_eq!((&*sample.registers, &*sample.stack), (registers, stack));
        }
        let torn = record(PERF_RECORD_SAMPLE, &[0x10, 5, 7, 0, 2, 71, 72]);
        assert_eq!(records(&torn, fields).count(), 0);
    }

    #[test]
    fn a_truncated_or_invalid_record_ends_the_list() {
        let whole = record(PERF_RECORD_SAMPLE, &[0x10, 5, 1_000]);
        for cut in 1..whole.len() {
            assert_eq!(parsed(&[&whole[..], &whole[..cut]].concat()), [leaf(0x10)]);
        }
        let mut endless = whole.clone();
        endless.extend([9, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(parsed(&endless), [leaf(0x10)], "size 0 must not loop");
    }

    /// Every position in a ring of 64 bytes, so that headers and words are split at each byte.
    #[test]
    fn records_may_wrap_at_any_position() {
        let written = [
            record(PERF_RECORD_SAMPLE, &[0x10, 5, 1_000]),
            record(PERF_RECORD_LOST_SAMPLES, &[3]),
        ]
        .concat();
        for tail in 0..128u64 {
            let mut ring = [0xff; 64];
            for (i, &byte) in written.iter().enumerate() {
                ring[(tail as usize + i) % 64] = byte;
            }
            let head = tail + written.len() as u64;
            let bytes = unwrapped(&ring, tail, head);
            assert_eq!(parsed(&bytes), [leaf(0x10), Record::Lost(3)], "at {tail}");
        }
        assert!(unwrapped(&[0; 64], 70, 70).is_empty());
    }
}
