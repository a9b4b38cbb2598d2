//! Benchmark cases: what is run, from which state, and what must come out. The layouts they are read
//! from have a file each; running them is the engines' business.

mod evm_bench;

mod folder;

mod hex;
mod published;
pub mod shard;

pub use hex::parse_hex;

use alloy_primitives::{Address, B256, Bytes, address};
use anyhow::{Context, Result, anyhow, bail};
use evmscope_interp::world::{Account, World};
use evmscope_interp::{Environment, Fork, Interpreter, Message, Mode, Status, Word};
use std::fs;
use std::path::{Path, PathBuf};

/// Between the lines of one error: they stand below each other, behind the word that the first one gets.
pub const NEXT_LINE: &str = "\n       ";

/// Who calls.
pub const CALLER: Address = address!("1000000000000000000000000000000000000001");

/// What is called, unless the case deploys it.
pub const CONTRACT: Address = address!("2000000000000000000000000000000000000002");

/// The caller's balance: a million ether, in wei.
const FUNDS: u128 = 1_000_000_000_000_000_000_000_000;

/// A case as it was read.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub description: String,
    pub fork: Fork,
    pub gas_limit: u64,
    pub code: Deployment,
    pub calldata: Bytes,
    /// Slots of the contract before anything runs.
    pub storage: Vec<(Word, Word)>,
    /// Call data of the calls made before, each its own transaction.
    pub setup: Vec<Bytes>,
    pub expected: Expected,
    /// What a compiler told of its code, where that lies beside it.
    pub source_map: Option<PathBuf>,
}

/// How the contract comes into the world.
#[derive(Clone, Debug)]
pub enum Deployment {
    /// Its code as it is when deployed.
    Runtime(Bytes),
    /// Its init code, which a creation runs first.
    Init(Bytes),
}

/// What must come out.
#[derive(Clone, Debug)]
pub enum Expected {
    /// What the file named `from` states; a field that it leaves out is not checked.
    Stated {
        from: &'static str,
        status: String,
        gas_used: u64,
        output_hash: B256,
        refund: Option<i64>,
        logs: Option<usize>,
    },
    /// Nothing is stated: all modes and the peer must agree.
    Agreement,
}

impl Expected {
    /// What a result is held against, as reports name it.
    pub fn source(&self) -> &'static str {
        match self {
            Expected::Stated { from, .. } => from,
            Expected::Agreement => "agreement",
        }
    }
}

/// The state right before the call that is measured, and the call.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub world: World,
    pub message: Message,
}

impl Case {
    /// Makes the world, deploys the contract and runs the calls before.
    ///
    /// # Errors
    /// A deployment or a call before that does not succeed.
    pub fn scenario(&self) -> Result<Scenario> {
        let mut world = World::new(Environment {
            number: 1,
            timestamp: 1,
            gas_limit: self.gas_limit,
            chain_id: 1,
            // The least there is (EIP-4844).
            blob_base_fee: Word::ONE,
            origin: CALLER,
            ..Environment::default()
        });
        world.insert(CALLER, Account::funded(Word::from(FUNDS)));
        let mut interpreter = Interpreter::new(Mode::Traditional, self.fork);
        let mut run = |world: &mut World, what: &str, message: Message| {
            world.begin_transaction(self.fork, &[CALLER, message.recipient]);
            let outcome = interpreter.execute(message, world);
            if outcome.status != Status::Success {
                bail!(
                    "case {}: {what} ended with {}, not success",
                    self.name,
                    outcome.status
                );
            }
            Ok(outcome)
        };
        let contract = match &self.code {
            Deployment::Runtime(code) => {
                let mut account = Account::contract(code);
                for (key, value) in &self.storage {
                    account.set_storage(*key, *value);
                }
                world.insert(CONTRACT, account);
                CONTRACT
            }
            Deployment::Init(code) => {
                let message = Message::create(CALLER, code.clone(), self.gas_limit);
                let outcome = run(&mut world, "the deployment", message)?;
                outcome.created.unwrap_or(CONTRACT)
            }
        };
        let call = |input: &Bytes| Message::call(CALLER, contract, input.clone(), self.gas_limit);
        for (index, input) in self.setup.iter().enumerate() {
            run(
                &mut world,
                &format!("call {} before", index + 1),
                call(input),
            )?;
        }
        world.begin_transaction(self.fork, &[CALLER, contract]);
        Ok(Scenario {
            world,
            message: call(&self.calldata),
        })
    }

    /// A case made of bytes on the command line, from which nothing is expected.
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

/// The cases of a folder, and those that are not as their layout wants them.
#[derive(Default)]
pub struct CaseSet {
    /// Sorted by name, or in the order asked for.
    pub cases: Vec<Case>,
    pub unreadable: Vec<Unreadable>,
}

/// A case that could not be read.
pub struct Unreadable {
    /// Its name, as far as its place tells.
    name: String,
    pub error: anyhow::Error,
}

impl CaseSet {
    fn add(&mut self, name: &str, case: Result<Case>) {
        match case {
            Ok(case) => self.cases.push(case),
            Err(error) => self.unreadable.push(Unreadable {
                name: name.to_owned(),
                error,
            }),
        }
    }

    /// All that is wrong, a line each.
    fn complaint(&self) -> String {
        let errors = self.unreadable.iter().map(|it| format!("{:#}", it.error));
        errors.collect::<Vec<_>>().join(NEXT_LINE)
    }
}

/// Reads all cases below a folder, in whichever layout it has, sorted by name. One that cannot be read does
/// not keep the others away.
///
/// # Errors
/// A folder that cannot be read, or holds no case or two of one name.
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
            "two cases in {} are called `{name}`: rename one",
            dir.display()
        );
    }
    Ok(set)
}

/// Deep enough for every layout, and no endless walk where links make a circle.
const DEEPEST: usize = 4;

fn collect(dir: &Path, depth: usize, set: &mut CaseSet) -> Result<()> {
    let entries =
        fs::read_dir(dir).with_context(|| format!("cannot read the cases in {}", dir.display()))?;
    let folder = dir.file_name().and_then(|name| name.to_str());
    let folder = folder.unwrap_or_default();
    for entry in entries {
        let path = entry
            .with_context(|| format!("cannot read the cases in {}", dir.display()))?
            .path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() {
            if depth < DEEPEST && name != "node_modules" {
                collect(&path, depth + 1, set)?;
            }
        } else if name == folder::FILE {
            set.add(folder, folder::load(dir));
        } else if name == evm_bench::FILE {
            set.add(folder, evm_bench::load(&path));
        } else if let Some(stem) = name.strip_suffix(published::SUFFIX) {
            set.add(stem, published::load(dir, stem));
        }
    }
    Ok(())
}

/// Picks cases by name, in the order asked for; all where none is named.
///
/// # Errors
/// A name that no case has, or that is asked for twice; a case asked for that cannot be read, or no case
/// that can.
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

/// The folder `cases` of the checkout this is run in, or of the one it was built in.
pub fn default_dir() -> PathBuf {
    let here = Path::new("cases");
    if here.is_dir() {
        return here.to_path_buf();
    }
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases")
}
