//! The one wire type, schema `evmscope/run/1`: what was run, where, and every raw sample of it.
//!
//! Everything that compares or shows reads a [`Run`] and nothing else; only the profiler makes one.

use crate::counter::{Counter, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The value of [`Run::schema`]; a reader refuses any other.
pub const SCHEMA: &str = "evmscope/run/1";

/// One run of the tool: its machine, the verified results, and what was measured of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// When the run began, RFC 3339, UTC.
    pub created: String,
    /// The machine and the build.
    pub rig: Rig,
    /// The runs that this one was made of, each with its rig; empty where it was made in one go. `rig` then
    /// says what they have in common.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// How the interpreter was set; absent in runs that were made before it could be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Settings>,
    /// The engines that ran, each once; empty in runs that were made before it was kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<Engine>,
    /// One verified result per case and mode.
    pub results: Vec<CaseResult>,
    /// A flat list: one entry per case, mode and counter.
    pub measurements: Vec<Measurement>,
    /// Paired comparisons of two modes, per case and counter.
    pub ratios: Vec<Ratio>,
    /// What could not be measured, and why.
    pub unavailable: Vec<Unavailable>,
    /// Sampled stacks, one entry per case and mode; empty where nothing was sampled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<Profile>,
    /// What each opcode costs, by case and mode; empty where nothing was sampled.
    #[serde(rename = "opcodes", default, skip_serializing_if = "Vec::is_empty")]
    pub opcode_costs: Vec<OpcodeCost>,
    /// What each case takes of memory, by mode; empty where that was not counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<MemoryUse>,
    /// What it takes to translate the contracts of each case as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decoding: Vec<Decoding>,
}

impl Run {
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

    /// What a case takes of memory in a mode.
    pub fn memory_use(&self, case: &str, mode: &str) -> Option<&MemoryUse> {
        let of = |used: &&MemoryUse| used.case == case && used.mode == mode;
        self.memory.iter().find(of)
    }

    /// Opcodes that one call of a case executes in a mode. A mode that does not count them takes
    /// the count of one that used the same gas, since it went the same way.
    pub fn opcodes(&self, case: &str, mode: &str) -> Option<u64> {
        let own = self.result(case, mode)?;
        let same_way = |r: &&CaseResult| r.case == case && r.gas_used == own.gas_used;
        own.opcodes
            .or_else(|| self.results.iter().filter(same_way).find_map(|r| r.opcodes))
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

/// Keeps the first of equal items; for the handful of names in a run.
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

/// The machine and the build a figure belongs to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rig {
    /// CPU model name as the kernel states it.
    pub cpu: String,
    /// Logical CPUs this process may use.
    pub cpus: usize,
    /// On a hybrid CPU, the kind of core that everything here was measured on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cores: Option<String>,
    /// Target architecture, e.g. `x86_64`.
    pub arch: String,
    /// Kernel name and release.
    pub kernel: String,
    /// Frequency governor of the CPU, if the kernel tells.
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
    /// Commit of the build, with `-dirty` where the tree was changed; absent outside a checkout.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commit: Option<String>,
    /// SHA-256-like identity of the binary: its build id or a hash of its bytes, hex.
    pub binary: String,
}

impl Rig {
    /// What makes this another machine than `other`, as far as times go; `None` for the same class: CPU,
    /// kind of core, architecture, hypervisor. Builds and kernels may differ, they are what is compared.
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
    /// What it is and of which version: `revm 43.0.3`.
    pub version: String,
}

/// One of the runs that a merged run was made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// When it began, RFC 3339, UTC.
    pub created: String,
    /// Its machine and build.
    pub rig: Rig,
    /// The cases that came from it.
    pub cases: Vec<String>,
}

/// How this project's interpreter was set in both of its modes. Peers have no such settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// Which modes remember hashes within a message: `advanced`, `both` or `off`.
    pub keccak_memo: String,
    /// Most bytes that the advanced mode keeps for a byte of code.
    pub budget: f64,
    /// Whether each timed call was an interpreter's first.
    #[serde(default)]
    pub cold: bool,
}

/// What a case came out as in one mode; every later figure of that pair rests on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaseResult {
    /// Name of the case.
    pub case: String,
    /// `traditional`, `advanced` or a peer such as `revm`.
    pub mode: String,
    /// Fork the case ran at, lower case.
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
    /// What the result was held against: `case.toml`, `expected.json`, or `agreement`.
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
    /// Least sample.
    pub min: f64,
    /// Greatest sample.
    pub max: f64,
    /// Median absolute deviation from the median.
    pub mad: f64,
    /// Share of the time the counter really ran, 0 to 1, where the kernel multiplexed it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub coverage: Option<f64>,
    /// The samples in the order in which they were taken.
    pub samples: Vec<f64>,
    /// How many of them each process took, in order, where one was started several times; empty where a
    /// single one took all.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub launches: Vec<usize>,
}

impl Measurement {
    /// The samples of each process.
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
    /// Median of the paired `head / base`; below 1 the head needs less. Of several launches the geometric
    /// mean of their medians.
    pub median: f64,
    /// Lower end of the 95 % bootstrap interval of the median.
    pub low: f64,
    /// Upper end of that interval.
    pub high: f64,
    /// What the interval supports.
    pub verdict: Verdict,
    /// The change that the verdict was asked about: 0.05 is 5 %.
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
    /// The samples decide neither: more pairs or a quieter machine are needed.
    Inconclusive,
}

/// A counter that could not be had, never shown as 0.
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
    /// How the samples were taken: `perf cpu-clock`, `perf cycles` or `pprof SIGPROF`.
    pub sampler: String,
    /// Samples taken.
    pub samples: u64,
    /// Samples the kernel lost or could not attribute.
    pub lost: u64,
    /// Samples a second of CPU time really taken; 0 where it was not recorded.
    #[serde(default)]
    pub rate: f64,
    /// Unit of the weights: `ns` or `cycles`.
    pub unit: String,
    /// Folded stacks, root first, `;` between frames, and their weight in `unit`.
    pub stacks: Vec<(String, u64)>,
}

/// One opcode of one case in one mode, by the samples of a [`Profile`] and by simulation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpcodeCost {
    /// Name of the case.
    pub case: String,
    /// The mode that ran.
    pub mode: String,
    /// Mnemonic; absent for what belongs to no opcode: dispatch, and what several share.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub opcode: Option<String>,
    /// Times it is executed in one call of the case.
    pub executed: u64,
    /// Samples that fell on it.
    pub samples: u64,
    /// Their share of all weight, 0 to 1.
    pub share: f64,
    /// CPU time of one execution, ns: the share of a call's time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time: Option<f64>,
    /// Cycles of one execution, where the samples were taken on cycles.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cycles: Option<f64>,
    /// Hardware events of one execution, by samples that were taken on each of them: instructions, branch
    /// misses, cache misses, as far as the PMU has them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub events: BTreeMap<Counter, f64>,
    /// Simulated instructions that one call of the case spends on it, where it was simulated.
    #[serde(
        rename = "sim-instructions",
        skip_serializing_if = "Option::is_none",
        default
    )]
    pub sim_instructions: Option<u64>,
}

impl OpcodeCost {
    /// What the PMU told of one execution; cycles are told by the samples of the time.
    pub fn event(&self, counter: Counter) -> Option<f64> {
        match counter {
            Counter::Cycles => self.cycles,
            other => self.events.get(&other).copied(),
        }
    }

    /// Simulated instructions of one execution; none where it is not executed or was not simulated.
    pub fn sim_instructions_each(&self) -> Option<f64> {
        (self.executed > 0).then_some(self.sim_instructions? as f64 / self.executed as f64)
    }
}

/// What a case takes of memory in one mode. All of it is counted in runs without a clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryUse {
    /// Name of the case.
    pub case: String,
    /// The mode that ran.
    pub mode: String,
    /// The first call of an interpreter, which was made before; its stack is not counted, nor is the world's.
    pub first: HeapUse,
    /// A later call, after `calls` others.
    pub later: HeapUse,
    /// Calls before the later one, of which `programs` tells, too.
    pub calls: u64,
    /// What was kept of code; absent for modes that translate nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub programs: Option<ProgramCache>,
}

/// What one call took from the heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeapUse {
    /// Most bytes at a time beyond those that were in use before.
    pub peak: u64,
    /// Bytes in use afterwards beyond those before: the changed world, and what the interpreter keeps.
    pub kept: i64,
    /// Allocations and reallocations.
    pub allocations: u64,
    /// Bytes of all of them together.
    pub allocated: u64,
}

/// The programs that the advanced mode keeps for the codes of a case, and how they served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProgramCache {
    /// Codes that have a program.
    pub programs: u64,
    /// Bytes of these codes.
    pub code_bytes: u64,
    /// Bytes of their decoded form: stream, maps, refusals and counters, spare room included.
    pub decoded_bytes: u64,
    /// Decoded bytes for a byte of code, of the program that has the most.
    pub greatest_ratio: f64,
    /// Most decoded bytes for a byte of code that the mode was allowed.
    pub budget: f64,
    /// Entry points translated, in all calls.
    pub translated: u64,
    /// Frames whose program was there already.
    pub hits: u64,
    /// Frames that began a program.
    pub misses: u64,
    /// Frames of short code that ran for the first time, which get a program when it comes back.
    pub postponed: u64,
    /// Frames whose code is too long for a program.
    pub refused: u64,
}

impl ProgramCache {
    /// The memory ratio: decoded bytes for a byte of code, over all codes; none where no code has a program.
    pub fn ratio(&self) -> Option<f64> {
        (self.code_bytes > 0).then(|| self.decoded_bytes as f64 / self.code_bytes as f64)
    }
}

/// What it takes to translate one contract as a whole: from its bytes, every entry point, hot or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decoding {
    /// Name of the case.
    pub case: String,
    /// The contract's address; or how its code was made longer, to see a contract of the greatest length.
    pub contract: String,
    /// Bytes of code.
    pub code_bytes: u64,
    /// Bytes of its decoded form, without a budget.
    pub decoded_bytes: u64,
    /// Entry points translated.
    pub entries: u64,
    /// Thread CPU time, ns: the median.
    pub time: f64,
    /// Median absolute deviation from it, ns.
    pub mad: f64,
    /// Number of samples.
    pub n: usize,
}
