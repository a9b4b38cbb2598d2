//! What SLOAD found and SSTORE left, for the SLOADs that follow: contracts read the same few slots again and
//! again, and a slot that was accessed is warm. Good while one frame runs and only streams write to storage:
//! nobody else can change the account's meanwhile.

use crate::word::Word;

/// Entries at first, and at most; powers of two. Most contracts need few, and these stay near; a path tracer
/// sweeps a thousand slots of its scene.
const FIRST: usize = 64;
const MOST: usize = 4096;

/// A direct-mapped table of slots.
#[derive(Debug)]
pub(crate) struct Loads {
    /// A power of two of them.
    entries: Vec<Load>,
    /// Counts spans: entries of others do not count.
    span: u64,
    /// Whether anything is remembered.
    remembers: bool,
    /// How often a slot has taken the place of another one of its span.
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
    /// An empty table, which stays so where nothing shall be remembered.
    pub fn new(remembers: bool) -> Loads {
        Loads {
            entries: vec![NOTHING; FIRST],
            span: 0,
            remembers,
            replaced: 0,
        }
    }

    /// Begins a new span.
    #[inline(always)]
    pub fn forget(&mut self) {
        self.span += 1;
    }

    #[inline(always)]
    fn place(&self, key: Word) -> usize {
        let low = key.0[0];
        (low ^ low >> 8) as usize & (self.entries.len() - 1)
    }

    /// The value of a slot, where it was read in this span.
    #[inline(always)]
    pub fn get(&self, key: Word) -> Option<&Word> {
        let load = self.entries.get(self.place(key))?;
        (load.span == self.span && load.key == key).then_some(&load.value)
    }

    /// Remembers a slot.
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
