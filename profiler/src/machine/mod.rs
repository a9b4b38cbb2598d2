//! The machine and its tools: what it is, what it lets a process measure, which programs of LLVM it has.

pub mod confinement;
pub mod doctor;
pub mod rig;
pub mod toolchain;
