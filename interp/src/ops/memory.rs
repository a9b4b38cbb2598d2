//! Opcodes that read and write memory: MLOAD to MSIZE, the COPY family, KECCAK256 (Yellow Paper, appendix
//! H.2; RETURNDATACOPY: EIP-211; MCOPY: EIP-5656).

use crate::dispatch::Copied;
use crate::frame::Machine;
use crate::gas;
use crate::keccak;
use crate::outcome::Halt;
use crate::word::Word;
use std::ops::Range;

#[inline(always)]
pub(crate) fn mload(window: &mut [u8; 32], [_]: [Word; 1]) -> [Word; 1] {
    [Word::from_be_bytes(*window)]
}

#[inline(always)]
pub(crate) fn mstore(window: &mut [u8; 32], [_, value]: [Word; 2]) -> [Word; 0] {
    *window = value.to_be_bytes();
    []
}

pub(crate) fn mstore8(m: &mut Machine, [offset, value]: [Word; 2]) -> Result<[Word; 0], Halt> {
    let range = m.expand(offset, Word::ONE)?;
    m.frame.memory.slice_mut(range)[0] = value.0[0] as u8;
    Ok([])
}

pub(crate) fn msize(m: &Machine, []: [Word; 0]) -> Word {
    m.frame.memory.size().into()
}

/// Dynamic gas: per word hashed, and memory expansion.
pub(crate) fn keccak256(m: &mut Machine, [offset, len]: [Word; 2]) -> Result<[Word; 1], Halt> {
    let range = m.expand_by_word(offset, len, gas::KECCAK_WORD)?;
    let bytes = m.frame.memory.slice(range);
    Ok([match &mut m.memo {
        Some(memo) => memo.hash(bytes),
        None => keccak::keccak256(bytes).into(),
    }])
}

pub(crate) fn calldatacopy(m: &mut Machine, [to, from, len]: [Word; 3]) -> Result<[Word; 0], Halt> {
    let range = m.expand_by_word(to, len, gas::COPY_WORD)?;
    m.frame
        .memory
        .copy_padded(range, m.frame.input.bytes(), from);
    Ok([])
}

pub(crate) fn codecopy(m: &mut Machine, [to, from, len]: [Word; 3]) -> Result<[Word; 0], Halt> {
    let range = m.expand_by_word(to, len, gas::COPY_WORD)?;
    m.frame
        .memory
        .copy_padded(range, m.frame.code.bytes(), from);
    Ok([])
}

/// Dynamic gas: account access, per word copied, and memory expansion.
pub(crate) fn extcodecopy(
    m: &mut Machine,
    [address, to, from, len]: [Word; 4],
) -> Result<[Word; 0], Halt> {
    let address = address.to_address();
    if let Err(halt) = m.access_account(address, m.rules.extcode) {
        m.unpaid += m.price_by_word(to, len, gas::COPY_WORD);
        return Err(halt);
    }
    let range = m.expand_by_word(to, len, gas::COPY_WORD)?;
    m.frame
        .memory
        .copy_padded(range, m.host.code(address).bytes(), from);
    Ok([])
}

/// Reading beyond the return data fails the frame (EIP-211); the other copy opcodes read zeros.
pub(crate) fn returndatacopy(
    m: &mut Machine,
    [to, from, len]: [Word; 3],
) -> Result<[Word; 0], Halt> {
    let end = from.saturating_u64().saturating_add(len.saturating_u64());
    if end > m.frame.context.return_data.len() as u64 {
        m.unpaid = m.price_by_word(to, len, gas::COPY_WORD);
        return Err(Halt::ReturnDataOutOfBounds);
    }
    let range = m.expand_by_word(to, len, gas::COPY_WORD)?;
    m.frame
        .memory
        .copy_padded(range, &m.frame.context.return_data, from);
    Ok([])
}

pub(crate) fn mcopy(m: &mut Machine, [to, from, len]: [Word; 3]) -> Result<[Word; 0], Halt> {
    let [to, from] = [to, from].map(Word::saturating_u64);
    let range = m.expand_by_word(to.max(from).into(), len, gas::COPY_WORD)?;
    // Both offsets are below the size of the memory then, unless nothing is copied.
    if !range.is_empty() {
        let [to, from] = [to, from].map(|at| at as usize);
        m.frame.memory.copy_within(to, from..from + range.len());
    }
    Ok([])
}

/// A copy to memory that is there, of bytes that are all there or all beyond the end. Returns the gas left, or a negative number if it is not that
/// simple and nothing was done. Nothing is on the native stack, so that a handler can end in a jump.
#[inline(always)]
pub(crate) fn copy_at_once<const N: usize>(
    m: &mut Machine,
    copied: Copied,
    operands: [Word; N],
    gas: i64,
) -> i64 {
    let &[to, from, len] = operands.as_slice() else {
        return -1;
    };
    let frame = &mut m.frame;
    let Some(to) = frame.memory.range(to, len) else {
        return -1;
    };
    let left = gas - (gas::COPY_WORD * gas::words(to.len() as u64)) as i64;
    let from = from.saturating_u64() as usize;
    let end = from.saturating_add(to.len());
    let source = match copied {
        Copied::Input => frame.input.bytes(),
        Copied::Code => frame.code.bytes(),
        Copied::ReturnData => &frame.context.return_data,
        Copied::Memory if left >= 0 && end <= frame.memory.size() => {
            frame.memory.copy_within(to.start, from..end);
            return left;
        }
        Copied::Memory => return -1,
    };
    match source.get(from..end) {
        _ if left < 0 => return -1,
        Some(source) => frame.memory.copy(to, source),
        // Beyond the end are zeros, but not beyond that of return data.
        None if from >= source.len() && copied != Copied::ReturnData => frame.memory.zero(to),
        None => return -1,
    }
    left
}

impl Machine<'_> {
    /// Charges `price` per word of `len`, then expands the memory to the range.
    #[inline(always)]
    pub(crate) fn expand_by_word(
        &mut self,
        offset: Word,
        len: Word,
        price: u64,
    ) -> Result<Range<usize>, Halt> {
        // Nearly always the memory is there.
        if let Some(range) = self.frame.memory.range(offset, len) {
            let price = price * gas::words(range.len() as u64);
            if self.frame.gas.charge(price).is_ok() {
                return Ok(range);
            }
        }
        self.grow_by_word(offset, len, price)
    }

    #[inline(never)]
    fn grow_by_word(&mut self, offset: Word, len: Word, price: u64) -> Result<Range<usize>, Halt> {
        if len.is_zero() {
            return Ok(0..0);
        }
        // The cap is more words than any gas can pay for, and prevents overflow of the product.
        let words = gas::words(len.saturating_u64()).min(u64::from(u32::MAX) << 16);
        if self.frame.gas.charge(price * words).is_err() {
            let unpaid = self.price_by_word(offset, len, price);
            return Err(self.short(unpaid));
        }
        self.expand(offset, len).inspect_err(|_| {
            // The whole price, because it is nothing where the memory's does not fit 64 bits.
            self.frame.gas.give_back(price * words);
            self.unpaid = self.price_by_word(offset, len, price);
        })
    }

    /// What [`Machine::expand_by_word`] charges; 0 if that does not fit 64 bits.
    #[cold]
    fn price_by_word(&self, offset: Word, len: Word, price: u64) -> u64 {
        let memory = self.frame.memory.price(offset, len);
        let words = len.to_u64().map(gas::words);
        let sum = || price.checked_mul(words?)?.checked_add(memory?);
        sum().unwrap_or(0)
    }

    /// Expands the memory to a range and charges for it.
    pub(crate) fn expand(&mut self, offset: Word, len: Word) -> Result<Range<usize>, Halt> {
        match self.frame.memory.expand(&mut self.frame.gas, offset, len) {
            Ok(range) => Ok(range),
            Err(_) => Err(self.short_of_memory(offset, len)),
        }
    }

    /// The opcode cannot pay for memory.
    #[cold]
    #[inline(never)]
    pub(crate) fn short_of_memory(&mut self, offset: Word, len: Word) -> Halt {
        let unpaid = self.frame.memory.price(offset, len).unwrap_or(0);
        self.short(unpaid)
    }
}
