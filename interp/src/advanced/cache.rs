//! Programs by code, and how one entry point of a program is translated. How a program is run is told
//! elsewhere.

use super::analysis::{Limits, Walker};
use super::encode::Encoder;
use super::listing::listing;
use super::loads::Loads;
use super::program::{LONGEST, Program};
use super::technique::{Technique, Techniques};
use super::value::To;
use crate::code::Code;
use crate::fork::Fork;
use crate::interpreter::Settings;
use crate::opcode::Opcode;
use crate::outcome::Statistics;
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of programs kept. Code that comes back is translated anew: forgetting everything at once needs
/// no bookkeeping on the way.
const LIMIT: usize = 64 << 20;

/// What an entry takes besides its program's content, spare room of the tables included.
const ENTRY: usize = 2 * (size_of::<Program>() + size_of::<(usize, Id)>());

/// A program of a cache. Good for one message: the cache forgets between messages only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(u32);

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
    heat: u8,
    budget: f64,
    techniques: Techniques,
    keeps_places: bool,
}

impl Cache {
    pub fn new(fork: Fork, settings: &Settings) -> Cache {
        let Settings {
            heat,
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
            translator: Translator::new(fork, if heat == 0 { 1 } else { 6 }, techniques),
            seen: [0; SEEN],
            loads: Loads::new(techniques.has(Technique::Slots)),
            heat,
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
        if code.len() < SHORTEST && self.heat > 0 {
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
        if code.len() < SHORT_CODE && self.heat > 0 {
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
        let mut program = Program::new(code, self.heat, self.budget, self.techniques);
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

/// Where a frame may begin or go on: the start, jumpdests, behind what jumps or calls.
fn entry_points(code: &Code) -> Vec<usize> {
    let mut points = vec![0];
    let mut pc = 0;
    while let Some(&byte) = code.bytes().get(pc) {
        let next = pc + 1 + Opcode(byte).immediate();
        match Opcode(byte) {
            Opcode::JUMPDEST => points.push(pc),
            Opcode::JUMPI
            | Opcode::CALL
            | Opcode::CALLCODE
            | Opcode::DELEGATECALL
            | Opcode::STATICCALL
            | Opcode::CREATE
            | Opcode::CREATE2
                if next < code.len() =>
            {
                points.push(next);
            }
            _ => {}
        }
        pc = next;
    }
    points.dedup();
    points
}

/// Translates entry points; keeps its buffers between them.
#[derive(Debug)]
pub(super) struct Translator {
    fork: Fork,
    /// Opcodes that a trace without jumps must have.
    least: u32,
    walker: Walker,
    encoder: Encoder,
}

/// The longest traces while there is plenty of the budget, and what they shrink to.
const LONG: Limits = Limits {
    opcodes: 200,
    visits: 2,
    links: false,
};
const SHORT: Limits = Limits {
    opcodes: 60,
    visits: 1,
    links: true,
};

/// A smaller trace than this is not worth looking for: a header, an instruction, and the way out.
const LEAST_CELLS: usize = 3;

/// Code shorter than this gets a program when it runs for the second time: a single call of it takes less
/// time than making one.
const SHORT_CODE: usize = 64;

/// Code shorter than this never gets one: looking for it would cost more than so few opcodes.
const SHORTEST: usize = 8;

impl Translator {
    fn new(fork: Fork, least: u32, techniques: Techniques) -> Translator {
        Translator {
            fork,
            least,
            walker: Walker::new(techniques),
            encoder: Encoder::default(),
        }
    }

    /// Adds the entry at `pc` to a program; `false` where that is not worth it, or not possible.
    pub fn translate(&mut self, program: &mut Program, pc: usize) -> bool {
        // Without this, code whose budget is spent would be walked again and again for nothing.
        if !program.affords(LEAST_CELLS, 0) {
            return false;
        }
        [LONG, SHORT].into_iter().any(|limits| {
            self.trace(program, pc, limits)
                && program.affords(self.encoder.cells.len(), self.encoder.accesses.len())
                && {
                    program.add(pc, &self.encoder);
                    true
                }
        })
    }

    /// The trace from `pc` on as text; `None` where there is none.
    pub fn listing(&mut self, program: &Program, pc: usize) -> Option<String> {
        let some = self.trace(program, pc, LONG);
        some.then(|| listing(&program.code, &self.walker, &self.encoder))
    }

    /// Makes the trace from `pc` on; `false` where there is none.
    fn trace(&mut self, program: &Program, pc: usize, limits: Limits) -> bool {
        self.walker.walk(program, self.fork, pc, limits);
        let trace = &self.walker.trace;
        let leaves_at_once = trace.exits.len() == 1 && matches!(trace.exits[0].to, To::Resume(_));
        !(leaves_at_once && trace.opcodes < self.least) && self.encoder.encode(trace)
    }
}

#[cfg(test)]
pub(super) mod tests;
