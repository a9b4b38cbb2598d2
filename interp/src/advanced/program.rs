//! The decoded form of code: a stream of cells and the map from jumpdests into it. Immutable, shared
//! between interpreters and threads.
//!
//! An instruction is a handler and the operands that follow it:
//!
//! | instruction | operands |
//! | --- | --- |
//! | block header | [`Header`], offset in the code |
//! | `pure`, `read`, `dup`, `swap`, `pop`, dynamic jumps | none |
//! | push of at most 8 bytes, PC | value |
//! | longer push | four limbs |
//! | `memory`, `machine` | [`Pending`] |
//! | `exit` | index of the next header |
//! | static jump | distance to the target's header, in cells |

use super::execute::Handler;
use std::fmt;

/// One cell of the stream.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) union Cell {
    pub handler: Handler,
    pub number: u64,
}

/// Cells of a block header: handler, [`Header`], offset in the code.
pub(super) const HEADER_CELLS: usize = 3;

/// What the first instruction of a basic block checks for all of it.
#[derive(Clone, Copy)]
pub(super) struct Header {
    /// Static gas of the block.
    pub gas: u32,
    /// Least height of the stack, in bytes; more than a stack can hold where the block cannot run.
    pub least: u16,
    /// Greatest height, in bytes.
    pub most: u16,
}

impl Header {
    pub fn pack(self) -> u64 {
        u64::from(self.gas) | u64::from(self.least) << 32 | u64::from(self.most) << 48
    }

    #[inline(always)]
    pub fn unpack(number: u64) -> Header {
        Header {
            gas: number as u32,
            least: (number >> 32) as u16,
            most: (number >> 48) as u16,
        }
    }
}

/// What an instruction that sees gas needs to know: the static gas of what follows in its block, which
/// the header took already, and where in the code that is.
#[derive(Clone, Copy)]
pub(super) struct Pending {
    pub gas: u32,
    pub pc: u32,
}

impl Pending {
    pub fn pack(self) -> u64 {
        u64::from(self.gas) | u64::from(self.pc) << 32
    }

    #[inline(always)]
    pub fn unpack(number: u64) -> Pending {
        Pending {
            gas: number as u32,
            pc: (number >> 32) as u32,
        }
    }
}

/// Decoded code.
pub(crate) struct Program {
    pub(super) stream: Box<[Cell]>,
    /// For 64 bytes of code: which are jumpdests, and how many came before.
    pub(super) entries: Box<[(u64, u32)]>,
    /// The header of each jumpdest, in the order of the code.
    pub(super) headers: Box<[u32]>,
}

impl Program {
    /// The index of the header for a jump to `pc`.
    #[inline]
    pub(super) fn entry(&self, pc: u64) -> Option<usize> {
        let (bits, before) = *self.entries.get((pc / 64) as usize)?;
        let bit = 1 << (pc % 64);
        if bits & bit == 0 {
            return None;
        }
        let nth = before + (bits & (bit - 1)).count_ones();
        Some(self.headers[nth as usize] as usize)
    }

    /// Bytes it takes.
    pub(super) fn size(&self) -> usize {
        size_of_val(&*self.stream) + size_of_val(&*self.entries) + size_of_val(&*self.headers)
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Program({} cells, {} entries)",
            self.stream.len(),
            self.headers.len()
        )
    }
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Program>();
};
