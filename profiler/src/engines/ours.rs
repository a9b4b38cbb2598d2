//! The two modes of `evmscope-interp` as engines.

use super::{BuiltIn, CallOutcome, Engine, WORLDS};
use crate::cases::Scenario;
use anyhow::{Result, bail};
use evmscope_interp::world::World;
use evmscope_interp::world::mark::Mark;
use evmscope_interp::{
    Fork, Interpreter, Message, Mode, Opcode, Outcome, Place, Programs, Settings, Statistics,
};
use std::sync::Arc;

/// The mode that interprets bytecode directly.
pub const TRADITIONAL: BuiltIn = BuiltIn {
    name: Mode::Traditional.name(),
    mode: Some(Mode::Traditional),
    version,
    // Instructions, reads, writes and branches are the same every time; misses depend on where tables lie.
    simulations: 2,
    start: |scenario, fork, settings| {
        Ok(Box::new(Ours::new(
            Mode::Traditional,
            fork,
            settings,
            scenario,
        )))
    },
};

/// The mode that translates hot code.
pub const ADVANCED: BuiltIn = BuiltIn {
    name: Mode::Advanced.name(),
    mode: Some(Mode::Advanced),
    start: |scenario, fork, settings| {
        Ok(Box::new(Ours::new(
            Mode::Advanced,
            fork,
            settings,
            scenario,
        )))
    },
    ..TRADITIONAL
};

fn version() -> String {
    let version = concat!("evmscope ", env!("CARGO_PKG_VERSION"));
    match option_env!("EVMSCOPE_BUILD_COMMIT") {
        Some(commit) => format!("{version}, {commit}"),
        None => version.to_owned(),
    }
}

struct Ours {
    /// The first one runs all warm calls; each prepared cold call has its own.
    interpreters: Vec<Interpreter>,
    cold: bool,
    settings: Settings,
    message: Message,
    /// The state before, to which all worlds go back.
    before: Mark,
    worlds: Vec<World>,
    /// Most worlds at once.
    most: usize,
    /// How many calls were prepared, and how many of them ran. Call n ran in world n.
    ready: usize,
    ran: usize,
    outcomes: Vec<Outcome>,
}

impl Ours {
    fn new(mode: Mode, fork: Fork, settings: Settings, scenario: &Scenario) -> Ours {
        let world = scenario.world.clone();
        Ours {
            interpreters: vec![Interpreter::with_settings(mode, fork, settings)],
            cold: false,
            settings,
            message: scenario.message.clone(),
            before: world.mark(),
            most: (WORLDS / world.size()).max(1),
            worlds: vec![world],
            ready: 0,
            ran: 0,
            outcomes: Vec::new(),
        }
    }

    fn prepare_worlds(&mut self, calls: usize) -> usize {
        for world in &mut self.worlds[..self.ran] {
            world.restore(&self.before);
        }
        self.ran = 0;
        self.outcomes.clear();
        self.ready = calls.min(self.most);
        self.outcomes.reserve(self.ready);
        while self.worlds.len() < self.ready {
            // A copy has no room to spare. The message makes what it needs, and it is kept.
            let mut world = self.worlds[0].clone();
            self.interpreters[0].execute(self.message.clone(), &mut world);
            world.restore(&self.before);
            self.worlds.push(world);
        }
        self.ready
    }
}

impl Engine for Ours {
    fn prepare(&mut self, calls: usize) -> usize {
        self.cold = false;
        self.prepare_worlds(calls)
    }

    fn prepare_cold(&mut self, calls: usize) -> usize {
        let ready = self.prepare_worlds(calls);
        self.cold = true;
        while self.interpreters.len() < ready {
            let (mode, fork) = (self.interpreters[0].mode(), self.interpreters[0].fork());
            let mut new = Interpreter::with_settings(mode, fork, self.settings);
            // Touches the pages of its stack that a call uses, so that timed calls cause no page faults.
            new.execute(self.message.clone(), &mut self.worlds[0]);
            self.worlds[0].restore(&self.before);
            self.interpreters.push(new);
        }
        self.interpreters.iter_mut().for_each(Interpreter::forget);
        ready
    }

    fn call(&mut self) -> Result<()> {
        if self.ran == self.ready {
            bail!("no call is ready");
        }
        let index = if self.cold { self.ran } else { 0 };
        let world = &mut self.worlds[self.ran];
        let outcome = self.interpreters[index].execute(self.message.clone(), world);
        self.outcomes.push(outcome);
        self.ran += 1;
        Ok(())
    }

    fn keep_places(&mut self) {
        self.interpreters[0].keep_places();
    }

    /// Code that a call deploys is found only in decoded form, since its bytes are dropped with the call's world.
    fn place(&self, address: usize) -> Option<Place> {
        let decoded = self.interpreters[0].place(address);
        decoded.or_else(|| {
            self.worlds[0].accounts().find_map(|(_, account)| {
                let pc = account.code.offset_of(address)?;
                Some(Place {
                    code: Arc::clone(&account.code),
                    pc,
                    opcode: account.code.bytes().get(pc).copied().map(Opcode),
                    before: None,
                })
            })
        })
    }

    fn translation(&self) -> Option<(Statistics, Programs)> {
        let interpreter = self.interpreters.first()?;
        let outcome = self.outcomes.last()?;
        (interpreter.mode() == Mode::Advanced).then(|| (outcome.statistics, interpreter.programs()))
    }

    fn outcome(&self) -> Option<CallOutcome> {
        let world = self.worlds.get(self.ran.checked_sub(1)?)?;
        self.outcomes.last().map(|outcome| CallOutcome {
            status: outcome.status.name().to_owned(),
            gas_used: outcome.gas_used,
            refund: outcome.refund,
            output: outcome.output.clone(),
            logs: if outcome.status == evmscope_interp::Status::Success {
                world.logs().len()
            } else {
                0
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::{CALLER, Case, default_dir, load_all};
    use alloy_primitives::Bytes;
    use evmscope_interp::world::Account;

    #[test]
    fn every_world_of_every_case_goes_back() {
        for case in load_all(&default_dir()).unwrap().cases {
            let scenario = case.scenario().unwrap();
            let root = scenario.world.state_root();
            let mut engine = Ours::new(Mode::Advanced, case.fork, Settings::default(), &scenario);
            for calls in [1, 2, 1] {
                assert_eq!(engine.prepare(calls), calls);
                for world in &engine.worlds[..calls] {
                    assert_eq!(world.state_root(), root, "{}", case.name);
                    assert_eq!(world.logs().len(), 0, "{}", case.name);
                }
                (0..calls).for_each(|_| engine.call().unwrap());
            }
        }
    }

    #[test]
    fn of_large_worlds_few_are_prepared_at_once() {
        let stops = Bytes::from_static(&[0]);
        let case = Case::ad_hoc(stops, Bytes::new(), 100_000, Fork::Osaka);
        let mut scenario = case.scenario().unwrap();
        let mut account = Account::default();
        for key in 0..200_000u64 {
            account.set_storage(key.into(), 1u64.into());
        }
        scenario.world.insert(CALLER, account);
        scenario.world.begin_transaction(Fork::Osaka, &[]);
        let mut engine = Ours::new(
            Mode::Traditional,
            Fork::Osaka,
            Settings::default(),
            &scenario,
        );
        let ready = engine.prepare(1_000);
        assert!((2..100).contains(&ready), "{ready}");
        (0..ready).for_each(|_| engine.call().unwrap());
        assert!(engine.call().is_err());
    }
}
