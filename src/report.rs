//! Results for people and for machines: a table, CSV, JSON, an HTML page and a picture.

mod chart;
mod csv;
mod energy;
mod gate;
mod head;
mod inferencex;
mod json;
mod legend;
mod llm_d;
mod markdown;
mod page;
mod search;
mod table;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;

use crate::load::{Length, Load};
use crate::percentile::Percentile;
use crate::plain::{counted, listed, plain, plain_json, plain_lines};
use crate::results::{
    Change, Comparison, Difference, Gate, GateOutcome, Gated, Group, Limits, Manifest,
    MeasuredAgain, Metric, Point, Run, RunId, RunImage, Statistic, Statistics, Summary, Superseded,
    Tokens, Verdict, use_case_in_words,
};
use crate::write::{Mode, WriteError, WrittenFile, write_with_backup};

/// What to say of a run, and how.
///
/// ```
/// use nim_slurm::Report;
/// use nim_slurm::results::{Limits, Run, Statistic};
///
/// let run = Run::read("tests/data/genai-perf")?;
/// let limits = Limits::new(Statistic::P95).time_to_first_token(500.0);
/// let table = Report::new(&run).with_limits(limits).to_table();
/// assert!(table.contains("TTFT, ITL and latency: p95"), "{table}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Report<'a> {
    run: &'a Run,
    /// Those that somebody asked for.
    limits: Option<Limits>,
    /// Those of searches, each for the use case that it was for.
    searched: BTreeMap<Measured<'a>, Limits>,
    /// Those that all use cases have unless somebody asks for others; `None` where they differ.
    common: Option<Limits>,
    before: Option<&'a Run>,
    price: Option<f64>,
    gate: Option<&'a Gate>,
}

/// What points of a use case have in common: model, use case, and lengths.
type Measured<'a> = (Option<&'a str>, Option<&'a str>, [Option<Length>; 2]);

fn measured(point: &Point) -> Measured<'_> {
    let lengths = [point.input(), point.output()];
    (point.model(), point.use_case(), lengths)
}

impl<'a> Report<'a> {
    /// A report on a run, with the means of all latencies; use cases that a search measured are judged by its limits, and shown
    /// with its percentile.
    #[must_use]
    pub fn new(run: &'a Run) -> Self {
        let groups = run.groups();
        let own = groups.iter().map(|group| {
            let limits = group.search_goal(run).and_then(search::limits);
            (measured(group.points()[0]), limits)
        });
        let own: Vec<(Measured<'a>, Option<Limits>)> = own.collect();
        let first = own.first().and_then(|(_, limits)| *limits);
        let is_common = own.iter().all(|(_, limits)| *limits == first);
        Self {
            run,
            limits: None,
            searched: own
                .into_iter()
                .filter_map(|(measured, limits)| Some((measured, limits?)))
                .collect(),
            common: is_common.then_some(first.unwrap_or(NO_LIMITS)),
            before: None,
            price: None,
            gate: None,
        }
    }

    /// Judges each point by these limits, and shows latencies by their statistic.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Says what a million tokens cost, for what a GPU costs in an hour, in any currency
    /// ([`Point::cost_per_million`]). A price that is not a number above 0 is none.
    ///
    /// ```
    /// use nim_slurm::Report;
    /// use nim_slurm::results::Run;
    ///
    /// let run = Run::read("tests/data/telemetry")?;
    /// let csv = Report::new(&run).with_price(2.5).to_csv();
    /// assert!(csv.lines().next().unwrap().contains("cost_per_million_output_tokens"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn with_price(mut self, gpu_hour: f64) -> Self {
        self.price = if gpu_hour > 0.0 && gpu_hour.is_finite() {
            Some(gpu_hour)
        } else {
            None
        };
        self
    }

    /// Compares each point with what it was in an earlier run.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
    /// # for (run, release) in [("before", "0.0.10"), ("after", "aiperf-0.13.0-server-died")] {
    /// #     let point = folder.join(run).join("llama-3-70b-instruct_4_25_chat_128_128_4711");
    /// #     std::fs::create_dir_all(&point)?;
    /// #     for file in std::fs::read_dir(format!("tests/data/genai-perf/{release}"))? {
    /// #         let file = file?;
    /// #         std::fs::copy(file.path(), point.join(file.file_name().to_str().unwrap()))?;
    /// #     }
    /// # }
    /// use nim_slurm::Report;
    /// use nim_slurm::results::Run;
    ///
    /// let (before, after) = (Run::read(folder.join("before"))?, Run::read(folder.join("after"))?);
    /// let table = Report::new(&after).against(&before).to_table();
    /// assert!(table.contains("-31.4 %"), "{table}"); // tokens/s
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn against(mut self, before: &'a Run) -> Self {
        self.before = Some(before);
        self
    }

    /// Judges by this gate whether something is worse than it was in the run that it is compared
    /// [against](Self::against).
    ///
    /// ```
    /// use nim_slurm::Report;
    /// use nim_slurm::results::{Gate, GateOutcome, Run};
    ///
    /// let run = Run::read("tests/data/genai-perf")?;
    /// let gate = Gate::parse("throughput 5%, ttft 10%")?;
    /// let report = Report::new(&run).against(&run).with_gate(&gate);
    /// assert_eq!(report.gate_outcome(), Some(GateOutcome::CannotTell)); // one run on each side
    /// assert!(report.to_table().contains("gate: cannot tell"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn with_gate(mut self, gate: &'a Gate) -> Self {
        self.gate = Some(gate);
        self
    }

    /// What the gate says; `None` without a gate, or without a run to compare with.
    ///
    /// ```
    /// use nim_slurm::Report;
    /// use nim_slurm::results::Run;
    ///
    /// let run = Run::read("tests/data/genai-perf")?;
    /// assert_eq!(Report::new(&run).against(&run).gate_outcome(), None); // no gate
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn gate_outcome(&self) -> Option<GateOutcome> {
        self.judged().map(|(outcome, _)| outcome)
    }

    /// The program's exit code for it: 0 when nothing is worse, 3 when something is, 4 when it cannot be told.
    ///
    /// ```
    /// use nim_slurm::Report;
    /// use nim_slurm::results::{Gate, Run};
    ///
    /// let run = Run::read("tests/data/genai-perf")?;
    /// let gate = Gate::parse("throughput 5%")?;
    /// assert_eq!(Report::new(&run).against(&run).with_gate(&gate).exit_code(), 4);
    /// assert_eq!(Report::new(&run).exit_code(), 0); // no gate
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.judged().map_or(0, |(_, code)| code)
    }

    /// What the gate says, and the exit code for it.
    fn judged(&self) -> Option<(GateOutcome, u8)> {
        let means = self.means();
        let report = means.report();
        let comparison = report.comparison()?;
        let gated = report.gated(&comparison)?;
        Some((gated.outcome(), gated.exit_code()))
    }

    /// What the gate says, as JUnit's XML: a test for each metric of each point. What is worse failed, and what cannot be
    /// told was skipped. Without a gate, it has no test.
    ///
    /// ```
    /// use nim_slurm::Report;
    /// use nim_slurm::results::{Gate, Run};
    ///
    /// let run = Run::read("tests/data/genai-perf")?;
    /// let gate = Gate::parse("throughput 5%")?;
    /// let xml = Report::new(&run).against(&run).with_gate(&gate).to_junit();
    /// assert!(xml.contains("<testsuite name=\"nim-slurm gate: throughput 5%\""), "{xml}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_junit(&self) -> String {
        plain_lines(&gate::junit(&self.means().report()))
    }

    /// GitHub's Markdown, as for a job's summary: what differs, what the gate says, and the points. Texts of others are code
    /// in it: they mention nobody, and are no links.
    ///
    /// ```
    /// use nim_slurm::Report;
    /// use nim_slurm::results::Run;
    ///
    /// let run = Run::read("tests/data/genai-perf")?;
    /// assert!(Report::new(&run).to_markdown().contains("| concurrency |"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_markdown(&self) -> String {
        plain_lines(&markdown::render(&self.means().report()))
    }

    /// A table for a terminal of 100 columns, a part for each use case. A point with several
    /// [runs](Point::runs) has their means, and below them the half of their intervals and their spread.
    #[must_use]
    pub fn to_table(&self) -> String {
        plain_lines(&table::render(&self.means().report()))
    }

    /// CSV: a head, and a row for each point with a column for each statistic, named
    /// `METRIC_STATISTIC_UNIT`. Its last columns are `verdict`, `is_best`, `is_too_short` and `caveat`, with the words of
    /// [JSON](Self::to_json).
    ///
    /// Against an earlier run, it is the comparison instead: a row for each point of
    /// either run, and for each metric that is compared its value before, its value
    /// after and the relative change, where 0.1 is ten percent more. Verdict, caveat and whether it is too short
    /// stand there for both sides, and behind them what a gate says of each metric that it judges (`…_gate`) and of all
    /// together (`gate`). Where there are points in whose place later ones are compared ([`Superseded`]), `superseded_by` has
    /// the paths of these.
    ///
    /// ```
    /// use nim_slurm::Report;
    /// use nim_slurm::results::Run;
    ///
    /// let run = Run::read("tests/data/genai-perf")?;
    /// let csv = Report::new(&run).to_csv();
    /// assert_eq!(csv.lines().count(), 1 + run.points().len());
    /// assert!(csv.lines().next().unwrap().contains("time_to_first_token_p95_ms"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_csv(&self) -> String {
        csv::render(self, &self.means().report())
    }

    /// JSON: `{"schema": 1, "points": […], "problems": […], "runs": […], …}`.
    ///
    /// A point has `use_case`, `input_sequence_length`, `output_sequence_length`,
    /// `concurrency` (or, of a rate, `request_rate`), `gpus`, `job_id`, `request_count` (each `null` when nothing tells), `path`,
    /// `tool`, its `repeat`, of several servers that measured it together the number of its own as
    /// `replica`, of several that shared the points that of the one that measured it as `server`, and `metrics`, by the tools' own names, each with its `unit` and its
    /// statistics. `energy` has what the server's GPUs drew, or is `null` with the reason in `energy_missing`; `cost_per_million`
    /// has the cost of a million tokens of each kind, where there is a price. `output_token_throughput_per_gpu` and `…_per_user` beside them are
    /// [`Point::throughput_per_gpu`] and [`Point::throughput_per_user`]: the latter is
    /// derived where `metrics` does not have it. `highest_percentile` is the one that so many
    /// requests can support at most ([`Percentile::highest`](crate::Percentile::highest)).
    /// `warmup_requests` is how many of its warm-up were answered.
    /// `requests` has what each request tells, where there is a file of them: those that `failed`, for how many
    /// `seconds` they ran, whether that `is_too_short` (less than 10), which `share_in_flight` of these had one in
    /// flight (that of a whole job is in `runs`), the `steady` part's figures, and the `largest_difference` between
    /// these and the whole point's; above 0.05, `is_steady` is false. A `verdict` is `within`,
    /// `exceeded`, `cannot_tell` or `unknown`. `means` has a row for
    /// each point that was measured several times: the `paths` of its runs, and in `metrics` of each column of the table `mean`,
    /// `interval` with a confidence of 0.95, `standard_deviation`, `spread` (that over the mean) and whether it
    /// `is_unstable` (a spread above 0.05). `energy` and `cost_per_million` have the same, where each run has them. What is worked
    /// out of other figures is so for each run here. The row itself
    /// `is_unstable` where one of its `metrics` is. `use_cases` names the `model` and the paths of each
    /// one's best points; of several runs, that of the first; where no point is known to keep the limits, `none_within_limits` says why. `runs` has what [`Run::manifests`] has. A problem has `file`, `message` and, where one is to blame,
    /// `line`.
    ///
    /// Against an earlier run, `against` has the relative `changes` of each point, the points that are `only_before` and
    /// `only_after`, those `not_compared` (`path`, `is_before`, and what is `unknown` of it), those `superseded` (`path`, `by`,
    /// `is_before` and `is_open`, as [`Superseded`] has them), the `differences` of both (`what`, `before`, `after`), and with a gate what it says, as [`Gated`]
    /// has it: `gate`.
    ///
    /// ```
    /// use nim_slurm::Report;
    /// use nim_slurm::results::Run;
    ///
    /// let run = Run::read("tests/data/genai-perf")?;
    /// assert!(Report::new(&run).to_json().contains("\"input_sequence_length\""));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        plain_json(&json::render(self, &self.means().report()))
    }

    /// Rows as InferenceX's result files (`agg_….json`) have them, as a list in JSON.
    ///
    /// Latencies are in seconds, throughputs per GPU. `hw` is the GPUs' model as nvidia-smi names it; what nobody wrote down,
    /// such as `tp` and `precision`, is `null`. Points that are not to be trusted are left out, as there.
    ///
    /// ```
    /// use nim_slurm::Report;
    /// use nim_slurm::results::Run;
    ///
    /// let run = Run::read("tests/data/telemetry")?;
    /// let rows = Report::new(&run).to_inferencex();
    /// assert!(rows.contains("\"conc\": 1,") && rows.contains("\"joules_per_output_token\": "));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_inferencex(&self) -> String {
        plain_json(&inferencex::render(self))
    }

    /// Benchmark reports of llm-d, version 0.2: one for each point, as JSON in a line of its own. A report on one point
    /// is a file that llm-d's programs read.
    ///
    /// ```
    /// use nim_slurm::Report;
    /// use nim_slurm::results::Run;
    ///
    /// let run = Run::read("tests/data/telemetry")?;
    /// let reports = Report::new(&run).to_llm_d();
    /// assert_eq!(reports.lines().count(), run.points().len());
    /// assert!(reports.contains(r#""version":"0.2""#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_llm_d(&self) -> String {
        plain_json(&llm_d::render(self))
    }

    /// What is said of points that are [too short](Run::short_points): how many, of which jobs where others are not, and
    /// with [how many requests](Run::enough_requests), or [what else](Run::longer_use_cases), they would be long enough. `None` when none is.
    ///
    /// ```
    /// use nim_slurm::Report;
    /// use nim_slurm::results::Run;
    ///
    /// let run = Run::read("tests/data/requests/aiperf-1")?;
    /// let said = Report::new(&run).short_points().unwrap();
    /// assert!(said.starts_with("1 of 1 point ran for less than 10 s: do not rely on its numbers"), "{said}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn short_points(&self) -> Option<String> {
        short_points(&self.run.means())
    }

    /// One HTML page that needs nothing else: no network and no script.
    ///
    /// ```
    /// use nim_slurm::Report;
    /// use nim_slurm::results::Run;
    ///
    /// let run = Run::read("tests/data/genai-perf")?;
    /// let page = Report::new(&run).to_html();
    /// assert!(page.starts_with("<!DOCTYPE html>") && !page.contains("<script"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_html(&self) -> String {
        plain_lines(&page::render(&self.means().report()))
    }

    /// The page's charts as one SVG picture, on white.
    ///
    /// ```
    /// use nim_slurm::Report;
    /// use nim_slurm::results::Run;
    ///
    /// let run = Run::read("tests/data/genai-perf")?;
    /// let picture = Report::new(&run).to_svg();
    /// assert!(picture.starts_with("<svg ") && !picture.contains("<script"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_svg(&self) -> String {
        plain_lines(&page::picture(&self.means().report()))
    }

    /// Writes a rendering of a report to a file. Other bytes that were there are
    /// kept as `NAME.bak-1`, `NAME.bak-2`, …
    ///
    /// # Errors
    ///
    /// When the file cannot be written; what was there is still there then.
    ///
    /// ```
    /// use nim_slurm::Report;
    /// use nim_slurm::results::Run;
    /// # let folder = tempfile::tempdir()?;
    /// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
    ///
    /// let run = Run::read("tests/data/genai-perf")?;
    /// let written = Report::write(folder.join("report.html"), &Report::new(&run).to_html())?;
    /// assert_eq!(written.backup, None); // there was no such file
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write(path: impl AsRef<Utf8Path>, text: &str) -> Result<WrittenFile, WriteError> {
        write_with_backup(path.as_ref(), text, Mode::Plain)
    }

    fn means(&self) -> Means<'a> {
        let means_of = |run: &'a Run| {
            if run.has_repeats() {
                Cow::Owned(run.means())
            } else {
                Cow::Borrowed(run)
            }
        };
        Means {
            run: means_of(self.run),
            before: self.before.map(means_of),
            limits: self.limits,
            price: self.price,
            gate: self.gate,
        }
    }

    /// The limits that all use cases have, if they have the same.
    fn common(&self) -> Option<Limits> {
        self.limits.or(self.common)
    }

    /// The limits of a point's use case.
    fn limits_of(&self, point: &Point) -> Limits {
        let searched = || self.searched.get(&measured(point)).copied();
        self.limits.or_else(searched).unwrap_or(NO_LIMITS)
    }

    fn gated<'c>(&self, comparison: &Comparison<'c>) -> Option<Gated<'c>> {
        Some(self.gate?.judge(comparison, self.statistic()))
    }

    /// What differs from the run that this one is compared with.
    fn differences(&self) -> Vec<Difference> {
        let before = self
            .before
            .map(|before| Difference::between(before, self.run));
        before.unwrap_or_default()
    }

    /// The statistic for what use cases have in common, as a comparison and the axis of a chart.
    fn statistic(&self) -> Statistic {
        self.common().unwrap_or(NO_LIMITS).statistic()
    }

    fn statistic_of(&self, point: &Point) -> Statistic {
        self.limits_of(point).statistic()
    }

    /// The point that a use case's reader looks for. Of points that are all too short, none is.
    fn best_of<'g>(&self, group: &Group<'g>) -> Option<&'g Point> {
        let limits = self.limits_of(group.points()[0]);
        let best = if limits.is_empty() {
            group.best_throughput()
        } else {
            group.best_within(&limits)
        };
        best.filter(|point| point.is_too_short() != Some(true))
    }

    /// Why no point of a use case is known to keep its limits; `None` where one is, and without limits.
    fn none_within(&self, group: &Group<'_>) -> Option<String> {
        let limits = self.limits_of(group.points()[0]);
        if limits.is_empty() || group.best_within(&limits).is_some() {
            return None;
        }
        let points = group.iter().filter(|point| point.caveat().is_none());
        let judged: Vec<_> = points.map(|point| (point, limits.verdict(point))).collect();
        let unsure: Vec<_> = judged
            .iter()
            .filter(|(_, verdict)| matches!(verdict, Verdict::CannotTell { .. }))
            .map(|(point, _)| *point)
            .collect();
        let reason = || why_unsure(&limits, &unsure);
        let is_unknown = |(_, verdict): &(_, Verdict)| matches!(verdict, Verdict::Unknown { .. });
        Some(match unsure.len() {
            0 if judged.is_empty() => "no point is to be trusted: see the problems".to_owned(),
            0 if judged.iter().any(is_unknown) => "no point is known to keep the limits".to_owned(),
            0 => "no point keeps the limits".to_owned(),
            all if all == judged.len() => {
                format!(
                    "it cannot be told of any point whether it keeps the limits: {}",
                    reason()
                )
            }
            some => format!(
                "no point is known to keep the limits; of {} it cannot be told: {}",
                counted(some, "point"),
                reason()
            ),
        })
    }

    fn comparison(&self) -> Option<Comparison<'a>> {
        Some(Comparison::new(self.before?, self.run))
    }
}

/// What a report tells, with the mean of what was measured several times.
struct Means<'a> {
    run: Cow<'a, Run>,
    before: Option<Cow<'a, Run>>,
    limits: Option<Limits>,
    price: Option<f64>,
    gate: Option<&'a Gate>,
}

impl Means<'_> {
    fn report(&self) -> Report<'_> {
        Report {
            limits: self.limits,
            before: self.before.as_deref(),
            price: self.price,
            gate: self.gate,
            ..Report::new(&self.run)
        }
    }
}

const NO_LIMITS: Limits = Limits::new(Statistic::Avg);

/// A number of a point that reports show beside the metrics themselves.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Column {
    Latency(Metric, Statistic),
    Throughput,
    ThroughputPerGpu,
    ThroughputPerUser,
    Requests,
    /// Of a million output tokens, for what a GPU costs in an hour.
    OutputCost(f64),
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
            Self::OutputCost(price) => point.cost_per_million(Tokens::Output, price),
        }
    }

    fn summary(self, point: &Point) -> Option<Summary> {
        point.summary_of(|run| self.of(run))
    }

    /// The half of the interval of several runs.
    fn half_width(self, point: &Point) -> Option<String> {
        Some(format!("±{}", figure(self.summary(point)?.half_width()?)))
    }
}

impl Column {
    /// The number for a reader, with `~` before one that is not the tool's own, and `^` before a
    /// percentile that has too few requests behind it.
    fn text(self, point: &Point) -> String {
        let is_derived = self == Self::ThroughputPerUser && point.derives_throughput_per_user();
        let is_weak = matches!(self, Self::Latency(_, statistic) if point.is_weak(statistic));
        match self.of(point).map(figure) {
            Some(figure) if is_derived => format!("~{figure}"),
            Some(figure) if is_weak => format!("^{figure}"),
            figure => figure.unwrap_or_else(|| "-".to_owned()),
        }
    }
}

/// Runs of which some keep the limits, and some do not.
const DIVIDED: &str = "runs of the same point are on both sides of a limit";

/// Why it cannot be told of these points whether they keep their limits, and what would help.
fn why_unsure(limits: &Limits, points: &[&Point]) -> String {
    let is_divided = |point: &&&Point| limits.divides_runs_of(point).is_some();
    let divided = points.iter().filter(is_divided).count();
    let statistic = limits.statistic();
    let few = match statistic.percentile() {
        Some(percentile) if points.iter().all(|point| point.is_weak(statistic)) => format!(
            "too few requests (a {percentile} takes {} or more); measure with sweep.percentile = \"{percentile}\"",
            percentile.requests_needed(0)
        ),
        _ => "too few requests, or too near to a limit; measure with a larger sweep.min_requests"
            .to_owned(),
    };
    if divided == 0 {
        few
    } else if divided == points.len() {
        DIVIDED.to_owned()
    } else {
        format!("{DIVIDED}, or {few}")
    }
}

/// That its runs are on both sides of a limit.
fn divided(report: &Report<'_>, point: &Point) -> Option<String> {
    let metric = report.limits_of(point).divides_runs_of(point)?;
    let label = metric.label();
    Some(format!(
        "its runs are on both sides of the limit on {label}"
    ))
}

/// What is to be said of a point beside its figures.
fn remarks(report: &Report<'_>, point: &Point) -> Vec<String> {
    let remarks = [
        divided(report, point),
        of_several_servers(point),
        of_runs(point, |run| not_warmed_up(report, run)),
        unsteady(point),
        out_of_cache(point),
        of_runs(point, at_once),
        counted_by_server(point),
        goodput(point),
    ];
    remarks.into_iter().flatten().collect()
}

/// That the spread of its runs is one of servers, too.
fn of_several_servers(point: &Point) -> Option<String> {
    let servers: Vec<u32> = point.runs().iter().filter_map(Point::server).collect();
    let names: Vec<_> = servers.iter().map(u32::to_string).collect();
    servers.iter().any(|server| *server != servers[0]).then(|| {
        let names = names.join(", ");
        format!("its runs are of several servers ({names}), of which one may be slower")
    })
}

/// That the server may have been cold: fewer requests of the warm-up were answered than launch.sh sent.
fn not_warmed_up(report: &Report<'_>, run: &Point) -> Option<String> {
    let answered = run.warmup_requests()?;
    let manifest = report.run.manifest_of(run);
    let servers = manifest
        .and_then(|manifest| manifest.replicas)
        .filter(|_| run.replica().is_some());
    let wave = match run.load()? {
        Load::Concurrency(requests) => f64::from(requests),
        Load::RequestRate(rate) => rate.to_f64().ceil(),
        Load::Schedule => 1.0,
    };
    let sent = wave * f64::from(servers.unwrap_or(1));
    (f64::from(answered) < sent)
        .then(|| format!("only {answered} of {sent} requests of its warm-up were answered"))
}

/// The requests in a second that kept the limits which the tool was told.
fn goodput(point: &Point) -> Option<String> {
    let goodput = point.value(Metric::RequestGoodput, Statistic::Avg)?;
    Some(format!("goodput {} requests/s", figure(goodput)))
}

/// How many requests a point has; of runs that have others, the fewest and the most.
fn requests_of(point: &Point) -> String {
    let counts = || point.runs().iter().filter_map(Point::request_count);
    match (counts().min(), counts().max()) {
        (Some(fewest), Some(most)) if fewest < most => format!("{fewest}-{most}"),
        (fewest, _) => number_or_dash(fewest),
    }
}

/// Where a row is from: its job and server or, where no job is known, its folder.
fn origin_of(report: &Report<'_>, point: &Point) -> String {
    let origin = match point.run() {
        Some(_) => job_of(point),
        None => place_of(report.run, point),
    };
    origin + &server_of(point)
}

/// What `^` stands for, where it is used.
fn weak(report: &Report<'_>, rows: &[&Point]) -> Option<String> {
    let mut needed: Vec<String> = Vec::new();
    for point in rows {
        let statistic = report.statistic_of(point);
        let Some(percentile) = statistic.percentile().filter(|_| point.is_weak(statistic)) else {
            continue;
        };
        let words = format!("a {statistic} takes {}", percentile.requests_needed(0));
        if !needed.contains(&words) {
            needed.push(words);
        }
    }
    let words = needed.join(", ");
    (!words.is_empty())
        .then(|| format!("^ of too few requests: to claim {words}, with a confidence of 0.99"))
}

/// What the points with the fewest and with the most requests can say, where a percentile is shown.
fn supported(report: &Report<'_>, rows: &[&Point]) -> Option<String> {
    let is_mean = |point: &&Point| report.statistic_of(point) == Statistic::Avg;
    if rows.iter().all(is_mean) {
        return None;
    }
    let counts = || rows.iter().filter_map(|point| point.request_count());
    let (fewest, most) = (counts().min()?, counts().max()?);
    let highest = |count| {
        Percentile::highest(count).map_or("no percentile".to_owned(), |highest| {
            format!("percentiles up to {highest}")
        })
    };
    let verb = if fewest == 1 { "supports" } else { "support" };
    let text = if fewest == most {
        format!("{} {verb} {}", counted(most, "request"), highest(most))
    } else if highest(fewest) == highest(most) {
        format!("{fewest} to {most} requests support {}", highest(most))
    } else {
        format!(
            "{} {verb} {}, and {most} {}",
            counted(fewest, "request"),
            highest(fewest),
            highest(most).trim_start_matches("percentiles ")
        )
    };
    Some(format!("{text}, with a confidence of 0.99"))
}

/// What the server's prefix cache had of a point's prompts, where that is more than a hundredth.
fn out_of_cache(point: &Point) -> Option<String> {
    let share = point.cached_share().filter(|share| *share > 0.01)?;
    let percent = 100.0 * share;
    Some(format!(
        "{percent:.1} % of its prompt tokens came out of the prefix cache"
    ))
}

/// What the servers' prefix caches had of the points' prompts; nothing is said of results that are not launch.sh's.
fn cached(run: &Run) -> Option<String> {
    let checked: Vec<f64> = run
        .points()
        .iter()
        .filter_map(Point::cached_share)
        .collect();
    let unchecked = run.points().len() - checked.len();
    let Some(highest) = checked.into_iter().reduce(f64::max) else {
        let manifests = run.manifests().iter();
        let told: Option<BTreeSet<_>> = manifests.map(|it| it.prefix_cache.as_deref()).collect();
        // A manifest is a file that others may have written.
        let known = ["on", "off", "flush"].into_iter();
        let mut known = known.filter(|word| told.as_ref() == Some(&BTreeSet::from([*word])));
        let recipe = known
            .next()
            .map(|word| format!("\"{word}\" in the recipe, and "));
        let words = format!(
            "prefix cache: {}not checked, since the server gave no reliable count of hits",
            recipe.unwrap_or_default()
        );
        return (!run.manifests().is_empty()).then_some(words);
    };
    let at_most = format!(
        "prefix cache: at most {:.1} % of a point's prompt tokens",
        100.0 * highest
    );
    Some(match unchecked {
        0 => at_most,
        _ => format!("{at_most}; not checked for {}", counted(unchecked, "point")),
    })
}

/// That points of a report are too short.
fn short_points(run: &Run) -> Option<String> {
    const MOST_JOBS: usize = 3;
    let short = run.short_points();
    let is_short = |point: &&Point| point.is_too_short() == Some(true);
    // Those that were measured again are one.
    let points = run.points().len() - (run.points().iter().filter(is_short).count() - short.len());
    let jobs_of = |points: &[&Point]| -> BTreeSet<String> {
        let jobs = points.iter().filter_map(|point| point.run());
        jobs.map(ToString::to_string).collect()
    };
    let jobs = jobs_of(&short);
    let are_some = jobs.len() < jobs_of(&run.points().iter().collect::<Vec<_>>()).len();
    let of_jobs = if are_some && (1..=MOST_JOBS).contains(&jobs.len()) {
        let plural = if jobs.len() == 1 { "" } else { "s" };
        let jobs: Vec<_> = jobs.into_iter().collect();
        format!(", of job{plural} {},", jobs.join(", "))
    } else {
        String::new()
    };
    let (its, it) = if short.len() == 1 {
        ("its", "it")
    } else {
        ("their", "them")
    };
    let enough = run.enough_requests();
    let enough = enough.map(|enough| format!("more requests ({enough})"));
    let mut longer: Vec<_> = enough.into_iter().chain(run.longer_use_cases()).collect();
    if longer.is_empty() {
        longer.push("more requests".to_owned());
    }
    (!short.is_empty()).then(|| {
        format!(
            "{} of {}{of_jobs} ran for less than 10 s: do not rely on {its} numbers, and measure {it} again with {}",
            short.len(),
            counted(points, "point"),
            longer.join(" and ")
        )
    })
}

/// For how many seconds a point measured, where that is too short.
fn brief(point: &Point) -> Option<f64> {
    point
        .seconds()
        .filter(|_| point.is_too_short() == Some(true))
}

/// That it is too short, with its seconds.
fn too_short(point: &Point) -> Option<String> {
    let seconds = brief(point)?;
    Some(format!("too short: measured for {seconds:.1} s"))
}

/// What `steady` stands for, where it is used.
fn steady_part(rows: &[&Point]) -> Option<&'static str> {
    rows.iter().any(|point| unsteady(point).is_some()).then_some(
        "steady: the means without the load's rise and fall, where one is more than 5 % off the row above",
    )
}

/// How far apart the figures of a point and of its steady part may be, as a share.
const STEADY: f64 = 0.05;

/// What the steady part says where it is another thing than the point; of several runs, of the first
/// that has such a one.
fn unsteady(point: &Point) -> Option<String> {
    of_runs(point, unsteady_run)
}

/// What is to be said of a point's run; of several, of the first of which something is.
fn of_runs(point: &Point, what: impl Fn(&Point) -> Option<String>) -> Option<String> {
    match point.runs() {
        [run] => what(run),
        runs => runs
            .iter()
            .enumerate()
            .find_map(|(number, run)| Some(format!("run {}: {}", number + 1, what(run)?))),
    }
}

fn unsteady_run(point: &Point) -> Option<String> {
    let requests = point.requests()?;
    let (metric, difference) = requests.largest_difference()?;
    if difference.abs() <= STEADY {
        return None;
    }
    let (whole, steady) = (requests.figures()?, requests.steady()?);
    let mean = |metric| figure_or_dash(steady.metric(metric).and_then(Statistics::avg));
    Some(format!(
        "steady for {:.1} of {:.1} s, {} {}: TTFT {}, ITL {}, latency {} ms, {} tokens/s",
        steady.seconds(),
        whole.seconds(),
        metric.label(),
        percent(Some(difference)),
        mean(Metric::TimeToFirstToken),
        mean(Metric::InterTokenLatency),
        mean(Metric::RequestLatency),
        mean(Metric::OutputTokenThroughput)
    ))
}

/// That the tool's ITL, which has a 0 for each of these answers, is not shown.
fn at_once(run: &Point) -> Option<String> {
    let requests = run.requests()?;
    let (at_once, all) = (
        requests.at_once(),
        requests.as_slice().len() - requests.failed(),
    );
    (at_once > 0).then(|| {
        let what = if requests.knows_inter_token_latency() {
            "ITL is of the others"
        } else {
            "ITL is not known"
        };
        format!("the tokens of {at_once} of {all} answers came at once: {what}")
    })
}

/// More by which the server and the tool's tokenizer count an answer differently is worth a word.
const TOKENS_DIFFER: f64 = 0.02;

/// How many tokens the server counts in an answer, where the tool counts others: throughput and ITL are the tool's.
fn counted_by_server(point: &Point) -> Option<String> {
    let mean = |of: &dyn Fn(&Point) -> Option<f64>| Some(point.summary_of(of)?.mean());
    let counted = |run: &Point| run.value(Metric::OutputSequenceLength, Statistic::Avg);
    let (said, tool_s) = (mean(&told_by_server)?, mean(&counted)?);
    // Each run has its own ratio.
    let throughput = mean(&|run| Some(run.throughput()? * told_by_server(run)? / counted(run)?));
    let itl = mean(&|run| {
        if counts_by_server(run) {
            return run
                .requests()?
                .figures()?
                .metric(Metric::InterTokenLatency)?
                .avg();
        }
        let itl = run.value(Metric::InterTokenLatency, Statistic::Avg)?;
        let ratio = (counted(run)? - 1.0) / (told_by_server(run)? - 1.0);
        Some(itl * ratio).filter(|itl| itl.is_finite())
    });
    let itl = itl.map(|itl| format!(" and a mean ITL of {} ms", figure(itl)));
    let judged = point.runs().iter().any(counts_by_server);
    let judged = if judged {
        "; limits on percentiles, goodput and the steady part count so, too"
    } else {
        ""
    };
    ((said / tool_s - 1.0).abs() > TOKENS_DIFFER).then(|| {
        format!(
            "the server counts {said:.1} tokens in an answer, the tool {tool_s:.1}: by the server's, {} tokens/s{}{judged}",
            figure_or_dash(throughput),
            itl.unwrap_or_default()
        )
    })
}

/// Whether the file of requests has the server's counts, as GenAI-Perf's has where the server tells them.
fn counts_by_server(run: &Point) -> bool {
    run.requests()
        .is_some_and(|all| all.mean_told_by_server().is_some())
}

/// The server's own mean of tokens in an answer, where it told of each.
fn told_by_server(run: &Point) -> Option<f64> {
    if counts_by_server(run) {
        return run.requests()?.mean_told_by_server();
    }
    let usage = |wanted: &str| {
        let mut others = run.other_metrics();
        Some(&others.find(|(name, _)| *name == wanted)?.1.statistics)
    };
    let said = usage("usage_completion_tokens")?;
    let mean = said.avg().filter(|mean| *mean > 0.0)?;
    // Releases that do not say of how many answers a mean is have a sum.
    let sum = || usage("total_usage_completion_tokens")?.avg();
    let answers = said.get(Statistic::Count).or_else(|| Some(sum()? / mean))?;
    #[expect(clippy::cast_precision_loss, reason = "no point has 2^52 requests")]
    let requests = run.request_count()? as f64;
    ((answers - requests).abs() < 0.5).then_some(mean)
}

/// What the runs of a point say of how much they differ, where there are several: their number, the largest
/// spread of the numbers that reports show, and whether that is unstable.
fn spread(report: &Report<'_>, point: &Point) -> Option<(usize, f64, bool)> {
    let runs = point.runs().len();
    let summaries = Column::all(report.statistic_of(point)).map(|column| column.summary(point));
    let spreads = summaries.iter().flatten().filter_map(Summary::spread);
    let is_unstable = summaries.iter().flatten().any(Summary::is_unstable);
    (runs > 1).then(|| (runs, spreads.fold(0.0, f64::max), is_unstable))
}

/// The points that have a row.
fn points_with_rows<'a>(report: &Report<'a>) -> Vec<&'a Point> {
    let groups = report.run.groups();
    let kept = groups.iter().map(|group| without_replaced(report, group).0);
    kept.flat_map(|group| group.points().to_vec()).collect()
}

/// What the rows of several runs stand for, where there are some.
fn several_runs(rows: &[&Point]) -> Option<&'static str> {
    rows.iter().any(|point| point.runs().len() > 1).then_some(
        "several runs: means, the interval of each with a confidence of 0.95 (Student's t), and the spread (standard \
         deviation over mean), which is unstable above 5 %",
    )
}

/// What `~` stands for.
const DERIVED: &str =
    "~ computed here: 1000 / ITL or, where there is no ITL, tokens/s / concurrency";

/// What `~` stands for, where it is used.
fn derived(run: &Run) -> Option<&'static str> {
    let is_derived = |point: &Point| {
        point.derives_throughput_per_user() && point.throughput_per_user().is_some()
    };
    run.points().iter().any(is_derived).then_some(DERIVED)
}

/// A number with as many places as a reader can use.
fn figure(value: f64) -> String {
    let size = value.abs();
    if size > 0.0 && size < 1e-4 {
        format!("{value:.1e}")
    } else if size > 0.0 && size < 0.01 {
        format!("{value:.4}")
    } else if size > 0.0 && size < 0.1 {
        format!("{value:.3}")
    } else if size < 100.0 {
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
    if change.abs() >= 1e4 {
        return format!("{:.1e} times", change + 1.0);
    }
    match format!("{:+.1} %", 100.0 * change).as_str() {
        "+0.0 %" | "-0.0 %" => "0.0 %".to_owned(),
        text => text.to_owned(),
    }
}

/// A limit as its user wrote it, unless that takes hundreds of digits.
fn milliseconds(limit: f64) -> String {
    if (1e-4..1e9).contains(&limit) {
        format!("{limit} ms")
    } else {
        format!("{limit:e} ms")
    }
}

/// Each limit as a sentence's part.
fn in_words(limits: &Limits) -> Vec<String> {
    limits
        .iter()
        .map(|(metric, limit)| format!("{} at most {}", metric.label(), milliseconds(limit)))
        .collect()
}

/// The two characters that XML does not have, and a name may, are replaced.
fn in_xml(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

fn number_or_dash(number: Option<impl ToString>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

/// A concurrency, or a rate such as `2.5/s`.
fn load_of(point: &Point) -> String {
    match point.load() {
        Some(Load::RequestRate(rate)) => format!("{rate}/s"),
        load => number_or_dash(load),
    }
}

/// [`Load::in_words`], or `concurrency -` where a result does not tell.
fn load_in_words(point: &Point) -> String {
    point
        .load()
        .map_or_else(|| "concurrency -".to_owned(), Load::in_words)
}

/// The use case, and the model where there are several.
fn part_of(comparison: &Comparison<'_>, point: &Point) -> String {
    let model = point.model().filter(|_| comparison.names_models());
    let model = model.map(|model| format!("{model}, "));
    format!("{}{}", model.unwrap_or_default(), use_case_in_words(point))
}

/// A point of a comparison.
fn title_of(comparison: &Comparison<'_>, point: &Point) -> String {
    let text = format!(
        "{}, {}, {}{}",
        part_of(comparison, point),
        counted(number_or_dash(point.gpus()), "GPU"),
        load_in_words(point),
        replica_of(point)
    );
    plain(&text).into_owned()
}

/// What is known of each job: one row a job, in parts.
fn jobs(report: &Report<'_>) -> Vec<Vec<String>> {
    let earlier = report.before.into_iter().flat_map(Run::manifests);
    let manifests: Vec<_> = earlier.chain(report.run.manifests()).collect();
    let fingerprints: BTreeSet<_> = manifests
        .iter()
        .filter_map(|own| own.fingerprint.as_deref())
        .collect();
    let runs = report.before.into_iter().chain([report.run]);
    let points = runs.flat_map(Run::points).flat_map(Point::runs);
    let measured: Vec<_> = points.filter_map(Point::run).collect();
    let job = |own: &&Manifest| {
        let mut parts = job(own, fingerprints.len() > 1);
        // Of one without a point here, only how it ended is of use.
        let is_measured = own.job_id.as_ref().is_some_and(|id| measured.contains(&id));
        if !is_measured && !measured.is_empty() {
            parts.truncate(1);
            parts.push(
                own.failure()
                    .unwrap_or_else(|| "measured none of these points".to_owned()),
            );
        }
        parts
    };
    manifests.iter().map(job).collect()
}

/// An image's name in its registry, or the file where nobody wrote that down.
fn image_name(image: &RunImage) -> Option<String> {
    let unknown = || {
        Some(format!(
            "{} (nobody wrote down which image it is)",
            image.file.as_ref()?
        ))
    };
    image.reference.clone().or_else(unknown)
}

/// What is known of a job; its fingerprint where others have another one.
fn job(manifest: &Manifest, has_fingerprint: bool) -> Vec<String> {
    let job = manifest.job_id.as_ref().map(RunId::to_string);
    let named =
        |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("{name} {value}"));
    let images = [&manifest.images.server, &manifest.images.client];
    let gpus = match (manifest.gpus, &manifest.gpu_model) {
        (Some(gpus), Some(model)) => Some(format!("{gpus} × {model}")),
        (Some(gpus), None) => Some(counted(gpus, "GPU")),
        (None, model) => model.clone(),
    };
    let several = manifest.replicas.filter(|&replicas| replicas > 1);
    let servers = several.map(|replicas| match manifest.replica_use.as_deref() {
        Some(word) => format!("{replicas} servers ({word})"),
        None => format!("{replicas} servers"),
    });
    let [server, client] = images.map(|image| image.as_ref().and_then(image_name));
    // Jobs with the same one measured the same.
    let fingerprint = manifest.fingerprint.as_ref().filter(|_| has_fingerprint);
    let measurement = fingerprint.map(|fingerprint| {
        let start: String = fingerprint.chars().take(8).collect();
        format!("fingerprint of images and options: {start}")
    });
    let parts = [
        named("node", &manifest.node),
        servers,
        gpus,
        named("driver", &manifest.driver),
        named("started", &manifest.start),
        server.map(|image| format!("server: {image}")),
        client.map(|image| format!("client: {image}")),
        measurement,
        manifest.in_flight_percent.map(|percent| {
            format!("requests in flight for {percent} % of the time from ready to the last result")
        }),
        manifest.failure(),
    ];
    let first = format!(
        "job {}: {}",
        job.unwrap_or_default(),
        manifest.recipe.as_deref().unwrap_or("unknown recipe")
    );
    std::iter::once(first)
        .chain(parts.into_iter().flatten())
        .map(|part| plain(&part).into_owned())
        .collect()
}

/// What makes a comparison say little: another tool, or another model. It is said first.
fn another_measurement(differences: &[Difference]) -> Option<String> {
    let others = differences
        .iter()
        .filter(|other| other.is_another_measurement());
    let words: Vec<_> = others.map(|other| format!("another {other}")).collect();
    (!words.is_empty()).then(|| format!("compared with {}", words.join(", and with ")))
}

/// What the two sides of a comparison are called: which was measured first, they do not say.
const THIS_RUN: &str = "this run";
const OTHER_RUN: &str = "the other run";

/// The points that one run lacks, those that are compared with none, and how many are too short for it.
fn missing(comparison: &Comparison<'_>) -> Vec<String> {
    let mut lines: Vec<_> = [
        (comparison.only_before(), OTHER_RUN),
        (comparison.only_after(), THIS_RUN),
    ]
    .into_iter()
    .flat_map(|(points, which)| points.iter().map(move |point| (point, which)))
    .map(|(point, which)| format!("only in {which}: {}", title_of(comparison, point)))
    .collect();
    let changes = comparison.changes().iter();
    for (which, points) in [
        (
            OTHER_RUN,
            changes.clone().map(Change::before).collect::<Vec<_>>(),
        ),
        (THIS_RUN, changes.map(Change::after).collect()),
    ] {
        let short = points.into_iter().filter_map(brief).count();
        if short > 0 {
            lines.push(format!(
                "do not rely on it: of {which}, {} measured for less than 10 s",
                counted(short, "point")
            ));
        }
    }
    lines.extend(superseded(comparison));
    let mut alike: BTreeMap<_, Vec<&Point>> = BTreeMap::new();
    for it in comparison.not_compared() {
        let key = (!it.is_before(), it.unknown());
        alike.entry(key).or_default().push(it.point());
    }
    for ((is_after, unknown), points) in &alike {
        lines.push(format!(
            "not compared, of {}: {}, since nothing tells {}: {}",
            if *is_after { THIS_RUN } else { OTHER_RUN },
            counted(points.len(), "point"),
            listed(unknown),
            places(points)
        ));
    }
    if !alike.is_empty() {
        lines.push(
            "a folder's name tells all of it: MODEL_GPUs_LOAD_USECASE_ISL_OSL_JOB, such as \
             llama_4_25_chat_128_128_4711"
                .to_owned(),
        );
    }
    lines
}

/// The points in whose place later ones are compared: of each job that was named, and of all others together.
fn superseded(comparison: &Comparison<'_>) -> Vec<String> {
    let mut alike: BTreeMap<_, Vec<&Superseded<'_>>> = BTreeMap::new();
    for it in comparison.superseded() {
        let jobs = it.is_open().then(|| [it.point(), it.by()].map(job_of));
        alike.entry((!it.is_before(), jobs)).or_default().push(it);
    }
    let line = |((is_after, named), points): (&(bool, Option<_>), &Vec<&Superseded<'_>>)| {
        let own: BTreeSet<_> = points.iter().flat_map(|it| ids(it.point())).collect();
        let others: BTreeSet<_> = points.iter().flat_map(|it| ids(it.by())).collect();
        format!(
            "not compared, of {}: {}{}, since {}{} measured the same later{}",
            if *is_after { THIS_RUN } else { OTHER_RUN },
            counted(points.len(), "point"),
            jobs_in_words(" of ", &own),
            jobs_in_words("", &others),
            if others.is_empty() { "another" } else { "" },
            match (named, is_after) {
                (Some(_), true) => "; compare each job alone, with --job",
                _ => "",
            }
        )
    };
    alike.iter().map(line).collect()
}

/// The jobs that measured a point, in their order.
fn ids(point: &Point) -> impl Iterator<Item = ((u64, u64), &str)> {
    let jobs = point.runs().iter().filter_map(Point::run);
    jobs.map(|job| (job.numbers(), job.as_str()))
}

/// Words, and behind them the jobs, or how many they are; nothing where there are none.
fn jobs_in_words(words: &str, jobs: &BTreeSet<((u64, u64), &str)>) -> String {
    let names: Vec<&str> = jobs.iter().map(|(_, name)| *name).collect();
    match names.as_slice() {
        [] => String::new(),
        [own] => format!("{words}job {own}"),
        [_, _, _, _, ..] => format!("{words}{} jobs", names.len()),
        several => format!("{words}jobs {}", listed(several)),
    }
}

/// The folders of points, by name; the first of many.
fn places(points: &[&Point]) -> String {
    const MOST: usize = 3;
    let name = |point: &&Point| plain(point.path().file_name().unwrap_or(".")).into_owned();
    let names: Vec<_> = points.iter().take(MOST).map(name).collect();
    match points.len().saturating_sub(MOST) {
        0 => names.join(", "),
        more => format!("{}, and {more} more", names.join(", ")),
    }
}

/// Where a point is, below the folder that was read: what tells it apart when nothing
/// else does.
fn place_of(run: &Run, point: &Point) -> String {
    let path = point.path();
    let below = path.strip_prefix(run.path()).unwrap_or(path);
    let place = match below.as_str() {
        "" => path.file_name().unwrap_or("."),
        below => below,
    };
    plain(place).into_owned()
}

/// The job that measured a point, with how many of its turns or tasks did where those are several; or how many jobs did.
fn job_of(point: &Point) -> String {
    let parts: BTreeSet<_> = ids(point).collect();
    match number_of_jobs(point) {
        0 | 1 if parts.len() > 1 => {
            let job = parts.first().map_or(0, |((job, _), _)| *job);
            format!("{job}, {} parts", parts.len())
        }
        0 | 1 => point.run().map(RunId::to_string).unwrap_or_default(),
        several => format!("{several} jobs"),
    }
}

/// Words, and behind them the loads of those of the points of which there is something to say; nothing where there are none.
fn points_in_words<'a>(
    words: &str,
    points: impl Iterator<Item = &'a Point>,
    what: impl Fn(&Point) -> Option<String>,
) -> Vec<String> {
    let said: Vec<_> = points
        .filter_map(|point| Some((point, what(point)?)))
        .collect();
    let is_concurrency = |(point, _): &(&Point, _)| point.concurrency().is_some();
    let are_alike = said.iter().all(is_concurrency);
    let mut parts: Vec<_> = said
        .iter()
        .map(|(point, what)| match point.load() {
            Some(Load::Schedule) => format!("{} ({what})", load_of(point)),
            _ if are_alike => format!("{} ({what})", load_of(point)),
            _ => format!("{} ({what})", load_in_words(point)),
        })
        .collect();
    if let Some(first) = parts.first_mut() {
        let load = if are_alike { "concurrency " } else { "" };
        *first = format!("{words} {load}{first}");
    }
    parts
}

/// A use case's points, but for those that were too short and of which a longer run took the place; and words for those.
fn without_replaced<'a>(report: &Report<'_>, group: &Group<'a>) -> (Group<'a>, Vec<String>) {
    let again = MeasuredAgain::of(report.run, group);
    let words = "left out, as a longer run took their place: at";
    let left_out = points_in_words(words, group.iter(), |point| {
        let (job, now) = (job_in_words(point), job_in_words(again.by(point)?));
        Some(if job == now {
            format!("{job}, which measured again for longer")
        } else {
            format!("{job}, now {now}")
        })
    });
    (group.without(|point| again.by(point).is_some()), left_out)
}

/// The same as words of a sentence: `job 4711`, `job 4711, 2 parts`, or `2 jobs`.
fn job_in_words(point: &Point) -> String {
    let words = if number_of_jobs(point) > 1 {
        ""
    } else {
        "job "
    };
    format!("{words}{}", job_of(point))
}

fn number_of_jobs(point: &Point) -> usize {
    let jobs = point.runs().iter();
    let jobs: BTreeSet<_> = jobs.map(|run| run.run().map(|id| id.numbers().0)).collect();
    jobs.len()
}

/// Which server it is of, where several measured a point together: `, server 1`.
fn replica_of(point: &Point) -> String {
    let number = point.replica();
    number.map_or_else(String::new, |number| format!(", server {number}"))
}

/// The same, and which one measured it where several shared the points.
fn server_of(point: &Point) -> String {
    let number = point.replica().or(point.server());
    number.map_or_else(String::new, |number| format!(", server {number}"))
}
