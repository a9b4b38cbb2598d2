//! A cache of the values that SLOAD read and SSTORE wrote. Contracts read the same few slots repeatedly, and
//! a slot that was accessed is warm. Valid while one frame runs and only streams write to storage, so that
//! nothing else can change the account's storage.

use crate::word::Word;

/// Initial and maximum number of entries; powers of two. Most contracts need few, and a small table stays in
/// the CPU's cache. A path tracer reads a thousand slots of its scene.
const FIRST: usize = 64;
const MOST: usize = 4096;

/// A direct-mapped cache of slots.
#[derive(Debug)]
pub(crate) struct Loads {
    /// The length is a power of two.
    entries: Vec<Load>,
    /// Number of the current span. Entries of other spans are invalid.
    span: u64,
    /// Whether the cache is on.
    remembers: bool,
    /// Number of evictions within the current span.
    replaced: usize,
}

#[derive(Clone, Copy, Debug)]
struct Load {
    key: Word,
    value: Word,
    span: u64,
}

const NOTHING: Load = Load {
    key: Word::ZERO,
    value: Word::ZERO,
    span: 0,
};

impl Loads {
    /// An empty cache. It stays empty unless `remembers`.
    pub fn new(remembers: bool) -> Loads {
        Loads {
            entries: vec![NOTHING; FIRST],
            span: 0,
            remembers,
            replaced: 0,
        }
    }

    /// Starts a new span, which empties the cache.
    #[inline(always)]
    pub fn forget(&mut self) {
        self.span += 1;
    }

    #[inline(always)]
    fn place(&self, key: Word) -> usize {
        let low = key.0[0];
        (low ^ low >> 8) as usize & (self.entries.len() - 1)
    }

    /// The value of a slot, if it is cached.
    #[inline(always)]
    pub fn get(&self, key: Word) -> Option<&Word> {
        let load = self.entries.get(self.place(key))?;
        (load.span == self.span && load.key == key).then_some(&load.value)
    }

    /// Adds a slot.
    pub fn put(&mut self, key: Word, value: Word) {
        if !self.remembers {
            return;
        }
        let at = self.place(key);
        let before = self.entries[at];
        if before.span == self.span && before.key != key {
            self.replaced += 1;
            if self.replaced > self.entries.len() && self.entries.len() < MOST {
                self.replaced = 0;
                self.entries = vec![NOTHING; 4 * self.entries.len()];
                return self.put(key, value);
            }
        }
        self.entries[at] = Load {
            key,
            value,
            span: self.span,
        };
    }
}
