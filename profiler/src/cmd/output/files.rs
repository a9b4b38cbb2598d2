//! Where results go. A regular file is replaced whole: its new contents are written beside it and renamed, so an error
//! leaves the old ones. Devices and pipes are written to. `-` is standard output.

use crate::cases::folder_error;
use crate::interrupt::{Temporary, folder_of, put_all};
use anyhow::{Context, Error, Result, anyhow, bail};
use evmscope_reports::name::as_file_name;
use nix::unistd::{AccessFlags, access};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::tempfile_in;

/// The results that were written, and those that were not: a failure at the end must not lose what was measured.
#[derive(Default)]
pub struct Written {
    /// As the user named them.
    paths: Vec<PathBuf>,
    /// Whether one went to standard output, where nothing else may stand beside it.
    pub on_stdout: bool,
    /// Why a result could not be written.
    pub errors: Vec<Error>,
}

impl Written {
    fn add(&mut self, other: Written) {
        self.paths.extend(other.paths);
        self.on_stdout |= other.on_stdout;
        self.errors.extend(other.errors);
    }

    /// Writes one more result, or takes the error.
    pub fn write(&mut self, document: Document, contents: Result<String>) {
        self.on_stdout |= document.is_stdout();
        self.add(contents.and_then(|text| document.write(text)).into());
    }

    /// The paths, one per line after an empty line; empty if there are none.
    pub fn listed(&self) -> String {
        let lines = self
            .paths
            .iter()
            .map(|path| format!("\n{}", path.display()));
        let lines: String = lines.collect();
        if lines.is_empty() {
            lines
        } else {
            lines + "\n"
        }
    }
}

impl From<Result<Written>> for Written {
    fn from(written: Result<Written>) -> Written {
        written.unwrap_or_else(|error| Written {
            errors: vec![error],
            ..Written::default()
        })
    }
}

/// The place of one result. It is checked on creation, so that errors show before anything is measured.
pub struct Document {
    /// As the user named it.
    named: PathBuf,
    place: Place,
}

#[derive(PartialEq, Eq)]
enum Place {
    Stdout,
    /// A device, a pipe or a descriptor: opened when its contents are there, since opening a pipe waits for a reader,
    /// who may want another pipe first.
    Stream(PathBuf),
    /// A regular file, or none yet; not a link.
    File(PathBuf),
}

/// The paths of standard output. They are not opened: a file would be written from its beginning.
const STDOUT: [&str; 3] = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

/// Most links from a name to its file, as in the kernel.
const LINKS: usize = 40;

impl Document {
    /// A file, device or pipe, or standard output for `-`. The file's folder is created if its parent exists.
    ///
    /// # Errors
    /// It is a folder, or cannot be written.
    pub fn at(named: &Path) -> Result<Document> {
        if named == Path::new("-") {
            return Ok(Document::stdout());
        }
        if named.is_dir() {
            bail!(
                "cannot write {}: it is a folder; name a file",
                named.display()
            );
        }
        make_folder(folder_of(named))?;
        let place =
            Place::of(named).with_context(|| format!("cannot write {}", named.display()))?;
        Ok(Document {
            named: named.to_path_buf(),
            place,
        })
    }

    /// A file at a default path, whose folders are all created.
    ///
    /// # Errors
    /// As [`Document::at`].
    pub fn at_default(path: &Path) -> Result<Document> {
        make_folders(folder_of(path))?;
        Document::at(path)
    }

    pub fn stdout() -> Document {
        Document {
            named: PathBuf::from("-"),
            place: Place::Stdout,
        }
    }

    pub fn is_stdout(&self) -> bool {
        self.place == Place::Stdout
    }

    /// Writes the contents.
    ///
    /// # Errors
    /// I/O errors such as a full disk. An earlier file is then unchanged.
    pub fn write(self, contents: impl AsRef<[u8]>) -> Result<Written> {
        let written = self.written();
        self.write_with(|out| out.write_all(contents.as_ref()))?;
        Ok(written)
    }

    /// Writes the contents piece by piece; `None` if the reader has gone, who needs no more.
    ///
    /// # Errors
    /// As [`Document::write`].
    pub fn write_with<T>(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> Result<Option<T>> {
        let (staged, made) = self.stage(write)?;
        put(staged)?;
        Ok(made)
    }

    pub fn written(&self) -> Written {
        let on_stdout = self.is_stdout();
        let paths = (!on_stdout).then(|| self.named.clone());
        Written {
            paths: paths.into_iter().collect(),
            on_stdout,
            errors: Vec::new(),
        }
    }

    /// Writes the contents, those of a file beside it.
    fn stage<T>(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> Result<(Option<Staged>, Option<T>)> {
        let mut made = None;
        let keep = |out: &mut dyn Write| {
            made = Some(write(out)?);
            out.flush()
        };
        let place = || format!("cannot write {}", self.named.display());
        let staged = match &self.place {
            Place::Stdout => {
                let written = keep(&mut io::stdout().lock());
                ignore_broken_pipe(written).context("cannot print")?;
                None
            }
            Place::Stream(path) => {
                let open = OpenOptions::new().write(true).truncate(true).open(path);
                let written = open.and_then(|mut stream| keep(&mut stream));
                ignore_broken_pipe(written).with_context(place)?;
                None
            }
            Place::File(path) => {
                let (mut file, temporary) = Temporary::file_beside(path).with_context(place)?;
                keep(&mut file).with_context(place)?;
                Some(Staged {
                    part: (temporary, path.clone()),
                    named: self.named.clone(),
                })
            }
        };
        Ok((staged, made))
    }
}

impl Place {
    /// What a name stands for, at the end of its links.
    fn of(named: &Path) -> io::Result<Place> {
        let mut path = named.to_path_buf();
        for _ in 0..LINKS {
            if STDOUT.iter().any(|name| path == Path::new(name)) {
                return Ok(Place::Stdout);
            }
            let folder = folder_of(&path).canonicalize()?;
            let name = path.file_name().ok_or(ErrorKind::IsADirectory)?;
            path = folder.join(name);
            // A link in /proc stands for an open file, not for a path.
            let open = folder.starts_with("/proc");
            if !open && let Ok(target) = fs::read_link(&path) {
                path = folder.join(target);
                continue;
            }
            let old = match fs::metadata(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                old => Some(old?),
            };
            if old.is_some() {
                // Replacing a file would not ask for it.
                access(&path, AccessFlags::W_OK)?;
            }
            if open || old.is_some_and(|old| !old.is_file()) {
                return Ok(Place::Stream(path));
            }
            // Shows whether the folder can be written to.
            drop(tempfile_in(&folder)?);
            return Ok(Place::File(path));
        }
        Err(io::Error::other("too many links"))
    }
}

/// Refuses two results in one file, where the second would replace the first.
///
/// # Errors
/// The name that occurs twice.
pub fn expect_distinct<'a>(documents: impl IntoIterator<Item = &'a Document>) -> Result<()> {
    let mut earlier: Vec<&Document> = Vec::new();
    for document in documents {
        let is_stream = matches!(document.place, Place::Stream(_));
        if !is_stream && earlier.iter().any(|it| it.place == document.place) {
            bail!(
                "cannot write two results to {}: name another file for one",
                document.named.display()
            );
        }
        earlier.push(document);
    }
    Ok(())
}

/// Files written together into one folder, which is checked on creation.
pub struct Files {
    dir: PathBuf,
}

impl Files {
    /// Files in a folder, which is created if its parent exists: a misspelt path is an error.
    ///
    /// # Errors
    /// The folder cannot be created or written to.
    pub fn in_dir(dir: &Path) -> Result<Files> {
        if dir == Path::new("-") {
            bail!("cannot write to -: several files do not go to standard output; name a folder");
        }
        make_folder(dir)?;
        tempfile_in(dir)
            .map(drop)
            .map_err(|error| refusal(dir, &error))?;
        Ok(Files {
            dir: dir.to_path_buf(),
        })
    }

    /// Files in the folder that the user named, or in a default folder, which is created with its parents.
    ///
    /// # Errors
    /// As [`Files::in_dir`].
    pub fn in_dir_or(named: Option<&Path>, default: &Path) -> Result<Files> {
        if let Some(dir) = named {
            return Files::in_dir(dir);
        }
        make_folders(default)?;
        Files::in_dir(default)
    }

    /// Writes files that belong together: all are on disk before the first is renamed into place, and no signal comes
    /// between.
    ///
    /// # Errors
    /// I/O errors such as a full disk. If one occurs while writing, earlier files of these names are unchanged.
    pub fn write_all(&self, texts: &[(&str, String)]) -> Result<Written> {
        let mut written = Written::default();
        let mut staged = Vec::new();
        for (name, text) in texts {
            let document = Document::at(&self.dir.join(as_file_name(name)))?;
            staged.extend(document.stage(|out| out.write_all(text.as_bytes()))?.0);
            written.add(document.written());
        }
        put(staged)?;
        Ok(written)
    }
}

/// A file that is written but not yet renamed into place.
struct Staged {
    part: (Temporary, PathBuf),
    named: PathBuf,
}

/// Renames files into place.
fn put(staged: impl IntoIterator<Item = Staged>) -> Result<()> {
    let staged = staged.into_iter().map(|it| (it.part, it.named));
    let (parts, named): (Vec<_>, Vec<_>) = staged.unzip();
    put_all(&parts).map_err(|(index, error)| {
        anyhow!(error).context(format!("cannot write {}", named[index].display()))
    })
}

/// Passes on an error of a stream, except for a closed pipe: the reader needs no more.
fn ignore_broken_pipe(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn make_folder(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if dir.is_file() {
        bail!(
            "cannot write to {}: it is a file; name a folder",
            dir.display()
        );
    }
    let parent = folder_of(dir);
    match fs::create_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound && !parent.exists() => bail!(
            "cannot write to {}: {} does not exist; create it, or name another folder",
            dir.display(),
            parent.display()
        ),
        // Another process was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        made => made.map_err(|error| refusal(dir, &error)),
    }
}

fn make_folders(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).map_err(|error| refusal(dir, &error))
}

fn refusal(dir: &Path, error: &io::Error) -> anyhow::Error {
    anyhow!(
        "cannot write to {}: {}; name another folder",
        dir.display(),
        folder_error(dir, error)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_replaced_file_keeps_its_permissions_and_its_links() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old"), "old").unwrap();
        fs::set_permissions(at("old"), Permissions::from_mode(0o640)).unwrap();
        symlink("old", at("link")).unwrap();
        symlink(at("link"), at("link of link")).unwrap();
        symlink("absent", at("dangling")).unwrap();
        for (name, file) in [
            ("link of link", "old"),
            ("dangling", "absent"),
            ("new", "new"),
        ] {
            Document::at(&at(name)).unwrap().write(name).unwrap();
            assert_eq!(fs::read_to_string(at(file)).unwrap(), name);
            assert!(fs::symlink_metadata(at(file)).unwrap().is_file());
        }
        assert_eq!(
            fs::metadata(at("old")).unwrap().permissions().mode() & 0o777,
            0o640
        );
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(
            names,
            ["absent", "dangling", "link", "link of link", "new", "old"]
        );
    }

    #[test]
    fn an_error_leaves_the_earlier_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        fs::write(&path, "earlier").unwrap();
        let document = Document::at(&path).unwrap();
        let failed = document.write_with(|out| {
            out.write_all(b"half")?;
            Err::<(), _>(io::Error::from(ErrorKind::StorageFull))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "earlier");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn links_in_a_circle_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
        symlink(&a, &b).unwrap();
        symlink(&b, &a).unwrap();
        let error = Document::at(&a).err().map(|error| format!("{error:#}"));
        assert!(error.is_some_and(|text| text.ends_with("too many links")));
    }

    #[test]
    fn two_results_in_one_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        symlink("x", folder.path().join("y")).unwrap();
        let at = |path: &Path| Document::at(path).unwrap();
        let pair = |a: &Path, b: &Path| expect_distinct(&[at(a), at(b)]);
        assert!(pair(&path, &folder.path().join("y")).is_err());
        assert!(pair(Path::new("-"), Path::new("/dev/stdout")).is_err());
        assert!(pair(&path, Path::new("-")).is_ok());
        assert!(pair(Path::new("/dev/null"), Path::new("/dev/null")).is_ok());
    }
}
