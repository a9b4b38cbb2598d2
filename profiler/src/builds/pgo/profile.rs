//! Profiles: reading, checking against a binary, merging by weight, and coverage.
//!
//! Runs llvm-profdata and parses its output. It accepts empty files and profiles of other programs, so those are
//! refused here.

use crate::interrupt::{self, Temporary};
use crate::machine::toolchain::{self, Compiler, Tool};
use crate::symbols::handlers::HandlerName;
use anyhow::{Context, Result};
use evmscope_interp::Mode;
use evmscope_reports::pgo::{Coverage, Handlers, HotFunction};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use thiserror::Error;

/// A profile to merge, and the factor of its counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// `.profraw` or `.profdata`.
    pub path: PathBuf,
    /// At least 1.
    pub weight: u32,
}

/// Why a profile is refused.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// The file does not exist.
    #[error("there is no profile at {}: `evmscope pgo train`, then `evmscope pgo merge`", .0.display())]
    Absent(PathBuf),
    /// No file was given, and there is no training.
    #[error("no profile to merge in {}: `evmscope pgo train` writes some, or name files", .0.display())]
    Nothing(PathBuf),
    /// The file is empty, which llvm-profdata would ignore silently.
    #[error(
        "{} is empty: the program that should write it did not exit normally; train again", .0.display()
    )]
    Empty(PathBuf),
    /// llvm-profdata refuses the file.
    #[error("{} is not a profile that LLVM {llvm} reads: {message}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// LLVM's version.
        llvm: String,
        /// Its error.
        message: String,
    },
    /// The functions are those of another program or of other sources.
    #[error(
        "{} is of another program or of other sources: of its {ran} functions that ran, the instrumented \
         binary has {known}; train with {}", path.display(), binary.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Functions that ran.
        ran: usize,
        /// Of those, the functions that the binary has with the same control flow.
        known: usize,
        /// The instrumented binary.
        binary: PathBuf,
    },
    /// All its counts are zero.
    #[error("no function ran in {}: train with cases that execute code", .0.display())]
    Idle(PathBuf),
}

/// A function of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// The linker's symbol; for a local symbol preceded by `UNIT;`.
    pub symbol: String,
    /// Hash of its control flow, as printed by llvm-profdata.
    pub hash: String,
    /// Executions of each counted block.
    pub counts: Vec<u64>,
}

impl Function {
    fn ran(&self) -> bool {
        self.counts.iter().any(|count| *count > 0)
    }

    /// The demangled path of the function, without the compiler's hash.
    fn name(&self) -> String {
        let symbol = self
            .symbol
            .rsplit_once(';')
            .map_or(&*self.symbol, |(_, symbol)| symbol);
        format!("{:#}", rustc_demangle::demangle(symbol))
    }

    /// Identifies the function and its control flow.
    fn identity(&self) -> (&str, &str) {
        (&self.symbol, &self.hash)
    }
}

/// llvm-profdata of the compiler's LLVM version.
#[derive(Clone, Debug)]
pub struct Profdata {
    program: PathBuf,
    llvm: String,
}

/// The functions of an instrumented binary.
#[derive(Debug)]
pub struct InstrumentedFunctions {
    binary: PathBuf,
    functions: Vec<Function>,
}

impl Profdata {
    /// Finds llvm-profdata.
    ///
    /// # Errors
    /// As [`toolchain::find`].
    pub fn find(compiler: &Compiler) -> Result<Profdata, toolchain::ToolError> {
        Ok(Profdata {
            program: toolchain::find(Tool::Profdata, &compiler.llvm)?,
            llvm: compiler.llvm.clone(),
        })
    }

    /// All functions of a profile.
    ///
    /// # Errors
    /// The file is missing, empty or not a profile.
    pub fn read(&self, path: &Path) -> Result<Vec<Function>> {
        let size = match fs::metadata(path) {
            Ok(facts) => facts.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ProfileError::Absent(path.to_path_buf()).into());
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        if size == 0 {
            return Err(ProfileError::Empty(path.to_path_buf()).into());
        }
        let mut show = Command::new(&self.program);
        show.args(["show", "--all-functions", "--counts"]).arg(path);
        Ok(functions(&self.run(show, path)?))
    }

    /// The functions of an instrumented binary. Any run writes all of them to its profile, so it runs `--version`.
    ///
    /// # Errors
    /// The binary does not run or writes no profile.
    pub fn instrumented_functions(&self, binary: &Path) -> Result<InstrumentedFunctions> {
        let folder = Temporary::folder()?;
        let path = folder.path().join("functions.profraw");
        let mut command = Command::new(binary);
        command.arg("--version").env("LLVM_PROFILE_FILE", &path);
        let run = interrupt::output(&mut command)
            .with_context(|| format!("cannot run {}", binary.display()))?;
        let functions = self
            .read(&path)
            .with_context(|| format!("{} ({}) wrote no profile", binary.display(), run.status))?;
        Ok(InstrumentedFunctions {
            binary: binary.to_path_buf(),
            functions,
        })
    }

    /// Merges profiles, with each count multiplied by the weight of its profile. Checks the profiles against
    /// `instrumented`, if given. Returns the merged functions and the merged profile, to be put at `to`.
    ///
    /// # Errors
    /// A profile is refused, see [`ProfileError`].
    pub fn merge(
        &self,
        inputs: &[Input],
        instrumented: Option<&InstrumentedFunctions>,
        to: &Path,
    ) -> Result<(Vec<Function>, Temporary)> {
        for Input { path, .. } in inputs {
            let functions = self.read(path)?;
            if let Some(instrumented) = instrumented {
                instrumented.check(path, &functions)?;
            }
        }
        let mut merge = Command::new(&self.program);
        merge.arg("merge");
        for Input { path, weight } in inputs {
            let mut weighted = std::ffi::OsString::from(format!("--weighted-input={weight},"));
            weighted.push(path);
            merge.arg(weighted);
        }
        let merged = Temporary::file_beside(to);
        let (_, merged) = merged.with_context(|| format!("cannot write {}", to.display()))?;
        merge.arg("-o").arg(merged.path());
        self.run(merge, to)?;
        let functions = self.read(merged.path())?;
        if !functions.iter().any(Function::ran) {
            return Err(ProfileError::Idle(to.to_path_buf()).into());
        }
        Ok((functions, merged))
    }

    fn run(&self, mut command: Command, path: &Path) -> Result<String> {
        let output = interrupt::output(&mut command)
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let message = said.lines().map(str::trim).filter(|line| !line.is_empty());
        Err(ProfileError::Unreadable {
            path: path.to_path_buf(),
            llvm: self.llvm.clone(),
            message: message.collect::<Vec<_>>().join("; "),
        }
        .into())
    }
}

impl InstrumentedFunctions {
    /// Requires that the binary has nine of ten functions that ran. Less would not tell programs apart, since they
    /// share the standard library and common crates.
    fn check(&self, path: &Path, functions: &[Function]) -> Result<(), ProfileError> {
        let own: BTreeSet<_> = self.functions.iter().map(Function::identity).collect();
        let ran: Vec<_> = functions.iter().filter(|function| function.ran()).collect();
        let known = ran
            .iter()
            .filter(|function| own.contains(&function.identity()))
            .count();
        if ran.is_empty() {
            return Err(ProfileError::Idle(path.to_path_buf()));
        }
        if known * 10 < ran.len() * 9 {
            return Err(ProfileError::Foreign {
                path: path.to_path_buf(),
                ran: ran.len(),
                known,
                binary: self.binary.clone(),
            });
        }
        Ok(())
    }
}

/// Parses the output of `llvm-profdata show --all-functions --counts`: names are indented by two spaces, the lines
/// of a function by four.
pub fn functions(text: &str) -> Vec<Function> {
    let mut functions: Vec<Function> = Vec::new();
    for line in text.lines() {
        if let Some(fact) = line.strip_prefix("    ") {
            let Some(function) = functions.last_mut() else {
                continue;
            };
            if let Some(hash) = fact.strip_prefix("Hash: ") {
                hash.clone_into(&mut function.hash);
            } else if let Some(list) = fact.strip_prefix("Block counts: [") {
                let numbers = list.trim_end_matches(']').split(", ");
                function
                    .counts
                    .extend(numbers.filter_map(|number| number.parse::<u64>().ok()));
            } else if let Some(count) = fact.strip_prefix("Function count: ") {
                function.counts.extend(count.parse::<u64>().ok());
            }
        } else if let Some(name) = line
            .strip_prefix("  ")
            .and_then(|name| name.strip_suffix(':'))
        {
            functions.push(Function {
                symbol: name.to_owned(),
                hash: String::new(),
                counts: Vec::new(),
            });
        }
    }
    functions
}

/// How much of the program ran in training.
pub fn coverage(functions: &[Function]) -> Coverage {
    let blocks = || functions.iter().flat_map(|function| &function.counts);
    Coverage {
        functions: functions.len(),
        functions_run: functions.iter().filter(|function| function.ran()).count(),
        blocks: blocks().count(),
        blocks_run: blocks().filter(|count| **count > 0).count(),
        handlers: Mode::ALL.map(|mode| handlers(mode, functions)).into(),
    }
}

/// The handlers of a mode. A handler with several instances or parts ran if any of them did.
fn handlers(mode: Mode, functions: &[Function]) -> Handlers {
    let mut ran = BTreeMap::new();
    for function in functions {
        if let Some((handler, _)) = HandlerName::of_path(&function.name())
            && handler.mode == mode
        {
            *ran.entry(handler.opcode.to_string()).or_insert(false) |= function.ran();
        }
    }
    Handlers {
        mode: mode.name().to_owned(),
        all: ran.len(),
        untrained: ran
            .into_iter()
            .filter(|(_, ran)| !ran)
            .map(|(name, _)| name)
            .collect(),
    }
}

/// The `most` functions with the hottest blocks, with the count of that block.
pub fn hottest(functions: &[Function], most: usize) -> Vec<HotFunction> {
    let mut hot: Vec<_> = functions
        .iter()
        .filter_map(|function| Some((*function.counts.iter().max()?, function)))
        .filter(|(count, _)| *count > 0)
        .collect();
    hot.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.symbol.cmp(&b.1.symbol)));
    hot.truncate(most);
    let named = hot.into_iter().map(|(count, function)| HotFunction {
        function: function.name(),
        count,
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = "\
Counters:
  evmscope_interp.99-cgu.0;_ZN15evmscope_interp11traditional2op3ADD17h537e82d146945384E:
    Hash: 0x01
    Counters: 2
    Block counts: [0, 41]
  evmscope_interp.99-cgu.0;_ZN15evmscope_interp11traditional2op3SUB17h537e82d146945384E:
    Hash: 0x02
    Counters: 1
    Block counts: [0]
  main:
    Hash: 0x03
    Counters: 1
    Block counts: [1]
Instrumentation level: IR  entry_first = 0  instrument_loop_entries = 0
Functions shown: 3
Total functions: 3
";

    #[test]
    fn functions_are_read_with_their_counts_and_handlers_found() {
        let functions = functions(SHOWN);
        assert_eq!(functions.len(), 3);
        assert_eq!(functions[0].hash, "0x01");
        assert_eq!(functions[0].counts, [0, 41]);
        let coverage = coverage(&functions);
        assert_eq!((coverage.functions_run, coverage.functions), (2, 3));
        assert_eq!((coverage.blocks_run, coverage.blocks), (2, 4));
        assert_eq!(coverage.handlers[0].all, 2);
        assert_eq!(coverage.handlers[0].untrained, ["SUB"]);
        let hottest = hottest(&functions, 9);
        assert_eq!(hottest[0].function, "evmscope_interp::traditional::op::ADD");
        assert_eq!(hottest.len(), 2);
    }

    #[test]
    fn handlers_are_found_in_v0_mangled_names() {
        let function = |symbol: &str, count| Function {
            symbol: symbol.to_owned(),
            hash: "0x01".to_owned(),
            counts: vec![count],
        };
        // `traditional::op::ADD::<u8>` and `::<i8>`, and `traditional::op::SUB::<u8>`.
        let add = function("_RINvNtNtCs1_15evmscope_interp11traditional2op3ADDhE", 0);
        let other = function("_RINvNtNtCs1_15evmscope_interp11traditional2op3ADDaE", 5);
        let sub = function("_RINvNtNtCs1_15evmscope_interp11traditional2op3SUBhE", 0);
        let traditional = &coverage(&[add, other, sub]).handlers[0];
        assert_eq!(traditional.all, 2);
        assert_eq!(traditional.untrained, ["SUB"]);
    }

    #[test]
    fn functions_of_the_same_name_with_other_control_flow_are_foreign() {
        let instrumented = InstrumentedFunctions {
            binary: "bin".into(),
            functions: functions(SHOWN),
        };
        let path = Path::new("raw");
        instrumented.check(path, &functions(SHOWN)).unwrap();
        let other = functions(&SHOWN.replace("0x01", "0x09"));
        assert!(matches!(
            instrumented.check(path, &other),
            Err(ProfileError::Foreign {
                ran: 2,
                known: 1,
                ..
            })
        ));
        let idle = functions(&SHOWN.replace("41", "0").replace("[1]", "[0]"));
        assert!(matches!(
            instrumented.check(path, &idle),
            Err(ProfileError::Idle(_))
        ));
    }
}
