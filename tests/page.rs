//! The report's page: what its charts mark, what its head says, and that it can be read on a narrow screen.

use std::fs;

use nim_slurm::Report;
use nim_slurm::results::{Limits, Run, Statistic};

#[path = "common/results.rs"]
mod results;
use results::Results;

impl Results {
    /// A point of a server that is so much slower than the fastest one.
    fn point(&self, name: &str, concurrency: u32, slower: f64) {
        let folder = self.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        let load = f64::from(concurrency);
        let first = slower * (20.0 + load);
        let between = slower * (10.0 + load / 10.0);
        let tokens = 1000.0 * load / between;
        let text = format!(
            r#"{{"request_throughput": {{"unit": "requests/sec", "avg": {}}},
                "output_token_throughput": {{"unit": "tokens/sec", "avg": {tokens}}},
                "inter_token_latency": {{"unit": "ms", "avg": {between}, "p95": {between}}},
                "time_to_first_token": {{"unit": "ms", "avg": {first}, "p95": {first}}}}}"#,
            tokens / 128.0
        );
        fs::write(folder.join("profile_export_genai_perf.json"), text).unwrap();
    }

    /// A sweep of this model with 1, 8 and 64 requests in flight.
    fn sweep(&self, model: &str, gpus: u32, job: u32, slower: f64) {
        for concurrency in [1, 8, 64] {
            let name = format!("{model}_{gpus}_{concurrency}_chat_128_128_{job}");
            self.point(&name, concurrency, slower);
        }
    }

    fn manifest(&self, job: u32, text: &str) {
        fs::write(self.path().join(format!("run_{job}.json")), text).unwrap();
    }

    fn read(&self) -> Run {
        Run::read(self.path()).unwrap()
    }
}

/// A use case has points of several GPUs and jobs, so the load alone does not say which is the best.
#[test]
fn the_best_point_is_told_from_others_of_its_load() {
    let results = Results::new();
    results.sweep("llama", 4, 1, 1.0);
    let best = |results: &Results| {
        let page = Report::new(&results.read()).to_html();
        between(&page, "<p>Highest throughput: ", ".</p>").to_owned()
    };
    assert_eq!(best(&results), "3902.4 tokens/s at concurrency 64");
    results.sweep("llama", 8, 2, 0.5);
    let both = "7804.9 tokens/s at concurrency 64, 8 GPUs, job 2";
    assert_eq!(best(&results), both);
}

/// The charts of a page, each as its drawing.
fn charts(page: &str) -> Vec<&str> {
    let figures = page.split("<figure>").skip(1);
    figures
        .map(|figure| figure.split("</svg>").next().unwrap())
        .collect()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text
        .split_once(start)
        .unwrap_or_else(|| panic!("no {start} in {text}"));
    rest.split_once(end).unwrap().0
}

#[test]
fn earlier_curves_are_dashed_beside_the_new_ones() {
    let (before, now) = (Results::new(), Results::new());
    before.sweep("m", 4, 6, 1.2);
    before.sweep("m", 8, 6, 1.2);
    now.sweep("m", 8, 7, 1.0);
    let (before, now) = (before.read(), now.read());
    let report = Report::new(&now).against(&before);
    let page = report.to_html();
    assert!(
        page.contains(".earlier .line { stroke-dasharray:"),
        "{page}"
    );
    let charts = charts(&page);
    assert_eq!(charts.len(), 4);
    for chart in &charts {
        // The new curve has the colour of what it was before; that of other GPUs has its own.
        let series: Vec<_> = chart
            .split("<g class=\"")
            .skip(1)
            .map(|group| group.split('"').next().unwrap())
            .collect();
        assert_eq!(series, ["c1 earlier", "c0 earlier", "c0"], "{chart}");
    }
    // The axes have room for both: 64 / (1.2 × 16.4 ms), and 64 / 16.4 ms.
    let lines: Vec<_> = charts[3]
        .split("<polyline class=\"line\" points=\"")
        .collect();
    assert!(lines.iter().skip(1).all(|line| !line.starts_with('"')));
    for words in [
        "</svg>other run: chat 128/128, 4 GPUs</li>",
        "<title>other run: chat 128/128, 8 GPUs, concurrency 8\n",
    ] {
        assert!(page.contains(words), "no {words:?} in {page}");
    }
    assert!(!Report::new(&now).to_html().contains("earlier\""));
    assert!(report.to_svg().contains("<g class=\"c0 earlier\""));
}

#[test]
fn the_best_point_is_marked_in_each_plot_and_those_above_a_limit_are_faint() {
    let results = Results::new();
    results.sweep("m", 4, 7, 1.0);
    let run = results.read();
    let limits = Limits::new(Statistic::P95).time_to_first_token(50.0);
    let report = Report::new(&run).with_limits(limits).with_price(2.5);
    let page = report.to_html();
    let charts = charts(&page);
    assert_eq!(charts.len(), 5);
    for chart in &charts {
        let marks: Vec<_> = chart.split("<path class=\"mark").skip(1).collect();
        assert_eq!(marks.len(), 3, "{chart}");
        let rings = marks.iter().map(|mark| mark.contains("class=\"ring\""));
        assert!(rings.eq([false, true, false]), "{chart}");
        let faint = marks.iter().map(|mark| mark.starts_with(" dim\""));
        assert!(faint.eq([false, false, true]), "{chart}");
    }
    assert_eq!(
        page.matches("best: the highest throughput within the limits</li>")
            .count(),
        5
    );
    // Without a limit, the highest throughput is best, and nothing is faint.
    let page = Report::new(&run).to_html();
    assert!(!page.contains("class=\"mark dim\""), "{page}");
    let (_, last) = charts_of(&page, 1)
        .rsplit_once("<path class=\"mark\"")
        .unwrap();
    assert!(
        last.contains("concurrency 64\n") && last.contains("class=\"ring\""),
        "{last}"
    );
}

/// A load that is measured again makes a second series; other loads of the same measurement go on in the first one.
#[test]
fn jobs_that_measured_in_the_same_way_are_one_series() {
    let results = Results::new();
    for (job, concurrency) in [(7, 1), (7, 2), (8, 4), (9, 2), (10, 8), (11, 16)] {
        let name = format!("m_4_{concurrency}_chat_128_128_{job}");
        results.point(&name, concurrency, 1.0);
        // With other requests than the first time, it is no repeat.
        let measured = format!("requests={job}\n");
        fs::write(results.path().join(name).join("measurement.txt"), measured).unwrap();
    }
    let manifest = |job: u32, fingerprint: &str| {
        let text = format!(r#"{{"job_id": "{job}", "fingerprint": "{fingerprint}"}}"#);
        results.manifest(job, &text);
    };
    for job in [7, 8, 9] {
        manifest(job, "a");
    }
    manifest(10, "b");
    // Each chart has them.
    let names = |page: &str| -> Vec<String> {
        let (_, chart) = page.split_once("<figure>").unwrap();
        let (chart, _) = chart.split_once("</figure>").unwrap();
        let parts = chart.split("</svg>chat 128/128").skip(1);
        parts
            .map(|part| part.split("</li>").next().unwrap().to_owned())
            .collect()
    };
    let page = Report::new(&results.read()).to_html();
    let expected = [", jobs 7, 8", ", job 9", ", job 10", ", job 11"];
    assert_eq!(names(&page), expected);
    // Many are told by the first and the last.
    manifest(10, "a");
    manifest(11, "a");
    let page = Report::new(&results.read()).to_html();
    assert_eq!(names(&page), [", jobs 7 to 11", ", job 9"]);
}

fn charts_of(page: &str, number: usize) -> &str {
    charts(page)[number]
}

#[test]
fn the_pareto_plot_names_its_loads_and_has_the_frontier_of_all_series() {
    let results = Results::new();
    results.sweep("fast", 4, 7, 1.0);
    results.sweep("slow", 4, 7, 2.0);
    let run = results.read();
    let page = Report::new(&run).to_html();
    let pareto = charts_of(&page, 0);
    for label in [">1</text>", ">8</text>", ">64</text>"] {
        let beside = pareto.split("<text class=\"beside");
        assert_eq!(
            beside.filter(|text| text.contains(label)).count(),
            2,
            "{label}: {pareto}"
        );
    }
    // The faster model alone is the frontier.
    let frontier = between(pareto, "<polyline class=\"frontier\" points=\"", "\"");
    let fast = between(pareto, "<polyline class=\"line\" points=\"", "\"");
    assert_eq!(frontier, fast);
    assert!(page.contains("best of all curves of a use case</li>"));
    // It is in no other plot, and of one series it would say nothing.
    assert_eq!(page.matches("class=\"frontier\" points").count(), 1);
    let alone = Results::new();
    alone.sweep("m", 4, 7, 1.0);
    let page = Report::new(&alone.read()).to_html();
    assert!(!page.contains("class=\"frontier\""));
    // A point that is slower for each user, and brings less, is not joined.
    let words = "the line joins the points that no other point beats on both axes</li>";
    assert!(!page.contains(words));
    alone.point("m_4_16_chat_128_128_7", 16, 3.0);
    let page = Report::new(&alone.read()).to_html();
    assert_eq!(page.matches(words).count(), 1);
}

/// Two hundred labels would cover each other: those that are there do not, and the best one's is there.
#[test]
fn labels_do_not_cover_each_other() {
    let results = Results::new();
    for concurrency in 1..=200 {
        let name = format!("m_4_{concurrency}_chat_128_128_7");
        results.point(&name, concurrency, 1.0);
    }
    let page = Report::new(&results.read()).to_html();
    let boxes: Vec<_> = charts_of(&page, 0)
        .split("<text class=\"beside")
        .skip(1)
        .map(|text| {
            let number = |name: &str| -> f64 {
                between(text, &format!(" {name}=\""), "\"").parse().unwrap()
            };
            let label = between(text, ">", "<");
            // A narrow screen has the largest letters: 20 of the drawing's units.
            let width = 11.6 * f64::from(u32::try_from(label.len()).unwrap());
            let left = match between(text, "text-anchor=\"", "\"") {
                "start" => number("x"),
                "end" => number("x") - width,
                _ => number("x") - width / 2.0,
            };
            (
                label,
                (left, left + width),
                (number("y") - 15.0, number("y")),
            )
        })
        .collect();
    assert!((15..100).contains(&boxes.len()), "{boxes:?}");
    assert!(boxes.iter().any(|(label, ..)| *label == "200"), "{boxes:?}");
    for (number, (label, across, up)) in boxes.iter().enumerate() {
        for (other, other_across, other_up) in &boxes[..number] {
            let overlap = |a: &(f64, f64), b: &(f64, f64)| a.0 < b.1 && b.0 < a.1;
            assert!(
                !(overlap(across, other_across) && overlap(up, other_up)),
                "{label} covers {other}"
            );
        }
    }
}

#[test]
fn repeats_are_a_band() {
    let results = Results::new();
    for (again, slower) in [("", 0.98), ("_r2", 1.0), ("_r3", 1.02)] {
        for concurrency in [1, 8] {
            let name = format!("m_4_{concurrency}_chat_128_128{again}_7");
            results.point(&name, concurrency, slower);
        }
    }
    results.point("m_4_64_chat_128_128_7", 64, 1.0);
    let run = results.read();
    let page = Report::new(&run).to_html();
    let charts = charts(&page);
    // Over the load, from the first point to the second, and not on to the third, which was measured once.
    for chart in &charts[1..] {
        let band = between(chart, "<path class=\"band\" d=\"", "\"");
        assert_eq!(band.matches('L').count(), 3, "{band}");
        assert_eq!(chart.matches("<path class=\"line\"").count(), 0, "{chart}");
    }
    // Where the line is a frontier, each has its bar.
    assert!(!charts[0].contains("class=\"band\""));
    assert_eq!(charts[0].matches("<path class=\"line\"").count(), 2);
    assert!(page.contains("interval of several runs, 95 %</li>"));
    let bars = Results::new();
    for again in ["", "_r2"] {
        bars.point(&format!("m_4_8_chat_128_128{again}_7"), 8, 1.0);
    }
    // A band takes two points.
    let page = Report::new(&bars.read()).to_html();
    assert!(!page.contains("<path class=\"band\"") && page.contains("\n<path class=\"line\""));
    // The axis has room for both ends of a wide one.
    let wide = Results::new();
    for (again, slower) in [("", 0.8), ("_r2", 1.0), ("_r3", 1.2)] {
        wide.point(&format!("m_4_8_chat_128_128{again}_7"), 8, slower);
    }
    let page = Report::new(&wide.read()).to_html();
    for chart in &self::charts(&page)[1..] {
        let bar = between(chart, "\n<path class=\"line\" d=\"", "\"");
        assert_eq!(bar.matches("h8").count(), 2, "{bar}");
    }
}

#[test]
fn table_heads_have_the_statistic() {
    let results = Results::new();
    results.sweep("m", 4, 7, 1.0);
    let run = results.read();
    for (statistic, name) in [(Statistic::Avg, "avg"), (Statistic::P95, "p95")] {
        let report = Report::new(&run).with_limits(Limits::new(statistic));
        let page = report.against(&run).to_html();
        for head in [
            format!(
                "<th>TTFT {name}<br>ms</th><th>ITL {name}<br>ms</th><th>request latency<br>{name}, ms</th>"
            ),
            format!("<th>TTFT<br>{name}</th><th>ITL<br>{name}</th>"),
        ] {
            assert!(page.contains(&head), "no {head} in {page}");
        }
    }
}

/// The facts in the head, by name.
fn fact<'a>(page: &'a str, name: &str) -> &'a str {
    between(page, &format!("<dt>{name}</dt><dd>"), "</dd>")
}

#[test]
fn the_head_says_what_was_measured_on_what_and_when() {
    let (before, now) = (Results::new(), Results::new());
    before.sweep("llama", 4, 6, 1.0);
    now.sweep("llama", 4, 7, 1.0);
    now.sweep("llama", 8, 8, 1.0);
    for (job, gpus, start, end) in [
        (
            7,
            4,
            "2026-11-24T07:33:58+0000",
            "\"2026-11-24T09:10:00+0000\"",
        ),
        (8, 8, "2026-11-25T07:33:58+0000", "null"),
    ] {
        now.manifest(
            job,
            &format!(
                r#"{{"job_id": "{job}", "gpus": {gpus}, "gpu_model": "NVIDIA H100", "start": "{start}", "end": {end},
                "images": {{"server": {{"reference": "nvcr.io/nim:1"}}, "client": {{"reference": "nvcr.io/sdk:2"}}}}}}"#
            ),
        );
    }
    let (earlier, before, now) = (&before, before.read(), now.read());
    let page = Report::new(&now).against(&before).to_html();
    assert_eq!(fact(&page, "Model"), "llama");
    assert_eq!(fact(&page, "GPUs"), "4 or 8 × NVIDIA H100");
    assert_eq!(fact(&page, "Server image"), "nvcr.io/nim:1");
    assert_eq!(fact(&page, "Tool"), "GenAI-Perf");
    assert_eq!(fact(&page, "Tool image"), "nvcr.io/sdk:2");
    assert_eq!(fact(&page, "Date"), "2026-11-24 07:33 to 2026-11-25 07:33");
    assert_eq!(
        fact(&page, "Compared with"),
        format!("job 6 in {}", before.path())
    );
    // Without a manifest the results are not launch.sh's, and nothing is missing.
    let page = Report::new(&before).to_html();
    assert_eq!(fact(&page, "GPUs"), "4");
    assert!(!page.contains("not known") && !page.contains("Server image"));
    // What launch.sh did not write down says so.
    earlier.manifest(6, r#"{"job_id": "6"}"#);
    let before = earlier.read();
    let page = Report::new(&before).to_html();
    assert_eq!(fact(&page, "GPUs"), "4, kind not known");
    for name in ["Server image", "Tool image", "Date"] {
        assert_eq!(fact(&page, name), "not known");
    }
    assert!(!page.contains("Compared with"));
}

#[test]
fn the_head_trusts_nobody() {
    let results = Results::new();
    results.sweep("<b>\u{202e}m", 4, 7, 1.0);
    let long = "z".repeat(5000);
    results.manifest(
        7,
        &format!(
            r#"{{"job_id": "7", "gpu_model": "<img src=x>", "start": "2026-11-24T<i>", "end": "2026-11-24T09:10<script>",
            "images": {{"server": {{"reference": "\u001b[31m{long}"}}, "client": {{"reference": "a\"><script>"}}}}}}"#
        ),
    );
    let page = Report::new(&results.read()).to_html();
    assert_eq!(fact(&page, "Model"), "&#60;b&#62;\\u{202e}m");
    assert_eq!(fact(&page, "GPUs"), "4 × &#60;img src=x&#62;");
    assert_eq!(fact(&page, "Tool image"), "a&#34;&#62;&#60;script&#62;");
    assert_eq!(fact(&page, "Date"), "not known");
    let image = fact(&page, "Server image");
    assert!(
        image.starts_with("\\u{1b}[31mzz") && image.ends_with("z…"),
        "{image}"
    );
    assert!(image.len() < 200, "{image}");
}

/// Letters are scaled with the drawing, which is as wide as the screen without the page's padding.
#[test]
fn a_narrow_screen_can_be_read() {
    let results = Results::new();
    results.sweep("m", 4, 7, 1.0);
    let page = Report::new(&results.read()).to_html();
    let (wide, narrow) = page.split_once("@media (max-width: 35rem) {").unwrap();
    let size = |css: &str| -> f64 {
        let (_, rest) = css.rsplit_once("svg text { ").unwrap();
        between(rest, "font-size: ", "px").parse().unwrap()
    };
    let drawing: f64 = between(&page, "<svg viewBox=\"0 0 ", " ").parse().unwrap();
    let padding: f64 = between(narrow, "body { padding: ", "rem").parse().unwrap();
    let (narrow_css, _) = narrow.split_once("@media print").unwrap();
    // Beside a scroll bar of 15 px.
    let scale = (400.0 - 2.0 * 16.0 * padding - 15.0) / drawing;
    assert!(
        size(narrow_css) * scale >= 11.0,
        "{}",
        size(narrow_css) * scale
    );
    // The narrowest column of a wide screen is 32rem.
    assert!(page.contains("minmax(min(100%, 32rem), 1fr)"));
    assert!(size(wide) * 512.0 / drawing >= 11.0);
    // No text of the page itself is smaller than 11 px, of 16 in a rem.
    for size in wide
        .split("font-size: ")
        .skip(1)
        .filter_map(|css| css.split_once("rem"))
    {
        let Ok(size) = size.0.parse::<f64>() else {
            continue;
        };
        assert!(size * 16.0 >= 11.0, "{size}rem");
    }
    // Each table scrolls by itself, and says that it does.
    let tables = page.matches("<table").count();
    assert_eq!(tables, 1);
    assert_eq!(page.matches("<p class=\"cue\">").count(), tables);
    assert!(narrow_css.contains(".cue { display: block; }"));
}
