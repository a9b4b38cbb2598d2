//! One self-contained page: verdict, tables, charts of the samples, flamegraphs, unavailable counters, the rig.
//!
//! Needs no network, follows the reader's colour scheme and can be printed. Complete without scripts, which add
//! sorting of tables, and zoom, search and keyboard control of flamegraphs.

use super::chart;
use super::pgo;
use super::report::{Report, Room};
use crate::counter::Counter;
use crate::pgo::PgoReport;
use crate::run::{Measurement, Run};
use crate::text;
use askama::Template;

/// A flamegraph to embed.
#[derive(Clone, Copy, Debug)]
pub struct Flamegraph<'a> {
    /// Its caption.
    pub title: &'a str,
    /// The text of an SVG file. Its scripts run in the page, so it must come from a trusted renderer.
    pub svg: &'a str,
}

/// Why a page could not be made.
#[derive(Debug, thiserror::Error)]
pub enum HtmlError {
    /// The text of a flamegraph has no `<svg` element.
    #[error("flamegraph \"{0}\": no <svg> element in its text")]
    NoSvg(String),
    /// The template engine failed.
    #[error("the page could not be filled in: {0}")]
    Template(#[from] askama::Error),
}

/// The page that compares the mode `head` against the mode `base` on every case.
///
/// # Errors
/// A flamegraph is not SVG, or the template engine failed.
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
    filled(&page)
}

/// The page of a profile-guided build: verdicts, held-out cases and details.
///
/// # Errors
/// The template engine failed.
pub fn pgo(report: &PgoReport) -> Result<String, HtmlError> {
    let document = pgo::Document::new(report);
    filled(&PgoPage {
        date: &report.created,
        document,
    })
}

/// A page with everything filled in. The engine escapes the markup in texts; drawings have escaped their own.
pub(super) fn filled(page: &impl Template) -> Result<String, HtmlError> {
    Ok(text::lines(&page.render()?).into_owned())
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
                "CPU time samples of {case}, at least {least} per mode: one dot per sample; the box is the \
                 interquartile range, the line the median; below, in the order taken"
            ),
            svg: chart::samples(&measured)?,
        })
    }
}

/// An SVG in a document of its own, so that ids and scripts of several flamegraphs do not conflict. Not sandboxed:
/// browsers block the search prompt in a frame of another origin.
struct Figure<'a> {
    title: &'a str,
    document: String,
    /// Height in CSS pixels: the SVG's own plus the toolbar.
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
        // HTML allows neither an XML declaration nor a second document type.
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

/// Height of the toolbar above a flamegraph, in CSS pixels; `frame.html` sets the same.
const TOOLBAR: u32 = 44;

/// The attribute `height` of the first tag, if it is in pixels.
fn stated_height(svg: &str) -> Option<u32> {
    let (tag, _) = svg.split_once('>')?;
    let (_, value) = tag.split_once(" height=\"")?;
    value.split_once('"')?.0.trim_end_matches("px").parse().ok()
}
