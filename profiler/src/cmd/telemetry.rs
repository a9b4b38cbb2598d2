//! What the interpreter tells of its work, as Prometheus text in a file. The metrics themselves are
//! `evmscope_interp::telemetry`'s.

use crate::cmd::output::Files;
use anyhow::{Context, Result};
use evmscope_interp::telemetry;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::path::{Path, PathBuf};

/// A recorder of this process, and where its text goes.
pub struct Sink {
    files: Files,
    path: PathBuf,
    recorded: PrometheusHandle,
}

impl Sink {
    /// Records from now on.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn to(path: &Path) -> Result<Sink> {
        let files = Files::beside(path)?;
        let recorded = PrometheusBuilder::new()
            .install_recorder()
            .context("cannot record metrics")?;
        telemetry::describe();
        Ok(Sink {
            files,
            path: path.to_owned(),
            recorded,
        })
    }

    /// Writes what was recorded; the file.
    ///
    /// # Errors
    /// A full disk and its like.
    pub fn write(self) -> Result<PathBuf> {
        self.files.write(&self.path, self.recorded.render())
    }
}
