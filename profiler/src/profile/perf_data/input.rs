//! The file of a recording: compressed or not, from standard input, in the format of a pipe, or cut short.
//!
//! Finds out what the file is and makes it readable; `records` evaluates what the crate `linux-perf-data` parses.

use super::PerfDataError;
use flate2::read::MultiGzDecoder;
use linux_perf_data::PerfFileReader;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The path that means standard input.
pub const STANDARD_INPUT: &str = "-";

/// A recording that is ready to be read.
pub(super) struct Input {
    pub(super) reader: PerfFileReader<BufReader<File>>,
    /// Whether its end is missing.
    pub(super) cut: bool,
}

/// Opens a recording.
pub(super) fn open(path: &Path) -> Result<Input, PerfDataError> {
    let read = |error| PerfDataError::Read {
        path: path.to_path_buf(),
        error,
    };
    let other = || PerfDataError::Other {
        path: path.to_path_buf(),
    };
    let mut file = seekable(path)?;
    let mut head = [0; HEADER as usize];
    let length = read_up_to(&mut file, &mut head).map_err(read)?;
    let Some((magic, rest)) = head[..length].split_first_chunk::<8>() else {
        return Err(other());
    };
    match magic {
        b"PERFILE2" => {}
        b"2ELIFREP" => {
            return Err(PerfDataError::BigEndian {
                path: path.to_path_buf(),
            });
        }
        _ => return Err(other()),
    }
    let pipe = word(rest, 0) == Some(PIPE_HEADER);
    let whole = match pipe {
        true => records(&mut file, PIPE_HEADER, None),
        false => whole_file(&mut file, &head[..length]),
    };
    let cut = match whole.map_err(read)? {
        Whole::Yes => false,
        // A record may say that more follows it than there is memory.
        Whole::UpTo(end) if pipe => {
            file = beginning(&mut file, end).map_err(read)?;
            true
        }
        Whole::UpTo(end) => {
            file = mended(&mut file, &head, end).map_err(read)?;
            true
        }
    };
    if !pipe {
        expect_lists(&mut file).map_err(|error| PerfDataError::Format {
            path: path.to_path_buf(),
            error: error.into(),
        })?;
    }
    file.rewind().map_err(read)?;
    let reader = match pipe {
        true => PerfFileReader::parse_pipe(BufReader::new(file)),
        false => PerfFileReader::parse_file(BufReader::new(file)),
    };
    let reader = reader.map_err(|error| PerfDataError::Format {
        path: path.to_path_buf(),
        error,
    })?;
    Ok(Input { reader, cut })
}

/// The recording as a file with random access, uncompressed. Pipes and compressed files are copied.
fn seekable(path: &Path) -> Result<File, PerfDataError> {
    let failed = |error| PerfDataError::Read {
        path: path.to_path_buf(),
        error,
    };
    let (mut source, is_file): (Box<dyn Read>, _) = match path.to_str() {
        Some(STANDARD_INPUT) => (Box::new(io::stdin().lock()), false),
        _ => {
            let file = File::open(path).map_err(failed)?;
            let is_file = file.metadata().map_err(failed)?.is_file();
            (Box::new(file), is_file)
        }
    };
    let mut head = [0; 6];
    let length = read_up_to(&mut source, &mut head).map_err(failed)?;
    let head = &head[..length];
    let compressed = COMPRESSED.iter().find(|(magic, _)| head.starts_with(magic));
    if let Some((_, tool)) = compressed {
        return Err(PerfDataError::Compressed {
            path: path.to_path_buf(),
            tool,
        });
    }
    let is_gzip = head.starts_with(&[0x1f, 0x8b]);
    if is_file && !is_gzip {
        return File::open(path).map_err(failed);
    }
    let mut source = head.chain(source);
    let mut copy = tempfile::tempfile().map_err(failed)?;
    match is_gzip {
        true => match io::copy(&mut MultiGzDecoder::new(source), &mut copy) {
            // What was unpacked so far is a recording that is cut short.
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
            _ => Ok(()),
        },
        false => io::copy(&mut source, &mut copy).map(drop),
    }
    .map_err(failed)?;
    copy.rewind().map_err(failed)?;
    Ok(copy)
}

/// First bytes of compressed files that are not unpacked here, and what unpacks them.
const COMPRESSED: [(&[u8], &str); 3] = [
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd -dc"),
    (&[0xfd, b'7', b'z', b'X', b'Z'], "xz -dc"),
    (b"BZh", "bzip2 -dc"),
];

/// Bytes of the header of a file, `perf_file_header`, and of a pipe.
const HEADER: u64 = 104;
const PIPE_HEADER: u64 = 16;

/// Whether the end of a recording is there.
enum Whole {
    Yes,
    /// No; its whole records end here.
    UpTo(u64),
}

/// Checks that the data, and the descriptions behind it, lie inside the file. `perf` fills in the length of the data
/// when it ends.
fn whole_file(file: &mut File, head: &[u8]) -> io::Result<Whole> {
    let (Some(start), Some(length)) = (word(head, 40), word(head, 48)) else {
        // Too short for a header; the parser says so.
        return Ok(Whole::Yes);
    };
    let size = file.metadata()?.len();
    let end = start.saturating_add(length);
    if length == 0 || end > size {
        return match records(file, start, None)? {
            Whole::Yes => Ok(Whole::UpTo(size)),
            cut => Ok(cut),
        };
    }
    // A section per feature, offset and length each.
    let features: u32 = (72..HEADER as usize)
        .step_by(8)
        .filter_map(|at| word(head, at))
        .map(u64::count_ones)
        .sum();
    let mut table = vec![0; 16 * features as usize];
    file.seek(SeekFrom::Start(end))?;
    let read = read_up_to(file, &mut table)?;
    let inside = (0..table.len()).step_by(16).all(|at| {
        let section = word(&table, at).zip(word(&table, at + 8));
        section.is_some_and(|(offset, length)| offset.saturating_add(length) <= size)
    });
    if read < table.len() || !inside {
        return Ok(Whole::UpTo(end));
    }
    records(file, start, Some(end))
}

/// Checks that the file is as long as the lists of events that its header and its descriptions count: the crate
/// allocates for them before it reads.
fn expect_lists(file: &mut File) -> io::Result<()> {
    const ATTRIBUTES: std::ops::RangeInclusive<u64> = 64..=1 << 16;
    let size = file.metadata()?.len();
    let mut head = [0; HEADER as usize];
    file.rewind()?;
    if read_up_to(file, &mut head)? < head.len() {
        // Too short for a header; the parser says so.
        return Ok(());
    }
    let field = |at| word(&head, at).unwrap_or(0);
    let inside = |at: u64, length: u64| at.checked_add(length).is_some_and(|end| end <= size);
    let wrong = |what| Err(io::Error::other(format!("its {what} are not in the file")));
    let attribute = field(16);
    if !ATTRIBUTES.contains(&attribute) || !inside(field(24), field(32)) {
        return wrong("events");
    }
    // The list of ids of each event, as older versions of perf had it.
    let entry = attribute + 16;
    let mut ids = 0_u64;
    for number in 0..field(64) / entry {
        let mut list = [0; 16];
        file.seek(SeekFrom::Start(
            field(56).saturating_add(number * entry + attribute),
        ))?;
        let read = read_up_to(file, &mut list)?;
        let (at, length) = (word(&list, 0).unwrap_or(0), word(&list, 8).unwrap_or(0));
        ids = ids.saturating_add(length);
        if read < list.len() || !inside(at, length) || ids > size {
            return wrong("ids");
        }
    }
    // The descriptions follow the data, in the order of their numbers.
    const EVENTS: usize = 12;
    let features = (0..256).filter(|bit| field(72 + bit / 64 * 8) >> (bit % 64) & 1 == 1);
    let mut sum = 0_u64;
    for (index, feature) in features.enumerate() {
        let mut section = [0; 16];
        let table = field(40).saturating_add(field(48));
        file.seek(SeekFrom::Start(table.saturating_add(16 * index as u64)))?;
        let read = read_up_to(file, &mut section)?;
        let (at, length) = (
            word(&section, 0).unwrap_or(0),
            word(&section, 8).unwrap_or(0),
        );
        sum = sum.saturating_add(length);
        if read < section.len() || !inside(at, length) || sum > size {
            return wrong("descriptions");
        }
        if feature == EVENTS {
            file.seek(SeekFrom::Start(at))?;
            let mut section = vec![0; length as usize];
            file.read_exact(&mut section)?;
            if events_end(&section).is_none_or(|end| end > length) {
                return wrong("descriptions of events");
            }
        }
    }
    Ok(())
}

/// Where the descriptions of events end that a section counts: u32 number, u32 size of the attributes; of each event its
/// attributes, u32 number of ids, u32 length of the name, the name, the ids.
fn events_end(section: &[u8]) -> Option<u64> {
    let half = |at: u64| -> Option<u64> {
        let bytes = section.get(usize::try_from(at).ok()?..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes).into())
    };
    let (number, attributes) = (half(0)?, half(4)?);
    if attributes < 64 {
        return None;
    }
    (0..number).try_fold(8, |at: u64, _| {
        let at = at + attributes;
        Some(at + 8 + half(at + 4)? + 8 * half(at)?)
    })
}

/// Walks over records: u32 kind, u16 flags, u16 size including these.
fn records(file: &mut File, start: u64, end: Option<u64>) -> io::Result<Whole> {
    const AUXTRACE: u32 = 71;
    let end = end.unwrap_or(file.metadata()?.len());
    let mut at = start;
    file.seek(SeekFrom::Start(start))?;
    let mut reader = BufReader::new(file);
    while at < end {
        let mut header = [0; 16];
        let read = read_up_to(&mut reader, &mut header[..8])?;
        let kind = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let size = u64::from(u16::from_le_bytes([header[6], header[7]]));
        if read < 8 || size < 8 {
            return Ok(Whole::UpTo(at));
        }
        let mut next = at.saturating_add(size);
        let mut ahead = size as i64 - 8;
        // Its data follows the record, which has their length first.
        if kind == AUXTRACE && size >= 16 {
            ahead -= read_up_to(&mut reader, &mut header[8..])? as i64;
            let length = word(&header, 8).unwrap_or(0);
            next = next.saturating_add(length);
            ahead = ahead.saturating_add_unsigned(length);
        }
        if next > end {
            return Ok(Whole::UpTo(at));
        }
        reader.seek_relative(ahead)?;
        at = next;
    }
    Ok(Whole::Yes)
}

/// A copy whose header says where the whole records end. Its descriptions are left out; the list of events with their
/// ids, which is at the beginning, is entered as the section that older versions of perf had for it.
fn mended(file: &mut File, head: &[u8; HEADER as usize], end: u64) -> io::Result<File> {
    const IDS: u64 = 16;
    let mut header = *head;
    let mut set = |at: usize, value: u64| header[at..at + 8].copy_from_slice(&value.to_le_bytes());
    let field = |at| word(head, at).unwrap_or(0);
    set(16, field(16).saturating_sub(IDS));
    set(48, end.saturating_sub(field(40)));
    set(56, field(24));
    set(64, field(32));
    (72..HEADER as usize).step_by(8).for_each(|at| set(at, 0));
    let mut copy = beginning(file, end)?;
    copy.rewind()?;
    copy.write_all(&header)?;
    Ok(copy)
}

/// A copy of a file up to `end`.
fn beginning(file: &mut File, end: u64) -> io::Result<File> {
    let mut copy = tempfile::tempfile()?;
    file.rewind()?;
    io::copy(&mut file.take(end), &mut copy)?;
    Ok(copy)
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let word = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*word))
}

/// Fills a buffer as far as there is something to read.
fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
