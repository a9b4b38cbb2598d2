//! The three-way comparison: a scene in both modes and on the crate `revm`, with all of its gas and with
//! less. Scenes come from `differential.rs` and from the fuzzers in `fuzz/`.

use super::generate::Plan;
use super::{FORKS, Scene, Seen, reference};
use evmscope_interp::{Fork, Interpreter, Mode, Settings, Step, Tracer};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use std::cell::RefCell;

/// Like [`check_plan`], for the plan determined by these bytes; a failure prints the plan.
pub fn check_bytes(bytes: &[u8]) -> TestCaseResult {
    let plan = Plan::new(bytes);
    check_plan(&plan).map_err(|error| TestCaseError::fail(format!("{error}\n{plan:?}")))
}

/// Compares a plan's scene with its own gas, with exactly the gas used, with a share of that, and with gas
/// that runs out at one of its opcodes.
pub fn check_plan(plan: &Plan) -> TestCaseResult {
    let scene = plan.scene();
    let used = agree(&scene)?;
    let boundaries = boundaries(&scene);
    let nth = |draw: u32| boundaries.get(draw as usize % boundaries.len().max(1));
    let [share, early, middle, late] = plan.cuts();
    let at = [early, middle, late].map(|draw| nth(draw).copied().unwrap_or_default());
    let amounts = [
        used,
        used.saturating_sub(1),
        used * u64::from(share % 100) / 100,
        at[0],
        at[1].saturating_sub(1),
        at[2] + 1,
    ];
    for gas in amounts {
        agree(&scene.clone().gas(gas))?;
    }
    Ok(())
}

/// Compares any bytes as code: on the first fork, one in the middle, and the last.
pub fn check_code(code: &[u8]) -> TestCaseResult {
    let scene = Scene::new(code).slot(0, 1).balance(1_000).input(code);
    let between = FORKS[FORKS.len() / 2];
    for fork in [FORKS[0], between, FORKS[FORKS.len() - 1]] {
        for gas in [200_000, 3_000] {
            let used = agree(&scene.clone().fork(fork).gas(gas))?;
            agree(&scene.clone().fork(fork).gas(used.saturating_sub(1)))?;
        }
    }
    Ok(())
}

/// Compares the modes with each other, including the halt, and with the reference if it supports the fork.
/// Returns the gas used.
pub fn agree(scene: &Scene) -> Result<u64, TestCaseError> {
    let gas = scene.message.gas;
    let traditional = run(Way::Traditional, scene);
    for way in [Way::Eager, Way::Warm] {
        let advanced = run(way, scene);
        prop_assert_eq!(
            &advanced,
            &traditional,
            "{:?}, traditional: gas {}",
            way,
            gas
        );
    }
    if reference::has(scene.fork) {
        let ours = traditional.clone().any_halt();
        prop_assert_eq!(
            &ours,
            &reference::run(scene).any_halt(),
            "ours, revm: gas {}",
            gas
        );
    }
    Ok(gas - traditional.gas_left)
}

/// The ways to run a scene.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Traditional,
    /// Translates all code before it runs.
    Eager,
    /// Translates code after it has run a few times, within the budget.
    Warm,
}

impl Way {
    fn interpreter(self, fork: Fork) -> Interpreter {
        let (mode, settings) = match self {
            Way::Traditional => (Mode::Traditional, Settings::default()),
            Way::Eager => (Mode::Advanced, Settings::eager()),
            Way::Warm => (
                Mode::Advanced,
                Settings {
                    hot_threshold: 2,
                    ..Settings::default()
                },
            ),
        };
        Interpreter::with_settings(mode, fork, settings)
    }
}

/// Runs the scene on an interpreter that has run all earlier ones. What it keeps must not change the result.
fn run(way: Way, scene: &Scene) -> Seen {
    thread_local! {
        static KEPT: RefCell<Vec<(Way, Interpreter)>> = const { RefCell::new(Vec::new()) };
    }
    KEPT.with_borrow_mut(|kept| {
        let known = kept
            .iter()
            .position(|(kept, interpreter)| (*kept, interpreter.fork()) == (way, scene.fork));
        let place = known.unwrap_or_else(|| {
            kept.push((way, way.interpreter(scene.fork)));
            kept.len() - 1
        });
        scene.run_on(&mut kept[place].1)
    })
}

/// The gas used before each opcode of the first frame.
fn boundaries(scene: &Scene) -> Vec<u64> {
    struct Boundaries(u64, Vec<u64>);
    impl Tracer for Boundaries {
        fn step(&mut self, step: &Step) {
            if step.depth == 0 {
                self.1.push(self.0 - step.gas);
            }
        }
    }
    let mut tracer = Boundaries(scene.message.gas, Vec::new());
    Interpreter::new(Mode::Traditional, scene.fork).trace(
        scene.message.clone(),
        &mut scene.before(),
        &mut tracer,
    );
    tracer.1
}
