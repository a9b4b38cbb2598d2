//! Two sides of stacks laid over each other: every frame with its share of either, all that it calls
//! included, and the colours that follow from that. The renderer itself compares self times only.

use super::Widths;
use regex::{Captures, Regex};
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

/// The stacks of both sides, in the layout of the side whose weights are the widths.
pub struct Comparison {
    lines: Vec<String>,
    /// By depth and the weight that lies left of the frame: its shares of the wide and the other side.
    frames: HashMap<(usize, u64), Shares>,
    absent: f64,
}

/// Shares of a frame, 0 to 1, with all that it calls.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shares {
    wide: f64,
    other: f64,
}

/// A frame with those that it calls: weights of the wide and of the other side.
#[derive(Default)]
struct Tree {
    own: [u64; 2],
    whole: [u64; 2],
    children: BTreeMap<String, Tree>,
}

impl Tree {
    fn add(&mut self, side: usize, stack: &str, weight: u64) {
        self.whole[side] += weight;
        let mut node = self;
        for name in stack.split(';') {
            node = node.children.entry(name.to_owned()).or_default();
            node.whole[side] += weight;
        }
        node.own[side] += weight;
    }
}

impl Comparison {
    /// Of two sides that are not empty.
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
        let sums = tree.whole.map(|sum| sum.max(1) as f64);
        comparison.lay_out(&tree, &mut Vec::new(), 0, sums);
        comparison
    }

    /// For the renderer: the stacks of the wide side with their weights, in the order of the layout.
    pub fn lines(&self) -> Vec<String> {
        self.lines.clone()
    }

    /// Share of the other side that lies in frames which the wide side does not have.
    pub fn absent(&self) -> f64 {
        self.absent
    }

    fn lay_out<'a>(&mut self, tree: &'a Tree, path: &mut Vec<&'a str>, left: u64, sums: [f64; 2]) {
        let [wide, other] = [0, 1].map(|side| tree.whole[side] as f64 / sums[side]);
        if tree.whole[0] == 0 {
            self.absent += other;
            return;
        }
        self.frames
            .insert((path.len(), left), Shares { wide, other });
        if tree.own[0] > 0 {
            self.lines
                .push(format!("{} {}", path.join(";"), tree.own[0]));
        }
        let mut left = left + tree.own[0];
        for (name, child) in &tree.children {
            path.push(name);
            self.lay_out(child, path, left, sums);
            path.pop();
            left += child.whole[0];
        }
    }

    /// The picture with the colours of the change, and both shares in the description of each frame.
    pub fn coloured(&self, svg: &str, widths: Widths, other: &str) -> String {
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
            // Up where the head has the larger share.
            let change = match widths {
                Widths::Head => wide - share,
                Widths::Base => share - wide,
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

/// Height of a row of frames in the picture, pixels, as the renderer has it.
const ROW: usize = 16;

/// From -1 (blue) over 0 (white) to 1 (red); the root lets small changes still be seen.
fn colour(change: f64) -> String {
    let faded = 250 - (change.abs().min(1.0).sqrt() * 160.0) as u8;
    match change {
        more if more > 0.0 => format!("rgb(255,{faded},{faded})"),
        less if less < 0.0 => format!("rgb({faded},{faded},255)"),
        _ => "rgb(250,250,250)".to_owned(),
    }
}
