//! A cache that records places finds the opcode of each instruction.

use super::*;
use crate::asm;
use crate::opcode::Opcode;

#[test]
fn an_address_in_a_stream_has_an_opcode_and_a_preceding_one() {
    let source = "loop: JUMPDEST CALLER MUL DUP1 PUSH2 1000 MSTORE DUP1 PUSH1 @loop JUMPI STOP";
    let code = Arc::new(Code::new(&asm::assemble(source).unwrap()));
    let mut cache = Cache::new(Fork::Osaka, &Settings::eager());
    cache.translate(&code, &mut Statistics::default());
    let id = cache.get(&code, &mut Statistics::default()).unwrap();
    let start = cache.program(id).0.program.stream.as_ptr().addr();
    assert!(
        cache.place(start).is_none(),
        "places are not recorded by default"
    );

    cache.keep_places();
    cache.translate(&code, &mut Statistics::default());
    let id = cache.get(&code, &mut Statistics::default()).unwrap();
    let stream = cache.program(id).0.program.stream.clone();
    let start = cache.program(id).0.program.stream.as_ptr().addr();
    let end = start + size_of_val(&*stream);
    let mut seen = Vec::new();
    for address in start..end {
        let place = cache.place(address);
        let at = (address - start) / 8;
        if address % 8 != 0 || at == 0 {
            // Cell 0 belongs to no entry.
            assert!(place.is_none(), "{address:#x}");
            continue;
        }
        let place = place.unwrap();
        assert!(Arc::ptr_eq(&place.code, &code));
        let op = Opcode(code.bytes()[place.pc]);
        if ![Opcode::JUMPDEST, Opcode::JUMPI, Opcode::STOP].contains(&op) {
            seen.push((op.to_string(), place.before));
        }
    }
    // CALLER, MUL and MSTORE are one cell each; the trace contains the loop twice.
    let names: Vec<_> = seen.iter().map(|(op, _)| op.as_str()).collect();
    assert_eq!(names[..3], ["CALLER", "MUL", "MSTORE"]);
    let pc = |name: &str| {
        let byte = Opcode::from_name(name).unwrap().0;
        code.bytes().iter().position(|it| *it == byte)
    };
    assert_eq!(seen[1].1, pc("CALLER"));
    assert_eq!(seen[2].1, pc("MUL"));
    assert!(cache.place(end).is_none() && cache.place(start - 8).is_none());
}
