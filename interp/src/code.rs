//! Code and what every mode needs to know about it: its padded bytes and its valid jump destinations. Its
//! translations are in `advanced`.

use crate::opcode::Opcode;
use alloy_primitives::{Address, B256, Bytes, b256};
use std::sync::{Arc, LazyLock, OnceLock};

/// keccak256 of the empty string: the code hash of accounts without code.
pub const EMPTY_HASH: B256 =
    b256!("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");

/// Prefix of a delegation designator (EIP-7702).
const DELEGATION: [u8; 3] = [0xef, 0x01, 0x00];

/// Zero bytes after the code: a STOP for a program counter that runs off the end, and the rest of the
/// immediate for a PUSH32 at the very end.
const PADDING: usize = 33;

/// Bytes of code, immutable and shared between frames, interpreters and threads.
#[derive(Debug)]
pub struct Code {
    padded: Box<[u8]>,
    hash: OnceLock<B256>,
    jumpdests: OnceLock<Box<[u64]>>,
}

impl Code {
    /// From deployed code, init code or any other bytes.
    pub fn new(bytes: &[u8]) -> Code {
        let mut padded = Vec::with_capacity(bytes.len() + PADDING);
        padded.extend_from_slice(bytes);
        padded.resize(bytes.len() + PADDING, 0);
        Code {
            padded: padded.into(),
            hash: OnceLock::new(),
            jumpdests: OnceLock::new(),
        }
    }

    /// The empty code, shared by all accounts without code.
    pub fn empty() -> Arc<Code> {
        static EMPTY: LazyLock<Arc<Code>> = LazyLock::new(|| Arc::new(Code::new(&[])));
        Arc::clone(&EMPTY)
    }

    /// The code itself.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.padded[..self.len()]
    }

    /// The code, followed by 33 zero bytes.
    #[inline]
    pub(crate) fn padded(&self) -> &[u8] {
        &self.padded
    }

    /// The offset in the code of a byte at an address of this process; `None` outside the code.
    pub fn offset_of(&self, address: usize) -> Option<usize> {
        let offset = address.checked_sub(self.padded.as_ptr().addr())?;
        (offset < self.len()).then_some(offset)
    }

    /// Length in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.padded.len() - PADDING
    }

    /// Whether the code is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// keccak256 of the code, computed once.
    pub fn hash(&self) -> B256 {
        *self.hash.get_or_init(|| {
            if self.is_empty() {
                EMPTY_HASH
            } else {
                crate::keccak::keccak256(self.bytes())
            }
        })
    }

    /// One bit per byte of code: set for each JUMPDEST that is not push data (Yellow Paper, 9.4.3). Computed
    /// once; unused bits of the last limb are zero.
    #[inline]
    pub fn jumpdests(&self) -> &[u64] {
        match self.jumpdests.get() {
            Some(found) => found,
            None => self.find_jumpdests(),
        }
    }

    /// Whether an offset is a valid jump destination.
    #[inline]
    pub fn is_jumpdest(&self, pc: u64) -> bool {
        is_set(self.jumpdests(), pc)
    }

    /// Outlined: profile-guided builds inline the caller into a handler, where `OnceLock`'s closure would
    /// block the tail call.
    #[cold]
    #[inline(never)]
    fn find_jumpdests(&self) -> &[u64] {
        self.jumpdests.get_or_init(|| jumpdests(self.bytes()))
    }

    /// The code of an account that delegates to `target` (EIP-7702).
    pub fn delegating_to(target: Address) -> Code {
        Code::new(&[&DELEGATION[..], target.as_slice()].concat())
    }

    /// The address that a delegation (`0xef0100` and an address, EIP-7702) points to; `None` for other code.
    pub fn delegation(&self) -> Option<Address> {
        let target = self.bytes().strip_prefix(&DELEGATION)?;
        (target.len() == 20).then(|| Address::from_slice(target))
    }
}

impl From<Bytes> for Code {
    fn from(bytes: Bytes) -> Code {
        Code::new(&bytes)
    }
}

/// Whether the bit of an offset is set in [`Code::jumpdests`].
#[inline(always)]
pub(crate) fn is_set(jumpdests: &[u64], pc: u64) -> bool {
    let limb = (pc / 64) as usize;
    limb < jumpdests.len() && jumpdests[limb] >> (pc % 64) & 1 == 1
}

fn jumpdests(code: &[u8]) -> Box<[u64]> {
    let mut bits = vec![0; code.len() / 64 + 1];
    let mut pc = 0;
    while let Some(&byte) = code.get(pc) {
        if byte == Opcode::JUMPDEST.0 {
            bits[pc / 64] |= 1 << (pc % 64);
        }
        pc += 1 + Opcode(byte).push_data();
    }
    bits.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumpdests_skip_immediates() {
        // JUMPDEST, PUSH2 5b5b, JUMPDEST, PUSH32 truncated by the end
        let code = Code::new(&[0x5b, 0x61, 0x5b, 0x5b, 0x5b, 0x7f, 0x5b]);
        assert_eq!(code.jumpdests(), [0b1_0001]);
    }

    #[test]
    fn delegations_are_exactly_23_bytes() {
        let mut bytes = vec![0xef, 0x01, 0x00];
        bytes.extend([7; 20]);
        assert_eq!(Code::new(&bytes).delegation(), Some(Address::new([7; 20])));
        assert_eq!(Code::new(&bytes[..22]).delegation(), None);
    }
}
