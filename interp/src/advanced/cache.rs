//! Programs by code hash. What a program is, and how it is made, is told elsewhere.

use super::{Program, decode};
use crate::code::Code;
use crate::gas::Rules;
use crate::outcome::Statistics;
use alloy_primitives::B256;
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of programs kept. Code that is not in use is decoded anew when it comes back: forgetting
/// everything at once needs no bookkeeping on the way.
const LIMIT: usize = 64 << 20;

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
        let hash = code.hash();
        if let Some(known) = self.programs.get(&hash) {
            return known.clone();
        }
        let program = decode::decode(code, rules.fork).map(Arc::new);
        statistics.decoded += 1;
        self.bytes += program.as_ref().map_or(0, |program| program.size());
        if self.bytes > LIMIT {
            self.programs.clear();
            self.bytes = program.as_ref().map_or(0, |program| program.size());
        }
        self.programs.insert(hash, program.clone());
        program
    }
}
