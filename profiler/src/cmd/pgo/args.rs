//! Arguments that the verbs of `pgo` share.

use clap::Args;
use std::path::PathBuf;

/// The working folder of a profile-guided build.
#[derive(Args)]
pub struct PgoDir {
    /// Folder of profiles and binaries [default: pgo in cargo's target folder].
    #[arg(long, value_name = "PATH")]
    pub dir: Option<PathBuf>,
}
