//! Tracers see the same steps with the same costs as an inspector of the crate `revm`. The refund counter is
//! tested separately, because revm reports it only per frame.

use alloy_primitives::{Address, Bytes, U256};
use evmscope_interp::world::{Account, World};
use evmscope_interp::{Fork, Interpreter, Leave, Message, Mode, Step, Tracer, Word, asm};
use revm::bytecode::Bytecode;
use revm::context::{Context, ContextTr, JournalTr, TxEnv};
use revm::database::{CacheDB, EmptyDB};
use revm::inspector::{InspectEvm, Inspector};
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_types::{Jumps, LoopControl, MemoryTr};
use revm::primitives::TxKind;
use revm::primitives::hardfork::SpecId;
use revm::state::AccountInfo;
use revm::{MainBuilder, MainContext};

const CALLER: Address = Address::repeat_byte(0xca);
const CONTRACT: Address = Address::repeat_byte(0xc0);
const PEER: Address = Address::repeat_byte(0xc1);
const BALANCE: u64 = 1_000_000;
/// Slot 1 of [`CONTRACT`] and [`PEER`].
const SLOT: u64 = 7;

/// An executed opcode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    pc: usize,
    op: u8,
    gas: u64,
    /// `None` if it failed.
    cost: Option<u64>,
    /// The first frame has depth 1.
    depth: usize,
    stack: Vec<U256>,
    memory: usize,
}

#[derive(Default)]
struct Ours {
    seen: Vec<Seen>,
    /// Whether the last opcode has not ended yet.
    under_way: bool,
    refunds: Vec<i64>,
}

impl Ours {
    fn end(&mut self, cost: impl FnOnce(&Seen) -> Option<u64>) {
        if std::mem::take(&mut self.under_way) {
            let last = self.seen.last_mut().unwrap();
            last.cost = cost(last);
        }
    }
}

impl Tracer for Ours {
    fn step(&mut self, step: &Step<'_>) {
        self.end(|last| Some(last.gas - step.gas));
        self.under_way = true;
        self.refunds.push(step.refund);
        self.seen.push(Seen {
            pc: step.pc,
            op: step.opcode.0,
            gas: step.gas,
            cost: None,
            depth: step.depth as usize + 1,
            stack: step
                .stack
                .iter()
                .map(|word| U256::from_limbs(word.0))
                .collect(),
            memory: step.memory.len(),
        });
    }

    fn leave(&mut self, leave: &Leave) {
        assert!(self.under_way, "no opcode is executing");
        self.end(|last| leave.halt.is_none().then(|| last.gas - leave.gas));
    }
}

#[derive(Default)]
struct Theirs(Vec<Seen>);

impl<C: ContextTr> Inspector<C, EthInterpreter> for Theirs {
    fn step(&mut self, interp: &mut revm::interpreter::Interpreter, context: &mut C) {
        self.0.push(Seen {
            pc: interp.bytecode.pc(),
            op: interp.bytecode.opcode(),
            gas: interp.gas.remaining(),
            cost: None,
            depth: context.journal_mut().depth(),
            stack: interp.stack.data().clone(),
            memory: interp.memory.size(),
        });
    }

    fn step_end(&mut self, interp: &mut revm::interpreter::Interpreter, _: &mut C) {
        let last = self.0.last_mut().unwrap();
        let result = interp.bytecode.action().as_ref();
        let result = result.and_then(|action| action.instruction_result());
        let failed = result.is_some_and(|result| result.is_halt());
        last.cost = (!failed).then(|| last.gas - interp.gas.remaining());
    }
}

fn ours(code: &[u8], peer: &[u8], gas: u64) -> Ours {
    let mut world = World::default();
    world.insert(CALLER, Account::funded(BALANCE.into()));
    for (address, code) in [(CONTRACT, code), (PEER, peer)] {
        let mut account = Account::contract(code);
        account.balance = BALANCE.into();
        account.set_storage(Word::ONE, SLOT.into());
        world.insert(address, account);
    }
    world.begin_transaction(Fork::Osaka, &[CALLER, CONTRACT]);
    let mut ours = Ours::default();
    // The decoded form cannot be traced: the advanced mode must report the same steps.
    Interpreter::new(Mode::Advanced, Fork::Osaka).trace(
        Message::call(CALLER, CONTRACT, Bytes::new(), gas),
        &mut world,
        &mut ours,
    );
    ours
}

fn theirs(code: &[u8], peer: &[u8], gas: u64) -> Vec<Seen> {
    let mut database = CacheDB::new(EmptyDB::default());
    let balance = U256::from(BALANCE);
    database.insert_account_info(CALLER, AccountInfo::from_balance(balance));
    for (address, code) in [(CONTRACT, code), (PEER, peer)] {
        let code = Bytecode::new_raw(Bytes::copy_from_slice(code));
        let info = AccountInfo::new(balance, 1, code.hash_slow(), code);
        database.insert_account_info(address, info);
        database
            .insert_account_storage(address, U256::ONE, U256::from(SLOT))
            .unwrap();
    }
    let mut theirs = Theirs::default();
    let mut evm = Context::mainnet()
        .with_db(database)
        .modify_cfg_chained(|cfg| cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA))
        .build_mainnet_with_inspector(&mut theirs);
    let tx = TxEnv {
        caller: CALLER,
        kind: TxKind::Call(CONTRACT),
        gas_limit: 21_000 + gas,
        ..TxEnv::default()
    };
    evm.inspect_one_tx(tx).unwrap();
    drop(evm);
    theirs.0
}

/// Calls [`PEER`] with that much gas and value, and continues.
fn calling(opcode: &str, value: &str, gas: &str) -> String {
    let peer = format!("0x{}", "c1".repeat(20));
    format!(
        "PUSH1 32 PUSH1 64 PUSH1 4 PUSH0 {value} PUSH20 {peer} {gas} {opcode} RETURNDATASIZE PUSH0 MLOAD ADD"
    )
}

/// Pairs of programs: the contract's and the callee's.
fn programs() -> Vec<(String, &'static str)> {
    let ends = [
        "PUSH1 7 PUSH0 MSTORE PUSH1 32 PUSH0 RETURN",
        "PUSH1 7 PUSH2 0x400 MSTORE8 PUSH1 9 PUSH0 REVERT",
        "PUSH1 1 SLOAD PUSH0 PUSH1 1 SSTORE",
        "PUSH1 3 JUMP",
        "POP",
        "INVALID",
        "DATA 0x0c",
        "PUSH0 JUMPDEST GAS PUSH1 1 JUMP",
        "PUSH4 0xffffffff MLOAD",
        "PUSH1 5 PUSH0 PUSH0 LOG1 CALLER SELFDESTRUCT",
        "",
    ];
    let calls = [
        calling("CALL", "PUSH0", "PUSH2 0x2710"),
        calling("CALL", "PUSH1 1", "PUSH2 0x2710"),
        calling("CALL", "PUSH4 0xffffffff", "GAS"),
        calling("CALLCODE", "PUSH1 1", "GAS"),
        calling("DELEGATECALL", "", "PUSH2 0x2710"),
        calling("STATICCALL", "", "PUSH2 0x2710"),
        // Init code that returns nothing, that reverts, and that returns invalid code.
        "PUSH0 PUSH0 PUSH0 CREATE EXTCODESIZE".to_owned(),
        "PUSH4 0x5f5ffd00 PUSH0 MSTORE PUSH1 1 PUSH1 4 PUSH1 28 PUSH0 CREATE2 RETURNDATASIZE"
            .to_owned(),
        "PUSH8 0x60ef5f5360015ff3 PUSH0 MSTORE PUSH1 8 PUSH1 24 PUSH0 CREATE".to_owned(),
        // A precompile, which has no steps.
        "PUSH1 32 PUSH0 PUSH1 32 PUSH0 PUSH1 4 PUSH2 0x1000 STATICCALL MSIZE".to_owned(),
    ];
    let pairs = calls
        .iter()
        .flat_map(|call| ends.map(|end| (call.clone(), end)));
    pairs.collect()
}

#[test]
fn steps_are_those_of_revm() {
    let mut steps = 0;
    let mut failures = 0;
    for (code, peer) in programs() {
        for gas in [60_000, 30_000, 2_650, 400] {
            let [code_, peer_] = [code.as_str(), peer].map(|text| asm::assemble(text).unwrap());
            let (ours, theirs) = (ours(&code_, &peer_, gas), theirs(&code_, &peer_, gas));
            let place = format!("`{code}` calling `{peer}` with gas {gas}");
            for (ours, theirs) in ours.seen.iter().zip(&theirs) {
                assert_eq!(ours, theirs, "{place}");
            }
            assert_eq!(ours.seen.len(), theirs.len(), "{place}");
            steps += theirs.len();
            failures += theirs.iter().filter(|step| step.cost.is_none()).count();
        }
    }
    assert!(steps > 10_000, "{steps}");
    assert!(failures > 200, "{failures}");
}

#[test]
fn refunds_sum_over_frames_and_are_reverted_with_their_frame() {
    let clear = "PUSH0 PUSH1 1 SSTORE";
    let code = format!(
        "{clear} {} JUMPDEST",
        calling("CALL", "PUSH0", "PUSH2 0x2710")
    );
    let shown = |peer: &str| {
        let [code, peer] = [code.as_str(), peer].map(|text| asm::assemble(text).unwrap());
        let mut refunds = ours(&code, &peer, 60_000).refunds;
        refunds.dedup();
        refunds
    };
    let both = format!("{clear} STOP");
    assert_eq!(shown(&both), [0, 4_800, 9_600]);
    let reverted = format!("{clear} PUSH0 PUSH0 REVERT");
    assert_eq!(shown(&reverted), [0, 4_800, 9_600, 4_800]);
}
