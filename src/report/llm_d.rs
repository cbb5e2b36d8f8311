//! The report as benchmark reports of llm-d, version 0.2: one for each point, a line each.

use serde_json::{Map, Value, json};

use super::Report;
use crate::load::Length;
use crate::results::{Manifest, Metric, Point, Statistic, Statistics, Tokens, Tool};
use crate::utc::date_and_time;

const VERSION: &str = "0.2";

/// The name of the server within a report.
const SERVER: &str = "server";

pub(super) fn render(report: &Report<'_>) -> String {
    let points = report.run.points().iter();
    // One whose numbers are of a part of its requests is none.
    points
        .filter(|point| point.caveat().is_none())
        .map(|point| document(report, point).to_string() + "\n")
        .collect()
}

/// An object of what is known.
fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let known = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(known.collect::<Map<_, _>>())
}

/// The same, and nothing in place of an empty one.
fn some_object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Option<Value> {
    Some(object(fields)).filter(|value| *value != json!({}))
}

fn document(report: &Report<'_>, point: &Point) -> Value {
    let manifest = report.run.manifest_of(point);
    object([
        ("version", Some(json!(VERSION))),
        ("run", Some(run(report, point, manifest))),
        ("scenario", Some(scenario(point, manifest))),
        ("results", Some(results(point))),
    ])
}

fn run(report: &Report<'_>, point: &Point, manifest: Option<&Manifest>) -> Value {
    let span = point.requests().and_then(crate::results::Requests::span);
    let time = span.map(|(from, to)| {
        #[expect(
            clippy::cast_precision_loss,
            reason = "an hour has 42 bits of nanoseconds"
        )]
        let seconds = (to - from) as f64 / 1e9;
        json!({"start": time(from), "end": time(to), "duration": format!("PT{seconds}S")})
    });
    let recipe = manifest.and_then(|manifest| manifest.recipe.as_deref());
    object([
        ("uid", Some(json!(super::place_of(report.run, point)))),
        ("eid", point.run().map(|run| json!(run.as_str()))),
        ("time", time),
        (
            "description",
            recipe.map(|recipe| json!(format!("recipe {recipe}"))),
        ),
    ])
}

fn scenario(point: &Point, manifest: Option<&Manifest>) -> Value {
    object([
        (
            "stack",
            manifest.map(|manifest| json!([server(point, manifest)])),
        ),
        ("load", Some(load(point, manifest))),
    ])
}

/// Name and tag of an image.
fn tool_of(reference: Option<&str>) -> (&str, &str) {
    let Some(reference) = reference else {
        return ("unknown", "unknown");
    };
    let (name, version) = match reference.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (reference, None),
    };
    let (name, tag) = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (name, None),
    };
    (name, tag.or(version).unwrap_or("unknown"))
}

/// Its kind is "generic": that of inference engines wants the parallelism, which nobody wrote down.
fn server(point: &Point, manifest: &Manifest) -> Value {
    let image = manifest.images.server.as_ref();
    let (tool, version) = tool_of(image.and_then(|image| image.reference.as_deref()));
    let accelerator = some_object([
        ("model", manifest.gpu_model.as_deref().map(Value::from)),
        ("count", point.gpus().map(Value::from)),
    ]);
    let standardized = object([
        ("kind", Some(json!("generic"))),
        ("kind_draft", Some(json!("inference_engine"))),
        ("tool", Some(json!(tool))),
        ("tool_version", Some(json!(version))),
        ("model", point.model().map(|name| json!({"name": name}))),
        ("accelerator", accelerator),
        ("node", manifest.node.as_deref().map(Value::from)),
        ("driver", manifest.driver.as_deref().map(Value::from)),
    ]);
    json!({
        "metadata": {"label": SERVER, "cfg_id": manifest.fingerprint.as_deref().unwrap_or("unknown")},
        "standardized": standardized,
        "native": {},
    })
}

fn load(point: &Point, manifest: Option<&Manifest>) -> Value {
    let image = manifest.and_then(|manifest| manifest.images.client.as_ref());
    let (_, version) = tool_of(image.and_then(|image| image.reference.as_deref()));
    let tool = match point.tool() {
        Tool::GenAiPerf => "genai-perf",
        Tool::AiPerf => "aiperf",
    };
    let length = |asked: Option<Length>, metric| {
        if let Some(length) = asked.filter(|it| !it.is_data()) {
            return Some(match length.spread() {
                0 => json!({"distribution": "fixed", "value": length.mean()}),
                spread => {
                    json!({"distribution": "gaussian", "value": length.mean(), "std_dev": spread})
                }
            });
        }
        let mean = point.value(metric, Statistic::Avg)?;
        Some(json!({"distribution": "other", "value": mean}))
    };
    let unknown = || json!({"distribution": "other", "value": 0});
    let input = length(point.input(), Metric::InputSequenceLength).unwrap_or_else(unknown);
    let standardized = object([
        ("tool", Some(json!(tool))),
        ("tool_version", Some(json!(version))),
        ("source", Some(json!("sampled"))),
        ("input_seq_len", Some(input)),
        (
            "output_seq_len",
            length(point.output(), Metric::OutputSequenceLength),
        ),
        ("concurrency", point.concurrency().map(Value::from)),
        ("rate_qps", point.request_rate().map(Value::from)),
    ]);
    let use_case = point
        .use_case()
        .map(|name| json!(format!("use case {name}")));
    json!({
        "metadata": object([("description", use_case)]),
        "standardized": standardized,
        "native": {},
    })
}

fn results(point: &Point) -> Value {
    let of = |metric, unit| statistics(point.metric(metric)?, unit);
    let failed = point.requests().map(crate::results::Requests::failed);
    let requests = point.request_count().map(|answered| {
        let failures = failed.unwrap_or_default() as u64;
        object([
            ("total", Some(json!(answered + failures))),
            ("failures", failed.map(Value::from)),
            ("input_length", of(Metric::InputSequenceLength, "count")),
            ("output_length", of(Metric::OutputSequenceLength, "count")),
        ])
    });
    let latency = some_object([
        ("time_to_first_token", of(Metric::TimeToFirstToken, "ms")),
        (
            "time_per_output_token",
            of(Metric::InterTokenLatency, "ms/token"),
        ),
        ("request_latency", of(Metric::RequestLatency, "ms")),
    ]);
    let rate = |tokens| Some(json!({"units": "tokens/s", "mean": point.token_throughput(tokens)?}));
    let requests_per_second = point.value(Metric::RequestThroughput, Statistic::Avg);
    let throughput = some_object([
        ("input_token_rate", rate(Tokens::Input)),
        ("output_token_rate", rate(Tokens::Output)),
        ("total_token_rate", rate(Tokens::Total)),
        (
            "request_rate",
            requests_per_second.map(|mean| json!({"units": "queries/s", "mean": mean})),
        ),
    ]);
    let aggregate = object([
        ("requests", requests),
        ("latency", latency),
        ("throughput", throughput),
    ]);
    object([
        ("request_performance", Some(json!({"aggregate": aggregate}))),
        ("observability", observability(point)),
    ])
}

/// What the GPUs did, as the sampler saw it.
fn observability(point: &Point) -> Option<Value> {
    let energy = point.energy().ok()?;
    let busy = energy.utilization();
    let aggregate = object([
        (
            "power_consumption",
            Some(json!({"units": "Watts", "mean": energy.watts()})),
        ),
        (
            "gpu_utilization",
            busy.map(|mean| json!({"units": "percent", "mean": mean})),
        ),
    ]);
    Some(json!({"components": [{"component_label": SERVER, "aggregate": aggregate}]}))
}

/// Statistics as llm-d names them; none without a mean.
fn statistics(own: &Statistics, unit: &str) -> Option<Value> {
    let names = [
        ("mean", Statistic::Avg),
        ("stddev", Statistic::Std),
        ("min", Statistic::Min),
        ("p1", Statistic::P1),
        ("p5", Statistic::P5),
        ("p10", Statistic::P10),
        ("p25", Statistic::P25),
        ("p50", Statistic::P50),
        ("p75", Statistic::P75),
        ("p90", Statistic::P90),
        ("p95", Statistic::P95),
        ("p99", Statistic::P99),
        ("max", Statistic::Max),
    ];
    own.avg()?;
    let mut fields = Map::new();
    fields.insert("units".to_owned(), json!(unit));
    let known = names
        .iter()
        .filter_map(|(name, statistic)| Some((name, own.get(*statistic)?)));
    fields.extend(known.map(|(name, value)| ((*name).to_owned(), json!(value))));
    Some(Value::Object(fields))
}

/// A time in ns since 1970 as `2026-11-25T03:43:20.490Z`.
fn time(nanoseconds: u64) -> String {
    let (seconds, ms) = (nanoseconds / 1_000_000_000, nanoseconds / 1_000_000 % 1000);
    format!("{}.{ms:03}Z", date_and_time(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(time(1_795_578_198_120_000_000), "2026-11-25T03:43:18.120Z");
    }

    #[test]
    fn images() {
        for (reference, expected) in [
            (
                Some("nvcr.io/nim/meta/llama:1.0.3"),
                ("nvcr.io/nim/meta/llama", "1.0.3"),
            ),
            (Some("mirror:5000/vllm"), ("mirror:5000/vllm", "unknown")),
            (
                Some("vllm/vllm-openai:v0.9.2@sha256:ab"),
                ("vllm/vllm-openai", "v0.9.2"),
            ),
            (
                Some("vllm/vllm-openai@sha256:ab"),
                ("vllm/vllm-openai", "sha256:ab"),
            ),
            (None, ("unknown", "unknown")),
        ] {
            assert_eq!(tool_of(reference), expected);
        }
    }
}
