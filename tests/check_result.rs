//! What launch.sh takes for a valid result: its own check, run by bash on results that
//! real tools wrote.

#[path = "common/client.rs"]
mod client;

use std::fs;
use std::path::{Path, PathBuf};

use nim_slurm::recipe::ClientTool;
use nim_slurm::results::{Requests, Run};
use nim_slurm::{Recipe, Report};
use serde_json::Value;
use tempfile::TempDir;

use crate::client::run_in_client;

const TABLE: &str = "profile_export_genai_perf.csv";
const RAW: &str = "profile_export.json";

/// A point's folder, as a tool left it.
struct Left {
    folder: TempDir,
}

impl Left {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn put(self, file: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// A real tool's file under its own name.
    fn real(self, version: &str, file: &str) -> Self {
        self.real_at(file, version, file)
    }

    fn real_at(self, place: &str, version: &str, file: &str) -> Self {
        let path = PathBuf::from("tests/data/genai-perf")
            .join(version)
            .join(file);
        let content = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.put(place, content)
    }

    /// The raw measurements of so many requests, in the form of perf_analyzer.
    fn raw(self, requests: usize) -> Self {
        let request = r#"{"timestamp":1764000000000000000,"response_timestamps":[1764000000100000000],"response_outputs":[{"response":"data: {\"choices\":[{\"delta\":{\"content\":\" a\"}}]}\n\n"}]}"#;
        let requests = vec![request; requests].join(",");
        self.put(
            RAW,
            format!(r#"{{"experiments":[{{"requests":[{requests}]}}]}}"#),
        )
    }

    /// "valid", or what launch.sh says against it.
    #[track_caller]
    fn verdict(&self, recipe: &Recipe, output_tokens: u32, requests: u32) -> String {
        let lines = format!(
            "if check_result \"$folder\" {output_tokens} {requests}; then echo valid; else echo \"$reason\"; fi"
        );
        run_in_client(recipe, &lines, &[("folder", self.path().to_str().unwrap())])
    }
}

fn genai_perf(release: &str) -> Recipe {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    recipe.client.tool = ClientTool::GenaiPerf(release.parse().unwrap());
    recipe
}

fn aiperf() -> Recipe {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    recipe.client.tool = ClientTool::Aiperf("0.13.0".parse().unwrap());
    recipe
}

#[test]
fn the_oldest_release_has_other_rows_and_counts_nothing() {
    let left = || Left::new().real("0.0.2", TABLE);
    let oldest = || genai_perf("24.05");
    assert_eq!(left().raw(8).verdict(&oldest(), 16, 8), "valid");
    assert_eq!(
        left().raw(7).verdict(&oldest(), 16, 8),
        "profile_export.json has 7 requests, 8 were asked for"
    );
    assert_eq!(
        left().verdict(&oldest(), 16, 8),
        "profile_export.json has 0 requests, 8 were asked for"
    );
    assert_eq!(
        left().raw(8).verdict(&oldest(), 128, 8),
        "profile_export_genai_perf.csv gives 16 tokens as the average output, 128 were asked for"
    );
    // What the table says counts, not which release it is said to be of.
    assert_eq!(left().raw(8).verdict(&genai_perf("24.07"), 16, 8), "valid");
}

#[test]
fn until_24_12_the_raw_measurements_are_counted() {
    for release in ["24.07", "24.11", "24.12"] {
        let left = || Left::new().real("0.0.8", TABLE);
        assert_eq!(
            left().raw(10).verdict(&genai_perf(release), 512, 10),
            "valid"
        );
        // An answer without a text is none, and the prompt's own text is no answer's.
        let empty = |answer: &str| {
            let request = format!(
                r#"{{"timestamp":1,"request_inputs":{{"payload":"{{\\"content\\":\\"a\\"}}"}},"response_outputs":[{{"response":"data: {answer}"}}]}}"#
            );
            left().put(RAW, format!("[{}]", vec![request; 10].join(",")))
        };
        for (answer, said) in [
            (r#"{\"content\": \"\\n\"}"#, "valid"),
            (
                r#"{\"content\": \"\"}"#,
                "profile_export.json has 0 requests, 10 were asked for",
            ),
            (
                "[DONE]",
                "profile_export.json has 0 requests, 10 were asked for",
            ),
        ] {
            assert_eq!(
                empty(answer).verdict(&genai_perf(release), 512, 10),
                said,
                "{answer}"
            );
        }
        assert_eq!(
            left().raw(11).verdict(&genai_perf(release), 512, 10),
            "profile_export.json has 11 requests, 10 were asked for"
        );
    }
}

#[test]
fn since_25_01_the_table_counts() {
    let left = Left::new().real("0.0.10", TABLE);
    assert_eq!(left.verdict(&genai_perf("25.01"), 128, 250), "valid");
    assert_eq!(
        left.verdict(&genai_perf("25.01"), 128, 251),
        "profile_export_genai_perf.csv counts 250.00 requests, 251 were asked for"
    );
}

#[test]
fn since_25_04_files_are_moved_up() {
    let folder = "meta_llama3-70b-instruct-openai-chat-concurrency1";
    let version = format!("0.0.16/{folder}");
    let place = |file: &str| format!("{folder}/{file}");
    let left = Left::new()
        .real_at(&place(TABLE), &version, TABLE)
        .put(&place("inputs.json"), "{}");
    assert_eq!(left.verdict(&genai_perf("25.08"), 128, 10), "valid");
    assert!(left.path().join(TABLE).is_file() && left.path().join("inputs.json").is_file());
    assert!(!left.path().join(folder).exists());
}

#[test]
fn phases_of_aiperf_are_no_second_result() {
    let (csv, json) = ("profile_export_aiperf.csv", "profile_export_aiperf.json");
    let run = || {
        Left::new()
            .real("aiperf-0.13.0", csv)
            .real("aiperf-0.13.0", json)
    };
    assert_eq!(run().verdict(&aiperf(), 128, 10), "valid");
    let phases = run().real_at(&format!("phases/warmup/{csv}"), "aiperf-0.13.0", csv);
    assert_eq!(phases.verdict(&aiperf(), 128, 10), "valid");
    assert!(phases.path().join("phases/warmup").join(csv).is_file());
}

/// A server may end an answer by an error inside of its stream, and the tool counts it as one that is whole.
#[test]
fn an_answer_that_was_cut_off_is_none() {
    let table = |folder: &str, file: &str, least: &str| {
        let text = fs::read_to_string(format!("tests/data/genai-perf/{folder}/{file}")).unwrap();
        let lines = text
            .lines()
            .map(|line| match line.split_once("Sequence Length (tokens),") {
                Some(("Output ", numbers)) => {
                    let cells: Vec<_> = numbers.split(',').collect();
                    format!(
                        "Output Sequence Length (tokens),{},{least},{}",
                        cells[0],
                        cells[2..].join(",")
                    )
                }
                _ => line.to_owned(),
            });
        Left::new().put(file, lines.collect::<Vec<_>>().join("\n"))
    };
    let of_aiperf = |least: &str| {
        table("aiperf-0.13.0", "profile_export_aiperf.csv", least)
            .real("aiperf-0.13.0", "profile_export_aiperf.json")
    };
    assert_eq!(of_aiperf("26.00").verdict(&aiperf(), 128, 10), "valid");
    let cut = "an answer has 25.00 tokens, 128 were asked for: it was cut off, or the server ignores ignore_eos";
    assert_eq!(of_aiperf("25.00").verdict(&aiperf(), 128, 10), cut);
    let of_genai_perf = table("0.0.10", TABLE, "25.00");
    assert_eq!(of_genai_perf.verdict(&genai_perf("25.01"), 128, 250), cut);
    // The text of an answer may have few tokens, and the server has made all of them: where it told of each.
    let told = |answers: usize| {
        let line =
            "{\"metrics\":{\"usage_completion_tokens\":{\"value\":128,\"unit\":\"tokens\"}}}\n";
        of_aiperf("25.00").put("profile_export.jsonl", line.repeat(answers))
    };
    assert_eq!(told(10).verdict(&aiperf(), 128, 10), "valid");
    assert_eq!(told(9).verdict(&aiperf(), 128, 10), cut);
    // Of a trace, the length is the mean of several.
    let lines = "check_result \"$folder\" 128s0 10 && echo valid";
    let left = of_aiperf("2.00");
    let folder = [("folder", left.path().to_str().unwrap())];
    assert_eq!(run_in_client(&aiperf(), lines, &folder), "valid");
    // Where answers may end early.
    let lines = "request_fields='\"stream\": true'; check_result \"$folder\" 128 10 && echo valid";
    let left = of_aiperf("1.00");
    let folder = [("folder", left.path().to_str().unwrap())];
    assert_eq!(run_in_client(&aiperf(), lines, &folder), "valid");
}

/// A server that is out of memory ends answers by an error, when HTTP 200 is out already. What an answer says is no error.
#[test]
fn an_answer_that_ends_with_an_error_is_none() {
    let of_genai_perf = |events: &str| {
        let request = r#"{"timestamp":1,"request_inputs":{"payload":"{\"error\": {}}"},"response_timestamps":[2,3],"response_outputs":[{"response":"data: {\"choices\":[{\"delta\":{\"content\":\" a\"}}]}\n\n"},OUTPUT]}"#;
        let last = request.replace("OUTPUT", events);
        let whole = request.replace("OUTPUT", r#"{"response":"data: [DONE]"}"#);
        let requests = [vec![whole; 248], vec![last; 2]].concat().join(",");
        Left::new().real("0.0.10", TABLE).put(
            RAW,
            format!(r#"{{"experiments":[{{"requests":[{requests}]}}]}}"#),
        )
    };
    let broken = "answers that the server broke off, by an error or without an end: 2";
    for (events, said) in [
        (
            r#"{"response":"data: {\"error\":{\"message\":\"m\",\"code\":500}}\n\n"}"#,
            broken,
        ),
        (
            r#"{"response":"data: {\"id\":\"1\",\"error\": \"m\"}\n\ndata: [DONE]\n\n"}"#,
            broken,
        ),
        (
            r#"{"response":"data: {\"object\": \"error\", \"message\": \"m\"}\n\n"}"#,
            broken,
        ),
        (
            r#"{"response":"data: {\"choices\":[],\"error\": null}\n\ndata: [DONE]\n\n"}"#,
            "valid",
        ),
        (
            r#"{"response":"data: {\"choices\":[{\"delta\":{\"content\":\"{\\\"error\\\": {\\\"object\\\":\\\"error\\\"\"},\"finish_reason\":\"length\"}]}"}"#,
            "valid",
        ),
        // The connection was closed on the way: an end that is not yet there, and one that the text names.
        (
            r#"{"response":"data: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":null}]}\n\n"}"#,
            broken,
        ),
        (
            r#"{"response":"data: {\"choices\":[{\"delta\":{\"content\":\"\\\"finish_reason\\\": \\\"stop\\\"\"},\"finish_reason\":\"\"}]}\n\n"}"#,
            broken,
        ),
        (
            r#"{"response":"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"}"#,
            "valid",
        ),
        // Of Triton, a text stands in the file as it is.
        (
            r#"{"text_output":"say {\"error\": {\"object\": \"error\"}}"},{"response":"data: [DONE]"}"#,
            "valid",
        ),
    ] {
        let left = of_genai_perf(events);
        assert_eq!(
            left.verdict(&genai_perf("25.01"), 128, 250),
            said,
            "{events}"
        );
    }
    // AIPerf leaves the error out, but the usage comes at the end of an answer.
    let of_aiperf = |lines: &[&str]| {
        Left::new()
            .real("aiperf-0.13.0", "profile_export_aiperf.csv")
            .real("aiperf-0.13.0", "profile_export_aiperf.json")
            .put("profile_export.jsonl", lines.join("\n") + "\n")
    };
    let latency = r#""request_latency":{"value":9.0,"unit":"ms"}"#;
    let told = format!(
        r#"{{"metrics":{{{latency},"usage_completion_tokens":{{"value":128,"unit":"tokens"}}}},"error":null}}"#
    );
    let untold = format!(r#"{{"metrics":{{{latency}}},"error":null}}"#);
    let failed = r#"{"metrics":{"error_isl":{"value":128,"unit":"tokens"}},"error":{"code":499}}"#;
    let verdict = |lines: &[&str]| of_aiperf(lines).verdict(&aiperf(), 128, 10);
    let broken = "answers that the server broke off, which told the usage of all others: 2";
    let (told, untold) = (told.as_str(), untold.as_str());
    assert_eq!(
        verdict(&[[told; 8].as_slice(), &[untold; 2]].concat()),
        broken
    );
    // A server need not tell it, and a request that was cancelled at the end has none.
    assert_eq!(verdict(&[untold; 10]), "valid");
    assert_eq!(
        verdict(&[[told; 10].as_slice(), &[failed]].concat()),
        "valid"
    );
    // That lines are missing says nothing of an answer.
    assert_eq!(verdict(&[told; 9]), "valid");
}

/// GenAI-Perf counts neither the tokens of reasoning nor the time to the first one.
#[test]
fn reasoning_that_the_tool_does_not_count_is_no_result() {
    let left = |delta: &str| {
        let request = r#"{"timestamp":1,"response_outputs":[{"response":"data: {\"choices\":[{\"delta\":{DELTA}}]}\n\n"},{"response":"data: {\"choices\":[{\"delta\":{\"content\":\" \\\"reasoning\\\":\\\"a\"}}]}\n\n"}]}"#;
        let requests = vec![request.replace("DELTA", delta); 250].join(",");
        Left::new()
            .real("0.0.10", TABLE)
            .put(RAW, format!("[{requests}]"))
    };
    let none = "answers with reasoning_content, which GenAI-Perf does not count: 250; take AIPerf as the client, or turn thinking off";
    for (delta, said) in [
        (r#"\"reasoning_content\":\"a\""#, none),
        (r#"\"content\":null,\"reasoning\": \"\\n\""#, none),
        (r#"\"content\":\"a\",\"reasoning_content\":null"#, "valid"),
        (r#"\"content\":\"a\",\"reasoning\":\"\""#, "valid"),
    ] {
        assert_eq!(
            left(delta).verdict(&genai_perf("25.01"), 128, 250),
            said,
            "{delta}"
        );
    }
}

/// For how long the client says that the requests of a point ran, in ms, by the tool's table; and whether it
/// counts it as too short.
fn client_says(recipe: &Recipe, table: &str, text: &str, requests: u32) -> (u32, bool) {
    let program = fs::read_to_string("templates/launch/client.sh").unwrap();
    let judgement = program
        .lines()
        .find(|line| line.contains("too_short=$((too_short + 1))"))
        .unwrap();
    let name = format!("profile_export_{table}.csv");
    let left = Left::new()
        .put(&name, text)
        .put("profile_export_aiperf.json", r#"{"was_cancelled": false}"#);
    let lines = format!(
        "check_result \"$folder\" 16 {requests} || {{ echo \"$reason\" >&2; exit 1; }}\n{judgement}\necho \"$busy $too_short\""
    );
    let folder = [("folder", left.path().to_str().unwrap())];
    let said = run_in_client(recipe, &lines, &folder);
    let (busy, too_short) = said.split_once(' ').unwrap();
    (busy.parse().unwrap(), too_short == "1")
}

/// The job and the report have one definition of how long a point measured: from the first request to the last
/// answer, and it is too short below 10 s. The job has it from the tool's table, the report from each request.
#[test]
fn the_job_and_the_report_agree_on_what_is_too_short() {
    let genai_perf_s = |rate: f64, count: u32| {
        format!(
            "Metric,avg\nOutput Sequence Length (tokens),16.00\n\nMetric,Value\n\
             Output Token Throughput (per sec),{:.2}\nRequest Throughput (per sec),{rate:.2}\n\
             Request Count (count),{count}.00\n",
            16.0 * rate
        )
    };
    let aiperf_s = |seconds: f64, count: u32| {
        format!(
            "Metric,avg\nOutput Sequence Length (tokens),16.00\n\nMetric,Value\n\
             Output Token Throughput (tokens/sec),9.00\nBenchmark Duration (sec),{seconds:.2}\n\
             Request Count,{count}\n"
        )
    };
    // What the tools measured, by each request and by their own figures beside it.
    for (point, file, figure) in [
        ("genai-perf-2", "genai_perf", "request_throughput"),
        ("aiperf-1", "aiperf", "benchmark_duration"),
        ("aiperf-16", "aiperf", "benchmark_duration"),
    ] {
        let folder = camino::Utf8Path::new("tests/data/requests").join(point);
        let text = fs::read_to_string(folder.join(format!("profile_export_{file}.json"))).unwrap();
        let figures: Value = serde_json::from_str(&text).unwrap();
        let raw = if file == "aiperf" { "jsonl" } else { "json" };
        let requests = Requests::read(folder.join(format!("profile_export.{raw}"))).unwrap();
        let count = u32::try_from(requests.as_slice().len()).unwrap();
        let figure = figures[figure]["avg"].as_f64().unwrap();
        let (recipe, table) = if file == "aiperf" {
            (aiperf(), aiperf_s(figure, count))
        } else {
            (genai_perf("25.01"), genai_perf_s(figure, count))
        };
        let (busy, is_short) = client_says(&recipe, file, &table, count);
        let seconds = requests.figures().unwrap().seconds();
        let difference = f64::from(busy) / 1000.0 / seconds - 1.0;
        assert!(difference.abs() < 0.005, "{point}: {busy} ms, {seconds} s");
        assert!(is_short);
    }
    // At the bound itself: two requests, one after the other.
    for milliseconds in [9_900_u32, 9_990, 10_000, 10_100] {
        let seconds = f64::from(milliseconds) / 1000.0;
        let table = aiperf_s(seconds, 2);
        let (busy, is_short) = client_says(&aiperf(), "aiperf", &table, 2);
        assert_eq!((busy, is_short), (milliseconds, milliseconds < 10_000));

        let request = |from: u32, to: u32| {
            let at = |time: u32| 1_764_000_000_000_000_000 + u64::from(time) * 1_000_000;
            format!(
                r#"{{"timestamp":{},"response_timestamps":[{}],"response_outputs":[{{"response":"{}"}}]}}"#,
                at(from),
                at(to),
                r#"data: {\"choices\":[{\"delta\":{\"content\":\" a\"}}]}\n\n"#
            )
        };
        let middle = milliseconds / 2;
        let raw = format!(
            r#"{{"experiments":[{{"requests":[{},{}]}}]}}"#,
            request(0, middle),
            request(middle, milliseconds)
        );
        let results = Left::new()
            .put("llama_1_1_chat_128_16_7/profile_export.json", raw)
            .put(
                &format!("llama_1_1_chat_128_16_7/{TABLE}"),
                genai_perf_s(2.0 / seconds, 2),
            );
        let run = Run::read(camino::Utf8Path::from_path(results.path()).unwrap()).unwrap();
        let report: Value = serde_json::from_str(&Report::new(&run).to_json()).unwrap();
        let requests = &report["points"][0]["requests"];
        assert_eq!(requests["is_too_short"], is_short, "{report}");
        assert_eq!(requests["share_in_flight"], 1.0, "{report}");
    }
}

/// SGLang answers 400 while a request runs, also one of a client that is gone.
#[test]
fn a_busy_server_is_asked_again_to_empty_its_cache() {
    // vLLM has its own way to say no.
    let lines = "source templates/launch/flush_in_client.sh\nsleep() { :; }\n\
                 curl() {\n  echo >>\"$run/asked\"\n  case $(wc -l <\"$run/asked\") in\n\
                 1 | 3) echo '404' ;;\n2) echo 'busy 400' ;;\n*) echo '{\"success\": '\"$done\"'} 200' ;;\nesac; }\n\
                 done=true empty_cache && echo \"emptied at question $(wc -l <\"$run/asked\")\"\n\
                 done=false; sleep() { SECONDS=$((SECONDS + 4)); }\n\
                 empty_cache || echo \"$reason\"";
    assert_eq!(
        run_in_client(&aiperf(), lines, &[]),
        "emptied at question 4\n\
         the server did not empty its prefix cache, POST /reset_prefix_cache: HTTP 200, POST /flush_cache: HTTP 200"
    );
}
