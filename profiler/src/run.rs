//! The beginning of every run: when, on what machine, of what build.

use crate::rig;
use evmscope_reports::Run;
use evmscope_reports::run::SCHEMA;

/// A run without results yet.
pub fn new_run() -> Run {
    Run {
        schema: SCHEMA.to_owned(),
        created: now(),
        rig: rig::examine(),
        results: Vec::new(),
        measurements: Vec::new(),
        ratios: Vec::new(),
        unavailable: Vec::new(),
        profiles: Vec::new(),
    }
}

fn now() -> String {
    jiff::Timestamp::now()
        .round(jiff::Unit::Second)
        .unwrap_or_default()
        .to_string()
}
