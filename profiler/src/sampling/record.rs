//! The records of a perf ring, as bytes: `perf_event_open(2)`, section "MMAP layout".
//!
//! Parsing is safe code over a copy of the ring's bytes; mapping the ring is `ring`'s business.

use super::Sample;
use perf_event_open_sys::bindings::{
    PERF_CONTEXT_MAX, PERF_RECORD_LOST, PERF_RECORD_LOST_SAMPLES, PERF_RECORD_SAMPLE,
    PERF_SAMPLE_CALLCHAIN, PERF_SAMPLE_IP, PERF_SAMPLE_PERIOD, PERF_SAMPLE_TIME,
};

/// Fields of a sample, without and with a call chain. The kernel writes them in the order of the
/// bits: ip, time, period, chain.
pub const LEAF: u64 = PERF_SAMPLE_IP as u64 | PERF_SAMPLE_TIME as u64 | PERF_SAMPLE_PERIOD as u64;
/// [`LEAF`] and the callers.
pub const CHAIN: u64 = LEAF | PERF_SAMPLE_CALLCHAIN as u64;

/// What is of interest in a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A sample.
    Sample(Sample),
    /// So many records did not fit.
    Lost(u64),
}

/// The bytes between two positions of a ring, in order. Positions count on and never wrap; the
/// ring's length is a power of two.
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

/// Parses whole records; others than samples and losses are passed over, and so is a torn end.
pub fn records(bytes: &[u8]) -> impl Iterator<Item = Record> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (kind, body, next) = split(rest)?;
        rest = next;
        Some((kind, body))
    })
    .filter_map(|(kind, body)| parse(kind, body))
}

/// Splits off a record: header (u32 type, u16 misc, u16 size with the header), then the body.
fn split(bytes: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    const HEADER: usize = 8;
    let kind = u32::from_ne_bytes(*bytes.first_chunk()?);
    let size = u16::from_ne_bytes(*bytes.get(6..)?.first_chunk()?).into();
    let body = bytes.get(HEADER..size)?;
    Some((kind, body, &bytes[size..]))
}

fn parse(kind: u32, body: &[u8]) -> Option<Record> {
    let mut words = body
        .chunks_exact(8)
        .filter_map(|word| Some(u64::from_ne_bytes(*word.first_chunk()?)));
    match kind {
        PERF_RECORD_SAMPLE => sample(&mut words).map(Record::Sample),
        // u64 id, u64 lost.
        PERF_RECORD_LOST => words.nth(1).map(Record::Lost),
        // u64 lost.
        PERF_RECORD_LOST_SAMPLES => words.next().map(Record::Lost),
        _ => None,
    }
}

fn sample(words: &mut impl Iterator<Item = u64>) -> Option<Sample> {
    let (ip, time, weight) = (words.next()?, words.next()?, words.next()?);
    let depth = words.next().unwrap_or(0);
    let callers = words
        .take(depth as usize)
        // Markers such as PERF_CONTEXT_USER say where the addresses after them belong.
        .filter(|&address| address < PERF_CONTEXT_MAX)
        // The chain begins with the sampled instruction itself.
        .skip(1)
        .collect();
    Some(Sample {
        ip,
        callers,
        weight,
        time: Some(time),
    })
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
        })
    }

    fn parsed(bytes: &[u8]) -> Vec<Record> {
        records(bytes).collect()
    }

    #[test]
    fn reads_samples_losses_and_nothing_else() {
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
    fn a_chain_is_callers_only() {
        let user = PERF_CONTEXT_USER;
        let bytes = record(PERF_RECORD_SAMPLE, &[0x10, 5, 7, 4, user, 0x10, 0x20, 0x30]);
        let [Record::Sample(sample)] = &parsed(&bytes)[..] else {
            panic!("one sample");
        };
        assert_eq!((sample.ip, sample.weight), (0x10, 7));
        assert_eq!(sample.callers, [0x20, 0x30]);
    }

    #[test]
    fn a_chain_that_claims_more_than_it_holds_ends_with_its_record() {
        let bytes = [
            record(PERF_RECORD_SAMPLE, &[0x10, 5, 7, u64::MAX, 0x10, 0x20]),
            record(PERF_RECORD_SAMPLE, &[0x20, 5, 1_000]),
        ]
        .concat();
        let [Record::Sample(first), second] = &parsed(&bytes)[..] else {
            panic!("two samples");
        };
        assert_eq!(first.callers, [0x20]);
        assert_eq!(*second, leaf(0x20));
    }

    #[test]
    fn a_torn_or_impossible_record_ends_the_list() {
        let whole = record(PERF_RECORD_SAMPLE, &[0x10, 5, 1_000]);
        for cut in 1..whole.len() {
            assert_eq!(parsed(&[&whole[..], &whole[..cut]].concat()), [leaf(0x10)]);
        }
        let mut endless = whole.clone();
        endless.extend([9, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(parsed(&endless), [leaf(0x10)], "size 0 must not loop");
    }

    /// Every position in a ring of 64 bytes, so that headers and words are torn at each byte.
    #[test]
    fn records_survive_the_wrap_at_every_place() {
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
