//! What a recording lacks: files whose symbol names are missing or doubtful, callers, kernel samples, its end.

use super::callers::Found;
use super::events::Callers;
use super::files::{NameProblem, is_file};
use super::records::{Records, SampledEvent};
use evmscope_reports::format;
use std::collections::{BTreeMap, BTreeSet};

impl Records {
    /// One clause for each problem. Of all samples, `nameless` have no name.
    pub(super) fn missing(&self, nameless: u64) -> Vec<String> {
        let mut problems = BTreeMap::<NameProblem, Vec<&str>>::new();
        for path in self.sampled_files() {
            let name = path.rsplit('/').next().unwrap_or(path);
            for problem in self.files.problems(path) {
                problems.entry(problem).or_default().push(name);
            }
        }
        let mut missing: Vec<_> = problems
            .into_iter()
            .map(|(problem, names)| format!("{}: {}", problem.clause(), names.join(", ")))
            .collect();
        if nameless > 0 {
            let taken: u64 = self.events.iter().map(|event| event.taken).sum();
            missing.push(format!("{nameless} of {taken} samples have no name"));
        }
        let sampled = self.events.iter().filter(|it| it.taken + it.in_kernel > 0);
        let several = sampled.clone().count() > 1;
        for event in sampled {
            let clauses = callers(event, self.same_cpu)
                .into_iter()
                .chain(kernel(event));
            missing.extend(clauses.map(|clause| match several {
                true => format!("{}: {clause}", event.event.name),
                false => clause,
            }));
        }
        if self.lost() > 0 {
            let lost = format::count(self.lost(), "record");
            missing.push(format!("{lost} lost while recording"));
        }
        missing
    }

    /// Files that contain a sampled address.
    fn sampled_files(&self) -> BTreeSet<&str> {
        let mut paths = BTreeSet::new();
        for process in &self.processes {
            let files = process.mappings.iter().filter(|it| is_file(&it.path));
            let hit = files.filter(|it| {
                let mut samples = process.samples.iter();
                samples.any(|(_, sample)| it.memory.contains(&sample.ip))
            });
            paths.extend(hit.map(|it| it.path.as_str()));
        }
        paths
    }
}

fn kernel(event: &SampledEvent) -> Option<String> {
    (event.in_kernel > 0).then(|| {
        let whole = event.weight + event.kernel_weight;
        let share = event.kernel_weight as f64 / whole.max(1) as f64;
        format!(
            "{} in the kernel, {}, left out",
            format::count(event.in_kernel, "sample"),
            format::percent(share)
        )
    })
}

/// Why callers are missing.
fn callers(event: &SampledEvent, same_cpu: bool) -> Vec<String> {
    let SampledEvent { taken, found, .. } = event;
    let Found {
        none,
        cut,
        tables,
        registers,
        ..
    } = found;
    let of = |number: u64| format!("{number} of {}", format::count(*taken, "sample"));
    let mut missing = Vec::new();
    match event.event.callers {
        _ if *taken == 0 => {}
        Callers::None => {
            missing.push("no callers were recorded (perf record --call-graph)".to_owned());
        }
        Callers::Chain if *none > 0 => missing.push(format!(
            "{} have no callers: only code with frame pointers has them (perf record --call-graph dwarf)",
            of(*none)
        )),
        Callers::Chain => {}
        Callers::Branches => {
            if *none > 0 {
                missing.push(format!("{} have no callers: the CPU recorded no call", of(*none)));
            }
            if let Some((most, samples)) = found.full() {
                missing.push(format!(
                    "{} have {most} callers, which may be all that the CPU holds: outer ones are missing",
                    of(samples)
                ));
            }
        }
        Callers::Stack if !same_cpu => missing.push(
            "stacks of another kind of CPU cannot be unwound here, so no sample has callers"
                .to_owned(),
        ),
        Callers::Stack => {
            if *cut > 0 {
                missing.push(format!(
                    "{} lack their outer callers: the copy of the stack ends before them \
                     (perf record --call-graph dwarf,65528)",
                    of(*cut)
                ));
            }
            if *tables > 0 {
                missing.push(format!(
                    "{} lack callers behind code without unwind tables",
                    of(*tables)
                ));
            }
            if *registers > 0 {
                missing.push(format!("{} have no registers, so no callers", of(*registers)));
            }
        }
    }
    missing
}
