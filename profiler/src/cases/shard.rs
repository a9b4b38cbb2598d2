//! Shards: the part of a suite that one of several machines runs.

use std::fmt;
use std::str::FromStr;

/// Shard `number` of `of`, counted from 1: every `of`-th item, starting with the `number`-th. Neighbouring items often
/// take similar time, so this balances the shards better than contiguous ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: usize,
    of: usize,
}

impl Default for Shard {
    /// The whole suite.
    fn default() -> Shard {
        Shard { number: 1, of: 1 }
    }
}

impl Shard {
    /// The items of this shard, in their original order.
    pub fn select<T>(self, items: Vec<T>) -> Vec<T> {
        items
            .into_iter()
            .skip(self.number - 1)
            .step_by(self.of)
            .collect()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Shard, &'static str> {
        let numbers = text
            .split_once('/')
            .and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Shard { number, of }),
            _ => Err("use NUMBER/OF, such as 2/8: the second of eight"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_together_select_every_item_once() {
        let items: Vec<_> = (0..19).collect();
        for of in 1..25 {
            let shards = (1..=of).map(|number| Shard { number, of });
            let mut all: Vec<_> = shards
                .flat_map(|shard| shard.select(items.clone()))
                .collect();
            all.sort_unstable();
            assert_eq!(all, items, "of {of}");
        }
    }

    #[test]
    fn invalid_shards_are_refused() {
        assert_eq!("2/8".parse(), Ok(Shard { number: 2, of: 8 }));
        for text in ["", "2", "0/8", "9/8", "1/0", "-1/2", "a/b", "1/2/3"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
