//! Memory use of a case, and translation times of its contracts. No call is timed here.

use crate::cases::Case;
use crate::engines::verify::Verified;
use crate::engines::{Engine, EngineId};
use crate::instruments::clock::ThreadClock;
use crate::instruments::heap;
use crate::instruments::span::span;
use anyhow::Result;
use evmscope_interp::{Budget, Code, Interpreter, Mode, Programs, Settings, Statistics};
use evmscope_reports::Run;
use evmscope_reports::run::{Budgeted, Decoding, MemoryUse, ProgramCache};
use evmscope_reports::stats::Summary;
use std::sync::Arc;

/// Calls before the later measurement: enough to make an entry point hot that each call reaches once.
const CALLS: u64 = 32;

/// How often a contract is translated.
const TRANSLATIONS: usize = 21;

/// The longest code that can be deployed (EIP-170).
const DEPLOYABLE: usize = 24_576;

/// Adds the memory use of a case in every verified mode, and the translation times of its contracts.
///
/// # Errors
/// The case cannot be set up or run, or the clock fails.
pub fn add(run: &mut Run, verified: &[Verified<'_>]) -> Result<()> {
    let _span = span("counting memory");
    for v in verified {
        run.memory.push(memory(v)?);
    }
    let translates = |v: &&Verified<'_>| v.id == EngineId::from(Mode::Advanced);
    if let Some(v) = verified.iter().find(translates) {
        run.decoding.extend(decoding(v.case, v.settings)?);
    }
    Ok(())
}

/// Memory use of a verified case, in a new interpreter.
fn memory(v: &Verified<'_>) -> Result<MemoryUse> {
    let mut engine = v.id.start(&v.case.scenario()?, v.case.fork, v.settings)?;
    let mut all = Statistics::default();
    let mut call = |engine: &mut dyn Engine| {
        let mut called = Ok(());
        let used = heap::count(|| called = engine.call());
        if let Some((statistics, _)) = engine.translation() {
            all += statistics;
        }
        called.map(|()| used)
    };
    engine.prepare(1);
    let first = call(engine.as_mut())?;
    for _ in 1..CALLS {
        engine.prepare(1);
        call(engine.as_mut())?;
    }
    engine.prepare(1);
    let later = call(engine.as_mut())?;
    let programs = engine
        .translation()
        .map(|(_, programs)| cache(&programs, &all, v.settings.budget));
    Ok(MemoryUse {
        case: v.case.name.clone(),
        mode: v.id.name().to_owned(),
        first,
        later,
        calls: CALLS,
        programs,
    })
}

fn cache(held: &Programs, all: &Statistics, budget: Budget) -> ProgramCache {
    ProgramCache {
        programs: held.programs as u64,
        code_bytes: held.code as u64,
        decoded_bytes: held.decoded as u64,
        greatest_ratio: held.greatest_ratio,
        greatest_short: held.greatest_short as u64,
        budget: budget.ratio,
        budget_floor: budget.floor as u64,
        translated: all.translated,
        hits: all.hits,
        misses: all.misses,
        postponed: all.postponed,
        refused: all.refused,
    }
}

/// Translates every contract in the case's world, and the longest one tiled to the deployment limit.
fn decoding(case: &Case, settings: Settings) -> Result<Vec<Decoding>> {
    let world = case.scenario()?.world;
    let mut contracts: Vec<(String, Vec<u8>)> = world
        .accounts()
        .filter(|(_, account)| !account.code.is_empty())
        .map(|(address, account)| (address.to_string(), account.code.bytes().to_vec()))
        .collect();
    contracts.sort_by_key(|(_, code)| code.len());
    contracts.dedup_by(|a, b| a.1 == b.1);
    if let Some((address, longest)) = contracts.last()
        && longest.len() < DEPLOYABLE
    {
        let repeated = longest.iter().copied().cycle().take(DEPLOYABLE).collect();
        contracts.push((format!("{address}, repeated"), repeated));
    }
    let clock = ThreadClock::open()?;
    let of_contract = |(contract, code): (String, Vec<u8>)| -> Result<Decoding> {
        let all = translate(&clock, case, Settings::eager(), &code)?;
        let limited = translate(&clock, case, settings, &code)?;
        Ok(Decoding {
            case: case.name.clone(),
            contract,
            code_bytes: code.len() as u64,
            budgeted: Some(Budgeted {
                decoded_bytes: limited.decoded_bytes,
                entries: limited.entries,
                time: limited.times.median,
                mad: limited.times.mad,
            }),
            decoded_bytes: all.decoded_bytes,
            entries: all.entries,
            time: all.times.median,
            mad: all.times.mad,
            n: all.times.n,
        })
    };
    contracts.into_iter().map(of_contract).collect()
}

/// One code, translated several times.
struct Translated {
    decoded_bytes: u64,
    entries: u64,
    times: Summary,
}

fn translate(
    clock: &ThreadClock,
    case: &Case,
    settings: Settings,
    bytes: &[u8],
) -> Result<Translated> {
    let mut interpreter = Interpreter::with_settings(Mode::Advanced, case.fork, settings);
    let mut entries = 0;
    let times = (0..TRANSLATIONS).map(|_| {
        // New each time: finding its jumpdests is part of translating, and `Code` caches them.
        let code = Arc::new(Code::new(bytes));
        interpreter.forget();
        let time = clock.time(|| entries = interpreter.translate(&code).translated);
        time as f64
    });
    let times: Vec<f64> = times.collect();
    Ok(Translated {
        decoded_bytes: interpreter.programs().decoded as u64,
        entries,
        times: Summary::of(&times)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::verify::verify;
    use crate::instruments::counters::page_faults;
    use alloy_primitives::{Bytes, hex};
    use evmscope_interp::Fork;

    /// Counts down from 100: hot within one call.
    fn loops() -> Case {
        let code = Bytes::from_static(&hex!("60645b6001900380600257"));
        Case::ad_hoc(code, Bytes::new(), 100_000, Fork::Osaka)
    }

    #[test]
    fn decoded_code_is_counted_in_the_first_call_and_kept() {
        let case = loops();
        let verified = verify(&case, &EngineId::all(), Settings::eager()).unwrap();
        for v in &verified {
            let used = memory(v).unwrap();
            assert!(used.first.peak as i64 >= used.first.kept, "{used:?}");
            let Some(programs) = &used.programs else {
                assert_ne!(used.mode, "advanced");
                continue;
            };
            assert_eq!(used.mode, "advanced");
            assert!(used.first.allocated > used.later.allocated, "{used:?}");
            assert_eq!((programs.programs, programs.code_bytes), (1, 11));
            assert_eq!(programs.misses, 1);
            assert_eq!(programs.hits + programs.misses, CALLS + 1);
            assert!(programs.translated > 0);
            assert!(programs.decoded_bytes <= programs.budget_floor);
            assert_eq!(programs.greatest_short, programs.decoded_bytes);
        }
    }

    /// Gas of the calls before: enough for what is kept to reach its size, and for hot code.
    const WARM_UP: u64 = 100_000_000;

    #[test]
    fn a_warm_call_allocates_its_output_alone_and_takes_no_page() {
        // These create contracts, whose code is allocated, and call precompiles, whose outputs are the library's.
        let allocate = ["opcodes", "subcall"];
        for case in crate::cases::load_all(&crate::cases::default_dir())
            .unwrap()
            .cases
        {
            for v in
                &mut verify(&case, &Mode::ALL.map(EngineId::from), Settings::default()).unwrap()
            {
                let calls = (WARM_UP / v.result.gas_used.max(1)).clamp(3, 1_000);
                let mut call = || {
                    v.engine.prepare(1);
                    let faults = page_faults().unwrap();
                    let used = heap::count(|| v.engine.call().unwrap());
                    (used, page_faults().unwrap() - faults)
                };
                for _ in 0..calls {
                    call();
                }
                // The kernel may reclaim a page now and then; what a call takes, it takes each time.
                let last = [call(), call(), call()];
                let faults = last.iter().map(|(_, faults)| *faults).min();
                let output = v.engine.outcome().unwrap().output;
                if !allocate.contains(&case.name.as_str()) {
                    let place = format!("{}, {}: {last:?}", case.name, v.id);
                    assert_eq!(faults, Some(0), "{place}");
                    for (used, _) in last {
                        assert_eq!(used.allocations, u64::from(!output.is_empty()), "{place}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_contract_is_translated_in_full_and_tiled_to_the_deployment_limit() {
        let all = decoding(&loops(), Settings::default()).unwrap();
        let sizes: Vec<_> = all.iter().map(|d| d.code_bytes).collect();
        assert_eq!(sizes, [11, 24_576]);
        assert!(all.iter().all(|d| d.entries > 0 && d.time > 0.0), "{all:?}");
        assert!(all[1].entries > 1000, "{all:?}");
        let budgeted = all.iter().map(|d| d.budgeted.as_ref().unwrap());
        let sizes: Vec<_> = budgeted.map(|it| it.decoded_bytes).collect();
        let Budget { ratio, floor } = Budget::default();
        assert!(sizes[0] <= floor as u64, "{all:?}");
        assert!(sizes[1] as f64 <= ratio * 24_576.0, "{all:?}");
        assert!(sizes[1] < all[1].decoded_bytes, "{all:?}");
    }
}
