//! `evmscope completions` and `evmscope man`: what shells and `man` want to know of the command line.

use crate::cli::{Cli, Completions, Man};
use crate::output::Files;
use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_mangen::Man as Page;

/// What a shell reads: `evmscope completions bash > /etc/bash_completion.d/evmscope`.
pub fn completions(args: &Completions) -> String {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "evmscope", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The main page, or the pages of all verbs in a folder, where `man evmscope-run` finds its own.
pub fn man(args: &Man) -> Result<String> {
    let command = Cli::command();
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
