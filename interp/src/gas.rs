//! Gas: the counter, and the prices that depend on the fork, as a base and the changes of each fork.
//!
//! Static prices are in the opcode table; `ops` applies the dynamic ones.

use crate::fork::Fork;
use crate::opcode::Opcode;
use crate::outcome::Halt;

/// Gas left in a frame. Never negative between opcodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Gas(i64);

impl Gas {
    /// A counter of `amount`, capped at 2^63 - 1: no frame can spend more.
    pub fn new(amount: u64) -> Gas {
        Gas(i64::try_from(amount).unwrap_or(i64::MAX))
    }

    /// Gas left.
    #[inline(always)]
    pub const fn left(self) -> u64 {
        self.0 as u64
    }

    /// As a signed number: negative while the advanced mode has charged ahead of execution.
    #[inline(always)]
    pub(crate) const fn signed(self) -> i64 {
        self.0
    }

    /// From [`Gas::signed`].
    #[inline(always)]
    pub(crate) const fn from_signed(left: i64) -> Gas {
        Gas(left)
    }

    /// Charges `cost`, which is below 2^62.
    ///
    /// # Errors
    /// [`Halt::OutOfGas`] if less is left.
    #[inline(always)]
    pub fn charge(&mut self, cost: u64) -> Result<(), Halt> {
        let left = self.0 - cost as i64;
        if left < 0 {
            return Err(Halt::OutOfGas);
        }
        self.0 = left;
        Ok(())
    }

    /// Returns `amount`, which was charged before.
    #[inline(always)]
    pub fn give_back(&mut self, amount: u64) {
        self.0 += amount as i64;
    }
}

/// Price per word copied to memory (Yellow Paper, appendix G: `G_copy`).
pub const COPY_WORD: u64 = 3;
/// Price per word hashed by KECCAK256 and CREATE2 (`G_keccak256word`).
pub const KECCAK_WORD: u64 = 6;
/// Price per byte of log data (`G_logdata`).
pub const LOG_BYTE: u64 = 8;
/// Price of a call that transfers value (`G_callvalue`).
pub const CALL_VALUE: u64 = 9_000;
/// Gas given to the callee of a call that transfers value (`G_callstipend`).
pub const CALL_STIPEND: u64 = 2_300;
/// Price of a call or self-destruct that creates an account (`G_newaccount`).
pub const NEW_ACCOUNT: u64 = 25_000;
/// Price per byte of deployed code (`G_codedeposit`).
pub const CODE_DEPOSIT_BYTE: u64 = 200;
/// Price per word of init code (EIP-3860).
pub const INIT_CODE_WORD: u64 = 2;
/// Maximum size of init code in bytes (EIP-3860).
pub const INIT_CODE_LIMIT: u64 = 2 * CODE_LIMIT;
/// Maximum size of deployed code in bytes (EIP-170).
pub const CODE_LIMIT: u64 = 24_576;
/// Maximum depth of a frame; the first one has depth 0 (Yellow Paper, 8).
pub const CALL_DEPTH: u32 = 1_024;

/// Number of words that hold `bytes`.
#[inline(always)]
pub const fn words(bytes: u64) -> u64 {
    bytes.div_ceil(32)
}

/// Price of a memory of `words` words (Yellow Paper, appendix H.1: `C_mem`).
#[inline(always)]
pub const fn memory(words: u64) -> u64 {
    3 * words + words * words / 512
}

/// Prices of SSTORE by the change of the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorePrices {
    /// Net metering against the slot's value at the start of the transaction (EIP-1283, EIP-2200).
    pub net: bool,
    /// The opcode fails unless more gas than this is left (EIP-2200).
    pub sentry: u64,
    /// The value does not change, or the slot was already changed in this transaction.
    pub dirty: u64,
    /// From zero to nonzero.
    pub set: u64,
    /// From nonzero to another value.
    pub reset: u64,
    /// Refund for a slot that becomes zero.
    pub clear_refund: i64,
}

/// Prices and rules that depend on the fork, other than those in the opcode table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The fork.
    pub fork: Fork,
    /// EXP, per byte of the exponent (EIP-160).
    pub exp_byte: u64,
    /// SLOAD of a warm slot (EIP-150, EIP-1884, EIP-2929).
    pub sload: u64,
    /// BALANCE of a warm account.
    pub balance: u64,
    /// EXTCODESIZE and EXTCODECOPY of a warm account.
    pub extcode: u64,
    /// EXTCODEHASH of a warm account.
    pub extcodehash: u64,
    /// The CALL family to a warm account.
    pub call: u64,
    /// SELFDESTRUCT, without a new account.
    pub selfdestruct: u64,
    /// Refund of SELFDESTRUCT (abolished by EIP-3529).
    pub selfdestruct_refund: i64,
    /// Surcharge for the first access to an account in a transaction (EIP-2929).
    pub cold_account: u64,
    /// What SELFDESTRUCT pays for a cold beneficiary: the full cold price, not the surcharge.
    pub cold_beneficiary: u64,
    /// SLOAD: surcharge for the first access to a slot.
    pub cold_load: u64,
    /// SSTORE: surcharge for the first access to a slot.
    pub cold_store: u64,
    /// SSTORE.
    pub store: StorePrices,
    /// Whether a call that asks for too much gas gets all but a 64th, instead of failing (EIP-150).
    pub keeps_64th: bool,
    /// Whether a creation fails if it cannot pay for its code (EIP-2).
    pub deposit_must_be_paid: bool,
}

const FRONTIER: Rules = Rules {
    fork: Fork::Frontier,
    exp_byte: 10,
    sload: 50,
    balance: 20,
    extcode: 20,
    extcodehash: 0,
    call: 40,
    selfdestruct: 0,
    selfdestruct_refund: 24_000,
    cold_account: 0,
    cold_beneficiary: 0,
    cold_load: 0,
    cold_store: 0,
    store: StorePrices {
        net: false,
        sentry: 0,
        dirty: 5_000,
        set: 20_000,
        reset: 5_000,
        clear_refund: 15_000,
    },
    keeps_64th: false,
    deposit_must_be_paid: false,
};

impl Rules {
    /// The rules of a fork.
    pub const fn of(fork: Fork) -> Rules {
        let mut rules = FRONTIER;
        rules.fork = fork;
        let at = fork as u8;
        if at >= Fork::Homestead as u8 {
            rules.deposit_must_be_paid = true;
        }
        if at >= Fork::TangerineWhistle as u8 {
            rules.sload = 200;
            rules.balance = 400;
            rules.extcode = 700;
            rules.call = 700;
            rules.selfdestruct = 5_000;
            rules.keeps_64th = true;
        }
        if at >= Fork::SpuriousDragon as u8 {
            rules.exp_byte = 50;
        }
        if at >= Fork::Constantinople as u8 {
            rules.extcodehash = 400;
        }
        if at == Fork::Constantinople as u8 {
            rules.store.net = true;
            rules.store.dirty = 200;
        }
        if at >= Fork::Istanbul as u8 {
            rules.sload = 800;
            rules.balance = 700;
            rules.extcodehash = 700;
            rules.store.net = true;
            rules.store.sentry = 2_300;
            rules.store.dirty = 800;
        }
        if at >= Fork::Berlin as u8 {
            rules.sload = 100;
            rules.balance = 100;
            rules.extcode = 100;
            rules.extcodehash = 100;
            rules.call = 100;
            rules.cold_account = 2_500;
            rules.cold_beneficiary = 2_600;
            rules.cold_load = 2_000;
            rules.cold_store = 2_100;
            rules.store.dirty = 100;
            rules.store.reset = 2_900;
        }
        if at >= Fork::London as u8 {
            rules.selfdestruct_refund = 0;
            rules.store.clear_refund = 4_800;
        }
        rules
    }

    /// The part of an opcode's price that does not depend on its operands.
    pub(crate) const fn fixed(&self, opcode: Opcode) -> u64 {
        match opcode {
            Opcode::BALANCE => self.balance,
            Opcode::EXTCODESIZE | Opcode::EXTCODECOPY => self.extcode,
            Opcode::EXTCODEHASH => self.extcodehash,
            Opcode::CALL | Opcode::CALLCODE | Opcode::DELEGATECALL | Opcode::STATICCALL => {
                self.call
            }
            Opcode::SELFDESTRUCT => self.selfdestruct,
            // Since EIP-2929 the whole price depends on the slot.
            Opcode::SLOAD if self.cold_load == 0 => self.sload,
            // Other clients price these as a whole.
            Opcode::EXP
            | Opcode::LOG0
            | Opcode::LOG1
            | Opcode::LOG2
            | Opcode::LOG3
            | Opcode::LOG4 => 0,
            _ => match opcode.info() {
                Some(info) => info.gas as u64,
                None => 0,
            },
        }
    }

    /// Whether the fork is `fork` or a later one.
    #[inline(always)]
    pub fn since(&self, fork: Fork) -> bool {
        self.fork >= fork
    }
}
