//! 0x30 to 0x4a and GAS: the frame, the transaction, the block and other accounts (Yellow Paper, appendix
//! H.2, "30s" and "40s"; later ones by the EIPs named in `Environment`).

use crate::fork::Fork;
use crate::frame::Machine;
use crate::outcome::Halt;
use crate::word::Word;
use alloy_primitives::Address;

pub(crate) fn address(m: &Machine, []: [Word; 0]) -> Word {
    m.frame.context.message.recipient.into()
}

pub(crate) fn caller(m: &Machine, []: [Word; 0]) -> Word {
    m.frame.context.message.caller.into()
}

pub(crate) fn callvalue(m: &Machine, []: [Word; 0]) -> Word {
    m.frame.context.message.value
}

pub(crate) fn calldataload(m: &Machine, [offset]: [Word; 1]) -> Word {
    let input = m.frame.input.bytes();
    let rest = offset
        .to_u64()
        .and_then(|at| input.get(at as usize..))
        .unwrap_or_default();
    match rest.first_chunk() {
        Some(whole) => Word::from_be_bytes(*whole),
        None => {
            let mut bytes = [0; 32];
            bytes[..rest.len()].copy_from_slice(rest);
            Word::from_be_bytes(bytes)
        }
    }
}

/// CALLDATALOAD of 32 bytes that are all there or all beyond the end: needs no call.
#[inline(always)]
pub(crate) fn input_word<const N: usize>(m: &Machine, operands: [Word; N]) -> Option<Word> {
    let at = operands.first()?.saturating_u64() as usize;
    let input = m.frame.input.bytes();
    match input.get(at..at.saturating_add(32)) {
        Some(bytes) => Some(Word::from_be_bytes(*bytes.first_chunk()?)),
        None if at >= input.len() => Some(Word::ZERO),
        None => None,
    }
}

pub(crate) fn calldatasize(m: &Machine, []: [Word; 0]) -> Word {
    m.frame.input.bytes().len().into()
}

pub(crate) fn codesize(m: &Machine, []: [Word; 0]) -> Word {
    m.frame.code.len().into()
}

pub(crate) fn returndatasize(m: &Machine, []: [Word; 0]) -> Word {
    m.frame.context.return_data.len().into()
}

pub(crate) fn origin(m: &Machine, []: [Word; 0]) -> Word {
    m.host.environment().origin.into()
}

pub(crate) fn gasprice(m: &Machine, []: [Word; 0]) -> Word {
    m.host.environment().gas_price
}

pub(crate) fn coinbase(m: &Machine, []: [Word; 0]) -> Word {
    m.host.environment().coinbase.into()
}

pub(crate) fn timestamp(m: &Machine, []: [Word; 0]) -> Word {
    m.host.environment().timestamp.into()
}

pub(crate) fn number(m: &Machine, []: [Word; 0]) -> Word {
    m.host.environment().number.into()
}

pub(crate) fn prevrandao(m: &Machine, []: [Word; 0]) -> Word {
    m.host.environment().prevrandao
}

pub(crate) fn gaslimit(m: &Machine, []: [Word; 0]) -> Word {
    m.host.environment().gas_limit.into()
}

pub(crate) fn chainid(m: &Machine, []: [Word; 0]) -> Word {
    m.host.environment().chain_id.into()
}

pub(crate) fn basefee(m: &Machine, []: [Word; 0]) -> Word {
    m.host.environment().base_fee
}

pub(crate) fn blobbasefee(m: &Machine, []: [Word; 0]) -> Word {
    m.host.environment().blob_base_fee
}

pub(crate) fn blobhash(m: &Machine, [index]: [Word; 1]) -> Word {
    let hashes = &m.host.environment().blob_hashes;
    let hash = index.to_u64().and_then(|index| hashes.get(index as usize));
    hash.map_or(Word::ZERO, |hash| Word::from(*hash))
}

/// 0 for blocks that are not among the 256 before this one.
pub(crate) fn blockhash(m: &mut Machine, [number]: [Word; 1]) -> Result<[Word; 1], Halt> {
    let current = m.host.environment().number;
    Ok([match number.to_u64() {
        Some(n) if n < current && current - n <= 256 => m.host.block_hash(n).into(),
        _ => Word::ZERO,
    }])
}

pub(crate) fn balance(m: &mut Machine, [address]: [Word; 1]) -> Result<[Word; 1], Halt> {
    let address = address.to_address();
    m.access_account(address, m.rules.balance)?;
    Ok([m.host.balance(address)])
}

/// EIP-1884.
pub(crate) fn selfbalance(m: &mut Machine, []: [Word; 0]) -> Result<[Word; 1], Halt> {
    Ok([m.host.balance(m.frame.context.message.recipient)])
}

pub(crate) fn extcodesize(m: &mut Machine, [address]: [Word; 1]) -> Result<[Word; 1], Halt> {
    let address = address.to_address();
    m.access_account(address, m.rules.extcode)?;
    Ok([m.host.code(address).len().into()])
}

/// EIP-1052; 0 for an empty account (EIP-161).
pub(crate) fn extcodehash(m: &mut Machine, [address]: [Word; 1]) -> Result<[Word; 1], Halt> {
    let address = address.to_address();
    m.access_account(address, m.rules.extcodehash)?;
    let account = m.host.account(address);
    Ok([if account.is_empty() {
        Word::ZERO
    } else {
        account.code_hash.into()
    }])
}

/// Gas left after this opcode.
pub(crate) fn gas(m: &mut Machine, []: [Word; 0]) -> Result<[Word; 1], Halt> {
    Ok([m.frame.gas.left().into()])
}

impl Machine<'_> {
    /// Charges for access to an account: `warm`, plus the cold surcharge on the first access (EIP-2929).
    pub(crate) fn access_account(&mut self, address: Address, warm: u64) -> Result<(), Halt> {
        let cold = self.rules.since(Fork::Berlin) && self.host.warm_account(address);
        self.charge(if cold {
            warm + self.rules.cold_account
        } else {
            warm
        })
    }
}
