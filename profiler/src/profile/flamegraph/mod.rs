//! Flamegraphs: folded stacks drawn as SVG.
//!
//! Returns complete SVG texts; `cmd` writes the files. Stacks come from `fold` and `contracts::weigh`. `comparison`
//! lays out differential flamegraphs, `contracts` colours flamegraphs of contracts.

mod comparison;
mod contracts;

pub use contracts::{Width, contracts};

use crate::symbols::handlers::HandlerName;
use comparison::Comparison;
use evmscope_reports::format;
use evmscope_reports::render::stacks::{NO_BREAK_SPACE, folded_line};
use evmscope_reports::run::Profile;
use evmscope_reports::text;
use inferno::flamegraph::color::{BackgroundColor, Color};
use inferno::flamegraph::{Options, TextTruncateDirection, from_lines};
use std::fmt::Write;
use std::io;
use thiserror::Error;

/// The side that a differential flamegraph's widths come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WidthsFrom {
    /// The base: shows what the head no longer does.
    Base,
    /// The head: shows what it does in addition.
    Head,
}

/// Why nothing was drawn.
#[derive(Debug, Error)]
pub enum FlameError {
    /// There are no samples.
    #[error("no samples of {case} in mode {mode}: sample longer, or at a higher rate")]
    Empty {
        /// Name of the case.
        case: String,
        /// The mode.
        mode: String,
    },
    /// The case executes nothing.
    #[error("{case} executes no opcode: there is nothing to draw")]
    NoOpcodes {
        /// Name of the case.
        case: String,
    },
    /// Two sides whose weights have different units.
    #[error("cannot compare samples in {base} with samples in {head}: use one sampler for both")]
    Units {
        /// Unit of the base.
        base: String,
        /// Unit of the head.
        head: String,
    },
    /// The renderer failed.
    #[error("cannot draw the flamegraph: {0}")]
    Draw(#[from] io::Error),
}

/// Draws one profile.
///
/// # Errors
/// A profile without samples.
pub fn flame(profile: &Profile) -> Result<String, FlameError> {
    not_empty(profile)?;
    let mut options = options(&profile.unit);
    options.title = format!("{}, {}", profile.case, profile.mode);
    options.subtitle = Some(format!(
        "width: {}; {}",
        quantity(profile),
        provenance(profile)
    ));
    draw(&mut options, folded(&profile.stacks))
}

/// Draws how `head` differs from `base`, both scaled to the same sum: frames with a larger inclusive share in the
/// head are red, those with a smaller one blue. Frames that are only on the other side are missing, so the full
/// comparison takes both pictures; each says how much it lacks.
///
/// # Errors
/// A side without samples, or sides in different units.
pub fn differential(
    base: &Profile,
    head: &Profile,
    widths: WidthsFrom,
) -> Result<String, FlameError> {
    not_empty(base)?;
    not_empty(head)?;
    if base.unit != head.unit {
        return Err(FlameError::Units {
            base: base.unit.clone(),
            head: head.unit.clone(),
        });
    }
    let (wide, other) = match widths {
        WidthsFrom::Base => (base, head),
        WidthsFrom::Head => (head, base),
    };
    let comparison = Comparison::new(&by_opcode(wide), &by_opcode(other));
    let mut options = options(&wide.unit);
    options.title = format!("{}: {} against {}", head.case, head.mode, base.mode);
    options.subtitle = Some(format!(
        "width: {} of {}; red: larger inclusive share in {}, blue: smaller; {} of {} is only in the other graph; {}",
        quantity(wide),
        wide.mode,
        head.mode,
        format::percent(comparison.absent()),
        other.mode,
        format::count(wide.samples, "sample"),
    ));
    let svg = draw(&mut options, comparison.lines())?;
    Ok(comparison.coloured(&svg, widths, &other.mode))
}

/// The stacks of a side, its handlers named by their opcode alone, the only part that two modes have in common.
fn by_opcode(profile: &Profile) -> Vec<(String, u64)> {
    let opcode = |frame: &str| {
        let handler = HandlerName::of_frame(frame)?;
        (handler.mode.name() == profile.mode).then(|| handler.opcode.to_string())
    };
    let frame = |name: &str| opcode(name).unwrap_or_else(|| name.to_owned());
    let stack = |stack: &str| stack.split(';').map(frame).collect::<Vec<_>>().join(";");
    let stacks = profile.stacks.iter();
    stacks.map(|(it, weight)| (stack(it), *weight)).collect()
}

fn not_empty(profile: &Profile) -> Result<(), FlameError> {
    // The renderer would report it too, but only after having drawn a picture of the error.
    match profile.stacks.iter().any(|(_, weight)| *weight > 0) {
        true => Ok(()),
        false => Err(FlameError::Empty {
            case: profile.case.clone(),
            mode: profile.mode.clone(),
        }),
    }
}

/// What the samples measure: CPU time, or else the event that is the unit.
fn quantity(profile: &Profile) -> &str {
    match profile.unit.as_str() {
        "ns" => "CPU time",
        "cycles" => "CPU cycles",
        event => event,
    }
}

/// How many samples, by which sampler, at which rate.
fn provenance(profile: &Profile) -> String {
    let samples = format::count(profile.samples, "sample");
    let mut text = format!("{samples} by {}", profile.sampler);
    if profile.rate > 0.0 {
        let rate = format::thousands(profile.rate.round() as u64);
        let _ = write!(text, ", {rate} a second");
    }
    if profile.lost > 0 {
        let _ = write!(text, ", {} lost", profile.lost);
    }
    text
}

fn options<'a>(unit: &str) -> Options<'a> {
    let mut options = Options::default();
    options.count_name = unit.to_owned();
    // Random colours would make every picture differ.
    options.deterministic = true;
    // A fluid width shows nothing where scripts do not run.
    options.image_width = Some(1200);
    // Light, but not white: that is a differential's colour for "unchanged".
    let (r, g, b) = (240, 240, 240);
    options.bgcolors = Some(BackgroundColor::Flat(Color { r, g, b }));
    options.text_truncate_direction = TextTruncateDirection::Right;
    options
}

/// One line per stack: names, root first, `;` between them, and the weight.
pub fn folded(stacks: &[(String, u64)]) -> Vec<String> {
    let line = |(stack, weight): &(String, u64)| folded_line(stack, *weight);
    stacks.iter().map(line).collect()
}

fn draw(options: &mut Options<'_>, mut lines: Vec<String>) -> Result<String, FlameError> {
    // The renderer would sort the lines as text, where `a b` is between `a` and `a;c`, and draw `a` twice.
    lines.sort_by(|a, b| stack_of(a).split(';').cmp(stack_of(b).split(';')));
    // The option for flame charts makes it keep the order, but reversed.
    lines.reverse();
    options.flame_chart = true;
    let mut svg = Vec::new();
    from_lines(options, lines.iter().map(String::as_str), &mut svg)?;
    // The picture is searched with ordinary spaces.
    let svg = String::from_utf8_lossy(&svg).replace(NO_BREAK_SPACE, " ");
    // The renderer escapes markup, and writes the rest of a title as it is.
    Ok(text::lines(&svg).into_owned())
}

/// A line without its weight.
fn stack_of(line: &str) -> &str {
    line.rsplit_once(' ').map_or(line, |(stack, _)| stack)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn of(mode: &str, stacks: &[(&str, u64)]) -> Profile {
        Profile {
            case: "snailtracer".into(),
            mode: mode.into(),
            sampler: "perf cpu-clock".into(),
            samples: 3_026,
            lost: 0,
            rate: 1_987.4,
            unit: "ns".into(),
            stacks: stacks.iter().map(|&(s, w)| (s.to_owned(), w)).collect(),
        }
    }

    fn traditional() -> Profile {
        of(
            "traditional",
            &[("execute;ops::mul", 300), ("execute;ops::push", 700)],
        )
    }

    fn advanced() -> Profile {
        of(
            "advanced",
            &[("run;ops::mul", 200), ("execute;ops::mul", 100)],
        )
    }

    /// The description of each frame, sorted.
    fn texts(svg: &str) -> Vec<&str> {
        let titles = svg.split("<title>").skip(1);
        let mut texts: Vec<_> = titles
            .filter_map(|rest| rest.split("</title>").next())
            .collect();
        texts.sort_unstable();
        texts
    }

    #[test]
    fn the_subtitle_names_quantity_sampler_and_rate() {
        let svg = flame(&traditional()).unwrap();
        assert!(svg.contains(">snailtracer, traditional<"));
        assert!(svg.contains(">width: CPU time; 3,026 samples by perf cpu-clock, 1,987 a second<"));
        assert!(svg.contains(r#"width="1200""#));
        assert_eq!(
            texts(&svg),
            [
                "all (1,000 ns, 100%)",
                "execute (1,000 ns, 100.00%)",
                "ops::mul (300 ns, 30.00%)",
                "ops::push (700 ns, 70.00%)",
            ]
        );
    }

    /// Names of functions, files and events come from other programs.
    #[test]
    fn hostile_names_are_text_and_the_picture_is_well_formed() {
        let hostile = "</title><script>alert(1)</script>\u{1b}[2J\n\u{202e}&\0\u{ffff} 7";
        let profile = Profile {
            case: hostile.into(),
            mode: hostile.into(),
            unit: hostile.into(),
            ..of(
                "advanced",
                &[(&format!("{hostile};{hostile}"), 3), ("a", 1)],
            )
        };
        let svg = flame(&profile).unwrap();
        let obeyed =
            |c: char| (c.is_control() && !"\n\t".contains(c)) || "\u{202e}\u{ffff}".contains(c);
        assert_eq!(svg.find(obeyed), None, "{svg}");
        assert!(!svg.contains("<script>alert"), "{svg}");
        let mut reader = quick_xml::Reader::from_str(&svg);
        while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
        // Two frames, and all four with the unit.
        let told = texts(&svg).iter().filter(|it| it.contains("␛[2J")).count();
        assert_eq!(told, 4, "{svg}");
    }

    #[test]
    fn the_subtitle_names_lost_samples_and_cycles() {
        let profile = Profile {
            lost: 7,
            unit: "cycles".into(),
            ..traditional()
        };
        let svg = flame(&profile).unwrap();
        assert!(svg.contains(
            ">width: CPU cycles; 3,026 samples by perf cpu-clock, 1,987 a second, 7 lost<"
        ));
    }

    #[test]
    fn events_other_than_clocks_are_not_called_time() {
        let profile = Profile {
            unit: "page-faults".into(),
            ..traditional()
        };
        let svg = flame(&profile).unwrap();
        assert!(svg.contains(">width: page-faults; 3,026 samples"), "{svg}");
        assert_eq!(texts(&svg)[0], "all (1,000 page-faults, 100%)");
    }

    #[test]
    fn a_rate_that_was_not_recorded_is_not_shown() {
        let profile = Profile {
            samples: 1,
            rate: 0.0,
            ..traditional()
        };
        let svg = flame(&profile).unwrap();
        assert!(svg.contains(">width: CPU time; 1 sample by perf cpu-clock<"));
    }

    #[test]
    fn the_same_profile_gives_the_same_bytes() {
        assert_eq!(
            flame(&traditional()).unwrap(),
            flame(&traditional()).unwrap()
        );
        let difference = || differential(&traditional(), &advanced(), WidthsFrom::Head).unwrap();
        assert_eq!(difference(), difference());
    }

    /// Both sides sum up to 300 after scaling: mul 90 to 100, push 210 to 0, run 0 to 200.
    #[test]
    fn both_directions_together_lose_no_frame() {
        let head = differential(&traditional(), &advanced(), WidthsFrom::Head).unwrap();
        let listed = texts(&head);
        assert!(
            listed.iter().any(|t| t.starts_with("run (200 ns")),
            "{listed:?}"
        );
        assert!(
            !listed.iter().any(|t| t.starts_with("ops::push")),
            "{listed:?}"
        );
        assert!(
            head.contains("width: CPU time of advanced; red: larger inclusive share in advanced")
        );

        let base = differential(&traditional(), &advanced(), WidthsFrom::Base).unwrap();
        let listed = texts(&base);
        assert!(
            listed.iter().any(|t| t.starts_with("ops::push (700 ns")),
            "{listed:?}"
        );
        assert!(
            base.contains(
                "width: CPU time of traditional; red: larger inclusive share in advanced"
            )
        );
    }

    /// The colour of a frame in a picture: red where it grew, blue where it shrank.
    pub fn colour<'a>(svg: &'a str, frame: &str) -> &'a str {
        let after = svg.split(&format!("<title>{frame} (")).nth(1).unwrap();
        after
            .split("fill=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
    }

    #[test]
    fn red_means_more_in_the_head_in_both_directions() {
        let base = of("traditional", &[("grows", 10), ("shrinks", 90)]);
        let head = of("advanced", &[("grows", 60), ("shrinks", 40)]);
        for widths in [WidthsFrom::Base, WidthsFrom::Head] {
            let svg = differential(&base, &head, widths).unwrap();
            assert!(colour(&svg, "grows").starts_with("rgb(255,"), "{widths:?}");
            assert!(colour(&svg, "shrinks").ends_with(",255)"), "{widths:?}");
        }
    }

    #[test]
    fn handlers_of_two_modes_are_compared_by_their_opcode() {
        let base = of(
            "traditional",
            &[("traditional ADD;ops::add", 10), ("World::load", 10)],
        );
        let head = of(
            "advanced",
            &[("advanced ADD (apart);ops::add", 6), ("World::load", 4)],
        );
        let svg = differential(&base, &head, WidthsFrom::Head).unwrap();
        assert!(
            svg.contains("ADD (6 ns, 60.00%; 50.00% of traditional)"),
            "{svg}"
        );
        assert!(
            svg.contains("; 0 % of traditional is only in the other graph"),
            "{svg}"
        );
    }

    #[test]
    fn a_frame_is_drawn_once_whatever_the_names_of_its_neighbours() {
        let svg = flame(&of("m", &[("a", 5), ("a b", 3), ("a;c", 2)])).unwrap();
        assert_eq!(texts(&svg).len(), 4, "{:?}", texts(&svg));
    }

    /// The renderer would take `f 12 34` for a frame `f` that grew from 12 to 34.
    #[test]
    fn a_name_that_ends_in_a_number_is_drawn_as_it_is() {
        let profile = of("m", &[("main 7;f 12", 34), ("main 7;f 12;g", 2)]);
        let svg = flame(&profile).unwrap();
        let drawn = ["all (36 ns, 100%)", "f 12 (36 ns, 100.00%)"];
        assert_eq!(texts(&svg)[..2], drawn);
        assert!(texts(&svg).contains(&"main 7 (36 ns, 100.00%)"));
        let svg = differential(&profile, &profile, WidthsFrom::Head).unwrap();
        assert!(svg.contains("f 12 (36 ns, 100.00%; 100.00% of m)"), "{svg}");
    }

    /// The renderer alone would leave the caller white: its self time is the same on both sides.
    #[test]
    fn a_caller_is_coloured_by_its_inclusive_share() {
        let base = of("traditional", &[("loop;mul", 10), ("rest", 90)]);
        let head = of("advanced", &[("loop;div", 60), ("rest", 40)]);
        let svg = differential(&base, &head, WidthsFrom::Head).unwrap();
        assert!(colour(&svg, "loop").starts_with("rgb(255,"));
        assert!(
            svg.contains("loop (60 ns, 60.00%; 10.00% of traditional)"),
            "{svg}"
        );
        assert!(
            svg.contains("10 % of traditional is only in the other graph"),
            "{svg}"
        );
        let svg = differential(&base, &head, WidthsFrom::Base).unwrap();
        assert!(
            svg.contains("loop (10 ns, 10.00%; 60.00% of advanced)"),
            "{svg}"
        );
        assert!(
            svg.contains("60 % of advanced is only in the other graph"),
            "{svg}"
        );
    }

    #[test]
    fn no_frame_of_a_differential_keeps_the_colour_of_the_renderer() {
        let base = of(
            "traditional",
            &[("a;b;c", 3), ("a;d", 5), ("a", 2), ("e;f", 11)],
        );
        let head = of("advanced", &[("a;b", 7), ("a;d;g", 5), ("e", 1), ("h", 4)]);
        for widths in [WidthsFrom::Base, WidthsFrom::Head] {
            let svg = differential(&base, &head, widths).unwrap();
            let other = if widths == WidthsFrom::Base {
                "% of advanced)"
            } else {
                "% of traditional)"
            };
            let listed = texts(&svg);
            assert!(
                listed.iter().all(|text| text.ends_with(other)),
                "{listed:?}"
            );
        }
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        for nothing in [of("advanced", &[]), of("advanced", &[("execute", 0)])] {
            let error = flame(&nothing).unwrap_err().to_string();
            assert_eq!(
                error,
                "no samples of snailtracer in mode advanced: sample longer, or at a higher rate"
            );
            assert!(differential(&traditional(), &nothing, WidthsFrom::Head).is_err());
            assert!(differential(&nothing, &traditional(), WidthsFrom::Head).is_err());
        }
    }

    #[test]
    fn samples_of_two_units_are_not_compared() {
        let cycles = Profile {
            unit: "cycles".into(),
            ..advanced()
        };
        let error = differential(&traditional(), &cycles, WidthsFrom::Head).unwrap_err();
        assert!(error.to_string().contains("one sampler"), "{error}");
    }
}
