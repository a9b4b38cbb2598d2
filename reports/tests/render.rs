//! Rendered texts and pages, compared with files in `snapshots/`.

mod fixture;

use evmscope_reports::Run;
use evmscope_reports::counter::Counter::{self, CpuTime, PageFaults, SimBranchMisses};
use evmscope_reports::history::History;
use evmscope_reports::merge::merge;
use evmscope_reports::render::html::{self, Flamegraph};
use evmscope_reports::render::{self, headline, json, markdown, terminal, verdict};
use evmscope_reports::run::{Measurement, OpcodeCost, Verdict};
use evmscope_reports::stats::ratios;

const PLAIN: terminal::Style = terminal::Style {
    color: false,
    width: 80,
};
const SVG: &str =
    "<?xml version=\"1.0\"?>\n<svg width=\"1200\" height=\"118\"><text>a &amp; b</text></svg>";

fn counter_diff(style: terminal::Style) -> String {
    terminal::counter_diff(&fixture::run(), "traditional", "advanced", style)
}

fn page(run: &Run) -> String {
    let flamegraph = Flamegraph {
        title: "snailtracer, advanced",
        svg: SVG,
    };
    html::report(run, "traditional", "advanced", &[flamegraph]).unwrap()
}

#[test]
fn terminal_counter_diff() {
    insta::assert_snapshot!(counter_diff(PLAIN));
}

#[test]
fn terminal_bench() {
    insta::assert_snapshot!(terminal::bench(&fixture::run(), PLAIN));
}

#[test]
fn terminal_bench_has_modes_as_rows_if_it_is_too_wide() {
    let narrow = terminal::bench(&fixture::run(), terminal::Style { width: 60, ..PLAIN });
    let table = narrow.split("\n\n").next().unwrap();
    insta::assert_snapshot!(table, @r"
    case                 CPU time   against traditional
    ───────────────────────────────────────────────────
    snailtracer
      traditional  27.5 ms ±1.5 %                  base
      advanced     19.4 ms ±1.5 %    1.42x [1.41, 1.42]
                   ! 0.250 faults
      revm         42.6 ms ±1.6 %    0.64x [0.64, 0.65]
    empty
      traditional   112 ns ±1.7 %                  base
      advanced      112 ns ±1.6 %  ≈ 1.00x [1.00, 1.00]
      revm           112 ns ±10 %  ? 1.00x [0.95, 1.05]
    ");
}

#[test]
fn zero_on_both_sides_is_equal() {
    let mut run = fixture::run();
    run.measurements.retain(|m| m.counter != PageFaults);
    // As measured: nearly always 0.
    let samples = |stray: f64| [vec![0.0; 9], vec![stray]].concat();
    run.measurements.extend(
        [("traditional", 2.0), ("advanced", 1.0)].map(|(mode, stray)| {
            Measurement::new("snailtracer", mode, PageFaults, samples(stray)).unwrap()
        }),
    );
    run.ratios = ratios(&run.measurements, "traditional", 0.02);
    let table = markdown::counter_diff(&run, "traditional", "advanced");
    let row = table.lines().find(|line| line.contains("page faults"));
    insta::assert_snapshot!(row.unwrap(), @"| page faults | 0 | 0 | equal | — | software |");
}

#[test]
fn markdown_counter_diff() {
    insta::assert_snapshot!(markdown::counter_diff(
        &fixture::run(),
        "traditional",
        "advanced"
    ));
}

#[test]
fn markdown_bench() {
    insta::assert_snapshot!(markdown::bench(&fixture::run()));
}

/// The text with everything between each `start` and the next `end` replaced by `…`.
fn without(text: &str, start: &str, end: &str) -> String {
    let mut parts = text.split(start);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |kept, part| {
        kept + start + "…" + &part[part.find(end).unwrap()..]
    })
}

#[test]
fn html_body() {
    let page = page(&fixture::run());
    // Without style sheet, charts and scripts; the scripts are tested in a browser (profiler/tests/it/browser.rs).
    let (_, body) = page.split_once("<body>").unwrap();
    let body = without(
        &without(body, "<script>", "</script>"),
        "<svg class=\"chart\"",
        "</svg>",
    );
    insta::assert_snapshot!(body);
}

#[test]
fn terminal_keeps_to_its_width() {
    for width in [20, 40, 50, 60, 80, 120] {
        let style = terminal::Style {
            color: false,
            width,
        };
        let bench = terminal::bench(&fixture::run(), style);
        for line in counter_diff(style).lines().chain(bench.lines()) {
            assert!(
                line.chars().count() <= usize::from(width),
                "{width}: {line}"
            );
        }
    }
}

/// Too narrow for columns: a line for each figure.
#[test]
fn terminal_stacks_rows_at_40_columns() {
    let narrow = counter_diff(terminal::Style { width: 40, ..PLAIN });
    let stacked = "\nsoftware\nCPU time\n  traditional: 27.5 ms ±1.5 %\n  advanced: 19.4 ms ±1.5 %\n    ! 0.250";
    assert!(narrow.contains(stacked), "{narrow}");
    // This table fits.
    let columns = "\npeak heap           36.0 KiB   96.0 KiB\n";
    assert!(narrow.contains(columns), "{narrow}");
}

/// Text that would clear the screen, end a line, turn the direction of writing, and be markup in each format.
const HOSTILE: &str =
    "x\u{1b}[2J\n## y\u{202e}\0<script>alert(1)</script>[a](b)__c__~~d~~|e|\u{9b}31m";

fn hostile() -> Run {
    let mut run = fixture::run();
    let text = || HOSTILE.to_owned();
    run.rig.cpu = text();
    run.rig.governor = Some(text());
    run.rig.rustc = text();
    run.created = text();
    for it in &mut run.unavailable {
        it.reason = text();
    }
    for it in &mut run.results {
        it.status = text();
        it.expected = text();
    }
    for it in run.opcode_costs.iter_mut().filter(|it| it.opcode.is_some()) {
        it.opcode = Some(text());
    }
    let rename = |name: &mut String| {
        if name == "snailtracer" {
            *name = HOSTILE.to_owned();
        }
    };
    run.measurements
        .iter_mut()
        .for_each(|it| rename(&mut it.case));
    run.ratios.iter_mut().for_each(|it| rename(&mut it.case));
    run.results.iter_mut().for_each(|it| rename(&mut it.case));
    run.memory.iter_mut().for_each(|it| rename(&mut it.case));
    run.profiles.iter_mut().for_each(|it| rename(&mut it.case));
    run
}

#[test]
fn hostile_text_comes_out_as_text_in_every_format() {
    let run = hostile();
    let (base, head) = ("traditional", "advanced");
    let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    let records = [(HOSTILE.to_owned(), run.clone())];
    let history = History::new(&records);
    let terminal = [
        terminal::counter_diff(&run, base, head, PLAIN),
        terminal::bench(&run, PLAIN),
        render::history::table(&history, PLAIN),
    ];
    let markdown = [
        markdown::counter_diff(&run, base, head),
        markdown::bench(&run),
        markdown::summary(&run),
    ];
    let html = [page(&run), render::history::page(&history).unwrap()];
    for text in terminal.iter().chain(&markdown).chain(&html) {
        assert_eq!(text.find(obeyed), None, "{text}");
    }
    for text in terminal.iter().chain(&markdown) {
        assert!(text.contains("x␛[2J"), "{text}");
        assert!(!text.lines().any(|line| line.starts_with("## y")), "{text}");
    }
    for text in &markdown {
        assert!(
            !text.contains("<script>") && !text.contains("](b)"),
            "{text}"
        );
        assert!(!text.contains(" __c") && !text.contains("~~d"), "{text}");
        let rows = text
            .lines()
            .filter(|line| line.starts_with('|') && line.contains("[2J"));
        for row in rows {
            let cells = row.replace("\\|", "").matches('|').count();
            let header = text[..text.find(row).unwrap()]
                .lines()
                .rfind(|it| it.starts_with("| ---"));
            assert_eq!(cells, header.unwrap().matches('|').count(), "{row}");
        }
    }
    for text in &html {
        assert!(!text.contains("<script>alert"), "{text}");
    }
    for text in [render::stacks::folded(&run), json::write(&run).unwrap()] {
        assert_eq!(text.find(obeyed), None, "{text}");
    }
    let back: Run = serde_json::from_str(&json::write(&run).unwrap()).unwrap();
    assert_eq!(back.rig.cpu, HOSTILE);
}

#[test]
fn terminal_colours_on_request_only() {
    assert!(!counter_diff(PLAIN).contains('\u{1b}'));
    assert!(
        counter_diff(terminal::Style {
            color: true,
            ..PLAIN
        })
        .contains('\u{1b}')
    );
}

#[test]
fn html_has_no_external_references() {
    // Links within the page are allowed.
    let page = page(&fixture::run()).replace("href=\"#", "");
    for reference in [" src=", " href=", "url(", "@import", "http:", "https:"] {
        assert!(!page.contains(reference), "{reference}");
    }
}

#[test]
fn html_refuses_a_flamegraph_that_is_not_svg() {
    let flamegraph = Flamegraph {
        title: "advanced",
        svg: "",
    };
    let error = html::report(&fixture::run(), "traditional", "advanced", &[flamegraph]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "flamegraph \"advanced\": no <svg> element in its text"
    );
}

#[test]
fn foreign_names_are_escaped() {
    let mut run = fixture::run();
    let evil = "a|b<script>[x](y)\"";
    for result in &mut run.results {
        result.case = evil.to_owned();
    }
    run.measurements.clear();
    run.ratios.clear();
    let markdown = markdown::bench(&run);
    assert!(
        markdown.contains("| a\\|b&lt;script&gt;[x]\\(y)\" | — |"),
        "{markdown}"
    );
    let page = page(&run);
    assert!(!page.contains("b<script>"), "{page}");
}

/// The fixture's first case with other times: the head's are `factor` times the base's, ± `noise`.
fn timed(factor: f64, noise: f64, pairs: usize) -> Run {
    let mut run = fixture::run();
    let samples = |factor: f64, noise: f64| {
        let sample = move |i| factor * if i % 2 == 0 { 1.0 + noise } else { 1.0 - noise };
        (0..pairs).map(sample).collect()
    };
    run.measurements = [("traditional", 1e6, 0.0), ("advanced", factor * 1e6, noise)]
        .map(|(mode, time, noise)| {
            Measurement::new("snailtracer", mode, CpuTime, samples(time, noise)).unwrap()
        })
        .to_vec();
    run.results.retain(|result| result.case == "snailtracer");
    run.ratios = ratios(&run.measurements, "traditional", 0.02);
    run
}

#[test]
fn verdict_sentences() {
    let sentence = |run: &Run| verdict(run, "snailtracer", "traditional", "advanced");
    insta::assert_snapshot!(sentence(&timed(0.7, 0.0, 60)), @"snailtracer: advanced is 1.43 times as fast as traditional (95 % interval 1.43 to 1.43), 60 pairs.");
    insta::assert_snapshot!(sentence(&timed(1.1, 0.0, 60)), @"snailtracer: advanced takes 1.10 times as long as traditional (95 % interval 1.10 to 1.10), 60 pairs.");
    insta::assert_snapshot!(sentence(&timed(1.004, 0.0, 60)), @"snailtracer: advanced is as fast as traditional within 2 % (time +0.4 %, 95 % interval +0.4 to +0.4 %), 60 pairs.");
    insta::assert_snapshot!(sentence(&timed(0.99, 0.05, 61)), @"snailtracer: undecided between advanced and traditional (time +4.0 %, 95 % interval -5.9 to +4.0 %), 61 pairs.");
    insta::assert_snapshot!(sentence(&timed(0.7, 0.0, 1)), @"snailtracer: undecided between advanced and traditional (time -30.0 %, 95 % interval -30.0 to -30.0 %), 1 pair.");
    let mut unpaired = timed(0.7, 0.0, 60);
    unpaired.ratios.clear();
    insta::assert_snapshot!(sentence(&unpaired), @"snailtracer: advanced and traditional were not timed against each other.");
}

#[test]
fn headline_is_the_verdict_of_one_case_and_a_count_of_many() {
    let run = timed(0.7, 0.0, 60);
    assert_eq!(
        headline(&run, "traditional", "advanced"),
        verdict(&run, "snailtracer", "traditional", "advanced")
    );
    let run = fixture::run();
    assert_eq!(
        run.ratio("empty", "traditional", "revm", CpuTime)
            .unwrap()
            .verdict,
        Verdict::Inconclusive
    );
    insta::assert_snapshot!(headline(&run, "traditional", "revm"), @"revm against traditional, 2 cases: slower on 1, undecided on 1.");
}

#[test]
fn a_rate_of_zero_is_shown_as_zero() {
    let mut run = fixture::run();
    run.measurements.retain(|m| m.counter != SimBranchMisses);
    run.measurements.extend(
        [("traditional", 400.0), ("advanced", 0.0)].map(|(mode, misses)| {
            Measurement::new("snailtracer", mode, SimBranchMisses, vec![misses]).unwrap()
        }),
    );
    run.ratios = ratios(&run.measurements, "traditional", 0.02);
    let table = markdown::counter_diff(&run, "traditional", "advanced");
    let rate = table
        .lines()
        .find(|line| line.contains("cond. branch misses / opcode"));
    insta::assert_snapshot!(rate.unwrap(), @"| cond. branch misses / opcode | 0.0000128 | 0 | -100 % | exact<br>immaterial | simulated |");
}

#[test]
fn opcodes_of_modes_that_attribute_differently_are_not_compared() {
    let row = |run: &Run| {
        let text = markdown::counter_diff(run, "traditional", "advanced");
        let row = text.lines().find(|line| line.starts_with("| MLOAD"));
        row.unwrap().to_owned()
    };
    let mut run = fixture::run();
    assert!(row(&run).contains("| -47.1 %<br>["), "{}", row(&run));
    for cost in &mut run.opcode_costs {
        if cost.mode == "traditional" && cost.opcode.is_none() {
            cost.share = 0.9;
        }
    }
    assert!(row(&run).contains("| — |"), "{}", row(&run));
}

#[test]
fn without_sampling_runs_every_opcode_is_undecided() {
    let mut run = fixture::run();
    for cost in &mut run.opcode_costs {
        cost.runs.truncate(4);
    }
    let text = markdown::counter_diff(&run, "traditional", "advanced");
    let row = |opcode: &str| text.lines().find(|line| line.starts_with(opcode)).unwrap();
    assert!(row("| MLOAD").contains("| undecided |"), "{text}");
    assert!(
        text.contains("undecided with 4 sampling runs; 5 are needed"),
        "{text}"
    );
    let page = page(&run);
    let (_, opcodes) = page.split_once("<h3>Opcodes</h3>").unwrap();
    let (opcodes, _) = opcodes.split_once("</table>").unwrap();
    for colour in ["good", "bad"] {
        assert!(
            !opcodes.contains(&format!("class=\"{colour}\"")),
            "{opcodes}"
        );
    }
}

#[test]
fn stray_samples_in_one_mode_do_not_hide_an_opcode() {
    let mut run = fixture::run();
    let is_smod = |cost: &&mut OpcodeCost| cost.opcode.as_deref() == Some("SMOD");
    let base = run.opcode_costs.iter_mut().find(is_smod).unwrap();
    for run in &mut base.runs {
        (run.samples, run.time) = (100, 5e6);
    }
    let text = markdown::counter_diff(&run, "traditional", "advanced");
    assert!(text.contains("\n| SMOD |"), "{text}");
    assert!(!text.contains("with spread above"), "{text}");
}

#[test]
fn an_empty_run_renders() {
    let mut run = fixture::run();
    run.results.clear();
    run.measurements.clear();
    run.ratios.clear();
    run.unavailable.clear();
    assert!(terminal::bench(&run, PLAIN).contains("rig"));
    assert!(markdown::counter_diff(&run, "traditional", "advanced").contains("no case to compare"));
    assert!(page(&run).contains("no case to compare"));
}

/// Four records of a case: two that a line connects, one of another machine, one with other settings.
fn records() -> Vec<(String, Run)> {
    let record = |name: &str, created: &str, factor: f64, change: fn(&mut Run)| {
        let mut run = timed(factor, 0.01, 20);
        run.created = created.to_owned();
        change(&mut run);
        (name.to_owned(), run)
    };
    vec![
        record("d.json", "2026-12-03T10:00:00Z", 0.4, |run| {
            run.settings.as_mut().unwrap().cold = true;
        }),
        record("a.json", "2026-11-22T10:00:00Z", 0.7, |_| ()),
        record("b.json", "2026-11-30T10:00:00Z", 0.5, |_| ()),
        record("c.json", "2026-12-01T10:00:00Z", 0.3, |run| {
            run.rig.cpu = "Another CPU".to_owned();
        }),
    ]
}

#[test]
fn terminal_history() {
    let records = records();
    insta::assert_snapshot!(render::history::table(&History::new(&records), PLAIN));
}

#[test]
fn lines_connect_only_records_of_one_machine_and_setting() {
    let records = records();
    let history = History::new(&records);
    let points = &history.cases[0].points;
    let joined: Vec<_> = (1..points.len())
        .map(|i| {
            points[..i]
                .iter()
                .any(|earlier| points[i].continues(earlier))
        })
        .collect();
    assert_eq!(joined, [true, false, false]);
    let page = render::history::page(&history).unwrap();
    let (_, chart) = page.split_once("<svg class=\"chart\"").unwrap();
    let (chart, _) = chart.split_once("</svg>").unwrap();
    // One dot per record and mode, and one per mode in the legend.
    assert_eq!(chart.matches("<circle").count(), 4 * 2 + 2);
    for reference in [" src=", "url(", "@import", "http:", "https:"] {
        assert!(!page.contains(reference), "{reference}");
    }
}

#[test]
fn a_merged_run_shows_the_rig_of_each_part() {
    let mut other = timed(0.7, 0.01, 20);
    other.rig.cpu = "Another CPU".to_owned();
    for result in &mut other.results {
        result.case = "storage".to_owned();
    }
    for measurement in &mut other.measurements {
        measurement.case = "storage".to_owned();
    }
    other.memory.clear();
    other.decoding.clear();
    other.profiles.clear();
    other.opcode_costs.clear();
    other.ratios = ratios(&other.measurements, "traditional", 0.02);
    let runs = vec![
        ("one.json".to_owned(), timed(0.5, 0.01, 20)),
        ("two.json".to_owned(), other),
    ];
    let merged = merge(runs).unwrap();
    let text = terminal::bench(&merged, PLAIN);
    let (_, rig) = text.split_once("\nrig\n").unwrap();
    let kept = |line: &&str| line.starts_with("cases") || line.starts_with("CPU");
    let lines: Vec<_> = rig.lines().filter(kept).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn pmu_events_of_opcodes_replace_simulated_instructions() {
    let table = |run: &Run| {
        let text = markdown::counter_diff(run, "traditional", "advanced");
        let found = text.lines().find(|line| line.starts_with("| opcode"));
        let row = text.lines().find(|line| line.starts_with("| MLOAD"));
        (found.unwrap().to_owned(), row.unwrap().to_owned())
    };
    let mut run = fixture::run();
    assert!(table(&run).0.contains("simulated instr."));
    for cost in run.opcode_costs.iter_mut().filter(|it| it.executed > 0) {
        cost.cycles = Some(12.0);
        cost.events = [
            (Counter::Instructions, 18.4),
            (Counter::BranchMisses, 0.031),
        ]
        .into();
    }
    let (header, row) = table(&run);
    for title in ["cycles", "instructions", "branch misses"] {
        assert!(header.contains(title), "{header}");
    }
    assert!(!header.contains("simulated") && !header.contains("cache misses"));
    assert!(
        row.contains("12.0 → 12.0") && row.contains("18.4 → 18.4"),
        "{row}"
    );
    assert!(row.contains("0.031 → 0.031"), "{row}");
    let page = page(&run);
    assert!(page.contains("advanced, branch misses"));
    assert_eq!(json::read(&json::write(&run).unwrap()).unwrap(), run);
}
