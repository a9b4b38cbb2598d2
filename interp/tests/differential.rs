//! Random scenes have the same result in both modes and on the crate `revm`: status, gas, refund, output,
//! logs and state.
//!
//! By default, every run uses the same scenes. `EVMSCOPE_FUZZ_SECONDS=3600 cargo test --release -p
//! evmscope-interp --test differential` runs new scenes for that long and prints the seed;
//! `EVMSCOPE_FUZZ_SEED=N` starts at that seed. Failures are stored in `differential.regressions` and run
//! first the next time.

mod common;

use common::{generate, three_way};
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestCaseResult, TestRunner};
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Number of scenes per seed.
const BATCH: u32 = 500;

/// Minimum number of seeds, however short the time.
const LEAST: u64 = 4;

const BETWEEN_REPORTS: Duration = Duration::from_secs(30);

#[test]
fn random_scenes_agree_in_both_modes_and_on_revm() {
    let start = Instant::now();
    let budget: Option<u64> = variable("EVMSCOPE_FUZZ_SECONDS");
    let now = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    // Far apart, so that runs started at different times share no seed.
    let unlike = || now() << 20;
    let first = variable("EVMSCOPE_FUZZ_SEED").unwrap_or_else(|| budget.map_or(0, |_| unlike()));
    let budget = Duration::from_secs(budget.unwrap_or_default());
    let mut told = Duration::ZERO;
    for batch in 0.. {
        run_batch(first + batch);
        let elapsed = start.elapsed();
        let done = elapsed >= budget && batch + 1 >= LEAST;
        if done || elapsed - told >= BETWEEN_REPORTS {
            told = elapsed;
            let scenes = (batch + 1) * u64::from(BATCH);
            // Written to the stream directly, because the test harness hides printed output of passing tests.
            writeln!(
                io::stderr(),
                "{scenes} scenes agree in {} s, seeds {first} to {}",
                elapsed.as_secs(),
                first + batch
            )
            .unwrap();
        }
        if done {
            break;
        }
    }
}

/// The corpora of the fuzz targets, run by the targets' own functions. Add findings of a fuzzer or of the
/// test above there.
#[test]
fn corpora_agree_in_both_modes_and_on_revm() {
    run_corpus("decode", three_way::check_code);
    run_corpus("three_way", three_way::check_bytes);
}

fn run_corpus(target: &str, check: fn(&[u8]) -> TestCaseResult) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(
        files.len() >= 30,
        "{} has {} files",
        folder.display(),
        files.len()
    );
    for file in files {
        let bytes = fs::read(&file).unwrap();
        check(&bytes).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

fn run_batch(seed: u64) {
    let config = Config {
        cases: BATCH,
        rng_seed: RngSeed::Fixed(seed),
        source_file: Some(file!()),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let result =
        TestRunner::new(config).run(&generate::plans(), |plan| three_way::check_plan(&plan));
    if let Err(error) = result {
        panic!("EVMSCOPE_FUZZ_SEED={seed} fails again: {error}");
    }
}

/// The number in an environment variable, if it is set.
fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name}={text}: not a number")))
}
