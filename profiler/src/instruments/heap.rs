//! Heap use of a piece of work on one thread, counted by the allocator in separate runs. Otherwise the allocator
//! checks one thread-local flag and forwards to the system's.
//!
//! Unsafe: `GlobalAlloc` is an unsafe trait; every call is forwarded unchanged.

#![allow(unsafe_code)]

use evmscope_reports::run::HeapUse;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with counting for threads that enabled it.
pub struct Counting;

#[global_allocator]
static HEAP: Counting = Counting;

/// The counts of one thread.
struct Tally {
    counting: Cell<bool>,
    /// Bytes above the level at the start; negative if earlier memory was freed.
    live: Cell<i64>,
    peak: Cell<i64>,
    allocations: Cell<u64>,
    allocated: Cell<u64>,
}

thread_local! {
    // Const-initialised and without a destructor, so that access never allocates.
    static TALLY: Tally = const {
        Tally {
            counting: Cell::new(false),
            live: Cell::new(0),
            peak: Cell::new(0),
            allocations: Cell::new(0),
            allocated: Cell::new(0),
        }
    };
}

/// Counts the heap use of `work` on this thread, relative to the level before.
pub fn count(work: impl FnOnce()) -> HeapUse {
    TALLY.with(|tally| {
        tally.live.set(0);
        tally.peak.set(0);
        tally.allocations.set(0);
        tally.allocated.set(0);
        tally.counting.set(true);
        work();
        tally.counting.set(false);
        HeapUse {
            peak: tally.peak.get().unsigned_abs(),
            kept: tally.live.get(),
            allocations: tally.allocations.get(),
            allocated: tally.allocated.get(),
        }
    })
}

impl Tally {
    fn grow(&self, bytes: usize) {
        self.allocations.set(self.allocations.get() + 1);
        self.allocated.set(self.allocated.get() + bytes as u64);
        self.live.set(self.live.get() + bytes as i64);
        self.peak.set(self.peak.get().max(self.live.get()));
    }

    fn shrink(&self, bytes: usize) {
        self.live.set(self.live.get() - bytes as i64);
    }
}

/// Updates the tally of this thread if it is counting.
#[inline(always)]
fn update(change: impl FnOnce(&Tally)) {
    TALLY.with(|tally| {
        if tally.counting.get() {
            change(tally);
        }
    });
}

// SAFETY: memory and layouts are the system allocator's; counting touches neither.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        update(|tally| tally.grow(layout.size()));
        // SAFETY: the caller upholds the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        update(|tally| tally.grow(layout.size()));
        // SAFETY: the caller upholds the contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        update(|tally| tally.shrink(layout.size()));
        // SAFETY: the caller upholds the contract.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Counted as if both blocks existed at once: the system may have to copy.
        update(|tally| {
            tally.grow(size);
            tally.shrink(layout.size());
        });
        // SAFETY: the caller upholds the contract.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    #[test]
    fn peak_and_kept_bytes_are_counted() {
        let before = black_box(vec![0_u8; 1000]);
        let mut kept = Vec::new();
        let used = count(|| {
            drop(black_box(vec![0_u8; 5000]));
            kept = black_box(vec![1_u8; 700]);
            drop(before);
        });
        let expected = HeapUse {
            peak: 5000,
            kept: -300,
            allocations: 2,
            allocated: 5700,
        };
        assert_eq!(used, expected);
        assert_eq!(count(|| ()), HeapUse::default());
    }

    #[test]
    fn reallocation_counts_both_blocks_at_the_peak() {
        let mut grows: Vec<u8> = Vec::with_capacity(100);
        let used = count(|| grows.reserve_exact(300));
        assert_eq!((used.peak, used.kept, used.allocations), (300, 200, 1));
    }

    #[test]
    fn other_threads_do_not_count() {
        let (send, receive) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            let _: () = receive.recv().unwrap();
            drop(black_box(vec![0_u8; 1 << 20]));
        });
        let used = count(|| {
            send.send(()).unwrap();
            other.join().unwrap();
        });
        assert!(used.allocated < 1 << 16, "{used:?}");
    }
}
