//! `evmscope doctor`: what this machine can measure.

use crate::machine::doctor;

pub fn run(columns: Option<u16>) -> String {
    doctor::render(&doctor::examine(), columns)
}
