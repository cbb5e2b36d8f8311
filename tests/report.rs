//! `nim-slurm report` as its users and their programs see it.

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
    Command::new(common::PROGRAM)
        .arg("report")
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
    assert_eq!(output.stdout, b"");
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
        str![[r#"
chat 128/128
no point is known to keep the limits; of 1 point it cannot be told: too few requests (a p95 takes 90
  or more); measure with sweep.percentile = "p95"
        concur-     re-    TTFT    ITL  latency  tokens/s  tokens/s  tokens/s  requests
  GPUs    rency  quests      ms     ms       ms                /GPU     /user        /s   job
=    4        1      10  ^23.02  ^2.01   ^276.2     464.2     116.1     500.0      3.63  4711
x    4       25     250   34.18   2.09    290.1    7142.5    1785.6    ~496.2     55.80  4711
  do not rely on these, measured for less than 10 s: at concurrency 1 (2.8 s), 25 (4.5 s)

summarization 128/512
no point keeps the limits
        concur-     re-   TTFT    ITL  latency  tokens/s  tokens/s  tokens/s  requests
  GPUs    rency  quests     ms     ms       ms                /GPU     /user        /s   job
x    4        1       -  26.06  11.50   5902.0     86.75     21.69    ~86.95      0.17  4711

TTFT, ITL and latency: p95; limits: TTFT at most 25 ms
x above a limit   ? the latency is not in the results
= cannot tell: too few requests, or too near to a limit
^ of too few requests: to claim a p95 takes 90, with a confidence of 0.99
10 requests support percentiles up to p63, and 250 up to p98, with a confidence of 0.99
tokens/s: output tokens; /user: of one answer after its first token
~ computed here: 1000 / ITL or, where there is no ITL, tokens/s / concurrency

"#]]
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
        concur-     re-   TTFT   ITL  latency  tokens/s  tokens/s  tokens/s  requests
  GPUs    rency  quests     ms    ms       ms                /GPU     /user        /s   job
     4        1      10  21.47  2.00    275.5     464.2     116.1     500.0      3.63  4712
  do not rely on these, measured for less than 10 s: at concurrency 1 (2.8 s)

TTFT, ITL and latency: avg
tokens/s: output tokens; /user: of one answer after its first token

changes against the other run
  GPUs  concurrency   TTFT    ITL  latency  tokens/s  requests/s          jobs
chat 128/128
     4            1  0.0 %  0.0 %    0.0 %     0.0 %       0.0 %  4711 -> 4712
only in the other run: chat 128/128, 4 GPUs, concurrency 25
only in the other run: summarization 128/512, 4 GPUs, concurrency 1
do not rely on it: of the other run, 1 point measured for less than 10 s
do not rely on it: of this run, 1 point measured for less than 10 s

"]]
    );
}

/// Points in folders that somebody named by hand.
#[test]
fn what_is_compared_with_none_is_named() {
    let output = report(&[REAL, "--against", REAL, "--gate", "throughput 5%"]);
    assert_eq!(output.status.code(), Some(4));
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, changes) = text.split_once("changes against the other run\n").unwrap();
    assert_data_eq!(
        changes,
        str![[r"
no point is in both runs
not compared, of the other run: 5 points, since nothing tells use case and GPUs:
    meta_llama3-70b-instruct-openai-chat-concurrency1, aiperf-0.13.0, 0.0.10, and 2 more
not compared, of the other run: 1 point, since nothing tells use case, input length, output length,
    GPUs and load: 0.0.2
not compared, of this run: 5 points, since nothing tells use case and GPUs:
    meta_llama3-70b-instruct-openai-chat-concurrency1, aiperf-0.13.0, 0.0.10, and 2 more
not compared, of this run: 1 point, since nothing tells use case, input length, output length, GPUs
    and load: 0.0.2
a folder's name tells all of it: MODEL_GPUs_LOAD_USECASE_ISL_OSL_JOB, such as
    llama_4_25_chat_128_128_4711

gate: cannot tell (throughput 5%; 0 worse, 0 better, 0 equal, 0 cannot tell), and 6 points cannot be
    compared

"]]
    );
    let formats = ["html", "markdown", "junit", "csv", "json"].map(|format| {
        let gate = ["--gate", "throughput 5%"];
        let output = report(&[&[REAL, "--against", REAL, "--format", format], &gate[..]].concat());
        String::from_utf8(output.stdout).unwrap()
    });
    let [page, markdown, junit, csv, json] = formats;
    for text in [&page, &markdown] {
        assert!(text.contains("not compared, of this run: "), "{text}");
        assert!(text.contains("and 6 points cannot be compared"), "{text}");
    }
    assert!(page.contains("<p>no point is in both runs</p>"));
    assert!(junit.contains("tests=\"6\" failures=\"0\" errors=\"0\" skipped=\"6\""));
    assert_eq!(csv.lines().count(), 1 + 2 * 6);
    let json: Value = serde_json::from_str(&json).unwrap();
    let all = json["against"]["not_compared"].as_array().unwrap();
    assert_eq!((all.len(), &all[0]["is_before"]), (12, &Value::Bool(true)));
    let without_gate = [REAL, "--against", REAL, "--format", "markdown"];
    assert!(stdout(&without_gate).contains("\n\nno point is in both runs\n"));
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
    // What the earlier job measured is on the other side.
    assert_eq!(points.len(), 4);
    let point = &points[1];
    assert_eq!(point["use_case"], "chat");
    assert_eq!(point["input_sequence_length"], 128);
    assert_eq!(point["output_sequence_length"], 128);
    assert_eq!(point["concurrency"], 25);
    assert_eq!(point["gpus"], 4);
    assert_eq!(point["job_id"], "4711");
    assert_eq!(point["verdict"], "within");
    // Derived, since this release does not say it itself.
    assert_eq!(
        point["metrics"].get("output_token_throughput_per_user"),
        None
    );
    let per_user = point["output_token_throughput_per_user"].as_f64().unwrap();
    assert!((per_user - 496.157).abs() < 0.001, "{per_user}");
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
    let unnamed = &points[3];
    assert_eq!(unnamed["use_case"], Value::Null);
    assert_eq!(unnamed["job_id"], Value::Null);
    assert_eq!(unnamed["concurrency"], 25);
    assert_eq!(unnamed["tool"], "aiperf");
    assert_eq!(unnamed["metrics"]["error_request_count"]["avg"], 200.0);
    assert_eq!(unnamed["metrics"]["inter_token_latency"]["unit"], "ms");
    let problems = json["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1);
    // No line is to blame.
    assert_eq!(problems[0].get("line"), None);
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
    let aiperf = stdout(&["tests/data/genai-perf/aiperf-0.13.0", "--format", "csv"]);
    let (head, _) = aiperf.split_once('\n').unwrap();
    assert!(
        head.contains(",request_latency_sum_ms,request_latency_count,"),
        "{head}"
    );
    // What this release did not measure is empty, not 0.
    assert_eq!(
        &rows[2][place("output_token_throughput_per_user_avg_tokens_per_s_per_user")],
        ""
    );
}

/// A page says of each point in its row why it is not to be trusted, and names it under a heading of its own.
#[test]
fn a_page_tells_what_is_not_to_be_trusted_from_what_cannot_be_read() {
    let results = Results::new();
    copy(
        &Utf8Path::new(REAL).join("aiperf-0.13.0-server-died"),
        &results
            .path()
            .join("llama-3-70b-instruct_4_25_chat_128_128_4713"),
    );
    let page = || stdout(&[results.path().as_str(), "--format", "html"]);
    let caveat = "counts 200 requests that ended in an error: its numbers are of the others";
    let clean = page();
    let (_, trust) = clean.split_once("<h2>Not to be trusted</h2>").unwrap();
    assert!(trust.contains(caveat) && !trust.contains("<h2>"), "{trust}");
    assert!(
        clean.contains(&format!(
            "<tr class=\"pale notes\"><td class=\"word\" colspan=\"11\">{caveat}; too short: measured for 1.3 s</td></tr>"
        )),
        "{clean}"
    );
    let bad = results
        .path()
        .join("llama-3-70b-instruct_4_2_chat_128_128_4711");
    fs::create_dir(&bad).unwrap();
    fs::write(bad.join("profile_export_genai_perf.json"), "{").unwrap();
    let both = page();
    balanced(&both);
    let (_, trust) = both.split_once("<h2>Not to be trusted</h2>").unwrap();
    let (trust, other) = trust
        .split_once("<h2>What could not be read, or does not agree</h2>")
        .unwrap();
    assert!(trust.contains(caveat) && !other.contains(caveat), "{both}");
    assert!(other.contains("_4_2_chat_"), "{other}");
}

#[test]
fn a_word_too_much_is_refused_with_what_to_write() {
    let results = Results::new();
    let folder = results.path().as_str();
    let program = common::PROGRAM;
    refused(
        &[folder, "4711"],
        &format!("unexpected 4711 behind {folder}: to report that job alone, write --job 4711\n"),
    );
    refused(&[folder, "9_3", "--ttft", "5"], "write --job 9_3\n");
    refused(
        &[folder, "earlier"],
        "one folder is allowed, and all below it is read; to compare it with another, write --against earlier\n",
    );
    refused(
        &["4711"],
        &format!(
            "there is no folder 4711: to report that job, write {program} report RESULTS_DIR --job 4711\n"
        ),
    );
    // The logs of a stage path, beside its results.
    let stage = tempfile::tempdir().unwrap();
    let stage = Utf8Path::from_path(stage.path()).unwrap();
    copy(results.path(), &stage.join("results"));
    let elsewhere = Command::new(common::PROGRAM)
        .args(["report", "no/such/results"])
        .env("STAGE_PATH", stage)
        .output()
        .unwrap();
    let words = String::from_utf8(elsewhere.stderr).unwrap();
    let hint = format!("there is no folder no/such/results: perhaps {stage}/results is meant\n");
    assert!(words.contains(&hint), "{words}");
    let logs = stage.join("logs");
    fs::create_dir(&logs).unwrap();
    fs::write(logs.join("launch_4711.out"), "done\n").unwrap();
    let output = report(&[logs.as_str()]);
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(
        words.contains("has no results: neither it nor")
            && words.ends_with(&format!("; write {program} report {stage}/results\n")),
        "{words}"
    );
}

#[test]
fn a_point_alone_is_told_where_its_job_s_manifest_is() {
    let point = "tests/data/telemetry/llama_1_1_chat_128_128_4711";
    let output = report(&[point]);
    let program = common::PROGRAM;
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!(
            "note: {point} is one point: to have its job's manifest and telemetry too, write {program} report \
             tests/data/telemetry --job 4711\n"
        )
    );
    for others in ["tests/data/telemetry", "tests/data/requests/aiperf-1"] {
        assert_eq!(String::from_utf8_lossy(&report(&[others]).stderr), "");
    }
}

/// The cells of one column.
fn column(csv: &str, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let head = reader.headers().unwrap().clone();
    let place = head.iter().position(|column| column == name);
    let place = place.unwrap_or_else(|| panic!("no column {name}: {csv}"));
    let rows = reader.records().map(Result::unwrap);
    rows.map(|row| row[place].to_owned()).collect()
}

/// A run whose server died does not look clean, and a gate says the same as in JSON.
#[test]
fn csv_says_what_a_point_is_worth() {
    let results = Results::new();
    let died = "llama-3-70b-instruct_4_25_chat_128_128_4713";
    copy(
        &Utf8Path::new(REAL).join("aiperf-0.13.0-server-died"),
        &results.path().join(died),
    );
    let folder = results.path().as_str();
    let limits = [
        folder,
        "--format",
        "csv",
        "--job",
        "4711,4713",
        "--ttft",
        "25",
        "--at",
        "avg",
    ];
    let csv = stdout(&limits);
    let last = csv.lines().next().unwrap();
    assert!(
        last.ends_with(",verdict,is_best,is_too_short,caveat"),
        "{last}"
    );
    let paths = column(&csv, "path");
    let row = paths.iter().position(|path| path.ends_with(died)).unwrap();
    let caveats = column(&csv, "caveat");
    assert!(
        caveats[row].starts_with("counts 200 requests that ended in an error"),
        "{csv}"
    );
    assert_eq!(
        caveats.iter().filter(|caveat| !caveat.is_empty()).count(),
        1,
        "{csv}"
    );
    assert_eq!(column(&csv, "verdict")[row], "exceeded", "{csv}");
    assert_eq!(
        column(&csv, "is_best"),
        ["false", "false", "false", "true"],
        "{csv}"
    );
    // Without a file of requests, by their number and rate.
    assert_eq!(
        column(&csv, "is_too_short"),
        ["true", "true", "true", ""],
        "{csv}"
    );
    let without_limits = stdout(&[folder, "--format", "csv", "--job", "4711"]);
    assert_eq!(column(&without_limits, "verdict"), ["", "", ""]);
    assert_eq!(
        column(&without_limits, "is_best"),
        ["false", "false", "true"]
    );

    let against = [
        folder,
        "--format",
        "csv",
        "--job",
        "4713",
        "--against",
        "4711",
    ];
    let csv = stdout(&against);
    assert!(
        column(&csv, "caveat_after")[0].starts_with("counts 200 requests"),
        "{csv}"
    );
    assert_eq!(column(&csv, "caveat_before")[0], "", "{csv}");
    assert!(!csv.contains("gate"), "{csv}");

    let gate = [&against[..], &["--gate", "throughput 5%, ttft 10%"]].concat();
    let output = report(&gate);
    assert_eq!(output.status.code(), Some(4));
    let csv = String::from_utf8(output.stdout).unwrap();
    for name in [
        "output_token_throughput_avg_tokens_per_s_gate",
        "time_to_first_token_avg_ms_gate",
    ] {
        assert_eq!(column(&csv, name), ["cannot_tell", "", ""], "{csv}");
    }
    assert_eq!(column(&csv, "gate"), ["cannot_tell"; 3], "{csv}");
}

#[test]
fn a_point_that_is_too_short_is_so_in_csv() {
    let results = with_requests();
    let csv = stdout(&[results.path().as_str(), "--format", "csv"]);
    assert_eq!(column(&csv, "is_too_short"), ["true", "true"]);
}

#[test]
fn csv_of_changes() {
    let results = Results::new();
    copy(
        &Utf8Path::new(REAL).join("0.0.16"),
        &results
            .path()
            .join("llama-3-70b-instruct_8_1_chat_128_128_4713"),
    );
    let text = stdout(&[
        results.path().as_str(),
        "--format",
        "csv",
        "--job",
        "4712,4713",
        "--against",
        "4711",
    ]);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let head = reader.headers().unwrap().clone();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let shown: Vec<Vec<&str>> = rows
        .iter()
        .map(|row| {
            [
                "use_case",
                "concurrency",
                "gpus",
                "job_id_before",
                "job_id_after",
                "request_throughput_avg_requests_per_s_before",
                "request_throughput_avg_requests_per_s_after",
                "request_throughput_avg_requests_per_s_change",
            ]
            .map(|name| &row[head.iter().position(|column| column == name).unwrap()])
            .map(|cell| cell.get(..6).unwrap_or(cell))
            .to_vec()
        })
        .collect();
    assert_eq!(
        shown,
        [
            ["chat", "1", "4", "4711", "4712", "3.6268", "3.6268", "0"],
            ["chat", "25", "4", "4711", "", "55.800", "", ""],
            ["summar", "1", "4", "4711", "", "0.1694", "", ""],
            ["chat", "1", "8", "", "4713", "", "3.6268", ""],
        ]
    );
}

#[test]
fn a_job_is_compared_with_all_others() {
    let results = Results::new();
    let folder = results.path().as_str();
    let text = stdout(&[folder, "--against", "4712"]);
    assert!(text.contains("4712 -> 4711\n"), "{text}");
    assert!(
        text.contains("only in this run: chat 128/128, 4 GPUs, concurrency 25\n"),
        "{text}"
    );
    refused(
        &[folder, "--job", "4711", "--against", "4711"],
        "--against 4711: --job names the same job",
    );
    for name in ["4_25_chat", "4_1_chat", "4_1_summarization"] {
        let lengths = if name.ends_with("chat") {
            "128_128"
        } else {
            "128_512"
        };
        let point = format!("llama-3-70b-instruct_{name}_{lengths}_4711");
        fs::remove_dir_all(results.path().join(point)).unwrap();
    }
    refused(
        &[folder, "--against", "4712"],
        "has results of that job alone, and nothing to compare with them",
    );
}

/// What a job went on from is its own, too, and says who measured it.
#[test]
fn a_job_has_the_points_that_it_resumed() {
    let results = Results::new();
    let folder = results.path().as_str();
    let point = |name: &str| format!("llama-3-70b-instruct_{name}");
    let manifest = |job: u32, points: &[(&str, &str)]| {
        let rows = points.iter().map(|(name, status)| {
            let name = point(name);
            format!(r#"{{"folder": "{name}", "status": "{status}", "detail": ""}}"#)
        });
        let rows = rows.collect::<Vec<_>>().join(", ");
        let text = format!(
            r#"{{"recipe": "mine", "fingerprint": "a", "node": "node{job}", "exit_code": 0, "points": [{rows}]}}"#
        );
        fs::write(results.path().join(format!("run_{job}.json")), text).unwrap();
    };
    let one = ("4_1_chat_128_128_4711", "finished");
    manifest(4711, &[one]);
    // It measured nothing itself.
    let not_finished = ("4_1_summarization_128_512_4711", "not run");
    manifest(4713, &[one, not_finished]);
    let text = stdout(&[folder, "--job", "4713"]);
    assert!(text.contains("3.63  4711\n"), "{text}");
    assert!(!text.contains("summarization"), "{text}");
    assert!(
        text.contains("\njob 4711: mine, node node4711")
            && text.contains("\njob 4713: mine, measured none of these points\n"),
        "{text}"
    );
    let text = stdout(&[folder, "--job", "4713", "--against", "4712"]);
    assert!(text.contains("4712 -> 4711\n"), "{text}");
    // Nothing is compared with itself.
    let text = stdout(&[folder, "--against", "4713"]);
    assert!(text.contains("4711 -> 4712\n"), "{text}");
    let nothing = "measured nothing itself, so there is nothing to compare";
    refused(&[folder, "--job", "4713", "--against", "4711"], nothing);
    refused(&[folder, "--job", "4711", "--against", "4713"], nothing);
    // It measured one point, and went on from another.
    manifest(
        4712,
        &[
            ("4_1_chat_128_128_4712", "finished"),
            ("4_25_chat_128_128_4711", "finished"),
        ],
    );
    let text = stdout(&[folder, "--job", "4712"]);
    assert!(
        text.contains("  4712\n") && text.contains("  4711\n"),
        "{text}"
    );
    let text = stdout(&[folder, "--job", "4712", "--against", "4711"]);
    assert!(
        text.contains("4711 -> 4712\n") && !text.contains("4711 -> 4711"),
        "{text}"
    );
}

/// A point of which a JSON file says only this.
fn point_of(results: &Utf8Path, name: &str, metrics: &str) {
    let folder = results.join(name);
    fs::create_dir_all(&folder).unwrap();
    let text = format!("{{{metrics}}}");
    fs::write(folder.join("profile_export_genai_perf.json"), text).unwrap();
}

#[test]
fn points_without_a_name_are_told_apart() {
    let results = tempfile::tempdir().unwrap();
    let results = Utf8Path::from_path(results.path()).unwrap();
    let long = format!("long-name/{}/last", "x".repeat(120));
    for (name, concurrency) in [
        ("c1", 1),
        ("c25", 25),
        (long.as_str(), 4),
        ("sweep/m-concurrency1", 1),
        ("sweep/m-concurrency8", 8),
    ] {
        let text = format!(
            r#""output_token_throughput": {{"avg": 10}}, "time_to_first_token": {{"unit": "ms", "avg": 10}},
            "input_config": {{"concurrency": {concurrency}}}"#
        );
        point_of(results, name, &text);
    }
    let table = stdout(&[results.as_str()]);
    assert!(table.starts_with("unknown use case\n"), "{table}");
    for line in ["    c1\n", "    sweep/m-concurrency8\n", "xxx/last\n"] {
        assert!(table.contains(line), "no {line:?} in {table}");
    }
    assert!(table.lines().all(|line| line.chars().count() <= 100));
    let page = stdout(&[results.as_str(), "--format", "html"]);
    for name in [
        "unknown use case, cN<",
        "unknown use case, sweep/m-concurrencyN<",
        "x/last<",
    ] {
        assert!(page.contains(name), "no {name:?}");
    }
    assert_eq!(page.matches("<polyline").count(), 3 * 2);
    assert!(page.contains("<td class=\"word job\">sweep/m-concurrency8</td>"));
}

#[test]
fn small_and_huge_numbers_can_be_read() {
    let results = tempfile::tempdir().unwrap();
    let results = Utf8Path::from_path(results.path()).unwrap();
    for (name, latency, throughput) in [
        ("m_4_1_chat_1_1_1", "0.0033", "0.05"),
        ("m_4_2_chat_1_1_1", "1.7976931348623157e308", "1e308"),
        ("m_4_3_chat_1_1_1", "5e-324", "0.00002"),
        ("m_4_1_chat_1_1_2", "1e300", "0.05"),
    ] {
        let metric = |name, value| format!(r#""{name}": {{"unit": "ms", "avg": {value}}}"#);
        let text = [
            metric("time_to_first_token", latency),
            metric("inter_token_latency", latency),
            metric("output_token_throughput", throughput),
        ]
        .join(", ");
        point_of(results, name, &text);
    }
    let table = stdout(&[results.as_str(), "--job", "2", "--against", "1"]);
    let table = table + &stdout(&[results.as_str()]);
    for words in [" 0.0033 ", " 0.050", "2.0e-5", "3.0e302 times"] {
        assert!(table.contains(words), "no {words:?} in {table}");
    }
    let page = stdout(&[results.as_str(), "--format", "html", "--ttft", "1e300"]);
    for words in ["inf", "NaN"] {
        assert!(!table.contains(words), "{words} in {table}");
        let lines = page.lines().skip_while(|line| !line.contains("</style>"));
        let mut wrong = lines.filter(|line| line.contains(words) && !line.contains("Inference"));
        assert_eq!(wrong.next(), None);
    }
    assert!(page.contains(">limit 1e300 ms<"));
    assert!(!page.contains("0000000000"));
}

#[test]
fn page_has_no_control_characters() {
    let results = tempfile::tempdir().unwrap();
    let results = Utf8Path::from_path(results.path()).unwrap();
    for name in ["m_4_1_a\u{1}b_1_1_1", "un\u{8}named", "m_8_1_a\u{1}b_1_1_2"] {
        point_of(results, name, r#""request_throughput": {"avg": 1}"#);
    }
    // XML has all characters but these two.
    let throughput = r#""output_token_throughput": {"avg": 1}"#;
    point_of(results, "m\u{fffe}\u{ffff}_4_1_c_1_1_1", throughput);
    fs::write(results.join("run_2.json"), r#"{"node": "bell\u0007"}"#).unwrap();
    let arguments = [results.as_str(), "--format", "html", "--against", "1"];
    let page = stdout(&arguments);
    assert!(page.contains("a\\u{1}b") && page.contains("un\\u{8}named"));
    assert!(page.contains("node bell\\u{7}"));
    let control = |c: &char| c.is_control() && *c != '\n';
    assert_eq!(page.chars().find(control), None);
    for format in ["html", "svg"] {
        let page = stdout(&[results.as_str(), "--format", format]);
        assert!(page.contains("m\u{fffd}\u{fffd}"), "{page}");
        assert!(!page.contains(['\u{fffe}', '\u{ffff}']), "{page}");
    }
}

#[test]
fn jobs_are_named_by_their_manifests() {
    let results = Results::new();
    let folder = results.path();
    let manifest = |job: u32, exit_code: &str| {
        format!(
            r#"{{"schema": 1, "recipe": "llama3-70b-h100x4-fp8", "job_id": "{job}", "node": "gpu05", "gpus": 4,
            "gpu_model": "NVIDIA H100 80GB HBM3", "driver": "550.54.15", "images": {{
            "server": {{"file": "a.sqsh", "reference": "nvcr.io/nim/meta/llama3-70b-instruct:1.0.3", "bytes": 1, "digest": null}},
            "client": {{"file": "b.sqsh", "reference": "nvcr.io/nvidia/tritonserver:25.01-py3-sdk"}}}},
            "start": "2026-11-24T07:33:58+0000", "end": null, "in_flight_percent": 87, "exit_code": {exit_code}, "exit_reason": "a point failed",
            "points": []}}"#
        )
    };
    for (job, text) in [
        (4711, manifest(4711, "0")),
        (4712, manifest(4712, "5")),
        (4713, manifest(4713, "null")[..40].to_owned()),
        (10000, "{}".to_owned()),
    ] {
        fs::write(folder.join(format!("run_{job}.json")), text).unwrap();
    }
    let arguments = [folder.as_str(), "--job", "4711", "--against", "4712"];
    let table = stdout(&arguments);
    let (_, jobs) = table.split_once("\njob ").unwrap();
    let words = "\nprefix cache: not checked, since the server gave no reliable count of hits\n";
    assert!(table.contains(words), "{table}");
    let off = manifest(4711, "0").replacen('{', r#"{"prefix_cache": "off", "#, 1);
    fs::write(folder.join("run_4711.json"), off).unwrap();
    let told = stdout(&[folder.as_str(), "--job", "4711"]);
    let words = "\nprefix cache: \"off\" in the recipe, and not checked, since the server gave no reliable count of hits\n";
    assert!(told.contains(words), "{told}");
    assert_data_eq!(
        jobs,
        str![[r"
4712: llama3-70b-h100x4-fp8, node gpu05, 4 × NVIDIA H100 80GB HBM3, driver 550.54.15,
  started 2026-11-24T07:33:58+0000, server: nvcr.io/nim/meta/llama3-70b-instruct:1.0.3,
  client: nvcr.io/nvidia/tritonserver:25.01-py3-sdk,
  requests in flight for 87 % of the time from ready to the last result,
  ended with 5: a point failed
job 4711: llama3-70b-h100x4-fp8, node gpu05, 4 × NVIDIA H100 80GB HBM3, driver 550.54.15,
  started 2026-11-24T07:33:58+0000, server: nvcr.io/nim/meta/llama3-70b-instruct:1.0.3,
  client: nvcr.io/nvidia/tritonserver:25.01-py3-sdk,
  requests in flight for 87 % of the time from ready to the last result

"]]
    );
    let page = stdout(&[&arguments[..], &["--format", "html"]].concat());
    assert!(page.contains(">job 4712: llama3-70b-h100x4-fp8, node gpu05, 4 × NVIDIA H100"));
    balanced(&page);

    let output = report(&[folder.as_str(), "--format", "json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("run_4713.json: is no manifest of launch.sh: EOF while parsing"),
        "{said}"
    );
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let runs = json["runs"].as_array().unwrap();
    let ids: Vec<_> = runs.iter().map(|run| &run["job_id"]).collect();
    assert_eq!(ids, ["4711", "4712", "10000"]);
    assert_eq!(runs[0]["recipe"], "llama3-70b-h100x4-fp8");
    assert_eq!(runs[0]["images"]["server"]["file"], "a.sqsh");
    assert_eq!(runs[1]["exit_code"], 5);
    assert_eq!(runs[2]["node"], Value::Null);
}

/// Of servers that measured a point together, each has its own row everywhere.
#[test]
fn servers_side_by_side_have_rows_of_their_own() {
    let results = Results::new();
    let folder = results.path();
    for server in ["server-0", "server-1"] {
        let point = folder.join("llama-3-70b-instruct_4_2_chat_128_128_4713");
        copy(&Utf8Path::new(REAL).join("0.0.16"), &point.join(server));
    }
    let text = r#"{"recipe": "mine", "gpus": 4, "replicas": 2, "replica_use": "together"}"#;
    fs::write(folder.join("run_4713.json"), text).unwrap();
    let job = [folder.as_str(), "--job", "4713"];
    let table = stdout(&job);
    let rows: Vec<_> = table
        .lines()
        .filter_map(|line| line.split_once(" 4713, "))
        .collect();
    assert_eq!(rows.len(), 2, "{table}");
    assert_eq!((rows[0].1, rows[1].1), ("server 0", "server 1"));
    assert!(
        table.contains("job 4713: mine, 2 servers (together), 4 GPUs,"),
        "{table}"
    );
    let with = |words: &[&str]| stdout(&[&job[..], words].concat());
    let json: Value = serde_json::from_str(&with(&["--format", "json"])).unwrap();
    assert_eq!(json["points"][1]["replica"], 1);
    assert_eq!(json["runs"][0]["replica_use"], "together");
    let csv = with(&["--format", "csv"]);
    let head = "use_case,input_sequence_length,output_sequence_length,concurrency,gpus,replica,job_id,path,";
    assert!(csv.starts_with(head), "{csv}");
    assert!(csv.contains("\nchat,128,128,2,4,1,4713,"), "{csv}");
    let page = with(&["--format", "html"]);
    assert!(page.contains("4713, server 1"), "{page}");
    balanced(&page);
    // Without such points there is no such column.
    let csv = stdout(&[folder.as_str(), "--job", "4711", "--format", "csv"]);
    assert!(csv.contains(",gpus,job_id,"), "{csv}");
    let csv = with(&["--format", "csv", "--against", "4712"]);
    assert!(csv.contains(",gpus,replica,job_id_before,"), "{csv}");
    let changes = with(&["--against", "4712"]);
    assert!(
        changes.contains("only in this run: chat 128/128, 4 GPUs, concurrency 2, server 1"),
        "{changes}"
    );
    let markdown = with(&["--format", "markdown"]);
    for server in ["| 4713, server 0 |", "| 4713, server 1 |"] {
        assert!(markdown.contains(server), "{markdown}");
    }
}

/// Of servers that shared the points, each row has the one that measured it: one may be slower than the others.
#[test]
fn servers_that_shared_the_points_are_named() {
    let results = Results(tempfile::tempdir().unwrap());
    let folder = results.path();
    let shared = [
        ("2", 0),
        ("4", 1),
        ("8", 0),
        ("8_r2", 1),
        ("16", 1),
        ("16_r2", 1),
    ];
    let rows = shared.map(|(point, server)| {
        let (load, again) = point.split_once('_').map_or((point, ""), |(load, _)| (load, "_r2"));
        let name = format!("m_4_{load}_chat_128_128{again}_7");
        point_of(
            folder,
            &name,
            r#""output_token_throughput": {"unit": "tokens/sec", "avg": 1000}"#,
        );
        format!(r#"{{"folder": "{name}", "status": "finished", "detail": "on server {server}", "server": {server}}}"#)
    });
    let manifest = |replicas: u32| {
        let rows = rows.join(", ");
        format!(
            r#"{{"job_id": "7", "replicas": {replicas}, "replica_use": "split", "points": [{rows}]}}"#
        )
    };
    fs::write(folder.join("run_7.json"), manifest(2)).unwrap();
    let told = |format: &str| stdout(&[folder.as_str(), "--format", format]);
    let remark = "its runs are of several servers (0, 1), of which one may be slower";
    let table = told("table");
    let rows: Vec<_> = table
        .lines()
        .filter(|line| line.contains(" 1000.0 "))
        .collect();
    for (row, end) in rows
        .iter()
        .zip(["7, server 0", "7, server 1", "  7", "7, server 1"])
    {
        assert!(row.ends_with(end), "no {end:?} in {table}");
    }
    assert_eq!(
        (rows.len(), table.matches(remark).count()),
        (4, 1),
        "{table}"
    );
    let page = told("html");
    assert!(
        page.contains("7, server 1") && page.contains(remark),
        "{page}"
    );
    // Curves are those of a sweep, whoever measured its points.
    assert!(!page.contains("chat 128/128, server"), "{page}");
    let markdown = told("markdown");
    assert!(
        markdown.contains("| 7, server 1 |") && markdown.contains(remark),
        "{markdown}"
    );
    let json: Value = serde_json::from_str(&told("json")).unwrap();
    assert_eq!(
        (&json["points"][1]["server"], &json["points"][1]["replica"]),
        (&1.into(), &Value::Null)
    );
    assert_eq!(
        column(&told("csv"), "server"),
        ["0", "1", "0", "1", "1", "1"]
    );
    // Points that two servers shared are the same in another job, whichever measured them.
    let changes = stdout(&[folder.as_str(), "--against", folder.as_str()]);
    assert!(
        changes.contains(" 0.0 %           -  7 -> 7\n"),
        "{changes}"
    );

    // One server needs no number.
    fs::write(folder.join("run_7.json"), manifest(1)).unwrap();
    for format in ["table", "html", "json", "csv"] {
        let text = told(format);
        assert!(
            !text.contains("server 0")
                && !text.contains("\"server\": 0")
                && !text.contains(",server,"),
            "{text}"
        );
    }
}

/// A server that was not warmed up has its compilation in the first requests.
#[test]
fn a_warm_up_without_answers_is_told() {
    let results = Results(tempfile::tempdir().unwrap());
    let folder = results.path();
    let points = [
        (
            "4_1",
            "0",
            "only 0 of 1 requests of its warm-up were answered",
        ),
        ("4_8", "8", ""),
        (
            "4_16",
            "15",
            "only 15 of 16 requests of its warm-up were answered",
        ),
        ("4_16_r2", "16", ""),
        (
            "4_rate2.5",
            "2",
            "only 2 of 3 requests of its warm-up were answered",
        ),
        ("4_rate4", "4", ""),
        // As the manifests of other points' jobs have it.
        ("4_32", "null", ""),
    ];
    let rows = points.map(|(load, answered, _)| {
        let (load, again) = load.split_once("_r2").map_or((load, ""), |(load, _)| (load, "_r2"));
        let name = format!("m_{load}_chat_128_128{again}_7");
        point_of(folder, &name, r#""output_token_throughput": {"unit": "tokens/sec", "avg": 1000}"#);
        format!(r#"{{"folder": "{name}", "status": "finished", "detail": "", "warmup_requests": {answered}}}"#)
    });
    // Servers that measured together have one row, with the sum.
    let name = "m_4_2_chat_128_128_7";
    for server in ["server-0", "server-1"] {
        point_of(
            folder,
            &format!("{name}/{server}"),
            r#""output_token_throughput": {"unit": "tokens/sec", "avg": 1000}"#,
        );
    }
    let together = format!(
        r#"{{"folder": "{name}", "status": "finished", "detail": "", "warmup_requests": 2}}"#
    );
    let text = |replicas: u32| {
        let rows = rows.join(", ");
        format!(r#"{{"job_id": "7", "replicas": {replicas}, "points": [{rows}, {together}]}}"#)
    };
    fs::write(folder.join("run_7.json"), text(1)).unwrap();
    for format in ["table", "markdown", "html"] {
        let told = stdout(&[folder.as_str(), "--format", format]);
        let expected: Vec<_> = points
            .iter()
            .filter(|(.., words)| !words.is_empty())
            .collect();
        for (.., words) in &expected {
            assert!(told.contains(words), "no {words:?} in {told}");
        }
        assert_eq!(
            told.matches("of its warm-up").count(),
            expected.len(),
            "{told}"
        );
        assert_eq!(told.matches("run 1: only 15 of 16").count(), 1, "{told}");
    }
    fs::write(folder.join("run_7.json"), text(2)).unwrap();
    let table = stdout(&[folder.as_str()]);
    assert_eq!(
        table.matches("only 2 of 4 requests of its warm-up").count(),
        2,
        "{table}"
    );
    let json: Value = serde_json::from_str(&stdout(&[folder.as_str(), "--json"])).unwrap();
    assert_eq!(
        (
            &json["points"][0]["warmup_requests"],
            json["points"].as_array().unwrap().len()
        ),
        (&0.into(), 9)
    );
}

/// What tells rows apart, and what is to be said of them, is in all that people read.
#[test]
fn what_is_said_of_a_point_is_in_each_format() {
    let results = Results(tempfile::tempdir().unwrap());
    let metrics = r#""output_token_throughput": {"unit": "tokens/sec", "avg": 1000},
        "output_sequence_length": {"unit": "tokens", "avg": 128}, "request_count": {"unit": "requests", "avg": 250},
        "usage_completion_tokens": {"unit": "tokens", "avg": 192, "count": 250},
        "request_goodput": {"unit": "requests/sec", "avg": 1.5}"#;
    let name = "m_4_8_chat_128_128_7";
    point_of(results.path(), name, metrics);
    point_of(results.path(), "by hand", metrics);
    let manifest = format!(
        r#"{{"job_id": "7", "points": [{{"folder": "{name}", "status": "finished", "seconds": 41, "detail": "",
            "prefix_cache_queries": 1000, "prefix_cache_hits": 895}}]}}"#
    );
    fs::write(results.path().join("run_7.json"), manifest).unwrap();
    let formats = ["table", "markdown", "html"]
        .map(|format| stdout(&[results.path().as_str(), "--format", format]));
    for text in &formats {
        let text = text.replace("\n      ", " ").replace("&#39;", "'");
        for words in [
            "89.5 % of its prompt tokens came out of the prefix cache",
            "the server counts 192.0 tokens in an answer, the tool 128.0: by the server's, 1500.0 tokens/s",
            "goodput 1.50 requests/s",
            "prefix cache: at most 89.5 % of a point's prompt tokens; not checked for 1 point",
            "by hand",
        ] {
            assert!(text.contains(words), "no {words:?} in {text}");
        }
    }
    let [_, markdown, _] = formats;
    for words in [
        "| 4 | 8 | 1 | 250 |",
        "| - | - | 1 | 250 |",
        "| 7 | best; ",
        "| `by hand` | best; ",
    ] {
        assert!(markdown.contains(words), "no {words:?} in {markdown}");
    }
}

/// An answer that the server broke off has no usage: a mean of the others says nothing of all tokens. Each run has its own count.
#[test]
fn the_servers_count_is_told_where_it_counted_each_answer() {
    let said = |runs: &[(u32, &str)]| {
        let results = Results(tempfile::tempdir().unwrap());
        for (number, (throughput, usage)) in runs.iter().enumerate() {
            let metrics = format!(
                r#""output_token_throughput": {{"unit": "tokens/sec", "avg": {throughput}}},
                "output_sequence_length": {{"unit": "tokens", "avg": 75.6}}, "request_count": {{"unit": "requests", "avg": 207}},
                "inter_token_latency": {{"unit": "ms", "avg": 10}}, {usage}"#
            );
            let repeat = ["", "_r2"][number];
            point_of(
                results.path(),
                &format!("m_4_8_chat_128_80{repeat}_7"),
                &metrics,
            );
        }
        let table = stdout(&[results.path().as_str()]).replace("\n      ", " ");
        let (_, said) = table.split_once("the server counts ")?;
        Some(said.lines().next().unwrap().to_owned())
    };
    let usage = |mean: f64, more: &str, total: f64| {
        format!(
            r#""usage_completion_tokens": {{"unit": "tokens", "avg": {mean}{more}}},
            "total_usage_completion_tokens": {{"unit": "tokens", "avg": {total}}}"#
        )
    };
    let all = "80.0 tokens in an answer, the tool 75.6: by the server's, 1058.2 tokens/s and a mean ITL of 9.44 ms";
    let whole = usage(80.0, r#", "count": 207"#, 16560.0);
    assert_eq!(said(&[(1000, &whole)]).as_deref(), Some(all));
    assert_eq!(
        said(&[(1000, &usage(80.0, r#", "count": 183"#, 14640.0))]),
        None
    );
    // Some releases say of no mean of how many it is.
    assert_eq!(
        said(&[(1000, &usage(80.0, "", 16560.0))]).as_deref(),
        Some(all)
    );
    assert_eq!(said(&[(1000, &usage(80.0, "", 14640.0))]), None);
    let other = usage(151.2, r#", "count": 207"#, 31298.4);
    assert_eq!(
        said(&[(1000, &whole), (500, &other)]).as_deref(),
        Some(
            "115.6 tokens in an answer, the tool 75.6: by the server's, 1029.1 tokens/s and a mean ITL of 7.20 ms"
        )
    );
}

/// Real requests of AIPerf, as points of one job.
fn with_requests() -> Results {
    let results = Results(tempfile::tempdir().unwrap());
    for concurrency in [1, 16] {
        copy(
            Utf8Path::new(&format!("tests/data/requests/aiperf-{concurrency}")),
            &results
                .path()
                .join(format!("llama_1_{concurrency}_chat_128_128_108")),
        );
    }
    results
}

/// Of 0.5 s on a fast server and 10 s on a slow one, the slow one can be gone by.
#[test]
fn points_that_are_too_short_have_no_mark_of_the_best() {
    let results = with_requests();
    let best = || {
        let run = nim_slurm::results::Run::read(results.path()).unwrap();
        let groups = run.groups();
        assert_eq!(groups.len(), 1);
        let front = groups[0].pareto_front();
        let front: Vec<_> = front.iter().filter_map(|own| own.concurrency()).collect();
        (groups[0].best_throughput().unwrap().concurrency(), front)
    };
    let page = results.path().join("report.html");
    let written = || {
        let output = report(&[results.path().as_str(), "--out", page.as_str()]);
        (
            fs::read_to_string(&page).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    assert_eq!(best(), (Some(16), vec![1, 16])); // 5472 tokens/s, 2.0 s
    let (text, said) = written();
    // Each of four charts has two, and one in its legend.
    assert_eq!(text.matches("<path class=\"mark dim\"").count(), 3 * 4);
    assert_eq!(text.matches(">best<").count(), 0, "{text}");
    assert!(text.contains("<p>Highest throughput: "), "{text}");
    let note = "2 of 2 points ran for less than 10 s: do not rely on their numbers";
    let again = ", and measure them again with more requests (--requests-per-concurrency 47)";
    let on_page = format!("<p>{note}{again}.</p>");
    assert!(text.contains(&on_page), "{text}");
    let at_the_end = format!("note: {note}{again}\n");
    assert!(said.ends_with(&at_the_end), "{said}");
    copy(
        Utf8Path::new("tests/data/search/sample-model_4_8_chat_128_128_1"),
        &results.path().join("llama_1_8_chat_128_128_108"),
    );
    assert_eq!(best(), (Some(8), vec![8])); // 669 tokens/s, and not too short
    let (page, said) = written();
    assert!(said.contains("note: 2 of 3 points ran "), "{said}");
    let marks = page.matches("<path class=\"mark dim\"").count();
    assert_eq!(marks, 3 * 4, "{page}");
    assert!(page.contains(">too short</li>"));
    // In the table of points and in that of costs.
    let costs = [results.path().as_str(), "--format=html", "--price=2"];
    let costs = String::from_utf8(report(&costs).stdout).unwrap();
    assert_eq!(
        costs.matches("<tr class=\"pale").count(),
        2 * (2 + 1),
        "{costs}"
    );
    let words =
        "Highest throughput of the points that are long enough: 668.7 tokens/s at concurrency 8.";
    assert!(page.contains(words), "{page}");
}

/// A number of requests makes some longer, and what ends the others does the rest.
#[test]
fn short_points_of_a_trace_or_a_duration_need_no_more_requests() {
    let results = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(results.path()).unwrap();
    let said = || {
        let run = nim_slurm::results::Run::read(path).unwrap();
        nim_slurm::Report::new(&run).short_points().unwrap()
    };
    let put = |name: &str, measured: &str| {
        let folder = path.join(name);
        copy(Utf8Path::new("tests/data/requests/aiperf-1"), &folder);
        fs::write(folder.join("measurement.txt"), measured).unwrap();
        folder
    };
    let folder = put("llama_1_schedule_replay_data_data_7", "requests=20\n");
    // Of a trace, the tool names no concurrency.
    let file = folder.join("profile_export_aiperf.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(file, text.replace("\"concurrency\"", "\"other\"")).unwrap();
    let begin = "1 of 1 point ran for less than 10 s: do not rely on its numbers, and measure it again with";
    let trace = "a trace with more lines (use case replay)";
    assert_eq!(said(), format!("{begin} {trace}"));
    let timed = |seconds: u32| {
        format!(
            "own_command=--benchmark-duration\nown_command={seconds}\nown_command=--streaming\n"
        )
    };
    put("llama_1_1_quick_128_128_7", &timed(5));
    put("llama_1_1_chat_128_128_7", "requests=20\nprompts=20\n");
    let begin = "3 of 3 points ran for less than 10 s: do not rely on their numbers, and measure them again with";
    let requests = "more requests (--requests-per-concurrency 47)";
    let duration = "a longer duration (use case quick)";
    assert_eq!(
        said(),
        format!("{begin} {requests} and {duration} and {trace}")
    );
    // The longer one takes the place of the short one.
    let longer = path.join("llama_1_1_quick_128_128_8");
    copy(
        Utf8Path::new("tests/data/search/sample-model_4_8_chat_128_128_1"),
        &longer,
    );
    fs::write(longer.join("measurement.txt"), timed(30)).unwrap();
    for job in [7, 8] {
        let manifest = format!(r#"{{"job_id": "{job}", "fingerprint": "a"}}"#);
        fs::write(path.join(format!("run_{job}.json")), manifest).unwrap();
    }
    let said = said();
    assert!(said.starts_with("2 of 3 points, of job 7, ran "), "{said}");
    assert!(!said.contains("duration"), "{said}");
}

/// A rate is no concurrency.
#[test]
fn loads_of_several_kinds_are_each_named() {
    let results = with_requests();
    let short = "do not rely on these, measured for less than 10 s: at concurrency 1";
    let table = stdout(&[results.path().as_str()]);
    assert!(
        table.contains(&format!("{short} (5.2 s), 16 (2.0 s)\n")),
        "{table}"
    );
    copy(
        Utf8Path::new("tests/data/requests/aiperf-16"),
        &results.path().join("llama_1_rate40_chat_128_128_108"),
    );
    let table = stdout(&[results.path().as_str()]).replace("\n  ", " ");
    let words = format!("{short} (5.2 s), concurrency 16 (2.0 s), 40 requests/s (2.0 s)");
    assert!(table.contains(&words), "{table}");
}

/// As the end of a run of short points says: the same command with more requests.
#[test]
fn charts_have_the_longer_point_in_place_of_one_that_was_too_short() {
    let results = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(results.path()).unwrap();
    for (name, from) in [
        ("llama_1_1_chat_128_128_7", "requests/aiperf-1"),
        ("llama_1_8_chat_128_128_7", "requests/aiperf-16"),
        (
            "llama_1_8_chat_128_128_8",
            "search/sample-model_4_8_chat_128_128_1",
        ),
    ] {
        copy(&Utf8Path::new("tests/data").join(from), &path.join(name));
        // With other requests, it is no repeat.
        let measured = format!("requests={name}\n");
        fs::write(path.join(name).join("measurement.txt"), measured).unwrap();
    }
    let manifest = |job: u32, fingerprint: &str| {
        let text = format!(r#"{{"job_id": "{job}", "fingerprint": "{fingerprint}"}}"#);
        fs::write(path.join(format!("run_{job}.json")), text).unwrap();
    };
    let report = |format: &str| stdout(&[path.as_str(), "--format", format]);
    let words = "left out, as a longer run took their place: at concurrency 8 (job 7, now job 8)";
    manifest(7, "a");
    manifest(8, "b");
    let page = report("html");
    // Measured in another way.
    assert!(page.contains("chat 128/128, job 7</li>"), "{page}");
    assert!(!page.contains(words), "{page}");

    manifest(8, "a");
    let page = report("html");
    assert!(!page.contains("chat 128/128, job"), "{page}");
    assert!(
        page.contains(&format!("<p class=\"faint\">{words}</p>")),
        "{page}"
    );
    // It has no row either.
    assert!(!page.contains("measured for 2.0 s"), "{page}");
    // Job 7's at concurrency 1, in each of four charts and in the legend.
    let marks = page.matches("<path class=\"mark dim\"").count();
    assert_eq!(marks, 2 * 4, "{page}");
    let table = report("table");
    for words in [
        "  do not rely on these, measured for less than 10 s: at concurrency 1 (5.2 s)\n",
        &format!("  {words}\n"),
    ] {
        assert!(table.contains(words), "{table}");
    }
    assert!(
        page.contains(", 1 of them measured again for longer, so shorter results are left out."),
        "{page}"
    );
    // Those of which no longer one is there.
    let note = "1 of 2 points, of job 7, ran for less than 10 s: do not rely on its numbers, and measure it again";
    assert!(page.contains(note), "{page}");
    let markdown = report("markdown");
    assert!(markdown.contains(&format!("|\n\n{words}\n")), "{markdown}");
    // An earlier job takes the place of no later one.
    fs::rename(
        path.join("llama_1_8_chat_128_128_8"),
        path.join("llama_1_8_chat_128_128_5"),
    )
    .unwrap();
    fs::rename(path.join("run_8.json"), path.join("run_5.json")).unwrap();
    let text = r#"{"job_id": "5", "fingerprint": "a"}"#;
    fs::write(path.join("run_5.json"), text).unwrap();
    let table = report("table");
    assert!(!table.contains("left out"), "{table}");
    fs::rename(
        path.join("llama_1_8_chat_128_128_5"),
        path.join("llama_1_8_chat_128_128_8"),
    )
    .unwrap();
    fs::remove_file(path.join("run_5.json")).unwrap();
    manifest(8, "a");
    // Programs get all of it.
    assert_eq!(report("csv").lines().count(), 4);

    // A job that a user names has results, or at least a manifest.
    let of = |jobs: &str| self::report(&[path.as_str(), "--job", jobs]);
    assert_eq!(of("7,8").status.code(), Some(0));
    let unknown = of("7,99");
    assert_eq!(unknown.status.code(), Some(1));
    let said = String::from_utf8(unknown.stderr).unwrap();
    assert!(said.contains("has no results of job 99\n"), "{said}");

    // What is compared is not to be relied on.
    let earlier = tempfile::tempdir().unwrap();
    let earlier = Utf8Path::from_path(earlier.path()).unwrap();
    copy(
        Utf8Path::new("tests/data/requests/aiperf-1"),
        &earlier.join("llama_1_1_chat_128_128_6"),
    );
    let changes = stdout(&[path.as_str(), "--against", earlier.as_str()]);
    for which in ["the other run", "this run"] {
        let words = format!("do not rely on it: of {which}, 1 point measured for less than 10 s");
        assert!(changes.contains(&words), "{words}: {changes}");
    }
}

/// Loads of one job and loads of another are one curve only where both measured in the same way.
#[test]
fn jobs_that_measured_in_another_way_are_curves_of_their_own() {
    let results = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(results.path()).unwrap();
    for (name, from) in [
        ("llama_1_1_chat_128_128_7", "requests/aiperf-1"),
        ("llama_1_16_chat_128_128_8", "requests/aiperf-16"),
    ] {
        copy(&Utf8Path::new("tests/data").join(from), &path.join(name));
    }
    let named = || stdout(&[path.as_str(), "--format=html"]).contains("chat 128/128, job 7</li>");
    let manifest = |job: u32, fingerprint: &str| {
        let text = format!(r#"{{"job_id": "{job}", "fingerprint": "{fingerprint}"}}"#);
        fs::write(path.join(format!("run_{job}.json")), text).unwrap();
    };
    let command = |name: &str, delay: &str| {
        let text = format!("requests=1\nown_command=--delay\nown_command={delay}\n");
        fs::write(path.join(name).join("measurement.txt"), text).unwrap();
    };
    assert!(!named(), "nothing tells");
    manifest(7, "a");
    assert!(named(), "of one it is known");
    manifest(8, "b");
    assert!(named());
    manifest(8, "a");
    assert!(!named());
    command("llama_1_1_chat_128_128_7", "0");
    command("llama_1_16_chat_128_128_8", "60");
    assert!(named(), "the client waited for longer");
    command("llama_1_16_chat_128_128_8", "0");
    assert!(!named());
    // The number of GPUs, which each curve names, is a part of a fingerprint.
    fs::rename(
        path.join("llama_1_16_chat_128_128_8"),
        path.join("llama_2_16_chat_128_128_8"),
    )
    .unwrap();
    manifest(8, "b");
    let page = stdout(&[path.as_str(), "--format=html"]);
    assert!(page.contains("chat 128/128, 2 GPUs</li>"), "{page}");
}

/// All are far below the limits, but of too few requests: that is no "no".
#[test]
fn where_it_cannot_be_told_of_any_point_the_report_says_so() {
    let results = with_requests();
    let folder = results.path().as_str();
    let with = |format: &str| {
        let limits = [
            folder, "--ttft", "500", "--itl", "25", "--at", "p95", "--format", format,
        ];
        stdout(&limits)
    };
    let words = "t cannot be told of any point whether it keeps the limits: too few requests (a p95 takes 90 or more); \
                 measure with sweep.percentile = ";
    let table = with("table").replace("\n  more", " more");
    let table = table.replace("\n  ", " ");
    assert!(table.contains(&format!("\ni{words}\"p95\"")), "{table}");
    let page = with("html");
    assert!(
        page.contains(&format!("<p>I{words}&#34;p95&#34;.</p>")),
        "{page}"
    );
    let markdown = with("markdown");
    assert!(
        markdown.contains(&format!("\n\ni{words}\"p95\"\n\n")),
        "{markdown}"
    );
    let json: Value = serde_json::from_str(&with("json")).unwrap();
    let use_case = &json["use_cases"][0];
    assert_eq!(use_case["none_within_limits"], format!("i{words}\"p95\""));
    for text in [table, page, markdown] {
        assert!(!text.to_lowercase().contains("no point keeps"), "{text}");
    }
    // Of one it is known that it does not.
    let table = stdout(&[folder, "--itl", "2.4", "--at", "p50"]);
    assert!(
        !table.contains("be told") && table.contains("\nx"),
        "{table}"
    );
    let table = stdout(&[folder, "--itl", "2.4", "--ttft", "20", "--at", "p95"]);
    assert!(
        table.contains("no point is known to keep the limits; of 1 point it cannot be told"),
        "{table}"
    );
}

/// The same verdict with the tool's file of requests and without it.
#[test]
fn a_percentile_of_too_few_requests_is_within_no_limit() {
    let results = with_requests();
    let folder = results.path().as_str();
    let verdicts = || {
        let text = stdout(&[
            folder, "--ttft", "80", "--itl", "25", "--at", "p95", "--json",
        ]);
        let json: Value = serde_json::from_str(&text).unwrap();
        [0, 1].map(|number| json["points"][number]["verdict"].clone())
    };
    assert_eq!(verdicts(), ["cannot_tell", "cannot_tell"]);
    for point in results.path().read_dir_utf8().unwrap() {
        fs::remove_file(point.unwrap().path().join("profile_export.jsonl")).unwrap();
    }
    assert_eq!(verdicts(), ["cannot_tell", "cannot_tell"]);
    // The tool's own figure counts where it has enough requests, and above a limit.
    let table = stdout(&[folder, "--ttft", "80", "--at", "p50"]);
    assert!(table.contains("\n     1       16"), "{table}");
    let table = stdout(&[folder, "--ttft", "50", "--at", "p95"]);
    assert!(
        table.contains("\n=    1        1") && table.contains("\nx    1       16"),
        "{table}"
    );
}

/// 20 requests and 80, of which none can support a p99.
#[test]
fn a_percentile_of_too_few_requests_is_marked() {
    let results = with_requests();
    let folder = results.path().as_str();
    assert_data_eq!(
        stdout(&[folder, "--ttft", "70", "--itl", "3", "--at", "p99"]),
        str![[r#"
chat 128/128
no point is known to keep the limits; of 1 point it cannot be told: too few requests (a p99 takes
  459 or more); measure with sweep.percentile = "p99"
        concur-     re-    TTFT    ITL  latency  tokens/s  tokens/s  tokens/s  requests
  GPUs    rency  quests      ms     ms       ms                /GPU     /user        /s  job
=    1        1      20  ^21.94  ^2.02   ^282.3     525.4     525.4     558.9      3.87  108
    the server counts 128.0 tokens in an answer, the tool 135.9: by the server's, 494.8 tokens/s and
      a mean ITL of 1.91 ms
x    1       16      80  ^76.54  ^2.91   ^460.1    5472.6    5472.6     405.5     40.19  108
    steady for 2.0 of 2.0 s, TTFT -7.3 %: TTFT 50.14, ITL 2.61, latency 392.4 ms, 5508.8 tokens/s
    the server counts 128.0 tokens in an answer, the tool 136.2: by the server's, 5144.1 tokens/s
      and a mean ITL of 2.67 ms
  do not rely on these, measured for less than 10 s: at concurrency 1 (5.2 s), 16 (2.0 s)

TTFT, ITL and latency: p99; limits: TTFT at most 70 ms, ITL at most 3 ms
x above a limit   ? the latency is not in the results
= cannot tell: too few requests, or too near to a limit
^ of too few requests: to claim a p99 takes 459, with a confidence of 0.99
20 requests support percentiles up to p79, and 80 up to p94, with a confidence of 0.99
steady: the means without the load's rise and fall, where one is more than 5 % off the row above
tokens/s: output tokens; /user: of one answer after its first token

"#]]
    );
    let json: Value = serde_json::from_str(&stdout(&[folder, "--format", "json"])).unwrap();
    let requests = &json["points"][0]["requests"];
    assert!(requests["seconds"].as_f64().unwrap() < 10.0, "{requests}");
    assert_eq!(requests["is_too_short"], true);
    let table = stdout(&[folder, "--ttft", "70", "--at", "p50"]);
    assert!(
        !table.contains('^') && table.contains("\n     1       16"),
        "{table}"
    );
    let page = stdout(&[folder, "--format", "html", "--ttft", "70", "--at", "p99"]);
    assert!(page.contains("cannot tell by TTFT"), "{page}");
    assert!(
        page.contains("^ of too few requests: to claim a p99 takes 459"),
        "{page}"
    );
    assert!(
        page.contains("too short: measured for 2.0 s")
            && page.contains("<td>^")
            && page.contains("\nrequests: 20"),
        "{page}"
    );
    balanced(&page);
    // The mean of 20 requests is what it is, and a release that does not count them says so.
    let table = stdout(&[folder]);
    assert!(!table.contains('^'), "{table}");
    let uncounted = stdout(&[&format!("{REAL}/0.0.8"), "--at", "p99"]);
    let row = uncounted
        .lines()
        .find(|line| line.starts_with('*'))
        .unwrap();
    assert!(row.starts_with("*    -        1       -  "), "{row}");
}

#[test]
fn a_verdict_is_by_each_request() {
    let results = with_requests();
    let verdicts = |arguments: &[&str]| {
        let text = stdout(&[&[results.path().as_str(), "--format", "json"], arguments].concat());
        let json: Value = serde_json::from_str(&text).unwrap();
        let points = json["points"].as_array().unwrap().clone();
        let verdicts: Vec<_> = points
            .iter()
            .map(|point| point["verdict"].as_str().unwrap().to_owned())
            .collect();
        verdicts.join(", ")
    };
    // All 80 are within 200 ms: enough for p90, which takes 44, and not for p95, which takes 90.
    let within = |at| verdicts(&["--ttft", "200", "--at", at]);
    assert_eq!(within("p50"), "within, within");
    assert_eq!(within("p90"), "cannot_tell, within");
    assert_eq!(within("p95"), "cannot_tell, cannot_tell");
    // All are above 1 ms: three of them would have been enough for p95.
    assert_eq!(
        verdicts(&["--itl", "1", "--at", "p95"]),
        "exceeded, exceeded"
    );
    // Above one limit is above, whatever is unclear of the other.
    assert_eq!(
        verdicts(&["--ttft", "200", "--itl", "1", "--at", "p99"]),
        "exceeded, exceeded"
    );
}

#[test]
fn what_the_requests_say_is_there_for_programs() {
    let results = with_requests();
    let folder = results.path().as_str();
    let json: Value = serde_json::from_str(&stdout(&[folder, "--format", "json"])).unwrap();
    let [alone, sixteen] = [&json["points"][0], &json["points"][1]];
    assert_eq!(
        (&alone["request_count"], &sixteen["request_count"]),
        (&20.into(), &80.into())
    );
    assert_eq!(alone["highest_percentile"], "p79");
    assert_eq!(sixteen["highest_percentile"], "p94");
    let requests = &sixteen["requests"];
    assert_eq!(
        (&requests["failed"], &requests["steady"]["in_flight"]),
        (&0.into(), &16.into())
    );
    assert_eq!(
        requests["is_steady"],
        requests["largest_difference"]["relative"]
            .as_f64()
            .unwrap()
            .abs()
            .le(&0.05)
    );
    let steady = &requests["steady"]["metrics"]["time_to_first_token"];
    assert!(steady["p95"].as_f64().unwrap() > steady["p50"].as_f64().unwrap());
    let csv = stdout(&[folder, "--format", "csv"]);
    let rows: Vec<Vec<_>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let column = |name: &str| rows[0].iter().position(|cell| *cell == name).unwrap();
    assert_eq!(rows[1][column("highest_percentile")], "p79");
    assert_eq!(rows[2][column("steady_in_flight")], "16");
    let cell = rows[2][column("steady_time_to_first_token_avg_ms")];
    assert_eq!(cell, steady["avg"].to_string());
}

#[test]
fn a_stage_path_has_its_results() {
    let stage = tempfile::tempdir().unwrap();
    let stage = Utf8Path::from_path(stage.path()).unwrap();
    copy(Results::new().path(), &stage.join("results"));
    // Model folders have links.
    std::os::unix::fs::symlink("/", stage.join("model")).unwrap();
    fs::write(stage.join("results/run_4711.json"), "{}").unwrap();
    let output = report(&[stage.as_str(), "--format", "csv"]);
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!("note: {stage} is a stage path: its results are read, {stage}/results\n")
    );
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1 + 4);
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
    assert!(text.contains("@media screen and (prefers-color-scheme: dark)"));
    assert!(text.contains(">5 points in "));
    // Four charts; two use cases, one of them with a job for each shape.
    assert_eq!(text.matches("<figure>").count(), 4);
    assert_eq!(text.matches("<polyline class=\"line\"").count(), 16);
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
    assert_eq!(first.stdout, b"");
    assert_eq!(fs::read_to_string(format!("{out}.bak-1")).unwrap(), "mine");
    let text = fs::read_to_string(&out).unwrap();
    assert_eq!(text, stdout(&arguments[..3]));
    report(&arguments);
    assert!(!Utf8PathBuf::from(format!("{out}.bak-2")).exists());
}

/// A comparison marks a point whose numbers are of a part of its requests.
#[test]
fn a_change_of_a_point_with_errors_is_marked() {
    let results = tempfile::tempdir().unwrap();
    let results = Utf8Path::from_path(results.path()).unwrap();
    for (job, version) in [("1", "0.0.10"), ("2", "aiperf-0.13.0-server-died")] {
        let name = format!("llama-3-70b-instruct_4_25_chat_128_128_{job}");
        copy(&Utf8Path::new(REAL).join(version), &results.join(name));
    }
    let changes = |job: &str, earlier: &str| {
        let text = stdout(&[results.as_str(), "--job", job, "--against", earlier]);
        let (_, changes) = text.split_once("changes against the other run").unwrap();
        changes.to_owned()
    };
    for text in [changes("2", "1"), changes("1", "2")] {
        assert!(text.contains("\n!    4 "), "{text}");
        assert!(
            text.contains("\n! one of the two is not to be trusted"),
            "{text}"
        );
    }
}

#[test]
fn a_file_s_name_says_its_format() {
    let results = Results::new();
    let folder = results.path().as_str();
    let written = |name: &str, flags: &[&str]| {
        let out = results.path().join(name);
        let output = report(&[&[folder, "--out", out.as_str()], flags].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        fs::read_to_string(out).unwrap()
    };
    for (name, format) in [
        ("r.csv", "csv"),
        ("r.JSON", "json"),
        ("r.html", "html"),
        ("r.svg", "svg"),
        ("r.txt", "table"),
        ("r", "table"),
    ] {
        let expected = stdout(&[folder, "--format", format]);
        assert_eq!(written(name, &[]), expected, "{name}");
    }
    written("r.txt", &["--format", "csv"]);
    refused(
        &[folder, "--format", "csv", "--out", "r.html"],
        "--format csv does not go together with --out r.html: write --format html, or name the file .csv",
    );
    refused(
        &[folder, "--out", "r.pdf"],
        "the name r.pdf says no format: .txt, .csv, .json, .html, .svg, .md or .xml is allowed at its end",
    );
}

#[test]
fn a_job_without_results_is_a_failure() {
    let results = Results::new();
    let output = report(&[results.path().as_str(), "--job", "9"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.ends_with(" has no results of job 9\n"), "{said}");

    let failed = r#"{"job_id": "9", "exit_code": 3, "exit_reason": "the server exited with status 1", "points": []}"#;
    fs::write(results.path().join("run_9.json"), failed).unwrap();
    let output = report(&[results.path().as_str(), "--job", "9"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = " has no results: job 9 ended with 3: the server exited with status 1\n";
    assert!(said.ends_with(expected), "{said}");
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
    for format in ["table", "csv", "json", "html", "svg"] {
        let output = report(&[folder, "--format", format]);
        assert_eq!(output.status.code(), Some(0));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&format!(
            "{folder} has no results: neither it nor a folder below it has a file of GenAI-Perf or AIPerf, such as \
             profile_export_genai_perf.csv"
        )));
    }
}

/// Files of which none can be read are there all the same.
#[test]
fn nothing_that_can_be_read_is_told_from_nothing() {
    let results = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(results.path()).unwrap();
    for number in 1..=12 {
        let point = folder.join(format!("llama_1_{number}_chat_128_128_7"));
        fs::create_dir(&point).unwrap();
        fs::write(point.join("profile_export_genai_perf.csv"), "no table").unwrap();
    }
    let output = report(&[folder.as_str()]);
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8_lossy(&output.stderr);
    let last = format!("note: {folder} has no results that can be read: why not, is said above\n");
    assert!(said.ends_with(&last), "{said}");
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
        "cannot take \"x\" as job id: a job's number is allowed, such as 4711, or 4711_3 for a task of an array",
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
    assert_eq!(report.to_json(), stdout(&[REAL, "--json"]));
}

/// As where somebody names a folder that is no folder of results.
#[test]
fn what_is_the_same_for_many_files_is_named_ten_times() {
    let results = Results::new();
    for number in 0..12 {
        let folder = results.path().join(format!("{number}/a/b/c/d/e/f"));
        fs::create_dir_all(folder).unwrap();
    }
    let path = results.path().as_str();
    let output = report(&[path]);
    let said = String::from_utf8(output.stderr).unwrap();
    let deep = "lies more than 6 folders deep, and is not looked into";
    assert_eq!(said.matches(deep).count(), 11, "{said}");
    let rest = format!("note: 2 more, which --json names: {deep}\n");
    assert!(said.contains(&rest), "{said}");
    assert_eq!(stdout(&[path, "--json"]).matches(deep).count(), 12);
}

/// The page says in its title that nothing was measured; the README's picture is made by the command of the guide.
#[test]
fn sample_results_are_called_so() {
    let sample = "sample results (from a formula, not measured)";
    let folder = tempfile::tempdir().unwrap();
    let in_folder = |arguments: &[&str]| {
        let output = Command::new(common::PROGRAM)
            .args(["report", "--demo"])
            .args(arguments)
            .current_dir(folder.path())
            .env("TMPDIR", folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains(&format!("note: these are {sample}")),
            "{said}"
        );
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(in_folder(&[]), "");
    let page = fs::read_to_string(folder.path().join("sample-report.html")).unwrap();
    assert!(page.contains(&format!("<title>Inference benchmark: {sample}</title>")));
    assert!(page.contains("18 points in “sample results"), "{page}");
    let table = in_folder(&["--format", "table", "--ttft", "500", "--at", "p95"]);
    assert!(table.starts_with(&format!("{sample}\n\n")), "{table}");
    let markdown = in_folder(&["--format", "markdown"]);
    assert!(
        markdown.starts_with(&format!("**{sample}**\n\n###")),
        "{markdown}"
    );
    for format in ["csv", "json"] {
        assert!(
            in_folder(&["--format", format]).contains(sample),
            "{format}"
        );
    }
    assert!(table.contains("\nrag 4096/256\n"), "{table}");
    let requests = "\n1000 to 2560 requests support percentiles up to p99, with a confidence";
    assert!(table.contains(requests), "{table}");
    // Nothing else is left, here or in the temporary folder.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    let picture = in_folder(&["--format", "svg"]);
    assert!(picture.len() < 100_000 && picture.contains(sample));
    assert_data_eq!(picture, snapbox::file!["../src/guide/report.svg"].raw());
    refused(&["--demo", REAL], "cannot be used with");

    let output = Command::new(common::PROGRAM)
        .args(["report", "--demo"])
        .env("TMPDIR", folder.path().join("none"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("/none/nim-slurm-demo-"), "{said}");
}

/// What drove a point stands where a concurrency stood, and what has another length or load is another measurement.
#[test]
fn rates_and_spreads() {
    let results = Results::new();
    for name in [
        "4_rate2.5_chat_128_128_4711",
        "4_rate10_chat_128_128_4711",
        "4_25_chat_128s20_128_4711",
    ] {
        let point = results.path().join(format!("llama-3-70b-instruct_{name}"));
        copy(&Utf8Path::new(REAL).join("0.0.10"), &point);
    }
    let path = results.path().as_str();
    let table = stdout(&[path]);
    let (_, chat) = table.split_once("chat 128/128\n").unwrap();
    let (chat, spread) = chat.split_once("\nchat 128s20/128\n").unwrap();
    let loads = |text: &str| -> Vec<String> {
        let rows = text.lines().filter(|line| line.ends_with(" 4711"));
        let word = |line: &str| {
            line.trim_start_matches(['*', ' '])
                .split_whitespace()
                .nth(1)
                .unwrap()
                .to_owned()
        };
        rows.map(word).collect()
    };
    assert_eq!(loads(chat), ["1", "25", "2.5/s", "10/s"], "{table}");
    assert_eq!(loads(spread)[0], "25", "{table}");

    let csv = stdout(&[path, "--format", "csv"]);
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let place = |name: &str| head.iter().position(|cell| *cell == name).unwrap();
    let names = [
        "concurrency",
        "request_rate",
        "input_sequence_length",
        "input_sequence_stddev",
    ];
    let rows: Vec<_> = lines
        .map(|row| names.map(|name| row[place(name)].to_owned()).join("|"))
        .collect();
    for row in ["|2.5|128|0", "|10|128|0", "25||128|0", "25||128|20"] {
        assert!(rows.iter().any(|own| own == row), "{row}: {rows:#?}");
    }

    let json: Value = serde_json::from_str(&stdout(&[path, "--format", "json"])).unwrap();
    let points = json["points"].as_array().unwrap();
    let with = |key: &str| points.iter().filter(|point| !point[key].is_null()).count();
    assert_eq!(
        (
            with("request_rate"),
            with("concurrency"),
            with("input_sequence_stddev")
        ),
        (2, 5, 1)
    );

    let page = stdout(&[path, "--format", "html"]);
    for words in [
        "request rate (requests/s)",
        "concurrency (requests in flight)",
        "2.5 requests/s",
        "<td>2.5/s</td>",
    ] {
        assert!(page.contains(words), "no {words}");
    }
    // Without them, nothing stands there.
    let plain = stdout(&[Results::new().path().as_str(), "--format", "csv"]);
    assert!(!plain.contains("request_rate") && !plain.contains("stddev"));
}
