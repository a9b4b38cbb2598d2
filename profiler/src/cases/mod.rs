//! Benchmark cases: code, pre-state, message and expected result. Each file layout of cases has a module.
//! `engines` runs the cases.

mod evm_bench;
mod folder;
mod hex;
mod paths;
mod published;
pub mod shard;

pub use hex::{parse_hex, parse_hex_or_file};
pub use paths::folder_error;

use alloy_primitives::{Address, B256, Bytes, address};
use anyhow::{Context, Result, anyhow, bail};
use evmscope_interp::world::{Account, World};
use evmscope_interp::{Environment, Fork, Interpreter, Message, Mode, Outcome, Status, Word};
use evmscope_reports::name;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Separates the lines of one error, aligned after the prefix `error: `.
pub const NEXT_LINE: &str = "\n       ";

/// The caller of every message.
pub const CALLER: Address = address!("1000000000000000000000000000000000000001");

/// The called contract, unless the case deploys it.
pub const CONTRACT: Address = address!("2000000000000000000000000000000000000002");

/// The caller's balance: a million ether, in wei.
const FUNDS: u128 = 1_000_000_000_000_000_000_000_000;

/// A case as read from its files.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub description: String,
    pub fork: Fork,
    pub gas_limit: u64,
    pub code: Deployment,
    pub calldata: Bytes,
    /// Storage slots of the contract before the setup calls.
    pub storage: Vec<(Word, Word)>,
    /// Call data of the setup calls, each in its own transaction.
    pub setup: Vec<Bytes>,
    pub expected: Expected,
    /// The compiler's source map, if the case's folder has one.
    pub source_map: Option<PathBuf>,
}

/// How the contract gets into the state.
#[derive(Clone, Debug)]
pub enum Deployment {
    /// Its deployed code, inserted directly.
    Runtime(Bytes),
    /// Its init code, run by a creation.
    Init(Bytes),
}

/// The expected result.
#[derive(Clone, Debug)]
pub enum Expected {
    /// Stated in the file named `from`. A `None` field is not checked.
    Stated {
        from: &'static str,
        status: String,
        gas_used: u64,
        output_hash: B256,
        refund: Option<i64>,
        logs: Option<usize>,
    },
    /// Nothing is stated: all modes and the reference engine must agree.
    Agreement,
}

impl Expected {
    /// The source of the expected result, as named in reports.
    pub fn source(&self) -> &'static str {
        match self {
            Expected::Stated { from, .. } => from,
            Expected::Agreement => "agreement",
        }
    }
}

/// Pre-state and message of the measured call.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub world: World,
    pub message: Message,
}

impl Case {
    /// Creates the state, deploys the contract and runs the setup calls.
    ///
    /// # Errors
    /// The deployment or a setup call does not succeed.
    pub fn scenario(&self) -> Result<Scenario> {
        let mut world = World::new(self.environment());
        world.insert(CALLER, Account::funded(Word::from(FUNDS)));
        let mut interpreter = Interpreter::new(Mode::Traditional, self.fork);
        let contract = self.deploy(&mut interpreter, &mut world)?;
        let call = |input: &Bytes| Message::call(CALLER, contract, input.clone(), self.gas_limit);
        for (index, input) in self.setup.iter().enumerate() {
            let what = format!("setup call {}", index + 1);
            self.succeed(&mut interpreter, &mut world, &what, call(input))?;
        }
        world.begin_transaction(self.fork, &[CALLER, contract]);
        Ok(Scenario {
            world,
            message: call(&self.calldata),
        })
    }

    fn environment(&self) -> Environment {
        Environment {
            number: 1,
            timestamp: 1,
            gas_limit: self.gas_limit,
            chain_id: 1,
            // The minimum (EIP-4844).
            blob_base_fee: Word::ONE,
            origin: CALLER,
            ..Environment::default()
        }
    }

    /// Puts the contract into the world; returns its address.
    fn deploy(&self, interpreter: &mut Interpreter, world: &mut World) -> Result<Address> {
        match &self.code {
            Deployment::Runtime(code) => {
                let mut account = Account::contract(code);
                for (key, value) in &self.storage {
                    account.set_storage(*key, *value);
                }
                world.insert(CONTRACT, account);
                Ok(CONTRACT)
            }
            Deployment::Init(code) => {
                let message = Message::create(CALLER, code.clone(), self.gas_limit);
                let outcome = self.succeed(interpreter, world, "the deployment", message)?;
                Ok(outcome.created.unwrap_or(CONTRACT))
            }
        }
    }

    /// Runs a message as its own transaction.
    fn succeed(
        &self,
        interpreter: &mut Interpreter,
        world: &mut World,
        what: &str,
        message: Message,
    ) -> Result<Outcome> {
        world.begin_transaction(self.fork, &[CALLER, message.recipient]);
        let outcome = interpreter.execute(message, world);
        match outcome.status {
            Status::Success => Ok(outcome),
            status => bail!(
                "case {}: {what} ended with {status}, not success",
                self.name
            ),
        }
    }

    /// A case from code and call data on the command line, without an expected result.
    pub fn ad_hoc(code: Bytes, calldata: Bytes, gas_limit: u64, fork: Fork) -> Case {
        Case {
            name: "code".into(),
            description: "code from the command line".into(),
            fork,
            gas_limit,
            code: Deployment::Runtime(code),
            calldata,
            storage: Vec::new(),
            setup: Vec::new(),
            expected: Expected::Agreement,
            source_map: None,
        }
    }
}

/// The cases of a folder, and those that could not be read.
#[derive(Default)]
pub struct CaseSet {
    /// Sorted by name, or in the order asked for.
    pub cases: Vec<Case>,
    pub unreadable: Vec<Unreadable>,
}

/// A case that could not be read.
pub struct Unreadable {
    /// Its name, as derived from its path.
    pub name: String,
    pub error: anyhow::Error,
}

impl Unreadable {
    /// A case that can be read but not used.
    pub fn new(name: &str, error: anyhow::Error) -> Unreadable {
        Unreadable {
            name: name.to_owned(),
            error,
        }
    }
}

impl CaseSet {
    /// Adds the case of a file. Its name may become a file name, so not every text can be one.
    fn add(&mut self, name: &str, path: &Path, case: Result<Case>) {
        let named = case.and_then(|case| {
            name::check(&case.name).with_context(|| format!("in {}", path.display()))?;
            Ok(case)
        });
        match named {
            Ok(case) => self.cases.push(case),
            Err(error) => self.unreadable.push(Unreadable {
                name: name.to_owned(),
                error,
            }),
        }
    }

    /// All errors, one per line.
    fn complaint(&self) -> String {
        let errors = self.unreadable.iter().map(|it| format!("{:#}", it.error));
        errors.collect::<Vec<_>>().join(NEXT_LINE)
    }
}

/// Reads all cases in a folder and its subfolders, in any layout, sorted by name; or the case of a file by which
/// a layout is recognised. Unreadable cases do not stop the others.
///
/// # Errors
/// The folder cannot be read, or has no case or two of the same name; or the file belongs to no layout.
pub fn load_all(dir: &Path) -> Result<CaseSet> {
    let mut set = CaseSet::default();
    if !(dir.is_file() && add_file(dir, &mut set)) {
        collect(dir, 0, &mut set)?;
    }
    let CaseSet { cases, unreadable } = &mut set;
    if cases.is_empty() && unreadable.is_empty() {
        bail!("no case in {}: {LAYOUTS}", dir.display());
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    unreadable.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(twice) = cases.windows(2).find(|pair| pair[0].name == pair[1].name) {
        let name = &twice[0].name;
        bail!(
            "two cases in {} are named `{name}`: rename one",
            dir.display()
        );
    }
    Ok(set)
}

/// What can be read as a case.
const LAYOUTS: &str =
    "a case is a folder with case.toml, a NAME.runtime.hex, or a benchmark.evm-bench.json";

/// The folder of all files of the cases that [`load_all`] reads: `path` itself, or that of the file that it names.
pub fn folder_of(path: &Path) -> &Path {
    match path.is_file() {
        true => parent(path),
        false => path,
    }
}

fn parent(file: &Path) -> &Path {
    let parent = file.parent().filter(|it| !it.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Adds the case of a file by which a layout is recognised; `false` if it is no such file.
fn add_file(file: &Path, set: &mut CaseSet) -> bool {
    let bytes = file.file_name().unwrap_or_default();
    let name = bytes.to_string_lossy();
    let dir = parent(file);
    if name == folder::FILE {
        set.add(&name_of(dir), file, folder::load(dir));
    } else if name == evm_bench::FILE {
        set.add(&name_of(dir), file, evm_bench::load(file));
    } else if let Some(stem) = name.strip_suffix(published::SUFFIX) {
        let case = match bytes.to_str() {
            Some(_) => published::load(dir, stem),
            None => Err(anyhow!(
                "{}: the name is not UTF-8: rename it",
                file.display()
            )),
        };
        set.add(stem, file, case);
    } else {
        return false;
    }
    true
}

/// The name of a folder, whose path may end in `.` or `..`; empty if it has none.
fn name_of(folder: &Path) -> String {
    let full = match folder.file_name() {
        Some(_) => folder.to_path_buf(),
        None => folder.canonicalize().unwrap_or_default(),
    };
    let name = full.file_name().and_then(|name| name.to_str());
    name.unwrap_or_default().to_owned()
}

/// Depth limit: enough for every layout, and stops at cyclic links.
const DEEPEST: usize = 4;

fn collect(dir: &Path, depth: usize, set: &mut CaseSet) -> Result<()> {
    let refuse = |error: io::Error| {
        let why = folder_error(dir, &error);
        let wanted = match error.kind() {
            io::ErrorKind::NotADirectory => format!("; {LAYOUTS}"),
            _ => String::new(),
        };
        anyhow!("cannot read the cases in {}: {why}{wanted}", dir.display())
    };
    for entry in fs::read_dir(dir).map_err(refuse)? {
        let path = entry.map_err(refuse)?.path();
        if path.is_dir() {
            let is_case = path.file_name().is_none_or(|name| name != "node_modules");
            if depth < DEEPEST && is_case {
                collect(&path, depth + 1, set)?;
            }
        } else {
            add_file(&path, set);
        }
    }
    Ok(())
}

/// Picks cases by name, in the order asked for; all if `names` is empty.
///
/// # Errors
/// A name is unknown or given twice, a named case cannot be read, or no case at all can be read.
pub fn pick(mut set: CaseSet, names: &[String]) -> Result<CaseSet> {
    if names.is_empty() {
        return match set.cases.is_empty() {
            true => Err(anyhow!(set.complaint())),
            false => Ok(set),
        };
    }
    if let Some(twice) = (1..names.len()).find(|&i| names[..i].contains(&names[i])) {
        bail!("case `{}` is named twice", names[twice]);
    }
    let CaseSet { cases, unreadable } = &mut set;
    let known = || {
        cases
            .iter()
            .map(|case| case.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut picked = Vec::new();
    for name in names {
        let found = cases.iter().find(|case| case.name == *name);
        let wrong = unreadable.iter().position(|it| it.name == *name);
        match (found, wrong) {
            (Some(case), _) => picked.push(case.clone()),
            (None, Some(index)) => return Err(unreadable.swap_remove(index).error),
            (None, None) => bail!("unknown case `{name}`: choose from {}", known()),
        }
    }
    Ok(CaseSet {
        cases: picked,
        ..set
    })
}

/// The folder `cases` in the working directory, or else in the checkout of the build.
pub fn default_dir() -> PathBuf {
    let here = Path::new("cases");
    if here.is_dir() {
        return here.to_path_buf();
    }
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases")
}
