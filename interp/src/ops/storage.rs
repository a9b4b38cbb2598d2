//! SLOAD, SSTORE (EIP-2200, EIP-2929, EIP-3529) and the transient pair (EIP-1153).

use crate::frame::Machine;
use crate::gas::StorePrices;
use crate::host::Store;
use crate::outcome::Halt;
use crate::word::Word;

pub(crate) fn sload(m: &mut Machine, [key]: [Word; 1]) -> Result<[Word; 1], Halt> {
    let slot = m.host.load(m.frame.context.message.recipient, key);
    let cold = if slot.cold { m.rules.cold_load } else { 0 };
    m.charge(m.rules.sload + cold)?;
    Ok([slot.value])
}

pub(crate) fn sstore(m: &mut Machine, [key, value]: [Word; 2]) -> Result<[Word; 0], Halt> {
    m.refuse_static()?;
    let prices = &m.rules.store;
    if prices.sentry > 0 && m.frame.gas.left() <= prices.sentry {
        return Err(Halt::OutOfGas);
    }
    m.stores += 1;
    // The write may precede the charge, because a frame that cannot pay is reverted completely.
    let slot = m.host.store(m.frame.context.message.recipient, key, value);
    let cold = if slot.cold { m.rules.cold_store } else { 0 };
    let (price, refund) = if prices.net {
        net(prices, &slot, value)
    } else {
        gross(prices, &slot, value)
    };
    m.charge(price + cold)?;
    m.frame.context.refund += refund;
    Ok([])
}

/// Price and refund from the current value (Yellow Paper, appendix G).
fn gross(prices: &StorePrices, slot: &Store, value: Word) -> (u64, i64) {
    match (slot.before.is_zero(), value.is_zero()) {
        (true, false) => (prices.set, 0),
        (false, true) => (prices.reset, prices.clear_refund),
        _ => (prices.reset, 0),
    }
}

/// Price and refund from the net change over the whole transaction (EIP-2200).
fn net(prices: &StorePrices, slot: &Store, value: Word) -> (u64, i64) {
    let Store {
        original, before, ..
    } = *slot;
    if before == value {
        return (prices.dirty, 0);
    }
    if original == before {
        return match (original.is_zero(), value.is_zero()) {
            (true, _) => (prices.set, 0),
            (false, true) => (prices.reset, prices.clear_refund),
            (false, false) => (prices.reset, 0),
        };
    }
    let mut refund = 0;
    if !original.is_zero() {
        if before.is_zero() {
            refund -= prices.clear_refund;
        } else if value.is_zero() {
            refund += prices.clear_refund;
        }
    }
    if original == value {
        let paid = if value.is_zero() {
            prices.set
        } else {
            prices.reset
        };
        refund += paid as i64 - prices.dirty as i64;
    }
    (prices.dirty, refund)
}

pub(crate) fn tload(m: &mut Machine, [key]: [Word; 1]) -> Result<[Word; 1], Halt> {
    Ok([m
        .host
        .load_transient(m.frame.context.message.recipient, key)])
}

pub(crate) fn tstore(m: &mut Machine, [key, value]: [Word; 2]) -> Result<[Word; 0], Halt> {
    m.refuse_static()?;
    m.host
        .store_transient(m.frame.context.message.recipient, key, value);
    Ok([])
}

impl Machine<'_> {
    /// Fails in a static call, where state changes are forbidden (EIP-214).
    pub(crate) fn refuse_static(&self) -> Result<(), Halt> {
        if self.frame.context.message.is_static {
            Err(Halt::StaticViolation)
        } else {
            Ok(())
        }
    }
}
