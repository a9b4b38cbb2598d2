//! The model of a table: cells with text and tone, in sections.

use crate::format;
use crate::run::{Measurement, Ratio, Verdict};

/// Text of a cell without a value.
pub(super) const NOTHING: &str = "—";

/// The meaning of a cell; renderers choose the colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    Good,
    Bad,
    Unsure,
    Faint,
}

impl From<Verdict> for Tone {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Improved => Self::Good,
            Verdict::Regressed => Self::Bad,
            Verdict::Unchanged => Self::Plain,
            Verdict::Inconclusive => Self::Unsure,
        }
    }
}

impl Tone {
    /// The name of the tone in a style sheet.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Unsure => "unsure",
            Self::Faint => "faint",
        }
    }
}

/// A figure as a bar, for renderers that can draw one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bar {
    /// A share of the largest in the row, 0 to 1.
    Share(f64),
    /// A ratio, drawn from the middle: below 1 to the left, above 1 to the right.
    Change(f64),
}

impl Bar {
    /// The name of the kind in a style sheet.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Share(_) => "share",
            Self::Change(_) => "change",
        }
    }

    /// Left edge and width, in per cent of the cell. Changes are logarithmic and clamped at a factor of 4.
    pub(super) fn extent(self) -> (f64, f64) {
        match self {
            Self::Share(share) => (0.0, share.clamp(0.0, 1.0) * 100.0),
            Self::Change(ratio) => {
                let reach = ratio.log2().clamp(-2.0, 2.0) * 25.0;
                (50.0 + reach.min(0.0), reach.abs())
            }
        }
    }
}

/// One cell: a few short lines of text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cell {
    pub(super) lines: Vec<String>,
    pub(super) tone: Tone,
    pub(super) bar: Option<Bar>,
    /// Sort key; without one the bar's value is used.
    key: Option<f64>,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            lines: vec![text.into()],
            ..Self::default()
        }
    }

    pub(super) fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }

    pub(super) fn bar(self, bar: Bar) -> Self {
        Self {
            bar: Some(bar),
            ..self
        }
    }

    pub(super) fn key(self, key: f64) -> Self {
        Self {
            key: Some(key),
            ..self
        }
    }

    /// The number behind the text; comparable within a column.
    pub(super) fn sort_key(&self) -> Option<f64> {
        let length = |bar| match bar {
            Bar::Share(value) | Bar::Change(value) => value,
        };
        self.key.or(self.bar.map(length))
    }

    pub(super) fn line(mut self, text: impl Into<String>) -> Self {
        self.lines.push(text.into());
        self
    }

    pub(super) fn faint(text: &str) -> Self {
        Self::new(text).tone(Tone::Faint)
    }

    /// A median with its spread, and the coverage if the counter ran only part of the time.
    pub(super) fn figure(measurement: &Measurement) -> Self {
        let Measurement {
            median,
            mad,
            unit,
            coverage,
            ..
        } = measurement;
        let spread = format::spread(*mad, *median)
            .map(|s| format!(" {s}"))
            .unwrap_or_default();
        let cell = Self::new(format::quantity(*median, unit) + &spread).key(*median);
        match coverage {
            Some(share) if *share < 0.9995 => cell
                .line(format!("{:.0} % counted", share * 100.0))
                .tone(Tone::Faint),
            _ => cell,
        }
    }
}

/// Rows under a common heading.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Section {
    /// The heading; Markdown shows it as the last column.
    pub(super) title: Option<&'static str>,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// A table: the first column holds names, all others hold figures.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    pub(super) header: Vec<String>,
    /// Heading of the sections' titles, if they have titles.
    pub(super) section_header: Option<&'static str>,
    pub(super) sections: Vec<Section>,
    /// A line below the table: what it leaves out.
    pub(super) note: Option<String>,
}

impl Table {
    /// A table of one section without heading.
    pub(super) fn plain<T: Into<String>>(
        header: impl IntoIterator<Item = T>,
        rows: impl IntoIterator<Item = Vec<Cell>>,
    ) -> Table {
        Table {
            header: header.into_iter().map(Into::into).collect(),
            section_header: None,
            sections: vec![Section {
                title: None,
                rows: rows.into_iter().collect(),
            }],
            note: None,
        }
    }

    /// Keeps the first `n` rows, counted over all sections; returns the number of dropped rows.
    pub(super) fn keep_rows(&mut self, n: usize) -> usize {
        let mut left = n;
        let mut dropped = 0;
        for section in &mut self.sections {
            dropped += section.rows.len().saturating_sub(left);
            section.rows.truncate(left);
            left -= section.rows.len();
        }
        dropped
    }
}

/// How a ratio is shown: as a change in per cent, or as how many times as fast.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Change,
    Times,
}

impl Reading {
    /// The ratio with the mark of its verdict, and its interval.
    pub(super) fn of(self, ratio: &Ratio) -> (String, String) {
        let mark = match ratio.verdict {
            Verdict::Improved | Verdict::Regressed => "",
            Verdict::Unchanged => "≈ ",
            Verdict::Inconclusive => "? ",
        };
        let (value, [low, high]) = match self {
            Self::Change => {
                let ends = [ratio.low, ratio.high].map(format::change_digits);
                (format::change(ratio.median), ends)
            }
            Self::Times => {
                let ends = [ratio.high, ratio.low].map(|r| format::factor_digits(r.recip()));
                (format::times(ratio.median.recip()), ends)
            }
        };
        let interval = if ratio.counter.source().deterministic() && ratio.low == ratio.high {
            "exact".to_owned()
        } else {
            format!("[{low}, {high}]")
        };
        (format!("{mark}{value}"), interval)
    }
}
