//! One point of a sweep, as its folder tells it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::energy::{Energy, NoEnergy};
use super::metric::{Metric, Metrics, Statistic, Statistics};
use super::offered::{Arrivals, Overload, Shortfall};
use super::requests::Requests;
use crate::load::{Decimal, Length, Load, PointFolder};
use crate::plain::counted;
use crate::slurm::RunId;

/// What a folder's name says of the point in it:
/// `MODEL_{GPUs}_{load}_{use case}_{ISL}_{OSL}_{job}`, or, when it was measured again,
/// `MODEL_{GPUs}_{load}_{use case}_{ISL}_{OSL}_r{repeat}_{job}`.
///
/// The load is a number of requests in flight, or `rate2.5` where so many are sent a second. A length is a
/// number, or `128s20` with a standard deviation.
///
/// ```
/// use nim_slurm::results::PointName;
///
/// let name = PointName::parse("llama-3-70b-instruct_4_25_chat_128_128_4711").unwrap();
/// assert_eq!((name.gpus(), name.load().concurrency(), name.use_case()), (4, Some(25), "chat"));
/// assert!(PointName::parse("logs").is_none());
/// assert_eq!((name.model(), name.run().as_str()), ("llama-3-70b-instruct", "4711"));
/// assert_eq!((name.input().mean(), name.output().mean()), (128, 128));
/// assert_eq!(name.repeat(), 1);
///
/// let again = PointName::parse("llama-3-70b-instruct_4_25_chat_128_128_r2_4711").unwrap();
/// assert_eq!((again.model(), again.repeat()), ("llama-3-70b-instruct", 2));
/// assert_eq!(again.to_string(), "llama-3-70b-instruct_4_25_chat_128_128_r2_4711"); // the folder's name
///
/// let rate = PointName::parse("llama-3-70b-instruct_4_rate2.5_chat_128s20_128_4711").unwrap();
/// assert_eq!(rate.load().request_rate().unwrap().to_f64(), 2.5);
/// assert_eq!(rate.input().spread(), 20);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointName {
    model: String,
    gpus: u32,
    load: Load,
    use_case: String,
    input: Length,
    output: Length,
    repeat: u32,
    run: RunId,
}

impl PointName {
    /// Reads a folder's name; `None` when it is no point's.
    ///
    /// It is read from its end, since a model's name may have any shape. Six numbers
    /// that are a date and a time are no point's: `results_2025_01_15_12_30_45`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (before, run) = name.rsplit_once('_')?;
        let run = RunId::parse(run).ok()?;
        let (before, repeat) = without_repeat(before);
        let mut words = before.rsplitn(6, '_');
        let output = length(words.next()?)?;
        let input = length(words.next()?)?;
        let use_case = words.next()?;
        let load = load(words.next()?)?;
        let gpus = number(words.next()?)?;
        let model = words.next()?;
        let time = [input, output].map(Length::mean);
        let is_date = number(use_case).is_some_and(|day| {
            (load.concurrency()).is_some_and(|month| (1..=12).contains(&month))
                && (1..=31).contains(&day)
                && !input.is_data()
                && time[0] < 24
                && time[1] < 60
                && run.numbers().0 < 60
                && repeat == 1
        });
        (!use_case.is_empty() && !model.is_empty() && !is_date).then(|| Self {
            model: model.to_owned(),
            gpus,
            load,
            use_case: use_case.to_owned(),
            input,
            output,
            repeat,
            run,
        })
    }

    /// The model's name.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// GPUs that the server used.
    #[must_use]
    pub const fn gpus(&self) -> u32 {
        self.gpus
    }

    /// Requests in flight, or in a second.
    #[must_use]
    pub const fn load(&self) -> Load {
        self.load
    }

    /// The use case's name.
    #[must_use]
    pub fn use_case(&self) -> &str {
        &self.use_case
    }

    /// Input sequence length that was asked for.
    #[must_use]
    pub const fn input(&self) -> Length {
        self.input
    }

    /// Output sequence length that was asked for.
    #[must_use]
    pub const fn output(&self) -> Length {
        self.output
    }

    /// Which of the point's measurements it is, from 1.
    #[must_use]
    pub const fn repeat(&self) -> u32 {
        self.repeat
    }

    /// The job that finished the point.
    #[must_use]
    pub const fn run(&self) -> &RunId {
        &self.run
    }
}

/// The folder's name, with each number in its shortest form.
impl fmt::Display for PointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            model,
            gpus,
            load,
            use_case,
            input,
            output,
            repeat,
            run,
        } = self;
        let folder = PointFolder {
            model,
            gpus: *gpus,
            load: *load,
            use_case,
            lengths: (*input, *output),
            repeat: *repeat,
            run: run.as_str(),
        };
        f.pad(&folder.to_string())
    }
}

/// Takes `_r2`, `_r3`, … from the end of a name; the first measurement has no such word.
fn without_repeat(name: &str) -> (&str, u32) {
    name.rsplit_once("_r")
        .filter(|(_, digits)| !digits.starts_with('0'))
        .and_then(|(before, digits)| Some((before, number(digits)?)))
        .filter(|(_, repeat)| *repeat >= 2)
        .unwrap_or((name, 1))
}

/// As launch.sh writes it, in its shortest form. Of earlier names, a 0 in front and 0 itself stay no mistake.
fn load(word: &str) -> Option<Load> {
    if let Some(concurrency) = number(word) {
        return Some(Load::Concurrency(concurrency));
    }
    Load::parse(word)
        .ok()
        .filter(|load| load.to_string() == word)
}

fn length(word: &str) -> Option<Length> {
    Length::parse(word).ok()
}

/// Digits alone: a sign or a blank makes it another name.
fn number(word: &str) -> Option<u32> {
    word.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| word.parse().ok())
        .flatten()
}

/// What a point's results say.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let results = camino::Utf8Path::from_path(folder.path()).unwrap();
/// # let point = results.join("llama-3-70b-instruct_4_25_chat_128_128_4711");
/// # std::fs::create_dir(&point)?;
/// # let file = "profile_export_genai_perf.json";
/// # std::fs::copy(format!("tests/data/genai-perf/0.0.10/{file}"), point.join(file))?;
/// use nim_slurm::results::{Run, Tool};
///
/// let run = Run::read(results)?;
/// let point = &run.points()[0];
/// // What was asked for is in the folder's name, and in the tool's own files.
/// assert_eq!(point.path().file_name(), Some("llama-3-70b-instruct_4_25_chat_128_128_4711"));
/// assert_eq!((point.model(), point.use_case()), (Some("llama-3-70b-instruct"), Some("chat")));
/// assert_eq!((point.input_tokens(), point.output_tokens()), (Some(128), Some(128)));
/// assert_eq!((point.concurrency(), point.gpus()), (Some(25), Some(4)));
/// assert_eq!((point.run().unwrap().as_str(), point.replica()), ("4711", None));
/// assert_eq!(point.repeat(), 1);
/// assert_eq!((point.tool(), point.caveat()), (Tool::GenAiPerf, None));
/// // What was measured.
/// assert_eq!(point.throughput().map(f64::round), Some(7142.0)); // tokens/s
/// assert_eq!(point.throughput_per_gpu().map(f64::round), Some(1786.0));
/// assert_eq!(point.throughput_per_user().map(f64::round), Some(496.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    pub(super) path: Utf8PathBuf,
    pub(super) replica: Option<u32>,
    pub(super) server: Option<u32>,
    pub(super) tool: Tool,
    pub(super) asked: Asked,
    pub(super) content: Content,
    pub(super) requests: Option<Arc<Requests>>,
    pub(super) cached_share: Option<f64>,
    pub(super) warmup_requests: Option<u32>,
    pub(super) energy: Result<Energy, NoEnergy>,
    /// Of a mean, what it is the mean of.
    pub(super) runs: Vec<Point>,
}

/// What was asked of the tool, as far as anything tells.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Asked {
    pub(super) model: Option<String>,
    pub(super) use_case: Option<String>,
    pub(super) input: Option<Length>,
    pub(super) output: Option<Length>,
    pub(super) load: Option<Load>,
    /// How the requests of a rate were to come.
    pub(super) arrivals: Arrivals,
    pub(super) gpus: Option<u32>,
    /// Which measurement of the point it is; 1 where nothing tells.
    pub(super) repeat: Option<u32>,
    pub(super) run: Option<RunId>,
}

impl From<&PointName> for Asked {
    fn from(name: &PointName) -> Self {
        Self {
            model: Some(name.model.clone()),
            use_case: Some(name.use_case.clone()),
            input: Some(name.input),
            output: Some(name.output),
            load: Some(name.load),
            arrivals: Arrivals::default(),
            gpus: Some(name.gpus),
            repeat: Some(name.repeat),
            run: Some(name.run.clone()),
        }
    }
}

impl Asked {
    /// Takes what a more certain source says, and calls `disagree` with what it is,
    /// what was known, and what is taken.
    pub(super) fn correct(&mut self, by: &Self, mut disagree: impl FnMut(&str, &str, &str)) {
        let mut take = |what, known: Option<String>, certain: String| match known {
            Some(known) if known != certain => disagree(what, &known, &certain),
            _ => {}
        };
        if let Some(certain) = by.load {
            let what = match certain {
                Load::Concurrency(_) => "concurrency",
                _ => "load",
            };
            take(
                what,
                self.load.map(|load| load.to_string()),
                certain.to_string(),
            );
            self.load = Some(certain);
        }
        for (what, known, certain) in [
            ("input length", &mut self.input, by.input),
            ("output length", &mut self.output, by.output),
        ] {
            let Some(certain) = certain.filter(|_| known.is_none_or(|it| !it.is_data())) else {
                continue;
            };
            // It says the mean alone.
            if known.is_none_or(|known| known.mean() != certain.mean()) {
                take(
                    what,
                    known.map(|known| known.to_string()),
                    certain.to_string(),
                );
                *known = Some(certain);
            }
        }
    }
}

/// The measurements of a point.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Content {
    pub(super) metrics: Metrics,
    pub(super) others: BTreeMap<String, OtherMetric>,
    pub(super) gpu_metrics: Vec<GpuMetric>,
    pub(super) was_cancelled: bool,
    pub(super) shortfall: Option<Shortfall>,
    pub(super) overload: Option<Overload>,
    /// Requests without a whole answer, by the file of requests.
    pub(super) unanswered: usize,
}

impl Content {
    /// Whether nothing was measured at all.
    pub(super) fn is_empty(&self) -> bool {
        self.metrics.is_empty() && self.others.is_empty()
    }

    pub(super) fn caveat(&self) -> Option<String> {
        if self.was_cancelled {
            return Some("was cancelled: its numbers are of a part of the requests".to_owned());
        }
        let errors = self.others.get("error_request_count");
        let errors = errors
            .and_then(|metric| metric.statistics.avg())
            .filter(|errors| *errors > 0.0);
        if let Some(errors) = errors {
            return Some(format!(
                "counts {} that ended in an error: its numbers are of the others",
                counted(errors, "request")
            ));
        }
        // GenAI-Perf leaves those without a text out of all figures but the requests a second, and counts half answers as whole ones.
        if self.unanswered > 0 {
            return Some(format!(
                "has {} without a whole answer: its numbers are of what came",
                counted(self.unanswered, "request")
            ));
        }
        self.missed_load()
    }

    fn missed_load(&self) -> Option<String> {
        let shortfall = self.shortfall.map(|shortfall| shortfall.to_string());
        shortfall.or_else(|| Some(self.overload?.to_string()))
    }
}

/// The tool that wrote a result.
///
/// ```
/// use nim_slurm::results::{Run, Tool};
///
/// let run = Run::read("tests/data/genai-perf")?;
/// let of = |tool| run.points().iter().filter(|point| point.tool() == tool).count();
/// assert_eq!((of(Tool::GenAiPerf), of(Tool::AiPerf)), (4, 2));
/// assert_eq!(Tool::GenAiPerf.to_string(), "GenAI-Perf");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tool {
    /// GenAI-Perf, in any release.
    GenAiPerf,
    /// AIPerf, its successor.
    AiPerf,
}

/// The tool's name.
impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::GenAiPerf => "GenAI-Perf",
            Self::AiPerf => "AIPerf",
        })
    }
}

/// A metric that this crate has no name for, as the tool wrote it.
///
/// ```
/// use nim_slurm::results::Run;
///
/// let run = Run::read("tests/data/genai-perf/aiperf-0.13.0")?;
/// let (name, other) = run.points()[0].other_metrics().next().unwrap();
/// assert_eq!((name, other.unit.as_str()), ("active_decode_throughput", "tokens/sec"));
/// assert!(other.statistics.avg().is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct OtherMetric {
    /// The tool's unit; empty when it gives none.
    pub unit: String,
    /// Its values, in that unit.
    #[serde(flatten)]
    pub statistics: Statistics,
}

/// A measurement of one GPU, from the tool's telemetry.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
/// # let text = r#"{"request_count": {"unit": "requests", "avg": 10}, "telemetry_stats": {"gpu_power_usage":
/// #     {"unit": "W", "gpu0": {"avg": 312.5}, "gpu1": {"avg": 300.0}}}}"#;
/// # std::fs::write(folder.join("profile_export_genai_perf.json"), text)?;
/// let run = nim_slurm::results::Run::read(folder)?;
/// let metric = &run.points()[0].gpu_metrics()[0];
/// assert_eq!((metric.name.as_str(), metric.gpu.as_str()), ("gpu_power_usage", "gpu0"));
/// assert_eq!((metric.statistics.avg(), metric.unit.as_str()), (Some(312.5), "W"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct GpuMetric {
    /// The metric, with small letters and underscores: `gpu_power_usage`.
    pub name: String,
    /// The tool's unit; empty when it gives none.
    pub unit: String,
    /// Where the telemetry was asked for, which tells one node's `gpu0` from
    /// another's; empty when the tool does not say. AIPerf only.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub endpoint: String,
    /// The GPU, as the tool names it: `gpu0`.
    pub gpu: String,
    /// Its values, in that unit.
    #[serde(flatten)]
    pub statistics: Statistics,
}

impl Point {
    /// The point's folder; where several servers measured it together, this one's in
    /// there.
    #[must_use]
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// The folder that the point's own lies in.
    pub(super) fn results_folder(&self) -> &Utf8Path {
        let own = match self.replica() {
            Some(_) => self.path.parent(),
            None => Some(&*self.path),
        };
        own.and_then(Utf8Path::parent).unwrap_or(&self.path)
    }

    /// The tool that measured it.
    #[must_use]
    pub const fn tool(&self) -> Tool {
        self.tool
    }

    /// The model's name, as the folder has it.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.asked.model.as_deref()
    }

    /// The use case's name.
    #[must_use]
    pub fn use_case(&self) -> Option<&str> {
        self.asked.use_case.as_deref()
    }

    /// Input sequence length that was asked for, in tokens; where it has a spread, the mean; none
    /// where a file decided it.
    #[must_use]
    pub fn input_tokens(&self) -> Option<u32> {
        self.input().filter(|it| !it.is_data()).map(Length::mean)
    }

    /// Output sequence length that was asked for, in tokens; where it has a spread, the mean; none
    /// where a file decided it.
    #[must_use]
    pub fn output_tokens(&self) -> Option<u32> {
        self.output().filter(|it| !it.is_data()).map(Length::mean)
    }

    /// Input sequence length that was asked for, with its spread.
    ///
    /// ```
    /// let run = nim_slurm::results::Run::read("tests/data/telemetry")?;
    /// assert_eq!(run.points()[0].input().unwrap().to_string(), "128");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn input(&self) -> Option<Length> {
        self.asked.input
    }

    /// Output sequence length that was asked for, with its spread.
    ///
    /// ```
    /// let run = nim_slurm::results::Run::read("tests/data/telemetry")?;
    /// assert_eq!(run.points()[0].output().unwrap().mean(), 128);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn output(&self) -> Option<Length> {
        self.asked.output
    }

    /// What drove the measurement.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    /// # let point = results.join("llama-3-70b-instruct_4_rate2.5_chat_128s20_128_4711");
    /// # std::fs::create_dir(&point)?;
    /// # let file = "profile_export_genai_perf.json";
    /// # std::fs::copy(format!("tests/data/genai-perf/0.0.10/{file}"), point.join(file))?;
    /// use nim_slurm::Load;
    ///
    /// // llama-3-70b-instruct_4_rate2.5_chat_128s20_128_4711
    /// let run = nim_slurm::results::Run::read(results)?;
    /// let point = &run.points()[0];
    /// assert_eq!(point.load(), Some(Load::RequestRate("2.5".parse()?)));
    /// assert_eq!((point.request_rate(), point.concurrency()), (Some(2.5), None));
    /// assert_eq!(point.input().unwrap().spread(), 20);
    /// assert_eq!(point.output().unwrap().to_string(), "128");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn load(&self) -> Option<Load> {
        self.asked.load
    }

    /// Requests in flight, where they drove the measurement.
    #[must_use]
    pub fn concurrency(&self) -> Option<u32> {
        self.load()?.concurrency()
    }

    /// Requests that were sent in a second, where that drove the measurement.
    ///
    /// ```
    /// let run = nim_slurm::results::Run::read("tests/data/telemetry")?;
    /// assert_eq!(run.points()[0].request_rate(), None); // a number in flight drove it
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn request_rate(&self) -> Option<f64> {
        self.load()?.request_rate().map(Decimal::to_f64)
    }

    /// GPUs that the server used.
    #[must_use]
    pub const fn gpus(&self) -> Option<u32> {
        self.asked.gpus
    }

    /// Which of the point's measurements it is, from 1: what
    /// [`Sweep::repeat`](crate::recipe::Sweep::repeat) asks for.
    #[must_use]
    pub fn repeat(&self) -> u32 {
        self.asked.repeat.unwrap_or(1)
    }

    /// The number of the server that this is of, from 0, where several on one node
    /// measured the point at the same time. What the node does is the sum of them all.
    #[must_use]
    pub const fn replica(&self) -> Option<u32> {
        self.replica
    }

    /// The number of the server that measured it, from 0, where several of a job shared the points
    /// ([`ReplicaUse::Split`](crate::recipe::ReplicaUse::Split)) and its manifest tells. Of several [runs](Self::runs), none
    /// where these are of several servers or jobs.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    /// # let name = "llama-3-70b-instruct_4_25_chat_128_128_4711";
    /// # std::fs::create_dir(results.join(name))?;
    /// # let file = "profile_export_genai_perf.json";
    /// # std::fs::copy(format!("tests/data/genai-perf/0.0.10/{file}"), results.join(name).join(file))?;
    /// # let manifest = format!(r#"{{"replicas": 2, "points": [{{"folder": "{name}", "status": "finished",
    /// #     "detail": "", "server": 1}}]}}"#);
    /// # std::fs::write(results.join("run_4711.json"), manifest)?;
    /// let run = nim_slurm::results::Run::read(results)?;
    /// let point = &run.points()[0];
    /// assert_eq!((point.server(), point.replica()), (Some(1), None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn server(&self) -> Option<u32> {
        self.server
    }

    /// The job that finished the point.
    #[must_use]
    pub const fn run(&self) -> Option<&RunId> {
        self.asked.run.as_ref()
    }

    /// The statistics of a metric; `None` when the tool did not measure it.
    ///
    /// The inter-token latency has no answers whose tokens came at once, where the file of requests tells which: the tools take 0
    /// for it. It is `None` where they are more than one in twenty.
    ///
    /// ```
    /// use nim_slurm::results::{Metric, Run};
    ///
    /// let run = Run::read("tests/data/genai-perf/0.0.8")?;
    /// let latency = run.points()[0].metric(Metric::TimeToFirstToken).unwrap();
    /// assert_eq!(latency.avg().map(f64::round), Some(24.0)); // ms
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn metric(&self, metric: Metric) -> Option<&Statistics> {
        self.content.metrics.get(metric)
    }

    /// The metrics that are there, in the order of [`Metric::ALL`].
    ///
    /// ```
    /// use nim_slurm::results::{Metric, Run};
    ///
    /// let run = Run::read("tests/data/genai-perf/0.0.8")?;
    /// for (metric, statistics) in run.points()[0].metrics() {
    ///     println!("{metric}: {:?} {}", statistics.avg(), metric.unit());
    /// }
    /// assert_eq!(run.points()[0].metrics().next().unwrap().0, Metric::TimeToFirstToken);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn metrics(&self) -> impl Iterator<Item = (Metric, &Statistics)> {
        self.content.metrics.iter()
    }

    /// Metrics of the tool that have no [`Metric`], by name.
    ///
    /// ```
    /// use nim_slurm::results::Run;
    ///
    /// let run = Run::read("tests/data/genai-perf/aiperf-0.13.0")?;
    /// let mut others = run.points()[0].other_metrics();
    /// assert!(others.any(|(name, _)| name == "active_prefill_throughput"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn other_metrics(&self) -> impl Iterator<Item = (&str, &OtherMetric)> {
        self.content
            .others
            .iter()
            .map(|(name, other)| (name.as_str(), other))
    }

    /// What the tool's telemetry says of each GPU.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
    /// # let text = r#"{"request_count": {"unit": "requests", "avg": 10}, "telemetry_stats": {"gpu_power_usage":
    /// #     {"unit": "W", "gpu0": {"avg": 312.5}, "gpu1": {"avg": 300.0}}}}"#;
    /// # std::fs::write(folder.join("profile_export_genai_perf.json"), text)?;
    /// let run = nim_slurm::results::Run::read(folder)?;
    /// let power = run.points()[0].gpu_metrics().iter().filter(|metric| metric.name == "gpu_power_usage");
    /// assert_eq!(power.filter_map(|metric| metric.statistics.avg()).sum::<f64>(), 612.5); // W
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn gpu_metrics(&self) -> &[GpuMetric] {
        &self.content.gpu_metrics
    }

    /// Why the numbers do not mean what they seem to, where that is so: AIPerf writes
    /// them, and ends with 0, when its server died or when it was stopped. A client that has too few CPUs
    /// sends fewer requests in a second than it was asked for, or has fewer in flight.
    ///
    /// The rate is that from the first to the last start in the tool's file of requests. It is too low where it is below what was
    /// asked for by more than 5 % and three standard deviations of what chance does to it: none at constant gaps, 1 / √n of n
    /// requests that come at random (Poisson), 1 / √(s n) where the gaps have a gamma distribution of smoothness s.
    ///
    /// The number in flight is the mean from when the first wave is sent to the middle between the first and the last start. A
    /// request is in flight until the server has ended its answer. The mean is too low below 90 % of the concurrency. Points with fewer than three waves, or with less than a second of that time, are not judged. Neither are
    /// ramps and conversations, of all loads.
    ///
    /// Of a trace, AIPerf 0.13 says how late requests were sent: `credit_to_start_latency`. Of earlier releases it is the start −
    /// `credit_issued_ns` in the file of requests; where that is missing, it is not checked. It is too late where the mean is
    /// above 2.5 % of the time from the first to the last start. Lateness that grows evenly to 5 % of it has that mean.
    ///
    /// A server that answers fewer requests in a second than are sent does not keep up with a rate: what it does then tells of
    /// the queue, which grows as long as one measures. That is said of 16 requests or more, of which none failed, by either of
    /// two signs. Each compares the last quarter of the requests with the first:
    ///
    /// - the mean latency grows by more than 5 % and two standard deviations of the time between them;
    /// - requests find more others in flight when they are sent. In a second, this number grows by more than 5 % and three
    ///   standard deviations of the rate. Requests that were sent before the first answers do not count, and requests must be
    ///   sent for 2.5 times as long as the first five take, for as many tokens as the mean.
    ///
    /// Both must grow by more than three standard deviations of what single requests differ in. And in the second half they must
    /// rise by half as much as in the first, at least: elsewhere, it is the server that becomes as busy as the rate makes it.
    ///
    /// Such a point is never a best one. Of several [runs](Self::runs), the first that has one.
    ///
    /// ```
    /// use nim_slurm::results::Run;
    ///
    /// let run = Run::read("tests/data/genai-perf/aiperf-0.13.0-server-died")?;
    /// let caveat = run.points()[0].caveat().unwrap();
    /// assert!(caveat.starts_with("counts 200 requests that ended in an error"));
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    /// # let point = results.join("m_4_rate100_chat_128_128_7");
    /// # std::fs::create_dir(&point)?;
    /// # for file in ["profile_export.jsonl", "profile_export_aiperf.json"] {
    /// #     std::fs::copy(format!("tests/data/requests/aiperf-16/{file}"), point.join(file))?;
    /// # }
    /// let run = Run::read(results)?; // m_4_rate100_chat_128_128_7, with 80 requests
    /// let caveat = run.points()[0].caveat().unwrap();
    /// assert!(caveat.ends_with("requests/s were sent, 100 were asked for: the client did not keep up"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn caveat(&self) -> Option<String> {
        self.runs().iter().find_map(|run| run.content.caveat())
    }

    /// Why the load was not the one that was asked for, or more than the server keeps up with.
    pub(super) fn missed_load(&self) -> Option<String> {
        self.runs().iter().find_map(|run| run.content.missed_load())
    }

    /// Each request, where the tool's file of them is there and can be read.
    ///
    /// ```
    /// use nim_slurm::results::Run;
    ///
    /// let run = Run::read("tests/data/requests/aiperf-1")?;
    /// assert_eq!(run.points()[0].requests().unwrap().as_slice().len(), 20);
    /// let run = Run::read("tests/data/genai-perf/0.0.8")?;
    /// assert!(run.points()[0].requests().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn requests(&self) -> Option<&Requests> {
        self.requests.as_deref()
    }

    /// The share of the tokens of its prompts that came out of the server's prefix cache, by
    /// the server's own counters, which launch.sh reads before and after each point: 0.01 is 1 %. `None`
    /// where nobody checked: the server does not count, or another program measured.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    /// # let name = "llama-3-70b-instruct_4_25_chat_128_128_4711";
    /// # std::fs::create_dir(results.join(name))?;
    /// # let file = "profile_export_genai_perf.json";
    /// # std::fs::copy(format!("tests/data/genai-perf/0.0.10/{file}"), results.join(name).join(file))?;
    /// # let manifest = format!(r#"{{"points": [{{"folder": "{name}", "status": "finished", "detail": "",
    /// #     "prefix_cache_queries": 32000, "prefix_cache_hits": 160}}]}}"#);
    /// # std::fs::write(results.join("run_4711.json"), manifest)?;
    /// let run = nim_slurm::results::Run::read(results)?;
    /// assert_eq!(run.points()[0].cached_share(), Some(0.005));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn cached_share(&self) -> Option<f64> {
        self.cached_share
    }

    /// How many requests of its warm-up were answered, as the manifest says. Of several servers that measured it together, by
    /// all of them; of several [runs](Self::runs), in the first.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    /// # let name = "llama-3-70b-instruct_4_25_chat_128_128_4711";
    /// # std::fs::create_dir(results.join(name))?;
    /// # let file = "profile_export_genai_perf.json";
    /// # std::fs::copy(format!("tests/data/genai-perf/0.0.10/{file}"), results.join(name).join(file))?;
    /// # let manifest = format!(r#"{{"points": [{{"folder": "{name}", "status": "finished", "detail": "",
    /// #     "warmup_requests": 25}}]}}"#);
    /// # std::fs::write(results.join("run_4711.json"), manifest)?;
    /// let run = nim_slurm::results::Run::read(results)?;
    /// assert_eq!(run.points()[0].warmup_requests(), Some(25));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn warmup_requests(&self) -> Option<u32> {
        self.warmup_requests
    }

    /// How many requests the point's figures come from: those that were answered. `None` when
    /// nothing tells; GenAI-Perf says it since 25.01. Of several [runs](Self::runs), the fewest.
    ///
    /// ```
    /// use nim_slurm::results::Run;
    ///
    /// let count = |point| Run::read(point).map(|run| run.points()[0].request_count());
    /// assert_eq!(count("tests/data/requests/aiperf-1")?, Some(20));
    /// assert_eq!(count("tests/data/genai-perf/0.0.8")?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn request_count(&self) -> Option<u64> {
        if let [_, _, ..] = self.runs() {
            return self.runs().iter().filter_map(Self::request_count).min();
        }
        let counted = self
            .requests()
            .map(|all| all.as_slice().len() - all.failed());
        let said = || self.value(Metric::RequestCount, Statistic::Avg);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range is checked"
        )]
        let whole = |count: f64| (0.0..1e15).contains(&count).then_some(count as u64);
        counted.map(|count| count as u64).or_else(|| whole(said()?))
    }

    /// Whether it is known to have too few requests to claim a percentile, even if all of them were within a limit.
    pub(crate) fn is_weak(&self, statistic: Statistic) -> bool {
        let needed = statistic
            .percentile()
            .map(|percentile| percentile.requests_needed(0));
        needed
            .zip(self.request_count())
            .is_some_and(|(needed, count)| count < needed)
    }

    /// For how many seconds requests ran: by the record of each or, where there is none, by their number and their rate.
    /// Of several runs, in the shortest.
    ///
    /// ```
    /// let run = nim_slurm::results::Run::read("tests/data/genai-perf/0.0.8")?;
    /// let point = &run.points()[0];
    /// assert_eq!((point.seconds(), point.is_too_short()), (None, None)); // their number is not known
    /// let run = nim_slurm::results::Run::read("tests/data/genai-perf/0.0.10")?;
    /// assert_eq!(run.points()[0].seconds().map(f64::round), Some(4.0)); // 250 requests at 55.8 in a second
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn seconds(&self) -> Option<f64> {
        let recorded = |run: &Self| Some(run.requests()?.figures()?.seconds());
        let figured = |run: &Self| {
            let rate = run.value(Metric::RequestThroughput, Statistic::Avg)?;
            let count = run.value(Metric::RequestCount, Statistic::Avg)?;
            Some(count / rate).filter(|seconds| seconds.is_finite() && *seconds > 0.0)
        };
        let seconds = |run: &Self| recorded(run).or_else(|| figured(run));
        self.runs().iter().filter_map(seconds).reduce(f64::min)
    }

    /// Whether requests ran for less than 10 seconds, which is too short to go by.
    ///
    /// ```
    /// let run = nim_slurm::results::Run::read("tests/data/requests/aiperf-1")?;
    /// assert_eq!(run.points()[0].is_too_short(), Some(true));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_too_short(&self) -> Option<bool> {
        self.seconds().map(|seconds| seconds < Requests::SHORT)
    }

    /// One number of the point.
    ///
    /// ```
    /// use nim_slurm::results::{Metric, Run, Statistic};
    ///
    /// let run = Run::read("tests/data/genai-perf/0.0.8")?;
    /// let latency = run.points()[0].value(Metric::InterTokenLatency, Statistic::P95);
    /// assert_eq!(latency.map(f64::round), Some(12.0)); // ms
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn value(&self, metric: Metric, statistic: Statistic) -> Option<f64> {
        self.metric(metric)?.get(statistic)
    }

    /// Output tokens per second of the whole server: what offline work is judged by.
    #[must_use]
    pub fn throughput(&self) -> Option<f64> {
        self.value(Metric::OutputTokenThroughput, Statistic::Avg)
    }

    /// Output tokens per second and GPU of the server.
    #[must_use]
    pub fn throughput_per_gpu(&self) -> Option<f64> {
        let gpus = self.gpus().filter(|gpus| *gpus > 0)?;
        Some(self.throughput()? / f64::from(gpus))
    }

    /// Whether [`throughput_per_user`](Self::throughput_per_user) is not the tool's
    /// own figure.
    pub(crate) fn derives_throughput_per_user(&self) -> bool {
        self.value(Metric::OutputTokenThroughputPerUser, Statistic::Avg)
            .is_none()
    }

    /// Output tokens per second that one user sees once an answer has begun: the
    /// tool's own figure, else 1000 over the mean inter-token latency in ms.
    ///
    /// An answer that is not streamed has neither; its user sees the server's
    /// throughput over the concurrency.
    #[must_use]
    pub fn throughput_per_user(&self) -> Option<f64> {
        self.value(Metric::OutputTokenThroughputPerUser, Statistic::Avg)
            .or_else(|| {
                let latency = self.value(Metric::InterTokenLatency, Statistic::Avg)?;
                Some(1000.0 / latency).filter(|speed| speed.is_finite())
            })
            .or_else(|| {
                let users = self.concurrency().filter(|users| *users > 0)?;
                Some(self.throughput()? / f64::from(users))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_points() {
        let name = PointName::parse("my_own_model_v2_16_1_a-b_4096_512_12-3").unwrap();
        assert_eq!(name.model(), "my_own_model_v2");
        assert_eq!(name.gpus(), 16);
        assert_eq!(name.run().as_str(), "12-3");
        assert!(PointName::parse("m_4_10_1024_1024_128_4711").is_some());
        let name = PointName::parse("m_v2_4_rate0.25_chat_4096s500_128s20_r3_4711").unwrap();
        assert_eq!((name.model(), name.repeat()), ("m_v2", 3));
        assert_eq!(name.load().to_string(), "rate0.25");
        assert_eq!((name.input().spread(), name.output().spread()), (500, 20));
        for none in [
            "",
            "_",
            "results",
            "model_4_25_chat_128_128",
            "_4_25_chat_128_128_1",
            "m_4_25__128_128_1",
            "m_4_+25_chat_128_128_1",
            "m_4_25_chat_128_128_0",
            "m_4_25_chat_128_128_1.earlier-1",
            "m_4_99999999999_chat_128_128_1",
            "m_4_rate_chat_128_128_1",
            "m_4_rate2.50_chat_128_128_1",
            "m_4_rate2_chat_128s_128_1",
            "m_4_2.5_chat_128_128_1",
            "results_2025_01_15_12_30_45",
            "results_25_12_31_23_59_59",
        ] {
            assert!(PointName::parse(none).is_none(), "{none}");
        }
        for name in [
            "my_own_model_v2_16_1_a-b_4096_512_12-3",
            "m_v2_4_rate0.25_chat_4096s500_128s20_r3_4711",
            "m_1_schedule_trace_data_data_7",
        ] {
            assert_eq!(PointName::parse(name).unwrap().to_string(), name);
        }
    }
}
