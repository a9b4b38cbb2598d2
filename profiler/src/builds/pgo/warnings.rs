//! The compiler's warnings about a profile, function by function.
//!
//! For a function that does not match its profile, the compiler only warns and builds it without. This module counts
//! the warnings; the caller sets the limit.

use evmscope_reports::format::percent;
use std::collections::BTreeSet;
use thiserror::Error;

/// Functions that a build compiled without its profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Warnings {
    /// Names of functions that the profile does not have.
    pub missing: BTreeSet<String>,
    /// Names of functions whose control flow differs from the profiled one.
    pub mismatched: BTreeSet<String>,
    /// Warnings about the whole profile.
    pub profile: BTreeSet<String>,
}

/// LLVM's warning for a function without counters.
const MISSING: &str = "no profile data available for function ";
/// LLVM's warning for a function with other control flow.
const MISMATCHED: &str = "function control flow change detected (hash mismatch) ";
/// LLVM's warning for a file that is not a profile, or of another version.
const UNUSABLE: &str = "instrumentation profile";

impl Warnings {
    /// Adds one diagnostic of the compiler. Ignores those that are not about profiles.
    pub fn take(&mut self, message: &str) {
        let name = |after: &str| {
            let name = after.split_whitespace().next().unwrap_or(after);
            format!("{:#}", rustc_demangle::demangle(name))
        };
        if let Some((_, after)) = message.split_once(MISSING) {
            self.missing.insert(name(after));
        } else if let Some((_, after)) = message.split_once(MISMATCHED) {
            self.mismatched.insert(name(after));
        } else if message.contains(UNUSABLE) {
            self.profile.insert(message.trim().to_owned());
        }
    }
}

/// How well a profile fits a build.
#[derive(Clone, Debug)]
pub struct Fit<'a> {
    /// Functions that the profile does not have.
    pub missing: &'a BTreeSet<String>,
    /// Functions whose control flow differs from the profiled one.
    pub mismatched: &'a BTreeSet<String>,
    unusable: &'a BTreeSet<String>,
    functions: usize,
}

/// Why a build is refused.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Misfit {
    /// The compiler could not read the profile, and built without it.
    #[error("the compiler did not use the profile: {0}")]
    Unusable(String),
    /// Too many functions are missing or differ.
    #[error(
        "the profile does not fit: functions missing in it: {missing}, differing: {mismatched}; that is {} of its \
         {functions}, the limit is {} (--limit); first: {first}; train again", percent(*share), percent(*limit)
    )]
    TooMany {
        /// Functions without counters.
        missing: usize,
        /// Functions with other control flow.
        mismatched: usize,
        /// Functions of the profile.
        functions: usize,
        /// Share of missing and differing functions, 0 to 1.
        share: f64,
        /// The allowed share, 0 to 1.
        limit: f64,
        /// Names of the first few.
        first: String,
    },
}

impl<'a> Fit<'a> {
    /// The fit of a build whose profile has `functions` functions.
    pub fn new(warnings: &'a Warnings, functions: usize) -> Fit<'a> {
        Fit {
            missing: &warnings.missing,
            mismatched: &warnings.mismatched,
            unusable: &warnings.profile,
            functions,
        }
    }

    /// Refuses a profile that the compiler could not use, or not for most functions.
    ///
    /// # Errors
    /// [`Misfit`].
    pub fn expect_below(&self, limit: f64) -> Result<(), Misfit> {
        if let Some(said) = self.unusable.first() {
            return Err(Misfit::Unusable(said.clone()));
        }
        let (missing, mismatched) = (self.missing.len(), self.mismatched.len());
        let share = (missing + mismatched) as f64 / self.functions.max(1) as f64;
        if share <= limit {
            return Ok(());
        }
        let first: Vec<_> = self
            .mismatched
            .iter()
            .chain(self.missing)
            .take(3)
            .cloned()
            .collect();
        Err(Misfit::TooMany {
            missing,
            mismatched,
            functions: self.functions,
            share,
            limit,
            first: first.join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_counted_once_by_name() {
        let mut warnings = Warnings::default();
        for message in [
            "evmscope.ee9e-cgu.0: function control flow change detected (hash mismatch) \
             _ZN8evmscope4work17h2c5957ea931bffb7E Hash = 798733568236564699 up to 5001 count discarded",
            "evmscope.ee9e-cgu.1: function control flow change detected (hash mismatch) \
             _ZN8evmscope4work17h2c5957ea931bffb7E Hash = 798733568236564699 up to 5001 count discarded",
            "evmscope.ee9e-cgu.0: no profile data available for function \
             _ZN8evmscope7another17h90f73819d55d8859E Hash = 1468 up to 0 count discarded",
            "bad.profdata: invalid instrumentation profile data (bad magic)",
            "unused variable: `x`",
        ] {
            warnings.take(message);
        }
        assert_eq!(Vec::from_iter(&warnings.mismatched), ["evmscope::work"]);
        assert_eq!(Vec::from_iter(&warnings.missing), ["evmscope::another"]);
        assert_eq!(warnings.profile.len(), 1);
    }
}
