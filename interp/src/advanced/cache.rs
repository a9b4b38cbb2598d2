//! Programs by code, and how one entry point of a program is translated. How a program is run is told
//! elsewhere.

use super::translate::{Translator, entry_points};
use crate::code::Code;
use crate::fork::Fork;
use crate::outcome::Statistics;
use crate::settings::Settings;
use crate::slot_ir::{Id, LONGEST, Loads, Place, Program};
use crate::technique::{Technique, Techniques};
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of programs kept. Code that comes back is translated anew: forgetting everything at once needs
/// no bookkeeping on the way.
const LIMIT: usize = 64 << 20;

/// What an entry takes besides its program's content, spare room of the tables included.
const ENTRY: usize = 2 * (size_of::<Program>() + size_of::<(usize, Id)>());

/// Code shorter than this gets a program when it runs for the second time: a single call of it takes less
/// time than making one.
const SHORT_CODE: usize = 64;

/// Code shorter than this never gets one: looking for it would cost more than so few opcodes.
const SHORTEST: usize = 8;

/// Short code that ran once and is remembered.
const SEEN: usize = 64;

/// The programs of one interpreter, hence of one fork.
#[derive(Debug)]
pub(crate) struct Cache {
    programs: Vec<Program>,
    /// By the address of the code, which its program keeps alive.
    places: HashMap<usize, Id, foldhash::fast::FixedState>,
    /// The program asked for last.
    last: Option<Id>,
    /// Most bytes that the programs may grow to.
    bytes: usize,
    /// Addresses of short code that ran once.
    seen: [usize; SEEN],
    translator: Translator,
    loads: Loads,
    hot_threshold: u8,
    budget: f64,
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
            // A trace that soon hands over again costs more than it saves.
            translator: Translator::new(fork, if hot_threshold == 0 { 1 } else { 6 }, techniques),
            seen: [0; SEEN],
            loads: Loads::new(techniques.has(Technique::Slots)),
            hot_threshold,
            budget,
            techniques,
            keeps_places: false,
        }
    }

    /// Forgets what is translated, and keeps from now on which opcode each instruction is made of.
    pub fn keep_places(&mut self) {
        self.forget();
        self.keeps_places = true;
    }

    /// The place that an address in a stream stands for.
    pub fn place(&self, address: usize) -> Option<Place> {
        self.programs
            .iter()
            .find_map(|program| program.place(address))
    }

    /// Between messages: forgets programs where they have become too many.
    pub fn tidy(&mut self) {
        if self.bytes > LIMIT {
            self.forget();
        }
    }

    /// What is kept at the moment.
    pub fn held(&self) -> Programs {
        let ratio = |program: &Program| match program.code.len() {
            0 => 0.0,
            len => program.size() as f64 / len as f64,
        };
        let programs = self.programs.iter();
        Programs {
            programs: self.programs.len(),
            code: programs.clone().map(|program| program.code.len()).sum(),
            decoded: programs.clone().map(Program::size).sum(),
            greatest_ratio: programs.map(ratio).fold(0.0, f64::max),
        }
    }

    /// Translates every entry point of code, or refuses it.
    pub fn translate(&mut self, code: &Arc<Code>, statistics: &mut Statistics) {
        // Short code gets its program when it is asked for twice.
        let found = self
            .get(code, statistics)
            .or_else(|| self.get(code, statistics));
        let Some(id) = found else { return };
        let (program, translator, _) = self.program(id);
        for pc in entry_points(code) {
            if program.entry(pc).is_some() {
                continue;
            }
            if translator.translate(program, pc) {
                statistics.translated += 1;
            } else {
                program.refuse(pc);
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

    /// The program of code; `None` where it is too short to be worth one or too long, or too many are in use.
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
        // What a program may grow to counts from the start.
        let most = ENTRY + (code.len() as f64 * (self.budget + 0.25)) as usize;
        if code.len() > LONGEST || self.bytes + most > 2 * LIMIT {
            statistics.refused += 1;
            return None;
        }
        statistics.misses += 1;
        self.bytes += most;
        let id = Id(self.programs.len() as u32);
        let mut program = Program::new(code, self.hot_threshold, self.budget, self.techniques);
        if self.keeps_places {
            program.keep_places();
        }
        self.programs.push(program);
        self.places.insert(address, id);
        self.last = Some(id);
        self.last
    }

    /// The traces of code that were translated, as text.
    pub fn listing(&mut self, code: &Arc<Code>) -> String {
        let Some(id) = self.get(code, &mut Statistics::default()) else {
            return String::new();
        };
        let (program, translator, _) = self.program(id);
        let entries: Vec<usize> = (0..program.code.len())
            .filter(|pc| program.entry(*pc).is_some())
            .collect();
        let listings = entries
            .iter()
            .filter_map(|pc| translator.listing(program, *pc));
        listings.collect::<Vec<_>>().join("\n")
    }

    /// A program, what translates it, and what SLOAD remembers.
    #[inline]
    pub(super) fn program(&mut self, id: Id) -> (&mut Program, &mut Translator, &mut Loads) {
        let program = &mut self.programs[id.0 as usize];
        (program, &mut self.translator, &mut self.loads)
    }
}

/// What the advanced mode keeps of the code that an interpreter has run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Programs {
    /// Codes that have a program.
    pub programs: usize,
    /// Bytes of these codes.
    pub code: usize,
    /// Bytes of their decoded form: stream, maps, refusals and counters, spare room included.
    pub decoded: usize,
    /// Decoded bytes for a byte of code, of the program that has the most.
    pub greatest_ratio: f64,
}

#[cfg(test)]
mod tests;
