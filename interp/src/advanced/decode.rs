//! From code to a program: basic blocks with their static needs, static jumps resolved, unreachable
//! bytes left out. One pass, linear in the code.
//!
//! Unsafe: reading back cells that this file wrote as numbers.

#![allow(unsafe_code)]

use super::execute::{self, Handler};
use super::program::{Cell, HEADER_CELLS, Header, Pending, Program};
use crate::code::Code;
use crate::fork::Fork;
use crate::opcode::{Class, Info, Opcode};
use crate::stack;
use crate::word::Word;

/// Longer code is not decoded: packed operands would overflow. Deployed code has at most 24,576 bytes.
pub(super) const LONGEST: usize = 1 << 20;

/// Looked for in a row before a conditional jump. Compilers write up to three; looking on without end
/// would take quadratic time on code that is nothing else.
const MOST_ZEROS: usize = 4;

/// Decodes code for a fork; `None` where it is too long.
pub(super) fn decode(code: &Code, fork: Fork) -> Option<Program> {
    if code.len() > LONGEST {
        return None;
    }
    let mut decoder = decoder(code, fork);
    decoder.run();
    Some(decoder.finish())
}

fn decoder(code: &Code, fork: Fork) -> Decoder<'_> {
    Decoder {
        code,
        fork,
        stream: Vec::with_capacity(2 * code.len()),
        headers: Vec::new(),
        static_jumps: Vec::new(),
        block: Block::default(),
        #[cfg(test)]
        looks: Default::default(),
    }
}

struct Decoder<'a> {
    code: &'a Code,
    fork: Fork,
    stream: Vec<Cell>,
    /// Index of the header of each jumpdest so far.
    headers: Vec<u32>,
    /// Cells that hold a jumpdest's offset until all headers are known.
    static_jumps: Vec<usize>,
    block: Block,
    /// How often an opcode was looked at: the decoder's work.
    #[cfg(test)]
    looks: std::cell::Cell<usize>,
}

/// The block under construction.
#[derive(Default)]
struct Block {
    /// Index of its header.
    header: usize,
    /// Static gas so far.
    gas: u32,
    /// Height of the stack against that at the start: now, least needed, greatest reached.
    height: i32,
    least: i32,
    most: i32,
    /// Cells with a [`Pending`] whose gas is that up to the instruction, until the block's is known.
    pending: Vec<usize>,
}

impl Decoder<'_> {
    fn run(&mut self) {
        self.open_block(0);
        let mut pc = 0;
        while pc < self.code.len() {
            pc = match self.fuse(pc) {
                Some(next) => next,
                None => self.single(pc),
            };
        }
        self.emit(execute::handler(Opcode::STOP));
        self.operand(0);
        self.close_block();
    }

    /// Decodes the opcode at `pc`; returns where to go on.
    fn single(&mut self, pc: usize) -> usize {
        let op = self.opcode(pc);
        let next = pc + 1 + op.immediate();
        let Some(info) = op.info_at(self.fork) else {
            self.emit(execute::UNDEFINED);
            return self.next_jumpdest(next);
        };
        if info.class == Class::Jumpdest {
            self.jumpdest(pc);
        }
        self.account(info);
        match info.class {
            Class::Jumpdest => {}
            Class::Push => self.constant(self.immediate(pc)),
            Class::Pc => self.constant(Word::from(pc)),
            Class::Pure | Class::Read | Class::Dup | Class::Swap | Class::Pop => {
                self.emit(execute::handler(op));
            }
            Class::Memory | Class::Machine => {
                self.emit(execute::handler(op));
                self.block.pending.push(self.stream.len());
                self.operand(
                    Pending {
                        gas: self.block.gas,
                        pc: next as u32,
                    }
                    .pack(),
                );
            }
            Class::Jump => {
                self.emit(execute::handler(op));
                return self.next_jumpdest(next);
            }
            Class::Jumpi => {
                self.emit(execute::handler(op));
                self.open_block(next);
            }
            Class::Exit => {
                self.emit(execute::handler(op));
                self.operand(self.stream.len() as u64 + 1);
                // Calls and creations leave a result, and the frame goes on behind them.
                if info.outputs == 0 {
                    return self.next_jumpdest(next);
                }
                self.open_block(next);
            }
        }
        next
    }

    /// Decodes the opcodes from `pc` on as one instruction, if there is one for them; returns where to
    /// go on. The pairs are the commonest of compiled contracts: in a path tracer, a third of all that
    /// is executed.
    fn fuse(&mut self, pc: usize) -> Option<usize> {
        let op = self.opcode(pc);
        let next = pc + 1 + op.immediate();
        let follower = self.opcode(next);
        let (first, second) = (op.info_at(self.fork)?, follower.info_at(self.fork)?);
        let end = next + 1;
        match (first.class, second.class) {
            (Class::Push, Class::Jump | Class::Jumpi) | (Class::Pure, _) => self.fuse_jump(pc),
            (Class::Push, Class::Pure) if second.inputs == 2 => {
                let value = self.immediate(pc).to_u64()?;
                self.account_all(&[op, follower]);
                self.emit(execute::immediate_handler(follower));
                self.operand(value);
                Some(end)
            }
            (Class::Dup, Class::Pure) if second.inputs == 2 => {
                self.account_all(&[op, follower]);
                self.emit(execute::duplicated_handler(follower));
                self.operand(first.inputs.into());
                Some(end)
            }
            (Class::Dup, Class::Dup) => {
                self.account_all(&[op, follower]);
                self.emit(execute::DUP_DUP);
                self.operand(u64::from(first.inputs) | u64::from(second.inputs) << 32);
                Some(end)
            }
            (Class::Swap, Class::Pop) => {
                self.account_all(&[op, follower]);
                self.emit(execute::SWAP_POP);
                self.operand(first.inputs.into());
                Some(end)
            }
            _ => None,
        }
    }

    /// A jump to a known jumpdest: `PUSH JUMP`, or some `ISZERO` and `PUSH JUMPI`.
    fn fuse_jump(&mut self, pc: usize) -> Option<usize> {
        let zeros = (pc..pc + MOST_ZEROS)
            .take_while(|&at| self.opcode(at) == Opcode::ISZERO)
            .count();
        let push = pc + zeros;
        let jump = push + 1 + self.opcode(push).immediate();
        let follower = self.opcode(jump);
        if self.opcode(push).info_at(self.fork)?.class != Class::Push {
            return None;
        }
        let target = self
            .immediate(push)
            .to_u64()
            .filter(|target| self.is_jumpdest(*target))?;
        let handler = match follower {
            Opcode::JUMP if zeros == 0 => execute::JUMP_STATIC,
            Opcode::JUMPI if zeros % 2 == 0 => execute::JUMPI_STATIC,
            Opcode::JUMPI => execute::JUMPI_STATIC_ZERO,
            _ => return None,
        };
        for _ in 0..zeros {
            self.account_all(&[Opcode::ISZERO]);
        }
        self.account_all(&[self.opcode(push), follower]);
        self.emit(handler);
        self.static_jumps.push(self.stream.len());
        self.operand(target);
        if follower == Opcode::JUMP {
            return Some(self.next_jumpdest(jump + 1));
        }
        self.open_block(jump + 1);
        Some(jump + 1)
    }

    /// The opcode at `pc`, STOP behind the end.
    fn opcode(&self, pc: usize) -> Opcode {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
        Opcode(self.code.bytes().get(pc).copied().unwrap_or_default())
    }

    /// The value of the push at `pc`.
    fn immediate(&self, pc: usize) -> Word {
        Word::from_be_slice(&self.code.padded()[pc + 1..pc + 1 + self.opcode(pc).immediate()])
    }

    fn is_jumpdest(&self, pc: u64) -> bool {
        let limb = self.code.jumpdests().get((pc / 64) as usize);
        limb.is_some_and(|bits| bits >> (pc % 64) & 1 == 1)
    }

    fn finish(mut self) -> Program {
        let mut before = 0;
        let entries = self.code.jumpdests().iter().map(|bits| {
            let entry = (*bits, before);
            before += bits.count_ones();
            entry
        });
        let mut program = Program {
            stream: Box::default(),
            entries: entries.collect(),
            headers: self.headers.into(),
        };
        for cell in self.static_jumps {
            // SAFETY: `fuse_jump` put a number into the cell.
            let target = unsafe { self.stream[cell].number };
            let header = program.entry(target).unwrap_or_default();
            self.stream[cell].number = (header as u64).wrapping_sub(cell as u64);
        }
        program.stream = self.stream.into();
        program
    }

    fn emit(&mut self, handler: Handler) {
        self.stream.push(Cell { handler });
    }

    fn operand(&mut self, number: u64) {
        self.stream.push(Cell { number });
    }

    /// Adds an opcode's static needs to the block's.
    fn account(&mut self, info: &Info) {
        let block = &mut self.block;
        block.gas += u32::from(info.gas);
        block.least = block.least.max(i32::from(info.inputs) - block.height);
        block.height += i32::from(info.outputs) - i32::from(info.inputs);
        block.most = block.most.max(block.height);
    }

    /// Adds the static needs of opcodes that the fork has.
    fn account_all(&mut self, ops: &[Opcode]) {
        ops.iter()
            .filter_map(|op| op.info())
            .for_each(|info| self.account(info));
    }

    fn constant(&mut self, value: Word) {
        match value.to_u64() {
            Some(short) => {
                self.emit(execute::PUSH_SHORT);
                self.operand(short);
            }
            None => {
                self.emit(execute::PUSH_LONG);
                value.0.into_iter().for_each(|limb| self.operand(limb));
            }
        }
    }

    /// Begins the block of a jumpdest, unless one has just begun.
    fn jumpdest(&mut self, pc: usize) {
        if self.stream.len() != self.block.header + HEADER_CELLS || self.block.gas != 0 {
            self.open_block(pc);
        }
        self.headers.push(self.block.header as u32);
    }

    /// The first jumpdest from `pc` on: what lies between is never reached.
    fn next_jumpdest(&mut self, mut pc: usize) -> usize {
        while pc < self.code.len() && self.opcode(pc) != Opcode::JUMPDEST {
            pc += 1 + self.opcode(pc).immediate();
        }
        self.open_block(pc);
        pc
    }

    fn open_block(&mut self, pc: usize) {
        self.close_block();
        self.block = Block {
            header: self.stream.len(),
            ..Block::default()
        };
        self.emit(execute::BLOCK);
        self.operand(0);
        self.operand(pc as u64);
    }

    /// Fills in what is known only at the end of the block.
    fn close_block(&mut self) {
        let block = std::mem::take(&mut self.block);
        if self.stream.is_empty() {
            return;
        }
        let limit = stack::LIMIT as i32;
        let runs = block.least <= limit && block.most <= limit;
        let bytes = |items: i32| (items * size_of::<Word>() as i32) as u16;
        let header = Header {
            gas: block.gas,
            least: if runs { bytes(block.least) } else { u16::MAX },
            most: if runs { bytes(limit - block.most) } else { 0 },
        };
        self.stream[block.header + 1].number = header.pack();
        for cell in block.pending {
            // SAFETY: `single` put a packed `Pending` into the cell.
            let pending = Pending::unpack(unsafe { self.stream[cell].number });
            let left = Pending {
                gas: block.gas - pending.gas,
                ..pending
            };
            self.stream[cell].number = left.pack();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{asm, keccak256};

    /// The longest code that can be deployed.
    const DEPLOYABLE: usize = 24_576;

    /// Every byte, alone and as a jumpdest's follower, what the decoder looks ahead for, and noise.
    fn hostile(len: usize) -> impl Iterator<Item = (String, Vec<u8>)> {
        let fill = move |unit: &[u8]| unit.iter().copied().cycle().take(len).collect();
        let alone = (0..=255).map(move |byte| (format!("0x{byte:02x}"), fill(&[byte])));
        let entered =
            (0..=255).map(move |byte| (format!("JUMPDEST 0x{byte:02x}"), fill(&[0x5b, byte])));
        let units = [
            "PUSH1 0 JUMPI",
            "PUSH1 1 JUMP",
            "JUMPDEST PUSH0 JUMPI",
            "JUMPDEST PUSH0 JUMP",
            "ISZERO ISZERO ISZERO ISZERO ISZERO PUSH0 JUMPI",
            "ISZERO PUSH1 0",
            "DUP1 DUP2",
            "SWAP1 POP",
            "PUSH32 0x5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5b",
            "CALL JUMPDEST GAS",
        ];
        let repeated = units
            .into_iter()
            .map(move |source| (source.to_owned(), fill(&asm::assemble(source).unwrap())));
        let noise = (0..8_u8).map(move |seed| {
            let word = |i: usize| keccak256(&[&[seed], &i.to_be_bytes()[..]].concat()).0;
            (
                format!("noise {seed}"),
                (0..len.div_ceil(32)).flat_map(word).collect(),
            )
        });
        alone.chain(entered).chain(repeated).chain(noise)
    }

    #[test]
    fn time_is_linear_in_the_code() {
        for (name, code) in hostile(DEPLOYABLE) {
            let code = Code::new(&code);
            let mut decoder = decoder(&code, Fork::Osaka);
            decoder.run();
            let looks = decoder.looks.get();
            assert!(
                looks <= 16 * code.len(),
                "{name}: {looks} looks at {} bytes",
                code.len()
            );
        }
    }

    #[test]
    fn memory_is_linear_in_the_code() {
        // At worst every byte ends a block: its handler and operand, and the next header.
        const CELLS: usize = 2 + HEADER_CELLS;
        for (name, code) in hostile(DEPLOYABLE) {
            let size = decode(&Code::new(&code), Fork::Osaka).unwrap().size();
            let most = (CELLS + 1) * size_of::<Cell>() * (code.len() + 1);
            assert!(size <= most, "{name}: {size} bytes for {}", code.len());
        }
    }

    #[test]
    fn code_is_decoded_up_to_a_length() {
        let decoded = |len| decode(&Code::new(&vec![0x5b; len]), Fork::Osaka).is_some();
        assert!(decoded(0) && decoded(LONGEST) && !decoded(LONGEST + 1));
    }

    #[test]
    fn the_gas_of_the_longest_block_fits_its_header() {
        // What ends a block gives its gas to no other.
        let inside = |info: &&Info| !matches!(info.class, Class::Exit | Class::Jump | Class::Jumpi);
        let dearest = (0..=255)
            .filter_map(|byte| Opcode(byte).info())
            .filter(inside)
            .map(|info| info.gas)
            .max();
        assert!(LONGEST * usize::from(dearest.unwrap()) <= u32::MAX as usize);
    }
}
