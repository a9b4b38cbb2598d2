//! Addresses of this process turned into function names, inline frames and whose code they are.
//!
//! Owns the memory map, the lookup and the cleaning of names for people. Who sampled the addresses,
//! and how names are folded into stacks, is not its business.

use addr2line::Loader;
use evmscope_interp::Opcode;
use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, SymbolKind};
use std::cell::OnceCell;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One function at an address: the physical one, or one that was inlined into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The name for people, see [`readable`].
    pub function: String,
    /// Whose code it is.
    pub origin: Origin,
}

/// Whose code a function is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This project's, and whatever is not known to be another's.
    Own,
    /// The standard library's, what it is built from included.
    Standard,
    /// Another package's, by the name of its folder: `indexmap-2.14.2`.
    Foreign(String),
}

/// The executable parts of this process's memory, with their symbols and line tables.
///
/// A file is loaded when an address in it is looked up first. Code loaded after construction is
/// unknown.
pub struct Symbols {
    modules: Vec<Module>,
}

struct Module {
    memory: Range<u64>,
    /// What the file is called in a stack where it names no function.
    name: String,
    /// The file, and what its first byte in `memory` has as an offset; none for the vdso.
    file: Option<(PathBuf, u64)>,
    loaded: OnceCell<Option<Loaded>>,
}

struct Loaded {
    loader: Loader,
    /// Address in memory minus address in the file.
    bias: u64,
}

impl Symbols {
    /// Reads the memory map of this process.
    pub fn of_this_process() -> io::Result<Self> {
        let own = fs::read_link(OWN)?;
        let modules = fs::read_to_string("/proc/self/maps")?
            .lines()
            .filter_map(|line| Module::parse(line, &own))
            .collect();
        Ok(Self { modules })
    }

    /// Of another process: what its memory was mapped to, code only.
    pub fn of_mappings(mappings: impl IntoIterator<Item = Mapping>) -> Self {
        // Where mappings replace each other, the last one holds.
        let mut modules: Vec<_> = mappings.into_iter().map(Module::mapped).collect();
        modules.reverse();
        Self { modules }
    }

    /// Whether a file is known for `address`, and has a name for it.
    pub fn names(&self, address: u64) -> bool {
        let module = self.module(address);
        module.is_some_and(|module| !module.frames(address).is_empty())
    }

    /// The functions at `address`, outermost first: the physical one, then what was inlined there.
    /// For the return address of a caller, ask for the byte before it.
    pub fn frames(&self, address: u64) -> Vec<Frame> {
        let Some(module) = self.module(address) else {
            return vec![Frame::named("[unknown]")];
        };
        let frames = module.frames(address);
        if frames.is_empty() {
            return vec![Frame::named(&format!("[{}]", module.name))];
        }
        frames
    }

    /// The functions at an address of the file of this binary, as its symbol table counts them.
    pub fn frames_of_file(&self, address: u64) -> Vec<Frame> {
        let own = self.modules.iter().find(|module| module.is_own());
        let bias = own.and_then(Module::loaded);
        match bias {
            Some(loaded) => self.frames(address.wrapping_add(loaded.bias)),
            None => vec![Frame::named("[unknown]")],
        }
    }

    /// The functions of this program whose name for people passes, by address. Of functions that the linker
    /// folded into one, one is told.
    pub fn functions(&self, wanted: impl Fn(&str) -> bool) -> Vec<Function> {
        let own = self.modules.iter().find(|module| module.is_own());
        own.map_or_else(Vec::new, |module| module.functions(wanted))
    }

    /// File and line of an address, in this project's code where an inline frame there is of it.
    pub fn line(&self, address: u64) -> Option<(String, u32)> {
        let loaded = self.module(address)?.loaded()?;
        let mut frames = loaded
            .loader
            .find_frames(address.wrapping_sub(loaded.bias))
            .ok()?;
        let mut innermost = None;
        while let Ok(Some(frame)) = frames.next() {
            let name = frame
                .function
                .as_ref()
                .and_then(|name| name.raw_name().ok());
            let name = name.map_or(String::new(), demangled);
            let Some(at) = frame.location else { continue };
            let (Some(file), Some(line)) = (at.file, at.line) else {
                continue;
            };
            let place = (file.to_owned(), line);
            if Origin::of(Some(file), &name) == Origin::Own {
                return Some(place);
            }
            innermost.get_or_insert(place);
        }
        innermost
    }

    /// The raw entry of the symbol table that covers `address`.
    pub fn symbol(&self, address: u64) -> Option<&str> {
        let loaded = self.module(address)?.loaded()?;
        loaded.loader.find_symbol(address.wrapping_sub(loaded.bias))
    }

    /// The files that are known, for whoever reads other tables of them.
    pub fn unwindable(&self) -> Vec<Unwindable> {
        let of = |module: &Module| {
            Some(Unwindable {
                path: module.file.as_ref()?.0.clone(),
                memory: module.memory.clone(),
                bias: module.loaded()?.bias,
            })
        };
        self.modules.iter().filter_map(of).collect()
    }

    fn module(&self, address: u64) -> Option<&Module> {
        let found = |module: &&Module| module.memory.contains(&address);
        self.modules.iter().find(found)
    }
}

/// A file whose code is in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwindable {
    pub path: PathBuf,
    pub memory: Range<u64>,
    /// Address in memory minus address in the file.
    pub bias: u64,
}

/// A part of memory that a file was mapped to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub memory: Range<u64>,
    /// What the first byte has as an offset in the file.
    pub offset: u64,
    /// As the kernel names it; `[vdso]` and its like are no file.
    pub path: String,
}

/// A function that exists in the binary, with its code.
#[derive(Clone, Debug)]
pub struct Function {
    /// The name for people.
    pub name: String,
    /// Where it is in memory.
    pub address: u64,
    /// Its instructions.
    pub code: Vec<u8>,
}

impl Frame {
    fn named(function: &str) -> Self {
        Self {
            function: function.to_owned(),
            origin: Origin::Own,
        }
    }

    /// The function that a closure is written in; any other function itself.
    pub fn definer(&self) -> &str {
        let mut name = self.function.as_str();
        while name.ends_with('}')
            && let Some(closure) = name.rfind("::{")
        {
            name = &name[..closure];
        }
        name
    }
}

impl Origin {
    /// Told by the path of the source: where rustc says the standard library was built, or where
    /// cargo unpacks packages. Instructions that the compiler gave no line have no path; then the
    /// crate in the function's name tells the standard library.
    fn of(file: Option<&str>, function: &str) -> Self {
        const BUILT: &[&str] = &["/rustc/", "/rust/deps/"];
        const SOURCES: &str = "/lib/rustlib/src/rust/library/";
        const CRATES: &[&str] = &["core::", "alloc::", "std::"];
        const PACKAGES: &[&str] = &["/registry/src/", "/git/checkouts/"];
        let begins = |text: &str, with: &[&str]| with.iter().any(|start| text.starts_with(start));
        let standard = match file {
            Some(file) => begins(file, BUILT) || file.contains(SOURCES),
            None => begins(function, CRATES),
        };
        if standard {
            return Self::Standard;
        }
        // Behind the folder comes the registry or the repository, then the package or the revision.
        let package = PACKAGES
            .iter()
            .find_map(|folder| file?.split_once(folder)?.1.split('/').nth(1));
        package.map_or(Self::Own, |package| Self::Foreign(package.to_owned()))
    }
}

impl Module {
    /// One line of proc_pid_maps(5): `start-end perms offset dev inode path`; none if not code.
    fn parse(line: &str, own: &Path) -> Option<Self> {
        let mut fields = line.split_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let executable = fields.next()?.contains('x');
        let offset = hexadecimal(fields.next()?)?;
        let path = fields.nth(2)?;
        // A path may hold spaces: take the line from where it begins.
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

    fn mapped(mapping: Mapping) -> Self {
        let Mapping {
            memory,
            offset,
            path,
        } = mapping;
        let name = path.rsplit('/').next().unwrap_or(&path);
        Self {
            memory,
            name: name.trim_matches(['[', ']']).to_owned(),
            file: path.starts_with('/').then(|| (PathBuf::from(path), offset)),
            loaded: OnceCell::new(),
        }
    }

    fn is_own(&self) -> bool {
        let file = self.file.as_ref().map(|(path, _)| path.as_path());
        file == Some(Path::new(OWN))
    }

    fn functions(&self, wanted: impl Fn(&str) -> bool) -> Vec<Function> {
        let (Some((path, _)), Some(loaded)) = (&self.file, self.loaded()) else {
            return Vec::new();
        };
        let mut functions = functions_of(path, wanted).unwrap_or_default();
        for function in &mut functions {
            function.address = function.address.wrapping_add(loaded.bias);
        }
        functions
    }

    fn loaded(&self) -> Option<&Loaded> {
        self.loaded
            .get_or_init(|| {
                let (path, offset) = self.file.as_ref()?;
                Some(Loaded {
                    loader: Loader::new(path).ok()?,
                    bias: self.memory.start.wrapping_sub(address_of(path, *offset)?),
                })
            })
            .as_ref()
    }

    fn frames(&self, address: u64) -> Vec<Frame> {
        let Some(loaded) = self.loaded() else {
            return Vec::new();
        };
        let address = address.wrapping_sub(loaded.bias);
        let mut frames = loaded.line_table_frames(address);
        // The symbol table has names where line tables have none, and knows better which instance
        // of a generic function the physical one is.
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
    /// Outermost first; empty where the file has no line tables for the address.
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

/// The functions of a binary whose name for people passes, by the address that the file gives them. Of those
/// that the linker folded into one, one is told.
///
/// # Errors
/// A file that cannot be read, or holds no program.
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

/// The address that the byte at `offset`, the start of a code mapping, has in the file's own terms.
/// Segments need not lie at their offsets: linkers such as lld shift each by a page.
fn address_of(path: &Path, offset: u64) -> Option<u64> {
    let bytes = fs::read(path).ok()?;
    let file = object::File::parse(&*bytes).ok()?;
    file.segments()
        .filter(|segment| segment.permissions().executable())
        .find_map(|segment| {
            let (start, size) = segment.file_range();
            // The kernel maps whole pages, so a mapping can begin before its segment.
            let page = segment.align().max(1);
            let mapped = start - start % page..start + size;
            mapped
                .contains(&offset)
                .then(|| segment.address().wrapping_sub(start).wrapping_add(offset))
        })
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

/// The binary that runs, even if a build has replaced its file since.
const OWN: &str = "/proc/self/exe";

/// Longest name that keeps its generic arguments.
const LONGEST: usize = 72;

/// A symbol's full name, without its hash.
pub fn demangled(symbol: impl AsRef<str>) -> String {
    let symbol = symbol.as_ref();
    if let Ok(demangled) = rustc_demangle::try_demangle(symbol) {
        return format!("{demangled:#}");
    }
    // Of other EVMs, and of libraries in C++. Without the prefix it would read a function `g` as a type.
    let cpp = symbol
        .starts_with("_Z")
        .then(|| cpp_demangle::Symbol::new(symbol).ok()?.demangle().ok());
    cpp.flatten().unwrap_or_else(|| symbol.to_owned())
}

/// A full name as people read it: the crate and the outer modules cut off the path (three segments
/// stay), types by their last segment, long generic arguments as `<…>`, `<T as Trait>::f` as `T::f`. The
/// handler of an opcode is called by its mode and the opcode: `traditional ADD`.
fn readable(name: &str) -> String {
    if let Some(name) = handler(name) {
        return name;
    }
    let name = short_path(name);
    if name.chars().count() <= LONGEST {
        return name;
    }
    without_arguments(&name)
}

/// `advanced SLOAD (apart)` for `evmscope_interp::advanced::handlers::apart::SLOAD::<..>`; what follows the
/// opcode stays, so that a closure is still one.
fn handler(name: &str) -> Option<String> {
    let path = name.strip_prefix("evmscope_interp::")?;
    let (mode, path) = path.split_once("::")?;
    let path = path.strip_prefix("run::").unwrap_or(path);
    let path = path.strip_prefix("handlers::").unwrap_or(path);
    let (kind, path) = path.split_once("::")?;
    let mut segments = split_outside_brackets(path).into_iter();
    let opcode = segments.next()?;
    // As the folders of handlers in `traditional.rs` and `advanced/handlers.rs` are called.
    let kind = match kind {
        "op" | "memory_op" => "",
        "apart" | "outlined" => " (apart)",
        "called" => " (called)",
        "grown" => " (memory grows)",
        "grown_apart" | "grow_outlined" => " (memory grows, apart)",
        _ => return None,
    };
    Opcode::from_name(&opcode)?;
    let rest = segments.filter(|segment| !segment.starts_with('<'));
    let rest: String = rest.map(|segment| format!("::{segment}")).collect();
    Some(format!("{mode} {opcode}{kind}{rest}"))
}

/// Cuts a path down to its last segments, and each type in it to its name.
fn short_path(path: &str) -> String {
    const KEPT: usize = 3;
    let mut segments = split_outside_brackets(path);
    // `f::<T>` is one segment.
    for i in (1..segments.len()).rev() {
        if segments[i].starts_with('<') && !segments[i].starts_with("<impl") {
            let arguments = segments.remove(i);
            segments[i - 1].push_str(&arguments);
        }
    }
    let closures = segments
        .iter()
        .rev()
        .take_while(|s| s.starts_with('{'))
        .count();
    if segments.len() - closures > 2 && !segments[0].starts_with('<') {
        segments.remove(0);
    }
    let kept = segments.len().saturating_sub(KEPT + closures);
    let segments: Vec<_> = segments[kept..].iter().map(|s| short_segment(s)).collect();
    segments.join("::")
}

/// `<a::T as b::Trait>` to `T`, `<a::T>` to `T`, `f<a::T>` to `f<T>`.
fn short_segment(segment: &str) -> String {
    let is_self_type = segment.starts_with('<') && segment.ends_with('>');
    if !is_self_type || segment.starts_with("<impl") {
        return short_types(segment);
    }
    let inner = &segment[1..segment.len() - 1];
    let as_trait =
        nested(inner).find(|&(i, _, depth)| depth == 0 && inner[i..].starts_with(" as "));
    short_types(as_trait.map_or(inner, |(i, ..)| &inner[..i]))
}

/// Every path in the text replaced by its last segment.
fn short_types(text: &str) -> String {
    let mut short = String::new();
    let mut word = 0;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("::") {
            // After a bracket (`<T as Trait>::Item`, `f::<T>`) there is no word to drop.
            let turbofish = after.starts_with('<');
            if !turbofish && short.len() > word {
                short.truncate(word);
            } else if !turbofish {
                short.push_str("::");
            }
            rest = after;
            continue;
        }
        short.push(c);
        rest = &rest[c.len_utf8()..];
        if !(c.is_alphanumeric() || c == '_' || c == '$') {
            word = short.len();
        }
    }
    short
}

/// Everything between outermost angle brackets replaced by `…`.
fn without_arguments(name: &str) -> String {
    let mut short = String::new();
    let mut outermost = ' ';
    let mut last_depth = 0;
    for (_, c, depth) in nested(name) {
        if depth == 1 && last_depth == 0 {
            outermost = c;
            short.push_str(if c == '<' { "<…>" } else { "" });
        }
        if depth == 0 || outermost != '<' {
            short.push(c);
        }
        last_depth = depth;
    }
    short
}

/// Splits at each `::` that no bracket encloses.
fn split_outside_brackets(path: &str) -> Vec<String> {
    let mut segments = Vec::new();
    let mut start = 0;
    for (i, _, depth) in nested(path) {
        if depth == 0 && i >= start && path[i..].starts_with("::") {
            segments.push(path[start..i].to_owned());
            start = i + 2;
        }
    }
    segments.push(path[start..].to_owned());
    segments
}

/// Each character with its place and the number of brackets around it; a bracket is inside itself.
fn nested(text: &str) -> impl Iterator<Item = (usize, char, u32)> {
    let mut depth = 0u32;
    let mut last = ' ';
    text.char_indices().map(move |(i, c)| {
        // The arrow of a function type closes nothing.
        let arrow = last == '-' && c == '>';
        last = c;
        depth += u32::from("<([{".contains(c));
        let here = depth;
        if !arrow && ">)]}".contains(c) {
            depth = depth.saturating_sub(1);
        }
        (i, c, here)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_still_tell_which() {
        let names = [
            // Symbols of both manglings.
            "_ZN15evmscope_interp3ops10arithmetic3mul17h0123456789abcdefE",
            "_RNvNtNtCs1234_15evmscope_interp3ops10arithmetic3mul",
            // Demangled names.
            "evmscope_interp::traditional::execute::<evmscope_interp::world::World>",
            "evmscope_interp::traditional::op::ADD::<evmscope_interp::trace::NoTracer>",
            "evmscope_interp::advanced::handlers::op::PUSH1",
            "evmscope_interp::advanced::handlers::apart::SLOAD::{closure#0}",
            "evmscope_interp::advanced::handlers::grown_apart::MLOAD::<true, 3>::{closure#0}",
            "evmscope_interp::advanced::handlers::compute::<evmscope_interp::ops::arithmetic::add>",
            "<evmscope_interp::world::World as evmscope_interp::host::Host>::sload",
            "<evmscope_interp::word::Word>::sdiv",
            "core::num::<impl u64>::carrying_add",
            "<alloc::vec::Vec<evmscope_interp::frame::Frame>>::push",
            "keccak_asm::permute",
            "main",
            "__memmove_avx512_unaligned_erms",
            "core::ptr::drop_in_place::<alloc::vec::Vec<u8>>",
            "evmscope::runner::run::{closure#0}::{closure#1}",
            "evmscope::main::{closure#0}",
            "<[u8; 32] as core::convert::From<evmscope_interp::word::Word>>::from",
            "<&mut dyn core::ops::FnMut(u8) -> u64 as core::ops::FnMut<(u8,)>>::call_mut",
            "evmscope_interp::host::adapt::<fn(evmscope_interp::word::Word) -> u64>::{closure#0}",
            "evmscope_interp::advanced::execute::run::<evmscope_interp::world::journal::Journal, \
             evmscope_interp::host::tracing::Tracing<alloc::vec::Vec<u8>, 32>>",
            "evmscope_interp::advanced::execute::run::<evmscope_interp::world::journal::Journal, \
             evmscope_interp::host::tracing::Tracing<alloc::vec::Vec<evmscope_interp::frame::Frame>>>",
        ];
        let table: Vec<_> = names
            .map(|name| format!("{name}\n    {}", readable(&demangled(name))))
            .into();
        insta::assert_snapshot!(table.join("\n"));
    }

    #[test]
    fn a_line_of_the_map_is_code_or_nothing() {
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

    #[test]
    fn this_test_is_found_by_its_address() {
        let symbols = Symbols::of_this_process().unwrap();
        let address = short_path as fn(&str) -> String as usize as u64;
        let frames = symbols.frames(address);
        assert_eq!(frames[0].function, "symbols::short_path");
        assert_eq!(frames[0].origin, Origin::Own);
        let bias = symbols.module(address).unwrap().loaded().unwrap().bias;
        assert_eq!(symbols.frames_of_file(address - bias), frames);
    }

    #[test]
    fn a_function_belongs_to_whoever_has_its_source() {
        let foreign = |package: &str| Origin::Foreign(package.to_owned());
        let home = "/home/me/.cargo";
        let sources = "/home/me/.rustup/toolchains/stable/lib/rustlib/src/rust/library";
        for (file, origin) in [
            (
                "/rustc/59807616e1fa/library/core/src/ptr/mod.rs",
                Origin::Standard,
            ),
            ("/rust/deps/hashbrown-0.17.0/src/raw.rs", Origin::Standard),
            (&format!("{sources}/alloc/src/vec/mod.rs"), Origin::Standard),
            (
                &format!("{home}/registry/src/index.crates.io-1949cf/revm-43.0.3/src/lib.rs"),
                foreign("revm-43.0.3"),
            ),
            (
                &format!("{home}/git/checkouts/revm-0123abcd/89ef012/src/lib.rs"),
                foreign("89ef012"),
            ),
            ("/home/me/evmscope/interp/src/library/core.rs", Origin::Own),
        ] {
            assert_eq!(Origin::of(Some(file), "core::f"), origin, "{file}");
        }
        assert_eq!(
            Origin::of(None, "core::ptr::read_volatile"),
            Origin::Standard
        );
        assert_eq!(Origin::of(None, "evmscope_interp::core::f"), Origin::Own);
    }

    #[test]
    fn an_address_outside_every_file_is_unknown() {
        let symbols = Symbols::of_this_process().unwrap();
        assert_eq!(symbols.frames(0), [Frame::named("[unknown]")]);
    }

    /// A statically linked binary holds its libc itself.
    #[cfg(not(target_feature = "crt-static"))]
    #[test]
    fn libc_is_found_by_its_symbol_table() {
        let symbols = Symbols::of_this_process().unwrap();
        let libc = symbols
            .modules
            .iter()
            .find(|m| m.name.starts_with("libc.so"))
            .unwrap();
        let bytes = fs::read(&libc.file.as_ref().unwrap().0).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        let qsort = file
            .dynamic_symbols()
            .find(|s| s.name() == Ok("qsort"))
            .unwrap();
        let address = libc.loaded().unwrap().bias + qsort.address();
        assert_eq!(symbols.symbol(address), Some("qsort"));
        assert_eq!(symbols.frames(address)[0].function, "qsort");
    }
}
