//! The report as an HTML page, and its charts as a picture.

use std::collections::BTreeSet;

use askama::Template;

use super::chart::{COLOURS, Chart, Data, HEIGHT, Mark, SHAPES, Series, Style, WIDTH};
use super::table::{compared, short};
use super::{
    Column, Report, another_measurement, brief, cached, derived, figure_or_dash, gate, job_of,
    jobs, limits, milliseconds, missing, number_or_dash, out_of_cache, percent, place_of, search,
    server_of, several_runs, spread, supported, title_of, unsteady, weak,
};
use crate::plain::plain;
use crate::results::{
    GateOutcome, Group, Metric, Point, ReadProblem, Run, Statistic, Summary, Verdict,
};

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    made_by: &'static str,
    folder: String,
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
    /// Why what is compared is not alike: said first.
    another: Option<String>,
    jobs: Vec<String>,
    derived: Option<String>,
    problems: &'a [ReadProblem],
}

#[derive(Template)]
#[template(path = "report.svg")]
struct Picture {
    title: String,
    whole_width: f64,
    whole_height: f64,
    width: f64,
    height: f64,
    colours: [&'static str; COLOURS],
    legend: Vec<LegendRow>,
    /// Each with the place of its upper left corner.
    charts: Vec<(f64, f64, Chart)>,
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
    /// The probes of a search.
    probes: Vec<String>,
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
    differences: Vec<String>,
    gate: Vec<String>,
    verdicts: Vec<GateRow>,
    rows: Vec<ChangeRow>,
    missing: Vec<String>,
}

struct GateRow {
    class: &'static str,
    verdict: gate::Verdict,
}

struct ChangeRow {
    title: String,
    jobs: String,
    cells: Vec<(String, String, &'static str)>,
}

pub(super) fn render(report: &Report<'_>) -> String {
    let groups = report.run.groups();
    let sweeps = sweeps(report.run, &groups);
    let page = Page {
        made_by: concat!("nim-slurm ", env!("CARGO_PKG_VERSION")),
        folder: plain(report.run.path().as_str()).into_owned(),
        points: report.run.points().len(),
        limits: limits(report),
        statistic: report.statistic(),
        width: WIDTH,
        height: HEIGHT,
        legend: sweeps.iter().map(Sweep::legend).collect(),
        legend_is_long: sweeps.len() > COLOURS,
        charts: charts(report, &sweeps),
        groups: groups.iter().map(|group| part(report, group)).collect(),
        another: another_measurement(&report.differences()),
        changes: changes(report),
        jobs: jobs(report).iter().map(|job| job.join(", ")).collect(),
        derived: marks(report),
        problems: report.run.problems(),
    };
    // The template has no filter that fails, and writing to a String cannot.
    page.render().expect("a page renders")
}

/// The colours of the page on white.
const ON_WHITE: [&str; COLOURS] = [
    "#0067b8", "#c8501e", "#1e8449", "#8e3fa8", "#9a6a00", "#007c89", "#c2185b", "#59646f",
];

/// The charts alone, two in a row below the legend.
pub(super) fn picture(report: &Report<'_>) -> String {
    const ABOVE: f64 = 28.0;
    let sweeps = sweeps(report.run, &report.run.groups());
    let legend: Vec<_> = sweeps.iter().map(Sweep::legend).collect();
    let top = legend.iter().fold(52.0, |top, _| top + 22.0);
    let (mut x, mut y) = (0.0, top);
    let mut placed = Vec::new();
    for chart in charts(report, &sweeps) {
        placed.push((x, y, chart));
        (x, y) = if x > 0.0 {
            (0.0, y + ABOVE + HEIGHT)
        } else {
            (WIDTH, y)
        };
    }
    let picture = Picture {
        title: format!("Inference benchmark: {}", plain(report.run.path().as_str())),
        whole_width: 2.0 * WIDTH,
        whole_height: if x > 0.0 { y + ABOVE + HEIGHT } else { y },
        width: WIDTH,
        height: HEIGHT,
        colours: ON_WHITE,
        legend,
        charts: placed,
    };
    picture.render().expect("a picture renders")
}

// ---- Charts ---------------------------------------------------------------------

/// The points of a use case that a line may join: one server, each concurrency once.
struct Sweep<'a> {
    name: String,
    style: Style,
    group: Group<'a>,
}

impl Sweep<'_> {
    fn legend(&self) -> LegendRow {
        LegendRow {
            name: self.name.clone(),
            colour: self.style.colour,
            sample: self.style.sample(),
        }
    }
}

fn sweeps<'a>(run: &Run, groups: &[Group<'a>]) -> Vec<Sweep<'a>> {
    let parts: Vec<_> = groups.iter().map(|group| parts_of(run, group)).collect();
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
            let style = if can_say_use_case {
                Style {
                    colour: use_case,
                    shape: place,
                }
            } else {
                Style {
                    colour: number % COLOURS,
                    shape: (number + number / COLOURS) % SHAPES,
                }
            };
            number += 1;
            sweeps.push(Sweep { name, style, group });
        }
    }
    sweeps
}

/// The sweeps of a use case: one for each number of GPUs, one for each server of those
/// that measured together, and one for each job where several jobs measured the same. Points without a name have in common what
/// their folders have.
fn parts_of<'a>(run: &Run, group: &Group<'a>) -> Vec<(String, Group<'a>)> {
    let points = || group.points().iter();
    let gpus: BTreeSet<_> = points().map(|point| point.gpus()).collect();
    let measured: BTreeSet<_> = points()
        .map(|point| (point.gpus(), point.concurrency(), point.replica()))
        .collect();
    let has_several_jobs = measured.len() < group.points().len();
    group.split(|point| {
        let mut name = group.to_string();
        if let (true, Some(gpus)) = (gpus.len() > 1, point.gpus()) {
            name.push_str(&format!(", {gpus} GPUs"));
        }
        if let (true, Some(_)) = (has_several_jobs, point.run()) {
            name.push_str(&format!(", job {}", job_of(point)));
        }
        name.push_str(&server_of(point));
        if point.use_case().is_none() {
            name.push_str(&format!(", {}", without_concurrency(run, point)));
        }
        plain(&name).into_owned()
    })
}

/// The point's place with `N` for its concurrency: the same for all points of a sweep
/// whose folders differ in nothing else.
fn without_concurrency(run: &Run, point: &Point) -> String {
    let place = place_of(run, point);
    let Some(concurrency) = point.concurrency() else {
        return place;
    };
    let number = concurrency.to_string();
    let is_digit = |at: Option<usize>| {
        at.and_then(|at| place.as_bytes().get(at))
            .is_some_and(u8::is_ascii_digit)
    };
    let own = place
        .rmatch_indices(&number)
        .map(|(start, _)| start..start + number.len())
        .find(|own| !is_digit(own.start.checked_sub(1)) && !is_digit(Some(own.end)));
    match own {
        Some(own) => format!("{}N{}", &place[..own.start], &place[own.end..]),
        None => place,
    }
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
            .map(|(_, limit)| (limit, format!("limit {}", milliseconds(limit))));
        charts.push(by_concurrency(
            report,
            sweeps,
            title,
            format!("{}, {statistic} (ms)", short(metric)),
            limit,
            Column::Latency(metric, statistic),
        ));
    }
    charts.push(by_concurrency(
        report,
        sweeps,
        "Throughput",
        "output tokens/s".to_owned(),
        None,
        Column::Throughput,
    ));
    for (number, group) in report.run.groups().iter().enumerate() {
        if let Some(capacity) = group.capacity(report.run) {
            let name = plain(&group.to_string()).into_owned();
            charts.push(search::chart(&name, &capacity, number % COLOURS));
        }
    }
    charts
        .into_iter()
        .filter(|data| data.series.iter().any(|series| !series.marks.is_empty()))
        .map(Chart::draw)
        .collect()
}

fn pareto(report: &Report<'_>, sweeps: &[Sweep<'_>]) -> Data {
    let across = Point::throughput_per_user;
    Data {
        title: "Throughput against speed for each user",
        x_label: "output tokens/s/user".to_owned(),
        y_label: "output tokens/s/GPU".to_owned(),
        x_is_whole: false,
        limit: None,
        series: sweeps
            .iter()
            .map(|sweep| {
                series(
                    report,
                    sweep,
                    sweep.group.pareto_front(),
                    across,
                    Column::ThroughputPerGpu,
                )
            })
            .collect(),
    }
}

fn by_concurrency(
    report: &Report<'_>,
    sweeps: &[Sweep<'_>],
    title: &'static str,
    y_label: String,
    limit: Option<(f64, String)>,
    up: Column,
) -> Data {
    let across = |point: &Point| point.concurrency().map(f64::from);
    Data {
        title,
        x_label: "concurrency (requests in flight)".to_owned(),
        y_label,
        x_is_whole: true,
        limit,
        series: sweeps
            .iter()
            .map(|sweep| series(report, sweep, sweep.group.points().to_vec(), across, up))
            .collect(),
    }
}

fn series(
    report: &Report<'_>,
    sweep: &Sweep<'_>,
    joined: Vec<&Point>,
    across: impl Fn(&Point) -> Option<f64>,
    up: Column,
) -> Series {
    let place = |point: &Point| Some((across(point)?, up.of(point)?));
    Series {
        style: sweep.style,
        marks: sweep
            .group
            .points()
            .iter()
            .filter_map(|point| {
                let (x, y) = place(point)?;
                Some(Mark {
                    x,
                    y,
                    interval: up.summary(point).as_ref().and_then(Summary::interval),
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
        if column.of(point).is_some() {
            text.push_str(&format!("\n{words}: {}", with_interval(column, point)));
        }
    }
    if let Some(count) = point.request_count() {
        text.push_str(&format!("\nrequests: {count}"));
    }
    if let Some(words) = runs(report, point) {
        text.push_str(&format!("\n{words}"));
    }
    text
}

/// A number, and the half of its interval where there are several runs.
fn with_interval(column: Column, point: &Point) -> String {
    let half = column.half_width(point);
    let half = half.map(|half| format!(" {half}"));
    column.text(point) + &half.unwrap_or_default()
}

/// How many runs there are, where it is several, and how far they are apart.
fn runs(report: &Report<'_>, point: &Point) -> Option<String> {
    let (runs, spread, is_unstable) = spread(report, point)?;
    let unstable = if is_unstable { "unstable: " } else { "" };
    Some(format!(
        "{unstable}{runs} runs, spread up to {:.1} %",
        100.0 * spread
    ))
}

/// What the marks of the tables stand for, those that are used, and what was checked.
fn marks(report: &Report<'_>) -> Option<String> {
    let marks: Vec<_> = derived(report.run)
        .map(str::to_owned)
        .into_iter()
        .chain(weak(report))
        .chain(supported(report.run))
        .chain(several_runs(report).map(str::to_owned))
        .chain([cached(report.run)])
        .collect();
    (!marks.is_empty()).then(|| marks.join("; "))
}

// ---- Tables ---------------------------------------------------------------------

fn part(report: &Report<'_>, group: &Group<'_>) -> GroupPart {
    let within = group.best_within(&report.limits);
    let best = report.best_of(group);
    let mut answers = Vec::new();
    let mut probes = Vec::new();
    if let Some(capacity) = group.capacity(report.run) {
        let name = plain(&group.to_string()).into_owned();
        answers.push(format!("{}.", search::answer(&name, &capacity)));
        let notes = search::notes(&capacity).into_iter();
        answers.extend(notes.map(|note| format!("{note}.")));
        let lines = capacity.probes().iter();
        probes.extend(lines.map(|probe| search::probe_line(&capacity, probe)));
    }
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
        title: plain(&group.to_string()).into_owned(),
        answers,
        probes,
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
    cells.extend(Column::all(report.statistic()).map(|column| with_interval(column, point)));
    let is_best = best.is_some_and(|best| std::ptr::eq(best, point));
    let (class, verdict) = match report.limits.verdict(point) {
        _ if point.caveat().is_some() => ("above", "not to be trusted".to_owned()),
        _ if is_best => ("best", "best".to_owned()),
        Verdict::Within => ("", String::new()),
        Verdict::Exceeded { metric, .. } => ("above", format!("{} above its limit", short(metric))),
        Verdict::CannotTell { metric } => ("", format!("cannot tell by {}", short(metric))),
        Verdict::Unknown { metric } => ("above", format!("{} not measured", short(metric))),
    };
    let too_short = brief(point).map(|seconds| format!("too short: measured for {seconds:.1} s"));
    let mut words = vec![verdict];
    words.extend(
        [
            runs(report, point),
            unsteady(point),
            out_of_cache(point),
            too_short,
        ]
        .into_iter()
        .flatten(),
    );
    words.retain(|words| !words.is_empty());
    Row {
        class,
        path: plain(point.path().as_str()).into_owned(),
        cells,
        job: match point.run() {
            Some(_) => job_of(point),
            None => place_of(report.run, point),
        } + &server_of(point),
        verdict: words.join("; "),
    }
}

fn changes(report: &Report<'_>) -> Option<Changes> {
    let comparison = report.comparison()?;
    let differences = report.differences();
    let gated = report.gated(&comparison);
    let verdicts = gated
        .as_ref()
        .map(|gated| gate::verdicts(&comparison, gated));
    let verdicts = verdicts.into_iter().flatten().map(|verdict| GateRow {
        class: match verdict.outcome {
            GateOutcome::Better => "better",
            GateOutcome::Worse => "worse",
            _ => "",
        },
        verdict,
    });
    let said = gated.as_ref().map(|gated| {
        let summary = gate::summary(report, gated);
        std::iter::once(summary)
            .chain(gate::legend(gated))
            .collect()
    });
    Some(Changes {
        differences: differences.iter().map(ToString::to_string).collect(),
        gate: said.unwrap_or_default(),
        verdicts: verdicts.collect(),
        missing: missing(&comparison),
        rows: comparison
            .changes()
            .iter()
            .map(|change| ChangeRow {
                title: title_of(&comparison, change.after()),
                jobs: format!("{} → {}", job_of(change.before()), job_of(change.after())),
                cells: compared(report.statistic())
                    .map(|(metric, statistic)| {
                        let relative = change.relative(metric, statistic);
                        let value = |point: &Point| figure_or_dash(point.value(metric, statistic));
                        let values =
                            format!("{} → {}", value(change.before()), value(change.after()));
                        let interval = change.interval(metric, statistic);
                        (percent(relative), values, direction(metric, interval))
                    })
                    .into(),
            })
            .collect(),
    })
}

/// Whether a change is for the better, where the runs on both sides tell it from noise.
fn direction(metric: Metric, interval: Option<(f64, f64)>) -> &'static str {
    let is_latency = metric.unit() == crate::results::Unit::Milliseconds;
    match interval {
        Some((low, high)) if low > 0.0 || high < 0.0 => {
            if (high < 0.0) == is_latency {
                "better"
            } else {
                "worse"
            }
        }
        _ => "",
    }
}
