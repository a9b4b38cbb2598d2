//! The one reader of handlers' names: the mode, opcode and part of a handler's function, and the opcode that a stack of
//! functions was executing.
//!
//! A handler has two names. Symbol tables and profiles of the compiler contain its path
//! (`evmscope_interp::advanced::run::handlers::outlined::SLOAD`), stacks and tables its short name
//! (`advanced SLOAD (outlined)`). Other functions are named in `names`.

use super::shorten::split_outside_brackets;
use evmscope_interp::{Mode, Opcode};
use std::fmt;

/// A function that is the handler of an opcode or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandlerName {
    pub mode: Mode,
    pub opcode: Opcode,
    pub part: Part,
}

/// The part of a handler that a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The handler itself, which dispatch jumps to.
    Whole,
    /// Its rare path, in a separate function.
    Outlined,
    /// A callee, in a separate function because a tail call must not follow a call.
    Called,
    /// The path on which the memory grows.
    MemoryGrows,
    /// The rare part of that path.
    MemoryGrowsOutlined,
}

impl Part {
    /// The modules of `traditional` and `advanced::run::handlers` that contain handlers. Those of earlier versions are
    /// included, so that their builds and records stay readable.
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

    /// What follows the opcode in the short name.
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
    /// From a full path; returns also what follows the opcode in it, such as the name of a closure.
    pub fn of_path(path: &str) -> Option<(HandlerName, String)> {
        let (mode, path) = path.strip_prefix("evmscope_interp::")?.split_once("::")?;
        let mode = Mode::ALL.into_iter().find(|known| known.name() == mode)?;
        let path = path.strip_prefix("run::").unwrap_or(path);
        let path = path.strip_prefix("handlers::").unwrap_or(path);
        let (module, path) = path.split_once("::")?;
        let part = Part::of_module(module)?;
        let mut segments = split_outside_brackets(path).into_iter();
        let opcode = segments.next()?;
        // The legacy mangling has no `::` in front of generic arguments.
        let opcode = Opcode::from_name(opcode.split('<').next()?)?;
        let rest = segments.filter(|segment| !segment.starts_with('<'));
        let rest = rest.map(|segment| format!("::{segment}")).collect();
        Some((HandlerName { mode, opcode, part }, rest))
    }

    /// From a short name, such as `advanced SLOAD (outlined)::{closure#0}`.
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

/// Whether a physical function is a handler: of an opcode, or of another instruction of the decoded form
/// (`handlers::branch`).
pub fn is_handler(frame: &str) -> bool {
    const DECODED_FORM: [&str; 2] = ["run::handlers::", "advanced::handlers::"];
    HandlerName::of_frame(frame).is_some()
        || DECODED_FORM.iter().any(|path| frame.starts_with(path))
}

/// The opcode that a stack of short names, root first, was executing; none if no name says so, as in dispatch and in
/// functions that several opcodes call.
///
/// The outermost name decides: a handler encloses what was inlined into it.
pub fn opcode_of(stack: &str) -> Option<Opcode> {
    let of_frame = |frame| HandlerName::of_frame(frame).map(|name| name.opcode);
    stack
        .split(';')
        .find_map(|frame| of_frame(frame).or_else(|| implemented_by(frame)))
}

/// The opcode that a function in `ops` implements: `ops::memory::mload`.
fn implemented_by(frame: &str) -> Option<Opcode> {
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
    fn the_opcode_of_a_stack_is_its_outermost_one() {
        for (stack, opcode) in [
            ("traditional ADD", Some("ADD")),
            ("advanced SLOAD (outlined)", Some("SLOAD")),
            (
                "advanced MSTORE (memory grows)::{closure#0}",
                Some("MSTORE"),
            ),
            // As in runs of earlier versions.
            ("advanced SLOAD (apart)", Some("SLOAD")),
            ("traditional SSTORE;ops::storage::sstore", Some("SSTORE")),
            ("advanced MLOAD;ops::arithmetic::add", Some("MLOAD")),
            // Implementations inlined into the loop of the traditional mode.
            (
                "traditional::execute;ops::memory::mload;word::Word::from_be_bytes",
                Some("MLOAD"),
            ),
            ("traditional::execute;ops::arithmetic::rem", Some("MOD")),
            ("traditional::execute;ops::control::return_", Some("RETURN")),
            // LOG0 to LOG4 share a function; all opcodes share the others.
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
    fn handlers_are_distinguished_from_their_callers_and_callees() {
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
