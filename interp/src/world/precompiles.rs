//! Precompiled contracts, by the crate `revm-precompile`.

use crate::fork::Fork;
use crate::host::PrecompileResult;
use crate::outcome::Halt;
use alloy_primitives::Address;
use revm_precompile::{PrecompileSpecId, PrecompileStatus, Precompiles};

/// The precompiles of a fork.
fn of(fork: Fork) -> &'static Precompiles {
    Precompiles::new(match fork {
        Fork::Frontier | Fork::Homestead | Fork::TangerineWhistle | Fork::SpuriousDragon => {
            PrecompileSpecId::HOMESTEAD
        }
        Fork::Byzantium | Fork::Constantinople | Fork::Petersburg => PrecompileSpecId::BYZANTIUM,
        Fork::Istanbul => PrecompileSpecId::ISTANBUL,
        Fork::Berlin | Fork::London | Fork::Paris | Fork::Shanghai => PrecompileSpecId::BERLIN,
        Fork::Cancun => PrecompileSpecId::CANCUN,
        Fork::Prague => PrecompileSpecId::PRAGUE,
        Fork::Osaka => PrecompileSpecId::OSAKA,
    })
}

/// Their addresses, which every transaction finds warm (EIP-2929).
pub(super) fn addresses(fork: Fork) -> impl Iterator<Item = Address> {
    of(fork).addresses().copied()
}

/// Runs the precompile at `address`, if there is one.
pub(super) fn run(
    address: Address,
    input: &[u8],
    gas: u64,
    fork: Fork,
) -> Option<PrecompileResult> {
    // Nearly every call goes elsewhere, and all precompiles have small numbers for addresses.
    if address[..18] != [0; 18] {
        return None;
    }
    let result = of(fork).get(&address)?.execute(input, gas, 0);
    Some(match result {
        Ok(output) if matches!(output.status, PrecompileStatus::Success) => {
            Ok((output.gas_used, output.bytes))
        }
        _ => Err(Halt::Precompile),
    })
}
