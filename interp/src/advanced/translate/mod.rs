//! Translates an entry point of code into a trace in the slot IR. `cache` holds the results.

mod analysis;
mod encode;
mod listing;
mod simplify;
mod slots;
mod value;

use crate::code::Code;
use crate::fork::Fork;
use crate::opcode::{Class, Opcode};
use crate::slot_ir::Program;
use crate::technique::Techniques;
use analysis::{Limits, Walker};
use encode::Encoder;
use listing::listing;
use value::To;

/// The entry points of code: the start, jumpdests, and the opcodes after jumps and calls.
pub(super) fn entry_points(code: &Code) -> Vec<usize> {
    let mut points = vec![0];
    let mut pc = 0;
    while let Some(&byte) = code.bytes().get(pc) {
        let op = Opcode(byte);
        let next = pc + 1 + op.immediate();
        if code.is_jumpdest(pc as u64) {
            points.push(pc);
        }
        // An exit with a result is a call or creation, after which the frame continues.
        let returns = op.info().is_some_and(|info| {
            info.class == Class::Jumpi || info.class == Class::Exit && info.outputs > 0
        });
        if returns && next < code.len() {
            points.push(next);
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
    /// Minimum number of opcodes of a trace without jumps.
    least: u32,
    walker: Walker,
    encoder: Encoder,
}

/// Limits tried first. `SHORT` is tried if the result does not fit the budget.
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

/// The smallest possible trace: a header, an instruction and an exit.
const LEAST_CELLS: usize = 3;

impl Translator {
    pub fn new(fork: Fork, least: u32, techniques: Techniques) -> Translator {
        Translator {
            fork,
            least,
            walker: Walker::new(techniques),
            encoder: Encoder::default(),
        }
    }

    /// Adds the entry at `pc` to a program. Returns `false` if that is impossible or not worth it.
    pub fn translate(&mut self, program: &mut Program, pc: usize) -> bool {
        // Avoids useless walks over code whose budget is used up.
        if !program.affords(LEAST_CELLS, 0) {
            return false;
        }
        [LONG, SHORT].into_iter().any(|limits| {
            self.trace(program, pc, limits)
                && program.affords(
                    self.encoder.out.cells.len(),
                    self.encoder.out.accesses.len(),
                )
                && {
                    program.add(pc, &self.encoder.out);
                    true
                }
        })
    }

    /// The trace from `pc` as text; `None` if there is none.
    pub fn listing(&mut self, program: &Program, pc: usize) -> Option<String> {
        let some = self.trace(program, pc, LONG);
        some.then(|| listing(&program.code, &self.walker, &self.encoder.out))
    }

    /// Makes the trace from `pc`. Returns `false` if there is none.
    fn trace(&mut self, program: &Program, pc: usize, limits: Limits) -> bool {
        self.walker.walk(program, self.fork, pc, limits);
        let trace = &self.walker.trace;
        let leaves_at_once = trace.exits.len() == 1 && matches!(trace.exits[0].to, To::Resume(_));
        !(leaves_at_once && trace.opcodes < self.least) && self.encoder.encode(trace)
    }
}

#[cfg(test)]
mod tests;
