//! A `perf_event_open` sampling event with the ring that the kernel writes its records to.
//!
//! Unsafe: the ring is memory that the kernel writes to.

#![allow(unsafe_code)]

use super::record::unwrapped;
use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::unistd::{SysconfVar, sysconf};
use perf_event::{Builder, Counter};
use perf_event_open_sys::bindings::perf_event_mmap_page;
use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// Largest ring, bytes without the header page. With it this is the default `kernel.perf_event_mlock_kb` (516),
/// which an unprivileged user may lock.
const LARGEST: usize = 512 << 10;
const SMALLEST: usize = 16 << 10;

/// A sampling event of the calling thread and its mapped ring.
pub struct Ring {
    counter: Counter,
    /// The header page; the records follow it.
    page: NonNull<perf_event_mmap_page>,
    header: usize,
    size: usize,
}

impl Ring {
    /// Opens the event, disabled, and maps as large a ring as the user's limit allows.
    pub fn open(event: Builder) -> io::Result<Self> {
        let counter = event.build()?;
        let header = sysconf(SysconfVar::PAGE_SIZE)?
            .and_then(|size| usize::try_from(size).ok())
            .ok_or(Errno::EINVAL)?;
        let mut size = LARGEST;
        loop {
            match map(&counter, header + size) {
                Ok(page) => {
                    return Ok(Self {
                        counter,
                        page,
                        header,
                        size,
                    });
                }
                // Other rings of this user already use a part of the limit.
                Err(Errno::EPERM | Errno::ENOMEM) if size > SMALLEST => size /= 2,
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Starts sampling.
    pub fn start(&mut self) -> io::Result<()> {
        self.counter.enable()
    }

    /// Whether records fill more than half of the ring.
    pub fn is_half_full(&self) -> bool {
        let used = self.head().load(Ordering::Relaxed) - self.tail().load(Ordering::Relaxed);
        used > self.size as u64 / 2
    }

    /// Whether no record is waiting.
    pub fn is_empty(&self) -> bool {
        self.head().load(Ordering::Relaxed) == self.tail().load(Ordering::Relaxed)
    }

    /// Whether these bytes left no room in the ring, so that the kernel may have dropped records.
    pub fn was_filled_by(&self, bytes: &[u8]) -> bool {
        /// A sample with the deepest chain of `kernel.perf_event_max_stack` (127).
        const LARGEST_RECORD: usize = 8 + 8 * (4 + 127 + 8);
        bytes.len() + LARGEST_RECORD > self.size
    }

    /// Stops sampling and takes the records written since the last time.
    pub fn stop(&mut self) -> io::Result<Vec<u8>> {
        self.counter.disable()?;
        // Acquire pairs with the kernel's barrier between writing records and moving the head.
        let head = self.head().load(Ordering::Acquire);
        let tail = self.tail().load(Ordering::Relaxed);
        // SAFETY: the mapping holds `size` initialised bytes after the header page as long as
        // `self` lives. The kernel is the only other writer, and only while the event is enabled.
        let records = unsafe {
            let start = self.page.cast::<u8>().add(self.header);
            std::slice::from_raw_parts(start.as_ptr(), self.size)
        };
        let bytes = unwrapped(records, tail, head);
        // Release: the kernel may overwrite the records only after they were copied.
        self.tail().store(head, Ordering::Release);
        Ok(bytes)
    }

    fn head(&self) -> &AtomicU64 {
        // SAFETY: an aligned u64 in the mapped header page, which the kernel writes atomically.
        unsafe { AtomicU64::from_ptr(&raw mut (*self.page.as_ptr()).data_head) }
    }

    fn tail(&self) -> &AtomicU64 {
        // SAFETY: an aligned u64 in the mapped header page, which is ours to write.
        unsafe { AtomicU64::from_ptr(&raw mut (*self.page.as_ptr()).data_tail) }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping that `open` made; no reference into it outlives `self`.
        let unmapped = unsafe { munmap(self.page.cast::<c_void>(), self.header + self.size) };
        debug_assert_eq!(unmapped, Ok(()));
    }
}

fn map(counter: &Counter, length: usize) -> Result<NonNull<perf_event_mmap_page>, Errno> {
    let length = NonZeroUsize::new(length).ok_or(Errno::EINVAL)?;
    // SAFETY: the descriptor belongs to `counter`, which outlives this call.
    let descriptor = unsafe { BorrowedFd::borrow_raw(counter.as_raw_fd()) };
    // Writable, so that the kernel respects the tail and counts losses instead of overwriting.
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping at an address chosen by the kernel affects no other memory.
    unsafe { mmap(None, length, access, MapFlags::MAP_SHARED, descriptor, 0) }.map(NonNull::cast)
}
