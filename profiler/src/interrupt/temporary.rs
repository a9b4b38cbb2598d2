//! Temporary files and folders: each is in the registry until it is removed or has become a result.

use super::registry::{Registry, held, held_to_add, remove};
use std::env;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::Builder;

/// A temporary file or folder. Dropping it removes it, unless it was put into place.
pub struct Temporary {
    path: PathBuf,
}

/// Their names begin with it.
const PREFIX: &str = ".evmscope-";

/// The mode of a folder among those of other users.
const PRIVATE: u32 = 0o700;

impl Temporary {
    /// An empty folder in TMPDIR.
    ///
    /// # Errors
    /// There is no such folder, or it is full or read-only; the error names it and says what helps.
    pub fn folder() -> io::Result<Temporary> {
        let parent = env::temp_dir();
        Temporary::folder_for(&parent, PRIVATE).map_err(|error| {
            let text = format!(
                "cannot create a folder in {}: {}; set TMPDIR to a folder that can be written to",
                parent.display(),
                io::Error::from(error.kind())
            );
            io::Error::new(error.kind(), text)
        })
    }

    /// An empty folder in another, with the permissions of any new folder.
    ///
    /// # Errors
    /// The other cannot be written to.
    pub fn folder_in(parent: &Path) -> io::Result<Temporary> {
        // The kernel takes the umask from it.
        Temporary::folder_for(parent, 0o777)
    }

    fn folder_for(parent: &Path, mode: u32) -> io::Result<Temporary> {
        let mut registry = held_to_add()?;
        let mut builder = Builder::new();
        let made = builder
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(mode));
        let path = made.tempdir_in(parent)?.keep();
        Ok(Temporary::add(&mut registry, path))
    }

    /// An empty file beside another, with its permissions, or those of any new file.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn file_beside(path: &Path) -> io::Result<(File, Temporary)> {
        // The kernel takes the umask from it.
        let new = Permissions::from_mode(0o666);
        let mut registry = held_to_add()?;
        let mut builder = Builder::new();
        let made = builder.prefix(PREFIX).permissions(new);
        let (file, made) = made.tempfile_in(folder_of(path))?.keep()?;
        let temporary = Temporary::add(&mut registry, made);
        drop(registry);
        if let Ok(old) = fs::metadata(path) {
            file.set_permissions(old.permissions())?;
        }
        Ok((file, temporary))
    }

    fn add(registry: &mut Registry, path: PathBuf) -> Temporary {
        registry.temporaries.insert(path.clone());
        Temporary { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let mut registry = held();
        if registry.temporaries.contains(&self.path) {
            // Whoever drops it has no use for the error.
            let _ = remove(&self.path);
            registry.temporaries.remove(&self.path);
        }
    }
}

/// Renames temporaries into place, where a folder replaces an earlier one. A signal comes before all of them or after.
///
/// # Errors
/// The index of the first that cannot be renamed, and why. Those before it are in place.
pub fn put_all(parts: &[(Temporary, PathBuf)]) -> Result<(), (usize, io::Error)> {
    let mut registry = held();
    for (index, (Temporary { path }, to)) in parts.iter().enumerate() {
        let replaced = match path.is_dir() && to.is_dir() {
            true => remove(to),
            false => Ok(()),
        };
        let put = replaced.and_then(|()| fs::rename(path, to));
        put.map_err(|error| (index, error))?;
        registry.temporaries.remove(path);
    }
    Ok(())
}

/// The folder that a file is in.
pub fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_is_removed_unless_it_was_put_into_place() {
        let folder = Temporary::folder().unwrap();
        let at = |name: &str| folder.path().join(name);
        drop(Temporary::file_beside(&at("file")).unwrap());
        let inner = Temporary::folder_in(folder.path()).unwrap();
        fs::write(inner.path().join("x"), "new").unwrap();
        fs::create_dir(at("place")).unwrap();
        fs::write(at("place/old"), "").unwrap();
        let (_, file) = Temporary::file_beside(&at("file")).unwrap();
        put_all(&[(inner, at("place")), (file, at("file"))]).unwrap();
        let names = |path: PathBuf| {
            let entries = fs::read_dir(path).unwrap();
            let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(at("")), ["file", "place"]);
        assert_eq!(names(at("place")), ["x"]);
        let whole = folder.path().to_owned();
        drop(folder);
        assert!(!whole.exists());
    }

    #[test]
    fn what_cannot_be_put_is_named_and_removed() {
        let folder = Temporary::folder().unwrap();
        let at = |name: &str| folder.path().join(name);
        let parts = ["a", "b"].map(|name| {
            let (_, file) = Temporary::file_beside(&at(name)).unwrap();
            (file, at(name))
        });
        fs::create_dir(at("b")).unwrap();
        let failed = put_all(&parts).unwrap_err();
        assert_eq!(failed.0, 1);
        drop(parts);
        assert!(at("a").is_file());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
