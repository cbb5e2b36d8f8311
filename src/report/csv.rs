//! The report as CSV.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write};

use super::energy::throttling;
use super::{Report, json, table};
use crate::load::Length;
use crate::percentile::Percentile;
use crate::plain::plain;
use crate::results::{
    Change, Comparison, Energy, Figures, GateOutcome, Gated, Metric, NoEnergy, NotCompared, Point,
    Requests, RunId, Statistic, Superseded, Tokens,
};

pub(super) fn render(report: &Report<'_>, means: &Report<'_>) -> String {
    match means.comparison() {
        Some(comparison) => changes(means, &comparison, report.statistic()),
        None => points(report, means),
    }
}

/// The table as it is written, cell by cell.
struct Rows {
    writer: csv::Writer<Vec<u8>>,
    /// One text for all cells: a report of a large folder has a million.
    cell: String,
    /// Whether there is a column for the server, of several that measured a point
    /// together.
    names_replicas: bool,
    /// Whether there are columns for request rates, and for the spread of lengths.
    names_rates: bool,
    names_spreads: bool,
}

impl Rows {
    fn of<'a>(points: &(impl Iterator<Item = &'a Point> + Clone)) -> Self {
        let has = |is_so: fn(&Point) -> bool| points.clone().any(is_so);
        Self {
            writer: csv::Writer::from_writer(Vec::new()),
            cell: String::new(),
            names_replicas: has(|point| point.replica().is_some()),
            names_rates: has(|point| point.request_rate().is_some()),
            names_spreads: has(|point| {
                let lengths = [point.input(), point.output()].into_iter().flatten();
                lengths.map(Length::spread).sum::<u32>() > 0
            }),
        }
    }

    fn cell(&mut self, value: Option<impl Display>) {
        self.cell.clear();
        if let Some(value) = value {
            write!(self.cell, "{value}").expect("memory takes all");
        }
        self.writer
            .write_field(&self.cell)
            .expect("memory takes all");
    }

    /// A text of others, in which no tab or line break is left.
    fn text_cell(&mut self, text: Option<&str>) {
        let text = text.map(plain).unwrap_or_default();
        self.cell(Some(NoFormula(&text)));
    }

    fn cells(&mut self, values: impl IntoIterator<Item: Display>) {
        for value in values {
            self.cell(Some(value));
        }
    }

    fn end_row(&mut self) {
        // All rows have as many cells as the head.
        self.writer
            .write_record(None::<&[u8]>)
            .expect("rows are alike");
    }

    fn finish(self) -> String {
        let bytes = self.writer.into_inner().expect("memory takes all");
        String::from_utf8(bytes).expect("texts make a text")
    }

    fn point_header(&mut self) {
        self.cells(POINT_COLUMNS);
        self.cells(self.names_replicas.then_some("replica"));
        self.cells(self.names_rates.then_some("request_rate"));
        if self.names_spreads {
            self.cells(["input_sequence_stddev", "output_sequence_stddev"]);
        }
    }

    /// What a point is.
    fn point_cells(&mut self, point: &Point) {
        self.text_cell(point.use_case());
        self.cell(point.input_tokens());
        self.cell(point.output_tokens());
        self.cell(point.concurrency());
        self.cell(point.gpus());
        if self.names_replicas {
            self.cell(point.replica());
        }
        if self.names_rates {
            self.cell(point.request_rate());
        }
        if self.names_spreads {
            self.cell(point.input().map(Length::spread));
            self.cell(point.output().map(Length::spread));
        }
    }

    /// Which measurement of it.
    fn job_cells(&mut self, point: Option<&Point>) {
        self.text_cell(point.and_then(Point::run).map(RunId::as_str));
        self.text_cell(point.map(|point| point.path().as_str()));
    }
}

/// What ran where, and what follows from the metrics.
const CONTEXT_COLUMNS: [&str; 6] = [
    "model",
    "node",
    "gpu_model",
    "statistic",
    "output_token_throughput_per_gpu",
    "output_token_throughput_per_user",
];

const ENERGY_COLUMNS: [&str; 11] = [
    "energy_source",
    "energy_joules",
    "power_watts",
    "output_tokens_per_joule",
    "joules_per_output_token",
    "joules_per_input_token",
    "joules_per_total_token",
    "gpu_utilization_percent",
    "gpu_memory_mib",
    "throttling",
    "energy_missing",
];

impl Rows {
    fn context_cells(&mut self, report: &Report<'_>, point: &Point) {
        let manifest = report.run.manifest_of(point);
        self.text_cell(point.model());
        self.text_cell(manifest.and_then(|manifest| manifest.node.as_deref()));
        self.text_cell(manifest.and_then(|manifest| manifest.gpu_model.as_deref()));
        self.cell(Some(report.statistic_of(point)));
        self.cell(point.throughput_per_gpu());
        self.cell(point.throughput_per_user());
    }

    fn energy_cells(&mut self, point: &Point) {
        let energy = point.energy();
        self.cell(energy.ok().map(Energy::source));
        self.cell(energy.ok().map(Energy::joules));
        self.cell(energy.ok().map(Energy::watts));
        self.cell(point.tokens_per_joule());
        for tokens in Tokens::ALL {
            self.cell(point.joules_per_token(*tokens));
        }
        self.cell(energy.ok().and_then(Energy::utilization));
        self.cell(energy.ok().and_then(Energy::memory));
        self.cell(throttling(point));
        self.cell(energy.err().map(NoEnergy::word));
    }
}

/// A text that a spreadsheet takes for no formula: what it could take for one gets the mark of a text in front.
struct NoFormula<'a>(&'a str);

impl Display for NoFormula<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Where a comma stands in numbers, a cell ends at a semicolon.
        for (index, part) in self.0.split(';').enumerate() {
            if index > 0 {
                f.write_char(';')?;
            }
            // Programs leave out blanks and quotes in front, and take letters of full width for the usual ones.
            let start = part.trim_start_matches(|c: char| c.is_whitespace() || c == '"');
            if start.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) {
                f.write_char('\'')?;
            }
            f.write_str(part)?;
        }
        Ok(())
    }
}

/// The columns that say what a point is.
const POINT_COLUMNS: [&str; 5] = [
    "use_case",
    "input_sequence_length",
    "output_sequence_length",
    "concurrency",
    "gpus",
];

/// A column's name: `METRIC_STATISTIC_UNIT`; a count of measurements has no unit.
fn column(metric: Metric, statistic: Statistic) -> String {
    if statistic == Statistic::Count {
        return format!("{metric}_{statistic}");
    }
    let unit = metric
        .unit()
        .as_str()
        .replace("/s", "_per_s")
        .replace('/', "_per_");
    format!("{metric}_{statistic}_{unit}")
}

fn points(report: &Report<'_>, means: &Report<'_>) -> String {
    let points = report.run.points();
    let columns = columns(points);
    let mut rows = Rows::of(&points.iter());
    rows.point_header();
    rows.cells([
        "job_id",
        "path",
        "repeat",
        "requests",
        "highest_percentile",
        "prefix_cache_share",
    ]);
    let names_servers = points.iter().any(|point| point.server().is_some());
    rows.cells(names_servers.then_some("server"));
    rows.cells(CONTEXT_COLUMNS);
    rows.cells(ENERGY_COLUMNS);
    if report.price.is_some() {
        rows.cells(
            Tokens::ALL
                .iter()
                .map(|tokens| format!("cost_per_million_{tokens}_tokens")),
        );
    }
    let names_steady = points.iter().any(|point| point.requests().is_some());
    if names_steady {
        rows.cells(["steady_seconds", "steady_in_flight"]);
        rows.cells(
            steady_columns().map(|metric| format!("steady_{}", column(metric, Statistic::Avg))),
        );
    }
    rows.cells(
        columns
            .iter()
            .map(|(metric, statistic)| column(*metric, *statistic)),
    );
    rows.cells(["verdict", "is_best", "is_too_short", "caveat"]);
    rows.end_row();
    let best = best(means);
    for point in points {
        rows.point_cells(point);
        rows.job_cells(Some(point));
        rows.cell(Some(point.repeat()));
        rows.cell(point.request_count());
        rows.cell(point.request_count().and_then(Percentile::highest));
        rows.cell(point.cached_share());
        if names_servers {
            rows.cell(point.server());
        }
        rows.context_cells(report, point);
        rows.energy_cells(point);
        if let Some(price) = report.price {
            for tokens in Tokens::ALL {
                rows.cell(point.cost_per_million(*tokens, price));
            }
        }
        if names_steady {
            let steady = point.requests().and_then(Requests::steady);
            rows.cell(steady.as_ref().map(Figures::seconds));
            rows.cell(steady.as_ref().map(Figures::level));
            for metric in steady_columns() {
                rows.cell(
                    steady
                        .as_ref()
                        .and_then(|figures| figures.metric(metric)?.avg()),
                );
            }
        }
        for (metric, statistic) in &columns {
            rows.cell(point.value(*metric, *statistic));
        }
        rows.cell(json::verdict(report, point));
        let of_folder = best.get(point.path().as_str()).map(Vec::as_slice);
        rows.cell(Some(of_folder.unwrap_or_default().contains(&point)));
        rows.cell(point.is_too_short());
        rows.text_cell(point.caveat().as_deref());
        rows.end_row();
    }
    rows.finish()
}

/// The best points, with all their runs, by path: a folder may have several results.
fn best<'a>(means: &'a Report<'_>) -> BTreeMap<&'a str, Vec<&'a Point>> {
    let groups = means.run.groups();
    let points = groups.iter().filter_map(|group| means.best_of(group));
    let mut best: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for run in points.flat_map(Point::runs) {
        best.entry(run.path().as_str()).or_default().push(run);
    }
    best
}

/// What is told of a steady part: the means that are compared.
fn steady_columns() -> impl Iterator<Item = Metric> {
    table::compared(Statistic::Avg)
        .into_iter()
        .map(|(metric, _)| metric)
}

/// The statistics that at least one point has.
fn columns(points: &[Point]) -> Vec<(Metric, Statistic)> {
    let mut present = [[false; Statistic::ALL.len()]; Metric::ALL.len()];
    for (metric, statistics) in points.iter().flat_map(Point::metrics) {
        for (statistic, _) in statistics.iter() {
            present[metric as usize][statistic as usize] = true;
        }
    }
    let pairs = |&metric| {
        Statistic::ALL
            .iter()
            .map(move |&statistic| (metric, statistic))
    };
    Metric::ALL
        .iter()
        .flat_map(pairs)
        .filter(|(metric, statistic)| present[*metric as usize][*statistic as usize])
        .collect()
}

/// What a gate says of each metric that it judges, by the point of the run that is judged: a path may be of several.
struct Outcomes {
    columns: Vec<(Metric, Statistic)>,
    of_points: BTreeMap<*const Point, Vec<(Metric, GateOutcome)>>,
    of_all: GateOutcome,
}

impl Outcomes {
    fn of(gated: &Gated<'_>) -> Self {
        let mut outcomes = Self {
            columns: Vec::new(),
            of_points: BTreeMap::new(),
            of_all: gated.outcome(),
        };
        for it in gated.changes() {
            let column = (it.metric(), it.statistic());
            if !outcomes.columns.contains(&column) {
                outcomes.columns.push(column);
            }
            let point = std::ptr::from_ref(it.change().after());
            let of_point = outcomes.of_points.entry(point).or_default();
            of_point.push((it.metric(), it.outcome()));
        }
        outcomes
    }

    fn of_point(&self, point: Option<&Point>, metric: Metric) -> Option<GateOutcome> {
        let of_point = self.of_points.get(&std::ptr::from_ref(point?))?;
        let mut of_metric = of_point.iter().filter(|(judged, _)| *judged == metric);
        of_metric.next().map(|(_, outcome)| *outcome)
    }
}

fn changes(report: &Report<'_>, comparison: &Comparison<'_>, statistic: Statistic) -> String {
    let columns = table::compared(statistic);
    let not_compared = |is_before| {
        let points = comparison.not_compared().iter();
        points
            .filter(move |it| it.is_before() == is_before)
            .map(NotCompared::point)
    };
    let superseded = |is_before| {
        let points = comparison.superseded().iter();
        points
            .filter(move |it| it.is_before() == is_before)
            .map(Superseded::point)
    };
    let by: BTreeMap<_, _> = comparison
        .superseded()
        .iter()
        .map(|it| (std::ptr::from_ref(it.point()), it.by()))
        .collect();
    let only_before = comparison.only_before().iter().copied();
    let only_before = only_before
        .chain(superseded(true))
        .chain(not_compared(true));
    let new = comparison.only_after().iter().copied();
    let new = new.chain(superseded(false)).chain(not_compared(false));
    let both = comparison.changes().iter().map(Change::after);
    let mut rows = Rows::of(&both.chain(only_before.clone()).chain(new.clone()));
    rows.point_header();
    rows.cells(["job_id_before", "path_before", "job_id_after", "path_after"]);
    for (metric, statistic) in columns {
        let name = column(metric, statistic);
        rows.cells(["before", "after", "change"].map(|which| format!("{name}_{which}")));
    }
    for name in ["verdict", "is_too_short", "caveat"] {
        rows.cells(["before", "after"].map(|which| format!("{name}_{which}")));
    }
    rows.cells((!by.is_empty()).then_some("superseded_by"));
    let gated = report.gated(comparison);
    let outcomes = gated.as_ref().map(Outcomes::of);
    if let Some(outcomes) = &outcomes {
        let columns = outcomes.columns.iter();
        rows.cells(
            columns.map(|(metric, statistic)| format!("{}_gate", column(*metric, *statistic))),
        );
        rows.cell(Some("gate"));
    }
    rows.end_row();
    let changed = comparison.changes().iter().map(|change| {
        let relative = columns.map(|(metric, statistic)| change.relative(metric, statistic));
        (Some(change.before()), Some(change.after()), relative)
    });
    let all = changed
        .chain(only_before.map(|point| (Some(point), None, Default::default())))
        .chain(new.map(|point| (None, Some(point), Default::default())));
    for (before, after, relative) in all {
        if let Some(point) = after.or(before) {
            rows.point_cells(point);
        }
        rows.job_cells(before);
        rows.job_cells(after);
        for ((metric, statistic), relative) in columns.into_iter().zip(relative) {
            let value = |point: Option<&Point>| point?.value(metric, statistic);
            rows.cell(value(before));
            rows.cell(value(after));
            rows.cell(relative);
        }
        let both = [before, after];
        for point in both {
            rows.cell(point.and_then(|point| json::verdict(report, point)));
        }
        for point in both {
            rows.cell(point.and_then(Point::is_too_short));
        }
        for point in both {
            rows.text_cell(point.and_then(Point::caveat).as_deref());
        }
        if !by.is_empty() {
            let other = after
                .or(before)
                .and_then(|own| by.get(&std::ptr::from_ref(own)));
            rows.text_cell(other.map(|other| other.path().as_str()));
        }
        if let Some(outcomes) = &outcomes {
            for (metric, _) in &outcomes.columns {
                rows.cell(outcomes.of_point(after, *metric).map(json::outcome));
            }
            rows.cell(Some(json::outcome(outcomes.of_all)));
        }
        rows.end_row();
    }
    rows.finish()
}

#[cfg(test)]
mod tests {
    use super::NoFormula;

    #[test]
    fn a_formula_behind_a_semicolon_is_marked() {
        for (text, expected) in [
            ("chat;x=1", "chat;x=1"),
            ("=1+1", "'=1+1"),
            ("c;=1+1", "c;'=1+1"),
            ("c; +1;@A;", "c;' +1;'@A;"),
            ("c;\"\"=1+1", "c;'\"\"=1+1"),
        ] {
            assert_eq!(NoFormula(text).to_string(), expected);
        }
    }
}
