//! Short names of symbols: demangled, shortened, handlers by mode and opcode.
//!
//! Decides which names are shortened. `shorten` cuts paths, `handlers` names handlers.

use super::handlers::HandlerName;
use super::shorten::{short_path, without_arguments};

/// Characters of the longest name that keeps its generic arguments.
const MAX_LENGTH: usize = 72;

/// A symbol's full name, without its hash.
pub fn demangled(symbol: impl AsRef<str>) -> String {
    let symbol = symbol.as_ref();
    if let Ok(demangled) = rustc_demangle::try_demangle(symbol) {
        return format!("{demangled:#}");
    }
    // C++, as in other EVMs and libraries. Without the check a function `g` would be read as a type.
    let cpp = symbol
        .starts_with("_Z")
        .then(|| cpp_demangle::Symbol::new(symbol).ok()?.demangle().ok());
    cpp.flatten().unwrap_or_else(|| symbol.to_owned())
}

/// The short form of a full name: the crate and the outer modules cut off the path (three segments
/// stay), types by their last segment, long generic arguments as `<…>`, `<T as Trait>::f` as `T::f`. A
/// handler is named by its mode and opcode: `traditional ADD`.
pub fn readable(name: &str) -> String {
    if let Some((handler, rest)) = HandlerName::of_path(name) {
        return format!("{handler}{rest}");
    }
    let name = short_path(name);
    if name.chars().count() <= MAX_LENGTH {
        return name;
    }
    without_arguments(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_still_distinct() {
        let names = [
            // Both mangling schemes.
            "_ZN15evmscope_interp3ops10arithmetic3mul17h0123456789abcdefE",
            "_RNvNtNtCs1234_15evmscope_interp3ops10arithmetic3mul",
            // Demangled names.
            "evmscope_interp::traditional::execute::<evmscope_interp::world::World>",
            "evmscope_interp::traditional::op::ADD::<evmscope_interp::trace::NoTracer>",
            "evmscope_interp::advanced::handlers::op::PUSH1",
            "evmscope_interp::advanced::handlers::apart::SLOAD::{closure#0}",
            "evmscope_interp::advanced::handlers::grown_apart::MLOAD::<true, 3>::{closure#0}",
            "evmscope_interp::advanced::handlers::compute::<evmscope_interp::ops::arithmetic::add>",
            "<evmscope_interp::world::World as evmscope_interp::host::Host>::sload",
            "<evmscope_interp::word::Word>::sdiv",
            "core::num::<impl u64>::carrying_add",
            "<alloc::vec::Vec<evmscope_interp::frame::Frame>>::push",
            "keccak_asm::permute",
            "main",
            "__memmove_avx512_unaligned_erms",
            "core::ptr::drop_in_place::<alloc::vec::Vec<u8>>",
            "evmscope::runner::run::{closure#0}::{closure#1}",
            "evmscope::main::{closure#0}",
            "<[u8; 32] as core::convert::From<evmscope_interp::word::Word>>::from",
            "<&mut dyn core::ops::FnMut(u8) -> u64 as core::ops::FnMut<(u8,)>>::call_mut",
            "evmscope_interp::host::adapt::<fn(evmscope_interp::word::Word) -> u64>::{closure#0}",
            "evmscope_interp::advanced::execute::run::<evmscope_interp::world::journal::Journal, \
             evmscope_interp::host::tracing::Tracing<alloc::vec::Vec<u8>, 32>>",
            "evmscope_interp::advanced::execute::run::<evmscope_interp::world::journal::Journal, \
             evmscope_interp::host::tracing::Tracing<alloc::vec::Vec<evmscope_interp::frame::Frame>>>",
        ];
        let table: Vec<_> = names
            .map(|name| format!("{name}\n    {}", readable(&demangled(name))))
            .into();
        insta::assert_snapshot!(table.join("\n"));
    }
}
