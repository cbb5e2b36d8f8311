//! `--format inferencex` and `--format llm-d`, held to what those projects publish: the names and types of their fields.
//! InferenceX: `utils/process_result.py` and `utils/aggregate_power.py` of 2026-08. llm-d-benchmark: the JSON schema of
//! its benchmark report 0.2 of 2026-08, which forbids fields that it does not name.

use nim_slurm::Report;
use nim_slurm::results::Run;
use serde_json::Value;

/// Results of all tools, with and without manifest, requests and telemetry.
const RESULTS: [&str; 3] = [
    "tests/data/telemetry",
    "tests/data/requests",
    "tests/data/genai-perf",
];

/// A field, its type, and whether it has to be there.
type Field = (&'static str, &'static str, bool);

/// Each point's row has these keys, of single nodes there.
#[rustfmt::skip]
const ROW: &[Field] = &[
    ("hw", "text or null", true), ("conc", "whole or null", true), ("image", "text or null", true),
    ("model", "text or null", true), ("infmax_model_prefix", "text or null", true), ("framework", "text or null", true),
    ("precision", "text or null", true), ("spec_decoding", "text or null", true), ("disagg", "truth or null", true),
    ("recipe_fingerprint", "text or null", true), ("isl", "whole or null", true), ("osl", "whole or null", true),
    ("is_multinode", "truth or null", true), ("tp", "whole or null", true), ("pp", "whole or null", true),
    ("dcp_size", "whole or null", true), ("pcp_size", "whole or null", true), ("ep", "whole or null", true),
    ("dp_attention", "text or null", true), ("tput_per_gpu", "number or null", true),
    ("output_tput_per_gpu", "number or null", true), ("input_tput_per_gpu", "number or null", true),
    ("power_metric_schema_version", "whole", true), ("power_valid", "whole", true),
    ("avg_power_w", "number", false), ("avg_total_gpu_power_w", "number", false), ("total_gpu_energy_j", "number", false),
    ("joules_per_successful_query", "number", false), ("joules_per_input_token", "number", false),
    ("joules_per_output_token", "number", false), ("joules_per_total_token", "number", false),
];

const STATISTICS: [&str; 6] = ["mean", "median", "std", "p90", "p95", "p99"];

fn is(value: &Value, kind: &str) -> bool {
    kind.split(" or ").any(|kind| match kind {
        "null" => value.is_null(),
        "text" => value.is_string(),
        "truth" => value.is_boolean(),
        "whole" => value.is_u64(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "list" => value.is_array(),
        _ => panic!("{kind}"),
    })
}

/// That an object has these fields, and no others.
#[track_caller]
fn check(what: &str, value: &Value, fields: &[Field]) {
    let object = value
        .as_object()
        .unwrap_or_else(|| panic!("{what} is {value}"));
    for (name, value) in object {
        let field = fields.iter().find(|(own, _, _)| own == name);
        let (_, kind, _) = field.unwrap_or_else(|| panic!("{what} has {name}"));
        assert!(is(value, kind), "{what}: {name} is {value}, no {kind}");
    }
    for (name, _, _) in fields.iter().filter(|(_, _, needed)| *needed) {
        assert!(object.contains_key(*name), "{what} lacks {name}");
    }
}

#[test]
fn rows_are_inferencex_s() {
    let mut rows = 0;
    for folder in RESULTS {
        let run = Run::read(folder).unwrap();
        let text = Report::new(&run).to_inferencex();
        let all: Vec<Value> = serde_json::from_str(&text).unwrap();
        let trusted = run.points().iter().filter(|point| point.caveat().is_none());
        assert_eq!(all.len(), trusted.count(), "{folder}");
        for mut row in all {
            rows += 1;
            for name in ["ttft", "tpot", "e2el", "intvty"] {
                for statistic in STATISTICS {
                    let key = format!("{statistic}_{name}");
                    if let Some(value) = row.as_object_mut().unwrap().remove(&key) {
                        assert!(value.as_f64().unwrap() >= 0.0, "{key}: {value}");
                    }
                }
            }
            check(folder, &row, ROW);
        }
    }
    assert!(rows >= 8, "{rows}");
    let run = Run::read("tests/data/telemetry").unwrap();
    let rows: Vec<Value> = serde_json::from_str(&Report::new(&run).to_inferencex()).unwrap();
    let number = |key: &str| rows[0][key].as_f64().unwrap();
    assert_eq!(rows[0]["disagg"], false);
    // Of somebody else's server, nobody knows.
    let others = Run::read("tests/data/genai-perf").unwrap();
    let others: Vec<Value> = serde_json::from_str(&Report::new(&others).to_inferencex()).unwrap();
    assert!(others.iter().all(|row| row["disagg"].is_null()));
    // Their formulas: seconds, 1000 / TPOT in ms, tokens of both kinds over GPUs.
    for (key, expected) in [
        ("mean_ttft", 0.024),
        ("median_tpot", 0.0097),
        ("p99_e2el", 1.2559),
        ("mean_intvty", 1000.0 / 9.7),
        ("output_tput_per_gpu", 512.0 / 5.024),
        ("tput_per_gpu", 1024.0 / 5.024),
        ("avg_power_w", 500.0),
        ("joules_per_output_token", 2512.0 / 512.0),
        ("joules_per_successful_query", 2512.0 / 4.0),
    ] {
        assert!(
            (number(key) / expected - 1.0).abs() < 1e-9,
            "{key}: {}",
            number(key)
        );
    }
    assert_eq!(
        (&rows[0]["conc"], &rows[0]["power_valid"]),
        (&1.into(), &1.into())
    );
}

/// Units that the schema allows, for each kind of figure.
const UNITS: [(&str, &[&str]); 4] = [
    ("latency", &["ms", "s", "ms/token", "s/token"]),
    ("throughput", &["tokens/s", "queries/s"]),
    ("requests", &["count"]),
    (
        "aggregate",
        &[
            "percent", "fraction", "Watts", "MB", "GB", "TB", "MiB", "GiB", "TiB", "count",
        ],
    ),
];

#[track_caller]
fn check_statistics(what: &str, kind: &str, value: &Value) {
    let mut fields: Vec<Field> = vec![("units", "text", true), ("mean", "number", true)];
    let others = [
        "stddev", "min", "p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "max",
    ];
    fields.extend(others.map(|name| (name, "number", false)));
    check(what, value, &fields);
    let (_, units) = UNITS.iter().find(|(own, _)| *own == kind).unwrap();
    assert!(
        units.contains(&value["units"].as_str().unwrap()),
        "{what}: {value}"
    );
}

#[test]
fn documents_are_llm_d_s() {
    let mut documents = 0;
    for folder in RESULTS {
        let run = Run::read(folder).unwrap();
        let text = Report::new(&run).to_llm_d();
        let whole = run.points().iter().filter(|it| it.caveat().is_none());
        assert_eq!(text.lines().count(), whole.count(), "{folder}");
        for line in text.lines() {
            let document: Value = serde_json::from_str(line).unwrap();
            check_document(&document);
            documents += 1;
        }
    }
    assert!(documents >= 8, "{documents}");
}

#[expect(clippy::too_many_lines, reason = "it is a schema")]
fn check_document(document: &Value) {
    check(
        "a report",
        document,
        &[
            ("version", "text", true),
            ("run", "object", true),
            ("scenario", "object", false),
            ("results", "object", true),
        ],
    );
    assert_eq!(document["version"], "0.2");
    let run = &document["run"];
    check(
        "run",
        run,
        &[
            ("uid", "text", true),
            ("eid", "text", false),
            ("time", "object", false),
            ("description", "text", false),
        ],
    );
    if let Some(time) = run.get("time") {
        check(
            "time",
            time,
            &[
                ("start", "text", true),
                ("end", "text", true),
                ("duration", "text", true),
            ],
        );
        assert!(time["duration"].as_str().unwrap().starts_with("PT"));
    }
    let scenario = &document["scenario"];
    check(
        "scenario",
        scenario,
        &[("stack", "list", false), ("load", "object", true)],
    );
    for component in scenario
        .get("stack")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        check(
            "component",
            component,
            &[
                ("metadata", "object", true),
                ("standardized", "object", true),
                ("native", "object", true),
            ],
        );
        check(
            "component's metadata",
            &component["metadata"],
            &[("label", "text", true), ("cfg_id", "text", true)],
        );
        assert_eq!(component["standardized"]["kind"], "generic");
        for name in ["tool", "tool_version"] {
            assert!(component["standardized"][name].is_string(), "{component}");
        }
    }
    let load = &scenario["load"];
    check(
        "load",
        load,
        &[
            ("metadata", "object", true),
            ("standardized", "object", true),
            ("native", "object", true),
        ],
    );
    check(
        "load's metadata",
        &load["metadata"],
        &[("description", "text", false)],
    );
    let of = &load["standardized"];
    check(
        "standardized load",
        of,
        &[
            ("tool", "text", true),
            ("tool_version", "text", true),
            ("source", "text", true),
            ("input_seq_len", "object", true),
            ("output_seq_len", "object", false),
            ("concurrency", "whole", false),
            ("rate_qps", "number", false),
        ],
    );
    assert!(["random", "sampled", "unknown"].contains(&of["source"].as_str().unwrap()));
    for length in [Some(&of["input_seq_len"]), of.get("output_seq_len")]
        .into_iter()
        .flatten()
    {
        check(
            "length",
            length,
            &[
                ("distribution", "text", true),
                ("value", "number", true),
                ("std_dev", "number", false),
            ],
        );
        let words = ["fixed", "gaussian", "uniform", "other"];
        assert!(
            words.contains(&length["distribution"].as_str().unwrap()),
            "{length}"
        );
    }
    let results = &document["results"];
    check(
        "results",
        results,
        &[
            ("request_performance", "object", true),
            ("observability", "object", false),
        ],
    );
    let aggregate = &results["request_performance"]["aggregate"];
    check(
        "aggregate",
        aggregate,
        &[
            ("requests", "object", false),
            ("latency", "object", false),
            ("throughput", "object", false),
        ],
    );
    if let Some(requests) = aggregate.get("requests") {
        check(
            "requests",
            requests,
            &[
                ("total", "whole", true),
                ("failures", "whole", false),
                ("input_length", "object", false),
                ("output_length", "object", false),
            ],
        );
    }
    let known = |part: &str, names: &[&str]| {
        for (name, value) in aggregate
            .get(part)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if value.is_object() {
                check_statistics(name, part, value);
            }
            assert!(names.contains(&name.as_str()), "{part} has {name}");
        }
    };
    known(
        "requests",
        &["total", "failures", "input_length", "output_length"],
    );
    known(
        "latency",
        &[
            "time_to_first_token",
            "time_per_output_token",
            "request_latency",
        ],
    );
    known(
        "throughput",
        &[
            "input_token_rate",
            "output_token_rate",
            "total_token_rate",
            "request_rate",
        ],
    );
    for component in results["observability"]["components"]
        .as_array()
        .into_iter()
        .flatten()
    {
        check(
            "observed component",
            component,
            &[
                ("component_label", "text", true),
                ("aggregate", "object", true),
            ],
        );
        for (name, value) in component["aggregate"].as_object().unwrap() {
            assert!(["power_consumption", "gpu_utilization"].contains(&name.as_str()));
            check_statistics(name, "aggregate", value);
        }
    }
}
