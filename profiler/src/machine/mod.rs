//! The machine and its tools: hardware facts, what a process may measure, and the LLVM programs installed.

pub mod confinement;
pub mod doctor;
pub mod rig;
pub mod toolchain;
