//! Renders a [`Run`](crate::Run) as text: terminal, Markdown, HTML, JSON and other tools' formats.
//!
//! `report` and the table builders turn a run into one model of texts and cells; `terminal`, `markdown` and `html`
//! lay it out. No file or stream is accessed here.

mod bench;
mod changes;
mod chart;
mod counters;
pub mod export;
pub mod history;
pub mod html;
pub mod json;
pub mod markdown;
mod marks;
mod memory;
mod opcodes;
mod pgo;
mod report;
pub mod stacks;
mod summary;
mod table;
pub mod terminal;
mod verdict;

pub use verdict::{headline, verdict};
