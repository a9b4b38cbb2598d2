//! Paths from the command line, where a folder is expected.

use std::io;
use std::path::{Path, PathBuf};

/// Why a folder cannot be used: the system's error, or in words that a part of its path is a file.
pub fn folder_error(folder: &Path, error: &io::Error) -> String {
    use io::ErrorKind::{AlreadyExists, NotADirectory};
    // Without a separator at the end, with which a file does not exist.
    let folder: PathBuf = folder.components().collect();
    let is_file = |part: &&Path| part.exists() && !part.is_dir();
    match folder.ancestors().find(is_file) {
        Some(file) if matches!(error.kind(), AlreadyExists | NotADirectory) => {
            if file == folder {
                "it is a file".to_owned()
            } else {
                format!("{} is a file", file.display())
            }
        }
        _ => error.to_string(),
    }
}
