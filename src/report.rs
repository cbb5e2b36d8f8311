//! Results for people and for machines: a table, CSV, JSON and an HTML page.

mod chart;
mod csv;
mod json;
mod page;
mod table;

use camino::Utf8Path;

use crate::results::{Comparison, Group, Limits, Metric, Point, Run, RunId, Statistic};
use crate::write::{Mode, WriteError, Written, write_kept};

/// What to say of a run, and how.
///
/// ```no_run
/// use nim_slurm::Report;
/// use nim_slurm::results::{Limits, Run, Statistic};
///
/// let run = Run::read("results")?;
/// let limits = Limits::new(Statistic::P95).time_to_first_token(500.0);
/// print!("{}", Report::new(&run).with_limits(limits).to_table());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Report<'a> {
    run: &'a Run,
    limits: Limits,
    before: Option<&'a Run>,
}

impl<'a> Report<'a> {
    /// A report on a run, with the means of all latencies.
    #[must_use]
    pub const fn new(run: &'a Run) -> Self {
        Self {
            run,
            limits: Limits::new(Statistic::Avg),
            before: None,
        }
    }

    /// Judges each point by these limits, and shows latencies by their statistic.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Compares each point with what it was in an earlier run.
    #[must_use]
    pub const fn against(mut self, before: &'a Run) -> Self {
        self.before = Some(before);
        self
    }

    /// A table for a terminal of 100 columns, a part for each use case.
    #[must_use]
    pub fn to_table(&self) -> String {
        table::render(self)
    }

    /// CSV: a head, and a row for each point with a column for each statistic, named
    /// `METRIC_STATISTIC_UNIT`.
    #[must_use]
    pub fn to_csv(&self) -> String {
        csv::render(self)
    }

    /// JSON: `{"schema": 1, "points": […], "problems": […], …}`.
    ///
    /// A point has `use_case`, `input_sequence_length`, `output_sequence_length`,
    /// `concurrency`, `gpus`, `job_id` (each `null` when nothing tells), `path`,
    /// `tool`, and `metrics`, by the tools' own names, each with its `unit` and its
    /// statistics. `use_cases` names the paths of each one's best points.
    #[must_use]
    pub fn to_json(&self) -> String {
        json::render(self)
    }

    /// One HTML page that needs nothing else: no network and no script.
    #[must_use]
    pub fn to_html(&self) -> String {
        page::render(self)
    }

    /// Writes a rendering of a report to a file. Other bytes that were there are
    /// kept as `NAME.bak-1`, `NAME.bak-2`, …
    ///
    /// # Errors
    ///
    /// When the file cannot be written; what was there is still there then.
    pub fn write(path: impl AsRef<Utf8Path>, text: &str) -> Result<Written, WriteError> {
        write_kept(path.as_ref(), text, Mode::Plain)
    }

    fn statistic(&self) -> Statistic {
        self.limits.statistic()
    }

    /// The point that a use case's reader looks for.
    fn best_of<'g>(&self, group: &Group<'g>) -> Option<&'g Point> {
        if self.limits.is_empty() {
            group.best_throughput()
        } else {
            group.best_within(&self.limits)
        }
    }

    fn comparison(&self) -> Option<Comparison<'a>> {
        Some(Comparison::new(self.before?, self.run))
    }
}

/// A number of a point that reports show beside the metrics themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Latency(Metric, Statistic),
    Throughput,
    ThroughputPerGpu,
    ThroughputPerUser,
    Requests,
}

impl Column {
    fn all(statistic: Statistic) -> [Self; 7] {
        [
            Self::Latency(Metric::TimeToFirstToken, statistic),
            Self::Latency(Metric::InterTokenLatency, statistic),
            Self::Latency(Metric::RequestLatency, statistic),
            Self::Throughput,
            Self::ThroughputPerGpu,
            Self::ThroughputPerUser,
            Self::Requests,
        ]
    }

    fn of(self, point: &Point) -> Option<f64> {
        match self {
            Self::Latency(metric, statistic) => point.value(metric, statistic),
            Self::Throughput => point.throughput(),
            Self::ThroughputPerGpu => point.throughput_per_gpu(),
            Self::ThroughputPerUser => point.throughput_per_user(),
            Self::Requests => point.value(Metric::RequestThroughput, Statistic::Avg),
        }
    }
}

/// A number with as many places as a reader can use.
fn figure(value: f64) -> String {
    let size = value.abs();
    if size < 100.0 {
        format!("{value:.2}")
    } else if size < 10_000.0 {
        format!("{value:.1}")
    } else if size < 1e9 {
        format!("{value:.0}")
    } else {
        format!("{value:.2e}")
    }
}

fn figure_or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), figure)
}

/// A relative change in percent, with its sign.
fn percent(change: Option<f64>) -> String {
    let Some(change) = change else {
        return "-".to_owned();
    };
    match format!("{:+.1} %", 100.0 * change).as_str() {
        "+0.0 %" | "-0.0 %" => "0.0 %".to_owned(),
        text => text.to_owned(),
    }
}

fn number_or_dash(number: Option<u32>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

/// `NAME ISL/OSL` of one point.
fn use_case_of(point: &Point) -> String {
    format!(
        "{} {}/{}",
        point.use_case().unwrap_or("?"),
        number_or_dash(point.input_tokens()),
        number_or_dash(point.output_tokens())
    )
}

fn job_of(point: &Point) -> String {
    point.run().map(RunId::to_string).unwrap_or_default()
}
