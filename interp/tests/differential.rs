//! Random scenes end as on the crate `revm`: status, gas, refund, output, logs and state.
//!
//! `PROPTEST_CASES=100000 cargo test -p evmscope-interp --test differential` runs more of them.

mod common;

use common::{Scene, generate, reference};
use evmscope_interp::{Interpreter, Mode};
use proptest::prelude::*;

proptest! {
    #![proptest_config(generate::config(1_000))]

    #[test]
    fn random_scenes_end_as_on_revm(plan in generate::plans(), less in 0..=100_u64) {
        let scene = plan.scene();
        let used = agree(&scene)?;
        agree(&scene.gas(used * less / 100))?;
    }
}

/// Compares both modes with the reference; the gas used.
fn agree(scene: &Scene) -> Result<u64, TestCaseError> {
    let expected = reference::run(scene).any_halt();
    for mode in Mode::ALL {
        let seen = scene.run_on(&mut Interpreter::new(mode, scene.fork));
        prop_assert_eq!(
            &seen.any_halt(),
            &expected,
            "{} with gas {}",
            mode,
            scene.message.gas
        );
    }
    Ok(scene.message.gas - expected.gas_left)
}
