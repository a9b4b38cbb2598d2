//! Runs every message in two interpreters: one serves the results, the other is checked against it. For the
//! gradual rollout of a mode, a setting or a version of this crate.
//!
//! It works on any [`Host`], with no further requirements: the checked run goes first, on the host itself,
//! and is reverted to a checkpoint. The changes of both runs are recorded on their way to the host, so no
//! state is copied or traversed. Differences are only reported; the caller decides what to do about them.

use crate::code::Code;
use crate::driver::Execute;
use crate::fork::Fork;
use crate::host::{AccountInfo, Checkpoint, Environment, Host, Load, Log, PrecompileResult, Store};
use crate::interpreter::Interpreter;
use crate::message::Message;
use crate::outcome::Outcome;
use crate::word::Word;
use alloy_primitives::{Address, B256};
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Two interpreters, one of which serves the results.
#[derive(Debug)]
pub struct Shadow {
    serving: Interpreter,
    checked: Interpreter,
    differences: Vec<Difference>,
    /// Result of the checked run of the last message; `None` if it panicked.
    shadowed: Option<Outcome>,
}

/// A difference between the two runs of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `status`, `gas used`, `gas left`, `refund`, `output`, `created`, `effects` or `panic`.
    pub what: &'static str,
    /// The value in the run that serves.
    pub served: String,
    /// The value in the checked run.
    pub checked: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference {
            what,
            served,
            checked,
        } = self;
        write!(f, "{what}: served {served}, checked {checked}")
    }
}

impl Shadow {
    /// Serves the results of `serving` and checks `checked` against them.
    pub fn new(serving: Interpreter, checked: Interpreter) -> Shadow {
        Shadow {
            serving,
            checked,
            differences: Vec::new(),
            shadowed: None,
        }
    }

    /// The interpreter whose results are served.
    pub fn serving(&self) -> &Interpreter {
        &self.serving
    }

    /// The interpreter that is checked.
    pub fn checked(&self) -> &Interpreter {
        &self.checked
    }

    /// The differences between the two runs of the last message: the first one of each kind.
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// Result of the checked run of the last message; `None` if it panicked.
    pub fn shadowed(&self) -> Option<&Outcome> {
        self.shadowed.as_ref()
    }

    /// Does the checked run and reverts it. A panic in it is only reported as a difference.
    fn check(
        &mut self,
        message: Message,
        host: &mut dyn Host,
    ) -> Result<(Outcome, Vec<Effect>), String> {
        let before = host.checkpoint();
        let mut watched = Watched::new(host);
        let ran = catch_unwind(AssertUnwindSafe(|| {
            self.checked.execute(message, &mut watched)
        }));
        let effects = watched.effects;
        host.revert(before);
        ran.map(|outcome| (outcome, effects)).map_err(|payload| {
            self.checked = self.checked.renewed();
            said(payload.as_ref())
        })
    }
}

impl Execute for Shadow {
    fn fork(&self) -> Fork {
        self.serving.fork()
    }

    /// Runs a message in both interpreters. Only the changes of the one that serves stay in the host.
    fn execute(&mut self, message: Message, host: &mut dyn Host) -> Outcome {
        let checked = self.check(message.clone(), host);
        let mut watched = Watched::new(host);
        let served = self.serving.execute(message, &mut watched);
        self.differences.clear();
        self.shadowed = None;
        match checked {
            Err(panic) => self.differences.push(Difference {
                what: "panic",
                served: "none".to_owned(),
                checked: panic,
            }),
            Ok((outcome, effects)) => {
                compare(&served, &outcome, &mut self.differences);
                self.differences
                    .extend(first_difference(&watched.effects, &effects));
                self.shadowed = Some(outcome);
            }
        }
        served
    }
}

fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}

fn compare(served: &Outcome, checked: &Outcome, differences: &mut Vec<Difference>) {
    let Outcome {
        status,
        gas_used,
        gas_left,
        refund,
        output,
        created,
        statistics: _,
    } = served;
    let created_at = |address: &Option<Address>| {
        address.map_or_else(|| "nothing".to_owned(), |address| address.to_string())
    };
    let figures = [
        ("status", status.to_string(), checked.status.to_string()),
        (
            "gas used",
            gas_used.to_string(),
            checked.gas_used.to_string(),
        ),
        (
            "gas left",
            gas_left.to_string(),
            checked.gas_left.to_string(),
        ),
        ("refund", refund.to_string(), checked.refund.to_string()),
        ("output", output.to_string(), checked.output.to_string()),
        ("created", created_at(created), created_at(&checked.created)),
    ];
    let apart = figures
        .into_iter()
        .filter(|(_, served, checked)| served != checked);
    differences.extend(apart.map(|(what, served, checked)| Difference {
        what,
        served,
        checked,
    }));
}

/// The first change that differs; later ones may be consequences of it.
fn first_difference(served: &[Effect], checked: &[Effect]) -> Option<Difference> {
    let longest = served.len().max(checked.len());
    let at = (0..longest).find(|&i| served.get(i) != checked.get(i))?;
    let tell = |effects: &[Effect]| match effects.get(at) {
        Some(effect) => format!("number {} of {}: {effect}", at + 1, effects.len()),
        None => format!("only {}", effects.len()),
    };
    Some(Difference {
        what: "effects",
        served: tell(served),
        checked: tell(checked),
    })
}

/// A change made in the host and not reverted.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Effect {
    WarmAccount(Address),
    WarmSlot(Address, Word),
    Store(Address, Word, Word),
    Transient(Address, Word, Word),
    Log(alloy_primitives::Log),
    Transfer(Address, Address, Word),
    Nonce(Address, u64),
    Create(Address),
    Code(Address, B256),
    Selfdestruct(Address, Address),
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::WarmAccount(address) => write!(f, "first access to {address}"),
            Effect::WarmSlot(address, key) => write!(f, "first access to slot {key} of {address}"),
            Effect::Store(address, key, value) => {
                write!(f, "slot {key} of {address} set to {value}")
            }
            Effect::Transient(address, key, value) => {
                write!(f, "transient slot {key} of {address} set to {value}")
            }
            Effect::Log(log) => {
                let (address, topics, data) = (log.address, log.topics(), &log.data.data);
                write!(f, "log of {address}, topics {topics:?}, data {data}")
            }
            Effect::Transfer(from, to, value) => write!(f, "{value} wei from {from} to {to}"),
            Effect::Nonce(address, before) => {
                write!(f, "nonce of {address} incremented from {before}")
            }
            Effect::Create(address) => write!(f, "contract created at {address}"),
            Effect::Code(address, hash) => write!(f, "code {hash} at {address}"),
            Effect::Selfdestruct(address, to) => write!(f, "{address} destroyed, to {to}"),
        }
    }
}

/// Records the changes on their way to the host, but not the reads, which an interpreter may cache.
struct Watched<'a> {
    host: &'a mut dyn Host,
    effects: Vec<Effect>,
    /// Checkpoints, each with the number of effects before it.
    checkpoints: Vec<(Checkpoint, usize)>,
}

impl<'a> Watched<'a> {
    fn new(host: &'a mut dyn Host) -> Watched<'a> {
        Watched {
            host,
            effects: Vec::new(),
            checkpoints: Vec::new(),
        }
    }
}

impl Host for Watched<'_> {
    fn environment(&self) -> &Environment {
        self.host.environment()
    }

    fn block_hash(&mut self, number: u64) -> B256 {
        self.host.block_hash(number)
    }

    fn account(&mut self, address: Address) -> AccountInfo {
        self.host.account(address)
    }

    fn balance(&mut self, address: Address) -> Word {
        self.host.balance(address)
    }

    fn code(&mut self, address: Address) -> &Arc<Code> {
        self.host.code(address)
    }

    fn warm_account(&mut self, address: Address) -> bool {
        let cold = self.host.warm_account(address);
        if cold {
            self.effects.push(Effect::WarmAccount(address));
        }
        cold
    }

    fn load(&mut self, address: Address, key: Word) -> Load {
        let load = self.host.load(address, key);
        if load.cold {
            self.effects.push(Effect::WarmSlot(address, key));
        }
        load
    }

    fn store(&mut self, address: Address, key: Word, value: Word) -> Store {
        let store = self.host.store(address, key, value);
        if store.cold {
            self.effects.push(Effect::WarmSlot(address, key));
        }
        if store.before != value {
            self.effects.push(Effect::Store(address, key, value));
        }
        store
    }

    fn load_transient(&mut self, address: Address, key: Word) -> Word {
        self.host.load_transient(address, key)
    }

    fn store_transient(&mut self, address: Address, key: Word, value: Word) {
        self.effects.push(Effect::Transient(address, key, value));
        self.host.store_transient(address, key, value);
    }

    fn log(&mut self, log: Log<'_>) {
        self.effects.push(Effect::Log(log.into()));
        self.host.log(log);
    }

    fn transfer(&mut self, from: Address, to: Address, value: Word) -> bool {
        let moved = self.host.transfer(from, to, value);
        if moved {
            self.effects.push(Effect::Transfer(from, to, value));
        }
        moved
    }

    fn increment_nonce(&mut self, address: Address) -> Option<u64> {
        let before = self.host.increment_nonce(address);
        self.effects
            .extend(before.map(|before| Effect::Nonce(address, before)));
        before
    }

    fn create(&mut self, address: Address, fork: Fork) -> bool {
        let made = self.host.create(address, fork);
        if made {
            self.effects.push(Effect::Create(address));
        }
        made
    }

    fn set_code(&mut self, address: Address, code: Arc<Code>) {
        self.effects.push(Effect::Code(address, code.hash()));
        self.host.set_code(address, code);
    }

    fn selfdestruct(&mut self, address: Address, beneficiary: Address, fork: Fork) -> bool {
        self.effects
            .push(Effect::Selfdestruct(address, beneficiary));
        self.host.selfdestruct(address, beneficiary, fork)
    }

    fn precompile(
        &mut self,
        address: Address,
        input: &[u8],
        gas: u64,
        fork: Fork,
    ) -> Option<PrecompileResult> {
        self.host.precompile(address, input, gas, fork)
    }

    fn checkpoint(&mut self) -> Checkpoint {
        let checkpoint = self.host.checkpoint();
        self.checkpoints.push((checkpoint, self.effects.len()));
        checkpoint
    }

    fn revert(&mut self, to: Checkpoint) {
        // Checkpoints above `to` belong to frames that succeeded.
        while let Some((checkpoint, effects)) = self.checkpoints.pop() {
            if checkpoint == to {
                self.effects.truncate(effects);
                break;
            }
        }
        self.host.revert(to);
    }
}
