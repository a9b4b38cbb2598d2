//! The decoded form of one code: the stream of cells, the entries into it, and the counters that decide what
//! to translate. It belongs to one interpreter, which patches it while it runs.

use super::instruction::{self, Cell, Header};
use crate::code::Code;
use crate::opcode::Opcode;
use crate::technique::{Technique, Techniques};
use std::sync::Arc;

/// Longer code is not translated: offsets have 16 bits, and a truncated PUSH32 ends 32 bytes after the code.
/// Since EIP-170 deployed code has at most 24,576 bytes.
pub(crate) const LONGEST: usize = u16::MAX as usize - 32;

/// Maximum number of cells of a stream: distances have 16 signed bits.
const MOST_CELLS: usize = i16::MAX as usize;

/// Number of code bytes that share a counter.
const COUNTED: usize = 8;

/// Index of a program in a cache. Valid for one message: the cache drops programs only between messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(pub u32);

/// The opcode that an instruction was made from.
#[derive(Clone, Debug)]
pub struct Place {
    /// The code.
    pub code: Arc<Code>,
    /// Offset of the opcode.
    pub pc: usize,
    /// What the instruction does, which may be another opcode (the addition of a negative constant is a
    /// subtraction); `None` after the end of the code.
    pub opcode: Option<Opcode>,
    /// Offset of the opcode of the preceding instruction: near the end of a handler, the instruction pointer
    /// may already be at the next instruction.
    pub before: Option<usize>,
}

/// The instructions of one trace, as the encoder returns them.
#[derive(Debug, Default)]
pub(crate) struct EncodedTrace {
    /// The instructions, the header first.
    pub cells: Vec<Cell>,
    /// Indices of the instructions that access memory, and the static gas after each.
    pub accesses: Vec<(u16, u16)>,
    /// Indices of the instructions that leave for an entry.
    pub leaves: Vec<u16>,
    /// The first cell of each node and the offset of its opcode. The last entry is the end of the nodes,
    /// where the exits start.
    pub marks: Vec<(u16, u16)>,
    /// The first cell of each exit and the offset of the opcode that leaves.
    pub exits: Vec<(u16, u16)>,
}

impl EncodedTrace {
    /// Empties it and keeps the buffers.
    pub fn clear(&mut self) {
        self.cells.clear();
        self.accesses.clear();
        self.leaves.clear();
        self.marks.clear();
        self.exits.clear();
    }
}

/// The decoded form of one code.
pub(crate) struct Program {
    pub code: Arc<Code>,
    pub stream: Vec<Cell>,
    /// Number of jumpdests before each 64 bytes of code.
    before: Box<[u16]>,
    /// The header of each jumpdest, in the order of the code; 0 if there is none.
    jumpdests: Box<[u16]>,
    /// Entries that are not jumpdests: offset in the code and header, sorted by offset.
    others: Vec<(u16, u16)>,
    /// Memory accesses and the static gas after them in their trace, in the order of the stream.
    pending: Vec<(u16, u16)>,
    /// Entry points that cannot be translated or are not worth it: one bit per byte of code. Empty until the
    /// first one, but always counted in the budget.
    refused: Box<[u8]>,
    /// How often each entry point must still be reached to become hot.
    counters: Box<[u8]>,
    hot_threshold: u8,
    /// Maximum bytes of the decoded form.
    budget: usize,
    techniques: Techniques,
    places: Option<Places>,
}

/// The opcode that instructions were made from: index of the first cell and offset in the code, sorted by
/// index. Only kept for profilers, and not counted in the budget.
type Places = Vec<(u16, u16)>;

impl Program {
    /// A program without entries; `budget` is the most bytes of its decoded form.
    pub fn new(
        code: &Arc<Code>,
        hot_threshold: u8,
        budget: usize,
        techniques: Techniques,
    ) -> Program {
        Program {
            code: Arc::clone(code),
            stream: Vec::new(),
            before: Box::default(),
            jumpdests: Box::default(),
            others: Vec::new(),
            pending: Vec::new(),
            refused: Box::default(),
            counters: vec![hot_threshold; code.len() / COUNTED + 1].into(),
            hot_threshold,
            budget,
            techniques,
            places: None,
        }
    }

    /// From now on records which opcode each instruction was made from.
    pub fn keep_places(&mut self) {
        self.places.get_or_insert_default();
    }

    /// The opcode that the instruction at an address was made from, if that was recorded.
    pub fn place(&self, address: usize) -> Option<Place> {
        let places = self.places.as_ref()?;
        let offset = address.checked_sub(self.stream.as_ptr().addr())?;
        let at = offset / size_of::<Cell>();
        if at >= self.stream.len() || !offset.is_multiple_of(size_of::<Cell>()) {
            return None;
        }
        let behind = places.partition_point(|place| usize::from(place.0) <= at);
        let pc = |n: usize| Some(usize::from(places.get(behind.checked_sub(n)?)?.1));
        let opcode = instruction::opcode_of(self.stream[at].0[0]);
        Some(Place {
            code: Arc::clone(&self.code),
            pc: pc(1)?,
            opcode: opcode.or_else(|| self.code.bytes().get(pc(1)?).copied().map(Opcode)),
            before: pc(2),
        })
    }

    /// Its size in bytes.
    pub fn size(&self) -> usize {
        self.stream.capacity() * size_of::<Cell>()
            + size_of_val(&*self.before)
            + size_of_val(&*self.jumpdests)
            + self.others.capacity() * size_of::<(u16, u16)>()
            + self.pending.capacity() * size_of::<(u16, u16)>()
            + size_of_val(&*self.refused)
            + size_of_val(&*self.counters)
    }

    /// Bytes left in the budget, with those for refusals reserved.
    fn spare(&self) -> usize {
        let refused = if self.refused.is_empty() {
            self.refused_size()
        } else {
            0
        };
        self.budget.saturating_sub(self.size() + refused)
    }

    /// Counts a visit of an entry point. Returns whether it is hot.
    #[inline(always)]
    pub fn count(&mut self, pc: usize) -> bool {
        let counter = &mut self.counters[pc / COUNTED];
        match *counter {
            0 => true,
            _ => {
                *counter -= 1;
                false
            }
        }
    }

    /// Whether an entry point was reached at least half as often as necessary to become hot.
    pub fn is_warm(&self, pc: usize) -> bool {
        self.counters[pc / COUNTED] <= self.hot_threshold / 2
    }

    /// Whether an entry point was refused. If so, restarts its counter, so that this is not called on every
    /// jump to it. The counter stays in use for the entry points that share it.
    pub fn refuses(&mut self, pc: usize) -> bool {
        let bits = self.refused.get(pc / 8).copied().unwrap_or_default();
        let refused = bits >> (pc % 8) & 1 == 1;
        if refused {
            self.counters[pc / COUNTED] = self.hot_threshold;
        }
        refused
    }

    /// Refuses to translate this entry point from now on.
    pub fn refuse(&mut self, pc: usize) {
        if self.refused.is_empty() {
            self.refused = vec![0; self.refused_size()].into();
        }
        self.refused[pc / 8] |= 1 << (pc % 8);
    }

    /// The index of the jumpdest at `pc`, if there is one.
    #[inline]
    fn rank(&self, pc: usize) -> Option<usize> {
        let bits = *self.code.jumpdests().get(pc / 64)?;
        let bit = 1 << (pc % 64);
        if bits & bit == 0 {
            return None;
        }
        let before = self.before.get(pc / 64).copied()?;
        Some(usize::from(before) + (bits & (bit - 1)).count_ones() as usize)
    }

    /// The header of the jumpdest at `pc`, 0 if it is not translated; `None` if there is no jumpdest.
    #[inline]
    pub fn jumpdest(&self, pc: usize) -> Option<u16> {
        self.rank(pc).map(|rank| self.jumpdests[rank])
    }

    /// The header of the entry at `pc`. Inlined, because every exit to an entry calls it.
    #[inline(always)]
    pub fn entry(&self, pc: usize) -> Option<usize> {
        let header = match self.rank(pc) {
            Some(rank) => self.jumpdests[rank],
            None => {
                let found = self
                    .others
                    .binary_search_by_key(&(pc as u16), |entry| entry.0);
                found.map_or(0, |at| self.others[at].1)
            }
        };
        (header != 0).then_some(header.into())
    }

    /// Whether the budget allows another trace with so many cells and memory accesses.
    pub fn affords(&self, cells: usize, accesses: usize) -> bool {
        let maps = if self.stream.is_empty() {
            self.maps_size()
        } else {
            0
        };
        let first = usize::from(self.stream.is_empty());
        let grown = (cells + first) * size_of::<Cell>() + (accesses + 1) * size_of::<(u16, u16)>();
        self.stream.len() + first + cells <= MOST_CELLS && grown + maps <= self.spare()
    }

    fn refused_size(&self) -> usize {
        self.code.len() / 8 + 1
    }

    fn maps_size(&self) -> usize {
        let jumpdests: u32 = self
            .code
            .jumpdests()
            .iter()
            .map(|bits| bits.count_ones())
            .sum();
        2 * (self.code.jumpdests().len() + jumpdests as usize)
    }

    /// Adds a trace with its entry at `pc`.
    pub fn add(&mut self, pc: usize, trace: &EncodedTrace) {
        let EncodedTrace {
            cells,
            accesses,
            leaves,
            marks,
            exits,
        } = trace;
        if self.stream.is_empty() {
            // Cell 0 stays unused, because header 0 means none.
            self.stream.reserve_exact(1);
            self.stream.push(Cell::default());
            self.count_jumpdests();
        }
        let header = self.stream.len() as u16;
        if self.stream.capacity() - self.stream.len() < cells.len() {
            // Reserves extra space within the budget, because growing for each trace would copy too often.
            let ahead = (self.stream.len() / 4).min(self.spare() / 2 / size_of::<Cell>());
            self.stream.reserve_exact(cells.len().max(ahead));
        }
        self.stream.extend_from_slice(cells);
        self.pending.reserve_exact(accesses.len());
        self.pending
            .extend(accesses.iter().map(|(at, gas)| (header + at, *gas)));
        if let Some(places) = &mut self.places {
            let nodes = &marks[..marks.len() - 1];
            places.push((header, pc as u16));
            places.extend(nodes.iter().chain(exits).map(|(at, pc)| (header + at, *pc)));
        }
        match self.rank(pc) {
            Some(rank) => self.jumpdests[rank] = header,
            None => {
                let at = self
                    .others
                    .partition_point(|entry| usize::from(entry.0) < pc);
                self.others.reserve_exact(1);
                self.others.insert(at, (pc as u16, header));
            }
        }
        for at in leaves {
            self.link_new(header.into(), usize::from(header + at));
        }
    }

    /// Turns the instruction at `at`, which leaves for an entry, into a jump if the entry exists.
    pub fn link(&mut self, at: usize) {
        let [number, pc, shift, spared] = self.stream[at].0;
        if number == instruction::LEAVE
            && let Some(header) = self.entry(pc.into())
        {
            let distance = header as i64 - at as i64;
            self.stream[at] = Cell([instruction::JUMP, distance as u16, shift, spared]);
        }
    }

    /// Like [`Program::link`], for a new trace. Its jumps to itself skip the stack check if the first check
    /// implies the following ones.
    fn link_new(&mut self, header: usize, at: usize) {
        let own = self.header(header);
        self.link(at);
        let [number, distance, shift, spared] = self.stream[at].0;
        let to_itself = at as i64 + i64::from(distance as i16) == header as i64;
        let fits = number == instruction::JUMP && to_itself && shift == 0;
        if fits && self.techniques.has(Technique::Fitting) {
            debug_assert!(own.least <= own.most);
            self.stream[at] = Cell([instruction::JUMP_FITTING, distance, shift, spared]);
        }
    }

    /// Stores the last target of a dynamic jump in its cache.
    pub fn remember_target(&mut self, at: usize, pc: u16, header: u16) {
        if self.techniques.has(Technique::Targets) {
            let distance = i64::from(header) - at as i64;
            self.stream[at + 1] = Cell([pc, distance as u16, 0, 0]);
        }
    }

    fn count_jumpdests(&mut self) {
        let mut before = 0;
        let ranks = self.code.jumpdests().iter().map(|bits| {
            let rank = before;
            before += bits.count_ones() as u16;
            rank
        });
        self.before = ranks.collect();
        self.jumpdests = vec![0; before.into()].into();
    }

    /// The static gas after a memory access in its trace.
    pub fn pending(&self, at: usize) -> u16 {
        let found = self
            .pending
            .binary_search_by_key(&(at as u16), |access| access.0);
        found.map_or(0, |at| self.pending[at].1)
    }

    /// The header at an index.
    pub fn header(&self, at: usize) -> Header {
        Header::of(self.stream[at])
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Program({} cells for {} bytes)",
            self.stream.len(),
            self.code.len()
        )
    }
}

#[cfg(test)]
mod tests;
