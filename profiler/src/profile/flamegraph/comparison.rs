//! Two sets of stacks in one layout: every frame with its inclusive share on each side, and its colour. The renderer
//! itself compares self times only.
//!
//! Layout and colours only; `flamegraph` draws.

use super::WidthsFrom;
use evmscope_reports::render::stacks::folded_line;
use regex::{Captures, Regex};
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

/// The stacks of both sides, in the layout of the wide side, whose weights are the widths.
pub struct Comparison {
    lines: Vec<String>,
    /// By depth and the weight to the left of the frame.
    frames: HashMap<(usize, u64), Shares>,
    /// Share of the other side in frames that the wide side lacks.
    absent: f64,
}

/// Inclusive shares of a frame, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shares {
    wide: f64,
    other: f64,
}

/// A frame and its callees: self and inclusive weights on the wide and on the other side.
#[derive(Default)]
struct Tree {
    own: [u64; 2],
    inclusive: [u64; 2],
    children: BTreeMap<String, Tree>,
}

impl Tree {
    fn add(&mut self, side: usize, stack: &str, weight: u64) {
        self.inclusive[side] += weight;
        let mut node = self;
        for name in stack.split(';') {
            node = node.children.entry(name.to_owned()).or_default();
            node.inclusive[side] += weight;
        }
        node.own[side] += weight;
    }
}

impl Comparison {
    /// Lays out two sides, neither of them empty.
    pub fn new(wide: &[(String, u64)], other: &[(String, u64)]) -> Comparison {
        let mut tree = Tree::default();
        for (side, stacks) in [wide, other].into_iter().enumerate() {
            for (stack, weight) in stacks {
                tree.add(side, stack, *weight);
            }
        }
        let mut comparison = Comparison {
            lines: Vec::new(),
            frames: HashMap::new(),
            absent: 0.0,
        };
        let sums = tree.inclusive.map(|sum| sum.max(1) as f64);
        comparison.lay_out(&tree, &mut Vec::new(), 0, sums);
        comparison
    }

    /// For the renderer: the stacks of the wide side with their weights, in the order of the layout.
    pub fn lines(&self) -> Vec<String> {
        self.lines.clone()
    }

    /// Share of the other side in frames that the wide side lacks, 0 to 1.
    pub fn absent(&self) -> f64 {
        self.absent
    }

    fn lay_out<'a>(&mut self, tree: &'a Tree, path: &mut Vec<&'a str>, left: u64, sums: [f64; 2]) {
        let [wide, other] = [0, 1].map(|side| tree.inclusive[side] as f64 / sums[side]);
        if tree.inclusive[0] == 0 {
            self.absent += other;
            return;
        }
        self.frames
            .insert((path.len(), left), Shares { wide, other });
        if tree.own[0] > 0 {
            self.lines.push(folded_line(&path.join(";"), tree.own[0]));
        }
        let mut left = left + tree.own[0];
        for (name, child) in &tree.children {
            path.push(name);
            self.lay_out(child, path, left, sums);
            path.pop();
            left += child.inclusive[0];
        }
    }

    /// The picture with the colours of the change, and both shares in each frame's description.
    pub fn coloured(&self, svg: &str, widths: WidthsFrom, other: &str) -> String {
        static FRAME: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(
                r#"<title>([^<]*)\)</title><rect ([^>]*? y="(\d+)"[^>]*?) fill="[^"]*" fg:x="(\d+)"([^>]*)/>"#,
            )
            .expect("the pattern is a constant")
        });
        let rows = || {
            FRAME
                .captures_iter(svg)
                .filter_map(|frame| frame[3].parse::<usize>().ok())
        };
        let lowest = rows().max().unwrap_or_default();
        let largest = self.frames.iter().filter(|((depth, _), _)| *depth > 0);
        let largest = largest.map(|(_, it)| (it.wide - it.other).abs());
        let largest = largest.fold(f64::MIN_POSITIVE, f64::max);
        let recolour = |frame: &Captures<'_>| {
            let depth = frame[3]
                .parse()
                .map_or(0, |row: usize| (lowest - row) / ROW);
            let shares = frame[4]
                .parse()
                .ok()
                .and_then(|left| self.frames.get(&(depth, left)));
            let Some(&Shares { wide, other: share }) = shares else {
                return frame[0].to_owned();
            };
            // Positive if the head has the larger share.
            let change = match widths {
                WidthsFrom::Head => wide - share,
                WidthsFrom::Base => share - wide,
            };
            let (title, before, left, after) = (&frame[1], &frame[2], &frame[4], &frame[5]);
            let points = format!("{:.2}% of {other}", share * 100.0);
            let colour = colour(change / largest);
            format!(
                "<title>{title}; {points})</title><rect {before} fill=\"{colour}\" fg:x=\"{left}\"{after}/>"
            )
        };
        FRAME.replace_all(svg, recolour).into_owned()
    }
}

/// Height of a row of frames in the renderer's picture, pixels.
const ROW: usize = 16;

/// From -1 (blue) over 0 (white) to 1 (red); the square root keeps small changes visible.
fn colour(change: f64) -> String {
    let faded = 250 - (change.abs().min(1.0).sqrt() * 160.0) as u8;
    match change {
        larger if larger > 0.0 => format!("rgb(255,{faded},{faded})"),
        smaller if smaller < 0.0 => format!("rgb({faded},{faded},255)"),
        _ => "rgb(250,250,250)".to_owned(),
    }
}
