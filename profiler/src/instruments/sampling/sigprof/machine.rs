//! The registers of an interrupted thread, as the kernel passes them to a signal handler.

use super::super::StackRegisters;
use nix::libc;

/// General registers in a sample.
#[cfg(target_arch = "x86_64")]
pub const REGISTERS: usize = 16;
/// General registers in a sample.
#[cfg(target_arch = "aarch64")]
pub const REGISTERS: usize = 32;

/// Where a thread was interrupted.
pub struct Interrupted {
    /// The instruction pointer.
    pub ip: u64,
    /// The registers needed for unwinding.
    pub unwind: StackRegisters,
    /// The general registers, beginning with that of a function's first argument.
    pub registers: [u64; REGISTERS],
}

impl Interrupted {
    /// Reads the registers. Only copies, since the handler calls it.
    #[cfg(target_arch = "x86_64")]
    pub fn at(context: &libc::ucontext_t) -> Interrupted {
        use libc::{
            REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RAX, REG_RBP,
            REG_RBX, REG_RCX, REG_RDI, REG_RDX, REG_RIP, REG_RSI, REG_RSP,
        };
        let register = |name: libc::c_int| context.uc_mcontext.gregs[name as usize] as u64;
        let names = [
            REG_RDI, REG_RSI, REG_RDX, REG_RCX, REG_R8, REG_R9, REG_RAX, REG_RBX, REG_RBP, REG_RSP,
            REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
        ];
        Interrupted {
            ip: register(REG_RIP),
            unwind: StackRegisters {
                stack: register(REG_RSP),
                frame: register(REG_RBP),
                link: 0,
            },
            registers: names.map(register),
        }
    }

    /// Reads the registers. Only copies, since the handler calls it.
    #[cfg(target_arch = "aarch64")]
    pub fn at(context: &libc::ucontext_t) -> Interrupted {
        let machine = &context.uc_mcontext;
        let mut registers = [machine.sp; REGISTERS];
        registers[..31].copy_from_slice(&machine.regs);
        Interrupted {
            ip: machine.pc,
            unwind: StackRegisters {
                stack: machine.sp,
                frame: machine.regs[29],
                link: machine.regs[30],
            },
            registers,
        }
    }
}
