//! The exports of a run that `bench` and `merge` share.

use crate::cmd::output::{Document, Written, expect_distinct};
use anyhow::{Error, Result};
use clap::Args;
use evmscope_reports::Run;
use evmscope_reports::render::{json, markdown};
use std::path::PathBuf;

#[derive(Args)]
pub struct Exports {
    /// Write the run as JSON (`-`: standard output).
    #[arg(long, value_name = "FILE")]
    pub export_json: Option<PathBuf>,
    /// Write the table as Markdown (`-`: standard output).
    #[arg(long, value_name = "FILE")]
    pub export_markdown: Option<PathBuf>,
}

/// Exports that can be written.
pub struct Checked {
    json: Option<Document>,
    markdown: Option<Document>,
}

impl Exports {
    /// Checks the files, so that errors show before anything is measured.
    ///
    /// # Errors
    /// A file that cannot be written, or the same file twice.
    pub fn check(&self) -> Result<Checked> {
        let at = |path: &Option<PathBuf>| path.as_deref().map(Document::at).transpose();
        let (json, markdown) = (at(&self.export_json)?, at(&self.export_markdown)?);
        expect_distinct(json.iter().chain(&markdown))?;
        Ok(Checked { json, markdown })
    }
}

impl Checked {
    /// Writes the run to all of them. The answer has the errors, such as a full disk.
    pub fn write(self, run: &Run) -> Written {
        let mut written = Written::default();
        if let Some(json_to) = self.json {
            written.write(json_to, json::write(run).map_err(Error::from));
        }
        if let Some(markdown_to) = self.markdown {
            written.write(markdown_to, Ok(markdown::bench(run)));
        }
        written
    }
}
