//! The decoded form of one code: the stream of cells, the entries into it, and what is kept to decide what
//! is worth translating. It belongs to one interpreter, which patches it while it runs.

use super::instruction::{self, Cell, Header};
use crate::code::Code;
use crate::opcode::Opcode;
use crate::technique::{Technique, Techniques};
use std::sync::Arc;

/// Longer code is not translated: offsets are kept in 16 bits, and a PUSH32 that the code cuts short ends 32
/// bytes behind it. Since EIP-170 deployed code has at most 24,576 bytes.
pub(crate) const LONGEST: usize = u16::MAX as usize - 32;

/// Most cells of a stream: distances are kept in 16 signed bits.
const MOST_CELLS: usize = i16::MAX as usize;

/// Bytes of code that share a counter.
const COUNTED: usize = 8;

/// A program of a cache. Good for one message: the cache forgets between messages only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(pub u32);

/// Where in a code an instruction of its decoded form comes from.
#[derive(Clone, Debug)]
pub struct Place {
    /// The code.
    pub code: Arc<Code>,
    /// Offset of the opcode.
    pub pc: usize,
    /// What the instruction does, which may be another opcode's work (adding a negative constant is
    /// subtracting); none behind the end of the code.
    pub opcode: Option<Opcode>,
    /// Offset of the opcode of the instruction in front of it: a handler that is about to end may point to
    /// the next one already.
    pub before: Option<usize>,
}

/// The instructions of one trace, finished: what the encoder hands over.
#[derive(Debug, Default)]
pub(crate) struct EncodedTrace {
    /// The instructions, the header first.
    pub cells: Vec<Cell>,
    /// Which of them access memory, and the static gas that follows them.
    pub accesses: Vec<(u16, u16)>,
    /// Which of them leave for an entry.
    pub leaves: Vec<u16>,
    /// The first cell of each node and the offset of its opcode; the last one is the end of the nodes, where the
    /// exits begin.
    pub marks: Vec<(u16, u16)>,
    /// The first cell of each exit and the offset of the opcode that leaves.
    pub exits: Vec<(u16, u16)>,
}

impl EncodedTrace {
    /// Empties it; its buffers stay.
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
    /// The header of each jumpdest, in the order of the code; 0 where there is none.
    jumpdests: Box<[u16]>,
    /// Entries elsewhere: offset in the code and header, in order.
    others: Vec<(u16, u16)>,
    /// Memory accesses and the static gas that follows them in their trace, in the order of the stream.
    pending: Vec<(u16, u16)>,
    /// Entry points that are not worth translating, or not possible: a bit a byte of code. Empty until there is
    /// one, but the budget counts it from the start.
    refused: Box<[u8]>,
    /// How often each entry point has yet to be reached.
    counters: Box<[u8]>,
    hot_threshold: u8,
    /// Most bytes of the decoded form.
    budget: usize,
    techniques: Techniques,
    places: Option<Places>,
}

/// Which opcode the instructions from an index of the stream on were made of: index and offset in the code,
/// in order. For profilers only, so it is kept where one asks, and beside the budget.
type Places = Vec<(u16, u16)>;

impl Program {
    /// A program without entries; `budget` is in bytes of decoded form a byte of code.
    pub fn new(
        code: &Arc<Code>,
        hot_threshold: u8,
        budget: f64,
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
            budget: (code.len() as f64 * budget) as usize,
            techniques,
            places: None,
        }
    }

    /// From now on keeps which opcode each instruction was made of.
    pub fn keep_places(&mut self) {
        self.places.get_or_insert_default();
    }

    /// The opcode that the instruction at an address was made of, where that was kept.
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

    /// Bytes it takes.
    pub fn size(&self) -> usize {
        self.stream.capacity() * size_of::<Cell>()
            + size_of_val(&*self.before)
            + size_of_val(&*self.jumpdests)
            + self.others.capacity() * size_of::<(u16, u16)>()
            + self.pending.capacity() * size_of::<(u16, u16)>()
            + size_of_val(&*self.refused)
            + size_of_val(&*self.counters)
    }

    /// Bytes of the budget that are left, beside those for refusals.
    fn spare(&self) -> usize {
        let refused = if self.refused.is_empty() {
            self.refused_size()
        } else {
            0
        };
        self.budget.saturating_sub(self.size() + refused)
    }

    /// Counts that an entry point was reached; whether it is worth leaving the traditional mode for.
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

    /// Whether an entry point was reached half as often as it takes to become hot.
    pub fn is_warm(&self, pc: usize) -> bool {
        self.counters[pc / COUNTED] <= self.hot_threshold / 2
    }

    /// Whether an entry point was refused. Its counter starts anew, so that it is not asked about at
    /// each jump; others share it.
    pub fn refuses(&mut self, pc: usize) -> bool {
        let bits = self.refused.get(pc / 8).copied().unwrap_or_default();
        let refused = bits >> (pc % 8) & 1 == 1;
        if refused {
            self.counters[pc / COUNTED] = self.hot_threshold;
        }
        refused
    }

    /// Never translate this entry point.
    pub fn refuse(&mut self, pc: usize) {
        if self.refused.is_empty() {
            self.refused = vec![0; self.refused_size()].into();
        }
        self.refused[pc / 8] |= 1 << (pc % 8);
    }

    /// The number of the jumpdest at `pc`, if there is one.
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

    /// The header of the jumpdest at `pc`, 0 where it is not translated; `None` where there is no jumpdest.
    #[inline]
    pub fn jumpdest(&self, pc: usize) -> Option<u16> {
        self.rank(pc).map(|rank| self.jumpdests[rank])
    }

    /// The header of the entry at `pc`. Every exit to an entry asks, so it is part of its callers.
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

    /// Whether a trace of so many cells and memory accesses may be added.
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

    /// Adds the instructions of a trace, a header first, and where in them memory is accessed.
    pub fn add(&mut self, pc: usize, trace: &EncodedTrace) {
        let EncodedTrace {
            cells,
            accesses,
            leaves,
            marks,
            exits,
        } = trace;
        if self.stream.is_empty() {
            // A header at 0 would read as none.
            self.stream.reserve_exact(1);
            self.stream.push(Cell::default());
            self.count_jumpdests();
        }
        let header = self.stream.len() as u16;
        if self.stream.capacity() - self.stream.len() < cells.len() {
            // Some room ahead, of what the budget leaves: growing by each trace would copy too often.
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

    /// Lets the instruction at `at`, which leaves for an entry, jump to it if it is there.
    pub fn link(&mut self, at: usize) {
        let [number, pc, shift, spared] = self.stream[at].0;
        if number == instruction::LEAVE
            && let Some(header) = self.entry(pc.into())
        {
            let distance = header as i64 - at as i64;
            self.stream[at] = Cell([instruction::JUMP, distance as u16, shift, spared]);
        }
    }

    /// Lets the jumps of the trace at `header` to itself go without a check of the stack, where one passed
    /// implies the next.
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

    /// Lets a dynamic jump remember where it went.
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

    /// The static gas that follows a memory access in its trace.
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
