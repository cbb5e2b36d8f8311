//! The tools' files of requests: what they say, and what becomes of those that are cut off, huge
//! or made to do harm.

use std::fs;
use std::io::Write;

use camino::{Utf8Path, Utf8PathBuf};
use nim_slurm::results::{Metric, Request, Requests, Run, Statistic, Tool};
use tempfile::TempDir;

#[expect(dead_code, reason = "other tests use all of it")]
#[path = "common/random.rs"]
mod random;
use random::Random;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> Utf8PathBuf {
        let path = Utf8Path::from_path(self.0.path()).unwrap().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

/// Reads a file with this text, and gives what is said of it, without the folder.
#[track_caller]
fn refusal(name: &str, text: impl AsRef<[u8]>) -> String {
    let folder = Folder::new();
    let path = folder.write(name, text);
    let error = Requests::read(&path).unwrap_err();
    assert_eq!(error.file(), path);
    let said = error.to_string();
    assert!(
        said.len() < 500 && !said.contains(char::is_control),
        "{said:?}"
    );
    said.strip_prefix(path.parent().unwrap().as_str())
        .unwrap()
        .to_owned()
}

fn aiperf(start: u64, first_ms: f64, latency_ms: f64, tokens: u32) -> String {
    aiperf_ended(start, first_ms, latency_ms, tokens, 0)
}

/// The same; the server ends its answer so many ms after the last token.
fn aiperf_ended(start: u64, first_ms: f64, latency_ms: f64, tokens: u32, behind_ms: u64) -> String {
    let latency = std::time::Duration::from_secs_f64(latency_ms / 1000.0).as_nanos();
    let end = start + u64::try_from(latency).unwrap() + 1_000_000 * behind_ms;
    format!(
        r#"{{"metadata":{{"request_start_ns":{start},"request_end_ns":{end},"benchmark_phase":"profiling","was_cancelled":false}},"metrics":{{"time_to_first_token":{{"value":{first_ms},"unit":"ms"}},"request_latency":{{"value":{latency_ms},"unit":"ms"}},"output_sequence_length":{{"value":{tokens},"unit":"tokens"}}}},"error":null}}"#
    )
}

/// A request as perf_analyzer writes it: with an event that has the role alone in front, and one
/// without a choice and the end behind.
fn exchange(start: u64, times: &[u64], usage: Option<u32>) -> String {
    let role = r#"data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#;
    let mut responses = vec![role.to_owned()];
    for _ in times {
        responses.push(r#"data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}"#.to_owned());
    }
    if let Some(tokens) = usage {
        responses.push(format!(
            r#"data: {{"object":"chat.completion.chunk","choices":[],"usage":{{"prompt_tokens":9,"completion_tokens":{tokens}}}}}"#
        ));
    }
    responses.push("data: [DONE]".to_owned());
    let last = times.last().unwrap();
    let mut at: Vec<u64> = vec![start + 1];
    at.extend(times);
    at.resize(responses.len(), last + 500);
    let outputs: Vec<String> = responses
        .iter()
        .map(|text| format!(r#"{{"response":{:?}}}"#, format!("{text}\n\n")))
        .collect();
    format!(
        r#"{{"timestamp":{start},"request_inputs":{{"payload":"{{}}"}},"response_timestamps":{at:?},"response_outputs":[{}]}}"#,
        outputs.join(",")
    )
}

fn genai_perf(exchanges: &[String]) -> String {
    format!(
        r#"{{"experiments":[{{"experiment":{{"mode":"concurrency","value":1}},"requests":[{}],"window_boundaries":[1,2]}}],"version":"2.51.0","service_kind":"openai","endpoint":"v1/chat/completions"}}"#,
        exchanges.join(",")
    )
}

#[test]
fn figures_of_all_requests_are_the_tools_own() {
    for (point, requests, tool) in [
        ("aiperf-1", 20, Tool::AiPerf),
        ("aiperf-16", 80, Tool::AiPerf),
        ("genai-perf-2", 10, Tool::GenAiPerf),
    ] {
        let run = Run::read(format!("tests/data/requests/{point}")).unwrap();
        let [point] = run.points() else {
            panic!("{:?}", run.points());
        };
        assert_eq!((point.tool(), run.problems()), (tool, &[][..]));
        let all = point.requests().unwrap();
        assert_eq!((all.as_slice().len(), all.failed()), (requests, 0));
        assert_eq!(point.request_count(), Some(requests as u64));
        let figures = all.figures().unwrap();
        for (metric, statistics) in figures.metrics() {
            let own = point.metric(metric).unwrap();
            // The tool's last end is of another clock than the requests' own.
            let bound = if metric.name().ends_with("throughput") {
                0.005
            } else {
                1e-5
            };
            for (statistic, value) in statistics.iter() {
                let Some(expected) = own.get(statistic) else {
                    // What this release does not write.
                    let absent = [
                        Statistic::P10,
                        Statistic::P5,
                        Statistic::P1,
                        Statistic::Count,
                    ];
                    assert!(tool == Tool::GenAiPerf && absent.contains(&statistic));
                    continue;
                };
                let difference = (value - expected).abs() / expected.abs().max(1e-9);
                assert!(
                    difference < bound,
                    "{metric} {statistic}: {value} {expected}"
                );
            }
        }
        assert_eq!(figures.metrics().count(), 5);
    }
}

#[test]
fn what_genai_perf_measures_is_from_the_first_to_the_last_text() {
    let folder = Folder::new();
    let texts = [
        exchange(1000, &[101_000, 111_000, 121_000], None),
        exchange(200_000, &[301_000, 311_000, 321_000], Some(5)),
    ];
    let path = folder.write("profile_export.json", genai_perf(&texts));
    let requests = Requests::read(path).unwrap();
    let [first, second] = requests.as_slice() else {
        panic!("{requests:?}");
    };
    let times = |request: &Request| {
        (
            request.start(),
            request.first_token().unwrap(),
            request.end(),
        )
    };
    assert_eq!(times(first), (1000, 101_000, 121_000));
    assert_eq!(times(second), (200_000, 301_000, 321_000));
    assert_eq!(first.output_tokens(), Some(3)); // the pieces
    assert_eq!(second.output_tokens(), Some(5)); // what the server says
    assert_eq!(second.inter_token_latency(), Some(0.005));
    assert_eq!(first.input_tokens(), None);
}

#[test]
fn several_events_in_one_response_and_answers_that_are_not_streamed() {
    let event = r#"data: {"choices":[{"delta":{"content":"a"}}]}"#;
    let both = format!("{event}\n\n{event}\n\n");
    let splinter = r#"data: {"choices":[{"delta":{"cont"#;
    let outputs = [
        both.as_str(),
        splinter,
        r#"ent":"b"}}]}"#,
        "data: [DONE]\n\n",
    ]
    .map(|text| format!(r#"{{"response":{text:?}}}"#));
    let streamed = format!(
        r#"{{"timestamp":1,"response_timestamps":[10,20,30,40],"response_outputs":[{}]}}"#,
        outputs.join(",")
    );
    let whole = r#"{"choices":[{"message":{"content":"a b c"}}],"usage":{"completion_tokens":3}}"#;
    let whole = format!(
        r#"{{"timestamp":50,"response_timestamps":[90],"response_outputs":[{{"response":{whole:?}}}]}}"#
    );
    let none = r#"{"timestamp":60,"response_timestamps":[],"response_outputs":[]}"#.to_owned();
    let folder = Folder::new();
    let path = folder.write("profile_export.json", genai_perf(&[streamed, whole, none]));
    let requests = Requests::read(path).unwrap();
    let [streamed, whole, none] = requests.as_slice() else {
        panic!("{requests:?}");
    };
    assert_eq!((streamed.output_tokens(), streamed.end()), (Some(3), 20));
    assert_eq!(
        (whole.first_token(), whole.output_tokens()),
        (None, Some(3))
    );
    assert_eq!(
        (whole.latency(), whole.inter_token_latency()),
        (Some(4e-5), None)
    );
    assert!(none.has_failed() && requests.failed() == 1);
}

/// Of Triton and TensorRT-LLM, and of embeddings and rankings, which have no text.
#[test]
fn answers_without_choices_have_not_failed() {
    let exchange = |outputs: &[String]| {
        let times: Vec<_> = (1..=outputs.len()).map(|number| 10 * number).collect();
        format!(
            r#"{{"timestamp":1,"response_timestamps":{times:?},"response_outputs":[{}]}}"#,
            outputs.join(",")
        )
    };
    let response = |text: &str| format!(r#"{{"response":{text:?}}}"#);
    let read = |outputs: &[String]| {
        let folder = Folder::new();
        let path = folder.write("profile_export.json", genai_perf(&[exchange(outputs)]));
        let requests = Requests::read(path).unwrap();
        let request = requests.as_slice()[0];
        (
            request.has_failed(),
            request.first_token(),
            request.output_tokens(),
            request.end(),
        )
    };
    let event = |text: &str| response(&format!("data: {{\"text_output\":\"{text}\"}}\n\n"));
    let generate = [event(""), event("a"), event("b"), event("")];
    assert_eq!(read(&generate), (false, Some(20), Some(2), 30));
    let whole = response(r#"{"model_name":"m","text_output":"a b"}"#);
    assert_eq!(read(&[whole]), (false, None, None, 10));
    let texts = ["", "a", "b"].map(|text| format!(r#"{{"text_output":"{text}"}}"#));
    assert_eq!(read(&texts), (false, Some(20), Some(2), 30));
    let ids = ["[7,8]", "9", "\"\""].map(|ids| format!(r#"{{"output_ids":{ids}}}"#));
    assert_eq!(read(&ids), (false, Some(10), Some(3), 20));
    for answer in [
        r#"{"object":"list","data":[{"embedding":[0.5]}],"usage":{"prompt_tokens":3,"total_tokens":3}}"#,
        r#"{"rankings":[{"index":0,"logit":1.5}]}"#,
        r#"[{"index":0,"score":0.5}]"#,
    ] {
        let found = read(&[response(answer)]);
        assert_eq!(found, (false, None, None, 10), "{answer}");
    }
    for failed in [
        "",
        "{}",
        "[]",
        r#"{"error":"no such model"}"#,
        r#"{"object":"error","message":"too long","code":400}"#,
        r#"{"choices":[]}"#,
        r#"{"text_output":""}"#,
        r#"{"rankings":[{"ind"#,
        "[1,",
        "data: {}",
        "Bad gateway",
    ] {
        assert!(read(&[response(failed)]).0, "{failed}");
    }
    assert!(read(&[r#"{"output_ids":{"a":[1]}}"#.to_owned()]).0);
    // However deep and many.
    let deep = format!(r#"{{"text_output":{}"#, "[".repeat(100_000));
    assert!(read(&[response(&deep)]).0);
}

#[test]
fn a_warm_up_is_not_measured_and_a_failed_request_has_no_value() {
    let folder = Folder::new();
    let lines = [
        aiperf(1, 10.0, 20.0, 2).replace("profiling", "warmup"),
        aiperf(2_000_000_000, 10.0, 20.0, 2).replace("\"error\":null", "\"error\":{\"code\":500}"),
        aiperf(1_000_000_000, 100.0, 400.0, 31),
        String::new(),
        r#"{"metadata":{"request_start_ns":5000000000,"request_end_ns":5000000001,"was_cancelled":true},"metrics":{}}"#.to_owned(),
    ];
    let path = folder.write("profile_export.jsonl", lines.join("\n"));
    let requests = Requests::read(path).unwrap();
    assert_eq!((requests.as_slice().len(), requests.failed()), (3, 2));
    assert!(requests.values(Metric::InterTokenLatency).eq([10.0]));
    assert_eq!(requests.as_slice()[0].start(), 1_000_000_000); // in order
}

#[test]
fn a_point_with_a_bad_file_keeps_the_tools_own_figures() {
    let folder = Folder::new();
    let json = fs::read("tests/data/requests/aiperf-1/profile_export_aiperf.json").unwrap();
    folder.write("profile_export_aiperf.json", json);
    let path = folder.write("profile_export.jsonl", "{\"metadata\":");
    let run = Run::read(path.parent().unwrap()).unwrap();
    let point = &run.points()[0];
    assert!(point.requests().is_none());
    assert_eq!(point.request_count(), Some(20)); // the tool's own
    assert!(
        point
            .value(Metric::TimeToFirstToken, Statistic::Avg)
            .is_some()
    );
    let [problem] = run.problems() else {
        panic!("{:?}", run.problems());
    };
    assert_eq!(
        (problem.line(), problem.message()),
        (Some(1), "is cut off here")
    );
}

#[test]
fn a_file_that_is_cut_anywhere_is_left_out() {
    for (point, file) in [
        ("aiperf-1", "profile_export.jsonl"),
        ("genai-perf-2", "profile_export.json"),
    ] {
        let source = Utf8PathBuf::from(format!("tests/data/requests/{point}"));
        let whole = fs::read(source.join(file)).unwrap();
        let folder = Folder::new();
        for entry in source.read_dir_utf8().unwrap() {
            let entry = entry.unwrap();
            folder.write(entry.file_name(), fs::read(entry.path()).unwrap());
        }
        // Between two lines, too, and within the last one but for what ends it.
        let breaks = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let breaks = breaks.flat_map(|(place, _)| [place, place + 1]);
        let places = (0..whole.len() - 1).step_by(997).chain(breaks);
        for place in places.filter(|place| *place < whole.len() - 1) {
            let path = folder.write(file, &whole[..place]);
            let run = Run::read(path.parent().unwrap()).unwrap();
            assert!(run.points()[0].requests().is_none(), "{place}");
            assert_eq!(run.problems().len(), 1, "{place}: {:?}", run.problems());
        }
        let path = folder.write(file, &whole);
        assert_eq!(Run::read(path.parent().unwrap()).unwrap().problems(), []);
    }
}

#[test]
fn one_clear_error() {
    let good = aiperf(1, 10.0, 20.0, 2);
    let jsonl = |text: &str| refusal("profile_export.jsonl", text);
    assert_eq!(jsonl(""), "/profile_export.jsonl: has no request in it");
    assert_eq!(
        jsonl(&format!("{good}\n{}", &good[..100])),
        "/profile_export.jsonl:2: is cut off here"
    );
    assert_eq!(
        jsonl("{}"),
        "/profile_export.jsonl:1: is no request of AIPerf: missing field `metadata`"
    );
    assert_eq!(
        jsonl("no"),
        "/profile_export.jsonl:1: is no JSON from here on: expected ident"
    );
    assert_eq!(
        jsonl(
            &good
                .replace("20,", "-20,")
                .replace("\"value\":20", "\"value\":-20")
        ),
        "/profile_export.jsonl:1: request_latency is -20, which cannot be"
    );
    assert_eq!(
        jsonl(&good.replacen("\"ms\"", "\"\\u001b[2J\"", 1)),
        "/profile_export.jsonl:1: time_to_first_token is in \"\\u{1b}[2J\": ns, us, ms or s is expected"
    );
    assert_eq!(
        jsonl(&good.replace("\"value\":10", "\"value\":30")),
        "/profile_export.jsonl:1: has a request that starts at 1, has its first token at 30000001 \
         and ends at 20000001"
    );
    let json = |text: &str| refusal("profile_export.json", text);
    let exchange = exchange(1, &[100], None);
    let whole = genai_perf(std::slice::from_ref(&exchange));
    assert_eq!(json("{}"), "/profile_export.json: has no request in it");
    assert_eq!(
        json(&whole[..300]),
        "/profile_export.json:1: is cut off here"
    );
    assert_eq!(
        json("[1]"),
        "/profile_export.json:1: is no request of GenAI-Perf: invalid type: sequence, expected an \
         object with \\\"experiments\\\""
    );
    assert_eq!(
        json(&whole.replace("\"timestamp\":1,", "\"timestamp\":5000,")),
        "/profile_export.json:1: is no request of GenAI-Perf: has a request that starts at 5000, has \
         its first token at 100 and ends at 100"
    );
    assert_eq!(
        json(&genai_perf(&[exchange.replace("[2, ", "[")])),
        "/profile_export.json:1: is no request of GenAI-Perf: it has 3 responses and 2 times of them"
    );
    assert_eq!(
        json(&whole.replace("\"experiments\":[", "\"experiments\":[{},")),
        "/profile_export.json: has 2 experiments: one is expected"
    );
    let binary = refusal("profile_export.jsonl", [0xff, 0xfe, 0, b'\n']);
    assert!(binary.contains(":1: is no JSON from here on"), "{binary}");
}

#[test]
fn no_file_makes_its_reader_wait_or_run_out_of_memory() {
    for text in [
        "[".repeat(1_000_000),
        "{\"experiments\":".repeat(100_000),
        format!(
            "{{\"experiments\":[{{\"requests\":{}",
            "[".repeat(1_000_000)
        ),
        format!("{{\"metadata\":{}", "{\"a\":".repeat(100_000)),
    ] {
        refusal("profile_export.json", &text);
        refusal("profile_export.jsonl", &text);
    }
    // One request that never ends; with holes, the file takes no disk.
    let folder = Folder::new();
    for (name, start) in [
        ("profile_export.jsonl", "{\"metadata\":\""),
        (
            "profile_export.json",
            "{\"experiments\":[{\"requests\":[{\"timestamp\":1,\"response_outputs\":[{\"response\":\"",
        ),
    ] {
        let path = folder.write(name, start);
        let mut file = fs::File::options().append(true).open(&path).unwrap();
        let block = vec![b'a'; 1 << 20];
        for _ in 0..40 {
            file.write_all(&block).unwrap();
        }
        let said = Requests::read(&path).unwrap_err().to_string();
        assert!(said.contains("has more than 33554432 bytes"), "{said}");
        file.set_len(64 << 30).unwrap();
        let said = Requests::read(&path).unwrap_err().to_string();
        assert!(
            said.ends_with("has 68719476736 bytes: a file of up to 34359738368 is read"),
            "{said}"
        );
    }
    for path in ["/dev/zero", "/dev"] {
        let error = Requests::read(path).unwrap_err();
        assert!(
            error.to_string().contains("is not a regular file"),
            "{error}"
        );
    }
}

/// What a client leaves out of a load is none of it; what conversations wait is.
#[test]
fn conversations_that_wait_have_no_steady_part() {
    let folder = Folder::new();
    let file = |last_turn: u64| -> String {
        let line = |number: u64| {
            let start = 500 * number + if number < 6 { 0 } else { 2000 };
            let turn = format!(r#""turn_index":{},"was_cancelled""#, number.min(last_turn));
            let text = aiperf(1_000_000 * start, 50.0, 400.0, 36);
            text.replace(r#""was_cancelled""#, &turn) + "\n"
        };
        (0..20).map(line).collect()
    };
    let steady = |last_turn| {
        let path = folder.write("profile_export.jsonl", file(last_turn));
        Requests::read(path).unwrap().steady()
    };
    assert!(steady(0).unwrap().seconds() > 6.8);
    assert_eq!(steady(3), None);
}

/// A point of this rate, for which the tool sent `count` requests at the rate `sent`, with `words` in its measurement.txt and `config`
/// as its own configuration.
fn rated(asked: &str, (count, sent): (u32, f64), words: &str, config: &str) -> (TempDir, Run) {
    let folder = tempfile::tempdir().unwrap();
    let results = Utf8Path::from_path(folder.path()).unwrap();
    let point = results.join(format!("m_4_rate{asked}_chat_128_128_7"));
    fs::create_dir(&point).unwrap();
    let lines: Vec<_> = (0..count)
        .map(|number| {
            let after = std::time::Duration::from_secs_f64(f64::from(number) / sent);
            let start = 1_000_000_000 + u64::try_from(after.as_nanos()).unwrap();
            aiperf(start, 10.0, 50.0, 9)
        })
        .collect();
    fs::write(point.join("profile_export.jsonl"), lines.join("\n")).unwrap();
    let table = format!(
        r#"{{"output_token_throughput": {{"unit": "tokens/sec", "avg": 500}}, "request_count": {{"unit": "requests", "avg": {count}}},
            "time_to_first_token": {{"unit": "ms", "avg": 10, "p95": 10}}, "input_config": {config}}}"#
    );
    fs::write(point.join("profile_export_aiperf.json"), table).unwrap();
    if !words.is_empty() {
        let words = words.replace(' ', "\nown_command=");
        let words = format!("own_command={words}\n");
        fs::write(point.join("measurement.txt"), words).unwrap();
    }
    let run = Run::read(results).unwrap();
    (folder, run)
}

/// Half of the requests a second is a point of another rate, whatever its folder says.
#[test]
fn a_rate_that_the_client_did_not_reach_is_not_to_be_trusted() {
    let (_folder, run) = rated("100", (1000, 50.0), "", "{}");
    let point = &run.points()[0];
    let said = "50.0 requests/s were sent, 100 were asked for: the client did not keep up";
    assert_eq!(point.caveat().as_deref(), Some(said));
    let problems: Vec<_> = run
        .problems()
        .iter()
        .map(nim_slurm::results::ReadProblem::message)
        .collect();
    assert_eq!(problems, [said]);
    let limits = nim_slurm::results::Limits::new(Statistic::P95).time_to_first_token(100.0);
    let group = &run.groups()[0];
    assert_eq!(limits.verdict(point), nim_slurm::results::Verdict::Within);
    assert_eq!(group.best_within(&limits), None);
    assert_eq!(group.best_throughput(), None);
    assert!(group.pareto_front().is_empty());
    let table = nim_slurm::Report::new(&run).with_limits(limits).to_table();
    let row = table.lines().find(|line| line.contains("100/s")).unwrap();
    assert!(row.trim_start().starts_with('!'), "{table}");
    assert_eq!(run.means().points()[0].caveat().as_deref(), Some(said));
}

/// A point of this concurrency: `clients` send `each` requests of 100 ms one after the other, with pauses in ms between them.
fn in_flight(asked: u32, (clients, each, pause): (u32, u32, u32), words: &str) -> (TempDir, Run) {
    let folder = tempfile::tempdir().unwrap();
    let results = Utf8Path::from_path(folder.path()).unwrap();
    let point = results.join(format!("m_4_{asked}_chat_128_128_7"));
    fs::create_dir(&point).unwrap();
    let starts = (0..clients * each).map(|number| {
        let milliseconds = number / clients * (100 + pause) + number % clients;
        1_000_000_000 + 1_000_000 * u64::from(milliseconds)
    });
    let lines: Vec<_> = starts.map(|start| aiperf(start, 10.0, 100.0, 9)).collect();
    fs::write(point.join("profile_export.jsonl"), lines.join("\n")).unwrap();
    let table = r#"{"output_token_throughput": {"unit": "tokens/sec", "avg": 500},
        "time_to_first_token": {"unit": "ms", "avg": 10, "p95": 10}}"#;
    fs::write(point.join("profile_export_aiperf.json"), table).unwrap();
    fs::write(point.join("measurement.txt"), words).unwrap();
    let run = Run::read(results).unwrap();
    (folder, run)
}

/// A client that cannot keep as many in flight measures another concurrency.
#[test]
fn a_concurrency_that_the_client_did_not_keep_is_not_to_be_trusted() {
    let (_folder, run) = in_flight(20, (20, 30, 40), "");
    let point = &run.points()[0];
    let caveat = point.caveat().unwrap();
    let (mean, rest) = caveat.split_once(' ').unwrap();
    assert!(
        (mean.parse::<f64>().unwrap() / (20.0 / 1.4) - 1.0).abs() < 0.02,
        "{caveat}"
    );
    assert_eq!(
        rest,
        "requests were in flight, 20 were asked for: the client did not keep up"
    );
    assert_eq!(run.groups()[0].best_throughput(), None);
    let turns = |point: &Utf8Path| {
        let file = point.join("profile_export.jsonl");
        let text = fs::read_to_string(&file).unwrap();
        let turns = text.replace(r#""was_cancelled""#, r#""turn_index":1,"was_cancelled""#);
        fs::write(&file, turns).unwrap();
    };
    turns(point.path());
    assert_eq!(Run::read(run.path()).unwrap().points()[0].caveat(), None);
    let ramp = "own_command=--concurrency-ramp-duration\nown_command=30\n";
    for (asked, sent, words, is_short) in [
        (20, (20, 30, 12), "", true),
        (20, (20, 30, 10), "", false),
        (20, (18, 30, 0), "", false),
        (20, (17, 30, 0), "", true),
        (1, (1, 30, 5), "", false),
        // Less than three waves, and less than a second.
        (200, (20, 29, 40), "", false),
        (20, (20, 8, 40), "", false),
        (20, (20, 30, 40), ramp, false),
    ] {
        let (_folder, run) = in_flight(asked, sent, words);
        let caveat = run.points()[0].caveat();
        assert_eq!(
            caveat.is_some(),
            is_short,
            "{asked} {sent:?} {words} {caveat:?}"
        );
        if words.is_empty() {
            let said = counted_by_search(run.points()[0].path(), &[&asked.to_string(), "ttft=20"]);
            assert_eq!(said == "not reached", is_short, "{asked} {sent:?} {said}");
        }
    }
}

/// A server may end its answer after the last token: the client waits for it, and has as many in flight.
#[test]
fn a_request_is_in_flight_until_its_answer_has_ended() {
    let (folder, run) = in_flight(20, (20, 30, 40), "");
    let results = Utf8Path::from_path(folder.path()).unwrap();
    let aiperf_s = run.points()[0].path().join("profile_export.jsonl");
    let starts = run.points()[0].requests().unwrap().as_slice().iter();
    let starts: Vec<_> = starts.map(nim_slurm::results::Request::start).collect();
    let lines: Vec<_> = starts
        .iter()
        .map(|start| aiperf_ended(*start, 10.0, 100.0, 9, 40))
        .collect();
    fs::write(&aiperf_s, lines.join("\n")).unwrap();
    let trusted = || {
        let run = Run::read(results).unwrap();
        let point = &run.points()[0];
        let latency = point.requests().unwrap().as_slice()[0].latency();
        assert_eq!((point.caveat(), latency), (None, Some(100.0)));
        let said = counted_by_search(point.path(), &["20", "ttft=20"]);
        assert_ne!(said, "not reached");
    };
    trusted();
    fs::remove_file(&aiperf_s).unwrap();
    let of = |start: &u64| {
        let text = exchange(*start, &[start + 10_000_000, start + 100_000_000], Some(2));
        text.replace(
            &format!("{}]", start + 100_000_500),
            &format!("{}]", start + 140_000_000),
        )
    };
    let exchanges: Vec<_> = starts.iter().map(of).collect();
    fs::write(aiperf_s.with_extension("json"), genai_perf(&exchanges)).unwrap();
    fs::rename(
        aiperf_s.with_file_name("profile_export_aiperf.json"),
        aiperf_s.with_file_name("profile_export_genai_perf.json"),
    )
    .unwrap();
    trusted();
}

/// GenAI-Perf gives each of its threads as many requests beforehand: where answers differ in length, some are done early.
#[test]
fn threads_that_are_done_early_kept_their_concurrency() {
    let folder = Folder::new();
    let name = |file: &str| format!("m_4_8_chat_128_128_7/{file}");
    fs::create_dir(folder.0.path().join(name(""))).unwrap();
    let table = r#"{"request_count": {"unit": "requests", "avg": 40}}"#;
    folder.write(&name("profile_export_genai_perf.json"), table);
    let of_thread = |thread: u64| {
        let latency = (1000 + 150 * thread) * 1_000_000;
        (0..5)
            .map(move |number| number * latency)
            .map(move |start| {
                let start = 1_000_000_000 + start;
                exchange(start, &[start + latency / 2, start + latency], None)
            })
    };
    let exchanges: Vec<_> = (0..8).flat_map(of_thread).collect();
    let file = folder.write(&name("profile_export.json"), genai_perf(&exchanges));
    let run = Run::read(file.parent().unwrap().parent().unwrap()).unwrap();
    assert_eq!(run.points()[0].requests().unwrap().as_slice().len(), 40);
    assert_eq!(run.points()[0].caveat(), None);
    let said = counted_by_search(run.points()[0].path(), &["8", "ttft=900"]);
    assert_ne!(said, "not reached");
}

/// A client that is later and later replays another trace.
#[test]
fn a_trace_that_the_client_did_not_keep_is_not_to_be_trusted() {
    let (folder, _) = in_flight(1, (1, 101, 24), "");
    let results = Utf8Path::from_path(folder.path()).unwrap();
    let point = results.join("m_4_schedule_replay_data_data_7");
    fs::rename(results.join("m_4_1_chat_128_128_7"), &point).unwrap();
    for (late, expected) in [
        // Of the 12.4 s in which they were sent.
        (
            3060.0,
            Some(
                "requests were sent 3.06 s late on average, within 12.4 s: the client did not keep up",
            ),
        ),
        (
            320.0,
            Some(
                "requests were sent 0.32 s late on average, within 12.4 s: the client did not keep up",
            ),
        ),
        (300.0, None),
        (50.0, None),
    ] {
        let table = format!(
            r#"{{"output_token_throughput": {{"unit": "tokens/sec", "avg": 500}}, "credit_to_start_latency": {{"unit": "ms", "avg": {late}}}}}"#
        );
        fs::write(point.join("profile_export_aiperf.json"), table).unwrap();
        let run = Run::read(results).unwrap();
        assert_eq!(run.points()[0].caveat().as_deref(), expected, "{late}");
    }
    // Before 0.13, the file of requests says it.
    fs::write(
        point.join("profile_export_aiperf.json"),
        r#"{"output_token_throughput": {"unit": "tokens/sec", "avg": 500}}"#,
    )
    .unwrap();
    let file = point.join("profile_export.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    for (late, is_late) in [(320, true), (300, false)] {
        let due = |line: &str| {
            let (_, start) = line.split_once(r#""request_start_ns":"#).unwrap();
            let start: u64 = start.split(',').next().unwrap().parse().unwrap();
            let due = format!(r#"{{"credit_issued_ns":{},"#, start - late * 1_000_000);
            line.replacen(r#"{"request_start"#, &format!(r#"{due}"request_start"#), 1)
        };
        fs::write(&file, text.lines().map(due).collect::<Vec<_>>().join("\n")).unwrap();
        let run = Run::read(results).unwrap();
        let caveat = run.points()[0].caveat();
        assert_eq!(caveat.is_some(), is_late, "{late} {caveat:?}");
    }
}

/// A point of this rate at constant gaps, with the latency of each request by when it was sent, in seconds, and its number.
fn answered(rate: f64, count: u32, latency_ms: impl Fn(f64, u32) -> f64) -> (TempDir, Run) {
    let words = "aiperf profile --arrival-pattern constant";
    let (folder, run) = rated(&rate.to_string(), (count, rate), words, "{}");
    let lines: Vec<_> = (0..count)
        .map(|number| {
            let sent = f64::from(number) / rate;
            let nanoseconds = std::time::Duration::from_secs_f64(sent).as_nanos();
            let start = 1_000_000_000 + u64::try_from(nanoseconds).unwrap();
            aiperf(start, 10.0, latency_ms(sent, number), 9)
        })
        .collect();
    fs::write(
        run.points()[0].path().join("profile_export.jsonl"),
        lines.join("\n"),
    )
    .unwrap();
    let run = Run::read(run.path()).unwrap();
    (folder, run)
}

/// A queue that grows to the end is no load that stays, and its latencies tell how long one measured.
#[test]
fn a_rate_that_the_server_did_not_keep_up_with_is_not_to_be_trusted() {
    for (rate, said) in [
        (
            12.0,
            "12.0 requests/s were sent, 7.50 were answered: the server did not keep up",
        ),
        (
            10.0,
            "10.0 requests/s were sent, 7.50 were answered: the server did not keep up",
        ),
    ] {
        // Each waits for those before it.
        let (_folder, run) = answered(rate, 190, |sent, number| {
            1000.0 * (1.0 + f64::from(number) / 7.5 - sent)
        });
        let point = &run.points()[0];
        assert_eq!(point.caveat().as_deref(), Some(said));
        let load = format!("rate{rate}");
        let words = [&load, "ttft=9000", "--", "--arrival-pattern", "constant"];
        assert_eq!(counted_by_search(point.path(), &words), "not reached");
        let group = &run.groups()[0];
        assert_eq!(group.best_throughput(), None);
        assert!(group.pareto_front().is_empty());
        assert_eq!(point.requests().unwrap().steady(), None, "{rate}");
    }
}

/// Short points, latencies that differ, servers that become busy, and a moment in which one did nothing.
#[test]
fn a_rate_that_holds_is_trusted() {
    let mixed = |number: u32| f64::from(number * 7919 % 101) / 101.0;
    for count in [20, 60, 190, 1000] {
        for latency in [1.0, 20.0] {
            let latencies: [&dyn Fn(f64, u32) -> f64; 4] = [
                &|_, _| latency,
                &|_, number| latency * (0.1 + 1.8 * mixed(number)),
                &|sent, _| latency * (1.0 - 0.8 * (-2.0 * sent / latency).exp()),
                &|sent, _| latency + (5.0 - sent % 50.0).max(0.0),
            ];
            for (place, of) in latencies.iter().enumerate() {
                // Requests are sent for 1.5 latencies at least, and for three where a server becomes busy: before, none is at its end.
                let latencies = if place == 2 { 3.0 } else { 1.5 };
                let rate = (f64::from(count) / latency / latencies).min(10.0);
                let rate = (rate * 100.0).round() / 100.0;
                let (_folder, run) =
                    answered(rate, count, |sent, number| 1000.0 * of(sent, number));
                let caveat = run.points()[0].caveat();
                assert_eq!(caveat, None, "{count} {latency} {place}");
            }
        }
    }
}

/// A server of which the rate that it can do is known.
#[derive(Clone, Copy)]
enum Server {
    /// So many at once, each for so many seconds; the others wait.
    Waiting(usize, f64),
    /// All at once: for each token, so many seconds, and so many more for each other request. The answers have so many tokens.
    Batching(f64, f64, f64),
}

impl Server {
    fn most(self) -> f64 {
        match self {
            Self::Waiting(at_once, latency) => f64::from(u32::try_from(at_once).unwrap()) / latency,
            Self::Batching(_, load, tokens) => 1.0 / (load * tokens),
        }
    }

    /// Each request's start and end, in seconds: they come at random, as many in a second as this share of what it can do.
    fn answer(self, load: f64, count: u32, random: &mut Random) -> Vec<(f64, f64)> {
        let mut at = 0.0;
        let starts = std::iter::repeat_with(|| {
            at -= random.share().ln() / (load * self.most());
            at
        });
        let starts: Vec<f64> = starts.take(usize::try_from(count).unwrap()).collect();
        let ends = match self {
            Self::Waiting(at_once, latency) => {
                starts.iter().fold(Vec::new(), |mut ends: Vec<f64>, start| {
                    let free = ends
                        .len()
                        .checked_sub(at_once)
                        .map_or(0.0, |before| ends[before]);
                    ends.push(start.max(free) + latency);
                    ends
                })
            }
            Self::Batching(alone, more, tokens) => {
                // Of each that came, how many tokens all that are in flight have had until it is done.
                let (mut ends, mut goals, mut now, mut had) =
                    (Vec::new(), Vec::<f64>::new(), 0.0, 0.0);
                while ends.len() < starts.len() {
                    let running = goals.len() - ends.len();
                    let step = alone + more * (f64::from(u32::try_from(running).unwrap()) - 1.0);
                    let done = goals
                        .get(ends.len())
                        .map_or(f64::INFINITY, |goal| now + (goal - had) * step);
                    match starts.get(goals.len()) {
                        Some(start) if *start < done => {
                            had += if running > 0 {
                                (start - now) / step
                            } else {
                                0.0
                            };
                            now = *start;
                            goals.push(had + tokens);
                        }
                        _ => {
                            (now, had) = (done, goals[ends.len()]);
                            ends.push(now);
                        }
                    }
                }
                ends
            }
        };
        starts.into_iter().zip(ends).collect()
    }
}

/// How many of a hundred points are said to be more than the server can do; by the report and by the client's search alike.
fn found(server: Server, load: f64, count: u32) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let results = Utf8Path::from_path(folder.path()).unwrap();
    let mut random = Random(7);
    let rate = (load * server.most() * 100.0).round() / 100.0;
    for job in 1..=100 {
        let point = results.join(format!("m_4_rate{rate}_chat_128_128_{job}"));
        fs::create_dir(&point).unwrap();
        let of = |(start, end): (f64, f64)| {
            let start_ns = 1_000_000_000 + std::time::Duration::from_secs_f64(start).as_nanos();
            aiperf(
                u64::try_from(start_ns).unwrap(),
                10.0,
                1000.0 * (end - start),
                128,
            )
        };
        let lines: Vec<_> = server
            .answer(load, count, &mut random)
            .into_iter()
            .map(of)
            .collect();
        fs::write(point.join("profile_export.jsonl"), lines.join("\n")).unwrap();
        let table = r#"{"output_token_throughput": {"unit": "tokens/sec", "avg": 500}}"#;
        fs::write(point.join("profile_export_aiperf.json"), table).unwrap();
    }
    let run = Run::read(results).unwrap();
    let is_over = |point: &&nim_slurm::results::Point| {
        point
            .caveat()
            .is_some_and(|why| why.ends_with("the server did not keep up"))
    };
    let over: Vec<_> = run
        .points()
        .iter()
        .filter(is_over)
        .map(nim_slurm::results::Point::path)
        .collect();
    let program = format!(
        "import glob, runpy\nm = runpy.run_path('src/script/search.py')\n\
         for it in glob.glob('{results}/*'):\n    if m['count'](it, 'rate0', [], []) == 'not reached':\n        print(it)"
    );
    let output = std::process::Command::new("python3")
        .args(["-I", "-c", &program])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let mut said: Vec<_> = said.lines().map(Utf8Path::new).collect();
    let mut expected = over.clone();
    said.sort_unstable();
    expected.sort_unstable();
    assert_eq!(
        said,
        expected,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    over.len()
}

/// Both kinds of servers: those that have requests wait, and those that batch and become slower with each.
#[test]
fn what_is_more_than_a_server_can_do_is_found() {
    let (waiting, slow) = (Server::Waiting(8, 0.5), Server::Waiting(1, 4.0));
    let batching = Server::Batching(0.02, 0.003, 128.0);
    let mut rows = Vec::new();
    for (server, load, count, (least, most)) in [
        (waiting, 0.9, 300, (0, 0)),
        (waiting, 0.97, 300, (0, 5)),
        (waiting, 1.25, 300, (70, 100)),
        (waiting, 2.0, 300, (100, 100)),
        (slow, 0.5, 30, (0, 0)),
        (slow, 0.91, 30, (0, 2)),
        (slow, 2.0, 30, (75, 100)),
        // For a minute.
        (batching, 0.58, 91, (0, 2)),
        (batching, 0.77, 120, (0, 8)),
        (batching, 1.25, 195, (80, 100)),
        (batching, 1.92, 300, (95, 100)),
        (batching, 3.0, 480, (60, 100)),
        // For less than three answers of 20 s at least, nothing can be said.
        (Server::Batching(0.02, 0.0003, 1000.0), 0.58, 100, (0, 10)),
    ] {
        let found = found(server, load, count);
        rows.push((load, count, found, (least..=most).contains(&found)));
    }
    assert!(rows.iter().all(|row| row.3), "{rows:#?}");
}

/// What the client's search counts of a point's requests.
fn counted_by_search(point: &Utf8Path, arguments: &[&str]) -> String {
    let output = std::process::Command::new("python3")
        .args(["-I", "src/script/search.py", "count", point.as_str()])
        .args(arguments)
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

/// The same at 100 requests a second; it has the words of the command.
fn counted_at_a_rate(point: &Utf8Path, words: &str) -> String {
    let words: Vec<&str> = words.split(' ').collect();
    counted_by_search(point, &[&["rate100", "ttft=20", "--"], &words[..]].concat())
}

/// A request without an answer was sent, too: for the report, and for the client's search.
#[test]
fn requests_without_an_answer_were_sent() {
    let (folder, run) = rated(
        "100",
        (400, 100.0),
        "aiperf profile --arrival-pattern constant",
        "{}",
    );
    let file = run.points()[0].path().join("profile_export.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let lines = text.lines().enumerate().map(|(number, line)| {
        let failed = line.replace(r#""error":null"#, r#""error":{"code":500}"#);
        if number % 4 == 1 {
            failed
        } else {
            line.to_owned()
        }
    });
    fs::write(&file, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let run = Run::read(Utf8Path::from_path(folder.path()).unwrap()).unwrap();
    let point = &run.points()[0];
    assert_eq!(point.requests().unwrap().failed(), 100);
    let caveat = point.caveat().unwrap();
    assert!(!caveat.contains("did not keep up"), "{caveat}");
    let said = counted_at_a_rate(point.path(), "aiperf profile --arrival-pattern constant");
    assert_eq!(said, "ttft:100/400");
}

/// Chance alone makes random arrivals slower or faster.
#[test]
fn what_chance_does_to_a_rate_is_no_caveat() {
    let pattern = |words: &str| format!("aiperf profile --arrival-pattern {words}");
    let phase = |more: &str| {
        format!(
            r#"{{"phases": [{{"kind": "warmup", "type": "constant"}}, {{"kind": "profiling", {more}}}]}}"#
        )
    };
    let loadgen = |more: &str| format!(r#"{{"loadgen": {{"request_rate": 100, {more}}}}}"#);
    for (words, config, requests, is_short) in [
        // Of 400 at random, 5 % and three times 1 / 20.
        (String::new(), "{}".to_owned(), (400, 81.0), false),
        (String::new(), "{}".to_owned(), (400, 79.0), true),
        (pattern("poisson"), "{}".to_owned(), (400, 81.0), false),
        (pattern("poisson"), "{}".to_owned(), (400, 79.0), true),
        (pattern("constant"), "{}".to_owned(), (400, 96.0), false),
        (pattern("constant"), "{}".to_owned(), (400, 94.0), true),
        (
            "genai-perf profile -- --request-distribution constant".to_owned(),
            "{}".to_owned(),
            (400, 94.0),
            true,
        ),
        (
            "aiperf profile --request-rate-mode constant".to_owned(),
            "{}".to_owned(),
            (400, 94.0),
            true,
        ),
        // A quarter as smooth is twice as wide.
        (
            pattern("gamma --arrival-smoothness 0.25"),
            "{}".to_owned(),
            (400, 66.0),
            false,
        ),
        (
            pattern("gamma --arrival-smoothness 0.25"),
            "{}".to_owned(),
            (400, 64.0),
            true,
        ),
        // What the tool itself says.
        (
            String::new(),
            phase(r#""type": "constant""#),
            (400, 94.0),
            true,
        ),
        (
            String::new(),
            phase(r#""type": "gamma", "smoothness": 0.25"#),
            (400, 66.0),
            false,
        ),
        (
            String::new(),
            loadgen(r#""arrival_pattern": "constant""#),
            (400, 94.0),
            true,
        ),
        (
            String::new(),
            loadgen(r#""arrival_pattern": "gamma", "arrival_smoothness": 0.25"#),
            (400, 66.0),
            false,
        ),
        // A rate that rises is lower on average.
        (
            pattern("constant --request-rate-ramp-duration 30"),
            "{}".to_owned(),
            (400, 50.0),
            false,
        ),
        (
            String::new(),
            phase(r#""type": "constant", "rate_ramp": {"duration": 30.0}"#),
            (400, 50.0),
            false,
        ),
        (
            String::new(),
            loadgen(r#""request_rate_ramp_duration": 30"#),
            (400, 50.0),
            false,
        ),
        // Few requests tell nothing, and one has no rate; more than was asked for is no lack.
        (String::new(), "{}".to_owned(), (9, 1.0), false),
        (pattern("constant"), "{}".to_owned(), (1, 1.0), false),
        (pattern("constant"), "{}".to_owned(), (400, 120.0), false),
    ] {
        let (_folder, run) = rated("100", requests, &words, &config);
        let caveat = run.points()[0].caveat();
        assert_eq!(
            caveat.is_some(),
            is_short,
            "{words} {config} {requests:?}: {caveat:?}"
        );
        if config == "{}" {
            let of_search = counted_at_a_rate(run.points()[0].path(), &words);
            let counted = format!("ttft:0/{}", requests.0);
            let expected = if is_short { "not reached" } else { &counted };
            assert_eq!(of_search, expected, "{words} {requests:?}");
        }
    }
}

/// Later turns wait for answers, a server has its files in the point's folder, and GenAI-Perf's requests have times, too.
#[test]
fn which_rates_are_checked() {
    let (folder, _) = rated("100", (400, 50.0), "", "{}");
    let results = Utf8Path::from_path(folder.path()).unwrap();
    let point = results.join("m_4_rate100_chat_128_128_7");
    let caveats = || {
        let run = Run::read(results).unwrap();
        let caveats = run.points().iter().map(|point| point.caveat().is_some());
        caveats.collect::<Vec<_>>()
    };
    assert_eq!(caveats(), [true]);
    let file = point.join("profile_export.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let turns = text.replace(r#""was_cancelled""#, r#""turn_index":1,"was_cancelled""#);
    fs::write(&file, turns).unwrap();
    assert_eq!(caveats(), [false]);
    fs::write(&file, text).unwrap();
    // Both of two servers have the rate, and one measurement.txt says of both that it rises.
    for server in ["server-0", "server-1"] {
        fs::create_dir(point.join(server)).unwrap();
        for name in ["profile_export.jsonl", "profile_export_aiperf.json"] {
            fs::copy(point.join(name), point.join(server).join(name)).unwrap();
        }
    }
    for name in ["profile_export.jsonl", "profile_export_aiperf.json"] {
        fs::remove_file(point.join(name)).unwrap();
    }
    assert_eq!(caveats(), [true, true]);
    let ramp = "own_command=--request-rate-ramp-duration\nown_command=30\n";
    fs::write(point.join("measurement.txt"), ramp).unwrap();
    assert_eq!(caveats(), [false, false]);

    let folder = Folder::new();
    let start = |number: u64| 1_000_000_000 + number * 20_000_000;
    let all: Vec<_> = (0..400)
        .map(|number| exchange(start(number), &[start(number) + 5, start(number) + 9], None))
        .collect();
    folder.write("profile_export.json", genai_perf(&all));
    let config = r#"{"request_count": {"unit": "requests", "avg": 400}, "input_config": {"request_rate": 100}}"#;
    let path = folder.write("profile_export_genai_perf.json", config);
    let run = Run::read(path.parent().unwrap()).unwrap();
    let caveat = run.points()[0].caveat().unwrap();
    assert!(caveat.starts_with("50.0 requests/s were sent"), "{caveat}");
}

/// GenAI-Perf leaves requests without an answer out of its means, counts them in the requests a second, and says nothing.
#[test]
fn answers_that_did_not_come_are_told_of_genai_perf_too() {
    let folder = Folder::new();
    let answered = |number: u64| {
        exchange(
            number * 1000,
            &[number * 1000 + 100, number * 1000 + 300],
            None,
        )
    };
    let all: Vec<_> = (1..=20).map(answered).collect();
    let table = |count: u32| {
        let text = format!(
            r#"{{"request_count": {{"unit": "requests", "avg": {count}}}, "output_token_throughput": {{"unit": "tokens/sec", "avg": 100}}}}"#
        );
        folder.write("profile_export_genai_perf.json", text);
    };
    let caveat = |exchanges: &[String]| {
        let path = folder.write("profile_export.json", genai_perf(exchanges));
        let run = Run::read(path.parent().unwrap()).unwrap();
        run.points()[0].caveat()
    };
    table(20);
    assert_eq!(caveat(&all), None);
    table(18);
    let mut some = all;
    for number in [3, 7] {
        some[number] = some[number].replace(" word", "");
    }
    let said = "has 2 requests without a whole answer: its numbers are of what came";
    assert_eq!(caveat(&some).as_deref(), Some(said));
    // The tool counts an answer that the server broke off.
    table(20);
    let end = "data: [DONE]";
    let broken = r#"data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}"#;
    for number in [3, 7] {
        some[number] = answered(number as u64 + 1).replace(end, broken);
    }
    assert_eq!(caveat(&some).as_deref(), Some(said));
    // Without an end, where most have one.
    for number in [3, 7] {
        some[number] = answered(number as u64 + 1).replace(end, "");
    }
    assert_eq!(caveat(&some).as_deref(), Some(said));
    let open: Vec<_> = some.iter().map(|it| it.replace(end, "")).collect();
    assert_eq!(caveat(&open), None);
    for whole in [
        r#"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"error\":null}"#,
        r#"data: {\"choices\":[{\"delta\":{\"content\":\"{\\\"error\\\": 1}\"},\"finish_reason\":\"length\"}]}"#,
    ] {
        for number in [3, 7] {
            some[number] = answered(number as u64 + 1).replace(end, whole);
        }
        assert_eq!(caveat(&some), None, "{whole}");
    }
}

/// What a model thinks are tokens of its answer, which GenAI-Perf's own figures do not have.
#[test]
fn reasoning_is_a_part_of_the_answer() {
    let folder = Folder::new();
    let table = r#"{"output_sequence_length": {"unit": "tokens", "avg": 2}}"#;
    folder.write("profile_export_genai_perf.json", table);
    for name in ["reasoning_content", "reasoning"] {
        let text = exchange(1000, &[1100, 1200, 1300, 1400], None);
        let thought = format!(r#"\"content\":null,\"{name}\":\" word\""#);
        let text = text.replacen(r#"\"content\":\" word\""#, &thought, 2);
        let path = folder.write("profile_export.json", genai_perf(&[text]));
        let run = Run::read(path.parent().unwrap()).unwrap();
        let request = run.points()[0].requests().unwrap().as_slice()[0];
        assert_eq!(
            (request.first_token(), request.output_tokens()),
            (Some(1100), Some(4))
        );
    }
}

/// An answer of one token has no time between tokens, so it keeps any limit on that. GenAI-Perf says that it does not, AIPerf nothing.
#[test]
fn goodput_is_of_the_requests_that_keep_all_limits() {
    let results = Folder::new();
    let name = |file: &str| format!("m_4_rate10_chat_128_1_7/{file}");
    fs::create_dir(results.0.path().join(name(""))).unwrap();
    let goodput = |command: &[&str]| {
        let manifest = serde_json::json!({"job_id": "7", "client_command": command, "points": []});
        let path = results.write("run_7.json", manifest.to_string());
        let run = Run::read(path.parent().unwrap()).unwrap();
        assert_eq!(run.problems(), []);
        run.points()[0].value(Metric::RequestGoodput, Statistic::Avg)
    };
    let table = |tool: &str, least: u32| {
        let text = format!(
            r#"{{"request_goodput": {{"unit": "requests/sec", "avg": 0.5}}, "request_count": {{"unit": "requests", "avg": 20}},
            "output_sequence_length": {{"unit": "tokens", "avg": 1.5, "min": {least}}}}}"#
        );
        results.write(&name(&format!("profile_export_{tool}.json")), text)
    };
    let words = [
        "genai-perf",
        "--goodput",
        "time_to_first_token:150",
        "inter_token_latency:30",
        "--url",
        "{url}",
    ];
    let one_word = [
        "aiperf",
        "--goodput",
        "time_to_first_token:150 inter_token_latency:30",
    ];
    let of_aiperf = ["aiperf", "--goodput", "inter_token_latency:20.5"];
    // A request each 100 ms; half of them have a second token, 25 ms after the first. The last one has one.
    let at = |number: u64, after: u64| 1_000_000_000 + (100 * number + after) * 1_000_000;
    let exchanges: Vec<_> = (0..20)
        .map(|number| {
            let times = [at(number, 50), at(number, 75)];
            exchange(at(number, 0), &times[usize::from(number % 2 == 1)..], None)
        })
        .collect();
    table("genai_perf", 1);
    // Without a file of requests, the tool's number.
    assert_eq!(goodput(&words[..3]), Some(0.5));
    assert_eq!(goodput(&words), None);
    table("genai_perf", 2);
    assert_eq!(goodput(&words), Some(0.5));
    results.write(&name("profile_export.json"), genai_perf(&exchanges));
    let rounded = |command: &[&str]| goodput(command).map(|goodput| (goodput * 1000.0).round());
    // Of 1.975 s.
    assert_eq!(rounded(&words), Some(10127.0));
    assert_eq!(rounded(&one_word), Some(10127.0));
    assert_eq!(rounded(&of_aiperf), Some(5063.0));
    assert_eq!(
        goodput(&["genai-perf", "--goodput", "request_latency:10"]),
        Some(0.0)
    );
    // Where the client was told none, what the tool says.
    assert_eq!(goodput(&["genai-perf"]), Some(0.5));
    // Nobody knows it of tokens that came at once.
    let lines = (0..20).map(|number| aiperf(at(number, 0), 50.0, 50.0, 8) + "\n");
    fs::remove_file(
        results
            .0
            .path()
            .join(name("profile_export_genai_perf.json")),
    )
    .unwrap();
    fs::remove_file(results.0.path().join(name("profile_export.json"))).unwrap();
    table("aiperf", 8);
    results.write(&name("profile_export.jsonl"), lines.collect::<String>());
    assert_eq!(goodput(&of_aiperf), None);
}

/// A proxy may send a whole answer at once: nobody knows how far apart its tokens are, and no limit on that is kept.
#[test]
fn tokens_that_came_at_once_have_no_time_between_them() {
    let folder = Folder::new();
    let limits = |statistic| nim_slurm::results::Limits::new(statistic).inter_token_latency(1.0);
    let unknown = nim_slurm::results::Verdict::Unknown {
        metric: Metric::InterTokenLatency,
    };
    let check = |path: Utf8PathBuf| {
        let results = path.parent().unwrap();
        let run = Run::read(results).unwrap();
        assert_eq!(run.problems(), []);
        let point = &run.points()[0];
        let requests = point.requests().unwrap();
        assert_eq!(requests.as_slice()[0].inter_token_latency(), None);
        assert!(requests.values(Metric::TimeToFirstToken).next().is_some());
        for statistic in [Statistic::Avg, Statistic::P50] {
            assert_eq!(point.value(Metric::InterTokenLatency, statistic), None);
            assert_eq!(limits(statistic).verdict(point), unknown);
        }
        let table = nim_slurm::Report::new(&run)
            .with_limits(limits(Statistic::P50))
            .to_table();
        assert!(table.contains("\n? "), "{table}");
        let arguments = ["rate1", "ttft=9000", "itl=1"];
        let counted = counted_by_search(results, &arguments);
        assert_eq!(counted, "ttft:0/30 itl:0/0");
    };
    let start = |number: u64| number * 1_000_000_000;
    let lines = (1..=30).map(|number| aiperf(start(number), 400.0, 400.0, 36) + "\n");
    let path = folder.write("profile_export.jsonl", lines.collect::<String>());
    let itl = r#""inter_token_latency": {"unit": "ms", "avg": 0.0, "p50": 0.0, "max": 0.0},"#;
    let rest = r#""request_count": {"unit": "requests", "avg": 30},
        "output_token_throughput": {"unit": "tokens/sec", "avg": 100}, "output_sequence_length": {"unit": "tokens", "avg": 36}}"#;
    folder.write("profile_export_aiperf.json", format!("{{{itl}{rest}"));
    check(path);
    let folder = Folder::new();
    let exchanges = (1..=30).map(|number| exchange(start(number), &[start(number) + 400], None));
    let path = folder.write(
        "profile_export.json",
        genai_perf(&exchanges.collect::<Vec<_>>()),
    );
    folder.write("profile_export_genai_perf.json", format!("{{{rest}"));
    check(path);
}

/// A server may put several tokens into a piece, and GenAI-Perf counts those of the text: so do verdicts, the steady part and a search.
#[test]
fn pieces_of_several_tokens_count_as_the_tools_tokens() {
    let folder = Folder::new();
    let start = |number: u64| 1_000_000_000 + number * 1_000_000_000;
    // Each answer has a piece after 100 ms, and 25 more, 20 ms apart.
    let exchanges = |usage: Option<u32>| -> Vec<_> {
        let times =
            |number| (0..26).map(move |piece| start(number) + 100_000_000 + 20_000_000 * piece);
        (0..100)
            .map(|number| exchange(start(number), &times(number).collect::<Vec<_>>(), usage))
            .collect()
    };
    let searched = |folder: &Utf8Path| counted_by_search(folder, &["100", "itl=10"]);
    let read = |length: f64, usage| {
        let path = folder.write("profile_export.json", genai_perf(&exchanges(usage)));
        let table = format!(
            r#"{{"request_count": {{"unit": "requests", "avg": 100}}, "output_sequence_length": {{"unit": "tokens", "avg": {length}}},
                "output_token_throughput": {{"unit": "tokens/sec", "avg": {length}}},
                "inter_token_latency": {{"unit": "ms", "avg": 4.85, "p50": 4.85}}}}"#
        );
        folder.write("profile_export_genai_perf.json", table);
        let run = Run::read(path.parent().unwrap()).unwrap();
        assert_eq!(run.problems(), []);
        let point = run.points()[0].clone();
        let limits = nim_slurm::results::Limits::new(Statistic::P50).inter_token_latency(10.0);
        let requests = point.requests().unwrap();
        let steady = requests.steady().unwrap();
        (
            requests.as_slice()[0].output_tokens().unwrap(),
            steady
                .metric(Metric::OutputTokenThroughput)
                .unwrap()
                .avg()
                .unwrap()
                .round(),
            limits.verdict(&point) == nim_slurm::results::Verdict::Within,
            searched(path.parent().unwrap()),
        )
    };
    let [within, above] = ["itl:0/99", "itl:99/99"].map(str::to_owned);
    assert_eq!(read(104.0, None), (104, 104.0, true, within.clone()));
    // What the server says holds, and so do pieces that are tokens, or nearly.
    assert_eq!(read(26.0, Some(104)), (104, 104.0, true, within));
    let run = Run::read(Utf8Path::from_path(folder.0.path()).unwrap()).unwrap();
    let table = nim_slurm::Report::new(&run)
        .to_table()
        .replace("\n      ", " ");
    let said = "the server counts 104.0 tokens in an answer, the tool 26.0: by the server's, 104.0 tokens/s and a mean ITL of \
        4.85 ms; limits on percentiles, goodput and the steady part count so, too\n";
    assert!(table.contains(said), "{table}");
    assert_eq!(read(27.0, None), (26, 26.0, false, above.clone()));
    assert_eq!(read(26.0, None), (26, 26.0, false, above.clone()));
    // No length tells nothing.
    assert_eq!(read(0.0, None), (26, 26.0, false, above.clone()));
    // Old releases write CSV alone.
    let results = Utf8Path::from_path(folder.0.path()).unwrap();
    fs::remove_file(results.join("profile_export_genai_perf.json")).unwrap();
    for (label, length, expected) in [
        ("Num Output Token", "104", "itl:0/99"),
        ("Output Sequence Length", "\"1,04.0\"", "itl:0/99"),
        ("Output Sequence Length", "26.00", &above),
    ] {
        let table = format!(
            "Metric,avg,min,max,p50\nTime To First Token (ms),100,100,100,100\n{label},{length},1,999,104\n"
        );
        folder.write("profile_export_genai_perf.csv", table);
        assert_eq!(searched(results), expected, "{label} {length}");
    }
    // Of the first, whose latencies are of gaps, requests tell what the table does not.
    let table = "Metric,avg,p50\nInter Token Latency (ms),4.85,0.01\nNum Output Token,104,104\n";
    folder.write("profile_export_genai_perf.csv", table);
    let run = Run::read(results).unwrap();
    let point = &run.points()[0];
    assert_eq!(point.value(Metric::InterTokenLatency, Statistic::P50), None);
    for (limit, expected) in [(10.0, true), (4.0, false)] {
        let limits = nim_slurm::results::Limits::new(Statistic::P50).inter_token_latency(limit);
        let is_within = limits.verdict(point) == nim_slurm::results::Verdict::Within;
        assert_eq!(is_within, expected, "{limit}");
    }
}

/// Speculative decoding gives more tokens at a time in one answer than in another, and so do events that wait for the client.
#[test]
fn answers_of_larger_pieces_have_tokens_of_their_own() {
    let folder = Folder::new();
    let results = Utf8Path::from_path(folder.0.path()).unwrap();
    let write = |answers: &[(u64, usize)], length: &str| {
        let exchanges = (1..).zip(answers).map(|(number, (pieces, words))| {
            let start = number * 1_000_000_000;
            let gap = 390_000_000 / (pieces - 1);
            let times: Vec<_> = (0..*pieces)
                .map(|piece| start + 100_000_000 + gap * piece)
                .collect();
            // A letter that ends a line for some programs.
            exchange(start, &times, None).replace(" word", &" w\u{2028}rd".repeat(*words))
        });
        folder.write(
            "profile_export.json",
            genai_perf(&exchanges.collect::<Vec<_>>()),
        );
        let table = format!(
            r#"{{"request_count": {{"unit": "requests", "avg": {}}}, "output_sequence_length": {{"unit": "tokens", {length}}}}}"#,
            answers.len()
        );
        folder.write("profile_export_genai_perf.json", table);
        let run = Run::read(results).unwrap();
        assert_eq!(run.problems(), []);
        run.points()[0].clone()
    };
    // Of 40 tokens each, 10 ms apart; the second half comes four at a time.
    let answers: Vec<_> = (0..100)
        .map(|number| if number < 50 { (40, 1) } else { (10, 4) })
        .collect();
    for length in [
        r#""avg": 40, "min": 39, "max": 41"#,
        r#""avg": 40, "min": 40, "max": 40"#,
    ] {
        let point = write(&answers, length);
        for request in point.requests().unwrap().as_slice() {
            assert_eq!(request.output_tokens(), Some(40));
        }
        let said = counted_by_search(results, &["100", "itl=9.9", "itl=10.1"]);
        assert_eq!(said, "itl:99/99 itl:0/99");
    }
    // Where the table has one length, it holds however few answers have other pieces.
    let few: Vec<_> = (0..100)
        .map(|number| if number < 98 { (40, 1) } else { (10, 4) })
        .collect();
    write(&few, r#""avg": 40, "min": 40, "max": 40"#);
    assert_eq!(counted_by_search(results, &["100", "itl=10.1"]), "itl:0/99");
    let csv = "Metric,avg,min,max,p50\nRequest Count,100,,,\nOutput Sequence Length,40.00,40.00,40.00,40.00\n";
    fs::remove_file(results.join("profile_export_genai_perf.json")).unwrap();
    folder.write("profile_export_genai_perf.csv", csv);
    assert_eq!(counted_by_search(results, &["100", "itl=10.1"]), "itl:0/99");
    fs::remove_file(results.join("profile_export_genai_perf.csv")).unwrap();
    // Of any answers, the client counts as the library does.
    let answers: Vec<_> = (0..50)
        .map(|number| (5 + number % 7, 1 + usize::try_from(number % 3).unwrap()))
        .collect();
    let point = write(&answers, r#""avg": 31.7, "min": 12, "max": 60"#);
    let judged = point.requests().unwrap().after_the_first_wave();
    let mut values: Vec<_> = judged.values(Metric::InterTokenLatency).collect();
    values.sort_unstable_by(f64::total_cmp);
    let limits = values
        .windows(2)
        .map(|pair| f64::midpoint(pair[0], pair[1]));
    let (mut words, mut expected) = (vec!["100".to_owned()], Vec::new());
    for limit in limits {
        let over = values.iter().filter(|value| **value > limit).count();
        words.push(format!("itl={limit}"));
        expected.push(format!("itl:{over}/49"));
    }
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    assert_eq!(counted_by_search(results, &words), expected.join(" "));
    assert_eq!((values.len(), expected[0] == expected[47]), (49, false));
}

/// The tools take 0 for them, which is no latency of any token.
#[test]
fn a_few_answers_that_came_at_once_are_left_out_of_the_latency() {
    let check = |at_once: u64| {
        let folder = Folder::new();
        let lines = (1..=40).map(|number| {
            let latency = if number <= at_once { 50.0 } else { 400.0 };
            aiperf(number * 1_000_000_000, 50.0, latency, 36) + "\n"
        });
        let path = folder.write("profile_export.jsonl", lines.collect::<String>());
        let table = r#"{"inter_token_latency": {"unit": "ms", "avg": 9.3, "p50": 9.9, "min": 0.0},
            "output_token_throughput_per_user": {"unit": "tokens/sec/user", "avg": 95}, "request_count": {"unit": "requests", "avg": 40},
            "output_token_throughput": {"unit": "tokens/sec", "avg": 36}, "output_sequence_length": {"unit": "tokens", "avg": 36}}"#;
        folder.write("profile_export_aiperf.json", table);
        let results = path.parent().unwrap();
        let run = Run::read(results).unwrap();
        let point = &run.points()[0];
        let itl = |statistic| point.value(Metric::InterTokenLatency, statistic);
        let limits = nim_slurm::results::Limits::new(Statistic::P50).inter_token_latency(9.95);
        let table = nim_slurm::Report::new(&run)
            .to_table()
            .replace("\n      ", " ");
        let said = table
            .split_once("    the tokens of ")
            .map(|(_, said)| said.lines().next().unwrap().to_owned());
        (
            [itl(Statistic::Avg), itl(Statistic::Min)],
            point.throughput_per_user().map(f64::round),
            limits.verdict(point),
            counted_by_search(results, &["rate1", "itl=9.95"]),
            said,
        )
    };
    let unknown = nim_slurm::results::Verdict::Unknown {
        metric: Metric::InterTokenLatency,
    };
    let above = nim_slurm::results::Verdict::Exceeded {
        metric: Metric::InterTokenLatency,
        value: 10.0,
        limit: 9.95,
    };
    let tool_s = nim_slurm::results::Verdict::Exceeded {
        metric: Metric::InterTokenLatency,
        value: 9.9,
        limit: 9.95,
    };
    let said = |words: &str| Some(words.to_owned());
    assert_eq!(
        check(0),
        (
            [Some(9.3), Some(0.0)],
            Some(95.0),
            tool_s,
            "itl:40/40".to_owned(),
            None
        )
    );
    let few = said("2 of 40 answers came at once: ITL is of the others");
    assert_eq!(
        check(2),
        (
            [Some(10.0); 2],
            Some(100.0),
            above,
            "itl:38/38".to_owned(),
            few
        )
    );
    let many = said("3 of 40 answers came at once: ITL is not known");
    assert_eq!(
        check(3),
        ([None; 2], None, unknown, "itl:0/0".to_owned(), many)
    );
}
