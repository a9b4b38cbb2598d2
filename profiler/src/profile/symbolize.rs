//! Samples with the names of their addresses: each address is looked up once, for all readers.
//!
//! Finds the functions of a sample and the handler that ran. Callers come from `unwind` or the recording; `fold`
//! makes stacks of the names, `contracts` finds positions in contracts.

use crate::instruments::sampling::{Sample, Sampler, Samples};
use crate::symbols::handlers::{HandlerName, is_handler};
use crate::symbols::{Frame, Symbols};
use evmscope_interp::Opcode;
use std::collections::HashMap;
use std::rc::Rc;

/// The samples of one run, with names.
#[derive(Clone, Debug)]
pub struct SymbolizedSamples {
    pub sampler: Sampler,
    /// Samples taken.
    pub taken: u64,
    /// Samples that were dropped.
    pub lost: u64,
    /// Samples per second of CPU time.
    pub rate: f64,
    pub stacks: Vec<SymbolizedSample>,
}

/// A sample and the functions at each of its addresses.
#[derive(Clone, Debug)]
pub struct SymbolizedSample {
    pub sample: Sample,
    /// One item per address, outermost caller first; each begins with the physical function, followed by what was
    /// inlined there. Neither the list nor an item is ever empty.
    functions: Vec<Rc<[Frame]>>,
}

/// The handler that was executing when a sample was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handler {
    /// Its opcode; none for other instructions of the decoded form.
    pub opcode: Option<Opcode>,
    /// The return address into it; none if the sampled instruction is its own.
    pub return_address: Option<u64>,
}

/// Looks up the names of all addresses.
pub fn symbolize(samples: Samples, symbols: &Symbols) -> SymbolizedSamples {
    let rate = samples.rate();
    let mut symbolizer = Symbolizer::new(symbols);
    SymbolizedSamples {
        sampler: samples.sampler,
        taken: samples.taken,
        lost: samples.lost,
        rate,
        stacks: samples
            .stacks
            .into_iter()
            .map(|sample| symbolizer.symbolize(sample))
            .collect(),
    }
}

/// Looks up addresses, each once.
pub struct Symbolizer<'a> {
    symbols: &'a Symbols,
    /// By address, and by number of the function if it was generated: another one may have been there before.
    known: HashMap<(u64, Option<usize>), Rc<[Frame]>>,
}

impl<'a> Symbolizer<'a> {
    pub fn new(symbols: &'a Symbols) -> Symbolizer<'a> {
        Symbolizer {
            symbols,
            known: HashMap::new(),
        }
    }

    pub fn symbolize(&mut self, sample: Sample) -> SymbolizedSample {
        let functions = addresses(&sample).map(|address| self.functions(address, sample.time));
        SymbolizedSample {
            functions: functions.collect(),
            sample,
        }
    }

    fn functions(&mut self, address: u64, time: Option<u64>) -> Rc<[Frame]> {
        let generated = self.symbols.generated(address, time);
        let known = self.known.entry((address, generated));
        let frames = || match generated {
            Some(number) => self.symbols.generated_frames(number).into(),
            None => self.symbols.frames(address).into(),
        };
        Rc::clone(known.or_insert_with(frames))
    }
}

impl SymbolizedSample {
    /// The functions at each address, outermost caller first.
    pub fn functions(&self) -> impl Iterator<Item = &[Frame]> {
        self.functions.iter().map(|frames| &**frames)
    }

    /// Whether a symbol or a line table names the sampled address.
    pub fn has_name(&self) -> bool {
        let sampled = self.functions.last().and_then(|frames| frames.first());
        sampled.is_some_and(Frame::has_name)
    }

    /// The innermost handler; none in code between handlers.
    pub fn handler(&self) -> Option<Handler> {
        let callers = self.sample.callers.iter().copied().map(Some);
        let returns = [None].into_iter().chain(callers);
        let inner_first = self.functions.iter().rev();
        inner_first
            .zip(returns)
            .find_map(|(frames, return_address)| {
                let name = &frames.first()?.function;
                is_handler(name).then(|| Handler {
                    opcode: HandlerName::of_frame(name).map(|it| it.opcode),
                    return_address,
                })
            })
    }
}

/// Callers, outermost first, and the sampled instruction. A return address points after the call instruction, so 1 is
/// subtracted to look up the call.
fn addresses(sample: &Sample) -> impl Iterator<Item = u64> {
    let callers = sample.callers.iter().rev();
    callers
        .map(|&address| address.wrapping_sub(1))
        .chain([sample.ip])
}
