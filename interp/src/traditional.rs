//! The traditional mode: fetch, check, charge, execute, byte by byte. The reference for every other.
//!
//! One `match` over the rows of the opcode table. It owns operand fetch, static checks and jumps;
//! what opcodes mean is in `ops`.
//!
//! Unsafe: code and stack are read and written through pointers that the loop has just checked.

#![allow(unsafe_code)]

use crate::fork::Fork;
use crate::frame::{Exit, Machine};
use crate::gas::Gas;
use crate::opcode::{Opcode, opcodes};
use crate::ops::*;
use crate::outcome::Halt;
use crate::stack::{self, LIMIT};
use crate::trace::{Observer, Step};
use crate::word::Word;
use std::sync::Arc;

/// Runs the machine's frame from its position on, until it ends or calls.
pub(crate) fn execute<O: Observer>(m: &mut Machine, observer: &mut O) -> Exit {
    let code = Arc::clone(&m.frame.code);
    let base = m.stack.frame(m.frame.base);
    let mut r = Registers {
        // SAFETY: a position is inside the code or right behind it, and the padding follows.
        ip: unsafe { code.padded().as_ptr().add(m.frame.position) },
        // SAFETY: a frame has at most `LIMIT` items, and `Stack::frame` gives room for as many.
        sp: unsafe { base.add(m.frame.height) },
        gas: m.frame.gas,
        base,
        start: code.padded().as_ptr(),
        jumpdests: code.jumpdests(),
    };

    // What follows the checks, by class. SAFETY of every arm: `check` saw the operands on the stack
    // and room for the results, and `ip` points at the opcode of the arm.
    macro_rules! step {
        ($inputs:literal pure($function:expr)) => {
            // SAFETY: the contract of the arms, above.
            unsafe {
                let operands = r.pop::<$inputs>();
                r.push([$function(operands)]);
                r.advance(1);
            }
        };
        ($inputs:literal read($function:expr)) => {
            // SAFETY: the contract of the arms, above.
            unsafe {
                let operands = r.pop::<$inputs>();
                r.push([$function(m, operands)]);
                r.advance(1);
            }
        };
        ($inputs:literal memory($function:expr)) => {
            // SAFETY: the contract of the arms, above.
            unsafe {
                let operands = r.pop::<$inputs>();
                match m.frame.memory.window_or_grow(&mut r.gas, operands[0]) {
                    Ok(window) => r.push($function(window, operands)),
                    Err(halt) => break Exit::Halt(halt),
                }
                r.advance(1);
            }
        };
        ($inputs:literal machine($function:expr)) => {
            // SAFETY: the contract of the arms, above.
            unsafe {
                let operands = r.pop::<$inputs>();
                m.frame.gas = r.gas;
                match $function(m, operands) {
                    Ok(results) => r.push(results),
                    Err(halt) => break Exit::Halt(halt),
                }
                r.gas = m.frame.gas;
                r.advance(1);
            }
        };
        ($inputs:literal exit($function:expr)) => {
            // SAFETY: the contract of the arms, above.
            unsafe {
                let operands = r.pop::<$inputs>();
                r.advance(1);
                r.save(m);
                break $function(m, operands);
            }
        };
        ($inputs:literal push($n:literal)) => {
            // SAFETY: the contract of the arms, above.
            unsafe { r.push_immediate::<$n>() }
        };
        ($inputs:literal dup($n:literal)) => {
            // SAFETY: the contract of the arms, above.
            unsafe {
                r.push([stack::load(r.sp.sub($n))]);
                r.advance(1);
            }
        };
        ($inputs:literal swap($n:literal)) => {
            // SAFETY: the contract of the arms, above.
            unsafe {
                stack::swap(r.sp.sub(1), r.sp.sub(1 + $n));
                r.advance(1);
            }
        };
        ($inputs:literal pop) => {
            // SAFETY: the contract of the arms, above.
            unsafe {
                r.sp = r.sp.sub(1);
                r.advance(1);
            }
        };
        ($inputs:literal pc) => {
            // SAFETY: the contract of the arms, above.
            unsafe {
                r.push([r.pc().into()]);
                r.advance(1);
            }
        };
        ($inputs:literal jumpdest) => {
            // SAFETY: the contract of the arms, above.
            unsafe { r.advance(1) }
        };
        ($inputs:literal jump) => {
            // SAFETY: the contract of the arms, above.
            unsafe {
                let [target] = r.pop();
                if let Err(halt) = r.jump(target) {
                    break Exit::Halt(halt);
                }
                if O::COUNTS && observer.jumps(r.pc()) {
                    r.save(m);
                    break Exit::Jump;
                }
            }
        };
        ($inputs:literal jumpi) => {
            // SAFETY: the contract of the arms, above.
            unsafe {
                let [target, condition] = r.pop();
                if condition.is_zero() {
                    r.advance(1);
                } else if let Err(halt) = r.jump(target) {
                    break Exit::Halt(halt);
                } else if O::COUNTS && observer.jumps(r.pc()) {
                    r.save(m);
                    break Exit::Jump;
                }
            }
        };
    }

    macro_rules! dispatch {
        ($($byte:literal $name:ident $gas:literal $inputs:literal $outputs:literal $since:ident $class:ident $(($arg:expr))?;)*) => {
            loop {
                // SAFETY: `ip` is inside the padded code: jumps go to checked positions, a PUSH moves
                // over at most the padding, and the padding is STOP.
                let byte = unsafe { *r.ip };
                if O::OBSERVES {
                    r.show(m, byte, observer);
                }
                match byte {
                    $($byte => {
                        if Fork::$since > Fork::Frontier && m.rules.fork < Fork::$since {
                            break Exit::Halt(Halt::UndefinedOpcode);
                        }
                        if let Err(halt) = r.check::<$inputs, $outputs>($gas) {
                            break Exit::Halt(halt);
                        }
                        step!($inputs $class $(($arg))?);
                    })*
                    _ => break Exit::Halt(Halt::UndefinedOpcode),
                }
            }
        };
    }
    opcodes! { dispatch }
}

/// What the loop keeps in machine registers.
struct Registers<'a> {
    ip: *const u8,
    sp: *mut Word,
    gas: Gas,
    base: *mut Word,
    start: *const u8,
    jumpdests: &'a [u64],
}

impl Registers<'_> {
    /// Stack underflow, stack overflow, gas: in this order, which the status shows.
    #[inline(always)]
    fn check<const INPUTS: usize, const OUTPUTS: usize>(&mut self, gas: u64) -> Result<(), Halt> {
        let height = self.sp as usize - self.base as usize;
        if height < INPUTS * size_of::<Word>() {
            return Err(Halt::StackUnderflow);
        }
        if OUTPUTS > INPUTS && height > (LIMIT + INPUTS - OUTPUTS) * size_of::<Word>() {
            return Err(Halt::StackOverflow);
        }
        self.gas.charge(gas)
    }

    /// # Safety
    /// `N` items are on the stack.
    #[inline(always)]
    unsafe fn pop<const N: usize>(&mut self) -> [Word; N] {
        // SAFETY: the caller's.
        unsafe {
            let words = stack::top(self.sp);
            self.sp = self.sp.sub(N);
            words
        }
    }

    /// # Safety
    /// There is room for `N` items.
    #[inline(always)]
    unsafe fn push<const N: usize>(&mut self, words: [Word; N]) {
        // SAFETY: the caller's.
        unsafe {
            stack::put(self.sp, words);
            self.sp = self.sp.add(N);
        }
    }

    /// Pushes the `N` bytes behind the opcode and moves behind them.
    ///
    /// # Safety
    /// `ip` points at an opcode of the code, and there is room for an item.
    #[inline(always)]
    unsafe fn push_immediate<const N: usize>(&mut self) {
        // SAFETY: 8 bytes from any byte of the immediate on are inside the padded code.
        let eight =
            |at: usize| u64::from_be(unsafe { self.ip.add(1 + at).cast::<u64>().read_unaligned() });
        // Limb by limb from 8-byte loads: from single bytes the compiler makes single loads.
        let limb = |i: usize| match N.saturating_sub(8 * i) {
            0 => 0,
            short @ 1..8 => eight(0) >> (64 - 8 * short),
            _ => eight(N - 8 * (i + 1)),
        };
        let word = Word([limb(0), limb(1), limb(2), limb(3)]);
        // SAFETY: the caller's.
        unsafe {
            self.push([word]);
            self.advance(1 + N);
        }
    }

    /// # Safety
    /// The code goes on for as many bytes.
    #[inline(always)]
    unsafe fn advance(&mut self, bytes: usize) {
        // SAFETY: the caller's.
        self.ip = unsafe { self.ip.add(bytes) };
    }

    #[inline(always)]
    fn pc(&self) -> usize {
        self.ip as usize - self.start as usize
    }

    #[inline(always)]
    fn jump(&mut self, target: Word) -> Result<(), Halt> {
        let target = target.saturating_u64();
        let bits = self
            .jumpdests
            .get((target / 64) as usize)
            .copied()
            .unwrap_or(0);
        if bits >> (target % 64) & 1 == 0 {
            return Err(Halt::InvalidJump);
        }
        // SAFETY: a jumpdest is inside the code.
        self.ip = unsafe { self.start.add(target as usize) };
        Ok(())
    }

    /// Back into the frame, where opcodes and the driver see it. Always inlined, as all methods: a
    /// reference to the registers would put them into memory.
    #[inline(always)]
    fn save(&self, m: &mut Machine) {
        m.frame.gas = self.gas;
        m.frame.position = self.pc();
        m.frame.height = (self.sp as usize - self.base as usize) / size_of::<Word>();
    }

    #[inline(always)]
    fn show<O: Observer>(&self, m: &mut Machine, byte: u8, observer: &mut O) {
        self.save(m);
        observer.step(Step {
            pc: self.pc(),
            opcode: Opcode(byte),
            gas: self.gas.left(),
            depth: m.frame.message.depth,
            address: m.frame.message.recipient,
            // SAFETY: `height` items from `base` on are on the stack.
            stack: unsafe { std::slice::from_raw_parts(self.base, m.frame.height) },
            memory: m.frame.memory.as_slice(),
            return_data: &m.frame.return_data,
            refund: m.frame.refund,
        });
    }
}
