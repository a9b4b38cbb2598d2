//! `evmscope completions` and `evmscope man`: what shells and `man` want to know of the command line.

use crate::cmd::output::Files;
use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man as Page;
use std::path::PathBuf;

#[derive(Args)]
pub struct Completions {
    /// Which shell.
    pub shell: Shell,
}

#[derive(Args)]
pub struct Man {
    /// Folder for the pages, one a verb [default: the main page on standard output].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// What a shell reads: `evmscope completions bash > /etc/bash_completion.d/evmscope`.
pub fn completions(args: &Completions, mut command: Command) -> String {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "evmscope", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The main page, or the pages of all verbs in a folder, where `man evmscope-run` finds its own.
pub fn man(args: &Man, command: Command) -> Result<String> {
    let Some(dir) = &args.out else {
        let mut page = Vec::new();
        Page::new(command)
            .render(&mut page)
            .context("cannot write the manual page")?;
        return Ok(String::from_utf8_lossy(&page).into_owned());
    };
    // Says what is wrong with a folder before the first page is there.
    Files::in_dir(dir)?;
    clap_mangen::generate_to(command, dir)
        .with_context(|| format!("cannot write to {}", dir.display()))?;
    Ok(format!("{}\n", dir.join("evmscope.1").display()))
}
