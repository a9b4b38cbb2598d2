//! Tables in GitHub Markdown, for pull requests and files.

use super::bench;
use super::changes::Diff;
use super::memory;
use super::pgo;
use super::report::{CaseReport, Notes, Report, Room};
use super::summary;
use super::table::{Cell, Table};
use crate::change::Changes;
use crate::format;
use crate::pgo::PgoReport;
use crate::run::Run;
use crate::text;

/// The counter-diff table of every case, the mode `head` against the mode `base`: verdict first, unavailable counters
/// and rig last.
pub fn counter_diff(run: &Run, base: &str, head: &str) -> String {
    let report = Report::new(run, base, head);
    let headline = format!("**{}**\n", escape(&report.headline));
    let overview = report.overview.iter().map(table);
    let cases = report.cases.iter().map(case);
    let notes = notes(&report.notes);
    blocks(
        std::iter::once(headline)
            .chain(overview)
            .chain(cases)
            .chain(notes),
    )
}

/// The bench table: one row per case, one column per mode, each mode against the first.
pub fn bench(run: &Run) -> String {
    let memory = memory::overview(run).map(|memory| folded("memory", table(&memory)));
    blocks(
        std::iter::once(table(&bench::table(run)))
            .chain(memory)
            .chain(notes(&Notes::new(run, &[]))),
    )
}

/// The table of a record that is quoted in documents: times, and the ratio of each pair of modes with its interval.
pub fn summary(run: &Run) -> String {
    table(&summary::table(run))
}

/// The evaluation of a profile-guided build, verdicts first.
pub fn pgo(report: &PgoReport) -> String {
    let document = pgo::Document::new(report);
    let verdicts: String = document
        .verdicts
        .iter()
        .map(|(line, _)| format!("- {}\n", escape(line)))
        .collect();
    let parts = document.parts.iter().map(|part| {
        let intro = part
            .intro
            .as_ref()
            .map_or_else(String::new, |intro| format!("{}\n\n", escape(intro)));
        format!(
            "### {}\n\n{intro}{}",
            escape(&part.title),
            table(&part.table)
        )
    });
    let headline = format!("**{}**\n", escape(&document.headline));
    blocks(
        [headline, verdicts]
            .into_iter()
            .chain(parts)
            .chain(notes(&document.notes)),
    )
}

/// Longest text of [`diff`], in characters. GitHub accepts comments of 65,536; the rest is for text that the poster
/// adds.
pub const LONGEST: usize = 60_000;

/// The diff of two runs for a pull request: verdict and times open, the rest folded. If the text would be longer than
/// [`LONGEST`], tables are cut, each with a notice.
pub fn diff(changes: &Changes) -> String {
    const ROWS: [usize; 6] = [usize::MAX, 300, 100, 30, 10, 3];
    let fits = |text: &String| text.chars().count() <= LONGEST;
    let texts = ROWS.iter().map(|rows| diff_of(changes, *rows));
    let mut last = String::new();
    for text in texts {
        if fits(&text) {
            return text;
        }
        last = text;
    }
    // Only very long case names lead here.
    const NOTICE: &str = "\n\n… cut: see the accompanying JSON file for the rest.\n";
    last.chars()
        .take(LONGEST - NOTICE.chars().count())
        .chain(NOTICE.chars())
        .collect()
}

fn diff_of(changes: &Changes, rows: usize) -> String {
    let Diff {
        headline,
        count,
        overview,
        noise,
        legend,
        immaterial,
        details,
        ..
    } = Diff::new(changes);
    let cut = |mut body: Table| {
        let dropped = body.keep_rows(rows);
        let mut text = table(&body);
        if dropped > 0 {
            let rows = format::count(dropped as u64, "row");
            text += &format!("\n… {rows} cut: see the accompanying JSON file.\n");
        }
        text
    };
    let legend = legend
        .iter()
        .chain(&immaterial)
        .map(|line| format!("- {}\n", escape(line)))
        .collect();
    let head = [
        format!("**{}**\n", escape(&headline)),
        format!("{}\n", escape(&count)),
        cut(overview),
        format!("{}\n", escape(&noise)),
        legend,
    ];
    let details = details
        .into_iter()
        .map(|(title, body)| folded(title, cut(body)));
    blocks(head.into_iter().chain(details))
}

fn case(case: &CaseReport) -> String {
    let heading = format!("### {}\n", escape(&case.title));
    let verdict = format!("{}\n", escape(&case.verdict));
    let facts = case
        .facts
        .iter()
        .map(|facts| format!("{}\n", escape(facts)));
    blocks(
        [heading, verdict]
            .into_iter()
            .chain(facts)
            .chain([table(&case.table)])
            .chain(
                case.sections(Room::Some)
                    .map(|(title, below)| folded(&title.to_lowercase(), table(below))),
            ),
    )
}

fn blocks(blocks: impl Iterator<Item = String>) -> String {
    blocks
        .filter(|block| !block.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

fn notes(notes: &Notes) -> [String; 3] {
    let legend = notes
        .legend
        .iter()
        .map(|line| format!("- {}\n", escape(line)))
        .collect();
    let unavailable = notes
        .unavailable
        .iter()
        .map(|(reason, counters)| format!("- {}: {}\n", escape(counters), escape(reason)));
    let rig = notes
        .rig
        .iter()
        .map(|(label, value)| format!("- {label}: {}\n", escape(value)));
    [
        legend,
        folded("not measured", unavailable.collect()),
        folded("rig", rig.collect()),
    ]
}

/// A collapsed section; empty if the body is.
fn folded(title: &str, body: String) -> String {
    if body.is_empty() {
        return body;
    }
    let title = escape(title);
    format!("<details><summary>{title}</summary>\n\n{body}\n</details>\n")
}

fn table(table: &Table) -> String {
    let source = table.section_header.map(str::to_owned);
    let header = line(table.header.iter().map(|title| escape(title)).chain(source));
    let rule = line(
        table
            .header
            .iter()
            .enumerate()
            .map(|(i, _)| if i == 0 { "---" } else { "---:" }.to_owned())
            .chain(table.section_header.map(|_| "---".to_owned())),
    );
    let rows = table.sections.iter().flat_map(|section| {
        section.rows.iter().map(|row| {
            line(
                row.iter()
                    .map(lines)
                    .chain(section.title.map(str::to_owned)),
            )
        })
    });
    let note = table.note.iter();
    let note = note.map(|note| format!("\n{}\n", escape(note)));
    [header, rule].into_iter().chain(rows).chain(note).collect()
}

fn line(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

fn lines(cell: &Cell) -> String {
    let lines: Vec<_> = cell.lines.iter().map(|line| escape(line)).collect();
    lines.join("<br>")
}

/// Escapes text, so that foreign names cannot end a cell or open a tag, a link or an emphasis.
fn escape(text: &str) -> String {
    let text = text::line(text);
    let mut next = text.chars().skip(1);
    text.chars()
        .fold(String::with_capacity(text.len()), |mut escaped, c| {
            let before_word = next.next().is_some_and(char::is_alphanumeric);
            let inside = before_word && escaped.ends_with(char::is_alphanumeric);
            match c {
                '|' | '\\' | '*' | '~' => escaped.extend(['\\', c]),
                // Within a word it is no emphasis.
                '_' if !inside => escaped.push_str("\\_"),
                '(' if escaped.ends_with(']') => escaped.push_str("\\("),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '&' => escaped.push_str("&amp;"),
                _ => escaped.push(c),
            }
            escaped
        })
}
