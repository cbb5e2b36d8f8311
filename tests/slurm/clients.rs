//! The tools that measure, in releases of different options and results: each runs a
//! small sweep with all that it can be asked for, and what it left is read. The tools
//! are the real ones.

use std::fs;
use std::path::Path;

use nim_slurm::ScriptKind::Launch;
use nim_slurm::recipe::{Client, ClientOptions, ClientTool, Goodput};
use nim_slurm::results::{Metric, Point, Run, Statistic, Tool};
use serde_json::Value;

use crate::lab::{Lab, Site, recipe};

/// A point's requests, and those of its warm-up, one for each in flight. Of so many prompts, GenAI-Perf 25.01 alone makes
/// some twice.
const REQUESTS: u32 = 500;
const WARM_UP: u32 = 8;
const INPUT_TOKENS: u32 = 128;

/// What a client measured.
struct Measured {
    point: Point,
    /// The tool's table, as it lies in the point's folder.
    table: String,
    /// The server's log.
    server: String,
    /// What the tool sent, as it says itself, without blanks.
    inputs: String,
}

/// Measures one point with a client. Its files lie in the point's folder, whatever
/// folder the tool made.
#[track_caller]
fn measure(name: &str, tool: ClientTool, image: &str, keys: impl FnOnce(&mut Client)) -> Measured {
    let lab = Lab::enter();
    let mut recipe = recipe()
        .with_use_cases([format!("chat:{INPUT_TOKENS}/16").parse().unwrap()])
        .with_concurrency([WARM_UP]);
    recipe.sweep.min_requests = REQUESTS;
    // Its signs of life are requests, too.
    recipe.server.probe_interval = 600;
    recipe.client.tool = tool;
    recipe.client.image = format!("nvcr.io/nvidia/{image}").parse().unwrap();
    recipe.client.file = None;
    keys(&mut recipe.client);
    let mut site = Site::ready(&lab, name, recipe);
    // No proxy is asked for the server, by no tool: perf_analyzer reads no_proxy in a way of its own.
    for name in ["http_proxy", "ALL_PROXY"] {
        site.set(name, "http://127.0.0.1:9");
    }
    let ended = site.job(&lab, Launch);
    let client = site.log("benchmarking", &ended.id);
    assert_eq!(ended.code, 0, "{}\n{client}", ended.output);

    let run = Run::read(camino::Utf8Path::from_path(&site.results()).unwrap()).unwrap();
    // On a busy machine, the client may not keep its requests in flight.
    let mut problems = run.problems().iter().map(ToString::to_string);
    let other = problems.find(|problem| !problem.ends_with("the client did not keep up"));
    assert_eq!(other, None);
    let [point] = run.points() else {
        panic!("one point was measured: {:?}", run.points());
    };
    // What it was asked before the sweep is what the tool asks.
    let server = site.log("server", &ended.id);
    assert!(!server.contains("another request body"), "{server}");

    let folder = site.results().join(&site.points()[0]);
    let folders: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| name.contains("concurrency"))
        .collect();
    assert!(folders.is_empty(), "{folders:?}");
    assert_own_prompts(&folder, point.tool());
    let table = match point.tool() {
        Tool::GenAiPerf => "profile_export_genai_perf.csv",
        _ => "profile_export_aiperf.csv",
    };
    Measured {
        point: point.clone(),
        table: fs::read_to_string(folder.join(table)).unwrap(),
        server,
        inputs: fs::read_to_string(folder.join("inputs.json"))
            .unwrap()
            .split_whitespace()
            .collect(),
    }
}

/// No prompt that was sent is another one or its beginning.
#[track_caller]
fn assert_own_prompts(folder: &Path, tool: Tool) {
    let read = |name: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap()
    };
    let content = |payload: &Value| -> String {
        let content = &payload["messages"][0]["content"];
        content.as_str().unwrap().to_owned()
    };
    let mut prompts: Vec<String> = if tool == Tool::GenAiPerf {
        let export = read("profile_export.json");
        let requests = export["experiments"][0]["requests"].as_array().unwrap();
        let payload = |request: &Value| {
            let text = request["request_inputs"]["payload"].as_str().unwrap();
            content(&serde_json::from_str(text).unwrap())
        };
        requests.iter().map(payload).collect()
    } else {
        let inputs = read("inputs.json");
        let sessions = inputs["data"].as_array().unwrap();
        let payload = |session: &Value| content(&session["payloads"][0]);
        sessions.iter().map(payload).collect()
    };
    assert_eq!(prompts.len(), REQUESTS as usize);
    prompts.sort_unstable();
    for pair in prompts.windows(2) {
        assert!(!pair[1].starts_with(&pair[0]), "{pair:?}");
    }
}

fn genai_perf(name: &str, release: &str, keys: impl FnOnce(&mut Client)) -> Measured {
    let tool = ClientTool::GenaiPerf(release.parse().unwrap());
    let image = format!("tritonserver:{release}-py3-sdk");
    let measured = measure(name, tool, &image, keys);
    assert_eq!(measured.point.tool(), Tool::GenAiPerf);
    measured
}

/// Limits that every request keeps.
fn with_goodput(client: &mut Client) {
    let mut goodput = Goodput::default();
    goodput.time_to_first_token = Some("5000".parse().unwrap());
    goodput.inter_token_latency = Some("999.5".parse().unwrap());
    goodput.request_latency = Some("60000".parse().unwrap());
    client.goodput = Some(goodput);
}

/// Each of these words, and fields of requests in both forms.
fn with_options(client: &mut Client, words: &[&str]) {
    let json = r#"{"stop": ["x: 4"], "presence_penalty": -0.5}"#;
    let fields = ["--extra-inputs", "temperature:0", "--extra-inputs", json];
    let words = fields.iter().chain(words).copied();
    client.options = ClientOptions::parse_all(words).unwrap();
}

impl Measured {
    #[track_caller]
    fn value(&self, metric: Metric) -> f64 {
        let value = self.point.value(metric, Statistic::Avg);
        value.unwrap_or_else(|| panic!("no {metric} in {}", self.table))
    }

    /// The values that each release gives, in the units of the crate.
    #[track_caller]
    fn assert_sound(&self) {
        // The lab's tokenizer knows the sonnets alone, and newer releases take other plays.
        let tokens = self.value(Metric::InputSequenceLength);
        let asked = f64::from(INPUT_TOKENS);
        assert!((tokens - asked).abs() <= 0.02 * asked, "{tokens} tokens");
        let tokens = self.value(Metric::OutputSequenceLength);
        assert!((12.8..=19.2).contains(&tokens), "{tokens} tokens, not 16");
        // The server takes 20 ms to the first token and 2 ms to each other one.
        let first = self.value(Metric::TimeToFirstToken);
        assert!((15.0..2000.0).contains(&first), "{first} ms");
        let between = self.value(Metric::InterTokenLatency);
        assert!((0.5..200.0).contains(&between), "{between} ms");
        assert!(self.value(Metric::OutputTokenThroughput) > 0.0);
    }

    /// Every request kept the limits.
    #[track_caller]
    fn assert_goodput(&self) {
        let (good, all) = (
            self.value(Metric::RequestGoodput),
            self.value(Metric::RequestThroughput),
        );
        assert!(
            (good - all).abs() < 0.02 * all,
            "{good} of {all} requests/s"
        );
    }

    /// Own fields were in each of the tool's requests, and in the first one, which was the launch's own. No other
    /// one was of another shape.
    #[track_caller]
    fn assert_options(&self) {
        let mut lines = self.server.lines();
        let first = lines.find(|line| line.contains("first request body"));
        let first = first.unwrap_or_else(|| panic!("no request in {}", self.server));
        let first: String = first.split_whitespace().collect();
        for field in [
            r#""temperature":0"#,
            r#""stop":["x:4"]"#,
            r#""presence_penalty":-0.5"#,
        ] {
            assert!(first.contains(field), "no {field} in {first}");
            let count = self.inputs.matches(field).count();
            let requests = self.inputs.matches("\"messages\":").count();
            assert!(
                count == requests && count > 0,
                "{count} of {requests} have {field}"
            );
        }
    }

    /// The server got the point's requests, those of the warm-up, and the launch's own one.
    #[track_caller]
    fn assert_served(&self) {
        let served = format!("SIGTERM served {{'req': {},", REQUESTS + WARM_UP + 1);
        assert!(
            self.server.contains(&served),
            "no {served} in {}",
            self.server
        );
    }

    #[track_caller]
    fn assert_rows(&self, present: &[&str], absent: &[&str]) {
        let has = |row: &&&str| self.table.lines().any(|line| line.starts_with(**row));
        let missing: Vec<_> = present.iter().filter(|row| !has(row)).collect();
        let surplus: Vec<_> = absent.iter().filter(|row| has(row)).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "without {missing:?}, with {surplus:?}: {}",
            self.table
        );
    }
}

/// Its tables do not count requests, and it knows no counts of its own.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn genai_perf_24_11_measures() {
    let measured = genai_perf("genai_perf_24_11", "24.11", |client| {
        client.tokenizer_trust_remote_code = true;
        with_goodput(client);
        with_options(client, &["--verbose"]);
    });
    measured.assert_sound();
    measured.assert_goodput();
    measured.assert_served();
    measured.assert_options();
    measured.assert_rows(
        &["Output Sequence Length,", "Request Goodput (per sec),"],
        &["Request Count", "Time To Second Token"],
    );
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn genai_perf_25_01_measures() {
    let measured = genai_perf("genai_perf_25_01", "25.01", |client| {
        client.tokenizer_trust_remote_code = true;
        with_goodput(client);
        with_options(client, &["--verbose", "--header", "X-Run:nightly"]);
    });
    measured.assert_sound();
    measured.assert_goodput();
    measured.assert_served();
    measured.assert_options();
    measured.assert_rows(
        &[
            "Output Sequence Length (tokens),",
            "Request Count (count),500.00",
        ],
        &["Output Token Throughput Per User"],
    );
}

/// It takes no kind of service, and writes into a folder of its own.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn genai_perf_25_08_measures() {
    let measured = genai_perf("genai_perf_25_08", "25.08", |client| {
        client.tokenizer_trust_remote_code = true;
        with_goodput(client);
        with_options(client, &["--verbose", "--header", "X-Run:nightly"]);
    });
    measured.assert_sound();
    measured.assert_goodput();
    measured.assert_served();
    measured.assert_options();
    measured.assert_rows(
        &[
            "Metric,avg,min,max,p99,p95,p90,p75,p50,p25,p10,p5,p1",
            "Output Token Throughput Per User (tokens/sec/user),",
            "Request Count (count),500.00",
        ],
        &["Output Token Throughput (per sec)"],
    );
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn aiperf_measures() {
    let tool = ClientTool::Aiperf("0.13.0".parse().unwrap());
    let measured = measure("aiperf", tool, "aiperf:0.13.0", |client| {
        client.tokenizer_trust_remote_code = true;
        with_goodput(client);
        with_options(
            client,
            &[
                "--log-level",
                "INFO",
                "--header",
                "X-Run:nightly",
                "--request-timeout-seconds=300",
                "--workers-max",
                "2",
            ],
        );
    });
    assert_eq!(measured.point.tool(), Tool::AiPerf);
    measured.assert_sound();
    measured.assert_goodput();
    measured.assert_served();
    measured.assert_options();
    measured.assert_rows(&["Time to First Token (ms),", "Request Count,500"], &[]);
}
