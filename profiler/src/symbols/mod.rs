//! Names of addresses: functions, inline frames, and the origin of their code.
//!
//! Reads the tables of binaries: memory map, symbols, lines, sections, machine code. `instruments` takes samples,
//! `profile` makes stacks of the names.

pub mod code_size;
pub mod debug_files;
pub mod disassembly;
mod generated;
pub mod handlers;
mod modules;
mod names;
pub mod sections;
mod shorten;

pub use generated::Generated;
pub use modules::{Function, Mapping, Unwindable, functions_of};
pub use names::demangled;

use modules::{Module, OWN};
use std::{fs, io};

/// One function at an address: the physical one, or one that was inlined into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The short name, see [`names::readable`].
    pub function: String,
    /// Where its code comes from.
    pub origin: Origin,
}

/// Where the code of a function comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This project, and all code not known to come from elsewhere.
    Own,
    /// The standard library and its dependencies.
    Standard,
    /// Another package, by the name of its folder: `indexmap-2.14.2`.
    Foreign(String),
    /// A file without a name for the address, or no file.
    Unknown,
}

/// The executable parts of this process's memory, with their symbols and line tables.
///
/// A file is loaded at the first look-up of an address in it. Code loaded after construction is unknown.
pub struct Symbols {
    modules: Vec<Module>,
    generated: Generated,
}

impl Symbols {
    /// Reads the memory map of this process.
    ///
    /// # Errors
    /// A `/proc` that cannot be read.
    pub fn of_this_process() -> io::Result<Self> {
        let own = fs::read_link(OWN)?;
        let modules = fs::read_to_string("/proc/self/maps")?
            .lines()
            .filter_map(|line| Module::parse(line, &own))
            .collect();
        Ok(Self {
            modules,
            generated: Generated::default(),
        })
    }

    /// The symbols of another process, from its mappings of code and the names of the code that it generated.
    pub fn of_mappings(mappings: impl IntoIterator<Item = Mapping>, generated: Generated) -> Self {
        // If mappings overlap, the last one counts.
        let mut modules: Vec<_> = mappings.into_iter().map(Module::mapped).collect();
        modules.reverse();
        Self { modules, generated }
    }

    /// The generated function at an address at a time, by its number; none at an address in a file.
    pub fn generated(&self, address: u64, time: Option<u64>) -> Option<usize> {
        if self.generated.is_empty() || self.module(address).is_some_and(Module::has_code) {
            return None;
        }
        self.generated.find(address, time)
    }

    /// The frames of a generated function, which has nothing inlined.
    pub fn generated_frames(&self, number: usize) -> Vec<Frame> {
        let name = self.generated.name(number).unwrap_or("unknown");
        vec![Frame::named(name)]
    }

    /// The functions at `address`, outermost first: the physical one, then what was inlined there.
    /// For a return address, pass the byte before it, which belongs to the call.
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

    /// The functions at an address in this binary's file, not in memory.
    pub fn frames_of_file(&self, address: u64) -> Vec<Frame> {
        let own = self.modules.iter().find(|module| module.is_own());
        let bias = own.and_then(Module::loaded);
        match bias {
            Some(loaded) => self.frames(address.wrapping_add(loaded.bias)),
            None => vec![Frame::unknown("unknown")],
        }
    }

    /// The functions of this program whose short name is wanted, by address. Of functions that the linker folded
    /// into one, only one is returned.
    pub fn functions(&self, wanted: impl Fn(&str) -> bool) -> Vec<Function> {
        let own = self.modules.iter().find(|module| module.is_own());
        own.map_or_else(Vec::new, |module| module.functions(wanted))
    }

    /// File and line of an address: of the innermost inline frame of this project, or else of the innermost one.
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
            let position = (file.to_owned(), line);
            if Origin::of(Some(file), &name) == Origin::Own {
                return Some(position);
            }
            innermost.get_or_insert(position);
        }
        innermost
    }

    /// The files in memory, for readers of their unwind tables.
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

    /// A function that its file has no name for.
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

    /// The function that defines a closure; any other function itself.
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
    /// By the path of the source: where the standard library was built according to rustc, or where
    /// cargo unpacks packages. Instructions without a line have no path; then the crate in the
    /// function's name identifies the standard library.
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
        // After the folder comes the registry or the repository, then the package or the revision.
        let package = PACKAGES
            .iter()
            .find_map(|folder| file?.split_once(folder)?.1.split('/').nth(1));
        package.map_or(Self::Own, |package| Self::Foreign(package.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_path_of_its_source_gives_the_origin_of_a_function() {
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

    /// A statically linked binary contains libc itself.
    #[cfg(not(target_feature = "crt-static"))]
    #[test]
    fn libc_is_found_by_its_symbol_table() {
        use object::{Object, ObjectSymbol};

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
        assert_eq!(symbols.frames(address)[0].function, "qsort");
    }
}
