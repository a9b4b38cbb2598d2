//! The logs of a transaction, in three allocations whatever their number. The journal undoes them.

use crate::host::Log;
use alloy_primitives::{Address, B256};

/// Logs in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub(super) struct Logs {
    entries: Vec<Entry>,
    topics: Vec<B256>,
    data: Vec<u8>,
}

/// A log, and where its topics and its data start; they end where those of the next one start.
#[derive(Clone, Copy, Debug)]
struct Entry {
    address: Address,
    topics: usize,
    data: usize,
}

impl Logs {
    pub fn push(&mut self, log: Log<'_>) {
        self.entries.push(Entry {
            address: log.address,
            topics: self.topics.len(),
            data: self.data.len(),
        });
        self.topics.extend_from_slice(log.topics);
        self.data.extend_from_slice(log.data);
    }

    /// Removes the last log.
    pub fn pop(&mut self) {
        if let Some(last) = self.entries.pop() {
            self.topics.truncate(last.topics);
            self.data.truncate(last.data);
        }
    }

    /// Takes all back, and keeps allocations of up to `kept` bytes each.
    pub fn clear(&mut self, kept: usize) {
        self.entries.clear();
        self.entries.shrink_to(kept / size_of::<Entry>());
        self.topics.clear();
        self.topics.shrink_to(kept / size_of::<B256>());
        self.data.clear();
        self.data.shrink_to(kept);
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = Log<'_>> {
        self.entries.iter().enumerate().map(|(at, entry)| {
            let next = self.entries.get(at + 1);
            let topics = next.map_or(self.topics.len(), |next| next.topics);
            let data = next.map_or(self.data.len(), |next| next.data);
            Log {
                address: entry.address,
                topics: &self.topics[entry.topics..topics],
                data: &self.data[entry.data..data],
            }
        })
    }
}
