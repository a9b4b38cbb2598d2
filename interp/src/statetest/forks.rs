//! The tests' names of forks, with the blob schedule of each: how many blobs a block may hold, and how fast the base
//! fee of blob gas grows (EIP-4844, EIP-7691, EIP-7892).

use crate::fork::Fork;
use crate::word::Word;
use crate::world::transaction::checked_mul;
use serde::Deserialize;

/// The blob schedule of a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Schedule {
    /// Most blobs in a block.
    pub max: Word,
    base_fee_update_fraction: Word,
}

const fn schedule(max: u64, fraction: u64) -> Schedule {
    Schedule {
        max: Word([max, 0, 0, 0]),
        base_fee_update_fraction: Word([fraction, 0, 0, 0]),
    }
}

const CANCUN: Schedule = schedule(6, 3_338_477);
const PRAGUE: Schedule = schedule(9, 5_007_716);

/// Forks that change nothing but the blob schedule, with the fork whose rules they keep.
const BLOB_PARAMETERS_ONLY: [(&str, Fork, Schedule); 2] = [
    ("BPO1", Fork::Osaka, schedule(15, 8_346_193)),
    ("BPO2", Fork::Osaka, schedule(21, 11_684_671)),
];

/// The fork with this name in the test suites.
pub fn fork(name: &str) -> Option<Fork> {
    let mut forks = Fork::ALL.iter().copied();
    forks.find(|fork| fork.suite_names().contains(&name))
}

/// The rules and the blob schedule of a fork by its name in the tests.
pub(super) fn rules(name: &str) -> Option<(Fork, Schedule)> {
    if let Some(fork) = fork(name) {
        let prague = fork >= Fork::Prague;
        return Some((fork, if prague { PRAGUE } else { CANCUN }));
    }
    let mut forks = BLOB_PARAMETERS_ONLY.iter();
    forks
        .find(|row| row.0 == name)
        .map(|&(_, fork, schedule)| (fork, schedule))
}

impl Schedule {
    /// The base fee of blob gas: `e ^ (excess / fraction)`, by its Taylor series (EIP-4844). Saturates at
    /// 2^256 - 1, which nobody can pay.
    pub fn base_fee(&self, excess: Word) -> Word {
        let fraction = self.base_fee_update_fraction;
        let mut sum = Word::ZERO;
        let mut term = fraction;
        let mut i = 1u64;
        while !term.is_zero() {
            sum = sum.wrapping_add(term);
            let Some(product) = checked_mul(term, excess) else {
                return Word::MAX;
            };
            term = product.unsigned_div(fraction.wrapping_mul(Word::from(i)));
            i += 1;
        }
        sum.unsigned_div(fraction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_fee_grows_and_saturates() {
        let fee = |excess: u64| CANCUN.base_fee(excess.into());
        assert_eq!(fee(0), Word::ONE);
        assert_eq!(fee(2_314_057), Word::ONE);
        assert_eq!(fee(2_314_058), Word::from(2u64));
        assert_eq!(fee(10 * 1024 * 1024), Word::from(23u64));
        assert_eq!(fee(u64::MAX), Word::MAX);
    }

    #[test]
    fn more_blobs_mean_slower_growth() {
        let excess = Word::from(100 * 1024 * 1024u64);
        let fees = ["Cancun", "Prague", "BPO1", "BPO2"].map(|name| {
            let (_, schedule) = rules(name).unwrap();
            schedule.base_fee(excess)
        });
        assert!(fees.windows(2).all(|pair| pair[1].lt(pair[0])), "{fees:?}");
        assert_eq!(rules("BPO2").unwrap().0, Fork::Osaka);
        assert_eq!(rules("Atlantis"), None);
    }
}
