//! What a result file is read into, whatever its format.

use camino::Utf8Path;

use super::metric::{Metric, Statistics, Unit};
use super::point::{Asked, Content, OtherMetric};
use super::problem::{ReadProblem, quoted};
use crate::file;

/// Result files have kilobytes; what is larger than this is none.
const MAX_BYTES: u64 = 16 << 20;

/// AIPerf, which measures most, has about seventy metrics.
const MAX_METRICS: usize = 1000;

/// A damaged file is named, not copied into the report.
const MAX_PROBLEMS: usize = 10;

/// What a file is read into.
pub(super) struct Sink<'a> {
    file: &'a Utf8Path,
    pub(super) content: Content,
    /// What the tool's own configuration says.
    pub(super) asked: Asked,
    /// Whether anybody needs to know that.
    pub(super) wants_asked: bool,
    problems: Vec<ReadProblem>,
    unsaid: usize,
}

impl<'a> Sink<'a> {
    pub(super) fn new(file: &'a Utf8Path) -> Self {
        Self {
            file,
            content: Content::default(),
            asked: Asked::default(),
            wants_asked: true,
            problems: Vec::new(),
            unsaid: 0,
        }
    }

    pub(super) fn add_problem(&mut self, line: Option<u64>, message: impl Into<String>) {
        self.add_problem_at(|| line, message);
    }

    /// The same, of a line that takes a search.
    pub(super) fn add_problem_at(
        &mut self,
        line: impl FnOnce() -> Option<u64>,
        message: impl Into<String>,
    ) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems
                .push(ReadProblem::new(self.file, line(), message));
        } else {
            self.unsaid += 1;
        }
    }

    /// What was read, and what is wrong with it.
    pub(super) fn finish(mut self) -> (Content, Asked, Vec<ReadProblem>) {
        if self.unsaid > 0 {
            let message = format!("has {} more problems of this kind", self.unsaid);
            self.problems
                .push(ReadProblem::new(self.file, None, message));
        }
        (self.content, self.asked, self.problems)
    }

    /// Keeps the statistics of the metric `name`, which are in `unit`.
    pub(super) fn add_metric(
        &mut self,
        line: impl FnOnce() -> Option<u64>,
        name: &str,
        unit: &str,
        mut statistics: Statistics,
    ) {
        if statistics.is_empty() {
            return;
        }
        let Some(metric) = Metric::from_name(name) else {
            if self.content.others.len() >= MAX_METRICS {
                let message =
                    format!("has more than {MAX_METRICS} metrics, and the others are left out");
                return self.add_problem_at(line, message);
            }
            let other = OtherMetric {
                unit: unit.to_owned(),
                statistics,
            };
            self.content.others.insert(name.to_owned(), other);
            return;
        };
        if metric.unit() == Unit::Milliseconds {
            let Some(factor) = milliseconds_in(unit) else {
                let message = format!("{name} is in {}: ns, us, ms or s is expected", quoted(unit));
                return self.add_problem_at(line, message);
            };
            // 24.05 and 24.06 write -1 for what was not measured, AIPerf 0 where all tokens of each answer came at once.
            let is_itl = metric == Metric::InterTokenLatency;
            match statistics.avg() {
                Some(-1.0) if unit == "ns" => return,
                Some(0.0) if is_itl => return,
                _ => {}
            }
            statistics.scale(factor);
        }
        if let Some((statistic, value)) = statistics
            .iter()
            .find(|(_, value)| *value < 0.0 || value.is_infinite())
        {
            let message = format!("{statistic} of {name} is {value}, which cannot be");
            self.add_problem_at(line, message);
            return;
        }
        self.content.metrics.set(metric, statistics);
    }
}

/// Milliseconds in one of a unit of time.
pub(super) fn milliseconds_in(unit: &str) -> Option<f64> {
    match unit {
        "ns" => Some(1e-6),
        "us" | "µs" => Some(1e-3),
        "ms" => Some(1.0),
        "s" | "sec" => Some(1e3),
        _ => None,
    }
}

/// The begin of a file, which tells what it is.
pub(super) fn head(path: &Utf8Path) -> Option<Vec<u8>> {
    file::head(path, 64 << 10)
}

/// Reads a whole file, if it is a file and of a size that results have.
pub(super) fn read(path: &Utf8Path) -> Result<Vec<u8>, ReadProblem> {
    file::read(path, MAX_BYTES).map_err(|why| ReadProblem::new(path, None, why.to_string()))
}
