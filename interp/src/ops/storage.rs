//! SLOAD, SSTORE (EIP-2200, EIP-2929, EIP-3529) and the transient pair (EIP-1153).

use crate::frame::Machine;
use crate::gas::StorePrices;
use crate::host::Store;
use crate::outcome::Halt;
use crate::word::Word;

pub(crate) fn sload(m: &mut Machine, [key]: [Word; 1]) -> Result<[Word; 1], Halt> {
    let slot = m.host.load(m.frame.message.recipient, key);
    let cold = if slot.cold { m.rules.cold_load } else { 0 };
    m.frame.gas.charge(m.rules.sload + cold)?;
    Ok([slot.value])
}

pub(crate) fn sstore(m: &mut Machine, [key, value]: [Word; 2]) -> Result<[Word; 0], Halt> {
    m.refuse_static()?;
    let prices = &m.rules.store;
    if prices.sentry > 0 && m.frame.gas.left() <= prices.sentry {
        return Err(Halt::OutOfGas);
    }
    // Written before it is paid: a frame that cannot pay is undone as a whole.
    let slot = m.host.store(m.frame.message.recipient, key, value);
    let cold = if slot.cold { m.rules.cold_store } else { 0 };
    m.frame.gas.charge(price(prices, &slot, value) + cold)?;
    m.frame.refund += refund(prices, &slot, value);
    Ok([])
}

fn price(prices: &StorePrices, slot: &Store, value: Word) -> u64 {
    if !prices.net {
        return if slot.before.is_zero() && !value.is_zero() {
            prices.set
        } else {
            prices.reset
        };
    }
    if slot.before == value || slot.original != slot.before {
        prices.dirty
    } else if slot.original.is_zero() {
        prices.set
    } else {
        prices.reset
    }
}

fn refund(prices: &StorePrices, slot: &Store, value: Word) -> i64 {
    let clears = !slot.before.is_zero() && value.is_zero();
    if !prices.net {
        return if clears { prices.clear_refund } else { 0 };
    }
    if slot.before == value {
        return 0;
    }
    if slot.original == slot.before {
        return if clears { prices.clear_refund } else { 0 };
    }
    let mut refund = 0;
    if !slot.original.is_zero() {
        if slot.before.is_zero() {
            refund -= prices.clear_refund;
        } else if value.is_zero() {
            refund += prices.clear_refund;
        }
    }
    if slot.original == value {
        let paid = if value.is_zero() {
            prices.set
        } else {
            prices.reset
        };
        refund += paid as i64 - prices.dirty as i64;
    }
    refund
}

pub(crate) fn tload(m: &mut Machine, [key]: [Word; 1]) -> Result<[Word; 1], Halt> {
    Ok([m.host.load_transient(m.frame.message.recipient, key)])
}

pub(crate) fn tstore(m: &mut Machine, [key, value]: [Word; 2]) -> Result<[Word; 0], Halt> {
    m.refuse_static()?;
    m.host
        .store_transient(m.frame.message.recipient, key, value);
    Ok([])
}

impl Machine<'_> {
    /// State changes are forbidden in static calls (EIP-214).
    pub(crate) fn refuse_static(&self) -> Result<(), Halt> {
        if self.frame.message.is_static {
            Err(Halt::StaticViolation)
        } else {
            Ok(())
        }
    }
}
