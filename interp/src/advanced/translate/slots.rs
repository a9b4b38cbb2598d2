//! Allocates a stack slot for each value of a trace, and finds the moves that restore the EVM's stack layout
//! at its exits.
//!
//! A slot is a position relative to the stack pointer at the entry. Items of the entry stack stay in their
//! slots. The result of a node goes directly to its slot in the layout at the end of the trace if that slot
//! is free, else to a scratch slot above the highest position that the trace's stack can reach.

use super::value::{Exit, Operation, To, Trace, Value};

/// A time before all nodes.
const NEVER: i32 = -1;

/// Where a value of an exit's layout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Slot(i16),
    Constant(u16),
}

/// One move into the layout of an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub from: Source,
    pub to: i16,
}

/// Liveness and slots of values. Times are indices of nodes; the end of the trace is one after the last.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// Time of the last use of each node's result.
    last_use: Vec<i32>,
    /// The preferred slot of each node's result.
    wanted: Vec<Option<i16>>,
    /// The slot of each node's result.
    places: Vec<i16>,
    /// The time until which each slot is in use, from the lowest position touched.
    until: Vec<i32>,
    floor: i32,
    /// The first position above all layouts.
    scratch: i32,
    /// Buffers of `order`: number of readers of each slot, and the move that writes it.
    readers: Vec<u16>,
    writer: Vec<u16>,
    slot_moves: Vec<(i16, i16)>,
    ready: Vec<u16>,
    pub moves: Vec<Move>,
}

const NO_MOVE: u16 = u16::MAX;

impl Slots {
    /// Computes the last use of each value of a trace.
    pub fn prepare(&mut self, trace: &Trace) {
        let nodes = trace.nodes.len();
        self.floor = trace.floor;
        self.scratch = trace.most;
        self.last_use.clear();
        self.last_use.resize(nodes, NEVER);
        self.wanted.clear();
        self.wanted.resize(nodes, None);
        self.places.clear();
        self.places.resize(nodes, 0);
        self.until.clear();
        self.until
            .resize((self.scratch - self.floor) as usize, NEVER);
        let mut exits = trace.exits.iter().rev();
        if let Some(end) = exits.next() {
            self.use_layout(trace, end, nodes as i32);
        }
        for (time, node) in trace.nodes.iter().enumerate().rev() {
            if let Operation::Branch { exit, .. } = node.operation {
                self.use_layout(trace, &trace.exits[usize::from(exit)], time as i32);
            }
            if node.effect || self.last_use[time] != NEVER {
                node.operands()
                    .iter()
                    .for_each(|value| self.use_value(*value, time as i32));
            }
        }
    }

    /// Whether a node must be executed.
    pub fn is_live(&self, trace: &Trace, node: usize) -> bool {
        trace.nodes[node].effect || self.last_use[node] != NEVER
    }

    fn use_layout(&mut self, trace: &Trace, exit: &Exit, time: i32) {
        let layout = trace.layout(exit);
        // Items not touched before the exit stay in their slots until then.
        let touched = layout
            .first()
            .map_or(i32::from(exit.height), |first| first.0.into());
        for position in self.floor..touched {
            self.use_value(Value::Entry(position as i16), time);
        }
        for (position, value) in layout {
            self.use_value(*value, time);
            if let Value::Node(node) = value {
                self.wanted[usize::from(*node)].get_or_insert(*position);
            }
        }
        if let To::Dynamic(target) = exit.to {
            self.use_value(target, time);
        }
    }

    fn use_value(&mut self, value: Value, time: i32) {
        match value {
            Value::Node(node) => {
                let last = &mut self.last_use[usize::from(node)];
                *last = (*last).max(time);
            }
            Value::Entry(position) => {
                let until = &mut self.until[(i32::from(position) - self.floor) as usize];
                *until = (*until).max(time);
            }
            Value::Constant(_) => {}
        }
    }

    /// The location of a value.
    pub fn source(&self, value: Value) -> Source {
        match value {
            Value::Entry(position) => Source::Slot(position),
            Value::Node(node) => Source::Slot(self.places[usize::from(node)]),
            Value::Constant(at) => Source::Constant(at),
        }
    }

    /// Allocates a slot for the result of a node.
    pub fn place(&mut self, node: usize) -> i16 {
        let time = node as i32;
        let last = self.last_use[node].max(time);
        let place = match self.wanted[node] {
            // The operands are read before the result is written, so the result may reuse an operand's slot.
            Some(wanted) if self.until[(i32::from(wanted) - self.floor) as usize] <= time => wanted,
            _ => self.free(|until| until <= time),
        };
        self.until[(i32::from(place) - self.floor) as usize] = last;
        self.places[node] = place;
        place
    }

    /// A slot for a value that is written before anything else is read at `time`, and last read at `time`.
    pub fn temporary(&mut self, time: usize) -> i16 {
        let time = time as i32;
        let place = self.free(|until| until < time);
        self.until[(i32::from(place) - self.floor) as usize] = time;
        place
    }

    fn free(&mut self, is_free: impl Fn(i32) -> bool) -> i16 {
        let first = (self.scratch - self.floor) as usize;
        let found = self.until[first..].iter().position(|until| is_free(*until));
        let at = found.map_or(self.until.len(), |at| first + at);
        if at == self.until.len() {
            self.until.push(NEVER);
        }
        (at as i32 + self.floor) as i16
    }

    /// The highest position in use.
    pub fn highest(&self) -> i32 {
        self.floor + self.until.len() as i32
    }

    /// Finds the moves into the layout of an exit at `time`, ordered so that none overwrites a value that a
    /// later one reads. Returns the slot of a dynamic jump's target after the moves.
    pub fn lay_out(&mut self, trace: &Trace, exit: &Exit, time: usize) -> i16 {
        self.moves.clear();
        self.slot_moves.clear();
        let mut target = 0;
        if let To::Dynamic(value) = exit.to
            && let Source::Slot(at) = self.source(value)
        {
            target = at;
            let overwritten = |(position, value): &(i16, Value)| {
                *position == at && self.source(*value) != Source::Slot(at)
            };
            if trace.layout(exit).iter().any(overwritten) {
                target = self.temporary(time);
                self.slot_moves.push((at, target));
            }
        }
        for (position, value) in trace.layout(exit) {
            match self.source(*value) {
                Source::Slot(at) if at == *position => {}
                Source::Slot(at) => self.slot_moves.push((at, *position)),
                Source::Constant(_) => {}
            }
        }
        self.order(time);
        for (position, value) in trace.layout(exit) {
            if let from @ Source::Constant(_) = self.source(*value) {
                self.moves.push(Move {
                    from,
                    to: *position,
                });
            }
        }
        target
    }

    /// Orders `slot_moves`. The only cycles are permutations, which are broken with a temporary slot.
    fn order(&mut self, time: usize) {
        if self.slot_moves.is_empty() {
            return;
        }
        let spare = self.temporary(time);
        self.prepare_moves();
        let mut first = 0;
        loop {
            self.make_ready_moves();
            // Only cycles are left.
            let left = (first..self.slot_moves.len()).find(|number| {
                let to = self.slot_moves[*number].1;
                self.writer[self.index(to)] == *number as u16
            });
            let Some(number) = left else { return };
            first = number;
            self.break_cycle(number, spare);
        }
    }

    fn index(&self, position: i16) -> usize {
        (i32::from(position) - self.floor) as usize
    }

    /// Counts the moves that read each slot, and finds the moves whose target no move reads.
    fn prepare_moves(&mut self) {
        self.readers.clear();
        self.readers.resize(self.until.len(), 0);
        self.writer.clear();
        self.writer.resize(self.until.len(), NO_MOVE);
        for number in 0..self.slot_moves.len() {
            let (from, to) = self.slot_moves[number];
            let (from, to) = (self.index(from), self.index(to));
            self.readers[from] += 1;
            self.writer[to] = number as u16;
        }
        self.ready.clear();
        for (number, (_, to)) in self.slot_moves.iter().enumerate() {
            if self.readers[self.index(*to)] == 0 {
                self.ready.push(number as u16);
            }
        }
    }

    /// Emits moves whose target no remaining move reads, until there are none.
    fn make_ready_moves(&mut self) {
        while let Some(number) = self.ready.pop() {
            let (from, to) = self.slot_moves[usize::from(number)];
            self.moves.push(Move {
                from: Source::Slot(from),
                to,
            });
            let (from, to) = (self.index(from), self.index(to));
            self.writer[to] = NO_MOVE;
            self.readers[from] -= 1;
            let writer = self.writer[from];
            if self.readers[from] == 0 && writer != NO_MOVE {
                self.ready.push(writer);
            }
        }
    }

    /// Breaks a cycle at a move: saves the item in the move's target to `spare`, and redirects its readers
    /// there.
    fn break_cycle(&mut self, number: usize, spare: i16) {
        let (_, to) = self.slot_moves[number];
        self.moves.push(Move {
            from: Source::Slot(to),
            to: spare,
        });
        for other in 0..self.slot_moves.len() {
            let (from, target) = self.slot_moves[other];
            if from == to && self.writer[self.index(target)] != NO_MOVE {
                self.slot_moves[other].0 = spare;
                let spare = self.index(spare);
                self.readers[spare] += 1;
            }
        }
        let to = self.index(to);
        self.readers[to] = 0;
        self.ready.push(number as u16);
    }
}

#[cfg(test)]
mod tests;
