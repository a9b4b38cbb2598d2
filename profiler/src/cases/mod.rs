//! Benchmark cases: code, pre-state, message and expected result. Each file layout of cases has a module.
//! `engines` runs the cases.

mod evm_bench;
mod folder;
mod hex;
mod published;
pub mod shard;

pub use hex::parse_hex;

use alloy_primitives::{Address, B256, Bytes, address};
use anyhow::{Context, Result, anyhow, bail};
use evmscope_interp::world::{Account, World};
use evmscope_interp::{Environment, Fork, Interpreter, Message, Mode, Outcome, Status, Word};
use evmscope_reports::name;
use std::fs;
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
    name: String,
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

/// Reads all cases in a folder and its subfolders, in any layout, sorted by name. Unreadable cases do not stop
/// the others.
///
/// # Errors
/// The folder cannot be read, or has no case or two of the same name.
pub fn load_all(dir: &Path) -> Result<CaseSet> {
    let mut set = CaseSet::default();
    collect(dir, 0, &mut set)?;
    let CaseSet { cases, unreadable } = &mut set;
    if cases.is_empty() && unreadable.is_empty() {
        bail!(
            "no case in {}: a case is a folder with case.toml, a NAME.runtime.hex, or a benchmark.evm-bench.json",
            dir.display()
        );
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

/// Depth limit: enough for every layout, and stops at cyclic links.
const DEEPEST: usize = 4;

fn collect(dir: &Path, depth: usize, set: &mut CaseSet) -> Result<()> {
    let entries =
        fs::read_dir(dir).with_context(|| format!("cannot read the cases in {}", dir.display()))?;
    let file_name = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    };
    let folder = file_name(dir);
    for entry in entries {
        let path = entry
            .with_context(|| format!("cannot read the cases in {}", dir.display()))?
            .path();
        let name = file_name(&path);
        if path.is_dir() {
            if depth < DEEPEST && name != "node_modules" {
                collect(&path, depth + 1, set)?;
            }
        } else if name == folder::FILE {
            set.add(&folder, &path, folder::load(dir));
        } else if name == evm_bench::FILE {
            set.add(&folder, &path, evm_bench::load(&path));
        } else if let Some(stem) = name.strip_suffix(published::SUFFIX) {
            let is_text = path.file_name().is_some_and(|name| name.to_str().is_some());
            let case = match is_text {
                true => published::load(dir, stem),
                false => Err(anyhow!(
                    "{}: the name is not UTF-8: rename it",
                    path.display()
                )),
            };
            set.add(stem, &path, case);
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
