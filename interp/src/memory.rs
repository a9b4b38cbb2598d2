//! A frame's byte-addressed memory: initially zero, grown and charged by the word (Yellow Paper, 9.1). The
//! opcodes that use it are in `ops::memory`.
//!
//! Unsafe: unchecked access after the offset was compared with the size.

#![allow(unsafe_code)]

use crate::gas::{self, Gas};
use crate::outcome::Halt;
use crate::word::Word;
use std::ops::Range;

/// Zeroed bytes are allocated in steps of this size, so that most growth is only arithmetic.
const STEP: usize = 1024;

/// Maximum size, whatever the gas: to reach it costs 3.5e13 gas, 100,000 times a block's gas limit.
const LIMIT: u64 = 1 << 32;

/// Maximum size with a price: the square of its words still fits 64 bits.
const PRICED: u64 = 0x1f_ffff_ffe0;

/// The memory of a frame.
///
/// Invariant: `size` is a multiple of 32, and `bytes[..bytes.len()]` beyond `size` is zero.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Memory {
    /// Number of offsets at which a whole word is inside: `size - 31`, or 0. A word access then takes a
    /// single comparison.
    words_end: usize,
    size: usize,
    bytes: Vec<u8>,
    /// Gas charged for the current size.
    paid: u64,
}

impl Memory {
    /// Size in bytes, as MSIZE returns it.
    #[inline(always)]
    pub fn size(&self) -> usize {
        self.size
    }

    /// The whole memory, [`Memory::size`] bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.size]
    }

    /// Empties the memory and keeps its allocation. Zeroes what the frame had paid for: less than what the next one
    /// would have to zero, by steps, before it can use a word.
    pub(crate) fn clear(&mut self) {
        if self.size > 0 {
            self.bytes[..self.size].fill(0);
        }
        self.size = 0;
        self.words_end = 0;
        self.paid = 0;
    }

    /// Expands the memory to hold `len` bytes at `offset` and charges for it. No effect if `len` is 0,
    /// whatever the offset (Yellow Paper, appendix H.1: M).
    ///
    /// # Errors
    /// [`Halt::OutOfGas`].
    #[inline]
    pub fn expand(&mut self, gas: &mut Gas, offset: Word, len: Word) -> Result<Range<usize>, Halt> {
        let Some(len) = len.to_u64() else {
            return Err(Halt::OutOfGas);
        };
        if len == 0 {
            return Ok(0..0);
        }
        let end = offset
            .saturating_u64()
            .checked_add(len)
            .ok_or(Halt::OutOfGas)?;
        if end > self.size as u64 {
            *gas = self.grow(*gas, end)?;
        }
        Ok((end - len) as usize..end as usize)
    }

    /// A range that the memory holds already.
    #[inline(always)]
    pub(crate) fn range(&self, offset: Word, len: Word) -> Option<Range<usize>> {
        let ([at, a, b, c], [len, d, e, f]) = (offset.0, len.0);
        let end = at.wrapping_add(len);
        // Without overflow if the length is not beyond the end.
        (a | b | c | d | e | f == 0 && end <= self.size as u64 && len <= end)
            .then_some(at as usize..end as usize)
    }

    /// Price of expanding the memory to hold `len` bytes at `offset`; `None` if it does not fit 64 bits.
    #[cold]
    pub(crate) fn price(&self, offset: Word, len: Word) -> Option<u64> {
        if len.is_zero() {
            return Some(0);
        }
        let end = offset.to_u64()?.checked_add(len.to_u64()?)?;
        if end > PRICED {
            return None;
        }
        Some(gas::memory(gas::words(end)).saturating_sub(self.paid))
    }

    /// The 32 bytes at offset `at`, if the memory holds them.
    #[inline(always)]
    pub fn window_at(&mut self, at: u64) -> Option<&mut [u8; 32]> {
        if at >= self.words_end as u64 {
            return None;
        }
        // SAFETY: `at + 32 <= size <= bytes.len()`.
        Some(unsafe { &mut *self.bytes.as_mut_ptr().add(at as usize).cast() })
    }

    /// The 32 bytes at `offset`, expanding the memory if necessary.
    ///
    /// # Errors
    /// [`Halt::OutOfGas`].
    #[inline(always)]
    pub fn window_or_grow(&mut self, gas: &mut Gas, offset: Word) -> Result<&mut [u8; 32], Halt> {
        let at = offset.saturating_u64();
        if at >= self.words_end as u64 {
            let left = self.grow_in_place(gas.signed(), at);
            *gas = if left >= 0 {
                Gas::from_signed(left)
            } else {
                self.grow(*gas, at.checked_add(32).ok_or(Halt::OutOfGas)?)?
            };
        }
        // SAFETY: `at + 32 <= size <= bytes.len()`.
        Ok(unsafe { &mut *self.bytes.as_mut_ptr().add(at as usize).cast() })
    }

    /// Expands the memory to hold the word at `at` in the common case: zeroed bytes and enough gas are left.
    /// Returns the gas left; a negative result means that nothing was changed.
    #[inline(always)]
    pub(crate) fn grow_in_place(&mut self, gas: i64, at: u64) -> i64 {
        // Below `LIMIT`, so neither the sum nor the price overflows.
        if at >= (self.bytes.len() as u64).saturating_sub(31) || at < self.words_end as u64 {
            return -1;
        }
        let words = gas::words(at + 32);
        let price = gas::memory(words);
        let left = gas - (price - self.paid) as i64;
        if left >= 0 {
            self.paid = price;
            self.size = words as usize * 32;
            self.words_end = self.size - 31;
        }
        left
    }

    /// Grows to hold `end` bytes, which must be more than now. Takes and returns the gas by value: with a
    /// reference the caller could not keep its counter in a register.
    #[cold]
    fn grow(&mut self, mut gas: Gas, end: u64) -> Result<Gas, Halt> {
        if end > LIMIT {
            return Err(Halt::OutOfGas);
        }
        let after = gas::words(end);
        let price = gas::memory(after);
        gas.charge(price - self.paid)?;
        let size = after as usize * 32;
        if size > self.bytes.len() {
            // `try_reserve` turns a failed allocation into out-of-gas instead of an abort.
            let len = size.next_multiple_of(STEP);
            let more = len - self.bytes.len();
            self.bytes.try_reserve(more).map_err(|_| Halt::OutOfGas)?;
            self.bytes.resize(len, 0);
        }
        self.paid = price;
        self.size = size;
        self.words_end = size - 31;
        Ok(gas)
    }

    /// The bytes of a range returned by [`Memory::expand`].
    #[inline]
    pub fn slice(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// Like [`Memory::slice`], mutable.
    #[inline]
    pub fn slice_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        &mut self.bytes[range]
    }

    /// Copies bytes to a range of the same length, returned by [`Memory::expand`] or [`Memory::range`].
    #[inline(always)]
    pub(crate) fn copy(&mut self, to: Range<usize>, source: &[u8]) {
        copy(&mut self.bytes[to], source);
    }

    /// Fills a range with zeros, as [`Memory::copy`].
    #[inline(always)]
    pub(crate) fn zero(&mut self, to: Range<usize>) {
        fill(&mut self.bytes[to]);
    }

    /// Copies `source[from..]` to a range returned by [`Memory::expand`], and fills the rest with zeros.
    #[inline]
    pub fn copy_padded(&mut self, to: Range<usize>, source: &[u8], from: Word) {
        // An empty range of empty memory is at an address that is not mapped, where even a fill of no bytes by masked
        // vectors takes a hundred cycles.
        if to.is_empty() {
            return;
        }
        let from = from.saturating_u64() as usize;
        let target = &mut self.bytes[to];
        let end = from.saturating_add(target.len());
        match source.get(from..end) {
            Some(source) => copy(target, source),
            None => copy_and_fill(target, source.get(from..).unwrap_or_default()),
        }
    }

    /// Copies within the memory; the ranges may overlap (EIP-5656) and must be inside.
    #[inline(always)]
    pub fn copy_within(&mut self, to: usize, from: Range<usize>) {
        let source = &self.bytes[from.clone()];
        // Both ends are read before one is written.
        match source.len() {
            32..=64 => {
                let ends = ends::<32>(source);
                put_ends(&mut self.bytes[to..to + from.len()], ends);
            }
            65..=128 => {
                let ends = ends::<64>(source);
                put_ends(&mut self.bytes[to..to + from.len()], ends);
            }
            _ => self.bytes.copy_within(from, to),
        }
    }
}

/// The first and the last `N` bytes, which may overlap: all of up to `2 * N` bytes, without a call and a loop.
type Ends<const N: usize> = [[u8; N]; 2];

/// The ends of a slice of `N` bytes or more.
#[inline(always)]
fn ends<const N: usize>(bytes: &[u8]) -> Option<Ends<N>> {
    Some([*bytes.first_chunk()?, *bytes.last_chunk()?])
}

/// Writes the ends of a slice of the same length.
#[inline(always)]
fn put_ends<const N: usize>(bytes: &mut [u8], ends: Option<Ends<N>>) {
    let Some([first, last]) = ends else { return };
    if let Some(chunk) = bytes.first_chunk_mut() {
        *chunk = first;
    }
    if let Some(chunk) = bytes.last_chunk_mut() {
        *chunk = last;
    }
}

/// Copies a source that is shorter than the target, and fills the rest with zeros.
#[inline(never)]
fn copy_and_fill(target: &mut [u8], source: &[u8]) {
    let (copied, filled) = target.split_at_mut(source.len());
    if !source.is_empty() {
        copied.copy_from_slice(source);
    }
    fill(filled);
}

/// `target.copy_from_slice(source)`, without a call for the lengths that contracts copy most.
#[inline(always)]
fn copy(target: &mut [u8], source: &[u8]) {
    match source.len() {
        0 => {}
        16..32 => put_ends::<16>(target, ends(source)),
        32..=64 => put_ends::<32>(target, ends(source)),
        65..=128 => put_ends::<64>(target, ends(source)),
        _ => target.copy_from_slice(source),
    }
}

/// Fills with zeros, without a call for the same lengths.
#[inline(always)]
fn fill(target: &mut [u8]) {
    match target.len() {
        0 => {}
        16..32 => put_ends(target, Some([[0; 16]; 2])),
        32..=64 => put_ends(target, Some([[0; 32]; 2])),
        65..=128 => put_ends(target, Some([[0; 64]; 2])),
        _ => target.fill(0),
    }
}

/// Maximum bytes kept for later frames.
const KEPT: usize = 16 << 20;

/// The allocations of frames that ended, for later frames.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    memories: Vec<Memory>,
    bytes: usize,
}

impl Pool {
    /// An empty memory.
    pub fn take(&mut self) -> Memory {
        let memory = self.memories.pop().unwrap_or_default();
        self.bytes -= memory.bytes.capacity();
        memory
    }

    /// Returns a memory to the pool. Without a limit, every depth would keep its largest allocation.
    pub fn give(&mut self, mut memory: Memory) {
        memory.clear();
        let bytes = self.bytes + memory.bytes.capacity();
        if memory.bytes.capacity() > 0 && bytes <= KEPT {
            self.bytes = bytes;
            self.memories.push(memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLENTY: u64 = 1 << 60;

    fn sized(pool: &mut Pool, bytes: usize) -> Memory {
        let mut memory = pool.take();
        let range = memory.expand(&mut Gas::new(PLENTY), Word::ZERO, bytes.into());
        assert_eq!(range, Ok(0..bytes));
        memory
    }

    #[test]
    fn memory_does_not_grow_beyond_the_limit() {
        let mut gas = Gas::new(PLENTY);
        let mut memory = Memory::default();
        for (offset, len) in [
            (LIMIT, 1),
            (0, LIMIT + 1),
            (1, LIMIT),
            (u64::MAX, 1),
            (1, u64::MAX),
            (u64::MAX, u64::MAX),
        ] {
            let range = memory.expand(&mut gas, offset.into(), len.into());
            assert_eq!(range, Err(Halt::OutOfGas), "{len} at {offset}");
        }
        assert_eq!((memory.size(), memory.bytes.capacity()), (0, 0));
        assert_eq!(gas.left(), PLENTY);
    }

    /// Every length around those that are copied without a call, against a copy byte by byte.
    #[test]
    fn copies_of_all_lengths_are_exact() {
        let source: Vec<u8> = (1..=250).collect();
        let mut pool = Pool::default();
        for len in 0..200 {
            for present in [0, 1, len / 2, len, len + 1] {
                let mut memory = sized(&mut pool, 512);
                memory.slice_mut(0..512).fill(0xff);
                let mut expected = memory.as_slice().to_vec();
                for i in 0..len {
                    expected[100 + i] = if i < present { source[3 + i] } else { 0 };
                }
                let range = memory.expand(&mut Gas::new(PLENTY), 100u64.into(), len.into());
                memory.copy_padded(range.unwrap(), &source[..3 + present], 3u64.into());
                assert_eq!(memory.as_slice(), expected, "{present} of {len}");
            }
            for to in [0, 99, 100, 101, 130, 164, 300] {
                let mut memory = sized(&mut pool, 512);
                memory.slice_mut(100..350).copy_from_slice(&source);
                let mut expected = memory.as_slice().to_vec();
                expected[to..to + len].copy_from_slice(&memory.as_slice()[100..100 + len]);
                memory.copy_within(to, 100..100 + len);
                assert_eq!(memory.as_slice(), expected, "{len} to {to}");
            }
        }
    }

    #[test]
    fn allocation_is_bounded_by_gas() {
        for gas in [0, 2, 3, 1_000, 30_000_000] {
            let mut left = Gas::new(gas);
            let mut memory = Memory::default();
            while memory
                .expand(&mut left, memory.size().into(), Word::ONE)
                .is_ok()
            {}
            // A word costs at least 3 gas. The last step may be only partly used, and `Vec` may reserve twice
            // as much.
            let paid = 32 * (gas as usize / 3);
            assert!(memory.size() <= paid);
            assert!(memory.bytes.capacity() <= 2 * (paid + STEP), "{gas}");
        }
    }

    #[test]
    fn reused_memory_is_zero() {
        let mut pool = Pool::default();
        let mut memory = sized(&mut pool, 2 * STEP);
        memory.slice_mut(0..2 * STEP).fill(0xff);
        pool.give(memory);
        let memory = sized(&mut pool, STEP + 1);
        assert!(memory.as_slice().iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_pool_keeps_a_limited_number_of_bytes() {
        let mut pool = Pool::default();
        for _ in 0..3 {
            let taken: Vec<_> = (0..40).map(|_| sized(&mut pool, 1 << 20)).collect();
            taken.into_iter().for_each(|memory| pool.give(memory));
            let held: usize = pool
                .memories
                .iter()
                .map(|memory| memory.bytes.capacity())
                .sum();
            assert_eq!(pool.bytes, held);
            assert!((KEPT / 2..=KEPT).contains(&held));
        }
        pool.give(sized(&mut Pool::default(), KEPT + 1));
        assert!(pool.bytes <= KEPT);
    }
}
