//! `evmscope doctor`: what this machine can measure.

use crate::doctor;

pub fn run() -> String {
    doctor::render(&doctor::examine())
}
