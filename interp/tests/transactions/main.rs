//! Random transactions of all types have the same result in both modes as on the crate `revm`: acceptance or
//! the reason for rejection, gas used, output, logs, and every account afterwards, including empty ones.
//!
//! A plan is a valid transaction on random contracts, or one that breaks a single rule, so that the expected
//! error is known. It runs with its own gas, then with exactly the gas used and with one less, each time
//! twice in a row on the same state.
//!
//! By default, every run uses the same 1,500 plans. `PROPTEST_CASES=100000 PROPTEST_RNG_SEED=7 cargo test
//! --release -p evmscope-interp --test transactions` runs more and different ones. Failures are stored in
//! `transactions/main.regressions` and run first the next time.

#[path = "../common/mod.rs"]
mod common;

mod draft;
mod plan;

use common::reference::transaction::RIPEMD160;
use common::{CALLER, CONTRACT, assemble, environment};
use draft::{Counts, PLENTY};
use evmscope_interp::world::transaction::{Kind, Transaction};
use evmscope_interp::world::{Account, World};
use evmscope_interp::{Fork, Interpreter, Mode, Status};
use plan::plan;
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestRunner};

#[test]
fn random_transactions_agree_in_both_modes_and_on_revm() {
    let chosen = |name| std::env::var_os(name).is_some();
    let default = Config::default();
    let config = Config {
        cases: if chosen("PROPTEST_CASES") {
            default.cases
        } else {
            1_500
        },
        rng_seed: if chosen("PROPTEST_RNG_SEED") {
            default.rng_seed
        } else {
            RngSeed::Fixed(0)
        },
        source_file: Some(file!()),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        max_shrink_iters: 10_000,
        ..default
    };
    let mut counts = Counts::default();
    let cell = std::cell::RefCell::new(&mut counts);
    TestRunner::new(config)
        .run(&plan(), |plan| plan.check(&mut cell.borrow_mut()))
        .unwrap_or_else(|error| panic!("{error}"));
    println!("{counts:?}");
    let Counts {
        refused,
        succeeded,
        reverted,
        halted,
    } = counts;
    for count in [refused, succeeded, reverted, halted] {
        assert!(count > 0, "plans must reach every result: {counts:?}");
    }
}

/// The random plans found a bug of revm here, so the expected result is written down.
#[test]
fn a_selfdestruct_that_cannot_be_paid_touches_no_account() {
    const COST: u64 = 21_000 + 3 + 5_000;
    let forks = Fork::ALL.iter().copied();
    for fork in forks.filter(|fork| *fork >= Fork::SpuriousDragon) {
        for (gas_limit, cleared) in [(COST - 1, false), (COST, true)] {
            for mode in Mode::ALL {
                let mut world = World::new(environment());
                world.insert(CALLER, Account::funded(PLENTY));
                world.insert(RIPEMD160, Account::default());
                let contract = Account::contract(&assemble("PUSH1 3 SELFDESTRUCT"));
                world.insert(CONTRACT, contract);
                let tx = Transaction {
                    caller: CALLER,
                    gas_limit,
                    to: Some(CONTRACT),
                    kind: Kind::Legacy {
                        gas_price: environment().base_fee,
                    },
                    ..Transaction::default()
                };
                let receipt = world.transact(&mut Interpreter::new(mode, fork), &tx);
                let succeeded = receipt.unwrap().outcome.status == Status::Success;
                assert_eq!(succeeded, cleared, "{fork} {mode}");
                assert_eq!(world.get(&RIPEMD160).is_none(), cleared, "{fork} {mode}");
            }
        }
    }
}
