//! Names of what addresses stand for: functions, inline frames, and whose code they are.
//!
//! Owns the tables of binaries: the memory map, symbols, lines, sections, machine code. Who sampled an address, and
//! how names become stacks, is left to the rooms above.

pub mod code_size;

pub mod disassembly;

pub mod handlers;

mod modules;

mod names;

pub mod sections;

mod shorten;

pub use modules::{Function, Mapping, Unwindable, functions_of};
use modules::{Module, OWN};
pub use names::demangled;
use std::fs;
use std::io;

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
    /// Of a file without a name for the address, or of no file.
    Unknown,
}

/// The executable parts of this process's memory, with their symbols and line tables.
///
/// A file is loaded when an address in it is looked up first. Code loaded after construction is
/// unknown.
pub struct Symbols {
    modules: Vec<Module>,
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

    /// The functions at `address`, outermost first: the physical one, then what was inlined there.
    /// For the return address of a caller, ask for the byte before it.
    pub fn frames(&self, address: u64) -> Vec<Frame> {
        let Some(module) = self.module(address) else {
            return vec![Frame::unknown("unknown")];
        };
        let frames = module.frames(address);
        if frames.is_empty() {
            return vec![Frame::unknown(&module.name)];
        }
        frames
    }

    /// The functions at an address of the file of this binary, as its symbol table counts them.
    pub fn frames_of_file(&self, address: u64) -> Vec<Frame> {
        let own = self.modules.iter().find(|module| module.is_own());
        let bias = own.and_then(Module::loaded);
        match bias {
            Some(loaded) => self.frames(address.wrapping_add(loaded.bias)),
            None => vec![Frame::unknown("unknown")],
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

impl Frame {
    fn named(function: &str) -> Self {
        Self {
            function: function.to_owned(),
            origin: Origin::Own,
        }
    }

    /// What stands for a function of a file that has no name for it.
    fn unknown(file: &str) -> Self {
        Self {
            function: format!("[{file}]"),
            origin: Origin::Unknown,
        }
    }

    /// Whether a symbol or a line table names it.
    pub fn has_name(&self) -> bool {
        self.origin != Origin::Unknown
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

#[cfg(test)]
mod tests {
    use super::*;
    use object::{Object, ObjectSymbol};

    #[test]
    fn this_test_is_found_by_its_address() {
        let symbols = Symbols::of_this_process().unwrap();
        let address = shorten::short_path as fn(&str) -> String as usize as u64;
        let frames = symbols.frames(address);
        assert_eq!(frames[0].function, "symbols::shorten::short_path");
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
        assert_eq!(symbols.frames(0), [Frame::unknown("unknown")]);
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
