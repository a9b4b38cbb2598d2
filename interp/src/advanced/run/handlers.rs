//! Executes instructions: one handler for each, derived from the opcode table if it is an opcode. Handlers do
//! operand fetch, gas and jumps of the decoded form; the opcodes' functions are in `ops`.
//!
//! A handler ends with [`next`]: in optimised builds it jumps to the next handler, in others it returns to a
//! loop (`dispatch`). The table of handlers names each of them, so they are all in one long file.
//!
//! Gas: the header charges the static gas of the whole trace. An opcode that observes gas adds the gas of the
//! rest of its trace (`pending`) and subtracts it again. The counter may be negative meanwhile, if the path
//! actually taken can still be paid. Every exit refunds what the trace charged too much, and fails if the
//! counter is still negative.
//!
//! Unsafe: reads and writes instructions and the stack through pointers. The encoder guarantees that the
//! instructions are valid (operands follow, distances lead to instructions or headers); the check of the
//! header guarantees that stack slots are in bounds.

#![allow(unsafe_code)]

use super::bodies::{compute, exact, grow, pure_cells, remembered_load};
use super::exits::{FOR_GOOD, fail, failed, halt, leave_at};
use super::operands::*;
use crate::dispatch::{
    FAILED, Next, copied, is_flat, is_input_word, is_long, is_short, narrow, stop,
};
use crate::frame::Machine;
use crate::opcode::{Opcode, opcodes};
use crate::ops::environment::input_word;
use crate::ops::memory::copy_at_once;
use crate::ops::*;
use crate::outcome::Halt;
use crate::slot_ir::instruction::{self as ins, Cell, Form, Header, Test};
use crate::stack;
use crate::word::Word;

/// Executes an instruction.
///
/// # Safety
/// The cell is the first one of an instruction of this handler. The stack pointer is that of the trace's
/// entry, whose header has checked the stack. The gas is what the header's charge left, minus dynamic gas
/// since.
type Handler = unsafe fn(*const Cell, *mut Word, i64, &mut Machine) -> Next<Cell>;

/// Continues with an instruction.
///
/// # Safety
/// As for its handler.
#[inline(always)]
unsafe fn next(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<Cell> {
    #[cfg(tail_calls)]
    // SAFETY: guaranteed by the caller; the first field is a number below the table's length.
    unsafe {
        handler(ip)(ip, sp, gas, m)
    }
    #[cfg(not(tail_calls))]
    {
        m.advanced.gas = gas;
        (ip, sp)
    }
}

/// # Safety
/// An instruction is at `ip`.
#[inline(always)]
unsafe fn handler(ip: *const Cell) -> Handler {
    // SAFETY: guaranteed by the caller; the encoder writes only numbers below the table's length.
    unsafe { *HANDLERS.get_unchecked(usize::from((*ip).0[0])) }
}

/// The loop that handlers return to.
#[cfg(not(tail_calls))]
pub(super) fn drive((mut ip, mut sp): Next<Cell>, m: &mut Machine) {
    while !ip.is_null() {
        let gas = m.advanced.gas;
        // SAFETY: every handler returns the cell of an instruction for which the contract of `Handler` holds.
        (ip, sp) = unsafe { handler(ip)(ip, sp, gas, m) };
    }
}

#[cfg(tail_calls)]
pub(super) fn drive(_: Next<Cell>, _: &mut Machine) {}

/// Enters the trace whose header is at `header`, after a check of stack and gas in one branch.
///
/// # Safety
/// `header` points to a header; `sp` is the stack pointer of the frame, and the stack has the EVM's layout.
#[inline(always)]
pub(super) unsafe fn enter<const CHECKS_STACK: bool>(
    header: *const Cell,
    sp: *mut Word,
    gas: i64,
    m: &mut Machine,
) -> Next<Cell> {
    // SAFETY: guaranteed by the caller; an instruction follows a header.
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
        // `ip` is in the stream of the running program.
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

/// A dynamic jump to a target other than the cached one.
#[inline(never)]
unsafe fn find(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<Cell> {
    // SAFETY: the contract of `Handler`; `ip` is in the stream of the running program.
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

/// The bodies of handlers, by class. SAFETY of every arm: the contract of [`Handler`].
macro_rules! body {
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal pure($function:expr)) => {{
        if is_long(Opcode($byte)) {
            let operands = operands::<$inputs, A, B>($ip, $sp, false);
            let Some(result) = narrow(Opcode($byte), operands) else {
                return called::$name::<A, B>($ip, $sp, $gas, $m);
            };
            stack::store(slot($ip, $sp, 3), result);
        } else {
            compute::<$inputs, A, B>($ip, $sp, Opcode($byte), $function);
        }
        next($ip.add(pure_cells::<$inputs, A, B>()), $sp, $gas, $m)
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal read($function:expr)) => {{
        let operands = operands::<$inputs, A, B>($ip, $sp, false);
        if is_short(Opcode($byte)) {
            stack::store(slot($ip, $sp, 3), $function($m, operands));
        } else if is_input_word(Opcode($byte))
            && let Some(result) = input_word($m, operands)
        {
            stack::store(slot($ip, $sp, 3), result);
        } else {
            outlined::$name::<A, B>($ip, $sp, $gas, $m);
        }
        next($ip.add(1), $sp, $gas, $m)
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal machine($function:expr)) => {{
        if $byte == Opcode::SLOAD.0 {
            let left = remembered_load($ip, $sp, $gas, $m);
            if left != FAILED {
                return next($ip.add(2), $sp, left, $m);
            }
        }
        if let Some(copied) = copied(Opcode($byte)) {
            let operands = wide_operands::<$inputs>($ip, $sp);
            let left = copy_at_once($m, copied, operands, $gas);
            if left >= 0 {
                return next($ip.add(2), $sp, left, $m);
            }
        }
        let gas = if is_short(Opcode($byte)) {
            outlined!($ip $sp $gas $m $byte $inputs machine($function))
        } else {
            outlined::$name::<A, B>($ip, $sp, $gas, $m)
        };
        if gas == FAILED {
            return stop();
        }
        next($ip.add(if $inputs > 5 { 3 } else { 2 }), $sp, gas, $m)
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal memory($function:expr)) => {
        undefined($ip, $sp, $gas, $m)
    };
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal $class:ident $(($arg:expr))?) => {{
        has_no_handler!($class);
        undefined($ip, $sp, $gas, $m)
    }};
}

/// The outlined part of a body, by class; its value is the gas left. SAFETY of every arm: the contract of
/// [`Handler`].
macro_rules! outlined {
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $inputs:literal pure($function:expr)) => {{
        compute::<$inputs, A, B>($ip, $sp, Opcode($byte), $function);
        $gas
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $inputs:literal read($function:expr)) => {{
        let result = $function($m, operands::<$inputs, A, B>($ip, $sp, false));
        stack::store(slot($ip, $sp, 3), result);
        $gas
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $inputs:literal machine($function:expr)) => {{
        let operands = wide_operands::<$inputs>($ip, $sp);
        match exact($ip, $gas, $m, |m| $function(m, operands)) {
            Ok((gas, results)) => {
                for result in results {
                    stack::store(slot($ip, $sp, 6), result);
                    // A slot is cached from its second access on: most that are cold are not read again.
                    if $byte == Opcode::SLOAD.0
                        && let Some(key) = operands.first()
                        && $gas - gas == $m.rules.sload as i64
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
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $inputs:literal memory($function:expr)) => {
        $gas
    };
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $inputs:literal $class:ident $(($arg:expr))?) => {{
        has_no_handler!($class);
        $gas
    }};
}

/// Applies a memory opcode to the word at an offset; its value is whether the memory holds that word. SAFETY
/// of every arm: the contract of [`Handler`].
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
    ($ip:ident $sp:ident $m:ident $inputs:literal $offset:expr; pure($function:expr)) => {
        false
    };
    ($ip:ident $sp:ident $m:ident $inputs:literal $offset:expr; read($function:expr)) => {
        false
    };
    ($ip:ident $sp:ident $m:ident $inputs:literal $offset:expr; machine($function:expr)) => {
        false
    };
    ($ip:ident $sp:ident $m:ident $inputs:literal $offset:expr; $class:ident $(($arg:expr))?) => {{
        has_no_handler!($class);
        false
    }};
}

/// Compiles only for the classes without an instruction, so that a new class must be added here or above.
/// Translation turns these into moves and jumps, or leaves for the traditional mode.
macro_rules! has_no_handler {
    (exit) => {};
    (push) => {};
    (dup) => {};
    (swap) => {};
    (pop) => {};
    (pc) => {};
    (jump) => {};
    (jumpi) => {};
    (jumpdest) => {};
}

macro_rules! define {
    ($($byte:literal $name:ident $gas:literal $inputs:literal $outputs:literal $bits:literal $since:ident $class:ident $(($arg:expr))?;)*) => {
        /// Handlers of opcodes with operands in slots or constants. They have the names of the opcodes, which
        /// profiles show.
        #[allow(dead_code, non_snake_case, unused_variables, reason = "empty for the opcodes of other classes")]
        mod op {
            use super::*;
            $(pub(super) unsafe fn $name<A: Source, B: Source>(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<Cell> {
                // SAFETY: the contract of `Handler`.
                unsafe { body!(ip sp gas m $byte $name $inputs $class $(($arg))?) }
            })*
        }

        /// The same for pure opcodes whose computation needs a call.
        #[allow(dead_code, non_snake_case, unused_variables, reason = "empty for the opcodes of other classes")]
        mod called {
            use super::*;
            $(#[inline(never)]
            pub(super) unsafe fn $name<A: Source, B: Source>(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<Cell> {
                // SAFETY: the contract of `Handler`.
                unsafe {
                    let gas = if is_flat(Opcode($byte)) {
                        outlined!(ip sp gas m $byte $inputs $class $(($arg))?)
                    } else {
                        outlined::$name::<A, B>(ip, sp, gas, m)
                    };
                    next(ip.add(pure_cells::<$inputs, A, B>()), sp, gas, m)
                }
            })*
        }

        /// The parts that need the native stack: outlined, so that the handler can end in a jump.
        #[allow(dead_code, non_snake_case, unused_variables, reason = "empty for the opcodes of other classes")]
        mod outlined {
            use super::*;
            $(#[inline(never)]
            pub(super) unsafe fn $name<A: Source, B: Source>(ip: *const Cell, sp: *mut Word, gas: i64, m: &mut Machine) -> i64 {
                // SAFETY: the contract of `Handler`.
                #[allow(unused_unsafe, reason = "empty for classes without a handler")]
                unsafe { outlined!(ip sp gas m $byte $inputs $class $(($arg))?) }
            })*
        }

        /// Opcodes that access a word of memory.
        #[allow(dead_code, non_snake_case, unused_variables, reason = "empty for the opcodes of other classes")]
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

        /// The same, after expanding the memory.
        #[allow(dead_code, non_snake_case, unused_variables, reason = "empty for the opcodes of other classes")]
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
                    let gas = grow_outlined::$name::<A, B>(ip, sp, gas, m);
                    if gas == FAILED {
                        return stop();
                    }
                    next(ip.add(1), sp, gas, m)
                }
            })*
        }

        /// The parts of that which need the native stack.
        #[allow(dead_code, non_snake_case, unused_variables, reason = "empty for the opcodes of other classes")]
        mod grow_outlined {
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
        static HANDLERS: [Handler; ins::COUNT] = {
            let mut table = [undefined as Handler; ins::COUNT];
            $(opcode_forms!(table $byte $name $inputs $outputs $class);)*
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
    ($table:ident $byte:literal $name:ident $inputs:literal $outputs:literal memory) => {{
        const {
            assert!(
                $inputs <= 2 && $outputs <= 1,
                "no form for more operands or results"
            )
        };
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
    ($table:ident $byte:literal $name:ident $inputs:literal $outputs:literal pure) => {{
        const {
            assert!(
                $inputs <= 3 && $outputs == 1,
                "no form for more operands or results"
            )
        };
        $table[ins::opcode(Opcode($byte), Form::SlotSlot) as usize] = op::$name::<Slot, Slot>;
        if $inputs == 2 {
            $table[ins::opcode(Opcode($byte), Form::ShortSlot) as usize] = op::$name::<Short, Slot>;
            $table[ins::opcode(Opcode($byte), Form::SlotShort) as usize] = op::$name::<Slot, Short>;
            $table[ins::opcode(Opcode($byte), Form::LongSlot) as usize] = op::$name::<Long, Slot>;
            $table[ins::opcode(Opcode($byte), Form::SlotLong) as usize] = op::$name::<Slot, Long>;
        }
    }};
    ($table:ident $byte:literal $name:ident $inputs:literal $outputs:literal read) => {{
        const {
            assert!(
                $inputs <= 1 && $outputs == 1,
                "no form for more operands or results"
            )
        };
        $table[ins::opcode(Opcode($byte), Form::SlotSlot) as usize] = op::$name::<Slot, Slot>;
        if $inputs == 1 {
            $table[ins::opcode(Opcode($byte), Form::ShortSlot) as usize] = op::$name::<Short, Slot>;
        }
    }};
    ($table:ident $byte:literal $name:ident $inputs:literal $outputs:literal machine) => {{
        const {
            assert!(
                $inputs <= 6 && $outputs <= 1,
                "no form for more operands or results"
            )
        };
        $table[ins::opcode(Opcode($byte), Form::SlotSlot) as usize] = op::$name::<Slot, Slot>;
    }};
    ($table:ident $byte:literal $name:ident $inputs:literal $outputs:literal $class:ident) => {
        has_no_handler!($class)
    };
}

/// Sets the handlers of a test, for both directions and all forms.
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
