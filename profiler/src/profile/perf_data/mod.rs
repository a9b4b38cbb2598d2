//! Recordings of other programs: files that `perf record` wrote, as stacks with names.
//!
//! Reads the file and makes a profile of it. `records` reads single records, `missing` says what the file lacks.
//! Names come from `symbolize`, stacks from `fold`.

mod missing;
mod records;

use super::fold;
use super::symbolize::Symbolizer;
use crate::symbols::Symbols;
use evmscope_reports::run::Profile;
use linux_perf_data::{PerfFile, PerfFileReader, PerfFileRecord};
use records::Records;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
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
    /// The file is cut off, or of an unsupported kind.
    #[error("{path} is not a complete file of `perf record`: {error}")]
    Format {
        path: PathBuf,
        error: linux_perf_data::Error,
    },
    /// Nothing was sampled in user space.
    #[error(
        "{path} contains no sample of a program: record with `perf record -e cpu-clock -- PROGRAM`"
    )]
    Empty { path: PathBuf },
}

/// A recording as a profile.
#[derive(Clone, Debug)]
pub struct Recording {
    pub profile: Profile,
    /// Why names or callers are missing or doubtful, one clause each.
    pub missing: Vec<String>,
}

/// Reads a file of `perf record`. Samples in the kernel are excluded.
///
/// # Errors
/// A file that is not a recording, or contains no sample of a program.
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
    let mut records = Records::default();
    while let Some(record) = record_iter.next_record(&mut perf_file).map_err(format)? {
        if let PerfFileRecord::EventRecord { record, .. } = record {
            let record = record.parse().map_err(|error| format(error.into()))?;
            records.add(record);
        }
    }
    records.build_ids.extend(recorded_build_ids(&perf_file));
    if records.samples.is_empty() {
        return Err(PerfDataError::Empty {
            path: path.to_path_buf(),
        });
    }
    Ok(recording(path, &perf_file, &records))
}

fn recording(path: &Path, file: &PerfFile, records: &Records) -> Recording {
    let mut stacks = BTreeMap::<String, u64>::new();
    let (mut taken, mut nameless) = (0, 0);
    for (pid, samples) in &records.samples {
        let symbols = Symbols::of_mappings(records.mappings_of(*pid).cloned());
        let mut symbolizer = Symbolizer::new(&symbols);
        for sample in samples {
            let symbolized = symbolizer.symbolize(sample.clone());
            taken += 1;
            nameless += u64::from(!symbolized.has_name());
            let stack = fold::whole_stack(&symbolized);
            *stacks.entry(stack).or_default() += sample.weight;
        }
    }
    let attributes = file.event_attributes().iter();
    let events: Vec<_> = attributes.filter_map(|event| event.name()).collect();
    let events = events.join(", ");
    let is_time = events.contains("clock");
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Recording {
        profile: Profile {
            case: name.into_owned(),
            mode: program(file).unwrap_or_else(|| "recording".to_owned()),
            sampler: format!("perf record {events}"),
            samples: taken,
            lost: records.lost,
            rate: 0.0,
            unit: if is_time { "ns" } else { "events" }.to_owned(),
            stacks: stacks.into_iter().collect(),
        },
        missing: records.missing(taken, nameless),
    }
}

/// Name of the recorded program: the first word of perf's command line after `--`, without its folder.
fn program(file: &PerfFile) -> Option<String> {
    let command = file.cmdline().ok()??;
    let after_options = command.iter().rev().take_while(|word| **word != "--");
    let program = after_options.last()?;
    program.rsplit('/').next().map(str::to_owned)
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
    use std::fs;

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
            missing[0].starts_with("unreadable on this machine: evmscope-example"),
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
    fn a_file_that_is_cut_off_or_of_another_format_is_refused() {
        let whole = fs::read(fixture()).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = |bytes: &[u8]| {
            fs::write(file.path(), bytes).unwrap();
            read(file.path()).unwrap_err().to_string()
        };
        assert!(refused(&whole[..3_000]).contains("not a complete file of `perf record`"));
        assert!(refused(b"PERFILE2").contains("not a complete file of `perf record`"));
        assert!(refused(b"# README").contains("give its perf.data"));
        assert!(refused(b"").contains("give its perf.data"));
    }
}
