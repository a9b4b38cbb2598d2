//! Flamegraphs of contracts: what their widths mean, and a colour for each kind of frame. The stacks come from
//! `profile::contracts`.

use super::{FlameError, draw, folded, options, provenance, quantity};
use crate::profile::contracts::{Kind, Weighed};
use evmscope_reports::format;
use evmscope_reports::render::stacks::folded_name;
use evmscope_reports::run::Profile;
use inferno::flamegraph::color::{Color, PaletteMap};

/// What the widths of a flamegraph of contracts mean.
#[derive(Clone, Debug)]
pub enum Width {
    /// Gas, counted.
    Gas,
    /// Opcodes executed, counted.
    Opcodes,
    /// Time, by the samples of a mode.
    Time(Profile),
}

impl Width {
    /// The unit of the weights.
    pub fn unit(&self) -> &str {
        match self {
            Width::Gas => "gas",
            Width::Opcodes => "opcodes",
            Width::Time(profile) => &profile.unit,
        }
    }

    fn described(&self, attributed: Option<f64>) -> String {
        match self {
            Width::Gas => {
                "gas, counted; a call's own gas excludes its callee's; recursion is folded"
                    .to_owned()
            }
            Width::Opcodes => "opcodes executed, counted; recursion is folded".to_owned(),
            Width::Time(profile) => format!(
                "{} of {}: {} attributed by sample position, the rest by opcode executions; {}",
                quantity(profile),
                profile.mode,
                format::percent(attributed.unwrap_or(0.0)),
                provenance(profile)
            ),
        }
    }
}

/// Draws the stacks of contracts, each kind of frame in its colour.
///
/// # Errors
/// No opcode was executed.
pub fn contracts(case: &str, width: &Width, weighed: &Weighed) -> Result<String, FlameError> {
    if weighed.stacks.is_empty() {
        return Err(FlameError::NoOpcodes {
            case: case.to_owned(),
        });
    }
    let mut palette = PaletteMap::default();
    // The root has no name.
    palette.insert(
        "",
        Color {
            r: 225,
            g: 225,
            b: 225,
        },
    );
    for (name, kind) in &weighed.kinds {
        palette.insert(folded_name(name), shade(*kind, name));
    }
    let mut options = options(width.unit());
    options.title = format!("{case}: contracts, functions, lines, opcodes");
    options.subtitle = Some(format!("width: {}", width.described(weighed.attributed)));
    options.palette_map = Some(&mut palette);
    draw(&mut options, folded(&weighed.stacks))
}

/// The colour of a kind of frame, in a shade that depends on the name, so that neighbours differ.
fn shade(kind: Kind, name: &str) -> Color {
    let (r, g, b) = match kind {
        Kind::Call => (178, 160, 222),
        Kind::Function => (140, 200, 150),
        Kind::Place => (206, 212, 218),
        Kind::Opcode => (242, 204, 96),
        Kind::Native => (236, 140, 100),
    };
    let sum = name
        .bytes()
        .fold(0u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    let lighter = |channel: u8| channel.saturating_add(sum % 20);
    Color {
        r: lighter(r),
        g: lighter(g),
        b: lighter(b),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::colour;
    use super::*;

    #[test]
    fn kinds_of_frames_have_their_colours_and_the_picture_is_well_formed() {
        let kinds = [
            ("Token.f()", Kind::Call),
            ("a < b && c", Kind::Place),
            ("i < 10", Kind::Place),
            ("ADD", Kind::Opcode),
        ];
        let weighed = Weighed {
            stacks: vec![("Token.f();a < b && c;i < 10;ADD".to_owned(), 3)],
            kinds: kinds.map(|(name, kind)| (name.to_owned(), kind)).into(),
            attributed: None,
        };
        let svg = contracts("case", &Width::Gas, &weighed).unwrap();
        let mut reader = quick_xml::Reader::from_str(&svg);
        while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
        let colours: Vec<_> = kinds
            .iter()
            .map(|(name, _)| {
                colour(&svg, &name.replace('&', "&amp;").replace('<', "&lt;")).to_owned()
            })
            .collect();
        let shades = kinds.map(|(name, kind)| shade(kind, name).to_string());
        assert_eq!(colours, shades);
        let empty = contracts("empty", &Width::Gas, &Weighed::default()).unwrap_err();
        assert_eq!(
            empty.to_string(),
            "empty executes no opcode: there is nothing to draw"
        );
    }
}
