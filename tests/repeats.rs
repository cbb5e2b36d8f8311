//! Points that were measured several times, as the report tells them, and as two results are compared.

use std::fs;

use camino::Utf8Path;
use nim_slurm::Report;
use nim_slurm::results::{Limits, Metric, PointName, Run, Statistic, Verdict};
use serde_json::Value;
use snapbox::{assert_data_eq, str};

/// A results folder.
struct Results(tempfile::TempDir);

impl Results {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.0.path()).unwrap()
    }

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
p98 of 250 requests: the most that can be claimed, with a confidence of 0.99
several runs: means, the interval of each with a confidence of 0.95 (Student's t),
  and the spread (standard deviation over mean), which is unstable above 5 %
prefix cache: not checked
~ not the tool's own: 1000 over the mean ITL or, without one, tokens/s over the concurrency

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

    let csv = Report::new(&run).to_csv();
    let repeats: Vec<_> = csv
        .lines()
        .map(|line| line.split(',').nth(7).unwrap())
        .collect();
    assert_eq!(repeats, ["repeat", "1", "1", "2", "3"]);

    let page = Report::new(&run).to_html();
    for words in [
        "<td>1000.0 ±24.84</td>",
        "unstable: 3 runs, spread up to 10.0 %",
        "tokens/s: 1000.0 ±24.84",
    ] {
        assert!(page.contains(words), "no {words:?} in {page}");
    }
    // One line a sweep in each of four charts; one of its two points has a bar.
    assert_eq!(page.matches("<polyline").count(), 4);
    assert_eq!(page.matches("<path class=\"line\"").count(), 4);
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
