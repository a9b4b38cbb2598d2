//! The readers of files and lines from outside, each with small valid inputs.
//!
//! A reader is called as its verb calls it, and what it read is used: rendered, looked up, folded. Its errors are right
//! whatever they say.

use super::fixture;
use crate::builds::pgo::profile::{self, Profdata};
use crate::builds::protocol::{Hello, Reply, Request};
use crate::cases::{self, Case};
use crate::cmd::splice;
use crate::engines::statetest;
use crate::instruments::callgrind::output as callgrind;
use crate::instruments::sampling::StackRegisters;
use crate::machine::toolchain::Compiler;
use crate::profile::contracts::{self, Contracts};
use crate::profile::flamegraph::{self, Width};
use crate::profile::perf_data::{self, tests::Pipe};
use crate::profile::unwind::{StackUnwinder, Tables};
use crate::symbols::code_size::CodeSize;
use crate::symbols::disassembly;
use crate::symbols::sections::Sections;
use crate::symbols::{Generated, Mapping, Symbols, debug_files, functions_of};
use alloy_primitives::Bytes;
use evmscope_interp::{Execute, Fork, Host, Message, Outcome, Settings, Statistics, Status, asm};
use evmscope_reports::change::{Changes, Taken, Terms};
use evmscope_reports::check::{self, Targets};
use evmscope_reports::history::History;
use evmscope_reports::merge::merge;
use evmscope_reports::pgo::PgoReport;
use evmscope_reports::render::terminal::{self, Style};
use evmscope_reports::render::{export, history, html, json, markdown, stacks};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A reader.
pub struct Reader {
    pub name: &'static str,
    /// Valid inputs; or why there are none on this machine.
    pub seeds: fn() -> Result<Vec<Vec<u8>>, String>,
    /// Reads an input, with a folder for files.
    pub read: fn(&Path, &[u8]),
}

macro_rules! readers {
    ($($name:literal: $seeds:ident, $read:ident;)*) => {
        pub const READERS: &[Reader] = &[$(Reader { name: $name, seeds: $seeds, read: $read }),*];
    };
}

readers! {
    "perf-data": recordings, perf_data;
    "perf-map": maps, perf_map;
    "jitdump": dumps, jitdump;
    "elf": binaries, elf;
    "profraw": raw_profiles, llvm_profile;
    "profdata": indexed_profiles, llvm_profile;
    "profdata-text": shown_profiles, shown_profile;
    "callgrind": simulations, simulation;
    "run": runs, run;
    "ablation": ablations, ablation;
    "pgo-report": evaluations, evaluation;
    "targets": targets, target;
    "state-test": state_tests, state_test;
    "case": case_files, case;
    "case-storage": storages, published_storage;
    "case-expected": expectations, published_expected;
    "evm-bench": manifests, evm_bench;
    "source-map": source_maps, source_map;
    "build-info": build_infos, build_info;
    "hex": hex_texts, hex;
    "assembly": sources, assembly;
    "protocol": messages, protocol;
}

type Seeds = Result<Vec<Vec<u8>>, String>;

fn fixture_file(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fs::read(folder.join(name)).unwrap()
}

fn file(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn texts(texts: &[&str]) -> Seeds {
    Ok(texts.iter().map(|it| it.as_bytes().to_vec()).collect())
}

fn recordings() -> Seeds {
    let whole = fixture_file("perf.data");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&whole).unwrap();
    let pipes = Pipe::every_kind();
    Ok([whole, gzip.finish().unwrap()]
        .into_iter()
        .chain(pipes)
        .collect())
}

fn perf_data(folder: &Path, input: &[u8]) {
    let path = file(folder, "perf.data", input);
    let Ok(recording) = perf_data::read(&path) else {
        return;
    };
    for event in &recording.events {
        let _ = flamegraph::flame(&event.profile);
    }
}

fn maps() -> Seeds {
    texts(&["1000 10 first loop 2\n0x1008 8 later\n2000 20 x\n3000 4 LazyCompile:*f file.js:1\n"])
}

fn looked_up(generated: Generated) {
    for address in [0, 0x1000, 0x1009, 0x2001, u64::MAX] {
        let _ = generated.find(address, None).map(|it| generated.name(it));
        let _ = generated.find(address, Some(15));
    }
}

fn perf_map(folder: &Path, input: &[u8]) {
    let mut generated = Generated::default();
    if generated
        .add_map(&file(folder, "perf-1.map", input))
        .is_ok()
    {
        looked_up(generated);
    }
}

/// A dump as `jitdump.h` of `perf` describes it: two functions, the second moved.
fn dumps() -> Seeds {
    let words =
        |words: &[u64]| -> Vec<u8> { words.iter().flat_map(|it| it.to_le_bytes()).collect() };
    let record = |kind: u32, body: &[u8]| {
        let size = 16 + body.len() as u32;
        let head = [kind.to_le_bytes(), size.to_le_bytes()].concat();
        [head, words(&[10]), body.to_vec()].concat()
    };
    let load = |index: u64, address: u64, name: &str| {
        // Process and thread; address, address, size, index.
        let fields = words(&[7 | 7 << 32, address, address, 4, index]);
        record(
            0,
            &[&fields[..], name.as_bytes(), &[0, 0x90, 0x90, 0x90, 0xc3]].concat(),
        )
    };
    let header = [0x4a69_5444, 1, 40, 62, 0, 7_u32]
        .map(u32::to_le_bytes)
        .concat();
    let moved = record(1, &words(&[7 | 7 << 32, 0x2000, 0x1000, 0x2000, 4, 1]));
    let closed = record(3, &[]);
    let parts = [
        header,
        words(&[1, 0]),
        load(1, 0x1000, "first"),
        load(2, 0x1100, "second"),
        moved,
        closed,
    ];
    Ok(vec![parts.concat()])
}

fn jitdump(folder: &Path, input: &[u8]) {
    let mut generated = Generated::default();
    if generated
        .add_dump(&file(folder, "jit-1.dump", input), true)
        .is_ok()
    {
        looked_up(generated);
    }
}

fn binaries() -> Seeds {
    Ok(vec![
        fixture_file("small.elf"),
        fixture_file("small-compressed.elf"),
    ])
}

/// Where the fixture's code is.
const CODE: std::ops::Range<u64> = 0x40_010c..0x40_01a3;

fn elf(folder: &Path, input: &[u8]) {
    let path = file(folder, "program", input);
    let _ = Sections::of(&path);
    let _ = CodeSize::of(&path);
    let _ = debug_files::build_id(&path);
    let _ = debug_files::with_symbols(&path);
    for function in functions_of(&path, |_| true).unwrap_or_default() {
        let _ = disassembly::instructions(&function.code, function.address);
    }
    let mapping = Mapping {
        memory: 0x40_0000..0x40_1000,
        offset: 0,
        path: path.display().to_string(),
        file: Some(path.clone()),
    };
    let unwindable = mapping.unwindable();
    let memory = mapping.memory.clone();
    let symbols = Symbols::of_mappings([mapping], Generated::default());
    for address in CODE.step_by(7) {
        let _ = symbols.frames(address);
        let _ = symbols.line(address);
    }
    let tables = Tables::of(&path);
    let mut unwinder = StackUnwinder::default();
    unwinder.add(memory, unwindable.as_ref().zip(tables.as_ref()));
    let stack: Vec<u64> = CODE.cycle().step_by(9).take(64).collect();
    for ip in CODE.step_by(7) {
        let registers = StackRegisters {
            stack: 0x7fff_0000,
            frame: 0x7fff_0040,
            link: ip,
        };
        let bytes = 8 * stack.len() as u64;
        unwinder.unwind(ip, registers, bytes, |at| stack.get(at / 8).copied());
    }
}

fn profdata() -> Result<Profdata, String> {
    let compiler = Compiler::find().map_err(|it| it.to_string())?;
    Profdata::find(&compiler).map_err(|it| it.to_string())
}

/// Of a small program that is compiled here: only the compiler's own version of LLVM reads its raw profiles.
fn raw_profiles() -> Seeds {
    profdata()?;
    let folder = tempfile::tempdir().unwrap();
    let source = file(
        folder.path(),
        "main.rs",
        b"fn main() { for i in 0..std::env::args().count() { std::hint::black_box(i); } }",
    );
    let program = folder.path().join("main");
    let raw = folder.path().join("main.profraw");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let compiled = std::process::Command::new(rustc)
        .args(["-Cprofile-generate", "-Copt-level=1", "-o"])
        .arg(&program)
        .arg(&source)
        .output();
    let compiled = compiled.map_err(|it| it.to_string())?;
    if !compiled.status.success() {
        return Err("rustc has no profiler runtime".to_owned());
    }
    let ran = std::process::Command::new(&program)
        .env("LLVM_PROFILE_FILE", &raw)
        .status();
    ran.map_err(|it| it.to_string())?;
    Ok(vec![fs::read(raw).map_err(|it| it.to_string())?])
}

const PROFILE: &str = "# IR level Instrumentation Flag\n:ir\nmain\n1\n2\n5\n7\n\n\
                       _ZN15evmscope_interp11traditional2op3ADD17h537e82d146945384E\n2\n1\n3\n";

/// As text, and in the format of `llvm-profdata merge`.
fn indexed_profiles() -> Seeds {
    let tool = profdata()?;
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "text.proftext", PROFILE.as_bytes());
    let input = profile::Input { path, weight: 1 };
    let merged = tool.merge(&[input], None, &folder.path().join("merged.profdata"));
    let (_, merged) = merged.map_err(|it| format!("{it:#}"))?;
    Ok(vec![
        fs::read(merged.path()).unwrap(),
        PROFILE.as_bytes().to_vec(),
    ])
}

fn llvm_profile(folder: &Path, input: &[u8]) {
    let tool = profdata().unwrap();
    if let Ok(functions) = tool.read(&file(folder, "some.profdata", input)) {
        let _ = (
            profile::coverage(&functions),
            profile::hottest(&functions, 5),
        );
    }
}

fn shown_profiles() -> Seeds {
    texts(&[
        "Counters:\n  a.0;_ZN15evmscope_interp11traditional2op3ADD17h537e82d146945384E:\n    Hash: 0x01\n    \
         Counters: 2\n    Block counts: [0, 41]\n  main:\n    Hash: 0x03\n    Counters: 1\n    Function count: 7\n    \
         Block counts: [1]\nInstrumentation level: IR\nTotal functions: 2\n",
        "Counters:\n  _RINvNtNtCs1_15evmscope_interp11traditional2op3ADDhE:\n    Hash: 0x01\n    Block counts: [3]\n",
    ])
}

/// What llvm-profdata prints of a damaged profile.
fn shown_profile(_: &Path, input: &[u8]) {
    let functions = profile::functions(&String::from_utf8_lossy(input));
    let _ = (
        profile::coverage(&functions),
        profile::hottest(&functions, 5),
    );
}

fn simulations() -> Seeds {
    texts(&[
        "positions: instr line\nevents: Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw Bc Bcm Bi Bim\n\nob=(1) /lib/ld.so\n\
         fl=(1) ???\nfn=(0) 0x1\ncob=(7) /bin/me\ncfn=(8) main\ncalls=1 0x2000 0\n0x1abaa 0 99\n\nob=(7)\nfl=(3) a.rs\n\
         fn=(8)\n0x2000 10 5 1\n+4 +1 2\nfi=(4) b.rs\n* * 3\ncfn=(9) a::f::h0123456789abcdef'2\ncalls=2 0x2100 20\n\
         +2 12 40\n-6 -1 7\n+1 5\n\nfn=(9)\n0x2100 20 40\n\ntotals: 90 30 20 1 2 0 0 0 0 10 4\n",
        "events: Ir Dr\nfn=(1) a::f::h0123456789abcdef\n10 5 1\n+1 7 0\ncfn=(2) g'2\ncalls=1 20\n* 90 4\n-2 1\n\n\
         fn=(2)\n20 90 4\n\nfn=(1)\n12 2 0\n\ntotals: 105 9\n",
    ])
}

fn simulation(_: &Path, input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let _ = callgrind::totals(text);
    let _ = callgrind::by_address(text, Path::new("/bin/me"));
    let _ = callgrind::by_function(text);
}

fn runs() -> Seeds {
    let whole = fixture::run();
    let mut little = whole.clone();
    little.measurements.truncate(6);
    little.ratios.truncate(4);
    Ok([whole, little]
        .map(|run| json::write(&run).unwrap().into())
        .into())
}

/// Everything that can be made of a run.
fn run(_: &Path, input: &[u8]) {
    let Some(run) = str::from_utf8(input)
        .ok()
        .and_then(|text| json::read(text).ok())
    else {
        return;
    };
    let style = Style::default();
    let (base, head) = ("traditional", "advanced");
    let _ = terminal::counter_diff(&run, base, head, style);
    let _ = terminal::bench(&run, style);
    let _ = markdown::counter_diff(&run, base, head);
    let _ = markdown::bench(&run);
    let _ = markdown::summary(&run);
    let _ = html::report(&run, base, head, &[]);
    let _ = (export::bencher(&run), export::github_action_benchmark(&run));
    let _ = (stacks::folded(&run), stacks::speedscope(&run));
    let _ = (
        stacks::firefox(&run, SystemTime::UNIX_EPOCH),
        stacks::pprof(&run, SystemTime::UNIX_EPOCH),
    );
    for profile in &run.profiles {
        let _ = flamegraph::flame(profile);
    }
    let targets = toml::from_str::<Targets>(TARGETS).unwrap();
    let findings = check::against_targets(&run, &targets);
    let _ = terminal::findings(&findings, &run, style);
    let good = fixture::run();
    let _ = check::against_baseline(&good, &run);
    let _ = merge(vec![
        ("a".to_owned(), run.clone()),
        ("b".to_owned(), good.clone()),
    ]);
    let records = [
        ("a".to_owned(), run.clone()),
        ("b".to_owned(), good.clone()),
    ];
    let records = History::new(&records);
    let _ = (history::table(&records, style), history::page(&records));
    let changes = Changes::of(good, run, None, Terms::new(Taken::Separately, 0.05), &[]);
    let _ = (
        terminal::diff(&changes, style),
        markdown::diff(&changes),
        json::write(&changes),
    );
}

const ABLATION: &str = r#"{
  "schema": "evmscope/ablation/1", "case": "erc20-mint", "keccak_memo": "advanced", "instructions": 9862066,
  "without": [{"technique": "traces", "what": "Continues a trace.", "instructions": 11912051},
              {"technique": "folding", "what": "Folds constants.", "instructions": 10906331}]
}
"#;

fn ablations() -> Seeds {
    texts(&[ABLATION])
}

/// A record that a document names.
fn ablation(folder: &Path, input: &[u8]) {
    let path = file(folder, "record.json", input);
    let text = format!(
        "# Record\n<!-- record {} -->\n<!-- end of record -->\n",
        path.display()
    );
    let _ = splice::splice(&text);
    let _ = splice::splice(&String::from_utf8_lossy(input));
}

fn evaluations() -> Seeds {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/record/pgo");
    let text = fs::read(folder.join("2026-11-22-earlier-interpreter.json")).unwrap();
    let mut report: PgoReport = serde_json::from_slice(&text).unwrap();
    report.proof.training.truncate(2);
    report.proof.heldout.truncate(2);
    Ok(vec![serde_json::to_vec_pretty(&report).unwrap()])
}

fn evaluation(_: &Path, input: &[u8]) {
    if let Ok(report) = serde_json::from_slice::<PgoReport>(input) {
        let _ = terminal::pgo(&report, Style::default());
        let _ = (markdown::pgo(&report), html::pgo(&report));
    }
}

const TARGETS: &str = "keccak_memo = \"advanced\"\nmemory_ratio = 4.0\ndecode_ms = 10.0\n\n[cases.snailtracer]\n\
                       least = 1.5\ntarget = 2.0\nstretch = 3.0\n\n[cases.empty]\nleast = 1.2\n";

fn targets() -> Seeds {
    texts(&[TARGETS])
}

fn target(_: &Path, input: &[u8]) {
    let text = str::from_utf8(input).ok();
    if let Some(targets) = text.and_then(|it| toml::from_str::<Targets>(it).ok()) {
        let run = fixture::run();
        let findings = check::against_targets(&run, &targets);
        let _ = terminal::findings(&findings, &run, Style::default());
    }
}

/// One test of each kind of transaction.
fn state_tests() -> Seeds {
    let address = "0x095e7baea6a6c7c4c2dfeb977efac326af552d87";
    let hash = format!("0x{}", "56".repeat(32));
    let transaction = |changes: Value| {
        let mut all = json!({
            "data": ["0x00", "0x6001"], "gasLimit": ["0x061a80", "0x5207"], "value": ["0x00"], "nonce": "0x00",
            "secretKey": format!("0x{:064x}", 0x45a9), "to": address,
        });
        all.as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        json!({"t": {
            "config": {"chainid": "0x01", "blobSchedule": {"Cancun": {
                "target": "0x03", "max": "0x06", "baseFeeUpdateFraction": "0x32f0ed",
            }}},
            "env": {
                "currentCoinbase": "0x2adc25665018aa1fe0e6bc666dac8fc2697ff9ba", "currentGasLimit": "0x1000000",
                "currentNumber": "0x01", "currentTimestamp": "0x03e8", "currentBaseFee": "0x0a",
                "currentDifficulty": "0x020000", "currentRandom": format!("0x{:064x}", 0x020000),
                "currentExcessBlobGas": "0x0240000",
            },
            "pre": {address: {
                "balance": "0x00", "code": "0x600160010160005500", "nonce": "0x01", "storage": {"0x01": "0x02"},
            }},
            "transaction": all,
            "post": {
                "Cancun": [{"hash": hash, "logs": hash, "indexes": {"data": 0, "gas": 0, "value": 0}}],
                "Prague": [{"hash": hash, "logs": hash, "indexes": {"data": 1, "gas": 1, "value": 0},
                    "expectException": "TransactionException.INTRINSIC_GAS_TOO_LOW"}],
                "Atlantis": [],
            },
        }})
    };
    let listed = json!([{"address": address, "storageKeys": [hash]}]);
    let tests = [
        json!({"gasPrice": "0x0a", "accessLists": [listed, null]}),
        json!({"maxFeePerGas": "0x0a", "maxPriorityFeePerGas": "0x01", "maxFeePerBlobGas": "0x0a",
            "blobVersionedHashes": [format!("0x01{}", "00".repeat(31))]}),
        json!({"maxFeePerGas": "0x0a", "maxPriorityFeePerGas": "0x01", "authorizationList": [{
            "chainId": "0x00", "address": address, "nonce": "0x00", "v": "0x01", "yParity": "0x01",
            "r": hash, "s": format!("0x{}", "12".repeat(32)), "signer": address,
        }]}),
    ];
    Ok(tests
        .map(|it| serde_json::to_vec_pretty(&transaction(it)).unwrap())
        .into())
}

/// An interpreter that runs nothing: how long a contract runs is not the reader's affair.
struct Still(Fork);

impl Execute for Still {
    fn fork(&self) -> Fork {
        self.0
    }

    fn execute(&mut self, message: Message, _: &mut dyn Host) -> Outcome {
        Outcome {
            status: Status::Success,
            gas_used: message.gas,
            gas_left: 0,
            refund: 0,
            output: Bytes::new(),
            created: None,
            statistics: Statistics::default(),
        }
    }
}

fn state_test(folder: &Path, input: &[u8]) {
    let path = file(folder, "t.json", input);
    let Ok(Some(found)) = statetest::read(&path) else {
        return;
    };
    for test in &found.tests {
        let _ = test.unknown_forks().count();
        for case in test.cases() {
            if let Ok(ran) = case.execute(&mut Still(case.fork)) {
                let _ = case.check(&ran);
            }
        }
    }
}

fn case_files() -> Seeds {
    texts(&[
        "description = \"Cold and warm reads\"\nfork = \"osaka\"\ngas_limit = 2_000_000\ncalldata = \"0x30627b7c\"  # f()\n\
         source = \"Storage.sol\"\n\n[storage]\n0x01 = \"0x02\"\n\n[[setup]]\ncalldata = \"@code.hex\"\n\n[expected]\n\
         status = \"success\"\ngas_used = 43466575\nrefund = 9945600\n\
         output_hash = \"0x3a3b86ea20a662ec66bc2f4788c0ff38adfbe927df114350140dda47678d22c2\"\nlogs = 0\n",
        "description = \"\"\nfork = \"cancun\"\ngas_limit = 1\ncalldata = \"\"\nsource = \"a\"\n",
    ])
}

const RUNTIME: &str = "600160020160005500";

fn read_cases(folder: &Path) {
    for case in cases::load_all(folder)
        .map(|it| it.cases)
        .unwrap_or_default()
    {
        let _ = case.scenario();
    }
}

/// A folder of its own, so that no file of another layout is found.
fn folder(folder: &Path, name: &str) -> PathBuf {
    let folder = folder.join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn case(scratch: &Path, input: &[u8]) {
    let folder = folder(scratch, "case");
    file(&folder, "code.hex", RUNTIME.as_bytes());
    file(&folder, "case.toml", input);
    read_cases(&folder);
}

fn storages() -> Seeds {
    texts(&["{\"0x01\": \"0x02\",\n \"3\": \"17\"}\n", "{}"])
}

fn published_storage(scratch: &Path, input: &[u8]) {
    let folder = folder(scratch, "published");
    file(&folder, "a.runtime.hex", RUNTIME.as_bytes());
    file(&folder, "a.storage.json", input);
    read_cases(&folder);
}

fn expectations() -> Seeds {
    texts(&[
        "{\"status\": \"success\", \"gas_used\": 21000, \"refund\": -1, \"output\": \"0x00ff\", \"logs\": 2}\n",
    ])
}

fn published_expected(scratch: &Path, input: &[u8]) {
    let folder = folder(scratch, "expected");
    file(&folder, "a.runtime.hex", RUNTIME.as_bytes());
    file(&folder, "a.expected.json", input);
    read_cases(&folder);
}

fn manifests() -> Seeds {
    texts(&[
        "{\"name\": \"a\", \"contract\": \"A.sol\", \"calldata\": \"0x00\", \"num-runs\": 10}\n",
    ])
}

fn evm_bench(scratch: &Path, input: &[u8]) {
    let folder = folder(scratch, "evm-bench");
    file(&folder, "A.bin-runtime", RUNTIME.as_bytes());
    file(&folder, "benchmark.evm-bench.json", input);
    read_cases(&folder);
}

/// The code of the source maps below, to be called.
const MAPPED: &str = "6001600201600055005b56";

fn compiler_output() -> Value {
    let source = "contract A {\n  uint x;\n  function f() { x = 1 + 2; }\n}\n";
    json!({
        "input": {"sources": {"A.sol": {"content": source}}},
        "output": {
            "sources": {"A.sol": {"id": 0, "ast": {"nodeType": "SourceUnit", "nodes": [{
                "nodeType": "ContractDefinition", "name": "A", "id": 1, "src": "0:53:0", "nodes": [{
                    "nodeType": "FunctionDefinition", "name": "f", "kind": "function", "id": 2, "src": "25:27:0",
                }],
            }]}}},
            "contracts": {"A.sol": {"A": {"evm": {
                "deployedBytecode": {
                    "object": MAPPED, "sourceMap": "0:53:0:-:0;25:27:0;;40:9;;:::i;:::o",
                    "immutableReferences": {"3": [{"start": 1, "length": 1}]},
                    "functionDebugData": {"@f_2": {"entryPoint": 2, "id": 2, "parameterSlots": 0, "returnSlots": 0}},
                    "generatedSources": [{"ast": {"nodeType": "YulBlock", "statements": [{
                        "nodeType": "YulFunctionDefinition", "name": "g", "src": "0:10:1",
                    }]}, "id": 1}],
                },
                "methodIdentifiers": {"f()": "26121ff0"},
            }}}},
        },
    })
}

fn source_maps() -> Seeds {
    let of_case = json!({
        "compiler": "0.8.37", "sources": ["A.sol"], "functions": [[28, "25:27:0", "A.f", "function"]],
        "contract A": {
            "code": MAPPED, "immutables": [[1, 1]], "sourceMap": "0:53:0:-:0;25:27:0;;40:9;;:::i;:::o",
            "entryPoints": [[2, "f", 28, 0]], "methodIdentifiers": {"f()": "26121ff0"},
            "generated": [[null, "14:182:1", "g", "function"]],
        },
    });
    let whole = compiler_output();
    let output = whole["output"].clone();
    let artifact = json!({
        "id": 0, "ast": output["sources"]["A.sol"]["ast"],
        "deployedBytecode": output["contracts"]["A.sol"]["A"]["evm"]["deployedBytecode"],
        "methodIdentifiers": {"f()": "26121ff0"},
        "metadata": {"settings": {"compilationTarget": {"A.sol": "A"}}},
    });
    let all = [of_case, whole, output, artifact];
    Ok(all.map(|it| serde_json::to_vec_pretty(&it).unwrap()).into())
}

/// Reads a source map, and draws a call of its code with it.
fn drawn(path: &Path) {
    let mut contracts = Contracts::default();
    if contracts.read(path).is_err() {
        return;
    }
    let code = cases::parse_hex(MAPPED, "code").unwrap();
    let case = Case::ad_hoc(code, Bytes::new(), 100_000, Fork::Osaka);
    let walk = contracts::walk(&case, &contracts).unwrap();
    let weighed = contracts::by_gas(&walk);
    let _ = flamegraph::contracts("case", &Width::Gas, &weighed);
}

fn source_map(folder: &Path, input: &[u8]) {
    drawn(&file(folder, "source-map.json", input));
}

/// The second file of a build info: what Hardhat 3 has in two files, and an artifact of Foundry.
fn build_infos() -> Seeds {
    let mut whole = compiler_output();
    let input = json!({"input": whole["input"].take()});
    let output = json!({"output": whole["output"].take()});
    Ok([input, output]
        .map(|it| serde_json::to_vec_pretty(&it).unwrap())
        .into())
}

fn build_info(scratch: &Path, input: &[u8]) {
    let whole = compiler_output();
    let part = |name: &str| serde_json::to_vec(&json!({name: whole[name]})).unwrap();
    let folder = folder(scratch, "build-info");
    let path = file(&folder, "a.json", &part("input"));
    let output = file(&folder, "a.output.json", input);
    drawn(&path);
    file(&folder, "a.json", input);
    file(&folder, "a.output.json", &part("output"));
    drawn(&output);
    drawn(&path);
}

fn hex_texts() -> Seeds {
    texts(&[
        "0x6001\n6002 01\n",
        "\"0xabCD\"",
        "'60'",
        "@code.hex",
        "6001600201600055",
    ])
}

fn hex(folder: &Path, input: &[u8]) {
    file(folder, "code.hex", input);
    let text = String::from_utf8_lossy(input);
    let _ = cases::parse_hex_or_file(&text, folder, "CODE");
    if let Ok(code) = cases::parse_hex_or_file("@code.hex", folder, "CODE") {
        let _ = asm::disassemble(&code);
    }
}

fn sources() -> Seeds {
    texts(&[
        "start: JUMPDEST ; comment\n  PUSH2 513\n  PUSH2 @start\n  JUMP\nDATA 0x0102\n",
        "PUSH1 0x01 ADD\n",
    ])
}

fn assembly(_: &Path, input: &[u8]) {
    let _ = asm::assemble(&String::from_utf8_lossy(input));
}

/// Requests and answers, with the types of a run in them.
fn messages() -> Seeds {
    let run = fixture::run();
    let hello = Hello {
        protocol: 1,
        rig: run.rig.clone(),
        modes: vec!["advanced".to_owned()],
    };
    let counted =
        json!({"counted": {"measurements": [run.measurements[2]], "unavailable": run.unavailable}});
    let examined = json!({"examined": {
        "measurements": [run.measurements[2]], "unavailable": run.unavailable, "opcodes": [run.opcode_costs[0]],
    }});
    let opened = json!({"opened": [{"result": run.results[0], "call": 1e6, "version": "1"}]});
    let tuning = json!({"keccak_memo": "advanced", "budget": 4.0, "without": ["traces"]});
    let open = json!({"open": {"case_dir": "/none", "case": "a", "modes": ["advanced"], "tuning": tuning}});
    let all = [
        serde_json::to_value(&hello).unwrap(),
        counted,
        examined,
        opened,
        open,
        json!({"sample": {"mode": "advanced", "calls": 3, "cold": true}}),
        json!({"timed": {"time": 1.5, "faults": 0.0}}),
        json!({"refused": "invalid request: x"}),
    ];
    Ok(all.map(|it| format!("{it}\n").into_bytes()).into())
}

fn protocol(_: &Path, input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for line in text.lines() {
        let _ = serde_json::from_str::<Hello>(line);
        let _ = serde_json::from_str::<Reply>(line);
        if let Ok(Request::Open { tuning, .. }) = serde_json::from_str(line) {
            let _ = Settings::try_from(&tuning);
        }
    }
}
