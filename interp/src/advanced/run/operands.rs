//! Where the operands of an instruction are, and where its result goes: slots of the stack, constants in the
//! instruction, the addresses of memory accesses.
//!
//! Unsafe: instructions and stack are read through pointers. The encoder vouches for the instructions: operands
//! follow, slots are inside the stack and its margin.

#![allow(unsafe_code)]

use crate::slot_ir::instruction::Cell;
use crate::stack;
use crate::word::Word;

/// A field of the instruction at `ip`; from 4 on those of the next cell.
///
/// # Safety
/// The instruction has that many cells.
#[inline(always)]
pub(super) unsafe fn field(ip: *const Cell, n: usize) -> u16 {
    // SAFETY: the caller's; a cell is four fields.
    unsafe { ip.cast::<u16>().add(n).read() }
}

/// The number in the `n`th cell of the instruction at `ip`.
///
/// # Safety
/// The instruction has that many cells and more.
#[inline(always)]
pub(super) unsafe fn long(ip: *const Cell, n: usize) -> u64 {
    // SAFETY: the caller's; a cell has the size and alignment of the number.
    unsafe { ip.add(n).cast::<u64>().read() }
}

/// The slot that a field names.
///
/// # Safety
/// As [`field`]; the field is a slot.
#[inline(always)]
pub(super) unsafe fn slot(ip: *const Cell, sp: *mut Word, n: usize) -> *mut Word {
    // SAFETY: the caller's; slots are inside the stack and its margin.
    unsafe { sp.byte_offset(field(ip, n) as i16 as isize) }
}

/// Where an operand comes from.
pub(super) trait Source {
    /// Cells it takes behind the instruction.
    const CELLS: usize = 0;
    /// # Safety
    /// Field `n` of the instruction is of this kind.
    unsafe fn get(ip: *const Cell, sp: *mut Word, n: usize) -> Word;
    /// As `get`, in a way that lets a carry chain read memory.
    ///
    /// # Safety
    /// As `get`.
    #[inline(always)]
    unsafe fn get_plain(ip: *const Cell, sp: *mut Word, n: usize) -> Word {
        // SAFETY: the caller's.
        unsafe { Self::get(ip, sp, n) }
    }
}

pub(super) struct Slot;
pub(super) struct Short;
pub(super) struct Long;

impl Source for Slot {
    #[inline(always)]
    unsafe fn get(ip: *const Cell, sp: *mut Word, n: usize) -> Word {
        // SAFETY: the caller's.
        unsafe { stack::load(slot(ip, sp, n)) }
    }

    #[inline(always)]
    unsafe fn get_plain(ip: *const Cell, sp: *mut Word, n: usize) -> Word {
        // SAFETY: the caller's.
        unsafe { *slot(ip, sp, n) }
    }
}

impl Source for Short {
    #[inline(always)]
    unsafe fn get(ip: *const Cell, _: *mut Word, n: usize) -> Word {
        // SAFETY: the caller's.
        unsafe { Word::from(u64::from(field(ip, n))) }
    }
}

impl Source for Long {
    const CELLS: usize = 1;
    #[inline(always)]
    unsafe fn get(ip: *const Cell, _: *mut Word, _: usize) -> Word {
        // SAFETY: the caller's; the constant is in the next cell.
        unsafe { Word::from(long(ip, 1)) }
    }
}

/// The operands of an instruction.
///
/// # Safety
/// The instruction has `N` operands, the first two of kinds `A` and `B`.
#[inline(always)]
pub(super) unsafe fn operands<const N: usize, A: Source, B: Source>(
    ip: *const Cell,
    sp: *mut Word,
    plain: bool,
) -> [Word; N] {
    // Written out: a closure over arrays is not always inlined, and the array then stays in memory.
    let mut operands = [Word::ZERO; N];
    // SAFETY: the caller's.
    unsafe {
        if N > 0 {
            operands[0] = if plain {
                A::get_plain(ip, sp, 1)
            } else {
                A::get(ip, sp, 1)
            };
        }
        if N > 1 {
            operands[1] = if plain {
                B::get_plain(ip, sp, 2)
            } else {
                B::get(ip, sp, 2)
            };
        }
        if N > 2 {
            operands[2] = Slot::get(ip, sp, 3);
        }
    }
    operands
}

/// How a memory access says where.
pub(super) trait Address {
    /// The offset, or `u64::MAX` where it is beyond 64 bits.
    ///
    /// # Safety
    /// The instruction is of this kind.
    unsafe fn offset(ip: *const Cell, sp: *mut Word) -> u64;
    /// The whole of it.
    ///
    /// # Safety
    /// As `offset`.
    unsafe fn whole(ip: *const Cell, sp: *mut Word) -> Word;
}

pub(super) struct At;
pub(super) struct AtShort;
pub(super) struct AtSum;
pub(super) struct AtNarrow;

impl Address for At {
    #[inline(always)]
    unsafe fn offset(ip: *const Cell, sp: *mut Word) -> u64 {
        // SAFETY: the caller's.
        unsafe { Slot::get(ip, sp, 1).saturating_u64() }
    }
    unsafe fn whole(ip: *const Cell, sp: *mut Word) -> Word {
        // SAFETY: the caller's.
        unsafe { Slot::get(ip, sp, 1) }
    }
}

impl Address for AtShort {
    #[inline(always)]
    unsafe fn offset(ip: *const Cell, _: *mut Word) -> u64 {
        // SAFETY: the caller's.
        unsafe { field(ip, 2).into() }
    }
    unsafe fn whole(ip: *const Cell, sp: *mut Word) -> Word {
        // SAFETY: the caller's.
        unsafe { Short::get(ip, sp, 2) }
    }
}

impl Address for AtSum {
    #[inline(always)]
    unsafe fn offset(ip: *const Cell, sp: *mut Word) -> u64 {
        // SAFETY: the caller's. Where the sum wraps, `whole` finds out.
        unsafe {
            let base = Slot::get(ip, sp, 1).saturating_u64();
            base.saturating_add(field(ip, 2).into())
        }
    }
    unsafe fn whole(ip: *const Cell, sp: *mut Word) -> Word {
        // SAFETY: the caller's.
        unsafe { Slot::get(ip, sp, 1).wrapping_add(Short::get(ip, sp, 2)) }
    }
}

impl Address for AtNarrow {
    #[inline(always)]
    unsafe fn offset(ip: *const Cell, sp: *mut Word) -> u64 {
        // SAFETY: the caller's. The low limb is all of it; only where an earlier sum wrapped is it not, and then it
        // is so near to 2^64 that `whole` decides.
        let base = unsafe { slot(ip, sp, 1).cast::<u64>().read() };
        // SAFETY: the caller's.
        base.saturating_add(unsafe { field(ip, 2).into() })
    }
    unsafe fn whole(ip: *const Cell, sp: *mut Word) -> Word {
        // SAFETY: the caller's.
        unsafe { AtSum::whole(ip, sp) }
    }
}

/// The distance in a field.
///
/// # Safety
/// Field `n` is a distance.
#[inline(always)]
pub(super) unsafe fn far(ip: *const Cell, n: usize) -> *const Cell {
    // SAFETY: the caller's; distances lead to cells of the same stream.
    unsafe { ip.offset(field(ip, n) as i16 as isize) }
}

/// The operands of an opcode that sees gas.
///
/// # Safety
/// The instruction is such an opcode's, with `N` operands.
#[inline(always)]
pub(super) unsafe fn wide_operands<const N: usize>(ip: *const Cell, sp: *mut Word) -> [Word; N] {
    const FIELDS: [usize; 6] = [1, 2, 3, 6, 7, 8];
    // A loop, for the reason told at `operands`.
    let mut operands = [Word::ZERO; N];
    // SAFETY: the caller's; a bit says which operands are constants.
    unsafe {
        let shorts = field(ip, 5);
        for i in 0..N {
            operands[i] = if shorts >> i & 1 == 1 {
                Short::get(ip, sp, FIELDS[i])
            } else {
                Slot::get(ip, sp, FIELDS[i])
            };
        }
    }
    operands
}
