//! What a case takes of memory, and what translating its contracts takes of time. No call is timed here.

use crate::cases::Case;
use crate::engines::verify::Verified;
use crate::engines::{Engine, EngineId};
use crate::instruments::clock::ThreadClock;
use crate::instruments::heap;
use crate::instruments::span::span;
use anyhow::Result;
use evmscope_interp::{Code, Interpreter, Mode, Programs, Settings, Statistics};
use evmscope_reports::Run;
use evmscope_reports::run::{Decoding, MemoryUse, ProgramCache};
use evmscope_reports::stats::Summary;
use std::sync::Arc;

/// Calls after which what is worth translating is translated: more than make an entry point hot that a call
/// reaches once.
const CALLS: u64 = 32;

/// Times that a contract is translated.
const TRANSLATIONS: usize = 21;

/// The longest code that can be deployed (EIP-170).
const DEPLOYABLE: usize = 24_576;

/// Adds what a case takes, in every mode that it was verified in.
///
/// # Errors
/// A case or a clock that worked before and does no longer.
pub fn add(run: &mut Run, verified: &[Verified<'_>]) -> Result<()> {
    let _span = span("counting memory");
    for v in verified {
        run.memory.push(memory(v)?);
    }
    let translates = |v: &&Verified<'_>| v.id == EngineId::from(Mode::Advanced);
    if let Some(v) = verified.iter().find(translates) {
        run.decoding.extend(decoding(v.case)?);
    }
    Ok(())
}

/// What a verified case takes of memory, in an interpreter of its own.
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

fn cache(held: &Programs, all: &Statistics, budget: f64) -> ProgramCache {
    ProgramCache {
        programs: held.programs as u64,
        code_bytes: held.code as u64,
        decoded_bytes: held.decoded as u64,
        greatest_ratio: held.greatest_ratio,
        budget,
        translated: all.translated,
        hits: all.hits,
        misses: all.misses,
        postponed: all.postponed,
        refused: all.refused,
    }
}

/// Translates every contract that the case finds in its world, and its longest one repeated to the greatest
/// length that can be deployed.
fn decoding(case: &Case) -> Result<Vec<Decoding>> {
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
    let mut interpreter = Interpreter::with_settings(Mode::Advanced, case.fork, Settings::eager());
    let decoded = contracts
        .into_iter()
        .map(|(contract, code)| decode(&clock, &mut interpreter, case, contract, &code));
    decoded.collect()
}

fn decode(
    clock: &ThreadClock,
    interpreter: &mut Interpreter,
    case: &Case,
    contract: String,
    bytes: &[u8],
) -> Result<Decoding> {
    let mut entries = 0;
    let times = (0..TRANSLATIONS).map(|_| {
        // New each time: where its jumpdests are is found out once, and is part of translating.
        let code = Arc::new(Code::new(bytes));
        interpreter.forget();
        let time = clock.time(|| entries = interpreter.translate(&code).translated);
        time as f64
    });
    let times: Vec<f64> = times.collect();
    let Summary { n, median, mad, .. } = Summary::of(&times)?;
    Ok(Decoding {
        case: case.name.clone(),
        contract,
        code_bytes: bytes.len() as u64,
        decoded_bytes: interpreter.programs().decoded as u64,
        entries,
        time: median,
        mad,
        n,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::verify::verify;
    use alloy_primitives::{Bytes, hex};
    use evmscope_interp::Fork;

    /// Counts down from 100: hot within one call.
    fn loops() -> Case {
        let code = Bytes::from_static(&hex!("60645b6001900380600257"));
        Case::ad_hoc(code, Bytes::new(), 100_000, Fork::Osaka)
    }

    #[test]
    fn what_is_kept_of_code_is_counted_in_the_first_call_and_stays() {
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
            assert!(programs.ratio().unwrap() <= programs.budget);
        }
    }

    #[test]
    fn a_contract_is_translated_as_a_whole_and_at_the_greatest_length() {
        let all = decoding(&loops()).unwrap();
        let sizes: Vec<_> = all.iter().map(|d| d.code_bytes).collect();
        assert_eq!(sizes, [11, 24_576]);
        assert!(all.iter().all(|d| d.entries > 0 && d.time > 0.0), "{all:?}");
        assert!(all[1].entries > 1000, "{all:?}");
    }
}
