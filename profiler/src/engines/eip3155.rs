//! A traced run as JSON lines (EIP-3155): one line per opcode, and a summary. Names, types and values of fields are
//! those of geth, so that tools which compare clients can read them. A step that fails while it runs has a second
//! line, with `error`; one that cannot even start has only that line. Costs of calls include the callee's gas.

use alloy_primitives::{B256, Bytes, hex};
use evmscope_interp::{Fork, Halt, Leave, Opcode, Outcome, Status, Step, Tracer, Word};
use serde::{Serialize, Serializer};
use std::fmt::Write as _;
use std::io::{self, Write};

/// Writes a line for each step. The cost of a step is known only after it, so each line is written one step late.
pub struct Lines<W> {
    out: W,
    /// Whether `line` holds a step that is not written yet.
    started: bool,
    line: Line,
    /// The first error; nothing is written after it.
    written: io::Result<()>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    pc: usize,
    op: u8,
    #[serde(serialize_with = "quantity")]
    gas: u64,
    #[serde(serialize_with = "quantity")]
    gas_cost: u64,
    mem_size: usize,
    #[serde(serialize_with = "words")]
    stack: Vec<Word>,
    #[serde(skip_serializing_if = "<[u8]>::is_empty")]
    return_data: Bytes,
    depth: u32,
    refund: i64,
    op_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

/// What geth writes at the end of a message.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct End {
    /// Without `0x`.
    output: String,
    #[serde(serialize_with = "quantity")]
    gas_used: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    state_root: B256,
    output: &'a Bytes,
    #[serde(serialize_with = "quantity")]
    gas_used: u64,
    pass: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    fork: &'static str,
}

impl<W: Write> Lines<W> {
    pub fn new(out: W) -> Lines<W> {
        Lines {
            out,
            started: false,
            line: Line::default(),
            written: Ok(()),
        }
    }

    /// Writes the summary of a message; `state_root` is the root after it.
    ///
    /// # Errors
    /// The first write that failed.
    pub fn finish(mut self, outcome: &Outcome, state_root: B256, fork: Fork) -> io::Result<()> {
        self.written?;
        let pass = outcome.status == Status::Success;
        let summary = Summary {
            state_root,
            output: &outcome.output,
            gas_used: outcome.gas_used,
            pass,
            error: (!pass).then(|| outcome.status.name()),
            fork: fork.name(),
        };
        write_line(&mut self.out, &summary)?;
        self.out.flush()
    }

    /// Writes the end of a message, as geth does.
    pub fn end(&mut self, outcome: &Outcome) {
        let status = outcome.status;
        self.write(&End {
            output: hex::encode(&outcome.output),
            gas_used: outcome.gas_used,
            error: (status != Status::Success).then(|| status.name()),
        });
    }

    /// Writes the state root after a transaction, with the blank that goevmlab looks for.
    pub fn state_root(&mut self, root: B256) {
        if self.written.is_ok() {
            let line = writeln!(self.out, "{{\"stateRoot\": \"{root}\"}}");
            self.written = line.and_then(|()| self.out.flush());
        }
    }

    /// Ends without a summary.
    ///
    /// # Errors
    /// The first write that failed.
    pub fn close(mut self) -> io::Result<()> {
        self.written?;
        self.out.flush()
    }

    fn write(&mut self, line: &impl Serialize) {
        if self.written.is_ok() {
            self.written = write_line(&mut self.out, line);
        }
    }

    /// Writes the pending step.
    fn write_step(&mut self) {
        if self.written.is_ok() {
            self.written = write_line(&mut self.out, &self.line);
        }
    }
}

/// How many operands a failing opcode has popped; `None` if it failed before it ran.
fn popped(opcode: Opcode, halt: Option<Halt>) -> Option<usize> {
    let inputs = opcode.info().map_or(0, |info| usize::from(info.inputs));
    match halt {
        // REVERT, the one that fails without a halt.
        None => Some(inputs),
        Some(Halt::InvalidJump | Halt::ReturnDataOutOfBounds) => Some(inputs),
        Some(Halt::StaticViolation) if opcode == Opcode::CALL => Some(inputs),
        Some(Halt::StaticViolation | Halt::UndefinedOpcode | Halt::InvalidOpcode) => Some(0),
        Some(_) => None,
    }
}

impl<W: Write> Tracer for Lines<W> {
    fn step(&mut self, step: &Step<'_>) {
        if std::mem::take(&mut self.started) {
            self.line.gas_cost = self.line.gas - step.gas;
            // Geth counts a refund when it prices the store.
            if Opcode(self.line.op) == Opcode::SSTORE {
                self.line.refund = step.refund;
            }
            self.write_step();
        }
        if self.written.is_err() {
            return;
        }
        let Opcode(op) = step.opcode;
        let line = &mut self.line;
        line.stack.clear();
        line.stack.extend_from_slice(step.stack);
        line.return_data = Bytes::copy_from_slice(step.return_data);
        line.op_name.clear();
        // Writing to a string does not fail.
        let _ = match step.opcode.info() {
            Some(_) => write!(line.op_name, "{}", step.opcode),
            None => write!(line.op_name, "opcode {op:#x} not defined"),
        };
        line.pc = step.pc;
        line.op = op;
        line.gas = step.gas;
        line.mem_size = step.memory.len();
        line.depth = step.depth + 1;
        line.refund = step.refund;
        line.error = None;
        self.started = true;
    }

    fn leave(&mut self, leave: &Leave) {
        if !std::mem::take(&mut self.started) {
            return;
        }
        let opcode = Opcode(self.line.op);
        self.line.gas_cost = leave.cost;
        let error = match leave.halt {
            Some(halt) => halt.name(),
            None if opcode == Opcode::REVERT => Status::Revert.name(),
            None => return self.write_step(),
        };
        let popped = popped(opcode, leave.halt).filter(|_| leave.cost <= self.line.gas);
        if let Some(popped) = popped {
            self.write_step();
            let left = self.line.stack.len().saturating_sub(popped);
            self.line.stack.truncate(left);
            self.line.mem_size = leave.memory;
            self.line.return_data = Bytes::new();
        }
        self.line.error = Some(error);
        self.write_step();
    }
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

fn quantity<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{number:#x}"))
}

fn words<S: Serializer>(words: &[Word], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(words.iter().map(Word::to_string))
}
