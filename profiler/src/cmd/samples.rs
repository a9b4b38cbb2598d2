//! The hidden verb that serves samples of this build to a process that compares binaries.

use crate::builds;
use anyhow::Result;
use std::io;

pub fn run() -> Result<String> {
    builds::serve(io::stdin().lock(), io::stdout().lock())?;
    Ok(String::new())
}
