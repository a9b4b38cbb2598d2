//! Recordings of some bytes, made here or committed: what this machine cannot record, and damaged files. Those that
//! `perf record` makes are in `tests/it/perf_data.rs`.

use super::*;

/// `perf record -e cpu-clock:u` of a copy of evmscope that no machine has.
fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/perf.data")
}

#[test]
fn a_recording_without_its_binary_still_has_its_samples_and_says_what_is_missing() {
    let Recording {
        events, missing, ..
    } = read(&fixture()).unwrap();
    let [EventProfile { profile, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(profile.sampler, "perf record cpu-clock:u");
    assert_eq!(
        (profile.mode.as_str(), profile.unit.as_str()),
        ("evmscope-example", "ns")
    );
    assert!(profile.samples > 5, "{profile:?}");
    let weights: u64 = profile.stacks.iter().map(|(_, weight)| weight).sum();
    // 499 samples a second of CPU time.
    assert_eq!(weights / profile.samples, 1_000_000_000 / 499);
    let stacks: Vec<_> = profile
        .stacks
        .iter()
        .map(|(stack, _)| stack.as_str())
        .collect();
    assert!(stacks.contains(&"[evmscope-example]"), "{stacks:?}");
    assert!(
        missing[0].starts_with("unreadable on this machine: evmscope-example"),
        "{missing:?}"
    );
    assert!(
        missing
            .iter()
            .any(|it| it.starts_with("no callers were recorded")),
        "{missing:?}"
    );
}

#[test]
fn a_file_of_which_only_the_header_is_there_is_refused() {
    let whole = fs::read(fixture()).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(file.path(), bytes).unwrap();
        read(file.path()).unwrap_err().to_string()
    };
    assert!(refused(&whole[..50]).contains("not a complete file of `perf record`"));
    assert!(refused(&whole[..200]).contains("not a complete file of `perf record`"));
    assert!(refused(b"PERFILE2").contains("not a complete file of `perf record`"));
    assert!(refused(b"# README").contains("give its perf.data"));
    assert!(refused(b"").contains("give its perf.data"));
    let mut header_alone = whole[..word(&whole, 40) as usize].to_vec();
    header_alone[48..56].fill(0);
    assert!(refused(&header_alone).contains("contains no sample of a program"));
}

/// No length anywhere in a recording leads to a panic.
#[test]
fn damaged_recordings_are_read_or_refused() {
    let whole = fs::read(fixture()).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    for end in (0..whole.len()).step_by(397) {
        fs::write(file.path(), &whole[..end]).unwrap();
        if let Ok(recording) = read(file.path()) {
            let cut = recording.missing.iter().any(|it| it.contains("cut short"));
            assert!(cut, "{end}: {:?}", recording.missing);
        }
    }
    for field in (8..104).step_by(8) {
        for value in [0, 7, 1 << 20, u64::MAX] {
            let mut damaged = whole.clone();
            damaged[field..field + 8].copy_from_slice(&value.to_le_bytes());
            fs::write(file.path(), &damaged).unwrap();
            let _ = read(file.path());
        }
    }
}

/// Numbers of events, ids and letters for which there would be no memory.
#[test]
fn lists_that_are_longer_than_the_file_are_refused() {
    let whole = fs::read(fixture()).unwrap();
    let table = (word(&whole, 40) + word(&whole, 48)) as usize;
    let before = (word(&whole, 72) & ((1 << 12) - 1)).count_ones() as usize;
    let events = word(&whole, table + 16 * before) as usize;
    let attributes = u32::from_le_bytes(*whole[events + 4..].first_chunk().unwrap()) as usize;
    let ids = events + 8 + attributes;
    let file = tempfile::NamedTempFile::new().unwrap();
    for at in [events, ids, ids + 4] {
        let mut damaged = whole.clone();
        damaged[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        fs::write(file.path(), &damaged).unwrap();
        let error = read(file.path()).unwrap_err().to_string();
        assert!(
            error.contains("descriptions of events are not in the file"),
            "{at}: {error}"
        );
    }
    for attribute in [0, u64::MAX] {
        let mut damaged = whole.clone();
        damaged[16..24].copy_from_slice(&attribute.to_le_bytes());
        fs::write(file.path(), &damaged).unwrap();
        let error = read(file.path()).unwrap_err().to_string();
        assert!(error.contains("events are not in the file"), "{error}");
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().unwrap())
}

/// A recording as `perf record -o -` writes it, made here for what this machine cannot record.
pub(crate) struct Pipe(Vec<u8>);

impl Pipe {
    /// With one event, `cycles` at a fixed period of 1,000, whose samples have ip, pid and what `fields` adds.
    fn new(fields: u64, branches: u64) -> Pipe {
        Pipe::with(fields, |attributes| attributes[9] = branches)
    }

    fn with(fields: u64, set: impl Fn(&mut [u64; 16])) -> Pipe {
        const IP_AND_PID: u64 = 3;
        let mut pipe = Pipe([b"PERFILE2".to_vec(), 16_u64.to_le_bytes().to_vec()].concat());
        let mut attributes = [0; 16];
        // u32 type, u32 size; config; period; fields of samples.
        attributes[0] = 128 << 32;
        attributes[2] = 1_000;
        attributes[3] = IP_AND_PID | fields;
        set(&mut attributes);
        pipe.record(64, 0, &attributes);
        pipe
    }

    fn record(&mut self, kind: u32, flags: u16, words: &[u64]) {
        let size = 8 + 8 * words.len() as u16;
        self.0.extend(kind.to_le_bytes());
        self.0.extend(flags.to_le_bytes());
        self.0.extend(size.to_le_bytes());
        words.iter().for_each(|it| self.0.extend(it.to_le_bytes()));
    }

    /// A sample in user space at an address of process 7.
    fn sample(&mut self, ip: u64, rest: &[u64]) {
        self.record(9, 2, &[&[ip, 7 | 7 << 32], rest].concat());
    }

    /// A mapping of code of process 7, by a name of at most 15 bytes.
    fn map(&mut self, start: u64, name: &str) {
        let mut path = name.as_bytes().to_vec();
        path.resize(16, 0);
        let words = [
            7 | 7 << 32,
            start,
            0x1000,
            0,
            word(&path, 0),
            word(&path, 8),
        ];
        self.record(1, 2, &words);
    }

    /// Recordings with every kind of record and of callers, as bytes.
    pub(crate) fn every_kind() -> [Vec<u8>; 3] {
        const CHAIN: u64 = 1 << 5;
        const BRANCHES: u64 = 1 << 11;
        const REGISTERS_AND_STACK: u64 = 1 << 12 | 1 << 13;
        let mut lbr = Pipe::new(CHAIN | BRANCHES, 1 | 1 << 11);
        lbr.processes();
        let calls = [2, 0x1fff, 0x1000, 0, 0x1800, 0x1000, 0];
        lbr.sample(0x1234, &[&[1, (-512_i64) as u64][..], &calls].concat());
        let mut chains = Pipe::new(CHAIN, 0);
        chains.processes();
        chains.sample(0x1234, &[3, (-512_i64) as u64, 0x1234, 0x1300]);
        let mut stacks = Pipe::with(REGISTERS_AND_STACK, |attributes| {
            // The registers bp, sp and ip of x86-64; bytes of the stack.
            attributes[10] = 0x1c0;
            attributes[11] = 32;
        });
        stacks.processes();
        let registers = [2, 0x7fff_0020, 0x7fff_0000, 0x1234];
        stacks.sample(
            0x1234,
            &[&registers[..], &[32, 0x1300, 0, 0x1400, 0, 32]].concat(),
        );
        [lbr.0, chains.0, stacks.0]
    }

    /// A program that is mapped, named, copied and lost, with code that it generated.
    fn processes(&mut self) {
        let name = u64::from_le_bytes(*b"program\0");
        self.map(0x1000, "/none/program");
        // Process and thread, the name; then a copy of the process, and its mapping with a build id.
        self.record(3, 1 << 13, &[7 | 7 << 32, name]);
        self.record(7, 0, &[8 | 7 << 32, 8 | 7 << 32, 0]);
        let id = [
            20,
            0x0102_0304_0506_0708,
            0x0102_0304_0506_0708,
            0x0102_0304,
        ];
        self.record(
            10,
            1 << 14 | 2,
            &[&[8 | 8 << 32, 0x3000, 0x1000, 0][..], &id[..3], &[4, name]].concat(),
        );
        self.record(67, 0, &[&[7][..], &id[1..], &[name]].concat());
        self.map(0x4000, "/n/jit-7.dump");
        self.record(2, 0, &[0, 5]);
        self.record(13, 0, &[4]);
        self.sample(0x9000, &[0; 12]);
    }

    fn read(&self) -> Result<Recording, PerfDataError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &self.0).unwrap();
        read(file.path())
    }
}

#[test]
fn a_hardware_event_without_a_description_has_its_name_and_counts() {
    let mut pipe = Pipe::new(0, 0);
    pipe.map(0x1000, "/none/program");
    pipe.sample(0x1234, &[]);
    pipe.sample(0x1238, &[]);
    let recording = pipe.read().unwrap();
    let EventProfile { profile, .. } = &recording.events[0];
    assert_eq!(
        (profile.unit.as_str(), profile.mode.as_str()),
        ("cycles", "program")
    );
    assert_eq!(profile.stacks, [("[program]".to_owned(), 2_000)]);
}

/// `--call-graph lbr`: the CPU keeps the calls that have not returned, the kernel a chain without them.
#[test]
fn calls_that_the_cpu_recorded_are_callers() {
    const CHAIN_AND_BRANCHES: u64 = 1 << 5 | 1 << 11;
    const USER_CALL_STACK: u64 = 1 | 1 << 11;
    let mut pipe = Pipe::new(CHAIN_AND_BRANCHES, USER_CALL_STACK);
    for (start, name) in [
        (0x1000, "/none/inner"),
        (0x2000, "/none/middle"),
        (0x3000, "/none/outer"),
    ] {
        pipe.map(start, name);
    }
    // A chain of one marker; then two calls: from, to, flags.
    let marker = [1, (-512_i64) as u64];
    let calls = [2, 0x2fff, 0x1000, 0, 0x3000, 0x2000, 0];
    pipe.sample(0x1234, &[&marker[..], &calls].concat());
    // As many as some CPUs hold.
    let full: Vec<u64> = [0x2000, 0x1000, 0].repeat(32);
    pipe.sample(0x1234, &[&[0, 32], &full[..]].concat());
    pipe.sample(0x1234, &[0, 0]);
    let recording = pipe.read().unwrap();
    let stacks: Vec<_> = recording.events[0].profile.stacks.iter().collect();
    let middle = vec!["[middle]"; 32].join(";");
    assert_eq!(
        stacks,
        [
            &("[inner]".to_owned(), 1_000),
            &(format!("{middle};[inner]"), 1_000),
            &("[outer];[middle];[inner]".to_owned(), 1_000),
        ]
    );
    let missing = recording.missing.join("; ");
    assert!(
        missing.contains("1 of 3 samples have 32 callers, which may be all"),
        "{missing}"
    );
    assert!(
        missing.contains("1 of 3 samples have no callers: the CPU"),
        "{missing}"
    );
}

#[test]
fn losses_that_the_kernel_and_perf_both_report_are_counted_once() {
    let mut pipe = Pipe::new(0, 0);
    pipe.map(0x1000, "/none/program");
    pipe.sample(0x1234, &[]);
    pipe.record(2, 0, &[0, 5]);
    pipe.record(13, 0, &[4]);
    let recording = pipe.read().unwrap();
    assert_eq!(recording.events[0].profile.lost, 5);
    assert!(
        recording
            .missing
            .contains(&"5 records lost while recording".to_owned())
    );
}

/// A record of 32 bytes starts a process.
#[test]
fn many_processes_take_no_more_than_ten_times_their_records() {
    let mut pipe = Pipe::new(0, 0);
    for pid in 1..10_000_u64 {
        pipe.record(3, 1 << 13, &[pid | pid << 32, 0x61, 0]);
    }
    pipe.sample(0x1234, &[]);
    let mut read = false;
    let used = crate::instruments::heap::count(|| read = pipe.read().is_ok());
    assert!(read);
    let most = (64 << 20) + 10 * pipe.0.len() as u64;
    assert!(used.peak < most, "{used:?}");
}

#[test]
fn records_with_lengths_that_do_not_fit_are_refused() {
    const CHAIN: u64 = 1 << 5;
    let mut chain = Pipe::new(CHAIN, 0);
    chain.sample(0x1234, &[1 << 61, 0]);
    let mut id = Pipe::new(0, 0);
    id.record(
        10,
        1 << 14 | 2,
        &[7 | 7 << 32, 0, 0x1000, 0, 21, 0, 0, 4, 0],
    );
    id.sample(0x1234, &[]);
    for pipe in [chain, id] {
        let error = pipe.read().unwrap_err().to_string();
        assert!(error.contains("a length that does not fit it"), "{error}");
    }
}

#[test]
fn periods_without_a_sum_are_refused() {
    const PERIOD: u64 = 1 << 8;
    let mut pipe = Pipe::new(PERIOD, 0);
    pipe.map(0x1000, "/none/program");
    pipe.sample(0x1234, &[u64::MAX / 2]);
    assert!(pipe.read().is_ok());
    pipe.sample(0x1234, &[1]);
    let error = pipe.read().unwrap_err().to_string();
    assert!(error.contains("periods of its samples"), "{error}");
}

/// Its length would be allocated before anything is read.
#[test]
fn a_record_of_a_pipe_with_more_behind_it_than_there_is_is_left_out() {
    const AUXTRACE: u32 = 71;
    let mut pipe = Pipe::new(0, 0);
    pipe.map(0x1000, "/none/program");
    pipe.sample(0x1234, &[]);
    pipe.record(AUXTRACE, 0, &[1 << 60, 0, 0, 0, 0]);
    let recording = pipe.read().unwrap();
    assert!(recording.missing.iter().any(|it| it.contains("cut short")));
}

#[test]
fn a_pipe_that_ends_within_a_record_is_cut_short() {
    let mut pipe = Pipe::new(0, 0);
    pipe.map(0x1000, "/none/program");
    pipe.sample(0x1234, &[]);
    let whole = pipe.read().unwrap().missing;
    assert!(
        !whole.iter().any(|it| it.contains("cut short")),
        "{whole:?}"
    );
    pipe.sample(0x1234, &[]);
    pipe.0.truncate(pipe.0.len() - 4);
    let recording = pipe.read().unwrap();
    assert_eq!(recording.events[0].profile.samples, 1);
    assert!(recording.missing.iter().any(|it| it.contains("cut short")));
}
