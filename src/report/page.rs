//! The report as an HTML page, and its charts as a picture.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use askama::Template;

use super::chart::{COLOURS, Chart, Data, Dim, HEIGHT, Mark, SHAPES, Series, Style, WIDTH};
use super::energy::{self, EnergyTable};
use super::table::compared;
use super::{
    Column, Report, another_measurement, brief, cached, derived, figure_or_dash, gate, in_words,
    in_xml, job_in_words, job_of, jobs, load_in_words, load_of, milliseconds, missing,
    number_or_dash, origin_of, percent, place_of, points_with_rows, remarks, replica_of,
    requests_of, search, server_of, several_runs, short_points, spread, steady_part, supported,
    title_of, too_short, weak, without_replaced,
};
use super::{head, legend};
use crate::load::{Length, Load};
use crate::plain::{counted, plain};
use crate::results::{
    GateOutcome, Group, Limits, MeasuredAgain, Metric, Point, ReadProblem, Run, Statistic, Summary,
    Verdict, pareto_front, way,
};
use crate::slurm::RunId;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    made_by: &'static str,
    folder: String,
    /// What was measured, with what and when.
    facts: Vec<(&'static str, String)>,
    /// Those that were measured again for longer are one.
    points: usize,
    /// That some are too short, of those that were not measured again for longer.
    short: Option<String>,
    /// How many are too short and were measured again for longer.
    again: usize,
    /// None where use cases have others.
    limits: Option<Vec<String>>,
    statistic: Statistic,
    width: f64,
    height: f64,
    palette: Palette,
    legend: Vec<legend::Row>,
    /// A short legend is below every chart, a long one above them all.
    legend_is_long: bool,
    charts: Vec<ChartPart>,
    groups: Vec<GroupPart>,
    failed_searches: Vec<String>,
    changes: Option<Changes>,
    /// Why what is compared is not alike: said first.
    another: Option<String>,
    jobs: Vec<String>,
    derived: Option<&'static str>,
    notes: Vec<String>,
    /// Why points are not to be trusted.
    caveats: Vec<&'a ReadProblem>,
    problems: Vec<&'a ReadProblem>,
}

#[derive(Template)]
#[template(path = "report.svg")]
struct Picture {
    title: String,
    whole_width: f64,
    whole_height: f64,
    width: f64,
    height: f64,
    palette: Palette,
    legend: Vec<legend::Row>,
    /// Each with the place of its upper left corner.
    charts: Vec<(f64, f64, Chart)>,
}

/// A chart, and what its lines and marks stand for beside its series.
struct ChartPart {
    chart: Chart,
    legend: Vec<legend::Row>,
}

/// The colours of the charts, as CSS has them.
struct Palette {
    paper: &'static str,
    ink: &'static str,
    faint: &'static str,
    grid: &'static str,
    edge: &'static str,
    bad: &'static str,
    series: [&'static str; COLOURS],
}

/// The page's own, which has a dark side.
const OF_PAGE: Palette = Palette {
    paper: "var(--paper)",
    ink: "var(--ink)",
    faint: "var(--faint)",
    grid: "var(--grid)",
    edge: "var(--edge)",
    bad: "var(--bad)",
    series: [
        "var(--c0)",
        "var(--c1)",
        "var(--c2)",
        "var(--c3)",
        "var(--c4)",
        "var(--c5)",
        "var(--c6)",
        "var(--c7)",
    ],
};

/// Those of the page's light side.
const ON_WHITE: Palette = Palette {
    paper: "#ffffff",
    ink: "#1b1f24",
    faint: "#5b6570",
    grid: "#e3e7eb",
    edge: "#b8c0c8",
    bad: "#b3261e",
    series: [
        "#0067b8", "#c8501e", "#1e8449", "#8e3fa8", "#9a6a00", "#007c89", "#c2185b", "#59646f",
    ],
};

/// A use case's table.
struct GroupPart {
    title: String,
    statistic: Statistic,
    answers: Vec<String>,
    /// The probes of a search.
    probes: Vec<String>,
    rows: Vec<Row>,
    /// Which points have none, and why.
    left_out: String,
    energy: Option<EnergyTable>,
}

struct Row {
    class: &'static str,
    path: String,
    /// Each with the half of its interval, where there are several runs.
    cells: Vec<(String, Option<String>)>,
    job: String,
    verdict: String,
    /// What else is to be said of it, in a line of its own.
    notes: String,
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
    let earlier_groups = report.before.map(Run::groups).unwrap_or_default();
    let sweeps = all_sweeps(report, &groups, &earlier_groups);
    let (caveats, problems) = problems(report.run);
    let short = report.run.short_points().len();
    let all_short = report.run.points().iter().filter_map(brief).count();
    let page = Page {
        made_by: concat!("nim-slurm ", env!("CARGO_PKG_VERSION")),
        folder: plain(report.run.path().as_str()).into_owned(),
        facts: head::facts(report),
        points: report.run.points().len() - (all_short - short),
        short: short_points(report.run),
        again: all_short - short,
        limits: report.common().map(|limits| in_words(&limits)),
        statistic: report.statistic(),
        width: WIDTH,
        height: HEIGHT,
        palette: OF_PAGE,
        legend: legend_of(&sweeps),
        legend_is_long: sweeps.len() > COLOURS,
        charts: charts(report, &sweeps)
            .into_iter()
            .map(|chart| ChartPart {
                legend: legend::of_chart(&chart),
                chart,
            })
            .collect(),
        groups: groups.iter().map(|group| part(report, group)).collect(),
        failed_searches: report
            .run
            .failed_searches()
            .iter()
            .map(|search| format!("{search}."))
            .collect(),
        another: another_measurement(&report.differences()),
        changes: changes(report),
        jobs: jobs(report).iter().map(|job| job.join(", ")).collect(),
        derived: derived(report.run),
        notes: marks(report),
        caveats,
        problems,
    };
    // The template has no filter that fails, and writing to a String cannot.
    in_xml(&page.render().expect("a page renders"))
}

/// What is said of points that are not to be trusted, and what else is wrong with the files.
fn problems(run: &Run) -> (Vec<&ReadProblem>, Vec<&ReadProblem>) {
    let points = run.points().iter().flat_map(Point::runs);
    let caveats: BTreeSet<_> = points
        .filter_map(|point| Some((point.path(), point.caveat()?)))
        .collect();
    let is_caveat = |problem: &&ReadProblem| {
        let mut folders = problem.file().ancestors();
        folders.any(|folder| caveats.contains(&(folder, problem.message().to_owned())))
    };
    run.problems().iter().partition(is_caveat)
}

/// The charts alone, two in a row below the legend.
pub(super) fn picture(report: &Report<'_>) -> String {
    const ABOVE: f64 = 28.0;
    let groups = report.run.groups();
    let earlier_groups = report.before.map(Run::groups).unwrap_or_default();
    let sweeps = all_sweeps(report, &groups, &earlier_groups);
    let charts = charts(report, &sweeps);
    let mut legend = legend_of(&sweeps);
    for row in charts.iter().flat_map(legend::of_chart) {
        if !legend.contains(&row) {
            legend.push(row);
        }
    }
    let top = legend.iter().fold(52.0, |top, _| top + 22.0);
    let (mut x, mut y) = (0.0, top);
    let mut placed = Vec::new();
    for chart in charts {
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
        palette: ON_WHITE,
        legend,
        charts: placed,
    };
    in_xml(&picture.render().expect("a picture renders"))
}

// ---- Charts ---------------------------------------------------------------------

/// The points of a use case that a line may join: one server, each concurrency once.
struct Sweep<'a> {
    name: String,
    style: Style,
    group: Group<'a>,
    /// The use case's best point, which may be in another sweep.
    best: Option<&'a Point>,
    is_earlier: bool,
}

/// What sweeps have in common that are drawn alike, one as the other's earlier one: the model (`None`: any), the use case with
/// its lengths, GPUs, and of several servers which one.
type Measured<'a> = (
    Option<&'a str>,
    Option<&'a str>,
    [Option<Length>; 2],
    Option<u32>,
    Option<u32>,
);

impl<'a> Sweep<'a> {
    fn measured(&self, model: Option<&'a str>) -> Measured<'a> {
        let point = self.group.points()[0];
        let lengths = [point.input(), point.output()];
        (
            model,
            point.use_case(),
            lengths,
            point.gpus(),
            point.replica(),
        )
    }

    fn model(&self) -> Option<&'a str> {
        self.group.points()[0].model()
    }
}

fn legend_of(sweeps: &[Sweep<'_>]) -> Vec<legend::Row> {
    let rows = sweeps
        .iter()
        .map(|sweep| legend::series(sweep.name.clone(), sweep.style, sweep.is_earlier));
    rows.collect()
}

/// The sweeps of a report, and those of the run that it is compared with.
fn all_sweeps<'a>(
    report: &Report<'_>,
    groups: &[Group<'a>],
    earlier_groups: &[Group<'a>],
) -> Vec<Sweep<'a>> {
    let mut all = sweeps(report.run, groups, |group| report.best_of(group));
    let mut styles: BTreeMap<Measured<'a>, Style> = BTreeMap::new();
    for sweep in &all {
        for model in [sweep.model(), None] {
            styles.entry(sweep.measured(model)).or_insert(sweep.style);
        }
    }
    let earlier = report
        .before
        .map(|run| sweeps(run, earlier_groups, |_| None));
    for mut sweep in earlier.unwrap_or_default() {
        let same = [sweep.model(), None].map(|model| styles.get(&sweep.measured(model)));
        let style = same.into_iter().flatten().next().copied();
        sweep.style = style.unwrap_or_else(|| numbered(all.len()));
        sweep.is_earlier = true;
        all.push(sweep);
    }
    let sides = report
        .before
        .map(|before| [report.run.models(), before.models()]);
    for sweep in &mut all {
        // A use case has its model's name where its run has several.
        let has_other_model = sides.as_ref().is_some_and(|[now, before]| {
            let own = if sweep.is_earlier { before } else { now };
            own.len() == 1 && now != before
        });
        if let (true, Some(model)) = (has_other_model, sweep.model()) {
            sweep.name = format!("{}, {}", plain(model), sweep.name);
        }
        if sweep.is_earlier {
            sweep.name = format!("other run: {}", sweep.name);
        }
    }
    all
}

/// The style of a sweep where a use case has no colour of its own.
const fn numbered(number: usize) -> Style {
    Style {
        colour: number % COLOURS,
        shape: (number + number / COLOURS) % SHAPES,
    }
}

fn sweeps<'a>(
    run: &Run,
    groups: &[Group<'a>],
    best_of: impl Fn(&Group<'a>) -> Option<&'a Point>,
) -> Vec<Sweep<'a>> {
    let bests = groups.iter().map(best_of);
    let parts: Vec<_> = groups.iter().map(|group| parts_of(run, group)).collect();
    // A colour for each use case and a shape for each of its sweeps says most, while
    // there are enough of both.
    let can_say_use_case = parts.len() <= COLOURS
        && parts
            .iter()
            .all(|parts| (2..=SHAPES).contains(&parts.len()));
    let mut number = 0;
    let mut sweeps = Vec::new();
    for (use_case, (parts, best)) in parts.into_iter().zip(bests).enumerate() {
        for (place, (name, group)) in parts.into_iter().enumerate() {
            let style = if can_say_use_case {
                Style {
                    colour: use_case,
                    shape: place,
                }
            } else {
                numbered(number)
            };
            number += 1;
            sweeps.push(Sweep {
                name,
                style,
                group,
                best,
                is_earlier: false,
            });
        }
    }
    sweeps
}

/// The sweeps of a use case: one for each number of GPUs, one for each server of those
/// that measured together, and as many as it takes where several jobs measured the same point, or in another way. Points without
/// a name have in common what their folders have. A point that is too short is in none where it was measured again.
fn parts_of<'a>(run: &Run, group: &Group<'a>) -> Vec<(String, Group<'a>)> {
    let again = MeasuredAgain::of(run, group);
    let group = &group.without(|point| again.by(point).is_some());
    let points = || group.points().iter();
    let gpus: BTreeSet<_> = points().map(|point| point.gpus()).collect();
    let measured: BTreeSet<_> = points()
        .map(|point| (point.gpus(), point.load(), point.replica()))
        .collect();
    let (jobs, measure_alike) = names_of_jobs(run, group);
    let has_several_jobs = !measure_alike || measured.len() < group.points().len();
    group.split(|point| {
        let mut name = group.to_string();
        if let (true, Some(gpus)) = (gpus.len() > 1, point.gpus()) {
            name.push_str(&format!(", {}", counted(gpus, "GPU")));
        }
        if let (true, Some(_)) = (has_several_jobs, point.run()) {
            name.push_str(&format!(", {}", jobs[&job_key(point)]));
        }
        name.push_str(&replica_of(point));
        if point.use_case().is_none() {
            name.push_str(&format!(", {}", without_concurrency(run, point)));
        }
        plain(&name).into_owned()
    })
}

/// The job, or the jobs of which the point is the mean.
type JobKey = (Option<(u64, u64)>, String);

fn job_key(point: &Point) -> JobKey {
    (point.run().map(RunId::numbers), job_of(point))
}

/// The name of the series that a job is in, and whether all jobs measured in the same way, as far as anything tells. A series
/// has jobs that measured in the same way, and each point once.
fn names_of_jobs(run: &Run, group: &Group<'_>) -> (HashMap<JobKey, String>, bool) {
    struct Series<'a> {
        way: Option<String>,
        points: HashSet<(Option<u32>, Option<Load>, Option<u32>)>,
        jobs: BTreeMap<(u64, u64), &'a RunId>,
        keys: Vec<JobKey>,
    }
    let mut by_job: BTreeMap<JobKey, Vec<&Point>> = BTreeMap::new();
    for point in group {
        by_job.entry(job_key(point)).or_default().push(point);
    }
    let mut all: Vec<Series<'_>> = Vec::new();
    for (key, points) in by_job {
        let way = way(run, points[0]);
        let runs = points.iter().flat_map(|point| point.runs());
        let jobs = runs.filter_map(|run| Some((run.run()?.numbers(), run.run()?)));
        let own = Series {
            way,
            jobs: jobs.collect(),
            points: points
                .iter()
                .map(|point| (point.gpus(), point.load(), point.replica()))
                .collect(),
            keys: vec![key],
        };
        let fits = |other: &&mut Series<'_>| {
            own.way.is_some() && other.way == own.way && other.points.is_disjoint(&own.points)
        };
        if let Some(series) = all.iter_mut().find(fits) {
            series.points.extend(own.points);
            series.jobs.extend(own.jobs);
            series.keys.extend(own.keys);
        } else {
            all.push(own);
        }
    }
    // How many GPUs there are is a part of the way.
    let gpus = |series: &Series<'_>| series.points.iter().map(|(gpus, ..)| *gpus).min();
    let is_other = |a: &Series<'_>, b: &Series<'_>| gpus(a) == gpus(b) && a.way != b.way;
    let measure_alike = !all.iter().any(|a| all.iter().any(|b| is_other(a, b)));
    let names = all.into_iter().flat_map(|series| {
        let jobs: Vec<&str> = series.jobs.values().map(|job| job.as_str()).collect();
        let name = match jobs.as_slice() {
            [own] => format!("job {own}"),
            [first, _, _, .., last] => format!("jobs {first} to {last}"),
            several => format!("jobs {}", several.join(", ")),
        };
        series.keys.into_iter().map(move |key| (key, name.clone()))
    });
    (names.collect(), measure_alike)
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
            .common()
            .iter()
            .flat_map(Limits::iter)
            .find(|(limited, _)| *limited == metric)
            .map(|(_, limit)| (limit, format!("limit {}", milliseconds(limit))));
        for by in Axis::BOTH {
            charts.push(by_load(
                report,
                sweeps,
                (by, title),
                &format!("{}, {statistic} (ms)", metric.label()),
                limit.clone(),
                Column::Latency(metric, statistic),
            ));
        }
    }
    for by in Axis::BOTH {
        charts.push(by_load(
            report,
            sweeps,
            (by, "Throughput"),
            "output tokens/s",
            None,
            Column::Throughput,
        ));
    }
    charts.extend(report.price.map(|price| cost(report, sweeps, price)));
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
    let up = Column::ThroughputPerGpu;
    let series_of = |sweep: &Sweep<'_>| {
        let mut series = series(report, sweep, sweep.group.pareto_front(), across, up);
        let points = sweep.group.points().iter();
        let known = points.filter(|point| across(point).is_some() && up.of(point).is_some());
        if !sweep.is_earlier {
            for (mark, point) in series.marks.iter_mut().zip(known) {
                mark.label = point.load().map(|_| load_of(point));
            }
        }
        series
    };
    let mut points = sweeps.iter().flat_map(|sweep| sweep.group.points());
    let is_concurrency = points.all(|point| point.concurrency().is_some());
    let x_label = if is_concurrency {
        "output tokens/s/user (beside the marks: concurrency)"
    } else {
        "output tokens/s/user (beside the marks: load)"
    };
    Data {
        series: drawn(sweeps).map(series_of).collect(),
        frontiers: frontiers(sweeps),
        ..chart_of(
            report,
            "Throughput against speed for each user",
            x_label,
            "output tokens/s/GPU",
        )
    }
}

/// The best of all sweeps that measured the same, where there are several: on other GPUs, in another job, of another model.
fn frontiers(sweeps: &[Sweep<'_>]) -> Vec<Vec<(f64, f64)>> {
    let mut lengths: BTreeMap<_, Vec<&Sweep<'_>>> = BTreeMap::new();
    for sweep in sweeps.iter().filter(|sweep| !sweep.is_earlier) {
        let point = sweep.group.points()[0];
        let measured = (point.use_case(), [point.input(), point.output()]);
        lengths.entry(measured).or_default().push(sweep);
    }
    let several = lengths.into_values().filter(|sweeps| sweeps.len() > 1);
    let front = |sweeps: Vec<&Sweep<'_>>| -> Vec<(f64, f64)> {
        let points: Vec<_> = sweeps
            .iter()
            .flat_map(|sweep| sweep.group.points())
            .collect();
        pareto_front(points.into_iter().copied())
            .into_iter()
            .filter_map(|point| Some((point.throughput_per_user()?, point.throughput_per_gpu()?)))
            .collect()
    };
    several.map(front).filter(|line| line.len() > 1).collect()
}

/// What the output costs, against the speed that each user has for it.
fn cost(report: &Report<'_>, sweeps: &[Sweep<'_>], price: f64) -> Data {
    let across = Point::throughput_per_user;
    Data {
        series: drawn(sweeps)
            .map(|sweep| {
                let front = sweep.group.pareto_front();
                series(report, sweep, front, across, Column::OutputCost(price))
            })
            .collect(),
        ..chart_of(
            report,
            "Cost against speed for each user",
            "output tokens/s/user",
            "cost of a million output tokens",
        )
    }
}

/// What was there before is drawn first, and so below.
fn drawn<'s, 'a>(sweeps: &'s [Sweep<'a>]) -> impl Iterator<Item = &'s Sweep<'a>> {
    let earlier = sweeps.iter().filter(|sweep| sweep.is_earlier);
    earlier.chain(sweeps.iter().filter(|sweep| !sweep.is_earlier))
}

/// A chart without series.
fn chart_of(report: &Report<'_>, title: &str, x_label: &str, y_label: &str) -> Data {
    Data {
        title: title.to_owned(),
        x_label: x_label.to_owned(),
        y_label: y_label.to_owned(),
        x_ticks_are_marks: false,
        has_bands: false,
        best: match report.common() {
            Some(limits) if limits.is_empty() => "best: the highest throughput",
            Some(_) => "best: the highest throughput within the limits",
            None => "best: the highest throughput, within limits if there are any",
        },
        shapes: &[],
        series: Vec::new(),
        frontiers: Vec::new(),
        limit: None,
    }
}

/// What the load of a chart's points is.
#[derive(Clone, Copy, PartialEq)]
enum Axis {
    Concurrency,
    RequestRate,
}

impl Axis {
    const BOTH: [Self; 2] = [Self::Concurrency, Self::RequestRate];

    fn place(self, point: &Point) -> Option<f64> {
        match self {
            Self::Concurrency => point.concurrency().map(f64::from),
            Self::RequestRate => point.request_rate(),
        }
    }
}

fn by_load(
    report: &Report<'_>,
    sweeps: &[Sweep<'_>],
    (by, title): (Axis, &'static str),
    y_label: &str,
    limit: Option<(f64, String)>,
    up: Column,
) -> Data {
    let across = |point: &Point| by.place(point);
    let x_label = match by {
        Axis::Concurrency => "concurrency (requests in flight)",
        Axis::RequestRate => "request rate (requests/s)",
    };
    Data {
        x_ticks_are_marks: by == Axis::Concurrency,
        has_bands: true,
        limit,
        series: drawn(sweeps)
            .map(|sweep| series(report, sweep, sweep.group.points().to_vec(), across, up))
            .collect(),
        ..chart_of(report, title, x_label, y_label)
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
        is_earlier: sweep.is_earlier,
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
                    label: None,
                    is_best: sweep.best.is_some_and(|best| std::ptr::eq(best, *point)),
                    dim: dim(report, point),
                })
            })
            .collect(),
        line: joined.into_iter().filter_map(place).collect(),
    }
}

/// The worst reason why a point cannot be the best.
fn dim(report: &Report<'_>, point: &Point) -> Option<Dim> {
    let verdict = report.limits_of(point).verdict(point);
    if point.caveat().is_some() {
        Some(Dim::NotTrusted)
    } else if brief(point).is_some() {
        Some(Dim::TooShort)
    } else {
        matches!(verdict, Verdict::Exceeded { .. }).then_some(Dim::AboveLimit)
    }
}

fn hover(report: &Report<'_>, name: &str, point: &Point) -> String {
    let mut text = name.to_owned();
    if point.load().is_some() {
        text.push_str(&format!(", {}", load_in_words(point)));
    }
    for (column, words) in Column::all(report.statistic_of(point)).into_iter().zip([
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
    if point.request_count().is_some() {
        text.push_str(&format!("\nrequests: {}", requests_of(point)));
    }
    for words in runs(report, point).into_iter().chain(too_short(point)) {
        text.push_str(&format!("\n{words}"));
    }
    if let Some(count) = point.tokens_per_joule() {
        text.push_str(&format!(
            "\noutput tokens/J: {}",
            figure_or_dash(Some(count))
        ));
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
fn marks(report: &Report<'_>) -> Vec<String> {
    let rows = points_with_rows(report);
    derived(report.run)
        .map(str::to_owned)
        .into_iter()
        .chain(weak(report, &rows))
        .chain(supported(report, &rows))
        .chain(several_runs(&rows).map(str::to_owned))
        .chain(steady_part(&rows).map(str::to_owned))
        .chain(cached(report.run))
        .chain(energy::notes(report))
        .collect()
}

// ---- Tables ---------------------------------------------------------------------

fn part(report: &Report<'_>, group: &Group<'_>) -> GroupPart {
    let limits = report.limits_of(group.points()[0]);
    let within = group.best_within(&limits);
    let best = report.best_of(group);
    let (shown, left_out) = without_replaced(report, group);
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
    if let Some(point) = within.filter(|_| !limits.is_empty()) {
        answers.push(format!(
            "Highest throughput within the limits: {}.",
            at(group, point)
        ));
    }
    answers.extend(report.none_within(group).map(|words| {
        let (first, rest) = words.split_at(1);
        format!("{}{rest}.", first.to_uppercase())
    }));
    if let Some(point) = group.best_throughput() {
        let is_higher = |other: &&Point| other.throughput() > point.throughput();
        let is_short = |other: &Point| other.is_too_short() == Some(true);
        let of_which = if shown.iter().filter(is_higher).any(is_short) {
            " of the points that are long enough"
        } else {
            ""
        };
        answers.push(format!(
            "Highest throughput{of_which}: {}.",
            at(group, point)
        ));
    }
    GroupPart {
        title: plain(&group.to_string()).into_owned(),
        statistic: limits.statistic(),
        answers,
        probes,
        rows: shown
            .points()
            .iter()
            .map(|point| row(report, best, point))
            .collect(),
        energy: energy::table(report, &shown),
        left_out: left_out.join(", "),
    }
}

/// A point's throughput and load, and what tells it from others of its use case with this load.
fn at(group: &Group<'_>, point: &Point) -> String {
    let differ = |what: fn(&Point) -> String| group.iter().any(|other| what(other) != what(point));
    let mut place = load_in_words(point);
    if differ(|point| number_or_dash(point.gpus())) {
        place.push_str(&format!(
            ", {}",
            counted(number_or_dash(point.gpus()), "GPU")
        ));
    }
    if differ(job_of) && point.run().is_some() {
        place.push_str(&format!(", {}", job_in_words(point)));
    }
    place.push_str(&server_of(point));
    if let Some(words) = too_short(point) {
        place.push_str(&format!(" ({words})"));
    }
    format!("{} tokens/s at {place}", figure_or_dash(point.throughput()))
}

fn row(report: &Report<'_>, best: Option<&Point>, point: &Point) -> Row {
    let mut cells = vec![(number_or_dash(point.gpus()), None), (load_of(point), None)];
    let figures = Column::all(report.statistic_of(point));
    cells.extend(figures.map(|column| (column.text(point), column.half_width(point))));
    let is_best = best.is_some_and(|best| std::ptr::eq(best, point));
    let (class, verdict) = match report.limits_of(point).verdict(point) {
        _ if point.caveat().is_some() => ("pale", "not to be trusted".to_owned()),
        _ if is_best => ("best", "best".to_owned()),
        Verdict::Within => ("", String::new()),
        Verdict::Exceeded { metric, .. } => ("pale", format!("{} above its limit", metric.label())),
        Verdict::CannotTell { metric } => ("", format!("cannot tell by {}", metric.label())),
        Verdict::Unknown { metric } => ("pale", format!("{} not measured", metric.label())),
    };
    let is_short = class.is_empty() && brief(point).is_some();
    let caveat = point.caveat().map(|caveat| plain(&caveat).into_owned());
    let first = [caveat, runs(report, point)].into_iter().flatten();
    let notes: Vec<_> = first
        .chain(remarks(report, point))
        .chain(too_short(point))
        .collect();
    Row {
        class: if is_short { "pale" } else { class },
        path: plain(point.path().as_str()).into_owned(),
        cells,
        job: origin_of(report, point),
        verdict,
        notes: notes.join("; "),
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
