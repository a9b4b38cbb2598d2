//! The advanced mode: translates hot code into a slot IR (three-address instructions over stack slots) and
//! runs that.
//!
//! Modules, in the order of the data: in `translate`, `analysis` walks the code with an abstract stack and
//! makes a trace (`value`), simplified by `simplify`; `slots` allocates a stack slot for each value; `encode`
//! writes instructions. In `run`, `handlers` execute them. `cache` holds programs by code. The IR itself is
//! in `slot_ir`, the opcodes' functions in `ops`.
//!
//! Code runs in the traditional mode first, which counts the jumps to each jumpdest. A jumpdest that is
//! reached often is translated, and later jumps enter the translation. What a trace does not contain (calls,
//! the end of a frame, failures) runs in the traditional mode.

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

/// Runs the machine's frame from its position until it ends or calls.
pub(crate) fn execute(
    programs: &mut Cache,
    id: Id,
    m: &mut Machine,
    statistics: &mut Statistics,
) -> Exit {
    let (mut growing, loads) = programs.program(id);
    // Other frames may have changed the account's storage.
    loads.forget();
    let mut hot = growing.program.count(m.frame.position);
    loop {
        if hot && let Some(header) = growing.entry(m.frame.position, statistics) {
            match run::run(growing.program, loads, header, m) {
                StreamExit::Halt(halt) => return Exit::Halt(halt),
                StreamExit::Resume => statistics.resumed += 1,
                StreamExit::Entry { from } => {
                    hot = growing.program.count(m.frame.position);
                    if hot {
                        if growing.entry(m.frame.position, statistics).is_some() {
                            growing.program.link(from);
                        }
                        continue;
                    }
                }
            }
        }
        let stores = m.stores;
        match traditional::execute(m, &mut Warmup(growing.program)) {
            Exit::Jump => hot = true,
            exit => return exit,
        }
        if m.stores != stores {
            loads.forget();
        }
    }
}
