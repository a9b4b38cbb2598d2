//! Samples folded into named stacks, for the reports and the flamegraphs.
//!
//! Decides which frames a stack keeps. `symbolize` names the frames, `flamegraph` draws the stacks.

use super::symbolize::{SymbolizedSample, SymbolizedSamples};
use crate::instruments::region;
use crate::symbols::handlers::is_handler;
use crate::symbols::{Frame, Origin, Symbols};
use evmscope_reports::run::Profile;
use std::collections::BTreeMap;

/// Folds samples into a profile, its stacks sorted and root first. Frames outside the measured region are cut off.
pub fn profile(case: &str, mode: &str, samples: &SymbolizedSamples) -> Profile {
    let mut stacks = BTreeMap::<String, u64>::new();
    for sample in &samples.stacks {
        *stacks.entry(stack_from_handler(sample)).or_default() += sample.sample.weight;
    }
    Profile {
        case: case.to_owned(),
        mode: mode.to_owned(),
        sampler: samples.sampler.name().to_owned(),
        samples: samples.taken,
        lost: samples.lost,
        rate: samples.rate,
        unit: samples.sampler.unit().to_owned(),
        stacks: stacks.into_iter().collect(),
    }
}

/// The stack of the instruction at an address of this binary's file, folded as samples are by default.
pub fn stack_at_file_address(address: u64, symbols: &Symbols) -> String {
    stack(&kept(&symbols.frames_of_file(address)))
}

/// The names of a sample's stack, root first, `;` between them.
pub fn whole_stack(sample: &SymbolizedSample) -> String {
    let kept = sample.functions().flat_map(kept);
    stack(&kept.collect::<Vec<_>>())
}

/// As [`whole_stack`], without the frames outside the handler if there is one: all handlers have the same callers.
pub fn stack_from_handler(sample: &SymbolizedSample) -> String {
    let handler = sample.functions().position(|frames| {
        let physical = frames.first();
        physical.is_some_and(|frame| is_handler(&frame.function))
    });
    let inside = sample.functions().skip(handler.unwrap_or(0));
    let kept = inside.flat_map(kept);
    stack(&kept.collect::<Vec<_>>())
}

/// The frames at one address that are shown: the physical function, then functions that were inlined there
/// (`execute;ops::arithmetic::mul`). A `match` loop is one huge function, and only its inline frames show the opcode.
/// One handler appears as several frames if the compiler inlined different functions into it.
///
/// Frames that say nothing about the interpreter are omitted, and their weight goes to the nearest enclosing frame: the
/// standard library, the inside of a foreign package, and closures within the function that defines them.
fn kept(frames: &[Frame]) -> Vec<&Frame> {
    frames.iter().fold(Vec::new(), |mut kept, frame| {
        let parent = kept.last();
        if parent.is_none_or(|parent| adds_information(frame, parent)) {
            kept.push(frame);
        }
        kept
    })
}

/// Whether an inline frame adds something to the kept frame around it.
fn adds_information(frame: &Frame, parent: &Frame) -> bool {
    match &frame.origin {
        Origin::Standard => false,
        Origin::Foreign(_) if frame.origin == parent.origin => false,
        Origin::Foreign(_) | Origin::Own | Origin::Unknown => {
            let is_closure = frame.definer() != frame.function;
            !(is_closure && frame.definer() == parent.definer())
        }
    }
}

/// The names of frames, those outside the measured region cut off.
fn stack(frames: &[&Frame]) -> String {
    let region = frames
        .iter()
        .rposition(|frame| is_region(frame))
        .map_or(0, |i| i + 1);
    // The sample hit the region's own frame, outside the work: keep it.
    let inside = if region < frames.len() { region } else { 0 };
    let names: Vec<_> = frames[inside..]
        .iter()
        .map(|frame| frame.function.replace(';', ","))
        .collect();
    names.join(";")
}

fn is_region(frame: &Frame) -> bool {
    frame.function.ends_with(region::NAME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instruments::sampling::{self, Sample, Sampler, Samples};
    use crate::profile::symbolize::symbolize;
    use Origin::{Own, Standard};

    fn indexmap() -> Origin {
        Origin::Foreign("indexmap-2.14.2".to_owned())
    }

    fn hashbrown() -> Origin {
        Origin::Foreign("hashbrown-0.17.0".to_owned())
    }

    fn folded(frames: &[(&str, Origin)]) -> String {
        let frame = |(function, origin): &(&str, Origin)| Frame {
            function: (*function).to_owned(),
            origin: origin.clone(),
        };
        let frames: Vec<_> = frames.iter().map(frame).collect();
        stack(&kept(&frames))
    }

    #[test]
    fn the_standard_library_is_omitted_inside_a_function() {
        let pop = [
            ("traditional::execute", Own),
            ("stack::top", Own),
            ("array::from_fn", Standard),
            ("Wrapped<T,A,F>::call_mut", Standard),
            ("stack::top::{{closure}}", Own),
            ("stack::load", Own),
            ("ptr::read_volatile", Standard),
        ];
        assert_eq!(folded(&pop), "traditional::execute;stack::top;stack::load");
        assert_eq!(folded(&pop[..4]), "traditional::execute;stack::top");
    }

    #[test]
    fn a_physical_function_is_kept_whatever_its_origin() {
        let dropped = [
            ("ptr::drop_in_place<Vec<Change>>", Standard),
            ("Vec<T,A>::drop", Standard),
        ];
        assert_eq!(folded(&dropped), "ptr::drop_in_place<Vec<Change>>");
        let sorted = [("slice::sort", Standard), ("Log::cmp", Own)];
        assert_eq!(folded(&sorted), "slice::sort;Log::cmp");
    }

    #[test]
    fn a_foreign_package_shows_only_where_it_is_entered() {
        let lookup = [
            ("World::load", Own),
            ("map::IndexMap<K,V,S>::entry", indexmap()),
            ("entry::<impl Entry<K,V>>::new", indexmap()),
            ("table::HashTable<T,A>::find_entry", hashbrown()),
            ("raw::RawTable<T,A>::find", hashbrown()),
            ("raw::RawTable<T,A>::find::{{closure}}", hashbrown()),
            ("inner::equal::{{closure}}", indexmap()),
            ("Key::eq", Own),
            ("mem::replace", Standard),
        ];
        assert_eq!(
            folded(&lookup),
            "World::load;map::IndexMap<K,V,S>::entry;table::HashTable<T,A>::find_entry;\
             inner::equal::{{closure}};Key::eq"
        );
        assert_eq!(
            folded(&lookup[1..3]),
            "map::IndexMap<K,V,S>::entry",
            "also in a physical function of its own"
        );
    }

    #[test]
    fn a_closure_is_omitted_only_where_it_repeats_its_function() {
        let repeated = [
            ("stack::top", Own),
            ("stack::top::{closure#0}", Own),
            ("stack::top::{closure#0}::{closure#1}", Own),
        ];
        assert_eq!(folded(&repeated), "stack::top");
        assert_eq!(folded(&repeated[1..]), "stack::top::{closure#0}");
        let passed_on = [
            ("handlers::SLOAD", Own),
            ("State::exact", Own),
            ("handlers::SLOAD::{{closure}}", Own),
        ];
        assert_eq!(
            folded(&passed_on),
            "handlers::SLOAD;State::exact;handlers::SLOAD::{{closure}}"
        );
        let recursive = [("fold::walk", Own), ("fold::walk", Own)];
        assert_eq!(folded(&recursive), "fold::walk;fold::walk");
    }

    fn sampled(sampler: Sampler, stacks: Vec<Sample>) -> Samples {
        Samples {
            sampler,
            taken: 3,
            lost: 1,
            cpu_time: 3_000_000,
            stacks,
        }
    }

    fn at(ip: u64, callers: Vec<u64>, weight: u64) -> Sample {
        Sample {
            ip,
            callers,
            weight,
            ..Sample::default()
        }
    }

    fn address(function: fn(&Frame) -> bool) -> u64 {
        function as usize as u64
    }

    #[test]
    fn equal_stacks_are_joined_and_frames_outside_the_region_cut_off() {
        let symbols = Symbols::of_this_process().unwrap();
        let region = region::measured_region as fn(&mut dyn FnMut()) as usize as u64;
        let ip = address(is_region);
        // A return address is after the call, so inside the function.
        let around = vec![region + 1, ip + 1];
        let samples = sampled(
            Sampler::PerfCpuClock,
            vec![
                at(ip, around.clone(), 5),
                at(ip, vec![], 6),
                at(ip, around, 1),
            ],
        );
        let samples = symbolize(samples, &symbols);
        let profile = profile("empty", "advanced", &samples);
        assert_eq!((profile.samples, profile.lost), (3, 1));
        assert_eq!(profile.rate, 1_000.0);
        assert_eq!(
            profile.stacks,
            [("profile::fold::is_region".to_owned(), 12)]
        );
    }

    #[test]
    fn an_address_outside_every_file_is_still_drawn() {
        let symbols = Symbols::of_this_process().unwrap();
        let samples = sampled(Sampler::PerfCpuClock, vec![at(1, vec![], 5)]);
        let samples = symbolize(samples, &symbols);
        let profile = profile("empty", "advanced", &samples);
        assert_eq!(profile.stacks, [("[unknown]".to_owned(), 5)]);
    }

    #[inline(never)]
    fn physical(seed: u64) -> u64 {
        (0..400_000).fold(seed, inlined)
    }

    #[inline(always)]
    fn inlined(sum: u64, i: u64) -> u64 {
        std::hint::black_box(sum).wrapping_mul(i | 1)
    }

    #[test]
    fn inline_frames_are_shown_whatever_the_sampler() {
        let _turn = sampling::turn();
        let symbols = Symbols::of_this_process().unwrap();
        for sampler in [None, Some(Sampler::Sigprof)] {
            let request = sampling::Request {
                sampler,
                hz: 1_000,
                budget: std::time::Duration::from_millis(200),
                chain: false,
                words: None,
            };
            let mut work = || {
                std::hint::black_box(physical(1));
            };
            let samples = sampling::sample(&request, &mut work).unwrap();
            let samples = symbolize(samples, &symbols);
            let profile = profile("empty", "advanced", &samples);
            let name = |stack: &str| stack.contains("physical") && stack.contains("inlined");
            assert!(
                profile.stacks.iter().any(|(stack, _)| name(stack)),
                "{profile:?}"
            );
        }
    }
}
