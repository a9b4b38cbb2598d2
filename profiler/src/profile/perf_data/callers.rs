//! The callers of a sample, in the three forms in which `perf record --call-graph` records them.
//!
//! Takes them out of a record; `unwind` reads copies of stacks.

use super::events::Callers;
use crate::instruments::sampling::StackRegisters;
use crate::profile::unwind::{End, StackUnwinder};
use linux_perf_data::linux_perf_event_reader::constants::{PERF_CONTEXT_MAX, PERF_CONTEXT_USER};
use linux_perf_data::linux_perf_event_reader::{
    BranchSampleFormat, RawData, RawDataU64, RawEventRecord, SampleFormat, SampleRecord,
};
use std::collections::BTreeMap;

/// How the callers of an event's samples were found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Samples without callers.
    pub(super) none: u64,
    /// Samples whose copy of the stack ends before the stack does.
    pub(super) cut: u64,
    /// Samples whose callers end at code without unwind tables.
    pub(super) tables: u64,
    /// Samples without registers, or of another kind of CPU.
    pub(super) registers: u64,
    /// Samples by the number of calls that the CPU had recorded.
    pub(super) branches: BTreeMap<usize, u64>,
}

impl Found {
    /// Samples that have as many calls as the CPU can hold: earlier ones are lost.
    pub(super) fn full(&self) -> Option<(usize, u64)> {
        let (&most, &samples) = self.branches.last_key_value()?;
        // As many entries as CPUs have had so far.
        [8, 16, 32].contains(&most).then_some((most, samples))
    }
}

/// The return addresses of a sample, innermost first.
pub(super) fn of(
    kind: Callers,
    raw: &RawEventRecord<'_>,
    sample: &SampleRecord<'_>,
    unwinder: Option<&mut StackUnwinder>,
    found: &mut Found,
) -> Vec<u64> {
    let callers = match kind {
        Callers::None => return Vec::new(),
        Callers::Chain => sample.callchain.map(chain).unwrap_or_default(),
        Callers::Branches => {
            let calls = branches(raw).unwrap_or_default();
            *found.branches.entry(calls.len()).or_default() += 1;
            calls
        }
        Callers::Stack => unwound(sample, unwinder, found),
    };
    found.none += u64::from(callers.is_empty());
    callers
}

/// The addresses of a chain in user space without its first entry, the sampled instruction.
fn chain(chain: RawDataU64<'_>) -> Vec<u64> {
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

/// Whether the chain of a sample is as long as it says, which the crate multiplies before it checks.
pub(super) fn has_whole_chain(raw: &RawEventRecord<'_>) -> bool {
    let format = raw.parse_info.sample_format;
    if !format.contains(SampleFormat::CALLCHAIN) {
        return true;
    }
    let mut data = raw.data;
    let skipped = data.skip(bytes_before_chain(format));
    let length = skipped.ok().and_then(|()| word(&mut data));
    length.is_some_and(|length| length <= data.as_slice().len() as u64 / 8)
}

/// Bytes of the fields before a chain: each that is there is a word.
fn bytes_before_chain(format: SampleFormat) -> usize {
    const WORDS: [SampleFormat; 9] = [
        SampleFormat::IDENTIFIER,
        SampleFormat::IP,
        SampleFormat::TID,
        SampleFormat::TIME,
        SampleFormat::ADDR,
        SampleFormat::ID,
        SampleFormat::STREAM_ID,
        SampleFormat::CPU,
        SampleFormat::PERIOD,
    ];
    8 * WORDS.iter().filter(|it| format.contains(**it)).count()
}

/// The calls that had not returned, as return addresses. The crate skips this part of a record, so the fields before it
/// are skipped here, of which two have a length.
fn branches(raw: &RawEventRecord<'_>) -> Option<Vec<u64>> {
    let info = raw.parse_info;
    let has = |field: &SampleFormat| info.sample_format.contains(*field);
    let mut data = raw.data;
    data.skip(bytes_before_chain(info.sample_format)).ok()?;
    if has(&SampleFormat::CALLCHAIN) {
        let length = usize::try_from(word(&mut data)?).ok()?;
        data.skip(length.checked_mul(8)?).ok()?;
    }
    if has(&SampleFormat::RAW) {
        let mut length = [0; 4];
        data.read_exact(&mut length).ok()?;
        data.skip(u32::from_le_bytes(length) as usize).ok()?;
    }
    let entries = word(&mut data)?;
    if info
        .branch_sample_format
        .contains(BranchSampleFormat::HW_INDEX)
    {
        word(&mut data)?;
    }
    let mut calls = Vec::new();
    for _ in 0..entries {
        let call = word(&mut data)?;
        // Its target and flags.
        data.skip(16).ok()?;
        // The call itself was recorded; a return address is behind it.
        calls.push(call.wrapping_add(1));
    }
    Some(calls)
}

fn word(data: &mut RawData<'_>) -> Option<u64> {
    let mut word = [0; 8];
    data.read_exact(&mut word).ok()?;
    Some(u64::from_le_bytes(word))
}

fn unwound(
    sample: &SampleRecord<'_>,
    unwinder: Option<&mut StackUnwinder>,
    found: &mut Found,
) -> Vec<u64> {
    let (Some(unwinder), Some(ip), Some(registers), Some((stack, copied))) =
        (unwinder, sample.ip, registers(sample), &sample.user_stack)
    else {
        found.registers += 1;
        return Vec::new();
    };
    let copied = (*copied).min(stack.len() as u64);
    let bytes = stack.as_slice();
    let bytes = &bytes[..copied as usize];
    let word = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let unwound = unwinder.unwind(ip, registers, copied, word);
    match unwound.end {
        End::Outermost => {}
        End::Cut => found.cut += 1,
        End::Tables => found.tables += 1,
    }
    unwound.callers
}

fn registers(sample: &SampleRecord<'_>) -> Option<StackRegisters> {
    use linux_perf_data::linux_perf_event_reader::constants as numbers;
    let registers = sample.user_regs.as_ref()?;
    let [stack, frame, link] = match std::env::consts::ARCH {
        "aarch64" => [
            numbers::PERF_REG_ARM64_SP,
            numbers::PERF_REG_ARM64_X29,
            numbers::PERF_REG_ARM64_LR,
        ],
        // It has no link register, and the unwinder does not ask for one.
        _ => [
            numbers::PERF_REG_X86_SP,
            numbers::PERF_REG_X86_BP,
            numbers::PERF_REG_X86_IP,
        ],
    };
    Some(StackRegisters {
        stack: registers.get(stack)?,
        frame: registers.get(frame)?,
        link: registers.get(link)?,
    })
}
