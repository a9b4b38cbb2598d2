//! A scene on the crate `revm`, as a frame: no intrinsic gas, validation, fees or refund cap.

pub mod transaction;

use super::{Scene, Seen, SeenAccount};
use alloy_primitives::{B256, Bytes, KECCAK256_EMPTY, U256};
use evmscope_interp::world::World;
use evmscope_interp::{Fork, Halt, Kind, Status, Word};
use revm::bytecode::Bytecode;
use revm::context::{BlockEnv, CfgEnv, Context, ContextTr, JournalTr, LocalContextTr, TxEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::context_interface::result::EVMError;
use revm::database::{CacheDB, EmptyDB};
use revm::handler::{FrameResult, Handler, MainnetHandler};
use revm::interpreter::interpreter_action::FrameInit;
use revm::interpreter::{
    CallInput, CallInputs, CallScheme, CallValue, CreateInputs, FrameInput, InstructionResult,
    SharedMemory,
};
use revm::primitives::hardfork::SpecId;
use revm::state::{AccountInfo, EvmState};
use revm::{MainBuilder, MainnetEvm};
use std::collections::BTreeMap;
use std::convert::Infallible;

type Database = CacheDB<EmptyDB>;
type Evm = MainnetEvm<Context<BlockEnv, TxEnv, CfgEnv, Database>>;

/// Runs the scene's message.
pub fn run(scene: &Scene) -> Seen {
    let mut evm = evm(scene);
    let mut handler: MainnetHandler<Evm, EVMError<Infallible>, _> = MainnetHandler::default();
    handler.load_accounts(&mut evm).unwrap();
    let frame = first_frame(scene, &mut evm);
    let result = handler.run_exec_loop(&mut evm, frame).unwrap();

    let created = match &result {
        FrameResult::Create(outcome) => outcome.address,
        FrameResult::Call(_) => None,
    };
    let result = result.interpreter_result();
    let status = status(result.result);
    let success = status == Status::Success;
    let journal = &mut evm.ctx.journaled_state;
    Seen {
        status,
        gas_left: if matches!(status, Status::Halt(halt) if !refunds_gas(halt)) {
            0
        } else {
            result.gas.remaining()
        },
        refund: if success { result.gas.refunded() } else { 0 },
        output: match (status, created) {
            (Status::Success, Some(_)) | (Status::Halt(_), _) => Bytes::new(),
            _ => result.output.clone(),
        },
        created: created.filter(|_| success),
        logs: journal.take_logs(),
        accounts: accounts(scene, &evm.ctx.journaled_state.state),
    }
}

/// Whether the reference supports the fork. It does not have Constantinople, whose storage prices Petersburg
/// reversed on the day of their activation.
pub fn has(fork: Fork) -> bool {
    spec(fork).is_some()
}

fn spec(fork: Fork) -> Option<SpecId> {
    Some(match fork {
        Fork::Frontier => SpecId::FRONTIER,
        Fork::Homestead => SpecId::HOMESTEAD,
        Fork::TangerineWhistle => SpecId::TANGERINE,
        Fork::SpuriousDragon => SpecId::SPURIOUS_DRAGON,
        Fork::Byzantium => SpecId::BYZANTIUM,
        // Petersburg reversed a part of this fork before anything ran on it; `revm` does not support it.
        Fork::Constantinople => return None,
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

fn evm(scene: &Scene) -> Evm {
    let spec = spec(scene.fork).expect("a fork that the reference has");
    let environment = super::environment();
    let block = BlockEnv {
        number: U256::from(environment.number),
        beneficiary: environment.coinbase,
        timestamp: U256::from(environment.timestamp),
        gas_limit: environment.gas_limit,
        basefee: environment.base_fee.to_u64().unwrap(),
        // The opcode's two meanings, before and since the merge.
        difficulty: number(environment.prevrandao),
        prevrandao: Some(environment.prevrandao.into()),
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice {
            excess_blob_gas: 0,
            blob_gasprice: environment.blob_base_fee.to_u64().unwrap().into(),
        }),
        ..BlockEnv::default()
    };
    let transaction = TxEnv {
        caller: environment.origin,
        // The type with blobs; nothing else here depends on the type.
        tx_type: 3,
        gas_price: environment.gas_price.to_u64().unwrap().into(),
        blob_hashes: environment.blob_hashes,
        ..TxEnv::default()
    };
    let mut config = CfgEnv::new_with_spec(spec);
    config.chain_id = environment.chain_id;
    Context::<BlockEnv, TxEnv, CfgEnv, Database>::new(database(&scene.world, scene.fork), spec)
        .with_cfg(config)
        .with_block(block)
        .with_tx(transaction)
        .build_mainnet()
}

fn database(world: &World, fork: Fork) -> Database {
    let mut database = CacheDB::new(EmptyDB::default());
    for (address, account) in world.accounts() {
        let code = Bytes::copy_from_slice(account.code.bytes());
        let code = match account.code.delegation() {
            Some(_) if fork >= Fork::Prague => Bytecode::new_raw(code),
            _ => Bytecode::new_legacy(code),
        };
        let info = AccountInfo {
            balance: number(account.balance),
            nonce: account.nonce,
            code_hash: account.code.hash(),
            code: Some(code),
            ..AccountInfo::default()
        };
        database.insert_account_info(*address, info);
        for (key, value) in account.storage() {
            database
                .insert_account_storage(*address, number(key), number(value))
                .unwrap();
        }
    }
    database
}

fn first_frame(scene: &Scene, evm: &mut Evm) -> FrameInit {
    let message = &scene.message;
    let ctx = &mut evm.ctx;
    let memory = SharedMemory::new_with_buffer(ctx.local().shared_memory_buffer().clone());
    let journal = ctx.journal_mut();
    // Loading an account makes it warm.
    journal.load_account(message.caller).unwrap();
    let code = journal
        .load_account_with_code(message.recipient)
        .unwrap()
        .info
        .clone();
    let frame_input = if message.kind == Kind::Create {
        FrameInput::Create(Box::new(CreateInputs::new(
            message.caller,
            revm::context_interface::CreateScheme::Create,
            number(message.value),
            message.input.clone(),
            message.gas,
            0,
        )))
    } else {
        FrameInput::Call(Box::new(CallInputs {
            input: CallInput::Bytes(message.input.clone()),
            return_memory_offset: 0..0,
            gas_limit: message.gas,
            reservoir: 0,
            bytecode_address: message.code_address,
            known_bytecode: (code.code_hash, code.code.unwrap_or_default()),
            target_address: message.recipient,
            caller: message.caller,
            value: CallValue::Transfer(number(message.value)),
            scheme: CallScheme::Call,
            is_static: message.is_static,
            charged_new_account_state_gas: false,
        }))
    };
    FrameInit {
        depth: 0,
        memory,
        frame_input,
    }
}

fn status(result: InstructionResult) -> Status {
    use InstructionResult as R;
    Status::Halt(match result {
        R::Stop | R::Return | R::SelfDestruct => return Status::Success,
        R::Revert => return Status::Revert,
        R::OutOfGas
        | R::MemoryOOG
        | R::MemoryLimitOOG
        | R::InvalidOperandOOG
        | R::ReentrancySentryOOG => Halt::OutOfGas,
        R::OpcodeNotFound | R::NotActivated => Halt::UndefinedOpcode,
        R::InvalidFEOpcode => Halt::InvalidOpcode,
        R::InvalidJump => Halt::InvalidJump,
        R::StackUnderflow => Halt::StackUnderflow,
        R::StackOverflow => Halt::StackOverflow,
        R::OutOfOffset => Halt::ReturnDataOutOfBounds,
        R::CallNotAllowedInsideStatic | R::StateChangeDuringStaticCall => Halt::StaticViolation,
        R::CallTooDeep => Halt::CallDepth,
        R::OutOfFunds => Halt::InsufficientBalance,
        R::NonceOverflow => Halt::NonceOverflow,
        R::CreateCollision => Halt::CreateCollision,
        R::CreateContractSizeLimit => Halt::CodeSizeLimit,
        R::CreateInitCodeSizeLimit => Halt::InitCodeSizeLimit,
        R::CreateContractStartingWithEF => Halt::CodePrefix,
        R::PrecompileOOG | R::PrecompileError => Halt::Precompile,
        other => panic!("{other:?} does not occur at these forks"),
    })
}

/// A message that fails before it starts uses no gas.
fn refunds_gas(halt: Halt) -> bool {
    matches!(
        halt,
        Halt::CallDepth | Halt::InsufficientBalance | Halt::NonceOverflow
    )
}

/// The state after the transaction: the pre-state with the changes of the journal.
fn accounts(scene: &Scene, touched: &EvmState) -> BTreeMap<alloy_primitives::Address, SeenAccount> {
    let mut all = super::accounts(&scene.world);
    for (address, account) in touched {
        let info = &account.info;
        if account.is_selfdestructed() || info.is_empty() {
            all.remove(address);
            continue;
        }
        let mut storage = all
            .remove(address)
            .map(|known| known.storage)
            .unwrap_or_default();
        for (key, slot) in &account.storage {
            storage.insert(word(*key), word(slot.present_value));
        }
        storage.retain(|_, value| !value.is_zero());
        let seen = seen(info, storage);
        all.insert(*address, seen);
    }
    all
}

fn seen(info: &AccountInfo, storage: BTreeMap<Word, Word>) -> SeenAccount {
    SeenAccount {
        balance: word(info.balance),
        nonce: info.nonce,
        code_hash: if info.code_hash == B256::ZERO {
            KECCAK256_EMPTY
        } else {
            info.code_hash
        },
        storage,
    }
}

fn number(word: Word) -> U256 {
    U256::from_limbs(word.0)
}

fn word(number: U256) -> Word {
    Word(number.into_limbs())
}
