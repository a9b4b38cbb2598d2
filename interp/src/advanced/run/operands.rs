//! The operands and results of an instruction: stack slots, constants in the instruction, addresses of memory
//! accesses.
//!
//! Unsafe: reads instructions and the stack through pointers. The encoder guarantees that operands follow and
//! that slots are inside the stack and its scratch area.

#![allow(unsafe_code)]

use crate::slot_ir::instruction::Cell;
use crate::stack;
use crate::word::Word;

/// Field `n` of the instruction at `ip`; fields from 4 are in the next cell.
///
/// # Safety
/// The instruction has a cell for field `n`.
#[inline(always)]
pub(super) unsafe fn field(ip: *const Cell, n: usize) -> u16 {
    // SAFETY: guaranteed by the caller; a cell has four fields.
    unsafe { ip.cast::<u16>().add(n).read() }
}

/// The number in the `n`th cell of the instruction at `ip`.
///
/// # Safety
/// The instruction has more than `n` cells.
#[inline(always)]
pub(super) unsafe fn long(ip: *const Cell, n: usize) -> u64 {
    // SAFETY: guaranteed by the caller; a cell has the size and alignment of the number.
    unsafe { ip.add(n).cast::<u64>().read() }
}

/// A pointer to the slot in field `n`.
///
/// # Safety
/// As for [`field`]; the field is a slot.
#[inline(always)]
pub(super) unsafe fn slot(ip: *const Cell, sp: *mut Word, n: usize) -> *mut Word {
    // SAFETY: guaranteed by the caller; slots are inside the stack and its scratch area.
    unsafe { sp.byte_offset(field(ip, n) as i16 as isize) }
}

/// Where an operand comes from.
pub(super) trait Source {
    /// Number of cells it takes after the first one of the instruction.
    const CELLS: usize = 0;
    /// # Safety
    /// Field `n` of the instruction is of this kind.
    unsafe fn get(ip: *const Cell, sp: *mut Word, n: usize) -> Word;
    /// Like `get`, but lets the compiler read the operand from memory in a carry chain.
    ///
    /// # Safety
    /// As for `get`.
    #[inline(always)]
    unsafe fn get_plain(ip: *const Cell, sp: *mut Word, n: usize) -> Word {
        // SAFETY: guaranteed by the caller.
        unsafe { Self::get(ip, sp, n) }
    }
}

pub(super) struct Slot;
pub(super) struct Short;
pub(super) struct Long;

impl Source for Slot {
    #[inline(always)]
    unsafe fn get(ip: *const Cell, sp: *mut Word, n: usize) -> Word {
        // SAFETY: guaranteed by the caller.
        unsafe { stack::load(slot(ip, sp, n)) }
    }

    #[inline(always)]
    unsafe fn get_plain(ip: *const Cell, sp: *mut Word, n: usize) -> Word {
        // SAFETY: guaranteed by the caller.
        unsafe { *slot(ip, sp, n) }
    }
}

impl Source for Short {
    #[inline(always)]
    unsafe fn get(ip: *const Cell, _: *mut Word, n: usize) -> Word {
        // SAFETY: guaranteed by the caller.
        unsafe { Word::from(u64::from(field(ip, n))) }
    }
}

impl Source for Long {
    const CELLS: usize = 1;
    #[inline(always)]
    unsafe fn get(ip: *const Cell, _: *mut Word, _: usize) -> Word {
        // SAFETY: guaranteed by the caller; the constant is in the next cell.
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
    // Unrolled by hand: a closure over arrays is not always inlined, and the array then stays in memory.
    let mut operands = [Word::ZERO; N];
    // SAFETY: guaranteed by the caller.
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

/// Where the address of a memory access comes from.
pub(super) trait Address {
    /// The address, or `u64::MAX` if it does not fit 64 bits.
    ///
    /// # Safety
    /// The instruction is of this kind.
    unsafe fn offset(ip: *const Cell, sp: *mut Word) -> u64;
    /// The full address.
    ///
    /// # Safety
    /// As for `offset`.
    unsafe fn whole(ip: *const Cell, sp: *mut Word) -> Word;
}

pub(super) struct At;
pub(super) struct AtShort;
pub(super) struct AtSum;
pub(super) struct AtNarrow;

impl Address for At {
    #[inline(always)]
    unsafe fn offset(ip: *const Cell, sp: *mut Word) -> u64 {
        // SAFETY: guaranteed by the caller.
        unsafe { Slot::get(ip, sp, 1).saturating_u64() }
    }
    unsafe fn whole(ip: *const Cell, sp: *mut Word) -> Word {
        // SAFETY: guaranteed by the caller.
        unsafe { Slot::get(ip, sp, 1) }
    }
}

impl Address for AtShort {
    #[inline(always)]
    unsafe fn offset(ip: *const Cell, _: *mut Word) -> u64 {
        // SAFETY: guaranteed by the caller.
        unsafe { field(ip, 2).into() }
    }
    unsafe fn whole(ip: *const Cell, sp: *mut Word) -> Word {
        // SAFETY: guaranteed by the caller.
        unsafe { Short::get(ip, sp, 2) }
    }
}

impl Address for AtSum {
    #[inline(always)]
    unsafe fn offset(ip: *const Cell, sp: *mut Word) -> u64 {
        // SAFETY: guaranteed by the caller. If the sum saturates, the access is out of range and `whole`
        // computes the exact address.
        unsafe {
            let base = Slot::get(ip, sp, 1).saturating_u64();
            base.saturating_add(field(ip, 2).into())
        }
    }
    unsafe fn whole(ip: *const Cell, sp: *mut Word) -> Word {
        // SAFETY: guaranteed by the caller.
        unsafe { Slot::get(ip, sp, 1).wrapping_add(Short::get(ip, sp, 2)) }
    }
}

impl Address for AtNarrow {
    #[inline(always)]
    unsafe fn offset(ip: *const Cell, sp: *mut Word) -> u64 {
        // SAFETY: guaranteed by the caller. The low limb is the whole base, unless an earlier sum wrapped.
        // Then the low limb is so close to 2^64 that the access is out of range and `whole` computes the
        // exact address.
        let base = unsafe { slot(ip, sp, 1).cast::<u64>().read() };
        // SAFETY: guaranteed by the caller.
        base.saturating_add(unsafe { field(ip, 2).into() })
    }
    unsafe fn whole(ip: *const Cell, sp: *mut Word) -> Word {
        // SAFETY: guaranteed by the caller.
        unsafe { AtSum::whole(ip, sp) }
    }
}

/// The distance in a field.
///
/// # Safety
/// Field `n` is a distance.
#[inline(always)]
pub(super) unsafe fn far(ip: *const Cell, n: usize) -> *const Cell {
    // SAFETY: guaranteed by the caller; distances lead to cells of the same stream.
    unsafe { ip.offset(field(ip, n) as i16 as isize) }
}

/// The operands of an opcode that observes gas.
///
/// # Safety
/// The instruction is that of such an opcode, with `N` operands.
#[inline(always)]
pub(super) unsafe fn wide_operands<const N: usize>(ip: *const Cell, sp: *mut Word) -> [Word; N] {
    const FIELDS: [usize; 6] = [1, 2, 3, 6, 7, 8];
    // A loop, not a closure; see `operands`.
    let mut operands = [Word::ZERO; N];
    // SAFETY: guaranteed by the caller; a bit per operand marks the constants.
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
