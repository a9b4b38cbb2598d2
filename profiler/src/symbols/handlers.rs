//! The one reader of handlers' names: which mode, opcode and part of a handler a function is, and which opcode a
//! stack of functions was executing.
//!
//! A handler has two names. Its path (`evmscope_interp::advanced::run::handlers::outlined::SLOAD`) is in symbol
//! tables and profiles of the compiler, its name for people (`advanced SLOAD (outlined)`) in stacks and tables.

use super::shorten::split_outside_brackets;
use evmscope_interp::{Mode, Opcode};
use std::fmt;

/// What a function is, if it is a handler of an opcode or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandlerName {
    pub mode: Mode,
    pub opcode: Opcode,
    pub part: Part,
}

/// Which part of a handler a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The handler, which dispatch jumps to.
    Whole,
    /// Its rare way, in a function of its own.
    Outlined,
    /// What it calls, since calls and tail calls do not mix.
    Called,
    /// The way that makes memory grow.
    MemoryGrows,
    /// The rare part of that.
    MemoryGrowsOutlined,
}

impl Part {
    /// The modules of `traditional` and `advanced::run::handlers` that hold handlers, those of earlier versions
    /// included: builds and records of them stay readable.
    const MODULES: [(&str, Part); 9] = [
        ("op", Part::Whole),
        ("memory_op", Part::Whole),
        ("outlined", Part::Outlined),
        ("apart", Part::Outlined),
        ("called", Part::Called),
        ("grown", Part::MemoryGrows),
        ("grown_outlined", Part::MemoryGrowsOutlined),
        ("grow_outlined", Part::MemoryGrowsOutlined),
        ("grown_apart", Part::MemoryGrowsOutlined),
    ];

    fn of_module(module: &str) -> Option<Part> {
        let found = Part::MODULES.into_iter().find(|(name, _)| *name == module);
        found.map(|(_, part)| part)
    }

    /// What stands behind the opcode in the name for people.
    fn suffix(self) -> &'static str {
        match self {
            Part::Whole => "",
            Part::Outlined => " (outlined)",
            Part::Called => " (called)",
            Part::MemoryGrows => " (memory grows)",
            Part::MemoryGrowsOutlined => " (memory grows, outlined)",
        }
    }
}

impl HandlerName {
    /// Of a full path, and what follows the opcode in it: a closure keeps its name.
    pub fn of_path(path: &str) -> Option<(HandlerName, String)> {
        let (mode, path) = path.strip_prefix("evmscope_interp::")?.split_once("::")?;
        let mode = Mode::ALL.into_iter().find(|known| known.name() == mode)?;
        let path = path.strip_prefix("run::").unwrap_or(path);
        let path = path.strip_prefix("handlers::").unwrap_or(path);
        let (module, path) = path.split_once("::")?;
        let part = Part::of_module(module)?;
        let mut segments = split_outside_brackets(path).into_iter();
        let opcode = segments.next()?;
        // Symbols of the older mangling have no `::` in front of the arguments.
        let opcode = Opcode::from_name(opcode.split('<').next()?)?;
        let rest = segments.filter(|segment| !segment.starts_with('<'));
        let rest = rest.map(|segment| format!("::{segment}")).collect();
        Some((HandlerName { mode, opcode, part }, rest))
    }

    /// Of a name for people, such as `advanced SLOAD (outlined)::{closure#0}`.
    pub fn of_frame(frame: &str) -> Option<HandlerName> {
        let (mode, rest) = frame.split_once(' ')?;
        let mode = Mode::ALL.into_iter().find(|known| known.name() == mode)?;
        let end = rest.find([' ', ':']).unwrap_or(rest.len());
        let opcode = Opcode::from_name(&rest[..end])?;
        let parts = Part::MODULES.into_iter().map(|(_, part)| part);
        let mut parts = parts.filter(|part| !part.suffix().is_empty());
        let part = parts.find(|part| rest[end..].starts_with(part.suffix()));
        Some(HandlerName {
            mode,
            opcode,
            part: part.unwrap_or(Part::Whole),
        })
    }
}

impl fmt::Display for HandlerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.mode, self.opcode, self.part.suffix())
    }
}

/// Whether a function that exists in the binary runs an instruction of one of the modes: that of an opcode, or
/// another one of the decoded form (`handlers::branch`).
pub fn is_handler(frame: &str) -> bool {
    const OF_THE_STREAM: [&str; 2] = ["run::handlers::", "advanced::handlers::"];
    HandlerName::of_frame(frame).is_some()
        || OF_THE_STREAM.iter().any(|path| frame.starts_with(path))
}

/// The opcode that a stack of names for people, root first, was executing; none where no name tells, as in the
/// dispatch itself and in functions that several opcodes call.
///
/// The outermost name decides: a handler stands around what was inlined into it.
pub fn opcode_of(stack: &str) -> Option<Opcode> {
    let of_frame = |frame| HandlerName::of_frame(frame).map(|name| name.opcode);
    stack
        .split(';')
        .find_map(|frame| of_frame(frame).or_else(|| of_semantics(frame)))
}

/// The opcode whose meaning a function in `ops` is: `ops::memory::mload`.
fn of_semantics(frame: &str) -> Option<Opcode> {
    let (_, path) = frame.split_once("ops::")?;
    let function = path.split("::").nth(1)?;
    let function = function.split('<').next()?;
    match function {
        // `mod` is a keyword.
        "rem" => Opcode::from_name("MOD"),
        _ => Opcode::from_name(&function.trim_end_matches('_').to_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_tell_their_opcode_or_none() {
        for (stack, opcode) in [
            ("traditional ADD", Some("ADD")),
            ("advanced SLOAD (outlined)", Some("SLOAD")),
            (
                "advanced MSTORE (memory grows)::{closure#0}",
                Some("MSTORE"),
            ),
            // As runs of earlier versions have it.
            ("advanced SLOAD (apart)", Some("SLOAD")),
            ("traditional SSTORE;ops::storage::sstore", Some("SSTORE")),
            ("advanced MLOAD;ops::arithmetic::add", Some("MLOAD")),
            // Meanings, inlined into the loop of the traditional mode.
            (
                "traditional::execute;ops::memory::mload;word::Word::from_be_bytes",
                Some("MLOAD"),
            ),
            ("traditional::execute;ops::arithmetic::rem", Some("MOD")),
            ("traditional::execute;ops::control::return_", Some("RETURN")),
            // LOG0 to LOG4 share one, and the rest belongs to all.
            ("traditional::execute;ops::log::log", None),
            ("traditional::execute;traditional::Registers::check", None),
            ("keccak::permute_bmi;keccak::rounds", None),
            ("map::IndexMap<ADD,V,S>::entry", None),
            ("[libc.so.6]", None),
            ("", None),
        ] {
            let found = opcode_of(stack).map(|opcode| opcode.to_string());
            assert_eq!(found.as_deref(), opcode, "{stack}");
        }
    }

    #[test]
    fn handlers_are_told_from_what_calls_them_and_what_they_call() {
        for handler in [
            "traditional ADD",
            "advanced SLOAD (outlined)",
            "run::handlers::branch",
            "advanced::handlers::branch",
        ] {
            assert!(is_handler(handler), "{handler}");
        }
        for other in [
            "traditional::execute",
            "advanced::run::run",
            "advancedADD",
            "ops::memory::mload",
            "nginx::handlers::serve",
            "",
        ] {
            assert!(!is_handler(other), "{other}");
        }
    }

    #[test]
    fn every_handler_has_one_name_in_both_directions() {
        let opcodes = (0..=255).map(Opcode);
        for opcode in opcodes.filter(|opcode| opcode.info().is_some()) {
            for mode in Mode::ALL {
                for (module, part) in Part::MODULES {
                    let name = HandlerName { mode, opcode, part };
                    assert_eq!(HandlerName::of_frame(&name.to_string()), Some(name));
                    let path = format!("evmscope_interp::{mode}::handlers::{module}::{opcode}");
                    assert_eq!(HandlerName::of_path(&path), Some((name, String::new())));
                }
            }
        }
    }

    #[test]
    fn paths_of_this_version_and_of_earlier_ones_are_read() {
        for (path, shown) in [
            ("traditional::op::ADD::<NoTracer>", Some("traditional ADD")),
            ("advanced::run::handlers::op::PUSH1", Some("advanced PUSH1")),
            (
                "advanced::run::handlers::outlined::SLOAD::{closure#0}",
                Some("advanced SLOAD (outlined)::{closure#0}"),
            ),
            (
                "advanced::handlers::apart::SLOAD::<true, 3>",
                Some("advanced SLOAD (outlined)"),
            ),
            ("advanced::run::handlers::branch", None),
            ("ops::arithmetic::add", None),
        ] {
            let read = HandlerName::of_path(&format!("evmscope_interp::{path}"));
            let read = read.map(|(name, rest)| format!("{name}{rest}"));
            assert_eq!(read.as_deref(), shown, "{path}");
        }
    }
}
