//! The example `report` as its users and their programs see it.

use std::fs;
use std::process::{Command, Output};

use camino::{Utf8Path, Utf8PathBuf};
use nim_slurm::results::Run;
use nim_slurm::{Report, results};
use serde_json::Value;
use snapbox::{assert_data_eq, str};

mod common;

const REAL: &str = "tests/data/genai-perf";

fn report(arguments: &[&str]) -> Output {
    Command::new(common::example("report"))
        .args(arguments)
        .output()
        .unwrap()
}

#[track_caller]
fn stdout(arguments: &[&str]) -> String {
    let output = report(arguments);
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{words}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn refused(arguments: &[&str], words: &str) {
    let output = report(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty());
    assert!(said.contains(words), "no {words:?} in: {said}");
}

/// A results folder: the real results of three releases, as points of two jobs.
struct Results(tempfile::TempDir);

impl Results {
    fn new() -> Self {
        let results = Self(tempfile::tempdir().unwrap());
        for (version, name) in [
            (
                "0.0.8",
                "llama-3-70b-instruct_4_1_summarization_128_512_4711",
            ),
            ("0.0.10", "llama-3-70b-instruct_4_25_chat_128_128_4711"),
            ("0.0.16", "llama-3-70b-instruct_4_1_chat_128_128_4711"),
            ("0.0.16", "llama-3-70b-instruct_4_1_chat_128_128_4712"),
        ] {
            copy(
                &Utf8Path::new(REAL).join(version),
                &results.path().join(name),
            );
        }
        results
    }

    fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.0.path()).unwrap()
    }
}

fn copy(from: &Utf8Path, to: &Utf8Path) {
    fs::create_dir_all(to).unwrap();
    for entry in from.read_dir_utf8().unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

#[test]
fn table() {
    let results = Results::new();
    let folder = results.path().as_str();
    let text = stdout(&[folder, "--job", "4711", "--ttft", "25", "--at", "p95"]);
    assert!(text.lines().all(|line| line.chars().count() <= 100));
    assert_data_eq!(
        text,
        str![[r"
chat 128/128
        concur-   TTFT   ITL  latency  tokens/s  tokens/s  tokens/s  requests
  GPUs    rency     ms    ms       ms                /GPU     /user        /s   job
*    4        1  23.02  2.01    276.2     464.2     116.1     500.0      3.63  4711
x    4       25  34.18  2.09    290.1    7142.5    1785.6     496.2     55.80  4711

summarization 128/512
no point keeps the limits
        concur-   TTFT    ITL  latency  tokens/s  tokens/s  tokens/s  requests
  GPUs    rency     ms     ms       ms                /GPU     /user        /s   job
x    4        1  26.06  11.50   5902.0     86.75     21.69     86.95      0.17  4711

TTFT, ITL and latency: p95; limits: TTFT at most 25 ms
* highest throughput within the limits   x above a limit   ? not measured

"]]
    );
}

#[test]
fn a_table_fits_whatever_the_numbers_are() {
    let results = tempfile::tempdir().unwrap();
    let name = "model-with-a-long-name_1024_100000_a-use-case-with-quite-a-long-name-of-its-own_1000000_1000000_123456789-1234";
    let folder = results.path().join(name);
    fs::create_dir(&folder).unwrap();
    let mut json = String::from("{");
    for metric in nim_slurm::results::Metric::ALL {
        json.push_str(&format!(
            "\"{metric}\": {{\"unit\": \"ms\", \"avg\": 9e300}},"
        ));
    }
    json.push_str("\"x\": 1}");
    fs::write(folder.join("profile_export_genai_perf.json"), json).unwrap();
    let text = stdout(&[results.path().to_str().unwrap()]);
    assert!(text.contains("9.00e300"), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn table_of_changes() {
    let results = Results::new();
    let folder = results.path().as_str();
    let text = stdout(&[folder, "--job", "4712", "--against", "4711"]);
    assert_data_eq!(
        text,
        str![[r"
chat 128/128
        concur-   TTFT   ITL  latency  tokens/s  tokens/s  tokens/s  requests
  GPUs    rency     ms    ms       ms                /GPU     /user        /s   job
*    4        1  21.47  2.00    275.5     464.2     116.1     500.0      3.63  4712

TTFT, ITL and latency: avg
* highest throughput

changes against the earlier run
  GPUs  concurrency   TTFT    ITL  latency  tokens/s  requests/s          jobs
chat 128/128
     4            1  0.0 %  0.0 %    0.0 %     0.0 %       0.0 %  4711 -> 4712
only in the earlier run: chat 128/128, concurrency 25
only in the earlier run: summarization 128/512, concurrency 1

"]]
    );
}

#[test]
fn json_has_the_promised_shape() {
    let results = Results::new();
    copy(
        &Utf8Path::new(REAL).join("aiperf-0.13.0-server-died"),
        &results.path().join("by-hand"),
    );
    let folder = results.path();
    let text = stdout(&[
        folder.as_str(),
        "--format",
        "json",
        "--itl",
        "5",
        "--against",
        "4712",
    ]);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["schema"], 1);
    let points = json["points"].as_array().unwrap();
    assert_eq!(points.len(), 5);
    let point = &points[2];
    assert_eq!(point["use_case"], "chat");
    assert_eq!(point["input_sequence_length"], 128);
    assert_eq!(point["output_sequence_length"], 128);
    assert_eq!(point["concurrency"], 25);
    assert_eq!(point["gpus"], 4);
    assert_eq!(point["job_id"], "4711");
    assert_eq!(point["verdict"], "within");
    assert_eq!(
        point["path"],
        folder
            .join("llama-3-70b-instruct_4_25_chat_128_128_4711")
            .as_str()
    );
    let metrics = &point["metrics"];
    assert_eq!(metrics["time_to_first_token"]["unit"], "ms");
    assert_eq!(metrics["time_to_first_token"]["p99"], 35.112_839_95);
    assert_eq!(metrics["output_token_throughput"]["unit"], "tokens/s");
    assert_eq!(metrics["request_count"]["avg"], 250.0);
    assert_eq!(metrics["request_count"].as_object().unwrap().len(), 2);
    // Nothing but its own files says what it is.
    let unnamed = &points[4];
    assert_eq!(unnamed["use_case"], Value::Null);
    assert_eq!(unnamed["job_id"], Value::Null);
    assert_eq!(unnamed["concurrency"], 25);
    assert_eq!(unnamed["tool"], "aiperf");
    assert_eq!(unnamed["metrics"]["error_request_count"]["avg"], 200.0);
    assert_eq!(unnamed["metrics"]["inter_token_latency"]["unit"], "ms");
    let problems = json["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0]["line"], Value::Null);
    assert!(
        problems[0]["file"]
            .as_str()
            .unwrap()
            .ends_with("profile_export_aiperf.json")
    );
    assert!(
        problems[0]["message"]
            .as_str()
            .unwrap()
            .starts_with("counts 200 requests")
    );
    let chat = &json["use_cases"][0];
    assert_eq!(chat["highest_throughput_within_limits"], point["path"]);
    assert_eq!(json["against"]["changes"].as_array().unwrap().len(), 1);
    assert_eq!(json["limits"]["inter_token_latency"], 5.0);
}

#[test]
fn csv_has_a_row_for_each_point() {
    let results = Results::new();
    let text = stdout(&[results.path().as_str(), "--format", "csv"]);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let head = reader.headers().unwrap().clone();
    let place = |name: &str| head.iter().position(|column| column == name).unwrap();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 4);
    assert_eq!(&rows[2][place("concurrency")], "25");
    assert_eq!(
        &rows[2][place("time_to_first_token_avg_ms")],
        "25.126203288"
    );
    assert_eq!(
        &rows[2][place("output_token_throughput_avg_tokens_per_s")],
        "7142.461534985975"
    );
    // What this release did not measure is empty, not 0.
    assert_eq!(
        &rows[2][place("output_token_throughput_per_user_avg_tokens_per_s_per_user")],
        ""
    );
}

#[test]
fn page_needs_nothing_else_and_trusts_nobody() {
    let results = Results::new();
    let hostile = results
        .path()
        .join("m_4_1_<script>alert(1)<-script>_128_128_1");
    copy(&Utf8Path::new(REAL).join("0.0.16"), &hostile);
    let text = stdout(&[results.path().as_str(), "--format", "html", "--ttft", "25"]);
    for foreign in ["<script", "http:", "https:", "src=", "@import", "url("] {
        assert!(!text.contains(foreign), "{foreign}");
    }
    assert!(text.contains("&#60;script&#62;alert(1)"));
    assert!(text.contains("prefers-color-scheme: dark"));
    // Four charts; two use cases, one of them with a job for each shape.
    assert_eq!(text.matches("<figure>").count(), 4);
    assert_eq!(text.matches("<polyline").count(), 16);
    assert!(text.contains("chat 128/128, job 4711, concurrency 25\nTTFT, ms: 25.13\n"));
    assert!(text.contains("limit 25 ms"));
    balanced(&text);
}

/// Each element that is opened is closed, in order.
fn balanced(page: &str) {
    let mut open = Vec::new();
    for tag in page.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("a tag ends");
        let name = tag.split([' ', '\n']).next().unwrap();
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{tag}");
        } else if !tag.ends_with('/') && !matches!(name, "!DOCTYPE" | "meta" | "br") {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn files_are_kept() {
    let results = Results::new();
    let out = results.path().join("report.json");
    fs::write(&out, "mine").unwrap();
    let arguments = [
        results.path().as_str(),
        "--format",
        "json",
        "--out",
        out.as_str(),
    ];
    let first = report(&arguments);
    assert_eq!(first.status.code(), Some(0));
    assert!(first.stdout.is_empty());
    assert_eq!(fs::read_to_string(format!("{out}.bak-1")).unwrap(), "mine");
    let text = fs::read_to_string(&out).unwrap();
    assert_eq!(text, stdout(&arguments[..3]));
    report(&arguments);
    assert!(!Utf8PathBuf::from(format!("{out}.bak-2")).exists());
}

#[test]
fn a_device_is_never_replaced() {
    let output = report(&[REAL, "--out", "/dev/full"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("/dev/full: what is there is no regular file"),
        "{said}"
    );
}

#[test]
fn nothing_there_is_no_failure() {
    let empty = tempfile::tempdir().unwrap();
    let folder = empty.path().to_str().unwrap();
    for format in ["table", "csv", "json", "html"] {
        let output = report(&[folder, "--format", format]);
        assert_eq!(output.status.code(), Some(0));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&format!(
            "no results of GenAI-Perf or AIPerf are in {folder}"
        )));
    }
}

#[test]
fn bad_input_is_refused() {
    let folder = "tests/data/genai-perf";
    refused(
        &["/no/such/folder"],
        "cannot read the results folder /no/such/folder: No such file",
    );
    refused(
        &[folder, "--job", "x"],
        "unexpected character 'x' in job id \"x\": a whole number is allowed",
    );
    refused(
        &[folder, "--ttft", "-1"],
        "a number of milliseconds above 0 is allowed",
    );
    refused(
        &[folder, "--itl", "NaN"],
        "a number of milliseconds above 0 is allowed",
    );
    refused(
        &[folder, "--at", "p50000"],
        "[possible values: avg, p50, p90, p95, p99]",
    );
    refused(
        &[folder, "--against", "4711"],
        "--against 4711: tests/data/genai-perf has no results of that job",
    );
    refused(
        &[folder, "--against", "/no/such"],
        "cannot read the results folder /no/such",
    );
}

#[test]
fn a_library_can_do_the_same() {
    let run = Run::read(REAL).unwrap();
    let limits = results::Limits::new(results::Statistic::Avg);
    let report = Report::new(&run).with_limits(limits);
    assert_eq!(report.to_json(), stdout(&[REAL, "--format", "json"]));
}
