//! The two modes of `evmscope-interp` as engines.

use super::{CallOutcome, Engine};
use crate::case::Scene;
use evmscope_interp::world::World;
use evmscope_interp::{Fork, Interpreter, Message, Mode, Outcome, Settings};

pub struct Ours {
    interpreter: Interpreter,
    before: World,
    message: Message,
    ready: Vec<World>,
    done: Vec<(World, Outcome)>,
}

impl Ours {
    pub fn new(mode: Mode, fork: Fork, settings: Settings, scene: &Scene) -> Ours {
        Ours {
            interpreter: Interpreter::with_settings(mode, fork, settings),
            before: scene.world.clone(),
            message: scene.message.clone(),
            ready: Vec::new(),
            done: Vec::new(),
        }
    }
}

impl Engine for Ours {
    fn prepare(&mut self, calls: usize) {
        self.done.clear();
        self.done.reserve(calls);
        self.ready.resize_with(calls, || self.before.clone());
    }

    fn call(&mut self) {
        let mut world = self.ready.pop().expect("a call was prepared");
        let outcome = self.interpreter.execute(self.message.clone(), &mut world);
        self.done.push((world, outcome));
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
