//! Executions of each opcode in one call of a case.

use crate::cases::Scenario;
use evmscope_interp::{Fork, Interpreter, Mode, Opcode, Step, Tracer};

/// How often each opcode is executed in one call of a case, all frames; counted by a traced run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed([u64; 256]);

impl Executed {
    pub fn count(scenario: &Scenario, fork: Fork) -> Executed {
        let mut executed = Executed::default();
        let mut scenario = scenario.clone();
        Interpreter::new(Mode::Traditional, fork).trace(
            scenario.message,
            &mut scenario.world,
            &mut executed,
        );
        executed
    }

    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub fn of(&self, opcode: Opcode) -> u64 {
        self.0[usize::from(opcode.0)]
    }

    /// The opcodes that are executed at least once, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (Opcode, u64)> {
        let all = (0..=u8::MAX).map(Opcode).zip(self.0);
        all.filter(|(_, times)| *times > 0)
    }
}

impl Default for Executed {
    fn default() -> Executed {
        Executed([0; 256])
    }
}

impl FromIterator<(Opcode, u64)> for Executed {
    fn from_iter<I: IntoIterator<Item = (Opcode, u64)>>(counts: I) -> Executed {
        let mut executed = Executed::default();
        for (opcode, times) in counts {
            executed.0[usize::from(opcode.0)] += times;
        }
        executed
    }
}

impl Tracer for Executed {
    fn step(&mut self, step: &Step<'_>) {
        self.0[usize::from(step.opcode.0)] += 1;
    }
}
