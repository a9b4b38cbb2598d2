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

    pub fn clear(&mut self) {
        self.entries.clear();
        self.topics.clear();
        self.data.clear();
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
