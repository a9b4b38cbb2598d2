//! Logs (0xa0 to 0xa4), and what must not change in a static call.

use crate::common::{CONTRACT, Scene};
use alloy_primitives::B256;
use evmscope_interp::{Halt, Status, Word};

#[test]
fn logs_hold_topics_and_data() {
    for count in 0..=4 {
        let topics: String = (1..=count).rev().map(|i| format!("PUSH1 {i} ")).collect();
        let source = format!("PUSH2 0xabcd PUSH0 MSTORE {topics} PUSH1 3 PUSH1 29 LOG{count}");
        let seen = Scene::asm(&source).run_all();
        let [log] = &seen.logs[..] else {
            panic!("{} logs", seen.logs.len())
        };
        assert_eq!(log.address, CONTRACT);
        assert_eq!(log.data.data[..], [0, 0xab, 0xcd]);
        let expected: Vec<_> = (1..=count)
            .map(|i: u64| B256::from(Word::from(i)))
            .collect();
        assert_eq!(log.topics(), expected);
    }
    let reverted = Scene::asm("PUSH0 PUSH0 LOG0 PUSH0 PUSH0 REVERT").run_all();
    assert_eq!(reverted.logs, []);
}

#[test]
fn nothing_changes_in_a_static_call() {
    for (source, allowed) in [
        ("PUSH0 PUSH0 SSTORE", false),
        ("PUSH0 PUSH0 TSTORE", false),
        ("PUSH0 PUSH0 LOG0", false),
        ("PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 LOG4", false),
        ("PUSH0 PUSH0 PUSH0 CREATE", false),
        ("PUSH0 PUSH0 PUSH0 PUSH0 CREATE2", false),
        ("PUSH0 SELFDESTRUCT", false),
        ("PUSH0 PUSH0 PUSH0 PUSH0 PUSH1 1 PUSH0 PUSH0 CALL", false),
        ("PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 CALL", true),
        ("PUSH0 PUSH0 PUSH0 PUSH0 PUSH1 1 PUSH0 PUSH0 CALLCODE", true),
        ("PUSH0 SLOAD PUSH0 TLOAD", true),
    ] {
        let expected = if allowed {
            Status::Success
        } else {
            Status::Halt(Halt::StaticViolation)
        };
        assert_eq!(
            Scene::asm(source).in_static().run_all().status,
            expected,
            "{source}"
        );
        assert_eq!(
            Scene::asm(source).run_all().status,
            Status::Success,
            "{source}"
        );
    }
}
