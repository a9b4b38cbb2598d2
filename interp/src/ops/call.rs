//! The CALL and CREATE families and SELFDESTRUCT: their checks, their gas, and the message they make (Yellow
//! Paper, appendix H.2, "f0s"; EIP-150, 158, 214, 1014, 2929, 3860, 6780, 7702). The `driver` runs the
//! message.

use crate::fork::Fork;
use crate::frame::{Exit, Machine};
use crate::gas;
use crate::message::{Kind, Message};
use crate::outcome::Halt;
use crate::word::Word;
use alloy_primitives::{Address, Bytes};

pub(crate) fn call(m: &mut Machine, [gas, to, value, at, len, out, out_len]: [Word; 7]) -> Exit {
    m.call(Kind::Call, gas, to, value, [at, len, out, out_len])
        .unwrap_or_else(Exit::Halt)
}

pub(crate) fn callcode(
    m: &mut Machine,
    [gas, to, value, at, len, out, out_len]: [Word; 7],
) -> Exit {
    m.call(Kind::CallCode, gas, to, value, [at, len, out, out_len])
        .unwrap_or_else(Exit::Halt)
}

pub(crate) fn delegatecall(m: &mut Machine, [gas, to, at, len, out, out_len]: [Word; 6]) -> Exit {
    m.call(
        Kind::DelegateCall,
        gas,
        to,
        Word::ZERO,
        [at, len, out, out_len],
    )
    .unwrap_or_else(Exit::Halt)
}

pub(crate) fn staticcall(m: &mut Machine, [gas, to, at, len, out, out_len]: [Word; 6]) -> Exit {
    m.call(
        Kind::StaticCall,
        gas,
        to,
        Word::ZERO,
        [at, len, out, out_len],
    )
    .unwrap_or_else(Exit::Halt)
}

pub(crate) fn create(m: &mut Machine, [value, at, len]: [Word; 3]) -> Exit {
    m.create(Kind::Create, value, at, len)
        .unwrap_or_else(Exit::Halt)
}

pub(crate) fn create2(m: &mut Machine, [value, at, len, salt]: [Word; 4]) -> Exit {
    m.create(Kind::Create2 { salt }, value, at, len)
        .unwrap_or_else(Exit::Halt)
}

pub(crate) fn selfdestruct(m: &mut Machine, [beneficiary]: [Word; 1]) -> Exit {
    m.selfdestruct(beneficiary.to_address())
        .map_or_else(Exit::Halt, |()| Exit::Success(0..0))
}

impl Machine<'_> {
    /// `ranges`: offset and length in memory of the input, then of the output.
    fn call(
        &mut self,
        kind: Kind,
        requested: Word,
        to: Word,
        value: Word,
        ranges: [Word; 4],
    ) -> Result<Exit, Halt> {
        let transfers = !value.is_zero();
        if kind == Kind::Call && transfers {
            self.refuse_static()?;
        }
        let [input_at, input_len, output_at, output_len] = ranges;
        let input = self.expand(input_at, input_len)?;
        let output = self.expand(output_at, output_len)?;

        let to = to.to_address();
        self.access_account(to, self.rules.call)?;
        self.access_delegation(to)?;
        if transfers {
            self.frame.gas.charge(gas::CALL_VALUE)?;
        }
        if kind == Kind::Call && self.creates_account(to, transfers) {
            self.frame.gas.charge(gas::NEW_ACCOUNT)?;
        }
        let mut callee_gas = self.split_gas(Some(requested))?;
        if transfers {
            callee_gas += gas::CALL_STIPEND;
        }

        let me = &self.frame.message;
        let (caller, recipient, value) = match kind {
            Kind::DelegateCall => (me.caller, me.recipient, me.value),
            Kind::CallCode => (me.recipient, me.recipient, value),
            _ => (me.recipient, to, value),
        };
        let message = Message {
            kind,
            gas: callee_gas,
            caller,
            recipient,
            code_address: to,
            value,
            input: Bytes::new(),
            is_static: me.is_static || kind == Kind::StaticCall,
            depth: me.depth + 1,
        };
        Ok(Exit::Call {
            message,
            input,
            output,
        })
    }

    fn create(&mut self, kind: Kind, value: Word, at: Word, len: Word) -> Result<Exit, Halt> {
        self.refuse_static()?;
        let size = len.saturating_u64();
        if self.rules.since(Fork::Shanghai) && size > gas::INIT_CODE_LIMIT {
            return Err(Halt::InitCodeSizeLimit);
        }
        let input = self.expand(at, len)?;
        let shanghai = if self.rules.since(Fork::Shanghai) {
            gas::INIT_CODE_WORD
        } else {
            0
        };
        let hashing = if kind == Kind::Create {
            0
        } else {
            gas::KECCAK_WORD
        };
        self.frame
            .gas
            .charge((shanghai + hashing) * gas::words(size))?;

        let callee_gas = self.split_gas(None)?;
        let me = &self.frame.message;
        let message = Message {
            kind,
            gas: callee_gas,
            caller: me.recipient,
            recipient: Address::ZERO,
            code_address: Address::ZERO,
            value,
            input: Bytes::new(),
            is_static: false,
            depth: me.depth + 1,
        };
        Ok(Exit::Call {
            message,
            input,
            output: 0..0,
        })
    }

    fn selfdestruct(&mut self, beneficiary: Address) -> Result<(), Halt> {
        self.refuse_static()?;
        let me = self.frame.message.recipient;
        self.frame.gas.charge(self.rules.selfdestruct)?;
        if self.rules.since(Fork::Berlin) && self.host.warm_account(beneficiary) {
            self.frame.gas.charge(self.rules.cold_beneficiary)?;
        }
        let transfers = !self.host.account(me).balance.is_zero();
        if self.rules.since(Fork::TangerineWhistle) && self.creates_account(beneficiary, transfers)
        {
            self.frame.gas.charge(gas::NEW_ACCOUNT)?;
        }
        if self.host.selfdestruct(me, beneficiary, self.rules.fork) {
            self.frame.refund += self.rules.selfdestruct_refund;
        }
        Ok(())
    }

    /// Whether a transfer to `address` creates an account: since EIP-158 only with value, and an empty
    /// account counts as missing.
    fn creates_account(&mut self, address: Address, transfers: bool) -> bool {
        if self.rules.since(Fork::SpuriousDragon) {
            transfers && self.host.account(address).is_empty()
        } else {
            !self.host.account(address).exists
        }
    }

    /// Charges for access to the account that `to` delegates to, if it does (EIP-7702).
    fn access_delegation(&mut self, to: Address) -> Result<(), Halt> {
        if !self.rules.since(Fork::Prague) {
            return Ok(());
        }
        match self.host.code(to).delegation() {
            Some(target) => self.access_account(target, self.rules.call),
            None => Ok(()),
        }
    }

    /// Charges the callee's gas and returns it: the requested amount or all gas, since EIP-150 at most all
    /// but a 64th.
    fn split_gas(&mut self, requested: Option<Word>) -> Result<u64, Halt> {
        let left = self.frame.gas.left();
        let requested = requested.map_or(left, Word::saturating_u64);
        let callee = if self.rules.keeps_64th {
            requested.min(left - left / 64)
        } else {
            requested
        };
        self.frame.gas.charge(callee.min(i64::MAX as u64))?;
        Ok(callee)
    }
}
