//! `assemble`, `disassemble`, `opcodes`, `annotate` and `size`.

use crate::support::{Folder, ONE, evmscope, refusal};

#[test]
fn code_is_assembled_and_listed() {
    let folder = Folder::new();
    let source = "PUSH1 1\nPUSH0\nMSTORE\nPUSH1 32\nPUSH0\nRETURN\n";
    folder.write("one.asm", source);
    assert_eq!(
        evmscope(&["assemble", &folder.arg("one.asm")]).ok(),
        format!("{ONE}\n")
    );
    insta::assert_snapshot!(evmscope(&["disassemble", ONE]).ok());
    folder.write("wrong.asm", "PUSH1 1\nFROB\n");
    let refusals = [
        &["assemble", &folder.arg("wrong.asm")][..],
        &["assemble", &folder.arg("absent")],
        &["disassemble", "0x6"],
    ]
    .map(refusal);
    insta::assert_snapshot!(folder.anonymous(&refusals.join("\n")));
}

#[test]
fn opcodes_ranks_what_a_case_executes() {
    let folder = Folder::new();
    // Counts down from 3.
    folder.write("loop.runtime.hex", "60035b600190038060025700");
    let dir = folder.arg("");
    let opcodes = |more: &[&str]| {
        let arguments = ["opcodes", "loop", "--case-dir", &dir];
        evmscope(&[&arguments[..], more].concat()).ok()
    };
    insta::assert_snapshot!(opcodes(&[]));
    let json: serde_json::Value = serde_json::from_str(&opcodes(&["--format", "json"])).unwrap();
    assert_eq!(
        (&json["executed"], &json["blocks"]),
        (&23.into(), &5.into())
    );
    assert_eq!(json["pairs"][0]["name"], "DUP1 PUSH1");
    assert_eq!(json["translation"]["frames"], 1);
}

#[test]
fn a_wrong_opcode_gets_those_that_look_like_it() {
    let ran = evmscope(&["annotate", "snailtracer", "MLAOD"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("no such opcode: did you mean MLOAD"),
        "{}",
        ran.stderr
    );
    let ran = evmscope(&["annotate", "snailtracer", "frobnicate"]);
    assert!(
        ran.stderr.contains("`evmscope opcodes CASE` lists"),
        "{}",
        ran.stderr
    );
}

#[cfg(target_arch = "x86_64")]
#[test]
fn annotate_shows_machine_code_with_its_samples() {
    let arguments = ["MSTORE", "--mode", "traditional", "--sample-ms", "300"];
    let ran = evmscope(&[&["annotate", "ten-thousand-hashes"], &arguments[..]].concat());
    // Where the kernel refuses perf_event_open, only functions are known.
    if ran.code != 0 {
        assert!(
            ran.stderr.contains("samples functions, not instructions"),
            "{}",
            ran.stderr
        );
        return;
    }
    let text = ran.ok();
    assert!(
        text.starts_with("traditional MSTORE in ten-thousand-hashes: "),
        "{text}"
    );
    assert!(text.contains("\ntraditional MSTORE"), "{text}");
    assert!(
        text.lines()
            .any(|line| line.contains("  mov ") && line.contains(".rs:")),
        "{text}"
    );
}

#[test]
fn size_shows_a_build_or_two_side_by_side() {
    let own = env!("CARGO_BIN_EXE_evmscope");
    let text = evmscope(&["size"]).ok();
    assert!(text.contains("\n.text "), "{text}");
    assert!(text.contains("\nadvanced: "), "{text}");
    assert!(
        text.lines().any(|line| line.starts_with("traditional ")),
        "{text}"
    );
    let both = evmscope(&["size", own, own]).ok();
    assert!(
        both.lines()
            .skip(1)
            .any(|line| line.starts_with(".text ") && line.ends_with("0 %")),
        "{both}"
    );
    let refused = evmscope(&["size", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("is not an ELF file"),
        "{}",
        refused.stderr
    );
    let refused = evmscope(&["size", "/bin/sh"]);
    assert!(
        refused
            .stderr
            .contains("contains no handler of this interpreter"),
        "{}",
        refused.stderr
    );
}
