//! Precompiled contracts, by the crate `revm-precompile`.

use crate::fork::Fork;
use crate::host::PrecompileResult;
use crate::outcome::Halt;
use crate::word::Word;
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

/// The highest address of a precompile (EIP-7951).
const LAST: u64 = 0x100;

/// The addresses of precompiles, which are warm in every transaction (EIP-2929), in ascending order. The
/// crate's own order varies between runs, and with it the indices of accounts and the counts of cache misses
/// would vary.
pub(super) fn addresses(fork: Fork) -> impl Iterator<Item = Address> {
    let all = of(fork);
    let small = (1..=LAST).map(|number| Word::from(number).to_address());
    small.filter(|address| all.get(address).is_some())
}

/// Runs the precompile at `address`; `None` if there is none.
pub(super) fn run(
    address: Address,
    input: &[u8],
    gas: u64,
    fork: Fork,
) -> Option<PrecompileResult> {
    // Most calls are not to precompiles.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_complete_and_in_ascending_order() {
        for fork in Fork::ALL {
            let found: Vec<_> = addresses(*fork).collect();
            assert!(found.is_sorted());
            assert_eq!(found.len(), of(*fork).len(), "{fork}");
        }
        assert_eq!(addresses(Fork::Frontier).count(), 4);
        assert_eq!(addresses(Fork::Osaka).count(), 18);
    }
}
