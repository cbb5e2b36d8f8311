//! The CSV files: tables one below the other, each with a head of its own.
//!
//! ```text
//! Metric,avg,min,max,p99,…      metrics with their distribution
//! Metric,Value                  metrics of the whole run
//! Metric,GPU,avg,min,…          GenAI-Perf's telemetry, and Metric,GPU,Value
//! Endpoint,GPU_Index,…,Metric,avg,…   AIPerf's telemetry
//! ```

use super::cell::{name_and_unit, number};
use super::metric::{Metric, Statistic, Statistics};
use super::point::GpuMetric;
use super::problem::quoted;
use super::sink::Sink;

/// What the cells of a row are, read from the head of its table.
struct Head {
    columns: usize,
    /// The cell with the metric's label.
    label: usize,
    /// The cells that name the GPU and where it was asked for, in a table of telemetry.
    gpu: Option<usize>,
    endpoint: Option<usize>,
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
            endpoint: place("Endpoint"),
            statistics,
        })
    }
}

/// Reads one file after the other. To make its tables of states took a sixth of the
/// time of reading a file; a clone of it does not work (csv-core 0.1.13).
pub(super) struct TableReader(csv_core::Reader);

impl TableReader {
    pub(super) fn new() -> Self {
        Self(csv_core::Reader::new())
    }

    /// Reads the tables in `bytes`.
    pub(super) fn read(&mut self, bytes: &[u8], sink: &mut Sink<'_>) {
        self.0.reset();
        read(&mut self.0, bytes, sink);
    }
}

fn read(reader: &mut csv_core::Reader, bytes: &[u8], sink: &mut Sink<'_>) {
    // What Windows programs put in front of a text.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.is_empty() {
        return sink.add_problem(None, "is empty");
    }
    if bytes.contains(&0) {
        return sink.add_problem(None, "is not a text in UTF-8: it has zero bytes");
    }
    let bytes = match cut_off_line(bytes) {
        Some(start) => {
            sink.add_problem(None, "ends in the middle of a line, which is left out");
            &bytes[..start]
        }
        None => bytes,
    };
    let mut rows = Rows::new(reader, bytes);
    let mut head = None;
    let mut seen = Seen::default();
    // Or of 24.06.
    let mut is_of_24_05 = false;
    while let Some((line, cells)) = rows.next() {
        let Some(cells) = cells else {
            sink.add_problem(Some(line), "is not a text in UTF-8");
            continue;
        };
        if cells.iter().all(|cell| cell.is_empty()) {
            continue;
        }
        if let Some(next) = Head::read(&cells) {
            seen.note_head(&cells);
            head = Some(next);
        } else if let Some(head) = &head {
            seen.note_row();
            let label = cells.get(head.label);
            is_of_24_05 |= matches!(label, Some(&("Num Output Token" | "Num Input Token")));
            read_row(head, &cells, line, sink);
        } else {
            let message = format!(
                "is no table of GenAI-Perf or AIPerf: it begins with {}, where Metric,avg,... is expected",
                quoted(cells[0])
            );
            return sink.add_problem(Some(line), message);
        }
    }
    if let Some(message) = seen.what_is_missing() {
        sink.add_problem(None, message);
    }
    if is_of_24_05 {
        keep_mean_of_gaps(sink);
    }
}

/// 24.05 writes an inter-token latency for each gap between two pieces of an answer, 24.06 one for each request. Their labels are
/// alike, and of both the mean is that of the answers, or close to it.
fn keep_mean_of_gaps(sink: &mut Sink<'_>) {
    let metrics = &mut sink.content.metrics;
    let mean = metrics
        .get(Metric::InterTokenLatency)
        .and_then(Statistics::avg);
    if let Some(mean) = mean {
        let mean = [(Statistic::Avg, mean)].into_iter().collect();
        metrics.set(Metric::InterTokenLatency, mean);
    }
}

/// What shows that a file is whole.
#[derive(Default)]
struct Seen {
    distribution: bool,
    whole_run: bool,
    row_of_whole_run: bool,
}

impl Seen {
    fn note_head(&mut self, cells: &[&str]) {
        self.distribution |= cells.starts_with(&["Metric", "avg"]);
        self.whole_run |= cells == ["Metric", "Value"];
    }

    fn note_row(&mut self) {
        self.row_of_whole_run |= self.whole_run;
    }

    fn what_is_missing(&self) -> Option<&'static str> {
        if !self.distribution || self.row_of_whole_run {
            None
        } else if self.whole_run {
            Some("has no row in its second table (Metric,Value): the file was cut off")
        } else {
            Some("lacks its second table (Metric,Value): the file was cut off")
        }
    }
}

/// The rows of a file, each with its line.
struct Rows<'a> {
    reader: &'a mut csv_core::Reader,
    bytes: &'a [u8],
    line: u64,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl<'a> Rows<'a> {
    fn new(reader: &'a mut csv_core::Reader, bytes: &'a [u8]) -> Self {
        Self {
            reader,
            bytes,
            line: 1,
            // A row is never longer than the file; csv-core stops when there is no room at all.
            text: vec![0; bytes.len() + 1],
            ends: vec![0; 32],
        }
    }

    /// The next row's line and its cells, if they are texts.
    fn next(&mut self) -> Option<(u64, Option<Vec<&str>>)> {
        let (mut read, mut written, mut cells) = (0, 0, 0);
        // A row begins behind the line feed of the one before, and behind empty lines.
        let blank = self
            .bytes
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        if blank == self.bytes.len() {
            return None;
        }
        let line = self.line + line_feeds(&self.bytes[..blank]);
        loop {
            let (outcome, taken, put, ended) = self.reader.read_record(
                &self.bytes[read..],
                &mut self.text[written..],
                &mut self.ends[cells..],
            );
            read += taken;
            written += put;
            cells += ended;
            match outcome {
                csv_core::ReadRecordResult::End => return None,
                csv_core::ReadRecordResult::Record => break,
                csv_core::ReadRecordResult::OutputEndsFull => self.ends.resize(2 * cells, 0),
                // An empty input says that there is no more; the text has room.
                csv_core::ReadRecordResult::InputEmpty | csv_core::ReadRecordResult::OutputFull => {
                }
            }
        }
        self.line += line_feeds(&self.bytes[..read]);
        self.bytes = &self.bytes[read..];
        let mut start = 0;
        let texts = self.ends[..cells]
            .iter()
            .map(|end| {
                let cell = &self.text[start..*end];
                start = *end;
                std::str::from_utf8(cell).ok().map(str::trim)
            })
            .collect();
        Some((line, texts))
    }
}

fn line_feeds(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

/// Where the last line begins, if it has no end. The tools write two decimals: a
/// line that ends in them is whole, though an editor took its line end.
fn cut_off_line(bytes: &[u8]) -> Option<usize> {
    if bytes.ends_with(b"\n") {
        return None;
    }
    let start = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    let last = bytes.strip_suffix(b"\"").unwrap_or(bytes);
    match last.last_chunk() {
        Some([b'.', a, b]) if a.is_ascii_digit() && b.is_ascii_digit() => None,
        _ if &bytes[start..] == b"Metric,Value" => None,
        _ => Some(start),
    }
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
        return sink.add_problem(Some(line), message);
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
        None => sink.add_metric(|| Some(line), &name, unit, statistics),
        Some(gpu) if !statistics.is_empty() => sink.content.gpu_metrics.push(GpuMetric {
            name,
            unit: unit.to_owned(),
            endpoint: head.endpoint.map_or("", |place| cells[place]).to_owned(),
            gpu: gpu_name(cells[gpu]),
            statistics,
        }),
        Some(_) => {}
    }
}

/// Puts a cell that is a number into `statistics`, and complains about one that is not.
fn take_cell(
    sink: &mut Sink<'_>,
    line: u64,
    label: &str,
    (statistic, cell): (Statistic, &str),
    statistics: &mut Statistics,
) {
    match number(cell) {
        Ok(Some(value)) => statistics.set(statistic, value),
        Ok(None) => {}
        Err(()) => sink.add_problem(
            Some(line),
            format!(
                "{statistic} of {} is {}, which is no number",
                label.get(..60).unwrap_or(label),
                quoted(cell)
            ),
        ),
    }
}

/// AIPerf gives the bare number.
fn gpu_name(cell: &str) -> String {
    if cell.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("gpu{cell}")
    } else {
        cell.to_owned()
    }
}
