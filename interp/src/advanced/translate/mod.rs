//! From an entry point of code to a trace in the slot IR: how one is translated. What is kept of it, and when, is in
//! `cache`.

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

/// Where a frame may begin or go on: the start, jumpdests, behind what jumps or calls.
pub(super) fn entry_points(code: &Code) -> Vec<usize> {
    let mut points = vec![0];
    let mut pc = 0;
    while let Some(&byte) = code.bytes().get(pc) {
        let op = Opcode(byte);
        let next = pc + 1 + op.immediate();
        if code.is_jumpdest(pc as u64) {
            points.push(pc);
        }
        // An exit with a result calls or creates, and the frame goes on behind it.
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

impl Translator {
    pub fn new(fork: Fork, least: u32, techniques: Techniques) -> Translator {
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

    /// The trace from `pc` on as text; `None` where there is none.
    pub fn listing(&mut self, program: &Program, pc: usize) -> Option<String> {
        let some = self.trace(program, pc, LONG);
        some.then(|| listing(&program.code, &self.walker, &self.encoder.out))
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
mod tests;
