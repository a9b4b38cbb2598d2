//! The optimisations of the advanced mode that can be turned off one at a time, to measure the effect of each
//! (`evmscope ablate`). They are tested only during translation and on cold paths, so they cost nothing in a
//! handler.

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

            /// A short description.
            pub const fn what(self) -> &'static str {
                match self {
                    $(Technique::$variant => $what,)*
                }
            }
        }
    };
}

techniques! {
    Traces "traces" "Continues a trace past jumps instead of ending it at each.";
    Folding "folding" "Folds constants, masks and sums at translation time.";
    Operands "operands" "Uses short constants as operands instead of storing them in slots.";
    Branches "branches" "Fuses a comparison and its conditional jump into one branch.";
    Addresses "addresses" "Folds the addition of a constant into the address of a memory access.";
    Forwarding "forwarding" "Skips loads of memory whose value the trace knows.";
    Narrow "narrow" "Reads only 64 bits of an address that was accessed before.";
    Powers "powers" "Divides by powers of two with shifts.";
    Moves "moves" "Puts two moves of stack slots into one instruction.";
    Fitting "fitting" "Skips stack checks in loops where the first check implies the others.";
    Targets "targets" "Caches the last target of a dynamic jump.";
    Slots "slots" "Caches the values that SLOAD read.";
}

impl fmt::Display for Technique {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of an unknown technique.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown technique `{0}`")]
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

    /// This set without `technique`.
    #[must_use]
    pub const fn without(self, technique: Technique) -> Techniques {
        Techniques(self.0 & !(1 << technique as u16))
    }

    /// Whether the set has `technique`.
    pub const fn has(self, technique: Technique) -> bool {
        self.0 >> technique as u16 & 1 == 1
    }
}
