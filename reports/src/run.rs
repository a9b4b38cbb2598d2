//! The wire format of a run, schema `evmscope/run/1`: what was run, where, and every raw sample.
//!
//! The profiler writes a [`Run`]; all comparisons and renderers read it.

use crate::counter::{Counter, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The value of [`Run::schema`]; readers refuse any other.
pub const SCHEMA: &str = "evmscope/run/1";

/// One run of the tool: its machine, the verified results and the measurements.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// When the run began, RFC 3339, UTC.
    pub created: String,
    /// The machine and the build.
    pub rig: Rig,
    /// The runs that this one was merged from, each with its rig; empty if it was not merged. `rig` combines
    /// their rigs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// Settings of the interpreter; absent in older runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Settings>,
    /// The engines that ran, each once; empty in older runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<Engine>,
    /// One verified result per case and mode.
    pub results: Vec<CaseResult>,
    /// A flat list: one entry per case, mode and counter.
    pub measurements: Vec<Measurement>,
    /// Paired comparisons of two modes, per case and counter.
    pub ratios: Vec<Ratio>,
    /// How long the timing of all cases and modes took, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing_seconds: Option<f64>,
    /// What could not be measured, and why.
    pub unavailable: Vec<Unavailable>,
    /// Sampled stacks, one entry per case and mode; empty if nothing was sampled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<Profile>,
    /// The cost of each opcode, by case and mode; empty if nothing was sampled.
    #[serde(rename = "opcodes", default, skip_serializing_if = "Vec::is_empty")]
    pub opcode_costs: Vec<OpcodeCost>,
    /// Memory use of each case, by mode; empty if not counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<MemoryUse>,
    /// Cost of fully translating the contracts of each case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decoding: Vec<Decoding>,
}

impl Run {
    /// A case's name, with its status unless that is success.
    pub fn title(&self, case: &str) -> String {
        let mut results = self.results.iter().filter(|it| it.case == case);
        match results.find(|it| it.status != "success") {
            Some(result) => format!("{case} ({})", result.status),
            None => case.to_owned(),
        }
    }

    /// Names of the cases, each once, in the order of first appearance.
    pub fn cases(&self) -> Vec<&str> {
        self.subjects().map(|(case, _)| case).unique()
    }

    /// Names of the modes, each once, in the order of first appearance.
    pub fn modes(&self) -> Vec<&str> {
        self.subjects().map(|(_, mode)| mode).unique()
    }

    /// The verified result of a case in a mode.
    pub fn result(&self, case: &str, mode: &str) -> Option<&CaseResult> {
        self.results
            .iter()
            .find(|r| r.case == case && r.mode == mode)
    }

    /// The samples of one counter.
    pub fn measurement(&self, case: &str, mode: &str, counter: Counter) -> Option<&Measurement> {
        self.measurements
            .iter()
            .find(|m| m.case == case && m.mode == mode && m.counter == counter)
    }

    /// The comparison of the mode `head` against the mode `base`.
    pub fn ratio(&self, case: &str, base: &str, head: &str, counter: Counter) -> Option<&Ratio> {
        self.ratios
            .iter()
            .find(|r| r.case == case && r.base == base && r.head == head && r.counter == counter)
    }

    /// The machine and the build that a case was measured on.
    pub fn rig_of(&self, case: &str) -> &Rig {
        let has = |part: &&Part| part.cases.iter().any(|name| name == case);
        self.parts
            .iter()
            .find(has)
            .map_or(&self.rig, |part| &part.rig)
    }

    /// Memory use of a case in a mode.
    pub fn memory_use(&self, case: &str, mode: &str) -> Option<&MemoryUse> {
        let of = |used: &&MemoryUse| used.case == case && used.mode == mode;
        self.memory.iter().find(of)
    }

    /// Opcodes that one call of a case executes in a mode. If the mode does not count them, the count of a mode with
    /// the same gas is used: equal gas means the same execution path.
    pub fn opcodes(&self, case: &str, mode: &str) -> Option<u64> {
        let own = self.result(case, mode)?;
        let same_path = |r: &&CaseResult| r.case == case && r.gas_used == own.gas_used;
        own.opcodes.or_else(|| {
            self.results
                .iter()
                .filter(same_path)
                .find_map(|r| r.opcodes)
        })
    }

    /// Case and mode of everything that was verified or measured.
    fn subjects(&self) -> impl Iterator<Item = (&str, &str)> {
        let results = self
            .results
            .iter()
            .map(|r| (r.case.as_str(), r.mode.as_str()));
        let measurements = self
            .measurements
            .iter()
            .map(|m| (m.case.as_str(), m.mode.as_str()));
        results.chain(measurements)
    }
}

/// Removes duplicates, keeping the first; quadratic, for the few names in a run.
trait Unique: Iterator + Sized
where
    Self::Item: PartialEq,
{
    fn unique(self) -> Vec<Self::Item> {
        self.fold(Vec::new(), |mut seen, item| {
            if !seen.contains(&item) {
                seen.push(item);
            }
            seen
        })
    }
}

impl<I: Iterator> Unique for I where I::Item: PartialEq {}

/// The machine and the build that a run was made with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rig {
    /// CPU model name as reported by the kernel.
    pub cpu: String,
    /// Logical CPUs that the process may use.
    pub cpus: usize,
    /// On a hybrid CPU, the kind of core that everything here was measured on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cores: Option<String>,
    /// Target architecture, e.g. `x86_64`.
    pub arch: String,
    /// Kernel name and release.
    pub kernel: String,
    /// Frequency governor of the CPU, if the kernel reports one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub governor: Option<String>,
    /// Whether the CPU reports a hypervisor.
    pub virtualized: bool,
    /// Total memory, bytes.
    pub memory: u64,
    /// `rustc -V` of the build.
    pub rustc: String,
    /// Cargo profile and flags of the build.
    pub build: String,
    /// Version of the tool.
    pub version: String,
    /// Commit of the build, with `-dirty` if the tree had changes; absent outside a checkout.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commit: Option<String>,
    /// Identity of the binary: its build id or a hash of its bytes, hex.
    pub binary: String,
}

impl Rig {
    /// How this machine differs from `other` in a way that makes times incomparable: architecture, CPU, kind of core or
    /// hypervisor. `None` for the same class of machine; builds and kernels may differ.
    pub fn other_machine(&self, other: &Rig) -> Option<String> {
        let hypervisor = |rig: &Rig| match rig.virtualized {
            true => "virtual",
            false => "no hypervisor",
        };
        let cores = |rig: &Rig| rig.cores.clone().unwrap_or_else(|| "any core".to_owned());
        let facts = |rig: &Rig| {
            [
                rig.arch.clone(),
                rig.cpu.clone(),
                cores(rig),
                hypervisor(rig).to_owned(),
            ]
        };
        let pairs = facts(self).into_iter().zip(facts(other));
        let mut different = pairs.filter(|(own, other)| own != other);
        different
            .next()
            .map(|(own, other)| format!("{own} against {other}"))
    }
}

/// An engine that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Engine {
    /// As `mode` in results and measurements.
    pub name: String,
    /// Name and version of the program: `revm 43.0.3`.
    pub version: String,
}

/// One of the runs that a run was merged from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// When it began, RFC 3339, UTC.
    pub created: String,
    /// Its machine and build.
    pub rig: Rig,
    /// The cases that came from it.
    pub cases: Vec<String>,
}

/// Settings of this project's interpreter, for both of its modes. Peers have no such settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// Which modes memoise hashes within a message: `advanced`, `both` or `off`.
    pub keccak_memo: String,
    /// Most decoded bytes that the advanced mode keeps per bytecode byte.
    pub budget: f64,
    /// Most decoded bytes of a code for which that would be less; 0 in runs from before it existed.
    #[serde(default)]
    pub budget_floor: u64,
    /// Whether each timed call was the first of its interpreter.
    #[serde(default)]
    pub cold: bool,
}

/// The verified result of one case in one mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaseResult {
    /// Name of the case.
    pub case: String,
    /// `traditional`, `advanced` or a peer such as `revm`.
    pub mode: String,
    /// The fork's name, lower case.
    pub fork: String,
    /// `success`, `revert`, or the halt reason in kebab case.
    pub status: String,
    /// Gas used by the message's execution, before refunds, without intrinsic gas.
    pub gas_used: u64,
    /// keccak256 of the output, `0x` and 64 hex digits.
    pub output_hash: String,
    /// Opcodes executed in one call, all frames; absent for peers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub opcodes: Option<u64>,
    /// What the result was verified against: `case.toml`, `expected.json`, or `agreement`.
    pub expected: String,
}

/// All samples of one counter for one case in one mode. Values are per call, in `unit`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measurement {
    /// Name of the case.
    pub case: String,
    /// The mode that ran.
    pub mode: String,
    /// Which counter.
    pub counter: Counter,
    /// Unit of every value here.
    pub unit: String,
    /// Where the figure comes from.
    pub source: Source,
    /// Number of samples.
    pub n: usize,
    /// Median of the samples.
    pub median: f64,
    /// Smallest sample.
    pub min: f64,
    /// Largest sample.
    pub max: f64,
    /// Median absolute deviation from the median.
    pub mad: f64,
    /// Share of the time that the counter ran, 0 to 1, if the kernel multiplexed it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub coverage: Option<f64>,
    /// Page faults per call in the timed spans, of CPU times. Near 0 unless calls take pages from the kernel.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub faults: Option<f64>,
    /// The samples in the order taken.
    pub samples: Vec<f64>,
    /// How many samples each launch of the process took, in order; empty if a single process took all.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub launches: Vec<usize>,
}

impl Measurement {
    /// The samples of each launch.
    pub fn by_launch(&self) -> Vec<&[f64]> {
        if self.launches.is_empty() {
            return vec![&self.samples];
        }
        let mut rest = self.samples.as_slice();
        let part = |n: &usize| {
            let (part, others) = rest.split_at((*n).min(rest.len()));
            rest = others;
            part
        };
        self.launches.iter().map(part).collect()
    }
}

/// Two modes of one case compared on one counter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ratio {
    /// Name of the case.
    pub case: String,
    /// The mode compared against.
    pub base: String,
    /// The mode under test.
    pub head: String,
    /// Which counter.
    pub counter: Counter,
    /// Median of the paired `head / base`; below 1 the head needs less. With several launches, the trimmed
    /// geometric mean of their medians.
    pub median: f64,
    /// Lower end of the 95 % interval of the median.
    pub low: f64,
    /// Upper end of that interval.
    pub high: f64,
    /// What the interval supports.
    pub verdict: Verdict,
    /// Threshold of the verdict: 0.05 is 5 %.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub threshold: Option<f64>,
}

/// What a paired ratio supports at its threshold, by the rule of [`stats`](crate::stats).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The head needs less, by more than the threshold.
    Improved,
    /// The head needs more, by more than the threshold.
    Regressed,
    /// Any difference is within the threshold.
    Unchanged,
    /// None of these: more pairs or a quieter machine are needed.
    Inconclusive,
}

/// A counter that is unavailable; never shown as 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unavailable {
    /// Which counter.
    pub counter: Counter,
    /// Why, in one line that says what would enable it.
    pub reason: String,
}

/// Sampled native stacks of one case in one mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    /// Name of the case.
    pub case: String,
    /// The mode that ran.
    pub mode: String,
    /// How the samples were taken: `perf cpu-clock`, `perf cycles` or `SIGPROF`.
    pub sampler: String,
    /// Samples taken.
    pub samples: u64,
    /// Samples that were dropped, because there was no room for them.
    pub lost: u64,
    /// Achieved samples per second of CPU time; 0 if not recorded.
    #[serde(default)]
    pub rate: f64,
    /// Unit of the weights: `ns` or `cycles`.
    pub unit: String,
    /// Pairs of folded stack (root first, `;` between frames) and weight in `unit`.
    pub stacks: Vec<(String, u64)>,
}

/// One opcode of one case in one mode, by the samples of all sampling runs and by simulation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpcodeCost {
    /// Name of the case.
    pub case: String,
    /// The mode that ran.
    pub mode: String,
    /// Mnemonic; absent for code that belongs to no opcode, such as dispatch and code shared by several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub opcode: Option<String>,
    /// Executions per call of the case.
    pub executed: u64,
    /// Samples attributed to it.
    pub samples: u64,
    /// Share of the total weight of all samples, 0 to 1.
    pub share: f64,
    /// CPU time per execution, ns.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time: Option<f64>,
    /// Cycles per execution, if the samples were taken on cycles.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cycles: Option<f64>,
    /// Hardware events per execution, each from samples taken on that event: instructions, branch misses, cache
    /// misses, if the PMU has them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub events: BTreeMap<Counter, f64>,
    /// Simulated instructions per call of the case, if simulated.
    #[serde(
        rename = "sim-instructions",
        skip_serializing_if = "Option::is_none",
        default
    )]
    pub sim_instructions: Option<u64>,
    /// What each independent sampling run found, in order; run `i` of every mode is of the same process. Empty in older
    /// runs.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub runs: Vec<OpcodeRun>,
}

/// What one sampling run found of an opcode.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpcodeRun {
    /// Samples attributed to it.
    pub samples: u64,
    /// CPU time of all its executions in one call of the case, ns.
    pub time: f64,
}

impl OpcodeCost {
    /// PMU events per execution. Cycles come from the time samples.
    pub fn event(&self, counter: Counter) -> Option<f64> {
        match counter {
            Counter::Cycles => self.cycles,
            other => self.events.get(&other).copied(),
        }
    }

    /// Simulated instructions per execution; `None` if not executed or not simulated.
    pub fn sim_instructions_each(&self) -> Option<f64> {
        (self.executed > 0).then_some(self.sim_instructions? as f64 / self.executed as f64)
    }
}

/// Memory use of a case in one mode, counted in untimed runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryUse {
    /// Name of the case.
    pub case: String,
    /// The mode that ran.
    pub mode: String,
    /// The first call of an interpreter. Memory allocated before the call (interpreter, its stack, state) is excluded.
    pub first: HeapUse,
    /// A later call, after `calls` others.
    pub later: HeapUse,
    /// Calls before the later one; `programs` includes them.
    pub calls: u64,
    /// Decoded programs; absent for modes that do not translate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub programs: Option<ProgramCache>,
}

/// Heap use of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeapUse {
    /// Peak bytes above the level before the call.
    pub peak: u64,
    /// Bytes after the call above the level before: changed state, and what the interpreter keeps.
    pub kept: i64,
    /// Allocations and reallocations.
    pub allocations: u64,
    /// Total bytes of all allocations.
    pub allocated: u64,
}

/// The decoded programs that the advanced mode keeps for the codes of a case, and statistics of their use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProgramCache {
    /// Codes that have a program.
    pub programs: u64,
    /// Bytes of these codes.
    pub code_bytes: u64,
    /// Bytes of their decoded form: stream, maps, refusals and counters, including spare capacity.
    pub decoded_bytes: u64,
    /// Highest number of decoded bytes per bytecode byte of any program that `budget` limits; 0 without one.
    pub greatest_ratio: f64,
    /// Most decoded bytes of any program that `budget_floor` limits; 0 without one.
    #[serde(default)]
    pub greatest_short: u64,
    /// Most decoded bytes per bytecode byte that the settings allow.
    pub budget: f64,
    /// Most decoded bytes of a code for which that would be less.
    #[serde(default)]
    pub budget_floor: u64,
    /// Entry points translated, in all calls.
    pub translated: u64,
    /// Frames that found their program in the cache.
    pub hits: u64,
    /// Frames that started a new program.
    pub misses: u64,
    /// Frames whose short code ran for the first time; it gets a program at the second run.
    pub postponed: u64,
    /// Frames whose code is too long for a program.
    pub refused: u64,
}

/// Cost of translating a contract as far as its budget goes: what the budget does not allow is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Budgeted {
    /// Bytes of its decoded form.
    pub decoded_bytes: u64,
    /// Entry points translated.
    pub entries: u64,
    /// Median thread CPU time, ns.
    pub time: f64,
    /// Median absolute deviation from the median, ns.
    pub mad: f64,
}

impl ProgramCache {
    /// Decoded bytes per bytecode byte, over all codes; `None` if no code has a program.
    pub fn ratio(&self) -> Option<f64> {
        (self.code_bytes > 0).then(|| self.decoded_bytes as f64 / self.code_bytes as f64)
    }
}

/// Cost of fully translating one contract from its bytes: every entry point, hot or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decoding {
    /// Name of the case.
    pub case: String,
    /// The contract's address; with `, repeated` if its code was tiled to the deployment limit.
    pub contract: String,
    /// Bytes of code.
    pub code_bytes: u64,
    /// What the run's settings allow of it. `None` in runs from before it was measured.
    #[serde(default)]
    pub budgeted: Option<Budgeted>,
    /// Bytes of its decoded form without a budget.
    pub decoded_bytes: u64,
    /// Entry points translated.
    pub entries: u64,
    /// Median thread CPU time, ns.
    pub time: f64,
    /// Median absolute deviation from the median, ns.
    pub mad: f64,
    /// Number of samples.
    pub n: usize,
}
