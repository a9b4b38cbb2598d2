//! What SLOAD found and SSTORE left, for the SLOADs that follow: contracts read the same few slots again and
//! again, and a slot that was accessed is warm. Good from the entry into a stream to the way out, which is
//! as long as nobody else can change the account's storage.

use crate::word::Word;

/// Number of entries; a power of two.
const ENTRIES: usize = 256;

/// A direct-mapped table of slots.
#[derive(Debug)]
pub(crate) struct Loads {
    entries: Box<[Load; ENTRIES]>,
    /// Counts spans: entries of others do not count.
    span: u64,
}

#[derive(Clone, Copy, Debug)]
struct Load {
    key: Word,
    value: Word,
    span: u64,
}

impl Default for Loads {
    fn default() -> Loads {
        let nothing = Load {
            key: Word::ZERO,
            value: Word::ZERO,
            span: 0,
        };
        Loads {
            entries: Box::new([nothing; ENTRIES]),
            span: 0,
        }
    }
}

impl Loads {
    /// Begins a new span.
    #[inline(always)]
    pub fn forget(&mut self) {
        self.span += 1;
    }

    #[inline(always)]
    fn place(key: Word) -> usize {
        let low = key.0[0];
        (low ^ low >> 8) as usize % ENTRIES
    }

    /// The value of a slot, where it was read in this span.
    #[inline(always)]
    pub fn get(&self, key: Word) -> Option<&Word> {
        let load = &self.entries[Loads::place(key)];
        (load.span == self.span && load.key == key).then_some(&load.value)
    }

    /// Remembers a slot.
    #[inline(always)]
    pub fn put(&mut self, key: Word, value: Word) {
        self.entries[Loads::place(key)] = Load {
            key,
            value,
            span: self.span,
        };
    }
}
