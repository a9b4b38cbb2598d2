//! The crate `revm` as an engine: executes the same message from the same state, without validation, set-up and
//! tear-down of a transaction.

use super::{BuiltIn, CallOutcome, Engine};
use crate::cases::Scenario;
use alloy_primitives::U256;
use anyhow::{Context as _, Result, bail};
use evmscope_interp::{Fork, Host};
use revm::bytecode::Bytecode;
use revm::context::{BlockEnv, CfgEnv, ContextTr, JournalTr, TxEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::context_interface::cfg::gas::GasTracker;
use revm::context_interface::journaled_state::JournalCheckpoint;
use revm::database::{CacheDB, EmptyDB};
use revm::handler::{EthFrame, FrameResult, Handler, MainnetEvm, MainnetHandler};
use revm::interpreter::InstructionResult;
use revm::interpreter::interpreter::EthInterpreter;
use revm::primitives::TxKind;
use revm::primitives::hardfork::SpecId;
use revm::state::AccountInfo;
use revm::{Context, Journal, MainBuilder};
use std::convert::Infallible;
use std::mem;

type Db = CacheDB<EmptyDB>;
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
    before: Journal<Db>,
    checkpoint: JournalCheckpoint,
    gas_limit: u64,
    ready: Vec<Journal<Db>>,
    used: Vec<Journal<Db>>,
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
            before: evm.ctx.journaled_state.clone(),
            evm,
            checkpoint,
            gas_limit: message.gas,
            ready: Vec::new(),
            used: Vec::new(),
            result: None,
        })
    }
}

impl Engine for Revm {
    fn prepare(&mut self, calls: usize) {
        self.used.clear();
        self.used.reserve(calls);
        self.ready.resize_with(calls, || self.before.clone());
    }

    /// revm caches nothing between calls except in its journal, which is replaced.
    fn prepare_cold(&mut self, calls: usize) {
        self.prepare(calls);
    }

    fn call(&mut self) -> Result<()> {
        let journal = self.ready.pop().context("no call is ready")?;
        self.used
            .push(mem::replace(&mut self.evm.ctx.journaled_state, journal));
        let mut gas = GasTracker::new(self.gas_limit, self.gas_limit, 0);
        let result = Mainnet::default().execution(&mut self.evm, self.checkpoint, &mut gas);
        self.result = result?;
        Ok(())
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
    let mut db = Db::default();
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
    db
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
