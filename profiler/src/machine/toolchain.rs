//! Finds the LLVM programs that profile-guided builds need, in the version of the compiler, or reports what to
//! install.

use crate::interrupt;
use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use thiserror::Error;

/// The compiler that cargo will use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiler {
    /// `rustc -V`.
    pub version: String,
    /// The host's target triple, its default.
    pub host: String,
    /// LLVM's major version.
    pub llvm: String,
}

/// A program of LLVM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Merges profiles.
    Profdata,
    /// Optimises the layout of a linked binary.
    Bolt,
    /// Merges BOLT profiles.
    MergeFdata,
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Tool::Profdata => "llvm-profdata",
            Tool::Bolt => "llvm-bolt",
            Tool::MergeFdata => "merge-fdata",
        }
    }

    /// The environment variable with the program's path, such as `LLVM_PROFDATA`.
    fn variable(self) -> String {
        self.name().to_uppercase().replace('-', "_")
    }

    /// The arguments that print the version. Some versions of llvm-profdata accept `--version` only after a
    /// subcommand.
    fn version_arguments(self) -> &'static [&'static str] {
        match self {
            Tool::Profdata => &["merge", "--version"],
            Tool::Bolt | Tool::MergeFdata => &["--version"],
        }
    }

    /// The command that installs it.
    fn install(self, llvm: &str) -> String {
        match self {
            Tool::Profdata => {
                format!("`rustup component add llvm-tools`, or `sudo apt-get install llvm-{llvm}`")
            }
            Tool::Bolt | Tool::MergeFdata => format!("`sudo apt-get install bolt-{llvm}`"),
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a program cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ToolError {
    /// The compiler does not run or is not based on LLVM.
    #[error("`{0} -vV` does not print the LLVM version: install Rust with rustup")]
    Compiler(String),
    /// The program is not installed.
    #[error("{tool} of LLVM {llvm}, rustc's version, is not installed: {}", tool.install(llvm))]
    Absent {
        /// Which program.
        tool: Tool,
        /// The version that is needed.
        llvm: String,
    },
    /// The program is of another LLVM version, with other file formats.
    #[error(
        "{} is of LLVM {found}, but rustc uses LLVM {llvm}: {}", path.display(), tool.install(llvm)
    )]
    Foreign {
        /// Which program.
        tool: Tool,
        /// The version that is needed.
        llvm: String,
        /// Path of the program found.
        path: PathBuf,
        /// Its version.
        found: String,
    },
}

impl Compiler {
    /// Runs the compiler: `$RUSTC`, or `rustc`.
    ///
    /// # Errors
    /// [`ToolError::Compiler`].
    pub fn find() -> Result<Compiler, ToolError> {
        let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
        let text = output(Path::new(&rustc), &["-vV"]);
        text.as_deref()
            .and_then(Compiler::parse)
            .ok_or(ToolError::Compiler(rustc))
    }

    fn parse(text: &str) -> Option<Compiler> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        Some(Compiler {
            version: text.lines().next()?.to_owned(),
            host: field("host: ")?.to_owned(),
            llvm: field("LLVM version: ")?.split('.').next()?.to_owned(),
        })
    }
}

/// Finds a program of LLVM version `llvm`: named by an environment variable, in the toolchain, or on the PATH, with
/// the version in its name or without.
///
/// # Errors
/// [`ToolError::Absent`], [`ToolError::Foreign`]. If the variable is set, no other place is searched.
pub fn find(tool: Tool, llvm: &str) -> Result<PathBuf, ToolError> {
    let named = env::var_os(tool.variable()).map(PathBuf::from);
    let places = named.map_or_else(|| places(tool, llvm), |path| vec![path]);
    let found: Vec<_> = places
        .into_iter()
        .filter_map(|path| {
            let version = output(&path, tool.version_arguments())?;
            Some((path, major(&version)?))
        })
        .collect();
    if let Some((path, _)) = found.iter().find(|(_, major)| major == llvm) {
        return Ok(path.clone());
    }
    let llvm = llvm.to_owned();
    Err(match found.into_iter().next() {
        None => ToolError::Absent { tool, llvm },
        Some((path, found)) => ToolError::Foreign {
            tool,
            llvm,
            path,
            found,
        },
    })
}

fn places(tool: Tool, llvm: &str) -> Vec<PathBuf> {
    let toolchain = output(Path::new("rustc"), &["--print", "target-libdir"])
        .map(|libdir| Path::new(libdir.trim()).join("../bin").join(tool.name()));
    let on_path = [format!("{tool}-{llvm}"), tool.to_string()];
    let on_path = on_path.into_iter().map(PathBuf::from);
    toolchain.into_iter().chain(on_path).collect()
}

/// The major version in `LLVM version 22.1.2`.
fn major(version: &str) -> Option<String> {
    let (_, number) = version.split_once("LLVM version ")?;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    (!digits.is_empty()).then(|| digits.to_owned())
}

/// What a program prints, if it succeeds.
pub fn output(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = interrupt::output(Command::new(program).args(arguments)).ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_parsed() {
        let text = "LLVM (http://llvm.org/):\n  LLVM version 22.1.2\n  Optimized build.\n";
        assert_eq!(major(text), Some("22".to_owned()));
        assert_eq!(major("Unknown command!"), None);
        assert_eq!(major("LLVM version "), None);
    }

    #[test]
    fn host_and_llvm_version_are_parsed() {
        let text = "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\n\
                    host: x86_64-unknown-linux-gnu\nLLVM version: 22.1.2\n";
        let compiler = Compiler::parse(text).unwrap();
        assert_eq!(compiler.host, "x86_64-unknown-linux-gnu");
        assert_eq!(compiler.llvm, "22");
        assert_eq!(Compiler::parse("rustc 1.95.0\nhost: x\n"), None);
    }

    #[test]
    fn a_missing_tool_is_reported_with_its_install_command() {
        let tool = Tool::Profdata;
        let llvm = "9999".to_owned();
        let error = find(tool, &llvm).unwrap_err().to_string();
        assert!(error.contains("9999"), "{error}");
        assert!(error.contains("rustup component add llvm-tools"), "{error}");
        let bolt = ToolError::Absent {
            tool: Tool::Bolt,
            llvm: "22".to_owned(),
        };
        assert!(bolt.to_string().contains("apt-get install bolt-22"));
    }
}
