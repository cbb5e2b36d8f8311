//! The report as an HTML page.

use std::collections::BTreeSet;

use askama::Template;

use super::chart::{COLOURS, Chart, Data, HEIGHT, Look, Mark, SHAPES, Series, WIDTH};
use super::table::{compared, short};
use super::{Column, Report, figure, figure_or_dash, job_of, number_or_dash, percent, use_case_of};
use crate::results::{Group, Metric, Point, ReadProblem, RunId, Statistic, Verdict};

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    made_by: &'static str,
    folder: &'a str,
    points: usize,
    limits: Vec<String>,
    statistic: Statistic,
    width: f64,
    height: f64,
    legend: Vec<LegendRow>,
    /// A short legend is below every chart, a long one above them all.
    legend_is_long: bool,
    charts: Vec<Chart>,
    groups: Vec<GroupPart>,
    changes: Option<Changes>,
    problems: &'a [ReadProblem],
}

struct LegendRow {
    name: String,
    colour: usize,
    sample: String,
}

/// A use case's table.
struct GroupPart {
    title: String,
    answers: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    class: &'static str,
    path: String,
    cells: Vec<String>,
    job: String,
    verdict: String,
}

struct Changes {
    rows: Vec<ChangeRow>,
    missing: Vec<String>,
}

struct ChangeRow {
    title: String,
    jobs: String,
    cells: Vec<(String, String, &'static str)>,
}

pub(super) fn render(report: &Report<'_>) -> String {
    let groups = report.run.groups();
    let sweeps = sweeps(&groups);
    let page = Page {
        made_by: concat!("nim-slurm ", env!("CARGO_PKG_VERSION")),
        folder: report.run.path().as_str(),
        points: report.run.points().len(),
        limits: report
            .limits
            .iter()
            .map(|(metric, limit)| format!("{} at most {limit} ms", short(metric)))
            .collect(),
        statistic: report.statistic(),
        width: WIDTH,
        height: HEIGHT,
        legend: sweeps.iter().map(Sweep::legend).collect(),
        legend_is_long: sweeps.len() > COLOURS,
        charts: charts(report, &sweeps),
        groups: groups.iter().map(|group| part(report, group)).collect(),
        changes: changes(report),
        problems: report.run.problems(),
    };
    // The template has no filter that fails, and writing to a String cannot.
    page.render().expect("a page renders")
}

// ---- Charts ---------------------------------------------------------------------

/// The points of a use case that a line may join: one server, each concurrency once.
struct Sweep<'a> {
    name: String,
    look: Look,
    group: Group<'a>,
}

impl Sweep<'_> {
    fn legend(&self) -> LegendRow {
        LegendRow {
            name: self.name.clone(),
            colour: self.look.colour,
            sample: self.look.sample(),
        }
    }
}

fn sweeps<'a>(groups: &[Group<'a>]) -> Vec<Sweep<'a>> {
    let parts: Vec<_> = groups.iter().map(parts_of).collect();
    // A colour for each use case and a shape for each of its sweeps says most, while
    // there are enough of both.
    let can_say_use_case = parts.len() <= COLOURS
        && parts
            .iter()
            .all(|parts| (2..=SHAPES).contains(&parts.len()));
    let mut number = 0;
    let mut sweeps = Vec::new();
    for (use_case, parts) in parts.into_iter().enumerate() {
        for (place, (name, group)) in parts.into_iter().enumerate() {
            let look = if can_say_use_case {
                Look {
                    colour: use_case,
                    shape: place,
                }
            } else {
                Look {
                    colour: number % COLOURS,
                    shape: (number + number / COLOURS) % SHAPES,
                }
            };
            number += 1;
            sweeps.push(Sweep { name, look, group });
        }
    }
    sweeps
}

/// The sweeps of a use case: one for each number of GPUs, and one for each job
/// where several jobs measured the same.
fn parts_of<'a>(group: &Group<'a>) -> Vec<(String, Group<'a>)> {
    let points = || group.points().iter();
    let gpus: BTreeSet<_> = points().map(|point| point.gpus()).collect();
    let measured: BTreeSet<_> = points()
        .map(|point| (point.gpus(), point.concurrency()))
        .collect();
    let has_repeats = measured.len() < group.points().len();
    group.split(|point| {
        let mut name = group.to_string();
        if let (true, Some(gpus)) = (gpus.len() > 1, point.gpus()) {
            name.push_str(&format!(", {gpus} GPUs"));
        }
        if let (true, Some(run)) = (has_repeats, point.run()) {
            name.push_str(&format!(", job {run}"));
        }
        name
    })
}

fn charts(report: &Report<'_>, sweeps: &[Sweep<'_>]) -> Vec<Chart> {
    let statistic = report.statistic();
    let mut charts = vec![pareto(report, sweeps)];
    for (metric, title) in [
        (Metric::TimeToFirstToken, "Time to first token"),
        (Metric::InterTokenLatency, "Inter-token latency"),
    ] {
        let limit = report
            .limits
            .iter()
            .find(|(limited, _)| *limited == metric)
            .map(|(_, limit)| (limit, format!("limit {limit} ms")));
        charts.push(by_concurrency(
            report,
            sweeps,
            title,
            format!("{}, {statistic} (ms)", short(metric)),
            limit,
            |point| point.value(metric, statistic),
        ));
    }
    charts.push(by_concurrency(
        report,
        sweeps,
        "Throughput",
        "output tokens/s".to_owned(),
        None,
        Point::throughput,
    ));
    charts
        .into_iter()
        .filter(|data| data.series.iter().any(|series| !series.marks.is_empty()))
        .map(Chart::draw)
        .collect()
}

fn pareto(report: &Report<'_>, sweeps: &[Sweep<'_>]) -> Data {
    let place = |point: &Point| Some((point.throughput_per_user()?, point.throughput_per_gpu()?));
    Data {
        title: "Throughput against speed for each user",
        x_label: "output tokens/s/user".to_owned(),
        y_label: "output tokens/s/GPU".to_owned(),
        limit: None,
        series: sweeps
            .iter()
            .map(|sweep| series(report, sweep, sweep.group.pareto_front(), place))
            .collect(),
    }
}

fn by_concurrency(
    report: &Report<'_>,
    sweeps: &[Sweep<'_>],
    title: &'static str,
    y_label: String,
    limit: Option<(f64, String)>,
    value: impl Fn(&Point) -> Option<f64>,
) -> Data {
    let place = |point: &Point| Some((f64::from(point.concurrency()?), value(point)?));
    Data {
        title,
        x_label: "concurrency (requests in flight)".to_owned(),
        y_label,
        limit,
        series: sweeps
            .iter()
            .map(|sweep| series(report, sweep, sweep.group.points().to_vec(), place))
            .collect(),
    }
}

fn series(
    report: &Report<'_>,
    sweep: &Sweep<'_>,
    joined: Vec<&Point>,
    place: impl Fn(&Point) -> Option<(f64, f64)>,
) -> Series {
    Series {
        look: sweep.look,
        marks: sweep
            .group
            .points()
            .iter()
            .filter_map(|point| {
                let (x, y) = place(point)?;
                Some(Mark {
                    x,
                    y,
                    text: hover(report, &sweep.name, point),
                })
            })
            .collect(),
        line: joined.into_iter().filter_map(place).collect(),
    }
}

fn hover(report: &Report<'_>, name: &str, point: &Point) -> String {
    let mut text = name.to_owned();
    if let Some(concurrency) = point.concurrency() {
        text.push_str(&format!(", concurrency {concurrency}"));
    }
    for (column, words) in Column::all(report.statistic()).into_iter().zip([
        "TTFT, ms",
        "ITL, ms",
        "request latency, ms",
        "tokens/s",
        "tokens/s/GPU",
        "tokens/s/user",
        "requests/s",
    ]) {
        if let Some(value) = column.of(point) {
            text.push_str(&format!("\n{words}: {}", figure(value)));
        }
    }
    text
}

// ---- Tables ---------------------------------------------------------------------

fn part(report: &Report<'_>, group: &Group<'_>) -> GroupPart {
    let within = group.best_within(&report.limits);
    let best = report.best_of(group);
    let mut answers = Vec::new();
    if !report.limits.is_empty() {
        answers.push(within.map_or_else(
            || "No point keeps the limits.".to_owned(),
            |point| format!("Highest throughput within the limits: {}.", at(point)),
        ));
    }
    if let Some(point) = group.best_throughput() {
        answers.push(format!("Highest throughput: {}.", at(point)));
    }
    GroupPart {
        title: group.to_string(),
        answers,
        rows: group
            .points()
            .iter()
            .map(|point| row(report, best, point))
            .collect(),
    }
}

fn at(point: &Point) -> String {
    format!(
        "{} tokens/s at concurrency {}",
        figure_or_dash(point.throughput()),
        number_or_dash(point.concurrency())
    )
}

fn row(report: &Report<'_>, best: Option<&Point>, point: &Point) -> Row {
    let mut cells = vec![
        number_or_dash(point.gpus()),
        number_or_dash(point.concurrency()),
    ];
    cells.extend(Column::all(report.statistic()).map(|column| figure_or_dash(column.of(point))));
    let is_best = best.is_some_and(|best| std::ptr::eq(best, point));
    let (class, verdict) = match report.limits.verdict(point) {
        _ if point.caveat().is_some() => ("above", "not to be trusted".to_owned()),
        _ if is_best => ("best", "best".to_owned()),
        Verdict::Within => ("", String::new()),
        Verdict::Exceeded { metric, .. } => ("above", format!("{} above its limit", short(metric))),
        Verdict::Unknown { metric } => ("above", format!("{} not measured", short(metric))),
    };
    Row {
        class,
        path: point.path().to_string(),
        cells,
        job: point.run().map_or_else(
            || point.path().file_name().unwrap_or("-").to_owned(),
            RunId::to_string,
        ),
        verdict,
    }
}

fn changes(report: &Report<'_>) -> Option<Changes> {
    let comparison = report.comparison()?;
    let title = |point: &Point| {
        format!(
            "{}, {} GPUs, concurrency {}",
            use_case_of(point),
            number_or_dash(point.gpus()),
            number_or_dash(point.concurrency())
        )
    };
    let only = |points: &[&Point], which: &str| -> Vec<String> {
        points
            .iter()
            .map(|point| format!("only in the {which} run: {}", title(point)))
            .collect()
    };
    let mut missing = only(comparison.only_before(), "earlier");
    missing.extend(only(comparison.only_after(), "later"));
    Some(Changes {
        missing,
        rows: comparison
            .changes()
            .iter()
            .map(|change| ChangeRow {
                title: title(change.after()),
                jobs: format!("{} → {}", job_of(change.before()), job_of(change.after())),
                cells: compared(report.statistic())
                    .map(|(metric, statistic)| {
                        let relative = change.relative(metric, statistic);
                        let value = |point: &Point| figure_or_dash(point.value(metric, statistic));
                        let values =
                            format!("{} → {}", value(change.before()), value(change.after()));
                        (percent(relative), values, direction(metric, relative))
                    })
                    .into(),
            })
            .collect(),
    })
}

/// Whether a change is for the better. Less than two percent is noise to most.
fn direction(metric: Metric, relative: Option<f64>) -> &'static str {
    let is_latency = metric.unit() == crate::results::Unit::Milliseconds;
    match relative {
        Some(change) if change.abs() >= 0.02 => {
            if (change < 0.0) == is_latency {
                "better"
            } else {
                "worse"
            }
        }
        _ => "",
    }
}
