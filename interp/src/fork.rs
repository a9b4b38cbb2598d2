//! The names and the order of the forks. What a fork changed is defined where it is used: the fork that
//! introduced an opcode in `opcode`, prices in `gas`.

use std::fmt;
use std::str::FromStr;

macro_rules! forks {
    ($($variant:ident $name:literal $($suite:literal)|+;)*) => {
        /// A fork of the Ethereum main net, in order of activation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the names are the documentation")]
        pub enum Fork { $($variant,)* }

        impl Fork {
            /// All forks, in order.
            pub const ALL: &[Fork] = &[$(Fork::$variant),*];

            /// The name in lower case, as on the command line and in case files.
            pub const fn name(self) -> &'static str {
                match self { $(Fork::$variant => $name),* }
            }

            /// The names in the official test suites, which name some forks by their EIP.
            pub const fn suite_names(self) -> &'static [&'static str] {
                match self { $(Fork::$variant => &[$($suite),+]),* }
            }
        }
    };
}

// One row per fork: variant, name, names in the test suites.
forks! {
    Frontier         "frontier"          "Frontier";
    Homestead        "homestead"         "Homestead";
    TangerineWhistle "tangerine-whistle" "EIP150";
    SpuriousDragon   "spurious-dragon"   "EIP158";
    Byzantium        "byzantium"         "Byzantium";
    Constantinople   "constantinople"    "Constantinople";
    Petersburg       "petersburg"        "ConstantinopleFix";
    Istanbul         "istanbul"          "Istanbul";
    Berlin           "berlin"            "Berlin";
    London           "london"            "London";
    Paris            "paris"             "Paris" | "Merge";
    Shanghai         "shanghai"          "Shanghai";
    Cancun           "cancun"            "Cancun";
    Prague           "prague"            "Prague";
    Osaka            "osaka"             "Osaka";
}

impl Fork {
    /// The latest fork.
    pub const LATEST: Fork = Fork::ALL[Fork::ALL.len() - 1];
}

impl Default for Fork {
    fn default() -> Fork {
        Fork::LATEST
    }
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of an unknown fork.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown fork `{0}`: use a main-net fork from frontier to {latest}, such as cancun or prague",
    latest = Fork::LATEST
)]
pub struct UnknownFork(String);

impl FromStr for Fork {
    type Err = UnknownFork;

    fn from_str(text: &str) -> Result<Fork, UnknownFork> {
        Fork::ALL
            .iter()
            .copied()
            .find(|fork| fork.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownFork(text.to_owned()))
    }
}
