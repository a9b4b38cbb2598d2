//! 1,000 messages to one contract, in both modes: storage, logs, creations, recursion, precompiles, reverts
//! and failures. It prints nothing: `make memcheck` runs it under valgrind, which must find no invalid access
//! and no leak.

use alloy_primitives::{Address, Bytes};
use evmscope_interp::world::{Account, World};
use evmscope_interp::{Environment, Fork, Halt, Interpreter, Message, Mode, Status, Word, asm};
use std::error::Error;

/// The scripts of the contract, selected by a number in the call data, each with its expected status.
const SCRIPTS: [(&str, Status); 8] = [
    (
        "PUSH1 7 PUSH0 SSTORE PUSH1 1 PUSH1 70 PUSH1 3 LOG1 PUSH2 1000 PUSH1 31 RETURN",
        Status::Success,
    ),
    // Creates a contract with its own code as init code, which runs the first script.
    (
        "CODESIZE PUSH0 PUSH0 CODECOPY PUSH1 9 CODESIZE PUSH0 PUSH0 CREATE2 POP",
        Status::Success,
    ),
    (
        "GAS PUSH2 500 MSTORE PUSH1 200 PUSH2 450 REVERT",
        Status::Revert,
    ),
    (
        "PUSH1 1 PUSH0 SSTORE INVALID",
        Status::Halt(Halt::InvalidOpcode),
    ),
    (
        "more: JUMPDEST MSIZE MLOAD POP PUSH2 @more JUMP",
        Status::Halt(Halt::OutOfGas),
    ),
    // Calls itself with the same input until little gas is left.
    (
        "PUSH1 5 PUSH0 MSTORE PUSH1 32 PUSH1 64 PUSH1 32 PUSH0 PUSH0 ADDRESS GAS CALL",
        Status::Success,
    ),
    // SHA-256 of the memory, and a copy of the return data.
    (
        "PUSH1 99 PUSH1 33 MSTORE PUSH1 32 PUSH0 MSIZE PUSH0 PUSH1 2 GAS STATICCALL
      RETURNDATASIZE PUSH0 PUSH1 100 RETURNDATACOPY MSIZE PUSH0 RETURN",
        Status::Success,
    ),
    (
        "deeper: JUMPDEST GAS PUSH2 @deeper JUMP",
        Status::Halt(Halt::StackOverflow),
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    let code = asm::assemble(&contract())?;
    let (caller, contract) = (Address::repeat_byte(1), Address::repeat_byte(2));
    for mode in Mode::ALL {
        let mut interpreter = Interpreter::new(mode, Fork::Osaka);
        let mut world = World::new(Environment::default());
        world.insert(contract, Account::contract(&code));
        for i in 0..500 {
            let nth = i % SCRIPTS.len();
            let input = Word::from(nth).to_be_bytes();
            let message = Message::call(caller, contract, Bytes::from(input), 300_000);
            world.begin_transaction(Fork::Osaka, &[caller, contract]);
            let outcome = interpreter.execute(message, &mut world);
            let expected = SCRIPTS[nth].1;
            if outcome.status != expected {
                return Err(
                    format!("{mode}, {nth}: {} instead of {expected}", outcome.status).into(),
                );
            }
        }
    }
    Ok(())
}

/// The scripts, selected by a jump table.
fn contract() -> String {
    let jump = |i| format!("PUSH0 CALLDATALOAD PUSH1 {i} EQ PUSH2 @script{i} JUMPI\n");
    let script = |i: usize| format!("script{i}: JUMPDEST {} STOP\n", SCRIPTS[i].0);
    let scripts = 0..SCRIPTS.len();
    scripts
        .clone()
        .map(jump)
        .chain(scripts.map(script))
        .collect()
}
