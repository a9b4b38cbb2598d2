//! What each instruction does: one handler for each, derived from the opcode table where it is an opcode.
//! They own operand fetch, gas and jumps of the decoded form; what opcodes mean is in `ops`.
//!
//! A handler ends by [`next`]: in optimised builds it jumps to the next handler, elsewhere it returns to a
//! loop (`dispatch`).
//!
//! Gas: the header took the static gas of the whole trace. What sees gas adds what is still to come in
//! its trace (`pending`) and takes it away again; the counter may go below zero meanwhile, where the
//! way that is really taken can still be paid. Every exit gives back what the trace took too much, and
//! fails if that is not enough.
//!
//! Unsafe: instructions and stack are read and written through pointers. The encoder vouches for the
//! instructions (operands follow, distances lead to instructions or headers), the check of the header for
//! the stack.

#![allow(unsafe_code)]

use super::dispatch::{Left, leave, next};
use super::instruction::{self as ins, Cell, Form, Header, Test};
use crate::dispatch::{FAILED, Next, is_chain, is_long, narrow, stop};
use crate::frame::Machine;
use crate::gas::Gas;
use crate::opcode::{Opcode, opcodes};
use crate::ops::*;
use crate::outcome::Halt;
use crate::stack;
use crate::word::Word;

/// What runs an instruction.
///
/// # Safety
/// The cell is the first of an instruction that the handler is for; the stack pointer is that of the
/// trace's entry, whose header has checked the stack; the gas is what the header left.
pub(super) type Handler = unsafe fn(*const Cell, *mut Word, i64, &mut Machine) -> Next<Cell>;

/// A field of the instruction at `ip`; from 4 on those of the next cell.
///
/// # Safety
/// The instruction has that many cells.
#[inline(always)]
unsafe fn field(ip: *const Cell, n: usize) -> u16 {
    // SAFETY: the caller's; a cell is four fields.
    unsafe { ip.cast::<u16>().add(n).read() }
}

/// The number in the `n`th cell of the instruction at `ip`.
///
/// # Safety
/// The instruction has that many cells and more.
#[inline(always)]
unsafe fn long(ip: *const Cell, n: usize) -> u64 {
    // SAFETY: the caller's; a cell has the size and alignment of the number.
    unsafe { ip.add(n).cast::<u64>().read() }
}

/// The slot that a field names.
///
/// # Safety
/// As [`field`]; the field is a slot.
#[inline(always)]
unsafe fn slot(ip: *const Cell, sp: *mut Word, n: usize) -> *mut Word {
    // SAFETY: the caller's; slots are inside the stack and its margin.
    unsafe { sp.byte_offset(field(ip, n) as i16 as isize) }
}

/// Where an operand comes from.
trait Source {
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

struct Slot;
struct Short;
struct Long;

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
unsafe fn operands<const N: usize, A: Source, B: Source>(
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
trait Address {
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

struct At;
struct AtShort;
struct AtSum;
struct AtNarrow;

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

#[cold]
#[inline(never)]
fn halt(m: &mut Machine, halt: Halt) -> Next<Cell> {
    leave(m, Left::Halt(halt))
}

/// Leaves for the traditional mode at `pc`, or from an instruction for an entry that does not exist yet.
/// Takes numbers only: the address of something on the native stack would keep a handler from ending in a
/// jump.
///
/// # Safety
/// `sp` is the stack pointer of the frame, laid out.
#[cold]
#[inline(never)]
unsafe fn leave_at(pc: u16, sp: *mut Word, gas: i64, m: &mut Machine, from: usize) -> Next<Cell> {
    if gas < 0 {
        return halt(m, Halt::OutOfGas);
    }
    m.frame.gas = Gas::from_signed(gas);
    m.frame.position = pc.into();
    m.frame.height = (sp as usize - m.advanced.base as usize) / size_of::<Word>();
    leave(
        m,
        match from {
            FOR_GOOD => Left::Resume,
            from => Left::Entry { from },
        },
    )
}

/// Not for an entry.
const FOR_GOOD: usize = usize::MAX;

/// Enters the trace whose header is at `header`, after checking stack and gas by one branch.
///
/// # Safety
/// It is a header; `sp` is the stack pointer of the frame, laid out.
#[inline(always)]
pub(super) unsafe fn enter<const CHECKS_STACK: bool>(
    header: *const Cell,
    sp: *mut Word,
    gas: i64,
    m: &mut Machine,
) -> Next<Cell> {
    // SAFETY: the caller's; an instruction follows a header.
    unsafe {
        let needs = Header::of(*header);
        let left = gas - i64::from(needs.gas);
        let mut short = left;
        if CHECKS_STACK {
            let height = sp as i64 - m.advanced.base as i64;
            short |= (height - i64::from(needs.least)) | (i64::from(needs.most) - height);
        }
        if short < 0 {
            return leave_at(needs.pc, sp, gas, m, FOR_GOOD);
        }
        next(header.add(1), sp, left, m)
    }
}

/// The distance in a field.
///
/// # Safety
/// Field `n` is a distance.
#[inline(always)]
unsafe fn far(ip: *const Cell, n: usize) -> *const Cell {
    // SAFETY: the caller's; distances lead to cells of the same stream.
    unsafe { ip.offset(field(ip, n) as i16 as isize) }
}

unsafe fn jump<const CHECKS_STACK: bool>(
    ip: *const Cell,
    sp: *mut Word,
    gas: i64,
    m: &mut Machine,
) -> Next<Cell> {
    // SAFETY: the contract of `Handler`.
    unsafe {
        let gas = gas + i64::from(field(ip, 3));
        enter::<CHECKS_STACK>(far(ip, 1), slot(ip, sp, 2), gas, m)
    }
}

unsafe fn leave_for_entry(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<Cell> {
    // SAFETY: the contract of `Handler`.
    unsafe {
        let gas = gas + i64::from(field(ip, 3));
        // The program is that of the stream.
        let from = ip.offset_from_unsigned((*m.advanced.program).stream.as_ptr());
        leave_at(field(ip, 1), slot(ip, sp, 2), gas, m, from)
    }
}

unsafe fn resume(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<Cell> {
    // SAFETY: the contract of `Handler`.
    unsafe {
        let gas = gas + i64::from(field(ip, 3));
        leave_at(field(ip, 1), slot(ip, sp, 2), gas, m, FOR_GOOD)
    }
}

unsafe fn jump_dynamic(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<Cell> {
    // SAFETY: the contract of `Handler`; the next cell holds the last target and its distance, 0 for none.
    unsafe {
        let target = Slot::get(ip, sp, 1).saturating_u64();
        let spared = gas + i64::from(field(ip, 3));
        let cached = field(ip, 5) as i16;
        if target == u64::from(field(ip, 4)) && cached != 0 {
            return enter::<true>(ip.offset(cached.into()), slot(ip, sp, 2), spared, m);
        }
        find(ip, sp, gas, m)
    }
}

/// A dynamic jump to another target than the last time.
#[inline(never)]
unsafe fn find(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<Cell> {
    // SAFETY: the contract of `Handler`; the program is that of the stream.
    unsafe {
        let target = Slot::get(ip, sp, 1).saturating_u64();
        let gas = gas + i64::from(field(ip, 3));
        let program = &mut *m.advanced.program;
        let Ok(pc) = u16::try_from(target) else {
            return fail(gas, m);
        };
        match program.jumpdest(pc.into()) {
            None => fail(gas, m),
            Some(0) => leave_at(pc, slot(ip, sp, 2), gas, m, 0),
            Some(header) => {
                let from = ip.offset_from_unsigned(program.stream.as_ptr());
                program.remember_target(from, pc, header);
                let header = program.stream.as_ptr().add(header.into());
                enter::<true>(header, slot(ip, sp, 2), gas, m)
            }
        }
    }
}

/// A jump to no jumpdest, if it could be paid.
#[cold]
#[inline(never)]
fn fail(gas: i64, m: &mut Machine) -> Next<Cell> {
    halt(
        m,
        if gas < 0 {
            Halt::OutOfGas
        } else {
            Halt::InvalidJump
        },
    )
}

/// A conditional branch. `T` is the [`Test`] as a number.
unsafe fn branch<const T: u8, const WHEN: bool, A: Source, B: Source>(
    ip: *const Cell,
    sp: *mut Word,
    gas: i64,
    m: &mut Machine,
) -> Next<Cell> {
    const LT: u8 = Test::Lt as u8;
    const SLT: u8 = Test::Slt as u8;
    const EQ: u8 = Test::Eq as u8;
    // SAFETY: the contract of `Handler`.
    unsafe {
        let holds = match T {
            LT => A::get_plain(ip, sp, 1).lt(B::get_plain(ip, sp, 2)),
            SLT => A::get_plain(ip, sp, 1).signed_lt(B::get_plain(ip, sp, 2)),
            EQ => A::get(ip, sp, 1) == B::get(ip, sp, 2),
            _ => !A::get(ip, sp, 1).is_zero(),
        };
        if holds == WHEN {
            next(far(ip, 3), sp, gas, m)
        } else {
            next(ip.add(1 + A::CELLS + B::CELLS), sp, gas, m)
        }
    }
}

unsafe fn copy(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<Cell> {
    // SAFETY: the contract of `Handler`.
    unsafe {
        stack::store(slot(ip, sp, 2), Slot::get(ip, sp, 1));
        next(ip.add(1), sp, gas, m)
    }
}

unsafe fn copy_two(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<Cell> {
    // SAFETY: the contract of `Handler`.
    unsafe {
        stack::store(slot(ip, sp, 2), Slot::get(ip, sp, 1));
        stack::store(slot(ip, sp, 5), Slot::get(ip, sp, 4));
        next(ip.add(2), sp, gas, m)
    }
}

unsafe fn set<A: Source>(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<Cell> {
    // SAFETY: the contract of `Handler`.
    unsafe {
        stack::store(slot(ip, sp, 3), A::get(ip, sp, 1));
        next(ip.add(1 + A::CELLS), sp, gas, m)
    }
}

unsafe fn set_word(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<Cell> {
    // SAFETY: the contract of `Handler`; four cells follow.
    unsafe {
        let word = Word([long(ip, 1), long(ip, 2), long(ip, 3), long(ip, 4)]);
        stack::store(slot(ip, sp, 3), word);
        next(ip.add(5), sp, gas, m)
    }
}

unsafe fn mask(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<Cell> {
    // SAFETY: the contract of `Handler`; the number of bits is 1 to 255.
    unsafe {
        let Word([a, b, c, d]) = Slot::get(ip, sp, 1);
        let bits = u32::from(field(ip, 2));
        let low = |limb: u64, below: u32| match bits.saturating_sub(below) {
            0 => 0,
            some @ 1..64 => limb & ((1 << some) - 1),
            _ => limb,
        };
        let kept = Word([low(a, 0), low(b, 64), low(c, 128), low(d, 192)]);
        stack::store(slot(ip, sp, 3), kept);
        next(ip.add(1), sp, gas, m)
    }
}

unsafe fn sdiv_power(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<Cell> {
    // SAFETY: the contract of `Handler`; the power is 1 to 63.
    unsafe {
        match Slot::get(ip, sp, 1).narrow_div_power(field(ip, 2).into()) {
            Some(result) => {
                stack::store(slot(ip, sp, 3), result);
                next(ip.add(1), sp, gas, m)
            }
            None => sdiv_power_wide(ip, sp, gas, m),
        }
    }
}

#[inline(never)]
unsafe fn sdiv_power_wide(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<Cell> {
    // SAFETY: the contract of `Handler`.
    unsafe {
        let result = Slot::get(ip, sp, 1).signed_div_power(field(ip, 2).into());
        stack::store(slot(ip, sp, 3), result);
        next(ip.add(1), sp, gas, m)
    }
}

unsafe fn undefined(_: *const Cell, _: *mut Word, _: i64, m: &mut Machine) -> Next<Cell> {
    halt(m, Halt::UndefinedOpcode)
}

#[cold]
#[inline(never)]
fn failed(m: &mut Machine, reason: Halt) -> i64 {
    halt(m, reason);
    FAILED
}

/// Makes the memory of an access usable. Takes and returns the gas as it stands in a handler.
///
/// # Safety
/// The instruction accesses memory.
unsafe fn grow(ip: *const Cell, gas: i64, at: Word, m: &mut Machine) -> Result<i64, Halt> {
    let mut left = Gas::from_signed(gas);
    if gas >= 0 && m.frame.memory.window_or_grow(&mut left, at).is_ok() {
        return Ok(left.signed());
    }
    // What follows in the trace need not be paid yet.
    // SAFETY: the program is that of the stream.
    let pending = unsafe {
        let program = &*m.advanced.program;
        i64::from(program.pending(ip.offset_from_unsigned(program.stream.as_ptr())))
    };
    if gas + pending < 0 {
        return Err(Halt::OutOfGas);
    }
    let mut left = Gas::from_signed(gas + pending);
    m.frame.memory.window_or_grow(&mut left, at)?;
    Ok(left.signed() - pending)
}

/// Runs the body of an opcode that sees gas, with the gas that there would be without the trace.
///
/// # Safety
/// The instruction is such an opcode's.
#[inline(always)]
unsafe fn exact<const OUT: usize>(
    ip: *const Cell,
    gas: i64,
    m: &mut Machine,
    body: impl FnOnce(&mut Machine) -> Result<[Word; OUT], Halt>,
) -> Result<(i64, [Word; OUT]), Halt> {
    // SAFETY: the caller's.
    let pending = i64::from(unsafe { field(ip, 4) });
    if gas + pending < 0 {
        return Err(Halt::OutOfGas);
    }
    m.frame.gas = Gas::from_signed(gas + pending);
    let results = body(m)?;
    Ok((m.frame.gas.signed() - pending, results))
}

/// The operands of an opcode that sees gas.
///
/// # Safety
/// The instruction is such an opcode's, with `N` operands.
#[inline(always)]
unsafe fn wide_operands<const N: usize>(ip: *const Cell, sp: *mut Word) -> [Word; N] {
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

/// SLOAD of a slot that the stream has read before: its value is known, and that it is warm. The gas left, or
/// [`FAILED`] where it was not read, or cannot be paid.
///
/// # Safety
/// The instruction is SLOAD.
#[inline(always)]
unsafe fn remembered_load(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> i64 {
    // SAFETY: the caller's; the table outlives the run of the stream.
    unsafe {
        let [key] = wide_operands(ip, sp);
        let left = gas - m.rules.sload as i64;
        match (*m.advanced.slots).get(key) {
            Some(value) if left >= 0 => {
                stack::store(slot(ip, sp, 6), *value);
                left
            }
            _ => FAILED,
        }
    }
}

/// Computes a pure opcode.
///
/// # Safety
/// The instruction has `N` operands, the first two of kinds `A` and `B`.
#[inline(always)]
unsafe fn compute<const N: usize, A: Source, B: Source>(
    ip: *const Cell,
    sp: *mut Word,
    op: Opcode,
    function: impl FnOnce([Word; N]) -> Word,
) {
    // SAFETY: the caller's; with three operands the result's slot is in the second cell.
    unsafe {
        let result = function(operands::<N, A, B>(ip, sp, is_chain(op)));
        stack::store(slot(ip, sp, if N == 3 { 5 } else { 3 }), result);
    }
}

/// The bodies of handlers, by class. SAFETY of every arm: the contract of [`Handler`].
macro_rules! body {
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal pure($function:expr)) => {
        // SAFETY: the contract of `Handler`.
        unsafe {
            if is_long(Opcode($byte)) {
                let operands = operands::<$inputs, A, B>($ip, $sp, false);
                let Some(result) = narrow(Opcode($byte), operands) else {
                    return called::$name::<A, B>($ip, $sp, $gas, $m);
                };
                stack::store(slot($ip, $sp, 3), result);
            } else {
                compute::<$inputs, A, B>($ip, $sp, Opcode($byte), $function);
            }
            let cells = if $inputs == 3 {
                2
            } else {
                1 + A::CELLS + B::CELLS
            };
            next($ip.add(cells), $sp, $gas, $m)
        }
    };
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal read($function:expr)) => {
        // SAFETY: the contract of `Handler`.
        unsafe {
            apart::$name::<A, B>($ip, $sp, $gas, $m);
            next($ip.add(1), $sp, $gas, $m)
        }
    };
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal machine($function:expr)) => {
        // SAFETY: the contract of `Handler`.
        unsafe {
            if $byte == Opcode::SLOAD.0 {
                let left = remembered_load($ip, $sp, $gas, $m);
                if left != FAILED {
                    return next($ip.add(2), $sp, left, $m);
                }
            }
            let gas = apart::$name::<A, B>($ip, $sp, $gas, $m);
            if gas == FAILED {
                return stop();
            }
            next($ip.add(if $inputs > 5 { 3 } else { 2 }), $sp, gas, $m)
        }
    };
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal $class:ident $(($arg:expr))?) => {
        // SAFETY: the contract of `Handler`.
        unsafe { undefined($ip, $sp, $gas, $m) }
    };
}

/// What of a body is done apart, by class; the gas afterwards. SAFETY of every arm: the contract of
/// [`Handler`].
macro_rules! apart {
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $inputs:literal pure($function:expr)) => {{
        // SAFETY: the contract of `Handler`.
        unsafe { compute::<$inputs, A, B>($ip, $sp, Opcode($byte), $function) }
        $gas
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $inputs:literal read($function:expr)) => {
        // SAFETY: the contract of `Handler`.
        unsafe {
            let result = $function($m, operands::<$inputs, A, B>($ip, $sp, false));
            stack::store(slot($ip, $sp, 3), result);
            $gas
        }
    };
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $inputs:literal machine($function:expr)) => {
        // SAFETY: the contract of `Handler`.
        unsafe {
            let operands = wide_operands::<$inputs>($ip, $sp);
            match exact($ip, $gas, $m, |m| $function(m, operands)) {
                Ok((gas, results)) => {
                    for result in results {
                        stack::store(slot($ip, $sp, 6), result);
                        if $byte == Opcode::SLOAD.0
                            && let Some(key) = operands.first()
                        {
                            (*$m.advanced.slots).put(*key, result);
                        }
                    }
                    if $byte == Opcode::SSTORE.0
                        && let [key, value, ..] = operands.as_slice()
                    {
                        (*$m.advanced.slots).put(*key, *value);
                    }
                    gas
                }
                Err(reason) => failed($m, reason),
            }
        }
    };
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $inputs:literal $class:ident $(($arg:expr))?) => {
        $gas
    };
}

/// What a memory opcode does with the word at an offset; whether there is one. SAFETY: the contract of
/// [`Handler`].
macro_rules! access {
    ($ip:ident $sp:ident $m:ident $inputs:literal $offset:expr; memory($function:expr)) => {{
        match $m.frame.memory.window_at($offset) {
            Some(window) => {
                let mut operands = [Word::ZERO; $inputs];
                if $inputs > 1 {
                    operands[$inputs - 1] = B::get($ip, $sp, 3);
                }
                for result in $function(window, operands) {
                    stack::store(slot($ip, $sp, 3), result);
                }
                true
            }
            None => false,
        }
    }};
    ($ip:ident $sp:ident $m:ident $inputs:literal $offset:expr; $class:ident $(($arg:expr))?) => {
        false
    };
}

macro_rules! define {
    ($($byte:literal $name:ident $gas:literal $inputs:literal $outputs:literal $since:ident $class:ident $(($arg:expr))?;)*) => {
        /// Opcodes whose operands are in slots or constants, under their names, which is what profiles show.
        #[allow(dead_code, non_snake_case, unused_variables, reason = "of each class, the rows of others are empty")]
        mod op {
            use super::*;
            $(pub(super) unsafe fn $name<A: Source, B: Source>(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<Cell> {
                body!(ip sp gas m $byte $name $inputs $class $(($arg))?)
            })*
        }

        /// The same for pure opcodes where computing takes a call.
        #[allow(dead_code, non_snake_case, unused_variables, reason = "of each class, the rows of others are empty")]
        mod called {
            use super::*;
            $(#[inline(never)]
            pub(super) unsafe fn $name<A: Source, B: Source>(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<Cell> {
                // SAFETY: the contract of `Handler`.
                unsafe {
                    apart::$name::<A, B>(ip, sp, gas, m);
                    let cells = if $inputs == 3 { 2 } else { 1 + A::CELLS + B::CELLS };
                    next(ip.add(cells), sp, gas, m)
                }
            })*
        }

        /// What of them needs room on the native stack: apart, so that the handler can end in a jump.
        #[allow(dead_code, non_snake_case, unused_variables, reason = "of each class, the rows of others are empty")]
        mod apart {
            use super::*;
            $(#[inline(never)]
            pub(super) unsafe fn $name<A: Source, B: Source>(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> i64 {
                apart!(ip sp gas m $byte $inputs $class $(($arg))?)
            })*
        }

        /// Opcodes that access a word of memory.
        #[allow(dead_code, non_snake_case, unused_variables, reason = "of each class, the rows of others are empty")]
        mod memory_op {
            use super::*;
            $(pub(super) unsafe fn $name<A: Address, B: Source>(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<Cell> {
                // SAFETY: the contract of `Handler`.
                unsafe {
                    let at = A::offset(ip, sp);
                    if access!(ip sp m $inputs at; $class $(($arg))?) {
                        next(ip.add(1), sp, gas, m)
                    } else {
                        grown::$name::<A, B>(ip, sp, gas, m, at)
                    }
                }
            })*
        }

        /// The same where memory has to grow first.
        #[allow(dead_code, non_snake_case, unused_variables, reason = "of each class, the rows of others are empty")]
        mod grown {
            use super::*;
            $(#[inline(never)]
            pub(super) unsafe fn $name<A: Address, B: Source>(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine, at: u64) -> Next<Cell> {
                // SAFETY: the contract of `Handler`.
                unsafe {
                    let left = m.frame.memory.grow_in_place(gas, at);
                    if left >= 0 {
                        access!(ip sp m $inputs at; $class $(($arg))?);
                        return next(ip.add(1), sp, left, m);
                    }
                    let gas = grown_apart::$name::<A, B>(ip, sp, gas, m);
                    if gas == FAILED {
                        return stop();
                    }
                    next(ip.add(1), sp, gas, m)
                }
            })*
        }

        /// What of that needs room on the native stack.
        #[allow(dead_code, non_snake_case, unused_variables, reason = "of each class, the rows of others are empty")]
        mod grown_apart {
            use super::*;
            $(#[inline(never)]
            pub(super) unsafe fn $name<A: Address, B: Source>(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> i64 {
                // SAFETY: the contract of `Handler`.
                unsafe {
                    let at = A::whole(ip, sp);
                    match grow(ip, gas, at, m) {
                        Ok(gas) => {
                            access!(ip sp m $inputs at.saturating_u64(); $class $(($arg))?);
                            gas
                        }
                        Err(reason) => failed(m, reason),
                    }
                }
            })*
        }

        /// The handler of every instruction.
        pub(super) static HANDLERS: [Handler; ins::COUNT] = {
            let mut table = [undefined as Handler; ins::COUNT];
            $(opcode_forms!(table $byte $name $inputs $class);)*
            table[ins::MOVE as usize] = copy;
            table[ins::MOVE_TWO as usize] = copy_two;
            table[ins::SET as usize] = set::<Short>;
            table[ins::SET_LONG as usize] = set::<Long>;
            table[ins::SET_WORD as usize] = set_word;
            table[ins::JUMP as usize] = jump::<true>;
            table[ins::JUMP_FITTING as usize] = jump::<false>;
            table[ins::LEAVE as usize] = leave_for_entry;
            table[ins::RESUME as usize] = resume;
            table[ins::JUMP_DYNAMIC as usize] = jump_dynamic;
            table[ins::MASK as usize] = mask;
            table[ins::SDIV_POWER as usize] = sdiv_power;
            branch_forms!(table NonZero);
            branch_forms!(table Lt);
            branch_forms!(table Slt);
            branch_forms!(table Eq);
            table
        };
    };
}

/// Sets the handlers of an opcode.
macro_rules! opcode_forms {
    ($table:ident $byte:literal $name:ident $inputs:literal memory) => {{
        use ins::Access;
        const OP: Opcode = Opcode($byte);
        $table[ins::memory(OP, Access::Slot, false) as usize] = memory_op::$name::<At, Slot>;
        $table[ins::memory(OP, Access::Short, false) as usize] = memory_op::$name::<AtShort, Slot>;
        $table[ins::memory(OP, Access::Sum, false) as usize] = memory_op::$name::<AtSum, Slot>;
        $table[ins::memory(OP, Access::Narrow, false) as usize] =
            memory_op::$name::<AtNarrow, Slot>;
        if $inputs > 1 {
            $table[ins::memory(OP, Access::Slot, true) as usize] = memory_op::$name::<At, Short>;
            $table[ins::memory(OP, Access::Short, true) as usize] =
                memory_op::$name::<AtShort, Short>;
            $table[ins::memory(OP, Access::Sum, true) as usize] = memory_op::$name::<AtSum, Short>;
            $table[ins::memory(OP, Access::Narrow, true) as usize] =
                memory_op::$name::<AtNarrow, Short>;
        }
    }};
    ($table:ident $byte:literal $name:ident $inputs:literal pure) => {
        $table[ins::opcode(Opcode($byte), Form::SlotSlot) as usize] = op::$name::<Slot, Slot>;
        if $inputs == 2 {
            $table[ins::opcode(Opcode($byte), Form::ShortSlot) as usize] = op::$name::<Short, Slot>;
            $table[ins::opcode(Opcode($byte), Form::SlotShort) as usize] = op::$name::<Slot, Short>;
            $table[ins::opcode(Opcode($byte), Form::LongSlot) as usize] = op::$name::<Long, Slot>;
            $table[ins::opcode(Opcode($byte), Form::SlotLong) as usize] = op::$name::<Slot, Long>;
        }
    };
    ($table:ident $byte:literal $name:ident $inputs:literal read) => {
        $table[ins::opcode(Opcode($byte), Form::SlotSlot) as usize] = op::$name::<Slot, Slot>;
        if $inputs == 1 {
            $table[ins::opcode(Opcode($byte), Form::ShortSlot) as usize] = op::$name::<Short, Slot>;
        }
    };
    ($table:ident $byte:literal $name:ident $inputs:literal machine) => {
        $table[ins::opcode(Opcode($byte), Form::SlotSlot) as usize] = op::$name::<Slot, Slot>;
    };
    ($table:ident $byte:literal $name:ident $inputs:literal $class:ident) => {};
}

/// Sets the handlers of a test, for both ways and all forms.
macro_rules! branch_forms {
    ($table:ident $test:ident) => {{
        const T: u8 = Test::$test as u8;
        branch_forms!($table $test T true);
        branch_forms!($table $test T false);
    }};
    ($table:ident $test:ident $T:ident $when:literal) => {
        $table[ins::branch(Test::$test, $when, Form::SlotSlot) as usize] = branch::<$T, $when, Slot, Slot>;
        $table[ins::branch(Test::$test, $when, Form::ShortSlot) as usize] = branch::<$T, $when, Short, Slot>;
        $table[ins::branch(Test::$test, $when, Form::SlotShort) as usize] = branch::<$T, $when, Slot, Short>;
        $table[ins::branch(Test::$test, $when, Form::LongSlot) as usize] = branch::<$T, $when, Long, Slot>;
        $table[ins::branch(Test::$test, $when, Form::SlotLong) as usize] = branch::<$T, $when, Slot, Long>;
    };
}
opcodes! { define }
