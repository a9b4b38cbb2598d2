//! Which differences of a counter cannot matter: too few events, even if each costs as much as it plausibly can.
//!
//! A relative change says how much a counter changed, not whether that costs time: twelve times as many misses are
//! nothing if there are 6,000 of them in 69 million instructions.

use crate::counter::Counter;

/// Smallest share of a case's cycles that matters.
pub const MATERIAL: f64 = 0.01;

/// Instructions per cycle where cycles were not counted. Interpreters reach 1 to 3, the widest cores 6 or more in tight
/// loops. A high value makes for few cycles, so that too few counters are called immaterial rather than too many.
const INSTRUCTIONS_PER_CYCLE: f64 = 4.0;

/// The highest plausible cost of one event, cycles. `None` for figures that are costs themselves, of which any change
/// matters.
///
/// High values of current x86-64 and 64-bit Arm cores, from Agner Fog, "The microarchitecture of Intel, AMD and VIA
/// CPUs" (mispredictions cost 15 to 25 cycles), and Intel's "Optimization Reference Manual" (a load takes 5 cycles from
/// the first cache, 12 to 16 from the second, 40 to 75 from the last, some hundred from memory). A core hides a part of
/// most of these, so real costs are lower.
pub const fn worst_cost(counter: Counter) -> Option<f64> {
    match counter {
        Counter::CpuTime
        | Counter::Cycles
        | Counter::TaskClock
        | Counter::Instructions
        | Counter::SimInstructions => None,
        Counter::StalledFrontend | Counter::StalledBackend => Some(1.0),
        // A core follows at most one taken branch every one or two cycles.
        Counter::Branches | Counter::SimBranches => Some(2.0),
        Counter::BranchMisses | Counter::SimBranchMisses => Some(25.0),
        Counter::L1dLoads | Counter::SimDataReads | Counter::SimDataWrites => Some(5.0),
        // What also misses the second cache is counted by the counters of the last.
        Counter::L1dLoadMisses
        | Counter::L1iLoadMisses
        | Counter::SimL1iMisses
        | Counter::SimL1dReadMisses
        | Counter::SimL1dWriteMisses => Some(16.0),
        // These two are misses of the second cache.
        Counter::CacheReferences | Counter::LlcLoads => Some(75.0),
        Counter::CacheMisses | Counter::LlcLoadMisses => Some(300.0),
        // A page walk; in a virtual machine it goes through two sets of tables.
        Counter::DtlbLoadMisses => Some(100.0),
        // The kernel clears a page: 1.5 us in a virtual machine at 2.6 GHz.
        Counter::PageFaults => Some(4_000.0),
        // A few microseconds, and caches that another process has used.
        Counter::ContextSwitches => Some(20_000.0),
    }
}

/// The cycles of a call, from what was counted of it: cycles, or instructions at four a cycle. `None` if neither was.
pub fn cycles(counted: impl Fn(Counter) -> Option<f64>) -> Option<f64> {
    let instructions =
        || counted(Counter::Instructions).or_else(|| counted(Counter::SimInstructions));
    counted(Counter::Cycles).or_else(|| Some(instructions()? / INSTRUCTIONS_PER_CYCLE))
}

/// Whether a counter that is `base` per call and changes by a ratio between `low` and `high` cannot matter to a call of
/// `cycles`. Never for a counter that does not change.
pub fn is_immaterial(
    counter: Counter,
    base: f64,
    (low, high): (f64, f64),
    cycles: Option<f64>,
) -> bool {
    let most = base * (low - 1.0).abs().max((high - 1.0).abs());
    let share = || Some(most * worst_cost(counter)? / cycles?);
    most > 0.0 && share().is_some_and(|share| share < MATERIAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_times_as_many_rare_events_do_not_matter() {
        // 6,060 misses instead of 468, in 69 million instructions.
        let instructions = |counter| (counter == Counter::SimInstructions).then_some(69e6);
        let of = |counter, base, ratio| {
            is_immaterial(counter, base, (ratio, ratio), cycles(instructions))
        };
        assert!(of(Counter::SimL1iMisses, 468.0, 12.95));
        // As many page faults would take more time than the case.
        assert!(!of(Counter::PageFaults, 468.0, 12.95));
        // A small change of many events matters.
        assert!(!of(Counter::SimBranchMisses, 1e6, 0.9));
        // No change is nothing to call immaterial, and instructions are work.
        assert!(!of(Counter::SimL1iMisses, 468.0, 1.0));
        assert!(!of(Counter::SimInstructions, 100.0, 2.0));
    }

    #[test]
    fn the_far_end_of_the_interval_decides() {
        let of = |low, high| is_immaterial(Counter::PageFaults, 1.0, (low, high), Some(1e6));
        assert!(of(0.5, 3.0));
        assert!(!of(0.5, 4.0));
        assert!(!of(1.0, 40.0));
    }

    #[test]
    fn counted_cycles_are_preferred_and_without_either_nothing_is_immaterial() {
        let both = |counter| match counter {
            Counter::Cycles => Some(100.0),
            Counter::Instructions => Some(200.0),
            _ => None,
        };
        assert_eq!(cycles(both), Some(100.0));
        assert_eq!(cycles(|_| None), None);
        assert!(!is_immaterial(Counter::PageFaults, 1.0, (2.0, 2.0), None));
    }
}
