//! The CSV files: tables one below the other, each with a head of its own.
//!
//! ```text
//! Metric,avg,min,max,p99,…      metrics with their distribution
//! Metric,Value                  metrics of the whole run
//! Metric,GPU,avg,min,…          GenAI-Perf's telemetry, and Metric,GPU,Value
//! Endpoint,GPU_Index,…,Metric,avg,…   AIPerf's telemetry
//! ```

use super::file::{Sink, name_and_unit, quoted, take_cell};
use super::metric::{Statistic, Statistics};
use super::point::GpuMetric;

/// What the cells of a row are, read from the head of its table.
struct Head {
    columns: usize,
    /// The cell with the metric's label.
    label: usize,
    /// The cell that names the GPU, in a table of telemetry.
    gpu: Option<usize>,
    statistics: Vec<(usize, Statistic)>,
}

impl Head {
    fn read(cells: &[&str]) -> Option<Self> {
        if !matches!(*cells.first()?, "Metric" | "Endpoint") {
            return None;
        }
        let place = |name: &str| cells.iter().position(|cell| *cell == name);
        let statistics: Vec<_> = cells
            .iter()
            .enumerate()
            .filter_map(|(place, cell)| match *cell {
                "Value" => Some((place, Statistic::Avg)),
                name => Some((place, Statistic::from_name(name)?)),
            })
            .collect();
        (!statistics.is_empty()).then_some(Self {
            columns: cells.len(),
            label: place("Metric")?,
            gpu: place("GPU").or_else(|| place("GPU_Index")),
            statistics,
        })
    }
}

/// Reads the tables in `bytes`.
pub(super) fn read(bytes: &[u8], sink: &mut Sink<'_>) {
    // What Windows programs put in front of a text.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.is_empty() {
        return sink.complain(None, "is empty");
    }
    if bytes.contains(&0) {
        return sink.complain(None, "is not a text in UTF-8: it has zero bytes");
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    let mut head = None;
    let (mut distribution, mut whole_run) = (false, false);
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            // There is no I/O below, and rows may have any length.
            Err(error) => return sink.complain(None, format!("cannot be read: {error}")),
        }
        let line = record.position().map_or(0, csv::Position::line);
        let Some(cells) = texts(&record) else {
            sink.complain(Some(line), "is not a text in UTF-8");
            continue;
        };
        if cells.iter().all(|cell| cell.is_empty()) {
            continue;
        }
        if let Some(next) = Head::read(&cells) {
            distribution |= cells[..2] == ["Metric", "avg"];
            whole_run |= cells == ["Metric", "Value"];
            head = Some(next);
        } else if let Some(head) = &head {
            read_row(head, &cells, line, sink);
        } else {
            let message = format!(
                "is no table of GenAI-Perf or AIPerf: it begins with {}, where Metric,avg,... is expected",
                quoted(cells[0])
            );
            return sink.complain(Some(line), message);
        }
    }
    if distribution && !whole_run {
        sink.complain(
            None,
            "lacks its second table (Metric,Value): the file was cut off",
        );
    } else if !bytes.ends_with(b"\n") {
        sink.complain(
            None,
            "ends in the middle of a line: its last value may be cut off",
        );
    }
}

fn texts(record: &csv::ByteRecord) -> Option<Vec<&str>> {
    record
        .iter()
        .map(|cell| std::str::from_utf8(cell).ok().map(str::trim))
        .collect()
}

fn read_row(head: &Head, cells: &[&str], line: u64, sink: &mut Sink<'_>) {
    let label = cells.get(head.label).copied().unwrap_or_default();
    // Half a row may end in half a number.
    if cells.len() != head.columns {
        let message = format!(
            "the row {} has {} cells, its table has {}",
            quoted(label),
            cells.len(),
            head.columns
        );
        return sink.complain(Some(line), message);
    }
    let mut statistics = Statistics::default();
    for (place, statistic) in &head.statistics {
        take_cell(
            sink,
            line,
            label,
            (*statistic, cells[*place]),
            &mut statistics,
        );
    }
    let (name, unit) = name_and_unit(label);
    match head.gpu {
        None => sink.keep(Some(line), &name, unit, statistics),
        Some(gpu) => keep_gpu(sink, &name, unit, cells[gpu], statistics),
    }
}

fn keep_gpu(sink: &mut Sink<'_>, name: &str, unit: &str, gpu: &str, statistics: Statistics) {
    if statistics.is_empty() {
        return;
    }
    // AIPerf gives the bare number.
    let gpu = if gpu.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("gpu{gpu}")
    } else {
        gpu.to_owned()
    };
    sink.content.gpu_metrics.push(GpuMetric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        gpu,
        statistics,
    });
}
