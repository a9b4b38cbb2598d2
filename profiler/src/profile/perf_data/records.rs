//! The records of a recording: samples and mappings of each process, and what was lost.
//!
//! Reads records one by one; `perf_data` itself and `missing` evaluate them.

use crate::instruments::sampling::Sample;
use crate::symbols::Mapping;
use linux_perf_data::linux_perf_event_reader::constants::{PERF_CONTEXT_MAX, PERF_CONTEXT_USER};
use linux_perf_data::linux_perf_event_reader::{
    CpuMode, EventRecord, Mmap2FileId, Mmap2Record, MmapRecord, RawDataU64, SampleRecord,
};
use std::collections::BTreeMap;

/// All records of a file, by process where that matters.
#[derive(Default)]
pub(super) struct Records {
    pub(super) samples: BTreeMap<i32, Vec<Sample>>,
    mappings: BTreeMap<i32, Vec<Mapping>>,
    parents: BTreeMap<i32, i32>,
    /// By path.
    pub(super) build_ids: BTreeMap<String, Vec<u8>>,
    /// Samples that were lost while recording.
    pub(super) lost: u64,
    /// Samples in the kernel, which are left out.
    pub(super) in_kernel: u64,
    /// Whether any sample has callers.
    pub(super) has_callers: bool,
}

impl Records {
    pub(super) fn add(&mut self, record: EventRecord<'_>) {
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
        self.has_callers |= !callers.is_empty();
        self.samples.entry(pid).or_default().push(Sample {
            ip,
            callers,
            weight: sample.period.unwrap_or(1),
            time: sample.timestamp,
            ..Sample::default()
        });
    }

    /// The mappings of a process, after those of the processes it was forked from.
    pub(super) fn mappings_of(&self, pid: i32) -> impl Iterator<Item = &Mapping> {
        let mut ancestry = vec![pid];
        while let Some(parent) = ancestry.last().and_then(|pid| self.parents.get(pid))
            && !ancestry.contains(parent)
        {
            ancestry.push(*parent);
        }
        let oldest_first = ancestry.into_iter().rev();
        let mappings = oldest_first.filter_map(|pid| self.mappings.get(&pid));
        mappings.flatten()
    }
}

/// The return addresses of a chain in user space, innermost first, without its first entry, the sampled instruction.
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
