//! 0x30 to 0x4a: the environment and other accounts.

use crate::common::{
    self, CONTRACT, EOA, NOBODY, PEERS, Scene, assemble, check_gas, check_in, words,
};
use alloy_primitives::{Address, B256, keccak256};
use evmscope_interp::{Fork, Word};

#[test]
fn environment_opcodes_return_their_values() {
    let scene = Scene::asm("").balance(1_000).value(5).input(&[1, 2, 3]);
    let environment = common::environment();
    let hex = |word: Word| word.to_string();
    let block = |n: u64| hex(Word::from(keccak256(n.to_string())));
    let rows = [
        ("ADDRESS", hex(CONTRACT.into())),
        ("ORIGIN", hex(environment.origin.into())),
        ("CALLER", hex(common::CALLER.into())),
        ("CALLVALUE", "5".into()),
        ("CALLDATASIZE", "3".into()),
        ("PUSH0 CALLDATALOAD", format!("0x010203{}", "00".repeat(29))),
        ("PUSH1 2 CALLDATALOAD", format!("0x03{}", "00".repeat(31))),
        ("PUSH1 3 CALLDATALOAD", "0".into()),
        ("PUSH0 NOT CALLDATALOAD", "0".into()),
        ("GASPRICE", "13".into()),
        ("RETURNDATASIZE", "0".into()),
        ("COINBASE", hex(environment.coinbase.into())),
        ("TIMESTAMP", "1700000000".into()),
        ("NUMBER", "300".into()),
        ("PREVRANDAO", hex(environment.prevrandao)),
        ("GASLIMIT", "36000000".into()),
        ("CHAINID", "1".into()),
        ("SELFBALANCE", "1005".into()),
        ("ADDRESS BALANCE", "1005".into()),
        ("BASEFEE", "7".into()),
        ("BLOBBASEFEE", "11".into()),
        ("PUSH0 BLOBHASH", hex(B256::repeat_byte(0xb0).into())),
        ("PUSH1 1 BLOBHASH", hex(B256::repeat_byte(0xb1).into())),
        ("PUSH1 2 BLOBHASH", "0".into()),
        ("PUSH0 NOT BLOBHASH", "0".into()),
        ("PUSH2 299 BLOCKHASH", block(299)),
        ("PUSH2 44 BLOCKHASH", block(44)),
        ("PUSH2 43 BLOCKHASH", "0".into()),
        ("PUSH2 300 BLOCKHASH", "0".into()),
        ("PUSH0 NOT BLOCKHASH", "0".into()),
    ];
    for (source, expected) in rows {
        check_in(scene.clone(), source, &expected);
    }
    assert_eq!(
        Scene::asm("CODESIZE PUSH0 MSTORE PUSH1 32 PUSH0 RETURN")
            .run_all()
            .words(),
        words("7")
    );
}

#[test]
fn account_opcodes_return_values_and_cost_by_access() {
    let code = assemble("PUSH1 1 STOP");
    let hash = Word::from(keccak256(&code)).to_string();
    let empty = Word::from(keccak256([])).to_string();
    let scene = Scene::asm("").contract(PEERS[0], "PUSH1 1 STOP");
    let push = |address: Address| format!("PUSH20 {address:#x} ");
    for (address, op, expected) in [
        (EOA, "BALANCE", "1000000"),
        (NOBODY, "BALANCE", "0"),
        (PEERS[0], "EXTCODESIZE", "3"),
        (EOA, "EXTCODESIZE", "0"),
        (PEERS[0], "EXTCODEHASH", &hash),
        (EOA, "EXTCODEHASH", &empty),
        (NOBODY, "EXTCODEHASH", "0"),
    ] {
        check_in(scene.clone(), &(push(address) + op), expected);
        // Cold, then warm (EIP-2929); bits above the address do not count.
        let once = push(address) + op;
        let again = format!("{once} PUSH32 0xff{:0>62} {op}", format!("{address:x}"));
        let account = scene.world.get(&address).cloned().unwrap_or_default();
        let twice = |source: &str| Scene::asm(source).with(address, account.clone());
        check_gas(&twice(&once), 2_603);
        check_gas(&twice(&again), 2_603 + 103);
    }
    // The receiver, the sender, the coinbase and the precompiles are warm from the start.
    for address in ["ADDRESS", "CALLER", "ORIGIN", "COINBASE"] {
        check_gas(&Scene::asm(&format!("{address} BALANCE")), 102);
    }
    check_gas(&Scene::asm("PUSH1 1 BALANCE"), 103);
    check_gas(&Scene::asm("PUSH1 0x11 BALANCE").fork(Fork::Prague), 103);
    check_gas(&Scene::asm("PUSH1 0x11 BALANCE").fork(Fork::Cancun), 2_603);
    check_gas(&Scene::asm("PUSH2 0x100 BALANCE").fork(Fork::Osaka), 103);
    check_gas(&Scene::asm("PUSH2 0x100 BALANCE").fork(Fork::Prague), 2_603);
}
