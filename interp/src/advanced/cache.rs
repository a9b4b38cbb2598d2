//! A cache of programs by code, which also translates all entry points of a code on request.

use super::translate::{Translator, entry_points};
use crate::code::Code;
use crate::fork::Fork;
use crate::outcome::Statistics;
use crate::settings::{Budget, Settings};
use crate::slot_ir::{Id, LONGEST, Loads, Place, Program};
use crate::technique::{Technique, Techniques};
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of programs after which all are dropped between messages. Dropping all at once needs no bookkeeping; code
/// that runs again is translated again. Within a message they may grow to twice as much.
const LIMIT: usize = 64 << 20;

/// Bytes of an entry besides its program's content, including spare capacity of the tables.
const ENTRY: usize = 2 * (size_of::<Program>() + size_of::<(usize, Id)>());

/// Code shorter than this gets a program only when it runs for the second time: a single call takes less time
/// than making a program.
const SHORT_CODE: usize = 64;

/// Code shorter than this never gets a program: the lookup would cost more than so few opcodes.
const SHORTEST: usize = 8;

/// Number of short codes that are remembered after their first run.
const SEEN: usize = 64;

/// The programs of one interpreter, and so of one fork.
#[derive(Debug)]
pub(crate) struct Cache {
    programs: Vec<Program>,
    /// Programs by the address of the code, which the program keeps alive.
    places: HashMap<usize, Id, foldhash::fast::FixedState>,
    /// The last program looked up.
    last: Option<Id>,
    /// Bytes of the programs.
    bytes: usize,
    /// Addresses of short code that ran once.
    seen: [usize; SEEN],
    translator: Translator,
    loads: Loads,
    hot_threshold: u8,
    budget: Budget,
    techniques: Techniques,
    keeps_places: bool,
}

impl Cache {
    pub fn new(fork: Fork, settings: &Settings) -> Cache {
        let Settings {
            hot_threshold,
            budget,
            techniques,
            ..
        } = *settings;
        Cache {
            programs: Vec::new(),
            places: HashMap::default(),
            last: None,
            bytes: 0,
            // A trace that soon returns to the traditional mode costs more than it saves.
            translator: Translator::new(fork, if hot_threshold == 0 { 1 } else { 12 }, techniques),
            seen: [0; SEEN],
            loads: Loads::new(techniques.has(Technique::Slots)),
            hot_threshold,
            budget,
            techniques,
            keeps_places: false,
        }
    }

    /// Drops all translations, and from now on records which opcode each instruction was made from.
    pub fn keep_places(&mut self) {
        self.forget();
        self.keeps_places = true;
    }

    /// The opcode that the instruction at an address in a stream was made from.
    pub fn place(&self, address: usize) -> Option<Place> {
        self.programs
            .iter()
            .find_map(|program| program.place(address))
    }

    /// Drops all programs if they have become too large. Only called between messages.
    pub fn tidy(&mut self) {
        if self.bytes > LIMIT {
            self.forget();
        }
    }

    /// The size of the programs held now.
    pub fn held(&self) -> Programs {
        let programs = self.programs.iter();
        let (short, long): (Vec<_>, Vec<_>) = programs
            .clone()
            .partition(|program| self.budget.is_floor(program.code.len()));
        let ratio = |program: &Program| program.size() as f64 / program.code.len() as f64;
        Programs {
            programs: self.programs.len(),
            code: programs.clone().map(|program| program.code.len()).sum(),
            decoded: programs.map(Program::size).sum(),
            greatest_ratio: long.into_iter().map(ratio).fold(0.0, f64::max),
            greatest_short: short.into_iter().map(Program::size).max().unwrap_or(0),
        }
    }

    /// Translates or refuses every entry point of code.
    pub fn translate(&mut self, code: &Arc<Code>, statistics: &mut Statistics) {
        // Short code gets its program on the second lookup.
        let found = self
            .get(code, statistics)
            .or_else(|| self.get(code, statistics));
        let Some(id) = found else { return };
        let (mut growing, _) = self.program(id);
        for pc in entry_points(code) {
            if growing.program.entry(pc).is_none() {
                growing.translate(pc, statistics);
            }
        }
    }

    pub(crate) fn forget(&mut self) {
        self.programs = Vec::new();
        self.places = HashMap::default();
        self.last = None;
        self.bytes = 0;
        self.seen = [0; SEEN];
    }

    /// The program of code; `None` if the code is too short to be worth one or too long, or if too many
    /// programs are in use.
    #[inline]
    pub fn get(&mut self, code: &Arc<Code>, statistics: &mut Statistics) -> Option<Id> {
        if code.len() < SHORTEST && self.hot_threshold > 0 {
            return None;
        }
        if let Some(id) = self.last
            && Arc::ptr_eq(&self.programs[id.0 as usize].code, code)
        {
            statistics.hits += 1;
            return Some(id);
        }
        self.find(code, statistics)
    }

    fn find(&mut self, code: &Arc<Code>, statistics: &mut Statistics) -> Option<Id> {
        let address = Arc::as_ptr(code).addr();
        if let Some(id) = self.places.get(&address) {
            statistics.hits += 1;
            self.last = Some(*id);
            return self.last;
        }
        if code.len() < SHORT_CODE && self.hot_threshold > 0 {
            let seen = &mut self.seen[address / align_of::<Code>() % SEEN];
            if *seen != address {
                *seen = address;
                statistics.postponed += 1;
                return None;
            }
        }
        if code.len() > LONGEST || self.bytes > 2 * LIMIT {
            statistics.refused += 1;
            return None;
        }
        statistics.misses += 1;
        let id = Id(self.programs.len() as u32);
        let budget = self.budget.bytes(code.len());
        let mut program = Program::new(code, self.hot_threshold, budget, self.techniques);
        self.bytes += ENTRY + program.size();
        if self.keeps_places {
            program.keep_places();
        }
        self.programs.push(program);
        self.places.insert(address, id);
        self.last = Some(id);
        self.last
    }

    /// The traces of code as text.
    pub fn listing(&mut self, code: &Arc<Code>) -> String {
        let Some(id) = self.get(code, &mut Statistics::default()) else {
            return String::new();
        };
        let (growing, _) = self.program(id);
        let Growing {
            program,
            translator,
            ..
        } = growing;
        let entries: Vec<usize> = (0..program.code.len())
            .filter(|pc| program.entry(*pc).is_some())
            .collect();
        let listings = entries
            .iter()
            .filter_map(|pc| translator.listing(program, *pc));
        listings.collect::<Vec<_>>().join("\n")
    }

    /// A program and the cache of slots.
    #[inline]
    pub(super) fn program(&mut self, id: Id) -> (Growing<'_>, &mut Loads) {
        let growing = Growing {
            program: &mut self.programs[id.0 as usize],
            translator: &mut self.translator,
            bytes: &mut self.bytes,
        };
        (growing, &mut self.loads)
    }
}

/// A program with what it needs to grow.
pub(super) struct Growing<'a> {
    pub program: &'a mut Program,
    translator: &'a mut Translator,
    /// Bytes of all programs.
    bytes: &'a mut usize,
}

impl Growing<'_> {
    /// The entry at `pc`, which is hot; translated if necessary.
    pub fn entry(&mut self, pc: usize, statistics: &mut Statistics) -> Option<usize> {
        let known = self.program.entry(pc);
        if known.is_some() || self.program.refuses(pc) {
            return known;
        }
        self.translate(pc, statistics);
        self.program.entry(pc)
    }

    /// Translates an entry point, or refuses it for as long as the program lives.
    fn translate(&mut self, pc: usize, statistics: &mut Statistics) {
        let before = self.program.size();
        if *self.bytes <= 2 * LIMIT && self.translator.translate(self.program, pc) {
            statistics.translated += 1;
        } else {
            self.program.refuse(pc);
        }
        // Programs only grow.
        *self.bytes += self.program.size() - before;
    }
}

/// The size of the programs that the advanced mode holds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Programs {
    /// Number of codes with a program.
    pub programs: usize,
    /// Bytecode bytes of these codes.
    pub code: usize,
    /// Bytes of their decoded form: stream, maps, refusals and counters, including spare capacity.
    pub decoded: usize,
    /// Maximum decoded bytes per bytecode byte of any program whose budget is a ratio; 0 without one.
    pub greatest_ratio: f64,
    /// Maximum decoded bytes of any program whose budget is the floor, see [`Budget::floor`]; 0 without one.
    pub greatest_short: usize,
}

#[cfg(test)]
mod tests;
