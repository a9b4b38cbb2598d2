//! How an interpreter ran its messages, as counters and gauges of the crate `metrics`, for the recorder that
//! the embedding program installs. Metrics are recorded only by calls of these functions, so execution itself
//! costs nothing extra.
//!
//! | metric | labels |
//! | --- | --- |
//! | `evmscope_messages_total` | `mode`, `status` |
//! | `evmscope_gas_used_total`, `evmscope_frames_total` | `mode` |
//! | `evmscope_translated_entries_total`, `evmscope_resumed_total` | `mode` |
//! | `evmscope_programs_asked_total` | `mode`, `answer`: `hit`, `miss`, `postponed`, `refused` |
//! | `evmscope_keccak_memo_hits_total` | `mode` |
//! | `evmscope_executed_opcodes_total` | `mode` |
//! | `evmscope_shadow_messages_total`, `evmscope_shadow_differences_total` | `served`; and `what` |
//! | `evmscope_programs`, `evmscope_program_code_bytes`, `evmscope_program_decoded_bytes` | gauges |

use crate::interpreter::Interpreter;
use crate::outcome::{Outcome, Statistics};
use crate::settings::Mode;
use crate::shadow::Shadow;
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

/// Describes the metrics to the installed recorder.
pub fn describe() {
    let counters = [
        ("evmscope_messages_total", "Messages run, by status."),
        (
            "evmscope_gas_used_total",
            "Gas used by messages, before refunds.",
        ),
        ("evmscope_frames_total", "Frames run, without precompiles."),
        (
            "evmscope_translated_entries_total",
            "Entry points translated because they became hot.",
        ),
        (
            "evmscope_resumed_total",
            "Times that a trace handed its frame to the traditional mode.",
        ),
        (
            "evmscope_programs_asked_total",
            "Frames that looked up the program of their code, by result.",
        ),
        (
            "evmscope_keccak_memo_hits_total",
            "Hits of the keccak memo.",
        ),
        (
            "evmscope_executed_opcodes_total",
            "Opcodes executed, if a tracer counted them.",
        ),
        (
            "evmscope_shadow_messages_total",
            "Messages run by two interpreters.",
        ),
        (
            "evmscope_shadow_differences_total",
            "Differences between the two interpreters, by kind.",
        ),
    ];
    for (name, words) in counters {
        describe_counter!(name, Unit::Count, words);
    }
    describe_gauge!(
        "evmscope_programs",
        Unit::Count,
        "Number of codes with a program."
    );
    describe_gauge!(
        "evmscope_program_code_bytes",
        Unit::Bytes,
        "Bytecode bytes of the codes with a program."
    );
    describe_gauge!(
        "evmscope_program_decoded_bytes",
        Unit::Bytes,
        "Bytes of the decoded programs."
    );
}

/// Records a message.
pub fn message(mode: Mode, outcome: &Outcome) {
    let mode = mode.name();
    let Statistics {
        frames,
        translated,
        refused,
        resumed,
        hits,
        misses,
        postponed,
        memo_hits,
    } = outcome.statistics;
    counter!("evmscope_messages_total", "mode" => mode, "status" => outcome.status.name())
        .increment(1);
    let plain = [
        ("evmscope_gas_used_total", outcome.gas_used),
        ("evmscope_frames_total", frames),
        ("evmscope_translated_entries_total", translated),
        ("evmscope_resumed_total", resumed),
        ("evmscope_keccak_memo_hits_total", memo_hits),
    ];
    for (name, value) in plain {
        counter!(name, "mode" => mode).increment(value);
    }
    let answers = [
        ("hit", hits),
        ("miss", misses),
        ("postponed", postponed),
        ("refused", refused),
    ];
    for (answer, value) in answers {
        counter!("evmscope_programs_asked_total", "mode" => mode, "answer" => answer)
            .increment(value);
    }
}

/// Records the number of executed opcodes, which only a tracer can count.
pub fn opcodes(mode: Mode, executed: u64) {
    counter!("evmscope_executed_opcodes_total", "mode" => mode.name()).increment(executed);
}

/// Records the size of the programs that an interpreter holds now.
pub fn programs(interpreter: &Interpreter) {
    let held = interpreter.programs();
    let figures = [
        ("evmscope_programs", held.programs),
        ("evmscope_program_code_bytes", held.code),
        ("evmscope_program_decoded_bytes", held.decoded),
    ];
    for (name, value) in figures {
        gauge!(name).set(value as f64);
    }
}

/// Records the last message of a pair of interpreters: both runs and their differences.
pub fn shadow(shadow: &Shadow, served: &Outcome) {
    let serving = shadow.serving().mode();
    message(serving, served);
    if let Some(outcome) = shadow.shadowed() {
        message(shadow.checked().mode(), outcome);
    }
    let serving = serving.name();
    counter!("evmscope_shadow_messages_total", "served" => serving).increment(1);
    for difference in shadow.differences() {
        counter!(
            "evmscope_shadow_differences_total",
            "served" => serving, "what" => difference.what
        )
        .increment(1);
    }
}
