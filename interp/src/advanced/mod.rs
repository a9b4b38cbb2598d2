//! The advanced mode: code that proves hot is translated into a slot IR, three-address instructions over
//! stack slots, and run in that form.
//!
//! Rooms, in the order of the data: in `translate`, `analysis` walks the code with an abstract stack and makes a trace
//! of it (`value`), with `simplify` on the way; `slots` finds a stack slot for each value; `encode` writes
//! instructions. In `run`, `handlers` run them. `cache` keeps programs by code. The IR itself is in `slot_ir`, what
//! opcodes mean in `ops`.
//!
//! Code runs in the traditional mode first. It counts the jumps to each jumpdest; one that is reached often
//! is translated, and from then on entered. Whatever a trace does not hold (calls, the end of a frame, a
//! failure) runs in the traditional mode.

mod cache;
mod run;
mod translate;

pub(crate) use cache::Cache;
pub use cache::Programs;

use crate::frame::{Exit, Machine};
use crate::outcome::Statistics;
use crate::slot_ir::{Id, Program, StreamExit};
use crate::trace::Observer;
use crate::traditional;
use translate::Translator;

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
            match run::run(program, loads, header, m) {
                StreamExit::Halt(halt) => return Exit::Halt(halt),
                StreamExit::Resume => statistics.resumed += 1,
                StreamExit::Entry { from } => {
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
