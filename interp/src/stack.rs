//! The operand stacks of all frames of an interpreter, in one allocation.
//!
//! Unsafe: reads and writes through pointers whose bounds the modes have checked.

#![allow(unsafe_code)]

use crate::gas::CALL_DEPTH;
use crate::word::Word;

/// Maximum number of items on a frame's stack (Yellow Paper, 9.1).
pub const LIMIT: usize = 1024;

/// Number of scratch slots that a frame may use above the limit.
pub(crate) const SCRATCH: usize = 512;

/// Stacks of all frames. A frame's stack starts where its caller's ends, so the deepest recursion fits, and
/// consecutive frames are close in memory.
///
/// The operating system provides zeroed pages on first use.
#[derive(Debug)]
pub(crate) struct Stack(Vec<[u64; 4]>);

impl Stack {
    pub fn new() -> Stack {
        Stack(vec![[0; 4]; LIMIT * (CALL_DEPTH as usize + 1) + SCRATCH])
    }

    /// A pointer to item 0 of the frame at `base`. The next `LIMIT + SCRATCH` items are inside the
    /// allocation.
    ///
    /// # Panics
    /// If the callers hold more items than their depth allows, which is a bug in the driver.
    pub fn frame(&mut self, base: usize) -> *mut Word {
        self.0[base..base + LIMIT + SCRATCH].as_mut_ptr().cast()
    }

    /// Writes the item at `index`.
    ///
    /// # Panics
    /// As [`Stack::frame`].
    pub fn push(&mut self, index: usize, word: Word) {
        self.0[index] = word.0;
    }
}

/// Items between a frame's item 0 and its stack pointer.
#[inline(always)]
pub(crate) fn height(base: *const Word, sp: *const Word) -> usize {
    (sp as usize - base as usize) / size_of::<Word>()
}

/// Reads a word as four 8-byte pieces.
///
/// The compiler would copy a word through two 16-byte registers. A 16-byte load of a slot just written in
/// 8-byte pieces cannot be store-forwarded and waits until the pieces reach the cache: 19 to 26 % of an
/// integer path tracer's time. Volatile access prevents the merge.
///
/// # Safety
/// `slot` is inside a stack.
#[inline(always)]
pub(crate) unsafe fn load(slot: *const Word) -> Word {
    let limbs = slot.cast::<u64>();
    // SAFETY: the caller guarantees that the slot is inside a stack; it has four limbs.
    unsafe {
        Word([
            limbs.read_volatile(),
            limbs.add(1).read_volatile(),
            limbs.add(2).read_volatile(),
            limbs.add(3).read_volatile(),
        ])
    }
}

/// Writes a word as four 8-byte pieces; see [`load`].
///
/// # Safety
/// `slot` is inside a stack.
#[inline(always)]
pub(crate) unsafe fn store(slot: *mut Word, word: Word) {
    let limbs = slot.cast::<u64>();
    // SAFETY: the caller guarantees that the slot is inside a stack; it has four limbs.
    unsafe {
        limbs.write_volatile(word.0[0]);
        limbs.add(1).write_volatile(word.0[1]);
        limbs.add(2).write_volatile(word.0[2]);
        limbs.add(3).write_volatile(word.0[3]);
    }
}

/// Reads the `N` topmost items below `sp`, the top one first.
///
/// # Safety
/// At least `N` items lie below `sp`.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "see the comment below")]
pub(crate) unsafe fn top<const N: usize>(sp: *const Word) -> [Word; N] {
    // Unrolled by hand: a closure over arrays is not always inlined. The array then stays in memory, and the
    // handler cannot end in a jump.
    let mut words = [Word::ZERO; N];
    // SAFETY: `i + 1 <= N` items below `sp` are inside the stack.
    unsafe {
        if N > 0 {
            words[0] = load(sp.sub(1));
        }
        if N > 1 {
            words[1] = load(sp.sub(2));
        }
        if N > 2 {
            words[2] = load(sp.sub(3));
        }
        for i in 3..N {
            words[i] = load(sp.sub(i + 1));
        }
    }
    words
}

/// Writes `N` items from `sp` upwards, the first one on top.
///
/// # Safety
/// There is room for `N` items at `sp`.
#[inline(always)]
pub(crate) unsafe fn put<const N: usize>(sp: *mut Word, words: [Word; N]) {
    const { assert!(N <= 1, "no opcode has more than one result") };
    if N > 0 {
        // SAFETY: guaranteed by the caller.
        unsafe { store(sp, words[0]) };
    }
}

/// Exchanges two items.
///
/// # Safety
/// Both are inside a stack.
#[inline(always)]
pub(crate) unsafe fn swap(a: *mut Word, b: *mut Word) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let (first, second) = (load(a), load(b));
        store(a, second);
        store(b, first);
    }
}
