//! Callers of samples, from the registers and the top of the stack that were recorded with them. The unwind tables of
//! the binaries (DWARF call frame information) say where each function keeps its return address, so no frame pointers
//! are needed. The crate `framehop` reads the tables.
//!
//! Finds return addresses; `symbolize` names them. `perf_data` unwinds the stacks of other programs here too.

use crate::instruments::sampling::{Samples, StackRegisters};
use crate::symbols::{Symbols, Unwindable, debug_files};
use framehop::{
    CacheNative, Error, ExplicitModuleSectionInfo, FrameAddress, MayAllocateDuringUnwind, Module,
    Unwinder, UnwinderNative,
};
use object::{Object, ObjectSection};
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// More callers than the largest copy of a stack holds (64 KiB); stops unwinding if the tables lead into a loop.
const MAX_CALLERS: usize = 8_192;

/// As far behind the copy of a stack as the rest of the stack may be: its limit is 8 MiB by default.
const REST_OF_STACK: u64 = 64 << 20;

/// Fills in the callers of samples. If the recorded part of the stack ends early, the outer ones are missing.
pub fn callers(samples: &mut Samples, symbols: &Symbols) {
    let mut unwinder = StackUnwinder::default();
    for file in symbols.unwindable() {
        let tables = Tables::of(&file.path);
        let known = tables.as_ref().map(|tables| (&file, tables));
        unwinder.add(file.memory.clone(), known);
    }
    for sample in &mut samples.stacks {
        let Some(registers) = sample.stack_registers else {
            continue;
        };
        let stack = &sample.stack;
        let unwound = unwinder.unwind(sample.ip, registers, 8 * stack.len() as u64, |at| {
            stack.get(at / 8).copied()
        });
        sample.callers = unwound.callers;
    }
}

/// The callers that a copy of a stack gave, and why there are no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwound {
    /// Return addresses, innermost first.
    pub callers: Vec<u64>,
    pub end: End,
}

/// Why unwinding ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At the program's or the thread's first function.
    Outermost,
    /// The copy of the stack is shorter than the stack.
    Cut,
    /// At code without unwind tables, or whose tables do not fit.
    Tables,
}

/// The unwind tables of one process.
pub struct StackUnwinder {
    unwinder: UnwinderNative<Arc<[u8]>, MayAllocateDuringUnwind>,
    cache: CacheNative<MayAllocateDuringUnwind>,
    /// Memory with code, and whether it has tables.
    code: Vec<(Range<u64>, bool)>,
}

impl Default for StackUnwinder {
    fn default() -> Self {
        StackUnwinder {
            unwinder: UnwinderNative::new(),
            cache: CacheNative::new(),
            code: Vec::new(),
        }
    }
}

impl StackUnwinder {
    /// Adds code that was mapped, which replaces what was there before; with its file if that has tables.
    pub fn add(&mut self, memory: Range<u64>, file: Option<(&Unwindable, &Tables)>) {
        let overlaps = |(known, _): &mut (Range<u64>, bool)| {
            known.start < memory.end && memory.start < known.end
        };
        for (replaced, _) in self.code.extract_if(.., overlaps) {
            self.unwinder.remove_module(replaced.start);
        }
        if let Some((file, tables)) = file {
            self.unwinder.add_module(Module::new(
                file.path.display().to_string(),
                memory.clone(),
                file.bias,
                tables.sections(),
            ));
        }
        self.code.push((memory, file.is_some()));
    }

    /// Unwinds a copy of a stack of `bytes` bytes, whose words `read` returns by their offset. Where
    /// there are no tables the unwinder would guess, and a guess may lead out of the code: such callers are left out.
    pub fn unwind(
        &mut self,
        ip: u64,
        registers: StackRegisters,
        bytes: u64,
        read: impl Fn(usize) -> Option<u64>,
    ) -> Unwound {
        let StackUnwinder {
            unwinder,
            cache,
            code,
        } = self;
        let tables = |address| {
            let found = code.iter().find(|(memory, _)| memory.contains(&address));
            found.map(|(_, has_tables)| *has_tables)
        };
        let mut read = |address| word(registers, address, &read).ok_or(());
        let mut registers_now = unwind_registers(ip, registers);
        let mut frame = FrameAddress::from_instruction_pointer(ip);
        let mut callers = Vec::new();
        let end = loop {
            let has_tables = tables(frame.address_for_lookup());
            if frame.is_return_address() && has_tables.is_some() {
                callers.push(frame.address());
            }
            if has_tables != Some(true) || callers.len() == MAX_CALLERS {
                break End::Tables;
            }
            match unwinder.unwind_frame(frame, &mut registers_now, cache, &mut read) {
                Ok(Some(address)) => match FrameAddress::from_return_address(address) {
                    Some(caller) => frame = caller,
                    None => break End::Outermost,
                },
                Ok(None) => break End::Outermost,
                Err(Error::CouldNotReadStack(address)) if is_behind(registers, bytes, address) => {
                    break End::Cut;
                }
                // The dynamic linker's first function has no table. A frame pointer of 0 marks the outermost frame.
                Err(_) if frame_pointer(&registers_now) == 0 => break End::Outermost,
                Err(_) => break End::Tables,
            }
        };
        Unwound { callers, end }
    }
}

/// A word of the stack, by its address.
fn word(
    registers: StackRegisters,
    address: u64,
    read: impl Fn(usize) -> Option<u64>,
) -> Option<u64> {
    let offset = address.checked_sub(registers.stack)?;
    read(usize::try_from(offset).ok()?)
}

/// Whether an address is in the part of the stack that was not copied.
fn is_behind(registers: StackRegisters, bytes: u64, address: u64) -> bool {
    let offset = address.checked_sub(registers.stack);
    offset.is_some_and(|offset| offset.saturating_add(8) > bytes && offset < REST_OF_STACK)
}

#[cfg(target_arch = "x86_64")]
use framehop::x86_64::UnwindRegsX86_64 as UnwindRegisters;

#[cfg(target_arch = "aarch64")]
use framehop::aarch64::UnwindRegsAarch64 as UnwindRegisters;

#[cfg(target_arch = "x86_64")]
fn unwind_registers(ip: u64, registers: StackRegisters) -> UnwindRegisters {
    UnwindRegisters::new(ip, registers.stack, registers.frame)
}

#[cfg(target_arch = "x86_64")]
fn frame_pointer(registers: &UnwindRegisters) -> u64 {
    registers.bp()
}

#[cfg(target_arch = "aarch64")]
fn unwind_registers(_: u64, registers: StackRegisters) -> UnwindRegisters {
    UnwindRegisters::new(registers.link, registers.stack, registers.frame)
}

#[cfg(target_arch = "aarch64")]
fn frame_pointer(registers: &UnwindRegisters) -> u64 {
    registers.fp()
}

/// A file's unwind tables. Copies share them.
#[derive(Clone)]
pub struct Tables {
    ranges: [Option<Range<u64>>; 4],
    text: Option<Arc<[u8]>>,
    eh_frame: Option<Arc<[u8]>>,
    eh_frame_hdr: Option<Arc<[u8]>>,
    debug_frame: Option<Arc<[u8]>>,
}

impl Tables {
    /// Reads a file; none if it has no tables, or is for another size of words.
    pub fn of(path: &Path) -> Option<Tables> {
        let bytes = fs::read(path).ok()?;
        let object = object::File::parse(&*bytes).ok()?;
        if !debug_files::unpacks(&object, bytes.len()) {
            return None;
        }
        let range = |name| -> Option<Range<u64>> {
            let section = object.section_by_name(name)?;
            let start = section.address();
            Some(start..start.saturating_add(section.size()))
        };
        let data = |name| -> Option<Arc<[u8]>> {
            let section = object.section_by_name(name)?;
            let data = section.uncompressed_data().ok()?;
            (!data.is_empty()).then(|| data.into())
        };
        let tables = Tables {
            ranges: [".text", ".got", ".eh_frame", ".eh_frame_hdr"].map(range),
            text: data(".text"),
            eh_frame: data(".eh_frame"),
            eh_frame_hdr: data(".eh_frame_hdr"),
            debug_frame: data(".debug_frame"),
        };
        let has_any = tables.eh_frame.is_some() || tables.debug_frame.is_some();
        (has_any && object.is_64()).then_some(tables)
    }

    fn sections(&self) -> ExplicitModuleSectionInfo<Arc<[u8]>> {
        let [text_svma, got_svma, eh_frame_svma, eh_frame_hdr_svma] = self.ranges.clone();
        ExplicitModuleSectionInfo {
            base_svma: 0,
            text_svma,
            text: self.text.clone(),
            got_svma,
            eh_frame_svma,
            eh_frame: self.eh_frame.clone(),
            eh_frame_hdr_svma,
            eh_frame_hdr: self.eh_frame_hdr.clone(),
            debug_frame: self.debug_frame.clone(),
            ..ExplicitModuleSectionInfo::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instruments::sampling::{self, Request, Sampler, Stack};
    use std::time::Duration;

    #[inline(never)]
    fn outermost(rounds: u64) -> u64 {
        let sum = middle(rounds);
        std::hint::black_box(sum) + 1
    }

    #[inline(never)]
    fn middle(rounds: u64) -> u64 {
        let sum = innermost(rounds);
        std::hint::black_box(sum) + 1
    }

    #[inline(never)]
    fn innermost(rounds: u64) -> u64 {
        // A large frame, as a hash's state needs.
        let mut state = std::hint::black_box([1_u64; 24]);
        for i in 0..rounds {
            let at = (i % 24) as usize;
            state[at] = std::hint::black_box(state[at]).wrapping_mul(i | 1);
        }
        state.iter().fold(0, |a, b| a ^ b)
    }

    #[test]
    fn callers_are_found_without_frame_pointers() {
        let _turn = sampling::turn();
        for sampler in [None, Some(Sampler::Sigprof)] {
            callers_of_innermost(sampler);
        }
    }

    fn callers_of_innermost(sampler: Option<Sampler>) {
        let request = Request {
            sampler,
            hz: 1_000,
            budget: Duration::from_millis(300),
            chain: false,
            words: Some(Stack::Deep),
        };
        let mut work = || {
            std::hint::black_box(outermost(100_000));
        };
        let mut samples = sampling::sample(&request, &mut work).unwrap();
        let symbols = Symbols::of_this_process().unwrap();
        callers(&mut samples, &symbols);
        let name = |address: u64| symbols.frames(address - 1)[0].function.clone();
        let chained = samples.stacks.iter().filter(|sample| {
            let leaf = &symbols.frames(sample.ip)[0].function;
            let callers: Vec<_> = sample.callers.iter().map(|&it| name(it)).collect();
            leaf.ends_with("innermost")
                && callers.len() > 2
                && callers[0].ends_with("middle")
                && callers[1].ends_with("outermost")
                && callers.iter().any(|it| it.ends_with("measured_region"))
        });
        let share = chained.count() as f64 / samples.stacks.len() as f64;
        assert!(share > 0.9, "{share} of the samples by {sampler:?}");
    }

    #[inline(never)]
    fn recursive(depth: u64) -> u64 {
        match depth {
            0 => std::hint::black_box(innermost(100_000)),
            _ => std::hint::black_box(recursive(depth - 1)) + 1,
        }
    }

    #[test]
    fn each_call_of_a_recursion_is_a_caller() {
        let _turn = sampling::turn();
        let symbols = Symbols::of_this_process().unwrap();
        for sampler in [None, Some(Sampler::Sigprof)] {
            let request = Request {
                sampler,
                hz: 1_000,
                budget: Duration::from_millis(300),
                chain: false,
                words: Some(Stack::Deep),
            };
            let mut work = || {
                std::hint::black_box(recursive(10));
            };
            let mut samples = sampling::sample(&request, &mut work).unwrap();
            callers(&mut samples, &symbols);
            let recursed = samples.stacks.iter().filter(|sample| {
                let names = sample.callers.iter().map(|&at| symbols.frames(at - 1));
                let named = names.filter(|it| it[0].function.ends_with("tests::recursive"));
                named.count() == 11
            });
            let share = recursed.count() as f64 / samples.stacks.len() as f64;
            assert!(share > 0.9, "{share} of the samples by {sampler:?}");
        }
    }

    #[test]
    fn words_outside_the_recorded_stack_are_not_read() {
        let registers = StackRegisters {
            stack: 1_000,
            ..StackRegisters::default()
        };
        let stack = [7, 8];
        let read = |address| word(registers, address, |at| stack.get(at / 8).copied());
        assert_eq!([read(1_000), read(1_008)], [Some(7), Some(8)]);
        assert_eq!([read(992), read(1_016), read(u64::MAX)], [None; 3]);
        let behind = |address| is_behind(registers, 16, address);
        assert!(behind(1_016) && !behind(1_008) && !behind(992) && !behind(u64::MAX - 3));
    }
}
