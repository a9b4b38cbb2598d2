//! Arguments that the verbs of `pgo` share.

use crate::builds::pgo::Workshop;
use crate::cmd::output::Files;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

/// The working folder of a profile-guided build.
#[derive(Args)]
pub struct PgoDir {
    /// Folder of profiles and binaries [default: pgo in cargo's target folder].
    #[arg(long, value_name = "PATH")]
    pub dir: Option<PathBuf>,
}

impl PgoDir {
    /// Opens the folder, with the same checks as that of any result if the user named it.
    ///
    /// # Errors
    /// The folder cannot be created or written to.
    pub fn workshop(&self) -> Result<Workshop> {
        if let Some(dir) = &self.dir {
            Files::in_dir(dir)?;
        }
        Workshop::open(self.dir.as_deref())
    }
}
