//! `evmscope completions` and `evmscope man`: shell completions and manual pages of the command line.

use crate::cmd::output::Files;
use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man as Page;
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
pub fn man(args: &Man, command: Command) -> Result<String> {
    let Some(dir) = &args.out else {
        let mut page = Vec::new();
        Page::new(command)
            .render(&mut page)
            .context("cannot write the manual page")?;
        return Ok(String::from_utf8_lossy(&page).into_owned());
    };
    // Reports an unusable folder before the first page is written.
    Files::in_dir(dir)?;
    clap_mangen::generate_to(command, dir)
        .with_context(|| format!("cannot write to {}", dir.display()))?;
    Ok(format!("{}\n", dir.join("evmscope.1").display()))
}
