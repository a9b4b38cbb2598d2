//! The contract position of each sample: the interpreter's own instruction pointer, found among the registers and the
//! recorded top of the stack.
//!
//! Handlers get that pointer as their first argument, in a register. Their callees keep it in another register, or
//! save it on the stack below the return address into the handler. A word that points into code, or into decoded
//! code, is taken for it. If the handler belongs to an opcode, the word must point at that opcode, since the stack
//! also holds remains of other calls. `walk` and `running` name functions and source lines.

use super::offsets;
use crate::engines::Engine;
use crate::instruments::sampling::Sample;
use crate::profile::fold;
use crate::profile::symbolize::{Handler, SymbolizedSamples};
use crate::symbols::handlers::opcode_of;
use alloy_primitives::B256;
use evmscope_interp::{Opcode, Place};
use std::collections::BTreeMap;

/// An opcode of a contract: the hash of the code, and the offset in it.
pub type Position = (B256, usize);

/// Samples with one stack, pc and opcode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributedSample {
    /// Native functions, root first, `;` between them.
    pub functions: String,
    /// What they executed; `None` if no recorded word points into code.
    pub position: Option<Position>,
    /// The handler's opcode, or else the one at the position.
    pub opcode: Option<Opcode>,
    /// In the sampler's unit.
    pub weight: u64,
}

/// Finds the positions of an engine's samples. The engine must not have run since they were taken.
pub fn attribute(samples: &SymbolizedSamples, engine: &dyn Engine) -> Vec<AttributedSample> {
    let mut weights = BTreeMap::<_, u64>::new();
    for symbolized in &samples.stacks {
        let functions = fold::stack_from_handler(symbolized);
        let sample = &symbolized.sample;
        let found = symbolized
            .handler()
            .and_then(|handler| position(sample, &handler, |word| engine.place(word as usize)));
        let (position, opcode_there) = found.unzip();
        let opcode = opcode_of(&functions).or(opcode_there);
        *weights.entry((functions, position, opcode)).or_default() += sample.weight;
    }
    let attributed = weights.into_iter();
    attributed
        .map(|((functions, position, opcode), weight)| AttributedSample {
            functions,
            position,
            opcode,
            weight,
        })
        .collect()
}

/// The first position that a word of a sample points to and that fits the handler, and the opcode there.
fn position(
    sample: &Sample,
    handler: &Handler,
    place: impl Fn(u64) -> Option<Place>,
) -> Option<(Position, Opcode)> {
    let at = |place: &Place, pc: usize| {
        let opcode = Opcode(*place.code.bytes().get(pc)?);
        Some(((place.code.hash(), pc), opcode))
    };
    let on_stack = |address: u64| sample.stack.iter().position(|&word| word == address);
    let (below, above) = sample
        .stack
        .split_at(handler.return_address.and_then(on_stack).unwrap_or(0));
    // The handler's callee saves its registers right below the return address.
    let mut words = sample
        .registers
        .iter()
        .chain(below.iter().rev())
        .chain(above);
    let Some(opcode) = handler.opcode else {
        let first = words.find_map(|&word| place(word))?;
        return at(&first, first.pc);
    };
    words.filter_map(|&word| place(word)).find_map(|place| {
        if place.opcode == Some(opcode) {
            return at(&place, place.pc);
        }
        // A handler near its end has already advanced the pointer.
        let in_code = || {
            offsets(place.code.bytes())
                .take_while(|&pc| pc < place.pc)
                .last()
        };
        let before = at(&place, place.before.or_else(in_code)?)?;
        (before.1 == opcode).then_some(before)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use evmscope_interp::Code;
    use std::sync::Arc;

    /// PUSH1 7, DUP1, ADD, STOP, ADD, at addresses from 1000 on; decoded, the first ADD alone at 2000.
    fn place(word: u64) -> Option<Place> {
        let code = Arc::new(Code::new(&[0x60, 7, 0x80, 0x01, 0x00, 0x01]));
        let (pc, before) = match word {
            1000..1006 => ((word - 1000) as usize, None),
            2000 => (3, Some(0)),
            _ => return None,
        };
        Some(Place {
            opcode: code.bytes().get(pc).copied().map(Opcode),
            code,
            pc,
            before,
        })
    }

    fn found(opcode: Option<&str>, registers: &[u64], stack: &[u64]) -> Option<usize> {
        found_below(None, opcode, registers, stack)
    }

    fn found_below(
        return_address: Option<u64>,
        opcode: Option<&str>,
        registers: &[u64],
        stack: &[u64],
    ) -> Option<usize> {
        let sample = Sample {
            registers: registers.to_vec(),
            stack: stack.to_vec(),
            ..Sample::default()
        };
        let handler = Handler {
            opcode: opcode.map(|name| Opcode::from_name(name).unwrap()),
            return_address,
        };
        position(&sample, &handler, place).map(|((_, pc), _)| pc)
    }

    #[test]
    fn a_callee_of_a_handler_saves_the_pointer_below_the_return_address() {
        let found = |opcode, stack: &[u64]| found_below(Some(77), Some(opcode), &[], stack);
        // The stack holds an ADD of an earlier call too; this call's is next to the return address.
        assert_eq!(found("ADD", &[1003, 5, 1005, 77, 1003]), Some(5));
        assert_eq!(found("PUSH1", &[1002, 5, 1000, 77]), Some(0));
        assert_eq!(found("ADD", &[5, 77, 6, 1003]), Some(3));
        assert_eq!(found("ADD", &[5, 77, 6]), None);
    }

    #[test]
    fn the_pointer_is_found_where_it_fits_the_handler() {
        // In the first register, in another one, on the stack.
        assert_eq!(found(Some("ADD"), &[1003, 5], &[9]), Some(3));
        assert_eq!(found(Some("ADD"), &[5, 7, 1003], &[9]), Some(3));
        assert_eq!(found(Some("ADD"), &[5], &[9, 1003]), Some(3));
        // Already advanced: past an immediate, and in the decoded stream.
        assert_eq!(found(Some("DUP1"), &[1003], &[]), Some(2));
        assert_eq!(found(Some("PUSH1"), &[1002], &[]), Some(0));
        assert_eq!(found(Some("PUSH1"), &[2000], &[]), Some(0));
        // One that does not fit is skipped.
        assert_eq!(found(Some("STOP"), &[1000, 1004], &[]), Some(4));
        // Functions that belong to no opcode: where the first pointer points.
        assert_eq!(found(None, &[5, 2000], &[1000]), Some(3));
    }

    #[test]
    fn words_that_point_nowhere_or_at_another_opcode_give_no_position() {
        assert_eq!(found(Some("ADD"), &[1, 2, 3], &[4]), None);
        assert_eq!(found(Some("MUL"), &[1003], &[2000]), None);
        assert_eq!(found(Some("PUSH1"), &[1000 - 1], &[]), None);
        assert_eq!(found(None, &[], &[]), None);
    }
}
