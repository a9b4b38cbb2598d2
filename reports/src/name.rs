//! Names of cases and modes. They come from files, and become file names, rows of tables and items of lists.

/// A text that cannot be a name.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} cannot be a name: use up to {LONGEST} bytes of letters, digits, spaces and -_.+, with a letter, a digit or _ \
     first"
)]
pub struct NameError(String);

/// Longest name, bytes. File names have 255, and a name may be a part of one.
const LONGEST: usize = 100;

/// Characters of a wrong name to show.
const SHOWN: usize = 60;

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || "-_.+ ".contains(c)
}

/// Checks a name that was read from a file.
///
/// # Errors
/// It is empty, too long, has other characters, or looks like an option or a hidden file.
pub fn check(name: &str) -> Result<(), NameError> {
    let first = name.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    match first && name.len() <= LONGEST && name.chars().all(is_plain) {
        true => Ok(()),
        false => Err(NameError(name.chars().take(SHOWN).collect())),
    }
}

/// A text as a file name: other characters become `-`. Names that [`check`] accepts stay as they are, so no two of them
/// become the same.
pub fn as_file_name(text: &str) -> String {
    let plain = |c| if is_plain(c) { c } else { '-' };
    let name: String = text.chars().map(plain).collect();
    match name.starts_with('.') || name.is_empty() {
        // Neither hidden, nor a folder above.
        true => format!("_{name}"),
        false => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for name in [
            "empty",
            "erc20.mint",
            "advanced-2",
            "geth 1.13",
            "_x+y",
            "Prüfung",
        ] {
            assert!(check(name).is_ok(), "{name}");
            assert_eq!(as_file_name(name), name);
        }
        let long = "x".repeat(LONGEST + 1);
        for name in [
            "",
            ".",
            "..",
            "../x",
            "/x",
            "a/b",
            "a\\b",
            "-x",
            ".x",
            " x",
            "a,b",
            "a;b",
            "a|b",
            "a\nb",
            "\u{1b}[2J",
            "a\0",
            &long,
        ] {
            let error = check(name).unwrap_err().to_string();
            assert!(!error.chars().any(char::is_control), "{error}");
            let file = as_file_name(name);
            assert_eq!(
                std::path::Path::new(&file).file_name(),
                Some(file.as_ref()),
                "{name}"
            );
        }
    }
}
