//! Runs a command while counters of the PMU are taken: what `evmscope` meets beside another profiler.
//!
//!     hold_pmu pinned|shared N COMMAND [ARGUMENT]...
//!
//! N events, one of them cycles, count the command from outside. Pinned ones come before every event
//! that the command opens itself; shared ones take turns with them. Exits as the command does. Serves
//! `tests/pmu-vm`.

use anyhow::{Context, Result, bail};
use perf_event::Builder;
use perf_event::events::Hardware;
use std::process::{Command, ExitCode};

fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| {
        arguments
            .next()
            .with_context(|| format!("{what} is missing"))
    };
    let pinned = match next("pinned or shared")?.as_str() {
        "pinned" => true,
        "shared" => false,
        other => bail!("`{other}` is neither `pinned` nor `shared`"),
    };
    let events: usize = next("the number of events")?.parse()?;
    let program = next("the command")?;

    let mut held = Vec::new();
    for i in 0..events {
        // A PMU may have a counter for cycles alone.
        let kind = match i {
            0 => Hardware::CPU_CYCLES,
            _ => Hardware::INSTRUCTIONS,
        };
        let mut event = Builder::new().kind(kind);
        // The command is a child, and inherits what watches this process.
        event.inherit(true).pinned(pinned);
        let mut counter = event
            .build()
            .with_context(|| format!("event {i} does not open"))?;
        counter.enable()?;
        held.push(counter);
    }
    let status = Command::new(&program)
        .args(arguments)
        .status()
        .with_context(|| format!("cannot run {program}"))?;
    Ok(ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1),
    ))
}
