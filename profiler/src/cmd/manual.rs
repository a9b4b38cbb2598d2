//! `evmscope completions` and `evmscope man`: shell completions and manual pages of the command line.

use crate::cmd::output::{Answer, Files};
use crate::interrupt::Temporary;
use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man as Page;
use std::fs;
use std::io;
use std::path::PathBuf;

#[derive(Args)]
pub struct Completions {
    /// Shell to complete for.
    pub shell: Shell,
}

#[derive(Args)]
pub struct Man {
    /// Folder for one page per command [default: main page on standard output].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// The completion script: `evmscope completions bash > /etc/bash_completion.d/evmscope`.
pub fn completions(args: &Completions, mut command: Command) -> String {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "evmscope", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Returns the main page, or writes one page per command into a folder, where `man evmscope-run` finds it.
pub fn man(args: &Man, command: Command) -> Result<Answer> {
    let Some(dir) = &args.out else {
        let mut page = Vec::new();
        Page::new(command)
            .render(&mut page)
            .context("cannot write the manual page")?;
        let page = String::from_utf8_lossy(&page).into_owned();
        return Ok(Answer::success(page));
    };
    let files = Files::in_dir(dir)?;
    let pages = pages(command).context("cannot write the manual pages")?;
    let named: Vec<_> = pages
        .iter()
        .map(|(name, page)| (name.as_str(), page.clone()))
        .collect();
    files.write_all(&named)?;
    Ok(Answer::success(format!(
        "{}\n",
        dir.join("evmscope.1").display()
    )))
}

/// The page of each command, by the name of its file. The library writes pages to a folder only.
fn pages(command: Command) -> io::Result<Vec<(String, String)>> {
    let folder = Temporary::folder()?;
    clap_mangen::generate_to(command, folder.path())?;
    let entries = fs::read_dir(folder.path())?;
    let page = |entry: io::Result<fs::DirEntry>| {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        Ok((name, fs::read_to_string(entry.path())?))
    };
    entries.map(page).collect()
}
