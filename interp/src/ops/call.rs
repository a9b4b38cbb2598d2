//! The CALL and CREATE families and SELFDESTRUCT: their checks, their gas, and the message they make (Yellow
//! Paper, appendix H.2, "f0s"; EIP-150, 158, 214, 1014, 2929, 3860, 6780, 7702). The `driver` runs the
//! message.

use crate::fork::Fork;
use crate::frame::{Exit, Machine};
use crate::gas::{self, Gas};
use crate::message::{Header, Kind};
use crate::outcome::Halt;
use crate::word::Word;
use alloy_primitives::Address;
use std::ops::Range;

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
    // Inlined: the kind is known then, and operands are not copied.
    #[inline(always)]
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
        let to = to.to_address();
        let before = self.frame.gas;
        if let Err(halt) = self.access_callee(to) {
            // Tracers show only what a warm account costs.
            self.frame.gas = before;
            self.unpaid = self.rules.call;
            return Err(halt);
        }
        let mut extra = if transfers { gas::CALL_VALUE } else { 0 };
        if kind == Kind::Call && self.creates_account(to, transfers) {
            extra += gas::NEW_ACCOUNT;
        }
        let accessed = (before, self.frame.gas);
        let paid = self.pay_call(requested, extra, ranges);
        let Ok((input, output, mut callee_gas)) = paid else {
            return Err(self.short_of_call(requested, extra, ranges, accessed));
        };
        if transfers {
            callee_gas += gas::CALL_STIPEND;
        }

        let me = &self.frame.context.message;
        let (caller, recipient, value) = match kind {
            Kind::DelegateCall => (me.caller, me.recipient, me.value),
            Kind::CallCode => (me.recipient, me.recipient, value),
            _ => (me.recipient, to, value),
        };
        self.next.message = Header {
            kind,
            gas: callee_gas,
            caller,
            recipient,
            code_address: to,
            value,
            is_static: me.is_static || kind == Kind::StaticCall,
            depth: me.depth + 1,
        };
        self.next_input = input;
        self.frame.context.call_output = output;
        Ok(Exit::Call)
    }

    /// Charges for access to the account, and to the one that it delegates to (EIP-7702).
    fn access_callee(&mut self, to: Address) -> Result<(), Halt> {
        self.access_account(to, self.rules.call)?;
        self.access_delegation(to)
    }

    /// Charges for a call after its accesses: `extra`, memory, and the callee's gas. Returns the ranges in memory of
    /// input and output, and the callee's gas.
    #[inline(always)]
    fn pay_call(
        &mut self,
        requested: Word,
        extra: u64,
        [input_at, input_len, output_at, output_len]: [Word; 4],
    ) -> Result<(Range<usize>, Range<usize>, u64), Halt> {
        self.frame.gas.charge(extra)?;
        let input = self.expand(input_at, input_len)?;
        let output = self.expand(output_at, output_len)?;
        Ok((input, output, self.split_gas(Some(requested))?))
    }

    /// The opcode cannot pay for the call. For tracers the callee's gas is a part of its price, computed by other
    /// clients with numbers that wrap: there is less gas than the price without it. A price beyond 64 bits counts as
    /// that of the access alone. `accessed`: gas before and after the accesses.
    #[cold]
    #[inline(never)]
    fn short_of_call(
        &mut self,
        requested: Word,
        extra: u64,
        [input_at, input_len, output_at, output_len]: [Word; 4],
        (before, after): (Gas, Gas),
    ) -> Halt {
        let memory = &self.frame.memory;
        let input = memory.price(input_at, input_len);
        let output = memory.price(output_at, output_len);
        let requested = requested.to_u64();
        let price = || {
            let base = extra + input?.max(output?);
            let rest = after.left().wrapping_sub(base);
            let most = rest - rest / 64;
            let callee = match requested {
                Some(requested) if !self.rules.keeps_64th || requested <= most => requested,
                _ if self.rules.keeps_64th => most,
                _ => return None,
            };
            base.checked_add(callee)
        };
        match price() {
            Some(price) => {
                self.frame.gas = after;
                self.short(price)
            }
            None => {
                self.frame.gas = before;
                self.short(self.rules.call)
            }
        }
    }

    fn create(&mut self, kind: Kind, value: Word, at: Word, len: Word) -> Result<Exit, Halt> {
        self.refuse_static()?;
        let size = len.saturating_u64();
        if self.rules.since(Fork::Shanghai) && size > gas::INIT_CODE_LIMIT {
            return Err(Halt::InitCodeSizeLimit);
        }
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
        let input = self.expand_by_word(at, len, shanghai + hashing)?;

        let callee_gas = self.split_gas(None)?;
        let me = &self.frame.context.message;
        self.next.message = Header {
            kind,
            gas: callee_gas,
            caller: me.recipient,
            recipient: Address::ZERO,
            code_address: Address::ZERO,
            value,
            is_static: false,
            depth: me.depth + 1,
        };
        self.next_input = input;
        self.frame.context.call_output = 0..0;
        Ok(Exit::Call)
    }

    fn selfdestruct(&mut self, beneficiary: Address) -> Result<(), Halt> {
        self.refuse_static()?;
        let me = self.frame.context.message.recipient;
        self.charge(self.rules.selfdestruct)?;
        if self.rules.since(Fork::Berlin) && self.host.warm_account(beneficiary) {
            self.charge(self.rules.cold_beneficiary)?;
        }
        let transfers = !self.host.balance(me).is_zero();
        if self.rules.since(Fork::TangerineWhistle) && self.creates_account(beneficiary, transfers)
        {
            self.charge(gas::NEW_ACCOUNT)?;
        }
        if self.host.selfdestruct(me, beneficiary, self.rules.fork) {
            self.frame.context.refund += self.rules.selfdestruct_refund;
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
