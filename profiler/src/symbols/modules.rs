//! Files whose code is in memory: where they are mapped, their symbol and line tables. `names` shortens the names.

use super::debug_files;
use super::names::{demangled, readable};
use super::{Frame, Origin};
use addr2line::Loader;
use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, SectionKind, SymbolKind};
use std::cell::OnceCell;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A file mapped as code. Its tables are read when they are first needed.
pub(super) struct Module {
    pub(super) memory: Range<u64>,
    /// Name of the file, for addresses without a function.
    pub(super) name: String,
    /// The file, and the offset in it of the first byte in `memory`; none for the vdso.
    pub(super) file: Option<(PathBuf, u64)>,
    loaded: OnceCell<Option<Loaded>>,
}

/// The tables of a file.
pub(super) struct Loaded {
    pub(super) loader: Loader,
    /// Address in memory minus address in the file.
    pub(super) bias: u64,
}

/// A file whose code is in memory, as an unwinder needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwindable {
    pub path: PathBuf,
    pub memory: Range<u64>,
    /// Address in memory minus address in the file.
    pub bias: u64,
}

/// A range of memory that a file was mapped to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub memory: Range<u64>,
    /// Offset of the first byte in the file.
    pub offset: u64,
    /// As the kernel names it.
    pub path: String,
    /// The file to read; none if no file was mapped (`[vdso]`), or it is not here.
    pub file: Option<PathBuf>,
}

impl Mapping {
    /// For an unwinder; none without a file.
    pub fn unwindable(&self) -> Option<Unwindable> {
        let path = self.file.clone()?;
        Some(Unwindable {
            bias: bias(&self.memory, &path, self.offset)?,
            memory: self.memory.clone(),
            path,
        })
    }
}

/// A function that exists in the binary, with its code.
#[derive(Clone, Debug)]
pub struct Function {
    /// The short name.
    pub name: String,
    /// Its address in memory, or in the file (see [`functions_of`]).
    pub address: u64,
    /// Its machine code.
    pub code: Vec<u8>,
}

impl Module {
    /// A line of proc_pid_maps(5): `start-end perms offset dev inode path`; none if it is not code.
    pub(super) fn parse(line: &str, own: &Path) -> Option<Self> {
        let mut fields = line.split_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let executable = fields.next()?.contains('x');
        let offset = hexadecimal(fields.next()?)?;
        let path = fields.nth(2)?;
        // A path may contain spaces: it extends to the end of the line.
        let path = &line[line.find(path)?..];
        let name = path.rsplit('/').next()?.trim_matches(['[', ']']).to_owned();
        let file = path.starts_with('/').then(|| {
            let is_own = Path::new(path) == own;
            let path = if is_own { OWN } else { path };
            (PathBuf::from(path), offset)
        });
        executable.then_some(Self {
            memory: hexadecimal(start)?..hexadecimal(end)?,
            name,
            file,
            loaded: OnceCell::new(),
        })
    }

    pub(super) fn mapped(mapping: Mapping) -> Self {
        let Mapping {
            memory,
            offset,
            path,
            file,
        } = mapping;
        let name = path.rsplit('/').next().unwrap_or(&path);
        Self {
            memory,
            name: name.trim_matches(['[', ']']).to_owned(),
            file: file.map(|file| (file, offset)),
            loaded: OnceCell::new(),
        }
    }

    /// Whether it is a file whose tables can be read.
    pub(super) fn has_code(&self) -> bool {
        self.loaded().is_some()
    }

    pub(super) fn is_own(&self) -> bool {
        let file = self.file.as_ref().map(|(path, _)| path.as_path());
        file == Some(Path::new(OWN))
    }

    pub(super) fn functions(&self, wanted: impl Fn(&str) -> bool) -> Vec<Function> {
        let (Some((path, _)), Some(loaded)) = (&self.file, self.loaded()) else {
            return Vec::new();
        };
        let mut functions = functions_of(path, wanted).unwrap_or_default();
        for function in &mut functions {
            function.address = function.address.wrapping_add(loaded.bias);
        }
        functions
    }

    pub(super) fn loaded(&self) -> Option<&Loaded> {
        self.loaded
            .get_or_init(|| {
                let (path, offset) = self.file.as_ref()?;
                let symbols = debug_files::with_symbols(path);
                let bytes = fs::read(&symbols).ok()?;
                let file = object::File::parse(&*bytes).ok()?;
                if !debug_files::unpacks(&file, bytes.len()) {
                    return None;
                }
                Some(Loaded {
                    loader: Loader::new(symbols).ok()?,
                    bias: bias(&self.memory, path, *offset)?,
                })
            })
            .as_ref()
    }

    pub(super) fn frames(&self, address: u64) -> Vec<Frame> {
        let Some(loaded) = self.loaded() else {
            return Vec::new();
        };
        let address = address.wrapping_sub(loaded.bias);
        let mut frames = loaded.line_table_frames(address);
        // The symbol table has names that line tables lack, and the exact instance of a generic
        // physical function.
        if let Some(symbol) = loaded.loader.find_symbol(address) {
            let function = readable(&demangled(symbol));
            match frames.first_mut() {
                Some(physical) => physical.function = function,
                None => frames.push(Frame::named(&function)),
            }
        }
        frames
    }
}

impl Loaded {
    /// Outermost first; empty if the file has no line tables for the address.
    fn line_table_frames(&self, address: u64) -> Vec<Frame> {
        let mut frames = Vec::new();
        let Ok(mut inner_first) = self.loader.find_frames(address) else {
            return frames;
        };
        while let Ok(Some(frame)) = inner_first.next() {
            let Some(name) = &frame.function else {
                continue;
            };
            let name = name.raw_name().map_or("[unknown]".into(), demangled);
            let file = frame.location.and_then(|at| at.file);
            frames.push(Frame {
                function: readable(&name),
                origin: Origin::of(file, &name),
            });
        }
        frames.reverse();
        frames
    }
}

/// The functions of a binary whose short name is wanted, by their address in the file. Of functions that the linker
/// folded into one, only one is returned.
///
/// # Errors
/// A file that cannot be read, or is not an object file.
pub fn functions_of(path: &Path, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<Function>> {
    let bytes = fs::read(path)?;
    let file = object::File::parse(&*bytes).map_err(io::Error::other)?;
    let code = |symbol: &object::Symbol<'_, '_>| {
        let section = file.section_by_index(symbol.section_index()?).ok()?;
        let code = section.data_range(symbol.address(), symbol.size());
        Some(code.ok()??.to_vec())
    };
    let mut functions: Vec<_> = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
        .filter_map(|symbol| {
            let name = readable(&demangled(symbol.name().ok()?));
            wanted(&name).then_some(())?;
            Some(Function {
                name,
                address: symbol.address(),
                code: code(&symbol)?,
            })
        })
        .collect();
    functions.sort_by_key(|function| function.address);
    functions.dedup_by_key(|function| function.address);
    Ok(functions)
}

/// Address in memory minus address in the file.
fn bias(memory: &Range<u64>, path: &Path, offset: u64) -> Option<u64> {
    Some(memory.start.wrapping_sub(address_of(path, offset)?))
}

/// The virtual address in the file of the byte at `offset`, the start of a code mapping. Segments need
/// not be at their offsets: linkers such as lld shift each by a page. Files that `perf inject --jit` writes may have
/// sections only.
fn address_of(path: &Path, offset: u64) -> Option<u64> {
    let bytes = fs::read(path).ok()?;
    let file = object::File::parse(&*bytes).ok()?;
    file.segments()
        .filter(|segment| segment.permissions().executable())
        .find_map(|segment| {
            let (start, size) = segment.file_range();
            // The kernel maps whole pages, so a mapping can start before its segment.
            let page = segment.align().max(1);
            let mapped = start - start % page..start.saturating_add(size);
            mapped
                .contains(&offset)
                .then(|| segment.address().wrapping_sub(start).wrapping_add(offset))
        })
        .or_else(|| {
            file.sections().find_map(|section| {
                let (start, size) = section.file_range()?;
                let bytes = start..start.saturating_add(size);
                let inside = section.kind() == SectionKind::Text && bytes.contains(&offset);
                inside.then(|| section.address().wrapping_sub(start).wrapping_add(offset))
            })
        })
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

/// The running binary, even if a build has replaced its file since.
pub(super) const OWN: &str = "/proc/self/exe";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_memory_map_is_a_module_if_it_is_code() {
        let own = Path::new("/opt/tool");
        let parse = |line| Module::parse(line, own);
        let module = parse("55d0-55f0 r-xp 00002000 fe:00 42   /opt/tool").unwrap();
        assert_eq!(module.memory, 0x55d0..0x55f0);
        assert_eq!(module.file, Some(("/proc/self/exe".into(), 0x2000)));
        let module = parse("1000-2000 r-xp 0 fe:00 42   /opt/a folder/libx.so.6").unwrap();
        assert_eq!(module.name, "libx.so.6");
        assert_eq!(module.file.unwrap().0, Path::new("/opt/a folder/libx.so.6"));
        let vdso = parse("7000-9000 r-xp 00000000 00:00 0   [vdso]").unwrap();
        assert_eq!((vdso.name.as_str(), vdso.file), ("vdso", None));
        assert!(parse("55d0-55f0 r--p 00002000 fe:00 42 /opt/tool").is_none());
        assert!(parse("7ff0-8000 rw-p 00000000 00:00 0").is_none());
    }
}
