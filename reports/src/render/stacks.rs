//! Sampled stacks in the formats of viewers: folded, speedscope, Firefox Profiler, pprof. Each separates cases and
//! modes. Formats that track benchmarks are in [`export`](super::export).

use crate::run::{Profile, Run};
use crate::text;
use fxprof_processed_profile as firefox;
use libdd_profiling_protobuf::prost_impls::{self as proto, Message};
use serde_json::json;
use std::borrow::Cow;
use std::collections::HashMap;
use std::time::SystemTime;

/// One stack per line with its weight: frames separated by `;`, root first: case and mode, then the native functions.
pub fn folded(run: &Run) -> String {
    let lines = run.profiles.iter().flat_map(|profile| {
        let root = title(profile);
        let stacks = profile.stacks.iter();
        stacks.map(move |(stack, weight)| folded_line(&format!("{root};{stack}"), *weight) + "\n")
    });
    lines.collect()
}

/// One folded stack with its weight.
///
/// Readers take two numbers at the end of a line for the two sides of a differential, and `f;poll 2 34` ends in two.
/// So a name whose last word is a number gets a no-break space before it, wherever it is in a stack.
pub fn folded_line(stack: &str, weight: u64) -> String {
    let frames: Vec<_> = stack.split(';').map(folded_name).collect();
    format!("{} {weight}", frames.join(";"))
}

/// The name of a frame as [`folded_line`] writes it.
pub fn folded_name(name: &str) -> Cow<'_, str> {
    let name = text::line(name);
    let number = |word: &str| word.bytes().all(|it| it.is_ascii_digit() || it == b'.');
    match name.rsplit_once(' ') {
        Some((before, last)) if number(last) => format!("{before}{NO_BREAK_SPACE}{last}").into(),
        _ => name,
    }
}

/// What [`folded_line`] writes before a number that belongs to a name.
pub const NO_BREAK_SPACE: char = '\u{a0}';

fn title(profile: &Profile) -> String {
    format!("{} {}", profile.case, profile.mode)
}

/// The file format of <https://www.speedscope.app>, one profile per case and mode.
///
/// # Errors
/// As [`json::write`](super::json::write).
pub fn speedscope(run: &Run) -> Result<String, serde_json::Error> {
    let mut frames = Names::default();
    let profiles: Vec<_> = run
        .profiles
        .iter()
        .map(|profile| {
            let stacks = profile.stacks.iter();
            let samples: Vec<Vec<usize>> = stacks
                .clone()
                .map(|(stack, _)| stack.split(';').map(|name| frames.index(name)).collect())
                .collect();
            let weights: Vec<_> = stacks.map(|(_, weight)| *weight).collect();
            json!({
                "type": "sampled",
                "name": title(profile),
                "unit": if is_time(profile) { "nanoseconds" } else { "none" },
                "startValue": 0,
                "endValue": weights.iter().sum::<u64>(),
                "samples": samples,
                "weights": weights,
            })
        })
        .collect();
    let names = frames.listed.iter().map(|name| json!({"name": name}));
    let file = json!({
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "exporter": format!("evmscope {}", run.rig.version),
        "shared": {"frames": names.collect::<Vec<_>>()},
        "profiles": profiles,
    });
    serde_json::to_string(&file)
}

fn is_time(profile: &Profile) -> bool {
    profile.unit == "ns"
}

/// Interned names.
#[derive(Default)]
struct Names {
    listed: Vec<String>,
    places: HashMap<String, usize>,
}

impl Names {
    fn index(&mut self, name: &str) -> usize {
        if let Some(&place) = self.places.get(name) {
            return place;
        }
        self.listed.push(name.to_owned());
        self.places.insert(name.to_owned(), self.listed.len() - 1);
        self.listed.len() - 1
    }
}

/// The processed profile format of the Firefox Profiler, one thread per case and mode. A stack is one entry whose
/// weight is its number of samples. A run does not record the order of samples, so stacks are placed one after
/// another.
///
/// # Errors
/// As [`json::write`](super::json::write).
pub fn firefox(run: &Run, created: SystemTime) -> Result<String, serde_json::Error> {
    use firefox::{CategoryHandle, CpuDelta, Frame, FrameFlags, FrameInfo, Timestamp};
    let rate = run
        .profiles
        .iter()
        .map(|profile| profile.rate)
        .find(|rate| *rate > 0.0);
    let interval = firefox::SamplingInterval::from_hz(rate.unwrap_or(1_000.0) as f32);
    let mut file = firefox::Profile::new("evmscope", created.into(), interval);
    file.set_os_name(&run.rig.kernel);
    let start = Timestamp::from_nanos_since_reference(0);
    let process = file.add_process("evmscope", 1, start);
    for (profile, id) in run.profiles.iter().zip(1..) {
        // No thread is the main one, which would be shown with the name of the process.
        let thread = file.add_thread(process, id, start, false);
        file.set_thread_name(thread, &title(profile));
        let whole: u64 = profile.stacks.iter().map(|(_, weight)| weight).sum();
        let mut before = 0;
        for (stack, weight) in &profile.stacks {
            let frames: Vec<_> = stack
                .split(';')
                .map(|name| FrameInfo {
                    frame: Frame::Label(file.intern_string(name)),
                    category_pair: CategoryHandle::OTHER.into(),
                    flags: FrameFlags::empty(),
                })
                .collect();
            let stack = file.intern_stack_frames(thread, frames.into_iter());
            let samples = *weight as f64 / whole.max(1) as f64 * profile.samples as f64;
            let delta = if is_time(profile) { *weight } else { 0 };
            let time = Timestamp::from_nanos_since_reference(before);
            file.add_sample(
                thread,
                time,
                stack,
                CpuDelta::from_nanos(delta),
                samples.round() as i32,
            );
            before += weight;
        }
    }
    serde_json::to_string(&file)
}

/// The protobuf of pprof, uncompressed. Case and mode are labels of each sample; its value is the weight.
pub fn pprof(run: &Run, created: SystemTime) -> Vec<u8> {
    let mut names = Names::default();
    // The format requires the empty string first.
    names.index("");
    let mut functions = Names::default();
    let mut file = proto::Profile::default();
    let is_time = run.profiles.iter().all(is_time);
    let (kind, unit) = if is_time {
        ("cpu", "nanoseconds")
    } else {
        ("cycles", "count")
    };
    let value = proto::ValueType {
        r#type: names.index(kind) as i64,
        unit: names.index(unit) as i64,
    };
    file.sample_types = vec![value];
    file.period_type = Some(value);
    file.period = 1;
    file.time_nanos = created
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as i64);
    for profile in &run.profiles {
        let mut label = |key: &str, text: &str| proto::Label {
            key: names.index(key) as i64,
            str: names.index(text) as i64,
            ..proto::Label::default()
        };
        let labels = vec![label("case", &profile.case), label("mode", &profile.mode)];
        let whole: u64 = profile.stacks.iter().map(|(_, weight)| weight).sum();
        file.duration_nanos += if is_time { whole as i64 } else { 0 };
        for (stack, weight) in &profile.stacks {
            // Each function is one location, since addresses are not recorded; ids start at 1.
            let location = stack
                .rsplit(';')
                .map(|name| functions.index(name) as u64 + 1);
            file.samples.push(proto::Sample {
                location_ids: location.collect(),
                values: vec![*weight as i64],
                labels: labels.clone(),
            });
        }
    }
    for (name, id) in functions.listed.iter().zip(1..) {
        let name = names.index(name) as i64;
        file.functions.push(proto::Function {
            id,
            name,
            system_name: name,
            ..proto::Function::default()
        });
        file.locations.push(proto::Location {
            id,
            lines: vec![proto::Line {
                function_id: id,
                ..proto::Line::default()
            }],
            ..proto::Location::default()
        });
    }
    file.string_table = names.listed;
    file.encode_to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn run() -> Run {
        let profile = |mode: &str, stacks: &[(&str, u64)]| Profile {
            case: "case".to_owned(),
            mode: mode.to_owned(),
            sampler: "perf cpu-clock".to_owned(),
            samples: 10,
            lost: 0,
            rate: 1_000.0,
            unit: "ns".to_owned(),
            stacks: stacks
                .iter()
                .map(|(stack, weight)| ((*stack).to_owned(), *weight))
                .collect(),
        };
        Run {
            profiles: vec![
                profile(
                    "traditional",
                    &[
                        ("traditional ADD;ops::add", 7_000),
                        ("traditional ADD", 3_000),
                    ],
                ),
                profile("advanced", &[("advanced ADD;ops::add", 10_000)]),
            ],
            ..Run::default()
        }
    }

    fn created() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(5)
    }

    #[test]
    fn folded_lines_begin_with_case_and_mode() {
        insta::assert_snapshot!(folded(&run()), @r"
    case traditional;traditional ADD;ops::add 7000
    case traditional;traditional ADD 3000
    case advanced;advanced ADD;ops::add 10000
    ");
    }

    #[test]
    fn a_number_at_the_end_of_a_name_is_no_weight() {
        assert_eq!(
            folded_line("main 1;poll 2", 34),
            "main\u{a0}1;poll\u{a0}2 34"
        );
        assert_eq!(folded_line("at 1.5;f2;a 3 b", 7), "at\u{a0}1.5;f2;a 3 b 7");
    }

    #[test]
    fn speedscope_has_unique_frames_and_consistent_weights() {
        let file: serde_json::Value = serde_json::from_str(&speedscope(&run()).unwrap()).unwrap();
        assert_eq!(file["shared"]["frames"].as_array().unwrap().len(), 3);
        let profile = &file["profiles"][0];
        assert_eq!(profile["samples"], json!([[0, 1], [0]]));
        assert_eq!(profile["weights"], json!([7_000, 3_000]));
        assert_eq!(
            (&profile["endValue"], &profile["unit"]),
            (&json!(10_000), &json!("nanoseconds"))
        );
        assert_eq!(file["profiles"][1]["samples"], json!([[2, 1]]));
    }

    #[test]
    fn firefox_has_one_thread_per_mode_and_all_samples() {
        let file: serde_json::Value =
            serde_json::from_str(&firefox(&run(), created()).unwrap()).unwrap();
        let threads = file["threads"].as_array().unwrap();
        let names: Vec<_> = threads.iter().map(|thread| &thread["name"]).collect();
        assert_eq!(names, ["case advanced", "case traditional"]);
        assert_eq!(threads[1]["samples"]["weight"], json!([7, 3]));
        assert_eq!(threads[1]["stackTable"]["length"], 2);
    }

    #[test]
    fn pprof_decodes_to_the_original_stacks() {
        let file = proto::Profile::decode(&*pprof(&run(), created())).unwrap();
        let text = |index: i64| file.string_table[index as usize].as_str();
        let function = |id: &u64| {
            let location = file
                .locations
                .iter()
                .find(|location| location.id == *id)
                .unwrap();
            let id = location.lines[0].function_id;
            text(
                file.functions
                    .iter()
                    .find(|function| function.id == id)
                    .unwrap()
                    .name,
            )
        };
        let stacks: Vec<_> = file
            .samples
            .iter()
            .map(|sample| {
                let frames: Vec<_> = sample.location_ids.iter().map(function).collect();
                let labels: Vec<_> = sample.labels.iter().map(|it| text(it.str)).collect();
                (frames.join("<"), sample.values[0], labels.join(" "))
            })
            .collect();
        let stack =
            |frames: &str, weight, labels: &str| (frames.to_owned(), weight, labels.to_owned());
        assert_eq!(
            stacks,
            [
                stack("ops::add<traditional ADD", 7_000, "case traditional"),
                stack("traditional ADD", 3_000, "case traditional"),
                stack("ops::add<advanced ADD", 10_000, "case advanced"),
            ]
        );
        assert_eq!(text(0), "");
        let kinds: Vec<_> = file
            .sample_types
            .iter()
            .map(|it| (text(it.r#type), text(it.unit)))
            .collect();
        assert_eq!(kinds, [("cpu", "nanoseconds")]);
        assert_eq!(
            (file.time_nanos, file.duration_nanos),
            (5_000_000_000, 20_000)
        );
    }
}
