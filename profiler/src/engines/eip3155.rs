//! A traced run as JSON lines (EIP-3155): one line per opcode, and a summary. Names and types of fields are those
//! that differential fuzzers expect from other clients: `memSize`, `depth` and `refund` are numbers, gas and stack
//! are hex. A failing step costs all remaining gas and has an `error`.

use alloy_primitives::{B256, Bytes};
use evmscope_interp::{Fork, Leave, Opcode, Outcome, Status, Step, Tracer, Word};
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
    #[serde(serialize_with = "hex")]
    gas: u64,
    #[serde(serialize_with = "hex")]
    gas_cost: u64,
    mem_size: usize,
    #[serde(serialize_with = "words")]
    stack: Vec<Word>,
    depth: u32,
    return_data: Bytes,
    refund: i64,
    op_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    state_root: B256,
    output: &'a Bytes,
    #[serde(serialize_with = "hex")]
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

    /// Writes the pending step; `gas_left` is the gas after it.
    fn end_step(&mut self, gas_left: u64, error: Option<&'static str>) {
        if !std::mem::take(&mut self.started) {
            return;
        }
        self.line.gas_cost = self.line.gas - gas_left;
        self.line.error = error;
        self.written = write_line(&mut self.out, &self.line);
    }
}

impl<W: Write> Tracer for Lines<W> {
    fn step(&mut self, step: &Step<'_>) {
        self.end_step(step.gas, None);
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
        let _ = write!(line.op_name, "{}", step.opcode);
        line.pc = step.pc;
        line.op = op;
        line.gas = step.gas;
        line.mem_size = step.memory.len();
        line.depth = step.depth + 1;
        line.refund = step.refund;
        self.started = true;
    }

    fn leave(&mut self, leave: &Leave) {
        self.end_step(leave.gas, leave.halt.map(|halt| halt.name()));
    }
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

fn hex<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{number:#x}"))
}

fn words<S: Serializer>(words: &[Word], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(words.iter().map(Word::to_string))
}
