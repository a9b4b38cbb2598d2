//! Names of code that a program generated while it ran: `perf-PID.map`, a line per function, and `jit-PID.dump`, which
//! has times too. The crate `linux-perf-data` reads the latter.
//!
//! Reads the files; the caller knows which process is meant.

use super::debug_files;
use linux_perf_data::jitdump::{
    JitDumpReader, JitDumpRecord, JitDumpRecordHeader, JitDumpRecordType,
};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

/// The generated functions of a process.
#[derive(Debug, Default)]
pub struct Generated {
    /// By start; those with the same start in the order in which they were made.
    functions: Vec<GeneratedFunction>,
    /// Bytes of the longest function.
    longest: u64,
}

#[derive(Debug)]
struct GeneratedFunction {
    memory: Range<u64>,
    /// When it was made, in the recording's time; 0 if unknown.
    made: u64,
    /// Position among all that were made.
    order: usize,
    name: String,
}

impl Generated {
    /// Adds the lines `START SIZE NAME` of a map, figures hexadecimal. Other lines are skipped, as `perf` does.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn add_map(&mut self, path: &Path) -> io::Result<()> {
        let text = fs::read(path)?;
        for line in String::from_utf8_lossy(&text).lines() {
            let mut fields = line.splitn(3, ' ');
            let mut figure = || {
                let digits = fields.next()?;
                u64::from_str_radix(digits.trim_start_matches("0x"), 16).ok()
            };
            if let (Some(start), Some(size)) = (figure(), figure())
                && let Some(name) = fields.next()
            {
                self.add(start, size, 0, name.trim().to_owned());
            }
        }
        self.sort();
        Ok(())
    }

    /// Adds the functions of a dump. If the recording's clock is another one, the times in it mean nothing.
    ///
    /// # Errors
    /// A file that cannot be read, or is not a dump.
    pub fn add_dump(&mut self, path: &Path, same_clock: bool) -> io::Result<()> {
        let mut reader = JitDumpReader::new(debug_files::open(path)?).map_err(io::Error::other)?;
        let mut names = HashMap::new();
        while let Some(header) = reader.next_record_header()? {
            // The reader relies on it.
            if (header.total_size as usize) < JitDumpRecordHeader::SIZE {
                return Err(io::Error::other("a record is smaller than its header"));
            }
            // A dump that is still written to ends in part of a record.
            let Some(record) = reader.next_record()? else {
                break;
            };
            let is_code = matches!(
                record.record_type,
                JitDumpRecordType::JIT_CODE_LOAD | JitDumpRecordType::JIT_CODE_MOVE
            );
            if !is_code {
                continue;
            }
            let made = if same_clock { record.timestamp } else { 0 };
            match record.parse() {
                Ok(JitDumpRecord::CodeLoad(load)) => {
                    let name = load.function_name.as_slice();
                    let name = String::from_utf8_lossy(&name).into_owned();
                    names.insert(load.code_index, name.clone());
                    self.add(load.code_addr, load.code_bytes.len() as u64, made, name);
                }
                Ok(JitDumpRecord::CodeMove(moved)) => {
                    if let Some(name) = names.get(&moved.code_index) {
                        self.add(moved.new_code_addr, moved.code_size, made, name.clone());
                    }
                }
                _ => {}
            }
        }
        self.sort();
        Ok(())
    }

    fn add(&mut self, start: u64, size: u64, made: u64, name: String) {
        self.longest = self.longest.max(size);
        self.functions.push(GeneratedFunction {
            memory: start..start.saturating_add(size),
            made,
            order: self.functions.len(),
            name,
        });
    }

    fn sort(&mut self) {
        self.functions.sort_by_key(|it| (it.memory.start, it.order));
    }

    /// The function at an address when a sample was taken, the one that was made last: its index.
    pub fn find(&self, address: u64, time: Option<u64>) -> Option<usize> {
        let end = self
            .functions
            .partition_point(|it| it.memory.start <= address);
        let before = self.functions[..end].iter().enumerate().rev();
        let near = before.take_while(|(_, it)| address - it.memory.start < self.longest.max(1));
        let there = near.filter(|(_, it)| {
            it.memory.contains(&address) && time.is_none_or(|time| it.made <= time)
        });
        let (index, _) = there.max_by_key(|(_, it)| (it.made, it.order))?;
        Some(index)
    }

    /// Whether no function is known.
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// The name of a function, by its index.
    pub fn name(&self, index: usize) -> Option<&str> {
        self.functions.get(index).map(|it| it.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_map_are_functions_and_the_last_one_counts() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let map = "1000 10 first loop 2\n0x1008 8 later\nnonsense\n2000 zz x\n3000 4\n";
        fs::write(file.path(), map).unwrap();
        let mut generated = Generated::default();
        generated.add_map(file.path()).unwrap();
        let name = |address| generated.name(generated.find(address, None)?);
        assert_eq!(name(0x1000), Some("first loop 2"));
        assert_eq!(name(0x1008), Some("later"));
        assert_eq!([name(0xfff), name(0x1010), name(0x3000)], [None; 3]);
    }

    #[test]
    fn code_that_was_replaced_has_the_name_of_its_time() {
        let mut generated = Generated::default();
        generated.add(0x1000, 0x20, 10, "early".to_owned());
        generated.add(0x1000, 0x10, 20, "late".to_owned());
        generated.sort();
        let name = |address, time| generated.name(generated.find(address, time)?);
        assert_eq!(name(0x1004, Some(15)), Some("early"));
        assert_eq!(name(0x1004, Some(25)), Some("late"));
        assert_eq!(name(0x1018, Some(25)), Some("early"));
        assert_eq!(name(0x1004, Some(5)), None);
        assert_eq!(name(0x1004, None), Some("late"));
    }
}
