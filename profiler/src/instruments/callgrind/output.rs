//! Callgrind's output file (Callgrind Format Specification): totals, and the instructions of each function or address.
//!
//! Only parses; the parent module runs valgrind.

use super::SimulateError;
use crate::instruments::counters::Reading;
use crate::symbols;
use evmscope_reports::counter::Counter;
use std::collections::{BTreeMap, HashMap};
use std::num::ParseIntError;
use std::path::Path;

/// Callgrind's names of the counters. Mispredicted indirect branches (`Bim`) are left out: its predictor misses
/// all of them, whatever the style of dispatch.
pub(super) const EVENTS: &[(&str, Counter)] = &[
    ("Ir", Counter::SimInstructions),
    ("Dr", Counter::SimDataReads),
    ("Dw", Counter::SimDataWrites),
    ("I1mr", Counter::SimL1iMisses),
    ("D1mr", Counter::SimL1dReadMisses),
    ("D1mw", Counter::SimL1dWriteMisses),
    ("Bc", Counter::SimBranches),
    ("Bcm", Counter::SimBranchMisses),
];

/// The simulated counters, from the `events:` and `totals:` lines.
pub fn totals(text: &str) -> Result<Vec<Reading>, SimulateError> {
    let line = |name: &'static str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name));
        found.ok_or(SimulateError::Output(name))
    };
    let events: Vec<_> = line("events:")?.split_whitespace().collect();
    // Callgrind omits trailing zeros.
    let totals: Vec<_> = line("totals:")?.split_whitespace().collect();
    let readings = EVENTS
        .iter()
        .map(|&(name, counter)| {
            let missing = SimulateError::Output(name);
            let Some(column) = events.iter().position(|event| *event == name) else {
                return Err(missing);
            };
            let total = totals.get(column).copied().unwrap_or("0");
            Ok(Reading {
                counter,
                value: total.parse::<u64>().map_err(|_| missing)? as f64,
                coverage: 1.0,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    match readings.iter().all(|reading| reading.value == 0.0) {
        true => Err(SimulateError::NeverEntered),
        false => Ok(readings),
    }
}

/// The instructions at each address of one object, callees excluded.
///
/// # Errors
/// A cost line that cannot be parsed.
pub fn by_address(text: &str, object: &Path) -> Result<Vec<(u64, u64)>, SimulateError> {
    const MALFORMED: SimulateError = SimulateError::Output("instructions by address");
    let mut counts = BTreeMap::<u64, u64>::new();
    for cost in self_costs(text) {
        let (Some(address), Ok(instructions)) = (cost.position, cost.instructions) else {
            return Err(MALFORMED);
        };
        if cost.object.is_some_and(|path| Path::new(path) == object) {
            add(
                counts.entry(address).or_default(),
                instructions.unwrap_or(0),
            );
        }
    }
    Ok(counts.into_iter().collect())
}

/// The instructions of each function by its path, callees excluded.
pub fn by_function(text: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::<&str, u64>::new();
    for cost in self_costs(text) {
        if let (Some(function), Ok(Some(instructions))) = (cost.function, cost.instructions) {
            add(counts.entry(function).or_default(), instructions);
        }
    }
    let mut by_path = BTreeMap::<String, u64>::new();
    for (function, instructions) in counts {
        add(
            by_path.entry(plain_path(function)).or_default(),
            instructions,
        );
    }
    by_path
}

/// No call takes as many; a damaged file may say so.
fn add(sum: &mut u64, count: u64) {
    *sum = sum.saturating_add(count);
}

/// A line of a function's self cost.
struct SelfCost<'a> {
    object: Option<&'a str>,
    function: Option<&'a str>,
    /// The line's first position, absolute: the address if positions have one, otherwise the source line.
    position: Option<u64>,
    /// The first event; callgrind omits it if all events are 0.
    instructions: Result<Option<u64>, ParseIntError>,
}

/// The self-cost lines of all functions. The line after `calls=` is left out: it is the callee's inclusive cost, and
/// the callee has lines of its own.
fn self_costs(text: &str) -> impl Iterator<Item = SelfCost<'_>> {
    let (mut objects, mut functions) = (Names::default(), Names::default());
    // `positions: line` is the default.
    let mut positions = 1;
    let (mut of_callee, mut position) = (false, Some(0));
    text.lines().filter_map(move |line| {
        if let Some(columns) = line.strip_prefix("positions:") {
            positions = columns.split_whitespace().count();
        } else if let Some(name) = line.strip_prefix("ob=") {
            objects.enter(name);
        } else if let Some(name) = line.strip_prefix("cob=") {
            objects.define(name);
        } else if let Some(name) = line.strip_prefix("fn=") {
            functions.enter(name);
        } else if let Some(name) = line.strip_prefix("cfn=") {
            functions.define(name);
        } else if line.starts_with("calls=") {
            of_callee = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
            let fields: Vec<_> = line.split_whitespace().collect();
            position = position.and_then(|before| absolute(fields[0], before));
            let event = fields.get(positions);
            let cost = SelfCost {
                object: objects.current(),
                function: functions.current(),
                position,
                instructions: event.map(|text| text.parse()).transpose(),
            };
            return (!std::mem::take(&mut of_callee)).then_some(cost);
        }
        None
    })
}

/// Compressed names: `(7) name` at the first use, `(7)` afterwards.
#[derive(Default)]
struct Names<'a> {
    known: HashMap<&'a str, &'a str>,
    /// The number that the following cost lines belong to.
    number: &'a str,
}

impl<'a> Names<'a> {
    /// Stores a name and returns its number.
    fn define(&mut self, text: &'a str) -> &'a str {
        let (number, name) = text.split_once(' ').unwrap_or((text, ""));
        if !name.is_empty() {
            self.known.insert(number, name);
        }
        number
    }

    fn enter(&mut self, text: &'a str) {
        self.number = self.define(text);
    }

    fn current(&self) -> Option<&'a str> {
        self.known.get(self.number).copied()
    }
}

/// A position as an absolute number; `+`, `-` and `*` are relative to the previous one.
fn absolute(text: &str, before: u64) -> Option<u64> {
    match text.as_bytes() {
        [b'*'] => Some(before),
        [b'+', ..] => before.checked_add(number(&text[1..])?),
        [b'-', ..] => before.checked_sub(number(&text[1..])?),
        _ => number(text),
    }
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// A function's path, demangled, without the compiler's hash and the recursion depth (`'2`).
fn plain_path(name: &str) -> String {
    let name = match name.rsplit_once('\'') {
        Some((name, depth)) if depth.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => name,
    };
    let name = symbols::demangled(name);
    match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            path.to_owned()
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evmscope_reports::counter::Source;

    #[test]
    fn every_simulated_counter_is_read_from_an_event() {
        let simulated = Counter::ALL.iter().copied();
        let simulated = simulated.filter(|counter| counter.source() == Source::Simulated);
        let read: Vec<_> = EVENTS.iter().map(|(_, counter)| *counter).collect();
        assert_eq!(simulated.collect::<Vec<_>>(), read, "add a row to EVENTS");
    }

    #[test]
    fn only_self_costs_of_the_object_are_counted() {
        let text = "positions: instr line\nevents: Ir Dr\n\nob=(1) /lib/ld.so\nfl=(1) ???\nfn=(0) 0x1\n\
                    cob=(7) /bin/me\ncfn=(8) main\ncalls=1 0x2000 0\n0x1abaa 0 99\n\nob=(7)\nfl=(3) a.rs\n\
                    fn=(8)\n0x2000 10 5 1\n+4 +1 2\nfi=(4) b.rs\n* * 3\ncfn=(9) callee\n\
                    calls=2 0x2100 20\n+2 12 40\n-6 -1 7\n+1 5\n\nfn=(9)\n0x2100 20 40\n";
        let found = by_address(text, Path::new("/bin/me")).unwrap();
        assert_eq!(
            found,
            [(0x2000, 12), (0x2001, 0), (0x2004, 5), (0x2100, 40)]
        );
        assert_eq!(by_address(text, Path::new("/bin/you")).unwrap(), []);
        assert!(by_address("ob=(1) /bin/me\n-9 1 1\n", Path::new("/bin/me")).is_err());
    }

    #[test]
    fn functions_have_their_self_cost() {
        let text = "events: Ir Dr\nfn=(1) a::f::h0123456789abcdef\n10 5 1\n+1 7 0\ncfn=(2) g'2\ncalls=1 20\n\
                    * 90 4\n-2 1\n\nfn=(2)\n20 90 4\n\nfn=(1)\n12 2 0\n\ntotals: 105 9\n";
        let expected = [("a::f".to_owned(), 15), ("g".to_owned(), 90)];
        assert_eq!(by_function(text), BTreeMap::from(expected));
    }

    #[test]
    fn counts_without_a_sum_are_no_panic() {
        let most = u64::MAX;
        let text =
            format!("positions: instr\nob=(1) /bin/me\nfn=(1) f\n0x10 {most}\n0x10 {most}\n");
        let found = by_address(&text, Path::new("/bin/me")).unwrap();
        assert_eq!(found, [(0x10, most)]);
        assert_eq!(by_function(&text)["f"], most);
    }

    #[test]
    fn totals_are_read_by_name_and_omitted_ones_are_0() {
        let text = "events: Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw Bc Bcm Bi Bim\n\
                    fn=(1) f\n1 2 3\n\ntotals: 90 30 20 1 2 0 0 0 0 10 4\n";
        let values: Vec<_> = totals(text).unwrap().iter().map(|r| r.value).collect();
        assert_eq!(values, [90.0, 30.0, 20.0, 1.0, 2.0, 0.0, 10.0, 4.0]);
        let short = text.replace(" 2 0 0 0 0 10 4", "");
        assert_eq!(totals(&short).unwrap()[7].value, 0.0);
        assert!(matches!(
            totals("totals: 1\n"),
            Err(SimulateError::Output("events:"))
        ));
        let foreign = text.replace("Bcm", "Xcm");
        assert!(matches!(
            totals(&foreign),
            Err(SimulateError::Output("Bcm"))
        ));
    }
}
