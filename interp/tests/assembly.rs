//! Each `cases/*/*.asm` assembles to the `code.hex` next to it.

use alloy_primitives::hex;
use evmscope_interp::asm;
use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect()
}

#[test]
fn assembly_of_cases_matches_their_code() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases");
    let sources: Vec<_> = files(&cases)
        .iter()
        .filter(|path| path.is_dir())
        .flat_map(|folder| files(folder))
        .filter(|path| path.extension().is_some_and(|extension| extension == "asm"))
        .collect();
    assert!(!sources.is_empty(), "no assembly in {}", cases.display());
    for source in sources {
        let name = source.display();
        let assembled = asm::assemble(&fs::read_to_string(&source).unwrap())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let committed = fs::read_to_string(source.with_file_name("code.hex"))
            .unwrap_or_else(|error| panic!("no code.hex next to {name}: {error}"));
        assert_eq!(
            hex::encode(assembled),
            committed.trim().trim_start_matches("0x"),
            "{name}"
        );
    }
}
