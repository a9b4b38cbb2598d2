//! What a recording lacks: files whose symbol names are missing or doubtful, callers, kernel samples.

use super::records::Records;
use evmscope_reports::format;
use object::Object;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

impl Records {
    /// One clause for each problem, with the sampled files that have it. Of `taken` samples, `nameless` have no
    /// name.
    pub(super) fn missing(&self, taken: u64, nameless: u64) -> Vec<String> {
        let mut problems = BTreeMap::<NameProblem, Vec<&str>>::new();
        for path in self.sampled_files() {
            let name = path.rsplit('/').next().unwrap_or(path);
            for problem in self.problems(path) {
                problems.entry(problem).or_default().push(name);
            }
        }
        let mut missing: Vec<_> = problems
            .into_iter()
            .map(|(problem, names)| format!("{}: {}", problem.clause(), names.join(", ")))
            .collect();
        if nameless > 0 {
            missing.push(format!("{nameless} of {taken} samples have no name"));
        }
        if !self.has_callers {
            missing.push("no callers were recorded (perf record --call-graph)".to_owned());
        }
        if self.in_kernel > 0 {
            missing.push(format!(
                "{} in the kernel are left out",
                format::count(self.in_kernel, "sample")
            ));
        }
        missing
    }

    /// Files that contain a sampled address.
    fn sampled_files(&self) -> BTreeSet<&str> {
        let mut paths = BTreeSet::new();
        for (pid, samples) in &self.samples {
            let files = self
                .mappings_of(*pid)
                .filter(|it| it.path.starts_with('/') && !it.path.starts_with("//"));
            let hit =
                files.filter(|it| samples.iter().any(|sample| it.memory.contains(&sample.ip)));
            paths.extend(hit.map(|it| it.path.as_str()));
        }
        paths
    }

    fn problems(&self, path: &str) -> Vec<NameProblem> {
        let Ok(bytes) = fs::read(path) else {
            return vec![NameProblem::Unreadable];
        };
        let Ok(file) = object::File::parse(&*bytes) else {
            return vec![NameProblem::Unreadable];
        };
        let own = file.build_id().ok().flatten();
        let build = match (self.build_ids.get(path), own) {
            // The kernel keeps 20 bytes.
            (Some(recorded), Some(own)) if !same_build(recorded, own) => Some(NameProblem::Rebuilt),
            (Some(_), Some(_)) => None,
            _ => Some(NameProblem::NoBuildId),
        };
        let stripped = file
            .symbols()
            .next()
            .is_none()
            .then_some(NameProblem::Stripped);
        build.into_iter().chain(stripped).collect()
    }
}

/// Why names of a file are missing or doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum NameProblem {
    Unreadable,
    Rebuilt,
    NoBuildId,
    Stripped,
}

impl NameProblem {
    fn clause(self) -> &'static str {
        match self {
            NameProblem::Unreadable => "unreadable on this machine",
            NameProblem::Rebuilt => "not the build that was recorded, so its names are wrong",
            NameProblem::NoBuildId => "no build id, so it may not be the build that was recorded",
            NameProblem::Stripped => "no symbol table, so only exported names",
        }
    }
}

/// Whether two build ids are the same; recordings pad an id with zeros, or cut it.
fn same_build(recorded: &[u8], own: &[u8]) -> bool {
    let length = recorded.len().min(own.len());
    recorded[..length] == own[..length] && recorded[length..].iter().all(|&byte| byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_ids_are_compared_as_far_as_the_kernel_keeps_them() {
        assert!(same_build(&[1, 2, 0, 0], &[1, 2]));
        assert!(same_build(&[1, 2], &[1, 2, 3]));
        assert!(!same_build(&[1, 2, 3], &[1, 2]));
        assert!(!same_build(&[1, 3], &[1, 2]));
    }
}
