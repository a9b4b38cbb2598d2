//! The server side: a build that reads requests and answers each. It is idle between requests, so that it does
//! not disturb the build that is timed.

use super::protocol::{Counted, Examined, Hello, INVALID, Opened, Reply, Request, Tuning, VERSION};
use crate::cases::{self, Case};
use crate::engines::EngineId;
use crate::engines::verify::{self, Verified};
use crate::instruments::clock::ThreadClock;
use crate::instruments::counters::{Linux, Pinned, Plan, Probe, pin_to_one_kind};
use crate::machine::rig;
use crate::measure::record::new_run;
use crate::measure::time::{Sample, calibrate, sample_of};
use crate::measure::{self, Calls, Sampling};
use crate::profile::{collect, opcode_costs};
use crate::symbols::Symbols;
use anyhow::{Context, Result, anyhow, bail};
use evmscope_interp::Settings;
use evmscope_reports::counter::{Counter, Source};
use evmscope_reports::run::{Measurement, Rig};
use serde::Serialize;
use std::cell::OnceCell;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Duration;

/// Stack samples per second.
const HZ: u32 = 1_999;

/// Serves until the requests end.
///
/// # Errors
/// The streams fail, or the machine has no usable clock. Failed requests are answered, not returned.
pub fn serve(requests: impl BufRead, answers: impl Write) -> Result<()> {
    let pinned = pin_to_one_kind(&Linux::default())?;
    let kernel = Linux::new(pinned.as_ref());
    let tools = Tools {
        clock: ThreadClock::open()?,
        probe: Probe::new(&kernel),
        kernel,
        symbols: OnceCell::new(),
    };
    let mut peer = Peer { requests, answers };
    peer.say(&Hello {
        protocol: VERSION,
        rig: Rig {
            cores: pinned.as_ref().map(Pinned::to_string),
            ..rig::examine()
        },
        modes: EngineId::all().iter().map(EngineId::to_string).collect(),
    })?;
    let mut next = peer.next()?;
    while let Some(request) = next {
        next = match request {
            Request::Open {
                case_dir,
                case,
                modes,
                tuning,
            } => match load(&case_dir, &case) {
                Ok(case) => {
                    let asked = Asked {
                        case: &case,
                        dir: &case_dir,
                        modes: &modes,
                        tuning: &tuning,
                    };
                    serve_case(&tools, asked, &mut peer)?
                }
                Err(error) => peer.refuse(&error)?,
            },
            Request::Sample { .. }
            | Request::Count { .. }
            | Request::Opcodes { .. }
            | Request::Examine { .. } => peer.refuse(&anyhow!("no case is open"))?,
        };
    }
    Ok(())
}

/// The instruments that measure a case.
struct Tools {
    clock: ThreadClock,
    kernel: Linux,
    /// What the kernel counts, asked once for all cases.
    probe: Probe,
    /// Read when first needed: timing does without.
    symbols: OnceCell<Symbols>,
}

impl Tools {
    fn symbols(&self) -> Result<&Symbols> {
        if let Some(symbols) = self.symbols.get() {
            return Ok(symbols);
        }
        let read = Symbols::of_this_process().context("cannot read the symbols of this program")?;
        Ok(self.symbols.get_or_init(|| read))
    }
}

/// The parts of a [`Request::Open`].
#[derive(Clone, Copy)]
struct Asked<'a> {
    case: &'a Case,
    dir: &'a Path,
    modes: &'a [String],
    tuning: &'a Tuning,
}

/// Serves one case until the next [`Request::Open`], which it returns.
fn serve_case(
    tools: &Tools,
    asked: Asked<'_>,
    peer: &mut Peer<impl BufRead, impl Write>,
) -> Result<Option<Request>> {
    let mut verified = match verified(asked) {
        Ok(verified) => verified,
        Err(error) => return peer.refuse(&error),
    };
    let opened = open(tools, &mut verified)?;
    peer.say(&Reply::Opened(opened))?;
    while let Some(request) = peer.next()? {
        let (Request::Sample { mode, .. }
        | Request::Count { mode }
        | Request::Opcodes { mode, .. }
        | Request::Examine { mode, .. }) = &request
        else {
            return Ok(Some(request));
        };
        let reply = match verified.iter().position(|v| v.id.name() == mode) {
            None => Err(anyhow!("mode {mode} is not open")),
            Some(i) => answer(tools, asked.dir, &mut verified[i], &request),
        };
        peer.say(&reply.unwrap_or_else(|error| Reply::Refused(format!("{error:#}"))))?;
    }
    Ok(None)
}

/// The verified results, and how long a call takes.
fn open(tools: &Tools, verified: &mut [Verified<'_>]) -> Result<Vec<Opened>> {
    let opened = verified.iter_mut().map(|v| {
        Ok(Opened {
            result: v.result.clone(),
            call: calibrate(&tools.clock, v)?,
            version: v.id.version(),
        })
    });
    opened.collect()
}

/// Answers a request about one engine of the open case.
fn answer(tools: &Tools, dir: &Path, v: &mut Verified<'_>, request: &Request) -> Result<Reply> {
    Ok(match request {
        Request::Sample {
            calls,
            cold,
            faults: counted,
            ..
        } => {
            let kind = if *cold { Calls::Cold } else { Calls::Warm };
            let Sample { time, faults } = sample_of(&tools.clock, v, kind, *calls)?;
            match counted {
                true => Reply::Timed { time, faults },
                false => Reply::Sampled(time),
            }
        }
        Request::Count { .. } => Reply::Counted(count(tools, v)?),
        Request::Opcodes { sample_ms, .. } => {
            let sampling = sampling(*sample_ms);
            Reply::Opcodes(collect::sampling_run(v, sampling, tools.symbols()?)?)
        }
        Request::Examine { sample_ms, .. } => {
            let sampling = sampling(*sample_ms);
            Reply::Examined(Box::new(examine(v, dir, sampling, tools.symbols()?)?))
        }
        Request::Open { .. } => bail!("a case is open"),
    })
}

/// Counting passes per launch. Several launches together give enough pairs for a confidence interval.
const COUNTING_PASSES: usize = 2;

/// Counts hardware events. Without hardware counters it runs nothing: software counters are not worth the time.
fn count(tools: &Tools, v: &mut Verified) -> Result<Counted> {
    let probe = &tools.probe;
    let is_hardware = |counter: &Counter| counter.source() == Source::Hardware;
    if !probe.available.iter().any(is_hardware) {
        let missing = probe.unavailable.iter().cloned();
        return Ok(Counted {
            measurements: Vec::new(),
            unavailable: missing.filter(|it| is_hardware(&it.counter)).collect(),
        });
    }
    let plan = Plan::new(&tools.kernel, probe);
    let one = std::slice::from_mut(v);
    let (mut measurements, mut unavailable) =
        measure::count(one, &tools.kernel, &plan, COUNTING_PASSES, &mut || ())?;
    measurements.retain(|it| is_hardware(&it.counter));
    unavailable.retain(|it| is_hardware(&it.counter));
    Ok(Counted {
        measurements,
        unavailable,
    })
}

fn sampling(sample_ms: u64) -> Sampling {
    let budget = Duration::from_millis(sample_ms);
    Sampling::new(HZ, budget)
}

/// Samples stacks and simulates a call, for the cost of each opcode by both.
fn examine(
    v: &mut Verified,
    dir: &Path,
    sampling: Sampling,
    symbols: &Symbols,
) -> Result<Examined> {
    let sampled = collect::sampling_run(v, sampling, symbols)?;
    let mut run = new_run(None, v.settings, Calls::Warm);
    let (case, mode) = (&v.case.name, v.id.name());
    let call = vec![sampled.call];
    run.measurements = vec![Measurement::new(case, mode, Counter::CpuTime, call)?];
    let (measurements, simulated, unavailable) = match collect::simulate(v, dir, symbols) {
        Ok(simulated) => (
            simulated.measurements,
            Some(simulated.by_opcode),
            Vec::new(),
        ),
        Err(missing) => (Vec::new(), None, missing),
    };
    Ok(Examined {
        opcodes: opcode_costs::of(v, &run, &[sampled], &[], simulated.as_ref()),
        measurements,
        unavailable,
    })
}

fn verified(asked: Asked<'_>) -> Result<Vec<Verified<'_>>> {
    let engines = asked.modes.iter().map(|mode| mode.parse::<EngineId>());
    let engines = engines
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| anyhow!(error))?;
    let settings = Settings::try_from(asked.tuning).map_err(|error| anyhow!(error))?;
    verify::verify(asked.case, &engines, settings)
}

fn load(dir: &Path, name: &str) -> Result<Case> {
    let mut set = cases::pick(cases::load_all(dir)?, &[name.to_owned()])?;
    Ok(set.cases.swap_remove(0))
}

/// The connection to the comparing process.
struct Peer<R, W> {
    requests: R,
    answers: W,
}

impl<R: BufRead, W: Write> Peer<R, W> {
    /// The next valid request; invalid ones are refused. `None` at the end of the stream.
    fn next(&mut self) -> Result<Option<Request>> {
        loop {
            let mut line = String::new();
            let read = self.requests.read_line(&mut line);
            if read.context("cannot read the requests")? == 0 {
                return Ok(None);
            }
            match serde_json::from_str(&line) {
                Ok(request) => return Ok(Some(request)),
                Err(error) => self.say(&Reply::Refused(format!("{INVALID}{error}")))?,
            }
        }
    }

    fn say(&mut self, what: &impl Serialize) -> Result<()> {
        let line = serde_json::to_string(what)? + "\n";
        let said = self.answers.write_all(line.as_bytes());
        said.and_then(|()| self.answers.flush())
            .context("cannot answer")
    }

    /// Refuses a request and reads the next.
    fn refuse(&mut self, error: &anyhow::Error) -> Result<Option<Request>> {
        self.say(&Reply::Refused(format!("{error:#}")))?;
        self.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evmscope_interp::Settings;

    /// The answers of a build to some lines, without the hello.
    fn answers(lines: &[String]) -> Vec<Reply> {
        let mut said = Vec::new();
        let requests: String = lines.iter().map(|line| format!("{line}\n")).collect();
        serve(requests.as_bytes(), &mut said).unwrap();
        let said = String::from_utf8(said).unwrap();
        let mut lines = said.lines();
        let hello: Hello = serde_json::from_str(lines.next().unwrap()).unwrap();
        assert_eq!((hello.protocol, hello.rig), (VERSION, rig::examine()));
        assert_eq!(hello.modes[..2], ["traditional", "advanced"]);
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn line(request: &Request) -> String {
        serde_json::to_string(request).unwrap()
    }

    fn open(case: &str, modes: &[&str]) -> String {
        line(&Request::Open {
            case_dir: cases::default_dir(),
            case: case.to_owned(),
            modes: modes.iter().map(|mode| (*mode).to_owned()).collect(),
            tuning: Settings::default().into(),
        })
    }

    fn sample(mode: &str) -> String {
        line(&Request::Sample {
            mode: mode.to_owned(),
            calls: 3,
            cold: false,
            faults: false,
        })
    }

    #[test]
    fn a_case_is_verified_and_sampled_until_the_next_is_opened() {
        let said = answers(&[
            open("empty", &["traditional", "advanced"]),
            sample("advanced"),
            sample("traditional"),
            open("ten-thousand-hashes", &["traditional"]),
            sample("advanced"),
        ]);
        let [
            Reply::Opened(both),
            Reply::Sampled(a),
            Reply::Sampled(b),
            Reply::Opened(one),
            Reply::Refused(why),
        ] = &said[..]
        else {
            panic!("{said:?}")
        };
        let modes: Vec<_> = both.iter().map(|it| it.result.mode.as_str()).collect();
        assert_eq!(modes, ["traditional", "advanced"]);
        assert!([*a, *b, both[0].call].iter().all(|time| *time > 0.0));
        assert_eq!(
            (one[0].result.case.as_str(), one.len()),
            ("ten-thousand-hashes", 1)
        );
        assert_eq!(why, "mode advanced is not open");
    }

    #[test]
    fn a_sampling_run_is_of_the_open_case() {
        let asked = |mode: &str| {
            line(&Request::Opcodes {
                mode: mode.to_owned(),
                sample_ms: 50,
            })
        };
        let said = answers(&[
            asked("advanced"),
            open("ten-thousand-hashes", &["advanced"]),
            asked("advanced"),
            asked("traditional"),
        ]);
        let [
            Reply::Refused(early),
            Reply::Opened(_),
            Reply::Opcodes(run),
            Reply::Refused(other),
        ] = &said[..]
        else {
            panic!("{said:?}")
        };
        assert_eq!(early, "no case is open");
        assert!(run.samples > 0 && run.call > 0.0, "{run:?}");
        assert_eq!(other, "mode traditional is not open");
    }

    #[test]
    fn a_failed_request_is_answered_and_the_next_is_served() {
        let said = answers(&[
            "what?".to_owned(),
            sample("advanced"),
            open("nothing", &["advanced"]),
            open("empty", &["best"]),
            open("empty", &["advanced"]),
        ]);
        let refused: Vec<_> = said[..4]
            .iter()
            .map(|reply| match reply {
                Reply::Refused(why) => why.as_str(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(refused[0].starts_with("invalid request: "), "{refused:?}");
        assert_eq!(refused[1], "no case is open");
        assert!(
            refused[2].starts_with("unknown case `nothing`"),
            "{refused:?}"
        );
        assert!(refused[3].starts_with("unknown mode `best`"), "{refused:?}");
        assert!(matches!(said[4], Reply::Opened(_)));
    }
}
