//! Runs a program: one handler an instruction, each of which returns the next instruction and the stack
//! pointer, in two registers. It owns operand fetch, block checks and jumps; what opcodes mean is in
//! `ops`.
//!
//! Returning to a loop costs up to a fifth against tail calls, and is right in every build: it cannot
//! grow the native stack where the compiler does not make a call a jump.
//!
//! Unsafe: instructions and stack are read and written through pointers. The decoder vouches for the
//! stream (every handler is followed by its operands, every block ends in a handler that leaves it,
//! jumps lead to headers); the headers vouch for the stack.

#![allow(unsafe_code)]

use super::program::{Cell, HEADER_CELLS, Header, Pending, Program};
use crate::frame::{Exit, Machine};
use crate::gas::Gas;
use crate::opcode::{Opcode, opcodes};
use crate::ops::*;
use crate::outcome::Halt;
use crate::stack;
use crate::word::Word;

/// The next instruction, null to leave the loop, and the stack pointer.
type Next = (*const Cell, *mut Word);

/// What runs an instruction at a cell.
///
/// # Safety
/// The cell is the handler's own, with its operands behind it; the stack pointer is that of the
/// running frame, and the block's header has checked the stack.
pub(super) type Handler = unsafe fn(*const Cell, *mut Word, &mut State) -> Next;

/// What all handlers share.
pub(super) struct State<'a, 'm> {
    /// Gas left, less the static gas of the block under way.
    gas: Gas,
    base: *const Word,
    machine: &'a mut Machine<'m>,
    program: &'a Program,
    /// Why the loop was left; `None`: the traditional mode is to go on at the frame's position.
    exit: Option<Exit>,
}

/// Runs the machine's frame from its position in the program on, until it ends or calls; `None` where
/// the traditional mode has to go on, from the frame's position, which is one in the code then.
pub(crate) fn execute(program: &Program, machine: &mut Machine) -> Option<Exit> {
    let base = machine.stack.frame(machine.frame.base);
    let mut ip = &raw const program.stream[machine.frame.position];
    // SAFETY: a frame has at most `LIMIT` items, and `Stack::frame` gives room for as many.
    let mut sp = unsafe { base.add(machine.frame.height) };
    let mut state = State {
        gas: machine.frame.gas,
        base,
        machine,
        program,
        exit: None,
    };
    while !ip.is_null() {
        // SAFETY: a frame's position is that of a header, and every handler returns the cell of an
        // instruction, for which the header of its block has checked the stack.
        (ip, sp) = unsafe { ((*ip).handler)(ip, sp, &mut state) };
    }
    state.exit
}

impl State<'_, '_> {
    /// Leaves the loop with the frame's state put back.
    fn leave(&mut self, sp: *mut Word, position: usize, exit: Option<Exit>) -> Next {
        let frame = &mut self.machine.frame;
        frame.gas = self.gas;
        frame.position = position;
        frame.height = (sp as usize - self.base as usize) / size_of::<Word>();
        self.exit = exit;
        (std::ptr::null(), sp)
    }

    #[cold]
    fn halt(&mut self, sp: *mut Word, halt: Halt) -> Next {
        self.leave(sp, 0, Some(Exit::Halt(halt)))
    }

    /// Goes on in the traditional mode at `pc`, which will find out what is wrong.
    #[cold]
    fn resume(&mut self, sp: *mut Word, pc: usize) -> Next {
        self.leave(sp, pc, None)
    }

    /// Checks the block whose header is at `ip`, takes its gas, and goes to its first instruction.
    ///
    /// # Safety
    /// `ip` is at a header, `sp` is the frame's.
    #[inline(always)]
    unsafe fn enter(&mut self, ip: *const Cell, sp: *mut Word) -> Next {
        // SAFETY: a header has three cells, the last two are numbers, and an instruction follows.
        unsafe {
            let header = Header::unpack((*ip.add(1)).number);
            let height = sp as usize - self.base as usize;
            let fits = height >= usize::from(header.least) && height <= usize::from(header.most);
            if !fits || self.gas.charge(u64::from(header.gas)).is_err() {
                return self.resume(sp, (*ip.add(2)).number as usize);
            }
            (ip.add(HEADER_CELLS), sp)
        }
    }

    /// Jumps to an offset in the code.
    #[inline(always)]
    fn jump(&mut self, sp: *mut Word, target: Word) -> Next {
        match self.program.entry(target.saturating_u64()) {
            // SAFETY: an entry is a header.
            Some(header) => unsafe { self.enter(&raw const self.program.stream[header], sp) },
            None => self.halt(sp, Halt::InvalidJump),
        }
    }

    /// Runs `body` with exact gas: as if the block's gas were taken opcode by opcode. Where it does not
    /// suffice for the rest of the block, the traditional mode finds the opcode that fails.
    ///
    /// # Safety
    /// A packed [`Pending`] follows `ip`.
    #[inline(always)]
    unsafe fn exact<const OUT: usize>(
        &mut self,
        ip: *const Cell,
        sp: *mut Word,
        body: impl FnOnce(&mut Self) -> Result<[Word; OUT], Halt>,
    ) -> Next {
        // SAFETY: the caller's; the block's header has checked that there is room for the results.
        unsafe {
            let pending = Pending::unpack((*ip.add(1)).number);
            self.gas.give_back(u64::from(pending.gas));
            match body(self) {
                Ok(results) => stack::put(sp, results),
                Err(halt) => return self.halt(sp, halt),
            }
            let sp = sp.add(OUT);
            if self.gas.charge(u64::from(pending.gas)).is_err() {
                return self.resume(sp, pending.pc as usize);
            }
            (ip.add(2), sp)
        }
    }
}

/// The body of a handler, by class. SAFETY of every arm: the contract of [`Handler`].
macro_rules! body {
    ($ip:ident $sp:ident $s:ident $inputs:literal pure($function:expr)) => {
        // SAFETY: the contract of `Handler`.
        unsafe {
            let operands = stack::top::<$inputs>($sp);
            let sp = $sp.sub($inputs);
            stack::put(sp, [$function(operands)]);
            ($ip.add(1), sp.add(1))
        }
    };
    ($ip:ident $sp:ident $s:ident $inputs:literal read($function:expr)) => {
        // SAFETY: the contract of `Handler`.
        unsafe {
            let operands = stack::top::<$inputs>($sp);
            let sp = $sp.sub($inputs);
            stack::put(sp, [$function($s.machine, operands)]);
            ($ip.add(1), sp.add(1))
        }
    };
    ($ip:ident $sp:ident $s:ident $inputs:literal memory($function:expr)) => {{
        /// Memory grows: apart, so that the common case needs no stack frame.
        #[cold]
        unsafe fn grow(ip: *const Cell, sp: *mut Word, s: &mut State) -> Next {
            // SAFETY: the contract of `Handler`.
            unsafe {
                let operands = stack::top::<$inputs>(sp);
                s.exact(ip, sp.sub($inputs), |s| {
                    let window = s
                        .machine
                        .frame
                        .memory
                        .window_or_grow(&mut s.gas, operands[0])?;
                    Ok($function(window, operands))
                })
            }
        }
        // SAFETY: the contract of `Handler`.
        unsafe {
            let operands = stack::top::<$inputs>($sp);
            match $s.machine.frame.memory.window(operands[0]) {
                Some(window) => {
                    let results = $function(window, operands);
                    let sp = $sp.sub($inputs);
                    stack::put(sp, results);
                    ($ip.add(2), sp.add(results.len()))
                }
                None => grow($ip, $sp, $s),
            }
        }
    }};
    ($ip:ident $sp:ident $s:ident $inputs:literal machine($function:expr)) => {
        // SAFETY: the contract of `Handler`.
        unsafe {
            let operands = stack::top::<$inputs>($sp);
            $s.exact($ip, $sp.sub($inputs), |s| {
                s.machine.frame.gas = s.gas;
                let results = $function(s.machine, operands);
                s.gas = s.machine.frame.gas;
                results
            })
        }
    };
    ($ip:ident $sp:ident $s:ident $inputs:literal exit($function:expr)) => {
        // SAFETY: the contract of `Handler`.
        unsafe {
            let operands = stack::top::<$inputs>($sp);
            let next = $s.leave($sp.sub($inputs), (*$ip.add(1)).number as usize, None);
            $s.exit = Some($function($s.machine, operands));
            next
        }
    };
    ($ip:ident $sp:ident $s:ident $inputs:literal dup($n:literal)) => {
        // SAFETY: the contract of `Handler`.
        unsafe {
            stack::store($sp, stack::load($sp.sub($n)));
            ($ip.add(1), $sp.add(1))
        }
    };
    ($ip:ident $sp:ident $s:ident $inputs:literal swap($n:literal)) => {
        // SAFETY: the contract of `Handler`.
        unsafe {
            stack::swap($sp.sub(1), $sp.sub(1 + $n));
            ($ip.add(1), $sp)
        }
    };
    ($ip:ident $sp:ident $s:ident $inputs:literal pop) => {
        // SAFETY: the contract of `Handler`.
        unsafe { ($ip.add(1), $sp.sub(1)) }
    };
    ($ip:ident $sp:ident $s:ident $inputs:literal jump) => {
        // SAFETY: the contract of `Handler`.
        unsafe {
            let [target] = stack::top($sp);
            $s.jump($sp.sub(1), target)
        }
    };
    ($ip:ident $sp:ident $s:ident $inputs:literal jumpi) => {
        // SAFETY: the contract of `Handler`.
        unsafe {
            let [target, condition] = stack::top($sp);
            let sp = $sp.sub(2);
            if condition.is_zero() {
                $s.enter($ip.add(1), sp)
            } else {
                $s.jump(sp, target)
            }
        }
    };
    // Pushes and PC become constants, a jumpdest becomes a header.
    ($ip:ident $sp:ident $s:ident $inputs:literal $decoded:ident $(($n:literal))?) => {
        $s.halt($sp, Halt::UndefinedOpcode)
    };
}

/// The body of a handler whose top operand comes from `$top`; only `pure` opcodes have one. The operand
/// cell follows the handler.
macro_rules! fused {
    ($ip:ident $sp:ident $s:ident $inputs:literal pure($function:expr); $top:expr) => {
        // SAFETY: the contract of `Handler`.
        unsafe {
            let operands = stack::under::<$inputs>($top, $sp);
            let sp = $sp.add(1).sub($inputs);
            stack::put(sp, [$function(operands)]);
            ($ip.add(2), sp.add(1))
        }
    };
    ($ip:ident $sp:ident $s:ident $inputs:literal $class:ident $(($arg:expr))?; $top:expr) => {
        $s.halt($sp, Halt::UndefinedOpcode)
    };
}

macro_rules! define {
    ($($byte:literal $name:ident $gas:literal $inputs:literal $outputs:literal $since:ident $class:ident $(($arg:expr))?;)*) => {
        /// One handler an opcode, under its name, which is what profiles show.
        #[allow(non_snake_case, unused_variables)]
        mod handlers {
            use super::*;
            $(pub(super) unsafe fn $name(ip: *const Cell, sp: *mut Word, s: &mut State) -> Next {
                body!(ip sp s $inputs $class $(($arg))?)
            })*
        }

        /// As `handlers`, with a constant in the place of the top operand.
        #[allow(non_snake_case, unused_variables)]
        mod immediate {
            use super::*;
            $(pub(super) unsafe fn $name(ip: *const Cell, sp: *mut Word, s: &mut State) -> Next {
                fused!(ip sp s $inputs $class $(($arg))?; Word::from((*ip.add(1)).number))
            })*
        }

        /// As `handlers`, with a copy of an item in the place of the top operand.
        #[allow(non_snake_case, unused_variables)]
        mod duplicated {
            use super::*;
            $(pub(super) unsafe fn $name(ip: *const Cell, sp: *mut Word, s: &mut State) -> Next {
                fused!(ip sp s $inputs $class $(($arg))?; stack::load(sp.sub((*ip.add(1)).number as usize)))
            })*
        }

        /// The handler of PUSH and a `pure` opcode of two operands.
        pub(super) fn immediate_handler(op: Opcode) -> Handler {
            match op.0 {
                $($byte => immediate::$name,)*
                _ => undefined,
            }
        }

        /// The handler of DUP and a `pure` opcode of two operands.
        pub(super) fn duplicated_handler(op: Opcode) -> Handler {
            match op.0 {
                $($byte => duplicated::$name,)*
                _ => undefined,
            }
        }

        /// The handler of a defined opcode.
        pub(super) fn handler(op: Opcode) -> Handler {
            match op.0 {
                $($byte => handlers::$name,)*
                _ => undefined,
            }
        }
    };
}
opcodes! { define }

pub(super) const BLOCK: Handler = block;
pub(super) const UNDEFINED: Handler = undefined;
pub(super) const PUSH_SHORT: Handler = push_short;
pub(super) const PUSH_LONG: Handler = push_long;
pub(super) const JUMP_STATIC: Handler = jump_static;
pub(super) const JUMPI_STATIC: Handler = jumpi_static::<true>;
pub(super) const JUMPI_STATIC_ZERO: Handler = jumpi_static::<false>;
pub(super) const DUP_DUP: Handler = dup_dup;
pub(super) const SWAP_POP: Handler = swap_pop;

unsafe fn block(ip: *const Cell, sp: *mut Word, s: &mut State) -> Next {
    // SAFETY: the contract of `Handler`.
    unsafe { s.enter(ip, sp) }
}

unsafe fn undefined(_: *const Cell, sp: *mut Word, s: &mut State) -> Next {
    s.halt(sp, Halt::UndefinedOpcode)
}

/// A constant below 2^64.
unsafe fn push_short(ip: *const Cell, sp: *mut Word, _: &mut State) -> Next {
    // SAFETY: the contract of `Handler`.
    unsafe {
        stack::store(sp, Word::from((*ip.add(1)).number));
        (ip.add(2), sp.add(1))
    }
}

unsafe fn push_long(ip: *const Cell, sp: *mut Word, _: &mut State) -> Next {
    // SAFETY: the contract of `Handler`.
    unsafe {
        stack::store(sp, Word(std::array::from_fn(|i| (*ip.add(1 + i)).number)));
        (ip.add(5), sp.add(1))
    }
}

/// PUSH and JUMP.
unsafe fn jump_static(ip: *const Cell, sp: *mut Word, s: &mut State) -> Next {
    // SAFETY: the contract of `Handler`; the distance counts from its own cell.
    unsafe {
        let operand = ip.add(1);
        s.enter(operand.offset((*operand).number as isize), sp)
    }
}

/// PUSH and JUMPI, taken where the condition is not zero (`TAKEN`), or with an ISZERO before, where it is.
unsafe fn jumpi_static<const TAKEN: bool>(ip: *const Cell, sp: *mut Word, s: &mut State) -> Next {
    // SAFETY: the contract of `Handler`; the distance counts from its own cell.
    unsafe {
        let [condition] = stack::top(sp);
        let operand = ip.add(1);
        let taken = condition.is_zero() != TAKEN;
        let header = if taken {
            operand.offset((*operand).number as isize)
        } else {
            ip.add(2)
        };
        s.enter(header, sp.sub(1))
    }
}

/// Two DUPs.
unsafe fn dup_dup(ip: *const Cell, sp: *mut Word, _: &mut State) -> Next {
    // SAFETY: the contract of `Handler`.
    unsafe {
        let depths = (*ip.add(1)).number;
        stack::store(sp, stack::load(sp.sub(depths as u32 as usize)));
        stack::store(
            sp.add(1),
            stack::load(sp.add(1).sub((depths >> 32) as usize)),
        );
        (ip.add(2), sp.add(2))
    }
}

/// SWAP and POP: the top item into the place of another.
unsafe fn swap_pop(ip: *const Cell, sp: *mut Word, _: &mut State) -> Next {
    // SAFETY: the contract of `Handler`.
    unsafe {
        stack::store(sp.sub((*ip.add(1)).number as usize), stack::load(sp.sub(1)));
        (ip.add(2), sp.sub(1))
    }
}
