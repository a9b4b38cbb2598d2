//! The advanced mode: code that proves hot is translated into a slot IR, three-address instructions over
//! stack slots, and run in that form.
//!
//! Rooms, in the order of the data: `analysis` walks the code with an abstract stack and makes a trace of it
//! (`value`), with `simplify` on the way; `slots` finds a stack slot for each value; `encode` writes
//! instructions (`instruction`) into a `program`; `handlers` run them, `dispatch` leads into the
//! stream and out of it, `loads` remembers slots. `cache` keeps programs by code. What opcodes mean is in `ops`.
//!
//! Code runs in the traditional mode first. It counts the jumps to each jumpdest; one that is reached often
//! is translated, and from then on entered. Whatever a trace does not hold (calls, the end of a frame, a
//! failure) runs in the traditional mode.

mod analysis;
mod cache;
mod dispatch;
mod encode;
mod handlers;
mod instruction;
mod listing;
mod loads;
mod program;
mod simplify;
mod slots;
mod technique;
mod value;

pub(crate) use cache::{Cache, Id};
pub use cache::{Place, Programs};
pub(crate) use dispatch::Registers;
pub use technique::{Technique, Techniques, UnknownTechnique};

use crate::frame::{Exit, Machine};
use crate::outcome::Statistics;
use crate::trace::Observer;
use crate::traditional;
use cache::Translator;
use dispatch::Left;
use program::Program;

/// Counts jumps while code runs in the traditional mode.
struct Warmup<'a>(&'a mut Program);

impl Observer for Warmup<'_> {
    const OBSERVES: bool = false;
    const COUNTS: bool = true;

    #[inline(always)]
    fn jumps(&mut self, pc: usize) -> bool {
        self.0.count(pc)
    }
}

/// Runs the machine's frame from its position on, until it ends or calls.
pub(crate) fn execute(
    programs: &mut Cache,
    id: Id,
    m: &mut Machine,
    statistics: &mut Statistics,
) -> Exit {
    let (program, translator, loads) = programs.program(id);
    // Others may have changed the account's storage since.
    loads.forget();
    let mut hot = program.count(m.frame.position);
    loop {
        if hot && let Some(header) = entry(program, translator, m.frame.position, statistics) {
            match dispatch::run(program, loads, header, m) {
                Left::Halt(halt) => return Exit::Halt(halt),
                Left::Resume => statistics.resumed += 1,
                Left::Entry { from } => {
                    hot = program.count(m.frame.position);
                    if hot {
                        if entry(program, translator, m.frame.position, statistics).is_some() {
                            program.link(from);
                        }
                        continue;
                    }
                }
            }
        }
        let stores = m.stores;
        match traditional::execute(m, &mut Warmup(program)) {
            Exit::Jump => hot = true,
            exit => return exit,
        }
        if m.stores != stores {
            loads.forget();
        }
    }
}

/// The entry at `pc`, which is hot; translated if need be.
fn entry(
    program: &mut Program,
    translator: &mut Translator,
    pc: usize,
    statistics: &mut Statistics,
) -> Option<usize> {
    let known = program.entry(pc);
    if known.is_some() || program.refuses(pc) {
        return known;
    }
    if translator.translate(program, pc) {
        statistics.translated += 1;
    } else {
        program.refuse(pc);
    }
    program.entry(pc)
}
