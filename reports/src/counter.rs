//! Names, units and sources of all counters. The profiler opens and reads them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a figure comes from. Simulated figures are never presented as hardware counters.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A PMU event read through `perf_event_open(2)`.
    Hardware,
    /// The kernel's own accounting: clocks, faults, context switches.
    Software,
    /// A simulator's model of a CPU (callgrind). Deterministic; not a hardware figure.
    Simulated,
    /// Counted by the interpreter itself: executed opcodes, gas.
    Counted,
}

impl Source {
    /// All sources, in the order in which tables show them.
    pub const ALL: &[Source] = &[
        Source::Software,
        Source::Hardware,
        Source::Simulated,
        Source::Counted,
    ];

    /// The name in the JSON and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Source::Hardware => "hardware",
            Source::Software => "software",
            Source::Simulated => "simulated",
            Source::Counted => "counted",
        }
    }

    /// Whether the same program gives the same figure every time, so that one sample suffices.
    pub const fn deterministic(self) -> bool {
        matches!(self, Source::Simulated | Source::Counted)
    }
}

macro_rules! counters {
    ($($variant:ident $name:literal $unit:literal $source:ident $title:literal;)*) => {
        /// Every figure that a run can hold. All are per call of the case, and less is better.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum Counter { $(#[doc = $title] #[serde(rename = $name)] $variant,)* }

        impl Counter {
            /// All counters, in the order in which tables show them.
            pub const ALL: &[Counter] = &[$(Counter::$variant),*];

            /// The name in the JSON and on the command line.
            pub const fn name(self) -> &'static str { match self { $(Counter::$variant => $name),* } }
            /// The unit of a value.
            pub const fn unit(self) -> &'static str { match self { $(Counter::$variant => $unit),* } }
            /// The source of a value.
            pub const fn source(self) -> Source { match self { $(Counter::$variant => Source::$source),* } }
            /// The name in tables.
            pub const fn title(self) -> &'static str { match self { $(Counter::$variant => $title),* } }
        }
    };
}

counters! {
    CpuTime             "cpu-time"                 "ns"      Software  "CPU time";
    Cycles              "cycles"                   "cycles"  Hardware  "cycles";
    Instructions        "instructions"             "count"   Hardware  "instructions";
    Branches            "branches"                 "count"   Hardware  "branches";
    BranchMisses        "branch-misses"            "count"   Hardware  "branch misses";
    CacheReferences     "cache-references"         "count"   Hardware  "cache references";
    CacheMisses         "cache-misses"             "count"   Hardware  "cache misses";
    L1dLoads            "l1d-loads"                "count"   Hardware  "L1d loads";
    L1dLoadMisses       "l1d-load-misses"          "count"   Hardware  "L1d load misses";
    L1iLoadMisses       "l1i-load-misses"          "count"   Hardware  "L1i load misses";
    LlcLoads            "llc-loads"                "count"   Hardware  "LLC loads";
    LlcLoadMisses       "llc-load-misses"          "count"   Hardware  "LLC load misses";
    DtlbLoadMisses      "dtlb-load-misses"         "count"   Hardware  "dTLB load misses";
    StalledFrontend     "stalled-cycles-frontend"  "cycles"  Hardware  "front-end stalls";
    StalledBackend      "stalled-cycles-backend"   "cycles"  Hardware  "back-end stalls";
    TaskClock           "task-clock"               "ns"      Software  "task clock";
    PageFaults          "page-faults"              "count"   Software  "page faults";
    ContextSwitches     "context-switches"         "count"   Software  "context switches";
    SimInstructions     "sim-instructions"         "count"   Simulated "instructions";
    SimDataReads        "sim-data-reads"           "count"   Simulated "data reads";
    SimDataWrites       "sim-data-writes"          "count"   Simulated "data writes";
    SimL1iMisses        "sim-l1i-misses"           "count"   Simulated "L1i misses";
    SimL1dReadMisses    "sim-l1d-read-misses"      "count"   Simulated "L1d read misses";
    SimL1dWriteMisses   "sim-l1d-write-misses"     "count"   Simulated "L1d write misses";
    SimBranches         "sim-conditional-branches" "count"   Simulated "cond. branches";
    SimBranchMisses     "sim-conditional-branch-misses" "count" Simulated "cond. branch misses";
}

impl std::fmt::Display for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
