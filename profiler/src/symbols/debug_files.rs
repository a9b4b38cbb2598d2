//! Files beside a binary: the symbols and line tables that were stripped from it, and copies of builds that `perf`
//! keeps. They are found by build id, or by the name and checksum in the section `.gnu_debuglink`.
//!
//! Finds paths; `modules` reads the tables.

use flate2::Crc;
use object::{CompressionFormat, Object, ObjectSection};
use std::env;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Where distributions put separate files.
const SYSTEM: &str = "/usr/lib/debug";

/// The file with the symbols and line tables of a binary: the binary itself, unless they were stripped from it and a
/// file of the same build has them.
pub fn with_symbols(binary: &Path) -> PathBuf {
    separate(binary).unwrap_or_else(|| binary.to_path_buf())
}

/// The binary with a build id, from the copies that `perf record` makes.
pub fn of_build(id: &[u8]) -> Option<PathBuf> {
    let folder = by_build(&env::home_dir()?.join(".debug"), id)?;
    // Until perf 4.13 this was the file.
    let copies = [folder.join("elf"), folder];
    let is_copy = |copy: &PathBuf| build_id(copy).is_some_and(|own| same_build(id, &own));
    copies.into_iter().find(is_copy)
}

/// The build id of a file.
pub fn build_id(path: &Path) -> Option<Vec<u8>> {
    let bytes = read(path).ok()?;
    let file = object::File::parse(&*bytes).ok()?;
    Some(file.build_id().ok()??.to_vec())
}

/// Opens a file that a recording or a compiler's output names. Only a regular one: reading a device or a pipe may never
/// end.
///
/// # Errors
/// A file that cannot be read, or of another kind.
pub fn open(path: &Path) -> io::Result<File> {
    match fs::metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

/// The contents of such a file.
///
/// # Errors
/// As [`open`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether the sections of a file of some bytes unpack to what a compiler may have packed. Readers allocate the length
/// that a section states before they unpack it.
pub fn unpacks(file: &object::File<'_>, bytes: usize) -> bool {
    const LEAST: u64 = 32 << 20;
    const A_BYTE: u64 = 8;
    let packed = file.sections().filter_map(|it| it.compressed_data().ok());
    let packed = packed.filter(|it| it.format != CompressionFormat::None);
    let length = packed.fold(0, |sum: u64, it| sum.saturating_add(it.uncompressed_size));
    length <= LEAST + A_BYTE * bytes as u64
}

/// Whether two build ids are the same; recordings pad an id with zeros, or cut it.
pub fn same_build(recorded: &[u8], own: &[u8]) -> bool {
    let length = recorded.len().min(own.len());
    recorded[..length] == own[..length] && recorded[length..].iter().all(|&byte| byte == 0)
}

fn separate(binary: &Path) -> Option<PathBuf> {
    let bytes = read(binary).ok()?;
    let file = object::File::parse(&*bytes).ok()?;
    if has_symbols(&file) && file.has_debug_symbols() {
        return None;
    }
    let id = file.build_id().ok().flatten();
    let link = file.gnu_debuglink().ok().flatten();
    let name = link.and_then(|(name, _)| std::str::from_utf8(name).ok());
    let by_id = id.into_iter().flat_map(candidates_by_build);
    let by_name = name
        .into_iter()
        .flat_map(|name| candidates_by_name(binary, name));
    by_id.chain(by_name).find(|candidate| {
        let Ok(bytes) = read(candidate) else {
            return false;
        };
        let Ok(file) = object::File::parse(&*bytes) else {
            return false;
        };
        let same = match (id, file.build_id().ok().flatten()) {
            (Some(id), Some(own)) => id == own,
            _ => link.is_some_and(|(_, checksum)| checksum == crc(&bytes)),
        };
        same && has_symbols(&file)
    })
}

/// Whether it has the full table of symbols, not only the exported ones.
fn has_symbols(file: &object::File<'_>) -> bool {
    file.symbols().next().is_some()
}

fn candidates_by_build(id: &[u8]) -> Vec<PathBuf> {
    let system = by_build(Path::new(SYSTEM), id);
    let own = env::home_dir().and_then(|home| by_build(&home.join(".debug"), id));
    let debug = |path: &PathBuf| PathBuf::from(format!("{}.debug", path.display()));
    let named = system.iter().chain(&own).map(debug);
    let inside = own.iter().map(|folder| folder.join("debug"));
    named.chain(inside).collect()
}

/// `FOLDER/.build-id/xx/yyyy`.
fn by_build(folder: &Path, id: &[u8]) -> Option<PathBuf> {
    let (first, rest) = id.split_first()?;
    let hexadecimal =
        |bytes: &[u8]| -> String { bytes.iter().map(|it| format!("{it:02x}")).collect() };
    let folder = folder.join(".build-id").join(hexadecimal(&[*first]));
    Some(folder.join(hexadecimal(rest)))
}

fn candidates_by_name(binary: &Path, name: &str) -> Vec<PathBuf> {
    let binary = fs::canonicalize(binary).unwrap_or_else(|_| binary.to_path_buf());
    let Some(folder) = binary.parent() else {
        return Vec::new();
    };
    let system = Path::new(SYSTEM).join(folder.strip_prefix("/").unwrap_or(folder));
    [folder.to_path_buf(), folder.join(".debug"), system]
        .into_iter()
        .map(|folder| folder.join(name))
        // A link may have the name of the binary itself.
        .filter(|candidate| *candidate != binary)
        .collect()
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_that_states_more_than_can_be_packed_is_not_unpacked() {
        let fixture =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/small-compressed.elf");
        let mut bytes = read(&fixture).unwrap();
        let parse = |bytes: &[u8]| unpacks(&object::File::parse(bytes).unwrap(), bytes.len());
        assert!(parse(&bytes));
        // Elf64_Chdr of `.debug_info`: u32 type, u32 reserved, u64 size.
        const HEADER: usize = 0x260;
        bytes[HEADER + 8..HEADER + 16].copy_from_slice(&(1_u64 << 30).to_le_bytes());
        assert!(!parse(&bytes));
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &bytes).unwrap();
        let mapping = crate::symbols::Mapping {
            memory: 0x40_0000..0x40_1000,
            offset: 0,
            path: file.path().display().to_string(),
            file: Some(file.path().to_owned()),
        };
        let symbols = crate::symbols::Symbols::of_mappings([mapping], Default::default());
        let used = crate::instruments::heap::count(|| drop(symbols.frames(0x40_0110)));
        assert!(used.peak < 64 << 20, "{used:?}");
    }

    #[test]
    fn devices_are_not_read() {
        for path in ["/dev/zero", "/proc/../dev/zero", "/"] {
            let error = read(Path::new(path)).unwrap_err().to_string();
            assert_eq!(error, "it is not a regular file", "{path}");
        }
        assert!(build_id(Path::new("/dev/zero")).is_none());
    }

    #[test]
    fn build_ids_are_compared_as_far_as_the_kernel_keeps_them() {
        assert!(same_build(&[1, 2, 0, 0], &[1, 2]));
        assert!(same_build(&[1, 2], &[1, 2, 3]));
        assert!(!same_build(&[1, 2, 3], &[1, 2]));
        assert!(!same_build(&[1, 3], &[1, 2]));
    }

    #[test]
    fn the_checksum_is_that_of_the_section_gnu_debuglink() {
        // The check value of CRC-32.
        assert_eq!(crc(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn places_are_those_of_other_debuggers() {
        let places = candidates_by_name(Path::new("/opt/none/tool"), "tool.debug");
        let places: Vec<_> = places.iter().map(|it| it.to_str().unwrap()).collect();
        assert_eq!(
            places,
            [
                "/opt/none/tool.debug",
                "/opt/none/.debug/tool.debug",
                "/usr/lib/debug/opt/none/tool.debug"
            ]
        );
        let by_id = candidates_by_build(&[0xab, 0x01, 0xff]);
        assert_eq!(
            by_id[0],
            Path::new("/usr/lib/debug/.build-id/ab/01ff.debug")
        );
    }
}
