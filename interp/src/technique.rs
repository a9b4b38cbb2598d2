//! The parts of the advanced mode that can be left out one at a time, so that what each brings can be measured
//! (`evmscope ablate`). All of them are decided while translating or on cold paths: none costs anything
//! in a handler.

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

macro_rules! techniques {
    ($($variant:ident $name:literal $what:literal;)*) => {
        /// A technique of the advanced mode.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Technique {
            $(#[doc = $what] $variant,)*
        }

        impl Technique {
            /// All of them.
            pub const ALL: &[Technique] = &[$(Technique::$variant),*];

            /// The name on the command line and in reports.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Technique::$variant => $name,)*
                }
            }

            /// What it does, in a few words.
            pub const fn what(self) -> &'static str {
                match self {
                    $(Technique::$variant => $what,)*
                }
            }
        }
    };
}

techniques! {
    Traces "traces" "Goes on past jumps, in place of ending at each.";
    Folding "folding" "Computes constants, and merges masks and sums, beforehand.";
    Operands "operands" "Short constants are operands, in place of slots that are set.";
    Branches "branches" "Reads a comparison and the jump on it as one branch.";
    Addresses "addresses" "Reads a sum with a constant as the address of a memory access.";
    Forwarding "forwarding" "Does not load from memory what the trace knows to be there.";
    Narrow "narrow" "Reads 64 bits of an address that was accessed before.";
    Powers "powers" "Divides by powers of two with shifts.";
    Moves "moves" "Lays the stack out by two moves in an instruction.";
    Fitting "fitting" "Does not check the stack of loops whose first check implies the next.";
    Targets "targets" "Remembers the last target of a dynamic jump.";
    Slots "slots" "Remembers what SLOAD found.";
}

impl fmt::Display for Technique {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of no technique.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no technique")]
pub struct UnknownTechnique(pub String);

impl FromStr for Technique {
    type Err = UnknownTechnique;

    fn from_str(text: &str) -> Result<Technique, UnknownTechnique> {
        let mut all = Technique::ALL.iter().copied();
        all.find(|technique| technique.name() == text)
            .ok_or_else(|| UnknownTechnique(text.to_owned()))
    }
}

/// A set of techniques.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Techniques(u16);

impl Default for Techniques {
    fn default() -> Techniques {
        Techniques::ALL
    }
}

impl Techniques {
    /// All of them.
    pub const ALL: Techniques = Techniques((1 << Technique::ALL.len()) - 1);

    /// The set without one.
    #[must_use]
    pub const fn without(self, technique: Technique) -> Techniques {
        Techniques(self.0 & !(1 << technique as u16))
    }

    /// Whether it has one.
    pub const fn has(self, technique: Technique) -> bool {
        self.0 >> technique as u16 & 1 == 1
    }
}
