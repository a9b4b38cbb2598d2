//! The advanced mode: code is decoded once into a program, and the program is run.
//!
//! Doors: [`decode`] makes a [`Program`] of code, [`Cache`] keeps programs by code hash,
//! [`execute`] runs one. What opcodes mean is in `ops`.

mod cache;
mod decode;
mod execute;
mod program;

pub(crate) use cache::Cache;
pub(crate) use execute::execute;
pub(crate) use program::Program;
