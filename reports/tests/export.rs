//! Other tools' formats, compared with files in `snapshots/`.

mod fixture;

use evmscope_reports::Run;
use evmscope_reports::counter::Counter::{CpuTime, SimInstructions};
use evmscope_reports::render::export;

fn two_counters() -> Run {
    let mut run = fixture::run();
    run.measurements
        .retain(|m| [CpuTime, SimInstructions].contains(&m.counter) && m.mode != "revm");
    run
}

#[test]
fn bencher() {
    insta::assert_snapshot!(export::bencher(&two_counters()).unwrap());
}

#[test]
fn github_action_benchmark() {
    insta::assert_snapshot!(export::github_action_benchmark(&two_counters()).unwrap());
}
