//! Malformed inputs: valid ones with seeded damage, so that a number means the same input on every machine.
//!
//! Knows bytes and a little of text, no format; `readers` has the valid inputs.

/// Longest input, bytes.
const LONGEST: usize = 256 << 10;

/// Most repetitions of a piece, and deepest nesting.
const MOST: usize = 20_000;

/// SplitMix64 (Steele, Lea, Flood 2014): its numbers never change, those of a crate may.
pub struct Dice(u64);

impl Dice {
    /// For the input with a number of a reader.
    pub fn new(reader: &str, number: u64) -> Dice {
        let name = reader.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut dice = Dice(name ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is at least 1.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let at = self.below(from.len());
        &from[at]
    }

    /// A range of at most `longest` within `length`; empty if there is nothing.
    fn range(&mut self, length: usize, longest: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let end = start + self.below((length - start).min(longest) + 1);
        start..end
    }
}

/// A number from its extremes and from those of the sizes of things.
fn extreme(dice: &mut Dice, length: usize) -> u64 {
    let length = length as u64;
    let known = [
        0,
        1,
        7,
        8,
        0x7f,
        0xff,
        0x7fff,
        0xffff,
        1 << 20,
        1 << 28,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        1 << 32,
        1 << 40,
        i64::MAX as u64,
        1 << 63,
        u64::MAX - 7,
        u64::MAX - 1,
        u64::MAX,
        length,
        length + 1,
        length.saturating_sub(1),
        length / 2,
    ];
    *dice.pick(&known)
}

/// Numbers as texts have them.
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "-1",
    "1e999",
    "-1e-999",
    "NaN",
    "Infinity",
    "255",
    "256",
    "65536",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "0xffffffffffffffff",
    "115792089237316195423570985008687907853269984665640564039457584007913129639936",
    "1.7976931348623157e308",
    "4.9e-324",
    "00000000000000000000000000000000001",
];

/// Values of another type, separators, and text that a terminal, a page or a path would obey.
const TOKENS: &[&str] = &[
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "[[]]",
    "{\"\":0}",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"",
    "\\",
    "'",
    ",",
    ":",
    ";",
    "\n",
    "\r\n",
    "\0",
    "\u{1b}[2J",
    "\u{202e}",
    "</script><script>",
    "| x |",
    "../../../../..",
    "/",
    "0x",
    "@",
    "=",
    "(1)",
    "+",
    "*",
    "\u{feff}",
    "\u{1f600}",
];

/// Bytes that are not UTF-8: cut, overlong, a surrogate, beyond the last character.
const NOT_UTF8: &[&[u8]] = &[
    &[0xff],
    &[0xc3],
    &[0xc0, 0x80],
    &[0xed, 0xa0, 0x80],
    &[0xf4, 0x90, 0x80, 0x80],
];

const NESTING: &[(&str, &str)] = &[
    ("[", "]"),
    ("{\"a\":", "}"),
    ("[{\"nodes\":", "}]"),
    ("(", ")"),
    ("{", "}"),
    ("a.", ""),
    ("[[", "]]"),
    ("-", ""),
    (" ", ""),
    ("\n", ""),
];

/// The input with a number: one of the valid ones, damaged once to eight times.
pub fn input(reader: &str, seeds: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut dice = Dice::new(reader, number);
    let mut bytes = dice.pick(seeds).clone();
    let times = 1 + dice.below(8).min(dice.below(8));
    for _ in 0..times {
        damage(&mut dice, &mut bytes, seeds);
        bytes.truncate(LONGEST);
    }
    bytes
}

fn damage(dice: &mut Dice, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let length = bytes.len();
    match dice.below(16) {
        0 | 1 if length > 0 => {
            let at = dice.below(length);
            bytes[at] ^= 1 << dice.below(8);
        }
        2 if length > 0 => {
            let at = dice.below(length);
            bytes[at] = dice.next() as u8;
        }
        3 => bytes.truncate(dice.below(length + 1)),
        4..=6 => field(dice, bytes),
        7 => {
            let other = dice.pick(seeds).clone();
            let tail = dice.below(other.len() + 1);
            bytes.truncate(dice.below(length + 1));
            bytes.extend_from_slice(&other[tail..]);
        }
        8 => {
            let range = dice.range(length, 64);
            let times = *dice.pick(&[1, 2, 3, 16, 256, MOST]);
            let room = (LONGEST / range.len().max(1)).min(times);
            let piece = bytes[range.clone()].repeat(room);
            bytes.splice(range.end..range.end, piece);
        }
        9 => {
            let range = dice.range(length, 256);
            bytes.drain(range);
        }
        10 => {
            let piece = bytes[dice.range(length, 256)].to_vec();
            let target = dice.range(length, 256);
            bytes.splice(target, piece);
        }
        11 | 12 => number(dice, bytes),
        13 => {
            let target = dice.range(length, 8);
            let token = if dice.below(4) == 0 {
                dice.pick(NOT_UTF8).to_vec()
            } else {
                dice.pick(TOKENS).as_bytes().to_vec()
            };
            bytes.splice(target, token);
        }
        14 => {
            let (open, close) = *dice.pick(NESTING);
            let depth = *dice.pick(&[100, 200, 2_000, MOST]);
            let range = dice.range(length, 64);
            let closed = dice.below(2) * depth;
            bytes.splice(range.end..range.end, close.repeat(closed).into_bytes());
            bytes.splice(range.start..range.start, open.repeat(depth).into_bytes());
        }
        _ => line(dice, bytes),
    }
}

/// Overwrites a field of 1, 2, 4 or 8 bytes, mostly where one may begin, or adds a little to it.
fn field(dice: &mut Dice, bytes: &mut [u8]) {
    let size = *dice.pick(&[1, 2, 4, 8, 8]);
    if bytes.len() < size {
        return;
    }
    let mut at = dice.below(bytes.len() - size + 1);
    if dice.below(4) > 0 {
        at -= at % size;
    }
    let field = &mut bytes[at..at + size];
    let mut value = [0; 8];
    value[..size].copy_from_slice(field);
    let new = match dice.below(4) {
        0 => u64::from_le_bytes(value)
            .wrapping_add(dice.below(33) as u64)
            .wrapping_sub(16),
        _ => extreme(dice, field.len()),
    };
    field.copy_from_slice(&new.to_le_bytes()[..size]);
}

/// Replaces the digits of a number.
fn number(dice: &mut Dice, bytes: &mut Vec<u8>) {
    let from = dice.below(bytes.len() + 1);
    let Some(start) = bytes[from..].iter().position(u8::is_ascii_digit) else {
        return;
    };
    let start = from + start;
    let digits = bytes[start..]
        .iter()
        .take_while(|it| it.is_ascii_alphanumeric());
    let end = start + digits.count();
    let new = match dice.below(4) {
        0 => extreme(dice, bytes.len()).to_string(),
        1 => format!("{:x}", extreme(dice, bytes.len())),
        _ => (*dice.pick(NUMBERS)).to_owned(),
    };
    bytes.splice(start..end, new.into_bytes());
}

/// Removes a line, or moves a copy of it elsewhere.
fn line(dice: &mut Dice, bytes: &mut Vec<u8>) {
    let lines: Vec<Vec<u8>> = bytes
        .split_inclusive(|&it| it == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    if lines.is_empty() {
        return;
    }
    let mut lines = lines;
    let at = dice.below(lines.len());
    let line = match dice.below(2) {
        0 => lines.remove(at),
        _ => lines[at].clone(),
    };
    if dice.below(2) == 0 {
        let to = dice.below(lines.len() + 1);
        lines.insert(to, line);
    }
    *bytes = lines.concat();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number that fails must fail on another machine too.
    #[test]
    fn a_number_is_the_same_input_everywhere() {
        let seeds = [b"{\"n\": 12}\n".to_vec(), b"{\"m\": [1, 2]}\n".to_vec()];
        let inputs: Vec<_> = (0..1_000).map(|it| input("x", &seeds, it)).collect();
        let again: Vec<_> = (0..1_000).map(|it| input("x", &seeds, it)).collect();
        assert_eq!(inputs, again);
        let hash = inputs.iter().flatten().fold(0_u64, |hash, &byte| {
            hash.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        assert_eq!(
            hash, HASH,
            "other numbers in old reports mean other inputs now"
        );
        let distinct: std::collections::BTreeSet<_> = inputs.iter().collect();
        assert!(distinct.len() > 700, "{} of 1,000", distinct.len());
        assert!(inputs.iter().any(|it| std::str::from_utf8(it).is_err()));
        assert!(inputs.iter().all(|it| it.len() <= LONGEST));
    }

    const HASH: u64 = 8_303_124_644_239_877_314;
}
