//! `profile --perf-data`: recordings that `perf record` makes in the test, and what is said about them. Without `perf`
//! or a C compiler they are skipped. Figures are those of `perf script` over the same recording.

use crate::support::tools::{has, has_cc, has_perf};
use crate::support::{Folder, Ran, command, evmscope, ran, read};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

const NESTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/perf/nested.c");
const GENERATE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/perf/generate.c"
);

/// A folder for recordings, if they can be made here.
fn lab() -> Option<Folder> {
    (has_perf() && has_cc()).then(Folder::new)
}

impl Folder {
    fn compile(&self, source: &str, name: &str, options: &[&str]) -> String {
        let program = self.arg(name);
        let default = ["-O1", "-fno-optimize-sibling-calls", "-o", &program, source];
        self.run("cc", &[&default[..], options].concat());
        program
    }

    /// Runs a tool here, and returns what it printed.
    #[track_caller]
    fn run(&self, tool: &str, arguments: &[&str]) -> String {
        let output = Command::new(tool)
            .args(arguments)
            .current_dir(self.path(""))
            // Copies of binaries are kept there.
            .env("HOME", self.path(""))
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{tool} {arguments:?}: {error}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn record(&self, options: &[&str], program: &[&str]) -> String {
        let file = self.arg("perf.data");
        let record = ["record", "-q", "-F", "999", "-o", &file];
        self.run("perf", &[&record[..], options, program].concat());
        file
    }

    /// What is printed about a recording.
    #[track_caller]
    fn profile(&self, recording: &str) -> String {
        self.profiled(recording).ok()
    }

    fn profiled(&self, recording: &str) -> Ran {
        let _ = fs::remove_dir_all(self.path("out"));
        let out = self.arg("out");
        let mut command = command(&["profile", "--perf-data", recording, "--out", &out]);
        ran(command.env("HOME", self.path("")))
    }

    /// Share of a frame in a picture, in per cent; 0 if it is not there.
    fn share(&self, picture: &str, frame: &str) -> f64 {
        let svg = read(&self.path("out").join(picture));
        let title = format!("<title>{frame} (");
        let shares = svg.split(&title).skip(1).map(|rest| {
            let (text, _) = rest.split_once("%)").unwrap();
            let (_, share) = text.rsplit_once(", ").unwrap();
            share.parse::<f64>().unwrap()
        });
        shares.sum()
    }

    /// Samples and the sum of their weights by event, as `perf script` has them.
    fn by_event(&self, recording: &str) -> BTreeMap<String, (u64, u64)> {
        let fields = ["script", "-i", recording, "-F", "event,period"];
        let mut events = BTreeMap::<_, (u64, u64)>::new();
        for line in self.run("perf", &fields).lines() {
            let mut words = line.split_whitespace();
            if let (Some(weight), Some(event)) = (words.next(), words.next()) {
                let entry = events.entry(event.trim_end_matches(':').to_owned());
                let (samples, sum) = entry.or_default();
                *samples += 1;
                *sum += weight.parse::<u64>().unwrap();
            }
        }
        events
    }
}

#[test]
fn copies_of_stacks_are_unwound_to_the_outermost_function() {
    let Some(folder) = lab() else { return };
    let program = folder.compile(NESTED, "nested", &["-fomit-frame-pointer"]);
    let recording = folder.record(
        &["-e", "cpu-clock:u", "--call-graph", "dwarf", "--"],
        &[&program],
    );
    let text = folder.profile(&recording);
    assert!(!text.contains("no callers"), "{text}");
    assert!(!text.contains("outer callers"), "{text}");
    for function in ["main", "outermost", "middle", "innermost"] {
        let share = folder.share("flame.svg", function);
        assert!(share > 95.0, "{function} has {share} %");
    }
    assert!(folder.share("flame.svg", "_start") > 98.0, "{text}");
}

#[test]
fn a_copy_that_is_shorter_than_the_stack_is_said_to_be() {
    let Some(folder) = lab() else { return };
    let program = folder.compile(NESTED, "nested", &["-fomit-frame-pointer", "-DDEEP"]);
    let options = ["-e", "cpu-clock:u", "--call-graph", "dwarf", "--"];
    let text = folder.profile(&folder.record(&options, &[&program]));
    assert!(
        text.contains("lack their outer callers: the copy"),
        "{text}"
    );
    assert!(folder.share("flame.svg", "outermost") > 95.0, "{text}");
    assert!(folder.share("flame.svg", "main") < 5.0, "{text}");
}

#[test]
fn each_event_has_its_own_picture_and_unit() {
    let Some(folder) = lab() else { return };
    let program = folder.compile(NESTED, "nested", &[]);
    let events = ["-e", "cpu-clock:u,page-faults:u,task-clock:u", "--"];
    let recording = folder.record(&events, &[&program]);
    let text = folder.profile(&recording);
    assert_eq!(
        folder.files("out"),
        [
            "flame-cpu-clock-u.svg",
            "flame-page-faults-u.svg",
            "flame-task-clock-u.svg"
        ]
    );
    for (event, (samples, weight)) in folder.by_event(&recording) {
        let (unit, quantity) = match event.contains("clock") {
            true => ("ns", "CPU time"),
            false => (event.as_str(), event.as_str()),
        };
        let picture = format!("flame-{}.svg", event.replace(':', "-"));
        let svg = read(&folder.path("out").join(picture));
        let plural = if samples == 1 { "" } else { "s" };
        let whole = format!("<title>all ({} {unit}, 100%)", thousands(weight));
        assert!(svg.contains(&whole), "{whole}: {text}");
        let subtitle =
            format!(">width: {quantity}; {samples} sample{plural} by perf record {event}");
        assert!(svg.contains(&subtitle), "{subtitle}");
        let heading = format!("{samples} sample{plural} of nested by perf record {event}: ");
        assert!(text.contains(&heading), "{heading}: {text}");
        if unit != "ns" {
            assert!(
                text.contains(&format!(": {} {event}\n", thousands(weight))),
                "{text}"
            );
        }
    }
}

fn thousands(number: u64) -> String {
    evmscope_reports::format::thousands(number)
}

#[test]
fn a_fixed_period_is_the_weight_of_each_sample() {
    let Some(folder) = lab() else { return };
    let program = folder.compile(NESTED, "nested", &[]);
    let file = folder.arg("fixed.data");
    let fixed = [
        "record",
        "-q",
        "-c",
        "2000000",
        "-e",
        "cpu-clock:u",
        "-o",
        &file,
        "--",
        &program,
    ];
    folder.run("perf", &fixed);
    let text = folder.profile(&file);
    let samples: u64 = text.split(' ').next().unwrap().parse().unwrap();
    let svg = read(&folder.path("out/flame.svg"));
    let whole = format!("<title>all ({} ns, 100%)", thousands(samples * 2_000_000));
    assert!(svg.contains(&whole), "{whole}: {text}");
}

#[test]
fn a_recording_is_read_from_a_pipe_and_compressed() {
    let Some(folder) = lab() else { return };
    let program = folder.compile(NESTED, "nested", &[]);
    let piped = folder.path("piped.data");
    let status = Command::new("perf")
        .args([
            "record",
            "-q",
            "-F",
            "999",
            "-e",
            "cpu-clock:u,page-faults:u",
            "-o",
            "-",
            "--",
            &program,
        ])
        .stdout(File::create(&piped).unwrap())
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    let piped = folder.arg("piped.data");
    let text = folder.profile(&piped);
    let (samples, _) = folder.by_event(&piped)["cpu-clock:u"];
    let heading = format!("{samples} samples of nested by perf record cpu-clock:u: ");
    assert!(text.starts_with(&heading), "{text}");
    assert_eq!(folder.files("out").len(), 2);

    let out = folder.arg("out");
    let mut from_input = command(&["profile", "--perf-data", "-", "--out", &out]);
    let given = ran(from_input.stdin(File::open(&piped).unwrap())).ok();
    assert_eq!(given, text);

    if has("gzip") {
        folder.run("gzip", &["-k", "piped.data"]);
        assert_eq!(folder.profile(&folder.arg("piped.data.gz")), text);
    }
    if has("zstd") {
        folder.run("zstd", &["-q", "piped.data"]);
        let refused = folder.profiled(&folder.arg("piped.data.zst")).stderr;
        assert!(refused.contains("is compressed: `zstd -dc "), "{refused}");
        assert_eq!(refused.lines().count(), 1, "{refused}");
    }

    let recording = folder.arg("zstd.data");
    let arguments = [
        "record",
        "-q",
        "-z",
        "-F",
        "999",
        "-e",
        "cpu-clock:u",
        "-o",
        &recording,
        "--",
        &program,
    ];
    let compresses = Command::new("perf").args(arguments).output().unwrap();
    if !compresses.status.success() {
        return eprintln!("skipped: this perf cannot compress");
    }
    let text = folder.profile(&recording);
    let (samples, _) = folder.by_event(&recording)["cpu-clock:u"];
    assert!(
        text.starts_with(&format!("{samples} samples of nested")),
        "{text}"
    );
}

/// A killed `perf` leaves a header without lengths and no list of events.
#[test]
fn a_recording_that_was_cut_short_is_read_as_far_as_it_goes() {
    let Some(folder) = lab() else { return };
    let program = folder.compile(NESTED, "nested", &[]);
    let recording = folder.record(&["-e", "cpu-clock:u,page-faults:u", "--"], &[&program]);
    let whole = fs::read(&recording).unwrap();
    let all: u64 = folder.by_event(&recording)["cpu-clock:u"].0;
    let cut = folder.arg("cut.data");
    let word = |at: usize| u64::from_le_bytes(whole[at..at + 8].try_into().unwrap()) as usize;
    let data_end = word(40) + word(48);

    let mut killed = whole[..data_end - 100].to_vec();
    killed[48..56].fill(0);
    let damaged = [
        killed,
        whole[..data_end / 2].to_vec(),
        whole[..data_end + 50].to_vec(),
    ];
    for (bytes, at_least) in damaged.iter().zip([all - 4, 5, all]) {
        fs::write(&cut, bytes).unwrap();
        let text = folder.profile(&cut);
        assert!(text.contains("it was cut short, and read up to"), "{text}");
        let samples: u64 = text.split(' ').next().unwrap().parse().unwrap();
        assert!((at_least..=all).contains(&samples), "{at_least}: {text}");
        assert!(
            text.contains("samples of nested by perf record cpu-clock: "),
            "{text}"
        );
        // The events are told apart although their list is at the end.
        assert!(text.contains("by perf record page-faults: "), "{text}");
    }
}

#[test]
#[cfg_attr(not(target_arch = "x86_64"), ignore = "generates code of x86-64")]
fn generated_code_has_the_names_of_its_map() {
    let Some(folder) = lab() else { return };
    let program = folder.compile(GENERATE, "generate", &[]);
    let recording = folder.arg("perf.data");
    let record = [
        "record",
        "-q",
        "-F",
        "999",
        "-e",
        "cpu-clock:u",
        "-o",
        &recording,
        "--",
        &program,
        "map",
    ];
    let pid = folder.run("perf", &record);
    let map = format!("/tmp/perf-{}.map", pid.trim());
    let text = folder.profile(&recording);
    fs::remove_file(&map).unwrap();
    assert!(folder.share("flame.svg", "hot loop 2") > 95.0, "{text}");
    assert!(
        text.contains(&format!(
            "note: generated code has the names that are in {map} now"
        )),
        "{text}"
    );
    assert!(!text.contains("have no name"), "{text}");
    // Without the map it has none.
    let text = folder.profile(&recording);
    assert!(
        text.contains("samples have no name") && text.contains("[anon]"),
        "{text}"
    );
}

#[test]
#[cfg_attr(not(target_arch = "x86_64"), ignore = "generates code of x86-64")]
fn generated_code_that_was_replaced_has_the_name_of_its_time() {
    let Some(folder) = lab() else { return };
    let program = folder.compile(GENERATE, "generate", &[]);
    let recording = folder.record(
        &["-k", "mono", "-e", "cpu-clock:u", "--"],
        &[&program, "dump"],
    );
    let text = folder.profile(&recording);
    let [early, late] = ["early loop", "late loop"].map(|name| folder.share("flame.svg", name));
    assert!((15.0..35.0).contains(&early), "{text}");
    assert!((65.0..85.0).contains(&late), "{text}");
    assert!(!text.contains("note: "), "{text}");

    // Its times mean nothing if the recording has another clock.
    let recording = folder.record(&["-e", "cpu-clock:u", "--"], &[&program, "dump"]);
    let text = folder.profile(&recording);
    assert!(
        text.contains("code that was replaced has its last name"),
        "{text}"
    );
    assert!(folder.share("flame.svg", "late loop") > 95.0, "{text}");
}

#[test]
#[cfg_attr(not(target_arch = "x86_64"), ignore = "generates code of x86-64")]
fn files_that_perf_makes_of_generated_code_are_read() {
    let Some(folder) = lab() else { return };
    let program = folder.compile(GENERATE, "generate", &[]);
    let recording = folder.record(
        &["-k", "mono", "-e", "cpu-clock:u", "--"],
        &[&program, "dump"],
    );
    let injected = folder.arg("injected.data");
    folder.run(
        "perf",
        &["inject", "--jit", "-i", &recording, "-o", &injected],
    );
    for file in folder
        .files("")
        .iter()
        .filter(|name| name.ends_with(".dump"))
    {
        fs::remove_file(folder.path(file)).unwrap();
    }
    let text = folder.profile(&injected);
    let named = ["early loop", "late loop"].map(|name| folder.share("flame.svg", name));
    assert!(named.iter().sum::<f64>() > 95.0, "{text}");
}

#[test]
fn symbols_that_were_stripped_are_found_beside_the_binary() {
    let Some(folder) = lab() else { return };
    if !has("objcopy") {
        return;
    }
    for (build_id, places) in [
        (
            "-Wl,--build-id=none",
            ["nested.debug", ".debug/nested.debug"],
        ),
        (
            "-Wl,--build-id=0xabcdef0123456789",
            ["nested.debug", ".debug/.build-id/ab/cdef0123456789.debug"],
        ),
    ] {
        let program = folder.compile(NESTED, "nested", &["-g", build_id]);
        folder.run("objcopy", &["--only-keep-debug", &program, "nested.debug"]);
        folder.run(
            "objcopy",
            &["--strip-all", "--add-gnu-debuglink=nested.debug", &program],
        );
        let recording = folder.record(&["-B", "-e", "cpu-clock:u", "--"], &[&program]);
        for place in places {
            let moved = folder.path(place);
            fs::create_dir_all(moved.parent().unwrap()).unwrap();
            if place != "nested.debug" {
                fs::rename(folder.path("nested.debug"), &moved).unwrap();
            }
            let text = folder.profile(&recording);
            assert!(
                folder.share("flame.svg", "innermost") > 95.0,
                "{place}: {text}"
            );
            assert!(!text.contains("no symbol table"), "{text}");
            if place != "nested.debug" {
                // A file of another build is not taken.
                fs::write(&moved, fs::read(&program).unwrap()).unwrap();
                let text = folder.profile(&recording);
                assert!(
                    text.contains("no symbol table, so only exported names: nested"),
                    "{text}"
                );
                fs::remove_file(&moved).unwrap();
            }
        }
    }
}

#[test]
fn a_binary_that_was_built_anew_is_not_read() {
    let Some(folder) = lab() else { return };
    let program = folder.compile(NESTED, "nested", &["-Wl,--build-id"]);
    let recording = folder.record(
        &["-e", "cpu-clock:u", "--call-graph", "dwarf", "--"],
        &[&program],
    );
    folder.compile(NESTED, "nested", &["-Wl,--build-id", "-DDEEP"]);
    // `perf record` kept a copy.
    let text = folder.profile(&recording);
    assert!(folder.share("flame.svg", "outermost") > 95.0, "{text}");
    assert!(!text.contains("not the build"), "{text}");
    fs::remove_dir_all(folder.path(".debug")).unwrap();
    let text = folder.profile(&recording);
    assert!(
        text.contains("not the build that was recorded, so not read: nested"),
        "{text}"
    );
    assert!(folder.share("flame.svg", "[nested]") > 95.0, "{text}");
}

#[test]
fn several_processes_have_a_row_each() {
    let Some(folder) = lab() else { return };
    let short = folder.compile(NESTED, "short", &[]);
    let long = folder.compile(NESTED, "a-name-of-more-than-15-letters", &[]);
    let script = format!("{short} 200 & {long} 600 & wait");
    let recording = folder.record(&["-e", "cpu-clock:u", "--"], &["sh", "-c", &script]);
    let text = folder.profile(&recording);
    let rows: Vec<_> = text
        .split("  process\n")
        .nth(1)
        .unwrap()
        .lines()
        .take_while(|line| !line.is_empty())
        .map(|line| line.rsplit("  ").next().unwrap())
        .collect();
    assert_eq!(
        rows[..2],
        ["a-name-of-more-than-15-letters", "short"],
        "{text}"
    );
    let shares =
        ["short", "a-name-of-more-than-15-letters"].map(|name| folder.share("flame.svg", name));
    assert!(
        (20.0..30.0).contains(&shares[0]) && (70.0..80.0).contains(&shares[1]),
        "{shares:?}"
    );
    assert!(
        text.contains(" processes by perf record cpu-clock:u: "),
        "{text}"
    );
}

#[test]
fn a_recording_of_the_machine_has_the_processes_of_others() {
    let Some(folder) = lab() else { return };
    // Other tests may run at the same time.
    let program = folder.compile(NESTED, "machine-wide", &[]);
    let file = folder.arg("all.data");
    let arguments = [
        "record",
        "-q",
        "-a",
        "-B",
        "-e",
        "cpu-clock",
        "-o",
        &file,
        "--",
        &program,
    ];
    let mut other = Command::new(&program).arg("4000").spawn().unwrap();
    let recorded = Command::new("perf").args(arguments).output().unwrap();
    other.kill().unwrap();
    other.wait().unwrap();
    if !recorded.status.success() {
        return eprintln!("skipped: perf may not record the whole machine here");
    }
    let text = folder.profile(&file);
    let pids = text.lines().filter(|line| line.ends_with("  machine-wide"));
    assert_eq!(pids.count(), 2, "{text}");
}

#[test]
fn a_command_is_named_by_its_process_not_by_the_command_line_of_perf() {
    let Some(folder) = lab() else { return };
    let program = folder.compile(NESTED, "nested", &[]);
    let recording = folder.record(&["-e", "cpu-clock:u"], &[&program, "100"]);
    let text = folder.profile(&recording);
    assert!(text.contains(" samples of nested by "), "{text}");
    let script = format!("exec {program} 100");
    let recording = folder.record(&["-e", "cpu-clock:u"], &["sh", "-c", &script]);
    let text = folder.profile(&recording);
    assert!(
        text.contains("  nested\n") || text.contains(" samples of nested by "),
        "{text}"
    );
}

#[test]
fn values_of_a_group_are_refused() {
    let Some(folder) = lab() else { return };
    let program = folder.compile(NESTED, "nested", &[]);
    let recording = folder.record(
        &["-e", "{cpu-clock:u,page-faults:u}:S", "--"],
        &[&program, "50"],
    );
    let refused = folder.profiled(&recording);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(
        refused.stderr.contains("record without `:S`"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_file_that_is_no_recording_is_refused_in_one_line() {
    let folder = Folder::new();
    for (bytes, says) in [
        (
            &b"# README"[..],
            "is not a file of `perf record`: give its perf.data",
        ),
        (b"2ELIFREP", "was recorded on a big-endian machine"),
        (b"PERFILE2", "is not a complete file of `perf record`"),
        (b"BZh91AY", "is compressed: `bzip2 -dc "),
    ] {
        let file = folder.arg("file");
        fs::write(&file, bytes).unwrap();
        let refused = evmscope(&["profile", "--perf-data", &file, "--out", &folder.arg("out")]);
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    }
    assert!(!Path::new(&folder.arg("out/flame.svg")).exists());
}
