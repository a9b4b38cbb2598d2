//! One self-contained page: verdict, tables, charts of the samples, flamegraphs, what was not measured,
//! the rig.
//!
//! No network; light and dark by the reader's preference; prints. It says everything without scripts;
//! with them tables sort, and flamegraphs zoom and search, by keyboard too.

use super::chart;
use super::pgo;
use super::report::Report;
use crate::counter::Counter;
use crate::pgo::PgoReport;
use crate::run::{Measurement, Run};
use askama::Template;

/// A flamegraph to embed.
#[derive(Clone, Copy, Debug)]
pub struct Flamegraph<'a> {
    /// What it shows; its caption.
    pub title: &'a str,
    /// The text of an SVG file. Its scripts run in the page, so it must come from a trusted renderer.
    pub svg: &'a str,
}

/// Why a page could not be made.
#[derive(Debug, thiserror::Error)]
pub enum HtmlError {
    /// The text of a flamegraph holds no `<svg` element.
    #[error("flamegraph \"{0}\": no <svg> element in its text")]
    NoSvg(String),
    /// The template engine failed.
    #[error("the page could not be filled in: {0}")]
    Template(#[from] askama::Error),
}

/// The page that compares the mode `head` against the mode `base` on every case.
///
/// # Errors
/// If a flamegraph is no SVG.
pub fn report(
    run: &Run,
    base: &str,
    head: &str,
    flamegraphs: &[Flamegraph<'_>],
) -> Result<String, HtmlError> {
    let figures = flamegraphs
        .iter()
        .map(Figure::new)
        .collect::<Result<Vec<_>, _>>()?;
    let report = Report::new(run, base, head);
    let charts = report.cases.iter().map(|case| Chart::new(run, &case.name));
    let page = Page {
        base,
        head,
        date: &run.created,
        charts: charts.collect(),
        report,
        figures,
    };
    Ok(page.render()?)
}

/// The page of a profile-guided build: the verdicts, the held-out cases, and what is behind them.
///
/// # Errors
/// If the template engine fails.
pub fn pgo(report: &PgoReport) -> Result<String, HtmlError> {
    let document = pgo::Document::new(report);
    Ok(PgoPage {
        date: &report.created,
        document,
    }
    .render()?)
}

#[derive(Template)]
#[template(path = "pgo.html")]
struct PgoPage<'a> {
    date: &'a str,
    document: pgo::Document,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    base: &'a str,
    head: &'a str,
    date: &'a str,
    report: Report,
    /// One for each case of the report.
    charts: Vec<Option<Chart>>,
    figures: Vec<Figure<'a>>,
}

/// The samples of a case's CPU time, all modes.
struct Chart {
    caption: String,
    svg: String,
}

impl Chart {
    fn new(run: &Run, case: &str) -> Option<Self> {
        let of_mode = |mode: &str| run.measurement(case, mode, Counter::CpuTime);
        let modes = run.modes();
        let measured: Vec<_> = modes.iter().filter_map(|mode| of_mode(mode)).collect();
        let least = measured.iter().map(|m: &&Measurement| m.n).min()?;
        Some(Self {
            caption: format!(
                "Every sample of the CPU time of {case}, at least {least} a mode: a dot each, the box \
                 around the middle half, the line at the median; below, as they came"
            ),
            svg: chart::samples(&measured)?,
        })
    }
}

/// An SVG in a document of its own: the ids and scripts of one flamegraph must not meet another's.
/// Not sandboxed: browsers refuse the search prompt to a frame of another origin.
struct Figure<'a> {
    title: &'a str,
    document: String,
    /// Height in CSS pixels, as the SVG states it.
    height: u32,
}

#[derive(Template)]
#[template(path = "frame.html")]
struct Frame<'a> {
    title: &'a str,
    svg: &'a str,
}

impl<'a> Figure<'a> {
    fn new(flamegraph: &Flamegraph<'a>) -> Result<Self, HtmlError> {
        let Flamegraph { title, svg } = *flamegraph;
        // The XML declaration and the document type have no place inside HTML.
        let start = svg
            .find("<svg")
            .ok_or_else(|| HtmlError::NoSvg(title.to_owned()))?;
        let svg = svg[start..].trim_end();
        let document = Frame { title, svg }.render()?;
        Ok(Self {
            title,
            document,
            height: stated_height(svg).unwrap_or(600) + TOOLBAR,
        })
    }
}

/// Height of what stands above a flamegraph, in CSS pixels; `frame.html` keeps to it.
const TOOLBAR: u32 = 44;

/// The attribute `height` of the first tag, if it is a number of pixels.
fn stated_height(svg: &str) -> Option<u32> {
    let (tag, _) = svg.split_once('>')?;
    let (_, value) = tag.split_once(" height=\"")?;
    value.split_once('"')?.0.trim_end_matches("px").parse().ok()
}
