//! Charts of the raw samples, as SVG: their distribution per mode, and their course over the run.
//!
//! The style sheet of the page (`report.css`) selects elements by these colours and replaces them in the dark scheme.

use crate::format;
use crate::history::{CaseHistory, Point};
use crate::run::Measurement;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failure = DrawingAreaErrorKind<std::io::Error>;

const SIZE: (u32, u32) = (1040, 0);
const ROW: u32 = 64;
const AXIS: u32 = 34;
const LABELS: u32 = 110;
const TIMELINE: u32 = 190;
const HISTORY: u32 = 260;

/// Colour of text and axes.
const INK: RGBColor = RGBColor(0x5b, 0x64, 0x70);
/// Colour of the grid lines.
const GRID: RGBColor = RGBColor(0xe3, 0xe6, 0xea);
/// One colour per mode, distinguishable by colour-blind readers.
const MODES: [RGBColor; 4] = [
    RGBColor(0x2f, 0x6f, 0xb5),
    RGBColor(0xc8, 0x6a, 0x12),
    RGBColor(0x6a, 0x4f, 0xa3),
    RGBColor(0x3b, 0x7d, 0x4f),
];

/// Every sample of these measurements as a dot, one row per mode; the box spans the interquartile range, the line is
/// the median. Below, the same samples in the order taken.
///
/// `None` if no measurement has more than one sample. All must have the same unit.
pub(super) fn samples(measurements: &[&Measurement]) -> Option<String> {
    let shown: Vec<_> = measurements
        .iter()
        .filter(|m| m.samples.len() > 1)
        .copied()
        .collect();
    let (low, high) = range(&shown)?;
    let rows = ROW * u32::try_from(shown.len()).ok()?;
    let height = rows + AXIS + TIMELINE;
    let mut svg = String::new();
    {
        let canvas = SVGBackend::with_string(&mut svg, (SIZE.0, height)).into_drawing_area();
        let (upper, lower) = canvas.split_vertically(rows + AXIS);
        distribution(&upper, &shown, low, high).ok()?;
        timeline(&lower, &shown, low, high).ok()?;
        canvas.present().ok()?;
    }
    Some(scalable(&svg, "Samples of each mode"))
}

/// The smallest and the largest sample with a margin; `None` if no sample is finite.
fn range(measurements: &[&Measurement]) -> Option<(f64, f64)> {
    let samples = || measurements.iter().flat_map(|m| m.samples.iter().copied());
    let low = samples().filter(|s| s.is_finite()).reduce(f64::min)?;
    let high = samples().filter(|s| s.is_finite()).reduce(f64::max)?;
    let margin = ((high - low) * 0.04)
        .max(high.abs() * 0.005)
        .max(f64::MIN_POSITIVE);
    Some((low - margin, high + margin))
}

fn distribution(
    area: &Canvas<'_>,
    shown: &[&Measurement],
    low: f64,
    high: f64,
) -> Result<(), Failure> {
    let rows = shown.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .set_label_area_size(LabelAreaPosition::Left, LABELS)
        .set_label_area_size(LabelAreaPosition::Bottom, AXIS)
        .margin_right(20)
        .build_cartesian_2d(low..high, 0.0..rows)?;
    let unit = &shown[0].unit;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_labels(7)
        .x_label_formatter(&|value| format::quantity(*value, unit))
        .label_style(text(13))
        .draw()?;
    for (row, measurement) in shown.iter().enumerate() {
        // The first mode is at the top.
        let middle = rows - row as f64 - 0.5;
        let colour = MODES[row % MODES.len()];
        let dots = measurement.samples.iter().enumerate().map(|(i, sample)| {
            Circle::new((*sample, middle + spread(i)), 3, colour.mix(0.45).filled())
        });
        chart.draw_series(dots)?;
        let [first, median, third] = quartiles(&measurement.samples);
        let span = |left, right, style| {
            Rectangle::new([(left, middle - 0.34), (right, middle + 0.34)], style)
        };
        chart.draw_series([
            span(first, third, colour.mix(0.16).filled()),
            span(first, third, colour.stroke_width(1)),
        ])?;
        let line = [(median, middle - 0.34), (median, middle + 0.34)];
        chart.draw_series([PathElement::new(line, colour.stroke_width(3))])?;
        let (x, y) = chart.backend_coord(&(low, middle));
        let label = text(14).pos(Pos::new(HPos::Right, VPos::Center));
        area.draw(&Text::new(measurement.mode.clone(), (x - 12, y), label))?;
    }
    Ok(())
}

fn timeline(area: &Canvas<'_>, shown: &[&Measurement], low: f64, high: f64) -> Result<(), Failure> {
    let longest = shown.iter().map(|m| m.samples.len()).max().unwrap_or(1);
    let mut chart = ChartBuilder::on(area)
        .set_label_area_size(LabelAreaPosition::Left, LABELS)
        .set_label_area_size(LabelAreaPosition::Bottom, AXIS + 14)
        .margin_right(20)
        .margin_top(12)
        .build_cartesian_2d(1.0..longest as f64, low..high)?;
    let unit = &shown[0].unit;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_labels(longest.min(10))
        .x_label_formatter(&|i| format!("{i:.0}"))
        .y_labels(5)
        .y_label_formatter(&|value| format::quantity(*value, unit))
        .x_desc("samples in the order taken")
        .label_style(text(13))
        .axis_desc_style(text(13))
        .draw()?;
    for (row, measurement) in shown.iter().enumerate() {
        let colour = MODES[row % MODES.len()];
        let points = || {
            (1..)
                .map(f64::from)
                .zip(measurement.samples.iter().copied())
        };
        chart.draw_series([PathElement::new(
            points().collect::<Vec<_>>(),
            colour.mix(0.5).stroke_width(1),
        )])?;
        chart.draw_series(points().map(|point| Circle::new(point, 2, colour.filled())))?;
    }
    Ok(())
}

/// CPU time of a case in every mode, record by record. Lines connect comparable records.
pub(super) fn history(case: &CaseHistory<'_>) -> Option<String> {
    let times = || case.points.iter().flat_map(|point| &point.times);
    let low = times().map(|m| m.median - m.mad).reduce(f64::min)?;
    let high = times().map(|m| m.median + m.mad).reduce(f64::max)?;
    let unit = &times().next()?.unit;
    let mut svg = String::new();
    {
        let size = (SIZE.0, HISTORY);
        let canvas = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        lines(
            &canvas,
            case,
            unit,
            (low.min(high * 0.9) * 0.95, high * 1.05),
        )
        .ok()?;
        canvas.present().ok()?;
    }
    Some(scalable(&svg, "CPU time of each record"))
}

fn lines(
    area: &Canvas<'_>,
    case: &CaseHistory<'_>,
    unit: &str,
    (low, high): (f64, f64),
) -> Result<(), Failure> {
    let last = case.points.len() as f64 - 0.5;
    let mut chart = ChartBuilder::on(area)
        .set_label_area_size(LabelAreaPosition::Left, LABELS)
        .set_label_area_size(LabelAreaPosition::Bottom, AXIS)
        .margin_right(LABELS)
        .margin_top(12)
        .build_cartesian_2d(-0.5..last, low..high)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .y_labels(6)
        .y_label_formatter(&|value| format::quantity(*value, unit))
        .label_style(text(13))
        .draw()?;
    let mut modes: Vec<&str> = Vec::new();
    let times = case.points.iter().flat_map(|point| &point.times);
    for time in times {
        if !modes.contains(&time.mode.as_str()) {
            modes.push(&time.mode);
        }
    }
    let colour = |mode: &str| {
        let row = modes.iter().position(|known| *known == mode);
        MODES[row.unwrap_or_default() % MODES.len()]
    };
    for (i, point) in case.points.iter().enumerate() {
        for time in &point.times {
            let colour = colour(&time.mode);
            let (x, y) = (i as f64, time.median);
            let of_mode = |point: &Point<'_>| {
                let found = point.times.iter().find(|other| other.mode == time.mode);
                found.map(|other| other.median)
            };
            let before = case.points[..i].iter().enumerate().rev();
            let before = before
                .filter(|(_, earlier)| point.continues(earlier))
                .find_map(|(at, earlier)| Some((at as f64, of_mode(earlier)?)));
            if let Some(before) = before {
                let line = PathElement::new([before, (x, y)], colour.mix(0.5).stroke_width(1));
                chart.draw_series([line])?;
            }
            let spread = [(x, y - time.mad), (x, y + time.mad)];
            chart.draw_series([PathElement::new(spread, colour.stroke_width(1))])?;
            chart.draw_series([Circle::new((x, y), 4, colour.filled())])?;
        }
    }
    key(area, &modes)?;
    days(area, case, |i| chart.backend_coord(&(i as f64, low)))
}

/// The colour of each mode, in the right margin.
fn key(area: &Canvas<'_>, modes: &[&str]) -> Result<(), Failure> {
    for (row, mode) in modes.iter().enumerate() {
        let place = ((SIZE.0 - LABELS + 14) as i32, 20 + 20 * row as i32);
        area.draw(&Circle::new(place, 4, MODES[row % MODES.len()].filled()))?;
        let label = text(14).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(
            (*mode).to_owned(),
            (place.0 + 10, place.1),
            label,
        ))?;
    }
    Ok(())
}

/// The day of each record, below its place on the axis.
fn days(
    area: &Canvas<'_>,
    case: &CaseHistory<'_>,
    place: impl Fn(usize) -> (i32, i32),
) -> Result<(), Failure> {
    for (i, point) in case.points.iter().enumerate() {
        let (x, y) = place(i);
        let day = point
            .created
            .split('T')
            .next()
            .unwrap_or_default()
            .to_owned();
        let label = text(12).pos(Pos::new(HPos::Center, VPos::Top));
        area.draw(&Text::new(day, (x, y + 8), label))?;
    }
    Ok(())
}

fn text<'a>(size: u32) -> TextStyle<'a> {
    ("sans-serif", size).into_text_style(&SIZE).color(&INK)
}

/// Vertical offset of the i-th dot within its row, so that equal samples do not hide each other. Multiples of the
/// golden ratio modulo 1 are evenly distributed for any number of dots.
fn spread(i: usize) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    ((i as f64 * GOLDEN).fract() - 0.5) * 0.6
}

/// First quartile, median, third quartile, by linear interpolation.
fn quartiles(samples: &[f64]) -> [f64; 3] {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    [0.25, 0.5, 0.75].map(|share| {
        let place = share * (sorted.len() - 1) as f64;
        let (below, above) = (
            sorted[place.floor() as usize],
            sorted[place.ceil() as usize],
        );
        below + (above - below) * place.fract()
    })
}

/// Scales with its container: the pixel size only sets the aspect ratio.
fn scalable(svg: &str, label: &str) -> String {
    let (head, rest) = svg.split_once('>').unwrap_or((svg, ""));
    let kept = head.split_once(" viewBox=").map_or(head, |(_, kept)| kept);
    let kept = kept.split(" xmlns=").next().unwrap_or(kept);
    format!("<svg class=\"chart\" role=\"img\" aria-label=\"{label}\" viewBox={kept}>{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter::Counter;

    fn measurement(mode: &str, samples: Vec<f64>) -> Measurement {
        Measurement::new("case", mode, Counter::CpuTime, samples).unwrap()
    }

    #[test]
    fn every_sample_is_a_dot_twice() {
        let base = measurement(
            "traditional",
            (1..=30).map(|i| f64::from(i) * 1e6).collect(),
        );
        let head = measurement("advanced", vec![2e6; 30]);
        let svg = samples(&[&base, &head]).unwrap();
        assert_eq!(svg.matches("<circle").count(), 2 * (30 + 30));
        assert!(
            svg.starts_with("<svg class=\"chart\" role=\"img\" aria-label=\"Samples of each mode\" viewBox=\"0 0 1040 "),
            "{svg}"
        );
        assert!(
            svg.contains("traditional") && svg.contains("10.0 ms"),
            "{svg}"
        );
    }

    #[test]
    fn one_sample_gives_no_chart() {
        let exact = measurement("advanced", vec![5.0]);
        assert_eq!(samples(&[&exact]), None);
        assert_eq!(samples(&[]), None);
    }

    #[test]
    fn equal_samples_still_have_a_range() {
        let flat = measurement("advanced", vec![0.0; 5]);
        assert!(samples(&[&flat]).is_some());
        let (low, high) = range(&[&measurement("advanced", vec![7.0; 5])]).unwrap();
        assert!(low < 7.0 && high > 7.0);
    }

    #[test]
    fn quartiles_are_interpolated() {
        assert_eq!(quartiles(&[4.0, 1.0, 3.0, 2.0]), [1.75, 2.5, 3.25]);
        assert_eq!(quartiles(&[3.0, 1.0]), [1.5, 2.0, 2.5]);
    }
}
