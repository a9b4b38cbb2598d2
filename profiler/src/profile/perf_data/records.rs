//! The records of a recording, in the order of time: processes with their mappings and samples, and what was lost.
//!
//! Evaluates records one by one; `perf_data` itself makes stacks of the samples, `missing` says what is not there.

use super::callers::{self, Found};
use super::events::{Callers, Event};
use super::files::{self, Files};
use crate::instruments::sampling::Sample;
use crate::profile::unwind::StackUnwinder;
use crate::symbols::{Generated, Mapping};
use linux_perf_data::linux_perf_event_reader::constants::{
    PERF_RECORD_LOST_SAMPLES, PERF_RECORD_MISC_FORK_EXEC, PERF_RECORD_MISC_MMAP_BUILD_ID,
};
use linux_perf_data::linux_perf_event_reader::{
    CpuMode, EventRecord, Mmap2FileId, MmapRecord, RawEventRecord, RecordType, SampleRecord,
};
use linux_perf_data::{RawUserRecord, UserRecordType};
use std::collections::HashMap;
use std::io;
use std::path::Path;

/// Everything that was recorded.
pub(super) struct Records {
    pub(super) events: Vec<SampledEvent>,
    pub(super) processes: Vec<Process>,
    /// Position of the newest process with a pid.
    by_pid: HashMap<i32, usize>,
    pub(super) files: Files,
    /// Whether stacks can be unwound: only those of this machine's kind of CPU.
    pub(super) same_cpu: bool,
    /// Lost records by the kernel, and lost samples by `perf`, which counts the same ones.
    lost: [u64; 2],
}

/// An event and its samples.
pub(super) struct SampledEvent {
    pub(super) event: Event,
    /// Samples in user space, and their weight.
    pub(super) taken: u64,
    pub(super) weight: u64,
    /// The same of samples in the kernel, which are left out.
    pub(super) in_kernel: u64,
    pub(super) kernel_weight: u64,
    pub(super) found: Found,
}

/// A process from its start, or from its last `exec`.
#[derive(Default)]
pub(super) struct Process {
    pub(super) pid: i32,
    /// As the kernel shortens it, to 15 bytes.
    command: Option<String>,
    pub(super) mappings: Vec<Mapping>,
    /// With the number of the event.
    pub(super) samples: Vec<(usize, Sample)>,
    /// Samples without a name of their own are looked up here.
    pub(super) generated: Generated,
    /// What is to be said about the files behind `generated`.
    pub(super) notes: Vec<String>,
    /// Made for the first copy of a stack: it is larger than the record of a process.
    unwinder: Option<StackUnwinder>,
    /// Mappings that the unwinder knows.
    unwindable: usize,
}

impl Process {
    /// The name of the command, in full if a file that was mapped has it.
    pub(super) fn name(&self) -> String {
        const SHORTENED: usize = 15;
        let file_name = |mapping: &Mapping| Some(mapping.path.rsplit('/').next()?.to_owned());
        let mut files = self.mappings.iter().filter(|it| files::is_file(&it.path));
        match &self.command {
            Some(command) if command.len() >= SHORTENED => {
                let full = files
                    .filter_map(file_name)
                    .find(|it| it.starts_with(command));
                full.unwrap_or_else(|| command.clone())
            }
            Some(command) => command.clone(),
            None => files
                .find_map(file_name)
                .unwrap_or_else(|| format!("process {}", self.pid)),
        }
    }
}

/// Whether the lengths in a record are those that the crate relies on.
fn is_sound(raw: &RawEventRecord<'_>) -> bool {
    match raw.record_type {
        RecordType::SAMPLE => callers::has_whole_chain(raw),
        RecordType::MMAP2 if raw.misc & PERF_RECORD_MISC_MMAP_BUILD_ID != 0 => {
            // i32 pid, i32 tid, u64 address, length and offset, u8 length of the id.
            const LENGTH: usize = 32;
            const LONGEST: u8 = 20;
            let data = raw.data.as_slice();
            data.get(LENGTH).is_none_or(|length| *length <= LONGEST)
        }
        _ => true,
    }
}

impl Records {
    pub(super) fn new(events: Vec<Event>, files: Files, same_cpu: bool) -> Records {
        let sampled = |event| SampledEvent {
            event,
            taken: 0,
            weight: 0,
            in_kernel: 0,
            kernel_weight: 0,
            found: Found::default(),
        };
        Records {
            events: events.into_iter().map(sampled).collect(),
            processes: Vec::new(),
            by_pid: HashMap::new(),
            files,
            same_cpu,
            lost: [0; 2],
        }
    }

    /// Records that were lost while recording.
    pub(super) fn lost(&self) -> u64 {
        self.lost[0].max(self.lost[1])
    }

    /// Adds a record of the kernel.
    ///
    /// # Errors
    /// A record that is too short.
    pub(super) fn add(&mut self, event: usize, raw: &RawEventRecord<'_>) -> io::Result<()> {
        if !is_sound(raw) {
            return Err(io::Error::other(
                "a record has a length that does not fit it",
            ));
        }
        match raw.parse()? {
            EventRecord::Sample(sample) => self.sample(event, raw, &sample)?,
            EventRecord::Lost(lost) => self.lost[0] = self.lost[0].saturating_add(lost.count),
            EventRecord::Comm(named) => {
                if named.is_execve {
                    self.start(named.pid, Process::default());
                }
                // Threads have names of their own.
                if named.pid == named.tid {
                    let name = String::from_utf8_lossy(&named.name.as_slice()).into_owned();
                    self.process(named.pid).command = Some(name);
                }
            }
            EventRecord::Fork(fork) if fork.pid != fork.ppid => {
                // Of processes that ran before, `perf` lists the mappings.
                let inherits = raw.misc & PERF_RECORD_MISC_FORK_EXEC == 0;
                let parent = self.process(fork.ppid);
                let child = Process {
                    command: parent.command.clone(),
                    mappings: match inherits {
                        true => parent.mappings.clone(),
                        false => Vec::new(),
                    },
                    ..Process::default()
                };
                self.start(fork.pid, child);
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
                self.map(event, pid, address, length, page_offset, path);
            }
            EventRecord::Mmap2(mapped) => {
                const EXECUTABLE: u32 = 4;
                if mapped.protection & EXECUTABLE == 0 {
                    return Ok(());
                }
                let path = String::from_utf8_lossy(&mapped.path.as_slice()).into_owned();
                if let Mmap2FileId::BuildId(id) = mapped.file_id {
                    self.files.add_build_id(path.clone(), id);
                }
                let (start, length) = (mapped.address, mapped.length);
                self.map(event, mapped.pid, start, length, mapped.page_offset, path);
            }
            EventRecord::Raw(raw) if raw.record_type.0 == PERF_RECORD_LOST_SAMPLES => {
                let mut count = [0; 8];
                let mut data = raw.data;
                data.read_exact(&mut count)?;
                self.lost[1] = self.lost[1].saturating_add(u64::from_le_bytes(count));
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds a record of `perf` itself: the build ids that a pipe has between the other records.
    pub(super) fn add_of_perf(&mut self, record: &RawUserRecord<'_>) {
        if record.record_type != UserRecordType::PERF_HEADER_BUILD_ID {
            return;
        }
        // i32 pid, the id, its length and padding, the path.
        const ID: usize = 20;
        let data = record.data.as_slice();
        let id = data.get(4..4 + ID);
        let path = data.get(4 + ID + 4..);
        if let (Some(id), Some(path)) = (id, path) {
            let end = path.iter().position(|&it| it == 0).unwrap_or(path.len());
            let path = String::from_utf8_lossy(&path[..end]).into_owned();
            self.files.add_build_id(path, id.to_vec());
        }
    }

    fn start(&mut self, pid: i32, process: Process) {
        self.by_pid.insert(pid, self.processes.len());
        self.processes.push(Process { pid, ..process });
    }

    fn process(&mut self, pid: i32) -> &mut Process {
        if !self.by_pid.contains_key(&pid) {
            self.start(pid, Process::default());
        }
        let position = self.by_pid[&pid];
        &mut self.processes[position]
    }

    fn map(&mut self, event: usize, pid: i32, start: u64, length: u64, offset: u64, path: String) {
        // The kernel's own code.
        if pid < 0 {
            return;
        }
        let file = self.files.file(&path);
        let same_clock = self.events[event].event.monotonic;
        let process = self.process(pid);
        let name = path.rsplit('/').next().unwrap_or(&path);
        if name.starts_with("jit-") && name.ends_with(".dump") {
            // Programs map their dump as code, so that it is recorded.
            match process.generated.add_dump(Path::new(&path), same_clock) {
                Ok(()) if same_clock => {}
                Ok(()) => process.notes.push(format!(
                    "{name} has names of generated code, but the recording has another clock \
                     (perf record -k mono): code that was replaced has its last name"
                )),
                Err(error) => process.notes.push(format!("cannot read {path}: {error}")),
            }
            return;
        }
        process.mappings.push(Mapping {
            memory: start..start.saturating_add(length),
            offset,
            path,
            file,
        });
    }

    fn sample(
        &mut self,
        number: usize,
        raw: &RawEventRecord<'_>,
        sample: &SampleRecord<'_>,
    ) -> io::Result<()> {
        let (Some(ip), Some(pid)) = (sample.ip, sample.pid) else {
            return Ok(());
        };
        let event = &mut self.events[number];
        let weight = sample.period.unwrap_or(event.event.period);
        // What is added up later is part of this sum.
        let sum = event.weight.saturating_add(event.kernel_weight);
        if sum.saturating_add(weight) > i64::MAX as u64 {
            return Err(io::Error::other("the periods of its samples are too long"));
        }
        if sample.cpu_mode != CpuMode::User {
            event.in_kernel += 1;
            event.kernel_weight += weight;
            return Ok(());
        }
        event.taken += 1;
        event.weight += weight;
        let kind = event.event.callers;
        if kind == Callers::Stack && self.same_cpu {
            self.prepare(pid);
        }
        self.process(pid);
        let process = &mut self.processes[self.by_pid[&pid]];
        let unwinder = process.unwinder.as_mut();
        let found = &mut self.events[number].found;
        let callers = callers::of(kind, raw, sample, unwinder, found);
        let sample = Sample {
            ip,
            callers,
            weight,
            time: sample.timestamp,
            ..Sample::default()
        };
        process.samples.push((number, sample));
        Ok(())
    }

    /// Adds the mappings of a process that are new to its unwinder.
    fn prepare(&mut self, pid: i32) {
        self.process(pid);
        let process = &mut self.processes[self.by_pid[&pid]];
        let unwinder = process.unwinder.get_or_insert_default();
        for mapping in &process.mappings[process.unwindable..] {
            let file = mapping.unwindable();
            let tables = file.as_ref().and_then(|file| self.files.tables(&file.path));
            let known = file.as_ref().zip(tables);
            unwinder.add(mapping.memory.clone(), known);
        }
        process.unwindable = process.mappings.len();
    }
}
