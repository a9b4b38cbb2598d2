//! Records of runs over time, by case.
//!
//! A line connects two records of a case only if machine, settings and gas are the same. Other records are shown
//! side by side, unconnected.

use crate::counter::Counter;
use crate::run::{Measurement, Ratio, Rig, Run, Settings};

/// Records in chronological order.
#[derive(Debug)]
pub struct History<'a> {
    /// Cases by name.
    pub cases: Vec<CaseHistory<'a>>,
    /// Machines in the order of appearance; points refer to them by index.
    pub machines: Vec<Machine<'a>>,
}

/// The properties that identify a machine for a comparison over time. Compiler and binary are not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine<'a> {
    /// CPU model.
    pub cpu: &'a str,
    /// Logical CPUs.
    pub cpus: usize,
    /// The kind of core, on a hybrid CPU.
    pub cores: Option<&'a str>,
    /// Architecture.
    pub arch: &'a str,
    /// Whether the CPU reports a hypervisor.
    pub virtualized: bool,
}

/// All records of a case.
#[derive(Debug)]
pub struct CaseHistory<'a> {
    /// Its name.
    pub name: &'a str,
    /// In chronological order.
    pub points: Vec<Point<'a>>,
}

/// A case in one record.
#[derive(Debug)]
pub struct Point<'a> {
    /// The name of the record.
    pub record: &'a str,
    /// When it was made, RFC 3339.
    pub created: &'a str,
    /// Commit of the build, if known.
    pub commit: Option<&'a str>,
    /// Index into [`History::machines`].
    pub machine: usize,
    /// Settings of the interpreter, if recorded.
    pub settings: Option<&'a Settings>,
    /// Gas used; equal gas means the same work.
    pub gas: Option<u64>,
    /// CPU time of each mode.
    pub times: Vec<&'a Measurement>,
    /// Each other mode against the first.
    pub ratios: Vec<&'a Ratio>,
}

impl Point<'_> {
    /// Whether a line may connect two points.
    pub fn continues(&self, earlier: &Point<'_>) -> bool {
        (self.machine, self.settings, self.gas) == (earlier.machine, earlier.settings, earlier.gas)
    }
}

impl<'a> Machine<'a> {
    fn of(rig: &'a Rig) -> Machine<'a> {
        Machine {
            cpu: &rig.cpu,
            cpus: rig.cpus,
            cores: rig.cores.as_deref(),
            arch: &rig.arch,
            virtualized: rig.virtualized,
        }
    }
}

impl<'a> History<'a> {
    /// Takes records with their names, in any order.
    pub fn new(records: &'a [(String, Run)]) -> History<'a> {
        let mut sorted: Vec<_> = records.iter().collect();
        // RFC 3339 in UTC sorts as text.
        sorted.sort_by_key(|(name, run)| (&run.created, name));
        let mut machines = Vec::new();
        let mut cases: Vec<CaseHistory<'a>> = Vec::new();
        for (record, run) in sorted {
            for name in run.cases() {
                let point = point(record, run, name, &mut machines);
                if point.times.is_empty() {
                    continue;
                }
                match cases.iter_mut().find(|case| case.name == name) {
                    Some(case) => case.points.push(point),
                    None => cases.push(CaseHistory {
                        name,
                        points: vec![point],
                    }),
                }
            }
        }
        cases.sort_by_key(|case| case.name);
        History { cases, machines }
    }
}

fn point<'a>(
    record: &'a str,
    run: &'a Run,
    case: &'a str,
    machines: &mut Vec<Machine<'a>>,
) -> Point<'a> {
    let rig = run.rig_of(case);
    let machine = Machine::of(rig);
    let place = machines.iter().position(|known| *known == machine);
    let modes = run.modes();
    let times = modes
        .iter()
        .filter_map(|mode| run.measurement(case, mode, Counter::CpuTime));
    let of_case = run.ratios.iter().filter(|ratio| ratio.case == case);
    Point {
        record,
        created: &run.created,
        commit: rig.commit.as_deref(),
        machine: place.unwrap_or_else(|| {
            machines.push(machine);
            machines.len() - 1
        }),
        settings: run.settings.as_ref(),
        gas: modes
            .iter()
            .find_map(|mode| Some(run.result(case, mode)?.gas_used)),
        times: times.collect(),
        ratios: of_case
            .filter(|ratio| ratio.counter == Counter::CpuTime)
            .collect(),
    }
}
