//! STOP, RETURN, REVERT (EIP-140) and INVALID (EIP-141): the ends of a frame.

use crate::frame::{Exit, Machine};
use crate::outcome::Halt;
use crate::word::Word;

pub(crate) fn stop(_: &mut Machine, []: [Word; 0]) -> Exit {
    Exit::Success(0..0)
}

pub(crate) fn return_(m: &mut Machine, [offset, len]: [Word; 2]) -> Exit {
    m.expand(offset, len).map_or_else(Exit::Halt, Exit::Success)
}

pub(crate) fn revert(m: &mut Machine, [offset, len]: [Word; 2]) -> Exit {
    m.expand(offset, len).map_or_else(Exit::Halt, Exit::Revert)
}

pub(crate) fn invalid(_: &mut Machine, []: [Word; 0]) -> Exit {
    Exit::Halt(Halt::InvalidOpcode)
}
