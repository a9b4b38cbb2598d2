//! The interpreter's metrics as Prometheus text in a file. `evmscope_interp::telemetry` defines the metrics.

use crate::cmd::output::{Document, Written};
use anyhow::{Context, Result};
use evmscope_interp::telemetry;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::path::Path;

/// A metrics recorder of this process, and the file for its text.
pub struct Sink {
    document: Document,
    recorded: PrometheusHandle,
}

impl Sink {
    /// Starts recording.
    ///
    /// # Errors
    /// The file cannot be written, or a recorder is already installed.
    pub fn to(path: &Path) -> Result<Sink> {
        let document = Document::at(path)?;
        let recorded = PrometheusBuilder::new()
            .install_recorder()
            .context("cannot record metrics")?;
        telemetry::describe();
        Ok(Sink { document, recorded })
    }

    /// Where the metrics go.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// Writes the recorded metrics.
    /// The answer has the errors, such as a full disk, and does not list the file.
    pub fn write(self) -> Written {
        let mut written = Written::default();
        written.on_stdout = self.document.is_stdout();
        let done = self.document.write(self.recorded.render());
        written.errors.extend(done.err());
        written
    }
}
