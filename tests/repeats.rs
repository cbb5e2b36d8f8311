//! Points that were measured several times, as the report tells them, and as two results are compared.

use std::fs;
use std::process::{Command, Output};

use nim_slurm::Report;
use nim_slurm::results::{
    Comparison, Difference, Limits, Metric, Point, PointName, Run, Statistic, Verdict,
};
use serde_json::Value;
use snapbox::{assert_data_eq, str};

mod common;

#[path = "common/results.rs"]
mod results;
use results::Results;

impl Results {
    /// A point with this throughput and time to first token.
    fn point(&self, name: &str, tokens: f64, first: f64) {
        let folder = self.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        let text = format!(
            r#"{{"request_throughput": {{"unit": "requests/sec", "avg": {}}},
                "request_count": {{"unit": "requests", "avg": 250}},
                "output_token_throughput": {{"unit": "tokens/sec", "avg": {tokens}}},
                "inter_token_latency": {{"unit": "ms", "avg": 20, "p95": 25}},
                "request_latency": {{"unit": "ms", "avg": 2600, "p95": 2900}},
                "time_to_first_token": {{"unit": "ms", "avg": {first}, "p95": {}}}}}"#,
            tokens / 128.0,
            2.0 * first
        );
        fs::write(folder.join("profile_export_genai_perf.json"), text).unwrap();
    }

    /// The requests of a point, as AIPerf writes them, which ran for so many seconds.
    fn requests(&self, name: &str, seconds: u64) {
        let folder = self.path().join(name);
        let record = |number: u64| {
            let start = number * seconds * 1_000_000_000 / 250;
            // Eight are in flight.
            let latency = 32 * seconds;
            let end = start + latency * 1_000_000;
            format!(
                r#"{{"metadata": {{"request_start_ns": {start}, "request_end_ns": {end}, "benchmark_phase": "profiling", "was_cancelled": false}}, "metrics": {{"request_latency": {{"value": {latency}, "unit": "ms"}}}}, "error": null}}"#
            )
        };
        let lines: Vec<_> = (1..=250).map(record).collect();
        fs::rename(
            folder.join("profile_export_genai_perf.json"),
            folder.join("profile_export_aiperf.json"),
        )
        .unwrap();
        fs::write(folder.join("profile_export.jsonl"), lines.join("\n") + "\n").unwrap();
    }

    /// The manifest of a job.
    fn job(&self, id: u32, fields: &str) {
        let text = format!(r#"{{"job_id": "{id}", {fields}}}"#);
        fs::write(self.path().join(format!("run_{id}.json")), text).unwrap();
    }

    fn read(&self) -> Run {
        Run::read(self.path()).unwrap()
    }
}

/// Three runs of one point, whose time to first token varies, and one of another.
fn three_runs() -> Results {
    let results = Results::new();
    results.point("m_4_8_chat_128_128_7", 990.0, 90.0);
    results.point("m_4_8_chat_128_128_r2_7", 1000.0, 100.0);
    results.point("m_4_8_chat_128_128_r3_7", 1010.0, 110.0);
    results.point("m_4_1_chat_128_128_7", 120.0, 40.0);
    results
}

#[test]
fn names_with_a_repeat() {
    let repeat = |name: &str| PointName::parse(name).map(|name| name.repeat());
    assert_eq!(repeat("m_4_8_chat_128_128_7"), Some(1));
    assert_eq!(repeat("m_4_8_chat_128_128_r2_7-3"), Some(2));
    assert_eq!(repeat("m_4_8_chat_128_128_r17_7"), Some(17));
    // What launch.sh never writes.
    for none in ["_r1", "_r0", "_r02", "_r", "_rx", "_r2_r2", "_r99999999999"] {
        assert_eq!(
            repeat(&format!("m_4_8_chat_128_128{none}_7")),
            None,
            "{none}"
        );
    }
}

#[test]
fn a_table_has_a_row_of_means() {
    let results = three_runs();
    let table = Report::new(&results.read()).to_table();
    assert!(
        table.lines().all(|line| line.chars().count() <= 100),
        "{table}"
    );
    assert_data_eq!(
        table,
        str![[r"
chat 128/128
        concur-     re-    TTFT    ITL  latency  tokens/s  tokens/s  tokens/s  requests
  GPUs    rency  quests      ms     ms       ms                /GPU     /user        /s       job
     4        1     250   40.00  20.00   2600.0     120.0     30.00    ~50.00      0.94         7
*    4        8     250   100.0  20.00   2600.0    1000.0     250.0    ~50.00      7.81         7
                 3 runs  ±24.84  ±0.00    ±0.00    ±24.84     ±6.21     ±0.00     ±0.19     ± 95%
                          10.0%   0.0%     0.0%      1.0%      1.0%      0.0%      1.0%  unstable

TTFT, ITL and latency: avg
* highest throughput
several runs: means, the interval of each with a confidence of 0.95 (Student's t), and the spread
    (standard deviation over mean), which is unstable above 5 %
tokens/s: output tokens; /user: of one answer after its first token
~ computed here: 1000 / ITL or, where there is no ITL, tokens/s / concurrency

"]]
    );
}

/// The figures by hand: means 1000 and 100, standard deviations 10 and 10, and t = 4.303 over √3.
#[test]
fn the_same_for_programs() {
    let results = three_runs();
    let run = results.read();
    let json: Value = serde_json::from_str(&Report::new(&run).to_json()).unwrap();
    assert_eq!(json["points"].as_array().unwrap().len(), 4);
    assert_eq!(json["points"][3]["repeat"], 3);
    let means = json["means"].as_array().unwrap();
    assert_eq!(means.len(), 1);
    assert_eq!(means[0]["paths"].as_array().unwrap().len(), 3);
    assert_eq!(means[0]["is_unstable"], true);
    let tokens = &means[0]["metrics"]["output_token_throughput"];
    assert_eq!(tokens["mean"], 1000.0);
    assert_eq!(tokens["standard_deviation"], 10.0);
    assert_eq!(tokens["spread"], 0.01);
    assert_eq!(tokens["is_unstable"], false);
    let low = tokens["interval"][0].as_f64().unwrap();
    assert!(
        (low - (1000.0 - 4.3027 * 10.0 / 3.0_f64.sqrt())).abs() < 0.01,
        "{low}"
    );
    let first = &means[0]["metrics"]["time_to_first_token"];
    assert_eq!(
        (&first["spread"], &first["is_unstable"]),
        (&0.1.into(), &true.into())
    );

    // Each column of the table.
    let metrics = means[0]["metrics"].as_object().unwrap();
    let names: Vec<_> = metrics.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "inter_token_latency",
            "output_token_throughput",
            "output_token_throughput_per_gpu",
            "output_token_throughput_per_user",
            "request_latency",
            "request_throughput",
            "time_to_first_token"
        ]
    );
    let per_gpu = &metrics["output_token_throughput_per_gpu"];
    assert_eq!(
        (&per_gpu["mean"], &per_gpu["unit"]),
        (&250.0.into(), &"tokens/s/GPU".into())
    );
    assert_eq!(json["use_cases"][0]["model"], "m");

    let csv = Report::new(&run).to_csv();
    let repeats: Vec<_> = csv
        .lines()
        .map(|line| line.split(',').nth(7).unwrap())
        .collect();
    assert_eq!(repeats, ["repeat", "1", "1", "2", "3"]);

    let page = Report::new(&run).to_html();
    for words in [
        "<td>1000.0 <small>±24.84</small></td>",
        "unstable: 3 runs, spread up to 10.0 %",
        "tokens/s: 1000.0 ±24.84",
    ] {
        assert!(page.contains(words), "no {words:?} in {page}");
    }
    // One line a sweep in each of four charts; one of its two points has a bar.
    assert_eq!(page.matches("<polyline").count(), 4);
    assert_eq!(page.matches("\n<path class=\"line\"").count(), 4);
}

/// A spread of the speed for each user alone, as the table shows it.
#[test]
fn what_is_unstable_in_the_table_is_so_for_programs() {
    let results = Results::new();
    for (again, speed) in [("", 50.0), ("_r2", 46.0), ("_r3", 54.0)] {
        let name = format!("m_4_8_chat_128_128{again}_7");
        results.point(&name, 1000.0, 100.0);
        let file = results
            .path()
            .join(name)
            .join("profile_export_genai_perf.json");
        let text = fs::read_to_string(&file).unwrap();
        let own = format!(
            r#"{{"output_token_throughput_per_user": {{"unit": "tokens/sec/user", "avg": {speed}}}, "#
        );
        fs::write(&file, text.replacen('{', &own, 1)).unwrap();
    }
    let run = results.read();
    assert!(Report::new(&run).to_table().contains("  unstable\n"));
    let json: Value = serde_json::from_str(&Report::new(&run).to_json()).unwrap();
    assert_eq!(json["means"][0]["is_unstable"], true);
}

#[test]
fn a_point_keeps_a_limit_when_all_its_runs_do() {
    let results = three_runs();
    let means = results.read().means();
    let point = means
        .points()
        .iter()
        .find(|point| point.runs().len() == 3)
        .unwrap();
    let verdict = |limit| {
        Limits::new(Statistic::Avg)
            .time_to_first_token(limit)
            .verdict(point)
    };
    assert_eq!(verdict(110.0), Verdict::Within);
    assert_eq!(
        verdict(100.0),
        Verdict::CannotTell {
            metric: Metric::TimeToFirstToken
        }
    );
    assert!(matches!(verdict(89.0), Verdict::Exceeded { .. }));
    assert_eq!(point.request_count(), Some(250));
}

/// More runs or requests would not bring together what is on both sides of a limit.
#[test]
fn runs_on_both_sides_of_a_limit_are_said_to_be_so() {
    let results = three_runs();
    let run = results.read();
    let limits = |statistic, limit| Limits::new(statistic).time_to_first_token(limit);
    let report = |limits| Report::new(&run).with_limits(limits);
    let at_most_39 = report(limits(Statistic::Avg, 39.0)).to_table();
    assert!(
        at_most_39.contains("\nno point keeps the limits\n"),
        "{at_most_39}"
    );
    let other = results.path().join("m_4_1_chat_128_128_7");
    fs::remove_dir_all(other).unwrap();
    let run = results.read();
    let words = "t cannot be told of any point whether it keeps the limits: runs of the same point are on both sides of a limit";
    let note = "its runs are on both sides of the limit on TTFT";
    // The p95 of 250 requests is twice the mean here.
    for limits in [limits(Statistic::Avg, 100.0), limits(Statistic::P95, 200.0)] {
        let report = Report::new(&run).with_limits(limits);
        let json: Value = serde_json::from_str(&report.to_json()).unwrap();
        let said = &json["use_cases"][0]["none_within_limits"];
        assert_eq!(said, &format!("i{words}"));
        let (table, markdown) = (report.to_table(), report.to_markdown());
        let page = report.to_html();
        let legend = "\n= cannot tell: runs of the same point are on both sides of a limit\n";
        for words in [legend, &format!("\n    {note}\n")] {
            assert!(table.contains(words), "no {words:?} in {table}");
        }
        assert!(
            !table.contains("too few") && !table.contains("sweep."),
            "{table}"
        );
        assert!(
            markdown.contains(&format!("cannot tell; unstable; {note} |\n")),
            "{markdown}"
        );
        assert!(
            page.contains(note) && page.contains(&format!("<p>I{words}.</p>")),
            "{page}"
        );
    }
}

/// The fewest of 20, 500 and 500 requests are not what all runs have.
#[test]
fn runs_with_other_numbers_of_requests_have_a_range() {
    let results = three_runs();
    let file = "m_4_8_chat_128_128_r2_7/profile_export_genai_perf.json";
    let file = results.path().join(file);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"avg\": 250", "\"avg\": 1200")).unwrap();
    let run = results.read();
    let limits = Limits::new(Statistic::P95);
    let report = Report::new(&run).with_limits(limits);
    let table = report.to_table();
    assert!(
        table
            .lines()
            .any(|line| line.starts_with("*    4       8 250-1200 ")),
        "{table}"
    );
    assert!(
        table.contains("\n250 requests support percentiles up to p98"),
        "{table}"
    );
    assert!(
        table.lines().all(|line| line.chars().count() <= 100),
        "{table}"
    );
    assert!(report.to_markdown().contains("| 4 | 8 | 3 | 250-1200 |"));
    assert!(report.to_html().contains("\nrequests: 250-1200\n"));
}

/// Jobs of one measurement are runs of the same points; other jobs are not.
#[test]
fn jobs_with_one_fingerprint_are_runs() {
    let results = Results::new();
    for job in [7, 8, 9] {
        results.point(&format!("m_4_8_chat_128_128_{job}"), 1000.0, 100.0);
    }
    results.point("m_4_8_chat_128_128_r2_8", 1000.0, 100.0);
    let runs = || {
        let means = results.read().means();
        means
            .points()
            .iter()
            .map(|point| point.runs().len())
            .collect::<Vec<_>>()
    };
    // Without manifests, only the job tells.
    assert_eq!(runs(), [1, 2, 1]);
    results.job(7, r#""fingerprint": "aa""#);
    results.job(8, r#""fingerprint": "aa""#);
    results.job(9, r#""fingerprint": "bb""#);
    assert_eq!(runs(), [3, 1]);
    let table = Report::new(&results.read()).to_table();
    assert!(table.contains("2 jobs\n"), "{table}");
}

/// A copy of a results folder below itself.
#[test]
fn a_copy_is_no_other_run() {
    let results = Results::new();
    results.job(7, r#""fingerprint": "aa""#);
    for place in ["", "copy/", "copy/again/"] {
        results.point(&format!("{place}m_4_8_chat_128_128_7"), 1000.0, 100.0);
        results.point(&format!("{place}m_4_8_chat_128_128_r2_7"), 1000.0, 100.0);
        results.point(&format!("{place}m_4_1_chat_128_128_7"), 120.0, 40.0);
    }
    let run = results.read();
    let paths: Vec<_> = run.points().iter().map(Point::path).collect();
    let names = [
        "m_4_1_chat_128_128_7",
        "m_4_8_chat_128_128_7",
        "m_4_8_chat_128_128_r2_7",
    ];
    assert_eq!(paths, names.map(|name| results.path().join(name)));
    let means = run.means();
    let runs: Vec<_> = means.points().iter().map(|it| it.runs().len()).collect();
    assert_eq!(runs, [1, 2]);
    assert_eq!(run.problems().len(), 6, "{:?}", run.problems());
    let problem = &run.problems()[0];
    let (file, kept) = (results.path().join("copy/again"), results.path());
    assert_eq!(problem.file(), file.join(names[0]));
    assert_eq!(
        problem.message(),
        format!("has the same job, repeat and figures as the one in {kept}: it counts once")
    );
    // So a gate has one run on each side.
    let slower = Results::new();
    for place in ["", "copy/"] {
        slower.point(&format!("{place}m_4_1_chat_128_128_7"), 60.0, 80.0);
    }
    let arguments = [slower.path().as_str(), "--against", results.path().as_str()];
    let text = said(&[&arguments[..], &["--gate", "throughput 5%"]].concat(), 4);
    assert!(text.contains("runs 1, 1: it takes two runs"), "{text}");
}

/// Job numbers are used again, and on other clusters.
#[test]
fn other_jobs_with_the_same_number_are_no_runs() {
    let results = Results::new();
    for (place, tokens) in [("before", 1000.0), ("after", 800.0)] {
        for again in ["", "_r2"] {
            let point = format!("{place}/m_4_8_chat_128_128{again}_7");
            results.point(&point, tokens, 100.0);
        }
    }
    let run = results.read();
    assert_eq!((run.points().len(), run.problems()), (4, &[][..]));
    let means = run.means();
    let found = means.points().iter().map(|point| {
        let of_one = |place: &str| {
            let mut runs = point.runs().iter();
            runs.all(|run| run.path().starts_with(results.path().join(place)))
        };
        (point.throughput(), point.runs().len(), of_one("after"))
    });
    let found: Vec<_> = found.collect();
    assert_eq!(found, [(Some(800.0), 2, true), (Some(1000.0), 2, false)]);
    // Several results in the folder of a point.
    let folder = results.path().join("before/m_4_8_chat_128_128_7");
    fs::copy(
        results
            .path()
            .join("after/m_4_8_chat_128_128_7/profile_export_genai_perf.json"),
        folder.join("again_genai_perf.json"),
    )
    .unwrap();
    let alone = Run::read(&folder).unwrap().means();
    let runs: Vec<_> = alone.points().iter().map(|it| it.runs().len()).collect();
    assert_eq!(runs, [1, 1]);
}

/// The fingerprint is the job's. What loads the server, and how long, is each point's own.
#[test]
fn another_load_is_no_other_run() {
    let requests = ("requests of a point", "requests=20", "requests=2000");
    let load = (
        "load of a point",
        "own_command=--arrival\nown_command=poisson",
        "own_command=--arrival\nown_command=constant",
    );
    // Servers that measure a point together have a folder each.
    for (server, (what, old, new)) in [
        ("", requests),
        ("", load),
        ("/server-0", requests),
        ("/server-0", load),
    ] {
        let (before, after, both) = (Results::new(), Results::new(), Results::new());
        for (job, own, results) in [(7, old, &before), (8, new, &after)] {
            for results in [results, &both] {
                // Two runs of a job, with other prompts.
                for (again, seed) in [("", 1), ("_r2", 2)] {
                    let name = format!("m_4_8_chat_128_128{again}_{job}");
                    results.point(&format!("{name}{server}"), 1000.0, 100.0);
                    let text = format!("{own}\nprompts=9\nseed={seed}\nserver_image=x\n");
                    fs::write(results.path().join(name).join("measurement.txt"), text).unwrap();
                }
                results.job(job, r#""fingerprint": "aa""#);
            }
        }
        let means = both.read().means();
        let runs: Vec<_> = means.points().iter().map(|it| it.runs().len()).collect();
        assert_eq!(runs, [2, 2], "{what}");
        let differences = Difference::between(&before.read(), &after.read());
        let [difference] = &differences[..] else {
            panic!("{differences:?}");
        };
        let last = |text: &str| text.rsplit(['=', ' ']).next().unwrap().to_owned();
        assert_eq!(
            (
                difference.what,
                last(&difference.before),
                last(&difference.after)
            ),
            (what, last(old), last(new))
        );
    }
}

/// Jobs with commas between them, and a folder of which some jobs are reported: no point is compared with itself.
#[test]
fn jobs_are_compared_with_jobs() {
    let results = Results::new();
    for (job, latency) in [(5, 100.0), (6, 200.0), (7, 400.0)] {
        let load = if job == 6 { 16 } else { 8 };
        results.point(&format!("m_4_{load}_chat_128_128_{job}"), 1000.0, latency);
    }
    results.point("m_4_16_chat_128_128_7", 1000.0, 400.0);
    let folder = results.path().as_str();
    for against in ["5,6", folder] {
        let report = Command::new(common::PROGRAM)
            .args(["report", folder, "--job", "7", "--against", against])
            .output()
            .unwrap();
        let text = String::from_utf8(report.stdout).unwrap();
        for pair in [" 5 -> 7\n", " 6 -> 7\n"] {
            assert!(text.contains(pair), "{against}: {text}");
        }
        assert!(!text.contains("7 -> 7"), "{against}: {text}");
    }
}

/// A job that failed at once has another tokenizer, and no point that it was used for.
#[test]
fn a_job_without_points_differs_in_nothing() {
    let (before, after) = (Results::new(), Results::new());
    for (results, job) in [(&before, 6), (&after, 7)] {
        results.point(&format!("m_4_8_chat_128_128_{job}"), 1000.0, 100.0);
        results.job(job, r#""tokenizer": "/opt/tokenizer", "points": []"#);
    }
    after.job(8, r#""tokenizer": "/the/model", "points": []"#);
    assert_eq!(Difference::between(&before.read(), &after.read()), []);
}

/// Jobs of two measurements took turns: the last of them is what is compared.
#[test]
fn the_means_of_the_latest_job_are_compared() {
    let (before, after) = (Results::new(), Results::new());
    before.point("m_4_8_chat_128_128_6", 1000.0, 100.0);
    for (job, tokens, fingerprint) in [(7, 1000.0, "aa"), (8, 500.0, "bb"), (10, 1000.0, "aa")] {
        after.point(&format!("m_4_8_chat_128_128_{job}"), tokens, 100.0);
        after.job(job, &format!(r#""fingerprint": "{fingerprint}""#));
    }
    let (before, means) = (before.read(), after.read().means());
    let comparison = Comparison::new(&before, &means);
    assert_eq!(comparison.changes()[0].after().throughput(), Some(1000.0));
}

/// Both tools have a figure of this name, and mean something else by it.
#[test]
fn a_gate_between_two_tools_cannot_tell() {
    let (before, after) = (side(1.0), side(0.5));
    for entry in after.path().read_dir_utf8().unwrap() {
        let file = |tool: &str| {
            entry
                .as_ref()
                .unwrap()
                .path()
                .join(format!("profile_export_{tool}.json"))
        };
        fs::rename(file("genai_perf"), file("aiperf")).unwrap();
    }
    let arguments = [
        after.path().as_str(),
        "--against",
        before.path().as_str(),
        "--gate",
        "throughput 5%",
    ];
    let words: Vec<_> = said(&arguments, 4)
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    let reason = "runs 3, 3: another tool measured it, and means something else";
    assert_eq!(words.join(" ").matches(reason).count(), 2);
}

/// Shorter answers take less time: neither latency nor requests/s says that the server is faster.
#[test]
fn a_gate_cannot_tell_by_answers_of_another_length() {
    let side = |tokens: f64| {
        let results = Results::new();
        for (again, noise) in [("", 0.99), ("_r2", 1.0), ("_r3", 1.01)] {
            let folder = results.path().join(format!("m_4_8_chat_128_60{again}_7"));
            fs::create_dir(&folder).unwrap();
            let text = format!(
                r#"{{"request_throughput": {{"unit": "requests/sec", "avg": {}}},
                    "output_token_throughput": {{"unit": "tokens/sec", "avg": {}}},
                    "output_sequence_length": {{"unit": "tokens", "avg": {tokens}}},
                    "inter_token_latency": {{"unit": "ms", "avg": {}}},
                    "request_latency": {{"unit": "ms", "avg": {}}}}}"#,
                1000.0 / tokens * noise,
                1000.0 * noise,
                8.0 * noise,
                8.0 * tokens * noise
            );
            fs::write(folder.join("profile_export_genai_perf.json"), text).unwrap();
        }
        results
    };
    let before = side(60.0);
    let gate = |after: &Results, gate: &str, code| {
        let arguments = [after.path().as_str(), "--against", before.path().as_str()];
        said(&[&arguments[..], &["--gate", gate]].concat(), code).replace("\n    ", " ")
    };
    let shorter = side(49.0);
    let text = gate(&shorter, "latency 5%, requests 5%, itl 5%", 4);
    for words in [
        "differs: output tokens of an answer: 60.0 -> 49.0\n",
        "gate: cannot tell (latency 5%, requests 5%, itl 5%; 0 worse, 0 better, 1 equal, 2 cannot tell)",
        "latency avg -18.3 %, runs 3, 3: the answers have another length",
        "requests/s +22.4 %, runs 3, 3: the answers have another length, on which it depends",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    // Tokens a second are the same whatever the length is.
    gate(&shorter, "throughput 5%, itl 5%", 0);
    // Of less than the margin, it is told.
    let text = gate(&side(58.0), "latency 5%", 4);
    assert!(text.contains("output tokens of an answer: 60.0 -> 58.0"));
    assert!(!text.contains("another length"), "{text}");
    let text = gate(&side(59.5), "latency 5%", 0);
    assert!(!text.contains("of an answer"), "{text}");
}

/// What the report says not to rely on, a gate does not rely on.
#[test]
fn a_gate_cannot_tell_by_points_that_are_too_short() {
    let side = |seconds: u64| {
        let results = Results::new();
        for (again, noise) in [("", 0.99), ("_r2", 1.0), ("_r3", 1.01)] {
            let name = format!("m_4_8_chat_128_128{again}_7");
            results.point(&name, 1000.0 * noise, 100.0);
            results.requests(&name, seconds);
        }
        results
    };
    let (long, short) = (side(60), side(1));
    let gate = |after: &Results, code| {
        let arguments = [after.path().as_str(), "--against", long.path().as_str()];
        said(
            &[&arguments[..], &["--gate", "throughput 5%"]].concat(),
            code,
        )
        .replace("\n    ", " ")
    };
    assert!(gate(&long, 0).contains("gate: equal"));
    let text = gate(&short, 4);
    assert!(
        text.contains("runs 3, 3: a run measured for less than 10 s"),
        "{text}"
    );
}

fn report(arguments: &[&str]) -> Output {
    let mut program = Command::new(common::PROGRAM);
    program.arg("report").args(arguments).output().unwrap()
}

#[track_caller]
fn said(arguments: &[&str], code: i32) -> String {
    let output = report(arguments);
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words}");
    String::from_utf8(output.stdout).unwrap()
}

/// Three runs of two points, the second one at this share of its speed, with 1 % between the runs.
fn side(share: f64) -> Results {
    let results = Results::new();
    for (again, noise) in [("", 0.99), ("_r2", 1.0), ("_r3", 1.01)] {
        results.point(&format!("m_4_1_chat_128_128{again}_7"), 120.0 * noise, 40.0);
        results.point(
            &format!("m_4_8_chat_128_128{again}_7"),
            1000.0 * share * noise,
            100.0 / noise,
        );
    }
    results
}

/// As GenAI-Perf up to 25.03 leaves them, with one folder and several names of files.
#[test]
fn results_in_one_folder_are_told_apart_in_csv() {
    let side = |share: f64| {
        let results = Results::new();
        for (again, noise) in [("", 0.99), ("_r2", 1.0), ("_r3", 1.01)] {
            let folder = format!("m_4_2_chat_128_128{again}_7/m-openai-chat");
            let folder = results.path().join(folder);
            fs::create_dir_all(&folder).unwrap();
            for (load, tokens) in [(1, 120.0), (8, 1000.0 * share)] {
                let tokens = tokens * noise;
                let text = format!(
                    r#"{{"output_token_throughput": {{"unit": "tokens/sec", "avg": {tokens}}},
                        "input_config": {{"concurrency": {load}}}}}"#
                );
                fs::write(folder.join(format!("{load}_genai_perf.json")), text).unwrap();
            }
        }
        results
    };
    let (before, after) = (side(1.0), side(0.8));
    let csv = Report::new(&after.read()).to_csv();
    let is_best: Vec<_> = csv
        .lines()
        .map(|line| line.rsplit(',').nth(2).unwrap())
        .collect();
    let (no, yes) = (["false"; 3], ["true"; 3]);
    assert_eq!(is_best, [&["is_best"][..], &no, &yes].concat(), "{csv}");
    let arguments = [after.path().as_str(), "--against", before.path().as_str()];
    let gate = ["--gate", "throughput 5%", "--format", "csv"];
    let csv = said(&[&arguments[..], &gate].concat(), 3);
    let rows: Vec<_> = csv.lines().collect();
    assert!(
        rows[1].ends_with(",equal,worse") && rows[2].ends_with(",worse,worse"),
        "{csv}"
    );
}

#[test]
fn a_gate_says_what_got_worse() {
    let (before, same, slower, faster) = (side(1.0), side(1.0), side(0.8), side(1.3));
    let gate = |after: &Results, gate: &str, code, more: &[&str]| {
        let arguments = [after.path().as_str(), "--against", before.path().as_str()];
        said(&[&arguments[..], &["--gate", gate], more].concat(), code)
    };
    let text = gate(&slower, "throughput 5%, ttft 10%", 3, &[]);
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
    let start = text.find("gate: ").unwrap();
    assert_data_eq!(
        &text[start..],
        str![[r"
gate: worse (throughput 5%, ttft 10%; 1 worse, 0 better, 3 equal, 0 cannot tell)
x worse: chat 128/128, 4 GPUs, concurrency 8, tokens/s -20.0 % (-22.3 % to -17.7 %), runs 3, 3
  equal: chat 128/128, 4 GPUs, concurrency 1, tokens/s 0.0 % (-2.8 % to +2.9 %), runs 3, 3
  equal: chat 128/128, 4 GPUs, concurrency 1, TTFT avg 0.0 % (0.0 % to 0.0 %), runs 3, 3
  equal: chat 128/128, 4 GPUs, concurrency 8, TTFT avg 0.0 % (-2.8 % to +2.9 %), runs 3, 3
changes of geometric means, intervals by Welch's t-test on the runs; each end has a confidence of
    0.95 over all 4

"]]
    );
    let csv = gate(&slower, "throughput 5%, ttft 10%", 3, &["--format", "csv"]);
    let rows: Vec<_> = csv.lines().collect();
    assert!(
        rows[1].ends_with(",equal,equal,worse") && rows[2].ends_with(",worse,equal,worse"),
        "{csv}"
    );
    assert!(gate(&same, "throughput 5%", 0, &[]).contains("gate: equal"));
    assert!(gate(&faster, "throughput 5%", 0, &[]).contains("gate: better"));
    // Of two runs with a spread of 1 % each, an interval is wider than the margin.
    let unsure = gate(&same, "throughput 1%", 4, &[]);
    assert!(
        unsure.contains("? cannot tell: chat 128/128, 4 GPUs, concurrency 8, tokens/s"),
        "{unsure}"
    );
    assert!(
        unsure.contains("runs on each side would be enough"),
        "{unsure}"
    );

    let json: Value =
        serde_json::from_str(&gate(&slower, "throughput 5%", 3, &["--format", "json"])).unwrap();
    let said = &json["against"]["gate"];
    assert_eq!(
        (&said["outcome"], &said["exit_code"]),
        (&"worse".into(), &3.into())
    );
    let rows = said["changes"].as_array().unwrap();
    assert_eq!(rows[0]["outcome"], "equal");
    assert_eq!(
        (&rows[1]["outcome"], &rows[1]["runs"][0]),
        (&"worse".into(), &3.into())
    );
    assert!(rows[1]["interval"][1].as_f64().unwrap() < -0.15, "{rows:?}");

    let page = gate(&slower, "throughput 5%", 3, &["--format", "html"]);
    assert!(
        page.contains("<td class=\"word worse\">worse</td>"),
        "{page}"
    );

    let xml = gate(&slower, "throughput 5%", 3, &["--format", "junit"]);
    for words in [
        "<testsuite name=\"nim-slurm gate: throughput 5%\" tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\">",
        "<testcase classname=\"chat 128/128, 4 GPUs, concurrency 8\" name=\"tokens/s\"><failure message=\"worse: -20.0 %",
    ] {
        assert!(xml.contains(words), "no {words:?} in {xml}");
    }
    let text = gate(&slower, "throughput 5%", 3, &["--format", "markdown"]);
    for words in [
        "## 🔴 gate: worse (throughput 5%; 1 worse, 0 better, 1 equal, 0 cannot tell)",
        "| `chat 128/128, 4 GPUs, concurrency 8` | tokens/s | -20.0 % |",
        "| 4 | 8 | 3 |",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
}

#[test]
fn one_run_can_only_say_that_it_cannot_tell() {
    let (before, after) = (side(1.0), Results::new());
    after.point("m_4_8_chat_128_128_7", 100.0, 100.0);
    let arguments = [after.path().as_str(), "--against", before.path().as_str()];
    let text = said(&[&arguments[..], &["--gate", "throughput 5%"]].concat(), 4);
    for words in [
        "it takes two runs or more on each side (sweep.repeat)",
        "and 1 point is missing",
        "only in the other run: chat 128/128, 4 GPUs, concurrency 1",
    ] {
        assert!(
            text.replace("\n    ", " ").contains(words),
            "no {words:?} in {text}"
        );
    }
}

/// With two decimals, 0.17 and 0.16 are as good as 0.165 twice.
#[test]
fn equal_runs_that_differ_from_the_others_are_rounded() {
    let side = |requests: &str| {
        let results = Results::new();
        for again in ["", "_r2"] {
            let folder = results.path().join(format!("m_4_1_chat_128_512{again}_7"));
            fs::create_dir(&folder).unwrap();
            let text = format!("Metric,Value\nRequest Throughput (per sec),{requests}\n");
            fs::write(folder.join("profile_export_genai_perf.csv"), text).unwrap();
        }
        results
    };
    let before = side("0.17");
    let gate = |requests: &str, code| {
        let after = side(requests);
        let arguments = [after.path().as_str(), "--against", before.path().as_str()];
        said(&[&arguments[..], &["--gate", "requests 5%"]].concat(), code).replace("\n    ", " ")
    };
    let text = gate("0.16", 4);
    let words = "requests/s -5.9 %, runs 2, 2: the runs of each side have the same value: rounding hides their spread";
    assert!(text.contains(words), "{text}");
    assert!(gate("0.17", 0).contains("gate: equal"));
}

#[test]
fn a_gate_that_cannot_be_asked_is_refused() {
    let results = side(1.0);
    let folder = results.path().as_str();
    for (arguments, words) in [
        (
            &["--gate", "throughput 5%"][..],
            "--against <RESULTS_DIR_OR_JOB>",
        ),
        (
            &["--against", folder, "--gate", "speed 5%"],
            "\"speed\" is no metric",
        ),
        (
            &["--format", "junit"],
            "--format junit needs a gate: add --against",
        ),
    ] {
        let output = report(&[&[folder], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(words), "no {words:?} in {said}");
    }
}

/// Another tool and another model come first; then the rest, of commands the words that differ.
#[test]
fn what_differs_is_said_first() {
    let (before, after) = (side(1.0), side(1.0));
    let manifest = |driver: &str, seqs: &str| {
        format!(
            r#""node": "gpu05", "driver": "{driver}", "gpu_model": "H100", "gpus": 4, "crate_version": "0.1.0",
               "images": {{"server": {{"file": "a.sqsh", "reference": "vllm:1"}}}},
               "server_command": ["vllm", "serve", "--max-num-seqs", "{seqs}"]"#
        )
    };
    before.job(7, &manifest("550.54", "64"));
    after.job(7, &manifest("570.86\\u001b[2J", "128"));
    let sums = |of: &Results, sum: &str| {
        let text = format!("requests=1\nserver_image=vllm:1 {sum}\nserver_command=vllm\n");
        fs::write(of.path().join("m_4_1_chat_128_128_7/measurement.txt"), text).unwrap();
    };
    sums(&before, "aaaa");
    sums(&after, "bbbb");
    let arguments = [after.path().as_str(), "--against", before.path().as_str()];
    let text = said(&arguments, 0);
    let start = text.find("changes against").unwrap();
    let expected = "changes against the other run\n\
        differs: server's image: vllm:1 aaaa -> vllm:1 bbbb\n\
        differs: server's command: 64 -> 128\n\
        differs: driver: 550.54 -> 570.86\\u{1b}[2J\n";
    assert!(text[start..].starts_with(expected), "{text}");

    // Another model, by AIPerf.
    let other = Results::new();
    let folder = other.path().join("other_4_8_chat_128_128_7");
    fs::create_dir(&folder).unwrap();
    fs::write(
        folder.join("profile_export_aiperf.json"),
        r#"{"output_token_throughput": {"unit": "tokens/sec", "avg": 1000}}"#,
    )
    .unwrap();
    let arguments = [other.path().as_str(), "--against", before.path().as_str()];
    let first =
        "compared with another tool: GenAI-Perf -> AIPerf, and with another model: m -> other";
    for (format, start) in [
        ("table", first.to_owned()),
        ("markdown", format!("**`{first}`**")),
    ] {
        let text = said(&[&arguments[..], &["--format", format]].concat(), 0);
        assert_eq!(text.lines().next(), Some(&*start), "{text}");
    }
    let page = said(&[&arguments[..], &["--format", "html"]].concat(), 0);
    assert!(page.contains("<p class=\"worse\">compared with another tool"));
}

/// What others call their things is code in Markdown, and text in XML.
#[test]
fn names_of_others_are_shown_and_not_obeyed() {
    let (before, after) = (Results::new(), Results::new());
    for results in [&before, &after] {
        results.point("m_4_8_<b>@all`|&_128_128_7", 1000.0, 100.0);
    }
    let arguments = [after.path().as_str(), "--against", before.path().as_str()];
    let with = |format| {
        said(
            &[&arguments[..], &["--gate", "ttft 5%", "--format", format]].concat(),
            4,
        )
    };
    let text = with("markdown");
    assert!(
        text.contains("`<b>@all'\\|& 128/128, 4 GPUs, concurrency 8`"),
        "{text}"
    );
    let xml = with("junit");
    assert!(
        xml.contains("classname=\"&lt;b&gt;@all`|&amp; 128/128, 4 GPUs"),
        "{xml}"
    );
}

/// Two variants of a server, of which the second one has this share of the first one's speed, took three turns each in job 42.
fn variants(share: f64) -> Results {
    let results = Results::new();
    for (turn, (name, share, again, noise)) in [
        ("local", 1.0, "", 0.99),
        ("slow", share, "", 0.99),
        ("local", 1.0, "_r2", 1.0),
        ("slow", share, "_r2", 1.0),
        ("local", 1.0, "_r3", 1.01),
        ("slow", share, "_r3", 1.01),
    ]
    .into_iter()
    .enumerate()
    {
        for (concurrency, tokens) in [(1, 120.0), (8, 1000.0)] {
            let point = format!("llama-{name}_4_{concurrency}_chat_128_128{again}_42-{turn}");
            results.point(&point, tokens * share * noise, 40.0);
        }
        let row = format!("llama-{name}_4_1_chat_128_128{again}_42-{turn}");
        let manifest = format!(
            r#"{{"fingerprint": "{name}", "server_command": ["serve", "--{name}"],
            "points": [{{"folder": "{row}", "status": "finished", "detail": ""}}]}}"#
        );
        fs::write(results.path().join(format!("run_42-{turn}.json")), manifest).unwrap();
    }
    results
}

#[test]
fn two_variants_of_one_job_are_compared() {
    let results = variants(0.8);
    let folder = results.path().as_str();
    let models = ["--model", "llama-slow", "--against-model", "llama-local"];
    let gate = ["--gate", "throughput 5%"];
    let with = |arguments: &[&str], code| said(&[&[folder], arguments, &gate].concat(), code);
    let text = with(&models, 3);
    assert!(
        text.starts_with("compared with another model: llama-local -> llama-slow\n"),
        "{text}"
    );
    for words in [
        "differs: server's command: --local -> --slow\n",
        "gate: worse (throughput 5%; 2 worse, 0 better, 0 equal, 0 cannot tell)",
        "x worse: chat 128/128, 4 GPUs, concurrency 8, tokens/s -20.0 %",
        "runs 3, 3",
        "42, 3 parts -> 42, 3 parts",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    assert!(!text.contains("only in the "), "{text}");
    // The other way round; with the job; as two jobs that are the same; and the only other model need not be named.
    let turned = ["--model", "llama-local", "--against-model", "llama-slow"];
    assert!(with(&turned, 0).contains("gate: better"));
    for more in [
        &["--job", "42"][..],
        &["--job", "42", "--against", "42"],
        &["--against", folder],
    ] {
        assert_eq!(with(&[&models[..], more].concat(), 3), text, "{more:?}");
    }
    assert_eq!(with(&["--against-model", "llama-local"], 3), text);
    let same = variants(1.0);
    let equal = said(&[&[same.path().as_str()], &models[..], &gate].concat(), 0);
    assert!(equal.contains("gate: equal"), "{equal}");
    // One of several models, which the earlier results have as well.
    let own = ["--model", "llama-local", "--against", same.path().as_str()];
    let equal = with(&own, 0);
    assert!(
        equal.contains("gate: equal") && !equal.contains("only in the "),
        "{equal}"
    );
    // The model of one of several results, compared with another folder's.
    let other = [
        folder,
        "--model",
        "llama-slow",
        "--against",
        same.path().as_str(),
        "--against-model",
        "llama-slow",
    ];
    let text = said(&[&other[..], &gate].concat(), 3);
    assert!(
        !text.contains("another model") && text.contains("2 worse"),
        "{text}"
    );
    // Of one model, nothing of the others is told.
    let table = said(&[folder, "--model", "llama-slow", "--format", "csv"], 0);
    assert_eq!(table.lines().count(), 1 + 6, "{table}");
    assert!(!table.contains("llama-local"), "{table}");
    let page = with(&[&models[..], &["--format", "html"]].concat(), 3);
    assert!(
        page.contains("<dt>Compared with</dt><dd>llama-local, job 42-0, 42-2, 42-4</dd>"),
        "{page}"
    );
    for series in [
        "llama-slow, chat 128/128",
        "other run: llama-local, chat 128/128",
    ] {
        assert_eq!(
            page.matches(&format!("</svg>{series}</li>")).count(),
            4,
            "{page}"
        );
    }
    assert!(page.contains("<g class=\"c0 earlier\">"), "{page}");
}

#[test]
fn models_that_are_not_there_are_refused() {
    let results = variants(1.0);
    let folder = results.path().as_str();
    let refused = |arguments: &[&str], words: &str| {
        let output = report(&[&[folder], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(words), "no {words:?} in {said}");
    };
    let there = format!(
        "{folder} has no results of that model; the models there are llama-local, llama-slow"
    );
    refused(&["--model", "slow"], &format!("--model slow: {there}"));
    refused(
        &["--against-model", "fast\u{1b}"],
        &format!("--against-model fast\\u{{1b}}: {there}"),
    );
    refused(
        &["--model", "llama-slow", "--against-model", "llama-slow"],
        "--against-model llama-slow: --model names the same model, and it would be compared with itself",
    );
    refused(
        &[
            "--model",
            "llama-slow",
            "--against-model",
            "llama-slow",
            "--job",
            "42",
            "--against",
            "42",
        ],
        "--against 42: --job names the same job",
    );
    results.point("qwen_4_1_chat_128_128_42-6", 100.0, 40.0);
    refused(
        &["--against-model", "llama-local"],
        "say with --model which one is compared with it: llama-slow, qwen",
    );
    let alone = side(1.0);
    refused(
        &[
            "--against-model",
            "m",
            "--against",
            alone.path().as_str(),
            "--model",
            "x",
        ],
        "--model x: ",
    );
    let output = report(&[alone.path().as_str(), "--against-model", "m"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("has results of that model alone, and nothing to compare with them"),
        "{said}"
    );
}

/// Job 1, and in the same folder job 2 at half its speed, and job 3 as fast, each with another fingerprint.
fn jobs_in_turn() -> Results {
    let results = Results::new();
    for (job, share) in [(1, 1.0), (2, 0.5), (3, 1.0)] {
        for (again, noise) in [("", 0.99), ("_r2", 1.0), ("_r3", 1.01)] {
            let name = format!("m_4_8_chat_128_128{again}_{job}");
            results.point(&name, 1000.0 * share * noise, 100.0 / noise);
        }
        results.job(job, &format!(r#""fingerprint": "print-{job}""#));
    }
    results
}

/// A gate passes no job that somebody named, and that a later one hides.
#[test]
fn a_gate_tells_of_each_job_that_is_named() {
    let results = jobs_in_turn();
    let gate = |arguments: &[&str], code| {
        let gate = ["--against", "1", "--gate", "throughput 5%"];
        said(
            &[&[results.path().as_str()], &gate[..], arguments].concat(),
            code,
        )
    };
    let words = "not compared, of this run: 1 point of job 2, since job 3 measured the same later";
    let alone = "; compare each job alone, with --job";
    let named = ["--job", "2,3"];
    let with = |format| [&named[..], &["--format", format]].concat();
    let table = gate(&named, 4).replace("\n    ", " ");
    for words in [
        &format!("{words}{alone}"),
        "gate: cannot tell (throughput 5%; 0 worse, 0 better, 1 equal, 0 cannot tell), and 1 point of a job that was named is not compared",
    ] {
        assert!(table.contains(words), "no {words:?} in {table}");
    }
    for format in ["markdown", "html"] {
        let text = gate(&with(format), 4);
        assert!(text.contains(&format!("{words}{alone}")), "{text}");
    }
    let xml = gate(&with("junit"), 4);
    let skipped = "concurrency 8, job 2\" name=\"all\"><skipped message=\"not compared: job 3 measured the same later\"/>";
    assert!(
        xml.contains(skipped) && xml.contains("skipped=\"1\""),
        "{xml}"
    );
    let csv = gate(&with("csv"), 4);
    let rows: Vec<_> = csv.lines().collect();
    assert!(
        rows[0].ends_with(",superseded_by,output_token_throughput_avg_tokens_per_s_gate,gate"),
        "{csv}"
    );
    assert!(rows[1].ends_with(",,equal,cannot_tell"), "{csv}");
    assert!(
        rows[2].ends_with("m_4_8_chat_128_128_3,,cannot_tell"),
        "{csv}"
    );
    let json: Value = serde_json::from_str(&gate(&with("json"), 4)).unwrap();
    let other = &json["against"]["superseded"][0];
    assert!(other["path"].as_str().unwrap().ends_with("_2"), "{other}");
    assert!(other["by"].as_str().unwrap().ends_with("_3"), "{other}");
    assert_eq!(
        (&other["is_before"], &other["is_open"]),
        (&false.into(), &true.into())
    );

    gate(&["--job", "2"], 3);
    gate(&["--job", "3"], 0);
    // Nobody named job 2: it is said, and no more.
    let table = gate(&[], 0).replace("\n    ", " ");
    assert!(table.contains(&format!("{words}\n")), "{table}");
    // Without a gate, too.
    let table = said(
        &[results.path().as_str(), "--against", "1", "--job", "2,3"],
        0,
    );
    assert!(table.replace("\n    ", " ").contains(words), "{table}");
}

/// What was too short is not asked for once another job measured it in the same way for longer.
#[test]
fn a_job_that_measured_again_for_longer_has_the_place_of_one_that_is_named() {
    let results = jobs_in_turn();
    for again in ["", "_r2", "_r3"] {
        let requests = |job, seconds: u64| {
            let name = format!("m_4_8_chat_128_128{again}_{job}");
            results.requests(&name, seconds);
            fs::write(
                results.path().join(name).join("measurement.txt"),
                format!("requests={seconds}\n"),
            )
            .unwrap();
        };
        requests(1, 60);
        requests(2, 5);
        requests(3, 60);
    }
    results.job(2, r#""fingerprint": "print-3""#);
    let arguments = ["--against", "1", "--job", "2,3", "--gate", "throughput 5%"];
    let table = said(&[&[results.path().as_str()], &arguments[..]].concat(), 0);
    let words =
        "not compared, of this run: 1 point of job 2, since job 3 measured the same later\n";
    assert!(table.replace("\n    ", " ").contains(words), "{table}");
}
