//! The two modes of `evmscope-interp` as engines.

use super::{BuiltIn, CallOutcome, Engine};
use crate::cases::Scenario;
use anyhow::{Result, bail};
use evmscope_interp::world::World;
use evmscope_interp::{
    Fork, Interpreter, Message, Mode, Opcode, Outcome, Place, Programs, Settings, Statistics,
};
use std::sync::Arc;

/// The mode that interprets bytecode directly.
pub const TRADITIONAL: BuiltIn = BuiltIn {
    name: Mode::Traditional.name(),
    mode: Some(Mode::Traditional),
    version,
    simulations: 1,
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
    before: World,
    message: Message,
    ready: Vec<World>,
    done: Vec<(World, Outcome)>,
}

impl Ours {
    fn new(mode: Mode, fork: Fork, settings: Settings, scenario: &Scenario) -> Ours {
        Ours {
            interpreters: vec![Interpreter::with_settings(mode, fork, settings)],
            cold: false,
            settings,
            before: scenario.world.clone(),
            message: scenario.message.clone(),
            ready: Vec::new(),
            done: Vec::new(),
        }
    }
}

impl Engine for Ours {
    fn prepare(&mut self, calls: usize) {
        self.cold = false;
        self.done.clear();
        self.done.reserve(calls);
        self.ready.resize_with(calls, || self.before.clone());
    }

    fn prepare_cold(&mut self, calls: usize) {
        self.prepare(calls);
        self.cold = true;
        while self.interpreters.len() < calls {
            let (mode, fork) = (self.interpreters[0].mode(), self.interpreters[0].fork());
            let mut new = Interpreter::with_settings(mode, fork, self.settings);
            // Touches the pages of its stack that a call uses, so that timed calls cause no page faults.
            new.execute(self.message.clone(), &mut self.before.clone());
            self.interpreters.push(new);
        }
        self.interpreters.iter_mut().for_each(Interpreter::forget);
    }

    fn call(&mut self) -> Result<()> {
        let Some(mut world) = self.ready.pop() else {
            bail!("no call is ready");
        };
        let index = if self.cold { self.ready.len() } else { 0 };
        let outcome = self.interpreters[index].execute(self.message.clone(), &mut world);
        self.done.push((world, outcome));
        Ok(())
    }

    fn keep_places(&mut self) {
        self.interpreters[0].keep_places();
    }

    /// Code that a call deploys is found only in decoded form, since its bytes are dropped with the call's world.
    fn place(&self, address: usize) -> Option<Place> {
        let decoded = self.interpreters[0].place(address);
        decoded.or_else(|| {
            self.before.accounts().find_map(|(_, account)| {
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
        let (_, outcome) = self.done.last()?;
        (interpreter.mode() == Mode::Advanced).then(|| (outcome.statistics, interpreter.programs()))
    }

    fn outcome(&self) -> Option<CallOutcome> {
        self.done.last().map(|(world, outcome)| CallOutcome {
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
