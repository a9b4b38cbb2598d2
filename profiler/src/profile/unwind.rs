//! Callers of samples, from the registers and the top of the stack that were recorded with them. The unwind tables of
//! the binaries (DWARF call frame information) say where each function keeps its return address, so no frame pointers
//! are needed. The crate `framehop` reads the tables.
//!
//! Finds return addresses; `symbolize` names them.

use crate::instruments::sampling::{Sample, Samples, StackRegisters};
use crate::symbols::{Symbols, Unwindable};
use framehop::{
    CacheNative, ExplicitModuleSectionInfo, MayAllocateDuringUnwind, Module, Unwinder,
    UnwinderNative,
};
use object::{Object, ObjectSection};
use std::fs;
use std::ops::Range;

/// More callers than any sample has; stops unwinding if the tables lead into a loop.
const MAX_CALLERS: usize = 64;

/// Fills in the callers of samples. If the recorded part of the stack ends early, the outer ones are missing.
pub fn callers(samples: &mut Samples, symbols: &Symbols) {
    let mut unwinder = UnwinderNative::<Vec<u8>, MayAllocateDuringUnwind>::new();
    let modules = symbols.unwindable().into_iter().filter_map(module);
    modules.for_each(|module| unwinder.add_module(module));
    let mut cache = CacheNative::<MayAllocateDuringUnwind>::new();
    for sample in &mut samples.stacks {
        let Some(registers) = sample.stack_registers else {
            continue;
        };
        let found = {
            let mut read = |address| word(sample, registers, address).ok_or(());
            let mut frames = unwinder.iter_frames(
                sample.ip,
                unwind_registers(sample, registers),
                &mut cache,
                &mut read,
            );
            let next = || frames.next().ok().flatten().map(|frame| frame.address());
            std::iter::from_fn(next).skip(1).take(MAX_CALLERS).collect()
        };
        sample.callers = found;
    }
}

/// A word of the stack, by its address.
fn word(sample: &Sample, registers: StackRegisters, address: u64) -> Option<u64> {
    let offset = address.checked_sub(registers.stack)?;
    let at = usize::try_from(offset / 8).ok()?;
    sample.stack.get(at).copied()
}

#[cfg(target_arch = "x86_64")]
fn unwind_registers(
    sample: &Sample,
    registers: StackRegisters,
) -> framehop::x86_64::UnwindRegsX86_64 {
    framehop::x86_64::UnwindRegsX86_64::new(sample.ip, registers.stack, registers.frame)
}

#[cfg(target_arch = "aarch64")]
fn unwind_registers(_: &Sample, registers: StackRegisters) -> framehop::aarch64::UnwindRegsAarch64 {
    framehop::aarch64::UnwindRegsAarch64::new(registers.link, registers.stack, registers.frame)
}

/// A file's unwind tables, for the unwinder; none if it has none.
fn module(file: Unwindable) -> Option<Module<Vec<u8>>> {
    let bytes = fs::read(&file.path).ok()?;
    let object = object::File::parse(&*bytes).ok()?;
    let section = |name| object.section_by_name(name);
    let range = |name| -> Option<Range<u64>> {
        let section = section(name)?;
        Some(section.address()..section.address() + section.size())
    };
    let data = |name| Some(section(name)?.data().ok()?.to_vec());
    data(".eh_frame")?;
    Some(Module::new(
        file.path.display().to_string(),
        file.memory,
        file.bias,
        ExplicitModuleSectionInfo {
            base_svma: 0,
            text_svma: range(".text"),
            text: data(".text"),
            got_svma: range(".got"),
            eh_frame_svma: range(".eh_frame"),
            eh_frame: data(".eh_frame"),
            eh_frame_hdr_svma: range(".eh_frame_hdr"),
            eh_frame_hdr: data(".eh_frame_hdr"),
            ..ExplicitModuleSectionInfo::default()
        },
    ))
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
        let sample = Sample {
            stack: vec![7, 8],
            ..Sample::default()
        };
        let registers = StackRegisters {
            stack: 1_000,
            ..StackRegisters::default()
        };
        let read = |address| word(&sample, registers, address);
        assert_eq!([read(1_000), read(1_008)], [Some(7), Some(8)]);
        assert_eq!([read(992), read(1_016), read(u64::MAX)], [None; 3]);
    }
}
