//! The opcode table: one row per opcode. Everything else about opcodes is derived from it: the dispatch of
//! both modes, disassembly, assembly, the checks of the decoder, the tests.
//!
//! A row gives byte, name, static gas, stack inputs and outputs, bits of the result, the fork that introduced
//! it, and its class with the function in `ops` that implements it (Yellow Paper, appendix H; later opcodes
//! by their EIPs). The result is always below 2^bits, which lets the translator omit masks; 256 means no
//! bound, 0 no result. Static gas is the part that does not depend on operands, state or fork. Dynamic gas is
//! charged by the opcode's function and is not in the row.
//!
//! The classes, which are the signatures of the functions in `ops`:
//!
//! | class | function | may |
//! | --- | --- | --- |
//! | `pure` | `fn([Word; IN]) -> Word` | compute |
//! | `read` | `fn(&Machine, [Word; IN]) -> Word` | read the frame and the environment |
//! | `memory` | `fn(&mut [u8; 32], [Word; IN]) -> [Word; OUT]` | use the 32 bytes at operand 0, already charged |
//! | `machine` | `fn(&mut Machine, [Word; IN]) -> Result<[Word; OUT], Halt>` | see exact gas, use the host |
//! | `exit` | `fn(&mut Machine, [Word; IN]) -> Exit` | leave the dispatch loop |
//! | `push` `dup` `swap` `pop` `pc` `jump` `jumpi` `jumpdest` | none | implemented by each mode |
//!
//! When a function is called, the stack has been checked and popped (operand 0 was on top), static gas has
//! been charged, and the opcode exists in the fork.

use crate::fork::Fork;
use std::fmt;

/// Passes the rows to the macro `$callback`, after `$prefix`.
macro_rules! opcodes {
    ($callback:ident $($prefix:tt)*) => {
        $callback! { $($prefix)*
            0x00 STOP               0  0  0   0 Frontier        exit(control::stop);
            0x01 ADD                3  2  1 256 Frontier        pure(arithmetic::add);
            0x02 MUL                5  2  1 256 Frontier        pure(arithmetic::mul);
            0x03 SUB                3  2  1 256 Frontier        pure(arithmetic::sub);
            0x04 DIV                5  2  1 256 Frontier        pure(arithmetic::div);
            0x05 SDIV               5  2  1 256 Frontier        pure(arithmetic::sdiv);
            0x06 MOD                5  2  1 256 Frontier        pure(arithmetic::rem);
            0x07 SMOD               5  2  1 256 Frontier        pure(arithmetic::smod);
            0x08 ADDMOD             8  3  1 256 Frontier        pure(arithmetic::addmod);
            0x09 MULMOD             8  3  1 256 Frontier        pure(arithmetic::mulmod);
            0x0a EXP               10  2  1 256 Frontier        machine(arithmetic::exp);
            0x0b SIGNEXTEND         5  2  1 256 Frontier        pure(arithmetic::signextend);
            0x10 LT                 3  2  1   1 Frontier        pure(bitwise::lt);
            0x11 GT                 3  2  1   1 Frontier        pure(bitwise::gt);
            0x12 SLT                3  2  1   1 Frontier        pure(bitwise::slt);
            0x13 SGT                3  2  1   1 Frontier        pure(bitwise::sgt);
            0x14 EQ                 3  2  1   1 Frontier        pure(bitwise::eq);
            0x15 ISZERO             3  1  1   1 Frontier        pure(bitwise::iszero);
            0x16 AND                3  2  1 256 Frontier        pure(bitwise::and);
            0x17 OR                 3  2  1 256 Frontier        pure(bitwise::or);
            0x18 XOR                3  2  1 256 Frontier        pure(bitwise::xor);
            0x19 NOT                3  1  1 256 Frontier        pure(bitwise::not);
            0x1a BYTE               3  2  1   8 Frontier        pure(bitwise::byte);
            0x1b SHL                3  2  1 256 Constantinople  pure(bitwise::shl);
            0x1c SHR                3  2  1 256 Constantinople  pure(bitwise::shr);
            0x1d SAR                3  2  1 256 Constantinople  pure(bitwise::sar);
            0x1e CLZ                5  1  1   9 Osaka           pure(bitwise::clz);
            0x20 KECCAK256         30  2  1 256 Frontier        machine(memory::keccak256);
            0x30 ADDRESS            2  0  1 160 Frontier        read(environment::address);
            0x31 BALANCE            0  1  1 256 Frontier        machine(environment::balance);
            0x32 ORIGIN             2  0  1 160 Frontier        read(environment::origin);
            0x33 CALLER             2  0  1 160 Frontier        read(environment::caller);
            0x34 CALLVALUE          2  0  1 256 Frontier        read(environment::callvalue);
            0x35 CALLDATALOAD       3  1  1 256 Frontier        read(environment::calldataload);
            0x36 CALLDATASIZE       2  0  1  64 Frontier        read(environment::calldatasize);
            0x37 CALLDATACOPY       3  3  0   0 Frontier        machine(memory::calldatacopy);
            0x38 CODESIZE           2  0  1 256 Frontier        read(environment::codesize);
            0x39 CODECOPY           3  3  0   0 Frontier        machine(memory::codecopy);
            0x3a GASPRICE           2  0  1 256 Frontier        read(environment::gasprice);
            0x3b EXTCODESIZE        0  1  1  64 Frontier        machine(environment::extcodesize);
            0x3c EXTCODECOPY        0  4  0   0 Frontier        machine(memory::extcodecopy);
            0x3d RETURNDATASIZE     2  0  1  64 Byzantium       read(environment::returndatasize);
            0x3e RETURNDATACOPY     3  3  0   0 Byzantium       machine(memory::returndatacopy);
            0x3f EXTCODEHASH        0  1  1 256 Constantinople  machine(environment::extcodehash);
            0x40 BLOCKHASH         20  1  1 256 Frontier        machine(environment::blockhash);
            0x41 COINBASE           2  0  1 160 Frontier        read(environment::coinbase);
            0x42 TIMESTAMP          2  0  1  64 Frontier        read(environment::timestamp);
            0x43 NUMBER             2  0  1  64 Frontier        read(environment::number);
            0x44 PREVRANDAO         2  0  1 256 Frontier        read(environment::prevrandao);
            0x45 GASLIMIT           2  0  1  64 Frontier        read(environment::gaslimit);
            0x46 CHAINID            2  0  1  64 Istanbul        read(environment::chainid);
            0x47 SELFBALANCE        5  0  1 256 Istanbul        machine(environment::selfbalance);
            0x48 BASEFEE            2  0  1 256 London          read(environment::basefee);
            0x49 BLOBHASH           3  1  1 256 Cancun          read(environment::blobhash);
            0x4a BLOBBASEFEE        2  0  1 256 Cancun          read(environment::blobbasefee);
            0x50 POP                2  1  0   0 Frontier        pop;
            0x51 MLOAD              3  1  1 256 Frontier        memory(memory::mload);
            0x52 MSTORE             3  2  0   0 Frontier        memory(memory::mstore);
            0x53 MSTORE8            3  2  0   0 Frontier        machine(memory::mstore8);
            0x54 SLOAD              0  1  1 256 Frontier        machine(storage::sload);
            0x55 SSTORE             0  2  0   0 Frontier        machine(storage::sstore);
            0x56 JUMP               8  1  0   0 Frontier        jump;
            0x57 JUMPI             10  2  0   0 Frontier        jumpi;
            0x58 PC                 2  0  1 256 Frontier        pc;
            0x59 MSIZE              2  0  1  64 Frontier        read(memory::msize);
            0x5a GAS                2  0  1  64 Frontier        machine(environment::gas);
            0x5b JUMPDEST           1  0  0   0 Frontier        jumpdest;
            0x5c TLOAD            100  1  1 256 Cancun          machine(storage::tload);
            0x5d TSTORE           100  2  0   0 Cancun          machine(storage::tstore);
            0x5e MCOPY              3  3  0   0 Cancun          machine(memory::mcopy);
            0x5f PUSH0              2  0  1 256 Shanghai        push(0);
            0x60 PUSH1              3  0  1 256 Frontier        push(1);
            0x61 PUSH2              3  0  1 256 Frontier        push(2);
            0x62 PUSH3              3  0  1 256 Frontier        push(3);
            0x63 PUSH4              3  0  1 256 Frontier        push(4);
            0x64 PUSH5              3  0  1 256 Frontier        push(5);
            0x65 PUSH6              3  0  1 256 Frontier        push(6);
            0x66 PUSH7              3  0  1 256 Frontier        push(7);
            0x67 PUSH8              3  0  1 256 Frontier        push(8);
            0x68 PUSH9              3  0  1 256 Frontier        push(9);
            0x69 PUSH10             3  0  1 256 Frontier        push(10);
            0x6a PUSH11             3  0  1 256 Frontier        push(11);
            0x6b PUSH12             3  0  1 256 Frontier        push(12);
            0x6c PUSH13             3  0  1 256 Frontier        push(13);
            0x6d PUSH14             3  0  1 256 Frontier        push(14);
            0x6e PUSH15             3  0  1 256 Frontier        push(15);
            0x6f PUSH16             3  0  1 256 Frontier        push(16);
            0x70 PUSH17             3  0  1 256 Frontier        push(17);
            0x71 PUSH18             3  0  1 256 Frontier        push(18);
            0x72 PUSH19             3  0  1 256 Frontier        push(19);
            0x73 PUSH20             3  0  1 256 Frontier        push(20);
            0x74 PUSH21             3  0  1 256 Frontier        push(21);
            0x75 PUSH22             3  0  1 256 Frontier        push(22);
            0x76 PUSH23             3  0  1 256 Frontier        push(23);
            0x77 PUSH24             3  0  1 256 Frontier        push(24);
            0x78 PUSH25             3  0  1 256 Frontier        push(25);
            0x79 PUSH26             3  0  1 256 Frontier        push(26);
            0x7a PUSH27             3  0  1 256 Frontier        push(27);
            0x7b PUSH28             3  0  1 256 Frontier        push(28);
            0x7c PUSH29             3  0  1 256 Frontier        push(29);
            0x7d PUSH30             3  0  1 256 Frontier        push(30);
            0x7e PUSH31             3  0  1 256 Frontier        push(31);
            0x7f PUSH32             3  0  1 256 Frontier        push(32);
            0x80 DUP1               3  1  2 256 Frontier        dup(1);
            0x81 DUP2               3  2  3 256 Frontier        dup(2);
            0x82 DUP3               3  3  4 256 Frontier        dup(3);
            0x83 DUP4               3  4  5 256 Frontier        dup(4);
            0x84 DUP5               3  5  6 256 Frontier        dup(5);
            0x85 DUP6               3  6  7 256 Frontier        dup(6);
            0x86 DUP7               3  7  8 256 Frontier        dup(7);
            0x87 DUP8               3  8  9 256 Frontier        dup(8);
            0x88 DUP9               3  9 10 256 Frontier        dup(9);
            0x89 DUP10              3 10 11 256 Frontier        dup(10);
            0x8a DUP11              3 11 12 256 Frontier        dup(11);
            0x8b DUP12              3 12 13 256 Frontier        dup(12);
            0x8c DUP13              3 13 14 256 Frontier        dup(13);
            0x8d DUP14              3 14 15 256 Frontier        dup(14);
            0x8e DUP15              3 15 16 256 Frontier        dup(15);
            0x8f DUP16              3 16 17 256 Frontier        dup(16);
            0x90 SWAP1              3  2  2 256 Frontier        swap(1);
            0x91 SWAP2              3  3  3 256 Frontier        swap(2);
            0x92 SWAP3              3  4  4 256 Frontier        swap(3);
            0x93 SWAP4              3  5  5 256 Frontier        swap(4);
            0x94 SWAP5              3  6  6 256 Frontier        swap(5);
            0x95 SWAP6              3  7  7 256 Frontier        swap(6);
            0x96 SWAP7              3  8  8 256 Frontier        swap(7);
            0x97 SWAP8              3  9  9 256 Frontier        swap(8);
            0x98 SWAP9              3 10 10 256 Frontier        swap(9);
            0x99 SWAP10             3 11 11 256 Frontier        swap(10);
            0x9a SWAP11             3 12 12 256 Frontier        swap(11);
            0x9b SWAP12             3 13 13 256 Frontier        swap(12);
            0x9c SWAP13             3 14 14 256 Frontier        swap(13);
            0x9d SWAP14             3 15 15 256 Frontier        swap(14);
            0x9e SWAP15             3 16 16 256 Frontier        swap(15);
            0x9f SWAP16             3 17 17 256 Frontier        swap(16);
            0xa0 LOG0             375  2  0   0 Frontier        machine(log::log);
            0xa1 LOG1             750  3  0   0 Frontier        machine(log::log);
            0xa2 LOG2            1125  4  0   0 Frontier        machine(log::log);
            0xa3 LOG3            1500  5  0   0 Frontier        machine(log::log);
            0xa4 LOG4            1875  6  0   0 Frontier        machine(log::log);
            0xf0 CREATE         32000  3  1 256 Frontier        exit(call::create);
            0xf1 CALL               0  7  1 256 Frontier        exit(call::call);
            0xf2 CALLCODE           0  7  1 256 Frontier        exit(call::callcode);
            0xf3 RETURN             0  2  0   0 Frontier        exit(control::return_);
            0xf4 DELEGATECALL       0  6  1 256 Homestead       exit(call::delegatecall);
            0xf5 CREATE2        32000  4  1 256 Constantinople  exit(call::create2);
            0xfa STATICCALL         0  6  1 256 Byzantium       exit(call::staticcall);
            0xfd REVERT             0  2  0   0 Byzantium       exit(control::revert);
            0xfe INVALID            0  0  0   0 Frontier        exit(control::invalid);
            0xff SELFDESTRUCT       0  1  0   0 Frontier        exit(call::selfdestruct);
        }
    };
}
pub(crate) use opcodes;

/// Immediate bytes of a class: how many the decoder skips, and how many of those are PUSH data, which cannot
/// be jumpdests.
macro_rules! immediate {
    (push($n:literal)) => {
        Immediate {
            skipped: $n,
            data: $n,
        }
    };
    ($class:ident $(($arg:expr))?) => {{
        has_no_immediate!($class);
        Immediate {
            skipped: 0,
            data: 0,
        }
    }};
}

/// Compiles only for the classes without an immediate, so that a new class must be added here or above.
macro_rules! has_no_immediate {
    (pure) => {};
    (read) => {};
    (memory) => {};
    (machine) => {};
    (exit) => {};
    (dup) => {};
    (swap) => {};
    (pop) => {};
    (pc) => {};
    (jump) => {};
    (jumpi) => {};
    (jumpdest) => {};
}

/// The immediate of an opcode, in bytes.
struct Immediate {
    skipped: u8,
    data: u8,
}

/// The classes of the table in the module documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "documented by the table in the module documentation"
)]
pub enum Class {
    Pure,
    Read,
    Memory,
    Machine,
    Exit,
    Push,
    Dup,
    Swap,
    Pop,
    Pc,
    Jump,
    Jumpi,
    Jumpdest,
}

/// The class as a value.
macro_rules! class {
    (pure) => {
        Class::Pure
    };
    (read) => {
        Class::Read
    };
    (memory) => {
        Class::Memory
    };
    (machine) => {
        Class::Machine
    };
    (exit) => {
        Class::Exit
    };
    (push) => {
        Class::Push
    };
    (dup) => {
        Class::Dup
    };
    (swap) => {
        Class::Swap
    };
    (pop) => {
        Class::Pop
    };
    (pc) => {
        Class::Pc
    };
    (jump) => {
        Class::Jump
    };
    (jumpi) => {
        Class::Jumpi
    };
    (jumpdest) => {
        Class::Jumpdest
    };
}

macro_rules! define {
    ($($byte:literal $name:ident $gas:literal $inputs:literal $outputs:literal $bits:literal $since:ident $class:ident $(($arg:expr))?;)*) => {
        #[allow(missing_docs, reason = "the names are the documentation")]
        impl Opcode {
            $(pub const $name: Opcode = Opcode($byte);)*
        }

        static TABLE: [Option<Info>; 256] = {
            let mut table = [None; 256];
            $(
                assert!(table[$byte].is_none(), "two rows for one byte");
                assert!(($outputs > 0) == ($bits > 0), "bits of the result must be 0 exactly if there is none");
                const $name: Immediate = immediate!($class $(($arg))?);
                table[$byte] = Some(Info {
                    name: stringify!($name),
                    gas: $gas,
                    inputs: $inputs,
                    outputs: $outputs,
                    bits: $bits,
                    immediate: $name.skipped,
                    push_data: $name.data,
                    since: Fork::$since,
                    class: class!($class),
                });
            )*
            table
        };
    };
}
opcodes! { define }

/// A row of the opcode table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// The mnemonic.
    pub name: &'static str,
    /// Static gas.
    pub gas: u16,
    /// Stack items it removes (Yellow Paper: δ).
    pub inputs: u8,
    /// Stack items it adds after that (Yellow Paper: α).
    pub outputs: u8,
    /// The result is below 2^bits; 0 if there is no result.
    pub bits: u16,
    /// Immediate bytes after it, skipped by the decoder.
    pub immediate: u8,
    /// PUSH data after it, which cannot be jumpdests, in bytes.
    pub push_data: u8,
    /// The fork that introduced it.
    pub since: Fork,
    /// How it is dispatched.
    pub class: Class,
}

/// One byte of code, read as an opcode, which may be undefined.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Opcode(pub u8);

impl Opcode {
    /// The row of this byte, whatever fork introduced it; `None` for undefined bytes.
    #[inline]
    pub const fn info(self) -> Option<&'static Info> {
        TABLE[self.0 as usize].as_ref()
    }

    /// The row of this byte if `fork` has it.
    pub fn info_at(self, fork: Fork) -> Option<&'static Info> {
        self.info().filter(|info| info.since <= fork)
    }

    /// Immediate bytes after the opcode, 0 to 32, in every fork. The next opcode follows them.
    #[inline]
    pub const fn immediate(self) -> usize {
        match self.info() {
            Some(info) => info.immediate as usize,
            None => 0,
        }
    }

    /// Bytes of PUSH data after the opcode, 0 to 32, which cannot be jumpdests (Yellow Paper, 9.4.3). The
    /// same in every fork, as jump destinations do not depend on the fork. Other immediates can be jumpdests
    /// (EIP-8024).
    #[inline]
    pub const fn push_data(self) -> usize {
        match self.info() {
            Some(info) => info.push_data as usize,
            None => 0,
        }
    }

    /// The opcode of an upper-case mnemonic.
    pub fn from_name(name: &str) -> Option<Opcode> {
        (0..=255)
            .map(Opcode)
            .find(|op| op.info().is_some_and(|info| info.name == name))
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.info() {
            Some(info) => f.write_str(info.name),
            None => write!(f, "UNDEFINED(0x{:02x})", self.0),
        }
    }
}

impl fmt::Debug for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
