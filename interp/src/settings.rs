//! The modes and the settings of an interpreter.

use crate::technique::Techniques;
use std::fmt;
use std::str::FromStr;

/// How code is executed. Both modes give the same status, gas, output, logs and state for every input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Fetches, checks, charges and executes byte by byte.
    Traditional,
    /// Translates hot code to a slot IR and runs that.
    Advanced,
}

impl Mode {
    /// All modes.
    pub const ALL: [Mode; 2] = [Mode::Traditional, Mode::Advanced];

    /// The name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Traditional => "traditional",
            Mode::Advanced => "advanced",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of an unknown mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown mode `{0}`: use traditional or advanced")]
pub struct UnknownMode(String);

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Mode, UnknownMode> {
        Mode::ALL
            .into_iter()
            .find(|mode| mode.name() == text)
            .ok_or_else(|| UnknownMode(text.to_owned()))
    }
}

/// Settings of an interpreter. None of them changes a result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// How often an entry point of code (its start, a jumpdest, the opcode after a call) is reached before
    /// the advanced mode translates it; at most 254.
    pub hot_threshold: u8,
    /// How many bytes the advanced mode keeps for a code.
    pub budget: Budget,
    /// Which modes cache hashes of 32 and 64 bytes for the rest of a message.
    pub keccak_memo: KeccakMemo,
    /// The optimisations of the advanced mode. Leave all of them on, except to measure the effect of one.
    pub techniques: Techniques,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            hot_threshold: 24,
            budget: Budget::default(),
            keccak_memo: KeccakMemo::Advanced,
            techniques: Techniques::ALL,
        }
    }
}

impl Settings {
    /// Settings for tests: translates all code before its first run, without a memory limit.
    pub fn eager() -> Settings {
        Settings {
            hot_threshold: 0,
            budget: Budget {
                ratio: 64.0,
                ..Budget::default()
            },
            ..Settings::default()
        }
    }
}

/// How many bytes the decoded form of a code may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Decoded bytes per bytecode byte.
    pub ratio: f64,
    /// Bytes that every code may take, however short it is. The hot loops of small contracts need as much as those
    /// of large ones.
    pub floor: usize,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget {
            ratio: 4.0,
            floor: 16 << 10,
        }
    }
}

impl Budget {
    /// The bytes for a code of `len` bytes.
    pub fn bytes(self, len: usize) -> usize {
        ((len as f64 * self.ratio) as usize).max(self.floor)
    }

    /// Whether a code of `len` bytes is so short that the floor is its budget.
    pub fn is_floor(self, len: usize) -> bool {
        self.bytes(len) == self.floor
    }
}

/// Which modes cache hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeccakMemo {
    /// The advanced mode.
    #[default]
    Advanced,
    /// Both.
    Both,
    /// None.
    Off,
}

impl KeccakMemo {
    /// All choices.
    pub const ALL: [KeccakMemo; 3] = [KeccakMemo::Advanced, KeccakMemo::Both, KeccakMemo::Off];

    /// The name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            KeccakMemo::Advanced => "advanced",
            KeccakMemo::Both => "both",
            KeccakMemo::Off => "off",
        }
    }

    pub(crate) fn serves(self, mode: Mode) -> bool {
        match self {
            KeccakMemo::Advanced => mode == Mode::Advanced,
            KeccakMemo::Both => true,
            KeccakMemo::Off => false,
        }
    }
}

impl fmt::Display for KeccakMemo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of an unknown [`KeccakMemo`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown keccak memo `{0}`: use advanced, both or off")]
pub struct UnknownKeccakMemo(String);

impl FromStr for KeccakMemo {
    type Err = UnknownKeccakMemo;

    fn from_str(text: &str) -> Result<KeccakMemo, UnknownKeccakMemo> {
        KeccakMemo::ALL
            .into_iter()
            .find(|memo| memo.name() == text)
            .ok_or_else(|| UnknownKeccakMemo(text.to_owned()))
    }
}
