//! Recordings of other programs: files that `perf record` wrote, as stacks with names.
//!
//! Owns reading the file and judging what is missing in it. Names come from `symbols`, stacks from `fold`.

use super::fold::{self, Fold};
use super::symbolize::Symbolizer;
use crate::instruments::sampling::Sample;
use crate::symbols::{Mapping, Symbols};
use evmscope_reports::format;
use evmscope_reports::run::Profile;
use linux_perf_data::linux_perf_event_reader::constants::{PERF_CONTEXT_MAX, PERF_CONTEXT_USER};
use linux_perf_data::linux_perf_event_reader::{
    CpuMode, EventRecord, Mmap2FileId, Mmap2Record, MmapRecord, RawDataU64, SampleRecord,
};
use linux_perf_data::{PerfFile, PerfFileReader, PerfFileRecord};
use object::Object;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a recording cannot be used.
#[derive(Debug, Error)]
pub enum PerfDataError {
    /// The file is not there, or not to be read.
    #[error("cannot read {path}: {error}")]
    Read {
        path: PathBuf,
        error: std::io::Error,
    },
    /// The file is something else.
    #[error("{path} is no file of `perf record`: give its perf.data")]
    Other { path: PathBuf },
    /// The file is cut off, or of a kind that cannot be read.
    #[error("{path} is no whole file of `perf record`: {error}")]
    Format {
        path: PathBuf,
        error: linux_perf_data::Error,
    },
    /// Nothing was sampled in user space.
    #[error(
        "{path} holds no sample of a program: record with `perf record -e cpu-clock -- PROGRAM`"
    )]
    Empty { path: PathBuf },
}

/// What a recording tells.
#[derive(Clone, Debug)]
pub struct Recording {
    pub profile: Profile,
    /// What keeps names away or makes them doubtful, a clause each; empty where nothing does.
    pub missing: Vec<String>,
}

/// Reads a file of `perf record`. Samples in the kernel are left out, as everywhere here.
///
/// # Errors
/// A file that is no recording, or holds no sample of a program.
pub fn read(path: &Path) -> Result<Recording, PerfDataError> {
    let read = |error| PerfDataError::Read {
        path: path.to_path_buf(),
        error,
    };
    let mut file = File::open(path).map_err(read)?;
    let mut magic = Vec::new();
    file.by_ref()
        .take(8)
        .read_to_end(&mut magic)
        .map_err(read)?;
    if magic != *b"PERFILE2" {
        return Err(PerfDataError::Other {
            path: path.to_path_buf(),
        });
    }
    file.rewind().map_err(read)?;
    let format = |error| PerfDataError::Format {
        path: path.to_path_buf(),
        error,
    };
    let PerfFileReader {
        mut perf_file,
        mut record_iter,
    } = PerfFileReader::parse_file(BufReader::new(file)).map_err(format)?;
    let mut collected = Collected::default();
    while let Some(record) = record_iter.next_record(&mut perf_file).map_err(format)? {
        if let PerfFileRecord::EventRecord { record, .. } = record {
            let record = record.parse().map_err(|error| format(error.into()))?;
            collected.add(record);
        }
    }
    collected.build_ids.extend(recorded_build_ids(&perf_file));
    if collected.samples.is_empty() {
        return Err(PerfDataError::Empty {
            path: path.to_path_buf(),
        });
    }
    Ok(collected.recording(path, &perf_file))
}

/// What the records of a file bring.
#[derive(Default)]
struct Collected {
    /// By process.
    samples: BTreeMap<i32, Vec<Sample>>,
    mappings: BTreeMap<i32, Vec<Mapping>>,
    parents: BTreeMap<i32, i32>,
    build_ids: BTreeMap<String, Vec<u8>>,
    lost: u64,
    in_kernel: u64,
    chains: bool,
}

impl Collected {
    fn add(&mut self, record: EventRecord<'_>) {
        match record {
            EventRecord::Sample(sample) => self.sample(&sample),
            EventRecord::Lost(lost) => self.lost += lost.count,
            EventRecord::Fork(fork) if fork.pid != fork.ppid => {
                self.parents.insert(fork.pid, fork.ppid);
            }
            EventRecord::Mmap(MmapRecord {
                pid,
                address,
                length,
                page_offset,
                is_executable: true,
                path,
                ..
            }) => {
                let path = String::from_utf8_lossy(&path.as_slice()).into_owned();
                self.map(pid, address, length, page_offset, path);
            }
            EventRecord::Mmap2(mapped) => self.map2(mapped),
            _ => {}
        }
    }

    fn map2(&mut self, mapped: Mmap2Record<'_>) {
        const EXECUTABLE: u32 = 4;
        if mapped.protection & EXECUTABLE == 0 {
            return;
        }
        let path = String::from_utf8_lossy(&mapped.path.as_slice()).into_owned();
        if let Mmap2FileId::BuildId(id) = mapped.file_id {
            self.build_ids.insert(path.clone(), id);
        }
        self.map(
            mapped.pid,
            mapped.address,
            mapped.length,
            mapped.page_offset,
            path,
        );
    }

    fn map(&mut self, pid: i32, address: u64, length: u64, offset: u64, path: String) {
        self.mappings.entry(pid).or_default().push(Mapping {
            memory: address..address.saturating_add(length),
            offset,
            path,
        });
    }

    fn sample(&mut self, sample: &SampleRecord<'_>) {
        let (Some(ip), Some(pid)) = (sample.ip, sample.pid) else {
            return;
        };
        if sample.cpu_mode != CpuMode::User {
            self.in_kernel += 1;
            return;
        }
        let callers = sample.callchain.map(callers).unwrap_or_default();
        self.chains |= !callers.is_empty();
        self.samples.entry(pid).or_default().push(Sample {
            ip,
            callers,
            weight: sample.period.unwrap_or(1),
            time: sample.timestamp,
            ..Sample::default()
        });
    }

    fn recording(self, path: &Path, file: &PerfFile) -> Recording {
        let mut stacks = BTreeMap::<String, u64>::new();
        let (mut taken, mut nameless) = (0, 0);
        for (pid, samples) in &self.samples {
            let symbols = Symbols::of_mappings(self.mappings_of(*pid).cloned());
            let mut symbolizer = Symbolizer::new(&symbols);
            for sample in samples {
                let symbolized = symbolizer.symbolize(sample.clone());
                taken += 1;
                nameless += u64::from(!symbolized.has_name());
                let stack = fold::whole_stack(&symbolized, Fold::Inlined);
                *stacks.entry(stack).or_default() += sample.weight;
            }
        }
        let events = file
            .event_attributes()
            .iter()
            .filter_map(|event| event.name());
        let event = events.collect::<Vec<_>>().join(", ");
        let is_time = event.contains("clock");
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let missing = self.missing(taken, nameless);
        let command = file.cmdline().ok().flatten().unwrap_or_default();
        let program = command
            .iter()
            .rev()
            .take_while(|word| **word != "--")
            .last();
        Recording {
            profile: Profile {
                case: name.into_owned(),
                mode: program
                    .map_or("recording", |it| it.rsplit('/').next().unwrap_or(it))
                    .to_owned(),
                sampler: format!("perf record {event}"),
                samples: taken,
                lost: self.lost,
                rate: 0.0,
                unit: if is_time { "ns" } else { "events" }.to_owned(),
                stacks: stacks.into_iter().collect(),
            },
            missing,
        }
    }

    /// Of a process and those it was forked from, whose come first.
    fn mappings_of(&self, pid: i32) -> impl Iterator<Item = &Mapping> {
        let mut line = vec![pid];
        while let Some(parent) = line.last().and_then(|pid| self.parents.get(pid))
            && !line.contains(parent)
        {
            line.push(*parent);
        }
        let of = line
            .into_iter()
            .rev()
            .filter_map(|pid| self.mappings.get(&pid));
        of.flatten()
    }

    /// A clause for each thing that is wrong, with the files that a sample fell in.
    fn missing(&self, taken: u64, nameless: u64) -> Vec<String> {
        let mut wrong = BTreeMap::<Wrong, Vec<&str>>::new();
        for path in self.sampled() {
            let name = path.rsplit('/').next().unwrap_or(path);
            for each in self.wrong(path) {
                wrong.entry(each).or_default().push(name);
            }
        }
        let mut missing: Vec<_> = wrong
            .into_iter()
            .map(|(wrong, names)| format!("{}: {}", wrong.clause(), names.join(", ")))
            .collect();
        if nameless > 0 {
            missing.push(format!("{nameless} of {taken} samples have no name"));
        }
        if !self.chains {
            missing.push("no callers were recorded (perf record --call-graph)".to_owned());
        }
        if self.in_kernel > 0 {
            missing.push(format!(
                "{} in the kernel are left out",
                format::count(self.in_kernel, "sample")
            ));
        }
        missing
    }

    /// Files that a sample fell in.
    fn sampled(&self) -> BTreeSet<&str> {
        let mut paths = BTreeSet::new();
        for (pid, samples) in &self.samples {
            let files = self
                .mappings_of(*pid)
                .filter(|it| it.path.starts_with('/') && !it.path.starts_with("//"));
            let hit =
                files.filter(|it| samples.iter().any(|sample| it.memory.contains(&sample.ip)));
            paths.extend(hit.map(|it| it.path.as_str()));
        }
        paths
    }

    fn wrong(&self, path: &str) -> Vec<Wrong> {
        let Ok(bytes) = fs::read(path) else {
            return vec![Wrong::Absent];
        };
        let Ok(file) = object::File::parse(&*bytes) else {
            return vec![Wrong::Absent];
        };
        let own = file.build_id().ok().flatten();
        let build = match (self.build_ids.get(path), own) {
            // The kernel keeps 20 bytes.
            (Some(recorded), Some(own)) if !same_build(recorded, own) => Some(Wrong::Rebuilt),
            (Some(_), Some(_)) => None,
            _ => Some(Wrong::NoBuildId),
        };
        let stripped = file.symbols().next().is_none().then_some(Wrong::Stripped);
        build.into_iter().chain(stripped).collect()
    }
}

/// What keeps names of a file away, or makes them doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wrong {
    Absent,
    Rebuilt,
    NoBuildId,
    Stripped,
}

impl Wrong {
    fn clause(self) -> &'static str {
        match self {
            Wrong::Absent => "not here to be read",
            Wrong::Rebuilt => "another build than was recorded, so its names are wrong",
            Wrong::NoBuildId => "no build id, so nobody knows whether it is the recorded one",
            Wrong::Stripped => "no symbol table, so only exported names",
        }
    }
}

/// Recordings pad an id with zeros, or cut it.
fn same_build(recorded: &[u8], own: &[u8]) -> bool {
    let length = recorded.len().min(own.len());
    recorded[..length] == own[..length] && recorded[length..].iter().all(|&byte| byte == 0)
}

/// Return addresses of a chain in user space, innermost first; the first entry is the sampled instruction.
fn callers(chain: RawDataU64<'_>) -> Vec<u64> {
    let entries: Vec<u64> = (0..chain.len())
        .filter_map(|index| chain.get(index))
        .collect();
    let user = entries.iter().position(|&entry| entry == PERF_CONTEXT_USER);
    let user = entries
        .get(user.map_or(0, |index| index + 1)..)
        .unwrap_or_default();
    let user = user.iter().take_while(|entry| **entry < PERF_CONTEXT_MAX);
    user.skip(1).copied().collect()
}

fn recorded_build_ids(file: &PerfFile) -> BTreeMap<String, Vec<u8>> {
    let known = file.build_ids().unwrap_or_default().into_values();
    known
        .map(|it| (String::from_utf8_lossy(&it.path).into_owned(), it.build_id))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `perf record -e cpu-clock:u` of a copy of evmscope that no machine has.
    fn fixture() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/perf.data")
    }

    #[test]
    fn a_recording_without_its_binary_still_has_its_samples_and_says_what_is_missing() {
        let Recording { profile, missing } = read(&fixture()).unwrap();
        assert_eq!(profile.sampler, "perf record cpu-clock:u");
        assert_eq!(
            (profile.mode.as_str(), profile.unit.as_str()),
            ("evmscope-example", "ns")
        );
        assert!(profile.samples > 5, "{profile:?}");
        let weights: u64 = profile.stacks.iter().map(|(_, weight)| weight).sum();
        // 499 samples a second of CPU time.
        assert_eq!(weights / profile.samples, 1_000_000_000 / 499);
        let stacks: Vec<_> = profile
            .stacks
            .iter()
            .map(|(stack, _)| stack.as_str())
            .collect();
        assert!(stacks.contains(&"[evmscope-example]"), "{stacks:?}");
        assert!(
            missing[0].starts_with("not here to be read: evmscope-example"),
            "{missing:?}"
        );
        assert!(
            missing
                .iter()
                .any(|it| it.starts_with("no callers were recorded")),
            "{missing:?}"
        );
    }

    #[test]
    fn a_file_that_is_cut_off_or_something_else_is_refused() {
        let whole = fs::read(fixture()).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = |bytes: &[u8]| {
            fs::write(file.path(), bytes).unwrap();
            read(file.path()).unwrap_err().to_string()
        };
        assert!(refused(&whole[..3_000]).contains("no whole file of `perf record`"));
        assert!(refused(b"PERFILE2").contains("no whole file of `perf record`"));
        assert!(refused(b"# README").contains("give its perf.data"));
        assert!(refused(b"").contains("give its perf.data"));
    }

    #[test]
    fn build_ids_are_compared_as_far_as_the_kernel_keeps_them() {
        assert!(same_build(&[1, 2, 0, 0], &[1, 2]));
        assert!(same_build(&[1, 2], &[1, 2, 3]));
        assert!(!same_build(&[1, 2, 3], &[1, 2]));
        assert!(!same_build(&[1, 3], &[1, 2]));
    }
}
