//! Other loads than requests in flight, measured by the real tools.

use std::collections::{BTreeMap, BTreeSet};

use nim_slurm::ScriptKind::Launch;
use nim_slurm::recipe::{Arrival, ClientTool, DataFormat, DataSet, Prefix, PrefixCache, UseCase};
use nim_slurm::results::{Metric, Point, Run, Statistic};
use nim_slurm::{Length, Load, Report};
use serde_json::Value;

use crate::lab::{Lab, Site, recipe};

fn use_case(text: &str) -> UseCase {
    text.parse().unwrap()
}

/// A rate of 4 requests a second.
fn at_a_rate(text: &str) -> UseCase {
    use_case(text).with_request_rate(["4".parse().unwrap()])
}

/// The lengths of a trace's answers.
const ANSWERS: [u64; 6] = [30, 2, 9, 60, 3, 8];

/// Six requests within ten seconds, from a trace.
fn from_trace(name: &str) -> UseCase {
    let file =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-trace.jsonl"));
    let request = |number: usize| {
        let (at, output) = (5000 + 2000 * number, ANSWERS[number]);
        format!(
            "{{\"timestamp\": {at}, \"input_length\": 600, \"output_length\": {output}, \"hash_ids\": [7, {number}]}}\n"
        )
    };
    std::fs::write(&file, (0..6).map(request).collect::<String>()).unwrap();
    let file = file.to_str().unwrap().parse().unwrap();
    use_case("replay:1/1").with_data(DataSet::new(file, DataFormat::Mooncake))
}

/// The point with it: each request was sent at its time, and asked for its length.
#[track_caller]
fn check_trace(run: &Run, manifest: &Value) {
    let mut points = run.points().iter();
    let point = points
        .find(|point| point.use_case() == Some("replay"))
        .unwrap();
    assert_eq!(
        (point.load(), point.input(), point.output()),
        (Some(Load::Schedule), Some(Length::DATA), Some(Length::DATA))
    );
    let lines = std::fs::read_to_string(point.path().join("profile_export.jsonl")).unwrap();
    let requests = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut sent: Vec<_> = requests
        .map(|request| {
            let length = &request["metrics"]["output_sequence_length"]["value"];
            (
                request["metadata"]["request_start_ns"].as_u64().unwrap(),
                length.as_f64().unwrap().to_string(),
            )
        })
        .collect();
    sent.sort_unstable();
    let first = sent[0].0;
    assert_eq!(sent.len(), 6);
    for ((number, answer), (at, length)) in (0..).zip(ANSWERS).zip(sent) {
        let (after, wanted) = ((at - first) / 1_000_000, 2000 * number);
        assert!(after.abs_diff(wanted) < 1000, "{after} ms, not {wanted}");
        assert_eq!(length, answer.to_string());
    }
    let row = row(manifest, point.path().file_name().unwrap());
    for key in [
        "concurrency",
        "input_sequence_length",
        "output_sequence_length",
    ] {
        assert_eq!(row[key], Value::Null, "{row}");
    }
    assert_eq!(
        (&row["requests"], &row["status"]),
        (&6.into(), &"finished".into())
    );
    let report = Report::new(run);
    assert!(report.to_table().contains("schedule"));
    assert!(report.to_html().contains("replay"));
}

/// Of the point with these conversations, the turns of each in their order: when each was sent and answered, how many words the
/// server counted in its prompt, and how many tokens the tool did.
fn conversations(point: &Point) -> Vec<Vec<[u64; 4]>> {
    let lines = std::fs::read_to_string(point.path().join("profile_export.jsonl")).unwrap();
    let mut conversations = BTreeMap::<String, Vec<[u64; 4]>>::new();
    for line in lines.lines() {
        let request: Value = serde_json::from_str(line).unwrap();
        let (metadata, metrics) = (&request["metadata"], &request["metrics"]);
        let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{line}"));
        let conversation = metadata["x_correlation_id"].as_str().unwrap().to_owned();
        conversations.entry(conversation).or_default().push([
            number(&metadata["request_start_ns"]),
            number(&metadata["request_end_ns"]),
            number(&metrics["usage_prompt_tokens"]["value"]),
            number(&metrics["input_sequence_length"]["value"]),
        ]);
    }
    let mut conversations: Vec<_> = conversations.into_values().collect();
    for turns in &mut conversations {
        turns.sort_unstable();
    }
    conversations
}

/// The point of synthetic conversations with two beginnings of 48 tokens: there are two, and each second turn has the first one
/// and its answer in front.
#[track_caller]
fn check_prefix(run: &Run) {
    let mut points = run.points().iter();
    let point = points
        .find(|point| point.use_case() == Some("mix-p48x2-t2"))
        .unwrap();
    let inputs = std::fs::read_to_string(point.path().join("inputs.json")).unwrap();
    let inputs: Value = serde_json::from_str(&inputs).unwrap();
    let mut prompts = BTreeSet::new();
    let mut begin = BTreeSet::new();
    for conversation in inputs["data"].as_array().unwrap() {
        let turns = conversation["payloads"].as_array().unwrap().iter();
        let turns = turns.map(|turn| turn["messages"][0]["content"].as_str().unwrap().to_owned());
        let turns: Vec<_> = turns.collect();
        begin.insert(turns[0].chars().take(100).collect::<String>());
        prompts.extend(turns);
    }
    assert_eq!((prompts.len(), begin.len()), (32, 2), "{begin:#?}");
    let conversations = conversations(point);
    assert_eq!(conversations.len(), 16);
    for turns in conversations {
        let [[_, _, words, tokens], [_, _, more_words, more_tokens]] = turns[..] else {
            panic!("{turns:?}");
        };
        // The beginning, an input of 64 and an answer of 24, each with its spread; the server counts words.
        assert!(
            tokens >= 48 + 34 && more_tokens >= tokens + 34 + 12,
            "{turns:?}"
        );
        assert!(more_words >= words + 20, "{turns:?}");
    }
}

/// 18 conversations of three questions, and one of a single question.
fn talks(name: &str) -> UseCase {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-talks.json"));
    let talk = |number: usize, questions: usize| {
        let turn = |place: usize| {
            let question = format!("this is question {place} of talk {number}");
            [("human", question), ("gpt", "an answer".to_owned())]
                .map(|(from, value)| serde_json::json!({"from": from, "value": value}))
        };
        serde_json::json!({"conversations": (0..questions).flat_map(turn).collect::<Vec<_>>()})
    };
    let talks: Vec<_> = (0..19)
        .map(|number| talk(number, if number == 5 { 1 } else { 3 }))
        .collect();
    std::fs::write(&file, serde_json::to_string(&talks).unwrap()).unwrap();
    let file = file.to_str().unwrap().parse().unwrap();
    use_case("talk:1/16").with_data(DataSet::new(file, DataFormat::Sharegpt))
}

/// The point of conversations out of a file: each turn has in front what was said before, with the server's own answers, and comes
/// a second after the last of them; and some of that came out of the server's cache.
#[track_caller]
fn check_talks(run: &Run, manifest: &Value) {
    let mut points = run.points().iter();
    let point = points
        .find(|point| point.use_case() == Some("talk-t3"))
        .unwrap();
    let conversations = conversations(point);
    assert_eq!(conversations.len(), 16);
    for turns in conversations {
        // Seven words each, and answers of 16.
        let words: Vec<_> = turns.iter().map(|turn| turn[2]).collect();
        assert_eq!(words, [7, 30, 53]);
        for (earlier, later) in turns.iter().zip(&turns[1..]) {
            assert!(later[0] - earlier[1] >= 1_000_000_000, "{turns:?}");
        }
    }
    let row = row(manifest, point.path().file_name().unwrap());
    assert_eq!(
        (&row["requests"], &row["prompts"], &row["status"]),
        (&48.into(), &16.into(), &"finished".into())
    );
    // By the block of 16 words: none of the first turn, and of the others as many as came before.
    let [looked_up, found] =
        ["prefix_cache_queries", "prefix_cache_hits"].map(|key| row[key].as_u64().unwrap());
    assert!(looked_up >= 16 * (7 + 30 + 53), "{row}");
    assert!(found >= 16 * 16 && found < looked_up, "{row}");
    let set = manifest["data_sets"][2].as_str().unwrap();
    assert!(set.starts_with("sharegpt-t3d1000 "), "{set}");
    assert!(Report::new(run).to_table().contains("talk-t3"));
}

/// Prompts of a file, more than a point needs.
fn from_file(name: &str) -> UseCase {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}'s.jsonl"));
    let prompt = |number| format!("{{\"text\": \"number {number} is \\u00fcber {number}\"}}\n");
    std::fs::write(&file, (0..30).map(prompt).collect::<String>()).unwrap();
    let file = file.to_str().unwrap().parse().unwrap();
    use_case("file:1/16").with_data(DataSet::new(file, DataFormat::Prompts))
}

/// The point with them: its prompts are those of the file, and each was sent.
#[track_caller]
fn check_file(run: &Run, manifest: &Value) {
    let mut points = run.points().iter();
    let point = points
        .find(|point| point.use_case() == Some("file"))
        .unwrap();
    assert_eq!(
        (point.request_count(), point.input_tokens()),
        (Some(24), None)
    );
    let [sent, own] = ["inputs.json", "data.0.jsonl"].map(|name| {
        let found = std::fs::read_to_string(point.path().join(name));
        found.unwrap_or_else(|error| panic!("{name}: {error}"))
    });
    assert_eq!(own.lines().count(), 24);
    for number in 0..24 {
        let text = format!("number {number} is ");
        assert_eq!(sent.matches(&text).count(), 1, "{text}");
    }
    let row = row(manifest, point.path().file_name().unwrap());
    assert_eq!(row["input_sequence_length"], Value::Null);
    assert_eq!(
        (&row["warmup_requests"], point.warmup_requests()),
        (&4.into(), Some(4))
    );
    let sets = manifest["data_sets"].as_array().unwrap();
    let words: Vec<_> = sets[0].as_str().unwrap().splitn(3, ' ').collect();
    assert_eq!((words[0], words[1].len()), ("prompts", 64));
    assert!(words[2].starts_with('/') && words[2].ends_with("'s.jsonl"));
}

/// Measures the use cases in one job, and what it measured is whole: a second job finds nothing to do. In each point's
/// words: its name without the job, and how many requests were answered.
#[track_caller]
fn measure(
    name: &str,
    tool: ClientTool,
    image: &str,
    use_cases: Vec<UseCase>,
) -> (Vec<(String, u64)>, Run, Value) {
    let lab = Lab::enter_first();
    let count = use_cases.len();
    let mut recipe = recipe().with_use_cases(use_cases).with_concurrency([4]);
    recipe.sweep.min_requests = 24;
    recipe.sweep.point_timeout = 120;
    recipe.client.tool = tool;
    recipe.client.image = format!("nvcr.io/nvidia/{image}").parse().unwrap();
    recipe.client.file = None;
    recipe.server.prefix_cache = PrefixCache::On;
    let name_of_arguments = "LAB_NIM_ARGS".parse().unwrap();
    let arguments = "--prefix-cache on".parse().unwrap();
    recipe
        .server
        .environment
        .insert(name_of_arguments, arguments);
    let mut site = Site::ready(&lab, name, recipe);
    let ended = site.job(&lab, Launch);
    let client = site.log("benchmarking", &ended.id);
    assert_eq!(ended.code, 0, "{}\n{client}", ended.output);
    for words in ["concurrency 4, ", ", 4 requests/s, "] {
        assert!(client.contains(words), "{client}");
    }
    let run = Run::read(camino::Utf8Path::from_path(&site.results()).unwrap()).unwrap();
    assert!(run.problems().is_empty(), "{:?}", run.problems());
    let points = run.points().iter().map(|point| {
        let name = point.path().file_name().unwrap();
        let (name, _) = name.rsplit_once('_').unwrap();
        (name.to_owned(), point.request_count().unwrap())
    });
    let points = points.collect();
    let manifest = site.manifest(&ended.id);
    check_file(&run, &manifest);
    if let ClientTool::Aiperf(_) = tool {
        check_trace(&run, &manifest);
        check_prefix(&run);
        check_talks(&run, &manifest);
    }
    let folders = site.points();
    site.set("RESUME_JOB_ID", &ended.id);
    let again = site.job(&lab, Launch);
    assert_eq!(again.code, 0, "{}", again.output);
    let nothing_left = format!("{count} of {count} points are in");
    assert!(again.output.contains(&nothing_left), "{}", again.output);
    assert_eq!(site.log("benchmarking", &again.id), "");
    assert_eq!(site.points(), folders);
    (points, run, manifest)
}

fn row<'a>(manifest: &'a Value, folder: &str) -> &'a Value {
    let mut rows = manifest["points"].as_array().unwrap().iter();
    rows.find(|row| row["folder"].as_str().unwrap().starts_with(folder))
        .unwrap()
}

#[test]
#[ignore = "needs the lab: run tests/run"]
fn loads_of_genai_perf() {
    let tool = ClientTool::GenaiPerf("25.01".parse().unwrap());
    let (points, run, manifest) = measure(
        "loads_of_genai_perf",
        tool,
        "tritonserver:25.01-py3-sdk",
        vec![
            use_case("chat:32/16"),
            use_case("mix:64s10/24s4"),
            at_a_rate("chat:32/16").with_arrival(Arrival::Constant),
            from_file("loads_of_genai_perf"),
        ],
    );
    // At 4 a second, a minute's.
    let stem = "llama-3-70b-instruct_4";
    let expected = [
        ("4_chat_32_16", 24),
        ("rate4_chat_32_16", 240),
        ("4_file_data_16", 24),
        ("4_mix_64s10_24s4", 24),
    ];
    let expected = expected.map(|(name, count)| (format!("{stem}_{name}"), count));
    assert_eq!(points, expected);
    let rate = &run.points()[1];
    let throughput = rate
        .value(Metric::RequestThroughput, Statistic::Avg)
        .unwrap();
    assert!((3.8..4.2).contains(&throughput), "{throughput}");
    let row = row(&manifest, &format!("{stem}_rate4"));
    assert_eq!(
        (&row["request_rate"], &row["concurrency"]),
        (&Value::from(4), &Value::Null)
    );
    assert_eq!(
        (&row["requests"], &row["warmup_requests"]),
        (&Value::from(240), &Value::from(4))
    );
}

#[test]
#[ignore = "needs the lab: run tests/run"]
fn loads_of_aiperf() {
    let tool = ClientTool::Aiperf("0.13.0".parse().unwrap());
    let time = |use_case: UseCase| use_case.with_duration("8s".parse().unwrap());
    let (points, run, manifest) = measure(
        "loads_of_aiperf",
        tool,
        "aiperf:0.13.0",
        vec![
            use_case("mix:64s10/24s4")
                .with_prefix(Prefix::new(48, 2))
                .with_turns(2),
            // The stand-in answers faster than models do.
            time(use_case("chat:32/16"))
                .with_ramp("2s".parse().unwrap())
                .with_prompts(2000),
            time(at_a_rate("chat:32/16"))
                .with_arrival(Arrival::Gamma)
                .with_smoothness("2".parse().unwrap()),
            from_file("loads_of_aiperf"),
            from_trace("loads_of_aiperf"),
            talks("loads_of_aiperf")
                .with_turns(3)
                .with_delay("1s".parse().unwrap()),
        ],
    );
    let stem = "llama-3-70b-instruct_4";
    let names: Vec<_> = points.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "4_chat_32_16",
        "rate4_chat_32_16",
        "4_file_data_16",
        "4_mix-p48x2-t2_64s10_24s4",
        "schedule_replay_data_data",
        "4_talk-t3_data_16",
    ];
    assert_eq!(names, expected.map(|name| format!("{stem}_{name}")));
    assert_eq!(points[3].1, 32);
    // Of 8 seconds at 4 a second, about 32; and the client had no number to compare with.
    assert!((20..=48).contains(&points[1].1), "{points:?}");
    assert!(points[0].1 >= 8, "{points:?}");
    let lengths = run.points()[3]
        .metric(Metric::OutputSequenceLength)
        .unwrap();
    assert!(lengths.get(Statistic::Std).unwrap() > 1.0, "{lengths:?}");
    let row = row(&manifest, &format!("{stem}_rate4"));
    assert_eq!(
        (&row["request_rate"], &row["requests"]),
        (&Value::from(4), &Value::Null)
    );
}
