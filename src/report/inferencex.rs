//! The report as rows of InferenceX's result files.

use serde_json::{Map, Value, json};

use super::Report;
use crate::results::{Energy, EnergySource, Metric, Point, Statistic, Tokens};

/// The release of InferenceX's rules on power whose words these are.
const POWER_SCHEMA: u32 = 2;

/// Statistics as InferenceX names them.
const STATISTICS: [(&str, Statistic); 6] = [
    ("mean", Statistic::Avg),
    ("median", Statistic::P50),
    ("std", Statistic::Std),
    ("p90", Statistic::P90),
    ("p95", Statistic::P95),
    ("p99", Statistic::P99),
];

/// Latencies: what both tools call the inter-token latency is a request's own mean, which is the
/// time per output token there.
const LATENCIES: [(&str, Metric); 3] = [
    ("ttft", Metric::TimeToFirstToken),
    ("tpot", Metric::InterTokenLatency),
    ("e2el", Metric::RequestLatency),
];

pub(super) fn render(report: &Report<'_>) -> String {
    let points = report.run.points().iter();
    let rows = points.filter(|point| point.caveat().is_none() && point.request_count() != Some(0));
    let rows: Vec<_> = rows.map(|point| row(report, point)).collect();
    let mut text = serde_json::to_string_pretty(&rows).expect("keys are texts");
    text.push('\n');
    text
}

fn row(report: &Report<'_>, point: &Point) -> Value {
    let manifest = report.run.manifest_of(point);
    let image = manifest.and_then(|manifest| manifest.images.server.as_ref());
    let per_gpu = |tokens| {
        let gpus = point.gpus().filter(|gpus| *gpus > 0)?;
        Some(point.token_throughput(tokens)? / f64::from(gpus))
    };
    let Value::Object(mut row) = json!({
        "hw": manifest.and_then(|manifest| manifest.gpu_model.as_deref()),
        "conc": point.concurrency(),
        "image": image.and_then(|image| image.reference.as_deref()),
        "model": point.model(),
        "infmax_model_prefix": null,
        "framework": null,
        "precision": null,
        "spec_decoding": null,
        // A server of launch.sh both reads prompts and writes answers.
        "disagg": manifest.map(|_| false),
        "recipe_fingerprint": manifest.and_then(|manifest| manifest.fingerprint.as_deref()),
        "isl": point.input_tokens(),
        "osl": point.output_tokens(),
        "is_multinode": manifest
            .and_then(|manifest| manifest.node.as_deref())
            .map(|nodes| nodes.contains(['[', ','])),
        "tp": null,
        "pp": null,
        "dcp_size": null,
        "pcp_size": null,
        "ep": null,
        "dp_attention": null,
        "tput_per_gpu": per_gpu(Tokens::Total),
        "output_tput_per_gpu": per_gpu(Tokens::Output),
        "input_tput_per_gpu": per_gpu(Tokens::Input),
    }) else {
        unreachable!("an object was written")
    };
    latencies(point, &mut row);
    row.insert(
        "power_metric_schema_version".to_owned(),
        json!(POWER_SCHEMA),
    );
    // What the schema calls valid is integrated from samples: a tool's mean is not.
    let energy = point.energy().ok();
    let energy = energy.filter(|energy| energy.source() == EnergySource::NvidiaSmi);
    row.insert("power_valid".to_owned(), json!(u8::from(energy.is_some())));
    if let Some(energy) = energy {
        power(point, energy, &mut row);
    }
    Value::Object(row)
}

/// In seconds, and in tokens a second for each user.
fn latencies(point: &Point, row: &mut Map<String, Value>) {
    for (name, metric) in LATENCIES {
        for (prefix, statistic) in STATISTICS {
            let Some(milliseconds) = point.value(metric, statistic) else {
                continue;
            };
            row.insert(format!("{prefix}_{name}"), json!(milliseconds / 1000.0));
            let is_speed = metric == Metric::InterTokenLatency && statistic != Statistic::Std;
            if is_speed && milliseconds > 0.0 {
                row.insert(format!("{prefix}_intvty"), json!(1000.0 / milliseconds));
            }
        }
    }
}

fn power(point: &Point, energy: &Energy, row: &mut Map<String, Value>) {
    #[expect(clippy::cast_precision_loss, reason = "no point has 2^52 requests")]
    let requests = point.request_count().map(|count| count as f64);
    let values = [
        (
            "avg_power_w",
            Some(energy.watts() / f64::from(energy.gpus())),
        ),
        ("avg_total_gpu_power_w", Some(energy.watts())),
        ("total_gpu_energy_j", Some(energy.joules())),
        (
            "joules_per_successful_query",
            requests.map(|count| energy.joules() / count),
        ),
        (
            "joules_per_input_token",
            point.joules_per_token(Tokens::Input),
        ),
        (
            "joules_per_output_token",
            point.joules_per_token(Tokens::Output),
        ),
        (
            "joules_per_total_token",
            point.joules_per_token(Tokens::Total),
        ),
    ];
    let known = values
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    row.extend(known.map(|(name, value)| (name.to_owned(), json!(value))));
}
