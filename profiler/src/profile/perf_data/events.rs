//! The events of a recording: their names, what their weights count, and where the callers of their samples are.
//!
//! Reads the descriptions of events; `records` reads the samples.

use linux_perf_data::AttributeDescription;
use linux_perf_data::linux_perf_event_reader::{
    BranchSampleFormat, ClockId, HardwareEventId, PerfClock, PerfEventAttr, PerfEventType,
    SampleFormat, SamplingPolicy, SoftwareCounterType,
};

/// An event that was sampled.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) name: String,
    /// Unit of the weights: ns, or else the event's name.
    pub(super) unit: String,
    pub(super) callers: Callers,
    /// Weight of samples that have none of their own.
    pub(super) period: u64,
    /// Whether its times are those of CLOCK_MONOTONIC.
    pub(super) monotonic: bool,
    /// Whether samples also have the values of the events in their group (`:S`).
    pub(super) reads_group: bool,
}

/// How the callers of samples were recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Callers {
    /// Not at all.
    None,
    /// By the kernel, which follows frame pointers.
    Chain,
    /// By the CPU: the calls that have not returned (`lbr`).
    Branches,
    /// As registers and a copy of the stack (`dwarf`).
    Stack,
}

impl Event {
    pub(super) fn of(description: &AttributeDescription) -> Event {
        let attributes = &description.attr;
        let name = description.name.clone();
        let name = name.unwrap_or_else(|| generic_name(attributes));
        let unit = if is_clock(attributes) { "ns" } else { &name }.to_owned();
        Event {
            unit,
            callers: Callers::of(attributes),
            period: match attributes.sampling_policy {
                SamplingPolicy::Period(period) => period.get(),
                SamplingPolicy::Frequency(_) | SamplingPolicy::NoSampling => 1,
            },
            monotonic: matches!(attributes.clock, PerfClock::ClockId(ClockId::Monotonic)),
            reads_group: attributes.sample_format.contains(SampleFormat::READ),
            name,
        }
    }
}

impl Callers {
    fn of(attributes: &PerfEventAttr) -> Callers {
        let has = |field| attributes.sample_format.contains(field);
        let branches = attributes.branch_sample_format;
        if has(SampleFormat::STACK_USER) && has(SampleFormat::REGS_USER) {
            Callers::Stack
        } else if has(SampleFormat::BRANCH_STACK)
            && branches.contains(BranchSampleFormat::CALL_STACK)
        {
            Callers::Branches
        } else if has(SampleFormat::CALLCHAIN) {
            Callers::Chain
        } else {
            Callers::None
        }
    }
}

/// Whether the event counts nanoseconds of CPU time.
fn is_clock(attributes: &PerfEventAttr) -> bool {
    use SoftwareCounterType::{CpuClock, TaskClock};
    matches!(
        attributes.type_,
        PerfEventType::Software(CpuClock | TaskClock)
    )
}

/// The name of an event whose description is missing: it is at the end of a recording, or behind the samples.
fn generic_name(attributes: &PerfEventAttr) -> String {
    use HardwareEventId as Hardware;
    use SoftwareCounterType as Software;
    let name = match attributes.type_ {
        PerfEventType::Software(Software::CpuClock) => "cpu-clock",
        PerfEventType::Software(Software::TaskClock) => "task-clock",
        PerfEventType::Software(Software::PageFaults) => "page-faults",
        PerfEventType::Software(Software::PageFaultsMin) => "minor-faults",
        PerfEventType::Software(Software::PageFaultsMaj) => "major-faults",
        PerfEventType::Software(Software::ContextSwitches) => "context-switches",
        PerfEventType::Software(Software::CpuMigrations) => "cpu-migrations",
        PerfEventType::Software(Software::Dummy) => "dummy",
        PerfEventType::Hardware(Hardware::CpuCycles, _) => "cycles",
        PerfEventType::Hardware(Hardware::Instructions, _) => "instructions",
        PerfEventType::Hardware(Hardware::CacheReferences, _) => "cache-references",
        PerfEventType::Hardware(Hardware::CacheMisses, _) => "cache-misses",
        PerfEventType::Hardware(Hardware::BranchInstructions, _) => "branches",
        PerfEventType::Hardware(Hardware::BranchMisses, _) => "branch-misses",
        PerfEventType::Tracepoint(id) => return format!("tracepoint {id}"),
        _ => "event without a name",
    };
    name.to_owned()
}
