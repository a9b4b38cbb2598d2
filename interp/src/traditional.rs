//! The traditional mode: fetch, check, charge, execute, byte by byte. The reference for the advanced mode.
//!
//! One handler per opcode, derived from the opcode table; each ends by fetching the next opcode. This module
//! does operand fetch, static checks and jumps. The opcodes' functions are in `ops`, the links between
//! handlers in `dispatch`.
//!
//! Unsafe: reads and writes code and stack through pointers that the handlers have just checked.

#![allow(unsafe_code)]

use crate::code::is_set;
use crate::dispatch::{
    FAILED, Next, copied, is_chain, is_flat, is_input_word, is_long, is_short, narrow, stop,
};
use crate::fork::Fork;
use crate::frame::{Exit, Machine, Registers};
use crate::gas::Gas;
use crate::opcode::{Opcode, opcodes};
use crate::ops::environment::input_word;
use crate::ops::memory::copy_at_once;
use crate::ops::*;
use crate::outcome::Halt;
use crate::stack::{self, LIMIT};
use crate::trace::{Observer, Step};
use crate::word::Word;

/// Executes an opcode.
///
/// # Safety
/// The instruction pointer is at the opcode, inside the padded code. The stack pointer and the registers are
/// those of the running frame. The observer has the type that the handler was instantiated for.
type Handler = unsafe fn(*const u8, *mut Word, i64, &mut Machine) -> Next<u8>;

/// Runs the machine's frame from its position until it ends or calls.
pub(crate) fn execute<O: Observer>(m: &mut Machine, observer: &mut O) -> Exit {
    let base = m.stack.frame(m.frame.base);
    let code = m.frame.code.padded().as_ptr();
    m.traditional = Registers {
        base,
        start: code,
        jumpdests: m.frame.code.jumpdests(),
        fork: m.rules.fork,
        observer: (&raw mut *observer).cast(),
        ..Registers::default()
    };
    let gas = m.frame.gas.signed();
    // SAFETY: a position is inside the code or at its end, where the padding follows. A frame has at most
    // `LIMIT` items, and `Stack::frame` has room for them. The frame keeps its code alive.
    unsafe {
        let (ip, sp) = (code.add(m.frame.position), base.add(m.frame.height));
        drive::<O>(next::<O>(ip, sp, gas, m), m);
    }
    let exit = m.traditional.exit.take();
    exit.unwrap_or_else(|| unreachable!("who stops the handlers says why"))
}

/// Continues with the opcode at `ip`.
///
/// # Safety
/// As for its handler.
#[inline(always)]
unsafe fn next<O: Observer>(ip: *const u8, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<u8> {
    #[cfg(tail_calls)]
    // SAFETY: guaranteed by the caller.
    unsafe {
        handler::<O>(ip)(ip, sp, gas, m)
    }
    #[cfg(not(tail_calls))]
    {
        m.traditional.gas = gas;
        (ip, sp)
    }
}

/// # Safety
/// `ip` is inside the padded code. (Jumps go to checked positions, a PUSH skips at most into the padding, and
/// the padding is STOP.)
#[inline(always)]
unsafe fn handler<O: Observer>(ip: *const u8) -> Handler {
    // SAFETY: guaranteed by the caller.
    Table::<O>::HANDLERS[usize::from(unsafe { *ip })]
}

/// The loop that handlers return to.
#[cfg(not(tail_calls))]
fn drive<O: Observer>((mut ip, mut sp): Next<u8>, m: &mut Machine) {
    while !ip.is_null() {
        let gas = m.traditional.gas;
        // SAFETY: every handler returns the position of an opcode for which the contract of `Handler` holds.
        (ip, sp) = unsafe { handler::<O>(ip)(ip, sp, gas, m) };
    }
}

#[cfg(tail_calls)]
fn drive<O: Observer>(_: Next<u8>, _: &mut Machine) {}

#[cold]
#[inline(never)]
fn halt(m: &mut Machine, halt: Halt) -> Next<u8> {
    m.traditional.exit = Some(Exit::Halt(halt));
    stop()
}

/// Saves position, height and gas to the frame, for opcodes and the driver.
///
/// # Safety
/// The pointers are those of the running frame.
#[inline(always)]
unsafe fn save(ip: *const u8, sp: *mut Word, gas: i64, m: &mut Machine) {
    m.frame.gas = Gas::from_signed(gas);
    m.frame.position = ip as usize - m.traditional.start as usize;
    m.frame.height = stack::height(m.traditional.base, sp);
}

/// Reports the opcode at `ip` to the observer.
///
/// # Safety
/// The contract of [`Handler`].
#[inline(never)]
unsafe fn show<O: Observer>(ip: *const u8, sp: *mut Word, gas: i64, m: &mut Machine) {
    // SAFETY: guaranteed by the caller; `height` items are on the stack, starting at the base.
    let (stack, byte, observer) = unsafe {
        save(ip, sp, gas, m);
        (
            std::slice::from_raw_parts(m.traditional.base, m.frame.height),
            *ip,
            &mut *m.traditional.observer.cast::<O>(),
        )
    };
    observer.step(Step {
        pc: m.frame.position,
        opcode: Opcode(byte),
        gas: m.frame.gas.left(),
        depth: m.frame.context.message.depth,
        address: m.frame.context.message.recipient,
        stack,
        memory: m.frame.memory.as_slice(),
        return_data: &m.frame.context.return_data,
        refund: m.frame.context.refund,
    });
}

/// Checks stack underflow, stack overflow and gas, in this order, which determines the status. Returns the
/// gas left.
///
/// # Safety
/// The contract of [`Handler`].
#[inline(always)]
unsafe fn check<const INPUTS: usize, const OUTPUTS: usize>(
    sp: *mut Word,
    gas: i64,
    price: i64,
    m: &Machine,
) -> Result<i64, Halt> {
    let height = sp as usize - m.traditional.base as usize;
    if height < INPUTS * size_of::<Word>() {
        return Err(Halt::StackUnderflow);
    }
    if OUTPUTS > INPUTS && height > (LIMIT + INPUTS - OUTPUTS) * size_of::<Word>() {
        return Err(Halt::StackOverflow);
    }
    let gas = gas - price;
    if gas < 0 {
        return Err(Halt::OutOfGas);
    }
    Ok(gas)
}

/// The operands of an opcode.
///
/// # Safety
/// `N` items are on the stack.
#[inline(always)]
unsafe fn operands<const N: usize>(sp: *mut Word, plain: bool) -> [Word; N] {
    // SAFETY: guaranteed by the caller.
    unsafe {
        if plain {
            let mut operands = [Word::ZERO; N];
            if N > 0 {
                operands[0] = *sp.sub(1);
            }
            if N > 1 {
                operands[1] = *sp.sub(2);
            }
            return operands;
        }
        stack::top(sp)
    }
}

/// The `N` bytes after the opcode at `ip`.
///
/// # Safety
/// The opcode is a PUSH of `N` bytes in the padded code.
#[inline(always)]
unsafe fn immediate<const N: usize>(ip: *const u8) -> Word {
    // SAFETY: 8 bytes starting at any byte of the immediate are inside the padded code.
    let eight = |at: usize| u64::from_be(unsafe { ip.add(1 + at).cast::<u64>().read_unaligned() });
    // Whole limbs from 8-byte loads, because the compiler does not combine loads of single bytes.
    let limb = |i: usize| match N.saturating_sub(8 * i) {
        0 => 0,
        short @ 1..8 => eight(0) >> (64 - 8 * short),
        _ => eight(N - 8 * (i + 1)),
    };
    Word([limb(0), limb(1), limb(2), limb(3)])
}

/// Jumps to `target` if it is a jumpdest, else halts.
///
/// # Safety
/// The contract of [`Handler`].
#[inline(always)]
unsafe fn jump<O: Observer>(target: Word, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<u8> {
    let target = target.saturating_u64();
    // SAFETY: the frame keeps its code alive; a jumpdest is inside it; the observer is an `O`.
    unsafe {
        let jumpdests = &*m.traditional.jumpdests;
        if !is_set(jumpdests, target) {
            return halt(m, Halt::InvalidJump);
        }
        let ip = m.traditional.start.add(target as usize);
        if O::COUNTS && is_wanted::<O>(target as usize, m) {
            return arrive(ip, sp, gas, m);
        }
        next::<O>(ip, sp, gas, m)
    }
}

/// Whether the observer wants to leave the loop at a jumpdest.
///
/// # Safety
/// The observer is an `O`.
#[inline(never)]
unsafe fn is_wanted<O: Observer>(pc: usize, m: &mut Machine) -> bool {
    // SAFETY: guaranteed by the caller.
    unsafe { (*m.traditional.observer.cast::<O>()).jumps(pc) }
}

/// Leaves the loop at a jumpdest chosen by the observer.
///
/// # Safety
/// The contract of [`Handler`].
#[inline(never)]
unsafe fn arrive(ip: *const u8, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<u8> {
    // SAFETY: guaranteed by the caller.
    unsafe { save(ip, sp, gas, m) };
    m.traditional.exit = Some(Exit::Jump);
    stop()
}

/// What follows the checks, by class. SAFETY of every arm: the contract of [`Handler`]; `check` verified that
/// the operands are on the stack and that there is room for the results.
macro_rules! step {
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal pure($function:expr)) => {{
        if is_long(Opcode($byte)) {
            let Some(result) = narrow(Opcode($byte), operands::<$inputs>($sp, false)) else {
                return long::$name::<O>($ip, $sp, $gas, $m);
            };
            stack::store($sp.sub($inputs), result);
        } else {
            stack::store(
                $sp.sub($inputs),
                $function(operands::<$inputs>($sp, is_chain(Opcode($byte)))),
            );
        }
        next::<O>($ip.add(1), $sp.sub($inputs).add(1), $gas, $m)
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal read($function:expr)) => {{
        let operands = operands::<$inputs>($sp, false);
        if is_short(Opcode($byte)) {
            stack::store($sp.sub($inputs), $function($m, operands));
        } else if is_input_word(Opcode($byte))
            && let Some(result) = input_word($m, operands)
        {
            stack::store($sp.sub($inputs), result);
        } else {
            outlined::$name($ip, $sp, $gas, $m);
        }
        next::<O>($ip.add(1), $sp.sub($inputs).add(1), $gas, $m)
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal memory($function:expr)) => {{
        let operands = operands::<$inputs>($sp, false);
        let at = operands[0].saturating_u64();
        let mut gas = $gas;
        if $m.frame.memory.window_at(at).is_none() {
            gas = $m.frame.memory.grow_in_place($gas, at);
            if gas < 0 {
                return called::$name::<O>($ip, $sp, $gas, $m);
            }
        }
        let Some(window) = $m.frame.memory.window_at(at) else {
            return called::$name::<O>($ip, $sp, $gas, $m);
        };
        let results = $function(window, operands);
        let sp = $sp.sub($inputs);
        stack::put(sp, results);
        next::<O>($ip.add(1), sp.add(results.len()), gas, $m)
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal machine($function:expr)) => {{
        if let Some(copied) = copied(Opcode($byte)) {
            let operands = operands::<$inputs>($sp, false);
            let left = copy_at_once($m, copied, operands, $gas);
            if left >= 0 {
                return next::<O>($ip.add(1), $sp.sub($inputs), left, $m);
            }
        }
        called::$name::<O>($ip, $sp, $gas, $m)
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal exit($function:expr)) => {{
        outlined::$name($ip, $sp, $gas, $m);
        stop()
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal push($n:literal)) => {{
        stack::store($sp, immediate::<$n>($ip));
        next::<O>($ip.add(1 + $n), $sp.add(1), $gas, $m)
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal dup($n:literal)) => {{
        stack::store($sp, stack::load($sp.sub($n)));
        next::<O>($ip.add(1), $sp.add(1), $gas, $m)
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal swap($n:literal)) => {{
        stack::swap($sp.sub(1), $sp.sub(1 + $n));
        next::<O>($ip.add(1), $sp, $gas, $m)
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal pop) => {
        next::<O>($ip.add(1), $sp.sub(1), $gas, $m)
    };
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal pc) => {{
        let pc = $ip as usize - $m.traditional.start as usize;
        stack::store($sp, Word::from(pc));
        next::<O>($ip.add(1), $sp.add(1), $gas, $m)
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal jumpdest) => {
        next::<O>($ip.add(1), $sp, $gas, $m)
    };
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal jump) => {{
        let [target] = operands::<1>($sp, false);
        jump::<O>(target, $sp.sub(1), $gas, $m)
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $byte:literal $name:ident $inputs:literal jumpi) => {{
        let [target, condition] = operands::<2>($sp, false);
        if condition.is_zero() {
            return next::<O>($ip.add(1), $sp.sub(2), $gas, $m);
        }
        jump::<O>(target, $sp.sub(2), $gas, $m)
    }};
}

/// The outlined part, by class; its value is the gas left. SAFETY of every arm: as for `step`.
macro_rules! outlined {
    ($ip:ident $sp:ident $gas:ident $m:ident $inputs:literal pure($function:expr)) => {{
        stack::store($sp.sub($inputs), $function(operands::<$inputs>($sp, false)));
        $gas
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $inputs:literal read($function:expr)) => {{
        stack::store(
            $sp.sub($inputs),
            $function($m, operands::<$inputs>($sp, false)),
        );
        $gas
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $inputs:literal memory($function:expr)) => {{
        let operands = operands::<$inputs>($sp, false);
        let mut gas = Gas::from_signed($gas);
        match $m.frame.memory.window_or_grow(&mut gas, operands[0]) {
            Ok(window) => {
                stack::put($sp.sub($inputs), $function(window, operands));
                gas.signed()
            }
            Err(_) => {
                $m.frame.gas = Gas::from_signed($gas);
                let reason = $m.short_of_memory(operands[0], Word::from(32u64));
                failed($m, reason)
            }
        }
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $inputs:literal machine($function:expr)) => {{
        $m.frame.gas = Gas::from_signed($gas);
        match $function($m, operands::<$inputs>($sp, false)) {
            Ok(results) => {
                stack::put($sp.sub($inputs), results);
                $m.frame.gas.signed()
            }
            Err(reason) => failed($m, reason),
        }
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $inputs:literal exit($function:expr)) => {{
        save($ip.add(1), $sp.sub($inputs), $gas, $m);
        let exit = $function($m, operands::<$inputs>($sp, false));
        $m.traditional.exit = Some(exit);
        $gas
    }};
    ($ip:ident $sp:ident $gas:ident $m:ident $inputs:literal $class:ident $(($arg:expr))?) => {{
        is_whole_in_step!($class);
        $gas
    }};
}

/// Compiles only for the classes that `step` does completely, so that a new class must be added here or
/// above.
macro_rules! is_whole_in_step {
    (push) => {};
    (dup) => {};
    (swap) => {};
    (pop) => {};
    (pc) => {};
    (jump) => {};
    (jumpi) => {};
    (jumpdest) => {};
}

#[cold]
#[inline(never)]
fn failed(m: &mut Machine, reason: Halt) -> i64 {
    halt(m, reason);
    FAILED
}

macro_rules! define {
    ($($byte:literal $name:ident $gas:literal $inputs:literal $outputs:literal $bits:literal $since:ident $class:ident $(($arg:expr))?;)*) => {
        /// One handler per opcode, with its name, which profiles show.
        #[allow(non_snake_case)]
        mod op {
            use super::*;
            $(pub(super) unsafe fn $name<O: Observer>(ip: *const u8, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<u8> {
                // SAFETY: the contract of `Handler`.
                unsafe {
                    if O::OBSERVES {
                        show::<O>(ip, sp, gas, m);
                    }
                    if Fork::$since > Fork::Frontier && m.traditional.fork < Fork::$since {
                        return halt(m, Halt::UndefinedOpcode);
                    }
                    let gas = match check::<$inputs, $outputs>(sp, gas, $gas, m) {
                        Ok(gas) => gas,
                        Err(reason) => return halt(m, reason),
                    };
                    step!(ip sp gas m $byte $name $inputs $class $(($arg))?)
                }
            })*
        }

        /// The parts of handlers that need the native stack.
        #[allow(dead_code, non_snake_case, unused_variables, reason = "empty for most classes")]
        mod outlined {
            use super::*;
            $(#[inline(never)]
            pub(super) unsafe fn $name(ip: *const u8, sp: *mut Word, gas: i64, m: &mut Machine) -> i64 {
                // SAFETY: the contract of `Handler`, and `check` passed.
                #[allow(unused_unsafe, reason = "empty for most classes")]
                unsafe {
                    outlined!(ip sp gas m $inputs $class $(($arg))?)
                }
            })*
        }

        /// The handlers of long opcodes whose result is not cheap: apart from the others, which then save no registers.
        #[allow(dead_code, non_snake_case, unused_unsafe, reason = "empty for most classes")]
        mod long {
            use super::*;
            $(#[inline(never)]
            pub(super) unsafe fn $name<O: Observer>(ip: *const u8, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<u8> {
                // SAFETY: the contract of `Handler`, and `check` passed.
                unsafe {
                    let gas = if is_flat(Opcode($byte)) {
                        outlined!(ip sp gas m $inputs $class $(($arg))?)
                    } else {
                        outlined::$name(ip, sp, gas, m)
                    };
                    next::<O>(ip.add(1), sp.sub($inputs).add($outputs), gas, m)
                }
            })*
        }

        /// Handlers that call the outlined part, or contain it if it is short, and continue with the next opcode.
        #[allow(dead_code, non_snake_case, unused_unsafe, reason = "empty for most classes")]
        mod called {
            use super::*;
            $(#[inline(always)]
            pub(super) unsafe fn $name<O: Observer>(ip: *const u8, sp: *mut Word, gas: i64, m: &mut Machine) -> Next<u8> {
                // SAFETY: the contract of `Handler`, and `check` passed.
                unsafe {
                    let gas = if is_short(Opcode($byte)) {
                        outlined!(ip sp gas m $inputs $class $(($arg))?)
                    } else {
                        outlined::$name(ip, sp, gas, m)
                    };
                    if gas == FAILED {
                        return stop();
                    }
                    next::<O>(ip.add(1), sp.sub($inputs).add($outputs), gas, m)
                }
            })*
        }

        /// The handlers, by the type of the observer.
        struct Table<O>(std::marker::PhantomData<O>);

        impl<O: Observer> Table<O> {
            const HANDLERS: &'static [Handler; 256] = &{
                let mut table = [undefined::<O> as Handler; 256];
                $(table[$byte] = op::$name::<O>;)*
                table
            };
        }
    };
}
opcodes! { define }

/// Handler of the bytes that are not opcodes.
unsafe fn undefined<O: Observer>(
    ip: *const u8,
    sp: *mut Word,
    gas: i64,
    m: &mut Machine,
) -> Next<u8> {
    if O::OBSERVES {
        // SAFETY: the contract of `Handler`.
        unsafe { show::<O>(ip, sp, gas, m) };
    }
    halt(m, Halt::UndefinedOpcode)
}
