//! LOG0 to LOG4 (Yellow Paper, appendix H.2, "a0s").

use crate::frame::Machine;
use crate::gas;
use crate::host::Log;
use crate::outcome::Halt;
use crate::word::Word;
use alloy_primitives::B256;

/// Operands: offset, length, topics. Dynamic gas: per byte, and memory expansion.
pub(crate) fn log<const N: usize>(m: &mut Machine, operands: [Word; N]) -> Result<[Word; 0], Halt> {
    m.refuse_static()?;
    let [offset, len, topics @ ..] = operands.as_slice() else {
        unreachable!("the table gives LOG at least two operands")
    };
    let bytes = len.saturating_u64().min(u64::from(u32::MAX) << 16);
    let price = gas::LOG_BYTE * bytes;
    if m.frame.gas.charge(price).is_err() {
        let memory = m.frame.memory.price(*offset, *len);
        return Err(m.short(memory.map_or(0, |memory| memory + price)));
    }
    let range = m.expand(*offset, *len)?;
    let mut written = [B256::ZERO; 4];
    for (at, topic) in topics.iter().enumerate() {
        written[at] = B256::from(*topic);
    }
    m.host.log(Log {
        address: m.frame.context.message.recipient,
        topics: &written[..topics.len()],
        data: m.frame.memory.slice(range),
    });
    Ok([])
}
