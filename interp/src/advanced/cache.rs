//! Programs by code hash. What a program is, and how it is made, is told elsewhere.

use super::{Program, decode};
use crate::code::Code;
use crate::gas::Rules;
use crate::outcome::Statistics;
use alloy_primitives::B256;
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of programs kept, and what keeping them takes. Code that is not in use is decoded anew when it comes back: forgetting
/// everything at once needs no bookkeeping on the way.
const LIMIT: usize = 64 << 20;

/// What an entry takes besides its program's content, spare room of the table included.
const ENTRY: usize = size_of::<Program>() + 2 * size_of::<(B256, Option<Arc<Program>>)>();

/// The programs of one interpreter, hence of one fork.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    programs: HashMap<B256, Option<Arc<Program>>, foldhash::fast::RandomState>,
    bytes: usize,
}

impl Cache {
    /// The program of code, decoded where it is not known; `None` where decoding refuses the code.
    pub fn get(
        &mut self,
        code: &Code,
        rules: &Rules,
        statistics: &mut Statistics,
    ) -> Option<Arc<Program>> {
        let program = match self.programs.get(&code.hash()) {
            Some(known) => known.clone(),
            None => {
                let program = decode::decode(code, rules.fork).map(Arc::new);
                statistics.decoded += u64::from(program.is_some());
                self.keep(code.hash(), program.clone());
                program
            }
        };
        statistics.refused += u64::from(program.is_none());
        program
    }

    fn keep(&mut self, hash: B256, program: Option<Arc<Program>>) {
        let size = ENTRY + program.as_ref().map_or(0, |program| program.size());
        if self.bytes + size > LIMIT {
            self.programs = HashMap::default();
            self.bytes = 0;
        }
        self.bytes += size;
        self.programs.insert(hash, program);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fork::Fork;
    use crate::opcode::Opcode;

    fn get(cache: &mut Cache, code: &[u8]) -> Statistics {
        let mut statistics = Statistics::default();
        cache.get(&Code::new(code), &Rules::of(Fork::Osaka), &mut statistics);
        statistics
    }

    /// What the cache holds, counted anew.
    fn held(cache: &Cache) -> usize {
        let programs = cache.programs.values().flatten();
        cache.programs.len() * ENTRY + programs.map(|program| program.size()).sum::<usize>()
    }

    #[test]
    fn memory_is_bounded_whatever_is_decoded() {
        let mut cache = Cache::default();
        let mut forgot = false;
        for n in 0..400_u16 {
            let mut code = vec![Opcode::JUMPDEST.0; 24_576];
            code[1..3].copy_from_slice(&n.to_be_bytes());
            let before = cache.bytes;
            get(&mut cache, &code);
            assert_eq!(cache.bytes, held(&cache));
            assert!(cache.bytes <= LIMIT);
            forgot |= cache.bytes < before;
        }
        assert!(forgot, "the limit was never reached");
    }

    #[test]
    fn entries_without_a_program_count_too() {
        let mut cache = Cache::default();
        get(&mut cache, &vec![0; decode::LONGEST + 1]);
        assert!(cache.bytes >= size_of::<(B256, Option<Arc<Program>>)>());
    }

    #[test]
    fn statistics_tell_what_was_decoded_and_refused() {
        let mut cache = Cache::default();
        let (longest, too_long) = (vec![0; decode::LONGEST], vec![0; decode::LONGEST + 1]);
        for (code, decoded, refused) in [
            (&longest, 1, 0),
            (&longest, 0, 0),
            (&too_long, 0, 1),
            (&too_long, 0, 1),
        ] {
            let expected = Statistics {
                decoded,
                refused,
                ..Statistics::default()
            };
            assert_eq!(get(&mut cache, code), expected);
        }
    }
}
