//! What runs left behind: GenAI-Perf's and AIPerf's own files as typed points.
//!
//! ```
//! use nim_slurm::results::{Limits, Run, Statistic};
//!
//! let run = Run::read("tests/data/genai-perf")?; // or $STAGE_PATH/results
//! let limits = Limits::new(Statistic::P95).time_to_first_token(500.0).inter_token_latency(25.0);
//! for group in run.groups() {
//!     if let Some(point) = group.best_within(&limits) {
//!         println!("{group}: concurrency {:?}", point.concurrency());
//!     }
//! }
//! for problem in run.problems() {
//!     eprintln!("{problem}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every layout is read that GenAI-Perf wrote from 24.05 to 25.12, and AIPerf's:
//! each has other names, units, columns and folders. A point is wherever such a
//! file lies, under the tool's name for it or, where a folder has none of those,
//! under any; a file with no metric in it is a problem, not a point. Where JSON and
//! CSV are both there, the JSON counts, since the CSV is rounded, and the CSV adds
//! what the JSON lacks. Where names of folders and the tool's own configuration
//! disagree on what was asked for, the configuration counts, and a problem says so.

mod capacity;
mod cell;
mod comparison;
mod differences;
mod energy;
mod enough;
mod failed_search;
mod folder;
mod gate;
mod goodput;
mod group;
mod json;
mod measured;
mod metric;
mod offered;
mod point;
mod problem;
mod repeats;
mod requests;
mod samples;
mod short_points;
mod sink;
mod student;
mod table;
mod tokens;
mod written;

use std::collections::{BTreeSet, HashMap};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use crate::load::{Length, Load};
use crate::manifest::PointRow;
use crate::write::{empty_path, shown};

pub(crate) use self::capacity::limits as capacity_limits;
pub use self::capacity::{Capacity, Probe, ProbeVerdict};
pub use self::comparison::{Change, Comparison, NotCompared, Superseded};
pub use self::differences::Difference;
pub use self::energy::{Energy, EnergySource, NoEnergy, Throttle};
pub use self::enough::EnoughRequests;
pub use self::failed_search::FailedSearch;
use self::folder::Wanted;
pub use self::gate::{Gate, GateOutcome, Gated, GatedChange};
pub use self::group::{Group, Limits, Verdict};
pub(crate) use self::group::{pareto_front, use_case_in_words};
pub(crate) use self::measured::way;
pub use self::metric::{Metric, Statistic, Statistics, Unit};
pub use self::point::{GpuMetric, OtherMetric, Point, PointName, Tool};
pub use self::problem::ReadProblem;
pub use self::repeats::Summary;
pub use self::requests::{Figures, Request, Requests};
pub(crate) use self::short_points::MeasuredAgain;
pub use self::tokens::Tokens;
pub use crate::ladder::SearchGoal;
pub use crate::manifest::{Manifest, RunImage, RunImages};
pub use crate::slurm::RunId;

/// The points of one or more jobs.
///
/// ```
/// use nim_slurm::results::Run;
///
/// let run = Run::read("tests/data/genai-perf")?; // results of six releases
/// assert_eq!((run.path().as_str(), run.points().len()), ("tests/data/genai-perf", 6));
/// assert!(run.manifests().is_empty()); // no job of this crate made them
/// for problem in run.problems() {
///     eprintln!("{problem}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    path: Utf8PathBuf,
    points: Vec<Point>,
    manifests: Vec<Manifest>,
    problems: Vec<ReadProblem>,
    /// Whether somebody named the jobs of all its points.
    names_jobs: bool,
}

/// A results folder that cannot be read at all.
///
/// ```
/// let error = nim_slurm::results::Run::read("/no/such/results").unwrap_err();
/// assert_eq!(error.path(), "/no/such/results");
/// assert_eq!(error.to_string(), "cannot read the results folder /no/such/results");
/// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
/// ```
#[derive(thiserror::Error)]
#[error("cannot read the results folder {}", shown(.path))]
pub struct ReadError {
    path: Utf8PathBuf,
    #[source]
    source: io::Error,
}

crate::plain::debug_in_words!(ReadError);

impl ReadError {
    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// The system's reason.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

impl Run {
    /// Reads a results folder, or the folder of one point.
    ///
    /// Unfinished points (`failed_*`, `interrupted_*` and hidden folders in it) are
    /// left out. Links to other folders are named as problems, not followed. What is there twice, as in a copy of a
    /// results folder below itself, is one point, and a problem names the other.
    ///
    /// # Errors
    ///
    /// When the folder itself cannot be read, or its path is empty (`.` is the current folder). What cannot be read inside it is in
    /// [`problems`](Self::problems).
    pub fn read(path: impl AsRef<Utf8Path>) -> Result<Self, ReadError> {
        Self::read_wanted(path.as_ref(), Wanted::All)
    }

    /// Reads the points of these jobs; an array's are those of its tasks, too. They are those that the jobs finished, and
    /// those of earlier jobs that they resumed: their manifests list them as finished. The earlier jobs' manifests are
    /// among the [manifests](Self::manifests), too.
    ///
    /// A point whose folder does not name its job is left out. A [`Comparison`] says of each point of these jobs
    /// whether it is compared, and a [`Gate`] cannot tell where one is not ([`Superseded::is_open`]).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    /// # let point = results.join("llama-3-70b-instruct_4_25_chat_128_128_4711");
    /// # std::fs::create_dir(&point)?;
    /// # let file = "profile_export_genai_perf.json";
    /// # std::fs::copy(format!("tests/data/genai-perf/0.0.10/{file}"), point.join(file))?;
    /// use nim_slurm::results::Run;
    ///
    /// assert_eq!(Run::read_jobs(results, &["4711".parse()?])?.points().len(), 1);
    /// assert_eq!(Run::read_jobs(results, &["4712".parse()?])?.points().len(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_jobs(path: impl AsRef<Utf8Path>, jobs: &[RunId]) -> Result<Self, ReadError> {
        let run = Self::read_wanted(path.as_ref(), Wanted::Of(jobs))?;
        Ok(Self {
            names_jobs: true,
            ..run
        })
    }

    /// Reads the points of all other jobs: what [`read_jobs`](Self::read_jobs) leaves out.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    /// # let point = results.join("llama-3-70b-instruct_4_25_chat_128_128_4711");
    /// # std::fs::create_dir(&point)?;
    /// # let file = "profile_export_genai_perf.json";
    /// # std::fs::copy(format!("tests/data/genai-perf/0.0.10/{file}"), point.join(file))?;
    /// use nim_slurm::Report;
    /// use nim_slurm::results::Run;
    ///
    /// let job = ["4712".parse()?];
    /// let (before, now) = (Run::read_other_jobs(results, &job)?, Run::read_jobs(results, &job)?);
    /// println!("{}", Report::new(&now).against(&before).to_table());
    /// assert_eq!((before.points().len(), now.points().len()), (1, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_other_jobs(path: impl AsRef<Utf8Path>, jobs: &[RunId]) -> Result<Self, ReadError> {
        Self::read_wanted(path.as_ref(), Wanted::NotOf(jobs))
    }

    fn read_wanted(path: &Utf8Path, wanted: Wanted<'_>) -> Result<Self, ReadError> {
        let found = if path == "" {
            Err(empty_path())
        } else {
            folder::read(path, wanted)
        };
        let mut found = found.map_err(|source| ReadError {
            path: path.to_owned(),
            source,
        })?;
        found.points.sort_by(|a, b| order(a).cmp(&order(b)));
        repeats::take_out_copies(&mut found.points, &mut found.problems);
        found
            .problems
            .sort_by(|a, b| (a.file(), a.line()).cmp(&(b.file(), b.line())));
        let job = |manifest: &Manifest| manifest.job_id.as_ref().map(RunId::numbers);
        found.manifests.sort_by_key(job);
        let rows = RowsByPlace::new(&found.manifests);
        let of_several = |manifest: &&Manifest| manifest.replicas > Some(1);
        let shared = RowsByPlace::new(found.manifests.iter().filter(of_several));
        for point in &mut found.points {
            point.server = shared.find(&point.path, |row| row.server);
            // Of several servers that measured it together, each has a folder in there.
            let mut own = point.path.ancestors().take(2);
            point.cached_share = own
                .clone()
                .find_map(|path| rows.find(path, PointRow::cached_share));
            point.warmup_requests = own.find_map(|path| rows.find(path, |row| row.warmup_requests));
        }
        samples::attach(&mut found.points, &found.telemetry, &rows);
        let mut run = Self {
            path: path.to_owned(),
            points: found.points,
            manifests: found.manifests,
            problems: found.problems,
            names_jobs: false,
        };
        goodput::work_out(&mut run);
        Ok(run)
    }

    /// The folder that was read.
    #[must_use]
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// The points, by model, use case, GPUs, concurrency, job, repeat and server; those that nothing is
    /// known of come last.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// The models of the points, as result folders name them: each once, by name. A variant of a server is a model of
    /// its own, `MODEL-VARIANT`.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    /// # for name in ["llama-fp8_4_25_chat_128_128_7-1", "llama-bf16_4_25_chat_128_128_7-0"] {
    /// #     std::fs::create_dir(results.join(name))?;
    /// #     let file = "profile_export_genai_perf.json";
    /// #     std::fs::copy(format!("tests/data/genai-perf/0.0.10/{file}"), results.join(name).join(file))?;
    /// # }
    /// use nim_slurm::results::Run;
    ///
    /// let run = Run::read(results)?; // two variants that took turns in job 7
    /// assert_eq!(run.models(), ["llama-bf16", "llama-fp8"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn models(&self) -> Vec<&str> {
        let models: BTreeSet<&str> = self.points.iter().filter_map(Point::model).collect();
        models.into_iter().collect()
    }

    /// The points of one of the [models](Self::models), and the manifests of jobs that measured it. So two models, or two
    /// variants of a server, can be compared with each other.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    /// # for name in ["llama-fp8_4_25_chat_128_128_7-1", "llama-bf16_4_25_chat_128_128_7-0"] {
    /// #     std::fs::create_dir(results.join(name))?;
    /// #     let file = "profile_export_genai_perf.json";
    /// #     std::fs::copy(format!("tests/data/genai-perf/0.0.10/{file}"), results.join(name).join(file))?;
    /// # }
    /// use nim_slurm::results::{Comparison, Run};
    ///
    /// let run = Run::read(results)?;
    /// let [before, after] = ["llama-bf16", "llama-fp8"].map(|model| run.of_model(model));
    /// assert_eq!(Comparison::new(&before, &after).changes().len(), 1);
    /// assert!(run.of_model("llama").points().is_empty()); // the whole name
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of_model(&self, model: &str) -> Self {
        let points: Vec<_> = self
            .points
            .iter()
            .filter(|point| point.model() == Some(model))
            .cloned()
            .collect();
        let jobs: BTreeSet<&str> = points
            .iter()
            .filter_map(|point| Some(point.run()?.as_str()))
            .collect();
        let measured = |manifest: &&Manifest| {
            let job = manifest.job_id.as_ref();
            // One that finished no point still says of which model they were.
            let mut names = manifest
                .points
                .iter()
                .map(|row| PointName::parse(&row.folder));
            job.is_some_and(|job| jobs.contains(job.as_str()))
                || names.any(|name| name.is_some_and(|name| name.model() == model))
        };
        Self {
            path: self.path.clone(),
            manifests: self.manifests.iter().filter(measured).cloned().collect(),
            problems: self.problems.clone(),
            names_jobs: self.names_jobs,
            points,
        }
    }

    /// The points that these jobs did not measure, without their manifests. So a job can be compared with one that it resumed,
    /// and whose points it has, too.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    /// # for name in ["llama_4_25_chat_128_128_4711", "llama_4_50_chat_128_128_4712"] {
    /// #     std::fs::create_dir(results.join(name))?;
    /// #     let file = "profile_export_genai_perf.json";
    /// #     std::fs::copy(format!("tests/data/genai-perf/0.0.10/{file}"), results.join(name).join(file))?;
    /// # }
    /// # let row = r#"{"folder": "llama_4_25_chat_128_128_4711", "status": "finished", "detail": ""}"#;
    /// # std::fs::write(results.join("run_4712.json"), format!(r#"{{"points": [{row}]}}"#))?;
    /// use nim_slurm::results::Run;
    ///
    /// let run = Run::read_jobs(results, &["4712".parse()?])?; // which resumed job 4711
    /// assert_eq!(run.points().len(), 2);
    /// assert_eq!(run.without_jobs(&["4711".parse()?]).points().len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn without_jobs(&self, jobs: &[RunId]) -> Self {
        let is_other =
            |run: Option<&RunId>| !run.is_some_and(|run| jobs.iter().any(|job| job.includes(run)));
        let mut rest = self.clone();
        rest.points.retain(|point| is_other(point.run()));
        rest.manifests
            .retain(|manifest| is_other(manifest.job_id.as_ref()));
        rest
    }

    /// What the jobs' own manifests, `run_<job id>.json`, say of them, by job. Results
    /// of other programs have none.
    #[must_use]
    pub fn manifests(&self) -> &[Manifest] {
        &self.manifests
    }

    /// What the job that finished a point says of itself.
    ///
    /// ```
    /// use nim_slurm::results::Run;
    ///
    /// let run = Run::read("tests/data/telemetry")?;
    /// let manifest = run.manifest_of(&run.points()[0]).unwrap();
    /// assert_eq!(manifest.gpu_model.as_deref(), Some("NVIDIA H100 80GB HBM3"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn manifest_of(&self, point: &Point) -> Option<&Manifest> {
        let job = point.run()?;
        let is_own = |manifest: &&Manifest| {
            manifest.job_id.as_ref() == Some(job) && point.path.starts_with(&manifest.folder)
        };
        let own = self.manifests.iter().filter(is_own);
        own.max_by_key(|manifest| manifest.folder.components().count())
    }

    /// What could not be read.
    #[must_use]
    pub fn problems(&self) -> &[ReadProblem] {
        &self.problems
    }
}

type Order<'a> = (
    bool,
    [Option<&'a str>; 2],
    [Option<Length>; 2],
    Option<u32>,
    Option<Load>,
    Option<(u64, u64)>,
    (u32, Option<u32>),
    &'a Utf8Path,
);

fn order(point: &Point) -> Order<'_> {
    let asked = &point.asked;
    (
        point.use_case().is_none(),
        [point.model(), point.use_case()],
        [asked.input, asked.output],
        asked.gpus,
        asked.load,
        point.run().map(RunId::numbers),
        (point.repeat(), point.replica()),
        point.path(),
    )
}

/// What manifests say of points, by the names of their folders. Two clusters count their jobs from 1, so a manifest tells of
/// points in its own folder alone.
struct RowsByPlace<'a>(HashMap<&'a str, Vec<(&'a Utf8Path, &'a PointRow)>>);

impl<'a> RowsByPlace<'a> {
    fn new(manifests: impl IntoIterator<Item = &'a Manifest>) -> Self {
        let mut rows: HashMap<&str, Vec<_>> = HashMap::new();
        for manifest in manifests {
            for row in &manifest.points {
                let own = rows.entry(row.folder.as_str()).or_default();
                own.push((manifest.folder.as_path(), row));
            }
        }
        Self(rows)
    }

    /// What the last of the nearest manifests says of a point's folder, if any of them says it.
    fn find<T>(&self, point: &Utf8Path, what: impl Fn(&PointRow) -> Option<T>) -> Option<T> {
        let rows = self.0.get(point.file_name()?)?.iter();
        let own = rows.filter(|(folder, _)| point.starts_with(folder));
        let own = own.filter_map(|(folder, row)| Some((folder.components().count(), what(row)?)));
        Some(own.max_by_key(|(depth, _)| *depth)?.1)
    }
}
