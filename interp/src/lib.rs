//! An EVM interpreter with two modes and one set of semantics.
//!
//! [`Mode::Traditional`] fetches, checks, charges and executes byte by byte. [`Mode::Advanced`] decodes
//! code first and runs the decoded form. Both give the same status, gas, output, logs and state.
//!
//! ```
//! use evmscope_interp::world::{Account, World};
//! use evmscope_interp::{Environment, Fork, Interpreter, Message, Mode, Status, asm};
//! use alloy_primitives::{Address, Bytes};
//!
//! let (caller, contract) = (Address::repeat_byte(1), Address::repeat_byte(2));
//! let code = asm::assemble("PUSH1 2 PUSH1 3 ADD PUSH0 MSTORE PUSH1 32 PUSH0 RETURN")?;
//! let mut world = World::new(Environment::default());
//! world.insert(contract, Account::contract(&code));
//!
//! let mut interpreter = Interpreter::new(Mode::Advanced, Fork::Osaka);
//! let outcome = interpreter.execute(Message::call(caller, contract, Bytes::new(), 100_000), &mut world);
//! assert_eq!(outcome.status, Status::Success);
//! assert_eq!(outcome.gas_used, 22);
//! assert_eq!(outcome.output[31], 5);
//! # Ok::<(), asm::AsmError>(())
//! ```
//!
//! An embedder implements [`Host`] over its own state; [`world::World`] is an in-memory implementation.

#![deny(unsafe_code)]

mod advanced;
pub mod asm;
mod code;
mod dispatch;
mod driver;
mod fork;
mod frame;
mod gas;
mod host;
mod interpreter;
mod keccak;
mod memory;
mod message;
mod opcode;
mod ops;
mod outcome;
mod settings;
mod shadow;
mod slot_ir;
mod stack;
#[cfg(feature = "statetest")]
pub mod statetest;
mod technique;
#[cfg(feature = "metrics")]
pub mod telemetry;
mod trace;
mod traditional;
mod word;
pub mod world;

/// The examples of the migration guide, run as doctests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/MIGRATION.md")]
mod migration {}

pub use advanced::Programs;
pub use code::{Code, EMPTY_HASH};
pub use driver::Execute;
pub use fork::{Fork, UnknownFork};
pub use host::{AccountInfo, Checkpoint, Environment, Host, Load, Log, PrecompileResult, Store};
pub use interpreter::Interpreter;
pub use keccak::keccak256;
pub use message::{Kind, Message};
pub use opcode::{Class, Info, Opcode};
pub use outcome::{Halt, Outcome, Statistics, Status};
pub use settings::{Budget, KeccakMemo, Mode, Settings, UnknownKeccakMemo, UnknownMode};
pub use shadow::{Difference, Shadow};
pub use slot_ir::Place;
pub use technique::{Technique, Techniques, UnknownTechnique};
pub use trace::{Leave, Step, Tracer};
pub use word::{ParseWordError, Word};
