//! The interpreter's metrics as Prometheus text in a file. `evmscope_interp::telemetry` defines the metrics.

use crate::cmd::output::Files;
use anyhow::{Context, Result};
use evmscope_interp::telemetry;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::path::{Path, PathBuf};

/// A metrics recorder of this process, and the file for its text.
pub struct Sink {
    files: Files,
    path: PathBuf,
    recorded: PrometheusHandle,
}

impl Sink {
    /// Starts recording.
    ///
    /// # Errors
    /// The file cannot be written, or a recorder is already installed.
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

    /// Writes the recorded metrics; returns the file's path.
    ///
    /// # Errors
    /// I/O errors such as a full disk.
    pub fn write(self) -> Result<PathBuf> {
        self.files.write(&self.path, self.recorded.render())
    }
}
