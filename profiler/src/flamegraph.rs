//! Flamegraphs: folded stacks drawn as SVG.
//!
//! Owns the picture. Folding is done before, writing files after: an SVG is returned whole or not at
//! all.

use evmscope_reports::format;
use evmscope_reports::run::Profile;
use inferno::flamegraph::color::{BackgroundColor, Color};
use inferno::flamegraph::{Options, from_lines};
use inferno::{differential, flamegraph};
use std::fmt::Write;
use std::io;
use thiserror::Error;

/// Which side's stacks give a differential flamegraph its widths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Widths {
    /// The base: shows what the head no longer does.
    Base,
    /// The head: shows what it does newly.
    Head,
}

/// Why there is no picture.
#[derive(Debug, Error)]
pub enum FlameError {
    /// There is nothing to draw.
    #[error("no samples of {case} in mode {mode}: sample longer, or at a higher rate")]
    Empty {
        /// Name of the case.
        case: String,
        /// The mode.
        mode: String,
    },
    /// Two sides that cannot be laid over each other.
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
pub fn flame(profile: &Profile) -> Result<String, FlameError> {
    not_empty(profile)?;
    let mut options = options(profile);
    options.title = format!("{}, {}", profile.case, profile.mode);
    options.subtitle = Some(format!(
        "width: {}; {}",
        quantity(profile),
        provenance(profile)
    ));
    draw(&mut options, &folded(&profile.stacks))
}

/// Draws what `head` changed against `base`, the sums made equal: red frames take a larger share of
/// the head than of the base, blue ones a smaller share, by their self time. Frames that the side of
/// the widths does not have are missing, so a full answer takes both pictures.
pub fn differential(base: &Profile, head: &Profile, widths: Widths) -> Result<String, FlameError> {
    not_empty(base)?;
    not_empty(head)?;
    if base.unit != head.unit {
        return Err(FlameError::Units {
            base: base.unit.clone(),
            head: head.unit.clone(),
        });
    }
    // The second list gives the widths, and second minus first the colours.
    let (first, second) = match widths {
        Widths::Base => (head, base),
        Widths::Head => (base, head),
    };
    let mut options = options(second);
    options.negate_differentials = widths == Widths::Base;
    options.title = format!("{}: {} against {}", head.case, head.mode, base.mode);
    options.subtitle = Some(format!(
        "width: {} of {}; red: larger share in {}, blue: smaller; {}",
        quantity(second),
        second.mode,
        head.mode,
        provenance(second)
    ));
    draw(&mut options, &both_columns(first, second)?)
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

fn quantity(profile: &Profile) -> &'static str {
    match profile.unit.as_str() {
        "cycles" => "CPU cycles",
        _ => "CPU time",
    }
}

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

fn options(profile: &Profile) -> Options<'static> {
    let mut options = Options::default();
    options.count_name = profile.unit.clone();
    // Random colours would make every picture a new one.
    options.deterministic = true;
    // A fluid width shows nothing where the script does not run.
    options.image_width = Some(1200);
    // Light, but not white: that is a differential's colour for "unchanged".
    let (r, g, b) = (240, 240, 240);
    options.bgcolors = Some(BackgroundColor::Flat(Color { r, g, b }));
    options.text_truncate_direction = flamegraph::TextTruncateDirection::Right;
    options
}

fn folded(stacks: &[(String, u64)]) -> Vec<String> {
    let line = |(stack, weight): &(String, u64)| format!("{stack} {weight}");
    stacks.iter().map(line).collect()
}

/// `stack first second` for every stack of either side, the first scaled to the sum of the second.
fn both_columns(first: &Profile, second: &Profile) -> Result<Vec<String>, FlameError> {
    let text = |profile: &Profile| folded(&profile.stacks).join("\n");
    let (first, second) = (text(first), text(second));
    let options = differential::Options {
        normalize: true,
        ..Default::default()
    };
    let mut columns = Vec::new();
    differential::from_readers(options, first.as_bytes(), second.as_bytes(), &mut columns)?;
    let columns = String::from_utf8_lossy(&columns);
    Ok(columns.lines().map(str::to_owned).collect())
}

fn draw(options: &mut Options, lines: &[String]) -> Result<String, FlameError> {
    let mut svg = Vec::new();
    from_lines(options, lines.iter().map(String::as_str), &mut svg)?;
    Ok(String::from_utf8_lossy(&svg).into_owned())
}

#[cfg(test)]
mod tests {
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
    fn a_picture_says_what_it_shows() {
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

    #[test]
    fn lost_samples_and_cycles_are_named() {
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
        let difference = || differential(&traditional(), &advanced(), Widths::Head).unwrap();
        assert_eq!(difference(), difference());
    }

    /// Both sides sum up to 300 after scaling: mul 90 to 100, push 210 to 0, run 0 to 200.
    #[test]
    fn both_directions_together_lose_no_frame() {
        let head = differential(&traditional(), &advanced(), Widths::Head).unwrap();
        let listed = texts(&head);
        assert!(
            listed.iter().any(|t| t.starts_with("run (200 ns")),
            "{listed:?}"
        );
        assert!(
            !listed.iter().any(|t| t.starts_with("ops::push")),
            "{listed:?}"
        );
        assert!(head.contains("width: CPU time of advanced; red: larger share in advanced"));

        let base = differential(&traditional(), &advanced(), Widths::Base).unwrap();
        let listed = texts(&base);
        assert!(
            listed.iter().any(|t| t.starts_with("ops::push (700 ns")),
            "{listed:?}"
        );
        assert!(base.contains("width: CPU time of traditional; red: larger share in advanced"));
    }

    /// The colour of a frame in a picture: red where it grew, blue where it shrank.
    fn colour<'a>(svg: &'a str, frame: &str) -> &'a str {
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
        for widths in [Widths::Base, Widths::Head] {
            let svg = differential(&base, &head, widths).unwrap();
            assert!(colour(&svg, "grows").starts_with("rgb(255,"), "{widths:?}");
            assert!(colour(&svg, "shrinks").ends_with(",255)"), "{widths:?}");
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
            assert!(differential(&traditional(), &nothing, Widths::Head).is_err());
            assert!(differential(&nothing, &traditional(), Widths::Head).is_err());
        }
    }

    #[test]
    fn samples_of_two_units_are_not_compared() {
        let cycles = Profile {
            unit: "cycles".into(),
            ..advanced()
        };
        let error = differential(&traditional(), &cycles, Widths::Head).unwrap_err();
        assert!(error.to_string().contains("one sampler"), "{error}");
    }
}
