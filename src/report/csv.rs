//! The report as CSV.

use super::Report;
use crate::results::{Metric, Point, RunId, Statistic};

pub(super) fn render(report: &Report<'_>) -> String {
    let points = report.run.points();
    let columns = columns(points);
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut head: Vec<String> = [
        "use_case",
        "input_sequence_length",
        "output_sequence_length",
        "concurrency",
        "gpus",
        "job_id",
        "path",
    ]
    .map(str::to_owned)
    .to_vec();
    head.extend(columns.iter().map(|(metric, statistic)| {
        let unit = metric
            .unit()
            .as_str()
            .replace("/s", "_per_s")
            .replace('/', "_per_");
        format!("{metric}_{statistic}_{unit}")
    }));
    // Writing to memory cannot fail, and all rows have as many cells as the head.
    let mut write = |row: &[String]| writer.write_record(row).expect("rows are alike");
    write(&head);
    for point in points {
        write(&row(point, &columns));
    }
    let bytes = writer.into_inner().expect("memory takes all");
    String::from_utf8(bytes).expect("texts make a text")
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

fn row(point: &Point, columns: &[(Metric, Statistic)]) -> Vec<String> {
    let number = |number: Option<u32>| number.map(|n| n.to_string()).unwrap_or_default();
    let mut row = vec![
        point.use_case().unwrap_or_default().to_owned(),
        number(point.input_tokens()),
        number(point.output_tokens()),
        number(point.concurrency()),
        number(point.gpus()),
        point.run().map(RunId::to_string).unwrap_or_default(),
        point.path().to_string(),
    ];
    row.extend(columns.iter().map(|(metric, statistic)| {
        point
            .value(*metric, *statistic)
            .map(|value| value.to_string())
            .unwrap_or_default()
    }));
    row
}
