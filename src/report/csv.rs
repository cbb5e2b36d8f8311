//! The report as CSV.

use super::{Report, table};
use crate::results::{Comparison, Metric, Point, RunId, Statistic};

pub(super) fn render(report: &Report<'_>) -> String {
    match report.comparison() {
        Some(comparison) => changes(&comparison, report.statistic()),
        None => points(report.run.points()),
    }
}

/// What a point is: the first columns of a row.
const WHAT: [&str; 5] = [
    "use_case",
    "input_sequence_length",
    "output_sequence_length",
    "concurrency",
    "gpus",
];

fn what(point: &Point) -> [String; WHAT.len()] {
    let number = |number: Option<u32>| number.map(|n| n.to_string()).unwrap_or_default();
    [
        point.use_case().unwrap_or_default().to_owned(),
        number(point.input_tokens()),
        number(point.output_tokens()),
        number(point.concurrency()),
        number(point.gpus()),
    ]
}

/// Which measurement of it: the columns behind.
fn which(point: Option<&Point>) -> [String; 2] {
    point.map_or_else(Default::default, |point| {
        [
            point.run().map(RunId::to_string).unwrap_or_default(),
            point.path().to_string(),
        ]
    })
}

fn head_of(which: &[&str]) -> Vec<String> {
    let names = WHAT.iter().chain(which);
    names.map(|name| (*name).to_owned()).collect()
}

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

fn cell(number: Option<f64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

fn write(rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        // Writing to memory cannot fail, and all rows have as many cells as the head.
        writer.write_record(row).expect("rows are alike");
    }
    let bytes = writer.into_inner().expect("memory takes all");
    String::from_utf8(bytes).expect("texts make a text")
}

fn points(points: &[Point]) -> String {
    let columns = columns(points);
    let mut head = head_of(&["job_id", "path"]);
    head.extend(
        columns
            .iter()
            .map(|(metric, statistic)| column(*metric, *statistic)),
    );
    let rows = points.iter().map(|point| {
        let mut row = [&what(point)[..], &which(Some(point))].concat();
        let values = columns.iter();
        row.extend(values.map(|(metric, statistic)| cell(point.value(*metric, *statistic))));
        row
    });
    write(std::iter::once(head).chain(rows))
}

/// The statistics that at least one point has.
fn columns(points: &[Point]) -> Vec<(Metric, Statistic)> {
    let mut present = [[false; Statistic::ALL.len()]; Metric::ALL.len()];
    for (metric, statistics) in points.iter().flat_map(Point::metrics) {
        for (statistic, _) in statistics.iter() {
            present[metric as usize][statistic as usize] = true;
        }
    }
    Metric::ALL
        .into_iter()
        .flat_map(|metric| Statistic::ALL.map(|statistic| (metric, statistic)))
        .filter(|(metric, statistic)| present[*metric as usize][*statistic as usize])
        .collect()
}

fn changes(comparison: &Comparison<'_>, statistic: Statistic) -> String {
    let columns = table::compared(statistic);
    let mut head = head_of(&["job_id_before", "path_before", "job_id_after", "path_after"]);
    head.extend(columns.iter().flat_map(|(metric, statistic)| {
        let name = column(*metric, *statistic);
        ["before", "after", "change"].map(|which| format!("{name}_{which}"))
    }));
    let changed = comparison.changes().iter().map(|change| {
        let relative = columns.map(|(metric, statistic)| change.relative(metric, statistic));
        (Some(change.before()), Some(change.after()), relative)
    });
    let gone = comparison.only_before().iter();
    let new = comparison.only_after().iter();
    let rows = changed
        .chain(gone.map(|point| (Some(*point), None, Default::default())))
        .chain(new.map(|point| (None, Some(*point), Default::default())))
        .map(|(before, after, relative)| {
            let mut row = after.or(before).map(what).unwrap_or_default().to_vec();
            row.extend([which(before), which(after)].concat());
            for ((metric, statistic), relative) in columns.into_iter().zip(relative) {
                let value = |point: Option<&Point>| {
                    cell(point.and_then(|point| point.value(metric, statistic)))
                };
                row.extend([value(before), value(after), cell(relative)]);
            }
            row
        });
    write(std::iter::once(head).chain(rows))
}
