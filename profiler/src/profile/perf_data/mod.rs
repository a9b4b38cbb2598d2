//! Recordings of other programs: files that `perf record` wrote, as stacks with names.
//!
//! Makes a profile of each event. `input` opens the file, `events` and `records` read what is in it, `callers` the
//! callers of samples, `files` finds the binaries, `missing` says what is not there. Names come from `symbolize`, stacks
//! from `fold`.

mod callers;
mod events;
mod files;
mod input;
mod missing;
mod records;

use super::fold;
use super::symbolize::Symbolizer;
use crate::symbols::Symbols;
use events::Event;
use evmscope_reports::run::Profile;
use files::Files;
use input::{Input, STANDARD_INPUT};
use linux_perf_data::{Feature, PerfFile, PerfFileReader, PerfFileRecord};
use records::{Process, Records};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a recording is unusable.
#[derive(Debug, Error)]
pub enum PerfDataError {
    /// The file cannot be read.
    #[error("cannot read {path}: {error}")]
    Read {
        path: PathBuf,
        error: std::io::Error,
    },
    /// The file has another format.
    #[error("{path} is not a file of `perf record`: give its perf.data")]
    Other { path: PathBuf },
    /// The file is compressed in a format that is not read here.
    #[error("{path} is compressed: `{tool} {path} | evmscope profile --perf-data -`")]
    Compressed { path: PathBuf, tool: &'static str },
    /// The other order of bytes.
    #[error("{path} was recorded on a big-endian machine: only little-endian recordings are read")]
    BigEndian { path: PathBuf },
    /// The file is damaged, or of an unsupported kind.
    #[error("{path} is not a complete file of `perf record`: {error}")]
    Format {
        path: PathBuf,
        error: linux_perf_data::Error,
    },
    /// Samples that `linux-perf-data` reads wrongly.
    #[error(
        "{path} has values of a group in each sample: record without `:S`, with -e EVENT,EVENT"
    )]
    Group { path: PathBuf },
    /// Nothing was sampled in user space.
    #[error(
        "{path} contains no sample of a program: record with `perf record -e cpu-clock -- PROGRAM`"
    )]
    Empty { path: PathBuf },
}

/// A recording as profiles.
#[derive(Clone, Debug)]
pub struct Recording {
    /// One for each event that was sampled in a program, in the order of the recording.
    pub events: Vec<EventProfile>,
    /// Why names, callers or samples are missing or doubtful, one clause each.
    pub missing: Vec<String>,
    /// Where names come from that are not in a binary.
    pub notes: Vec<String>,
}

/// The samples of one event.
#[derive(Clone, Debug)]
pub struct EventProfile {
    pub name: String,
    pub profile: Profile,
    /// The processes with samples, the largest first.
    pub processes: Vec<ProcessShare>,
}

/// The samples of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessShare {
    pub pid: i32,
    pub name: String,
    pub weight: u64,
}

/// Reads a file of `perf record`, or standard input if it is `-`. Samples in the kernel are excluded.
///
/// # Errors
/// A file that is not a recording, or contains no sample of a program.
pub fn read(path: &Path) -> Result<Recording, PerfDataError> {
    let Input { reader, cut } = input::open(path)?;
    let PerfFileReader {
        mut perf_file,
        mut record_iter,
    } = reader;
    let format = |error| PerfDataError::Format {
        path: path.to_path_buf(),
        error,
    };
    let path_of = || path.to_path_buf();
    let events: Vec<_> = perf_file.event_attributes().iter().map(Event::of).collect();
    if events.iter().any(|event| event.reads_group) {
        return Err(PerfDataError::Group { path: path_of() });
    }
    let mut files = Files::default();
    for known in perf_file.build_ids().unwrap_or_default().into_values() {
        let path = String::from_utf8_lossy(&known.path).into_owned();
        files.add_build_id(path, known.build_id);
    }
    let mut records = Records::new(events, files, is_of_this_cpu(&perf_file));
    while let Some(record) = record_iter.next_record(&mut perf_file).map_err(format)? {
        match record {
            PerfFileRecord::EventRecord { attr_index, record } => {
                let added = records.add(attr_index, &record);
                added.map_err(|error| format(error.into()))?;
            }
            PerfFileRecord::UserRecord(record) => records.add_of_perf(&record),
        }
    }
    if records.events.iter().all(|event| event.taken == 0) {
        return Err(PerfDataError::Empty { path: path_of() });
    }
    let mut recording = recording(&name(path), records);
    if cut {
        recording.missing.push(
            "the end of the recording: it was cut short, and read up to its last whole record"
                .to_owned(),
        );
    }
    Ok(recording)
}

fn name(path: &Path) -> String {
    if path.to_str() == Some(STANDARD_INPUT) {
        return "standard input".to_owned();
    }
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Whether stacks can be unwound by the rules of this machine; so too if the recording does not say.
fn is_of_this_cpu(file: &PerfFile) -> bool {
    // Its length comes first, and would be allocated.
    let text = file.feature_section_data(Feature::ARCH);
    let length = text.and_then(|it| it.first_chunk().copied());
    let whole =
        length.is_some_and(|it| u32::from_le_bytes(it) as usize <= text.map_or(0, <[u8]>::len));
    let arch = if whole {
        file.arch().ok().flatten()
    } else {
        None
    };
    arch.is_none_or(|arch| arch == std::env::consts::ARCH)
}

fn recording(name: &str, mut records: Records) -> Recording {
    let mut notes = Vec::new();
    records.processes.retain(|it| !it.samples.is_empty());
    records
        .processes
        .iter_mut()
        .for_each(|process| name_generated(process, &mut notes));
    let several = records.processes.len() > 1;
    let mut folded = vec![Folded::default(); records.events.len()];
    let mut nameless = 0;
    for process in &mut records.processes {
        let generated = std::mem::take(&mut process.generated);
        let symbols = Symbols::of_mappings(process.mappings.iter().cloned(), generated);
        let mut symbolizer = Symbolizer::new(&symbols);
        let command = process.name();
        for (event, sample) in &process.samples {
            let symbolized = symbolizer.symbolize(sample.clone());
            nameless += u64::from(!symbolized.has_name());
            let stack = fold::whole_stack(&symbolized);
            let stack = match several {
                true => format!("{};{stack}", command.replace(';', ",")),
                false => stack,
            };
            folded[*event].add(process.pid, &command, stack, sample.weight);
        }
    }
    let only_one_event = records.events.iter().filter(|it| it.taken > 0).count() == 1;
    let lost = records.lost();
    let with_samples = records.events.iter().zip(folded);
    let events = with_samples
        .filter(|(event, _)| event.taken > 0)
        .map(|(sampled, folded)| {
            let processes = folded.shares();
            EventProfile {
                name: sampled.event.name.clone(),
                profile: Profile {
                    case: name.to_owned(),
                    mode: match &processes[..] {
                        [only] => only.name.clone(),
                        several => format!("{} processes", several.len()),
                    },
                    sampler: format!("perf record {}", sampled.event.name),
                    samples: sampled.taken,
                    // It is not known which event's were lost.
                    lost: if only_one_event { lost } else { 0 },
                    rate: 0.0,
                    unit: sampled.event.unit.clone(),
                    stacks: folded.stacks.into_iter().collect(),
                },
                processes,
            }
        });
    Recording {
        events: events.collect(),
        missing: records.missing(nameless),
        notes,
    }
}

/// Names code that a process generated, by the map that it may have left.
fn name_generated(process: &mut Process, notes: &mut Vec<String>) {
    notes.append(&mut process.notes);
    let in_files = |ip| {
        let mut files = process.mappings.iter().filter(|it| it.file.is_some());
        files.any(|it| it.memory.contains(&ip))
    };
    let outside = process.samples.iter().filter(|(_, it)| !in_files(it.ip));
    if outside.count() == 0 {
        return;
    }
    let map = PathBuf::from(format!("/tmp/perf-{}.map", process.pid));
    if fs::exists(&map).unwrap_or(false) {
        match process.generated.add_map(&map) {
            Ok(()) => notes.push(format!(
                "generated code has the names that are in {} now",
                map.display()
            )),
            Err(error) => notes.push(format!("cannot read {}: {error}", map.display())),
        }
    }
}

/// The stacks and processes of one event.
#[derive(Clone, Default)]
struct Folded {
    stacks: BTreeMap<String, u64>,
    processes: BTreeMap<(i32, String), u64>,
}

impl Folded {
    fn add(&mut self, pid: i32, command: &str, stack: String, weight: u64) {
        *self.stacks.entry(stack).or_default() += weight;
        *self.processes.entry((pid, command.to_owned())).or_default() += weight;
    }

    fn shares(&self) -> Vec<ProcessShare> {
        let share = |((pid, name), weight): (&(i32, String), &u64)| ProcessShare {
            pid: *pid,
            name: name.clone(),
            weight: *weight,
        };
        let mut shares: Vec<_> = self.processes.iter().map(share).collect();
        shares.sort_by_key(|it| std::cmp::Reverse(it.weight));
        shares
    }
}

#[cfg(test)]
pub(crate) mod tests;
