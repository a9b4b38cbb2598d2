//! The head of every run: when it was made, on which machine, with which settings and engines.

use crate::engines::verify::Verified;
use crate::instruments::counters::Pinned;
use crate::machine::rig;
use crate::measure::Calls;
use evmscope_interp::Settings;
use evmscope_reports::Run;
use evmscope_reports::run::{self, Rig, SCHEMA};

/// A run without results; `pinned` is the kind of core that the thread was pinned to.
pub fn new_run(pinned: Option<&Pinned>, settings: Settings, calls: Calls) -> Run {
    Run {
        schema: SCHEMA.to_owned(),
        created: now(),
        rig: Rig {
            cores: pinned.map(Pinned::to_string),
            ..rig::examine()
        },
        settings: Some(run::Settings {
            keccak_memo: settings.keccak_memo.to_string(),
            budget: settings.budget.ratio,
            budget_floor: settings.budget.floor as u64,
            cold: calls == Calls::Cold,
        }),
        ..Run::default()
    }
}

/// Adds verified results to a run, and their engines.
pub fn add_results(run: &mut Run, verified: &[Verified]) {
    for v in verified {
        run.results.push(v.result.clone());
        add_engine(run, v.id.name(), &v.id.version());
    }
}

/// Adds an engine to a run unless it is there already or its version is empty.
pub fn add_engine(run: &mut Run, name: &str, version: &str) {
    let engine = run::Engine {
        name: name.to_owned(),
        version: version.to_owned(),
    };
    if !version.is_empty() && !run.engines.contains(&engine) {
        run.engines.push(engine);
    }
}

/// The current time: RFC 3339, UTC, to the second.
pub fn now() -> String {
    jiff::Timestamp::now()
        .round(jiff::Unit::Second)
        .unwrap_or_default()
        .to_string()
}
