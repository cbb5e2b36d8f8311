//! The report as JSON.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::{Column, Report, STEADY, spread, table};
use crate::load::Length;
use crate::load::{Decimal, Load};
use crate::percentile::Percentile;
use crate::recipe::SearchedLoad;
use crate::results::{
    Capacity, Change, Comparison, Difference, Energy, Gate, GateOutcome, Gated, GatedChange,
    GpuMetric, Group, Limits, Manifest, Metric, OtherMetric, Point, Probe, ProbeVerdict,
    ReadProblem, Requests, Run, RunId, Statistic, Statistics, Summary, Throttle, Tokens, Tool,
    Verdict,
};

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    points: Vec<PointRow<'a>>,
    problems: &'a [ReadProblem],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    means: Vec<MeanRow<'a>>,
    use_cases: Vec<UseCaseRow<'a>>,
    #[serde(serialize_with = "in_brief")]
    runs: &'a [Manifest],
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<LimitsRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<AgainstRow<'a>>,
}

#[derive(Serialize)]
struct PointRow<'a> {
    use_case: Option<&'a str>,
    input_sequence_length: Option<u32>,
    output_sequence_length: Option<u32>,
    concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_sequence_stddev: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_sequence_stddev: Option<u32>,
    gpus: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replica: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<u32>,
    job_id: Option<&'a RunId>,
    repeat: u32,
    path: &'a str,
    tool: &'static str,
    request_count: Option<u64>,
    highest_percentile: Option<Percentile>,
    /// `null` where nobody checked.
    prefix_cache_share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warmup_requests: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requests: Option<RequestsRow>,
    metrics: BTreeMap<&'a str, MetricRow<'a>>,
    output_token_throughput_per_gpu: Option<f64>,
    output_token_throughput_per_user: Option<f64>,
    energy: Option<EnergyRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    energy_missing: Option<MissingRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_per_million: Option<BTreeMap<&'static str, Option<f64>>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    gpu_metrics: &'a [GpuMetric],
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caveat: Option<String>,
}

/// What several runs of a point say.
#[derive(Serialize)]
struct MeanRow<'a> {
    paths: Vec<&'a str>,
    metrics: BTreeMap<&'static str, SummaryRow>,
    is_unstable: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    energy: BTreeMap<&'static str, SummaryRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_per_million: Option<BTreeMap<&'static str, SummaryRow>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
}

#[derive(Serialize)]
struct SummaryRow {
    unit: &'static str,
    statistic: &'static str,
    mean: f64,
    /// With a confidence of 0.95.
    interval: Option<[f64; 2]>,
    standard_deviation: Option<f64>,
    /// The standard deviation over the mean: 0.05 is 5 %.
    spread: Option<f64>,
    is_unstable: bool,
}

/// What the server's GPUs drew.
#[derive(Serialize)]
struct EnergyRow {
    source: String,
    gpus: u32,
    seconds: f64,
    joules: f64,
    watts: f64,
    output_tokens_per_joule: Option<f64>,
    joules_per_token: BTreeMap<&'static str, Option<f64>>,
    utilization_percent: Option<f64>,
    memory_mib: Option<u32>,
    throttling: Option<Vec<String>>,
}

/// Why that is not known.
#[derive(Serialize)]
struct MissingRow {
    reason: &'static str,
    message: String,
}

/// What each request tells.
#[derive(Serialize)]
struct RequestsRow {
    failed: usize,
    seconds: Option<f64>,
    is_too_short: Option<bool>,
    share_in_flight: Option<f64>,
    is_steady: Option<bool>,
    largest_difference: Option<DifferenceRow>,
    steady: Option<FiguresRow>,
}

#[derive(Serialize)]
struct DifferenceRow {
    metric: &'static str,
    /// 0.1 is ten percent more in the steady part.
    relative: f64,
}

#[derive(Serialize)]
struct FiguresRow {
    in_flight: u32,
    seconds: f64,
    metrics: BTreeMap<&'static str, Statistics>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum MetricRow<'a> {
    Known {
        unit: &'static str,
        #[serde(flatten)]
        statistics: &'a Statistics,
    },
    Other(&'a OtherMetric),
}

/// Paths of the points that a use case's reader looks for.
#[derive(Serialize)]
struct UseCaseRow<'a> {
    model: Option<&'a str>,
    use_case: Option<&'a str>,
    input_sequence_length: Option<u32>,
    output_sequence_length: Option<u32>,
    highest_throughput: Option<&'a str>,
    /// `null` without limits, too.
    highest_throughput_within_limits: Option<&'a str>,
    /// Why it is `null`, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    none_within_limits: Option<String>,
    pareto_front: Vec<&'a str>,
    /// Where use cases have other limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<LimitsRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<CapacityRow<'a>>,
}

/// What a search found, in requests in flight or in a second.
#[derive(Serialize)]
struct CapacityRow<'a> {
    of: SearchedLoad,
    held: Option<Number>,
    exceeded: Option<Number>,
    exceeded_by: Option<&'static str>,
    /// `null` once the search has ended.
    next: Option<Number>,
    is_monotone: bool,
    probes: Vec<ProbeRow<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Number {
    Whole(u32),
    Rate(Decimal),
}

#[derive(Serialize)]
struct ProbeRow<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_rate: Option<Decimal>,
    attempt: u32,
    requests: Option<usize>,
    seconds: Option<u32>,
    /// `within`, `exceeded`, `cannot_tell` or `failed`.
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<&'a str>,
    path: Option<&'a str>,
}

#[derive(Serialize)]
struct LimitsRow {
    statistic: &'static str,
    #[serde(flatten)]
    milliseconds: BTreeMap<&'static str, f64>,
}

#[derive(Serialize)]
struct AgainstRow<'a> {
    changes: Vec<ChangeRow<'a>>,
    only_before: Vec<&'a str>,
    only_after: Vec<&'a str>,
    not_compared: Vec<NotComparedRow<'a>>,
    superseded: Vec<SupersededRow<'a>>,
    differences: Vec<Difference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gate: Option<GateRow>,
    #[serde(serialize_with = "in_brief")]
    runs: &'a [Manifest],
}

#[derive(Serialize)]
struct NotComparedRow<'a> {
    path: &'a str,
    is_before: bool,
    unknown: Vec<&'static str>,
}

/// A point in whose place a later one is compared.
#[derive(Serialize)]
struct SupersededRow<'a> {
    path: &'a str,
    by: &'a str,
    is_before: bool,
    /// Whether a gate cannot tell because of it.
    is_open: bool,
}

#[derive(Serialize)]
struct GateRow {
    gate: String,
    outcome: &'static str,
    exit_code: u8,
    confidence: f64,
    changes: Vec<GatedRow>,
}

#[derive(Serialize)]
struct GatedRow {
    before: String,
    after: String,
    metric: &'static str,
    statistic: &'static str,
    margin: f64,
    outcome: &'static str,
    /// 0.1 is ten percent more.
    relative: Option<f64>,
    interval: Option<[f64; 2]>,
    runs: [usize; 2],
    enough_runs: Option<u32>,
    reason: Option<&'static str>,
}

#[derive(Serialize)]
struct ChangeRow<'a> {
    before: &'a str,
    after: &'a str,
    /// 0.1 is ten percent more.
    relative: BTreeMap<&'static str, Option<f64>>,
}

fn in_brief<S: Serializer>(runs: &[Manifest], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(runs.iter().map(Manifest::in_brief))
}

pub(super) fn render(report: &Report<'_>, means: &Report<'_>) -> String {
    let run = report.run;
    let comparison = means.comparison();
    let several = |point: &&Point| point.runs().len() > 1;
    let document = Document {
        schema: 1,
        points: run.points().iter().map(|p| point_row(report, p)).collect(),
        problems: run.problems(),
        means: means
            .run
            .points()
            .iter()
            .filter(several)
            .map(|point| mean_row(report, point))
            .collect(),
        use_cases: means
            .run
            .groups()
            .iter()
            .map(|g| use_case_row(report, g))
            .collect(),
        runs: run.manifests(),
        limits: report.common().and_then(limits_row),
        against: comparison
            .as_ref()
            .map(|comparison| against_row(report, means, comparison)),
    };
    let mut text = serde_json::to_string_pretty(&document).expect("keys are texts");
    text.push('\n');
    text
}

fn against_row<'a>(
    report: &Report<'a>,
    means: &Report<'_>,
    comparison: &Comparison<'a>,
) -> AgainstRow<'a> {
    let changes = comparison.changes().iter();
    let not_compared = comparison.not_compared().iter();
    let superseded = comparison.superseded().iter();
    AgainstRow {
        changes: changes.map(|change| change_row(report, change)).collect(),
        only_before: paths(comparison.only_before()),
        only_after: paths(comparison.only_after()),
        not_compared: not_compared
            .map(|it| NotComparedRow {
                path: it.point().path().as_str(),
                is_before: it.is_before(),
                unknown: it.unknown().to_vec(),
            })
            .collect(),
        superseded: superseded
            .map(|it| SupersededRow {
                path: it.point().path().as_str(),
                by: it.by().path().as_str(),
                is_before: it.is_before(),
                is_open: it.is_open(),
            })
            .collect(),
        differences: means.differences(),
        gate: report
            .gate
            .zip(means.gated(comparison))
            .map(|(gate, gated)| gate_row(gate, &gated)),
        runs: report.before.map(Run::manifests).unwrap_or_default(),
    }
}

fn paths<'a>(points: &[&'a Point]) -> Vec<&'a str> {
    points.iter().map(|point| point.path().as_str()).collect()
}

fn point_row<'a>(report: &Report<'_>, point: &'a Point) -> PointRow<'a> {
    let known = point.metrics().map(|(metric, statistics)| {
        let unit = metric.unit().as_str();
        (metric.name(), MetricRow::Known { unit, statistics })
    });
    let others = point
        .other_metrics()
        .map(|(name, other)| (name, MetricRow::Other(other)));
    PointRow {
        use_case: point.use_case(),
        input_sequence_length: point.input_tokens(),
        output_sequence_length: point.output_tokens(),
        concurrency: point.concurrency(),
        request_rate: point.request_rate(),
        input_sequence_stddev: point.input().and_then(stddev),
        output_sequence_stddev: point.output().and_then(stddev),
        gpus: point.gpus(),
        replica: point.replica(),
        server: point.server(),
        job_id: point.run(),
        repeat: point.repeat(),
        path: point.path().as_str(),
        tool: match point.tool() {
            Tool::GenAiPerf => "genai-perf",
            Tool::AiPerf => "aiperf",
        },
        request_count: point.request_count(),
        highest_percentile: point.request_count().and_then(Percentile::highest),
        prefix_cache_share: point.cached_share(),
        warmup_requests: point.warmup_requests(),
        requests: point.requests().map(requests_row),
        metrics: others.chain(known).collect(),
        output_token_throughput_per_gpu: point.throughput_per_gpu(),
        output_token_throughput_per_user: point.throughput_per_user(),
        energy: point.energy().ok().map(|energy| energy_row(point, energy)),
        energy_missing: point.energy().err().map(|why| MissingRow {
            reason: why.word(),
            message: why.to_string(),
        }),
        cost_per_million: report
            .price
            .map(|price| by_kind(|tokens| point.cost_per_million(tokens, price))),
        gpu_metrics: point.gpu_metrics(),
        verdict: verdict(report, point),
        caveat: point.caveat(),
    }
}

fn limits_row(limits: Limits) -> Option<LimitsRow> {
    let milliseconds = limits.iter().map(|(metric, limit)| (metric.name(), limit));
    (!limits.is_empty()).then(|| LimitsRow {
        statistic: limits.statistic().name(),
        milliseconds: milliseconds.collect(),
    })
}

pub(super) fn verdict(report: &Report<'_>, point: &Point) -> Option<&'static str> {
    let limits = report.limits_of(point);
    (!limits.is_empty()).then(|| match limits.verdict(point) {
        Verdict::Within => "within",
        Verdict::Exceeded { .. } => "exceeded",
        Verdict::CannotTell { .. } => "cannot_tell",
        Verdict::Unknown { .. } => "unknown",
    })
}

fn mean_row<'a>(report: &Report<'_>, point: &'a Point) -> MeanRow<'a> {
    let summarized = |column: Column| {
        let (name, unit, statistic) = column_in_json(column);
        Some((name, summary_row(column.summary(point)?, unit, statistic)))
    };
    let energy = point.summary_of(|run| Some(run.energy().ok()?.joules()));
    let watts = point.summary_of(|run| Some(run.energy().ok()?.watts()));
    let per_joule = point.summary_of(Point::tokens_per_joule);
    let per_token = point.summary_of(|run| run.joules_per_token(Tokens::Output));
    let energy = [
        ("joules", "J", energy),
        ("watts", "W", watts),
        ("output_tokens_per_joule", "tokens/J", per_joule),
        ("joules_per_output_token", "J/token", per_token),
    ];
    let energy = energy.into_iter().filter_map(|(name, unit, summary)| {
        Some((name, summary_row(summary?, unit, Statistic::Avg)))
    });
    let cost = |price: f64| {
        by_kind(|tokens| point.summary_of(|run| run.cost_per_million(tokens, price)))
            .into_iter()
            .filter_map(|(kind, cost)| {
                Some((kind, summary_row(cost?, "per million", Statistic::Avg)))
            })
            .collect()
    };
    MeanRow {
        paths: point.runs().iter().map(|run| run.path().as_str()).collect(),
        metrics: Column::all(report.statistic_of(point))
            .into_iter()
            .filter_map(summarized)
            .collect(),
        is_unstable: spread(report, point).is_some_and(|(_, _, is_unstable)| is_unstable),
        energy: energy.collect(),
        cost_per_million: report.price.map(cost),
        verdict: verdict(report, point),
    }
}

/// A column's name, unit and statistic; the names are those of a point's row.
fn column_in_json(column: Column) -> (&'static str, &'static str, Statistic) {
    let of = |metric: Metric| (metric.name(), metric.unit().as_str(), Statistic::Avg);
    match column {
        Column::Latency(metric, statistic) => (metric.name(), metric.unit().as_str(), statistic),
        Column::Throughput => of(Metric::OutputTokenThroughput),
        Column::ThroughputPerGpu => (
            "output_token_throughput_per_gpu",
            "tokens/s/GPU",
            Statistic::Avg,
        ),
        Column::ThroughputPerUser => of(Metric::OutputTokenThroughputPerUser),
        Column::Requests => of(Metric::RequestThroughput),
        Column::OutputCost(_) => (
            "cost_per_million_output_tokens",
            "per million",
            Statistic::Avg,
        ),
    }
}

fn summary_row(summary: Summary, unit: &'static str, statistic: Statistic) -> SummaryRow {
    SummaryRow {
        unit,
        statistic: statistic.name(),
        mean: summary.mean(),
        interval: summary.interval().map(<[f64; 2]>::from),
        standard_deviation: summary.standard_deviation(),
        spread: summary.spread(),
        is_unstable: summary.is_unstable(),
    }
}

fn stddev(length: Length) -> Option<u32> {
    Some(length.spread()).filter(|spread| *spread > 0)
}

fn by_kind<T>(value: impl Fn(Tokens) -> T) -> BTreeMap<&'static str, T> {
    let kinds = Tokens::ALL.iter().copied();
    kinds.map(|tokens| (tokens.name(), value(tokens))).collect()
}

fn energy_row(point: &Point, energy: &Energy) -> EnergyRow {
    let words = |seen: Vec<Throttle>| seen.iter().map(Throttle::to_string).collect();
    EnergyRow {
        source: energy.source().to_string(),
        gpus: energy.gpus(),
        seconds: energy.seconds(),
        joules: energy.joules(),
        watts: energy.watts(),
        output_tokens_per_joule: point.tokens_per_joule(),
        joules_per_token: by_kind(|tokens| point.joules_per_token(tokens)),
        utilization_percent: energy.utilization(),
        memory_mib: energy.memory(),
        throttling: energy.throttling().map(words),
    }
}

/// A gate's word.
pub(super) fn outcome(outcome: GateOutcome) -> &'static str {
    match outcome {
        GateOutcome::CannotTell => "cannot_tell",
        other => other.as_str(),
    }
}

fn gate_row(gate: &Gate, gated: &Gated<'_>) -> GateRow {
    let path = |point: &Point| point.path().to_string();
    let row = |it: &GatedChange<'_>| GatedRow {
        before: path(it.change().before()),
        after: path(it.change().after()),
        metric: it.metric().name(),
        statistic: it.statistic().name(),
        margin: it.margin(),
        outcome: outcome(it.outcome()),
        relative: it.relative(),
        interval: it.interval().map(<[f64; 2]>::from),
        runs: it.runs().into(),
        enough_runs: it.enough(),
        reason: it.reason(),
    };
    GateRow {
        gate: gate.to_string(),
        outcome: outcome(gated.outcome()),
        exit_code: gated.exit_code(),
        confidence: gated.confidence(),
        changes: gated.changes().iter().map(row).collect(),
    }
}

fn requests_row(requests: &Requests) -> RequestsRow {
    let difference = requests.largest_difference();
    let seconds = requests.figures().map(|figures| figures.seconds());
    RequestsRow {
        failed: requests.failed(),
        seconds,
        is_too_short: seconds.map(|seconds| seconds < Requests::SHORT),
        share_in_flight: requests.share_in_flight(),
        is_steady: difference.map(|(_, relative)| relative.abs() <= STEADY),
        largest_difference: difference.map(|(metric, relative)| DifferenceRow {
            metric: metric.name(),
            relative,
        }),
        steady: requests.steady().map(|figures| FiguresRow {
            in_flight: figures.level(),
            seconds: figures.seconds(),
            metrics: figures
                .metrics()
                .map(|(metric, statistics)| (metric.name(), *statistics))
                .collect(),
        }),
    }
}

fn use_case_row<'a>(report: &Report<'a>, group: &Group<'a>) -> UseCaseRow<'a> {
    let path = |point: Option<&'a Point>| point.map(|point| point.path().as_str());
    let first = group.points()[0];
    let limits = report.limits_of(first);
    UseCaseRow {
        model: group.model(),
        use_case: first.use_case(),
        input_sequence_length: first.input_tokens(),
        output_sequence_length: first.output_tokens(),
        highest_throughput: path(group.best_throughput()),
        highest_throughput_within_limits: path(
            group.best_within(&limits).filter(|_| !limits.is_empty()),
        ),
        none_within_limits: report.none_within(group),
        pareto_front: paths(&group.pareto_front()),
        limits: match report.common() {
            Some(_) => None,
            None => limits_row(limits),
        },
        capacity: group.capacity(report.run).as_ref().map(capacity_row),
    }
}

fn capacity_row<'a>(capacity: &Capacity<'a>) -> CapacityRow<'a> {
    let of = capacity.goal().of();
    let number = |level| match of.load(level) {
        Load::RequestRate(rate) => Number::Rate(rate),
        _ => Number::Whole(level),
    };
    let probes = capacity.probes().iter();
    CapacityRow {
        of,
        held: capacity.held().map(|probe| number(probe.level())),
        exceeded: capacity.exceeded().map(|probe| number(probe.level())),
        exceeded_by: capacity.exceeded_by().map(Metric::name),
        next: capacity.next().map(number),
        is_monotone: capacity.not_monotone().is_none(),
        probes: probes
            .map(|probe| probe_row(of.load(probe.level()), probe))
            .collect(),
    }
}

fn probe_row<'a>(load: Load, probe: &Probe<'a>) -> ProbeRow<'a> {
    ProbeRow {
        concurrency: load.concurrency(),
        request_rate: load.request_rate(),
        attempt: probe.attempt(),
        requests: probe.requests(),
        seconds: probe.seconds(),
        verdict: match probe.verdict() {
            ProbeVerdict::Held => "within",
            ProbeVerdict::Above(_) => "exceeded",
            ProbeVerdict::CannotTell(_) => "cannot_tell",
            ProbeVerdict::Failed(_) => "failed",
        },
        remark: probe.remark(),
        path: probe.point().map(|point| point.path().as_str()),
    }
}

fn change_row<'a>(report: &Report<'_>, change: &Change<'a>) -> ChangeRow<'a> {
    ChangeRow {
        before: change.before().path().as_str(),
        after: change.after().path().as_str(),
        relative: table::compared(report.statistic())
            .map(|(metric, statistic): (Metric, _)| {
                (metric.name(), change.relative(metric, statistic))
            })
            .into(),
    }
}
