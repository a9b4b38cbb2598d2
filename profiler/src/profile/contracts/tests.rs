//! Stacks of real cases, of code without a source map, and of compilers' output.

use super::positions::Position;
use super::*;
use crate::cases::{self, Case};
use crate::engines::EngineId;
use crate::engines::executed::Executed;
use crate::engines::verify;
use crate::instruments::sampling::{self, Sampler};
use crate::measure::Sampling;
use crate::profile::collect;
use crate::profile::flamegraph::{self, Width};
use crate::symbols::Symbols;
use crate::symbols::handlers::opcode_of;
use alloy_primitives::{B256, Bytes};
use evmscope_interp::{Fork, Mode, Settings, asm};
use std::path::PathBuf;
use std::time::Duration;

fn cases() -> Vec<Case> {
    cases::load_all(&cases::default_dir()).unwrap().cases
}

fn named(name: &str) -> Case {
    let mut cases = cases();
    cases.retain(|case| case.name == name);
    cases.remove(0)
}

fn walked(case: &Case) -> Walk {
    let mut contracts = Contracts::default();
    if let Some(file) = &case.source_map {
        contracts.read(file).unwrap();
    }
    walk(case, &contracts).unwrap()
}

fn assembled(source: &str) -> Case {
    let code = Bytes::from(asm::assemble(source).unwrap());
    Case::ad_hoc(code, Bytes::new(), 1_000_000, Fork::Osaka)
}

/// Opcodes executed in each call and function, without lines and opcodes; indented by depth.
fn calls(walk: &Walk) -> String {
    let mut counts = BTreeMap::<Vec<&str>, u64>::new();
    for counted in &walk.stacks {
        let called = |kind| matches!(kind, Kind::Call | Kind::Function);
        let frames = counted.frames.iter().filter(|frame| called(frame.kind));
        let path = frames.map(|frame| frame.name.as_str()).collect();
        *counts.entry(path).or_default() += counted.tally.executed;
    }
    let line = |(path, count): (Vec<&str>, u64)| {
        let depth = path.len() - 1;
        format!(
            "{:indent$}{} {count}\n",
            "",
            path[depth],
            indent = 2 * depth
        )
    };
    counts.into_iter().map(line).collect()
}

#[test]
fn every_opcode_and_all_gas_of_every_case_are_at_some_stack() {
    for case in cases() {
        let walk = walked(&case);
        let sum = |weighed: Weighed| weighed.stacks.iter().map(|(_, weight)| weight).sum::<u64>();
        let executed = Executed::count(&case.scenario().unwrap(), case.fork).total();
        assert_eq!(sum(by_opcodes(&walk)), executed, "{}", case.name);
        assert_eq!(sum(by_gas(&walk)), walk.gas_used, "{}", case.name);
    }
}

/// Names, lines and paths of a source map are text, and a path that never ends is not read.
#[test]
fn a_hostile_source_map_is_drawn_as_text() {
    let evil = "</title><script>alert(1)</script>;\u{1b}[2J\n\u{202e}";
    let map = serde_json::json!({
        "sources": [format!("{evil}.sol"), "../../../../../../../../dev/zero", "/dev/zero"],
        "functions": [[1, "0:9223372036854775807:0", evil, "function"], [2, "9223372036854775807:9:0", "b", "f"]],
        "contract A": {
            "code": "6001600201600055", "immutables": [[u64::MAX, 9]], "entryPoints": [[0, evil, 1, 0]],
            "sourceMap": "9223372036854775807:9223372036854775807:0:-:0;0:9:0:i;;",
        },
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("source-map.json");
    std::fs::write(&file, map.to_string()).unwrap();
    let mut contracts = Contracts::default();
    contracts.read(&file).unwrap();
    let walk = walk(&assembled("PUSH1 1 PUSH1 2 ADD PUSH1 0 SSTORE"), &contracts).unwrap();
    let svg = flamegraph::contracts("case", &Width::Gas, &by_gas(&walk)).unwrap();
    let obeyed = |c: char| (c.is_control() && !"\n\t".contains(c)) || c == '\u{202e}';
    assert_eq!(svg.find(obeyed), None, "{svg}");
    assert!(
        svg.contains("alert(1)") && !svg.contains("<script>alert"),
        "{svg}"
    );
}

#[test]
fn contracts_call_each_other_and_their_functions() {
    insta::assert_snapshot!(calls(&walked(&named("uniswap-swap"))));
}

#[test]
fn a_creation_is_named_after_the_contract_it_deploys() {
    let text = calls(&walked(&named("subcall")));
    assert!(text.contains("\n      new Child "), "{text}");
    assert!(text.contains("(delegatecall) "), "{text}");
    // It nests 258 deep; recursion is folded.
    assert!(
        text.lines().all(|line| !line.starts_with(&" ".repeat(30))),
        "{text}"
    );
}

const LOOP: &str = "
    PUSH1 3
    loop: JUMPDEST
      PUSH2 @back PUSH2 @twice JUMP
    back: JUMPDEST
      PUSH1 1 SWAP1 SUB DUP1 PUSH2 @loop JUMPI
      STOP
    twice: JUMPDEST
      PUSH2 @in PUSH2 @leaf JUMP
    in: JUMPDEST
      PUSH2 @leaf JUMP        ; a tail call: the leaf returns to the caller
    leaf: JUMPDEST JUMP";

#[test]
fn without_a_source_map_functions_are_found_by_their_return_pcs() {
    let walk = walked(&assembled(LOOP));
    insta::assert_snapshot!(calls(&walk), @r"
    0x2000…0002 without a selector 35
      function 0x0015 27
        function 0x0022 6
    ");
    assert_eq!(walk.unknown, ["0x2000…0002"]);
}

#[test]
fn blocks_replace_unknown_lines() {
    let walk = walked(&assembled("PUSH1 @a JUMP a: JUMPDEST PUSH0 POP STOP"));
    let stacks: Vec<_> = by_gas(&walk)
        .stacks
        .into_iter()
        .map(|(stack, gas)| format!("{stack} {gas}"))
        .collect();
    insta::assert_snapshot!(stacks.join("\n"), @r"
    0x2000…0002 without a selector;block 0x0000;JUMP 8
    0x2000…0002 without a selector;block 0x0000;PUSH1 3
    0x2000…0002 without a selector;block 0x0003;POP 2
    0x2000…0002 without a selector;block 0x0003;JUMPDEST 1
    0x2000…0002 without a selector;block 0x0003;PUSH0 2
    ");
}

#[test]
fn a_failing_opcode_takes_all_remaining_gas() {
    let walk = walked(&assembled("PUSH0 DATA 0xfe"));
    let weights: Vec<_> = by_gas(&walk)
        .stacks
        .into_iter()
        .map(|(_, gas)| gas)
        .collect();
    assert_eq!(weights, [2, 999_998]);
    assert_eq!(walk.gas_used, 1_000_000);
}

fn fixture() -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    Path::new(folder).join("standard-output.json")
}

#[test]
fn compiler_output_gives_the_same_stacks_as_a_case_file() {
    let case = named("ten-thousand-hashes");
    let mut contracts = Contracts::default();
    let text = std::fs::read_to_string(fixture()).unwrap();
    let source = std::fs::read_to_string(
        case.source_map
            .as_ref()
            .unwrap()
            .with_file_name("TenThousandHashes.sol"),
    );
    // Like a build-info file, which includes the input, so that no source file is needed.
    let output: serde_json::Value = serde_json::from_str(&text).unwrap();
    let path = "ten-thousand-hashes/TenThousandHashes.sol";
    let info = serde_json::json!({
        "input": {"sources": {path: {"content": source.unwrap()}}},
        "output": output,
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), info.to_string()).unwrap();
    contracts.read(file.path()).unwrap();
    let walk = walk(&case, &contracts).unwrap();
    assert_eq!(walk.stacks, walked(&case).stacks);
    let stacks = by_gas(&walk).stacks;
    assert!(
        stacks
            .iter()
            .any(|(stack, _)| stack.contains("TenThousandHashes.sol:11 for (uint256")),
        "{stacks:?}"
    );
}

#[test]
fn without_source_text_functions_have_no_lines() {
    let case = named("ten-thousand-hashes");
    let mut contracts = Contracts::default();
    contracts.read(&fixture()).unwrap();
    let walk = walk(&case, &contracts).unwrap();
    let stacks = by_gas(&walk).stacks;
    assert!(
        stacks.iter().all(|(stack, _)| !stack.contains(".sol:")),
        "{stacks:?}"
    );
    assert!(
        calls(&walk).contains("  TenThousandHashes.Benchmark "),
        "{}",
        calls(&walk)
    );
}

#[test]
fn a_file_that_is_not_a_source_map_is_refused_with_a_hint() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for (text, reason) in [
        ("", "EOF while parsing"),
        ("[]", "it is not a JSON object"),
        ("{}", "it contains neither `contracts` nor `functions`"),
        ("{\"contracts\": {}}", "ask the compiler for both"),
        (
            "{\"functions\": 1, \"sources\": []}",
            "functions: invalid type",
        ),
        (
            "{\"functions\": [], \"sources\": [], \"contract A\": {}}",
            "A: missing field `code`",
        ),
    ] {
        std::fs::write(file.path(), text).unwrap();
        let error = Contracts::default()
            .read(file.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

/// A sample of a function, with or without a position.
fn sampled(functions: &str, position: Option<Position>, weight: u64) -> AttributedSample {
    AttributedSample {
        functions: functions.to_owned(),
        position,
        opcode: opcode_of(functions),
        weight,
    }
}

/// The weight of the stacks that contain a text.
fn of(weighed: &Weighed, text: &str) -> u64 {
    let stacks = weighed.stacks.iter();
    let stacks = stacks.filter(|(stack, _)| stack.contains(text));
    stacks.map(|(_, weight)| weight).sum()
}

#[test]
fn without_positions_time_is_distributed_over_the_executions_of_the_opcode() {
    let walk = walked(&assembled(LOOP));
    let samples = [
        sampled("advanced SUB;ops::arithmetic::sub", None, 10),
        sampled("advanced JUMP", None, 1_000),
        sampled("World::load", None, 7),
        // Code that the walk did not execute.
        sampled("advanced JUMP", Some((B256::ZERO, 0)), 100),
    ];
    let weighed = by_time(&walk, &samples);
    assert_eq!(of(&weighed, ""), 1_117);
    assert_eq!(of(&weighed, "SUB;advanced SUB;ops::arithmetic::sub"), 10);
    assert_eq!(of(&weighed, "unattributed;World::load"), 7);
    assert_eq!(of(&weighed, "JUMP;advanced JUMP"), 1_100);
    assert_eq!(weighed.attributed, Some(0.0));
}

#[test]
fn a_sample_with_a_position_counts_there() {
    let case = assembled(LOOP);
    let walk = walked(&case);
    let scenario = case.scenario().unwrap();
    let mut accounts = scenario.world.accounts();
    let code = &accounts
        .find(|(_, account)| !account.code.is_empty())
        .unwrap()
        .1
        .code;
    let jumps: Vec<_> = offsets(code.bytes())
        .filter(|&pc| code.bytes()[pc] == Opcode::JUMP.0)
        .collect();
    // The jump to `twice`, and the jump in `leaf`, which two functions call.
    let (into, leaf) = (jumps[0], jumps[3]);
    let samples = [
        sampled("advanced MOVE", Some((code.hash(), into)), 90),
        sampled("advanced JUMP", Some((code.hash(), leaf)), 20),
        sampled("World::load", None, 10),
    ];
    let weighed = by_time(&walk, &samples);
    assert_eq!(of(&weighed, "JUMP;advanced MOVE"), 90);
    assert_eq!(of(&weighed, "function 0x0015;block 0x0005;"), 0);
    assert_eq!(of(&weighed, "JUMP;advanced JUMP"), 20);
    assert!(of(&weighed, "function 0x0022") > 0, "{:?}", weighed.stacks);
    assert_eq!(weighed.attributed, Some(110.0 / 120.0));
}

/// EXP with an exponent of 32 bytes, which is slow, and of one byte; both are executed equally often.
const COSTLY_AND_CHEAP: &str = "
    PUSH2 2000
    loop: JUMPDEST
      PUSH32 0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff CALLER EXP POP
      JUMPDEST
      PUSH1 2 CALLER EXP POP
      JUMPDEST
      PUSH1 1 SWAP1 SUB DUP1 PUSH1 @loop JUMPI
      STOP";

#[test]
fn samples_distinguish_the_costly_place_of_an_opcode_from_the_cheap_one() {
    let code = Bytes::from(asm::assemble(COSTLY_AND_CHEAP).unwrap());
    let case = Case::ad_hoc(code, Bytes::new(), 100_000_000, Fork::Osaka);
    let walk = walked(&case);
    let symbols = Symbols::of_this_process().unwrap();
    let engines = Mode::ALL.map(EngineId::from);
    let _turn = sampling::turn();
    let mut verified = verify::verify(&case, &engines, Settings::default()).unwrap();
    let samplers = [None, Some(Sampler::Sigprof)];
    for (sampler, v) in samplers
        .into_iter()
        .flat_map(|sampler| (0..2).map(move |i| (sampler, i)))
    {
        let v = &mut verified[v];
        let sampling = Sampling {
            sampler,
            hz: 2_000,
            budget: Duration::from_millis(500),
        };
        let profiled = collect::profile(v, sampling, &symbols).unwrap();
        let weighed = by_time(&walk, &profiled.attributed);
        let attributed = weighed.attributed.unwrap();
        assert!(attributed > 0.8, "{}: {attributed} of the time", v.id);
        let [costly, cheap] =
            ["block 0x0003;EXP;", "block 0x0029;EXP;"].map(|place| of(&weighed, place));
        // 256 squarings against 2.
        assert!(
            costly > 10 * cheap && costly > 0,
            "{}: {costly} against {cheap}: {:?}",
            v.id,
            weighed.stacks
        );
    }
}
