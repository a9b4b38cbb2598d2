//! The crate `revm` as an engine: executes the same message from the same state, without validation, set-up and
//! tear-down of a transaction.

use super::{BuiltIn, CallOutcome, Engine};
use crate::cases::Scenario;
use alloy_primitives::U256;
use anyhow::{Result, bail};
use evmscope_interp::{Fork, Host};
use revm::bytecode::Bytecode;
use revm::context::journal::JournalInner;
use revm::context::{BlockEnv, CfgEnv, ContextTr, JournalTr, LocalContextTr, TxEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::context_interface::cfg::gas::GasTracker;
use revm::context_interface::journaled_state::JournalCheckpoint;
use revm::database::{CacheDB, EmptyDB, WrapDatabaseRef};
use revm::handler::{EthFrame, FrameResult, Handler, MainnetEvm, MainnetHandler};
use revm::interpreter::InstructionResult;
use revm::interpreter::interpreter::EthInterpreter;
use revm::primitives::TxKind;
use revm::primitives::hardfork::SpecId;
use revm::state::AccountInfo;
use revm::{Context, Journal, JournalEntry, MainBuilder};
use std::convert::Infallible;
use std::mem;
use std::sync::Arc;

/// The state before, read by all calls and changed by none: what a call reads and changes is in its journal.
type Db = WrapDatabaseRef<Arc<CacheDB<EmptyDB>>>;
type Ctx = Context<BlockEnv, TxEnv, CfgEnv, Db>;
type Mainnet = MainnetHandler<
    MainnetEvm<Ctx>,
    revm::context::result::EVMError<Infallible>,
    EthFrame<EthInterpreter>,
>;

/// The engine `revm`, a peer to compare with.
pub const REVM: BuiltIn = BuiltIn {
    name: "revm",
    mode: None,
    version: || match option_env!("EVMSCOPE_BUILD_REVM") {
        Some(version) => format!("revm {version}"),
        None => "revm, version unknown (built without a lock file)".to_owned(),
    },
    // Its hash tables are seeded randomly per process, so instruction counts vary by some hundredths of a percent.
    simulations: 3,
    start: |scenario, fork, _| Ok(Box::new(Revm::new(fork, scenario)?)),
};

struct Revm {
    evm: MainnetEvm<Ctx>,
    before: JournalInner<JournalEntry>,
    checkpoint: JournalCheckpoint,
    gas_limit: u64,
    journals: Vec<Journal<Db>>,
    /// How many calls were prepared, and how many of them ran.
    ready: usize,
    ran: usize,
    result: Option<FrameResult>,
}

impl Revm {
    /// Copies the scenario's state and warms the accounts that are warm at the start of a transaction.
    fn new(fork: Fork, scenario: &Scenario) -> Result<Revm> {
        let message = &scenario.message;
        let environment = scenario.world.environment();
        let block = BlockEnv {
            number: U256::from(environment.number),
            timestamp: U256::from(environment.timestamp),
            beneficiary: environment.coinbase,
            gas_limit: environment.gas_limit,
            // The opcode reads `difficulty` before the merge and `prevrandao` since.
            difficulty: U256::from_limbs(environment.prevrandao.0),
            prevrandao: Some(environment.prevrandao.into()),
            basefee: 0,
            blob_excess_gas_and_price: Some(BlobExcessGasAndPrice {
                excess_blob_gas: 0,
                blob_gasprice: environment.blob_base_fee.saturating_u64().into(),
            }),
            ..BlockEnv::default()
        };
        let tx = TxEnv {
            caller: message.caller,
            kind: TxKind::Call(message.recipient),
            data: message.input.clone(),
            gas_limit: message.gas,
            gas_price: 0,
            chain_id: Some(environment.chain_id),
            ..TxEnv::default()
        };
        let spec = spec(fork)?;
        let mut evm = Ctx::new(database(scenario, fork), spec)
            .with_cfg(CfgEnv::new_with_spec(spec))
            .with_block(block)
            .with_tx(tx)
            .build_mainnet();
        Mainnet::default().load_accounts(&mut evm)?;
        for address in [message.caller, message.recipient] {
            evm.ctx.journal_mut().load_account_with_code(address)?;
        }
        let checkpoint = evm.ctx.journal_mut().checkpoint();
        Ok(Revm {
            before: evm.ctx.journaled_state.inner.clone(),
            evm,
            checkpoint,
            gas_limit: message.gas,
            journals: Vec::new(),
            ready: 0,
            ran: 0,
            result: None,
        })
    }

    fn execute(&mut self) -> Result<()> {
        let mut gas = GasTracker::new(self.gas_limit, self.gas_limit, 0);
        let result = Mainnet::default().execution(&mut self.evm, self.checkpoint, &mut gas);
        // Part of a transaction's end: without it, the next message would find this one's memory.
        self.evm.ctx.local_mut().clear();
        self.evm.frame_stack.clear();
        self.result = result?;
        Ok(())
    }
}

/// Goes back to the journal before a call. Its tables keep their allocations; those of accounts that only the call
/// loaded cannot be kept, since an account in the journal counts as loaded.
fn restore(journal: &mut JournalInner<JournalEntry>, before: &JournalInner<JournalEntry>) {
    journal.state.retain(|address, account| {
        let Some(then) = before.state.get(address) else {
            return false;
        };
        let mut storage = mem::take(&mut account.storage);
        storage.retain(|key, slot| match then.storage.get(key) {
            Some(then) => {
                slot.clone_from(then);
                true
            }
            None => false,
        });
        account.clone_from(then);
        account.storage = storage;
        true
    });
    journal.transient_storage.clear();
    journal.logs.clone_from(&before.logs);
    journal.depth = before.depth;
    journal.journal.clone_from(&before.journal);
    journal.warm_addresses.clone_from(&before.warm_addresses);
    journal
        .selfdestructed_addresses
        .clone_from(&before.selfdestructed_addresses);
}

impl Engine for Revm {
    fn prepare(&mut self, calls: usize) -> usize {
        // The last call's journal is in the machine; the next call puts it aside.
        restore(&mut self.evm.ctx.journaled_state.inner, &self.before);
        for journal in &mut self.journals[..self.ran] {
            restore(&mut journal.inner, &self.before);
        }
        (self.ready, self.ran) = (calls, 0);
        while self.journals.len() < calls {
            let copy = self.evm.ctx.journaled_state.clone();
            let journal = mem::replace(&mut self.evm.ctx.journaled_state, copy);
            // A copy has no room to spare. The message makes what it needs, and it is kept. Should it fail, the call
            // that is asked for reports it.
            let _ = self.execute();
            restore(&mut self.evm.ctx.journaled_state.inner, &self.before);
            self.journals.push(journal);
        }
        calls
    }

    /// revm caches nothing between calls except in its journal, which is restored.
    fn prepare_cold(&mut self, calls: usize) -> usize {
        self.prepare(calls)
    }

    fn call(&mut self) -> Result<()> {
        if self.ran == self.ready {
            bail!("no call is ready");
        }
        let journal = &mut self.journals[self.ran];
        mem::swap(&mut self.evm.ctx.journaled_state, journal);
        self.ran += 1;
        self.execute()
    }

    fn outcome(&self) -> Option<CallOutcome> {
        let result = self.result.as_ref()?;
        let gas = result.gas();
        Some(CallOutcome {
            status: status(result.instruction_result()),
            gas_used: gas.total_gas_spent(),
            refund: if result.instruction_result().is_ok() {
                gas.refunded()
            } else {
                0
            },
            output: result.output().data().clone(),
            logs: self.evm.ctx.journal().logs().len(),
        })
    }
}

fn spec(fork: Fork) -> Result<SpecId> {
    Ok(match fork {
        Fork::Frontier => SpecId::FRONTIER,
        Fork::Homestead => SpecId::HOMESTEAD,
        Fork::TangerineWhistle => SpecId::TANGERINE,
        Fork::SpuriousDragon => SpecId::SPURIOUS_DRAGON,
        Fork::Byzantium => SpecId::BYZANTIUM,
        Fork::Constantinople => bail!(
            "revm does not have {fork} (petersburg reverted a part of it on the same day): leave revm out, or use petersburg"
        ),
        Fork::Petersburg => SpecId::PETERSBURG,
        Fork::Istanbul => SpecId::ISTANBUL,
        Fork::Berlin => SpecId::BERLIN,
        Fork::London => SpecId::LONDON,
        Fork::Paris => SpecId::MERGE,
        Fork::Shanghai => SpecId::SHANGHAI,
        Fork::Cancun => SpecId::CANCUN,
        Fork::Prague => SpecId::PRAGUE,
        Fork::Osaka => SpecId::OSAKA,
    })
}

fn database(scenario: &Scenario, fork: Fork) -> Db {
    let mut db = CacheDB::<EmptyDB>::default();
    for (address, account) in scenario.world.accounts() {
        let code = account.code.bytes().to_vec().into();
        let code = match account.code.delegation() {
            Some(_) if fork >= Fork::Prague => Bytecode::new_raw(code),
            _ => Bytecode::new_legacy(code),
        };
        let info = AccountInfo::new(
            U256::from_limbs(account.balance.0),
            account.nonce,
            account.code.hash(),
            code,
        );
        db.insert_account_info(*address, info);
        for (key, value) in account.storage() {
            let slot = (U256::from_limbs(key.0), U256::from_limbs(value.0));
            // Cannot fail: the database is in memory and has the account.
            let _ = db.insert_account_storage(*address, slot.0, slot.1);
        }
    }
    WrapDatabaseRef(Arc::new(db))
}

/// The name of revm's result in this project.
fn status(result: InstructionResult) -> String {
    use InstructionResult as R;
    let name = match result {
        result if result.is_ok() => "success",
        R::Revert => "revert",
        R::OutOfGas
        | R::MemoryOOG
        | R::MemoryLimitOOG
        | R::PrecompileOOG
        | R::InvalidOperandOOG
        | R::ReentrancySentryOOG => "out-of-gas",
        R::StackUnderflow => "stack-underflow",
        R::StackOverflow => "stack-overflow",
        R::InvalidJump => "invalid-jump",
        R::OpcodeNotFound | R::NotActivated => "undefined-opcode",
        R::InvalidFEOpcode => "invalid-opcode",
        R::CallNotAllowedInsideStatic | R::StateChangeDuringStaticCall => "static-violation",
        R::OutOfOffset => "return-data-out-of-bounds",
        other => return format!("{other:?}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::Case;
    use crate::engines::EngineId;
    use crate::engines::verify;
    use alloy_primitives::{Bytes, hex};
    use evmscope_interp::Settings;

    /// SLOAD, BALANCE, SSTORE, EXP and a call of SHA-256: they exist since the first fork, and their gas costs changed
    /// in several later ones.
    const CODE: [u8; 45] = hex!(
        "60005450 3031600052 6001600055 600961ffff0a50"
        "60206000602060006000600261fffff1 602052 60406000f3"
    );

    #[test]
    fn all_forks_that_revm_supports_agree() {
        for fork in Fork::ALL {
            let case = Case::ad_hoc(Bytes::from_static(&CODE), Bytes::new(), 200_000, *fork);
            match verify::verify(&case, &EngineId::all(), Settings::default()) {
                Ok(verified) => assert_eq!(verified[0].result.status, "success", "{fork}"),
                Err(error) => {
                    assert_eq!(*fork, Fork::Constantinople, "{error}");
                    assert!(
                        error
                            .to_string()
                            .starts_with("revm does not have constantinople")
                    );
                }
            }
        }
    }
}
