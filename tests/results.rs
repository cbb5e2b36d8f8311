//! What is read from result files: real ones of five tools, the layouts that the
//! other releases write, and damage of every kind.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use nim_slurm::results::{Comparison, Limits, Metric, Point, Run, Statistic, Tool, Unit, Verdict};
use proptest::prelude::*;

/// Results that real tools wrote, by version.
const REAL: &str = "tests/data/genai-perf";

const TABLE: &str = "profile_export_genai_perf.csv";
const JSON: &str = "profile_export_genai_perf.json";
const CHAT: &str = "llama-3-70b-instruct_4_25_chat_128_128_4711";

/// A results folder that is gone at the end of the test.
struct Results {
    folder: tempfile::TempDir,
}

impl Results {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.folder.path()).unwrap()
    }

    fn put(self, point: &str, file: &str, content: impl AsRef<[u8]>) -> Self {
        let folder = self.path().join(point);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(file), content).unwrap();
        self
    }

    fn read(&self) -> Run {
        Run::read(self.path()).unwrap()
    }

    /// Problems as text, without the folder's own name.
    fn problems(&self) -> Vec<String> {
        self.read()
            .problems()
            .iter()
            .map(|problem| {
                problem
                    .to_string()
                    .replace(&format!("{}/", self.path()), "")
            })
            .collect()
    }
}

fn real(version: &str, file: &str) -> Vec<u8> {
    fs::read(Utf8PathBuf::from(REAL).join(version).join(file)).unwrap()
}

#[track_caller]
fn only(run: &Run) -> &Point {
    assert_eq!(run.points().len(), 1, "{run:?}");
    &run.points()[0]
}

/// A table with two rows, as 24.07 to 24.12 write it.
fn table(time_to_first_token: &str, throughput: &str) -> String {
    format!(
        "Metric,avg,min,max,p99,p95,p90,p75,p50,p25\r\n\
         Time To First Token (ms),{time_to_first_token},1.00,2.00,3.00,4.00,5.00,6.00,7.00,8.00\r\n\
         Inter Token Latency (ms),11.50,1.00,2.00,3.00,4.00,5.00,6.00,7.00,8.00\r\n\
         \r\n\
         Metric,Value\r\n\
         Output Token Throughput (per sec),{throughput}\r\n"
    )
}

#[test]
fn real_results_of_every_tool() {
    use Metric::{
        InputSequenceLength, InterTokenLatency, OutputSequenceLength, OutputTokenThroughput,
        OutputTokenThroughputPerUser, RequestCount, RequestLatency, RequestThroughput,
        TimeToFirstToken, TimeToSecondToken,
    };
    let run = Run::read(REAL).unwrap();
    assert_eq!(run.points().len(), 6);
    let point = |version: &str| {
        run.points()
            .iter()
            .find(|point| point.path().as_str().contains(version))
            .unwrap()
    };
    for (version, metric, statistic, value) in [
        (
            "0.0.8",
            TimeToFirstToken,
            Statistic::Avg,
            24.498_745_555_555_555,
        ),
        (
            "0.0.8",
            RequestLatency,
            Statistic::P99,
            5_902.059_220_999_999_5,
        ),
        ("0.0.8", OutputSequenceLength, Statistic::Std, 0.0),
        (
            "0.0.8",
            OutputTokenThroughput,
            Statistic::Avg,
            86.752_095_270_741_98,
        ),
        ("0.0.2", TimeToFirstToken, Statistic::Avg, 21.107_513),
        ("0.0.2", OutputSequenceLength, Statistic::P99, 16.0),
        ("0.0.2", OutputTokenThroughput, Statistic::Avg, 621.5),
        ("0.0.10", TimeToSecondToken, Statistic::Avg, 1.942_280_344),
        ("0.0.10", RequestCount, Statistic::Avg, 250.0),
        (
            "0.0.10",
            OutputTokenThroughput,
            Statistic::Avg,
            7_142.461_534_985_975,
        ),
        ("0.0.10", InputSequenceLength, Statistic::Max, 130.0),
        ("0.0.16", RequestCount, Statistic::Avg, 10.0),
        (
            "aiperf-0.13.0/",
            InterTokenLatency,
            Statistic::Avg,
            2.002_478_067_716_535,
        ),
        (
            "aiperf-0.13.0/",
            InterTokenLatency,
            Statistic::Sum,
            20.024_780_677_165_35,
        ),
        (
            "aiperf-0.13.0/",
            OutputTokenThroughputPerUser,
            Statistic::P1,
            498.700_043_171_601_86,
        ),
        (
            "aiperf-0.13.0-server-died",
            RequestThroughput,
            Statistic::Avg,
            38.291_154_312_195_48,
        ),
    ] {
        let version_of = |point: &&Point| format!("{}/", point.path()).contains(version);
        let point = run.points().iter().find(version_of).unwrap();
        let read = point.value(metric, statistic).unwrap();
        assert!(
            (read - value).abs() < 1e-6,
            "{version} {metric} {statistic}: {read}"
        );
    }
    // The folder and its configuration say what was asked for.
    assert_eq!(point("0.0.10").concurrency(), Some(25));
    assert_eq!(point("0.0.16").input_tokens(), Some(128));
    assert_eq!(point("0.0.8").output_tokens(), Some(512));
    assert_eq!(point("server-died").concurrency(), Some(25));
    assert_eq!(point("0.0.10").use_case(), None);
    assert_eq!(point("0.0.10").tool(), Tool::GenAiPerf);
    assert_eq!(point("server-died").tool(), Tool::AiPerf);
    // What AIPerf calls a success.
    let problems: Vec<_> = run.problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "tests/data/genai-perf/aiperf-0.13.0-server-died/profile_export_aiperf.json: counts 200 requests that ended \
             in an error: its numbers are of the others"
        ]
    );
}

#[test]
fn tables_alone_say_what_the_json_says() {
    for (version, name) in [
        ("0.0.8", "llama-3-70b-instruct_4_1_chat_128_512_4711"),
        ("0.0.10", CHAT),
    ] {
        let both = Results::new().put(name, TABLE, real(version, TABLE)).put(
            name,
            JSON,
            real(version, JSON),
        );
        let tables = Results::new().put(name, TABLE, real(version, TABLE));
        let json = Results::new().put(name, JSON, real(version, JSON));
        assert_eq!(json.problems(), [""; 0]);
        assert_eq!(tables.problems(), [""; 0]);
        let (both, json, tables) = (both.read(), json.read(), tables.read());
        let same = |a: &Point, b: &Point| a.metrics().eq(b.metrics());
        assert!(same(only(&both), only(&json)), "{version}");
        for (metric, statistics) in only(&tables).metrics() {
            for (statistic, value) in statistics.iter() {
                let exact = only(&json).value(metric, statistic).unwrap();
                assert!(
                    (value - exact).abs() <= 0.0051,
                    "{version} {metric} {statistic}"
                );
            }
        }
        let rows = only(&tables).metrics().count();
        assert_eq!(rows, if version == "0.0.8" { 7 } else { 9 });
    }
}

#[test]
fn nanoseconds_of_24_05() {
    let text = "Metric,avg,min,max,p99,p95,p90,p75,p50,p25\r\n\
        Time To First Token (ns),24498745,23812490,26537338,26440908,26055191,25573045,24385900,24171462,24062991\r\n\
        Inter Token Latency (ns),-1,-1,-1,-1,-1,-1,-1,-1,-1\r\n\
        Request Latency (ns),5901481081,1,2,3,4,5,6,7,8\r\n\
        Num Output Token,512,512,512,512,512,512,512,512,512\r\n\
        \r\n\
        Metric,Value\r\n\
        Output Token Throughput (per sec),86.75\r\n\
        Request Throughput (per sec),0.17\r\n";
    let results = Results::new().put(CHAT, TABLE, text);
    assert_eq!(results.problems(), [""; 0]);
    let run = results.read();
    let point = only(&run);
    let value = |metric| point.value(metric, Statistic::Avg);
    assert_eq!(value(Metric::TimeToFirstToken), Some(24_498_745.0 * 1e-6));
    assert_eq!(value(Metric::RequestLatency), Some(5_901_481_081.0 * 1e-6));
    assert_eq!(value(Metric::InterTokenLatency), None);
    assert_eq!(value(Metric::OutputSequenceLength), Some(512.0));
    assert_eq!(Metric::TimeToFirstToken.unit(), Unit::Milliseconds);
}

/// The percentiles of 24.05 are of gaps between pieces, not of requests, and nothing tells its table from that of 24.06.
#[test]
fn of_the_inter_token_latency_of_24_05_only_the_mean_is_read() {
    let with = |label: &str| {
        let text = format!(
            "Metric,avg,min,max,p99,p95,p90,p75,p50,p25\r\n\
            Time To First Token (ns),24498745,1,2,3,4,5,6,7,8\r\n\
            Inter Token Latency (ns),2012643,3386,3319467,3128007,2370852,2320549,2275436,2202372,2101756\r\n\
            Num {label},512,512,512,512,512,512,512,512,512\r\n\
            \r\n\
            Metric,Value\r\n\
            Output Token Throughput (per sec),86.75\r\n"
        );
        Results::new().put(CHAT, TABLE, text)
    };
    for (label, metric) in [
        ("Output Token", Metric::OutputSequenceLength),
        ("Input Token", Metric::InputSequenceLength),
    ] {
        let run = with(label).read();
        let point = only(&run);
        assert_eq!(point.value(metric, Statistic::P50), Some(512.0), "{label}");
        let (_, itl) = point
            .metrics()
            .find(|(metric, _)| *metric == Metric::InterTokenLatency)
            .unwrap();
        assert!(
            itl.iter().eq([(Statistic::Avg, 2_012_643.0 * 1e-6)]),
            "{itl:?}"
        );
        let first = point.value(Metric::TimeToFirstToken, Statistic::P25);
        assert_eq!(first, Some(8.0 * 1e-6));
    }
}

#[test]
fn what_is_not_there_is_absent() {
    let results = Results::new().put(CHAT, TABLE, table("N/A", "\"1,234.50\""));
    assert_eq!(results.problems(), [""; 0]);
    let run = results.read();
    assert_eq!(
        only(&run).value(Metric::TimeToFirstToken, Statistic::Avg),
        None
    );
    assert_eq!(
        only(&run).value(Metric::TimeToFirstToken, Statistic::Min),
        Some(1.0)
    );
    assert_eq!(only(&run).throughput(), Some(1234.5));
    assert_eq!(only(&run).metric(Metric::RequestCount), None);
}

#[test]
fn telemetry_is_kept_by_gpu() {
    let text = table("20.00", "86.75")
        + "\r\nMetric,GPU,avg,min,max,p99,p95,p90,p75,p50,p25\r\n\
           GPU Power Usage (W),gpu0,\"1,312.50\",1.00,2.00,3.00,4.00,5.00,6.00,7.00,8.00\r\n\
           GPU Power Usage (W),gpu1,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A\r\n\
           \r\nMetric,GPU,Value\r\nGPU Power Limit (W),gpu0,700.00\r\n";
    let results = Results::new().put(CHAT, TABLE, text);
    assert_eq!(results.problems(), [""; 0]);
    let run = results.read();
    let telemetry = only(&run).gpu_metrics();
    let shown: Vec<_> = telemetry
        .iter()
        .map(|row| {
            (
                row.name.as_str(),
                row.gpu.as_str(),
                row.unit.as_str(),
                row.statistics.avg(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("gpu_power_usage", "gpu0", "W", Some(1312.5)),
            ("gpu_power_limit", "gpu0", "W", Some(700.0)),
        ]
    );
    // Its rows are no metrics of the point.
    assert_eq!(only(&run).metrics().count(), 3);

    let json = r#"{"telemetry_stats": {"gpu_power_usage": {"unit": "W", "gpu0": {"avg": 312.5}, "gpu1": {"avg": 300, "p1": NaN}}},
        "request_count": {"unit": "count", "avg": 10.0}}"#;
    let results = Results::new().put(CHAT, JSON, json);
    assert_eq!(
        results.problems(),
        [format!(
            "{CHAT}/{JSON}:1: p1 of gpu_power_usage of gpu1 is \"NaN\", which is no finite number"
        )]
    );
    assert_eq!(only(&results.read()).gpu_metrics().len(), 2);

    let aiperf = "Metric,avg,min\nTime to First Token (ms),20.00,19.00\n\nMetric,Value\nRequest Count,10.00\n\n\n\
        Endpoint,GPU_Index,GPU_Name,GPU_UUID,Platform,Metric,avg,min,std\n\
        http://localhost:9400,0,NVIDIA H100,GPU-1,dcgm,GPU Power Usage (W),312.50,,1.25\n\
        http://other:9400,0,NVIDIA H100,GPU-2,dcgm,GPU Power Usage (W),300.00,,1.25\n";
    let results = Results::new().put(CHAT, "profile_export_aiperf.csv", aiperf);
    assert_eq!(results.problems(), [""; 0]);
    let run = results.read();
    assert_eq!(only(&run).gpu_metrics()[0].gpu, "gpu0");
    let endpoints: Vec<_> = only(&run)
        .gpu_metrics()
        .iter()
        .map(|row| row.endpoint.as_str())
        .collect();
    assert_eq!(endpoints, ["http://localhost:9400", "http://other:9400"]);
    assert_eq!(
        only(&run).gpu_metrics()[0].statistics.get(Statistic::Std),
        Some(1.25)
    );
}

#[test]
fn folders_of_every_shape() {
    let nested = format!("{CHAT}/meta_llama3-70b-instruct-openai-chat-concurrency25");
    let results = Results::new()
        .put(&nested, TABLE, table("20.00", "1.00"))
        .put("by-hand", "mine_genai_perf.csv", table("21.00", "2.00"))
        .put(
            "by-hand",
            "mine_genai_perf.json",
            r#"{"input_config": {"concurrency": 7}}"#,
        )
        .put(
            "job_1/llama_4_1_chat_128_128_12-3",
            TABLE,
            table("22.00", "3.00"),
        )
        // Not finished, so no points.
        .put(
            "failed_4711/llama_4_1_chat_128_128_4711",
            TABLE,
            table("1.00", "1.00"),
        )
        .put(
            "interrupted_4711/llama_4_1_chat_128_128_4711",
            TABLE,
            table("1.00", "1.00"),
        )
        .put(
            ".run_4711/llama_4_1_chat_128_128_4711",
            TABLE,
            table("1.00", "1.00"),
        )
        // Beside the results.
        .put("", "run_4711.json", "{}")
        .put(CHAT, "inputs.json", "not JSON at all");
    assert_eq!(results.problems(), [""; 0]);
    let run = results.read();
    let shown: Vec<_> = run
        .points()
        .iter()
        .map(|point| {
            (
                point.path().strip_prefix(results.path()).unwrap().as_str(),
                point.concurrency(),
                point.run().map(ToString::to_string),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (
                "job_1/llama_4_1_chat_128_128_12-3",
                Some(1),
                Some("12-3".to_owned())
            ),
            (CHAT, Some(25), Some("4711".to_owned())),
            ("by-hand", Some(7), None),
        ]
    );
    // A point's own folder can be read, by any path.
    let run = Run::read(results.path().join(CHAT).join(".")).unwrap();
    assert_eq!(only(&run).use_case(), Some("chat"));
    let jobs = ["4711".parse().unwrap()];
    let run = Run::read_jobs(results.path(), &jobs).unwrap();
    assert_eq!(only(&run).concurrency(), Some(25));
}

#[test]
fn damage_is_named_and_the_rest_is_read() {
    let good = table("20.00", "86.75");
    for (content, problem) in [
        (Vec::new(), "is empty"),
        (
            good.replace("20.00", "fast").into(),
            ":2: avg of Time To First Token (ms) is \"fast\", which is no number",
        ),
        (
            good.replace("20.00", "1,2").into(),
            ":2: the row \"Time To First Token (ms)\" has 11 cells, its table has 10",
        ),
        (
            good.replace("20.00", "\"1,2\"").into(),
            ":2: avg of Time To First Token (ms) is \"1,2\", which is no number",
        ),
        (
            good.replace("20.00", "nan").into(),
            ":2: avg of Time To First Token (ms) is \"nan\", which is no number",
        ),
        (
            good.replace("20.00", "-20.00").into(),
            ":2: avg of time_to_first_token is -20, which cannot be",
        ),
        (
            good.replace("Token (ms)", "Token (h)").into(),
            ":2: time_to_first_token is in \"h\": ns, us, ms or s is expected",
        ),
        (
            good.split("\r\n\r\n").next().unwrap().into(),
            "lacks its second table (Metric,Value): the file was cut off",
        ),
        (
            good.trim_end().trim_end_matches('5').into(),
            "ends in the middle of a line, which is left out",
        ),
        (
            b"<html><title>404</title>\n".to_vec(),
            ":1: is no table of GenAI-Perf or AIPerf: it begins with \"<html><title>404</title>\", where Metric,avg,... is \
             expected",
        ),
        (
            good.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "is not a text in UTF-8: it has zero bytes",
        ),
        (
            [good.as_bytes(), b"Caf\xe9 (ms),1.00\r\n"].concat(),
            ":7: is not a text in UTF-8",
        ),
    ] {
        let results = Results::new().put(CHAT, TABLE, &content).put(
            "llama_4_1_chat_128_128_4711",
            TABLE,
            &good,
        );
        let expected = format!("{CHAT}/{TABLE}{problem}");
        let expected = expected.replace(
            &format!("{TABLE}{problem}"),
            &if problem.starts_with(':') {
                format!("{TABLE}{problem}")
            } else {
                format!("{TABLE}: {problem}")
            },
        );
        assert!(
            results.problems().contains(&expected),
            "{expected}: {:?}",
            results.problems()
        );
        let run = results.read();
        let measured = if content.is_empty() || problem.contains("no table") || content.contains(&0)
        {
            1
        } else {
            2
        };
        assert_eq!(run.points().len(), measured, "{problem}");
        assert_eq!(run.points()[0].throughput(), Some(86.75));
    }
}

#[test]
fn json_that_is_cut_off_gives_what_it_has() {
    let whole = r#"{"time_to_first_token": {"unit": "ms", "avg": 20.5, "p99": null, "p50": "fast"},
  "request_throughput": {"unit": "requests/sec", "avg": 7},
  "inter_token_latency": {"unit": "ms", "avg": 3 4}"#;
    let results = Results::new().put(CHAT, JSON, whole);
    assert_eq!(
        results.problems(),
        [
            format!(
                "{CHAT}/{JSON}:1: p50 of time_to_first_token is \"fast\", which is no finite number"
            ),
            format!("{CHAT}/{JSON}:3: is no JSON from here on: expected `,` or `}}`"),
        ]
    );
    let run = results.read();
    let point = only(&run);
    assert_eq!(
        point.value(Metric::TimeToFirstToken, Statistic::Avg),
        Some(20.5)
    );
    assert_eq!(
        point.value(Metric::RequestThroughput, Statistic::Avg),
        Some(7.0)
    );
    // The table has what the JSON lacks.
    let run = results.put(CHAT, TABLE, table("1.00", "86.75")).read();
    assert_eq!(
        only(&run).value(Metric::InterTokenLatency, Statistic::Avg),
        Some(11.5)
    );
    assert_eq!(
        only(&run).value(Metric::TimeToFirstToken, Statistic::Avg),
        Some(20.5)
    );
}

#[test]
fn numbers_that_json_does_not_have_cost_no_other() {
    let text = r#"{"request_throughput": {"unit": "requests/sec", "avg": 7},
  "time_to_first_token": {"unit": "ms", "avg": 20.5, "std": NaN, "max": 1e400},
  "telemetry_stats": {"gpu_power_usage": {"unit": "W", "gpu0": {"avg": 1e400}}},
  "inter_token_latency": {"unit": "ms", "avg": 2, "p99": -Infinity, "p50": "\"NaN"},
  "request_latency": {"unit": "s", "avg": 1e308},
  "input_config": {"concurrency": 4, "note": NaN}
}"#;
    let results = Results::new().put("by-hand", JSON, format!("\u{feff}{text}"));
    let no_number = "which is no finite number";
    assert_eq!(
        results.problems(),
        [
            format!("by-hand/{JSON}:2: std of time_to_first_token is \"NaN\", {no_number}"),
            format!("by-hand/{JSON}:2: max of time_to_first_token is \"1e400\", {no_number}"),
            format!("by-hand/{JSON}:3: telemetry_stats cannot be read: number out of range"),
            format!("by-hand/{JSON}:4: p99 of inter_token_latency is \"-Infinity\", {no_number}"),
            format!("by-hand/{JSON}:4: p50 of inter_token_latency is \"\\\\\\\"NaN\", {no_number}"),
            format!("by-hand/{JSON}:5: avg of request_latency is inf, which cannot be"),
        ]
    );
    let run = results.read();
    let point = only(&run);
    for (metric, value) in [
        (Metric::RequestThroughput, 7.0),
        (Metric::TimeToFirstToken, 20.5),
        (Metric::InterTokenLatency, 2.0),
    ] {
        assert_eq!(point.value(metric, Statistic::Avg), Some(value));
    }
    assert_eq!(point.concurrency(), Some(4));
}

#[test]
fn a_date_is_no_point() {
    let name = "results_2025_01_15_12_30_45";
    let run = Results::new()
        .put(name, TABLE, table("1.00", "2.00"))
        .read();
    assert_eq!((only(&run).gpus(), only(&run).run()), (None, None));
}

#[test]
fn in_a_sweep_what_the_tool_was_asked_counts_more_than_the_name_around_it() {
    let config = |concurrency: u32| {
        format!(
            r#"{{"request_throughput": {{"unit": "requests/sec", "avg": 1}}, "input_config": {{"concurrency": {concurrency}}}}}"#
        )
    };
    let results = Results::new()
        .put(
            &format!("{CHAT}/model-openai-chat-concurrency1"),
            JSON,
            config(1),
        )
        .put(
            &format!("{CHAT}/model-openai-chat-concurrency50"),
            TABLE,
            table("1.00", "1.00"),
        )
        .put("llama_4_2_chat_128_128_1", JSON, config(3));
    assert_eq!(
        results.problems(),
        [
            format!(
                "{CHAT}/model-openai-chat-concurrency1/{JSON}: the tool's folder says concurrency 1, the folder's name 25: \
                 1 is taken"
            ),
            format!(
                "{CHAT}/model-openai-chat-concurrency50/{TABLE}: the tool's folder says concurrency 50, the folder's name 25: \
                 50 is taken"
            ),
        ]
    );
    let run = results.read();
    let shown: Vec<_> = run
        .points()
        .iter()
        .map(|point| (point.path().file_name().unwrap(), point.concurrency()))
        .collect();
    assert_eq!(
        shown,
        [
            ("llama_4_2_chat_128_128_1", Some(2)),
            ("model-openai-chat-concurrency1", Some(1)),
            ("model-openai-chat-concurrency50", Some(50)),
        ]
    );
}

#[test]
fn folders_of_the_tool_tell_the_load() {
    let run = Results::new()
        .put("m-openai-chat-concurrency8", TABLE, table("1.00", "1.00"))
        // With a concurrency as its ceiling, and without.
        .put(
            "m-openai-chat-concurrency9-request_rate2.0",
            TABLE,
            table("1.00", "1.00"),
        )
        .put(
            "m-openai-chat-request_rate0.25",
            TABLE,
            table("1.00", "1.00"),
        )
        .put("m-concurrencyX", TABLE, table("1.00", "1.00"))
        .put("m-concurrency9-request_rateX", TABLE, table("1.00", "1.00"))
        .read();
    let points = run.points().iter();
    let shown: Vec<_> = points
        .map(|point| point.load().map(|load| load.to_string()))
        .collect();
    let loads = [None, None, Some("8"), Some("rate0.25"), Some("rate2")];
    assert_eq!(shown, loads.map(|load| load.map(str::to_owned)));
}

/// The folder and the configuration of AIPerf say the same.
#[test]
fn a_rate_below_a_ceiling_is_no_disagreement() {
    let file = "profile_export_aiperf.json";
    let config = r#"{"request_throughput": {"unit": "requests/sec", "avg": 1},
        "input_config": {"loadgen": {"concurrency": 25, "request_rate": 5.0}}}"#;
    let results = Results::new().put("m-openai-chat-concurrency25-request_rate5.0", file, config);
    assert_eq!(results.problems(), [""; 0]);
    assert_eq!(only(&results.read()).request_rate(), Some(5.0));
}

/// With a warm-up, AIPerf writes a table for each phase as well.
#[test]
fn phases_of_aiperf_are_parts_of_its_run() {
    let aiperf = |file| real("aiperf-0.13.0", file);
    let (csv, json) = ("profile_export_aiperf.csv", "profile_export_aiperf.json");
    let warm_up = format!("{CHAT}/phases/warmup");
    let profiling = format!("{CHAT}/phases/profiling");
    let results = Results::new()
        .put(CHAT, csv, aiperf(csv))
        .put(CHAT, json, aiperf(json))
        .put(CHAT, "phase_manifest.json", r#"{"phases": []}"#)
        .put(&warm_up, csv, aiperf(csv))
        .put(&profiling, csv, aiperf(csv))
        // A user's own folder of this name is one like any other.
        .put("phases", TABLE, table("1.00", "1.00"));
    assert_eq!(results.problems(), [""; 0]);
    let run = results.read();
    let folders: Vec<_> = run
        .points()
        .iter()
        .map(|point| point.path().file_name().unwrap())
        .collect();
    assert_eq!(folders, [CHAT, "phases"]);
}

#[test]
fn files_with_any_name_are_found() {
    let aiperf = |file| real("aiperf-0.13.0", file);
    let requests = "tests/data/requests/aiperf-1/profile_export.jsonl";
    let requests = fs::read_to_string(requests).unwrap();
    let requests: String = requests.split_inclusive('\n').take(10).collect();
    let results = Results::new()
        .put("prefixed", "foo.csv", aiperf("profile_export_aiperf.csv"))
        .put("prefixed", "foo.json", aiperf("profile_export_aiperf.json"))
        .put("prefixed", "foo.jsonl", requests)
        .put("prefixed", "foo_timeslices.json", r#"{"timeslices": []}"#)
        .put("prefixed", "inputs.json", r#"{"data": [{"payloads": []}]}"#)
        .put("renamed", "c25.csv", real("0.0.8", TABLE))
        .put("renamed", "c26.json", real("0.0.10", JSON))
        .put("elsewhere", "config.json", r#"{"hidden_size": 8192}"#)
        .put("elsewhere", "power.csv", "time,watt\n1,2\n")
        // Beside a file with the tool's name, none is looked for.
        .put("both", "copy.csv", table("1.00", "1.00"))
        .put("both", TABLE, table("1.00", "1.00"));
    assert_eq!(results.problems(), [""; 0]);
    let run = results.read();
    let shown: Vec<_> = run
        .points()
        .iter()
        .map(|point| {
            let folder = point.path().file_name().unwrap();
            (folder, point.tool(), point.concurrency())
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("both", Tool::GenAiPerf, None),
            ("renamed", Tool::GenAiPerf, None),
            ("prefixed", Tool::AiPerf, Some(1)),
            ("renamed", Tool::GenAiPerf, Some(25)),
        ]
    );
    let count = run.points()[2].metric(Metric::RequestLatency).unwrap();
    assert_eq!(count.get(Statistic::Count), Some(10.0));
    assert_eq!(count.get(Statistic::P50), Some(276.183_418_499_999_96));
    assert_eq!(run.points()[2].requests().unwrap().as_slice().len(), 10);
}

/// Several servers measured a point together: the folder's name is that of each.
#[test]
fn servers_that_measured_a_point_together_are_told_apart() {
    let both = |job: u32, factor: f64| {
        let time = |server: f64| format!("{:.2}", factor * (10.0 + server));
        (0..12).fold(Results::new(), |results, server| {
            let folder = format!("llama_4_25_chat_128_128_{job}/server-{server}");
            results.put(&folder, TABLE, table(&time(f64::from(server)), "100.00"))
        })
    };
    let results = both(1, 1.0).put("llama_4_1_chat_128_128_1", TABLE, table("9.00", "10.00"));
    assert_eq!(results.problems(), [""; 0]);
    let before = results.read();
    let replicas: Vec<_> = before.points().iter().map(Point::replica).collect();
    assert_eq!(replicas[0], None);
    assert!(replicas[1..].iter().copied().eq((0..12).map(Some)));
    for point in &before.points()[1..] {
        assert_eq!((point.gpus(), point.concurrency()), (Some(4), Some(25)));
        let own = format!("server-{}", point.replica().unwrap());
        assert_eq!(point.path().file_name(), Some(own.as_str()));
    }
    // Each is compared with its own past.
    let after = both(2, 1.5).read();
    let comparison = Comparison::new(&before, &after);
    assert_eq!(comparison.changes().len(), 12);
    for change in comparison.changes() {
        assert_eq!(change.before().replica(), change.after().replica());
        let relative = change.relative(Metric::TimeToFirstToken, Statistic::Avg);
        assert!((relative.unwrap() - 0.5).abs() < 0.01, "{relative:?}");
    }
    // One part alone, and folders of other names: no server is made up.
    let lone = Results::new()
        .put(
            "llama_4_1_chat_128_128_1/server-3",
            TABLE,
            table("1.00", "1.00"),
        )
        .put(
            "llama_4_2_chat_128_128_1/artifacts",
            TABLE,
            table("1.00", "1.00"),
        )
        .put("server-5", TABLE, table("1.00", "1.00"))
        .read();
    let replicas: Vec<_> = lone.points().iter().map(Point::replica).collect();
    assert_eq!(replicas, [Some(3), None, None]);
}

#[test]
fn a_file_without_a_metric_is_no_point() {
    let good = table("20.00", "86.75");
    let results = Results::new()
        .put(CHAT, TABLE, &good)
        // A second run into the same folder, and a later job.
        .put(CHAT, "again_genai_perf.csv", "")
        .put("llama_4_25_chat_128_128_4712", TABLE, "")
        .put("other", TABLE, "Metric,avg\n\nMetric,Value\n")
        .put("other", "x_genai_perf.json", "{}")
        .put(
            "",
            "analyze_export_genai_perf.csv",
            "Config Name,Concurrency,ISL\nrun_config_0,1,201\n",
        );
    assert_eq!(
        results.problems(),
        [
            format!("{CHAT}/again_genai_perf.csv: is empty"),
            format!("llama_4_25_chat_128_128_4712/{TABLE}: is empty"),
            format!(
                "other/{TABLE}: has no row in its second table (Metric,Value): the file was cut off"
            ),
            "other/x_genai_perf.json: has no metric in it".to_owned(),
        ]
    );
    assert_eq!(only(&results.read()).throughput(), Some(86.75));
}

#[test]
fn jobs_of_an_array_and_all_others() {
    let results = ["9", "9-1", "9-3", "10"].into_iter().fold(
        Results::new().put("by-hand", TABLE, table("1.00", "1.00")),
        |results, job| {
            results.put(
                &format!("m_4_1_chat_128_128_{job}"),
                TABLE,
                table("1.00", "1.00"),
            )
        },
    );
    let runs = |run: &Run| -> Vec<_> {
        run.points()
            .iter()
            .map(|point| point.run().map(ToString::to_string).unwrap_or_default())
            .collect()
    };
    for (job, own, others) in [
        ("9", &["9", "9-1", "9-3"][..], &["10", ""][..]),
        ("9_3", &["9-3"], &["9", "9-1", "10", ""]),
    ] {
        let jobs = [job.parse().unwrap()];
        assert_eq!(runs(&Run::read_jobs(results.path(), &jobs).unwrap()), own);
        let rest = Run::read_other_jobs(results.path(), &jobs).unwrap();
        assert_eq!(runs(&rest), others);
    }
}

#[test]
fn a_point_without_results_is_named() {
    let results = Results::new().put(CHAT, "inputs.json", "{}");
    assert_eq!(
        results.problems(),
        [format!(
            "{CHAT}: has a point's name, but no result of GenAI-Perf or AIPerf is in it"
        )]
    );
    let missing = Run::read("/no/such/folder").unwrap_err();
    assert_eq!(
        missing.to_string(),
        "cannot read the results folder /no/such/folder"
    );
    let empty = Run::read("").unwrap_err();
    assert_eq!(empty.to_string(), "cannot read the results folder \"\"");
    assert_eq!(empty.kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn hostile_folders_harm_nothing() {
    let results = Results::new()
        .put(CHAT, TABLE, table("20.00", "86.75"))
        .put("x_4_1_chat_1_1_1", TABLE, [0xff_u8; 4096])
        .put("x_4_1_chat_1_1_2", JSON, "[".repeat(100_000))
        .put("x_4_1_chat_1_1_3", JSON, "{\"a\":".repeat(100_000))
        .put(
            "x_4_1_chat_1_1_4",
            TABLE,
            "Metric,avg\n<script>alert(1)</script> (ms),1.00\n\nMetric,Value\n",
        )
        .put("a/b/c/d/e/f/g/h", TABLE, table("1.00", "1.00"));
    let place = |name: &str| {
        let folder = results.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    };
    symlink("..", place("x_4_1_chat_1_1_5").join("loop")).unwrap();
    symlink("/", results.path().join("x_4_1_chat_1_1_6")).unwrap();
    symlink("nowhere", place("x_4_1_chat_1_1_7").join(TABLE)).unwrap();
    let fifo = place("x_4_1_chat_1_1_8").join(TABLE);
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let huge = fs::File::create(place("x_4_1_chat_1_1_9").join(TABLE)).unwrap();
    huge.set_len(1 << 40).unwrap();
    symlink("/dev/zero", place("x_4_1_chat_1_1_10").join(TABLE)).unwrap();
    let mut many = "Metric,avg\n".to_owned();
    many.push_str(&"Time To First Token (ms),x\n".repeat(1000));
    let results = results.put("x_4_1_chat_1_1_11", TABLE, many);

    let mut others = "Metric,avg\nTime To First Token (ms),1.00\n\nMetric,Value\n".to_owned();
    for number in 0..100_000 {
        others.push_str(&format!("x{number},1.00\n"));
    }
    let results = results.put("x_4_1_chat_1_1_12", TABLE, others);

    let problems = results.problems().join("\n");
    for words in [
        "x_4_1_chat_1_1_12/profile_export_genai_perf.csv:1005: has more than 1000 metrics",
        "x_4_1_chat_1_1_1/profile_export_genai_perf.csv",
        "x_4_1_chat_1_1_2/profile_export_genai_perf.json:1: is no result of GenAI-Perf or AIPerf: invalid type: sequence",
        "x_4_1_chat_1_1_3/profile_export_genai_perf.json:1: is no JSON from here on: EOF while parsing a value",
        "x_4_1_chat_1_1_5/loop: is a link to another folder, which is not followed",
        "x_4_1_chat_1_1_6: is a link to another folder, which is not followed",
        "x_4_1_chat_1_1_7/profile_export_genai_perf.csv: is a link, which is not followed",
        "x_4_1_chat_1_1_8/profile_export_genai_perf.csv: is not a regular file",
        "x_4_1_chat_1_1_9/profile_export_genai_perf.csv: has 1099511627776 bytes",
        "x_4_1_chat_1_1_10/profile_export_genai_perf.csv: is a link, which is not followed",
        "x_4_1_chat_1_1_11/profile_export_genai_perf.csv: has 991 more problems of this kind",
        "a/b/c/d/e/f/g: lies more than 6 folders deep",
    ] {
        assert!(problems.contains(words), "{words}: {problems}");
    }
    let run = results.read();
    let known: Vec<_> = run.points().iter().filter_map(Point::throughput).collect();
    assert_eq!(known, [86.75]);
}

#[test]
fn names_that_are_not_utf_8_are_named() {
    use std::os::unix::ffi::OsStrExt;

    let results = Results::new().put(CHAT, TABLE, table("20.00", "86.75"));
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9_4_1_chat_1_1_1");
    fs::create_dir(results.folder.path().join(name)).unwrap();
    assert_eq!(results.read().points().len(), 1);
    assert!(
        results.problems()[0].contains("has an entry whose name is not UTF-8: \"caf\u{fffd}_4_1")
    );
}

/// Three points of chat: slower and more at once, from left to right.
fn sweep(job: u32, factor: f64) -> Results {
    [(1, 10.0, 100.0), (25, 20.0, 1500.0), (100, 60.0, 3000.0)]
        .into_iter()
        .fold(
            Results::new(),
            |results, (concurrency, latency, throughput)| {
                let name = format!("llama_4_{concurrency}_chat_128_128_{job}");
                let text = table(
                    &format!("{:.2}", latency * factor),
                    &format!("{throughput:.2}"),
                );
                results.put(
                    &name,
                    TABLE,
                    text.replace("11.50", &format!("{latency:.2}")),
                )
            },
        )
}

#[test]
fn verdicts_and_best_points() {
    let results = sweep(4711, 2.0).put(
        "llama_4_50_chat_128_128_4711",
        TABLE,
        // Beaten by the point of concurrency 25 in both.
        table("30.00", "1400.00").replace("11.50", "21.00"),
    );
    let run = results.read();
    let groups = run.groups();
    let [group] = &groups[..] else { panic!() };
    assert_eq!(group.to_string(), "chat 128/128");
    let concurrency = |point: Option<&Point>| point.and_then(Point::concurrency);
    let front: Vec<_> = group
        .pareto_front()
        .iter()
        .filter_map(|point| point.concurrency())
        .collect();
    assert_eq!(front, [1, 25, 100]);
    assert_eq!(concurrency(group.best_throughput()), Some(100));

    let limits = Limits::new(Statistic::Avg).time_to_first_token(40.0);
    assert_eq!(
        concurrency(group.best_within(&limits)),
        Some(25),
        "the limit itself is kept"
    );
    let limits = limits.inter_token_latency(19.0);
    assert_eq!(concurrency(group.best_within(&limits)), Some(1));
    assert_eq!(
        limits.verdict(group.points()[1]),
        Verdict::Exceeded {
            metric: Metric::InterTokenLatency,
            value: 20.0,
            limit: 19.0
        }
    );
    let limits = Limits::new(Statistic::P10).time_to_first_token(40.0);
    let metric = Metric::TimeToFirstToken;
    assert_eq!(
        limits.verdict(group.points()[0]),
        Verdict::Unknown { metric }
    );
    assert_eq!(concurrency(group.best_within(&limits)), None);

    let point = group.points()[1];
    assert_eq!(point.throughput_per_gpu(), Some(375.0));
    assert_eq!(point.throughput_per_user(), Some(50.0));
}

#[test]
fn runs_are_compared_point_by_point() {
    let before = sweep(1, 1.0).put("llama_4_7_chat_128_128_1", TABLE, table("1.00", "1.00"));
    let after = sweep(2, 1.5).put("llama_8_25_chat_128_128_2", TABLE, table("1.00", "1.00"));
    let (before, after) = (before.read(), after.read());
    let comparison = Comparison::new(&before, &after);
    let changes: Vec<_> = comparison
        .changes()
        .iter()
        .map(|change| change.relative(Metric::TimeToFirstToken, Statistic::Avg))
        .collect();
    assert_eq!(changes, [Some(0.5); 3]);
    assert_eq!(
        comparison.changes()[0].relative(Metric::RequestCount, Statistic::Avg),
        None
    );
    assert_eq!(comparison.only_before()[0].concurrency(), Some(7));
    assert_eq!(comparison.only_after()[0].gpus(), Some(8));
    // The later of two jobs counts.
    let twice = sweep(9, 3.0);
    let twice = (1..=3).fold(twice, |results, _| {
        results.put("llama_4_1_chat_128_128_10", TABLE, table("40.00", "1.00"))
    });
    let twice = twice.read();
    let comparison = Comparison::new(&before, &twice);
    assert_eq!(
        comparison.changes()[0].relative(Metric::TimeToFirstToken, Statistic::Avg),
        Some(3.0)
    );
}

#[test]
fn what_is_compared_with_none_is_named() {
    let before = sweep(1, 1.0).put("by-hand", TABLE, table("1.00", "1.00"));
    let after = sweep(2, 1.0).read();
    let before = before.read();
    let comparison = Comparison::new(&before, &after);
    assert_eq!(comparison.changes().len(), 3);
    assert!(comparison.only_before().is_empty() && comparison.only_after().is_empty());
    let [alone] = comparison.not_compared() else {
        panic!("{:?}", comparison.not_compared())
    };
    assert!(alone.is_before());
    assert_eq!(alone.point().path().file_name(), Some("by-hand"));
    assert_eq!(
        alone.unknown(),
        ["use case", "input length", "output length", "GPUs", "load"]
    );
    // Of a point of the later run alone, a gate says as little as of any that is new.
    let gate = nim_slurm::results::Gate::parse("ttft 5%").unwrap();
    let count =
        |comparison: &Comparison| gate.judge(comparison, Statistic::Avg).not_compared().len();
    assert_eq!(count(&comparison), 1);
    assert_eq!(count(&Comparison::new(&after, &before)), 0);
}

#[test]
fn models_are_not_mixed() {
    let results = Results::new()
        .put(
            "llama-8b_4_1_chat_128_128_1",
            TABLE,
            table("10.00", "100.00"),
        )
        .put(
            "llama-70b_4_1_chat_128_128_1",
            TABLE,
            table("40.00", "20.00"),
        );
    let both = results.read();
    let names: Vec<_> = both.groups().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["llama-70b, chat 128/128", "llama-8b, chat 128/128"]);
    let only_8b = Results::new()
        .put(
            "llama-8b_4_1_chat_128_128_2",
            TABLE,
            table("20.00", "100.00"),
        )
        .read();
    let comparison = Comparison::new(&both, &only_8b);
    assert_eq!(comparison.changes().len(), 1);
    let change = comparison.changes()[0].relative(Metric::TimeToFirstToken, Statistic::Avg);
    assert_eq!(change, Some(1.0));
    assert_eq!(comparison.only_before()[0].model(), Some("llama-70b"));
}

/// Each value that is read from a part of a file is in the whole file, too.
fn assert_part_of(part: &Point, whole: &Point) {
    for (metric, statistics) in part.metrics() {
        for (statistic, value) in statistics.iter() {
            assert_eq!(
                whole.value(metric, statistic),
                Some(value),
                "{metric} {statistic}"
            );
        }
    }
}

#[test]
fn a_file_that_is_cut_anywhere_gives_no_wrong_number() {
    for (version, file) in [("0.0.8", TABLE), ("0.0.10", TABLE), ("0.0.10", JSON)] {
        let bytes = real(version, file);
        let whole = Results::new().put(CHAT, file, &bytes).read();
        for length in 0..bytes.len() {
            let results = Results::new().put(CHAT, file, &bytes[..length]);
            let run = results.read();
            let part = run.points().first();
            if let Some(part) = part {
                assert_part_of(part, only(&whole));
            }
            // Behind a whole row of the last table, nothing tells that more was to come.
            assert!(
                part.and_then(Point::throughput).is_some() || !run.problems().is_empty(),
                "{file} cut at {length}"
            );
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..600),
        start in 0..3_usize,
    ) {
        let head = ["", "Metric,avg,p99\nTime To First Token (ms),", "{\"request_latency\": {\"unit\": \"ms\", \"avg\": "];
        bytes.splice(0..0, head[start].bytes());
        let results = Results::new().put(CHAT, TABLE, &bytes).put(CHAT, JSON, &bytes);
        let run = results.read();
        prop_assert!(run.points().len() == 1 || !run.problems().is_empty());
        let report = nim_slurm::Report::new(&run);
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
        prop_assert_eq!(json["points"].as_array().unwrap().len(), run.points().len());
        let _ = report.to_html();
        let _ = report.to_svg();
        let _ = report.to_table();
        let _ = report.to_csv();
    }
}

/// Two clusters count their jobs from 1, and their results may lie below one folder.
#[test]
fn jobs_of_one_number_keep_their_own_manifests() {
    let name = "llama_4_8_chat_128_128_7";
    let manifest = |gpu: &str, hits: u32| {
        format!(
            r#"{{"fingerprint": "{gpu}", "gpu_model": "{gpu}", "points": [{{"folder": "{name}", "status": "finished", "seconds": 9,
                "detail": "", "prefix_cache_queries": 2000, "prefix_cache_hits": {hits}}}]}}"#
        )
    };
    let results = Results::new()
        .put("a", "run_7.json", manifest("A", 0))
        .put("b", "run_7.json", manifest("B", 1900))
        .put(&format!("a/{name}"), JSON, real("0.0.10", JSON))
        .put(&format!("b/{name}"), TABLE, real("0.0.8", TABLE));
    let run = results.read();
    let told: Vec<_> = run
        .points()
        .iter()
        .map(|point| {
            let place = point.path().parent().unwrap().file_name().unwrap();
            let gpu = run.manifest_of(point).unwrap().gpu_model.clone().unwrap();
            (place, gpu, point.cached_share())
        })
        .collect();
    let expected = [
        ("a", "A".to_owned(), Some(0.0)),
        ("b", "B".to_owned(), Some(0.95)),
    ];
    assert_eq!(told, expected);
    assert_eq!(run.means().points().len(), 2, "another fingerprint");
}

/// Of a job that was requeued, the last run's manifest says how it ended, and earlier ones what they measured.
#[test]
fn a_requeued_job_has_what_its_earlier_runs_say() {
    let point = |load: u32| format!("llama_4_{load}_chat_128_128_7");
    let row = |load: u32, figures: [&str; 2]| {
        let [seconds, hits] = figures;
        format!(
            r#"{{"folder": "{}", "status": "finished", "detail": "", "seconds": {seconds},
                "prefix_cache_queries": {hits}, "prefix_cache_hits": {hits}}}"#,
            point(load)
        )
    };
    let run = |restart: u32, print: &str, rows: &[String]| {
        format!(
            r#"{{"restart": {restart}, "fingerprint": "{print}", "node": "node{restart}", "exit_code": {restart},
                "start": "2026-11-24T0{restart}:33:58+0000", "points": [{}]}}"#,
            rows.join(", ")
        )
    };
    let none = ["null", "null"];
    let results = Results::new()
        // Of an older job with the same number.
        .put(
            "",
            "run_7.json.earlier-1",
            run(5, "a", &[row(8, ["1", "9"])]),
        )
        .put(
            "",
            "run_7.json.earlier-9",
            run(0, "other", &[row(4, ["3", "0"])]),
        )
        .put(
            "",
            "run_7.json.earlier-10",
            run(1, "a", &[row(8, ["4", "0"])]),
        )
        .put("", "run_7.json.earlier-x", "no number")
        .put("", "run_7.json.earlier-11", "{")
        .put("", "run_7.json", run(2, "a", &[row(8, none), row(4, none)]))
        .put("", "run_70.json", run(0, "a", &[]))
        .put(&point(8), JSON, real("0.0.10", JSON))
        .put(&point(4), JSON, real("0.0.10", JSON));
    let read = results.read();
    let [job, other] = read.manifests() else {
        panic!("{read:?}");
    };
    assert_eq!(job.node.as_deref(), Some("node0,node1,node2"));
    assert_eq!(job.start.as_deref(), Some("2026-11-24T00:33:58+0000"));
    assert_eq!((job.exit_code, job.restart), (Some(2), Some(2)));
    assert_eq!(other.node.as_deref(), Some("node0"));
    let shares = read
        .points()
        .iter()
        .map(|point| (point.concurrency(), point.cached_share()));
    let expected = [(Some(4), None), (Some(8), Some(0.0))];
    assert_eq!(
        shares.collect::<Vec<_>>(),
        expected,
        "another fingerprint tells nothing"
    );
    let problems = results.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].starts_with("run_7.json.earlier-11: is no manifest of launch.sh"),
        "{problems:?}"
    );
}
